"""Lab 14, 14.4: count_accepted, and what people write in place of its lines."""

import torch
from torch import Tensor

from checks.engine import Mistake, mistakes_of


def count_accepted(p: Tensor, q: Tensor, drafts: Tensor, luck: Tensor) -> int:
    places = torch.arange(len(drafts), device=drafts.device)
    mine, theirs = p[places, drafts], q[places, drafts]
    #: `p[places, drafts]`, `q[places, drafts]`: in row i the number of draft i.
    #! row_behind: mine = p[(places + 1) % len(p), drafts]; theirs = q[places, drafts]
    #  p is read one row too late. Row i of p is the target's opinion of draft i.
    #! last_rows: n = len(drafts); mine = p[len(p) - n + places, drafts]; theirs = q[places, drafts]
    #  It takes the last n rows of p. With one row more than drafts, these are one place too late.
    #! first_row: mine, theirs = p[0, drafts], q[0, drafts]
    #! first_row: mine, theirs = p[:1].expand(len(drafts), -1)[places, drafts], q[:1].expand(len(drafts), -1)[places, drafts]
    #  It reads row 0 for all drafts. Each place has a row of its own.
    #! likeliest_of_p: mine, theirs = p[: len(drafts)].amax(-1), q[places, drafts]
    #  It takes the probability of the target's likeliest token. That of the draft is wanted.
    #! likeliest_of_q: mine, theirs = p[places, drafts], q.amax(-1)
    #  It takes the largest of q, which is the draft's own only when it is greedy.
    #! everything_with_everything: mine, theirs = p[: len(drafts), drafts].flatten(), q[:, drafts].flatten(); luck = luck.repeat(len(drafts))
    #  `p[:, drafts]` reads every draft in every row. `p[places, drafts]` takes one number for each place.
    #! tokens_for_places: mine, theirs = p[drafts % len(p), places % p.shape[1]], q[drafts % len(q), places % q.shape[1]]
    #  Row and token are exchanged: p[draft, i]. It is p[i, draft].
    #! made_on_the_cpu:
    #| cpu = torch.ones(len(drafts))
    #| mine, theirs = cpu * p[torch.arange(len(drafts)), drafts], q[torch.arange(len(drafts)), drafts]
    #  A tensor is made on the CPU whatever the device of p is.
    accepted = luck * theirs < mine
    #: `luck < p / q`, or without a division `luck * q < p`.
    #! without_luck: accepted = mine >= theirs
    #! without_luck: accepted = mine > theirs
    #  It accepts where p is at least q, whatever the luck. Where p is smaller the draft is accepted too, in p / q of the cases.
    #! upside_down: accepted = luck * mine < theirs
    #! upside_down: accepted = luck < theirs / mine
    #  The ratio is upside down: q / p. What the target likes less than the draft model would always be accepted.
    #! luck_turned_round: accepted = luck * theirs > mine
    #! luck_turned_round: accepted = luck * theirs >= mine
    #  It accepts where luck is larger than the ratio. It has to be smaller: a large ratio is a good draft.
    #! one_minus_luck: accepted = (1 - luck) * theirs < mine
    #  It compares 1 - luck.
    #! target_s_probability: accepted = luck < mine
    #  It accepts with probability p. With p / q it accepts more, and only that is exact with the residual.
    #! draft_s_probability: accepted = luck < theirs
    #  It accepts with probability q, and p makes no difference.
    #! zero_accepted: accepted = luck * theirs <= mine
    #! zero_accepted: accepted = ~(luck * theirs > mine)
    #  At luck 0 it accepts a token of probability 0: the comparison has to be strict.
    #! difference: accepted = luck < mine - theirs
    #  It compares luck with p - q. The ratio p / q counts.
    #! product: accepted = luck < mine * theirs
    #  It compares luck with p times q. The ratio p / q counts.
    #! always: accepted = luck < 1
    #  It accepts every draft.
    #! half_always: accepted = mine / theirs > 0.5
    #  It compares the ratio with 0.5. Luck is what it is compared with.
    #! same_luck: accepted = luck[:1] * theirs < mine
    #  It uses the first luck for all drafts. Each has its own.
    #! greedy: accepted = p[: len(drafts)].argmax(-1) == drafts
    #  It accepts a draft only if it is the target's likeliest token, whatever the luck.
    #! logarithms_mixed: accepted = luck < (mine / theirs).log()
    #  It compares luck with the logarithm of the ratio. Compare like with like.
    return int(accepted.long().cumprod(0).sum())
    #: `cumprod` of ones and zeros stays 0 from the first 0 on; its sum counts the ones before.
    #! all_that_are_good: return int(accepted.sum())
    #  It counts all that are accepted. Behind the first rejected one nothing counts: it continues a text that does not exist.
    #! longest_from_the_end: return int(accepted.flip(0).long().cumprod(0).sum())
    #  It counts from the last draft backwards.
    #! all_or_nothing: return len(drafts) if bool(accepted.all()) else 0
    #  One that is rejected makes it drop all. Those before it are accepted.
    #! first_never_checked: return int(accepted[1:].long().cumprod(0).sum()) + int(len(drafts) > 0)
    #  The first draft counts without being checked.
    #! one_less: return max(int(accepted.long().cumprod(0).sum()) - 1, 0)
    #  It counts one too few.
    #! with_the_rejected: return min(int(accepted.long().cumprod(0).sum()) + 1, len(drafts))
    #  The first rejected draft is counted too.
    #! last_is_not_looked_at: return int(accepted[:-1].long().cumprod(0).sum())
    #  The last draft is never counted.
    #! none_rejected_is_zero: return int((~accepted).long().argmax()) if len(drafts) else 0
    #  argmax (or argmin) finds the first rejected draft. Where none is, it says 0, and all accepted look like none.
    #! last_accepted: return int(accepted.nonzero().max()) + 1 if accepted.any() else 0
    #  It goes up to the last that is accepted, over rejected ones before it.
    #! number_of_rejected: return len(drafts) - int(accepted.long().cumprod(0).sum())
    #  It counts those that are not accepted.
    #! at_least_one: return max(int(accepted.long().cumprod(0).sum()), min(1, len(drafts)))
    #  It counts one even if the first is rejected.
    #: `int(…)`, or `.item()`.
    #! a_tensor: return accepted.long().cumprod(0).sum()
    #  It returns a tensor. An int is wanted.
    #! the_drafts: return drafts[: int(accepted.long().cumprod(0).sum())]
    #  It returns the accepted drafts. Their number is wanted.
    #! each_one: return accepted.tolist()
    #  It returns whether each is accepted. The number before the first rejected one is wanted.
    #: `for` over no drafts, or a `sum` of nothing, is 0.
    #! no_draft_crashes: return [*accepted.tolist(), False].index(False) if accepted[0] else 0
    #! no_draft_crashes: return int(accepted.long().cumprod(0)[-1]) and len(drafts) or int(accepted.long().cumprod(0).sum())
    #  It looks at the first draft before it asks whether there is one. n may be 0.


MISTAKES: list[Mistake] = mistakes_of(count_accepted)
