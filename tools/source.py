"""Read `solutions/NN_name.py`, the source of a lab: its cells, exercises and solutions.

The format is jupytext's percent format. It is read here line by line, because a mistake in the
source has to be reported with its file and line.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

BEGIN, END = "### BEGIN SOLUTION", "### END SOLUTION"
LOOKS_LIKE_A_MARKER = re.compile(r"#\W*(BEGIN|END)\W*SOLUTION", re.IGNORECASE)
EXERCISE = re.compile(r"# EXERCISE (\d+\.\d+) · (\w+)")
GIVEN = re.compile(r"# GIVEN · (\w+)")
CHECK = re.compile(r"check\.(\w+)\((\w+)\)")
VALUE = r'("[^"]*"|\[[^\]]*\]|true|false|\d+)'
HEADER = re.compile(rf"# %%(?P<markdown> \[markdown\])?(?P<options>( +[\w-]+={VALUE})*)\s*")
OPTION = re.compile(rf"([\w-]+)={VALUE}")
STEM = re.compile(r"(\d\d)_(\w+)")
TIMES = re.compile(r"\*([^*].*)\*", re.DOTALL)


class BuildError(Exception):
    """The course cannot be built; the text is one sentence, with file and line if it has them."""


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
    def numbered(self) -> tuple[str, str]:
        """The number and the name of the exercise that this cell is."""
        assert self.exercise is not None
        return self.exercise

    @property
    def piece(self) -> str | None:
        """The name that this cell brings to `my_llama`: an exercise, or something given."""
        given = GIVEN.fullmatch(self.lines[0]) if self.lines and self.kind == "code" else None
        return self.exercise[1] if self.exercise else given and given[1]

    @property
    def text(self) -> str:
        """The cell as it stands in the source, without comment signs if it is text."""
        return "\n".join(self.lines)

    @property
    def solved(self) -> str:
        """The code with the solution written out, without its markers."""
        return "\n".join(line for line in self.lines if not is_marker(line))

    @property
    def stub(self) -> str:
        """The code as the learner gets it: every solution replaced by its stub."""
        lines, at = [], 0
        for begin, end in self.solutions():
            marker = self.lines[begin]
            stub = marker.strip().removeprefix(BEGIN).strip() or self._default_stub()
            lines += [*self.lines[at:begin], margin(marker) + stub]
            at = end + 1
        return "\n".join(lines + self.lines[at:])

    def _default_stub(self) -> str:
        number, name = self.exercise or ("", "")
        return f'raise NotImplementedError("Exercise {number}: {name}")'

    def error(self, index: int, sentence: str) -> BuildError:
        """A mistake in the line with this index in the cell."""
        return BuildError(f"{self.path}:{self.line + index}: {sentence}")

    def solutions(self) -> list[tuple[int, int]]:
        """The lines (begin, end) of the cell's solutions; a BuildError when a marker is amiss."""
        pairs, begin = [], None
        for i, line in enumerate(self.lines):
            if not is_marker(line):
                if LOOKS_LIKE_A_MARKER.search(line):
                    meant = f"write `{BEGIN}` or `{END}` alone on its line."
                    raise self.error(i, f"this looks like a marker but is not one: {meant}")
            elif self.kind != "code":
                raise self.error(i, "a solution marker belongs in a code cell, not in a text cell.")
            elif line.strip() != END:
                if begin is not None:
                    place = f"the solution of line {self.line + begin}"
                    raise self.error(i, f"a solution begins inside {place}: they cannot be nested.")
                if not self.exercise and line.strip() == BEGIN:
                    place = "a solution outside of an exercise cell"
                    raise self.error(i, f"{place} needs its stub on the BEGIN line.")
                begin = i
            elif begin is None:
                raise self.error(i, "this END SOLUTION has no BEGIN SOLUTION in its cell.")
            else:
                self._check_margins(begin, i)
                pairs.append((begin, i))
                begin = None
        if begin is not None:
            raise self.error(begin, "this solution is never closed: its cell has no END SOLUTION.")
        return pairs

    def _check_margins(self, begin: int, end: int) -> None:
        place = f"its BEGIN SOLUTION in line {self.line + begin}"
        left = margin(self.lines[begin])
        if margin(self.lines[end]) != left:
            raise self.error(end, f"END SOLUTION is not indented like {place}.")
        body = [(i, self.lines[i]) for i in range(begin + 1, end) if self.lines[i].strip()]
        if not body:
            raise self.error(begin, "this solution is empty.")
        for i, line in body:
            if not line.startswith(left):
                raise self.error(i, f"this line of a solution stands further left than {place}.")
        if margin(body[0][1]) != left:
            place = f"the solution's first line, {self.line + body[0][0]}"
            raise self.error(begin, f"BEGIN SOLUTION is not indented like {place}.")


