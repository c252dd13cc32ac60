"""Lab 03: sinusoidal positions, rotations in the plane, and rotary position embedding."""

import torch

from checks.engine import Check, Probe, gradients, keeps_device, values
from checks.mistakes import rope as mistakes
from checks.probes import rope as probes
from checks.reference import rope as reference

sinusoidal_positions = Check(
    exercise="3.1",
    name="sinusoidal_positions",
    reference=reference.sinusoidal_positions,
    technique=[
        values(lambda inputs: (2, 4, 100.0), title="worked example"),
        values(
            lambda inputs: (7, 6),
            lambda inputs: (3, 10),
            lambda inputs: (5, 2),
            lambda inputs: (1, 8),
        ),
        values(
            lambda inputs: (9, 6, 100.0),
            lambda inputs: (4, 8, inputs.uniform(1, low=20, high=2000).item()),
            title="other bases",
        ),
        Probe("the same sizes with another base, and again with the first", probes.two_bases),
        Probe(
            "all 300 positions are told apart",
            probes.neighbours_far_out,
            "The steps from one position to the next should all be equally long; far out they are "
            "not. Were the angles rounded?",
        ),
    ],
    mistakes=mistakes.SINUSOIDAL,
    hints=(
        "Which number depends on the row only, which on the column only?",
        "The angle of row p and pair i is p · base^(-2i/D): an outer product, (T, D/2). Its sine "
        "goes into the even columns and its cosine into the odd ones.",
        "`angle = torch.arange(seq_len)[:, None] * base ** (-torch.arange(0, dim, 2) / dim)`, then "
        "`torch.stack((angle.sin(), angle.cos()), dim=-1).flatten(1)`.",
    ),
)


rotate_2d = Check(
    exercise="3.2",
    name="rotate_2d",
    reference=reference.rotate_2d,
    technique=[
        values(
            lambda inputs: (torch.tensor([2.0, 0.0]), torch.tensor(probes.THIRD)),
            title="worked example",
        ),
        values(
            lambda inputs: (inputs.randn(7, 2), 3 * inputs.randn(7)),
            lambda inputs: (inputs.randn(3, 5, 2), inputs.randn(3, 5)),
            lambda inputs: (inputs.randn(2), inputs.randn(1)[0]),
            lambda inputs: (inputs.randn(4, 1, 2), 10 * inputs.randn(4, 1)),
        ),
        Probe(
            "lengths stay",
            probes.plane_lengths,
            "v has another length afterwards. A rotation changes the direction only.",
        ),
        Probe(
            "there and back again; two turns are one",
            probes.plane_back_again,
            "Turning by an angle and then by its opposite should give v again, and two turns "
            "should add up.",
        ),
        gradients(lambda inputs: (inputs.randn(5, 2), inputs.randn(5))),
        probes.keeps_dtype(lambda inputs: (inputs.randn(5, 2), inputs.randn(5))),
        probes.in_float32(
            lambda inputs: (inputs.randn(200, 2), 3 * inputs.randn(200)),
            "In half precision more is rounded than the result. Compute in float32 (`v.float()`) "
            "and go back to the dtype of v at the end.",
        ),
        keeps_device(lambda inputs: (inputs.randn(5, 2), inputs.randn(5))),
    ],
    mistakes=mistakes.PLANE,
    hints=(
        "Where does (1, 0) go under a quarter turn, and where (0, 1)?",
        "(1, 0) goes to (cos, sin), (0, 1) to (−sin, cos). Every v is x times the one plus y times "
        "the other.",
        "`torch.stack((x * cos - y * sin, x * sin + y * cos), dim=-1)` with `x, y = v.unbind(-1)`.",
    ),
)


rope_frequencies = Check(
    exercise="3.3",
    name="rope_frequencies",
    reference=reference.rope_frequencies,
    technique=[
        values(lambda inputs: (6, 1000.0), title="worked example"),
        values(
            lambda inputs: (8,),
            lambda inputs: (10,),
            lambda inputs: (2,),
            lambda inputs: (64,),
            title="shape, dtype and values for four sizes, base 10000",
        ),
        values(
            lambda inputs: (128, probes.LLAMA_BASE),
            lambda inputs: (14, inputs.uniform(1, low=20, high=2000).item()),
            lambda inputs: (18, 10_000),
            title="other bases: Llama 3's, a random one, a whole number",
        ),
        Probe(
            "the same size with another base, and again with the first",
            probes.frequencies_two_bases,
        ),
    ],
    mistakes=mistakes.FREQUENCIES,
    hints=(
        "Which exponents does a head of 6 dimensions need for its three pairs?",
        "0, −2/6, −4/6: an arange in steps of two, divided by d, with a minus.",
        "`base ** (-torch.arange(0, head_dim, 2) / head_dim)`",
    ),
)


