"""Grade notebooks that lie anywhere: `python -m checks "~/Downloads/03_rope (1).ipynb"`.

Each notebook is read, copied into a temporary folder and run there by nbval; nothing is written
beside the learner's file. Ends with 0 when every check of every notebook passed, with 1 when not,
and with 2 when the command itself cannot be carried out.
"""

import sys

if not sys.flags.safe_path and sys.path and sys.path[0] != __file__.rpartition("/checks/")[0]:
    del sys.path[0]  # a json.py that lies beside the notebooks must not be imported

import argparse
import contextlib
import importlib.util
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

NO_NBVAL = "Grading runs the notebooks with nbval, which is not installed. Try: pip install nbval"
NO_XDIST = "-n needs pytest-xdist, which is not installed. Try: pip install pytest-xdist"


def main(arguments: list[str]) -> int:
    """Grade the named notebooks; return the exit code."""
    parser = _parser()
    if not arguments:
        parser.print_help()
        return 2
    try:
        said = parser.parse_args(arguments)
    except SystemExit as end:  # argparse has said what is wrong
        return int(end.code or 0)
    if says := _impossible(said):
        print(says)
        return 2
    files = [Path(file).expanduser() for file in said.files]
    read, problems = _read(files)
    for file, problem in problems.items():
        print(f"{file}: {problem}.")
    if not read:
        if said.score_json:
            _write_empty(said.score_json, problems)
        return 1
    if importlib.util.find_spec("nbval") is None:
        print(NO_NBVAL)
        return 1
    return _grade(read, problems, said)


def why_not(file: Path) -> str:
    """Say in a sentence why a file cannot be graded; "" when it can."""
    return next((f"{name}: {why}." for name, why in _read([file])[1].items()), "")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m checks",
        usage="python -m checks FILE.ipynb [FILE.ipynb ...] [options]",
        description="Grade notebooks of the course, wherever they lie.",
        epilog="Inside the course's folder: pytest --nbval-lax labs/03_rope.ipynb",
        allow_abbrev=False,
    )
    parser.add_argument("files", nargs="+", metavar="FILE.ipynb", help="a notebook of the course")
    parser.add_argument("--score-json", metavar="FILE", help="write the scores to FILE as JSON")
    parser.add_argument("--junitxml", metavar="FILE", help="write them to FILE as JUnit's XML")
    parser.add_argument("-n", metavar="N", type=_count, help="grade N notebooks at a time")
    parser.add_argument(
        "--strict", action="store_true", help="right but not ready for a real model earns nothing"
    )
    parser.add_argument(
        "--notebook-timeout", metavar="SECONDS", type=_seconds, help="for one notebook (300)"
    )
    return parser


def _count(said: str) -> int:
    if not said.isdigit() or not int(said):
        raise argparse.ArgumentTypeError(f"{said!r} is no number of notebooks, such as 2")
    return int(said)


def _seconds(said: str) -> float:
    with contextlib.suppress(ValueError):
        if 0 < (seconds := float(said)) < float("inf"):
            return seconds
    raise argparse.ArgumentTypeError(f"{said!r} is no number of seconds, such as 300")


def _impossible(said: argparse.Namespace) -> str:
    """Say what cannot be done, before anybody is graded; "" when all can."""
    from checks.grading import target

    for option in ("score_json", "junitxml"):
        if file := getattr(said, option):
            path = Path(file).expanduser().absolute()
            if says := target.problem(path, f"--{option.replace('_', '-')}"):
                return says
            setattr(said, option, str(path))
    if said.score_json and said.score_json == said.junitxml:
        return "--score-json and --junitxml name the same file. Name two."
    if said.n and importlib.util.find_spec("xdist") is None:
        return NO_XDIST
    return ""


def _read(files: list[Path]) -> tuple[dict[str, dict[str, Any]], dict[str, str]]:
    """Read all notebooks: those that can be graded, and why the others cannot."""
    from checks.grading.audit import known_labs, recognise
    from checks.grading.reading import Unreadable, read
    from checks.grading.verdict import clean

    found: dict[str, dict[str, Any]] = {}
    problems: dict[str, str] = {}
    for file in files:
        try:
            notebook = read(file)
            if recognise(file.name, notebook) is None:
                names = ", ".join(sorted(known_labs())) or "none here yet"
                raise Unreadable(f"not one of the course's labs ({names})")
            found[str(file)] = notebook
        except Unreadable as error:
            problems[clean(str(file))] = str(error)
    return found, problems


def _write_empty(target_file: str, problems: dict[str, str]) -> None:
    import json

    from checks.grading import table, target

    found = table.as_json([], problems)
    if says := target.write(Path(target_file), json.dumps(found, indent=2) + "\n"):
        print(f"{says}.")


@contextlib.contextmanager
def _copies(notebooks: dict[str, dict[str, Any]]) -> Iterator[tuple[Path, list[str]]]:
    """A folder with a copy of each notebook, and nothing else of where it came from."""
    from checks.grading.copies import Copies

    copies = Copies()
    try:
        paths = [str(copies.add(notebook, name)) for name, notebook in notebooks.items()]
        # A configuration of its own: neither this course's nor the learner's folder has a say.
        (copies.folder / "pytest.ini").write_text("[pytest]\n")
        yield copies.folder, paths
    finally:
        copies.remove()


def _grade(
    notebooks: dict[str, dict[str, Any]], problems: dict[str, str], said: argparse.Namespace
) -> int:
    import pytest

    class Problems:
        def pytest_configure(self, config: pytest.Config) -> None:
            config.stash[PROBLEMS] = problems

    from checks.grading.table import PROBLEMS

    options = ["-q", "-rN", "--disable-warnings", "-p", "no:cacheprovider", "--noconftest"]
    options += [f"--score-json={said.score_json}"] if said.score_json else []
    options += [f"--junitxml={said.junitxml}"] if said.junitxml else []
    options += ["-n", str(said.n), "--dist", "loadfile"] if said.n else []
    options += [f"--notebook-timeout={said.notebook_timeout}"] if said.notebook_timeout else []
    options += ["--strict"] if said.strict else []
    here = Path.cwd()
    for unwanted in ("PYTEST_ADDOPTS", "PYTEST_PLUGINS"):  # meant for somebody's own tests
        os.environ.pop(unwanted, None)
    try:
        with _copies(notebooks) as (folder, paths):
            where = ["-c", str(folder / "pytest.ini"), "--rootdir", str(folder)]
            os.chdir(folder)
            plugin = ["-p", "checks.grading.plugin", "--nbval-lax"]
            return int(pytest.main([*where, *plugin, *options, *paths], [Problems()]))
    except OSError as error:
        print(f"Grading needs a temporary folder, and got: {error}. Set TMPDIR to another one.")
        return 2
    finally:
        os.chdir(here)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
