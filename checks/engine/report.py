"""What a check found, ready to be shown, raised, or counted by a grader."""

from dataclasses import dataclass, field
from typing import Any

from checks.engine import panel
from checks.engine.diagnosis import Counterexample, Diagnosis

EVIDENCE = "application/vnd.llama-lab.check+json"  # the mime type that graders look for


@dataclass(frozen=True)
class Row:
    """One line of the panel: what was tried, and whether it went well (None: not reached)."""

    title: str
    ok: bool | None
    says: str = ""


@dataclass(frozen=True)
class Report:
    """The outcome of one check. `text` and `html` are the panel."""

    exercise: str
    name: str
    result: str  # "passed", "failed" or "todo"
    summary: str
    rows: list[Row] = field(default_factory=list)
    diagnosis: Diagnosis = field(default_factory=Diagnosis)
    kind: str | None = None  # the general kind of failure, where no mistake is known
    counterexample: Counterexample | None = None
    hints: tuple[str, ...] = ()
    printed: str = ""

    @property
    def mistake(self) -> str | None:
        """The key of the diagnosed mistake, or of the general kind of failure, or None."""
        return self.mistakes[0].key if self.mistakes else self.kind

    @property
    def mistakes(self) -> list[Any]:
        """The `Mistake`s that reproduce the answer."""
        return self.diagnosis.mistakes

    @property
    def text(self) -> str:
        """The panel as plain text."""
        return panel.text(self)

    @property
    def html(self) -> str:
        """The panel as HTML."""
        return panel.html(self)

    @property
    def bundle(self) -> dict[str, Any]:
        """The panel as a mime bundle, with the evidence for graders."""
        keys = ("exercise", "name", "result", "mistake", "summary")
        evidence = {key: getattr(self, key) for key in keys}
        return {"text/html": self.html, "text/plain": self.text, EVIDENCE: evidence}
