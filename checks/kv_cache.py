"""Lab 05: KVCache, CachedAttention, greedy generation twice, count_scores, kv_cache_bytes."""

from typing import Any

import torch
from torch import Tensor

from checks.engine import (
    Check,
    Inputs,
    Probe,
    Wrong,
    agrees,
    error_of,
    expect_parameters,
    load,
    values,
)
from checks.engine.answer import Crash
from checks.engine.devices import pretended_device
from checks.mistakes import kv_cache as mistakes_of_cache
from checks.mistakes import kv_cache_attention as mistakes_of_attention
from checks.mistakes import kv_cache_counts as mistakes_of_counts
from checks.mistakes import kv_cache_generation as mistakes_of_generation
from checks.reference import kv_cache as reference

SIZES = {"batch": 2, "n_kv_heads": 3, "max_len": 9, "head_dim": 4}  # all different
DIM, HEADS = 12, 3  # of the attention layers: d = 4
VOCABULARY = 29  # so many that two wrong rules rarely choose the same token
NAMES = ("wq", "wk", "wv", "wo")


# KVCache


def both(found: Any) -> list[Tensor]:
    """The keys and the values that `update` returned, or a sentence."""
    pair = list(found) if isinstance(found, tuple | list) else []
    if len(pair) != 2 or not all(isinstance(part, Tensor) for part in pair):
        written = {"NoneType": "None", "Answer": "the cache"}.get(type(found).__name__)
        shown = written or f"a {type(found).__name__}"
        raise Wrong(f"update returned {shown}; expected two tensors, all keys and all values.")
    return pair


def buffers(cache: Any) -> list[Tensor]:
    """The two buffers of a cache, or a sentence."""
    pair = [cache.keys, cache.values]
    if not all(isinstance(buffer, Tensor) for buffer in pair):
        raise Wrong(
            f"`keys` is a {type(pair[0]).__name__}; it is one tensor (B, K, max_len, d), and so is "
            "`values`."
        )
    return pair


def new(inputs: Inputs, length: int, sizes: dict[str, int] = SIZES) -> list[Tensor]:
    """Keys and values of `length` new positions: two of (B, K, length, d)."""
    shape = (sizes["batch"], sizes["n_kv_heads"], length, sizes["head_dim"])
    return [inputs.randn(*shape), inputs.randn(*shape)]


def two_positions(answer: Any, inputs: Inputs) -> list:
    """Store two positions, one after the other: the worked example."""
    cache = answer.empty(batch=1, n_kv_heads=1, max_len=4, head_dim=2)
    one = both(cache.update(torch.tensor([[[[1.0, 2.0]]]]), torch.tensor([[[[3.0, 4.0]]]])))
    first = [part.clone() for part in one]
    two = both(cache.update(torch.tensor([[[[5.0, 6.0]]]]), torch.tensor([[[[7.0, 8.0]]]])))
    return [*first, *two, cache.length]


def two_ways_to_make_one(answer: Any, inputs: Inputs) -> list[str | None]:
    """Make a cache from its sizes and from its fields."""
    keys, values = new(inputs, 5)
    return [
        error_of(lambda: answer.empty(1, 1, 4, 2)),
        error_of(lambda: answer(keys=keys, values=values, length=3)),
    ]


def new_cache(answer: Any, inputs: Inputs) -> list:
    """Look at the sizes, dtype and device of new buffers, whatever is in them."""
    seen = []
    for options in ({}, {"dtype": torch.bfloat16}, {"device": "meta"}):
        cache = answer.empty(2, 3, 7, 4, **options)
        seen += [torch.zeros_like(buffer) for buffer in buffers(cache)]
        seen.append(cache.length)
    return seen


def in_chunks(answer: Any, inputs: Inputs) -> list:
    """Store chunks of several sizes and look at what comes back each time."""
    seen = []
    for chunks in ((3, 1, 2, 1), (2, 7), (9,)):
        cache = answer.empty(**SIZES)
        for length in chunks:
            seen += [part.clone() for part in both(cache.update(*new(inputs, length)))]
            seen.append(cache.length)
    return seen


