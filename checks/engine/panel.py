"""The panel under a check: HTML for a notebook, and the same in plain text."""

import re
from functools import cache
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from checks.engine.compare import a_kind_of, is_ordinary

if TYPE_CHECKING:
    from checks.engine.check import Report

SHOWN = (
    36  # numbers of a tensor that are written out; of a larger one, a window around the difference
)
WORD = re.compile(r"([\w.+-]+)")  # a number or a name, as it stands in a written-out value
MARKS = {True: "✓", False: "✗", None: "·"}
TITLES = ("Hint 1: a question", "Hint 2: the idea", "Hint 3: the line")


def text(report: "Report") -> str:
    """Write the panel as plain text."""
    lines = [f"{_headline(report)}"]
    for row in report.rows:
        lines.append(f"  {MARKS[row.ok]} {row.title}")
        if row.says and (row.ok is False) and row is _first_failure(report):
            lines += [f"      {line}" for line in row.says.splitlines()]
    for mistake in report.mistakes:
        lines += ["", f"  {_introduction(report, mistake)} {mistake.says}"]
        if mistake.hint:
            lines.append(f"  {mistake.hint}")
    if example := report.counterexample:
        lines.append("")
        for name, value in example.given.items():
            lines.append(_aligned(f"  {name} =", show(value)))
        lines.append(_aligned("  yours:   ", show(example.got, example.index)))
        lines.append(_aligned("  expected:", show(example.expected, example.index)))
    if report.printed:
        lines += ["", "  It printed:", *(f"  | {line}" for line in report.printed.splitlines())]
    return "\n".join(lines)


def html(report: "Report") -> str:
    """Write the panel as HTML that carries its own style, for light and dark pages."""
    parts = [f"<style>{_css()}</style>", f'<div class="title">{escape(_headline(report))}</div>']
    rows = "".join(_row(report, row) for row in report.rows)
    if report.result == "passed":
        parts.append(f"<details><summary>what was tried</summary><ul>{rows}</ul></details>")
    elif rows:
        parts.append(f"<ul>{rows}</ul>")
    for mistake in report.mistakes:
        hint = _details("What to do", _code(mistake.hint)) if mistake.hint else ""
        says = f"{_introduction(report, mistake)} {_code(mistake.says)}"
        parts.append(f'<div class="mistake">{says}{hint}</div>')
    if example := report.counterexample:
        given = "".join(_block(f"{name} =", show(value)) for name, value in example.given.items())
        got, expected = show(example.got, example.index), show(example.expected, example.index)
        parts.append(f'<div class="numbers">{given}</div>')
        both = _block("yours", got, expected) + _block("expected", expected)
        parts.append(f'<div class="numbers">{both}</div>')
    if report.printed:
        parts.append(_details("What it printed", f"<pre>{escape(report.printed)}</pre>"))
    parts += [
        _details(title, _code(hint)) for title, hint in zip(TITLES, report.hints, strict=False)
    ]
    inside = "".join(parts)
    return f'<div class="check-panel {report.result}" data-result="{report.result}">{inside}</div>'


def show(value: Any, index: tuple[int, ...] | None = None) -> str:
    """Write a value out so that it can be read: a large tensor as a window around `index`."""
    if not isinstance(value, Tensor):
        written = repr(value)
        return written if len(written) <= 300 else f"{written[:300]} …"
    if value.is_meta or not is_ordinary(value):
        return f"{a_kind_of(value)} on {value.device}"
    value = value.detach()
    if value.numel() <= SHOWN:
        return _digits(value)
    window = value
    for at in (index or (0,) * value.ndim)[: value.ndim - 1] if value.ndim > 1 else ():
        window = window[at]
    start = max(0, (index[-1] if index else 0) - 3)
    place = [*map(str, (index or (0,) * value.ndim)[:-1]), f"{start}:{start + 6}"]
    return f"{_kind(value)}, of which [{', '.join(place)}] is\n{_digits(window[start : start + 6])}"


def _digits(value: Tensor) -> str:
    sizes = value[value.isfinite()].abs() if value.is_floating_point() else value.new_zeros(0)
    ordinary = not sizes.numel() or sizes.max() == 0 or 1e-2 < sizes.max() < 1e5
    with torch._tensor_str.printoptions(precision=4, sci_mode=not ordinary, linewidth=88):
        return _plain(repr(value))


def _plain(written: str) -> str:
    return written.removeprefix("tensor(").removesuffix(")").replace("\n       ", "\n")


def _kind(value: Tensor) -> str:
    return f"{str(value.dtype).removeprefix('torch.')} {tuple(value.shape)}"


def _headline(report: "Report") -> str:
    name = f"Exercise {report.exercise} · {report.name}"
    if report.result == "passed":
        return f"✓ {name}: right, all {len(report.rows)} probes pass"
    if report.result == "todo":
        return f"✎ {name}: to do"
    wrong = sum(row.ok is False for row in report.rows)
    if not report.rows:
        return f"✗ {name}: {report.summary}"
    return f"✗ {name}: not right yet, {wrong} of {len(report.rows)} probes fail"


def _introduction(report: "Report", mistake: Any) -> str:
    found = report.diagnosis
    if found.alternatives:
        return "This is what your answer does:" if len(found.mistakes) == 1 else "Either this:"
    if len(found.mistakes) == 1 and not found.complete:
        return "This, and something else besides:"
    return "This:" if mistake is found.mistakes[0] else "And this:"


def _first_failure(report: "Report") -> Any:
    return next((row for row in report.rows if row.ok is False), None)


def _row(report: "Report", row: Any) -> str:
    says = f'<span class="says">{_code(row.says)}</span>' if row is _first_failure(report) else ""
    reached = "" if row.ok is not None else ' class="not-reached"'
    return f"<li{reached}>{MARKS[row.ok]} {_code(row.title)}{says}</li>"


def _block(label: str, written: str, beside: str | None = None) -> str:
    """Show a value; numbers that differ from those in `beside`, one by one, are marked."""
    mine, right = WORD.split(written), WORD.split(beside or written)
    if len(mine) != len(right):
        right = mine
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
