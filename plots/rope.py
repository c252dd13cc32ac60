"""Lab 03: how a rotation moves the pairs of a vector, and what stands still when words move."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch.nn import functional as F

from plots.cells import EMPTY, NEW, REUSED, cells
from plots.flipbook import Flipbook, explore
from plots.measures.rope import Rotate, Table, angles_at, drift, in_model, timing
from plots.page import says
from plots.rope_scores import decay, scores
from plots.rope_waves import clocks, heatmap
from plots.style import (
    BLUE,
    FAINT,
    GREY,
    INK,
    KEY,
    PINK,
    QUERY,
    arrow,
    is_narrow,
    number,
    numbers,
    plane,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = [
    "clocks",
    "decay",
    "drift",
    "heatmap",
    "pairing",
    "rotation",
    "scores",
    "shift",
    "timing",
]

SENTENCE = ("the", "dog", "bites", "the", "man", "who", "bites", "back")
WORDS = {  # three pairs each, chosen so that no two names lie on one another
    "the": [0.80, 0.45, -0.85, 0.05, -0.85, -0.05],
    "dog": [0.95, -0.25, -0.40, 0.70, -0.35, 0.60],
    "bites": [-0.40, 0.60, 0.25, -0.50, 0.60, -0.20],
    "man": [0.30, -0.50, -0.90, -0.50, -0.45, -0.85],
    "who": [-0.60, -0.50, 0.05, 0.85, 0.15, -0.65],
    "back": [-0.10, -0.70, -0.65, 0.50, 0.85, 0.50],
}
TOY_BASE = 64.0  # with three pairs: 1, 1/4 and 1/16 radian per position, so that all three move
SAME = 0.01  # lengths and scores that differ by less look the same in the picture
IN_A_ROW = [(0.01 + 0.333 * i, 0, 0.313, 0.9) for i in range(3)]  # where three planes stand
IN_TWO_ROWS = [(0, 0.55, 0.49, 0.39), (0.51, 0.55, 0.49, 0.39), (0, 0, 1, 0.47)]
TURN = PINK  # the colour of an angle: what a position adds to a direction
BELOW = str.maketrans("0123456789", "₀₁₂₃₄₅₆₇₈₉")


def rotation(apply_rope: Rotate) -> Flipbook:
    """Show a sentence's words, the rotation at each position, and the rotated words."""
    words = torch.tensor([WORDS[word] for word in SENTENCE])  # (8, 6)
    angles = angles_at(torch.arange(len(SENTENCE)), 3, TOY_BASE)
    names = [f"{word}{m}".translate(BELOW) for m, word in enumerate(SENTENCE)]

    def draw(fig: Figure, position: int, pair: int) -> str:
        here, word = slice(2 * pair, 2 * pair + 2), SENTENCE[position]
        asked, step = float(angles[position, pair]), float(angles[1, pair])
        east = torch.zeros_like(words)
        east[:, 2 * pair] = 1
        before = numbers(words)[:, here]
        hands = numbers(in_model(apply_rope, east, angles))[:, here]
        after = numbers(in_model(apply_rope, words, angles))[:, here]
        length = float(np.hypot(*before[position]))
        narrow = is_narrow(fig)
        left, middle, right = (fig.add_axes(box) for box in (IN_TWO_ROWS if narrow else IN_A_ROW))
        for axes, title, circle in (
            (left, "words", length),
            (middle, "rotations", 1.0),
            (right, "rotated words", length),
        ):
            plane(axes, 1.75 if narrow and axes is not right else 1.32)
            ring(axes, circle)
            axes.set_title(title)
        if narrow:
            right.set_xlim(-2.3, 2.3)  # names have room at its sides
        ends = {0, 7} - {position - 1, position + 1}
        spots = range(8) if step > 0.1 else ends  # which numbers have room
        if narrow and step < 0.5:
            spots = {0} if position > 3 else {7}
        others = [m for m in range(8) if m != position]
        once = [m for m in others if SENTENCE[m] != word and SENTENCE.index(SENTENCE[m]) == m]
        numbered = [str(m) if m in spots else "" for m in range(8)]
        named = [word == other for other in SENTENCE] if narrow else [True] * 8  # room for all?
        for axes, tips, labels, shown, color in (
            (left, before, SENTENCE, once, BLUE),
            (middle, hands, numbered, others, TURN),
            (right, after, names, others, BLUE),
        ):
            kept = [labels[m] if named[m] or axes is not left else "" for m in shown]
            faint(axes, tips[shown], kept, color)
        sweep(middle, 0.0, asked, step, 0.5)
        sweep(right, math.atan2(*before[position, ::-1]), asked, step, 0.5 * length)
        right.plot(*np.c_[[0, 0], before[position]], ":", color=GREY, linewidth=1.6)
        for axes, tip, color, label, gid in (
            (left, before[position], BLUE, word, "before"),
            (middle, hands[position], TURN, str(position), "hand"),
            (right, after[position], BLUE, names[position], "after"),
        ):
            says(arrow(axes, tip, color, gid=gid), f"{label}: ({number(tip[0])}, {number(tip[1])})")
            look = {} if color == TURN else {"color": color}  # pink is too pale for a number
            name(axes, tip, label, fontweight="bold", fontsize=11, **look)
        return (
            f"Pair {pair}, position {position}: {position} × {step:g} = {asked:g} radians, "
            f"{round(math.degrees(asked))}°. "
            f"{said(word, before[position], after[position], asked)}"
        )

    return explore(
        draw,
        position=range(len(SENTENCE)),
        pair=range(3),
        start={"position": 3, "pair": 0},
        play="position",
        size=(9.8, 3.55),
        narrow=(3.25, 4.0),
    )


