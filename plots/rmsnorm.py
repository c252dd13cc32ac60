"""Lab 02: which numbers a norm looks at, what it is blind to, what that is worth in training."""

from __future__ import annotations

import functools
import math
import os
from collections.abc import Callable
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from plots.cells import NEW, REUSED, cells
from plots.flipbook import Flipbook, explore
from plots.measure import medians, one_thread
from plots.show import once_written
from plots.style import (
    BLUE,
    GREEN,
    GREY,
    INK,
    ORANGE,
    arrow,
    bars,
    number,
    numbers,
    plane,
)

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Norm = Callable[..., Tensor]

# Six samples with three features of quite different size, as measured things are.
SAMPLES = torch.tensor(
    [
        [4.1, -0.2, 9.0],
        [3.5, 0.1, 7.5],
        [4.4, 0.4, 12.0],
        [3.9, -0.3, 6.0],
        [4.8, 0.2, 10.5],
        [3.3, 0.0, 9.0],
    ]
)
VECTOR = torch.tensor([0.4, -1.1, 1.6, 0.2, -0.6, 0.9])
MOVED = 0.005  # a change that is seen in two decimals


def columns(batch_norm: Norm) -> Flipbook:
    """Show which numbers share a mean in BatchNorm, and what becomes of them."""

    def draw(fig: Figure, feature: int) -> str:
        normed = batch_norm(SAMPLES)
        before, after = numbers(SAMPLES)[:, feature], numbers(normed)[:, feature]
        left, right = fig.subplots(1, 2)
        fig.subplots_adjust(left=0.12, right=0.98, bottom=0.2, top=0.88, wspace=0.25)
        states = [[NEW if f == feature else REUSED for f in range(3)] for _ in range(6)]
        names = [f"sample {i}" for i in range(6)]
        cells(left, SAMPLES, states, limit=12, write=True, rows=names, columns=range(3))
        left.set(title="before", xlabel="feature")
        bars(right, after, limit=2.2)
        right.set(title=f"feature {feature}, after", xlabel="sample")
        return (
            f"Feature {feature} over the six samples: mean {number(before.mean())} and standard "
            f"deviation {number(before.std())} before, {number(after.mean())} and "
            f"{number(after.std())} after."
        )

    return explore(draw, feature=range(3), start={"feature": 2})


def who_moves(batch_norm: Norm, layer_norm: Norm) -> Flipbook:
    """Scale one sample and show which other results move."""

    def layer(x: Tensor) -> Tensor:
        return layer_norm(x, torch.ones(3), torch.zeros(3))

    def draw(fig: Figure, times: int) -> str:
        scaled = SAMPLES.clone()
        scaled[0] *= times
        said = []
        fig.subplots_adjust(left=0.12, right=0.98, bottom=0.05, top=0.86, wspace=0.3)
        for place, (name, norm) in enumerate((("BatchNorm", batch_norm), ("LayerNorm", layer))):
            axes = fig.add_subplot(1, 2, place + 1)
            before, after = numbers(norm(SAMPLES)), numbers(norm(scaled))
            moved = abs(after - before) > MOVED
            states = [[NEW if cell else REUSED for cell in row] for row in moved]
            rows = [f"sample {i}" for i in range(6)] if place == 0 else None
            cells(axes, after, states, limit=2.5, write=True, rows=rows, gid=name)
            axes.set_title(name)
            others = abs(after - before)[1:].max()
            said.append(f"{name} moves the other five by up to {number(others)}")
        return f"Sample 0 is multiplied by {times}: {said[0]}, {said[1]}. Outlined cells moved."

    return explore(draw, times=range(1, 9), start={"times": 4}, play="times")


