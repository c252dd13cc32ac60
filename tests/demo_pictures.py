"""Small pictures to try the frames with, drawn as the labs draw theirs."""

import numpy as np

from plots import style
from plots.flipbook import explore


def turn(fig, position, pair=0):
    """Two panels, a vector before and after a rotation."""
    angle = position * 10.0**-pair
    before, after = fig.subplots(1, 2)
    for axes in (before, after):
        style.plane(axes, 1.4, circle=1.0)
    style.arrow(before, (1, 0), style.QUERY, "q")
    style.arrow(after, (np.cos(angle), np.sin(angle)), style.QUERY, "q", gid="q")
    return f"At position {position} the pair {pair} has turned by {angle:.2f}."


def unwritten(fig, position=0):
    """A picture whose exercise is still to be done."""
    raise NotImplementedError("Exercise 3.5: apply_rope")


def write(fig, text, seed=0):
    """A picture of free input, that cannot draw an empty text."""
    fig.text(0.5, 0.5, text[0])
    return f"{text!r}, sample {seed}"


def hatched(fig, n):
    """A bar with a hatch that leaves its axes: a pattern, a marker and a clip."""
    axes = fig.add_axes((0.1, 0.1, 0.8, 0.8), xlim=(0, n), ylim=(0, 1))
    axes.bar([1], [2], fc="none", ec=style.PINK, hatch="///")
    axes.plot([0, 1], [0, 1], "o")
    return f"{n}"


def demo():
    """A slider with a play button, a second slider, a choice."""

    def draw(fig, position, pair, sign):
        return turn(fig, -position if sign == "minus" else position, pair)

    return explore(
        draw,
        position=range(12),
        pair=[0, 1],
        sign=["plus", "minus"],
        start={"position": 3},
        play="position",
    )
