"""Answers that the checks' authors did not write: the worked source with plain edits, and public ones.

The circle of test_checks.py, where each mistake names itself, says nothing about a learner's own
spelling of it. Here the wrong answers come from the worked answers' source and from public threads.
"""

from collections.abc import Collection
from typing import Any

import pytest
from course import MOVED, NAMES, ROOT, TO_MOVE, module

from checks.engine import Check, exercises_of

pytestmark = pytest.mark.ours

CHECKS = {name: {c.name: c for c in exercises_of(module("checks", name))} for name in NAMES}
# Wrong answers that the checks reject and do not name yet, or name in part, one a line.
NOT_YET = set((ROOT / "tests" / "not_yet_named.txt").read_text(encoding="utf-8").splitlines())
LEAST = 6  # plain edits for each exercise


def said_of(exercise: str, entry: Any) -> str:
    """What the test of one entry is called."""
    return f"{exercise}: {getattr(entry, 'what', getattr(entry, '__name__', ''))}"


def marks_of(exercise: str, entry: Any) -> list[Any]:
    """Those that no sentence says yet are known, and counted: who mends one takes its line out."""
    known = said_of(exercise, entry) in NOT_YET
    return [pytest.mark.xfail(strict=True, reason="not named yet")] if known else []


def written(folder: str, variable: str, names: Collection[str] = MOVED) -> list[Any]:
    """(lab, exercise, entry) for all that stands in these modules of tests/."""
    return [
        pytest.param(
            name, exercise, entry, id=said_of(exercise, entry), marks=marks_of(exercise, entry)
        )
        for name in names
        if (ROOT / "tests" / folder / f"{name}.py").exists()
        for exercise, entries in getattr(module(folder, name), variable, {}).items()
        for entry in entries
    ]


def worked(lab: str, exercise: str) -> Any:
    return getattr(module("solutions.my_llama", lab), exercise)


def said(check: Check, answer: Any) -> tuple[str, set[str], str]:
    report = check.run(answer)
    return report.result, {mistake.key for mistake in report.mistakes}, report.text


@pytest.mark.parametrize(("lab", "exercise", "edit"), written("plain_edits", "EDITS"))
def test_a_plain_edit_is_named(lab: str, exercise: str, edit: Any) -> None:
    check = CHECKS[lab][exercise]
    result, keys, text = said(check, edit.applied(worked(lab, exercise)))
    assert result in ("failed", "right"), "the check accepts it"
    assert keys & set(edit.named), text


@pytest.mark.parametrize(("lab", "exercise", "pair"), written("plain_edits", "PAIRS"))
def test_two_edits_at_once_are_both_named(lab: str, exercise: str, pair: Any) -> None:
    check = CHECKS[lab][exercise]
    result, keys, text = said(check, pair.applied(worked(lab, exercise)))
    assert result in ("failed", "right"), "the check accepts it"
    assert keys >= set(pair.named), text


@pytest.mark.parametrize(("lab", "exercise", "public"), written("public_answers", "PUBLIC"))
def test_a_public_mistake_is_named(lab: str, exercise: str, public: Any) -> None:
    check = CHECKS[lab][exercise]
    result, keys, text = said(check, public.answer)
    assert result in ("failed", "right"), "the check accepts it"
    assert keys & set(public.named), text


@pytest.mark.parametrize(("lab", "exercise", "answer"), written("public_right", "RIGHT", NAMES))
def test_a_right_answer_of_public_code_is_not_refused(lab: str, exercise: str, answer: Any) -> None:
    result, _, text = said(CHECKS[lab][exercise], answer)
    assert result in ("passed", "right"), text


def test_a_lab_that_has_moved_is_held_to_it() -> None:
    """Lines of right answers are what a lab that has moved consists of."""
    lines = {name for name in NAMES if list((ROOT / "checks" / name).glob("*_wrong.py"))}
    assert lines == set(MOVED) and lines.isdisjoint(TO_MOVE)


@pytest.mark.parametrize("lab", NAMES)
def test_every_exercise_has_plain_edits(lab: str) -> None:
    edits = module("plain_edits", lab).EDITS
    assert dict.fromkeys(CHECKS[lab], True) == {
        name: len(edits.get(name, ())) >= LEAST for name in CHECKS[lab]
    }


def test_what_is_not_named_yet_is_still_written_somewhere() -> None:
    kinds = (("plain_edits", "EDITS"), ("plain_edits", "PAIRS"), ("public_answers", "PUBLIC"))
    ids = {param.id for folder, variable in kinds for param in written(folder, variable)}
    assert ids >= NOT_YET
