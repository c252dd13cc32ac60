"""Lab 02: which numbers a norm looks at, and what it is blind to."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from plots.cells import NEW, REUSED, cells
from plots.flipbook import Flipbook, explore
from plots.measures.rmsnorm import timing, training
from plots.page import says
from plots.rmsnorm_knee import knee
from plots.rmsnorm_stream import before_or_after, stream
from plots.style import (
    BLUE,
    GREEN,
    GREY,
    INK,
    ORANGE,
    arrow,
    bars,
    is_narrow,
    number,
    numbers,
    plane,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Norm = Callable[..., Tensor]

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
    "before_or_after",
    "directions",
    "knee",
    "shift_and_scale",
    "stream",
    "timing",
    "training",
    "who_moves",
]
MOVED = 0.005  # a change that is seen in two decimals
DEGREES = range(0, 360, 15)


def in_batch(norm: Norm, x: Tensor, *others: Tensor) -> Tensor:
    """The norm of x (D,), when it is one row of a batch: (1, 3, D) → (D,)."""
    batch = torch.cat([x[None], OTHERS[:, : len(x)]])[None]
    return norm(batch, *others)[0, 0]


def who_moves(batch_norm: Norm, layer_norm: Norm) -> Flipbook:
    """Scale one sample and show which other results move."""

    def layer(x: Tensor) -> Tensor:
        return layer_norm(x, torch.ones(4), torch.zeros(4))

    def draw(fig: Figure, times: int) -> str:
        scaled, said, narrow = TOKENS.clone(), {}, is_narrow(fig)
        scaled[0] *= times
        norms = [("BatchNorm", batch_norm), ("LayerNorm", layer)]
        if not narrow:
            norms.insert(0, ("what goes in", lambda x: x))
        for place, (name, norm) in enumerate(norms):
            wide, folded = (
                (0.09 + 0.305 * place, 0.02, 0.29, 0.87),
                (0.09 + 0.46 * place, 0, 0.44, 0.9),
            )
            axes = fig.add_axes(folded if narrow else wide)
            before, after = numbers(norm(TOKENS)), numbers(norm(scaled))
            moved = abs(after - before) > MOVED
            states = [[NEW if cell else REUSED for cell in row] for row in moved]
            rows = [str(i) if narrow else f"sample {i}" for i in range(6)] if place == 0 else None
            cells(axes, after, states, limit=2.5, write=True, rows=rows, gid=name)
            axes.set_title(name)
            said[name] = number(abs(after - before)[1:].max())
        return (
            f"Sample 0 is multiplied by {times}. The other five move by up to {said['BatchNorm']} "
            f"in BatchNorm's result, by up to {said['LayerNorm']} in LayerNorm's. Outlined: moved."
        )

    return explore(
        draw,
        times=range(1, 9),
        start={"times": 4},
        play="times",
        size=(9.8, 3.6),
        narrow=(3.25, 2.6),
    )


def shift_and_scale(layer_norm: Norm, rms_norm: Norm) -> Flipbook:
    """Shift or scale one vector and show whose result changes."""
    ones, zeros = torch.ones(len(VECTOR)), torch.zeros(len(VECTOR))

    def draw(fig: Figure, change: str) -> str:
        x, narrow = CHANGES[change](VECTOR), is_narrow(fig)
        panels = (
            ("the vector", VECTOR, x, INK),
            ("LayerNorm", *(in_batch(layer_norm, v, ones, zeros) for v in (VECTOR, x)), BLUE),
            ("RMSNorm", *(in_batch(rms_norm, v, ones) for v in (VECTOR, x)), GREEN),
        )
        moves = {}
        for place, (name, before, after, color) in enumerate(panels):
            wide, stacked = (
                (0.01 + 0.335 * place, 0.02, 0.31, 0.87),
                (0.02, 0.68 - 0.335 * place, 0.96, 0.26),
            )
            axes = fig.add_axes(stacked if narrow else wide)
            limit = 5.0 if place == 0 else 2.4
            bars(axes, after, color=color, limit=limit, write=False, gid=name)
            for i, value in enumerate(numbers(before)):
                _label(axes, i, float(numbers(after)[i]), value, limit)
                (was,) = axes.plot(
                    [i - 0.4, i + 0.4], [value] * 2, "-", color=ORANGE, linewidth=2.4
                )
                says(was, f"{name}, feature {i}: {number(value)} for x, now {number(after[i])}")
            axes.set(title=name, xticks=[], yticks=[])
            moves[name] = float(abs(numbers(after) - numbers(before)).max())
        changed = [name for name in ("LayerNorm", "RMSNorm") if moves[name] > MOVED]
        only = "".join(changed)
        whose = ["Neither result changes", f"Only {only}'s result changes", "Both results change"]
        return (
            f"{change}: LayerNorm moves by up to {number(moves['LayerNorm'])}, RMSNorm by up to "
            f"{number(moves['RMSNorm'])}. {whose[len(changed)]}. "
            "Orange lines: where the bar ended for x."
        )

    return explore(
        draw,
        change=list(CHANGES),
        start={"change": "x + 2"},
        size=(9.8, 3.2),
        narrow=(3.25, 4.4),
    )


def _label(axes: Axes, place: int, now: float, was: float, limit: float) -> None:
    """Write a bar's number beyond its end, and beyond the mark of where it ended before."""
    up = now >= 0
    end = max(now, was) if up else min(now, was)
    at = (place, max(-limit, min(limit, end)))
    look = {"textcoords": "offset points", "ha": "center", "va": "bottom" if up else "top"}
    axes.annotate(number(now), at, (0, 3 if up else -3), fontsize=9, **look)


