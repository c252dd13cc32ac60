"""Lab 06, 6.3: GroupedQueryAttention, and what people write in place of its lines."""

import math
from typing import Any

import torch
from torch import Tensor, nn

from checks.engine import Mistake, mistakes_of
from checks.gqa.grouped_query_attention_wrong import repeated as attention
from checks.gqa.grouped_query_attention_wrong import softmax, stacked
from checks.gqa.layer_probes import rotate as rope

INF = torch.inf


def split(x: Tensor, n_heads: int) -> Tensor:
    """(B, T, n·d) → (B, n, T, d)."""
    B, T, D = x.shape
    return x.reshape(B, T, n_heads, D // n_heads).transpose(1, 2)


def cut(x: Tensor, n_heads: int) -> Tensor:
    """The same without a transpose: positions and heads are mixed."""
    return x.reshape(x.shape[0], n_heads, x.shape[1], -1)


def causal(n_queries: int, n_keys: int, shift: int = 0) -> Tensor:
    """Lab 04's: the queries are the last T of S; `shift` more may be seen."""
    if n_queries > n_keys:
        raise ValueError(f"{n_queries} queries, but only {n_keys} positions: some see nothing")
    return ones(n_queries, n_keys, shift)


def ones(n_queries: int, n_keys: int, shift: int = 0) -> Tensor:
    """The same, whatever the sizes are."""
    return torch.ones(n_queries, n_keys, dtype=torch.bool).tril(n_keys - n_queries + shift)


def half_split(x: Tensor, angles: Tensor) -> Tensor:
    """RoPE on the pairs (i, i + d/2), as Hugging Face lays them out."""
    cos, sin, (a, b) = angles.cos(), angles.sin(), x.float().chunk(2, -1)
    return torch.cat([a * cos - b * sin, a * sin + b * cos], -1).to(x.dtype)


def own_angles(x: Tensor, d: int) -> Tensor:
    """Angles from position 0 on."""
    return torch.outer(torch.arange(x.shape[1]), 10_000.0 ** -(torch.arange(0, d, 2) / d))


def whole_mask(n_queries: int, slots: int, length: int) -> Tensor:
    """All slots of a cache, those not written yet hidden."""
    empty = torch.zeros(n_queries, slots - length, dtype=torch.bool)
    return torch.cat([causal(n_queries, length), empty], 1)


def weighed(weigh: Any, q: Tensor, k: Tensor, v: Tensor, mask: Tensor) -> Tensor:
    """weigh(scores, mask) @ v, keys and values repeated, in float32."""
    k, v = (x.float().repeat_interleave(q.shape[1] // x.shape[1], 1) for x in (k, v))
    return (weigh(q.float() @ k.mT / math.sqrt(q.shape[-1]), mask) @ v).to(q.dtype)


class GroupedQueryAttention(nn.Module):
    past: Any = None

    def __init__(self, dim: int, n_heads: int, n_kv_heads: int) -> None:
        super().__init__()
        #! group_size_for_kv_heads: …; n_kv_heads = n_heads // n_kv_heads
        #! kv_full_size: …; n_kv_heads = n_heads
        if n_heads % n_kv_heads != 0:
            #: `if n_heads % n_kv_heads != 0: raise ValueError(…)`, at the top of __init__.
            #! no_value_error: if False:
            #  Six query heads and four kv heads are accepted: some queries have no kv head to share.
            #! value_error_upside_down: if n_kv_heads % n_heads != 0:
            #  It asks whether n_kv_heads is a multiple of n_heads: only MHA passes.
            #! value_error_for_mqa: if n_heads % n_kv_heads != 0 or n_kv_heads == 1:
            #  It refuses a single kv head. That is MQA, and allowed.
            #! value_error_for_mha: if n_heads % n_kv_heads != 0 or n_kv_heads == n_heads:
            #  It refuses as many kv heads as query heads. That is MHA, and allowed.
            #! value_error_by_dim: if dim % n_kv_heads != 0:
            #  It asks whether dim is a multiple of n_kv_heads. The query heads have to be.
            #! only_too_many: if n_kv_heads > n_heads:
            #  It refuses more kv heads than query heads only. Six and four do not fit either.
            #: Raise the ValueError: whoever asked for four wants to know.
            #! rounds_down: while n_heads % n_kv_heads: n_kv_heads -= 1; if False:
            #  It quietly takes another number of kv heads where the groups do not come out even.
            raise ValueError(f"{n_heads} query heads cannot share {n_kv_heads} kv heads evenly")
            #: `if n_heads % n_kv_heads != 0: raise ValueError(…)`, at the top of __init__.
            #! assertion: raise AssertionError("n_heads has to be a multiple of n_kv_heads")
            #  Uneven groups stop an `assert`. The task promises a ValueError (and asserts can be switched off).
        H, K, d = n_heads, n_kv_heads, dim // n_heads
        #: `nn.Linear(dim, n_kv_heads * head_dim, bias=False)` for wk and wv, head_dim = dim // n_heads.
        #! head_size_of_kv_heads: H, K, d = n_heads, n_kv_heads, dim // n_kv_heads
        #  The size of a head is dim // n_kv_heads here. It is dim // n_heads, for keys and values as well.
        #! heads_swapped: H, K, d = n_kv_heads, n_heads, dim // n_heads
        #  n_heads and n_kv_heads have changed places: there are more query heads than kv heads.
        #! size_not_whole: H, K, d = n_heads, n_kv_heads, dim / n_heads
        #  `/` gives a float, and the size of a head is whole: `//`.
        #! group_size_for_kv_heads: H, K, d = n_heads, n_heads // n_kv_heads, dim // n_heads
        #  It makes H / K kv heads. n_kv_heads is their number; H / K is how many queries share one.
        #! always_one_kv_head: H, K, d = n_heads, 1, dim // n_heads
        #  There is one kv head whatever n_kv_heads is.
        #! queries_narrow_too: H, K, d = n_kv_heads, n_kv_heads, dim // n_heads
        #  There are only n_kv_heads query heads. Queries are never shared: wq stays dim × dim.
        self.n_heads, self.n_kv_heads = H, K
        #! heads_swapped: self.n_heads, self.n_kv_heads = K, H
        #! heads_swapped: self.n_heads, self.n_kv_heads = K, H
        self.wq = nn.Linear(dim, H * d, bias=False)
        self.wk = nn.Linear(dim, K * d, bias=False)
        self.wv = nn.Linear(dim, K * d, bias=False)
        #: `nn.Linear(dim, n_kv_heads * head_dim, bias=False)` for wk and wv, head_dim = dim // n_heads.
        #! wk_one_head: …; self.wk = nn.Linear(dim, d, bias=False)
        #  wk makes one head whatever n_kv_heads is; wv is right.
        #! kv_full_size: self.wk, self.wv = (nn.Linear(dim, dim, bias=False) for _ in range(2))
        #  wk and wv are as large as with MHA: dim × dim. They make n_kv_heads heads only.
        #! wv_full_size: self.wv = nn.Linear(dim, dim, bias=False)
        #  wv is as large as with MHA; wk is right.
        #! kv_weights_upside_down: self.wk, self.wv = (nn.Linear(K * d, dim, bias=False) for _ in range(2))
        #  wk and wv are transposed: nn.Linear(in, out) takes dim first.
        #! one_map_for_keys_and_values: del self.wk; self.wkv = nn.Linear(dim, 2 * K * d, bias=False)
        #  One map makes keys and values together. Here Llama's names are wanted: wk, wv.
        #! wk_shared_with_wv: self.wv = self.wk
        #  wk and wv are one and the same map.
        self.wo = nn.Linear(H * d, dim, bias=False)
        #: `nn.Linear(dim, n_kv_heads * head_dim, bias=False)` for wk and wv, head_dim = dim // n_heads.
        #! with_bias: self.wo = nn.Linear(H * d, dim)
        #! with_bias: …; self.wq, self.wk, self.wv = (nn.Linear(dim, n * d) for n in (H, K, K))
        #  The linear maps have biases. Llama's have none.
        #: `return self.wo(merge_heads(…))`
        #! without_wo: self.wo = nn.Identity()
        #  There is no wo: nothing mixes what the heads found.
        #: wq, wk, wv, wo.
        #! other_names: …; self._modules = {f"{n[1]}_proj": m for n, m in self._modules.items()}
        #  The maps have Hugging Face's names (q_proj, …). Here they are Meta's.
        #: nn.Linear's weights require gradients by themselves.
        #! frozen: …; self.requires_grad_(False)
        #  The weights do not learn: requires_grad is False.
        #: nn.Linear initialises itself.
        #! starts_at_zero: …; _ = [nn.init.zeros_(weight) for weight in self.parameters()]
        #  All weights start at zero: the output is 0 and so is every gradient, for ever.

    def forward(self, x: Tensor, angles: Tensor, cache: Any = None) -> Tensor:
        q = split(self.wq(x), self.n_heads)  # (B, H, T, d)
        #: No `.detach()`.
        #! input_detached: x = x.detach(); …
        #  x is cut off from the gradient.
        #: `q, k = apply_rope(q, angles), apply_rope(k, angles)`, before the cache and never again.
        #! own_angles: …; angles = own_angles(x, q.shape[-1]).to(x.device)
        #  It makes its own angles, from position 0 in every call. With a cache the tokens in x stand further on; the angles given are theirs.
        #  [RobertCsordas/moeut#6]
        k, v = split(self.wk(x), self.n_kv_heads), split(self.wv(x), self.n_kv_heads)
        #: `split_heads(self.wk(x), self.n_kv_heads)` of lab 04.
        #! view_without_transpose: q, k, v = cut(self.wq(x), self.n_heads), cut(self.wk(x), self.n_kv_heads), cut(self.wv(x), self.n_kv_heads)
        #  split reshapes straight to (B, H, T, d): the features of a head come from other positions, later ones too. [hyunwoongko/transformer#15,
        #  reczoo/FuxiCTR#30]
        #! kv_view_without_transpose: k, v = cut(self.wk(x), self.n_kv_heads), cut(self.wv(x), self.n_kv_heads)
        #  The queries are split well, but keys and values are reshaped straight to (B, K, T, d), which mixes positions and heads.
        #! every_hth_feature: q, k, v = (w(x).unflatten(-1, (-1, n)).permute(0, 3, 1, 2) for w, n in ((self.wq, self.n_heads), (self.wk, self.n_kv_heads), (self.wv, self.n_kv_heads)))
        #  Head h gets the features h, h + H, … It gets d neighbouring ones.
        #: `self.wv(x)`
        #! kv_cut_into_query_heads: k, v = split(self.wk(x), self.n_heads), split(self.wv(x), self.n_heads)
        #! kv_cut_into_query_heads: k, v = split(self.wk(x), self.n_heads), split(self.wv(x), self.n_kv_heads)
        #! kv_cut_into_query_heads: k, v = split(self.wk(x), self.n_kv_heads), split(self.wv(x), self.n_heads)
        #! kv_cut_into_query_heads: k, v, attention = split(self.wk(x), self.n_heads), split(self.wv(x), self.n_kv_heads), stacked
        #! kv_cut_into_query_heads: k, v, attention = split(self.wk(x), self.n_kv_heads), split(self.wv(x), self.n_heads), stacked
        #  Keys or values are cut into n_heads heads. They have n_kv_heads.
        #! queries_cut_into_kv_heads: q = split(self.wq(x), self.n_kv_heads); …
        #  The queries are cut into n_kv_heads heads. They have n_heads.
        #! three_equal_pieces: q, k, v = torch.cat([self.wq(x), self.wk(x), self.wv(x)], -1).chunk(3, -1); q, k, v = split(q, self.n_heads), split(k, self.n_kv_heads), split(v, self.n_kv_heads)
        #  Queries, keys and values are cut into three equal pieces. Keys and values are narrower. [vllm-project/vllm#13687]
        #! wk_for_values: k, v = split(self.wk(x), self.n_kv_heads), split(self.wk(x), self.n_kv_heads)
        #  The values are made by wk; wv is not used.
        #: `self.wk(x)`
        #! wv_for_keys: k, v = split(self.wv(x), self.n_kv_heads), split(self.wv(x), self.n_kv_heads)
        #  The keys are made by wv; wk is not used.
        #: Keys are compared, values are averaged.
        #! keys_and_values_swapped: k, v = split(self.wv(x), self.n_kv_heads), split(self.wk(x), self.n_kv_heads)
        #  wk makes the values and wv the keys.
        q, k = rope(q, angles), rope(k, angles)
        #: `q, k = apply_rope(q, angles), apply_rope(k, angles)`, before the cache and never again.
        #! no_rope: pass
        #  Nothing is rotated: the layer does not know where a token stands.
        #! rope_on_queries_only: q = rope(q, angles)
        #  Only the queries are rotated.
        #! keys_unrotated_in_the_cache: q, k = rope(q, angles), rope(k, angles) if cache is None else k
        #  With a cache the keys are not rotated. They go in rotated, each at its own position.
        #! rope_on_keys_only: k = rope(k, angles)
        #  Only the keys are rotated.
        #! rope_on_values: q, k, v = rope(q, angles), rope(k, angles), rope(v, angles)
        #  The values are rotated as well. What a token says does not depend on where it stands.
        #! rope_on_first_kv_head: q, k = rope(q, angles), torch.cat([rope(k[:, :1], angles), k[:, 1:]], 1)
        #  Only the first kv head is rotated. Every head needs positions.
        #! rope_twice: q, k = rope(q, 2 * angles), rope(k, 2 * angles)
        #  Queries and keys are rotated twice.
        #! rope_backwards: q, k = rope(q, -angles), rope(k, -angles)
        #  It rotates by minus the angle.
        #! rope_half_split: q, k = half_split(q, angles), half_split(k, angles)
        #  It rotates the pairs (i, i + d/2), as Hugging Face does. Here the pairs are (2i, 2i + 1). [rasbt/LLMs-from-scratch#747]
        #! rotates_what_it_reads: q, k, v = rope(q, angles), *((k, v) if cache is None else cache.update(k, v)); k = rope(k, angles if len(angles) == k.shape[2] else angles[-1:].expand(k.shape[2], -1)); cache = None
        #  Plain keys go into the cache, and whatever is read is rotated by the angles of the new tokens. Rotate before storing.
        #  [NeuraLegion/shainet#110]
        #: Keep nothing on `self` but the weights and the numbers of heads.
        #! keeps_state: …; k, v = (k, v) if cache or self.past is None or len(self.past[0]) != len(k) else (torch.cat([self.past[0], k], 2), torch.cat([self.past[1], v], 2)); self.past = self.past if cache else (k.detach(), v.detach())
        #  Called without a cache, it remembers the last call. [Lightning-AI/litgpt#1596]
        #! first_cache_for_good: …; self.past = cache if cache and (self.past is None or len(self.past.keys) != len(k)) else self.past; cache = cache and self.past
        #  It keeps the first cache it was given and ignores later ones. [casper-hansen/AutoAWQ#178]
        #: `k, v = cache.update(k, v)`, with the n_kv_heads heads; repeat them afterwards.
        #! caches_expanded: …; k, v = (h.repeat_interleave(self.n_heads // self.n_kv_heads, 1) for h in (k, v))
        #  Keys and values are repeated before they are stored. All numbers are right, and the cache is as large as with MHA: the whole point is lost.
        #  [common in code with GQA and a cache]
        if cache is not None:
            k, v = cache.update(k, v)  # (B, K, S, d)
            #: `k, v = cache.update(k, v)`, with the n_kv_heads heads; repeat them afterwards.
            #! keys_stored_as_values: k, v = cache.update(k, k)
            #  The keys are stored as values too: `update` takes keys and values.
            #! forgets: cache.update(k, v)
            #  It stores keys and values and then attends to the new ones only. [Lightning-AI/litgpt#701]
            #! whole_buffers: cache.update(k, v); k, v = cache.keys, cache.values
            #  It attends to the whole buffers, with slots that hold nothing yet. `update` returns what is written so far.
            #! never_stored: n = cache.length; k, v = torch.cat([cache.keys[:, :, :n], k], 2), torch.cat([cache.values[:, :, :n], v], 2)
            #  It reads the cache but never stores anything in it.
            #! cache_ignored: pass
            #  The cache is not used at all.
            #! reads_before_storing: old = cache.keys[:, :, : cache.length], cache.values[:, :, : cache.length]; cache.update(k, v); k, v = old if old[0].shape[2] else (k, v)
            #  It attends to what was in the cache before: a token does not see itself.
            #! length_stays: n = cache.length; …; cache.length = n
            #  It writes into the cache but leaves its `length` where it was.
            #! updated_twice: k, v = cache.update(k, v)[0], cache.update(k, v)[1]
            #  It calls update twice, so every position stands in the cache twice.
            #! swapped_in_update: v, k = cache.update(v, k)
            #  It stores the values as keys and the keys as values.
            #! swapped_on_return: v, k = cache.update(k, v)
            #  What update returns is unpacked the wrong way round: keys first, then values.
            #! scales_in_cache: …; k /= math.sqrt(q.shape[-1]); k = k * math.sqrt(q.shape[-1])
            #  It changes the keys that update returned in place (`/=`), and they are the cache's own memory.
            #: `q, k = apply_rope(q, angles), apply_rope(k, angles)`, before the cache and never again.
            #! rotates_again: n = cache.length; …; k = torch.cat([rope(k[:, :, :n], angles[-1:].expand(n, -1)), k[:, :, n:]], 2)
            #  The keys from the cache are rotated a second time. [NeuraLegion/shainet#110]
        mask = causal(q.shape[2], k.shape[2]).to(x.device)  # (T, S)
        #: The mask is T × S: `causal_mask(q.shape[2], k.shape[2])`. The queries are the last T of S.
        #! rotates_again: k = rope(k, angles); …
        #! square_mask: mask = causal(q.shape[2], q.shape[2]).to(x.device)
        #  The mask is T × T and does not know of the cache: there are S keys.
        #! mask_of_keys_by_keys: mask = causal(k.shape[2], k.shape[2]).to(x.device)
        #! mask_of_keys_by_keys: mask = causal(k.shape[2], k.shape[2]).to(x.device) if q.shape[2] > 1 else None
        #  The mask has a row for each of the S keys. There are T queries.
        #! mask_sides_swapped: mask = causal(k.shape[2], q.shape[2]).to(x.device)
        #! mask_sides_swapped: mask = causal(k.shape[2], q.shape[2]).to(x.device) if q.shape[2] > 1 else None
        #! mask_sides_swapped: mask = ones(k.shape[2], q.shape[2]).to(x.device)
        #  The mask is S × T: queries and keys have changed places.
        #! mask_for_the_heads: mask = causal(q.shape[1], k.shape[1]).to(x.device)
        #! mask_for_the_heads: mask = causal(q.shape[1], k.shape[1]).to(x.device) if q.shape[2] > 1 else None
        #! mask_for_the_heads: mask = ones(q.shape[1], k.shape[1]).to(x.device)
        #  The mask is made for heads. Positions are dimension 2.
        #! not_causal: mask = torch.ones(q.shape[2], k.shape[2], dtype=torch.bool).to(x.device)
        #  There is no mask: every token sees the ones it has to predict. [huggingface/transformers#48745]
        #! no_mask_with_cache: mask = None if q.shape[2] != k.shape[2] else causal(q.shape[2], k.shape[2]).to(x.device)
        #! no_mask_with_cache: mask = None if cache is not None else causal(q.shape[2], k.shape[2]).to(x.device)
        #  The mask is left out as soon as there is something in the cache. That is right for one token and wrong for a chunk. [mlx-node/mlx-node#24]
        #! mask_top_left: mask = torch.ones(q.shape[2], k.shape[2], dtype=torch.bool).tril().to(x.device)
        #  The mask begins at the top left: with a full cache the first new token sees one key only. `is_causal=True` does that.
        #  [pytorch/pytorch#108108]
        #! sees_one_ahead: mask = causal(q.shape[2], k.shape[2], 1).to(x.device)
        #  A token sees one position ahead of itself. [RVC-Boss/GPT-SoVITS#965]
        #! does_not_see_itself: mask = causal(q.shape[2], k.shape[2], -1).to(x.device)
        #  A token does not see itself, and the first one sees nothing: NaN. [trymirai/lalamo#273]
        #! inverted_mask: mask = ~causal(q.shape[2], k.shape[2]).to(x.device)
        #  The mask is inverted: a token sees only what comes after it.
        #! window_of_sixteen: …; mask = mask & ~causal(q.shape[2], k.shape[2], -16).to(x.device)
        #  Only the last sixteen positions are seen. A text may be longer.
        #: Use what `update` returns.
        #! attends_to_unwritten: …; k, v, mask = (k, v, mask) if cache is None else (cache.keys, cache.values, whole_mask(q.shape[2], cache.keys.shape[2], cache.length))
        #! attends_to_unwritten: …; k, v, mask = (k, v, mask) if cache is None or len(mask) == k.shape[2] else (cache.keys, cache.values, whole_mask(q.shape[2], cache.keys.shape[2], cache.length))
        #  It multiplies all slots of the cache and masks those not written yet. A weight of 0 times what happens to lie there is NaN when that is
        #  NaN. [huggingface/transformers#45940]
        #: `causal_mask(T, S).to(x.device)`
        #! mask_on_cpu: mask = causal(q.shape[2], k.shape[2])
        #  The mask lies on the CPU whatever the device of x is.
        out = attention(q, k, v, mask)  # (B, H, T, d)
        #!+ heads_swapped: out = stacked(q, k, v, mask)
        #: `grouped_query_attention(q, k, v, mask)` of 6.2.
        #! swapped_in_the_call: out = attention(q, v, k, mask)
        #  Keys and values have changed places in the call: (q, k, v, mask).
        #! keys_detached: out = attention(q, k.detach(), v, mask)
        #  The keys are cut off from the gradient: wk would never learn.
        #! tiled: n = q.shape[1] // k.shape[1]; out = attention(q, k.repeat(1, n, 1, 1), v.repeat(1, n, 1, 1), mask)
        #  Query head h reads kv head h % K: 0, 1, 0, 1. Neighbours share one: 0, 0, 1, 1. [ekzhang/jax-js#180, microsoft/onnxscript#2408]
        #! first_kv_head: out = attention(q, k[:, :1], v[:, :1], mask)
        #  All query heads read kv head 0.
        #! mean_query: n = q.shape[1] // k.shape[1]; out = attention(q.unflatten(1, (-1, n)).mean(2).repeat_interleave(n, 1), k, v, mask)
        #  The queries of a group are averaged: all its heads give the same.
        #! merged_in_another_order: …; out = out.unflatten(1, (k.shape[1], -1)).transpose(1, 2).flatten(1, 2)
        #  The heads come back in another order: first the first of each group, then the second …
        #! scaled_by_model: out = attention(q / math.sqrt(q.shape[1]), k, v, mask)
        #  The scores are divided by sqrt(dim). A head's dot product has d = dim / H terms. [omihub777/ViT-CIFAR#11]
        #! scaled_by_kv_heads: out = attention(q / math.sqrt(k.shape[1]), k, v, mask)
        #  The scores are divided by sqrt(K·d), the width of the keys, or by sqrt(dim / …). A dot product has d terms.
        #! scaled_by_group: out = attention(q / math.sqrt(q.shape[1] // k.shape[1]), k, v, mask)
        #  The scores are divided by sqrt(dim // n_kv_heads). A head has d = dim // n_heads features.
        #! no_scale: out = attention(q * math.sqrt(q.shape[-1]), k, v, mask)
        #  The scores are not divided by sqrt(d).
        #! scaled_by_d: out = attention(q / math.sqrt(q.shape[-1]), k, v, mask)
        #  The scores are divided by d (or by sqrt(d) twice).
        #! softmax_over_queries: out = weighed(lambda s, m: softmax(s.masked_fill(~m, -INF), -2).nan_to_num(), q, k, v, mask)
        #  The softmax runs over the queries.
        #! no_softmax: out = weighed(lambda s, m: s * m, q, k, v, mask)
        #  There is no softmax.
        #! mask_multiplied: out = weighed(lambda s, m: softmax(s.masked_fill(~m, 0.0)), q, k, v, mask)
        #  A masked score becomes 0, and e^0 is 1: masked keys keep their weight. [awslabs/gluonts#1401]
        #! mask_after_softmax: out = weighed(lambda s, m: softmax(s) * m, q, k, v, mask)
        #  The mask comes after the softmax: the rows no longer sum to 1.
        #! billion_in_half: out = weighed(lambda s, m: softmax(s.to(x.dtype).masked_fill(~m, -1e9)).float(), q, k, v, mask)
        #  -1e9 does not fit into float16, whose lowest number is -65504.
        out = self.wo(out.transpose(1, 2).flatten(2))
        #: `return self.wo(merge_heads(…))`
        #! forgets_wo: out = out.transpose(1, 2).flatten(2)
        #  wo is not used: the heads stay side by side, unmixed.
        #: Use merge_heads.
        #! merge_without_transpose: out = self.wo(out.reshape(x.shape))
        #  The heads are merged without transposing: a position gets features of other positions, later ones too. [jsbaan/transformer-from-scratch#4]
        return out
        #: `return self.wo(merge_heads(…))`
        #! returns_both: return out, cache
        #  It returns two things. One is wanted.
        #! last_position_only: return out[:, -1:]
        #  Only the last position comes back. All T are wanted.
        #! adds_residual: return x + out
        #  It adds x. The residual connection comes later, in the block.
        #! float32_result: return out.float()
        #  The result is float32 whatever x is.
        #: No `torch.no_grad()`.
        #! no_gradient: return out.detach()
        #  It computes without gradients.
        #: `x = x * …`, not `x *= …`.
        #! input_changed: x.mul_(0); return out
        #! input_changed: x.data.mul_(0); return out
        #  It changes x in place.


MISTAKES: list[Mistake] = mistakes_of(GroupedQueryAttention)
