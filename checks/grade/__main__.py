"""Grade a class: `python -m checks.grade SUBMISSIONS --out GRADES`.

`python -m checks.grade merge SHARD … --out GRADES` puts what was graded in shards together.
"""

import argparse
import hashlib
import importlib.util
import os
import sys
import time
from collections.abc import Callable, Iterable
from concurrent.futures import Executor
from contextlib import AbstractContextManager
from functools import partial
from pathlib import Path
from typing import Any

NO_DASK = "--dask needs Dask, which is not installed. Try: pip install distributed"
SHARDS = "--shard needs --seed TEXT, the same for all shards: or their inputs differ"


def main(arguments: list[str]) -> int:
    """Grade or merge; return the exit code: 0 when all was graded, 2 when it cannot be done."""
    if arguments[:1] == ["merge"]:
        return _merge(arguments[1:])
    try:
        said = _parser().parse_args(arguments)
    except SystemExit as end:
        return int(end.code or 0)
    from checks.grade.house import NoSandbox
    from checks.grade.journal import Other
    from checks.grade.roster import NoRoster
    from checks.grade.submissions import NothingThere

    try:
        return _grade(said)
    except (NothingThere, NoRoster, NoSandbox, Other) as error:
        print(f"{error}.")
        return 2
    except OSError as error:
        print(f"{said.out}: it cannot be written to ({error.strerror or error}).")
        return 2
    except KeyboardInterrupt:
        print("\nStopped. The same command goes on from here.")
        return 130


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m checks.grade",
        description="Grade a class: folders or zips of notebooks, as learning platforms give them.",
        epilog="python -m checks.grade merge SHARD [SHARD ...] --out GRADES puts shards together.",
        allow_abbrev=False,
    )
    parser.add_argument("submissions", type=Path, help="a folder or a zip")
    parser.add_argument("--out", type=Path, required=True, help="a folder for the grades")
    parser.add_argument("--roster", type=Path, help="a CSV of who is in the class")
    parser.add_argument("-n", type=_count, default=os.cpu_count() or 1, help="processes")
    parser.add_argument("--seed", help="what inputs are drawn by; by default nobody can know it")
    parser.add_argument("--shard", type=_shard, metavar="I/N", help="grade only the I-th part of N")
    parser.add_argument("--dask", metavar="ADDRESS", help="grade on a Dask cluster: tcp://…")
    parser.add_argument("--strict", action="store_true", help="◐ earns nothing")
    parser.add_argument("--junitxml", type=Path, help="write JUnit's XML as well")
    parser.add_argument("--gradescope", type=Path, help="write Gradescope's results.json as well")
    parser.add_argument("--no-sandbox", action="store_true", help="only for whom you trust")
    return parser


def _count(text: str) -> int:
    if not text.isdigit() or not int(text):
        raise argparse.ArgumentTypeError(f"{text!r} is no number of processes, such as 2")
    return int(text)


def _shard(text: str) -> tuple[int, int]:
    part, _, parts = text.partition("/")
    if part.isdigit() and parts.isdigit() and 0 < int(part) <= int(parts):
        return int(part), int(parts)
    raise argparse.ArgumentTypeError(f"{text!r} is no part, such as 1/4")


def _grade(said: argparse.Namespace) -> int:
    from checks.grade import crowd, roster, submissions
    from checks.grade.journal import Journal, in_order
    from checks.grade.work import Task, course_version

    if said.shard and said.seed is None:
        print(f"{SHARDS}.")
        return 2
    if said.dask and importlib.util.find_spec("distributed") is None:
        print(NO_DASK)
        return 2
    known = roster.read(said.roster) if said.roster else roster.Roster()
    found = submissions.find(said.submissions)
    said.out.mkdir(parents=True, exist_ok=True)
    head = _head(said, course_version(), known.names)
    journal = Journal(said.out, head)
    secret, kind = journal.head["seed"], journal.head["sandbox"]
    tasks = []
    for one in found:
        learner = known.name_of(one.learner, one.ident)
        if said.shard is None or _part(learner, said.shard[1]) == said.shard[0]:
            tasks.append(Task(one, learner, kind, secret, journal.head["course"], said.strict))
    done = {(learner, file): sha for learner, file, sha in journal.lines}
    left = [t for t in tasks if not _is_done(t, done)]
    processes = min(said.n, max(1, len(left)))
    executor: Callable[[], AbstractContextManager[Executor]] = partial(crowd.local, processes)
    if said.dask:
        executor = partial(crowd.dask, said.dask)
    progress = Progress(len(tasks), len(tasks) - len(left))
    try:
        for task, result in crowd.graded(left, executor, processes):
            line, panels = result or _given_up(task)
            journal.add(line)
            _write_feedback(said.out, line, panels)
            progress.step()
    finally:
        progress.end()
        journal.close()
    lines = in_order(journal.lines.values())
    return _finish(said.out, journal.head, lines, said)


