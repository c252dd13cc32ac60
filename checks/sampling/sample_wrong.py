"""Lab 10, 10.5: sample in three ways, and what people write in place of their lines."""

import random

import torch
from torch import Generator, Tensor

from checks.engine import Mistake, mistakes_of


def likeliest(probabilities: Tensor, n: int) -> Tensor:
    """The others' probabilities are 0."""
    ranks = probabilities.argsort(dim=-1, descending=True).argsort(-1)
    return probabilities * (ranks < n)


def nucleus(probabilities: Tensor) -> Tensor:
    """The smallest set that reaches 0.9; the others' probabilities are 0."""
    values, order = probabilities.sort(-1, descending=True)
    keep = values.cumsum(-1) - values < 0.9
    return torch.zeros_like(values).scatter(-1, order, values * keep)


def sample(logits: Tensor, generator: Generator | None = None) -> Tensor:
    probabilities = logits.float().softmax(dim=-1)
    #: The weights are `logits.float().softmax(dim=-1)`.
    #! uniform: probabilities = logits.isfinite().float()
    #  All tokens that are left are equally likely. Their logits should decide.
    #! uniform_over_everything: probabilities = torch.ones_like(logits)
    #  All tokens are equally likely, even those at -inf.
    #! logits_as_weights: probabilities = logits.float()
    #  The logits themselves are given to multinomial, which wants weights, none below 0.
    #! positive_logits_as_weights: probabilities = logits.clamp(min=0) + 1e-9
    #! positive_logits_as_weights: probabilities = logits.clamp(min=0)
    #  The logits themselves are the weights, the negative ones cut off. e^logit is meant.
    #! sizes_as_weights: probabilities = logits.abs()
    #! sizes_as_weights: probabilities = torch.where(logits.isfinite(), logits.abs(), 0.0)
    #  The sizes of the logits are the weights, whatever their sign. e^logit is meant.
    #! log_softmax_as_weights: probabilities = logits.float().log_softmax(dim=-1)
    #  multinomial gets log-probabilities, which are negative. It wants probabilities.
    #! exp_overflows: probabilities = logits.float().exp()
    #  e^logit is infinite from 89 on. The softmax subtracts the largest first.
    #! softmax_twice: probabilities = logits.float().softmax(-1).softmax(-1)
    #  The softmax is taken twice: nearly flat, and tokens at -inf come back.
    #! sigmoid: probabilities = logits.sigmoid()
    #! sigmoid: probabilities = logits.sigmoid() + 1e-30
    #  The weights are sigmoids. Tokens compete: softmax.
    #! squared: probabilities = logits.float().softmax(-1) ** 2 + 1e-30 * logits.isfinite()
    #  The probabilities are squared: temperature 0.5 that nobody asked for.
    #! temperature_of_its_own: probabilities = (logits.float() / 0.7).softmax(-1)
    #  It has a temperature of its own, below 1. That is another function's business.
    #! hot: probabilities = (logits.float() * 0.7).softmax(-1)
    #  It has a temperature of its own, above 1. That is another function's business.
    #! upside_down: probabilities = (-logits.where(logits.isfinite(), torch.inf)).softmax(-1)
    #! upside_down: probabilities = (-logits.float()).softmax(-1)
    #  The least likely tokens come up most often: a sign is wrong.
    #! one_minus: probabilities = 1 - logits.float().softmax(-1)
    #  It draws by 1 - probability: the unlikely come up most often, even those at -inf.
    #! a_little_for_everyone: probabilities = logits.float().softmax(-1) + 1e-3
    #  A small number is added to all probabilities, so tokens that were removed come back.
    #! five_likeliest: probabilities = likeliest(logits.float().softmax(-1), 5)
    #  Only the five likeliest are ever drawn. top_k is another function's business.
    #! fifty_likeliest: probabilities = likeliest(logits.float().softmax(-1), 50)
    #  Only the fifty likeliest are ever drawn. top_k is another function's business.
    #! nucleus: probabilities = nucleus(logits.float().softmax(-1))
    #  It draws from the nucleus of 0.9 only. top_p is another function's business.
    #! logits_changed: logits -= logits.amax(-1, keepdim=True); …
    #  It changes the logits that it was given, in place.
    #: `softmax(dim=-1)`
    #! softmax_over_the_batch: probabilities = logits.float().softmax(dim=0)
    #! softmax_over_the_batch: probabilities = logits.float().softmax(dim=0).nan_to_num(0.0) + 1e-20
    #  The softmax runs over the batch (dim=0): a token is compared with itself in other rows.
    #: multinomial takes (B, V) and draws for each row.
    #! first_row_s_logits: …; probabilities = probabilities[:1].expand(len(logits), -1)
    #  All rows are drawn with the probabilities of the first.
    #! one_big_row: …; return torch.multinomial(probabilities.flatten(), len(logits), True, generator=generator) % logits.shape[-1]
    #! one_big_row: …; return torch.multinomial(probabilities.mean(0), 1, generator=generator)
    #! one_big_row: …; return torch.multinomial(probabilities.flatten(), len(logits), generator=generator)
    #  All rows are thrown into one and drawn from together.
    #: (B, V) as it is.
    #! rows_for_tokens: …; probabilities = probabilities.T
    #  The probabilities are transposed: it draws a row for each token.
    #: Hand it on: `torch.multinomial(…, generator=generator)`, `torch.rand(…, generator=…)`.
    #! always_seed_zero: generator = torch.Generator().manual_seed(0); …
    #! always_seed_zero: generator = torch.Generator(); …
    #  Each call makes a generator with the same seed: nothing is left to chance.
    #: `generator=None` is torch's own; hand None on.
    #! own_generator_without_one: generator = generator or torch.Generator(); …
    #  Without a generator it makes a new one, which begins with the same seed each time: every call draws the same.
    #: Seed once, outside. The generator moves on by itself.
    #! generator_reset: generator = generator and generator.manual_seed(generator.initial_seed()); …
    #  The generator is set back to its seed in each call, so that each call draws the same numbers. A text of it repeats one piece of luck.
    #: Seeds are set outside of this function.
    #! sets_the_global_seed: torch.manual_seed(0); …
    #  It calls torch.manual_seed: without a generator each call draws the same, and everybody else's random numbers are reset.
    #: `torch.multinomial(probabilities, 1, generator=generator).squeeze(-1)`
    #! always_the_likeliest: return logits.argmax(-1)
    #  It takes the likeliest token. To sample is to draw: a token of probability 0.2 comes up once in five times.
    #! always_the_least_likely: return logits.argmin(-1)
    #  It takes the least likely token, always. To sample is to draw.
    drawn = torch.multinomial(probabilities, 1, generator=generator)
    #: Hand it on: `torch.multinomial(…, generator=generator)`, `torch.rand(…, generator=…)`.
    #! generator_ignored: drawn = torch.multinomial(probabilities, 1)
    #! generator_ignored: drawn = torch.tensor([random.choices(range(len(row)), row.tolist()) for row in probabilities])
    #  The generator is ignored: with the same seed other tokens are drawn, and nobody can repeat a text.
    #: Draw once.
    #! most_frequent_of_five: drawn = torch.multinomial(probabilities, 5, True, generator=generator).mode(-1, keepdim=True).values
    #  It draws several times and takes the most frequent: likely tokens become likelier.
    #! two_drawn: drawn = torch.multinomial(probabilities, 2, True, generator=generator)
    #  It draws two tokens for each row. One is wanted.
    #: `torch.multinomial(probabilities, 1, generator=generator).squeeze(-1)`
    #! always_the_likeliest: drawn = probabilities.argmax(-1, keepdim=True)
    #! probabilities_returned: return probabilities
    #  It returns the probabilities. Draw by them: one token for each row.
    #: multinomial takes (B, V) and draws for each row.
    #! first_row_s_token: drawn = torch.multinomial(probabilities[:1], 1, generator=generator).expand(len(logits), 1)
    #  One token is drawn, for the first row, and given to all.
    return drawn.squeeze(-1)
    #: `.squeeze(-1)`
    #! dimension_left: return drawn
    #! dimension_left: return drawn.squeeze(0)
    #  It returns (B, 1), as multinomial gives it. (B,) is expected.
    #! dimension_lost: return drawn.squeeze()
    #  With one row the batch dimension is lost: `squeeze()` drops every dimension of size 1.
    #! a_number: return drawn.item()
    #  `.item()` gives a number, and only one row can be drawn. A tensor (B,) is expected.
    #! first_only: return drawn[0]
    #  It returns the first row's token alone. `drawn[:, 0]` takes the first column.
    #: `torch.multinomial(probabilities, 1, generator=generator).squeeze(-1)`
    #! probability_returned: return probabilities.gather(-1, drawn).squeeze(-1)
    #  It returns the probability of the token that was drawn. The token is wanted.
    #! logit_returned: return logits.gather(-1, drawn).squeeze(-1)
    #  It returns the logit of the token that was drawn. The token is wanted.
    #! one_hot: return torch.nn.functional.one_hot(drawn.squeeze(-1), logits.shape[-1])
    #  It returns zeros and a one. The token's number is wanted.
    #! list: return drawn.squeeze(-1).tolist()
    #  It returns a list. A tensor (B,) is expected.
    #: int64, as multinomial and argmax give.
    #! float_tokens: return drawn.squeeze(-1).float()
    #  The tokens are floating point numbers. Ids are whole.
    #! short_integers: return drawn.squeeze(-1).int()
    #  The tokens are int32. Ids are int64 (torch.long) in this course.
    #: `return torch.multinomial(probabilities, 1, generator=generator).squeeze(-1)`
    #! no_return: drawn.squeeze(-1)
    #  The token is drawn and then forgotten: there is no `return`.


