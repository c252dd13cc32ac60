"""Answers that the checks' authors did not write: the worked source with plain edits, and public ones.

The circle of test_checks.py, where each mistake names itself, says nothing about a learner's own
spelling of it. Here the wrong answers come from the worked answers' source and from public threads:
every fifth one, `make named` tries all.
"""

from typing import Any

import pytest
from course import NAMES, ROOT, module

from checks.engine import Check, exercises_of

pytestmark = pytest.mark.ours

CHECKS = {name: {c.name: c for c in exercises_of(module("checks", name))} for name in NAMES}
NAMED = 0.75  # of the wrong answers from elsewhere, in every lab
EVERY = 5  # of an exercise's wrong answers is tried here
LEAST = 6  # plain edits for each exercise


def written(folder: str, variable: str, lab: str, step: int = 1) -> list[tuple[str, Any]]:
    """(exercise, entry) for what stands about one lab in these modules of tests/, or each step-th."""
    entries = getattr(module(folder, lab), variable, {})
    return [(exercise, entry) for exercise, some in entries.items() for entry in some[::step]]


RIGHT = [
    pytest.param(lab, exercise, answer, id=f"{exercise}: {answer.__name__}")
    for lab in NAMES
    for exercise, answer in written("public_right", "RIGHT", lab)
]


def worked(lab: str, exercise: str) -> Any:
    return getattr(module("solutions.my_llama", lab), exercise)


def outcome(check: Check, answer: Any, named: set[str], pair: bool = False) -> str:
    """ "named", or what the check says instead: its verdict and the keys."""
    report = check.run(answer)
    keys = {mistake.key for mistake in report.mistakes}
    truly = keys >= named if pair else keys & named
    refused = report.result in ("failed", "right")
    return "named" if refused and truly else f"{report.result}, {sorted(keys)}"


@pytest.mark.parametrize("lab", NAMES)
def test_most_wrong_answers_from_elsewhere_are_named(lab: str) -> None:
    """One by one they stand in `make named`; here is what the share may not fall below."""
    found = {
        f"{exercise}: {edit.what}": outcome(
            CHECKS[lab][exercise], edit.applied(worked(lab, exercise)), set(edit.named)
        )
        for exercise, edit in written("plain_edits", "EDITS", lab, EVERY)
    }
    found |= {
        f"{exercise}: {public.what} [{public.source}]": outcome(
            CHECKS[lab][exercise], public.answer, set(public.named)
        )
        for exercise, public in written("public_answers", "PUBLIC", lab, EVERY)
    }
    unnamed = {what: said for what, said in found.items() if said != "named"}
    share = 1 - len(unnamed) / len(found)
    assert share >= NAMED, "\n".join(f"{what}: {said}" for what, said in unnamed.items())


@pytest.mark.parametrize(("lab", "exercise", "answer"), RIGHT)
def test_a_right_answer_of_public_code_is_not_refused(lab: str, exercise: str, answer: Any) -> None:
    report = CHECKS[lab][exercise].run(answer)
    assert report.result in ("passed", "right"), report.text


def test_every_lab_has_wrong_lines() -> None:
    """Lines of right answers are what a lab's mistakes are made of."""
    lines = {name for name in NAMES if list((ROOT / "checks" / name).glob("*_wrong.py"))}
    assert lines == set(NAMES)


@pytest.mark.parametrize("lab", NAMES)
def test_every_exercise_has_plain_edits(lab: str) -> None:
    edits = module("plain_edits", lab).EDITS
    assert dict.fromkeys(CHECKS[lab], True) == {
        name: len(edits.get(name, ())) >= LEAST for name in CHECKS[lab]
    }
