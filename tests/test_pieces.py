"""my_llama: what a learner has finished is saved, and nothing else is."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from small_course import ROOT, small_course

from checks import attention
from checks.learner import piece_saving
from tools.build import Course
from tools.source import parse, sources

KERNEL = """
import os, sys, IPython
from pathlib import Path
root = Path.cwd()
sys.path.insert(0, str(root))
shell = IPython.core.interactiveshell.InteractiveShell.instance()
shell.history_manager.enabled = False
from checks import pieces
import checks.double as check
pieces.open_package(root / "labs")

def run(*cells):
    for cell in cells:
        shell.run_cell(cell, store_history=True)

DOUBLE = "# EXERCISE 2.1 · double\\ndef double(x):\\n    return x + x"
QUADRUPLE = "# EXERCISE 2.2 · quadruple\\ndef quadruple(x):\\n    return double(double(x))"
WRONG = "# EXERCISE 2.1 · double\\ndef double(x):\\n    return x"
STUB = "# EXERCISE 2.1 · double\\ndef double(x):\\n    raise NotImplementedError"
module = root / "labs" / "my_llama" / "double.py"
"""


@pytest.fixture(scope="module")
def course(tmp_path_factory) -> Path:
    root = small_course(tmp_path_factory.mktemp("course"))
    for path, text in Course.load(root).package():
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return root


@pytest.fixture
def kernel(course: Path, tmp_path: Path):
    """Run code in a fresh Python with IPython, in a copy of the course; what it printed."""
    shutil.copytree(course, tmp_path / "course")

    def run(code: str, **environment: str) -> str:
        result = subprocess.run(
            [sys.executable, "-c", KERNEL + code],
            cwd=tmp_path / "course",
            env={**os.environ, "IPYTHONDIR": str(tmp_path / "ipython"), **environment},
            capture_output=True,
            text=True,
            timeout=60,
        )
        assert result.returncode == 0, result.stderr + result.stdout
        return result.stdout

    return run


def test_finished_pieces_are_saved_and_imported(kernel):
    printed = kernel("""
run("import math", DOUBLE, QUADRUPLE)
pieces.save(check)
from my_llama import double, quadruple
assert quadruple(5) == 20 and double.__module__ == "my_llama.double"
print(module.read_text())
""")
    assert "2.1   double     ✓ saved" in printed and "2.2   quadruple  ✓ saved" in printed
    assert "# EXERCISE 2.1 · double" in printed and "import math" not in printed


def test_the_next_kernel_finds_them_without_a_notice(kernel):
    kernel("run(DOUBLE); pieces.save(check)")
    assert kernel("from my_llama import double; print(double(2))") == "4\n"


def test_only_the_imports_that_are_used_are_kept(kernel):
    printed = kernel("""
run("import math, os\\nfrom math import tau, pi\\nfrom checks import double as check",
    "# EXERCISE 2.1 · double\\ndef double(x):\\n    return int(2 * x * pi / math.pi)")
pieces.save(check)
print(module.read_text())
""")
    assert "✓ saved" in printed
    assert "import math\nfrom math import pi\n" in printed


def test_unfinished_and_wrong_pieces_are_not_saved(kernel):
    assert "2.1   double     ✎ to do" in kernel("pieces.save(check); assert not module.exists()")
    assert "✎ to do" in kernel("run(STUB); pieces.save(check); assert not module.exists()")
    printed = kernel("run(WRONG); pieces.save(check); assert not module.exists()")
    assert "2.1   double     ✗ not saved    answer(3) is 3" in printed


@pytest.mark.parametrize(
    ("broken", "why"),
    [
        ("WRONG", "answer(3) is 3"),
        ("'# EXERCISE 2.1 · double\\ndef double(x:\\n'", "not valid Python"),
        (
            "'# EXERCISE 2.1 · double\\n1 / 0\\ndef double(x):\\n    return 2 * x'",
            "ZeroDivisionError",
        ),
        ("'# EXERCISE 2.1 · double\\ndef double(x):\\n    return tripled(x)'", "defined nowhere"),
        ("STUB", ""),
    ],
)
def test_a_broken_piece_never_destroys_the_earlier_one(kernel, broken, why):
    printed = kernel(f"""
run(DOUBLE, QUADRUPLE); pieces.save(check)
before = module.read_text()
run({broken}); pieces.save(check)
assert module.read_text() == before
assert sorted(p.name for p in module.parent.iterdir() if p.is_file()) == ["__init__.py", "double.py"]
""")
    second = printed.split("my_llama/double.py")[2]
    assert "double     ✓ saved before" in second and "quadruple  ✓ saved" in second
    assert why in second


def test_a_helper_in_another_cell_is_asked_into_the_exercise_cell(kernel):
    printed = kernel("""
