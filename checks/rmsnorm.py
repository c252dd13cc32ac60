"""Lab 02: batch_norm, layer_norm, rms_norm and the module RMSNorm."""

import torch

from checks.engine import Check, Probe, half_precision, keeps_device, values
from checks.mistakes import rmsnorm as mistakes
from checks.mistakes.rmsnorm_module import MODULE
from checks.probes import rmsnorm as probes
from checks.probes import rmsnorm_module as module
from checks.reference import rmsnorm as reference

CANCELS = (
    "For columns around 10,000 the result is wrong: two large numbers are subtracted, and little "
    "is left. Subtract the mean first, then square."
)
CPU = (
    "A tensor of the module stays on the CPU when the module moves. Parameters move with it; for "
    "a tensor made in forward there is `device=x.device`."
)

batch_norm = Check(
    exercise="2.1",
    name="batch_norm",
    reference=reference.batch_norm,
    technique=[
        probes.by_name(x=torch.tensor([[1.0, 10.0], [3.0, 30.0]]), eps=1e-9),
        values(
            lambda inputs: (inputs.randn(5, 3),),
            lambda inputs: (inputs.randn(11, 7) * 4 + 2,),
            lambda inputs: (inputs.randn(2, 6),),
        ),
        values(
            lambda inputs: (inputs.randn(4, 1),),
            lambda inputs: (inputs.randn(4, 4),),
            lambda inputs: (inputs.randn(3, 5).T,),
            lambda inputs: (probes.with_outliers(inputs).T.contiguous(),),
            title="one column, N = D, transposed, 150 rows with outliers",
        ),
        values(
            lambda inputs: (inputs.randn(5, 3), probes.EPS),
            lambda inputs: (probes.flat_rows(inputs).T.contiguous(), probes.EPS),
            lambda inputs: (inputs.randn(4, 3), 10.0),
            lambda inputs: (1e-3 * inputs.randn(6, 4), 1e-5),
            lambda inputs: (1e-6 * inputs.randn(5, 2), 1e-12),
            lambda inputs: (1e5 * inputs.randn(5, 2),),
            title=probes.SWEEP,
        ),
        probes.default_eps(0, 3, 1),
        Probe("columns around 10,000", probes.far_from_zero, CANCELS, inexact=True),
        Probe(
            "each column by itself, over all the samples",
            probes.one_column_all_samples,
            "A column's result must depend on all the samples of that column and on nothing else.",
        ),
        probes.all_gradients(
            lambda inputs: (inputs.randn(5, 3),),
            lambda inputs: (inputs.randn(8, 9).T,),
            lambda inputs: (probes.flat_rows(inputs).T.contiguous(), probes.EPS),
        ),
        half_precision(
            lambda inputs: (probes.alternating(inputs, 6, 5),),
            title="around ±1000, in float16 and bfloat16",
        ),
        keeps_device(lambda inputs: (inputs.randn(5, 3),)),
    ],
    mistakes=mistakes.BATCH_NORM,
    hints=(
        "Which numbers share one mean: those of one sample, or those of one feature?",
        "Mean and variance over `dim=0`, the samples: each is (D,) and broadcasts over the rows.",
        "`(x - x.mean(0)) / torch.sqrt(x.var(0, correction=0) + eps)`, on `x.float()`, and all of "
        "it back to `x.dtype`.",
    ),
)

layer_norm = Check(
    exercise="2.2",
    name="layer_norm",
    reference=reference.layer_norm,
    technique=[
        probes.by_name(
            x=torch.tensor([[1.0, 3.0]]), weight=torch.ones(2), bias=torch.zeros(2), eps=0.0
        ),
        *probes.of_rows(learnt=2),
        half_precision(
            lambda inputs: (
                probes.far_rows(inputs),
                1 + 0.2 * inputs.randn(6),
                0.2 * inputs.randn(6),
            ),
            title="around ±1000 and 300, in float16 and bfloat16",
        ),
    ],
    mistakes=mistakes.LAYER_NORM,
    hints=(
        "BatchNorm took one feature of many samples. What is left for a norm that knows one?",
        "Mean and variance over the last dimension, with `keepdim=True` so that they broadcast.",
        "`(x - mean) / torch.sqrt(x.var(-1, keepdim=True, correction=0) + eps) * weight + bias`, "
        "on `x.float()`, and all of it back to `x.dtype`.",
    ),
)

rms_norm = Check(
    exercise="2.3",
    name="rms_norm",
    weight=2,
    reference=reference.rms_norm,
    technique=[
        probes.by_name(x=torch.tensor([[1.0, 7.0]]), weight=torch.ones(2), eps=0.0),
        *probes.of_rows(learnt=1),
        Probe(
            "ten times the input, the same output",
            probes.blind_to_scale,
            "The input was made ten times larger, and the output changed. A norm must be blind to "
            "the scale of its input.",
        ),
        half_precision(
            lambda inputs: (probes.alternating(inputs, 3, 6), inputs.randn(6)),
            title="around ±1000, in float16 and bfloat16",
        ),
    ],
    mistakes=mistakes.RMS_NORM,
    hints=(
        "LayerNorm did two things: re-centre and re-scale. Which one is left?",
        "The mean of the squares over the last dimension, kept; add eps; one over the root.",
        "`wide * torch.rsqrt(wide.square().mean(-1, keepdim=True) + eps) * weight` with "
        "`wide = x.float()`, and all of it back to `x.dtype`.",
    ),
)

RMSNorm = Check(
    exercise="2.4",
    name="RMSNorm",
    reference=reference.RMSNorm,
    technique=[
        Probe("a new module: one parameter, `weight`, all ones", module.new_module),
        Probe("values with loaded weights: six shapes", module.loaded_shapes),
        Probe(probes.SWEEP, module.several_eps),
        Probe(probes.DEFAULT, module.default_eps, probes.NOT_DEFAULT, inexact=True),
        Probe("two modules in turns; after eval()", module.two_modules),
        Probe("a token does not feel the others", module.rows_alone, probes.LEAK),
        Probe(
            "gradients reach the input and the weight",
            module.all_gradients,
            "No gradient, or a wrong one, arrives at the input or at `weight`.",
        ),
        Probe(
            "around ±1000 in float16; bfloat16 stays",
            module.in_half,
            "In float16 the squares of the inputs overflow. Compute in float32.",
            inexact=True,
        ),
        Probe("works on the device of its input", module.one_device, CPU),
    ],
    mistakes=MODULE,
    hints=(
        "What belongs to the layer for good, and what comes with each call?",
        "The weight is an nn.Parameter of ones, eps a plain number; forward calls rms_norm.",
        "`return rms_norm(x, self.weight, self.eps)`",
    ),
)
