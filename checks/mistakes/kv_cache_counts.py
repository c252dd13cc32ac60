"""Lab 05: how people count scores and bytes."""

from collections.abc import Callable
from typing import Any

from checks.engine import Mistake
from checks.reference import kv_cache as right


def _scores(queries: Callable, first: Callable | None = None, calls: Callable | None = None):
    """Sum queries(S, cached) · S over the calls; first(S) scores in the first call, if given."""

    def count(n_prompt: int, n_new: int, cached: bool) -> Any:
        total = 0
        for call in range(calls(n_new) if calls else n_new):
            n_keys = n_prompt + call
            if call == 0:
                total += first(n_keys) if first else n_keys**2
            else:
                total += queries(n_keys, cached)
        return total

    return count


def _right_scores(n_keys: int, cached: bool) -> int:
    return n_keys if cached else n_keys**2


FLOAT = "The number is right, but it is a float: somewhere a `/` or a 2.0 has come in."
RECTANGLE = "Each call computes T × S scores: T queries (those of the call), S keys (all so far)."
CALLS = "There are n_new calls; before call i there are n_prompt + i tokens."

SCORES = [
    Mistake(
        "triangle",
        lambda n_prompt, n_new, cached: sum(
            (1 if cached and i else (n_prompt + i + 1) / 2) * (n_prompt + i) for i in range(n_new)
        ).__floor__(),
        "It counts the triangle below the diagonal. The masked scores are computed as well, and "
        "then thrown away.",
        RECTANGLE,
    ),
    Mistake(
        "cached_ignored",
        lambda n_prompt, n_new, cached: right.count_scores(n_prompt, n_new, False),
        "`cached` is not used: it always counts without a cache.",
        "With a cache T is 1 from the second call on.",
    ),
    Mistake(
        "always_cached",
        lambda n_prompt, n_new, cached: right.count_scores(n_prompt, n_new, True),
        "`cached` is not used: it always counts with a cache.",
        "Without a cache T is n_prompt + i.",
    ),
    Mistake(
        "turned_round",
        lambda n_prompt, n_new, cached: right.count_scores(n_prompt, n_new, not cached),
        "cached and not cached have changed places.",
        "The large number is the one without a cache.",
    ),
    Mistake(
        "arguments_swapped",
        lambda n_prompt, n_new, cached: right.count_scores(n_new, n_prompt, cached),
        "n_prompt and n_new have changed places.",
        CALLS,
    ),
    Mistake(
        "last_token_fed_back",
        lambda n_prompt, n_new, cached: right.count_scores(n_prompt, n_new + 1, cached),
        "It counts one call too many: the last new token is not fed back.",
        CALLS,
    ),
    Mistake(
        "one_call_short",
        lambda n_prompt, n_new, cached: right.count_scores(n_prompt, max(n_new - 1, 0), cached),
        "It counts one call too few. The prompt is a call as well.",
        CALLS,
    ),
    Mistake(
        "without_prompt",
        lambda n_prompt, n_new, cached: right.count_scores(1, n_new, cached),
        "The prompt's length is not used.",
        CALLS,
    ),
    Mistake(
        "prefill_not_counted",
        _scores(_right_scores, first=lambda n: 0),
        "The first call, the prompt's, is not counted.",
        CALLS,
    ),
    Mistake(
        "prefill_as_one_row",
        lambda n_prompt, n_new, cached: sum(
            (1 if cached else n_prompt + i) * (n_prompt + i) for i in range(n_new)
        ),
        "With a cache it counts one row for the prompt. The prefill has n_prompt queries.",
        "Only from the second call on T is 1.",
    ),
    Mistake(
        "prefill_token_by_token",
        lambda n_prompt, n_new, cached: (
            sum(range(1, n_prompt + n_new)) * (n_new > 0)
            if cached
            else right.count_scores(n_prompt, n_new, False)
        ),
        "It counts the prompt token by token. The prefill is one call: n_prompt × n_prompt.",
        RECTANGLE,
    ),
    Mistake(
        "tokens_not_scores",
        _scores(lambda n, cached: 1 if cached else n, first=lambda n: n),
        "It counts the tokens that go through the layer. Each of them meets all keys.",
        RECTANGLE,
    ),
    Mistake(
        "one_per_step",
        _scores(lambda n, cached: 1 if cached else n**2),
        "With a cache it counts one score a step. The new query meets all S keys.",
        RECTANGLE,
    ),
    Mistake(
        "past_only",
        _scores(lambda n, cached: n - 1 if cached else n**2),
        "With a cache the new query's score with its own key is missing.",
        "S counts the new token too.",
    ),
    Mistake(
        "row_and_column",
        _scores(lambda n, cached: 2 * n - 1 if cached else n**2),
        "With a cache it counts a new row and a new column. Old queries are not asked again.",
        RECTANGLE,
    ),
    Mistake(
        "last_call_only",
        lambda n_prompt, n_new, cached: (
            (n_new > 0)
            * (n_prompt + n_new - 1)
            * (1 if cached and n_new > 1 else n_prompt + n_new - 1)
        ),
        "It counts the last call only.",
        "Sum over all n_new calls.",
    ),
    Mistake(
        "n_new_times_the_last",
        lambda n_prompt, n_new, cached: (
            n_new * (n_prompt + n_new) * (1 if cached else n_prompt + n_new)
        ),
        "It counts every call as long as the last. They grow.",
        CALLS,
    ),
    Mistake(
        "whole_square",
        lambda n_prompt, n_new, cached: (n_prompt + n_new) ** 2,
        "It counts the square of the finished sequence: one pass over a text that is known.",
        CALLS,
    ),
    Mistake(
        "position_counted_late",
        lambda n_prompt, n_new, cached: sum(
            (1 if cached and i else n_prompt + i + 1) * (n_prompt + i + 1) for i in range(n_new)
        ),
        "Each call is counted with one token too many.",
        CALLS,
    ),
    Mistake(
        "keys_and_values",
        lambda n_prompt, n_new, cached: 2 * right.count_scores(n_prompt, n_new, cached),
        "It counts everything twice. A score is one q·k.",
        RECTANGLE,
    ),
    Mistake(
        "returns_float",
        lambda n_prompt, n_new, cached: float(right.count_scores(n_prompt, n_new, cached)),
        FLOAT,
        "`//` divides whole numbers into whole numbers.",
    ),
]


