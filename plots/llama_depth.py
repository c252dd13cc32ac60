"""Lab 08: what pairs of parts in a row do to a vector, and to the gradient on its way back."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from plots import style
from plots.flipbook import Flipbook, explore
from plots.page import says
from plots.style import BLUE, FAINT, GREEN, GREY, INK, ORANGE

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Pairs = Callable[..., list[Tensor]]  # → the vector at the start, and after each pair of parts
Sizes = dict[str, list[float]]  # way → one number for each of DEPTHS

# way → norm, add; colour and line
WAYS = {
    "neither": (False, False, GREY, ":"),
    "norm": (True, False, ORANGE, "--"),
    "sum": (False, True, BLUE, "-."),
    "norm and sum": (True, True, GREEN, "-"),
}
BLOCKS = ("your blocks", INK, "-")
DEPTHS = [1, 2, 4, 6, 8, 10, 12, 16, 20, 24, 28, 32]  # pairs of attention and SwiGLU
LEAST, MOST = 1e-6, 1e6  # the ends of the axis on which a tick is ×1,000
TICKS = {1e-6: "10⁻⁶", 1e-3: "0.001", 1.0: "1", 1e3: "1,000", 1e6: "10⁶"}
FITS = (0.01, 100.0)  # the band that is shaded
LONGEST = 4.0  # where a bar ends in an arrow


def depth(in_a_row: Pairs, blocks: Pairs | None = None) -> Flipbook:
    """Draw, over the depth, the size of what comes out and of the gradient that comes back.

    in_a_row(norm, add) is asked for all four ways, blocks() for the learner's own.
    """

    @functools.cache
    def measured() -> tuple[Sizes, Sizes]:
        runs = {"your blocks": blocks} if blocks else {}  # first: they may not be written yet
        runs |= {way: functools.partial(in_a_row, *look[:2]) for way, look in WAYS.items()}
        found = {way: _sizes(run()) for way, run in runs.items()}
        return {way: f for way, (f, _) in found.items()}, {way: b for way, (_, b) in found.items()}

    def draw(fig: Figure, pairs: int) -> str:
        narrow = style.is_narrow(fig)
        lefts, width = ((0.33, 0.68), 0.28) if narrow else ((0.12, 0.58), 0.41)
        for left, found, title in zip(lefts, measured(), _titles(narrow), strict=True):
            lines = fig.add_axes((left, 0.47, width, 0.44))
            _lines(lines, found, pairs, narrow)
            lines.set_title(title, fontsize=11)
            bars = fig.add_axes((left, 0.02, width, 0.3))
            _bars(bars, found, pairs)
            if left != lefts[0]:
                lines.set_yticklabels([])
                bars.set_yticklabels([])
        said = [
            f"{way} {_say(out[DEPTHS.index(pairs)])}, {_say(back[DEPTHS.index(pairs)])}"
            for (way, out), back in zip(measured()[0].items(), measured()[1].values(), strict=True)
        ]
        depth = "1 pair" if pairs == 1 else f"{pairs} pairs"
        return f"{depth}, size of output and of gradient: {'; '.join(said)}."

    return explore(
        draw, pairs=DEPTHS, start={"pairs": 32}, play="pairs", size=(10.0, 4.7), narrow=(3.4, 4.9)
    )


def _titles(narrow: bool) -> tuple[str, str]:
    if narrow:
        return "comes out", "comes back"
    return "size of what comes out", "size of the gradient that comes back"


def _sizes(stream: list[Tensor]) -> tuple[list[float], list[float]]:
    """After each of DEPTHS pairs: the size of the vector, and of its gradient at the start."""
    generator = torch.Generator().manual_seed(0)
    arriving = torch.randn(stream[0].shape, generator=generator)
    out, back = [], []
    for pairs in DEPTHS:
        end = stream[pairs]
        out.append(_size(end))
        if end.requires_grad:
            (gradient,) = torch.autograd.grad(
                end, stream[0], arriving, retain_graph=True, materialize_grads=True
            )
            back.append(_size(gradient))
        else:
            back.append(0.0)
    return out, back


def _size(x: Tensor) -> float:
    return x.detach().double().square().mean().sqrt().item()


def _say(size: float) -> str:
    """A size in few characters."""
    if not math.isfinite(size):
        return "no number"
    if size >= 1000 or 0 < size < 0.01:
        digits, power = f"{size:.0e}".split("e")
        raised = str(int(power)).translate(str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹"))
        return f"{digits} · 10{raised}"
    return f"{size:.3g}" if size else "0"


def _look(way: str) -> tuple[str, str]:
    return BLOCKS[1:] if way == BLOCKS[0] else WAYS[way][2:]


def _lines(axes: Axes, found: Sizes, pairs: int, narrow: bool) -> None:
    """The sizes over the depth, a tick a thousand times the last; the band is what can be used."""
    axes.axhspan(*FITS, color=GREY, alpha=FAINT, linewidth=0)
    for way, sizes in found.items():
        color, line = _look(way)
        whole = [
            min(max(s, LEAST / 30), 30 * MOST) if math.isfinite(s) else math.nan for s in sizes
        ]
        wide = 3.2 if way == BLOCKS[0] else 2
        axes.plot(DEPTHS, whole, line, color=color, linewidth=1, alpha=0.35)
        now = DEPTHS.index(pairs) + 1
        axes.plot(DEPTHS[:now], whole[:now], line, color=color, linewidth=wide, gid=f"line-{way}")
    axes.axvline(pairs, color=GREY, linewidth=1)
    axes.set(yscale="log", ylim=(LEAST, MOST), xlim=(1, 32))
    axes.set_yticks(list(TICKS), list(TICKS.values()))
    axes.minorticks_off()
    axes.set_xticks([1, 16, 30] if narrow else [1, 4, 8, 12, 16, 20, 24, 28, 32])
    axes.tick_params(labelsize=9.5)
    axes.set_xlabel("pairs", fontsize=9.5, labelpad=1)


def _bars(axes: Axes, found: Sizes, pairs: int) -> None:
    """The same sizes as lengths: what the axis above makes look small."""
    for row, (way, sizes) in enumerate(found.items()):
        size, color = sizes[DEPTHS.index(pairs)], _look(way)[0]
        shown = min(size, LONGEST) if math.isfinite(size) else 0.0
        (bar,) = axes.barh([row], [shown], 0.6, color=color, gid=f"bar-{way}")
        says(bar, f"{way}, {pairs} pairs: {_say(size)}")
        if size > LONGEST:
            axes.plot([shown], [row], ">", color=color, markersize=9)
        axes.text(shown + 0.25, row, _say(size), va="center", fontsize=9.5)
    axes.axvline(1, color=INK, linewidth=1, linestyle="--", alpha=0.5, zorder=0)
    axes.set(xlim=(0, 1.75 * LONGEST), ylim=(len(found) - 0.4, -0.6), xticks=[])
    axes.set_yticks(range(len(found)), list(found), fontsize=9.5)
    axes.tick_params(length=0)
    axes.spines[["bottom", "left"]].set_visible(False)
