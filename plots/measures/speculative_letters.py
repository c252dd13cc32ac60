"""Lab 14: a draft model that has only counted which letter follows the last one to four."""

from __future__ import annotations

import functools

import numpy as np
import torch
from torch import Tensor

from assets import shakespeare
from assets.shakespeare_llama import VOCAB

LEARNED = 0.9  # of the plays, as of the small Llama
TRUST = 2.0  # times that a shorter context's shares count beside what was seen after a longer one
MOST = 4  # letters that are looked at


class Letters:
    """A Draft: shares of the next letter after the last `order` letters, by counts."""

    def __init__(self, ids: np.ndarray, order: int = MOST, temperature: float = 1.0) -> None:
        """ids: (N,) letters of a text."""
        self.size, self.order, self.temperature = len(VOCAB), order, temperature
        self.tables = [_counted(ids, n, self.size) for n in range(MOST + 1)]

    def with_(self, order: int = MOST, temperature: float = 1.0) -> Letters:
        """The same counts, read otherwise."""
        other = object.__new__(Letters)
        other.size, other.tables = self.size, self.tables
        other.order, other.temperature = order, temperature
        return other

    def shares(self, text: list[int]) -> Tensor:
        """What follows a text, (V,): each context's counts beside those of the shorter one."""
        share = np.full(self.size, 1 / self.size)
        for n in range(min(self.order, len(text)) + 1):
            context = 0
            for token in text[len(text) - n :]:
                context = context * self.size + token
            keys, counts = self.tables[n]
            low, high = np.searchsorted(keys, [context * self.size, (context + 1) * self.size])
            seen = np.zeros(self.size)
            seen[keys[low:high] % self.size] = counts[low:high]
            share = (seen + TRUST * share) / (seen.sum() + TRUST)
        return torch.from_numpy(share).float()

    def __call__(
        self, ids: Tensor, n: int, generator: torch.Generator | None = None
    ) -> tuple[Tensor, Tensor]:
        """ids: (T,) → drafts (n,), q (n, V)."""
        text, rows = ids.tolist(), [torch.zeros(0, self.size)]
        for _ in range(n):
            share = self.shares(text[-MOST:])
            if self.temperature == 0:
                share = torch.nn.functional.one_hot(share.argmax(), self.size).float()
            else:
                share = (share.log() / self.temperature).softmax(-1)
            text.append(int(torch.multinomial(share, 1, generator=generator)))
            rows.append(share[None])
        return torch.tensor(text[len(ids) :], dtype=torch.long), torch.cat(rows)


def _counted(ids: np.ndarray, n: int, size: int) -> tuple[np.ndarray, np.ndarray]:
    """Each n letters with the one behind them as a number, sorted, and how often they occur."""
    keys = np.zeros(len(ids) - n, dtype=np.int64)
    for i in range(n + 1):
        keys = keys * size + ids[i : len(ids) - n + i]
    return np.unique(keys, return_counts=True)


@functools.cache
def counted_letters() -> Letters:
    """The letters of the plays that the small Llama has learned from, counted."""
    text = shakespeare.text()
    place = {letter: i for i, letter in enumerate(VOCAB)}
    ids = np.array([place[letter] for letter in text[: int(LEARNED * len(text))]], dtype=np.int64)
    return Letters(ids)
