"""The checks are checked: every known mistake is rejected and named, every right answer passes."""

import inspect
import os
import re
from typing import Any

import pytest
from course import NAMES, ROOT, STEMS, module

from checks.engine import Check, exercises_of
from checks.engine.diagnosis import spelling
from checks.engine.fingerprints import Fingerprints
from checks.engine.fingerprints import _all as all_known
from tools.fingerprints import signs

# Of each mistake the first spelling is tried here; `make spellings` tries all.
ALL = "LLAMA_LAB_ALL" in os.environ
CHECKS = [(name, check) for name in NAMES for check in exercises_of(module("checks", name))]
WRONG = [
    pytest.param(
        check,
        mistake,
        i,
        id=f"{check.exercise} {check.name}: {spelling(mistake, i)}",
        # With Colab's versions every sixth mistake: they tell whether the checks work there.
        marks=[pytest.mark.ours] * (i > 0 or n % 6 > 0),
    )
    for _, check in CHECKS
    for n, mistake in enumerate(check.mistakes)
    for i in range(1 + len(mistake.also))
    if ALL or i == 0
]


def accepted(name: str, exercise: str) -> list[Any]:
    """The right answers written for one exercise."""
    if not (ROOT / "tests" / "accepted" / f"{name}.py").exists():
        return []  # test_enough_mistakes_and_right_answers says so
    return module("accepted", name).ACCEPTED.get(exercise, [])


RIGHT = [
    pytest.param(check, answer, id=f"{check.exercise} {check.name}: {answer.__name__}")
    for name, check in CHECKS
    for answer in accepted(name, check.name)
]


@pytest.fixture(autouse=True)
def inputs_of_this_run(monkeypatch: pytest.MonkeyPatch) -> None:
    """Draw the inputs that a learner gets, or, in `make test-colab`, those of a grader's seed."""
    monkeypatch.setenv("CHECKS_SEED", os.environ.get("LLAMA_LAB_TEST_SEED", "0"))


@pytest.fixture(scope="module")
def table() -> Any:
    """Collect what the tests below see, and print it at the end (`pytest -s` or a failure)."""
    rows: dict[str, list[int]] = {f"{c.exercise} {c.name}": [0, 0, 0, 0] for _, c in CHECKS}
    yield rows
    print(f"\n{'exercise':32} mistakes  rejected  named   right answers accepted")
    for exercise, (mistakes, rejected, named, right) in rows.items():
        print(f"{exercise:32} {mistakes:8} {rejected:9} {named:6} {right:8}")
    print(f"{'all':32}" + "".join(f"{sum(c):9}" for c in zip(*rows.values(), strict=True)))


@pytest.mark.parametrize(("check", "mistake", "i"), WRONG)
def test_mistake_is_rejected_and_named(check: Check, mistake: Any, i: int, table: Any) -> None:
    row = table[f"{check.exercise} {check.name}"]
    row[0] += 1
    report = check.run(mistake.answers[i])
    row[1] += report.result in ("failed", "right")
    row[2] += [found.key for found in report.mistakes] == [mistake.key]
    assert report.result in ("failed", "right"), "the check accepts it"
    assert "NameError" not in report.text, "an import of its module is missing"
    assert not re.search("returned (True|False), expected", report.text), "a truth value is no word"
    # Two that do the same are said as "either this, or this"; the table counts those told alone.
    assert mistake.key in {found.key for found in report.mistakes}, report.text
    known = Fingerprints(check.exercise, check.titles).of(spelling(mistake, i))
    seen = signs(report)
    lab = next(s for s in STEMS if s.startswith(f"{int(check.exercise.split('.')[0]):02}_"))
    command = f"make fingerprints ARGS={lab}"
    assert len(known) == len(seen) * (not mistake.flaky), (
        f"run `{command}`: this mistake is not in the file, or changed"
    )
    wrong = [row for row, sign in enumerate(known) if {sign, seen[row]} == {"+", "-"}]
    assert not wrong, f"run `{command}`: of row {wrong[0]} it says {known[wrong[0]]!r}"


def test_no_fingerprint_is_written_down_that_is_gone() -> None:
    assert {exercise: set(known["mistakes"]) for exercise, known in all_known().items()} == {
        check.exercise: {
            spelling(mistake, i)
            for mistake in check.mistakes
            if not mistake.flaky
            for i in range(len(mistake.answers))
        }
        for _, check in CHECKS
    }


@pytest.mark.parametrize(("check", "answer"), RIGHT)
def test_right_answer_is_accepted(check: Check, answer: Any, table: Any) -> None:
    report = check.run(answer)
    assert report.result in ("passed", "right"), report.text
    table[f"{check.exercise} {check.name}"][3] += 1


@pytest.mark.parametrize("check", [c for _, c in CHECKS], ids=lambda c: f"{c.exercise} {c.name}")
def test_enough_mistakes_and_right_answers(check: Check) -> None:
    name = next(name for name, c in CHECKS if c is check)
    assert len(check.mistakes) >= 8
    assert len({mistake.key for mistake in check.mistakes}) == len(check.mistakes)
    right = len(accepted(name, check.name))
    assert right >= 3, f"write 3 right answers into tests/accepted/{name}.py; there are {right}"
    assert all(answer.__doc__ for answer in accepted(name, check.name))
    assert len(check.hints) == 3


@pytest.mark.parametrize("check", [c for _, c in CHECKS], ids=lambda c: f"{c.exercise} {c.name}")
def test_the_signature_is_the_syllabus_s(check: Check) -> None:
    """The worked solution, the reference and the check agree on names and defaults."""
    name = next(name for name, c in CHECKS if c is check)
    worked = getattr(module("solutions.my_llama", name), check.name)
    parameters = [
        [(p.name, p.default) for p in inspect.signature(thing).parameters.values()]
        for thing in (worked, check.reference)
    ]
    assert parameters[0] == parameters[1]
