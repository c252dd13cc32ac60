"""Lab 06, 6.2: grouped_query_attention, and what people write in place of its lines.

Sources are the public threads in which somebody really made the mistake.
"""

import math

import torch
from torch import Tensor

from checks.engine import Mistake, mistakes_of

INF, HALF = torch.inf, (torch.float16, torch.bfloat16)


def wide(x: Tensor) -> Tensor:
    """In float32 at least."""
    return x.float() if x.dtype in HALF else x


def softmax(scores: Tensor, dim: int = -1) -> Tensor:
    """Over the keys, if nothing else is said."""
    return torch.softmax(scores, dim)


def unstable(scores: Tensor) -> Tensor:
    """The softmax as its formula stands."""
    return scores.exp() / scores.exp().sum(-1, keepdim=True)


def top_left(q: Tensor, k: Tensor) -> Tensor:
    """A causal mask that counts the queries from position 0."""
    return torch.ones(q.shape[-2], k.shape[-2], dtype=torch.bool, device=q.device).tril()


def bottom_right(q: Tensor, k: Tensor) -> Tensor:
    """A causal mask in which the queries are the last positions."""
    n_queries, n_keys = q.shape[-2], k.shape[-2]
    return torch.ones(n_queries, n_keys, dtype=torch.bool, device=q.device).tril(n_keys - n_queries)


def attention(q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None = None) -> Tensor:
    """Lab 04's: (…, T, d), (…, S, d) → (…, T, d), in float32 at least."""
    scores = wide(q) @ wide(k).transpose(-2, -1) / math.sqrt(q.shape[-1])
    if mask is not None:
        scores = scores.masked_fill(~mask, -INF)
    return (softmax(scores) @ wide(v)).to(q.dtype)


