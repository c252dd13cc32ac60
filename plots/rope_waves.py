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
from plots.style import BLUE, FAINT, INK, ORANGE, number, numbers, shade

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


POSITIONS, DIMENSIONS = 64, 64  # of the table: few enough that each number has its own pixels


def heatmap(sinusoidal_positions: Table) -> Flipbook:
    """Show a table of 64 positions × 64 dimensions, and two columns of it."""

    def draw(fig: Figure, pair: int) -> str:
        table = numbers(sinusoidal_positions(POSITIONS, DIMENSIONS, 10_000.0))
        left = fig.add_axes((0.09, 0.17, 0.39, 0.69))
        right = fig.add_axes((0.67, 0.17, 0.32, 0.69))
        _shaded(left, table, (0, DIMENSIONS, POSITIONS, 0), "table")
        left.set(xlabel="dimension", ylabel="position")
        left.set_xticks(range(0, DIMENSIONS + 1, 16))
        left.set_title(f"{POSITIONS} positions × {DIMENSIONS} dimensions", pad=12)
        left.plot([2 * pair + 1], [-1.5], "v", color=INK, markersize=8, clip_on=False)
        _scale(fig.add_axes((0.4795, 0.17, 0.022, 0.69)))  # without a gap: it stays with the table
        for column, color, line in ((2 * pair, BLUE, "-"), (2 * pair + 1, ORANGE, "--")):
            right.plot(table[:, column], line, color=color, gid=f"column-{column - 2 * pair}")
        right.set(xlabel="position", ylim=(-1.15, 1.15), xlim=(0, POSITIONS - 1))
        right.set_title(f"columns {2 * pair} and {2 * pair + 1}", pad=12)
        wave = 2 * math.pi * 10_000 ** (2 * pair / DIMENSIONS)
        return (
            f"Columns {2 * pair} (blue, solid) and {2 * pair + 1} (orange, dashed): one wave takes "
            f"{wave:,.0f} positions. At position 50 they are {number(table[50, 2 * pair])} and "
            f"{number(table[50, 2 * pair + 1])}. On the left blue is above zero, orange below."
        )

    return explore(draw, pair=[0, 2, 4, 8, 16, 31], start={"pair": 8}, size=(7.2, 3.3), play="pair")


def _shaded(axes: Axes, table: np.ndarray, box: tuple[int, ...], gid: str) -> None:
    """A matrix as it is: "none" keeps a pixel for each number, and nothing is sampled."""
    colours = shade(np.round(32 * table) / 32, limit=1.0)  # 65 steps: finer ones are not seen
    axes.imshow(colours, aspect="auto", interpolation="none", gid=gid, extent=box)


def _scale(axes: Axes) -> None:
    """What the colours mean, from 1 down to −1."""
    _shaded(axes, np.linspace(1, -1, 33)[:, None], (0, 1, -1, 1), "scale")
    axes.set(xticks=[])
    axes.yaxis.tick_right()
    axes.set_yticks([-1, 0, 1], ["−1", "0", "1"])
    axes.tick_params(length=0, labelsize=9, pad=2)


def clocks(rope_frequencies: Callable[..., Tensor], rope_angles: Rotate) -> Flipbook:
    """Show one clock hand for each pair of a head with 16 dimensions."""

    def draw(fig: Figure, position: int, base: int) -> str:
        theta = rope_frequencies(16, float(base))
        turned = numbers(rope_angles(torch.tensor([position]), theta))[0]
        waves = 2 * math.pi / numbers(theta)
        for half in (0, 1):
            axes = fig.add_axes((0.5 * half + 0.005, 0, 0.49, 1))
            axes.set(xlim=(4 * half - 0.5, 4 * half + 3.5), ylim=(-1.05, 0.95), aspect="equal")
            axes.axis("off")
            for i in range(4 * half, 4 * half + 4):
                clock(axes, i, turned[i], f"pair {i}", waves[i])
        come = int((turned >= 2 * math.pi).sum())
        return (
            f"Position {position:,}, base {base:,}: {come} of 8 hands have come round at least "
            f"once. The fastest needs {number(waves[0], 1)} positions for a turn, the slowest "
            f"{waves[-1]:,.0f}."
        )

    return explore(
        draw,
        position=[0, 1, 2, 4, 6, 8, 16, 32, 64, 128, 512, 2048, 8192],
        base=[100, 10_000, 500_000],
        start={"position": 128, "base": 10_000},
        play="position",
        size=(7.2, 1.9),
    )


def clock(axes: Axes, i: int, angle: float, name: str, wave: float) -> None:
    """Draw one dial around (i, 0): its hand, what it has swept, its turns and its period."""
    from matplotlib.patches import Circle, Wedge

    radius, swept = 0.42, math.degrees(min(abs(angle), 2 * math.pi))
    axes.add_patch(Circle((i, 0), radius, fill=False, edgecolor=INK, linewidth=0.8, alpha=0.5))
    ends = (0, swept) if angle > 0 else (-swept, 0)
    axes.add_patch(Wedge((i, 0), radius, *ends, color=BLUE, alpha=FAINT, linewidth=0))
    tip = (i + radius * math.cos(angle), radius * math.sin(angle))
    axes.plot([i, tip[0]], [0, tip[1]], "-", color=BLUE, gid=f"hand-{i}")
    axes.plot([tip[0]], [tip[1]], "o", color=BLUE, markersize=4)
    turns = angle / (2 * math.pi)
    written = (
        f"{turns:,.0f}" if abs(turns) >= 99.5 else number(turns, 2 if abs(turns) < 9.995 else 1)
    )
    for height, text, gid in (
        (0.6, name, None),
        (-0.7, f"{written} turns", f"turns-{i}"),
        (-0.97, f"period {wave:,.0f}" if wave < 9999.5 else f"period {wave / 1000:.3g}k", None),
    ):
        axes.text(i, height, text, ha="center", fontsize=9, gid=gid)
