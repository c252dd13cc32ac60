"""Lab 03, 3.8: what is tried on apply_rope_half."""

from torch import Tensor

from checks.engine import Check
from checks.rope.apply_rope_half_wrong import MISTAKES
from checks.rope.rotation import halves, pairwise_turned, ready, technique

HALVES_MOVE = (
    "Other places move together than should: in a vector of 8, 0 with 4, 1 with 5, 2 with 6. Which "
    "numbers make a pair?"
)


def reference(x: Tensor, angles: Tensor) -> Tensor:
    """Turn each pair (i, i + d/2) by its angle. x: (..., T, d), angles: (T, d/2) → (..., T, d)."""
    return pairwise_turned(x, angles, halves)


apply_rope_half = Check(
    exercise="3.8",
    name="apply_rope_half",
    weight=2,
    reference=reference,
    technique=technique(halves, "Turn each pair (i, i + d/2) by its angle", HALVES_MOVE),
    ready=ready(),
    mistakes=MISTAKES,
    hints=(
        "In exercise 3.5, which two lines know where the pairs are?",
        "Only taking apart and putting together differ: `x.chunk(2, dim=-1)` and `torch.cat`.",
        "`torch.cat((a * cos - b * sin, a * sin + b * cos), dim=-1)`",
    ),
)
