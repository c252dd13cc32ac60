"""Lab 07: the curves and their slopes, the gate as a surface, three matrices for the price of two.

What is measured by training stands in plots/measures/swiglu.py.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor
from torch.nn import functional as F

from plots import style
from plots.flipbook import Flipbook, explore
from plots.measures.swiglu import race, timing
from plots.page import says
from plots.style import BLUE, FAINT, GREEN, GREY, INK, ORANGE, number, numbers, shade
from plots.swiglu_dead import dead_units
from plots.swiglu_flow import flow

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["curves", "dead_units", "flow", "gate", "parameters", "race", "timing"]

X = torch.linspace(-5, 5, 201)
FINE = torch.linspace(-5, 5, 4001)  # the dip of a steep gate is narrow
BETAS = [0.0, 0.25, 0.5, 1.0, 1.7, 2.5, 5.0, 10.0, 30.0]


def curves(swish: Callable[..., Tensor]) -> Flipbook:
    """Draw the gate of the learner's swish, the curve beside ReLU and GELU, and the slopes."""

    def draw(fig: Figure, beta: float) -> str:
        kinds = {
            "ReLU": (F.relu, ORANGE, "--"),
            "GELU": (F.gelu, BLUE, "-."),
            "yours": (lambda x: swish(x, beta), GREEN, "-"),
        }
        gates, middle, right = _three(fig)
        said = {name: _with_slope(function, X) for name, (function, *_) in kinds.items()}
        for name, (_, color, line) in kinds.items():
            for axes, values in zip((middle, right), said[name], strict=True):
                gid = f"{name}-{axes is middle}"
                axes.plot(X.tolist(), values, line, color=color, label=name, gid=gid)
        y, slope = said["yours"]
        x = numbers(X)
        away = abs(x) > 1e-6  # there swish is x times the gate; at 0 that says nothing
        gates.plot(x[away], y[away] / x[away], "-", color=GREEN, gid="gate")
        for axes, title, limits in (
            (gates, "the gate: yours, divided by x", (-0.3, 1.3)),
            (middle, "the curve", (-1.0, 4.0)),
            (right, "its slope", (-0.3, 1.3)),
        ):
            axes.set(xlim=(-5, 5), ylim=limits)
            axes.set_title(title, fontsize=11)
            axes.axhline(0, color=INK, linewidth=0.8, alpha=2 * FAINT)
            axes.axvline(0, color=INK, linewidth=0.8, alpha=2 * FAINT)
            axes.set_xticks([-4, -2, 0, 2, 4])
        middle.legend(loc="upper left", fontsize=10)
        fine = numbers(swish(FINE, beta))
        low = int(fine.argmin())
        digits = 3 if fine[low] > -0.05 else 2
        dip = f"lowest at x = {number(FINE[low], 2)}: {number(fine[low], digits)}"
        at = int((X + 1).abs().argmin())  # x = -1
        for axes, value in ((gates, y[at] / x[at]), (middle, y[at]), (right, slope[at])):
            (dot,) = axes.plot([-1], [value], "o", color=GREEN, markersize=6)
            says(dot, f"at x = −1: {number(value)}")
        if fine[low] > -1e-6 or low in (0, len(FINE) - 1):
            dip = "no dip"
        return (
            f"β = {beta:g}: {dip}. At x = −1 the gate is {number(y[at] / x[at])} open, yours is "
            f"{number(y[at])} with slope {number(slope[at])}, ReLU 0 with slope 0."
        )

    return explore(
        draw,
        beta=BETAS,
        start={"beta": 1.0},
        play="beta",
        labels={"beta": "β"},
        size=(10.2, 3.1),
        narrow=(3.4, 5.4),
    )


def _three(fig: Figure) -> list[Axes]:
    """Three panels side by side, or one under the other."""
    if style.is_narrow(fig):
        fig.subplots_adjust(left=0.1, right=0.97, bottom=0.05, top=0.95, hspace=0.45)
        return list(fig.subplots(3, 1))
    fig.subplots_adjust(left=0.05, right=0.99, bottom=0.1, top=0.89, wspace=0.14)
    return list(fig.subplots(1, 3))


