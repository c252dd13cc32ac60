"""Lab 07, 7.1: what is tried on swish."""

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
from checks.swiglu.probes import FAR, LARGE, NOT_SMOOTH, TAIL, keeps_dtype, tail
from checks.swiglu.swish_wrong import MISTAKES

BETA = "beta says how steep the gate is"


def sigmoid(x: Tensor) -> Tensor:
    """1 / (1 + e^-x), in float64."""
    return 1 / (1 + torch.exp(-x.double()))


def reference(x: Tensor, beta: float = 1.0) -> Tensor:
    """x · sigmoid(beta · x). x: (...) → (...)."""
    return (x.double() * sigmoid(beta * x.double())).to(x.dtype)


swish = Check(
    exercise="7.1",
    name="swish",
    reference=reference,
    technique=[
        values(
            lambda inputs: (torch.tensor([-1.0, 0.0, 1.0]), math.log(3)),
            title="worked example",
            promise="beta=1.0986)",
        ),
        values(
            lambda inputs: (inputs.randn(4),),
            lambda inputs: (inputs.randn(2, 3, 5) * 3,),
            lambda inputs: (inputs.randn(3, 4), 0.5),
            lambda inputs: (inputs.randn(1, 7) * 2, 2.0),
            lambda inputs: (inputs.randn(3, 2), -1.5),
            promise="x: any shape → the same shape",
        ),
        values(
            lambda inputs: (inputs.randn(4), 0.0),
            lambda inputs: (inputs.randn(2, 5), 50.0),
            title="β = 0 is x/2, β = 50 is nearly ReLU",
            promise=BETA,
        ),
        values(
            lambda inputs: (LARGE,),
            title="inputs up to ±10,000",
            promise="right far from zero as well",
        ),
    ],
    ready=[
        keeps_dtype(lambda inputs: (inputs.randn(4),)),
        gradients(lambda inputs: (inputs.randn(5), 1.5)),
        Probe(
            "gradients at 0, ±95 and ±200",
            gradients(lambda inputs: (FAR,)).run,
            NOT_SMOOTH,
            promise=GRADIENTS_FLOW,
        ),
        Probe(
            "float16 and bfloat16 around −11.4",
            half_precision(lambda inputs: (tail(inputs, 6),)).run,
            TAIL,
            inexact=True,
            promise=HALF_PRECISION,
        ),
        keeps_device(lambda inputs: (inputs.randn(4),)),
    ],
    mistakes=MISTAKES,
    hints=(
        "A gate between 0 and 1 decides how much of x passes. What opens it: x itself, times what?",
        "The gate is `torch.sigmoid` of beta times x; beta stands inside only.",
        "`return x * torch.sigmoid(beta * x)`",
    ),
)
