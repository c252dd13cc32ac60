"""From the cells that a learner ran to a module of `my_llama` whose pieces pass their checks."""

from __future__ import annotations

import contextlib
import html
import importlib.util
import io
import os
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

from checks import front_end
from checks.catalogue import EXERCISE
from checks.engine import exercises_of
from checks.learner.piece_source import (
    GIVEN,
    defined_names,
    defines,
    global_names,
    import_lines,
    is_python,
    module_source,
    pieces_in,
)

SAVED, KEPT = "saved", "saved before"  # behind the verdict's sign
TO_DO, FAILED = "✎ to do", "✗ not saved"


@dataclass
class Row:
    """What became of one exercise; the note says why when it is not simply saved."""

    exercise: str
    name: str
    state: str
    note: str = ""


def save(check_module: ModuleType, path: Path, history: list[str]) -> list[Row]:
    """Write the pieces of this lab that pass, and say what became of each exercise."""
    checks = {check.name: check for check in exercises_of(check_module)}
    before = path.read_text(encoding="utf-8") if path.exists() else ""
    given = given_pieces(before) | given_pieces(*history)
    wanted = checks.keys() | given.keys()
    old = {name: piece for name, piece in pieces_in(before).items() if name in wanted}
    new = given | {
        name: piece for name in checks if (piece := latest(name, checks[name].exercise, history))
    }
    imports = [*import_lines(before), *(line for cell in history for line in import_lines(cell))]
    notes = {
        name: note
        for name, piece in new.items()
        if (note := unfit(piece, new | old, imports, history))
    }

    chosen = old | {name: piece for name, piece in new.items() if name not in notes}
    chosen = {name: chosen[name] for name in [*given, *checks] if name in chosen}
    title = f"My pieces of the lab {path.stem}, saved by its notebook."
    trial = path.with_name(f".{path.stem}-{os.getpid()}.py")
    lacks: dict[str, str] = {}
    try:
        while chosen.keys() & checks.keys():
            trial.write_text(module_source(title, imports, chosen), encoding="utf-8")
            failures, lacks = failing(trial, path, chosen, checks)
            if not failures:
                break
            notes |= failures
            chosen = {
                name: piece if name not in failures else old[name]
                for name, piece in chosen.items()
                if name not in failures or old.get(name, piece) != piece
            }
        if chosen.keys() & checks.keys() and trial.read_text(encoding="utf-8") != before:
            if set(old) - set(chosen):
                shutil.copy(path, path.with_suffix(".earlier.txt"))
            trial.replace(path)
    finally:
        trial.unlink(missing_ok=True)
    return [row(check, chosen, old, new, notes, lacks) for check in checks.values()]


def given_pieces(*sources: str) -> dict[str, str]:
    """name → source of what these cells or modules give to the learner; the newest wins."""
    return {
        name: piece
        for source in sources
        for name, piece in pieces_in(source).items()
        if GIVEN.match(piece)
    }


def latest(name: str, exercise: str, history: list[str]) -> str | None:
    """The newest cell with this exercise's first line, or else the newest that defines its name."""
    title = f"# EXERCISE {exercise} · {name}"
    cells = [cell.strip() for cell in reversed(history)]
    marked = next((cell for cell in cells if cell.split("\n")[0].rstrip() == title), None)
    if marked:
        return marked
    found = next((c for c in cells if defines(c, name) and not EXERCISE.match(c)), None)
    return found and f"{title}\n{found}"


def unfit(piece: str, pieces: dict[str, str], imports: list[str], history: list[str]) -> str:
    """Why this piece cannot stand in a module of its own; an empty text when it can."""
    if not is_python(piece):
        return "this cell is not valid Python yet."
    names = missing(piece, pieces, imports)
    if not names:
        return ""
    elsewhere = {name for cell in history if is_python(cell) for name in defined_names(cell)}
    uses = f"it uses {', '.join(names)}"
    if set(names) <= elsewhere:
        return f"{uses} from another cell: move that into the exercise cell and run it again."
    return f"{uses}, which is defined nowhere."


def missing(piece: str, pieces: dict[str, str], imports: list[str]) -> list[str]:
    """The names that this piece uses and that neither an import nor any of the pieces defines."""
    given = [*(other for other in pieces.values() if is_python(other)), *imports]
    available = {name for source in given for name in defined_names(source)}
    return sorted(global_names(piece) - available)


