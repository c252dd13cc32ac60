"""Lab 14, 14.2: what is tried on accept_probability."""

from typing import Any

import torch
from torch import Tensor

from checks.engine import Check, Inputs, half_precision, keeps_device, values
from checks.speculative.accept_probability_wrong import MISTAKES
from checks.speculative.pairs import pair, through_softmax

SUM = "the sum over tokens of min(p, q)"


def reference(p: Tensor, q: Tensor) -> Tensor:
    """(..., V) → (...): token by token."""
    total: Any = 0.0
    for token in range(p.shape[-1]):
        a, b = p[..., token].double(), q[..., token].double()
        total = total + torch.where(a < b, a, b)
    return total.to(p.dtype)


def same(inputs: Inputs) -> tuple[Tensor, Tensor]:
    """Two rows, p and q equal."""
    p, _ = pair(inputs, 2, 6)
    return p, p.clone()


def apart(inputs: Inputs) -> tuple[Tensor, Tensor]:
    """p and q share no token in three rows; a fourth row is equal, so that rounding is forgiven."""
    p, q = pair(inputs, 4, 4)
    nothing = torch.zeros_like(p)
    p, q = torch.cat([p, nothing], -1), torch.cat([nothing, q], -1)
    q[2] = p[2]
    return p, q


accept_probability = Check(
    exercise="14.2",
    name="accept_probability",
    reference=reference,
    technique=[
        values(
            lambda inputs: (torch.tensor([0.5, 0.3, 0.2]), torch.tensor([0.2, 0.6, 0.2])),
            title="worked example",
            promise="accept_probability(p, q)",
        ),
        values(
            lambda inputs: pair(inputs, 3, 5),
            lambda inputs: pair(inputs, 4, 7),
            lambda inputs: pair(inputs, 2, 11),
            title="shape, dtype and values on 3 random inputs",
            promise=SUM,
        ),
        values(
            lambda inputs: pair(inputs, 8),
            lambda inputs: pair(inputs, 2, 3, 6),
            lambda inputs: pair(inputs, 5, 5),
            lambda inputs: pair(inputs, 1, 4),
            title="one row alone, and more batch dimensions",
            promise="(..., V)",
        ),
        values(same, title="p and q equal: 1", promise="1 when they are equal"),
        values(apart, title="no token shared: 0", promise="0 when they share no token"),
        values(
            lambda inputs: pair(inputs, 2, 200),
            lambda inputs: (torch.eye(5)[[1, 4]], pair(inputs, 2, 5)[1]),
            title="200 tokens, and a target that is certain",
            promise=SUM,
        ),
    ],
    ready=[
        half_precision(lambda inputs: pair(inputs, 3, 300)),
        through_softmax(lambda inputs: (inputs.randn(3, 5), inputs.randn(3, 5))),
        keeps_device(lambda inputs: pair(inputs, 2, 6)),
    ],
    mistakes=MISTAKES,
    hints=(
        "The guess is x with probability q(x), and is then accepted with min(1, p(x) / q(x)). What "
        "is the product?",
        "The smaller of p and q, token by token, and the sum over the vocabulary, the last axis.",
        "`torch.minimum(p, q).sum(dim=-1)`",
    ),
)
