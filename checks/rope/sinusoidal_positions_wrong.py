"""Lab 03, 3.1: sinusoidal_positions, and what people write in place of its lines.

Sources are the public issues in which somebody really made the mistake.
"""

import math

import torch
from torch import Tensor

from checks.engine import Mistake, mistakes_of
from checks.rope.remembered import remembered


def sinusoidal_positions(seq_len: int, dim: int, base: float = 10_000.0) -> Tensor:
    positions = torch.arange(seq_len)[:, None]  # (T, 1)
    #: `torch.arange(seq_len)`
    #! one_based_positions: positions = torch.arange(1, seq_len + 1)[:, None]
    #  The positions are counted from 1. Row 0 should be sin 0 = 0 and cos 0 = 1.
    #! first_row_missing: positions = torch.arange(1, seq_len)[:, None]
    #  The positions run from 1 to seq_len - 1: row 0, with sin 0 = 0 and cos 0 = 1, is missing.
    #! one_row_too_many: positions = torch.arange(seq_len + 1)[:, None]
    #  There is a row too many: the positions are 0 to seq_len - 1.
    #: `torch.arange(seq_len)` has seq_len numbers already.
    #! one_row_short: positions = torch.arange(seq_len - 1)[:, None]
    #  The last position is missing.
    #: Row 0 belongs to position 0.
    #! reversed_positions: positions = torch.arange(seq_len).flip(0)[:, None]
    #  The positions run backwards.
    #: Compute in float32.
    #! in_half: positions = torch.arange(seq_len, dtype=torch.bfloat16)[:, None]
    #  The angles were computed in bfloat16, where positions 256 and 257 are the same number. [huggingface/transformers#29285]
    #: The table has seq_len rows and dim columns.
    #! swapped_arguments: seq_len, dim = dim, seq_len; …
    #! swapped_arguments: seq_len, dim = dim, seq_len // 2 * 2; …
    #  seq_len and dim have changed places.
    even = torch.arange(0, dim, 2)  # 2i, (D/2,)
    #: i counts the pairs, 0 to d/2 - 1, and the exponent is -2i/d.
    #! half_exponent: even = torch.arange(dim // 2)
    #  The exponent is -i/d where -2i/d is wanted: the frequencies stop at 1/sqrt(base).
    #! one_based_pairs: even = torch.arange(2, dim + 2, 2)
    #  The pairs are counted from 1. The first pair's frequency has to be exactly 1. [stanford-cs336/assignment1-basics#4]
    #! one_pair_too_early: even = torch.arange(-2, dim - 2, 2)
    #  The exponent is -2(i - 1)/d, as in a formula that counts from 1, but i counts from 0: the first frequency has to be exactly 1.
    #  [bkitano/llama-from-scratch#8]
    #! odd_exponents: even = torch.arange(1, dim, 2)
    #  The exponents are -(2i + 1)/d. The first pair's frequency has to be exactly 1.
    #: `torch.arange(0, d, 2)` is 2i already. Divide by d.
    #! double_exponent: even = 2 * torch.arange(0, dim, 2)
    #  The exponent is -4i/d: the 2 counts twice, or it is divided by d/2.
    exponents = -even / dim
    #! double_exponent: exponents = -2 * even / dim
    #: `base ** (-2 * i / d)`: pair 0 has frequency 1, all others less.
    #! sign: exponents = even / dim
    #  The exponent's sign is wrong: the later pairs turn faster and faster instead of slower.
    #  [labmlai/annotated_deep_learning_paper_implementations#313]
    #! sign: exponents = even.double() / dim
    #: `/`, not `//`.
    #! floor_division: exponents = -even // dim
    #  `//` rounds the exponents down to whole numbers: behind the first pair they are all -1.
    #! integer_division: exponents = -(even // dim)
    #  All frequencies are 1: 2i/d was divided as whole numbers. [Kyubyong/transformer#81]
    #: tensor2tensor's code does that; the formula of the paper says -2i/D.
    #! last_is_one_over_base: exponents = -even / max(dim - 2, 1)
    #  The frequencies run down to 1/base exactly: they are divided by D/2 - 1. [tensorflow/tensor2tensor, layers/common_attention.py]
    #: `/ dim`, the number of columns.
    #! no_dim: exponents = -even.float()
    #  2i is not divided by D: the frequencies fall to nothing at once.
    #! divided_by_positions: exponents = -even / seq_len
    #  2i is divided by seq_len. It is divided by D, the number of columns.
    frequencies = base**exponents
    #: Use the name `base`.
    #! ignores_base: frequencies = 10_000.0**exponents
    #  The base is written in as 10000; the argument `base` is not used.
    #: `exp(-2i/d · log(base))` is the same as `base ** (-2i/d)`: is the logarithm there?
    #! natural_exponent: frequencies = torch.exp(exponents)
    #  The powers are those of e, as if the base were 2.718.
    #: `math.log(base)` with `exp`, or `base ** (…)`.
    #! log10: frequencies = torch.exp(exponents * math.log10(base))
    #  exp and log10 do not belong together.
    #! floor_of_the_log: frequencies = torch.exp(even // 2 * (-math.log(base) / dim // 2))
    #  `//` comes after the division by D and rounds down to a whole number. `-log(base) / (D // 2)` needs its brackets. [zju3dv/LoFTR#41]
    #: `base ** (…)`
    #! multiplied_not_powered: frequencies = 1 / (1 + base * even / dim)
    #! multiplied_not_powered: frequencies = base * exponents
    #! multiplied_not_powered: frequencies = 1 / (base * even / dim)
    #  The base is multiplied by 2i/d. It is raised to that power.
    #! base_and_exponent_swapped: frequencies = exponents**base
    #! base_and_exponent_swapped: frequencies = (-exponents) ** base
    #! base_and_exponent_swapped: frequencies = (-exponents) ** (1 / base)
    #  Base and exponent have changed places: 2i/d is raised to a power. [ivanvovk/WaveGrad#12]
    #! no_power: frequencies = -exponents
    #  The frequencies are 2i/d itself. The base is raised to the power -2i/d.
    #: Pair 0 has frequency 1.
    #! reversed_pairs: …; frequencies = frequencies.flip(0)
    #  The pairs run backwards: the slowest stands first.
    #: Leave the 2π out: the first frequency is 1 radian.
    #! times_two_pi: …; frequencies = 2 * math.pi * frequencies
    #  There is a factor 2π. sin and cos count in radians, and the first pair turns by 1 a position.
    angles = positions * frequencies  # (T, D/2)
    #! sign: angles = positions / frequencies
    #! sign: angles = positions * (1 / frequencies)
    #: No conversion is needed.
    #! degrees: angles = positions * frequencies * math.pi / 180
    #  The angles are taken for degrees. sin and cos count in radians.
    #: Position times frequency.
    #! adds: angles = positions + frequencies
    #  Positions and frequencies are added. They are multiplied.
    #! position_forgotten: angles = frequencies.expand(seq_len, -1)
    #  The positions do not count: all rows are alike.
    #! in_half: angles = (positions.bfloat16() * frequencies.bfloat16()).float()
    #! in_half: angles = (positions * frequencies).bfloat16().float()
    sines = angles.sin()
    #: `angle.sin()` into the even columns, `angle.cos()` into the odd ones.
    #! angles_only: sines = angles
    #  It returns the angles; their sine and cosine are missing.
    #! no_sine: sines = angles.cos()
    #  Both columns of a pair hold the cosine. The even columns take the sine of the same angle.
    #! even_columns_empty: sines = torch.zeros_like(angles)
    #  The even columns are zero: the sines were never written, or not there.
    #: Columns 2i and 2i + 1 both use base^(-2i/D).
    #! columns_for_pairs: sines = (positions * base ** (-2 * even / dim)).sin()
    #  The i of 2i/D counts the columns, 0 to D - 1. It counts the pairs, 0 to D/2 - 1, and the two columns of a pair share it.
    #  [Kyubyong/transformer#38, SamLynnEvans/Transformer#25]
    #! minus_sine: sines = -angles.sin()
    #  The sines have the wrong sign.
    cosines = angles.cos()
    #!+ angles_only: cosines = angles
    #! sign: angles = positions * (1 / (base ** (-even.double() / dim)).float()).double(); sines, cosines = angles.sin().float(), angles.cos().float()
    #: The odd columns take the cosine of the same angle.
    #! no_cosine: cosines = angles.sin()
    #  Both columns of a pair hold the sine.
    #! minus_cosine: cosines = -angles.cos()
    #  The cosines have the wrong sign.
    #: `table[:, 1::2] = angle.cos()`
    #! odd_columns_empty: cosines = torch.zeros_like(angles)
    #  The odd columns are zero: the cosines were never written, or not there.
    #: Columns 2i and 2i + 1 both use base^(-2i/D).
    #! each_column_its_own: cosines = (positions * base ** (-(even + 1) / dim)).cos()
    #  Each column has a frequency of its own. Sine and cosine of a pair share one.
    #!+ columns_for_pairs: cosines = (positions * base ** (-2 * (even + 1) / dim)).cos()
    pairs = torch.stack((sines, cosines), dim=-1)  # (T, D/2, 2)
    #: Sine in columns 0, 2, 4, …; cosine in columns 1, 3, 5, …
    #! sin_cos_exchanged: pairs = torch.stack((cosines, sines), dim=-1)
    #  Sine and cosine have changed places: the cosines stand in the even columns.
    #: They alternate: `table[:, 0::2]` are the sines, `table[:, 1::2]` the cosines.
    #! halves: pairs = torch.stack((sines, cosines), dim=1)
    #  All sines stand in the left half and all cosines in the right half. [tensorflow/tensor2tensor, layers/common_attention.py;
    #  tensorops/TransformerX#115]
    #! halves_exchanged: pairs = torch.stack((cosines, sines), dim=1)
    #  All cosines stand in the left half and all sines in the right half.
    #: `torch.stack((…, …), dim=-1).flatten(1)`
    #! stacked_in_front: pairs = torch.stack((sines, cosines), dim=0)
    #  Sines and cosines are stacked along the first dimension, before the positions.
    #! one_below_the_other: pairs = torch.cat((sines, cosines), dim=0)
    #  Sines and cosines stand one below the other. Each row has both, side by side.
    table = pairs.flatten(1)
    #: `.flatten(1)` makes (T, D) of it.
    #! not_joined: table = pairs
    #  The pairs are left as an axis of their own, (T, D/2, 2).
    #! flattened: table = pairs.flatten()
    #  Everything is flattened into one long row. Each position has a row of its own.
    #! flattened_the_wrong_two: table = pairs.flatten(0, 1)
    #  Positions and pairs were flattened into one. Pairs and their two columns belong together.
    return table
    #: `positions[:, None] * frequencies` has one row a position.
    #! table_transposed: return table.T
    #  Rows and columns are exchanged: each row should be one position.
    #: Return (T, D).
    #! batch_dimension: return table[None]
    #  It returns (1, T, D). Broadcasting adds the batch dimension when it is needed.
    #: `.float()` at the end, or `torch.arange(…, dtype=torch.float32)` at the beginning.
    #! float64: return table.double()
    #  The table is float64, and adding it would make the whole model float64.
    #! returns_half: return table.bfloat16()
    #! returns_half: return table.half()
    #  The table is returned in half precision, which has three digits. float32 is wanted.
    #: Fill it, or return what you filled.
    #! zeros: return torch.zeros_like(table)
    #  The table is all zeros.


MISTAKES: list[Mistake] = [
    *mistakes_of(sinusoidal_positions),
    Mistake(
        "remembers",
        remembered(sinusoidal_positions),
        "It returns an earlier call's table although the base is another one.",
        "A cache has to know all arguments, or there is none.",
    ),
]
