"""Lab 12, 12.4: decode_speed_limit, and what people write in place of its lines."""

from typing import Any

from checks.engine import Mistake, mistakes_of
from checks.roofline.sizes import cache_bytes, count_bytes, count_flops, count_parameters, head_dim


def decode_speed_limit(
    config: Any,
    batch: int,
    context: int,
    peak_flops: float,
    bandwidth: float,
    bytes_per_weight: float = 2.0,
    bytes_per_value: int = 2,
) -> float:
    flops = batch * count_flops(config, 1, context - 1)
    #: `batch * forward_flops(config, 1, context - 1)`: each text has one new token, and context counts it.
    #! context_one_more: flops = batch * count_flops(config, 1, context)
    #  context counts the new token itself: context - 1 others are before it.
    #! flops_of_one_text: flops = count_flops(config, 1, context - 1)
    #  The FLOPs are those of one text. All of the batch are computed.
    #! batch_as_a_prompt: flops = count_flops(config, batch, context - 1)
    #  The batch is counted as a prompt of `batch` tokens, which look at one another. They are texts of their own.
    #! whole_text_again: flops = batch * count_flops(config, context)
    #  All `context` tokens are computed anew in each step. With caches it is one.
    #! two_params: flops = batch * 2 * count_parameters(config)
    #! two_params: flops = batch * 2 * (count_parameters(config) - (0 if config.tie_embeddings else config.vocab_size * config.dim))
    #  It counts 2 FLOPs a parameter and no scores. At long context those are most of the FLOPs.
    #! no_past: flops = batch * count_flops(config, 1)
    #  The FLOPs are those of a token with nothing before it. It looks at context - 1 others.
    #! batch_arithmetic: flops = batch / count_flops(config, 1, context - 1)
    #! batch_arithmetic: flops = batch + count_flops(config, 1, context - 1)
    #  The batch is added or divided where it should be multiplied: all texts are computed.
    #! two_tokens_a_step: flops = batch * count_flops(config, 2, context - 1)
    #  Each text gets two tokens a step. It gets one.
    #! context_one_less: flops = batch * count_flops(config, 1, context - 2)
    #! context_one_less: flops = batch * count_flops(config, 1, context + 1)
    #  The token is counted at another place than its own: context - 1 others are before it.
    cache = cache_bytes(config, context, batch, bytes_per_value)
    #: `kv_cache_bytes(n_layers, n_kv_heads, d, context, batch, bytes_per_value)`, with d = dim / n_heads.
    #! cache_of_one_text: cache = cache_bytes(config, context, 1, bytes_per_value)
    #  The cache is that of one text. Each text has its own, and all are read.
    #! cache_of_query_heads: cache = batch * 2 * config.n_layers * config.dim * context * bytes_per_value
    #  The cache is counted with n_heads heads. It has n_kv_heads. [jranaraki/vllm-fit#2, hahnyuan/LLM-Viewer#12]
    #! cache_of_one_layer: cache = cache_bytes(config, context, batch, bytes_per_value) / config.n_layers
    #  The cache is that of one layer. There are n_layers.
    #! cache_of_one_head: cache = cache_bytes(config, context, batch, bytes_per_value) / config.n_kv_heads
    #  The cache is that of one head. There are n_kv_heads.
    #! keys_only: cache = cache_bytes(config, context, batch, bytes_per_value) / 2
    #  Only the keys or only the values are read. Both are.
    #! no_cache: cache = 0
    #  The caches are missing. At 8,192 tokens and a batch of 64 they are more than the weights. [Pushkinist/rMLX#403]
    #! cache_with_dim: cache = batch * 2 * config.n_layers * config.n_kv_heads * config.dim * context * bytes_per_value
    #  A kv head is counted with the full width, dim. It has d = dim / n_heads features.
    #! cache_before_the_step: cache = cache_bytes(config, context - 1, batch, bytes_per_value)
    #  The cache has context - 1 positions. The new token's key and value are looked at, too.
    #! value_bytes_ignored: cache = cache_bytes(config, context, batch, 2)
    #  It counts two bytes for a number in the caches whatever bytes_per_value says.
    #! weights_bytes_in_the_cache: cache = cache_bytes(config, context, batch, bytes_per_weight)
    #  The numbers in the caches are counted with bytes_per_weight. They have bytes_per_value.
    #! batch_twice: cache = batch * cache_bytes(config, context, batch, bytes_per_value)
    #  The batch is multiplied twice into the caches: kv_cache_bytes takes it already.
    #! cache_without_head_dim: cache = cache_bytes(config, context, batch, bytes_per_value) / head_dim(config)
    #  The head's size is missing in the caches.
    #! head_dim_multiplied: cache = cache_bytes(config, context, batch, bytes_per_value) * config.n_heads**2
    #  The head's size is dim · n_heads. It is dim / n_heads.
    n_bytes = count_bytes(config, bytes_per_weight) + cache
    #: `weight_bytes(config, bytes_per_weight) + cache`
    #! weights_for_each_text: n_bytes = batch * count_bytes(config, bytes_per_weight) + cache
    #  The weights are read anew for each text. One reading serves all: that is what a batch is for.
    #! all_parameters: n_bytes = count_parameters(config) * bytes_per_weight + cache
    #  An untied embedding table is read whole. Only the rows of the tokens are.
    #! weight_bytes_ignored: n_bytes = count_bytes(config) + cache
    #  It counts two bytes a weight whatever bytes_per_weight says.
    #! only_the_caches: n_bytes = cache
    #  The weights are missing among the bytes.
    #! weights_multiplied: n_bytes = count_bytes(config, bytes_per_weight) * cache
    #  The bytes of the weights and of the caches are multiplied. Both are read: add them.
    #! caches_subtracted: n_bytes = count_bytes(config, bytes_per_weight) - cache
    #  The caches are subtracted. Both are read: add them.
    seconds = max(flops / peak_flops, n_bytes / bandwidth)
    #: `max(flops / peak_flops, n_bytes / bandwidth)`: reading and computing go on at once.
    #! one_after_the_other: seconds = flops / peak_flops + n_bytes / bandwidth
    #  It computes and reads one after the other. A limit is what no program exceeds: both at once.
    #! faster_half: seconds = min(flops / peak_flops, n_bytes / bandwidth)
    #  It takes the faster half. The step ends when both are done.
    #! memory_only: seconds = n_bytes / bandwidth
    #  Only reading takes time. In a large batch computing takes longer.
    #! compute_only: seconds = flops / peak_flops
    #  Only computing takes time. In a small batch reading takes longer.
    #! machine_swapped: seconds = max(flops / bandwidth, n_bytes / peak_flops)
    #  peak_flops and bandwidth have changed places.
    #! bytes_by_peak: seconds = max(flops, n_bytes) / peak_flops
    #  Bytes are divided by FLOPs a second. They come at `bandwidth`.
    #! whole_seconds: seconds = max(flops // peak_flops, n_bytes / bandwidth)
    #! whole_seconds: seconds = max(flops / peak_flops, n_bytes // bandwidth)
    #! whole_seconds: seconds = max(flops // peak_flops, n_bytes // bandwidth)
    #  Seconds are rounded down to whole ones: `//` where `/` is meant.
    #! multiplied_by_machine: seconds = max(flops * peak_flops, n_bytes / bandwidth)
    #! multiplied_by_machine: seconds = max(flops / peak_flops, n_bytes * bandwidth)
    #! multiplied_by_machine: seconds = max(flops * peak_flops, n_bytes * bandwidth)
    #  FLOPs are multiplied by FLOPs a second, or bytes by bytes a second. Divided, they are seconds.
    #! upside_down: seconds = max(peak_flops / flops, bandwidth / n_bytes)
    #  Times are upside down: FLOPs over FLOPs a second are seconds.
    return batch / seconds
    #: `batch / seconds`: a step gives each text a token.
    #! for_one_user: return 1 / seconds
    #  It gives the steps a second, which is the speed of one text. Those of all texts together are asked for: batch times that.
    #! seconds_returned: return seconds
    #  It gives the seconds of a step.
    #! seconds_a_token: return seconds / batch
    #  It gives the seconds for a token. Tokens a second are asked for.
    #! bandwidth_over_size: return batch * bandwidth / count_bytes(config, bytes_per_weight)
    #! bandwidth_over_size: return bandwidth / count_bytes(config, bytes_per_weight)
    #! bandwidth_over_size: return batch * bandwidth / (count_parameters(config) * bytes_per_weight)
    #! bandwidth_over_size: return bandwidth / (count_parameters(config) * bytes_per_weight)
    #  It divides the bandwidth by the size of the weights: no caches, and no computing. That is near the truth for one short text only. [ai-runway/airunway#139]
    #! times_context: return batch * context / seconds
    #  It counts all tokens of the context. A step gives each text one new token.
    #! whole_tokens: return batch // seconds
    #! whole_tokens: return float(int(batch / seconds))
    #  It rounds to whole tokens.
    #! a_product: return batch * seconds
    #  It multiplies by the seconds. Tokens a second are tokens over seconds.
    #! no_return: batch / seconds
    #  The result is computed and then forgotten: there is no `return`.


MISTAKES: list[Mistake] = mistakes_of(decode_speed_limit)
