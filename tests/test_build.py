"""One source gives every notebook: byte for byte, without a solution in a lab, or not at all."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import jupytext
import nbformat
import pytest
from small_course import DOUBLE, ROOT, small_course

from tools import address, build
from tools.notebook import ID, cell_ids, slug
from tools.source import BuildError, Lab, parse, sources
from tools.verify import verify

pytestmark = pytest.mark.ours  # of the files: no version of torch changes them

LABS = [pytest.param(path, id=path.stem) for path in sources(ROOT)]
TRIVIAL = re.compile(
    r"(return( \w+)?|self\.\w+ = \w+|super\(\)\.__init__\(\)|else:|try:|pass|break|\W*)"
)


@pytest.fixture(scope="session")
def built(tmp_path_factory) -> Path:
    """The small course, built; tests that change something take a copy."""
    root = small_course(tmp_path_factory.mktemp("built"))
    build.build(root)
    return root


@pytest.fixture
def course(built: Path, tmp_path: Path) -> Path:
    return shutil.copytree(built, tmp_path / "course")


def contents(root: Path) -> dict[str, bytes]:
    made = [
        *root.glob("labs/*.ipynb"),
        *root.glob("solutions/*.ipynb"),
        *root.glob("solutions/my_llama/*.py"),
    ]
    return {path.relative_to(root).as_posix(): path.read_bytes() for path in made}


def source_of(text: str, folder: Path) -> Lab:
    (folder / "solutions").mkdir(exist_ok=True)
    (folder / "solutions" / "02_double.py").write_text(text, encoding="utf-8")
    lab = parse(folder / "solutions" / "02_double.py", folder)
    verify(lab)
    return lab


def line_of(needle: str, text: str) -> int:
    return next(n for n, line in enumerate(text.splitlines(), start=1) if needle in line)


def read(path: Path) -> nbformat.NotebookNode:
    nb = nbformat.read(path, as_version=4)
    nbformat.validate(nb)
    return nb


# ---- the course itself


def test_every_generated_file_is_what_its_source_gives():
    assert build.check(ROOT) == []


@pytest.mark.parametrize("path", LABS)
def test_no_line_of_a_solution_is_in_the_lab(path: Path):
    lab = parse(path, ROOT)
    assert leaks(lab, read(ROOT / "labs" / f"{lab.stem}.ipynb")) == []


@pytest.mark.parametrize("path", LABS)
def test_notebooks_are_as_the_house_wants_them(path: Path):
    lab = parse(path, ROOT)
    for folder in ("labs", "solutions"):
        nb = read(ROOT / folder / f"{lab.stem}.ipynb")
        assert (nb.nbformat, nb.nbformat_minor) == (4, 5)
        assert (
            [cell.id for cell in nb.cells]
            == cell_ids(lab)
            == [cell.metadata.id for cell in nb.cells]
        )
        assert nb.metadata.llama_lab.lab == lab.stem
        assert nb.metadata.language_info == {"name": "python"}
        code = [cell for cell in nb.cells if cell.cell_type == "code"]
        if folder == "labs":
            assert all(cell.outputs == [] and cell.execution_count is None for cell in code)
        else:
            assert [cell.execution_count for cell in code] == list(range(1, len(code) + 1))
            assert not [o for cell in code for o in cell.outputs if o.output_type == "error"]
            assert not [cell.id for cell in code if "execution" in cell.metadata]
        check_nbgrader(nb)


@pytest.mark.parametrize("path", LABS)
def test_code_cells_that_are_no_exercises_are_short(path: Path):
    lab = parse(path, ROOT)
    longest = {True: 35, False: 25}  # a given piece is read as an exercise is, docstring and all
    code = [cell for cell in lab.cells if cell.kind == "code" and not cell.exercise]
    long = [cell for cell in code if len(cell.lines) > longest[cell.piece is not None]]
    assert [f"{lab.path}:{cell.line}" for cell in long] == []


@pytest.mark.parametrize("path", LABS)
def test_jupytext_reads_the_same_cells(path: Path):
    cells = jupytext.read(path, fmt="py:percent").cells
    ours = parse(path, ROOT).cells
    assert [(c.cell_type, c.source.strip()) for c in cells] == [
        (c.kind, c.text.strip()) for c in ours
    ]


SKIP = re.compile(r"\*You may skip (?:this section|[\d.]+ to (?P<last>[\d.]+\d))\.?\*")


@pytest.mark.parametrize("path", sources(ROOT), ids=lambda path: path.stem)
def test_nothing_else_in_a_lab_needs_what_may_be_skipped(path: Path):
    section: tuple[int, ...] = (0,)
    until: tuple[int, ...] = ()
    skipped, kept = [], []
    for cell in parse(path, ROOT).cells:
        text = "\n".join(cell.lines)
        if cell.kind == "markdown" and (
            found := re.search(r"^## (\d+)\.(\d+)", text, re.MULTILINE)
        ):
            section = tuple(map(int, found.groups()))
        if found := SKIP.search(text):
            until = tuple(map(int, found["last"].split("."))) if found["last"] else section
        (skipped if section <= until else kept).append(cell)
    written = [cell.exercise[1] for cell in skipped if cell.exercise]
    assert bool(skipped) == ("may be skipped" in parse(path, ROOT).times)
    code = "\n".join(cell.solved for cell in kept if cell.kind == "code")
    assert [name for name in written if re.search(rf"\b{name}\b", code)] == []


def test_every_source_begins_with_the_same_setup():
    """So that one of them stands for all below; their other cells are run in tests/labs."""
    assert len({parse(path, ROOT).cell("setup").solved for path in sources(ROOT)}) == 1


@pytest.mark.slow
@pytest.mark.parametrize("stem", ["00_start_here", "06_gqa"])  # without and with my_llama
def test_the_source_runs_as_it_is(stem: str, tmp_path: Path):
    run = subprocess.run(
        [sys.executable, str(ROOT / "solutions" / f"{stem}.py")],
        env={**clean_environment(), "LLAMA_LAB_GRADING": "1", "MPLBACKEND": "Agg"},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert run.returncode == 0, run.stdout[-2000:] + run.stderr[-2000:]


def leaks(lab: Lab, nb: nbformat.NotebookNode) -> list[str]:
    """Lines of a solution that a learner can read in the lab.

    A line may also stand in the code outside of solutions (`h, w = x.shape`), but not most of a
    solution's lines. Trivial lines (`else:`, `return x`) tell nothing.
    """
    given, solutions = set(), []
    for cell in lab.cells:
        if cell.kind == "code":
            inside = {i for begin, end in cell.solutions() for i in range(begin, end + 1)}
            given |= {line.strip() for i, line in enumerate(cell.lines) if i not in inside}
            solutions += [
                [line.strip() for line in cell.lines[b + 1 : e]] for b, e in cell.solutions()
            ]
    shown = "\n".join(" ".join(text.split()) for text in json_strings(nb))
    found = []
    for lines in solutions:
        telling = [line for line in lines if not TRIVIAL.fullmatch(line)]
        excused = [line for line in telling if line in given]
        enough = len(telling) == 0 or len(excused) * 2 < len(telling)
        found += [
            line for line in telling if (line not in given or not enough) and visible(line, shown)
        ]
    return found


def visible(line: str, shown: str) -> bool:
    return re.search(r"(?<!\w)" + re.escape(" ".join(line.split())) + r"(?!\w)", shown) is not None


def json_strings(value) -> list[str]:
    if isinstance(value, str):
        return value.splitlines()
    values = value.values() if isinstance(value, dict) else value if isinstance(value, list) else []
    return [text for inner in values for text in json_strings(inner)]


def check_nbgrader(nb: nbformat.NotebookNode) -> None:
    """What nbgrader's schema 3 asks of a cell that it grades or lets students fill in."""
    ids = []
    for cell in nb.cells:
        if "nbgrader" not in cell.metadata:
            continue
        grader = cell.metadata.nbgrader
        kinds = {
            "grade": bool,
            "solution": bool,
            "locked": bool,
            "task": bool,
            "schema_version": int,
            "grade_id": str,
        }
        assert {key: type(grader[key]) for key in kinds} == kinds
        assert (grader.schema_version, grader.task, grader.grade_id) == (3, False, cell.id)
        assert grader.grade != grader.solution == (not grader.locked)
        assert ("points" in grader) == grader.grade
        assert grader.get("points", 1) > 0
        ids.append(grader.grade_id)
    assert len(ids) == len(set(ids))
    assert sum(id.startswith("ex-") for id in ids) == sum(id.startswith("check-") for id in ids) > 0


