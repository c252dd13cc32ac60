"""Colours, sizes and the few drawing helpers that all pictures share.

One colour per kind of thing, the same in every lab: queries blue, keys orange, values green. Each
colour has at least 3:1 contrast on white and on a dark notebook (#1e1e1e), and none carries a
meaning alone: give it a dash, a hatch or a label as well. Lines and text that should follow the
notebook's theme are drawn in INK, the default.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.lines import Line2D

BLUE, ORANGE, GREEN, PINK, GREY = "#0072B2", "#D55E00", "#009E73", "#CC79A7", "#808080"
QUERY, KEY, VALUE = BLUE, ORANGE, GREEN
INK = "#12161b"  # near black; in the browser it becomes currentColor, the theme's own text colour

WIDE = (7.2, 3.0)  # inches: two panels side by side
TALL = (5.2, 5.2)  # inches: two panels one over the other
SQUARE = (4.2, 4.2)  # inches: one panel

NARROW = 4.0  # inches: what is at most as wide is drawn for a narrow screen

FAINT = 0.25  # opacity of grids, circles and other things that help but are not read
FILL = (0.06, 0.62)  # opacity of the palest and the fullest cell; text stays readable on both


def rc() -> dict[str, Any]:
    """The matplotlib settings under which every picture is drawn and saved."""
    from cycler import cycler

    ink = ("text.color", "axes.labelcolor", "axes.edgecolor", "axes.titlecolor")
    return {
        **dict.fromkeys((*ink, "xtick.color", "ytick.color", "patch.edgecolor"), INK),
        "axes.facecolor": "none",
        "axes.linewidth": 0.8,
        "axes.prop_cycle": cycler(
            color=[BLUE, ORANGE, GREEN, PINK], linestyle=["-", "--", "-.", ":"]
        ),
        "axes.spines.right": False,
        "axes.spines.top": False,
        "axes.titlesize": 12,
        "figure.facecolor": "none",
        "font.family": ["sans-serif"],
        "font.sans-serif": ["DejaVu Sans", "Verdana", "sans-serif"],
        "font.size": 11,
        "grid.alpha": FAINT,
        "hatch.linewidth": 0.8,
        "legend.frameon": False,
        "lines.linewidth": 2,
        "savefig.facecolor": "none",
        "svg.fonttype": "none",
        "svg.hashsalt": "llama-lab",
        "xtick.labelsize": 10,
        "ytick.labelsize": 10,
    }


def is_narrow(fig: Any) -> bool:
    """Whether this page is drawn for a narrow screen: panels stand one under the other."""
    return fig.get_figwidth() <= NARROW


def numbers(values: Any) -> np.ndarray:
    """A tensor, array or nested list as a float64 array."""
    if hasattr(values, "detach"):  # a torch tensor, perhaps one that takes part in a gradient
        values = values.detach().cpu().tolist()
    return np.asarray(values, dtype=np.float64)


def number(value: float, digits: int = 2) -> str:
    """A number as the reader expects it: a true minus sign, and never minus zero.

    >>> number(-1.256), number(-0.001)
    ('−1.26', '0.00')
    """
    text = f"{float(value):.{digits}f}"
    if float(text) == 0:
        text = text.lstrip("-")
    return text.replace("-", "\N{MINUS SIGN}")


def shade(values: Any, limit: float | None = None, color: str = BLUE, negative: str = ORANGE):
    """(...) numbers → (..., 4) colours: one hue, the fuller the larger; below zero `negative`.

    `limit` is the size that gets the fullest colour; by default the largest in `values`. Give it
    when several pages or panels must share one scale.
    """
    from matplotlib.colors import to_rgb

    values = numbers(values)
    size = np.nan_to_num(np.abs(values), nan=0.0, posinf=np.inf)
    limit = limit or max(float(size[np.isfinite(size)].max(initial=0.0)), 1e-12)
    colours = np.empty((*values.shape, 4))
    colours[..., :3] = np.where((values < 0)[..., None], to_rgb(negative), to_rgb(color))
    colours[..., 3] = FILL[0] + (FILL[1] - FILL[0]) * np.minimum(size / limit, 1.0)
    return colours


def rgb(color: str) -> tuple[float, float, float]:
    """Red, green and blue of a colour, each from 0 to 1, to which an alpha can be added."""
    from matplotlib.colors import to_rgb

    return to_rgb(color)


def bars(
    axes: Axes,
    values: Any,
    *,
    color: str = BLUE,
    limit: float | None = None,
    write: bool = True,
    gid: str = "bars",
) -> None:
    """Draw one vector as bars, their numbers at the ends; bar i has the gid `{gid}-{i}`.

    `limit` fixes the y axis to ±limit, so that pages can be compared; a bar that leaves it ends
    in an arrow head.
    """
    values = numbers(values)
    limit = limit or 1.25 * max(float(np.nanmax(np.abs(values), initial=0.0)), 1e-9)
    for place, value in enumerate(values):
        shown = float(np.clip(np.nan_to_num(value), -limit, limit))
        (bar,) = axes.bar([place], [shown], width=0.7, color=shade([value], 1e-9, color, color)[0])
        bar.set(edgecolor=color, linewidth=1.2, gid=f"{gid}-{place}")
        up = shown >= 0
        if abs(value) > limit:
            axes.plot([place], [shown], "^" if up else "v", color=color, clip_on=False)
        if write:
            axes.annotate(
                number(value),
                (place, shown),
                (0, 3 if up else -3),
                textcoords="offset points",
                ha="center",
                va="bottom" if up else "top",
                fontsize=9,
            )
    axes.axhline(0, color=INK, linewidth=0.8)
    axes.set(xlim=(-0.6, len(values) - 0.4), ylim=(-1.15 * limit, 1.15 * limit))
    axes.set_xticks(range(len(values)))
    axes.tick_params(length=0)
    axes.spines[["left", "bottom"]].set_visible(False)


def plane(axes: Axes, limit: float, *, circle: float | None = None) -> None:
    """Prepare `axes` for vectors in the plane: equal scales, and a faint circle if wanted."""
    axes.axhline(0, color=INK, linewidth=0.8, alpha=FAINT * 2)
    axes.axvline(0, color=INK, linewidth=0.8, alpha=FAINT * 2)
    if circle:
        turn = np.linspace(0, 2 * np.pi, 73)
        x, y = circle * np.cos(turn), circle * np.sin(turn)
        axes.plot(x, y, "-", color=INK, linewidth=0.8, alpha=FAINT * 2, gid="circle")
    axes.set(xlim=(-limit, limit), ylim=(-limit, limit), aspect="equal", xticks=[], yticks=[])
    axes.spines[:].set_visible(False)


def arrow(
    axes: Axes,
    tip: Any,
    color: str = BLUE,
    label: str = "",
    *,
    start: Any = (0.0, 0.0),
    linestyle: str = "-",
    alpha: float = 1.0,
    gid: str | None = None,
) -> Line2D:
    """Draw a vector from `start` to `tip`, its name beyond it; returns the line with the gid."""
    from matplotlib.path import Path
    from matplotlib.transforms import Affine2D

    (x0, y0), (x1, y1) = numbers(start), numbers(tip)
    (line,) = axes.plot([x0, x1], [y0, y1], color=color, linestyle=linestyle, alpha=alpha, gid=gid)
    along = np.arctan2(y1 - y0, x1 - x0)
    head = Path([(0.1, 0), (-1, 0.42), (-1, -0.42), (0.1, 0)], closed=True)
    if np.hypot(x1 - x0, y1 - y0) > 1e-6:
        head = head.transformed(Affine2D().rotate(along))
        axes.plot([x1], [y1], marker=head, markersize=17, color=color, alpha=alpha, mew=0)
    else:
        axes.plot([x1], [y1], "o", color=color, alpha=alpha)
    if label:
        axes.annotate(
            label,
            (x1, y1),
            (11 * np.cos(along), 11 * np.sin(along)),
            textcoords="offset points",
            ha="center",
            va="center",
            color=color,
            fontweight="bold",
        )
    return line
