"""A check: probes that an answer must pass, and known mistakes that tell what a wrong one did.

A probe runs an implementation and returns what it saw. What the reference lets it see is expected.
"""

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch

from checks.engine.answer import Answer, Crash, Wrong, signature_of
from checks.engine.compare import a_kind_of, difference
from checks.engine.diagnosis import Outcome, counterexample, diagnose
from checks.engine.failures import CheckFailed, NotAttempted, person_present, quiet_traceback, show
from checks.engine.inputs import Inputs, seed
from checks.engine.passes import Passes
from checks.engine.records import keep
from checks.engine.report import Report, Row
from checks.engine.surroundings import KEPT_OUTPUT, Hangs, seeds_kept, surroundings

TIME_LIMIT = 5.0  # seconds for all the calls of one probe


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
    lucky: bool = False  # what it passes may be another thing in the next run of Python


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
        if person_present():
            keep(report)
        if report.result == "passed" or (report.result == "todo" and person_present()):
            return
        quiet_traceback()
        raise (NotAttempted if report.result == "todo" else CheckFailed)(report, shown)

    def run(self, answer: Any) -> Report:
        """Try `answer` on every probe and diagnose it, without showing anything."""
        if says := self._wrong_thing(answer):
            return Report(self.exercise, self.name, "failed", says, kind="wrong_thing")
        with seeds_kept():
            return self._tried(answer)

    def _tried(self, answer: Any) -> Report:
        outcomes: list[Outcome] = []
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
            with surroundings(outcome.seen.printed, TIME_LIMIT):
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

    def _recall(self, ours: Any, probe: Probe) -> Outcome:
        """Observe the reference or a mistake, or remember what it showed: it is the same again."""
        outcomes = _memory.of(self)
        key = id(ours), id(probe)  # the check keeps both alive, and the memory keeps the check
        if key not in outcomes:
            outcomes[key] = self._observe(ours, probe)
        return outcomes[key]

    def _expected(self, probe: Probe) -> Outcome:
        outcome = self._recall(self.reference, probe)
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
        passes = Passes(self.exercise, [probe.title for probe in self.probes])
        found = diagnose(self.probes, self.mistakes, outcomes, expected, self._recall, passes)
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
            speaks = probe.fails and found.kind in ("value", "nan", "length", "none")
            stop = "" if found.says.endswith("?") else "."
            return found.kind, probe.fails if speaks else f"it returned {found.says}{stop}"
        if mine.seen.changed and not right.seen.changed:
            name = mine.seen.changed[0]
            return "changes_input", (
                f"it changes its input `{name}` in place, and the caller may still need that. Make "
                f"a new one: `{name} = {name} * 2`, not `{name} *= 2`."
            )
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
            if not wanted or not issubclass(self.reference, torch.nn.Module):
                return ""
            if issubclass(answer, torch.nn.Module):
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


def _printed(outcomes: list[Outcome]) -> str:
    """Repeat the beginning of what the answer printed, and say how much there was."""
    printed = "".join(outcome.seen.printed.kept for outcome in outcomes)[:KEPT_OUTPUT]
    length = sum(outcome.seen.printed.length for outcome in outcomes)
    if length > len(printed):
        printed += f"\n… it printed {length:,} characters. Take the print out when you are done."
    return printed
