"""The pytest hooks: nbval runs the cells, these lines say what the check cells are worth.

Nothing here happens without `--nbval` or `--nbval-lax`.
"""

import ast
import importlib.util
import os
import re
from collections.abc import Generator
from dataclasses import asdict
from typing import Any

import pytest

from checks.grading.audit import ROOT, Exercise, Lab, audit, recognise
from checks.grading.kernel import KernelDied, install
from checks.grading.table import ScoreBoard
from checks.grading.verdict import NOT_RUN, PASSED, VOID, Verdict, judge, said

CELL_TIMEOUT = 60.0  # seconds a cell may take, unless --nbval-cell-timeout says otherwise
OUTPUT_TIMEOUT = 15.0  # seconds to wait for a cell's last output; nbval's 5 are few
NO_NBVAL = "The notebooks are graded by nbval, which is not installed. Try: pip install nbval"
COLOURS = re.compile(r"\x1b\[[0-9;]*m")

LAB = pytest.StashKey[Lab]()  # on a notebook
PLAN = pytest.StashKey[list[Exercise]]()  # on a notebook: the exercises the course expects
DEATH = pytest.StashKey[str]()  # on a notebook: how its kernel ended
UNFINISHED = pytest.StashKey[str]()  # on a notebook: source of the cells that wait for an exercise
EXERCISE = pytest.StashKey[Exercise]()  # on a check cell
VERDICT = pytest.StashKey[Verdict]()  # on a check cell, once it has run


class NotPassed(Exception):
    """A check cell gives no points; its verdict says why."""


class Broken(Exception):
    """An ordinary cell broke in a way that nbval does not see or does not explain."""


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
    """Add --score-json; without nbval, take its options too, to say what is missing."""
    group = parser.getgroup("llama-lab", "Llama Lab")
    group.addoption("--score-json", metavar="FILE", help="write the scores to FILE as JSON")
    if importlib.util.find_spec("nbval") is None:
        group.addoption("--nbval", "--nbval-lax", action="store_true", dest="nbval_lax")


@pytest.hookimpl(trylast=True)
def pytest_configure(config: pytest.Config) -> None:
    """Give nbval the course's defaults; what the user says wins."""
    option = config.option
    if not (getattr(option, "nbval", False) or getattr(option, "nbval_lax", False)):
        return
    if not hasattr(option, "nbval_cell_timeout"):
        raise pytest.UsageError(NO_NBVAL)
    try:
        install()
    except RuntimeError as error:
        raise pytest.UsageError(str(error)) from None
    if hasattr(config, "workerinput"):  # a worker of pytest-xdist: its options come from the first
        return
    said_so = any("--nbval-cell-timeout" in str(arg) for arg in config.invocation_params.args)
    if option.nbval_cell_timeout == 2000 and not said_so:
        option.nbval_cell_timeout = CELL_TIMEOUT
    if not (option.nbval_kernel_name or option.current_env):
        option.nbval_current_env = True
    option.continue_on_collection_errors = True  # one damaged notebook does not stop the others
    if getattr(option, "dist", None) == "load":
        option.dist = "loadfile"  # the cells of a notebook share a kernel
    config.pluginmanager.register(ScoreBoard(config), "llama-lab-scores")


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(collector: pytest.Collector) -> Generator:
    """Mark the check cells of a lab, and add an item for each exercise that has none."""
    report = yield
    if type(collector).__name__ != "IPyNbFile":
        return report
    if not report.passed:
        report.longrepr = f"{collector.name} is not a notebook that can be read: damaged file?"
        return report
    cells = list(report.result)
    lab = recognise(collector.name, collector.nb)
    if lab is None:
        return report
    collector.stash[LAB], collector.stash[PLAN] = lab, lab.exercises()
    places = audit(collector.nb, lab, collector.stash[PLAN])
    for cell in cells:
        cell.output_timeout = OUTPUT_TIMEOUT
        if cell.cell.execution_count is None:
            cell.cell.outputs = []  # else nbval stumbles over outputs that nobody ran
    for exercise in collector.stash[PLAN]:
        place = places[exercise.number]
        if isinstance(place, int):
            item = next(cell for cell in cells if cell.cell_num == place)
        else:
            name = f"Exercise {exercise.number}"
            item = UnusableCheck.from_parent(collector, name=name, why=place)
            report.result.append(item)
        item.stash[EXERCISE] = exercise
        item.user_properties += [("exercise", exercise.number), ("name", exercise.name)]
    return report


