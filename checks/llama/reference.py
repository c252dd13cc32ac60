"""Lab 08: the parts of labs 02 to 07 once more, and how they stand together.

Each step of a block and of the model is a method, so that a mistake can replace one of them. A
diagnosis builds and runs hundreds of these. So weights are not drawn, since probes bring their own;
they are registered without nn.Module's own bookkeeping; and a matrix is no module by itself, its
name has the point in it.
"""

import math
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F


@dataclass
class LlamaConfig:
    """The sizes of a Llama, with the names of the lab's own LlamaConfig; small by default."""

    dim: int = 24
    n_layers: int = 2
    n_heads: int = 6
    n_kv_heads: int = 2
    vocab_size: int = 11
    hidden_dim: int = 15
    max_seq_len: int = 64
    norm_eps: float = 0.1
    rope_base: float = 50.0
    tie_embeddings: bool = False


class Part(nn.Module):
    """A module whose weights are loaded without nn.Module's many questions: names are right."""

    def _load_from_state_dict(self, state: dict, prefix: str, *_: Any) -> None:
        for name, weight in self._parameters.items():
            weight.data.copy_(state[prefix + name])


class RMSNorm(Part):
    """Lab 02."""

    def __init__(self, dim: int, eps: float) -> None:
        super().__init__()
        self.eps = eps
        self._parameters["weight"] = nn.Parameter(torch.ones(dim))

    def forward(self, x: Tensor) -> Tensor:
        """x: (..., dim) → (..., dim)."""
        wide = x.float()
        size = (wide.pow(2).mean(-1, keepdim=True) + self.eps).sqrt()
        return (wide / size * self.weight).to(x.dtype)


def rotate(x: Tensor, angles: Tensor) -> Tensor:
    """Lab 03, by complex numbers. x: (B, H, T, d), angles: (T, d/2) → (B, H, T, d)."""
    pairs = torch.view_as_complex(x.float().reshape(*x.shape[:-1], -1, 2))  # (2i, 2i+1)
    turns = torch.polar(torch.ones_like(angles), angles)
    return torch.view_as_real(pairs * turns).flatten(-2).to(x.dtype)


class Matrices(Part):
    """Weights (n_out, n_in) by their names."""

    def __init__(self, **shapes: tuple[int, int]) -> None:
        super().__init__()
        for name, shape in shapes.items():
            self._parameters[f"{name}.weight"] = nn.Parameter(torch.full(shape, 0.1))

    def times(self, name: str, x: Tensor) -> Tensor:
        """x: (..., n_in) → (..., n_out)."""
        return F.linear(x, self._parameters[f"{name}.weight"])


class Matrix(Part):
    """The output: a linear map without bias."""

    def __init__(self, n_in: int, n_out: int) -> None:
        super().__init__()
        self._parameters["weight"] = nn.Parameter(torch.full((n_out, n_in), 0.1))

    def forward(self, x: Tensor) -> Tensor:
        """x: (..., n_in) → (..., n_out)."""
        return F.linear(x, self.weight)


class Table(Matrix):
    """The embedding: a row for each token."""

    def forward(self, ids: Tensor) -> Tensor:
        """ids: (B, T) → (B, T, n_in)."""
        return F.embedding(ids, self.weight)


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
        d = dim // n_heads
        narrow = (n_kv_heads * d, dim)
        super().__init__(wq=(dim, dim), wk=narrow, wv=narrow, wo=(dim, dim))
        self.sizes = n_heads, n_kv_heads, d

    def forward(self, x: Tensor, angles: Tensor, cache: Any = None) -> Tensor:
        """x: (B, T, dim), angles: (T, d/2) of these T positions → (B, T, dim)."""
        (batch, length, _), (n_heads, n_kv_heads, d) = x.shape, self.sizes
        queries_keys_values = torch.cat([self.times(name, x) for name in ("wq", "wk", "wv")], -1)
        heads = queries_keys_values.view(batch, length, -1, d).transpose(1, 2)
        qk, v = heads.split([n_heads + n_kv_heads, n_kv_heads], dim=1)
        q, k = rotate(qk, angles).split([n_heads, n_kv_heads], dim=1)
        if cache is not None:
            k, v = cache.update(k, v)
        past = torch.ones(length, k.shape[2], dtype=torch.bool, device=x.device)
        past = past.tril(k.shape[2] - length)
        out = F.scaled_dot_product_attention(q, k, v, attn_mask=past, enable_gqa=True)
        return self.times("wo", out.transpose(1, 2).flatten(2))


class SwiGLU(Matrices):
    """Lab 07."""

    def __init__(self, dim: int, hidden_dim: int) -> None:
        wide = (hidden_dim, dim)
        super().__init__(w_gate=wide, w_up=wide, w_down=(dim, hidden_dim))

    def forward(self, x: Tensor) -> Tensor:
        """x: (..., dim) → (..., dim)."""
        gate = self.times("w_gate", x)
        return self.times("w_down", gate * torch.sigmoid(gate) * self.times("w_up", x))


