"""Lab 14, 14.8: what is tried on speedup."""

from checks.engine import Check, Inputs, values
from checks.speculative.expected_tokens import reference as expected_tokens
from checks.speculative.expected_tokens import share
from checks.speculative.speedup_wrong import MISTAKES

OVER = "expected_tokens over the cost of a round"
DEFAULT = "verify_cost: float = 1.0"


def reference(alpha: float, n_draft: int, draft_cost: float, verify_cost: float = 1.0) -> float:
    """Tokens of a round over its cost."""
    cost = verify_cost
    for _ in range(n_draft):
        cost += draft_cost
    return expected_tokens(alpha, n_draft) / cost


def drawn(inputs: Inputs, n_draft: int) -> tuple[float, int, float, float]:
    """Random alpha and costs."""
    return share(inputs), n_draft, share(inputs, 0.05, 0.5), share(inputs, 1.1, 2.5)


speedup = Check(
    exercise="14.8",
    name="speedup",
    only_numbers=True,
    reference=reference,
    technique=[
        values(
            lambda inputs: (0.8, 4, 0.1),
            lambda inputs: (0.3, 4, 0.3),
            title="worked examples",
            promise="speedup(0.8, 4, draft_cost=0.1)",
        ),
        values(
            lambda inputs: drawn(inputs, 3),
            lambda inputs: drawn(inputs, 6),
            lambda inputs: drawn(inputs, 9),
            lambda inputs: drawn(inputs, 1),
            title="random alpha and costs",
            promise=OVER,
        ),
        values(
            lambda inputs: drawn(inputs, 5)[:3],
            lambda inputs: drawn(inputs, 2)[:3],
            title="verify_cost not given: 1",
            promise=DEFAULT,
        ),
        values(
            lambda inputs: (1.0, 4, 0.25, 1.5),
            lambda inputs: (0.0, 4, 0.25, 1.5),
            title="all accepted, and none",
            promise=OVER,
        ),
        values(
            lambda inputs: (share(inputs), 0, 0.2),
            lambda inputs: (share(inputs), 0, 0.2, 1.3),
            title="no draft",
            promise="draft_cost for each of the n_draft drafted tokens, and verify_cost once",
        ),
        values(
            lambda inputs: (share(inputs), 6, 0.0),
            lambda inputs: (share(inputs), 6, 0.0, 1.7),
            title="drafts that cost nothing",
            promise=OVER,
        ),
    ],
    mistakes=MISTAKES,
    hints=(
        "What does a round cost, and how many tokens does it give?",
        "expected_tokens(alpha, n_draft), divided by n_draft times draft_cost plus verify_cost.",
        "`expected_tokens(alpha, n_draft) / (n_draft * draft_cost + verify_cost)`",
    ),
)
