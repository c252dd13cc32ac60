"""Lab 07: the curves and their slopes, the gate as a surface, three matrices for the price of two.

What is measured by training stands in plots/measures/swiglu.py.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import torch
from torch import Tensor
from torch.nn import functional as F

from plots.flipbook import Flipbook, explore
from plots.measures.swiglu import race, timing
from plots.style import BLUE, FAINT, GREEN, GREY, INK, ORANGE, number, numbers, shade
from plots.swiglu_dead import dead_units

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["curves", "dead_units", "gate", "parameters", "race", "timing"]

X = torch.linspace(-5, 5, 101)
BETAS = [0.0, 0.25, 0.5, 1.0, 1.7, 2.5, 5.0, 10.0, 30.0]


def curves(swish: Callable[..., Tensor]) -> Flipbook:
    """Draw the learner's swish beside ReLU and GELU, and the slopes of all three."""

    def draw(fig: Figure, beta: float) -> str:
        kinds = {
            "ReLU": (F.relu, ORANGE, "--"),
            "GELU": (F.gelu, BLUE, "-."),
            "yours": (lambda x: swish(x, beta), GREEN, "-"),
        }
        left, right = fig.subplots(1, 2)
        fig.subplots_adjust(left=0.06, right=0.99, bottom=0.12, top=0.88, wspace=0.15)
        said = {}
        for name, (function, color, line) in kinds.items():
            y, slope = _with_slope(function, X)
            for axes, values in ((left, y), (right, slope)):
                axes.plot(
                    X.tolist(), values, line, color=color, label=name, gid=f"{name}-{axes is left}"
                )
            said[name] = y, slope
        for axes, title, limits in (
            (left, "the curve", (-1.0, 4.0)),
            (right, "its slope", (-0.3, 1.3)),
        ):
            axes.set(title=title, xlim=(-5, 5), ylim=limits)
            axes.axhline(0, color=INK, linewidth=0.8, alpha=2 * FAINT)
            axes.axvline(0, color=INK, linewidth=0.8, alpha=2 * FAINT)
        left.legend(loc="upper left")
        y, slope = said["yours"]
        low = int(y.argmin())
        at = int((X + 1).abs().argmin())  # x = -1
        dip = f"lowest at x = {number(X[low], 1)}: {number(y[low])}" if 0 < low < 100 else "no dip"
        return (
            f"β = {beta:g}: {dip}. At x = −1 yours is {number(y[at])} with slope "
            f"{number(slope[at])}, ReLU 0 with slope 0."
        )

    return explore(draw, beta=BETAS, start={"beta": 1.0}, play="beta", labels={"beta": "β"})


def _with_slope(function: Callable[[Tensor], Tensor], x: Tensor):
    """The values of a function and its gradient, which is zero where nothing is connected."""
    x = x.clone().requires_grad_()
    y = function(x)
    slope = torch.zeros_like(x)
    if y.requires_grad:
        (slope,) = torch.autograd.grad(y.sum(), x, materialize_grads=True)
    return numbers(y), numbers(slope)


GATES = [-4.0, -3.0, -2.0, -1.0, -0.5, 0.0, 0.5, 1.0, 2.0, 3.0, 4.0]
SIDE = torch.linspace(-4, 4, 33)


