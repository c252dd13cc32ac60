"""What the labs on attention share: their masks, and how they look at half precision."""

from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch import Tensor

from checks.engine.answer import Crash, Wrong
from checks.engine.inputs import Inputs
from checks.engine.probe import Probe

Draw = Callable[[Inputs], tuple]

LEAK = (
    "A later token was changed, and an earlier one moved. A language model that sees the token "
    "it has to predict learns to copy, and nothing else."
)
HALF = (
    "In half precision the result is far off or has another dtype. Compute scores and softmax in "
    "float32 (`q.float()`) and go back to the input's dtype at the end."
)
ROOM = 0.05  # of the largest number: rounding in half precision on the way, and nothing worse


def causal(n_queries: int, n_keys: int) -> Tensor:
    """The mask of a chunk at the end of a text: (T, S) bool."""
    return torch.ones(n_queries, n_keys, dtype=torch.bool).tril(n_keys - n_queries)


def some_mask(inputs: Inputs, *shape: int) -> Tensor:
    """A mask without any order in which every query may look at one key at least."""
    mask = inputs.uniform(*shape) < 0.5
    return mask | (torch.arange(shape[-1]) == inputs.integers(*shape[:-1], 1, high=shape[-1]))


def in_half(draw: Draw, title: str) -> Probe:
    """Compare float16 and bfloat16 with the same inputs in float32, with room for rounding."""

    def run(answer: Any, inputs: Inputs) -> list:
        seen: list = []
        for dtype in (torch.float16, torch.bfloat16):
            args = [v.to(dtype) if v.is_floating_point() else v for v in draw(inputs)]
            exact = answer(*(v.float() if v.is_floating_point() else v for v in args))
            got = believed(partial(answer, *args))
            if not isinstance(got, Tensor):
                return [got]
            seen += [got.flatten()[:0], near(got, exact)]
        return seen

    return Probe(title, run, fails=HALF)


def believed(call: Callable[[], Any]) -> Any:
    """Call, and say in our own words that a number does not fit into float16."""
    try:
        return call()
    except Crash as crash:
        if "overflow" in str(crash):
            raise Wrong(
                "a number on the way does not fit into float16, whose range ends at ±65504. Was "
                "a mask filled with something like -1e9?"
            ) from crash
        raise


def near(got: Tensor, exact: Tensor) -> bool:
    """Tell whether half precision gave the numbers of float32 up to its rounding."""
    far = (got.float() - exact).abs().max()
    return got.shape == exact.shape and bool(far <= ROOM * exact.abs().max())
