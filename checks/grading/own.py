"""Is an answer the learner's, or the course's own piece under their name?

Two looks. `theirs` looks at the answer itself: where its code lies, through aliases, partials and
subclasses. The gates look while it runs, so that a wrapper which calls the course's own piece is
noticed: the graded copy of the course ends each module of worked pieces with `gate`, and
`gate_reference` stands before what a check compares with. A piece of an EARLIER exercise may be
called: that is how the labs build on each other.
"""

import dis
import functools
import gc
import inspect
import os
import sys
import sysconfig
import types
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

SAYS = "this is the course's own, write yours"
FOLDERS = ("checks", "solutions", "plots", "assets")
HERE = Path(__file__).resolve().parents[2]
DEEPEST = 8  # wrappers around wrappers
MOST = 300  # helpers of one answer that are looked through

Number = tuple[int, ...]  # "3.10" as (3, 10)

_LIBRARIES = tuple(
    os.path.realpath(path)
    for key, path in sysconfig.get_paths().items()
    if key not in ("data", "scripts")
)


class CoursesOwn(RuntimeError):
    """Raised by a piece of the course's when the answer that is being checked calls it."""


class Trial:
    """The exercise whose answer is being tried, and whether it called what it should write."""

    def __init__(self) -> None:
        self.number: Number | None = None
        self.name = ""
        self.stolen = False


roots: list[str] = [
    str(HERE)
]  # where the course lies: this copy, and the one that it was made from
numbers: dict[str, Number] = {}  # the exercise of each worked piece
trial = Trial()


def gate(names: dict[str, Any]) -> None:
    """Let the worked pieces of a module, given by its names, notice who calls them."""
    for name, value in list(names.items()):
        if getattr(value, "__module__", None) == names["__name__"]:
            names[name] = _gated(value, name)


def gate_reference(check: Any) -> None:
    """Let a check's reference notice when the answer calls it instead of being compared with it."""
    original = check.reference
    gated = _gated(original, check.name, reference=True)
    if gated is original:  # a class: its methods were replaced
        return
    object.__setattr__(check, "reference", gated)
    for key, module in list(sys.modules.items()):
        if key.startswith("checks."):
            places = [name for name, value in list(vars(module).items()) if value is original]
            for name in places:
                setattr(module, name, gated)


def forget() -> None:
    """Look anew at what was seen before `roots` changed."""
    _in_course.cache_clear()


def theirs(answer: Any, name: str) -> bool:
    """Tell whether `answer` is a piece of the course's, or nothing but a wrapper around one."""
    number = numbers.get(name)
    if any(_is_courses(part, number) for part in _unwrapped(answer)):
        return True
    return any(_reaches_checks(code, names) for code, names in _codes(answer))


def _gated(value: Any, name: str, *, reference: bool = False) -> Any:
    if inspect.isclass(value):
        for key, method in list(vars(value).items()):
            if inspect.isfunction(method):
                setattr(value, key, _gated(method, name, reference=reference))
        return value
    if not inspect.isfunction(value):
        return value

    def piece(*args: Any, **kwargs: Any) -> Any:
        if trial.number is not None and _is_stolen(name, reference, sys._getframe(1)):
            trial.stolen = True
            raise CoursesOwn(SAYS)
        return value(*args, **kwargs)

    # All of functools.wraps but `__wrapped__`, which leads around the gate.
    for key in ("__module__", "__name__", "__qualname__", "__doc__"):
        setattr(piece, key, getattr(value, key))
    vars(piece).update(vars(value))
    piece.__signature__ = inspect.signature(value)  # type: ignore[attr-defined]
    return piece


def _is_stolen(name: str, reference: bool, caller: types.FrameType) -> bool:
    """The worked piece of this or a later exercise, or the reference, called by the answer."""
    if not reference:
        return trial.number is not None and numbers.get(name, (0,)) >= trial.number
    return name == trial.name and _learner_calls(caller)


def _learner_calls(frame: types.FrameType | None) -> bool:
    """Tell whether the learner's code stands between this frame and the check that runs it."""
    while frame is not None and frame.f_code is not _run_code:
        file = frame.f_code.co_filename
        if not file.startswith("<") and not _in_course(file) and not _in_library(file):
            return True
        frame = frame.f_back
    return False


def try_out(number: Number, name: str, check: Callable[[], Any]) -> tuple[Any, bool]:
    """Run an exercise's check; return what it returns, and whether it met the course's own."""
    trial.number, trial.name, trial.stolen = number, name, False
    try:
        return check(), trial.stolen
    finally:
        trial.number = None


_run_code = try_out.__code__


def _unwrapped(answer: Any) -> Iterator[Any]:
    """Yield an answer and what it wraps: partials, caches, compiled functions, bound methods."""
    seen: set[int] = set()
    waiting = [(answer, 0)]
    while waiting:
        value, depth = waiting.pop()
        if id(value) in seen or depth > DEEPEST:
            continue
        seen.add(id(value))
        yield value
        waiting += [(part, depth + 1) for part in _parts(value)]


