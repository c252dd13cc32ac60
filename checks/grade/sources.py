"""Which lines of a notebook a worker runs: the exercises' cells, and what these need by name.

A notebook is read as JSON and never run. Of the other cells only imports, functions, classes and
constants are taken, and of these only what an exercise's cell names.
"""

import ast
import functools
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from checks.grading.audit import Exercise, Lab, _has_title, is_check
from checks.grading.reading import parsed, text
from checks.learner.piece_source import global_names, is_python

ROOT = Path(__file__).resolve().parents[2]
MAGIC = re.compile(r"^\s*(%%?\w|!)")
DEFINITIONS = ast.FunctionDef | ast.ClassDef | ast.AsyncFunctionDef


@dataclass(frozen=True)
class Sources:
    """What is run of one notebook, in order: (name that a traceback shows, source)."""

    needed: tuple[tuple[str, str], ...]
    cells: tuple[tuple[str, str], ...]
    missing: tuple[str, ...]  # exercises, by name, of which there is no cell

    @property
    def runs(self) -> tuple[tuple[str, str], ...]:
        """All of it."""
        return (*self.needed, *self.cells)


def sources(notebook: Mapping[str, Any], lab: Lab) -> Sources:
    """Take the exercises' cells out of a notebook, and what they need of the others."""
    exercises = lab.exercises()
    cells = [without_magic(text(cell["source"])) for cell in _code(notebook)]
    ids = [_ids(cell) for cell in _code(notebook)]
    chosen: dict[int, Exercise] = {}
    missing = []
    for exercise in exercises:
        own = _cells_of(cells, ids, exercise)
        if not own:
            missing.append(exercise.name)
            continue
        end = _end_of_section(cells, own[0], exercise, exercises)
        chosen |= dict.fromkeys(own, exercise)
        # A second try without the title, before the check, is what the check would have seen.
        chosen |= {i: exercise for i in range(own[0] + 1, end) if _defines(cells[i], exercise.name)}
    others = [cell for i, cell in enumerate(cells) if i not in chosen]
    taken = [(f"<exercise {chosen[i].number}>", cells[i]) for i in sorted(chosen)]
    wanted = _names([source for _, source in taken])
    given = _needed(_course_s(lab), wanted)
    own_names = set().union(*(_bound(source) for _, source in taken)) if taken else set()
    from_them = _needed(others, wanted - own_names)
    needed = [("<given>", one) for one in given] + [("<other cells>", one) for one in from_them]
    return Sources(tuple(needed), tuple(taken), tuple(missing))


def without_magic(source: str) -> str:
    """A cell without the lines that are not Python, which nobody needs here; lines keep places."""
    return "\n".join("" if MAGIC.match(line) else line for line in source.splitlines())


