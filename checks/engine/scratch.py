"""Files that a probe writes and an answer reads, or the other way round.

The class grader sees to it that its workers have them too (checks/grade/files.py).
"""

import functools
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

root: list[Path] = []  # where they lie, once there is one


def folder(name: str) -> Path:
    """A folder for the files of some probes; gone when the process ends."""
    made = Path(_folder().name, name)
    made.mkdir(exist_ok=True)
    return made


@functools.cache
def _folder() -> tempfile.TemporaryDirectory:
    found = tempfile.TemporaryDirectory(prefix="llama-lab-")
    root.append(Path(found.name))
    return found


def _loaded(path: Path) -> Any:
    return torch.load(path, map_location="cpu", weights_only=True)


# Reads what torch.save wrote. The class grader has its worker read what an answer wrote.
loaded: list[Callable[[Path], Any]] = [_loaded]
