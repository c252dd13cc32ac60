"""What the answers that draw share: generators with seeds, and draws that are no example."""

from collections.abc import Callable
from typing import Any

import torch

from checks.engine.inputs import Inputs


def seeded(inputs: Inputs) -> torch.Generator:
    """A new generator with a seed of its own."""
    return torch.Generator().manual_seed(int(inputs.integers(1, high=2**31)))


def forget(answer: Any) -> None:
    """Drop the calls made so far: results that may differ rightly are no example of anything."""
    vars(answer)["_transcript"].calls.clear()


def counted(run: Callable[[Any, Inputs], list]) -> Callable[[Any, Inputs], list]:
    """Forget the draws afterwards: those of two right answers differ."""

    def judge(answer: Any, inputs: Inputs) -> list:
        try:
            return run(answer, inputs)
        finally:
            forget(answer)

    return judge