def shift_and_scale(layer_norm: Norm, rms_norm: Norm) -> Flipbook:
    """Shift and scale one vector and show which norm notices."""
    ones, zeros = torch.ones(len(VECTOR)), torch.zeros(len(VECTOR))

    def draw(fig: Figure, shift: float, scale: float) -> str:
        x = scale * VECTOR + shift
        panels = (
            ("the vector", VECTOR, x, INK),
            ("LayerNorm", layer_norm(VECTOR, ones, zeros), layer_norm(x, ones, zeros), BLUE),
            ("RMSNorm", rms_norm(VECTOR, ones), rms_norm(x, ones), GREEN),
        )
        moves = {}
        fig.subplots_adjust(left=0.02, right=0.98, bottom=0.06, top=0.86, wspace=0.08)
        for place, (name, before, after, color) in enumerate(panels):
            axes = fig.add_subplot(1, 3, place + 1)
            limit = 6.5 if place == 0 else 2.4
            bars(axes, after, color=color, limit=limit, write=place > 0, gid=name)
            axes.plot(range(len(before)), numbers(before), "_", color=GREY, markersize=17, mew=2)
            axes.set(title=name, xticks=[], yticks=[])
            moves[name] = float(abs(numbers(after) - numbers(before)).max())
        blind = [name for name in ("LayerNorm", "RMSNorm") if moves[name] < MOVED]
        who = {0: "Neither is blind to that", 1: f"Only {''.join(blind)} is blind to that"}
        return (
            f"{number(scale, 1)} · x + {number(shift, 1)}: LayerNorm moves by up to "
            f"{number(moves['LayerNorm'])}, RMSNorm by {number(moves['RMSNorm'])}. "
            f"{who.get(len(blind), 'Both are blind to that')}. Grey ticks: where it was."
        )

    return explore(
        draw,
        shift=[-2.0, -1.0, 0.0, 1.0, 2.0, 3.0],
        scale=[0.5, 1.0, 2.0, 3.0],
        start={"shift": 2.0, "scale": 1.0},
    )


def directions(layer_norm: Norm, rms_norm: Norm) -> Flipbook:
    """Turn a vector of two numbers and show where the two norms send it."""
    ones, zeros = torch.ones(2), torch.zeros(2)

    def draw(fig: Figure, degrees: int) -> str:
        angle = math.radians(degrees)
        x = torch.tensor([2.2 * math.cos(angle), 2.2 * math.sin(angle)])
        axes = fig.add_axes((0.02, 0.02, 0.96, 0.96))
        plane(axes, 2.6, circle=math.sqrt(2))
        axes.plot([-2.2, 2.2], [2.2, -2.2], ":", color=GREY, linewidth=1)
        rms, layer = rms_norm(x, ones), layer_norm(x, ones, zeros)
        arrow(axes, x, INK, "x", alpha=0.6, gid="x")
        arrow(axes, layer, BLUE, "LayerNorm", linestyle="--", gid="layer")
        arrow(axes, rms, GREEN, "RMSNorm", gid="rms")
        return (
            f"x points to {degrees}°. RMSNorm keeps the direction and sets the length to "
            f"{number(float(rms.norm()))}; LayerNorm gives ({number(layer[0])}, "
            f"{number(layer[1])}), one of the only two points it has."
        )

    return explore(
        draw, degrees=range(0, 360, 15), start={"degrees": 75}, play="degrees", size=(4.2, 4.2)
    )


def through_layers(depth: int = 32, width: int = 96) -> Flipbook:
    """Show how large a signal is after each of many layers without a norm, by the weights' gain."""

    def draw(fig: Figure, gain: float) -> str:
        generator = torch.Generator().manual_seed(0)
        x = torch.randn(width, generator=generator)
        sizes = [float(x.square().mean().sqrt())]
        for _ in range(depth):
            weight = torch.randn(width, width, generator=generator) / math.sqrt(width)
            x = gain * weight @ x
            sizes.append(float(x.square().mean().sqrt()))
        axes = fig.add_axes((0.12, 0.2, 0.85, 0.75))
        axes.semilogy(sizes, "o-", markersize=3, gid="sizes")
        axes.axhline(1, color=GREY, linewidth=1, linestyle=":")
        axes.set(xlabel="layer", ylabel="root mean square", ylim=(1e-7, 1e7), xlim=(0, depth))
        return (
            f"Each layer multiplies the signal by about {number(gain)}. After {depth} layers its "
            f"root mean square is {sizes[-1]:.2g}."
        )

    return explore(
        draw, gain=[0.7, 0.8, 0.9, 1.0, 1.1, 1.2, 1.4], start={"gain": 1.4}, size=(6, 2.8)
    )


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
    print(f"{rows} vectors of {dim} numbers     LayerNorm    RMSNorm    ratio")
    for name, both in pairs.items():
        layer, rms = medians(*both)
        print(f"{name:28}{layer * 1e3:9.2f} ms{rms * 1e3:8.2f} ms{rms / layer:9.2f}")
    print(f"{'parameters':28}{2 * dim:9,}{dim:11,}{0.5:12.2f}")


# The small training run: 5 gains × 3 seeds of a residual network at once, as one batch of networks.
GAINS, SEEDS = (0.25, 0.5, 1.0, 2.0, 4.0), 3
STEPS = 20 if "LLAMA_LAB_GRADING" in os.environ else 100  # grading wants a run, not the result
WORST = 10.0  # losses above it, and NaN, are drawn here: training has diverged
LOOKS = {
    "no norm": (GREY, ":", "x"),
    "re-centring only": (ORANGE, "--", "s"),
    "re-scaling only (RMSNorm)": (GREEN, "-", "o"),
    "both (LayerNorm)": (BLUE, "-.", "^"),
}


