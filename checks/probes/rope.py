"""Lab 03: what is tried on tables of positions, plane rotations, angles and rotary embeddings."""

from collections.abc import Callable
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor

from checks.engine import Inputs, Probe, Wrong, agrees, gradients, keeps_device, values

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

    return Probe("float16 and bfloat16: computed in float32", run, advice, inexact=True)


def keeps_dtype(make: Callable[[Inputs], tuple[Tensor, Tensor]]) -> Probe:
    """Make a probe: the result has the dtype of x, whatever that of the angles."""

    def run(answer: Any, inputs: Inputs) -> list[Tensor]:
        x, angles = make(inputs)
        return [
            answer(x.to(dtype), angles)[..., :0]
            for dtype in (torch.float16, torch.bfloat16, torch.float32, torch.float64)
        ]

    return Probe("in four dtypes, angles in float32: the result has the input's dtype", run)


def two_bases(answer: Any, inputs: Inputs) -> list[Tensor]:
    """Call it with the same sizes and different bases, then again."""
    return [answer(5, 6, base) for base in (10_000.0, 100.0, LLAMA_BASE, 10_000.0)]


def neighbours_far_out(answer: Any, inputs: Inputs) -> bool:
    """Tell positions 256 to 299 apart, each from the next."""
    table = answer(300, 4)
    step = (table[1:, :2] - table[:-1, :2]).norm(dim=-1)
    return bool((step - step[0]).abs().max() < 1e-3)


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


def frequencies_two_bases(answer: Any, inputs: Inputs) -> list[Tensor]:
    """Call it with the same size and different bases, then again."""
    return [answer(12, base) for base in (10_000.0, LLAMA_BASE, 100.0, 10_000.0)]


def far_positions(answer: Any, inputs: Inputs) -> list[Tensor]:
    """Look at positions that half precision cannot tell apart, or cannot hold at all."""
    one = torch.tensor([1.0, 0.5])
    ranges = ((250, 260), (2046, 2052), (8190, 8195), (131_070, 131_073))
    return [answer(torch.arange(*span), one) for span in ranges]


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


def far_out(pairs: Pairs) -> Callable[[Any, Inputs], list[bool]]:
    """Look at positions around 8000 and 131000, where a rounded angle is off by whole turns."""
    positions = torch.tensor([8001, 8002, 8003, 131_070, 131_071, 131_072])

    def run(answer: Any, inputs: Inputs) -> list[bool]:
        first, second = torch.tensor(pairs(8)).T
        verdicts = []
        for dtype in (torch.float32, *HALVES):
            x, angles = inputs.randn(3, 6, 8).to(dtype), at(positions, 4, LLAMA_BASE)
            turned = torch.complex(x[..., first].double(), x[..., second].double())
            turned = turned * torch.exp(1j * angles.double())
            got = exactly(answer(x, angles))
            error = torch.complex(got[..., first], got[..., second]) - turned
            verdicts.append(bool(error.abs().max() < FAR * x.abs().max()))
        return verdicts

    return run


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
        keeps_dtype(lambda inputs: random_call(inputs, 2, 4)),
        in_float32(
            lambda inputs: random_call(inputs, 6, 7, 8),
            "In half precision more is rounded than the result. Compute in float32 (`x.float()`, "
            "cos and sin in float32) and go back to the dtype of x at the end.",
        ),
        Probe(
            "positions around 8000 and 131000, in float32 and in half precision",
            far_out(pairs),
            "Far out the result is wrong altogether: the angles were rounded before cos and sin.",
            inexact=True,
        ),
        keeps_device(lambda inputs: random_call(inputs, 2, 3, 6)),
    ]


def halves_of_dtypes(answer: Any, inputs: Inputs) -> list[Tensor]:
    """Move numbers of several dtypes: not a digit may change."""
    x = inputs.randn(3, 10)
    return [answer(x.to(dtype)) for dtype in (torch.float64, *HALVES)]


def exactly_the_numbers(answer: Any, inputs: Inputs) -> bool:
    """Compare the numbers before and after, bit for bit and whatever their order."""
    x = inputs.randn(5, 6)
    return bool(torch.equal(answer(x).sort(dim=-1).values, x.sort(dim=-1).values))
