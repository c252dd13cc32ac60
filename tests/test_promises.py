"""A learner can foresee what is asked: every probe names its promise, and the promise is there."""

import re

import pytest
from course import NAMES, ROOT, module

from checks.catalogue import EXERCISE, labs
from checks.engine import Check, exercises_of
from checks.engine.promises import HOUSE_RULES

pytestmark = pytest.mark.ours  # of the files: no version of torch changes them

LABS = {lab.module: lab.stem for lab in labs(ROOT)}
CHECKS = [
    pytest.param(name, check, id=f"{check.exercise} {check.name}")
    for name in NAMES
    for check in exercises_of(module("checks", name))
]


def plain(text: str) -> str:
    """Words only: no line breaks, comment signs or backticks."""
    lines = (re.sub(r"^\s*# ?", "", line) for line in text.splitlines())
    return " ".join(" ".join(lines).replace("`", "").split())


def told(lab: str, exercise: str) -> str:
    """What a learner has read before writing: the text since the exercise before, and the stub."""
    source = (ROOT / "solutions" / f"{LABS[lab]}.py").read_text(encoding="utf-8")
    places = list(EXERCISE.finditer(source))
    at = next(i for i, place in enumerate(places) if place[1] == exercise)
    start = places[at - 1].end() if at else 0
    before = source[start : places[at].start()]
    before = before[before.find("\n# %%") :] if at else before  # not the worked lines above
    stub, _, _ = source[places[at].start() :].partition("### BEGIN SOLUTION")
    cell = source[places[at].start() :].partition("\n# %%")[0]
    docstrings = " ".join(re.findall(r'"""(.*?)"""', cell, re.DOTALL))
    return plain(f"{before} {stub} {docstrings}")


@pytest.mark.parametrize(("lab", "check"), CHECKS)
def test_every_probe_has_a_promise_that_a_learner_has_read(lab: str, check: Check) -> None:
    read = told(lab, check.exercise)
    for probe in check.probes:
        assert probe.promise, f"{probe.title!r} asks for something that nobody promised"
        assert probe.promise in HOUSE_RULES or plain(probe.promise) in read, (
            f"{probe.title!r} stands on {probe.promise!r}, which is not in the text or the stub"
        )


@pytest.mark.parametrize(("lab", "check"), CHECKS)
def test_titles_are_told_apart(lab: str, check: Check) -> None:
    assert len(set(check.titles)) == len(check.titles)


def test_lab_00_states_the_house_rules() -> None:
    text = plain((ROOT / "solutions" / f"{LABS['start_here']}.py").read_text(encoding="utf-8"))
    for rule in HOUSE_RULES:
        assert rule in text.replace("**", "").lower(), rule


@pytest.mark.parametrize("lab", [name for name in NAMES if name != "start_here"])
def test_every_other_lab_repeats_them_before_its_first_exercise(lab: str) -> None:
    source = (ROOT / "solutions" / f"{LABS[lab]}.py").read_text(encoding="utf-8")
    first = EXERCISE.search(source)
    assert first
    read = plain(source[: first.start()])
    assert [rule for rule in HOUSE_RULES if rule not in read] == []
