"""Lab 03, 3.3: rope_frequencies, and what people write in place of its lines.

Sources are the public issues in which somebody really made the mistake.
"""

import math

import torch
from torch import Tensor

from checks.engine import Mistake, mistakes_of
from checks.rope.remembered import remembered


def rope_frequencies(head_dim: int, base: float = 10_000.0) -> Tensor:
    even = torch.arange(0, head_dim, 2)  # 2i, (d/2,)
    #: i counts the pairs, 0 to d/2 - 1, and the exponent is -2i/d.
    #! half_exponent: even = torch.arange(head_dim // 2)
    #  The exponent is -i/d where -2i/d is wanted: the slowest pair is far too fast. [rasbt/LLMs-from-scratch#410]
    #! one_based_pairs: even = torch.arange(2, head_dim + 2, 2)
    #  The pairs are counted from 1. The first frequency has to be exactly 1. [stanford-cs336/assignment1-basics#4]
    #! one_pair_too_early: even = torch.arange(-2, head_dim - 2, 2)
    #  The exponent is -2(i - 1)/d, as in the paper's formula, which counts from 1. Here i counts from 0: the first frequency has to be exactly 1.
    #  [bkitano/llama-from-scratch#8]
    #: `torch.arange(0, d, 2)` starts at 0.
    #! odd_exponents: even = torch.arange(1, head_dim, 2)
    #  The exponents are -(2i + 1)/d. The first frequency has to be exactly 1.
    #: `torch.arange(0, d, 2)`
    #! one_per_dimension: even = torch.arange(head_dim)
    #! one_per_dimension: even = 2 * torch.arange(head_dim)
    #  There are d frequencies. A pair of dimensions shares one: d/2.
    #: d/2 numbers: i from 0 to d/2 - 1.
    #! one_too_few: even = torch.arange(0, head_dim - 2, 2)
    #  The last frequency is missing.
    #! one_too_many: even = torch.arange(0, head_dim + 1, 2)
    #  There is a frequency too many, the last one.
    #! first_missing: even = torch.arange(2, head_dim, 2)
    #  The first frequency, 1, is missing: the pairs are counted from 0.
    #: `torch.arange(0, d, 2)` is 2i already. Divide by d.
    #! double_exponent: even = 2 * torch.arange(0, head_dim, 2)
    #  The exponent is -4i/d: the 2 counts twice, or it is divided by d/2.
    #: The base is raised to the power -2i/head_dim.
    #! swapped_arguments: head_dim, base = base, head_dim; …
    #! swapped_arguments: head_dim, base = base, float(head_dim); even = 2 * torch.arange(int(head_dim) // 2)
    #  head_dim and base have changed places.
    exponents = -even / head_dim
    #: `base ** (-2 * i / d)`: pair 0 has frequency 1, all others less.
    #! sign: exponents = even / head_dim
    #  The exponent's sign is wrong: the later pairs turn faster and faster instead of slower.
    #  [labmlai/annotated_deep_learning_paper_implementations#313]
    #: `torch.arange(0, d, 2)` is 2i already. Divide by d.
    #! double_exponent: exponents = -even / (head_dim // 2)
    #: The last exponent is -(d - 2)/d, not -1.
    #! last_is_one_over_base: exponents = -even / max(head_dim - 2, 1)
    #! last_is_one_over_base: exponents = -even.double() / max(head_dim - 2, 1)
    #  The frequencies run down to 1/base exactly: the exponent is divided by d/2 - 1.
    #: `/`, not `//`.
    #! floor_division: exponents = -even // head_dim
    #  `//` rounds the exponents down to whole numbers: behind the first pair they are all -1.
    #! integer_division: exponents = -(even // head_dim)
    #  All frequencies are 1: was 2i/d divided as whole numbers, with `//`? [Kyubyong/transformer#81]
    #: `/ head_dim`
    #! no_dim: exponents = -even.float()
    #  2i is not divided by d: the frequencies fall to nothing at once.
    #: Compute in float32; position 8192 multiplies every error by 8192.
    #! exponents_in_half: exponents = (-even / head_dim).bfloat16().float()
    #! exponents_in_half: exponents = (-even / head_dim).half().float()
    #! exponents_in_half: return (base ** (-even.bfloat16() / head_dim)).float()
    #! exponents_in_half: return (1.0 / base ** (2.0 / head_dim * (even // 2).bfloat16())).float()
    #  The exponents went through half precision, which has three digits. [keras-team/keras-hub#1497]
    frequencies = base**exponents
    #: `base ** (-2 * i / d)`: pair 0 has frequency 1, all others less.
    #! sign: frequencies = 1 / base**exponents
    #: Llama 3 calls it with 500000: use the name `base`.
    #! ignores_base: frequencies = 10_000.0**exponents
    #  The base is written in as 10000; the argument `base` is not used. [lyogavin/airllm#369]
    #: Use the name `base`.
    #! llama_base_only: frequencies = 500_000.0**exponents
    #  The base is written in as 500000; the argument `base` is not used.
    #: `exp(-2i/d · log(base))` is the same as `base ** (-2i/d)`: is the logarithm there?
    #! natural_exponent: frequencies = torch.exp(exponents)
    #  The powers are those of e, as if the base were 2.718.
    #: `math.log(base)` with `exp`, or `base ** (…)`.
    #! log10: frequencies = torch.exp(exponents * math.log10(base))
    #  exp and log10 do not belong together.
    #! log2: frequencies = torch.exp(exponents * math.log2(base))
    #  exp and log2 do not belong together.
    #! floor_of_the_log: frequencies = torch.exp(even // 2 * (-math.log(base) / head_dim // 2))
    #  `//` comes after the division by d and rounds down to a whole number. `-log(base) / (d // 2)` needs its brackets. [zju3dv/LoFTR#41]
    #: `base ** (…)`
    #! linear: frequencies = 1 + exponents
    #  The frequencies fall in equal steps. They fall by equal factors.
    #! one_over_multiple: frequencies = 1 / (1 - base * exponents)
    #! one_over_multiple: frequencies = base * exponents
    #! one_over_multiple: frequencies = -1 / (base * exponents)
    #! one_over_multiple: frequencies = 1 / (base * exponents)
    #  The base is multiplied by 2i/d. It is raised to that power.
    #! base_and_exponent_swapped: frequencies = exponents**base
    #! base_and_exponent_swapped: frequencies = (-exponents) ** base
    #! base_and_exponent_swapped: frequencies = (-exponents) ** (1 / base)
    #! base_and_exponent_swapped: frequencies = (-exponents) ** -base
    #  Base and exponent have changed places: 2i/d is raised to a power. [ivanvovk/WaveGrad#12]
    #! no_power: frequencies = -exponents
    #! no_power: frequencies = exponents
    #  These are the exponents. The base is raised to that power.
    #: The frequency is the angle of one step, in radians.
    #! wavelengths: …; frequencies = 2 * math.pi / frequencies
    #  These are the wavelengths 2π/θ, how many positions a full turn takes.
    #: Leave the 2π out: the first frequency is 1 radian.
    #! turns: …; frequencies = frequencies / (2 * math.pi)
    #  These are turns per position. The angle of one step, in radians, is wanted.
    #! times_two_pi: …; frequencies = 2 * math.pi * frequencies
    #  There is a factor 2π. base^(-2i/d) is in radians already: the first frequency is 1.
    #! degrees: …; frequencies = frequencies * 180 / math.pi
    #! degrees: …; frequencies = frequencies * math.pi / 180
    #  Radians are turned into degrees, or degrees into radians. base^(-2i/d) is in radians.
    #: i counts the pairs, 0 to d/2 - 1, and the exponent is -2i/d.
    #! reversed: …; frequencies = frequencies.flip(0)
    #  The frequencies are in the wrong order: the fastest, 1, comes first.
    #: Here: `base ** (-2 * i / d)` and nothing else.
    #! scaled_like_3_1: …; frequencies = torch.where(frequencies < 0.01, frequencies / 8, frequencies)
    #  The slow frequencies are divided by 8. Llama 3.1 does that; it has its place in lab 13.
    #! minus_in_front: frequencies = -(base**exponents)
    #! minus_in_front: frequencies = -(base ** (-exponents))
    #  The minus stands in front of the power. It belongs to the exponent.
    return frequencies
    #: Return (d/2,).
    #! repeated_in_pairs: return frequencies.repeat_interleave(2)
    #  Each frequency is there twice. One for each pair is enough.
    #: Return (d/2,): Hugging Face's `cat((freqs, freqs))` comes later, in its layout.
    #! repeated_halves: return frequencies.repeat(2)
    #  All frequencies are there twice, one half after the other.
    #: Return (d/2,): broadcasting adds dimensions in front by itself.
    #! as_a_row: return frequencies[None]
    #  The shape is (1, d/2).
    #! as_a_column: return frequencies[:, None]
    #  The shape is (d/2, 1).
    #: Compute in float32; position 8192 multiplies every error by 8192.
    #! in_half: return frequencies.bfloat16().float()
    #  The frequencies went through bfloat16, which has three digits. [EleutherAI/gpt-neox#1016]
    #! in_float16: return frequencies.half().float()
    #  The frequencies went through float16, which has three digits.
    #: Return float32.
    #! returns_half: return frequencies.bfloat16()
    #  The frequencies are bfloat16, which has three digits. [EleutherAI/gpt-neox#1016]
    #! returns_float16: return frequencies.half()
    #  The frequencies are float16, which has three digits.
    #: `.float()`
    #! float64: return frequencies.double()
    #  The frequencies are float64.
    #: `torch.tensor([…])` makes one of a list.
    #! list: return frequencies.tolist()
    #! list: return tuple(frequencies.tolist())
    #  It returns a list of numbers. The result is a tensor.
    #: Put the value behind the word `return`.
    #! no_return: pass
    #  The result is computed and then forgotten: there is no `return`.


MISTAKES: list[Mistake] = [
    *mistakes_of(rope_frequencies),
    Mistake(
        "remembers",
        remembered(rope_frequencies),
        "It returns an earlier call's frequencies although the base is another one.",
        "A cache has to know all arguments, or there is none.",
    ),
]