def ring(axes: Axes, radius: float) -> None:
    """Draw a thin circle: what a turn cannot leave."""
    from matplotlib.patches import Circle

    look = {"fill": False, "linewidth": 0.8, "edgecolor": INK, "alpha": 2 * FAINT}
    axes.add_patch(Circle((0, 0), radius, **look))


def faint(axes: Axes, tips: np.ndarray, labels: Sequence[str], color: str) -> None:
    """Draw the other words' vectors, thin and pale, with small names."""
    rays = np.insert(np.repeat(tips, 2, axis=0), range(0, 2 * len(tips), 2), 0.0, axis=0)
    rays[2::3] = np.nan  # from the middle to the tip, and a gap
    axes.plot(*rays.T, "-", color=color, linewidth=1.2, alpha=1.6 * FAINT)
    axes.plot(*tips.T, ".", color=color, markersize=6, alpha=3 * FAINT)
    for tip, label in zip(tips, labels, strict=True):
        if label:
            name(axes, tip, label, fontsize=9, alpha=0.85)


def name(axes: Axes, tip: np.ndarray, label: str, **look: Any) -> None:
    """Write a name beyond an arrow's tip, the longer it is the further to the side."""
    x, y = tip / max(float(np.hypot(*tip)), 1e-6)
    beyond = (0.25 * look["fontsize"] * (2.4 + 1.1 * len(label)) * x, look["fontsize"] * y)
    box = {"ha": "center", "va": "center", "textcoords": "offset points"}
    axes.annotate(label, tip, beyond, **box, **look)


def sweep(axes: Axes, begin: float, angle: float, step: float, radius: float) -> None:
    """Draw the angle from `begin` on: a sector, its edge winding outwards, a dot at each step."""
    if abs(angle) < 1e-6:
        return

    def edge(at: np.ndarray) -> np.ndarray:
        out = radius * (1 + 0.25 * at / (2 * np.pi))
        return np.stack((out * np.cos(begin + at), out * np.sin(begin + at)))

    along = edge(np.linspace(0, angle, 3 + round(6 * abs(angle))))
    axes.fill(*np.c_[[0, 0], along], color=TURN, alpha=FAINT, linewidth=0)
    axes.plot(*along, "-", color=TURN, linewidth=1.8, gid="sweep")
    axes.plot(*edge(np.arange(step, angle + step / 2, step)), ".", color=TURN, markersize=5)


def said(word: str, before: np.ndarray, after: np.ndarray, asked: float) -> str:
    """Read one rotation: what was asked for and what came out."""
    turned = math.degrees(math.atan2(after[1], after[0]) - math.atan2(before[1], before[0])) % 360
    wanted = math.degrees(asked) % 360
    lengths = np.hypot(*before), np.hypot(*after)
    path = " to ".join(f"({number(x)}, {number(y)})" for x, y in (before, after))
    if abs((turned - wanted + 180) % 360 - 180) < 1 and abs(lengths[0] - lengths[1]) < SAME:
        return f"“{word}” goes from {path}, and its length stays {number(lengths[0])}."
    return (
        f"“{word}” should turn by that and keep its length {number(lengths[0])}. It turns by "
        f"{round(turned)}°, from {path}, and its length is {number(lengths[1])}."
    )


