"""Copies of notebooks that pytest cannot take as they are: elsewhere, or with odd names."""

import json
import os
import shutil
import tempfile
from pathlib import Path
from typing import Any

VARIABLE = "LLAMA_LAB_COPIES"  # where they lie; pytest-xdist's workers read it too
ORIGINAL = "original.txt"  # beside each copy: the name that people know


class Copies:
    """A folder of copies, a folder for each, gone at the end."""

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="llama-lab-notebooks-")).resolve()
        self._count = 0
        os.environ[VARIABLE] = str(self.folder)

    def add(self, notebook: dict[str, Any], name: str) -> Path:
        """Write a notebook as `nbformat` wants it, remember what it is called, return the copy."""
        self._count += 1
        place = self.folder / f"{self._count:04}"
        place.mkdir()
        (place / ORIGINAL).write_text(name, "utf-8", errors="replace")
        copy = place / "notebook.ipynb"
        copy.write_text(json.dumps(notebook), "utf-8")
        return copy

    def remove(self) -> None:
        """Take them away."""
        os.environ.pop(VARIABLE, None)
        shutil.rmtree(self.folder, ignore_errors=True)


def original(path: Path) -> str:
    """What people call the notebook at `path`; "" when it is no copy."""
    folder = os.environ.get(VARIABLE)
    if not folder or path.parent.parent != Path(folder):
        return ""
    return (path.parent / ORIGINAL).read_text("utf-8")


def fits(path: Path) -> bool:
    """Tell whether pytest and nbval take a file of this name."""
    return path.suffix == ".ipynb" and not any(sign in str(path) for sign in ("[", "::"))
