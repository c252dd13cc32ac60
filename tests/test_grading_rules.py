"""The rules of grading, without a kernel: evidence, and which lab a notebook is."""

import sys
from typing import Any

import nbformat
import pytest
from course import NAMES, module
from graded_notebooks import ROOT, lab, run

from checks.engine import exercises_of
from checks.grading import audit, kernel, verdict

EXERCISE = audit.Exercise("2.3", "rms_norm", 2)


def panel(result: str, exercise: str = "2.3") -> dict[str, Any]:
    said = {"exercise": exercise, "result": result, "mistake": None, "summary": "So it is."}
    return {"output_type": "display_data", "data": {verdict.EVIDENCE: said, "text/plain": "panel"}}


ERROR = {"output_type": "error", "ename": "ValueError", "evalue": "no\nmore", "traceback": []}


@pytest.mark.parametrize(
    ("outputs", "ends", "result"),
    [
        ([panel("passed")], {}, "passed"),
        ([panel("failed")], {}, "failed"),
        ([panel("todo"), ERROR], {}, "todo"),
        # No evidence, no points: nothing was said, or by another, or not only good things.
        ([], {}, "void"),
        ([{"output_type": "stream", "name": "stdout", "text": "✓ passed"}], {}, "void"),
        ([panel("passed", "2.4")], {}, "void"),
        ([panel("passed"), panel("passed", "2.4")], {}, "void"),
        ([panel("passed"), panel("failed")], {}, "failed"),
        ([panel("failed"), panel("passed")], {}, "void"),
        ([panel("sure")], {}, "void"),
        # Good words, bad end.
        ([panel("passed"), ERROR], {}, "failed"),
        ([panel("passed")], {"status": "error"}, "failed"),
        ([panel("passed")], {"stopped": "the kernel died"}, "failed"),
        ([panel("passed")], {"tampering": "`check` was replaced"}, "void"),
    ],
)
def test_points_need_evidence(
    outputs: list[dict[str, Any]], ends: dict[str, str], result: str
) -> None:
    judged = verdict.judge(EXERCISE, outputs, **ends)
    assert judged.result == result
    assert judged.text or result == "passed"


@pytest.mark.parametrize(
    "name",
    [
        "02_rmsnorm.ipynb",
        "02_rmsnorm (1).ipynb",
        "Copy of 02_rmsnorm.ipynb",
        "02_rmsnorm-Copy1.ipynb",
        "smith_02_rmsnorm_final.ipynb",
        "02_RMSNorm.ipynb",
    ],
)
def test_a_lab_is_recognised_by_its_file_name(name: str) -> None:
    empty = nbformat.v4.new_notebook()
    assert audit.recognise(name, empty) == audit.Lab("02_rmsnorm", "rmsnorm")


def test_a_lab_is_recognised_by_metadata_first_and_by_its_imports_last() -> None:
    wanted = audit.Lab("02_rmsnorm", "rmsnorm")
    assert audit.recognise("03_rope.ipynb", lab()) == wanted
    assert audit.recognise("homework.ipynb", lab(metadata=False)) == wanted
    assert audit.recognise("homework.ipynb", nbformat.v4.new_notebook()) is None
    assert audit.recognise("102_rmsnorm.ipynb", nbformat.v4.new_notebook()) is None


@pytest.mark.parametrize("name", NAMES)
def test_the_exercises_are_read_as_the_checks_have_them(name: str) -> None:
    checks = exercises_of(module("checks", name))
    read = audit.known_labs()[NAMES[name]].exercises()
    assert read == [audit.Exercise(one.exercise, one.name, one.points) for one in checks] != []


def test_the_grader_itself_needs_no_torch() -> None:
    """Its kernels import it; once more beside them would cost each grading seconds and memory."""
    code = """
import sys
from checks.grading import audit, plugin
assert audit.known_labs()["03_rope"].exercises()
assert "torch" not in sys.modules
"""
    done = run([sys.executable, "-c", code], ROOT)
    assert done.returncode == 0, done.stderr


def test_an_nbval_that_changed_inside_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    plugin = pytest.importorskip("nbval.plugin")
    monkeypatch.setattr(plugin, "RunningKernel", type("Other", (), {}))
    with pytest.raises(RuntimeError, match=r"has no 'await_reply'.*pip install nbval==0\.11\.0"):
        kernel.install()
