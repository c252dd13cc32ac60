"""What is handed in, as platforms name it; who is in the class; which lines of a notebook are run."""

import io
import json
import zipfile
from pathlib import Path

import nbformat
import pytest
from course import NAMES, ROOT
from graded_notebooks import lab
from nbformat.v4 import new_code_cell

from checks.grade import roster, submissions
from checks.grade.sources import pieces, sources
from checks.grading.audit import Lab, known_labs
from checks.grading.reading import parsed


@pytest.mark.parametrize(
    ("name", "learner", "ident", "again"),
    [
        ("ada/03_rope.ipynb", "ada", "", 0),
        ("ada/lab 3/03_rope (2).ipynb", "ada", "", 2),
        ("submitted/ada/ps1/03_rope.ipynb", "ada", "", 0),
        ("Ada Lovelace_123456_assignsubmission_file_/03_rope.ipynb", "Ada Lovelace", "123456", 0),
        ("Ada Lovelace_123456_assignsubmission_file_03_rope.ipynb", "Ada Lovelace", "123456", 0),
        ("lovelaceada_12345_678910_03_rope.ipynb", "lovelaceada", "12345", 0),
        ("lovelaceada_LATE_12345_678910_03_rope-2.ipynb", "lovelaceada", "12345", 2),
        ("Ada Lovelace - 03_rope.ipynb", "Ada Lovelace", "", 0),
        ("03_rope - Ada Lovelace.ipynb", "Ada Lovelace", "", 0),
        ("Copy of 03_rope.ipynb", "Copy of 03_rope", "", 0),
    ],
)
def test_who_handed_it_in_is_told_by_folders_and_names(
    tmp_path: Path, name: str, learner: str, ident: str, again: int
) -> None:
    path = tmp_path / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("{}")
    (found,) = submissions.find(tmp_path)
    assert (found.learner, found.ident, found.again) == (learner, ident, again)
    assert found.place == name
    packed = tmp_path / "all.zip"
    with zipfile.ZipFile(packed, "w") as archive:
        archive.write(path, name)
    (zipped,) = submissions.find(packed)
    assert (zipped.learner, zipped.ident, zipped.again) == (learner, ident, again)
    assert zipped.read() == b"{}"


def test_a_zip_in_a_zip_is_read_and_what_systems_leave_is_not(tmp_path: Path) -> None:
    inner = io.BytesIO()
    with zipfile.ZipFile(inner, "w") as archive:
        archive.writestr("work/03_rope.ipynb", "1")
        archive.writestr("__MACOSX/handed/._03_rope.ipynb", "2")
        archive.writestr("work/.ipynb_checkpoints/03_rope.ipynb", "3")
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("Ada_1_assignsubmission_file_/work.zip", inner.getvalue())
        archive.writestr("../../Bob_2_assignsubmission_file_/04_attention.ipynb", "4")
    found = submissions.find(tmp_path / "a.zip")
    assert [(one.learner, one.read()) for one in found] == [("Ada", b"1"), ("Bob", b"4")]


def test_a_damaged_zip_is_a_submission_that_cannot_be_read(tmp_path: Path) -> None:
    (tmp_path / "ada").mkdir()
    (tmp_path / "ada/work.zip").write_bytes(b"PK\x03\x04 not a zip")
    (found,) = submissions.find(tmp_path)
    assert (found.learner, found.name) == ("ada", "work.zip")


@pytest.mark.parametrize(("name", "says"), [("gone", "no such folder"), ("x", "no notebook")])
def test_nothing_there_is_a_sentence(tmp_path: Path, name: str, says: str) -> None:
    (tmp_path / "x").mkdir()
    with pytest.raises(submissions.NothingThere, match=says):
        submissions.find(tmp_path / name)


@pytest.mark.parametrize(
    "text",
    [
        "First name,Last name,ID number\nAda,Lovelace,77\n",
        'Student,ID,SIS Login ID\n"Lovelace, Ada",77,ada\n',
        "\ufeffFull name;ID\nAda Lovelace;77\n",
        "Ada Lovelace\n",
    ],
)
def test_a_roster_of_any_platform_knows_its_names(tmp_path: Path, text: str) -> None:
    (tmp_path / "r.csv").write_text(text, encoding="utf-8")
    found = roster.read(tmp_path / "r.csv")
    (name,) = found.names
    for learner in ("Ada Lovelace", "lovelaceada", "Lovelace, Ada", "ADA  LOVELACE"):
        assert found.name_of(learner, "") == name
    if "77" in text:
        assert found.name_of("somebody", "77") == name
    assert found.name_of("Bob", "") == "Bob"


RMS = Lab("02_rmsnorm", "rmsnorm")


def read(notebook: nbformat.NotebookNode) -> dict:
    return parsed(json.dumps(notebook).encode())


def test_only_the_exercises_and_what_they_name_is_run() -> None:
    notebook = lab({"rms_norm": "LIMIT = 3\ndef rms_norm(x, weight, eps=E):\n    return helper(x)"})
    scratch = "import os, math\nE = 1e-5\nos.remove('x')\ndef helper(x):\n    return inner(x)"
    notebook.cells.insert(2, new_code_cell(scratch))
    notebook.cells.insert(3, new_code_cell("def inner(x): return math.pi\ndef unused(): pass"))
    found = sources(read(notebook), RMS)
    text = "\n".join(source for _, source in found.needed)
    assert "os.remove" not in text and "unused" not in text
    assert all(part in text for part in ("def helper", "def inner", "E = 1e-05", "import torch"))
    assert [file for file, _ in found.cells] == [f"<exercise 2.{n}>" for n in (1, 2, 3, 4)]


def test_a_second_try_without_the_title_counts_as_in_the_notebook() -> None:
    notebook = lab()
    second = new_code_cell("%%time\ndef rms_norm(x, weight, eps=1e-5):\n    return x")
    notebook.cells.insert(7, second)  # before the check of 2.3
    found = sources(read(notebook), RMS)
    assert [file for file, _ in found.cells].count("<exercise 2.3>") == 2


def test_a_cell_is_found_by_its_id_when_its_title_is_gone() -> None:
    notebook = lab()
    cell = next(c for c in notebook.cells if "2.3" in c.source)
    cell.source = cell.source.partition("\n")[2]
    assert sources(read(notebook), RMS).missing == ("rms_norm",)
    cell["id"] = "ex-2-3"
    assert sources(read(notebook), RMS).missing == ()


@pytest.mark.parametrize("name", NAMES)
def test_every_lab_s_worked_notebook_is_complete_for_a_worker(name: str) -> None:
    lab_ = known_labs()[NAMES[name]]
    notebook = parsed((ROOT / f"solutions/{lab_.name}.ipynb").read_bytes())
    assert sources(notebook, lab_).missing == ()


def test_a_worker_gets_worked_pieces_of_earlier_labs_only() -> None:
    homes = pieces(Lab("03_rope", "rope"))["homes"]
    assert "rms_norm" in homes and "apply_rope" not in homes and "attention" not in homes
    given = "".join(pieces(Lab("03_rope", "rope"))["sources"].values())
    assert "def rms_norm" in given and "def apply_rope" not in given
