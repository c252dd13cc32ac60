"""Lab 05: KVCache, CachedAttention, greedy generation twice, count_scores, kv_cache_bytes."""

from collections.abc import Callable
from typing import Any

from checks.engine import Check, Inputs, Probe, values
from checks.mistakes import kv_cache as mistakes_of_cache
from checks.mistakes import kv_cache_attention as mistakes_of_attention
from checks.mistakes import kv_cache_counts as mistakes_of_counts
from checks.mistakes import kv_cache_generation as mistakes_of_generation
from checks.probes import kv_cache as probes_of_cache
from checks.probes import kv_cache_attention as probes_of_attention
from checks.probes import kv_cache_generation as probes_of_generation
from checks.reference import kv_cache as reference


def int_type(*calls: tuple) -> Callable[[Any, Inputs], list[str]]:
    """A probe's run: of which type is what these calls give?"""
    return lambda answer, inputs: [type(answer(*args)).__name__ for args in calls]


KVCache = Check(
    exercise="5.1",
    name="KVCache",
    weight=3,
    reference=reference.KVCache,
    technique=[
        Probe(
            "made by `empty`, or from its three fields",
            probes_of_cache.two_ways_to_make_one,
            "`KVCache.empty(…)` must work without a cache: is there a `@classmethod` above it? And "
            "`KVCache(keys, values, length)` is what `@dataclass` gives.",
        ),
        Probe("worked example: two positions", probes_of_cache.two_positions),
        Probe("a new cache: sizes, dtype, device, length 0", probes_of_cache.new_cache),
        Probe("chunks of all sizes: everything so far comes back", probes_of_cache.in_chunks),
        Probe(
            "the buffers keep their size and hold each position in its slot",
            probes_of_cache.written_buffers,
        ),
        Probe(
            "no slot that is not written is returned: they hold NaN here", probes_of_cache.poisoned
        ),
        Probe(
            "ValueError when it would overflow; exactly full is fine",
            probes_of_cache.overflow_errors,
            "An update that does not fit must raise a ValueError, and one that fills the cache to "
            "its last slot must not.",
        ),
        Probe(
            "after a refused update the cache is as it was",
            probes_of_cache.after_overflow,
            "The update that did not fit has left traces. Look whether there is room before you "
            "write or count anything.",
        ),
        Probe("two caches in turns", probes_of_cache.two_caches),
        Probe(
            "what was returned earlier still holds after more updates",
            probes_of_cache.earlier_results,
            "What an earlier update returned has changed afterwards. A position stays in the slot "
            "into which it was written.",
        ),
        Probe("stores in the cache's own dtype", probes_of_cache.lower_precision),
    ],
    mistakes=mistakes_of_cache.CACHE,
    hints=(
        "Which slots are free, when `length` positions are written? The next T of them are yours.",
        "First see whether length + T is more than `keys.shape[2]`. Then write the slots from "
        "length to length + T, in both buffers, and only then move `length`.",
        "`self.keys[:, :, self.length : end] = k`, the same for the values, `self.length = end`, "
        "and return `self.keys[:, :, :end], self.values[:, :, :end]`.",
    ),
)

CachedAttention = Check(
    exercise="5.2",
    name="CachedAttention",
    weight=3,
    reference=reference.CachedAttention,
    technique=[
        Probe("worked example: a running mean", probes_of_attention.running_mean),
        Probe("a new layer: wq, wk, wv, wo, no bias", probes_of_attention.new_layer),
        Probe("without a cache: two sizes of heads", probes_of_attention.without_cache),
        Probe("two tokens, and two more", probes_of_attention.two_and_two),
        Probe("one token at a time", probes_of_attention.one_by_one),
        Probe("chunks of any size", probes_of_attention.random_chunks),
        Probe(
            "no token sees a later one, in a later chunk either",
            probes_of_attention.chunk_is_causal,
            "The last token of a chunk was changed, and an earlier one in the same chunk moved. "
            "With a cache the mask is still needed, for chunks of two tokens and more.",
        ),
        Probe("the given angles, the given cache", probes_of_attention.given_angles),
        Probe(
            "it does not stop, whatever the chunks",
            probes_of_attention.how_it_stops,
            "The layer stops with an error where the cache holds more positions than x. Which of "
            "your tensors are T long, and which S?",
        ),
        Probe(
            "the cache afterwards: rotated keys, plain values, written once",
            probes_of_attention.cache_content,
            "The cache does not hold what it should. Each position is written once: its rotated "
            "key and its value as it is.",
        ),
        Probe(
            "slots that are not written yet hold NaN, or 1e9", probes_of_attention.poisoned_slots
        ),
        Probe(
            "two sequences in turns, with and without cache",
            probes_of_attention.two_sequences,
        ),
        Probe(
            "gradients flow without a cache",
            probes_of_attention.layer_gradients,
            "Without a cache the layer is trained like any other. A wrong gradient, or none, "
            "arrives at the input or at a weight.",
        ),
        Probe(
            "float16 and bfloat16, cache included",
            probes_of_attention.layer_in_half,
            "In half precision the layer stops, or the result is far off or not a number. Compute "
            "scores and softmax in float32.",
            inexact=True,
        ),
        Probe(
            "works on the device of its inputs",
            probes_of_attention.layer_keeps_device,
            "A tensor made inside forward lies on the CPU whatever the device of x is. Is it the "
            "mask? `.to(x.device)`",
        ),
    ],
    mistakes=mistakes_of_attention.ATTENTION,
    hints=(
        "The new tokens' queries look at which keys? And which of these does the layer have to "
        "compute?",
        "Compute q, k and v of x only, and rotate q and k by the given angles. If there is a "
        "cache, store k and v in it and go on with all it has. The mask is T × S, not T × T.",
        "`k, v = cache.update(k, v)`, then `causal_mask(q.shape[2], k.shape[2])`; all else is "
        "MultiHeadAttention.",
    ),
)

