"""Lab 11: a block and its ladder, an outlier, a model's weights; the façade of the other pictures.

Every number is the learner's: their functions read the file, their model computes. Without the file
the pictures that need it say so.
"""

from __future__ import annotations

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
from plots.measures.real_weights_answers import same_answers, same_by_chat, with_and_without
from plots.real_weights_live import attention, chat_box, waiting
from plots.real_weights_places import broken, places
from plots.real_weights_text import next_token, prompt_tokens
from plots.style import BLUE, GREEN, GREY, INK, ORANGE, number, numbers

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = [
    "attention",
    "block",
    "broken",
    "chat_box",
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
]

Dequantize = Callable[[Tensor], Tensor]

MATRIX = "blk.0.attn_q.weight"  # whose first blocks are shown
N_BLOCKS = 16
PARTS = {
    "wq": "attn_q",
    "wk": "attn_k",
    "wv": "attn_v",
    "wo": "attn_output",
    "w_gate": "ffn_gate",
    "w_up": "ffn_up",
    "w_down": "ffn_down",
}
LAYERS = [0, 29] if short() else [0, 10, 20, 29]
WIDEST = 6  # standard deviations that the histogram shows on each side


def block(dequantize_q4_1: Dequantize, path: Path | None) -> Flipbook:
    """The 20 bytes of a block above, the 32 weights that were made of them on their 16 rungs."""
    file = opened(path)
    if file is None:
        return waiting()
    blocks = file.tensors[MATRIX].blocks[:N_BLOCKS].clone()

    def draw(fig: Figure, block: int) -> str:
        row = blocks[block : block + 1]
        made = numbers(dequantize_q4_1(row))[0]
        scale, lowest = numbers(row[0, :4].view(torch.float16))
        _bytes(fig.add_axes((0.12, 0.8, 0.86, 0.2)), row[0].tolist())
        axes = fig.add_axes((0.12, 0.14, 0.86, 0.62))
        rungs = lowest + scale * np.arange(16)
        for rung in rungs:
            axes.axhline(rung, color=GREY, linewidth=0.6, alpha=0.6)
        places = np.arange(len(made))
        for half, color, mark in ((slice(0, 16), BLUE, "o"), (slice(16, 32), GREEN, "s")):
            axes.vlines(places[half], 0, made[half], color=color, linewidth=2)
            axes.plot(places[half], made[half], mark, color=color, gid=f"weights-{mark}")
        axes.axhline(0, color=INK, linewidth=0.8)
        low, high = min(*rungs, *made, 0), max(*rungs, *made, 0)
        room = 0.06 * (high - low)
        axes.set(xlim=(-0.7, 31.7), ylim=(low - room, high + room), ylabel="weight")
        axes.set_xlabel("weight in the block", labelpad=1)
        axes.set_xticks([0, 8, 16, 24, 31])
        off = np.abs((made - lowest) / scale - np.round((made - lowest) / scale))
        on = "each weight is on one" if off.max() < 0.02 and len(made) == 32 else "NOT on them"
        beyond = np.maximum(rungs.min() - made, made - rungs.max())
        outside = int((beyond > 0.5 * abs(scale)).sum())
        strays = f" {outside} weights lie outside the ladder." if outside else ""
        return (
            f"Block {block} of layer 0's wq. The 16 rungs are {abs(scale):.4f} apart and begin at "
            f"{number(lowest, 3)}; {on}. Dots: the low nibbles, squares: the high ones.{strays}"
        )

    return explore(draw, block=range(N_BLOCKS), play="block", size=(7.2, 3.6))


def _bytes(axes: Axes, row: list[int]) -> None:
    """Twenty boxes: scale, minimum, and sixteen pairs of nibbles in hexadecimal."""
    for place, byte in enumerate(row):
        color = ORANGE if place < 4 else INK
        box = {"boxstyle": "square,pad=0.3", "facecolor": "none", "edgecolor": color}
        text = f"{byte:02x}"
        axes.text(
            place, 0, text, ha="center", va="center", family="monospace", bbox=box, fontsize=9
        )
    for place, name in ((0.5, "scale"), (2.5, "minimum"), (11.5, "32 nibbles: high, low")):
        axes.text(place, 0.55, name, ha="center", va="bottom", fontsize=9)
    axes.set(xlim=(-0.9, 19.6), ylim=(-0.7, 1.3))
    axes.axis("off")


