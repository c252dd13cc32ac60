"""Lab 02: what is tried on the module RMSNorm."""

from typing import Any

import torch
from torch import Tensor

from checks.engine import Crash, Inputs, Wrong, agrees, expect_parameters
from checks.engine.devices import pretended_device
from checks.rmsnorm.probes import EPS, HALF, SMALL, alternating, flat_rows, last_token_moved, near

NOT_CONNECTED = (
    "No gradient arrives at the input: the output is not connected to it. Is there a `.detach()`, "
    "`.data` or `torch.no_grad()` on the way?"
)


def new_module(answer: Any, inputs: Inputs) -> list[Tensor]:
    """Look at the parameter of a new module, and at what it does to three vectors."""
    module = answer(5)
    expect_ones(weight_of(module))
    try:  # the numbers first: they tell mistakes apart
        result = module(inputs.randn(3, 5))
    finally:
        expect_only_weight(module)
    return [module.weight, result]


def expect_ones(weight: Tensor | None) -> None:
    """Raise a sentence when a new weight starts at numbers that somebody drew."""
    if weight is not None and weight.unique().numel() > 1:
        raise Wrong("`weight` does not start at ones, but at numbers that differ.")


def expect_only_weight(module: Any) -> None:
    """Raise a sentence when a module for five features has anything but one weight (5,)."""
    state, weight = module.state_dict(), weight_of(module)
    if not state and weight is not None and not isinstance(weight, torch.nn.Parameter):
        raise Wrong("`weight` is a plain tensor. A module's parameters are `nn.Parameter`s.")
    expect_parameters(module, {"weight": torch.ones(5)})
    if not weight.requires_grad:
        raise Wrong("`weight` has requires_grad=False, so that it never learns.")
    if more := ", ".join(f"`{name}`" for name in state if name != "weight"):
        raise Wrong(f"its state_dict holds {more} besides `weight`. Only the weight is learnt.")


def weight_of(module: Any) -> Tensor | None:
    """What a module calls its weight, parameter or not, if there is such a tensor."""
    try:
        return module.weight if isinstance(module.weight, Tensor) else None
    except Crash:
        return None


def parameter_of(module: Any) -> Tensor | None:
    """The weight of a module if that is a parameter; else its only parameter, if there is one."""
    if isinstance(weight := weight_of(module), torch.nn.Parameter):
        return weight
    parameters = list(module.parameters())
    return parameters[0] if len(parameters) == 1 else None


def loaded(answer: Any, weight: Tensor, *eps: float, **named: float) -> Any:
    """Build a module of the size of `weight`, and load that if it has a place for it."""
    module = answer(len(weight), *eps, **named)
    own = parameter_of(module)
    if own is not None and own.shape == weight.shape:
        with torch.no_grad():
            own.copy_(weight)
    return module


def loaded_shapes(answer: Any, inputs: Inputs) -> list[Tensor]:
    """Load weights, and look at the output for several shapes."""
    shapes = ((3, 5), (2, 4, 7), (6,), (2, 1, 3, 4), (4, 1))
    seen = [loaded(answer, 3 * inputs.randn(s[-1]))(inputs.randn(*s)) for s in shapes]
    return [*seen, loaded(answer, inputs.randn(5))(inputs.randn(2, 5, 6).transpose(1, 2))]


def several_eps(answer: Any, inputs: Inputs) -> list[Tensor]:
    """Give eps by place and by name, and inputs of several sizes."""
    weight = inputs.randn(5)
    return [
        loaded(answer, weight, EPS)(inputs.randn(3, 5)),
        loaded(answer, weight, eps=10.0)(inputs.randn(3, 5)),
        loaded(answer, weight, eps=EPS)(flat_rows(inputs)),
        loaded(answer, weight, eps=1e-5)(1e-3 * inputs.randn(3, 5)),
        loaded(answer, weight, eps=0.0)(1e-3 * inputs.randn(3, 5)),
        loaded(answer, weight, eps=1e-12)(1e-6 * inputs.randn(3, 5)),
        loaded(answer, weight)(1e5 * inputs.randn(3, 5)),
    ]


