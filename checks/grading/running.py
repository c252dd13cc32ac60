"""Run one cell of a notebook: what it may take, what its end means, what a check answered."""

import json
import os
import re
import secrets
from collections.abc import Generator
from queue import Empty
from typing import Any

import pytest

from checks import catalogue
from checks.grading.audit import ROOT, Exercise, Lab, numbers
from checks.grading.budget import Budget
from checks.grading.kernel import KernelDied
from checks.grading.verdict import NOT_RUN, PASSED, RIGHT, VOID, Verdict, clean, judge, said

START_TIMEOUT = 120.0  # seconds for the lab's checks to be loaded: torch, on a busy machine
TITLE = re.compile(r"^\s*#\s*EXERCISE\s+\d", re.MULTILINE)

LAB = pytest.StashKey[Lab]()  # on a notebook
PLAN = pytest.StashKey[list[Exercise]]()  # on a notebook: the exercises the course expects
NOTE = pytest.StashKey[str]()  # on a notebook: what whoever grades it should know
CELLS = pytest.StashKey[int]()  # on a notebook: how many items it has
BUDGET = pytest.StashKey[Budget]()  # on a notebook, once it runs
NO_START = pytest.StashKey[str]()  # on a notebook: why its kernel did not start
DEATH = pytest.StashKey[str]()  # on a notebook: how its kernel ended
UNFINISHED = pytest.StashKey[str]()  # on a notebook: source of the cells that wait for an exercise
HANGING = pytest.StashKey[list[Exercise]]()  # on a notebook: whose answers do not come back
EXERCISE = pytest.StashKey[Exercise]()  # on a check cell
VERDICT = pytest.StashKey[Verdict]()  # on a check cell, once it has run


def is_strict(config: pytest.Config) -> bool:
    """Tell whether an answer has to be ready for a real model to count at all.

    `--strict` is an option of pytest's own, which is taken to mean the learner's answers as well.
    """
    said_so = "--strict" in map(str, config.invocation_params.args)
    return (
        said_so
        or getattr(config, "workerinput", {}).get("llama_lab_strict", False)
        or catalogue.strict()
    )


class NotPassed(Exception):
    """A check cell gives no points; its verdict says why."""


class Broken(Exception):
    """An ordinary cell broke in a way that nbval does not see or does not explain."""


class NotStarted(Exception):
    """A notebook's kernel did not start."""


class UnusableCheck(pytest.Item):
    """Stands for an exercise that has no check cell that could count, and says why."""

    def __init__(self, *, why: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.why = why

    def runtest(self) -> None:
        """Fail, always."""
        self.stash[VERDICT] = said(self.stash[EXERCISE], VOID, self.why)
        raise NotPassed

    def reportinfo(self) -> tuple[Any, int, str]:
        """Name the place as nbval does."""
        return self.path, 0, self.nodeid


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: Any) -> Generator[None, Any, Any]:
    """Run a cell within its notebook's time, note how it ended; a check counts with evidence."""
    if not hasattr(item, "cell") or BUDGET not in item.parent.stash:
        return (yield)
    file, exercise, option = item.parent, item.stash.get(EXERCISE, None), item.config.option
    budget, before = file.stash[BUDGET], option.nbval_cell_timeout
    needed = exercise is not None or TITLE.search(item.cell.source) is not None
    death = file.stash.get(DEATH, "")
    option.nbval_cell_timeout = budget.seconds(needed)
    if death or not option.nbval_cell_timeout:
        option.nbval_cell_timeout, why = before, death or budget.over()
        if exercise is None:
            pytest.skip(why)
        item.stash[VERDICT] = said(exercise, NOT_RUN, f"not run, because {why}")
        raise NotPassed
    if exercise is None and not needed:
        _skip_what_hangs(item)
    error = None
    try:
        yield
    except NotPassed:
        raise
    except Exception as raised:
        error = raised
    finally:
        seconds, option.nbval_cell_timeout = option.nbval_cell_timeout, before
    if exercise is None:
        stopped = _why_stopped(item, error, seconds)
        status = getattr(file.kernel, "reply", {}).get("status", "ok")
        _end_ordinary_cell(item, error, stopped, status)
    elif error is not None:
        raise error
    return None


def prepare(file: Any) -> None:
    """Let the kernel load the lab's checks before the notebook has a word in it."""
    if LAB not in file.stash:
        return
    asked = (file.stash[LAB].module, str(ROOT), json.dumps(numbers()))
    if file.kernel.evaluate(_inside("prepare", *asked), timeout=START_TIMEOUT) != "'ready'":
        file.kernel.stop()
        raise RuntimeError("the lab's checks could not be loaded: is the course complete?")


