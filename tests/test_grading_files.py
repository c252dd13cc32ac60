"""`python -m checks FILE.ipynb`: notebooks that lie anywhere, and files that are none."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import nbformat
import pytest
from graded_notebooks import EMPTY, ROOT, Run, lab, run
from nbformat.v4 import new_code_cell

from checks.grading import copies, fence

pytest.importorskip("nbval")


@pytest.fixture(scope="module")
def downloads(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder outside the course, with what one finds in such folders."""
    place = tmp_path_factory.mktemp("Downloads")
    nbformat.write(lab({"batch_norm": EMPTY["batch_norm"]}), place / "02_rmsnorm (1).ipynb")
    (place / "damaged.ipynb").write_text('{"cells": [{"cell_type": "code",')
    (place / "list.ipynb").write_text("[1, 2]")
    (place / "binary.ipynb").write_bytes(b"\xff\xfe\x00")
    other = nbformat.v4.new_notebook(cells=[new_code_cell("1")])
    nbformat.write(other, place / "holiday.ipynb")
    return place


def checks(*arguments: str, cwd: Path) -> Run:
    done = run([sys.executable, "-m", "checks", *arguments], cwd, PYTHONPATH=str(ROOT))
    return Run(done.returncode, done.stdout + done.stderr)


def test_python_m_checks_grades_a_file_anywhere_and_leaves_no_trace(downloads: Path) -> None:
    before = sorted(downloads.iterdir())
    graded = checks("02_rmsnorm (1).ipynb", "gone.ipynb", "--score-json", "s.json", cwd=downloads)
    scores = json.loads((downloads / "s.json").read_text())
    (downloads / "s.json").unlink()
    assert sorted(downloads.iterdir()) == before
    assert graded.code == 1
    assert "gone.ipynb: there is no such file." in graded.text
    assert scores["notebooks"][0]["notebook"] == "02_rmsnorm (1).ipynb"
    assert (scores["earned"], scores["points"]) == (16, 20)
    assert "✎ to do" in graded.text


