"""Lab 12, 12.7: attend_block, and what people write in place of its lines.

Sources are the public issues in which somebody really made the mistake.
"""

import math

import torch
from torch import Tensor

from checks.engine import Mistake, mistakes_of

State = tuple[Tensor, Tensor, Tensor]


def attend_block(
    q: Tensor, k: Tensor, v: Tensor, state: State | None = None, mask: Tensor | None = None
) -> State:
    q, k, v = q.float(), k.float(), v.float()
    #: `q.float()`, `k.float()`, `v.float()`: the state is float32.
    #! in_half_precision: pass
    #  It computes in half precision: a sum over many keys loses its small terms, and the state is not float32.
    #: `k` gives the scores, `v` what is averaged.
    #! keys_and_values_swapped: …; k, v = v, k
    #  k and v have changed places.
    #! detached: q, k, v = q.detach().float(), k.detach().float(), v.detach().float()
    #  The result is cut off from the gradient.
    scores = q @ k.transpose(-2, -1) / math.sqrt(q.shape[-1])
    #: `q @ k.transpose(-2, -1) / math.sqrt(q.shape[-1])`
    #! no_scale: scores = q @ k.transpose(-2, -1)
    #  The scores are not divided by sqrt(d).
    #! divided_by_d: scores = q @ k.transpose(-2, -1) / q.shape[-1]
    #  The scores are divided by d, not by its root.
    #! scaled_by_keys: scores = q @ k.transpose(-2, -1) / math.sqrt(k.shape[-2])
    #  The scores are divided by the root of the number of keys. It is sqrt(d).
    #! divided_to_whole_numbers: scores = q @ k.transpose(-2, -1) // math.sqrt(q.shape[-1])
    #  The scores are divided to whole numbers: `//` where `/` is meant.
    #! negated_scores: scores = -(q @ k.transpose(-2, -1)) / math.sqrt(q.shape[-1])
    #  The scores have the wrong sign.
    #! multiplied_by_root: scores = q @ k.transpose(-2, -1) * math.sqrt(q.shape[-1])
    #  The scores are multiplied by sqrt(d), not divided.
    if mask is not None:
        #: `scores.masked_fill(~mask, -torch.inf)`, before the largest is looked for.
        #! mask_ignored: if False:
        #  The mask is not used.
        scores = scores.masked_fill(~mask, -torch.inf)
        #! inverted_mask: scores = scores.masked_fill(mask, -torch.inf)
        #  It hides the keys where the mask is True. True means: may look.
        #! masked_with_zero: scores = scores.masked_fill(~mask, 0.0)
        #! masked_with_zero: scores = scores * mask
        #  Hidden scores become 0, and exp(0) = 1 is no small weight.
        #! large_negative: scores = scores.masked_fill(~mask, -1e9)
        #! large_negative: scores = scores.masked_fill(~mask, torch.finfo(scores.dtype).min)
        #! large_negative: scores = scores.masked_fill(~mask, -1e4)
        #! large_negative: scores = scores.masked_fill(~mask, -5e4)
        #! large_negative: scores = scores.masked_fill(~mask, -1e30)
        #  Hidden scores get a large negative number. A query that has seen nothing then takes it for its largest score, and exp(0) = 1: it averages what is hidden. [flashinfer-ai/flashinfer#4267]
        #! mask_in_place: mask.logical_not_(); scores = scores.masked_fill(mask, -torch.inf)
        #  It turns the caller's mask over, in place.
    if state is None:
        #: m begins at -inf, l and o at 0: no key has been seen.
        #! state_ignored: if True:
        #  What came before is forgotten: every block begins anew.
        m = scores.new_full((*scores.shape[:-1], 1), -torch.inf)
        #! m_starts_at_zero: m = scores.new_zeros((*scores.shape[:-1], 1))
        #  m begins at 0. Where all scores are below 0, that is none of them; far below, every exp is 0.
        #! m_starts_low: m = scores.new_full((*scores.shape[:-1], 1), -1e9)
        #! m_starts_low: m = scores.new_full((*scores.shape[:-1], 1), -1e4)
        #! m_starts_low: m = scores.new_full((*scores.shape[:-1], 1), -1e30)
        #! m_starts_low: m = scores.new_full((*scores.shape[:-1], 1), torch.finfo(torch.float32).min)
        #  m begins at a large negative number. A query that has seen no key keeps -inf, and scores can be lower still. [flashinfer-ai/flashinfer#4267]
        #! m_starts_high: m = scores.new_full((*scores.shape[:-1], 1), torch.inf)
        #  m begins at +inf, and no score is larger.
        l = torch.zeros_like(m)
        o = torch.zeros_like(q[..., :1]) * torch.zeros_like(v[..., :1, :])
        #! o_made_on_the_cpu: o = torch.zeros(*q.shape[:-1], v.shape[-1])
        #! o_made_on_the_cpu: m = torch.full((*q.shape[:-1], 1), -torch.inf); l = torch.zeros(*q.shape[:-1], 1); …
        #! o_made_on_the_cpu: m = torch.full((*q.shape[:-1], 1), -torch.inf); …
        #  The first state is made on the CPU whatever the device of q is.
    else:
        m, l, o = state
        #: `m, l, o = state`
        #! state_swapped: m, o, l = state
        #  l and o have changed places in the state.
    block_m = scores.amax(dim=-1, keepdim=True)
    #: `scores.amax(dim=-1, keepdim=True)`: one number for each query.
    #! one_for_all: block_m = scores.max().expand(m.shape)
    #! one_for_all: block_m = scores.amax(dim=(-2, -1), keepdim=True).expand(m.shape)
    #  One largest score is taken for all queries. Each has its own.
    #! over_queries: block_m = scores.amax(dim=-2, keepdim=True).transpose(-2, -1)
    #! over_queries: block_m = scores.amax(dim=-2).unsqueeze(-1)
    #  The largest is looked for over the queries. It is one for each query, over the keys.
    #! largest_size: block_m = scores.abs().amax(dim=-1, keepdim=True)
    #  The largest in size is taken, whatever its sign.
    #! empty_row_is_zero: block_m = torch.where(block_m == -torch.inf, 0.0, block_m) if (block_m := scores.amax(dim=-1, keepdim=True)) is not None else block_m
    #  The largest score of an empty row is taken for 0, and stored as m. Later scores below 0 are measured against it. [Dao-AILab/flash-attention#2082]
    new_m = torch.maximum(m, block_m)
    #: `torch.maximum(m, scores.amax(-1, keepdim=True))`
    #! forgets_old_m: new_m = block_m
    #  m is the largest score of this block only. It is the largest of all blocks so far.
    #! keeps_old_m: new_m = m if state is not None else block_m
    #  m stays that of the first block. A larger score makes exp overflow.
    #! smaller_of_both: new_m = torch.minimum(m, block_m)
    #  It takes the smaller of the two largest scores.
    #! sum_of_both: new_m = torch.where(m == -torch.inf, block_m, m + block_m)
    #  It adds the two largest scores.
    #! no_maximum: new_m = torch.zeros_like(m)
    #  No largest score is subtracted: exp overflows at 89.
    still = torch.where(new_m == -torch.inf, 0.0, new_m)
    #: `still = torch.where(new_m == -torch.inf, 0.0, new_m)`, and subtract that.
    #! infinity_minus_infinity: still = new_m
    #  Where a query has seen nothing, -inf - (-inf) is NaN, and it stays. [flashinfer-ai/flashinfer#4401, tracel-ai/burn#4697]
    #! turned_round: still = torch.where(new_m != -torch.inf, 0.0, new_m)
    #  0 is subtracted where there is a largest score, and -inf where there is none: the two are turned round.
    #! zero_for_m: …; new_m = still
    #  A query that has seen nothing gets m = 0. m stays -inf then: a later score below 0 must count as its largest. [Dao-AILab/flash-attention#2082]
    old = torch.exp(m - still)
    #: `torch.exp(m - new_m)`: at most 1, since m can only grow.
    #! never_rescaled: old = torch.ones_like(m)
    #  The old l and o are not rescaled when m grows. They are sums of exp(score - old m).
    #! rescaled_the_wrong_way: old = torch.where(m == -torch.inf, 0.0, torch.exp(still - m))
    #! rescaled_the_wrong_way: old = torch.exp(still - m)
    #  The old sums are rescaled the wrong way: exp(new_m - m) makes them larger. It is exp(m - new_m).
    #! old_sum_of_exponents: old = torch.exp(m + still)
    #  The largest scores are added in the exponent: exp(m - new_m) is the factor.
    #! rescaled_by_difference: old = torch.where(m == -torch.inf, 0.0, 1 + m - still)
    #  The old sums are not rescaled by exp(m - new_m).
    #! rescaled_by_block: old = torch.exp(m - torch.where(block_m == -torch.inf, 0.0, block_m))
    #  The old sums are rescaled by the block's largest score. It is the new m, the larger of both.
    weights = torch.exp(scores - still)
    #: `torch.exp(scores - new_m)`
    #! measured_from_old_m: weights = torch.exp(scores - torch.where(m == -torch.inf, still, m))
    #  The new scores are measured from the old m. l and o are sums of exp(score - m) with one m, the new one.
    #! measured_from_block_m: weights = torch.exp(scores - torch.where(block_m == -torch.inf, 0.0, block_m))
    #  The new scores are measured from the block's own largest. It is the largest of all blocks so far that m stands for.
    #! sum_of_exponents: weights = torch.exp(scores + still)
    #  The largest score is added to the scores. It is subtracted: exp(score - m) is 1 at most.
    #! no_exp: weights = torch.where(scores == -torch.inf, 0.0, scores - still)
    #  There is no exp.
    #! softmax_each_block: weights = torch.softmax(scores, dim=-1).nan_to_num(0.0)
    #! softmax_each_block: weights = torch.softmax(scores, dim=-1)
    #  There is a softmax in each block. The sum over all keys is not known before the last one: l keeps it until then.
    #! powers_of_two: weights = torch.exp2(scores - still)
    #  It takes powers of 2. (Fast kernels do, after they have multiplied the scores by log2(e).)
    new_l = l * old + weights.sum(dim=-1, keepdim=True)
    #: `l * old + weights.sum(-1, keepdim=True)`
    #! l_not_rescaled: new_l = l + weights.sum(dim=-1, keepdim=True)
    #  l is not rescaled when m grows: multiply it by exp(m - new_m). [PaddleJitLab/CUDATutorial#69]
    #! l_arithmetic: new_l = l * old - weights.sum(dim=-1, keepdim=True)
    #! l_arithmetic: new_l = l + old + weights.sum(dim=-1, keepdim=True)
    #! l_arithmetic: new_l = l * old * weights.sum(dim=-1, keepdim=True)
    #! l_arithmetic: new_l = l / old + weights.sum(dim=-1, keepdim=True)
    #  Where l is put together, one thing is added, subtracted or divided that should not be: l · exp(m - new_m) plus the block's sum.
    #! l_forgotten: new_l = weights.sum(dim=-1, keepdim=True)
    #  l is the sum of this block only.
    #! only_old_l: new_l = l * old + (weights.sum(dim=-1, keepdim=True) if state is None else 0)
    #  The new block is not added to l.
    #! l_is_a_mean: new_l = l * old + weights.mean(dim=-1, keepdim=True)
    #  A mean is added to l. The sum over the keys is wanted.
    #! l_over_queries: new_l = l * old + weights.sum(dim=-2, keepdim=True).transpose(-2, -1)
    #! l_over_queries: new_l = l * old + weights.sum(dim=-2).unsqueeze(-1)
    #  l is summed over the queries. It is one sum for each query, over the keys.
    #! l_wrong_axis: new_l = l * old + weights.sum(dim=1, keepdim=True)
    #  It sums over dim=1. The keys are the last dimension.
    #! l_counts: new_l = l + torch.isfinite(scores).sum(-1, keepdim=True)
    #  l counts the keys. It is the sum of exp(score - m).
    #! l_rescaled_whole: new_l = (l + weights.sum(dim=-1, keepdim=True)) * old
    #! l_rescaled_whole: new_l = (l + weights.sum(dim=-1, keepdim=True)) * torch.where(m == -torch.inf, 1.0, old)
    #  The new block's sum is rescaled, too. It is measured from the new m already.
    new_o = o * old + weights @ v
    #: `o * old + weights @ v`
    #! o_not_rescaled: new_o = o + weights @ v
    #  o is not rescaled when m grows. It is a sum of exp(score - m) · v with the old m: multiply it by exp(m - new_m), as l. [PaddleJitLab/CUDATutorial#69]
    #! o_arithmetic: new_o = o * old - weights @ v
    #! o_arithmetic: new_o = o + old + weights @ v
    #  Where o is put together, one thing is added or subtracted that should not be: o · exp(m - new_m) plus the block's part.
    #! o_forgotten: new_o = weights @ v
    #  o is the sum of this block only.
    #! divided_each_block: new_o = o * old + weights @ v / weights.sum(dim=-1, keepdim=True).clamp(min=1e-30)
    #! divided_each_block: new_o = o * old + weights @ v / weights.sum(dim=-1, keepdim=True)
    #  Each block's part is divided by its own sum. Divide once, at the end, by the sum over all blocks.
    #! divided_by_l: new_o = (o * old + weights @ v) / new_l
    #! divided_by_l: new_o = (o * old + weights @ v) / new_l.clamp(min=1e-30)
    #  o is divided by l in each block. It is a sum until the end, when it is divided once.
    #! running_average: new_o = (o * l * old + weights @ v) / new_l
    #! running_average: new_o = (o * l * old + weights @ v) / new_l.clamp(min=1e-30)
    #  o is kept as an average, divided by l. That can be done (FlashAttention's first version did), but here o is the sum.
    #! keys_averaged: new_o = o * old + weights @ k
    #  It adds up the keys. What is averaged are the values.
    #! weights_of_half: new_o = o * old + (weights.sum(-1, keepdim=True) * v.mean(dim=-2, keepdim=True))
    #  Every value gets the same weight.
    #! o_rescaled_whole: new_o = (o + weights @ v) * torch.where(m == -torch.inf, 1.0, old)
    #! o_rescaled_whole: new_o = (o + weights @ v) * old
    #  The new block's part is rescaled, too. It is measured from the new m already.
    #! o_divided_by_old: new_o = o / old.clamp(min=1e-30) + weights @ v
    #! o_divided_by_old: new_o = o / old + weights @ v
    #  The old o is divided by exp(m - new_m). It is multiplied by it: old parts become smaller when a larger score comes.
    return new_m, new_l, new_o
    #: `return new_m, new_l, new_o`
    #! old_m_returned: return m, new_l, new_o
    #  It returns the old m. The next block would measure from it.
    #! average_returned: return new_o / new_l
    #  It returns the average o / l. The state (m, l, o) is wanted: more blocks may come.
    #! state_in_another_order: return new_o, new_m, new_l
    #! state_in_another_order: return new_o, new_l, new_m
    #! state_in_another_order: return new_l, new_m, new_o
    #! state_in_another_order: return new_m, new_o, new_l
    #  The state is returned in another order: it is (m, l, o).
    #! last_axis_lost: return new_m.squeeze(-1), new_l.squeeze(-1), new_o
    #  m and l have lost their last dimension: they are (…, T, 1).
    #! half_state: return new_m.half(), new_l.half(), new_o.half()
    #! half_state: return new_m.bfloat16(), new_l.bfloat16(), new_o.bfloat16()
    #  The state is in half precision. Over many blocks the sums need float32.
    #! logsumexp_returned: return new_m + new_l.log(), new_l, new_o
    #  It returns m + ln l in the place of m: what FlashAttention keeps for the backward pass.
    #! no_return: (new_m, new_l, new_o)
    #  The state is computed and then forgotten: there is no `return`.


