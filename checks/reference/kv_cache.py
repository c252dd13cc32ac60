"""Lab 05, slow and obvious: one position after the other, in float64."""

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

Step = Callable[[Tensor], Tensor]


@dataclass(repr=False)
class KVCache:
    """Room for max_len positions, of which the first `length` are written."""

    keys: Tensor
    values: Tensor
    length: int

    @classmethod
    def empty(
        cls,
        batch: int,
        n_kv_heads: int,
        max_len: int,
        head_dim: int,
        dtype: torch.dtype = torch.float32,
        device: torch.device | str | None = None,
    ) -> "KVCache":
        """Two buffers (B, K, max_len, d), with nothing in them yet."""
        shape = (batch, n_kv_heads, max_len, head_dim)
        keys = torch.zeros(shape, dtype=dtype, device=device)
        values = torch.zeros(shape, dtype=dtype, device=device)
        return cls(keys, values, 0)

    def update(self, k: Tensor, v: Tensor) -> tuple[Tensor, Tensor]:
        """k, v: (B, K, T, d), stored → all so far, keys and values, each (B, K, length, d)."""
        if self.length + k.shape[2] > self.keys.shape[2]:
            raise ValueError(f"{self.length} + {k.shape[2]} positions > {self.keys.shape[2]}")
        for t in range(k.shape[2]):
            self.keys[:, :, self.length] = k[:, :, t]
            self.values[:, :, self.length] = v[:, :, t]
            self.length += 1
        return self.keys[:, :, : self.length], self.values[:, :, : self.length]

    def __repr__(self) -> str:
        return f"a cache {tuple(self.keys.shape)}"


def rotate(x: Tensor, angles: Tensor) -> Tensor:
    """RoPE. x: (B, H, T, d), angles: (T, d/2) → (B, H, T, d); pairs (2i, 2i+1)."""
    cos, sin = angles.to(x.dtype).cos(), angles.to(x.dtype).sin()
    even, odd = x[..., 0::2], x[..., 1::2]
    pairs = torch.stack([even * cos - odd * sin, even * sin + odd * cos], dim=-1)
    return pairs.flatten(-2)


class CachedAttention(nn.Module):
    """Causal self-attention with a memory; each step is a method that a mistake can replace."""

    def __init__(self, dim: int, n_heads: int) -> None:
        super().__init__()
        self.n_heads = n_heads
        self.wq = nn.Linear(dim, dim, bias=False)
        self.wk = nn.Linear(dim, dim, bias=False)
        self.wv = nn.Linear(dim, dim, bias=False)
        self.wo = nn.Linear(dim, dim, bias=False)

    def forward(self, x: Tensor, angles: Tensor, cache: KVCache | None = None) -> Tensor:
        """x: (B, T, dim), angles: (T, d/2) of these T positions → (B, T, dim)."""
        q, k, v = (self.split(y) for y in self.project(x))  # each (B, H, T, d)
        q, k, v = self.turn(q, k, v, angles)
        k, v = self.remember(q, k, v, cache)  # (B, H, S, d)
        return self.out(self.merge(self.attend(q, k, v)).to(x.dtype))

    def project(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """(B, T, dim) → three of (B, T, dim)."""
        return self.wq(x), self.wk(x), self.wv(x)

    def split(self, x: Tensor) -> Tensor:
        """(B, T, dim) → (B, H, T, d): head h has the columns h·d to (h+1)·d - 1."""
        return torch.stack(x.chunk(self.n_heads, dim=-1), dim=1)

    def turn(self, q: Tensor, k: Tensor, v: Tensor, angles: Tensor) -> tuple:
        """Rotate queries and keys by their positions; never the values."""
        q, k = (rotate(y.double(), angles).to(y.dtype) for y in (q, k))
        return q, k, v

    def remember(self, q: Tensor, k: Tensor, v: Tensor, cache: KVCache | None) -> tuple:
        """The T new keys and values → those of all S positions."""
        return (k, v) if cache is None else cache.update(k, v)

    def attend(self, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        """q: (B, H, T, d), k, v: (B, H, S, d) → (B, H, T, d); the queries are the last T of S."""
        past = k.shape[2] - q.shape[2]
        rows = []
        for t in range(q.shape[2]):
            seen = past + t + 1  # a query looks at all before it, and at itself
            scores = (k[:, :, :seen].double() * q[:, :, t, None].double()).sum(-1)
            weights = torch.softmax(scores / math.sqrt(q.shape[-1]), dim=-1)  # (B, H, seen)
            rows.append((weights[..., None] * v[:, :, :seen].double()).sum(2))
        return torch.stack(rows, dim=2)

    def merge(self, x: Tensor) -> Tensor:
        """(B, H, T, d) → (B, T, dim)."""
        return torch.cat(x.unbind(1), dim=-1)

    def out(self, x: Tensor) -> Tensor:
        """(B, T, dim) → (B, T, dim)."""
        return self.wo(x)


def likeliest(logits: Tensor) -> int:
    """The token with the largest logit after the last position; the first of equals."""
    row = logits[0, -1].tolist()
    return row.index(max(row))


def generate_greedy(step: Step, ids: Tensor, n_new: int) -> Tensor:
    """ids: (1, T) → (1, T + n_new); step sees the whole sequence every time."""
    for _ in range(n_new):
        ids = torch.tensor([[*ids[0].tolist(), likeliest(step(ids))]])
    return ids


def generate_greedy_cached(step: Step, ids: Tensor, n_new: int) -> Tensor:
    """ids: (1, T) → (1, T + n_new); step sees the prompt, then one new token at a time."""
    new = ids
    for _ in range(n_new):
        new = torch.tensor([[likeliest(step(new))]])
        ids = torch.cat([ids, new], dim=1)
    return ids


def count_scores(n_prompt: int, n_new: int, cached: bool) -> int:
    """The q·k scores of one head for a whole generation: T × S for each call of `step`."""
    total = 0
    for call in range(n_new):
        n_keys = n_prompt + call
        n_queries = 1 if cached and call > 0 else n_keys
        total += n_queries * n_keys
    return total


def kv_cache_bytes(
    n_layers: int,
    n_kv_heads: int,
    head_dim: int,
    seq_len: int,
    batch: int = 1,
    bytes_per_value: int = 2,
) -> int:
    """The bytes of the keys and values of every layer, head and position."""
    numbers = 0
    for _ in range(n_layers):
        for _ in ("keys", "values"):
            numbers += batch * n_kv_heads * seq_len * head_dim
    return numbers * bytes_per_value
