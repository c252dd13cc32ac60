"""Lab 10, 10.4: what is tried on min_p."""

import math

import torch
from torch import Tensor

from checks.engine import HALF_PRECISION, Check, half_precision, keeps_device, values
from checks.sampling.filters import (
    STEPS,
    behind_another,
    far_below,
    filtered,
    gradients_of_shares,
    shuffled,
    softmax,
    uneven,
    with_clear_share,
)
from checks.sampling.min_p_wrong import MISTAKES

FINE_STEPS = tuple(i / 1024 for i in range(128))  # exact in bfloat16, their softmax is not
KEEP = "Keep the tokens that are at least p times as likely as the likeliest."


def reference(logits: Tensor, p: float) -> Tensor:
    """(..., V) → (..., V): those stay that are at least p times as likely as the likeliest."""

    def likely(row: list[float]) -> list[bool]:
        probabilities = softmax(row)
        return [x >= p * max(probabilities) for x in probabilities]

    return filtered(logits, likely)


min_p = Check(
    exercise="10.4",
    name="min_p",
    reference=reference,
    technique=[
        values(
            lambda inputs: (torch.tensor([[0.5, 0.3, 0.04, 0.16]]).log(), 0.2),
            title="worked example",
            promise="min_p(logits, 0.2)",
        ),
        values(
            lambda inputs: with_clear_share(inputs, uneven(inputs, 3, 7), 0.1),
            lambda inputs: with_clear_share(inputs, uneven(inputs, 4, 6), 0.3),
            lambda inputs: with_clear_share(inputs, uneven(inputs, 2, 9), 0.06),
            lambda inputs: with_clear_share(inputs, uneven(inputs, 5, 5), 0.7),
            title="shape, dtype and values on 4 random inputs",
            promise=KEEP,
        ),
        values(
            lambda inputs: with_clear_share(inputs, inputs.uniform(3, 30), 0.5),
            lambda inputs: with_clear_share(inputs, inputs.uniform(2, 60), 0.9),
            lambda inputs: with_clear_share(inputs, inputs.uniform(1, 40) / 5, 0.98),
            title="nearly flat: no probability reaches p itself",
            promise=KEEP,
        ),
        values(
            lambda inputs: with_clear_share(inputs, uneven(inputs, 8), 0.2),
            lambda inputs: with_clear_share(inputs, uneven(inputs, 2, 3, 6), 0.15),
            title="one row alone, and more batch dimensions",
            promise="(..., V)",
        ),
        values(
            lambda inputs: (uneven(inputs, 3, 6), 1.0),
            title="p = 1 keeps the likeliest",
            promise="p from 0 to 1",
        ),
        values(
            lambda inputs: (uneven(inputs, 3, 6), 0.0),
            title="p = 0 keeps everything",
            promise="p from 0 to 1",
        ),
        values(
            lambda inputs: with_clear_share(inputs, behind_another(inputs), 0.1),
            lambda inputs: with_clear_share(inputs, far_below(inputs), 0.4),
            title="behind another filter, and with logits of -20000",
            promise=KEEP,
        ),
    ],
    ready=[
        half_precision(lambda inputs: with_clear_share(inputs, shuffled(inputs, STEPS, 3), 0.2)),
        values(
            lambda inputs: (
                shuffled(inputs, FINE_STEPS, 2).bfloat16(),
                math.exp(-63.5 / 1024),  # between two of them
            ),
            title="bfloat16, and tokens nearly equally likely: compared in float32",
            promise=HALF_PRECISION,
        ),
        gradients_of_shares(lambda inputs: with_clear_share(inputs, uneven(inputs, 3, 6), 0.2)),
        keeps_device(lambda inputs: with_clear_share(inputs, uneven(inputs, 2, 6), 0.2)),
    ],
    mistakes=MISTAKES,
    hints=(
        "The likeliest token has probability 0.4 and p is 0.1. From which probability on does a "
        "token stay?",
        "The threshold is p times the largest probability of the row: amax with keepdim.",
        "`probabilities = logits.float().softmax(-1)`, `keep = probabilities >= p * "
        "probabilities.amax(-1, keepdim=True)`",
    ),
)
