"""Lab 05: what people write for the cache itself.

Sources are the public issues in which somebody really made the mistake.
"""

import functools
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from checks.engine import Mistake
from checks.reference import kv_cache as right


def _cache(**methods: Any) -> type:
    """A KVCache in which some methods are replaced."""
    return type("KVCache", (right.KVCache,), methods)


def _update(
    write: Callable | None = None,
    length: Callable | None = None,
    give: Callable | None = None,
) -> type:
    """A KVCache whose update goes wrong in one step, each step a function of what it sees.

    write(cache, k, v, start, end), length(cache, k, start, end) → the new length,
    give(cache, k, v, start, end) → what is returned.
    """

    def update(self: Any, k: Tensor, v: Tensor) -> Any:
        start, end = self.length, self.length + k.shape[2]
        if end > self.keys.shape[2]:
            raise ValueError("the cache is full")
        if write:
            write(self, k, v, start, end)
        else:
            self.keys[:, :, start:end], self.values[:, :, start:end] = k, v
        self.length = length(self, k, start, end) if length else end
        if give:
            return give(self, k, v, start, end)
        return self.keys[:, :, :end], self.values[:, :, :end]

    return _cache(update=update)


def _empty(change: Callable) -> type:
    """A KVCache whose `empty` makes its buffers by change(shape, dtype, device)."""

    def empty(
        cls: type,
        batch: int,
        n_kv_heads: int,
        max_len: int,
        head_dim: int,
        dtype: torch.dtype = torch.float32,
        device: Any = None,
    ) -> Any:
        return cls(*change((batch, n_kv_heads, max_len, head_dim), dtype, device), 0)

    return _cache(empty=classmethod(empty))


def _zeros(shape: tuple, dtype: torch.dtype = torch.float32, device: Any = None) -> tuple:
    return (
        torch.zeros(shape, dtype=dtype, device=device),
        torch.zeros(shape, dtype=dtype, device=device),
    )


def _full(act: Callable) -> type:
    """A KVCache that does act(cache, k, v) where an update does not fit; else it is right."""

    def update(self: Any, k: Tensor, v: Tensor) -> Any:
        if self.length + k.shape[2] > self.keys.shape[2]:
            k, v = act(self, k, v)
        return right.KVCache.update(self, k, v)

    return _cache(update=update)


def _raise(error: Exception) -> Callable:
    def act(*_: Any) -> None:
        raise error

    return act


def _count_then_raise(cache: Any, k: Tensor, v: Tensor) -> None:
    cache.length += k.shape[2]
    raise ValueError("full")


def _write_then_raise(cache: Any, k: Tensor, v: Tensor) -> None:
    room = cache.keys.shape[2] - cache.length
    cache.keys[:, :, cache.length :] = k[:, :, :room]
    cache.values[:, :, cache.length :] = v[:, :, :room]
    raise ValueError("full")


def _cut(cache: Any, k: Tensor, v: Tensor) -> tuple:
    room = cache.keys.shape[2] - cache.length
    return k[:, :, :room], v[:, :, :room]


def _start_again(cache: Any, k: Tensor, v: Tensor) -> tuple:
    cache.length = 0
    room = cache.keys.shape[2]
    return k[:, :, -room:], v[:, :, -room:]


def _drop_oldest(cache: Any, k: Tensor, v: Tensor) -> tuple:
    room = cache.keys.shape[2]
    k, v = k[:, :, -room:], v[:, :, -room:]
    drop = cache.length + k.shape[2] - room
    cache.keys, cache.values = cache.keys.roll(-drop, 2), cache.values.roll(-drop, 2)
    cache.length -= drop
    return k, v


def _grow(cache: Any, k: Tensor, v: Tensor) -> tuple:
    cache.keys = torch.cat([cache.keys, torch.zeros_like(k)], 2)
    cache.values = torch.cat([cache.values, torch.zeros_like(v)], 2)
    return k, v


