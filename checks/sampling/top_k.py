"""Lab 10, 10.2: what is tried on top_k."""

import torch
from torch import Tensor

from checks.engine import Check, half_precision, keeps_device, values
from checks.sampling.filters import (
    STEPS,
    behind_another,
    equals,
    far_below,
    filtered,
    gradients_of_shares,
    shuffled,
    uneven,
)
from checks.sampling.top_k_wrong import MISTAKES

KEEP = "Keep the k largest logits; all others become -inf"
ANY_NUMBER = "logits: (..., V)"


def reference(logits: Tensor, k: int) -> Tensor:
    """(..., V) → (..., V): the k largest stay, and whatever equals the k-th."""

    def largest(row: list[float]) -> list[bool]:
        kth = sorted(row, reverse=True)[min(k, len(row)) - 1]
        return [x >= kth for x in row]

    return filtered(logits, largest)


def fits_k(result: Tensor, logits: Tensor, k: float) -> bool:
    """At least k stay unchanged, none smaller than the k-th, all that are larger."""
    kth = logits.sort(descending=True).values[int(k) - 1]
    keep = result != -torch.inf
    return (
        bool((result[keep] == logits[keep]).all())
        and bool(keep[logits > kth].all())
        and not bool(keep[logits < kth].any())
        and int(keep.sum()) >= k
    )


top_k = Check(
    exercise="10.2",
    name="top_k",
    reference=reference,
    technique=[
        values(
            lambda inputs: (torch.tensor([[1.0, 4.0, 2.0, 3.0]]), 2),
            title="worked example",
            promise="top_k(torch.tensor([[1.0, 4.0, 2.0, 3.0]]), 2)",
        ),
        values(
            lambda inputs: (uneven(inputs, 3, 7), 3),
            lambda inputs: (uneven(inputs, 4, 6), 1),
            lambda inputs: (uneven(inputs, 2, 9), 5),
            lambda inputs: (uneven(inputs, 5, 5) - 20, 4),
            title="shape, dtype and values on 4 random inputs",
            promise=KEEP,
        ),
        values(
            lambda inputs: (uneven(inputs, 2, 120), 40),
            lambda inputs: (uneven(inputs, 3, 40), 12),
            title="a larger vocabulary",
            promise=KEEP,
        ),
        values(
            lambda inputs: (uneven(inputs, 8), 3),
            lambda inputs: (uneven(inputs, 2, 3, 6), 2),
            title="one row alone, and more batch dimensions",
            promise=ANY_NUMBER,
        ),
        values(
            lambda inputs: (uneven(inputs, 2, 5), 5),
            lambda inputs: (uneven(inputs, 3, 1), 1),
            title="k = V: everything stays",
            promise=KEEP,
        ),
        values(
            lambda inputs: (uneven(inputs, 2, 5), 6),
            lambda inputs: (uneven(inputs, 3, 4), 50),
            title="k above V: everything stays",
            promise="a k above V keeps all",
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
            promise="What equals the k-th may stay too.",
        ),
        values(
            lambda inputs: (behind_another(inputs), 3),
            lambda inputs: (far_below(inputs), 2),
            lambda inputs: (uneven(inputs, 3, 8) * 200, 4),
            title="behind another filter, with logits of -20000, and with steep ones",
            promise=KEEP,
        ),
    ],
    ready=[
        half_precision(lambda inputs: (shuffled(inputs, STEPS, 3), 7)),
        gradients_of_shares(lambda inputs: (uneven(inputs, 3, 6), 2)),
        keeps_device(lambda inputs: (uneven(inputs, 2, 6), 2)),
    ],
    mistakes=MISTAKES,
    hints=(
        "How large must a logit be at least to stay?",
        "torch.topk gives the k largest values, largest first. The last of them is the threshold "
        "of its row. k must not be larger than V.",
        "`kth = logits.topk(min(k, logits.shape[-1])).values[..., -1:]`, and "
        "`torch.where(logits < kth, -torch.inf, logits)`",
    ),
)
