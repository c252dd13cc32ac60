"""Lab 13: hands that have been there or not, who sees whom through layers, a ring of keys."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from plots.cells import MASKED, NEW, REUSED, cell_key, cells
from plots.flipbook import Flipbook, explore
from plots.long_context_ring import ring
from plots.measures.long_context import by_position, gap, loaded
from plots.measures.long_context_window import for_ever, same_as_mask, sinks
from plots.page import says
from plots.style import BLUE, FAINT, GREY, INK, ORANGE, is_narrow, number

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = [
    "by_position",
    "dials",
    "for_ever",
    "gap",
    "loaded",
    "ring",
    "same_as_mask",
    "sinks",
    "windows",
]

Function = Callable[..., Any]

BASE, HEAD, TRAINED, FACTOR = 500_000.0, 128, 8192, 8.0  # Llama 3's, and 3.1's factor
SHOWN = range(3, HEAD // 2, 4)  # pairs with a dial
POSITIONS = [8192, 16384, 32768, 65536, 131072]
TOKENS = 12  # of the mask


def dials(
    rope_frequencies: Function, ntk_base: Function, llama3_scale_frequencies: Function
) -> Flipbook:
    """Where each pair's hand points at a far position, and where it has been in training."""

    def under(rule: str, trained: Tensor) -> Tensor:
        if rule == "NTK, ×8":
            return rope_frequencies(HEAD, ntk_base(BASE, FACTOR, HEAD))
        if rule == "llama3, ÷8":
            return llama3_scale_frequencies(trained, FACTOR)
        return trained / FACTOR if rule == "interpolation, ÷8" else trained

    def draw(fig: Figure, position: int, rule: str) -> str:
        trained = rope_frequencies(HEAD, BASE).double()
        now = under(rule, rope_frequencies(HEAD, BASE)).double().flatten()
        if len(now) != len(trained) or not now.isfinite().all():
            return f"The rule gives {tuple(now.shape)} numbers, not one for each of 64 pairs."
        arcs = (TRAINED * trained).clamp(max=2 * math.pi)
        hands = torch.remainder(position * now, 2 * math.pi)
        lost = (arcs < 2 * math.pi) & (hands > arcs + 1e-3)
        slower = trained / now
        across = 4 if is_narrow(fig) else 8
        for place, pair in enumerate(SHOWN):
            row, column = divmod(place, across)
            rows = len(SHOWN) // across
            box = (column / across, 1 - (row + 1) / rows, 0.98 / across, 0.98 / rows)
            axes = fig.add_axes(box)
            _dial(axes, float(arcs[pair]), float(hands[pair]), bool(lost[pair]))
            axes.text(0, -1.62, f"pair {pair}", ha="center", fontsize=9)
            turns = TRAINED * float(trained[pair]) / (2 * math.pi)
            axes.texts[-1].set_gid(f"name-{pair}")
            where = "where it has never been" if lost[pair] else "where it has been"
            says(
                axes.lines[-1],
                f"pair {pair}: {number(turns)} turns in training, now {number(slower[pair])} times "
                f"slower; at {position:,} it points {where}",
            )
        kept = int((slower - 1).abs().lt(1e-3).sum())
        return (
            f"At position {position:,}, {rule}: {int(lost.sum())} of all 64 hands point where "
            f"training has never been (orange, dashed). {kept} pairs turn as in training; the "
            f"slowest is {number(slower[-1])} times slower."
        )

    return explore(
        draw,
        position=POSITIONS,
        rule=["as trained", "NTK, ×8", "llama3, ÷8", "interpolation, ÷8"],
        start={"position": 65536, "rule": "as trained"},
        play="position",
        size=(8.8, 2.7),
        narrow=(3.3, 4.4),
    )


def _dial(axes: Axes, arc: float, hand: float, lost: bool) -> None:
    """A ring, the part of it that was seen, and a hand; angles from the right, anticlockwise."""
    round_ = torch.linspace(0, 2 * math.pi, 49)
    axes.plot(round_.cos(), round_.sin(), "-", color=INK, linewidth=0.8, alpha=FAINT)
    steps = max(int(49 * arc / (2 * math.pi)), 2)
    seen = torch.linspace(0, arc, steps)
    axes.plot(seen.cos(), seen.sin(), "-", color=GREY, linewidth=5, gid="seen", alpha=0.75)
    color, dash = (ORANGE, "--") if lost else (BLUE, "-")
    tip = [0.0, math.cos(hand)], [0.0, math.sin(hand)]
    axes.plot(*tip, dash, color=color, linewidth=2.4, gid="lost" if lost else "hand")
    axes.set(xlim=(-1.35, 1.35), ylim=(-1.9, 1.25), aspect="equal", xticks=[], yticks=[])
    axes.spines[:].set_visible(False)


def windows(sliding_window_mask: Function) -> Flipbook:
    """Who sees whom in one layer, and from whom a token has heard after several."""

    def draw(fig: Figure, window: int, layers: int, sinks: int) -> str:
        mask = torch.as_tensor(sliding_window_mask(TOKENS, TOKENS, window, sinks))
        if mask.shape != (TOKENS, TOKENS):
            return f"The mask has the shape {tuple(mask.shape)}, not ({TOKENS}, {TOKENS})."
        direct = mask.bool()
        heard = direct
        for _ in range(layers - 1):
            heard = (direct.float() @ heard.float()) > 0  # heard by those whom I see
        states = [
            [NEW if direct[q, k] else REUSED if heard[q, k] else MASKED for k in range(TOKENS)]
            for q in range(TOKENS)
        ]
        narrow = is_narrow(fig)
        axes = fig.add_axes((0.13, 0.15, 0.85, 0.74) if narrow else (0.12, 0.13, 0.86, 0.76))
        names = [str(i) for i in range(TOKENS)]
        cells(axes, heard.float(), states, limit=1.0, rows=names, columns=names, gid="mask")
        axes.set(ylabel="query at")
        axes.set_title("key at", fontsize=11)
        axes.xaxis.tick_top()
        cell_key(
            axes, NEW, REUSED, MASKED,
            labels={NEW: "seen", REUSED: "heard of", MASKED: "neither"},
        )  # fmt: skip
        count, far = int(direct[-1].sum()), int(heard[-1].sum())
        through = "" if layers == 1 else f", and after {layers} layers it has heard from {far}"
        return (
            f"Window {window}, {sinks} sinks: the last of {TOKENS} tokens sees {count} "
            f"position{'s' * (count != 1)}{through}. All together {int(direct.sum())} scores are "
            f"computed in a layer, where causal_mask needs {TOKENS * (TOKENS + 1) // 2}."
        )

    return explore(
        draw,
        window=[1, 2, 4, 6],
        layers=[1, 2, 3],
        sinks=[0, 2],
        start={"window": 4, "layers": 3, "sinks": 0},
        play="window",
        size=(4.6, 4.6),
        narrow=(3.4, 3.8),
    )
