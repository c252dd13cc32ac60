"""What a process of the grader does: one submission after the other, in a sandbox of its own."""

import ast
import atexit
import functools
import hashlib
import importlib
import multiprocessing
import os
import signal
import threading
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import connection
from pathlib import Path
from typing import Any

from checks.grade.grading import grade, read
from checks.grade.house import House
from checks.grade.submissions import Submission

ROOT = Path(__file__).resolve().parents[2]
LARGE = 60  # parts of an answer's tree from which on two that are alike are worth a look
_lock = threading.Lock()
_houses: dict[str, House] = {}


@dataclass(frozen=True)
class Task:
    """One submission to be graded."""

    submission: Submission
    learner: str
    kind: str  # of sandbox
    secret: str
    course: str
    strict: bool = False


def begin() -> None:
    """Leave interrupts to the process that everybody works for, and end when it does."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # One that is killed tells nobody, and a pool's processes would wait for it for ever.
    if (parent := multiprocessing.parent_process()) is not None:
        threading.Thread(target=_end_with, args=(parent.sentinel,), daemon=True).start()


def _end_with(sentinel: int) -> None:
    connection.wait([sentinel])
    os._exit(1)


def work(task: Task) -> tuple[dict[str, Any], list[tuple[str, str]]]:
    """Grade one submission. → its line, and (title, panel as HTML) of each exercise.

    Time limits need a process's main thread. Where this is called in another one, as Dask does, a
    process of its own does it.
    """
    if threading.current_thread() is threading.main_thread():
        return _work(task)
    with _lock:
        return _helper().submit(_work, task).result()


@functools.cache
def _helper() -> ProcessPoolExecutor:
    spawn = multiprocessing.get_context("spawn")
    # Dask's workers are daemons, which may have no children; these end with them all the same.
    multiprocessing.current_process()._config["daemon"] = False  # type: ignore[attr-defined]
    helper = ProcessPoolExecutor(1, mp_context=spawn, initializer=begin)
    atexit.register(helper.shutdown, wait=False, cancel_futures=True)
    return helper


def _work(task: Task) -> tuple[dict[str, Any], list[tuple[str, str]]]:
    result, notebook, lab = read(task.submission, task.learner, task.course)
    panels = []
    if lab is not None:
        checks = _checks(lab.module)
        graded = grade(_house(task.kind), result, notebook, lab, checks, task.secret, task.strict)
        for exercise, report in graded:
            title = f"{exercise.number} {exercise.name}"
            panels.append((title, report.html if report is not None else ""))
        result.alike = alike(notebook, lab)
    return result.line(), panels


def _house(kind: str) -> House:
    if kind not in _houses:
        _houses[kind] = House(kind)
        atexit.register(_houses[kind].close)
    return _houses[kind]


@functools.cache
def _checks(module: str) -> dict[str, Any]:
    from checks.engine import exercises_of

    return {
        check.name: check for check in exercises_of(importlib.import_module(f"checks.{module}"))
    }


def alike(notebook: Any, lab: Any) -> dict[str, str]:
    """Exercise → what its answer has in common with all that differ in names and spacing only."""
    from checks.grade.sources import sources

    found = {}
    for file, source in sources(notebook, lab).cells:
        number = file.removeprefix("<exercise ").rstrip(">")
        try:
            tree = ast.parse(source)
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            continue
        shape = _shape(tree)
        if len(shape) >= LARGE:
            found[number] = hashlib.sha256(" ".join(shape).encode()).hexdigest()[:12]
    return found


def _shape(tree: ast.AST) -> list[str]:
    """A tree without its names, comments and docstrings."""
    names: dict[str, str] = {}
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            continue
        said = type(node).__name__
        if isinstance(node, ast.Name | ast.arg):
            name = node.id if isinstance(node, ast.Name) else node.arg
            said += names.setdefault(name, str(len(names)))
        elif isinstance(node, ast.Attribute):
            said += node.attr
        elif isinstance(node, ast.Constant) and not isinstance(node.value, str):
            said += repr(node.value)[:40]
        found.append(said)
    return found


@functools.cache
def course_version() -> str:
    """A short sign for the checks as they are: grades of two versions are not the same thing."""
    digest = hashlib.sha256()
    for path in sorted((ROOT / "checks").rglob("*.py")):
        digest.update(path.relative_to(ROOT).as_posix().encode() + path.read_bytes())
    return digest.hexdigest()[:12]
