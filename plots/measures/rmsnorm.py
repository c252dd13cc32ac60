"""Lab 02: what both norms cost, and what re-scaling and re-centring are worth in training."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from plots.flipbook import Flipbook, explore
from plots.measure import medians, one_thread, short
from plots.page import says
from plots.show import once_written
from plots.style import BLUE, INK, ORANGE, is_narrow, number, numbers

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Norm = Callable[..., Tensor]

# The training run: 5 gains × 3 seeds of a small network at once, as one batch of networks.
GAINS, SEEDS = (0.25, 0.5, 1.0, 2.0, 4.0), 3
STEPS = 20 if short() else 100
WORST = 10.0  # losses above it, and NaN, count as this: training has diverged
NONE, CENTRED, SCALED, BOTH = (
    "no norm",
    "re-centring only",
    "re-scaling (RMSNorm)",
    "both (LayerNorm)",
)
WEIGHTS = [(BLUE, ":"), (BLUE, "--"), (INK, "-"), (ORANGE, "--"), (ORANGE, ":")]  # by size
LOST = 1.6  # a loss beyond it is not drawn: who knows nothing has 1
RATES, RATE_STEPS, RATE_BLOCKS = (0.01, 0.02, 0.03), 5 if short() else 40, 12
RESIDUAL, PLAIN = "residual blocks", "plain stack"


@once_written
def timing(layer_norm: Norm, rms_norm: Norm, rows: int = 256, dim: int = 4096) -> None:
    """Print how long both norms take on (rows, dim) numbers, yours and torch's, in one run."""
    x, weight, bias = torch.randn(rows, dim), torch.ones(dim), torch.zeros(dim)
    functional = torch.nn.functional
    pairs = {
        "your code": (lambda: layer_norm(x, weight, bias), lambda: rms_norm(x, weight)),
        "torch's own": (
            lambda: functional.layer_norm(x, (dim,), weight, bias),
            lambda: functional.rms_norm(x, (dim,), weight),
        ),
    }
    print(f"{rows} vectors of {dim} numbers  LayerNorm     RMSNorm   RMSNorm / LayerNorm")
    for name, both in pairs.items():
        layer, rms = medians(*both)
        print(f"{name:26}{layer * 1e3:8.2f} ms{rms * 1e3:9.2f} ms{rms / layer:17.2f}")
    print(f"{'parameters':26}{2 * dim:8,}{dim:12,}{0.5:20.2f}")


