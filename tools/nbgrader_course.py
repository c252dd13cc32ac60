"""Write a course folder for nbgrader: `python -m tools.nbgrader_course [FOLDER]`.

The folder lies inside the course. Every lab is an assignment, released as it stands in `labs/`,
with its points; nbgrader runs the whole notebook, with the course's own pieces of earlier labs and
short measurements.
"""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
STEPS = (
    "generate_assignment",
    "release_assignment",
    "collect",
    "autograde",
    "generate_feedback",
)
CONFIG = '''\
"""nbgrader's settings for Llama Lab, written by `make nbgrader`; yours may follow below."""

import os
from pathlib import Path

from nbgrader.converters import GenerateAssignment

HERE = Path(__file__).resolve().parent
# Graded notebooks draw first pages only, measure shortly, and never write into labs/my_llama/.
os.environ["LLAMA_LAB_GRADING"] = "1"
# Their kernel is the course's own Python, wherever nbgrader itself is installed.
paths = [str(HERE / "jupyter"), os.environ.get("JUPYTER_PATH", "")]
os.environ["JUPYTER_PATH"] = os.pathsep.join(paths)

c = get_config()
c.CourseDirectory.root = str(HERE)
c.CourseDirectory.course_id = "llama-lab"
# The labs have stubs already; ClearSolutions would empty the cells, docstrings and all.
kept = GenerateAssignment.preprocessors.default_args[0]
c.GenerateAssignment.preprocessors = [one for one in kept if one.__name__ != "ClearSolutions"]
c.ExecutePreprocessor.timeout = 300
'''


class NoPlace(Exception):
    """The course folder cannot be written there; the text says where it can."""


def write_course(folder: Path, python: str = sys.executable, root: Path = ROOT) -> list[str]:
    """Write the settings, the kernel and the sources; return the assignments' names.

    Sources are written anew; the settings, if they are there, stay as they are, and so does all
    that nbgrader keeps beside them. NoPlace when the folder lies outside the course, where its
    notebooks would not find the checks.
    """
    folder = folder.resolve()
    if root not in folder.parents:
        raise NoPlace(
            f"{folder} is outside the course, and a notebook there would not find the checks: "
            f"choose a folder inside {root}, for instance {root / 'nbgrader'}."
        )
    settings = folder / "nbgrader_config.py"
    kernel = folder / "jupyter" / "kernels" / "python3" / "kernel.json"
    kernel.parent.mkdir(parents=True, exist_ok=True)
    if not settings.exists():
        settings.write_text(CONFIG, encoding="utf-8")
    argv = [python, "-m", "ipykernel_launcher", "-f", "{connection_file}"]
    spec = {"argv": argv, "display_name": "Python 3", "language": "python"}
    kernel.write_text(json.dumps(spec, indent=1) + "\n", encoding="utf-8")
    labs = sorted((root / "labs").glob("[0-9][0-9]_*.ipynb"))
    for lab in labs:
        source = folder / "source" / lab.stem / lab.name
        source.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(lab, source)
    return [lab.stem for lab in labs]


def main() -> None:
    """Write the folder, and say what to type next."""
    folder = Path(sys.argv[1] if len(sys.argv) > 1 else ROOT / "nbgrader")
    try:
        names = write_course(folder)
    except (NoPlace, OSError) as error:
        sys.exit(str(error))
    print(f"{len(names)} assignments in {folder}: {', '.join(names)}. For the first of them:")
    print(f"  source {ROOT / '.venv-nbgrader' / 'bin' / 'activate'}; cd {folder}")
    for step in STEPS:
        print(f"  nbgrader {step} {names[0]}")


if __name__ == "__main__":
    main()
