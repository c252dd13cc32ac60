"""What one check proved. Points need positive evidence: the check's own word that it passed."""

import ast
import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from checks import catalogue
from checks.grading.audit import Exercise

PASSED, RIGHT, TODO, FAILED = "passed", "right", "todo", "failed"
VOID, NOT_RUN = "void", "not run"

HIDDEN = "the notebook hides `checks` or breaks what it stands on"
LONGEST, LONGEST_PANEL = 600, 20_000  # characters
COLOURS = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")
CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]")


@dataclass(frozen=True)
class Verdict:
    """The outcome of one exercise; `text` is what a failure report prints (the panel)."""

    result: str
    summary: str = ""
    mistake: str | None = None
    text: str = ""

    def record(self) -> dict[str, Any]:
        """The part that travels with a report: plain data, without the panel."""
        return {key: value for key, value in asdict(self).items() if key != "text"}


def said(exercise: Exercise, result: str, sentence: str) -> Verdict:
    """A verdict in one sentence, with no panel behind it."""
    text = f"Exercise {exercise.number} · {exercise.name}: {sentence}."
    return Verdict(result, sentence, text=text)


def earned(points: int, result: str) -> int:
    """What a result earns: all, or 3 of 4 points where a real model needs more than the answer."""
    return {PASSED: points, RIGHT: points * catalogue.RIGHT // catalogue.FULL}.get(result, 0)


def judge(
    exercise: Exercise,
    answer: str | None,
    word: str,
    stopped: str = "",
    *,
    only_ready: bool = False,
) -> Verdict:
    """Judge an exercise by what its check answered.

    answer: the repr of the JSON that `inside.run` returned, None when it could not; word: what the
    grader gave this one call to repeat; stopped: why it could not end by itself;
    only_ready: what is only right fails.
    """
    if stopped:
        return said(exercise, FAILED, stopped)
    found = _found(answer)
    if found.get("word") != word or found.get("name") != exercise.name:
        return said(exercise, VOID, HIDDEN)
    if found.get("missing"):
        sentence = f"`{exercise.name}` is not defined: its exercise cell did not run to its end"
        return said(exercise, FAILED, sentence)
    if void := found.get("void"):
        return said(exercise, VOID, clean(str(void)))
    if broken := found.get("broken"):
        return said(exercise, FAILED, f"its check could not run, {clean(str(broken))}")
    if found.get("exercise") != exercise.number:
        return said(exercise, VOID, HIDDEN)
    result, summary = found.get("result"), clean(str(found.get("summary", "")))
    if result not in (PASSED, RIGHT, TODO, FAILED):
        return said(exercise, VOID, HIDDEN)
    if result == RIGHT and only_ready:
        result = FAILED
    mistake = found.get("mistake")
    text = clean(str(found.get("text", "")), LONGEST_PANEL, lines=True)
    return Verdict(result, summary, clean(mistake) if isinstance(mistake, str) else None, text)


def clean(text: str, longest: int = LONGEST, *, lines: bool = False) -> str:
    """A notebook's text as it can be shown anywhere: no colours, nothing hidden, not endless."""
    text = COLOURS.sub("", text[: 2 * longest]).encode("utf-8", "replace").decode("utf-8")
    text = CONTROLS.sub(" ", text)
    text = text if lines else " ".join(text.split())
    return text if len(text) <= longest else text[: longest - 1] + "…"


def _found(answer: str | None) -> Mapping[str, Any]:
    try:
        found = json.loads(ast.literal_eval(answer or "''"))
    except (ValueError, SyntaxError, TypeError, RecursionError, MemoryError):
        return {}
    return found if isinstance(found, dict) else {}
