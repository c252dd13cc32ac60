"""Lab 14: guesses looked up, luck against ratios, slots forgotten, speed against drafts."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from plots.flipbook import Flipbook, explore
from plots.measures.speculative import calls, exact, four_bit, loaded, looked_up
from plots.measures.speculative_letters import counted_letters
from plots.page import says
from plots.speculative_bars import draws, overlap
from plots.speculative_text import lookup, rounds, your_llama
from plots.style import BLUE, GREEN, GREY, INK, ORANGE, is_narrow, number, rgb

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = [
    "calls",
    "counted_letters",
    "draws",
    "exact",
    "four_bit",
    "loaded",
    "looked_up",
    "lookup",
    "luck",
    "overlap",
    "rounds",
    "slots",
    "speeds",
    "your_llama",
]

Function = Callable[..., Any]

RATIOS = (1.8, 0.95, 0.7, 1.2, 0.85, 0.3)  # p / q of six drafts
LUCKS = (0.1, 0.2, 0.4, 0.6, 0.75, 0.9)
N_LAYERS, ROOM, READ, NEW = 3, 8, 6, 2
ALPHAS = (0.3, 0.5, 0.8, 0.9)
COSTS = (0.0, 0.1, 0.5)
MOST = 12  # drafts in a round


def luck(count_accepted: Function) -> Flipbook:
    """The ratio of each draft, its luck, and which are accepted."""
    n = len(RATIOS)
    q = torch.full((n, 4), 0.2)
    q[:, 0] = 0.4
    p = torch.full((n, 4), 0.1)
    p[:, 0] = torch.tensor(RATIOS) * 0.4
    drafts = torch.zeros(n, dtype=torch.long)

    def draw(fig: Figure, luck: float) -> str:
        counted = int(count_accepted(p, q, drafts, torch.full((n,), luck)))
        narrow = is_narrow(fig)
        axes = fig.add_axes((0.19, 0.16, 0.79, 0.76) if narrow else (0.09, 0.16, 0.9, 0.76))
        for place, ratio in enumerate(RATIOS):
            kept, asked = place < counted, place <= counted
            color = BLUE if kept else ORANGE if asked else GREY
            hatch = "" if kept else "xx" if asked else ".."
            bar = axes.bar([place], [min(ratio, 1.0)], 0.7, facecolor=(*rgb(color), 0.35))[0]
            bar.set(edgecolor=color, hatch=hatch, linewidth=1.2)
            state = "accepted" if kept else "rejected" if asked else "not asked"
            bar.set_gid(f"{state.replace(' ', '-')}-{place}")
            says(bar, f"draft {place + 1}: p / q = {number(ratio)}, {state}")
            label = {"accepted": "✓", "rejected": "✗", "not asked": "?"}[state]
            axes.text(place, 1.04, label, ha="center", fontsize=12, color=color)
        axes.axhline(luck, color=INK, linewidth=1.6, linestyle="--", gid="luck")
        axes.set(xlim=(-0.6, n - 0.4), ylim=(0, 1.18), ylabel="p / q, at most 1")
        axes.set_xticks(range(n), [str(i + 1) for i in range(n)])
        axes.set_xlabel("draft")
        good = sum(ratio > luck for ratio in RATIOS)
        return (
            f"Luck {number(luck)} for all six (dashed): your count_accepted says {counted}. "
            f"{good} of the six ratios are above the line; only those before the first that is "
            "not count."
        )

    return explore(
        draw, luck=LUCKS, start={"luck": 0.75}, play="luck", size=(6.4, 2.9), narrow=(3.3, 2.9)
    )


def slots(rewind: Function, KVCache: Any) -> Flipbook:
    """Three layers' slots after a rewind, and two positions that come then."""

    def cache_of() -> Any:
        cache = KVCache.empty(batch=1, n_kv_heads=1, max_len=ROOM, head_dim=1)
        numbers = torch.arange(1.0, READ + 1).reshape(1, 1, READ, 1)
        cache.update(numbers, numbers)
        return cache

    def draw(fig: Figure, length: int) -> str:
        caches = [cache_of() for _ in range(N_LAYERS)]
        rewind(caches, length)
        new = torch.tensor([[[[11.0], [12.0]]]])
        after = [_update(cache, new) for cache in caches]
        axes = fig.add_axes((0.02, 0.02, 0.96, 0.9))
        for row, (cache, told) in enumerate(zip(caches, after, strict=True)):
            held = cache.keys.flatten().tolist()[:ROOM]
            for slot in range(ROOM):
                counts = slot < len(told)
                value = told[slot] if counts else held[slot] if slot < len(held) else 0
                _slot(axes, row, slot, value, counts)
            axes.text(-0.1, row + 0.5, f"layer {row}", ha="right", va="center", fontsize=10)
        axes.set(
            xlim=(-1.9 if is_narrow(fig) else -1.2, ROOM + 0.1),
            ylim=(N_LAYERS + 0.1, -0.1),
            xticks=[],
            yticks=[],
        )
        axes.spines[:].set_visible(False)
        lengths = sorted({int(cache.length) for cache in caches})
        wanted = length + NEW
        verdict = "as it should be" if lengths == [wanted] else f"it should be {wanted} everywhere"
        return (
            f"1 to {READ} were read, then rewind(caches, {length}), then 11 and 12 came. The "
            f"layers' lengths are {' and '.join(map(str, lengths))}: {verdict}. Hatched slots hold "
            "what nobody will read."
        )

    return explore(
        draw,
        length=range(READ + 1),
        start={"length": 3},
        play="length",
        labels={"length": "rewind to"},
        size=(6.0, 2.2),
        narrow=(3.3, 2.0),
    )


