"""Read a notebook without running it: which lab it is, and where its check cells stand.

What counts is what the course expects, not what the notebook contains: every exercise of the lab
needs its check cell, after its exercise and in the course's order. Check cells are compared as
code: a comment, a magic or a copy of one costs nothing.
"""

import ast
import functools
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from checks import catalogue
from checks.grading.reading import text

ROOT = Path(__file__).resolve().parents[2]

# What makes nbval skip a cell, or forgive its error.
FORGIVING_TAGS = {"nbval-skip", "nbval-raises-exception", "raises-exception"}


@dataclass(frozen=True)
class Exercise:
    """One exercise that the course expects in a lab: `3.5`, `apply_rope`, 8 points."""

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
        own = [one for one in _every_exercise() if one.number.startswith(f"{number}.")]
        return sorted(own, key=lambda one: int(one.number.partition(".")[2]))


def numbers() -> dict[str, str]:
    """The number of every exercise of the course, by its name."""
    return {one.name: one.number for one in _every_exercise()}


@functools.cache
def _every_exercise() -> tuple[Exercise, ...]:
    """All exercises, read once: a notebook that changes the checks changes no plan."""
    paths = sorted((ROOT / "checks").glob("*/*.py"))
    sources = (path.read_text(encoding="utf-8") for path in paths)
    # To parse the others, which have no check in them, would cost most of a second.
    return tuple(one for source in sources if "= Check(" in source for one in _checks(source))


def _checks(source: str) -> Iterator[Exercise]:
    """Yield what stands in a module as `name = Check(exercise="3.5", name=…, weight=2, …)`."""
    for node in ast.parse(source).body:
        call = getattr(node, "value", None)
        if isinstance(call, ast.Call) and getattr(call.func, "id", "") == "Check":
            given = {one.arg: one.value for one in call.keywords}
            number, name = (ast.literal_eval(given[key]) for key in ("exercise", "name"))
            weight = ast.literal_eval(given.get("weight", ast.Constant(1)))
            yield Exercise(number, name, catalogue.FULL * weight)


def known_labs(root: Path = ROOT) -> dict[str, Lab]:
    """List the labs that have checks, by name. A lab's files tell: no list is kept."""
    files = [*(root / "solutions").glob("[0-9][0-9]_*.py"), *(root / "labs").glob("[0-9][0-9]_*")]
    labs = (Lab(file.stem, file.stem[3:]) for file in files)
    checks = root / "checks"
    return {lab.name: lab for lab in labs if (checks / lab.module / "__init__.py").is_file()}


def recognise(file_name: str, notebook: Mapping[str, Any], root: Path = ROOT) -> Lab | None:
    """Tell which lab a notebook is: by its metadata, else its file name, else what it imports."""
    labs = known_labs(root)
    if found := _by_metadata(notebook, labs) or _by_name(file_name, labs):
        return found
    for _, source in code_cells(notebook):
        if imported := re.search(r"^from checks import (\w+) as check\b", source, re.MULTILINE):
            return next((lab for lab in labs.values() if lab.module == imported[1]), None)
    return None


def disagreement(file_name: str, notebook: Mapping[str, Any], root: Path = ROOT) -> str:
    """Say that a notebook is called after another lab than it is; "" when it is not."""
    labs = known_labs(root)
    named, said = _by_name(file_name, labs), _by_metadata(notebook, labs)
    if named is None or said is None or named == said:
        return ""
    return f"it is called {named.name}, but it is {said.name}, and was graded as that"


def _by_metadata(notebook: Mapping[str, Any], labs: Mapping[str, Lab]) -> Lab | None:
    metadata = notebook.get("metadata")
    said = metadata.get("llama_lab") if isinstance(metadata, Mapping) else None
    name = said.get("lab") if isinstance(said, Mapping) else None
    return labs.get(name) if isinstance(name, str) else None


def _by_name(file_name: str, labs: Mapping[str, Lab]) -> Lab | None:
    # The longest name wins: `03_rope_scaling (1).ipynb` is not `03_rope`.
    for name in sorted(labs, key=len, reverse=True):
        if re.search(rf"(?<!\d){re.escape(name)}(?![a-z])", file_name.lower()):
            return labs[name]
    return None


def code_cells(notebook: Mapping[str, Any]) -> Iterator[tuple[int, str]]:
    """Yield the number and the source of each code cell; the first one is number 0, as in nbval."""
    cells = (cell for cell in notebook["cells"] if cell["cell_type"] == "code")
    for number, cell in enumerate(cells):
        yield number, text(cell["source"])


def audit(notebook: Mapping[str, Any], lab: Lab, plan: list[Exercise]) -> dict[str, int | str]:
    """Find the check cell of each exercise: its number among the code cells, or why none counts."""
    found = {exercise.number: _check_cell(notebook, lab, exercise) for exercise in plan}
    order = [number for number, cell in found.items() if isinstance(cell, int)]
    in_place = _longest_rising(order, found)
    for number in order:
        if number not in in_place:
            found[number] = "its check cell was moved; put the checks in the order of the exercises"
    return found