def in_place(
    q: Tensor, k: Tensor, v: Tensor, state: State | None = None, mask: Tensor | None = None
) -> State:
    scores = q.float() @ k.float().transpose(-2, -1) / math.sqrt(q.shape[-1])
    if mask is not None:
        scores = scores.masked_fill(~mask, -torch.inf)
    if state is None:
        m = scores.new_full((*scores.shape[:-1], 1), -torch.inf)
        state = m, torch.zeros_like(m), m.new_zeros((*m.shape[:-1], v.shape[-1]))
    m, l, o = state
    new_m = torch.maximum(m, scores.amax(-1, keepdim=True))
    still = torch.where(new_m == -torch.inf, 0.0, new_m)
    old, weights = torch.exp(m - still), torch.exp(scores - still)
    l = l * old + weights.sum(-1, keepdim=True)
    #: `l * old + …` makes a new tensor; `l *= old` writes into the old one.
    #! state_in_place: l *= old; l += weights.sum(-1, keepdim=True); o *= old; o += weights @ v.float(); return new_m, l, o
    #! state_in_place: l.mul_(old).add_(weights.sum(-1, keepdim=True)); o.mul_(old).add_(weights @ v.float()); return new_m, l, o
    #  It writes into the state that it was given, in place.
    o = o * old + weights @ v.float()
    return new_m, l, o


MISTAKES: list[Mistake] = mistakes_of(attend_block, in_place)