def run_check(item: Any) -> None:
    """Check the answer by the course's own module, whatever the check cell's names are now."""
    file, exercise = item.parent, item.stash[EXERCISE]
    seconds, word = item.config.option.nbval_cell_timeout, secrets.token_hex(8)
    asked = _inside("run", exercise.name, os.environ.get("CHECKS_SEED", "0"), word)
    answer, stopped = None, ""
    try:
        if not file.kernel.is_alive():
            raise KernelDied
        answer = file.kernel.evaluate(asked, timeout=seconds)
        stopped = file.kernel.stopped and f"stopped: {file.kernel.stopped}"
    except Empty:
        stopped = f"stopped: it did not finish within {seconds:g} seconds"
        if not file.kernel.await_stop(file.kernel.asked):
            stopped += ", nor stop when interrupted"
            file.kernel.stop()
            file.stash[DEATH] = f"the kernel had to be killed in {place_of(item)}"
        file.stash[BUDGET].cause = file.stash[BUDGET].cause or place_of(item)
    except Exception:  # KernelDied, or whatever a broken connection gives
        stopped = _death(item)
    verdict = item.stash[VERDICT] = judge(
        exercise, answer, word, stopped, only_ready=is_strict(item.config)
    )
    if verdict.mistake == "hangs":
        file.stash.setdefault(HANGING, []).append(exercise)
    if verdict.result not in (PASSED, RIGHT):
        raise NotPassed


def _death(item: Any) -> str:
    file = item.parent
    why = getattr(file.kernel, "stopped", "")
    file.stash[DEATH] = f"the kernel died in {place_of(item)}"
    if why:
        return f"the kernel was ended while this cell ran: {why}"
    return "the kernel died while this cell ran: os._exit(), a crash, or out of memory"


def _why_stopped(item: Any, error: Exception | None, seconds: float) -> str:
    """Say why a cell could not end by itself; let the cells after a time-out run as usual."""
    file, kernel = item.parent, item.parent.kernel
    if isinstance(error, KernelDied) or str(error) == "Kernel dead on test start":
        return _death(item)
    timed_out, file.timed_out = file.timed_out, False
    why = kernel.stopped or (f"it did not finish within {seconds:g} seconds" if timed_out else "")
    if not why:
        return ""
    file.stash[BUDGET].cause = file.stash[BUDGET].cause or place_of(item)
    if kernel.is_alive():
        return f"stopped: {why}"
    file.stash[DEATH] = f"the kernel had to be killed in {place_of(item)}"
    return f"stopped: {why}, nor did it stop when interrupted"


def _skip_what_hangs(item: Any) -> None:
    """Skip a cell that uses an answer which does not come back: it would not come back either."""
    for exercise in item.parent.stash.get(HANGING, []):
        if re.search(rf"\b{exercise.name}\b", item.cell.source):
            _waits(item, f"exercise {exercise.number}, which does not come back")


def _waits(item: Any, what: str) -> None:
    waiting = item.parent.stash.get(UNFINISHED, "")
    item.parent.stash[UNFINISHED] = f"{waiting}\n{item.cell.source}"
    pytest.xfail(f"waits for {what}")


def _end_ordinary_cell(item: Any, error: Exception | None, stopped: str, status: str) -> None:
    """Report an ordinary cell as nbval does, unless it only waits for an unwritten exercise."""
    if stopped:
        raise Broken(stopped) from None
    if error is None:
        if status == "error" and not item.options["check_exception"]:
            raise Broken("it raised an error, and the notebook hides the traceback")
        return
    last = next((o for o in reversed(item.test_outputs or []) if o.output_type == "error"), None)
    if last is not None:
        waiting = item.parent.stash.get(UNFINISHED, "")
        todo = re.match(r"Exercise \d+\.\d+", last.evalue)
        lost = re.match(r"name '(\w+)' is not defined", last.evalue)
        if last.ename == "NotImplementedError" and todo:
            _waits(item, todo[0].lower())
        if last.ename == "NameError" and lost and re.search(rf"\b{lost[1]}\b", waiting):
            _waits(item, "an earlier cell")
    raise error


def place_of(item: Any) -> str:
    """Name a cell for people, who do not count cells from 0: by its first line."""
    return f"{item.name} (`{_first_line(item.cell.source, 40)}`)"


def one_line(item: Any, call: Any) -> str:
    """Say in one line why a cell broke."""
    value = call.excinfo.value if call.excinfo else "failed"
    errors = [o for o in getattr(item, "test_outputs", None) or [] if o["output_type"] == "error"]
    if errors and not isinstance(value, Broken):
        return _first_line(f"{errors[-1]['ename']}: {errors[-1]['evalue']}")
    return _first_line(str(value), 200)


def _first_line(source: str, limit: int = 70) -> str:
    line = clean(next(iter(source.strip().splitlines()), ""), 2 * limit)
    return line if len(line) <= limit else line[: limit - 1] + "…"


def _inside(function: str, *arguments: str) -> str:
    """The expression that calls one of the functions of inside.py in a graded kernel."""
    module = "__import__('checks.grading.inside', fromlist=['inside'])"
    return f"{module}.{function}({', '.join(map(repr, arguments))})"
