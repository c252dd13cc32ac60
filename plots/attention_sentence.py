"""Lab 04: what four heads look at in a sentence, the course's or the reader's own."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
from torch import Tensor

from plots.cells import MASKED, NEW, REUSED, cells
from plots.flipbook import Flipbook, explore
from plots.live import Live, live
from plots.measures.attention_heads import HEAD_SIZE, HEADS, NEXT, entropy, queries_and_keys
from plots.style import BLUE, GREY, number, numbers

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Weights = Callable[..., Tensor]
Mask = Callable[[int, int], Tensor]

MOVED = 1e-3  # a weight that is seen
SMALL = 0.05  # a weight that is drawn without an outline of its own
MOST_WORDS = 12
LONGEST, LABEL, TURN = 16, 10, 60  # letters of a label, its size in points, degrees above
SENTENCE = "the dog bit the man and then the dog"


def sentence(attention_weights: Weights, causal_mask: Mask, apply_rope: Weights) -> Flipbook:
    """Show what four heads look at in a sentence, with and without mask and scale."""

    def draw(fig: Figure, head: str, mask: bool, scale: bool) -> str:
        parts = attention_weights, causal_mask, apply_rope
        return _draw_sentence(fig, parts, SENTENCE, head, mask, scale)

    return explore(
        draw,
        head=HEADS,
        mask=[True, False],
        scale=[True, False],
        start={"head": NEXT},
        size=(7.2, 4.2),
        labels={"mask": "causal mask", "scale": "divide by √d"},
    )


def your_sentence(attention_weights: Weights, causal_mask: Mask, apply_rope: Weights) -> Live:
    """The same for a sentence that the reader types."""

    def draw(fig: Figure, text: str, head: str, mask: bool, scale: bool) -> str:
        parts = attention_weights, causal_mask, apply_rope
        return _draw_sentence(fig, parts, text, head, mask, scale)

    return live(
        draw,
        text="a rose is a rose is a rose",
        head=HEADS,
        mask=True,
        scale=True,
        size=(7.2, 4.2),
        labels={"text": "sentence", "mask": "causal mask", "scale": "divide by √d"},
    )


def _draw_sentence(fig: Figure, parts: tuple, text: str, head: str, mask: bool, scale: bool) -> str:
    attention_weights, causal_mask, apply_rope = parts
    words = text.split()[:MOST_WORDS] or ["…"]
    q, k = queries_and_keys(words, head, apply_rope)
    may_look = causal_mask(len(words), len(words)) if mask else None
    undo = 1.0 if scale else math.sqrt(HEAD_SIZE)  # a larger query undoes the division
    weights = numbers(attention_weights(undo * q, k, may_look))
    bits = entropy(weights)
    names = [_short(word) for word in words]
    side, top = _room_for(names, fig)
    left = fig.add_axes((side, 0.02, 0.74 - side, 0.98 - top))
    right = fig.add_axes((0.79, 0.02, 0.19, 0.98 - top))
    _draw_heatmap(left, weights, names, may_look)
    right.barh(range(len(words)), bits, 0.7, color=GREY, alpha=0.6, gid="entropy")
    most = max(math.log2(len(words)), 1.0)
    right.set(xlim=(0, most), ylim=left.get_ylim(), yticks=[], title="entropy (bits)")
    right.xaxis.tick_top()
    row, last = len(words) - 1, weights[-1]
    best = int(last.argmax())
    cut = " (the first 12 words)" if len(text.split()) > MOST_WORDS else ""
    return (
        f"Each row is a word that asks, each column one that it looks at. "
        f"Head “{head}”{cut}: the last word, “{words[row]}”, looks most at word {best + 1}, "
        f"“{words[best]}”, with weight {number(last[best])}. Entropy {number(bits.mean())} bits on "
        f"average, {'with' if mask else 'without'} mask, {'with' if scale else 'without'} 1/√d."
    )


def _short(word: str) -> str:
    """A word as a label: a very long one keeps its beginning and its end."""
    return word if len(word) <= LONGEST else f"{word[: LONGEST - 5]}…{word[-4:]}"


def _room_for(names: list[str], fig: Figure) -> tuple[float, float]:
    """What the longest label needs to the left and, turned, above: fractions of the figure."""
    from matplotlib.textpath import TextPath

    across, up = fig.get_size_inches()
    wide = max(TextPath((0, 0), name, size=LABEL).get_extents().width for name in names)
    inches = wide / 72 + 0.1
    turned = inches * math.sin(math.radians(TURN)) + 0.15
    return max(0.12, inches / across), max(0.18, turned / up)


def _draw_heatmap(axes: Axes, weights: np.ndarray, words: list[str], mask: Any) -> None:
    hidden = np.zeros(weights.shape) if mask is None else 1 - numbers(mask)
    states = np.where(weights < SMALL, REUSED, NEW)
    states[(hidden != 0) & (weights < MOVED)] = MASKED
    cells(axes, weights, states, limit=1, rows=words, columns=words, color=BLUE, gid="weights")
    axes.xaxis.tick_top()
    axes.tick_params(axis="x", rotation=TURN)
    for label in axes.get_xticklabels():
        label.set_ha("left")
