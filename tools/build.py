"""Make the labs: `python -m tools.build` (all), `03_rope` (one), `--check` (compare only).

solutions/NN_name.py → labs/NN_name.ipynb (stubs), solutions/NN_name.ipynb (executed) and
solutions/my_llama/name.py. What is as it should be is neither written nor executed again.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import nbformat

from checks.learner.piece_source import missing_names, module_source
from tools import address as addresses
from tools.address import Address
from tools.digest import digest
from tools.execute import execute
from tools.notebook import notebook, text_of
from tools.readme import with_table
from tools.source import EXERCISE, GIVEN, STEM, BuildError, Lab, parse, sources
from tools.verify import verify, verify_points

ROOT = Path(__file__).resolve().parents[1]
EXERCISES = """
import importlib, json, sys
sys.path.insert(0, sys.argv[1])
from checks.engine import exercises_of
module = lambda name: importlib.import_module("checks." + name)
found = {name: exercises_of(module(name)) for name in sys.argv[2:]}
print(json.dumps({n: {c.name: (c.exercise, c.points) for c in found[n]} for n in found}))
"""


@dataclass
class Course:
    """The labs that are built in this run, and what their notebooks are stamped with."""

    root: Path
    labs: list[Lab]
    points: dict[str, dict[str, int]]
    address: Address | None

    @classmethod
    def load(cls, root: Path, only: str | None = None) -> Course:
        """Read the sources and their checks; a mistake in either is a BuildError."""
        paths = [path for path in sources(root) if only in (None, path.stem)]
        if only and not paths:
            raise BuildError(f"solutions/{only}.py does not exist.")
        labs = [parse(path, root) for path in paths]
        for lab in labs:
            verify(lab)
        exercises = exercises_of_labs(root, labs)
        points = {lab.stem: verify_points(lab, exercises[lab.name]) for lab in labs}
        try:
            return cls(root, labs, points, addresses.read(root))
        except ValueError as error:
            raise BuildError(f"{addresses.FILE}:1: {error}") from None

    def lab_text(self, lab: Lab) -> str:
        """The text of the lab's notebook without solutions."""
        return text_of(notebook(lab, self.points[lab.stem], self.address, solved=False))

    def package(self) -> Iterator[tuple[Path, str]]:
        """The worked package, a module for each lab and its `__init__`, and the README's table."""
        folder = self.root / "solutions" / "my_llama"
        for lab in self.labs:
            yield folder / f"{lab.name}.py", worked_module(lab)
        if self.labs:
            yield folder / "__init__.py", package_init(self.root, {lab.name for lab in self.labs})
        if (readme := self.root / "README.md").is_file():
            yield readme, with_table(self.root, readme.read_text(encoding="utf-8"), self.address)

    def solution(self, lab: Lab) -> tuple[nbformat.NotebookNode, bool]:
        """The solution notebook with the outputs of its file, and whether they are still true."""
        nb = notebook(lab, self.points[lab.stem], self.address, solved=True)
        nb.metadata.llama_lab.digest = digest(lab, self.root)
        path = self.root / "solutions" / f"{lab.stem}.ipynb"
        try:
            old = nbformat.read(path, as_version=4)
        except (OSError, ValueError):
            return nb, False
        if old.metadata.get("llama_lab", {}).get("digest") != nb.metadata.llama_lab.digest or len(
            old.cells
        ) != len(nb.cells):
            return nb, False
        for new, executed in zip(nb.cells, old.cells, strict=True):
            if new.cell_type == executed.cell_type == "code":
                new.outputs, new.execution_count = executed.outputs, executed.execution_count
        if "widgets" in old.metadata:
            nb.metadata.widgets = old.metadata.widgets
        return nb, True


def exercises_of_labs(root: Path, labs: list[Lab]) -> dict[str, dict[str, tuple[str, int]]]:
    """module → name → (exercise, points), as the modules in checks/ have them."""
    for lab in labs:
        if not (root / "checks" / lab.name / "__init__.py").is_file():
            raise BuildError(
                f"{lab.path}:1: the lab has no checks: checks/{lab.name}/ does not exist."
            )
    if not labs:
        return {}
    command = [sys.executable, "-c", EXERCISES, str(root), *(lab.name for lab in labs)]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    if result.returncode:
        reason = (result.stderr.strip().splitlines() or ["no reason given"])[-1]
        raise BuildError(f"the checks cannot be imported: {reason}")
    return json.loads(result.stdout.splitlines()[-1])


def worked_module(lab: Lab) -> str:
    """The lab's solutions as a module of the worked package."""
    pieces = {name: "\n".join(cell.solved.splitlines()[1:]) for name, cell in lab.pieces.items()}
    source = module_source(
        f"{lab.title} (made from {lab.path} by tools/build.py).",
        [cell.solved for cell in lab.cells if cell is lab.cell("imports")],
        pieces,
    )
    missing = missing_names(source)
    for piece, cell in lab.pieces.items():
        names = sorted(name for name in missing if re.search(rf"\b{name}\b", cell.solved))
        if names:
            what = f"{piece} uses {', '.join(names)}"
            raise cell.error(0, f"{what}, which no exercise cell nor the imports cell defines.")
    return source


