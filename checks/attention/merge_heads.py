"""Lab 04, 4.5: what is tried on merge_heads."""

import torch
from torch import Tensor

from checks.attention.merge_heads_wrong import MISTAKES
from checks.engine import HALF_PRECISION, Check, gradients, keeps_device, values

SHAPES = "x: (B, H, T, d) → (B, T, H·d)."


def reference(x: Tensor) -> Tensor:
    """(B, H, T, d) → (B, T, H·d): the heads of a position side by side."""
    return torch.cat([x[:, h] for h in range(x.shape[1])], dim=-1)


merge_heads = Check(
    exercise="4.5",
    name="merge_heads",
    reference=reference,
    technique=[
        values(
            lambda inputs: (torch.tensor([[[[0, 1], [4, 5]], [[2, 3], [6, 7]]]]),),
            lambda inputs: (torch.arange(120).reshape(2, 3, 5, 4),),  # where all sizes differ
            title="worked example, and a larger one",
            promise="merge_heads(x)",
        ),
        values(
            lambda inputs: (inputs.randn(2, 3, 5, 4),),
            lambda inputs: (inputs.randn(3, 4, 2, 6),),
            lambda inputs: (inputs.randn(1, 5, 7, 2),),
            lambda inputs: (inputs.randn(2, 1, 3, 4),),
            lambda inputs: (inputs.randn(4, 2, 1, 6),),
            lambda inputs: (inputs.randn(3, 3, 3, 3),),
            title="shape and values on six random inputs",
            promise=SHAPES,
        ),
        values(
            lambda inputs: (inputs.randn(2, 5, 3, 4).transpose(1, 2),),
            lambda inputs: (inputs.randn(2, 3, 4, 5).transpose(2, 3),),
            title="what split_heads returns: transposed, not contiguous",
            promise="split_heads backwards",
        ),
    ],
    ready=[
        values(
            lambda inputs: (inputs.randn(2, 3, 5, 4).half(),),
            lambda inputs: (inputs.randn(2, 3, 5, 4).bfloat16(),),
            title="float16 and bfloat16 stay what they are",
            promise=HALF_PRECISION,
        ),
        gradients(lambda inputs: (inputs.randn(2, 3, 4, 2),)),
        keeps_device(lambda inputs: (inputs.randn(2, 3, 4, 2),)),
    ],
    mistakes=MISTAKES,
    hints=(
        "Which two dimensions have to be neighbours before they can become one?",
        "Let H and T change places, (B, T, H, d); then the last two become one.",
        "`x.transpose(1, 2).reshape(B, T, H * d)`; `.view` would need `.contiguous()` first.",
    ),
)