def by_noise(logits: Tensor, generator: Generator | None = None) -> Tensor:
    u = torch.rand(logits.shape, generator=generator).clamp(min=1e-30)
    #: `torch.rand(logits.shape, generator=generator)`
    #! one_noise_for_all_rows: u = torch.rand(logits.shape[-1], generator=generator).clamp(min=1e-30)
    #  All rows of the batch get the same noise, so that equal rows draw equal tokens.
    #! one_noise_for_all_tokens: u = torch.rand(len(logits), 1, generator=generator).clamp(min=1e-30)
    #  All tokens of a row get the same noise, which changes nothing: the likeliest wins. Each has its own.
    #! generator_ignored: u = torch.rand(logits.shape).clamp(min=1e-30)
    noise = -(-u.log()).log()
    #: The noise of the Gumbel trick is -log(-log u), added to the logits; then argmax.
    #! gumbel_wrong_sign: noise = (-u.log()).log()
    #  The Gumbel noise has the wrong sign. The result looks random, and the likely tokens come up too rarely or too often.
    #! one_logarithm: noise = -u.log()
    #  The noise is -log u, with one logarithm. Gumbel noise has two.
    #! uniform_noise: noise = u
    #  Uniform noise is added to the logits. With it the argmax is not distributed as the softmax says.
    #! normal_noise: noise = torch.randn(logits.shape, generator=generator)
    #  Normal noise (`randn`) is added to the logits. With it the argmax is not distributed as the softmax says.
    return (logits.float() + noise).argmax(dim=-1)
    #: The noise of the Gumbel trick is -log(-log u), added to the logits; then argmax.
    #! gumbel_on_probabilities: return (logits.softmax(-1).where(logits.isfinite(), -torch.inf) + noise).argmax(-1)
    #! gumbel_on_probabilities: return (logits.softmax(-1) + noise).argmax(-1)
    #  The Gumbel noise is added to probabilities. It belongs on the logits.
    #! times_noise: return (logits.float() * noise).argmax(-1)
    #  The logits are multiplied by the noise. It is added.
    #! clocks_multiplied: return (logits.float().softmax(-1) * -u.log()).argmax(-1)
    #  Probabilities are multiplied by exponential numbers. In the race of clocks they are divided by them.