@dataclass
class Lab:
    """One lab as its source describes it."""

    stem: str
    path: str
    cells: list[Cell]

    @property
    def name(self) -> str:
        """`rope`, the name of the lab's modules."""
        return self.stem[3:]

    @property
    def title(self) -> str:
        """The first line of the first cell."""
        return self.cells[0].lines[0].removeprefix("# ")

    @property
    def times(self) -> str:
        """How long it takes, as the paragraph in italics under the title says; "" without one."""
        paragraphs = "\n".join(self.cells[0].lines[1:]).strip().split("\n\n")
        italics = TIMES.fullmatch(paragraphs[0])
        return " ".join(italics[1].split()) if italics else ""

    @property
    def minutes(self) -> str:
        """The number at the head of its times: "75 minutes", or "50 + 45 minutes" of two."""
        found = re.match(r"\d+( \+ \d+)? minutes", self.times)
        return found[0] if found else ""

    @property
    def exercises(self) -> list[Cell]:
        """The cells in which the learner writes."""
        return [cell for cell in self.cells if cell.exercise]

    @property
    def pieces(self) -> dict[str, Cell]:
        """name → the cell that defines it, for all that the lab brings to `my_llama`."""
        return {cell.piece: cell for cell in self.cells if cell.piece}

    @property
    def check_cells(self) -> Iterator[tuple[Cell, str]]:
        """The check cells, each with the name that it checks."""
        for cell in self.cells:
            if cell.kind == "code" and (match := CHECK.fullmatch(cell.text)):
                yield cell, match[1]

    def cell(self, id: str) -> Cell | None:
        """The cell to which the source itself gives this id."""
        return next((cell for cell in self.cells if cell.metadata.get("id") == id), None)


def sources(root: Path) -> list[Path]:
    """The labs' sources in their order."""
    return sorted(p for p in (root / "solutions").glob("*.py") if STEM.fullmatch(p.stem))


def parse(path: Path, root: Path) -> Lab:
    """Read one source as it stands."""
    where = path.relative_to(root).as_posix()
    return Lab(path.stem, where, split(path.read_text(encoding="utf-8").splitlines(), where))


def split(lines: list[str], path: str) -> list[Cell]:
    """The cells of a percent file."""
    cells: list[Cell] = []
    for number, line in enumerate(lines, start=1):
        if line.startswith("# %%"):
            if not (match := HEADER.fullmatch(line)):
                meant = 'write `# %%`, `# %% [markdown]` or `# %% id="name"`.'
                raise BuildError(f"{path}:{number}: this cell header is not understood; {meant}")
            metadata = {key: json.loads(value) for key, value in OPTION.findall(match["options"])}
            kind = "markdown" if match["markdown"] else "code"
            cells.append(Cell(kind, [], number + 1, path, metadata))
        elif cells and cells[-1].kind == "markdown":
            cells[-1].lines.append(uncommented(line, path, number))
        elif cells:
            cells[-1].lines.append(line.rstrip())
        elif line.strip() and not line.startswith("#"):
            raise BuildError(f"{path}:{number}: this line stands before the first `# %%`.")
    for cell in cells:
        trim(cell)
    return cells


def uncommented(line: str, path: str, number: int) -> str:
    """One line of a text cell without its comment sign."""
    if line.strip() and not line.startswith("#"):
        meant = "a line of a text cell must begin with `#`; or a `# %%` is missing."
        raise BuildError(f"{path}:{number}: {meant}")
    return line[2:] if line.startswith("# ") else line.strip()[1:]


def trim(cell: Cell) -> None:
    """Drop blank lines at both ends, and find the exercise that the first line names."""
    while cell.lines and not cell.lines[0].strip():
        del cell.lines[0]
        cell.line += 1
    while cell.lines and not cell.lines[-1].strip():
        del cell.lines[-1]
    if cell.lines and cell.kind == "code" and (match := EXERCISE.fullmatch(cell.lines[0])):
        cell.exercise = (match[1], match[2])


def is_marker(line: str) -> bool:
    """True for a line that is a solution marker; what follows BEGIN SOLUTION is the stub."""
    line = line.strip()
    return line in (BEGIN, END) or line.startswith(BEGIN + " ")


def margin(line: str) -> str:
    """The blanks at the beginning of a line."""
    return line[: len(line) - len(line.lstrip())]
