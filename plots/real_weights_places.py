"""Lab 11: which tensor of the file goes where in the learner's Llama, and what else would fit."""

from __future__ import annotations

import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from plots.flipbook import Flipbook, explore
from plots.measure import short
from plots.measures.real_weights import opened
from plots.page import says
from plots.real_weights_live import waiting
from plots.style import BLUE, GREY, INK, ORANGE, is_narrow, shade

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from assets.gguf import File

Shape = tuple[int, ...]

# The parts of a layer: as the file calls them, as the course's Llama does.
PARTS = {
    "attn_norm": "attention_norm",
    "attn_q": "attention.wq",
    "attn_k": "attention.wk",
    "attn_v": "attention.wv",
    "attn_output": "attention.wo",
    "ffn_norm": "ffn_norm",
    "ffn_gate": "feed_forward.w_gate",
    "ffn_up": "feed_forward.w_up",
    "ffn_down": "feed_forward.w_down",
}
LAYERS = [0] if short() else [0, 9, 10, 29]
FILLED, EMPTY, MISFIT = "filled", "empty", "misfit"


def places(
    rename_weight: Callable[[str], str], Llama: Any, LlamaConfig: Any, path: Path | None
) -> Flipbook:
    """The tensors of one layer, and lines to the places that rename_weight gives them.

    Grey lines lead to all other places of that layer into which a tensor would fit, too.
    """
    file = opened(path)
    if file is None:
        return waiting()
    with torch.device("meta"):
        model = Llama(LlamaConfig(**file.config()))
    mine = {name: tuple(weight.shape) for name, weight in model.state_dict().items()}
    if file.config()["tie_embeddings"]:
        mine.pop("output.weight", None)

    def draw(fig: Figure, layer: int) -> str:
        goes = {name: _renamed(rename_weight, name) for name in file.tensors}
        filled = {goes[name]: stored.shape for name, stored in file.tensors.items()}
        left, right = rows_of(file, layer), places_of(mine, layer)
        narrow = is_narrow(fig)
        axes = fig.add_axes((0.0, 0.36, 1.0, 0.61) if narrow else (0.0, 0.03, 0.72, 0.94))
        _lines(axes, {name: file.tensors[name].shape for name in left}, right, mine, goes, filled)
        strip = fig.add_axes((0.34, 0.09, 0.64, 0.22) if narrow else (0.73, 0.03, 0.265, 0.94))
        _strip(strip, mine, filled, layer, file.config()["n_layers"], len(right))
        fit = sum(mine.get(goes[name]) == stored.shape for name, stored in file.tensors.items())
        empty = len(mine.keys() - filled.keys())
        also = sum(_others(file.tensors[name].shape, goes[name], right, mine) > 0 for name in left)
        return (
            f"{fit} of {len(file.tensors)} tensors have a place of their shape in your Llama; "
            f"{empty} of its {len(mine)} places stay empty. Of the {len(left)} tensors here "
            f"{also} would fit into another place just as well (grey): only the name decides."
        )

    return explore(draw, layer=LAYERS, size=(10.4, 3.7), narrow=(3.3, 5.8))


def rows_of(file: File, layer: int) -> list[str]:
    """The file's tensors outside of the layers and in one of them, in the model's order."""
    block = [f"blk.{layer}.{part}.weight" for part in PARTS]
    names = ["token_embd.weight", *block, "output_norm.weight", "output.weight"]
    return [name for name in names if name in file.tensors]


def places_of(mine: dict[str, Shape], layer: int) -> list[str]:
    """The same of the learner's Llama."""
    block = [f"layers.{layer}.{part}.weight" for part in PARTS.values()]
    names = ["tok_embeddings.weight", *block, "norm.weight", "output.weight"]
    return [name for name in names if name in mine]


def _renamed(rename_weight: Callable[[str], str], name: str) -> str:
    try:
        return rename_weight(name)
    except ValueError:
        return "ValueError"


def _others(shape: Shape, place: str, right: list[str], mine: dict[str, Shape]) -> int:
    return sum(mine[other] == shape and other != place for other in right)