def _with_slope(function: Callable[[Tensor], Tensor], x: Tensor):
    """The values of a function and its gradient, which is zero where nothing is connected."""
    x = x.clone().requires_grad_()
    y = function(x)
    slope = torch.zeros_like(x)
    if y.requires_grad:
        (slope,) = torch.autograd.grad(y.sum(), x, materialize_grads=True)
    return numbers(y), numbers(slope)


GATES = [-4.0, -2.0, -1.0, 0.0, 1.0, 2.0, 4.0]
SIDE = torch.linspace(-4, 4, 17)
FULL = 8.0  # the output that has the fullest colour
REACH = {"GLU": 4.5, "SwiGLU": 17.0}  # the outputs that the cut shows


def gate(glu: Callable[..., Tensor], swiglu: Callable[..., Tensor]) -> Flipbook:
    """Draw one hidden unit over gate and value: a surface, and its cut at one gate."""

    def unit(kind: str, gates: Tensor, values: Tensor) -> Tensor:
        if kind == "GLU":
            return glu(gates, values)
        one, other = torch.tensor([[1.0, 0.0]]), torch.tensor([[0.0, 1.0]])
        out = swiglu(torch.stack([gates, values], dim=-1), one, other, one.mT)
        return out[..., 0]

    def draw(fig: Figure, kind: str, at: float) -> str:
        if style.is_narrow(fig):
            left, right = (
                fig.add_axes((0.19, 0.55, 0.58, 0.39)),
                fig.add_axes((0.19, 0.1, 0.7, 0.3)),
            )
            key = fig.add_axes((0.8, 0.55, 0.04, 0.39))
        else:
            left, right = (
                fig.add_axes((0.06, 0.14, 0.33, 0.75)),
                fig.add_axes((0.6, 0.14, 0.36, 0.75)),
            )
            key = fig.add_axes((0.41, 0.14, 0.018, 0.75))
        gates, values = torch.meshgrid(SIDE, SIDE, indexing="xy")
        surface = numbers(unit(kind, gates, values))
        half = float(SIDE[1] - SIDE[0]) / 2
        edge = float(SIDE[-1]) + half
        image = left.imshow(
            shade(surface, FULL),
            origin="lower",
            interpolation="none",  # each number has its own pixels, and nothing is sampled
            extent=(-edge, edge, -edge, edge),
            gid="surface",
        )
        says(image, _cells(surface))
        left.axvline(at, color=INK, linewidth=1.5)
        left.set(title=f"one {kind} unit", xlabel="gate", ylabel="value", aspect="auto")
        _key(key)
        reach = REACH[kind]
        for faint in (-4.0, -2.0, 0.0, 2.0, 4.0):
            cut = numbers(unit(kind, torch.full_like(SIDE, faint), SIDE))
            right.plot(SIDE.tolist(), cut, "-", color=GREY, linewidth=0.8)
            if abs(cut[-1]) > reach / 10 and faint != 2.0:  # its name would lie on that of 4
                right.text(4.05, cut[-1], number(faint, 0), va="center", fontsize=9.5)
        cut = numbers(unit(kind, torch.full_like(SIDE, at), SIDE))
        right.plot(SIDE.tolist(), cut, "-", color=GREEN, linewidth=2.5, gid="cut")
        right.set(title=f"the cut at gate = {number(at, 1)}", xlabel="value", ylabel="output")
        right.set(xlim=(-4, 4), ylim=(-reach, reach))
        points = {value: float(cut[(SIDE - value).abs().argmin()]) for value in (-3, 3)}
        for value, out in points.items():
            (dot,) = right.plot([value], [out], "o", color=GREEN)
            says(dot, f"value {number(value, 0)} → {number(out)}")
        minus, plus = points[-3], points[3]
        straight = abs(plus + minus) < 1e-3 and abs(3 * cut[-1] - 4 * plus) < 1e-3
        verdict = "a straight line: the gate sets its slope" if straight else "no straight line"
        return (
            f"{kind}, gate {number(at, 1)}: the value 3 becomes {number(plus)}, −3 becomes "
            f"{number(minus)}; {verdict}."
        )

    return explore(
        draw,
        kind=["GLU", "SwiGLU"],
        at=GATES,
        start={"kind": "SwiGLU", "at": 2.0},
        play="at",
        labels={"kind": "unit", "at": "gate"},
        size=(10.0, 3.8),
        narrow=(3.4, 5.6),
    )


