"""Read `solutions/NN_name.py`, the source of a lab: its cells, exercises and solutions.

The format is jupytext's percent format. It is read here line by line, because a mistake in the source has to be
reported with its file and line.
"""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

BEGIN, END = "### BEGIN SOLUTION", "### END SOLUTION"
LOOKS_LIKE_A_MARKER = re.compile(r"#\W*(BEGIN|END)\W*SOLUTION", re.IGNORECASE)
EXERCISE = re.compile(r"# EXERCISE (\d+\.\d+) · (\w+)")
CHECK = re.compile(r"check\.(\w+)\((\w+)\)")
HEADER = re.compile(
    r"# %%(?P<markdown> \[markdown\])?(?P<options>( +[\w-]+=(\"[^\"]*\"|\[[^\]]*\]|true|false|\d+))*)\s*"
)
OPTION = re.compile(r"([\w-]+)=(\"[^\"]*\"|\[[^\]]*\]|true|false|\d+)")
STEM = re.compile(r"(\d\d)_(\w+)")


class BuildError(Exception):
    """The course cannot be built; the text is one sentence, with file and line where there is one."""


@dataclass
class Cell:
    """One cell of the source; `line` is the number of its first line in the file."""

    kind: str
    lines: list[str]
    line: int
    path: str
    metadata: dict = field(default_factory=dict)
    exercise: tuple[str, str] | None = None

    @property
    def text(self) -> str:
        return "\n".join(self.lines)

    @property
    def solved(self) -> str:
        """The source with the solution written out, without its markers."""
        return "\n".join(line for line in self.lines if not is_marker(line))

    @property
    def stub(self) -> str:
        """The source as the learner gets it: every solution replaced by its stub."""
        lines, at = [], 0
        for begin, end in self.solutions():
            marker = self.lines[begin]
            stub = marker.strip().removeprefix(BEGIN).strip() or self.default_stub()
            indent = marker[: len(marker) - len(marker.lstrip())]
            lines += [*self.lines[at:begin], indent + stub]
            at = end + 1
        return "\n".join(lines + self.lines[at:])

    def default_stub(self) -> str:
        number, name = self.exercise or ("", "")
        return f'raise NotImplementedError("Exercise {number}: {name}")'

    def error(self, index: int, sentence: str) -> BuildError:
        return BuildError(f"{self.path}:{self.line + index}: {sentence}")

    def solutions(self) -> list[tuple[int, int]]:
        """The pairs of lines (begin, end) of the solutions in this cell."""
        pairs, begin = [], None
        for i, line in enumerate(self.lines):
            if not is_marker(line):
                if LOOKS_LIKE_A_MARKER.search(line):
                    raise self.error(
                        i,
                        f"this looks like a marker but is not one: write `{BEGIN}` or `{END}` alone on its line.",
                    )
            elif self.kind != "code":
                raise self.error(
                    i,
                    "a solution marker in a text cell hides nothing: markers belong in code cells.",
                )
            elif line.strip().startswith(BEGIN):
                if begin is not None:
                    raise self.error(
                        i,
                        f"a solution begins inside the solution of line {self.line + begin}: they cannot be nested.",
                    )
                begin = i
                if not self.exercise and line.strip() == BEGIN:
                    raise self.error(
                        i,
                        "a solution outside of an exercise cell needs its stub on the BEGIN line.",
                    )
            elif begin is None:
                raise self.error(
                    i, "this END SOLUTION has no BEGIN SOLUTION before it in its cell."
                )
            else:
                self._check_indentation(begin, i)
                pairs.append((begin, i))
                begin = None
        if begin is not None:
            raise self.error(
                begin,
                "this solution is never closed: END SOLUTION is missing before the cell ends.",
            )
        return pairs

    def _check_indentation(self, begin: int, end: int) -> None:
        margin = len(self.lines[begin]) - len(self.lines[begin].lstrip())
        if self.lines[begin][:margin] != self.lines[end][: -len(self.lines[end].lstrip())]:
            raise self.error(
                end,
                f"END SOLUTION is indented differently from its BEGIN SOLUTION in line {self.line + begin}.",
            )
        body = [(i, self.lines[i]) for i in range(begin + 1, end) if self.lines[i].strip()]
        if not body:
            raise self.error(begin, "this solution is empty.")
        for i, line in body:
            if not line.startswith(self.lines[begin][:margin]):
                raise self.error(
                    i,
                    f"this line of a solution stands further left than its BEGIN SOLUTION in line {self.line + begin}.",
                )
        first, line = body[0]
        if line[margin] in " \t":
            raise self.error(
                begin,
                f"BEGIN SOLUTION must be indented like the solution's first line, line {self.line + first}.",
            )