def _lines(
    axes: Axes,
    left: dict[str, Shape],
    right: list[str],
    mine: dict[str, Shape],
    goes: dict[str, str],
    filled: dict[str, Shape],
) -> None:
    """Names of the file, names of the Llama, and what leads from the one to the other."""
    narrow = is_narrow(axes.figure)
    begin, end = (0.335, 0.5) if narrow else (0.37, 0.61)
    mono = {"family": "monospace", "fontsize": 9, "va": "center"}
    for y, (name, shape) in enumerate(left.items()):
        shown = name.removesuffix(".weight")
        shown = shown.split(".")[-1] if narrow else shown
        text = axes.text(begin - 0.02, y, shown, ha="right", **mono)
        place = str(goes[name])
        says(text, f"{name}, {_shape(shape)}, goes to {place}")
        if not narrow:
            axes.text(0.145, y, _shape(shape), ha="right", color=GREY, **mono)
        for other, there in enumerate(right):
            if mine[there] == shape and there != place:
                axes.plot([begin, end], [y, other], "-", color=GREY, linewidth=0.8, alpha=0.5)
        fits = mine.get(place) == shape
        color, dash = (BLUE, "-") if fits else (ORANGE, "--")
        at = right.index(place) if place in right else None
        tip = (end, at) if at is not None else (begin + 0.12 * (end - begin), y)
        look = {"color": color, "linestyle": dash, "gid": f"line-{y}", "zorder": 3}
        (line,) = axes.plot([begin, tip[0]], [y, tip[1]], linewidth=2, **look)
        says(line, f"{name} → {place}: {'its shape' if fits else 'NOT a place of its shape'}")
        if at is None:
            cut = "…" if narrow else textwrap.shorten(place.replace(".", " "), 16, placeholder="…")
            axes.text(tip[0], y, f"→{cut.replace(' ', '.')}", **mono)
        axes.plot([begin], [y], "o", color=color, markersize=5)
    for y, name in enumerate(right):
        state = _state(name, mine, filled)
        color = BLUE if state == FILLED else ORANGE
        look = {"markersize": 7, "color": color, "gid": f"place-{state}-{y}", "zorder": 4}
        axes.plot([end], [y], "s", markerfacecolor=color if state == FILLED else "none", **look)
        shown = name.removesuffix(".weight")
        shown = shown.split(".", 2)[-1] if narrow and shown.startswith("layers") else shown
        text = axes.text(end + 0.025, y, shown, **mono)
        says(text, f"{name}, {_shape(mine[name])}: {state}")
    axes.set(xlim=(0, 1), ylim=(max(len(left), len(right)) - 0.5, -1.5))
    title = {"fontsize": 10, "va": "center"}
    axes.text(begin - 0.02, -1.1, "in the file", ha="right", **title)
    axes.text(end + 0.025, -1.1, "in your Llama", **title)
    axes.axis("off")


def _shape(shape: Shape) -> str:
    return " × ".join(f"{size:,}" for size in shape)


def _state(name: str, mine: dict[str, Shape], filled: dict[str, Shape]) -> str:
    if name not in filled:
        return EMPTY
    return FILLED if filled[name] == mine[name] else MISFIT


def _strip(
    axes: Axes, mine: dict[str, Shape], filled: dict[str, Shape], layer: int, n: int, rows: int
) -> None:
    """Every part in every layer: filled, empty, filled by another shape."""
    from matplotlib.patches import Rectangle

    narrow = is_narrow(axes.figure)
    parts = list(PARTS.values())
    states = [[_state(f"layers.{i}.{p}.weight", mine, filled) for i in range(n)] for p in parts]
    shares = [[0.8 if state == FILLED else 0.0 for state in row] for row in states]
    extent = (-0.5, n - 0.5, len(parts) + 0.5, 0.5)
    image = axes.imshow(
        shade(shares, 1.0), aspect="auto", interpolation="none", extent=extent, gid="layers"
    )
    says(
        image,
        [
            [f"layer {i}, {p}: {row[i]}" for i in range(n)]
            for p, row in zip(parts, states, strict=True)
        ],
    )
    for y in range(1, len(parts)):
        axes.axhline(y + 0.5, color=GREY, linewidth=0.5)
    for y, row in enumerate(states, start=1):
        for i, state in enumerate(row):
            if state != FILLED:
                hatch = "////" if state == MISFIT else None
                look = {"fill": False, "edgecolor": ORANGE, "hatch": hatch, "linewidth": 0.8}
                axes.add_patch(
                    Rectangle((i - 0.4, y - 0.36), 0.8, 0.72, gid=f"layer-{state}", **look)
                )
    frame = {"fill": False, "edgecolor": INK, "linewidth": 1.2}
    axes.add_patch(Rectangle((layer - 0.5, 0.5), 1, len(PARTS), **frame))
    axes.set_xticks([0, 9, 19, n - 1] if n > 20 else range(n))
    axes.tick_params(labelsize=9, length=0, pad=1)
    axes.spines[:].set_visible(False)
    if narrow:
        names = [part.rpartition(".")[2] for part in PARTS.values()]
        axes.set_yticks(range(1, len(PARTS) + 1), names)
        axes.set(xlim=(-0.6, n - 0.4), ylim=(len(PARTS) + 0.6, 0.4))
        axes.set_xlabel("layer", fontsize=9, labelpad=1)
        return
    axes.set(yticks=[], xlim=(-0.6, n - 0.4), ylim=(rows - 0.5, -1.5))
    axes.xaxis.tick_top()
    axes.spines["top"].set_position(("data", 0.5))
    axes.set_title("the same in all layers", fontsize=10, pad=-8)
