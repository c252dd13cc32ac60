"""The learner's own line in an error's traceback. It needs torch only, for workers that grade."""

import inspect
import linecache
import os
import sysconfig
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.nn import Module

_LIBRARIES = tuple(
    os.path.realpath(path)
    for path in {*sysconfig.get_paths().values(), os.path.dirname(torch.__file__)}
    if path != sysconfig.get_paths()["data"]  # the root of the installation, above everything else
)
_OURS = tuple(Path(__file__).resolve().parents[2] / name for name in ("checks", "assets"))

Found = tuple[str, int, str, str, bool]


def own_line(error: BaseException, home: str) -> Found:
    """Find the deepest line that the learner wrote, and the shapes of the tensors named in it.

    home: the file of the answer. A line in it comes before one in a piece of another lab.
    → the line, its number, the shapes, the class whose method the error was raised in, and whether
    the answer says so itself, in words of its own, by a `raise` or an `assert`.
    """
    own, trace, at_home, last = None, error.__traceback__, False, None
    while trace is not None:
        last = trace.tb_frame
        file = trace.tb_frame.f_code.co_filename
        if _is_own(file) and (file == home or not at_home):
            own, at_home = trace, at_home or file == home
        trace = trace.tb_next
    owner = type(last.f_locals["self"]).__name__ if last and "self" in last.f_locals else ""
    raised = _is_raised(error)
    if own is None:
        return "", 0, "", owner, raised
    frame, number = own.tb_frame, own.tb_lineno
    line = linecache.getline(frame.f_code.co_filename, number, frame.f_globals).strip()
    tensors = {
        name: value
        for name, value in frame.f_locals.items()
        if isinstance(value, Tensor) and (name in line or not line)
    }
    shapes = ", ".join(f"{name} {tuple(value.shape)}" for name, value in tensors.items())
    return line, number, shapes, owner, raised


def _is_raised(error: BaseException) -> bool:
    """Tell whether the innermost line is a `raise` or an `assert`, and none of a library's."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    if trace is None:
        return False
    file = trace.tb_frame.f_code.co_filename
    says = linecache.getline(file, trace.tb_lineno, trace.tb_frame.f_globals).strip()
    return says.startswith(("raise ", "assert ")) and not _is_library(file)


def home_of(target: Any) -> str:
    """The file, or the cell, in which a function, a method or a module's `forward` is written."""
    called = type(target).forward if isinstance(target, Module) else target
    if inspect.isclass(called):
        called = vars(called).get("__init__")
    code = getattr(inspect.unwrap(called) if callable(called) else called, "__code__", None)
    return code.co_filename if code else ""


def _is_own(filename: str) -> bool:
    if filename.startswith("<frozen"):
        return False
    path = Path(os.path.realpath(filename))
    return not any(map(path.is_relative_to, _OURS)) and not _is_library(filename)


def _is_library(filename: str) -> bool:
    path = Path(os.path.realpath(filename))
    return any(map(path.is_relative_to, _LIBRARIES))
