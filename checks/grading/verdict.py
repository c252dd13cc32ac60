"""What one check cell proved. Points need positive evidence: a panel that says "passed"."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from checks.grading.audit import Exercise

EVIDENCE = "application/vnd.llama-lab.check+json"

PASSED, TODO, FAILED, VOID, NOT_RUN = "passed", "todo", "failed", "void", "not run"


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


def judge(
    exercise: Exercise,
    outputs: Sequence[Mapping[str, Any]],
    *,
    tampering: str = "",
    stopped: str = "",
    status: str = "ok",
) -> Verdict:
    """Judge a check cell by what it left behind.

    outputs: its outputs · tampering: what the probe found · stopped: why it could not end by itself
    status: the kernel's own word on how it ended, which no notebook can hide.
    """
    if tampering:
        return said(exercise, VOID, tampering)
    if stopped:
        return said(exercise, FAILED, stopped)
    panels = [output["data"] for output in outputs if EVIDENCE in output.get("data", {})]
    errors = [output for output in outputs if output["output_type"] == "error"]
    words = [_evidence(panel) for panel in panels]
    mine = [word for word in words if word.get("exercise") == exercise.number]
    if mine and mine[-1].get("result") in (TODO, FAILED):
        last, text = mine[-1], str(panels[-1].get("text/plain", ""))
        return Verdict(last["result"], str(last.get("summary", "")), last.get("mistake"), text)
    if errors:
        return _from_error(exercise, errors[-1])
    if status != "ok":
        return said(exercise, FAILED, "its check cell raised an error that the notebook hides")
    if mine and all(word in mine and word.get("result") == PASSED for word in words):
        return Verdict(PASSED, str(mine[-1].get("summary", "")))
    silent = "its check cell ran, but the check said nothing: the notebook replaced it"
    return said(exercise, VOID, silent)


def _evidence(panel: Mapping[str, Any]) -> dict[str, Any]:
    value = panel[EVIDENCE]
    return dict(value) if isinstance(value, Mapping) else {}


def _from_error(exercise: Exercise, error: Mapping[str, Any]) -> Verdict:
    kind, message = error["ename"], error["evalue"].strip()
    first = message.splitlines()[0] if message else ""
    if kind == "NotAttempted":
        return Verdict(TODO, first, text=message)
    if kind == "CheckFailed":
        return Verdict(FAILED, first, text=message)
    if kind == "NameError" and f"'{exercise.name}'" in first:
        sentence = f"`{exercise.name}` is not defined: its exercise cell did not run to its end"
        return said(exercise, FAILED, sentence)
    return said(exercise, FAILED, f"its check could not run, {kind}: {first or 'no message'}")
