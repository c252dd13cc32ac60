"""Lab 05: one way to read a sentence, drawn: a matrix, four columns, a heap of scores, a legend."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from plots.measures.kv_cache_watch import WORDS, Call, N
from plots.page import says
from plots.style import BLUE, GREY, INK, KEY, PINK, QUERY, VALUE, is_narrow, number, shade

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

SAME = 1e-3  # larger differences between two rows of attention weights are no rounding
NEW, AGAIN, READ, GHOST = "new", "again", "read", "ghost"  # what a step does with a cell
LABELS = {NEW: "computed", AGAIN: "computed again", READ: "read", GHOST: "not needed"}
PARTS = (("queries", "Q", QUERY), ("keys", "K", KEY), ("values", "V", VALUE))
SINGULAR = {"queries": "query", "keys": "key", "values": "value", "outputs": "output"}
OUTPUTS = ("outputs", "out", GREY)
MATRIX, GAP = 3.35, 0.35  # columns of cells: where the matrix begins, and what follows it
WIDTH = MATRIX + N + GAP + 1
HEAP = 6  # squares in a column of the heap

WIDE, NARROW = (10.4, 5.5), (3.5, 5.9)  # inches: halves side by side, or one below the other


@dataclass(frozen=True)
class Layout:
    """Where a half stands, in inches from the left and from below, and how large its parts are."""

    left: float
    top: float  # of the matrix
    cell: tuple[float, float]
    title: float  # its upper edge
    heap: float  # its upper edge
    unit: float  # of a square in the heap
    size: tuple[float, float]  # of the whole figure
    font: float  # points
    has_words: bool = True  # over the columns

    def place(self, left: float, low: float, width: float, height: float) -> Any:
        """A rectangle in inches as fractions of the figure."""
        across, up = self.size
        return (left / across, low / up, width / across, height / up)


def layout(fig: Figure, side: int) -> Layout:
    """The half's place on this figure: side 0 is without a cache, 1 with one."""
    size = fig.get_size_inches()
    across, up = float(size[0]), float(size[1])
    if is_narrow(fig):
        top = up - (0.68, 3.33)[side]
        cell, title = (0.214, 0.187), (up - 0.02, top + 0.44)[side]
        heap = top - N * cell[1] - 0.07
        return Layout(0.7, top, cell, title, heap, 0.058, (across, up), 9.5, side == 0)
    left = 0.98 + side * across / 2
    return Layout(left, up - 1.15, (0.315, 0.315), up - 0.06, 1.4, 0.118, (across, up), 11.5)


def half(fig: Figure, side: int, title: str, call: Call, heap: list[int], verdict: str) -> None:
    """One way: its matrix, its four columns, its heap, its legend."""
    name, at = ("without", "with")[side], layout(fig, side)
    wide, high = at.cell
    place = at.place(at.left, at.top - N * high, WIDTH * wide, N * high)
    axes = fig.add_axes(place, xlim=(0, WIDTH), ylim=(N, 0), xticks=[], yticks=[])
    axes.axis("off")
    spot = (at.left if at.has_words else 0.05) / at.size[0], at.title / at.size[1]
    big = {"fontsize": at.font + 1.5, "weight": "bold", "va": "top"}
    heading = fig.text(*spot, title, **big)
    _columns(axes, call, name, at)
    _matrix(axes, call, name, at)
    for row, word in enumerate(WORDS[: call.end]):
        weight = "bold" if row >= call.start else "normal"
        look = {"va": "center", "fontsize": at.font, "weight": weight}
        axes.text(-0.25, row + 0.5, word, ha="right", **look)
        if at.has_words:
            x, tilt = MATRIX + row + 0.35, {"rotation": 50, "va": "bottom"}
            axes.text(x, -0.15, word, ha="left", **(look | tilt | {"weight": "normal"}))
    if verdict:
        _verdict(fig, at, call, verdict, heading)
    _heap(fig, at, name, heap)
    _legend(fig, side, at)


