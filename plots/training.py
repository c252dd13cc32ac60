"""Lab 09: what a loss sees, a schedule, a clipped gradient, and how AdamW walks.

The live curve stands in plots/training_watch.py; what is measured by training stands in
plots/measures/training.py, training_ablations.py and training_race.py.
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
from plots.style import BLUE, FAINT, GREEN, GREY, INK, ORANGE, PINK, arrow, bars, number, numbers
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
    "schedule",
    "spread",
    "steps_in",
    "surprise",
    "watch",
    "write",
]

Grads = list[Tensor]
LETTERS = ["e", "o", "h", "t", "z"]  # what may follow "th"; h is no good idea
OTHERS = torch.tensor([0.0, 1.0, -1.0, 0.5, -2.0])
GAPS = [-20.0, -8.0, -4.0, -2.0, -1.0, 0.0, 1.0, 2.0, 3.0, 4.0, 6.0, 8.0]


def surprise(cross_entropy: Callable[[Tensor, Tensor], Tensor]) -> Flipbook:
    """Draw the loss against the target's logit, and the gradient that each logit gets."""
    wide = torch.linspace(-20, 8, 57)

    def loss_at(logit: Tensor | float) -> tuple[Tensor, Tensor]:
        logits = OTHERS.clone()
        logits[0] = logit
        logits = logits.reshape(1, 1, -1).requires_grad_()
        loss = cross_entropy(logits, torch.zeros(1, 1, dtype=torch.long))
        if not loss.requires_grad:
            return loss.detach(), torch.zeros(5)
        (slope,) = torch.autograd.grad(loss, logits)
        return loss.detach(), slope.flatten()

    def draw(fig: Figure, logit: float) -> str:
        left, right = fig.subplots(1, 2)
        fig.subplots_adjust(left=0.07, right=0.98, bottom=0.17, top=0.88, wspace=0.22)
        curve = [float(loss_at(x)[0]) for x in wide]
        loss, slope = loss_at(logit)
        left.plot(wide.tolist(), curve, "-", color=BLUE, gid="loss")
        left.plot([logit], [float(loss)], "o", color=ORANGE, markersize=8, gid="here")
        left.set(xlabel="logit of the target, e", ylim=(-0.8, 23), xlim=(-21, 9))
        left.set_title(f"the loss: {number(loss)}")
        bars(right, slope, color=GREEN, limit=1.0, gid="slope")
        right.set_xticks(range(5), LETTERS)
        right.set_title("its gradient, logit by logit")
        p = math.exp(-float(loss)) if float(loss) < 700 else 0.0
        return (
            f"Loss {number(loss)}, so the target has probability {p:.3g}. A step against the "
            f"gradient pushes it up with {number(-slope[0])} and the other four down with "
            f"{number(slope[1:].sum())} together; the sum of all five is {number(slope.sum())}."
        )

    return explore(
        draw, logit=GAPS, start={"logit": -2.0}, play="logit", labels={"logit": "logit of e"}
    )


WARMUPS = [0, 10, 50, 100, 300, 1000]
TOTAL, PEAK, FLOOR = 1000, 3e-3, 1e-4


