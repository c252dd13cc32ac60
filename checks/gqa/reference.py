"""Lab 06, slow and obvious: one kv head after the other, in float64."""

import math

import torch
from torch import Tensor, nn


def repeat_kv(x: Tensor, n_rep: int) -> Tensor:
    """(B, K, S, d) → (B, K·n_rep, S, d): each kv head n_rep times in a row."""
    heads = []
    for head in x.unbind(1):
        for _ in range(n_rep):
            heads.append(head)
    return torch.stack(heads, dim=1)


def attention(q: Tensor, k: Tensor, v: Tensor, mask: Tensor) -> Tensor:
    """q: (B, n, T, d), k and v: (B, S, d), mask: (B, n, T, S) bool → (B, n, T, d); one kv head."""
    scores = (q[..., None, :] * k[:, None, None]).sum(-1) / math.sqrt(q.shape[-1])
    weights = torch.softmax(scores.where(mask, -torch.inf), dim=-1)  # (B, n, T, S)
    return (weights[..., None] * v[:, None, None]).sum(-2)


def grouped_query_attention(q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None = None) -> Tensor:
    """q: (B, H, T, d), k and v: (B, K, S, d), mask: to (B, H, T, S) → (B, H, T, d)."""
    (batch, n_heads, n_queries, _), (n_kv_heads, n_keys) = q.shape, k.shape[1:3]
    everything = torch.ones(n_queries, n_keys, dtype=torch.bool, device=q.device)
    may_look = everything if mask is None else mask
    may_look = may_look.expand(batch, n_heads, n_queries, n_keys)
    group = n_heads // n_kv_heads  # this many neighbouring query heads read one kv head
    outputs = []
    for head in range(n_kv_heads):
        readers = slice(head * group, (head + 1) * group)
        keys, values = k[:, head].double(), v[:, head].double()
        outputs.append(attention(q[:, readers].double(), keys, values, may_look[:, readers]))
    return torch.cat(outputs, dim=1).to(q.dtype)


def rotate(x: Tensor, angles: Tensor) -> Tensor:
    """RoPE. x: (B, H, T, d), angles: (T, d/2) → (B, H, T, d); pairs (2i, 2i+1)."""
    cos, sin = angles.double().cos(), angles.double().sin()
    even, odd = x.double()[..., 0::2], x.double()[..., 1::2]
    pairs = torch.stack([even * cos - odd * sin, even * sin + odd * cos], dim=-1)
    return pairs.flatten(-2).to(x.dtype)


