"""Lab 13, 13.5: RollingKVCache, and what people write in place of its lines.

Sources are the public issues in which somebody really made the mistake.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from checks.engine import Mistake, mistakes_of
from checks.long_context.turning import turned


@dataclass
class RollingKVCache:
    keys: Tensor
    values: Tensor
    length: int
    n_sinks: int = 0
    frequencies: Tensor | None = None

    @classmethod
    #: Put `@classmethod` above it (or `@staticmethod`).
    #! empty_needs_an_instance: pass
    #  `empty` is an ordinary method: it needs a cache to make a cache.
    def empty(
        cls,
        batch,
        n_kv_heads,
        window,
        head_dim,
        n_sinks=0,
        frequencies=None,
        dtype=torch.float32,
        device=None,
    ):
        shape = (batch, n_kv_heads, n_sinks + window, head_dim)
        #: `(batch, n_kv_heads, n_sinks + window, head_dim)`
        #! sinks_have_no_slots: shape = (batch, n_kv_heads, window, head_dim)
        #  The buffers have room for the window only. The sinks come on top of it.
        #! one_slot_more: shape = (batch, n_kv_heads, n_sinks + window + 1, head_dim)
        #  There is a slot too many: the window counts the newest position.
        #! positions_first: shape = (batch, n_sinks + window, n_kv_heads, head_dim)
        #  The buffers are (B, slots, K, d). Here heads come before positions.
        #! batch_of_one: shape = (1, n_kv_heads, n_sinks + window, head_dim)
        #  The batch size is ignored: there is room for one sequence.
        #! one_head_only: shape = (batch, 1, n_sinks + window, head_dim)
        #  n_kv_heads is ignored: there is room for one head.
        keys = torch.zeros(shape, dtype=dtype, device=device)
        #: `torch.zeros(shape, dtype=dtype, device=device)`, for both.
        #! ignores_dtype: keys = torch.zeros(shape, device=device); dtype = None
        #  The buffers ignore the dtype that was asked for.
        #! ignores_device: keys = torch.zeros(shape, dtype=dtype); device = None
        #  The buffers ignore the device that was asked for.
        values = torch.zeros(shape, dtype=dtype, device=device)
        #: Two buffers: `keys` and `values` are filled with different numbers.
        #! one_buffer_for_both: values = keys
        #  keys and values are one buffer under two names.
        return cls(keys, values, 0, n_sinks, frequencies)
        #: `cls(keys, values, 0, n_sinks, frequencies)`
        #! sinks_not_kept: return cls(keys, values, 0)
        #  n_sinks and frequencies are not handed on to the cache.
        #! starts_at_one: return cls(keys, values, 1, n_sinks, frequencies)
        #  A new cache says that it holds a position. Its length is 0.
        #! starts_full: return cls(keys, values, n_sinks + window, n_sinks, frequencies)
        #  A new cache says that it is full. Its length is 0.

    def update(self, k, v):
        room, T = self.keys.shape[2], k.shape[2]
        window, end = room - self.n_sinks, self.length + T
        #: T is `k.shape[2]`, and the window `self.keys.shape[2] - self.n_sinks`.
        #! counts_the_head_size: window, end = room - self.n_sinks, self.length + k.shape[3]
        #  `length` grows by the head size. Positions are dimension 2.
        #! counts_the_heads: window, end = room - self.n_sinks, self.length + k.shape[1]
        #  `length` grows by the number of heads. Positions are dimension 2.
        #! counts_the_batch: window, end = room - self.n_sinks, self.length + k.shape[0]
        #  `length` grows by the batch size. Positions are dimension 2.
        #! window_plus_sinks: window, end = room + self.n_sinks, self.length + T
        #  The window is taken larger than all the slots: n_sinks is added. It belongs off.
        #: `length` counts on for ever. Llama takes the next position from it.
        #! length_is_rows_kept:
        #| …
        #| if end > room and T == 1:
        #|     s = self.n_sinks
        #|     self.keys = torch.cat([self.keys[:, :, :s], self.keys[:, :, s + 1 :], k.to(self.keys.dtype)], 2)
        #|     self.values = torch.cat([self.values[:, :, :s], self.values[:, :, s + 1 :], v.to(self.values.dtype)], 2)
        #|     return self.keys, self.values
        if T > 1 and end > room:
            #: `if T > 1 and self.length + T > self.keys.shape[2]: raise ValueError(…)`, before anything is written.
            #! single_refused: if end > room:
            #  A full cache refuses single positions, too. They take the slot of the oldest one.
            #! full_one_too_early: if T > 1 and end >= room:
            #  Several that fill the cache exactly are refused. They fit.
            #! full_one_too_late: if T > 1 and end > room + 1:
            #  It takes one position more than there are slots.
            #! looks_at_window_only: if T > 1 and end > window:
            #  Several are refused as soon as they do not fit into the window. The sinks have slots as well.
            #! looks_at_t_only: if T > room:
            #  It looks whether T alone is too long. T come on top of `length`.
            #! nothing_is_refused:
            #| if T > 1 and end > room:
            #|     for t in range(T):
            #|         found = self.update(k[:, :, t : t + 1], v[:, :, t : t + 1])
            #|     return found
            #| if False:
            #! nothing_is_refused:
            #| if T > 1 and end > room:
            #|     keys = torch.cat([self.keys[:, :, : min(self.length, room)], k], 2)[:, :, -room:]
            #|     values = torch.cat([self.values[:, :, : min(self.length, room)], v], 2)[:, :, -room:]
            #|     self.keys[:, :, : keys.shape[2]], self.values[:, :, : keys.shape[2]] = keys, values
            #|     self.length = end
            #|     return keys, values
            #| if False:
            #  Several that do not fit are taken, and the oldest are dropped before the first of the new ones has looked at them.
            #  [Lightning-AI/litgpt#2182]
            #! torch_s_error: if False:
            #  What does not fit is left to torch, which stops with an error of its own about sizes.
            #! counted_before_refused: self.length = end if T > 1 and end > room else self.length; …
            #  `length` has moved when the error is raised. Look first.
            #! written_before_refused: self.keys[:, :, :1] = k[:, :, :1] if T > 1 and end > room else self.keys[:, :, :1]; …
            #  Something is written before the error is raised. Look first.
            raise ValueError("they do not fit")
            #: `raise ValueError(…)`
            #! assertion: raise AssertionError("they do not fit")
            #  It uses `assert` where the docstring promises a ValueError.
            #! other_error: raise RuntimeError("they do not fit")
            #! other_error: raise IndexError("they do not fit")
            #  Another error is raised than the ValueError that was promised.
            #! error_returned: return None
            #! error_returned: return ValueError("they do not fit")
            #  The error is returned, or nothing is. An error is raised.
        at = self.length if end <= room else self.n_sinks + (self.length - self.n_sinks) % window
        #: While there is room slot `length`; then `n_sinks + (length - n_sinks) % window`.
        #! sinks_not_skipped: at = self.length if end <= room else self.length % window
        #  The index of the ring forgets the sinks: it is (length - n_sinks) % window, behind the sinks.
        #! sinks_not_subtracted: at = self.length if end <= room else self.n_sinks + self.length % window
        #  The ring begins at the wrong slot: n_sinks belongs off `length` before `% window`. At the first wrap it is not the oldest that goes. [huggingface/transformers#47708]
        #! sinks_not_subtracted: at = self.length if end <= room else self.n_sinks + (self.length + self.n_sinks) % window
        #! floor_for_remainder: at = self.length if end <= room else self.n_sinks + min((self.length - self.n_sinks) // window, window - 1)
        #  `//` counts how often the ring has gone round. `%` is where it stands.
        #! ring_over_everything: at = self.length % room
        #  The ring goes over all slots, so the sinks are overwritten when it wraps.
        #! last_slot_always: at = min(self.length, room - 1)
        #  A full cache writes into its last slot always. The oldest position is to go, not the newest.
        #! first_slot_always: at = self.length if end <= room else self.n_sinks
        #  A full cache writes into the same slot always: that of the oldest only once.
        #! one_slot_late: at = self.length if end <= room else self.n_sinks + (self.length - self.n_sinks + 1) % window
        #  The ring is one slot too far: not the oldest position goes, but the one after it.
        #! one_slot_early: at = self.length if end <= room else self.n_sinks + (self.length - self.n_sinks - 1) % window
        #  The ring is one slot behind: the newest position goes. [huggingface/transformers#47708]
        #! modulo_room: at = self.length if end <= room else self.n_sinks + (self.length - self.n_sinks) % room
        #  It counts modulo all the slots. The ring has `window` of them.
        #! backwards: at = self.length if end <= room else self.n_sinks + (-1 - (self.length - room)) % window
        #  The ring runs backwards: the newest of the window goes first.
        #! newest_dropped: at = self.length if end <= room else room
        #  What comes when it is full is not stored at all.
        #! oldest_shifted_out:
        #| if end > room:
        #|     self.keys = torch.cat([self.keys[:, :, 1:], self.keys[:, :, :1]], 2)
        #|     self.values = torch.cat([self.values[:, :, 1:], self.values[:, :, :1]], 2)
        #| at = self.length if end <= room else room - 1
        #  It moves all the slots forward, the sinks with them: position 0 goes first.
        self.keys[:, :, at : at + T] = k
        self.values[:, :, at : at + T] = v
        #: `self.keys[:, :, at : at + T] = k`, and the same for the values.
        #! keys_in_both: self.values[:, :, at : at + T] = k
        #  k is written into both buffers. The values' buffer gets v.
        #! values_not_written: pass
        #  The values are never written.
        #! one_slot_only: self.keys[:, :, at + 1 : at + T] = 0; self.values[:, :, at] = v[:, :, 0]
        #  Only one slot is written, however many positions come.
        self.length = end
        #: `length` counts on for ever: `self.length = end`. Llama takes the next position from it.
        #! length_is_rows_kept: self.length = min(end, room)
        #! length_is_rows_kept: self.length = end = min(end, room)
        #  `length` stops at the number of slots. It counts all positions that ever came in: the next one's position is taken from it. [rajveer43/VeloxQuant-MLX#389]
        #! length_plus_one: self.length = self.length + 1
        #  `length` grows by 1 for each update. A prompt brings several positions.
        #! length_not_moved: pass
        #  `length` does not move.
        #! length_wraps: self.length = end if end <= room else self.n_sinks + (end - self.n_sinks) % window
        #  `length` wraps with the ring. It counts all positions that ever came in.
        kept = min(end, room)
        #: `min(self.length, self.keys.shape[2])` positions are kept.
        #! whole_buffers: kept = room
        #  All slots are returned, those not written yet included.
        #! window_only: kept = min(end, window)
        #  As many as the window has are returned. The sinks come on top.
        keys, values = self.keys[:, :, :kept], self.values[:, :, :kept]
        #: Return what is kept: sinks and window, keys and values.
        #! new_only: keys, values = k, v
        #  It returns the new positions only.
        #! sinks_not_returned: keys, values = self.keys[:, :, self.n_sinks : kept], self.values[:, :, self.n_sinks : kept]
        #  The sinks are stored and not returned.
        #! grows:
        #| self.all = [torch.cat([old, x], 2) for old, x in zip(getattr(self, "all", (k[:, :, :0], v[:, :, :0])), (k, v))]
        #| keys, values = self.all
        #| kept = end
        #  Nothing is ever dropped: the cache grows with the text. [rajveer43/VeloxQuant-MLX#274]
        dropped = end - kept
        #: Dropped is what came in less what is kept: `self.length - kept`.
        #! turned_by_length: dropped = end if end > room else 0
        #  The sinks are turned by the whole length. They follow by as many positions as were dropped.
        #! dropped_added: dropped = end + kept if end > room else 0
        #  What came in and what is kept are added. Dropped is their difference.
        #! turned_one_too_far: dropped = end - kept + 1 if end > room else 0
        #  The sinks are turned one position too far.
        #! turned_one_too_little: dropped = max(end - kept - 1, 0)
        #  The sinks are turned one position too little: was the number taken before the new one counted?
        #! turned_by_the_sinks_too: dropped = max(end - window, 0) if end > room else 0
        #  The sinks are turned n_sinks positions too far: what is kept is n_sinks + window.
        #! turned_by_one: dropped = min(end - kept, 1)
        #  The sinks are turned by one position only, however many were dropped. The stored keys are turned anew each time.
        if self.frequencies is not None and self.n_sinks and dropped:
            #: With `frequencies`, as soon as something was dropped; without, never.
            #! never_turned: if False:
            #  The sinks are never turned: they stay where they were, farther and farther away. [2309.17453]
            sinks = turned(keys[:, :, : self.n_sinks], dropped, self.frequencies)
            #: `apply_rope(keys[:, :, : self.n_sinks], rope_angles(torch.tensor([dropped]), self.frequencies))`
            #! turned_back: sinks = turned(keys[:, :, : self.n_sinks], -dropped, self.frequencies)
            #  The sinks are turned back, away from the window. They follow it: by + dropped.
            #! one_sink_turned: sinks = torch.cat([turned(keys[:, :, :1], dropped, self.frequencies), keys[:, :, 1 : self.n_sinks]], 2)
            #  Only the first sink is turned.
            #! turned_on_the_cpu: sinks = turned(keys[:, :, : self.n_sinks], torch.tensor([float(dropped)]), self.frequencies)
            #  The number of dropped positions is made on the CPU. `device=keys.device`.
            #! turned_in_place: self.keys[:, :, : self.n_sinks] = sinks = turned(keys[:, :, : self.n_sinks], dropped, self.frequencies)
            #  The turned keys are stored: in the next step they are turned once more.
            #! turned_in_place_by_one: self.keys[:, :, : self.n_sinks] = sinks = turned(keys[:, :, : self.n_sinks], 1, self.frequencies)
            #  The stored keys of the sinks are turned on, step by step. What comes back is right, but the stored keys are to stay as they are: roundings add up.
            #! turned_together: sinks = turned(keys[:, :, : self.n_sinks], 1.0, dropped * self.frequencies.flip(0))
            #  The frequencies are in the wrong order.
            keys = torch.cat([sinks, keys[:, :, self.n_sinks :]], 2)
            #: Only the keys of the sinks are turned.
            #! all_keys_turned: keys = turned(keys, dropped, self.frequencies)
            #  All keys are turned on. The window's keys stand where they belong; only the sinks follow.
            #! order_of_the_keys_only: keys = torch.cat([keys[:, :, self.n_sinks :], sinks], 2)
            #  The keys of the sinks come behind the window, and their values before it. Any order is right, if it is the same for both.
            #! window_turned: keys = torch.cat([keys[:, :, : self.n_sinks], turned(keys[:, :, self.n_sinks :], dropped, self.frequencies)], 2)
            #  The window's keys are turned, and not the sinks'.
            #! values_turned_too: …; values = torch.cat([turned(values[:, :, : self.n_sinks], dropped, self.frequencies), values[:, :, self.n_sinks :]], 2)
            #  The values are turned as well. RoPE turns queries and keys only.
            #! sinks_lost: keys = keys[:, :, self.n_sinks :]; values = values[:, :, self.n_sinks :]
            #  The sinks are lost when they are turned.
        return keys, values
        #: Return `keys, values`.
        #! returns_swapped: return values, keys
        #  It returns (values, keys). The order is (keys, values).
        #! returns_keys_twice: return keys, keys
        #  It returns the keys twice.
        #! returns_none: pass
        #  update returns nothing.
        #! returns_cache: return self
        #  update returns the cache itself, not the keys and the values.
        #! returns_input_dtype: return keys.to(k.dtype), values.to(v.dtype)
        #  It returns the dtype of k. What is stored, and returned, has the cache's own.


MISTAKES: list[Mistake] = mistakes_of(RollingKVCache)
