"""Grade notebooks that lie anywhere: `python -m checks "~/Downloads/03_rope (1).ipynb"`.

Each notebook is copied into a temporary folder and run there by nbval; nothing is written beside
the learner's file. Ends with 0 when every check of every notebook passed, with 1 when not.
"""

import importlib.util
import json
import os
import shutil
import sys
import tempfile
from pathlib import Path

USAGE = """\
Grade notebooks of the course, wherever they lie:

    python -m checks FILE.ipynb [FILE.ipynb ...] [--score-json FILE]

Inside the course's folder this does the same:  pytest --nbval-lax labs/03_rope.ipynb"""

NO_NBVAL = "Grading runs the notebooks with nbval, which is not installed. Try: pip install nbval"


def main(arguments: list[str]) -> int:
    """Grade the named notebooks; return the exit code."""
    files, options = _split(arguments)
    if not files or "-h" in arguments or "--help" in arguments:
        print(USAGE)
        return 0 if {"-h", "--help"} & set(arguments) else 2
    problems = {file: problem for file in files if (problem := why_not(file))}
    for problem in problems.values():
        print(problem)
    gradable = [file for file in files if file not in problems]
    if not gradable:
        return 1
    if importlib.util.find_spec("nbval") is None:
        print(NO_NBVAL)
        return 1
    with _folder() as folder:
        code = _grade(gradable, options, Path(folder).resolve())
    return 1 if code or problems else 0


def why_not(file: Path) -> str:
    """Say in a sentence why a file cannot be graded; "" when it can."""
    from checks.grading.audit import known_labs, recognise

    try:
        notebook = json.loads(file.read_text("utf-8"))
        cells = notebook["cells"]
        well_formed = all({"cell_type", "source"} <= cell.keys() for cell in cells)
    except FileNotFoundError:
        return f"{file}: there is no such file."
    except OSError as error:
        return f"{file}: it cannot be read ({error.strerror})."
    except json.JSONDecodeError as error:
        return (
            f"{file}: not a notebook, or a damaged one (not readable from line {error.lineno} on)."
        )
    except (ValueError, KeyError, TypeError, AttributeError):
        well_formed = False
    if not well_formed:
        return f"{file}: not a notebook, or a damaged one (it has no readable list of cells)."
    if recognise(file.name, notebook) is None:
        names = ", ".join(sorted(known_labs())) or "none here yet"
        return f"{file}: not one of the course's labs ({names})."
    return ""


def _split(arguments: list[str]) -> tuple[list[Path], list[str]]:
    """Separate the files from the one option; `~` is understood on Windows, too."""
    files, options, rest = [], [], iter(arguments)
    for argument in rest:
        name, _, value = argument.partition("=")
        if name == "--score-json":
            value = value or next(rest, "")
            options += ["--score-json", str(Path(value).expanduser().absolute())] if value else []
        elif not argument.startswith("-"):
            files.append(Path(argument).expanduser())
    return files, options


def _folder() -> tempfile.TemporaryDirectory:
    """Make a folder inside the course, where a notebook's setup cell finds it; else anywhere."""
    course = Path(__file__).resolve().parents[1]
    inside = course if os.access(course, os.W_OK) else None
    return tempfile.TemporaryDirectory(prefix=".graded-", dir=inside, ignore_cleanup_errors=True)


def _grade(files: list[Path], options: list[str], folder: Path) -> int:
    import pytest

    from checks.grading import table

    names: dict[str, str] = {}
    for number, file in enumerate(files):
        copy = folder / str(number) / file.name
        copy.parent.mkdir()
        shutil.copyfile(file, copy)
        names[copy.relative_to(folder).as_posix()] = str(file)
    # An empty configuration of its own: neither this course's nor the learner's folder has a say.
    settings = folder / "pytest.ini"
    settings.write_text("[pytest]\n")

    class Names:
        def pytest_configure(self, config: pytest.Config) -> None:
            config.stash[table.NAMES] = names

    here, shown = Path.cwd(), ["-q", "-rN", "--disable-warnings", "-p", "no:cacheprovider"]
    os.chdir(folder)
    try:
        where = ["-c", str(settings), "--rootdir", str(folder), "-p", "checks.grading.plugin"]
        return int(pytest.main([*where, *shown, "--nbval-lax", *options, *names], [Names()]))
    finally:
        os.chdir(here)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
