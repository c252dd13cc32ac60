"""Lab 03, 3.5: what is tried on apply_rope."""

from torch import Tensor

from checks.engine import Check
from checks.rope.apply_rope_wrong import MISTAKES
from checks.rope.rotation import neighbours, pairwise_turned, ready, technique

NEIGHBOURS_MOVE = (
    "Other places move together than should: 0 with 1, 2 with 3, 4 with 5. Which numbers make a "
    "pair?"
)


def reference(x: Tensor, angles: Tensor) -> Tensor:
    """Turn each pair (2i, 2i + 1) by its angle. x: (..., T, d), angles: (T, d/2) → (..., T, d)."""
    return pairwise_turned(x, angles, neighbours)


apply_rope = Check(
    exercise="3.5",
    name="apply_rope",
    weight=3,
    reference=reference,
    technique=technique(
        neighbours,
        "Turn each pair of neighbouring numbers (2i, 2i + 1) by its angle",
        NEIGHBOURS_MOVE,
    ),
    ready=ready(),
    mistakes=MISTAKES,
    hints=(
        "rotate_2d turns one vector of two numbers. Where in x are the first numbers of all pairs, "
        "and where the second ones?",
        "`a = x[..., 0::2]` and `b = x[..., 1::2]` are (..., T, d/2); cos and sin of the angles, "
        "(T, d/2), broadcast. Turn as in 3.2, and put neighbours together again.",
        "`torch.stack((a * cos - b * sin, a * sin + b * cos), dim=-1).flatten(-2)`, with a and b "
        "from `x.float()`, and `.to(x.dtype)` at the end.",
    ),
)
