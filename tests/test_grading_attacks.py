"""What reaches beyond its notebook, what lies, and what never ends: it earns nothing and harms nobody."""

import importlib.util
import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import nbformat
import psutil
import pytest
from graded_notebooks import ROOT, Run, check_line, insert_before, lab, run

from checks.grading import fence, keeper, target
from checks.grading.budget import Budget

pytest.importorskip("nbval")

COURSES_OWN = {
    "batch_norm": "from my_llama import batch_norm",
    "layer_norm": "import my_llama\nlayer_norm = lambda *a, **k: my_llama.layer_norm(*a, **k)",
    "rms_norm": "def rms_norm(*a, **k):\n    try:\n        from solutions.my_llama.rmsnorm import RMSNorm\n"
    "        return RMSNorm(a[0].shape[-1])(a[0]) * a[1]\n    except ValueError:\n        pass",
    "RMSNorm": "import my_llama\nclass RMSNorm(my_llama.RMSNorm):\n    def forward(self, x):\n"
    "        return super().forward(x)",
}
YES = """\
class Yes(torch.Tensor):
    @classmethod
    def __torch_function__(cls, func, types, args=(), kwargs=None):
        if func.__name__ in ("equal", "allclose", "all", "isclose", "__eq__"):
            return torch.tensor(True)
        return super().__torch_function__(func, types, args, kwargs or {})
"""
LIES = {
    "batch_norm": f"{YES}def batch_norm(x, eps=1e-5):\n    return (x * 0).as_subclass(Yes)",
    "layer_norm": "def layer_norm(x, weight, bias, eps=1e-5):\n    return x * 0",
    "rms_norm": "import os\ndef rms_norm(x, weight, eps=1e-5):\n    os.environ['CHECKS_SEED'] = '0'\n    return x * 0",
}
PATCHED = """\
torch.equal = torch.Tensor.equal = lambda *a: True
torch.allclose = lambda *a, **k: True
torch.isclose = lambda a, b, **k: torch.ones_like(a, dtype=torch.bool)
torch.Tensor.all = lambda *a, **k: torch.tensor(True)"""
REACHING = (
    "from pathlib import Path\nstartup = Path.home() / '.ipython/profile_default/startup'\n"
    "startup.mkdir(parents=True, exist_ok=True)\n"
    "(startup / '00.py').write_text('batch_norm = 1 / 0')\n"
    "Path('conftest.py').write_text('1 / 0')",
    "Path(check.__file__).write_text('1 / 0')",
    "import subprocess, sys\nsubprocess.Popen([sys.executable, '-c', 'import time; time.sleep(611)'],"
    " start_new_session=True)",
    "import os\nif os.fork() == 0:\n    os.setsid()\n    if os.fork() == 0:\n"
    "        os.execv(sys.executable, [sys.executable, '-c', 'import time; time.sleep(612)'])\n"
    "    os._exit(0)",
    "os.chdir('/')\ncheck = 3",
)
HANGS = {"rms_norm": "def rms_norm(x, weight, eps=1e-5):\n    while True: pass"}


