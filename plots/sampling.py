"""Lab 10: the next token's probabilities under temperature and filters, and what is drawn."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from plots.flipbook import Flipbook, explore
from plots.measures.sampling import degeneration, waiting
from plots.page import says
from plots.sampling_bars import (
    SHOWN,
    asked,
    bar_chart,
    by_size,
    entropy,
    few,
    kept_and_removed,
    probabilities,
    running_sum,
    said,
    token,
    what_stays,
)
from plots.sampling_text import regrow
from plots.sampling_writer import writer
from plots.style import BLUE, GREY, INK, ORANGE, is_narrow, number

if TYPE_CHECKING:
    from matplotlib.axes import Axes
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
TEMPERATURES = [0, 0.5, 1, 1.5, 2, 3, 5]  # with a page
CURVE = [0, 0.25, 0.5, 0.75, 1, 1.25, 1.5, 2, 2.5, 3, 4, 5]  # on the curves of the entropy
NAMES = {  # where a curve has its name: at this temperature, so far away
    SURE: (2, (4, -11), "left"),
    OPEN: (1.5, (-5, 4), "right"),
    VAGUE: (1.5, (4, -12), "left"),
}
HEATS = [1, 1.5, 2, 3]  # at which the two filters are compared
NUCLEUS, SHARE = 0.9, 0.1  # their settings
DRAWS = [1, 10, 50, 200, 1000, 5000]
PAIR = (7.2, 3.1)  # inches: two panels that a narrow screen may stack


def temperature(apply_temperature: Function, model: nn.Module) -> Flipbook:
    """The probabilities at each temperature, and the entropy after three beginnings."""
    ask = asked(model)

    def bits(read: str, heat: float) -> float:
        logits = ask(read)
        return entropy(probabilities(apply_temperature(logits[None], heat), logits))

    def draw(fig: Figure, temperature: float, read: str) -> str:
        logits = ask(read)
        hot = probabilities(apply_temperature(logits[None], temperature), logits)
        bars, side = _two(fig)
        order = bar_chart(bars, logits, hot, hot > 0)
        for beginning in READ:
            curve = [bits(beginning, heat) for heat in CURVE]
            color, width = (BLUE, 2.2) if beginning == read else (GREY, 1.3)
            gid = "entropy" if beginning == read else "other"
            (line,) = side.plot(CURVE, curve, "-", color=color, linewidth=width, gid=gid)
            says(line, f"after {said(beginning)}: {number(curve[CURVE.index(1)])} bits at 1")
            at, shift, where = NAMES[beginning]
            side.annotate(
                said(beginning), (at, curve[CURVE.index(at)]), shift, fontsize=10, ha=where,
                textcoords="offset points", color=INK if beginning == read else GREY,
            )  # fmt: skip
        here = entropy(hot)
        side.plot([temperature], [here], "o", color=BLUE, markersize=9, clip_on=False)
        side.axhline(6, color=INK, linewidth=0.8, linestyle=":")
        side.text(0.1, 6.08, "all 64 equally likely", fontsize=10)
        side.set(xlabel="temperature", ylabel="entropy in bits", ylim=(0, 6.6), xlim=(0, 5.1))
        first = order[0]
        if hot.isnan().any():
            return f"Temperature {temperature:g}: the probabilities are not numbers."
        return (
            f"After {said(read)} at temperature {temperature:g}: {token(first)} has probability "
            f"{number(hot[first])}, the entropy is {number(here)} bits, {_as_many(2**here)}."
        )

    return explore(
        draw,
        temperature=few(TEMPERATURES, 0.5),
        read=few(READ, OPEN),
        start={"temperature": 0.5, "read": OPEN},
        play="temperature",
        labels={"read": "read so far: …"},
        size=PAIR,
    )


def filter_k(top_k: Function, model: nn.Module) -> Flipbook:
    """What stays of the same three distributions with the same k."""

    def limit(axes: Axes, k: int) -> None:
        axes.axvline(min(k, SHOWN) - 0.5, color=INK, linestyle="--", linewidth=1, gid="limit")
        name = "k" if k <= SHOWN else "k is further right"
        axes.text(min(k, SHOWN) - 0.5, 1.06, name, ha="center" if k <= SHOWN else "right")

    return _filter(top_k, model, "k", [1, 2, 3, 5, 10, 20, 64, 100], 5, limit)


def filter_p(top_p: Function, model: nn.Module) -> Flipbook:
    """What stays of the same three distributions with the same p."""

    def limit(axes: Axes, p: float) -> None:
        axes.axhline(p, color=INK, linestyle="--", linewidth=1, gid="limit")
        axes.text(SHOWN - 0.2, p, "p", va="center")

    return _filter(top_p, model, "p", [0, 0.1, 0.3, 0.5, 0.7, 0.9, 0.95, 1.0], 0.9, limit)


def filter_min_p(
    min_p: Function, top_p: Function, apply_temperature: Function, model: nn.Module
) -> Flipbook:
    """What top_p and min_p keep of the same bars, and how their numbers grow with the heat."""
    ask = asked(model)

    def hot(read: str, heat: float) -> Tensor:
        return apply_temperature(ask(read)[None], heat)[0]

    def count(rule: Function, setting: float, read: str, heat: float) -> int:
        return int((rule(hot(read, heat)[None], setting) > -torch.inf).sum())

    def draw(fig: Figure, temperature: float, read: str) -> str:
        logits = hot(read, temperature)
        places = ((0.18, 0.73), (0.18, 0.41), (0.18, 0.08)) if is_narrow(fig) else None
        shape = (0.8, 0.21) if places else (0.255, 0.68)
        places = places or ((0.065, 0.13), (0.395, 0.13), (0.735, 0.17))
        first, second, third = (fig.add_axes((*place, *shape)) for place in places)
        texts = []
        rules = ((first, top_p, NUCLEUS, "top-p"), (second, min_p, SHARE, "min-p"))
        for axes, rule, setting, name in rules:
            said_so = kept_and_removed(axes, logits, rule(logits[None], setting), before=True)
            number_kept = said_so.partition(" ")[0]
            texts.append(f"{name} at {setting:g}: {said_so}")
            stay = f"{number_kept} stay" if number_kept.isdigit() else "see below"
            axes.set_title(f"{name} {setting:g}: {stay}", fontsize=11, pad=4)
        limit = SHARE * float(logits.softmax(-1).max())
        second.axhline(limit, color=INK, linestyle="--", linewidth=1, gid="threshold")
        label = f"dashed: {SHARE:g} · the largest = {number(limit, 3)}"
        high = {"ha": "right", "va": "top", "transform": second.transAxes}
        second.text(0.99, 0.97, label, fontsize=9, **high)
        for axes in (first, second):
            if is_narrow(fig):
                axes.set_yticks([0, 0.05, 0.25, 1], ["0", ".05", ".25", "1"])
            axes.set_ylabel("root scale" if is_narrow(fig) else axes.get_ylabel())
        for name, rule, setting, mark, color in (
            ("top-p", top_p, NUCLEUS, "s--", ORANGE),
            ("min-p", min_p, SHARE, "o-", BLUE),
        ):
            counts = [count(rule, setting, read, heat) for heat in HEATS]
            (line,) = third.plot(HEATS, counts, mark, color=color, markersize=5, gid=name)
            says(line, f"{name}: " + ", ".join(map(str, counts)) + f" at {HEATS}")
            end = (HEATS[-1], counts[-1])
            third.annotate(name, end, (6, -3), fontsize=9, textcoords="offset points")
        third.axvline(temperature, color=GREY, linewidth=1, linestyle=":")
        third.set(ylim=(-3, 66), xlim=(0.9, 3.55), xlabel="temperature", ylabel="letters that stay")
        third.set_xticks(HEATS, [f"{heat:g}" for heat in HEATS])
        third.tick_params(labelsize=9)
        return f"After {said(read)} at temperature {temperature:g}. " + " ".join(texts)

    return explore(
        draw,
        temperature=few(HEATS, 3),
        read=few(READ, OPEN),
        start={"temperature": 3, "read": OPEN},
        play="temperature",
        labels={"read": "read so far: …"},
        size=(10.4, 3.2),
        narrow=(3.3, 6.0),
    )


def draws(
    apply_temperature: Function,
    top_k: Function,
    top_p: Function,
    sample: Function,
    model: nn.Module,
) -> Flipbook:
    """All of it, and what few and many draws make of the bars."""
    ask = asked(model)

    def draw(fig: Figure, draws: int, temperature: float) -> str:
        logits = apply_temperature(ask(OPEN)[None], temperature)[0]
        left = top_p(top_k(logits[None], 10), NUCLEUS)
        generator = torch.Generator().manual_seed(0)
        tokens = sample(left.expand(draws, -1), generator).flatten().long()
        counts = torch.bincount(tokens.clamp(0, len(logits) - 1), minlength=len(logits))
        axes = fig.add_axes((0.17, 0.1, 0.82, 0.87) if is_narrow(fig) else (0.08, 0.1, 0.91, 0.87))
        says_so = kept_and_removed(axes, logits, left)
        order = by_size(logits)[:SHOWN]
        alive = probabilities(left, logits)
        outline = {"fill": False, "edgecolor": INK, "linewidth": 1.4}
        for place, i in enumerate(order):
            share, wanted = float(counts[i]) / draws, float(alive[i])
            luck = 2 * (wanted * (1 - wanted) / draws) ** 0.5  # two standard errors
            if wanted > 0:
                ends = [max(wanted - luck, 0), min(wanted + luck, 1)]
                axes.plot([place, place], ends, color=ORANGE, linestyle="-", gid=f"luck-{place}")
            if share:
                (bar,) = axes.bar([place], [share], 0.9, **outline)
                bar.set_gid(f"drawn-{place}")
                says(bar, f"{token(i)}: {int(counts[i])} of {draws}, expected {number(wanted, 3)}")
        forbidden = int(counts[alive == 0].sum())
        lost = f" {forbidden} draws are of removed tokens." if forbidden else ""
        best = int(order[0])
        return (
            f"{says_so} Of {draws:,} draws (outlined) {int(counts[best]):,} are {token(best)}, "
            f"{number(draws * float(alive[best]), 1)} were to be expected. Orange: within two "
            f"standard errors, where luck alone leads 95 of 100 times.{lost}"
        )

    return explore(
        draw,
        draws=few(DRAWS, 50),
        temperature=few([0.5, 1, 2], 1),
        start={"draws": 50, "temperature": 1},
        play="draws",
        size=(7.4, 3.1),
        narrow=(3.3, 3.1),
    )


def _filter(
    rule: Function,
    model: nn.Module,
    name: str,
    values: list[Any],
    start: Any,
    limit: Callable[[Axes, Any], None],
) -> Flipbook:
    """What a filter keeps (solid) and removes (hatched): as bars, and on top of one another."""
    ask = asked(model)

    def draw(fig: Figure, read: str, **setting: Any) -> str:
        logits = ask(read)
        bars, stairs = _two(fig)
        result = rule(logits[None], setting[name])
        kept_and_removed(bars, logits, result)
        limit(stairs, setting[name])
        new = probabilities(result, logits)
        if new is None:
            text = f"the result has the shape {tuple(result.shape)}, not (1, {len(logits)})."
        else:
            running_sum(stairs, logits, new)
            text = what_stays(logits, new)
        return f"After {said(read)}, {name} = {setting[name]:g}: {text}"

    return explore(
        draw,
        **{name: few(values, start)},
        read=few(READ, OPEN),
        start={name: start, "read": OPEN},
        play=name,
        labels={"read": "read so far: …"},
        size=PAIR,
    )


def _two(fig: Figure) -> tuple[Axes, Axes]:
    """Two panels with a gap through which a narrow screen may cut."""
    return fig.add_axes((0.09, 0.16, 0.38, 0.77)), fig.add_axes((0.59, 0.16, 0.38, 0.77))


def _as_many(count: float) -> str:
    """An entropy in words: how many equally likely tokens would leave as much open."""
    if count < 1.05:
        return "so hardly any doubt is left"
    return f"as much as {number(count, 1)} equally likely tokens have"
