"""What was handed in: notebooks in folders and zips, as Moodle, Canvas, nbgrader and people do it.

Nothing is unpacked: a file in a zip is read where it lies. Of each notebook only who wrote it and
where it is are kept, so that a class of any size fits into memory.
"""

import os
import re
import time
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, replace
from io import BytesIO
from pathlib import Path, PurePosixPath

LARGEST = 64_000_000  # bytes of one notebook in a zip, and of a zip in a zip
MOST = 100_000  # entries of one zip
SKIPPED = {"__MACOSX", ".ipynb_checkpoints", "node_modules", ".git"}
# "Ada Lovelace_123456_assignsubmission_file_": a folder, or the beginning of a file's name.
MOODLE = re.compile(r"^(?P<name>.+?)_(?P<id>\d+)_assignsubmission_\w+?_(?P<rest>.*)$")
# "lovelaceada_LATE_12345_678910_03_rope-2.ipynb": name, its id, the upload's, the file's own name.
CANVAS = re.compile(r"^(?P<name>[^_]+)_(?:LATE_)?(?P<id>\d+)_(?P<upload>\d+)_(?P<rest>.+)$")
LAB = re.compile(r"(?<!\d)\d\d_[a-z]\w*", re.IGNORECASE)
AGAIN = re.compile(r"[-_ ]\(?(\d{1,3})\)?$")


class NothingThere(ValueError):
    """There are no submissions; says why."""


@dataclass(frozen=True)
class Submission:
    """One file that somebody handed in: whose it is, where it lies, and which try it is."""

    learner: str
    ident: str  # what a learning platform calls them, if it does
    path: str
    inside: tuple[str, ...]  # the names in a zip, and in a zip in that
    when: float  # seconds, by the file's own clock
    again: int  # of a platform's numbering: 0 for the first try
    shown: str = ""  # the path, from what was named on

    @property
    def place(self) -> str:
        """Where it lies, for people; the same wherever the class's folder lies."""
        return " › ".join((self.shown, *self.inside))

    @property
    def name(self) -> str:
        """The file's own name."""
        return PurePosixPath(self.inside[-1] if self.inside else self.path).name

    def read(self) -> bytes:
        """The bytes of the notebook; OSError or BadZipFile when they cannot be read."""
        if not self.inside:
            return Path(self.path).read_bytes()
        with zipfile.ZipFile(self.path) as outer:
            data = _member(outer, self.inside[0])
        for name in self.inside[1:]:
            with zipfile.ZipFile(BytesIO(data)) as inner:
                data = _member(inner, name)
        return data


def find(root: Path) -> list[Submission]:
    """All notebooks beneath a folder or in a zip, in a fixed order."""
    if not root.exists():
        raise NothingThere(f"{root}: there is no such folder")
    found: list[Submission] = []
    if root.is_file():
        if root.suffix.lower() != ".zip":
            raise NothingThere(f"{root}: a folder or a zip is wanted")
        found += _in_zip(root, ())
    else:
        for path in _files(root):
            parts = path.relative_to(root).parts
            if path.suffix.lower() == ".zip":
                found += _in_zip(path, parts[:-1] or ())
            elif path.suffix.lower() == ".ipynb":
                stamp = _stamp(path.parent, path.stat().st_mtime)
                found.append(_submission(parts, str(path), (), stamp))
    if not found:
        raise NothingThere(f"{root}: there is no notebook (.ipynb) in it")
    above = root if root.is_dir() else root.parent
    shown = (replace(one, shown=Path(one.path).relative_to(above).as_posix()) for one in found)
    return sorted(shown, key=lambda one: (one.learner, one.path, one.inside))


def _files(root: Path) -> Iterator[Path]:
    """The files beneath a folder; links are not followed out of it."""
    for folder, folders, files in os.walk(root):
        folders[:] = sorted(f for f in folders if f not in SKIPPED and not f.startswith("."))
        for name in sorted(files):
            path = Path(folder, name)
            if not name.startswith(".") and path.is_file() and not path.is_symlink():
                yield path


def _in_zip(path: Path, above: tuple[str, ...]) -> Iterator[Submission]:
    try:
        with zipfile.ZipFile(path) as archive:
            for name, when in _members(archive):
                parts = (*above, *PurePosixPath(name).parts)
                if name.lower().endswith(".ipynb"):
                    yield _submission(parts, str(path), (name,), when)
                else:
                    inner = zipfile.ZipFile(BytesIO(_member(archive, name)))
                    for own, later in _members(inner):
                        if own.lower().endswith(".ipynb"):
                            whole = (
                                *parts[:-1],
                                PurePosixPath(name).stem,
                                *PurePosixPath(own).parts,
                            )
                            yield _submission(whole, str(path), (name, own), later)
    except (zipfile.BadZipFile, OSError, RuntimeError, NotImplementedError):
        parts = (*above, path.name) if above else (path.stem, path.name)
        yield _submission(parts, str(path), (), path.stat().st_mtime)


def _members(archive: zipfile.ZipFile) -> Iterator[tuple[str, float]]:
    for entry in archive.infolist()[:MOST]:
        parts = PurePosixPath(entry.filename).parts
        hidden = any(p in SKIPPED or (p.startswith(".") and p != "..") for p in parts)
        if parts and not hidden and entry.filename.lower().endswith((".ipynb", ".zip")):
            yield entry.filename, _seconds(entry.date_time)


def _member(archive: zipfile.ZipFile, name: str) -> bytes:
    if archive.getinfo(name).file_size > LARGEST:
        raise OSError(f"it is larger than {LARGEST // 1_000_000} MB")
    with archive.open(name) as file:
        data = file.read(LARGEST + 1)
    if len(data) > LARGEST:
        raise OSError(f"it is larger than {LARGEST // 1_000_000} MB")
    return data


def _submission(
    parts: tuple[str, ...], path: str, inside: tuple[str, ...], when: float
) -> Submission:
    learner, ident, again = _who(parts)
    return Submission(learner, ident, path, inside, when, again)


def _who(parts: tuple[str, ...]) -> tuple[str, str, int]:
    """Learner, their id and which try it is, from a file's folders and its name."""
    stem = PurePosixPath(parts[-1]).stem
    number = AGAIN.search(stem)
    again = int(number[1]) if number else 0
    for part in parts:
        if known := MOODLE.match(part) or (CANVAS.match(part) if part is parts[-1] else None):
            return _clean(known["name"]), known["id"], again
    if len(parts) > 1:
        first = parts[1] if parts[0] == "submitted" and len(parts) > 2 else parts[0]
        return _clean(first), "", again
    lab = LAB.search(stem)
    rest = (stem[: lab.start()] + stem[lab.end() :]) if lab else stem
    name = re.sub(r"^[\s_\-–]+|[\s_\-–]+$|\s*\(\d+\)", "", rest)
    return _clean(re.sub(r"^(Copy of|Kopie von)\b", "", name)) or stem, "", again


def _clean(name: str) -> str:
    return " ".join("".join(c if c.isprintable() else " " for c in name).split())[:200]


def _stamp(folder: Path, otherwise: float) -> float:
    """nbgrader writes down when something was handed in; a copied file's own time is another."""
    try:
        text = (folder / "timestamp.txt").read_text()[:19]
        return time.mktime(time.strptime(text, "%Y-%m-%d %H:%M:%S"))
    except (OSError, ValueError):
        return otherwise


def _seconds(when: tuple) -> float:
    try:
        return time.mktime((*when, 0, 0, -1))
    except (OverflowError, ValueError):
        return 0.0
