"""The page that a learner can show: what was solved, when, which mistakes were met, own pictures."""

import base64
import io
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from course import ROOT
from nbformat.v4 import new_code_cell, new_notebook, new_output
from PIL import Image

from checks.learner import progress_page
from checks.learner.progress_file import FILE

PNG = base64.b64encode(b"\x89PNG drawn by me").decode()
MET = {
    "name": "mean_square",
    "result": "passed",
    "mistake": None,
    "tries": 3,
    "passed": "2026-11-02T10:00:00+00:00",
    "met": {"sum": "It sums and does not <divide>: `x.sum()`."},
}


def output(caption: str, html: str = '<div class="llama-flipbook"></div>'):
    data = {"text/html": html, "image/png": PNG, "text/plain": caption}
    return new_output("display_data", data=data)


@pytest.fixture
def learner(tmp_path: Path) -> Path:
    """A course with one lab, worked in and saved."""
    root = tmp_path / "course"
    (root / "labs" / "my_llama").mkdir(parents=True)
    source = "# EXERCISE 0.1 · mean_square\ndef mean_square(x):\n    return x"
    cells = [
        nbformat.v4.new_markdown_cell("# 00 · Start here"),
        new_code_cell(source),
        new_code_cell("plot.a(f)", outputs=[output("The dot is at 3 < 4.")]),
        new_code_cell("plot.b(g)", outputs=[output("Not written yet: Exercise 0.2: g. Write it.")]),
        new_code_cell("g()", outputs=[output("no picture of ours", html="<b>x</b>")]),
    ]
    nbformat.write(new_notebook(cells=cells), root / "labs" / "00_start_here.ipynb")
    (root / "labs" / "my_llama" / FILE).write_text(json.dumps({"0.1": MET}))
    return root


def test_it_says_what_when_how_often_and_which_mistakes(learner: Path):
    text = progress_page.page(learner, learner / "labs" / "my_llama", "Ada <L>")
    assert "<h1>Ada &lt;L&gt;: Llama Lab</h1>" in text
    assert "1 of 1 exercises done" in text
    assert "✓ 0.1 <code>mean_square</code>" in text
    assert "2026-11-02" in text and "<td>3</td>" in text
    assert "does not &lt;divide&gt;: <code>x.sum()</code>" in text
    assert "no certificate" in text and "Nobody has verified it" in text


def test_the_learner_s_own_pictures_are_in_it_and_placeholders_are_not(learner: Path):
    text = progress_page.page(learner, learner / "labs" / "my_llama")
    assert text.count("<figure>") == 1
    assert f'<img alt="The dot is at 3 &lt; 4." src="data:image/png;base64,{PNG}">' in text
    assert "Not written yet" not in text and "http" not in text


def test_without_saved_notebooks_it_says_why_there_are_no_pictures(learner: Path):
    notebook = learner / "labs" / "00_start_here.ipynb"
    made = nbformat.read(notebook, as_version=4)
    for cell in made.cells[1:]:
        cell.outputs = []
    nbformat.write(made, notebook)
    assert "No pictures" in progress_page.page(learner, learner / "labs" / "my_llama")


@pytest.mark.parametrize(
    "damage", ["{", "[]", '{"0.1": {"name": "mean_square", "met": 3, "passed": 7}}']
)
def test_a_damaged_record_gives_a_page_all_the_same(learner: Path, damage: str):
    (learner / "labs" / "my_llama" / FILE).write_text(damage)
    assert "Llama Lab" in progress_page.page(learner, learner / "labs" / "my_llama")


def test_pictures_of_a_real_worked_notebook_are_found():
    found = list(progress_page.pictures(ROOT / "solutions" / "03_rope.ipynb"))
    assert len(found) >= 5
    for picture in found:
        assert Image.open(io.BytesIO(base64.b64decode(picture.png))).width > 300
        assert picture.caption.endswith(".")


def test_the_command_writes_it_or_says_what_is_missing(tmp_path: Path):
    root = tmp_path / "course"
    ignored = shutil.ignore_patterns("__pycache__")
    shutil.copytree(ROOT / "checks", root / "checks", ignore=ignored)
    (root / "labs").mkdir()
    shutil.copy(ROOT / "labs" / "00_start_here.ipynb", root / "labs")
    command = [sys.executable, "-m", "checks.progress", str(tmp_path / "me.html"), "--name", "Ada"]
    options = {"cwd": root, "env": os.environ, "capture_output": True, "text": True}
    nothing = subprocess.run(command, **options)
    assert nothing.returncode == 1 and "run a check in one of the labs first" in nothing.stdout
    package = root / "labs" / "my_llama"
    package.mkdir(parents=True)
    (package / FILE).write_text(json.dumps({"0.1": MET}))
    done = subprocess.run(command, **options)
    assert done.returncode == 0, done.stderr
    assert "Ada: Llama Lab" in (tmp_path / "me.html").read_text()
