"""Cells that use what the learner wrote: until it is written they say so, and Run All goes on."""

import functools
from collections.abc import Callable, Iterable, Iterator
from typing import Any, TypeVar

from plots.note import note

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
    """The items, and for a person who waits a note how far it is: "answer 3 of 10 …"."""
    listed = list(items)
    with note(after=seconds, every=0.5) as tell:
        for done, item in enumerate(listed, start=1):
            tell(f"{what} {done} of {len(listed)} …")
            yield item


def missing(error: NotImplementedError) -> str:
    """What stands in the place of a result: which exercise is not written yet."""
    return f"✎ {error} is not written yet" if str(error) else "✎ not written yet"
