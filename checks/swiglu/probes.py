"""Lab 07: what the checks try, apart from what they compare."""

import dataclasses
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from checks.engine import Inputs, Probe, agrees, expect_parameters, load
from checks.engine.devices import keeps_device, pretended_device

SHAPES = {"w_gate.weight": (3, 5), "w_up.weight": (3, 5), "w_down.weight": (5, 3)}  # D = 5, F = 3
FAR = torch.tensor(
    [-200.0, -95.0, 0.0, 95.0, 200.0]
)  # e^95 exceeds float32, e^200 does not float64
LARGE = torch.tensor([-1e4, -1000.0, -100.0, 100.0, 1000.0, 1e4])
DEVICE = (
    "A tensor made inside the function lies on the CPU whatever the inputs' device is. Give it "
    "`device=x.device`."
)


def tail(inputs: Inputs, *shape: int) -> Tensor:
    """Draw numbers around -11.4: e^11.4 is 89,000, and float16 ends at 65,504."""
    return -inputs.uniform(*shape, low=11.15, high=11.6)


def keeps_dtype(draw: Callable[[Inputs], tuple]) -> Probe:
    """Look at the dtype that comes back, with three that a default would not give."""

    def run(answer: Any, inputs: Inputs) -> list[Tensor]:
        args = draw(inputs)
        dtypes = (torch.float16, torch.bfloat16, torch.float64)
        return [answer(*(v.to(t) for v in args)).flatten()[:0] for t in dtypes]

    return Probe("float16, bfloat16 and float64 come back as they are", run)


def same_device(draw: Callable[[Inputs], tuple]) -> Probe:
    """Look for tensors made on the CPU."""
    return dataclasses.replace(keeps_device(draw), fails=DEVICE)


def weights(inputs: Inputs, dim: int, hidden: int) -> tuple[Tensor, Tensor, Tensor]:
    """Draw (F, D), (F, D), (D, F)."""
    return inputs.randn(hidden, dim), inputs.randn(hidden, dim), inputs.randn(dim, hidden)


