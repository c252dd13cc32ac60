"""Lab 13: a turn by positions, as lab 03's `apply_rope` makes it, in the checks' own words."""

import torch
from torch import Tensor


def turned(keys: Tensor, positions: float, frequencies: Tensor) -> Tensor:
    """Turn each pair of neighbouring numbers on by so many positions: (..., d) → (..., d)."""
    angles = positions * frequencies.to(keys.device)
    cos, sin, wide = angles.cos(), angles.sin(), keys.float()
    a, b = wide[..., 0::2], wide[..., 1::2]
    pairs = torch.stack((a * cos - b * sin, a * sin + b * cos), dim=-1)
    return pairs.flatten(-2).to(keys.dtype)
