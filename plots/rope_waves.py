"""Lab 03: waves of many lengths, as the columns of a table and as the hands of clocks."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from plots.flipbook import Flipbook, explore
from plots.measures.rope import Rotate, Table
from plots.page import says
from plots.style import BLUE, FAINT, INK, ORANGE, is_narrow, number, numbers, shade

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


POSITIONS, DIMENSIONS = 64, 32  # of the table: few enough that each number has its own pixels
BASE = 10_000.0  # of the first transformer
STEPS = range(9)  # positions that play goes through one by one
FAR = (128, 1024, 8192)  # and where the slow hands move
DIALS = 8


def heatmap(sinusoidal_positions: Table) -> Flipbook:
    """Show a table of 64 positions × 32 dimensions, and two columns of it beside it."""

    def draw(fig: Figure, pair: int) -> str:
        table = numbers(sinusoidal_positions(POSITIONS, DIMENSIONS, BASE))
        narrow = is_narrow(fig)
        low, high = (0.13, 0.72) if narrow else (0.13, 0.77)
        left = fig.add_axes((0.19, low, 0.34, high) if narrow else (0.07, low, 0.45, high))
        bar = fig.add_axes((0.54, low, 0.03, high) if narrow else (0.5275, low, 0.012, high))
        right = fig.add_axes((0.67, low, 0.31, high) if narrow else (0.62, low, 0.36, high))
        _shaded(left, table, (0, DIMENSIONS, POSITIONS, 0), "table")
        left.set(xlabel="dimension", ylabel="position", yticks=range(0, POSITIONS + 1, 16))
        left.set_xticks(range(0, DIMENSIONS + 1, 16 if narrow else 8))
        left.set_title(
            "the table" if narrow else f"{POSITIONS} positions × {DIMENSIONS} dimensions"
        )
        left.axvspan(2 * pair, 2 * pair + 2, fill=False, edgecolor=INK, linewidth=2, gid="pair")
        color_scale(bar, 1)
        columns = range(2 * pair, 2 * pair + 2)
        rows = np.arange(POSITIONS) + 0.5  # the middle of each row of the table
        for column, color, line in zip(columns, (BLUE, ORANGE), ("-", "--"), strict=True):
            right.plot(table[:, column], rows, line, color=color, gid=f"column-{column % 2}")
        for m in range(0, POSITIONS, 4):
            for column, color in zip(columns, (BLUE, ORANGE), strict=True):
                (dot,) = right.plot([table[m, column]], [rows[m]], "o", color=color, markersize=4)
                says(dot, f"position {m}, dimension {column}: {number(table[m, column])}")
        right.set(xlim=(-1.1, 1.1), ylim=(POSITIONS, 0), xlabel="value", xticks=[-1, 0, 1])
        right.set_xticklabels(["−1", "0", "1"])
        right.set_yticks(range(0, POSITIONS + 1, 16), [])
        right.set_title(
            f"{columns[0]} and {columns[1]}"
            if narrow
            else f"dimensions {columns[0]} and {columns[1]}"
        )
        wave = 2 * math.pi * BASE ** (2 * pair / DIMENSIONS)
        alike = np.abs(np.diff(table[:, columns], axis=0)).max()
        return (
            f"Dimensions {columns[0]} (blue, solid) and {columns[1]} (orange, dashed), outlined in "
            f"the table: one wave takes {_positions(wave)} positions. From one position to the "
            f"next they change by up to {alike:.2g}."
        )

    return explore(
        draw,
        pair=range(DIMENSIONS // 2),
        start={"pair": 4},
        play="pair",
        size=(9.8, 4.6),
        narrow=(3.25, 3.6),
    )


def _positions(wave: float) -> str:
    return number(wave, 1) if wave < 9.95 else f"{wave:,.0f}"


def _shaded(axes: Axes, table: np.ndarray, box: tuple[int, ...], gid: str) -> None:
    """A matrix as it is: "none" keeps a pixel for each number, and nothing is sampled."""
    colours = shade(np.round(32 * table) / 32, limit=1.0)  # 65 steps: finer ones are not seen
    axes.imshow(colours, aspect="auto", interpolation="none", gid=gid, extent=box)


def color_scale(axes: Axes, limit: float) -> None:
    """What the colours mean, from `limit` down to its negative."""
    _shaded(axes, np.linspace(1, -1, 33)[:, None], (0, 1, -1, 1), "scale")
    axes.set(xticks=[])
    axes.yaxis.tick_right()
    axes.set_yticks([-1, 0, 1], [f"−{limit:g}", "0", f"{limit:g}"])
    axes.tick_params(length=0, labelsize=9, pad=2)


def clocks(rope_frequencies: Callable[..., Tensor], rope_angles: Rotate) -> Flipbook:
    """Show one clock hand for each pair of a head with 16 dimensions, step by step."""

    def draw(fig: Figure, position: int, base: int) -> str:
        theta = rope_frequencies(2 * DIALS, float(base))
        seen = torch.arange(min(position, STEPS[-1]) + 1)
        trail = numbers(rope_angles(seen, theta))  # (positions, dials)
        turned = numbers(rope_angles(torch.tensor([position]), theta))[0]
        waves = 2 * math.pi / numbers(theta)
        across = 4 if is_narrow(fig) else DIALS
        axes = fig.add_axes((0, 0, 1, 1))
        down = 1.8 if across < DIALS else 1.55  # from one row of dials to the next
        axes.set(xlim=(-0.53, across - 0.47), aspect="equal")
        axes.set_ylim(0.7 - down * DIALS / across, 0.7)
        axes.axis("off")
        for i in range(DIALS):
            centre = (i % across, -down * (i // across))
            clock(axes, i, centre, turned[i], trail[:, i], waves[i])
        come = int((turned >= 2 * math.pi).sum())
        return (
            f"Position {position:,}, base {base:,}: {come} of 8 hands have come round at least "
            f"once. The fastest needs {number(waves[0], 1)} positions for a turn, the slowest "
            f"{waves[-1]:,.0f}. Dots: where the hand stood at positions 0 to {len(seen) - 1}."
        )

    return explore(
        draw,
        position=[*STEPS, *FAR],
        base=[10_000, 500_000],
        start={"position": 7, "base": 10_000},
        play="position",
        size=(9.8, 2.0),
        narrow=(3.25, 2.9),
    )


def clock(
    axes: Axes,
    i: int,
    centre: tuple[float, float],
    angle: float,
    trail: np.ndarray,
    wave: float,
) -> None:
    """Draw one dial: its hand, what it has swept, where it has stood, its turns and its period."""
    from matplotlib.patches import Circle, Wedge

    radius, swept = 0.42, math.degrees(min(abs(angle), 2 * math.pi))
    ends = (0, swept) if angle > 0 else (-swept, 0)
    axes.add_patch(Wedge(centre, radius, *ends, color=BLUE, alpha=FAINT, linewidth=0))
    dial = Circle(centre, radius, fill=False, edgecolor=INK, linewidth=0.8, alpha=0.5)
    axes.add_patch(dial)
    x, y = centre
    stood = (x + radius * np.cos(trail), y + radius * np.sin(trail))
    axes.plot(*stood, "o", color=BLUE, markersize=3, mew=0, alpha=0.7, gid=f"trail-{i}")
    tip = (x + radius * math.cos(angle), y + radius * math.sin(angle))
    axes.plot([x, tip[0]], [y, tip[1]], "-", color=BLUE, gid=f"hand-{i}")
    axes.plot([tip[0]], [tip[1]], "o", color=BLUE, markersize=7)
    turns = angle / (2 * math.pi)
    written = (
        f"{turns:,.0f}" if abs(turns) >= 99.5 else number(turns, 2 if abs(turns) < 9.995 else 1)
    )
    period = f"1 in {_positions(wave)}" if wave < 9999.5 else f"1 in {wave / 1000:.3g}k"
    says(dial, f"pair {i}: {written} turns; a turn takes {_positions(wave)} positions")
    for height, points, text, gid in (
        (radius, 6, f"pair {i}", None),
        (-radius, -15, f"{written} turns", f"turns-{i}"),
        (-radius, -29, period, None),
    ):
        look = {"textcoords": "offset points", "ha": "center", "fontsize": 9, "gid": gid}
        axes.annotate(text, (x, y + height), (0, points), **look)