@pytest.mark.parametrize(
    ("file", "sentence"),
    [
        ("gone.ipynb", "there is no such file"),
        ("damaged.ipynb", "not a notebook, or a damaged one"),
        ("list.ipynb", "not a notebook, or a damaged one"),
        ("binary.ipynb", "not a notebook, or a damaged one"),
        ("holiday.ipynb", "not one of the course's labs (0"),
        (".", "it is a folder; name the notebooks in it"),
    ],
)
def test_a_file_that_cannot_be_graded_gets_a_sentence(
    downloads: Path, file: str, sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    from checks.__main__ import main

    assert main([str(downloads / file)]) == 1
    said = capsys.readouterr().out
    assert sentence in said
    assert len(said.splitlines()) == 1


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (["--score-json", "{here}/02_rmsnorm (1).ipynb", "{file}"], "that is a notebook"),
        (["{file}", "--score-json", "{here}/gone/s.json"], "there is no folder"),
        (["{file}", "--junitxml", "{here}"], "that is a folder"),
        (["{file}", "--score-json", "{here}/s", "--junitxml", "{here}/s"], "name the same file"),
        (["{file}", "--score-jsn", "s.json"], "unrecognized arguments: --score-jsn"),
        (["{file}", "--score-json"], "expected one argument"),
        (["{file}", "-n", "many"], "is no number of notebooks"),
        (["{file}", "--notebook-timeout", "-1"], "is no number of seconds"),
    ],
)
def test_a_command_that_cannot_be_carried_out_grades_nobody(
    downloads: Path, options: list[str], sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    from checks.__main__ import main

    file = downloads / "02_rmsnorm (1).ipynb"
    before = file.read_bytes()
    assert main([one.format(here=downloads, file=file) for one in options]) == 2
    said = "".join(capsys.readouterr())
    assert sentence in said
    assert "Traceback" not in said
    assert file.read_bytes() == before


def test_without_arguments_the_usage(capsys: pytest.CaptureFixture[str]) -> None:
    from checks.__main__ import main

    assert main([]) == 2
    assert "python -m checks FILE.ipynb" in capsys.readouterr().out


def test_without_nbval_the_remedy(
    downloads: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from checks import __main__ as command

    monkeypatch.setattr(command.importlib.util, "find_spec", lambda name: None)
    assert command.main([str(downloads / "02_rmsnorm (1).ipynb")]) == 1
    assert "pip install nbval" in capsys.readouterr().out


def test_plain_pytest_without_nbval_gives_the_remedy_too(downloads: Path) -> None:
    arguments = ["-p", "no:nbval", "--nbval-lax", "tests"]
    code = (
        "import importlib.util as u; real = u.find_spec; "
        "u.find_spec = lambda name, *a: None if name == 'nbval' else real(name, *a); "
        f"import pytest; raise SystemExit(pytest.main({arguments!r}))"
    )
    done = run([sys.executable, "-c", code], ROOT)
    assert done.returncode == 4
    assert "pip install nbval" in done.stdout + done.stderr


@pytest.mark.skipif(os.name != "posix", reason="there is no SIGTERM elsewhere")
def test_a_run_that_is_ended_leaves_nothing_and_has_written_what_it_knew(tmp_path: Path) -> None:
    """Ended in the second notebook: the first one's scores are there, no folder and no kernel is."""
    rooms = tmp_path / "tmp"
    rooms.mkdir()
    nbformat.write(lab(), tmp_path / "a.ipynb")
    slow = lab()
    slow.cells.insert(0, new_code_cell("import time\nprint(1)\ntime.sleep(615)"))
    nbformat.write(slow, tmp_path / "b.ipynb")
    command = [sys.executable, "-m", "checks", "a.ipynb", "b.ipynb", "--score-json", "s.json"]
    environment = os.environ | {"PYTHONPATH": str(ROOT), "TMPDIR": str(rooms)}
    with (tmp_path / "log").open("w") as log:
        running = subprocess.Popen(command, cwd=tmp_path, env=environment, stdout=log, stderr=log)
    end = time.monotonic() + 120
    while not (tmp_path / "s.json").exists() and time.monotonic() < end:
        time.sleep(0.1)
    time.sleep(2.0)
    running.send_signal(signal.SIGTERM)
    assert running.wait(60) != 0
    first = json.loads((tmp_path / "s.json").read_text())["notebooks"][0]
    assert (first["notebook"], first["earned"]) == ("a.ipynb", 20)
    assert [path for path in rooms.iterdir() if path.name.startswith("llama-lab")] == []
    assert "Traceback" not in (tmp_path / "log").read_text()


@pytest.mark.skipif(not fence.version(), reason="the kernel started ahead needs a keeper")
@pytest.mark.parametrize("name", ["damaged.ipynb", "02_rmsnorm (1).ipynb"])
def test_the_kernel_that_is_started_ahead_is_used_or_ended(
    downloads: Path, tmp_path: Path, name: str
) -> None:
    """Of one started for a notebook that no kernel ever runs, nothing is left either."""
    started = tmp_path / "started"
    arguments = ["-p", "checks.grading.plugin", "--nbval-lax", str(downloads / name)]
    code = (
        "import os, pathlib, sys; from checks.grading import kernel; launch = kernel._launch\n"
        "def counted(*args):\n"
        "    manager = launch(*args)\n"
        f"    open({str(started)!r}, 'a').write(f'{{manager.provisioner.process.pid}}\\n')\n"
        "    return manager\n"
        "kernel._launch = counted\n"
        f"import pytest; raise SystemExit(pytest.main({arguments!r}))"
    )
    rooms = tmp_path / "tmp"
    rooms.mkdir()
    run([sys.executable, "-c", code], ROOT, PYTHONPATH=str(ROOT), TMPDIR=str(rooms))
    (keeper,) = started.read_text().split()
    assert not Path("/proc", keeper).exists()
    assert [path for path in rooms.iterdir() if path.name.startswith("llama-lab")] == []


@pytest.mark.parametrize(
    ("name", "fits"),
    [
        ("03_rope.ipynb", True),
        ("03_rope (1).ipynb", True),
        ("03_rope[1].ipynb", False),  # a browser's second download
        ("03_rope.IPYNB", False),
        ("a::b.ipynb", False),
    ],
)
def test_names_that_pytest_takes_for_something_else_get_a_copy(name: str, fits: bool) -> None:
    assert copies.fits(Path("labs") / name) == fits


@pytest.mark.skipif(not fence.version(), reason="needs Landlock, to make the course read-only")
def test_a_course_that_may_not_be_written_grades_as_well(tmp_path: Path) -> None:
    """As where the course is installed for everybody: nothing is saved there while it grades."""
    code = (
        "import os, sys\n"
        "from pathlib import Path\n"
        "from checks.grading.fence import restrict\n"
        f"assert restrict([Path({str(tmp_path)!r})])\n"
        "os.execv(sys.executable, [sys.executable, '-m', 'checks', *sys.argv[1:]])"
    )
    odd = tmp_path / "00_start_here[1]::.IPYNB"
    odd.write_bytes((ROOT / "solutions/00_start_here.ipynb").read_bytes())
    command = [sys.executable, "-c", code, str(odd), "--score-json", str(tmp_path / "s.json")]
    done = run(command, tmp_path, PYTHONPATH=str(ROOT), TMPDIR=str(tmp_path))
    assert done.returncode == 0, done.stdout + done.stderr
    scores = json.loads((tmp_path / "s.json").read_text())
    assert scores["earned"] == scores["points"] == 4
