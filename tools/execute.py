"""Run a lab's solution notebook, and know when it has to be run again."""

from __future__ import annotations

import ast
import hashlib
import os
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError

from tools.setup_cell import TEMPLATE
from tools.source import STEM, BuildError, Lab, sources

TIMEOUT = 600  # seconds a cell may take
ANSI = re.compile(r"\x1b\[[0-9;]*m")
NOT_SHOWN = {"__main__.py", "grading.py"}  # modules of checks/ that no cell of a notebook runs
ENVIRONMENT = {"LLAMA_LAB_BUILD": "1", "PYTHONHASHSEED": "0"}
CLEARED = ("LLAMA_LAB_GRADING", "CHECKS_SEED", "MPLBACKEND")
# Said by libraries about the place where the build runs, never about the code in the notebook.
HARMLESS = re.compile(
    r"(IProgress not found|Failed to initialize NumPy|frozen modules are being used)[^\n]*\n([ \t][^\n]*\n)*"
)


def execute(lab: Lab, nb: nbformat.NotebookNode, root: Path) -> None:
    """Fill in the outputs; a cell that fails stops the build with its id and its error."""
    folder = root / "solutions"
    client = NotebookClient(
        nb, timeout=TIMEOUT, kernel_name="python3", resources={"metadata": {"path": str(folder)}}
    )
    metadata = dict(nb.metadata)
    environment = {k: v for k, v in os.environ.items() if k not in CLEARED} | ENVIRONMENT
    try:
        client.execute(env=environment)
    except CellExecutionError as error:
        raise failure(lab, nb, f"{error.ename}: {error.evalue}") from None
    except CellTimeoutError:
        raise failure(lab, nb, f"it took more than {TIMEOUT} seconds.") from None
    except DeadKernelError:
        raise failure(lab, nb, "the kernel died.") from None
    widgets = nb.metadata.get("widgets")
    nb.metadata = nbformat.from_dict(metadata | ({"widgets": widgets} if widgets else {}))
    tidy(lab, nb, root)


def failure(lab: Lab, nb: nbformat.NotebookNode, what: str) -> BuildError:
    """The sentence for the last cell that was begun."""
    begun = [
        i
        for i, cell in enumerate(nb.cells)
        if cell.cell_type == "code" and cell.metadata.get("execution")
    ]
    at = begun[-1] if begun else 0
    return BuildError(
        f"{lab.path}:{lab.cells[at].line}: cell {nb.cells[at].id} failed: {ANSI.sub('', what)}"
    )


def tidy(lab: Lab, nb: nbformat.NotebookNode, root: Path) -> None:
    """Outputs that do not depend on when and where they were made: counts 1..n, no times, no paths of this machine."""
    count = 0
    for source, cell in zip(lab.cells, nb.cells, strict=True):
        if cell.cell_type != "code":
            continue
        count += 1
        cell.metadata.pop("execution", None)
        cell.execution_count = count
        cell.outputs = list(merged(cell.outputs))
        for output in cell.outputs:
            if "execution_count" in output:
                output.execution_count = count
            for path in {str(root.resolve()), str(Path.home())} - {"/"}:
                if path in str(output):
                    raise source.error(
                        0, f"the output of cell {cell.id} contains a path of this machine, {path}."
                    )
            if output.output_type == "stream" and output.name == "stderr":
                print(
                    f"{lab.path}:{source.line}: note: cell {cell.id} writes to stderr: {output.text.strip()[:200]}"
                )


def merged(outputs: Iterable[nbformat.NotebookNode]) -> Iterator[nbformat.NotebookNode]:
    """Neighbouring texts of one stream as one output, without the harmless warnings."""
    last = None
    for output in outputs:
        if (
            output.output_type == "stream"
            and last
            and last.output_type == "stream"
            and last.name == output.name
        ):
            last.text += output.text
            continue
        if last:
            yield from kept(last)
        last = output
    if last:
        yield from kept(last)


def kept(output: nbformat.NotebookNode) -> list[nbformat.NotebookNode]:
    if output.output_type == "stream" and output.name == "stderr":
        output.text = HARMLESS.sub("", output.text)
    return [output] if output.output_type != "stream" or output.text.strip() else []


def digest(lab: Lab, root: Path) -> str:
    """A fingerprint of everything that the lab's outputs depend on; its links and address are not among it."""
    parts = [
        TEMPLATE,
        *(
            cell.solved
            for cell in lab.cells
            if cell.kind == "code" and cell is not lab.cell("setup")
        ),
    ]
    for path in sorted(dependencies(lab, root)):
        parts += [path.relative_to(root).as_posix(), path.read_text(encoding="utf-8")]
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:16]


def dependencies(lab: Lab, root: Path) -> Iterator[Path]:
    """The lab's modules of checks/ and plots/, what all labs share there, and the worked pieces that it imports."""
    others = {path.stem[3:] for path in sources(root)} - {lab.name}
    for folder in (root / "checks", root / "plots"):
        for path in folder.rglob("*"):
            shared = path.parent != folder or (
                path.stem not in others and path.name not in NOT_SHOWN
            )
            if (
                path.suffix in {".py", ".js", ".css"}
                and shared
                and not any(p.startswith(".") for p in path.parts)
            ):
                yield path
    yield from worked_pieces(
        {name for cell in lab.cells if cell.kind == "code" for name in imported(cell.solved)}, root
    )


def imported(source: str) -> set[str]:
    """The names that this source takes from my_llama (or, inside of my_llama, from its other modules)."""
    nodes = [node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.ImportFrom)]
    return {
        alias.name
        for node in nodes
        if node.module == "my_llama" or node.level
        for alias in node.names
    }


def worked_pieces(names: set[str], root: Path) -> Iterator[Path]:
    """The worked modules that define these pieces, and those that they in turn import from."""
    modules = {
        path: path.read_text(encoding="utf-8")
        for path in (root / "solutions" / "my_llama").glob("*.py")
    }
    waiting, seen = set(names), set()
    while waiting:
        name = waiting.pop()
        for path, text in modules.items():
            if (
                path.stem != "__init__"
                and path not in seen
                and re.search(rf"^(def|class) {name}\b", text, re.MULTILINE)
            ):
                seen.add(path)
                yield path
                waiting |= imported(text)


def is_lab(path: Path) -> bool:
    return bool(STEM.fullmatch(path.stem))
