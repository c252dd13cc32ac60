"""The progress board: which exercises of the course are done. `progress.board()` in any lab.

What counts is found, not listed: the labs by their files, a learner's pieces in `my_llama`, and
the results of their checks in `my_llama/progress.json` (checks/engine/records.py writes it).
"""

from __future__ import annotations

import os
import re
import textwrap
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any

from checks import catalogue, front_end
from checks.learner import pieces, progress_file, tables
from checks.learner.piece_source import pieces_in

ROOT = Path(__file__).resolve().parents[2]
ELSEWHERE = "In labs/, this shows a table of all labs: which of their exercises you have done."
KEY = "✓ passed its check   ◐ right, not ready for a real model   ✗ not right yet   ✎ to do"

DONE = ("done", "right")


@dataclass(frozen=True)
class Exercise:
    """One exercise and what the learner has done about it.

    A pass stays a pass; `slipped` tells that the newest try of a passed one is not right.
    """

    number: str
    name: str
    saved: bool = False
    passed: bool = False
    right: bool = False
    tries: int = 0
    slipped: bool = False

    @property
    def state(self) -> str:
        """ "done", "right" (which counts as done), "wrong" or "todo"."""
        if self.right and not self.passed:
            return "right"
        if self.saved or self.passed:
            return "done"
        return "wrong" if self.tries else "todo"


@dataclass(frozen=True)
class Lab:
    """One lab of the course, found by its files."""

    stem: str
    title: str
    exercises: list[Exercise]

    @property
    def done(self) -> int:
        """How many of its exercises are done."""
        return sum(exercise.state in DONE for exercise in self.exercises)


def board() -> None:
    """Show every lab with its exercises: done, tried, to do; and which one is next."""
    if pieces.uses_worked():
        print(ELSEWHERE)
        return
    found = labs(ROOT, pieces.folder())
    tables.show(as_text(found), as_html(found))


def labs(root: Path, package: Path) -> list[Lab]:
    """All labs in order, and in each exercise what `package`, the learner's my_llama, says."""
    seen = progress_file.read(package)
    found = []
    for lab in catalogue.labs(root):
        saved = _saved(package / f"{lab.module}.py")
        states = [_state(number, name, saved, seen) for number, name in lab.exercises.items()]
        found.append(Lab(lab.stem, lab.title, states))
    return found


def _saved(path: Path) -> set[str]:
    try:
        return set(pieces_in(path.read_text(encoding="utf-8")))
    except (OSError, ValueError):
        return set()


def _state(number: str, name: str, saved: set[str], seen: dict[str, dict[str, Any]]) -> Exercise:
    entry = seen.get(number, {})
    if entry.get("name") != name:
        entry = {}
    passed, right = bool(entry.get("passed")), bool(entry.get("right"))
    tries = entry.get("tries", 0)
    return Exercise(
        number,
        name,
        saved=name in saved,
        passed=passed,
        right=right,
        tries=tries if isinstance(tries, int) else 1,
        slipped=(passed or right) and entry.get("result") == "failed",
    )


def as_text(found: list[Lab]) -> str:
    """The board as plain text."""
    lines, width = [_headline(found)], max((len(lab.title) for lab in found), default=0)
    for lab in found:
        head = f"  {lab.title:{width}}  {_share(lab):>8}  "
        body = "  ".join(f"{tables.MARKS[e.state]} {e.name}" for e in lab.exercises)
        # Nothing breaks between a mark and its name.
        glued = re.sub(r"([✓◐✗✎]) ", "\\1\N{NO-BREAK SPACE}", body)
        wrapped = textwrap.wrap(glued, max(30, 100 - len(head)), break_long_words=False) or [""]
        indent = "\n" + " " * len(head)
        lines.append((head + indent.join(wrapped)).replace("\N{NO-BREAK SPACE}", " ").rstrip())
    return "\n".join([*lines, *(note.replace("`", "") for note in _notes(found)), KEY])


def as_html(found: list[Lab]) -> str:
    """The board as HTML, each lab a link to its notebook."""
    rows = [
        [
            _link(lab.stem, lab.title),
            f'<span style="white-space:nowrap">{_share(lab)}</span>',
            "".join(
                tables.marked(e.state, f"<code>{escape(e.name)}</code>") for e in lab.exercises
            ),
        ]
        for lab in found
    ]
    notes = [tables.code(note) for note in _notes(found)]
    if after := _next(found):
        lab, exercise = after
        notes[0] = f"Next: {_link(lab.stem, f'{exercise.number} {exercise.name}, in {lab.title}')}"
    key = f'<span style="opacity:0.7">{escape(KEY)}</span>'
    return tables.page(_headline(found), rows, [*notes, key])


def _headline(found: list[Lab]) -> str:
    total = sum(len(lab.exercises) for lab in found)
    return f"Your Llama: {sum(lab.done for lab in found)} of {total} exercises done"


def _share(lab: Lab) -> str:
    return f"{lab.done} of {len(lab.exercises)}"


def _notes(found: list[Lab]) -> list[str]:
    """What comes next; which pieces are not saved; which newest tries are not right."""
    notes = ["All of them. Your own code is a Llama."]
    if not any(lab.exercises for lab in found):
        notes = ["No labs were found beside checks/: is this the whole course?"]
    if after := _next(found):
        lab, exercise = after
        notes = [f"Next: {exercise.number} `{exercise.name}`, in labs/{lab.stem}.ipynb"]
    exercises = [exercise for lab in found for exercise in lab.exercises]
    if unsaved := [f"`{e.name}`" for e in exercises if (e.passed or e.right) and not e.saved]:
        notes.append(f"Not saved yet: {', '.join(unsaved)}. The last cells of a lab do that.")
    if slipped := [f"`{e.name}`" for e in exercises if e.slipped]:
        notes.append(f"Passed once, but the newest try is not right: {', '.join(slipped)}.")
    return notes


def _next(found: list[Lab]) -> tuple[Lab, Exercise] | None:
    todo = ((lab, e) for lab in found for e in lab.exercises if e.state not in DONE)
    return next(todo, None)


def _link(stem: str, label: str) -> str:
    """A link to a lab as seen from this notebook; in Colab, where there are none, only words."""
    target = ROOT / "labs" / f"{stem}.ipynb"
    if front_end.in_colab() or not target.is_file():
        return escape(label)
    try:
        address = Path(os.path.relpath(target, Path.cwd().resolve())).as_posix()
    except (OSError, ValueError):  # a folder that is gone, or another drive of Windows
        return escape(label)
    return f'<a href="{escape(address)}">{escape(label)}</a>'
