# %% [markdown]
# # 08 · Llama

# %% id="setup"
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

# %% id="imports"
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from checks import llama as check
from my_llama import GroupedQueryAttention, KVCache, RMSNorm, SwiGLU, rope_angles, rope_frequencies
from plots import llama as plot
from plots.show import show


# %%
# GIVEN · LlamaConfig
@dataclass
class LlamaConfig:
    """The sizes of a Llama; the defaults are those of Llama 3 8B (2407.21783, table 3).

    head_dim: dim / n_heads. hidden_dim: F, the width of SwiGLU. tie_embeddings: the output
    projection is the embedding table itself.
    """

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


# %%
# EXERCISE 8.1 · DecoderBlock
class DecoderBlock(nn.Module):
    """One of the n_layers blocks: attention, then SwiGLU, each normed before and added after.

    Its parts are `attention_norm`, `attention`, `ffn_norm` and `feed_forward`.
    """

    def __init__(self, config: LlamaConfig) -> None:
        super().__init__()
        ### BEGIN SOLUTION raise NotImplementedError("Exercise 8.1: DecoderBlock")
        self.attention_norm = RMSNorm(config.dim, config.norm_eps)
        self.attention = GroupedQueryAttention(config.dim, config.n_heads, config.n_kv_heads)
        self.ffn_norm = RMSNorm(config.dim, config.norm_eps)
        self.feed_forward = SwiGLU(config.dim, config.hidden_dim)
        ### END SOLUTION

    def forward(self, x: Tensor, angles: Tensor, cache: KVCache | None = None) -> Tensor:
        """x: (B, T, dim), angles: (T, d/2) of these T positions → (B, T, dim)."""
        ### BEGIN SOLUTION raise NotImplementedError("Exercise 8.1: DecoderBlock")
        x = x + self.attention(self.attention_norm(x), angles, cache)
        return x + self.feed_forward(self.ffn_norm(x))
        ### END SOLUTION


# %%
check.DecoderBlock(DecoderBlock)


# %%
# EXERCISE 8.2 · Llama
class Llama(nn.Module):
    """Token ids to logits: embedding, n_layers blocks, a last norm, the output projection.

    Its parts are `tok_embeddings`, `layers`, `norm` and, unless config.tie_embeddings, `output`.
    """

    def __init__(self, config: LlamaConfig) -> None:
        super().__init__()
        ### BEGIN SOLUTION raise NotImplementedError("Exercise 8.2: Llama")
        self.config = config
        self.tok_embeddings = nn.Embedding(config.vocab_size, config.dim)
        self.layers = nn.ModuleList(DecoderBlock(config) for _ in range(config.n_layers))
        self.norm = RMSNorm(config.dim, config.norm_eps)
        if not config.tie_embeddings:
            self.output = nn.Linear(config.dim, config.vocab_size, bias=False)
        ### END SOLUTION

    def forward(self, ids: Tensor, caches: list[KVCache] | None = None) -> Tensor:
        """ids: (B, T) → logits (B, T, V).

        With caches, one for each layer, the T positions follow those in them.
        """
        ### BEGIN SOLUTION raise NotImplementedError("Exercise 8.2: Llama")
        config = self.config
        start = caches[0].length if caches else 0
        positions = torch.arange(start, start + ids.shape[1], device=ids.device)
        frequencies = rope_frequencies(config.dim // config.n_heads, config.rope_base)
        angles = rope_angles(positions, frequencies.to(ids.device))  # (T, d/2)

        x = self.tok_embeddings(ids)  # (B, T, dim)
        for layer, cache in zip(self.layers, caches or [None] * config.n_layers, strict=True):
            x = layer(x, angles, cache)
        table = self.tok_embeddings if config.tie_embeddings else self.output
        return F.linear(self.norm(x), table.weight)  # (B, T, V)
        ### END SOLUTION

    def new_caches(self, batch: int, max_len: int) -> list[KVCache]:
        """Make an empty cache for each layer, in the dtype and on the device of the weights."""
        ### BEGIN SOLUTION raise NotImplementedError("Exercise 8.2: Llama")
        config, weight = self.config, self.tok_embeddings.weight
        sizes = (batch, config.n_kv_heads, max_len, config.dim // config.n_heads)
        return [KVCache.empty(*sizes, weight.dtype, weight.device) for _ in self.layers]
        ### END SOLUTION


# %%
check.Llama(Llama)


# %%
# EXERCISE 8.3 · count_parameters
def count_parameters(config: LlamaConfig) -> int:
    """How many numbers a Llama of these sizes learns, without building it.

    >>> count_parameters(LlamaConfig())   # Llama 3 8B
    8030261248
    """
    ### BEGIN SOLUTION
    head_dim = config.dim // config.n_heads
    attention = 2 * config.dim * head_dim * (config.n_heads + config.n_kv_heads)
    feed_forward = 3 * config.dim * config.hidden_dim
    block = attention + feed_forward + 2 * config.dim
    tables = 1 if config.tie_embeddings else 2
    return config.n_layers * block + tables * config.vocab_size * config.dim + config.dim
    ### END SOLUTION


# %%
check.count_parameters(count_parameters)
