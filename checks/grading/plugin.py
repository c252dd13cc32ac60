"""The pytest hooks: nbval runs the cells, these lines say what the exercises are worth.

Nothing here happens without `--nbval` or `--nbval-lax`.
"""

import functools
import importlib.util
import json
import os
import re
import secrets
from collections.abc import Generator
from dataclasses import asdict
from pathlib import Path
from queue import Empty
from typing import Any

import pytest

from checks.grading import kernel as kernels
from checks.grading import place, reading, target
from checks.grading.audit import (
    ROOT,
    Exercise,
    Lab,
    audit,
    copies,
    disagreement,
    numbers,
    recognise,
)
from checks.grading.budget import CELL, TOTAL, Budget
from checks.grading.copies import Copies, fits, original
from checks.grading.kernel import KernelDied, install
from checks.grading.table import ScoreBoard
from checks.grading.verdict import NOT_RUN, PASSED, RIGHT, VOID, Verdict, clean, judge, said, strict
from checks.grading.verdict import earned as earned_by

OUTPUT_TIMEOUT = 15.0  # seconds to wait for a cell's last output; nbval's 5 are few
START_TIMEOUT = 120.0  # seconds for the lab's checks to be loaded: torch, on a busy machine
NO_NBVAL = "The notebooks are graded by nbval, which is not installed. Try: pip install nbval"
COLOURS = re.compile(r"\x1b\[[0-9;]*m")
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
COPIES = pytest.StashKey[Copies]()  # on the config


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


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add our options; without nbval, take its options too, to say what is missing."""
    group = parser.getgroup("llama-lab", "Llama Lab")
    group.addoption("--score-json", metavar="FILE", help="write the scores to FILE as JSON")
    group.addoption(
        "--notebook-timeout",
        metavar="SECONDS",
        type=float,
        default=TOTAL,
        help=f"seconds that one notebook may take ({TOTAL:g})",
    )
    if importlib.util.find_spec("nbval") is None:
        group.addoption("--nbval", "--nbval-lax", action="store_true", dest="nbval_lax")


def is_strict(config: pytest.Config) -> bool:
    """Tell whether an answer has to be ready for a real model to count at all.

    `--strict` is an option of pytest's own, which is taken to mean the learner's answers as well.
    """
    said = "--strict" in map(str, config.invocation_params.args)
    return said or getattr(config, "workerinput", {}).get("llama_lab_strict", False) or strict()


@pytest.hookimpl(trylast=True)
def pytest_configure(config: pytest.Config) -> None:
    """Give nbval the course's defaults; what the user says wins."""
    option = config.option
    if not _grades(option):
        return
    if not hasattr(option, "nbval_cell_timeout"):
        raise pytest.UsageError(NO_NBVAL)
    try:
        install()
    except RuntimeError as error:
        raise pytest.UsageError(str(error)) from None
    if hasattr(config, "workerinput"):  # a worker of pytest-xdist does as the first process says
        vars(option).update(config.workerinput["llama_lab"])
        config.args[:] = config.workerinput["llama_lab_args"]
        return
    if not (option.nbval_kernel_name or option.current_env):
        option.nbval_current_env = True
    said_so = any("--nbval-cell-timeout" in str(arg) for arg in config.invocation_params.args)
    if option.nbval_cell_timeout == 2000 and not said_so:
        option.nbval_cell_timeout = CELL
    option.continue_on_collection_errors = True  # one damaged notebook does not stop the others
    if getattr(option, "dist", None) == "load":
        option.dist = "loadfile"  # the cells of a notebook share a kernel
    if option.score_json:
        path = config.invocation_params.dir / option.score_json
        if problem := target.problem(path, "--score-json"):
            raise pytest.UsageError(problem)
    target.end_by_interrupt()
    _replace_odd_names(config)
    config.pluginmanager.register(ScoreBoard(config), "llama-lab-scores")


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    """Hand our defaults to a worker of pytest-xdist, which knows only what was typed."""
    if not _grades(node.config.option):
        return
    node.workerinput["llama_lab_strict"] = is_strict(node.config)
    node.workerinput["llama_lab_args"] = [str(argument) for argument in node.config.args]
    names = ("nbval_cell_timeout", "nbval_current_env", "notebook_timeout")
    node.workerinput["llama_lab"] = {
        name: value for name in names if (value := getattr(node.config.option, name, None))
    }