def clean_environment() -> dict[str, str]:
    import os

    return {
        k: v for k, v in os.environ.items() if not k.startswith(("LLAMA_LAB", "CHECKS_", "PYTEST"))
    }


# ---- building


def test_a_second_build_changes_nothing(course: Path):
    before = contents(course)
    assert len(before) == 7
    assert build.build(course) == []
    assert contents(course) == before
    assert build.check(course) == []


def test_a_build_elsewhere_gives_the_same_bytes(built: Path, tmp_path: Path):
    build.build(small_course(tmp_path))
    assert contents(tmp_path) == contents(built)


def test_prose_is_renewed_without_running_anything(course: Path, capsys):
    edit(course / "solutions/02_double.py", "Why double?", "Why twice?")
    assert build.check(course) == [
        "labs/02_double.ipynb differs from what its source gives",
        "solutions/02_double.ipynb differs from what its source gives",
    ]
    assert len(build.build(course)) == 2
    assert "ran " not in capsys.readouterr().out
    assert build.check(course) == []


@pytest.mark.parametrize(
    ("file", "old", "new", "stale"),
    [
        ("checks/double/__init__.py", "12", "12.0", ["02_double"]),
        ("checks/engine/__init__.py", "not written yet", "to do", ["02_double", "03_cube"]),
        ("plots/double.py", "range(3)", "range(4)", ["02_double"]),
        ("checks/cube/__init__.py", "27", "27.0", ["03_cube"]),
    ],
)
def test_a_notebook_is_stale_when_what_it_depends_on_changed(course: Path, file, old, new, stale):
    edit(course / file, old, new)
    assert build.check(course) == [
        f"solutions/{stem}.ipynb is older than what it is made from" for stem in stale
    ]


