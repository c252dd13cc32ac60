"""A small matrix of weights whose cells have names: hover or focus tells row, column and number."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from plots.cells import EMPTY, MASKED, NEW, REUSED, WASTED
from plots.page import says
from plots.style import BLUE, GREY, ORANGE, PINK, number, numbers, shade

if TYPE_CHECKING:
    from matplotlib.axes import Axes

SMALLEST = 9.0  # points: smaller numbers cannot be read
LEAST = 0.005  # a weight that is written as a number


def matrix(
    axes: Axes,
    values: Any,
    states: Any = None,
    *,
    rows: Sequence[Any] | None = None,
    columns: Sequence[Any] | None = None,
    tell: Callable[[int, int], str],
    write: Callable[[float], str] | None = None,
    limit: float = 1.0,
    color: str = BLUE,
    fontsize: float = 10.0,
    square: bool = True,
    gid: str = "matrix",
) -> None:
    """Draw a matrix cell by cell, row 0 on top; `tell(row, column)` is what a cell says.

    states: (R, C) of the names in plots.cells: "new" outlined, "reused" pale, "wasted" hatched,
    "masked" a cross, "empty" a faint outline. write: a number as its text; by default two digits
    without the leading zero. A cell has the gid `{gid}-{state}`, its number `{gid}-{row}-{column}`.
    """
    from matplotlib.patches import Rectangle

    values = np.atleast_2d(numbers(values))
    states = np.full(values.shape, NEW) if states is None else np.asarray(states, dtype=str)
    fills = shade(values, limit, color, ORANGE)
    for (row, column), value in np.ndenumerate(values):
        state = states[row, column]
        look = _look(state, fills[row, column], color)
        cell = Rectangle((column - 0.46, row - 0.46), 0.92, 0.92, gid=f"{gid}-{state}", **look)
        says(axes.add_artist(cell), tell(row, column))
        if state == MASKED:
            axes.plot([column], [row], "x", color=GREY, markersize=4, mew=1)
        elif state != EMPTY and (text := (write or weight)(value)):
            spot = {"ha": "center", "va": "center", "fontsize": max(fontsize, SMALLEST)}
            axes.text(column, row + 0.02, text, gid=f"{gid}-{row}-{column}", **spot)
    height, width = values.shape
    axes.set(
        xlim=(-0.55, width - 0.45),
        ylim=(height - 0.45, -0.55),
        aspect="equal" if square else "auto",
    )
    axes.set_xticks(range(width) if columns is not None else [], columns)
    axes.set_yticks(range(height) if rows is not None else [], rows)
    axes.xaxis.tick_top()
    axes.tick_params(length=0, pad=3)
    axes.spines[:].set_visible(False)


def weight(value: float) -> str:
    """A weight between 0 and 1 in three characters, and nothing for next to nothing.

    >>> weight(0.314), weight(1.0), weight(0.001)
    ('.31', '1', '')
    """
    if not abs(value) >= LEAST:
        return "" if value == value else "nan"
    text = number(value).replace("0.", ".", 1) if abs(value) < 0.995 else number(value)
    return text.removesuffix(".00")


def _look(state: str, fill: np.ndarray, color: str) -> dict[str, Any]:
    """How a cell is painted: colour, outline, hatch."""
    if state == NEW:
        return {"facecolor": fill, "edgecolor": color, "linewidth": 1.4}
    if state == REUSED:
        return {"facecolor": fill * [1, 1, 1, 0.6], "edgecolor": GREY, "linewidth": 0.6}
    if state == WASTED:
        return {"facecolor": "none", "edgecolor": PINK, "linewidth": 1.0, "hatch": "///"}
    return {"facecolor": "none", "edgecolor": (0.5, 0.5, 0.5, 0.6), "linewidth": 0.6}
