"""A place of its own for each notebook: a home, a working folder, a copy of the course.

What a notebook writes, it writes here, and here goes when it ends. The copy is written from the
memory of the grader, which read the course before the first notebook ran: what one notebook spoils,
the next one never sees.
"""

import contextlib
import functools
import os
import shutil
import site
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.util import cache_from_source, find_spec
from pathlib import Path

from checks.grading.audit import ROOT

PARTS = ("checks", "plots", "assets", "solutions/my_llama")  # what a lab needs of the course
GATED = "solutions/my_llama/"  # what must not be handed in as one's own
GATE = "\n\nfrom checks.grading.own import gate as _gate\n\n_gate(globals())\n"
SIBLINGS, SIBLING_BYTES = 100, 8_000_000  # files beside the notebook that come along: data, helpers
NOT_SIBLINGS = {".ipynb", ".ini", ".toml", ".cfg", ".pyc"}
DROPPED = ("CHECKS_SEED", "PYTHONSTARTUP", "PYTHONDONTWRITEBYTECODE", "PYTHONINSPECT", "PYTHONPATH")
COMPILED = f".{sys.implementation.cache_tag}.pyc"


@dataclass(frozen=True)
class File:
    """One file of the course, as it was when the grading began."""

    path: str  # relative to the course
    content: bytes
    mode: int
    changed: int  # nanoseconds, as Python's caches note it


class NoPlace(RuntimeError):
    """There is no room for a notebook to run in; says what to do."""


class Place:
    """The folders of one notebook, and the environment in which its kernel finds them."""

    def __init__(self) -> None:
        """Make the folders; what lies in them, `bring` writes while the kernel starts."""
        with self._room():
            self.folder = Path(tempfile.mkdtemp(prefix="llama-lab-")).resolve()
            self.home, self.temporary = self.folder / "home", self.folder / "tmp"
            self.course = self.folder / "course"
            self.work = self.course / "labs"
            for folder in (self.home, self.temporary, self.work):
                folder.mkdir(parents=True)
            _share_fonts(self.home)

    def bring(self, notebook: Path | None = None) -> None:
        """Write the copy of the course, and copy files beside `notebook`, but no other notebook.

        Hundreds of files, which takes most of a second.
        """
        with self._room():
            _write(course(), self.course)
            if notebook is not None:
                _bring_siblings(notebook, self.work)

    @contextlib.contextmanager
    def _room(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            self.remove()
            raise NoPlace(
                f"no notebook can run: {tempfile.gettempdir()} cannot be written to "
                f"({error.strerror}). Make room there, or set TMPDIR to another folder"
            ) from None

    def environment(self) -> dict[str, str]:
        """The grader's environment, but nothing in it leads out of here."""
        kept = {key: value for key, value in os.environ.items() if key not in DROPPED}
        home = str(self.home)
        kept |= {
            "HOME": home,
            "USERPROFILE": home,
            "IPYTHONDIR": str(self.home / ".ipython"),
            "JUPYTER_CONFIG_DIR": str(self.home / ".jupyter"),
            "XDG_CONFIG_HOME": str(self.home / ".config"),
            "XDG_CACHE_HOME": str(self.home / ".cache"),
            "XDG_DATA_HOME": str(self.home / ".local/share"),
            "MPLCONFIGDIR": str(self.home / ".config/matplotlib"),
            "PYTHONPATH": str(self.course),
            "PYTHONSAFEPATH": "1",
            "LLAMA_LAB_GRADING": "1",
        }
        kept |= dict.fromkeys(("TMPDIR", "TEMP", "TMP"), str(self.temporary))
        if site.ENABLE_USER_SITE:  # what was installed with --user lies in the real home
            kept["PYTHONUSERBASE"] = site.getuserbase()
        return kept

    def remove(self) -> None:
        """Take the folders away, also those that the notebook closed."""
        folder = getattr(self, "folder", None)
        if folder is None or not folder.exists():
            return
        shutil.rmtree(folder, ignore_errors=True)
        if folder.exists():
            for path, folders, _ in os.walk(folder):
                for name in folders:
                    if not (entry := Path(path, name)).is_symlink():
                        entry.chmod(0o700)
            shutil.rmtree(folder, ignore_errors=True)


@functools.cache
def course() -> tuple[File, ...]:
    """Every file that a lab needs, read once, before the first notebook can touch one."""
    found = []
    for part in PARTS:
        for path in sorted((ROOT / part).rglob("*")):
            in_cache = path.parent.name == "__pycache__"
            if path.is_file() and (not in_cache or path.name.endswith(COMPILED)):
                facts, name = path.stat(), path.relative_to(ROOT).as_posix()
                gated = name.startswith(GATED) and path.suffix in (".py", ".pyc")
                if gated and in_cache:
                    continue
                content = path.read_bytes()
                found.append(
                    File(
                        name,
                        content + GATE.encode() if gated else content,
                        facts.st_mode,
                        facts.st_mtime_ns,
                    )
                )
    return tuple(found)


def changed() -> list[str]:
    """The files of the course that are not any more what they were when the grading began."""
    names = []
    for file in course():
        try:
            facts = (ROOT / file.path).stat()
        except OSError:
            names.append(file.path)
            continue
        if not file.path.endswith(".pyc") and facts.st_mtime_ns != file.changed:
            names.append(file.path)
    return names


@functools.cache
def warm() -> None:
    """Let Python compile torch once where nobody has yet: kernels may not write beside it."""
    spec = find_spec("torch")
    if spec is None or not spec.origin or sys.dont_write_bytecode:
        return
    if not Path(cache_from_source(spec.origin)).exists():
        modules = "torch, matplotlib.figure, matplotlib.backends.backend_agg, ipykernel.kernelapp"
        command = [sys.executable, "-P", "-c", f"import {modules}"]
        subprocess.run(command, capture_output=True, check=False)


def _write(files: tuple[File, ...], folder: Path) -> None:
    for made in sorted({(folder / file.path).parent for file in files}):
        made.mkdir(parents=True, exist_ok=True)
    for file in files:
        target = folder / file.path
        target.write_bytes(file.content)
        os.utime(target, ns=(file.changed, file.changed))


def _share_fonts(home: Path) -> None:
    """Give it a copy of matplotlib's list of fonts, which costs seconds to make."""
    before = os.environ.get("MPLCONFIGDIR") or os.environ.get("XDG_CACHE_HOME")
    cache = Path(before or Path.home() / ".cache")
    config = home / ".config/matplotlib"
    config.mkdir(parents=True)
    for found in [*cache.glob("fontlist-*.json"), *cache.glob("matplotlib/fontlist-*.json")]:
        shutil.copyfile(found, config / found.name)


def _bring_siblings(notebook: Path, work: Path) -> None:
    """Copy the small files that lie beside a notebook: a text that it reads, its own module."""
    room, count = SIBLING_BYTES, 0
    for path in sorted(notebook.parent.iterdir()):
        hidden = path.name.startswith((".", "_")) or path.name == "conftest.py"
        if hidden or path.suffix.lower() in NOT_SIBLINGS or not path.is_file():
            continue
        size = path.stat().st_size
        if size <= room and count < SIBLINGS and os.access(path, os.R_OK):
            shutil.copyfile(path, work / path.name)
            room, count = room - size, count + 1
