"""What the course consists of, without torch: which labs there are, and which exercises they have.

Everything is found, not listed: a lab by its source in `solutions/` or its notebook in `labs/`, an
exercise by the first line of its cell.
"""

from __future__ import annotations

import json
import os
import re
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
EVIDENCE = "application/vnd.llama-lab.check+json"  # the mime type that graders look for
# Points for each weight of an exercise: all of them, and those for an answer that is only right.
FULL, RIGHT = 4, 3
STEM = re.compile(r"\d\d_\w+")
EXERCISE = re.compile(r"^# EXERCISE (\d+\.\d+) · (\w+)[ \t]*$", re.MULTILINE)


@dataclass(frozen=True)
class Lab:
    """One lab: "03_rope", its title, and number → name of its exercises, in their order."""

    stem: str
    title: str
    exercises: dict[str, str]

    @property
    def module(self) -> str:
        """The name of its checks and its pieces: "rope"."""
        return self.stem[3:]


def strict() -> bool:
    """Tell whether an answer has to be ready for a real model to count at all."""
    return os.environ.get("LLAMA_LAB_STRICT", "0") not in ("", "0")


def labs(root: Path = ROOT) -> list[Lab]:
    """All labs in order; one whose file cannot be read has no exercises."""
    files = {path.stem: path for path in root.glob("labs/*.ipynb")}
    files |= {path.stem: path for path in root.glob("solutions/*.py")}
    return [lab_in(files[stem]) for stem in sorted(files) if STEM.fullmatch(stem)]


def stub_of(exercise: str, root: Path = ROOT) -> str:
    """The cell of one exercise as a learner first finds it; LookupError where there is none."""
    for path in sorted(root.glob("labs/[0-9][0-9]_*.ipynb")):
        for _, source in _cells(path):
            found = EXERCISE.match(source)
            if found and found[1] == exercise:
                return source
    raise LookupError(f"no notebook in labs/ has the exercise {exercise}")


def lab_in(path: Path) -> Lab:
    """The lab in one file, its source or its notebook."""
    try:
        text = text_of(path)
    except (OSError, ValueError, KeyError, TypeError):
        return Lab(path.stem, path.stem, {})
    title = re.search(r"^# # (.+)$", text, re.MULTILINE)
    numbered = {match[1]: match[2] for match in EXERCISE.finditer(text)}
    return Lab(path.stem, title[1].strip() if title else path.stem, numbered)


def text_of(path: Path) -> str:
    """A lab as one text: its source, or its notebook's cells in the form of the source."""
    text = path.read_text(encoding="utf-8")
    if path.suffix != ".ipynb":
        return text
    return "\n".join(f"# {s}" if kind == "markdown" else s for kind, s in _cells(path))


def _cells(path: Path) -> list[tuple[str, str]]:
    """Kind and source of each cell of a notebook."""
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    sources = [(cell["cell_type"], cell["source"]) for cell in cells]
    return [(kind, s if isinstance(s, str) else "".join(s)) for kind, s in sources]
