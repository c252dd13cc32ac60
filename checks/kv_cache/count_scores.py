"""Lab 05, 5.5: what is tried on count_scores."""

from checks.engine import Check, Probe, values
from checks.kv_cache.count_scores_wrong import MISTAKES
from checks.kv_cache.whole_numbers import int_type

SUM = "The sum of T × S over the n_new calls of step, masked scores included."


def reference(n_prompt: int, n_new: int, cached: bool) -> int:
    """The q·k scores of one head for a whole generation: T × S for each call of `step`."""
    total = 0
    for call in range(n_new):
        n_keys = n_prompt + call
        n_queries = 1 if cached and call > 0 else n_keys
        total += n_queries * n_keys
    return total


def runs(*cases: tuple[int, int], cached: bool, title: str) -> Probe:
    """Compare several generations."""
    return values(
        *(lambda inputs, case=case: (*case, cached) for case in cases), title=title, promise=SUM
    )


count_scores = Check(
    exercise="5.5",
    name="count_scores",
    reference=reference,
    technique=[
        values(
            lambda inputs: (1, 3, False),
            lambda inputs: (1, 3, True),
            title="worked example: three tokens from a prompt of one",
            promise="count_scores(1, 3, cached=False)",
        ),
        runs((5, 1), (1, 1), (7, 1), cached=False, title="without a cache: one new token"),
        runs((5, 1), (1, 1), (7, 1), cached=True, title="with a cache: one new token"),
        runs(
            *((4, 3), (2, 9), (17, 6), (1, 1024), (3, 2), (6, 4), (9, 5), (11, 7), (2, 2)),
            cached=False,
            title="without a cache: longer runs",
        ),
        runs(
            *((4, 3), (2, 9), (17, 6), (1, 1024), (3, 2), (6, 4), (9, 5), (11, 7), (2, 2)),
            cached=True,
            title="with a cache: longer runs",
        ),
    ],
    ready=[
        values(
            lambda inputs: (6, 0, False),
            lambda inputs: (6, 0, True),
            title="n_new = 0: step is never called",
            promise="over the n_new calls of step",
        ),
        Probe(
            "a whole number, of type int",
            int_type((1, 3, False), (2, 4, True)),
            "It is not an int. Use `//` where you divide, so that whole numbers stay whole.",
            promise="-> int:",
        ),
    ],
    mistakes=MISTAKES,
    hints=(
        "In one call T queries meet S keys. What are T and S in the first call, and in the next?",
        "There are n_new calls. Before call i there are n_prompt + i tokens: that is S. Without "
        "cache T is as large; with one, T is 1 from the second call on.",
        "`sum((1 if cached and i else n_prompt + i) * (n_prompt + i) for i in range(n_new))`",
    ),
    only_numbers=True,
)