def default_eps(answer: Any, inputs: Inputs) -> bool:
    """Leave eps out, and give its default: the same."""
    weight, x = inputs.randn(3), SMALL * inputs.randn(3)
    return agrees(loaded(answer, weight)(x), loaded(answer, weight, eps=1e-5)(x))


def two_modules(answer: Any, inputs: Inputs) -> list[Tensor]:
    """Use two modules in turns, with other inputs of the same shape, and after eval()."""
    first, second = (loaded(answer, inputs.randn(5), eps) for eps in (EPS, 1e-5))
    x, y = inputs.randn(3, 5), 0.3 * inputs.randn(3, 5)
    seen = [first(x), second(x), first(y), second(y), first(x)]
    first.eval()
    return [*seen, first(y)]


def rows_alone(answer: Any, inputs: Inputs) -> bool:
    """Change the last token; the earlier ones must not move."""
    module, x = loaded(answer, inputs.randn(6)), inputs.randn(1, 5, 6)
    return agrees(module(last_token_moved(x))[:, :-1], module(x)[:, :-1])


def all_gradients(answer: Any, inputs: Inputs) -> list[Tensor | bool]:
    """Look at the gradients that arrive at the input and at the weight."""
    seen: list[Tensor | bool] = []
    for shape in ((3, 5), (5,), (2, 3, 5)):
        module = loaded(answer, inputs.randn(5))
        seen += gradients_of(module, inputs.randn(*shape), inputs.randn(*shape))
    flat = flat_rows(inputs)
    seen += gradients_of(loaded(answer, inputs.randn(5), eps=EPS), flat, torch.ones(4, 5))
    module, x, direction = loaded(answer, inputs.randn(5)), inputs.randn(3, 5), inputs.randn(3, 5)
    right = [grad.double() for grad in gradients_of(module, x.half().float(), direction)]
    return [*seen, all(map(near, gradients_of(module.half(), x.half(), direction), right))]


def gradients_of(module: Any, x: Tensor, direction: Tensor) -> list[Tensor]:
    """Gradients at the input and at the weight; zeros where there is none."""
    x, weight = x.requires_grad_(), parameter_of(module)
    result = module(x)
    if isinstance(result, Tensor) and not result.requires_grad:
        raise Wrong(NOT_CONNECTED)
    learns = weight is not None and weight.requires_grad
    loss, leaves = (result * direction).sum(), [x, weight] if learns else [x]
    grads = torch.autograd.grad(loss, leaves, materialize_grads=True)
    return [*grads] if learns else [*grads, torch.zeros(x.shape[-1])]


def in_half(answer: Any, inputs: Inputs) -> list[Tensor | bool]:
    """Give a float16 module numbers around ±1000, and a bfloat16 module its own kind."""
    x = alternating(inputs, 3, 6)
    ones = torch.ones(6)
    result, right = loaded(answer, ones).half()(x.half()), loaded(answer, ones)(x.half().float())
    bfloat16 = loaded(answer, ones).bfloat16()(x.bfloat16())
    return [result.flatten()[:0], bfloat16.flatten()[:0], bool((result - right).abs().max() < 0.01)]


def mixed(answer: Any, inputs: Inputs) -> list[Tensor]:
    """Give a float32 module half precision: only the dtype that comes out."""
    return [loaded(answer, inputs.randn(5))(inputs.randn(3, 5).to(t)).flatten()[:0] for t in HALF]


def one_device(answer: Any, inputs: Inputs) -> str:
    """Build a module, and move it and its input to another device."""
    x = inputs.randn(3, 5)
    with pretended_device() as device:
        module = answer(5)
        device.take([*module.parameters(), *module.buffers()])
        result = module(x)
    stays = isinstance(result, Tensor) and not device.holds(result)
    return "mixed devices" if device.mixed or stays else "one device"
