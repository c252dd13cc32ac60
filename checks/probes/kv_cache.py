"""Lab 05: what the check of KVCache tries."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from checks.engine import Inputs, Wrong, error_of
from checks.engine.answer import Crash

SIZES = {"batch": 2, "n_kv_heads": 3, "max_len": 9, "head_dim": 4}  # all different


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


def blank(buffer: Tensor) -> Tensor:
    """Zeros of the same shape, dtype and device; zeros_like takes half a second on meta."""
    return torch.zeros(buffer.shape, dtype=buffer.dtype, device=buffer.device)


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
        seen += [blank(buffer) for buffer in buffers(cache)]
        seen.append(cache.length)
    return seen


def in_chunks(answer: Any, inputs: Inputs) -> list:
    """Store chunks of several sizes and look at what comes back each time."""
    seen = []
    for chunks in ((3, 1, 2), (2, 7)):
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
        seen += [blank(buffer), buffer[:, :, :6].clone()]
    return seen


def poisoned(answer: Any, inputs: Inputs) -> list[Tensor]:
    """Continue a cache whose unused slots hold NaN."""
    keys, values = new(inputs, SIZES["max_len"])
    keys[:, :, 3:], values[:, :, 3:] = torch.nan, torch.nan
    cache = answer(keys=keys, values=values, length=3)
    seen = [part.clone() for part in both(cache.update(*new(inputs, 2)))]
    return [*seen, *both(cache.update(*new(inputs, 1)))]


def refusal(call: Callable[[], Any]) -> str | None:
    """The exception that a call raises, by name; every kind of ValueError is one."""
    try:
        call()
    except Crash as crash:
        return (
            "ValueError"
            if isinstance(crash.original, ValueError)
            else type(crash.original).__name__
        )
    return None


def overflow_errors(answer: Any, inputs: Inputs) -> list[str | None]:
    """Update with too much, with exactly enough, and once more; in one piece and in several."""
    names = []
    for lengths in ((10,), (5, 5, 4, 1), (9, 1)):
        cache = answer.empty(**SIZES)
        for length in lengths:
            names.append(refusal(lambda c=cache, n=length: c.update(*new(inputs, n))))
    return names


def after_overflow(answer: Any, inputs: Inputs) -> list:
    """Look at a cache that refused an update, and go on with it."""
    keys, values = new(inputs, SIZES["max_len"])
    cache = answer(keys=keys, values=values, length=6)
    refusal(lambda: cache.update(*new(inputs, 5)))
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
        for length in (2, 1):
            seen += [part.clone() for part in both(cache.update(*new(inputs, length)))]
    return seen
