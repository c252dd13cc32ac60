"""Lab 10: the next token's probabilities under temperature and filters, and what is drawn."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from plots.flipbook import Flipbook, explore
from plots.measures.sampling import degeneration, waiting
from plots.sampling_bars import (
    SHOWN,
    asked,
    bar_chart,
    by_size,
    entropy,
    few,
    kept_and_removed,
    probabilities,
    said,
    token,
)
from plots.sampling_text import regrow
from plots.sampling_writer import writer
from plots.style import BLUE, GREY, INK, number

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = [
    "degeneration",
    "draws",
    "filter_k",
    "filter_min_p",
    "filter_p",
    "regrow",
    "temperature",
    "waiting",
    "writer",
]

Function = Callable[..., Tensor]

# The ends of what the model has read, from nearly certain to nearly everything possible.
SURE, OPEN, VAGUE = "O, the q", "O, th", "The "
READ = [SURE, OPEN, VAGUE]
DRAWS = 500
TEMPERATURES = [0, 0.25, 0.5, 0.75, 1, 1.5, 2, 3, 5]


def temperature(apply_temperature: Function, model: nn.Module) -> Flipbook:
    """The probabilities at each temperature, and their entropy."""
    ask = asked(model)

    def draw(fig: Figure, temperature: float, read: str) -> str:
        logits = ask(read)
        hot = probabilities(apply_temperature(logits[None], temperature), logits)
        bars = fig.add_axes((0.08, 0.18, 0.55, 0.74))
        order = bar_chart(bars, logits, hot, hot > 0)
        curve = [
            entropy(probabilities(apply_temperature(logits[None], t), logits)) for t in TEMPERATURES
        ]
        side = fig.add_axes((0.75, 0.18, 0.23, 0.74))
        side.plot(TEMPERATURES, curve, "-", color=GREY, gid="entropy")
        here = entropy(hot)
        side.plot([temperature], [here], "o", color=BLUE, markersize=9, clip_on=False)
        side.axhline(6, color=INK, linewidth=0.8, linestyle=":")
        side.set(xlabel="temperature", ylabel="entropy in bits", ylim=(0, 6.3), xlim=(0, 5.1))
        first = order[0]
        if hot.isnan().any():
            return f"Temperature {temperature:g}: the probabilities are not numbers."
        return (
            f"After {said(read)} at temperature {temperature:g}: {token(first)} has probability "
            f"{number(hot[first])}, the entropy is {number(here)} bits, {_as_many(2**here)} "
            f"(dotted: all {len(logits)} equally likely)."
        )

    return explore(
        draw,
        temperature=few(TEMPERATURES, 0.5),
        read=few(READ, OPEN),
        start={"temperature": 0.5, "read": OPEN},
        play="temperature",
        labels={"read": "read so far: …"},
        size=(7.2, 3.0),
    )


def filter_k(top_k: Function, model: nn.Module) -> Flipbook:
    """What stays of the same three distributions with the same k."""
    ks = [1, 2, 3, 5, 10, 20, 64, 100]
    return _filter(top_k, model, "k", ks, 5)


def filter_p(top_p: Function, model: nn.Module) -> Flipbook:
    """What stays of the same three distributions with the same p."""
    return _filter(top_p, model, "p", [0, 0.1, 0.3, 0.5, 0.7, 0.9, 0.95, 1.0], 0.9)


def filter_min_p(
    min_p: Function, top_p: Function, apply_temperature: Function, model: nn.Module
) -> Flipbook:
    """What min_p keeps when it gets hot, and how many top_p would keep; bars as before both."""
    ask = asked(model)

    def draw(fig: Figure, p: float, temperature: float) -> str:
        logits = apply_temperature(ask(OPEN)[None], temperature)[0]
        result = min_p(logits[None], p)
        axes = fig.add_axes((0.08, 0.12, 0.9, 0.83))
        says = kept_and_removed(axes, logits, result, before=True)
        limit = p * float(logits.softmax(-1).max())
        axes.axhline(limit, color=INK, linestyle="--", linewidth=1, gid="threshold")
        label = f"{p:g} · the largest = {number(limit, 3)}"
        axes.text(SHOWN - 0.5, limit, label, ha="right", va="bottom", fontsize=9)
        nucleus = int((top_p(logits[None], 0.9) > -torch.inf).sum())
        return f"Temperature {temperature:g}, p = {p:g}: {says} top_p would keep {nucleus} at 0.9."

    return explore(
        draw,
        p=few([0.02, 0.05, 0.1, 0.2, 0.5, 1.0], 0.1),
        temperature=few([1, 1.5, 2, 3], 3),
        start={"p": 0.1, "temperature": 3},
        size=(7.2, 2.7),
    )


def draws(
    apply_temperature: Function,
    top_k: Function,
    top_p: Function,
    sample: Function,
    model: nn.Module,
) -> Flipbook:
    """All of it, and 500 draws over the bars."""
    ask = asked(model)

    def draw(fig: Figure, temperature: float, k: int, p: float) -> str:
        logits = apply_temperature(ask(OPEN)[None], temperature)[0]
        left = top_p(top_k(logits[None], k), p)
        generator = torch.Generator().manual_seed(0)
        tokens = sample(left.expand(DRAWS, -1), generator).flatten().long()
        counts = torch.bincount(tokens.clamp(0, len(logits) - 1), minlength=len(logits))
        axes = fig.add_axes((0.08, 0.12, 0.9, 0.83))
        says = kept_and_removed(axes, logits, left)
        order = by_size(logits)[:SHOWN]
        shares = (counts / DRAWS)[order]
        outline = {"fill": False, "edgecolor": INK, "linewidth": 1.3}
        for place, share in enumerate(shares.tolist()):
            if share == 0:
                continue
            (bar,) = axes.bar([place], [share], 0.86, **outline)
            bar.set_gid(f"drawn-{place}")
        alive = probabilities(left, logits)
        forbidden = int(counts[alive == 0].sum())
        lost = f" {forbidden} draws are of removed tokens." if forbidden else ""
        best = int(order[0])
        return (
            f"{says} Of {DRAWS} draws (outlined) {int(counts[best])} are {token(best)}, "
            f"{number(DRAWS * float(alive[best]), 0)} were to be expected.{lost}"
        )

    return explore(
        draw,
        temperature=few([0.5, 1, 2], 1),
        k=few([3, 10, 64], 10),
        p=few([0.5, 0.9, 1.0], 0.9),
        start={"temperature": 1, "k": 10, "p": 0.9},
        size=(7.2, 2.7),
    )


def _filter(rule: Function, model: nn.Module, name: str, values: list[Any], start: Any) -> Flipbook:
    """Bars of what a filter keeps (solid) and removes (hatched)."""
    ask = asked(model)

    def draw(fig: Figure, read: str, **setting: Any) -> str:
        logits = ask(read)
        axes = fig.add_axes((0.08, 0.12, 0.9, 0.83))
        says = kept_and_removed(axes, logits, rule(logits[None], setting[name]))
        return f"After {said(read)}, {name} = {setting[name]:g}: {says}"

    return explore(
        draw,
        **{name: few(values, start)},
        read=few(READ, OPEN),
        start={name: start, "read": OPEN},
        play=name,
        labels={"read": "read so far: …"},
        size=(7.2, 2.7),
    )


def _as_many(count: float) -> str:
    """An entropy in words: how many equally likely tokens would leave as much open."""
    if count < 1.05:
        return "so hardly any doubt is left"
    return f"as much as {number(count, 1)} equally likely tokens have"
