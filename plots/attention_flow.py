"""Lab 04: one text on its way through a head, and one word that two heads of a layer ask about."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from assets.smollm2_head import heads as trained_heads
from plots.cells import MASKED, NEW, REUSED
from plots.flipbook import Flipbook, explore
from plots.matrix import matrix, weight
from plots.measures.attention_heads import turned
from plots.page import says
from plots.style import BLUE, GREY, KEY, ORANGE, PINK, QUERY, VALUE, is_narrow, number, numbers

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Weights = Callable[..., Tensor]
Mask = Callable[[int, int], Tensor]

TEXT = ["the", "river", "left", "its", "bank"]
T, D, HEAD = len(TEXT), 6, 4  # positions, width of x, size of the head
STEPS = ["x", "q, k, v", "scores", "mask", "softmax", "mixture"]


@dataclass(frozen=True)
class Part:
    """One matrix of the way: which step makes it, where it stands, in cells from the left upper."""

    name: str
    step: int
    shape: str
    column: float
    row: float
    color: str = BLUE


WIDE = {
    "x": Part("x", 0, "(T, D)", 2.3, 7.1, GREY),
    "q": Part("q", 1, "(T, d)", 10.6, 1.4, QUERY),
    "k": Part("k", 1, "(S, d)", 10.6, 8.3, KEY),
    "v": Part("v", 1, "(S, d)", 10.6, 15.2, VALUE),
    "scores": Part("q·kᵀ / √d", 2, "(T, S)", 17.2, 4.9),
    "mask": Part("mask", 3, "(T, S)", 24.7, 4.9, GREY),
    "weights": Part("weights", 4, "(T, S)", 32.2, 4.9),
    "out": Part("out", 5, "(T, d)", 39.9, 7.1, VALUE),
}
SMALL = {
    "x": Part("x", 0, "(T, D)", 2.6, 1.5, GREY),
    "q": Part("q", 1, "(T, d)", 10.2, 1.5, QUERY),
    "k": Part("k", 1, "(S, d)", 15.2, 1.5, KEY),
    "v": Part("v", 1, "(S, d)", 20.2, 1.5, VALUE),
    "scores": Part("q·kᵀ/√d", 2, "(T, S)", 2.6, 9.0),
    "mask": Part("mask", 3, "(T, S)", 11.0, 9.0, GREY),
    "weights": Part("weights", 4, "(T, S)", 2.6, 16.5),
    "out": Part("out = weights · v", 5, "(T, d)", 11.0, 16.5, VALUE),
}


def flow(attention_weights: Weights, causal_mask: Mask, attention: Weights) -> Flipbook:
    """Walk from x to the mixture: q, k, v, scores, mask, softmax, each with its shape."""
    generator = torch.Generator().manual_seed(11)
    x = torch.randn(T, D, generator=generator)
    maps = torch.randn(3, D, HEAD, generator=generator) / math.sqrt(D)
    q, k, v = (1.6 * x @ maps[0], 1.6 * x @ maps[1], x @ maps[2])

    def draw(fig: Figure, step: str, asks: str) -> str:
        row, at = TEXT.index(asks), STEPS.index(step)
        may_look = causal_mask(T, T)
        scores = q @ k.mT / math.sqrt(HEAD)
        weights = attention_weights(q, k, may_look)
        made = {"x": x, "q": q, "k": k, "v": v, "scores": scores, "mask": may_look}
        made |= {"weights": weights, "out": attention(q, k, v, may_look)}
        narrow = is_narrow(fig)
        places = SMALL if narrow else WIDE
        across, up = (24.6, 22.2) if narrow else (44.2, 20.6)
        axes = fig.add_axes((0, 0, 1, 1), xlim=(0, across), ylim=(up, 0), aspect="equal")
        axes.axis("off")
        for key, part in places.items():
            if part.step <= at:
                _draw_part(fig, axes, part, numbers(made[key]), key, row, narrow)
            else:
                _draw_hole(axes, part, numbers(made[key]).shape, narrow)
        if not narrow:
            for left, right in ((8.6, 9.9), (15.0, 16.2), (22.6, 23.7), (30.1, 31.2), (37.6, 38.8)):
                axes.annotate("", (right, 9.6), (left, 9.6), arrowprops={"arrowstyle": "->"})
        return _said(at, row, numbers(scores), numbers(may_look), numbers(weights))

    return explore(
        draw,
        step=STEPS,
        asks=TEXT[2:],
        start={"step": STEPS[-1], "asks": "left"},
        play="step",
        labels={"asks": "word that asks"},
        size=(10.2, 4.75),
        narrow=(3.5, 3.2),
    )


def _draw_part(
    fig: Figure, axes: Axes, part: Part, values: np.ndarray, key: str, row: int, narrow: bool
) -> None:
    """One matrix: the row that asks outlined, the others pale; keys and values all take part."""
    height, width = values.shape
    states = np.full(values.shape, REUSED, dtype=object)
    states[row if key not in ("k", "v") else slice(None)] = NEW
    limit = {"weights": 1.0, "mask": 1.6}.get(key, 2.0)
    if key == "mask":
        states[values == 0] = MASKED
    if key in ("k", "v"):
        states[row + 1 :] = REUSED
    names = [f"{key} of “{word}”" for word in TEXT]

    def tell(r: int, c: int) -> str:
        if key in ("scores", "mask", "weights"):
            seen = {0.0: "hidden", 1.0: "may look"}.get(float(values[r, c]))
            what = seen if key == "mask" else number(values[r, c])
            return f"“{TEXT[r]}” → “{TEXT[c]}”: {what}"
        return f"{names[r]}, number {c}: {number(values[r, c])}"

    box = axes.transData.transform(
        [(part.column, part.row + height), (part.column + width, part.row)]
    )
    (left, low), (right, top) = fig.transFigure.inverted().transform(box)
    panel = fig.add_axes((left, low, right - left, top - low))
    write: Any = weight if key == "weights" and not narrow else lambda _: ""
    look: dict[str, Any] = {"color": part.color, "negative": PINK, "limit": limit, "gid": key}
    look["square"] = False
    matrix(panel, values, states, tell=tell, write=write, **look)
    _title(axes, part, narrow)
    if key in ("x", "scores", "weights") if narrow else key == "x":
        for r, word in enumerate(TEXT):
            bold = "bold" if r == row else "normal"
            spot = part.column - 0.15, part.row + r + 0.5
            axes.text(*spot, word, ha="right", va="center", fontsize=9.5, weight=bold)


def _title(axes: Axes, part: Part, narrow: bool) -> None:
    """The name of a matrix, and its shape where there is room."""
    title = part.name if narrow else f"{part.name} {part.shape}"
    look = {"va": "bottom", "fontsize": 9.5 if narrow else 11}
    axes.text(part.column, part.row - 0.35, title, **look)


def _draw_hole(axes: Axes, part: Part, shape: tuple[int, ...], narrow: bool) -> None:
    """What a later step makes: an outline with its name."""
    from matplotlib.patches import Rectangle

    look = {"fc": "none", "ec": GREY, "lw": 0.8, "ls": (0, (3, 3)), "gid": "hole"}
    hole = Rectangle((part.column, part.row), shape[1], shape[0], **look)
    says(axes.add_artist(hole), f"{part.name}: not yet")
    _title(axes, part, narrow)


def _said(at: int, row: int, scores: np.ndarray, mask: np.ndarray, weights: np.ndarray) -> str:
    """What the step does to the word that asks."""
    word = TEXT[row]
    listed = ", ".join(f"{TEXT[c]} {number(scores[row, c])}" for c in range(T))
    hidden = [TEXT[c] for c in range(T) if not mask[row, c]]
    mixed = " + ".join(
        f"{number(weights[row, c])} {TEXT[c]}" for c in range(T) if weights[row, c] >= 0.005
    )
    return (
        f"x: {T} words, each with {D} numbers of its own (pink: negative). Nobody has asked yet.",
        f"Three matrix products: each word gets a query, a key and a value of {HEAD} numbers.",
        f"The query of “{word}” meets every key: {listed}. A dot product each, divided by √{HEAD}.",
        f"The mask hides from “{word}” what comes after it: {', '.join(hidden) or 'nothing'}.",
        f"Softmax along the row: {mixed}; together {number(weights[row].sum())}.",
        f"The new vector of “{word}” is {mixed}, each times that word's value.",
    )[at]


def two_heads(attention_weights: Weights, causal_mask: Mask, apply_rope: Weights) -> Flipbook:
    """Show what one word takes from the others in two heads of one trained layer."""
    pair = {"who": (BLUE, ""), "why": (ORANGE, "///")}
    words = trained_heads()["who"].words

    def draw(fig: Figure, word: str) -> str:
        row, said = words.index(word), []
        narrow = is_narrow(fig)
        axes = fig.add_axes((0.18, 0.24, 0.8, 0.6) if narrow else (0.07, 0.12, 0.91, 0.76))
        for side, (kind, (color, hatch)) in enumerate(pair.items()):
            head = trained_heads()[kind]
            q, k = turned(head, apply_rope)
            may_look = causal_mask(len(words), len(words))
            row_of = numbers(attention_weights(q, k, may_look))[row]
            name = f"layer {head.layer}, head {head.number}"
            where = np.arange(len(words)) + 0.4 * side - 0.2
            face = {"fc": "none", "ec": color, "hatch": hatch} if hatch else {"color": color}
            bars = axes.bar(where, row_of, 0.38, label=name, gid=kind, **face)
            for at, bar in enumerate(bars):
                says(bar, f"{name}: “{word}” → “{words[at]}”: {number(row_of[at])}")
                if row_of[at] >= 0.05:
                    apart = 0.1 * (2 * side - 1) * narrow  # two small numbers side by side
                    spot = where[at] + apart, row_of[at] + 0.02
                    text = weight(row_of[at])
                    axes.text(*spot, text, ha="center", va="bottom", fontsize=9.5)
            best = int(row_of.argmax())
            said.append(f"head {head.number} takes {number(row_of[best])} from “{words[best]}”")
        axes.set_xticks(range(len(words)), words, rotation=60 if narrow else 0)
        axes.get_xticklabels()[row].set_fontweight("bold")
        axes.set(ylim=(0, 1.1), ylabel="weight", yticks=[0, 0.5, 1])
        axes.legend(loc="lower right", bbox_to_anchor=(1, 1), ncols=2, fontsize=10, borderpad=0)
        return f"“{word}” asks twice, in one layer of SmolLM2: {', '.join(said)}."

    return explore(
        draw,
        word=words[1:],
        start={"word": "it"},
        play="word",
        labels={"word": "word that asks"},
        size=(9.4, 3.4),
        narrow=(3.5, 3.3),
    )
