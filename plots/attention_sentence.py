"""Lab 04: what heads look at: made by hand, trained, and in a sentence of the reader's own."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
from torch import Tensor

from assets.smollm2_head import heads as trained_heads
from plots.cells import MASKED, NEW, REUSED
from plots.flipbook import Flipbook, explore
from plots.live import Live, live
from plots.matrix import matrix
from plots.measures.attention_heads import (
    HEAD_SIZE,
    HEADS,
    NEXT,
    entropy,
    queries_and_keys,
    turned,
)
from plots.style import is_narrow, number, numbers

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Weights = Callable[..., Tensor]
Mask = Callable[[int, int], Tensor]

MOVED = 1e-3  # a weight that is seen
SMALL = 0.05  # a weight that is drawn without an outline of its own
MOST_WORDS = 12
ROOM = 0.2  # inches that a number in a cell needs
LONGEST, TURN = 16, 60  # letters of a label, degrees of those above
SENTENCE = "the dog bit the man and then the dog"


def sentence(attention_weights: Weights, causal_mask: Mask, apply_rope: Weights) -> Flipbook:
    """Show what four heads look at, made by hand and trained, with and without mask and scale."""

    def draw(fig: Figure, head: str, mask: bool, scale: bool) -> str:
        words, real = SENTENCE.split(), trained_heads()[head]
        may_look = causal_mask(len(words), len(words)) if mask else None
        made = queries_and_keys(words, head, apply_rope)
        place = f"layer {real.layer}, head {real.number}"
        narrow = is_narrow(fig)
        where = f"SmolLM2, {place}" if narrow else f"trained: SmolLM2, {place}"
        panels = (("made by hand", made), (where, turned(real, apply_rope)))
        said = []
        for side, (name, (q, k)) in enumerate(panels):
            undo = 1.0 if scale else math.sqrt(q.shape[-1])  # a larger query undoes the division
            weights = numbers(attention_weights(undo * q, k, may_look))
            box = (0.09 + 0.5 * side, 0.02, 0.345, 0.79)
            if narrow:
                box = (0.14, (0.49, 0.01)[side], 0.72, 0.37)
            gid = ("made", "trained")[side]
            _draw_head(
                fig, box, name, weights, words, may_look, gid, with_words=not narrow or not side
            )
            best = int(weights[-1].argmax())
            found = f"word {best + 1}, “{words[best]}”, with weight {number(weights[-1][best])}"
            bits = number(entropy(weights).mean())
            said.append(f"{('made', 'trained')[side]}: at {found} (entropy {bits} bits on average)")
        how = f"{'with' if mask else 'without'} mask, {'with' if scale else 'without'} 1/√d"
        return f"Head “{head}”, {how}. Where the last word, “dog”, looks most: {'; '.join(said)}."

    return explore(
        draw,
        head=HEADS,
        mask=[True, False],
        scale=[True, False],
        start={"head": NEXT},
        size=(10.2, 4.5),
        narrow=(3.5, 5.2),
        labels={"mask": "causal mask", "scale": "divide by √d"},
    )


def your_sentence(attention_weights: Weights, causal_mask: Mask, apply_rope: Weights) -> Live:
    """What the heads made by hand look at in a sentence that the reader types."""

    def draw(fig: Figure, text: str, head: str, mask: bool, scale: bool) -> str:
        words = text.split()[:MOST_WORDS] or ["…"]
        q, k = queries_and_keys(words, head, apply_rope)
        may_look = causal_mask(len(words), len(words)) if mask else None
        undo = 1.0 if scale else math.sqrt(HEAD_SIZE)
        weights = numbers(attention_weights(undo * q, k, may_look))
        side, top = _room_for([_short(word) for word in words], fig)
        box = (side, 0.02, 0.9 - side, 0.97 - top)
        _draw_head(fig, box, "", weights, words, may_look, "weights")
        best = int(weights[-1].argmax())
        cut = " (the first 12 words)" if len(text.split()) > MOST_WORDS else ""
        return (
            f"Each row is a word that asks, each column one that it looks at. "
            f"Head “{head}”{cut}: the last word, “{words[-1]}”, looks most at word {best + 1}, "
            f"“{words[best]}”, with weight {number(weights[-1][best])}. Entropy "
            f"{number(entropy(weights).mean())} bits on average, "
            f"{'with' if mask else 'without'} mask, {'with' if scale else 'without'} 1/√d."
        )

    return live(
        draw,
        text="a rose is a rose is a rose",
        head=HEADS,
        mask=True,
        scale=True,
        size=(7.2, 4.4),
        narrow=(3.5, 3.6),
        labels={"text": "sentence", "mask": "causal mask", "scale": "divide by √d"},
    )


def _draw_head(
    fig: Figure,
    box: tuple[float, float, float, float],
    title: str,
    weights: np.ndarray,
    words: list[str],
    may_look: Any,
    gid: str,
    with_words: bool = True,
) -> None:
    """One head: its weights, and beside each row between how many words it wavers, in bits."""
    axes = fig.add_axes(box)
    hidden = np.zeros(weights.shape) if may_look is None else 1 - numbers(may_look)
    states = np.where(weights < SMALL, REUSED, NEW)
    states[(hidden != 0) & (weights < MOVED)] = MASKED
    names = [_short(word) for word in words]

    def tell(row: int, column: int) -> str:
        how = "hidden" if states[row, column] == MASKED else number(weights[row, column], 3)
        return f"“{words[row]}” ({row + 1}) → “{words[column]}” ({column + 1}): {how}"

    columns = names if with_words else None
    narrow = is_narrow(fig)
    look: dict[str, Any] = {"fontsize": 9, "square": not narrow, "gid": gid}
    if box[2] * fig.get_figwidth() < ROOM * len(words):
        look["write"] = lambda _: ""
    matrix(axes, weights, states, rows=names, columns=columns, tell=tell, **look)
    axes.tick_params(axis="x", rotation=TURN)
    for label in axes.get_xticklabels():
        label.set_ha("left")
    axes.set_anchor("W")
    beside = len(words) - 0.3
    for row, bits in enumerate(entropy(weights)):
        axes.text(beside, row, number(bits, 1), va="center", fontsize=9.5, gid=f"{gid}-bits-{row}")
    axes.text(beside, -0.7, "bits", va="bottom", fontsize=9.5)
    if title and narrow:
        fig.text(0.01, box[1] + box[3] + (0.095 if with_words else 0.02), title, weight="bold")
    elif title:
        fig.text(box[0], 0.99, title, weight="bold", va="top")


def _short(word: str) -> str:
    """A word as a label: a very long one keeps its beginning and its end."""
    return word if len(word) <= LONGEST else f"{word[: LONGEST - 5]}…{word[-4:]}"


def _room_for(names: list[str], fig: Figure) -> tuple[float, float]:
    """What the longest label needs to the left and, turned, above: fractions of the figure."""
    from matplotlib.textpath import TextPath

    across, up = fig.get_size_inches()
    wide = max(TextPath((0, 0), name, size=10).get_extents().width for name in names)
    inches = wide / 72 + 0.1
    turned = inches * math.sin(math.radians(TURN)) + 0.15
    return max(0.12, inches / across), max(0.18, turned / up)
