"""Lab 13, 13.5: what is tried on RollingKVCache."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from checks.engine import SAME_DEVICE, Check, Crash, Inputs, Probe
from checks.engine.cache_probes import both, length_of
from checks.engine.devices import pretended_device
from checks.long_context.rolling_kv_cache_wrong import MISTAKES
from checks.long_context.turning import turned

SIZES = {"batch": 2, "n_kv_heads": 3, "head_dim": 4}  # all different, and from the windows
KEPT = "the first n_sinks positions, and the last `window` of the others"
COUNTS = "`length` counts all positions that ever came in"
AT_ONCE = "several at once are taken as long as they and all before them fit"
FOLLOW = "the keys of the sinks that update returns are turned on by that many positions"
STAY = "The stored keys stay as they are."
REFUSED = "ValueError when T > 1 and they do not all fit, and then the cache is unchanged."
BUFFERS = "two buffers (B, K, n_sinks + window, d), length 0"
FREQUENCIES = torch.tensor([1.0, 0.13])  # of a head of 4


@dataclass
class RollingKVCache:
    """Every position in a list of its own slot; slow and obvious."""

    keys: Tensor
    values: Tensor
    length: int
    n_sinks: int = 0
    frequencies: Tensor | None = None

    @classmethod
    def empty(
        cls,
        batch: int,
        n_kv_heads: int,
        window: int,
        head_dim: int,
        n_sinks: int = 0,
        frequencies: Tensor | None = None,
        dtype: torch.dtype = torch.float32,
        device: torch.device | str | None = None,
    ) -> "RollingKVCache":
        """Two buffers (B, K, n_sinks + window, d), with nothing in them yet."""
        shape = (batch, n_kv_heads, n_sinks + window, head_dim)
        keys, values = (torch.zeros(shape, dtype=dtype, device=device) for _ in range(2))
        return cls(keys, values, 0, n_sinks, frequencies)

    def update(self, k: Tensor, v: Tensor) -> tuple[Tensor, Tensor]:
        """k, v: (B, K, T, d), stored → those that are kept."""
        room = self.keys.shape[2]
        if k.shape[2] > 1 and self.length + k.shape[2] > room:
            raise ValueError(f"{self.length} + {k.shape[2]} positions > {room}")
        for t in range(k.shape[2]):
            slot = self.length
            while slot >= room:
                slot -= room - self.n_sinks
            self.keys[:, :, slot], self.values[:, :, slot] = k[:, :, t], v[:, :, t]
            self.length += 1
        kept = min(self.length, room)
        keys, dropped = self.keys[:, :, :kept], self.length - kept
        if self.frequencies is not None and dropped:
            sinks = turned(keys[:, :, : self.n_sinks], dropped, self.frequencies)
            keys = torch.cat([sinks, keys[:, :, self.n_sinks :]], 2)
        return keys, self.values[:, :, :kept]


def sorted_by_value(found: Any) -> list[Tensor]:
    """What `update` returned, in the order of the values: any order is right.

    No two values of a probe are equal, so that keys stay with the values that came with them.
    """
    keys, values = both(found)
    if keys.dim() != 4 or keys.shape != values.shape or not keys.shape[2]:
        return [keys, values]
    order = values[0, 0, :, 0].argsort()
    return [keys[:, :, order], values[:, :, order]]


def new(inputs: Inputs, length: int = 1) -> list[Tensor]:
    """Keys and values of `length` new positions: two of (B, K, length, d)."""
    shape = (SIZES["batch"], SIZES["n_kv_heads"], length, SIZES["head_dim"])
    return [inputs.randn(*shape), inputs.randn(*shape)]


def make(answer: Any, window: int, n_sinks: int = 0, **options: Any) -> Any:
    """An empty cache; without sinks they are not spoken of."""
    sinks = {"n_sinks": n_sinks} if n_sinks else {}
    return answer.empty(**SIZES, window=window, **sinks, **options)


def attempt(cache: Any, k: Tensor, v: Tensor) -> str:
    """What an update raises, by name, or what it returns instead; every ValueError is one."""
    try:
        found = cache.update(k, v)
    except Crash as crash:
        error = crash.original
        return "ValueError" if isinstance(error, ValueError) else type(error).__name__
    return "two" if isinstance(found, tuple | list) else f"returns {type(found).__name__}"


def worked_example(answer: Any, inputs: Inputs) -> list:
    """Positions that are their own number."""
    cache = answer.empty(batch=1, n_kv_heads=1, window=2, head_dim=2, n_sinks=1)
    seen: list = []
    for i in range(5):
        found = both(cache.update(torch.full((1, 1, 1, 2), float(i)), torch.zeros(1, 1, 1, 2)))
        seen += [found[0].flatten().sort().values, tuple(found[1].shape), length_of(cache)]
    return seen


def new_cache(answer: Any, inputs: Inputs) -> list:
    """The sizes of new buffers, whatever is in them."""
    cache = answer.empty(2, 3, 5, 4, 2)
    return [torch.zeros_like(cache.keys), torch.zeros_like(cache.values), length_of(cache)]


def one_by_one(
    count: int, *caches: tuple[int, int], frequencies: Tensor | None = None
) -> Callable[[Any, Inputs], list]:
    """A probe's run: what comes back while `count` positions come, for (window, n_sinks)."""

    def run(answer: Any, inputs: Inputs) -> list:
        seen: list = []
        for window, n_sinks in caches:
            own = None if frequencies is None else frequencies.clone()
            cache = make(answer, window, n_sinks, frequencies=own)
            for _ in range(count):
                seen += [*sorted_by_value(cache.update(*new(inputs))), length_of(cache)]
        return seen

    return run


