"""Lab 13, 13.4: what is tried on sliding_window_mask."""

import functools
from typing import Any

import torch
from torch import Tensor

from checks.engine import Check, Inputs, Probe, error_of, values
from checks.long_context.sliding_window_mask_wrong import MISTAKES

LAST = "the queries are the LAST T = n_queries of the S = n_keys positions"
WINDOW = "a query sees only the last `window` positions, itself included"
SINKS = "n_sinks positions are seen as well, by all who come after them and by themselves"
REFUSED = "ValueError unless window is at least 1."


def reference(n_queries: int, n_keys: int, window: int, n_sinks: int = 0) -> Tensor:
    """Who may look at whom, one after the other: (T, S) bool."""
    if window < 1:
        raise ValueError(f"window {window}")
    rows = []
    for query in range(n_keys - n_queries, n_keys):
        seen = set(range(max(query - window + 1, 0), query + 1)) | set(range(n_sinks))
        rows.append([key in seen and key <= query for key in range(n_keys)])
    return torch.tensor(rows)


def _call(answer: Any, size: tuple[int, ...], returned: list[Any]) -> None:
    returned.append(answer(*size))


def errors(answer: Any, inputs: Inputs) -> list[str]:
    """Ask for windows that see nothing, and for the smallest that do: raised or returned?"""
    seen, answer = [], vars(answer)["_target"]
    sizes: list[tuple[int, ...]] = [(3, 3, 0), (2, 5, -1), (1, 4, 0, 2), (4, 4, 1), (2, 6, 1, 1)]
    for size in sizes:
        returned: list[Any] = []
        error = error_of(functools.partial(_call, answer, size, returned))
        what = f"returned a {type(returned[0]).__name__}" if returned else ""
        if returned and isinstance(returned[0], Tensor) and size[2] < 1:
            blind = not returned[0].bool().any(-1).all()
            what += " in which a query sees nothing" if blind else " for another window"
        seen.append(error or what)
    return seen


sliding_window_mask = Check(
    exercise="13.4",
    name="sliding_window_mask",
    reference=reference,
    technique=[
        values(
            lambda inputs: (2, 5, 2, 1),
            title="worked example",
            promise="sliding_window_mask(2, 5, window=2, n_sinks=1)",
        ),
        values(
            lambda inputs: (6, 6, 3),
            lambda inputs: (9, 9, 4, 0),
            lambda inputs: (7, 7, 2),
            title="as many queries as keys: windows of 3, 4 and 2",
            promise=WINDOW,
        ),
        values(
            lambda inputs: (5, 5, 5),
            lambda inputs: (4, 4, 9),
            lambda inputs: (3, 7, 100),
            title="a window as long as the text, or longer: causal_mask",
            promise=WINDOW,
        ),
        values(lambda inputs: (4, 4, 1), title="a window of 1: only itself", promise=WINDOW),
        values(
            lambda inputs: (3, 8, 4),
            lambda inputs: (1, 6, 3),
            lambda inputs: (5, 11, 2),
            title="fewer queries than keys, and a single one",
            promise=LAST,
        ),
        values(
            lambda inputs: (8, 8, 2, 3),
            lambda inputs: (9, 9, 3, 1),
            lambda inputs: (6, 6, 1, 2),
            title="sinks",
            promise=SINKS,
        ),
        values(
            lambda inputs: (2, 10, 3, 4),
            lambda inputs: (1, 12, 2, 1),
            lambda inputs: (4, 40, 5, 6),
            title="sinks, and fewer queries than keys",
            promise=SINKS,
        ),
        values(
            lambda inputs: (5, 5, 2, 5),
            lambda inputs: (4, 4, 1, 9),
            lambda inputs: (3, 6, 2, 5),
            title="nobody sees the future, a sink or not",
            promise="never the future",
        ),
        values(lambda inputs: (3, 150, 70, 2), title="150 keys", promise=WINDOW),
    ],
    ready=[
        Probe(
            "a window below 1: ValueError, and never else",
            errors,
            "With a window of 0 or less a query would see nothing. The docstring promises a "
            "ValueError then, and only then.",
            promise=REFUSED,
        ),
    ],
    mistakes=MISTAKES,
    only_numbers=True,
    hints=(
        "A query at 10 with a window of 3: which is the oldest position that it sees?",
        "Three conditions: not later than the query; later than query - window, or a sink. Which "
        "belong together with `&`, and which with `|`?",
        "`(key <= query) & ((key > query - window) | (key < n_sinks))`",
    ),
)
