"""Lab 07, 7.2: what is tried on glu."""

import math

import torch
from torch import Tensor

from checks.engine import (
    GRADIENTS_FLOW,
    HALF_PRECISION,
    Check,
    Probe,
    gradients,
    half_precision,
    keeps_device,
    values,
)
from checks.swiglu.glu_wrong import MISTAKES
from checks.swiglu.probes import FAR, LARGE, NOT_SMOOTH, TAIL, keeps_dtype, tail
from checks.swiglu.swish import sigmoid

SHARE = "Let a share sigmoid(gate) of each value pass"


def reference(gate: Tensor, value: Tensor) -> Tensor:
    """sigmoid(gate) · value. Both (..., F) → (..., F)."""
    return (sigmoid(gate) * value.double()).to(gate.dtype)


glu = Check(
    exercise="7.2",
    name="glu",
    reference=reference,
    technique=[
        values(
            lambda inputs: (torch.tensor([0.0, math.log(3)]), torch.tensor([4.0, 4.0])),
            title="worked example",
            promise="glu(torch.tensor([0.0, 1.0986])",
        ),
        values(
            lambda inputs: (inputs.randn(4), inputs.randn(4)),
            lambda inputs: (inputs.randn(2, 3, 5), inputs.randn(2, 3, 5) * 4),
            lambda inputs: (inputs.randn(3, 4) * 4, inputs.randn(3, 4)),
            lambda inputs: (inputs.randn(3, 3), inputs.randn(3, 3)),
            promise="gate and value: (..., F) → (..., F)",
        ),
        values(
            lambda inputs: (LARGE, inputs.randn(6) * 500),
            lambda inputs: (inputs.uniform(6, low=-13.0, high=-9.0), inputs.randn(6) * 500),
            title="gates of up to ±10,000, gates that are nearly shut, large values",
            promise=SHARE,
        ),
    ],
    ready=[
        keeps_dtype(lambda inputs: (inputs.randn(4), inputs.randn(4))),
        gradients(lambda inputs: (inputs.randn(5), inputs.randn(5))),
        Probe(
            "gradients at gates of 0, ±95 and ±200",
            gradients(lambda inputs: (FAR, inputs.randn(5))).run,
            NOT_SMOOTH,
            promise=GRADIENTS_FLOW,
        ),
        Probe(
            "float16 and bfloat16 with gates around −11.4",
            half_precision(
                lambda inputs: (tail(inputs, 6), inputs.uniform(6, low=100.0, high=900.0))
            ).run,
            TAIL,
            inexact=True,
            promise=HALF_PRECISION,
        ),
        keeps_device(lambda inputs: (inputs.randn(4), inputs.randn(4))),
    ],
    mistakes=MISTAKES,
    hints=(
        "Two numbers meet: one says what, the other how much of it. Which one is squeezed?",
        "The sigmoid makes the gate a share between 0 and 1; the value stays as it is.",
        "`return torch.sigmoid(gate) * value`",
    ),
)
