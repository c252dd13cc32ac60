"""Lab 03, slow and obvious: one position and one pair after the other, in float64."""

import math

import torch
from torch import Tensor


def sinusoidal_positions(seq_len: int, dim: int, base: float = 10_000.0) -> Tensor:
    """Table of sines and cosines: (T, D), sine in the even columns, cosine in the odd ones."""
    rows = []
    for position in range(seq_len):
        row = []
        for i in range(dim // 2):
            angle = position * base ** (-2 * i / dim)
            row += [math.sin(angle), math.cos(angle)]
        rows.append(row)
    return torch.tensor(rows, dtype=torch.float64).to(torch.float32)


def rotate_2d(v: Tensor, angle: Tensor) -> Tensor:
    """Turn vectors in the plane anticlockwise. v: (..., 2), angle: (...) → (..., 2)."""
    x, y = v.double().unbind(-1)
    cos, sin = angle.double().cos(), angle.double().sin()
    return torch.stack((x * cos - y * sin, x * sin + y * cos), dim=-1).to(v.dtype)


def rope_frequencies(head_dim: int, base: float = 10_000.0) -> Tensor:
    """Radians per position of each pair: (d/2,)."""
    return torch.tensor([base ** (-2 * i / head_dim) for i in range(head_dim // 2)])


def rope_angles(positions: Tensor, frequencies: Tensor) -> Tensor:
    """Angle of each pair at each position. (T,), (d/2,) → (T, d/2)."""
    rows = [frequencies.double() * position.double() for position in positions]
    return torch.stack(rows).to(frequencies.dtype)


def apply_rope(x: Tensor, angles: Tensor) -> Tensor:
    """Turn each pair (2i, 2i + 1) by its angle. x: (..., T, d), angles: (T, d/2) → (..., T, d)."""
    rows = []
    for t in range(x.shape[-2]):
        row = []
        for i in range(x.shape[-1] // 2):
            a, b = x[..., t, 2 * i].double(), x[..., t, 2 * i + 1].double()
            cos, sin = angles[t, i].double().cos(), angles[t, i].double().sin()
            row += [a * cos - b * sin, a * sin + b * cos]
        rows.append(torch.stack(row, dim=-1))
    return torch.stack(rows, dim=-2).to(x.dtype)


apply_rope_complex = apply_rope


def interleaved_to_half(x: Tensor) -> Tensor:
    """Sort the even places before the odd ones. (..., d) → (..., d)."""
    d = x.shape[-1]
    places = [*range(0, d, 2), *range(1, d, 2)]
    return torch.stack([x[..., place] for place in places], dim=-1)


def apply_rope_half(x: Tensor, angles: Tensor) -> Tensor:
    """Turn each pair (i, i + d/2) by its angle. x: (..., T, d), angles: (T, d/2) → (..., T, d)."""
    half = x.shape[-1] // 2
    rows = []
    for t in range(x.shape[-2]):
        firsts, seconds = [], []
        for i in range(half):
            a, b = x[..., t, i].double(), x[..., t, i + half].double()
            cos, sin = angles[t, i].double().cos(), angles[t, i].double().sin()
            firsts.append(a * cos - b * sin)
            seconds.append(a * sin + b * cos)
        rows.append(torch.stack(firsts + seconds, dim=-1))
    return torch.stack(rows, dim=-2).to(x.dtype)
