"""A learner's way through a lab, in JupyterLab: empty, wrong, right, and a slider moved.

Through two labs; `make ways` goes through all.
"""

import os
import shutil
from collections.abc import Iterator

import nbformat
import pytest
from course import NAMES, ROOT, module
from exported_page import flipbooks
from jupyter_page import JupyterServer, NotebookPage, running_jupyter
from playwright.sync_api import Browser, expect

pytestmark = pytest.mark.jupyterlab
# A way takes one to three minutes: each run goes the first and a middle one.
ALL = "LLAMA_LAB_ALL" in os.environ
GONE = [n for n in NAMES if ALL or n in ("start_here", "gqa")]


@pytest.fixture(scope="module")
def course(tmp_path_factory: pytest.TempPathFactory) -> Iterator[JupyterServer]:
    """JupyterLab on a copy of the course: what a learner types is saved there, not here."""
    root = tmp_path_factory.mktemp("course")
    for folder in ("checks", "plots", "solutions", "assets", "labs"):
        if (ROOT / folder).exists():
            ignored = shutil.ignore_patterns("my_llama" if folder == "labs" else "__pycache__")
            shutil.copytree(ROOT / folder, root / folder, ignore=ignored)
    with running_jupyter(root, "lab") as server:
        yield server


def solved_sources(stem: str) -> dict[str, str]:
    """Cell id → worked source of the exercise cells of a lab."""
    notebook = nbformat.read(ROOT / "solutions" / f"{stem}.ipynb", as_version=4)
    return {cell.id: cell.source for cell in notebook.cells if cell.id.startswith("ex-")}


@pytest.mark.parametrize("name", GONE)
def test_a_learner_s_way_through(name: str, browser: Browser, course: JupyterServer) -> None:
    stem = NAMES[name]
    exercise, wrong, key = module("accepted", name).TYPED
    number = exercise.replace(".", "-")
    check = next(c for c in vars(module("checks", name)).values() if _is(c, exercise))
    says = next(mistake.says for mistake in check.mistakes if mistake.key == key)
    sources = solved_sources(stem)

    with NotebookPage(browser, course, f"labs/{stem}.ipynb") as notebook:
        notebook.run_all()  # nothing written yet: Run All reaches the end
        for cell in sources:
            panel = notebook.cell(cell.replace("ex-", "check-")).locator(".check-panel")
            expect(panel).to_have_attribute("data-result", "todo")
        assert notebook.page.locator(".jp-RenderedText[data-mime-type*=stderr]").count() == 0

        for cell, source in sources.items():
            notebook.set_source(cell, source)
        notebook.set_source(f"ex-{number}", f"# EXERCISE {exercise} · {check.name}\n{wrong}")
        for cell in ("setup", "imports", *sources, f"check-{number}"):
            notebook.run_cell(cell)
        panel = notebook.cell(f"check-{number}").locator(".check-panel")
        expect(panel).to_have_attribute("data-result", "failed")
        expect(panel).to_contain_text(says.replace("`", ""))
        expect(notebook.cell(f"check-{number}")).not_to_contain_text("Traceback")
        _keep(notebook, course, f"{stem}-wrong")

        notebook.set_source(f"ex-{number}", sources[f"ex-{number}"])
        notebook.run_all()
        for cell in sources:
            panel = notebook.cell(cell.replace("ex-", "check-")).locator(".check-panel")
            expect(panel).to_have_attribute("data-result", "passed")
        _move_a_slider(notebook)
        _keep(notebook, course, f"{stem}-right")
    saved = (course.root / "labs" / "my_llama" / f"{name}.py").read_text()
    assert f"# EXERCISE {exercise} · {check.name}" in saved


def _move_a_slider(notebook: NotebookPage) -> None:
    """Turn the first picture that has a slider, and see another picture and caption."""
    for cell in notebook.cell_ids("plot-"):
        for picture in flipbooks(notebook.cell(cell)):
            if picture.sliders():
                seen = []
                for key in ("Home", "ArrowRight", "End"):
                    picture.press(picture.sliders()[0], key)
                    seen.append((picture.caption, picture.paths))
                assert seen[0] != seen[1] and seen[0] != seen[2]
                return
    raise AssertionError("no picture of this lab has a slider")


def _is(value: object, exercise: str) -> bool:
    return getattr(value, "exercise", None) == exercise


def _keep(notebook: NotebookPage, course: JupyterServer, name: str) -> None:
    """Leave a screenshot in pytest's temporary folder, for who wants to look."""
    notebook.page.screenshot(path=course.root / f"{name}.png")
