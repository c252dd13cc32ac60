"""A line for a person who waits: how far it is."""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any

NOTHING = {"text/plain": "", "text/html": ""}  # what a display shows that is to vanish


def shell() -> Any:
    """IPython's shell, where there is one; IPython is never imported for it."""
    ipython = sys.modules.get("IPython")
    return ipython.get_ipython() if ipython else None


def person_is_present() -> bool:
    """Whether somebody sits at the notebook: a batch run cannot be asked for input."""
    return bool(getattr(getattr(shell(), "kernel", None), "_allow_stdin", False))


@contextlib.contextmanager
def note(after: float = 0.0, every: float = 0.0) -> Iterator[Callable[[str], None]]:
    """A line that may be told anew, "page 12 of 64 …"; it goes away at the end, however that comes.

    after: seconds before which nothing is shown. every: seconds that each text stays at least.
    A batch run gets none, so that its outputs do not depend on the machine's speed.
    """
    handle, due = None, time.monotonic() + after

    def tell(text: str) -> None:
        nonlocal handle, due
        if time.monotonic() < due or not person_is_present():
            return
        from IPython.display import display

        due = time.monotonic() + every
        if handle:
            handle.update({"text/plain": text}, raw=True)
        else:
            handle = display({"text/plain": text}, raw=True, display_id=True)

    try:
        yield tell
    finally:
        if handle:
            handle.update(NOTHING, raw=True)
