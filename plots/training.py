"""Lab 09: what a loss sees, and a schedule; all pictures of the lab, by their names.

Clipping and AdamW's walk stand in plots/training_steps.py, the live curve in training_watch.py;
what is measured by training stands in plots/measures/training*.py.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from plots.flipbook import Flipbook, explore
from plots.measures.training import milestones, spread, steps_in
from plots.measures.training_ablations import ablations
from plots.measures.training_race import against_gpt
from plots.measures.training_rates import rates
from plots.measures.training_resume import resumed
from plots.page import says
from plots.style import BLUE, FAINT, GREEN, GREY, INK, ORANGE, bars, is_narrow, number
from plots.training_steps import clipping, descent
from plots.training_watch import watch, write

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = [
    "ablations",
    "against_gpt",
    "clipping",
    "descent",
    "milestones",
    "rates",
    "resumed",
    "schedule",
    "spread",
    "steps_in",
    "surprise",
    "watch",
    "write",
]

LETTERS = ["e", "o", "h", "t", "z"]  # what may follow "th"; h is no good idea
OTHERS = torch.tensor([0.0, 1.0, -1.0, 0.5, -2.0])
GAPS = [-20.0, -8.0, -4.0, -2.0, -1.0, 0.0, 1.0, 2.0, 3.0, 4.0, 6.0, 8.0]


def surprise(cross_entropy: Callable[[Tensor, Tensor], Tensor]) -> Flipbook:
    """Draw the loss against the target's logit, and the gradient that each logit gets."""
    wide = torch.linspace(-20, 8, 57)

    def logits_at(logit: Tensor | float) -> Tensor:
        logits = OTHERS.clone()
        logits[0] = logit
        return logits

    def loss_at(logit: Tensor | float) -> tuple[Tensor, Tensor]:
        logits = logits_at(logit).reshape(1, 1, -1).requires_grad_()
        loss = cross_entropy(logits, torch.zeros(1, 1, dtype=torch.long))
        if not loss.requires_grad:
            return loss.detach(), torch.zeros(5)
        (slope,) = torch.autograd.grad(loss, logits)
        return loss.detach(), slope.flatten()

    def draw(fig: Figure, logit: float) -> str:
        shape = (2, 1) if is_narrow(fig) else (1, 2)
        left, right = fig.subplots(*shape)
        room = (0.15, 0.1, 0.93, 0.5) if is_narrow(fig) else (0.06, 0.16, 0.9, 0.16)
        fig.subplots_adjust(left=room[0], right=0.98, bottom=room[1], top=room[2], hspace=room[3])
        curve = [float(loss_at(x)[0]) for x in wide]
        loss, slope = loss_at(logit)
        left.plot(wide.tolist(), curve, "-", color=BLUE, gid="loss")
        _tangent(left, logit, float(loss), float(slope[0]))
        left.set(xlabel="logit of the target, e", ylim=(-0.8, 23), xlim=(-21, 9))
        left.set_title(f"loss {number(loss)}, slope {number(slope[0])}")
        _pushes(right, slope, logits_at(logit).softmax(0))
        p = math.exp(-float(loss)) if float(loss) < 700 else 0.0
        return (
            f"Loss {number(loss)}, so the target has probability {p:.3g}. A step against the "
            f"gradient pushes it up with {number(-slope[0])} and the other four down with "
            f"{number(slope[1:].sum())} together; the sum of all five is {number(slope.sum())}."
        )

    return explore(
        draw,
        logit=GAPS,
        start={"logit": -2.0},
        play="logit",
        labels={"logit": "logit of e"},
        size=(9.6, 3.4),
        narrow=(3.1, 5.2),
    )


def _tangent(axes: Axes, x: float, y: float, slope: float) -> None:
    """The point, and the line along which a small step would go."""
    ends = torch.tensor([-4.0, 4.0])
    axes.plot((x + ends).tolist(), (y + slope * ends).tolist(), "--", color=ORANGE, linewidth=1.3)
    axes.lines[-1].set_gid("slope line")
    axes.plot([x], [y], "o", color=ORANGE, markersize=8, gid="here")
    says(axes.lines[-1], f"logit {number(x, 0)}: loss {number(y)}, slope {number(slope)}")


def _pushes(axes: Axes, slope: Tensor, p: Tensor) -> None:
    """The gradient as bars; hollow behind it, the probability minus 1 for the right one."""
    bars(axes, slope, color=GREEN, limit=1.0, gid="slope")
    wanted = p - torch.eye(len(p))[0]
    axes.bar(range(len(p)), wanted.tolist(), width=0.86, fill=False, edgecolor=GREY, linestyle=":")
    for i, letter in enumerate(LETTERS):
        words = f"{letter}: gradient {number(slope[i])}; probability {number(p[i])}"
        says(axes.patches[i], words + ", minus 1" * (i == 0))
    axes.set_xticks(
        range(len(p)), [f"{letter}\n{number(p[i])}" for i, letter in enumerate(LETTERS)]
    )
    axes.set_yticks([-1, -0.5, 0, 0.5, 1])
    axes.set_title("gradient · dotted: p, for e p − 1")


