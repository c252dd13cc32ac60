"""The score: collected from the reports of a run (also of xdist's workers), shown and written."""

import json
import textwrap
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import pytest

from checks.grading.verdict import FAILED, NOT_RUN, PASSED, TODO, VOID

NAMES = pytest.StashKey[dict[str, str]]()  # on the config: what to call the graded copies

SIGNS = {PASSED: "✓", TODO: "✎", FAILED: "✗", VOID: "✗", NOT_RUN: "–"}
COLOURS = {PASSED: {"green": True}, TODO: {"yellow": True}, NOT_RUN: {"yellow": True}}
RED = {"red": True}


@dataclass
class Row:
    """One exercise of one notebook."""

    exercise: str
    name: str
    points: int
    earned: int = 0
    result: str = NOT_RUN
    mistake: str | None = None
    summary: str = "not run this time"

    def words(self) -> str:
        """What stands behind the sign."""
        if self.result == PASSED:
            return ""
        if self.result == TODO:
            return "to do"
        return f"{self.mistake}: {self.summary}" if self.mistake else self.summary


@dataclass
class Score:
    """One notebook: its lab, its exercises, and the cells besides them that broke."""

    notebook: str
    lab: str
    rows: dict[str, Row] = field(default_factory=dict)
    broken: list[str] = field(default_factory=list)

    @property
    def earned(self) -> int:
        """The points that the notebook earned."""
        return sum(row.earned for row in self.rows.values())

    @property
    def points(self) -> int:
        """The points that there were to earn."""
        return sum(row.points for row in self.rows.values())


class ScoreBoard:
    """Collects the verdicts that reports carry, and shows them at the end of the run."""

    def __init__(self, config: pytest.Config) -> None:
        self.config = config
        self.scores: dict[str, Score] = {}

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Take the verdict off a report, if it carries one."""
        record = getattr(report, "llama_lab", None)
        if record is None:
            return
        score = self.scores.setdefault(
            record["notebook"], Score(self._display_name(record["notebook"]), record["lab"])
        )
        for one in record["plan"]:
            score.rows.setdefault(one["number"], Row(one["number"], one["name"], one["points"]))
        if "broken" in record:
            score.broken.append(record["broken"])
        if "exercise" in record:
            row = score.rows[record["exercise"]]
            row.result, row.summary = record["result"], record["summary"]
            row.mistake = record["mistake"]
            row.earned = row.points if row.result == PASSED else 0

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_terminal_summary(self, terminalreporter: Any) -> Iterator[None]:
        """Print the table below all that pytest has to say, and write the JSON."""
        result = yield
        # Sorted, because xdist's workers finish in any order.
        scores = [score for _, score in sorted(self.scores.items()) if score.rows]
        if scores:
            terminalreporter.section("Llama Lab")
            for line, colour in lines(scores, self.config.get_terminal_writer().fullwidth):
                terminalreporter.write_line(line, **colour)
        if target := self.config.option.score_json:
            path = self.config.invocation_params.dir / target
            path.write_text(
                json.dumps(as_json(scores), indent=2, ensure_ascii=False) + "\n", "utf-8"
            )
            terminalreporter.write_line(f"scores written to {Path(target)}")
        return result

    def _display_name(self, notebook: str) -> str:
        return self.config.stash.get(NAMES, {}).get(notebook, notebook)


def lines(scores: list[Score], width: int) -> Iterator[tuple[str, dict[str, bool]]]:
    """Yield the lines of the table, each with its colour."""
    for score in scores:
        yield (f"{score.notebook}", {"bold": True})
        longest = max(len(row.name) for row in score.rows.values())
        for row in score.rows.values():
            start = f"  {row.exercise:>5}  {row.name:<{longest}}  {row.earned}/{row.points}  "
            text = f"{SIGNS[row.result]} {row.words()}".rstrip()
            yield from _wrapped(start, text, width, COLOURS.get(row.result, RED))
        for broken in score.broken:
            yield from _wrapped("  also broken: ", broken, width, RED)
        done = {"green": True} if score.earned == score.points else {}
        yield f"  score: {score.earned}/{score.points}", {"bold": True, **done}
    if len(scores) > 1:
        earned, points = sum(s.earned for s in scores), sum(s.points for s in scores)
        yield f"in all: {earned}/{points}", {"bold": True}


def as_json(scores: list[Score]) -> dict[str, Any]:
    """Return the scores as plain data."""
    notebooks = [
        {
            "notebook": score.notebook,
            "lab": score.lab,
            "earned": score.earned,
            "points": score.points,
            "exercises": [asdict(row) for row in score.rows.values()],
            "broken_cells": score.broken,
        }
        for score in scores
    ]
    earned, points = sum(s.earned for s in scores), sum(s.points for s in scores)
    return {"earned": earned, "points": points, "notebooks": notebooks}


def _wrapped(
    start: str, text: str, width: int, colour: dict[str, bool]
) -> Iterator[tuple[str, dict[str, bool]]]:
    room = max(width - len(start) - 3, 30)
    parts = textwrap.wrap(text, room, break_long_words=False, break_on_hyphens=False) or [""]
    yield start + parts[0], colour
    for part in parts[1:]:
        yield " " * (len(start) + 2) + part, colour
