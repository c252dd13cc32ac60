"""Lab 04, 4.1: what is tried on causal_mask."""

from typing import Any

import torch
from torch import Tensor

from checks.attention.causal_mask_wrong import MISTAKES
from checks.engine import Check, Inputs, Probe, error_of, values


def reference(n_queries: int, n_keys: int) -> Tensor:
    """Who may look at whom, one after the other: (T, S) bool."""
    if n_queries > n_keys:
        raise ValueError(f"{n_queries} queries, but only {n_keys} positions")
    past = n_keys - n_queries
    rows = [[key <= past + query for key in range(n_keys)] for query in range(n_queries)]
    return torch.tensor(rows)


def errors(answer: Any, inputs: Inputs) -> list[str]:
    """Ask for rows that would see nothing, and for some that do not: raised or returned?

    Which mask is returned is no matter here, so that it is called without being recorded.
    """
    seen, answer = [], vars(answer)["_target"]
    for size in ((3, 2), (6, 1), (3, 3), (1, 4)):
        returned: list[Any] = []
        error = error_of(lambda size=size, returned=returned: returned.append(answer(*size)))
        named = error if error in ("ValueError", "AssertionError") else "another error"
        if not error:
            of = (
                tuple(returned[0].shape)
                if size[0] > size[1] and hasattr(returned[0], "shape")
                else ""
            )
            named = f"returned a {type(returned[0]).__name__} {of}"
        seen.append(named)
    return seen


causal_mask = Check(
    exercise="4.1",
    name="causal_mask",
    reference=reference,
    technique=[
        values(lambda inputs: (2, 3), title="worked example", promise="causal_mask(2, 3)"),
        values(
            lambda inputs: (4, 4),
            lambda inputs: (3, 7),
            lambda inputs: (1, 1),
            lambda inputs: (1, 6),
            lambda inputs: (6, 8),
            lambda inputs: (2, 150),
            title="as many queries as keys, fewer, a single one, 150 keys",
            promise="Returns (T, S), bool.",
        ),
    ],
    ready=[
        Probe(
            "more queries than keys: ValueError, and never else",
            errors,
            "With more queries than keys the first rows would see nothing. The docstring promises "
            "a ValueError then, and only then.",
            promise="ValueError when T > S",
        ),
    ],
    mistakes=MISTAKES,
    hints=(
        "At which position does the first of the T queries stand, when the last stands at S - 1?",
        "Row t stands at position S - T + t. It may look at every key that does not come later.",
        "`torch.arange(n_keys) <= torch.arange(n_keys - n_queries, n_keys)[:, None]`",
    ),
    only_numbers=True,
)