def _room(fits: Callable[[Any, Tensor], bool]) -> type:
    """A KVCache that looks at the room in its own way, then writes as torch lets it."""

    def update(self: Any, k: Tensor, v: Tensor) -> Any:
        if not fits(self, k):
            raise ValueError("the cache is full")
        end = self.length + k.shape[2]
        self.keys[:, :, self.length : end] = k
        self.values[:, :, self.length : end] = v
        self.length = end
        return self.keys[:, :, :end], self.values[:, :, :end]

    return _cache(update=update)


def _cat_update(self: Any, k: Tensor, v: Tensor) -> tuple:
    self.keys, self.values = torch.cat([self.keys, k], 2), torch.cat([self.values, v], 2)
    self.length = self.keys.shape[2]
    return self.keys, self.values


class _Growing(right.KVCache):
    @classmethod
    def empty(cls, batch, n_kv_heads, max_len, head_dim, dtype=torch.float32, device=None):
        return cls(*_zeros((batch, n_kv_heads, 0, head_dim), dtype, device), 0)

    update = _cat_update


class _RightAligned(right.KVCache):
    """New positions go to the end, older ones move towards the beginning."""

    def update(self, k: Tensor, v: Tensor) -> tuple:
        if self.length + k.shape[2] > self.keys.shape[2]:
            raise ValueError("full")
        room = self.keys.shape[2]
        self.keys = torch.cat([self.keys, k.to(self.keys.dtype)], 2)[:, :, -room:]
        self.values = torch.cat([self.values, v.to(self.values.dtype)], 2)[:, :, -room:]
        self.length += k.shape[2]
        return self.keys[:, :, -self.length :], self.values[:, :, -self.length :]


class _ShiftedInPlace(right.KVCache):
    """The newest position stands first, and all others move on by one, in the same memory."""

    def update(self, k: Tensor, v: Tensor) -> tuple:
        if self.length + k.shape[2] > self.keys.shape[2]:
            raise ValueError("full")
        for buffer, new in ((self.keys, k), (self.values, v)):
            buffer.copy_(torch.cat([buffer[:, :, k.shape[2] :], new.to(buffer.dtype)], 2))
        self.length += k.shape[2]
        return self.keys[:, :, -self.length :], self.values[:, :, -self.length :]


class _FollowsInput(right.KVCache):
    def update(self, k: Tensor, v: Tensor) -> tuple:
        self.keys, self.values = self.keys.to(k.dtype), self.values.to(v.dtype)
        return super().update(k, v)


class _Prepends(right.KVCache):
    def update(self, k: Tensor, v: Tensor) -> tuple:
        n, T = self.length, k.shape[2]
        if n + T > self.keys.shape[2]:
            raise ValueError("full")
        for buffer, new in ((self.keys, k), (self.values, v)):
            buffer[:, :, : n + T] = torch.cat([new.to(buffer.dtype), buffer[:, :, :n]], 2)
        self.length += T
        return self.keys[:, :, : n + T], self.values[:, :, : n + T]


class _TensorLength(right.KVCache):
    @classmethod
    def empty(cls, *args: Any, **kwargs: Any) -> Any:
        cache = right.KVCache.empty(*args, **kwargs)
        return cls(cache.keys, cache.values, torch.tensor(0))


class _NoClassMethod(right.KVCache):
    def empty(self, batch, n_kv_heads, max_len, head_dim, dtype=torch.float32, device=None):
        return type(self)(*_zeros((batch, n_kv_heads, max_len, head_dim), dtype, device), 0)


class _NoDataclass:
    """A class with an __init__ of its own, which takes the sizes."""

    def __init__(self, batch, n_kv_heads, max_len, head_dim, dtype=torch.float32, device=None):
        self.keys, self.values = _zeros((batch, n_kv_heads, max_len, head_dim), dtype, device)
        self.length = 0

    @classmethod
    def empty(cls, *args: Any, **kwargs: Any) -> Any:
        return cls(*args, **kwargs)

    update = right.KVCache.update


class _LengthFromSlots(right.KVCache):
    """Counts the slots that are not zero instead of remembering the length."""

    def update(self, k: Tensor, v: Tensor) -> tuple:
        self.length = int((self.keys != 0).any(-1).any(0).any(0).sum())
        return super().update(k, v)


