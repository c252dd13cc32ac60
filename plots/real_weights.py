"""Lab 11: a block and its ladder, an outlier, a model's weights; the façade of the other pictures.

Every number is the learner's: their functions read the file, their model computes. Without the file
the pictures that need it say so.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from plots.flipbook import Flipbook, explore
from plots.measure import short
from plots.measures.real_weights import contents, faster, loaded, memory, opened, pieces, speed
from plots.measures.real_weights_answers import same_by_chat, with_and_without
from plots.page import says
from plots.real_weights_answers import broken, same_answers
from plots.real_weights_live import attention, waiting
from plots.real_weights_places import places
from plots.real_weights_text import next_token, prompt_tokens
from plots.real_weights_your_llama import your_llama
from plots.style import BLUE, GREEN, GREY, INK, ORANGE, is_narrow, number, numbers

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = [
    "attention",
    "block",
    "broken",
    "contents",
    "faster",
    "loaded",
    "memory",
    "next_token",
    "outlier",
    "pieces",
    "places",
    "prompt_tokens",
    "same_answers",
    "same_by_chat",
    "speed",
    "weights",
    "with_and_without",
    "your_llama",
]

Dequantize = Callable[[Tensor], Tensor]

MATRIX = "blk.0.attn_q.weight"  # whose first blocks are shown
N_BLOCKS = 2
BYTES = [7] if short() else [0, 2, 4, 5, 6, 7, 8, 11, 15, 19]  # of the 20, that are looked at
TIMES = [1, 2, 3, 5, 7, 10, 15]  # that a weight grows
PARTS = {
    "wq": "attn_q",
    "wk": "attn_k",
    "wv": "attn_v",
    "wo": "attn_output",
    "w_gate": "ffn_gate",
    "w_up": "ffn_up",
    "w_down": "ffn_down",
}
LAYERS = [0, 29] if short() else [0, 10, 29]
WIDEST = 6  # standard deviations that the histogram shows on each side


def block(dequantize_q4_1: Dequantize, path: Path | None) -> Flipbook:
    """The 20 bytes of a block over the 32 weights made of them; lines from a byte to its weights.

    Which weights are a byte's is found by changing it: those that then come out otherwise.
    """
    file = opened(path)
    if file is None:
        return waiting()
    blocks = file.tensors[MATRIX].blocks[:N_BLOCKS].clone()

    def draw(fig: Figure, byte: int, block: int) -> str:
        row = blocks[block : block + 1]
        made = numbers(dequantize_q4_1(row))[0]
        scale, lowest = numbers(row[0, :4].view(torch.float16))
        left, width = (0.16, 0.82) if is_narrow(fig) else (0.07, 0.92)
        axes = fig.add_axes((left, 0.13, width, 0.5))
        rungs = lowest + scale * np.arange(16)
        for rung in rungs:
            axes.axhline(rung, color=GREY, linewidth=0.6, alpha=0.6)
        low, high = (_moved(dequantize_q4_1, row, byte, mask) for mask in (0x0F, 0xF0))
        for place, weight in enumerate(made):
            color, mark = (BLUE, "o") if place < len(made) / 2 else (GREEN, "s")
            theirs = place in low or place in high
            size, alpha = (8, 1.0) if theirs else (5, 0.55)
            axes.plot([place, place], [0, weight], color=color, linestyle="-", alpha=alpha)
            look = {"color": color, "markersize": size, "alpha": alpha}
            (dot,) = axes.plot([place], [weight], mark, gid=f"weight-{place}", **look)
            says(dot, f"weight {place}: {number(weight, 3)}, rung {_rung(weight, lowest, scale)}")
        axes.axhline(0, color=INK, linewidth=0.8)
        bottom, top = min(*rungs, *made, 0), max(*rungs, *made, 0)
        room = 0.06 * (top - bottom)
        axes.set(xlim=(-0.7, 31.7), ylim=(bottom - room, top + room), ylabel="weight")
        axes.set_xlabel("weight in the block", labelpad=1)
        axes.set_xticks([0, 8, 16, 24, 31])
        axes.tick_params(labelsize=9)
        if is_narrow(fig):
            axes.set_ylabel("")
        _bytes(fig.add_axes((left, 0.63, width, 0.36)), row[0].tolist(), byte, low, high)
        off = np.abs((made - lowest) / scale - np.round((made - lowest) / scale))
        on = "each weight is on one" if off.max() < 0.02 and len(made) == 32 else "NOT on them"
        beyond = np.maximum(rungs.min() - made, made - rungs.max())
        outside = int((beyond > 0.5 * abs(scale)).sum())
        strays = f" {outside} weights lie outside the ladder." if outside else ""
        return (
            f"Block {block} of layer 0's wq. The 16 rungs are {abs(scale):.4f} apart and begin at "
            f"{number(lowest, 3)}; {on}.{strays} Byte {byte}: its low half makes "
            f"{_weights(low)} (blue lines), its high half {_weights(high)} (green, dashed)."
        )

    return explore(
        draw,
        byte=BYTES,
        block=range(N_BLOCKS),
        start={"byte": 7},
        play="byte" if len(BYTES) > 1 else None,
        size=(10.2, 4.3),
        narrow=(3.3, 4.6),
    )


def _moved(dequantize_q4_1: Dequantize, row: Tensor, byte: int, mask: int) -> list[int]:
    """The weights that come out otherwise when these bits of a byte are turned over."""
    other = row.clone()
    other[0, byte] ^= mask
    before, after = (numbers(dequantize_q4_1(blocks))[0] for blocks in (row, other))
    return [place for place, (a, b) in enumerate(zip(before, after, strict=True)) if a != b]


def _weights(places: list[int]) -> str:
    if not places:
        return "none"
    if len(places) > 3:
        return f"{len(places)} weights"
    return f"weight {' and '.join(map(str, places))}"


def _rung(weight: float, lowest: float, scale: float) -> str:
    return number((weight - lowest) / scale, 1) if scale else "?"


def _bytes(axes: Axes, row: list[int], chosen: int, low: list[int], high: list[int]) -> None:
    """Twenty bytes in hexadecimal, and lines from the chosen one to the weights it makes."""
    where = [-0.3 + 1.62 * place for place in range(len(row))]  # over the weights 0 to 31
    narrow = is_narrow(axes.figure)
    for place, byte in enumerate(row):
        color = ORANGE if place < 4 else INK
        lower = -0.25 * (place % 2) if narrow else 0.0
        text = axes.text(
            where[place], lower, f"{byte:02x}", ha="center", va="center", family="monospace",
            fontsize=9, fontweight="bold" if place == chosen else "normal",
        )  # fmt: skip
        parts = {0: "scale, low byte", 1: "scale, high byte", 2: "minimum, low byte"}
        parts[3] = "minimum, high byte"
        says(
            text, f"byte {place}: {parts.get(place, f'nibbles {byte & 15} low, {byte >> 4} high')}"
        )
        if not narrow or place == chosen:
            color = BLUE if place == chosen else color
            frame = {"facecolor": "none", "edgecolor": color, "linewidth": 1 + (place == chosen)}
            text.set_bbox({"boxstyle": "square,pad=0.25", **frame})
    for theirs, color, dash in ((low, BLUE, "-"), (high, GREEN, "--")):
        for place in theirs:
            ends = [where[chosen], place], [-0.5, -1.55]
            width = 2 if len(theirs) < 4 else 0.7
            axes.plot(*ends, color=color, linestyle=dash, linewidth=width, gid=f"line-{place}")
    if narrow:
        names = [(0, "scale, minimum", "left"), (19, "16 bytes, 2 weights each", "right")]
    else:
        names = [(0.5, "scale", "center"), (2.5, "minimum", "center")]
        names.append((11.5, "16 bytes, two weights in each", "center"))
    for place, name, side in names:
        axes.text(-0.3 + 1.62 * place, 0.4, name, ha=side, va="bottom", fontsize=9)
    axes.set(xlim=(-0.7, 31.7), ylim=(-1.55, 0.95))
    axes.axis("off")


def outlier(dequantize_q4_1: Dequantize) -> Flipbook:
    """One of 32 weights grows; what is read back of the others loses its detail."""
    weights = torch.randn(32, generator=torch.Generator().manual_seed(3))
    one = 9
    weights[one] = weights.abs().max()
    others = np.arange(32) != one

    @functools.cache
    def stored(times: int) -> tuple[np.ndarray, np.ndarray, float, float]:
        """The weights, what is read back, the distance of two rungs, the others' error."""
        row = weights.clone()
        row[one] *= times
        made, true = numbers(dequantize_q4_1(quantized(row)[None]))[0], numbers(row)
        step = float((true.max() - true.min()) / 15)
        return true, made, step, float(np.abs(true - made)[others].mean())

    def draw(fig: Figure, times: int) -> str:
        (true, made, step, error), (_, _, step_before, error_before) = stored(times), stored(1)
        axes, side = fig.add_axes((0.07, 0.15, 0.42, 0.75)), fig.add_axes((0.6, 0.15, 0.38, 0.75))
        at = np.arange(32)[others]
        for rung in true.min() + step * np.arange(16):
            if abs(rung) < 3:
                axes.axhline(rung, color=GREY, linewidth=0.6, alpha=0.6)
        axes.vlines(at, true[others], made[others], color=ORANGE, linewidth=1.2)
        axes.plot(at, true[others], "o", color=BLUE, markersize=5, label="weight", gid="true")
        axes.plot(
            at, made[others], "_", color=ORANGE, markersize=8, markeredgewidth=2.5,
            label="read back", gid="made",
        )  # fmt: skip
        axes.set(xlim=(-0.7, 31.7), ylim=(-3, 3), xlabel="weight in the block")
        axes.annotate(
            f"{number(true[one], 1)} ↑" if true[one] > 3 else number(true[one], 1),
            (one, min(2.55, true[one])), ha="center",
        )  # fmt: skip
        axes.legend(ncols=2, loc="lower right", bbox_to_anchor=(1, 0.98), fontsize=10)
        errors = [stored(times)[3] for times in TIMES]
        side.plot(TIMES, errors, "o-", color=ORANGE, gid="errors")
        side.plot([times], [error], "o", color=ORANGE, markersize=11, gid="here")
        expected = [stored(times)[2] / 4 for times in TIMES]  # of a weight anywhere between two
        side.plot(TIMES, expected, "--", color=GREY, linewidth=1.3, gid="expected")
        side.text(9.5, expected[5] + 0.02, "a quarter of a rung", ha="right", fontsize=10)
        side.set(xlabel="times larger", title="mean error of the 31 others", xlim=(0, 16))
        side.set(ylim=(0, 1.1 * max(errors + expected)), xticks=[1, 5, 10, 15])
        side.title.set_fontsize(10)
        for panel in (axes, side):
            panel.tick_params(labelsize=10)
        before = f", at 1 time {error_before:.3f}: {error / error_before:.1f} times as much"
        rungs = f"; {step / step_before:.1f} times as far as at 1 time"
        return (
            f"One weight of {number(true[one], 1)} among 31 ordinary ones. The rungs are "
            f"{number(step)} apart{rungs if times > 1 else ''}. The 31 others are off by "
            f"{error:.3f} on average{before if times > 1 else ''}."
        )

    return explore(draw, times=TIMES, start={"times": 10}, play="times", size=(7.2, 3.2))