def positive(inputs: Inputs) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Draw x and weights without cancelling sums, so that half precision costs only roundings."""
    shapes = ((2, 3), (4, 3), (4, 3), (3, 4))
    return tuple(inputs.uniform(*shape, low=0.5, high=1.5) for shape in shapes)


def shut_gates(inputs: Inputs) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """One input of 1, so that the gates are the weights: around -11.4."""
    up, down = (inputs.uniform(*s, low=50.0, high=100.0) for s in ((4, 1), (1, 4)))
    return torch.ones(2, 1), tail(inputs, 4, 1), up, down


def gate_of_zero(answer: Any, inputs: Inputs) -> Tensor:
    """Set all the gates to zero: nothing passes."""
    w_gate, w_up, w_down = weights(inputs, 4, 3)
    return answer(inputs.randn(2, 4), torch.zeros_like(w_gate), w_up, w_down)


def up_is_linear(answer: Any, inputs: Inputs) -> bool:
    """Multiply w_up by -3: the output is multiplied by -3."""
    w_gate, w_up, w_down = weights(inputs, 4, 3)
    x = inputs.randn(2, 4)
    return agrees(answer(x, w_gate, -3 * w_up, w_down), -3 * answer(x, w_gate, w_up, w_down))


def rows_alone(answer: Any, inputs: Inputs) -> bool:
    """Change the last token; the earlier ones must not move."""
    x, w = inputs.randn(1, 5, 4), weights(inputs, 4, 3)
    other = x.clone()
    other[:, -1] += 3
    return agrees(answer(other, *w)[:, :-1], answer(x, *w)[:, :-1])


def int_type(answer: Any, inputs: Inputs) -> list[str]:
    """Look at the type of what comes back, with and without a multiplier."""
    return [type(answer(*args)).__name__ for args in ((48, 16), (48, 16, 1.3), (50, 1))]


def state(inputs: Inputs, dim: int, hidden: int) -> dict[str, Tensor]:
    """Draw the weights of a module."""
    names = ("w_gate.weight", "w_up.weight", "w_down.weight")
    return dict(zip(names, weights(inputs, dim, hidden), strict=True))


def loaded(answer: Any, inputs: Inputs, dim: int, hidden: int) -> Any:
    """Build a module, hand it weights, and put it into evaluation mode."""
    module = load(answer(dim, hidden), state(inputs, dim, hidden))
    module.eval()
    return module


def weights_of(module: Any) -> list[Tensor]:
    """The three weights of a module."""
    return [module.w_gate.weight, module.w_up.weight, module.w_down.weight]


def new_module(answer: Any, inputs: Inputs) -> list[bool]:
    """Look at the parameters of a new module: names, shapes, random, all of them learning."""
    module = answer(5, 3)
    expect_parameters(module, {name: torch.empty(shape) for name, shape in SHAPES.items()})
    gate, up, down = weights_of(module)
    learning = all(weight.requires_grad for weight in (gate, up, down))
    return [learning, bool(gate.std() > 0), bool(up.std() > 0), not agrees(gate, up)]


def loaded_module(answer: Any, inputs: Inputs) -> list[Tensor]:
    """Load weights, and look at the output for several sizes."""
    sizes = (((3,), 3, 2), ((2, 3, 4), 4, 7), ((1, 2, 3, 5), 5, 3))
    return [loaded(answer, inputs, d, f)(inputs.randn(*shape)) for shape, d, f in sizes]


def square_module(answer: Any, inputs: Inputs) -> Tensor:
    """D = F: shapes cannot tell the weights apart."""
    return loaded(answer, inputs, 4, 4)(inputs.randn(3, 4))


def module_gradients(answer: Any, inputs: Inputs) -> list[Tensor]:
    """Look at the gradients that arrive at the input and at the three weights."""
    module = loaded(answer, inputs, 5, 3)
    x = inputs.randn(2, 5).requires_grad_()
    (module(x) * inputs.randn(2, 5)).sum().backward()
    grads = [leaf.grad for leaf in (x, *weights_of(module))]
    return [grad if grad is not None else torch.zeros(0) for grad in grads]


def module_far(answer: Any, inputs: Inputs) -> list[Tensor]:
    """Open and shut gates of ±95 and ±200: the output, and the gradient at the input."""
    module = load(
        answer(1, 4),
        {
            "w_gate.weight": torch.tensor([[-200.0], [-95.0], [95.0], [200.0]]),
            "w_up.weight": inputs.randn(4, 1),
            "w_down.weight": inputs.randn(1, 4),
        },
    )
    module.eval()
    x = torch.ones(1, 1, requires_grad=True)
    out = module(x)
    out.sum().backward()
    return [out, x.grad if x.grad is not None else torch.zeros(0)]


def module_dtypes(answer: Any, inputs: Inputs) -> list[Tensor]:
    """Turn the module into other dtypes: the numbers in float64, the dtype in float16."""
    module, x = loaded(answer, inputs, 5, 3), inputs.randn(2, 5)
    return [module.double()(x.double()), module.half()(x.half()).flatten()[:0]]


def module_in_half(answer: Any, inputs: Inputs) -> list[Tensor | bool]:
    """Shut gates around -11.4 in float16, where a little must pass."""
    x, w_gate, w_up, w_down = shut_gates(inputs)
    weights = {"w_gate.weight": w_gate, "w_up.weight": w_up, "w_down.weight": w_down}
    rounded = {name: weight.half().float() for name, weight in weights.items()}
    module = load(answer(1, 4), rounded)
    module.eval()
    right = module(x)
    result = module.half()(x.half())
    return [result.flatten()[:0], agrees(result, right.half())]


def same_twice(answer: Any, inputs: Inputs) -> list[bool]:
    """In training mode: another input, the same one again, the same dice; then out of training."""
    module, other = (load(answer(5, 3), state(inputs, 5, 3)) for _ in range(2))
    x, y = inputs.randn(6, 5), inputs.randn(6, 5)
    torch.manual_seed(0)
    first = module(x)
    other(x)
    moves, stays = not agrees(module(y), first), agrees(module(x), first)
    torch.manual_seed(0)
    same_dice = agrees(module(x), first)
    module.eval()
    return [moves, stays, same_dice, agrees(module(x), first)]


def module_device(answer: Any, inputs: Inputs) -> str:
    """Move a module and its input to another device."""
    module, x = answer(5, 3), inputs.randn(2, 5)
    with pretended_device() as device:
        device.take([*module.parameters(), *module.buffers()])
        out = module(x)
    stays = isinstance(out, Tensor) and not device.holds(out)
    return "mixed devices" if device.mixed or stays else "one device"
