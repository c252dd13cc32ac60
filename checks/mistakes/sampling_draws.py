"""Lab 10, 10.5: what people write for sample."""

from collections.abc import Callable

import torch
from torch import Generator, Tensor

from checks.engine import Mistake

Sampler = Callable[..., Tensor]


def weighted(weights: Callable[[Tensor], Tensor]) -> Sampler:
    """Draw by other weights than the softmax: weights(float32 logits) (B, V) → (B, V)."""

    def wrong(logits: Tensor, generator: Generator | None = None) -> Tensor:
        return torch.multinomial(weights(logits.float()), 1, generator=generator)[:, 0]

    return wrong


def noisy(noise: Callable[[Tensor], Tensor], of: Callable = lambda logits: logits) -> Sampler:
    """Take the largest of the logits with noise: noise(uniform numbers) (B, V)."""

    def wrong(logits: Tensor, generator: Generator | None = None) -> Tensor:
        u = torch.rand(logits.shape, generator=generator).clamp(min=1e-30)
        return (of(logits.float()) + noise(u)).argmax(-1)

    return wrong


def inverse(place: Callable[[Tensor, Tensor], Tensor]) -> Sampler:
    """Compare a uniform number (B, 1) with the cumulative sum (B, V): place(cumsum, u)."""

    def wrong(logits: Tensor, generator: Generator | None = None) -> Tensor:
        u = torch.rand(len(logits), 1, generator=generator)
        return place(logits.float().softmax(-1).cumsum(-1), u)

    return wrong


def drawn(change: Callable[[Tensor, Tensor], Tensor]) -> Sampler:
    """Draw rightly, then spoil the result: change(tokens (B,), logits)."""

    def wrong(logits: Tensor, generator: Generator | None = None) -> Tensor:
        return change(weighted(_softmax)(logits, generator), logits)

    return wrong


def _softmax(logits: Tensor) -> Tensor:
    return logits.softmax(-1)


def _ignores(logits: Tensor, generator: Generator | None = None) -> Tensor:
    return weighted(_softmax)(logits)


def _ignores_the_global_one(logits: Tensor, generator: Generator | None = None) -> Tensor:
    return weighted(_softmax)(logits, generator or Generator())


def _reseeds(logits: Tensor, generator: Generator | None = None) -> Tensor:
    if generator is not None:
        generator.manual_seed(generator.initial_seed())
    return weighted(_softmax)(logits, generator)


def _reseeds_with_zero(logits: Tensor, generator: Generator | None = None) -> Tensor:
    return weighted(_softmax)(logits, Generator().manual_seed(0))


def _manual_seed(logits: Tensor, generator: Generator | None = None) -> Tensor:
    torch.manual_seed(0)
    return weighted(_softmax)(logits, generator)


def _shared_gumbel(logits: Tensor, generator: Generator | None = None) -> Tensor:
    u = torch.rand(logits.shape[-1], generator=generator).clamp(min=1e-30)
    return (logits.float() - (-u.log()).log()).argmax(-1)


def _shared_height(logits: Tensor, generator: Generator | None = None) -> Tensor:
    u = torch.rand(1, generator=generator)
    edges = logits.float().softmax(-1).cumsum(-1)
    return (edges < u).sum(-1).clamp(max=logits.shape[-1] - 1)


def _half_edges(logits: Tensor, generator: Generator | None = None) -> Tensor:
    edges = logits.softmax(-1).cumsum(-1)
    u = torch.rand(len(logits), 1, generator=generator)
    return (edges.float() <= u * edges[:, -1:]).sum(-1).clamp(max=logits.shape[-1] - 1)


def _mode(logits: Tensor, generator: Generator | None = None) -> Tensor:
    several = torch.multinomial(logits.float().softmax(-1), 5, True, generator=generator)
    return several.mode(-1).values


def _first_row(logits: Tensor, generator: Generator | None = None) -> Tensor:
    rows = logits.float().softmax(-1)[:1].expand(len(logits), -1)
    return torch.multinomial(rows, 1, generator=generator)[:, 0]


