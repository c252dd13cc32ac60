"""Lab 05, 5.1: what is tried on KVCache."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from checks.engine import Check, Crash, Inputs, Probe, Wrong
from checks.engine.cache_probes import both, length_of
from checks.engine.devices import pretended_device
from checks.kv_cache.cache_wrong import MISTAKES

SIZES = {"batch": 2, "n_kv_heads": 3, "max_len": 9, "head_dim": 4}  # all different
ALL_SO_FAR = "return the keys and values of all positions so far"
SLOTS = "take the memory once, with room for max_len positions, and fill it slot by slot"
REFUSED = "ValueError when there is no room for T more positions, and then the cache is unchanged."


@dataclass
class KVCache:
    """Room for max_len positions, of which the first `length` are written."""

    keys: Tensor
    values: Tensor
    length: int

    @classmethod
    def empty(
        cls,
        batch: int,
        n_kv_heads: int,
        max_len: int,
        head_dim: int,
        dtype: torch.dtype = torch.float32,
        device: torch.device | str | None = None,
    ) -> "KVCache":
        """Two buffers (B, K, max_len, d), with nothing in them yet."""
        shape = (batch, n_kv_heads, max_len, head_dim)
        keys = torch.zeros(shape, dtype=dtype, device=device)
        values = torch.zeros(shape, dtype=dtype, device=device)
        return cls(keys, values, 0)

    def update(self, k: Tensor, v: Tensor) -> tuple[Tensor, Tensor]:
        """k, v: (B, K, T, d), stored → all so far, keys and values, each (B, K, length, d)."""
        if self.length + k.shape[2] > self.keys.shape[2]:
            raise ValueError(f"{self.length} + {k.shape[2]} positions > {self.keys.shape[2]}")
        for t in range(k.shape[2]):
            self.keys[:, :, self.length] = k[:, :, t]
            self.values[:, :, self.length] = v[:, :, t]
            self.length += 1
        return self.keys[:, :, : self.length], self.values[:, :, : self.length]


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
    """Zeros of the same shape and dtype: what lies in slots that are not written is left open."""
    return torch.zeros_like(buffer)


def new(inputs: Inputs, length: int) -> list[Tensor]:
    """Keys and values of `length` new positions: two of (B, K, length, d)."""
    shape = (SIZES["batch"], SIZES["n_kv_heads"], length, SIZES["head_dim"])
    return [inputs.randn(*shape), inputs.randn(*shape)]


def refusal(call: Callable[[], Any]) -> str:
    """What a call raises, by name, or what it returns instead; every ValueError is one."""
    try:
        found = call()
    except Crash as crash:
        error = crash.original
        if isinstance(error, ValueError):
            return "ValueError"
        torch_s = "expanded size" in str(error)  # it complains of a slice that is too short
        return type(error).__name__ + " of torch" * torch_s
    return "two" if isinstance(found, tuple | list) else f"returns {type(found).__name__}"


def two_positions(answer: Any, inputs: Inputs) -> list:
    """Store two positions, one after the other: the worked example."""
    cache = answer.empty(batch=1, n_kv_heads=1, max_len=4, head_dim=2)
    one = both(cache.update(torch.tensor([[[[1.0, 2.0]]]]), torch.tensor([[[[3.0, 4.0]]]])))
    two = both(cache.update(torch.tensor([[[[5.0, 6.0]]]]), torch.tensor([[[[7.0, 8.0]]]])))
    return [*one, *two, length_of(cache)]


def two_ways_to_make_one(answer: Any, inputs: Inputs) -> list[str]:
    """Make a cache from its sizes and from its fields."""
    keys, values = new(inputs, 5)
    found = [
        refusal(lambda: answer.empty(1, 1, 4, 2)),
        refusal(lambda: answer(keys=keys, values=values, length=3)),
    ]
    return ["a cache" if name == "returns Answer" else name for name in found]


def new_cache(answer: Any, inputs: Inputs) -> list:
    """Look at the sizes of new buffers, whatever is in them."""
    cache = answer.empty(2, 3, 7, 4)
    return [*map(blank, buffers(cache)), length_of(cache)]


def dtype_as_asked(answer: Any, inputs: Inputs) -> list[str]:
    """The dtypes of new buffers."""
    cache = answer.empty(2, 3, 7, 4, dtype=torch.bfloat16)
    return [str(buffer.dtype) for buffer in buffers(cache)]


def device_as_asked(answer: Any, inputs: Inputs) -> list[bool]:
    """Do new buffers lie on the device that was asked for?"""
    with pretended_device() as device:
        cache = answer.empty(2, 3, 7, 4, device="cuda")
    return [device.holds(buffer) for buffer in buffers(cache)]


def one_update(answer: Any, inputs: Inputs) -> list:
    """Store one position of two sequences with one head, and look at the cache afterwards."""
    cache = answer.empty(batch=2, n_kv_heads=1, max_len=6, head_dim=3)
    found = both(cache.update(inputs.randn(2, 1, 1, 3), inputs.randn(2, 1, 1, 3)))
    return [*found, length_of(cache), *map(blank, buffers(cache))]


def in_chunks(answer: Any, inputs: Inputs) -> list:
    """Store chunks of several sizes and look at what comes back each time."""
    seen = []
    for chunks in ((3, 1, 2), (2, 5)):
        cache = answer.empty(**SIZES)
        for length in chunks:
            seen += [*both(cache.update(*new(inputs, length))), length_of(cache)]
    return seen


def filled_up(answer: Any, inputs: Inputs) -> list:
    """Fill a cache to its last slot: with the prompt alone, and with what comes later."""
    seen: list = []
    for lengths in ((9,), (5, 4), (8, 1)):
        cache = answer.empty(**SIZES)
        seen += [refusal(lambda c=cache, n=length: c.update(*new(inputs, n))) for length in lengths]
    keys, values = new(inputs, SIZES["max_len"])
    half_full = answer(keys=keys, values=values, length=7)
    return [*seen, refusal(lambda: half_full.update(*new(inputs, 2)))]


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
    return [part for n in (2, 1) for part in both(cache.update(*new(inputs, n)))]


def two_caches(answer: Any, inputs: Inputs) -> list[Tensor]:
    """Fill two caches in turns."""
    first, second = answer.empty(**SIZES), answer.empty(**SIZES)
    turns = ((first, 2), (second, 1), (first, 1), (second, 3))
    return [part for cache, n in turns for part in both(cache.update(*new(inputs, n)))]


def earlier_results(answer: Any, inputs: Inputs) -> list[Tensor]:
    """Keep what the first updates returned, and look at it after some more."""
    cache, seen = answer.empty(**SIZES), []
    for length in (2, 3, 1):
        found = cache.update(*new(inputs, length))
        both(found)
        seen += list(found)
    return seen


def overflow(*lengths: int) -> Callable[[Any, Inputs], list[str]]:
    """A probe's run: what later updates raise; no chunk is longer than max_len."""

    def run(answer: Any, inputs: Inputs) -> list[str]:
        cache = answer.empty(**SIZES)
        both(cache.update(*new(inputs, lengths[0])))
        return [refusal(lambda n=n: cache.update(*new(inputs, n))) for n in lengths[1:]]

    return run