def outlier(dequantize_q4_1: Dequantize) -> Flipbook:
    """One of 32 weights grows; what is read back of the others loses its detail."""
    weights = torch.randn(32, generator=torch.Generator().manual_seed(3))
    one = 9
    weights[one] = weights.abs().max()
    others = np.arange(32) != one

    def stored(times: int) -> tuple[np.ndarray, np.ndarray, float, float]:
        """The weights, what is read back, the distance of two rungs, the others' error."""
        row = weights.clone()
        row[one] *= times
        made, true = numbers(dequantize_q4_1(quantized(row)[None]))[0], numbers(row)
        step = float((true.max() - true.min()) / 15)
        return true, made, step, float(np.abs(true - made)[others].mean())

    def draw(fig: Figure, times: int) -> str:
        (true, made, step, error), (_, _, step_before, error_before) = stored(times), stored(1)
        axes = fig.add_axes((0.1, 0.16, 0.88, 0.7))
        axes.plot(np.arange(32)[others], true[others], "o", color=BLUE, label="weight", gid="true")
        axes.plot(
            np.arange(32)[others], made[others], "_", color=ORANGE, markersize=11,
            markeredgewidth=2.5, label="read back", gid="made",
        )  # fmt: skip
        axes.axhline(0, color=INK, linewidth=0.6)
        for rung in true.min() + step * np.arange(16):
            if abs(rung) < 3:
                axes.axhline(rung, color=GREY, linewidth=0.6, alpha=0.6)
        axes.set(xlim=(-0.7, 31.7), ylim=(-3, 3), xlabel="weight in the block")
        axes.annotate(
            f"{number(true[one], 1)} ↑" if true[one] > 3 else number(true[one], 1),
            (one, min(2.55, true[one])), ha="center", color=BLUE,
        )  # fmt: skip
        axes.legend(ncols=2, loc="lower right", bbox_to_anchor=(1, 1.0))
        before = f", at 1 time {error_before:.3f}: {error / error_before:.1f} times as much"
        rungs = f"; {step / step_before:.1f} times as far as at 1 time"
        return (
            f"One weight of {number(true[one], 1)} among 31 ordinary ones. The rungs are "
            f"{number(step)} apart{rungs if times > 1 else ''}. The 31 others are off by "
            f"{error:.3f} on average{before if times > 1 else ''}."
        )

    return explore(draw, times=[1, 2, 3, 5, 7, 10, 15], start={"times": 10}, play="times")


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
        axes = fig.add_axes((0.12, 0.18, 0.86, 0.76))
        counts, edges = np.histogram((made / spread).numpy(), bins=60, range=(-WIDEST, WIDEST))
        share = 100 * counts / len(made)
        axes.bar(edges[:-1], share, np.diff(edges), align="edge", color=BLUE, alpha=0.7)
        at = np.linspace(-WIDEST, WIDEST, 121)
        bell = 100 * (edges[1] - edges[0]) * np.exp(-(at**2) / 2) / math.sqrt(2 * math.pi)
        axes.plot(at, bell, "--", color=ORANGE, label="normal distribution", gid="bell")
        axes.plot(mean / spread, 20, "v", color=INK, label="mean", gid="mean")
        axes.set(xlim=(-WIDEST, WIDEST), ylim=(1e-4, 30), yscale="log", ylabel="% of the weights")
        axes.set_xlabel("weight, in standard deviations from 0")
        axes.legend(loc="upper left", fontsize=9)
        outside = 100 * float((made.abs() > WIDEST * spread).double().mean())
        return (
            f"{part} of layer {layer}, {len(made):,} weights: mean {number(mean, 3)}, standard "
            f"deviation {spread:.3f}. {outside:.3f} % lie outside of the picture; the largest is "
            f"{float(made.abs().max()) / spread:.0f} standard deviations from 0."
        )

    return explore(draw, layer=LAYERS, part=list(PARTS), size=(7.2, 3.2))
