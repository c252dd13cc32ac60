"""`make seeds`: no seed at which a worked answer is not ✓, or an accepted one ✗.

250 seeds for all labs, which takes two hours, or `python -m tools.seeds 50 06_gqa`.
"""

import importlib
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from checks.catalogue import ROOT
from checks.engine import Check, exercises_of
from tools.chosen import chosen

sys.path[:0] = [str(ROOT / "tests"), str(ROOT / "solutions")]


def answers(lab: str, check: Check) -> Iterator[tuple[Any, tuple[str, ...]]]:
    """The right answers of an exercise, each with the verdicts that it may get."""
    worked = importlib.import_module(f"solutions.my_llama.{lab}")
    yield getattr(worked, check.name), ("passed",)
    for folder, variable in (("accepted", "ACCEPTED"), ("public_right", "RIGHT")):
        if (Path(ROOT) / "tests" / folder / f"{lab}.py").exists():
            module = importlib.import_module(f"{folder}.{lab}")
            for answer in getattr(module, variable).get(check.name, ()):
                yield answer, ("passed", "right")


def refused(lab: str, check: Check, seed: str) -> Iterator[str]:
    """What is refused at one seed, in words."""
    os.environ["CHECKS_SEED"] = seed
    for answer, fine in answers(lab, check):
        report = check.run(answer)
        if report.result not in fine:
            row = next(row for row in report.rows if row.ok is False)
            yield f"{check.exercise} {answer.__name__}, seed {seed}: {row.title}: {row.says[:100]}"


def main() -> None:
    """Print a line for each exercise and what is refused, and fail when anything is."""
    numbers = [int(arg) for arg in sys.argv[1:] if arg.isdigit()]
    asked_for = chosen([arg for arg in sys.argv[1:] if not arg.isdigit()])
    seeds = range(numbers[0] if numbers else 250)
    found = 0
    for lab in asked_for:
        for check in exercises_of(importlib.import_module(f"checks.{lab.module}")):
            lines = [x for seed in seeds for x in refused(lab.module, check, f"seed {seed}")]
            count = len(list(answers(lab.module, check)))
            summary = (
                f"{check.exercise} {check.name}: {len(lines)} of {count} × {len(seeds)} refused"
            )
            print(*lines, summary, sep="\n", flush=True)
            found += len(lines)
    print(f"{found} refused at {len(seeds)} seeds")
    sys.exit(bool(found))


if __name__ == "__main__":
    main()
