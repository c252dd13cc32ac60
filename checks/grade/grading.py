"""Grade one submission: its source goes to a worker, the checks run here, on what it answers."""

import contextlib
import hashlib
import secrets
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from typing import Any

from checks.engine import Check, isolation
from checks.engine.inputs import seeded
from checks.engine.report import Report
from checks.grade.house import Ended, House, Lodger
from checks.grade.sources import Sources, pieces, sources
from checks.grade.submissions import Submission
from checks.grade.wire import Broken
from checks.grading.audit import Exercise, Lab, disagreement, recognise
from checks.grading.reading import LARGEST, Unreadable, parsed
from checks.grading.verdict import FAILED, PASSED, RIGHT, TODO, clean, earned

CELL_SECONDS = 10.0  # of a processor, for a cell to define what it defines
SUBMISSION_SECONDS = 120.0  # by the clock on the wall, after which the rest is not graded
GONE = "the process that ran it ended: out of memory, os._exit(), or a crash"
SLOW = "not graded: the exercises before it took more than {seconds:.0f} seconds"


@dataclass
class Result:
    """What one submission is worth: a line of results.jsonl."""

    learner: str
    lab: str
    file: str
    sha256: str
    course: str
    seed: str
    when: float = 0.0
    again: int = 0
    unreadable: str = ""
    note: str = ""
    exercises: list[dict[str, Any]] = field(default_factory=list)
    earned: int = 0
    points: int = 0
    alike: dict[str, str] = field(default_factory=dict)  # exercise → what all of the same have

    @property
    def key(self) -> tuple[str, str, str, str]:
        """What tells it from all others: a second run leaves it out."""
        return self.learner, self.lab, self.file, self.sha256

    def line(self) -> dict[str, Any]:
        """As it is written down."""
        return asdict(self)


def read(submission: Submission, learner: str, course: str) -> tuple[Result, Any, Lab | None]:
    """Read a notebook: an empty result, the notebook and its lab; where it is damaged, why."""
    result = Result(
        learner, "", submission.place, "", course, "", submission.when, submission.again
    )
    try:
        raw = submission.read()
        result.sha256 = hashlib.sha256(raw).hexdigest()
        if not submission.inside and submission.path.lower().endswith(".zip"):
            raise Unreadable("a damaged zip")
        if len(raw) > LARGEST:
            raise Unreadable(f"it is larger than {LARGEST // 1_000_000} MB")
        notebook = parsed(raw)
        lab = recognise(submission.name, notebook)
        if lab is None:
            raise Unreadable("not one of the course's labs")
        result.lab, result.note = lab.name, disagreement(submission.name, notebook)
        return result, notebook, lab
    except Unreadable as error:
        result.unreadable = str(error)
    except Exception as error:
        result.unreadable = f"it cannot be read ({type(error).__name__}: {clean(str(error), 100)})"
    return result, None, None


def grade(
    house: House,
    result: Result,
    notebook: Any,
    lab: Lab,
    checks: dict[str, Check],
    secret: str,
    strict: bool = False,
) -> Iterator[tuple[Exercise, Any]]:
    """Fill in a result; yield each exercise with its check's report, for the feedback page.

    The seed is drawn after the submission was read, from a secret that no notebook can know.
    """
    source = f"{secret}/{result.sha256}/{lab.name}"
    result.seed = hashlib.sha256(source.encode()).hexdigest()[:16]
    taken = sources(notebook, lab)
    begin = time.monotonic()
    room = Room(house, lab, taken)
    try:
        for exercise in lab.exercises():
            result.points += exercise.points
            spent = time.monotonic() - begin
            if spent > SUBMISSION_SECONDS:
                row, report = _row(exercise, FAILED, SLOW.format(seconds=spent)), None
            else:
                row, report = _graded(room, exercise, checks[exercise.name], result.seed, taken)
            if strict and row["result"] == RIGHT:
                row["result"] = FAILED
            row["earned"] = earned(exercise.points, row["result"])
            result.earned += row["earned"]
            result.exercises.append(row)
            yield exercise, report
    finally:
        room.close()


class Room:
    """The worker of one submission; a new one takes over where the first one ended."""

    def __init__(self, house: House, lab: Lab, taken: Sources) -> None:
        self._house, self._lab, self._taken = house, lab, taken
        self._stack = contextlib.ExitStack()
        self._lodger: Lodger | None = None
        self.errors: dict[str, str] = {}

    def lodger(self) -> Lodger:
        """The worker, in which the submission's cells have run."""
        if self._lodger is None:
            lodger = self._lodger = self._stack.enter_context(self._house.worker())
            lodger.peer.ask("provide", pieces(self._lab))
            for file, source in self._taken.runs:
                self._run(lodger, file, source)
        return self._lodger

    def _run(self, lodger: Lodger, file: str, source: str) -> None:
        try:
            with isolation.isolation(isolation.Output(), CELL_SECONDS):
                lodger.peer.ask("run", (file, source))
        except (isolation.Hangs, Broken):
            self.errors[file] = "it did not come to its end"
            self.leave()
            raise Ended(self.errors[file]) from None
        except BaseException as error:
            self.errors[file] = clean(f"{type(error).__name__}: {error}", 300)

    def leave(self) -> None:
        """End the worker; the next question gets a new one."""
        self._stack.close()
        self._lodger = None

    close = leave


def _graded(
    room: Room, exercise: Exercise, check: Check, seed: str, taken: Sources
) -> tuple[dict[str, Any], Any]:
    """The row of one exercise and its report, if its check ran."""
    if exercise.name in taken.missing:
        return _row(exercise, FAILED, "its cell is not in the notebook"), None
    try:
        peer = room.lodger().peer
        found = peer.ask("find", exercise.name)
        if found is None:
            why = room.errors.get(f"<exercise {exercise.number}>") or room.errors.get("<given>", "")
            because = f": {why}" if why else ""
            says = f"`{exercise.name}` is not defined: its cell did not run to its end{because}"
            return _row(exercise, FAILED, says), None
        with seeded(seed):
            report = check.run(found[0])
        if any(row.says.startswith("Broken: ") for row in report.rows):
            raise Broken("the worker is gone")
        if came_back(report):
            peer.forget()
        else:
            room.leave()  # it would not hear that it may forget
    except isolation.Hangs:
        room.leave()
        return _row(exercise, FAILED, "it did not come back"), None
    except (Broken, Ended, OSError):
        room.leave()
        return _row(exercise, FAILED, GONE), None
    except (Exception, KeyboardInterrupt) as error:  # a check that cannot cope with an answer
        room.leave()
        says = f"its check could not run, {type(error).__name__}: {error}"
        return _row(exercise, FAILED, clean(says)), None
    row = _row(exercise, report.result, clean(report.summary), report.mistake)
    row["mistakes"] = [[one.key, one.says] for one in report.mistakes]
    return row, report


def came_back(report: Report) -> bool:
    """Whether every call of the answer ended, so that its process can go on."""
    late = any("had not come back" in row.says for row in report.rows)
    return report.kind != "hangs" and not late


def _row(
    exercise: Exercise, result: str, summary: str, mistake: str | None = None
) -> dict[str, Any]:
    return {
        "number": exercise.number,
        "name": exercise.name,
        "points": exercise.points,
        "result": result if result in (PASSED, RIGHT, TODO) else FAILED,
        "mistake": mistake,
        "summary": summary,
    }


def a_secret() -> str:
    """What seeds are made from, when no --seed is given."""
    return secrets.token_hex(16)
