"""Lab 13: one `Check` per exercise."""

from checks.long_context.llama3_scale_frequencies import llama3_scale_frequencies
from checks.long_context.ntk_base import ntk_base
from checks.long_context.rolling_kv_cache import check as RollingKVCache
from checks.long_context.sliding_window_mask import sliding_window_mask
from checks.long_context.token_losses import token_losses

__all__ = [
    "RollingKVCache",
    "llama3_scale_frequencies",
    "ntk_base",
    "sliding_window_mask",
    "token_losses",
]
