"""Lab 07, 7.5: what is tried on the module SwiGLU."""

from typing import Any

import torch
from torch import Tensor

from checks.engine import Inputs, Wrong, agrees, expect_parameters
from checks.swiglu.probes import FAR, shut_gates, weights

NAMES = ("w_gate", "w_up", "w_down")
DIM, HIDDEN = 5, 3  # of most modules here


def shapes(dim: int, hidden: int) -> dict[str, tuple[int, int]]:
    """The names and shapes of the three weights."""
    sizes = ((hidden, dim), (hidden, dim), (dim, hidden))
    return {f"{name}.weight": size for name, size in zip(NAMES, sizes, strict=True)}


def expect_weights(module: Any, dim: int, hidden: int) -> None:
    """Raise a sentence when the parameters have other names or shapes."""
    expected = shapes(dim, hidden).items()
    expect_parameters(module, {name: torch.empty(shape) for name, shape in expected})


def kept(module: Any, dim: int, hidden: int) -> tuple[dict[str, Tensor], list[Tensor]]:
    """Where a module keeps its three weights, by name or else by shape; what it keeps besides.

    That the names are others is said by the row that asks for them, and where shapes do not tell
    which is which, or rounding would.
    """
    own = dict(sorted([*module.named_parameters(), *module.named_buffers()]))
    found: dict[str, Tensor] = {}
    for name, shape in shapes(dim, hidden).items():
        for mine in (name, name.removesuffix(".weight")):
            if mine in own and own[mine].shape == shape:
                found[name] = own.pop(mine)
    if len(found) < len(NAMES) and (dim == hidden or dim == 1):
        expect_weights(module, dim, hidden)
    for name, shape in shapes(dim, hidden).items():
        alike = (mine for mine, value in own.items() if value.shape == shape)
        if name not in found and (mine := next(alike, None)):
            found[name] = own.pop(mine)
    return found, list(own.values())


def loaded(answer: Any, dim: int, hidden: int, *given: Tensor) -> Any:
    """Build a module and give it weights; what it has besides gets numbers by its size."""
    module = answer(dim, hidden)
    found, rest = kept(module, dim, hidden)
    with torch.no_grad():
        for name, weight in zip(shapes(dim, hidden), given, strict=True):
            if name in found:
                found[name].copy_(weight)
        for i, value in enumerate(rest):
            value.copy_(torch.sin(1.7 * torch.arange(value.numel()) + i).reshape(value.shape))
    # What is drawn in forward does not depend on what was drawn before.
    torch.default_generator.manual_seed(0)
    return module


def drawn(answer: Any, inputs: Inputs, dim: int = DIM, hidden: int = HIDDEN) -> Any:
    """A module with random weights, in evaluation mode."""
    module = loaded(answer, dim, hidden, *weights(inputs, dim, hidden))
    module.eval()
    return module


def new_module(answer: Any, inputs: Inputs) -> None:
    """Look at the names and shapes of the parameters of a new module."""
    expect_weights(answer(DIM, HIDDEN), DIM, HIDDEN)


def start(answer: Any, inputs: Inputs) -> list[str]:
    """Look at the numbers that w_gate and w_up start with."""
    found, _ = kept(answer(DIM, HIDDEN), DIM, HIDDEN)
    gate, up = (found.get(f"{name}.weight", torch.rand(HIDDEN, DIM)) for name in NAMES[:2])
    kinds = [
        "zeros" if not w.any() else "constant" if w.unique().numel() == 1 else "random"
        for w in (gate, up)
    ]
    return [*kinds, "copies" if kinds[0] == "random" and agrees(gate, up) else "different"]


def three_sizes(answer: Any, inputs: Inputs) -> list[Tensor]:
    """Load weights, and look at the output for several sizes."""
    sizes = (((3,), 3, 2), ((2, 3, 4), 4, 7), ((1, 2, 3, 5), 5, 3))
    return [drawn(answer, inputs, d, f)(inputs.randn(*shape)) for shape, d, f in sizes]


def square(answer: Any, inputs: Inputs) -> Tensor:
    """D = F: shapes cannot tell the weights apart."""
    return drawn(answer, inputs, 4, 4)(inputs.randn(3, 4))


def same_twice(answer: Any, inputs: Inputs) -> list[bool]:
    """In training mode: another input, the same one again, the same dice; then out of training."""
    module = loaded(answer, DIM, HIDDEN, *weights(inputs, DIM, HIDDEN))
    other = loaded(answer, DIM, HIDDEN, *weights(inputs, DIM, HIDDEN))
    x, y = inputs.randn(6, DIM), inputs.randn(6, DIM)
    first = module(x)
    other(x)
    moves, stays = not agrees(module(y), first), agrees(module(x), first)
    torch.default_generator.manual_seed(0)
    same_dice = agrees(module(x), first)
    module.eval()
    return [moves, stays, same_dice, agrees(module(x), first)]


def gradients(answer: Any, inputs: Inputs) -> list[Tensor]:
    """Look at the gradients that arrive at the input and at the three weights."""
    module, x = drawn(answer, inputs), inputs.randn(2, DIM).requires_grad_()
    if frozen := [name for name, w in module.named_parameters() if not w.requires_grad]:
        raise Wrong(f"`{frozen[0]}` has requires_grad=False, so that it never learns.")
    result = module(x)
    if not isinstance(result, Tensor) or not result.requires_grad:
        return [torch.zeros(0)]
    (result * inputs.randn(2, DIM)).sum().backward()
    found, _ = kept(module, DIM, HIDDEN)
    leaves = [x, *map(found.get, shapes(DIM, HIDDEN))]
    return [
        torch.zeros(0) if leaf is None or leaf.grad is None else leaf.grad.clone()
        for leaf in leaves
    ]


def far(answer: Any, inputs: Inputs) -> list[Tensor]:
    """Open and shut gates of ±95 and ±200: the output, and the gradient at the input."""
    gates = FAR[FAR != 0, None]
    module = loaded(answer, 1, 4, gates, inputs.randn(4, 1), inputs.randn(1, 4))
    module.eval()
    x = torch.ones(1, 1, requires_grad=True)
    result = module(x)
    if not isinstance(result, Tensor) or not result.requires_grad:
        return [result, torch.zeros(0)]
    result.sum().backward()
    return [result, torch.zeros(0) if x.grad is None else x.grad]


def dtypes(answer: Any, inputs: Inputs) -> list[Tensor]:
    """Turn the module into other dtypes: the numbers in float64, the dtype in half precision."""
    module, x = drawn(answer, inputs), inputs.randn(2, DIM)
    wide = module.double()(x.double())
    with torch.no_grad():
        for weight in module.parameters():
            weight.zero_()  # what a mistake returns must not depend on how it rounds
    dtypes = (torch.float16, torch.bfloat16)
    half = [module.to(dtype)(torch.zeros(2, DIM, dtype=dtype)) for dtype in dtypes]
    return [wide, *(result.flatten()[:0] for result in half)]


def in_half(answer: Any, inputs: Inputs) -> list[Tensor | bool]:
    """Shut gates around -11.4 in float16, where a little must pass."""
    x, *given = shut_gates(inputs)
    module = loaded(answer, 1, 4, *(weight.half().float() for weight in given))
    module.eval()
    right = module(x)
    result = module.half()(x.half())
    return [result.flatten()[:0], agrees(result, right.half())]
