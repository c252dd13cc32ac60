"""Lab 03: how a rotation moves the pairs of a vector, and what stands still when words move."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from plots.cells import EMPTY, NEW, REUSED, cells
from plots.flipbook import Flipbook, explore
from plots.measures.rope import Rotate, Table, angles_at, decay, drift, timing
from plots.style import (
    BLUE,
    FAINT,
    GREY,
    INK,
    KEY,
    ORANGE,
    QUERY,
    arrow,
    number,
    numbers,
    plane,
    shade,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["clocks", "decay", "drift", "heatmap", "pairing", "rotation", "shift", "timing"]

SENTENCE = ("the", "dog", "bites", "the", "man", "who", "bites", "back")
WORDS = {  # three pairs each
    "the": [0.55, 0.40, 0.70, -0.20, 0.50, 0.50],
    "dog": [1.15, 0.20, 0.30, 1.00, -0.90, 0.40],
    "bites": [0.25, 1.10, -0.80, 0.70, 1.10, 0.10],
    "man": [-0.95, 0.65, 1.10, 0.35, 0.20, -1.00],
    "who": [-0.45, -0.75, -0.60, -0.60, -0.70, -0.50],
    "back": [0.70, -0.90, 0.15, -1.05, 0.60, 0.90],
}
TOY_BASE = 100.0  # with three pairs: 1, 0.22 and 0.05 radians per position, so that all three move
SAME = 0.01  # lengths and scores that differ by less look the same in the picture


def heatmap(sinusoidal_positions: Table) -> Flipbook:
    """Show the classic table of 100 positions × 512 dimensions, and two columns of it."""

    def draw(fig: Figure, pair: int) -> str:
        table = numbers(sinusoidal_positions(100, 512, 10_000.0))
        left, right = fig.subplots(1, 2, width_ratios=(1.5, 1))
        fig.subplots_adjust(left=0.09, right=0.98, bottom=0.19, top=0.87, wspace=0.2)
        steps = shade(np.round(4 * table) / 4, limit=1.0)  # few colours make a small image
        box = (0, 512, 100, 0)
        left.imshow(steps, aspect="auto", interpolation="none", gid="table", extent=box)
        left.set(xlabel="dimension", ylabel="position")
        left.set_title("100 positions × 512 dimensions", pad=12)
        left.plot([2 * pair + 1], [-2], "v", color=INK, markersize=8, clip_on=False)
        for column, color, line in ((2 * pair, BLUE, "-"), (2 * pair + 1, ORANGE, "--")):
            right.plot(table[:, column], line, color=color, gid=f"column-{column - 2 * pair}")
        right.set(xlabel="position", ylim=(-1.15, 1.15), xlim=(0, 99))
        right.set_title(f"columns {2 * pair} and {2 * pair + 1}", pad=12)
        wave = 2 * math.pi * 10_000 ** (2 * pair / 512)
        return (
            f"Columns {2 * pair} (blue, solid) and {2 * pair + 1} (orange, dashed): one wave takes "
            f"{wave:,.0f} positions. At position 50 they are {number(table[50, 2 * pair])} and "
            f"{number(table[50, 2 * pair + 1])}. On the left blue is above zero, orange below."
        )

    return explore(draw, pair=[0, 16, 32, 64, 128, 255], start={"pair": 64})


def rotation(apply_rope: Rotate) -> Flipbook:
    """Show a sentence's words, the rotation at each position, and the rotated words."""
    words = torch.tensor([WORDS[word] for word in SENTENCE])  # (8, 6)
    angles = angles_at(torch.arange(len(SENTENCE)), 3, TOY_BASE)

    def draw(fig: Figure, position: int, pair: int) -> str:
        here, word = slice(2 * pair, 2 * pair + 2), SENTENCE[position]
        east = torch.zeros_like(words)
        east[:, 2 * pair] = 1
        before = numbers(words)[:, here]
        hands = numbers(apply_rope(east, angles))[:, here]
        after = numbers(apply_rope(words, angles))[:, here]
        length = float(np.hypot(*before[position]))
        panels = []
        for title, circle in (("words", length), ("rotations", 1.0), ("rotated words", length)):
            panels.append(fig.add_subplot(1, 3, len(panels) + 1))
            plane(panels[-1], 1.5, circle=circle)
            panels[-1].set_title(title)
        fig.subplots_adjust(left=0.01, right=0.99, bottom=0.02, top=0.88, wspace=0.06)
        left, middle, right = panels
        for m, other in enumerate(SENTENCE):
            if m != position:
                if other != word and m == SENTENCE.index(other):
                    faint(left, before[m], label=other)
                faint(middle, hands[m], INK)
                faint(right, after[m], label=f"{m}" if other == word else "", strong=other == word)
        for axes, tip, color, label, gid in (
            (left, before, BLUE, word, "before"),
            (middle, hands, INK, f"{position}", "hand"),
            (right, after, BLUE, f"{word} {position}", "after"),
        ):
            arrow(axes, tip[position], color, label, gid=gid)
        arrow(right, before[position], GREY, linestyle=":", alpha=0.7)
        what = said(word, before[position], after[position], float(angles[position, pair]))
        return f"Position {position}, pair {pair}: {what}"

    return explore(
        draw,
        position=range(len(SENTENCE)),
        pair=range(3),
        start={"position": 3, "pair": 0},
        play="position",
        size=(7.2, 2.7),
    )


