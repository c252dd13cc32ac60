"""Lab 07: one token on its way through the layer, up to F numbers, through the gates, and down."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from plots import style
from plots.flipbook import Flipbook, explore
from plots.page import says
from plots.style import GREY, INK, PINK, number, numbers, shade

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

D, F = 3, 8  # F = 8/3 · D, as in a Llama; 4,096 and 14,336 in Llama 3 8B
TOKENS = {"dog": [1.0, -0.5, 2.0], "bites": [-1.5, 1.0, 0.5], "man": [0.0, 2.0, -1.0]}
FULL = 4.0  # the number that has the fullest colour
# row → what it is; the lines of its name; its matrix, if one led here
ROWS = {
    "x": ("the token's vector, D numbers", ""),
    "gates": ("gates x W", "W"),
    "values": ("values x V", "V"),
    "opened": ("swish(gates)", ""),
    "product": ("swish(gates) · values, F numbers", ""),
    "out": ("down through W₂, D numbers", "W₂"),
}
# row → middle and top in cells, of a wide picture and of a narrow one
WIDE = {
    "x": (8.5, 0.0),
    "gates": (4.0, 2.0),
    "values": (13.0, 2.0),
    "opened": (4.0, 4.0),
    "product": (8.5, 6.0),
    "out": (8.5, 8.0),
}
SMALL = {row: (4.0, 2.0 * place) for place, row in enumerate(ROWS)}
# what flows where: from, to, whether through a matrix
FLOWS = (
    ("x", "gates"),
    ("x", "values"),
    ("gates", "opened"),
    ("opened", "product"),
    ("values", "product"),
    ("product", "out"),
)


def flow(swish: Callable[..., Tensor], swiglu: Callable[..., Tensor]) -> Flipbook:
    """Walk one token through the learner's layer: D numbers, F gates and F values, D numbers."""

    def draw(fig: Figure, token: str, step: int) -> str:
        found = _found(swish, swiglu, token)
        narrow = style.is_narrow(fig)
        places = SMALL if narrow else WIDE
        axes = fig.add_axes((0.02, 0.01, 0.96, 0.98), xticks=[], yticks=[])
        axes.set(xlim=(-0.1, 8.1 if narrow else 17.1), ylim=(11.2 if narrow else 9.2, -0.9))
        axes.set_axis_off()
        reached = list(ROWS)[:step]
        if not narrow:
            for source, target in FLOWS:
                _way(axes, places, source, target, target in reached)
        for row in ROWS:
            _row(axes, row, found[row], places[row], row in reached, row == reached[-1])
        return _caption(token, found, reached[-1])

    return explore(
        draw,
        token=list(TOKENS),
        step=range(1, len(ROWS) + 1),
        start={"token": "dog", "step": len(ROWS)},
        play="step",
        size=(9.8, 5.0),
        narrow=(3.4, 5.2),
    )


def _found(
    swish: Callable[..., Tensor], swiglu: Callable[..., Tensor], token: str
) -> dict[str, list[float]]:
    """Every row, as the learner's functions give it."""
    generator = torch.Generator().manual_seed(3)
    w_gate, w_up = torch.randn(2, F, D, generator=generator)
    w_down = torch.randn(D, F, generator=generator) / F**0.5
    x = torch.tensor([TOKENS[token]])
    rows = {
        "x": x,
        "gates": x @ w_gate.T,
        "values": x @ w_up.T,
        "opened": swish(x @ w_gate.T),
        "product": _products(swiglu, x, w_gate, w_up),
        "out": swiglu(x, w_gate, w_up, w_down),
    }
    return {row: numbers(values).reshape(-1).tolist() for row, values in rows.items()}


def _products(swiglu: Callable[..., Tensor], x: Tensor, w_gate: Tensor, w_up: Tensor) -> Tensor:
    """What reaches W₂, unit by unit: a W₂ of D rows that hand on D of the units as they are."""
    rows = torch.cat([torch.eye(F), torch.zeros(-F % D, F)])
    return torch.cat([swiglu(x, w_gate, w_up, some) for some in rows.split(D)], dim=-1)[..., :F]


def _row(
    axes: Axes,
    row: str,
    values: list[float],
    place: tuple[float, float],
    reached: bool,
    here: bool,
) -> None:
    """The numbers of one row as cells; outlines as long as nothing has come there."""
    from matplotlib.patches import Rectangle

    middle, top = place
    left = middle - len(values) / 2
    weight = "bold" if here else "normal"
    axes.text(middle, top - 0.15, ROWS[row][0], ha="center", fontsize=10, fontweight=weight)
    for column, value in enumerate(values):
        cell = Rectangle((left + column + 0.04, top), 0.92, 0.8, gid=f"{row}-{column}")
        cell.set(facecolor=shade([value], FULL)[0] if reached else "none", zorder=3)
        cell.set(edgecolor=PINK if here else GREY, linewidth=1.6 if here else 0.7)
        axes.add_patch(cell)
        if reached:
            says(cell, f"{ROWS[row][0]}, number {column}: {number(value)}")
            digits = 1 if abs(value) < 9.95 else 0
            look = {"ha": "center", "va": "center", "fontsize": 9.5, "zorder": 4}
            axes.text(left + column + 0.5, top + 0.42, number(value, digits), **look)


def _way(
    axes: Axes, places: dict[str, tuple[float, float]], source: str, target: str, reached: bool
) -> None:
    """From one row to the next: fanned out where a matrix mixes, else straight down."""
    from matplotlib.patches import Polygon

    width = {row: D if row in ("x", "out") else F for row in ROWS}
    (x0, y0), (x1, y1) = places[source], places[target]
    color = INK if reached else GREY
    if ROWS[target][1]:
        corners = [
            (x0 - width[source] / 2, y0 + 0.82),
            (x0 + width[source] / 2, y0 + 0.82),
            (x1 + width[target] / 2, y1 - 0.62),
            (x1 - width[target] / 2, y1 - 0.62),
        ]
        fan = Polygon(corners, closed=True, facecolor=GREY, alpha=0.12 if reached else 0.04)
        fan.set(edgecolor="none")
        axes.add_patch(fan)
        axes.text((x0 + x1) / 2, (y0 + y1) / 2 + 0.1, ROWS[target][1], ha="center", va="center")
        return
    axes.plot([x0, x1], [y0 + 0.85, y1 - 0.7], "-", color=color, linewidth=1.2)
    axes.plot([x1], [y1 - 0.68], "v", color=color, markersize=5)


def _caption(token: str, found: dict[str, list[float]], here: str) -> str:
    shut = sum(abs(value) < 0.3 for value in found["opened"])
    says_of = {
        "x": f"“{token}” comes in as {D} numbers; in Llama 3 8B as 4,096.",
        "gates": f"W makes {F} gates of them, one for each hidden unit; 14,336 in Llama 3 8B.",
        "values": f"V makes {F} values of the same {D} numbers.",
        "opened": f"Swish: of the {F} gates {shut} are nearly shut (below 0.3 on either side).",
        "product": "Each gate times its value: where the gate is shut, hardly anything passes.",
        "out": f"W₂ mixes the {F} products into {D} numbers, which are added to the stream.",
    }
    wanted = [a * b for a, b in zip(found["opened"], found["values"], strict=True)]
    if len(found["product"]) != F or len(found["out"]) != D:
        return f"{says_of[here]} Yours gives {len(found['out'])} numbers instead of {D}."
    off = sum(abs(a - b) > 1e-3 for a, b in zip(wanted, found["product"], strict=True))
    wrong = f" In yours {off} of {F} products are not swish(gate) · value." if off else ""
    return says_of[here] + wrong
