"""Lab 09, 9.4: what is tried on adamw_step."""

import functools
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from checks.engine import Check, Inputs, Probe, keeps_device
from checks.training.adamw_step_wrong import MISTAKES
from checks.training.in_place import in_place as in_place_of
from checks.training.in_place import keeping_what_it_changes

IN_PLACE = "changes param, m and v in place"
MOMENTS = "m and v: running means of the gradient and of its square"
EPS = "ε is a tiny number against division by zero"
DECAY = "every weight shrinks a little in each step unless gradients hold it up"
FAILS = "After the call, what stands in param, m, v or grad is not right (grad stays as it was)."

in_place = functools.partial(in_place_of, fails=FAILS, with_result=False)


@torch.no_grad()
def reference(
    param: Tensor,
    grad: Tensor,
    m: Tensor,
    v: Tensor,
    step: int,
    lr: float,
    betas: tuple[float, float] = (0.9, 0.95),
    eps: float = 1e-8,
    weight_decay: float = 0.1,
) -> None:
    """Loshchilov and Hutter's algorithm 2, line by line, in place on param, m and v."""
    g, before = grad.double(), param.double()
    mean = betas[0] * m.double() + (1 - betas[0]) * g
    square = betas[1] * v.double() + (1 - betas[1]) * g * g
    unbiased, unbiased_square = mean / (1 - betas[0] ** step), square / (1 - betas[1] ** step)
    move = unbiased / (unbiased_square.sqrt() + eps)
    param.copy_(before - lr * move - lr * weight_decay * before)
    m.copy_(mean)
    v.copy_(square)


def state(
    inputs: Inputs, *shape: int, fresh: bool = False
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """A parameter, its gradient, and moments; zeros if `fresh`."""
    param, grad = inputs.randn(*shape), inputs.randn(*shape) * 0.3
    if fresh:
        return param, grad, torch.zeros(shape), torch.zeros(shape)
    return param, grad, inputs.randn(*shape) * 0.2, inputs.uniform(*shape, low=0.01, high=0.2)


def some_steps(fresh_gradients: bool, **how: Any) -> Callable[[Any, Inputs], list]:
    """Several steps, each from where the last one ended: param, m and v after each."""

    def run(answer: Any, inputs: Inputs) -> list:
        call, seen = keeping_what_it_changes(answer), []
        param, grad, m, v = state(inputs, 3, 2, fresh=True)
        for step in range(1, 5):
            param, _, m, v = call(param, grad, m, v, step, 0.1, **how)[1:5]
            seen += [param, m, v]
            grad = inputs.randn(3, 2) * step if fresh_gradients else grad
        return seen

    return run


def a_parameter(answer: Any, inputs: Inputs) -> list:
    """A leaf that requires a gradient: it still does afterwards, and the moments do not."""
    param, grad, m, v = state(inputs, 2, 3)
    after = keeping_what_it_changes(answer)(param.requires_grad_(), grad, m, v, 2, 0.1)[1:5]
    return [after[0].is_leaf, *(value.requires_grad for value in after), after[0].detach()]


adamw_step = Check(
    exercise="9.4",
    name="adamw_step",
    only_numbers=True,  # to change its inputs is its work: in_place looks at what stands there
    weight=2,
    reference=reference,
    technique=[
        in_place(
            lambda inputs: (
                *map(torch.tensor, ([1.0, -2.0], [0.5, -0.001], [0.0, 0.0], [0.0, 0.0])),
                *(1, 0.1, (0.9, 0.95), 1e-8, 0.0),
            ),
            title="worked example: param, grad, m and v after step 1, without decay",
            promise="adamw_step(param, grad, m, v, step=1, lr=0.1, weight_decay=0.0)",
        ),
        in_place(
            lambda inputs: (*state(inputs, 3, 4, fresh=True), 1, 0.1),
            lambda inputs: (*state(inputs, 5), 3, 0.2),
            lambda inputs: (*state(inputs, 2, 3, 2), 20, 0.05),
            title="all defaults: steps 1, 3 and 20",
            promise=IN_PLACE,
        ),
        in_place(
            lambda inputs: (*state(inputs, 3, 3), 4, 0.1, (0.7, 0.8), 1e-8, 0.0),
            lambda inputs: (*state(inputs, 4), 2, 0.3, (0.3, 0.99), 1e-8, 0.0),
            title="other betas, without decay",
            promise=MOMENTS,
        ),
        in_place(
            lambda inputs: (*state(inputs, 3, 2), 2, 0.1, (0.9, 0.95), 0.1, 0.0),
            lambda inputs: (*state(inputs, 4), 5, 0.2, (0.6, 0.9), 0.5, 0.1),
            lambda inputs: (inputs.randn(4), inputs.randn(4) * 1e-8, *[torch.zeros(4)] * 2, 1, 0.1),
            title="eps large enough to see",
            promise=EPS,
        ),
        in_place(
            lambda inputs: (*state(inputs, 3, 3), 3, 0.2, (0.9, 0.95), 1e-8, 0.8),
            lambda inputs: (torch.ones(3), *[torch.zeros(3)] * 3, 1, 0.5, (0.9, 0.95), 1e-8, 0.5),
            title="a large weight decay, and one without any gradient",
            promise=DECAY,
        ),
        Probe(
            "four steps with the same gradient",
            some_steps(False),
            FAILS,
            promise="zeros before step 1",
        ),
        Probe(
            "four steps with changing gradients",
            some_steps(True, betas=(0.8, 0.9), eps=0.01),
            FAILS,
            promise=MOMENTS,
        ),
        in_place(
            lambda inputs: (*(x.double() for x in state(inputs, 3)), 2, 0.1),
            title="float64",
            promise=IN_PLACE,
        ),
        Probe(
            "a parameter that requires a gradient",
            a_parameter,
            "The parameter or the moments became part of a graph, or the parameter is no leaf any "
            "more. Change it in place, under `torch.no_grad()`.",
            promise=IN_PLACE,
        ),
    ],
    ready=[keeps_device(lambda inputs: (*state(inputs, 2, 3), 2, 0.1))],
    mistakes=MISTAKES,
    hints=(
        "A step needs the mean, the mean of squares, their corrections, and the parameter. Which "
        "of these must survive to the next step?",
        "m and v are changed in place and stay uncorrected. Corrected are only the values in the "
        "step: m / (1 − β₁^step), v / (1 − β₂^step). The decay is lr · weight_decay of the "
        "parameter itself, outside of m and v.",
        "`m.lerp_(grad, 1 - b1)`, `v.mul_(b2).addcmul_(grad, grad, value=1 - b2)`, "
        "`param.mul_(1 - lr * weight_decay)`, "
        "`param.sub_(lr * m / (1 - b1**step) / ((v / (1 - b2**step)).sqrt() + eps))`",
    ),
)
