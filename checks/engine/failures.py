"""How a check says no: exceptions that show the panel's text and never a traceback of ours."""

import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from checks.engine.check import Report


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


def person_present() -> bool:
    """Tell whether somebody sits in front of this kernel: only then does the front end allow stdin.

    nbval, nbclient and nbconvert run cells with `allow_stdin=False`. In doubt: nobody.
    """
    if "IPython" not in sys.modules:
        return False
    shell = sys.modules["IPython"].get_ipython()
    return getattr(getattr(shell, "kernel", None), "_allow_stdin", False) is True


def show(bundle: dict[str, Any]) -> bool:
    """Display a mime bundle in a notebook, or print its text; tell whether HTML could be shown."""
    if "IPython" in sys.modules and (shell := sys.modules["IPython"].get_ipython()) is not None:
        from IPython.display import display

        display(bundle, raw=True)
        return hasattr(shell, "kernel")
    print(bundle["text/plain"])
    return False


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

    hook._knows_checks = True
    sys.excepthook = hook
