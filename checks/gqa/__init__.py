"""Lab 06: one `Check` per exercise."""

from checks.gqa.decode_intensity import decode_intensity
from checks.gqa.grouped_query_attention import grouped_query_attention
from checks.gqa.layer import layer as GroupedQueryAttention
from checks.gqa.mean_pool_heads import mean_pool_heads
from checks.gqa.repeat_kv import repeat_kv

__all__ = [
    "GroupedQueryAttention",
    "decode_intensity",
    "grouped_query_attention",
    "mean_pool_heads",
    "repeat_kv",
]