def training(layer_norm: Norm, rms_norm: Norm) -> Flipbook:
    """Train two kinds of network with four norms from weights of five sizes; show the losses."""

    @functools.cache
    def losses(network: str) -> dict[str, Tensor]:
        ones, zeros = torch.ones(32), torch.zeros(32)
        norms = {
            NONE: lambda x: x,
            CENTRED: lambda x: x - x.mean(-1, keepdim=True),
            SCALED: lambda x: rms_norm(x, ones),
            BOTH: lambda x: layer_norm(x, ones, zeros),
        }
        with one_thread():
            return {name: train(norm, network) for name, norm in norms.items()}

    def draw(fig: Figure, network: str, steps: int) -> str:
        narrow, said = is_narrow(fig), []
        for place, (name, curves) in enumerate(losses(network).items()):
            wide = (0.045 + 0.239 * place, 0.27, 0.22, 0.62)
            folded = (0.13 + 0.45 * (place % 2), 0.65 - 0.38 * (place // 2), 0.39, 0.28)
            axes = fig.add_axes(folded if narrow else wide)
            lost = _curves(axes, curves, steps, name)
            axes.set(
                xlim=(-0.03 * STEPS, 1.03 * STEPS), ylim=(0, 1.7), xticks=[0, STEPS // 2, STEPS]
            )
            axes.set_yticks(
                [0, 0.5, 1, 1.5],
                ["0", "0.5", "1", "1.5"] if place % (2 if narrow else 4) == 0 else [],
            )
            axes.set_title(name, fontsize=9 if narrow else 12)
            axes.set_xlabel("" if narrow and place < 2 else "step")
            good = [value for value in middles(curves)[steps] if value < LOST]
            run = f"{number(min(good))} to {number(max(good))}" if good else "above the picture"
            said.append(
                f"{name}: {lost} of {len(GAINS)} lost, the others {run}"
                if lost
                else f"{name}: {run}"
            )
        _key(fig, narrow)
        return (
            f"{network.capitalize()}, loss after {steps} steps, 1 is knowing nothing. "
            + "; ".join(said)
            + ". "
            "✕: the loss has left the picture and does not come back."
        )

    return explore(
        draw,
        network=[RESIDUAL, PLAIN],
        steps=[STEPS * tenths // 10 for tenths in (1, 2, 4, 6, 8, 10)],
        start={"steps": STEPS},
        play="steps",
        size=(9.8, 3.9),
        narrow=(3.25, 4.6),
    )


def middles(curves: Tensor) -> np.ndarray:
    """The loss of the middle seed: (STEPS + 1, gains, seeds) → (STEPS + 1, gains)."""
    return numbers(curves.nan_to_num(WORST).clamp(max=WORST).median(-1).values)


def _curves(axes: Axes, curves: Tensor, steps: int, name: str) -> int:
    """Draw a line for each size of the weights, up to now, and return how many are lost."""
    at, lost = middles(curves), 0
    axes.axhline(1, color=INK, linewidth=0.8, linestyle=":")
    for place, gain in enumerate(GAINS):
        shown, (color, line) = at[: steps + 1, place], WEIGHTS[place]
        look = {"color": color, "linewidth": 1.8, "gid": f"{name}-{place}"}
        (drawn,) = axes.plot(np.where(shown < LOST, shown, np.nan), line, **look)
        seeds = numbers(curves[steps, place].nan_to_num(WORST).clamp(max=WORST)).tolist()
        low, high = (_loss(edge) for edge in (min(seeds), max(seeds)))
        told = f"{_loss(shown[-1])} after {steps} steps, three seeds {low} to {high}"
        says(drawn, f"{name}, weights {gain:g}×: {told}")
        if min(shown[-1], at[-1, place]) >= LOST:  # and it will not come back
            lost += 1
            mark = {"color": color, "markersize": 7, "mew": 2, "clip_on": False}
            axes.plot([0.08 * lost * STEPS], [LOST], "x", **mark)
    if lost:
        axes.text(0.95, 0.78, f"{lost} of {len(GAINS)} lost", ha="right", transform=axes.transAxes)
    return lost


def _key(fig: Figure, narrow: bool) -> None:
    """Which line is which size of the weights."""
    from matplotlib.lines import Line2D

    lines = [Line2D([], [], color=color, linestyle=line) for color, line in WEIGHTS]
    names = [f"{gain:g}×" for gain in GAINS]
    look = {"fontsize": 9, "title_fontsize": 9, "columnspacing": 1.0, "borderaxespad": 0.1}
    title = "size of the weights at the start"
    columns = 3 if narrow else 5
    fig.legend(lines, names, title=title, ncols=columns, loc="lower center", **look)


def _loss(value: float) -> str:
    return "above 10" if value >= WORST else number(value, 3)


def at_rates(rms_norm: Norm, after: bool) -> dict[float, list[float]]:
    """Train a deep stack at three learning rates, the norm before each sub-layer or after each sum.

    Returns the losses of three seeds at each rate; who knows nothing has 1.
    """
    width, ones = 32, torch.ones(32)
    x, y, drawn = task(64)

    def loss(weights: list[Tensor]) -> Tensor:
        h = x @ weights[0]
        for up, down in zip(weights[2::2], weights[3::2], strict=True):
            if after:
                h = rms_norm(h + torch.relu(h @ up) @ down, ones)
            else:
                h = h + torch.relu(rms_norm(h, ones) @ up) @ down
        h = rms_norm(h, ones) @ weights[1]
        return (h.squeeze(-1) - y).square().mean(-1)  # (rates, seeds)

    weights = [drawn(8, width), drawn(width, 1)]
    for _ in range(RATE_BLOCKS):
        weights += [math.sqrt(2) * drawn(width, 2 * width), drawn(2 * width, width)]
    weights = [w.expand(len(RATES), -1, -1, -1).clone().requires_grad_() for w in weights]
    rates = torch.tensor(RATES).reshape(-1, 1, 1, 1)
    with one_thread():
        for _ in range(RATE_STEPS):
            slopes = torch.autograd.grad(loss(weights).sum(), weights)
            with torch.no_grad():
                for weight, slope in zip(weights, slopes, strict=True):
                    weight -= rates * slope
        ends = loss(weights).detach().nan_to_num(WORST).clamp(max=WORST)
    return {rate: row.tolist() for rate, row in zip(RATES, ends, strict=True)}


def task(samples: int) -> tuple[Tensor, Tensor, Callable[..., Tensor]]:
    """A made-up regression task for each seed, and its random matrices: inputs, targets, drawn.

    inputs: (seeds, samples, 8), targets: (seeds, samples) with mean 0 and variance 1.
    """
    generators = [torch.Generator().manual_seed(seed) for seed in range(SEEDS)]
    draws = [
        [torch.randn(samples, 8, generator=g), torch.randn(8, 8, generator=g)] for g in generators
    ]
    x = torch.stack([inputs for inputs, _ in draws])
    y = torch.stack([torch.tanh(inputs @ teacher / 2).sum(-1) for inputs, teacher in draws])
    y = (y - y.mean(-1, keepdim=True)) / y.std(-1, keepdim=True)

    def drawn(rows: int, columns: int) -> Tensor:
        return torch.stack(
            [torch.randn(rows, columns, generator=g) for g in generators]
        ) / math.sqrt(rows)

    return x, y, drawn


def train(
    norm: Callable[[Tensor], Tensor], network: str, width: int = 32, depth: int = 10
) -> Tensor:
    """Train 5 × 3 networks by plain gradient descent on a made-up regression task.

    Residual blocks: x + down(relu(up(norm(x)))), five of them. Plain stack: relu(up(norm(x))), ten.
    → (STEPS + 1, gains, seeds) mean squared errors.
    """
    x, y, drawn = task(128)

    def weights(rows: int, columns: int, gains: tuple[float, ...]) -> Tensor:
        scale = torch.tensor(gains).reshape(-1, 1, 1, 1)
        return (scale * drawn(rows, columns)).requires_grad_()  # (gains, seeds, rows, columns)

    ones = (1.0,) * len(GAINS)
    first, last = weights(8, width, ones), weights(width, 1, ones)
    inner = width if network == PLAIN else 2 * width
    layers = [
        weights(*((width, inner) if i % 2 == 0 else (inner, width)), GAINS) for i in range(depth)
    ]
    optimizer = torch.optim.SGD([first, last, *layers], lr=0.02)
    seen = []
    for step in range(STEPS + 1):
        h = x @ first
        if network == PLAIN:
            for weight in layers:
                h = torch.relu(norm(h) @ weight)
        else:
            for up, down in zip(layers[::2], layers[1::2], strict=True):
                h = h + torch.relu(norm(h) @ up) @ down
        error = ((norm(h) @ last).squeeze(-1) - y).square().mean(-1)  # (gains, seeds)
        seen.append(error.detach())
        if step < STEPS:
            optimizer.zero_grad()
            error.sum().backward()
            optimizer.step()
    return torch.stack(seen)
