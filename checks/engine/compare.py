"""The first difference between what an answer gave and what was expected, as a sentence."""

import math
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from checks.engine.plain import equal, isclose, plain

# Relative error that a correct formula may have, in another order of operations or another layout.
TOLERANCE = {torch.float64: 1e-5, torch.float32: 1e-4, torch.float16: 5e-3, torch.bfloat16: 2e-2}
LARGEST = sys.float_info.max  # a whole number beyond it cannot become a float
LONG = 200  # bits of a whole number that is not written out
ABSOLUTE = 0.05  # of the tolerance, times the largest expected number: room for sums that cancel


@dataclass(frozen=True)
class Difference:
    """One way in which a result differs. `says` completes "it returned …"."""

    kind: str  # none, type, length, keys, shape, dtype, device, nan, value, error
    says: str
    index: tuple[int, ...] | None = None  # of the first number that differs, in a tensor


def difference(got: Any, expected: Any) -> Difference | None:
    """Compare `got` with `expected`, both plain values, lists or tensors; None when they agree."""
    got = plain(got)
    if isinstance(expected, Tensor):
        return _tensor_difference(got, expected)
    if got is None and expected is not None:
        return Difference("none", "None: is there a `return`?")
    if isinstance(expected, bool | str) or expected is None:
        if type(got) is not type(expected):
            return _wrong_type(got, expected)
        return None if got == expected else Difference("value", f"{got!r}, expected {expected!r}")
    if isinstance(expected, int | float):
        return _number_difference(got, expected)
    if isinstance(expected, list | tuple):
        return _sequence_difference(got, expected)
    if isinstance(expected, dict):
        return _dict_difference(got, expected)
    raise TypeError(f"a probe returned {type(expected).__name__}, which the engine cannot compare")


def numbers(value: Any) -> Iterator[float]:
    """The different numbers in a result, however nested: evidence that a mistake can be told by.

    Some may come more than once.
    """
    if isinstance(value, Tensor):
        if value.is_meta or not is_ordinary(value):
            return  # it has no numbers to show
        real = torch.view_as_real(value) if value.is_complex() else value
        # Piece by piece, since who asks has often seen enough after the first ones.
        for some in real.detach().flatten().split(1000):
            yield from some.to(torch.float64).unique().tolist()
    elif isinstance(value, int | float):
        yield math.inf if abs(value) > LARGEST else float(value)
    elif isinstance(value, str):
        yield from map(float, value.encode("utf-8", "surrogatepass"))
    elif isinstance(value, list | tuple):
        for item in value:
            yield from numbers(item)
    elif isinstance(value, dict):
        for item in value.items():
            yield from numbers(item)


def close(got: Tensor, expected: Tensor) -> Tensor:
    """Tell for each number whether `got` is `expected` up to rounding: both (...) → bool (...)."""
    if not expected.is_floating_point() and not expected.is_complex():
        return got == expected
    relative = TOLERANCE.get(expected.dtype, 1e-4)
    exact = expected.detach().to(torch.complex128 if expected.is_complex() else torch.float64)
    given = got.detach().as_subclass(Tensor).to(exact.dtype)
    finite = exact[exact.isfinite()].abs()
    absolute = ABSOLUTE * relative * finite.max().item() if finite.numel() else 0.0
    return isclose(given, exact, rtol=relative, atol=absolute, equal_nan=True)


def _tensor_difference(got: Any, expected: Tensor) -> Difference | None:
    if got is None:
        return Difference("none", "None: is there a `return`?")
    if not isinstance(got, Tensor) or not is_ordinary(got):
        return _wrong_type(got, expected)
    if got.shape != expected.shape:
        return Difference("shape", _shape_sentence(tuple(got.shape), tuple(expected.shape)))
    if got.dtype != expected.dtype:
        return Difference("dtype", f"{_dtype(got)} where {_dtype(expected)} is expected")
    if got.device != expected.device:
        return Difference("device", f"a tensor on {got.device}, expected {expected.device}")
    if got.is_meta or equal(got, expected):
        return None
    agrees = close(got, expected)
    if agrees.all():
        return None
    index = tuple((~agrees).nonzero()[0].tolist())
    at = f" at {list(index)}" if index else ""
    mine, right = got[index].item(), expected[index].item()
    if mine != mine:
        return Difference("nan", f"NaN{at}, expected {_number(right)}", index)
    return Difference("value", f"{_number(mine)}{at}, expected {_number(right)}", index)


