"""Lab 14, 14.7: what is tried on expected_tokens."""

from checks.engine import Check, values
from checks.speculative.expected_tokens_wrong import MISTAKES

SERIES = "1 + alpha + … + alpha^n_draft"
RANGE = "alpha from 0 to 1, both included, n_draft from 0"


def reference(alpha: float, n_draft: int) -> float:
    """One token, and one more for each draft that is reached and accepted."""
    total, reached = 1.0, 1.0
    for _ in range(n_draft):
        reached *= alpha
        total += reached
    return total


def share(inputs: object, low: float = 0.15, high: float = 0.9) -> float:
    """A random alpha."""
    return low + (high - low) * float(inputs.uniform(1))  # type: ignore[attr-defined]


expected_tokens = Check(
    exercise="14.7",
    name="expected_tokens",
    only_numbers=True,
    reference=reference,
    technique=[
        values(
            lambda inputs: (0.5, 2),
            lambda inputs: (1.0, 4),
            title="worked examples",
            promise="expected_tokens(0.5, 2), expected_tokens(1.0, 4)",
        ),
        values(
            lambda inputs: (share(inputs), 3),
            lambda inputs: (share(inputs), 5),
            lambda inputs: (share(inputs), 7),
            lambda inputs: (share(inputs), 1),
            title="random alpha, four numbers of drafts",
            promise=SERIES,
        ),
        values(
            lambda inputs: (1.0, 1),
            lambda inputs: (1.0, 8),
            title="alpha = 1: all are accepted",
            promise=RANGE,
        ),
        values(
            lambda inputs: (0.0, 3),
            lambda inputs: (0.0, 1),
            title="alpha = 0: one token",
            promise=RANGE,
        ),
        values(
            lambda inputs: (share(inputs), 0),
            lambda inputs: (1.0, 0),
            lambda inputs: (0.0, 0),
            title="no draft: one token",
            promise=RANGE,
        ),
        values(
            lambda inputs: (0.8, 60),
            lambda inputs: (0.99, 100),
            lambda inputs: (0.995, 64),
            title="many drafts",
            promise=SERIES,
        ),
    ],
    mistakes=MISTAKES,
    hints=(
        "With which probability does a call give a third token?",
        "The sum of alpha**i for i from 0 to n_draft, both included.",
        "`sum(alpha**i for i in range(n_draft + 1))`",
    ),
)
