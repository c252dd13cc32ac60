"""Lab 14, 14.3: residual_distribution, and what people write in place of its lines."""

import torch
from torch import Tensor

from checks.engine import Mistake, mistakes_of


def residual_distribution(p: Tensor, q: Tensor) -> Tensor:
    wide_p, wide_q = p.float(), q.float()
    rest = (wide_p - wide_q).clamp(min=0)
    #: `(p - q).clamp(min=0)`: what p has more than q.
    #! the_target_itself: rest = wide_p
    #  It gives p itself. Accepted guesses bring min(p, q) already; drawn from p, tokens that the draft likes come out too often. [ShopeeLLM/Spec-RL#14]
    #! turned_round: rest = (wide_q - wide_p).clamp(min=0)
    #  It is turned round: what q has more than p. That is what is thrown away.
    #! added: rest = wide_p + wide_q
    #  It adds p and q. What p has more than q is missing: the difference.
    #! absolute: rest = (wide_p - wide_q).abs()
    #  It takes the size of the difference. Where q is larger nothing is missing.
    #! negative_left: rest = wide_p - wide_q
    #  Where q is larger the difference is negative, and stays so. There is no negative probability.
    #! shared_part: rest = torch.minimum(wide_p, wide_q)
    #  This is what is accepted, min(p, q). The rest is asked for.
    #! not_subtracted: rest = torch.where(wide_p > wide_q, wide_p, 0.0)
    #  Where p is larger it keeps all of p. Only what p has more than q is missing.
    #! draft_s_likeliest_removed: rest = torch.where(wide_q == wide_q.amax(-1, keepdim=True), 0.0, wide_p)
    #  It takes p without the draft's likeliest token. Max(0, p - q) is missing, of every token.
    #! ratio: rest = (wide_p / wide_q - 1).clamp(min=0).nan_to_num(0, 0, 0)
    #! ratio: rest = (wide_p / wide_q).nan_to_num(0, 0, 0)
    #  It takes the ratio of p to q. The difference is missing.
    #! one_minus_q: rest = wide_p * (1 - wide_q)
    #  It multiplies p by 1 - q. The difference p - q is missing.
    #! larger: rest = torch.maximum(wide_p, wide_q)
    #  It takes the larger of p and q.
    #! square: rest = (wide_p - wide_q).clamp(min=0) ** 2
    #  The differences are squared.
    #! indicator: rest = (wide_p > wide_q).float()
    #  All tokens that p likes better become equally likely. How much better is lost.
    #! softmax_again: rest = (wide_p.softmax(-1) - wide_q.softmax(-1)).clamp(min=0)
    #  It takes the softmax of what are probabilities already.
    #! logarithms: rest = (wide_p.log() - wide_q.log()).clamp(min=0).nan_to_num(0, 0, 0)
    #  It subtracts logarithms. The probabilities themselves are to be subtracted.
    total = rest.sum(dim=-1, keepdim=True)
    #: `rest.sum(dim=-1, keepdim=True)`: over the vocabulary, the axis kept.
    #! one_sum: total = rest.sum()
    #! one_sum: return torch.where(rest.sum(-1, keepdim=True) > 0, rest / rest.sum().clamp(min=1e-9), wide_p).to(p.dtype)
    #  One sum for all rows together. Each row has its own.
    #! over_the_batch: total = rest.sum(dim=0, keepdim=True)
    #  The sum runs over the rows (dim=0). The vocabulary is dim=-1.
    #! dim_one: total = rest.sum(dim=1, keepdim=True)
    #  It uses dim=1. With two dimensions that is the last one; with three or one it is not.
    #! lost_axis: total = rest.sum(dim=-1)
    #  sum(dim=-1) drops its dimension, (...), and the rows no longer fit (..., V).
    #! sum_of_p: total = wide_p.sum(dim=-1, keepdim=True)
    #! sum_of_p: total = torch.ones_like(rest[..., :1])
    #  It is not scaled: its sum is below 1. Divide by the sum of what is left.
    #! largest: total = rest.amax(dim=-1, keepdim=True)
    #  It divides by the largest, so that the sum is not 1.
    #! by_the_accepted: total = torch.minimum(wide_p, wide_q).sum(dim=-1, keepdim=True)
    #  It divides by how often a guess is accepted. Divide by the sum of what is left, 1 minus that.
    #! root_of_squares: total = rest.norm(dim=-1, keepdim=True)
    #  It divides by the root of the sum of squares. A sum of 1 is wanted.
    #! softmax_of_the_rest: return torch.where(rest.sum(-1, keepdim=True) > 0, rest.softmax(-1), wide_p)
    #! softmax_of_the_rest: return rest.softmax(-1).to(p.dtype)
    #! softmax_of_the_rest: return (wide_p - wide_q).softmax(-1).to(p.dtype)
    #  It takes the softmax of the differences, and tokens that are not missing get a share. Divide by the sum.
    scaled = rest / total.where(total > 0, 1.0)
    #: Where the sum is 0, give p: `torch.where(total > 0, …, p)`.
    #! multiplied: scaled = rest * total
    #  It multiplies by the sum. Divide by it, and all add up to 1.
    #! zero_over_zero: return (rest / total).to(p.dtype)
    #  Where p and q are equal it divides 0 by 0, and gives NaN. [jaymody/speculative-sampling#5]
    #! all_zero: …; return scaled.to(p.dtype)
    #! all_zero: return (rest / (total + 1e-8)).to(p.dtype)
    #! all_zero: return (rest / total.clamp(min=1e-9)).to(p.dtype)
    #! all_zero: return torch.nn.functional.normalize(rest, p=1, dim=-1).to(p.dtype)
    #! all_zero: return (rest / total).nan_to_num(0).to(p.dtype)
    #  Where p and q are equal it gives zeros, from which nothing can be drawn. Give p there.
    #! uniform: …; return torch.where(total > 0, scaled, 1 / p.shape[-1]).to(p.dtype)
    #  Where p and q are equal it makes all tokens equally likely. Give p there. [duoan/TorchCode#16]
    #! whole_batch_equal: return (p if not bool(total.any()) else rest / total).to(p.dtype)
    #! whole_batch_equal: return p if torch.equal(p, q) else (rest / total).to(p.dtype)
    #  It gives p only when all rows are equal. Each row is looked at for itself.
    #! one_row_equal: …; return p if bool((total == 0).any()) else scaled.to(p.dtype)
    #  One row that is equal makes it give p in all rows. Each row is looked at for itself.
    #! nearly_equal_is_equal: …; return torch.where(total > 1e-4, scaled, wide_p).to(p.dtype)
    #! nearly_equal_is_equal: …; return torch.where(total > 1e-3, scaled, wide_p).to(p.dtype)
    #  Rows that are only nearly equal count as equal. What is left may be small; scaled, it is as good as any.
    #! tiny_added: return ((rest + 1e-3) / (rest + 1e-3).sum(-1, keepdim=True)).to(p.dtype)
    #  Something is added to every token, so that those come out of which nothing is missing.
    #! likeliest: return torch.nn.functional.one_hot(rest.argmax(-1), p.shape[-1]).to(p.dtype)
    #  It makes the largest of them certain. All that is missing is to be drawn from.
    return torch.where(total > 0, scaled, wide_p).to(p.dtype)
    #: `.to(p.dtype)` at the end, and no `.detach()`.
    #! float32_result: return torch.where(total > 0, scaled, wide_p)
    #  It returns float32 for half precision.
    #! detached: return torch.where(total > 0, scaled, wide_p).to(p.dtype).detach()
    #  The result is cut off from p and q: no gradient flows back.


MISTAKES: list[Mistake] = mistakes_of(residual_distribution)