def quantized(row: Tensor) -> Tensor:
    """32 numbers → the 20 bytes of a Q4_1 block, as the format's inventors do it."""
    lowest, highest = row.min(), row.max()
    head = torch.stack([(highest - lowest) / 15, lowest]).half()
    scale, lowest = head.float()
    rungs = ((row - lowest) / scale).round().clamp(0, 15).to(torch.uint8)
    return torch.cat([head.view(torch.uint8), rungs[:16] + 16 * rungs[16:]])


def weights(dequantize_q4_1: Dequantize, path: Path | None) -> Flipbook:
    """How often each size of weight occurs, in every matrix of some layers."""
    file = opened(path)
    if file is None:
        return waiting()

    def draw(fig: Figure, layer: int, part: str) -> str:
        stored = file.tensors[f"blk.{layer}.{PARTS[part]}.weight"]
        made = dequantize_q4_1(stored.blocks).float().flatten()
        spread, mean = float(made.std()), float(made.mean())
        counts, edges = np.histogram((made / spread).numpy(), bins=60, range=(-WIDEST, WIDEST))
        share = 100 * counts / len(made)
        at = np.linspace(-WIDEST, WIDEST, 121)
        bell = 100 * (edges[1] - edges[0]) * np.exp(-(at**2) / 2) / math.sqrt(2 * math.pi)
        for left, scale, bottom, top in ((0.075, "linear", 0, 18), (0.585, "log", 1e-4, 30)):
            axes = fig.add_axes((left, 0.17, 0.4, 0.73))
            axes.stairs(share, edges, fill=True, color=BLUE, alpha=0.6, gid=f"shares-{scale}")
            axes.plot(at, bell, "--", color=ORANGE, label="normal\ndistribution", gid="bell")
            axes.axvline(mean / spread, color=INK, linewidth=1.2, gid="mean")
            axes.set(xlim=(-WIDEST, WIDEST), ylim=(bottom, top), yscale=scale)
            axes.set_xlabel("weight, in standard deviations from 0", fontsize=10)
            title = {"linear": "% of the weights", "log": "the same, each tick ten times the last"}
            axes.set_title(title[scale], fontsize=10)
            axes.tick_params(labelsize=10)
            if scale == "linear":
                axes.legend(loc="upper left", fontsize=10, handlelength=1.2)
        outside = 100 * float((made.abs() > WIDEST * spread).double().mean())
        beyond = 100 * float((made.abs() > 4 * spread).double().mean())
        return (
            f"{part} of layer {layer}, {len(made):,} weights: mean {number(mean, 3)}, standard "
            f"deviation {spread:.3f}. {beyond:.3f} % lie beyond 4 standard deviations, of a normal "
            f"distribution 0.006 %; {outside:.3f} % lie outside of the picture, and the largest is "
            f"{float(made.abs().max()) / spread:.0f} standard deviations from 0."
        )

    return explore(draw, layer=LAYERS, part=list(PARTS), size=(7.2, 3.2))
