"""Lab 12, 12.6: what is tried on int8_linear."""

import dataclasses
from typing import Any

import torch
from torch import Tensor

from checks.engine import Check, Inputs, Probe, gradients, half_precision, keeps_device, values
from checks.roofline.int8_linear_wrong import MISTAKES

MAP = "F.linear with an int8 weight"
SHAPES = "x: (..., in), q: (out, in), scale: (out,) → (..., out), x's dtype"


def reference(x: Tensor, q: Tensor, scale: Tensor) -> Tensor:
    """(..., in) → (..., out), one output after the other, in float64."""
    outputs = []
    for row, step in zip(q.double(), scale.double(), strict=True):
        outputs.append((x.double() * (row * step)).sum(-1))
    return torch.stack(outputs, dim=-1).to(x.dtype)


def packed(inputs: Inputs, n_out: int, n_in: int, low: int = -127) -> tuple[Tensor, Tensor]:
    """Numbers from `low` to 127 and scales: (out, in) int8, (out,) float32."""
    q = inputs.integers(n_out, n_in, low=low, high=128).to(torch.int8)
    return q, inputs.uniform(n_out, low=0.005, high=0.05)


def call(inputs: Inputs, *shape: int, n_out: int, size: float = 1.0) -> tuple:
    """Arguments of one call."""
    return inputs.randn(*shape) * size, *packed(inputs, n_out, shape[-1])


def with_weight(probe: Probe, n_out: int, n_in: int, low: int = -127, larger: float = 1.0) -> Probe:
    """A probe that hands over x alone: the weight stays as it is, its scales float32.

    larger: what the scales are multiplied by.
    """

    def run(answer: Any, inputs: Inputs) -> Any:
        q, scale = packed(inputs, n_out, n_in, low)
        return probe.run(lambda x: answer(x, q, scale * larger), inputs)

    return dataclasses.replace(probe, run=run)


int8_linear = Check(
    exercise="12.6",
    name="int8_linear",
    reference=reference,
    technique=[
        values(
            lambda inputs: (
                torch.tensor([[1.0, 0.5]]),
                torch.tensor([[127, -64], [0, 10]], dtype=torch.int8),
                torch.tensor([0.01, 2.0]),
            ),
            title="worked example",
            promise="int8_linear(torch.tensor([[1.0, 0.5]]), q, scale)",
        ),
        values(
            lambda inputs: call(inputs, 3, 5, n_out=7),
            lambda inputs: call(inputs, 4, 6, n_out=2),
            title="values on random inputs",
            promise=MAP,
        ),
        values(
            lambda inputs: call(inputs, 4, 4, n_out=4),
            lambda inputs: call(inputs, 6, 6, n_out=6),
            title="as many outputs as inputs, and as many rows",
            promise=MAP,
        ),
        values(
            lambda inputs: call(inputs, 5, n_out=3),
            lambda inputs: call(inputs, 2, 3, 5, n_out=4),
            lambda inputs: call(inputs, 2, 1, 3, 4, n_out=5),
            title="one row alone, and more batch dimensions",
            promise=SHAPES,
        ),
        values(
            lambda inputs: call(inputs, 2, 64, n_out=3, size=40.0),
            lambda inputs: call(inputs, 1, 300, n_out=2),
            title="many inputs, and large ones",
            promise=MAP,
        ),
        values(
            lambda inputs: (
                inputs.randn(3, 4),
                inputs.integers(2, 4, low=-127, high=128).to(torch.int8),
                torch.tensor([0.0, 3.0]),
            ),
            title="a scale of 0, and one above 1",
            promise=MAP,
        ),
    ],
    ready=[
        with_weight(half_precision(lambda inputs: (inputs.randn(3, 8),)), 5, 8),
        with_weight(
            half_precision(
                lambda inputs: (45 + inputs.randn(2, 96),),
                title="float16 and bfloat16, sums beyond float16's 65504 before they are scaled",
            ),
            4,
            96,
            low=60,
        ),
        with_weight(
            half_precision(
                lambda inputs: (1e-3 * (1 + inputs.uniform(2, 6)),),
                title="float16 and bfloat16, weights beyond float16's 65504, small inputs",
            ),
            3,
            6,
            low=60,
            larger=1e5,
        ),
        with_weight(gradients(lambda inputs: (inputs.randn(3, 5),)), 4, 5),
        keeps_device(lambda inputs: call(inputs, 2, 5, n_out=3)),
    ],
    mistakes=MISTAKES,
    hints=(
        "A weight is q · scale, and all weights of a row have the same scale. When can it be "
        "multiplied in?",
        "`x @ q.T` in floating point is the sum for each output; multiply output i by scale i.",
        "`return (x.float() @ q.float().T * scale.float()).to(x.dtype)`",
    ),
)
