"""`make fingerprints`: write down which probes each known mistake passes, in each lab's folder.

All labs, which takes minutes, or those named: `python -m tools.fingerprints 03_rope`.
"""

import dataclasses
import importlib
import json
import os
import sys
from types import ModuleType

from checks.engine import Check, exercises_of
from checks.engine.diagnosis import spelling
from checks.engine.fingerprints import CHECKS, FILE, digest
from checks.engine.report import Report
from tools.chosen import chosen

# A learner's and a grader's seed, as the tests use them, and more: what depends on the draw shows.
SEEDS = ("0", "a grader's own", "1")


def signs(report: Report) -> str:
    """What each row said: "+" for passed, "-" for failed, "?" for not reached."""
    return "".join({True: "+", False: "-", None: "?"}[row.ok] for row in report.rows)


def fingerprints_of(check: Check) -> dict:
    """What stands in the file for one exercise: "?" where the seeds disagree."""
    quick = dataclasses.replace(check, mistakes=[])  # only the rows are wanted, no diagnosis
    answers = {
        spelling(mistake, i): answer
        for mistake in check.mistakes
        if not mistake.flaky
        for i, answer in enumerate(mistake.answers)
    }
    seen: dict[str, set[str]] = {name: set() for name in answers}
    for seed in SEEDS:  # outside, since what the reference showed is remembered for one seed
        os.environ["CHECKS_SEED"] = seed
        for name, answer in answers.items():
            seen[name].add(signs(quick.run(answer)))
    return {"probes": digest(check.titles), "mistakes": {n: _agreed(s) for n, s in seen.items()}}


def _agreed(seen: set[str]) -> str:
    return "".join(one[0] if len(set(one)) == 1 else "?" for one in zip(*seen, strict=True))


def write(module: ModuleType) -> None:
    """Write one lab's file anew, an exercise a line."""
    lines = [
        f"{json.dumps(check.exercise)}: {json.dumps(fingerprints_of(check))}"
        for check in exercises_of(module)
    ]
    path = CHECKS / module.__name__.rpartition(".")[2] / FILE
    path.write_text("{\n" + ",\n".join(lines) + "\n}\n", encoding="utf-8")


def main() -> None:
    """Write the files of all labs, or of those that are named."""
    for lab in chosen(sys.argv[1:]):
        write(importlib.import_module(f"checks.{lab.module}"))
        print(f"checks/{lab.module}/fingerprints.json is as its checks are.")


if __name__ == "__main__":
    main()
