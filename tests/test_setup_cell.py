"""The setup cell finds the course, fetches it, or says in words how to go on; it changes nothing else."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from small_course import small_course

from tools.address import Address
from tools.setup_cell import setup_source

REPORT = "\nimport my_llama; print(my_llama.__file__); print(sys.path[:2])"
COLAB = """
import importlib.util, subprocess, sys, types
sys.modules["google.colab"] = types.ModuleType("google.colab")
find, subprocess.run = importlib.util.find_spec, lambda command, **_: print("RUN", command)
importlib.util.find_spec = lambda name, *rest: find(name, *rest) if name != "nbval" else {nbval}
"""


@pytest.fixture
def course(tmp_path: Path) -> Path:
    root = small_course(tmp_path / "course").resolve()
    (root / "labs" / "drafts").mkdir(parents=True)
    (root / "solutions" / "my_llama").mkdir()
    (root / "solutions" / "my_llama" / "__init__.py").write_text("")
    return root


def run(folder: Path, before: str = "", after: str = REPORT, address=None, **environment: str):
    folder.mkdir(parents=True, exist_ok=True)
    return subprocess.run(
        [sys.executable, "-c", before + setup_source(address) + after],
        cwd=folder,
        env={**os.environ, "GIT_TERMINAL_PROMPT": "0", **environment},
        capture_output=True,
        text=True,
        timeout=60,
    )


def github_is(folder: Path) -> dict[str, str]:
    """Let git take GitHub's repositories from a folder on this machine."""
    key = f"url.{folder}/.insteadOf"
    return {
        "GIT_CONFIG_COUNT": "1",
        "GIT_CONFIG_KEY_0": key,
        "GIT_CONFIG_VALUE_0": "https://github.com/",
    }


def test_it_is_one_short_cell():
    lines = setup_source(Address("someone/llama-lab")).splitlines()
    assert len(lines) <= 25
    assert lines[0].startswith("#@title ")


@pytest.mark.parametrize(
    ("place", "package"),
    [("labs", "labs"), ("labs/drafts", "labs"), (".", "labs"), ("solutions", "solutions")],
)
def test_it_finds_the_course_above(course: Path, place: str, package: str):
    result = run(course / place)
    assert (
        result.stdout
        == f"{course / package / 'my_llama' / '__init__.py'}\n{[str(course / package), str(course)]}\n"
    )


def test_it_can_be_run_twice(course: Path):
    twice = "\n" + setup_source(None) + "\nprint(sys.path.count(str(course())))"
    assert run(course / "labs", after=twice).stdout == "1\n"


def test_alone_without_an_address_it_says_how_to_go_on(tmp_path: Path):
    result = run(tmp_path)
    last = result.stderr.split("CourseNotFound: ")[1]
    assert result.returncode == 1
    assert f"The course is not here: no folders checks/ and plots/ in {tmp_path.resolve()}" in last
    assert (
        "No address is known" in last
        and "Upload llama-lab.zip, the whole course" in last
        and "run this cell again" in last
    )


def test_a_notebook_shows_these_words_and_no_traceback(tmp_path: Path):
    shown = run(
        tmp_path,
        before="import IPython\nshell = IPython.core.interactiveshell.InteractiveShell.instance(colors='NoColor')\n"
        f"shell.history_manager.enabled = False\nshell.run_cell({setup_source(None)!r})\nraise SystemExit\n",
        IPYTHONDIR=str(tmp_path / "ipython"),
    )
    assert shown.stdout.startswith("The course is not here")
    assert "Traceback" not in shown.stdout + shown.stderr


def test_an_address_that_cannot_be_reached_is_named(tmp_path: Path):
    result = run(tmp_path, address=Address("someone/llama-lab"), **github_is(tmp_path / "nowhere"))
    assert "github.com/someone/llama-lab at v1 could not be fetched either." in result.stderr
    assert "Upload llama-lab.zip" in result.stderr
    assert not (tmp_path / "llama-lab").exists()


def test_without_git_the_words_are_the_same(tmp_path: Path):
    result = run(tmp_path, address=Address("someone/llama-lab"), PATH="")
    assert "could not be fetched either" in result.stderr


def test_alone_with_an_address_it_fetches_that_tag(course: Path, tmp_path: Path):
    server = tmp_path / "github" / "someone" / "llama-lab"
    server.parent.mkdir(parents=True)
    course.rename(server)
    git = ["git", "-C", str(server), "-c", "user.name=a", "-c", "user.email=a@example.org"]
    for command in (
        ["init", "-q"],
        ["add", "."],
        ["commit", "-qm", "first"],
        ["tag", "v1"],
        ["rm", "-qr", "checks"],
        ["commit", "-qm", "later"],
    ):
        subprocess.run([*git, *command], check=True)
    content = (tmp_path / "content").resolve()
    for _ in range(2):
        result = run(
            content, address=Address("someone/llama-lab"), **github_is(tmp_path / "github")
        )
        assert result.stdout.splitlines()[0] == str(
            content / "llama-lab" / "labs" / "my_llama" / "__init__.py"
        )


def test_alone_beside_the_bundle_it_unpacks_it(course: Path, tmp_path: Path):
    content = (tmp_path / "content").resolve()
    content.mkdir()
    course.rename(tmp_path / "llama-lab")
    shutil.make_archive(str(content / "llama-lab"), "zip", tmp_path, "llama-lab")
    result = run(content)
    package = content / "llama-lab" / "labs" / "my_llama" / "__init__.py"
    assert result.stdout.splitlines()[0] == str(package), result.stderr


def test_it_says_where_a_completion_is_switched_off():
    comment = next(line for line in setup_source(None).splitlines() if line.startswith("# "))
    assert "Hide generative AI features" in comment and "Inline Completer" in comment


def test_in_colab_it_installs_nbval_only_when_it_is_missing(course: Path):
    missing = run(course / "labs", before=COLAB.format(nbval="None"), after="")
    assert missing.stdout == f"RUN {[sys.executable, '-m', 'pip', 'install', '-q', 'nbval']}\n"
    present = run(course / "labs", before=COLAB.format(nbval="True"), after="")
    assert (present.stdout, present.stderr) == ("", "")


def test_elsewhere_it_installs_nothing(course: Path):
    before = COLAB.format(nbval="None").replace('sys.modules["google.colab"]', "_")
    assert run(course / "labs", before=before, after="").stdout == ""


def test_in_a_kernel_that_grades_it_takes_the_worked_pieces(course: Path):
    result = run(course / "labs", LLAMA_LAB_GRADING="1")
    assert result.stdout.splitlines()[0] == str(course / "solutions" / "my_llama" / "__init__.py")
    assert not (course / "labs" / "my_llama").exists()
