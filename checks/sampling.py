"""Lab 10: apply_temperature, top_k, top_p and min_p; sample and generate are in sampling_text."""

import dataclasses
import math

import torch

from checks.engine import Check, Inputs, gradients, half_precision, keeps_device, values
from checks.mistakes import sampling as mistakes
from checks.mistakes import sampling_top_p as mistakes_of_top_p
from checks.probes.sampling import (
    FINE_STEPS,
    LONG_TAIL,
    STEPS,
    equals,
    fits_k,
    fits_p,
    gradients_of_shares,
    shuffled,
    survivors,
    uneven,
    with_clear_p,
    with_clear_share,
)
from checks.reference import sampling as reference
from checks.sampling_text import generate, sample

__all__ = ["apply_temperature", "generate", "min_p", "sample", "top_k", "top_p"]

MINUS = -torch.inf


def behind_another(inputs: Inputs) -> torch.Tensor:
    """Logits of which a filter before has removed some: (3, 7)."""
    logits = uneven(inputs, 3, 7)
    logits[:, 2] = logits[1, 5] = logits[2, 0] = MINUS
    return logits


apply_temperature = Check(
    exercise="10.1",
    name="apply_temperature",
    reference=reference.apply_temperature,
    technique=[
        values(lambda inputs: (torch.tensor([[1.0, 3.0, 2.0]]), 0.5), title="worked example"),
        survivors(
            lambda inputs: (torch.tensor([[1.0, 3.0, 2.0]]), 0),
            lambda inputs: (inputs.randn(3, 6) * 3, 0.0),
            lambda inputs: (-1.0 - inputs.uniform(4, 4), 0.0),
            lambda inputs: (inputs.randn(2, 3, 5), 0.0),
            lambda inputs: (inputs.randn(7), 0),
            title="temperature 0: only the largest is left, in each row",
            fails="At temperature 0 the largest logit of each row stays, whatever it is, and all "
            "others become -inf.",
        ),
        survivors(
            lambda inputs: (torch.tensor([[2.0, 5.0, 5.0, 1.0], [3.0, 3.0, 3.0, 3.0]]), 0),
            lambda inputs: (torch.tensor([[0.0, 0.5, 0.25, 0.5, 0.5]]), 0.0),
            title="temperature 0, several equal: the first of them is left",
            fails="Of equal logits the first stays at temperature 0, as with argmax.",
        ),
        values(
            lambda inputs: (inputs.randn(2, 5) * 3, 0.7),
            lambda inputs: (inputs.randn(3, 4) * 3, 2.0),
            lambda inputs: (inputs.randn(1, 6) * 3, 1.0),
            lambda inputs: (inputs.randn(3, 3) * 3, 5),
            title="shape and values at 0.7, 1, 2 and 5",
        ),
        values(
            lambda inputs: (inputs.randn(2, 5) * 3, 0.01),
            lambda inputs: (inputs.randn(4, 3) * 300, 40.0),
            title="very cold and very hot",
        ),
        values(
            lambda inputs: (inputs.randn(6), 0.3),
            lambda inputs: (inputs.randn(2, 4, 3), 1.5),
            title="one row alone, and more batch dimensions",
        ),
        values(
            lambda inputs: (behind_another(inputs), 0.5),
            lambda inputs: (behind_another(inputs), 3.0),
            title="-inf, a token removed before, stays -inf",
        ),
        survivors(
            lambda inputs: (behind_another(inputs), 0),
            title="-inf at temperature 0",
        ),
        gradients(
            lambda inputs: (inputs.randn(2, 5), 0.4),
            lambda inputs: (inputs.randn(2, 5), 3.0),
        ),
        half_precision(lambda inputs: (inputs.randn(2, 7) * 4, 0.3)),
        half_precision(
            lambda inputs: (shuffled(inputs, STEPS, 3), 0),
            title="temperature 0 in float16 and bfloat16",
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
    mistakes=mistakes.TEMPERATURE,
    hints=(
        "Two tokens with logits 2 and 0: how many times as likely is the first at temperature 1, "
        "and how many times when both logits have been divided by 2?",
        "Divide, except at 0. There find the place of the largest logit of each row, and give "
        "-inf to every other place.",
        "`first = logits.argmax(dim=-1, keepdim=True)`, `places = torch.arange(logits.shape[-1], "
        "device=logits.device)`, `torch.where(places == first, logits, -torch.inf)`",
    ),
)

top_k = Check(
    exercise="10.2",
    name="top_k",
    reference=reference.top_k,
    technique=[
        values(lambda inputs: (torch.tensor([[1.0, 4.0, 2.0, 3.0]]), 2), title="worked example"),
        values(
            lambda inputs: (uneven(inputs, 3, 7), 3),
            lambda inputs: (uneven(inputs, 4, 6), 1),
            lambda inputs: (uneven(inputs, 2, 9), 5),
            lambda inputs: (uneven(inputs, 5, 5) - 20, 4),
            title="shape, dtype and values on 4 random inputs",
        ),
        values(
            lambda inputs: (uneven(inputs, 2, 5), 5),
            lambda inputs: (uneven(inputs, 2, 5), 6),
            lambda inputs: (uneven(inputs, 3, 4), 50),
            lambda inputs: (uneven(inputs, 3, 1), 1),
            title="k = V, and k above V: everything stays",
        ),
        values(
            lambda inputs: (uneven(inputs, 8), 3),
            lambda inputs: (uneven(inputs, 2, 3, 6), 2),
            lambda inputs: (uneven(inputs, 2, 120), 40),
            title="one row alone, more batch dimensions, a larger vocabulary",
        ),
        equals(
            lambda inputs: (torch.tensor([[3.0, 1.0, 1.0, 1.0, 0.0]]), 2),
            lambda inputs: (torch.tensor([[2.0, 2.0, 1.0, 0.0], [0.0, 1.0, 1.0, 1.0]]), 2),
            lambda inputs: (shuffled(inputs, (5.0, 4.0, 4.0, 3.0, 3.0, 3.0, 1.0), 4), 4),
            lambda inputs: (torch.zeros(2, 5), 3),
            fits=fits_k,
            title="several logits equal: at least k stay, and none below the k-th",
            fails="Several logits equal the k-th largest. At least k must stay, unchanged, and "
            "none that is smaller than the k-th.",
        ),
        values(
            lambda inputs: (behind_another(inputs), 3),
            lambda inputs: (behind_another(inputs) - 2e4, 2),
            lambda inputs: (uneven(inputs, 3, 8) * 200, 4),
            title="behind another filter, with logits of -20000, and with steep ones",
        ),
        gradients_of_shares(lambda inputs: (uneven(inputs, 3, 6), 2)),
        half_precision(lambda inputs: (shuffled(inputs, STEPS, 3), 7)),
        keeps_device(lambda inputs: (uneven(inputs, 2, 6), 2)),
    ],
    mistakes=mistakes.TOP_K,
    hints=(
        "How large must a logit be at least to stay?",
        "torch.topk gives the k largest values, largest first. The last of them is the threshold "
        "of its row. k must not be larger than V.",
        "`kth = logits.topk(min(k, logits.shape[-1])).values[..., -1:]`, and "
        "`torch.where(logits < kth, -torch.inf, logits)`",
    ),
)

top_p = Check(
    exercise="10.3",
    name="top_p",
    weight=2,
    reference=reference.top_p,
    technique=[
        values(
            lambda inputs: (torch.tensor([[0.09, 0.5, 0.41]]).log(), 0.9), title="worked example"
        ),
        values(
            lambda inputs: with_clear_p(inputs, uneven(inputs, 3, 7), 0.8),
            lambda inputs: with_clear_p(inputs, uneven(inputs, 4, 6), 0.5),
            lambda inputs: with_clear_p(inputs, uneven(inputs, 2, 9), 0.9),
            lambda inputs: with_clear_p(inputs, uneven(inputs, 5, 5), 0.25),
            title="shape, dtype and values on 4 random inputs",
        ),
        values(
            lambda inputs: (torch.tensor([[0.2, 5.0, 0.1]]), 0.3),
            lambda inputs: (uneven(inputs, 3, 6), 1e-8),
            lambda inputs: (uneven(inputs, 3, 6), 0.0),
            title="a tiny p, and p = 0: the likeliest stays, the set is never empty",
        ),
        values(
            lambda inputs: (uneven(inputs, 3, 6), 1.0),
            lambda inputs: (shuffled(inputs, LONG_TAIL, 2), 1.0),
            title="p = 1: everything stays, the tail of one in 10^17 too",
        ),
        values(
            lambda inputs: with_clear_p(inputs, uneven(inputs, 8), 0.7),
            lambda inputs: with_clear_p(inputs, uneven(inputs, 2, 3, 6), 0.6),
            lambda inputs: with_clear_p(inputs, shuffled(inputs, STEPS[:30], 2), 0.95),
            title="one row alone, more batch dimensions, a larger vocabulary",
        ),
        equals(
            lambda inputs: (torch.zeros(1, 4), 0.6),
            lambda inputs: (torch.zeros(2, 7), 0.3),
            lambda inputs: (shuffled(inputs, (2.0, 1.0, 1.0, 1.0, 0.0), 4), 0.75),
            # bfloat16 makes 1/1020 larger by 0.4 %: enough for two tokens of 512
            lambda inputs: (torch.zeros(1, 1020, dtype=torch.bfloat16), 0.5015),
            lambda inputs: (torch.zeros(1, 1000, dtype=torch.float16), 0.5015),
            fits=fits_p,
            title="several logits equal: no more stay than p needs",
            fails="Several logits were equal. As many tokens stay as are needed to reach p, and "
            "none of those removed is likelier; which of the equals stay is up to you. (Two of the "
            "inputs were in half precision: softmax and sum in float32.)",
        ),
        values(
            lambda inputs: with_clear_p(inputs, behind_another(inputs), 0.6),
            lambda inputs: with_clear_p(inputs, behind_another(inputs) - 2e4, 0.8),
            lambda inputs: (behind_another(inputs), 1.0),
            title="behind another filter, and with logits of -20000",
        ),
        gradients_of_shares(lambda inputs: with_clear_p(inputs, uneven(inputs, 3, 6), 0.6)),
        half_precision(
            lambda inputs: with_clear_p(inputs, shuffled(inputs, STEPS, 3), 0.96),
        ),
        keeps_device(lambda inputs: with_clear_p(inputs, uneven(inputs, 2, 6), 0.6)),
    ],
    mistakes=mistakes_of_top_p.TOP_P,
    hints=(
        "A token stays if those that are likelier have, together, less than what?",
        "Sort the probabilities, take the cumulative sum, decide, and put the decision back to the "
        "tokens' places with scatter. Sorted upwards, the sum is what a token has together with "
        "all less likely ones: remove it when that is at most 1 - p.",
        "`values, order = logits.float().softmax(-1).sort(-1)`, `keep = values.cumsum(-1) > "
        "1 - p`, `keep[..., -1] = True`, `keep = torch.zeros_like(keep).scatter(-1, order, keep)`",
    ),
)

min_p = Check(
    exercise="10.4",
    name="min_p",
    reference=reference.min_p,
    technique=[
        values(
            lambda inputs: (torch.tensor([[0.5, 0.3, 0.04, 0.16]]).log(), 0.2),
            title="worked example",
        ),
        values(
            lambda inputs: with_clear_share(inputs, uneven(inputs, 3, 7), 0.1),
            lambda inputs: with_clear_share(inputs, uneven(inputs, 4, 6), 0.3),
            lambda inputs: with_clear_share(inputs, uneven(inputs, 2, 9), 0.06),
            lambda inputs: with_clear_share(inputs, uneven(inputs, 5, 5), 0.7),
            title="shape, dtype and values on 4 random inputs",
        ),
        values(
            lambda inputs: with_clear_share(inputs, inputs.uniform(3, 30), 0.5),
            lambda inputs: with_clear_share(inputs, inputs.uniform(2, 60), 0.9),
            lambda inputs: with_clear_share(inputs, inputs.uniform(1, 40) / 5, 0.98),
            title="nearly flat: no probability reaches p itself",
        ),
        values(
            lambda inputs: (uneven(inputs, 3, 6), 1.0),
            lambda inputs: (uneven(inputs, 3, 6), 0.0),
            title="p = 1 keeps the likeliest, p = 0 everything",
        ),
        values(
            lambda inputs: with_clear_share(inputs, uneven(inputs, 8), 0.2),
            lambda inputs: with_clear_share(inputs, uneven(inputs, 2, 3, 6), 0.15),
            title="one row alone, and more batch dimensions",
        ),
        values(
            lambda inputs: with_clear_share(inputs, behind_another(inputs), 0.1),
            lambda inputs: with_clear_share(inputs, behind_another(inputs) - 2e4, 0.4),
            title="behind another filter, and with logits of -20000",
        ),
        gradients_of_shares(lambda inputs: with_clear_share(inputs, uneven(inputs, 3, 6), 0.2)),
        half_precision(
            lambda inputs: with_clear_share(inputs, shuffled(inputs, STEPS, 3), 0.2),
        ),
        values(
            lambda inputs: (
                shuffled(inputs, FINE_STEPS, 2).bfloat16(),
                math.exp(-63.5 / 1024),  # between two of them
            ),
            title="bfloat16, and tokens nearly equally likely: compared in float32",
        ),
        keeps_device(lambda inputs: with_clear_share(inputs, uneven(inputs, 2, 6), 0.2)),
    ],
    mistakes=mistakes.MIN_P,
    hints=(
        "The likeliest token has probability 0.4 and p is 0.1. From which probability on does a "
        "token stay?",
        "The threshold is p times the largest probability of the row: amax with keepdim.",
        "`probabilities = logits.float().softmax(-1)`, `keep = probabilities >= p * "
        "probabilities.amax(-1, keepdim=True)`",
    ),
)