def _parts(value: Any) -> list[Any]:
    """What a wrapper hands its calls to; nothing for code that the learner wrote."""
    if isinstance(value, functools.partial):
        return [value.func]
    if isinstance(value, types.MethodType):
        return [value.__func__]
    if isinstance(value, staticmethod | classmethod):
        return [value.__func__]
    if isinstance(value, types.FunctionType):
        if not _in_library(value.__code__.co_filename):
            return []
        inner = [cell.cell_contents for cell in value.__closure__ or () if _is_filled(cell)]
        return [part for part in (*inner, vars(value).get("__wrapped__")) if callable(part)]
    if isinstance(value, type | types.ModuleType):
        return []
    kind = type(value)
    if _class_file(kind) is not None and not _in_library(_class_file(kind) or ""):
        return [vars(kind)["__call__"]] if "__call__" in vars(kind) else []
    found = [
        part for part in gc.get_referents(value) if not isinstance(part, type | types.ModuleType)
    ]
    inside = [item for part in found if isinstance(part, dict) for item in part.values()]
    return [part for part in (*found, *inside) if callable(part)]


def _is_filled(cell: types.CellType) -> bool:
    try:
        return cell.cell_contents is not None
    except ValueError:
        return False


def _is_courses(value: Any, number: Number | None) -> bool:
    if isinstance(value, types.FunctionType):
        return _in_course(value.__code__.co_filename)
    if isinstance(value, type):
        mro = [kind for kind in value.__mro__ if _class_file(kind) is not None]
        of_course = [kind for kind in mro if _in_course(_class_file(kind) or "")]
        if not of_course:
            return False
        own = [k for k in mro if k not in of_course and not _in_library(_class_file(k) or "")]
        earlier = number is not None and all(
            numbers.get(kind.__name__, number) < number for kind in of_course
        )
        return not (own and earlier and any(map(_has_code, own)))
    return not isinstance(value, types.ModuleType) and _in_course(_class_file(type(value)) or "")


def _class_file(kind: type) -> str | None:
    """The file that a class was written in: by its methods, else by its module."""
    for method in vars(kind).values():
        code = getattr(method, "__code__", None)
        if code is not None and not code.co_filename.startswith("<"):
            return str(code.co_filename)
    module = sys.modules.get(str(getattr(kind, "__module__", "")))
    return getattr(module, "__file__", None)


def _has_code(kind: type) -> bool:
    return any(hasattr(value, "__code__") for value in vars(kind).values())


def _codes(answer: Any) -> Iterator[tuple[types.CodeType, dict[str, Any]]]:
    """Yield the code that an answer consists of and the names that it sees: helpers included."""
    seen: set[int] = set()
    waiting: list[Any] = [answer]
    while waiting and len(seen) < MOST:
        value = waiting.pop()
        if id(value) in seen:
            continue
        seen.add(id(value))
        if isinstance(value, type):
            waiting += [part for part in vars(value).values() if hasattr(part, "__code__")]
        if isinstance(value, functools.partial | types.MethodType):
            waiting.append(getattr(value, "func", None) or getattr(value, "__func__", None))
        if not isinstance(value, types.FunctionType):
            continue
        file = value.__code__.co_filename
        if _in_course(file) or _in_library(file):
            continue
        cells = zip(value.__code__.co_freevars, value.__closure__ or (), strict=False)
        closed = {name: cell.cell_contents for name, cell in cells if _is_filled(cell)}
        names = value.__globals__ | closed
        for code in _nested(value.__code__):
            yield code, names
            waiting += [names[one] for one in {*code.co_names, *code.co_freevars} if one in names]


def _nested(code: types.CodeType) -> Iterator[types.CodeType]:
    yield code
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            yield from _nested(constant)


def _reaches_checks(code: types.CodeType, names: dict[str, Any]) -> bool:
    """Tell whether code imports from the checks or the solutions, or uses something of theirs."""
    for step in dis.get_instructions(code):
        if step.opname == "IMPORT_NAME" and str(step.argval).split(".")[0] in (
            "checks",
            "solutions",
        ):
            return True
        if "GLOBAL" in step.opname or "DEREF" in step.opname or step.opname == "LOAD_NAME":
            value = names.get(step.argval) if isinstance(step.argval, str) else None
            if isinstance(value, types.ModuleType):
                file = getattr(value, "__file__", None) or ""
            elif isinstance(value, types.FunctionType):
                file = value.__code__.co_filename
                if _is_gated(value):
                    continue  # it notices by itself whether it may be called
            else:
                continue
            if _in_course(file, ("checks", "solutions")) and not _is_package(value):
                return True
    return False


def _is_gated(value: types.FunctionType) -> bool:
    return value.__code__.co_filename == __file__ and value.__code__.co_name == "piece"


def _is_package(value: Any) -> bool:
    """`import my_llama`: all the worked pieces, each of which has its gate."""
    return getattr(value, "__name__", "").split(".")[0] == "my_llama"


@functools.lru_cache(4096)
def _in_course(file: str, folders: tuple[str, ...] = FOLDERS) -> bool:
    path = os.path.realpath(file)
    return any(
        path.startswith(os.path.join(root, folder) + os.sep) for root in roots for folder in folders
    )


@functools.lru_cache(4096)
def _in_library(file: str) -> bool:
    return file.startswith("<frozen") or os.path.realpath(file).startswith(_LIBRARIES)
