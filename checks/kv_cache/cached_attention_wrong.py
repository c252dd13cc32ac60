"""Lab 05, 5.2: CachedAttention, and what people write in place of its lines.

Sources are the public issues in which somebody really made the mistake.
"""

import math
from typing import Any

import torch
from torch import Tensor, nn

from checks.engine import Mistake, mistakes_of

INF = torch.inf


def split_heads(x: Tensor, n_heads: int) -> Tensor:
    """(B, T, H·d) → (B, H, T, d), as in lab 04."""
    return x.reshape(*x.shape[:2], n_heads, x.shape[2] // n_heads).transpose(1, 2)


def merge_heads(x: Tensor) -> Tensor:
    """(B, H, T, d) → (B, T, H·d), as in lab 04."""
    return x.transpose(1, 2).reshape(x.shape[0], x.shape[2], -1)


def cut(x: Tensor, n_heads: int) -> Tensor:
    """To (B, H, T, d) without a transpose: positions and heads are mixed."""
    return x.reshape(x.shape[0], n_heads, x.shape[1], -1)


def interleaved(x: Tensor, n_heads: int) -> Tensor:
    """To (B, H, T, d), but head h has the features h, h + H, …"""
    return x.unflatten(-1, (-1, n_heads)).permute(0, 3, 1, 2)


def rope(x: Tensor, angles: Tensor) -> Tensor:
    """Rotate the pairs (2i, 2i + 1), as in lab 03."""
    cos, sin, a, b = angles.cos(), angles.sin(), x.float()[..., 0::2], x.float()[..., 1::2]
    return torch.stack((a * cos - b * sin, a * sin + b * cos), dim=-1).flatten(-2).to(x.dtype)


def half_split(x: Tensor, angles: Tensor) -> Tensor:
    """Rotate the pairs (i, i + d/2), as Hugging Face lays them out."""
    cos, sin, (a, b) = angles.cos(), angles.sin(), x.float().chunk(2, -1)
    return torch.cat([a * cos - b * sin, a * sin + b * cos], -1).to(x.dtype)


def own_angles(start: int, length: int, d: int) -> Tensor:
    """The angles of Llama's formula for some positions."""
    places = torch.arange(start, start + length)
    return torch.outer(places, 10_000.0 ** -(torch.arange(0, d, 2) / d))


def causal_mask(n_queries: int, n_keys: int) -> Tensor:
    """The queries are the last T of the S positions, as in lab 04."""
    if n_queries > n_keys:
        raise ValueError(f"{n_queries} queries, but only {n_keys} positions: some see nothing")
    return torch.ones(n_queries, n_keys, dtype=torch.bool).tril(n_keys - n_queries)


def band(n_queries: int, n_keys: int, size: int) -> Tensor:
    """Causal, and at most `size` positions back."""
    seen = causal_mask(n_queries, n_keys)
    return seen & ~torch.ones_like(seen).tril(n_keys - n_queries - size)


def unbroken(q: Tensor, k: Tensor, mask: Tensor) -> Tensor:
    """Scores in float32, masked."""
    scores = q.float() @ k.float().mT / math.sqrt(q.shape[-1])
    return scores.masked_fill(~mask, -INF)


class CachedAttention(nn.Module):
    past: Any = None  # a place to remember, for the mistakes that do

    def __init__(self, dim, n_heads):
        super().__init__()
        #: `super().__init__()` is the first line.
        #! no_super_init: pass
        #  `super().__init__()` is missing: nn.Module cannot take the maps before it.
        self.n_heads = n_heads
        #: `split_heads(x, n_heads)` wants how many heads there are.
        #! heads_and_size_swapped: self.n_heads = dim // n_heads
        #  It cuts into dim // n_heads heads of the size n_heads. There are n_heads of them.
        self.wq = nn.Linear(dim, dim, bias=False)
        self.wk = nn.Linear(dim, dim, bias=False)
        #: Four maps, `nn.Linear(dim, dim, bias=False)` each.
        #! wk_is_wq: self.wk = self.wq
        #  wk and wq are one and the same map.
        self.wv = nn.Linear(dim, dim, bias=False)
        #: Four maps, `nn.Linear(dim, dim, bias=False)` each.
        #! wv_is_wk: self.wv = self.wk
        #  wv and wk are one and the same map.
        #! wv_is_wq: self.wv = self.wq
        #  wv and wq are one and the same map.
        #! one_map_for_all: self.wk = self.wv = self.wq
        #  wq, wk and wv are one and the same map.
        self.wo = nn.Linear(dim, dim, bias=False)
        #: `nn.Linear(dim, dim, bias=False)`
        #! with_bias: …; self.wo = nn.Linear(dim, dim)
        #  The linear maps have a bias. Llama's have none.
        #: They are wq, wk, wv, wo here, as in Meta's.
        #! other_names: …; self._modules = {f"{name[1]}_proj": map for name, map in self._modules.items()}
        #  The maps are called q_proj, k_proj, v_proj, o_proj, as in Hugging Face's code.
        #! names_in_words: …; self._modules = dict(zip(("query", "key", "value", "out"), self._modules.values()))
        #! names_in_words: …; self._modules = dict(zip(("query", "key", "value", "proj"), self._modules.values()))
        #! names_in_words: …; self._modules = dict(zip(("query", "key", "value", "output"), self._modules.values()))
        #! names_in_words: …; self._modules = {name.upper().title(): map for name, map in self._modules.items()}
        #! names_in_words: …; self._modules = {f"W_{name[1]}": map for name, map in self._modules.items()}
        #! names_in_words: …; self._modules = {f"w_{name[1]}": map for name, map in self._modules.items()}
        #  The maps have names of their own.
        #: `self.wo = nn.Linear(dim, dim, bias=False)`
        #! no_wo: pass
        #  There is no wo.
        #: Three maps: wq, wk, wv.
        #! fused_qkv: del self.wq, self.wk, self.wv; …; self.wqkv = nn.Linear(dim, 3 * dim, bias=False)
        #! fused_qkv: del self.wq, self.wk, self.wv; self.wqkv = nn.Linear(dim, 3 * dim, bias=False); …
        #! fused_qkv: del self.wq, self.wk, self.wv; self.qkv = nn.Linear(dim, 3 * dim, bias=False); …
        #! fused_qkv: del self.wq, self.wk, self.wv; self.c_attn = nn.Linear(dim, 3 * dim, bias=False); …
        #  One wide map makes queries, keys and values. It works, but the weights of lab 04 and of Llama do not fit.
        #: One map for all heads, split afterwards.
        #! maps_of_one_head: self.wq, self.wk, self.wv = (nn.Linear(dim, dim // n_heads, bias=False) for _ in "qkv"); …
        #  The maps make one head only: dim → dim // n_heads. They make all heads at once: dim → dim.
        #: nn.Linear does it by itself; leave it so.
        #! frozen: …; self.requires_grad_(False)
        #  The weights do not require a gradient: they would never learn.

    def forward(self, x, angles, cache=None):
        q = split_heads(self.wq(x), self.n_heads)  # (B, H, T, d)
        #: `self.wq(x)`
        #! same_map_for_q_and_k: q = split_heads(self.wk(x), self.n_heads)
        #  The queries are made by wk.
        #! queries_by_wv: q = split_heads(self.wv(x), self.n_heads)
        #  The queries are made by wv.
        #: Take it out of forward.
        #! no_gradient: torch.set_grad_enabled(False); …
        #  torch.no_grad() stands inside the layer. The one who generates switches gradients off, not the layer: it is trained too.
        #! input_detached: x = x.detach(); …
        #  x is cut off from the gradient: what stands before this layer never learns.
        k = split_heads(self.wk(x), self.n_heads)
        #: Queries by wq, keys by wk.
        #! q_and_k_swapped: q, k = split_heads(self.wk(x), self.n_heads), split_heads(self.wq(x), self.n_heads)
        #  wq and wk have changed places.
        #! keys_by_wq: k = split_heads(self.wq(x), self.n_heads)
        #  The keys are made by wq: they are the queries.
        #! keys_by_wv: k = split_heads(self.wv(x), self.n_heads)
        #  The keys are made by wv.
        v = split_heads(self.wv(x), self.n_heads)
        #: `self.wv(x)`
        #! values_by_wk: v = split_heads(self.wk(x), self.n_heads)
        #  The values are made by wk.
        #! values_by_wq: v = split_heads(self.wq(x), self.n_heads)
        #  The values are made by wq.
        #! values_are_x: v = split_heads(x, self.n_heads)
        #  The values are x itself; wv is not used.
        #: Keys by wk, values by wv.
        #! k_and_v_swapped: k, v = split_heads(self.wv(x), self.n_heads), split_heads(self.wk(x), self.n_heads)
        #  wk and wv have changed places.
        #: `split_heads` and `merge_heads` of lab 04.
        #! view_without_transpose: q, k, v = (cut(w(x), self.n_heads) for w in (self.wq, self.wk, self.wv))
        #  The heads are cut by a view to (B, H, T, d), which mixes positions and heads. [hyunwoongko/transformer#15]
        #! heads_interleaved: q, k, v = (interleaved(w(x), self.n_heads) for w in (self.wq, self.wk, self.wv))
        #  Head h takes every H-th feature. It has d neighbouring ones.
        #! heads_ignored: q, k, v, angles = self.wq(x)[:, None], self.wk(x)[:, None], self.wv(x)[:, None], angles.repeat(1, self.n_heads)
        #  n_heads is not used: there is one head over the whole width.
        #! heads_behind_positions: q, k, v = (w(x).unflatten(-1, (self.n_heads, -1)) for w in (self.wq, self.wk, self.wv))
        #  Heads stand behind positions, (B, T, H, d): the transpose is missing.
        #: Split first: each head has its own d/2 pairs.
        #! angles_across_heads: …; q, k = (split_heads(rope(w(x), angles.repeat(1, self.n_heads).flip(-1)), self.n_heads) for w in (self.wq, self.wk)); angles = 0 * angles
        #! angles_across_heads: …; q, k = (split_heads(rope(w(x), angles), self.n_heads) for w in (self.wq, self.wk)); angles = 0 * angles
        #  It rotates before the heads are split, so that the heads get other angles.
        #! rope_before_transpose: …; q, k = (rope(w(x).unflatten(-1, (self.n_heads, -1)), angles).transpose(1, 2) for w in (self.wq, self.wk)); angles = 0 * angles
        #  It rotates (B, T, H, d), where the heads stand in the place of the positions.
        #: `q, k = apply_rope(q, angles), apply_rope(k, angles)`, before the cache and never again.
        #! angles_cut: …; angles = angles[cache.length :] if cache is not None else angles
        #  The angles are cut by the cache's length. They are those of the tokens in x already.
        #! own_angles: …; angles = own_angles(0, x.shape[1], q.shape[-1]).to(x.device)
        #  It makes its own angles, from position 0 in every call. With a cache the tokens in x stand further on; the angles given are theirs.
        #  [RobertCsordas/moeut#6]
        #! own_angles_from_the_cache: …; angles = own_angles(cache.length if cache else 0, x.shape[1], q.shape[-1]).to(x.device)
        #  It makes its own angles out of the cache's length. Whoever calls has made them: `angles`.
        #! first_angle_for_all: …; angles = angles[:1]
        #  All tokens of a chunk are rotated by the first one's angle.
        #! last_angle_for_all: …; angles = angles[-1:]
        #  All tokens of a chunk are rotated by the last one's angle.
        #! angles_in_reverse: …; angles = angles.flip(0)
        #  The tokens of a chunk are rotated in reverse order: the first by the last one's angle.
        #! no_rotation: …; angles = 0 * angles
        #  The angles are not used: nothing is rotated.
        #! rotated_twice: …; angles = 2 * angles
        #  Queries and keys are rotated twice.
        #! rotated_backwards: …; angles = -angles
        #  Queries and keys are rotated clockwise: the sign of the angle is wrong.
        #: Keep nothing on `self` but the weights and n_heads. The cache comes with the call.
        #! first_cache_for_good: …; self.past = cache if cache and (self.past is None or len(self.past.keys) != len(k)) else self.past; cache = cache and self.past
        #  It keeps the first cache it was given and ignores later ones. [casper-hansen/AutoAWQ#178]
        #! last_cache_lingers: …; self.past = cache = cache or self.past
        #  After a call with a cache, a call without one still reads it. [Lightning-AI/litgpt#1596]
        q = rope(q, angles)
        #: `q, k = apply_rope(q, angles), apply_rope(k, angles)`, before the cache and never again.
        #! queries_not_rotated: pass
        #  The queries are not rotated, only the keys.
        #! queries_rotated_twice: q = rope(rope(q, angles), angles)
        #  The queries are rotated twice.
        k = rope(k, angles)
        #: `q, k = apply_rope(q, angles), apply_rope(k, angles)`, before the cache and never again.
        #! unrotated_keys_cached: pass
        #  The keys are not rotated, only the queries.
        #! keys_rotated_twice: k = rope(rope(k, angles), angles)
        #  The keys are rotated twice before they are stored.
        #! values_rotated: …; v = rope(v, angles)
        #  The values are rotated too. RoPE is for queries and keys only.
        #! values_rotated_for_keys: v = rope(v, angles)
        #  Queries and values are rotated, the keys are not. RoPE is for queries and keys.
        #! keys_from_queries: k = rope(q, angles)
        #  The keys are made of q, not of k: q is rotated twice and k is not used.
        #! half_split_pairs: q, k = (half_split(y, angles) for y in (rope(q, -angles), k))
        #  It rotates the pairs (i, i + d/2). Here neighbours are pairs: (2i, 2i + 1). Use your apply_rope, not apply_rope_half.
        #  [jzhang38/TinyLlama#24]
        #: Detach nothing; `torch.no_grad()` belongs around the generation.
        #! keys_detached: k, v = rope(k, angles).detach(), v.detach()
        #  Keys and values are detached also where there is no cache, so wk and wv do not learn.
        #: Keep nothing on `self` but the weights and n_heads. The cache comes with the call.
        #! keeps_state: …; k, v = (k, v) if cache or self.past is None or len(self.past[0]) != len(k) else (torch.cat([self.past[0], k], 2), torch.cat([self.past[1], v], 2)); self.past = self.past if cache else (k, v)
        #  Called without a cache, it remembers the last call. [Lightning-AI/litgpt#1596]
        #! last_cache_lingers: …; k, v = (k, v) if cache or self.past is None or len(self.past.keys) != len(k) else (torch.cat([self.past.keys[:, :, : self.past.length], k], 2), torch.cat([self.past.values[:, :, : self.past.length], v], 2)); self.past = cache or self.past
        if cache is not None:
            #: `k, v = cache.update(k, v)`: what comes back are all keys and values so far.
            #! cache_ignored: if False:
            #  The cache is not used at all.
            #! never_stored: if cache is not None and cache.length:
            #! prompt_not_stored: if cache is not None and x.shape[1] == 1:
            #  Several tokens at once are not stored, only single ones are: the prompt is forgotten.
            #! single_token_not_stored: if cache is not None and x.shape[1] > 1:
            #  Single tokens are not stored, only the prompt is.
            #! question_upside_down: if cache is None:
            #  It asks for the cache where there is none, and leaves it alone where there is one.
            #! always_a_cache: if True:
            #  It uses the cache without looking whether there is one.
            k, v = cache.update(k, v)  # (B, H, S, d)
            #: `k, v = cache.update(k, v)`: what comes back are all keys and values so far.
            #! forgets: cache.update(k, v)
            #  It stores keys and values and then attends to the new ones only: a cache that is never read. [Lightning-AI/litgpt#701]
            #! never_stored: n = cache.length; k, v = torch.cat([cache.keys[:, :, :n], k], 2), torch.cat([cache.values[:, :, :n], v], 2)
            #  It reads the cache but never stores anything in it.
            #! chunk_starts_again: cache.length = 0 if k.shape[2] > 1 else cache.length; …
            #  Several tokens at once are taken for a new text: what was in the cache is overwritten.
            #! every_call_starts_again: cache.length = 0; …
            #  Every call sets the cache's length to 0: what was in it is overwritten.
            #! length_stays: n = cache.length; …; cache.length = n
            #  It writes into the cache but leaves its `length` where it was.
            #! length_moved_twice: …; cache.length += x.shape[1]
            #  It moves the cache's `length` once more. `update` has done it.
            #: One call returns both: `k, v = cache.update(k, v)`.
            #! updated_twice: k, v = cache.update(k, v)[0], cache.update(k, v)[1]
            #! updated_twice: cache.update(k, v); …
            #  It calls update twice, so every position stands in the cache twice.
            #: `k, v = cache.update(k, v)`: what comes back are all keys and values so far.
            #! reads_before_storing: old = cache.keys[:, :, : cache.length], cache.values[:, :, : cache.length]; cache.update(k, v); k, v = old if old[0].shape[2] else (k, v)
            #! reads_before_storing: old = cache.keys[:, :, : cache.length], cache.values[:, :, : cache.length]; cache.update(k, v); k, v = old
            #  It attends to what was in the cache before: a token does not see itself.
            #! new_ones_again: keys, values = cache.update(k, v); k, v = torch.cat([keys, k], 2), torch.cat([values, v], 2)
            #  It puts the new keys and values behind what update returned. They are in it already.
            #! swapped_in_update: v, k = cache.update(v, k)
            #! swapped_in_update: k, v = cache.update(v, k)
            #  It stores the values as keys and the keys as values.
            #! swapped_on_return: v, k = cache.update(k, v)
            #  What update returns is unpacked the wrong way round: keys first, then values.
            #! queries_cached: k, v = cache.update(q, v)
            #! queries_cached: k, v = cache.update(q, k)
            #  It stores the queries where the keys belong. An old query is never needed again.
            #! keys_cached_twice: k, v = cache.update(k, k)
            #  The keys are stored as values too: `cache.update(k, k)`.
            #! values_cached_twice: k, v = cache.update(v, v)
            #  The values are stored as keys too: `cache.update(v, v)`.
            #! values_not_read: k, _ = cache.update(k, v)
            #! values_not_read: _, v = cache.update(k, v)
            #  It takes the keys out of the cache and not the values, or the other way round: all of the one meet the new ones of the other.
            #! pair_not_unpacked: k = cache.update(k, v)
            #  update returns two tensors, and both go into one name.
            #: Keep nothing on `self` but the weights and n_heads. The cache comes with the call.
            #! memory_in_the_layer: k, v = (k, v) if self.past is None else (torch.cat([self.past[0], k], 2), torch.cat([self.past[1], v], 2)); self.past = k, v
            #  Keys and values are kept in the layer itself, and the cache that was given is not used: the next text sees the last one's.
            #  [Lightning-AI/litgpt#1596]
            #: Make a new tensor: `k = k / …`.
            #! scales_in_cache: …; k /= math.sqrt(q.shape[-1]); k = k * math.sqrt(q.shape[-1])
            #  It changes the keys that update returned in place (`/=`), and they are the cache's own memory.
            #: `q, k = apply_rope(q, angles), apply_rope(k, angles)`, before the cache and never again.
            #! rotates_what_it_reads: k, v = cache.update(rope(k, -angles), v); k = rope(k, angles)
            #  Plain keys go into the cache, and whatever is read is rotated by the angles of the new tokens. Only the new tokens' angles are here:
            #  rotate before storing. [NeuraLegion/shainet#110]
            #! old_keys_never_rotated: plain, (k, v) = k, cache.update(rope(k, -angles), v); k = torch.cat([k[:, :, : -plain.shape[2]], plain], 2)
            #  Plain keys go into the cache, and only those of this call are rotated: the old ones never were. Rotate before storing.
            #! rotates_again: n = cache.length; …; k = torch.cat([rope(k[:, :, :n], angles[-1:].expand(n, -1)), k[:, :, n:]], 2)
            #! rotates_again: n = cache.length; …; k = torch.cat([rope(k[:, :, :n], angles), k[:, :, n:]], 2) if n and len(angles) == 1 else k
            #! rotates_again: …; k = rope(k, angles)
            #  The keys from the cache are rotated a second time. [NeuraLegion/shainet#110]
            #! rotates_in_cache: n = cache.length; cache.keys[:, :, :n] = rope(cache.keys[:, :, :n], angles[-1:].expand(n, -1)); …
            #  The keys in the cache are rotated again at every call, in place. [NeuraLegion/shainet#110]
            #: `k, v = cache.update(k, v)`: what comes back are all keys and values so far.
            #! attends_to_unwritten: cache.update(k, v); k, v = cache.keys, cache.values
            #! attends_to_unwritten: k, v = cache.keys, cache.values
            #  It attends to all max_len slots of the cache, those not written yet included. [huggingface/transformers#45940]
        mask = causal_mask(q.shape[2], k.shape[2]).to(x.device)  # (T, S)
        #: The mask is T × S: `causal_mask(q.shape[2], k.shape[2])`. The queries are the last T of S.
        #! no_mask: mask = torch.ones(q.shape[2], k.shape[2], dtype=torch.bool).to(x.device)
        #  There is no mask: every token sees the later ones of its chunk.
        #! no_mask_with_cache: mask = causal_mask(q.shape[2], k.shape[2]).to(x.device) | (q.shape[2] != k.shape[2])
        #  The mask is left out as soon as there is something in the cache. That is right for one token and wrong for a chunk. [mlx-node/mlx-node#24]
        #! mask_only_without_cache: mask = causal_mask(q.shape[2], k.shape[2]).to(x.device) | (cache is not None)
        #  Whenever there is a cache the mask is left out, for the prompt too: its tokens see the future. [mlx-node/mlx-node#24]
        #! mask_only_with_cache: mask = causal_mask(q.shape[2], k.shape[2]).to(x.device) | (cache is None)
        #  Without a cache there is no mask: in training every token would see the future.
        #! mask_top_left: mask = torch.ones(q.shape[2], k.shape[2], dtype=torch.bool).tril().to(x.device)
        #! mask_top_left: mask = torch.ones(q.shape[2], k.shape[2], dtype=torch.bool).tril().to(x.device) | (q.shape[2] == 1)
        #  The mask begins at the top left: with a full cache the first new token sees one key only. `is_causal=True` does that.
        #  [pytorch/pytorch#108108]
        #! square_mask: mask = causal_mask(q.shape[2], q.shape[2]).to(x.device)
        #  The mask is T × T, but there are S keys. It fits only while the cache is empty. [rasbt/LLMs-from-scratch#697]
        #! mask_s_by_s: mask = causal_mask(k.shape[2], k.shape[2]).to(x.device)
        #  The mask is S × S, but there are T queries. It fits only while the cache is empty.
        #! mask_arguments_swapped: mask = causal_mask(k.shape[2], q.shape[2]).to(x.device)
        #  The mask's two sizes have changed places: T queries come first, then S keys.
        #! mask_counts_heads: mask = causal_mask(q.shape[1], k.shape[1]).to(x.device)
        #! mask_counts_heads: mask = causal_mask(q.shape[1], k.shape[2]).to(x.device)
        #  The mask counts heads: dimension 1 of (B, H, T, d). Positions are dimension 2.
        #! mask_counts_features: mask = causal_mask(q.shape[-1], k.shape[-1]).to(x.device)
        #! mask_counts_features: mask = causal_mask(q.shape[-1], k.shape[2]).to(x.device)
        #  The mask counts features: the last dimension of (B, H, T, d). Positions are dimension 2.
        #! mask_by_past_only: mask = causal_mask(q.shape[2], (cache.length if cache else 0) + q.shape[2]).to(x.device)
        #  It adds T to the cache's length after update has done so: the mask is T columns too wide.
        #! chunk_blind_to_itself: past = k.shape[2] - q.shape[2]; mask = causal_mask(q.shape[2], k.shape[2]).to(x.device); mask = mask if past == 0 else mask & ((torch.arange(k.shape[2]) < past) | mask.triu(past)).to(x.device)
        #  A token of a later chunk sees the cache and itself, but not its neighbours before it.
        #! not_itself: mask = torch.ones(q.shape[2], k.shape[2], dtype=torch.bool).tril(k.shape[2] - q.shape[2] - 1).to(x.device)
        #! not_itself: mask = torch.ones(q.shape[2], k.shape[2], dtype=torch.bool).tril(k.shape[2] - q.shape[2] - 1).to(x.device); mask[0, 0] = True
        #  A token does not see itself: the diagonal is masked.
        #! one_ahead: mask = torch.ones(q.shape[2], k.shape[2], dtype=torch.bool).tril(k.shape[2] - q.shape[2] + 1).to(x.device)
        #  A token sees one position ahead of itself. [RVC-Boss/GPT-SoVITS#965]
        #! mask_upside_down: mask = ~torch.ones(q.shape[2], k.shape[2], dtype=torch.bool).tril(k.shape[2] - q.shape[2] - 1).to(x.device)
        #! mask_upside_down: mask = ~causal_mask(q.shape[2], k.shape[2]).to(x.device)
        #  The mask is upside down: True is where a query may look.
        #! window_of_four: mask = band(q.shape[2], k.shape[2], 4).to(x.device)
        #  Only the last four positions are seen.
        #! window_of_sixteen: mask = band(q.shape[2], k.shape[2], 16).to(x.device)
        #  Only the last sixteen positions are seen. A text may be longer.
        #! last_query_only: …; q = q[:, :, -1:]; mask = mask[-1:]
        #  Only one row comes back, that of the last token. Each of the T tokens wants its own.
        #: `causal_mask(…).to(x.device)`
        #! mask_on_cpu: mask = causal_mask(q.shape[2], k.shape[2])
        #  The mask is made on the CPU and stays there.
        scores = q.float() @ k.float().transpose(-2, -1) / math.sqrt(q.shape[-1])
        #: `attention` of lab 04 does it.
        #! not_scaled: scores = q.float() @ k.float().transpose(-2, -1)
        #  The scores are not divided by √d.
        #: `q.shape[-1]` after splitting is d.
        #! scaled_by_width: scores = q.float() @ k.float().transpose(-2, -1) / math.sqrt(x.shape[-1])
        #  The scores are divided by √dim, the whole width. It is √d, the size of a head. [omihub777/ViT-CIFAR#11]
        #: `math.sqrt(q.shape[-1])`
        #! divided_by_d: scores = q.float() @ k.float().transpose(-2, -1) / q.shape[-1]
        #  The scores are divided by d instead of √d.
        #! scaled_up: scores = q.float() @ k.float().transpose(-2, -1) * math.sqrt(q.shape[-1])
        #  The scores are multiplied by √d. They are divided by it.
        #: The divisor is √d; it does not depend on how long the sequence is.
        #! scaled_by_length: scores = q.float() @ k.float().transpose(-2, -1) / math.sqrt(k.shape[-2])
        #  The scores are divided by the root of the number of keys.
        #! scaled_by_heads: scores = q.float() @ k.float().transpose(-2, -1) / math.sqrt(self.n_heads)
        #  The scores are divided by the root of the number of heads. It is √d, the size of a head.
        #: Fill the scores with -inf before the softmax.
        #! minus_1e9_in_half: scores = (q @ k.transpose(-2, -1) / math.sqrt(q.shape[-1])).masked_fill(~mask, -1e9).float()
        #  Masked scores become -1e9, a number that float16 does not have. `-torch.inf`, or compute the scores in float32.
        scores = scores.masked_fill(~mask, -INF)
        #: Fill them with -inf before the softmax.
        #! mask_multiplied: scores = scores * mask
        #  The scores are multiplied by 0, or filled with 0, where they are masked, and e⁰ = 1 still counts. [awslabs/gluonts#1401]
        #! mask_added: scores = scores + mask
        #  The mask is added as 0 and 1. Where a query may not look belongs -inf.
        #! filled_with_inf: scores = scores.masked_fill(~mask, INF)
        #  Masked scores become +inf: the sign is missing.
        weights = torch.softmax(scores, dim=-1)
        #: Fill the scores with -inf before the softmax.
        #! masked_after_softmax: weights = torch.softmax(unbroken(q, k, mask | True), dim=-1) * mask
        #  The mask comes after the softmax: the weights of a row no longer sum to 1. [huggingface/pytorch-image-models#2236]
        #: `torch.softmax(scores, dim=-1)`
        #! softmax_over_queries: weights = torch.softmax(scores, dim=-2)
        #  The softmax runs over the queries. It runs over the keys, the last dimension. [FudanNLP/fastNLP#254]
        #! softmax_over_heads: weights = torch.softmax(scores, dim=1)
        #  The softmax runs over the heads. It runs over the keys, the last dimension.
        #: `attention` of lab 04 has it.
        #! no_softmax: weights = scores.masked_fill(~mask, 0)
        #  There is no softmax.
        #: Attend to what update returned; nothing else is multiplied.
        #! unwritten_only_masked:
        #| if cache is not None:
        #|     k, v = cache.keys, cache.values
        #|     mask = torch.ones(q.shape[2], k.shape[2], dtype=torch.bool, device=x.device).tril(cache.length - q.shape[2])
        #| weights = torch.softmax(unbroken(q, k, mask), dim=-1)
        #  It multiplies all max_len slots and masks the unwritten ones. A weight of 0 times what happens to lie there is NaN when that is NaN, and it
        #  computes max_len scores each time. [tenstorrent/tt-forge-onnx#422]
        #! attends_to_unwritten:
        #| if cache is not None:
        #|     k, v = cache.keys, cache.values
        #|     mask = torch.ones(q.shape[2], k.shape[2], dtype=torch.bool, device=x.device).tril(cache.length - q.shape[2])
        #|     mask[:, cache.length :] = True
        #| weights = torch.softmax(unbroken(q, k, mask), dim=-1)
        heads = (weights @ v.float()).to(x.dtype)
        #: `.to(q.dtype)` after the softmax, or the scores in float32 and the values too.
        #! two_dtypes_meet: heads = weights @ v
        #  In half precision two dtypes meet: a mask or weights in float32, and values that are not. [huggingface/candle#3743]
        #! weights_not_transposed: heads = (weights.transpose(-2, -1) @ v.float()).to(x.dtype)
        #  The weights are transposed before they meet the values.
        return self.wo(merge_heads(heads))
        #: `return self.wo(…)`
        #! no_output_map: return merge_heads(heads)
        #  wo is not applied at the end.
        #! applied_wo_twice: return self.wo(self.wo(merge_heads(heads)))
        #  wo is applied twice.
        #: `split_heads` and `merge_heads` of lab 04.
        #! merged_without_transpose: return self.wo(heads.reshape(heads.shape[0], heads.shape[2], -1))
        #  The heads are put together without bringing the positions back first. [jsbaan/transformer-from-scratch#4]
        #! heads_averaged: return self.wo(heads.mean(1).repeat(1, 1, self.n_heads))
        #  The heads are averaged. They are put side by side.
        #: Index no batch: the first dimension of every tensor stays B.
        #! first_sequence_for_all: return self.wo(merge_heads(heads))[:1].expand_as(x)
        #  All sequences of the batch get the result of the first one.
        #: Return what wo gives.
        #! residual_inside: return x + self.wo(merge_heads(heads))
        #  x is added to the result. The residual belongs to the block around this layer.
        #: `return self.wo(…)`
        #! returns_cache_too: return self.wo(merge_heads(heads)), cache
        #  It returns a pair (output, cache). The cache is changed in place; return the output.
        #! returns_weights_too: return self.wo(merge_heads(heads)), weights
        #  It returns a pair (output, weights). Return the output.
        #! returns_nothing: self.wo(merge_heads(heads))
        #  It returns nothing: the `return` is missing.
        #! last_query_only: return self.wo(merge_heads(heads))[:, -1:]
        #: Return the input's dtype.
        #! returns_float64: return self.wo(merge_heads(heads)).double()
        #  The result is float64 whatever the input is.
        #! returns_float32: return self.wo(merge_heads(heads)).float()
        #  The result is float32 whatever the input is.
        #: Make new tensors; the residual of the block still needs x.
        #! changes_x:
        #| out = self.wo(merge_heads(heads))
        #| with torch.no_grad():
        #|     x.mul_(0)
        #| return out
        #! changes_x: x += self.wo(merge_heads(heads)); return x
        #  It changes x in place.


MISTAKES: list[Mistake] = mistakes_of(CachedAttention)