WARMUPS = [0, 10, 50, 100, 300, 1000]
TOTAL, PEAK, FLOOR = 1000, 3e-3, 1e-4
FIRST = 12  # steps that are shown one by one


def schedule(learning_rate: Callable[..., float]) -> Flipbook:
    """Draw the learning rate of a thousand steps and of some beyond, and the first ones alone."""

    def draw(fig: Figure, warmup: int) -> str:
        rates = [1e3 * learning_rate(step, warmup, TOTAL, PEAK, FLOOR) for step in range(1201)]
        if is_narrow(fig):
            axes, begin = fig.subplots(2, 1, height_ratios=(3, 2))
            fig.subplots_adjust(left=0.16, right=0.97, bottom=0.11, top=0.93, hspace=0.55)
        else:
            axes, begin = fig.subplots(1, 2, width_ratios=(5, 2))
            fig.subplots_adjust(left=0.07, right=0.985, bottom=0.17, top=0.88, wspace=0.16)
        way = sum(rates[:TOTAL])
        _tenths(axes, rates, way)
        shown = [*range(0, 20), *range(20, 1201, 10)]
        axes.plot(shown, [rates[i] for i in shown], "-", color=BLUE, gid="rate")
        axes.axhline(1e3 * PEAK, color=GREY, linewidth=0.8)
        axes.annotate("peak", (1195, 1e3 * PEAK), (0, 3), textcoords="offset points", ha="right")
        axes.axhline(1e3 * FLOOR, color=GREY, linewidth=0.8)
        axes.annotate("floor", (1195, 1e3 * FLOOR), (0, 4), textcoords="offset points", ha="right")
        axes.set(xlim=(-5, 1200), ylim=(0, 3.5), xlabel="step", ylabel="rate · 1000")
        axes.set_title("% of the way, tenth by tenth")
        _first_steps(begin, rates, warmup)
        said = f"{rates[0] / 1e3:.2g} at step 0, "
        said += f"{rates[warmup - 1] / 1e3:.2g} at step {warmup - 1}, " if warmup else ""
        last = 100 * sum(rates[TOTAL * 9 // 10 : TOTAL]) / way if way else math.nan
        return (
            f"Warm-up {warmup}: {said}{rates[TOTAL] / 1e3:.2g} at step {TOTAL}. On average "
            f"{number(100 * way / TOTAL / PEAK / 1e3, 0)} % of the peak; the last tenth of the "
            f"steps gets {number(last, 1)} % of the total way."
        )

    return explore(
        draw,
        warmup=WARMUPS,
        start={"warmup": 100},
        play="warmup",
        size=(9.6, 3.2),
        narrow=(3.1, 4.6),
    )


def _tenths(axes: Axes, rates: list[float], way: float) -> None:
    """Fill the area under the curve by tenths of the steps; its size is how far one gets in it."""
    for i in range(10):
        steps = range(i * TOTAL // 10, (i + 1) * TOTAL // 10 + 1)
        heights = [rates[step] for step in steps]
        fill = {"color": BLUE, "alpha": FAINT / (1 + i % 2), "linewidth": 0}
        area = axes.fill_between(steps[::5], heights[::5], **fill)
        share = 100 * sum(heights[:-1]) / way if way else math.nan
        says(area, [f"steps {steps[0]} to {steps[-1] - 1}: {number(share, 1)} % of the way"])
        words = number(share, 0 if share >= 1 else 1)
        low = heights[len(heights) // 2] < 0.7  # the number has no room under the curve
        axes.text(steps[len(steps) // 2], max(heights) + 0.08 if low else 0.22, words, ha="center")
        axes.texts[-1].set(fontsize=9, gid=f"share-{i}")


def _first_steps(axes: Axes, rates: list[float], warmup: int) -> None:
    """The rates of the first steps, one dot each: the very first one is above 0."""
    axes.vlines(range(FIRST), 0, rates[:FIRST], color=BLUE, linewidth=1.2, alpha=2 * FAINT)
    axes.plot(range(FIRST), rates[:FIRST], "o", color=BLUE, markersize=5, gid="first steps")
    dots = axes.scatter(range(FIRST), rates[:FIRST], s=90, color="none", edgecolor="none")
    says(dots, [f"step {i}: {rate / 1e3:.2g}" for i, rate in enumerate(rates[:FIRST])])
    axes.axhline(0, color=INK, linewidth=0.8)
    top = max(*rates[:FIRST], 1e-9)
    axes.set(xlim=(-0.8, FIRST - 0.2), ylim=(-0.06 * top, 1.15 * top), xlabel="step")
    axes.set_xticks(range(0, FIRST, 2))
    axes.set_title(f"the first {FIRST} steps")
