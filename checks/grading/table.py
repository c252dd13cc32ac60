"""The score: collected from the reports of a run (also of xdist's workers), shown and written."""

import json
import textwrap
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import pytest

from checks.grading import place, target
from checks.grading.verdict import FAILED, NOT_RUN, PASSED, RIGHT, TODO, VOID, earned

PROBLEMS = pytest.StashKey[dict[str, str]]()  # on the config: what was not even begun, and why

SIGNS = {PASSED: "✓", RIGHT: "◐", TODO: "✎", FAILED: "✗", VOID: "✗", NOT_RUN: "–"}
COLOURS = {
    PASSED: {"green": True},
    RIGHT: {"yellow": True},
    TODO: {"yellow": True},
    NOT_RUN: {"yellow": True},
}
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
    note: str = ""
    cells_left: int = 0

    @property
    def all_passed(self) -> bool:
        """Whether every check of the lab passed, in a notebook that is what it is called."""
        return not self.note and all(row.result in (PASSED, RIGHT) for row in self.rows.values())

    @property
    def earned(self) -> int:
        """The points that the notebook earned."""
        return sum(row.earned for row in self.rows.values())

    @property
    def points(self) -> int:
        """The points that there were to earn."""
        return sum(row.points for row in self.rows.values())


class ScoreBoard:
    """Collects the verdicts that reports carry, and shows them at the end of the run.

    It lives in the process that no notebook reaches. The JSON is written whenever a notebook is
    done, so that a run which is ended has written all that it found out.
    """

    def __init__(self, config: pytest.Config) -> None:
        self.config = config
        self.scores: dict[str, Score] = {}
        problems: dict[str, str] = config.stash.get(PROBLEMS, {})  # type: ignore[arg-type]
        self.unreadable = dict(problems)
        self.other_failures = 0
        self._unwritten = ""

    @property
    def complete(self) -> bool:
        """Whether every check of every notebook passed: then the exit code is 0."""
        scores = self.scores.values()
        return bool(scores) and not self.unreadable and all(one.all_passed for one in scores)

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """Note a notebook that could not be read."""
        if found := getattr(report, "llama_lab_unreadable", None):
            self.unreadable[found["notebook"]] = found["why"]
        elif report.failed:
            self.other_failures += 1

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Take the verdict off a report, if it carries one."""
        record = getattr(report, "llama_lab", None)
        if record is None:
            self.other_failures += report.failed
            return
        score = self.scores.get(record["notebook"])
        if score is None:
            score = Score(record["notebook"], record["lab"], note=record["note"])
            score.cells_left = record["cells"]
            self.scores[record["notebook"]] = score
        for one in record["plan"]:
            score.rows.setdefault(one["number"], Row(one["number"], one["name"], one["points"]))
        if "broken" in record and record["broken"] not in score.broken:
            score.broken.append(record["broken"])
        if "exercise" in record:
            row = score.rows[record["exercise"]]
            row.result, row.summary = record["result"], record["summary"]
            row.mistake = record["mistake"]
            row.earned = earned(row.points, row.result)
        score.cells_left -= record["done"]
        if score.cells_left == 0:
            self.write()

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionfinish(self, session: pytest.Session, exitstatus: int) -> None:
        """End with 0 when every check passed, whatever became of the cells beside them."""
        if exitstatus in (pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED) and self.scores:
            good = self.complete and not self.other_failures
            session.exitstatus = pytest.ExitCode.OK if good else pytest.ExitCode.TESTS_FAILED

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_terminal_summary(self, terminalreporter: Any) -> Iterator[None]:
        """Print the table below all that pytest has to say, and write the JSON."""
        result = yield
        scores = self._sorted()
        if scores or self.unreadable:
            terminalreporter.section("Llama Lab")
            for line, colour in lines(scores, self.config.get_terminal_writer().fullwidth):
                terminalreporter.write_line(line, **colour)
        for notebook, why in self.unreadable.items():
            terminalreporter.write_line(f"{notebook}: {why}.", **RED)
        if changed := place.changed() if scores else []:
            names = ", ".join(changed[:5])
            says = f"changed while notebooks ran, look at them before the next run: {names}"
            terminalreporter.write_line(f"files of the course {says}", **RED)
        self.write()
        if self._unwritten:
            terminalreporter.write_line(f"{self._unwritten}; the scores above are complete.", **RED)
        elif self.config.option.score_json:
            terminalreporter.write_line(f"scores written to {Path(self.config.option.score_json)}")
        return result

    def write(self) -> None:
        """Write the JSON, if one is wanted."""
        if self.config.option.score_json:
            path = self.config.invocation_params.dir / self.config.option.score_json
            found = as_json(self._sorted(), self.unreadable)
            self._unwritten = target.write(
                path, json.dumps(found, indent=2, ensure_ascii=False) + "\n"
            )

    @property
    def unwritten(self) -> bool:
        """Whether the JSON could not be written."""
        return bool(self._unwritten)

    def _sorted(self) -> list[Score]:
        # Sorted, because xdist's workers finish in any order.
        return [score for _, score in sorted(self.scores.items()) if score.rows]


def lines(scores: list[Score], width: int) -> Iterator[tuple[str, dict[str, bool]]]:
    """Yield the lines of the table, each with its colour."""
    for score in scores:
        yield (f"{score.notebook}", {"bold": True})
        longest = max(len(row.name) for row in score.rows.values())
        for row in score.rows.values():
            start = f"  {row.exercise:>5}  {row.name:<{longest}}  {row.earned}/{row.points}  "
            text = f"{SIGNS[row.result]} {row.words()}".rstrip()
            yield from _wrapped(start, text, width, COLOURS.get(row.result, RED))
        if score.note:
            yield from _wrapped("  look: ", score.note, width, RED)
        for broken in score.broken:
            yield from _wrapped("  also broken: ", broken, width, RED)
        done = {"green": True} if score.earned == score.points else {}
        yield f"  score: {score.earned}/{score.points}", {"bold": True, **done}
    if len(scores) > 1:
        earned, points = sum(s.earned for s in scores), sum(s.points for s in scores)
        yield f"in all: {earned}/{points}", {"bold": True}


def as_json(scores: list[Score], unreadable: Mapping[str, str]) -> dict[str, Any]:
    """Return the scores as plain data."""
    notebooks = [
        {
            "notebook": score.notebook,
            "lab": score.lab,
            "earned": score.earned,
            "points": score.points,
            "exercises": [asdict(row) for row in score.rows.values()],
            "broken_cells": score.broken,
            "note": score.note,
        }
        for score in scores
    ]
    earned, points = sum(s.earned for s in scores), sum(s.points for s in scores)
    damaged = [{"notebook": name, "why": why} for name, why in unreadable.items()]
    return {"earned": earned, "points": points, "notebooks": notebooks, "unreadable": damaged}


def _wrapped(
    start: str, text: str, width: int, colour: dict[str, bool]
) -> Iterator[tuple[str, dict[str, bool]]]:
    room = max(width - len(start) - 3, 30)
    parts = textwrap.wrap(text, room, break_long_words=False, break_on_hyphens=False) or [""]
    yield start + parts[0], colour
    for part in parts[1:]:
        yield " " * (len(start) + 2) + part, colour
