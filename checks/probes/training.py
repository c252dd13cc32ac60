"""Lab 09, 9.1 to 9.4: what is tried."""

import functools
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from checks.engine import Inputs, Probe
from checks.engine.answer import Answer

Draw = Callable[[Inputs], tuple]


def tokens(inputs: Inputs, *shape: int, vocab: int, scale: float = 2.0) -> tuple[Tensor, Tensor]:
    """Logits (*shape, V) and targets (*shape)."""
    return inputs.randn(*shape, vocab) * scale, inputs.integers(*shape, high=vocab)


def confident(inputs: Inputs) -> tuple[Tensor, Tensor]:
    """Every target's logit is 4 above the other 5."""
    targets = inputs.integers(2, 3, high=6)
    return 4.0 * torch.nn.functional.one_hot(targets, 6), targets


def rates(*calls: tuple[range, int, int, float, float]) -> Callable[[Any, Inputs], list]:
    """The learning rates of many steps, by one schedule after the other."""

    def run(answer: Any, inputs: Inputs) -> list:
        return [answer(step, *schedule) for steps, *schedule in calls for step in steps]

    return run


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


def in_place(*draws: Draw, title: str, fails: str = "", with_result: bool = True) -> Probe:
    """Compare what stands in the tensors after each call, and what came back."""

    def run(answer: Any, inputs: Inputs) -> list:
        call = keeping_what_it_changes(answer)
        return [call(*draw(inputs))[0 if with_result else 1 :] for draw in draws]

    return Probe(title, run, fails=fails)


def gradients_of(inputs: Inputs, *shapes: tuple[int, ...], norm: float | None = None) -> list:
    """Gradients of these shapes; of a common norm, if it is given."""
    grads = [inputs.randn(*shape) for shape in shapes]
    if norm is None:
        return grads
    now = torch.cat([grad.flatten() for grad in grads]).norm()
    return [grad * (norm / now) for grad in grads]


def clipped_in_half(answer: Any, inputs: Inputs) -> list:
    """Gradients of 300 in float16, whose squares do not fit into it; bfloat16 stays bfloat16."""
    call, seen = keeping_what_it_changes(answer), []
    for dtype in (torch.float16, torch.bfloat16):
        grads = [torch.full((2, 3), 300.0, dtype=dtype), torch.full((4,), -300.0, dtype=dtype)]
        norm, after = call(grads, 8.0)[:2]
        right = 300 * 10**0.5
        seen += [bool(abs(norm - right) < 0.02 * right), *(grad.flatten()[:0] for grad in after)]
        seen += [bool((grad.abs().float() - 8 / 10**0.5).abs().max() < 0.05) for grad in after]
    return seen


def state(
    inputs: Inputs, *shape: int, fresh: bool = False
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """A parameter, its gradient, and moments; zeros if `fresh`."""
    param, grad = inputs.randn(*shape), inputs.randn(*shape) * 0.3
    if fresh:
        return param, grad, torch.zeros(shape), torch.zeros(shape)
    return param, grad, inputs.randn(*shape) * 0.2, inputs.uniform(*shape, low=0.01, high=0.2)


def some_steps(fresh_gradients: bool, **how: Any) -> Callable[[Any, Inputs], list]:
    """Several steps, each from where the last one ended: param, m and v after each."""

    def run(answer: Any, inputs: Inputs) -> list:
        call, seen = keeping_what_it_changes(answer), []
        param, grad, m, v = state(inputs, 3, 2, fresh=True)
        for step in range(1, 5):
            param, _, m, v = call(param, grad, m, v, step, 0.1, **how)[1:5]
            seen += [param, m, v]
            grad = inputs.randn(3, 2) * step if fresh_gradients else grad
        return seen

    return run


def a_parameter(answer: Any, inputs: Inputs) -> list:
    """A leaf that requires a gradient: it still does afterwards, and the moments do not."""
    param, grad, m, v = state(inputs, 2, 3)
    after = keeping_what_it_changes(answer)(param.requires_grad_(), grad, m, v, 2, 0.1)[1:5]
    return [after[0].is_leaf, *(value.requires_grad for value in after), after[0].detach()]


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
