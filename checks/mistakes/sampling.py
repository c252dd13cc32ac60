"""Lab 10, 10.1, 10.2 and 10.4: what people write for apply_temperature, top_k and min_p.

Sources are the public issues in which somebody really made the mistake.
"""

from collections.abc import Callable

import torch
from torch import Tensor

from checks.engine import Mistake, in_float32

Keep = Callable[[Tensor, float], Tensor]  # (..., V) logits, k or p → bool (..., V)
Filter = Callable[[Tensor, float], Tensor]

WHERE = "`torch.where(keep, logits, -torch.inf)`: what stays is not touched."


def keeping(keep: Keep, fill: float = -torch.inf) -> Filter:
    """A filter from a rule that says what stays."""

    def wrong(logits: Tensor, x: float) -> Tensor:
        wide = logits.detach().float() if logits.dtype.itemsize < 4 else logits.detach()
        return torch.where(keep(wide, x), logits, fill)

    return wrong


def ranks(logits: Tensor) -> Tensor:
    """The place of each logit when the largest comes first: (..., V), from 0; equals in order."""
    return logits.argsort(dim=-1, descending=True, stable=True).argsort(-1)


def _other_rows(logits: Tensor, x: float, right: Keep, change: Callable) -> Tensor:
    """What `right` keeps when the rows are put together in another way first."""
    return change(right, logits, x) if logits.dim() > 1 else right(logits, x)


def _first_row(right: Keep, logits: Tensor, x: float) -> Tensor:
    rows = logits.flatten(0, -2)
    return right(rows[:1], x).expand(rows.shape).reshape(logits.shape)


def _flat(right: Keep, logits: Tensor, x: float) -> Tensor:
    return right(logits.flatten(), x).reshape(logits.shape)


def _down(right: Keep, logits: Tensor, x: float) -> Tensor:
    return right(logits.movedim(0, -1), x).movedim(-1, 0)


def _in_place(right: Keep) -> Filter:
    def wrong(logits: Tensor, x: float) -> Tensor:
        keep = right(logits.detach().float(), x)
        with torch.no_grad():
            logits.masked_fill_(~keep, -torch.inf)
        return logits

    return wrong


def _on_cpu(right: Keep) -> Filter:
    def wrong(logits: Tensor, x: float) -> Tensor:
        keep = right(logits.detach().float(), x)
        out = torch.full(logits.shape, -torch.inf, dtype=logits.dtype)
        return torch.where(keep, logits, out)

    return wrong


