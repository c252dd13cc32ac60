"""Which probes each known mistake passes: seen beforehand, so that a diagnosis runs only a few.

A mistake that passes what the answer fails, or the other way round, cannot be what was written.
`make fingerprints` writes a file in each lab's folder, and `tests/test_checks.py` holds every
mistake against it. What is not in it is taken for open.
"""

import functools
import json
import zlib
from collections.abc import Collection
from pathlib import Path

CHECKS = Path(__file__).parents[1]
FILE = "fingerprints.json"


class Fingerprints:
    """What is known of the mistakes of one exercise, whose rows have these titles."""

    def __init__(self, exercise: str, titles: list[str]) -> None:
        known = _all().get(exercise, {})
        # Probes that were changed since then: better to run everything than to trust it.
        self._known = known.get("mistakes", {}) if known.get("probes") == digest(titles) else {}

    def of(self, spelling: str) -> str:
        """One sign a row: "+" passes, "-" fails, "?" now this, now that; "" when unknown."""
        return self._known.get(spelling, "")

    def allow(self, spelling: str, failing: Collection[int], rows: Collection[int]) -> bool:
        """Tell whether, of these rows, the mistake may fail the `failing` ones and no others."""
        signs = self.of(spelling)
        return not signs or all(signs[i] in ("-?" if i in failing else "+?") for i in rows)

    def fails_only(self, spelling: str, failing: Collection[int], rows: Collection[int]) -> bool:
        """Tell whether the mistake may fail some of the `failing` rows, and surely no others."""
        signs = self.of(spelling)
        if not signs:
            return True
        return any(signs[i] != "+" for i in failing) and all(
            signs[i] != "-" for i in rows if i not in failing
        )

    def may_fail(self, spelling: str, row: int) -> bool:
        """Tell whether the mistake may fail this row."""
        return self.of(spelling)[row : row + 1] != "+"


def digest(titles: list[str]) -> str:
    """A short sign for the rows of a panel, which changes when one of them does."""
    return f"{zlib.crc32(chr(10).join(titles).encode()):08x}"


@functools.cache
def _all() -> dict[str, dict]:
    found: dict[str, dict] = {}
    for path in sorted(CHECKS.glob(f"*/{FILE}")):
        found |= json.loads(path.read_text(encoding="utf-8"))
    return found