def written_buffers(answer: Any, inputs: Inputs) -> list[Tensor]:
    """Look into the buffers: their size, and the positions written so far."""
    cache, seen = answer.empty(**SIZES), []
    for length in (2, 1, 3):
        cache.update(*new(inputs, length))
    for buffer in buffers(cache):
        seen += [torch.zeros_like(buffer), buffer[:, :, :6].clone()]
    return seen


def poisoned(answer: Any, inputs: Inputs) -> list[Tensor]:
    """Continue a cache whose unused slots hold NaN."""
    keys, values = new(inputs, SIZES["max_len"])
    keys[:, :, 3:], values[:, :, 3:] = torch.nan, torch.nan
    cache = answer(keys=keys, values=values, length=3)
    seen = [part.clone() for part in both(cache.update(*new(inputs, 2)))]
    return [*seen, *both(cache.update(*new(inputs, 1)))]


def overflow_errors(answer: Any, inputs: Inputs) -> list[str | None]:
    """Update with too much, with exactly enough, and once more."""
    cache = answer.empty(**SIZES)
    names = [error_of(lambda: cache.update(*new(inputs, 10)))]
    cache = answer.empty(**SIZES)
    for length in (5, 6, 4, 1):
        names.append(error_of(lambda length=length: cache.update(*new(inputs, length))))
    return names


def after_overflow(answer: Any, inputs: Inputs) -> list:
    """Look at a cache that refused an update, and go on with it."""
    keys, values = new(inputs, SIZES["max_len"])
    cache = answer(keys=keys, values=values, length=6)
    error_of(lambda: cache.update(*new(inputs, 5)))
    seen = [cache.length, *(buffer.clone() for buffer in buffers(cache))]
    return seen + both(cache.update(*new(inputs, 2))) if cache.length == 6 else seen


def two_caches(answer: Any, inputs: Inputs) -> list[Tensor]:
    """Fill two caches in turns."""
    first, second = answer.empty(**SIZES), answer.empty(**SIZES)
    seen = []
    for cache, length in ((first, 2), (second, 1), (first, 1), (second, 3)):
        seen += [part.clone() for part in both(cache.update(*new(inputs, length)))]
    return seen


def earlier_results(answer: Any, inputs: Inputs) -> list[Tensor]:
    """Keep what the first updates returned, and look at it after some more."""
    cache, seen = answer.empty(**SIZES), []
    for length in (2, 3, 1):
        seen += both(cache.update(*new(inputs, length)))
    return seen


def lower_precision(answer: Any, inputs: Inputs) -> list[Tensor]:
    """Give float32 keys and values to caches of other dtypes."""
    seen = []
    for dtype in (torch.bfloat16, torch.float16, torch.float64):
        cache = answer.empty(**SIZES, dtype=dtype)
        cache.update(*new(inputs, 2))
        seen += both(cache.update(*new(inputs, 1)))
    return seen


