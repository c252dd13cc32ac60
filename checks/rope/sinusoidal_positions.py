"""Lab 03, 3.1: what is tried on sinusoidal_positions."""

import math
from typing import Any

import torch
from torch import Tensor

from checks.engine import Check, Inputs, Probe, values
from checks.rope.sinusoidal_positions_wrong import MISTAKES

LLAMA_BASE = 500_000.0
COLUMNS = "sines in the even columns, cosines in the odd ones"
FORMULA = "Sine and cosine of one pair share one angle. The number 10000 is called the base."


def reference(seq_len: int, dim: int, base: float = 10_000.0) -> Tensor:
    """Table of sines and cosines, one number after the other: (T, D)."""
    rows = []
    for position in range(seq_len):
        row = []
        for i in range(dim // 2):
            angle = position * base ** (-2 * i / dim)
            row += [math.sin(angle), math.cos(angle)]
        rows.append(row)
    return torch.tensor(rows, dtype=torch.float64).to(torch.float32)


def two_bases(answer: Any, inputs: Inputs) -> list[Tensor]:
    """Call it with the same sizes and different bases, then again."""
    return [answer(5, 6, base) for base in (10_000.0, 100.0, LLAMA_BASE, 10_000.0)]


def neighbours_far_out(answer: Any, inputs: Inputs) -> bool:
    """Tell positions 256 to 299 apart, each from the next."""
    table = answer(300, 4)
    step = (table[1:, :2] - table[:-1, :2]).norm(dim=-1)
    return bool((step - step[0]).abs().max() < 1e-3)


sinusoidal_positions = Check(
    exercise="3.1",
    name="sinusoidal_positions",
    reference=reference,
    technique=[
        values(
            lambda inputs: (2, 4, 100.0),
            title="worked example",
            promise="sinusoidal_positions(2, 4, base=100.0)",
        ),
        values(
            lambda inputs: (7, 6),
            lambda inputs: (3, 10),
            lambda inputs: (5, 2),
            lambda inputs: (1, 8),
            title="shape, dtype and values for four sizes",
            promise=COLUMNS,
        ),
        values(
            lambda inputs: (9, 6, 100.0),
            lambda inputs: (4, 8, inputs.uniform(1, low=20, high=2000).item()),
            title="other bases",
            promise=FORMULA,
        ),
        Probe(
            "the same sizes with another base, and again with the first",
            two_bases,
            promise=FORMULA,
        ),
        # Float32 on the way is what this lab teaches: here it belongs to the technique.
        Probe(
            "all 300 positions are told apart",
            neighbours_far_out,
            "The steps from one position to the next should all be equally long; far out they are "
            "not. Were the angles rounded?",
            promise="(T, D), float32",
        ),
    ],
    only_numbers=True,
    mistakes=MISTAKES,
    hints=(
        "Which number depends on the row only, which on the column only?",
        "The angle of row p and pair i is p · base^(-2i/D): an outer product, (T, D/2). Its sine "
        "goes into the even columns and its cosine into the odd ones.",
        "`angle = torch.arange(seq_len)[:, None] * base ** (-torch.arange(0, dim, 2) / dim)`, then "
        "`torch.stack((angle.sin(), angle.cos()), dim=-1).flatten(1)`.",
    ),
)