class _SharedByAll(right.KVCache):
    """All caches of a size work on the same memory, as with buffers made once for the class."""

    @classmethod
    @functools.cache
    def _buffers(cls, *options: Any) -> tuple[Tensor, Tensor]:
        return _zeros(*options)

    @classmethod
    def empty(cls, batch, n_kv_heads, max_len, head_dim, dtype=torch.float32, device=None):
        return cls(*cls._buffers((batch, n_kv_heads, max_len, head_dim), dtype, device), 0)


def _write_at_start(c: Any, k: Tensor, v: Tensor, start: int, end: int) -> None:
    c.keys[:, :, : k.shape[2]], c.values[:, :, : k.shape[2]] = k, v


def _write_swapped(c: Any, k: Tensor, v: Tensor, start: int, end: int) -> None:
    c.keys[:, :, start:end], c.values[:, :, start:end] = v, k


def _write_keys_twice(c: Any, k: Tensor, v: Tensor, start: int, end: int) -> None:
    c.keys[:, :, start:end], c.values[:, :, start:end] = k, k


def _write_first_sequence(c: Any, k: Tensor, v: Tensor, start: int, end: int) -> None:
    c.keys[:, :, start:end], c.values[:, :, start:end] = k[0], v[0]


def _write_only_row_0(c: Any, k: Tensor, v: Tensor, start: int, end: int) -> None:
    c.keys[0, :, start:end], c.values[0, :, start:end] = k[0], v[0]


def _write_last_position(c: Any, k: Tensor, v: Tensor, start: int, end: int) -> None:
    c.keys[:, :, start:end], c.values[:, :, start:end] = k[:, :, -1:], v[:, :, -1:]


def _write_one_slot(c: Any, k: Tensor, v: Tensor, start: int, end: int) -> None:
    c.keys[:, :, start], c.values[:, :, start] = k[:, :, -1], v[:, :, -1]


def _write_after_clearing(c: Any, k: Tensor, v: Tensor, start: int, end: int) -> None:
    c.keys.zero_()
    c.values.zero_()
    c.keys[:, :, start:end], c.values[:, :, start:end] = k, v


def _write_by_adding(c: Any, k: Tensor, v: Tensor, start: int, end: int) -> None:
    c.keys[:, :, start:end] += k
    c.values[:, :, start:end] += v


def _write_along_heads(c: Any, k: Tensor, v: Tensor, start: int, end: int) -> None:
    c.keys[:, start:end], c.values[:, start:end] = k, v


def _write_keys_only(c: Any, k: Tensor, v: Tensor, start: int, end: int) -> None:
    c.keys[:, :, start:end] = k


def _write_nothing(*_: Any) -> None: ...


def _write_one_late(c: Any, k: Tensor, v: Tensor, start: int, end: int) -> None:
    n = min(c.keys.shape[2], end + 1) - start - 1
    c.keys[:, :, start + 1 : end + 1] = k[:, :, :n]
    c.values[:, :, start + 1 : end + 1] = v[:, :, :n]


ROOM = "Look first whether `self.length + k.shape[2] > self.keys.shape[2]`, and raise then."
SLICE = "`self.keys[:, :, self.length : end] = k`, where end is length + T."
GIVE = "Return `self.keys[:, :, :end], self.values[:, :, :end]`."
POSITIONS = "Positions are dimension 2 of (B, K, T, d): T is `k.shape[2]`."
BOTH_ZEROS = (
    "`torch.zeros(batch, n_kv_heads, max_len, head_dim, dtype=dtype, device=device)`, twice."
)

