"""Wrong answers that were not made by the checks' authors' mistakes: edits of the worked source."""

import inspect
import linecache
import textwrap
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, init=False)
class Edit:
    """Plain replacements in the source of a worked answer, and what the check has to say of it.

    what: what is wrong, in plain words; changes: (old, new), where old stands exactly once, or
    (old, new, n) for its n-th place from 0; named: keys of the check's mistakes that truly say it,
    of which one is enough (in a pair all are meant).
    """

    what: str
    changes: tuple[tuple, ...]
    named: tuple[str, ...]

    def __init__(self, what: str, *changes: tuple, named: tuple[str, ...] = ()) -> None:
        object.__setattr__(self, "what", what)
        object.__setattr__(self, "changes", changes)
        object.__setattr__(self, "named", named)

    def applied(self, worked: Callable[..., Any]) -> Callable[..., Any]:
        """The worked answer with these changes: a new function or class in the same module."""
        source = textwrap.dedent(inspect.getsource(worked))
        for old, new, *place in self.changes:
            source = _replaced(source, old, new, place[0] if place else None)
        file = f"<{worked.__name__}: {self.what}>"
        lines = source.splitlines(keepends=True)
        linecache.cache[file] = len(source), None, lines, file
        names = dict(vars(inspect.getmodule(worked)))
        exec(compile(source, file, "exec"), names)
        return names[worked.__name__]


@dataclass(frozen=True)
class Public:
    """An answer to an exercise with a mistake that somebody made in public."""

    answer: Callable[..., Any]
    source: str  # owner/repository#number, or a page's title and site
    what: str
    named: tuple[str, ...] = ()


def _replaced(source: str, old: str, new: str, place: int | None) -> str:
    found = source.count(old)
    if found == 0 or (place is None and found > 1) or (place is not None and place >= found):
        raise ValueError(f"{old!r} stands {found} times in the worked answer")
    if place is None:
        return source.replace(old, new)
    pieces = source.split(old)
    return old.join(pieces[: place + 1]) + new + old.join(pieces[place + 1 :])