@pytest.mark.parametrize(
    ("file", "stale"),
    [
        ("plots/double_bars.py", ["02_double"]),
        ("plots/doubles.py", ["02_double", "03_cube"]),
        ("checks/engine/double_probes.py", ["02_double", "03_cube"]),
        ("checks/cube/cube_probes.py", ["03_cube"]),
        ("checks/cube/cube_wrong.py", []),
        ("checks/double/fingerprints.json", []),
        ("checks/grade/cubes.py", []),
    ],
)
def test_a_module_named_after_a_lab_concerns_that_lab(course: Path, file, stale):
    (course / file).parent.mkdir(exist_ok=True)
    (course / file).write_text("{}", encoding="utf-8")
    assert build.check(course) == [
        f"solutions/{stem}.ipynb is older than what it is made from" for stem in stale
    ]


def test_a_changed_piece_makes_the_labs_that_import_it_stale(course: Path):
    edit(course / "solutions/02_double.py", "x + x", "2 * x")
    build.build(course, "02_double")
    assert build.check(course) == ["solutions/03_cube.ipynb is older than what it is made from"]
    assert build.build(course) == ["solutions/03_cube.ipynb"]


def test_the_executed_notebook_has_its_outputs_in_order(built: Path):
    cells = {cell.id: cell for cell in read(built / "solutions/02_double.ipynb").cells}
    assert cells["check-2-1"].outputs[0].text == "✓ double\n"
    assert [output.text for output in cells["print-seen-flush-true-print-twice"].outputs] == [
        "seen\ntwice\n"
    ]
    assert cells["plot-2-1"].execution_count == 5


def test_a_solution_that_fails_stops_the_build(course: Path):
    edit(course / "solutions/02_double.py", "x + x", "x + 1")
    line = line_of("check.double(double)", DOUBLE)
    with pytest.raises(
        BuildError,
        match=rf"^solutions/02_double.py:{line}: cell check-2-1 failed: AssertionError: answer\(3\) is 4$",
    ):
        build.build(course)


def test_a_path_of_this_machine_in_an_output_stops_the_build(course: Path):
    edit(course / "solutions/02_double.py", 'print("twice")', "print(Path.cwd())")
    with pytest.raises(BuildError, match="contains a path of this machine"):
        build.build(course)


def test_the_stub_keeps_the_signature_and_the_example(built: Path):
    cells = {cell.id: cell.source for cell in read(built / "labs/02_double.ipynb").cells}
    assert cells["ex-2-1"] == (
        '# EXERCISE 2.1 · double\ndef double(x: float) -> float:\n    """Twice the number.\n\n    >>> double(2)\n'
        '    4\n    """\n    raise NotImplementedError("Exercise 2.1: double")'
    )
    assert cells["ex-2-2"].endswith("def quadruple(x):\n    return x  # twice this, twice")
    solved = {cell.id: cell.source for cell in read(built / "solutions/02_double.ipynb").cells}
    assert "SOLUTION" not in solved["ex-2-1"] and "once_and_once_more = x + x" in solved["ex-2-1"]


