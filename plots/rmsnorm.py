"""Lab 02: which numbers a norm looks at, and what it is blind to."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from plots.cells import NEW, REUSED, cells
from plots.flipbook import Flipbook, explore
from plots.measures.rmsnorm import timing, training
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
# Six samples with four features of the same size, as the vectors of tokens have.
TOKENS = torch.tensor(
    [
        [0.8, -0.5, 1.1, -0.2],
        [-0.3, 0.9, 0.4, -1.2],
        [1.5, 0.2, -0.7, 0.3],
        [-0.9, -1.1, 0.6, 0.5],
        [0.1, 1.3, -0.4, -0.8],
        [0.6, -0.2, -1.0, 1.4],
    ]
)
VECTOR = torch.tensor([0.4, -1.1, 1.6, 0.2, -0.6, 0.9])
# Other vectors of the same batch: whoever mixes rows gets another result for the one that is drawn.
OTHERS = torch.tensor([[3.5, -0.2, -0.4, 1.1, 3.0, -1.5], [-0.2, 0.1, 0.5, -0.7, 0.3, 0.6]])
CHANGES = {
    "x": lambda x: x,
    "x + 1": lambda x: x + 1,
    "x + 2": lambda x: x + 2,
    "x − 2": lambda x: x - 2,
    "½ · x": lambda x: x / 2,
    "2 · x": lambda x: 2 * x,
    "3 · x": lambda x: 3 * x,
}
__all__ = [
    "columns",
    "directions",
    "shift_and_scale",
    "through_layers",
    "timing",
    "training",
    "who_moves",
]
MOVED = 0.005  # a change that is seen in two decimals


def in_batch(norm: Norm, x: Tensor, *others: Tensor) -> Tensor:
    """The norm of x (D,), when it is one row of a batch: (1, 3, D) → (D,)."""
    batch = torch.cat([x[None], OTHERS[:, : len(x)]])[None]
    return norm(batch, *others)[0, 0]


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
            f"The outlined numbers, feature {feature} of all six samples, share one mean and one "
            f"deviation: {number(before.mean())} and {number(before.std())} before, "
            f"{number(after.mean())} and {number(after.std())} after."
        )

    return explore(draw, feature=range(3), start={"feature": 2})


def who_moves(batch_norm: Norm, layer_norm: Norm) -> Flipbook:
    """Scale one sample and show which other results move."""

    def layer(x: Tensor) -> Tensor:
        return layer_norm(x, torch.ones(4), torch.zeros(4))

    def draw(fig: Figure, times: int) -> str:
        scaled = TOKENS.clone()
        scaled[0] *= times
        said = {}
        fig.subplots_adjust(left=0.1, right=0.99, bottom=0.02, top=0.86, wspace=0.12)
        norms = (("what goes in", lambda x: x), ("BatchNorm", batch_norm), ("LayerNorm", layer))
        for place, (name, norm) in enumerate(norms):
            axes = fig.add_subplot(1, 3, place + 1)
            before, after = numbers(norm(TOKENS)), numbers(norm(scaled))
            moved = abs(after - before) > MOVED
            states = [[NEW if cell else REUSED for cell in row] for row in moved]
            rows = [f"sample {i}" for i in range(6)] if place == 0 else None
            cells(axes, after, states, limit=2.5, write=True, rows=rows, gid=name)
            axes.set_title(name)
            said[name] = number(abs(after - before)[1:].max())
        return (
            f"Sample 0 is multiplied by {times}. The other five move by up to {said['BatchNorm']} "
            f"in BatchNorm's result, by up to {said['LayerNorm']} in LayerNorm's. Outlined: moved."
        )

    return explore(draw, times=range(1, 9), start={"times": 4}, play="times")


def shift_and_scale(layer_norm: Norm, rms_norm: Norm) -> Flipbook:
    """Shift or scale one vector and show whose result changes."""
    ones, zeros = torch.ones(len(VECTOR)), torch.zeros(len(VECTOR))

    def draw(fig: Figure, change: str) -> str:
        x = CHANGES[change](VECTOR)
        panels = (
            ("the vector", VECTOR, x, INK),
            ("LayerNorm", *(in_batch(layer_norm, v, ones, zeros) for v in (VECTOR, x)), BLUE),
            ("RMSNorm", *(in_batch(rms_norm, v, ones) for v in (VECTOR, x)), GREEN),
        )
        moves = {}
        fig.subplots_adjust(left=0.02, right=0.98, bottom=0.06, top=0.86, wspace=0.08)
        for place, (name, before, after, color) in enumerate(panels):
            axes = fig.add_subplot(1, 3, place + 1)
            limit = 5.0 if place == 0 else 2.4
            bars(axes, after, color=color, limit=limit, gid=name)
            axes.plot(range(len(before)), numbers(before), "x", color=ORANGE, markersize=6, mew=2)
            axes.set(title=name, xticks=[], yticks=[])
            moves[name] = float(abs(numbers(after) - numbers(before)).max())
        changed = [name for name in ("LayerNorm", "RMSNorm") if moves[name] > MOVED]
        only = "".join(changed)
        whose = ["Neither result changes", f"Only {only}'s result changes", "Both results change"]
        return (
            f"{change}: LayerNorm moves by up to {number(moves['LayerNorm'])}, RMSNorm by up to "
            f"{number(moves['RMSNorm'])}. {whose[len(changed)]}. "
            "Crosses: where it was for x."
        )

    return explore(draw, change=list(CHANGES), start={"change": "x + 2"})


def directions(layer_norm: Norm, rms_norm: Norm) -> Flipbook:
    """Turn a vector of two numbers and show where the two norms send it."""
    ones, zeros = torch.ones(2), torch.zeros(2)

    def draw(fig: Figure, degrees: int) -> str:
        angle = math.radians(degrees)
        x = torch.tensor([2.2 * math.cos(angle), 2.2 * math.sin(angle)])
        axes = fig.add_axes((0.02, 0.02, 0.96, 0.96))
        plane(axes, 2.6, circle=math.sqrt(2))
        axes.plot([-2.2, 2.2], [2.2, -2.2], ":", color=GREY, linewidth=1)
        axes.text(1.35, -1.95, "mean 0", color=GREY, fontsize=10)
        axes.text(-1.75, -1.35, "size 1", color=GREY, fontsize=10)
        rms, layer = in_batch(rms_norm, x, ones), in_batch(layer_norm, x, ones, zeros)
        arrow(axes, x, INK, "x", alpha=0.6, gid="x")
        arrow(axes, layer, BLUE, "", linestyle="--", gid="layer")
        arrow(axes, rms, GREEN, "", gid="rms")
        axes.text(-2.5, 2.3, "RMSNorm", color=GREEN, fontweight="bold")
        axes.text(-2.5, 2.0, "LayerNorm", color=BLUE, fontweight="bold")
        result = f"LayerNorm gives ({number(layer[0])}, {number(layer[1])})"
        if degrees % 180 == 45:
            result += ": both numbers are equal, so nothing is left after re-centring"
        else:
            result += ", one of the two points of that line that have the right size"
        return (
            f"x points to {degrees}°. RMSNorm sets the length to {number(float(rms.norm()))} and "
            f"keeps the direction. {result}."
        )

    return explore(
        draw, degrees=range(0, 360, 15), start={"degrees": 75}, play="degrees", size=(4.2, 4.2)
    )


def through_layers(depth: int = 32, width: int = 64) -> Flipbook:
    """Show how large a signal is after each of many layers without a norm, by the layers' gain."""

    def draw(fig: Figure, gain: float) -> str:
        generator = torch.Generator().manual_seed(0)
        x = torch.randn(width, generator=generator)
        x = x / x.square().mean().sqrt()
        sizes = [1.0]
        for _ in range(depth):
            rotation, _ = torch.linalg.qr(torch.randn(width, width, generator=generator))
            x = gain * rotation @ x  # a random rotation leaves the size alone: the gain is exact
            sizes.append(float(x.square().mean().sqrt()))
        axes = fig.add_axes((0.13, 0.2, 0.82, 0.75))
        axes.semilogy(sizes, "o-", markersize=3, gid="sizes")
        axes.axhline(1, color=GREY, linewidth=1, linestyle=":")
        axes.set(
            xlabel="layer", ylabel="size of the signal", ylim=(1e-6, 1e6), xlim=(0, depth + 0.5)
        )
        last = f"{sizes[-1]:,.0f}" if sizes[-1] > 10 else f"{sizes[-1]:.2g}"
        each = f"Each layer multiplies the size by {number(gain, 1)}"
        return f"{each}. After {depth} layers it is {last}."

    gains = [0.7, 0.8, 0.9, 1.0, 1.1, 1.2, 1.3, 1.4]
    return explore(draw, gain=gains, start={"gain": 1.4}, size=(5.8, 2.8))