def directions(layer_norm: Norm, rms_norm: Norm) -> Flipbook:
    """Turn a vector of two numbers and show where the two norms send it, and all the others."""
    ones, zeros = torch.ones(2), torch.zeros(2)
    norms = {
        "RMSNorm": (GREEN, "-", "rms", lambda x: in_batch(rms_norm, x, ones)),
        "LayerNorm": (BLUE, "--", "layer", lambda x: in_batch(layer_norm, x, ones, zeros)),
    }

    def vector(degrees: int) -> Tensor:
        angle = math.radians(degrees)
        return torch.tensor([2.2 * math.cos(angle), 2.2 * math.sin(angle)])

    @functools.cache
    def everywhere(name: str) -> np.ndarray:
        return np.array([numbers(norms[name][-1](vector(degrees))) for degrees in DEGREES])

    def draw(fig: Figure, degrees: int) -> str:
        x, results, narrow = vector(degrees), {}, is_narrow(fig)
        for place, (name, (color, line, gid, norm)) in enumerate(norms.items()):
            axes = fig.add_axes((0.01 + 0.5 * place, 0, 0.48, 0.8 if narrow else 0.9))
            plane(axes, 3.2 if narrow else 2.6, circle=math.sqrt(2))
            axes.plot([-2.2, 2.2], [2.2, -2.2], ":", color=GREY, linewidth=1)
            if not narrow:
                axes.text(1.35, -2.1, "mean 0", color=GREY, fontsize=10)
                axes.text(-1.95, -1.45, "size 1", color=GREY, fontsize=10)
            axes.plot(
                *everywhere(name).T, "o", color=color, markersize=5, alpha=0.5, gid=f"all-{gid}"
            )
            results[name] = norm(x)
            arrow(axes, x, INK, "x", alpha=0.6, gid=f"x-{gid}")
            drawn = arrow(axes, results[name], color, "", linestyle=line, gid=gid)
            says(drawn, f"{name} of x: ({', '.join(number(v) for v in results[name])})")
            axes.set_title(name)
        rms, layer = results.values()
        result = f"LayerNorm gives ({number(layer[0])}, {number(layer[1])})"
        if degrees % 180 == 45:
            result += ": both numbers are equal, so nothing is left after re-centring"
        else:
            result += ", one of the two points of that line that have the right size"
        return (
            f"x points to {degrees}°. RMSNorm sets the length to {number(float(rms.norm()))} and "
            f"keeps the direction. {result}. Dots: where all {len(DEGREES)} directions end."
        )

    return explore(
        draw,
        degrees=DEGREES,
        start={"degrees": 75},
        play="degrees",
        size=(8.6, 4.4),
        narrow=(3.25, 2.0),
    )
