"""Lab 09, 9.3: what is tried on clip_grad_norm."""

import functools
import math
from typing import Any

import torch
from torch import Tensor

from checks.engine import HALF_PRECISION, Check, Inputs, Probe, keeps_device
from checks.training.clip_grad_norm_wrong import MISTAKES
from checks.training.in_place import in_place as in_place_of
from checks.training.in_place import keeping_what_it_changes

SHORTEN = "Shorten the gradients, in place, so that their common norm is max_norm at most."
TOGETHER = "The norm is that of all the numbers of all the tensors together."
SHORT = "a gradient that is short enough, zero included, stays untouched"
FAILS = "The norm that came back, or what stands in the gradients afterwards, is not right."

in_place = functools.partial(in_place_of, fails=FAILS)


def reference(grads: list[Tensor], max_norm: float) -> float:
    """Scale all gradients by max_norm / norm, in place, if their common norm is larger."""
    squares = 0.0
    for grad in grads:
        squares += sum(number * number for number in grad.flatten().tolist())
    norm = math.sqrt(squares)
    if norm > max_norm:
        for grad in grads:
            grad.copy_(grad.double() * max_norm / norm)
    return norm


def gradients_of(inputs: Inputs, *shapes: tuple[int, ...], norm: float | None = None) -> list:
    """Gradients of these shapes; of a common norm, if it is given."""
    grads = [inputs.randn(*shape) for shape in shapes]
    if norm is None:
        return grads
    now = torch.cat([grad.flatten() for grad in grads]).norm()
    return [grad * (norm / now) for grad in grads]


def clipped_in_half(answer: Any, inputs: Inputs) -> list:
    """Gradients of 300 in float16, whose squares do not fit into it; bfloat16 stays bfloat16."""
    call, seen = keeping_what_it_changes(answer), []
    for dtype in (torch.float16, torch.bfloat16):
        grads = [torch.full((2, 3), 300.0, dtype=dtype), torch.full((4,), -300.0, dtype=dtype)]
        norm, after = call(grads, 8.0)[:2]
        right = 300 * 10**0.5
        if not isinstance(norm, float):  # as numpy's are
            return [norm]  # the engine says what it is, and what it should be
        seen += [bool(abs(norm - right) < 0.02 * right), *(grad.flatten()[:0] for grad in after)]
        seen += [bool((grad.abs().float() - 8 / 10**0.5).abs().max() < 0.05) for grad in after]
    return seen


clip_grad_norm = Check(
    exercise="9.3",
    name="clip_grad_norm",
    only_numbers=True,  # to change its input is its work: in_place looks at what stands there
    reference=reference,
    technique=[
        in_place(
            lambda inputs: ([torch.tensor([3.0]), torch.tensor([[0.0, 4.0]])], 1.0),
            title="worked example: what comes back, and the gradients afterwards",
            promise="clip_grad_norm(grads, max_norm=1.0)",
        ),
        in_place(
            lambda inputs: (gradients_of(inputs, (2, 3), (4,), (1, 2, 3), norm=6.0), 2.0),
            lambda inputs: (gradients_of(inputs, (5,), (3, 3), norm=11.0), 0.3),
            lambda inputs: (gradients_of(inputs, (7, 2)), 1e-3),
            lambda inputs: (gradients_of(inputs, (3,), (2, 2), norm=0.6), 0.5),
            lambda inputs: (gradients_of(inputs, (2, 4), (3,), norm=2.6), 2.0),
            title="too long, by much or by little: several tensors of different shapes",
            promise=SHORTEN,
        ),
        in_place(
            lambda inputs: (gradients_of(inputs, (2, 3), (4,), norm=0.7), 1.0),
            lambda inputs: (gradients_of(inputs, (3, 2), (5,), norm=1.7), 2.0),
            lambda inputs: (gradients_of(inputs, (3,), (2, 2), norm=90.0), 100.0),
            title="short enough: nothing changes",
            promise=SHORT,
        ),
        in_place(
            lambda inputs: ([inputs.randn(), inputs.randn(2) * 30, inputs.randn(3) * 0.01], 0.5),
            lambda inputs: ([inputs.randn(2, 2) * 0.01, inputs.randn(2) * 3], 1.5),
            title="tensors of very different sizes keep their proportions",
            promise=TOGETHER,
        ),
        in_place(
            lambda inputs: ([torch.zeros(2), torch.zeros(3)], 1.0),
            lambda inputs: ([torch.zeros(2), torch.tensor([0.375, 0.5])], 0.625),
            title="gradients that are all zero; a norm of exactly max_norm",
            promise=SHORT,
        ),
        in_place(
            lambda inputs: ([inputs.randn(2, 2).double() * 9], 1.0),
            title="float64",
            promise=TOGETHER,
        ),
    ],
    ready=[
        Probe(
            "float16 and bfloat16, numbers of 300",
            clipped_in_half,
            fails="In half precision the norm or the gradients are wrong: the square of 300 does "
            "not fit into float16. Add up the squares in float32 (`grad.float()`).",
            promise=HALF_PRECISION,
        ),
        keeps_device(lambda inputs: (gradients_of(inputs, (2, 3), (4,), norm=6.0), 2.0)),
    ],
    mistakes=MISTAKES,
    hints=(
        "All the gradients together are one long vector. What is its length, and what must it be "
        "multiplied by to have the length max_norm?",
        "The norm is the root of the sum of all squares, over all tensors. Only if it is larger "
        "than max_norm, every tensor is multiplied by the same max_norm / norm.",
        "`norm = math.sqrt(sum(g.float().square().sum().item() for g in grads))`, and in the loop "
        "`g.mul_(max_norm / norm)`, in place.",
    ),
)