def pytest_unconfigure(config: pytest.Config) -> None:
    """Take the copies away."""
    if made := config.stash.get(COPIES, None):
        made.remove()


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(collector: Any) -> Generator[None, Any, Any]:
    """Mark the check cells of a lab, and add an item for each exercise that has none."""
    report = yield
    if type(collector).__name__ != "IPyNbFile":
        return report
    if not report.passed:
        error = getattr(getattr(report, "_llama_lab", None), "value", None) or _unreadable(
            collector
        )
        name = original(collector.path) or collector.name
        report.longrepr = f"{clean(name)}: {error}."
        report.llama_lab_unreadable = {"notebook": _name(collector), "why": str(error)}
        return report
    cells = list(report.result)
    name = Path(original(collector.path) or collector.name).name
    for cell in cells:
        cell.output_timeout = OUTPUT_TIMEOUT
        if not collector.compare_outputs:
            cell.cell.outputs = []  # they may be large, and nothing looks at them
    lab = recognise(name, collector.nb)
    if lab is None:
        return report
    plan = collector.stash[PLAN] = lab.exercises()
    collector.stash[LAB], collector.stash[NOTE] = lab, disagreement(name, collector.nb)
    places = audit(collector.nb, lab, plan)
    again = copies(collector.nb, plan, places)
    for cell in cells:
        if cell.cell_num in again:
            cell.cell.source = "pass"
    for exercise in plan:
        where = places[exercise.number]
        if isinstance(where, int):
            item = next(cell for cell in cells if cell.cell_num == where)
            item.runtest = functools.partial(_run_check, item)
        else:
            item = UnusableCheck.from_parent(
                collector, name=f"Exercise {exercise.number}", why=where
            )
            report.result.append(item)
        item.stash[EXERCISE] = exercise
        item.user_properties += [("exercise", exercise.number), ("name", exercise.name)]
    collector.stash[CELLS] = len(report.result)
    return report


@pytest.hookimpl(wrapper=True)
def pytest_runtest_setup(item: Any) -> Generator[None, Any, Any]:
    """Start each notebook's kernel in a place of its own, with the lab's checks loaded first."""
    file = item.parent
    if type(file).__name__ != "IPyNbFile" or getattr(file, "kernel", None) is not None:
        return (yield)
    if why := file.stash.get(NO_START, ""):
        raise NotStarted(why)
    try:
        kernels.place_of_next[0] = place.Place(None if original(file.path) else file.path)
        result = yield
        _prepare(file)
    except Exception as error:
        file.stash[NO_START] = clean(str(error)) or type(error).__name__
        raise NotStarted(file.stash[NO_START]) from None
    option = item.config.option
    file.stash[BUDGET] = Budget(option.nbval_cell_timeout, option.notebook_timeout)
    return result


@pytest.hookimpl(wrapper=True)
def pytest_runtest_teardown(item: Any, nextitem: pytest.Item | None) -> Generator[None, Any, Any]:
    """End what a notebook started, also when its kernel is dead."""
    result = yield
    file = item.parent
    last = nextitem is None or nextitem.parent is not file
    if last and getattr(getattr(file, "kernel", None), "watched", False):
        file.kernel.stop()
    return result


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


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: Any, call: Any) -> Generator[None, Any, Any]:
    """Show the panel in place of a traceback, and send the verdict along with the report."""
    exercise, verdict = item.stash.get(EXERCISE, None), item.stash.get(VERDICT, None)
    broken_setup = call.when == "setup" and call.excinfo is not None
    if exercise and broken_setup:
        why = clean(str(call.excinfo.value)) or "the notebook's kernel did not start"
        verdict = said(exercise, NOT_RUN, f"not run: {why}")
    if exercise and verdict and (call.when == "call" or broken_setup):
        earned = earned_by(exercise.points, verdict.result)
        item.user_properties += [("points", exercise.points), ("earned", earned)]
        item.user_properties += [("result", verdict.result), ("mistake", verdict.mistake or "")]
    report = yield
    file = item.parent
    coloured = item.config.get_terminal_writer().hasmarkup
    if hasattr(item, "cell") and isinstance(report.longrepr, str):
        limited = clean(report.longrepr, 20_000, lines=True)
        report.longrepr = report.longrepr if coloured and len(limited) < 20_000 else limited
    if report.when == "teardown" or file is None or PLAN not in file.stash:
        return report
    record: dict[str, Any] = {"notebook": _name(file), "lab": file.stash[LAB].name}
    record["plan"] = [asdict(one) for one in file.stash[PLAN]]
    record["note"], record["cells"] = file.stash[NOTE], file.stash[CELLS]
    record["done"] = report.when == "call" or broken_setup
    value = getattr(call.excinfo, "value", None)
    if exercise and verdict and (report.when == "call" or broken_setup):
        record |= {"exercise": exercise.number, **verdict.record()}
        if isinstance(value, NotPassed) or broken_setup:
            report.longrepr = verdict.text
    elif broken_setup:
        report.longrepr = f"{item.name}: the notebook's kernel did not start: {value}."
        record["broken"] = f"the notebook's kernel did not start: {value}"
    elif report.failed:
        if isinstance(value, Broken):
            report.longrepr = (
                f"{item.name}: {value}.\n\n{clean(item.cell.source, 2000, lines=True)}"
            )
        record["broken"] = f"{_place(item)}: {_one_line(item, call)}"
    report.llama_lab = record
    return report


