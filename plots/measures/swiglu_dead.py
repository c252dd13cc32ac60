"""Lab 07: a small network whose ReLU units die while it learns, and come back."""

from __future__ import annotations

import functools
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from plots.measure import one_thread, short
from plots.measures.swiglu import (
    BATCH,
    CLASSIC,
    CONTEXT,
    EMBEDDING,
    HELD_OUT,
    WIDTH,
    data,
    matrix,
    normed,
    windows,
)
from plots.note import note

STEPS, RATE = (50 if short() else 300), 0.03  # a learning rate that is too high
EVERY = 10  # steps from one look at the units to the next
CLOSE = 0.1  # so far two inputs of a unit may differ and be called the same


@dataclass(frozen=True)
class Units:
    """What the units of one training run were given: the largest of all texts, at each look.

    largest: (looks, units); at or below 0 a unit is silent for every text, and gets no gradient.
    held: (looks,) the same for the unit `back`, its weights left as they were when it died.
    back, gone: a unit that dies and comes back, and one that dies for good; None if there is none.
    died: the look at which `back` died.
    """

    largest: Tensor
    held: Tensor
    back: int | None
    gone: int | None
    died: int

    @property
    def dead(self) -> Tensor:
        """(looks, units): whether no text makes the unit fire."""
        return self.largest <= 0


@functools.cache
def units(with_norm: bool) -> Units:
    """Train the network, with a norm before its units or without, and look at them as it learns."""
    with one_thread(), note() as tell:
        tell(f"Training {CLASSIC} units for {STEPS} steps …")
        below, weights = _trained(with_norm)
        largest = torch.stack([(h @ w.T).amax(0) for h, w in zip(below, weights, strict=True)])
        return _chosen(largest, below, weights)


def _trained(with_norm: bool) -> tuple[list[Tensor], list[Tensor]]:
    """→ at each look what reaches the units, of every held-out text (texts, D); their weights."""
    learn, measure, size = data()
    generator = torch.Generator().manual_seed(0)
    embedding = torch.randn(size, EMBEDDING, generator=generator).requires_grad_()
    shapes = [(WIDTH, CONTEXT * EMBEDDING), (size, WIDTH), (CLASSIC, WIDTH), (WIDTH, CLASSIC)]
    first, last, inner, down = (
        matrix(*shape, [generator])[0].detach().requires_grad_() for shape in shapes
    )
    optimizer = torch.optim.AdamW([embedding, first, last, inner, down], lr=RATE)
    keep = normed if with_norm else (lambda x: x)
    unseen, _ = windows(measure, HELD_OUT, torch.Generator().manual_seed(99))
    below, weights = [], []
    for step in range(STEPS + 1):
        if step % EVERY == 0:
            with torch.no_grad():
                below.append(keep(embedding[unseen].flatten(1) @ first.T))
            weights.append(inner.detach().clone())
        x, y = windows(learn, BATCH, generator)
        optimizer.zero_grad()
        h = embedding[x].flatten(1) @ first.T
        logits = keep(h + F.relu(keep(h) @ inner.T) @ down.T) @ last.T
        F.cross_entropy(logits, y).backward()
        optimizer.step()
    return below, weights


def _chosen(largest: Tensor, below: list[Tensor], weights: list[Tensor]) -> Units:
    """Two units to follow: the longest death that ends, and the longest that does not.

    Of the deaths that end, one in which the unit would have come back with its old weights too.
    """
    looks = len(largest)
    spans = sorted(_spans(largest <= 0), reverse=True)  # the longest first
    gone = next((unit for _, unit, _, end in spans if end == looks), None)
    lives = (largest[-1] > 0).tolist()
    for _, unit, begin, end in (span for span in spans if lives[span[1]]):
        held = torch.stack([(h @ weights[begin][unit]).amax() for h in below])
        apart = (held - largest[:, unit])[begin : end + 1].abs().max()
        if held[end] > 0 and apart < CLOSE:
            return Units(largest, held, unit, gone, begin)
    return Units(largest, largest[:, 0], None, gone, 0)


def _spans(dead: Tensor) -> list[tuple[int, int, int, int]]:
    """Length, unit, first look and the look after the last of every death."""
    spans = []
    for unit, states in enumerate(dead.T.tolist()):
        begin = None
        for look, is_dead in enumerate([*states, False]):
            if is_dead and begin is None:
                begin = look
            elif not is_dead and begin is not None:
                spans.append((look - begin, unit, begin, look))
                begin = None
    return spans
