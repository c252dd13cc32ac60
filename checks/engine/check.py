"""A check: probes that an answer must pass, and known mistakes that tell what a wrong one did.

A probe runs an implementation and returns what it saw. What the reference lets it see is expected.
"""

import inspect
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from html import escape
from typing import Any

import torch
from torch import Tensor

from checks import catalogue, front_end
from checks.engine.answer import Answer, Crash, Wrong, signature_of
from checks.engine.compare import a_kind_of, difference
from checks.engine.diagnosis import Case, diagnose
from checks.engine.fingerprints import Fingerprints
from checks.engine.inputs import Inputs, seed
from checks.engine.isolation import (
    KEPT_OUTPUT,
    TIME_LIMIT,
    Hangs,
    garbage_kept,
    isolation,
    seeds_kept,
)
from checks.engine.outcome import Diagnosis, Outcome, counterexample
from checks.engine.probe import Mistake, Probe
from checks.engine.promises import INPUTS_STAY
from checks.engine.report import Report, Row
from checks.engine.shown import CheckFailed, NotAttempted, quiet_traceback


class Memory:
    """What the reference and the mistakes of one check showed, for the seed of now.

    Only the check that ran last is remembered: a learner runs the same one again and again.
    """

    def __init__(self) -> None:
        self._check: Check | None = None
        self._seed = ""
        self._outcomes: dict[tuple[int, int], Outcome] = {}

    def of(self, check: "Check") -> dict[tuple[int, int], Outcome]:
        """What this check has seen so far."""
        if self._check is not check or self._seed != seed():
            self._check, self._seed, self._outcomes = check, seed(), {}
        return self._outcomes


_memory = Memory()