def longer_than_all(answer: Any, inputs: Inputs) -> list[str]:
    """One chunk that is longer than the whole cache."""
    cache = answer.empty(**SIZES)
    return [refusal(lambda: cache.update(*new(inputs, 10)))]


def refused(answer: Any, inputs: Inputs) -> tuple[Any, list[Tensor]]:
    """A cache that could not take an update, and copies of its buffers from before."""
    keys, values = new(inputs, SIZES["max_len"])
    cache = answer(keys=keys, values=values, length=6)
    refusal(lambda: cache.update(*new(inputs, 5)))
    return cache, [keys, values]


def length_after(answer: Any, inputs: Inputs) -> bool:
    """Is its length what it was?"""
    return bool(refused(answer, inputs)[0].length == 6)


def slots_after(answer: Any, inputs: Inputs) -> list:
    """Its written positions, and whether anything was written behind them."""
    cache, before = refused(answer, inputs)
    seen: list = []
    for buffer in buffers(cache):
        seen += [tuple(buffer.shape), buffer[:, :, :6].clone()]
    pairs = zip(buffers(cache), before, strict=True)
    return [*seen, all(torch.equal(buffer[:, :, 6:], old[:, :, 6:]) for buffer, old in pairs)]


def other_dtypes(answer: Any, inputs: Inputs) -> list[Tensor]:
    """Give float32 keys and values to caches of other dtypes."""
    seen = []
    for dtype in (torch.bfloat16, torch.float16, torch.float64):
        shape = SIZES["batch"], SIZES["n_kv_heads"], SIZES["max_len"], SIZES["head_dim"]
        cache = answer(torch.zeros(shape, dtype=dtype), torch.zeros(shape, dtype=dtype), 0)
        for length in (2, 1):
            seen += both(cache.update(*new(inputs, length)))
    return seen


