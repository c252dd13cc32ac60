"""Lab 00, slow and obvious: one vector after the other, in float64."""

import torch
from torch import Tensor


def mean_square(x: Tensor) -> Tensor:
    """Mean of the squares of each vector. x: (..., D) → (...)."""
    means = [(row * row).sum() / len(row) for row in x.double().reshape(-1, x.shape[-1]).unbind(0)]
    return torch.stack(means).reshape(x.shape[:-1]).to(x.dtype)
