"""Lab 00: the map. Llama 3 as a whole, one of its blocks, and the inside of one part of a block."""

from __future__ import annotations

from typing import TYPE_CHECKING

from plots import style
from plots.flipbook import Flipbook, explore
from plots.measures.start_here import PARAMETERS, STOPS, TOTAL, ZOOMS, caption, percent
from plots.page import says
from plots.style import GREY, INK, KEY, PINK, QUERY, VALUE

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

SIZE, NARROW = (10.2, 5.75), (3.4, 5.75)  # inches
WIDTH, HEIGHT = 3.0, 4.8  # inches of a panel
LEFTS = (0.1, 3.6, 7.1)  # inches, of the three panels: each shows a part of the one before
SLIM = 0.42  # inches of a panel on a narrow screen, but for the last

# name → panel, left, top, width, height in inches; label; lab; colour of the outline
BOXES = {
    "tokens": ("model", 0.25, 0.75, 2.05, 0.4, "text → tokens", "01", GREY),
    "embedding": ("model", 0.25, 1.3, 2.05, 0.4, "tokens → vectors", "01", GREY),
    "blocks": ("model", 0.25, 1.85, 2.05, 1.15, "32 blocks", "08", GREY),
    "last norm": ("model", 0.25, 3.15, 2.05, 0.4, "RMSNorm", "02", GREY),
    "output": ("model", 0.25, 3.7, 2.05, 0.4, "output projection", "08", GREY),
    "sample": ("model", 0.25, 4.25, 2.05, 0.4, "choose a token", "10", GREY),
    "first norm": ("block", 0.95, 0.75, 1.85, 0.42, "RMSNorm", "02", GREY),
    "attention": ("block", 0.95, 1.5, 1.85, 0.42, "attention", "04", GREY),
    "sum 1": ("block", 0.25, 2.18, 0.3, 0.3, "+", "08", GREY),
    "second norm": ("block", 0.95, 2.65, 1.85, 0.42, "RMSNorm", "02", GREY),
    "swiglu": ("block", 0.95, 3.4, 1.85, 0.42, "SwiGLU", "07", GREY),
    "sum 2": ("block", 0.25, 4.08, 0.3, 0.3, "+", "08", GREY),
    "q": ("attention", 0.1, 0.9, 0.9, 0.42, "32 q", "04", QUERY),
    "k": ("attention", 1.1, 0.9, 0.82, 0.42, "8 k", "06", KEY),
    "v": ("attention", 2.05, 0.9, 0.82, 0.42, "8 v", "06", VALUE),
    "rope": ("attention", 0.1, 1.75, 1.82, 0.42, "RoPE: turn", "03", GREY),
    "cache": ("attention", 1.1, 2.6, 1.77, 0.42, "KV cache", "05", GREY),
    "scores": ("attention", 0.1, 3.45, 2.77, 0.42, "who looks at whom", "04", GREY),
    "gate": ("swiglu", 0.1, 1.1, 1.32, 0.42, "gates", "07", GREY),
    "value": ("swiglu", 1.55, 1.1, 1.32, 0.42, "values", "07", GREY),
    "product": ("swiglu", 0.5, 2.15, 2.0, 0.42, "gate × value", "07", GREY),
    "down": ("swiglu", 0.3, 3.2, 2.4, 0.42, "and down again", "07", GREY),
    "mean square": ("norm", 0.3, 1.1, 2.4, 0.42, "mean square", "00", GREY),
    "root": ("norm", 0.3, 2.1, 2.4, 0.42, "divide by its root", "02", GREY),
    "weight": ("norm", 0.3, 3.1, 2.4, 0.42, "times a weight", "02", GREY),
    "table": ("table", 0.6, 0.95, 1.75, 3.3, "", "01", GREY),
    "logits": ("choose", 0.35, 0.9, 2.3, 0.42, "128,256 scores", "08", GREY),
    "chances": ("choose", 0.35, 2.0, 2.3, 0.42, "chances", "10", GREY),
    "draw": ("choose", 0.35, 3.1, 2.3, 0.42, "draw one", "10", GREY),
}
TITLES = {
    "model": "Llama 3 8B",
    "block": "one of its 32 blocks",
    "attention": "inside attention",
    "swiglu": "inside SwiGLU",
    "norm": "inside RMSNorm",
    "table": "the table",
    "choose": "choosing a token",
}
# panel → its lines: points in inches, colour; the last point has an arrow head
LINES = {
    "model": [
        *(([(1.28, top), (1.28, bottom)], INK) for top, bottom in ((0.58, 0.72), (1.15, 1.27))),
        *(([(1.28, top), (1.28, bottom)], INK) for top, bottom in ((1.7, 1.82), (3.0, 3.12))),
        *(([(1.28, top), (1.28, bottom)], INK) for top, bottom in ((3.55, 3.67), (4.1, 4.22))),
    ],
    "block": [
        ([(0.4, 0.45), (0.4, 4.7)], INK),
        ([(0.4, 0.96), (0.92, 0.96)], INK),
        ([(1.88, 1.17), (1.88, 1.47)], INK),
        ([(1.88, 1.92), (1.88, 2.33), (0.58, 2.33)], INK),
        ([(0.4, 2.86), (0.92, 2.86)], INK),
        ([(1.88, 3.07), (1.88, 3.37)], INK),
        ([(1.88, 3.82), (1.88, 4.23), (0.58, 4.23)], INK),
    ],
    "attention": [
        *(
            ([(x, 0.5), (x, 0.87)], color)
            for x, color in ((0.55, QUERY), (1.51, KEY), (2.46, VALUE))
        ),
        ([(0.55, 1.32), (0.55, 1.72)], QUERY),
        ([(1.51, 1.32), (1.51, 1.72)], KEY),
        ([(0.55, 2.17), (0.55, 3.42)], QUERY),
        ([(1.51, 2.17), (1.51, 2.57)], KEY),
        ([(2.46, 1.32), (2.46, 2.57)], VALUE),
        ([(1.51, 3.02), (1.51, 3.42)], KEY),
        ([(2.46, 3.02), (2.46, 3.42)], VALUE),
        ([(1.5, 3.87), (1.5, 4.35)], INK),
    ],
    "swiglu": [
        ([(0.76, 0.72), (0.76, 1.07)], INK),
        ([(2.21, 0.72), (2.21, 1.07)], INK),
        ([(0.76, 1.52), (0.76, 1.82), (1.2, 1.82), (1.2, 2.12)], INK),
        ([(2.21, 1.52), (2.21, 1.82), (1.8, 1.82), (1.8, 2.12)], INK),
        ([(1.5, 2.57), (1.5, 3.17)], INK),
        ([(1.5, 3.62), (1.5, 4.05)], INK),
    ],
    "norm": [([(1.5, top), (1.5, top + 0.45)], INK) for top in (0.62, 1.6, 2.6, 3.55)],
    "table": [],
    "choose": [([(1.5, top), (1.5, top + 0.6)], INK) for top in (1.35, 2.45, 3.55)],
}
# panel → what stands beside its lines: x, y, text
NOTES = {
    "model": [(1.28, 0.45, "dog bites …")],
    "block": [(1.88, 2.48, "4,096 numbers a token"), (1.88, 4.5, "to the next block")],
    "attention": [(1.5, 0.38, "4,096 numbers"), (1.5, 4.5, "32 mixtures, to wo")],
    "swiglu": [
        (1.5, 0.6, "4,096 numbers"),
        (1.5, 1.67, "14,336 each"),
        (1.95, 2.87, "14,336"),
        (1.5, 4.2, "4,096 numbers"),
    ],
    "norm": [(1.5, 0.5, "4,096 numbers"), (1.5, 4.2, "4,096 numbers of one size")],
    "table": [(1.5, 0.72, "4,096 columns"), (1.48, 4.42, "128,256 rows, one a token")],
    "choose": [(1.5, 0.65, "one for each token"), (1.5, 4.35, "“man”, back to the top")],
}