def _verdict(fig: Figure, at: Layout, call: Call, verdict: str, heading: Any) -> None:
    """Whether the new rows are those of the other way: below the matrix, or beside the title."""
    new = call.end - call.start
    line = f"new row{'s' * (new > 1)}: {verdict}"
    look = {"va": "top", "fontsize": at.font + 0.5, "weight": "bold"}
    x, y = at.left, at.top - N * at.cell[1] - 0.13
    if not at.has_words:
        box = heading.get_window_extent()
        x, y = box.x1 / fig.dpi + 0.15, at.title - 0.02
    fig.text(x / at.size[0], y / at.size[1], line, gid="verdict", **look)


def _columns(axes: Axes, call: Call, name: str, at: Layout) -> None:
    """Queries, keys, values and outputs of each word: computed, computed again, read, not there."""
    columns = [(*part, float(x)) for x, part in enumerate(PARTS)]
    for part, letter, color, x in [*columns, (*OUTPUTS, WIDTH - 1)]:
        look = {"ha": "center", "va": "bottom", "fontsize": at.font}
        axes.text(x + 0.5, -0.15, letter, **look)
        cells = Cells(axes)
        for p in range(call.end):
            if p in call.computed.get(part, ()):
                state = NEW if p >= call.start else AGAIN
            else:
                state = READ if p in call.read(part) else GHOST
            what = f"{SINGULAR[part]} of “{WORDS[p]}”: {LABELS[state]}"
            cells.add(f"{name}-{part}-{state}", x, p, what, look_of(state, color))
        cells.draw()


def _matrix(axes: Axes, call: Call, name: str, at: Layout) -> None:
    """A cell for each score that was formed, and the outline of those that were not needed."""
    first = call.end - len(call.weights)  # the word of the first row of weights
    cells, crosses = Cells(axes), []
    for r in range(call.end):
        for c in range(call.end):
            formed = (r, c) in call.pairs
            weight = float(call.weights[r - first, c]) if r >= first else 0.0
            hidden = c > r and weight < SAME
            leaks = c > r and weight >= SAME  # what the mask should have hidden stands out
            state = (NEW if r >= call.start or leaks else AGAIN) if formed else GHOST
            if state == GHOST and c > r:
                continue
            masked = hidden and formed
            look = look_of(state, BLUE, filled=False)
            what = f"{LABELS[state]}, and masked" if masked else LABELS[state]
            if formed and not hidden and r >= first:  # a row without an output has no weights
                look["facecolor"] = shade([weight], 1.0, BLUE if state == NEW else GREY)[0]
                what = f"weight {number(weight)}, {LABELS[state]}"
                _write(axes, r, c, weight, name, at)
            gid = f"{name}-{state}-masked" if masked else f"{name}-{state}"
            cells.add(gid, MATRIX + c, r, f"“{WORDS[r]}” → “{WORDS[c]}”: {what}", look)
            crosses += [(MATRIX + c + 0.5, r + 0.5)] * masked
    cells.draw()
    if crosses:
        look = {"color": GREY, "markersize": 5, "mew": 1, "ls": ""}
        axes.plot(*zip(*crosses, strict=True), "x", gid=f"{name}-dots", **look)


def _write(axes: Axes, r: int, c: int, weight: float, name: str, at: Layout) -> None:
    """A weight as the number in its cell."""
    shown = number(weight).removeprefix("0") if weight < 0.995 else "1"
    look = {"ha": "center", "va": "center", "fontsize": at.font, "color": INK, "zorder": 3}
    axes.text(MATRIX + c + 0.5, r + 0.53, shown, gid=f"{name}-{r}-{c}", **look)


class Cells:
    """Squares that are drawn together, those of one gid as one artist; each says what it is."""

    def __init__(self, axes: Axes) -> None:
        self.axes = axes
        self.kinds: dict[str, list[tuple[float, float, str, dict[str, Any]]]] = {}

    def add(self, gid: str, x: float, y: float, what: str, look: dict[str, Any]) -> None:
        """One cell with its left upper corner at (x, y)."""
        self.kinds.setdefault(gid, []).append((x, y, what, look))

    def draw(self) -> None:
        """Draw them all: of one gid only the faces differ."""
        from matplotlib.collections import PolyCollection

        gap = 0.02 if is_narrow(self.axes.figure) else 0.04
        corners = [(gap, gap), (1 - gap, gap), (1 - gap, 1 - gap), (gap, 1 - gap)]
        for gid, found in self.kinds.items():
            squares = [[(x + dx, y + dy) for dx, dy in corners] for x, y, _, _ in found]
            look = dict(found[0][3], facecolor=[look["facecolor"] for *_, look in found])
            if is_narrow(self.axes.figure):
                look["linewidth"] = 0.8
            cells = PolyCollection(squares, gid=gid, **look)
            says(self.axes.add_artist(cells), [what for _, _, what, _ in found])


