"""`make named`: which share of the wrong answers from elsewhere is named by what is really wrong.

Plain edits of the worked source, pairs of them, and answers from public threads (tests/plain_edits,
tests/public_answers), of all labs or of those named: `python -m tools.named 03_rope`.
"""

import importlib
import sys
from collections.abc import Callable, Collection, Iterator
from typing import Any

from checks.catalogue import ROOT
from checks.engine import Check, exercises_of
from tools.chosen import chosen

sys.path[:0] = [str(ROOT / "tests"), str(ROOT / "solutions")]
KINDS = (("plain_edits", "EDITS"), ("plain_edits", "PAIRS"), ("public_answers", "PUBLIC"))


def entries(lab: str, folder: str, variable: str) -> Iterator[tuple[str, Any]]:
    """Exercise and entry of what was written about one lab."""
    if (ROOT / "tests" / folder / f"{lab}.py").exists():
        written = getattr(importlib.import_module(f"{folder}.{lab}"), variable, {})
        for exercise, some in written.items():
            yield from ((exercise, entry) for entry in some)


def answer_of(entry: Any, worked: Any) -> Callable[..., Any]:
    """The wrong answer itself."""
    return entry.answer if hasattr(entry, "answer") else entry.applied(worked)


def outcome(check: Check, answer: Any, named: Collection[str], pair: bool) -> str:
    """ "accepted", "named", "half" of a pair, or "unnamed"."""
    report = check.run(answer)
    if report.result == "passed":
        return "accepted"
    keys, wanted = {mistake.key for mistake in report.mistakes}, set(named)
    if pair:
        return "named" if keys >= wanted else "half" if keys & wanted else "unnamed"
    return "named" if keys & wanted else "unnamed"


def main() -> None:
    """Print a line for each lab and kind, and the sums."""
    sums: dict[str, dict[str, int]] = {}
    for lab in chosen(sys.argv[1:]):
        checks = {c.name: c for c in exercises_of(importlib.import_module(f"checks.{lab.module}"))}
        worked = importlib.import_module(f"solutions.my_llama.{lab.module}")
        for folder, variable in KINDS:
            counts = dict.fromkeys(("named", "half", "unnamed", "accepted"), 0)
            for exercise, entry in entries(lab.module, folder, variable):
                answer = answer_of(entry, getattr(worked, exercise))
                counts[outcome(checks[exercise], answer, entry.named, variable == "PAIRS")] += 1
            all_of_kind = sums.setdefault(variable, dict.fromkeys(counts, 0))
            for key, count in counts.items():
                all_of_kind[key] += count
            print(_line(f"{lab.stem} {variable.lower()}", counts))
    for variable, counts in sums.items():
        print(_line(f"all {variable.lower()}", counts))


def _line(name: str, counts: dict[str, int]) -> str:
    return f"{name:28}" + "".join(f"{count:6} {key}" for key, count in counts.items())


if __name__ == "__main__":
    main()
