"""An error as its reader needs it: what happened, and in which line of theirs."""

from __future__ import annotations

import traceback
from pathlib import Path

COURSE = Path(__file__).resolve().parents[1]
OURS = tuple(str(COURSE / folder) for folder in ("plots", "checks", "assets"))


def blame(error: BaseException) -> str:
    """The error's name and message, its notes, and the last line of the learner's that led to it.

    >>> def thirds(x): return x / 0
    >>> try: thirds(1)
    ... except ZeroDivisionError as error: print(blame(error).splitlines()[0])
    ZeroDivisionError: division by zero
    """
    lines = [f"{type(error).__name__}: {error}".rstrip(": ")]
    theirs = [frame for frame in traceback.extract_tb(error.__traceback__) if _is_theirs(frame)]
    if theirs:
        last = theirs[-1]
        lines.append(f"in {last.name}, line {last.lineno} of its cell: {(last.line or '').strip()}")
    return "\n".join([*lines, *getattr(error, "__notes__", [])])


def _is_theirs(frame: traceback.FrameSummary) -> bool:
    """Written by the learner: neither the course's nor an installed package's."""
    return not frame.filename.startswith(OURS) and "site-packages" not in frame.filename