def model_map() -> Flipbook:
    """Draw Llama 3 and zoom into the part that each lab builds; the slider walks lab by lab."""

    def draw(fig: Figure, lab: int) -> str:
        lit, counted, _ = STOPS[lab]
        panels, sources = ZOOMS[lab]
        narrow = style.is_narrow(fig)
        across, up = fig.get_size_inches()
        spots = _spots(len(panels), narrow)
        drawn = []
        for place, (panel, (left, width)) in enumerate(zip(panels, spots, strict=True)):
            axes = fig.add_axes(
                (left / across, 1 - HEIGHT / up, width / across, HEIGHT / up),
                label=panel,
                xticks=[],
                yticks=[],
            )
            axes.set(xlim=(0, WIDTH), ylim=(HEIGHT, 0))
            axes.set_axis_off()
            _panel(axes, panel, lit, words=not narrow or place == len(panels) - 1)
            drawn.append(axes)
        for outer, inner, source in zip(drawn, drawn[1:], sources, strict=False):
            _zoom(outer, inner, source)
        _shares(fig, counted, narrow)
        return caption(lab)

    return explore(
        draw, lab=range(len(STOPS)), start={"lab": 0}, play="lab", size=SIZE, narrow=NARROW
    )


def _spots(count: int, narrow: bool) -> list[tuple[float, float]]:
    """Left edge and width of each panel, in inches."""
    if not narrow:
        return [(left, WIDTH) for left in LEFTS[:count]]
    slim = [(0.02 + place * (SLIM + 0.1), SLIM) for place in range(count - 1)]
    left = 0.02 + (count - 1) * (SLIM + 0.1)
    return [*slim, (left, min(WIDTH, NARROW[0] - 0.05 - left))]


