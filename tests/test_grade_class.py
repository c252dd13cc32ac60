"""A made-up class, graded: everybody gets what they have written, and nobody more or less."""

import contextlib
import csv
import json
import multiprocessing
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import Executor, Future, ProcessPoolExecutor
from pathlib import Path
from typing import Any

import nbformat
import psutil
import pytest
from course import ROOT
from graded_notebooks import EMPTY, NUMBERS, lab
from nbformat.v4 import new_code_cell, new_markdown_cell

from checks.grade import crowd, journal, work
from checks.grade.__main__ import main
from checks.grade.house import NoSandbox, strongest
from checks.grade.submissions import Submission
from checks.grade.work import Task

pytestmark = [
    pytest.mark.skipif(sys.platform != "linux", reason="its sandbox is Linux's own"),
    pytest.mark.ours,
]

EPS_OUTSIDE = """\
def rms_norm(x, weight, eps=1e-5):
    y = x.float()
    return (y / (torch.sqrt(y.square().mean(-1, keepdim=True)) + eps) * weight).to(x.dtype)
"""
HELPED = """\
def rms_norm(x, weight, eps=1e-5):
    return (x.float() * scale(x.float(), eps) * weight).to(x.dtype)
"""
FOR_EVER = """\
def layer_norm(x, weight, bias, eps=1e-5):
    while True:
        pass
"""
HOSTILE = {
    "batch_norm": "import os, signal\nos.kill(os.getppid() or 1, 9)\n"
    "def batch_norm(x, eps=1e-5):\n    return x",
    "layer_norm": "from checks.rmsnorm import layer_norm as check\nlayer_norm = check.reference",
    "rms_norm": "def rms_norm(x, weight, eps=1e-5):\n    import os\n    os._exit(0)",
    "RMSNorm": "from my_llama import RMSNorm",
}


class Here(Executor):
    """Grades in this process, one after the other."""

    def submit(self, call: Any, /, *args: Any, **kwargs: Any) -> Future:
        future: Future = Future()
        future.set_result(call(*args, **kwargs))
        return future


@pytest.fixture(scope="module")
def sandbox() -> Iterator[None]:
    """One sandbox for all of these tests: to start one takes seconds."""
    patch = pytest.MonkeyPatch()
    try:
        with strongest() as house:
            patch.setitem(work._houses, house.kind, house)
            patch.setattr("checks.grade.house.strongest", lambda: _Kept(house.kind))
            patch.setattr(crowd, "local", lambda processes: Here())
            yield
    except NoSandbox as error:
        pytest.skip(str(error))
    finally:
        patch.undo()


class _Kept:
    def __init__(self, kind: str) -> None:
        self.kind = kind

    def __enter__(self) -> "_Kept":
        return self

    def __exit__(self, *_: object) -> None:
        pass


