"""Lab 00, 0.1: what is tried on mean_square."""

from typing import Any

import torch
from torch import Tensor

from checks.engine import (
    Check,
    Crash,
    Inputs,
    Probe,
    Wrong,
    agrees,
    gradients,
    keeps_device,
    values,
)
from checks.start_here.mean_square_wrong import MISTAKES

ROOM = 0.02  # relative error that rounding to half precision at the end may cost
MEAN = "Mean of the squares over the last dimension."
SHAPES = "x: (..., D) → (...)"


def reference(x: Tensor) -> Tensor:
    """Mean of the squares of each vector, one after the other, in float64. x: (..., D) → (...)."""
    means = [(row * row).sum() / len(row) for row in x.double().reshape(-1, x.shape[-1]).unbind(0)]
    return torch.stack(means).reshape(x.shape[:-1]).to(x.dtype)


def by_name(answer: Any, inputs: Inputs) -> Tensor:
    """Call it with the name of the docstring."""
    x = torch.tensor([[1.0, 7.0], [3.0, -3.0]])
    try:
        return answer(x=x)
    except Crash as crash:
        if not isinstance(crash.original, TypeError) or crash.line:
            raise
        raise Wrong("its parameter is not called `x`, as in the docstring.") from crash


def with_outliers(inputs: Inputs) -> Tensor:
    """Draw three long vectors; two of them have a number that outshines the others: (3, 150)."""
    x = inputs.randn(3, 150)
    x[0, 40], x[1, 90] = 100.0, -100.0
    return x


def vectors_alone(answer: Any, inputs: Inputs) -> bool:
    """Change the last vector; the others' results must not move."""
    x = inputs.randn(2, 5, 6)
    other = x.clone()
    other[:, -1] += 3
    return agrees(answer(other)[:, :-1], answer(x)[:, :-1])


def zeros(answer: Any, inputs: Inputs) -> Tensor:
    """Give it two vectors of zeros."""
    return answer(torch.zeros(2, 3))


def in_half(answer: Any, inputs: Inputs) -> list[Any]:
    """Ask for dtype and rough values where half precision is not enough on the way."""
    loud = inputs.randn(3, 8)
    loud[:, 2] = 500.0
    cases = (
        loud.half(),  # a square overflows, their mean does not
        inputs.uniform(2, 600, low=50, high=200).half(),  # their sum overflows
        inputs.uniform(2, 600, low=0.5, high=2).bfloat16(),  # a sum stops growing
    )
    seen: list[Any] = []
    for x in cases:
        got, right = answer(x), answer(x.double())
        if not isinstance(got, Tensor) or got.dtype != x.dtype or got.shape != right.shape:
            return [got]  # the engine says what it is, and what it should be
        seen.append(bool(((got.double() - right).abs() <= ROOM * right.abs()).all()))
    return seen


mean_square = Check(
    exercise="0.1",
    name="mean_square",
    reference=reference,
    technique=[
        Probe("worked example, called by name", by_name, promise="mean_square(torch.tensor("),
        values(
            lambda inputs: (inputs.randn(3, 5),),
            lambda inputs: (inputs.randn(2, 7, 4),),
            lambda inputs: (inputs.randn(2, 3, 4, 5) * 3 + 1,),
            promise=MEAN,
        ),
        values(
            lambda inputs: (inputs.randn(6),),
            lambda inputs: (inputs.randn(4, 1),),
            lambda inputs: (inputs.randn(1, 5, 6),),
            lambda inputs: (inputs.randn(3, 1, 2),),
            lambda inputs: (inputs.randn(4, 4),),
            lambda inputs: (inputs.randn(2, 5, 6).transpose(1, 2),),
            lambda inputs: (with_outliers(inputs),),
            lambda inputs: (torch.arange(1.0, 1301) * (torch.arange(1300) % 7 - 3),),
            title="one vector (D,), sizes of 1, D × D, transposed, 150 and 1,300 columns",
            promise=SHAPES,
        ),
        values(
            lambda inputs: (-inputs.uniform(3, 5),),
            lambda inputs: (1e-4 * inputs.randn(3, 5),),
            lambda inputs: (1e5 * inputs.randn(3, 5),),
            lambda inputs: (inputs.randn(3, 5).double(),),
            title="all negative; tiny; huge; float64",
            promise=MEAN,
        ),
        Probe(
            "zeros give 0",
            zeros,
            "The mean square of zeros is 0, and it returned something else. Is there an eps?",
            promise=MEAN,
        ),
        Probe(
            "a vector does not feel the others",
            vectors_alone,
            "Another vector was changed, and the result of this one moved.",
            promise=SHAPES,
        ),
        # Float32 on the way is what this lab teaches: here it belongs to the technique.
        Probe(
            "float16 and bfloat16: large squares, many numbers",
            in_half,
            "In half precision the result is off by more than rounding. Compute in float32 "
            "(`x.float()`) and go back to x's dtype at the end.",
            promise="Computed in float32",
        ),
    ],
    ready=[
        gradients(
            lambda inputs: (inputs.randn(3, 5),),
            lambda inputs: (inputs.randn(6),),
            lambda inputs: (inputs.randn(2, 3, 4),),
            lambda inputs: (torch.zeros(2, 3),),
        ),
        keeps_device(lambda inputs: (inputs.randn(3, 5),)),
    ],
    mistakes=MISTAKES,
    hints=(
        "The name says two things in English word order. Which of them is done first?",
        "Square every number, then take the mean over the last dimension, which disappears. "
        "Compute in float32 and go back to x's dtype.",
        "`return x.float().square().mean(dim=-1).to(x.dtype)`",
    ),
)
