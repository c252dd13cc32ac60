"""Pieces of text as boxes in a row: characters, bytes, tokens."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from plots.page import says
from plots.style import FAINT, GREY, INK

if TYPE_CHECKING:
    from matplotlib.axes import Axes

NARROW = 0.75  # of a unit: the text in such a box is turned
SMALL = 9  # points
VISIBLE = {" ": "·", "\n": "⏎", "\t": "⇥"}  # white space as it can be seen


def visible(piece: str) -> str:
    """A piece of text with its white space shown.

    >>> visible("to be\\n")
    'to·be⏎'
    """
    return "".join(VISIBLE.get(character, character) for character in piece)


def box_row(
    axes: Axes,
    pieces: Iterable[str],
    *,
    y: float,
    label: str = "",
    left: float = 0.0,
    widths: Sequence[float] | None = None,
    colors: Sequence[str | None] | None = None,
    below: Sequence[str] | None = None,
    words: Sequence[str] | None = None,
    fontsize: float = 10,
    gid: str = "",
) -> None:
    """Draw pieces side by side, from `left` on at height `y`; box i has the gid `{gid}-{i}`.

    widths: of each box; by default one unit for each of its characters. colors: None is an empty
    box. below: small text under each box. words: what each box says. label: stands left of the
    row, and is its gid where none is given.
    """
    from matplotlib.colors import to_rgba
    from matplotlib.patches import Rectangle

    pieces = list(pieces)
    widths = widths or [float(len(piece)) for piece in pieces]
    colors = colors or [None] * len(pieces)
    x = left
    for place, (piece, width, color) in enumerate(zip(pieces, widths, colors, strict=True)):
        face = to_rgba(color, FAINT) if color else "none"
        box = Rectangle((x + 0.04, y), max(width - 0.08, 0.02), 0.72, facecolor=face)
        name = f"{gid or label or 'box'}-{place}"
        box.set(edgecolor=color or GREY, linewidth=1, gid=name, clip_on=False)
        axes.add_patch(box)
        if words:
            says(box, words[place])
        middle = (x + width / 2, y + 0.34)
        turned = {"rotation": 90, "fontsize": min(fontsize, SMALL)} if width < NARROW else {}
        look = {"ha": "center", "va": "center", "fontsize": fontsize}
        axes.text(*middle, visible(piece), **(look | turned))
        if below:
            small = (x + width / 2, y - 0.12)
            look = {"ha": "center", "va": "top", "fontsize": SMALL, "color": GREY}
            axes.text(*small, below[place], **(look | turned))
        x += width
    if label:
        axes.text(-0.4, y + 0.34, label, ha="right", va="center", fontsize=10, color=INK)


def frame(axes: Axes, width: float, heights: tuple[float, float]) -> None:
    """Take away all but the boxes: `width` units across, from one height to another."""
    axes.set(xlim=(-0.1, width + 0.1), ylim=heights, xticks=[], yticks=[])
    axes.spines[:].set_visible(False)
