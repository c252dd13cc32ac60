"""Which probes each known mistake passes: seen beforehand, so that a diagnosis runs only a few.

A mistake that passes what the answer fails, or the other way round, cannot be what was written.
`make passes` writes the file, and `tests/test_checks.py` holds every mistake against it. What is
not in it is taken for open.
"""

import functools
import json
from collections.abc import Collection
from pathlib import Path

FILE = Path(__file__).parents[1] / "mistakes" / "passes.json"


class Passes:
    """What is known of the mistakes of one exercise, whose probes have these titles."""

    def __init__(self, exercise: str, titles: list[str]) -> None:
        known = _all().get(exercise, {})
        # Probes that were changed since then: better to run everything than to trust it.
        self._known = known.get("mistakes", {}) if known.get("probes") == titles else {}

    def of(self, mistake: str) -> str:
        """One sign a probe: "+" passes, "-" fails, "?" now this, now that; "" when unknown."""
        return self._known.get(mistake, "")

    def allow(self, mistake: str, failing: Collection[int], probes: Collection[int]) -> bool:
        """Tell whether, of these probes, the mistake may fail the `failing` ones and no others."""
        signs = self.of(mistake)
        return not signs or all(signs[i] in ("-?" if i in failing else "+?") for i in probes)


@functools.cache
def _all() -> dict[str, dict]:
    return json.loads(FILE.read_text(encoding="utf-8")) if FILE.exists() else {}
