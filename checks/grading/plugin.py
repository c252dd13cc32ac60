"""The pytest hooks: nbval runs the cells, these lines say what the exercises are worth.

Nothing here happens without `--nbval` or `--nbval-lax`.
"""

import functools
import importlib.util
import re
from collections.abc import Callable, Generator
from dataclasses import asdict
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from checks.grading import kernel as kernels
from checks.grading import reading, running, target
from checks.grading.audit import ROOT, audit, copies, disagreement, recognise
from checks.grading.budget import CELL, TOTAL, Budget
from checks.grading.copies import Copies, fits, original
from checks.grading.kernel import install
from checks.grading.running import (
    BUDGET,
    CELLS,
    EXERCISE,
    LAB,
    NO_START,
    NOTE,
    PLAN,
    VERDICT,
    Broken,
    NotPassed,
    NotStarted,
    UnusableCheck,
    one_line,
    place_of,
    prepare,
    run_check,
)
from checks.grading.table import ScoreBoard
from checks.grading.verdict import NOT_RUN, clean, said
from checks.grading.verdict import earned as earned_by

OUTPUT_TIMEOUT = 15.0  # seconds to wait for a cell's last output; nbval's 5 are few
NO_NBVAL = "The notebooks are graded by nbval, which is not installed. Try: pip install nbval"
COLOURS = re.compile(r"\x1b\[[0-9;]*m")

COPIES = pytest.StashKey[Copies]()  # on the config


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


def pytest_plugin_registered(manager: pytest.PytestPluginManager) -> None:
    """Where notebooks are graded, run no conftest.py that somebody left beside one."""
    config = manager.get_plugin("pytestconfig")
    known = getattr(config, "known_args_namespace", getattr(config, "option", None))
    if _grades(known) and not hasattr(manager._importconftest, "course_only"):
        manager._importconftest = _course_only(manager._importconftest)  # type: ignore[method-assign]


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
        _start_ahead(option)
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
    if not getattr(option, "numprocesses", None):  # else it is pytest-xdist's workers that run them
        _start_ahead(option)


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    """Hand our defaults to a worker of pytest-xdist, which knows only what was typed."""
    if not _grades(node.config.option):
        return
    node.workerinput["llama_lab_strict"] = running.is_strict(node.config)
    node.workerinput["llama_lab_args"] = [str(argument) for argument in node.config.args]
    names = ("nbval_cell_timeout", "nbval_current_env", "notebook_timeout")
    node.workerinput["llama_lab"] = {
        name: value for name in names if (value := getattr(node.config.option, name, None))
    }


def pytest_unconfigure(config: pytest.Config) -> None:
    """End what was started ahead, and take the copies away."""
    kernels.end_ahead()
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
            item.runtest = functools.partial(run_check, item)
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
        kernels.beside_next[0] = None if original(file.path) else file.path
        result = yield
        prepare(file)
    except Exception as error:
        file.stash[NO_START] = clean(str(error)) or type(error).__name__
        raise NotStarted(file.stash[NO_START]) from None
    option = item.config.option
    file.stash[BUDGET] = Budget(option.nbval_cell_timeout, option.notebook_timeout)
    return result


@pytest.hookimpl(wrapper=True)
def pytest_runtest_teardown(item: Any, nextitem: Any | None) -> Generator[None, Any, Any]:
    """End what a notebook started, also when its kernel is dead."""
    result = yield
    file = item.parent
    last = nextitem is None or nextitem.parent is not file
    if last and getattr(getattr(file, "kernel", None), "watched", False):
        file.kernel.stop()
    return result


pytest_runtest_call = running.pytest_runtest_call


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
        record["broken"] = f"{place_of(item)}: {one_line(item, call)}"
    report.llama_lab = record
    return report


def _course_only(load: Callable[..., ModuleType]) -> Callable[..., ModuleType]:
    def course_only(path: Path, *args: Any, **kwargs: Any) -> ModuleType:
        known = Path(path).parent in (ROOT, ROOT / "tests")
        return load(path, *args, **kwargs) if known else ModuleType("nothing")

    course_only.course_only = True  # type: ignore[attr-defined]
    return course_only


def _grades(option: Any) -> bool:
    return bool(getattr(option, "nbval", False) or getattr(option, "nbval_lax", False))


def _start_ahead(option: Any) -> None:
    if option.nbval_current_env and not option.collectonly:
        kernels.start_ahead()


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


def _name(file: Any) -> str:
    """The name of a notebook that people know."""
    if name := original(file.path):
        return clean(name)
    root = file.config.rootpath
    inside = file.path.is_relative_to(root)
    return clean((file.path.relative_to(root) if inside else file.path).as_posix())


def _unreadable(collector: Any) -> str:
    """Why a notebook could not be collected."""
    try:
        reading.read(collector.path)
    except reading.Unreadable as error:
        return str(error)
    return "it cannot be read as a notebook"
