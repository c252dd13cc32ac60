"""What the tests know of the course: its labs, found by their files."""

import importlib
from pathlib import Path
from types import ModuleType

ROOT = Path(__file__).resolve().parents[1]
STEMS = sorted(path.stem for path in (ROOT / "solutions").glob("[0-9][0-9]_*.py"))
NAMES = {stem.split("_", 1)[1]: stem for stem in STEMS}


def module(column: str, name: str) -> ModuleType:
    """Import one module of a lab: `module("checks", "rope")`."""
    return importlib.import_module(f"{column}.{name}")
