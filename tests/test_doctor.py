"""The doctor looks, says what to do, installs nothing, and never fails."""

import sys
import types
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest

from checks import doctor, pieces


def line(subject: str) -> doctor.Line:
    """The one line on a subject."""
    (found,) = [one for one in doctor.lines() if one.subject == subject]
    return found


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A learner's package that is open."""
    monkeypatch.setattr(pieces, "_folder", tmp_path / "labs")
    monkeypatch.delenv("LLAMA_LAB_GRADING", raising=False)
    folder = tmp_path / "labs" / "my_llama"
    folder.mkdir(parents=True)
    return folder


def notebook(monkeypatch: pytest.MonkeyPatch, *, person: bool = True, **names: Any) -> None:
    """Pretend to be in a notebook."""
    kernel = types.SimpleNamespace(_allow_stdin=person)
    shell = types.SimpleNamespace(kernel=kernel, user_ns=names)
    fake = types.SimpleNamespace(get_ipython=lambda: shell)
    monkeypatch.setitem(sys.modules, "IPython", fake)
    for name in ("VSCODE_PID", "JPY_SESSION_NAME", "JPY_PARENT_PID"):
        monkeypatch.delenv(name, raising=False)


def test_here_everything_is_there(package: Path, capsys: pytest.CaptureFixture) -> None:
    wrong = [one for one in doctor.lines() if not one.ok and one.subject != "memory"]
    assert wrong == []
    doctor.report()
    shown = capsys.readouterr()
    assert "✓ torch" in shown.out and "✓ Python" in shown.out
    assert shown.err == ""


def test_every_required_package_has_a_line() -> None:
    required = (doctor.ROOT / "requirements.txt").read_text().splitlines()
    names = [text.partition(">")[0] for text in required if text and not text.startswith("#")]
    subjects = [one.subject for one in doctor.lines()]
    assert len(names) >= 6
    assert [name for name in names if name not in subjects] == []


def test_a_missing_package_is_named_with_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    version = metadata.version

    def without(name: str) -> str:
        if name in ("nbval", "jupyterlab"):
            raise metadata.PackageNotFoundError(name)
        return version(name)

    monkeypatch.setattr(metadata, "version", without)
    found = line("nbval")
    assert (found.ok, found.found) == (False, "not there")
    assert "pip install -r requirements.txt" in found.advice
    assert not line("jupyterlab").ok
    monkeypatch.setitem(sys.modules, "google.colab", types.ModuleType("google.colab"))
    assert line("jupyterlab").ok, "Colab needs no JupyterLab"


@pytest.mark.parametrize(
    ("version", "ok"), [("7.6.9", False), ("7.7", True), ("7.7.1", True), ("10.0.0a1", True)]
)
def test_versions_are_compared_as_numbers(
    version: str, ok: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(metadata, "version", lambda name: version)
    assert doctor.package("ipywidgets", "7.7").ok is ok


def test_an_old_python_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "version_info", (3, 9, 2))
    assert not line("Python").ok
    assert "3.11" in line("Python").advice


def test_whatever_fails_becomes_a_line(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: Any) -> Any:
        raise OSError("no such luck\nand more")

    for name in ("package", "_unwritable", "free_memory", "where", "person_present"):
        monkeypatch.setattr(doctor, name, broken)
    monkeypatch.setattr("torch.get_num_threads", broken)
    monkeypatch.setattr("torch.cuda.is_available", broken)
    monkeypatch.setattr(pieces, "grading", broken)
    found = doctor.lines()
    assert [one.subject for one in found if one.ok] == ["Python"]
    assert "could not be found out: OSError: no such luck" in found[1].found


def test_nothing_is_installed_or_started(
    package: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    def forbidden(*_: Any, **__: Any) -> Any:
        raise AssertionError("the doctor starts a program")

    monkeypatch.setattr("subprocess.Popen.__init__", forbidden)
    monkeypatch.setattr("os.system", forbidden)
    doctor.report()
    assert "starts a program" not in capsys.readouterr().out
    assert list(package.iterdir()) == [], "it leaves a file behind"


@pytest.mark.parametrize(
    ("names", "environment", "front_end"),
    [
        ({}, {"JPY_SESSION_NAME": "labs/02.ipynb"}, doctor.LAB),
        ({"__vsc_ipynb_file__": "02.ipynb"}, {}, doctor.VSCODE),
        ({}, {"VSCODE_PID": "7"}, doctor.VSCODE),
        ({}, {"VSCODE_PID": "7", "JPY_PARENT_PID": "9"}, doctor.LAB),
        ({}, {}, doctor.LAB),
    ],
)
def test_the_front_end_is_guessed(
    names: dict, environment: dict, front_end: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    notebook(monkeypatch, **names)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert doctor.where() == front_end
    assert line("Run All").ok


def test_batch_runs_and_terminals_are_no_front_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    notebook(monkeypatch, person=False)
    assert doctor.where() == doctor.BATCH
    assert "stops" in line("Run All").found
    monkeypatch.delitem(sys.modules, "IPython")
    assert doctor.where() == doctor.TERMINAL


def test_a_front_end_without_input_stops_run_all(monkeypatch: pytest.MonkeyPatch) -> None:
    notebook(monkeypatch, person=False, __vsc_ipynb_file__="02.ipynb")
    assert not line("Run All").ok
    assert "one by one" in line("Run All").advice


def test_little_memory_is_a_cross_and_unknown_memory_is_not(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for free, ok in ((5e8, False), (8e9, True), (None, True)):
        monkeypatch.setattr(doctor, "free_memory", lambda free=free: free)
        assert line("memory").ok is ok


def test_free_memory_is_a_plausible_number() -> None:
    free = doctor.free_memory()
    assert free is None or 1e6 < free < 1e14


def test_folders_that_cannot_be_written_to(package: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert line("my_llama").found == "labs/my_llama, with pieces of 0 labs"
    (package / "rope.py").touch()
    (package / "__init__.py").touch()
    assert line("my_llama").found == "labs/my_llama, with pieces of 1 lab"

    def read_only(dir: Path) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("tempfile.TemporaryFile", read_only)
    for subject in ("my_llama", "the course"):
        found = line(subject)
        assert not found.ok
        assert "Permission denied" in found.found and "of your own" in found.advice


def test_without_a_package_the_setup_cell_is_named(package: Path) -> None:
    package.rmdir()
    assert "setup cell" in line("my_llama").advice


def test_for_a_person_a_widget_says_whether_widgets_are_live(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    import ipywidgets

    shown: list[dict] = []
    monkeypatch.setattr("IPython.display.display", lambda bundle, raw: shown.append(bundle))
    made: list[Any] = []
    box = ipywidgets.HBox
    monkeypatch.setattr(ipywidgets, "HBox", lambda children: made.append(box(children)) or made[-1])
    doctor._try_widgets()
    assert "✗ widgets do not show" in shown[0]["text/plain"]
    words, button = made[0].children
    assert "Are they live?" in words.value
    button.click()
    assert "widgets are live" in words.value


def test_no_person_no_widget(monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    tried = []
    monkeypatch.setattr(doctor, "_try_widgets", lambda: tried.append(1))
    doctor.report()
    assert not tried
    monkeypatch.setattr(doctor, "person_present", lambda: True)
    doctor.report()
    assert tried
