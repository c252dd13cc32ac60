"""Lab 05: one way to read a sentence, drawn: a matrix, four columns, a heap of scores, a legend."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from plots.measures.kv_cache_watch import WORDS, Call, N
from plots.style import BLUE, GREY, INK, KEY, PINK, QUERY, VALUE, number, shade

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

SAME = 1e-3  # larger differences between two rows of attention weights are no rounding
NEW, AGAIN, READ, GHOST = "new", "again", "read", "ghost"  # what a step does with a cell

SIZE = (10.4, 5.5)  # inches: two halves, which a narrow screen puts one below the other
HALF = 0.5 * SIZE[0]
CELL = 0.315  # inches
TEXT, DIGITS = 11.5, 11.5  # points; on a narrow screen all is scaled by 0.72
PARTS = (("queries", "Q", QUERY), ("keys", "K", KEY), ("values", "V", VALUE))
MATRIX, OUT, WIDTH = 3.5, 3.5 + N + 0.5, 3.5 + N + 1.7  # columns of cells
HEAP = 6  # squares in a column of the heap
UNIT = 0.118  # inches, of a square


def half(fig: Figure, side: int, title: str, call: Call, heap: list[int], verdict: str) -> None:
    """One way: its matrix, its four columns, its heap, its legend."""
    name = ("without", "with")[side]
    high = N * CELL
    low = SIZE[1] - 1.15 - high  # inches from below
    left = side * HALF + 0.98
    place = (left / SIZE[0], low / SIZE[1], WIDTH * CELL / SIZE[0], high / SIZE[1])
    axes = fig.add_axes(place, xlim=(0, WIDTH), ylim=(N, 0), xticks=[], yticks=[])
    axes.axis("off")
    fig.text(left / SIZE[0], 1 - 0.06 / SIZE[1], title, va="top", fontsize=13, weight="bold")
    _columns(axes, call, name)
    _matrix(axes, call, name)
    for row, word in enumerate(WORDS[: call.end]):
        weight = "bold" if row >= call.start else "normal"
        axes.text(-0.25, row + 0.5, word, ha="right", va="center", fontsize=TEXT, weight=weight)
        x = MATRIX + row + 0.35
        axes.text(x, -0.15, word, rotation=50, ha="left", va="bottom", fontsize=TEXT)
    if verdict:
        new = call.end - call.start
        line = f"new row{'s' * (new > 1)}: {verdict}"
        color = INK if verdict == "the same" else PINK
        x, y = left / SIZE[0], (low - 0.13) / SIZE[1]
        fig.text(x, y, line, va="top", fontsize=12, weight="bold", color=color, gid="verdict")
    _heap(fig, left, low - 0.43, name, heap)
    _legend(fig, left - 0.5, ((NEW, AGAIN), (NEW, READ, GHOST))[side])


def _columns(axes: Axes, call: Call, name: str) -> None:
    """Queries, keys, values and outputs of each word: computed, computed again, read, not there."""
    columns = [(part, letter, color, x) for x, (part, letter, color) in enumerate(PARTS)]
    for part, letter, color, x in [*columns, ("outputs", "out", GREY, OUT)]:
        axes.text(x + 0.5, -0.15, letter, ha="center", va="bottom", fontsize=TEXT, color=color)
        states: dict[str, list[tuple[float, float]]] = {}
        for p in range(call.end):
            if p in call.computed.get(part, ()):
                state = NEW if p >= call.start else AGAIN
            else:
                state = READ if p in call.read(part) else GHOST
            states.setdefault(state, []).append((x, p))
        for state, spots in states.items():
            boxes(axes, spots, state, color, f"{name}-{part}-{state}")


def _matrix(axes: Axes, call: Call, name: str) -> None:
    """A cell for each score that was formed, and the outline of those that were not needed."""
    first = call.end - len(call.weights)  # the word of the first row of weights
    spots: dict[str, list[tuple[float, float]]] = {}
    shaded: list[tuple[tuple[float, float], float, str]] = []
    for r in range(call.end):
        for c in range(call.end):
            formed = (r, c) in call.pairs
            weight = float(call.weights[r - first, c]) if r >= first else 0.0
            hidden = c > r and weight < SAME
            leaks = c > r and weight >= SAME  # what the mask should have hidden stands out
            state = (NEW if r >= call.start or leaks else AGAIN) if formed else GHOST
            if state == GHOST and c > r:
                continue
            key = f"{state}-masked" if hidden and formed else state
            spots.setdefault(key, []).append((MATRIX + c, r))
            if formed and not hidden and r >= first:  # a row without an output has no weights
                shown = number(weight).removeprefix("0")
                look = {"color": INK, "alpha": 1.0 if state == NEW else 0.75}
                axes.text(
                    *(MATRIX + c + 0.5, r + 0.53),
                    shown if weight < 0.995 else "1",
                    ha="center",
                    va="center",
                    fontsize=DIGITS,
                    gid=f"{name}-{r}-{c}",
                    **look,
                )
                shaded.append(((MATRIX + c, r), weight, BLUE if state == NEW else GREY))
    if shaded:
        fills(axes, shaded, f"{name}-weights")
    for key, where in spots.items():
        boxes(axes, where, key.removesuffix("-masked"), BLUE, f"{name}-{key}", filled=False)
        if key.endswith("masked"):
            xs, ys = zip(*((x + 0.5, y + 0.5) for x, y in where), strict=True)
            axes.plot(xs, ys, "x", color=GREY, markersize=5, mew=1, ls="", gid=f"{name}-dots")


def fills(axes: Axes, shaded: list[tuple[tuple[float, float], float, str]], gid: str) -> None:
    """Weights as the fill of their cells."""
    from matplotlib.collections import PolyCollection

    corners = [(0.04, 0.04), (0.96, 0.04), (0.96, 0.96), (0.04, 0.96)]
    squares = [[(x + dx, y + dy) for dx, dy in corners] for (x, y), _, _ in shaded]
    faces = [shade([weight], 1.0, color)[0] for _, weight, color in shaded]
    axes.add_artist(PolyCollection(squares, facecolors=faces, linewidths=0, gid=gid))


def boxes(
    axes: Axes,
    spots: Iterable[tuple[float, float]],
    state: str,
    color: str,
    gid: str,
    filled: bool = True,
    **look: Any,
) -> None:
    """All cells of one look as a single path: a hundred small squares are slow to repaint."""
    from matplotlib.patches import PathPatch
    from matplotlib.path import Path

    paths = [Path.unit_rectangle().transformed(_cell(x, y)) for x, y in spots]
    # add_patch would measure every corner for the axes' limits, which are set.
    whole = Path.make_compound_path(*paths)
    axes.add_artist(PathPatch(whole, gid=gid, **(look_of(state, color, filled) | look)))


def look_of(state: str, color: str, filled: bool = True) -> dict[str, Any]:
    """How the cells of a state are painted."""
    from matplotlib.colors import to_rgba

    if state == NEW:
        return {"facecolor": to_rgba(color, 0.62) if filled else "none", "ec": color, "lw": 1.6}
    if state == AGAIN:
        return {"facecolor": "none", "edgecolor": PINK, "linewidth": 0.8, "hatch": "///"}
    if state == READ:
        return {"facecolor": to_rgba(color, 0.2), "edgecolor": color, "lw": 0.9, "ls": (0, (3, 2))}
    return {"facecolor": "none", "edgecolor": (0.5, 0.5, 0.5, 0.9), "lw": 0.8, "ls": (0, (1, 2))}


def _cell(x: float, y: float) -> Any:
    from matplotlib.transforms import Affine2D

    return Affine2D().scale(0.92).translate(x + 0.04, y + 0.04)


def _heap(fig: Figure, left: float, top: float, name: str, heap: list[int]) -> None:
    """A square for each score that was formed: those of this step strong, those before it pale."""
    total, now = sum(heap), heap[-1]
    text = f"scores: {now} now, {total} so far"
    spot = left / SIZE[0], top / SIZE[1]
    fig.text(*spot, text, va="top", fontsize=12, gid=f"{name}-scores")
    columns = 36
    low = top - 0.27 - HEAP * UNIT
    place = (
        left / SIZE[0],
        low / SIZE[1],
        columns * UNIT / SIZE[0],
        HEAP * UNIT / SIZE[1],
    )
    axes = fig.add_axes(place, xlim=(0, columns), ylim=(0, HEAP), xticks=[], yticks=[])
    axes.axis("off")
    spots = [(float(i // HEAP), float(i % HEAP)) for i in range(total)]
    before, new = spots[: total - now], spots[total - now :]
    for part, state, color in ((before, "before", GREY), (new, "now", BLUE)):
        if part:
            look = {"lw": 0, "alpha": 0.45 if state == "before" else 0.9}
            boxes(axes, part, NEW, color, f"{name}-heap-{state}", **look)


LABELS = {NEW: "computed", AGAIN: "computed again", READ: "read", GHOST: "not needed"}


def _legend(fig: Figure, left: float, states: tuple[str, ...]) -> None:
    """What the looks mean, under the half in which they occur."""
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    handles: list[Any] = [Patch(**look_of(state, BLUE), label=LABELS[state]) for state in states]
    if AGAIN in states:
        crosses = {"color": GREY, "marker": "x", "ls": "", "markersize": 5}
        handles.append(Line2D([], [], **crosses, label="masked"))
    fig.legend(
        handles=handles,
        loc="lower left",
        bbox_to_anchor=(left / SIZE[0], 0.0),
        ncols=len(handles),
        fontsize=TEXT,
        handlelength=1.3,
        handleheight=1.1,
        handletextpad=0.5,
        columnspacing=1.1,
        borderaxespad=0.1,
    )
