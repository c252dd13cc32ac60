"""Submissions an hour of the class grader, with one process and with two, beside nbval in one run.

    python -m tools.bench_class [LEARNERS]        (300; each hands in three labs)

A made-up class: right, half done, untouched, wrong by a known mistake, damaged, endless, hostile.
A third of it is graded first: the memory of the largest process must not grow with the class.
nbval gets three of its notebooks, one of each lab, right ones. Beside how linear the grader is
stands how linear the machine is: two processors of a rented one are not always two.
"""

import importlib
import inspect
import json
import os
import random
import subprocess
import sys
import tempfile
import textwrap
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import torch

from checks.engine import exercises_of
from tools.bench_checks import work

ROOT = Path(__file__).resolve().parents[1]
LABS = ("02_rmsnorm", "03_rope", "04_attention")
SHARES = {
    "right": 0.5,
    "half": 0.2,
    "untouched": 0.1,
    "wrong": 0.16,
    "damaged": 0.02,
    "endless": 0.01,
    "hostile": 0.01,
}


def main(learners: int = 300) -> None:
    """Make the class, grade it with one process and with two, and print what it took."""
    with tempfile.TemporaryDirectory(prefix="llama-lab-bench-") as name:
        place = Path(name)
        made_up_class(place / "class", learners)
        made_up_class(place / "third", max(learners // 3, 1))
        count = learners * len(LABS)
        own = [linear()]
        beside = nbval()
        print(f"nbval: {beside:.1f} s a notebook (right ones, one process)")
        _, small = graded(place / "third", place / "out", 2)
        rates, peaks = [], []
        for processes in (1, 2):
            seconds, peak = graded(place / "class", place / f"out{processes}", processes)
            own.append(linear())
            rates.append(count / seconds)
            peaks.append(peak)
            print(f"{processes} process(es): {3600 * rates[-1]:,.0f} submissions an hour")
        print(
            f"largest process: {small:.0f} MB for a third of the class, {peaks[1]:.0f} MB for all"
        )
        print(
            f"linear to {rates[1] / rates[0] / 2:.2f}; {rates[1] * beside:.1f} times nbval with two"
        )
        print("linear to, the machine itself:", *(f"{one:.2f}" for one in own))
        same = [(place / f"out{n}/results.jsonl").read_bytes() for n in (1, 2)]
        print("the same results" if same[0] == same[1] else "OTHER RESULTS")


def graded(submissions: Path, out: Path, processes: int) -> tuple[float, float]:
    """Grade a folder; return the seconds, and the MB of the largest process."""
    command = [sys.executable, "-m", "checks.grade", str(submissions)]
    command += ["--out", str(out), "-n", str(processes), "--seed", "bench"]
    begin = time.monotonic()
    pid = os.posix_spawn(sys.executable, command, os.environ)
    _, status, usage = os.wait4(pid, 0)
    if status:
        raise SystemExit(f"the grader ended with {os.waitstatus_to_exitcode(status)}")
    return time.monotonic() - begin, usage.ru_maxrss / 1024


def linear() -> float:
    """How much two processes do of a fixed work, to twice what one does."""
    with ProcessPoolExecutor(2) as pool:
        list(pool.map(rounds, [1.0, 1.0]))
        alone = pool.submit(rounds, 5.0).result()
        return sum(pool.map(rounds, [5.0, 5.0])) / alone / 2


def rounds(seconds: float) -> int:
    """How often a fixed piece of Python and torch work is done in so many seconds."""
    torch.set_num_threads(1)
    end, count = time.monotonic() + seconds, 0
    while time.monotonic() < end:
        work()
        count += 1
    return count


def made_up_class(place: Path, learners: int) -> None:
    """Write the notebooks of a class; who does what is drawn by a fixed seed."""
    luck = random.Random(0)
    for number in range(learners):
        folder = place / f"learner {number:03}"
        folder.mkdir(parents=True)
        for lab in LABS:
            kind = luck.choices(list(SHARES), list(SHARES.values()))[0]
            (folder / f"{lab}.ipynb").write_text(notebook(lab, kind, luck), encoding="utf-8")


def notebook(lab: str, kind: str, luck: random.Random) -> str:
    """One notebook: the worked one, or what becomes of it."""
    worked = json.loads((ROOT / f"solutions/{lab}.ipynb").read_text(encoding="utf-8"))
    if kind == "damaged":
        return json.dumps(worked)[: luck.randrange(10, 5000)]
    stubs = json.loads((ROOT / f"labs/{lab}.ipynb").read_text(encoding="utf-8"))
    cells = [c for c in worked["cells"] if str(c["id"]).startswith("ex-")]
    empty = {c["id"]: c["source"] for c in stubs["cells"]}
    for place, cell in enumerate(cells):
        if kind == "untouched" or (kind == "half" and place >= len(cells) // 2):
            cell["source"] = empty[cell["id"]]
    if kind in ("wrong", "endless", "hostile"):
        cell = luck.choice(cells)
        source = "".join(cell["source"])
        cell["source"] = mistaken(source, lab, luck) if kind == "wrong" else spoilt(source, kind)
    return json.dumps(worked)


def mistaken(source: str, lab: str, luck: random.Random) -> str:
    """One of the mistakes that the check of this exercise knows, under the cell's first line."""
    title = source.splitlines()[0]
    checks = exercises_of(importlib.import_module(f"checks.{lab[3:]}"))
    (check,) = (check for check in checks if title.endswith(f" · {check.name}"))
    wrong = luck.choice(check.mistakes).answers[0]
    return f"{title}\n{textwrap.dedent(inspect.getsource(wrong))}"


def spoilt(source: str, kind: str) -> str:
    """A worked answer that never comes back, or that looks for the grader's process."""
    lines = source.rstrip().splitlines()
    indent = lines[-1][: len(lines[-1]) - len(lines[-1].lstrip())]
    if kind == "endless":
        return "\n".join([*lines[:-1], f"{indent}while True:", f"{indent}    pass"])
    attack = "import os, signal; os.kill(os.getppid(), signal.SIGKILL)"
    return "\n".join([*lines[:-1], f"{indent}{attack}", lines[-1]])


def nbval() -> float:
    """Seconds for a notebook with `pytest --nbval-lax`, of worked ones."""
    files: list[Any] = [f"solutions/{lab}.ipynb" for lab in LABS]
    begin = time.monotonic()
    command = [sys.executable, "-m", "pytest", "-q", "--nbval-lax", *files]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    return (time.monotonic() - begin) / len(files)


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
