"""Lab 03: scores of a query with a key at every two places, and at every distance."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch

from plots.flipbook import Flipbook, explore
from plots.measures.rope import Rotate, Table, angles_at, in_model
from plots.page import says
from plots.rope_waves import color_scale
from plots.style import FAINT, GREEN, GREY, INK, is_narrow, number, numbers, shade

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

PLACES, PAIRS, SCORE_BASE = 14, 4, 100.0  # of the score matrix: θ from 1 to 1/32 radian
LIMIT = 9.0  # the score that has the fullest colour
LEVEL = 0.01  # a diagonal whose scores differ by less is one number
FAR, HEAD_DIM, RANDOM = 256, 128, 12  # distances, dimensions, and random pairs of vectors


def scores(apply_rope: Rotate, sinusoidal_positions: Table) -> Flipbook:
    """Put one query and one key at every two places: all their scores, rotated and added."""
    q = torch.tensor([1.1, 0.4, -0.9, 1.0, 0.2, -1.1, 0.6, 0.5])
    k = torch.tensor([0.9, -0.2, -0.4, 1.3, 0.7, -0.8, 0.1, 0.6])
    places = torch.arange(PLACES)

    def matrices() -> dict[str, np.ndarray]:
        angles = angles_at(places, PAIRS, SCORE_BASE)
        table = sinusoidal_positions(PLACES, 2 * PAIRS, SCORE_BASE)
        rotated = [in_model(apply_rope, v.expand(PLACES, -1), angles) for v in (q, k)]
        added = [v + table for v in (q, k)]
        return {
            "rotated": numbers(rotated[0] @ rotated[1].T),
            "added": numbers(added[0] @ added[1].T),
        }

    def draw(fig: Figure, distance: int) -> str:
        narrow, told = is_narrow(fig), []
        line = fig.add_axes((0.13, 0.12, 0.84, 0.29) if narrow else (0.75, 0.15, 0.24, 0.73))
        for place, (name, matrix) in enumerate(matrices().items()):
            wide = (0.055 + 0.305 * place, 0.15, 0.285, 0.73)
            axes = fig.add_axes((0.15 + 0.43 * place, 0.54, 0.41, 0.4) if narrow else wide)
            _matrix(axes, matrix, name)
            if place and narrow:
                axes.set_yticks([])
            axes.set(title=name, xlabel="position of k", ylabel="" if place else "position of q")
            along = np.diagonal(matrix, -distance)  # q stands `distance` places after k
            rows = np.arange(len(along)) + max(distance, 0)
            _outline(axes, rows, rows - distance)
            shape, mark = ("-", "o") if name == "rotated" else (":", "s")
            look = {"marker": mark, "markersize": 5, "color": INK, "label": name}
            line.plot(rows, along, shape, gid=f"along-{name}", **look)
            spread = float(np.ptp(along))
            told.append("is one number" if spread < LEVEL else f"wanders by {number(spread)}")
        if not narrow:
            color_scale(fig.add_axes((0.652, 0.15, 0.013, 0.73)), LIMIT)
        line.set(xlim=(-0.5, PLACES - 0.5), ylim=(-0.65 * LIMIT, 1.35 * LIMIT))
        line.set(xlabel="position of q", yticks=[0, 3, 6, 9, 12], xticks=range(0, PLACES, 6))
        line.axhline(0, color=GREY, linewidth=0.8)
        line.set_title("along the diagonal")
        line.legend(loc="lower left", fontsize=9, ncols=2, borderaxespad=0.1)
        steps = f"{abs(distance)} place{'s' if abs(distance) > 1 else ''}"
        where = f"{steps} {'after' if distance > 0 else 'before'} k" if distance else "where k does"
        return (
            f"Outlined: q stands {where}. Along that diagonal the score {told[0]} where both are "
            f"rotated, and {told[1]} where positions are added. Blue is above zero, orange below; "
            f"the fullest colour is {LIMIT:g}."
        )

    return explore(
        draw,
        distance=range(-6, 7),
        start={"distance": 1},
        play="distance",
        size=(9.8, 3.6),
        narrow=(3.25, 4.1),
    )


def _matrix(axes: Axes, matrix: np.ndarray, name: str) -> None:
    """A row for each place of q, a column for each place of k."""
    image = axes.imshow(shade(matrix, LIMIT), interpolation="none", gid=f"scores-{name}")
    told = [
        [f"{name}, q at {m}, k at {n}: {number(value)}" for n, value in enumerate(row)]
        for m, row in enumerate(matrix)
    ]
    says(image, told)
    axes.set_xticks(range(0, PLACES, 6))
    axes.set_yticks(range(0, PLACES, 6))
    axes.tick_params(length=0, labelsize=9)
    axes.spines[:].set_visible(False)


def _outline(axes: Axes, rows: np.ndarray, columns: np.ndarray) -> None:
    """Frame one cell in each of these rows."""
    from matplotlib.collections import PolyCollection

    corners = np.array([(-0.46, -0.46), (0.46, -0.46), (0.46, 0.46), (-0.46, 0.46)])
    cells = [corners + middle for middle in np.stack((columns, rows), axis=-1)]
    look = {"facecolors": "none", "edgecolors": INK, "linewidths": 1.4}
    axes.add_collection(PolyCollection(cells, gid="diagonal", **look))


def decay(apply_rope: Rotate) -> Flipbook:
    """Show q·k against the distance of q and k, for equal vectors beside random ones."""
    drawn = torch.randn(2, RANDOM, 1, HEAD_DIM, generator=torch.Generator().manual_seed(1))
    kinds = {"q and k equal": (torch.ones(1, 1, HEAD_DIM),) * 2, "q and k random": tuple(drawn)}

    def draw(fig: Figure, base: int) -> str:
        angles, said = angles_at(torch.arange(FAR + 1), HEAD_DIM // 2, float(base)), []
        narrow = is_narrow(fig)
        for place, (name, (q, k)) in enumerate(kinds.items()):
            there = apply_rope(k.expand(-1, FAR + 1, -1).clone(), angles)
            score = numbers((there * apply_rope(q.clone(), angles[:1])).sum(-1) / HEAD_DIM)
            axes = fig.add_subplot(2, 1, place + 1) if narrow else fig.add_subplot(1, 2, place + 1)
            several, mean = len(score) > 1, score.mean(0)
            color, width = (GREY, 0.8) if several else (INK, 1.4)
            for row in score:
                axes.plot(row, "-", color=color, linewidth=width, gid=f"scores-{place}")
            if several:
                axes.plot(mean, "-", color=GREEN, gid="mean", label=f"mean of {RANDOM} pairs")
                axes.legend(loc="upper right", fontsize=9)
            for distance in range(0, FAR + 1, 32):
                (spot,) = axes.plot([distance], [mean[distance]], "o", color=color, markersize=3)
                says(spot, f"{name}, distance {distance}: {number(mean[distance])}")
            axes.axhline(0, color=INK, linewidth=0.8, alpha=2 * FAINT)
            axes.set(ylim=(-0.45, 1.05), xlim=(0, FAR), title=name, yticks=[0, 0.5, 1])
            axes.set(ylabel="" if place and not narrow else "q·k / d")
            axes.set_xlabel("" if narrow and not place else "distance of k from q")
            said.append([score[:, 0].mean(), score[:, 16].mean(), score[:, FAR // 2 :].mean()])
        left, low, high, gap = (0.17, 0.12, 0.94, 0.3) if narrow else (0.065, 0.18, 0.9, 0.1)
        fig.subplots_adjust(left, low, 0.98, high, wspace=0.12, hspace=gap)
        (first, near, far), (_, _, noise) = said
        return (
            f"Base {base:,}. Equal vectors: q·k/d is {number(first)} at distance 0, {number(near)} "
            f"at 16, and on average {number(far)} from {FAR // 2} to {FAR}. Random ones: "
            f"{number(noise)} there, on average."
        )

    return explore(
        draw,
        base=[100, 10_000, 500_000],
        start={"base": 10_000},
        play="base",
        size=(9.8, 3.4),
        narrow=(3.25, 4.0),
    )