@pytest.fixture(scope="module")
def submissions(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("class")
    made: dict[str, nbformat.NotebookNode] = {
        "ada": lab(),
        "bob": lab({"rms_norm": EPS_OUTSIDE}),
        "cyd": lab({name: EMPTY[name] for name in ("rms_norm", "RMSNorm")}),
        "dee": lab(EMPTY),
        "eve": lab(HOSTILE),
        "gus": lab({"rms_norm": HELPED}),
        "ike": lab({"layer_norm": FOR_EVER}),
    }
    helper = "def scale(y, eps):\n    return torch.rsqrt(y.square().mean(-1, keepdim=True) + eps)"
    made["gus"].cells.insert(2, new_code_cell(f"1 / 0\n{helper}\nprint('hello')"))
    made["gus"].cells = [c for c in made["gus"].cells if not c.source.startswith("check.")]
    made["ada"].cells.append(new_markdown_cell("the end"))
    for name, notebook in made.items():
        (place / name).mkdir()
        nbformat.write(notebook, place / name / "02_rmsnorm.ipynb")
    nbformat.write(lab(EMPTY), place / "bob/02_rmsnorm-1.ipynb")
    os.utime(place / "bob/02_rmsnorm-1.ipynb", (1, 1))  # an earlier try
    (place / "fay").mkdir()
    (place / "fay/02_rmsnorm.ipynb").write_text('{"cells": [{"cell_type": "code",')
    (place.parent / "roster.csv").write_text("name,id\nada,1\nbob,2\nhal,3\n")
    return place


def graded(submissions: Path, out: Path, *options: str) -> list[dict[str, Any]]:
    assert main([str(submissions), "--out", str(out), "-n", "1", *options]) == 0
    return [json.loads(line) for line in (out / journal.RESULTS).read_text().splitlines()]


@pytest.fixture(scope="module")
def out(sandbox: None, submissions: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("grades")
    roster = str(submissions.parent / "roster.csv")
    graded(
        submissions, place, "--seed", "s", "--roster", roster, "--junitxml", str(place / "j.xml")
    )
    return place


def line_of(out: Path, learner: str) -> dict[str, Any]:
    lines = map(json.loads, (out / journal.RESULTS).read_text().splitlines()[1:])
    return [line for line in lines if line["learner"] == learner][-1]


def results(line: dict[str, Any]) -> list[str]:
    return [one["result"] for one in line["exercises"]]


def test_everybody_gets_what_they_wrote(out: Path) -> None:
    assert (line_of(out, "ada")["earned"], line_of(out, "ada")["points"]) == (20, 20)
    bob = line_of(out, "bob")
    assert results(bob) == ["passed", "passed", "failed", "passed"]
    assert bob["exercises"][2]["mistake"] == "eps_outside_root"
    assert results(line_of(out, "cyd")) == ["passed", "passed", "todo", "todo"]
    assert results(line_of(out, "dee")) == ["todo"] * 4


def test_a_helper_in_another_cell_comes_along_and_a_missing_check_costs_nothing(out: Path) -> None:
    assert line_of(out, "gus")["earned"] == 20


def test_who_attacks_earns_nothing_and_harms_nobody(out: Path) -> None:
    eve = line_of(out, "eve")
    assert (results(eve), eve["earned"]) == (["failed"] * 4, 0)
    assert "the process that ran it ended" in eve["exercises"][2]["summary"]
    assert "write yours" in eve["exercises"][3]["summary"]


def test_an_endless_loop_costs_its_own_exercise_and_is_told_as_one(out: Path) -> None:
    ike = line_of(out, "ike")
    assert results(ike) == ["passed", "failed", "passed", "passed"]
    assert "Is there an endless loop?" in ike["exercises"][1]["summary"]


def test_a_damaged_notebook_is_a_line_with_its_reason(out: Path) -> None:
    assert "damaged" in line_of(out, "fay")["unreadable"]


def test_the_table_has_a_row_for_each_learner_and_for_who_is_missing(out: Path) -> None:
    rows = {
        row["learner"]: row
        for row in csv.DictReader((out / "grades.csv").open("r", encoding="utf-8-sig"))
    }
    assert set(rows) == {"ada", "bob", "cyd", "dee", "eve", "fay", "gus", "hal", "ike"}
    assert rows["bob"]["2.3 rms_norm"] == "✗" and rows["ada"]["2.3 rms_norm"] == "✓"
    assert rows["cyd"]["2.4 RMSNorm"] == "✎" and rows["hal"]["02_rmsnorm earned"] == ""
    assert rows["bob"]["02_rmsnorm earned"] == "12"  # the last attempt counts


def test_the_class_s_page_tells_mistakes_missing_and_attempts(out: Path) -> None:
    page = (out / "class.html").read_text()
    assert "eps_outside_root" in page and "hal: 02_rmsnorm" in page
    assert "1: 6, 2: 1" in page  # six with one attempt, bob with two
    assert "http" not in page
    assert all(f"{NUMBERS[name]} {name}" in page for name in NUMBERS)


def test_a_learner_s_page_shows_the_panel_and_nothing_of_the_reference(out: Path) -> None:
    (page,) = ((out / "feedback").glob("bob-*/02_rmsnorm-*[!0]*.html"),)
    text = max((path.read_text() for path in page), key=len)
    assert "12 of 20 points" in text and "eps" in text
    assert "def reference" not in text and "http" not in text
    assert "testsuite" in (out / "j.xml").read_text()


def test_each_file_begins_with_its_sandbox(out: Path) -> None:
    head = json.loads((out / journal.RESULTS).read_text().splitlines()[0])
    assert head["sandbox"] in ("namespaces", "landlock")
    assert "network" in head["covers"] and "virtual machine" in head["leaves"]


def test_shards_merged_are_the_whole_byte_for_byte(
    out: Path, submissions: Path, tmp_path: Path
) -> None:
    roster = str(submissions.parent / "roster.csv")
    parts = [str(tmp_path / str(part)) for part in (1, 2)]
    for number, part in enumerate(parts, start=1):
        options = ("--seed", "s", "--shard", f"{number}/2", "--roster", roster)
        graded(submissions, Path(part), *options)
    assert main(["merge", *parts, "--out", str(tmp_path / "all")]) == 0
    for name in (journal.RESULTS, "grades.csv", "class.html"):
        assert (tmp_path / "all" / name).read_bytes() == (out / name).read_bytes()


def test_a_run_that_was_killed_goes_on_behind_its_last_whole_line(
    out: Path, submissions: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines = (out / journal.JOURNAL).read_bytes().splitlines(keepends=True)
    (tmp_path / journal.JOURNAL).write_bytes(b"".join(lines[:-2]) + lines[-2][:50])
    asked: list[str] = []
    real = work._work
    monkeypatch.setattr(work, "_work", lambda task: (asked.append(task.learner), real(task))[1])
    graded(submissions, tmp_path, "--roster", str(submissions.parent / "roster.csv"))
    assert len(asked) == 2
    assert (tmp_path / journal.RESULTS).read_bytes() == (out / journal.RESULTS).read_bytes()


def test_another_seed_is_another_run(out: Path, submissions: Path, capsys: Any) -> None:
    assert main([str(submissions), "--out", str(out), "--seed", "other"]) == 2
    assert "Name another folder" in capsys.readouterr().out


def test_shards_need_one_seed(submissions: Path, tmp_path: Path, capsys: Any) -> None:
    assert main([str(submissions), "--out", str(tmp_path), "--shard", "1/2"]) == 2
    assert "--seed" in capsys.readouterr().out


# Processes that die


def tasks(count: int) -> list[Task]:
    return [
        Task(Submission(str(n), "", "", (), 0.0, 0), str(n), "none", "", "") for n in range(count)
    ]


FLAG = "LLAMA_LAB_TEST_FLAG"


def dies_once(task: Task) -> str:
    """Stands for grading: the process that gets the fourth task dies, the first time."""
    flag = Path(os.environ[FLAG])
    if task.learner == "3" and not flag.exists():
        flag.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    if task.learner == "5":
        os.kill(os.getpid(), signal.SIGKILL)
    return task.learner


def test_a_process_that_is_killed_takes_nothing_along(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(FLAG, str(tmp_path / "died"))
    monkeypatch.setattr(crowd, "work", dies_once)
    fork = multiprocessing.get_context("fork")
    found = list(crowd.graded(tasks(8), lambda: ProcessPoolExecutor(2, mp_context=fork), 2))
    came = {task.learner: result for task, result in found}
    assert len(found) == 8 and came == {str(n): None if n == 5 else str(n) for n in range(8)}


def said_of(process: psutil.Process) -> str:
    """A process's command; nothing of one that has just ended."""
    with contextlib.suppress(psutil.Error):
        return " ".join(process.cmdline())
    return ""


def test_who_kills_the_grader_leaves_nothing_running(submissions: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "checks.grade", str(submissions), "--out", str(tmp_path)]
    grader = subprocess.Popen([*command, "-n", "2"], cwd=ROOT, stdout=subprocess.DEVNULL)
    left: list[psutil.Process] = []
    deadline = time.monotonic() + 60
    while sum("zygote.py" in said_of(one) for one in left) < 2:
        assert time.monotonic() < deadline and grader.poll() is None
        time.sleep(0.2)
        left = psutil.Process(grader.pid).children(recursive=True)
    grader.kill()
    grader.wait()
    assert psutil.wait_procs(left, timeout=20)[1] == []


def test_a_dask_worker_that_is_killed_takes_nothing_along(
    out: Path, submissions: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    distributed = pytest.importorskip("distributed")
    options = {"threads_per_worker": 1, "processes": True, "dashboard_address": None}
    with distributed.LocalCluster(n_workers=2, **options) as cluster:
        add, added = journal.Journal.add, []

        def add_and_kill(self: journal.Journal, line: dict[str, Any]) -> None:
            add(self, line)
            added.append(line["learner"])
            if len(added) == 2:
                os.kill(next(iter(cluster.workers.values())).pid, signal.SIGKILL)

        monkeypatch.setattr(journal.Journal, "add", add_and_kill)
        roster = str(submissions.parent / "roster.csv")
        address = cluster.scheduler_address
        graded(submissions, tmp_path, "--seed", "s", "--roster", roster, "--dask", address)
    assert sorted(added) == ["ada", "bob", "bob", "cyd", "dee", "eve", "fay", "gus", "ike"]
    for name in (journal.RESULTS, "grades.csv"):
        assert (tmp_path / name).read_bytes() == (out / name).read_bytes()
