"""Lab 14: pairs of distributions to draw, and gradients that do not leave them."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from checks.engine import Inputs, Probe, gradients


def pair(inputs: Inputs, *shape: int) -> tuple[Tensor, Tensor]:
    """p and q, (*shape) each: rows that sum to 1 and are not alike."""
    p, q = (inputs.randn(*shape) * 1.5 for _ in range(2))
    return p.softmax(-1), q.softmax(-1)


def through_softmax(draw: Callable[[Inputs], tuple]) -> Probe:
    """Compare gradients with respect to logits, of which the answer gets the softmax.

    Formulas that agree wherever p and q sum to 1 have different gradients elsewhere.
    """
    plain = gradients(draw)

    def run(answer: Any, inputs: Inputs) -> Any:
        def of_logits(*logits: Tensor) -> Any:
            return answer(*(one.softmax(-1) for one in logits))

        return plain.run(of_logits, inputs)

    return Probe(plain.title, run, plain.fails, promise=plain.promise)


def certain(*tokens: int, size: int) -> Tensor:
    """Rows that are certain of these tokens: (n, size)."""
    return torch.eye(size)[list(tokens)]
