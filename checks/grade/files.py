"""The files of one folder that both sides have: a change on one side arrives with the next message.

The grader's is where its probes write (checks/engine/scratch.py), and those go along whose paths
are handed over. The worker's is its own, and goes along whole. A path into it names the same file
on both sides. Of what comes the grader reads no more than bytes.
"""

import base64
import re
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from checks.grade.wire import Broken, TooLarge

LARGEST_FILE, MOST_BYTES, MOST = 16_000_000, 64_000_000, 64  # of one file, of all; how many
SETTLED = 1_000_000_000  # nanoseconds after which a file with the same look is the same
NAME = re.compile(r"[\w-][\w.-]*(/[\w-][\w.-]*){0,3}")

Look = tuple[int, int, int]  # when it was written, its size, which one


class Files:
    """One side of it. `roots` holds the folder, once there is one; whole: all that lies in it."""

    def __init__(self, roots: list[Path], whole: bool) -> None:
        self._roots, self._whole = roots, whole
        self._known: dict[str, tuple[Look, bytes]] = {}
        self._spoken: set[str] = set()
        self._theirs: set[str] = set()

    def forget(self) -> None:
        """Forget all: what comes is another exercise's."""
        for name in self._theirs:
            self.path(name).unlink(missing_ok=True)
        self._known.clear()
        self._spoken.clear()
        self._theirs.clear()
        if self._whole and self._roots:
            shutil.rmtree(self._roots[0], ignore_errors=True)

    def changes(self) -> list[list[Any]]:
        """[name, content, whether it is another file] of what is new or changed.

        [name, None, True] of what is gone.
        """
        if not self._roots:
            return []
        found: list[list[Any]] = []
        there = {name: path for name, path in self._looked_at() if _is_plain(path)}
        if len(there) > MOST:
            raise TooLarge(f"more than {MOST} files")
        for name, path in there.items():
            look, known = _look(path), self._known.get(name)
            if known and known[0] == look and time.time_ns() - look[0] > SETTLED:
                continue
            if look[1] > LARGEST_FILE:
                raise TooLarge(f"a file of more than {LARGEST_FILE // 10**6} MB")
            content = path.read_bytes()
            other = known is None or known[0][2] != look[2]
            if known is None or known[1] != content or other:
                found.append([name, base64.b64encode(content).decode(), other])
                self._theirs.discard(name)
            self._known[name] = look, content
        for name in self._known.keys() - there.keys():
            del self._known[name]
            self._theirs.discard(name)
            found.append([name, None, True])
        return found

    def _looked_at(self) -> Iterator[tuple[str, Path]]:
        if self._whole:
            for path in self._roots[0].rglob("*"):
                yield path.relative_to(self._roots[0]).as_posix(), path
        else:
            for name in self._spoken | self._known.keys():
                yield name, self._roots[0] / name

    def take(self, said: Any) -> None:
        """Write and remove what was written and removed there."""
        for name, content, other in said:
            path = self.path(name)
            if content is None:
                path.unlink(missing_ok=True)
                self._known.pop(name, None)
                self._theirs.discard(name)
                continue
            if len(self._known) >= MOST and name not in self._known:
                raise Broken(f"more than {MOST} files")
            written = base64.b64decode(content)
            held = sum(len(known) for _, known in self._known.values())
            if len(written) > LARGEST_FILE or held + len(written) > MOST_BYTES:
                raise Broken("files that are too large")
            if other and path.exists():  # one that takes its place, as it did there
                new = path.with_name(f".{path.name}")  # no name that comes from there
                new.write_bytes(written)
                new.replace(path)
            else:
                path.write_bytes(written)
            self._known[name] = _look(path), written
            self._theirs.add(name)

    def path(self, name: Any) -> Path:
        """Where a file of this name lies here; its folder is made."""
        if not (isinstance(name, str) and len(name) < 200 and NAME.fullmatch(name)):
            raise Broken("a file that is none")
        if not self._roots:
            raise Broken("a file where there is no folder")
        path = self._roots[0] / name
        path.parent.mkdir(parents=True, exist_ok=True)
        return path

    def name(self, path: Any) -> str | None:
        """The name of a path or text into the folder, which is spoken of; None for all others."""
        root = f"{self._roots[0]}/" if self._roots else None
        if root is None or not (text := str(path)).startswith(root):
            return None
        name = text.removeprefix(root)
        if not NAME.fullmatch(name):
            return None
        self._spoken.add(name)
        return name

    def is_theirs(self, path: Path) -> bool:
        """Whether the other side wrote what lies there now."""
        return self.name(path) in self._theirs


def _is_plain(path: Path) -> bool:
    return path.is_file() and not path.is_symlink()


def _look(path: Path) -> Look:
    state = path.stat()
    return state.st_mtime_ns, state.st_size, state.st_ino
