"""Lab 04, 4.2: what is tried on attention_weights."""

import math
from typing import Any

import torch

from checks.attention.attention_weights_wrong import MISTAKES
from checks.attention.shared import beyond, half, huge, mask_stays, qk, steep, swinging, weights
from checks.engine import Check, Inputs, Probe, agrees, keeps_device, values
from checks.engine.attention_probes import causal, some_mask

FORMULA = "softmax of q·k / sqrt(d), over the keys."
MASKED = "mask: bool, broadcasts to (..., T, S), True where a query may look"
ROWS = "every row sums to 1, and a masked key gets exactly 0."


def hidden_is_zero(answer: Any, inputs: Inputs) -> list[bool]:
    """Look whether rows sum to 1, and whether what is hidden has weight exactly 0."""
    q, k = qk(inputs, 2, 3, t=5, s=7, d=4)
    mask = some_mask(inputs, 5, 7)
    found = answer(q, k, mask)
    rows = agrees(found.sum(-1), torch.ones(2, 3, 5))
    return [rows, bool((found[..., ~mask] == 0).all())]


attention_weights = Check(
    exercise="4.2",
    name="attention_weights",
    weight=2,
    reference=weights,
    technique=[
        values(
            lambda inputs: (
                torch.tensor([[2.0, 0, 0, 0]]),
                torch.tensor([[0.0, 0, 0, 0], [math.log(3), 0, 0, 0]]),
            ),
            title="worked example",
            promise="attention_weights(q, k)",
        ),
        values(
            lambda inputs: qk(inputs, 2, t=3, s=7, d=5),
            lambda inputs: qk(inputs, 2, 4, t=3, s=7, d=5),
            title="values on random inputs, without and with heads",
            promise=FORMULA,
        ),
        values(
            lambda inputs: (*qk(inputs, 2, t=3, s=7, d=5), some_mask(inputs, 3, 7)),
            lambda inputs: (*qk(inputs, 2, 4, t=3, s=7, d=5), some_mask(inputs, 3, 7)),
            title="values with a random mask",
            promise=MASKED,
        ),
        values(
            lambda inputs: qk(inputs, 2, 3, t=4, s=5, d=4),
            lambda inputs: qk(inputs, t=4, s=3, d=9, scale=0.7),
            lambda inputs: qk(inputs, 2, t=6, s=6, d=5, scale=1.3),
            lambda inputs: qk(inputs, 3, 2, t=1, s=5, d=6),
            title="four more sizes, no mask",
            promise="q: (..., T, d), k: (..., S, d)",
        ),
        values(
            lambda inputs: (*qk(inputs, 2, 3, t=4, s=4, d=5), causal(4, 4)),
            lambda inputs: (*qk(inputs, 2, 3, t=3, s=7, d=4), causal(3, 7)),
            lambda inputs: (*qk(inputs, 2, 3, t=4, s=5, d=2), some_mask(inputs, 2, 1, 1, 5)),
            lambda inputs: (*qk(inputs, 2, 3, t=4, s=5, d=2), some_mask(inputs, 2, 1, 4, 5)),
            title="masks: causal, of a chunk, one for each sentence",
            promise=MASKED,
        ),
        Probe(
            "rows sum to 1, and hidden keys get exactly 0",
            hidden_is_zero,
            "A row of weights has to sum to 1, and the weight of a hidden key has to be exactly 0.",
            promise=ROWS,
        ),
        values(
            huge,
            lambda inputs: huge(inputs)[:2],
            title="scores of ±30000, the largest hidden",
            promise=ROWS,
        ),
    ],
    ready=[
        swinging(lambda inputs: (*qk(inputs, 2, t=3, s=4, d=5), some_mask(inputs, 3, 4))),
        half(lambda inputs: steep(inputs, 2, 4, 6), "float16 and bfloat16, scores up to 13"),
        half(
            lambda inputs: (*qk(inputs, 2, 3, t=3, s=5, d=4), causal(3, 5)),
            "float16 and bfloat16, with a mask",
        ),
        half(beyond, "float16 and bfloat16, q·k beyond float16's 65504", inexact=True),
        mask_stays(lambda inputs: (*qk(inputs, 2, t=3, s=4, d=5), causal(3, 4))),
        keeps_device(lambda inputs: (*qk(inputs, 2, t=3, s=4, d=5), causal(3, 4))),
    ],
    mistakes=MISTAKES,
    hints=(
        "A query is compared with every key: which matrix product gives all T × S dot products?",
        "Scores q @ kᵀ / sqrt(d); -inf where the mask is False; softmax over the last dimension.",
        "`scores = q.float() @ k.float().transpose(-2, -1) / math.sqrt(q.shape[-1])`, then "
        "`scores.masked_fill(~mask, -torch.inf)` unless mask is None, then "
        "`torch.softmax(scores, dim=-1).to(q.dtype)`.",
    ),
)
