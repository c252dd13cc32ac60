"""Diagnosis by re-enactment: which known mistakes show what the learner's answer shows?

A mistake is named when it does the same as the answer on every probe, those that pass included.
When none does, two or three that together explain every failing probe are named, two that were
written into one answer, one whose values are the same in another dtype or shape, and at last one
that gives the same wrong numbers on a probe rich in numbers, as a part of the story.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import combinations, islice
from typing import Any

import torch

from checks.engine.compare import difference
from checks.engine.fingerprints import Fingerprints
from checks.engine.outcome import Diagnosis, Outcome, are_many
from checks.engine.probe import Mistake, Probe
from checks.engine.together import unlikeness
from checks.engine.wrong_lines import Rewrite

TOGETHER = 3  # mistakes at most that are named side by side
EQUAL = 2  # mistakes at most that are named for the same thing
SEVERAL = 3  # failing rows that tell two mistakes whose wrong numbers are few
NOT_MANY = 60  # known spellings, any two of which are tried
LOOKS = 2  # rows at which a mistake is looked at by itself, before it is tried in a pair
PAIRS = 150  # pairs of mistakes that are written into one answer and tried


@dataclass(frozen=True, eq=False)
class Suspect:
    """One spelling of a known mistake."""

    mistake: Mistake
    answer: Callable[..., Any]
    way: Any  # the rewritten lines, where it is made of those
    sign: str  # its name among the fingerprints


@dataclass(frozen=True, eq=False)
class Pair:
    """Two suspects, and their lines in one answer; None where they do not go together."""

    one: Suspect
    other: Suspect
    way: Any

    @cached_property
    def answer(self) -> Callable[..., Any] | None:
        """It as a function or class; None where together they are no Python."""
        try:
            return self.way.answer
        except SyntaxError:
            return None


@dataclass(frozen=True)
class Case:
    """A wrong answer: what it showed on every row, what is right, and how to look at a suspect."""

    probes: list[Probe]
    outcomes: list[Outcome]
    expected: list[Outcome]
    observe: Callable[[Any, int], Outcome]
    fingerprints: Fingerprints
    sizes: bool = True  # complaints must speak of the same numbers
    words: bool = True  # where there are only crashes, they must say the same, word for word
    known: dict[tuple[int, int], bool] = field(default_factory=dict)  # what reproduces asked before

    @cached_property
    def rows(self) -> range:
        """The rows that were reached."""
        return range(len(self.outcomes))

    @cached_property
    def failing(self) -> list[int]:
        """The rows that fail."""
        return [i for i in self.rows if not self.outcomes[i].passes(self.expected[i])]

    @cached_property
    def telling(self) -> list[int]:
        """The rows that fail and do not crash."""
        return [i for i in self.failing if not self.outcomes[i].crash]

    @cached_property
    def only_crashes(self) -> bool:
        """Without numbers to go by, what a crash says is looked at."""
        return all(self.outcomes[i].crash for i in self.failing)

    def reproduces(self, answer: Any, i: int) -> bool:
        """Tell whether a wrong answer shows on one row what the learner's shows."""
        key = id(answer), i  # suspects live as long as the check does
        if key not in self.known:
            mine, again = self.outcomes[i], self.observe(answer, i)
            inexact = self.probes[i].inexact
            self.known[key] = mine.is_like(again, self.expected[i], inexact, self.sizes) and (
                not (self.only_crashes and mine.crash) or mine.stops_like(again, self.words)
            )
        return self.known[key]

    def passes(self, answer: Any, i: int) -> bool:
        """Tell whether a wrong answer passes one row."""
        return self.observe(answer, i).passes(self.expected[i])

    def are_rich(self, *rows: int) -> bool:
        """Tell whether the learner's wrong numbers on these rows together are evidence enough."""
        exact = [i for i in rows if not self.probes[i].inexact]
        return are_many(
            result for i in exact for result in self.outcomes[i].evidence(self.expected[i])
        )


def diagnose(case: Case, mistakes: list[Mistake]) -> Diagnosis:
    """Name the mistakes that reproduce the answer; an empty diagnosis when none does."""
    if case.outcomes[-1].hangs:
        return Diagnosis()
    suspects = list(_suspects(mistakes))
    if found := _whole(case, suspects):
        return found
    if case.only_crashes:
        case = replace(case, words=False, known={})
        if found := _whole(case, suspects):
            return found
    for explain in (
        _whole_but_for_sizes,
        _side_by_side,
        _in_one_answer,
        _in_other_clothes,
        _in_part,
    ):
        if found := explain(case, suspects):
            return found
    return Diagnosis()


def _suspects(mistakes: list[Mistake]) -> Iterator[Suspect]:
    for mistake in mistakes:
        ways = (mistake.wrong, *mistake.also)
        for i, (way, answer) in enumerate(zip(ways, mistake.answers, strict=True)):
            yield Suspect(mistake, answer, way, spelling(mistake, i))


