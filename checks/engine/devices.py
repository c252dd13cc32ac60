"""Would it run on a GPU? A pretended second device that costs nothing and needs no hardware.

    with pretended_device() as device:
        result = answer(q, k, mask)          # the arguments, made before, lie on the device
    device.mixed                             # something made on the CPU met them

What is made inside the block without a `device` is followed through every operation. torch's own
meta device would do as well, but its first matrix product takes a second.
"""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode

from checks.engine.check import Probe
from checks.engine.inputs import Inputs

# They may be given tensors of two devices: a copy, an index, or something of which they want
# nothing but the shape.
TOLERANT = {
    *("copy_", "expand_as", "view_as", "reshape_as", "__getitem__", "__setitem__", "__set__"),
    "_has_compatible_shallow_copy_type",
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
        kwargs = kwargs or {}
        name, given = getattr(func, "__name__", ""), list(_tensors((args, kwargs)))
        result = func(*args, **kwargs)
        if name == "numpy":  # a tensor that lies on a GPU refuses
            self.mixed = True
        if name == "cpu" or (name == "to" and any(isinstance(a, str) for a in args[1:])):
            result = result.clone()
            self._on_cpu[_storage(result)] = result
            return result
        if self._moves(name, args, kwargs):
            return result.clone() if isinstance(result, Tensor) else result
        there = [self.holds(tensor) for tensor in given]
        large = {held for held, tensor in zip(there, given, strict=True) if tensor.dim()}
        if len(large) == 2 and name not in TOLERANT:
            self.mixed = True
        if not any(there):
            for tensor in _tensors(result):
                self._on_cpu[_storage(tensor)] = tensor
        return result

    def _moves(self, name: str, args: tuple, kwargs: dict) -> bool:
        """Tell whether the result goes to the device, by its name or with another tensor."""
        target = kwargs.get("device")
        if name in ("to", "type_as"):
            others = [*args[1:], kwargs.get("other")]
            target = target or next((a for a in others if isinstance(a, torch.device)), None)
            if any(isinstance(other, Tensor) and self.holds(other) for other in others):
                return True
        return isinstance(target, torch.device)


@contextmanager
def pretended_device() -> Iterator[PretendedDevice]:
    """Follow what the block makes on the CPU."""
    with PretendedDevice() as device:
        yield device


def keeps_device(draw: Callable[[Inputs], tuple]) -> Probe:
    """Look for tensors that a function makes on the CPU whatever the device of its inputs is."""

    def run(answer: Any, inputs: Inputs) -> str:
        args = draw(inputs)
        with pretended_device() as device:
            result = answer(*args)
        stays = isinstance(result, Tensor) and not device.holds(result)
        return "mixed devices" if device.mixed or stays else "one device"

    return Probe(
        "works on the device of its inputs",
        run,
        fails="A tensor made inside the function lies on the CPU whatever the inputs' device is. "
        "Give it `device=x.device`.",
    )


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
