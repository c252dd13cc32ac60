"""Lab 03, 3.4: rope_angles, and what people write in place of its lines.

Sources are the public issues in which somebody really made the mistake.
"""

import math

import torch
from torch import Tensor

from checks.engine import Mistake, mistakes_of


def rope_angles(positions: Tensor, frequencies: Tensor) -> Tensor:
    column = positions[:, None]  # (T, 1)
    #: Use the numbers in `positions`, not their count.
    #! positions_from_zero: column = torch.arange(len(positions), device=positions.device)[:, None]
    #! positions_from_zero: column = torch.arange(len(positions))[:, None]
    #  It counts positions from 0 whatever `positions` says. A token that is generated later stands at position 100, and comes alone.
    #  [RobertCsordas/moeut#6, Blaizzy/mlx-vlm#1983]
    #! all_up_to_the_largest: column = torch.arange(int(positions.max()) + 1)[:, None]
    #! all_up_to_the_largest: column = torch.arange(int(positions.max()) + 1, device=positions.device)[:, None]
    #  It counts from 0 to the largest position. There is a row for each number in `positions`, and a token that is generated later comes alone.
    #! counted_from_the_first: column = torch.arange(len(positions))[:, None] + positions[0]
    #  It counts on from the first position, and the positions may come in any order.
    #: Use `positions` as they are.
    #! relative_to_the_first: column = (positions - positions[:1])[:, None]
    #  The first position is subtracted, so that every sequence starts at 0.
    #! one_based: column = positions[:, None] + 1
    #  Every position is one too many. Position 0 has angle 0.
    #! one_too_few: column = positions[:, None] - 1
    #  Every position is one too few. Position 1 has the angle θ.
    #! clamped: column = positions.clamp_max(8191)[:, None]
    #  Positions above a limit are cut off: from there on all tokens stand in one place.
    #! first_position_for_all: column = positions[:1, None].expand(len(positions), -1)
    #  All rows get the first position's angles. [jundot/omlx#2363]
    #! last_position_for_all: column = positions[-1:, None].expand(len(positions), -1)
    #  All rows get the last position's angles.
    #! first_position_only: column = positions[:1, None]
    #  Only the first position is there. Each one has a row.
    #: m·θ, without a sign: the direction of the turn is settled in rotate_2d.
    #! negative: column = -positions[:, None]
    #  The angles are negative.
    #: Row t belongs to positions[t].
    #! reversed_positions: column = positions.flip(0)[:, None]
    #  The positions run backwards.
    #: Leave the order as it is.
    #! sorted_positions: column = positions.sort().values[:, None]
    #  The positions were sorted. Row t belongs to positions[t], in whatever order they come.
    #! unique_positions: column = positions.unique()[:, None]
    #  Positions that come twice were dropped. Row t belongs to positions[t], and two may be alike.
    #: `positions[:, None] * frequencies` has a row for each position.
    #! no_new_axis: column = positions
    #  Number by number: position t meets frequency t. Every position meets every frequency.
    #: Compute in float32.
    #! positions_in_bfloat16: column = positions.bfloat16().float()[:, None]
    #  The positions went through bfloat16, where 256 and 257 are the same number. [EleutherAI/gpt-neox#1016]
    #! positions_in_float16: column = positions.half().float()[:, None]
    #  The positions went through float16: 2049 does not exist there, and 65520 is infinite.
    row = frequencies  # (d/2,)
    #: Column i belongs to frequencies[i].
    #! reversed_frequencies: row = frequencies.flip(0)
    #  The frequencies run backwards.
    #! first_frequency_only: row = frequencies[:1].expand(len(frequencies))
    #  Every pair gets the first frequency: all hands of the clock would turn alike.
    #! one_frequency: row = frequencies[:1]
    #  Only the first frequency is used. There is a column for each of them.
    #: Radians: m·θ, without a factor.
    #! degrees: row = frequencies * 180 / math.pi
    #  The angles are in degrees.
    #! from_degrees: row = frequencies * math.pi / 180
    #  The frequencies are taken for degrees. They are radians per position already.
    #: m·θ, without a factor.
    #! turns_to_radians: row = frequencies * 2 * math.pi
    #  There is a factor 2π. The frequencies are radians per position already.
    #! turns: row = frequencies / (2 * math.pi)
    #  The angles are divided by 2π. Radians are wanted, not turns.
    #: θ radians a step, m steps: m·θ.
    #! divides: row = 1 / frequencies
    #  The positions are divided by the frequencies.
    #: Take the frequencies as they are, in float32.
    #! frequencies_cut: row = frequencies.to(positions.dtype)
    #! frequencies_cut: row = frequencies.long().float()
    #  The frequencies were made whole numbers like the positions: nearly all become 0.
    #! frequencies_in_bfloat16: row = frequencies.bfloat16().float()
    #  The frequencies went through bfloat16, which has three digits.
    #: No `.detach()`, `.data`, `.item()` and no `torch.no_grad()` here.
    #! detached: row = frequencies.detach()
    #! detached: row = torch.tensor(frequencies.tolist())
    #  The gradient is cut off on the way.
    angles = column * row  # (T, d/2)
    #: Compute in float32.
    #! in_bfloat16: angles = column.bfloat16().float() * row.bfloat16()
    #! in_bfloat16: angles = (column.bfloat16() * row.bfloat16()).float()
    #! in_bfloat16: angles = (column * row).bfloat16().float()
    #  The angles were computed in bfloat16, where positions 256 and 257 are the same number. [huggingface/transformers#29285, nkalyanv99/UNI-D2#6]
    #! in_float16: angles = column.half().float() * row.half()
    #! in_float16: angles = (column.half() * row.half()).float()
    #! in_float16: angles = (column * row).half().float()
    #  The angles were computed in float16: position 2049 does not exist there. [vllm-project/vllm#863]
    #: θ radians a step, m steps: m·θ.
    #! adds: angles = column + row
    #  Positions and frequencies are added. They are multiplied.
    #! subtracts: angles = column - row
    #  The frequencies are subtracted from the positions. They are multiplied.
    #! divides: angles = column / row
    #! power: angles = row**column
    #! power: angles = column**row
    #  It takes a power. Positions and frequencies are multiplied.
    #! dot_product: angles = (column.float() * row).sum(-1)
    #  The products are added up. Each pair has an angle of its own.
    #: Take the product as a new tensor: `positions[:, None] * frequencies`.
    #! in_place_into_positions: angles = column.float().mul_(row)
    #  The product is written into the column of positions, (T, 1), where (T, d/2) does not fit.
    #: `positions[:, None] * frequencies` has a row for each position.
    #! angles_transposed: angles = (column * row).T
    #  Rows and columns are exchanged: there is a row for each frequency.
    #: Return (T, d/2); Hugging Face's layout comes in exercise 3.8.
    #! repeated_halves: …; angles = torch.cat((angles, angles), dim=-1)
    #  Every angle is there twice, one half after the other: (T, d). [NVIDIA-NeMo/Speech#6923]
    #! repeated_below: …; angles = torch.cat((angles, angles))
    #  Every angle is there twice, one table below the other.
    #: Return (T, d/2): one angle for each pair.
    #! repeated_in_pairs: …; angles = angles.repeat_interleave(2, dim=-1)
    #  Every angle is there twice, side by side: (T, d).
    #: Return (T, d/2).
    #! batch_dimension: …; angles = angles[None]
    #  There is a dimension too many in front.
    #! flattened: …; angles = angles.flatten()
    #  Everything stands in one long row. Each position has a row of its own.
    #! axis_behind: …; angles = angles[..., None]
    #  There is a dimension too many behind.
    #: Is there an integer dtype, `//` or `.long()` on the way?
    #! whole_numbers: angles = (column * row).floor()
    #! whole_numbers: angles = (column * row).round()
    #! whole_numbers: angles = (column * row).long()
    #  The angles were cut to whole numbers.
    #: Return m·θ as it is.
    #! wrapped: angles = (column * row) % (2 * math.pi)
    #  The angles are reduced to one turn. sin and cos do that by themselves.
    #! modulo_360: angles = (column * row) % 360
    #  The angles are reduced modulo 360, as if they were degrees. They are radians, and a whole turn is 2π of them.
    #! wrapped_at_pi: angles = (column * row) % math.pi
    #  The angles are reduced modulo π: half a turn too little, every second time.
    #: Return m·θ.
    #! cosine: angles = (column * row).cos()
    #! cosine: angles = torch.stack(((column * row).cos(), (column * row).sin()), dim=-1)
    #! cosine: angles = (column * row).cos(), (column * row).sin()
    #  It returns the cosines. apply_rope wants the angles themselves.
    #! sine: angles = (column * row).sin()
    #  It returns the sines. apply_rope wants the angles themselves.
    #! complex: angles = torch.polar(torch.ones_like(column * row), column * row)
    #  It returns e^(imθ), as Meta's code does. Here the angles themselves are wanted.
    return angles
    #: Return float32.
    #! returns_half: return angles.bfloat16()
    #  The angles are returned in bfloat16, which has three digits. [huggingface/transformers#25681]
    #! returns_float16: return angles.half()
    #  The angles are returned in float16: 2049 does not exist there, and 65520 is infinite.
    #: `.float()`
    #! float64: return angles.double()
    #  The angles are float64.
    #: Return m·θ.
    #! returns_frequencies: return row.expand(len(column), -1)
    #  It returns the frequencies: the positions do not count.
    #: Put the value behind the word `return`.
    #! no_return: pass
    #  The result is computed and then forgotten: there is no `return`.


MISTAKES: list[Mistake] = mistakes_of(rope_angles)
