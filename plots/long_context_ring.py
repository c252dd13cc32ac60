"""Lab 13: a cache that never grows, its slots as a ring, and how far away its keys say they are."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import torch

from plots.flipbook import Flipbook, explore
from plots.page import says
from plots.style import BLUE, FAINT, INK, ORANGE, is_narrow, number

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

WINDOW, SINKS, STEPS = 8, 2, 23
SHOWN = (6, 8, 9, 10, 11, 12, 13, 14, 17, 19, 21, 23)  # one by one where the ring is full
THETA = 0.05  # radians a position: the keys' only pair, slow enough to be read as a distance
Kept = list[tuple[int, float]]  # position, and distance from the newest as the key's angle says it


def ring(RollingKVCache: Any) -> Flipbook:
    """Slots in a ring, sinks beside it; below, the distance from the newest key to each."""

    def draw(fig: Figure, positions: int, sinks: str) -> str:
        kept, length = after(RollingKVCache, positions, sinks == "turned along")
        narrow = is_narrow(fig)
        first = fig.add_axes((0.02, 0.42, 0.96, 0.57) if narrow else (0.0, 0.03, 0.4, 0.94))
        second = fig.add_axes((0.06, 0.13, 0.9, 0.22) if narrow else (0.45, 0.24, 0.53, 0.5))
        _slots(first, kept, positions)
        _distances(second, kept)
        numbers = sorted(at for at, _ in kept)
        farthest = max((distance for _, distance in kept), default=0.0)
        return (
            f"After {positions} positions it keeps {len(kept)}: {_listed(numbers)}; length is "
            f"{length}. The farthest key says that it is {number(farthest, 0)} positions away "
            f"(dashed: {SINKS + WINDOW - 1}, as far as one can be that fits)."
        )

    return explore(
        draw,
        positions=SHOWN,
        sinks=["stay", "turned along"],
        start={"positions": 19, "sinks": "turned along"},
        play="positions",
        size=(8.2, 3.1),
        narrow=(3.4, 5.0),
    )


def after(RollingKVCache: Any, positions: int, along: bool) -> tuple[Kept, Any]:
    """What a cache returns after so many positions, in its own order, and its length.

    A key is a hand that stands at its position, a value is the position's number.
    """
    frequencies = torch.tensor([THETA]) if along else None
    cache = RollingKVCache.empty(1, 1, WINDOW, 2, SINKS, frequencies)
    keys = values = torch.zeros(1, 1, 0, 2)
    for i in range(positions):
        hand = torch.tensor([math.cos(i * THETA), math.sin(i * THETA)]).view(1, 1, 1, 2)
        keys, values = cache.update(hand, torch.full((1, 1, 1, 2), float(i)))
    newest = (positions - 1) * THETA
    kept = []
    for key, value in zip(keys[0, 0].float(), values[0, 0, :, 0].tolist(), strict=False):
        angle = newest - math.atan2(float(key[1]), float(key[0]))
        angle = (angle + math.pi / 4) % (2 * math.pi) - math.pi / 4
        kept.append((round(value), angle / THETA))
    return kept, cache.length


def _slots(axes: Axes, kept: Kept, positions: int) -> None:
    """The window as a ring, in the order in which update returns it, and the sinks as squares."""
    turning = [at for at, _ in kept if at >= SINKS]
    for place in range(max(WINDOW, len(turning))):
        angle = math.pi / 2 - 2 * math.pi * place / max(WINDOW, len(turning))
        x, y = math.cos(angle), math.sin(angle)
        here = turning[place] if place < len(turning) else None
        new = here == positions - 1
        alpha = 0.0 if here is None else 0.55 if new else FAINT
        disc = _disc(axes, x, y, alpha, 2.4 if new else 1.0)
        disc.set_gid(f"slot-{place}")
        if here is not None:
            axes.text(x, y, str(here), ha="center", va="center", fontsize=11)
            axes.texts[-1].set_gid(f"at-{place}")
            says(disc, f"slot {place} of the window: position {here}" + ", the newest" * new)
    pins = [at for at, _ in kept if at < SINKS]
    for place in range(SINKS):
        look: dict[str, Any] = {"marker": "s", "markersize": 25, "markerfacecolor": "none"}
        (pin,) = axes.plot([1.75], [0.3 - 0.7 * place], color=ORANGE, gid=f"pin-{place}", **look)
        if place < len(pins):
            axes.text(1.75, 0.3 - 0.7 * place, str(pins[place]), ha="center", va="center")
            says(pin, f"a sink: position {pins[place]}")
    axes.text(1.75, 0.85, "sinks", ha="center", fontsize=10)
    axes.text(0, 0, "window", ha="center", va="center", fontsize=10)
    axes.set(xlim=(-1.45, 2.2), ylim=(-1.4, 1.4), aspect="equal", xticks=[], yticks=[])
    axes.spines[:].set_visible(False)


def _disc(axes: Axes, x: float, y: float, alpha: float, width: float) -> Any:
    from matplotlib.colors import to_rgba
    from matplotlib.patches import Circle

    face = to_rgba(BLUE, alpha)
    return axes.add_patch(Circle((x, y), 0.3, facecolor=face, edgecolor=BLUE, linewidth=width))


def _distances(axes: Axes, kept: Kept) -> None:
    """A mark for each key: how far from the newest its angle says that it is."""
    for at, distance in kept:
        sink = at < SINKS
        look: dict[str, Any] = {"color": ORANGE if sink else BLUE, "clip_on": False}
        (mark,) = axes.plot(
            [distance], [0], "s" if sink else "o", markersize=9 if sink else 6,
            markerfacecolor="none" if sink else None, gid=f"distance-{at}", **look,
        )  # fmt: skip
        says(mark, f"position {at}: {number(distance, 0)} before the newest")
        if sink:
            axes.annotate(
                str(at), (distance, 0), (0, -21), textcoords="offset points", ha="center",
                color=INK, fontsize=10,
            )  # fmt: skip
    axes.axvline(
        SINKS + WINDOW - 1, ymin=0.5, color=INK, linestyle="--", linewidth=1, gid="farthest"
    )
    axes.set(xlim=(STEPS + 0.5, -0.8), ylim=(-0.5, 1), yticks=[], xticks=range(0, STEPS + 1, 4))
    axes.set_xlabel("positions before the newest, by the angle", fontsize=10)
    axes.spines["left"].set_visible(False)


def _listed(numbers: list[int]) -> str:
    """Positions with runs put together: "0, 1, 11 to 18"."""
    runs: list[list[int]] = []
    for at in numbers:
        if runs and at == runs[-1][-1] + 1:
            runs[-1].append(at)
        else:
            runs.append([at])
    words = [f"{run[0]} to {run[-1]}" if len(run) > 2 else ", ".join(map(str, run)) for run in runs]
    return ", ".join(words)