def test_the_worked_package_is_readable_and_imports_relatively(built: Path):
    init = (built / "solutions/my_llama/__init__.py").read_text()
    assert init.index("from .double import double, quadruple") < init.index(
        "from .cube import cube, half"
    )
    assert "from . import double\n" in (built / "solutions/my_llama/cube.py").read_text()
    double = (built / "solutions/my_llama/double.py").read_text()
    assert "import math\n" in double
    for absent in ("import time", "checks", "plots", "SOLUTION", "EXERCISE"):
        assert absent not in double
    run = "import my_llama; print(my_llama.cube(3), my_llama.__all__)"
    printed = subprocess.run(
        [sys.executable, "-c", run], cwd=built / "solutions", capture_output=True, text=True
    )
    assert printed.stdout == "27 ['double', 'quadruple', 'cube', 'half']\n"


def test_a_piece_that_needs_what_only_the_notebook_has_stops_the_build(course: Path):
    edit(course / "solutions/02_double.py", "x + x", "x + x + ZERO")
    with pytest.raises(BuildError, match=r"02_double.py:\d+: double uses ZERO, which"):
        build.build(course)


def test_a_given_piece_is_exported_and_stays_whole_in_the_lab(course: Path):
    given = "# GIVEN · Scale\nclass Scale:\n    by = 2\n\n# %%\n# EXERCISE 2.1"
    edit(course / "solutions/02_double.py", "# EXERCISE 2.1", given)
    edit(course / "solutions/02_double.py", "x + x", "x * Scale.by")
    build.build(course)
    init = (course / "solutions/my_llama/__init__.py").read_text()
    assert "from .double import Scale, double, quadruple" in init
    worked = (course / "solutions/my_llama/double.py").read_text()
    assert "class Scale:\n    by = 2" in worked and "GIVEN" not in worked
    sources = [cell.source for cell in read(course / "labs/02_double.ipynb").cells]
    assert "# GIVEN · Scale\nclass Scale:\n    by = 2" in sources


def test_a_lab_that_was_worked_in_is_not_overwritten(course: Path):
    path = course / "labs/02_double.ipynb"
    nb = read(path)
    nb.cells[2].execution_count = 1
    nbformat.write(nb, path)
    with pytest.raises(BuildError, match="has been worked in"):
        build.build(course)
    assert build.build(course, force=True) == ["labs/02_double.ipynb"]


def test_the_module_of_a_lab_that_is_gone_is_removed(course: Path):
    (course / "solutions/03_cube.py").unlink()
    assert "labs/03_cube.ipynb has no source" in build.check(course)
    assert "solutions/my_llama/cube.py" in build.build(course)
    assert (course / "labs/03_cube.ipynb").exists()


def edit(path: Path, old: str, new: str) -> None:
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), encoding="utf-8")


# ---- what stops a build

