"""Lab 02, 2.2: what is tried on layer_norm."""

import torch
from torch import Tensor

from checks.engine import Check, half_precision
from checks.rmsnorm import probes
from checks.rmsnorm.layer_norm_wrong import MISTAKES


def reference(x: Tensor, weight: Tensor, bias: Tensor, eps: float = 1e-5) -> Tensor:
    """Normalise each row, then scale and shift. x: (..., D), weight, bias: (D,) → (..., D)."""
    rows = []
    for row in x.double().reshape(-1, x.shape[-1]).unbind(0):
        centred = row - row.sum() / len(row)
        unit = centred / ((centred * centred).sum() / len(row) + eps).sqrt()
        rows.append(unit * weight.double() + bias.double())
    return torch.stack(rows).reshape(x.shape).to(x.dtype)


layer_norm = Check(
    exercise="2.2",
    name="layer_norm",
    reference=reference,
    technique=[
        probes.by_name(
            "layer_norm(torch.tensor(",
            x=torch.tensor([[1.0, 3.0]]),
            weight=torch.ones(2),
            bias=torch.zeros(2),
            eps=0.0,
        ),
        *probes.of_rows(learnt=2, what="Bring each vector to mean 0 and variance 1"),
        half_precision(
            lambda inputs: (
                probes.far_rows(inputs),
                1 + 0.2 * inputs.randn(6),
                0.2 * inputs.randn(6),
            ),
            title="around ±1000 and 300, in float16 and bfloat16",
            promise=probes.IN_FLOAT32,
        ),
    ],
    ready=probes.of_rows_ready(learnt=2),
    mistakes=MISTAKES,
    hints=(
        "BatchNorm took one feature of many samples. What is left for a norm that knows one?",
        "Mean and variance over the last dimension, with `keepdim=True` so that they broadcast.",
        "`(x - mean) / torch.sqrt(x.var(-1, keepdim=True, correction=0) + eps) * weight + bias`, "
        "on `x.float()`, and all of it back to `x.dtype`.",
    ),
)
