"""Lab 04, 4.3: what is tried on attention."""

import math
from typing import Any

import torch
from torch import Tensor

from checks.attention.attention_wrong import MISTAKES
from checks.attention.shared import average, beyond, half, huge, mask_stays, qkv, steep
from checks.engine import Check, Inputs, Probe, gradients, keeps_device, values
from checks.engine.attention_probes import causal, some_mask

AVERAGE = "Each query's average of the values, weighted by attention_weights."
SHAPES = "q: (..., T, d), k and v: (..., S, d), mask as in attention_weights → (..., T, d)."


def values_of_hidden(answer: Any, inputs: Inputs) -> list[Tensor]:
    """Put huge values where nothing may look, and give each position its number as value."""
    q, k, v = qkv(inputs, 2, t=4, s=6, d=6)
    mask = causal(4, 6) & (torch.arange(6) != 1)
    poisoned = v.clone()
    poisoned[:, 1] = 1e9
    positions = torch.arange(6.0)[:, None].expand(2, 6, 6)
    return [answer(q, k, poisoned, mask), answer(q, k, positions, mask), answer(q, k, 0 * v + 7)]


attention = Check(
    exercise="4.3",
    name="attention",
    reference=average,
    technique=[
        values(
            lambda inputs: (
                torch.tensor([[2.0, 0, 0, 0]]),
                torch.tensor([[0.0, 0, 0, 0], [math.log(3), 0, 0, 0]]),
                torch.tensor([[4.0, 0, 0, 0], [8.0, 4, 0, 0]]),
            ),
            title="worked example",
            promise="attention(q, k, v)",
        ),
        values(
            lambda inputs: qkv(inputs, 2, t=3, s=7, d=5),
            lambda inputs: qkv(inputs, 2, 4, t=3, s=7, d=5),
            title="values on random inputs, without and with heads",
            promise=AVERAGE,
        ),
        values(
            lambda inputs: (*qkv(inputs, 2, t=3, s=7, d=5), some_mask(inputs, 3, 7)),
            lambda inputs: (*qkv(inputs, 2, 4, t=3, s=7, d=5), some_mask(inputs, 3, 7)),
            title="values with a random mask",
            promise=SHAPES,
        ),
        values(
            lambda inputs: qkv(inputs, 2, 3, t=4, s=5, d=4),
            lambda inputs: qkv(inputs, t=4, s=3, d=9),
            lambda inputs: qkv(inputs, 2, t=6, s=6, d=5),
            lambda inputs: qkv(inputs, 3, 2, t=1, s=5, d=6),
            title="four more sizes, no mask",
            promise=SHAPES,
        ),
        values(
            lambda inputs: (*qkv(inputs, 2, 3, t=4, s=4, d=5), causal(4, 4)),
            lambda inputs: (*qkv(inputs, 2, 3, t=3, s=7, d=4), causal(3, 7)),
            lambda inputs: (*qkv(inputs, 2, 3, t=4, s=5, d=2), some_mask(inputs, 2, 1, 4, 5)),
            title="masks: causal, of a chunk, one for each sentence",
            promise=SHAPES,
        ),
        Probe(
            "huge values that are hidden, values that are positions, equal values",
            values_of_hidden,
            "The averages are wrong. Hidden values must not count at all, and when all values are "
            "equal their average is that value.",
            promise=AVERAGE,
        ),
        values(
            lambda inputs: (*huge(inputs)[:2], inputs.randn(6, 4), huge(inputs)[2]),
            title="scores of ±30000, the largest hidden",
            promise=AVERAGE,
        ),
    ],
    ready=[
        gradients(lambda inputs: (*qkv(inputs, 2, t=3, s=4, d=5), some_mask(inputs, 3, 4))),
        half(
            lambda inputs: (*steep(inputs, 2, 4, 6), inputs.randn(2, 4, 6)),
            "float16 and bfloat16, scores up to 13",
        ),
        half(
            lambda inputs: (*qkv(inputs, 2, 3, t=3, s=5, d=4), causal(3, 5)),
            "float16 and bfloat16, with a mask",
        ),
        half(
            lambda inputs: (*beyond(inputs), inputs.randn(2, 5, 4)),
            "float16 and bfloat16, q·k beyond float16's 65504",
            inexact=True,
        ),
        mask_stays(lambda inputs: (*qkv(inputs, 2, t=3, s=4, d=5), causal(3, 4))),
        keeps_device(lambda inputs: (*qkv(inputs, 2, t=3, s=4, d=5), causal(3, 4))),
    ],
    mistakes=MISTAKES,
    hints=(
        "The weights of a row sum to 1. What does a row of weights make of the rows of v?",
        "A weighted average is a matrix product: (…, T, S) @ (…, S, d).",
        "`return attention_weights(q, k, mask) @ v`",
    ),
)