def shift(apply_rope: Rotate, sinusoidal_positions: Table) -> Flipbook:
    """Drag two words along the sequence: what does their dot product do, rotated or added to?"""
    q, k = torch.tensor([[1.0, 0.5]]), torch.tensor([[0.8, 0.15]])
    theta, last = 0.4, 15  # radians per position; the last position of q
    # The third of four pairs; the others are 0, and turn at other speeds. Whoever mixes pairs turns
    # it wrongly, or loses a part of it to them.
    pair, speeds = slice(4, 6), torch.tensor([1.0, 0.7, theta, 0.1])

    def moved(distance: int) -> dict[str, tuple[np.ndarray, np.ndarray]]:
        positions = torch.arange(last + 1)
        table = sinusoidal_positions(last + 1 + distance, 4, theta**-2)[:, 2:]  # frequency theta
        places = ((q, positions), (k, positions + distance))
        wide = [(F.pad(v, (4, 2)).expand(last + 1, 8), torch.outer(m, speeds)) for v, m in places]
        rotated = [in_model(apply_rope, v, angles) for v, angles in wide]
        added = [v + table[m] for v, m in places]
        return {"rotated": tuple(map(numbers, rotated)), "added": tuple(map(numbers, added))}

    def draw(fig: Figure, position: int, distance: int) -> str:
        ways = moved(distance)
        scores = {name: (a * b).sum(-1) for name, (a, b) in ways.items()}
        ways["rotated"] = tuple(v[:, pair] for v in ways["rotated"])
        narrow = is_narrow(fig)
        for place, (name, both) in enumerate(ways.items()):
            wide = (0.01 + 0.33 * place, 0, 0.31, 0.89)
            axes = fig.add_axes((0.51 * place, 0.5, 0.49, 0.43) if narrow else wide)
            plane(axes, 2.7 if narrow else 2.15)
            axes.set_title(name)
            between(axes, *(v[position] for v in both))
            for v, label, color, line in zip(both, "qk", (QUERY, KEY), ("-", "--"), strict=True):
                axes.plot(*v.T, ".", color=color, markersize=4, alpha=2 * FAINT)
                tip = v[position]
                drawn = arrow(axes, tip, color, label, linestyle=line, gid=f"{label}-{name}")
                says(drawn, f"{label}, {name}: ({number(tip[0])}, {number(tip[1])})")
        box = fig.add_axes((0.12, 0.13, 0.85, 0.3) if narrow else (0.72, 0.15, 0.27, 0.73))
        for (name, score), line, mark in zip(scores.items(), ("-", ":"), "os", strict=True):
            box.plot(score, line, color=INK, linewidth=1.6, gid=f"score-{name}", label=name)
            box.plot([position], score[position], mark, color=INK, markersize=7)
        box.set(title="q·k", xlabel="position of q", xlim=(-0.5, last + 0.5))
        box.set_xticks(range(0, last + 1, 5))
        low, high = (edge(edge(score) for score in scores.values()) for edge in (min, max))
        box.set_ylim(low - 0.4, high + 0.45 * (high - low) + 0.4)
        box.legend(loc="upper right", fontsize=9, borderaxespad=0, labelspacing=0.2)
        spread = {name: score.max() - score.min() for name, score in scores.items()}
        told = [
            f"is {number(score[position])} and "
            + ("stands still" if spread[name] < SAME else f"wanders by {number(spread[name])}")
            for name, score in scores.items()
        ]
        return (
            f"q at {position}, k at {position + distance}. Rotated, q·k {told[0]}; added, it "
            f"{told[1]} as both move on. Shaded: the angle between them."
        )

    return explore(
        draw,
        position=[*range(8), 9, 11, 13, last],
        distance=[2, 4],
        start={"position": 3, "distance": 2},
        play="position",
        size=(9.8, 3.55),
        narrow=(3.25, 3.9),
    )


def between(axes: Axes, a: np.ndarray, b: np.ndarray) -> None:
    """Shade the angle between two vectors, the shorter way round."""
    start, end = (math.atan2(*v[::-1]) for v in (a, b))
    along = start + np.linspace(0, (end - start + math.pi) % (2 * math.pi) - math.pi, 12)
    radius = 0.75 * min(np.hypot(*a), np.hypot(*b))
    edge = radius * np.stack((np.cos(along), np.sin(along)))
    axes.fill(*np.c_[[0, 0], edge], color=TURN, alpha=1.4 * FAINT, linewidth=0, gid="between")


def pairing(apply_rope: Rotate, apply_rope_half: Rotate) -> Flipbook:
    """Push one coordinate of a vector and show which coordinates of the result move."""
    d, angles = 8, torch.tensor([[0.9, 0.7, 0.5, 0.3]])

    def draw(fig: Figure, coordinate: int) -> str:
        told, narrow = [], is_narrow(fig)
        low, wide = (0.2, 0.1) if narrow else (0.12, 0.16)
        fig.subplots_adjust(
            left=0.11 if narrow else 0.08, right=0.99, bottom=low, top=0.9, wspace=wide
        )
        for name, rotate in (("neighbours", apply_rope), ("halves", apply_rope_half)):
            matrix = numbers(rotate(torch.eye(d)[:, None], angles)[:, 0]).T  # column j: e_j turned
            moved = abs(matrix) > 1e-4
            states = np.where(moved, REUSED, EMPTY)
            states[moved[:, coordinate], coordinate] = NEW
            axes = fig.add_subplot(1, 2, len(told) + 1)
            ticks = {"rows": range(d), "columns": range(d)}
            cells(axes, matrix, states, limit=1, write=not narrow, gid=name, **ticks)
            axes.set(title=name, xlabel="going in" if narrow else "coordinate going in")
            axes.set_ylabel("" if told else "coming out")
            axes.tick_params(labelsize=9, pad=1)
            told.append(" and ".join(map(str, np.flatnonzero(moved[:, coordinate]))) or "none")
        return (
            f"Coordinate {coordinate} moves {told[0]} where neighbours are pairs, and {told[1]} "
            "where halves are. Both turn by the angles 0.9, 0.7, 0.5 and 0.3."
        )

    return explore(
        draw,
        coordinate=range(d),
        start={"coordinate": 2},
        play="coordinate",
        size=(9.4, 4.6),
        narrow=(3.25, 2.3),
    )
