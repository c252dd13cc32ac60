"""The progress board: what a person's checks find is kept, what a batch run finds is not."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from course import ROOT, STEMS
from jupyter_client.manager import start_new_kernel

from checks import pieces, progress
from checks.engine.report import Report
from checks.learner import progress_file as records

SETUP = """
import os, shutil, sys
from pathlib import Path
root = Path.cwd().parent
sys.path.insert(0, str(root))
from checks import pieces, progress
pieces.open_package(root / "labs")
from checks import start_here as check

def mean_square(x):
    return x.float().square().mean(-1).to(x.dtype)

def wrong(x):
    return x.float().mean(-1).square().to(x.dtype)

def stub(x):
    raise NotImplementedError("Exercise 0.1: mean_square")
"""


class Kernel:
    """A real kernel: with a person in front of it, or without."""

    def __init__(self, client: Any) -> None:
        self.client = client

    def run(self, code: str, *, person: bool = True) -> str:
        """What the cell showed as plain text, and the name of its error if it raised one."""
        shown: list[str] = []

        def hear(message: dict) -> None:
            content = message["content"]
            if message["msg_type"] == "stream":
                shown.append(content["text"])
            elif message["msg_type"] in ("display_data", "execute_result"):
                shown.append(content["data"]["text/plain"])

        # Without this, what comes soon after an error is aborted: the kernel clears its queue.
        reply = self.client.execute_interactive(
            code, allow_stdin=person, stop_on_error=False, output_hook=hear, timeout=60
        )
        return "\n".join([*shown, reply["content"].get("ename", "")])


@pytest.fixture(scope="module")
def course(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("course")
    for folder in ("checks", "solutions", "labs"):
        ignored = shutil.ignore_patterns(
            "__pycache__", *(["my_llama"] if folder == "labs" else ["*.ipynb"])
        )
        shutil.copytree(ROOT / folder, root / folder, ignore=ignored)
    return root


@pytest.fixture(scope="module")
def started(course: Path) -> Iterator[Kernel]:
    manager, client = start_new_kernel(kernel_name="python3", cwd=str(course / "labs"))
    kernel = Kernel(client)
    assert kernel.run(SETUP).strip() == ""
    yield kernel
    client.stop_channels()
    manager.shutdown_kernel(now=True)


@pytest.fixture
def kernel(started: Kernel, course: Path) -> Kernel:
    """The kernel, with nothing done yet."""
    shutil.rmtree(course / "labs" / "my_llama", ignore_errors=True)
    started.run("pieces.open_package(root / 'labs')")
    return started


@pytest.fixture
def entry(course: Path) -> Any:
    """What is recorded of exercise 0.1."""
    return lambda: records.read(course / "labs" / "my_llama").get("0.1", {})


def test_a_pass_stays_a_pass_and_the_newest_result_stands_beside_it(
    kernel: Kernel, entry: Any
) -> None:
    assert "CheckFailed" in kernel.run("check.mean_square(wrong)")
    first = entry()
    met = first.pop("met")
    assert list(met) == ["mean_then_square"] and "mean" in met["mean_then_square"]
    assert first == {
        "name": "mean_square",
        "result": "failed",
        "mistake": "mean_then_square",
        "tries": 1,
    }
    assert "✗ mean_square" in kernel.run("progress.board()")

    assert "✓" in kernel.run("check.mean_square(mean_square)")
    passed = entry()
    assert (passed["result"], passed["mistake"], passed["tries"]) == ("passed", None, 2)
    assert passed["met"] == met  # who passes has met it all the same
    board = kernel.run("progress.board()")
    assert "1 of 1  ✓ mean_square" in board
    assert "Not saved yet: mean_square" in board

    assert "CheckFailed" in kernel.run("check.mean_square(wrong)")
    assert entry() == {**passed, "result": "failed", "mistake": "mean_then_square", "tries": 3}
    board = kernel.run("progress.board()")
    assert "✓ mean_square" in board
    assert "Passed once, but the newest try is not right: mean_square." in board


def test_what_is_to_do_leaves_no_trace(kernel: Kernel, entry: Any) -> None:
    assert "to do" in kernel.run("check.mean_square(stub)")
    assert entry() == {}
    kernel.run("check.mean_square(mean_square)")
    before = entry()
    kernel.run("check.mean_square(stub)")
    assert entry() == before


def test_only_what_a_person_runs_is_recorded(kernel: Kernel, entry: Any) -> None:
    kernel.run("check.mean_square(mean_square)", person=False)
    assert entry() == {}
    kernel.run("os.environ['LLAMA_LAB_GRADING'] = '1'; check.mean_square(mean_square)")
    assert "In labs/, this shows" in kernel.run("progress.board()")
    kernel.run("del os.environ['LLAMA_LAB_GRADING']")
    kernel.run("check.mean_square.run(mean_square)")
    assert entry() == {}
    kernel.run("pieces.open_package(root / 'solutions'); check.mean_square(mean_square)")
    assert entry() == {}
    assert "In labs/, this shows" in kernel.run("progress.board()")


def test_a_folder_that_is_gone_or_in_the_way_never_fails_a_check(
    kernel: Kernel, course: Path
) -> None:
    package = course / "labs" / "my_llama"
    shutil.rmtree(package)
    assert "right, all" in kernel.run("check.mean_square(mean_square)")
    assert not package.exists()
    (package / records.FILE).mkdir(parents=True)
    shown = kernel.run("check.mean_square(mean_square); progress.board()")
    assert "right, all" in shown and "0 of 1" in shown and "Error" not in shown
    assert [path.name for path in package.iterdir()] == [records.FILE]


def test_a_saved_piece_is_done_without_any_record(kernel: Kernel, course: Path) -> None:
    kernel.run(
        "# EXERCISE 0.1 · mean_square\n"
        "def mean_square(x):\n    return x.float().square().mean(-1).to(x.dtype)",
    )
    assert "✓ saved" in kernel.run("pieces.save(check)")
    board = kernel.run("progress.board()")
    assert "1 of 1  ✓ mean_square" in board and "Not saved" not in board
    assert not (course / "labs" / "my_llama" / records.FILE).exists()


def report(exercise: str, name: str, result: str, kind: str | None = None) -> Report:
    return Report(exercise, name, result, "a sentence", kind=kind)


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A learner's package in which this process records."""
    folder = tmp_path / "labs" / "my_llama"
    folder.mkdir(parents=True)
    monkeypatch.setattr(records, "_folder", folder)
    monkeypatch.delenv("LLAMA_LAB_GRADING", raising=False)
    return folder