def _one_draw(logits: Tensor, generator: Generator | None = None) -> Tensor:
    return weighted(_softmax)(logits[:1], generator).expand(len(logits)).clone()


def _across(logits: Tensor, generator: Generator | None = None) -> Tensor:
    return torch.multinomial(logits.float().softmax(-1).T, 1, generator=generator)[:, 0]


def _flat(logits: Tensor, generator: Generator | None = None) -> Tensor:
    flat = logits.float().softmax(-1).flatten()
    return torch.multinomial(flat, len(logits), True, generator=generator) % logits.shape[-1]


def _in_place(logits: Tensor, generator: Generator | None = None) -> Tensor:
    logits -= logits.amax(-1, keepdim=True)
    return weighted(_softmax)(logits, generator)


def _best(n: int) -> Callable[[Tensor], Tensor]:
    def weights(logits: Tensor) -> Tensor:
        ranks = logits.argsort(dim=-1, descending=True).argsort(-1)
        return logits.softmax(-1) * (ranks < n)

    return weights


def _nucleus(logits: Tensor) -> Tensor:
    values, order = logits.softmax(-1).sort(-1, descending=True)
    keep = values.cumsum(-1) - values < 0.9
    return torch.zeros_like(values).scatter(-1, order, values * keep)


def gumbel(u: Tensor) -> Tensor:
    """-log(-log u): the noise whose argmax draws from the softmax."""
    return -(-u.log()).log()


