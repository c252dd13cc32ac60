"""Lab 10, 10.1: apply_temperature, and what people write in place of its lines.

Sources are the public issues in which somebody really made the mistake.
"""

import torch
from torch import Tensor
from torch.nn.functional import one_hot

from checks.engine import Mistake, mistakes_of


def first_of(logits: Tensor) -> Tensor:
    """The first of the largest in each row, all others -inf."""
    keep = one_hot(logits.argmax(-1), logits.shape[-1]).bool()
    return torch.where(keep, logits, -torch.inf)


def apply_temperature(logits: Tensor, temperature: float) -> Tensor:
    if temperature == 0:
        #: `torch.where(is_largest, logits, -torch.inf)`, with argmax for the place of the largest.
        #! divides_by_zero: if False:
        #  At temperature 0 it divides by zero: infinities, and NaN after the softmax. The limit is meant: only the largest logit is left.
        #  [google-deepmind/gemma#562, suno-ai/bark#270, state-spaces/mamba#1041, ggml-org/ggml#37]
        #! nearly_zero: temperature = max(temperature, 1e-6); …
        #! nearly_zero: temperature = temperature + 1e-8; …
        #! nearly_zero: temperature = max(temperature, 1e-5); …
        #! nearly_zero: temperature = temperature + 1e-9; …
        #! nearly_zero: temperature = temperature + 1e-7; …
        #! nearly_zero: temperature = temperature + 1e-10; …
        #! nearly_zero: temperature = temperature + 1e-12; …
        #! nearly_zero: temperature = max(temperature, 1e-4); …
        #! nearly_zero: temperature = max(temperature, 1e-3); …
        #  At temperature 0 it divides by something tiny. All logits stay finite, two equal ones stay equal, and in half precision they overflow.
        #! turned_round: if temperature != 0:
        #  The two cases are turned round: 0 is divided by, and every other temperature is greedy.
        #! one_is_greedy: if temperature == 1:
        #  Temperature 1 is the special case. It is 0 that keeps only the largest; 1 changes nothing.
        #: `logits / temperature`, for every temperature but 0.
        #! small_is_zero: if temperature < 0.1:
        #! small_is_zero: if temperature < 1:
        #! small_is_zero: if temperature <= 1:
        #! small_is_zero: if round(temperature) == 0:
        #  It treats a small temperature as 0. Only 0 itself keeps a single token.
        #! ignored_always: return logits; if False:
        #  The temperature changes nothing at all.
        #! always_greedy: if True:
        #  It keeps only the largest at every temperature. That is temperature 0.
        first = logits.argmax(dim=-1, keepdim=True)
        #: `torch.where(is_largest, logits, -torch.inf)`, with argmax for the place of the largest.
        #! zero_is_an_index: return logits.argmax(-1)
        #! zero_is_an_index: return logits.argmax(-1).to(logits.dtype)
        #! zero_is_an_index: …; return first
        #! zero_is_an_index: …; return first.to(logits.dtype)
        #  At temperature 0 it returns the token. Logits are expected, (..., V) as always.
        #! zero_is_the_largest: return logits.amax(-1, keepdim=True)
        #! zero_is_the_largest: return logits.amax(-1)
        #  At temperature 0 it returns the largest logit alone. All V places are expected, (..., V).
        #! last_of_equals: first = logits.shape[-1] - 1 - logits.flip(-1).argmax(-1, keepdim=True)
        #  At temperature 0 it keeps the last of several equal logits. argmax takes the first.
        #! smallest_at_zero: first = logits.argmin(-1, keepdim=True)
        #  At temperature 0 it keeps the least likely token.
        #! largest_size_at_zero: first = logits.abs().argmax(-1, keepdim=True)
        #! largest_size_at_zero: first = torch.where(logits.isfinite(), logits, 0.0).abs().argmax(-1, keepdim=True)
        #  At temperature 0 it keeps the logit that is largest in size, whatever its sign.
        #: `argmax(dim=-1, keepdim=True)`
        #! flat_argmax: first = logits.argmax()
        #  argmax without dim counts through all the rows: its number is no place in one of them.
        #! zero_along_batch: first = logits.argmax(dim=0, keepdim=True)
        #! zero_along_batch: return first_of(logits.movedim(0, -1)).movedim(-1, 0)
        #! zero_along_batch: first = logits.argmax(dim=-2, keepdim=True)
        #  At temperature 0 it looks for the largest along dim=0, the batch.
        #! zero_along_dim_one: first = logits.argmax(dim=1, keepdim=True)
        #! zero_along_dim_one: first = logits.argmax(1, keepdim=True).max()
        #  At temperature 0 it looks for the largest along dim=1. With two dimensions that is the last one; with three or one it is not.
        #! lost_axis: first = logits.argmax(dim=-1)
        #  argmax(dim=-1) drops its dimension, (...), and the rows no longer fit (..., V).
        places = torch.arange(logits.shape[-1], device=logits.device)
        #: `torch.arange(logits.shape[-1], device=logits.device)`
        #! places_of_rows: places = torch.arange(logits.shape[0], device=logits.device)
        #! places_of_rows: places = torch.arange(logits.shape[-2], device=logits.device)
        #! places_of_rows: places = torch.arange(logits.shape[1], device=logits.device)
        #  The places are counted with another size than that of the vocabulary, the last one.
        #: `torch.full_like(logits, -torch.inf)`, or torch.where with a number.
        #! made_on_the_cpu: places = torch.arange(logits.shape[-1])
        #  A tensor is made on the CPU whatever the device of the logits is.
        keep = places == first
        #: `torch.where(is_largest, logits, -torch.inf)`, with argmax for the place of the largest.
        #! keeps_all_equals: keep = logits == logits.amax(-1, keepdim=True)
        #  At temperature 0 all that equal the largest stay, and one of them is drawn by luck. Greedy decoding takes the first, always.
        #! inverted_at_zero: keep = places != first
        #  At temperature 0 the largest goes and all the others stay.
        #: `argmax(dim=-1, keepdim=True)`
        #! one_for_the_batch: keep = logits == logits.max()
        #! one_for_the_batch: return first_of(logits.flatten()).reshape(logits.shape)
        #  At temperature 0 one logit of the whole batch is left. Each row has its own largest.
        return torch.where(keep, logits, -torch.inf)
        #: `torch.where(is_largest, logits, -torch.inf)`, with argmax for the place of the largest.
        #! zero_is_one: return logits
        #  At temperature 0 the logits come back as they were: that is temperature 1. `if temperature:` or `temperature or 1.0` does that.
        #! zero_is_one_hot: return torch.where(keep, 1.0, 0.0)
        #! zero_is_one_hot: return keep.to(logits.dtype)
        #! zero_is_one_hot: return keep + 0 * logits
        #  At temperature 0 it returns probabilities, 1 and 0. As logits these are e to 1, and every other token can still be drawn.
        #! mask_at_zero: return keep
        #  At temperature 0 it returns which token stays, not the logits.
        #! zero_times_mask: return torch.where(keep, logits, 0.0)
        #! zero_times_mask: return logits * keep
        #  At temperature 0 the others become 0. These are logits: e^0 = 1 is no small weight.
        #! large_negative: return torch.where(keep, logits, -1e9)
        #! large_negative: return torch.where(keep, logits, -1e10)
        #! large_negative: return torch.where(keep, logits, -1e4)
        #! large_negative: return torch.where(keep, logits, -1e5)
        #! large_negative: return torch.where(keep, logits, -1e8)
        #! large_negative: return torch.where(keep, logits, -1e6)
        #! large_negative: return torch.where(keep, logits, -100.0)
        #! large_negative: return torch.where(keep, logits, torch.finfo(logits.dtype).min)
        #! large_negative: return logits.masked_fill(~keep, -1e9)
        #  At temperature 0 the others get a large negative number. With logits that are themselves of that size the token comes back; -inf is safe.
        #! inverted_at_zero: return torch.where(keep, -torch.inf, logits)
        #! plus_infinity: return torch.where(keep, logits, torch.inf)
        #  The others become +inf. Removed is -inf: e^-inf = 0.
        #! infinite_winner: return torch.where(keep, torch.inf, logits)
        #! infinite_winner: return torch.where(keep, torch.inf, -torch.inf)
        #  At temperature 0 the largest becomes +inf, and the softmax of that is NaN: inf / inf.
        #: Take the logits themselves, or `torch.full_like(logits, -torch.inf)`, which keep the dtype.
        #! float32_at_zero: return torch.where(keep, logits.float(), -torch.inf)
        #  At temperature 0 the result is float32 whatever the logits are.
        #: `logits / temperature`, for every temperature but 0.
        #! float32_result: return torch.where(keep, logits, -torch.inf).float()
        #! float64_result: return torch.where(keep, logits, -torch.inf).double()
        #! in_place: return logits.masked_fill_(~keep, -torch.inf)
    return logits / temperature
    #: `logits / temperature`, for every temperature but 0.
    #! multiplies: return logits * temperature
    #  It multiplies by the temperature. Hot must be flat: divide.
    #! after_softmax: return logits.softmax(-1) / temperature
    #  It divides probabilities. The temperature belongs before the softmax: dividing afterwards changes all of them by the same factor, and so
    #  nothing.
    #! probabilities: return (logits / temperature).softmax(-1)
    #  It returns probabilities. Logits go in and logits come out.
    #! log_probabilities: return (logits / temperature).log_softmax(-1)
    #  It returns logarithms of probabilities: the distribution is right, every logit is shifted. Return logits / temperature itself.
    #! log_softmax_divided: return logits.log_softmax(-1) / temperature
    #  It divides logarithms of probabilities: the distribution is right, every logit is shifted. Return logits / temperature itself.
    #! powers: return (logits.softmax(-1) ** (1 / temperature))
    #! powers: q = logits.softmax(-1) ** (1 / temperature); return q / q.sum(-1, keepdim=True)
    #  It takes probabilities to the power 1 / temperature and returns probabilities. Logits go in, logits come out: there the same is a division.
    #! power: return logits ** (1 / temperature)
    #  It takes the logits to the power 1 / temperature. That is what happens to the probabilities; the logits are divided.
    #! exponentials: return logits.exp() / temperature
    #! exponentials: return (logits / temperature).exp()
    #  It returns exponentials, the softmax's first step. Logits go in and logits come out.
    #! negated: return -logits / temperature
    #  The sign is wrong: the likeliest becomes the least likely.
    #! upside_down: return temperature / logits
    #  The two have changed places: it divides the temperature by the logits.
    #! shifted: return (logits - logits.amax(-1, keepdim=True)) / temperature
    #! shifted: return logits / temperature - logits.amax(-1, keepdim=True)
    #  The largest logit has been subtracted. The softmax does not mind, but this function promises logits / temperature.
    #! ignored: return logits
    #! ignored: return logits.log_softmax(-1)
    #! ignored: return logits.softmax(-1)
    #  The temperature changes nothing, except at 0.
    #! subtracts: return logits - temperature
    #  It subtracts the temperature, and the softmax does not notice.
    #! adds: return logits + temperature
    #  It adds the temperature, and the softmax does not notice.
    #! square_root: return logits / temperature**0.5
    #  It divides by the root of the temperature.
    #! squared: return logits / temperature**2
    #  It divides by the square of the temperature.
    #! one_plus: return logits / (1 + temperature)
    #  It divides by 1 + temperature.
    #! one_minus: return logits / (1 - temperature)
    #! one_minus: return logits * (1 - temperature)
    #  It takes 1 - temperature. Divide by the temperature itself.
    #! only_cooler: return logits / min(temperature, 1.0)
    #  Temperatures above 1 count as 1.
    #! only_hotter: return logits / max(temperature, 1.0)
    #  Temperatures below 1 count as 1.
    #! not_below_a_tenth: return logits / max(temperature, 0.1)
    #! not_below_a_tenth: return logits / max(temperature, 0.05)
    #  Temperatures below 0.1 count as 0.1.
    #! a_little_more: return logits / (temperature + 0.1)
    #! a_little_more: return logits / (temperature + 1e-2)
    #! a_little_more: return logits / (temperature + 1e-3)
    #  Something is added to the temperature. Divide by the temperature itself; 0 has a case of its own.
    #! whole_numbers: return logits // temperature
    #  It divides without remainder (`//`).
    #! whole_temperature: return logits / max(int(temperature), 1)
    #  The temperature is rounded to a whole number first.
    #! only_positive: return torch.where(logits > 0, logits / temperature, logits)
    #  Only positive logits are divided.
    #! removed_come_back: return logits.clamp(min=-1e4) / temperature
    #! removed_come_back: return logits.nan_to_num() / temperature
    #! removed_come_back: return logits.nan_to_num(neginf=-1e9) / temperature
    #! removed_come_back: return logits.clamp(min=-1e9) / temperature
    #  A logit of -inf, a token that has been removed before, comes back as a finite number.
    #! in_place: logits /= temperature; return logits
    #! in_place: with torch.no_grad(): return logits.div_(temperature)
    #  It changes the logits that it was given.
    #!+ float32_result: return (logits / temperature).float()
    #! float32_result: return logits.float() / temperature
    #  The result is float32 whatever the logits are.
    #!+ float64_result: return logits.double() / temperature
    #! float64_result: return logits.double() / temperature
    #! float64_result: return logits / torch.tensor([temperature], dtype=torch.float64)
    #  The result is float64: a numpy number or a double tensor is involved.
    #: No `.detach()`, `.data` or `torch.no_grad()` here.
    #! detached: return logits.detach() / temperature
    #  The result is cut off from the gradient.
    #: `torch.full_like(logits, -torch.inf)`, or torch.where with a number.
    #! made_on_the_cpu: return logits / torch.tensor([temperature])
    #: Is there a `return` in both cases?
    #! no_return: logits / temperature
    #  The result is computed and then forgotten: there is no `return`.


MISTAKES: list[Mistake] = mistakes_of(apply_temperature)
