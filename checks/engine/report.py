"""What a check found, ready to be shown, raised, or counted by a grader; and the panel of it.

The panel is HTML for a notebook, and the same in plain text.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from html import escape
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from checks.catalogue import EVIDENCE
from checks.engine.compare import a_kind_of, close, is_ordinary, whole_number
from checks.engine.outcome import Counterexample, Diagnosis
from checks.engine.probe import Mistake

SHOWN = 36  # numbers of a tensor that are written out; of a larger one, a window around the fault
WORD = re.compile(r"([\w.+-]+)")  # a number or a name, as it stands in a written-out value
PLAIN = (bool, int, float, complex, str, bytes, type(None), list, tuple, dict, set, torch.dtype)
MARKS = {True: "✓", False: "✗", None: "·"}
SIGNS = {"passed": "✓", "right": "◐", "failed": "✗", "todo": "✎"}
TECHNIQUE, READY = "The technique", "Ready for a real model"
TITLES = ("Hint 1: a question", "Hint 2: the idea", "Hint 3: the line")


@dataclass(frozen=True)
class Row:
    """One line of the panel: what was tried, and whether it went well (None: not reached).

    `ready` rows are those that a real model needs besides the technique.
    """

    title: str
    ok: bool | None
    says: str = ""
    ready: bool = False


@dataclass(frozen=True)
class Report:
    """The outcome of one check. `text` and `html` are the panel.

    result: "passed"; "right", when only rows fail that a real model needs besides the technique;
    "failed" or "todo".
    """

    exercise: str
    name: str
    result: str
    summary: str
    rows: list[Row] = field(default_factory=list)
    diagnosis: Diagnosis = field(default_factory=Diagnosis)
    kind: str | None = None  # the general kind of failure, where no mistake is known
    counterexample: Counterexample | None = None
    hints: tuple[str, ...] = ()
    printed: str = ""

    @property
    def mistake(self) -> str | None:
        """The key of the diagnosed mistake, or of the general kind of failure, or None."""
        return self.mistakes[0].key if self.mistakes else self.kind

    @property
    def mistakes(self) -> list[Mistake]:
        """The mistakes that reproduce the answer."""
        return self.diagnosis.mistakes

    @property
    def text(self) -> str:
        """The panel as plain text."""
        return "\n".join(_text(self))

    @property
    def html(self) -> str:
        """The panel as HTML that carries its own style, for light and dark pages."""
        return _html(self)

    @property
    def bundle(self) -> dict[str, Any]:
        """The panel as a mime bundle, with the evidence for graders."""
        keys = ("exercise", "name", "result", "mistake", "summary")
        evidence = {key: getattr(self, key) for key in keys}
        evidence["mistakes"] = [mistake.key for mistake in self.mistakes]
        return {"text/html": self.html, "text/plain": self.text, EVIDENCE: evidence}


def _text(report: Report) -> Iterator[str]:
    yield _headline(report)
    for heading, rows in _groups(report):
        if heading:
            yield f"  {heading}"
        for row in rows:
            yield f"  {MARKS[row.ok]} {row.title}"
            if row is _first_failure(report):
                yield from (f"      {line}" for line in row.says.splitlines())
    for introduction, mistake in _introduced(report):
        yield from ("", f"  {introduction} {mistake.says}")
        if mistake.hint:
            yield f"  {mistake.hint}"
    if example := report.counterexample:
        yield ""
        for name, value in example.given.items():
            yield _aligned(f"  {name} =", show(value))
        yield _aligned("  yours:   ", show(example.got, example.index))
        yield _aligned("  expected:", show(example.expected, example.index))
    if report.printed:
        yield from ("", "  It printed:", *(f"  | {line}" for line in report.printed.splitlines()))


def _html(report: Report) -> str:
    parts = [f"<style>{_css()}</style>", f'<div class="title">{escape(_headline(report))}</div>']
    rows = "".join(_tier(report, heading, group) for heading, group in _groups(report))
    if report.result == "passed":
        parts.append(f"<details><summary>what was tried</summary>{rows}</details>")
    else:
        parts.append(rows)
    for introduction, mistake in _introduced(report):
        hint = _details("What to do", _code(mistake.hint)) if mistake.hint else ""
        parts.append(f'<div class="mistake">{introduction} {_code(mistake.says)}{hint}</div>')
    if example := report.counterexample:
        given = "".join(_block(f"{name} =", show(value)) for name, value in example.given.items())
        got, expected = show(example.got, example.index), show(example.expected, example.index)
        parts.append(f'<div class="numbers">{given}</div>')
        agree = _agreeing(example)
        both = _block("yours", got, expected, agree) + _block("expected", expected)
        parts.append(f'<div class="numbers">{both}</div>')
    if report.printed:
        parts.append(_details("What it printed", f"<pre>{escape(report.printed)}</pre>"))
    parts += [
        _details(title, _code(hint)) for title, hint in zip(TITLES, report.hints, strict=False)
    ]
    inside = "".join(parts)
    return f'<div class="check-panel {report.result}" data-result="{report.result}">{inside}</div>'


def _tier(report: Report, heading: str, rows: list[Row]) -> str:
    """The rows of one tier; a technique that is right is folded, so that the rest is seen."""
    items = f"<ul>{''.join(_row(report, row) for row in rows)}</ul>"
    if report.result == "right" and all(row.ok for row in rows):
        return f'<details class="tier"><summary>{escape(heading)}</summary>{items}</details>'
    return (f'<div class="tier">{escape(heading)}</div>' if heading else "") + items


def _groups(report: Report) -> list[tuple[str, list[Row]]]:
    """The rows in their two tiers, with headings and how many are right; one tier has none."""
    tiers = [[row for row in report.rows if row.ready is ready] for ready in (False, True)]
    if not all(tiers):
        return [("", rows) for rows in tiers if rows]
    return [
        (f"{'✓' if all(row.ok for row in rows) else wrong} {name}: {_share(rows)}", rows)
        for name, wrong, rows in zip((TECHNIQUE, READY), "✗◐", tiers, strict=True)
    ]


def _share(rows: list[Row]) -> str:
    right = sum(row.ok is True for row in rows)
    return f"all {right} right" if right == len(rows) else f"{right} of {len(rows)} right"


def show(value: Any, index: tuple[int, ...] | None = None) -> str:
    """Write a value out so that it can be read: a large tensor as a window around `index`."""
    if not isinstance(value, Tensor):
        if isinstance(value, int):
            return whole_number(value)
        written = repr(value) if isinstance(value, PLAIN) else a_kind_of(value)
        return written if len(written) <= 300 else f"{written[:300]} …"
    if value.is_meta or not is_ordinary(value):
        return f"{a_kind_of(value)} on {value.device}"
    window, place = _window(value.detach(), index)
    return f"{_kind(value)}, of which [{place}] is\n{_digits(window)}" if place else _digits(window)


def _window(value: Tensor, index: tuple[int, ...] | None) -> tuple[Tensor, str]:
    """What is written out of a tensor, and where that lies in it; "" for the whole of it."""
    if value.numel() <= SHOWN:
        return value, ""
    before = (index or (0,) * value.ndim)[:-1]
    start = max(0, (index[-1] if index else 0) - 3)
    place = ", ".join([*map(str, before), f"{start}:{start + 6}"])
    return value[before][start : start + 6], place


def _digits(value: Tensor) -> str:
    sizes = value[value.isfinite()].abs() if value.is_floating_point() else value.new_zeros(0)
    ordinary = not sizes.numel() or sizes.max() == 0 or 1e-2 < sizes.max() < 1e5
    with torch._tensor_str.printoptions(precision=4, sci_mode=not ordinary, linewidth=88):
        return _plain(repr(value))


def _plain(written: str) -> str:
    return written.removeprefix("tensor(").removesuffix(")").replace("\n       ", "\n")


def _kind(value: Tensor) -> str:
    return f"{str(value.dtype).removeprefix('torch.')} {tuple(value.shape)}"


def _headline(report: Report) -> str:
    name = f"{SIGNS[report.result]} Exercise {report.exercise} · {report.name}"
    wrong = sum(row.ok is False for row in report.rows)
    if report.result == "passed":
        return f"{name}: right, all {len(report.rows)} probes pass"
    if report.result == "right":
        things = "one thing" if wrong == 1 else f"{wrong} things"
        return f"{name}: right. Before a real model uses it, mend {things}"
    if report.result == "todo":
        return f"{name}: to do"
    if not report.rows:
        return f"{name}: {report.summary}"
    return f"{name}: not right yet, {wrong} of {len(report.rows)} probes fail"


def _introduced(report: Report) -> Iterator[tuple[str, Mistake]]:
    """Each mistake with the words that lead to it."""
    parts = report.diagnosis.parts
    for i, part in enumerate(parts):
        for mistake in part:
            if len(parts) == 1 and len(part) > 1:
                yield "Either this:", mistake
            elif len(parts) == 1 and report.diagnosis.complete:
                yield "This is what your answer does:", mistake
            elif len(parts) == 1:
                yield "This, and something else besides:", mistake
            elif mistake is not part[0]:
                yield "or this:", mistake
            else:
                yield "And this:" if i else "This:", mistake


def _first_failure(report: Report) -> Row | None:
    return next((row for row in report.rows if row.ok is False), None)


def _row(report: Report, row: Row) -> str:
    says = f'<span class="says">{_code(row.says)}</span>' if row is _first_failure(report) else ""
    reached = "" if row.ok is not None else ' class="not-reached"'
    return f"<li{reached}>{MARKS[row.ok]} {_code(row.title)}{says}</li>"


def _agreeing(example: Counterexample) -> list[bool]:
    """For each number that is written out of a tensor: is it right up to rounding?"""
    got, expected = example.got, example.expected
    tensors = isinstance(got, Tensor) and isinstance(expected, Tensor)
    if not tensors or got.shape != expected.shape or got.is_meta or got.is_complex():
        return []
    if not (is_ordinary(got) and is_ordinary(expected)):
        return []
    return _window(close(got, expected), example.index)[0].flatten().tolist()


def _block(
    label: str, written: str, beside: str | None = None, agree: list[bool] | None = None
) -> str:
    """Show a value; numbers that differ from those in `beside`, one by one, are marked.

    agree: which of the numbers are right though rounding writes them otherwise.
    """
    mine, right = WORD.split(written), WORD.split(beside or written)
    if len(mine) != len(right):
        right = mine
    # Behind the numbers of a tensor may stand its dtype, and before them where they lie in it.
    first = len(WORD.findall(written.rpartition(" is\n")[0])) if agree else 0
    for place, is_right in enumerate(agree or (), start=first):
        if is_right and 2 * place + 1 < len(mine):
            right[2 * place + 1] = mine[2 * place + 1]
    marked = "".join(
        f'<b class="differs">{escape(word)}</b>' if i % 2 and word != right[i] else escape(word)
        for i, word in enumerate(mine)
    )
    return f'<div><div class="label">{escape(label)}</div><pre>{marked}</pre></div>'


def _details(title: str, inside: str) -> str:
    return f"<details><summary>{escape(title)}</summary>{inside}</details>"


def _code(sentence: str) -> str:
    """Escape a sentence and set what stands between backticks as code."""
    pieces = escape(sentence).split("`")
    return "".join(f"<code>{p}</code>" if i % 2 else p for i, p in enumerate(pieces))


def _aligned(label: str, written: str) -> str:
    indent = "\n" + " " * (len(label) + 1)
    return f"{label} {written.replace(chr(10), indent)}"


@cache
def _css() -> str:
    return (Path(__file__).with_name("panel.css")).read_text(encoding="utf-8")
