"""Lab 10: the next token's probabilities as bars, kept and removed, and how they are said."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from assets.shakespeare_llama import VOCAB
from plots.boxes import visible
from plots.measure import short
from plots.page import says
from plots.style import BLUE, INK, ORANGE, number

if TYPE_CHECKING:
    from matplotlib.axes import Axes

SHOWN = 20  # tokens with a bar, of 64
FAINTEST = 1e-4  # what was removed and had less gets no bar: it would be a line
REMOVED = {"fill": False, "edgecolor": ORANGE, "hatch": "////", "linewidth": 0.8}


def asked(model: nn.Module) -> Callable[[str], Tensor]:
    """What the model says after a text, asked once for each: read → (V,) float32."""
    return functools.cache(lambda read: next_logits(model, read))


def next_logits(model: nn.Module, read: str) -> Tensor:
    """What the model says after Romeo's line so far: (V,) float32."""
    ids = torch.tensor([[VOCAB.index(letter) for letter in f"ROMEO:\n{read}"]])
    with torch.no_grad():
        return model(ids)[0, -1].float()


def few(values: Sequence[Any], start: Any) -> list[Any]:
    """All values of a slider; the start and its neighbour in graded runs, which nobody looks at."""
    if not short():
        return list(values)
    place = values.index(start)
    return list(values[max(place - 1, 0) : max(place, 1) + 1])


def kept_and_removed(
    axes: Axes,
    logits: Tensor,
    result: Any,
    *,
    before: bool = False,
    order: list[int] | None = None,
) -> str:
    """Draw a filter's result over the logits (V,) that it was given, and say what stays.

    before: all bars have the height that they had before the filter.
    order: of the tokens; by default the likeliest first.
    """
    new = probabilities(result, logits)
    if new is None:
        return f"the result has the shape {tuple(result.shape)}, not (1, {len(logits)})."
    keep = new > 0
    bar_chart(axes, logits, logits.softmax(-1) if before else new, keep, order)
    return what_stays(logits, new)


def what_stays(logits: Tensor, new: Tensor) -> str:
    """How many tokens a filter's probabilities (V,) leave, and with how much of what was there."""
    keep = new > 0
    count, mass = int(keep.sum()), float(logits.softmax(-1)[keep].sum())
    if new.isnan().any():
        return "what is left cannot be drawn from: the probabilities are not numbers."
    stays = "token stays" if count == 1 else "tokens stay"
    return f"{count} {stays} of {len(logits)}, with {number(100 * mass, 1)} % of the probability."


def bar_chart(
    axes: Axes, logits: Tensor, new: Tensor, keep: Tensor, order: list[int] | None = None
) -> list[int]:
    """Solid bars of what stays, hatched ones of what it was before; the tokens in their order."""
    before, order = logits.softmax(-1), order or by_size(logits)
    for place, i in enumerate(order[:SHOWN]):
        was = f"{token(i)}: {number(before[i], 3)}"
        if keep[i]:
            (bar,) = axes.bar([place], [float(new[i])], 0.7, color=BLUE, alpha=0.6)
            bar.set_gid(f"kept-{place}")
            same = abs(float(new[i] - before[i])) < 5e-4
            says(bar, f"{was} stays" if same else f"{was} becomes {number(new[i], 3)}")
        elif float(before[i]) > FAINTEST:
            (bar,) = axes.bar([place], [float(before[i])], 0.7, **REMOVED)
            bar.set_gid(f"removed-{place}")
            says(bar, f"{was} is removed")
    token_axis(axes, order)
    root_axis(axes)
    return order


def token_axis(axes: Axes, order: list[int]) -> None:
    """The tokens under their bars."""
    axes.set_xticks(range(SHOWN), [visible(VOCAB[i]) for i in order[:SHOWN]])
    axes.tick_params(axis="x", length=0, labelsize=10, pad=2)
    axes.set_xlim(-0.7, SHOWN - 0.3)


def root_axis(axes: Axes) -> None:
    """Heights by square roots, which the axis says, so that small probabilities are seen."""
    axes.set_yscale("function", functions=(lambda y: abs(y) ** 0.5, lambda y: y**2))
    axes.set(ylim=(0, 1.05), ylabel="probability (root scale)")
    axes.set_yticks([0, 0.01, 0.05, 0.1, 0.25, 0.5, 1], ["0", ".01", ".05", ".1", ".25", ".5", "1"])
    axes.tick_params(axis="y", labelsize=10)


def running_sum(axes: Axes, logits: Tensor, new: Tensor) -> None:
    """Each token's probability on top of the likelier ones': a staircase; what stays is solid."""
    before, order = logits.softmax(-1), by_size(logits)
    below, heights = 0.0, [0.0]
    for place, i in enumerate(order[:SHOWN]):
        share = float(before[i])
        look = {"color": BLUE, "alpha": 0.6} if new[i] > 0 else REMOVED
        if share > FAINTEST:
            (bar,) = axes.bar([place], [share], 0.86, bottom=below, **look)
            bar.set_gid(f"sum-{'kept' if new[i] > 0 else 'removed'}-{place}")
            says(bar, f"up to {token(i)}: {number(below + share, 3)} together")
        below += share
        heights.append(below)
    edges = [place - 0.5 for place in range(len(heights))]
    axes.step(edges, heights, where="pre", color=INK, linewidth=1, linestyle="-", gid="sum")
    token_axis(axes, order)
    axes.set(ylim=(0, 1.05), ylabel="together, the likeliest first")
    axes.tick_params(axis="y", labelsize=10)


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
    return logits.argsort(descending=True, stable=True).tolist()


def token(i: int) -> str:
    """A token between quotation marks, its white space shown."""
    return f"“{visible(VOCAB[i])}”"


def said(read: str) -> str:
    """The end of what was read, its white space shown."""
    return f"“…{visible(read)}”"
