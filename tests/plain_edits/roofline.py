"""Lab 12: plain edits of the worked answers, each a mistake in the spelling of a learner."""

from wrong_answers import Edit

HEADS = "(config.n_heads + config.n_kv_heads)"
FFN = "3 * config.dim * config.hidden_dim"
OUTPUT = "output = config.vocab_size * config.dim"
WEIGHTS = "config.n_layers * (attention + feed_forward) + output"
SCORES = "scores = n_new * (n_past + n_new)"
FLOPS = "2 * n_new * weights + config.n_layers * 4 * config.n_heads * head_dim * scores"
LOOKED_UP = "0 if config.tie_embeddings else config.vocab_size * config.dim"
BYTES = "(count_parameters(config) - looked_up) * bytes_per_weight"
ROOF = "min(peak_flops, intensity * bandwidth)"
STEP_FLOPS = "batch * forward_flops(config, 1, context - 1)"
CACHE = "config.n_layers, config.n_kv_heads, head_dim, context, batch, bytes_per_value"
READ = "weight_bytes(config, bytes_per_weight) + caches"
LIMIT = "batch / max(flops / peak_flops, n_bytes / bandwidth)"
SCALE = "weight.float().abs().amax(dim=1) / 127"
SAFE = "    scale = torch.where(scale == 0, 1.0, scale)\n"
ROUND = "(weight.float() / scale[:, None]).round().to(torch.int8), scale"
SUMS = "x.float() @ q.float().T"
OUT = "(sums * scale).to(x.dtype)"
BLOCK_SCORES = "q.float() @ k.float().transpose(-2, -1) / math.sqrt(q.shape[-1])"
MASK = "scores.masked_fill(~mask, -torch.inf)"
NEW_M = "torch.maximum(m, scores.amax(dim=-1, keepdim=True))"
STILL = "torch.where(new_m == -torch.inf, 0.0, new_m)"
OLD = "torch.exp(m - still)"
SHARES = "torch.exp(scores - still)"
NEW_L = "l * old + weights.sum(dim=-1, keepdim=True)"
STATE = "new_m, new_l, o * old + weights @ v.float()"