def _code(notebook: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    return [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]


def _ids(cell: Mapping[str, Any]) -> set[str]:
    """All that a cell may be called by: its own id, Colab's in the metadata, nbgrader's."""
    metadata = cell.get("metadata", {})
    graded = metadata.get("nbgrader")
    every = (cell.get("id"), metadata.get("id"), graded and _mapping(graded).get("grade_id"))
    return {one for one in every if isinstance(one, str)}


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _cells_of(cells: list[str], ids: list[set[str]], exercise: Exercise) -> list[int]:
    """The cells of an exercise: by its number, else by its name, else by the cell's id."""
    number = re.escape(exercise.number)
    title = re.compile(rf"^\s*#\s*EXERCISE\s+{number}(?![\d.]*\d)", re.IGNORECASE | re.MULTILINE)
    named = re.compile(rf"^\s*#\s*(?i:EXERCISE)\s+[\d.]+\s*\W\s*{exercise.name}\b", re.MULTILINE)
    own = f"ex-{exercise.number.replace('.', '-')}"
    tests = (
        lambda i: title.search(cells[i]),
        lambda i: named.search(cells[i]),
        lambda i: own in ids[i] and _defines(cells[i], exercise.name),
    )
    return next((found for test in tests if (found := list(filter(test, range(len(cells)))))), [])


def _end_of_section(
    cells: list[str], start: int, exercise: Exercise, exercises: Iterable[Exercise]
) -> int:
    """The cell behind `start` that checks this exercise, or that begins another one."""
    for i in range(start + 1, len(cells)):
        if is_check(cells[i], exercise.check):
            return i
        if any(_has_title(cells[i], other) for other in exercises if other != exercise):
            return i
    return len(cells)


def _defines(source: str, name: str) -> bool:
    if not is_python(source):
        return False
    return name in _bound(source)


def _bound(source: str) -> set[str]:
    return {name for node in _body(source) for name in _targets(node)}


def _body(source: str) -> list[ast.stmt]:
    return ast.parse(source).body if is_python(source) else []


def _targets(node: ast.stmt) -> Iterator[str]:
    if isinstance(node, DEFINITIONS):
        yield node.name
    elif isinstance(node, ast.Import | ast.ImportFrom):
        yield from (alias.asname or alias.name.split(".")[0] for alias in node.names)
    elif isinstance(node, ast.Assign):
        yield from (target.id for target in node.targets if isinstance(target, ast.Name))
    elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
        yield node.target.id


def _names(cells: Iterable[str]) -> set[str]:
    """The names that cells use and may have from elsewhere."""
    return {name for cell in cells if is_python(cell) for name in global_names(cell)}


def _needed(cells: Iterable[str], wanted: set[str]) -> list[str]:
    """The definitions in these cells that are wanted, or that those need, in their order."""
    nodes = [node for cell in cells for node in _body(cell) if _may_come_along(node)]
    chosen: set[int] = set()
    waiting, seen = set(wanted), set()
    while waiting:
        name = waiting.pop()
        seen.add(name)
        for i, node in enumerate(nodes):
            if i not in chosen and name in _targets(node):
                chosen.add(i)
                waiting |= global_names(ast.unparse(node)) - seen
    return [ast.unparse(nodes[i]) for i in sorted(chosen)]


def _may_come_along(node: ast.stmt) -> bool:
    """Imports, functions, classes and constants: what does nothing by itself."""
    if isinstance(node, DEFINITIONS):
        return True
    if isinstance(node, ast.Import):
        return not any(alias.name.split(".")[0] in COURSE for alias in node.names)
    if isinstance(node, ast.ImportFrom):
        return (node.module or "").split(".")[0] not in COURSE
    if not isinstance(node, ast.Assign | ast.AnnAssign) or node.value is None:
        return False
    return not any(isinstance(part, CALLS) for part in ast.walk(node.value))


COURSE = {"checks", "plots", "solutions"}
CALLS = ast.Call | ast.Await | ast.Yield | ast.NamedExpr


@functools.cache
def _course_s(lab: Lab) -> tuple[str, ...]:
    """The cells of the lab as it is handed out, but its exercises."""
    notebook = parsed((ROOT / f"labs/{lab.name}.ipynb").read_bytes())
    titles = re.compile(r"^# EXERCISE \d", re.MULTILINE)
    cells = [without_magic(text(cell["source"])) for cell in _code(notebook)]
    return tuple(cell for cell in cells if not titles.search(cell))


@functools.cache
def pieces(lab: Lab) -> dict[str, Any]:
    """Sources that a worker may import: worked pieces of EARLIER labs, and the readers of files."""
    found: dict[str, str] = {"my_llama": "", "assets": ""}
    homes: dict[str, str] = {}
    for path in sorted((ROOT / "solutions").glob("[0-9][0-9]_*.py")):
        module = ROOT / f"solutions/my_llama/{path.stem[3:]}.py"
        if path.stem < lab.name and module.is_file():
            source = module.read_text(encoding="utf-8")
            found[f"my_llama.lab_{path.stem[3:]}"] = source
            homes |= dict.fromkeys(_pieces_in(source), path.stem[3:])
    for name in ("gguf", "smollm2"):
        found[f"assets.{name}"] = (ROOT / f"assets/{name}.py").read_text(encoding="utf-8")
    return {"sources": found, "homes": homes}


def _pieces_in(source: str) -> set[str]:
    return {node.name for node in ast.parse(source).body if isinstance(node, DEFINITIONS)}
