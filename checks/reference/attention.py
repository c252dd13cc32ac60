"""Lab 04, slow and obvious: one query after the other, in float64."""

import math

import torch
from torch import Tensor, nn


def causal_mask(n_queries: int, n_keys: int) -> Tensor:
    """Who may look at whom: (T, S) bool; the queries are the last T of the S positions."""
    if n_queries > n_keys:
        raise ValueError(f"{n_queries} queries, but only {n_keys} positions")
    past = n_keys - n_queries
    rows = [[key <= past + query for key in range(n_keys)] for query in range(n_queries)]
    return torch.tensor(rows)


def attention_weights(q: Tensor, k: Tensor, mask: Tensor | None = None) -> Tensor:
    """q: (..., T, d), k: (..., S, d), mask: broadcasts to (..., T, S) → (..., T, S)."""
    keys, rows = k.double(), []
    for position, query in enumerate(q.double().unbind(-2)):  # (..., d)
        scores = (keys * query.unsqueeze(-2)).sum(-1) / math.sqrt(q.shape[-1])  # (..., S)
        if mask is not None:
            row = mask[..., position if mask.shape[-2] > 1 else 0, :]
            scores = scores.masked_fill(row.logical_not(), -torch.inf)
        parts = (scores - scores.amax(-1, keepdim=True)).exp()
        rows.append(parts / parts.sum(-1, keepdim=True))
    return torch.stack(rows, dim=-2).to(q.dtype)


def attention(q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None = None) -> Tensor:
    """q: (..., T, d), k and v: (..., S, d) → (..., T, d): values averaged by the weights."""
    weights = attention_weights(q.double(), k.double(), mask)  # (..., T, S)
    return (weights.unsqueeze(-1) * v.double().unsqueeze(-3)).sum(-2).to(q.dtype)


def split_heads(x: Tensor, n_heads: int) -> Tensor:
    """(B, T, H·d) → (B, H, T, d): head h has the columns h·d to (h+1)·d - 1."""
    d = x.shape[-1] // n_heads
    return torch.stack([x[:, :, h * d : (h + 1) * d] for h in range(n_heads)], dim=1)


def merge_heads(x: Tensor) -> Tensor:
    """(B, H, T, d) → (B, T, H·d): the heads of a position side by side."""
    return torch.cat([x[:, h] for h in range(x.shape[1])], dim=-1)


def rotate(x: Tensor, angles: Tensor) -> Tensor:
    """RoPE. x: (..., T, d), angles: (T, d/2) → (..., T, d); pairs (2i, 2i+1)."""
    cos, sin = angles.to(x.dtype).cos(), angles.to(x.dtype).sin()
    even, odd = x[..., 0::2], x[..., 1::2]
    pairs = torch.stack([even * cos - odd * sin, even * sin + odd * cos], dim=-1)
    return pairs.reshape(x.shape)


class MultiHeadAttention(nn.Module):
    """Causal self-attention; each step is a method, so that a mistake can replace one of them."""

    def __init__(self, dim: int, n_heads: int) -> None:
        super().__init__()
        self.n_heads = n_heads
        self.wq = nn.Linear(dim, dim, bias=False)
        self.wk = nn.Linear(dim, dim, bias=False)
        self.wv = nn.Linear(dim, dim, bias=False)
        self.wo = nn.Linear(dim, dim, bias=False)

    def forward(self, x: Tensor, angles: Tensor) -> Tensor:
        """x: (B, T, dim), angles: (T, d/2) → (B, T, dim)."""
        q, k, v = (self.split(y) for y in self.project(x))  # each (B, H, T, d)
        q, k, v = self.turn(q, k, v, angles)
        return self.out(self.merge(self.attend(q, k, v)))

    def project(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """(B, T, dim) → three of (B, T, dim)."""
        return self.wq(x), self.wk(x), self.wv(x)

    def split(self, x: Tensor) -> Tensor:
        """(B, T, dim) → (B, H, T, d)."""
        return split_heads(x, self.n_heads)

    def turn(self, q: Tensor, k: Tensor, v: Tensor, angles: Tensor) -> tuple:
        """Rotate queries and keys by their positions; never the values."""
        return (
            rotate(q.double(), angles).to(q.dtype),
            rotate(k.double(), angles).to(k.dtype),
            v,
        )

    def attend(self, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        """Three of (B, H, T, d) → (B, H, T, d)."""
        return attention(q, k, v, self.mask(q.shape[-2]).to(q.device))

    def mask(self, n: int) -> Tensor:
        """n positions → (n, n) bool."""
        return causal_mask(n, n)

    def merge(self, x: Tensor) -> Tensor:
        """(B, H, T, d) → (B, T, dim)."""
        return merge_heads(x)

    def out(self, x: Tensor) -> Tensor:
        """(B, T, dim) → (B, T, dim)."""
        return self.wo(x)
