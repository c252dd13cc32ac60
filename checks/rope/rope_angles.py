"""Lab 03, 3.4: what is tried on rope_angles."""

from typing import Any

import torch
from torch import Tensor

from checks.engine import Check, Inputs, Probe, gradients, keeps_device, values
from checks.rope.rope_angles_wrong import MISTAKES

ANY_ORDER = "positions: (T,) whole numbers, in any order, frequencies: (d/2,) float32"
RESULT = "(T, d/2) in radians, float32"


def reference(positions: Tensor, frequencies: Tensor) -> Tensor:
    """Angle of each pair at each position. (T,), (d/2,) → (T, d/2)."""
    rows = [frequencies.double() * position.double() for position in positions]
    return torch.stack(rows).to(frequencies.dtype)


def far_positions(answer: Any, inputs: Inputs) -> list[Tensor]:
    """Look at positions that half precision cannot tell apart, or cannot hold at all."""
    one = torch.tensor([1.0, 0.5])
    ranges = ((250, 260), (2046, 2052), (8190, 8195), (131_070, 131_073))
    return [answer(torch.arange(*span), one) for span in ranges]


rope_angles = Check(
    exercise="3.4",
    name="rope_angles",
    reference=reference,
    technique=[
        values(
            lambda inputs: (torch.tensor([0, 1, 5]), torch.tensor([1.0, 0.1])),
            title="worked example",
            promise="rope_angles(torch.tensor([0, 1, 5]), torch.tensor([1.0, 0.1]))",
        ),
        values(
            lambda inputs: (torch.arange(5), inputs.uniform(3)),
            lambda inputs: (torch.arange(2), inputs.uniform(7)),
            lambda inputs: (torch.arange(4), inputs.uniform(4)),
            title="shape, dtype and values for three sizes",
            promise=RESULT,
        ),
        values(
            lambda inputs: (torch.arange(100, 106), inputs.uniform(4)),
            lambda inputs: (torch.tensor([37]), inputs.uniform(5)),
            lambda inputs: (inputs.integers(6, high=50), inputs.uniform(3)),
            lambda inputs: (torch.tensor([9, 2, 2, 40, 0]), inputs.uniform(3)),
            title="positions that do not start at 0, one alone, and in any order",
            promise=ANY_ORDER,
        ),
        # Float32 on the way is what this lab teaches: here it belongs to the technique.
        Probe(
            "neighbours stay apart at 256, 2048, 8192 and 131072",
            far_positions,
            promise=RESULT,
        ),
    ],
    ready=[
        gradients(lambda inputs: (torch.arange(5), inputs.uniform(3))),
        keeps_device(lambda inputs: (torch.arange(5), inputs.uniform(3))),
    ],
    mistakes=MISTAKES,
    hints=(
        "A hand that moves θ radians a step: where is it after m steps?",
        "All products of a position and a frequency: a column times a row.",
        "`positions[:, None] * frequencies`",
    ),
)
