"""Lab 09, 9.1: what is tried on cross_entropy."""

from typing import Any

import torch
from torch import Tensor

from checks.engine import Check, Inputs, Probe, gradients, half_precision, keeps_device, values
from checks.training.cross_entropy_wrong import MISTAKES

MEAN = "The mean over all tokens of −ln p(target)"
SHAPES = "logits: (..., V), targets: (...) ids"
EXACT = "Exact for logits of 1e4"
IN_FLOAT32 = "float16 and bfloat16 are computed in float32"
ROOM = 0.01  # relative error of a gradient that is rounded to bfloat16 once: 0.004 at most


def reference(logits: Tensor, targets: Tensor) -> Tensor:
    """The mean over all tokens of −ln softmax(logits)[target]. (..., V), (...) → scalar."""
    rows = logits.double().flatten(0, -2)
    total = torch.zeros((), dtype=torch.float64, device=logits.device)
    for row, target in zip(rows, targets.flatten(), strict=True):
        above = row - row.max().detach()
        total = total + torch.exp(above).sum().log() - above[target]
    return (total / len(rows)).to(logits.dtype)


def tokens(inputs: Inputs, *shape: int, vocab: int, scale: float = 2.0) -> tuple[Tensor, Tensor]:
    """Logits (*shape, V) and targets (*shape)."""
    return inputs.randn(*shape, vocab) * scale, inputs.integers(*shape, high=vocab)


def confident(inputs: Inputs) -> tuple[Tensor, Tensor]:
    """Every target's logit is 4 above the other 5."""
    targets = inputs.integers(2, 3, high=6)
    return 4.0 * torch.nn.functional.one_hot(targets, 6), targets


def gradient_in_half(answer: Any, inputs: Inputs) -> list:
    """In bfloat16: the gradients of the unlikely tokens, which are p / N, to 1 %."""
    targets = torch.arange(8) % 4
    logits = inputs.randn(8, 40) + 12 * torch.nn.functional.one_hot(targets, 40)
    logits = logits.bfloat16().requires_grad_()
    got = answer(logits, targets)
    if not isinstance(got, Tensor) or not got.requires_grad:
        return [got]  # the engine says what it is, and what it should be
    (grad,) = torch.autograd.grad(got, logits)
    p = torch.softmax(logits.detach().double(), -1).scatter(-1, targets[:, None], 0.0)
    grad = grad.double().scatter(-1, targets[:, None], 0.0)
    return [bool((grad - p / 8).abs().le(ROOM * p / 8).all())]


cross_entropy = Check(
    exercise="9.1",
    name="cross_entropy",
    reference=reference,
    technique=[
        values(
            lambda inputs: (torch.zeros(1, 1, 4), torch.tensor([[2]])),
            title="worked example",
            promise="cross_entropy(torch.zeros(1, 1, 4), torch.tensor([[2]]))",
        ),
        values(
            lambda inputs: tokens(inputs, 2, 5, vocab=7),
            lambda inputs: tokens(inputs, 3, 4, vocab=6),
            lambda inputs: tokens(inputs, 1, 6, vocab=3),
            lambda inputs: tokens(inputs, 4, 1, vocab=9),
            lambda inputs: tokens(inputs, 3, 3, vocab=3),
            lambda inputs: tokens(inputs, 2, 2, vocab=8),
            lambda inputs: tokens(inputs, 3, 5, vocab=12),
            lambda inputs: tokens(inputs, 2, 6, vocab=4),
            lambda inputs: tokens(inputs, 4, 3, vocab=5),
            lambda inputs: tokens(inputs, 2, 4, vocab=10),
            title="(B, T, V) and (B, T): values on {n} random inputs",
            promise=MEAN,
        ),
        values(confident, title="sure and right: the loss is small", promise=MEAN),
        values(
            lambda inputs: tokens(inputs, 5, vocab=4),
            lambda inputs: tokens(inputs, 2, 3, 2, vocab=5),
            title="(T, V) and (A, B, T, V) as well",
            promise=SHAPES,
        ),
        values(
            lambda inputs: (torch.tensor([[[0.0, 1e4], [0.0, 1e4]]]), torch.tensor([[1, 0]])),
            lambda inputs: tokens(inputs, 2, 3, vocab=5, scale=1e4),
            title="logits of ±10000",
            promise=EXACT,
        ),
        values(
            lambda inputs: (inputs.randn(2, 3, 4) + 500, inputs.integers(2, 3, high=4)),
            lambda inputs: (inputs.randn(2, 3, 4) - 500, inputs.integers(2, 3, high=4)),
            title="all logits 500 larger, or smaller: the same loss",
            promise=EXACT,
        ),
        values(
            lambda inputs: (inputs.randn(2, 3, 4).double(), inputs.integers(2, 3, high=4)),
            title="float64 stays float64",
            promise="a scalar of the logits' dtype",
        ),
    ],
    ready=[
        gradients(
            lambda inputs: tokens(inputs, 2, 3, vocab=4),
            lambda inputs: tokens(inputs, 3, vocab=5),
        ),
        half_precision(lambda inputs: tokens(inputs, 2, 5, vocab=6), promise=IN_FLOAT32),
        Probe(
            "gradients in bfloat16, to 1 %",
            gradient_in_half,
            "In bfloat16 the gradients of unlikely tokens are off by more than their rounding. "
            "`logits.float()` comes before the softmax.",
            promise=IN_FLOAT32,
        ),
        keeps_device(lambda inputs: tokens(inputs, 2, 3, vocab=4)),
    ],
    mistakes=MISTAKES,
    hints=(
        "Each token has V logits and one target. Which single number of its V does the loss need?",
        "Take log_softmax over the last dimension, not the log of a softmax. Pick the target's "
        "entry with `gather`, change the sign, take the mean.",
        "`return -torch.log_softmax(logits, -1).gather(-1, targets[..., None]).mean()`; for "
        "float16 first `logits.float()`, and `.to(logits.dtype)` at the end.",
    ),
)