rope_angles = Check(
    exercise="3.4",
    name="rope_angles",
    reference=reference.rope_angles,
    technique=[
        values(lambda inputs: (torch.arange(3), torch.tensor([1.0, 0.1])), title="worked example"),
        values(
            lambda inputs: (torch.arange(5), inputs.uniform(3)),
            lambda inputs: (torch.arange(2), inputs.uniform(7)),
            lambda inputs: (torch.arange(4.0), inputs.uniform(4)),
            title="shape, dtype and values for three sizes",
        ),
        values(
            lambda inputs: (torch.arange(100, 106), inputs.uniform(4)),
            lambda inputs: (torch.tensor([37]), inputs.uniform(5)),
            lambda inputs: (inputs.integers(6, high=50), inputs.uniform(3)),
            title="positions that do not start at 0, one alone, and in any order",
        ),
        Probe(
            "neighbours stay apart at 256, 2048, 8192 and 131072",
            probes.far_positions,
        ),
        gradients(lambda inputs: (torch.arange(5), inputs.uniform(3))),
        keeps_device(lambda inputs: (torch.arange(5), inputs.uniform(3))),
    ],
    mistakes=mistakes.ANGLES,
    hints=(
        "A hand that moves θ radians a step: where is it after m steps?",
        "All products of a position and a frequency: a column times a row.",
        "`positions[:, None] * frequencies`",
    ),
)


EXAMPLE = torch.tensor([[2.0, 0.0, 0.0, 2.0]])
NEIGHBOURS_MOVE = (
    "Other places move together than should: 0 with 1, 2 with 3, 4 with 5. Which numbers make a "
    "pair?"
)
HALVES_MOVE = (
    "Other places move together than should: in a vector of 8, 0 with 4, 1 with 5, 2 with 6. Which "
    "numbers make a pair?"
)

apply_rope = Check(
    exercise="3.5",
    name="apply_rope",
    weight=3,
    reference=reference.apply_rope,
    technique=probes.rotation_probes(probes.neighbours, EXAMPLE, NEIGHBOURS_MOVE),
    mistakes=mistakes.APPLY_ROPE,
    hints=(
        "rotate_2d turns one vector of two numbers. Where in x are the first numbers of all pairs, "
        "and where the second ones?",
        "`a = x[..., 0::2]` and `b = x[..., 1::2]` are (..., T, d/2); cos and sin of the angles, "
        "(T, d/2), broadcast. Turn as in 3.2, and put neighbours together again.",
        "`torch.stack((a * cos - b * sin, a * sin + b * cos), dim=-1).flatten(-2)`, with a and b "
        "from `x.float()`, and `.to(x.dtype)` at the end.",
    ),
)

apply_rope_complex = Check(
    exercise="3.6",
    name="apply_rope_complex",
    reference=reference.apply_rope_complex,
    technique=probes.rotation_probes(probes.neighbours, EXAMPLE, NEIGHBOURS_MOVE),
    mistakes=mistakes.APPLY_ROPE_COMPLEX,
    hints=(
        "What does multiplying by cos θ + i sin θ do to a complex number?",
        "Read each pair as a + ib (`torch.view_as_complex` wants (..., d/2, 2)), multiply by "
        "e^(iθ) (`torch.polar`), and read the result as pairs again (`torch.view_as_real`).",
        "`torch.view_as_real(pairs * torch.polar(torch.ones_like(angles), angles)).flatten(-2)`, "
        "where `pairs = torch.view_as_complex(x.float().reshape(*x.shape[:-1], -1, 2))`; for a "
        "float64 x leave it in float64, or go back with `.to(x.dtype)`.",
    ),
)

apply_rope_half = Check(
    exercise="3.8",
    name="apply_rope_half",
    weight=2,
    reference=reference.apply_rope_half,
    technique=probes.rotation_probes(probes.halves, EXAMPLE, HALVES_MOVE),
    mistakes=mistakes.APPLY_ROPE_HALF,
    hints=(
        "In exercise 3.5, which two lines know where the pairs are?",
        "Only taking apart and putting together differ: `x.chunk(2, dim=-1)` and `torch.cat`.",
        "`torch.cat((a * cos - b * sin, a * sin + b * cos), dim=-1)`",
    ),
)


interleaved_to_half = Check(
    exercise="3.7",
    name="interleaved_to_half",
    reference=reference.interleaved_to_half,
    technique=[
        values(lambda inputs: (torch.arange(6.0),), title="worked example"),
        values(
            lambda inputs: (inputs.randn(5, 8),),
            lambda inputs: (inputs.randn(2, 3, 5, 10),),
            lambda inputs: (inputs.randn(4),),
            lambda inputs: (inputs.randn(3, 2),),
            lambda inputs: (inputs.randn(2, 5, 3, 12).transpose(1, 2),),
            title="shape, dtype and values for five shapes",
        ),
        Probe("float64, float16 and bfloat16", probes.halves_of_dtypes),
        Probe(
            "the same numbers, bit for bit",
            probes.exactly_the_numbers,
            "Some number is not there any more, or was rounded. Only places change here.",
        ),
        gradients(lambda inputs: (inputs.randn(3, 6),)),
        keeps_device(lambda inputs: (inputs.randn(3, 6),)),
    ],
    mistakes=mistakes.INTERLEAVED_TO_HALF,
    hints=(
        "At which places of [a0 b0 a1 b1 a2 b2] do the a stand?",
        "Every second place from 0, then every second place from 1, one after the other.",
        "`torch.cat((x[..., 0::2], x[..., 1::2]), dim=-1)`",
    ),
)