def prompt_in_order(answer: Any, inputs: Inputs) -> list:
    """Several at once, up to the last slot: in the order of the text."""
    seen: list = []
    for window, n_sinks, chunks in ((5, 2, (3, 1, 3)), (6, 0, (6,)), (4, 1, (2, 2))):
        cache = make(answer, window, n_sinks)
        for length in chunks:
            seen += [*both(cache.update(*new(inputs, length))), length_of(cache)]
    return seen


def after_a_prompt(answer: Any, inputs: Inputs) -> list:
    """A prompt at once, then one at a time, past the wrap."""
    seen: list = []
    for window, n_sinks, length in ((5, 2, 7), (3, 1, 2), (4, 0, 4)):
        cache = make(answer, window, n_sinks)
        both(cache.update(*new(inputs, length)))
        for _ in range(9):
            seen += [*sorted_by_value(cache.update(*new(inputs))), length_of(cache)]
    return seen


def by_its_fields(answer: Any, inputs: Inputs) -> list:
    """Make one from keys, values and length alone: no sinks, and nothing is turned."""
    cache, seen = answer(*new(inputs, 3), 0), []
    for _ in range(7):
        seen += [*sorted_by_value(cache.update(*new(inputs))), length_of(cache)]
    return seen


def poisoned(answer: Any, inputs: Inputs) -> list:
    """Slots that are not written hold NaN."""
    cache, seen = make(answer, 5, 1), []
    for buffer in (cache.keys, cache.values):
        buffer.fill_(torch.nan)
    for _ in range(4):
        seen += both(cache.update(*new(inputs)))
    return seen


def memory(answer: Any, inputs: Inputs) -> list:
    """The sizes of the buffers, after many positions."""
    cache = make(answer, 3, 2)
    for _ in range(23):
        cache.update(*new(inputs))
    return [tuple(cache.keys.shape), tuple(cache.values.shape), length_of(cache)]


def two_caches(answer: Any, inputs: Inputs) -> list:
    """Fill two caches in turns."""
    first, second = make(answer, 3, 1), make(answer, 2, 2)
    return [
        part
        for _ in range(7)
        for cache in (first, second)
        for part in sorted_by_value(cache.update(*new(inputs)))
    ]


def too_many(*chunks: tuple[int, ...]) -> Callable[[Any, Inputs], list[str]]:
    """A probe's run: what each further update raises, for windows of 4 with two sinks."""

    def run(answer: Any, inputs: Inputs) -> list[str]:
        seen = []
        for lengths in chunks:
            cache = make(answer, 4, 2)
            seen += [attempt(cache, *new(inputs, n)) for n in lengths]
        return seen

    return run


def after_a_refusal(answer: Any, inputs: Inputs) -> list:
    """What is in a cache that could not take an update: its length, and what comes back next."""
    seen: list = []
    for before in (3, 8):
        cache = make(answer, 4, 1)
        for _ in range(before):
            both(cache.update(*new(inputs)))
        attempt(cache, *new(inputs, 3))
        seen += [length_of(cache), *sorted_by_value(cache.update(*new(inputs)))]
    return seen


def stored(answer: Any, inputs: Inputs) -> list[bool]:
    """Are the stored sinks what they were, after many turns?"""
    cache = make(answer, 3, 2, frequencies=FREQUENCIES.clone())
    first = new(inputs, 2)
    cache.update(*first)
    for _ in range(9):
        cache.update(*new(inputs))
    rows = cache.keys.transpose(1, 2).flatten(2)  # (B, slots, K·d)
    wanted = first[0].transpose(1, 2).flatten(2)
    found: Iterable[Tensor] = (
        (rows[0] - wanted[0, i]).abs().amax(-1).amin() < 1e-5 for i in range(2)
    )
    return [bool(one) for one in found]