def copies(
    notebook: Mapping[str, Any], plan: list[Exercise], places: Mapping[str, int | str]
) -> set[int]:
    """Find the check cells that are there once more; what they would say has been said."""
    chosen = {place for place in places.values() if isinstance(place, int)}
    checks = [exercise.check for exercise in plan]
    return {
        number
        for number, source in code_cells(notebook)
        if number not in chosen and any(is_check(source, check) for check in checks)
    }


def is_check(source: str, check: str) -> bool:
    """Tell whether a cell is this check: as code, with nothing else that does anything."""
    lines = [
        line for line in source.splitlines() if not re.match(r"\s*(%%(time|capture)\b|%\w)", line)
    ]
    try:
        tree, wanted = ast.parse("\n".join(lines)), ast.parse(check, mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False
    calls = [node for node in tree.body if not _is_harmless(node)]
    if len(calls) != 1 or not isinstance(calls[0], ast.Expr | ast.Assign):
        return False
    return ast.dump(calls[0].value) == ast.dump(wanted)


def _is_harmless(node: ast.stmt) -> bool:
    """An import, a text, a print: beside the check, they do nothing to it."""
    if isinstance(node, ast.Import | ast.ImportFrom | ast.Pass):
        return True
    if not isinstance(node, ast.Expr):
        return False
    value = node.value
    is_print = isinstance(value, ast.Call) and getattr(value.func, "id", "") == "print"
    return isinstance(value, ast.Constant | ast.Name) or is_print


def _check_cell(notebook: Mapping[str, Any], lab: Lab, exercise: Exercise) -> int | str:
    cells = dict(code_cells(notebook))
    numbers = [n for n, source in cells.items() if is_check(source, exercise.check)]
    if not numbers:
        return _why_missing(notebook, lab, exercise)
    answers = [n for n, source in cells.items() if _has_title(source, exercise)]
    if not answers:
        line = f"# EXERCISE {exercise.number} · {exercise.name}"
        return f"no cell has the line `{line}`; write that line above your answer"
    below = [number for number in numbers if number > answers[0]]
    if not below:
        return "its check cell was moved; it belongs below its exercise"
    forgiving = {n: sorted(FORGIVING_TAGS & _tags(notebook, n)) for n in below}
    running = [number for number in below if not forgiving[number]]
    if not running:
        tag = forgiving[below[0]][0]
        return f"its check cell carries the tag {tag!r}, which switches it off; remove the tag"
    # Of copies, the one that has seen the last version of the answer in its own section.
    end = _next_title(cells, answers[0], exercise)
    return next((n for n in reversed(running) if n < end), running[0])


def _has_title(source: str, exercise: Exercise) -> bool:
    number = rf"{re.escape(exercise.number)}(?![\d.]*\d)"
    name = rf"[\d.]+\s*\W\s*{re.escape(exercise.name)}\b"  # another version numbers otherwise
    title = rf"^\s*#\s*EXERCISE\s+(?:{number}|{name})"
    return re.search(title, source, re.IGNORECASE | re.MULTILINE) is not None


def _next_title(cells: Mapping[int, str], start: int, exercise: Exercise) -> float:
    """The first cell behind `start` that begins another exercise."""
    other = re.compile(r"^\s*#\s*EXERCISE\s+[\d.]+", re.IGNORECASE | re.MULTILINE)
    begins = [
        n for n, s in cells.items() if n > start and other.search(s) and not _has_title(s, exercise)
    ]
    return min(begins, default=float("inf"))


def _why_missing(notebook: Mapping[str, Any], lab: Lab, exercise: Exercise) -> str:
    copy = f"copy it again from labs/{lab.name}.ipynb"
    for cell in notebook["cells"]:
        if cell["cell_type"] != "code" and text(cell["source"]).strip(" \n`") == exercise.check:
            return f"its check cell became a {cell['cell_type']} cell; make it a code cell again"
    mention = re.compile(rf"\bcheck\s*\.\s*{re.escape(exercise.name)}\b")
    if any(mention.search(source) for _, source in code_cells(notebook)):
        return f"its check cell was edited; {copy}"
    if not any(_has_title(source, exercise) for _, source in code_cells(notebook)):
        return (
            "neither the exercise nor its check is in this notebook: is it of another version of "
            f"the course? Go on in labs/{lab.name}.ipynb of this one"
        )
    return f"its check cell is missing; {copy}"


def _longest_rising(order: list[str], cells: Mapping[str, Any]) -> set[str]:
    """Keep as many exercises as stand in the right order: one moved cell costs one exercise."""
    best: dict[str, list[str]] = {}
    for number in order:
        before = [best[earlier] for earlier in best if cells[earlier] < cells[number]]
        best[number] = [*_longest(before), number]
    return set(_longest([*best.values()]))


def _longest(lists: list[list[str]]) -> list[str]:
    return max(lists, key=lambda one: len(one)) if lists else []


def _tags(notebook: Mapping[str, Any], number: int) -> set[str]:
    cells = [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]
    tags = cells[number].get("metadata", {}).get("tags")
    marks = re.findall(r"^\s*#\s*(NBVAL_\w+)\s*$", text(cells[number]["source"]), re.MULTILINE)
    found = [*marks, *(tags if isinstance(tags, list) else [])]
    return {str(tag).lower().replace("_", "-") for tag in found}
