"""Lab 00: the map of the model, in which each block names its lab; and what a mean square is."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from plots import style
from plots.flipbook import Flipbook, explore
from plots.page import says
from plots.start_here_map import BOXES, model_map
from plots.style import BLUE, FAINT, GREEN, GREY, INK, ORANGE, number, numbers

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["BOXES", "bars", "model_map"]

# Three vectors with a mean of 3, 0 and 1.5, of which people expect three sizes.
VECTORS = torch.tensor([[3.0, 3.0, 3.0, 3.0], [3.0, -3.0, 3.0, -3.0], [6.0, 0.0, 0.0, 0.0]])
NAMES = "abc"
COLORS = (BLUE, ORANGE, GREEN)
TIMES = [0.5, 0.75, 1.0]


def bars(mean_square: Callable[[Tensor], Tensor]) -> Flipbook:
    """Draw the squares of three vectors, and as a line the level that the learner's mean gives."""

    def draw(fig: Figure, times: float) -> str:
        x = times * VECTORS
        levels = numbers(mean_square(x))
        squares = numbers(x) ** 2
        rows = len(VECTORS) if style.is_narrow(fig) else 1
        fig.subplots_adjust(left=0.02, right=0.99, wspace=0.12, hspace=0.75)
        fig.subplots_adjust(bottom=0.07 if rows > 1 else 0.12, top=0.93 if rows > 1 else 0.88)
        whole = levels.shape == (len(VECTORS),)
        for place, color in enumerate(COLORS):
            axes = fig.add_subplot(rows, len(VECTORS) // rows, place + 1)
            level = float(levels[place]) if whole else None
            _squares(axes, squares[place], level, color, gid=NAMES[place])
            axes.set_xticks(range(4), [number(value, 1) for value in numbers(x)[place]])
            shown = "?" if level is None else number(level)
            axes.set_title(f"{NAMES[place]}: {shown}")
        if not whole:
            return (
                f"Three vectors went in, and something of shape {levels.shape} came out. Wanted is "
                "one number for each vector."
            )
        above = (squares - levels[:, None]).clip(0).sum()
        below = (levels[:, None] - squares).clip(0).sum()
        said = ", ".join(f"{n} {number(v)}" for n, v in zip(NAMES, levels, strict=True))
        fits = abs((squares - levels[:, None]).sum(1)).max() < 1e-3
        verdict = "a mean levels out" if fits else "no mean of them lies there"
        return (
            f"The bars are the squares of the numbers below them, the thick lines your results: "
            f"{said}. Bars rise above the lines by {number(above)} in all, and below "
            f"{number(below)} are missing (hatched): {verdict}."
        )

    return explore(
        draw,
        times=TIMES,
        start={"times": 1.0},
        labels={"times": "x times"},
        size=(10.0, 3.2),
        narrow=(3.4, 4.8),
    )


def _squares(axes: Axes, squares, level: float | None, color: str, gid: str) -> None:
    """The squares as bars; hatched is what has to be filled up to the level."""
    from matplotlib.colors import to_rgba

    for place, square in enumerate(squares):
        axes.bar([place], [square], width=0.94, color=[to_rgba(color, FAINT)], edgecolor=color)
        axes.patches[-1].set(linewidth=1.2, gid=f"{gid}-{place}")
        says(axes.patches[-1], f"{gid}: the square is {number(square)}")
        if level is not None and level > square:
            gap = axes.bar([place], [level - square], 0.94, square, color="none", edgecolor=GREY)
            gap[0].set(hatch="///", linewidth=0)
    if level is not None:
        axes.axhline(level, color=INK, linewidth=2, gid=f"{gid}-level")
    axes.axhline(0, color=INK, linewidth=0.8)
    axes.set(ylim=(0, 40), yticks=[], xlim=(-0.6, 3.6))
    axes.tick_params(length=0)
    axes.spines[["left", "bottom"]].set_visible(False)