def by_height(logits: Tensor, generator: Generator | None = None) -> Tensor:
    edges = logits.float().softmax(dim=-1).cumsum(dim=-1)
    #: `logits.float()` first.
    #! sums_in_half_precision: edges = logits.softmax(dim=-1).cumsum(dim=-1)
    #  In bfloat16 the cumulative sum moves in steps of 0.004: between two steps lie tokens that are never drawn.
    height = torch.rand(len(logits), 1, generator=generator) * edges[:, -1:]
    #: `torch.rand(B, 1, generator=generator)`
    #! one_height_for_all_rows: height = torch.rand(1, generator=generator)
    #  All rows are drawn with the same uniform number, so that equal rows draw equal tokens.
    #! own_height_for_each_token: height = torch.rand(logits.shape, generator=generator)
    #  Each token is compared with a number of its own. One number for each row falls somewhere in the sum.
    #! normal_height: height = torch.randn(len(logits), 1, generator=generator)
    #  The number is drawn with randn. Only uniform numbers, `rand`, fall on each piece as often as it is long.
    return (edges <= height).sum(dim=-1)
    #: Count the sums that are below u: that is the token.
    #! one_further: return (edges < height).sum(-1) + 1
    #  The place in the cumulative sum is one too far: token i comes up as i + 1.
    #! one_before: return ((edges < height).sum(-1) - 1).clamp(min=0)
    #  The place in the cumulative sum is one too early.
    #! one_before: return (edges < height).sum(-1) - 1
    #! from_the_other_end: return (edges.shape[-1] - 1 - (edges < height).sum(-1)).clamp(min=0)
    #  The cumulative sum is read from the wrong end.
    #! counted_from_above: return (edges > height).sum(-1)
    #  It counts the sums above u. The token is the number of those below.


MISTAKES: list[Mistake] = mistakes_of(sample, by_noise, by_height)
