"""What is known so far: a line for each submission, written and flushed when it is known.

`journal.jsonl` grows while a class is graded; a run that was killed goes on behind its last whole
line. `results.jsonl` is the same in a fixed order, written at the end, as a whole.
"""

import json
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from checks.grading import target

JOURNAL, RESULTS = "journal.jsonl", "results.jsonl"
Key = tuple[str, str, str]


class Other(ValueError):
    """A folder holds the grades of another run; says which."""


class Journal:
    """The lines of one run, in a folder."""

    def __init__(self, folder: Path, head: dict[str, Any]) -> None:
        """Open it, and read what an earlier run of the same kind has found out already."""
        self.path, self.lines = folder / JOURNAL, {}  # type: Path, dict[Key, dict[str, Any]]
        known, whole = _read(self.path)
        if known:
            for name in ("course", "sandbox", "strict", "seed"):
                if head.get(name) is not None and known[0].get(name) != head[name]:
                    raise Other(
                        f"{folder} holds grades with another {name} ({known[0].get(name)!r}, now "
                        f"{head[name]!r}). Name another folder"
                    )
            self.head = known[0]
            self.lines = {key_of(line): line for line in known[1:]}
        else:
            self.head = head
        self._file = self.path.open("r+b" if known else "wb")
        self._file.truncate(whole if known else 0)
        self._file.seek(0, os.SEEK_END)
        if not known:
            self._write(head)

    def add(self, line: dict[str, Any]) -> None:
        """Write one more line, and make sure that it stays."""
        if key_of(line) not in self.lines:
            self.lines[key_of(line)] = line
            self._write(line)

    def close(self) -> None:
        """Write no more."""
        self._file.close()

    def _write(self, line: dict[str, Any]) -> None:
        self._file.write(_dumped(line).encode() + b"\n")
        self._file.flush()
        os.fsync(self._file.fileno())


def key_of(line: dict[str, Any]) -> Key:
    """What tells a submission from all others."""
    return line["learner"], line["file"], line["sha256"]


def in_order(lines: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """The lines in the order in which they are handed out."""
    return sorted(
        lines, key=lambda one: (one["learner"], one["lab"], one["when"], one["again"], one["file"])
    )


def write_results(folder: Path, head: dict[str, Any], lines: list[dict[str, Any]]) -> str:
    """Write all in order; return why that was not possible, or ""."""
    text = "".join(_dumped(one) + "\n" for one in [head, *lines])
    return target.write(folder / RESULTS, text)


def merged(folders: list[Path]) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """The head and the lines of several shards, as if one run had graded all."""
    head: dict[str, Any] = {}
    lines: dict[Key, dict[str, Any]] = {}
    for folder in folders:
        known, _ = _read(folder / RESULTS)
        if not known:
            raise Other(f"{folder} has no {RESULTS}: is its shard finished?")
        if head and known[0] != head:
            differ = [name for name in head if head[name] != known[0].get(name)]
            raise Other(f"{folder} was graded with another {differ[0]} than {folders[0]}")
        head = known[0]
        lines |= {key_of(line): line for line in known[1:]}
    return head, in_order(lines.values())


def _read(path: Path) -> tuple[list[dict[str, Any]], int]:
    """The whole lines of a file, and how many bytes they are; a torn one at the end is left out."""
    found: list[dict[str, Any]] = []
    size = 0
    try:
        with path.open("rb") as file:
            for raw in file:
                line = json.loads(raw) if raw.endswith(b"\n") else None
                if not isinstance(line, dict):
                    break
                found.append(line)
                size += len(raw)
    except (OSError, ValueError):
        pass
    return found, size


def _dumped(line: dict[str, Any]) -> str:
    return json.dumps(line, ensure_ascii=False, sort_keys=True).replace("\u2028", " ")
