"""Lab 08: where a model leaves Hugging Face's, and how far: every step, every position."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from assets import llama_reference as frozen
from plots import style
from plots.flipbook import Flipbook, explore
from plots.page import says
from plots.style import GREY, INK, ORANGE, shade

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Model = Callable[[Any], nn.Module]
Config = Callable[..., Any]

# name → what is done to the learner's own model before it is compared
FAULTS = {
    "nothing": "Your model as it is",
    "rows as in Hugging Face": "Your model, with wq and wk in the half-split order",
    "rope_base 10,000": "Your model, told another rope_base",
    "norm_eps 1e-5": "Your model, told another norm_eps",
    "one weight of block 1": "Your model, with one number changed in layers.1.attention.wo",
    "ffn_norms left at 1": "Your model, with the weights of all ffn_norms forgotten",
}
LEAST, MOST = 1e-8, 10.0  # the ends of the scale of differences
TICKS = {1e-8: "0", 1e-6: "10⁻⁶", 1e-4: "10⁻⁴", 1e-2: "0.01", 1.0: "1"}
SHORT = {"attention_norm": "norm", "feed_forward": "SwiGLU", "ffn_norm": "norm", "first": "sum"}


def departures(Llama: Model, LlamaConfig: Config) -> Flipbook:
    """Compare the learner's model with Hugging Face's, step by step and position by position."""

    def draw(fig: Figure, fault: str) -> str:
        found = _compared(Llama, LlamaConfig, fault)
        narrow = style.is_narrow(fig)
        bottom, height = (0.14, 0.76) if narrow else (0.1, 0.78)
        spans = [(0.32, 0.34), (0.71, 0.26)] if narrow else [(0.19, 0.3), (0.53, 0.2), (0.77, 0.21)]
        axes = [fig.add_axes((left, bottom, width, height)) for left, width in spans]
        _grid(axes[0], found, narrow)
        _dots(axes[1], found, narrow)
        if not narrow:
            _lengths(axes[2], found)
        for panel in axes:
            panel.set(ylim=(len(found) - 0.4, -0.6))
            panel.tick_params(length=0)
            panel.spines[:].set_visible(False)
        axes[0].set_yticks(range(len(found)), [_name(step.name, narrow) for step in found])
        axes[0].tick_params(labelsize=9.5)
        for panel in axes[1:]:
            panel.set_yticks([])
        first = next(((row, step) for row, step in enumerate(found) if step.departs), None)
        if first is None:
            largest = max(float(step.far.max()) for step in found if step.far is not None)
            return (
                f"{FAULTS[fault]}: the same as Hugging Face's at every step and position; the "
                f"largest difference is {largest:.0e}, which is rounding."
            )
        row, step = first
        axes[0].plot([step.position], [row], "s", markersize=15, color="none", gid="first")
        axes[0].lines[-1].set(markeredgecolor=INK, markeredgewidth=2)
        end = float(found[-1].far.max()) if found[-1].far is not None else math.nan
        return (
            f"{FAULTS[fault]}: {frozen.first_departure(found)}. At the end the logits are wrong by "
            f"up to {end:.2g}."
        )

    return explore(
        draw,
        fault=list(FAULTS),
        start={"fault": "rows as in Hugging Face"},
        size=(10.2, 5.6),
        narrow=(3.4, 5.2),
    )


def _compared(Llama: Model, LlamaConfig: Config, fault: str) -> list[frozen.Step]:
    """The learner's model beside the frozen one, after the fault was put in."""
    config, state = dict(frozen.CONFIGS["untied"]), frozen.weights("untied")
    if fault.startswith("rope_base"):
        config["rope_base"] = 10_000.0
    if fault.startswith("norm_eps"):
        config["norm_eps"] = 1e-5
    for name in state:
        if fault.startswith("rows") and name.endswith(("wq.weight", "wk.weight")):
            heads = config["n_heads" if "wq" in name else "n_kv_heads"]
            state[name] = state[name].unflatten(0, (heads, -1, 2)).transpose(1, 2).flatten(0, 2)
        if fault.startswith("ffn_norms") and name.endswith("ffn_norm.weight"):
            state[name] = torch.ones_like(state[name])
    if fault.startswith("one weight"):
        state["layers.1.attention.wo.weight"][5, 7] += 0.5
    model = Llama(LlamaConfig(**config))
    model.load_state_dict(state, strict=False)
    return frozen.compare(model, "untied")


def _strength(far: float) -> float:
    """Where a difference stands between LEAST and MOST, by its number of digits: 0 to 1."""
    span = math.log10(MOST / LEAST)
    return math.log10(min(max(far, LEAST), MOST) / LEAST) / span


def _color(far: float) -> tuple[float, ...]:
    return tuple(shade([_strength(far)], 1.0, ORANGE)[0])