def _update(cache: Any, new: Tensor) -> list[float]:
    """What a cache returns after two new positions; what counted before, where it has no room."""
    try:
        return cache.update(new, new)[0].flatten().tolist()
    except (ValueError, RuntimeError):
        return cache.keys[:, :, : cache.length].flatten().tolist()


def _slot(axes: Any, row: int, slot: int, value: float, counts: bool) -> None:
    from matplotlib.patches import Rectangle

    color = (BLUE if value < 10 else GREEN) if counts else GREY
    box = Rectangle(
        (slot + 0.04, row + 0.08), 0.92, 0.84, facecolor=(*rgb(color), 0.3 if counts else 0.0),
        edgecolor=color, hatch="" if counts else "//", linewidth=1.1,
    )  # fmt: skip
    box.set_gid(f"{'held' if counts else 'free'}-{row}-{slot}")
    says(box, f"layer {row}, slot {slot}: {value:g}{'' if counts else ', does not count'}")
    axes.add_patch(box)
    if counts:
        axes.text(slot + 0.5, row + 0.5, f"{value:g}", ha="center", va="center", fontsize=10)


def speeds(speedup: Function) -> Flipbook:
    """The speed against the number of drafts, its maximum, and where it falls below 1."""

    def draw(fig: Figure, alpha: float, draft_cost: float, checking: float) -> str:
        at = list(range(MOST + 1))
        costs = [1 + checking * n for n in at]  # of the target's call on n + 1 tokens
        speed = [
            float(speedup(alpha, n, draft_cost, cost)) for n, cost in zip(at, costs, strict=True)
        ]
        narrow = is_narrow(fig)
        axes = fig.add_axes((0.17, 0.17, 0.8, 0.78) if narrow else (0.1, 0.17, 0.87, 0.78))
        best = max(at, key=lambda n: speed[n])
        axes.axhline(1, color=INK, linewidth=1, linestyle="--")
        axes.plot(at, speed, "-", color=BLUE, gid="speed")
        worse = [n for n in at if speed[n] < 1]
        axes.plot(worse, [speed[n] for n in worse], "x", color=ORANGE, linestyle="none", gid="slow")
        (dot,) = axes.plot([best], [speed[best]], "o", color=GREEN, markersize=10, gid="best")
        says(dot, f"{best} drafts: {number(speed[best])} times")
        axes.set_xticks(range(0, MOST + 1, 2))
        axes.set(xlabel="drafts in a round", ylabel="times faster", xlim=(-0.3, MOST + 0.3))
        axes.set(ylim=(0, max(2.2, 1.1 * max(speed))))
        slow = f" Below 1 from {worse[0]} drafts on." if worse and worse[-1] == MOST else ""
        return (
            f"With alpha {number(alpha)}, a drafted token at {number(draft_cost)} and "
            f"{number(checking)} for each draft that is checked, {best} drafts are best: "
            f"{number(speed[best])} times as fast.{slow}"
        )

    return explore(
        draw,
        alpha=ALPHAS,
        draft_cost=COSTS,
        checking=(0.0, 0.15),
        start={"alpha": 0.8, "draft_cost": 0.1, "checking": 0.0},
        play="alpha",
        labels={"checking": "cost of checking a draft"},
        size=(6.4, 3.0),
        narrow=(3.3, 2.9),
    )