def lab(root: Path, stem: str, title: str, *exercises: str, notebook: bool = False) -> None:
    cells = [("markdown", f"# {title}"), *(("code", f"# EXERCISE {e}\npass") for e in exercises)]
    if notebook:
        text = json.dumps(
            {"cells": [{"cell_type": k, "source": s.splitlines(True)} for k, s in cells]}
        )
        path = root / "labs" / f"{stem}.ipynb"
    else:
        text = "\n\n".join(
            f"# %% [markdown]\n# {s}" if k == "markdown" else f"# %%\n{s}" for k, s in cells
        )
        path = root / "solutions" / f"{stem}.py"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


@pytest.mark.parametrize("notebook", [False, True], ids=["sources", "only notebooks"])
def test_labs_are_found_by_their_files(package: Path, tmp_path: Path, notebook: bool) -> None:
    lab(tmp_path, "02_double", "02 · Doubling", "2.1 · double", "2.2 · half", notebook=notebook)
    lab(tmp_path, "10_cube", "10 · Cubing", "10.1 · cube", notebook=notebook)
    (tmp_path / "labs" / "notes.ipynb").write_text("{}")
    (package / "double.py").write_text("# EXERCISE 2.1 · double\ndef double(x):\n    return 2 * x")
    records.keep(report("10.1", "cube", "failed", "crashes"))
    found = progress.labs(tmp_path, package)
    assert [(lab.stem, lab.title, lab.done) for lab in found] == [
        ("02_double", "02 · Doubling", 1),
        ("10_cube", "10 · Cubing", 0),
    ]
    assert [e.state for lab in found for e in lab.exercises] == ["done", "todo", "wrong"]
    text = progress.as_text(found)
    assert text.startswith("Your Llama: 1 of 3 exercises done\n")
    assert "  02 · Doubling    1 of 2  ✓ double  ✎ half" in text
    assert "Next: 2.2 half, in labs/02_double.ipynb" in text


def test_the_real_course_is_found_as_a_whole(package: Path) -> None:
    found = progress.labs(ROOT, package)
    assert [lab.stem for lab in found] == STEMS
    assert all(lab.exercises and lab.title.startswith(lab.stem[:2]) for lab in found)
    assert not any(lab.done for lab in found)


def test_all_done_says_so(package: Path, tmp_path: Path) -> None:
    lab(tmp_path, "02_double", "02 · Doubling", "2.1 · double")
    records.keep(report("2.1", "double", "passed"))
    found = progress.labs(tmp_path, package)
    assert "All of them" in progress.as_text(found)
    assert "Your Llama: 1 of 1" in progress.as_html(found)
    assert "No labs were found" in progress.as_text(progress.labs(tmp_path / "labs", package))


@pytest.mark.parametrize(
    "text", ["", "{", "[]", '"2.1"', '{"2.1": 7}', '{"2.1": {"tries": "x"}}', "\x00", "{" * 9000]
)
def test_a_damaged_record_is_an_empty_one(package: Path, tmp_path: Path, text: str) -> None:
    lab(tmp_path, "02_double", "02 · Doubling", "2.1 · double")
    (package / records.FILE).write_text(text)
    assert [e.state for e in progress.labs(tmp_path, package)[0].exercises] == ["todo"]
    records.keep(report("2.1", "double", "passed"))
    assert records.read(package)["2.1"]["tries"] == 1
    assert [path.name for path in package.iterdir()] == [records.FILE]


def test_an_exercise_that_was_renumbered_does_not_inherit(package: Path, tmp_path: Path) -> None:
    records.keep(report("2.1", "double", "passed"))
    lab(tmp_path, "02_double", "02 · Doubling", "2.1 · triple", "2.2 · double")
    assert [e.state for e in progress.labs(tmp_path, package)[0].exercises] == ["todo", "todo"]
    records.keep(report("2.1", "triple", "failed"))
    assert "passed" not in records.read(package)["2.1"]


def test_links_lead_from_the_notebook_to_the_labs(
    package: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = progress.labs(ROOT, package)
    for folder, address in (("labs", ""), ("solutions", "../labs/"), (".", "labs/")):
        monkeypatch.chdir(ROOT / folder)
        assert f'<a href="{address}02_rmsnorm.ipynb">' in progress.as_html(found)
    monkeypatch.setitem(__import__("sys").modules, "google.colab", object())
    assert "<a href" not in progress.as_html(found)


def test_names_cannot_break_the_table() -> None:
    hostile = progress.Lab("02_double", "<b>&", [progress.Exercise("2.1", "<script>")])
    html = progress.as_html([hostile])
    assert "<script>" not in html and "&lt;b&gt;&amp;" in html


def test_without_an_open_package_nothing_is_recorded() -> None:
    assert records._folder is None or records._folder != ROOT / "labs" / pieces.PACKAGE