run("def twice(x):\\n    return 2 * x", "# EXERCISE 2.1 · double\\ndef double(x):\\n    return twice(x)")
pieces.save(check)
assert not module.exists()
run("# EXERCISE 2.1 · double\\ndef twice(x):\\n    return 2 * x\\ndef double(x):\\n    return twice(x)")
pieces.save(check)
""")
    assert "it uses twice from another cell: move that into the exercise cell" in printed
    assert "2.1   double     ✓ saved" in printed


def test_a_piece_that_needs_one_that_fails_is_not_saved(kernel):
    printed = kernel("run(WRONG, QUADRUPLE); pieces.save(check); assert not module.exists()")
    assert printed.count("✗ not saved") == 2
    assert "it uses double, which is not finished." in printed


def test_a_cell_that_lost_its_first_line_is_still_found(kernel):
    assert "2.1   double     ✓ saved" in kernel(
        "run(DOUBLE.split('\\n', 1)[1]); pieces.save(check)"
    )


GIVEN = """
GIVEN = "# GIVEN · Scale\\nclass Scale:\\n    by = 2"
SCALED = "# EXERCISE 2.1 · double\\ndef double(x):\\n    return Scale.by * x"
"""


def test_a_given_piece_is_saved_with_the_exercise_that_is_finished(kernel):
    printed = kernel(
        GIVEN
        + """
run(GIVEN, SCALED); pieces.save(check)
from my_llama import Scale, double
assert double(4) == 8 and Scale.__module__ == "my_llama.double"
print(module.read_text())
"""
    )
    assert printed.index("# GIVEN · Scale") < printed.index("# EXERCISE 2.1 · double")
    assert printed.count("✓ saved") == 1  # it is no exercise


def test_a_given_piece_stays_when_another_exercise_is_saved_later(kernel):
    printed = kernel(GIVEN + "run(GIVEN, SCALED); pieces.save(check)")
    printed = kernel("run(QUADRUPLE); pieces.save(check); print(module.read_text())")
    assert "# GIVEN · Scale" in printed and "quadruple  ✓ saved" in printed
    assert kernel("from my_llama import quadruple; print(quadruple(3))") == "12\n"


def test_a_given_piece_alone_is_not_saved(kernel):
    kernel(GIVEN + "run(GIVEN); pieces.save(check); assert not module.exists()")
    kernel(GIVEN + "run(GIVEN, WRONG); pieces.save(check); assert not module.exists()")


def test_the_newest_version_wins(kernel):
    printed = kernel("""
run(WRONG, DOUBLE, "# EXERCISE 2.1 · double\\ndef double(x):\\n    return 2 * x  # newest")
pieces.save(check); print(module.read_text())
run(DOUBLE); pieces.save(check); print(module.read_text())
from my_llama import double
print(double(4))
""")
    assert printed.count("newest") == 1 and printed.endswith("8\n")


def test_the_worked_piece_stands_in_with_one_notice(kernel):
    printed = kernel("""
from my_llama import cube
from my_llama import cube, double
print(cube(3), cube.__module__)
""")
    assert printed == (
        "cube: yours is not saved yet, so the worked one from solutions/ stands in.\n"
        "double: yours is not saved yet, so the worked one from solutions/ stands in.\n"
        "27 my_llama_worked.cube\n"
    )


def test_own_pieces_use_own_pieces(kernel):
    printed = kernel("""
import checks.cube
run(DOUBLE); pieces.save(check)
run("from my_llama import double", "# EXERCISE 3.1 · cube\\ndef cube(x):\\n    return double(x) * x * x // 2")
pieces.save(checks.cube)
from my_llama import cube
print(cube.__globals__["double"].__module__, cube(3))
""")
    assert "from ." not in printed and printed.endswith("my_llama.double 27\n")


def test_a_piece_may_have_the_name_of_its_module(kernel):
    printed = kernel("""
run(DOUBLE); pieces.save(check)
import my_llama
from my_llama import double
assert callable(double)
from my_llama import double
print(double(1), my_llama.double(2))
""")
    assert printed.endswith("2 4\n")


def test_a_file_edited_by_hand_that_fails_gives_way_to_the_worked_piece(kernel):
    printed = kernel("""
run(DOUBLE); pieces.save(check)
module.write_text(module.read_text() + "\\n1 / 0\\n")
from my_llama import double
print(double(4))
""")
    assert "yours fails in my_llama/double.py (ZeroDivisionError" in printed and printed.endswith(
        "8\n"
    )


def test_an_unknown_name_is_an_import_error(kernel):
    printed = kernel("""