CACHE = [
    Mistake(
        "full_prompt_refused",
        _room(
            lambda cache, k: cache.length + k.shape[2] <= cache.keys.shape[2] - (not cache.length)
        ),
        "A prompt that fills all the slots at once is refused, although there is room for it.",
        ROOM,
    ),
    Mistake(
        "first_returned_as_it_came",
        _update(
            give=lambda c, k, v, start, end: (
                (k, v) if start == 0 else (c.keys[:, :, :end], c.values[:, :, :end])
            )
        ),
        "The first update returns k and v as they came, in their own dtype. What is stored may "
        "have another.",
        GIVE,
    ),
    Mistake(
        "overwrites_the_start",
        _update(_write_at_start),
        "Every update is written to the first slots, over what stood there.",
        SLICE,
    ),
    Mistake(
        "length_not_moved",
        _update(length=lambda c, k, start, end: start),
        "`length` does not move, so the next update overwrites this one: a cache that forgets.",
        "After writing: `self.length = end`.",
    ),
    Mistake(
        "length_plus_one",
        _update(length=lambda c, k, start, end: start + 1),
        "`length` grows by 1 for each update. A prompt brings many positions at once.",
        POSITIONS,
    ),
    Mistake(
        "length_plus_batch",
        _update(length=lambda c, k, start, end: start + k.shape[0]),
        "`length` grows by the batch size.",
        POSITIONS,
    ),
    Mistake(
        "length_plus_heads",
        _update(length=lambda c, k, start, end: start + k.shape[1]),
        "`length` grows by the number of heads.",
        POSITIONS,
    ),
    Mistake(
        "length_counted_twice",
        _update(length=lambda c, k, start, end: end + k.shape[2]),
        "`length` grows by 2 · T: once for the keys and once for the values, it seems. Both stand "
        "in the same slots.",
        "Move `length` once, after both are written.",
    ),
    Mistake(
        "returns_new_only",
        _update(give=lambda c, k, v, start, end: (k.to(c.keys.dtype), v.to(c.values.dtype))),
        "It returns the new positions only. The layer needs all of them, the old ones too.",
        GIVE,
        "Lightning-AI/litgpt#701",
    ),
    Mistake(
        "returns_whole_buffer",
        _update(give=lambda c, k, v, start, end: (c.keys, c.values)),
        "It returns all max_len slots, those not written yet included. Their scores would count.",
        GIVE,
        "huggingface/transformers#45940",
    ),
    Mistake(
        "returns_old_only",
        _update(give=lambda c, k, v, start, end: (c.keys[:, :, :start], c.values[:, :, :start])),
        "It returns what was there before, without the new positions.",
        GIVE,
    ),
    Mistake(
        "returns_swapped",
        _update(give=lambda c, k, v, start, end: (c.values[:, :, :end], c.keys[:, :, :end])),
        "It returns (values, keys). The order is (keys, values).",
        GIVE,
    ),
    Mistake(
        "returns_none",
        _update(give=lambda *_: None),
        "update returns nothing.",
        GIVE,
    ),
    Mistake(
        "returns_cache",
        _update(give=lambda c, k, v, start, end: c),
        "update returns the cache itself, not the keys and the values.",
        GIVE,
    ),
    Mistake(
        "returns_keys_only",
        _update(give=lambda c, k, v, start, end: c.keys[:, :, :end]),
        "update returns the keys only. The layer needs the values as well.",
        GIVE,
    ),
    Mistake(
        "returns_positions_first",
        _update(
            give=lambda c, k, v, start, end: (
                c.keys[:, :, :end].transpose(1, 2),
                c.values[:, :, :end].transpose(1, 2),
            )
        ),
        "It returns (B, length, K, d). Heads come before positions in this course.",
        GIVE,
    ),
    Mistake(
        "returns_input_dtype",
        _update(
            give=lambda c, k, v, start, end: (
                c.keys[:, :, :end].to(k.dtype),
                c.values[:, :, :end].to(v.dtype),
            )
        ),
        "It converts the stored keys back to the dtype of k: a copy of the whole cache each time.",
        "Return the slices as they are stored.",
    ),
    Mistake(
        "stored_swapped",
        _update(_write_swapped),
        "The keys are written into the values' buffer and the other way round.",
        SLICE,
    ),
    Mistake(
        "keys_in_both",
        _update(_write_keys_twice),
        "k is written into both buffers.",
        "`self.values[:, :, self.length : end] = v`",
    ),
    Mistake(
        "values_not_written",
        _update(_write_keys_only),
        "The values are never written.",
        "`self.values[:, :, self.length : end] = v`",
    ),
    Mistake(
        "writes_nothing",
        _update(_write_nothing),
        "Nothing is written into the buffers.",
        SLICE,
    ),
    Mistake(
        "one_buffer_for_both",
        _empty(lambda shape, dtype, device: (_zeros(shape, dtype, device)[0],) * 2),
        "keys and values are the same tensor: what is written last stands in both.",
        BOTH_ZEROS,
    ),
    Mistake(
        "first_sequence_for_all",
        _update(_write_first_sequence),
        "The first sequence of the batch is written for all of them (`k[0]`).",
        SLICE,
    ),
    Mistake(
        "first_sequence_only",
        _update(_write_only_row_0),
        "Only the first sequence of the batch is written.",
        SLICE,
    ),
    Mistake(
        "last_position_for_all",
        _update(_write_last_position),
        "All T slots get the last of the new positions.",
        SLICE,
    ),
    Mistake(
        "one_slot_only",
        _update(_write_one_slot),
        "Only one slot is written, however many positions come.",
        SLICE,
    ),
    Mistake(
        "one_slot_late",
        _update(_write_one_late),
        "It writes one slot too far: slot `length` is the first free one, counted from 0.",
        SLICE,
    ),
    Mistake(
        "clears_first",
        _update(_write_after_clearing),
        "Everything is cleared before the new positions are written.",
        "Write the new slots and touch no others.",
    ),
    Mistake(
        "adds_instead",
        _update(_write_by_adding),
        "It adds the new keys to what is in the slots (`+=`). That is right only while they are 0.",
        SLICE,
    ),
    Mistake(
        "along_heads",
        _update(_write_along_heads),
        "It writes along dimension 1, the heads.",
        SLICE,
    ),
    Mistake(
        "grows_by_cat",
        _Growing,
        "The buffers grow with torch.cat: a copy of everything at each step, without limit. "
        "Memory is taken once, max_len slots, and filled.",
        BOTH_ZEROS,
    ),
    Mistake(
        "cat_in_update",
        _cache(update=_cat_update),
        "It appends to a buffer that already has its max_len slots.",
        SLICE,
    ),
    Mistake(
        "right_aligned",
        _RightAligned,
        "New positions stand at the end of the buffer and push the older ones forward. Position "
        "i belongs in slot i.",
        SLICE,
    ),
    Mistake(
        "moved_in_place",
        _ShiftedInPlace,
        "Each update moves the older positions in the same memory: what was returned before "
        "changes, and all of it is copied.",
        SLICE,
    ),
    Mistake(
        "newest_first",
        _Prepends,
        "New positions are put before the old ones.",
        SLICE,
    ),
    Mistake(
        "torch_s_error",
        _room(lambda c, k: True),
        "What does not fit is left to torch, which stops with a RuntimeError about sizes.",
        ROOM,
    ),
    Mistake(
        "overflow_assertion",
        _full(_raise(AssertionError("full"))),
        "It raises an AssertionError. `assert` is for what cannot happen; a full cache can.",
        "`raise ValueError(…)` with a sentence.",
    ),
    Mistake(
        "overflow_index_error",
        _full(_raise(IndexError("full"))),
        "It raises an IndexError; a ValueError was promised.",
        "`raise ValueError(…)` with a sentence.",
    ),
    Mistake(
        "overflow_memory_error",
        _full(_raise(MemoryError("full"))),
        "It raises a MemoryError; a ValueError was promised.",
        "`raise ValueError(…)` with a sentence.",
    ),
    Mistake(
        "full_one_too_early",
        _room(lambda c, k: c.length + k.shape[2] < c.keys.shape[2]),
        "The last slot is never used: `>=` where `>` is meant.",
        "length + T may equal max_len.",
    ),
    Mistake(
        "looks_at_length_only",
        _room(lambda c, k: c.length < c.keys.shape[2]),
        "It looks whether the cache is full already, not whether the T new positions fit.",
        ROOM,
    ),
    Mistake(
        "looks_for_one",
        _room(lambda c, k: c.length + 1 <= c.keys.shape[2] and k.shape[2] <= c.keys.shape[2]),
        "It looks whether one more position fits, or T alone. T come on top of `length`.",
        ROOM,
    ),
    Mistake(
        "compares_with_heads",
        _room(lambda c, k: c.length + k.shape[2] <= c.keys.shape[1]),
        "It compares with the number of heads, `keys.shape[1]`.",
        "max_len is `self.keys.shape[2]`.",
    ),
    Mistake(
        "overflow_moves_length",
        _full(_count_then_raise),
        "`length` has moved when the error is raised. Afterwards the cache is unusable.",
        ROOM,
    ),
    Mistake(
        "overflow_writes",
        _full(_write_then_raise),
        "It writes what fits and raises the error afterwards.",
        ROOM,
    ),
    Mistake(
        "overflow_cut",
        _full(_cut),
        "What does not fit is dropped without a word.",
        ROOM,
    ),
    Mistake(
        "overflow_starts_again",
        _full(_start_again),
        "When it is full it begins again at slot 0 and forgets the rest.",
        ROOM,
    ),
    Mistake(
        "overflow_drops_oldest",
        _full(_drop_oldest),
        "When it is full it drops the oldest positions. That is a rolling cache, of lab 13; here "
        "it must say that there is no room.",
        ROOM,
    ),
    Mistake(
        "overflow_grows",
        _full(_grow),
        "When it is full it makes the buffers larger. max_len is a promise about memory.",
        ROOM,
    ),
    Mistake(
        "positions_first",
        _empty(lambda shape, *rest: _zeros((shape[0], shape[2], shape[1], shape[3]), *rest)),
        "The buffers are (B, max_len, K, d), as in Meta's code. Here heads come before positions.",
        "`(batch, n_kv_heads, max_len, head_dim)`",
    ),
    Mistake(
        "size_and_length_swapped",
        _empty(lambda shape, *rest: _zeros((shape[0], shape[1], shape[3], shape[2]), *rest)),
        "head_dim and max_len have changed places.",
        "`(batch, n_kv_heads, max_len, head_dim)`",
    ),
    Mistake(
        "batch_of_one",
        _empty(lambda shape, *rest: _zeros((1, *shape[1:]), *rest)),
        "The batch size is ignored: there is room for one sequence.",
        "`(batch, n_kv_heads, max_len, head_dim)`",
    ),
    Mistake(
        "one_slot_more",
        _empty(lambda shape, *rest: _zeros((*shape[:2], shape[2] + 1, shape[3]), *rest)),
        "There is one slot more than max_len.",
        "`(batch, n_kv_heads, max_len, head_dim)`",
    ),
    Mistake(
        "ignores_dtype",
        _empty(lambda shape, dtype, device: _zeros(shape, torch.float32, device)),
        "The buffers are float32 whatever `dtype` says.",
        BOTH_ZEROS,
    ),
    Mistake(
        "ignores_device",
        _empty(lambda shape, dtype, device: _zeros(shape, dtype)),
        "The buffers lie on the CPU whatever `device` says.",
        BOTH_ZEROS,
    ),
    Mistake(
        "follows_input_dtype",
        _FollowsInput,
        "The buffers change their dtype to that of k. The dtype given to `empty` decides how much "
        "memory the cache takes.",
        "Writing into a slice converts by itself: `self.keys[:, :, a:b] = k`.",
    ),
    Mistake(
        "shared_by_all",
        _SharedByAll,
        "Two caches share their memory: what one stores, the other one finds.",
        "Make the buffers inside `empty`, new ones each time.",
        "Lightning-AI/litgpt#1595",
    ),
    Mistake(
        "length_is_a_tensor",
        _TensorLength,
        "`length` is a tensor. It is a plain int.",
        "`length=0`",
    ),
    Mistake(
        "length_from_slots",
        _LengthFromSlots,
        "The length is found by looking for slots that are not zero. What is in them is no "
        "evidence: memory need not be zero, and a key may be.",
        "Keep the number in `self.length`.",
    ),
    Mistake(
        "empty_needs_an_instance",
        _NoClassMethod,
        "`empty` is an ordinary method: it needs a cache to make a cache.",
        "Put `@classmethod` above it (or `@staticmethod`).",
    ),
    Mistake(
        "no_dataclass",
        _NoDataclass,
        "`KVCache(keys, values, length)` does not make a cache: the class has an __init__ of its "
        "own. A dataclass takes its fields.",
        "Keep `@dataclass` and the three fields; the sizes go to `empty`.",
    ),
]
