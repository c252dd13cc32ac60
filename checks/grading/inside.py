"""What the grader asks inside a graded kernel: `prepare` at first, `run` for each check.

The checks run by their modules, never by the names that the notebook has for them: a variable
called `check` costs nothing, and a replaced check earns nothing. This stops accidents and haste. It
is no sandbox: code in the same process can always lie. Where cheating matters, grade elsewhere.
"""

import builtins
import contextlib
import dataclasses
import importlib
import json
import math
import os
import sys
import types
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from checks.engine import Check
from checks.engine.inputs import seeded
from checks.engine.wrong_lines import Rewrite
from checks.grading import own

HERE = Path(__file__).resolve().parents[2]
LONGEST = 20_000  # characters of a panel that are handed over

_checks: dict[str, Any] = {}
_before: dict[str, Any] = {}  # fingerprints of the course's checks, as they were
_kept: list[tuple[Any, dict[str, Any]]] = []  # torch and Python, as they were
_dumps = json.dumps
_original = ""


def prepare(module: str, course: str, numbers: str) -> str:
    """Load the lab's checks before the notebook runs; return "ready".

    course: the folder that this copy was made from; numbers: JSON, name → number of each exercise.
    """
    global _original
    # A file beside the notebook must not stand in for torch or for the course.
    sys.path[:] = [p for p in sys.path if p not in ("", os.getcwd())] + [os.getcwd()]
    _original = course
    own.roots.append(course)
    own.forget()
    own.numbers.update({name: _number(said) for name, said in json.loads(numbers).items()})
    lab = importlib.import_module(f"checks.{module}")
    pieces = importlib.import_module("checks.pieces")
    pieces.open_package(HERE / "solutions")  # whatever became of the notebook's setup cell
    import torch

    _checks.update({one.name: one for one in vars(lab).values() if isinstance(one, Check)})
    for check in _checks.values():
        own.gate_reference(check)
    _before.update(_fingerprints())
    for place in (builtins, math, torch, torch.Tensor, torch.nn.functional):
        kept = {key: value for key, value in vars(place).items() if callable(value)}
        _kept.append((place, kept))
    return "ready"


def run(name: str, seed: str, word: str) -> str:
    """Check the notebook's answer; return as JSON what was found, and the grader's `word`."""
    from IPython import get_ipython

    dumps, names = _dumps, get_ipython().user_ns
    found: dict[str, Any] = {"word": word, "name": name}
    if name not in names:
        return dumps(found | {"missing": True})
    if changes := _changes():
        return dumps(found | {"void": f"the notebook changed the course's check ({changes})"})
    check, answer = _checks[name], names[name]
    number = _number(check.exercise)
    try:
        if own.theirs(answer, name):
            return dumps(found | {"void": own.SAYS})
        with _as_new(), seeded(seed):
            report, stolen = own.try_out(number, name, lambda: check.run(answer))
        if stolen:
            return dumps(found | {"void": own.SAYS})
        if changes := _changes():
            return dumps(found | {"void": f"the answer changed the course's check ({changes})"})
        said = {key: getattr(report, key) for key in ("exercise", "result", "mistake", "summary")}
        text = "" if report.result == "passed" else str(report.text)[:LONGEST]
        return dumps(found | said | {"text": text})
    except Exception as error:  # a check that cannot cope with an answer ends nothing
        return dumps(found | {"broken": f"{type(error).__name__}: {error}"})


def _number(said: str) -> tuple[int, ...]:
    return tuple(int(part) for part in said.split("."))


@contextlib.contextmanager
def _as_new() -> Iterator[None]:
    """Torch and Python with the functions that they came with, for as long as a check takes.

    What a notebook put in their places is put back afterwards: it may be there for a reason.
    """
    changed: list[tuple[Any, str, Any]] = []
    for place, kept in _kept:
        now = vars(place)
        changed += [
            (place, key, now.get(key)) for key, value in kept.items() if now.get(key) is not value
        ]
        if isinstance(place, type):  # a new name that hides an inherited one
            inherited = set().union(*(vars(base) for base in place.__mro__[1:]))
            new = [
                key for key in now if key not in kept and key in inherited and callable(now[key])
            ]
            changed += [(place, key, now[key]) for key in new]
    originals = {id(place): kept for place, kept in _kept}
    for place, key, _ in changed:
        if key in originals[id(place)]:
            setattr(place, key, originals[id(place)][key])
        else:
            delattr(place, key)
    try:
        with _no_modes():
            yield
    finally:
        for place, key, value in changed:
            setattr(place, key, value)


@contextlib.contextmanager
def _no_modes() -> Iterator[None]:
    """Without the modes by which a notebook may answer in torch's place."""
    from torch import overrides

    push: Any = getattr(overrides, "_push_mode", None)
    pop: Any = getattr(overrides, "_pop_mode", None)
    count = getattr(overrides, "_len_torch_function_stack", None)
    modes = []
    while push and pop and count and count():
        modes.append(pop())
    try:
        yield
    finally:
        for mode in reversed(modes):
            push(mode)


def _changes() -> str:
    """Name what is not as it was when the kernel started; "" when nothing changed."""
    for module in list(sys.modules.values()):
        file = getattr(module, "__file__", None)
        if isinstance(file, str) and file.startswith(
            (f"{_original}/checks/", f"{_original}/solutions/")
        ):
            return f"`{module.__name__}` comes from another folder than the graded course"
    now = _fingerprints()
    return next((key for key, value in _before.items() if now.get(key) != value), "")


def _fingerprints() -> dict[str, Any]:
    """What the checks consist of: every function, class, constant and probe that they use."""
    found: dict[str, Any] = {}
    for name, module in list(sys.modules.items()):
        if name.startswith("checks.") and not name.startswith(LEFT_OUT):
            for key, value in list(vars(module).items()):
                # A private number or text may change while the checks run; code may not.
                if not key.startswith("__") and (callable(value) or not key.startswith("_")):
                    found[f"{name}.{key}"] = _fingerprint(value)
    for name, check in _checks.items():
        found[f"check.{name}"] = _parts(check)
    return found


LEFT_OUT = ("checks.grading.", "checks.learner.", "checks.pieces", "checks.front_end")


def _parts(value: Any) -> Any:
    """A check, probe or mistake by what its fields are, and lists by what is in them."""
    if isinstance(value, list | tuple):
        return [_parts(one) for one in value]
    if isinstance(value, Rewrite):  # a mistake's lines, and with them those of a whole answer
        return id(value)
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        fields = dataclasses.fields(value)
        return [id(value), *(_parts(vars(value).get(one.name)) for one in fields)]
    return id(value)


def _fingerprint(value: Any) -> Any:
    ours = str(getattr(value, "__module__", "")).startswith("checks.")
    if isinstance(value, types.FunctionType) and ours:
        return id(value), id(value.__code__), id(value.__defaults__), id(value.__kwdefaults__)
    if isinstance(value, type) and ours:
        inside = list(vars(value).items())
        return id(value), {key: _fingerprint(one) for key, one in inside if callable(one)}
    if isinstance(value, dict) and value and all(map(_is_plain, value.values())):
        return dict(value)  # tolerances
    if _is_plain(value):
        return value
    return id(value) if callable(value) or isinstance(value, types.ModuleType) else None


def _is_plain(value: Any) -> bool:
    return isinstance(value, bool | int | float | str)
