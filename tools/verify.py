"""What a lab's source must fulfil before it is built; the first fault stops the build."""

from __future__ import annotations

import ast
import re
from collections.abc import Mapping

from tools.source import BEGIN, CHECK, END, GIVEN, BuildError, Cell, Lab


def verify(lab: Lab) -> None:
    """Stop at the first thing in the source that would give a broken lab."""
    number = lab.stem[:2]
    if not lab.cells or lab.cells[0].kind != "markdown" or not lab.cells[0].text.startswith("# "):
        raise BuildError(f"{lab.path}:1: the first cell must be the title, `# {number} · …`.")
    for cell in lab.cells:
        if not cell.lines:
            raise BuildError(f"{lab.path}:{cell.line - 1}: this cell is empty.")
        cell.solutions()
        if cell.kind == "code":
            verify_code(cell, str(int(number)))
    for id in ("setup", "imports"):
        if not lab.cell(id):
            raise BuildError(f'{lab.path}:1: the lab has no cell `# %% id="{id}"`.')
    verify_exercises(lab)
    verify_checks(lab)


def verify_code(cell: Cell, lab_number: str) -> None:
    """A code cell: an exercise, a check of one line, or anything else that Python can read."""
    for i, line in enumerate(cell.lines):
        if re.match(r"#\s*EXERCISE\b", line.strip()) and not (i == 0 and cell.exercise):
            meant = "the first line of its cell, `# EXERCISE 3.5 · name`."
            raise cell.error(i, f"an exercise is announced by {meant}")
        if re.match(r"#\s*GIVEN\b", line.strip()) and not (i == 0 and GIVEN.fullmatch(line)):
            meant = "the first line of its cell, `# GIVEN · Name`."
            raise cell.error(i, f"a piece that is given is announced by {meant}")
    for version, source in (("", cell.solved), (" without its solution", cell.stub)):
        try:
            tree = ast.parse(source)
        except SyntaxError as error:
            what = f"{error.msg}: `{(error.text or '').strip()}`"
            raise cell.error(0, f"this cell{version} is not valid Python, {what}.") from None
    defined = {n.name for n in tree.body if isinstance(n, ast.FunctionDef | ast.ClassDef)}
    if cell.piece and cell.piece not in defined:
        raise cell.error(0, f"this cell defines no function or class called {cell.piece}.")
    if cell.exercise:
        number, _ = cell.exercise
        if number.split(".")[0] != lab_number:
            raise cell.error(0, f"exercise {number} stands in lab {lab_number}.")
        if not cell.solutions():
            raise cell.error(0, f"exercise {number} has no solution between {BEGIN} and {END}.")
    elif cell.lines[0].startswith("check.") and not CHECK.fullmatch(cell.text):
        raise cell.error(0, "a check cell is exactly one line, `check.name(name)`.")


def verify_exercises(lab: Lab) -> None:
    """Exercises have names of their own and are numbered upwards."""
    names: set[str] = set()
    last: tuple[int, ...] = ()
    for cell in lab.exercises:
        number, name = cell.numbered
        rank = tuple(map(int, number.split(".")))
        if name in names:
            raise cell.error(0, f"there are two exercise cells for {name}.")
        if rank <= last:
            raise cell.error(
                0, f"exercise {number} does not come after {'.'.join(map(str, last))}."
            )
        names.add(name)
        last = rank


def verify_checks(lab: Lab) -> None:
    """Every exercise has one check cell, and it stands after the exercise."""
    exercises = {cell.numbered[1]: cell for cell in lab.exercises}
    checked = set()
    for cell, name in lab.check_cells:
        if not cell.text.endswith(f"({name})") or name not in exercises:
            raise cell.error(0, f"this cell checks {name}, but no exercise cell defines it.")
        if name in checked:
            raise cell.error(0, f"{name} is checked twice.")
        if cell.line < exercises[name].line:
            raise cell.error(0, f"{name} is checked before its exercise cell.")
        checked.add(name)
    for name, cell in exercises.items():
        if name not in checked:
            raise cell.error(0, f"this exercise has no check cell `check.{name}({name})`.")


def verify_points(lab: Lab, exercises: Mapping[str, tuple[str, int]]) -> dict[str, int]:
    """name → points, once the lab's exercises and the checks of its module are the same ones."""
    module = f"checks/{lab.name}"
    for cell in lab.exercises:
        number, name = cell.numbered
        if name not in exercises:
            raise cell.error(0, f"exercise {number} has no check: {module} has no {name}.")
        if exercises[name][0] != number:
            raise cell.error(0, f"{name} is exercise {exercises[name][0]} in {module}.")
    written = {cell.numbered[1] for cell in lab.exercises}
    for name, (number, _) in exercises.items():
        if name not in written:
            what = f"{module} checks {name}, but no cell begins `# EXERCISE {number} · {name}`"
            raise BuildError(f"{lab.path}:1: {what}.")
    return {name: points for name, (_, points) in exercises.items()}
