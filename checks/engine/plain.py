"""What an answer returned, as plain values: no subclass of its own may decide whether it is right.

The comparisons that the engine uses are kept here when it is loaded, before anything else in the
process can put others in their places.
"""

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor
from torch.nn import Parameter

_equal, _allclose, _isclose = torch.equal, torch.allclose, torch.isclose
_as_subclass, _no_overrides = Tensor.as_subclass, torch._C.DisableTorchFunctionSubclass
_no_modes = torch._C.DisableTorchFunction
_PLAIN = (Tensor, Parameter)
LYING = ("__eq__", "__iter__", "__len__", "__getitem__")  # where a tuple says what is in it


def plain(value: Any) -> Any:
    """The same tensors, numbers, texts and collections, of the types that Python and torch give."""
    kind = type(value)
    if kind in _PLAIN or kind in (bool, int, float, complex, str, bytes, type(None)):
        return value
    if issubclass(kind, Tensor):
        with _no_overrides():
            return value if issubclass(kind, Parameter) else _as_subclass(value, Tensor)
    if issubclass(kind, list):
        items = [plain(item) for item in list.__iter__(value)]
        return value if kind is list and _same(items, value) else items
    if issubclass(kind, tuple):
        items = [plain(item) for item in tuple.__iter__(value)]
        honest = not any(name in vars(kind) for name in LYING)  # as a NamedTuple is
        return value if (kind is tuple or honest) and _same(items, value) else tuple(items)
    if issubclass(kind, dict):
        table = {plain(key): plain(item) for key, item in dict.items(value)}
        return value if kind is dict and _same([*table.values()], value.values()) else table
    if issubclass(kind, int):
        return int.__add__(value, 0)
    if issubclass(kind, float):
        return float.__add__(value, 0.0)
    return str.__str__(value) if issubclass(kind, str) else value


def equal(a: Tensor, b: Tensor) -> bool:
    """`torch.equal` on plain tensors."""
    with _no_modes():
        return _equal(plain(a), plain(b))


def allclose(a: Tensor, b: Tensor, **room: Any) -> bool:
    """`torch.allclose` on plain tensors."""
    with _no_modes():
        return _allclose(plain(a), plain(b), **room)


def isclose(a: Tensor, b: Tensor, **room: Any) -> Tensor:
    """`torch.isclose` on plain tensors."""
    with _no_modes():
        return _isclose(plain(a), plain(b), **room)


def _same(items: list[Any], before: Iterable[Any]) -> bool:
    return all(item is other for item, other in zip(items, before, strict=True))