@dataclass
class Lab:
    """One lab as its source describes it."""

    stem: str
    path: str
    cells: list[Cell]

    @property
    def name(self) -> str:
        return self.stem[3:]

    @property
    def number(self) -> int:
        return int(self.stem[:2])

    @property
    def title(self) -> str:
        return self.cells[0].lines[0].removeprefix("# ")

    @property
    def exercises(self) -> list[Cell]:
        return [cell for cell in self.cells if cell.exercise]

    def cell(self, id: str) -> Cell | None:
        """The cell to which the source itself gives this id."""
        return next((cell for cell in self.cells if cell.metadata.get("id") == id), None)


def is_marker(line: str) -> bool:
    """True for a line that is a solution marker; what follows BEGIN SOLUTION is the stub."""
    line = line.strip()
    return line == END or line == BEGIN or line.startswith(BEGIN + " ")


def sources(root: Path) -> list[Path]:
    """The labs' sources in their order."""
    return sorted(path for path in (root / "solutions").glob("*.py") if STEM.fullmatch(path.stem))


def read(path: Path, root: Path) -> Lab:
    """Read and verify one source; a mistake in it is a BuildError with file and line."""
    where = path.relative_to(root).as_posix()
    lab = Lab(path.stem, where, split(path.read_text(encoding="utf-8").splitlines(), where))
    verify(lab)
    return lab


def split(lines: list[str], path: str) -> list[Cell]:
    """The cells of a percent file."""
    cells: list[Cell] = []
    for number, line in enumerate(lines, start=1):
        if line.startswith("# %%"):
            match = HEADER.fullmatch(line)
            if not match:
                raise BuildError(
                    f'{path}:{number}: this cell header is not understood; write `# %%`, `# %% [markdown]` or `# %% id="name"`.'
                )
            metadata = {key: json.loads(value) for key, value in OPTION.findall(match["options"])}
            cells.append(
                Cell("markdown" if match["markdown"] else "code", [], number + 1, path, metadata)
            )
        elif cells:
            cells[-1].lines.append(
                text_line(line, path, number) if cells[-1].kind == "markdown" else line.rstrip()
            )
        elif line.strip() and not line.startswith("#"):
            raise BuildError(
                f"{path}:{number}: this line stands before the first cell; begin the file with `# %% [markdown]`."
            )
    for cell in cells:
        trim(cell)
    return cells


def text_line(line: str, path: str, number: int) -> str:
    """One line of a text cell without its comment sign."""
    if line.strip() and not line.startswith("#"):
        raise BuildError(
            f"{path}:{number}: a line of a text cell must begin with `#`; is a `# %%` missing above it?"
        )
    return line.removeprefix("# ") if line.startswith("# ") else line.strip().removeprefix("#")


def trim(cell: Cell) -> None:
    """Drop blank lines at both ends, and find the exercise that the first line names."""
    while cell.lines and not cell.lines[0].strip():
        del cell.lines[0]
        cell.line += 1
    while cell.lines and not cell.lines[-1].strip():
        del cell.lines[-1]
    match = EXERCISE.fullmatch(cell.lines[0]) if cell.lines and cell.kind == "code" else None
    cell.exercise = (match[1], match[2]) if match else None


