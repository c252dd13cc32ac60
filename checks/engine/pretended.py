"""A pretended second device: follows what is made on the CPU, everything else lies on it.

It needs torch only, so that the class grader's workers, which have no checks, can load it as well.
"""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode

GPU = torch.device("cuda", 0)
CPU = torch.device("cpu")
# They may be given tensors of two devices: a copy, an index, or something of which they want
# nothing but the shape.
TOLERANT = {
    *("copy_", "expand_as", "view_as", "reshape_as", "__getitem__", "__setitem__", "__set__"),
    "_has_compatible_shallow_copy_type",
}
# What a tensor says of its own place, and what it says on the device.
PLACES: dict[Any, Any] = {
    vars(torch._C.TensorBase)["device"].__get__: GPU,
    vars(torch._C.TensorBase)["is_cuda"].__get__: True,
    vars(torch._C.TensorBase)["is_cpu"].__get__: False,
    Tensor.get_device: 0,
}


class PretendedDevice(TorchFunctionMode):
    """Follows what is made on the CPU; everything else lies on the pretended device."""

    def __init__(self) -> None:
        super().__init__()
        self.mixed = False
        self._on_cpu: dict[int, Tensor] = {}  # by storage; kept alive, so that none is reused

    def take(self, tensors: Iterable[Tensor]) -> None:
        """Move tensors to the device, as `module.to(device)` moves parameters and buffers."""
        for tensor in tensors:
            self._on_cpu.pop(_storage(tensor), None)

    def holds(self, tensor: Tensor) -> bool:
        """Tell whether a tensor lies on the device."""
        return _storage(tensor) not in self._on_cpu

    def __torch_function__(
        self, func: Callable, types: Any, args: tuple = (), kwargs: dict | None = None
    ) -> Any:
        """Run one operation of torch and note where its result lies."""
        name, given = getattr(func, "__name__", ""), list(_tensors((args, kwargs)))
        if func in PLACES and self.holds(args[0]):
            return PLACES[func]
        if name == "type" and len(args) == 1 and not kwargs and self.holds(args[0]):
            return func(*args).replace("torch.", "torch.cuda.", 1)  # x.type(), a string
        if name == "cuda":  # torch without a GPU cannot: a copy stands for it
            return self._placed(args[0], GPU)
        there = [self.holds(tensor) for tensor in given]
        place, args, kwargs = _asked(name, args, kwargs or {})
        if name in ("to", "type_as") and place is None:
            others = [*args[1:], *kwargs.values()]
            other = next((other for other in others if isinstance(other, Tensor)), None)
            place = None if other is None else GPU if self.holds(other) else CPU
        if name == "numpy" and self.holds(args[0]):  # a tensor that lies on a GPU refuses
            self.mixed = True
        result = func(*args, **kwargs)
        if name == "cpu":
            place = CPU
        if place is not None:
            return self._placed(result, place)
        large = {held for held, tensor in zip(there, given, strict=True) if tensor.dim()}
        if len(large) == 2 and name not in TOLERANT:
            self.mixed = True
        if not any(there):
            for tensor in _tensors(result):
                self._on_cpu[_storage(tensor)] = tensor
        return result

    def _placed(self, result: Any, place: torch.device) -> Any:
        """A result that lies where it was sent, in a storage of its own."""
        if not isinstance(result, Tensor):
            return result
        # A parameter stays one: a new one is made anyway, and moved by nobody else.
        if not isinstance(result, torch.nn.Parameter):
            result = result.clone()
        if place.type == "cpu":
            self._on_cpu[_storage(result)] = result
        else:
            self._on_cpu.pop(_storage(result), None)
        return result


@contextmanager
def pretended_device() -> Iterator[PretendedDevice]:
    """Follow what the block makes on the CPU."""
    with PretendedDevice() as device:
        yield device


def _asked(name: str, args: tuple, kwargs: dict) -> tuple[torch.device | None, tuple, dict]:
    """The device that a call asks for, if it does; its arguments ask for the CPU instead."""
    places = [*(args[1:] if name in ("to", "type") else ()), *map(kwargs.get, ("device", "dtype"))]
    found = [place for value in places if (place := _device_in(value)) is not None]
    if not found:
        return None, args, kwargs
    return found[0], tuple(map(_on_cpu, args)), {k: _on_cpu(v) for k, v in kwargs.items()}


def _device_in(value: Any) -> torch.device | None:
    """The device that an argument names: a device, "cuda", or the type "torch.cuda.FloatTensor"."""
    if isinstance(value, torch.device):
        return value if value.type in ("cpu", "cuda") else None
    if isinstance(value, str):
        if value.startswith("torch."):
            return GPU if value.startswith("torch.cuda.") else CPU
        return GPU if value.startswith("cuda") else CPU if value.startswith("cpu") else None
    return GPU if type(value) is int and not isinstance(value, bool) else None


def _on_cpu(value: Any) -> Any:
    if isinstance(value, torch.device) and value.type == "cuda":
        return CPU
    if isinstance(value, str):
        if value.startswith("torch.cuda."):
            return value.replace("torch.cuda.", "torch.", 1)
        return "cpu" if value.startswith("cuda") else value
    return value


def _storage(tensor: Tensor) -> int:
    while torch._C._functorch.is_functorch_wrapped_tensor(tensor):
        tensor = torch._C._functorch.get_unwrapped(tensor)
    return tensor.untyped_storage().data_ptr() or id(tensor)


def _tensors(value: Any) -> Iterator[Tensor]:
    if isinstance(value, Tensor):
        yield value
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _tensors(item)
    elif isinstance(value, dict):
        yield from _tensors(list(value.values()))
