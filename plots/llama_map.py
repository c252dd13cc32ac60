"""Lab 08: the whole model as one picture, walked through by tokens that the learner's model reads.

Shapes and numbers of weights are what its modules had when it ran.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from assets.llama_reference import observe
from plots.flipbook import Flipbook, explore
from plots.style import GREY, INK, PINK

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

SIZES = {"dim": 32, "n_layers": 2, "n_heads": 4, "n_kv_heads": 2, "vocab_size": 64}
TOKENS = 5
SIZE = (7.2, 5.55)  # inches
STREAM, READ, WORK, BACK = 0.95, 2.15, 4.05, 5.75  # inches from the left: stream, norm, part, turn
ROW, GAP = 0.84, 0.3  # inches from one row to the next; more between blocks
SUM = 0.4  # inches from a row to the sum below it
LABS = {"attention_norm": "02", "ffn_norm": "02", "attention": "06", "feed_forward": "07"}
SAYS = {
    "tok_embeddings": "each token becomes a vector, its row of the table. The stream begins.",
    "attention_norm": "a copy of the stream, brought to one size. The stream itself is left alone.",
    "attention": "the only place where positions meet. It is handed the angles for RoPE, and this "
    "layer's cache if there is one.",
    "first sum": "what attention found is added to the stream.",
    "ffn_norm": "again a copy, normed by weights of its own.",
    "feed_forward": "each position for itself; most of the weights are here.",
    "second sum": "added again. This is what the block returns.",
    "norm": "the last norm: the stream may have any size by now.",
    "logits": "one number for each token of the vocabulary, at every position.",
}


def architecture(Llama: Callable[[Any], nn.Module], LlamaConfig: Callable[..., Any]) -> Flipbook:
    """Draw the model that the learner built, and walk five tokens through it, step by step."""
    count = SIZES["n_layers"]
    sublayers = [(i, *names) for i in range(count) for names in PARTS]
    walk = ["tok_embeddings"]
    for i, norm, part, total in sublayers:
        walk += [f"layers.{i}.{norm}", f"layers.{i}.{part}", f"layers.{i} {total}"]
    walk += ["norm", "logits"]

    def run() -> tuple[nn.Module, dict[str, Tensor]]:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            model = Llama(LlamaConfig(**SIZES, hidden_dim=88, max_seq_len=16))
            return model, observe(model, torch.arange(TOKENS)[None])

    def draw(fig: Figure, step: int) -> str:
        model, seen = run()
        weights = {name: _weights(module) for name, module in model.named_modules()}
        here = walk[step]
        axes = fig.add_axes((0, 0, 1, 1))
        axes.set(xlim=(0, SIZE[0]), ylim=(SIZE[1], 0))
        axes.set_axis_off()
        _stream(axes, walk, here, seen)
        look = {"here": here, "seen": seen, "weights": weights}
        _box(axes, "tok_embeddings", STREAM, 0.62, "tok_embeddings", "01", **look)
        for row, (i, norm, part, total) in enumerate(sublayers, start=1):
            y = _height(row)
            _branch(axes, y, f"layers.{i} {total}" == here)
            _box(axes, f"layers.{i}.{norm}", READ + 0.25, y, norm, LABS[norm], **look)
            _box(axes, f"layers.{i}.{part}", WORK + 0.55, y, part, LABS[part], **look)
            if part == "attention":
                _aside(axes, WORK + 0.15, y, "RoPE", "03")
                _aside(axes, WORK + 0.95, y, "cache", "05")
        for i in range(count):
            _frame(axes, _height(1 + 2 * i) - 0.48, f"layers[{i}]")
        between = (_height(2) + _height(3)) / 2
        axes.text(6.45, between, "2 × here,\n32 × in 8B", va="center", fontsize=8.5)
        last = _height(2 * count) + SUM + 0.5
        _box(axes, "norm", STREAM, last, "norm", "02", **look)
        tied = "output.weight" not in dict(model.named_parameters())
        label = "tok_embeddings again" if tied else "output"
        _box(axes, "logits", READ + 0.65, last, label, "08", **look)
        axes.plot([STREAM + 0.72, READ - 0.17], [last] * 2, "-", color=INK, linewidth=1)
        logits = _shape(seen.get("logits"))
        axes.text(READ + 1.62, last, f"→ logits {logits}", va="center", fontsize=9.5)
        return _caption(here, seen, weights)

    return explore(draw, step=range(len(walk)), start={"step": 2}, play="step", size=SIZE)


PARTS = (
    ("attention_norm", "attention", "first sum"),
    ("ffn_norm", "feed_forward", "second sum"),
)


def _height(row: int) -> float:
    """Where row 1, 2, … stands, in inches from the top."""
    return 1.42 + (row - 1) * ROW + (row - 1) // 2 * GAP


def _weights(module: nn.Module) -> int:
    return sum(weight.numel() for weight in module.parameters())


def _shape(value: Tensor | None) -> str:
    return "?" if value is None else str(tuple(value.shape))


def _caption(here: str, seen: dict[str, Tensor], weights: dict[str, int]) -> str:
    name = here.rpartition(" ")[2] if here.endswith("sum") else here.rpartition(".")[2]
    kind = next(key for key in SAYS if here.endswith(key)) if here.endswith("sum") else name
    if here not in seen:
        return f"{here}: your model never ran a module of this name."
    own = weights.get(here, 0)
    if here == "logits":
        own = weights.get("output", 0)
    of = f"; {own:,} of the model's {weights['']:,} weights" if own else ""
    return f"{here}, {_shape(seen[here])}{of}: {SAYS[kind]}{_inside(here, seen)}"


def _inside(here: str, seen: dict[str, Tensor]) -> str:
    """The shapes within a part, where its matrices are modules."""
    shapes = {name: _shape(seen.get(f"{here}.{name}")) for name in ("wq", "wk", "w_gate")}
    if shapes["w_gate"] != "?":
        return f" Inside there are {shapes['w_gate']} numbers."
    if "?" in (shapes["wq"], shapes["wk"]):
        return ""
    return f" Inside: queries {shapes['wq']}, keys and values {shapes['wk']} each, all heads."


def _box(
    axes: Axes,
    name: str,
    x: float,
    y: float,
    label: str,
    lab: str,
    *,
    here: str,
    seen: dict[str, Tensor],
    weights: dict[str, int],
) -> None:
    """A part with its name and lab; dashed if the model never ran it."""
    from matplotlib.colors import to_rgba
    from matplotlib.patches import FancyBboxPatch

    width, height, lit = 1.55, 0.44, name == here
    style = "round,pad=0,rounding_size=0.06"
    left, top = x - width / 2, y - height / 2
    patch = FancyBboxPatch((left, top), width, height, boxstyle=style, gid=f"box-{name}")
    patch.set(facecolor=to_rgba(PINK, 0.4) if lit else "none", edgecolor=PINK if lit else GREY)
    patch.set(linewidth=2.4 if lit else 1.2, linestyle="-" if name in seen else ":", zorder=3)
    axes.add_patch(patch)
    bold = "bold" if lit else "normal"
    text = {"va": "center", "zorder": 4}
    axes.text(left + 0.08, y, label, fontsize=9.5, fontweight=bold, **text)
    frame = {"boxstyle": "round,pad=0.15", "facecolor": "none", "edgecolor": GREY, "linewidth": 0.7}
    if label != "tok_embeddings again":
        axes.text(left + width - 0.08, y, lab, ha="right", fontsize=8, bbox=frame, **text)


def _aside(axes: Axes, x: float, y: float, label: str, lab: str) -> None:
    """What attention uses inside, as a small box on its upper edge."""
    from matplotlib.patches import Rectangle

    box = Rectangle((x - 0.36, y - 0.44), 0.72, 0.22, fill=False, edgecolor=GREY, linewidth=0.8)
    axes.add_patch(box)
    axes.text(x - 0.31, y - 0.33, label, va="center", fontsize=8)
    axes.text(x + 0.31, y - 0.33, lab, ha="right", va="center", fontsize=7)


def _stream(axes: Axes, walk: list[str], here: str, seen: dict[str, Tensor]) -> None:
    """The stream down the left edge, fat as far as the walk has come."""
    axes.text(STREAM, 0.2, f"ids (1, {TOKENS})", ha="center", va="center", fontsize=9.5)
    axes.plot([STREAM] * 2, [0.29, 0.4], "-", color=INK, linewidth=1)
    shape = _shape(seen.get("tok_embeddings"))
    axes.text(STREAM + 0.87, 0.62, f"→ {shape}: one vector for each token", va="center", fontsize=9)
    end = _height(2 * SIZES["n_layers"]) + SUM + 0.28
    axes.plot([STREAM] * 2, [0.84, end], "-", color=INK, linewidth=1.2, alpha=0.7)
    sums = [step for step in walk if step.endswith("sum")]
    reached = walk.index(here)
    done = sum(walk.index(step) <= reached for step in sums)  # sums behind us
    bottom = _height(done + 1) if done < len(sums) else end
    if reached:
        axes.plot([STREAM] * 2, [0.84, bottom], "-", color=PINK, linewidth=3.4, gid="stream")
    for row, step in enumerate(sums, start=1):
        y, lit = _height(row) + SUM, step == here
        color = PINK if lit else GREY
        axes.plot([STREAM], [y], "o", markersize=12, color="none", markeredgecolor=color)
        axes.lines[-1].set(markeredgewidth=2.4 if lit else 1.2, gid=f"box-{step}")
        axes.plot([STREAM], [y], "+", markersize=8, color=color, markeredgewidth=1.6)
        axes.text(STREAM - 0.13, y, _shape(seen.get(step)), ha="right", va="center", fontsize=7.5)


def _branch(axes: Axes, y: float, lit: bool) -> None:
    """From the stream through norm and part, and back to the sum below."""
    color, width = (PINK, 2.4) if lit else (INK, 1.0)
    plain = {"color": INK, "linewidth": 1.0, "alpha": 0.7}
    axes.plot([STREAM, READ - 0.53], [y, y], "-", **plain)
    axes.plot([READ - 0.58], [y], ">", color=INK, markersize=5, alpha=0.7)
    axes.plot([READ + 1.03, WORK - 0.23], [y, y], "-", **plain)
    points = [(WORK + 1.33, y), (BACK, y), (BACK, y + SUM), (STREAM + 0.14, y + SUM)]
    axes.plot(*zip(*points, strict=True), "-", color=color, linewidth=width, alpha=0.8)
    axes.plot([STREAM + 0.17], [y + SUM], "<", color=color, markersize=5)


def _frame(axes: Axes, top: float, label: str) -> None:
    """A faint frame around the two branches of a block."""
    from matplotlib.patches import Rectangle

    frame = Rectangle((0.08, top), 6.3, 2 * ROW + 0.2, fill=False, edgecolor=GREY, alpha=0.6)
    frame.set(linestyle=(0, (4, 4)), linewidth=0.8)
    axes.add_patch(frame)
    axes.text(6.45, top + ROW, label, va="center", fontsize=10)
