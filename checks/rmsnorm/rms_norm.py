"""Lab 02, 2.3: what is tried on rms_norm."""

import torch
from torch import Tensor

from checks.engine import Check, Probe, half_precision
from checks.rmsnorm import probes
from checks.rmsnorm.rms_norm_wrong import MISTAKES

ROOT = "Divide each vector by its root mean square"


def reference(x: Tensor, weight: Tensor, eps: float = 1e-5) -> Tensor:
    """Divide each row by its root mean square, then scale. x: (..., D), weight: (D,) → (..., D)."""
    rows = []
    for row in x.double().reshape(-1, x.shape[-1]).unbind(0):
        rows.append(row / ((row * row).sum() / len(row) + eps).sqrt() * weight.double())
    return torch.stack(rows).reshape(x.shape).to(x.dtype)


rms_norm = Check(
    exercise="2.3",
    name="rms_norm",
    weight=2,
    reference=reference,
    technique=[
        probes.by_name(
            "rms_norm(torch.tensor(", x=torch.tensor([[1.0, 7.0]]), weight=torch.ones(2), eps=0.0
        ),
        *probes.of_rows(learnt=1, what=ROOT),
        Probe(
            "ten times the input, the same output",
            probes.blind_to_scale,
            "The input was made ten times larger, and the output changed. A norm must be blind to "
            "the scale of its input.",
            promise=ROOT,
        ),
        half_precision(
            lambda inputs: (probes.alternating(inputs, 3, 6), inputs.randn(6)),
            title="around ±1000, in float16 and bfloat16",
            promise=probes.IN_FLOAT32,
        ),
    ],
    ready=probes.of_rows_ready(learnt=1),
    mistakes=MISTAKES,
    hints=(
        "LayerNorm did two things: re-centre and re-scale. Which one is left?",
        "The mean of the squares over the last dimension, kept; add eps; one over the root.",
        "`wide * torch.rsqrt(wide.square().mean(-1, keepdim=True) + eps) * weight` with "
        "`wide = x.float()`, and all of it back to `x.dtype`.",
    ),
)
