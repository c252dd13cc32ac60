"""Grading by nbval: what gives points, what never does, and what the learner reads then."""

import importlib.util
import tempfile
from collections.abc import Iterator
from pathlib import Path

import nbformat
import pytest
from graded_notebooks import (
    EMPTY,
    ROOT,
    Run,
    check_line,
    insert_before,
    lab,
    place,
    pytest_run,
)
from nbformat.v4 import new_code_cell, new_markdown_cell

pytest.importorskip("nbval")

TIMEOUT = 15  # seconds for a cell; importing torch takes some of them on a busy machine

PLANTED = """\
def rms_norm(x, weight, eps=1e-5):
    y = x.float()
    return (y / (torch.sqrt(y.square().mean(-1, keepdim=True)) + eps) * weight).to(x.dtype)
"""
NOT_READY = """\
def rms_norm(x, weight, eps=1e-5):
    y, ones = x.float(), torch.ones(x.shape[-1])
    return (y * torch.rsqrt(y.square().mean(-1, keepdim=True) + eps) * weight * ones).to(x.dtype)
"""
FORGED = """\
from IPython.display import display
said = {"exercise": "2.3", "name": "rms_norm", "result": "passed", "mistake": None, "summary": ""}
display({"application/vnd.llama-lab.check+json": said}, raw=True)
check.rms_norm.technique.clear()"""
HIDING = """\
class Hidden(Exception):
    def _render_traceback_(self): raise SystemExit
get_ipython().showtraceback = lambda *arguments, **options: None
raise Hidden"""


def notebooks() -> dict[str, nbformat.NotebookNode]:
    """The notebooks that one run grades, two at a time."""
    made = {"complete": lab(), "empty": insert_before(lab(EMPTY), check_line("RMSNorm"))}
    made["empty"].cells += [
        new_code_cell("scaled = rms_norm(torch.ones(3), torch.ones(3))"),
        new_code_cell("print(scaled)"),
    ]
    made["not_ready"] = lab({"rms_norm": NOT_READY})
    made["planted"] = lab({"rms_norm": PLANTED})
    made["planted"].cells.append(new_code_cell("1 / 0"))

    one = made["tampered_one"] = lab()
    del one.cells[place(one, check_line("batch_norm"))]
    edited = one.cells[place(one, check_line("rms_norm"))]
    edited.source = f"try:\n    {edited.source}\nexcept Exception:\n    pass"
    one.cells[place(one, check_line("RMSNorm"))].metadata["tags"] = ["nbval-skip"]

    two = made["tampered_two"] = lab()
    skipped = two.cells[place(two, check_line("batch_norm"))]
    skipped.source = f"# NBVAL_SKIP\n{skipped.source}"
    two.cells[place(two, check_line("layer_norm"))].metadata["tags"] = ["raises-exception"]
    text = place(two, check_line("rms_norm"))
    two.cells[text] = new_markdown_cell(two.cells[text].source)
    moved = two.cells.pop(place(two, check_line("RMSNorm")))
    two.cells.insert(2, moved)

    three = made["tampered_three"] = lab()
    untitled = three.cells[place(three, "# EXERCISE 2.1")]
    untitled.source = untitled.source.partition("\n")[2]
    swapped = three.cells.pop(place(three, check_line("layer_norm")))
    three.cells.append(swapped)
    insert_before(three, check_line("rms_norm"), FORGED)

    silent = made["silent"] = lab({"layer_norm": EMPTY["layer_norm"]})
    insert_before(silent, check_line("RMSNorm"), HIDING)

    made["dead"] = insert_before(lab(), check_line("rms_norm"), "import os\nos._exit(1)")
    made["endless"] = insert_before(lab(), check_line("layer_norm"), "while True:\n    pass")
    return made


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    """A folder inside the course, as the labs' is: the course's conftest.py is in force there.

    One that somebody left beside the notebooks is not, nor does a torch.py of theirs count.
    """
    with tempfile.TemporaryDirectory(prefix=".graded-test-", dir=ROOT) as name:
        for left in ("conftest.py", "torch.py"):
            (Path(name) / left).write_text("raise SystemExit('this must not run')")
        yield Path(name)