MULTINOMIAL = "`torch.multinomial(probabilities, 1, generator=generator).squeeze(-1)`"
SOFTMAX = "The weights are `logits.float().softmax(dim=-1)`."
NOISE = "The noise of the Gumbel trick is -log(-log u), added to the logits; then argmax."
USE = "Hand it on: `torch.multinomial(…, generator=generator)`, `torch.rand(…, generator=…)`."
SAMPLE = [
    Mistake(
        "always_the_likeliest",
        lambda logits, generator=None: logits.argmax(-1),
        "It takes the likeliest token. To sample is to draw: a token of probability 0.2 comes up "
        "once in five times.",
        MULTINOMIAL,
    ),
    Mistake(
        "generator_ignored",
        _ignores,
        "The generator is ignored: with the same seed other tokens are drawn, and nobody can "
        "repeat a text.",
        USE,
    ),
    Mistake(
        "own_generator_without_one",
        _ignores_the_global_one,
        "Without a generator it makes a new one, which begins with the same seed each time: every "
        "call draws the same.",
        "`generator=None` is torch's own; hand None on.",
    ),
    Mistake(
        "generator_reset",
        _reseeds,
        "The generator is set back to its seed in each call, so that each call draws the same "
        "numbers. A text of it repeats one piece of luck.",
        "Seed once, outside. The generator moves on by itself.",
    ),
    Mistake(
        "always_seed_zero",
        _reseeds_with_zero,
        "Each call makes a generator with the same seed: nothing is left to chance.",
        USE,
    ),
    Mistake(
        "sets_the_global_seed",
        _manual_seed,
        "It calls torch.manual_seed: without a generator each call draws the same, and everybody "
        "else's random numbers are reset.",
        "Seeds are set outside of this function.",
    ),
    Mistake(
        "uniform",
        weighted(lambda x: x.isfinite().float()),
        "All tokens that are left are equally likely. Their logits should decide.",
        SOFTMAX,
    ),
    Mistake(
        "uniform_over_everything",
        weighted(torch.ones_like),
        "All tokens are equally likely, even those at -inf.",
        SOFTMAX,
    ),
    Mistake(
        "logits_as_weights",
        weighted(lambda x: x),
        "The logits themselves are given to multinomial, which wants weights, none below 0.",
        SOFTMAX,
    ),
    Mistake(
        "positive_logits_as_weights",
        weighted(lambda x: x.clamp(min=0) + 1e-9),
        "The logits themselves are the weights, the negative ones cut off. e^logit is meant.",
        SOFTMAX,
    ),
    Mistake(
        "log_softmax_as_weights",
        weighted(lambda x: x.log_softmax(-1)),
        "multinomial gets log-probabilities, which are negative. It wants probabilities.",
        SOFTMAX,
    ),
    Mistake(
        "exp_overflows",
        weighted(torch.exp),
        "e^logit is infinite from 89 on. The softmax subtracts the largest first.",
        SOFTMAX,
    ),
    Mistake(
        "softmax_over_the_batch",
        weighted(lambda x: x.softmax(0).nan_to_num(0.0) + 1e-20),
        "The softmax runs over the batch (dim=0): a token is compared with itself in other rows.",
        "`softmax(dim=-1)`",
    ),
    Mistake(
        "softmax_twice",
        weighted(lambda x: x.softmax(-1).softmax(-1)),
        "The softmax is taken twice: nearly flat, and tokens at -inf come back.",
        SOFTMAX,
    ),
    Mistake(
        "sigmoid",
        weighted(lambda x: x.sigmoid() + 1e-30),
        "The weights are sigmoids. Tokens compete: softmax.",
        SOFTMAX,
    ),
    Mistake(
        "squared",
        weighted(lambda x: x.softmax(-1) ** 2 + 1e-30 * x.isfinite()),
        "The probabilities are squared: temperature 0.5 that nobody asked for.",
        SOFTMAX,
    ),
    Mistake(
        "temperature_of_its_own",
        weighted(lambda x: (x / 0.7).softmax(-1)),
        "It has a temperature of its own, below 1. That is another function's business.",
        SOFTMAX,
    ),
    Mistake(
        "upside_down",
        weighted(lambda x: (-x.where(x.isfinite(), torch.inf)).softmax(-1)),
        "The least likely tokens come up most often: a sign is wrong.",
        SOFTMAX,
    ),
    Mistake(
        "a_little_for_everyone",
        weighted(lambda x: x.softmax(-1) + 1e-3),
        "A small number is added to all probabilities, so tokens that were removed come back.",
        "No epsilon: -inf must mean never.",
    ),
    Mistake(
        "gumbel_wrong_sign",
        noisy(lambda u: -gumbel(u)),
        "The Gumbel noise has the wrong sign. The result looks random, and the likely tokens come "
        "up too rarely or too often.",
        NOISE,
    ),
    Mistake(
        "one_logarithm",
        noisy(lambda u: -u.log()),
        "The noise is -log u, with one logarithm. Gumbel noise has two.",
        NOISE,
    ),
    Mistake(
        "gumbel_on_probabilities",
        noisy(gumbel, of=lambda x: x.softmax(-1).where(x.isfinite(), -torch.inf)),
        "The Gumbel noise is added to probabilities. It belongs on the logits.",
        NOISE,
    ),
    Mistake(
        "uniform_noise",
        noisy(lambda u: u),
        "Uniform noise is added to the logits. With it the argmax is not distributed as the "
        "softmax says.",
        NOISE,
    ),
    Mistake(
        "one_noise_for_all_rows",
        _shared_gumbel,
        "All rows of the batch get the same noise, so that equal rows draw equal tokens.",
        "`torch.rand(logits.shape, generator=generator)`",
    ),
    Mistake(
        "one_height_for_all_rows",
        _shared_height,
        "All rows are drawn with the same uniform number, so that equal rows draw equal tokens.",
        "`torch.rand(B, 1, generator=generator)`",
    ),
    Mistake(
        "one_further",
        inverse(lambda edges, u: (edges < u).sum(-1) + 1),
        "The place in the cumulative sum is one too far: token i comes up as i + 1.",
        "Count the sums that are below u: that is the token.",
    ),
    Mistake(
        "one_before",
        inverse(lambda edges, u: ((edges < u).sum(-1) - 1).clamp(min=0)),
        "The place in the cumulative sum is one too early.",
        "Count the sums that are below u: that is the token.",
    ),
    Mistake(
        "from_the_other_end",
        inverse(lambda edges, u: (edges.shape[-1] - 1 - (edges < u).sum(-1)).clamp(min=0)),
        "The cumulative sum is read from the wrong end.",
        "Count the sums that are below u: that is the token.",
    ),
    Mistake(
        "sums_in_half_precision",
        _half_edges,
        "In bfloat16 the cumulative sum moves in steps of 0.004: between two steps lie tokens that "
        "are never drawn.",
        "`logits.float()` first.",
    ),
    Mistake(
        "most_frequent_of_five",
        _mode,
        "It draws several times and takes the most frequent: likely tokens become likelier.",
        "Draw once.",
    ),
    Mistake(
        "five_likeliest",
        weighted(_best(5)),
        "Only the five likeliest are ever drawn. top_k is another function's business.",
        SOFTMAX,
    ),
    Mistake(
        "fifty_likeliest",
        weighted(_best(50)),
        "Only the fifty likeliest are ever drawn. top_k is another function's business.",
        SOFTMAX,
    ),
    Mistake(
        "nucleus",
        weighted(_nucleus),
        "It draws from the nucleus of 0.9 only. top_p is another function's business.",
        SOFTMAX,
    ),
    Mistake(
        "first_row_s_logits",
        _first_row,
        "All rows are drawn with the probabilities of the first.",
        "multinomial takes (B, V) and draws for each row.",
    ),
    Mistake(
        "first_row_s_token",
        _one_draw,
        "One token is drawn, for the first row, and given to all.",
        "multinomial takes (B, V) and draws for each row.",
    ),
    Mistake(
        "rows_for_tokens",
        _across,
        "The probabilities are transposed: it draws a row for each token.",
        "(B, V) as it is.",
    ),
    Mistake(
        "one_big_row",
        _flat,
        "All rows are thrown into one and drawn from together.",
        "multinomial takes (B, V) and draws for each row.",
    ),
    Mistake(
        "logits_changed",
        _in_place,
        "It changes the logits that it was given, in place.",
        SOFTMAX,
    ),
    Mistake(
        "dimension_left",
        drawn(lambda tokens, logits: tokens[:, None]),
        "It returns (B, 1), as multinomial gives it. (B,) is expected.",
        "`.squeeze(-1)`",
    ),
    Mistake(
        "dimension_lost",
        drawn(lambda tokens, logits: tokens.squeeze()),
        "With one row the batch dimension is lost: `squeeze()` drops every dimension of size 1.",
        "`.squeeze(-1)`",
    ),
    Mistake(
        "probability_returned",
        drawn(lambda tokens, x: x.float().softmax(-1).gather(-1, tokens[:, None])[:, 0]),
        "It returns the probability of the token that was drawn. The token is wanted.",
        MULTINOMIAL,
    ),
    Mistake(
        "logit_returned",
        drawn(lambda tokens, x: x.gather(-1, tokens[:, None])[:, 0]),
        "It returns the logit of the token that was drawn. The token is wanted.",
        MULTINOMIAL,
    ),
    Mistake(
        "one_hot",
        drawn(lambda tokens, x: torch.nn.functional.one_hot(tokens, x.shape[-1])),
        "It returns zeros and a one. The token's number is wanted.",
        MULTINOMIAL,
    ),
    Mistake(
        "float_tokens",
        drawn(lambda tokens, x: tokens.float()),
        "The tokens are floating point numbers. Ids are whole.",
        "int64, as multinomial and argmax give.",
    ),
    Mistake(
        "short_integers",
        drawn(lambda tokens, x: tokens.int()),
        "The tokens are int32. Ids are int64 (torch.long) in this course.",
        "int64, as multinomial and argmax give.",
    ),
    Mistake(
        "list",
        drawn(lambda tokens, x: tokens.tolist()),
        "It returns a list. A tensor (B,) is expected.",
        MULTINOMIAL,
    ),
]
