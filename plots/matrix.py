"""A small matrix of weights whose cells have names: hover or focus tells row, column and number."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from plots.cells import EMPTY, MASKED, NEW, REUSED, WASTED
from plots.page import says
from plots.style import BLUE, GREY, ORANGE, PINK, is_narrow, number, numbers, shade

if TYPE_CHECKING:
    from matplotlib.axes import Axes

SMALLEST = 9.0  # points: smaller numbers cannot be read; on a narrow screen all shrinks a little
CORNERS = ((-0.46, -0.46), (0.46, -0.46), (0.46, 0.46), (-0.46, 0.46))  # of a cell
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
    negative: str = ORANGE,
    fontsize: float = 10.0,
    square: bool = True,
    gid: str = "matrix",
) -> None:
    """Draw a matrix cell by cell, row 0 on top; `tell(row, column)` is what a cell says.

    states: (R, C) of the names in plots.cells: "new" outlined, "reused" pale, "wasted" hatched,
    "masked" a cross, "empty" a faint outline. write: a number as its text; by default two digits
    without the leading zero. The cells of a state have the gid `{gid}-{state}`, a number has
    `{gid}-{row}-{column}`.
    """
    from matplotlib.collections import PolyCollection

    values = np.atleast_2d(numbers(values))
    states = np.full(values.shape, NEW) if states is None else np.asarray(states, dtype=str)
    fills = shade(values, limit, color, negative)
    spot = {"ha": "center", "va": "center", "fontsize": max(fontsize, smallest(axes))}
    for state in dict.fromkeys(states.ravel().tolist()):
        spots = np.argwhere(states == state)
        squares = [[(c + dx, r + dy) for dx, dy in CORNERS] for r, c in spots]
        look = _look(state, fills[states == state])
        cells = axes.add_collection(PolyCollection(squares, gid=f"{gid}-{state}", **look))
        says(cells, [tell(int(r), int(c)) for r, c in spots])
        if state == MASKED:
            look = {"color": GREY, "markersize": 4, "mew": 1, "ls": ""}
            axes.plot(spots[:, 1], spots[:, 0], "x", **look)
        elif state != EMPTY:
            for r, c in spots:
                if text := (write or weight)(values[r, c]):
                    axes.text(c, r + 0.02, text, gid=f"{gid}-{r}-{c}", **spot)
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


def smallest(axes: Axes) -> float:
    """The smallest size of a text in points: a narrow picture is shown a tenth smaller."""
    return SMALLEST + 0.5 if is_narrow(axes.figure) else SMALLEST


def weight(value: float) -> str:
    """A weight between 0 and 1 in three characters, and nothing for next to nothing.

    >>> weight(0.314), weight(1.0), weight(0.001)
    ('.31', '1', '')
    """
    if not abs(value) >= LEAST:
        return "" if value == value else "nan"
    text = number(value).replace("0.", ".", 1) if abs(value) < 0.995 else number(value)
    return text.removesuffix(".00")


def _look(state: str, fills: np.ndarray) -> dict[str, Any]:
    """How the cells of one state are painted: colour, outline, hatch."""
    if state == NEW:  # outlined in the hue of its fill: what is negative in its own
        edges = np.concatenate([fills[:, :3], np.ones((len(fills), 1))], axis=1)
        return {"facecolors": fills, "edgecolors": edges, "linewidths": 1.4}
    if state == REUSED:
        return {"facecolors": fills * [1, 1, 1, 0.6], "edgecolors": [GREY], "linewidths": 0.6}
    if state == WASTED:
        return {"facecolors": "none", "edgecolors": [PINK], "linewidths": 1.0, "hatch": "///"}
    return {"facecolors": "none", "edgecolors": [(0.5, 0.5, 0.5, 0.6)], "linewidths": 0.6}
