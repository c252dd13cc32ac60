"""Lab 05: one `Check` per exercise."""

from checks.kv_cache.cache import check as KVCache
from checks.kv_cache.cached_attention import CachedAttention
from checks.kv_cache.count_scores import count_scores
from checks.kv_cache.generate_greedy import generate_greedy
from checks.kv_cache.generate_greedy_cached import generate_greedy_cached
from checks.kv_cache.kv_cache_bytes import kv_cache_bytes

__all__ = [
    "CachedAttention",
    "KVCache",
    "count_scores",
    "generate_greedy",
    "generate_greedy_cached",
    "kv_cache_bytes",
]