def options(answer: Any, inputs: Inputs) -> list:
    """Its buffers' dtype, and what an update of float32 gives back."""
    seen: list = []
    for dtype in (torch.bfloat16, torch.float16):
        for frequencies in (None, FREQUENCIES.clone()):
            cache = make(answer, 2, 1, dtype=dtype, frequencies=frequencies)
            seen += [str(cache.keys.dtype), str(cache.values.dtype)]
            for _ in range(4):
                found = both(cache.update(*new(inputs)))
            seen += [str(part.dtype) for part in found]
    return seen


def elsewhere(answer: Any, inputs: Inputs) -> list:
    """On a GPU: the buffers, and what turning sinks makes."""
    with pretended_device() as device:
        cache = make(answer, 2, 1, device="cuda")
    seen = [device.holds(cache.keys), device.holds(cache.values)]
    cache = make(answer, 2, 1, frequencies=FREQUENCIES.clone())
    parts = [new(inputs) for _ in range(5)]
    with pretended_device() as device:
        for k, v in parts:
            found = cache.update(k, v)
        keys, values = both(found)
    seen += [device.holds(keys), device.holds(values), not device.mixed]
    return ["on the device" if held else "on the CPU" for held in seen]


check = Check(
    exercise="13.5",
    name="RollingKVCache",
    weight=3,
    reference=RollingKVCache,
    technique=[
        Probe("worked example: 0 is a sink, 3 and 4 are the window", worked_example, promise=KEPT),
        Probe("a new cache: sizes, length 0", new_cache, promise=BUFFERS),
        Probe(
            "made from keys, values and length: no sinks",
            by_its_fields,
            promise="n_sinks: int = 0",
        ),
        Probe(
            "several positions at once, in the order of the text",
            prompt_in_order,
            promise=AT_ONCE,
        ),
        Probe(
            "one at a time, no sinks: until it is full, and once round",
            one_by_one(9, (4, 0), (3, 0), (1, 0)),
            promise=KEPT,
        ),
        Probe(
            "one at a time, with sinks, three times round",
            one_by_one(16, (4, 2), (3, 1)),
            promise=KEPT,
        ),
        Probe("a prompt, then one at a time, past the wrap", after_a_prompt, promise=KEPT),
        Probe(
            "no slot that is not written is returned: they hold NaN here",
            poisoned,
            promise="two of (B, K, min(length, n_sinks + window), d)",
        ),
        Probe(
            "after 23 positions its memory is what it was, and length is 23",
            memory,
            promise=COUNTS,
        ),
        Probe("two caches in turns", two_caches, promise=KEPT),
        Probe(
            "frequencies: the sinks are turned along",
            one_by_one(13, (4, 2), (2, 1), frequencies=FREQUENCIES),
            promise=FOLLOW,
        ),
        Probe(
            "frequencies, and no sinks: nothing is turned",
            one_by_one(7, (3, 0), frequencies=FREQUENCIES),
            promise=FOLLOW,
        ),
        Probe(
            "the stored sinks are as they came",
            stored,
            "The stored keys of the sinks have changed. Turn what is returned, and leave what is "
            "stored: in the next step it would be turned twice.",
            promise=STAY,
        ),
    ],
    ready=[
        Probe(
            "ValueError when several do not all fit, and only then",
            too_many((7,), (4, 3), (6, 2), (5, 1, 1, 2), (2, 3, 1)),
            "Several positions at once that do not all fit must raise a ValueError, and single "
            "ones and those that fit must not.",
            promise=REFUSED,
        ),
        Probe(
            "after a refused update it goes on as if nothing had been",
            after_a_refusal,
            "An update was refused, and the cache has changed. Look whether there is room before "
            "you write or count anything.",
            promise=REFUSED,
        ),
        Probe(
            "stores and returns in the dtype that was asked for",
            options,
            "The buffers, or what update returns, have another dtype than `empty` was asked for.",
            promise="in the cache's dtype",
        ),
        Probe(
            "lies on the device that was asked for, and turns sinks there",
            elsewhere,
            "Something was made on the CPU whatever the device is. Hand `device` on to both "
            "buffers, and make the number of dropped positions with `device=keys.device`.",
            promise=SAME_DEVICE,
        ),
    ],
    mistakes=MISTAKES,
    hints=(
        "Which slot holds the oldest position that is no sink, when `length` positions have come "
        "and all slots are full?",
        "While there is room: the next slots, `length` on. Then n_sinks + (length - n_sinks) % "
        "window. `length` grows always; what is dropped is length less what is kept.",
        "`at = self.length if end <= room else self.n_sinks + (self.length - self.n_sinks) % "
        "window`; for the sinks `apply_rope(keys[:, :, : self.n_sinks], "
        "rope_angles(torch.tensor([dropped]), self.frequencies))`.",
    ),
)
