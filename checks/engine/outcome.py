"""What a probe saw, and what became of it: outcomes, diagnoses, counterexamples."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import chain
from typing import Any

import torch
from torch import Tensor

from checks.engine.answer import Call, Crash, Transcript
from checks.engine.compare import LARGEST, difference, is_ordinary, numbers
from checks.engine.probe import Mistake

HALF = (torch.float16, torch.bfloat16)
CLASH = re.compile(
    r"size of (?:the )?tensor (?:a )?\((\d+)\) must match the "
    r"(?:existing )?size (?:of tensor b )?\((\d+)\) at non-singleton dimension (\d+)"
)
RICH = 8  # different numbers in a wrong result make it evidence enough by itself


@dataclass
class Outcome:
    """What one probe saw of one implementation."""

    value: Any = None
    crash: Crash | None = None
    complaint: str = ""
    hangs: bool = False
    seen: Transcript = field(default_factory=Transcript)
    # What `passes` has said, and of which reference: each suspect asks again.
    _passed: tuple["Outcome", bool] | None = field(default=None, repr=False, compare=False)

    def passes(self, right: "Outcome") -> bool:
        """Tell whether this is what the reference showed."""
        if self._passed is None or self._passed[0] is not right:
            stopped = self.crash or self.complaint or self.hangs
            self._passed = right, not stopped and agree(self.value, right.value)
        return self._passed[1]

    def is_like(
        self, other: "Outcome", right: "Outcome", inexact: bool = False, sizes: bool = True
    ) -> bool:
        """Tell whether two outcomes, neither of which need be right, are the same.

        Where the numbers are `inexact`, they need only fail in the same way; without `sizes` two
        complaints may speak of other numbers.
        """
        both_pass = self.passes(right), other.passes(right)
        if any(both_pass):
            return all(both_pass)
        changed = set(self.seen.changed), set(other.seen.changed)
        if all(changed) and changed[0].isdisjoint(changed[1]):
            return False  # another input is changed in place
        if self.crash or other.crash:
            if not (self.crash and other.crash):
                return False
            both = self.crash.original, other.crash.original
            return type(both[0]) is type(both[1]) or _both_of_none(*both)
        if inexact and not self.complaint and not other.complaint:
            return _way(self.value, right.value) == _way(other.value, right.value)
        words = str if sizes else _plain
        return (
            words(self.complaint) == words(other.complaint)
            and _agree_rounded(self.value, other.value, self.seen.calls)
            and not any(differing(self, other, rounded=True))
        )

    def stops_like(self, other: "Outcome", words: bool) -> bool:
        """Tell whether two crashes are about the same thing, or of the same `words`.

        The same sizes that clash are the same thing, whichever operation it was that met them.
        """
        if not (self.crash and other.crash):
            return not (self.crash or other.crash)
        change = str if words else _trouble
        return change(self.crash) == change(other.crash)

    def is_loosely_like(self, other: "Outcome") -> bool:
        """Tell whether two outcomes have the same values, whatever their dtypes and shapes are."""
        if self.crash or other.crash or self.complaint or other.complaint:
            return False
        return _agree_loosely(self.value, other.value) and not any(
            differing(self, other, loosely=True)
        )

    def begins_like(self, other: "Outcome", right: "Outcome") -> bool:
        """Tell whether the calls that came back before a crash gave the same wrong numbers."""
        if not self.crash:
            return False
        pairs = list(zip(self.seen.calls, other.seen.calls, strict=False))
        came_back = [(a.result, b.result) for a, b in pairs if a.result is not None and not a.aside]
        same = all(agree(a, b) for a, b in came_back)
        return same and are_many(call.result for call, _ in differing(self, right))

    def evidence(self, right: "Outcome") -> Iterable[Any]:
        """The wrong results, by whose numbers a mistake can be told."""
        if self.complaint:
            return ()
        if any(call.result is not None for call in self.seen.calls):
            return (call.result for call, _ in differing(self, right))
        # What a generator yields, or an object keeps, is in the value only.
        return () if self.crash or agree(self.value, right.value) else (self.value,)


@dataclass(frozen=True)
class Diagnosis:
    """The mistakes that reproduce an answer.

    Each part is something that is wrong; the mistakes within a part reproduce it equally well.
    `complete` tells whether together the parts explain every probe that fails.
    """

    parts: list[list[Mistake]] = field(default_factory=list)
    complete: bool = True

    @property
    def mistakes(self) -> list[Mistake]:
        """All of them, the parts one after the other."""
        return [mistake for part in self.parts for mistake in part]


@dataclass(frozen=True)
class Counterexample:
    """A call whose result is wrong."""

    given: dict[str, Any]
    got: Any
    expected: Any
    index: tuple[int, ...] | None


def counterexample(outcomes: list[Outcome], expected: list[Outcome]) -> Counterexample | None:
    """Find the first wrong call of the first probe that fails; probes begin with small ones."""
    for mine, right in zip(outcomes, expected, strict=True):
        if mine.passes(right):
            continue
        if mine.crash or mine.complaint or mine.hangs:
            return None  # the sentence speaks of that, not of numbers
        for call, other in differing(mine, right):
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


def loosened(value: Any) -> Any:
    """A result without its dtypes, shapes and kinds of container: only its numbers."""
    if type(value).__module__ == "numpy" and hasattr(value, "shape"):
        value = torch.as_tensor(value)
    if isinstance(value, Tensor) and not value.is_meta and is_ordinary(value):
        value = value.detach()
        wide = torch.view_as_real(value) if value.is_complex() else value
        return wide.to(torch.float64).flatten()
    if isinstance(value, int | float) and abs(value) <= LARGEST:
        return torch.tensor([value], dtype=torch.float64)
    if isinstance(value, tuple | list):
        return [loosened(item) for item in value]
    return value


def differing(
    mine: Outcome, right: Outcome, *, loosely: bool = False, rounded: bool = False
) -> Iterator[tuple[Call, Call]]:
    """The calls whose results are not the other's, one by one: most who ask want the first.

    rounded: what was computed from half precision is as good as that, in whatever dtype it is.
    """
    stopped = mine.crash or right.crash
    if len(mine.seen.calls) != len(right.seen.calls) and not stopped:
        return
    same = _agree_loosely if loosely else agree
    for a, b in zip(mine.seen.calls, right.seen.calls, strict=False):
        if stopped and a.result is None:
            return
        if b.result is None or b.aside or same(a.result, b.result):
            continue
        if not rounded or not _agree_rounded(a.result, b.result, [a]):
            yield a, b


def _agree_loosely(got: Any, other: Any) -> bool:
    """Tell whether two results are the same but for dtypes, shapes and kinds of container."""
    if type(got) in (list, tuple) and type(other) in (list, tuple) and len(got) == len(other):
        return all(map(_agree_loosely, got, other))
    one, two = loosened(got), loosened(other)
    half = got.dtype if isinstance(got, Tensor) and got.dtype in HALF else None
    return agree(one, two) or (half is not None and agree(_narrow(one, half), _narrow(two, half)))


def _agree_rounded(got: Any, other: Any, calls: Iterable[Call]) -> bool:
    """Tell whether two results are the same up to the rounding of what the calls were given."""
    if agree(got, other):
        return True
    given = (x for call in calls for x in (*call.args, *call.kwargs.values()))
    half = next((x.dtype for x in given if isinstance(x, Tensor) and x.dtype in HALF), None)
    return half is not None and agree(_narrow(got, half), _narrow(other, half))


def _narrow(value: Any, half: torch.dtype) -> Any:
    """Numbers in float32 and float64 as half precision; anything else as it is."""
    if type(value) in (list, tuple):
        return type(value)(_narrow(item, half) for item in value)
    wide = isinstance(value, Tensor) and value.dtype in (torch.float32, torch.float64)
    return value.to(half) if wide else value


def _both_of_none(one: BaseException, other: BaseException) -> bool:
    """Tell whether both met a None where something was expected."""
    return "'NoneType'" in str(one) and "'NoneType'" in str(other)


def _trouble(crash: Crash) -> Any:
    """What a crash is about: a None, two sizes that clash and where, or what it says.

    What the answer says by a `raise` of its own it says in its own words.
    """
    says = str(crash)
    if crash.raised:
        return type(crash.original)
    if "'NoneType'" in says:
        return None
    if sizes := CLASH.search(says):
        return frozenset(sizes.groups()[:2]), sizes[3]
    return says


def _plain(complaint: str) -> str:
    """A sentence without its numbers, such as the sizes of what was made."""
    return re.sub(r"\d+(, \d+)*", "#", complaint)


def _way(got: Any, expected: Any) -> str | None:
    """Tell in which way a result differs: its dtype, its shape, its values."""
    found = difference(got, expected)
    return found.kind if found else None


def are_many(results: Iterable[Any]) -> bool:
    """Tell whether there are more different numbers in them than anybody gets by chance."""
    seen = set()
    for number in chain.from_iterable(map(numbers, results)):
        if number == number:
            seen.add(round(number, 6))
        if len(seen) == RICH:
            return True
    return False
