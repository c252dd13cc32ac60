"""Probes that nearly every exercise needs, made from a function that draws arguments."""

import functools
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from checks.engine.answer import Wrong
from checks.engine.compare import TOLERANCE, close
from checks.engine.inputs import Inputs
from checks.engine.plain import allclose
from checks.engine.probe import Probe
from checks.engine.promises import GRADIENTS_FLOW, HALF_PRECISION

Draw = Callable[[Inputs], tuple]  # the arguments of one call


def values(
    *draws: Draw, title: str = "shape, dtype and values on {n} random inputs", promise: str = ""
) -> Probe:
    """Compare the results of several calls, each with fresh arguments, with the reference's."""
    return Probe(
        title.format(n=len(draws)),
        lambda answer, inputs: [answer(*draw(inputs)) for draw in draws],
        promise=promise,
    )


def gradients(
    *draws: Draw, title: str = "gradients flow, and are right", promise: str = GRADIENTS_FLOW
) -> Probe:
    """Compare the gradients with respect to every floating-point argument of several calls."""

    def of_one_call(answer: Any, args: list) -> list[Any]:
        result = answer(*args)
        if not isinstance(result, Tensor):
            return [result]  # the engine says what it is, and what it should be
        if not result.requires_grad:
            raise Wrong(fails)
        weight = torch.linspace(0.5, 1.5, result.numel()).reshape(result.shape)
        leaves = [value for value in args if isinstance(value, Tensor) and value.requires_grad]
        loss = (result * weight.to(result.dtype)).sum()
        return list(torch.autograd.grad(loss, leaves, materialize_grads=True))

    def run(answer: Any, inputs: Inputs) -> list[Any]:
        calls = [[_leaf(value) for value in draw(inputs)] for draw in draws]
        return [grad for args in calls for grad in of_one_call(answer, args)]

    fails = (
        "The result is not connected to the inputs by the right gradients. Is there a "
        "`.detach()`, `.item()`, `.data` or `torch.no_grad()` on the way?"
    )
    return Probe(title, run, fails, promise=promise)


def half_precision(
    draw: Draw, title: str = "values in float16 and bfloat16", promise: str = HALF_PRECISION
) -> Probe:
    """Compare dtype and values in half precision, where the numbers depend on the rounding.

    How they round is up to the answer: the room for it is that of the largest number.
    """

    def near(got: Tensor, right: Tensor) -> bool:
        relative = TOLERANCE[got.dtype]
        exact = right.detach().to(got.dtype).double()
        sizes = exact[exact.isfinite()].abs()
        absolute = relative * sizes.max().item() if sizes.numel() else 0.0
        given = got.detach().double()
        return allclose(given, exact, rtol=relative, atol=absolute, equal_nan=True)

    def run(answer: Any, inputs: Inputs) -> list[Tensor | bool]:
        verdicts: list[Tensor | bool] = []
        for dtype in (torch.float16, torch.bfloat16):
            args = [value.to(dtype) if _is_float(value) else value for value in draw(inputs)]
            exact = [value.double() if _is_float(value) else value for value in args]
            got, right = answer(*args), answer(*exact)
            if not isinstance(got, Tensor) or got.dtype != dtype:
                return (
                    [got.flatten()[:0]] if isinstance(got, Tensor) else [got]
                )  # the engine says what it is, and what it should be
            verdicts.append(got.flatten()[:0])
            verdicts.append(near(got, right))
        return verdicts

    return Probe(
        title,
        run,
        fails="In half precision the result is off by more than rounding. Compute in float32 "
        "(`x.float()`) and go back to the input's dtype at the end.",
        inexact=True,
        promise=promise,
    )


def expect_parameters(module: Any, expected: dict[str, Tensor]) -> None:
    """Raise a sentence when a module's parameters have other names or shapes."""
    found = {
        name: tuple(value.shape)
        for name, value in sorted(module.named_parameters(), key=lambda one: one[0])
    }
    wanted = {name: tuple(value.shape) for name, value in expected.items()}
    if found != wanted:
        written = ", ".join(f"`{name}` {shape}" for name, shape in found.items()) or "none"
        right = ", ".join(f"`{name}` {shape}" for name, shape in wanted.items())
        if buffers := ", ".join(f"`{name}`" for name, _ in module.named_buffers()):
            written += f", with {buffers} as a buffer"
        raise Wrong(f"its parameters are {written}; expected: {right}.")


def load(module: Any, state: dict[str, Tensor]) -> Any:
    """Give a module the weights of a probe and return it."""
    expect_parameters(module, state)
    module.load_state_dict(state, strict=False)
    return module


def agrees(got: Tensor, expected: Tensor) -> bool:
    """Tell whether two tensors of an answer are equal up to rounding."""
    return got.shape == expected.shape and bool(close(got, expected).all())


def _is_float(value: Any) -> bool:
    return isinstance(value, Tensor) and value.is_floating_point()


def _leaf(value: Any) -> Any:
    return value.detach().clone().requires_grad_() if _is_float(value) else value


def in_float32(formula: Callable[..., Tensor]) -> Callable[..., Tensor]:
    """Let a formula compute in float32 at least and return its first argument's dtype."""

    def wide(value: Any) -> Any:
        half = _is_float(value) and value.dtype in (torch.float16, torch.bfloat16)
        return value.float() if half else value

    @functools.wraps(formula)
    def computed(*args: Any, **kwargs: Any) -> Tensor:
        dtype = next(iter((*args, *kwargs.values()))).dtype
        named = {name: wide(value) for name, value in kwargs.items()}
        return formula(*map(wide, args), **named).to(dtype)

    return computed
