"""Lab 02: batch_norm, layer_norm, rms_norm and the module RMSNorm."""

from typing import Any

import torch
from torch import Tensor

from checks.engine import (
    Check,
    Inputs,
    Probe,
    agrees,
    expect_parameters,
    gradients,
    half_precision,
    keeps_device,
    load,
    values,
)
from checks.mistakes import rmsnorm as mistakes
from checks.reference import rmsnorm as reference

LARGE = 1000.0  # its square does not fit into float16, whose largest number is 65504
EPS = 0.1  # large enough that its place in the formula shows
LEAK = (
    "Another token was changed, and this one moved. In a language model that lets the future leak "
    "into the past."
)


def large(inputs: Inputs, rows: int, columns: int) -> Tensor:
    """Draw numbers around ±1000: (rows, columns)."""
    return inputs.randn(rows, columns).sign() * LARGE + inputs.randn(rows, columns)


def change_last_token(x: Tensor) -> Tensor:
    """Return x with its last token moved: (B, T, D) → (B, T, D)."""
    other = x.clone()
    other[:, -1] += 3
    return other


def one_column_all_samples(answer: Any, inputs: Inputs) -> list[bool]:
    """Change the last sample and watch the first; scale one column and watch another."""
    x = inputs.randn(4, 3)
    other_sample, other_column = x.clone(), x.clone()
    other_sample[-1] += 3
    other_column[:, 2] *= 5
    row_moves = not agrees(answer(other_sample)[0], answer(x)[0])
    column_stays = agrees(answer(other_column)[:, 0], answer(x)[:, 0])
    return [row_moves, column_stays]


def layer_norm_rows_alone(answer: Any, inputs: Inputs) -> bool:
    """Change the last token; the earlier ones must not move."""
    x, weight, bias = inputs.randn(1, 5, 6), inputs.randn(6), inputs.randn(6)
    return agrees(
        answer(change_last_token(x), weight, bias)[:, :-1], answer(x, weight, bias)[:, :-1]
    )


def rms_norm_rows_alone(answer: Any, inputs: Inputs) -> bool:
    """Change the last token; the earlier ones must not move."""
    x, weight = inputs.randn(1, 5, 6), inputs.randn(6)
    return agrees(answer(change_last_token(x), weight)[:, :-1], answer(x, weight)[:, :-1])


def blind_to_scale(answer: Any, inputs: Inputs) -> bool:
    """Make the input ten times larger: nothing changes."""
    x, weight = inputs.randn(3, 6), inputs.randn(6)
    return agrees(answer(10 * x, weight), answer(x, weight))


def new_module(answer: Any, inputs: Inputs) -> list:
    """Look at the parameter of a new module, and at what it does to three vectors."""
    module = answer(5)
    expect_parameters(module, {"weight": torch.ones(5)})
    return [module.weight, module.weight.requires_grad, module(inputs.randn(3, 5))]


def loaded_module(answer: Any, inputs: Inputs) -> list[Tensor]:
    """Load weights, and look at the output for several sizes, scales and eps."""
    seen = []
    for shape, scale, eps in (((3, 5), 1, 1e-5), ((2, 4, 7), 1, EPS), ((6,), 1, EPS)):
        module = load(answer(shape[-1], eps), {"weight": inputs.randn(shape[-1])})
        seen.append(module(scale * inputs.randn(*shape)))
    module = load(answer(5), {"weight": inputs.randn(5)})
    return [*seen, module(1e-3 * inputs.randn(3, 5)), module(torch.zeros(2, 5))]


def module_rows_alone(answer: Any, inputs: Inputs) -> bool:
    """Change the last token; the earlier ones must not move."""
    module, x = answer(6), inputs.randn(1, 5, 6)
    return agrees(module(change_last_token(x))[:, :-1], module(x)[:, :-1])


def module_gradients(answer: Any, inputs: Inputs) -> list[Tensor]:
    """Look at the gradients that arrive at the input and at the weight."""
    module = load(answer(5), {"weight": inputs.randn(5)})
    x = inputs.randn(3, 5).requires_grad_()
    (module(x) * inputs.randn(3, 5)).sum().backward()
    weight = module.weight
    return [grad if grad is not None else torch.zeros(0) for grad in (x.grad, weight.grad)]


def module_in_half(answer: Any, inputs: Inputs) -> list[Tensor | bool]:
    """Give a float16 module numbers around ±1000."""
    x = large(inputs, 3, 6).half()
    result = answer(6).half()(x)
    return [result[..., :0], agrees(result, answer(6)(x.float()).half())]


batch_norm = Check(
    exercise="2.1",
    name="batch_norm",
    reference=reference.batch_norm,
    probes=[
        values(
            lambda inputs: (torch.tensor([[1.0, 10.0], [3.0, 30.0]]), 1e-9), title="worked example"
        ),
        values(
            lambda inputs: (inputs.randn(5, 3),),
            lambda inputs: (inputs.randn(11, 7) * 4 + 2,),
            lambda inputs: (inputs.randn(2, 6),),
        ),
        values(
            lambda inputs: (inputs.randn(5, 3), EPS),
            lambda inputs: (inputs.randn(6, 4) * 1e-3,),
            lambda inputs: (torch.ones(3, 2),),
            title="eps = 0.1; tiny inputs and constant columns with the default eps",
        ),
        Probe(
            "each column by itself, over all the samples",
            one_column_all_samples,
            "A column's result must depend on all the samples of that column and on nothing else.",
        ),
        gradients(lambda inputs: (inputs.randn(5, 3),)),
        half_precision(lambda inputs: (large(inputs, 6, 5),)),
        keeps_device(lambda inputs: (inputs.randn(5, 3),)),
    ],
    mistakes=mistakes.BATCH_NORM,
    hints=(
        "Which numbers share one mean: those of one sample, or those of one feature?",
        "Mean and variance over `dim=0`, the samples: each is (D,) and broadcasts over the rows.",
        "`(x - x.mean(0)) / torch.sqrt(x.var(0, correction=0) + eps)`, on `x.float()`.",
    ),
)

