"""Calling what the learner wrote: by value, with a time limit, with its own line when it breaks."""

import inspect
import types
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor
from torch.nn import Module

from checks.engine.isolation import Hangs, Output
from checks.engine.own_line import Found, home_of, own_line
from checks.engine.plain import allclose, equal, plain

_PLAIN = (Tensor, bool, int, float, complex, str, bytes, type(None), list, tuple, dict, set)


class Crash(Exception):
    """An exception inside the answer, with the learner's own line and the shapes found there.

    raised: the answer says so itself, in words of its own, by a `raise` or an `assert`.
    One that happened in another process brings what was found there along, as `found`.
    """

    def __init__(self, original: BaseException, home: str = "") -> None:
        super().__init__(str(original))
        self.original = original
        found: Found = getattr(original, "found", None) or own_line(original, home)
        self.line, self.number, self.shapes, self.owner, self.raised = found


class Wrong(Exception):
    """Raised by a probe that has a sentence to say instead of a value to compare."""


@dataclass
class Call:
    """One call of the answer: what it was given and what came back."""

    target: Any
    args: tuple
    kwargs: dict[str, Any]
    result: Any = None
    aside: bool = False  # what every module has, such as state_dict: no example of anything

    @property
    def given(self) -> dict[str, Any]:
        """The arguments by the names of the parameters."""
        return _named(self.target, self.args, self.kwargs)


@dataclass
class Transcript:
    """What the calls of one probe left behind."""

    calls: list[Call] = field(default_factory=list)
    changed: list[str] = field(default_factory=list)  # names of inputs changed in place
    unwritten: str | None = None  # the message of a NotImplementedError
    printed: Output = field(default_factory=Output)


class Answer:
    """A function, class or object of the learner's, called by value.

    Tensors and lists are copied before they are handed over and compared afterwards, so that an
    answer that changes its inputs is noticed and spoils nothing. Objects come back wrapped again.
    """

    def __init__(self, target: Any, transcript: Transcript) -> None:
        self._target, self._transcript = target, transcript

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Call the target with copies; raise `Crash` for what it raises."""
        given_args, given_kwargs = _copy(args), _copy(kwargs)
        call = Call(self._target, args, kwargs, aside=_is_aside(self._target))
        self._transcript.calls.append(call)
        try:
            result = plain(self._target(*given_args, **given_kwargs))
        except (KeyboardInterrupt, Hangs):
            raise
        except BaseException as error:
            crash = Crash(error, home_of(self._target))
            if isinstance(error, NotImplementedError) and _is_stub(crash):
                self._transcript.unwritten = str(error)
                raise
            raise crash from error
        if not _same((args, kwargs), (given_args, given_kwargs)):
            after = _named(self._target, given_args, given_kwargs)
            changed = [name for name, value in call.given.items() if not _same(value, after[name])]
            self._transcript.changed += changed
        call.result = _copy(result) if isinstance(result, _PLAIN) else None
        return self._wrapped(result)

    def __getattr__(self, name: str) -> Any:
        try:
            value = plain(getattr(self._target, name))
        except AttributeError as error:
            raise Crash(error) from error
        return self._wrapped(value)

    def __iter__(self) -> Iterator[Any]:
        return (self._wrapped(item) for item in self._target)

    def _wrapped(self, value: Any) -> Any:
        is_ours = (
            isinstance(value, Exception | types.ModuleType) or type(value).__module__ == "numpy"
        )
        if isinstance(value, _PLAIN) or is_ours:
            return value
        return Answer(value, self._transcript)


def error_of(call: Callable[[], Any]) -> str | None:
    """Return the name of the exception that `call` raises, e.g. "ValueError", or None."""
    try:
        call()
    except NotImplementedError:
        raise
    except Crash as crash:
        return type(crash.original).__name__
    except Exception as error:
        return type(error).__name__
    return None


def signature_of(target: Any) -> str:
    """Return the parameters of a callable as a learner would write them: "x, weight, eps=1e-05"."""
    try:
        parameters = inspect.signature(target).parameters.values()
    except (TypeError, ValueError):
        return "…"
    return ", ".join(str(p.replace(annotation=p.empty)) for p in parameters)


def _named(target: Any, args: tuple, kwargs: dict[str, Any]) -> dict[str, Any]:
    """Pair arguments with the target's parameter names."""
    callable_: Any = target.forward if isinstance(target, torch.nn.Module) else target
    owner = [callable_.__self__] if inspect.ismethod(callable_) else []
    try:
        signature = inspect.signature(callable_.__func__ if owner else callable_)
        arguments = signature.bind(*owner, *args, **kwargs).arguments
        return dict(list(arguments.items())[len(owner) :])
    except (TypeError, ValueError):  # it has none, or does not take them: the call will say so
        return {f"argument {i + 1}": value for i, value in enumerate(args)} | kwargs


def _is_aside(target: Any) -> bool:
    owner, name = getattr(target, "__self__", None), _name(target)
    return isinstance(owner, Module) and name != "forward" and hasattr(Module, name)


def _name(target: Any) -> str:
    return getattr(target, "__name__", type(target).__name__)


def _copy(value: Any) -> Any:
    if isinstance(value, Answer):
        return value._target
    if isinstance(value, Tensor):
        return value.clone()
    if type(value) in (list, tuple):
        return type(value)(_copy(item) for item in value)
    if type(value) is dict:
        return {key: _copy(item) for key, item in value.items()}
    return value


def _same(value: Any, after: Any) -> bool:
    """Tell whether a copy that was handed over still equals the original, bit for bit."""
    if isinstance(value, Tensor):
        before, now = (value.shape, value.dtype), (after.shape, after.dtype)
        if before != now or value.requires_grad != after.requires_grad:
            return False
        if value.is_meta:
            return True
        same = equal(value, after)  # the quick way, which takes no NaN for itself
        return same or bool(allclose(value, after, rtol=0, atol=0, equal_nan=True))
    if type(value) in (list, tuple):
        return len(value) == len(after) and all(map(_same, value, after))
    if type(value) is dict:
        return value.keys() == after.keys() and all(_same(value[k], after[k]) for k in value)
    if isinstance(value, str | int | float):
        return value is after or value == after  # the first for nan
    return True


def _is_stub(crash: Crash) -> bool:
    """Tell an unwritten exercise from an operation that torch lacks: the same exception."""
    says = str(crash.original)
    return says.startswith("Exercise ") or (not says and crash.line.startswith("raise "))
