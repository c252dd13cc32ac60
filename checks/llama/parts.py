"""Lab 08: the parts of labs 02 to 07 once more, of which its blocks and models are made.

A diagnosis builds and runs hundreds of these. So weights are not drawn, since probes bring their
own; they are registered without nn.Module's own bookkeeping; and in attention and SwiGLU a matrix
is no module by itself, its name has the point in it.
"""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class Part(nn.Module):
    """A module with weights by these names."""

    def __init__(self, **weights: Tensor) -> None:
        super().__init__()
        for name, weight in weights.items():
            self._parameters[name] = nn.Parameter(weight)


class RMSNorm(Part):
    """Lab 02."""

    def __init__(self, dim: int, eps: float = 1e-5) -> None:
        super().__init__(weight=torch.ones(dim))
        self.eps = eps

    def forward(self, x: Tensor) -> Tensor:
        """x: (..., dim) → (..., dim)."""
        wide = x.float()
        size = (wide.pow(2).mean(-1, keepdim=True) + self.eps).sqrt()
        return (wide / size * self.weight).to(x.dtype)


def rope_frequencies(head_dim: int, base: float = 10_000.0) -> Tensor:
    """Lab 03: (d/2,) in radians."""
    return base ** -(torch.arange(0, head_dim, 2) / head_dim)


def rope_angles(positions: Tensor, frequencies: Tensor) -> Tensor:
    """Lab 03. positions: (T,), frequencies: (d/2,) → (T, d/2)."""
    return positions[:, None] * frequencies


def rotate(x: Tensor, angles: Tensor) -> Tensor:
    """Lab 03. x: (B, H, T, d), angles: (T, d/2) → (B, H, T, d); pairs (2i, 2i+1)."""
    cos, sin, wide = angles.cos(), angles.sin(), x.float()
    a, b = wide[..., 0::2], wide[..., 1::2]
    return torch.stack([a * cos - b * sin, a * sin + b * cos], dim=-1).flatten(-2).to(x.dtype)


class Matrices(Part):
    """Weights (n_out, n_in) by their names."""

    def __init__(self, **shapes: tuple[int, int]) -> None:
        full = {f"{name}.weight": torch.full(shape, 0.1) for name, shape in shapes.items()}
        super().__init__(**full)

    def times(self, name: str, x: Tensor) -> Tensor:
        """x: (..., n_in) → (..., n_out)."""
        return F.linear(x, self._parameters[f"{name}.weight"])


class Linear(Part):
    """A linear map, as nn.Linear(n_in, n_out, bias=False) is."""

    def __init__(self, n_in: int, n_out: int) -> None:
        super().__init__(weight=torch.full((n_out, n_in), 0.1))

    def forward(self, x: Tensor) -> Tensor:
        """x: (..., n_in) → (..., n_out)."""
        return F.linear(x, self.weight)


class Embedding(Part):
    """A row for each token, as in nn.Embedding."""

    def __init__(self, n: int, dim: int, padding_idx: int | None = None) -> None:
        super().__init__(weight=torch.full((n, dim), 0.2))  # no copy of an output's
        self.padding_idx = padding_idx

    def forward(self, ids: Tensor) -> Tensor:
        """ids: (B, T) → (B, T, dim)."""
        return F.embedding(ids, self.weight, self.padding_idx)


class KVCache:
    """Lab 05."""

    def __init__(
        self,
        batch: int,
        n_kv_heads: int,
        max_len: int,
        head_dim: int,
        dtype: torch.dtype = torch.float32,
        device: torch.device | None = None,
    ) -> None:
        self.keys = torch.zeros(batch, n_kv_heads, max_len, head_dim, dtype=dtype, device=device)
        self.values = torch.zeros_like(self.keys)
        self.length = 0

    def update(self, k: Tensor, v: Tensor) -> tuple[Tensor, Tensor]:
        """k, v: (B, K, T, d), stored → all so far, keys and values, each (B, K, length, d)."""
        end = self.length + k.shape[2]
        if end > self.keys.shape[2]:
            raise ValueError(f"{end} positions > {self.keys.shape[2]}")
        self.keys[:, :, self.length : end] = k
        self.values[:, :, self.length : end] = v
        self.length = end
        return self.keys[:, :, :end], self.values[:, :, :end]


class GroupedQueryAttention(Matrices):
    """Lab 06."""

    def __init__(self, dim: int, n_heads: int, n_kv_heads: int) -> None:
        if n_heads % n_kv_heads:
            raise ValueError(f"{n_heads} query heads cannot share {n_kv_heads} kv heads evenly")
        d = dim // n_heads
        narrow = (n_kv_heads * d, dim)
        super().__init__(wq=(dim, dim), wk=narrow, wv=narrow, wo=(dim, dim))
        self.sizes = n_heads, n_kv_heads, d

    def forward(self, x: Tensor, angles: Tensor, cache: KVCache | None = None) -> Tensor:
        """x: (B, T, dim), angles: (T, d/2) of these T positions → (B, T, dim)."""
        (batch, length, _), (n_heads, n_kv_heads, d) = x.shape, self.sizes
        queries_keys_values = torch.cat([self.times(name, x) for name in ("wq", "wk", "wv")], -1)
        heads = queries_keys_values.view(batch, length, -1, d).transpose(1, 2)
        qk, v = heads.split([n_heads + n_kv_heads, n_kv_heads], dim=1)
        q, k = rotate(qk, angles).split([n_heads, n_kv_heads], dim=1)
        if cache is not None:
            k, v = cache.update(k, v)
        n_new, n_all = q.shape[2], k.shape[2]
        past = torch.ones(n_new, n_all, dtype=torch.bool, device=x.device).tril(n_all - n_new)
        out = F.scaled_dot_product_attention(q, k, v, attn_mask=past, enable_gqa=True)
        return self.times("wo", out.transpose(1, 2).flatten(2))


class SwiGLU(Matrices):
    """Lab 07; `opens` is another function for its gates."""

    def __init__(
        self, dim: int, hidden_dim: int, opens: Callable[[Tensor], Tensor] = F.silu
    ) -> None:
        wide = (hidden_dim, dim)
        super().__init__(w_gate=wide, w_up=wide, w_down=(dim, hidden_dim))
        self.opens = opens

    def forward(self, x: Tensor) -> Tensor:
        """x: (..., dim) → (..., dim)."""
        return self.times("w_down", self.opens(self.times("w_gate", x)) * self.times("w_up", x))


class DecoderBlock(nn.Module):
    """Lab 08, 8.1."""

    def __init__(self, config: Any) -> None:
        super().__init__()
        self.attention_norm = RMSNorm(config.dim, config.norm_eps)
        self.attention = GroupedQueryAttention(config.dim, config.n_heads, config.n_kv_heads)
        self.ffn_norm = RMSNorm(config.dim, config.norm_eps)
        self.feed_forward = SwiGLU(config.dim, config.hidden_dim)

    def forward(self, x: Tensor, angles: Tensor, cache: KVCache | None = None) -> Tensor:
        """x: (B, T, dim), angles: (T, d/2) of these T positions → (B, T, dim)."""
        h = x + self.attention(self.attention_norm(x), angles, cache)
        return h + self.feed_forward(self.ffn_norm(h))
