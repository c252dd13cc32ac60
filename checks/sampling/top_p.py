"""Lab 10, 10.3: what is tried on top_p."""

import functools

import torch
from torch import Tensor

from checks.engine import HALF_PRECISION, Check, half_precision, keeps_device, values
from checks.sampling.filters import (
    STEPS,
    behind_another,
    equals,
    far_below,
    filtered,
    gradients_of_shares,
    shuffled,
    softmax,
    uneven,
    with_clear_p,
)
from checks.sampling.top_p_wrong import MISTAKES

LONG_TAIL = tuple(-0.8 * i for i in range(50))  # down to e^-39 of the largest
SMALLEST_SET = "Keep the smallest set of the likeliest tokens whose probabilities reach p"
EQUALS = (
    "Several logits were equal. As many tokens stay as are needed to reach p, and none of those "
    "removed is likelier; which of the equals stay is up to you."
)


def reference(logits: Tensor, p: float) -> Tensor:
    """(..., V) → (..., V): the smallest set of the likeliest whose mass reaches p stays."""
    return filtered(logits, lambda row: nucleus(tuple(row), p))


@functools.lru_cache(maxsize=64)  # a text may be drawn from one row, a hundred times
def nucleus(row: tuple[float, ...], p: float) -> list[bool]:
    """Which tokens of a row stay."""
    probabilities, mass = softmax(row), 0.0
    keep = [False] * len(row)
    for token in sorted(range(len(row)), key=lambda i: (-row[i], i)):
        keep[token] = True
        mass += probabilities[token]
        if mass >= p and p < 1:
            break
    return keep


def fits_p(result: Tensor, logits: Tensor, p: float) -> int:
    """How many stay, if they are unchanged and none of the others is likelier; else -1."""
    keep = result != -torch.inf
    least = logits[keep].min() if keep.any() else torch.inf
    fits = bool((result[keep] == logits[keep]).all()) and bool((logits[~keep] <= least).all())
    return int(keep.sum()) if fits else -1


top_p = Check(
    exercise="10.3",
    name="top_p",
    weight=2,
    reference=reference,
    technique=[
        values(
            lambda inputs: (torch.tensor([[0.09, 0.5, 0.41]]).log(), 0.9),
            title="worked example",
            promise="torch.tensor([[0.09, 0.5, 0.41]]).log()",
        ),
        values(
            lambda inputs: with_clear_p(inputs, uneven(inputs, 3, 7), 0.8),
            lambda inputs: with_clear_p(inputs, uneven(inputs, 4, 6), 0.5),
            lambda inputs: with_clear_p(inputs, uneven(inputs, 2, 9), 0.9),
            lambda inputs: with_clear_p(inputs, uneven(inputs, 5, 5), 0.25),
            title="shape, dtype and values on 4 random inputs",
            promise=SMALLEST_SET,
        ),
        values(
            lambda inputs: with_clear_p(inputs, shuffled(inputs, STEPS[:30], 2), 0.95),
            title="a larger vocabulary",
            promise=SMALLEST_SET,
        ),
        values(
            lambda inputs: with_clear_p(inputs, uneven(inputs, 8), 0.7),
            lambda inputs: with_clear_p(inputs, uneven(inputs, 2, 3, 6), 0.6),
            title="one row alone, and more batch dimensions",
            promise="(..., V)",
        ),
        values(
            lambda inputs: (torch.tensor([[0.2, 5.0, 0.1]]), 0.3),
            lambda inputs: (uneven(inputs, 3, 6), 1e-8),
            title="a tiny p: the likeliest stays, the set is never empty",
            promise="never none",
        ),
        values(
            lambda inputs: (uneven(inputs, 3, 6), 0.0),
            title="p = 0: the likeliest stays",
            promise="never none",
        ),
        values(
            lambda inputs: (uneven(inputs, 3, 6), 1.0),
            lambda inputs: (shuffled(inputs, LONG_TAIL, 2), 1.0),
            title="p = 1: everything stays, the tail of one in 10^17 too",
            promise="1 keeps all of probability above 0",
        ),
        equals(
            lambda inputs: (torch.zeros(1, 4), 0.6),
            lambda inputs: (torch.zeros(2, 7), 0.3),
            lambda inputs: (shuffled(inputs, (2.0, 1.0, 1.0, 1.0, 0.0), 4), 0.75),
            fits=fits_p,
            title="several logits equal: no more stay than p needs",
            fails=EQUALS,
            promise=SMALLEST_SET,
        ),
        values(
            lambda inputs: with_clear_p(inputs, behind_another(inputs), 0.6),
            lambda inputs: with_clear_p(inputs, far_below(inputs), 0.8),
            lambda inputs: (behind_another(inputs), 1.0),
            title="behind another filter, and with logits of -20000",
            promise=SMALLEST_SET,
        ),
    ],
    ready=[
        half_precision(lambda inputs: with_clear_p(inputs, shuffled(inputs, STEPS, 3), 0.96)),
        equals(
            # bfloat16 makes 1/1020 larger by 0.4 %: enough for two tokens of 512
            lambda inputs: (torch.zeros(1, 1020, dtype=torch.bfloat16), 0.5015),
            lambda inputs: (torch.zeros(1, 1000, dtype=torch.float16), 0.5015),
            fits=fits_p,
            title="a thousand equal tokens in half precision: no more stay than p needs",
            fails=EQUALS + " They were in half precision: softmax and sum in float32.",
            promise=HALF_PRECISION,
        ),
        gradients_of_shares(lambda inputs: with_clear_p(inputs, uneven(inputs, 3, 6), 0.6)),
        keeps_device(lambda inputs: with_clear_p(inputs, uneven(inputs, 2, 6), 0.6)),
    ],
    mistakes=MISTAKES,
    hints=(
        "A token stays if those that are likelier have, together, less than what?",
        "Sort the probabilities, take the cumulative sum, decide, and put the decision back to the "
        "tokens' places with scatter. Sorted upwards, the sum is what a token has together with "
        "all less likely ones: remove it when that is at most 1 - p.",
        "`values, order = logits.float().softmax(-1).sort(-1)`, `keep = values.cumsum(-1) > "
        "1 - p`, `keep[..., -1] = True`, `keep = torch.zeros_like(keep).scatter(-1, order, keep)`",
    ),
)