def spelling(mistake: Mistake, i: int) -> str:
    """The name of a mistake's i-th spelling among the fingerprints."""
    return f"{mistake.key} {i + 1}" if i else mistake.key


def _whole(case: Case, suspects: list[Suspect]) -> Diagnosis | None:
    """Those that do the same on every row."""
    failing = case.failing
    # Few do the same where it fails: the rest is tried on those only.
    order = sorted(case.rows, key=lambda i: i not in failing)

    def same(suspect: Suspect, i: int) -> bool:
        if i not in failing and not case.fingerprints.may_fail(suspect.sign, i):
            return True  # both pass
        return case.reproduces(suspect.answer, i)

    possible = (s for s in suspects if case.fingerprints.allow(s.sign, failing, case.rows))
    whole = [s.mistake for s in possible if all(same(s, i) for i in order)]
    return Diagnosis([_once(whole)]) if whole else None


def _whole_but_for_sizes(case: Case, suspects: list[Suspect]) -> Diagnosis | None:
    """The same, where a complaint names the shapes of what was made, which may be others."""
    if not any(outcome.complaint for outcome in case.outcomes):
        return None
    return _whole(replace(case, sizes=False, known={}), suspects)


def _side_by_side(case: Case, suspects: list[Suspect]) -> Diagnosis | None:
    """Two or three, each of which does nothing else, that explain every failing row together."""
    failing = case.failing
    if len(failing) < 2:
        return None
    explained: dict[frozenset[int], list[Mistake]] = {}
    for suspect in suspects:
        if not case.fingerprints.fails_only(suspect.sign, failing, case.rows):
            continue
        signs = case.fingerprints.of(suspect.sign) or "?" * len(case.rows)
        fails = [
            i
            for i in case.rows
            if signs[i] == "-" or (signs[i] == "?" and not case.passes(suspect.answer, i))
        ]
        if fails and all(i in failing and case.reproduces(suspect.answer, i) for i in fails):
            explained.setdefault(frozenset(fails), []).append(suspect.mistake)
    for n in range(2, TOGETHER + 1):
        for sets in combinations(explained, n):
            if len(frozenset.union(*sets)) == len(failing):
                return Diagnosis([_once(explained[rows])[:EQUAL] for rows in _ordered(sets)])
    return None


def _in_one_answer(case: Case, suspects: list[Suspect]) -> Diagnosis | None:
    """Two, written into one right answer, that do together what the learner's does.

    Where the wrong numbers are few, or either fails more than the answer, those count that every
    two have in common which do it.
    """
    failing, telling, marks = case.failing, case.telling, case.fingerprints
    rich = case.are_rich(*telling)
    if not telling or not (rich or len(failing) >= SEVERAL):
        return None
    sharpest = next((i for i in telling if case.are_rich(i)), telling[-1])
    written = [s for s in suspects if isinstance(s.way, Rewrite)]
    alone = [s for s in written if marks.fails_only(s.sign, failing, case.rows)]

    def begins(suspect: Suspect) -> int:
        """The first row that it fails: what is met first is told first, the technique's before."""
        return next((i for i in failing if marks.may_fail(suspect.sign, i)), len(case.rows))

    order = sorted(case.rows, key=lambda i: (i != sharpest, i not in failing))
    tries = [(alone, rich)]
    if len(written) <= NOT_MANY:  # what either fails, both may pass together: any two are tried
        tries.append((written, False))
    for possible, sure in tries:
        likely = _likely(case, possible, sharpest, covering=possible is alone)
        same = _that_do_the_same(case, likely, order)
        if parts := _in_all(list(islice(same, 1 if sure else None))):
            parts.sort(key=lambda part: begins(part[0]))
            return Diagnosis([[suspect.mistake for suspect in part] for part in parts])
    return None


def _that_do_the_same(case: Case, pairs: Iterable[Pair], order: list[int]) -> Iterator[Pair]:
    """The pairs that reproduce every row, which are tried in this order."""
    endless: set[Suspect] = set()
    for pair in pairs:
        if pair.answer is None or endless & {pair.one, pair.other}:
            continue
        if all(case.reproduces(pair.answer, i) for i in order):
            yield pair
        elif case.observe(pair.answer, order[0]).hangs:
            endless |= {pair.one, pair.other}


def _in_all(pairs: list[Pair]) -> list[list[Suspect]]:
    """One that all pairs have, and the others, if these are not many; else nothing."""
    for one in (pairs[0].one, pairs[0].other) if pairs else ():
        if all(one.mistake in (pair.one.mistake, pair.other.mistake) for pair in pairs):
            both = (suspect for pair in pairs for suspect in (pair.one, pair.other))
            others = {s.mistake.key: s for s in both if s.mistake.key != one.mistake.key}
            if len(others) <= EQUAL:
                return [[one], list(others.values())]
    return []


