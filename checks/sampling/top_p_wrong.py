"""Lab 10, 10.3: top_p, and what people write in place of its lines: sorted from either end.

Sources are the public issues in which somebody really made the mistake.
"""

import torch
from torch import Tensor

from checks.engine import Mistake, mistakes_of


def ranks(logits: Tensor) -> Tensor:
    """The place of each logit when the largest comes first: (..., V), from 0; equals in order."""
    return logits.argsort(dim=-1, descending=True, stable=True).argsort(-1)


def least(keep: Tensor, logits: Tensor) -> Tensor:
    """The smallest logit that stays in each row: (..., 1)."""
    return torch.where(keep, logits, torch.inf).amin(-1, keepdim=True)


def rightly(logits: Tensor, p: float) -> Tensor:
    """The right answer, where the wrong one has its name."""
    return top_p(logits, p)


def without_equals(logits: Tensor, p: float) -> Tensor:
    """The set without those that equal its last one, if there are several."""
    values, order = logits.double().softmax(-1).sort(dim=-1, stable=True)
    keep = (values.cumsum(-1) > 1 - p) | (p >= 1)
    keep[..., -1] = True
    keep = torch.zeros_like(keep).scatter(-1, order, keep)
    several = (logits == least(keep, logits)).sum(-1, keepdim=True) > 1
    return keep & ((logits > least(keep, logits)) | ~several | (ranks(logits) == 0) | (p >= 1))


