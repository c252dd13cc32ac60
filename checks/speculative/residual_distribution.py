"""Lab 14, 14.3: what is tried on residual_distribution."""

import torch
from torch import Tensor

from checks.engine import Check, Inputs, half_precision, keeps_device, values
from checks.speculative.pairs import certain, pair, through_softmax
from checks.speculative.residual_distribution_wrong import MISTAKES

WHERE = "where p is larger than q, by how much, scaled to sum to 1"
EQUAL = "A row of p and q that are equal gives p itself."


def reference(p: Tensor, q: Tensor) -> Tensor:
    """(..., V) → (..., V): what p has more than q, over its sum; p where nothing is left."""
    rows = []
    for a, b in zip(p.reshape(-1, p.shape[-1]), q.reshape(-1, q.shape[-1]), strict=True):
        more = torch.where(a > b, a - b, torch.zeros_like(a))
        rows.append(more / more.sum() if float(more.sum()) > 0 else a)
    return torch.stack(rows).reshape(p.shape)


def some_equal(inputs: Inputs) -> tuple[Tensor, Tensor]:
    """Four rows, of which the second and the fourth are equal."""
    p, q = pair(inputs, 4, 6)
    q[1], q[3] = p[1], p[3]
    return p, q


residual_distribution = Check(
    exercise="14.3",
    name="residual_distribution",
    reference=reference,
    technique=[
        values(
            lambda inputs: (torch.tensor([0.5, 0.3, 0.2]), torch.tensor([0.2, 0.6, 0.2])),
            lambda inputs: (torch.tensor([0.5, 0.2, 0.3]), torch.tensor([0.2, 0.6, 0.2])),
            title="worked examples",
            promise="residual_distribution(torch.tensor([0.5, 0.3, 0.2])",
        ),
        values(
            lambda inputs: pair(inputs, 3, 5),
            lambda inputs: pair(inputs, 4, 7),
            lambda inputs: pair(inputs, 2, 11),
            title="shape, dtype and values on 3 random inputs",
            promise=WHERE,
        ),
        values(
            lambda inputs: pair(inputs, 8),
            lambda inputs: pair(inputs, 2, 3, 6),
            lambda inputs: pair(inputs, 5, 5),
            title="one row alone, and more batch dimensions",
            promise="(..., V)",
        ),
        values(
            lambda inputs: (certain(2, 0, size=4), pair(inputs, 2, 4)[1]),
            lambda inputs: (pair(inputs, 2, 5)[0], certain(1, 4, size=5)),
            lambda inputs: (certain(3, 1, size=4), certain(0, 2, size=4)),
            title="one of them certain, or both",
            promise=WHERE,
        ),
        values(
            lambda inputs: (torch.tensor([0.50003, 0.29997, 0.2]), torch.tensor([0.5, 0.3, 0.2])),
            title="p and q nearly equal: still what p has more",
            promise=WHERE,
        ),
        values(
            some_equal,
            lambda inputs: (pair(inputs, 5)[0],) * 2,
            lambda inputs: (certain(2, size=4), certain(2, size=4)),
            title="p and q equal in some rows, and in a single one: p",
            promise=EQUAL,
        ),
    ],
    ready=[
        half_precision(lambda inputs: pair(inputs, 3, 40)),
        through_softmax(lambda inputs: (inputs.randn(3, 5), inputs.randn(3, 5))),
        keeps_device(lambda inputs: pair(inputs, 2, 6)),
    ],
    mistakes=MISTAKES,
    hints=(
        "Accepted guesses bring min(p, q) of each token into the text. How much is missing?",
        "max(0, p - q), divided by its sum over the vocabulary; and p where that sum is 0.",
        "`rest = (p - q).clamp(min=0)`, `total = rest.sum(-1, keepdim=True)`, "
        "`torch.where(total > 0, rest / total.where(total > 0, 1.0), p)`",
    ),
)
