"""Lab 03: sinusoidal positions, rotations in the plane, and rotary position embedding."""

from collections.abc import Callable
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor

from checks.engine import Check, Inputs, Probe, Wrong, agrees, gradients, keeps_device, values
from checks.mistakes import rope as mistakes
from checks.mistakes import rope_rotation as rotations
from checks.reference import rope as reference

LLAMA_BASE = 500_000.0
THIRD, SIXTH = torch.pi / 3, torch.pi / 6  # 60 and 30 degrees
HALVES = (torch.float16, torch.bfloat16)
ROUNDING = 1.3  # times the error of rounding the exact result once: more was rounded on the way
FAR = 0.05  # times the largest input: the error that a rounded angle exceeds by far
LEAK = "One position was changed, and another one moved. Every position is turned by itself."


def exactly(result: Tensor) -> Tensor:
    """Return a result in float64, or a sentence about one that has no such numbers."""
    if result.is_complex():
        raise Wrong("it returned complex numbers; the result is real.")
    return result.double()


def in_float32(make: Callable[[Inputs], tuple[Tensor, Tensor]], advice: str) -> Probe:
    """Make a probe: in half precision only the final result may be rounded, and nothing before."""

    def run(answer: Any, inputs: Inputs) -> list[Tensor | bool]:
        verdicts: list[Tensor | bool] = []
        for dtype in HALVES:
            x, angles = make(inputs)
            x = x.to(dtype)
            exact = exactly(answer(x.double(), angles.double()))
            got = exactly(answer(x, angles))
            allowed = ROUNDING * (exact.to(dtype).double() - exact).norm()
            verdicts.append(bool((got - exact).norm() <= allowed))
        return verdicts

    return Probe("float16 and bfloat16: computed in float32", run, advice, noisy=True)


def keeps_dtype(make: Callable[[Inputs], tuple[Tensor, Tensor]]) -> Probe:
    """Make a probe: the result has the dtype of x, whatever that of the angles."""

    def run(answer: Any, inputs: Inputs) -> list[Tensor]:
        x, angles = make(inputs)
        return [
            answer(x.to(dtype), angles)[..., :0]
            for dtype in (torch.float16, torch.bfloat16, torch.float32, torch.float64)
        ]

    return Probe("x in four dtypes, angles in float32: the result has the dtype of x", run)


# 3.1 ------------------------------------------------------------------------------------------


def two_bases(answer: Any, inputs: Inputs) -> list[Tensor]:
    """Call it with the same sizes and different bases, then again."""
    return [answer(5, 6, base) for base in (10_000.0, 100.0, LLAMA_BASE, 10_000.0)]


def neighbours_far_out(answer: Any, inputs: Inputs) -> bool:
    """Tell positions 256 to 299 apart, each from the next."""
    table = answer(300, 4)
    step = (table[1:, :2] - table[:-1, :2]).norm(dim=-1)
    return bool((step - step[0]).abs().max() < 1e-3)


