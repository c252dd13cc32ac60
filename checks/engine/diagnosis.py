"""Diagnosis by re-enactment: which known mistake shows what the learner's answer shows?

A mistake is named when it does the same as the answer on every probe, those that pass included.
When none does, one that gives the same wrong numbers on a probe rich in numbers is named as a part
of the story.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from itertools import chain
from typing import TYPE_CHECKING, Any

from checks.engine.answer import Call, Crash, Transcript
from checks.engine.compare import difference, numbers
from checks.engine.passes import Passes

if TYPE_CHECKING:
    from checks.engine.check import Mistake, Probe

RICH = 8  # different numbers in a wrong result make it evidence enough by itself


@dataclass
class Outcome:
    """What one probe saw of one implementation."""

    value: Any = None
    crash: Crash | None = None
    complaint: str = ""
    hangs: bool = False
    seen: Transcript = field(default_factory=Transcript)

    def is_like(self, other: "Outcome", right: "Outcome", noisy: bool) -> bool:
        """Tell whether two outcomes, neither of which need be right, are the same.

        Where the numbers are `noisy`, they need only fail in the same way.
        """
        if self.crash or other.crash:
            both = self.crash and other.crash
            return bool(both) and type(self.crash.original) is type(other.crash.original)
        if noisy and not self.complaint and not other.complaint:
            return _way(self.value, right.value) == _way(other.value, right.value)
        return (
            self.complaint == other.complaint
            and bool(self.seen.changed) == bool(other.seen.changed)
            and agree(self.value, other.value)
            and not any(_differing(self, other))
        )

    def passes(self, right: "Outcome") -> bool:
        """Tell whether this is what the reference showed."""
        stopped = self.crash or self.complaint or self.hangs
        changed = bool(self.seen.changed) and not right.seen.changed
        return not stopped and not changed and agree(self.value, right.value)


@dataclass(frozen=True)
class Diagnosis:
    """The mistakes that reproduce an answer.

    When they are `alternatives`, each of them explains everything. Otherwise each is one part of
    what is wrong, and `complete` tells whether together they explain every probe that fails.
    """

    mistakes: list["Mistake"] = field(default_factory=list)
    alternatives: bool = True
    complete: bool = True


def diagnose(
    probes: list["Probe"],
    mistakes: list["Mistake"],
    outcomes: list[Outcome],
    expected: list[Outcome],
    observe: Callable[[Any, "Probe"], Outcome],
    passes: Passes,
) -> Diagnosis:
    """Run the mistakes that pass what the answer passes, and keep those that reproduce."""
    everything = range(len(outcomes))
    failing = [i for i, mine in enumerate(outcomes) if not mine.passes(expected[i])]
    if outcomes[-1].hangs:
        return Diagnosis()
    only_crashes = all(outcomes[i].crash for i in failing)
    rich = next((i for i in failing if _is_rich(probes[i], outcomes[i], expected[i])), None)
    # Few do the same where it fails: the rest is tried on those only.
    order = sorted(everything, key=lambda i: i not in failing)

    def reproduces(mistake: "Mistake", i: int) -> bool:
        mine, again = outcomes[i], observe(mistake.wrong, probes[i])
        if only_crashes and mine.crash and str(mine.crash) != str(again.crash):
            return False  # without numbers to go by, the message and its sizes must be the same
        return mine.is_like(again, expected[i], probes[i].noisy)

    possible = [m for m in mistakes if passes.allow(m.key, failing, everything)]
    if whole := [m for m in possible if all(reproduces(m, i) for i in order)]:
        return Diagnosis(whole)
    if rich is None:
        return Diagnosis()
    possible = [m for m in mistakes if passes.allow(m.key, failing, [rich])]
    explained = {
        m.key: {i for i in failing if reproduces(m, i)} for m in possible if reproduces(m, rich)
    }
    if not explained:
        return Diagnosis()
    most = max(map(len, explained.values()))
    first = next(m for m in mistakes if len(explained.get(m.key, ())) == most)
    # Another mistake counts for what the first leaves open only if it does nothing else.
    left = [i for i in failing if i not in explained[first.key]]
    for second in mistakes if left else ():
        if passes.allow(second.key, left, everything) and all(
            reproduces(second, i)
            if i in left
            else observe(second.wrong, probes[i]).passes(expected[i])
            for i in order
        ):
            return Diagnosis([first, second], alternatives=False)
    return Diagnosis([first], alternatives=False, complete=not left)


@dataclass(frozen=True)
class Counterexample:
    """A call whose result is wrong."""

    given: dict[str, Any]
    got: Any
    expected: Any
    index: tuple[int, ...] | None


def counterexample(outcomes: list[Outcome], expected: list[Outcome]) -> Counterexample | None:
    """Find the first call whose result is not the reference's; probes begin with small ones."""
    for mine, right in zip(outcomes, expected, strict=True):
        if mine.crash or mine.complaint or mine.hangs:
            return None  # the sentence speaks of that, not of numbers
        for call, other in _differing(mine, right):
            found = difference(call.result, other.result)
            index = found.index if found else None
            return Counterexample(other.given, call.result, other.result, index)
    return None


def agree(got: Any, expected: Any) -> bool:
    """Tell whether two results, neither of which need be right, are the same up to rounding."""
    try:
        return difference(got, expected) is None
    except TypeError:  # something that is no plain value
        return type(got) is type(expected)


def _way(got: Any, expected: Any) -> str | None:
    """Tell in which way a result differs: its dtype, its shape, its values."""
    found = difference(got, expected)
    return found.kind if found else None


def _is_rich(probe: "Probe", mine: Outcome, right: Outcome) -> bool:
    if probe.noisy or mine.crash or mine.complaint:
        return False
    return _are_many(call.result for call, _ in _differing(mine, right))


def _are_many(results: Iterable[Any]) -> bool:
    """Tell whether there are RICH different numbers in these results, looking no further."""
    seen = set()
    for number in chain.from_iterable(map(numbers, results)):
        if number == number:
            seen.add(round(number, 6))
        if len(seen) == RICH:
            return True
    return False


def _differing(mine: Outcome, right: Outcome) -> Iterator[tuple[Call, Call]]:
    """The calls whose results are not the other's, one by one: most who ask want the first."""
    if len(mine.seen.calls) != len(right.seen.calls):
        return
    for a, b in zip(mine.seen.calls, right.seen.calls, strict=True):
        if b.result is not None and not b.aside and not agree(a.result, b.result):
            yield a, b