def _name(step: str, narrow: bool) -> str:
    """`layers.0.attention_norm`, or `0 norm` where there is little room."""
    if not narrow or not step.startswith("layers."):
        return "embedding" if narrow and step == "tok_embeddings" else step
    layer, part = step.removeprefix("layers.").replace(".", " ").split(" ")[:2]
    return f"{layer} {SHORT.get(part, part).replace('second', 'sum')}"


def _grid(axes: Axes, found: list[frozen.Step], narrow: bool) -> None:
    """One cell for each step and position; what departs is outlined."""
    from matplotlib.collections import PolyCollection

    length = frozen.ids("untied").shape[1]
    kinds: dict[str, tuple[list, list, list[str]]] = {"departs": ([], [], []), "same": ([], [], [])}
    for row, step in enumerate(found):
        for x in range(length):
            far = 0.0 if step.far is None else float(step.far[x])
            corners = [(x - 0.46, row - 0.44), (x + 0.46, row - 0.44)]
            corners += [(x + 0.46, row + 0.44), (x - 0.46, row + 0.44)]
            shapes, colors, texts = kinds["departs" if far > frozen.TOLERANCE else "same"]
            shapes.append(corners)
            colors.append((0, 0, 0, 0) if step.far is None else _color(far))
            said = "your model never ran it" if step.far is None else f"differs by {far:.1g}"
            texts.append(f"{step.name}, position {x}: {said}")
    looks = {"departs": (ORANGE, 1.2), "same": (GREY, 0.4)}
    for kind, (shapes, colors, texts) in kinds.items():
        edge, width = looks[kind]
        cells = PolyCollection(shapes, facecolors=colors, edgecolors=edge, linewidths=width)
        cells.set_gid(f"cells-{kind}")
        says(cells, texts)
        axes.add_collection(cells)
    axes.set(xlim=(-0.6, length - 0.4))
    axes.set_title("position", fontsize=10)
    axes.set_xticks(range(0, length, 5 if narrow else 2))
    axes.xaxis.tick_top()


def _largest(found: list[frozen.Step]) -> list[tuple[int, frozen.Step, float]]:
    """Row, step, and its largest difference: of the steps that were seen."""
    seen = [(row, step) for row, step in enumerate(found) if step.far is not None]
    return [(row, step, float(step.far.max())) for row, step in seen]


def _dots(axes: Axes, found: list[frozen.Step], narrow: bool) -> None:
    """The largest difference of each step, a tick a hundred times the last; below, the colours."""
    axes.axvline(_strength(frozen.TOLERANCE), color=INK, linewidth=1, linestyle="--")
    rows = _largest(found)
    axes.plot([_strength(far) for _, _, far in rows], [row for row, _, _ in rows], "-", color=GREY)
    axes.lines[-1].set(linewidth=0.8)
    for row, step, far in rows:
        (dot,) = axes.plot([_strength(far)], [row], "o", color=ORANGE, markersize=6)
        dot.set(gid=f"far-{row}", markerfacecolor=_color(far))
        says(dot, f"{step.name}: at most {far:.2g}")
    ticks = {tick: TICKS[tick] for tick in list(TICKS)[:: 2 if narrow else 1]}
    axes.set(xlim=(-0.03, 1.03))
    axes.set_title("the largest" if narrow else "the largest, a tick is ×100", fontsize=10)
    if narrow:
        axes.set_xlabel("tick: ×10,000", fontsize=9.5)
    axes.set_xticks([_strength(tick) for tick in ticks], list(ticks.values()))
    axes.tick_params(labelsize=9.5, pad=7)
    box = axes.get_position()
    strip = axes.figure.add_axes((box.x0, box.y0 - 0.012, box.width, 0.022), xticks=[], yticks=[])
    levels = shade(torch.linspace(0, 1, 24), 1.0, ORANGE)[None]
    strip.imshow(levels, aspect="auto", interpolation="none", extent=(0, 1, 0, 1))
    strip.set(xlim=(-0.03, 1.03))
    strip.set_axis_off()


def _lengths(axes: Axes, found: list[frozen.Step]) -> None:
    """The same as lengths: what the digits beside it make look small."""
    rows = _largest(found)
    top = max([far for _, _, far in rows if math.isfinite(far)], default=1.0)
    for row, step, far in rows:
        shown = min(far, top)
        (bar,) = axes.barh([row], [shown], 0.7, color=[_color(far)], edgecolor=ORANGE)
        bar.set(linewidth=1, gid=f"length-{row}")
        says(bar, f"{step.name}: at most {far:.2g}")
        if far > frozen.TOLERANCE:
            axes.text(shown + 0.02 * top, row, f"{far:.2g}", va="center", fontsize=9.5)
    axes.set(xlim=(0, 1.25 * max(top, frozen.TOLERANCE)), xticks=[])
    axes.set_title("the same as lengths", fontsize=10)
