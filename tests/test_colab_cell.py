"""The last cell of a lab: in Colab it grades the open notebook, elsewhere it says how."""

import json
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace

import nbformat
import pytest
from graded_notebooks import EMPTY, ROOT, lab, run
from nbformat.v4 import new_code_cell

from checks import colab
from checks import rmsnorm as check  # as in a lab: the cell reads from this name which lab it is

pytest.importorskip("nbval")

GRADE = "from checks import colab\ncolab.grade()"

# A browser that hands over the notebook, and counts how often it was asked.
FAKE_BROWSER = """\
import json, os

def blocking_request(kind, request="", timeout_sec=5):
    assert kind == "get_ipynb"
    with open(os.environ["FAKE_ASKED"], "a") as file:
        file.write("asked\\n")
    with open(os.environ["FAKE_NOTEBOOK"]) as file:
        return {"ipynb": json.load(file)}
"""


@pytest.fixture(autouse=True)
def nobody_grades(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("LLAMA_LAB_GRADING", raising=False)


def pretend_colab(monkeypatch: pytest.MonkeyPatch, answer: object) -> None:
    """Put a `google.colab` in place whose browser gives this answer, or raises it."""

    def blocking_request(kind: str, request: str = "", timeout_sec: float = 5) -> object:
        if isinstance(answer, Exception):
            raise answer
        return answer

    package = ModuleType("google.colab")
    package._message = SimpleNamespace(blocking_request=blocking_request)
    monkeypatch.setitem(sys.modules, "google", ModuleType("google"))
    monkeypatch.setitem(sys.modules, "google.colab", package)


def test_outside_colab_it_names_the_command(capsys: pytest.CaptureFixture[str]) -> None:
    assert check.__name__ == "checks.rmsnorm"
    colab.grade()
    assert "pytest --nbval-lax labs/02_rmsnorm.ipynb" in capsys.readouterr().out


def test_while_grading_it_does_nothing(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("LLAMA_LAB_GRADING", "1")
    pretend_colab(monkeypatch, RuntimeError("the browser was asked"))
    colab.grade()
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (None, "no answer in time"),
        ({}, "KeyError"),
        ({"ipynb": None}, "no answer in time"),
        (RuntimeError("gone"), "RuntimeError: gone"),
        (AttributeError("blocking_request"), "AttributeError"),
    ],
)
def test_when_colab_does_not_hand_it_over_words_must_do(
    answer: object, why: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    pretend_colab(monkeypatch, answer)
    colab.grade()
    said = capsys.readouterr().out
    assert why in said
    assert "File → Download" in said
    assert "-m checks" in said
    assert "02_rmsnorm.ipynb" in said


def test_in_colab_without_nbval_it_names_the_remedy(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    pretend_colab(monkeypatch, {"ipynb": dict(lab())})
    monkeypatch.setattr(colab, "find_spec", lambda name: None)
    colab.grade()
    assert "pip install nbval" in capsys.readouterr().out


def test_in_colab_the_open_notebook_is_graded_once(tmp_path: Path) -> None:
    """The notebook's own last cell is run by the grader, too, and must not start a second one."""
    (tmp_path / "google/colab").mkdir(parents=True)
    (tmp_path / "google/colab/__init__.py").touch()
    (tmp_path / "google/colab/_message.py").write_text(FAKE_BROWSER)
    opened = lab({"layer_norm": EMPTY["layer_norm"]})
    opened.cells.append(new_code_cell(GRADE))
    opened.metadata["colab"] = {"name": "Copy of 02_rmsnorm.ipynb"}
    # Colab's own notebooks are of format 4.0: no ids outside the metadata.
    plain = json.loads(nbformat.writes(opened))
    for cell in plain["cells"]:
        cell["metadata"]["id"] = cell.pop("id")
    (tmp_path / "open.json").write_text(json.dumps(plain | {"nbformat_minor": 0}))

    code = f"from checks import rmsnorm as check\n{GRADE}"
    done = run(
        [sys.executable, "-c", code],
        tmp_path,
        PYTHONPATH=f"{ROOT}:{tmp_path}",
        FAKE_NOTEBOOK=str(tmp_path / "open.json"),
        FAKE_ASKED=str(tmp_path / "asked"),
    )
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "asked").read_text() == "asked\n"
    table = done.stdout.partition("= Llama Lab =")[2]
    assert "Copy of 02_rmsnorm.ipynb" in table
    assert "2.2  layer_norm  0/4  ✎ to do" in table
    assert "score: 16/20" in table
    assert "also broken" not in table