def common(right: Keep) -> list[Mistake]:
    """What goes wrong alike in all three filters; `right` says what should stay."""
    plain = keeping(right)
    rows = [
        (
            "first_row_decides",
            _first_row,
            "What the first row keeps is kept in all rows. Each has its own logits.",
        ),
        (
            "rows_together",
            _flat,
            "All rows of the batch are thrown together and filtered as one.",
        ),
        (
            "wrong_dim",
            _down,
            "It filters along dim=0, the batch. The vocabulary is dim=-1.",
        ),
    ]
    return [
        Mistake(
            "zeros_for_removed",
            keeping(right, 0.0),
            "What is removed becomes 0. These are logits: 0 is likelier than every negative one.",
            "A logit of -inf has probability e^-inf = 0.",
        ),
        Mistake(
            "large_negative",
            keeping(right, -1e4),
            "What is removed gets a large negative number. With logits that are themselves of that "
            "size the token comes back; -inf is safe.",
            "`-torch.inf`, or `float('-inf')`.",
        ),
        Mistake(
            "smallest_number",
            lambda logits, x: torch.where(
                plain(logits, x) == -torch.inf, torch.finfo(logits.dtype).min, logits
            ),
            "What is removed gets the smallest number there is, and not -inf. A next filter, or a "
            "division by 0.5, sees a number where nothing should be.",
            "`-torch.inf`, or `float('-inf')`.",
        ),
        Mistake(
            "probabilities",
            lambda logits, x: plain(logits, x).softmax(-1),
            "It returns probabilities. Logits go in and logits come out, so that the next filter "
            "can go on with them.",
            WHERE,
        ),
        Mistake(
            "log_probabilities",
            in_float32(lambda logits, x: plain(logits, x).log_softmax(-1)),
            "It returns logarithms of the new probabilities: every logit is shifted. The "
            "distribution is right; what stays should stay as it was.",
            WHERE,
        ),
        Mistake(
            "mask_returned",
            lambda logits, x: plain(logits, x) != -torch.inf,
            "It returns which tokens stay, not their logits.",
            WHERE,
        ),
        Mistake(
            "inverted",
            keeping(lambda logits, x: ~right(logits, x)),
            "It removes what should stay and keeps what should go.",
            WHERE,
        ),
        Mistake(
            "left_sorted",
            lambda logits, x: plain(logits, x).sort(-1, descending=True).values,
            "The result is in sorted order: place 0 is no longer token 0. The logits must go back "
            "to their tokens' places.",
            "`keep = torch.zeros_like(…).scatter(-1, order, keep_sorted)`, or compare with a "
            "threshold and never sort the result.",
        ),
        *(
            Mistake(
                key,
                keeping(lambda logits, x, change=change: _other_rows(logits, x, right, change)),
                says,
                "`dim=-1`, and `keepdim=True` for a threshold of each row.",
            )
            for key, change, says in rows
        ),
        Mistake(
            "unchanged",
            lambda logits, x: logits + 0,
            "Nothing is removed.",
            WHERE,
        ),
        Mistake(
            "only_the_largest",
            keeping(lambda logits, x: ranks(logits) == 0),
            "Only the likeliest token stays, whatever the number says.",
            WHERE,
        ),
        Mistake(
            "one_too_few",
            keeping(
                lambda logits, x: (
                    right(logits, x) & (ranks(logits) < right(logits, x).sum(-1, keepdim=True) - 1)
                )
            ),
            "The last of those that should stay is removed too.",
            "Is it `<` or `<=`, and does the count begin at 0 or at 1?",
        ),
        Mistake(
            "one_too_many",
            keeping(lambda logits, x: ranks(logits) < right(logits, x).sum(-1, keepdim=True) + 1),
            "One token too many stays.",
            "Is it `<` or `<=`, and does the count begin at 0 or at 1?",
        ),
        Mistake(
            "in_place",
            _in_place(right),
            "It writes into the logits that it was given, and the caller may still need them.",
            WHERE,
        ),
        Mistake(
            "float32_result",
            lambda logits, x: plain(logits, x).float(),
            "The result is float32 whatever the logits are.",
            "Compute the rule in float32, and take the logits themselves: " + WHERE,
        ),
        Mistake(
            "detached",
            lambda logits, x: plain(logits, x).detach(),
            "The result is cut off from the gradient.",
            "No `.detach()`, `.data` or `torch.no_grad()` here.",
        ),
        Mistake(
            "made_on_the_cpu",
            _on_cpu(right),
            "A tensor is made on the CPU whatever the device of the logits is.",
            "`torch.full_like(logits, -torch.inf)`, or torch.where with a number.",
        ),
    ]


# 10.1 apply_temperature


def zero(
    at_zero: Callable[[Tensor], Tensor],
) -> Callable[[Tensor, float], Tensor]:
    """Right, but at temperature 0: at_zero(logits)."""

    @in_float32
    def wrong(logits: Tensor, temperature: float) -> Tensor:
        return at_zero(logits) if temperature == 0 else logits / temperature

    return wrong


def divided(change: Callable[[Tensor, float], Tensor]) -> Callable[[Tensor, float], Tensor]:
    """Right at temperature 0, and change(logits, temperature) elsewhere."""

    @in_float32
    def wrong(logits: Tensor, temperature: float) -> Tensor:
        return _first(logits) if temperature == 0 else change(logits, temperature)

    return wrong


def _first(logits: Tensor) -> Tensor:
    return torch.where(ranks(logits.detach()) == 0, logits, -torch.inf)


def _last(logits: Tensor) -> Tensor:
    return _first(logits.flip(-1)).flip(-1)


def _product(logits: Tensor) -> Tensor:
    return logits * (ranks(logits.detach()) == 0)


def _flat_first(logits: Tensor) -> Tensor:
    return _first(logits.flatten()).reshape(logits.shape)


def _down_first(logits: Tensor) -> Tensor:
    return _first(logits.movedim(0, -1)).movedim(-1, 0) if logits.dim() > 1 else _first(logits)


