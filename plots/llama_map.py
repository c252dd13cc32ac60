"""Lab 08: the whole model as one picture, and the vectors of one text on their way through it.

The model is the learner's, with the weights of assets/shakespeare_llama. Shapes, numbers and
guesses are what its own modules gave when it ran.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from assets import shakespeare_llama as trained
from assets.llama_reference import observe
from plots import style
from plots.boxes import visible
from plots.flipbook import Flipbook, explore
from plots.page import says
from plots.style import BLUE, GREY, INK, ORANGE, PINK, number, numbers, shade

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

TEXT = "Art thou Ro"
SIZE, NARROW = (10.2, 5.7), (3.4, 5.7)  # inches
MAP = 4.5  # inches that the boxes have; the vectors stand right of them
STREAM, NORM, PART, BACK = 0.55, 1.55, 3.1, 4.1  # inches from the left: stream, boxes, way back
TOP, ROW, GAP, SUM = (
    1.12,
    0.62,
    0.14,
    0.31,
)  # inches: first row, row to row, between blocks, its sum
BEST = 5  # guesses that are drawn
FULL = 0.98  # of the numbers are smaller than the one with the fullest colour
LABS = {"attention_norm": "02", "ffn_norm": "02", "attention": "06", "feed_forward": "07"}
PARTS = (
    ("attention_norm", "attention", "first sum"),
    ("ffn_norm", "feed_forward", "second sum"),
)
SAYS = {
    "tok_embeddings": "each token becomes its row of the table, and the stream begins.",
    "attention_norm": "a copy of the stream, brought to one size; the stream itself is left alone.",
    "attention": "the only place where positions meet: what each row found in the rows above it.",
    "first sum": "what attention found is added to the stream.",
    "ffn_norm": "again a copy, normed by weights of its own.",
    "feed_forward": "each position for itself; most of the weights are here.",
    "second sum": "added again. This is what the block returns.",
    "norm": "the last norm: the stream may have any size by now.",
    "logits": "one number for each token of the vocabulary, at every position.",
}
Run = tuple[nn.Module, dict[str, Tensor]]


def architecture(Llama: Callable[[Any], nn.Module], LlamaConfig: Callable[..., Any]) -> Flipbook:
    """Walk the vectors of a text through the learner's model, part by part."""
    blocks = trained.CONFIG["n_layers"]
    walk = ["tok_embeddings"]
    for i in range(blocks):
        for norm, part, total in PARTS:
            walk += [f"layers.{i}.{norm}", f"layers.{i}.{part}", f"layers.{i} {total}"]
    walk += ["norm", "logits"]

    @functools.cache
    def run() -> Run:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            model = Llama(LlamaConfig(**trained.CONFIG))
        model.load_state_dict(trained.weights(), strict=False)
        ids = torch.tensor([[trained.VOCAB.index(character) for character in TEXT]])
        return model, observe(model, ids)

    def draw(fig: Figure, step: int) -> str:
        model, seen = run()
        here = walk[step]
        stream, branch = _at(walk, step)
        if style.is_narrow(fig):
            _dots(fig.add_axes((0.02, 0.9, 0.96, 0.09), xticks=[], yticks=[]), walk, step)
            places = [(0.1, 0.58, 0.86, 0.29), (0.1, 0.22, 0.86, 0.29), (0.1, 0.05, 0.86, 0.1)]
        else:
            axes = fig.add_axes((0, 0, MAP / SIZE[0], 1), xticks=[], yticks=[])
            _map(axes, walk, step, blocks, model, seen)
            places = [(0.49, 0.65, 0.5, 0.3), (0.49, 0.27, 0.5, 0.3), (0.49, 0.06, 0.5, 0.12)]
        above, below, guesses = (fig.add_axes(place, xticks=[], yticks=[]) for place in places)
        _vectors(above, seen.get(stream), "the stream", BLUE)
        _vectors(below, seen.get(branch) if branch else None, _branch_title(branch), ORANGE)
        guess = _guesses(model, seen, here, stream)
        _bars(guesses, guess)
        return _caption(here, model, seen, guess)

    return explore(
        draw, step=range(len(walk)), start={"step": 2}, play="step", size=SIZE, narrow=NARROW
    )


