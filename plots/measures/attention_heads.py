"""Lab 04: heads made by hand, of a kind that trained models also have, and how decided they are."""

from __future__ import annotations

import math
import zlib
from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from assets.smollm2_head import Head

HEAD_SIZE = 32
SAME, BEFORE, NEAR, NEXT = "same word", "word before", "near words", "what came next"
HEADS = [SAME, BEFORE, NEAR, NEXT]


def queries_and_keys(
    words: list[str], head: str, apply_rope: Callable[[Tensor, Tensor], Tensor]
) -> tuple[Tensor, Tensor]:
    """What a head made by hand asks and offers: two of (T, 32).

    "same word" compares the words themselves; "what came next" a word with every key's word
    before. The other two ask all the same, and the rotation alone decides.
    """
    content = torch.stack([_vector(word) for word in words])
    if head == SAME:
        return content, content
    if head == NEXT:
        return content, torch.cat([torch.zeros(1, HEAD_SIZE), content[:-1]])
    low, high, back = (0.4, 3.0, 1) if head == BEFORE else (0.05, 0.6, 0)
    frequencies = torch.linspace(low, high, HEAD_SIZE // 2)
    angles = torch.arange(len(words))[:, None] * frequencies  # (T, d/2)
    same = torch.tensor([2**0.5, 0.0]).repeat(len(words), HEAD_SIZE // 2)
    return apply_rope(same, angles - back * frequencies), apply_rope(same, angles)


def turned(head: Head, apply_rope: Callable[[Tensor, Tensor], Tensor]) -> tuple[Tensor, Tensor]:
    """A trained head's queries and keys, each turned by its position: two of (T, 64)."""
    angles = torch.arange(len(head.words))[:, None] * head.frequencies  # (T, d/2)
    return apply_rope(head.q, angles), apply_rope(head.k, angles)


def entropy(weights: np.ndarray) -> np.ndarray:
    """(..., S) weights → (...) bits: 0 for one key only, log2 S for all alike."""
    return -(weights * np.log2(np.clip(weights, 1e-12, None))).sum(-1)


def slope(weights: np.ndarray) -> float:
    """How much a row of weights moves with its scores, on average: the sum of w (1 - w)."""
    return float((weights * (1 - weights)).sum(-1).mean())


def _vector(word: str) -> Tensor:
    """A word's own direction, always the same; all have length sqrt(32)."""
    seed = zlib.crc32(word.lower().strip(".,;:!?\"'").encode())
    drawn = torch.randn(HEAD_SIZE, generator=torch.Generator().manual_seed(seed))
    return drawn / drawn.norm() * math.sqrt(HEAD_SIZE)
