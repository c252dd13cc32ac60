"""What two mistakes would show together, foreseen from what each shows by itself."""

import zlib
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Any

import torch
from torch import Tensor

from checks.engine.compare import is_ordinary

SEEN = 40  # parts of a result that are looked at
CLOSE = 2e-3  # relative
NOTHING = -1.1e200  # stands where a result has no such part


def unlikeness(mine: Any, right: Any, shown: Sequence[Any]) -> Tensor:
    """How far a result is from what any two mistakes are likely to show together.

    shown: the results of S mistakes, each by itself → (S, S), from 0 to 1. Two mistakes may each
    change what stands at some places, or which numbers there are, or add up, or multiply.
    """
    found = [dict(islice(_parts(value), SEEN)) for value in (mine, right, *shown)]
    places = list(found[0] | found[1])
    table = torch.tensor(
        [[parts.get(place, NOTHING) for place in places] for parts in found], dtype=torch.float64
    )
    bags = [set(parts.values()) for parts in found]
    numbers = bags[0] | bags[1]
    there = torch.tensor([[n in bag for n in numbers] for bag in bags], dtype=torch.bool)
    strange = torch.tensor([len(bag - numbers) for bag in bags])
    return torch.stack([_from(one, table, there, strange) for one in range(2, len(found))])


def _from(one: int, table: Tensor, there: Tensor, strange: Tensor) -> Tensor:
    """For one mistake: how far its row, together with each other's, is from row 0; (S,).

    there: which of the numbers of the first two rows each row has; strange: how many others.
    """
    mine, right, others = table[0], table[1], table[2:]
    foreseen = (
        torch.where(table[one] != right, table[one], others),
        table[one] + others - right,
        table[one] * others / right,
    )
    far = [((mine - other).abs() > CLOSE * mine.abs()).double().mean(-1) for other in foreseen]
    lost = there[1] & ~(there[one] & there[2:])
    kept = (there[one] | there[2:]) & ~lost
    others_too = strange[one] + strange[2:]
    other_numbers = ((kept != there[0]).sum(-1) + others_too) / (there.shape[1] + others_too)
    return torch.stack([*far, other_numbers]).nan_to_num(1.0).amin(0)


def _parts(value: Any, place: tuple = ()) -> Iterator[tuple[Any, float]]:
    """Where each number or word of a result stands, and what it is, as a number."""
    if isinstance(value, Tensor):
        if is_ordinary(value) and not value.is_meta:
            flat = torch.view_as_real(value) if value.is_complex() else value
            for i, number in enumerate(flat.detach().flatten()[:SEEN].tolist()):
                yield (*place, i), _as_number(number)
    elif isinstance(value, list | tuple):
        for i, item in enumerate(value):
            yield from _parts(item, (*place, i))
    elif isinstance(value, dict):
        for key, item in value.items():
            yield from _parts(item, (*place, str(key)))
    else:
        yield place, _as_number(value)


def _as_number(value: Any) -> float:
    """A number to six digits; for anything else one that nothing else has."""
    if isinstance(value, int | float) and abs(value) < -NOTHING:
        return float(f"{value:.6g}")
    text = str(value.bit_length() if isinstance(value, int) else value)
    return (1.0 + zlib.crc32(text.encode("utf-8", "surrogatepass"))) * 1e190
