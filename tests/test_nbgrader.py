"""nbgrader, with the folder that `make nbgrader` writes: released, collected, graded, feedback written."""

import csv
import os
import shutil
import subprocess
import time
from pathlib import Path

import nbformat
import pytest

from tools.nbgrader_course import NoPlace, write_course

pytestmark = pytest.mark.ours
ROOT = Path(__file__).resolve().parents[1]
PROGRAM = ROOT / ".venv-nbgrader" / "bin" / "nbgrader"
LAB = "02_rmsnorm"
STARTED = time.time()
TIME = "2026-11-29 12:00:00.000000 UTC"


# As `source .venv-nbgrader/bin/activate` sets it: nbgrader calls alembic by name.
ACTIVE = os.environ | {"PATH": f"{PROGRAM.parent}{os.pathsep}{os.environ['PATH']}"}


def nbgrader(folder: Path, step: str, *options: str) -> None:
    """Run one of nbgrader's commands in its course folder; what it says is shown when it fails."""
    exchange = f"--Exchange.root={folder / 'exchange'}"
    command = [str(PROGRAM), step, LAB, exchange, *options]
    done = subprocess.run(
        command, cwd=folder, env=ACTIVE, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-3000:]


def without_pictures(path: Path) -> None:
    """Leave out what takes most of the time and is drawn in other tests."""
    nb = nbformat.read(path, as_version=4)
    needed = [c for c in nb.cells if c.id in ("setup", "imports") or "nbgrader" in c.metadata]
    nb.cells = [cell for cell in nb.cells if cell.cell_type == "markdown" or cell in needed]
    nbformat.write(nb, path)


def handed_in(released: Path, which: str) -> nbformat.NotebookNode:
    """The released notebook with no answer, the first half, wrong ones, or all of them."""
    nb = nbformat.read(released, as_version=4)
    worked = nbformat.read(ROOT / "solutions" / f"{LAB}.ipynb", as_version=4)
    answers = {cell.id: cell.source for cell in worked.cells if cell.id.startswith("ex-")}
    for cell in nb.cells:
        half = which == "half" and cell.id in list(answers)[: len(answers) // 2]
        if cell.id in answers and (which == "full" or half):
            cell.source = answers[cell.id]
        elif cell.id in answers and which == "wrong":
            cell.source = "\n".join(
                line.replace("raise NotImplementedError", "return x  #")
                for line in cell.source.splitlines()
            )
    return nb


@pytest.fixture(scope="module")
def grades():
    """learner → (score, most) after the whole way from the source to the feedback, in the course."""
    if not PROGRAM.is_file():
        reason = "nbgrader is not installed: make environments"
        pytest.fail(reason) if os.environ.get("CI") == "true" else pytest.skip(reason)
    folder = ROOT / ".graded-nbgrader"
    shutil.rmtree(folder, ignore_errors=True)
    try:
        write_course(folder)
        without_pictures(folder / "source" / LAB / f"{LAB}.ipynb")
        (folder / "exchange").mkdir(mode=0o777)
        nbgrader(folder, "generate_assignment")
        nbgrader(folder, "release_assignment")
        released = folder / "exchange" / "llama-lab" / "outbound" / LAB / f"{LAB}.ipynb"
        for name in ("blank", "half", "wrong", "full"):
            inbound = folder / "exchange" / "llama-lab" / "inbound" / f"{name}+{LAB}+{TIME}"
            inbound.mkdir()
            nbformat.write(handed_in(released, name), inbound / f"{LAB}.ipynb")
            (inbound / "timestamp.txt").write_text(TIME)
        nbgrader(folder, "collect", "--ExchangeCollect.check_owner=False")  # all four are ours
        nbgrader(folder, "autograde")
        nbgrader(folder, "generate_feedback")
        command = [str(PROGRAM), "export", "--to", str(folder / "grades.csv")]
        subprocess.run(command, cwd=folder, env=ACTIVE, capture_output=True, check=True)
        rows = list(csv.DictReader((folder / "grades.csv").read_text().splitlines()))
        pages = {
            page.parts[-3]: page.read_text() for page in folder.glob(f"feedback/*/{LAB}/*.html")
        }
        yield {
            row["student_id"]: (
                float(row["score"]),
                float(row["max_score"]),
                pages[row["student_id"]],
            )
            for row in rows
            if row["assignment"] == LAB
        }
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def test_four_submissions_get_their_points(grades) -> None:
    scores = {name: score for name, (score, _, _) in grades.items()}
    most = {all for _, all, _ in grades.values()}
    assert scores == {"blank": 0, "wrong": 0, "half": 8, "full": 20}
    assert most == {20}


def test_the_feedback_says_what_the_checks_said(grades) -> None:
    for name, wanted in (("full", "right, all"), ("wrong", "not right yet"), ("blank", "to do")):
        assert f"Exercise 2.3 · rms_norm: {wanted}" in grades[name][2]


def test_learners_pieces_do_not_reach_the_instructors_labs(grades) -> None:
    assert grades
    saved = ROOT / "labs" / "my_llama" / "rmsnorm.py"
    assert not saved.exists() or saved.stat().st_mtime < STARTED


def test_a_folder_outside_the_course_is_refused(tmp_path: Path) -> None:
    with pytest.raises(NoPlace, match="choose a folder inside"):
        write_course(tmp_path / "nbgrader")
    assert not list(tmp_path.iterdir())


def test_settings_that_were_changed_stay(tmp_path: Path) -> None:
    (tmp_path / "labs").mkdir()
    (tmp_path / "labs" / "01_one.ipynb").write_text("{}")
    folder = tmp_path / "nbgrader"
    assert write_course(folder, root=tmp_path) == ["01_one"]
    (folder / "nbgrader_config.py").write_text("# mine")
    write_course(folder, root=tmp_path)
    assert (folder / "nbgrader_config.py").read_text() == "# mine"
