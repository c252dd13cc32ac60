"""Lab 01: the embedding table is trained on the spot, and its rows are drawn in two dimensions."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor
from torch.nn import functional as F

from assets.shakespeare import text
from plots.boxes import visible
from plots.flipbook import Flipbook, explore
from plots.measure import one_thread
from plots.style import BLUE, GREEN, ORANGE, PINK, number, numbers

if TYPE_CHECKING:
    from matplotlib.figure import Figure

KINDS = {
    "vowels": ("aeiou", BLUE, "o"),
    "consonants": ("bcdfghjklmnpqrstvwxyz", ORANGE, "s"),
    "capitals": ("ABCDEFGHIJKLMNOPQRSTUVWXYZ", GREEN, "^"),
    "the rest": ("\n !$&',-.:;?", PINK, "D"),
}
STEPS = (0, 10, 20, 40, 70, 120, 200, 400, 600)


def embeddings(
    build_vocab: Callable[..., Any],
    encode: Callable[..., Any],
    embed: Callable[..., Tensor],
    make_batch: Callable[..., Any],
) -> Flipbook:
    """Train the table on the next character and show where its rows go, in two dimensions."""

    @functools.cache
    def run() -> tuple[list[str], list[Tensor], list[float]]:
        corpus = text()[:300_000]
        vocab = build_vocab(corpus)
        with one_thread():
            data = torch.tensor(encode(corpus, vocab))
            return vocab, *_train(data, len(vocab), embed, make_batch)

    def draw(fig: Figure, steps: int) -> str:
        vocab, tables, losses = run()
        shown = STEPS.index(steps)
        flat = _projected(tables)
        axes = fig.add_axes((0.02, 0.03, 0.74, 0.94))
        for name, (members, color, marker) in KINDS.items():
            places = [i for i, c in enumerate(vocab) if c in members]
            x, y = flat[shown][places].T
            axes.plot(
                x, y, marker, color=color, markersize=15, alpha=0.35, mew=0, label=name, gid=name
            )
            for i, px, py in zip(places, x, y, strict=True):
                axes.text(px, py, visible(vocab[i]), ha="center", va="center", fontsize=10)
        (left, low), (right, high) = flat[-1].min(0), flat[-1].max(0)
        room = 0.06 * (right - left)
        axes.set(xlim=(left - room, right + room), ylim=(low - room, high + room))
        axes.set(xticks=[], yticks=[])
        axes.spines[:].set_visible(False)
        axes.legend(loc="center left", bbox_to_anchor=(1.01, 0.5), markerscale=0.6, fontsize=10)
        close = _likeness(tables[shown], vocab)
        return (
            f"After {steps} steps the loss is {number(losses[shown])}; guessing has "
            f"{number(math.log(len(vocab)))}. Mean cosine of two vowels: {number(close[0])}, "
            f"of vowel and consonant: {number(close[1])}, of vowel and capital: {number(close[2])}."
        )

    return explore(draw, steps=STEPS, start={"steps": STEPS[-1]}, play="steps", size=(7.2, 4.4))


def _train(
    data: Tensor, size: int, embed: Callable[..., Tensor], make_batch: Callable[..., Any]
) -> tuple[list[Tensor], list[float]]:
    """Learn the next character from one character; return the table and the loss at STEPS."""
    generator, width = torch.Generator().manual_seed(0), 8
    table = (0.3 * torch.randn(size, width, generator=generator)).requires_grad_()
    out = (torch.randn(width, size, generator=generator) / math.sqrt(width)).requires_grad_()
    optimizer = torch.optim.Adam([table, out], lr=0.02)
    tables, losses = [], []
    for step in range(STEPS[-1] + 1):
        starts = torch.randint(len(data) - 65, (16,), generator=generator)
        inputs, targets = make_batch(data, starts, 64)
        logits = embed(inputs, table) @ out  # (16, 64, V)
        loss = F.cross_entropy(logits.flatten(0, -2), targets.flatten().long())
        if step in STEPS:
            tables.append(table.detach().clone())
            losses.append(loss.item())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return tables, losses


def _projected(tables: list[Tensor]) -> list[Any]:
    """Each table in the plane in which the last one spreads most: (V, D) → (V, 2)."""
    centre = tables[-1].mean(0)
    _, _, axes = torch.linalg.svd(tables[-1] - centre, full_matrices=False)
    axes = axes[:2] * torch.where(axes[:2].sum(1, keepdim=True) < 0, -1, 1)
    return [numbers((table - centre) @ axes.T) for table in tables]


def _likeness(table: Tensor, vocab: list[str]) -> tuple[float, ...]:
    """Mean cosines of vowels with vowels, with consonants and with capitals."""
    unit = F.normalize(table, dim=-1)
    rows = [unit[[i for i, c in enumerate(vocab) if c in k]] for k, *_ in KINDS.values()]
    own = rows[0] @ rows[0].T
    among = (own.sum() - own.trace()) / max(len(own) * (len(own) - 1), 1)
    return float(among), *(float((rows[0] @ other.T).mean()) for other in rows[1:3])