def _at(walk: list[str], step: int) -> tuple[str, str]:
    """The step whose vectors are the stream now, and the one whose vectors are beside it."""
    streams = [name for name in walk[: step + 1] if name.endswith(("sum", "embeddings"))]
    here = walk[step]
    if here.endswith("sum"):
        return streams[-1], walk[step - 1]  # what was added
    return streams[-1], {"tok_embeddings": "", "logits": "norm"}.get(here, here)


def _branch_title(branch: str) -> str:
    if not branch:
        return "beside it: nothing"
    return "beside it: its copy, normed" if branch.endswith("norm") else "beside it: what is added"


def _vectors(axes: Axes, values: Tensor | None, title: str, color: str) -> None:
    """A row for each token, a column for each of its numbers; the fullest colour is the largest."""
    from matplotlib.collections import PolyCollection

    axes.set_title(title, fontsize=10, loc="left", pad=4)
    axes.set_yticks(range(len(TEXT)), [visible(character) for character in TEXT])
    axes.tick_params(length=0, labelsize=9.5)
    axes.spines[:].set(visible=True, color=GREY, linewidth=0.6)
    axes.set(ylim=(len(TEXT) - 0.5, -0.5))
    if values is None or values.ndim != 3:
        return
    rows = numbers(values[0])
    large = float(values[0].abs().quantile(FULL))
    width = rows.shape[1]
    axes.imshow(
        shade(rows, large, color, GREY),
        interpolation="none",  # each number has pixels of its own
        aspect="auto",
        extent=(-0.5, width - 0.5, len(rows) - 0.5, -0.5),
        gid=f"vectors-{color}",
    )
    axes.set_title(f"full: ±{number(large, 1)}", fontsize=9.5, loc="right", pad=4)
    bars = [
        [(-0.5, y - 0.5), (width - 0.5, y - 0.5), (width - 0.5, y + 0.5), (-0.5, y + 0.5)]
        for y in range(len(rows))
    ]
    covers = PolyCollection(bars, facecolors="none", linewidths=0)
    sizes = (rows**2).mean(1) ** 0.5
    texts = [
        f"{letter!r}, position {place}: {width} numbers of size {number(size)}"
        for place, (letter, size) in enumerate(zip(TEXT, sizes, strict=True))
    ]
    says(covers, texts)
    axes.add_collection(covers)


def _guesses(
    model: nn.Module, seen: dict[str, Tensor], here: str, stream: str
) -> list[tuple[str, float]]:
    """What the model would guess as the next token if the stream went to the output from here."""
    with torch.no_grad():
        if here == "logits":
            logits = seen.get("logits")
        elif stream not in seen:
            logits = None
        else:
            table = getattr(model, "output", None) or model.tok_embeddings
            logits = nn.functional.linear(model.norm(seen[stream]), table.weight)
    if logits is None:
        return []
    chances, which = logits[0, -1].float().softmax(-1).topk(BEST)
    return [(trained.VOCAB[i], p) for i, p in zip(which.tolist(), chances.tolist(), strict=True)]


def _bars(axes: Axes, guesses: list[tuple[str, float]]) -> None:
    """The guesses, side by side."""
    axes.set(xlim=(-0.6, BEST - 0.4), ylim=(0, 1.4))
    axes.set_title(f"from here, “{TEXT}” would go on with", fontsize=10, loc="left", pad=2)
    axes.tick_params(length=0, labelsize=10)
    axes.spines[["left"]].set_visible(False)
    for place, (token, chance) in enumerate(guesses):
        (bar,) = axes.bar([place], [chance], 0.8, color=PINK, gid=f"guess-{place}")
        says(bar, f"{token!r}: {100 * chance:.0f} %")
        text = f"{100 * chance:.0f} %"
        axes.text(place, chance + 0.03, text, ha="center", va="bottom", fontsize=9.5)
    axes.set_xticks(range(len(guesses)), [visible(token) for token, _ in guesses])


