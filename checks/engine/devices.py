"""Would it run on a GPU? A pretended second device that costs nothing and needs no hardware.

    with pretended_device() as device:
        result = answer(q, k, mask)          # the arguments, made before, lie on the device
    device.mixed                             # something made on the CPU met them

What is made inside the block without a `device` is followed through every operation. What lies on
the device says so: its `device` is cuda:0, and whatever is made there or moved there lies there
too. torch's own meta device would do as well, but its first matrix product takes a second.
"""

from collections.abc import Callable
from typing import Any

from torch import Tensor

from checks.engine.inputs import Inputs
from checks.engine.pretended import PretendedDevice, pretended_device
from checks.engine.probe import Probe
from checks.engine.promises import SAME_DEVICE

__all__ = ["PretendedDevice", "keeps_device", "module_keeps_device", "pretended_device"]


def keeps_device(draw: Callable[[Inputs], tuple]) -> Probe:
    """Look for tensors that a function makes on the CPU whatever the device of its inputs is."""

    def run(answer: Any, inputs: Inputs) -> str:
        args = draw(inputs)
        with pretended_device() as device:
            result = answer(*args)
        return _verdict(device, result)

    return Probe(
        "works on the device of its inputs",
        run,
        fails="A tensor made inside the function lies on the CPU whatever the inputs' device is. "
        "Give it `device=x.device`.",
        promise=SAME_DEVICE,
    )


def module_keeps_device(
    make: Callable[[Any, Inputs], Any], draw: Callable[[Inputs], tuple], fails: str = ""
) -> Probe:
    """Look for tensors that a module makes on the CPU when it is called.

    make: builds the module from the answer, with its weights loaded; draw: the arguments of a call.
    Parameters and buffers lie on the device by then, as after `module.to(device)`.
    """

    def run(answer: Any, inputs: Inputs) -> str:
        module, args = make(answer, inputs), draw(inputs)
        with pretended_device() as device:
            result = module(*args)
        return _verdict(device, result)

    return Probe(
        "works on the device of its input",
        run,
        fails=fails
        or "A tensor made in the module stays on the CPU when x is on a GPU. Give it "
        "`device=x.device`, or register it as a buffer.",
        promise=SAME_DEVICE,
    )


def _verdict(device: PretendedDevice, result: Any) -> str:
    stays = isinstance(result, Tensor) and not device.holds(result)
    return "mixed devices" if device.mixed or stays else "one device"