KVCache = Check(
    exercise="5.1",
    name="KVCache",
    points=3,
    reference=reference.KVCache,
    probes=[
        Probe(
            "made by `empty`, or from its three fields",
            two_ways_to_make_one,
            "`KVCache.empty(…)` must work without a cache: is there a `@classmethod` above it? And "
            "`KVCache(keys, values, length)` is what `@dataclass` gives.",
        ),
        Probe("worked example: two positions", two_positions),
        Probe("a new cache: sizes, dtype, device, length 0", new_cache),
        Probe("chunks of all sizes: everything so far comes back", in_chunks),
        Probe("the buffers keep their size and hold each position in its slot", written_buffers),
        Probe("no slot that is not written is returned: they hold NaN here", poisoned),
        Probe(
            "ValueError when it would overflow; exactly full is fine",
            overflow_errors,
            "An update that does not fit must raise a ValueError, and one that fills the cache to "
            "its last slot must not.",
        ),
        Probe(
            "after a refused update the cache is as it was",
            after_overflow,
            "The update that did not fit has left traces. Look whether there is room before you "
            "write or count anything.",
        ),
        Probe("two caches in turns", two_caches),
        Probe(
            "what was returned earlier still holds after more updates",
            earlier_results,
            "What an earlier update returned has changed afterwards. A position stays in the slot "
            "into which it was written.",
        ),
        Probe("stores in the cache's own dtype", lower_precision),
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


# CachedAttention


def layer(answer: Any, inputs: Inputs, dim: int = DIM, heads: int = HEADS) -> Any:
    """A layer with drawn weights: large enough that the softmax is far from uniform."""
    state = {f"{name}.weight": inputs.randn(dim, dim) * (1.6 / dim**0.5) for name in NAMES}
    return load(answer(dim, heads), state)


def turns(start: int, length: int, head_dim: int = DIM // HEADS) -> Tensor:
    """RoPE angles of `length` positions from `start` on: (T, d/2); all pairs turn visibly."""
    frequencies = 8.0 ** -(torch.arange(0, head_dim, 2) / head_dim)
    return torch.outer(torch.arange(start, start + length), frequencies)


def memory(batch: int = 2, max_len: int = 9, heads: int = HEADS, d: int = 4) -> reference.KVCache:
    """A fresh cache of the reference's, whose unused slots hold zeros."""
    return reference.KVCache.empty(batch, heads, max_len, d)


def feed(module: Any, x: Tensor, chunks: Any, cache: Any) -> list[Tensor]:
    """Give a layer the sequence x chunk by chunk."""
    seen, start = [], 0
    for length in chunks:
        seen.append(module(x[:, start : start + length], turns(start, length), cache=cache))
        start += length
    return seen


def running_mean(answer: Any, inputs: Inputs) -> list[Tensor]:
    """No scores, values as they are: each output is the mean so far. The worked example."""
    one, none = torch.eye(2), torch.zeros(2, 2)
    state = {"wq.weight": none, "wk.weight": none, "wv.weight": one, "wo.weight": one}
    module, cache = load(answer(2, 1), state), memory(1, 4, 1, 2)
    still = torch.zeros(1, 1)
    rows = ([[[2.0, 0.0]]], [[[0.0, 4.0]]], [[[1.0, -1.0]]])
    return [module(torch.tensor(row), still, cache) for row in rows]


def three_tokens(answer: Any, inputs: Inputs) -> Tensor:
    """One short sequence: cheap, and rich enough to tell most mistakes by."""
    return layer(answer, inputs)(inputs.randn(1, 3, DIM), turns(0, 3))


def without_cache(answer: Any, inputs: Inputs) -> Tensor:
    """A batch, and heads of another size."""
    return layer(answer, inputs, 12, 2)(inputs.randn(3, 5, 12), turns(0, 5, 6))


def new_layer(answer: Any, inputs: Inputs) -> list:
    """The parameters of a new layer."""
    module = answer(6, 3)
    expect_parameters(module, {f"{name}.weight": torch.zeros(6, 6) for name in NAMES})
    return [parameter.requires_grad for _, parameter in module.named_parameters()]


def one_by_one(answer: Any, inputs: Inputs) -> list[Tensor]:
    """One token at a time."""
    return feed(layer(answer, inputs), inputs.randn(2, 3, DIM), [1] * 3, memory())


def random_chunks(answer: Any, inputs: Inputs) -> list[Tensor]:
    """Two chunkings of one sequence, the second one drawn."""
    module, x = layer(answer, inputs), inputs.randn(2, 6, DIM)
    seen = feed(module, x, (3, 2), memory())
    return seen + feed(module, x, inputs.integers(2, low=1, high=4).tolist(), memory())


def chunk_is_causal(answer: Any, inputs: Inputs) -> bool:
    """Change the last token of a second chunk, and watch those before it."""
    module, x = layer(answer, inputs), inputs.randn(2, 7, DIM)
    other = x.clone()
    other[:, -1] += 2
    one, two = (feed(module, tokens, (3, 4), memory())[1] for tokens in (x, other))
    return agrees(two[:, :-1], one[:, :-1])


def given_angles(answer: Any, inputs: Inputs) -> list[Tensor]:
    """Angles that no position has, and a cache that somebody else has filled."""
    module, cache = layer(answer, inputs), memory()
    cache.update(inputs.randn(2, HEADS, 2, 4), inputs.randn(2, HEADS, 2, 4))
    return [
        module(inputs.randn(2, length, DIM), inputs.randn(length, 2) * 3, cache)
        for length in (2, 1, 3)
    ]


def how_it_stops(answer: Any, inputs: Inputs) -> list[str | None]:
    """The errors, if any, of single tokens, and of a chunk that comes later, in another cache."""
    module, x = layer(answer, inputs), inputs.randn(2, 7, DIM)
    return [
        error_of(lambda chunks=chunks: feed(module, x, chunks, memory()))
        for chunks in ([1] * 4, (3, 4))
    ]


def cache_content(answer: Any, inputs: Inputs) -> list:
    """What stands in the cache after each chunk: rotated keys, values as they are."""
    module, cache, seen = layer(answer, inputs), memory(), []
    for start, length in ((0, 3), (3, 1), (4, 2)):
        module(inputs.randn(2, length, DIM), turns(start, length), cache)
        end = start + length
        seen += [cache.keys[:, :, :end].detach().clone(), cache.values[:, :, :end].detach().clone()]
        seen.append(cache.length)
    return seen


def poisoned_slots(answer: Any, inputs: Inputs) -> list[Tensor]:
    """A cache whose unused slots hold NaN, and one where they hold huge numbers."""
    seen = []
    module, x = layer(answer, inputs), inputs.randn(2, 5, DIM)
    for poison in (torch.nan, 1e9):
        cache = memory()
        cache.keys.fill_(poison)
        cache.values.fill_(poison)
        seen += feed(module, x, (2, 1, 2), cache)
    return seen


def two_sequences(answer: Any, inputs: Inputs) -> list[Tensor]:
    """Two sequences in turns, each with its cache, and calls without one in between."""
    module, first, second = layer(answer, inputs), memory(), memory(1)
    x, y = inputs.randn(2, 4, DIM), inputs.randn(1, 5, DIM)
    return [
        module(x[:, :3], turns(0, 3), first),
        module(y[:, :4], turns(0, 4), second),
        module(y, turns(0, 5)),
        module(x[:, 3:], turns(3, 1), first),
        module(x, turns(0, 4), None),
        module(x[:, :2], turns(0, 2)),
    ]


def layer_gradients(answer: Any, inputs: Inputs) -> list[Tensor]:
    """Gradients without a cache: the input's and those of the four weights."""
    module, x = layer(answer, inputs), inputs.randn(2, 4, DIM).requires_grad_()
    result = module(x, turns(0, 4))
    if not isinstance(result, Tensor) or not result.requires_grad:
        return [torch.zeros(0)]
    weights = [parameter for _, parameter in module.named_parameters()]
    total = (result * inputs.randn(2, 4, DIM)).sum()
    return list(torch.autograd.grad(total, [x, *weights], materialize_grads=True))


def layer_in_half(answer: Any, inputs: Inputs) -> list:
    """The whole layer, its input and its cache in half precision."""
    module, x, seen = layer(answer, inputs), inputs.randn(2, 4, DIM), []
    exact = module(x, turns(0, 4))[:, -1]
    for dtype in (torch.float16, torch.bfloat16):
        cache = reference.KVCache.empty(2, HEADS, 9, DIM // HEADS, dtype=dtype)
        try:
            got = feed(module.to(dtype), x.to(dtype), (3, 1), cache)[1][:, -1]
        except Crash as crash:
            return [f"it stops with {type(crash.original).__name__}"]
        close = bool((got.float() - exact).abs().max() < 0.1 * exact.abs().max())
        seen += ["it runs", got[..., :0], close]
    return seen


def layer_keeps_device(answer: Any, inputs: Inputs) -> str:
    """The layer, its input and its cache lie on another device."""
    module, x, cache = layer(answer, inputs), inputs.randn(2, 5, DIM), memory()
    first, second = turns(0, 2), turns(2, 3)
    with pretended_device() as device:
        results = [module(x[:, :2], first, cache), module(x[:, 2:], second, cache)]
    stays = any(isinstance(out, Tensor) and not device.holds(out) for out in results)
    return "mixed devices" if device.mixed or stays else "one device"


CachedAttention = Check(
    exercise="5.2",
    name="CachedAttention",
    points=3,
    reference=reference.CachedAttention,
    probes=[
        Probe("worked example: a running mean", running_mean),
        Probe("a new layer: wq, wk, wv, wo, no bias", new_layer),
        Probe("without a cache: three tokens at once", three_tokens),
        Probe("without a cache: a batch, two heads of six", without_cache),
        Probe("one token at a time", one_by_one),
        Probe("chunks of any size", random_chunks),
        Probe(
            "no token sees a later one, in a later chunk either",
            chunk_is_causal,
            "The last token of a chunk was changed, and an earlier one in the same chunk moved. "
            "With a cache the mask is still needed, for chunks of two tokens and more.",
        ),
        Probe("the given angles, the given cache", given_angles),
        Probe(
            "it does not stop, whatever the chunks",
            how_it_stops,
            "The layer stops with an error where the cache holds more positions than x. Which of "
            "your tensors are T long, and which S?",
        ),
        Probe(
            "the cache afterwards: rotated keys, plain values, written once",
            cache_content,
            "The cache does not hold what it should. Each position is written once: its rotated "
            "key and its value as it is.",
        ),
        Probe("slots that are not written yet hold NaN, or 1e9", poisoned_slots),
        Probe("two sequences in turns, with and without cache", two_sequences),
        Probe(
            "gradients flow without a cache",
            layer_gradients,
            "Without a cache the layer is trained like any other. A wrong gradient, or none, "
            "arrives at the input or at a weight.",
        ),
        Probe(
            "float16 and bfloat16, cache included",
            layer_in_half,
            "In half precision the layer stops, or the result is far off or not a number. Compute "
            "scores and softmax in float32.",
            noisy=True,
        ),
        Probe(
            "works on the device of its inputs",
            layer_keeps_device,
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


# Generation


TABLE = 11  # the made-up model has TABLE² different rows of logits


class ToyModel:
    """A made-up model to generate with: the next token depends on all tokens and their order.

    With `cached` it remembers what it was given and expects only what is new. `asked` records
    every call: shape, dtype and tokens.
    """

    def __init__(self, inputs: Inputs, cached: bool, ties: bool = False) -> None:
        self.cached, self.ties = cached, ties
        self.table = inputs.randn(TABLE, TABLE, VOCABULARY)
        self.known: list[int] = []
        self.asked: list = []

    def __call__(self, ids: Tensor) -> Tensor:
        """ids: (1, T) → logits (1, T, V)."""
        tokens = ids.flatten().tolist()
        self.asked.append([str(ids.dtype), *ids.shape, *tokens])
        if not self.cached:
            self.known = []
        rows = []
        for token in tokens:
            self.known.append(int(token) % VOCABULARY)
            rows.append(self.table[self._digest(3), self._digest(7)])
        logits = torch.stack(rows) if rows else self.table[0, :0]
        logits[1::3] *= 3  # the loudest row is not the last one
        if self.ties:
            logits[:, 4::3] = logits.max(-1, keepdim=True).values
        return logits[None]

    def _digest(self, factor: int) -> int:
        number = 1
        for token in self.known:
            number = (number * factor + token + 1) % 101
        return number % TABLE


def generation(cached: bool, ties: bool = False) -> Any:
    """A probe's run: prompts of several lengths, the result and what `step` was asked."""

    def run(answer: Any, inputs: Inputs) -> list:
        seen = []
        for n_prompt, n_new in ((3, 5), (1, 4), (6, 2), (9, 1)):
            torch.manual_seed(n_prompt)  # so that sampling can be re-enacted
            model = ToyModel(inputs, cached, ties)
            ids = inputs.integers(1, n_prompt, high=VOCABULARY)
            seen += [answer(model, ids, n_new), model.asked]
        return seen

    return run


class CountsUp:
    """A model that makes t + 1 the likeliest token after t, and 0 after 9."""

    def __call__(self, ids: Tensor) -> Tensor:
        """ids: (1, T) → logits (1, T, 10)."""
        return torch.eye(10).roll(1, dims=1)[ids.long() % 10]


def counting_up(answer: Any, inputs: Inputs) -> Tensor:
    """The worked example."""
    return answer(CountsUp(), torch.tensor([[5, 3]]), 3)


def no_new_token(cached: bool) -> Any:
    """A probe's run: n_new = 0."""

    def run(answer: Any, inputs: Inputs) -> list:
        model = ToyModel(inputs, cached)
        return [answer(model, inputs.integers(1, 4, high=VOCABULARY), 0), len(model.asked)]

    return run


def long_run(cached: bool) -> Any:
    """A probe's run: longer than any window, and through tokens that others stop at."""

    def run(answer: Any, inputs: Inputs) -> list:
        torch.manual_seed(0)
        model = ToyModel(inputs, cached)
        ids = answer(model, inputs.integers(1, 2, high=VOCABULARY), 15)
        return [ids, len(model.asked), answer(CountsUp(), torch.tensor([[7]]), 12)]

    return run


def generation_probes(cached: bool) -> list[Probe]:
    """The probes of both loops; they differ in what `step` should be asked."""
    calls = (
        "the prompt first, then each new token by itself"
        if cached
        else "the whole sequence each time"
    )
    return [
        Probe("worked example: a model that counts up", counting_up),
        Probe(
            f"the tokens, and what step is asked: {calls}",
            generation(cached),
            f"The tokens, or what `step` was given, are not as they should be. It gets {calls}: "
            "(1, T) whole numbers, n_new calls in all.",
        ),
        Probe(
            "a tie goes to the first of the largest",
            generation(cached, ties=True),
            "Two logits were equal, and the later one was taken. torch.argmax takes the first.",
        ),
        Probe(
            "n_new = 0: the prompt as it was, and no call of step",
            no_new_token(cached),
            "With n_new = 0 there is nothing to compute: the prompt comes back, step is not "
            "called.",
        ),
        Probe("longer runs; no token is special", long_run(cached)),
    ]


generate_greedy = Check(
    exercise="5.3",
    name="generate_greedy",
    reference=reference.generate_greedy,
    probes=generation_probes(cached=False),
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
    probes=generation_probes(cached=True),
    mistakes=mistakes_of_generation.GREEDY_CACHED,
    hints=(
        "step remembers everything it was given. What does it not know yet, at first and later?",
        "Keep two tensors: all ids so far, and the part that step has not seen. At first that is "
        "the prompt, afterwards the one token that was just chosen.",
        "`new = step(new)[:, -1:].argmax(-1)` and `ids = torch.cat([ids, new], dim=1)`, with "
        "`new = ids` before the loop.",
    ),
)


# Counting

count_scores = Check(
    exercise="5.5",
    name="count_scores",
    reference=reference.count_scores,
    probes=[
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
    probes=[
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
    ],
    mistakes=mistakes_of_counts.BYTES,
    hints=(
        "How many numbers does one position leave behind in one layer?",
        "Keys and values: 2 · n_kv_heads · head_dim numbers, for each layer, position, sequence.",
        "`2 * n_layers * n_kv_heads * head_dim * seq_len * batch * bytes_per_value`",
    ),
)
