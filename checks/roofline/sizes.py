"""Lab 12: sizes of Llamas, and what its exercises count, once more in the checks' own way."""

from typing import Any

from checks.engine.llama_config import LlamaConfig, sizes

H100 = (
    989e12,
    3.35e12,
)  # FLOP/s in bfloat16 without sparsity, bytes/s, from the maker's data sheet


def worked(**changes: Any) -> LlamaConfig:
    """The model of the worked examples."""
    example = {"dim": 4, "n_layers": 1, "n_heads": 2, "n_kv_heads": 1}
    return sizes(**(example | {"vocab_size": 5, "hidden_dim": 3} | changes))


def llama_3(dim: int, n_layers: int, n_heads: int, hidden_dim: int, **more: Any) -> LlamaConfig:
    """One of Llama 3's sizes."""
    return LlamaConfig(
        dim, n_layers, n_heads, 8, 128_256, hidden_dim, 8192, 1e-5, 500_000.0, **more
    )


def llama_3_8b() -> LlamaConfig:
    """Llama 3 8B."""
    return llama_3(4096, 32, 32, 14_336)


def head_dim(config: Any) -> int:
    """Features of a head."""
    return config.dim // config.n_heads


def layer_weights(config: Any) -> int:
    """Weights of a layer's seven matrices."""
    queries = config.dim * config.n_heads * head_dim(config)
    keys = config.dim * config.n_kv_heads * head_dim(config)
    return 2 * queries + 2 * keys + 3 * config.dim * config.hidden_dim


def count_flops(config: Any, n_new: int, n_past: int = 0) -> int:
    """What forward_flops is to give."""
    weights = config.n_layers * layer_weights(config) + config.vocab_size * config.dim
    scores = n_new * (n_past + n_new)
    return 2 * n_new * weights + 4 * config.n_layers * config.n_heads * head_dim(config) * scores


def count_parameters(config: Any) -> int:
    """Lab 08's count: matrices, norms, tables."""
    layer = layer_weights(config) + 2 * config.dim
    tables = 1 if config.tie_embeddings else 2
    return config.n_layers * layer + (tables * config.vocab_size + 1) * config.dim


def count_bytes(config: Any, bytes_per_weight: float = 2.0) -> float:
    """What weight_bytes is to give."""
    layers = config.n_layers * (layer_weights(config) + 2 * config.dim)
    return (layers + config.dim + config.vocab_size * config.dim) * bytes_per_weight


def cache_bytes(config: Any, context: int, batch: int, bytes_per_value: float) -> float:
    """Bytes of the keys and values of `batch` texts, in all layers (lab 05's kv_cache_bytes)."""
    numbers = 2 * config.n_layers * config.n_kv_heads * head_dim(config) * context
    return batch * numbers * bytes_per_value