sinusoidal_positions = Check(
    exercise="3.1",
    name="sinusoidal_positions",
    reference=reference.sinusoidal_positions,
    probes=[
        values(lambda inputs: (2, 4), title="worked example"),
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
        Probe("the same sizes with another base, and again with the first", two_bases),
        Probe(
            "all 300 positions are told apart",
            neighbours_far_out,
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


# 3.2 ------------------------------------------------------------------------------------------


def plane_lengths(answer: Any, inputs: Inputs) -> bool:
    """Compare lengths before and after."""
    v = inputs.randn(9, 2)
    return agrees(answer(v, 3 * inputs.randn(9)).norm(dim=-1), v.norm(dim=-1))


def plane_back_again(answer: Any, inputs: Inputs) -> bool:
    """Turn by an angle and back; turn in two steps and in one."""
    v, first, second = inputs.randn(9, 2), inputs.randn(9), inputs.randn(9)
    there = answer(v, first)
    back = (answer(there, -first) - v).abs().max() < 1e-4
    at_once = (answer(there, second) - answer(v, first + second)).abs().max() < 1e-4
    return bool(back) and bool(at_once)


rotate_2d = Check(
    exercise="3.2",
    name="rotate_2d",
    reference=reference.rotate_2d,
    probes=[
        values(
            lambda inputs: (torch.tensor([2.0, 0.0]), torch.tensor(THIRD)), title="worked example"
        ),
        values(
            lambda inputs: (inputs.randn(7, 2), 3 * inputs.randn(7)),
            lambda inputs: (inputs.randn(3, 5, 2), inputs.randn(3, 5)),
            lambda inputs: (inputs.randn(2), inputs.randn(1)[0]),
            lambda inputs: (inputs.randn(4, 1, 2), 10 * inputs.randn(4, 1)),
        ),
        Probe(
            "lengths stay",
            plane_lengths,
            "v has another length afterwards. A rotation changes the direction only.",
        ),
        Probe(
            "there and back again; two turns are one",
            plane_back_again,
            "Turning by an angle and then by its opposite should give v again, and two turns "
            "should add up.",
        ),
        gradients(lambda inputs: (inputs.randn(5, 2), inputs.randn(5))),
        keeps_dtype(lambda inputs: (inputs.randn(5, 2), inputs.randn(5))),
        in_float32(
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


# 3.3 ------------------------------------------------------------------------------------------


def frequencies_two_bases(answer: Any, inputs: Inputs) -> list[Tensor]:
    """Call it with the same size and different bases, then again."""
    return [answer(12, base) for base in (10_000.0, LLAMA_BASE, 100.0, 10_000.0)]


rope_frequencies = Check(
    exercise="3.3",
    name="rope_frequencies",
    reference=reference.rope_frequencies,
    probes=[
        values(lambda inputs: (6, 1000.0), title="worked example"),
        values(
            lambda inputs: (8,),
            lambda inputs: (10,),
            lambda inputs: (2,),
            lambda inputs: (64,),
            title="shape, dtype and values for four sizes, base 10000",
        ),
        values(
            lambda inputs: (128, LLAMA_BASE),
            lambda inputs: (14, inputs.uniform(1, low=20, high=2000).item()),
            lambda inputs: (18, 10_000),
            title="other bases: Llama 3's, a random one, a whole number",
        ),
        Probe("the same size with another base, and again with the first", frequencies_two_bases),
    ],
    mistakes=mistakes.FREQUENCIES,
    hints=(
        "Which exponents does a head of 6 dimensions need for its three pairs?",
        "0, −2/6, −4/6: an arange in steps of two, divided by d, with a minus.",
        "`base ** (-torch.arange(0, head_dim, 2) / head_dim)`",
    ),
)


# 3.4 ------------------------------------------------------------------------------------------


def far_positions(answer: Any, inputs: Inputs) -> list[Tensor]:
    """Look at positions that half precision cannot tell apart, or cannot hold at all."""
    one = torch.tensor([1.0, 0.5])
    ranges = ((250, 260), (2046, 2052), (8190, 8195), (131_070, 131_073))
    return [answer(torch.arange(*span), one) for span in ranges]


rope_angles = Check(
    exercise="3.4",
    name="rope_angles",
    reference=reference.rope_angles,
    probes=[
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
            far_positions,
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


# 3.5, 3.6 and 3.8 -----------------------------------------------------------------------------

Pairs = Callable[[int], list[tuple[int, int]]]  # d → the places of every pair


def neighbours(d: int) -> list[tuple[int, int]]:
    """Pair places (2i, 2i + 1)."""
    return [(2 * i, 2 * i + 1) for i in range(d // 2)]


def halves(d: int) -> list[tuple[int, int]]:
    """Pair places (i, i + d/2)."""
    return [(i, i + d // 2) for i in range(d // 2)]


def random_angles(inputs: Inputs, positions: int, pairs: int) -> Tensor:
    """Draw angles up to some turns: (T, d/2)."""
    return 4 * inputs.randn(positions, pairs)


def random_call(inputs: Inputs, *shape: int) -> tuple[Tensor, Tensor]:
    """Draw x of a shape (..., T, d), and angles for it."""
    return inputs.randn(*shape), random_angles(inputs, shape[-2], shape[-1] // 2)


def heads_behind(inputs: Inputs) -> tuple[Tensor, Tensor]:
    """Draw x as it comes from a projection, (B, T, H, d), transposed to (B, H, T, d)."""
    return inputs.randn(2, 5, 3, 8).transpose(1, 2), random_angles(inputs, 5, 4)


def at(positions: Tensor, pairs: int, base: float = 100.0) -> Tensor:
    """Angles as in the lab. (T,) → (T, d/2)."""
    return positions.float()[:, None] * base ** (-torch.arange(pairs) / pairs)


def who_moves_with_whom(answer: Any, inputs: Inputs) -> list[list[int]]:
    """Move each place of x by itself, and list the places of the result that change."""
    d = 8
    angles = inputs.uniform(1, d // 2, low=0.5, high=1.0)
    moved = answer(torch.eye(d)[:, None], angles)[:, 0] - answer(torch.zeros(1, d), angles)
    return [row.abs().gt(1e-4).nonzero().flatten().tolist() for row in moved]


def pair_lengths(pairs: Pairs) -> Callable[[Any, Inputs], bool]:
    """Compare the lengths of every pair before and after."""

    def run(answer: Any, inputs: Inputs) -> bool:
        x, angles = random_call(inputs, 2, 7, 10)
        places = torch.tensor(pairs(10))
        return agrees(answer(x, angles)[..., places].norm(dim=-1), x[..., places].norm(dim=-1))

    return run


def scores_by_distance(answer: Any, inputs: Inputs) -> list[bool]:
    """Move two words together: their score stays. Move one: it changes."""
    q, k = inputs.randn(1, 8), inputs.randn(1, 8)

    def score(m: int, n: int) -> float:
        turned_q, turned_k = (
            answer(q, at(torch.tensor([m]), 4)),
            answer(k, at(torch.tensor([n]), 4)),
        )
        return (turned_q * turned_k).sum().item()

    together = [score(3 + s, 1 + s) for s in (0, 1, 4, 17)]
    apart = [score(3, n) for n in (1, 2, 4, 9)]
    return [max(together) - min(together) < 1e-3, max(apart) - min(apart) > 1e-2]


def positions_alone(answer: Any, inputs: Inputs) -> list[bool]:
    """Change one position, and watch the others; the batch and the heads are watched as well."""
    x, angles = random_call(inputs, 2, 3, 5, 6)
    other = x.clone()
    other[1, 2, 4] += 3
    moved = (answer(other, angles) - answer(x, angles)).abs().amax(-1) > 1e-4
    return [bool(moved[1, 2, 4]), int(moved.sum()) == 1]


def equal_heads(answer: Any, inputs: Inputs) -> list[bool]:
    """Give three heads the same vectors at all positions: heads agree, positions differ."""
    x = inputs.randn(6).expand(2, 3, 5, 6)
    result = answer(x, at(torch.arange(5), 3))
    return [
        agrees(result[:, 1:], result[:, :1].expand(2, 2, 5, 6)),
        not agrees(result[..., 1, :], result[..., 0, :]),
    ]


def chunks(answer: Any, inputs: Inputs) -> bool:
    """Rotate ten positions at once, and in chunks as a cache would."""
    x, angles = random_call(inputs, 2, 10, 6)
    cuts = [0, 1, 4, 5, 10]
    parts = [answer(x[:, a:b], angles[a:b]) for a, b in pairwise(cuts)]
    return agrees(torch.cat(parts, dim=1), answer(x, angles))


def far_out(answer: Any, inputs: Inputs) -> list[bool]:
    """Look at positions around 8000, where a rounded angle is off by whole turns."""
    verdicts = []
    for dtype in (torch.float32, *HALVES):
        x, angles = inputs.randn(3, 6, 8).to(dtype), at(torch.arange(8001, 8007), 4, LLAMA_BASE)
        right = exactly(answer(x.double(), angles.double()))
        error = (exactly(answer(x, angles)) - right).abs().max()
        verdicts.append(bool(error < FAR * x.abs().max()))
    return verdicts


def rotation_probes(pairs: Pairs, example: Tensor, partners: str) -> list[Probe]:
    """List what every rotation must show, whichever its layout."""
    return [
        values(lambda inputs: (example, torch.tensor([[THIRD, SIXTH]])), title="worked example"),
        values(
            lambda inputs: random_call(inputs, 5, 6),
            lambda inputs: random_call(inputs, 2, 7, 8),
            lambda inputs: random_call(inputs, 2, 3, 5, 10),
            lambda inputs: random_call(inputs, 2, 1, 3, 4, 6),
            lambda inputs: random_call(inputs, 3, 2),
            title="shape, dtype and values for five shapes",
        ),
        values(
            lambda inputs: (inputs.randn(2, 3, 1, 8), at(torch.tensor([37]), 4)),
            lambda inputs: (inputs.randn(2, 4, 6), at(torch.arange(100, 104), 3)),
            lambda inputs: (inputs.randn(5, 6), at(torch.tensor([9, 2, 2, 40, 0]), 3)),
            heads_behind,
            title="one token at position 37, positions from 100, in any order; heads transposed",
        ),
        Probe("who moves with whom", who_moves_with_whom, partners),
        Probe(
            "every pair keeps its length",
            pair_lengths(pairs),
            "The length of a pair changes. A rotation keeps it, pair by pair.",
        ),
        Probe(
            "q·k depends on the distance, and on nothing else",
            scores_by_distance,
            "Two words were moved along the sequence together, and their dot product q·k changed; "
            "or one was moved alone, and it stayed.",
        ),
        Probe("every position by itself", positions_alone, LEAK),
        Probe(
            "the same in every batch and head, different at every position",
            equal_heads,
            "Equal vectors should come out equal in all heads, and different at different "
            "positions. Along which dimension do the angles run?",
        ),
        Probe(
            "in chunks as all at once",
            chunks,
            "Positions given in several calls should come out as in one. Is something counted from "
            "the start of the call?",
        ),
        gradients(lambda inputs: random_call(inputs, 2, 3, 6)),
        keeps_dtype(lambda inputs: random_call(inputs, 2, 3, 6)),
        in_float32(
            lambda inputs: random_call(inputs, 6, 7, 8),
            "In half precision more is rounded than the result. Compute in float32 (`x.float()`, "
            "cos and sin in float32) and go back to the dtype of x at the end.",
        ),
        Probe(
            "positions around 8000, x in float32 and in half precision",
            far_out,
            "Far out the result is wrong altogether: the angles were rounded before cos and sin.",
            noisy=True,
        ),
        keeps_device(lambda inputs: random_call(inputs, 2, 3, 6)),
    ]


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
    points=3,
    reference=reference.apply_rope,
    probes=rotation_probes(neighbours, EXAMPLE, NEIGHBOURS_MOVE),
    mistakes=rotations.APPLY_ROPE,
    hints=(
        "rotate_2d turns one vector of two numbers. Where in x are the first numbers of all pairs, "
        "and where the second ones?",
        "`a = x[..., 0::2]` and `b = x[..., 1::2]` are (..., T, d/2), and so do cos and sin of the "
        "angles broadcast: (T, d/2). Turn them as in 3.2, and put neighbours together again.",
        "`torch.stack((a * cos - b * sin, a * sin + b * cos), dim=-1).flatten(-2)`, with a and b "
        "from `x.float()`, and `.to(x.dtype)` at the end.",
    ),
)

apply_rope_complex = Check(
    exercise="3.6",
    name="apply_rope_complex",
    reference=reference.apply_rope_complex,
    probes=rotation_probes(neighbours, EXAMPLE, NEIGHBOURS_MOVE),
    mistakes=rotations.APPLY_ROPE_COMPLEX,
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
    points=2,
    reference=reference.apply_rope_half,
    probes=rotation_probes(halves, EXAMPLE, HALVES_MOVE),
    mistakes=rotations.APPLY_ROPE_HALF,
    hints=(
        "In exercise 3.5, which two lines know where the pairs are?",
        "Only taking apart and putting together differ: `x.chunk(2, dim=-1)` and `torch.cat`.",
        "`torch.cat((a * cos - b * sin, a * sin + b * cos), dim=-1)`",
    ),
)


# 3.7 ------------------------------------------------------------------------------------------


def halves_of_dtypes(answer: Any, inputs: Inputs) -> list[Tensor]:
    """Move numbers of several dtypes: not a digit may change."""
    x = inputs.randn(3, 10)
    return [answer(x.to(dtype)) for dtype in (torch.float64, *HALVES)]


def exactly_the_numbers(answer: Any, inputs: Inputs) -> bool:
    """Compare the numbers before and after, bit for bit and whatever their order."""
    x = inputs.randn(5, 6)
    return bool(torch.equal(answer(x).sort(dim=-1).values, x.sort(dim=-1).values))


interleaved_to_half = Check(
    exercise="3.7",
    name="interleaved_to_half",
    reference=reference.interleaved_to_half,
    probes=[
        values(lambda inputs: (torch.arange(6.0),), title="worked example"),
        values(
            lambda inputs: (inputs.randn(5, 8),),
            lambda inputs: (inputs.randn(2, 3, 5, 10),),
            lambda inputs: (inputs.randn(4),),
            lambda inputs: (inputs.randn(3, 2),),
            lambda inputs: (inputs.randn(2, 5, 3, 12).transpose(1, 2),),
            title="shape, dtype and values for five shapes",
        ),
        Probe("float64, float16 and bfloat16", halves_of_dtypes),
        Probe(
            "the same numbers, bit for bit",
            exactly_the_numbers,
            "Some number is not there any more, or was rounded. Only places change here.",
        ),
        gradients(lambda inputs: (inputs.randn(3, 6),)),
        keeps_device(lambda inputs: (inputs.randn(3, 6),)),
    ],
    mistakes=rotations.INTERLEAVED_TO_HALF,
    hints=(
        "At which places of [a0 b0 a1 b1 a2 b2] do the a stand?",
        "Every second place from 0, then every second place from 1, one after the other.",
        "`torch.cat((x[..., 0::2], x[..., 1::2]), dim=-1)`",
    ),
)
