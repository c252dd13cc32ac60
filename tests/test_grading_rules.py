"""The rules of grading, without a kernel: evidence, and which lab a notebook is."""

import json
import sys
from types import SimpleNamespace
from typing import Any

import nbformat
import pytest
import torch
from course import NAMES, module
from graded_notebooks import ROOT, insert_before, lab, place, run
from nbformat.v4 import new_code_cell

from checks.engine import exercises_of, inputs
from checks.engine.compare import difference
from checks.engine.plain import plain
from checks.grading import audit, kernel, table, verdict

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


def test_the_seed_comes_with_the_check_whatever_the_environment_says(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with inputs.seeded("a grader's own"):
        before = inputs.Inputs("x").randn(3)
        monkeypatch.setenv("CHECKS_SEED", "0")
        assert inputs.seed() == "a grader's own"
        assert torch.equal(inputs.Inputs("x").randn(3), before)
    assert inputs.seed() == "0"


def test_answers_are_compared_as_plain_values() -> None:
    class Yes(torch.Tensor):
        @classmethod
        def __torch_function__(
            cls, func: Any, types: Any, args: Any = (), kwargs: Any = None
        ) -> Any:
            return True

    class Any3(int):
        __hash__ = int.__hash__

        def __eq__(self, other: object) -> bool:
            return True

    class Full(list):
        def __iter__(self) -> Any:
            return iter([1, 2])

        def __len__(self) -> int:
            return 2

    class Both(dict):
        def __getitem__(self, key: Any) -> Any:
            return 1

        def __contains__(self, key: Any) -> bool:
            return True

    wanted = torch.ones(2)
    assert difference(torch.zeros(2).as_subclass(Yes), wanted)
    assert difference([torch.zeros(2).as_subclass(Yes)], [wanted])
    assert difference(Any3(4), 3) and not difference(Any3(3), 3)
    assert difference(Full(), [1, 2]) and not difference(Full([1, 2]), [1, 2])
    assert difference(Both(), {"a": 1})
    kept = [wanted, (1, "a")]
    assert plain(kept) is kept
    parameter = torch.nn.Parameter(wanted)
    assert plain(parameter) is parameter


def test_patched_comparisons_decide_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch, "equal", lambda *a: True)
    monkeypatch.setattr(torch, "allclose", lambda *a, **k: True)
    monkeypatch.setattr(torch, "isclose", lambda a, b, **k: torch.ones_like(a, dtype=torch.bool))
    assert difference(torch.zeros(2), torch.ones(2))


@pytest.mark.parametrize(
    ("result", "note", "code"), [("passed", "", 0), ("passed", "another lab", 1), ("todo", "", 1)]
)
def test_the_exit_code_is_that_of_the_checks(result: str, note: str, code: int) -> None:
    """A broken cell besides them changes nothing: every check passed."""
    config = SimpleNamespace(stash=pytest.Stash(), option=SimpleNamespace(score_json=None))
    board, session = table.ScoreBoard(config), SimpleNamespace(exitstatus=1)
    record = {"notebook": "a", "lab": "02_rmsnorm", "plan": [vars(EXERCISE)], "note": note}
    record |= {"cells": 2, "done": True}
    verdict_ = {"exercise": "2.3", "result": result, "summary": "", "mistake": None}
    for more in ({"broken": "Cell 9: ZeroDivisionError"}, verdict_):
        report = SimpleNamespace(llama_lab=record | more, failed=True)
        board.pytest_runtest_logreport(report)
    board.pytest_sessionfinish(session, 1)
    assert session.exitstatus == code
