"""A check: probes that an answer must pass, and known mistakes that tell what a wrong one did.

A probe runs an implementation and returns what it saw. What the reference lets it see is expected.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass
from typing import Any

import torch

from checks.engine.answer import (
    KEPT_OUTPUT,
    TIME_LIMIT,
    Answer,
    Crash,
    Hangs,
    Wrong,
    signature_of,
    time_limit,
)
from checks.engine.compare import difference
from checks.engine.diagnosis import Outcome, counterexample, diagnose
from checks.engine.failures import CheckFailed, NotAttempted, person_present, quiet_traceback, show
from checks.engine.inputs import Inputs
from checks.engine.report import Report, Row


@dataclass(frozen=True)
class Probe:
    """One thing to try. `run(implementation, inputs)` returns plain values, lists or tensors.

    `title` stands in the panel. `fails` is said when the result is not the reference's, for results
    that do not speak for themselves. `noisy`: the numbers depend on rounding, so that a mistake
    reproduces them by failing as well.
    """

    title: str
    run: Callable[[Any, Inputs], Any]
    fails: str = ""
    noisy: bool = False


@dataclass(frozen=True)
class Mistake:
    """A wrong implementation that somebody wrote, and what to tell who wrote it again."""

    key: str
    wrong: Callable[..., Any]
    says: str
    hint: str = ""
    source: str = ""  # the public issue where it was really made


@dataclass(frozen=True)
class Check:
    """The check of one exercise. Call it with what the learner wrote.

    exercise: number in the syllabus, "3.5"; name: of the function or class; reference: slow,
    obvious, in float64; probes: in the order of the panel; hints: a question, the idea, the line.
    """

    exercise: str
    name: str
    reference: Callable[..., Any]
    probes: list[Probe]
    mistakes: list[Mistake]
    hints: tuple[str, ...]
    points: int = 1

    def __call__(self, answer: Any) -> None:
        """Show the panel; raise `CheckFailed`, or `NotAttempted` for nothing in a batch run."""
        __tracebackhide__ = True
        report = self.run(answer)
        shown = show(report.bundle) and person_present()
        if report.result == "passed" or (report.result == "todo" and person_present()):
            return
        quiet_traceback()
        raise (NotAttempted if report.result == "todo" else CheckFailed)(report, shown)

    def run(self, answer: Any) -> Report:
        """Try `answer` on every probe and diagnose it, without showing anything."""
        if not callable(answer):
            return self._not_callable(answer)
        outcomes: list[Outcome] = []
        with torch.random.fork_rng(devices=[]), one_thread():
            for probe in self.probes:
                outcomes.append(self._observe(answer, probe))
                if outcomes[-1].seen.unwritten is not None:
                    return self._unwritten(outcomes[-1].seen.unwritten)
                if outcomes[-1].hangs:
                    break
            expected = [self._expected(probe) for probe in self.probes[: len(outcomes)]]
            return self._judge(outcomes, expected)

    def _observe(self, implementation: Any, probe: Probe) -> Outcome:
        outcome = Outcome()
        target = Answer(implementation, outcome.seen)
        try:
            with time_limit(TIME_LIMIT), redirect_stdout(outcome.seen.printed):
                outcome.value = probe.run(target, Inputs(self.exercise, probe.title))
        except NotImplementedError:
            pass  # the transcript has it
        except Crash as crash:
            outcome.crash = crash
        except Wrong as wrong:
            outcome.complaint = str(wrong)
        except Hangs:
            outcome.hangs = True
        except Exception as error:  # the probe stumbled over what the answer returned
            outcome.crash = Crash(error)
        return outcome

    def _expected(self, probe: Probe) -> Outcome:
        outcome = self._observe(self.reference, probe)
        if outcome.crash or outcome.complaint or outcome.hangs:
            raise RuntimeError(
                f"the reference of {self.exercise} {self.name} fails its probe {probe.title!r}: "
                f"{outcome.crash or outcome.complaint or 'too slow'}"
            ) from outcome.crash
        return outcome

    def _judge(self, outcomes: list[Outcome], expected: list[Outcome]) -> Report:
        rows: list[Row] = []
        first = None
        for probe, mine, right in zip(self.probes, outcomes, expected, strict=False):
            kind, says = self._failure(probe, mine, right)
            rows.append(Row(probe.title, kind is None, says))
            first = first or (kind and (kind, says))
        rows += [Row(probe.title, None) for probe in self.probes[len(outcomes) :]]
        printed = _printed(outcomes)
        if first is None:
            summary = f"{self.name} is right: all {len(rows)} probes pass."
            return Report(self.exercise, self.name, "passed", summary, rows, printed=printed)

        kind, says = first
        found = diagnose(self.probes, self.mistakes, outcomes, expected, self._observe)
        return Report(
            self.exercise,
            self.name,
            result="failed",
            summary=found.mistakes[0].says if found.mistakes else f"{self.name}: {says}",
            rows=rows,
            diagnosis=found,
            kind=None if kind in ("value", "nan", "wrong") else kind,
            counterexample=counterexample(outcomes, expected),
            hints=self.hints,
            printed=printed,
        )

    def _failure(self, probe: Probe, mine: Outcome, right: Outcome) -> tuple[str | None, str]:
        """Say what is wrong with one outcome, as a kind and a sentence; (None, "") when nothing."""
        if mine.hangs:
            return "hangs", (
                f"it had not come back after {TIME_LIMIT:.0f} seconds. Is there an endless loop?"
            )
        if mine.crash:
            return "crashes", self._crash_sentence(mine.crash)
        if mine.complaint:
            return "wrong", mine.complaint
        if found := difference(mine.value, right.value):
            speaks = probe.fails and found.kind in ("value", "nan", "length")
            stop = "" if found.says.endswith("?") else "."
            return found.kind, probe.fails if speaks else f"it returned {found.says}{stop}"
        if mine.seen.changed and not right.seen.changed:
            return "changes_input", (
                f"it changes its input `{mine.seen.changed[0]}` in place, and the caller may still "
                "need that. Make a new tensor: `x = x * 2`, not `x *= 2`."
            )
        return None, ""

    def _crash_sentence(self, crash: Crash) -> str:
        error = crash.original
        says = f"{type(error).__name__}: {str(error).partition(chr(10))[0]}"
        if crash.line:
            where = f"your line {crash.number}, `{crash.line}`, stops with {says}"
            return f"{where}\nshapes there: {crash.shapes}" if crash.shapes else where
        if isinstance(error, TypeError):
            return f"{says}\nIt is called as `{self.name}({signature_of(self.reference)})`."
        return says

    def _not_callable(self, answer: Any) -> Report:
        says = (
            f"the check got a {type(answer).__name__} instead of {self.name} itself. "
            f"Hand it over without calling it: `check.{self.name}({self.name})`."
        )
        return Report(self.exercise, self.name, "failed", says, kind="not_callable")

    def _unwritten(self, message: str) -> Report:
        todo = (
            message if message.startswith("Exercise") else f"Exercise {self.exercise}: {self.name}"
        )
        says = f"{todo} is not written yet."
        return Report(self.exercise, self.name, "todo", says, hints=self.hints)


@contextmanager
def one_thread() -> Iterator[None]:
    """Compute in one thread: for small tensors, waiting for a second one takes longest."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _printed(outcomes: list[Outcome]) -> str:
    """Repeat the beginning of what the answer printed, and say how much there was."""
    printed = "".join(outcome.seen.printed.kept for outcome in outcomes)[:KEPT_OUTPUT]
    length = sum(outcome.seen.printed.length for outcome in outcomes)
    if length > len(printed):
        printed += f"\n… it printed {length:,} characters. Take the print out when you are done."
    return printed