EDITS = {
    "forward_flops": [
        Edit(
            "new tokens look at the past only, when there is one",
            (SCORES, "scores = n_new * (n_past or n_new)"),
            named=("past_or_new",),
        ),
        Edit(
            "keys as wide as queries", (HEADS, "(2 * config.n_heads)"), named=("full_width_keys",)
        ),
        Edit(
            "an MLP of two matrices",
            (FFN, "2 * config.dim * config.hidden_dim"),
            named=("two_matrices",),
        ),
        Edit(
            "hidden units are 4 · dim",
            (FFN, "3 * config.dim * 4 * config.dim"),
            named=("four_times_dim",),
        ),
        Edit(
            "the output is free where tied",
            (OUTPUT, "output = 0 if config.tie_embeddings else config.vocab_size * config.dim"),
            named=("tied_is_free",),
        ),
        Edit(
            "both tables",
            (OUTPUT, "output = 2 * config.vocab_size * config.dim"),
            named=("table_twice",),
        ),
        Edit("no output projection", (OUTPUT, "output = 0"), named=("no_output",)),
        Edit("all parameters", (WEIGHTS, "count_parameters(config)"), named=("all_parameters",)),
        Edit(
            "one FLOP for both", (FLOPS, FLOPS.replace("2 * n_new", "n_new")), named=("one_flop",)
        ),
        Edit(
            "kv heads compute the scores",
            (FLOPS, FLOPS.replace("config.n_heads * h", "config.n_kv_heads * h")),
            named=("kv_heads_for_scores",),
        ),
        Edit(
            "one product of the two", (FLOPS, FLOPS.replace("4 *", "2 *")), named=("one_product",)
        ),
        Edit(
            "the causal half",
            (SCORES, "scores = n_new * n_past + n_new * (n_new + 1) // 2"),
            named=("causal_half",),
        ),
        Edit(
            "only the past is looked at",
            (SCORES, "scores = n_new * n_past"),
            named=("past_scores_only",),
        ),
        Edit(
            "the past looks again", (SCORES, "scores = (n_past + n_new) ** 2"), named=("squared",)
        ),
        Edit(
            "one layer's scores",
            (FLOPS, FLOPS.replace("config.n_layers * 4", "4")),
            named=("scores_of_one_layer",),
        ),
        Edit(
            "the past goes through the weights",
            (FLOPS, FLOPS.replace("2 * n_new", "2 * (n_new + n_past)")),
            named=("past_again",),
        ),
    ],
    "weight_bytes": [
        Edit(
            "the last norm is forgotten",
            (BYTES, "(count_parameters(config) - looked_up - config.dim) * bytes_per_weight"),
            named=("last_norm_missing",),
        ),
        Edit("cut to whole bytes", (BYTES, f"int({BYTES})"), named=("cut_to_whole_bytes",)),
        Edit("the table is read whole", (LOOKED_UP, "0"), named=("table_read",)),
        Edit(
            "tied turned round",
            (LOOKED_UP, "config.vocab_size * config.dim if config.tie_embeddings else 0"),
            named=("tied_turned_round",),
        ),
        Edit(
            "the table always goes",
            (LOOKED_UP, "config.vocab_size * config.dim"),
            named=("table_gone",),
        ),
        Edit(
            "two bytes always",
            (BYTES, "(count_parameters(config) - looked_up) * 2"),
            named=("bytes_ignored",),
        ),
        Edit(
            "no brackets",
            (BYTES, "count_parameters(config) - looked_up * bytes_per_weight"),
            named=("precedence",),
        ),
        Edit(
            "weights, not bytes",
            (BYTES, "count_parameters(config) - looked_up"),
            named=("weights_not_bytes",),
        ),
        Edit(
            "in bits",
            (BYTES, "8 * (count_parameters(config) - looked_up) * bytes_per_weight"),
            named=("bits",),
        ),
        Edit(
            "whole bytes",
            (BYTES, "(count_parameters(config) - looked_up) * int(bytes_per_weight)"),
            named=("whole_bytes",),
        ),
    ],
    "attainable_flops": [
        Edit(
            "an intensity",
            (ROOF, "min(intensity, peak_flops / bandwidth)"),
            named=("an_intensity",),
        ),
        Edit("max", (ROOF, "max(peak_flops, intensity * bandwidth)"), named=("higher_roof",)),
        Edit(
            "divided",
            (ROOF, "min(peak_flops, intensity / bandwidth)"),
            named=("divided_by_bandwidth",),
        ),
        Edit("the slanted roof only", (ROOF, "intensity * bandwidth"), named=("memory_only",)),
        Edit("the flat roof only", (ROOF, "peak_flops"), named=("peak_only",)),
        Edit(
            "the bandwidth itself", (ROOF, "min(peak_flops, bandwidth)"), named=("flat_bandwidth",)
        ),
        Edit(
            "one after the other",
            (ROOF, "1 / (1 / peak_flops + 1 / (intensity * bandwidth))"),
            named=("no_overlap",),
        ),
        Edit("in GFLOPs", (ROOF, f"{ROOF} / 1e9"), named=("gigaflops",)),
        Edit("a share", (ROOF, "min(1, intensity * bandwidth / peak_flops)"), named=("share",)),
    ],
    "decode_speed_limit": [
        Edit(
            "context is before it",
            (STEP_FLOPS, "batch * forward_flops(config, 1, context)"),
            named=("context_one_more",),
        ),
        Edit(
            "one text's FLOPs",
            (STEP_FLOPS, "forward_flops(config, 1, context - 1)"),
            named=("flops_of_one_text",),
        ),
        Edit(
            "batch as n_new",
            (STEP_FLOPS, "forward_flops(config, batch, context - 1)"),
            named=("batch_as_a_prompt",),
        ),
        Edit(
            "cache of query heads",
            (CACHE, CACHE.replace("n_kv_heads", "n_heads")),
            named=("cache_of_query_heads",),
        ),
        Edit(
            "cache of one text", (CACHE, CACHE.replace("batch", "1")), named=("cache_of_one_text",)
        ),
        Edit(
            "cache of one layer",
            (CACHE, CACHE.replace("config.n_layers", "1")),
            named=("cache_of_one_layer",),
        ),
        Edit(
            "bytes_per_value forgotten",
            (CACHE, CACHE.replace(", bytes_per_value", "")),
            named=("value_bytes_ignored",),
        ),
        Edit(
            "bytes_per_weight forgotten",
            (READ, "weight_bytes(config) + caches"),
            named=("weight_bytes_ignored",),
        ),
        Edit(
            "weights for each text",
            (READ, "batch * weight_bytes(config, bytes_per_weight) + caches"),
            named=("weights_for_each_text",),
        ),
        Edit("no caches", (READ, "weight_bytes(config, bytes_per_weight)"), named=("no_cache",)),
        Edit("min", (LIMIT, LIMIT.replace("max", "min")), named=("faster_half",)),
        Edit(
            "added",
            (LIMIT, "batch / (flops / peak_flops + n_bytes / bandwidth)"),
            named=("one_after_the_other",),
        ),
        Edit("one user", (LIMIT, LIMIT.replace("batch /", "1 /")), named=("for_one_user",)),
        Edit("seconds", (LIMIT, LIMIT.replace("batch / ", "")), named=("seconds_returned",)),
    ],
    "quantize_int8": [
        Edit(
            "one scale",
            (SCALE, "weight.float().abs().max() / 127"),
            (ROUND, "(weight.float() / scale).round().to(torch.int8), scale.expand(len(weight))"),
            named=("one_scale",),
        ),
        Edit("128", (SCALE, SCALE.replace("127", "128")), named=("steps_128",)),
        Edit("255", (SCALE, SCALE.replace("127", "255")), named=("steps_255",)),
        Edit("no abs", (SCALE, SCALE.replace(".abs()", "")), named=("signed_largest",)),
        Edit(
            "columns",
            (SCALE, SCALE.replace("dim=1", "dim=0")),
            (ROUND, ROUND.replace("[:, None]", "")),
            named=("each_column",),
        ),
        Edit("zero row", (SAFE, ""), named=("zero_row",)),
        Edit("cut off", (ROUND, ROUND.replace(".round()", "")), named=("truncated",)),
        Edit("floor", (ROUND, ROUND.replace(".round()", ".floor()")), named=("floored",)),
        Edit("not int8", (ROUND, ROUND.replace(".to(torch.int8)", "")), named=("stays_float",)),
        Edit(
            "scales of shape (out, 1)",
            (ROUND, ROUND.replace("int8), scale", "int8), scale[:, None]")),
            named=("scale_column",),
        ),
        Edit(
            "numbers only",
            (ROUND, "(weight.float() / scale[:, None]).round().to(torch.int8)"),
            named=("numbers_only",),
        ),
        Edit(
            "half precision",
            (SCALE, "weight.abs().amax(dim=1) / 127"),
            (ROUND, ROUND.replace(".float()", "")),
            named=("in_half_precision",),
        ),
        Edit(
            "a large epsilon",
            (SAFE, "    scale = scale.clamp(min=1e-4)\n"),
            named=("clamped_too_high",),
        ),
    ],
    "int8_linear": [
        Edit(
            "weights rounded to x's dtype",
            (SUMS, "x.float() @ (q.float() * scale[:, None]).to(x.dtype).float().T"),
            (OUT, "sums.to(x.dtype)"),
            named=("rounded_weights",),
        ),
        Edit("no transpose", (SUMS, "x.float() @ q.float()"), named=("not_transposed",)),
        Edit("no scale", (OUT, "sums.to(x.dtype)"), named=("scale_forgotten",)),
        Edit("divided", (OUT, "(sums / scale).to(x.dtype)"), named=("divided_by_scale",)),
        Edit("rows of x", (OUT, "(sums * scale[:, None]).to(x.dtype)"), named=("scale_rows",)),
        Edit("float32 result", (OUT, "sums * scale"), named=("float32_result",)),
        Edit("half precision", (SUMS, "x @ q.to(x.dtype).T"), named=("in_half_precision",)),
        Edit(
            "x rounded", (SUMS, "x.to(torch.int8).float() @ q.float().T"), named=("x_made_whole",)
        ),
        Edit("one scale", (OUT, "(sums * scale.max()).to(x.dtype)"), named=("one_scale",)),
        Edit("mm", (SUMS, "torch.mm(x.float(), q.float().T)"), named=("two_dimensions",)),
        Edit("scale added", (OUT, "(sums + scale).to(x.dtype)"), named=("scale_added",)),
        Edit(
            "127 twice",
            (OUT, "(sums * scale / 127).to(x.dtype)"),
            named=("over_127", "over_127_after"),
        ),
    ],
    "attend_block": [
        Edit(
            "no scale",
            (BLOCK_SCORES, "q.float() @ k.float().transpose(-2, -1)"),
            named=("no_scale",),
        ),
        Edit(
            "over d",
            (BLOCK_SCORES, BLOCK_SCORES.replace("math.sqrt(q.shape[-1])", "q.shape[-1]")),
            named=("divided_by_d",),
        ),
        Edit("mask inverted", (MASK, MASK.replace("~", "")), named=("inverted_mask",)),
        Edit("-1e9", (MASK, MASK.replace("-torch.inf", "-1e9")), named=("large_negative",)),
        Edit(
            "m starts at 0",
            (
                "scores.new_full((*scores.shape[:-1], 1), -torch.inf)",
                "scores.new_zeros((*scores.shape[:-1], 1))",
            ),
            named=("m_starts_at_zero",),
        ),
        Edit(
            "m of this block",
            (NEW_M, "scores.amax(dim=-1, keepdim=True)"),
            named=("forgets_old_m",),
        ),
        Edit(
            "largest over queries",
            (NEW_M, "torch.maximum(m, scores.amax())"),
            named=("one_for_all",),
        ),
        Edit("-inf minus -inf", (STILL, "new_m"), named=("infinity_minus_infinity",)),
        Edit("0 is kept as m", (STATE, STATE.replace("new_m,", "still,")), named=("zero_for_m",)),
        Edit("l not rescaled", (NEW_L, NEW_L.replace("l * old", "l")), named=("l_not_rescaled",)),
        Edit("o not rescaled", (STATE, STATE.replace("o * old", "o")), named=("o_not_rescaled",)),
        Edit("wrong way", (OLD, "torch.exp(still - m)"), named=("rescaled_the_wrong_way",)),
        Edit("nothing rescaled", (OLD, "torch.ones_like(m)"), named=("never_rescaled",)),
        Edit(
            "softmax in each block",
            (SHARES, "torch.softmax(scores, dim=-1)"),
            named=("softmax_each_block",),
        ),
        Edit(
            "divided by l",
            (STATE, "new_m, new_l, (o * old + weights @ v.float()) / new_l"),
            named=("divided_by_l",),
        ),
        Edit(
            "from the old m",
            (SHARES, "torch.exp(scores - torch.where(m == -torch.inf, still, m))"),
            named=("measured_from_old_m",),
        ),
        Edit(
            "old m returned", (STATE, STATE.replace("new_m,", "m,", 1)), named=("old_m_returned",)
        ),
        Edit(
            "average returned",
            (STATE, "(o * old + weights @ v.float()) / new_l"),
            named=("average_returned",),
        ),
        Edit(
            "keys averaged",
            (STATE, STATE.replace("v.float()", "k.float()")),
            named=("keys_averaged",),
        ),
    ],
}

