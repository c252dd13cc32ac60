"""Lab 10: what the probes of the four filters draw, and how they judge where logits are equal."""

import math
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from checks.engine import Inputs, Probe, gradients

Draw = Callable[[Inputs], tuple]

GRID = torch.linspace(0.02, 0.98, 385, dtype=torch.float64)  # to choose p from
LONG_TAIL = tuple(-0.8 * i for i in range(50))  # down to e^-39 of the largest
STEPS = tuple(i / 8 for i in range(40))  # exact in bfloat16
FINE_STEPS = tuple(i / 1024 for i in range(128))  # exact in bfloat16, their softmax is not


def forget(answer: Any) -> None:
    """Drop the calls made so far: results that may differ rightly are no example of anything."""
    vars(answer)["_transcript"].calls.clear()


def shuffled(inputs: Inputs, row: Sequence[float], *batch: int) -> Tensor:
    """Rows with the same logits, each in an order of its own: (*batch, V)."""
    order = inputs.uniform(*batch, len(row)).argsort(-1)
    return torch.tensor(row)[order]


def uneven(inputs: Inputs, *shape: int) -> Tensor:
    """Logits of which some rows are nearly flat and some steep."""
    steepness = torch.linspace(0.7, 3.0, max(math.prod(shape[:-1]), 1)).reshape(*shape[:-1], 1)
    return inputs.randn(*shape) * steepness + inputs.randn(*shape[:-1], 1)


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


def survivors(*draws: Draw, title: str, fails: str = "") -> Probe:
    """Compare which logits are left, and not their values: every finite one counts as 0."""

    def left(result: Any) -> Any:
        if not isinstance(result, Tensor) or not result.is_floating_point():
            return result
        return torch.where(result.isfinite(), torch.zeros_like(result), result)

    def run(answer: Any, inputs: Inputs) -> list:
        results = [left(answer(*draw(inputs))) for draw in draws]
        forget(answer)
        return results

    return Probe(title, run, fails)


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

    return Probe(plain.title, run, plain.fails)


def equals(
    *draws: Draw, fits: Callable[[Tensor, Tensor, float], bool | int], title: str, fails: str
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

    return Probe(title, run, fails)


def fits_k(result: Tensor, logits: Tensor, k: float) -> bool:
    """At least k stay unchanged, none smaller than the k-th, all that are larger."""
    kth = logits.sort(descending=True).values[int(k) - 1]
    keep = result != -torch.inf
    return (
        bool((result[keep] == logits[keep]).all())
        and bool(keep[logits > kth].all())
        and not bool(keep[logits < kth].any())
        and int(keep.sum()) >= k
    )


def fits_p(result: Tensor, logits: Tensor, p: float) -> int:
    """How many stay, if they are unchanged and none of the others is likelier; else -1."""
    keep = result != -torch.inf
    least = logits[keep].min() if keep.any() else torch.inf
    fits = bool((result[keep] == logits[keep]).all()) and bool((logits[~keep] <= least).all())
    return int(keep.sum()) if fits else -1
