"""Lab 04, 4.4: what is tried on split_heads."""

import torch
from torch import Tensor

from checks.attention.split_heads_wrong import MISTAKES
from checks.engine import HALF_PRECISION, Check, gradients, keeps_device, values

SHAPES = "x: (B, T, H·d) → (B, H, T, d); head 0 has the first d features, head 1 the next d, …"


def reference(x: Tensor, n_heads: int) -> Tensor:
    """(B, T, H·d) → (B, H, T, d): head h has the columns h·d to (h+1)·d - 1."""
    d = x.shape[-1] // n_heads
    return torch.stack([x[:, :, h * d : (h + 1) * d] for h in range(n_heads)], dim=1)


split_heads = Check(
    exercise="4.4",
    name="split_heads",
    reference=reference,
    technique=[
        values(
            lambda inputs: (torch.arange(8).reshape(1, 2, 4), 2),
            lambda inputs: (torch.arange(120).reshape(2, 5, 12), 3),  # where all sizes differ
            title="worked example, and a larger one",
            promise="split_heads(x, 2)",
        ),
        values(
            lambda inputs: (inputs.randn(2, 5, 12), 3),
            lambda inputs: (inputs.randn(3, 4, 8), 4),
            lambda inputs: (inputs.randn(1, 7, 6), 6),
            lambda inputs: (inputs.randn(2, 3, 10), 1),
            lambda inputs: (inputs.randn(4, 1, 6), 2),
            lambda inputs: (inputs.randn(3, 3, 9), 3),
            lambda inputs: (inputs.randn(2, 5, 12), 3),
            lambda inputs: (inputs.randn(1, 2, 12), 2),
            title="shape and values on eight random inputs",
            promise=SHAPES,
        ),
    ],
    ready=[
        values(
            lambda inputs: (inputs.randn(2, 3, 4).half(), 2),
            lambda inputs: (inputs.randn(2, 3, 4).bfloat16(), 2),
            title="float16 and bfloat16 stay what they are",
            promise=HALF_PRECISION,
        ),
        gradients(lambda inputs: (inputs.randn(2, 3, 6), 3)),
        keeps_device(lambda inputs: (inputs.randn(2, 3, 6), 3)),
    ],
    mistakes=MISTAKES,
    hints=(
        "In memory the D features of one position are neighbours. Which of them belong to head 0?",
        "Cut the last dimension into two, H and d; then let H and T change places.",
        "`x.reshape(B, T, n_heads, D // n_heads).transpose(1, 2)`",
    ),
)
