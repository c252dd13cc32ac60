"""08 · Llama (made from solutions/08_llama.py by tools/build.py)."""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from . import GroupedQueryAttention, KVCache, RMSNorm, SwiGLU, rope_angles, rope_frequencies


@dataclass
class LlamaConfig:
    """The sizes of a Llama; the defaults are those in the files of Llama 3 8B (its config.json).

    A head has d = dim / n_heads features. hidden_dim: F of SwiGLU, as it is: no rounding is to be
    done. max_seq_len: the longest text it was trained on; no weight depends on it. tie_embeddings:
    the output projection is the embedding table itself.

    >>> LlamaConfig(dim=96, n_heads=16).n_kv_heads
    8
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


class DecoderBlock(nn.Module):
    """Attention, then SwiGLU: each reads a normed copy of the stream, and is added to the stream.

    Its parts are `attention_norm` (RMSNorm), `attention` (GroupedQueryAttention), `ffn_norm`
    (RMSNorm) and `feed_forward` (SwiGLU). Both norms start at ones and have config.norm_eps.

    >>> block = DecoderBlock(LlamaConfig(dim=2, n_heads=1, n_kv_heads=1, hidden_dim=3, norm_eps=0.0))
    >>> for weight in block.attention.parameters():
    ...     _ = nn.init.eye_(weight)   # attention gives back what it is given
    >>> _ = nn.init.zeros_(block.feed_forward.w_down.weight)   # SwiGLU gives nothing
    >>> block(torch.tensor([[[1.0, 7.0]]]), torch.zeros(1, 1)).detach()   # x + x / 5
    tensor([[[1.2000, 8.4000]]])
    """

    def __init__(self, config: LlamaConfig) -> None:
        super().__init__()
        self.attention_norm = RMSNorm(config.dim, config.norm_eps)
        self.attention = GroupedQueryAttention(config.dim, config.n_heads, config.n_kv_heads)
        self.ffn_norm = RMSNorm(config.dim, config.norm_eps)
        self.feed_forward = SwiGLU(config.dim, config.hidden_dim)

    def forward(self, x: Tensor, angles: Tensor, cache: KVCache | None = None) -> Tensor:
        """x: (B, T, dim), angles: (T, d/2) of these T positions → (B, T, dim).

        cache: hand it on to attention; None without one.
        """
        x = x + self.attention(self.attention_norm(x), angles, cache)
        return x + self.feed_forward(self.ffn_norm(x))


class Llama(nn.Module):
    """Token ids to logits: embedding, n_layers blocks, a last norm, the output projection.

    Its parts are `tok_embeddings`, `layers`, `norm` and, unless config.tie_embeddings, `output`.
    Its state_dict holds their weights and nothing else. `config` is what it was made with: later
    labs ask for it.

    >>> small = {"dim": 2, "n_heads": 1, "n_kv_heads": 1, "hidden_dim": 2, "norm_eps": 0.0}
    >>> model = Llama(LlamaConfig(**small, n_layers=1, vocab_size=3, tie_embeddings=True))
    >>> for weight in model.layers.parameters():
    ...     _ = nn.init.zeros_(weight)   # a block that adds nothing
    >>> model.tok_embeddings.weight.data = torch.tensor([[1.0, 7], [0, 5], [5, -5]])
    >>> model(torch.tensor([[0]])).detach()   # (1, 7) / 5 times each row of the table
    tensor([[[10.,  7., -6.]]])
    """

    def __init__(self, config: LlamaConfig) -> None:
        super().__init__()
        self.config = config
        self.tok_embeddings = nn.Embedding(config.vocab_size, config.dim)
        self.layers = nn.ModuleList(DecoderBlock(config) for _ in range(config.n_layers))
        self.norm = RMSNorm(config.dim, config.norm_eps)
        if not config.tie_embeddings:
            self.output = nn.Linear(config.dim, config.vocab_size, bias=False)

    def forward(self, ids: Tensor, caches: list[KVCache] | None = None) -> Tensor:
        """ids: (B, T) → logits (B, T, V).

        With caches, one for each layer, the T positions follow those in them.
        """
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

    def new_caches(self, batch: int, max_len: int) -> list[KVCache]:
        """Make an empty cache for each layer, in the dtype and on the device of the weights.

        >>> small = {"dim": 4, "n_layers": 2, "n_heads": 2, "n_kv_heads": 1, "hidden_dim": 3}
        >>> model = Llama(LlamaConfig(**small, vocab_size=3))
        >>> [tuple(cache.keys.shape) for cache in model.new_caches(batch=1, max_len=4)]
        [(1, 1, 4, 2), (1, 1, 4, 2)]
        """
        config, weight = self.config, self.tok_embeddings.weight
        sizes = (batch, config.n_kv_heads, max_len, config.dim // config.n_heads)
        return [KVCache.empty(*sizes, weight.dtype, weight.device) for _ in self.layers]


def count_parameters(config: LlamaConfig) -> int:
    """How many numbers a Llama of these sizes learns, without building it.

    A tied table counts once. RoPE learns nothing.

    >>> small = {"dim": 2, "n_layers": 1, "n_heads": 1, "n_kv_heads": 1, "hidden_dim": 4}
    >>> count_parameters(LlamaConfig(**small, vocab_size=3))   # 16 + 24 + 2·2 + 2·6 + 2
    58
    >>> count_parameters(LlamaConfig())   # Llama 3 8B
    8030261248
    """
    head_dim = config.dim // config.n_heads
    attention = 2 * config.dim * head_dim * (config.n_heads + config.n_kv_heads)
    feed_forward = 3 * config.dim * config.hidden_dim
    block = attention + feed_forward + 2 * config.dim
    tables = 1 if config.tie_embeddings else 2
    return config.n_layers * block + tables * config.vocab_size * config.dim + config.dim
