"""Who looks at this kernel? The front end, asked in one place: its shell, a person, a display."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

listeners: list[Callable[[Any], None]] = []  # are told what a person's check found, its report


def shell() -> Any:
    """The running IPython, or None where there is none."""
    ipython = sys.modules.get("IPython")
    return ipython.get_ipython() if ipython else None


def in_colab() -> bool:
    """Tell whether this kernel is Colab's."""
    return "google.colab" in sys.modules


def person_present() -> bool:
    """Tell whether somebody sits in front of this kernel: only then does the front end allow stdin.

    nbval, nbclient and nbconvert run cells with `allow_stdin=False`. In doubt: nobody.
    """
    return getattr(getattr(shell(), "kernel", None), "_allow_stdin", False) is True


def show(bundle: dict[str, Any]) -> bool:
    """Display a mime bundle in a notebook, or print its text; tell whether HTML could be shown."""
    here = shell()
    if here is None:
        print(bundle["text/plain"])
        return False
    from IPython.display import display

    display(bundle, raw=True)
    return hasattr(here, "kernel")


def next_cell(source: str) -> None:
    """Put a cell with this source below the one that runs, where the front end can do that."""
    here = shell()
    if here is not None:
        here.set_next_input(source, replace=False)