layer_norm = Check(
    exercise="2.2",
    name="layer_norm",
    reference=reference.layer_norm,
    probes=[
        values(
            lambda inputs: (torch.tensor([[1.0, 3.0]]), torch.ones(2), torch.zeros(2), 0.0),
            title="worked example",
        ),
        values(
            lambda inputs: (inputs.randn(3, 5), inputs.randn(5), inputs.randn(5)),
            lambda inputs: (inputs.randn(2, 7, 4) * 3 + 1, inputs.randn(4), inputs.randn(4)),
            lambda inputs: (inputs.randn(2, 3, 4, 5), inputs.randn(5), inputs.randn(5)),
        ),
        values(
            lambda inputs: (inputs.randn(6), inputs.randn(6), inputs.randn(6)),
            title="a single vector, (D,)",
        ),
        values(
            lambda inputs: (inputs.randn(3, 5), inputs.randn(5), inputs.randn(5), EPS),
            lambda inputs: (inputs.randn(3, 4) * 1e-3, inputs.randn(4), inputs.randn(4)),
            lambda inputs: (torch.ones(2, 3), inputs.randn(3), inputs.randn(3)),
            title="eps = 0.1; tiny inputs and constant rows with the default eps",
        ),
        Probe("a token does not feel the others", layer_norm_rows_alone, LEAK),
        gradients(lambda inputs: (inputs.randn(3, 5), inputs.randn(5), inputs.randn(5))),
        half_precision(lambda inputs: (large(inputs, 3, 6), inputs.randn(6), inputs.randn(6))),
        keeps_device(lambda inputs: (inputs.randn(3, 5), inputs.randn(5), inputs.randn(5))),
    ],
    mistakes=mistakes.LAYER_NORM,
    hints=(
        "BatchNorm took one feature of many samples. What is left for a norm that knows one?",
        "Mean and variance over the last dimension, with `keepdim=True` so that they broadcast.",
        "`(x - mean) / torch.sqrt(x.var(-1, keepdim=True, correction=0) + eps) * weight + bias`",
    ),
)

rms_norm = Check(
    exercise="2.3",
    name="rms_norm",
    points=2,
    reference=reference.rms_norm,
    probes=[
        values(
            lambda inputs: (torch.tensor([[1.0, 7.0]]), torch.ones(2), 0.0),
            title="worked example",
        ),
        values(
            lambda inputs: (inputs.randn(3, 5), inputs.randn(5)),
            lambda inputs: (inputs.randn(2, 7, 4) * 3 + 1, inputs.randn(4)),
            lambda inputs: (inputs.randn(2, 3, 4, 5), inputs.randn(5)),
        ),
        values(lambda inputs: (inputs.randn(6), inputs.randn(6)), title="a single vector, (D,)"),
        values(
            lambda inputs: (inputs.randn(3, 5), inputs.randn(5), EPS),
            lambda inputs: (inputs.randn(3, 4) * 1e-3, inputs.randn(4)),
            lambda inputs: (torch.zeros(2, 3), inputs.randn(3)),
            title="eps = 0.1; tiny inputs and zeros with the default eps",
        ),
        Probe(
            "ten times the input, the same output",
            blind_to_scale,
            "The input was made ten times larger, and the output changed. A norm must be blind to "
            "the scale of its input.",
        ),
        Probe("a token does not feel the others", rms_norm_rows_alone, LEAK),
        gradients(lambda inputs: (inputs.randn(3, 5), inputs.randn(5))),
        half_precision(lambda inputs: (large(inputs, 3, 6), inputs.randn(6))),
        keeps_device(lambda inputs: (inputs.randn(3, 5), inputs.randn(5))),
    ],
    mistakes=mistakes.RMS_NORM,
    hints=(
        "LayerNorm did two things: re-centre and re-scale. Which one is left?",
        "The mean of the squares over the last dimension, kept; add eps; one over the root.",
        "`x.float() * torch.rsqrt(x.float().square().mean(-1, keepdim=True) + eps)`, back to "
        "`x.dtype`, times `weight`.",
    ),
)

RMSNorm = Check(
    exercise="2.4",
    name="RMSNorm",
    reference=reference.RMSNorm,
    probes=[
        Probe("a new module: one parameter, `weight`, all ones", new_module),
        Probe("values with loaded weights: five inputs, two eps", loaded_module),
        Probe("a token does not feel the others", module_rows_alone, LEAK),
        Probe(
            "gradients reach the input and the weight",
            module_gradients,
            "No gradient, or a wrong one, arrives at the input or at `weight`.",
        ),
        Probe(
            "float16 inputs around ±1000",
            module_in_half,
            "In float16 the squares of the inputs overflow. Compute in float32.",
            noisy=True,
        ),
    ],
    mistakes=mistakes.MODULE,
    hints=(
        "What belongs to the layer for good, and what comes with each call?",
        "The weight is an nn.Parameter of ones, eps a plain number; forward calls rms_norm.",
        "`return rms_norm(x, self.weight, self.eps)`",
    ),
)