def top_p(logits: Tensor, p: float) -> Tensor:
    probabilities = logits.float().softmax(dim=-1)
    #: `logits.float().softmax(dim=-1)`
    #! softmax_over_the_batch: probabilities = logits.float().softmax(dim=0)
    #! softmax_over_the_batch: probabilities = logits.float().softmax(dim=-2)
    #  The softmax runs over the batch (dim=0). The vocabulary is dim=-1.
    #! dim_one: probabilities = logits.float().softmax(dim=1)
    #! sums_of_logits: probabilities = logits.float()
    #  It adds up logits. Mass is probability: softmax first.
    #! only_the_largest: probabilities = logits.float().log_softmax(dim=-1)
    #! sums_of_exponentials: probabilities = logits.float().exp()
    #  It adds up exponentials. Mass is probability: they still have to be divided by their sum.
    #: Once is enough: probabilities = softmax(logits).
    #! softmax_of_softmax: probabilities = logits.float().softmax(-1).softmax(-1)
    #  The softmax is taken twice.
    #: `logits.float().softmax(dim=-1)`
    #! softmax_in_half_precision: probabilities = logits.softmax(dim=-1).double()
    #  The softmax is taken in half precision: its probabilities are rounded, and their sum is no longer 1. Compute it in float32.
    #! in_half_precision: probabilities = logits.softmax(dim=-1)
    #  In bfloat16 the sums are rounded to steps of 0.004 near 1, larger than the probabilities in the tail. Compute them in float32.
    ascending, order = probabilities.sort(dim=-1)
    #: From the small end compare with 1 - p, from the large end with p.
    #! descending_compared_as_ascending: ascending, order = probabilities.sort(dim=-1, descending=True)
    #  It sorts from the large end and compares as if from the small one: then the sum is that of the likelier.
    #: `sort(dim=-1)`
    #! sorted_over_the_batch: ascending, order = probabilities.sort(dim=0)
    #! sorted_over_the_batch: ascending, order = probabilities.sort(dim=-2)
    #  It sorts along the batch (dim=0). The vocabulary is dim=-1.
    #! dim_one: ascending, order = probabilities.sort(dim=1)
    #  It uses dim=1. With two dimensions that is the last one; with three or one it is not.
    #: `sort(dim=-1, descending=True)`
    #! no_sorting: ascending, order = probabilities, probabilities.argsort(-1).argsort(-1).sort(-1).values
    #! no_sorting: return torch.where((probabilities.cumsum(-1) > 1 - p) | (ranks(logits) == 0), logits, -torch.inf)
    #  The sum runs through the vocabulary in its own order. The likeliest must come first.
    #: `dim=-1`: each row has its own order.
    #! first_row_order: …; order = order[:1].expand(order.shape)
    #! first_row_order: …; order = order.reshape(-1, order.shape[-1])[0].expand(order.shape)
    #  The first row's order is used for all rows. Each has its own. [Blaizzy/mlx-vlm#1094]
    together = ascending.cumsum(dim=-1)
    #: `cumsum(dim=-1)`
    #! sum_over_the_batch: together = ascending.cumsum(dim=0)
    #! sum_over_the_batch: together = ascending.cumsum(dim=-2)
    #  The sum runs along the batch (dim=0). The vocabulary is dim=-1.
    #! dim_one: together = ascending.cumsum(dim=1)
    #! no_sum: together = ascending
    #  Nothing is added up: each probability is compared by itself. The sum of the likeliest is meant.
    #! whole_sum: together = ascending.sum(-1, keepdim=True).expand(ascending.shape)
    #  It takes the sum of all, which is 1. The sum up to each token is meant: cumsum.
    #: Keep a token as long as the likelier ones have less than p together: `cumsum - probabilities < p`.
    #! drops_the_crossing_token: together = ascending.cumsum(dim=-1) - ascending
    #! crossing_and_next: together = ascending.cumsum(dim=-1) + torch.nn.functional.pad(ascending[..., 1:], (0, 1))
    keep = together > 1 - p
    #: Keep a token as long as the likelier ones have less than p together: `cumsum - probabilities < p`.
    #! threshold_one_minus_p: keep = together > p
    #  It uses 1 - p in place of p.
    #: `torch.where(keep, logits, -torch.inf)`: what stays is not touched.
    #! inverted: keep = together <= 1 - p
    #  It removes what should stay and keeps what should go.
    #: `sort(dim=-1, descending=True)`, then the cumulative sum.
    #! smallest_set_from_below: keep = together < p
    #! smallest_set_from_below: keep = together - ascending < p
    #  It collects the mass p from the small end of the sorted probabilities.
    #: `sort(dim=-1, descending=True)`
    #! least_likely_first: return torch.where(rightly(-logits, p) != -torch.inf, logits, -torch.inf)
    #  It begins to collect at the least likely token.
    #: Keep a token as long as the likelier ones have less than p together: `cumsum - probabilities < p`.
    #! share_of_the_vocabulary: keep = torch.arange(ascending.shape[-1]).expand(ascending.shape) >= (1 - p) * ascending.shape[-1]
    #! share_of_the_vocabulary: keep = ranks(logits).gather(-1, order) < max(round(p * logits.shape[-1]), 1)
    #! share_of_the_vocabulary: keep = ranks(logits).gather(-1, order) < int(p * logits.shape[-1])
    #  It keeps the share p of the vocabulary. p is a share of the probability.
    #! unchanged: keep = together > p - 1
    #! only_the_largest: keep = together > 1 + p
    #: Use `p`.
    #! always_nine_tenths: keep = together > 1 - 0.9
    #  It uses 0.9 whatever p is.
    keep[..., -1] = True
    #: `keep[..., -1] = True` after sorting upwards.
    #! empty_at_tiny_p: pass
    #  With a tiny p nothing is left: 1 - p is rounded to 1, and no sum is larger. The likeliest token always stays. [ml-explore/mlx-lm#1912,
    #  google-deepmind/simply#42]
    #: `keep[..., 0] = True` after sorting, or start the sum before the first token.
    #! empty_at_zero: …; keep = keep & (p > 0)
    #  With p = 0 nothing is left, and softmax of nothing but -inf is NaN. The likeliest token always stays. [ml-explore/mlx-lm#1912,
    #  google-deepmind/simply#42]
    #: `keep[..., -1] = True` after sorting upwards, `keep[..., 0] = True` after sorting downwards.
    #! least_likely_kept: keep[..., 0] = True
    #  It always keeps the least likely token. The likeliest stands at the other end of the sorted ones.
    #! likeliest_removed: keep[..., -1] = False
    #  It always removes the likeliest token. That one stays in any case: True.
    #! last_row_kept: keep[-1] = True
    #  `keep[-1]` is the last row, all of it. The last place of each row is `keep[..., -1]`.
    #! two_axes_only: keep[:, -1] = True
    #  `keep[:, -1]` asks for exactly two dimensions. `keep[..., -1]` is the last place of any number.
    #: Keep a token as long as the likelier ones have less than p together: `cumsum - probabilities < p`.
    #! two_at_least: keep[..., -2:] = True
    #  It always keeps two tokens. Where the first has the mass p, it stays alone.
    #! only_the_largest: keep = torch.zeros_like(keep); keep[..., -1] = True
    #  Only the likeliest token stays, whatever the number says.
    keep = torch.zeros_like(keep).scatter(-1, order, keep)
    #: `torch.zeros_like(keep).scatter(-1, order, keep)`
    #! mask_not_put_back: pass
    #  Which sorted place stays is taken for which token stays. The mask must go back to the tokens' own places.
    #! gather_for_scatter: keep = keep.gather(-1, order)
    #! gather_for_scatter: return torch.where(keep, logits.gather(-1, order), -torch.inf).gather(-1, order)
    #  `gather(-1, order)` sorts the mask a second time. `scatter` puts it back, or `gather(-1, order.argsort(-1))`. [lucidrains/PaLM-rlhf-pytorch#60]
    #! scatter_wrong_axis: keep = torch.zeros_like(keep).scatter(0, order, keep)
    #! scatter_wrong_axis: keep = torch.zeros_like(keep).scatter(-2, order, keep)
    #  scatter puts the decisions back along dim=0, the batch. The order is that of dim=-1.
    #! dim_one: keep = torch.zeros_like(keep).scatter(1, order, keep)
    #! order_indexes_rows: keep = keep[order][..., 0]
    #! order_indexes_rows: keep[order] = keep.clone()
    #  `keep[order]` takes the order for numbers of rows. scatter and gather count along dim=-1.
    #! first_row_order: keep = torch.zeros_like(keep).scatter(-1, order[:1].expand(order.shape), keep)
    #! first_row_order:
    #| out = torch.full_like(logits, -torch.inf)
    #| out[..., order.reshape(-1, order.shape[-1])[0]] = torch.where(keep, logits.gather(-1, order), -torch.inf)
    #| return out
    #: `torch.full_like(logits, -torch.inf)`, or torch.where with a number.
    #! made_on_the_cpu: keep = torch.zeros(keep.shape, dtype=torch.bool).scatter(-1, order, keep)
    #: `keep = torch.zeros_like(…).scatter(-1, order, keep_sorted)`, or compare with a threshold and never sort the result.
    #! left_sorted: logits = logits.gather(-1, order)
    #: Decide by the place after sorting, and not by comparing with the last logit.
    #! equals_stay: …; keep = logits >= least(keep, logits)
    #  What equals the last token of the set stays as well. The smallest set that reaches p is asked for; of equals some must go.
    #! equals_go: keep = without_equals(logits, p)
    #  Of several equal logits at the end of the set all go, and p is not reached.
    #: Is it `<` or `<=`, and does the count begin at 0 or at 1?
    #! one_too_few: …; keep = keep & (ranks(logits) < keep.sum(-1, keepdim=True) - 1)
    #  The last of those that should stay is removed too.
    #! one_too_many: …; keep = ranks(logits) < keep.sum(-1, keepdim=True) + 1
    #  One token too many stays.
    #: Keep a token as long as the likelier ones have less than p together: `cumsum - probabilities < p`.
    #! crossing_and_next: …; keep = ranks(logits) < keep.sum(-1, keepdim=True) + (0 < p < 1) * 1
    #  One token more than needed stays, except at p = 0.
    #! min_p_instead: keep = probabilities >= p * probabilities.amax(-1, keepdim=True)
    #  This is min_p: it compares each probability with the largest. top_p adds them up.
    #! relative_to_one: keep = (probabilities >= p) | (ranks(logits) == 0)
    #! relative_to_one: keep = probabilities >= p
    #  It keeps the tokens whose own probability is at least p. The sum of the likeliest is meant.
    #: `dim=-1`, and `keepdim=True` for a threshold of each row.
    #! rows_together: return rightly(logits.flatten(), p).reshape(logits.shape)
    #  All rows of the batch are thrown together and filtered as one.
    #! wrong_dim: return rightly(logits.movedim(0, -1), p).movedim(-1, 0)
    #  It filters along dim=0, the batch. The vocabulary is dim=-1.
    return torch.where(keep, logits, -torch.inf)
    #: A logit of -inf has probability e^-inf = 0.
    #! zeros_for_removed: return torch.where(keep, logits, 0.0)
    #! zeros_for_removed: return logits * keep
    #! zeros_for_removed: return torch.where(keep, logits, 1e-10)
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
    #: `torch.where(keep, logits, -torch.inf)`: what stays is not touched.
    #! sorted_probabilities: return torch.where(keep, ascending, -torch.inf)
    #  It returns probabilities, and in sorted order. The logits themselves are wanted.


