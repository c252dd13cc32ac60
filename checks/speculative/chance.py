"""Lab 14: is what was drawn distributed as the target says? Counted, and judged by chi-square.

A right answer fails such a comparison once in a hundred million times; every way of drawing counts.
"""

import torch
from torch import Tensor

RIGHT = "as the target says"


def chi_square(counts: Tensor, expected: Tensor) -> float:
    """Pearson's sum over the tokens; infinite where one came up that cannot."""
    if counts[expected == 0].any():
        return float("inf")
    possible = expected > 0
    return float(((counts - expected)[possible] ** 2 / expected[possible]).sum())


def bound(size: int) -> float:
    """What chi-square exceeds about once in 10^8 times, for `size` tokens."""
    return 25.5 + 3.8 * size


def look(drawn: list[int], p: Tensor, q: Tensor) -> str:
    """Say which distribution tokens have: that of the target p (V,), or what mistakes lead to."""
    if not drawn:
        return "no tokens"
    size = len(p)
    if min(drawn) < 0 or max(drawn) >= size:
        return f"tokens outside of 0 to {size - 1}"
    counts = torch.bincount(torch.tensor(drawn), minlength=size).double()
    shared = torch.minimum(p, q).double()
    shapes = {
        RIGHT: p.double(),
        "as the draft says": q.double(),
        "accepted, or from p": shared + (1 - shared.sum()) * p.double(),
        "accepted, or from q": shared + (1 - shared.sum()) * q.double(),
        "accepted, or too much of q": shared + (q - p).clamp(min=0).double(),
        "the missing tokens only": (p - q).clamp(min=0).double() / (1 - shared.sum()),
    }
    off = {name: chi_square(counts, share * len(drawn)) for name, share in shapes.items()}
    nearest = min(off, key=off.__getitem__)
    if off[RIGHT] < bound(size):
        return RIGHT
    return nearest if off[nearest] < bound(size) else "another distribution"


def luck_of(calls: list[list[int]]) -> list[str]:
    """Two calls each with a seed, the same seed again, another one."""
    first, second, again, _, other, _ = calls
    return [
        "same seed, same tokens" if first == again else "same seed, other tokens",
        "next call, same tokens" if first == second else "next call, other tokens",
        "other seed, same tokens" if first == other else "other seed, other tokens",
    ]
