"""Lab 05, 5.1: KVCache, and what people write in place of its lines.

Sources are the public issues in which somebody really made the mistake.
"""

import functools
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from checks.engine import Mistake, mistakes_of


@functools.cache
def one_for_all(*options: Any) -> tuple[Tensor, Tensor]:
    """Two buffers that everybody gets who asks for this size."""
    shape, dtype, device = options
    return torch.zeros(shape, dtype=dtype, device=device), torch.zeros(
        shape, dtype=dtype, device=device
    )


@dataclass
#: Put `@dataclass` back above the class.
#! decorator_missing: pass
#  `@dataclass` is missing, so `KVCache(keys, values, length)` takes no arguments.
class KVCache:
    keys: Tensor
    values: Tensor
    length: int
    #: Keep `@dataclass` and the three fields; the sizes go to `empty`.
    #! no_dataclass:
    #| …
    #| def __init__(self, batch, n_kv_heads, max_len, head_dim, dtype=torch.float32, device=None):
    #|     self.keys = torch.zeros(batch, n_kv_heads, max_len, head_dim, dtype=dtype, device=device)
    #|     self.values, self.length = self.keys.clone(), 0
    #  `KVCache(keys, values, length)` does not make a cache: the class has an __init__ of its own. A dataclass takes its fields.

    @classmethod
    #: Put `@classmethod` above it (or `@staticmethod`).
    #! empty_needs_an_instance: pass
    #  `empty` is an ordinary method: it needs a cache to make a cache.
    def empty(cls, batch, n_kv_heads, max_len, head_dim, dtype=torch.float32, device=None):
        shape = (batch, n_kv_heads, max_len, head_dim)
        #: `(batch, n_kv_heads, max_len, head_dim)`
        #! positions_first: shape = (batch, max_len, n_kv_heads, head_dim)
        #  The buffers are (B, max_len, K, d), as in Meta's code. Here heads come before positions.
        #! size_and_length_swapped: shape = (batch, n_kv_heads, head_dim, max_len)
        #  head_dim and max_len have changed places.
        #! batch_and_heads_swapped: shape = (n_kv_heads, batch, max_len, head_dim)
        #  batch and n_kv_heads have changed places.
        #! batch_of_one: shape = (1, n_kv_heads, max_len, head_dim)
        #  The batch size is ignored: there is room for one sequence.
        #! one_head_only: shape = (batch, 1, max_len, head_dim)
        #  n_kv_heads is ignored: there is room for one head.
        #! no_batch_dimension: shape = (n_kv_heads, max_len, head_dim)
        #  The buffers have no batch dimension.
        #! heads_flattened: shape = (batch, max_len, n_kv_heads * head_dim)
        #  The heads lie side by side in one long vector. Here they are a dimension of their own.
        #! one_slot_more: shape = (batch, n_kv_heads, max_len + 1, head_dim)
        #  There is one slot more than max_len.
        #: `torch.zeros(batch, n_kv_heads, max_len, head_dim, dtype=dtype, device=device)`, twice.
        #! grows_by_cat: shape = (batch, n_kv_heads, 0, head_dim)
        #  The buffers grow with torch.cat: a copy of everything at each step, without limit. Memory is taken once, max_len slots, and filled.
        keys = torch.zeros(shape, dtype=dtype, device=device)
        values = torch.zeros(shape, dtype=dtype, device=device)
        #: `torch.zeros(batch, n_kv_heads, max_len, head_dim, dtype=dtype, device=device)`, twice.
        #! one_buffer_for_both: values = keys
        #  keys and values are the same tensor: what is written last stands in both.
        #! ignores_dtype: keys, values = (torch.zeros(shape, device=device) for _ in "kv")
        #  The buffers are float32 whatever `dtype` says.
        #! values_ignore_dtype: values = torch.zeros(shape, device=device)
        #  The values' buffer is float32 whatever `dtype` says; that of the keys is right.
        #! keys_ignore_dtype: keys = torch.zeros(shape, device=device)
        #  The keys' buffer is float32 whatever `dtype` says; that of the values is right.
        #! ignores_device: keys, values = (torch.zeros(shape, dtype=dtype) for _ in "kv")
        #  The buffers lie on the CPU whatever `device` says.
        #! values_ignore_device: values = torch.zeros(shape, dtype=dtype)
        #  The values' buffer lies on the CPU whatever `device` says; that of the keys is right.
        #! ignores_dtype_and_device: keys, values = torch.zeros(shape), torch.zeros(shape)
        #  The buffers are float32 on the CPU whatever `dtype` and `device` say.
        #: Make the buffers inside `empty`, new ones each time.
        #! shared_by_all: keys, values = one_for_all(shape, dtype, device)
        #  Two caches share their memory: what one stores, the other one finds. [Lightning-AI/litgpt#1596]
        return cls(keys, values, 0)
        #!+ no_dataclass: return cls(batch, n_kv_heads, max_len, head_dim, dtype, device)
        #: `cls(keys, values, length=0)`
        #! length_is_a_tensor: return cls(keys, values, torch.tensor(0))
        #  `length` is a tensor. It is a plain int.
        #! starts_full: return cls(keys, values, max_len)
        #  An empty cache says that it is full: `length` counts the positions written, which are none.
        #! starts_at_one: return cls(keys, values, 1)
        #  A new cache has length 1. Nothing is written yet: 0.
        #! returns_no_cache: pass
        #  `empty` returns nothing.
        #! returns_a_tuple: return keys, values, 0
        #  `empty` returns a tuple. A cache is wanted.
        #! returns_a_tuple_of_two: return keys, values
        #  `empty` returns the two buffers. A cache is wanted.
        #! returns_the_class: return cls
        #  `empty` returns the class itself.

    def update(self, k, v):
        start = self.length
        #!+ grows_by_cat: self.keys, self.values = torch.cat([self.keys, k], 2), torch.cat([self.values, v], 2); self.length = self.keys.shape[2]; return self.keys, self.values
        #! cat_in_update: self.keys, self.values = torch.cat([self.keys, k], 2), torch.cat([self.values, v], 2); self.length = self.keys.shape[2]; return self.keys, self.values
        #: Keep the number in `self.length`.
        #! length_from_slots: start = int((self.keys != 0).any(-1).any(0).any(0).sum())
        #! length_from_slots: self.length = start = int((self.keys != 0).any(-1).any(0).any(0).sum())
        #  The length is found by looking for slots that are not zero. What is in them is no evidence: memory need not be zero, and a key may be.
        #: `self.keys[:, :, self.length : end] = k`, where end is length + T.
        #! one_slot_late: start = self.length + 1
        #! overwrites_the_start: start = 0
        #  Every update is written to the first slots, over what stood there.
        #: Writing into a slice converts by itself: `self.keys[:, :, a:b] = k`.
        #! follows_input_dtype: …; self.keys, self.values = self.keys.to(k.dtype), self.values.to(v.dtype)
        #  The buffers change their dtype to that of k. The dtype given to `empty` decides how much memory the cache takes.
        #: Write the new slots and touch no others.
        #! clears_first: …; _ = self.keys.zero_(), self.values.zero_()
        #  Everything is cleared before the new positions are written.
        end = start + k.shape[2]
        #: Positions are dimension 2 of (B, K, T, d): T is `k.shape[2]`.
        #! length_plus_one: end = start + 1
        #  `length` grows by 1 for each update. A prompt brings many positions at once.
        #! length_plus_heads: end = start + k.shape[1]
        #  `length` grows by the number of heads.
        #! length_plus_batch: end = start + k.shape[0]
        #  `length` grows by the batch size.
        #! length_plus_head_dim: end = start + k.shape[-1]
        #  `length` grows by the head size, the last dimension of k.
        #! length_of_the_last_update: end = k.shape[2]
        #! slots_cut_short: end = start + k.shape[2] - 1
        #  The last of the new positions has no slot: `end` is length + T, and a slice ends before it.
        #! length_subtracted: end = start - k.shape[2]
        #  T is subtracted from `length`. The new positions come behind it.
        #: Look first whether `self.length + k.shape[2] > self.keys.shape[2]`, and raise then.
        #! overflow_moves_length: …; self.length = end
        #  `length` has moved when the error is raised. Afterwards the cache is unusable.
        room = self.keys.shape[2]
        #: max_len is `self.keys.shape[2]`.
        #! compares_with_heads: room = self.keys.shape[1]
        #  It compares with the number of heads, `keys.shape[1]`.
        #! compares_with_head_dim: room = self.keys.shape[-1]
        #  It compares with the head size, `keys.shape[-1]`.
        #! compares_with_batch: room = len(self.keys)
        #  It compares with the batch size, `len(keys)`.
        #! compares_with_new: room = k.shape[2]
        #  It compares with k's own positions: an update is refused as soon as something is stored.
        if end > room:
            #: Look first whether `self.length + k.shape[2] > self.keys.shape[2]`, and raise then.
            #! torch_s_error: if False:
            #  What does not fit is left to torch, which stops with a RuntimeError about sizes.
            #! looks_at_length_only: if start >= room:
            #  It looks whether the cache is full already, not whether the T new positions fit.
            #! looks_for_one: if start + 1 > room or k.shape[2] > room:
            #! looks_for_one: if k.shape[2] > room:
            #  It looks whether one more position fits, or T alone. T come on top of `length`.
            #! full_prompt_refused: if end > room - (not start):
            #  A prompt that fills all the slots at once is refused, although there is room for it.
            #! check_upside_down: if end < room:
            #! check_upside_down: if end <= room:
            #  It refuses what fits and takes what does not: the comparison is upside down.
            #: length + T may equal max_len.
            #! full_one_too_early: if end >= room:
            #  The last slot is never used: `>=` where `>` is meant.
            #! full_one_too_late: if end > room + 1:
            #  It accepts one position more than there are slots.
            raise ValueError(f"{end} positions do not fit into {room}")
            #: `raise ValueError(…)` with a sentence.
            #! overflow_assertion: raise AssertionError("the cache is full")
            #  It raises an AssertionError. `assert` is for what cannot happen; a full cache can.
            #! overflow_index_error: raise IndexError("the cache is full")
            #  It raises an IndexError; a ValueError was promised.
            #! overflow_memory_error: raise MemoryError("the cache is full")
            #  It raises a MemoryError; a ValueError was promised.
            #! overflow_runtime_error: raise RuntimeError("the cache is full")
            #  It raises a RuntimeError; a ValueError was promised.
            #! overflow_exception: raise Exception("the cache is full")
            #  It raises a plain Exception; a ValueError was promised.
            #! overflow_overflow_error: raise OverflowError("the cache is full")
            #  It raises an OverflowError, which is about numbers; a ValueError was promised.
            #! error_in_the_message: raise ValueError("no room for position " + end)
            #  The message itself goes wrong: a string plus a number is a TypeError. An f-string takes both.
            #: `raise ValueError(…)`, not `return`, and not `print`.
            #! error_returned: return ValueError("the cache is full")
            #  It returns the ValueError. An error is raised.
            #! overflow_returns_none: return None
            #  What does not fit is left out and nothing is returned. Whoever stored it has to be told.
            #! overflow_returns_old: return self.keys[:, :, :start], self.values[:, :, :start]
            #  What does not fit is left out, and what was there is returned without a word.
            #: Look first whether `self.length + k.shape[2] > self.keys.shape[2]`, and raise then.
            #! overflow_writes: self.keys[:, :, start:], self.values[:, :, start:] = k[:, :, : room - start], v[:, :, : room - start]; …
            #  It writes what fits and raises the error afterwards.
            #! overflow_cut: k, v, end = k[:, :, : room - start], v[:, :, : room - start], room
            #  What does not fit is dropped without a word.
            #! overflow_starts_again: start, end = 0, k.shape[2]
            #! overflow_starts_again: k, v = k[:, :, -room:], v[:, :, -room:]; start, end = 0, k.shape[2]
            #  When it is full it begins again at slot 0 and forgets the rest.
            #! overflow_drops_oldest:
            #| k, v = k[:, :, -room:], v[:, :, -room:]
            #| start, end = room - k.shape[2], room
            #| drop = self.length - start
            #| self.keys, self.values = self.keys.roll(-drop, 2), self.values.roll(-drop, 2)
            #! overflow_drops_oldest:
            #| self.keys, self.values = self.keys.roll(room - end, 2), self.values.roll(room - end, 2)
            #| start, end = start + room - end, room
            #! overflow_drops_oldest: self.keys = torch.cat([self.keys, k], 2)[:, :, -room:]; self.values = torch.cat([self.values, v], 2)[:, :, -room:]; self.length = room; return self.keys, self.values
            #! overflow_drops_oldest:
            #| slots, self.length = torch.arange(start, end) % room, end
            #| self.keys[:, :, slots], self.values[:, :, slots] = k, v
            #| return self.keys, self.values
            #  When it is full it drops the oldest positions. That is a rolling cache, of lab 13; here it must say that there is no room.
            #! overflow_grows: self.keys, self.values = torch.cat([self.keys, torch.zeros_like(k)], 2), torch.cat([self.values, torch.zeros_like(v)], 2)
            #! overflow_grows: self.keys, self.values = (torch.cat([old, torch.zeros_like(old)], 2) for old in (self.keys, self.values))
            #  When it is full it makes the buffers larger. max_len is a promise about memory.
        self.keys[:, :, start:end] = k
        self.values[:, :, start:end] = v
        #: `self.keys[:, :, self.length : end] = k`, where end is length + T.
        #! stored_swapped: self.keys[:, :, start:end], self.values[:, :, start:end] = v, k
        #  The keys are written into the values' buffer and the other way round.
        #! keys_in_both: self.values[:, :, start:end] = k
        #  k is written into both buffers. The values' buffer gets v.
        #! values_not_written: pass
        #  The values are never written.
        #! values_over_keys: self.keys[:, :, start:end] = v
        #  v is written into the keys' buffer, over the keys.
        #: Writing into a slice converts by itself: `self.keys[:, :, a:b] = k`.
        #! index_put_dtype:
        #| slots = torch.arange(start, end, device=k.device)
        #| self.keys[:, :, slots] = k
        #| self.values[:, :, slots] = v
        #  It writes by an index tensor, and that does not convert: k must have the cache's dtype. `k.to(self.keys.dtype)`, or a slice.
        #  [meta-pytorch/torchtune#1349]
        self.length = end
        #: After writing: `self.length = end`.
        #! length_not_moved: pass
        #  `length` does not move, so the next update overwrites this one: a cache that forgets.
        #! length_of_the_last_update: self.length = k.shape[2]
        #  `length` is set to T, the positions of this update. It counts all so far.
        #: Positions are dimension 2 of (B, K, T, d): T is `k.shape[2]`.
        #! length_plus_one: self.length = start + 1
        #! length_plus_batch: self.length += k.shape[0]
        #! length_plus_heads: self.length += k.shape[1]
        #! length_plus_head_dim: self.length += k.shape[3]
        #: Move `length` once, after both are written.
        #! length_counted_twice: self.length = end + k.shape[2]
        #  `length` grows by 2 · T: once for the keys and once for the values, it seems. Both stand in the same slots.
        #! length_one_too_far: self.length = end + 1
        #  `length` is one too far: a slot stays empty after every update.
        #! length_one_short: self.length = end - 1
        #  `length` is one short: the next update overwrites the last position.
        #! length_to_the_end: self.length = room
        #  `length` is set to max_len. It counts what is written.
        return self.keys[:, :, :end], self.values[:, :, :end]
        #: Return `self.keys[:, :, :end], self.values[:, :, :end]`.
        #! returns_new_only: return k.to(self.keys.dtype), v.to(self.values.dtype)
        #! returns_new_only: return k, v
        #  It returns the new positions only. The layer needs all of them, the old ones too. [Lightning-AI/litgpt#701]
        #! first_returned_as_it_came: return (self.keys[:, :, :end], self.values[:, :, :end]) if start else (k, v)
        #  The first update returns k and v as they came, in their own dtype. What is stored may have another.
        #! new_positions_as_they_came: return torch.cat([self.keys[:, :, :start], k], 2), torch.cat([self.values[:, :, :start], v], 2)
        #  What it returns is old slots and the new k put together, in the wider dtype of the two. What is stored may have another.
        #! returns_whole_buffer: return self.keys, self.values
        #  It returns all max_len slots, those not written yet included. Their scores would count. [huggingface/transformers#45940]
        #! returns_old_only: return self.keys[:, :, :start], self.values[:, :, :start]
        #  It returns what was there before, without the new positions.
        #! returns_swapped: return self.values[:, :, :end], self.keys[:, :, :end]
        #  It returns (values, keys). The order is (keys, values).
        #! returns_keys_twice: return self.keys[:, :, :end], self.keys[:, :, :end]
        #  It returns the keys twice. What is stored is right; the second is to be `self.values[:, :, :end]`.
        #! returns_values_twice: return self.values[:, :, :end], self.values[:, :, :end]
        #  It returns the values twice. The first is to be `self.keys[:, :, :end]`.
        #! values_of_this_update: return self.keys[:, :, :end], v
        #  It returns all the keys, but only the new values.
        #! values_whole_buffer: return self.keys[:, :, :end], self.values
        #  The values are returned with all their slots, those not written yet included.
        #! returns_one_less: return self.keys[:, :, : end - 1], self.values[:, :, : end - 1]
        #  The newest position is missing from what it returns: a slice ends before its second number.
        #! returns_one_more: return self.keys[:, :, : end + 1], self.values[:, :, : end + 1]
        #  It returns one slot too many, which is not written yet.
        #! returns_first_missing: return self.keys[:, :, 1:end], self.values[:, :, 1:end]
        #  The first position is missing from what it returns: slots are counted from 0.
        #! returns_unwritten: return self.keys[:, :, end:], self.values[:, :, end:]
        #  It returns the slots that are not written. `[:, :, :end]` are those that are.
        #! returns_along_heads: return self.keys[:, :end], self.values[:, :end]
        #  What it returns is cut along dimension 1, the heads. Positions are dimension 2.
        #! returns_along_batch: return self.keys[:end], self.values[:end]
        #  What it returns is cut along dimension 0, the batch. Positions are dimension 2.
        #! returns_along_features: return self.keys[..., :end], self.values[..., :end]
        #  What it returns is cut along the last dimension. Positions are dimension 2.
        #! returns_none: pass
        #  update returns nothing.
        #! returns_cache: return self
        #  update returns the cache itself, not the keys and the values.
        #! returns_keys_only: return self.keys[:, :, :end]
        #  update returns the keys only. The layer needs the values as well.
        #! returns_length_too: return self.keys[:, :, :end], self.values[:, :, :end], end
        #  update returns three things. Keys and values are wanted; `length` stands in the cache.
        #! returns_one_tensor: return torch.stack([self.keys[:, :, :end], self.values[:, :, :end]])
        #  update returns one tensor with keys and values in it. Two are wanted.
        #! returns_positions_first: return self.keys[:, :, :end].transpose(1, 2), self.values[:, :, :end].transpose(1, 2)
        #  It returns (B, length, K, d). Heads come before positions in this course.
        #: Return the slices as they are stored.
        #! returns_input_dtype: return self.keys[:, :, :end].to(k.dtype), self.values[:, :, :end].to(v.dtype)
        #  It converts the stored keys back to the dtype of k: a copy of the whole cache each time.


