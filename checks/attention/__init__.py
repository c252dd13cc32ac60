"""Lab 04: one `Check` per exercise."""

from checks.attention.attention import attention
from checks.attention.attention_weights import attention_weights
from checks.attention.causal_mask import causal_mask
from checks.attention.merge_heads import merge_heads
from checks.attention.multi_head_attention import MultiHeadAttention
from checks.attention.split_heads import split_heads

__all__ = [
    "MultiHeadAttention",
    "attention",
    "attention_weights",
    "causal_mask",
    "merge_heads",
    "split_heads",
]
