"""Lab 02: what both norms cost, and what re-scaling and re-centring are worth in training."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from plots.flipbook import Flipbook, explore
from plots.measure import medians, one_thread, short
from plots.show import once_written
from plots.style import BLUE, GREEN, GREY, ORANGE, number, numbers

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Norm = Callable[..., Tensor]

# The training run: 5 gains × 3 seeds of a small network at once, as one batch of networks.
GAINS, SEEDS = (0.25, 0.5, 1.0, 2.0, 4.0), 3
STEPS = 20 if short() else 100
WORST = 10.0  # losses above it, and NaN, are drawn here: training has diverged
NONE, CENTRED, SCALED, BOTH = "no norm", "re-centring only", "re-scaling only", "both"
LABELS = {SCALED: "re-scaling only (RMSNorm)", BOTH: "both (LayerNorm)"}
LOOKS = {
    NONE: (GREY, ":", "x"),
    CENTRED: (ORANGE, "--", "s"),
    SCALED: (GREEN, "-", "o"),
    BOTH: (BLUE, "-.", "^"),
}
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
        axes = fig.add_axes((0.13, 0.17, 0.84, 0.68))
        said = []
        axes.axhline(WORST, color=GREY, linewidth=0.8)
        axes.text(GAINS[0] * 0.85, WORST * 1.15, "above 10, or NaN: diverged", color=GREY)
        for shift, (name, curves) in enumerate(losses(network).items()):
            color, line, marker = LOOKS[name]
            at = numbers(curves[steps].nan_to_num(WORST).clamp(max=WORST))  # (gains, seeds)
            x = [gain * 1.05 ** (shift - 1.5) for gain in GAINS]
            middle = [sorted(row)[1] for row in at.tolist()]
            label = LABELS.get(name, name)
            axes.loglog(x, middle, line, marker=marker, color=color, label=label, gid=name)
            axes.vlines(x, at.min(1), at.max(1), color=color, linewidth=1)
            said.append(f"{_loss(middle[2])} and {_loss(middle[-1])} with {name}")
        axes.set(xlabel="size of the weights at the start", ylim=(1e-4, 3 * WORST))
        axes.set_ylabel(f"loss after {steps} steps")
        axes.set_xticks(GAINS, [f"{gain:g}×" for gain in GAINS])
        axes.minorticks_off()
        axes.legend(ncols=2, loc="lower left", bbox_to_anchor=(0, 1.0), fontsize=9)
        return (
            f"{network.capitalize()}, {steps} steps. Loss from weights of 1× and of 4×: "
            + "; ".join(said)
            + ". Lines: the middle of three seeds; bars: from the best to the worst."
        )

    return explore(
        draw,
        network=[RESIDUAL, PLAIN],
        steps=[STEPS * tenths // 10 for tenths in (0, 1, 2, 4, 6, 8, 10)],
        start={"steps": STEPS},
        play="steps",
        size=(7.2, 3.8),
    )


def _loss(value: float) -> str:
    return "above 10" if value >= WORST else number(value, 3)


def train(
    norm: Callable[[Tensor], Tensor], network: str, width: int = 32, depth: int = 10
) -> Tensor:
    """Train 5 × 3 networks by plain gradient descent on a made-up regression task.

    Residual blocks: x + down(relu(up(norm(x)))), five of them. Plain stack: relu(up(norm(x))), ten.
    → (STEPS + 1, gains, seeds) mean squared errors.
    """
    generators = [torch.Generator().manual_seed(seed) for seed in range(SEEDS)]
    draws = [[torch.randn(128, 8, generator=g), torch.randn(8, 8, generator=g)] for g in generators]
    x = torch.stack([inputs for inputs, _ in draws])  # (seeds, 128, 8)
    y = torch.stack([torch.tanh(inputs @ teacher / 2).sum(-1) for inputs, teacher in draws])
    y = (y - y.mean(-1, keepdim=True)) / y.std(-1, keepdim=True)

    def weights(rows: int, columns: int, gains: tuple[float, ...]) -> Tensor:
        drawn = torch.stack([torch.randn(rows, columns, generator=g) for g in generators])
        scale = torch.tensor(gains).reshape(-1, 1, 1, 1) / math.sqrt(rows)
        return (scale * drawn).requires_grad_()  # (gains, seeds, rows, columns)

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
