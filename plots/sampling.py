"""Lab 10: the next token's probabilities under temperature and filters, and what is drawn."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from assets.shakespeare_llama import VOCAB
from plots.boxes import visible
from plots.flipbook import Flipbook, explore
from plots.measures.sampling import degeneration, regrow, waiting
from plots.sampling_writer import writer
from plots.style import BLUE, GREY, INK, ORANGE, number

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
SHOWN = 22  # tokens with a bar, of 64
DRAWS = 500
TEMPERATURES = [0, 0.25, 0.5, 0.75, 1, 1.5, 2, 3, 5]


def temperature(apply_temperature: Function, model: nn.Module) -> Flipbook:
    """The probabilities at each temperature, and their entropy."""

    def draw(fig: Figure, temperature: float, read: str) -> str:
        logits = next_logits(model, read)
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
            f"{number(hot[first])}, the entropy is {number(here)} bits, as if {number(2**here, 1)} "
            f"tokens were equally likely (dotted: all {len(logits)})."
        )

    return explore(
        draw,
        temperature=TEMPERATURES,
        read=READ,
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
    """What min_p keeps when it gets hot, and how many top_p would keep."""

    def draw(fig: Figure, p: float, temperature: float) -> str:
        logits = apply_temperature(next_logits(model, OPEN)[None], temperature)[0]
        result = min_p(logits[None], p)
        axes = fig.add_axes((0.08, 0.12, 0.9, 0.83))
        says = _kept_and_removed(axes, logits, result)
        limit = p * float(logits.softmax(-1).max())
        axes.axhline(limit, color=INK, linestyle="--", linewidth=1, gid="threshold")
        axes.text(SHOWN - 0.5, limit, "p · largest", ha="right", va="bottom", fontsize=9)
        nucleus = int((top_p(logits[None], 0.9) > -torch.inf).sum())
        return f"Temperature {temperature:g}, p = {p:g}: {says} top_p would keep {nucleus} at 0.9."

    return explore(
        draw,
        p=[0.02, 0.05, 0.1, 0.2, 0.5, 1.0],
        temperature=[1, 1.5, 2, 3],
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

    def draw(fig: Figure, temperature: float, k: int, p: float) -> str:
        logits = apply_temperature(next_logits(model, OPEN)[None], temperature)[0]
        left = top_p(top_k(logits[None], k), p)
        generator = torch.Generator().manual_seed(0)
        tokens = sample(left.expand(DRAWS, -1), generator).flatten().long()
        counts = torch.bincount(tokens.clamp(0, len(logits) - 1), minlength=len(logits))
        axes = fig.add_axes((0.08, 0.12, 0.9, 0.83))
        says = _kept_and_removed(axes, logits, left)
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
        temperature=[0.5, 1, 2],
        k=[3, 10, 64],
        p=[0.5, 0.9, 1.0],
        start={"temperature": 1, "k": 10, "p": 0.9},
        size=(7.2, 2.7),
    )


def _filter(rule: Function, model: nn.Module, name: str, values: list[Any], start: Any) -> Flipbook:
    """Bars of what a filter keeps (solid) and removes (hatched)."""

    def draw(fig: Figure, read: str, **setting: Any) -> str:
        logits = next_logits(model, read)
        axes = fig.add_axes((0.08, 0.12, 0.9, 0.83))
        says = _kept_and_removed(axes, logits, rule(logits[None], setting[name]))
        return f"After {said(read)}, {name} = {setting[name]:g}: {says}"

    return explore(
        draw,
        **{name: values},
        read=READ,
        start={name: start, "read": OPEN},
        play=name,
        labels={"read": "read so far: …"},
        size=(7.2, 2.7),
    )


def _kept_and_removed(axes: Axes, logits: Tensor, result: Any) -> str:
    """Draw a filter's result over the logits (V,) that it was given, and say what stays."""
    new = probabilities(result, logits)
    if new is None:
        return f"the result has the shape {tuple(result.shape)}, not (1, {len(logits)})."
    keep = new > 0
    bar_chart(axes, logits, new, keep)
    count, mass = int(keep.sum()), float(logits.softmax(-1)[keep].sum())
    if new.isnan().any():
        return "what is left cannot be drawn from: the probabilities are not numbers."
    stays = "token stays" if count == 1 else "tokens stay"
    return f"{count} {stays} of {len(logits)}, with {number(100 * mass, 1)} % of the probability."


def bar_chart(axes: Axes, logits: Tensor, new: Tensor, keep: Tensor) -> list[int]:
    """Solid bars of what stays, hatched ones of what it was before; the tokens in their order."""
    before, order = logits.softmax(-1), by_size(logits)
    for place, i in enumerate(order[:SHOWN]):
        if keep[i]:
            (bar,) = axes.bar([place], [float(new[i])], 0.7, color=BLUE, alpha=0.6)
            bar.set_gid(f"kept-{place}")
        elif float(before[i]) > 1e-4:
            look = {"fill": False, "edgecolor": ORANGE, "hatch": "////", "linewidth": 0.8}
            (bar,) = axes.bar([place], [float(before[i])], 0.7, **look)
            bar.set_gid(f"removed-{place}")
    axes.set_xticks(range(SHOWN), [visible(VOCAB[i]) for i in order[:SHOWN]])
    axes.set_yscale("function", functions=(lambda y: abs(y) ** 0.5, lambda y: y**2))
    axes.set(xlim=(-0.7, SHOWN - 0.3), ylim=(0, 1.05), ylabel="probability")
    axes.set_yticks([0, 0.01, 0.05, 0.1, 0.25, 0.5, 1], ["0", ".01", ".05", ".1", ".25", ".5", "1"])
    axes.tick_params(axis="x", length=0)
    return order


def next_logits(model: nn.Module, read: str) -> Tensor:
    """What the model says after Romeo's line so far: (V,) float32."""
    ids = torch.tensor([[VOCAB.index(letter) for letter in f"ROMEO:\n{read}"]])
    with torch.no_grad():
        return model(ids)[0, -1].float()


def probabilities(result: Any, logits: Tensor) -> Any:
    """The softmax of a filter's result (1, V) as (V,), or None if it has another shape."""
    if tuple(result.shape) != (1, len(logits)):
        return None
    return result[0].float().softmax(-1)


def entropy(probability: Tensor) -> float:
    """In bits; NaN when there are no probabilities."""
    return float(-(probability * probability.clamp(min=1e-30).log2()).sum())


def by_size(logits: Tensor) -> list[int]:
    """The tokens, the likeliest first."""
    return logits.argsort(descending=True).tolist()


def token(i: int) -> str:
    """A token between quotation marks, its white space shown."""
    return f"“{visible(VOCAB[i])}”"


def said(read: str) -> str:
    """The end of what was read, its white space shown."""
    return f"“…{visible(read)}”"
