"""How a check says no: exceptions that show the panel's text and never a traceback of ours."""

import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from checks.engine.report import Report


class CheckFailed(AssertionError):
    """An answer is wrong. `mistake` is the key of the diagnosed mistake, or None."""

    def __init__(self, report: "Report", shown: bool = False) -> None:
        super().__init__(report.text)
        self.report, self.mistake, self._shown = report, report.mistake, shown

    def _render_traceback_(self) -> list[str]:
        """What IPython prints for a traceback: one line under the panel, else all of its text."""
        if not self._shown:
            return [self.report.text]
        name = f"{self.report.exercise} {self.report.name}"
        return [f"Exercise {name} is not right yet: see above."]


class NotAttempted(CheckFailed):
    """The exercise is not written yet, and nobody is there to write it."""


def quiet_traceback() -> None:
    """Keep plain Python from printing our source under a panel that it has printed already."""
    before = sys.excepthook
    if getattr(before, "_knows_checks", False):
        return

    def hook(kind: type[BaseException], error: BaseException, trace: Any) -> None:
        if isinstance(error, CheckFailed):
            print(f"stopped at exercise {error.report.exercise}", file=sys.stderr)
        else:
            before(kind, error, trace)

    hook._knows_checks = True  # type: ignore[attr-defined]
    sys.excepthook = hook
