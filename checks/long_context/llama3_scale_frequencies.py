"""Lab 13, 13.3: what is tried on llama3_scale_frequencies."""

import math

import torch
from torch import Tensor

from checks.engine import (
    Check,
    Inputs,
    gradients,
    half_precision,
    keeps_device,
    values,
)
from checks.long_context.llama3_scale_frequencies_wrong import MISTAKES

FAST = "At least `high` turns: kept"
SLOW = "at most `low`: divided by factor"
RAMP = "else (1 - s) · frequency / factor + s · frequency, with s = (turns - low) / (high - low)"
EACH = "(d/2,), radians per position → (d/2,), same dtype"


def reference(
    frequencies: Tensor,
    factor: float = 8.0,
    low: float = 1.0,
    high: float = 4.0,
    original_context: int = 8192,
) -> Tensor:
    """Pair by pair, in float64: (d/2,) → (d/2,)."""
    kept = []
    for theta in frequencies.double():
        turns = original_context * theta / (2 * math.pi)
        if turns >= high:
            kept.append(theta)
        elif turns <= low:
            kept.append(theta / factor)
        else:
            s = (turns - low) / (high - low)
            kept.append((1 - s) * theta / factor + s * theta)
    return torch.stack(kept).to(frequencies.dtype)


def of_a_head(head_dim: int, base: float) -> Tensor:
    """RoPE's frequencies: (d/2,)."""
    return torch.tensor([base ** (-2 * i / head_dim) for i in range(head_dim // 2)])


def turning(*turns: float, context: int = 8192) -> Tensor:
    """Frequencies of pairs that make so many turns in the context."""
    return torch.tensor([2 * math.pi * n / context for n in turns])


def drawn(inputs: Inputs, n: int, low: float, high: float, context: int = 8192) -> Tensor:
    """Frequencies of n pairs with a random number of turns each."""
    return turning(*inputs.uniform(n, low=low, high=high).tolist(), context=context)


llama3_scale_frequencies = Check(
    exercise="13.3",
    name="llama3_scale_frequencies",
    weight=2,
    reference=reference,
    technique=[
        values(
            lambda inputs: (turning(8, 2, 0.5),),
            title="worked example: 8 turns, 2, and half a turn",
            promise="8 turns, 2 turns, half a turn",
        ),
        values(
            lambda inputs: (drawn(inputs, 5, 4.1, 900),),
            title="fast pairs stay",
            promise=FAST,
        ),
        values(
            lambda inputs: (drawn(inputs, 7, 0.001, 0.95),),
            title="slow pairs are divided by the factor",
            promise=SLOW,
        ),
        values(
            lambda inputs: (drawn(inputs, 9, 1.1, 3.9),),
            lambda inputs: (turning(1.25, 3.75, 2.5),),
            title="the ramp between them",
            promise=RAMP,
        ),
        values(
            lambda inputs: (of_a_head(128, 500_000.0),),
            lambda inputs: (of_a_head(64, 500_000.0), 32.0),
            title="the 64 pairs of Llama 3.1 8B, and the 32 of Llama 3.2 1B, factor 32",
            promise=EACH,
        ),
        values(
            lambda inputs: (of_a_head(24, 10_000.0), 4.0, 1.0, 4.0, 128),
            lambda inputs: (drawn(inputs, 6, 0.2, 6, context=1000), 3.5, 1.0, 4.0, 1000),
            lambda inputs: (turning(0.5, 2, 3, 8, context=10), 8.0, 1.0, 4.0, 10),
            title="another context of the first training",
            promise="original_context: int = 8192",
        ),
        values(
            lambda inputs: (drawn(inputs, 8, 0.3, 12), 5.0, 2.0, 9.0),
            lambda inputs: (drawn(inputs, 7, 0.1, 3), 2.0, 0.5, 1.5),
            title="other boundaries",
            promise=RAMP,
        ),
        values(
            lambda inputs: (turning(0.3, 7, 2, 0.9, 5, 1.5),),
            lambda inputs: (turning(3),),
            title="pairs in any order, and a single one",
            promise=EACH,
        ),
        values(
            lambda inputs: (drawn(inputs, 6, 0.2, 8), 1.0),
            title="factor 1 changes nothing",
            promise=SLOW,
        ),
    ],
    ready=[
        half_precision(lambda inputs: (turning(9, 2.2, 1.7, 0.4),)),
        gradients(lambda inputs: (drawn(inputs, 3, 1.2, 3.8), 6.0)),
        keeps_device(lambda inputs: (of_a_head(16, 10_000.0), 8.0, 1.0, 4.0, 512)),
    ],
    mistakes=MISTAKES,
    hints=(
        "How many turns does a pair make in original_context positions, when it turns by "
        "`frequency` radians at each of them?",
        "turns = original_context · frequency / 2π. s = (turns - low) / (high - low), held between "
        "0 and 1, says how much of the old frequency is kept.",
        "`turns = original_context * frequencies / (2 * math.pi)`, `s = ((turns - low) / (high - "
        "low)).clamp(0, 1)`, then `(1 - s) * frequencies / factor + s * frequencies`",
    ),
)
