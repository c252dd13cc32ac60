"""`make bench-checks`: seconds that each check takes, the first call in a process included.

All labs, or those named: `python -m tools.bench_checks 03_rope`. Every check runs its worked answer
and each known mistake; the worked answer and the slowest mistake once more as the first thing that
a process does. Processor seconds are scaled by a fixed piece of Python and torch work measured
beside them, so that a slow machine does not fail what a fast one passes.
"""

import dataclasses
import importlib
import json
import os
import statistics
import sys
import time
from collections.abc import Callable
from functools import partial
from typing import Any

import torch

from checks.engine import Check, exercises_of
from tools.chosen import chosen

LIMIT, MEDIAN = 0.3, 0.1  # seconds: of the slowest run, and of all runs' median
YARDSTICK = 0.036  # seconds that the fixed work takes on the machine whose seconds count
TRIES = 2


def work() -> None:
    """What checks are made of: Python, small tensors, a few larger ones."""
    counts: dict[str, int] = {}
    for number in range(60_000):
        word = f"{number % 977} {number % 13}"
        counts[word] = counts.get(word, 0) + len(word)
    small, large = torch.ones(2, 4, 8, 8), torch.ones(128, 128)
    for _ in range(700):
        small = torch.softmax(small @ small.transpose(-2, -1), dim=-1)
    for _ in range(60):
        large = (large @ large).clamp(0, 1)


def scale() -> float:
    """How many seconds of the yardstick's machine one of this moment's is."""
    return YARDSTICK / min(_processor_seconds(work) for _ in range(3))


def _processor_seconds(run: Callable[[], Any]) -> float:
    start = time.process_time()
    run()
    return time.process_time() - start


def seconds(check: Check, answer: Any) -> float:
    """Of one run, by a check that remembers nothing of an earlier one."""
    fresh = dataclasses.replace(check)
    return _processor_seconds(lambda: fresh.run(answer))


def in_a_fresh_process(measure: Callable[[], Any]) -> Any:
    """What `measure` returns where nothing has been run yet: this process only imports."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reading)
        torch.set_num_threads(1)
        with os.fdopen(writing, "w") as pipe:
            json.dump(measure(), pipe)
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading) as pipe:
        text = pipe.read()
    os.waitpid(child, 0)
    return json.loads(text)


def _all_answers(check: Check) -> dict[str, float]:
    """Scaled seconds of the worked answer and of each known mistake."""
    per_second = scale()
    answers = {"right": check.reference, **{m.key: m.answers[0] for m in check.mistakes}}
    return {
        key: min(seconds(check, answer) for _ in range(TRIES)) * per_second
        for key, answer in answers.items()
    }


def _first(check: Check, key: str) -> float:
    """Scaled seconds of one answer as the first thing that the process runs."""
    known = {mistake.key: mistake.answers[0] for mistake in check.mistakes}
    taken = seconds(check, known.get(key, check.reference))
    return taken * scale()


def main() -> int:
    """Print a line for each exercise, then what is over the limit."""
    asked_for, every, over = chosen(sys.argv[1:]), [], []
    print(f"{'':36} {'right':>6} {'first':>6}   {'slowest mistake':>6} {'first':>6}")
    for lab in asked_for:
        for check in exercises_of(importlib.import_module(f"checks.{lab.module}")):
            taken = in_a_fresh_process(partial(_all_answers, check))
            slowest = max(taken.keys() - {"right"}, key=taken.__getitem__)
            firsts = [in_a_fresh_process(partial(_first, check, key)) for key in ("right", slowest)]
            every += [*taken.values(), *firsts]
            name = f"{check.exercise} {check.name}"
            print(
                f"{name:36} {taken['right']:6.3f} {firsts[0]:6.3f}   "
                f"{taken[slowest]:6.3f} {firsts[1]:6.3f}  {slowest}",
                flush=True,
            )
            if max(*taken.values(), *firsts) >= LIMIT:
                over.append(name)
    median = statistics.median(every)
    print(
        f"{len(every)} runs, median {median:.3f} s; {LIMIT} s or more: {', '.join(over) or 'none'}"
    )
    return 1 if over or median >= MEDIAN else 0


if __name__ == "__main__":
    sys.exit(main())
