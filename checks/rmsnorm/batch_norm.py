"""Lab 02, 2.1: what is tried on batch_norm."""

import torch
from torch import Tensor

from checks.engine import Check, Probe, half_precision, keeps_device, values
from checks.rmsnorm import probes
from checks.rmsnorm.batch_norm_wrong import MISTAKES

CANCELS = (
    "For columns around 10,000 the result is wrong: two large numbers are subtracted, and little "
    "is left. Subtract the mean first, then square."
)
COLUMN = "Bring each column to mean 0 and variance 1 (population variance)"
SHAPES = "x: (N, D), one row per sample → (N, D)"


def reference(x: Tensor, eps: float = 1e-5) -> Tensor:
    """Normalise each column. x: (N, D) → (N, D)."""
    columns = []
    for column in x.double().unbind(1):
        centred = column - column.sum() / len(column)
        columns.append(centred / ((centred * centred).sum() / len(column) + eps).sqrt())
    return torch.stack(columns, dim=1).to(x.dtype)


batch_norm = Check(
    exercise="2.1",
    name="batch_norm",
    reference=reference,
    technique=[
        probes.by_name(
            "batch_norm(torch.tensor(", x=torch.tensor([[1.0, 10.0], [3.0, 30.0]]), eps=1e-9
        ),
        values(
            lambda inputs: (inputs.randn(5, 3),),
            lambda inputs: (inputs.randn(11, 7) * 4 + 2,),
            lambda inputs: (inputs.randn(2, 6),),
            promise=COLUMN,
        ),
        values(
            lambda inputs: (inputs.randn(4, 1),),
            lambda inputs: (inputs.randn(4, 4),),
            lambda inputs: (inputs.randn(3, 5).T,),
            lambda inputs: (probes.with_outliers(inputs).T.contiguous(),),
            title="one column, N = D, transposed, 150 rows with outliers",
            promise=SHAPES,
        ),
        values(
            lambda inputs: (inputs.randn(5, 3), probes.EPS),
            lambda inputs: (probes.flat_rows(inputs).T.contiguous(), probes.EPS),
            lambda inputs: (inputs.randn(4, 3), 10.0),
            lambda inputs: (1e-3 * inputs.randn(6, 4), 1e-5),
            lambda inputs: (1e-6 * inputs.randn(5, 2), 1e-12),
            lambda inputs: (1e5 * inputs.randn(5, 2),),
            title=probes.SWEEP,
            promise=probes.EPS_SIGNATURE,
        ),
        probes.default_eps(0, 3, 1),
        Probe(
            "each column by itself, over all the samples",
            probes.one_column_all_samples,
            "A column's result must depend on all the samples of that column and on nothing else.",
            promise="each column",
        ),
        half_precision(
            lambda inputs: (probes.alternating(inputs, 6, 5),),
            title="around ±1000, in float16 and bfloat16",
            promise=probes.IN_FLOAT32,
        ),
    ],
    ready=[
        Probe(
            "columns around 10,000",
            probes.far_from_zero,
            CANCELS,
            inexact=True,
            promise="Columns may lie far from zero",
        ),
        probes.all_gradients(
            lambda inputs: (inputs.randn(5, 3),),
            lambda inputs: (inputs.randn(8, 9).T,),
            lambda inputs: (probes.flat_rows(inputs).T.contiguous(), probes.EPS),
        ),
        keeps_device(lambda inputs: (inputs.randn(5, 3),)),
    ],
    mistakes=MISTAKES,
    hints=(
        "Which numbers share one mean: those of one sample, or those of one feature?",
        "Mean and variance over `dim=0`, the samples: each is (D,) and broadcasts over the rows.",
        "`(x - x.mean(0)) / torch.sqrt(x.var(0, correction=0) + eps)`, on `x.float()`, and all of "
        "it back to `x.dtype`.",
    ),
)