def _likely(
    case: Case, possible: list[Suspect], sharpest: int, *, covering: bool
) -> Iterator[Pair]:
    """The likeliest pairs, the first ones first.

    covering: only where one of them, by itself, may fail each row that the answer fails.
    """
    if len(possible) < 2:
        return iter(())
    failing = case.failing
    may = {s: {i for i in failing if case.fingerprints.may_fail(s.sign, i)} for s in possible}
    unlike = torch.zeros(len(possible), len(possible))
    for i in {sharpest, case.telling[-1]}:
        shown = [case.observe(s.answer, i).value for s in possible]
        unlike += unlikeness(case.outcomes[i].value, case.expected[i].value, shown)
    place = {s: i for i, s in enumerate(possible)}

    def rank(pair: tuple[Suspect, Suspect]) -> tuple[int, bool, float, bool]:
        """How well they fit, best 0.

        By the rows that neither fails; by whether each, where only it can fail, does by itself
        what the answer does; by what they are likely to show together.
        """
        one, other = pair
        alone = [
            case.reproduces(only.answer, i)
            for only, both in ((one, other), (other, one))
            for i in sorted(may[only] - may[both])[:LOOKS]
        ]
        far = unlike[place[one], place[other]].item()
        fits = not (alone and all(alone)), far, bool(alone) and not any(alone)
        return len(failing) - len(may[one] | may[other]), *fits

    pairs = (
        (one, other)
        for one, other in combinations(possible, 2)
        if one.mistake is not other.mistake
        and (not covering or len(may[one] | may[other]) == len(failing))
    )
    written = (Pair(one, other, one.way.with_(other.way)) for one, other in sorted(pairs, key=rank))
    return islice((pair for pair in written if pair.way is not None), PAIRS)


def _in_other_clothes(case: Case, suspects: list[Suspect]) -> Diagnosis | None:
    """One with the same values where the answer has another dtype or shape besides."""
    failing = case.failing
    valued = [
        i
        for i in failing
        if not case.outcomes[i].is_loosely_like(case.expected[i]) and case.are_rich(i)
    ]
    if not valued:
        return None
    first = valued[0]
    order = sorted(case.rows, key=lambda i: i != first)
    for suspect in suspects:
        if case.fingerprints.allow(suspect.sign, valued, valued) and all(
            case.outcomes[i].is_loosely_like(case.observe(suspect.answer, i))
            or (i != first and case.reproduces(suspect.answer, i))
            for i in order
        ):
            # What is right decides: the mistake may be made in another dtype than the answer.
            clothes = difference(case.outcomes[first].value, case.expected[first].value)
            if clothes is None or clothes.kind in ("value", "nan"):
                return Diagnosis([[suspect.mistake]])
            besides = Mistake(clothes.kind, None, f"It returned {clothes.says}.")
            return Diagnosis([[suspect.mistake], [besides]])
    return None


def _in_part(case: Case, suspects: list[Suspect]) -> Diagnosis | None:
    """One that gives the same wrong numbers on a row rich in them, and maybe one for the rest."""
    failing = case.failing
    rich = next((i for i in failing if case.are_rich(i)), None)
    if rich is None:
        return None

    def similar(suspect: Suspect, i: int) -> bool:
        again = case.observe(suspect.answer, i)
        begun = case.outcomes[i].begins_like(again, case.expected[i])
        return begun or case.reproduces(suspect.answer, i)

    explained = {
        s: {i for i in failing if similar(s, i)}
        for s in suspects
        if case.fingerprints.may_fail(s.sign, rich) and similar(s, rich)
    }
    if not explained:
        return None
    first = max(explained, key=lambda s: len(explained[s]))
    # Another mistake counts for what the first leaves open only if it does nothing else.
    left = [i for i in failing if i not in explained[first]]
    for second in suspects if left else ():
        if case.fingerprints.allow(second.sign, left, case.rows) and all(
            case.reproduces(second.answer, i) if i in left else case.passes(second.answer, i)
            for i in sorted(case.rows, key=lambda i: i not in left)
        ):
            return Diagnosis([[first.mistake], [second.mistake]])
    return Diagnosis([[first.mistake]], complete=not left)


def _ordered(sets: tuple[frozenset[int], ...]) -> list[frozenset[int]]:
    """The one that explains the first failing row first."""
    return sorted(sets, key=lambda rows: sorted(rows))


def _once(mistakes: list[Mistake]) -> list[Mistake]:
    """Each mistake once, though several of its spellings do the same."""
    return list({mistake.key: mistake for mistake in mistakes}.values())