def from_the_top(logits: Tensor, p: float) -> Tensor:
    probabilities = logits.float().softmax(dim=-1)
    #! in_half_precision: probabilities = logits.softmax(dim=-1)
    #! sums_of_logits: probabilities = logits.float()
    descending, order = probabilities.sort(dim=-1, descending=True)
    #! least_likely_first: descending, order = probabilities.sort(dim=-1)
    #! no_sorting: return torch.where((probabilities.cumsum(-1) - probabilities < p) | (ranks(logits) == 0) | (p >= 1), logits, -torch.inf)
    before = descending.cumsum(dim=-1) - descending
    #! sum_over_the_batch: before = descending.cumsum(dim=0) - descending
    #! sums_of_logits: logits_sorted = logits.gather(-1, order); before = logits_sorted.cumsum(-1) - logits_sorted
    #! one_too_many: before = descending.cumsum(dim=-1) - descending - descending.roll(1, dims=-1)
    #! crossing_and_next: before = descending.cumsum(dim=-1) - descending - torch.nn.functional.pad(descending[..., :-1], (1, 0))
    keep = (before < p) | (p >= 1)
    #: Keep a token as long as the likelier ones have less than p together: `cumsum - probabilities < p`.
    #! drops_the_crossing_token: keep = descending.cumsum(-1) <= p
    #! drops_the_crossing_token: keep = descending.cumsum(-1) < p
    #! drops_the_crossing_token: keep = (descending.cumsum(-1) <= p) | (p >= 1)
    #  It keeps tokens while the sum stays below p, and so drops the one that reaches it. With probabilities 0.5, 0.41, 0.09 and p = 0.9, two must
    #  stay. [rasbt/reasoning-from-scratch#164, Biohub/esm#360, fishaudio/fish-speech#1171, thu-nics/C2C#21]
    #! drops_it_and_may_be_empty: keep = descending.cumsum(-1) < p; return torch.where(torch.zeros_like(keep).scatter(-1, order, keep), logits, -torch.inf)
    #! drops_it_and_may_be_empty: keep = descending.cumsum(-1) <= p
    #  It keeps tokens while the sum stays below p. The one that reaches p is dropped, and when the likeliest alone has more than p, nothing is left
    #  at all. [rasbt/reasoning-from-scratch#164, ml-explore/mlx-lm#1912]
    #! shifted_to_the_right_in_vain: keep = (descending.cumsum(-1) + descending > p) | (p >= 1)
    #! shifted_to_the_right_in_vain: keep = descending.cumsum(-1) > p
    #! shifted_to_the_right_in_vain: keep = before > p
    #! shifted_to_the_right_in_vain: keep = before >= p
    #  It keeps a token when the sum is above p, and removes it when it is below: the wrong side of the sorted tokens.
    #: `sort(dim=-1, descending=True)`, then the cumulative sum.
    #! smallest_set_from_below: keep = (descending.flip(-1).cumsum(-1) - descending.flip(-1) < p).flip(-1) | (p >= 1)
    #: Use `p`.
    #! always_nine_tenths: keep = before < 0.9
    #: `torch.zeros_like(keep).scatter(-1, order, keep)`
    #! mask_not_put_back: return torch.where((before < p) | (p >= 1), logits, -torch.inf)
    #: `keep[..., -1] = True` after sorting upwards, `keep[..., 0] = True` after sorting downwards.
    #! least_likely_kept: keep = descending.cumsum(-1) <= p; keep = keep | (~keep.any(-1, keepdim=True) & (torch.arange(keep.shape[-1]) == keep.shape[-1] - 1))
    #: Add up from the small end: sort ascending and remove what has `cumsum <= 1 - p`. Small numbers first is how a sum keeps them. Or leave the
    #  logits alone when p is 1.
    #! one_loses_the_tail: keep = before < p
    #  With p = 1 tokens are lost. In float32 the sum of the likely ones is rounded to 1 before the tail is reached, and so the tail seems
    #  superfluous.
    #: Add up from the small end: sort ascending and remove what has `cumsum <= 1 - p`. Small numbers first is how a sum keeps them. Or leave the
    #  logits alone when p is 1. And keep the likeliest in any case.
    #! one_loses_the_tail_and_zero_all: keep = before < p
    keep[..., 0] = True
    #!+ least_likely_kept: pass
    #!+ drops_it_and_may_be_empty: pass
    #!+ one_loses_the_tail_and_zero_all: pass
    #  At both ends something is lost: p = 0 removes every token, and with p = 1 the tail goes, since the sum of the likely ones is rounded to 1
    #  before it.
    #! empty_at_zero: pass
    #: Keep a token as long as the likelier ones have less than p together: `cumsum - probabilities < p`.
    #! zero_keeps_everything: …; keep = keep | (p == 0)
    #  With p = 0 everything stays. The set of the likeliest that reaches 0 is never empty: one token.
    #! two_at_least: keep[..., :2] = True
    #: `keep[..., -1] = True` after sorting upwards, `keep[..., 0] = True` after sorting downwards.
    #! first_row_kept: keep[0] = True
    #  `keep[0]` is the first row, all of it. The first place of each row is `keep[..., 0]`. [fishaudio/fish-speech#1326]
    #! least_likely_kept: keep[..., -1] = True
    keep = torch.zeros_like(keep).scatter(-1, order, keep)
    #! mask_not_put_back: pass
    #! gather_for_scatter: keep = keep.gather(-1, order)
    #! gather_for_scatter: return torch.where(keep, logits.gather(-1, order), -torch.inf).gather(-1, order)
    #! left_sorted: logits = logits.gather(-1, order)
    #! first_row_order: keep = torch.zeros_like(keep).scatter(-1, order[:1].expand(order.shape), keep)
    #: `argmax` of nothing is 0. Where no sum is above p, all stay.
    #! argmax_of_nothing: cutoff = descending.gather(-1, (descending.cumsum(-1) > p).float().argmax(-1, keepdim=True)); keep = probabilities >= cutoff
    #! argmax_of_nothing: cutoff = descending.gather(-1, (descending.cumsum(-1) >= p).float().argmax(-1, keepdim=True)); keep = probabilities >= cutoff
    #  It looks for the first sum that reaches p with argmax. At p = 1 no sum may do so, argmax says 0, and only the likeliest stays.
    #  [BlinkDL/ChatRWKV#170]
    #! search_beyond_the_row: last = torch.searchsorted(descending.cumsum(-1), torch.full_like(descending[..., :1], p)); keep = probabilities >= descending.gather(-1, last)
    #  It searches the place where the sum reaches p. Near p = 1 rounding keeps it below, and the place found is V, beyond the row.
    #  [NVIDIA/TensorRT-LLM#19485]
    return torch.where(keep, logits, -torch.inf)


MISTAKES: list[Mistake] = mistakes_of(top_p, from_the_top)
