"""Lab 11, where the input is free: a head's attention on a sentence."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from plots.cells import cells
from plots.flipbook import Flipbook, explore
from plots.live import Live, live
from plots.measures.real_weights import heads
from plots.page import says
from plots.style import GREY, ORANGE, is_narrow, number, shade

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

SENTENCE = "The dog that chased the cat is tired, and the cat is not."
START = (16, 0)  # layer and head shown first
MOST = 18  # tokens of a sentence that are shown
FROM = 2  # the first row in which the first token is not the one before


def attention(
    model: nn.Module | None, tokenizer: Any, apply_rope: Callable, attention_weights: Callable
) -> Live | Flipbook:
    """What one head of the real model looks at in a sentence, by the learner's functions."""
    if model is None:
        return waiting()

    seen: dict[tuple[int, ...], Any] = {}  # the last text's weights: (layers, H, T, T)

    def of_all_heads(ids: list[int]) -> Any:
        if tuple(ids) not in seen:
            seen.clear()
            seen[tuple(ids)] = torch.stack(heads(model, ids, apply_rope, attention_weights))
        return seen[tuple(ids)]

    def draw(fig: Figure, sentence: str, layer: int, head: int) -> str:
        ids = tokenizer.encode(sentence).ids[:MOST]
        if not ids:
            return "Nothing to look at: type a sentence, if only one word."
        names = [tokenizer.decode([i]).replace(" ", "·") for i in ids]
        everywhere = of_all_heads(ids)
        weights = everywhere[layer][head].double()
        states = [["new" if j <= i else "empty" for j in range(len(ids))] for i in range(len(ids))]
        narrow = is_narrow(fig)
        axes = fig.add_axes((0.22, 0.46, 0.65, 0.38) if narrow else (0.1, 0.1, 0.36, 0.72))
        cells(axes, weights, states, limit=1.0, rows=names, columns=names, gid="head")
        axes.xaxis.tick_top()
        axes.tick_params(labelsize=9)
        for label in axes.get_xticklabels():
            label.set(rotation=75 if narrow else 60, ha="left", rotation_mode="anchor")
        axes.set_xlabel("key: the token that is looked at", labelpad=4, fontsize=10)
        axes.xaxis.set_label_position("bottom")
        if not narrow:
            axes.set_ylabel("query: the token that looks", fontsize=10)
        _scale(fig.add_axes((0.9, 0.55, 0.03, 0.2) if narrow else (0.48, 0.35, 0.02, 0.25)))
        first = everywhere[:, :, FROM:, 0].mean(-1) if len(ids) > FROM else everywhere[..., 0, 0]
        side = fig.add_axes((0.12, 0.1, 0.86, 0.25) if narrow else (0.59, 0.3, 0.4, 0.42))
        _map(side, first, layer, head)
        later = weights[FROM:]
        to_first = float(later[:, 0].mean()) if len(later) else 1.0
        before = float(later[:, FROM - 1 :].diagonal().mean()) if len(later) else 0.0
        itself = float(later[:, FROM:].diagonal().mean()) if len(later) else 1.0
        return (
            f"The square, layer {layer}, head {head}: from the third token on {100 * to_first:.0f} "
            f"% of the attention goes to the first token, {100 * before:.0f} % to the one before, "
            f"{100 * itself:.0f} % to the token itself. The map: what all heads give to the first "
            f"token: {int((first > 0.5).sum())} of {first.numel()} more than half."
        )

    config = [len(model.layers), heads_of(model)]
    layers, numbers = ([*range(n)] for n in config)
    return live(
        draw,
        sentence=SENTENCE,
        layer=[START[0], *(n for n in layers if n != START[0])],
        head=[START[1], *(n for n in numbers if n != START[1])],
        size=(10.2, 5.0),
        narrow=(3.3, 5.8),
    )


def _scale(axes: Axes) -> None:
    """What the fill of a cell means."""
    steps = [1.0, 0.75, 0.5, 0.25, 0.0]
    cells(axes, [[step] for step in steps], limit=1.0, rows=["1", "", "0.5", "", "0"], gid="scale")
    axes.yaxis.tick_right()
    axes.tick_params(labelsize=9, pad=1)


def _map(axes: Axes, first: Tensor, layer: int, head: int) -> None:
    """How much of its attention each head, (layers, H), gives to the first token."""
    from matplotlib.patches import Rectangle

    image = axes.imshow(shade(first.T, 1.0), aspect="auto", interpolation="none", gid="sinks")
    heads_, layers = first.T.shape
    says(
        image,
        [
            [f"layer {i}, head {h}: {number(first[i, h])}" for i in range(layers)]
            for h in range(heads_)
        ],
    )
    box = Rectangle((layer - 0.5, head - 0.5), 1, 1, fill=False, edgecolor=ORANGE, linewidth=1.8)
    axes.add_patch(box)
    axes.set(xlabel="layer", ylabel="head", yticks=[0, first.shape[1] - 1])
    axes.set_title("attention given to the first token", fontsize=10)
    axes.spines[:].set_visible(True)


def heads_of(model: nn.Module) -> int:
    """How many query heads a layer has."""
    part = model.layers[0].attention
    return int(part.n_heads) if hasattr(part, "n_heads") else 9


def waiting() -> Flipbook:
    """What stands in for a picture that needs the model."""

    def draw(fig: Figure) -> str:
        axes = fig.add_axes((0.01, 0.04, 0.98, 0.92), xticks=[], yticks=[])
        axes.spines[:].set(visible=True, linestyle=(0, (4, 4)), color=GREY)
        says = "This picture waits for the real model."
        axes.text(0.5, 0.5, says, ha="center", va="center", transform=axes.transAxes)
        return "The model is not here, or load_llama is not written: its cell above says which."

    return explore(draw, size=(4.8, 1.4))
