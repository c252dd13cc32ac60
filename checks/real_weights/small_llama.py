"""Lab 11: a Llama of the checks' own, with the names of the course's modules.

It computes in float64, slow and obvious, and shares no code with what the learner wrote.
"""

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn


@dataclass
class LlamaConfig:
    """The sizes of a Llama, with the defaults of lab 08."""

    dim: int = 4096
    n_layers: int = 32
    n_heads: int = 32
    n_kv_heads: int = 8
    vocab_size: int = 128_256
    hidden_dim: int = 14_336
    max_seq_len: int = 8192
    norm_eps: float = 1e-5
    rope_base: float = 500_000.0
    tie_embeddings: bool = False


class Linear(nn.Module):
    """A linear map without a bias; new, its weights are random, as fast as can be."""

    def __init__(self, n_in: int, n_out: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(n_out, n_in))


class Norm(nn.Module):
    """RMSNorm."""

    def __init__(self, dim: int, eps: float) -> None:
        super().__init__()
        self.eps = eps
        self.weight = nn.Parameter(torch.ones(dim))

    def forward(self, x: Tensor) -> Tensor:
        """x: (..., dim) float64 → the same shape."""
        return x / (x.square().mean(-1, keepdim=True) + self.eps).sqrt() * self.weight.double()


class Attention(nn.Module):
    """Causal attention, kv heads shared by neighbours."""

    def __init__(self, config: LlamaConfig) -> None:
        super().__init__()
        self.config, dim = config, config.dim
        narrow = dim // config.n_heads * config.n_kv_heads
        self.wq = Linear(dim, dim)
        self.wk = Linear(dim, narrow)
        self.wv = Linear(dim, narrow)
        self.wo = Linear(dim, dim)

    def forward(self, x: Tensor) -> Tensor:
        """x: (B, T, dim) → (B, T, dim)."""
        heads, kv_heads = self.config.n_heads, self.config.n_kv_heads
        q, k, v = (wide(w, x) for w in (self.wq, self.wk, self.wv))
        q = rotated(q.unflatten(-1, (heads, -1)).transpose(1, 2), self.config.rope_base)
        k = rotated(k.unflatten(-1, (kv_heads, -1)).transpose(1, 2), self.config.rope_base)
        v = v.unflatten(-1, (kv_heads, -1)).transpose(1, 2)
        k, v = (y.repeat_interleave(heads // kv_heads, 1) for y in (k, v))
        scores = q @ k.transpose(-2, -1) / math.sqrt(q.shape[-1])
        hidden = torch.ones(scores.shape[-2:], dtype=torch.bool).triu(1)
        mixed = scores.masked_fill(hidden, -torch.inf).softmax(-1) @ v
        return wide(self.wo, mixed.transpose(1, 2).flatten(2))


class FeedForward(nn.Module):
    """SwiGLU."""

    def __init__(self, dim: int, hidden: int) -> None:
        super().__init__()
        self.w_gate = Linear(dim, hidden)
        self.w_up = Linear(dim, hidden)
        self.w_down = Linear(hidden, dim)

    def forward(self, x: Tensor) -> Tensor:
        """x: (..., dim) → (..., dim)."""
        gate = wide(self.w_gate, x)
        return wide(self.w_down, gate / (1 + torch.exp(-gate)) * wide(self.w_up, x))


class Block(nn.Module):
    """One layer."""

    def __init__(self, config: LlamaConfig) -> None:
        super().__init__()
        self.attention_norm = Norm(config.dim, config.norm_eps)
        self.attention = Attention(config)
        self.ffn_norm = Norm(config.dim, config.norm_eps)
        self.feed_forward = FeedForward(config.dim, config.hidden_dim)

    def forward(self, x: Tensor) -> Tensor:
        """x: (B, T, dim) → (B, T, dim)."""
        x = x + self.attention(self.attention_norm(x))
        return x + self.feed_forward(self.ffn_norm(x))


class Llama(nn.Module):
    """Token ids to logits, without a cache."""

    def __init__(self, config: LlamaConfig) -> None:
        super().__init__()
        self.config = config
        self.tok_embeddings = nn.Embedding(config.vocab_size, config.dim)
        self.layers = nn.ModuleList(Block(config) for _ in range(config.n_layers))
        self.norm = Norm(config.dim, config.norm_eps)
        if not config.tie_embeddings:
            self.output = Linear(config.dim, config.vocab_size)

    def forward(self, ids: Tensor) -> Tensor:
        """ids: (B, T) → logits (B, T, V) float32."""
        x = self.tok_embeddings.weight.double()[ids]
        for block in self.layers:
            x = block(x)
        table = self.tok_embeddings if self.config.tie_embeddings else self.output
        return wide(table, self.norm(x)).float()


def wide(linear: nn.Module, x: Tensor) -> Tensor:
    """A linear map in float64."""
    return x @ linear.weight.double().T


def rotated(x: Tensor, base: float) -> Tensor:
    """RoPE from position 0 on, neighbouring pairs. x: (B, H, T, d) float64."""
    d = x.shape[-1]
    pairs = torch.arange(0, d, 2, dtype=torch.float64)
    turn = torch.arange(x.shape[-2])[:, None] * base ** (-pairs / d)
    turned = torch.view_as_complex(x.unflatten(-1, (-1, 2)).contiguous())
    return torch.view_as_real(turned * torch.exp(1j * turn)).flatten(-2)