def _panel(axes: Axes, panel: str, lit: tuple[str, ...], words: bool) -> None:
    """The boxes of one panel, the lines between them, and their names where there is room."""
    for points, color in LINES[panel]:
        x, y = zip(*points, strict=True)
        axes.plot(x, y, "-", color=color, linewidth=1.2)
        down = points[-1][1] > points[-2][1]
        left = points[-1][0] < points[-2][0]
        axes.plot(x[-1:], y[-1:], "v" if down else "<" if left else ">", color=color, markersize=5)
    if panel == "model":
        _loop(axes, "loop" in lit, words)
    if panel == "table":
        _rows(axes, words)
    for name, (where, *box) in BOXES.items():
        if where == panel:
            _box(axes, name, box, name in lit, words)
    if words:
        look = {"ha": "center", "va": "center"}
        axes.text(WIDTH / 2, 0.14, TITLES[panel], fontsize=11, fontweight="bold", **look)
        for x, y, text in NOTES[panel]:
            axes.text(x, y, text, fontsize=9.5, style="italic", **look)


def _box(axes: Axes, name: str, box: list, lit: bool, words: bool) -> None:
    """A part with its label and the number of its lab."""
    from matplotlib.colors import to_rgba
    from matplotlib.patches import FancyBboxPatch

    left, top, width, height, label, lab, color = box
    look = "round,pad=0,rounding_size=0.06"
    patch = FancyBboxPatch((left, top), width, height, boxstyle=look, gid=f"box-{name}", zorder=3)
    patch.set(facecolor=to_rgba(PINK, 0.4) if lit else "none")
    patch.set(edgecolor=PINK if lit and color == GREY else color, linewidth=2.4 if lit else 1.2)
    says(patch, f"{name}: lab {lab}")
    axes.add_patch(patch)
    if name == "blocks":
        edges = [top + height * slab / 32 for slab in range(1, 32)]
        axes.hlines(edges, left, left + width, colors=GREY, linewidths=0.4, alpha=0.7)
    if not words or not label:
        return
    text = {"va": "center", "zorder": 4, "fontweight": "bold" if lit else "normal"}
    middle = top + height / 2
    if label == "+":
        axes.text(left + width / 2, middle, "+", ha="center", fontsize=13, **text)
        return
    axes.text(left + 0.09, middle, label, fontsize=9.5, **text)
    text["fontweight"] = "normal"
    axes.text(left + width - 0.08, middle, lab, ha="right", fontsize=9.5, **text)


