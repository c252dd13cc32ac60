"""Lab 00: right answers, written differently."""

import torch
from torch import Tensor
from torch.nn import functional as F


def meta(x: Tensor) -> Tensor:
    """As inside of Meta's RMSNorm: pow(2).mean(-1), in float32."""
    return x.float().pow(2).mean(-1).type_as(x)


def product(x: Tensor) -> Tensor:
    """The product with itself, summed and divided by D."""
    wide = x.to(torch.float32)
    return ((wide * wide).sum(dim=-1) / x.size(-1)).to(x.dtype)


def einsum(x: Tensor) -> Tensor:
    """Each vector's dot product with itself, by einsum, in float64."""
    wide = x.double()
    return (torch.einsum("...i,...i->...", wide, wide) / x.shape[-1]).to(x.dtype)


def by_length(x: Tensor) -> Tensor:
    """The squared length divided by D."""
    length = torch.linalg.vector_norm(x, dim=-1, dtype=torch.float64)
    return (length.square() / x.shape[-1]).to(x.dtype)


def moments(x: Tensor) -> Tensor:
    """Variance plus squared mean, which is the same thing."""
    variance, mean = torch.var_mean(x.double(), dim=-1, correction=0)
    return (variance + mean**2).to(x.dtype)


def loss(x: Tensor) -> Tensor:
    """F.mse_loss against zeros, without its own reduction."""
    wide = x.float()
    return F.mse_loss(wide, torch.zeros_like(wide), reduction="none").mean(-1).to(x.dtype)


def matrices(x: Tensor) -> Tensor:
    """A row times a column: (..., 1, D) @ (..., D, 1)."""
    wide = x.float()
    return (wide.unsqueeze(-2) @ wide.unsqueeze(-1)).squeeze(-1).squeeze(-1).div(x.shape[-1]).to(x)


def loop(x: Tensor) -> Tensor:
    """A loop over the numbers of the vectors."""
    total = torch.zeros_like(x[..., 0], dtype=torch.float64)
    for column in x.double().unbind(-1):
        total = total + column**2
    return (total / x.shape[-1]).to(x.dtype)


def scaled(x: Tensor) -> Tensor:
    """Divided before it is squared, so that even float16 does not overflow; summed in float32."""
    return ((x / x.shape[-1] ** 0.5) ** 2).sum(-1, dtype=torch.float32).to(x.dtype)


ACCEPTED = {
    "mean_square": [meta, product, einsum, by_length, moments, loss, matrices, loop, scaled]
}

# What the browser test types into an exercise cell: exercise, source, key of the mistake.
TYPED = (
    "0.1",
    """def mean_square(x):
    return x.float().mean(dim=-1).square().to(x.dtype)
""",
    "mean_then_square",
)
