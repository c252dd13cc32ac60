"""The worked pieces, in the order in which the labs build them (by tools/build.py)."""

# ruff: noqa: I001, RUF022 (in the order of the labs)
from .start_here import mean_square
from .input_block import (
    build_vocab,
    encode,
    decode,
    embed,
    make_batch,
    count_pairs,
    merge_pair,
    train_bpe,
    encode_bpe,
    decode_bpe,
)
from .rmsnorm import batch_norm, layer_norm, rms_norm, RMSNorm
from .rope import (
    sinusoidal_positions,
    rotate_2d,
    rope_frequencies,
    rope_angles,
    apply_rope,
    apply_rope_complex,
    interleaved_to_half,
    apply_rope_half,
)
from .attention import (
    causal_mask,
    attention_weights,
    attention,
    split_heads,
    merge_heads,
    MultiHeadAttention,
)
from .kv_cache import (
    KVCache,
    CachedAttention,
    generate_greedy,
    generate_greedy_cached,
    count_scores,
    kv_cache_bytes,
)
from .gqa import (
    repeat_kv,
    grouped_query_attention,
    GroupedQueryAttention,
    mean_pool_heads,
    decode_intensity,
)
from .swiglu import swish, glu, swiglu, ffn_hidden_dim, SwiGLU
from .llama import LlamaConfig, DecoderBlock, Llama, count_parameters

__all__ = [
    "mean_square",
    "build_vocab",
    "encode",
    "decode",
    "embed",
    "make_batch",
    "count_pairs",
    "merge_pair",
    "train_bpe",
    "encode_bpe",
    "decode_bpe",
    "batch_norm",
    "layer_norm",
    "rms_norm",
    "RMSNorm",
    "sinusoidal_positions",
    "rotate_2d",
    "rope_frequencies",
    "rope_angles",
    "apply_rope",
    "apply_rope_complex",
    "interleaved_to_half",
    "apply_rope_half",
    "causal_mask",
    "attention_weights",
    "attention",
    "split_heads",
    "merge_heads",
    "MultiHeadAttention",
    "KVCache",
    "CachedAttention",
    "generate_greedy",
    "generate_greedy_cached",
    "count_scores",
    "kv_cache_bytes",
    "repeat_kv",
    "grouped_query_attention",
    "GroupedQueryAttention",
    "mean_pool_heads",
    "decode_intensity",
    "swish",
    "glu",
    "swiglu",
    "ffn_hidden_dim",
    "SwiGLU",
    "LlamaConfig",
    "DecoderBlock",
    "Llama",
    "count_parameters",
]
