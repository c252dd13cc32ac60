"""`make passes`: write down which probes each known mistake passes (checks/engine/passes.py).

All labs, which takes minutes, or those named: `python -m tools.passes 03_rope`.
"""

import dataclasses
import importlib
import json
import os
import sys
from pathlib import Path

from checks.engine import Check, exercises_of
from checks.engine.passes import FILE
from checks.engine.report import Report
from tools.source import sources

# A learner's and a grader's seed, as the tests use them, and more: what depends on the draw shows.
SEEDS = ("0", "a grader's own", "1", "2", "3")


def signs(report: Report) -> str:
    """What each probe said: "+" for passed, "-" for failed, "?" for not reached."""
    return "".join({True: "+", False: "-", None: "?"}[row.ok] for row in report.rows)


def over_seeds(check: Check, answer: object) -> str:
    """The same with several inputs: "?" where they disagree."""
    found = set()
    for seed in SEEDS:
        os.environ["CHECKS_SEED"] = seed
        found.add(signs(check.run(answer)))
    return "".join(one[0] if len(set(one)) == 1 else "?" for one in zip(*found, strict=True))


def passes_of(check: Check) -> dict:
    """What stands in the file for one exercise."""
    quick = dataclasses.replace(check, mistakes=[])  # only the rows are wanted, no diagnosis
    return {
        "probes": [probe.title for probe in check.probes],
        "mistakes": {
            mistake.key: over_seeds(quick, mistake.wrong)
            for mistake in sorted(check.mistakes, key=lambda m: m.key)
            if not mistake.lucky
        },
    }


def main() -> None:
    """Write the file anew, as far as these labs are in it."""
    every = [path.stem for path in sources(Path.cwd())]
    labs = sys.argv[1:] or every
    if unknown := [lab for lab in labs if lab not in every]:
        sys.exit(f"There is no lab {unknown[0]}; the labs are {', '.join(every)}.")
    modules = [importlib.import_module(f"checks.{lab[3:]}") for lab in labs]
    found = {c.exercise: passes_of(c) for module in modules for c in exercises_of(module)}
    kept = json.loads(FILE.read_text(encoding="utf-8")) if sys.argv[1:] else {}
    whole = dict(sorted((kept | found).items(), key=lambda item: [*map(int, item[0].split("."))]))
    FILE.write_text(json.dumps(whole, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
