"""Notebooks to be graded: lab 02 in its bare bones, completed, left empty, and spoilt on purpose."""

import json
import os
import re
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import nbformat
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

ROOT = Path(__file__).resolve().parents[1]

IMPORTS = "import torch\nfrom torch import nn\nfrom checks import rmsnorm as check"

NUMBERS = {"batch_norm": "2.1", "layer_norm": "2.2", "rms_norm": "2.3", "RMSNorm": "2.4"}

RIGHT = {
    "batch_norm": """\
def batch_norm(x, eps=1e-5):
    mean, var = x.float().mean(0), x.float().var(0, correction=0)
    return ((x.float() - mean) / torch.sqrt(var + eps)).to(x.dtype)
""",
    "layer_norm": """\
def layer_norm(x, weight, bias, eps=1e-5):
    y = nn.functional.layer_norm(x.float(), x.shape[-1:], eps=eps)
    return (y * weight + bias).to(x.dtype)
""",
    "rms_norm": """\
def rms_norm(x, weight, eps=1e-5):
    y = x.float()
    return (y * torch.rsqrt(y.square().mean(-1, keepdim=True) + eps) * weight).to(x.dtype)
""",
    "RMSNorm": """\
class RMSNorm(nn.Module):
    def __init__(self, dim, eps=1e-5):
        super().__init__()
        self.eps, self.weight = eps, nn.Parameter(torch.ones(dim))

    def forward(self, x):
        y = x.float()
        scale = torch.rsqrt(y.square().mean(-1, keepdim=True) + self.eps)
        return (y * scale * self.weight).to(x.dtype)
""",
}

UNWRITTEN = 'raise NotImplementedError("Exercise {number}: {name}")'

EMPTY = {
    name: text.splitlines()[0] + "\n    " + UNWRITTEN.format(number=NUMBERS[name], name=name)
    for name, text in RIGHT.items()
} | {
    "RMSNorm": """\
class RMSNorm(nn.Module):
    def __init__(self, dim, eps=1e-5):
        super().__init__()
        raise NotImplementedError("Exercise 2.4: RMSNorm")
"""
}


def check_line(name: str) -> str:
    return f"check.{name}({name})"


def lab(answers: dict[str, str] | None = None, *, metadata: bool = True) -> nbformat.NotebookNode:
    """Write lab 02 with these answers, the others right."""
    cells = [new_markdown_cell("# 02 · Normalisation"), new_code_cell(IMPORTS)]
    for name, number in NUMBERS.items():
        answer = (RIGHT | (answers or {}))[name]
        cells.append(new_code_cell(f"# EXERCISE {number} · {name}\n{answer}".rstrip()))
        cells.append(new_code_cell(check_line(name)))
    named = {"llama_lab": {"lab": "02_rmsnorm"}} if metadata else {}
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    return new_notebook(cells=cells, metadata={"kernelspec": kernel, **named})


def place(notebook: nbformat.NotebookNode, source: str) -> int:
    """Find the cell whose source begins so."""
    return next(i for i, cell in enumerate(notebook.cells) if cell.source.startswith(source))


def insert_before(notebook: nbformat.NotebookNode, source: str, *new: str) -> nbformat.NotebookNode:
    """Put code cells before the cell whose source begins so."""
    where = place(notebook, source)
    notebook.cells[where:where] = [new_code_cell(one) for one in new]
    return notebook


@dataclass
class Run:
    """What a run of the grader left: exit code, terminal output, scores, JUnit."""

    code: int
    text: str
    scores: dict[str, Any] = field(default_factory=dict)
    junit: ElementTree.Element | None = None

    def notebook(self, name: str) -> dict[str, Any]:
        return next(n for n in self.scores["notebooks"] if Path(n["notebook"]).stem == name)

    def row(self, notebook: str, exercise: str) -> dict[str, Any]:
        rows = self.notebook(notebook)["exercises"]
        return next(row for row in rows if row["name"] == exercise)

    def results(self, notebook: str) -> list[str]:
        return [row["result"] for row in self.notebook(notebook)["exercises"]]

    def report(self, notebook: str, of: str) -> str:
        """The failure report of one cell, as pytest printed it."""
        found = re.search(
            rf"^_+ \S*{notebook}\.ipynb::{of} _+$(.*?)^[_=]{{3}}", self.text, re.M | re.S
        )
        return found[1] if found else ""

    def testcase(self, notebook: str, cell: str) -> ElementTree.Element:
        """Find what JUnit says of one cell."""
        assert self.junit is not None
        for case in self.junit.iter("testcase"):
            if case.get("name") == cell and notebook in case.get("classname", ""):
                return case
        raise LookupError(f"{notebook}: {cell} is not in the JUnit file")


def pytest_run(arguments: list[str], cwd: Path, out: Path) -> Run:
    """Run `pytest` as a learner would, from some folder, and collect what it says."""
    scores, junit = out / "scores.json", out / "junit.xml"
    command = [sys.executable, "-m", "pytest", *arguments]
    command += ["--score-json", str(scores), "--junitxml", str(junit)]
    done = run(command, cwd)
    run_ = Run(done.returncode, done.stdout + done.stderr)
    if scores.exists():
        run_.scores, run_.junit = json.loads(scores.read_text()), ElementTree.parse(junit).getroot()
    return run_


def run(command: list[str], cwd: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a command in an environment that knows nothing of an outer grading or test run."""
    outer = ("LLAMA_LAB", "PYTEST", "PYTHONPATH")
    clean = {key: value for key, value in os.environ.items() if not key.startswith(outer)}
    clean |= {"COLUMNS": "100", "PYTHONIOENCODING": "utf-8", **environment}
    return subprocess.run(
        command, cwd=cwd, env=clean, capture_output=True, encoding="utf-8", timeout=240, check=False
    )
