"""Lab 01: the embedding table is trained on the spot, and its rows are drawn in two dimensions."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from assets.shakespeare import text
from plots.boxes import visible
from plots.flipbook import Flipbook, explore
from plots.measure import one_thread
from plots.page import says
from plots.style import BLUE, FAINT, GREEN, INK, ORANGE, PINK, is_narrow, number, numbers

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

KINDS = {
    "vowels": ("aeiou", BLUE, "o"),
    "consonants": ("bcdfghjklmnpqrstvwxyz", ORANGE, "s"),
    "capitals": ("ABCDEFGHIJKLMNOPQRSTUVWXYZ", GREEN, "^"),
    "the rest": ("\n !$&',-.:;?", PINK, "D"),
}
PAIRS = (("vowels", BLUE, "-"), ("consonants", ORANGE, "--"), ("capitals", GREEN, "-."))
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
        shown, narrow = STEPS.index(steps), is_narrow(fig)
        flat = _projected(tables)
        axes = fig.add_axes((0.01, 0.42, 0.98, 0.57) if narrow else (0.01, 0.02, 0.6, 0.96))
        (left, low), (right, high) = flat[-1].min(0), flat[-1].max(0)
        room = 0.07 * (right - left)
        axes.set(xlim=(left - room, right + room), ylim=(low - room, high + room))
        axes.set(xticks=[], yticks=[])
        axes.spines[:].set_visible(False)
        size = 13 if narrow else 15
        at = _apart(axes, flat[shown], size)
        near = _neighbours(tables[shown], vocab)
        for name, (members, color, marker) in KINDS.items():
            places = [i for i, c in enumerate(vocab) if c in members]
            look = {"markersize": size, "alpha": 0.35, "mew": 0, "label": name, "gid": name}
            axes.plot(*at[places].T, marker, color=color, **look)
            for i in places:
                look = {"ha": "center", "va": "center", "fontsize": 9 if narrow else 10}
                says(axes.text(*at[i], visible(vocab[i]), **look), near[i])
        close = [_likeness(table, vocab) for table in tables[: shown + 1]]
        lines = fig.add_axes((0.15, 0.1, 0.8, 0.2) if narrow else (0.69, 0.14, 0.29, 0.52))
        for place, (name, color, line) in enumerate(PAIRS):
            values = [row[place] for row in close]
            (drawn,) = lines.plot(STEPS[: shown + 1], values, line, color=color, label=name)
            drawn.set(marker="o", markersize=4, gid=f"cosine-{place}")
            says(drawn, f"{name}: mean cosine {number(values[-1])} after {steps} steps")
        lines.axhline(0, color=INK, linewidth=0.8, alpha=2 * FAINT)
        lines.set(xlim=(-15, 615), ylim=(-0.35, 1.5), xlabel="steps", xticks=range(0, 601, 200))
        lines.set(title="mean cosine of a vowel with", yticks=[0, 0.5, 1])
        key = {"ncols": 3, "handlelength": 1.4, "columnspacing": 0.7, "handletextpad": 0.4}
        lines.legend(loc="upper left", fontsize=9, borderaxespad=0, **(key if narrow else {}))
        kinds = {"fontsize": 9, "markerscale": 0.6, "ncols": 4 if narrow else 2, "columnspacing": 1}
        where = ((0.5, 0.345), "lower center") if narrow else ((0.66, 0.99), "upper left")
        if narrow:
            kinds |= {"handletextpad": 0, "handlelength": 1.3, "columnspacing": 0.3}
        fig.legend(
            *axes.get_legend_handles_labels(), bbox_to_anchor=where[0], loc=where[1], **kinds
        )
        vowels, consonants, capitals = close[-1]
        return (
            f"After {steps} steps the loss is {number(losses[shown])}; guessing has "
            f"{number(math.log(len(vocab)))}. Mean cosine of two vowels: {number(vowels)}, "
            f"of vowel and consonant: {number(consonants)}, of vowel and capital: "
            f"{number(capitals)}. Letters that would cover each other are moved apart a little."
        )

    return explore(
        draw,
        steps=STEPS,
        start={"steps": STEPS[-1]},
        play="steps",
        size=(9.8, 4.8),
        narrow=(3.25, 5.6),
    )


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


def _apart(axes: Axes, at: Any, size: float) -> Any:
    """Push markers of `size` points apart that would cover each other: (V, 2) → (V, 2)."""
    box, (across, up) = axes.get_position(), axes.figure.get_size_inches() * 72
    (left, right), (low, high) = axes.get_xlim(), axes.get_ylim()
    points = np.array([box.width * across / (right - left), box.height * up / (high - low)])
    places = at * points
    for _ in range(80):
        gap = places[:, None] - places
        far = np.hypot(*gap.T).T + 1e-9
        push = np.clip(size - far, 0, None) / far
        np.fill_diagonal(push, 0)
        places = places + 0.35 * (gap * push[..., None]).sum(1)
    return places / points


def _neighbours(table: Tensor, vocab: list[str]) -> list[str]:
    """What each character says: the three whose vectors point most nearly where its own does."""
    unit = F.normalize(table, dim=-1)
    cosines = (unit @ unit.T).fill_diagonal_(-2)
    best = cosines.topk(3, dim=-1)
    return [
        f"nearest to {visible(character)}: "
        + ", ".join(f"{visible(vocab[i])} {number(c)}" for c, i in zip(*row, strict=True))
        for character, *row in zip(vocab, best.values.tolist(), best.indices.tolist(), strict=True)
    ]


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