def failing(
    trial: Path, path: Path, pieces: dict[str, str], checks: dict[str, Any]
) -> tuple[dict[str, str], dict[str, str]]:
    """Two times name → why: pieces to blame when the module, imported anew, fails; those with ◐."""
    imports = import_lines(trial.read_text(encoding="utf-8"))
    stranded = {name: missing(piece, pieces, imports) for name, piece in pieces.items()}
    if any(stranded.values()):
        return {
            name: f"it uses {', '.join(names)}, which is not finished."
            for name, names in stranded.items()
            if names
        }, {}
    try:
        module = load(trial, f"my_llama._{path.stem}")
    except Exception as error:  # whatever the learner's code raises
        return {guilty(trial, path, pieces): f"{type(error).__name__}: {error}"}, {}
    reports = {name: checks[name].run(getattr(module, name)) for name in pieces if name in checks}
    wrong = {
        name: report for name, report in reports.items() if report.result not in ("passed", "right")
    }
    uses = {name: global_names(pieces[name]) & (wrong.keys() - {name}) for name in wrong}
    failures = {
        name: "" if report.result == "todo" else report.summary
        for name, report in wrong.items()
        if not uses[name] or all(uses.values())
    }
    return failures, {n: r.summary for n, r in reports.items() if r.result == "right"}


def guilty(trial: Path, path: Path, pieces: dict[str, str]) -> str:
    """The first piece with which the module can no longer be imported."""
    imports = import_lines(trial.read_text(encoding="utf-8"))
    names = list(pieces)
    for n in range(1, len(names)):
        trial.write_text(
            module_source("A trial.", imports, {k: pieces[k] for k in names[:n]}), encoding="utf-8"
        )
        try:
            load(trial, f"my_llama._{path.stem}")
        except Exception:
            return names[n - 1]
    return names[-1]


def load(path: Path, name: str, *, package: bool = False) -> ModuleType:
    """Run a module's file as it stands now, without Python's cache; what it prints is not shown."""
    folders = [str(path.parent)] if package else None
    spec = importlib.util.spec_from_file_location(name, path, submodule_search_locations=folders)
    assert spec is not None
    module, before = importlib.util.module_from_spec(spec), sys.modules.get(name)
    sys.modules[name] = module
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            exec(compile(path.read_text(encoding="utf-8"), str(path), "exec"), module.__dict__)
    except BaseException:
        sys.modules.pop(name)
        if before is not None:
            sys.modules[name] = before
        raise
    return module


def row(
    check: Any, chosen: dict, old: dict, new: dict, notes: dict[str, str], lacks: dict[str, str]
) -> Row:
    """The line of the table for one exercise."""
    name, note = check.name, notes.get(check.name, "")
    if name in chosen:
        state = SAVED if chosen[name] == new.get(name) else KEPT
        sign = "◐" if name in lacks else "✓"
        note = f"the newer one is not: {note}" if note else lacks.get(name, "")
        return Row(check.exercise, name, f"{sign} {state}", note)
    return Row(check.exercise, name, FAILED if note else TO_DO, note)


def show(path: Path, rows: list[Row]) -> None:
    """One small table, in HTML and as text."""
    place = f"{path.parent.name}/{path.name}"
    width = max(len(row.name) for row in rows)
    lines = [
        f"  {row.exercise:5} {row.name:{width}}  {row.state:14} {row.note}".rstrip() for row in rows
    ]
    foot = (
        "Colab forgets this folder when the runtime ends, unless the course lies on Google Drive."
    )
    foot = foot if front_end.in_colab() else ""
    cells = [[row.exercise, row.name, row.state, row.note] for row in rows]
    body = "".join(
        "<tr>"
        + "".join(f'<td style="text-align:left">{html.escape(text)}</td>' for text in texts)
        + "</tr>"
        for texts in cells
    )
    markup = f"<table><caption style='text-align:left'>{place}</caption>{body}</table>{foot}"
    text = "\n".join([place, *lines, *([foot] if foot else [])])
    front_end.show({"text/plain": text, "text/html": markup})