def gate(glu: Callable[..., Tensor], swiglu: Callable[..., Tensor]) -> Flipbook:
    """Draw one hidden unit over gate and value: a surface, and its cut at one gate."""

    def unit(kind: str, gates: Tensor, values: Tensor) -> Tensor:
        if kind == "GLU":
            return glu(gates, values)
        one, other = torch.tensor([[1.0, 0.0]]), torch.tensor([[0.0, 1.0]])
        out = swiglu(torch.stack([gates, values], dim=-1), one, other, one.mT)
        return out[..., 0]

    def draw(fig: Figure, kind: str, at: float) -> str:
        left, right = fig.add_axes((0.09, 0.17, 0.36, 0.73)), fig.add_axes((0.58, 0.17, 0.4, 0.73))
        gates, values = torch.meshgrid(SIDE, SIDE, indexing="xy")
        surface = numbers(unit(kind, gates, values))
        left.imshow(
            shade(surface, 8.0),
            origin="lower",
            interpolation="none",  # each number has its own pixels, and nothing is sampled
            extent=(-4.125, 4.125, -4.125, 4.125),
            gid="surface",
        )
        left.axvline(at, color=INK, linewidth=1.5)
        left.set(title="blue positive, orange negative", xlabel="gate", ylabel="value")
        left.title.set_fontsize(10)
        for faint in (-4.0, -2.0, 0.0, 2.0, 4.0):
            cut = numbers(unit(kind, torch.full_like(SIDE, faint), SIDE))
            right.plot(SIDE.tolist(), cut, "-", color=GREY, linewidth=0.8)
        cut = numbers(unit(kind, torch.full_like(SIDE, at), SIDE))
        right.plot(SIDE.tolist(), cut, "-", color=GREEN, linewidth=2.5, gid="cut")
        right.set(title=f"the cut at gate = {number(at, 1)}", xlabel="value", ylabel="output")
        right.set(xlim=(-4, 4), ylim=(-10, 10))
        minus, plus = float(cut[4]), float(cut[28])  # at the values -3 and 3
        straight = abs(plus + minus) < 1e-3 and abs(3 * cut[-1] - 4 * plus) < 1e-3
        says = "a straight line: the gate sets how much passes" if straight else "no straight line"
        return (
            f"{kind}, gate {number(at, 1)}: the value 3 becomes {number(plus)}, −3 becomes "
            f"{number(minus)}; {says}."
        )

    return explore(
        draw,
        kind=["GLU", "SwiGLU"],
        at=GATES,
        start={"kind": "SwiGLU", "at": 2.0},
        play="at",
        labels={"kind": "unit", "at": "gate"},
    )


# Llama's published models: dim, multiple_of, multiplier, and the hidden size of their weights.
MODELS = {
    "2 7B": (4096, 256, None, 11008),
    "2 13B": (5120, 256, None, 13824),
    "3 8B": (4096, 1024, 1.3, 14336),
    "3 70B": (8192, 4096, 1.3, 28672),
    "3.1 405B": (16384, 4096, 1.2, 53248),
    "3.2 1B": (2048, 256, 1.5, 8192),
    "3.2 3B": (3072, 256, 1.0, 8192),
}


def parameters(ffn_hidden_dim: Callable[..., int]) -> Flipbook:
    """Draw the matrices of a feed-forward layer as areas: two of 4 · dim, three of Llama's rule."""

    def draw(fig: Figure, model: str) -> str:
        dim, multiple_of, multiplier, published = MODELS[model]
        hidden = ffn_hidden_dim(dim, multiple_of, multiplier)
        axes = fig.add_axes((0.02, 0.02, 0.96, 0.96))
        for y, count, width, color in ((1.6, 2, 4.0, ORANGE), (0.0, 3, hidden / dim, GREEN)):
            _matrices(axes, y, count, width, color)
        classic, gated = 2 * dim * 4 * dim, 3 * dim * hidden
        for y, name, size, total in (
            (2.72, "two matrices, ReLU", 4 * dim, classic),
            (1.12, "three matrices, SwiGLU", hidden, gated),
        ):
            axes.text(0, y, f"{name}: {dim:,} × {size:,} each, {total:,} parameters", fontsize=10)
        axes.set(xlim=(-0.1, 13), ylim=(-0.15, 3.1))
        axes.axis("off")
        fits = (
            "as in the published weights"
            if hidden == published
            else (f"but the published weights have {published:,}: they do not fit")
        )
        return (
            f"Llama {model}: hidden size {hidden:,} = {number(hidden / dim)} × {dim:,}, {fits}. "
            f"Three matrices are {number(gated / classic)} times two of 4 × {dim:,}."
        )

    return explore(
        draw,
        model=list(MODELS),
        start={"model": "3 8B"},
        size=(7.2, 2.6),
        labels={"model": "Llama"},
    )


def _matrices(axes: Axes, y: float, count: int, width: float, color: str) -> None:
    """Rectangles side by side, one unit high: an area is a number of parameters."""
    from matplotlib.colors import to_rgba
    from matplotlib.patches import Rectangle

    names = ("up", "down") if count == 2 else ("gate", "up", "down")
    for i, name in enumerate(names):
        x = i * (width + 0.12)
        box = Rectangle((x, y), width, 1, facecolor=to_rgba(color, 0.25), edgecolor=color)
        box.set_gid(f"{count}-{name}")
        axes.add_patch(box)
        axes.text(x + width / 2, y + 0.5, name, ha="center", va="center")