BEGIN, END = "    ### BEGIN SOLUTION\n", "    ### END SOLUTION\n"
BODY = "    once_and_once_more = x + x\n"
BROKEN = {
    "unclosed": (END, "", "### BEGIN SOLUTION", "never closed"),
    "nested": (BODY, BODY + "    ### BEGIN SOLUTION x\n", "SOLUTION x", "cannot be nested"),
    "stray end": (BEGIN, "", "### END SOLUTION", "has no BEGIN SOLUTION"),
    "stray end outside": (
        "import time\n",
        "import time\n### END SOLUTION\n",
        "### END",
        "has no BEGIN SOLUTION",
    ),
    "begin indented": (BEGIN, "    " + BEGIN, "### END", "END SOLUTION is not indented like"),
    "end indented": (END, "    " + END, "### END", "END SOLUTION is not indented like"),
    "both indented": (BEGIN + BODY, "    " + BEGIN + BODY, None, "indented"),
    "body too far left": (BODY, BODY + "  # half out\n", "half out", "further left"),
    "body too far right": (
        BODY,
        "    if x:\n".replace("    if", "        if"),
        "### BEGIN",
        "is not indented like the solution's",
    ),
    "empty": (BODY + "    return once_and_once_more\n", "", "### BEGIN", "is empty"),
    "misspelt": (BEGIN, "    ## BEGIN SOLUTION\n", "## BEGIN", "looks like a marker"),
    "trailing": (
        BODY,
        "    once_and_once_more = x + x  ### END SOLUTION\n",
        "x + x",
        "looks like a marker",
    ),
    "in text": (
        "# ## 2.1 Twice\n",
        "# ## 2.1 Twice\n# ### BEGIN SOLUTION\n",
        "# ### BEGIN",
        "not in a text cell",
    ),
    "no stub": (
        "import time\n",
        "### BEGIN SOLUTION\nimport time\n### END SOLUTION\n",
        "### BEGIN",
        "needs its stub",
    ),
    "no check": ("check.double(double)", "double(2)", "EXERCISE 2.1", "no check cell"),
    "check of two lines": (
        "check.double(double)",
        "check.double(double)\nprint()",
        "check.double",
        "exactly one line",
    ),
    "check of another": (
        "check.double(double)",
        "check.double(quadruple)",
        "check.double",
        "no exercise cell defines",
    ),
    "check of nothing": (
        "check.double(double)",
        "check.treble(treble)",
        "check.treble",
        "no exercise cell defines",
    ),
    "checked twice": ("plot.bars(double)", "check.double(double)", None, "checked twice"),
    "another lab's": ("# EXERCISE 2.2", "# EXERCISE 3.2", "EXERCISE 3.2", "stands in lab 2"),
    "out of order": (
        "# EXERCISE 2.2",
        "# EXERCISE 2.1",
        "EXERCISE 2.1 · quadruple",
        "does not come after 2.1",
    ),
    "other name": ("· quadruple", "· fourfold", "fourfold", "no function or class called fourfold"),
    "not first": (
        "# EXERCISE 2.2",
        "\nimport os\n# EXERCISE 2.2",
        "EXERCISE 2.2",
        "first line of its cell",
    ),
    "given misspelt": (
        'print("seen", flush=True)',
        "# GIVEN Scale\nclass Scale:\n    by = 2",
        "# GIVEN",
        "a piece that is given is announced by the first line",
    ),
    "given not first": (
        'print("seen", flush=True)',
        "import os\n# GIVEN · Scale\nclass Scale:\n    by = 2",
        "# GIVEN",
        "a piece that is given is announced by the first line",
    ),
    "given another": (
        'print("seen", flush=True)',
        "# GIVEN · Scale\nclass Size:\n    by = 2",
        "# GIVEN",
        "no function or class called Scale",
    ),
    "syntax": ("import time", "import tyme as", "import math", "not valid Python"),
    "header": ('# %% id="save"', "# %% save", "# %% save", "header is not understood"),
    "two ids": ('# %% id="save"', '# %% id="setup"', None, "given to two cells"),
    "bad id": ('# %% id="save"', '# %% id="the end"', None, "is no cell id"),
    "empty cell": ("plot.bars(double)", "", None, "this cell is empty"),
    "uncommented text": ("# ## 2.1 Twice", "Twice", "Twice", "must begin with `#`"),
    "no setup": ('id="setup"', 'id="start"', None, 'no cell `# %% id="setup"`'),
}


@pytest.mark.parametrize("kind", BROKEN)
def test_a_broken_source_stops_the_build_with_file_and_line(kind: str, tmp_path: Path):
    old, new, needle, sentence = BROKEN[kind]
    assert old in DOUBLE
    text = DOUBLE.replace(old, new, 1)
    with pytest.raises(BuildError) as caught:
        cell_ids(source_of(text, tmp_path))
    match = re.match(r"solutions/02_double\.py:(\d+): (.*)", str(caught.value))
    assert match and sentence in match[2] and match[2].endswith(".")
    if needle:
        assert int(match[1]) == line_of(needle.strip(), text)


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        ('quadruple = Check("2.2", "quadruple", 2, 12)', "", "exercise 2.2 has no check"),
        (
            '"2.2", "quadruple"',
            '"2.3", "quadruple"',
            "quadruple is exercise 2.3 in checks/double",
        ),
        (
            "quadruple = ",
            'more = Check("2.3", "more", 1, 1)\nquadruple = ',
            "checks more, but no cell begins",
        ),
        ("from checks.engine", "from checks.motor", "cannot be imported: ModuleNotFoundError"),
    ],
)
def test_labs_and_checks_have_the_same_exercises(course: Path, old: str, new: str, sentence: str):
    edit(course / "checks/double/__init__.py", old, new)
    with pytest.raises(BuildError, match=re.escape(sentence)):
        build.build(course)


