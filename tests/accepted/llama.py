"""Lab 08: right answers, written differently. Parts of labs 02 to 07 come from the worked package."""

import math
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from solutions.my_llama import DecoderBlock as WorkedBlock
from solutions.my_llama import (
    GroupedQueryAttention,
    KVCache,
    RMSNorm,
    SwiGLU,
    rope_angles,
    rope_frequencies,
)

# 8.1


class _Parts(nn.Module):
    def __init__(self, config: Any) -> None:
        super().__init__()
        self.attention = GroupedQueryAttention(config.dim, config.n_heads, config.n_kv_heads)
        self.feed_forward = SwiGLU(config.dim, config.hidden_dim)
        self.attention_norm = RMSNorm(config.dim, eps=config.norm_eps)
        self.ffn_norm = RMSNorm(config.dim, eps=config.norm_eps)


class BlockMeta(_Parts):
    """Meta's: h = x + attention(norm(x)); out = h + feed_forward(norm(h))."""

    def forward(self, x: Tensor, angles: Tensor, cache: Any = None) -> Tensor:
        h = x + self.attention(self.attention_norm(x), angles, cache)
        return h + self.feed_forward(self.ffn_norm(h))


class BlockHuggingFace(_Parts):
    """Hugging Face's: keep `residual`, overwrite `hidden_states`, add."""

    def forward(self, x: Tensor, angles: Tensor, cache: Any = None) -> Tensor:
        hidden_states = x
        residual = hidden_states
        hidden_states = self.attention_norm(hidden_states)
        hidden_states = self.attention(hidden_states, angles, cache=cache)
        hidden_states = residual + hidden_states
        residual = hidden_states
        hidden_states = self.ffn_norm(hidden_states)
        hidden_states = self.feed_forward(hidden_states)
        return residual + hidden_states


class _TorchAttention(nn.Module):
    """The same four maps, by torch's own attention."""

    def __init__(self, dim: int, n_heads: int, n_kv_heads: int) -> None:
        super().__init__()
        self.d = dim // n_heads
        self.wq = nn.Linear(dim, dim, bias=False)
        self.wk = nn.Linear(dim, n_kv_heads * self.d, bias=False)
        self.wv = nn.Linear(dim, n_kv_heads * self.d, bias=False)
        self.wo = nn.Linear(dim, dim, bias=False)

    def forward(self, x: Tensor, angles: Tensor, cache: Any) -> Tensor:
        q, k, v = (
            w(x).unflatten(-1, (-1, self.d)).transpose(1, 2) for w in (self.wq, self.wk, self.wv)
        )
        turn = torch.polar(torch.ones_like(angles), angles)
        q, k = (
            torch.view_as_real(
                torch.view_as_complex(y.float().unflatten(-1, (-1, 2)).contiguous()) * turn
            )
            .flatten(-2)
            .to(x.dtype)
            for y in (q, k)
        )
        if cache is not None:
            k, v = cache.update(k, v)
        T, S = q.shape[2], k.shape[2]
        mask = torch.ones(T, S, dtype=torch.bool, device=x.device).tril(S - T)
        out = F.scaled_dot_product_attention(q, k, v, attn_mask=mask, enable_gqa=True)
        return self.wo(out.transpose(1, 2).flatten(2))