class GroupedQueryAttention(nn.Module):
    """Causal self-attention; each step is a method, so that a mistake can replace one of them."""

    def __init__(self, dim: int, n_heads: int, n_kv_heads: int) -> None:
        super().__init__()
        self.check(dim, n_heads, n_kv_heads)
        self.n_heads, self.n_kv_heads = n_heads, n_kv_heads
        head_dim = dim // n_heads
        self.wq = nn.Linear(dim, n_heads * head_dim, bias=False)
        self.wk = nn.Linear(dim, n_kv_heads * head_dim, bias=False)
        self.wv = nn.Linear(dim, n_kv_heads * head_dim, bias=False)
        self.wo = nn.Linear(n_heads * head_dim, dim, bias=False)

    def check(self, dim: int, n_heads: int, n_kv_heads: int) -> None:
        """Refuse groups of different sizes."""
        if n_heads % n_kv_heads != 0:
            raise ValueError(f"{n_heads} query heads cannot share {n_kv_heads} kv heads evenly")

    def forward(self, x: Tensor, angles: Tensor, cache: "KVCache | None" = None) -> Tensor:
        """x: (B, T, dim), angles: (T, d/2) of these T positions → (B, T, dim)."""
        q, k, v = self.project(x)
        q = self.split(q, self.n_heads)  # (B, H, T, d)
        k, v = self.split(k, self.n_kv_heads), self.split(v, self.n_kv_heads)  # (B, K, T, d)
        q, k, v = self.turn(q, k, v, angles)
        k, v = self.remember(q, k, v, cache)  # (B, K, S, d)
        return self.out(self.merge(self.attend(q, k, v)).to(x.dtype))

    def project(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """(B, T, dim) → (B, T, H·d) and two of (B, T, K·d)."""
        return self.wq(x), self.wk(x), self.wv(x)

    def split(self, x: Tensor, n_heads: int) -> Tensor:
        """(B, T, H·d) → (B, H, T, d): head h has the columns h·d to (h+1)·d - 1."""
        return torch.stack(x.chunk(n_heads, dim=-1), dim=1)

    def turn(self, q: Tensor, k: Tensor, v: Tensor, angles: Tensor) -> tuple:
        """Rotate queries and keys by their positions; never the values."""
        return rotate(q, angles), rotate(k, angles), v

    def remember(self, q: Tensor, k: Tensor, v: Tensor, cache: "KVCache | None") -> tuple:
        """The T new keys and values → those of all S positions, of the K kv heads."""
        return (k, v) if cache is None else cache.update(k, v)

    def attend(self, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        """q: (B, H, T, d), k and v: (B, K, S, d) → (B, H, T, d); queries are the last T of S."""
        mask = self.mask(q.shape[2], k.shape[2]).to(q.device)
        return grouped_query_attention(q, k, v, mask)

    def mask(self, n_queries: int, n_keys: int) -> Tensor:
        """Who may look at whom: (T, S) bool."""
        return torch.ones(n_queries, n_keys, dtype=torch.bool).tril(n_keys - n_queries)

    def merge(self, x: Tensor) -> Tensor:
        """(B, H, T, d) → (B, T, dim)."""
        return torch.cat(x.unbind(1), dim=-1)

    def out(self, x: Tensor) -> Tensor:
        """(B, T, dim) → (B, T, dim)."""
        return self.wo(x)


class KVCache:
    """The cache of lab 05, as tolerant as it can be: it takes any number of heads."""

    def __init__(
        self,
        batch: int,
        n_kv_heads: int,
        max_len: int,
        head_dim: int,
        dtype: torch.dtype = torch.float32,
    ) -> None:
        self.keys = torch.zeros(batch, n_kv_heads, max_len, head_dim, dtype=dtype)
        self.values = torch.zeros_like(self.keys)
        self.length = 0

    def update(self, k: Tensor, v: Tensor) -> tuple[Tensor, Tensor]:
        """k, v: (B, K, T, d), stored → all so far, keys and values, each (B, K, length, d)."""
        end = self.length + k.shape[2]
        if end > self.keys.shape[2]:
            raise ValueError(f"{end} positions > {self.keys.shape[2]}")
        if times := (k.shape[1] - 1) // self.keys.shape[1]:  # more heads than it was made for
            heads = torch.arange(k.shape[1]) // (times + 1)
            self.keys, self.values = self.keys[:, heads], self.values[:, heads]
        self.keys[:, :, self.length : end] = k
        self.values[:, :, self.length : end] = v
        self.length = end
        return self.keys[:, :, :end], self.values[:, :, :end]


def mean_pool_heads(weight: Tensor, n_heads: int, n_kv_heads: int) -> Tensor:
    """(H·d, D) → (K·d, D): row i of kv head j is the mean of row i of its query heads' rows."""
    head_dim, group = weight.shape[0] // n_heads, n_heads // n_kv_heads
    rows = []
    for j in range(n_kv_heads):
        for i in range(head_dim):
            total = torch.zeros_like(weight[0], dtype=torch.float64)
            for h in range(j * group, (j + 1) * group):
                total = total + weight[h * head_dim + i].double()
            rows.append(total / group)
    return torch.stack(rows).to(weight.dtype)


def decode_intensity(n_heads: int, n_kv_heads: int, head_dim: int, seq_len: int) -> float:
    """FLOPs per byte of one decode step's attention, with a cache of 2-byte numbers."""
    flops = 0
    for _ in range(n_heads):
        flops += seq_len * 2 * head_dim  # q·k: a multiplication and an addition for each number
        flops += seq_len * 2 * head_dim  # weights·v
    bytes_read = 0
    for _ in ("keys", "values"):
        bytes_read += n_kv_heads * seq_len * head_dim * 2
    return flops / bytes_read
