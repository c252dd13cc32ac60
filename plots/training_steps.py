"""Lab 09: what becomes of a gradient before it is a step: clipping, and how AdamW walks."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from plots.flipbook import Flipbook, explore
from plots.page import says
from plots.style import (
    FAINT,
    GREEN,
    GREY,
    INK,
    ORANGE,
    PINK,
    arrow,
    is_narrow,
    number,
    numbers,
    plane,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Grads = list[Tensor]
LENGTHS = [0.25, 0.5, 1.0, 2.0, 3.0, 4.0]
LIMIT = 1.0  # max_norm


def clipping(clip_grad_norm: Callable[[Grads, float], float]) -> Flipbook:
    """Draw two gradients of one number each as an arrow, before and after clipping to 1."""

    def clipped(length: float, turn: float) -> tuple[list[float], list[float], object]:
        """The two numbers before and after, and what was returned."""
        x, y = length * math.cos(turn), length * math.sin(turn)
        grads = [torch.tensor([x]), torch.tensor([[y]])]
        before = [grad.item() for grad in grads]
        returned = clip_grad_norm(grads, LIMIT)
        return before, [grad.item() for grad in grads], returned

    def draw(fig: Figure, length: float, angle: int) -> str:
        if is_narrow(fig):
            axes, curve = fig.subplots(2, 1, height_ratios=(3, 2))
            fig.subplots_adjust(left=0.16, right=0.97, bottom=0.1, top=0.99, hspace=0.12)
        else:
            axes, curve = fig.subplots(1, 2)
            fig.subplots_adjust(left=0.01, right=0.98, bottom=0.15, top=0.93, wspace=0.14)
        turn = math.radians(angle)
        before, after, returned = clipped(length, turn)
        _arrows(axes, before, after, angle)
        lengths = [0.05 * step for step in range(1, 84)]
        norms = [math.hypot(*clipped(each, turn)[1]) for each in lengths]
        _norms(curve, lengths, norms, (length, math.hypot(*after)))
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
        size=(9.2, 4.0),
        narrow=(3.1, 5.4),
        labels={"angle": "direction"},
    )


def _arrows(axes: Axes, before: list[float], after: list[float], angle: int) -> None:
    """The gradient as it was, as it is, and as it would be with each tensor cut by itself."""
    plane(axes, 4.3, circle=LIMIT)
    axes.set(xlim=(-1.4, 4.9), ylim=(-1.4, 4.9))
    alone = [min(number, LIMIT) for number in before]
    if math.dist(before, after) < 1e-3:
        arrow(axes, after, GREEN, gid="after")
        axes.annotate("unchanged", after, (4, 6), textcoords="offset points", color=INK)
    else:
        arrow(axes, before, GREY, "before", linestyle="--", gid="before")
        arrow(axes, after, GREEN, gid="after")
        place = {"xytext": (-7, -9), "ha": "right"} if angle > 45 else {"xytext": (7, -13)}
        axes.annotate("after", after, textcoords="offset points", color=INK, **place)
    if math.dist(before, alone) > 0.1:
        arrow(axes, alone, GREY, linestyle=":", gid="alone")
        # Away from the arrow "before": beside it, or where the two tips are close, below.
        steep, close = angle > 45, math.dist(before, alone) < 1
        at, side = ((8, -9 if close else 13), "left") if steep else ((-8, 9), "right")
        points = {"textcoords": "offset points", "fontsize": 9}
        axes.annotate("one by one", alone, at, ha=side, **points)
    axes.text(0.8, -0.8, "max_norm = 1", color=INK, fontsize=9)
    axes.text(4.3, -0.3, "first tensor →", ha="right", fontsize=9)
    axes.text(-0.15, 4.0, "second\ntensor ↑", ha="right", va="top", fontsize=9)


def _norms(axes: Axes, lengths: list[float], norms: list[float], here: tuple[float, float]) -> None:
    """The norm after clipping over the norm before it."""
    axes.plot([0, 4.2], [0, 4.2], ":", color=GREY, linewidth=1)
    axes.plot(lengths, norms, "-", color=GREEN, gid="norms")
    axes.plot(*[[each] for each in here], "o", color=ORANGE, markersize=8, gid="here")
    says(axes.lines[-1], f"norm before {number(here[0])}, after {number(here[1])}")
    axes.text(2.35, 2.5, "untouched", color=INK, fontsize=9, ha="right")
    axes.set(xlim=(0, 4.2), ylim=(0, 4.2), xlabel="norm before", ylabel="norm after")
    axes.set_xticks(range(5))
    axes.set_yticks(range(5))


def _value(returned: object) -> str:
    return number(returned) if isinstance(returned, float | int) else type(returned).__name__


STEPNESS = [1, 10, 100]
SHOWN = [0, 1, 2, 5, 8, 16, 25, 40]  # of the steps
START = (-2.0, 1.0)
LOOKS = {"gradient": (ORANGE, "s--"), "AdamW (yours)": (GREEN, "o-")}


def descent(adamw_step: Callable[..., None]) -> Flipbook:
    """Walk down a valley, steep across and flat along: plain gradient descent beside AdamW."""

    def walks(steep: int) -> dict[str, Tensor]:
        slope = torch.tensor([1.0, float(steep)])
        own = torch.tensor(START)
        m, v = torch.zeros(2), torch.zeros(2)
        plain, paths = own.clone(), {"AdamW (yours)": [own.clone()], "gradient": [own.clone()]}
        for step in range(1, SHOWN[-1] + 1):
            adamw_step(own, slope * own, m, v, step, lr=0.15, weight_decay=0.0)
            plain = plain - 1.9 / steep * slope * plain if steep > 1 else plain - 0.15 * plain
            paths["AdamW (yours)"].append(own.clone())
            paths["gradient"].append(plain.clone())
        return {name: torch.stack(path) for name, path in paths.items()}

    def draw(fig: Figure, steep: int, step: int) -> str:
        if is_narrow(fig):
            axes, far = fig.subplots(2, 1)
            fig.subplots_adjust(left=0.19, right=0.97, bottom=0.1, top=0.98, hspace=0.2)
        else:
            axes, far = fig.subplots(1, 2, width_ratios=(3, 2))
            fig.subplots_adjust(left=0.01, right=0.98, bottom=0.14, top=0.96, wspace=0.14)
        _valley(axes, steep)
        said = []
        for name, path in walks(steep).items():
            color, line = LOOKS[name]
            x, y = numbers(path[: step + 1]).T
            axes.plot(x, y, line, color=color, markersize=4, linewidth=1.3, label=name, gid=name)
            left = path.norm(dim=1)
            _distance(far, name, left.tolist(), step)
            said.append(f"{name} is {number(left[step])} from the goal")
        axes.plot([0], [0], "*", color=PINK, markersize=13)
        axes.legend(loc="lower right", fontsize=9)
        far.set(xlim=(-1, SHOWN[-1] + 1), ylim=(0, 2.6), xlabel="step", ylabel="distance to ★")
        return f"A valley {steep} times as steep across as along, step {step}: {', '.join(said)}."

    return explore(
        draw,
        steep=STEPNESS,
        step=SHOWN,
        start={"steep": 100, "step": 16},
        play="step",
        size=(9.6, 3.6),
        narrow=(3.1, 5.0),
        labels={"steep": "times as steep"},
    )


def _distance(axes: Axes, name: str, left: list[float], step: int) -> None:
    """How far it is to the goal, after each step: the way so far in full, the rest pale."""
    color, line = LOOKS[name]
    axes.plot(range(len(left)), left, line[1:], color=color, alpha=FAINT, linewidth=1.3)
    done = left[: step + 1]
    axes.plot(range(len(done)), done, line, color=color, markersize=4, linewidth=1.3)
    axes.lines[-1].set_gid(f"distance {name}")
    here = axes.scatter([step], [done[-1]], s=60, color="none", edgecolor="none")
    says(here, [f"{name}, step {step}: {number(done[-1])}"])


def _valley(axes: Axes, steep: int) -> None:
    """Lines of equal height, at 1/32 to 2 times the start's flat part."""
    turn = torch.linspace(0, 2 * math.pi, 61)
    for height in (0.1, 0.5, 1.2, 2.2):
        wide, high = math.sqrt(2 * height), math.sqrt(2 * height / steep)
        x, y = (wide * turn.cos()).tolist(), (high * turn.sin()).tolist()
        axes.plot(x, y, "-", color=INK, linewidth=0.8, alpha=FAINT)
    axes.set(xlim=(-2.4, 1.2), ylim=(-1.25, 1.25))
    axes.axis("off")
