"""The class grader says what nbval says: the checks, on answers in another process.

A sample here; `make verdicts` tries all that tests/ knows: every worked answer, every spelling of
every mistake, plain edits, pairs, public answers, accepted ones.
"""

import os
import random
import socket
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import torch.fx.experimental.symbolic_shapes  # noqa: F401  (or each fork imports it for seconds)
from course import NAMES, module
from test_checks import accepted
from test_plain_edits import written

from checks.engine import Check, exercises_of, isolation
from checks.engine.diagnosis import spelling
from checks.grade.grading import came_back
from checks.grade.house import Lodger
from checks.grade.peer import Peer
from checks.grade.worker import work
from tools.named import KINDS, answer_of, entries

pytestmark = pytest.mark.ours
ALL = "LLAMA_LAB_ALL" in os.environ
LONG = (
    "train",
    "generate",
    "speculative_generate",
    "load_llama",
    "chat",
    "Llama",
)  # a check of these takes seconds
# What got another verdict there before: in-place answers, views, saved models, files, tokenizers,
# and what came after an answer that left torch with another default device.
ONCE = {
    **{"interleaved_to_half": "in_place", "glu": "gate_in_place", "KVCache": "moved_in_place"},
    **{"CachedAttention": "scales_in_cache", "save_checkpoint": "whole_model"},
    **{"load_checkpoint": "loaded_into_a_copy", "quantize_int8": "zero_row"},
    **{
        "load_llama": "thirty_layers, meta_for_everything, table_transposed, returns_the_report",
        "chat": "accepted 0",
        "train": "watch_told_the_list",
        "GroupedQueryAttention": "PUBLIC the keys are stored in the cache as values too",
    },
}
# All its caches share one memory: in one process the next probe's caches still write into what a
# probe got, there a result is what it was when it came. Verdict and mistakes are the same.
ROWS_DIFFER = {"KVCache": "shared_by_all"}
CHECKS = [
    (lab, check)
    for lab in NAMES
    for check in exercises_of(module("checks", lab))
    if ALL or check.name not in LONG or check.name in ONCE
]


def answers(lab: str, check: Check) -> dict[str, Any]:
    """Name → answer: the worked one, mistakes in all spellings, answers from elsewhere."""
    worked = getattr(module("solutions.my_llama", lab), check.name)
    found = {"worked": worked}
    if check.name in LONG and not ALL:
        found = {}  # in the sandbox it is tried by test_grade_worked.py
    known = [mistake for mistake in check.mistakes if not mistake.flaky]
    wrong = {spelling(m, i): answer for m in known for i, answer in enumerate(m.answers)}
    for folder, variable in KINDS:
        some = [entry for name, entry in entries(lab, folder, variable) if name == check.name]
        wrong |= {f"{variable} {e.what}": answer_of(e, worked) for e in some}
    right = {f"accepted {i}": answer for i, answer in enumerate(accepted(lab, check.name))}
    public = [a for name, a in written("public_right", "RIGHT", lab) if name == check.name]
    right |= {f"public {answer.__name__}": answer for answer in public}
    if ALL:
        return found | wrong | right
    luck = random.Random(check.exercise)
    kinds = [] if check.name in LONG else [wrong, right]
    names = [luck.choice(list(some)) for some in kinds if some]
    names += ONCE[check.name].split(", ") if check.name in ONCE else []
    return found | {name: (wrong | right)[name] for name in names}


@contextmanager
def elsewhere(names: dict[str, Any]) -> Iterator[Peer]:
    """A fork of this process that answers with these things: a worker without its sandbox."""
    ours, theirs = socket.socketpair()
    pid = os.fork()
    if pid == 0:
        try:
            ours.close()
            with tempfile.TemporaryDirectory() as folder:
                work(theirs, Path(folder), names)
        finally:
            os._exit(0)
    theirs.close()
    try:
        with Lodger(ours, {"worker": pid, "keeper": pid, "folder": None}) as lodger:
            yield lodger.peer
    finally:
        os.waitpid(pid, 0)


def verdict(report: Any) -> tuple:
    """What a learner is told: verdict, mistakes, which rows pass."""
    rows = [row.ok for row in report.rows]
    return report.result, [mistake.key for mistake in report.mistakes], rows


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.parametrize(
    ("lab", "check"), CHECKS, ids=[f"{check.exercise} {check.name}" for _, check in CHECKS]
)
def test_the_same_verdict_as_in_one_process(
    lab: str, check: Check, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(isolation, "clock", [time.process_time])  # other tests run beside this one
    tried = answers(lab, check)
    here = {name: verdict(check.run(answer)) for name, answer in tried.items()}
    there, late = {}, set()
    left = list(tried)
    while left:
        with elsewhere(tried) as peer:
            while left:
                name = left.pop(0)
                (answer,) = peer.ask("find", name)
                there[name] = verdict(report := check.run(answer))
                if not came_back(report):
                    late.add(name)
                    break  # its process is of no use any more
                peer.forget()
    # Each call takes longer there: what is slow by mistake may be late, which is a failure too.
    for name in late:
        there[name], here[name] = there[name][0], here[name][0]
    if (name := ROWS_DIFFER.get(check.name)) in there:
        there[name], here[name] = there[name][:2], here[name][:2]
    assert there == here