@dataclass
class InOneLine:
    """The same, with both buffers written in one line: what is wrong with both stands there once."""

    keys: Tensor
    values: Tensor
    length: int

    @classmethod
    def empty(cls, batch, n_kv_heads, max_len, head_dim, dtype=torch.float32, device=None):
        shape = (batch, n_kv_heads, max_len, head_dim)
        keys = torch.zeros(shape, dtype=dtype, device=device)
        return cls(keys, torch.zeros(shape, dtype=dtype, device=device), 0)

    def update(self, k, v):
        start, end, room = self.length, self.length + k.shape[2], self.keys.shape[2]
        if end > room:
            raise ValueError(f"{end} positions do not fit into {room}")
        self.keys[:, :, start:end], self.values[:, :, start:end] = k, v
        #: `self.keys[:, :, self.length : end] = k`, where end is length + T.
        #! overwrites_the_start: self.keys[:, :, : k.shape[2]], self.values[:, :, : k.shape[2]] = k, v
        #! writes_nothing: pass
        #  Nothing is written into the buffers.
        #! first_sequence_for_all: self.keys[:, :, start:end], self.values[:, :, start:end] = k[0], v[0]
        #  The first sequence of the batch is written for all of them (`k[0]`).
        #! first_sequence_only: self.keys[0, :, start:end], self.values[0, :, start:end] = k[0], v[0]
        #  Only the first sequence of the batch is written.
        #! first_head_for_all: self.keys[:, :, start:end], self.values[:, :, start:end] = k[:, :1], v[:, :1]
        #  The first head is written for all of them.
        #! last_position_for_all: self.keys[:, :, start:end], self.values[:, :, start:end] = k[:, :, -1:], v[:, :, -1:]
        #  All T slots get the last of the new positions.
        #! first_position_for_all: self.keys[:, :, start:end], self.values[:, :, start:end] = k[:, :, :1], v[:, :, :1]
        #  All T slots get the first of the new positions.
        #! one_slot_only: self.keys[:, :, start], self.values[:, :, start] = k[:, :, -1], v[:, :, -1]
        #! one_slot_only: self.keys[:, :, start], self.values[:, :, start] = k[:, :, 0], v[:, :, 0]
        #! one_slot_only: self.keys[:, :, start], self.values[:, :, start] = k, v
        #! one_slot_only: self.keys[:, :, start : start + 1], self.values[:, :, start : start + 1] = k, v
        #  Only one slot is written, however many positions come.
        #! one_slot_late: n = min(room, end + 1) - start - 1; self.keys[:, :, start + 1 : end + 1], self.values[:, :, start + 1 : end + 1] = k[:, :, :n], v[:, :, :n]
        #! one_slot_late: self.keys[:, :, start + 1 : end + 1], self.values[:, :, start + 1 : end + 1] = k, v
        #  It writes one slot too far: slot `length` is the first free one, counted from 0.
        #! slots_cut_short: self.keys[:, :, start : end - 1], self.values[:, :, start : end - 1] = k[:, :, :-1], v[:, :, :-1]
        #! slots_cut_short: self.keys[:, :, start : end - 1], self.values[:, :, start : end - 1] = k, v
        #: Write the new slots and touch no others.
        #! fills_the_rest: self.keys[:, :, start:], self.values[:, :, start:] = k, v
        #  It writes to all slots from `length` on, not to T of them.
        #: `self.keys[:, :, self.length : end] = k`, where end is length + T.
        #! adds_instead: self.keys[:, :, start:end] += k; self.values[:, :, start:end] += v
        #  It adds the new keys to what is in the slots (`+=`). That is right only while they are 0.
        #! along_heads: self.keys[:, start:end], self.values[:, start:end] = k, v
        #  It writes along dimension 1, the heads.
        #! along_batch: self.keys[start:end], self.values[start:end] = k, v
        #  It writes along dimension 0, the batch.
        #! along_features: self.keys[..., start:end], self.values[..., start:end] = k, v
        #  It writes along the last dimension. Positions are dimension 2 of (B, K, T, d).
        #! replaces_the_buffers: self.keys, self.values = k, v
        #  `self.keys = k` gives the name to another tensor. Into the slots goes `self.keys[:, :, a:b] = k`.
        #! cat_in_update: self.keys, self.values = torch.cat([self.keys, k], 2), torch.cat([self.values, v], 2)
        #  It appends to a buffer that already has its max_len slots.
        #! right_aligned: self.keys, self.values = (torch.cat([old, x.to(old.dtype)], 2)[:, :, -room:] for old, x in ((self.keys, k), (self.values, v)))
        #  New positions stand at the end of the buffer and push the older ones forward. Position i belongs in slot i.
        #! moved_in_place: _ = [old.copy_(torch.cat([old[:, :, k.shape[2] :], x], 2)) for old, x in ((self.keys, k), (self.values, v))]
        #  Each update moves the older positions in the same memory: what was returned before changes, and all of it is copied.
        #! newest_first: self.keys[:, :, :end], self.values[:, :, :end] = torch.cat([k.to(self.keys.dtype), self.keys[:, :, :start]], 2), torch.cat([v.to(self.keys.dtype), self.values[:, :, :start]], 2)
        #  New positions are put before the old ones.
        #: `self.keys[:, :, self.length : end] = k`, where end is length + T.
        #! moved_before_writing: self.keys[:, :, end : end + k.shape[2]], self.values[:, :, end : end + k.shape[2]] = k, v
        #  `length` moves before the positions are written: they land T slots too far.
        self.length = end
        return self.keys[:, :, :end], self.values[:, :, :end]
        #!+ right_aligned: return self.keys[:, :, -end:], self.values[:, :, -end:]
        #!+ moved_in_place: return self.keys[:, :, -end:], self.values[:, :, -end:]


MISTAKES: list[Mistake] = mistakes_of(KVCache, InOneLine)