def _grades(option: Any) -> bool:
    return bool(getattr(option, "nbval", False) or getattr(option, "nbval_lax", False))


def _replace_odd_names(config: pytest.Config) -> None:
    """Let copies stand in for notebooks whose names pytest would not understand."""
    for number, argument in enumerate(config.args):
        path = config.invocation_params.dir / argument
        if path.suffix.lower() == ".ipynb" and path.is_file() and not fits(path):
            if COPIES not in config.stash:
                config.stash[COPIES] = Copies()
            try:
                notebook = reading.read(path)
            except reading.Unreadable as error:
                raise pytest.UsageError(f"{argument}: {error}.") from None
            config.args[number] = str(config.stash[COPIES].add(notebook, argument))


def _unreadable(collector: Any) -> str:
    """Why a notebook could not be collected."""
    try:
        reading.read(collector.path)
    except reading.Unreadable as error:
        return str(error)
    return "it cannot be read as a notebook"


def _name(file: Any) -> str:
    """The name of a notebook that people know."""
    if name := original(file.path):
        return clean(name)
    root = file.config.rootpath
    inside = file.path.is_relative_to(root)
    return clean((file.path.relative_to(root) if inside else file.path).as_posix())


def _inside(function: str, *arguments: str) -> str:
    """The expression that calls one of the functions of inside.py in a graded kernel."""
    module = "__import__('checks.grading.inside', fromlist=['inside'])"
    return f"{module}.{function}({', '.join(map(repr, arguments))})"


def _prepare(file: Any) -> None:
    """Let the kernel load the lab's checks before the notebook has a word in it."""
    if LAB not in file.stash:
        return
    asked = (file.stash[LAB].module, str(ROOT), json.dumps(numbers()))
    if file.kernel.evaluate(_inside("prepare", *asked), timeout=START_TIMEOUT) != "'ready'":
        file.kernel.stop()
        raise RuntimeError("the lab's checks could not be loaded: is the course complete?")


def _run_check(item: Any) -> None:
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
            file.stash[DEATH] = f"the kernel had to be killed in {_place(item)}"
        file.stash[BUDGET].cause = file.stash[BUDGET].cause or _place(item)
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
    file.stash[DEATH] = f"the kernel died in {_place(item)}"
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
    file.stash[BUDGET].cause = file.stash[BUDGET].cause or _place(item)
    if kernel.is_alive():
        return f"stopped: {why}"
    file.stash[DEATH] = f"the kernel had to be killed in {_place(item)}"
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


def _place(item: Any) -> str:
    """Name a cell for people, who do not count cells from 0: by its first line."""
    return f"{item.name} (`{_first_line(item.cell.source, 40)}`)"


def _one_line(item: Any, call: Any) -> str:
    value = call.excinfo.value if call.excinfo else "failed"
    errors = [o for o in getattr(item, "test_outputs", None) or [] if o["output_type"] == "error"]
    if errors and not isinstance(value, Broken):
        return _first_line(f"{errors[-1]['ename']}: {errors[-1]['evalue']}")
    return _first_line(str(value), 200)


def _first_line(source: str, limit: int = 70) -> str:
    line = clean(next(iter(source.strip().splitlines()), ""), 2 * limit)
    return line if len(line) <= limit else line[: limit - 1] + "…"
