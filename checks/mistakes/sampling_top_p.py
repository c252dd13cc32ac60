"""Lab 10, 10.3: what people write for top_p.

Sources are the public issues in which somebody really made the mistake.
"""

from collections.abc import Callable

import torch
from torch import Tensor

from checks.engine import Mistake
from checks.mistakes.sampling import Filter, common, keep_min_p, keeping, ranks


def keep_top_p(logits: Tensor, p: float) -> Tensor:
    """What top_p keeps: likelier ones have less than p together, summed up from the tail."""
    values, order = logits.double().softmax(-1).sort(dim=-1, stable=True)
    keep = values.cumsum(-1) > 1 - p
    keep[..., -1] = True
    if p >= 1:
        keep[:] = True
    return torch.zeros_like(keep).scatter(-1, order, keep)


def sorted_rule(rule: Callable[[Tensor, float], Tensor], last: bool = False) -> Filter:
    """A filter by sorted probabilities, the likeliest first: rule(probabilities, p) → bool.

    last: a rule that keeps nothing is mended, and p = 1 keeps everything.
    """

    def keep(logits: Tensor, p: float) -> Tensor:
        values, order = logits.softmax(-1).sort(dim=-1, descending=True, stable=True)
        kept = rule(values, p)
        if last:
            kept = kept.clone()
            kept[..., 0] = True
            kept = kept | (p >= 1)
        return torch.zeros_like(kept).scatter(-1, order, kept)

    return keeping(keep)


def before(q: Tensor) -> Tensor:
    """The mass of all that are likelier: (..., V), for sorted probabilities."""
    return q.cumsum(-1) - q


def _half(logits: Tensor, p: float) -> Tensor:
    values, order = logits.softmax(-1).sort(-1, descending=True)
    kept = (values.cumsum(-1) - values < p) | (p >= 1)
    kept[..., 0] = True
    keep = torch.zeros_like(kept).scatter(-1, order, kept)
    return torch.where(keep, logits, -torch.inf)


def _half_softmax(logits: Tensor, p: float) -> Tensor:
    values, order = logits.softmax(-1).sort(dim=-1, stable=True)
    keep = (values.double().cumsum(-1) > 1 - p) | (p >= 1)
    keep[..., -1] = True
    keep = torch.zeros_like(keep).scatter(-1, order, keep)
    return torch.where(keep, logits, -torch.inf)


def _unsorted_places(logits: Tensor, p: float) -> Tensor:
    q = logits.softmax(-1).sort(-1, descending=True).values
    return (before(q) < p) | (p >= 1)


def _gathered(logits: Tensor, p: float) -> Tensor:
    values, order = logits.softmax(-1).sort(-1, descending=True)
    kept = (before(values) < p) | (p >= 1)
    kept[..., 0] = True
    return kept.gather(-1, order)


def _equals_stay(logits: Tensor, p: float) -> Tensor:
    keep = keep_top_p(logits, p)
    least = torch.where(keep, logits, torch.inf).amin(-1, keepdim=True)
    return logits >= least


def _no_logit(logits: Tensor, p: float) -> Tensor:
    q = logits.sort(-1, descending=True)
    kept = before(q.values) < p
    kept[..., 0] = True
    return torch.zeros_like(kept).scatter(-1, q.indices, kept | (p >= 1))


