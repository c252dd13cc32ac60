"""What a person's checks found, kept beside their pieces in `my_llama/progress.json`.

A pass stays a pass, and a right answer right: who breaks a function afterwards, to see what
happens, loses nothing. The newest result is kept beside it. Only the standard library is used here,
and nothing that goes wrong while writing ever reaches the check.
"""

from __future__ import annotations

import contextlib
import json
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from checks.engine.report import Report

FILE = "progress.json"

_folder: Path | None = None  # the learner's package; while it is None nothing is recorded


def keep_in(folder: Path | None) -> None:
    """Say where the learner's package lies, or None where nobody's progress is to be kept."""
    global _folder
    _folder = folder


def keep(report: Report) -> None:
    """Add one result to the record; an exercise that is still to do leaves no trace."""
    if _folder is None or os.environ.get("LLAMA_LAB_GRADING") or report.result == "todo":
        return
    with contextlib.suppress(Exception):  # a full disk, a folder that is gone: no reason to fail
        records = read(_folder)
        records[report.exercise] = _after(records.get(report.exercise, {}), report)
        _write(_folder / FILE, records)


def read(folder: Path) -> dict[str, dict[str, Any]]:
    """The record of each exercise, "2.3" → name, result, mistake, tries, when passed or right.

    Its `met` has the mistakes of all tries: key → the sentence that the learner read.

    A file that is missing or damaged is an empty record.
    """
    try:
        found = json.loads((folder / FILE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    if not isinstance(found, dict):
        return {}
    return {exercise: entry for exercise, entry in found.items() if isinstance(entry, dict)}


def _after(before: dict[str, Any], report: Report) -> dict[str, Any]:
    """One exercise's entry after another check of it."""
    if before.get("name") != report.name:
        before = {}  # the course has renumbered its exercises: that was another one
    tries = before.get("tries", 0)
    entry: dict[str, Any] = {
        "name": report.name,
        "result": report.result,
        "mistake": report.mistake,
        "tries": 1 + (tries if isinstance(tries, int) else 0),
    }
    known = before.get("met")
    met = known if isinstance(known, dict) else {}
    if met := met | {mistake.key: mistake.says for mistake in report.mistakes}:
        entry["met"] = met
    for good in ("passed", "right"):
        if report.result == good or before.get(good):
            entry[good] = before.get(good) or datetime.now(UTC).isoformat(timespec="seconds")
    return entry


def _write(path: Path, records: dict[str, dict[str, Any]]) -> None:
    """Replace the file as a whole, so that nobody ever reads half of it."""
    unfinished = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        text = json.dumps(records, ensure_ascii=False, indent=1, sort_keys=True)
        unfinished.write_text(text + "\n", encoding="utf-8")
        unfinished.replace(path)
    finally:
        unfinished.unlink(missing_ok=True)
