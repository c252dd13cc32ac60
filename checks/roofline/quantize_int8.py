"""Lab 12, 12.5: what is tried on quantize_int8."""

import dataclasses
from typing import Any

import torch
from torch import Tensor

from checks.engine import Check, Inputs, Probe, keeps_device
from checks.engine.not_a_number import NaNsMadeWhole
from checks.roofline.quantize_int8_wrong import MISTAKES

ROW = "Round each row to whole numbers from -127 to 127, in steps of a scale of its own."
LARGEST = "a row's largest magnitude over 127"
NEAREST = "The nearest whole number counts"
ZEROS = "A row of zeros becomes zeros, with no NaN on the way; its scale is any finite number"
KINDS = "(out, in) int8, and the scales (out,) float32"
TIE = 2e-3  # of a step: nearer to the middle than that, either neighbour is the nearest


def reference(weight: Tensor) -> tuple[Tensor, Tensor]:
    """(out, in) → (out, in) int8 and (out,) float32, one row after the other, in float64."""
    numbers, scales = [], []
    for row in weight.detach().double():
        scale = row.abs().amax() / 127
        scales.append(scale)
        numbers.append((row / torch.where(scale == 0, 1.0, scale)).round())
    return torch.stack(numbers).to(torch.int8), torch.stack(scales).float()


def settled(result: Any, weight: Tensor) -> Any:
    """A result with what is left to the answer made equal: ties, and the scale of zeros."""
    if not isinstance(result, tuple | list) or len(result) != 2:
        return result
    q, scale = result
    if not (isinstance(q, Tensor) and isinstance(scale, Tensor)):
        return tuple(result)
    right, steps = reference(weight)
    scale = scale.detach()
    if q.shape == right.shape and q.dtype == right.dtype:
        exact = weight.detach().double() / torch.where(steps == 0, 1.0, steps).double()[:, None]
        either = (q.double() - exact).abs() <= 0.5 + TIE
        q = torch.where(either, right, q)
    if scale.shape == steps.shape:
        scale = torch.where((steps == 0) & scale.isfinite(), steps.to(scale.dtype), scale)
    return q, scale


def rows(*draws: Any, title: str, promise: str, fails: str = "") -> Probe:
    """Compare the numbers and the scales of several matrices."""

    def run(answer: Any, inputs: Inputs) -> list:
        weights = [draw(inputs) for draw in draws]
        return [settled(answer(weight), weight) for weight in weights]

    return Probe(title, run, fails, promise=promise)


def scale_alone(draw: Any, title: str, promise: str) -> Probe:
    """Compare only the scales."""

    def run(answer: Any, inputs: Inputs) -> Any:
        weight = draw(inputs)
        result = settled(answer(weight), weight)
        return result[1] if isinstance(result, tuple) and len(result) == 2 else result

    return Probe(title, run, promise=promise)


def on_device(answer: Any, inputs: Inputs) -> str:
    """Where the numbers and the scales lie."""
    probe = keeps_device(lambda inputs: (inputs.randn(3, 4),))
    found = [probe.run(lambda w, i=i: answer(w)[i], inputs) for i in (0, 1)]
    return min(found)  # "mixed devices", if one of them is


def no_nan(answer: Any, inputs: Inputs) -> bool:
    """Whether a row of zeros makes a NaN that then becomes an int8."""
    weight = torch.cat([inputs.randn(1, 4), torch.zeros(1, 4), inputs.randn(1, 4)])
    with NaNsMadeWhole() as watch:
        answer(weight)
    return not watch.seen


def in_half(inputs: Inputs, dtype: torch.dtype) -> Tensor:
    """Rows of a dtype whose largest are far apart."""
    return (inputs.randn(4, 9) * torch.tensor([[1.0], [30.0], [0.02], [5.0]])).to(dtype)


quantize_int8 = Check(
    exercise="12.5",
    name="quantize_int8",
    reference=reference,
    technique=[
        rows(
            lambda inputs: torch.tensor([[1.27, -0.64, 0.003], [0.0, 0.0, 254.0]]),
            title="worked example",
            promise="quantize_int8(torch.tensor([[1.27, -0.64, 0.003], [0.0, 0.0, 254.0]]))",
        ),
        scale_alone(
            lambda inputs: inputs.randn(5, 7) * torch.tensor([1.0, 9, 0.1, 40, 3])[:, None],
            title="the scales, on random rows of different sizes",
            promise=LARGEST,
        ),
        rows(
            lambda inputs: inputs.randn(4, 6),
            lambda inputs: inputs.randn(6, 3) * 20,
            lambda inputs: inputs.randn(5, 5) * 0.01,
            title="shape, dtype and values on random matrices",
            promise=KINDS,
        ),
        rows(
            lambda inputs: inputs.randn(5, 7) * torch.tensor([1.0, 9, 0.1, 40, 3])[:, None],
            lambda inputs: inputs.randn(3, 8) * torch.tensor([1e-3, 1.0, 1e3])[:, None],
            title="rows of different sizes: each has a scale of its own",
            promise=ROW,
        ),
        rows(
            lambda inputs: -inputs.uniform(3, 6, low=0.1, high=4.0),
            lambda inputs: torch.cat([-5 - inputs.uniform(4, 1), inputs.uniform(4, 5)], dim=1),
            title="the largest is negative",
            promise=LARGEST,
        ),
        rows(
            lambda inputs: 1 + inputs.uniform(3, 6),
            lambda inputs: torch.tensor([[127.0, 0.6, 1.4, -0.6, -1.4, 63.7, -99.8]]),
            title="rounded to the nearest, above and below zero",
            promise=NEAREST,
        ),
        rows(
            lambda inputs: torch.cat([inputs.randn(2, 5), torch.zeros(1, 5), inputs.randn(1, 5)]),
            lambda inputs: torch.zeros(2, 3),
            title="a row of zeros",
            promise=ZEROS,
            fails="A row of zeros has to become zeros, with a finite scale.",
        ),
        rows(
            lambda inputs: inputs.randn(3, 4) * 1e-6,
            lambda inputs: inputs.randn(4, 3) * 1e6,
            title="tiny and huge weights",
            promise=LARGEST,
        ),
        rows(
            lambda inputs: inputs.randn(1, 9),
            lambda inputs: inputs.randn(7, 1),
            title="one row, and one column",
            promise=KINDS,
        ),
    ],
    ready=[
        rows(
            lambda inputs: in_half(inputs, torch.float16),
            lambda inputs: in_half(inputs, torch.bfloat16),
            title="weights in float16 and bfloat16: scales float32 all the same",
            promise=KINDS,
        ),
        Probe(
            "a row of zeros makes no NaN on the way",
            no_nan,
            "A row of zeros is divided by its scale, 0, and the NaN of that is turned into int8. "
            "int8 has no NaN: it may become 0 here and something else on another machine.",
            promise="with no NaN on the way",
        ),
        dataclasses.replace(
            keeps_device(lambda inputs: (inputs.randn(2, 5),)),
            run=on_device,
            title="works on the device of its input",
        ),
    ],
    mistakes=MISTAKES,
    hints=(
        "The largest magnitude of a row becomes 127. How large is a step then?",
        "`weight.abs().amax(dim=1) / 127` are the scales. Divide each row by its own, round, and "
        "turn the numbers to int8. Where a scale is 0, divide by something else.",
        "`safe = torch.where(scale == 0, 1.0, scale)`, then "
        "`(weight / safe[:, None]).round().to(torch.int8)`",
    ),
)
