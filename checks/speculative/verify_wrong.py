"""Lab 14, 14.5: verify, and what people write in place of its lines."""

import torch
from torch import Generator, Tensor

from checks.engine import Mistake, mistakes_of
from checks.speculative.count_accepted_wrong import count_accepted
from checks.speculative.residual_distribution_wrong import residual_distribution


def verify(p: Tensor, q: Tensor, drafts: Tensor, generator: Generator | None = None) -> Tensor:
    luck = torch.rand(len(drafts), generator=generator)
    #: Seeds are set outside. The generator moves on by itself.
    #! reseeded: generator = generator and generator.manual_seed(generator.initial_seed()); …
    #  The generator is set back in each call: every round is drawn with the same luck.
    #: `generator=None` is torch's own; hand None on.
    #! seed_of_its_own: generator = generator or torch.Generator().manual_seed(0); …
    #  Without a generator it makes one with a fixed seed: the same tokens each time.
    #! sets_the_global_seed: torch.manual_seed(0); …
    #  It calls torch.manual_seed: everybody else's random numbers are reset.
    #: `torch.rand(len(drafts), generator=generator)`: from 0 to 1, one number for each draft.
    #! luck_without_the_generator: luck = torch.rand(len(drafts))
    #  The luck does not come from the generator.
    #! one_luck: luck = torch.rand(1, generator=generator).repeat(len(drafts))
    #  One luck for all drafts: who has been lucky once is lucky again. Each draft needs its own.
    #! normal_luck: luck = torch.randn(len(drafts), generator=generator)
    #  The luck is drawn with randn: it may be negative, or above 1. torch.rand goes from 0 to 1.
    #! always_the_same: luck = torch.full((len(drafts),), 0.3)
    #! always_the_same: luck = torch.full((len(drafts),), 0.1)
    #  The luck is always the same number. It has to be drawn.
    #! always_lucky: luck = torch.zeros(len(drafts))
    #  The luck is always 0, and every draft is accepted that the target does not exclude.
    #! never_lucky: luck = torch.full((len(drafts),), 1.0)
    #  The luck is always 1: a draft is accepted only where p is larger than q.
    n = count_accepted(p, q, drafts, luck)
    #: `count_accepted(p, q, drafts, luck)`, with the ratio p / q.
    #! p_and_q_exchanged: n = count_accepted(q, p[: len(q)], drafts, luck)
    #  p and q are exchanged.
    #! greedy_comparison: n = int((p[: len(drafts)].argmax(-1) == drafts).long().cumprod(0).sum())
    #  A draft is accepted if it is the target's likeliest token. That is right in greedy decoding only.
    #! accepts_all: n = len(drafts)
    #  Every draft is kept without being checked.
    #! accepts_none: n = 0
    #  No draft is ever kept. The text is right, and nothing is gained.
    #! counts_all_good_ones: n = int((luck * q.gather(1, drafts[:, None])[:, 0] < p[: len(q)].gather(1, drafts[:, None])[:, 0]).sum())
    #  It counts all good drafts. Those behind the first rejected one continue a text that does not exist.
    #! compares_without_luck: n = int((q.gather(1, drafts[:, None]) <= p[: len(q)].gather(1, drafts[:, None])).flatten().long().cumprod(0).sum())
    #  A draft is accepted where p is at least q, and never else. Where p is smaller it is accepted in p / q of the cases.
    #! q_is_the_softmax_s_largest: n = count_accepted(p, q.amax(-1, keepdim=True).expand_as(q), drafts, luck)
    #  It takes the largest of q for the draft's probability. The q at the draft itself counts.
    #! first_never_checked: n = 1 + count_accepted(p[1:], q[1:], drafts[1:], luck[1:]) if len(drafts) else 0
    #  The first draft is kept without being checked.
    last = p[n] if n == len(drafts) else residual_distribution(p[n], q[n])
    #: From the residual at the first rejected place: `residual_distribution(p[n], q[n])`.
    #! from_the_target_after_a_rejection: last = p[n]
    #  After a rejection it draws from p. Accepted drafts bring min(p, q) already, so what the draft model likes comes out too often; draw from the
    #  residual. [ShopeeLLM/Spec-RL#14]
    #! from_the_draft: last = p[n] if n == len(drafts) else q[n]
    #  After a rejection it draws from q, the draft model. The target decides.
    #! residual_turned_round: last = p[n] if n == len(drafts) else residual_distribution(q[n], p[n])
    #  p and q are exchanged in the residual: what q has too much is drawn once more.
    #! row_behind: last = p[n] if n == len(drafts) else residual_distribution(p[n + 1], q[n])
    #  The residual is made with p's next row. At the first rejected place both have row n.
    #! row_before: last = p[n] if n == len(drafts) else residual_distribution(p[max(n - 1, 0)], q[max(n - 1, 0)])
    #  The residual is made with the row before. At the first rejected place both have row n.
    #! last_row_always: last = p[-1]
    #  The added token is always drawn from p's last row. That row is about what follows the last draft.
    #: When all are accepted, from the row behind the last draft: `p[len(drafts)]`.
    #! free_token_from_the_last_draft_s_row: last = p[max(n - 1, 0)] if n == len(drafts) else residual_distribution(p[n], q[n])
    #  The free token is drawn from the last draft's row. p has one row more, for what comes behind it.
    #: `torch.multinomial(last, 1, generator=generator)`
    #! likeliest: last = torch.nn.functional.one_hot((p[n] if n == len(drafts) else residual_distribution(p[n], q[n])).argmax(), p.shape[1]).float()
    #  The added token is the likeliest. It has to be drawn.
    #! free_token_likeliest: last = torch.nn.functional.one_hot(p[n].argmax(), p.shape[1]).float() if n == len(drafts) else residual_distribution(p[n], q[n])
    #  The free token is the likeliest. It has to be drawn.
    #: From the residual at the first rejected place: `residual_distribution(p[n], q[n])`.
    #! residual_from_the_first: last = p[n] if n == len(drafts) else residual_distribution(p[0], q[0])
    #  The residual is that of the first place, whichever was rejected.
    #! softmax_again: last = (p[n] if n == len(drafts) else residual_distribution(p[n], q[n])).softmax(-1)
    #  It takes the softmax of probabilities.
    #: `torch.cat([drafts[:n], new])`: the accepted drafts, and one token.
    #! no_free_token:
    #| if len(drafts) and n == len(drafts): return drafts
    #| last = residual_distribution(p[n], q[n]) if len(drafts) else p[n]
    #  When all drafts are accepted it adds nothing. p's last row is there: one token is free.
    #! no_corrected_token:
    #| if n < len(drafts): return drafts[:n]
    #| last = p[n]
    #  After a rejection it adds nothing. When the first is rejected, not one token comes out.
    return torch.cat([drafts[:n], torch.multinomial(last, 1, generator=generator)])
    #: `torch.multinomial(last, 1, generator=generator)`
    #! draw_without_the_generator: return torch.cat([drafts[:n], torch.multinomial(last, 1)])
    #  The added token is drawn without the generator.
    #! rejected_draft_too: return torch.cat([drafts[: n + 1] if n < len(drafts) else drafts, torch.multinomial(last, 1, generator=generator)])
    #  The rejected draft is kept as well.
    #! drafts_behind_it: return torch.cat([drafts[:n], torch.multinomial(last, 1, generator=generator), drafts[n + 1 :]])
    #  The drafts behind the rejected one are kept. They continue a text that does not exist.
    #! all_drafts_kept: return torch.cat([drafts, torch.multinomial(last, 1, generator=generator)])
    #  All drafts are kept, the rejected ones too.
    #! added_token_only: return torch.multinomial(last, 1, generator=generator)
    #  It returns the added token only. The accepted drafts come before it.
    #! one_draft_lost: return torch.cat([drafts[: max(n - 1, 0)], torch.multinomial(last, 1, generator=generator)])
    #  The last accepted draft is lost.
    #! added_first: return torch.cat([torch.multinomial(last, 1, generator=generator), drafts[:n]])
    #  The added token stands before the drafts. It comes behind them.
    #! with_a_batch: return torch.cat([drafts[:n], torch.multinomial(last, 1, generator=generator)])[None]
    #  The result has the shape (1, m + 1). (m + 1,) is wanted.
    #! a_list: return [*drafts[:n].tolist(), int(torch.multinomial(last, 1, generator=generator))]
    #  It returns a list. A tensor (m + 1,) is wanted.
    #! floats: return torch.cat([drafts[:n], torch.multinomial(last, 1, generator=generator)]).float()
    #  It returns floating point numbers. Tokens are int64.
    #! a_pair: return drafts[:n], torch.multinomial(last, 1, generator=generator)
    #  It returns the drafts and the token apart. One tensor (m + 1,) is wanted.


MISTAKES: list[Mistake] = mistakes_of(verify)