def verify(lab: Lab) -> None:
    """Stop at the first thing in the source that would give a broken lab."""
    if not lab.cells or lab.cells[0].kind != "markdown" or not lab.cells[0].text.startswith("# "):
        raise BuildError(
            f"{lab.path}:1: the first cell must be a text cell with the lab's title, `# {lab.number:02} · …`."
        )
    for cell in lab.cells:
        if not cell.lines:
            raise BuildError(f"{lab.path}:{cell.line - 1}: this cell is empty.")
        cell.solutions()
        if cell.kind == "code":
            verify_code(cell, lab)
    for id in ("setup", "imports"):
        if not lab.cell(id):
            raise BuildError(f'{lab.path}:1: the lab has no cell `# %% id="{id}"`.')
    verify_order(lab)


def verify_code(cell: Cell, lab: Lab) -> None:
    """A code cell: a well-formed exercise, a check of one line, or anything else that Python can read."""
    for i, line in enumerate(cell.lines):
        if re.match(r"#\s*EXERCISE\b", line.strip()) and not (i == 0 and cell.exercise):
            raise cell.error(
                i, "an exercise begins with `# EXERCISE 3.5 · name` as the first line of its cell."
            )
    for version, source in (("", cell.solved), (" once its solution is taken out", cell.stub)):
        try:
            tree = ast.parse(source)
        except SyntaxError as error:
            raise cell.error(
                0,
                f"this cell is not valid Python{version}: {error.msg} in `{(error.text or '').strip()}`.",
            ) from None
    if cell.exercise:
        number, name = cell.exercise
        if not number.startswith(f"{lab.number}."):
            raise cell.error(
                0,
                f"exercise {number} stands in lab {lab.number}: its number must begin with {lab.number}.",
            )
        if not cell.solutions():
            raise cell.error(0, f"exercise {number} has no solution between `{BEGIN}` and `{END}`.")
        if name not in {
            node.name for node in tree.body if isinstance(node, ast.FunctionDef | ast.ClassDef)
        }:
            raise cell.error(
                0,
                f"exercise {number} is called {name}, but its cell defines no function or class of this name.",
            )
    elif cell.lines[0].startswith("check.") and not CHECK.fullmatch(cell.text):
        raise cell.error(0, "a check cell is exactly one line, `check.name(name)`.")


def check_cells(lab: Lab) -> Iterable[tuple[Cell, str]]:
    """The check cells with the exercise that each one checks."""
    for cell in lab.cells:
        match = CHECK.fullmatch(cell.text) if cell.kind == "code" else None
        if match:
            yield cell, match[1]


def verify_order(lab: Lab) -> None:
    """Exercises are numbered upwards, and each has one check cell after it."""
    numbers: dict[str, tuple[int, ...]] = {}
    for cell in lab.exercises:
        number, name = cell.exercise
        rank = tuple(map(int, number.split(".")))
        if name in numbers:
            raise cell.error(0, f"there are two exercise cells for {name}.")
        if numbers and rank <= max(numbers.values()):
            raise cell.error(
                0, f"exercise {number} comes after one with a higher number or the same."
            )
        numbers[name] = rank
    lines = {cell.exercise[1]: cell.line for cell in lab.exercises}
    checked: set[str] = set()
    for cell, name in check_cells(lab):
        if CHECK.fullmatch(cell.text)[2] != name or name not in lines:
            raise cell.error(
                0, f"this cell checks {name}, but the lab has no exercise cell that defines it."
            )
        if name in checked:
            raise cell.error(0, f"{name} is checked twice.")
        if cell.line < lines[name]:
            raise cell.error(0, f"{name} is checked before its exercise cell.")
        checked.add(name)
    for cell in lab.exercises:
        if cell.exercise[1] not in checked:
            raise cell.error(
                0,
                f"exercise {cell.exercise[0]} has no check cell `check.{cell.exercise[1]}({cell.exercise[1]})`.",
            )
