"""Lab 07, 7.3: what is tried on swiglu."""

from typing import Any

import torch
from torch import Tensor

from checks.engine import (
    GRADIENTS_FLOW,
    HALF_PRECISION,
    Check,
    Inputs,
    Probe,
    agrees,
    gradients,
    half_precision,
    keeps_device,
    values,
)
from checks.swiglu.probes import FAR, NOT_SMOOTH, TAIL, keeps_dtype, shut_gates, weights
from checks.swiglu.swiglu_wrong import MISTAKES
from checks.swiglu.swish import sigmoid

LEAK = (
    "Another token was changed, and this one moved. The feed-forward layer sees tokens one by one."
)
SHUT = "All gates are zero, and something passes. swish(0) is 0, and so is 0 times anything."
LINEAR = (
    "w_up was multiplied by -3, and the output was not. The up branch goes straight through: only "
    "the gate branch is bent by swish."
)
LAYER = "gates and values, and back to D"
SHAPES = "w_gate and w_up: (F, D), w_down: (D, F) → (..., D)"


def reference(x: Tensor, w_gate: Tensor, w_up: Tensor, w_down: Tensor) -> Tensor:
    """One hidden unit after the other. x: (..., D), (F, D), (F, D), (D, F) → (..., D)."""
    wide = x.double()
    out = torch.zeros_like(wide)
    units = zip(w_gate.double(), w_up.double(), w_down.double().unbind(1), strict=True)
    for gate, up, down in units:
        score = (wide * gate).sum(-1)  # (...)
        hidden = score * sigmoid(score) * (wide * up).sum(-1)  # (...)
        out = out + hidden[..., None] * down
    return out.to(x.dtype)


def positive(inputs: Inputs) -> tuple[Tensor, ...]:
    """Draw x and weights without cancelling sums, so that half precision costs only roundings."""
    shapes = ((2, 3), (4, 3), (4, 3), (3, 4))
    return tuple(inputs.uniform(*shape, low=0.5, high=1.5) for shape in shapes)


def gate_of_zero(answer: Any, inputs: Inputs) -> Tensor:
    """Set all the gates to zero: nothing passes."""
    w_gate, w_up, w_down = weights(inputs, 4, 3)
    return answer(inputs.randn(2, 4), torch.zeros_like(w_gate), w_up, w_down)


def up_is_linear(answer: Any, inputs: Inputs) -> bool:
    """Multiply w_up by -3: the output is multiplied by -3."""
    w_gate, w_up, w_down = weights(inputs, 4, 3)
    x = inputs.randn(2, 4)
    return agrees(answer(x, w_gate, -3 * w_up, w_down), -3 * answer(x, w_gate, w_up, w_down))


def rows_alone(answer: Any, inputs: Inputs) -> bool:
    """Change the last token; the earlier ones must not move."""
    x, w = inputs.randn(1, 5, 4), weights(inputs, 4, 3)
    other = x.clone()
    other[:, -1] += 3
    return agrees(answer(other, *w)[:, :-1], answer(x, *w)[:, :-1])


def far_gates(inputs: Inputs) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """One input of 1, so that the gates are the weights: far from zero."""
    return torch.ones(1, 1), FAR[:, None], inputs.randn(5, 1), inputs.randn(1, 5)


swiglu = Check(
    exercise="7.3",
    name="swiglu",
    weight=2,
    reference=reference,
    technique=[
        values(
            lambda inputs: (
                torch.tensor([1.0, 2.0]),
                torch.tensor([[20.0, 0.0], [0.0, 0.0]]),
                torch.tensor([[0.0, 3.0], [5.0, 5.0]]),
                torch.tensor([[0.1, 1.0], [0.0, 1.0]]),
            ),
            title="worked example",
            promise="swiglu(x, w_gate, w_up, w_down)",
        ),
        values(
            lambda inputs: (inputs.randn(3), *weights(inputs, 3, 2)),
            lambda inputs: (inputs.randn(2, 4), *weights(inputs, 4, 7)),
            lambda inputs: (inputs.randn(2, 3, 5), *weights(inputs, 5, 3)),
            lambda inputs: (inputs.randn(1, 2, 3, 4), *weights(inputs, 4, 6)),
            promise=SHAPES,
        ),
        values(
            lambda inputs: (inputs.randn(2, 4), *weights(inputs, 4, 4)),
            title="D = F: no shape tells the matrices apart",
            promise=SHAPES,
        ),
        Probe("a gate of zero lets nothing through", gate_of_zero, SHUT, promise=LAYER),
        Probe("−3 times w_up is −3 times the output", up_is_linear, LINEAR, promise=LAYER),
        Probe("a token does not feel the others", rows_alone, LEAK, promise="each token by itself"),
    ],
    ready=[
        keeps_dtype(lambda inputs: (inputs.randn(2, 4), *weights(inputs, 4, 3))),
        gradients(lambda inputs: (inputs.randn(2, 4), *weights(inputs, 4, 3))),
        Probe(
            "gradients at gates of 0, ±95 and ±200",
            gradients(far_gates).run,
            NOT_SMOOTH,
            promise=GRADIENTS_FLOW,
        ),
        half_precision(positive, title="float16 and bfloat16"),
        Probe(
            "float16 and bfloat16 with gates around −11.4",
            half_precision(shut_gates).run,
            TAIL,
            inexact=True,
            promise=HALF_PRECISION,
        ),
        keeps_device(lambda inputs: (inputs.randn(2, 4), *weights(inputs, 4, 3))),
    ],
    mistakes=MISTAKES,
    hints=(
        "Three matrices, two branches: which of them run side by side, and which one comes last?",
        "hidden = swish(x @ w_gate.T) * (x @ w_up.T), of shape (..., F); then back to D.",
        "`return (swish(x @ w_gate.T) * (x @ w_up.T)) @ w_down.T`",
    ),
)