@dataclass(frozen=True)
class Check:
    """The check of one exercise. Call it with what the learner wrote.

    exercise: number in the syllabus, "3.5"; name: of the function or class; reference: slow,
    obvious, in float64; technique: the probes of what the exercise teaches, from simple to edge;
    ready: those of what a real model needs besides; hints: a question, the idea, the line.
    """

    exercise: str
    name: str
    reference: Callable[..., Any]
    technique: list[Probe]
    mistakes: list[Mistake]
    hints: tuple[str, ...]
    ready: list[Probe] = field(default_factory=list)
    weight: int = 1
    only_numbers: bool = False  # are handed over, which nothing can change in place

    @property
    def points(self) -> int:
        """What a passed check earns; one that is right without being ready earns less."""
        return catalogue.FULL * self.weight

    @cached_property
    def probes(self) -> list[Probe]:
        """All of them in the order of the panel; the last one watches the inputs of the others."""
        return [*self.technique, *self.ready, *([] if self.only_numbers else [UNTOUCHED])]

    @property
    def titles(self) -> list[str]:
        """What stands in the panel, line by line."""
        return [probe.title for probe in self.probes]

    def __call__(self, answer: Any) -> int | None:
        """Show the panel; raise `CheckFailed`, or `NotAttempted` for nothing in a batch run.

        Where nobody sits in front of it, a grader gets the points of an answer that is right
        without being ready for a real model.
        """
        __tracebackhide__ = True
        report = self.run(answer)
        person = front_end.person_present()
        shown = front_end.show(report.bundle) and person
        for listener in front_end.listeners if person else ():
            listener(report)
        if report.result == "passed" or (report.result == "todo" and person):
            return None
        if report.result == "right" and not catalogue.strict():
            return None if person else catalogue.RIGHT * self.weight
        quiet_traceback()
        raise (NotAttempted if report.result == "todo" else CheckFailed)(report, shown)

    def reset(self) -> None:
        """Put the stub of this exercise back on the screen, in a new cell; nothing is lost.

        Where a front end cannot make a cell, the stub stands below as text, to be copied.
        """
        stub = catalogue.stub_of(self.exercise)
        says = f"The stub of {self.exercise} {self.name}, in a new cell below; your own cell stays."
        markup = f"<p>{says} No new cell? Copy this:</p><pre>{escape(stub)}</pre>"
        front_end.show({"text/plain": f"{says}\n\n{stub}", "text/html": markup})
        front_end.next_cell(stub)

    def run(self, answer: Any) -> Report:
        """Try `answer` on every probe and diagnose it, without showing anything."""
        if says := self._wrong_thing(answer):
            return Report(self.exercise, self.name, "failed", says, kind="wrong_thing")
        with seeds_kept(), garbage_kept():
            return self._tried(answer)

    def _tried(self, answer: Any) -> Report:
        outcomes: list[Outcome] = []
        for probe in (*self.technique, *self.ready):
            outcomes.append(self._observe(answer, probe))
            if outcomes[-1].seen.unwritten is not None:
                return self._unwritten(outcomes[-1].seen.unwritten)
            if outcomes[-1].hangs:
                break
        expected = [self._recall(self.reference, i) for i in range(len(outcomes))]
        for probe, right in zip(self.probes, expected, strict=False):
            self._hold(probe, right)
        if self.probes[-1] is UNTOUCHED and not outcomes[-1].hangs:
            outcomes.append(_untouched(outcomes))
            expected.append(_untouched(expected))
        return self._judge(outcomes, expected)

    def _observe(self, implementation: Any, probe: Probe) -> Outcome:
        """What one probe sees; once more where the time went into importing, which is done once."""
        known = len(sys.modules)
        outcome = self._observed(implementation, probe)
        if outcome.hangs and len(sys.modules) > known:
            outcome = self._observed(implementation, probe)
        return outcome

    def _observed(self, implementation: Any, probe: Probe) -> Outcome:
        outcome = Outcome()
        if begin := getattr(implementation, "begin_probe", None):
            begin()  # an answer in another process: nothing is left there of the last probe
        target = Answer(implementation, outcome.seen)
        try:
            with isolation(outcome.seen.printed, TIME_LIMIT):
                outcome.value = probe.run(target, Inputs(self.exercise, probe.title))
        except Crash as crash:
            outcome.crash = crash
        except Wrong as wrong:
            outcome.complaint = str(wrong)
        except Hangs:
            outcome.hangs = True
        except Exception as error:
            if outcome.seen.unwritten is None:  # the probe stumbled over what the answer returned
                outcome.crash = Crash(error)
        return outcome

    def _recall(self, ours: Any, row: int) -> Outcome:
        """Observe the reference or a mistake, or remember what it showed: it is the same again."""
        outcomes = _memory.of(self)
        key = id(ours), row  # the check keeps what is ours alive, and the memory keeps the check
        if key not in outcomes:
            outcomes[key] = (
                self._observe(ours, self.probes[row])
                if self.probes[row] is not UNTOUCHED
                else _untouched([self._recall(ours, i) for i in range(row)])
            )
        return outcomes[key]

    def _hold(self, probe: Probe, right: Outcome) -> None:
        if right.crash or right.complaint or right.hangs:
            raise RuntimeError(
                f"the reference of {self.exercise} {self.name} fails its probe {probe.title!r}: "
                f"{right.crash or right.complaint or 'too slow'}"
            ) from right.crash

    def _judge(self, outcomes: list[Outcome], expected: list[Outcome]) -> Report:
        rows: list[Row] = []
        failures: list[tuple[bool, str, str]] = []  # of a ready row, kind, sentence
        for i, probe in enumerate(self.probes):
            ready = i >= len(self.technique)
            if i >= len(outcomes):
                rows.append(Row(probe.title, None, ready=ready))
                continue
            kind, says = self._failure(probe, outcomes[i], expected[i])
            rows.append(Row(probe.title, kind is None, says, ready))
            if kind:
                failures.append((ready, kind, says))
        printed = _printed(outcomes)
        if not failures:
            summary = f"{self.name} is right: all {len(rows)} probes pass."
            return Report(self.exercise, self.name, "passed", summary, rows, printed=printed)

        ready, kind, says = failures[0]  # the technique's rows come first
        found = self._diagnosed(outcomes, expected)
        summary = found.mistakes[0].says if found.mistakes else f"{self.name}: {says}"
        return Report(
            self.exercise,
            self.name,
            result="right" if ready else "failed",
            summary=f"right; before a real model uses it: {summary}" if ready else summary,
            rows=rows,
            diagnosis=found,
            kind=None if kind in ("value", "nan", "wrong") else kind,
            counterexample=counterexample(outcomes, expected),
            hints=() if ready else self.hints,
            printed=printed,
        )

    def _diagnosed(self, outcomes: list[Outcome], expected: list[Outcome]) -> Diagnosis:
        marks = Fingerprints(self.exercise, self.titles)
        case = Case(self.probes, outcomes, expected, self._recall, marks)
        return diagnose(case, self.mistakes)

    def _failure(self, probe: Probe, mine: Outcome, right: Outcome) -> tuple[str | None, str]:
        """Say what is wrong with one outcome, as a kind and a sentence; (None, "") when nothing."""
        if mine.hangs:
            calls = f"{len(mine.seen.calls)} call{'s' * (len(mine.seen.calls) > 1)}"
            return "hangs", (
                f"it had not come back after {TIME_LIMIT:.0f} seconds and {calls}. "
                "Is there an endless loop?"
            )
        if mine.crash:
            return "crashes", self._crash_sentence(mine.crash)
        if mine.complaint:
            return "wrong", mine.complaint
        if found := difference(mine.value, right.value):
            if probe is UNTOUCHED:
                return "changes_input", probe.fails.format(name=mine.seen.changed[0])
            speaks = probe.fails and found.kind in ("value", "nan", "length", "none")
            keep = ": keep the input's dtype" * (found.kind == "dtype" and _keeps_dtype(right))
            stop = "" if found.says.endswith("?") else "."
            return found.kind, probe.fails if speaks else f"it returned {found.says}{keep}{stop}"
        return None, ""

    def _crash_sentence(self, crash: Crash) -> str:
        error = crash.original
        says = f"{type(error).__name__}: {str(error).partition(chr(10))[0]}".removesuffix(": ")
        if crash.line:
            where = f"your line {crash.number}, `{crash.line}`, stops with {says}"
            return f"{where}\nshapes there: {crash.shapes}" if crash.shapes else where
        if isinstance(error, TypeError):
            return f"{says}\nIt is called as `{self.name}({signature_of(self.reference)})`."
        return says

    def _wrong_thing(self, answer: Any) -> str:
        """Say what was handed over in place of the function or class, or nothing."""
        wanted = inspect.isclass(self.reference)
        if callable(answer) and inspect.isclass(answer) == wanted:
            module = torch.nn.Module
            if not wanted or issubclass(answer, module):
                return ""
            if not (inspect.isclass(self.reference) and issubclass(self.reference, module)):
                return ""
            return f"{self.name} is no nn.Module. Write `class {self.name}(nn.Module):`."
        kind = f"the class {answer.__name__}" if inspect.isclass(answer) else a_kind_of(answer)
        call = f"check.{self.name}({self.name})"
        if not wanted and callable(answer) and not inspect.isclass(answer):
            return ""
        return (
            f"the check got {kind} instead of the {'class' if wanted else 'function'} {self.name} "
            f"itself. Hand it over without calling it: `{call}`."
        )

    def _unwritten(self, message: str) -> Report:
        todo = (
            message if message.startswith("Exercise") else f"Exercise {self.exercise}: {self.name}"
        )
        says = f"{todo} is not written yet."
        return Report(self.exercise, self.name, "todo", says, hints=self.hints)