check = Check(
    exercise="5.1",
    name="KVCache",
    weight=3,
    reference=KVCache,
    technique=[
        Probe(
            "made by `empty`, or from its three fields",
            two_ways_to_make_one,
            "`KVCache.empty(…)` must return a cache without needing one: is there a `@classmethod` "
            "above it? And `KVCache(keys, values, length)` is what `@dataclass` gives.",
            promise="def empty(",
        ),
        Probe("worked example: two positions", two_positions, promise="cache.length"),
        Probe(
            "a new cache: sizes, length 0",
            new_cache,
            promise="two buffers (B, K, max_len, d), length 0",
        ),
        Probe(
            "one position stored: what comes back, and the cache", one_update, promise=ALL_SO_FAR
        ),
        Probe("chunks of all sizes: everything so far comes back", in_chunks, promise=ALL_SO_FAR),
        Probe(
            "the buffers keep their size and hold each position in its slot",
            written_buffers,
            promise=SLOTS,
        ),
        Probe(
            "filled to its last slot",
            filled_up,
            "An update that fills the cache exactly must be taken: there is room for max_len "
            "positions.",
            promise="room for max_len positions",
        ),
        Probe("two caches in turns", two_caches, promise=ALL_SO_FAR),
        Probe(
            "no slot that is not written is returned: they hold NaN here",
            poisoned,
            promise="The others may hold zeros, or whatever was in that memory before",
        ),
        Probe(
            "what was returned earlier still holds after more updates",
            earlier_results,
            "What an earlier update returned has changed afterwards. A position stays in the slot "
            "into which it was written.",
            promise=SLOTS,
        ),
    ],
    ready=[
        Probe(
            "ValueError when it would overflow",
            lambda answer, inputs: [
                name for n in ((5, 5), (7, 4)) for name in overflow(*n)(answer, inputs)
            ],
            "An update that does not fit must raise a ValueError, and one that fits must not.",
            promise=REFUSED,
        ),
        Probe(
            "ValueError when it is full already",
            overflow(9, 1, 2),
            "A full cache must raise a ValueError, for a single position too.",
            promise=REFUSED,
        ),
        Probe(
            "ValueError for a chunk longer than the whole cache",
            longer_than_all,
            "A chunk that is longer than max_len must raise a ValueError.",
            promise=REFUSED,
        ),
        Probe(
            "after a refused update: `length` as it was",
            length_after,
            "The update did not fit, and `length` has changed. Look whether there is room before "
            "you count anything.",
            promise=REFUSED,
        ),
        Probe(
            "after a refused update: the slots as they were",
            slots_after,
            "The update did not fit, and something was written. Look whether there is room before "
            "you write anything.",
            promise=REFUSED,
        ),
        Probe(
            "a new cache has the dtype that was asked for",
            dtype_as_asked,
            "The buffers have another dtype than `empty` was asked for. Hand `dtype` on to both.",
            promise="dtype: torch.dtype = torch.float32",
        ),
        Probe(
            "a new cache lies on the device that was asked for",
            device_as_asked,
            "The buffers lie on another device than `empty` was asked for. Hand `device` on to "
            "both.",
            promise="device: torch.device | str | None = None",
        ),
        Probe(
            "stores and returns in the cache's own dtype",
            other_dtypes,
            promise="in the cache's dtype",
        ),
    ],
    mistakes=MISTAKES,
    hints=(
        "Which slots are free, when `length` positions are written? The next T of them are yours.",
        "First see whether length + T is more than `keys.shape[2]`. Then write the slots from "
        "length to length + T, in both buffers, and only then move `length`.",
        "`self.keys[:, :, self.length : end] = k`, the same for the values, `self.length = end`, "
        "and return `self.keys[:, :, :end], self.values[:, :, :end]`.",
    ),
)