def look_of(state: str, color: str, filled: bool = True) -> dict[str, Any]:
    """How the cells of a state are painted."""
    from matplotlib.colors import to_rgba

    if state == NEW:
        face = to_rgba(color, 0.62) if filled else "none"
        return {"facecolor": face, "edgecolor": color, "linewidth": 1.6}
    if state == AGAIN:
        return {"facecolor": "none", "edgecolor": PINK, "linewidth": 0.8, "hatch": "///"}
    if state == READ:
        face = to_rgba(color, 0.2)
        return {"facecolor": face, "edgecolor": color, "linewidth": 0.9, "linestyle": (0, (3, 2))}
    pale = (0.5, 0.5, 0.5, 0.9)
    return {"facecolor": "none", "edgecolor": pale, "linewidth": 0.8, "linestyle": (0, (1, 2))}


def _heap(fig: Figure, at: Layout, name: str, heap: list[int]) -> None:
    """A square for each score that was formed: those of this step strong, those before it pale."""
    total, now = sum(heap), heap[-1]
    text = f"scores: {now} now, {total} so far"
    spot = at.left / at.size[0], at.heap / at.size[1]
    fig.text(*spot, text, va="top", fontsize=at.font + 0.5, gid=f"{name}-scores")
    columns, line = 36, 0.015 * at.font + 0.09
    high, across = HEAP * at.unit, columns * at.unit
    place = at.place(at.left, at.heap - line - high, across, high)
    axes = fig.add_axes(place, xlim=(0, columns), ylim=(0, HEAP), xticks=[], yticks=[])
    axes.axis("off")
    spots = [(float(i // HEAP), float(i % HEAP)) for i in range(total)]
    before, new = spots[: total - now], spots[total - now :]
    for part, state, color, alpha in ((before, "before", GREY, 0.45), (new, "now", BLUE, 0.9)):
        if part:
            pile = _pile(part, fc=color, lw=0, alpha=alpha, gid=f"{name}-heap-{state}")
            when = "in this step" if state == "now" else "in the steps before"
            says(axes.add_artist(pile), f"{len(part)} scores {when}")


def _pile(spots: Iterable[tuple[float, float]], **look: Any) -> Any:
    """Many small squares as a single path: one by one they are slow to repaint."""
    from matplotlib.patches import PathPatch
    from matplotlib.path import Path
    from matplotlib.transforms import Affine2D

    small = Affine2D().scale(0.92)
    paths = [Path.unit_rectangle().transformed(small.frozen().translate(x, y)) for x, y in spots]
    return PathPatch(Path.make_compound_path(*paths), **look)


def _legend(fig: Figure, side: int, at: Layout) -> None:
    """What the looks mean: under the half in which they occur, or under both."""
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    states = ((NEW, AGAIN), (NEW, READ, GHOST))[side]
    narrow = is_narrow(fig)
    if narrow and side == 0:
        return
    if narrow:
        states = (NEW, AGAIN, READ, GHOST)
    handles: list[Any] = [Patch(**look_of(state, BLUE), label=LABELS[state]) for state in states]
    if AGAIN in states:
        crosses = {"color": GREY, "marker": "x", "ls": "", "markersize": 5}
        handles.append(Line2D([], [], **crosses, label="masked"))
    left = 0.05 if narrow else at.left - 0.5
    fig.legend(
        handles=handles,
        loc="lower left",
        bbox_to_anchor=(left / at.size[0], 0.0),
        ncols=3 if narrow else len(handles),
        fontsize=at.font,
        handlelength=1.3,
        handleheight=1.1,
        handletextpad=0.5,
        columnspacing=1.1,
        borderaxespad=0.1,
    )