@pytest.hookimpl(wrapper=True)
def pytest_runtest_setup(item: pytest.Item) -> Generator:
    """Start kernels that find the course, and that know they are graded."""
    if type(item.parent).__name__ != "IPyNbFile":
        return (yield)
    path = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", path)
        patch.setenv("LLAMA_LAB_GRADING", "1")
        return (yield)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator:
    """Run a cell, note how it ended, and let a check cell pass only with evidence."""
    if not hasattr(item, "cell"):
        return (yield)
    file, exercise = item.parent, item.stash.get(EXERCISE, None)
    if death := file.stash.get(DEATH, ""):
        if exercise is None:
            pytest.skip(death)
        item.stash[VERDICT] = said(exercise, NOT_RUN, f"not run, because {death}")
        raise NotPassed
    tampering, error = _probe(item) if exercise else "", None
    try:
        yield
    except Exception as raised:
        error = raised
    stopped = _why_stopped(item, error)
    status = getattr(file.kernel, "reply", {}).get("status", "ok")
    if exercise is None:
        _end_ordinary_cell(item, error, stopped, status)
        return None
    outputs = item.test_outputs or []
    verdict = judge(exercise, outputs, tampering=tampering, stopped=stopped, status=status)
    item.stash[VERDICT] = verdict
    if verdict.result != PASSED:
        raise NotPassed
    return None


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo) -> Generator:
    """Show the panel in place of a traceback, and send the verdict along with the report."""
    exercise, verdict = item.stash.get(EXERCISE, None), item.stash.get(VERDICT, None)
    broken_setup = call.when == "setup" and call.excinfo is not None
    if exercise and broken_setup:
        verdict = said(exercise, NOT_RUN, "not run, because the notebook's kernel did not start")
    if exercise and verdict and (call.when == "call" or broken_setup):
        earned = exercise.points if verdict.result == PASSED else 0
        item.user_properties += [("points", exercise.points), ("earned", earned)]
        item.user_properties += [("result", verdict.result), ("mistake", verdict.mistake or "")]
    report = yield
    file = item.parent
    coloured = item.config.get_terminal_writer().hasmarkup
    if hasattr(item, "cell") and isinstance(report.longrepr, str) and not coloured:
        report.longrepr = COLOURS.sub("", report.longrepr)
    if report.when == "teardown" or file is None or PLAN not in file.stash:
        return report
    record: dict[str, Any] = {"notebook": item.nodeid.split("::")[0], "lab": file.stash[LAB].name}
    record["plan"] = [asdict(one) for one in file.stash[PLAN]]
    if exercise and verdict and (report.when == "call" or broken_setup):
        record |= {"exercise": exercise.number, **verdict.record()}
        if isinstance(getattr(call.excinfo, "value", None), NotPassed):
            report.longrepr = verdict.text
    elif report.failed:
        if isinstance(getattr(call.excinfo, "value", None), Broken):
            report.longrepr = f"{item.name}: {call.excinfo.value}.\n\n{item.cell.source}"
        record["broken"] = f"{_place(item)}: {_one_line(item, call)}"
    report.llama_lab = record
    return report


def _probe(item: Any) -> str:
    """Ask the kernel whether the check that is about to run is the course's own."""
    lab, exercise, kernel = item.parent.stash[LAB], item.stash[EXERCISE], item.parent.kernel
    asked = (
        "__import__('checks.grading.probe', fromlist=['probe'])"
        f".tampering({lab.module!r}, {exercise.name!r})"
    )
    try:
        answer = kernel.evaluate(asked)
    except Exception:  # a kernel that cannot answer will not run the check cell either
        return ""
    if answer is None:
        return "the notebook hides `checks` or breaks what it stands on"
    return str(ast.literal_eval(answer))


def _why_stopped(item: Any, error: Exception | None) -> str:
    """Say why a cell could not end by itself; let the cells after a time-out run as usual."""
    file, kernel = item.parent, item.parent.kernel
    seconds = item.config.option.nbval_cell_timeout
    if isinstance(error, KernelDied) or str(error) == "Kernel dead on test start":
        file.stash[DEATH] = f"the kernel died in {_place(item)}"
        return "the kernel died while this cell ran: os._exit(), a crash, or out of memory"
    if not file.timed_out:
        return ""
    file.timed_out = False
    if kernel.is_alive():
        return f"stopped: it did not finish within {seconds:g} seconds"
    file.stash[DEATH] = f"the kernel had to be killed in {_place(item)}"
    return f"stopped: it did not finish within {seconds:g} seconds, nor stop when interrupted"


def _end_ordinary_cell(item: Any, error: Exception | None, stopped: str, status: str) -> None:
    """Report an ordinary cell as nbval does, unless it only waits for an unwritten exercise."""
    if stopped and (error is None or isinstance(error, KernelDied)):
        raise Broken(stopped) from None
    if error is None:
        if status == "error" and not item.options["check_exception"]:
            raise Broken("it raised an error, and the notebook hides the traceback")
        return
    last = next((o for o in reversed(item.test_outputs or []) if o.output_type == "error"), None)
    if last is not None and not stopped:
        waiting = item.parent.stash.get(UNFINISHED, "")
        todo = re.match(r"Exercise \d+\.\d+", last.evalue)
        lost = re.match(r"name '(\w+)' is not defined", last.evalue)
        if (last.ename == "NotImplementedError" and todo) or (
            last.ename == "NameError" and lost and re.search(rf"\b{lost[1]}\b", waiting)
        ):
            item.parent.stash[UNFINISHED] = f"{waiting}\n{item.cell.source}"
            pytest.xfail(f"waits for {todo[0].lower() if todo else 'an earlier cell'}")
    raise error


def _place(item: Any) -> str:
    """Name a cell for people, who do not count cells from 0: by its first line."""
    return f"{item.name} (`{_first_line(item.cell.source, 40)}`)"


def _one_line(item: Any, call: pytest.CallInfo) -> str:
    errors = [o for o in getattr(item, "test_outputs", None) or [] if o["output_type"] == "error"]
    if errors:
        return _first_line(f"{errors[-1]['ename']}: {errors[-1]['evalue']}")
    return _first_line(str(call.excinfo.value)) if call.excinfo else "failed"


def _first_line(source: str, limit: int = 70) -> str:
    line = next(iter(source.strip().splitlines()), "")
    return line if len(line) <= limit else line[: limit - 1] + "…"