def _caption(
    here: str, model: nn.Module, seen: dict[str, Tensor], guesses: list[tuple[str, float]]
) -> str:
    if here not in seen:
        return f"{here}: your model never ran a module of this name."
    kind = next(key for key in reversed(SAYS) if here.endswith(key))
    weights = {name: _weights(module) for name, module in model.named_modules()}
    own = weights.get("output", 0) if here == "logits" else weights.get(here, 0)
    of = f"; {own:,} of the model's {weights['']:,} weights" if own else ""
    token, chance = guesses[0] if guesses else ("?", 0.0)
    return (
        f"{here}, {_shape(seen[here])}{of}: {SAYS[kind]}{_inside(here, seen)} The guess from here: "
        f"{token!r}, {100 * chance:.0f} %."
    )


def _inside(here: str, seen: dict[str, Tensor]) -> str:
    """The shapes within a part, where its matrices are modules."""
    shapes = {name: _shape(seen.get(f"{here}.{name}")) for name in ("wq", "wk", "w_gate")}
    if shapes["w_gate"] != "?":
        return f" Inside there are {shapes['w_gate']} numbers."
    if "?" in (shapes["wq"], shapes["wk"]):
        return ""
    return f" Inside: queries {shapes['wq']}, keys and values {shapes['wk']} each, all heads."


def _weights(module: nn.Module) -> int:
    return sum(weight.numel() for weight in module.parameters())


def _shape(value: Tensor | None) -> str:
    return "?" if value is None else str(tuple(value.shape))


# ---- the map


def _height(row: int) -> float:
    """Where row 0, 1, … stands, in inches from the top."""
    return TOP + row * ROW + row // 2 * GAP


def _map(
    axes: Axes, walk: list[str], step: int, blocks: int, model: nn.Module, seen: dict[str, Tensor]
) -> None:
    """The boxes, the stream as far as it has come, and what leaves it and comes back."""
    axes.set(xlim=(0, MAP), ylim=(SIZE[1], 0))
    axes.set_axis_off()
    here, reached = walk[step], set(walk[: step + 1])
    axes.text(STREAM, 0.16, "tokens", ha="center", va="center", fontsize=10)
    axes.plot([STREAM] * 2, [0.26, 0.38], "-", color=INK, linewidth=1)
    last = _height(2 * blocks - 1) + SUM + 0.42
    _stream(axes, walk, reached, last)
    _box(axes, "tok_embeddings", 0.85, 0.58, 1.6, ["tok_embeddings"], "01", here, seen)
    for row in range(2 * blocks):
        norm, part, total = PARTS[row % 2]
        name, y = f"layers.{row // 2}", _height(row)
        lit = f"{name} {total}" == here
        _branch(axes, y, lit, f"{name}.{norm}" in reached)
        _box(axes, f"{name}.{norm}", NORM, y, 1.35, [norm], "02", here, seen)
        lines = [part, "RoPE 03, cache 05"] if part == "attention" else [part]
        _box(axes, f"{name}.{part}", PART, y, 1.45, lines, LABS[part], here, seen)
        _sum(axes, f"{name} {total}", y + SUM, lit)
    for block in range(blocks):
        y = (_height(2 * block) + _height(2 * block + 1)) / 2
        axes.text(4.28, y + 0.1, f"layers[{block}]", rotation=-90, va="center", fontsize=9.5)
    _box(axes, "norm", STREAM + 0.12, last, 0.8, ["norm"], "02", here, seen)
    tied = "output.weight" not in dict(model.named_parameters())
    lines = ["table again" if tied else "output"]
    axes.plot([STREAM + 0.52, NORM + 0.2], [last] * 2, "-", color=INK, linewidth=1)
    _box(axes, "logits", NORM + 1.1, last, 1.8, lines, "08", here, seen)
    axes.text(NORM + 2.1, last, "→ logits", va="center", fontsize=9.5)


