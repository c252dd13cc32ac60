"""Lab 14, 14.2: accept_probability, and what people write in place of its lines."""

import torch
from torch import Tensor

from checks.engine import Mistake, mistakes_of


def accept_probability(p: Tensor, q: Tensor) -> Tensor:
    wide_p, wide_q = p.float(), q.float()
    #: Compute in float32, `p.float()`, and go back at the end.
    #! in_half_precision:
    #| total = torch.zeros_like(p[..., 0])
    #| for token in range(p.shape[-1]):
    #|     total = total + torch.minimum(p[..., token], q[..., token])
    #| return total
    #  The sum is computed in half precision, where small probabilities are lost in it.
    shared = torch.minimum(wide_p, wide_q)
    #: `torch.minimum(p, q)`, token by token.
    #! product: shared = wide_p * wide_q
    #  It multiplies p and q: how often two draws are the same token. The rule accepts more, min(p, q).
    #! larger: shared = torch.maximum(wide_p, wide_q)
    #  It takes the larger of p and q. What both have is the smaller.
    #! square_root: shared = (wide_p * wide_q).sqrt()
    #  It takes the root of p times q. What both have is the smaller of them.
    #! average: shared = (wide_p + wide_q) / 2
    #  It takes the mean of p and q, which always sums to 1.
    #! ratio: shared = (wide_p / wide_q).clamp(max=1)
    #  It adds up min(1, p / q), without the probability q that the token is guessed at all.
    #! ratio_of_the_target: shared = wide_p * (wide_p / wide_q).clamp(max=1)
    #  min(1, p / q) is weighted with p. The guess is drawn from q.
    #! upside_down: shared = wide_q * (wide_q / wide_p).clamp(max=1)
    #  The ratio is upside down: a guess is accepted with min(1, p / q).
    #! zero_times_nan: shared = wide_q * (wide_p / wide_q).clamp(max=1)
    #  Where p and q are both 0, p / q is NaN, and 0 · NaN is NaN. `torch.minimum(p, q)` divides by nothing.
    #! where_p_is_larger: shared = torch.where(wide_p >= wide_q, wide_q, 0.0)
    #  It accepts only where p is at least q. Where p is smaller, the guess is accepted too, in p / q of the cases.
    #! where_p_is_smaller: shared = torch.where(wide_p < wide_q, wide_p, 0.0)
    #  It counts only the tokens where p is smaller than q.
    #! not_shared: shared = (wide_p - wide_q).clamp(min=0)
    #  This is how often a guess is rejected, 1 minus what is asked for.
    #! whole_distance: shared = 1 / p.shape[-1] - (wide_p - wide_q).abs()
    #  It is 1 minus the sum of |p - q|. Half of that sum is right: what p has too much, q has too little.
    #! distance: shared = (wide_p - wide_q).abs()
    #  It adds up how far p and q are apart. What they share is asked for.
    #! target_only: shared = wide_p
    #  q makes no difference.
    #! softmax_again: shared = torch.minimum(wide_p.softmax(-1), wide_q.softmax(-1))
    #  It takes the softmax of what are probabilities already.
    #! likeliest_only: shared = torch.where(wide_p == wide_p.amax(-1, keepdim=True), torch.minimum(wide_p, wide_q), 0.0)
    #  It counts the target's likeliest token only.
    total = shared.sum(dim=-1)
    #: `.sum(dim=-1)`: over the vocabulary.
    #! mean: total = shared.mean(dim=-1)
    #  It takes the mean over the tokens. The sum is the probability.
    #! over_everything: total = shared.sum()
    #  One sum for all rows together. Each row has its own.
    #! over_the_batch: total = shared.sum(dim=0)
    #  The sum runs over the rows (dim=0). The vocabulary is dim=-1.
    #! dim_one: total = shared.sum(dim=1)
    #  It uses dim=1. With two dimensions that is the last one; with three or one it is not.
    #! axis_kept: total = shared.sum(dim=-1, keepdim=True)
    #  The vocabulary's axis is kept, (..., 1). (...) is wanted.
    #! not_added_up: total = shared
    #  Nothing is added up. One number for each row is wanted.
    #! least: total = shared.amin(dim=-1)
    #  It takes the smallest of them. They are added up.
    #! largest: total = shared.amax(dim=-1)
    #  It takes the largest of them. They are added up.
    #! a_number: total = shared.sum(dim=-1).tolist()
    #  It returns numbers in place of a tensor.
    #! detached: total = shared.sum(dim=-1).detach()
    #  The result is cut off from p and q: no gradient flows back.
    #! rejected: total = 1 - shared.sum(dim=-1)
    #  This is how often a guess is rejected. 1 minus it is asked for.
    #! share_of_both: total = shared.sum(-1) / torch.maximum(wide_p, wide_q).sum(-1)
    #  It divides by the sum of the larger ones. The shared part itself is the probability.
    return total.to(p.dtype)
    #: `.to(p.dtype)` at the end.
    #! float32_result: return total
    #  It returns float32 for half precision.


MISTAKES: list[Mistake] = mistakes_of(accept_probability)
