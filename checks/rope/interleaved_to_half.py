"""Lab 03, 3.7: what is tried on interleaved_to_half."""

from typing import Any

import torch
from torch import Tensor

from checks.engine import Check, Inputs, Probe, gradients, keeps_device, values
from checks.rope.interleaved_to_half_wrong import MISTAKES

MOVE = "Move the first numbers of all pairs to the front"
SHAPES = "x: (..., d) → (..., d), same dtype."


def reference(x: Tensor) -> Tensor:
    """Sort the even places before the odd ones. (..., d) → (..., d)."""
    d = x.shape[-1]
    places = [*range(0, d, 2), *range(1, d, 2)]
    return torch.stack([x[..., place] for place in places], dim=-1)


def of_dtypes(answer: Any, inputs: Inputs) -> list[Tensor]:
    """Move numbers of several dtypes: not a digit may change."""
    x = inputs.randn(3, 10)
    return [answer(x.to(dtype)) for dtype in (torch.float64, torch.float16, torch.bfloat16)]


def exactly_the_numbers(answer: Any, inputs: Inputs) -> bool:
    """Compare the numbers before and after, bit for bit and whatever their order."""
    x = inputs.randn(5, 6)
    return bool(torch.equal(answer(x).sort(dim=-1).values, x.sort(dim=-1).values))


interleaved_to_half = Check(
    exercise="3.7",
    name="interleaved_to_half",
    reference=reference,
    technique=[
        values(
            lambda inputs: (torch.arange(6),),
            title="worked example",
            promise="interleaved_to_half(torch.tensor([0, 1, 2, 3, 4, 5]))",
        ),
        values(
            lambda inputs: (inputs.randn(5, 8),),
            lambda inputs: (inputs.randn(2, 3, 5, 10),),
            lambda inputs: (inputs.randn(4),),
            lambda inputs: (inputs.randn(3, 2),),
            lambda inputs: (inputs.randn(2, 5, 3, 12).transpose(1, 2),),
            title="shape, dtype and values for five shapes",
            promise=SHAPES,
        ),
        Probe("float64, float16 and bfloat16", of_dtypes, promise=SHAPES),
        Probe(
            "the same numbers, bit for bit",
            exactly_the_numbers,
            "Some number is not there any more, or was rounded. Only places change here.",
            promise=MOVE,
        ),
    ],
    ready=[
        gradients(lambda inputs: (inputs.randn(3, 6),)),
        keeps_device(lambda inputs: (inputs.randn(3, 6),)),
    ],
    mistakes=MISTAKES,
    hints=(
        "At which places of [a0 b0 a1 b1 a2 b2] do the a stand?",
        "Every second place from 0, then every second place from 1, one after the other.",
        "`torch.cat((x[..., 0::2], x[..., 1::2]), dim=-1)`",
    ),
)