class DecoderBlock(nn.Module):
    """Attention and SwiGLU, each normed before and added after."""

    def __init__(self, config: Any) -> None:
        super().__init__()
        heads = config.n_heads, config.n_kv_heads
        self._modules |= {
            "attention_norm": RMSNorm(config.dim, config.norm_eps),
            "attention": GroupedQueryAttention(config.dim, *heads),
            "ffn_norm": RMSNorm(config.dim, config.norm_eps),
            "feed_forward": SwiGLU(config.dim, config.hidden_dim),
        }

    def forward(self, x: Tensor, angles: Tensor, cache: Any = None) -> Tensor:
        """x: (B, T, dim), angles: (T, d/2) of these T positions → (B, T, dim)."""
        middle = self.after_attention(x, angles, cache)
        return self.after_feed_forward(x, middle)

    def after_attention(self, x: Tensor, angles: Tensor, cache: Any) -> Tensor:
        """The first sum."""
        return x + self.attention(self.attention_norm(x), angles, cache)

    def after_feed_forward(self, x: Tensor, middle: Tensor) -> Tensor:
        """The second sum; x is what entered the block."""
        return middle + self.feed_forward(self.ffn_norm(middle))


class Llama(nn.Module):
    """Token ids to logits; each step is a method, so that a mistake can replace one of them."""

    block = DecoderBlock

    def __init__(self, config: Any) -> None:
        super().__init__()
        self.config = config
        self._modules |= {
            "tok_embeddings": Table(config.dim, config.vocab_size),
            "layers": nn.ModuleList(self.blocks()),
            "norm": RMSNorm(config.dim, config.norm_eps),
        }
        if not config.tie_embeddings:
            self._modules["output"] = Matrix(config.dim, config.vocab_size)

    def blocks(self) -> list[nn.Module]:
        """A block for each layer."""
        return [self.block(self.config) for _ in range(self.config.n_layers)]

    def forward(self, ids: Tensor, caches: list | None = None) -> Tensor:
        """ids: (B, T) → logits (B, T, V)."""
        angles = self.angles(self.positions(ids, caches))
        x = self.through(self.embed(ids), angles, caches)
        return self.logits(self.last_norm(x))

    def positions(self, ids: Tensor, caches: list | None) -> Tensor:
        """Where the T tokens stand: (T,)."""
        start = caches[0].length if caches else 0
        return torch.arange(start, start + ids.shape[1], device=ids.device)

    def angles(self, positions: Tensor) -> Tensor:
        """(T,) → (T, d/2)."""
        d = self.config.dim // self.config.n_heads
        exponents = torch.arange(0, d, 2, device=positions.device) / d
        return positions[:, None].float() * self.config.rope_base**-exponents

    def embed(self, ids: Tensor) -> Tensor:
        """(B, T) → (B, T, dim)."""
        return self.tok_embeddings(ids)

    def through(self, x: Tensor, angles: Tensor, caches: list | None) -> Tensor:
        """Through all blocks: (B, T, dim) → (B, T, dim)."""
        for i, layer in enumerate(self.layers):
            x = layer(x, angles, caches[i] if caches else None)
        return x

    def last_norm(self, x: Tensor) -> Tensor:
        """(B, T, dim) → (B, T, dim)."""
        return self.norm(x)

    def logits(self, x: Tensor) -> Tensor:
        """(B, T, dim) → (B, T, V)."""
        table = self.tok_embeddings if self.config.tie_embeddings else self.output
        return F.linear(x, table.weight)

    def new_caches(self, batch: int, max_len: int) -> list:
        """An empty cache for each layer."""
        config, weight = self.config, self.tok_embeddings.weight
        sizes = (batch, config.n_kv_heads, max_len, config.dim // config.n_heads)
        return [KVCache(*sizes, weight.dtype, weight.device) for _ in range(config.n_layers)]


def shapes_of_block(config: Any) -> dict[str, tuple[int, ...]]:
    """The names and shapes of a block's weights."""
    narrow = config.dim // config.n_heads * config.n_kv_heads
    return {
        "attention_norm.weight": (config.dim,),
        "attention.wq.weight": (config.dim, config.dim),
        "attention.wk.weight": (narrow, config.dim),
        "attention.wv.weight": (narrow, config.dim),
        "attention.wo.weight": (config.dim, config.dim),
        "ffn_norm.weight": (config.dim,),
        "feed_forward.w_gate.weight": (config.hidden_dim, config.dim),
        "feed_forward.w_up.weight": (config.hidden_dim, config.dim),
        "feed_forward.w_down.weight": (config.dim, config.hidden_dim),
    }


def shapes(config: Any) -> dict[str, tuple[int, ...]]:
    """The names and shapes of a model's weights, each once."""
    found = {"tok_embeddings.weight": (config.vocab_size, config.dim)}
    for i in range(config.n_layers):
        block = shapes_of_block(config).items()
        found |= {f"layers.{i}.{name}": shape for name, shape in block}
    found["norm.weight"] = (config.dim,)
    if not config.tie_embeddings:
        found["output.weight"] = (config.vocab_size, config.dim)
    return found


def count_parameters(config: Any) -> int:
    """One weight after the other."""
    return sum(math.prod(shape) for shape in shapes(config).values())