def _bytes(formula: Callable) -> Callable:
    """A product of its own for the six arguments."""

    def count(
        n_layers: int,
        n_kv_heads: int,
        head_dim: int,
        seq_len: int,
        batch: int = 1,
        bytes_per_value: int = 2,
    ) -> Any:
        return formula(n_layers, n_kv_heads, head_dim, seq_len, batch, bytes_per_value)

    return count


PRODUCT = "`2 * n_layers * n_kv_heads * head_dim * seq_len * batch * bytes_per_value`"

BYTES = [
    Mistake(
        "keys_only",
        _bytes(lambda L, K, d, S, B, b: L * K * d * S * B * b),
        "It counts the keys only. The values take as much again.",
        PRODUCT,
    ),
    Mistake(
        "queries_too",
        _bytes(lambda L, K, d, S, B, b: 3 * L * K * d * S * B * b),
        "It counts three tensors. Queries are not kept.",
        PRODUCT,
    ),
    Mistake(
        "doubled_twice",
        _bytes(lambda L, K, d, S, B, b: 4 * L * K * d * S * B * b),
        "There is a factor 2 too many. Keys and values are one 2; the bytes are an argument.",
        PRODUCT,
    ),
    Mistake(
        "one_layer",
        _bytes(lambda L, K, d, S, B, b: 2 * K * d * S * B * b),
        "The layers are missing. Each has a cache of its own.",
        PRODUCT,
    ),
    Mistake(
        "one_head",
        _bytes(lambda L, K, d, S, B, b: 2 * L * d * S * B * b),
        "The heads are missing.",
        PRODUCT,
    ),
    Mistake(
        "head_dim_missing",
        _bytes(lambda L, K, d, S, B, b: 2 * L * K * S * B * b),
        "head_dim is missing: a key is a vector.",
        PRODUCT,
    ),
    Mistake(
        "one_position",
        _bytes(lambda L, K, d, S, B, b: 2 * L * K * d * B * b),
        "The positions are missing: this is one token's share.",
        PRODUCT,
    ),
    Mistake(
        "batch_ignored",
        _bytes(lambda L, K, d, S, B, b: 2 * L * K * d * S * b),
        "The batch is not used. Each sequence has a cache of its own.",
        PRODUCT,
    ),
    Mistake(
        "always_two_bytes",
        _bytes(lambda L, K, d, S, B, b: 4 * L * K * d * S * B),
        "bytes_per_value is not used: it is always 2.",
        PRODUCT,
    ),
    Mistake(
        "bytes_missing",
        _bytes(lambda L, K, d, S, B, b: 2 * L * K * d * S * B),
        "It counts numbers, not bytes.",
        PRODUCT,
    ),
    Mistake(
        "four_bytes_by_default",
        lambda n_layers, n_kv_heads, head_dim, seq_len, batch=1, bytes_per_value=4: (
            right.kv_cache_bytes(n_layers, n_kv_heads, head_dim, seq_len, batch, bytes_per_value)
        ),
        "bytes_per_value is 4 by default. Llama's weights and cache are bfloat16: 2 bytes.",
        "`bytes_per_value: int = 2`",
    ),
    Mistake(
        "bits",
        _bytes(lambda L, K, d, S, B, b: 16 * L * K * d * S * B * b),
        "It counts bits.",
        PRODUCT,
    ),
    Mistake(
        "square_of_positions",
        _bytes(lambda L, K, d, S, B, b: 2 * L * K * d * S * S * B * b),
        "It grows with the square of the positions. Scores do; the cache keeps one key and one "
        "value for each position.",
        PRODUCT,
    ),
    Mistake(
        "added",
        _bytes(lambda L, K, d, S, B, b: 2 * (L + K + d + S + B) * b),
        "It adds the sizes instead of multiplying them.",
        PRODUCT,
    ),
    Mistake(
        "in_kib",
        _bytes(lambda L, K, d, S, B, b: 2 * L * K * d * S * B * b / 1024),
        "It gives KiB. Bytes are asked for.",
        PRODUCT,
    ),
    Mistake(
        "in_gib",
        _bytes(lambda L, K, d, S, B, b: 2 * L * K * d * S * B * b / 2**30),
        "It gives GiB. Bytes are asked for.",
        PRODUCT,
    ),
    Mistake(
        "returns_float",
        _bytes(lambda L, K, d, S, B, b: 2.0 * L * K * d * S * B * b),
        FLOAT,
        PRODUCT,
    ),
    Mistake(
        "batch_and_bytes_swapped",
        lambda n_layers, n_kv_heads, head_dim, seq_len, bytes_per_value=2, batch=1: (
            right.kv_cache_bytes(
                n_layers, n_kv_heads, head_dim, seq_len, 1 if batch == 1 else batch, bytes_per_value
            )
        ),
        "The order of batch and bytes_per_value is another one than in the exercise.",
        "`batch=1, bytes_per_value=2`, in this order.",
    ),
]
