"""Lab 10, what the four filters share: logits to draw, a reference, how ties are judged."""

import math
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from checks.engine import Inputs, Probe, gradients
from checks.engine.draws import forget

Draw = Callable[[Inputs], tuple]

GRID = torch.linspace(0.02, 0.98, 385, dtype=torch.float64)  # to choose p from
STEPS = tuple(i / 8 for i in range(40))  # exact in bfloat16, and in float32 with 20,000 added


def filtered(logits: Tensor, choose: Callable[[list[float]], list[bool]]) -> Tensor:
    """(..., V) → (..., V): what `choose` does not keep of a row becomes -inf."""
    rows = logits.detach().double().reshape(-1, logits.shape[-1])
    keep = torch.tensor([choose(row.tolist()) for row in rows]).reshape(logits.shape)
    return torch.where(keep.to(logits.device), logits, -torch.inf)


def softmax(row: Sequence[float]) -> list[float]:
    """e^x over the sum of all of them."""
    return torch.tensor(row, dtype=torch.float64).softmax(-1).tolist()


def shuffled(inputs: Inputs, row: Sequence[float], *batch: int) -> Tensor:
    """Rows with the same logits, each in an order of its own: (*batch, V)."""
    order = inputs.uniform(*batch, len(row)).argsort(-1)
    return torch.tensor(row)[order]


def uneven(inputs: Inputs, *shape: int) -> Tensor:
    """Logits of which some rows are nearly flat and some steep."""
    steepness = torch.linspace(0.7, 3.0, max(math.prod(shape[:-1]), 1)).reshape(*shape[:-1], 1)
    return inputs.randn(*shape) * steepness + inputs.randn(*shape[:-1], 1)


def behind_another(inputs: Inputs) -> Tensor:
    """Logits of which a filter before has removed some: (3, 7)."""
    return _with_gaps(uneven(inputs, 3, 7))


def far_below(inputs: Inputs) -> Tensor:
    """The same about -20,000, where float32 has steps of 0.002: no two of a row are equal."""
    return _with_gaps(shuffled(inputs, STEPS[::3], 3)[:, :7] - 2e4)


def _with_gaps(logits: Tensor) -> Tensor:
    logits[:, 2] = logits[1, 5] = logits[2, 0] = -torch.inf
    return logits


def with_clear_p(inputs: Inputs, logits: Tensor, near: float) -> tuple[Tensor, float]:
    """A p about `near` that no sum of the likeliest comes close to: rounding decides nothing."""
    sums = logits.double().softmax(-1).sort(-1, descending=True).values.cumsum(-1)
    return logits, _clearest(sums.flatten(), near)


def with_clear_share(inputs: Inputs, logits: Tensor, near: float) -> tuple[Tensor, float]:
    """A p about `near` that the ratio of no token to the likeliest comes close to."""
    shares = logits.double().softmax(-1)
    return logits, _clearest((shares / shares.amax(-1, keepdim=True)).flatten(), near)


def _clearest(values: Tensor, near: float) -> float:
    grid = GRID[(GRID - near).abs() <= 0.06]
    gaps = (grid[:, None] - values[None, :]).abs().amin(-1)
    return round(grid[gaps.argmax()].item(), 6)


def gradients_of_shares(*draws: Draw) -> Probe:
    """Compare the gradients of the softmax of the result.

    -inf may be put in a removed token's place or added to its logit: the gradients of the result
    differ there, those of the softmax do not.
    """
    plain = gradients(*draws)

    def run(answer: Any, inputs: Inputs) -> Any:
        def shares(*args: Any) -> Any:
            result = answer(*args)
            floating = isinstance(result, Tensor) and result.is_floating_point()
            return result.softmax(-1) if floating else result

        return plain.run(shares, inputs)

    return Probe(plain.title, run, plain.fails, promise=plain.promise)


def equals(
    *draws: Draw,
    fits: Callable[[Tensor, Tensor, float], bool | int],
    title: str,
    fails: str,
    promise: str,
) -> Probe:
    """Judge results where several logits are equal: which of them stay is up to the answer."""

    def run(answer: Any, inputs: Inputs) -> list:
        seen: list = []
        for draw in draws:
            logits, number = draw(inputs)
            result = answer(logits, number)
            if not isinstance(result, Tensor) or result.shape != logits.shape:
                return [result]
            rows = zip(result.flatten(0, -2), logits.flatten(0, -2), strict=True)
            seen += [fits(*row, number) for row in rows]
        forget(answer)
        return seen

    return Probe(title, run, fails, promise=promise)
