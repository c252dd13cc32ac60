"""Who is in the class, by a CSV as learning platforms export it: so that the missing are listed."""

import csv
import re
import unicodedata
from dataclasses import dataclass, field
from pathlib import Path

NAMES = ("name", "full name", "student", "learner", "sortable name", "vollständiger name")
FIRST, LAST = ("first name", "firstname", "given name"), ("last name", "lastname", "surname")


class NoRoster(ValueError):
    """A roster that cannot be read; says why."""


@dataclass
class Roster:
    """The names of a class, and what else may stand for each of them."""

    names: list[str] = field(default_factory=list)
    _known: dict[str, str] = field(default_factory=dict)

    def name_of(self, learner: str, ident: str) -> str:
        """The name in the roster of who handed something in; their own where it is not there."""
        for key in (ident, learner, *_ways(learner)):
            if key and (name := self._known.get(_key(key))):
                return name
        return learner


def read(path: Path) -> Roster:
    """Read a roster: with a head that names its columns, or names alone."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise NoRoster(f"--roster {path}: it cannot be read ({error})") from None
    rows = [
        row for row in csv.reader(text.splitlines(), _dialect(text)) if any(map(str.strip, row))
    ]
    if not rows:
        raise NoRoster(f"--roster {path}: it is empty")
    head = [cell.strip().lower() for cell in rows[0]]
    found = Roster()
    if not set(head) & {*NAMES, *FIRST, *LAST}:
        for row in rows:
            _add(found, row[0], row)
        return found
    for row in rows[1:]:
        cells = dict(zip(head, map(str.strip, row), strict=False))
        whole = next((cells[key] for key in NAMES if cells.get(key)), "")
        first = next((cells[key] for key in FIRST if cells.get(key)), "")
        last = next((cells[key] for key in LAST if cells.get(key)), "")
        if name := whole or f"{first} {last}".strip():
            _add(found, name, [*row, f"{first} {last}", f"{last}{first}"])
    return found


def _add(roster: Roster, name: str, cells: list[str]) -> None:
    name = " ".join(name.split())
    roster.names.append(name)
    for cell in (name, *cells, *_ways(name)):
        if len(_key(cell)) > 1:
            roster._known.setdefault(_key(cell), name)


def _ways(name: str) -> list[str]:
    """A name as platforms turn it: "Lovelace, Ada", "lovelaceada"."""
    words = name.replace(",", " ").split()
    turned = [words[-1], *words[:-1]] if words else []
    ways = [" ".join(words), " ".join(turned), "".join(words), "".join(turned)]
    return [*ways, " ".join([*words[1:], *words[:1]])]


def _key(text: str) -> str:
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode() or text
    return re.sub(r"[\s,._-]+", " ", plain).strip().casefold()


def _dialect(text: str) -> type[csv.Dialect]:
    class Found(csv.excel):
        delimiter = max(",;\t", key=text.splitlines()[0].count) if text.splitlines() else ","

    return Found
