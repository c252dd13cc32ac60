"""Lab 02: what is tried on batch_norm, layer_norm and rms_norm."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from checks.engine import (
    GRADIENTS_FLOW,
    Crash,
    Inputs,
    Probe,
    Wrong,
    agrees,
    gradients,
    keeps_device,
    values,
)

Draw = Callable[[Inputs], tuple]

HALF = (torch.float16, torch.bfloat16)
LARGE = 1000.0  # its square does not fit into float16, whose largest number is 65504
EPS = 0.1  # large enough that its place in the formula shows
SMALL = 3e-3  # its square is about 1e-5, the default eps: any other default shows
NEAR = 0.03  # times the largest: what rounding in float16 may cost a gradient
SWEEP = "other eps; inputs tiny, huge and all equal"
EPS_SIGNATURE = "eps: float = 1e-5"  # where a learner reads what is promised
IN_FLOAT32 = "Computed in float32, returned in x's dtype"
DEFAULT = "eps is 1e-5 unless given"
NOT_DEFAULT = (
    "Without eps the result should be that of eps=1e-5, and it is another. What is the default in "
    "the signature?"
)
LEAK = (
    "Another token was changed, and this one moved. In a language model that lets the future leak "
    "into the past."
)


def alternating(inputs: Inputs, rows: int, columns: int) -> Tensor:
    """Draw numbers around 1000 and -1000, in turns along rows and columns: (rows, columns)."""
    even = (torch.arange(rows)[:, None] + torch.arange(columns)) % 2 == 0
    return torch.where(even, LARGE, -LARGE) + inputs.randn(rows, columns)


def far_rows(inputs: Inputs) -> Tensor:
    """Draw rows around ±1000, and rows around 300, where bfloat16 goes in steps of 2: (10, 6)."""
    return torch.cat((alternating(inputs, 2, 6), 300 + 5 * inputs.randn(8, 6)))


def with_outliers(inputs: Inputs) -> Tensor:
    """Draw three long rows; two of them have a number that outshines the others: (3, 150)."""
    x = inputs.randn(3, 150)
    x[0, 40], x[1, 90] = 100.0, -100.0
    return x


def flat_rows(inputs: Inputs) -> Tensor:
    """Draw rows, one of them all zero and another one all equal: (4, 5)."""
    x = inputs.randn(4, 5)
    x[1], x[2] = 0.0, 1.5
    return x


def by_name(promise: str, **given: Any) -> Probe:
    """Call it with the names of the docstring."""

    def run(answer: Any, inputs: Inputs) -> Any:
        try:
            return answer(**given)
        except Crash as crash:
            if not isinstance(crash.original, TypeError) or crash.line:
                raise
            names = ", ".join(f"`{name}`" for name in given)
            raise Wrong(f"its parameters are not called {names}, as in the docstring.") from crash

    return Probe("worked example, called by name", run, promise=promise)


def default_eps(learnt: int, *shape: int) -> Probe:
    """Leave eps out, and give its default: the same."""

    def run(answer: Any, inputs: Inputs) -> bool:
        args = with_learnt(inputs, SMALL * inputs.randn(*shape), learnt)
        return agrees(answer(*args), answer(*args, 1e-5))

    # Whatever the other default is.
    return Probe(DEFAULT, run, NOT_DEFAULT, inexact=True, promise=EPS_SIGNATURE)


def with_learnt(inputs: Inputs, x: Tensor, learnt: int, *eps: float) -> tuple:
    """Arguments of a call: x, then 0, 1 or 2 vectors (D,), then perhaps eps."""
    return (x, *(inputs.randn(x.shape[-1]) for _ in range(learnt)), *eps)


def all_gradients(*draws: Draw) -> Probe:
    """Look at gradients in float32, and for the first call in float16 as well."""
    smooth = gradients(*draws, title="gradients: several shapes, equal numbers, float16")

    def in_dtype(answer: Any, args: list, dtype: torch.dtype) -> list:
        return gradients(lambda _: tuple(v.to(dtype) for v in args)).run(answer, None)

    def run(answer: Any, inputs: Inputs) -> list[Tensor | bool]:
        exact = smooth.run(answer, inputs)
        args = [value.half() for value in draws[0](inputs)]
        right, got = (in_dtype(answer, args, t) for t in (torch.float64, torch.float16))
        return [*exact, all(map(near, got, right))]

    return Probe(smooth.title, run, smooth.fails, promise=GRADIENTS_FLOW)


def near(got: Tensor, right: Tensor) -> bool:
    """Tell whether gradients in half precision are what they should be, roughly."""
    return bool((got.double() - right).abs().max() <= NEAR * right.abs().max())


def call(x: Callable[[Inputs], Tensor], learnt: int, *eps: float) -> Draw:
    """Draw the arguments of a call, with 1 or 2 learnt vectors."""
    return lambda inputs: with_learnt(inputs, x(inputs), learnt, *eps)


def of_rows(learnt: int, what: str) -> list[Probe]:
    """List what LayerNorm (learnt: 2 vectors) and RMSNorm (1) must both show; `what` they do."""

    def rows_alone(answer: Any, inputs: Inputs) -> bool:
        """Change the last token; the earlier ones must not move."""
        x, *more = with_learnt(inputs, inputs.randn(1, 5, 6), learnt)
        return agrees(answer(last_token_moved(x), *more)[:, :-1], answer(x, *more)[:, :-1])

    return [
        values(
            call(lambda i: i.randn(3, 5), learnt),
            call(lambda i: i.randn(2, 7, 4) * 3 + 1, learnt),
            call(lambda i: i.randn(2, 3, 4, 5), learnt),
            promise=what,
        ),
        values(
            call(lambda i: i.randn(6), learnt),
            call(lambda i: i.randn(4, 1), learnt, EPS),
            call(lambda i: i.randn(1, 5, 6), learnt),
            call(lambda i: i.randn(4, 4), learnt),
            call(lambda i: i.randn(2, 5, 6).transpose(1, 2), learnt),
            call(with_outliers, learnt),
            title="one vector (D,), sizes of 1, D × D, transposed, 150 columns with outliers",
            promise="x: (..., D)",
        ),
        values(
            call(lambda i: i.randn(3, 5), learnt, EPS),
            call(flat_rows, learnt, EPS),
            call(lambda i: i.randn(3, 4), learnt, 10.0),
            call(lambda i: 1e-3 * i.randn(3, 4), learnt, 1e-5),
            call(lambda i: 1e-3 * i.randn(2, 5), learnt, 0.0),
            call(lambda i: 1e-6 * i.randn(2, 5), learnt, 1e-12),
            call(lambda i: 1e5 * i.randn(2, 5), learnt),
            title=SWEEP,
            promise=EPS_SIGNATURE,
        ),
        default_eps(learnt, 1, 3),
        Probe("a token does not feel the others", rows_alone, LEAK, promise="each vector"),
    ]


def of_rows_ready(learnt: int) -> list[Probe]:
    """List what both need besides, before a real model uses them."""

    def mixed(answer: Any, inputs: Inputs) -> list[Tensor]:
        """Half precision in x and float32 in what is learnt: only the dtype that comes out."""
        args = with_learnt(inputs, inputs.randn(3, 5), learnt)
        return [answer(args[0].to(t), *args[1:]).flatten()[:0] for t in HALF]

    return [
        all_gradients(
            call(lambda i: i.randn(3, 5), learnt),
            call(lambda i: i.randn(6), learnt),
            call(lambda i: i.randn(2, 7, 6).transpose(1, 2), learnt),
            call(flat_rows, learnt, EPS),
        ),
        Probe("a float32 weight, and x in float16 and bfloat16", mixed, promise=IN_FLOAT32),
        keeps_device(call(lambda i: i.randn(3, 5), learnt)),
    ]


def last_token_moved(x: Tensor) -> Tensor:
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


def far_from_zero(answer: Any, inputs: Inputs) -> bool:
    """Give it columns around 10,000 that vary by 1, and ask for two digits."""
    x = 1e4 + inputs.randn(8, 4)
    centred = x.double() - x.double().mean(0)
    right = centred / (centred.square().mean(0) + 1e-5).sqrt()
    return bool((answer(x) - right).abs().max() < 1e-2)


def blind_to_scale(answer: Any, inputs: Inputs) -> bool:
    """Make the input ten times larger: nothing changes."""
    x, weight = inputs.randn(3, 6), inputs.randn(6)
    return agrees(answer(10 * x, weight), answer(x, weight))
