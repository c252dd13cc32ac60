"""Lab 03, 3.8: what people write for apply_rope_half: the same lines, with pairs half a vector apart."""

import math  # the lines of the other module are compiled in this one
from types import FunctionType

import torch
from torch import Tensor

from checks.engine import Mistake, mistakes_of
from checks.rope import rotation_wrong
from checks.rope.rotation_wrong import (
    HALF,
    OF_NEIGHBOURS,
    as_halves,
    as_neighbours,
    halves_of,
    neighbours_of,
)

apart, together = halves_of, as_halves


def spread(x: Tensor) -> Tensor:
    """Give both numbers of a pair the same: (..., d/2) → (..., d)."""
    return together(x, x)


def here(answer: FunctionType) -> FunctionType:
    """The same answer in this module, where `apart` and `together` know halves."""
    copy = FunctionType(answer.__code__, globals(), answer.__name__)
    copy.__module__ = __name__
    return copy


MISTAKES: list[Mistake] = [
    mistake
    for mistake in mistakes_of(here(rotation_wrong.rotation), here(rotation_wrong.with_partners))
    if mistake.key not in OF_NEIGHBOURS
]