def _shape_sentence(got: tuple[int, ...], expected: tuple[int, ...]) -> str:
    says = f"shape {got}, expected {expected}"
    if len(got) == len(expected) - 1:
        for i, size in enumerate(expected):
            if got == expected[:i] + expected[i + 1 :]:
                return f"{says}: dimension {i}, of size {size}, is gone"
    if len(got) == len(expected) + 1:
        return f"{says}: there is a dimension too many"
    if got != expected and sorted(got) == sorted(expected):
        return f"{says}: the right sizes in another order"
    return says


def _number_difference(got: Any, expected: float) -> Difference | None:
    if isinstance(got, bool) or not isinstance(got, int | float):
        return _wrong_type(got, expected)
    if isinstance(expected, int):  # counts and ids: not one too many
        agrees = got == expected
    elif got != got or expected != expected:
        agrees = got != got and expected != expected
    else:
        room = (1 + ABSOLUTE) * TOLERANCE[torch.float32] * abs(expected)
        agrees = got == expected or (
            math.isfinite(expected) and abs(got) <= LARGEST and abs(got - expected) <= room
        )
    if agrees:
        return None
    return Difference("value", f"{_number(got)}, expected {_number(expected)}")


def _sequence_difference(got: Any, expected: list | tuple) -> Difference | None:
    # Any tuple: a named one that comes from another process has a class of its own.
    if not isinstance(got, tuple if isinstance(expected, tuple) else list):
        return _wrong_type(got, expected)
    for item, right in zip(got, expected, strict=False):
        if found := difference(item, right):
            return found
    if len(got) != len(expected):
        return Difference("length", f"{len(got)} items, expected {len(expected)}")
    return None


def _dict_difference(got: Any, expected: dict) -> Difference | None:
    if not isinstance(got, dict):
        return _wrong_type(got, expected)
    if missing := [key for key in expected if key not in got]:
        return Difference("keys", f"nothing for {missing[0]!r}, expected {expected[missing[0]]!r}")
    if extra := [key for key in got if key not in expected]:
        return Difference("keys", f"an entry for {extra[0]!r}, which should not be there")
    for key, right in expected.items():
        if found := difference(got[key], right):
            return Difference(found.kind, f"for {key!r} {found.says}", found.index)
    return None


def is_ordinary(tensor: Tensor) -> bool:
    """Tell whether a tensor is neither sparse nor nested nor quantized."""
    return tensor.layout == torch.strided and not tensor.is_quantized and not tensor.is_nested


def _wrong_type(got: Any, expected: Any) -> Difference:
    if got is None:
        return Difference("none", "None: is there a `return`?")
    wanted = {Tensor: "a tensor", bool: "True or False", int: "an int", str: "a string"}
    right = wanted.get(type(expected), f"a {type(expected).__name__}")
    if isinstance(got, tuple) and isinstance(expected, Tensor):
        kind = f"a tuple of {len(got)}"
        advice = "return one thing, and mind a comma at the end of the line"
    elif type(got).__module__ == "numpy":
        kind, advice = "a numpy array", "stay in torch, so that gradients and devices survive"
    else:
        return Difference("type", f"{a_kind_of(got)}, expected {right}")
    return Difference("type", f"{kind}, expected {right}: {advice}")


def a_kind_of(value: Any) -> str:
    """Name the kind of a value: "an int", "a sparse tensor", "a generator"."""
    value = vars(value).get("_target", value) if type(value).__name__ == "Answer" else value
    name = "tensor" if isinstance(value, Tensor) else type(value).__name__
    if isinstance(value, Tensor) and not is_ordinary(value):
        name = "quantized tensor" if value.is_quantized else "sparse or nested tensor"
    return f"{'an' if name[0].lower() in 'aeiou' else 'a'} {name}"


def _dtype(tensor: Tensor) -> str:
    return str(tensor.dtype).removeprefix("torch.")


def whole_number(value: int) -> str:
    """Write a whole number out, unless it is very long: beyond 4,300 digits Python refuses."""
    bits = value.bit_length()
    return f"a whole number of {bits} bits" if bits > LONG else str(value)


def _number(value: Any) -> str:
    if isinstance(value, int):
        return whole_number(value)
    if isinstance(value, complex):
        return str(value)
    return f"{value:.6g}"