def test_the_leak_test_finds_leaks(tmp_path: Path, built: Path):
    nb = read(built / "labs/02_double.ipynb")
    assert leaks(source_of(DOUBLE, tmp_path), nb) == []
    nb.cells[0].source += "\n\nHint: `once_and_once_more = x + x`."
    assert leaks(source_of(DOUBLE, tmp_path), nb) == ["once_and_once_more = x + x"]
    copied = DOUBLE.replace("import time\n", "import time\n\nx = 1\nonce_and_once_more = x + x\n")
    nb.cells[0].source, nb.cells[2].source = "", nb.cells[2].source + "\nonce_and_once_more = x + x"
    assert leaks(source_of(copied, tmp_path), nb) == ["once_and_once_more = x + x"]


# ---- ids


def test_ids_are_readable_unique_and_stable(built: Path):
    ids = [cell.id for cell in read(built / "labs/02_double.ipynb").cells]
    assert ids == [
        "02-doubling",
        "setup",
        "imports",
        "2-1-twice",
        "ex-2-1",
        "check-2-1",
        "plot-2-1",
        "plot-2-1-2",
        "ex-2-2",
        "check-2-2",
        "print-seen-flush-true-print-twice",
        "save",
    ]
    assert all(ID.fullmatch(id) for id in ids)


@pytest.mark.parametrize(
    ("text", "id"),
    [
        ("## 3.2 Frequencies: how fast?", "3-2-frequencies-how-fast"),
        ("**Predict.** Größe × `x²`", "predict-groe-x2"),
        ("See [the paper](https://example.org/a/b).", "see-the-paper"),
        ("· → …", "cell"),
        ("x" * 90, "x" * 40),
    ],
)
def test_slugs(text: str, id: str):
    assert slug(text) == id


# ---- where the course is published


def test_publishing_stamps_without_running_anything(course: Path, capsys):
    address.write(course, address.parse("https://github.com/someone/llama-lab.git", "v2"))
    build.build(course)
    assert "ran " not in capsys.readouterr().out
    title, setup = (cell.source for cell in read(course / "labs/02_double.ipynb").cells[:2])
    assert (
        "https://colab.research.google.com/github/someone/llama-lab/blob/v2/labs/02_double.ipynb"
        in title
    )
    assert "https://github.com/someone/llama-lab/blob/v2/solutions/02_double.ipynb" in title
    assert 'REPOSITORY, TAG = "someone/llama-lab", "v2"' in setup
    assert build.check(course) == []


def test_without_an_address_no_badge_is_shown(built: Path):
    text = (built / "labs/02_double.ipynb").read_text()
    assert "colab.research" not in text and "github.com/someone" not in text
    assert "[worked solution](../solutions/02_double.ipynb)" in text


def test_what_to_do_after_a_restart_stands_under_the_title(built: Path):
    for folder in ("labs", "solutions"):
        title = read(built / folder / "02_double.ipynb").cells[0].source
        assert "'plot' is not defined" in title
        assert "Run the first two code cells" in title


@pytest.mark.parametrize(
    ("url", "repository"),
    [
        ("https://github.com/someone/llama-lab.git", "someone/llama-lab"),
        ("git@github.com:someone/llama.lab.git", "someone/llama.lab"),
        ("https://token@github.com/someone/lab", "someone/lab"),
        ("ssh://git@github.com/someone/lab.git", "someone/lab"),
        ("https://example.org/someone/lab.git", None),
        ("/srv/git/lab.git", None),
    ],
)
def test_the_origin_is_the_address_when_it_is_on_github(
    url: str, repository: str | None, tmp_path: Path
):
    subprocess.run(["git", "init", "-q", tmp_path], check=True)
    subprocess.run(["git", "-C", tmp_path, "remote", "add", "origin", url], check=True)
    found = address.from_origin(tmp_path)
    assert (found and found.repository) == repository


@pytest.mark.parametrize(
    "words", [["lab"], ["a/b/c"], ["a/b", "v 1"], ["a/b", "v1", "x"], ["a/b; rm -rf", "v1"]]
)
def test_what_is_no_address_is_refused(words: list[str]):
    with pytest.raises(ValueError, match="is no address"):
        address.parse(*words)
