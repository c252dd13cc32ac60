"""Lab 10, 10.1: what is tried on apply_temperature."""

import dataclasses
from typing import Any

import torch
from torch import Tensor

from checks.engine import Check, Inputs, Probe, gradients, half_precision, keeps_device, values
from checks.sampling.apply_temperature_wrong import MISTAKES
from checks.sampling.filters import STEPS, Draw, behind_another, filtered, shuffled

DIVIDE = "Divide logits by a temperature"
LARGEST = "0 keeps only the largest, of equals the first"
REMOVED = "all others become -inf"


def reference(logits: Tensor, temperature: float) -> Tensor:
    """(..., V) → (..., V): logits / temperature; 0 keeps the first of the largest only."""
    if temperature != 0:
        return (logits.double() / temperature).to(logits.dtype)
    return filtered(logits, lambda row: [i == row.index(max(row)) for i in range(len(row))])


def survivors(*draws: Draw, title: str, promise: str, fails: str = "") -> Probe:
    """Compare results at temperature 0, where the one that is left may have any number.

    Its softmax is 1 in any case; it is looked at with its own logit.
    """

    def settled(result: Any, logits: Tensor) -> Any:
        if not isinstance(result, Tensor) or result.shape != logits.shape:
            return result
        lonely = result.isfinite() & (result.isfinite().sum(-1, keepdim=True) == 1)
        others = (result == -torch.inf) | lonely
        return torch.where(lonely & others.all(-1, keepdim=True), logits, result)

    def run(answer: Any, inputs: Inputs) -> list:
        seen = []
        for draw in draws:
            logits, temperature = draw(inputs)
            seen.append(settled(answer(logits, temperature), logits))
            vars(answer)["_transcript"].calls[-1].result = seen[-1]
        return seen

    return Probe(title, run, fails, promise=promise)


apply_temperature = Check(
    exercise="10.1",
    name="apply_temperature",
    reference=reference,
    technique=[
        values(
            lambda inputs: (torch.tensor([[1.0, 3.0, 2.0]]), 0.5),
            title="worked example",
            promise="apply_temperature(torch.tensor([[1.0, 3.0, 2.0]]), 0.5)",
        ),
        values(
            lambda inputs: (inputs.randn(2, 5) * 3, 0.7),
            lambda inputs: (inputs.randn(3, 4) * 3, 2.0),
            lambda inputs: (inputs.randn(1, 6) * 3, 1.0),
            lambda inputs: (inputs.randn(3, 3) * 3, 5),
            title="shape and values at 0.7, 1, 2 and 5",
            promise=DIVIDE,
        ),
        survivors(
            lambda inputs: (torch.tensor([[1.0, 3.0, 2.0]]), 0),
            lambda inputs: (inputs.randn(3, 6) * 3, 0.0),
            lambda inputs: (-1.0 - inputs.uniform(4, 4), 0.0),
            title="temperature 0: only the largest is left, in each row",
            fails="At temperature 0 the largest logit of each row stays, whatever it is, and all "
            "others become -inf.",
            promise=LARGEST,
        ),
        survivors(
            lambda inputs: (torch.tensor([[2.0, 5.0, 5.0, 1.0], [3.0, 3.0, 3.0, 3.0]]), 0),
            lambda inputs: (torch.tensor([[0.0, 0.5, 0.25, 0.5, 0.5]]), 0.0),
            title="temperature 0, several equal: the first of them is left",
            fails="Of equal logits the first stays at temperature 0, as with argmax.",
            promise=LARGEST,
        ),
        values(
            lambda inputs: (inputs.randn(2, 5) * 3, 0.01),
            lambda inputs: (inputs.randn(4, 3) * 300, 40.0),
            title="very cold and very hot",
            promise=DIVIDE,
        ),
        values(
            lambda inputs: (inputs.randn(6), 0.3),
            lambda inputs: (inputs.randn(2, 4, 3), 1.5),
            title="one row alone, and more batch dimensions",
            promise="(..., V) → (..., V)",
        ),
        survivors(
            lambda inputs: (inputs.randn(7), 0),
            lambda inputs: (inputs.randn(2, 3, 5), 0.0),
            title="temperature 0 with one row alone, and with more batch dimensions",
            promise="(..., V) → (..., V)",
        ),
        values(
            lambda inputs: (behind_another(inputs), 0.5),
            lambda inputs: (behind_another(inputs), 3.0),
            title="-inf, a token removed before, stays -inf",
            promise=DIVIDE,
        ),
        survivors(
            lambda inputs: (behind_another(inputs), 0),
            title="-inf at temperature 0",
            promise=REMOVED,
        ),
    ],
    ready=[
        half_precision(lambda inputs: (inputs.randn(2, 7) * 4, 0.3)),
        half_precision(
            lambda inputs: (shuffled(inputs, STEPS, 3), 0),
            title="temperature 0 in float16 and bfloat16",
            promise="same dtype",
        ),
        gradients(
            lambda inputs: (inputs.randn(2, 5), 0.4),
            lambda inputs: (inputs.randn(2, 5), 3.0),
        ),
        dataclasses.replace(
            keeps_device(lambda inputs: (inputs.randn(2, 5), 0)),
            title="works on the device of its inputs, at temperature 0",
        ),
        dataclasses.replace(
            keeps_device(lambda inputs: (inputs.randn(2, 5), 0.5)),
            title="works on the device of its inputs, at temperature 0.5",
        ),
    ],
    mistakes=MISTAKES,
    hints=(
        "Two tokens with logits 2 and 0: how many times as likely is the first at temperature 1, "
        "and how many times when both logits have been divided by 2?",
        "Divide, except at 0. There find the place of the largest logit of each row, and give "
        "-inf to every other place.",
        "`first = logits.argmax(dim=-1, keepdim=True)`, `places = torch.arange(logits.shape[-1], "
        "device=logits.device)`, `torch.where(places == first, logits, -torch.inf)`",
    ),
)
