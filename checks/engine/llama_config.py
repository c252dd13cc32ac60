"""What the labs on whole models share: the sizes of a Llama."""

from dataclasses import dataclass, replace
from typing import Any


@dataclass
class LlamaConfig:
    """The sizes of a Llama, with the names of lab 08's; small by default."""

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


def sizes(**changes: Any) -> LlamaConfig:
    """Sizes of a small model: all different, K below H, eps and base far from the defaults."""
    return replace(LlamaConfig(), **changes)
