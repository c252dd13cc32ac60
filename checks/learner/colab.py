"""The last cell of each lab: in Colab, grade the notebook that is open.

Colab keeps the open notebook in the browser, not in a file on its machine. `grade` asks the browser
for it by a call of Colab's own, which is not documented and may go away: then words must do.
"""

import json
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
PATIENCE = 30  # seconds for the browser to hand the notebook over

LOCALLY = """\
To grade this lab, save it and run in the course's folder:
  pytest --nbval-lax labs/{lab}.ipynb"""
NO_NBVAL = "Grading needs nbval. Run  %pip install nbval  in a new cell, then this cell again."
BY_HAND = """\
Colab did not hand over the open notebook ({why}). Grade it by hand instead:
  1. File → Download → Download .ipynb
  2. Either upload the file here (folder symbol on the left) and run in a new cell:
       !PYTHONPATH={root} {python} -m checks "/content/{lab}.ipynb"
     or, with the course on your own machine, in its folder:
       python -m checks ~/Downloads/{lab}.ipynb
If large outputs are the reason: Edit → Clear all outputs, and run this cell again."""


def grade() -> None:
    """Grade the open notebook in Colab; elsewhere say which command does it.

    Does nothing while the notebook is being graded, else grading would start itself again.
    """
    if os.environ.get("LLAMA_LAB_GRADING"):
        return
    lab = _lab(sys._getframe(1).f_globals)
    try:
        from google.colab import _message
    except ImportError:
        print(LOCALLY.format(lab=lab))
        return
    if find_spec("nbval") is None:
        print(NO_NBVAL)
        return
    try:
        notebook = _message.blocking_request("get_ipynb", timeout_sec=PATIENCE)["ipynb"]
        content = json.dumps(dict(notebook))
    except Exception as error:
        silent = isinstance(error, TypeError)  # it answers None when the time is up
        why = "no answer in time" if silent else f"{type(error).__name__}: {error}"
        print(BY_HAND.format(why=why, root=ROOT, python=sys.executable, lab=lab))
        return
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / _file_name(notebook, lab)
        file.write_text(content, "utf-8")
        print("Running your notebook from the top in a fresh kernel. This takes a little while.")
        _run(file)


def _run(file: Path) -> None:
    """Run `python -m checks` and pass on what it prints, line by line."""
    path = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
    environment = os.environ | {"PYTHONPATH": path, "PYTHONIOENCODING": "utf-8"}
    command = [sys.executable, "-m", "checks", file.name]
    process = subprocess.Popen(
        command,
        cwd=file.parent,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
    )
    try:
        for line in process.stdout or []:
            print(line, end="", flush=True)
        process.wait()
    finally:
        process.kill()  # when the learner interrupts


def _lab(names: Mapping[str, Any]) -> str:
    """Tell the lab from the notebook's own `check`: `checks.rope` belongs to `03_rope`."""
    from checks.grading.audit import known_labs

    module = getattr(names.get("check"), "__name__", "").removeprefix("checks.")
    return next((lab.name for lab in known_labs().values() if lab.module == module), "NN_name")


def _file_name(notebook: Mapping[str, Any], lab: str) -> str:
    """Name the copy as Colab does, so that the table speaks of the learner's own notebook."""
    name = str(notebook.get("metadata", {}).get("colab", {}).get("name", ""))
    name = re.sub(r"[^\w .()-]", "_", name).strip(". ") or lab
    return name if name.endswith(".ipynb") else f"{name}.ipynb"