try:
    from my_llama import rotate
except ImportError as error:
    print(error)
import my_llama
try:
    my_llama.rotate
except AttributeError as error:
    print(error)
""")
    assert "cannot import name 'rotate'" in printed and "no lab of this course" in printed


def test_a_grader_gets_the_worked_pieces_and_nothing_is_written(kernel):
    kernel("run(WRONG.replace('return x', 'return x + x  # mine')); pieces.save(check)")
    printed = kernel(
        """
run(DOUBLE, QUADRUPLE); pieces.save(check)
assert "mine" in module.read_text()
import my_llama
from my_llama import double
print(my_llama.__file__)
""",
        LLAMA_LAB_GRADING="1",
    )
    assert printed.strip().endswith("solutions/my_llama/__init__.py") and printed.count("\n") == 1


def test_a_grader_does_not_create_the_package(kernel):
    kernel("assert not (root / 'labs').exists()", LLAMA_LAB_GRADING="1")


def test_in_solutions_nothing_is_saved(kernel):
    printed = kernel("""
pieces.open_package(root / "solutions")
before = (root / "solutions/my_llama/double.py").read_text()
run(DOUBLE); pieces.save(check)
from my_llama import double
assert (root / "solutions/my_llama/double.py").read_text() == before
print(double.__module__)
""")
    assert "solutions/my_llama/double.py has these pieces" in printed
    assert printed.endswith("my_llama.double\n")


SAVE_ALL = """
import sys, IPython
sys.path.insert(0, root)
shell = IPython.core.interactiveshell.InteractiveShell.instance()
shell.history_manager.enabled = False
from checks import pieces
pieces.open_package(root + "/labs")
for name, cells in labs.items():
    shell.reset()  # a lab's notebook has a kernel of its own
    print("LAB", name)
    for cell in cells:
        shell.run_cell(cell, store_history=True).raise_error()
    pieces.save(shell.user_ns["check"])
"""


@pytest.fixture(scope="module")
def tables(tmp_path_factory) -> dict[str, str]:
    """What is said when the worked labs are saved one after the other, by name of the lab."""
    root = tmp_path_factory.mktemp("whole_course")
    for folder in ("assets", "checks", "plots", "solutions"):
        shutil.copytree(ROOT / folder, root / folder)
    labs = {
        lab.name: [lab.cell("imports").solved, *(cell.solved for cell in lab.pieces.values())]
        for lab in (parse(path, ROOT) for path in sources(ROOT))
    }
    environment = {**os.environ, "IPYTHONDIR": str(root / "ipython"), "MPLBACKEND": "Agg"}
    result = subprocess.run(
        [sys.executable, "-c", f"root, labs = {str(root)!r}, {labs!r}\n{SAVE_ALL}"],
        env=environment,
        capture_output=True,
        text=True,
        timeout=240,
    )
    assert result.returncode == 0, result.stdout + result.stderr
    said = (part.partition("\n") for part in result.stdout.split("LAB ")[1:])
    return {name: table for name, _, table in said}


@pytest.mark.parametrize("path", [pytest.param(p, id=p.stem) for p in sources(ROOT)])
def test_the_worked_solution_of_every_lab_can_be_saved(path: Path, tables: dict[str, str]):
    """Nothing that an exercise needs stands in a cell that is not saved."""
    lab = parse(path, ROOT)
    table = tables[lab.name].split(f"my_llama/{lab.name}.py\n")[-1]
    assert table.count("✓ saved") == len(lab.exercises) == len(table.splitlines()), table


def test_what_is_right_but_not_ready_is_saved_as_that(tmp_path: Path) -> None:
    worked = nbformat.read(ROOT / "solutions" / "04_attention.ipynb", as_version=4).cells
    cells = [cell.source for cell in worked if cell.id == "imports" or cell.id.startswith("ex-")]
    history = [cell.replace("from my_llama", "from solutions.my_llama") for cell in cells]
    (tmp_path / "my_llama").mkdir()
    path = tmp_path / "my_llama" / "attention.py"

    def states(history: list[str]) -> dict[str, tuple[str, str]]:
        rows = piece_saving.save(attention, path, history)
        return {row.name: (row.state, row.note) for row in rows}

    assert set(states(history).values()) == {("✓ saved", "")}
    unmoved = [cell.replace(".to(x.device)", "") for cell in history]
    assert unmoved != history
    state, note = states(unmoved).pop("MultiHeadAttention")
    assert state == "◐ saved" and "The mask lies on the CPU" in note
    assert states([]).pop("MultiHeadAttention")[0] == "◐ saved before"
    assert states(unmoved)["causal_mask"] == ("✓ saved", "")