def _cells(surface: Any) -> list[list[str]]:
    """What each cell of the surface says, the row on top first."""
    return [
        [
            f"gate {number(gate, 1)}, value {number(value, 1)}: {number(out)}"
            for gate, out in zip(SIDE.tolist(), row, strict=True)
        ]
        for value, row in zip(SIDE.tolist()[::-1], surface[::-1], strict=True)
    ]


def _key(axes: Axes) -> None:
    """The colours of the surface as a scale."""
    levels = torch.linspace(-FULL, FULL, 17)
    axes.barh(levels, 1, FULL / 8, color=shade(levels, FULL))
    axes.set(xlim=(0, 1), ylim=(-FULL * 17 / 16, FULL * 17 / 16), xticks=[], title="output")
    axes.title.set_fontsize(9.5)
    axes.yaxis.tick_right()
    axes.set_yticks([-FULL, 0, FULL], [f"≤ −{FULL:g}", "0", f"≥ {FULL:g}"])
    axes.tick_params(length=0, labelsize=9.5)
    axes.spines[:].set_visible(False)


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
        narrow = style.is_narrow(fig)
        axes = fig.add_axes((0.02, 0.02, 0.96, 0.96), xticks=[], yticks=[])
        axes.axis("off")
        axes.set(xlim=(-0.1, 13.4), ylim=(3.3, -0.45))
        for y, name, count, size, color in (
            (0.0, "two matrices, ReLU", 2, 4 * dim, ORANGE),
            (1.9, "three matrices, SwiGLU", 3, hidden, GREEN),
        ):
            total = f"{count * dim * size:,} parameters"
            words = [f"{name}:", total] if narrow else [f"{name}: {dim:,} × {size:,} each, {total}"]
            for line, text in enumerate(reversed(words)):
                axes.text(0, y - 0.1 - 0.22 * line, text, fontsize=10, va="bottom")
            _matrices(axes, y, count, size / dim, color, narrow)
        fits = (
            "as in the published weights"
            if hidden == published
            else f"but the published weights have {published:,}: they do not fit"
        )
        ratio = 3 * hidden / (8 * dim)
        return (
            f"Llama {model}: hidden size {hidden:,} = {number(hidden / dim)} × {dim:,}, {fits}. "
            f"Three matrices are {number(ratio)} times two of 4 × {dim:,}."
        )

    return explore(
        draw,
        model=list(MODELS),
        start={"model": "3 8B"},
        size=(9.6, 3.6),
        narrow=(3.4, 4.0),
        labels={"model": "Llama"},
    )


def _matrices(axes: Axes, y: float, count: int, width: float, color: str, narrow: bool) -> None:
    """Rectangles side by side, one unit high: an area is a number of parameters."""
    from matplotlib.colors import to_rgba
    from matplotlib.patches import Rectangle

    names = ("up", "down") if count == 2 else ("gate", "up", "down")
    for i, name in enumerate(names):
        x = i * (width + 0.12)
        box = Rectangle((x, y), width, 1, facecolor=to_rgba(color, 0.25), edgecolor=color)
        box.set_gid(f"{count}-{name}")
        says(box, f"{name}: dim × {number(width)} dim")
        axes.add_patch(box)
        axes.text(x + width / 2, y + 0.5, name, ha="center", va="center")
        size = f"{number(width, 1 if narrow else 2)} dim"
        axes.text(x + width / 2, y + 1.05, size, ha="center", va="top", fontsize=9.5)