CROSSING = (
    "Keep a token as long as the likelier ones have less than p together: "
    "`cumsum - probabilities < p`."
)
TAIL = (
    "Add up from the small end: sort ascending and remove what has `cumsum <= 1 - p`. Small "
    "numbers first is how a sum keeps them. Or leave the logits alone when p is 1."
)
TOP_P = [
    *common(keep_top_p),
    Mistake(
        "drops_the_crossing_token",
        sorted_rule(lambda q, p: q.cumsum(-1) <= p, last=True),
        "It keeps tokens while the sum stays below p, and so drops the one that reaches it. With "
        "probabilities 0.5, 0.41, 0.09 and p = 0.9, two must stay.",
        CROSSING,
        "rasbt/reasoning-from-scratch#164, Biohub/esm#360, fishaudio/fish-speech#1171, "
        "thu-nics/C2C#21",
    ),
    Mistake(
        "drops_it_and_may_be_empty",
        sorted_rule(lambda q, p: q.cumsum(-1) <= p),
        "It keeps tokens while the sum stays below p. The one that reaches p is dropped, and when "
        "the likeliest alone has more than p, nothing is left at all.",
        CROSSING,
        "rasbt/reasoning-from-scratch#164, ml-explore/mlx-lm#1912",
    ),
    Mistake(
        "empty_at_zero",
        keeping(lambda logits, p: keep_top_p(logits, p) & (p > 0)),
        "With p = 0 nothing is left, and softmax of nothing but -inf is NaN. The likeliest token "
        "always stays.",
        "`keep[..., 0] = True` after sorting, or start the sum before the first token.",
        "ml-explore/mlx-lm#1912, google-deepmind/simply#42",
    ),
    Mistake(
        "empty_at_tiny_p",
        keeping(lambda logits, p: keep_top_p(logits, p) & (p >= 1e-6)),
        "With a tiny p nothing is left: 1 - p is rounded to 1, and no sum is larger. The likeliest "
        "token always stays.",
        "`keep[..., -1] = True` after sorting upwards.",
        "ml-explore/mlx-lm#1912, google-deepmind/simply#42",
    ),
    Mistake(
        "zero_keeps_everything",
        keeping(lambda logits, p: keep_top_p(logits, p or 1.0)),
        "With p = 0 everything stays. The set of the likeliest that reaches 0 is never empty: one "
        "token.",
        CROSSING,
    ),
    Mistake(
        "one_loses_the_tail",
        sorted_rule(lambda q, p: (before(q) < p) | (torch.arange(q.shape[-1]) == 0)),
        "With p = 1 tokens are lost. In float32 the sum of the likely ones is rounded to 1 before "
        "the tail is reached, and so the tail seems superfluous.",
        TAIL,
    ),
    Mistake(
        "one_loses_the_tail_and_zero_all",
        sorted_rule(lambda q, p: before(q) < p),
        "At both ends something is lost: p = 0 removes every token, and with p = 1 the tail goes, "
        "since the sum of the likely ones is rounded to 1 before it.",
        TAIL + " And keep the likeliest in any case.",
    ),
    Mistake(
        "crossing_and_next",
        keeping(
            lambda logits, p: (
                ranks(logits) < keep_top_p(logits, p).sum(-1, keepdim=True) + (0 < p < 1) * 1
            )
        ),
        "One token more than needed stays, except at p = 0.",
        CROSSING,
    ),
    Mistake(
        "shifted_to_the_right_in_vain",
        sorted_rule(lambda q, p: (q.cumsum(-1) + q > p) | (p >= 1), last=True),
        "It keeps a token when the sum is above p, and removes it when it is below: the wrong "
        "side of the sorted tokens.",
        CROSSING,
    ),
    Mistake(
        "least_likely_first",
        keeping(lambda logits, p: keep_top_p(-logits, p)),
        "It begins to collect at the least likely token.",
        "`sort(dim=-1, descending=True)`",
    ),
    Mistake(
        "smallest_set_from_below",
        sorted_rule(
            lambda q, p: (before(q.flip(-1)) < p).flip(-1) | (p >= 1),
            last=True,
        ),
        "It collects the mass p from the small end of the sorted probabilities.",
        "`sort(dim=-1, descending=True)`, then the cumulative sum.",
    ),
    Mistake(
        "threshold_one_minus_p",
        keeping(lambda logits, p: keep_top_p(logits, 1 - p)),
        "It uses 1 - p in place of p.",
        CROSSING,
    ),
    Mistake(
        "no_sorting",
        keeping(
            lambda logits, p: (before(logits.softmax(-1)) < p) | (ranks(logits) == 0) | (p >= 1)
        ),
        "The sum runs through the vocabulary in its own order. The likeliest must come first.",
        "`sort(dim=-1, descending=True)`",
    ),
    Mistake(
        "mask_not_put_back",
        keeping(_unsorted_places),
        "Which sorted place stays is taken for which token stays. The mask must go back to the "
        "tokens' own places.",
        "`torch.zeros_like(keep).scatter(-1, order, keep)`",
    ),
    Mistake(
        "gather_for_scatter",
        keeping(_gathered),
        "`gather(-1, order)` sorts the mask a second time. `scatter` puts it back, or "
        "`gather(-1, order.argsort(-1))`.",
        "`torch.zeros_like(keep).scatter(-1, order, keep)`",
    ),
    Mistake(
        "sums_of_logits",
        keeping(_no_logit),
        "It adds up logits. Mass is probability: softmax first.",
        "`logits.float().softmax(dim=-1)`",
    ),
    Mistake(
        "softmax_of_softmax",
        keeping(lambda logits, p: keep_top_p(logits.softmax(-1), p)),
        "The softmax is taken twice.",
        "Once is enough: probabilities = softmax(logits).",
    ),
    Mistake(
        "min_p_instead",
        keeping(keep_min_p),
        "This is min_p: it compares each probability with the largest. top_p adds them up.",
        CROSSING,
    ),
    Mistake(
        "relative_to_one",
        keeping(lambda logits, p: (logits.softmax(-1) >= p) | (ranks(logits) == 0)),
        "It keeps the tokens whose own probability is at least p. The sum of the likeliest is "
        "meant.",
        CROSSING,
    ),
    Mistake(
        "share_of_the_vocabulary",
        keeping(lambda logits, p: ranks(logits) < max(round(p * logits.shape[-1]), 1)),
        "It keeps the share p of the vocabulary. p is a share of the probability.",
        CROSSING,
    ),
    Mistake(
        "two_at_least",
        keeping(lambda logits, p: keep_top_p(logits, p) | (ranks(logits) < 2)),
        "It always keeps two tokens. Where the first has the mass p, it stays alone.",
        CROSSING,
    ),
    Mistake(
        "always_nine_tenths",
        keeping(lambda logits, p: keep_top_p(logits, 0.9)),
        "It uses 0.9 whatever p is.",
        "Use `p`.",
    ),
    Mistake(
        "equals_stay",
        keeping(_equals_stay),
        "What equals the last token of the set stays as well. The smallest set that reaches p is "
        "asked for; of equals some must go.",
        "Decide by the place after sorting, and not by comparing with the last logit.",
    ),
    Mistake(
        "equals_go",
        keeping(
            lambda logits, p: (
                keep_top_p(logits, p)
                & (
                    (logits > _least(logits, p))
                    | (_count(logits, p) == 1)
                    | (ranks(logits) == 0)
                    | (p >= 1)
                )
            )
        ),
        "Of several equal logits at the end of the set all go, and p is not reached.",
        "Decide by the place after sorting, and not by comparing with the last logit.",
    ),
    Mistake(
        "in_half_precision",
        _half,
        "In bfloat16 the sums are rounded to steps of 0.004 near 1, larger than the probabilities "
        "in the tail. Compute them in float32.",
        "`logits.float().softmax(dim=-1)`",
    ),
    Mistake(
        "softmax_in_half_precision",
        _half_softmax,
        "The softmax is taken in half precision: its probabilities are rounded, and their sum is "
        "no longer 1. Compute it in float32.",
        "`logits.float().softmax(dim=-1)`",
    ),
]


def _least(logits: Tensor, p: float) -> Tensor:
    return torch.where(keep_top_p(logits, p), logits, torch.inf).amin(-1, keepdim=True)


def _count(logits: Tensor, p: float) -> Tensor:
    return (logits == _least(logits, p)).sum(-1, keepdim=True)
