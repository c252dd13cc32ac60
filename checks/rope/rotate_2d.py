"""Lab 03, 3.2: what is tried on rotate_2d."""

from typing import Any

import torch
from torch import Tensor

from checks.engine import Check, Inputs, Probe, agrees, gradients, keeps_device, values
from checks.rope.rotate_2d_wrong import MISTAKES
from checks.rope.rotation import THIRD, in_float32, keeps_dtype

TURN = "Turn vectors in the plane anticlockwise."
SHAPES = "v: (..., 2), angle: (...) in radians → (..., 2)"


def reference(v: Tensor, angle: Tensor) -> Tensor:
    """Turn vectors in the plane anticlockwise. v: (..., 2), angle: (...) → (..., 2)."""
    x, y = v.double().unbind(-1)
    cos, sin = angle.double().cos(), angle.double().sin()
    return torch.stack((x * cos - y * sin, x * sin + y * cos), dim=-1).to(v.dtype)


def lengths(answer: Any, inputs: Inputs) -> bool:
    """Compare lengths before and after."""
    v = inputs.randn(9, 2)
    return agrees(answer(v, 3 * inputs.randn(9)).norm(dim=-1), v.norm(dim=-1))


def back_again(answer: Any, inputs: Inputs) -> bool:
    """Turn by an angle and back; turn in two steps and in one."""
    v, first, second = inputs.randn(9, 2), inputs.randn(9), inputs.randn(9)
    there = answer(v, first)
    back = (answer(there, -first) - v).abs().max() < 1e-4
    at_once = (answer(there, second) - answer(v, first + second)).abs().max() < 1e-4
    return bool(back) and bool(at_once)


rotate_2d = Check(
    exercise="3.2",
    name="rotate_2d",
    reference=reference,
    technique=[
        values(
            lambda inputs: (torch.tensor([2.0, 0.0]), torch.tensor(THIRD)),
            title="worked example",
            promise="rotate_2d(torch.tensor([2.0, 0.0]), torch.tensor(torch.pi / 3))",
        ),
        values(
            lambda inputs: (inputs.randn(7, 2), 3 * inputs.randn(7)),
            lambda inputs: (inputs.randn(3, 5, 2), inputs.randn(3, 5)),
            lambda inputs: (inputs.randn(2), inputs.randn(1)[0]),
            lambda inputs: (inputs.randn(4, 1, 2), 10 * inputs.randn(4, 1)),
            title="shape, dtype and values for four shapes",
            promise=SHAPES,
        ),
        Probe(
            "lengths stay",
            lengths,
            "v has another length afterwards. A rotation changes the direction only.",
            promise=TURN,
        ),
        Probe(
            "there and back again; two turns are one",
            back_again,
            "Turning by an angle and then by its opposite should give v again, and two turns "
            "should add up.",
            promise=TURN,
        ),
        # Float32 on the way is what this lab teaches: here it belongs to the technique.
        keeps_dtype(lambda inputs: (inputs.randn(5, 2), inputs.randn(5))),
        in_float32(
            lambda inputs: (inputs.randn(200, 2), 3 * inputs.randn(200)),
            "In half precision more is rounded than the result. Compute in float32 (`v.float()`) "
            "and go back to the dtype of v at the end.",
        ),
    ],
    ready=[
        gradients(lambda inputs: (inputs.randn(5, 2), inputs.randn(5))),
        keeps_device(lambda inputs: (inputs.randn(5, 2), inputs.randn(5))),
    ],
    mistakes=MISTAKES,
    hints=(
        "Where does (1, 0) go under a quarter turn, and where (0, 1)?",
        "(1, 0) goes to (cos, sin), (0, 1) to (−sin, cos). Every v is x times the one plus y times "
        "the other.",
        "`torch.stack((x * cos - y * sin, x * sin + y * cos), dim=-1)` with `x, y = v.unbind(-1)`.",
    ),
)
