"""Lab 00: the map of the model, in which each block names its lab; and what a mean square is."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from plots.flipbook import Flipbook, explore
from plots.measures.start_here import PARAMETERS, STOPS, TOTAL, caption, percent
from plots.style import (
    BLUE,
    FAINT,
    GREEN,
    GREY,
    INK,
    KEY,
    ORANGE,
    PINK,
    QUERY,
    VALUE,
    number,
    numbers,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["bars", "model_map"]

# name → panel, left, top, width, height in inches; label; lab; colour of the outline
BOXES = {
    "tokens": ("model", 0.25, 0.72, 2.05, 0.4, "text → tokens", "01", GREY),
    "embedding": ("model", 0.25, 1.34, 2.05, 0.4, "tokens → vectors", "01", GREY),
    "blocks": ("model", 0.25, 1.96, 2.05, 0.62, "decoder block\n× 32", "08", GREY),
    "last norm": ("model", 0.25, 2.92, 2.05, 0.4, "RMSNorm", "02", GREY),
    "output": ("model", 0.25, 3.54, 2.05, 0.4, "output projection", "08", GREY),
    "sample": ("model", 0.25, 4.16, 2.05, 0.4, "choose a token", "10", GREY),
    "first norm": ("block", 0.75, 0.72, 3.3, 0.36, "RMSNorm", "02", GREY),
    "q": ("block", 0.75, 1.3, 1.3, 0.36, "32 q", "04", QUERY),
    "k": ("block", 2.15, 1.3, 0.9, 0.36, "8 k", "06", KEY),
    "v": ("block", 3.15, 1.3, 0.9, 0.36, "8 v", "06", VALUE),
    "rope": ("block", 0.75, 1.86, 2.3, 0.36, "RoPE", "03", GREY),
    "cache": ("block", 2.15, 2.42, 1.9, 0.36, "KV cache", "05", GREY),
    "attention": ("block", 0.75, 2.98, 3.3, 0.36, "attention", "04", GREY),
    "second norm": ("block", 0.75, 3.86, 3.3, 0.36, "RMSNorm", "02", GREY),
    "swiglu": ("block", 0.75, 4.42, 3.3, 0.36, "SwiGLU", "07", GREY),
}
SUMS = {"sum 1": (2.4, 3.6), "sum 2": (2.4, 5.04)}  # the residual sums: middle, in inches
SIZE = (7.2, 5.5)  # inches
PANELS = {"model": (0.0, 2.75), "block": (2.9, 4.3)}  # left edge and width, in inches


def model_map() -> Flipbook:
    """Draw Llama 3 as one picture; the slider walks through it lab by lab."""

    def draw(fig: Figure, lab: int) -> str:
        lit, counted, _ = STOPS[lab]
        panels = {}
        for name, (left, width) in PANELS.items():
            axes = fig.add_axes((left / SIZE[0], 0, width / SIZE[0], 1))
            axes.set(xlim=(0, width), ylim=(SIZE[1], 0))
            axes.set_axis_off()
            panels[name] = axes
        _lines(panels["model"], panels["block"], lit)
        for name, (panel, *box) in BOXES.items():
            _box(panels[panel], name, box, name in lit)
        for name, middle in SUMS.items():
            _sum(panels["block"], name, middle, name in lit)
        _shares(panels["model"], counted)
        return caption(lab)

    return explore(draw, lab=range(len(STOPS)), start={"lab": 0}, play="lab", size=SIZE)


def _box(axes: Axes, name: str, box: list, lit: bool) -> None:
    """A block with its label and, in a small frame, the number of its lab."""
    from matplotlib.colors import to_rgba
    from matplotlib.patches import FancyBboxPatch

    left, top, width, height, label, lab, color = box
    style = "round,pad=0,rounding_size=0.06"
    if name == "blocks":  # there are more of them behind
        for back in (0.12, 0.06):
            right, bottom = left + width + back, top + height + back
            x, y = (left + back, right, right), (bottom, bottom, top + back)
            axes.plot(x, y, "-", color=PINK if lit else GREY, linewidth=0.9)
    patch = FancyBboxPatch((left, top), width, height, boxstyle=style, gid=f"box-{name}")
    patch.set(facecolor=to_rgba(PINK, 0.4) if lit else "none")
    patch.set(edgecolor=PINK if lit and color == GREY else color, linewidth=2.4 if lit else 1.2)
    axes.add_patch(patch)
    weight = "bold" if lit else "normal"
    middle = top + height / 2
    axes.text(left + 0.1, middle, label, va="center", fontsize=10.5, fontweight=weight)
    _badge(axes, left + width - 0.12, middle, lab)


def _badge(axes: Axes, x: float, y: float, lab: str) -> None:
    """The number of a lab, in a small frame that ends at x."""
    frame = {"boxstyle": "round,pad=0.18", "facecolor": "none", "edgecolor": GREY, "linewidth": 0.7}
    axes.text(x, y, lab, ha="right", va="center", fontsize=8.5, bbox=frame)


def _sum(axes: Axes, name: str, middle: tuple[float, float], lit: bool) -> None:
    """A residual sum: a circle with a plus."""
    color = PINK if lit else GREY
    axes.plot(*middle, "o", markersize=13, color="none", markeredgecolor=color, gid=f"box-{name}")
    axes.lines[-1].set_markeredgewidth(2.4 if lit else 1.2)
    axes.plot(*middle, "+", markersize=8, color=color, markeredgewidth=1.6)
    _badge(axes, middle[0] + 0.42, middle[1], "08")


def _lines(model: Axes, block: Axes, lit: tuple[str, ...]) -> None:
    """What flows where: down through the boxes, around them, and back to the beginning."""

    def line(axes: Axes, *points: tuple[float, float], head: str = "v", **look: object) -> None:
        look = {"color": INK, "linewidth": 1, "alpha": 0.7} | look
        x, y = zip(*points, strict=True)
        axes.plot(x, y, "-", **look)
        if head:
            look = {"color": look["color"], "alpha": look["alpha"], "gid": None}
            axes.plot(x[-1:], y[-1:], head, markersize=5, markeredgewidth=0, **look)

    title = {"ha": "center", "fontsize": 11, "fontweight": "bold", "va": "center"}
    model.text(1.28, 0.16, "the whole model", **title)
    block.text(2.4, 0.16, "inside of each block", **title)
    model.text(1.28, 0.45, "dog bites …", ha="center", va="center", fontsize=10.5, style="italic")
    for top, bottom in ((0.56, 0.68), (1.12, 1.3), (1.74, 1.92), (2.7, 2.88), (3.32, 3.5)):
        line(model, (1.28, top), (1.28, bottom))
    line(model, (1.28, 3.94), (1.28, 4.12))
    again = {"color": PINK, "linewidth": 2.4, "alpha": 1.0} if "loop" in lit else {}
    points = ((2.3, 4.36), (2.55, 4.36), (2.55, 0.45), (1.85, 0.45))
    line(model, *points, head="<", gid="loop", **again)
    model.text(2.64, 2.4, "man", rotation=-90, va="center", fontsize=10, style="italic")

    line(block, (2.4, 0.34), (2.4, 0.68))
    for x in (1.4, 2.6, 3.6):
        line(block, (x, 1.08), (x, 1.26))
    line(block, (1.4, 1.66), (1.4, 1.82), color=QUERY)
    line(block, (2.6, 1.66), (2.6, 1.82), color=KEY)
    line(block, (3.6, 1.66), (3.6, 2.38), color=VALUE)
    line(block, (1.4, 2.22), (1.4, 2.94), color=QUERY)
    line(block, (2.6, 2.22), (2.6, 2.38), color=KEY)
    line(block, (2.6, 2.78), (2.6, 2.94), color=KEY)
    line(block, (3.6, 2.78), (3.6, 2.94), color=VALUE)
    line(block, (2.4, 3.34), (2.4, 3.48), head="")
    line(block, (2.4, 3.72), (2.4, 3.82))
    line(block, (2.4, 4.22), (2.4, 4.38))
    line(block, (2.4, 4.78), (2.4, 4.92), head="")
    line(block, (2.4, 5.16), (2.4, 5.36))
    for top, (x, y) in zip((0.5, 3.77), SUMS.values(), strict=True):
        around = ((x, top), (0.4, top), (0.4, y), (x - 0.14, y))
        line(block, *around, head=">")


def _shares(axes: Axes, counted: tuple[str, ...]) -> None:
    """All parameters as one bar; those that are spoken of are filled."""
    from matplotlib.colors import to_rgba

    left, width = 0.25, 2.4
    axes.text(left, 4.82, f"{TOTAL:,} parameters", fontsize=9, va="center")
    for part, count in PARAMETERS.items():
        share = count / TOTAL
        fill = to_rgba(PINK, 0.55) if part in counted else "none"
        axes.barh([5.04], [width * share], left=left, height=0.22, color=[fill], edgecolor=GREY)
        axes.patches[-1].set(linewidth=1, gid=f"share-{part}")
        if share > 0.5:
            label = f"{part} {percent(count)}"
            axes.text(left + width * share / 2, 5.04, label, ha="center", va="center", fontsize=8.5)
        left += width * share


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
        fig.subplots_adjust(left=0.02, right=0.99, bottom=0.2, top=0.86, wspace=0.12)
        whole = levels.shape == (len(VECTORS),)
        for place, color in enumerate(COLORS):
            axes = fig.add_subplot(1, len(VECTORS), place + 1)
            level = float(levels[place]) if whole else None
            _squares(axes, squares[place], level, color, gid=NAMES[place])
            axes.set_xticks(range(4), [number(value, 1) for value in numbers(x)[place]])
            shown = "?" if level is None else number(level)
            axes.set_title(f"{NAMES[place]}: {shown}", color=color)
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

    return explore(draw, times=TIMES, start={"times": 1.0}, labels={"times": "x times"})


def _squares(axes: Axes, squares, level: float | None, color: str, gid: str) -> None:
    """The squares as bars; hatched is what has to be filled up to the level."""
    from matplotlib.colors import to_rgba

    for place, square in enumerate(squares):
        axes.bar([place], [square], width=0.94, color=[to_rgba(color, FAINT)], edgecolor=color)
        axes.patches[-1].set(linewidth=1.2, gid=f"{gid}-{place}")
        if level is not None and level > square:
            gap = axes.bar([place], [level - square], 0.94, square, color="none", edgecolor=GREY)
            gap[0].set(hatch="///", linewidth=0)
    if level is not None:
        axes.axhline(level, color=INK, linewidth=2, gid=f"{gid}-level")
    axes.axhline(0, color=INK, linewidth=0.8)
    axes.set(ylim=(0, 40), yticks=[], xlim=(-0.6, 3.6))
    axes.tick_params(length=0)
    axes.spines[["left", "bottom"]].set_visible(False)
