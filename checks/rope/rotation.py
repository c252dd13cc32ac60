"""Lab 03: what every rotation must show, whichever numbers make a pair (3.2, 3.5, 3.6, 3.8)."""

from collections.abc import Callable
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor

from checks.engine import Inputs, Probe, Wrong, agrees, gradients, keeps_device, values

LLAMA_BASE = 500_000.0
THIRD, SIXTH = torch.pi / 3, torch.pi / 6  # 60 and 30 degrees
EXAMPLE = torch.tensor([[2.0, 0.0, 0.0, 2.0]])
HALVES = (torch.float16, torch.bfloat16)
DTYPES = (*HALVES, torch.float32, torch.float64)
ROUNDED_OTHERWISE = 0.04  # of the numbers, at most: float32's own error shows in one of a thousand
FAR = 0.05  # times the largest input: the error that a rounded angle exceeds by far
SHAPES = "x: (..., T, d), angles: (T, d/2) in radians → (..., T, d)"
SAME_DTYPE = "same dtype and device as"
IN_FLOAT32 = "Computed in float32 at least"

Pairs = Callable[[int], list[tuple[int, int]]]  # d → the places of every pair


def exactly(result: Tensor) -> Tensor:
    """Return a result in float64, or a sentence about one that has no such numbers."""
    if result.is_complex():
        raise Wrong("it returned complex numbers; the result is real.")
    return result.double()


def in_float32(make: Callable[[Inputs], tuple[Tensor, Tensor]], advice: str) -> Probe:
    """Make a probe: in half precision only the final result may be rounded, and nothing before.

    With a table or a product in half precision, one number of five comes out as its neighbour.
    """

    def run(answer: Any, inputs: Inputs) -> list[Tensor | bool]:
        verdicts: list[Tensor | bool] = []
        for dtype in HALVES:
            x, angles = make(inputs)
            x = x.to(dtype)
            exact = exactly(answer(x.double(), angles.double())).to(dtype)
            got = exactly(answer(x, angles)).to(dtype)
            verdicts.append(bool((got != exact).double().mean() <= ROUNDED_OTHERWISE))
        return verdicts

    title = "float16 and bfloat16: computed in float32"
    return Probe(title, run, advice, inexact=True, promise=IN_FLOAT32)


def keeps_dtype(make: Callable[[Inputs], tuple[Tensor, Tensor]]) -> Probe:
    """Make a probe: the result has the dtype of x, whatever that of the angles."""

    def run(answer: Any, inputs: Inputs) -> list[Tensor]:
        x, angles = make(inputs)
        return [answer(x.to(dtype), angles)[..., :0] for dtype in DTYPES]

    title = "in four dtypes, angles in float32: the result has the input's dtype"
    return Probe(title, run, promise=SAME_DTYPE)


def neighbours(d: int) -> list[tuple[int, int]]:
    """Pair places (2i, 2i + 1)."""
    return [(2 * i, 2 * i + 1) for i in range(d // 2)]


def halves(d: int) -> list[tuple[int, int]]:
    """Pair places (i, i + d/2)."""
    return [(i, i + d // 2) for i in range(d // 2)]


def pairwise_turned(x: Tensor, angles: Tensor, pairs: Pairs) -> Tensor:
    """Turn one pair after the other, in float64: the reference of all three."""
    columns = list(x.double().unbind(-1))
    for i, (one, other) in enumerate(pairs(len(columns))):
        a, b = columns[one], columns[other]
        cos, sin = angles[:, i].double().cos(), angles[:, i].double().sin()
        columns[one], columns[other] = a * cos - b * sin, a * sin + b * cos
    return torch.stack(columns, dim=-1).to(x.dtype)


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


def technique(pairs: Pairs, turn: str, partners: str) -> list[Probe]:
    """List what a rotation does. turn: the promise of which pairs turn; partners: when others do.

    Float32 on the way is what this lab teaches: here it belongs to the technique.
    """
    return [
        values(
            lambda inputs: (EXAMPLE, torch.tensor([[THIRD, SIXTH]])),
            title="worked example",
            promise="angles = torch.tensor([[torch.pi / 3, torch.pi / 6]])",
        ),
        values(
            lambda inputs: random_call(inputs, 5, 6),
            lambda inputs: random_call(inputs, 2, 7, 8),
            lambda inputs: random_call(inputs, 2, 3, 5, 10),
            lambda inputs: random_call(inputs, 2, 1, 3, 4, 6),
            lambda inputs: random_call(inputs, 3, 2),
            title="shape, dtype and values for five shapes",
            promise=SHAPES,
        ),
        values(
            lambda inputs: (inputs.randn(2, 3, 1, 8), at(torch.tensor([37]), 4)),
            lambda inputs: (inputs.randn(2, 4, 6), at(torch.arange(100, 104), 3)),
            lambda inputs: (inputs.randn(5, 6), at(torch.tensor([9, 2, 2, 40, 0]), 3)),
            heads_behind,
            title="one token at position 37, positions from 100, in any order; heads transposed",
            promise=turn,
        ),
        Probe("who moves with whom", who_moves_with_whom, partners, promise=turn),
        Probe(
            "every pair keeps its length",
            pair_lengths(pairs),
            "The length of a pair changes. A rotation keeps it, pair by pair.",
            promise=turn,
        ),
        Probe(
            "q·k depends on the distance, and on nothing else",
            scores_by_distance,
            "Two words were moved along the sequence together, and their dot product q·k changed; "
            "or one was moved alone, and it stayed.",
            promise=turn,
        ),
        Probe(
            "every position by itself",
            positions_alone,
            "One position was changed, and another one moved. Every position is turned by itself.",
            promise=SHAPES,
        ),
        Probe(
            "the same in every batch and head, different at every position",
            equal_heads,
            "Equal vectors should come out equal in all heads, and different at different "
            "positions. Along which dimension do the angles run?",
            promise=SHAPES,
        ),
        Probe(
            "in chunks as all at once",
            chunks,
            "Positions given in several calls should come out as in one. Is something counted from "
            "the start of the call?",
            promise=turn,
        ),
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
            promise=IN_FLOAT32,
        ),
    ]


def ready() -> list[Probe]:
    """List what a real model needs besides."""
    return [
        gradients(lambda inputs: random_call(inputs, 2, 3, 6)),
        keeps_device(lambda inputs: random_call(inputs, 2, 3, 6)),
    ]