def package_init(root: Path, building: set[str]) -> str:
    """`__init__.py` of the worked package; labs not built now are taken as their module stands."""
    lines, names = [], []
    for path in sources(root):
        module = path.stem[3:]
        if module in building or (root / "solutions" / "my_llama" / f"{module}.py").is_file():
            found = [
                match[match.lastindex or 0]
                for line in path.read_text(encoding="utf-8").splitlines()
                if (match := EXERCISE.fullmatch(line) or GIVEN.fullmatch(line))
            ]
            names += found
            lines += import_lines(module, found)
    doc = '"""The worked pieces, in the order in which the labs build them (by tools/build.py)."""'
    exported = "".join(f'    "{name}",\n' for name in names)
    return (
        "\n".join(
            [
                doc,
                "",
                "# ruff: noqa: I001, RUF022 (in the order of the labs)",
                *lines,
                "",
                f"__all__ = [\n{exported}]",
            ]
        )
        + "\n"
    )


def import_lines(module: str, names: list[str]) -> list[str]:
    """One import, on one line when it fits."""
    line = f"from .{module} import {', '.join(names)}"
    return (
        [line]
        if len(line) <= 100
        else [f"from .{module} import (", *(f"    {name}," for name in names), ")"]
    )


def build(root: Path, only: str | None = None, *, force: bool = False) -> list[str]:
    """Write what is not as it should be; the paths written."""
    if not addresses.read(root) and (origin := addresses.from_origin(root)):
        addresses.write(root, origin)
        print(f"{addresses.FILE}: {origin.repository}, from the remote `origin`")
    course, written = Course.load(root, only), []

    def put(path: Path, text: str) -> None:
        if not path.is_file() or path.read_bytes() != text.encode():
            path.parent.mkdir(parents=True, exist_ok=True)
            unfinished = path.with_name(f".{path.name}.{os.getpid()}")
            unfinished.write_bytes(text.encode())
            unfinished.replace(path)
            written.append(path.relative_to(root).as_posix())
            print(f"wrote {written[-1]}", flush=True)

    for path, text in course.package():
        put(path, text)
    for path in orphans(root, only):
        path.unlink()
        written.append(path.relative_to(root).as_posix())
        print(f"removed {written[-1]}: no lab has this name")
    for lab in course.labs:
        path = root / "labs" / f"{lab.stem}.ipynb"
        if not force and worked_in(path):
            where = path.relative_to(root).as_posix()
            raise BuildError(
                f"{where} has been worked in, it has outputs: move it, or use --force."
            )
        put(path, course.lab_text(lab))
    for lab in course.labs:
        nb, fresh = course.solution(lab)
        if not fresh:
            started = time.perf_counter()
            execute(lab, nb, root)
            print(
                f"ran solutions/{lab.stem}.ipynb in {time.perf_counter() - started:.1f} s",
                flush=True,
            )
        put(root / "solutions" / f"{lab.stem}.ipynb", text_of(nb))
    return written


def check(root: Path, only: str | None = None) -> list[str]:
    """What is not as a build would leave it, one sentence each; nothing is written."""
    course = Course.load(root, only)
    expected = dict(course.package())
    stale = []
    for lab in course.labs:
        expected[root / "labs" / f"{lab.stem}.ipynb"] = course.lab_text(lab)
        nb, fresh = course.solution(lab)
        if fresh:
            expected[root / "solutions" / f"{lab.stem}.ipynb"] = text_of(nb)
        else:
            stale.append(f"solutions/{lab.stem}.ipynb is older than what it is made from")
    different = [
        path
        for path, text in expected.items()
        if not path.is_file() or path.read_bytes() != text.encode()
    ]
    names = [path.relative_to(root).as_posix() for path in different]
    unknown = [
        f"{path.relative_to(root).as_posix()} has no source"
        for path in orphans(root, only, notebooks=True)
    ]
    return [f"{name} differs from what its source gives" for name in names] + stale + unknown


def worked_in(path: Path) -> bool:
    """True when somebody has run cells of this notebook: then it may hold their answers."""
    try:
        return any(cell.get("execution_count") for cell in nbformat.read(path, as_version=4).cells)
    except (OSError, ValueError):
        return False


def orphans(root: Path, only: str | None, *, notebooks: bool = False) -> list[Path]:
    """Generated files whose lab is gone; a notebook may hold work, so a build removes none."""
    if only:
        return []
    stems = {path.stem for path in sources(root)}
    modules = {"__init__"} | {stem[3:] for stem in stems}
    found = [
        path for path in (root / "solutions" / "my_llama").glob("*.py") if path.stem not in modules
    ]
    if notebooks:
        for folder in ("labs", "solutions"):
            found += [
                p
                for p in (root / folder).glob("*.ipynb")
                if STEM.fullmatch(p.stem) and p.stem not in stems
            ]
    return sorted(found)


def main(arguments: list[str] | None = None) -> int:
    """The command line; 1 when the build stopped or something differs."""
    parser = argparse.ArgumentParser(
        prog="python -m tools.build",
        description=__doc__,
        formatter_class=argparse.RawTextHelpFormatter,
    )
    parser.add_argument("lab", nargs="?", metavar="NN_name", help="only this lab")
    parser.add_argument(
        "--check", action="store_true", help="write nothing; fail if something is not up to date"
    )
    parser.add_argument("--force", action="store_true", help="replace labs that were worked in")
    options = parser.parse_args(arguments)
    only = options.lab and Path(options.lab).stem
    try:
        found = check(ROOT, only) if options.check else build(ROOT, only, force=options.force)
    except BuildError as error:
        print(f"The build stopped.\n{error}", file=sys.stderr)
        return 1
    if options.check and found:
        print("\n".join([*found, "Run `make labs` and commit what it writes."]), file=sys.stderr)
    elif not found:
        print("Everything is up to date.")
    return int(options.check and bool(found))


if __name__ == "__main__":
    sys.exit(main())
