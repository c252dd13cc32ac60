"""Small matrices as cells: computed, reused, computed again, masked, or not computed at all."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from plots.page import says
from plots.style import BLUE, GREY, ORANGE, PINK, number, numbers, shade

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# The states of a cell in a heatmap.
NEW, REUSED, WASTED, MASKED, EMPTY = "new", "reused", "wasted", "masked", "empty"
KEY_LABELS = {
    NEW: "computed now",
    REUSED: "reused",
    WASTED: "computed again",
    MASKED: "masked",
    EMPTY: "not computed",
}


def cells(
    axes: Axes,
    values: Any,
    states: Any = None,
    *,
    limit: float | None = None,
    color: str = BLUE,
    negative: str = ORANGE,
    write: bool = False,
    digits: int = 1,
    rows: Sequence[str] | None = None,
    columns: Sequence[str] | None = None,
    gid: str = "cells",
) -> None:
    """Draw a small matrix, row 0 on top: every cell outlined, legible on white and on dark.

    values: (R, C) numbers. states: (R, C) of "new", "reused", "wasted", "masked", "empty"; by
    default all "new". new = filled by its value, outlined; reused = the same, paler, thin outline;
    wasted = hatched; masked = a dot; empty = a faint outline. `write=True` writes the numbers in.
    The cells of one state are one artist with the gid `{gid}-{state}`, in reading order, and each
    says its row, its column and its number; the numbers have the gids `{gid}-{row}-{column}`.
    """
    from matplotlib.collections import PolyCollection

    values = np.atleast_2d(numbers(values))
    height, width = values.shape
    states = np.full(values.shape, NEW) if states is None else np.asarray(states, dtype=str)
    if states.shape != values.shape:
        raise ValueError(f"{values.shape} values need as many states; got {states.shape}.")
    if unknown := sorted(set(states.ravel().tolist()) - set(KEY_LABELS)):
        raise ValueError(f"Unknown states {unknown}; known are {', '.join(KEY_LABELS)}.")
    fills = shade(values, limit, color, negative)

    def words(row: int, column: int, state: str) -> str:
        at = f"{rows[row] if rows is not None else f'row {row}'} → "
        at += str(columns[column] if columns is not None else f"column {column}")
        value = number(values[row, column], max(digits, 2))
        says_state = "" if state == NEW else KEY_LABELS[state]
        return f"{at}: " + (
            says_state if state in (MASKED, EMPTY) else ", ".join(filter(None, (value, says_state)))
        )

    fontsize = min(10.0, 0.36 * _cell_side(axes, height, width))
    for state in KEY_LABELS:
        spots = np.argwhere(states == state)
        if not len(spots):
            continue
        squares = [
            [(c - 0.46, r - 0.46), (c + 0.46, r - 0.46), (c + 0.46, r + 0.46), (c - 0.46, r + 0.46)]
            for r, c in spots
        ]
        look = _look(state, fills[states == state], color)
        squares_of_state = PolyCollection(squares, gid=f"{gid}-{state}", **look)
        says(axes.add_collection(squares_of_state), [words(r, c, state) for r, c in spots])
        if state == MASKED:
            axes.plot(spots[:, 1], spots[:, 0], ".", color=GREY, markersize=4, clip_on=False)
        elif write and state != EMPTY:
            for r, c in spots:
                text = number(values[r, c], digits)
                axes.text(
                    c, r, text, ha="center", va="center", fontsize=fontsize, gid=f"{gid}-{r}-{c}"
                )
    axes.set(xlim=(-0.55, width - 0.45), ylim=(height - 0.45, -0.55), aspect="equal")
    axes.set_xticks(range(width) if columns is not None else [], columns)
    axes.set_yticks(range(height) if rows is not None else [], rows)
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)


def _cell_side(axes: Axes, height: int, width: int) -> float:
    """The side of a square cell in points, when `height` × `width` of them fill the axes."""
    box, (across, up) = axes.get_position(), axes.figure.get_size_inches() * 72
    return min(box.width * across / width, box.height * up / height)


def _look(state: str, fills: np.ndarray, color: str) -> dict[str, Any]:
    """How the cells of one state are painted: colour, outline, hatch."""
    if state == NEW:
        return {"facecolors": fills, "edgecolors": [color], "linewidths": 1.4}
    if state == REUSED:
        fills = fills * [1, 1, 1, 0.5]
        return {"facecolors": fills, "edgecolors": [GREY], "linewidths": 0.6}
    if state == WASTED:
        return {"facecolors": "none", "edgecolors": [PINK], "linewidths": 1.0, "hatch": "///"}
    edge = (0.5, 0.5, 0.5, 0.5 if state == MASKED else 0.3)
    return {"facecolors": "none", "edgecolors": [edge], "linewidths": 0.5}


def cell_key(axes: Axes, *states: str, color: str = BLUE, labels: dict[str, str] | None = None):
    """A legend of the cell states under `axes`: `cell_key(axes, "new", "wasted", "empty")`."""
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    labels = KEY_LABELS | (labels or {})
    handles = []
    for state in states:
        look = _look(state, shade([0.8], 1.0, color), color)
        if state == MASKED:
            handles.append(Line2D([], [], ls="", marker=".", color=GREY, label=labels[state]))
            continue
        handles.append(
            Patch(
                facecolor=look["facecolors"][0] if state in (NEW, REUSED) else "none",
                edgecolor=look["edgecolors"][0],
                hatch=look.get("hatch"),
                label=labels[state],
            )
        )
    return axes.legend(
        handles=handles,
        loc="upper center",
        bbox_to_anchor=(0.5, -0.02),
        ncols=3 if len(handles) > 4 else len(handles),
        fontsize=10,
        handlelength=1.2,
        handleheight=1.2,
        columnspacing=1.2,
    )