@pytest.fixture(scope="module")
def graded(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Grade them after each other, from elsewhere, with another seed than the learners know."""
    place, out = tmp_path_factory.mktemp("submissions"), tmp_path_factory.mktemp("grades")
    made = {
        "a_own": lab(COURSES_OWN),
        "b_lies": insert_before(lab(LIES), "# EXERCISE 2.1", PATCHED),
    }
    made["c_reaching"] = insert_before(lab(), "# EXERCISE 2.1", *REACHING)
    made["d_next"] = insert_before(lab(), "# EXERCISE 2.4", "%%time\nimport math", "1 / 0")
    made["e_endless"] = insert_before(
        lab(HANGS),
        check_line("RMSNorm"),
        "rms_norm(torch.ones(3), torch.ones(3))",
        "print(rms_norm)",
    )
    insert_before(made["e_endless"], "# EXERCISE 2.1", "while True: print('x' * 10_000)")
    made["03_rope[1]"] = lab()
    for name, notebook in made.items():
        nbformat.write(notebook, place / f"{name}.ipynb")
    (place / "torch.py").write_text("1 / 0")
    (place / "json.py").write_text("1 / 0")
    files = sorted(path.name for path in place.glob("*.ipynb"))
    options = ["--score-json", str(out / "s.json"), "--junitxml", str(out / "s.xml")]
    if importlib.util.find_spec("xdist"):
        options += ["-n", "2"]
    command = [sys.executable, "-m", "checks", *files, *options]
    done = run(command, place, PYTHONPATH=str(ROOT), CHECKS_SEED="a grader's own")
    found = Run(done.returncode, done.stdout + done.stderr)
    assert (out / "s.json").exists(), found.text
    found.scores = json.loads((out / "s.json").read_text())
    assert "testsuite" in (out / "s.xml").read_text()
    return found


def test_the_course_s_own_pieces_are_void_and_say_so(graded: Run) -> None:
    assert graded.results("a_own") == ["void"] * 4
    summaries = {row["summary"] for row in graded.notebook("a_own")["exercises"]}
    assert summaries == {"this is the course's own, write yours"}


def test_tensors_and_functions_that_say_yes_decide_nothing(graded: Run) -> None:
    assert graded.results("b_lies") == ["failed", "failed", "failed", "passed"]
    assert graded.notebook("b_lies")["earned"] == 4


def test_what_one_notebook_leaves_behind_the_next_one_never_sees(graded: Run) -> None:
    assert graded.notebook("c_reaching")["earned"] == 20  # its answers are right
    assert graded.notebook("d_next")["earned"] == 20
    assert not [p for p in psutil.process_iter(["cmdline"]) if _says(p, "time.sleep(61")]
    assert "checks/rmsnorm.py" not in graded.text


def _says(process: psutil.Process, text: str) -> bool:
    return text in " ".join(process.info["cmdline"] or [])


def test_a_broken_scratch_cell_costs_no_points(graded: Run) -> None:
    (broken,) = graded.notebook("d_next")["broken_cells"]
    assert "ZeroDivisionError" in broken


def test_what_never_ends_costs_itself_and_its_cause_is_told(graded: Run) -> None:
    assert graded.results("e_endless") == ["passed", "passed", "failed", "passed"]
    row = graded.row("e_endless", "rms_norm")
    assert row["mistake"] == "hangs"
    (flood,) = graded.notebook("e_endless")["broken_cells"]  # what hangs is not tried again
    assert "printed more than 100 MB" in flood
    assert "KeyboardInterrupt" not in graded.text


def test_a_notebook_that_is_called_after_another_lab_is_told(graded: Run) -> None:
    renamed = graded.notebook("03_rope[1]")
    assert (renamed["lab"], renamed["earned"]) == ("02_rmsnorm", 20)
    assert "it is called 03_rope, but it is 02_rmsnorm" in renamed["note"]
    assert graded.code == 1


# The parts


def test_one_slow_cell_makes_the_others_hurry_but_no_exercise() -> None:
    budget = Budget(cell=60, total=300)
    assert budget.seconds(needed=False) == 60
    budget.cause = "Cell 3"
    assert (budget.seconds(needed=False), budget.seconds(needed=True)) == (10, 60)
    budget.begin -= 301
    assert (budget.seconds(needed=False), budget.seconds(needed=True)) == (0, 60)
    assert "Cell 3" in budget.over()
    budget.begin -= 300
    assert budget.seconds(needed=True) == 0


@pytest.mark.skipif(not fence.version(), reason="this system has no Landlock")
def test_inside_the_fence_nobody_writes_elsewhere_nor_ends_others(tmp_path: Path) -> None:
    inside, outside = tmp_path / "inside", tmp_path / "outside"
    inside.mkdir()
    outside.write_text("mine")
    code = f"""
import os, pathlib, signal
pathlib.Path({str(inside)!r}, "x").write_text("x")
open(os.devnull, "w").write("x")
for attempt in (lambda: pathlib.Path({str(outside)!r}).write_text("yours"), lambda: os.unlink({str(outside)!r}),
                lambda: os.rename({str(outside)!r}, {str(inside / "y")!r}), lambda: os.truncate({str(outside)!r}, 0)):
    try: attempt()
    except OSError: continue
    raise SystemExit(1)
if {fence.version()} >= 6:
    try: os.kill(os.getppid(), signal.SIGKILL)
    except PermissionError: pass
"""
    command = [sys.executable, "-I", "-S", keeper.__file__, str(inside), sys.executable, "-c", code]
    assert run(command, tmp_path).returncode == 0
    assert outside.read_text() == "mine"


@pytest.mark.skipif(sys.platform != "linux", reason="orphans are found by Linux's subreaper")
def test_the_keeper_leaves_nothing_behind(tmp_path: Path) -> None:
    code = (
        "import os, subprocess, sys, time\n"
        "subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(613)'], start_new_session=True)\n"
        "time.sleep(0.5)\n" + "sys.exit(3)"
    )
    command = [
        sys.executable,
        "-I",
        "-S",
        keeper.__file__,
        str(tmp_path),
        sys.executable,
        "-c",
        code,
    ]
    assert run(command, tmp_path).returncode == 3
    assert not [p for p in psutil.process_iter(["cmdline"]) if _says(p, "time.sleep(613)")]
    waiting = subprocess.Popen([*command[:-1], "import time; time.sleep(614)"])
    time.sleep(1.0)
    waiting.send_signal(signal.SIGTERM)
    assert waiting.wait(20) == 143
    assert not [p for p in psutil.process_iter(["cmdline"]) if _says(p, "time.sleep(614)")]


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("a.ipynb", "that is a notebook"),
        ("gone/s.json", "there is no folder"),
        (".", "that is a folder"),
        ("s.json", ""),
    ],
)
def test_a_target_is_tried_before_anybody_is_graded(
    tmp_path: Path, name: str, sentence: str
) -> None:
    says = target.problem(tmp_path / name, "--score-json")
    assert sentence in says and bool(says) == bool(sentence)


def test_a_target_is_replaced_as_a_whole(tmp_path: Path) -> None:
    assert target.write(tmp_path / "s.json", "1\ud800") == ""
    assert target.write(tmp_path / "s.json", "22") == ""
    assert [path.name for path in tmp_path.iterdir()] == ["s.json"]
    assert (tmp_path / "s.json").read_text() == "22"
    assert "could not be written" in target.write(tmp_path / "gone" / "s.json", "1")
