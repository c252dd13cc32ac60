"""Lab 10, 10.4: min_p, and what people write in place of its lines."""

import math

import torch
from torch import Tensor

from checks.engine import Mistake, mistakes_of


def ranks(logits: Tensor) -> Tensor:
    """The place of each logit when the largest comes first: (..., V), from 0; equals in order."""
    return logits.argsort(dim=-1, descending=True, stable=True).argsort(-1)


def nucleus(q: Tensor, p: float) -> Tensor:
    """What top_p keeps."""
    values, order = q.sort(-1, descending=True)
    keep = values.cumsum(-1) - values < p
    return torch.zeros_like(keep).scatter(-1, order, keep)


def logarithm(p: float, base: float = math.e) -> float:
    """That of 0 is -inf."""
    return math.log(p, base) if p else -torch.inf


def rightly(logits: Tensor, p: float) -> Tensor:
    """The right answer, where the wrong one has its name."""
    return min_p(logits, p)


def min_p(logits: Tensor, p: float) -> Tensor:
    probabilities = logits.float().softmax(dim=-1)
    #: `logits.float().softmax(dim=-1)`
    #! softmax_over_the_batch: probabilities = logits.float().softmax(dim=0)
    #! softmax_over_the_batch: probabilities = logits.float().softmax(dim=-2)
    #  The softmax runs over the batch (dim=0). The vocabulary is dim=-1.
    #! dim_one: probabilities = logits.float().softmax(dim=1)
    #  It uses dim=1. With two dimensions that is the last one; with three or one it is not.
    #! share_of_the_logit: probabilities = logits.float()
    #  It compares logits: p times the largest logit. Probabilities are meant; half of a logit is not half as likely, and negative logits turn it
    #  round. [state-spaces/mamba#1010]
    #! log_probabilities_compared: probabilities = logits.float().log_softmax(dim=-1)
    #  It compares logarithms of probabilities: p times a logarithm is not p times as likely.
    #! in_half_precision: probabilities = logits.softmax(dim=-1)
    #  Probabilities and threshold are computed in half precision, where tokens of different probability are rounded to the same number.
    #: `probabilities >= p * probabilities.amax(dim=-1, keepdim=True)`
    #! softmax_of_softmax: probabilities = logits.float().softmax(-1).softmax(-1)
    #  The softmax is taken twice.
    largest = probabilities.amax(dim=-1, keepdim=True)
    #: `probabilities >= p * probabilities.amax(dim=-1, keepdim=True)`
    #! relative_to_the_mean: largest = probabilities.mean(-1, keepdim=True)
    #  It compares with p times the mean probability, p / V. The largest is meant.
    #! relative_to_token_0: largest = probabilities[..., :1]
    #  It compares with token 0, whatever its probability is. The likeliest may stand anywhere. [state-spaces/mamba#927]
    #! largest_logit: largest = logits.float().amax(-1, keepdim=True)
    #  The probabilities are compared with a share of the largest logit. Compare like with like.
    #! squared_share: largest = probabilities.amax(-1, keepdim=True) ** 2
    #  The threshold has the largest probability squared.
    #: `amax(dim=-1, keepdim=True)`
    #! largest_of_the_batch: largest = probabilities.amax()
    #  The threshold comes from the largest probability of the whole batch. Each row has its own. [ml-explore/mlx-lm#1575]
    #! largest_of_each_column: largest = probabilities.amax(0, keepdim=True)
    #! largest_of_each_column: largest = probabilities.amax(-2, keepdim=True)
    #  It looks for the largest along dim=0, the batch: a token is compared with itself in other rows.
    #! dim_one: largest = probabilities.amax(1, keepdim=True)
    #! lost_axis: largest = probabilities.amax(-1)
    #  amax(dim=-1) drops its dimension, (...), and the rows no longer fit (..., V).
    #! first_row_decides: largest = probabilities.flatten(0, -2)[0].amax()
    threshold = p * largest
    #: `probabilities >= p * probabilities.amax(dim=-1, keepdim=True)`
    #! relative_to_one: threshold = p
    #  It compares the probabilities with p itself. The threshold is p times the largest of them; when none reaches p, yours removes everything.
    #! complement: threshold = (1 - p) * largest
    #  The threshold is (1 - p) times the largest probability.
    #! largest_minus_p: threshold = largest - p
    #  The threshold is the largest minus p. It is p times the largest.
    #! p_added: threshold = p + largest
    #  The threshold is p plus the largest, which none can reach. It is p times the largest.
    #! power: threshold = largest**p
    #  The threshold is the largest to the power p. It is p times the largest.
    #! p_over_the_largest: threshold = p / largest
    #  It divides p by the largest. The threshold is p times the largest.
    #! largest_over_p: threshold = largest / p if p else torch.inf
    #  It divides the largest by p. The threshold is p times the largest.
    #: Use `p`.
    #! always_a_tenth: threshold = 0.1 * largest
    #! always_a_tenth: threshold = 0.05 * largest
    #  It uses 0.1 whatever p is.
    keep = probabilities >= threshold
    #: `>=`, not `>`.
    #! strict: keep = probabilities > threshold
    #  It keeps what is above the threshold only. At least p times as likely: p = 1 keeps the likeliest.
    #: `probabilities >= p * probabilities.amax(dim=-1, keepdim=True)`
    #! below_the_threshold: keep = probabilities <= threshold
    #  It keeps what is below the threshold.
    #: `torch.where(keep, logits, -torch.inf)`: what stays is not touched.
    #! inverted: keep = probabilities < threshold
    #: `probabilities >= p * probabilities.amax(dim=-1, keepdim=True)`
    #! relative_to_one_but_one: keep = (probabilities >= p) | (probabilities == largest)
    #  It compares the probabilities with p itself, and saves the likeliest. The threshold is p times the largest probability.
    #! nucleus: keep = nucleus(probabilities, p)
    #! nucleus: keep = nucleus(probabilities, p) | (probabilities == largest)
    #  This is top_p: it adds probabilities up. min_p compares each with the largest.
    #! logits_with_the_threshold: keep = logits >= threshold
    #  The logits are compared with a probability. Compare like with like.
    #: `math.log(p)`, or compare probabilities.
    #! log_base_ten: keep = logits >= logits.amax(-1, keepdim=True) + logarithm(p, 10)
    #! log_base_ten: keep = logits >= logits.amax(-1, keepdim=True) + logarithm(p, 2)
    #  In logits the threshold is the largest plus ln p. It is the natural logarithm.
    #: `probabilities >= p * probabilities.amax(dim=-1, keepdim=True)`
    #! log_of_zero: keep = logits >= logits.amax(-1, keepdim=True) + math.log(p)
    #  math.log(0) is an error. With p = 0 everything stays.
    #! minus_log: keep = logits >= logits.amax(-1, keepdim=True) - logarithm(p)
    #  In logits the threshold is the largest plus ln p, which is negative. It subtracts it.
    #! minus_p: keep = logits >= logits.amax(-1, keepdim=True) - p
    #  It keeps the logits that are at most p below the largest. In logits, p times as likely is the largest plus ln p.
    #! two_at_least: keep = (probabilities >= threshold) | (ranks(logits) < 2)
    #  It always keeps two tokens. Where the model is sure, one stays.
    #! only_the_largest: keep = ranks(logits) == 0
    #  Only the likeliest token stays, whatever the number says.
    #: Is it `<` or `<=`, and does the count begin at 0 or at 1?
    #! one_too_few: …; keep = keep & (ranks(logits) < keep.sum(-1, keepdim=True) - 1)
    #  The last of those that should stay is removed too.
    #! one_too_many: …; keep = ranks(logits) < keep.sum(-1, keepdim=True) + 1
    #  One token too many stays.
    #: `dim=-1`, and `keepdim=True` for a threshold of each row.
    #! rows_together: return rightly(logits.flatten(), p).reshape(logits.shape)
    #  All rows of the batch are thrown together and filtered as one.
    #! wrong_dim: return rightly(logits.movedim(0, -1), p).movedim(-1, 0)
    #  It filters along dim=0, the batch. The vocabulary is dim=-1.
    return torch.where(keep, logits, -torch.inf)
    #: A logit of -inf has probability e^-inf = 0.
    #! zeros_for_removed: return torch.where(keep, logits, 0.0)
    #! zeros_for_removed: return logits * keep
    #  What is removed becomes 0. These are logits: 0 is likelier than every negative one.
    #: `-torch.inf`, or `float('-inf')`.
    #! large_negative: return torch.where(keep, logits, -1e4)
    #! large_negative: return torch.where(keep, logits, -1e9)
    #! large_negative: return torch.where(keep, logits, -1e10)
    #! large_negative: return torch.where(keep, logits, -1e5)
    #! large_negative: return torch.where(keep, logits, -1e8)
    #! large_negative: return torch.where(keep, logits, -1e6)
    #! large_negative: return torch.where(keep, logits, -1000.0)
    #! large_negative: return torch.where(keep, logits, -100.0)
    #! large_negative: return logits.masked_fill(~keep, -1e9)
    #! large_negative: return logits - 1e9 * ~keep
    #  What is removed gets a large negative number. With logits that are themselves of that size the token comes back; -inf is safe.
    #! smallest_number: return torch.where(keep, logits, torch.finfo(logits.dtype).min)
    #! smallest_number: return torch.where(keep, logits, torch.finfo(torch.float32).min)
    #  What is removed gets the smallest number there is, and not -inf. A next filter, or a division by 0.5, sees a number where nothing should be.
    #! plus_infinity: return torch.where(keep, logits, torch.inf)
    #  What is removed becomes +inf, the likeliest of all. It is -inf that means never.
    #! nan_for_removed: return torch.where(keep, logits, torch.nan)
    #  What is removed becomes NaN, and so does every sum with it. It is -inf that means never.
    #: `torch.where(keep, logits, -torch.inf)`: what stays is not touched.
    #! probabilities: return torch.where(keep, logits, -torch.inf).softmax(-1)
    #! probabilities: return torch.where(keep, logits.softmax(-1), 0.0)
    #! probabilities: return torch.where(keep, logits.softmax(-1), -torch.inf)
    #  It returns probabilities. Logits go in and logits come out, so that the next filter can go on with them.
    #! log_probabilities: return torch.where(keep, logits, -torch.inf).log_softmax(-1)
    #  It returns logarithms of the new probabilities: every logit is shifted. The distribution is right; what stays should stay as it was.
    #! old_log_probabilities: return torch.where(keep, logits.log_softmax(-1), -torch.inf)
    #  It returns logarithms of the old probabilities: every logit is shifted. The distribution is right; what stays should stay as it was.
    #! mask_returned: return keep
    #! mask_returned: return keep.to(logits.dtype)
    #! mask_returned: return torch.where(keep, 1.0, -torch.inf)
    #  It returns which tokens stay, not their logits.
    #! kept_become_zero: return torch.where(keep, 0.0, -torch.inf)
    #! kept_become_zero: return torch.zeros_like(logits).masked_fill(~keep, -torch.inf)
    #  What stays becomes 0: all of them are equally likely then. What stays is not touched.
    #! only_the_kept: return logits[keep]
    #  It returns those that stay alone, in one row. All V places of every row are expected.
    #! inverted: return torch.where(keep, -torch.inf, logits)
    #  It removes what should stay and keeps what should go.
    #: `keep = torch.zeros_like(…).scatter(-1, order, keep_sorted)`, or compare with a threshold and never sort the result.
    #! left_sorted: return torch.where(keep, logits, -torch.inf).sort(-1, descending=True).values
    #! left_sorted: return torch.where(keep, logits, -torch.inf).sort(-1).values
    #  The result is in sorted order: place 0 is no longer token 0. The logits must go back to their tokens' places.
    #: `dim=-1`, and `keepdim=True` for a threshold of each row.
    #! first_row_decides: return torch.where(keep.flatten(0, -2)[:1].expand(keep.flatten(0, -2).shape).reshape(keep.shape), logits, -torch.inf)
    #  What the first row keeps is kept in all rows. Each has its own logits.
    #: `torch.where(keep, logits, -torch.inf)`: what stays is not touched.
    #! unchanged: return logits
    #  Nothing is removed.
    #! in_place: logits[~keep] = -torch.inf; return logits
    #  It writes into the logits that it was given, and the caller may still need them.
    #: Compute the rule in float32, and take the logits themselves: `torch.where(keep, logits, -torch.inf)`: what stays is not touched.
    #! float32_result: return torch.where(keep, logits.float(), -torch.inf)
    #  The result is float32 whatever the logits are.
    #: Take the logits themselves: `torch.where(keep, logits, -torch.inf)`.
    #! float64_result: return torch.where(keep, logits.double(), -torch.inf)
    #  The result is float64 whatever the logits are.
    #: No `.detach()`, `.data` or `torch.no_grad()` here.
    #! detached: return torch.where(keep, logits.detach(), -torch.inf)
    #  The result is cut off from the gradient.
    #: `torch.full_like(logits, -torch.inf)`, or torch.where with a number.
    #! made_on_the_cpu: return torch.where(keep, logits, torch.full(logits.shape, -torch.inf, dtype=logits.dtype))
    #  A tensor is made on the CPU whatever the device of the logits is.
    #: `return torch.where(keep, logits, -torch.inf)`
    #! no_return: torch.where(keep, logits, -torch.inf)
    #  The result is computed and then forgotten: there is no `return`.


MISTAKES: list[Mistake] = mistakes_of(min_p)