def _loop(axes: Axes, lit: bool, words: bool) -> None:
    """The chosen token goes in again at the top."""
    color, width = (PINK, 2.6) if lit else (INK, 1.2)
    points = ((2.3, 4.45), (2.62, 4.45), (2.62, 0.45), (1.95, 0.45))
    axes.plot(*zip(*points, strict=True), "-", color=color, linewidth=width, gid="loop")
    axes.plot([1.95], [0.45], "<", color=color, markersize=5)
    if words:
        axes.text(2.75, 2.4, "man", rotation=-90, va="center", fontsize=9.5, style="italic")


def _rows(axes: Axes, words: bool) -> None:
    """Rows of the table; the token's own is full."""
    left, top, width, height = BOXES["table"][1:5]
    edges = [top + height * row / 16 for row in range(1, 16)]
    axes.hlines(edges, left, left + width, colors=GREY, linewidths=0.5)
    axes.barh([top + height * 5.5 / 16], [width], height / 16, left=left, color=PINK, zorder=4)
    if words:
        axes.text(left - 0.06, top + height * 5.5 / 16, "dog", ha="right", va="center", fontsize=10)


def _zoom(outer: Axes, inner: Axes, source: str) -> None:
    """Two lines from a box to the panel that shows its inside."""
    from matplotlib.patches import ConnectionPatch

    _, left, top, width, height, *_ = BOXES[source]
    if source == "blocks":  # one slab of them
        top, height = top + 0.5 * height, height / 32
    for y, end in ((top, 0.28), (top + height, HEIGHT - 0.02)):
        line = ConnectionPatch(
            (left + width, y), (0.0, end), "data", "data", axesA=outer, axesB=inner
        )
        line.set(color=PINK, linewidth=1, linestyle=(0, (4, 3)), gid=f"zoom-{source}")
        outer.figure.add_artist(line)
    inner.plot([0.0, 0.0], [0.28, HEIGHT - 0.02], "-", color=PINK, linewidth=1, clip_on=False)


def _shares(fig: Figure, counted: tuple[str, ...], narrow: bool) -> None:
    """All parameters as one bar; those that are spoken of are filled."""
    from matplotlib.colors import to_rgba

    up = fig.get_figheight()
    axes = fig.add_axes((0.02, 0.05 / up, 0.96, 0.8 / up), label="shares", xticks=[], yticks=[])
    axes.set(xlim=(0, 1), ylim=(-0.5, 1.6))
    axes.set_axis_off()
    axes.text(0, 1.35, f"{TOTAL:,} parameters", fontsize=9.5, va="center")
    left, middles = 0.0, {}
    for part, count in PARAMETERS.items():
        share = count / TOTAL
        fill = to_rgba(PINK, 0.55) if part in counted else "none"
        axes.barh([0.75], [share], left=left, height=0.5, color=[fill], edgecolor=GREY)
        patch = axes.patches[-1]
        patch.set(linewidth=1, gid=f"share-{part}")
        says(patch, f"{part}: {count:,}, {percent(count)}")
        middles[part] = left + share / 2
        left += share
    attention = PARAMETERS["queries"] + PARAMETERS["keys and values"]
    start = PARAMETERS["embedding"] / TOTAL
    words = {
        "table": (middles["embedding"], PARAMETERS["embedding"]),
        "attention": (start + attention / TOTAL / 2, attention),
        "SwiGLU": (middles["SwiGLU"], PARAMETERS["SwiGLU"]),
        "output": (middles["output"], PARAMETERS["output"]),
    }
    for part, (x, count) in words.items():
        if narrow and part in ("table", "output"):
            continue
        side = "center" if part not in ("table", "output") else "left" if x < 0.5 else "right"
        at = {"left": 0.0, "right": 1.0}.get(side, x)
        axes.text(at, 0.1, f"{part} {percent(count)}", ha=side, va="center", fontsize=9.5)