@pytest.fixture(scope="module")
def graded(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Grade all of them in one run, from another folder of the course, on two processors."""
    for name, notebook in notebooks().items():
        nbformat.write(notebook, folder / f"{name}.ipynb")
    files = sorted(f"../{folder.name}/{file.name}" for file in folder.glob("*.ipynb"))
    options = [f"--nbval-cell-timeout={TIMEOUT}", *two_at_a_time()]
    return pytest_run(
        ["--nbval-lax", *options, *files], ROOT / "checks", tmp_path_factory.mktemp("o")
    )


def two_at_a_time() -> list[str]:
    """The options for two processors, where xdist is there (Colab has none)."""
    return ["-n", "2", "--dist", "loadfile"] if importlib.util.find_spec("xdist") else []


def test_a_complete_notebook_has_every_point(graded: Run) -> None:
    complete = graded.notebook("complete")
    assert complete["lab"] == "02_rmsnorm"
    assert complete["earned"] == complete["points"] == 20
    assert graded.results("complete") == ["passed"] * 4
    assert "complete.ipynb::" not in graded.text  # no failure report for it


def test_in_an_empty_lab_every_exercise_is_to_do(graded: Run) -> None:
    assert graded.code == 1
    assert graded.notebook("empty")["earned"] == 0
    assert graded.results("empty") == ["todo"] * 4


def test_cells_that_wait_for_an_exercise_are_no_clutter(graded: Run) -> None:
    assert graded.notebook("empty")["broken_cells"] == []
    assert "NotImplementedError" not in graded.text


def test_a_planted_mistake_is_named(graded: Run) -> None:
    row = graded.row("planted", "rms_norm")
    assert (row["result"], row["mistake"]) == ("failed", "eps_outside_root")
    assert row["summary"].endswith(".")
    assert graded.notebook("planted")["earned"] == 12
    panel = graded.report("planted", "Cell 6")
    assert "eps" in panel
    assert "Traceback" not in panel
    assert "def " not in panel


def test_a_broken_cell_that_is_no_exercise_is_reported(graded: Run) -> None:
    assert "ZeroDivisionError: division by zero" in graded.report("planted", "Cell 9")
    assert "\x1b[" not in graded.text
    (broken,) = graded.notebook("planted")["broken_cells"]
    assert broken == "Cell 9 (`1 / 0`): ZeroDivisionError: division by zero"


@pytest.mark.parametrize(
    ("notebook", "exercise", "why"),
    [
        ("tampered_one", "batch_norm", "its check cell is missing"),
        (
            "tampered_one",
            "rms_norm",
            "its check cell was edited; copy it again from labs/02_rmsnorm",
        ),
        ("tampered_one", "RMSNorm", "its check cell carries the tag 'nbval-skip'"),
        ("tampered_two", "batch_norm", "its check cell carries the tag 'nbval-skip'"),
        ("tampered_two", "layer_norm", "its check cell carries the tag 'raises-exception'"),
        ("tampered_two", "rms_norm", "its check cell became a markdown cell"),
        ("tampered_two", "RMSNorm", "its check cell was moved; it belongs below its exercise"),
        ("tampered_three", "batch_norm", "no cell has the line `# EXERCISE 2.1"),
        ("tampered_three", "layer_norm", "its check cell was moved; put the checks in the order"),
        ("tampered_three", "rms_norm", "the notebook changed the course's check"),
    ],
)
def test_a_check_cell_that_was_touched_gives_no_points(
    graded: Run, notebook: str, exercise: str, why: str
) -> None:
    """Every answer here is right: points are lost because nothing vouches for them."""
    row = graded.row(notebook, exercise)
    assert (row["result"], row["earned"]) == ("void", 0)
    assert row["summary"].startswith(why)
    assert why in " ".join(graded.text.split())


def test_a_hidden_traceback_hides_nothing(graded: Run) -> None:
    assert graded.results("silent") == ["passed", "todo", "passed", "passed"]
    assert "the notebook hides the traceback" in " ".join(graded.notebook("silent")["broken_cells"])


def test_a_dead_kernel_costs_seconds_and_says_so(graded: Run) -> None:
    assert graded.results("dead") == ["passed", "passed", "not run", "not run"]
    assert "the kernel died" in graded.row("dead", "RMSNorm")["summary"]
    assert "os._exit(), a crash, or out of memory" in graded.report("dead", "Cell 6")
    assert seconds(graded, "dead", "Cell 6") < 3


def test_an_endless_loop_costs_its_time_and_the_rest_is_graded(graded: Run) -> None:
    assert graded.results("endless") == ["passed"] * 4
    assert f"did not finish within {TIMEOUT} seconds" in graded.report("endless", "Cell 4")
    assert seconds(graded, "endless", "Cell 4") < TIMEOUT + 5


def seconds(graded: Run, notebook: str, cell: str) -> float:
    return float(graded.testcase(notebook, cell).get("time", "inf"))


def test_junit_carries_exercise_points_and_mistake(graded: Run) -> None:
    properties = graded.testcase("planted", "Cell 6").iter("property")
    said = {one.get("name"): one.get("value") for one in properties}
    assert said["exercise"] == "2.3"
    assert (said["points"], said["earned"]) == ("8", "0")
    assert (said["result"], said["mistake"]) == ("failed", "eps_outside_root")


def test_what_is_right_but_not_ready_earns_three_of_four_points(graded: Run) -> None:
    scored = graded.notebook("not_ready")
    (row,) = [one for one in scored["exercises"] if one["name"] == "rms_norm"]
    assert (row["result"], row["earned"], row["points"]) == ("right", 6, 8)
    assert row["summary"].startswith("right; before a real model uses it: ")
    assert scored["earned"] == 18
    assert "2.3  rms_norm    6/8  ◐" in graded.text


def test_strict_wants_answers_that_a_real_model_can_use(
    folder: Path, tmp_path: Path, graded: Run
) -> None:
    """Run behind the others, whose notebooks lie in the folder by then."""
    file = f"../{folder.name}/not_ready.ipynb"
    strict = pytest_run(["--nbval-lax", "--strict", file], ROOT / "checks", tmp_path)
    assert (strict.code, strict.notebook("not_ready")["earned"]) == (1, 12)


def test_the_table_is_the_last_thing_to_read(graded: Run) -> None:
    table = graded.text.partition("= Llama Lab =")[2]
    assert "2.3  rms_norm    8/8  ✓" in table
    assert "2.3  rms_norm    0/8  ✗ eps_outside_root: " in table
    assert "2.4  RMSNorm     0/4  ✎ to do" in table
    assert "score: 20/20" in table
    assert f"in all: {graded.scores['earned']}/{graded.scores['points']}" in table
    assert "FAILED" not in table


# The labs themselves


@pytest.mark.slow
def test_the_course_s_own_notebooks(tmp_path: Path) -> None:
    """The solution has every point, the lab none; both by the plain command, from labs/."""
    solution, empty = ROOT / "solutions/02_rmsnorm.ipynb", ROOT / "labs/02_rmsnorm.ipynb"
    if not (solution.exists() and empty.exists()):
        pytest.skip("lab 02 is not built yet")
    files = [str(solution), empty.name]
    graded = pytest_run(["--nbval-lax", *two_at_a_time(), *files], ROOT / "labs", tmp_path)
    worked, untouched = sorted(graded.scores["notebooks"], key=lambda n: -n["earned"])
    assert worked["notebook"].startswith("solutions/")
    assert worked["earned"] == worked["points"] == untouched["points"]
    assert {row["result"] for row in untouched["exercises"]} == {"todo"}
    assert worked["broken_cells"] == untouched["broken_cells"] == []