def _head(said: argparse.Namespace, course: str, names: list[str]) -> dict[str, Any]:
    from checks.grade.grading import a_secret
    from checks.grade.house import strongest
    from checks.grade.journal import JOURNAL
    from checks.grade.sandbox import COVERS, LEFT

    kind = "none"
    if not said.no_sandbox:
        with strongest() as house:
            kind = house.kind
    seed = said.seed
    if seed is None and not (said.out / JOURNAL).exists():
        seed = a_secret()
    return {
        "sandbox": kind,
        "covers": COVERS[kind],
        "leaves": LEFT[kind],
        "course": course,
        "seed": seed,
        "strict": said.strict,
        "roster": names,
    }


def _is_done(task: Any, done: dict[tuple[str, str], str]) -> bool:
    """Tell whether this very file was graded already."""
    sha = done.get((task.learner, task.submission.place))
    if sha is None:
        return False
    try:
        return sha in ("", hashlib.sha256(task.submission.read()).hexdigest())
    except Exception:  # it cannot be read: that is known already
        return sha == ""


def _given_up(task: Any) -> tuple[dict[str, Any], list]:
    from checks.grade.grading import read

    result, _, _ = read(task.submission, task.learner, task.course)
    result.unreadable = "the grader's own process ended at it three times"
    return result.line(), []


def _part(learner: str, parts: int) -> int:
    return int(hashlib.sha256(learner.encode()).hexdigest(), 16) % parts + 1


def _write_feedback(out: Path, line: dict[str, Any], panels: list) -> None:
    from checks.grade import pages
    from checks.grading import target

    path = out / "feedback" / pages.file_for(line["learner"], line)
    path.parent.mkdir(parents=True, exist_ok=True)
    if says := target.write(path, pages.feedback(line, panels)):
        raise OSError(says)


def _finish(out: Path, head: dict[str, Any], lines: list, said: argparse.Namespace) -> int:
    from checks.grade import pages, tables
    from checks.grade.journal import write_results
    from checks.grading import target

    problems = [write_results(out, head, lines)]
    files: Iterable[tuple[Path, str]] = (
        (out / "grades.csv", "\ufeff" + tables.grades(lines, head["roster"])),
        (out / "class.html", pages.class_page(head, lines, head["roster"])),
    )
    problems += [target.write(path, text) for path, text in files]
    if getattr(said, "junitxml", None):
        problems.append(target.write(said.junitxml, tables.junit(lines)))
    if getattr(said, "gradescope", None):
        problems.append(target.write(said.gradescope, tables.gradescope(lines)))
    for problem in filter(None, problems):
        print(f"{problem}.")
    bad = sum(bool(line["unreadable"]) for line in lines)
    print(
        f"{len(lines)} notebooks of {len({line['learner'] for line in lines})} learners, {bad} "
        f"unreadable; sandbox: {head['sandbox']}. Look at {out / 'class.html'}"
    )
    return 2 if any(problems) else 0


def _merge(arguments: list[str]) -> int:
    from checks.grade.journal import Other, merged

    parser = argparse.ArgumentParser(prog="python -m checks.grade merge", allow_abbrev=False)
    parser.add_argument("shards", nargs="+", type=Path, help="folders of grades")
    parser.add_argument("--out", type=Path, required=True, help="a folder for all of them")
    try:
        said = parser.parse_args(arguments)
        head, lines = merged(said.shards)
        said.out.mkdir(parents=True, exist_ok=True)
        return _finish(said.out, head, lines, said)
    except SystemExit as end:
        return int(end.code or 0)
    except (Other, OSError) as error:
        print(f"{error}.")
        return 2


class Progress:
    """A line that says how far it is, where somebody looks at it."""

    def __init__(self, total: int, done: int) -> None:
        self._total, self._done, self._before = total, done, done
        self._begin, self._shown = time.monotonic(), sys.stderr.isatty()

    def step(self) -> None:
        """One more is done."""
        self._done += 1
        if self._shown:
            spent = time.monotonic() - self._begin
            left = spent / (self._done - self._before) * (self._total - self._done)
            bar = "█" * (30 * self._done // self._total)
            says = f"\r{bar:30} {self._done}/{self._total}, {left / 60:.0f} min left "
            print(says, end="", file=sys.stderr, flush=True)

    def end(self) -> None:
        """Leave the line."""
        if self._shown:
            print(file=sys.stderr)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