generate_greedy = Check(
    exercise="5.3",
    name="generate_greedy",
    reference=reference.generate_greedy,
    technique=probes_of_generation.generation_probes(cached=False),
    mistakes=mistakes_of_generation.GREEDY,
    hints=(
        "step returns a row of logits for every position. Which row knows the next token?",
        "n_new times: ask step about all of ids, take the largest logit of the last row, append it "
        "with torch.cat.",
        "`ids = torch.cat([ids, step(ids)[:, -1:].argmax(-1)], dim=1)`",
    ),
)

generate_greedy_cached = Check(
    exercise="5.4",
    name="generate_greedy_cached",
    reference=reference.generate_greedy_cached,
    technique=probes_of_generation.generation_probes(cached=True),
    mistakes=mistakes_of_generation.GREEDY_CACHED,
    hints=(
        "step remembers everything it was given. What does it not know yet, at first and later?",
        "Keep two tensors: all ids so far, and the part that step has not seen. At first that is "
        "the prompt, afterwards the one token that was just chosen.",
        "`new = step(new)[:, -1:].argmax(-1)` and `ids = torch.cat([ids, new], dim=1)`, with "
        "`new = ids` before the loop.",
    ),
)


count_scores = Check(
    exercise="5.5",
    name="count_scores",
    reference=reference.count_scores,
    technique=[
        values(
            lambda inputs: (1, 3, False),
            lambda inputs: (1, 3, True),
            title="worked example: three tokens from a prompt of one",
        ),
        values(
            lambda inputs: (5, 1, False),
            lambda inputs: (5, 1, True),
            lambda inputs: (4, 3, False),
            lambda inputs: (4, 3, True),
            title="a prompt of several tokens",
        ),
        values(
            lambda inputs: (2, 9, False),
            lambda inputs: (2, 9, True),
            lambda inputs: (17, 6, False),
            lambda inputs: (17, 6, True),
            lambda inputs: (1, 1024, False),
            lambda inputs: (1, 1024, True),
            title="longer runs",
        ),
        values(
            lambda inputs: (6, 0, False),
            lambda inputs: (6, 0, True),
            title="n_new = 0: step is never called",
        ),
        Probe("a whole number, of type int", int_type((1, 3, False), (2, 4, True))),
    ],
    mistakes=mistakes_of_counts.SCORES,
    hints=(
        "In one call T queries meet S keys. What are T and S in the first call, and in the next?",
        "There are n_new calls. Before call i there are n_prompt + i tokens: that is S. Without "
        "cache T is as large; with one, T is 1 from the second call on.",
        "`sum((1 if cached and i else n_prompt + i) * (n_prompt + i) for i in range(n_new))`",
    ),
)

kv_cache_bytes = Check(
    exercise="5.6",
    name="kv_cache_bytes",
    reference=reference.kv_cache_bytes,
    technique=[
        values(lambda inputs: (2, 3, 4, 5), title="worked example"),
        values(
            lambda inputs: (3, 5, 7, 11),
            lambda inputs: (3, 5, 7, 11, 13),
            lambda inputs: (3, 5, 7, 11, 13, 4),
            lambda inputs: (7, 1, 3, 2, 5, 1),
            title="other sizes, batches and bytes a value",
        ),
        Probe(
            "by name: batch and bytes_per_value",
            lambda answer, inputs: answer(
                n_layers=3, n_kv_heads=2, head_dim=5, seq_len=7, bytes_per_value=1, batch=11
            ),
        ),
        values(lambda inputs: (32, 8, 128, 8192), title="Llama 3 8B at its 8,192 positions"),
        Probe("a whole number, of type int", int_type((3, 5, 7, 11), (3, 5, 7, 11, 2, 1))),
    ],
    mistakes=mistakes_of_counts.BYTES,
    hints=(
        "How many numbers does one position leave behind in one layer?",
        "Keys and values: 2 · n_kv_heads · head_dim numbers, for each layer, position, sequence.",
        "`2 * n_layers * n_kv_heads * head_dim * seq_len * batch * bytes_per_value`",
    ),
)
