"""Read a notebook without running it: which lab it is, and where its check cells stand.

What counts is what the course expects, not what the notebook contains: every exercise of the lab
needs its check cell, unchanged, exactly once, after its exercise and in the course's order.
"""

import ast
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]

# What makes nbval skip a cell, or forgive its error.
FORGIVING_TAGS = {"nbval-skip", "nbval-raises-exception", "raises-exception"}


@dataclass(frozen=True)
class Exercise:
    """One exercise that the course expects in a lab: `3.5`, `apply_rope`, 2 points."""

    number: str
    name: str
    points: int

    @property
    def check(self) -> str:
        """The whole source of its check cell."""
        return f"check.{self.name}({self.name})"


@dataclass(frozen=True)
class Lab:
    """A lab of the course: `03_rope`, and the module in `checks` that judges it, `rope`."""

    name: str
    module: str

    def exercises(self) -> list[Exercise]:
        """List what the lab's checks expect, in order: read, since importing them imports torch."""
        number = int(self.name[:2])
        sources = (path.read_text(encoding="utf-8") for path in (ROOT / "checks").glob("*.py"))
        found = [one for source in sources for one in _checks(source)]
        own = [one for one in found if one.number.startswith(f"{number}.")]
        return sorted(own, key=lambda one: int(one.number.partition(".")[2]))


def _checks(source: str) -> Iterator[Exercise]:
    """Yield what stands in a module as `name = Check(exercise="3.5", name=…, points=2, …)`."""
    for node in ast.parse(source).body:
        call = getattr(node, "value", None)
        if isinstance(call, ast.Call) and getattr(call.func, "id", "") == "Check":
            given = {one.arg: one.value for one in call.keywords}
            number, name = (ast.literal_eval(given[key]) for key in ("exercise", "name"))
            yield Exercise(number, name, ast.literal_eval(given.get("points", ast.Constant(1))))


def known_labs(root: Path = ROOT) -> dict[str, Lab]:
    """List the labs that have checks, by name. A lab's files tell: no list is kept."""
    files = [*(root / "solutions").glob("[0-9][0-9]_*.py"), *(root / "labs").glob("[0-9][0-9]_*")]
    labs = (Lab(file.stem, file.stem[3:]) for file in files)
    return {lab.name: lab for lab in labs if (root / "checks" / f"{lab.module}.py").is_file()}


def recognise(file_name: str, notebook: Mapping[str, Any], root: Path = ROOT) -> Lab | None:
    """Tell which lab a notebook is: by its metadata, else its file name, else what it imports."""
    labs = known_labs(root)
    said = notebook.get("metadata", {}).get("llama_lab", {})
    said = said.get("lab") if isinstance(said, Mapping) else None
    if said in labs:
        return labs[said]
    # The longest name wins: `03_rope_scaling (1).ipynb` is not `03_rope`.
    for name in sorted(labs, key=len, reverse=True):
        if re.search(rf"(?<!\d){re.escape(name)}(?![a-z])", file_name.lower()):
            return labs[name]
    for _, source in code_cells(notebook):
        if found := re.search(r"^from checks import (\w+) as check\b", source, re.MULTILINE):
            return next((lab for lab in labs.values() if lab.module == found[1]), None)
    return None


def code_cells(notebook: Mapping[str, Any]) -> Iterator[tuple[int, str]]:
    """Yield the number and the source of each code cell; the first one is number 0, as in nbval."""
    cells = (cell for cell in notebook["cells"] if cell["cell_type"] == "code")
    for number, cell in enumerate(cells):
        yield number, _text(cell["source"])


def audit(notebook: Mapping[str, Any], lab: Lab, plan: list[Exercise]) -> dict[str, int | str]:
    """Find the check cell of each exercise: its number among the code cells, or why none counts."""
    found = {exercise.number: _check_cell(notebook, lab, exercise) for exercise in plan}
    order = [number for number, cell in found.items() if isinstance(cell, int)]
    in_place = _longest_rising(order, found)
    for number in order:
        if number not in in_place:
            found[number] = "its check cell was moved; put the checks in the order of the exercises"
    return found


def _check_cell(notebook: Mapping[str, Any], lab: Lab, exercise: Exercise) -> int | str:
    cells = dict(code_cells(notebook))
    numbers = [n for n, source in cells.items() if source.strip() == exercise.check]
    if len(numbers) > 1:
        return f"its check cell is there {len(numbers)} times; keep one of them"
    if not numbers:
        return _why_missing(notebook, lab, exercise)
    (number,) = numbers
    if tags := sorted(FORGIVING_TAGS & _tags(notebook, number)):
        return f"its check cell carries the tag {tags[0]!r}, which switches it off; remove the tag"
    title = re.compile(rf"\s*#\s*EXERCISE\s+{re.escape(exercise.number)}(?![\d.]*\d)", re.I)
    answers = [n for n, source in cells.items() if title.match(source)]
    line = f"# EXERCISE {exercise.number} · {exercise.name}"
    if not answers:
        return f"no cell begins with the line `{line}`; write that line above your answer"
    if number < answers[0]:
        return "its check cell was moved; it belongs below its exercise"
    return number


def _why_missing(notebook: Mapping[str, Any], lab: Lab, exercise: Exercise) -> str:
    copy = f"copy it again from labs/{lab.name}.ipynb"
    for cell in notebook["cells"]:
        if cell["cell_type"] != "code" and _text(cell["source"]).strip(" \n`") == exercise.check:
            return f"its check cell became a {cell['cell_type']} cell; make it a code cell again"
    mention = re.compile(rf"\bcheck\s*\.\s*{re.escape(exercise.name)}\b")
    if any(mention.search(source) for _, source in code_cells(notebook)):
        return f"its check cell was edited; {copy}"
    return f"its check cell is missing; {copy}"


def _longest_rising(order: list[str], cells: Mapping[str, int | str]) -> set[str]:
    """Keep as many exercises as stand in the right order: one moved cell costs one exercise."""
    best: dict[str, list[str]] = {}
    for number in order:
        before = [best[earlier] for earlier in best if cells[earlier] < cells[number]]
        best[number] = [*max(before, key=len, default=[]), number]
    return set(max(best.values(), key=len, default=[]))


def _tags(notebook: Mapping[str, Any], number: int) -> set[str]:
    cells = [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]
    tags = cells[number].get("metadata", {}).get("tags")
    return {str(tag).lower() for tag in tags} if isinstance(tags, list) else set()


def _text(source: str | list[str]) -> str:
    return source if isinstance(source, str) else "".join(source)