UNTOUCHED = Probe(
    "its inputs stay as they are",
    lambda answer, inputs: None,  # never run: what the other probes saw is looked at
    fails="it changes its input `{name}` in place, and the caller may still need that. Make a new "
    "one: `{name} = {name} * 2`, not `{name} *= 2`, and no method that ends in `_`.",
    promise=INPUTS_STAY,
)


def _untouched(outcomes: list[Outcome]) -> Outcome:
    """The last row: did an implementation leave the inputs of all other rows as they were?"""
    changed = [name for outcome in outcomes for name in outcome.seen.changed]
    found = Outcome(value=bool(changed))
    found.seen.changed = changed
    return found


def _keeps_dtype(right: Outcome) -> bool:
    """Tell whether the wanted dtype is that of a tensor which was handed over."""
    return any(
        isinstance(call.result, Tensor)
        and any(isinstance(v, Tensor) and v.dtype == call.result.dtype for v in call.given.values())
        for call in right.seen.calls
    )


def _printed(outcomes: list[Outcome]) -> str:
    """Repeat the beginning of what the answer printed, and say how much there was."""
    printed = "".join(outcome.seen.printed.kept for outcome in outcomes)[:KEPT_OUTPUT]
    length = sum(outcome.seen.printed.length for outcome in outcomes)
    if length > len(printed):
        printed += f"\n… it printed {length:,} characters. Take the print out when you are done."
    return printed
