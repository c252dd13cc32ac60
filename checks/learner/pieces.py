"""`my_llama`, the learner's own package: save finished pieces into it, and find pieces in it.

A piece that is not there yet is taken from `solutions/my_llama`, with a line that says so.
Kernels that grade (LLAMA_LAB_GRADING=1) get the worked pieces only, so that no lab's grade depends
on another lab's answers.
"""

from __future__ import annotations

import importlib
import importlib.util
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

from checks import front_end
from checks.engine import exercises_of
from checks.learner import piece_saving, progress_file
from checks.learner.piece_source import pieces_in

ROOT = Path(__file__).resolve().parents[2]
SOLUTIONS = ROOT / "solutions"
PACKAGE, WORKED = "my_llama", "my_llama_worked"
INIT = '''"""Your own Llama: what you wrote and what passed its check, one module for each lab.

The last cell of a lab writes here. A piece that is not here yet is taken from solutions/my_llama.
"""

import sys
from pathlib import Path

if (course := str(Path(__file__).resolve().parents[2])) not in sys.path:
    sys.path.append(course)

from checks.pieces import resolve as __getattr__  # called for every import
'''

_folder = ROOT / "labs"  # where my_llama lies; open_package changes it
_loaded: dict[Path, tuple[tuple[int, int], ModuleType]] = {}
_noticed: set[str] = set()


def open_package(folder: Path | str) -> None:
    """Make `from my_llama import …` work in this kernel, with the package in `folder`."""
    global _folder
    _folder = Path(folder).resolve()
    if grading():
        _folder = SOLUTIONS
    elif not (_folder / PACKAGE / "__init__.py").exists():
        try:
            (_folder / PACKAGE).mkdir(parents=True, exist_ok=True)
            (_folder / PACKAGE / "__init__.py").write_text(INIT, encoding="utf-8")
        except OSError as error:
            print(f"{_folder} cannot be written to ({error.strerror}): the worked pieces are used.")
            _folder = SOLUTIONS
    if progress_file.keep not in front_end.listeners:
        front_end.listeners.append(progress_file.keep)
    progress_file.keep_in(None if _folder == SOLUTIONS else _folder / PACKAGE)
    sys.path[:] = [str(_folder), *(path for path in sys.path if path != str(_folder))]
    importlib.invalidate_caches()
    package = sys.modules.get(PACKAGE)
    if package and Path(package.__file__ or "").resolve().parents[1] != _folder:
        for name in [name for name in sys.modules if name.split(".")[0] == PACKAGE]:
            del sys.modules[name]


def resolve(name: str) -> Any:
    """The piece called `name`: the learner's own, or else the worked one and a notice."""
    if name.startswith("__"):
        raise AttributeError(name)
    reason = "is not saved yet"
    for path in sorted((_folder / PACKAGE).glob("[!_.]*.py")):
        if name in pieces_in(path.read_text(encoding="utf-8")):
            try:
                return getattr(_own_module(path), name)
            except Exception as error:  # whatever a file that was edited by hand may raise
                reason = f"fails in {PACKAGE}/{path.name} ({type(error).__name__}: {error})"
    piece = getattr(_worked_package(), name, None)
    if piece is None or isinstance(piece, ModuleType):
        raise AttributeError(f"no lab of this course writes a piece called {name}")
    if name not in _noticed:
        _noticed.add(name)
        print(f"{name}: yours {reason}, so the worked one from {_lab_of(piece)} stands in.")
    return piece


def tried(check_module: ModuleType, namespace: Mapping[str, Any]) -> SimpleNamespace:
    """This lab's pieces, by their names: the notebook's own where they pass, else the worked ones.

    Right in technique (◐) is enough. Where a worked piece stands in, a line says so.
    """
    found = {}
    for check in exercises_of(check_module):
        found[check.name] = getattr(_worked_package(), check.name)
        if uses_worked():
            continue
        result = check.run(namespace[check.name]).result if check.name in namespace else "todo"
        if result in ("passed", "right"):
            found[check.name] = namespace[check.name]
            _noticed.discard(check.name)
        else:
            _noticed.add(check.name)
            reason = "is not written yet" if result == "todo" else "does not pass its check"
            print(f"{check.name}: yours {reason}, so the worked one stands in.")
    return SimpleNamespace(**found)


def stand_ins() -> list[str]:
    """The worked pieces that have stood in for the learner's in this kernel."""
    return sorted(_noticed)


def save(check_module: ModuleType) -> None:
    """Save this lab's finished exercises to `my_llama` and show which ones were saved."""
    shell = front_end.shell()
    if grading() or shell is None:
        return
    name = check_module.__name__.rpartition(".")[2]
    if _folder == SOLUTIONS:
        print(f"solutions/{PACKAGE}/{name}.py has these pieces. In labs/, this cell saves yours.")
        return
    importlib.import_module(PACKAGE)
    path = _folder / PACKAGE / f"{name}.py"
    rows = piece_saving.save(check_module, path, list(shell.user_ns.get("In", [])))
    piece_saving.show(path, rows)


def grading() -> bool:
    """True in a kernel that grades."""
    return bool(os.environ.get("LLAMA_LAB_GRADING"))


def folder() -> Path:
    """The folder of `my_llama`, the learner's or the worked one."""
    return _folder / PACKAGE


def uses_worked() -> bool:
    """True where the worked pieces are used: in the worked notebooks, and where a kernel grades."""
    return grading() or _folder == SOLUTIONS


def _own_module(path: Path) -> ModuleType:
    """The module as its file stands now; not an attribute of the package, as pieces are."""
    stamp = (path.stat().st_mtime_ns, path.stat().st_size)
    if path not in _loaded or _loaded[path][0] != stamp:
        _loaded[path] = (stamp, piece_saving.load(path, f"{PACKAGE}.{path.stem}"))
    return _loaded[path][1]


def _worked_package() -> ModuleType:
    if WORKED not in sys.modules:
        init = SOLUTIONS / PACKAGE / "__init__.py"
        if not init.is_file():
            raise AttributeError(f"solutions/{PACKAGE} is missing: `make labs` writes it")
        piece_saving.load(init, WORKED, package=True)
    return sys.modules[WORKED]


def _lab_of(piece: Any) -> str:
    module = getattr(piece, "__module__", "").rpartition(".")[2]
    return next(
        (f"lab {path.stem}" for path in ROOT.glob(f"labs/[0-9][0-9]_{module}.ipynb")), "solutions/"
    )
