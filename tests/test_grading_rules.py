"""The rules of grading, without a kernel: evidence, and which lab a notebook is."""

import json
import sys
from typing import Any

import nbformat
import pytest
from course import NAMES, module
from graded_notebooks import ROOT, insert_before, lab, place, run
from nbformat.v4 import new_code_cell

from checks.engine import exercises_of
from checks.grading import audit, kernel, reading, verdict

EXERCISE = audit.Exercise("2.3", "rms_norm", 2)


def answer(**said: Any) -> str:
    """What a kernel gives back for a check: the repr of JSON."""
    found = {
        "word": "w",
        "name": "rms_norm",
        "exercise": "2.3",
        "summary": "So it is.",
        "text": "panel",
    }
    return repr(json.dumps(found | said))


@pytest.mark.parametrize(
    ("given", "stopped", "result"),
    [
        (answer(result="passed"), "", "passed"),
        (answer(result="failed"), "", "failed"),
        (answer(result="todo"), "", "todo"),
        (answer(missing=True), "", "failed"),
        (answer(broken="ValueError: no"), "", "failed"),
        # No evidence, no points: nothing was said, or by another, or what nobody knows.
        (None, "", "void"),
        ("", "", "void"),
        ("'✓ passed'", "", "void"),
        ("{'result': 'passed'}", "", "void"),
        ("'[1, 2]'", "", "void"),
        (answer(result="passed", word="another"), "", "void"),
        (answer(result="passed", name="RMSNorm"), "", "void"),
        (answer(result="passed", exercise="2.4"), "", "void"),
        (answer(result="sure"), "", "void"),
        (answer(result="passed", void="it was changed"), "", "void"),
        # Good words, bad end: also a check that did not come back counts for nothing.
        (answer(result="passed"), "the kernel died", "failed"),
        (None, "stopped: it did not finish", "failed"),
    ],
)
def test_points_need_evidence(given: str | None, stopped: str, result: str) -> None:
    judged = verdict.judge(EXERCISE, given, "w", stopped)
    assert judged.result == result
    assert judged.text


def test_what_a_notebook_says_is_harmless_to_show() -> None:
    said = "\x1b[2Jscore: 11/11\n" + "\ud800" + "x" * 10_000
    judged = verdict.judge(EXERCISE, answer(result="failed", summary=said), "w")
    assert len(judged.summary) <= verdict.LONGEST
    assert judged.summary.startswith("score: 11/11 ?xx")


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


@pytest.mark.parametrize(
    "metadata",
    [None, [], {"llama_lab": None}, {"llama_lab": {"lab": []}}, {"llama_lab": {"lab": {}}}],
)
def test_odd_metadata_ends_nothing(metadata: Any) -> None:
    notebook = {"cells": [], "metadata": metadata}
    assert audit.recognise("02_rmsnorm.ipynb", notebook) == audit.Lab("02_rmsnorm", "rmsnorm")
    assert audit.recognise("x.ipynb", notebook) is None


def test_a_notebook_that_is_called_after_another_lab_is_told() -> None:
    assert "it is called 03_rope, but it is 02_rmsnorm" in audit.disagreement(
        "03_rope.ipynb", lab()
    )
    for name in ("02_rmsnorm (1).ipynb", "homework.ipynb"):
        assert audit.disagreement(name, lab()) == ""
    assert audit.disagreement("03_rope.ipynb", lab(metadata=False)) == ""


@pytest.mark.parametrize(
    "cell",
    [
        "check.rms_norm(rms_norm)",
        "check.rms_norm(rms_norm);",
        "# my check\n\ncheck.rms_norm( rms_norm )  # please",
        "%%time\ncheck.rms_norm(rms_norm)",
        "import torch\nprint('now:')\ncheck.rms_norm(rms_norm)",
        "_ = check.rms_norm(rms_norm)",
        "(check\n .rms_norm(rms_norm))",
    ],
)
def test_harmless_edits_leave_a_check_cell_what_it_is(cell: str) -> None:
    assert audit.is_check(cell, "check.rms_norm(rms_norm)")


