"""Lab 03, 3.3: what is tried on rope_frequencies."""

from typing import Any

import torch
from torch import Tensor

from checks.engine import Check, Inputs, Probe, values
from checks.rope.rope_frequencies_wrong import MISTAKES
from checks.rope.rotation import LLAMA_BASE

TURNS = "How far each pair turns from one position to the next"


def reference(head_dim: int, base: float = 10_000.0) -> Tensor:
    """Radians per position of each pair: (d/2,)."""
    return torch.tensor([base ** (-2 * i / head_dim) for i in range(head_dim // 2)])


def two_bases(answer: Any, inputs: Inputs) -> list[Tensor]:
    """Call it with the same size and different bases, then again."""
    return [answer(12, base) for base in (10_000.0, LLAMA_BASE, 100.0, 10_000.0)]


rope_frequencies = Check(
    exercise="3.3",
    name="rope_frequencies",
    reference=reference,
    technique=[
        values(
            lambda inputs: (6, 1000.0),
            title="worked example",
            promise="rope_frequencies(6, base=1000.0)",
        ),
        values(
            lambda inputs: (8,),
            lambda inputs: (10,),
            lambda inputs: (2,),
            lambda inputs: (64,),
            title="shape, dtype and values for four sizes, base 10000",
            promise="head_dim: d, even → (d/2,) in radians, float32.",
        ),
        values(
            lambda inputs: (128, LLAMA_BASE),
            lambda inputs: (14, inputs.uniform(1, low=20, high=2000).item()),
            lambda inputs: (18, 1_000_000.0),
            title="other bases: Llama 3's, a random one, a million",
            promise=TURNS,
        ),
        Probe(
            "the same size with another base, and again with the first",
            two_bases,
            promise=TURNS,
        ),
    ],
    only_numbers=True,
    mistakes=MISTAKES,
    hints=(
        "Which exponents does a head of 6 dimensions need for its three pairs?",
        "0, −2/6, −4/6: an arange in steps of two, divided by d, with a minus.",
        "`base ** (-torch.arange(0, head_dim, 2) / head_dim)`",
    ),
)