def _temperature_in_place(logits: Tensor, temperature: float) -> Tensor:
    with torch.no_grad():
        if temperature == 0:
            return logits.copy_(_first(logits))
        return logits.div_(temperature)


def _temperature_on_cpu(logits: Tensor, temperature: float) -> Tensor:
    if temperature == 0:
        out = torch.full(logits.shape, -torch.inf, dtype=logits.dtype)
        return torch.where(ranks(logits.detach()) == 0, logits, out)
    return logits / temperature


GREEDY = "`torch.where(is_largest, logits, -torch.inf)`, with argmax for the place of the largest."
DIVIDE = "`logits / temperature`, for every temperature but 0."
TEMPERATURE = [
    Mistake(
        "divides_by_zero",
        in_float32(lambda logits, temperature: logits / temperature),
        "At temperature 0 it divides by zero: infinities, and NaN after the softmax. The limit is "
        "meant: only the largest logit is left.",
        GREEDY,
        "google-deepmind/gemma#562, suno-ai/bark#270, state-spaces/mamba#1041, ggml-org/ggml#37",
    ),
    Mistake(
        "nearly_zero",
        in_float32(lambda logits, temperature: logits / max(temperature, 1e-6)),
        "At temperature 0 it divides by something tiny. All logits stay finite, two equal ones "
        "stay equal, and in half precision they overflow.",
        GREEDY,
    ),
    Mistake(
        "zero_is_one",
        zero(lambda logits: logits + 0),
        "At temperature 0 the logits come back as they were: that is temperature 1. `if "
        "temperature:` or `temperature or 1.0` does that.",
        GREEDY,
    ),
    Mistake(
        "zero_is_one_hot",
        zero(lambda logits: (ranks(logits.detach()) == 0) + 0 * logits),
        "At temperature 0 it returns probabilities, 1 and 0. As logits these are e to 1, and every "
        "other token can still be drawn.",
        GREEDY,
    ),
    Mistake(
        "zero_times_mask",
        zero(_product),
        "At temperature 0 the others become 0. These are logits: e^0 = 1 is no small weight.",
        GREEDY,
    ),
    Mistake(
        "zero_is_an_index",
        zero(lambda logits: logits.argmax(-1).float()),
        "At temperature 0 it returns the token. Logits are expected, (..., V) as always.",
        GREEDY,
    ),
    Mistake(
        "keeps_all_equals",
        zero(lambda logits: torch.where(logits == logits.amax(-1, True), logits, -torch.inf)),
        "At temperature 0 all that equal the largest stay, and one of them is drawn by luck. "
        "Greedy decoding takes the first, always.",
        GREEDY,
    ),
    Mistake(
        "last_of_equals",
        zero(_last),
        "At temperature 0 it keeps the last of several equal logits. argmax takes the first.",
        GREEDY,
    ),
    Mistake(
        "smallest_at_zero",
        zero(lambda logits: torch.where(ranks(-logits.detach()) == 0, logits, -torch.inf)),
        "At temperature 0 it keeps the least likely token.",
        GREEDY,
    ),
    Mistake(
        "largest_size_at_zero",
        zero(lambda logits: torch.where(ranks(logits.detach().abs()) == 0, logits, -torch.inf)),
        "At temperature 0 it keeps the logit that is largest in size, whatever its sign.",
        GREEDY,
    ),
    Mistake(
        "one_for_the_batch",
        zero(_flat_first),
        "At temperature 0 one logit of the whole batch is left. Each row has its own largest.",
        "`argmax(dim=-1, keepdim=True)`",
    ),
    Mistake(
        "zero_along_batch",
        zero(_down_first),
        "At temperature 0 it looks for the largest along dim=0, the batch.",
        "`argmax(dim=-1, keepdim=True)`",
    ),
    Mistake(
        "multiplies",
        divided(lambda logits, t: logits * t),
        "It multiplies by the temperature. Hot must be flat: divide.",
        DIVIDE,
    ),
    Mistake(
        "after_softmax",
        divided(lambda logits, t: logits.softmax(-1) / t),
        "It divides probabilities. The temperature belongs before the softmax: dividing afterwards "
        "changes all of them by the same factor, and so nothing.",
        DIVIDE,
    ),
    Mistake(
        "probabilities",
        divided(lambda logits, t: (logits / t).softmax(-1)),
        "It returns probabilities. Logits go in and logits come out.",
        DIVIDE,
    ),
    Mistake(
        "log_probabilities",
        divided(lambda logits, t: (logits / t).log_softmax(-1)),
        "It returns logarithms of probabilities: the distribution is right, every logit is "
        "shifted. Return logits / temperature itself.",
        DIVIDE,
    ),
    Mistake(
        "shifted",
        divided(lambda logits, t: (logits - logits.amax(-1, True)) / t),
        "The largest logit has been subtracted. The softmax does not mind, but this function "
        "promises logits / temperature.",
        DIVIDE,
    ),
    Mistake(
        "ignored",
        divided(lambda logits, t: logits + 0),
        "The temperature changes nothing, except at 0.",
        DIVIDE,
    ),
    Mistake(
        "ignored_always",
        lambda logits, temperature: logits + 0,
        "The temperature changes nothing at all.",
        DIVIDE,
    ),
    Mistake(
        "subtracts",
        divided(lambda logits, t: logits - t),
        "It subtracts the temperature, and the softmax does not notice.",
        DIVIDE,
    ),
    Mistake(
        "square_root",
        divided(lambda logits, t: logits / t**0.5),
        "It divides by the root of the temperature.",
        DIVIDE,
    ),
    Mistake(
        "squared",
        divided(lambda logits, t: logits / t**2),
        "It divides by the square of the temperature.",
        DIVIDE,
    ),
    Mistake(
        "one_plus",
        divided(lambda logits, t: logits / (1 + t)),
        "It divides by 1 + temperature.",
        DIVIDE,
    ),
    Mistake(
        "only_cooler",
        divided(lambda logits, t: logits / min(t, 1.0)),
        "Temperatures above 1 count as 1.",
        DIVIDE,
    ),
    Mistake(
        "not_below_a_tenth",
        divided(lambda logits, t: logits / max(t, 0.1)),
        "Temperatures below 0.1 count as 0.1.",
        DIVIDE,
    ),
    Mistake(
        "small_is_zero",
        in_float32(lambda logits, t: _first(logits) if t < 0.1 else logits / t),
        "It treats a small temperature as 0. Only 0 itself keeps a single token.",
        DIVIDE,
    ),
    Mistake(
        "whole_numbers",
        divided(lambda logits, t: logits // t),
        "It divides without remainder (`//`).",
        DIVIDE,
    ),
    Mistake(
        "only_positive",
        divided(lambda logits, t: torch.where(logits > 0, logits / t, logits)),
        "Only positive logits are divided.",
        DIVIDE,
    ),
    Mistake(
        "removed_come_back",
        divided(lambda logits, t: logits.clamp(min=-1e4) / t),
        "A logit of -inf, a token that has been removed before, comes back as a finite number.",
        DIVIDE,
    ),
    Mistake(
        "in_place",
        _temperature_in_place,
        "It changes the logits that it was given.",
        DIVIDE,
    ),
    Mistake(
        "float32_result",
        lambda logits, t: (_first(logits) if t == 0 else logits / t).float(),
        "The result is float32 whatever the logits are.",
        DIVIDE,
    ),
    Mistake(
        "float64_result",
        lambda logits, t: (_first(logits) if t == 0 else logits / t).double(),
        "The result is float64: a numpy number or a double tensor is involved.",
        DIVIDE,
    ),
    Mistake(
        "detached",
        lambda logits, t: (_first(logits) if t == 0 else logits / t).detach(),
        "The result is cut off from the gradient.",
        "No `.detach()`, `.data` or `torch.no_grad()` here.",
    ),
    Mistake(
        "made_on_the_cpu",
        _temperature_on_cpu,
        "A tensor is made on the CPU whatever the device of the logits is.",
        "`torch.full_like(logits, -torch.inf)`, or torch.where with a number.",
    ),
]

# 10.2 top_k


def keep_k(logits: Tensor, k: float) -> Tensor:
    """What top_k keeps."""
    return ranks(logits) < k


def _crashing(logits: Tensor, k: float) -> Tensor:
    kth = logits.topk(int(k), dim=-1).values[..., -1:]
    return torch.where(logits < kth, -torch.inf, logits)


def _distinct(logits: Tensor, k: float) -> Tensor:
    rows = logits.flatten(0, -2) if logits.dim() > 1 else logits[None]
    least = [row.unique()[-min(int(k), len(row.unique()))] for row in rows]
    return logits >= torch.stack(least).reshape(*logits.shape[:-1], 1)


KTH = "`kth = logits.topk(min(k, V)).values[..., -1:]`; what is smaller becomes -inf."
TOP_K = [
    *common(keep_k),
    Mistake(
        "k_above_v_crashes",
        _crashing,
        "With k above the size of the vocabulary it stops with an error. Then all tokens stay.",
        "`k = min(k, logits.shape[-1])`",
    ),
    Mistake(
        "k_above_v_removes_all",
        keeping(lambda logits, k: keep_k(logits, k) & (k <= logits.shape[-1])),
        "With k above the size of the vocabulary nothing stays. Everything should.",
        "`k = min(k, logits.shape[-1])`",
    ),
    Mistake(
        "smallest",
        keeping(lambda logits, k: ranks(-logits) < k),
        "It keeps the k smallest logits.",
        KTH,
    ),
    Mistake(
        "largest_size",
        keeping(lambda logits, k: ranks(logits.abs()) < k),
        "It keeps those that are largest in size, whatever their sign.",
        KTH,
    ),
    Mistake(
        "removes_k",
        keeping(lambda logits, k: ranks(-logits) >= k),
        "It removes the k smallest. k tokens should stay.",
        KTH,
    ),
    Mistake(
        "first_k_places",
        keeping(lambda logits, k: torch.arange(logits.shape[-1]).expand(logits.shape) < k),
        "It keeps the first k tokens of the vocabulary, however likely they are.",
        KTH,
    ),
    Mistake(
        "only_k_values",
        lambda logits, k: logits.topk(min(int(k), logits.shape[-1]), -1).values,
        "It returns the k values alone, (..., k). All V places are expected, -inf where removed.",
        KTH,
    ),
    Mistake(
        "indices",
        lambda logits, k: logits.topk(min(int(k), logits.shape[-1]), -1).indices,
        "It returns the places of the k largest instead of logits.",
        KTH,
    ),
    Mistake(
        "drops_equals",
        keeping(lambda logits, k: logits > _next_value(logits, k)),
        "When the k-th and the next logit are equal, both go, and fewer than k tokens stay.",
        "Remove what is smaller than the k-th, instead of keeping what is larger than the next.",
    ),
    Mistake(
        "distinct_values",
        keeping(_distinct),
        "It counts different values, so that with equal logits more than k tokens stay.",
        KTH,
    ),
    Mistake(
        "always_fifty",
        keeping(lambda logits, k: keep_k(logits, 50)),
        "It keeps 50, the libraries' default, whatever k is.",
        "Use `k`.",
    ),
    Mistake(
        "at_most_ten",
        keeping(lambda logits, k: keep_k(logits, min(k, 10))),
        "It never keeps more than 10.",
        "Use `k`.",
    ),
    Mistake(
        "share_of_the_vocabulary",
        keeping(lambda logits, k: keep_k(logits, max(round(logits.shape[-1] / k), 1))),
        "It keeps a k-th part of the vocabulary. k is a number of tokens.",
        KTH,
    ),
]


def _next_value(logits: Tensor, k: float) -> Tensor:
    """The (k + 1)-th largest of each row, or -inf where there is none: (..., 1)."""
    values = torch.nn.functional.pad(logits.sort(-1, descending=True).values, (0, 1), value=-1e38)
    return values[..., min(int(k), logits.shape[-1]), None]


# 10.4 min_p


def keep_min_p(logits: Tensor, p: float) -> Tensor:
    """What min_p keeps."""
    probabilities = logits.softmax(-1)
    return probabilities >= p * probabilities.amax(-1, keepdim=True)


def probable(rule: Callable[[Tensor, float], Tensor]) -> Filter:
    """A filter by probabilities: rule(probabilities, p) says what stays."""
    return keeping(lambda logits, p: rule(logits.softmax(-1), p))


SHARE = "`probabilities >= p * probabilities.amax(dim=-1, keepdim=True)`"
MIN_P = [
    *common(keep_min_p),
    Mistake(
        "relative_to_one",
        probable(lambda q, p: q >= p),
        "It compares the probabilities with p itself. The threshold is p times the largest of "
        "them; when none reaches p, yours removes everything.",
        SHARE,
    ),
    Mistake(
        "relative_to_one_but_one",
        probable(lambda q, p: (q >= p) | (q == q.amax(-1, keepdim=True))),
        "It compares the probabilities with p itself, and saves the likeliest. The threshold is p "
        "times the largest probability.",
        SHARE,
    ),
    Mistake(
        "share_of_the_logit",
        keeping(lambda logits, p: logits >= p * logits.amax(-1, keepdim=True)),
        "It compares logits: p times the largest logit. Probabilities are meant; half of a logit "
        "is not half as likely, and negative logits turn it round.",
        SHARE,
    ),
    Mistake(
        "strict",
        probable(lambda q, p: q > p * q.amax(-1, keepdim=True)),
        "It keeps what is above the threshold only. At least p times as likely: p = 1 keeps the "
        "likeliest.",
        "`>=`, not `>`.",
    ),
    Mistake(
        "below_the_threshold",
        probable(lambda q, p: q <= p * q.amax(-1, keepdim=True)),
        "It keeps what is below the threshold.",
        SHARE,
    ),
    Mistake(
        "complement",
        probable(lambda q, p: q >= (1 - p) * q.amax(-1, keepdim=True)),
        "The threshold is (1 - p) times the largest probability.",
        SHARE,
    ),
    Mistake(
        "relative_to_the_mean",
        probable(lambda q, p: q >= p * q.mean(-1, keepdim=True)),
        "It compares with p times the mean probability, p / V. The largest is meant.",
        SHARE,
    ),
    Mistake(
        "nucleus",
        probable(lambda q, p: _nucleus(q, p)),
        "This is top_p: it adds probabilities up. min_p compares each with the largest.",
        SHARE,
    ),
    Mistake(
        "log_base_ten",
        keeping(lambda logits, p: logits >= logits.amax(-1, True) + _log10(p)),
        "In logits the threshold is the largest plus ln p. It is the natural logarithm.",
        "`math.log(p)`, or compare probabilities.",
    ),
    Mistake(
        "minus_p",
        keeping(lambda logits, p: logits >= logits.amax(-1, True) - p),
        "It keeps the logits that are at most p below the largest. In logits, p times as likely "
        "is the largest plus ln p.",
        SHARE,
    ),
    Mistake(
        "largest_of_the_batch",
        keeping(lambda logits, p: logits.softmax(-1) >= p * logits.softmax(-1).amax()),
        "The threshold comes from the largest probability of the whole batch. Each row has its "
        "own.",
        "`amax(dim=-1, keepdim=True)`",
    ),
    Mistake(
        "softmax_of_softmax",
        probable(lambda q, p: keep_min_p(q, p)),
        "The softmax is taken twice.",
        SHARE,
    ),
    Mistake(
        "squared_share",
        probable(lambda q, p: q >= p * q.amax(-1, keepdim=True) ** 2),
        "The threshold has the largest probability squared.",
        SHARE,
    ),
    Mistake(
        "always_a_tenth",
        keeping(lambda logits, p: keep_min_p(logits, 0.1)),
        "It uses 0.1 whatever p is.",
        "Use `p`.",
    ),
    Mistake(
        "in_half_precision",
        lambda logits, p: torch.where(keep_min_p(logits, p), logits, -torch.inf),
        "Probabilities and threshold are computed in half precision, where tokens of different "
        "probability are rounded to the same number.",
        "`logits.float().softmax(dim=-1)`",
    ),
    Mistake(
        "two_at_least",
        keeping(lambda logits, p: keep_min_p(logits, p) | (ranks(logits) < 2)),
        "It always keeps two tokens. Where the model is sure, one stays.",
        SHARE,
    ),
]


def _nucleus(q: Tensor, p: float) -> Tensor:
    values, order = q.sort(-1, descending=True)
    keep = values.cumsum(-1) - values < p
    return torch.zeros_like(keep).scatter(-1, order, keep)


def _log10(p: float) -> Tensor:
    return torch.tensor(p).log10()