def _box(
    axes: Axes,
    name: str,
    x: float,
    y: float,
    width: float,
    lines: list[str],
    lab: str,
    here: str,
    seen: dict[str, Tensor],
) -> None:
    """A part with its name and lab; dashed if the model never ran it."""
    from matplotlib.colors import to_rgba
    from matplotlib.patches import FancyBboxPatch

    height, lit = 0.4, name == here
    left = x - width / 2
    look = "round,pad=0,rounding_size=0.06"
    patch = FancyBboxPatch((left, y - height / 2), width, height, boxstyle=look, zorder=3)
    patch.set(facecolor=to_rgba(PINK, 0.4) if lit else "none", edgecolor=PINK if lit else GREY)
    patch.set(linewidth=2.4 if lit else 1.2, linestyle="-" if name in seen else ":")
    patch.set_gid(f"box-{name}")
    says(patch, f"{name}: {_shape(seen.get(name))}, lab {lab}")
    axes.add_patch(patch)
    up = 0.08 if len(lines) > 1 else 0.0
    text = {"va": "center", "zorder": 4, "fontsize": 9.5}
    axes.text(left + 0.06, y - up, lines[0], fontweight="bold" if lit else "normal", **text)
    axes.text(left + width - 0.06, y - up, lab, ha="right", **text)
    for line in lines[1:]:
        axes.text(left + 0.06, y + up, line, **text)


def _stream(axes: Axes, walk: list[str], reached: set[str], end: float) -> None:
    """The stream down the left edge, fat as far as the walk has come."""
    axes.plot([STREAM] * 2, [0.78, end - 0.2], "-", color=INK, linewidth=1.2, alpha=0.7)
    sums = [name for name in walk if name.endswith("sum")]
    done = sum(name in reached for name in sums)
    bottom = _height(done) if done < len(sums) else end - 0.2
    axes.plot([STREAM] * 2, [0.78, bottom], "-", color=BLUE, linewidth=4, gid="stream")


def _branch(axes: Axes, y: float, lit: bool, reached: bool) -> None:
    """From the stream through norm and part, and back to the sum below."""
    color, width = (ORANGE, 2.4) if lit else (INK, 1.0)
    way = {"color": ORANGE if reached else INK, "linewidth": 1.6 if reached else 1.0}
    axes.plot([STREAM, NORM - 0.7], [y, y], "-", **way)
    axes.plot([NORM - 0.72], [y], ">", color=way["color"], markersize=5)
    axes.plot([NORM + 0.675, PART - 0.725], [y, y], "-", **way)
    points = [(PART + 0.725, y), (BACK, y), (BACK, y + SUM), (STREAM + 0.1, y + SUM)]
    axes.plot(*zip(*points, strict=True), "-", color=color, linewidth=width)
    axes.plot([STREAM + 0.15], [y + SUM], "<", color=color, markersize=5)


def _sum(axes: Axes, name: str, y: float, lit: bool) -> None:
    """A sum: a circle with a plus."""
    color = PINK if lit else GREY
    axes.plot([STREAM], [y], "o", markersize=11, color="none", markeredgecolor=color, zorder=3)
    axes.lines[-1].set(markeredgewidth=2.4 if lit else 1.2, gid=f"box-{name}")
    axes.plot([STREAM], [y], "+", markersize=7, color=INK, markeredgewidth=1.6, zorder=3)


def _dots(axes: Axes, walk: list[str], step: int) -> None:
    """The walk as one row of dots, for a narrow screen: small for what leads to a sum."""
    axes.set(xlim=(-0.7, len(walk) - 0.3), ylim=(-1.6, 0.6))
    axes.set_axis_off()
    axes.plot([0, len(walk) - 1], [0, 0], "-", color=GREY, linewidth=1)
    for place, name in enumerate(walk):
        on_stream = name.endswith(("sum", "embeddings", "logits"))
        mark = axes.plot([place], [0], "o", color=BLUE if on_stream else ORANGE)[0]
        mark.set(markersize=7 if on_stream else 5, gid=f"box-{name}")
        if place == step:
            mark.set(markeredgecolor=PINK, markeredgewidth=3, markersize=11)
    side = "left" if step < 7 else "right" if step > 13 else "center"
    look = {"ha": side, "va": "center", "fontsize": 9.5, "fontweight": "bold"}
    axes.text(step, -1.15, walk[step], **look)
