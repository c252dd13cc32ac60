"""Cells that use what the learner wrote: until it is written they say so, and Run All goes on."""

import functools
import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any, TypeVar

from plots.flipbook import person_is_present

Item = TypeVar("Item")


def show(label: str, compute: Callable[[], Any]) -> None:
    """Print a label and what `compute()` returns, or which exercise is missing.

    >>> show("2 + 2", lambda: 2 + 2)
    2 + 2: 4
    """
    try:
        result = str(compute())
    except NotImplementedError as error:
        result = missing(error)
    print(f"{label}: {result}" if "\n" not in result else f"{label}:\n{result}")


def once_written(measure: Callable[..., None]) -> Callable[..., None]:
    """Let a function that prints say which exercise is missing, instead of failing."""

    @functools.wraps(measure)
    def printed(*args: Any, **kwargs: Any) -> None:
        try:
            measure(*args, **kwargs)
        except NotImplementedError as error:
            print(missing(error))

    return printed


def counted(items: Iterable[Item], what: str, seconds: float = 1.0) -> Iterator[Item]:
    """The items, and for a person who waits a note how far it is: "answer 3 of 10 …".

    A batch run gets none, so that its outputs do not depend on the machine's speed.
    """
    listed, handle, due = list(items), None, time.monotonic() + seconds
    try:
        for done, item in enumerate(listed, start=1):
            if person_is_present() and time.monotonic() >= due:
                from IPython.display import display

                due = time.monotonic() + 0.5
                note = {"text/plain": f"{what} {done} of {len(listed)} …"}
                if handle:
                    handle.update(note, raw=True)
                else:
                    handle = display(note, raw=True, display_id=True)
            yield item
    finally:  # who asks breaks off, too
        if handle:
            handle.update({"text/plain": "", "text/html": ""}, raw=True)


def missing(error: NotImplementedError) -> str:
    """What stands in the place of a result: which exercise is not written yet."""
    return f"✎ {error} is not written yet" if str(error) else "✎ not written yet"
