"""Lab 13, 13.3: llama3_scale_frequencies, and what people write in place of its lines.

Sources are the public issues in which somebody really made the mistake.
"""

import math

import torch
from torch import Tensor

from checks.engine import Mistake, mistakes_of


def llama3_scale_frequencies(
    frequencies: Tensor,
    factor: float = 8.0,
    low: float = 1.0,
    high: float = 4.0,
    original_context: int = 8192,
) -> Tensor:
    context, divisor, least, most = original_context, factor, low, high
    #: Use the arguments: factor, low, high and original_context are other ones in other models.
    #! fixed_context: context, divisor, least, most = 8192, factor, low, high
    #  The context is written in as 8192; the argument is not used.
    #! fixed_factor: context, divisor, least, most = original_context, 8.0, low, high
    #  The factor is written in as 8; the argument is not used. Llama 3.2 has 32.
    #! fixed_boundaries: context, divisor, least, most = original_context, factor, 1.0, 4.0
    #  The boundaries are written in as 1 and 4; the arguments are not used.
    #! new_context: context, divisor, least, most = original_context * factor, factor, low, high
    #  It counts turns in the new, longer context. What matters is what was seen in training: original_context.
    theta = frequencies.float()
    #: Leave the gradients in: no `.detach()`.
    #! detached: theta = frequencies.detach().float()
    #  `.detach()` or `.data` cuts the gradients off.
    turns = context * theta / (2 * math.pi)
    #: turns = original_context / wavelength, and wavelength = 2π / frequency.
    #! no_two_pi: turns = context * theta
    #  The 2π is missing: a whole turn is 2π radians.
    #! whole_turns: turns = context * theta // (2 * math.pi)
    #  `//` counts whole turns only. A part of a turn counts as well.
    #! pi_once: turns = context * theta / math.pi
    #  It divides by π. A whole turn is 2π.
    #! turns_times_pi: turns = context * theta / 2 * math.pi
    #  Brackets are missing: `/ 2 * math.pi` divides by 2 and multiplies by π.
    #! times_two_pi: turns = context * theta * 2 * math.pi
    #  It multiplies by 2π where it should divide.
    #! turns_upside_down: turns = 2 * math.pi / (context * theta)
    #  This is the wavelength over the context, turns upside down.
    #! wavelength_itself: turns = 2 * math.pi / theta
    #  low and high are compared with the wavelength. They count turns: original_context over the wavelength.
    s = (turns - least) / (most - least)
    #: s = (turns - low) / (high - low): 0 at low turns, 1 at high.
    #! ramp_in_the_wavelength: s = (1 / turns - 1 / least) / (1 / most - 1 / least)
    #  The ramp is in the wavelength. It is in its inverse, the number of turns: right at both ends, wrong between. [ml-explore/mlx-examples#907]
    #! ramp_in_the_logarithm: s = (turns.log() - math.log(least)) / (math.log(most) - math.log(least))
    #  The ramp is in the logarithm of the turns. It is linear in the turns.
    #! ramp_with_a_plus: s = (turns + least) / (most - least)
    #! ramp_with_a_plus: s = (turns - least) / (most + least)
    #  There is a plus where the ramp has a minus.
    #! ramp_multiplied: s = (turns - least) * (most - least)
    #  turns - low is multiplied by high - low. It is divided by it.
    #! ramp_without_low: s = turns / (most - least)
    #  low is not subtracted from the turns.
    #! ramp_over_high: s = (turns - least) / most
    #  It divides by high. The ramp is high - low wide.
    #! ramp_over_low: s = (turns - most) / (most - least)
    #  high is subtracted from the turns where low belongs.
    #! ramp_not_divided: s = turns - least
    #  turns - low is not divided by high - low.
    #! ramp_squared: s = ((turns - least) / (most - least)).clamp(0, 1) ** 2
    #  s is squared. The ramp is linear in the turns.
    #! smoothstep: s = ((turns - least) / (most - least)).clamp(0, 1); s = s * s * (3 - 2 * s)
    #  The ramp is a smoothstep. Llama 3.1's is a straight line.
    #! no_ramp_at_low: s = (turns > least).float()
    #  There is no ramp: at more than `low` turns a pair is kept.
    #! no_ramp_at_high: s = (turns >= most).float()
    #  There is no ramp: at fewer than `high` turns a pair is divided.
    #! no_ramp_in_the_middle: s = (turns > (least + most) / 2).float()
    #  There is no ramp: it jumps half-way between low and high.
    #! constant_in_the_middle: s = torch.where(turns >= most, 1.0, torch.where(turns <= least, 0.0, 0.5))
    #  Between the boundaries all pairs get the same. There s grows from 0 to 1.
    s = s.clamp(0, 1)
    #: s stays between 0 and 1: `.clamp(0, 1)`.
    #! not_clamped: pass
    #  s is not held between 0 and 1: the fastest pairs become faster, the slowest too slow.
    #! clamped_below_only: s = s.clamp(min=0)
    #  s has no upper limit: pairs with more than `high` turns become faster.
    #! clamped_above_only: s = s.clamp(max=1)
    #  s has no lower limit: slow pairs are divided by more than the factor.
    scaled = (1 - s) * theta / divisor + s * theta
    #: (1 - s) · frequency / factor + s · frequency
    #! all_divided: scaled = theta / divisor
    #  All pairs are divided by the factor. That is position interpolation: the fast pairs are to stay.
    #! not_returned: scaled = theta + 0 * s
    #  The frequencies come back as they were. Is the new one computed, and the old one returned? [lablup/mlxcel#1355, huggingface/transformers#32330]
    #! ends_swapped: scaled = (1 - s).clamp(0, 1) * theta + s * theta / divisor
    #! ends_swapped: scaled = s * theta / divisor + (1 - s) * theta
    #  s and 1 - s have changed places: fast pairs are divided and slow ones kept.
    #! ends_swapped_on_the_ramp: scaled = torch.where((s > 0) & (s < 1), s * theta / divisor + (1 - s) * theta, (1 - s) * theta / divisor + s * theta)
    #  On the ramp s and 1 - s have changed places: s is 1 at `high` turns, where the pair is kept.
    #! terms_subtracted: scaled = (1 - s) * theta / divisor - s * theta
    #  The two parts are subtracted. They are added.
    #! one_plus_s: scaled = (1 + s) * theta / divisor + s * theta
    #  The weights are 1 + s and s. They are 1 - s and s, and sum to one.
    #! multiplied: scaled = (1 - s) * theta * divisor + s * theta
    #  Slow pairs are multiplied by the factor, and become faster. A wavelength is multiplied, a frequency divided.
    #! wavelengths_mixed: scaled = theta / ((1 - s) * divisor + s)
    #  It mixes the wavelengths. The frequencies are mixed: right at both ends, wrong between. [ml-explore/mlx-examples#907]
    #! slow_part_lost: scaled = s * theta
    #  The part (1 - s) · frequency / factor is missing: slow pairs stand still.
    #! fast_part_lost: scaled = (1 - s) * theta / divisor
    #  The part s · frequency is missing: fast pairs stand still.
    #! divided_twice: scaled = ((1 - s) * theta + s * theta / divisor) / divisor
    #  Everything is divided by the factor once more.
    #! ramp_divided_only: scaled = torch.where((s > 0) & (s < 1), (1 - s) * theta / divisor + s * theta, theta)
    #  The slow pairs are left as they are. They are divided by the factor.
    #! factor_squared: scaled = (1 - s) * theta / divisor**2 + s * theta
    #  Slow pairs are divided by the factor's square.
    return scaled.to(frequencies.dtype)
    #: Return the new frequencies, (d/2,), in the dtype of the old ones.
    #! wavelengths_returned: return (2 * math.pi / scaled).to(frequencies.dtype)
    #  It returns wavelengths. Frequencies are wanted, radians per position.
    #! ratio_returned: return (theta / scaled).to(frequencies.dtype)
    #  It returns by what the frequencies are divided, as GGUF files store it. The frequencies themselves are wanted.
    #! float32_returned: return scaled
    #  In half precision the result is float32. It goes back to the dtype of the frequencies.
    #! float64_returned: return scaled.double()
    #  The result is float64.
    #! half_returned: return scaled.bfloat16()
    #  The result is bfloat16.
    #! sorted_pairs: return scaled.sort(descending=True).values.to(frequencies.dtype)
    #  The pairs are sorted. Each stays in its place.
    #! detached: return scaled.detach().to(frequencies.dtype)
    #! a_list: return scaled.tolist()
    #  It returns a list of numbers. A tensor is wanted.
    #! repeated: return scaled.repeat_interleave(2).to(frequencies.dtype)
    #! repeated: return scaled.repeat(2).to(frequencies.dtype)
    #  Each frequency is there twice. (d/2,) is wanted.
    #! no_return: pass
    #  The frequencies are computed and then forgotten: there is no `return`.


MISTAKES: list[Mistake] = mistakes_of(llama3_scale_frequencies)
