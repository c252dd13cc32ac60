"""Lab 09, 9.2: what is tried on learning_rate."""

import math
from collections.abc import Callable
from typing import Any

from checks.engine import Check, Inputs, Probe
from checks.training.learning_rate_wrong import MISTAKES

UP = "peak · (step + 1) / warmup while step < warmup"
DOWN = "from there half a cosine from peak to floor"
LAST = "which is reached at step = total; floor afterwards"


def reference(step: int, warmup: int, total: int, peak: float, floor: float) -> float:
    """Up in a line to peak, down along half a cosine to floor."""
    if step < warmup:
        return peak * (step + 1) / warmup
    if step >= total:
        return floor
    share = (1 + math.cos(math.pi * (step - warmup) / (total - warmup))) / 2
    return share * peak + (1 - share) * floor


def rates(*calls: tuple[range, int, int, float, float]) -> Callable[[Any, Inputs], list]:
    """The learning rates of many steps, by one schedule after the other."""

    def run(answer: Any, inputs: Inputs) -> list:
        return [answer(step, *schedule) for steps, *schedule in calls for step in steps]

    return run


learning_rate = Check(
    exercise="9.2",
    name="learning_rate",
    only_numbers=True,
    reference=reference,
    technique=[
        Probe(
            "worked example",
            rates((range(8), 2, 6, 1.0, 0.0)),
            promise="learning_rate(step, 2, 6, 1.0, 0.0)",
        ),
        Probe(
            "every step of three schedules, and some beyond",
            rates(
                (range(17), 3, 13, 0.5, 0.1),
                (range(12), 5, 10, 2.0, 0.5),
                (range(9), 1, 6, 3e-3, 1e-4),
            ),
            promise=DOWN,
        ),
        Probe(
            "peak = floor; floor 0",
            rates((range(7), 2, 5, 0.3, 0.3), (range(7), 2, 5, 0.3, 0)),
            promise=DOWN,
        ),
        Probe(
            "Llama 3 405B: 8,000 steps up, 1,200,000 in all",
            rates((range(0, 1_300_000, 99_991), 8000, 1_200_000, 8e-5, 8e-7)),
            promise=DOWN,
        ),
        Probe(
            "no warm-up at all",
            rates((range(6), 0, 4, 1.0, 0.2), (range(3), 0, 0, 1.0, 0.2)),
            promise=UP,
        ),
        Probe("warm-up to the end", rates((range(7), 4, 4, 1.0, 0.2)), promise=LAST),
        Probe(
            "a warm-up longer than there are steps: it comes first",
            rates((range(8), 6, 3, 1.0, 0.2)),
            promise=UP,
        ),
    ],
    mistakes=MISTAKES,
    hints=(
        "There are three stretches: before warmup, up to total, and after. What is the rate at "
        "each of their ends?",
        "done = (step − warmup) / (total − warmup) goes from 0 to 1, and (1 + cos(π · done)) / 2 "
        "from 1 to 0: the share of the way from floor to peak.",
        "`return floor + (peak - floor) * (1 + math.cos(math.pi * done)) / 2`, after "
        "`if step < warmup: return peak * (step + 1) / warmup` and "
        "`if step >= total: return floor`.",
    ),
)