PAIRS = {
    "forward_flops": [
        Edit(
            "two matrices, and half the scores",
            (FFN, "2 * config.dim * config.hidden_dim"),
            (SCORES, "scores = n_new * n_past + n_new * (n_new + 1) // 2"),
            named=("two_matrices", "causal_half"),
        ),
    ],
    "decode_speed_limit": [
        Edit(
            "cache of query heads, for one user",
            (CACHE, CACHE.replace("n_kv_heads", "n_heads")),
            (LIMIT, LIMIT.replace("batch /", "1 /")),
            named=("cache_of_query_heads", "for_one_user"),
        ),
        Edit(
            "weights for each text, and added",
            (READ, "batch * weight_bytes(config, bytes_per_weight) + caches"),
            (LIMIT, "batch / (flops / peak_flops + n_bytes / bandwidth)"),
            named=("weights_for_each_text", "one_after_the_other"),
        ),
    ],
    "quantize_int8": [
        Edit(
            "cut off, and 255 steps",
            (SCALE, SCALE.replace("127", "255")),
            (ROUND, ROUND.replace(".round()", "")),
            named=("steps_255", "truncated"),
        ),
    ],
    "attend_block": [
        Edit(
            "no scale, and o not rescaled",
            (BLOCK_SCORES, "q.float() @ k.float().transpose(-2, -1)"),
            (STATE, STATE.replace("o * old", "o")),
            named=("no_scale", "o_not_rescaled"),
        ),
        Edit(
            "mask inverted, l not rescaled",
            (MASK, MASK.replace("~", "")),
            (NEW_L, NEW_L.replace("l * old", "l")),
            named=("inverted_mask", "l_not_rescaled"),
        ),
    ],
}
