"""Run a lab's solution notebook, and make its outputs independent of when and where that was."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError

from tools.source import BuildError, Lab

TIMEOUT = 600  # seconds a cell may take
ANSI = re.compile(r"\x1b\[[0-9;]*m")
ENVIRONMENT = {"LLAMA_LAB_BUILD": "1", "PYTHONHASHSEED": "0"}
CLEARED = ("LLAMA_LAB_GRADING", "CHECKS_SEED", "MPLBACKEND")
# Said by libraries about the place where the build runs, never about the code in the notebook.
HARMLESS = re.compile(r"[^\n]*(IProgress not found|frozen modules)[^\n]*\n([ \t][^\n]*\n)*")


def execute(lab: Lab, nb: nbformat.NotebookNode, root: Path) -> None:
    """Fill in the outputs; a cell that fails stops the build with its id and its error."""
    resources = {"metadata": {"path": str(root / "solutions")}}
    client = NotebookClient(nb, timeout=TIMEOUT, kernel_name="python3", resources=resources)
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
    if "widgets" in nb.metadata:
        metadata["widgets"] = nb.metadata.widgets
    nb.metadata = nbformat.from_dict(metadata)
    tidy(lab, nb, root)


def failure(lab: Lab, nb: nbformat.NotebookNode, what: str) -> BuildError:
    """The sentence for the last cell that was begun."""
    begun = [i for i, cell in enumerate(nb.cells) if cell.metadata.get("execution")]
    at = begun[-1] if begun else 0
    place = f"{lab.path}:{lab.cells[at].line}"
    return BuildError(f"{place}: cell {nb.cells[at].id} failed: {ANSI.sub('', what)}")


def tidy(lab: Lab, nb: nbformat.NotebookNode, root: Path) -> None:
    """Counts 1..n, no times, no paths of this machine; each stream's neighbouring texts as one."""
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
                    what = f"the output of cell {cell.id} contains a path of this machine, {path}."
                    raise source.error(0, what)
            if output.output_type == "stream" and output.name == "stderr":
                what = f"note: cell {cell.id} writes to stderr: {output.text.strip()[:200]}"
                print(f"{lab.path}:{source.line}: {what}")


def merged(outputs: Iterable[nbformat.NotebookNode]) -> Iterator[nbformat.NotebookNode]:
    """Neighbouring texts of one stream as one output, without the harmless warnings."""
    last = None
    for output in outputs:
        stream = output.output_type == "stream"
        if stream and last and last.output_type == "stream" and last.name == output.name:
            last.text += output.text
            continue
        if last:
            yield from kept(last)
        last = output
    if last:
        yield from kept(last)


def kept(output: nbformat.NotebookNode) -> list[nbformat.NotebookNode]:
    """The output, unless nothing is left of it without the harmless warnings."""
    if output.output_type != "stream":
        return [output]
    if output.name == "stderr":
        output.text = HARMLESS.sub("", output.text)
    return [output] if output.text.strip() else []