def schedule(learning_rate: Callable[..., float]) -> Flipbook:
    """Draw the learning rate of a thousand steps, and of some beyond."""

    def draw(fig: Figure, warmup: int) -> str:
        axes = fig.add_axes((0.11, 0.17, 0.86, 0.7))
        steps = [*range(0, 30), *range(30, 1201, 10)]
        rates = [1e3 * learning_rate(step, warmup, TOTAL, PEAK, FLOOR) for step in steps]
        axes.plot(steps, rates, "-", color=BLUE, gid="rate")
        for level, name in ((PEAK, "peak"), (FLOOR, "floor")):
            axes.axhline(1e3 * level, color=GREY, linewidth=0.8)
            axes.annotate(name, (1195, 1e3 * level), (0, 3), textcoords="offset points", ha="right")
        axes.axvline(TOTAL, color=GREY, linewidth=0.8, linestyle=":")
        axes.set(xlim=(-5, 1200), ylim=(0, 3.5), xlabel="step", ylabel="learning rate · 1000")
        all_rates = [learning_rate(step, warmup, TOTAL, PEAK, FLOOR) for step in range(TOTAL + 1)]
        said = f"{all_rates[0]:.2g} at step 0, "
        said += f"{all_rates[warmup - 1]:.2g} at step {warmup - 1}, " if warmup else ""
        way = sum(all_rates[:TOTAL])
        last = 100 * sum(all_rates[TOTAL * 9 // 10 : TOTAL]) / way if way else math.nan
        return (
            f"Warm-up {warmup}: {said}{all_rates[TOTAL]:.2g} at step {TOTAL}. On average "
            f"{number(100 * way / TOTAL / PEAK, 0)} % of the peak; the last tenth of the steps "
            f"gets {number(last, 1)} % of the total way."
        )

    return explore(draw, warmup=WARMUPS, start={"warmup": 100}, size=(7.2, 2.8))


LENGTHS = [0.25, 0.5, 0.8, 1.0, 1.5, 2.0, 3.0, 4.0]


def clipping(clip_grad_norm: Callable[[Grads, float], float]) -> Flipbook:
    """Draw two gradients of one number each as an arrow, before and after clipping to 1."""

    def draw(fig: Figure, length: float, angle: int) -> str:
        from plots.style import plane

        axes = fig.add_axes((0.03, 0.03, 0.94, 0.94))
        plane(axes, 4.3, circle=1.0)
        axes.set(xlim=(-1.4, 4.3), ylim=(-1.4, 4.3))
        turn = math.radians(angle)
        x, y = length * math.cos(turn), length * math.sin(turn)
        grads = [torch.tensor([x]), torch.tensor([[y]])]
        before = [grad.item() for grad in grads]
        returned = clip_grad_norm(grads, 1.0)
        after = [grad.item() for grad in grads]
        alone = [min(number, 1.0) for number in before]  # each tensor cut by itself
        if math.dist(before, after) < 1e-3:
            arrow(axes, after, GREEN, "unchanged", gid="after")
        else:
            arrow(axes, before, GREY, "before", linestyle="--", gid="before")
            arrow(axes, after, GREEN, gid="after")
            place = {"xytext": (-7, -9), "ha": "right"} if angle > 45 else {"xytext": (7, -13)}
            axes.annotate("after", after, textcoords="offset points", color=GREEN, **place)
        if math.dist(before, alone) > 0.1:
            arrow(axes, alone, GREY, linestyle=":", gid="alone")
            side = "left" if angle > 45 else "right"  # away from the arrow "before"
            points = {"textcoords": "offset points", "fontsize": 9}
            axes.annotate("each by itself", alone, (4, 9), ha=side, **points)
        axes.text(0.8, -0.8, "max_norm = 1", color=INK, fontsize=9)
        axes.text(4.3, -0.3, "first tensor →", ha="right", fontsize=9)
        axes.text(-0.15, 4.0, "second\ntensor ↑", ha="right", va="top", fontsize=9)
        size = math.hypot(*after)
        turned = abs(math.degrees(math.atan2(after[1], after[0])) - angle) if size else 0.0
        way = "The direction is the same." if turned < 0.5 else f"It turned by {turned:.0f}°."
        return (
            f"({number(before[0])}, {number(before[1])}) of length {number(length)} becomes "
            f"({number(after[0])}, {number(after[1])}) of length {number(size)}. {way} Returned: "
            f"{_value(returned)}."
        )

    return explore(
        draw,
        length=LENGTHS,
        angle=[10, 35, 60, 80],
        start={"length": 3.0, "angle": 35},
        play="length",
        size=(4.4, 4.4),
        labels={"angle": "direction"},
    )


def _value(returned: object) -> str:
    return number(returned) if isinstance(returned, float | int) else type(returned).__name__


STEPNESS = [1, 10, 100]
WALK = [0, 1, 2, 3, 5, 8, 12, 16, 20, 25, 30, 40]
START = (-2.0, 1.0)


def descent(adamw_step: Callable[..., None]) -> Flipbook:
    """Walk down a valley, steep across and flat along: plain gradient descent beside AdamW."""

    def walks(steep: int) -> dict[str, Tensor]:
        slope = torch.tensor([1.0, float(steep)])
        own = torch.tensor(START)
        m, v = torch.zeros(2), torch.zeros(2)
        plain, paths = own.clone(), {"AdamW (yours)": [own.clone()], "gradient": [own.clone()]}
        for step in range(1, WALK[-1] + 1):
            adamw_step(own, slope * own, m, v, step, lr=0.15, weight_decay=0.0)
            plain = plain - 1.9 / steep * slope * plain if steep > 1 else plain - 0.15 * plain
            paths["AdamW (yours)"].append(own.clone())
            paths["gradient"].append(plain.clone())
        return {name: torch.stack(path) for name, path in paths.items()}

    def draw(fig: Figure, steep: int, step: int) -> str:
        axes = fig.add_axes((0.02, 0.04, 0.96, 0.92))
        _valley(axes, steep)
        said = []
        looks = {"gradient": (ORANGE, "s--"), "AdamW (yours)": (GREEN, "o-")}
        for name, path in walks(steep).items():
            color, line = looks[name]
            x, y = numbers(path[: step + 1]).T
            axes.plot(x, y, line, color=color, markersize=4, linewidth=1.3, label=name, gid=name)
            said.append(f"{name} is {number(path[step].norm())} from the goal")
        axes.plot([0], [0], "*", color=PINK, markersize=13)
        axes.legend(loc="lower right", fontsize=10)
        return f"A valley {steep} times as steep across as along, step {step}: {', '.join(said)}."

    return explore(
        draw,
        steep=STEPNESS,
        step=WALK,
        start={"steep": 100, "step": 16},
        play="step",
        size=(6.4, 3.2),
        labels={"steep": "times as steep"},
    )


def _valley(axes: Axes, steep: int) -> None:
    """Lines of equal height, at 1/32 to 2 times the start's flat part."""
    turn = torch.linspace(0, 2 * math.pi, 61)
    for height in (0.1, 0.5, 1.2, 2.2):
        wide, high = math.sqrt(2 * height), math.sqrt(2 * height / steep)
        x, y = (wide * turn.cos()).tolist(), (high * turn.sin()).tolist()
        axes.plot(x, y, "-", color=INK, linewidth=0.8, alpha=FAINT)
    axes.set(xlim=(-2.4, 1.2), ylim=(-1.25, 1.25))
    axes.axis("off")
