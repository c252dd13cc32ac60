"""`check.apply_rope.reset()` puts the stub back on the screen and takes nothing away."""

import json

import pytest
from course import NAMES, ROOT, module
from IPython.core.interactiveshell import InteractiveShell

from checks.engine import exercises_of

CHECKS = [check for name in NAMES for check in exercises_of(module("checks", name))]


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: f"{check.exercise} {check.name}")
def test_the_stub_of_every_exercise_comes_back(
    check: object, capsys: pytest.CaptureFixture
) -> None:
    cells = [
        "".join(cell["source"])
        for path in ROOT.glob(f"labs/{int(check.exercise.split('.')[0]):02}_*.ipynb")
        for cell in json.loads(path.read_text(encoding="utf-8"))["cells"]
    ]
    (stub,) = [source for source in cells if source.startswith(f"# EXERCISE {check.exercise} ·")]
    check.reset()
    shown = capsys.readouterr().out
    assert stub in shown and "NotImplementedError" in stub


def test_in_a_notebook_it_is_a_cell_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    shell = InteractiveShell.instance()
    asked: list[tuple] = []
    try:
        monkeypatch.setattr(
            type(shell), "set_next_input", lambda self, *args, **kw: asked.append((args, kw))
        )
        shell.run_cell("from checks import start_here as check\ncheck.mean_square.reset()")
    finally:
        InteractiveShell.clear_instance()
    ((args, replaced),) = asked
    assert args[0].startswith("# EXERCISE 0.1 · mean_square\ndef mean_square(x: Tensor)")
    assert replaced == {"replace": False}  # what stands in the cell already is the learner's
