"""Know when a solution notebook has to be run again: a digest of what its outputs depend on."""

from __future__ import annotations

import ast
import hashlib
import re
from collections.abc import Iterator
from pathlib import Path

from tools.setup_cell import TEMPLATE
from tools.source import Lab, sources

KINDS = {".py", ".js", ".css"}
# Lists of mistakes are looked at when an answer is wrong; a worked notebook has none.
UNUSED = re.compile(r"_wrong\.py$")
NOT_RUN = {"__main__.py", "grade", "grading"}  # parts of checks/ that no cell of a notebook runs


def digest(lab: Lab, root: Path) -> str:
    """The fingerprint; the lab's prose, links and address are not among what it is made of."""
    setup = lab.cell("setup")
    code = [cell.solved for cell in lab.cells if cell.kind == "code" and cell is not setup]
    parts = [TEMPLATE, *code]
    for path in sorted(dependencies(lab, root)):
        parts += [path.relative_to(root).as_posix(), path.read_text(encoding="utf-8")]
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:16]


def dependencies(lab: Lab, root: Path) -> Iterator[Path]:
    """The lab's modules, what all labs share, and the worked pieces that the lab imports."""
    names = [path.stem[3:] for path in sources(root)]
    for folder in (root / "checks", root / "plots"):
        for path in folder.rglob("*"):
            parts = path.relative_to(folder).parts
            hidden = any(part.startswith(".") for part in parts)
            if folder.name == "checks":
                of = parts[0] if parts[0] in names else ""
            else:
                of = owner(path.stem, names)
            if (
                path.suffix in KINDS
                and not UNUSED.search(path.name)
                and of in (lab.name, "")
                and not (hidden or NOT_RUN & set(parts))
            ):
                yield path
    code = [cell.solved for cell in lab.cells if cell.kind == "code"]
    yield from worked_pieces({name for source in code for name in imported(source)}, root)


def owner(stem: str, names: list[str]) -> str:
    """The lab of a picture's module like real_weights_chat.py, or "" for what all share."""
    return max((n for n in names if stem == n or stem.startswith(f"{n}_")), key=len, default="")


def imported(source: str) -> set[str]:
    """The names that this source takes from my_llama, or inside of it from another module."""
    nodes = [node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.ImportFrom)]
    own = [node for node in nodes if node.module == "my_llama" or node.level]
    return {alias.name for node in own for alias in node.names}


def worked_pieces(names: set[str], root: Path) -> set[Path]:
    """The worked modules that define these pieces, and those that they in turn import from."""
    folder = root / "solutions" / "my_llama"
    modules = {path: path.read_text(encoding="utf-8") for path in folder.glob("[!_]*.py")}
    waiting, found = set(names), set()
    while waiting:
        definition = re.compile(rf"^(def|class) {waiting.pop()}\b", re.MULTILINE)
        for path, text in modules.items():
            if path not in found and definition.search(text):
                found.add(path)
                waiting |= imported(text)
    return found
