"""Lab 09: probes for functions that change what they are given, and should."""

import functools
from collections.abc import Callable
from typing import Any

from torch import Tensor

from checks.engine import Inputs, Probe
from checks.engine.answer import Answer

Draw = Callable[[Inputs], tuple]


def keeping_what_it_changes(answer: Any) -> Any:
    """Let an answer that works in place return [its result, its tensors afterwards] instead."""
    target = answer._target

    @functools.wraps(target)
    def observed(*args: Any, **kwargs: Any) -> list:
        own, named = _fresh(args), _fresh(kwargs)
        given = [value for value in (*own, *named.values()) if _holds(value)]
        before = [list(value) if type(value) is list else value for value in given]
        result = target(*own, **named)
        return [result, *map(_after, given, before)]

    return Answer(observed, answer._transcript)


def in_place(*draws: Draw, title: str, fails: str, promise: str, with_result: bool = True) -> Probe:
    """Compare what stands in the tensors after each call, and what came back."""

    def run(answer: Any, inputs: Inputs) -> list:
        call = keeping_what_it_changes(answer)
        return [call(*draw(inputs))[0 if with_result else 1 :] for draw in draws]

    return Probe(title, run, fails, promise=promise)


def _fresh(value: Any) -> Any:
    """A copy that can be changed without the engine noticing; a leaf stays a leaf."""
    if isinstance(value, Tensor):
        return value.detach().clone().requires_grad_(value.requires_grad)
    if type(value) in (list, tuple):
        return type(value)(_fresh(item) for item in value)
    if type(value) is dict:
        return {key: _fresh(item) for key, item in value.items()}
    return value


def _holds(value: Any) -> bool:
    return isinstance(value, Tensor) or type(value) is list


def _after(value: Any, before: Any) -> Any:
    """The tensor, or the tensors that were in the list: new ones in their place change nothing."""
    if type(value) is list and len(value) != len(before):
        return list(value)
    return before