def faint(
    axes: Axes, tip: np.ndarray, color: str = BLUE, label: str = "", strong: bool = False
) -> None:
    """Draw another word's vector, thin and pale, with a small name."""
    line, end = (0.8, 0.8) if strong else (FAINT, 2 * FAINT)
    axes.plot([0, tip[0]], [0, tip[1]], "-", color=color, linewidth=1, alpha=line)
    axes.plot([tip[0]], [tip[1]], ".", color=color, markersize=5, alpha=end)
    x, y = 9 * tip / max(float(np.hypot(*tip)), 1e-6)
    box = {"ha": "center", "va": "center", "fontsize": 8.5, "alpha": 0.8}
    axes.annotate(label, tip, (1.4 * x, y), textcoords="offset points", **box)


def said(word: str, before: np.ndarray, after: np.ndarray, asked: float) -> str:
    """Read one rotation: what was asked for and what came out."""
    turned = math.degrees(math.atan2(after[1], after[0]) - math.atan2(before[1], before[0])) % 360
    wanted = math.degrees(asked) % 360
    lengths = np.hypot(*before), np.hypot(*after)
    path = " to ".join(f"({number(x)}, {number(y)})" for x, y in (before, after))
    if abs((turned - wanted + 180) % 360 - 180) < 1 and abs(lengths[0] - lengths[1]) < SAME:
        return (
            f"“{word}” turns by {number(asked)} radians, {round(wanted)}°, from {path}. Its length "
            f"stays {number(lengths[0])}."
        )
    return (
        f"“{word}” should turn by {round(wanted)}° and keep its length {number(lengths[0])}. It "
        f"turns by {round(turned)}°, from {path}, and its length is {number(lengths[1])}."
    )


