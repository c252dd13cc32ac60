"""Lab 03: how far scores drift when words move, and the time that a rotation takes."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from plots.measure import medians, short
from plots.show import missing, once_written

Rotate = Callable[[Tensor, Tensor], Tensor]  # (..., T, d), (T, d/2) → (..., T, d)
Table = Callable[..., Tensor]  # seq_len, dim, base → (T, D)


def angles_at(positions: Tensor, pairs: int, base: float) -> Tensor:
    """Angles as the lab defines them. (T,) → (T, d/2)."""
    return positions.float()[:, None] * base ** (-torch.arange(pairs) / pairs)


def in_model(apply_rope: Rotate, x: Tensor, angles: Tensor) -> Tensor:
    """Turn x (T, d) as a model does it, in a batch of two with two heads: the last is drawn."""
    return apply_rope(x.expand(2, 2, *x.shape).clone(), angles)[-1, -1]


@once_written
def drift(apply_rope: Rotate, sinusoidal_positions: Table, dim: int = 128) -> None:
    """Print how much q·k changes when both words move, for three ways to tell positions."""
    q, k = torch.randn(2, 500, 1, dim, generator=torch.Generator().manual_seed(0))
    table = sinusoidal_positions(4200, dim)

    def rotated(m: int, rounded: bool = False) -> Tensor:
        angles = angles_at(torch.tensor([m + 3, m]), dim // 2, 10_000.0)
        angles = angles.bfloat16().float() if rounded else angles
        return (apply_rope(q, angles[:1]) * apply_rope(k, angles[1:])).sum(-1)

    ways = {
        "sinusoids added": lambda m: ((q + table[m + 3]) * (k + table[m])).sum(-1),
        "rotary": rotated,
        "rotary, angles in bfloat16": lambda m: rotated(m, rounded=True),
    }
    print("mean change of q·k/√d, 500 random pairs")
    print(f"{'k moves from 0 to':28}" + "".join(f"{m:10,}" for m in (16, 256, 4096)))
    for name, score in ways.items():
        start = score(0)
        changes = [float((score(m) - start).abs().mean()) / dim**0.5 for m in (16, 256, 4096)]
        print(f"{name:28}" + "".join(f"{change:10.5f}" for change in changes))


def timing(rotations: dict[str, Rotate], positions: int = 512) -> None:
    """Print how long adding a table and each rotation take, on one layer's queries.

    What is not written yet is left out, and a line says so.
    """
    positions = 64 if short() else positions
    x, table = torch.randn(1, 32, positions, 128), torch.randn(positions, 128)
    angles = angles_at(torch.arange(positions), 64, 500_000.0)
    written = {}
    for name, rotate in rotations.items():
        try:
            rotate(x, angles)
        except NotImplementedError as error:
            print(missing(error))
        else:
            written[name] = lambda rotate=rotate: rotate(x, angles)
    taken = medians(lambda: x + table, *written.values())
    print(f"{f'queries (1, 32, {positions}, 128)':28}     time     ratio")
    for name, seconds in zip(("adding a table", *written), taken, strict=True):
        print(f"{name:28}{seconds * 1e3:6.2f} ms{seconds / taken[0]:10.1f}")
