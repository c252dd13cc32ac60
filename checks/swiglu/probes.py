"""Lab 07: what several exercises try: gates that are far from zero, gates that are nearly shut."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from checks.engine import HALF_PRECISION, Inputs, Probe

# e^95 exceeds float32, e^200 does not float64
FAR = torch.tensor([-200.0, -95.0, 0.0, 95.0, 200.0])
LARGE = torch.tensor([-1e4, -1000.0, -100.0, 100.0, 1000.0, 1e4])
NOT_SMOOTH = (
    "At zero, or far from it, the gradient is wrong. `x / (1 + torch.exp(-x))` gives NaN far out: "
    "exp overflows, and backwards that is inf · 0. Or something is clamped or detached on the way."
)
TAIL = (
    "In 16 bits the tail of the sigmoid is lost: it comes out as 0 or NaN. e^11.4 is more than "
    "65,504, where float16 ends, and 1 − sigmoid rounds the little that is left away. "
    "torch.sigmoid knows how to avoid both, or compute with `x.float()`."
)


def tail(inputs: Inputs, *shape: int) -> Tensor:
    """Draw numbers around -11.4: e^11.4 is 89,000, and float16 ends at 65,504."""
    return -inputs.uniform(*shape, low=11.15, high=11.6)


def keeps_dtype(draw: Callable[[Inputs], tuple]) -> Probe:
    """Look at the dtype that comes back, with three that a default would not give.

    The first argument is zeros: what a mistake returns must not depend on how it rounds.
    """

    def run(answer: Any, inputs: Inputs) -> list[Tensor]:
        first, *others = draw(inputs)
        args = (torch.zeros_like(first), *others)
        dtypes = (torch.float16, torch.bfloat16, torch.float64)
        return [answer(*(v.to(t) for v in args)).flatten()[:0] for t in dtypes]

    title = "float16, bfloat16 and float64 come back as they are"
    return Probe(title, run, promise=HALF_PRECISION)


def weights(inputs: Inputs, dim: int, hidden: int) -> tuple[Tensor, Tensor, Tensor]:
    """Draw (F, D), (F, D), (D, F)."""
    return inputs.randn(hidden, dim), inputs.randn(hidden, dim), inputs.randn(dim, hidden)


def shut_gates(inputs: Inputs) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """One input of 1, so that the gates are the weights: around -11.4."""
    up, down = (inputs.uniform(*s, low=50.0, high=100.0) for s in ((4, 1), (1, 4)))
    return torch.ones(2, 1), tail(inputs, 4, 1), up, down