def grouped_query_attention(q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None = None) -> Tensor:
    (H, d), K, dtype = (q.shape[1], q.shape[3]), k.shape[1], q.dtype
    n_rep, whole, seen = H // K, (q, k), mask
    q, k, v = wide(q), wide(k), wide(v)
    #: Queries are never shared: `attention(q, repeat_kv(k, n_rep), repeat_kv(v, n_rep), mask)`.
    #! plain_average: q, k, v = 0 * wide(q), wide(k), wide(v)
    #  It takes the plain average of the allowed values; the scores do not matter.
    #! keys_as_values: q, k, v = wide(q), wide(k), wide(k)
    #  It averages the keys. What is averaged are the values.
    #! divided_by_group: q, k, v = wide(q), wide(k), wide(v) / n_rep
    #  The result is divided by n_rep. The values are shared as they are, not split up.
    #! mean_query: …; q = q.unflatten(1, (K, -1)).mean(2).repeat_interleave(n_rep, 1)
    #  The queries of a group are averaged: all its heads give the same. Only keys and values are shared.
    #! first_query: …; q = q.unflatten(1, (K, -1))[:, :, 0].repeat_interleave(n_rep, 1)
    #  All heads of a group use the group's first query. Only keys and values are shared.
    #: Keys are compared, values are averaged.
    #! keys_and_values_swapped: q, k, v = wide(q), wide(v), wide(k)
    #  k and v have changed places.
    #: No `.detach()` and no `.data` here.
    #! shared_heads_detached: q, k, v = wide(q), wide(k).detach(), wide(v).detach()
    #  Keys and values are cut off from the gradient: wk and wv would never learn.
    reads = [h // n_rep for h in range(H)]
    #: `repeat_kv(k, q.shape[1] // k.shape[1])`, and the same for v: query head h reads h // n_rep.
    #! tiled: reads = [h % K for h in range(H)]
    #  Query head h reads kv head h % K: 0, 1, 0, 1. Neighbours share one: 0, 0, 1, 1, as repeat_kv makes them. (Grouping q by `(n_rep, K)` does the
    #  same.) [ekzhang/jax-js#180, onnx/onnx#7274, apple/axlearn#842]
    #! first_kv_head: reads = [0] * H
    #  All query heads read kv head 0. That is MQA, whatever K is.
    #! groups_reversed: reads = [K - 1 - h // n_rep for h in range(H)]
    #  The kv heads are read in the opposite order.
    #! last_heads_pile_up: reads = [min(h, K - 1) for h in range(H)]
    #  Query head h reads kv head h, and the last kv head serves all the rest.
    #! wrong_group_size: reads = [min(h // K, K - 1) for h in range(H)]
    #  Query head h reads kv head h // K. It is h // n_rep, with n_rep = H // K.
    #! shifted_by_one: reads = [(h + 1) // n_rep % K for h in range(H)]
    #  The groups are shifted by one head.
    k, v = k[:, reads], v[:, reads]
    #: `repeat_kv(k, q.shape[1] // k.shape[1])`, and the same for v: query head h reads h // n_rep.
    #! keys_tiled: k, v = k.repeat(1, n_rep, 1, 1), v[:, reads]
    #  The keys are shared 0, 1, 0, 1 and the values 0, 0, 1, 1.
    #! values_tiled: k, v = k[:, reads], v.repeat(1, n_rep, 1, 1)
    #  The values are shared 0, 1, 0, 1 and the keys 0, 0, 1, 1.
    #! only_keys_shared: k, v = k[:, reads], v[:, [0] * H]
    #  The keys are shared in groups, but the values are all those of kv head 0.
    #! only_values_shared: k, v = k[:, [0] * H], v[:, reads]
    #  The values are shared in groups, but the keys are all those of kv head 0.
    #! mean_kv_head: k, v = k.mean(1, keepdim=True) + 0 * q[:, :, :1, :1], v.mean(1, keepdim=True)
    #  All query heads read the mean of all kv heads.
    scores = q @ k.transpose(-2, -1) / math.sqrt(d)
    #: `attention` of lab 04 divides by sqrt(d), with d = q.shape[-1].
    #! no_scale: scores = q @ k.transpose(-2, -1)
    #  The scores are not divided by sqrt(d).
    #! scaled_by_d: scores = q @ k.transpose(-2, -1) / d
    #  The scores are divided by d (or by sqrt(d) twice: attention has done it already).
    #! scaled_by_all_heads: scores = q @ k.transpose(-2, -1) / math.sqrt(H * d)
    #  It divides by the root of H·d, the model's width. A dot product has d terms. [Graylab/DL4Proteins-notebooks#12]
    #! scaled_by_kv_heads: scores = q @ k.transpose(-2, -1) / math.sqrt(K * d)
    #  It divides by the root of K·d, the width of the keys. A dot product has d terms.
    #! scaled_by_group: scores = q @ k.transpose(-2, -1) / math.sqrt(n_rep * d)
    #  It divides by the root of n_rep·d. Sharing does not change the size of a score.
    #! scaled_by_number_of_heads: scores = q @ k.transpose(-2, -1) / math.sqrt(H)
    #  It divides by the root of the number of heads. A dot product has d terms.
    #! scaled_by_keys: scores = q @ k.transpose(-2, -1) / math.sqrt(k.shape[-2])
    #  It divides by the root of the number of keys. A dot product has d terms.
    #! multiplied_by_root: scores = q @ k.transpose(-2, -1) * math.sqrt(d)
    #  It multiplies by sqrt(d) instead of dividing.
    #! fixed_llama_scale: scores = q @ k.transpose(-2, -1) / math.sqrt(128)
    #  It divides by sqrt(128) whatever the head size. That is Llama 3's d.
    #: Queries are never shared: `attention(q, repeat_kv(k, n_rep), repeat_kv(v, n_rep), mask)`.
    #! summed_scores: …; scores = scores.unflatten(1, (K, -1)).sum(2).repeat_interleave(n_rep, 1)
    #  The scores of a group are added up. In an einsum the dimension n_rep has to stay in the result.
    #: Only `mask` decides who may look.
    #! always_causal: …; mask = top_left(q, k)
    #! always_causal: …; mask = bottom_right(q, k)
    #  It is causal whatever the mask says, and counts the queries from position 0 (`is_causal=True` does both). [pytorch/pytorch#108108]
    #: `if mask is not None:`
    #! causal_without_mask: …; mask = top_left(q, k) if mask is None else mask
    #! causal_without_mask: …; mask = bottom_right(q, k) if mask is None else mask
    #  Without a mask it makes a causal one. Without a mask everyone may look at everything.
    #: The causal mask is an argument like any other.
    #! causal_besides_mask: …; mask = mask if mask is None else mask & top_left(q, k)
    #  Given a mask, it hides the future as well. Only the mask decides.
    if mask is not None:
        scores = scores.masked_fill(~mask, -INF)
        #: `attention` of lab 04 fills hidden scores with -inf before the softmax. Hand it the mask.
        #! mask_ignored: pass
        #  The mask is not used.
        #! mask_of_first_head: scores = scores.masked_fill(~mask.expand(scores.shape)[:, ::n_rep].repeat_interleave(n_rep, 1), -INF)
        #  The mask of each group's first head is used for the whole group. Keys are shared, a mask need not be.
        #! inverted_mask: scores = scores.masked_fill(mask, -INF)
        #  It hides the keys where the mask is True. True means: may look.
        #! mask_multiplied: scores = scores.masked_fill(~mask, 0.0)
        #  A masked score becomes 0, and e^0 is 1: masked keys keep their weight. [georg-wolflein/good-features#1, awslabs/gluonts#1401]
        #! mask_added: scores = scores + mask.to(scores.dtype)
        #  The mask is added as numbers: allowed scores grow by 1, hidden ones stay.
        #! filled_with_plus: scores = scores.masked_fill(~mask, 1e9)
        #! filled_with_plus: scores = scores.masked_fill(~mask, INF)
        #  Hidden scores become large instead of very negative.
        #! fill_too_small: scores = scores.masked_fill(~mask, -1e4)
        #! fill_too_small: scores = scores - 1e4 * ~mask
        #! fill_too_small: scores = scores.masked_fill(~mask, -1e3)
        #  Hidden scores become a number that real scores can fall below, such as -10000.
        #: A mask (T, S) is that of all heads: it broadcasts.
        #! mask_for_first_head: every = mask.expand(scores.shape)[:, :1]; scores = torch.cat([scores[:, :1].masked_fill(~every, -INF), scores[:, 1:]], 1)
        #  The mask counts for the first head only.
        #: The mask broadcasts to (B, H, T, S): each head may have its own.
        #! one_mask_for_all_heads: scores = scores.masked_fill(~mask.expand(scores.shape)[:, :1], -INF)
        #  Of a mask (B, H, T, S) it uses the first head's for all.
        #: The mask broadcasts to (B, H, T, S): each sentence may have its own.
        #! one_mask_for_all_sentences: scores = scores.masked_fill(~mask.expand(scores.shape)[:1], -INF)
        #  Of a mask (B, 1, T, S) it uses the first sentence's for all.
        #: Use `-torch.inf`, or compute in float32: `q.float()`.
        #! billion_in_half: scores = scores.to(dtype).masked_fill(~mask, -1e9).to(v.dtype)
        #  -1e9 does not fit into float16, whose lowest number is -65504.
    weights = softmax(scores)
    #: The softmax runs over the keys, the last dimension. `attention` of lab 04 does it.
    #! softmax_over_queries: weights = softmax(scores, -2)
    #  The softmax runs over the queries. [labmlai/annotated_deep_learning_paper_implementations#146]
    #! softmax_over_heads: weights = softmax(scores, 1)
    #  The softmax runs over the heads. [FudanNLP/fastNLP#254]
    #! no_softmax: weights = scores
    #  There is no softmax.
    #! softmax_twice: weights = softmax(softmax(scores))
    #  The softmax is taken twice.
    #! one_softmax_for_group: g = scores.unflatten(1, (K, -1)).transpose(2, 3); weights = softmax(g.flatten(3)).reshape(g.shape).transpose(2, 3).flatten(1, 2)
    #  One softmax runs over all queries of a group: their rows sum to 1 together. Each row has to by itself.
    #: torch.softmax subtracts each row's maximum first. `attention` of lab 04 uses it.
    #! unstable_softmax: weights = unstable(scores)
    #  e^score is computed as it stands. Beyond 88 that is infinite, and inf / inf is NaN.
    #: `q.float()`, and `.to(q.dtype)` at the end.
    #! unstable_in_half: weights = unstable(scores.to(dtype)).to(v.dtype) if dtype in HALF else softmax(scores)
    #  The softmax is computed in half precision: e^12 does not fit into float16 (65504).
    #: `attention` of lab 04 fills hidden scores with -inf before the softmax. Hand it the mask.
    #! mask_after_softmax: weights = softmax(q @ k.mT / d**0.5) * (1 if mask is None else mask)
    #  The mask comes after the softmax: the rows no longer sum to 1. [huggingface/pytorch-image-models#2236]
    #! masked_and_normalised_again: weights = softmax(q @ k.mT / d**0.5) * (1 if mask is None else mask); weights = weights / weights.sum(-1, keepdim=True)
    #  The mask comes after the softmax, and the rows are divided by what is left. When a masked score is large, nothing is left: 0 / 0.
    out = (weights @ v).to(dtype)
    #: Queries are never shared: `attention(q, repeat_kv(k, n_rep), repeat_kv(v, n_rep), mask)`.
    #! returns_weights: out = weights.to(dtype)
    #  It returns the weights; v is not used.
    #! group_outputs_averaged: …; out = out.unflatten(1, (K, -1)).mean(2).repeat_interleave(n_rep, 1)
    #  The weights of a group are averaged, or its outputs: all its heads give the same.
    #! group_outputs_added: …; out = out.unflatten(1, (K, -1)).sum(2).repeat_interleave(n_rep, 1)
    #  The outputs of a group are added up, and all its heads get the sum.
    return out
    #: (B, H, T, d), heads before positions, and in the order of the queries.
    #! kv_heads_only: return out.unflatten(1, (K, -1)).mean(2)
    #  It is (B, K, T, d): the heads of a group were averaged. All H heads come out.
    #! not_merged: return out.unflatten(1, (K, -1))
    #  It is (B, K, n_rep, T, d). K and n_rep become one dimension again, H.
    #! merged_in_another_order: return out.unflatten(1, (K, -1)).transpose(1, 2).flatten(1, 2)
    #  The heads come back in another order: first the first of each group, then the second …
    #! positions_before_heads: return out.transpose(1, 2)
    #  It is (B, T, H, d). Heads come before positions.
    #! heads_merged_too: return out.transpose(1, 2).flatten(2)
    #  It is (B, T, H·d): the heads are merged already. merge_heads comes afterwards.
    #! returns_both: return out, whole[1]
    #  It returns two things. Only the averaged values are wanted.
    #: `.transpose(1, 2)`, not `.reshape`.
    #! positions_and_heads_mixed: return out.transpose(1, 2).reshape(out.shape)
    #  A reshape cuts (B, T, H, d) into (B, H, T, d): positions and heads are mixed.
    #: No `.detach()`, `.data` or `torch.no_grad()` here.
    #! detached: return out.detach()
    #  The result is cut off from the gradient.
    #: `.to(q.dtype)` at the end.
    #! float32_result: return (weights @ v).float()
    #! float32_result: return out.float()
    #  The result is float32 whatever the input is.
    #! float64_result: return (weights @ v).double()
    #! float64_result: return out.double()
    #  The result is float64.
    #: `q = q / …`, not `q /= …`.
    #! query_changed: whole[0].data.div_(math.sqrt(d)); return out
    #  It divides the caller's q in place.
    #: `~mask` makes a new tensor.
    #! mask_changed: seen is None or seen.logical_not_(); return out
    #  It turns the caller's mask around in place. The next layer gets the opposite.
    #: `torch.empty_like(q)` lies where q does.
    #! buffer_on_cpu: return torch.zeros(out.shape, dtype=dtype).copy_(out)
    #  The result is written into a tensor that lies on the CPU, whatever the device of q is.


def repeated(q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None = None) -> Tensor:
    """By lab 04's attention, on repeated heads."""
    n_rep = q.shape[1] // k.shape[1]
    #: `n_rep = q.shape[1] // k.shape[1]`: how many query heads share a kv head.
    #! repeats_h_times: n_rep = q.shape[1]
    #  Keys and values are repeated H times. Each stands for H / K query heads.
    #! repeats_k_times: n_rep = k.shape[1]
    #  Keys and values are repeated K times. Each stands for H / K query heads.
    #! quotient_upside_down: n_rep = k.shape[1] // q.shape[1]
    #  It divides K by H: that is 0 copies. H / K query heads share a kv head.
    #! size_not_whole: n_rep = q.shape[1] / k.shape[1]
    #  `/` gives a float, and a number of copies is whole: `//`.
    #! not_repeated: n_rep = 1
    #  Keys and values are not repeated: that goes well for K = 1 and K = H only.
    k = k.repeat_interleave(n_rep, dim=1)
    #! positions_repeated: k, v = k.repeat_interleave(n_rep, dim=2), v.repeat_interleave(n_rep, dim=2)
    #! positions_repeated: k = k.repeat_interleave(n_rep, dim=2)
    #  The positions are repeated: `dim=2` is S here. The heads are dimension 1.
    v = v.repeat_interleave(n_rep, dim=1)
    #! heads_and_positions_swapped: k, v = k.transpose(1, 2), v.transpose(1, 2)
    #! heads_and_positions_swapped: k = k.transpose(1, 2)
    #  Positions and heads of the keys have changed places: they come as (B, K, S, d).
    #! needs_a_mask: mask = mask.bool(); v = v.repeat_interleave(n_rep, dim=1)
    #! needs_a_mask: mask = ~~mask; v = v.repeat_interleave(n_rep, dim=1)
    #  Without a mask it stops: `mask` may be None, and then everyone may look at everything.
    return attention(q, k, v, mask)


def stacked(q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None = None) -> Tensor:
    """Without copies: the queries of a group stand one under the other."""
    (B, H, T, d), (K, S) = q.shape, k.shape[1:3]
    #! heads_and_positions_swapped: (B, H, T, d), (S, K) = q.shape, k.shape[1:3]
    n_rep = H // K
    #! repeats_k_times: n_rep = K
    #! size_not_whole: n_rep = H / K
    queries = q.reshape(B, K, n_rep * T, d)
    #: `q.reshape(B, K, H // K * T, d)`: heads are neighbours, so no transpose.
    #! positions_and_heads_mixed: queries = q.transpose(1, 2).reshape(B, K, n_rep * T, d)
    #! tiled: queries = q.unflatten(1, (n_rep, K)).transpose(1, 2).reshape(B, K, n_rep * T, d)
    #! mask_of_two_dimensions: return attention(q.unflatten(1, (K, n_rep)), k.unsqueeze(2), v.unsqueeze(2), mask).flatten(1, 2)
    #! kv_heads_only: n, n_rep, H = n_rep, 1, K; queries = q.unflatten(1, (K, n)).mean(2); mask = mask if mask is None else mask.expand(B, n * K, T, S)[:, ::n]
    if mask is not None:
        mask = mask.expand(B, H, T, S).reshape(B, K, n_rep * T, S)
        #: A mask broadcasts to (B, H, T, S): `mask.expand(B, H, T, S).reshape(B, K, H // K * T, S)`.
        #! mask_not_stretched: mask = mask
        #  The queries of a group stand one under the other, and the mask still has T rows.
        #! mask_rows_repeated: mask = mask.repeat_interleave(n_rep, dim=-2)
        #! mask_rows_repeated: mask = mask.expand(B, H, T, S)[:, :K].repeat_interleave(n_rep, dim=-2)
        #  Each row of the mask is repeated in place. The whole mask has to follow again, head after head.
        #! masks_of_the_first_heads: mask = mask.expand(B, H, T, S)[:, :K].repeat(1, 1, n_rep, 1)
        #  The masks of the first K heads serve for all. Each head may have its own.
        #! mask_of_two_dimensions: mask = mask.expand(T, S).repeat(n_rep, 1)
        #! mask_of_two_dimensions: mask = mask.repeat(n_rep, 1)
        #  It takes a mask (T, S) only. A mask may have a dimension for texts and one for heads.
        #! mask_of_kv_heads: mask = mask.expand(B, K, T, S).repeat(1, 1, n_rep, 1)
        #  The mask is made for K heads, and one of its own for each of the H heads does not fit.
    out = attention(queries, k, v, mask)
    return out.reshape(B, H, T, d)
    #! positions_before_heads: return out.reshape(B, T, H, d)
    #! groups_not_unstacked: return out
    #  The groups come back as they were stacked: (B, K, n_rep · T, d). All H heads are wanted.
    #! cut_in_another_order: return out.reshape(B, K, T, n_rep, d).transpose(2, 3).reshape(B, H, T, d)
    #! cut_in_another_order: return out.reshape(B, T, H, d).transpose(1, 2)
    #  The result is cut into heads in another order than the queries were stacked.


MISTAKES: list[Mistake] = mistakes_of(grouped_query_attention, repeated, stacked)