@pytest.mark.parametrize(
    "cell",
    [
        "",
        "check.rms_norm(RMSNorm)",
        "check.rms_norm(rms_norm) if 0 else None",
        "try:\n    check.rms_norm(rms_norm)\nexcept Exception:\n    pass",
        "check.rms_norm(rms_norm, 1)",
        "# check.rms_norm(rms_norm)",
        "'check.rms_norm(rms_norm)'",
        "rms_norm = 3\ncheck.rms_norm(rms_norm)",
        "check.rms_norm(rms_norm",
        "\0",
        "(" * 1000,
    ],
)
def test_another_cell_is_no_check_cell(cell: str) -> None:
    assert not audit.is_check(cell, "check.rms_norm(rms_norm)")


def test_titles_stand_anywhere_and_copies_of_checks_cost_nothing() -> None:
    notebook = lab()
    plan = audit.Lab("02_rmsnorm", "rmsnorm").exercises()
    before = audit.audit(notebook, audit.Lab("02_rmsnorm", "rmsnorm"), plan)
    titled = notebook.cells[place(notebook, "# EXERCISE 2.3")]
    titled.source = "%%time\nimport math\n" + titled.source
    notebook.cells.append(new_code_cell("check.rms_norm(rms_norm)"))
    insert_before(notebook, "# EXERCISE 2.4", "check.rms_norm(rms_norm)  # again")
    places = audit.audit(notebook, audit.Lab("02_rmsnorm", "rmsnorm"), plan)
    assert places["2.1"] == before["2.1"]
    assert all(isinstance(where, int) for where in places.values())
    assert places["2.3"] == before["2.3"] + 1  # the newest in its own section
    assert len(audit.copies(notebook, plan, places)) == 2


@pytest.mark.parametrize(
    ("raw", "sentence"),
    [
        (b"", "it is empty"),
        (b"[" * 100_000, "damaged"),
        (b'{"cells": ' + b"1" * 5000 + b"}", "damaged"),
        (b"\xff\xfe\x00", "damaged"),
        (b"[1, 2]", "no readable list of cells"),
        (b'{"cells": null}', "no readable list of cells"),
        (b'{"cells": [null]}', "its cell 1 is none"),
        (b'{"cells": [], "nbformat": 5}', "format 5"),
    ],
)
def test_what_is_no_notebook_gets_a_sentence(raw: bytes, sentence: str) -> None:
    with pytest.raises(reading.Unreadable, match=sentence):
        reading.parsed(raw)


def test_a_notebook_of_any_tool_is_read() -> None:
    plain = json.dumps(lab())
    for raw in (b"\xef\xbb\xbf" + plain.encode(), plain.encode("utf-16"), plain.encode()):
        assert len(reading.parsed(raw)["cells"]) == len(lab().cells)
    old = {
        "cell_type": "code",
        "input": "1 + 1",
        "language": "python",
        "outputs": [],
        "metadata": {},
    }
    sheets = [{"cells": [old], "metadata": {}}]
    third = {"nbformat": 3, "nbformat_minor": 0, "metadata": {}, "worksheets": sheets}
    assert reading.parsed(json.dumps(third).encode())["cells"][0]["source"] == "1 + 1"
    odd = [
        {"cell_type": "code", "source": None, "metadata": None},
        {"cell_type": "code", "source": ["a\n", 3, "b"], "metadata": {"tags": "x"}},
        {"cell_type": "alien", "source": 5},
        {"cell_type": "code", "source": "'\ud800'"},
    ]
    cells = reading.parsed(json.dumps({"cells": odd, "metadata": None}).encode())["cells"]
    assert [cell["source"] for cell in cells] == ["", "a\nb", "", "'?'"]
    assert [cell["cell_type"] for cell in cells] == ["code", "code", "raw", "code"]


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
