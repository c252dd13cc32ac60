"""03 · Rotary position embedding (made from solutions/03_rope.py by tools/build.py)."""

import torch
from torch import Tensor


def sinusoidal_positions(seq_len: int, dim: int, base: float = 10_000.0) -> Tensor:
    """Table of the first transformer: sines in the even columns, cosines in the odd ones.

    seq_len: T; dim: D, even → (T, D), float32.

    The two angles at position 1 are 1 and 1 · 100^(-2/4) = 0.1:
    >>> sinusoidal_positions(2, 4, base=100.0)
    tensor([[0.0000, 1.0000, 0.0000, 1.0000],
            [0.8415, 0.5403, 0.0998, 0.9950]])
    """
    positions = torch.arange(seq_len)[:, None]  # (T, 1)
    frequencies = base ** (-torch.arange(0, dim, 2) / dim)  # (D/2,)
    angles = positions * frequencies  # (T, D/2)
    return torch.stack((angles.sin(), angles.cos()), dim=-1).flatten(1)  # (T, D)


def rotate_2d(v: Tensor, angle: Tensor) -> Tensor:
    """Turn vectors in the plane anticlockwise.

    v: (..., 2), angle: (...) in radians → (..., 2), same dtype and device as v.
    Computed in float32 at least: only the result is rounded.

    (2, 0) by 60 degrees, which is π/3; cos 60° = 1/2:
    >>> rotate_2d(torch.tensor([2.0, 0.0]), torch.tensor(torch.pi / 3))
    tensor([1.0000, 1.7321])
    """
    x, y = v.float().unbind(-1)
    cos, sin = angle.float().cos(), angle.float().sin()
    return torch.stack((x * cos - y * sin, x * sin + y * cos), dim=-1).to(v.dtype)


def rope_frequencies(head_dim: int, base: float = 10_000.0) -> Tensor:
    """How far each pair turns from one position to the next (RoFormer, eq. 15).

    head_dim: d, even → (d/2,) in radians, float32.

    The exponents are 0, -2/6 and -4/6, and 1000 = 10³:
    >>> rope_frequencies(6, base=1000.0)
    tensor([1.0000, 0.1000, 0.0100])
    """
    return base ** (-torch.arange(0, head_dim, 2) / head_dim)


def rope_angles(positions: Tensor, frequencies: Tensor) -> Tensor:
    """Angle of every pair at every position: m · θ_i.

    positions: (T,) whole numbers, in any order, frequencies: (d/2,) float32
    → (T, d/2) in radians, float32.

    >>> rope_angles(torch.tensor([0, 1, 5]), torch.tensor([1.0, 0.1]))
    tensor([[0.0000, 0.0000],
            [1.0000, 0.1000],
            [5.0000, 0.5000]])
    """
    return positions[:, None] * frequencies  # (T, 1) · (d/2,) → (T, d/2)


def apply_rope(x: Tensor, angles: Tensor) -> Tensor:
    """Turn each pair of neighbouring numbers (2i, 2i + 1) by its angle (RoFormer, eq. 34).

    x: (..., T, d), angles: (T, d/2) in radians → (..., T, d), same dtype and device as x.
    Computed in float32 at least: only the result is rounded.

    (2, 0) by 60 degrees, and (0, 2) by 30 degrees:
    >>> angles = torch.tensor([[torch.pi / 3, torch.pi / 6]])
    >>> apply_rope(torch.tensor([[2.0, 0.0, 0.0, 2.0]]), angles)
    tensor([[ 1.0000,  1.7321, -1.0000,  1.7321]])
    """
    wide, cos, sin = x.float(), angles.cos(), angles.sin()
    a, b = wide[..., 0::2], wide[..., 1::2]  # (..., T, d/2) each
    pairs = torch.stack((a * cos - b * sin, a * sin + b * cos), dim=-1)  # (..., T, d/2, 2)
    return pairs.flatten(-2).to(x.dtype)


def apply_rope_complex(x: Tensor, angles: Tensor) -> Tensor:
    """The same as apply_rope, by one complex multiplication (RoFormer, eq. 12).

    x: (..., T, d), angles: (T, d/2) in radians → (..., T, d), same dtype and device as x.
    Computed in float32 at least: there are no complex numbers of bfloat16.

    (2 + 0i) · e^(iπ/3) = 1 + 1.73i, and (0 + 2i) · e^(iπ/6) = -1 + 1.73i:
    >>> angles = torch.tensor([[torch.pi / 3, torch.pi / 6]])
    >>> apply_rope_complex(torch.tensor([[2.0, 0.0, 0.0, 2.0]]), angles)
    tensor([[ 1.0000,  1.7321, -1.0000,  1.7321]])
    """
    pairs = torch.view_as_complex(x.float().reshape(*x.shape[:-1], -1, 2))  # (..., T, d/2)
    turned = pairs * torch.polar(torch.ones_like(angles), angles)
    return torch.view_as_real(turned).flatten(-2).to(x.dtype)


def interleaved_to_half(x: Tensor) -> Tensor:
    """Move the first numbers of all pairs to the front: [a0 b0 a1 b1 …] → [a0 a1 … b0 b1 …].

    x: (..., d) → (..., d), same dtype.

    >>> interleaved_to_half(torch.tensor([0, 1, 2, 3, 4, 5]))
    tensor([0, 2, 4, 1, 3, 5])
    """
    return torch.cat((x[..., 0::2], x[..., 1::2]), dim=-1)


def apply_rope_half(x: Tensor, angles: Tensor) -> Tensor:
    """Turn each pair (i, i + d/2) by its angle: RoPE in Hugging Face's layout.

    x: (..., T, d), angles: (T, d/2) in radians → (..., T, d), same dtype and device as x.
    Computed in float32 at least: only the result is rounded.

    The pairs of [2, 0, 0, 2] are (2, 0) and (0, 2) here too:
    >>> angles = torch.tensor([[torch.pi / 3, torch.pi / 6]])
    >>> apply_rope_half(torch.tensor([[2.0, 0.0, 0.0, 2.0]]), angles)
    tensor([[ 1.0000, -1.0000,  1.7321,  1.7321]])
    """
    a, b = x.float().chunk(2, dim=-1)  # (..., T, d/2) each
    cos, sin = angles.cos(), angles.sin()
    return torch.cat((a * cos - b * sin, a * sin + b * cos), dim=-1).to(x.dtype)