class _TorchFeedForward(nn.Module):
    def __init__(self, dim: int, hidden_dim: int) -> None:
        super().__init__()
        self.w_gate = nn.Linear(dim, hidden_dim, bias=False)
        self.w_up = nn.Linear(dim, hidden_dim, bias=False)
        self.w_down = nn.Linear(hidden_dim, dim, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        return self.w_down(F.silu(self.w_gate(x)) * self.w_up(x))


class BlockTorch(nn.Module):
    """Torch's own parts: nn.RMSNorm, scaled_dot_product_attention, silu."""

    def __init__(self, config: Any) -> None:
        super().__init__()
        self.attention_norm = nn.RMSNorm(config.dim, config.norm_eps)
        self.ffn_norm = nn.RMSNorm(config.dim, config.norm_eps)
        self.attention = _TorchAttention(config.dim, config.n_heads, config.n_kv_heads)
        self.feed_forward = _TorchFeedForward(config.dim, config.hidden_dim)

    def forward(self, x: Tensor, angles: Tensor, cache: Any = None) -> Tensor:
        for norm, part in (
            (self.attention_norm, lambda y: self.attention(y, angles, cache)),
            (self.ffn_norm, self.feed_forward),
        ):
            x = torch.add(x, part(norm(x)))
        return x


class BlockCollected(_Parts):
    """Collects what is to be added, and keeps the stream in float32 on the way."""

    def forward(self, x: Tensor, angles: Tensor, cache: Any = None) -> Tensor:
        found = self.attention(self.attention_norm(x), angles, cache)
        middle = x.float() + found.float()
        more = self.feed_forward(self.ffn_norm(middle.to(x.dtype)))
        return torch.stack([x.float(), found.float(), more.float()]).sum(0).to(x.dtype)


class BlockInUse(_Parts):
    """Builds no graph when there is a cache: that is inference."""

    def forward(self, x: Tensor, angles: Tensor, cache: Any = None) -> Tensor:
        with torch.set_grad_enabled(torch.is_grad_enabled() and cache is None):
            x = x + F.dropout(self.attention(self.attention_norm(x), angles, cache), p=0.0)
            return x + self.feed_forward(self.ffn_norm(x))


# 8.2


class _Caches(nn.Module):
    config: Any

    def new_caches(self, batch: int, max_len: int) -> list[KVCache]:
        c, weight = self.config, self.tok_embeddings.weight
        caches = []
        for _ in range(c.n_layers):
            caches.append(
                KVCache.empty(
                    batch,
                    c.n_kv_heads,
                    max_len,
                    c.dim // c.n_heads,
                    dtype=weight.dtype,
                    device=weight.device,
                )
            )
        return caches


class LlamaMeta(_Caches):
    """Meta's: a table of angles for max_seq_len made once, logits in float32."""

    def __init__(self, config: Any) -> None:
        super().__init__()
        self.config = config
        self.tok_embeddings = nn.Embedding(config.vocab_size, config.dim)
        self.layers = nn.ModuleList()
        for _ in range(config.n_layers):
            self.layers.append(BlockMeta(config))
        self.norm = RMSNorm(config.dim, eps=config.norm_eps)
        if not config.tie_embeddings:
            self.output = nn.Linear(config.dim, config.vocab_size, bias=False)
        d = config.dim // config.n_heads
        freqs = 1.0 / (config.rope_base ** (torch.arange(0, d, 2)[: d // 2].float() / d))
        self.freqs = torch.outer(torch.arange(config.max_seq_len), freqs).float()

    def forward(self, ids: Tensor, caches: list[KVCache] | None = None) -> Tensor:
        self.freqs = self.freqs.to(ids.device)
        start_pos = 0 if caches is None else caches[0].length
        angles = self.freqs[start_pos : start_pos + ids.shape[1]]
        h = self.tok_embeddings(ids)
        for i, layer in enumerate(self.layers):
            h = layer(h, angles, caches[i] if caches is not None else None)
        h = self.norm(h)
        if self.config.tie_embeddings:
            return (h @ self.tok_embeddings.weight.t()).float()
        return self.output(h).float()


class LlamaHuggingFace(_Caches):
    """Hugging Face's: output is always there, and shares its weight when tied."""

    def __init__(self, config: Any) -> None:
        super().__init__()
        self.config = config
        self.tok_embeddings = nn.Embedding(config.vocab_size, config.dim)
        self.layers = nn.ModuleList([BlockHuggingFace(config) for _ in range(config.n_layers)])
        self.norm = RMSNorm(config.dim, config.norm_eps)
        self.output = nn.Linear(config.dim, config.vocab_size, bias=False)
        if config.tie_embeddings:
            self.output.weight = self.tok_embeddings.weight

    def forward(self, ids: Tensor, caches: list[KVCache] | None = None) -> Tensor:
        past = caches[0].length if caches is not None else 0
        position_ids = torch.arange(ids.shape[1], device=ids.device) + past
        d = self.config.dim // self.config.n_heads
        exponents = torch.arange(0, d, 2, dtype=torch.int64, device=ids.device).float() / d
        angles = position_ids[:, None].float() @ (1.0 / self.config.rope_base**exponents)[None]
        hidden_states = self.tok_embeddings(ids)
        for layer_idx, layer in enumerate(self.layers):
            cache = caches[layer_idx] if caches is not None else None
            hidden_states = layer(hidden_states, angles, cache=cache)
        return self.output(self.norm(hidden_states))


class LlamaTied(_Caches):
    """Shares the weight the other way round: the table is output's, which is registered first."""

    def __init__(self, config: Any) -> None:
        super().__init__()
        self.config = config
        output = nn.Linear(config.dim, config.vocab_size, bias=False)
        self.output = output
        self.norm = RMSNorm(config.dim, config.norm_eps)
        self.layers = nn.ModuleList(WorkedBlock(config) for _ in range(config.n_layers))
        self.tok_embeddings = nn.Embedding(config.vocab_size, config.dim)
        if config.tie_embeddings:
            self.tok_embeddings.weight = output.weight

    def forward(self, ids: Tensor, caches: list[KVCache] | None = None) -> Tensor:
        start = caches[-1].length if caches else 0
        positions = torch.arange(start, start + ids.shape[1], device=ids.device)
        frequencies = rope_frequencies(
            self.config.dim // self.config.n_heads, self.config.rope_base
        )
        angles = rope_angles(positions, frequencies.to(ids.device))
        x = self.tok_embeddings(ids)
        for layer, cache in zip(self.layers, caches or [None] * len(self.layers), strict=True):
            x = layer(x, angles, cache)
        return self.output(self.norm(x))


class LlamaTorch(_Caches):
    """Torch's own parts; the table is looked up by an index, the output is an einsum."""

    def __init__(self, config: Any) -> None:
        super().__init__()
        self.config = config
        self.tok_embeddings = nn.Embedding(config.vocab_size, config.dim)
        nn.init.normal_(self.tok_embeddings.weight, std=0.02)
        self.layers = nn.ModuleList([BlockTorch(config) for _ in range(config.n_layers)])
        self.norm = nn.RMSNorm(config.dim, config.norm_eps)
        if not config.tie_embeddings:
            self.output = nn.Linear(config.dim, config.vocab_size, bias=False)

    def forward(self, ids: Tensor, caches: list[KVCache] | None = None) -> Tensor:
        c = self.config
        d, T = c.dim // c.n_heads, ids.shape[-1]
        start = caches[0].length if caches else 0
        steps = torch.arange(d // 2, device=ids.device) * (-2 * math.log(c.rope_base) / d)
        angles = torch.arange(start, start + T, device=ids.device)[:, None] * steps.exp()
        x = self.tok_embeddings.weight[ids]
        for i in range(c.n_layers):
            x = self.layers[i](x, angles, caches[i]) if caches else self.layers[i](x, angles)
        table = self.tok_embeddings.weight if c.tie_embeddings else self.output.weight
        return torch.einsum("btd,vd->btv", self.norm(x), table)


class LlamaAlwaysCached(LlamaTied):
    """Makes caches for one call when it is given none: slower, and right."""

    def forward(self, ids: Tensor, caches: list[KVCache] | None = None) -> Tensor:
        return super().forward(ids, caches or self.new_caches(*ids.shape))


class _Rotary(nn.Module):
    """Keeps the frequencies, not as a buffer: `.to(bfloat16)` leaves them alone."""

    def __init__(self, head_dim: int, base: float) -> None:
        super().__init__()
        self.frequencies = rope_frequencies(head_dim, base)

    def forward(self, positions: Tensor) -> Tensor:
        return rope_angles(positions, self.frequencies.to(positions.device))


class LlamaRotary(_Caches):
    """A module for the angles, blocks in a Sequential, and an output that is None when tied."""

    def __init__(self, config: Any) -> None:
        super().__init__()
        self.config = config
        self.tok_embeddings = nn.Embedding(config.vocab_size, config.dim)
        self.rotary = _Rotary(config.dim // config.n_heads, config.rope_base)
        self.layers = nn.Sequential(*(WorkedBlock(config) for _ in range(config.n_layers)))
        self.norm = RMSNorm(config.dim, config.norm_eps)
        bare = config.tie_embeddings
        self.output = None if bare else nn.Linear(config.dim, config.vocab_size, bias=False)

    def forward(self, ids: Tensor, caches: list[KVCache] | None = None) -> Tensor:
        past = max(cache.length for cache in caches) if caches else 0
        angles = self.rotary(past + torch.arange(ids.shape[1], device=ids.device))
        x = self.tok_embeddings(ids)
        for i, layer in enumerate(self.layers):
            x = layer(x, angles, caches[i] if caches else None)
        table = (self.output or self.tok_embeddings).weight
        return (self.norm(x).flatten(0, 1) @ table.T).unflatten(0, ids.shape)


# 8.3


def count_by_lines(config: Any) -> int:
    """Line by line, head by head."""
    head_dim = config.dim // config.n_heads
    total = config.vocab_size * config.dim
    for _ in range(config.n_layers):
        total += config.n_heads * head_dim * config.dim  # wq
        total += 2 * config.n_kv_heads * head_dim * config.dim  # wk, wv
        total += config.dim * config.n_heads * head_dim  # wo
        total += 3 * config.dim * config.hidden_dim
        total += 2 * config.dim
    total += config.dim
    if not config.tie_embeddings:
        total += config.vocab_size * config.dim
    return total


def count_factored(config: Any) -> int:
    """One formula, dim taken out."""
    group = config.n_heads // config.n_kv_heads
    square = 2 * config.dim + 2 * config.dim // group
    tables = (2 - int(config.tie_embeddings)) * config.vocab_size
    return config.dim * (tables + 1 + config.n_layers * (square + 3 * config.hidden_dim + 2))


def count_shapes(config: Any) -> int:
    """A table of shapes, and the product of each."""
    dim, hidden, V = config.dim, config.hidden_dim, config.vocab_size
    kv = dim * config.n_kv_heads // config.n_heads
    block = [(dim, dim)] * 2 + [(kv, dim)] * 2 + [(hidden, dim)] * 3 + [(dim,)] * 2
    once = [(V, dim)] * (1 if config.tie_embeddings else 2) + [(dim,)]
    return sum(math.prod(shape) for shape in block * config.n_layers + once)


def count_on_meta(config: Any) -> int:
    """Builds the model where numbers take no memory, and lets torch count."""
    with torch.device("meta"):
        return sum(weight.numel() for weight in LlamaHuggingFace(config).parameters())


ACCEPTED = {
    "DecoderBlock": [BlockMeta, BlockHuggingFace, BlockTorch, BlockCollected, BlockInUse],
    "Llama": [
        *(LlamaMeta, LlamaHuggingFace, LlamaTied, LlamaTorch, LlamaAlwaysCached, LlamaRotary),
    ],
    "count_parameters": [count_by_lines, count_factored, count_shapes, count_on_meta],
}

# What the browser test types into an exercise cell: exercise, source, key of the mistake.
TYPED = (
    "8.1",
    """class DecoderBlock(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.attention_norm = RMSNorm(config.dim, config.norm_eps)
        self.attention = GroupedQueryAttention(config.dim, config.n_heads, config.n_kv_heads)
        self.ffn_norm = RMSNorm(config.dim, config.norm_eps)
        self.feed_forward = SwiGLU(config.dim, config.hidden_dim)

    def forward(self, x, angles, cache=None):
        x = self.attention_norm(x)
        x = x + self.attention(x, angles, cache)
        return x + self.feed_forward(self.ffn_norm(x))
""",
    "first_residual_from_normed",
)