def training(layer_norm: Norm, rms_norm: Norm) -> Flipbook:
    """Train one small network with four norms from weights of five sizes; show the losses."""

    @functools.cache
    def losses() -> dict[str, Tensor]:
        ones, zeros = torch.ones(32), torch.zeros(32)
        norms = {
            "no norm": lambda x: x,
            "re-centring only": lambda x: x - x.mean(-1, keepdim=True),
            "re-scaling only (RMSNorm)": lambda x: rms_norm(x, ones),
            "both (LayerNorm)": lambda x: layer_norm(x, ones, zeros),
        }
        with one_thread():
            return {name: _losses(norm) for name, norm in norms.items()}

    def draw(fig: Figure, steps: int) -> str:
        axes = fig.add_axes((0.11, 0.17, 0.86, 0.68))
        medians = {}
        for shift, (name, curves) in enumerate(losses().items()):
            color, line, marker = LOOKS[name]
            at = numbers(curves[steps].nan_to_num(WORST).clamp(max=WORST))  # (gains, seeds)
            x = [gain * 1.04 ** (shift - 1.5) for gain in GAINS]
            middle = [sorted(row)[1] for row in at.tolist()]
            axes.loglog(x, middle, line, marker=marker, color=color, label=name, gid=name)
            axes.vlines(x, at.min(1), at.max(1), color=color, linewidth=1)
            medians[name] = middle
        axes.set(xlabel="size of the weights at the start", ylim=(0.02, 1.3 * WORST))
        axes.set_ylabel(f"loss after {steps} steps")
        axes.set_xticks(GAINS, [f"{gain:g}×" for gain in GAINS])
        axes.minorticks_off()
        axes.legend(ncols=2, loc="lower left", bbox_to_anchor=(0, 1.0), fontsize=9)
        return (
            f"After {steps} steps from weights four times too large, the loss is "
            + ", ".join(f"{_loss(values[-1])} with {name}" for name, values in medians.items())
            + ". Lines: the middle of three seeds; bars: all three."
        )

    return explore(
        draw,
        steps=[STEPS * tenths // 10 for tenths in (0, 1, 2, 4, 6, 8, 10)],
        start={"steps": STEPS},
        play="steps",
        size=(7.2, 3.8),
    )


def _loss(value: float) -> str:
    return "beyond all bounds" if value >= WORST else number(value)


def _losses(norm: Callable[[Tensor], Tensor], width: int = 32, blocks: int = 5) -> Tensor:
    """Train 5 × 3 networks x + down(relu(up(norm(x)))) by plain gradient descent.

    → (STEPS + 1, gains, seeds) mean squared errors on a made-up regression task.
    """
    torch_seeds = [torch.Generator().manual_seed(seed) for seed in range(SEEDS)]
    draws = [
        [torch.randn(128, 8, generator=g), torch.randn(8, 8, generator=g)] for g in torch_seeds
    ]
    x = torch.stack([inputs for inputs, _ in draws])  # (seeds, 128, 8)
    y = torch.stack([torch.tanh(inputs @ teacher / 2).sum(-1) for inputs, teacher in draws])
    y = (y - y.mean(-1, keepdim=True)) / y.std(-1, keepdim=True)

    def weights(rows: int, columns: int, gains: tuple[float, ...]) -> Tensor:
        drawn = torch.stack([torch.randn(rows, columns, generator=g) for g in torch_seeds])
        scale = torch.tensor(gains).reshape(-1, 1, 1, 1) / math.sqrt(rows)
        return (scale * drawn).requires_grad_()  # (gains, seeds, rows, columns)

    ones = (1.0,) * len(GAINS)
    first, last = weights(8, width, ones), weights(width, 1, ones)
    ups = [weights(width, 2 * width, GAINS) for _ in range(blocks)]
    downs = [weights(2 * width, width, GAINS) for _ in range(blocks)]
    optimizer = torch.optim.SGD([first, last, *ups, *downs], lr=0.02)
    seen = []
    for step in range(STEPS + 1):
        h = x @ first
        for up, down in zip(ups, downs, strict=True):
            h = h + torch.relu(norm(h) @ up) @ down
        error = ((norm(h) @ last).squeeze(-1) - y).square().mean(-1)  # (gains, seeds)
        seen.append(error.detach())
        if step < STEPS:
            optimizer.zero_grad()
            error.sum().backward()
            optimizer.step()
    return torch.stack(seen)