def shift(apply_rope: Rotate, sinusoidal_positions: Table) -> Flipbook:
    """Drag two words along the sequence: what does their dot product do, rotated or added to?"""
    q, k = torch.tensor([[1.0, 0.5]]), torch.tensor([[0.8, 0.15]])
    theta, last = 0.4, 15  # radians per position; the last position of q

    def moved(distance: int) -> dict[str, tuple[np.ndarray, np.ndarray]]:
        positions = torch.arange(last + 1)
        table = sinusoidal_positions(last + 1 + distance, 4, theta**-2)[:, 2:]  # frequency theta
        places = ((q, positions), (k, positions + distance))
        rotated = [apply_rope(v.expand(last + 1, 2), theta * m[:, None]) for v, m in places]
        added = [v + table[m] for v, m in places]
        return {"rotated": tuple(map(numbers, rotated)), "added": tuple(map(numbers, added))}

    def draw(fig: Figure, position: int, distance: int) -> str:
        ways = moved(distance)
        scores = {name: (a * b).sum(-1) for name, (a, b) in ways.items()}
        for place, (name, both) in enumerate(ways.items()):
            axes = fig.add_axes((0.01 + 0.33 * place, 0.03, 0.31, 0.84))
            plane(axes, 2.15)
            axes.set_title(name)
            for v, label, color, line in zip(both, "qk", (QUERY, KEY), ("-", "--"), strict=True):
                axes.plot(*v.T, ".", color=color, markersize=3, alpha=2 * FAINT)
                arrow(axes, v[position], color, label, linestyle=line, gid=f"{label}-{name}")
        box = fig.add_axes((0.73, 0.19, 0.26, 0.68))
        for (name, score), line, mark in zip(scores.items(), ("-", ":"), "os", strict=True):
            box.plot(score, line, color=INK, linewidth=1.6, gid=f"score-{name}", label=name)
            box.plot([position], score[position], mark, color=INK, markersize=7)
        box.set(title="q·k", xlabel="position of q", xlim=(-0.5, last + 0.5))
        low, high = (edge(edge(score) for score in scores.values()) for edge in (min, max))
        box.set_ylim(low - 0.4, high + 0.45 * (high - low) + 0.4)
        box.legend(loc="upper right", fontsize=9, borderaxespad=0, labelspacing=0.2)
        spread = {name: score.max() - score.min() for name, score in scores.items()}
        told = [
            f"{name} it is {number(score[position])} and "
            + ("stands still" if spread[name] < SAME else f"wanders by {number(spread[name])}")
            for name, score in scores.items()
        ]
        return f"q at {position}, k at {position + distance}. What q·k does as both move: " + (
            f"{told[0]}; {told[1]}. Dots: all the places where q and k come by."
        )

    return explore(
        draw,
        position=range(last + 1),
        distance=[0, 2, 4],
        start={"position": 3, "distance": 2},
        play="position",
        size=(7.2, 2.8),
    )


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
        position=[0, 1, 2, 3, 4, 6, 8, 16, 32, 64, 128, 256, 512, 1024, 2048, 4096, 8192],
        base=[100, 10_000, 500_000],
        start={"position": 128, "base": 10_000},
        play="position",
        size=(7.2, 1.9),
    )


def clock(axes: Axes, i: int, angle: float, name: str, wave: float) -> None:
    """Draw one dial around (i, 0): its hand, what it has swept, its turns and its period."""
    radius, swept = 0.42, np.linspace(0, np.clip(angle, -2 * np.pi, 2 * np.pi), 25)
    around = np.linspace(0, 2 * np.pi, 41)
    axes.plot(
        i + radius * np.cos(around), radius * np.sin(around), "-", color=INK, lw=0.8, alpha=0.5
    )
    x, y = np.append(np.cos(swept), 0), np.append(np.sin(swept), 0)
    axes.fill(i + radius * x, radius * y, color=BLUE, alpha=FAINT, linewidth=0)
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


def pairing(apply_rope: Rotate, apply_rope_half: Rotate) -> Flipbook:
    """Push one coordinate of a vector and show which coordinates of the result move."""
    d, angles = 8, torch.tensor([[0.9, 0.7, 0.5, 0.3]])

    def draw(fig: Figure, coordinate: int) -> str:
        told = []
        fig.subplots_adjust(left=0.07, right=0.99, bottom=0.13, top=0.89, wspace=0.12)
        for name, rotate in (("neighbours", apply_rope), ("halves", apply_rope_half)):
            matrix = numbers(rotate(torch.eye(d)[:, None], angles)[:, 0]).T  # column j: e_j turned
            moved = abs(matrix) > 1e-4
            states = np.where(moved, REUSED, EMPTY)
            states[moved[:, coordinate], coordinate] = NEW
            axes = fig.add_subplot(1, 2, len(told) + 1)
            ticks = {"rows": range(d), "columns": range(d)}
            cells(axes, matrix, states, limit=1, write=True, gid=name, **ticks)
            axes.set(title=name, xlabel="coordinate going in")
            axes.set_ylabel("" if told else "coming out")
            told.append(" and ".join(map(str, np.flatnonzero(moved[:, coordinate]))) or "none")
        return (
            f"Coordinate {coordinate} moves {told[0]} where neighbours are pairs, and {told[1]} "
            "where halves are. Both turn by the angles 0.9, 0.7, 0.5 and 0.3."
        )

    return explore(draw, coordinate=range(d), start={"coordinate": 2}, size=(7.2, 3.7))
