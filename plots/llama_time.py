"""Lab 08: which part of a block's work and time is attention, over the length of the text."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from torch import nn

from plots import style
from plots.flipbook import Flipbook, explore
from plots.measures import llama as measure
from plots.page import says
from plots.style import GREEN, GREY, INK, ORANGE, PINK

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MODELS = {
    "3.2 1B": measure.REAL,
    "3 8B": {"dim": 4096, "n_heads": 32, "n_kv_heads": 8, "hidden_dim": 14_336},
    "3 70B": {"dim": 8192, "n_heads": 64, "n_kv_heads": 8, "hidden_dim": 28_672},
    "3.1 405B": {"dim": 16_384, "n_heads": 128, "n_kv_heads": 8, "hidden_dim": 53_248},
}
COUNTED = [2**power for power in range(7, 18)]  # tokens: 128 to 131,072
LOOKS = {
    "SwiGLU": (GREEN, "///"),
    "matrices of attention": (PINK, "\\\\\\"),
    "scores and mixtures": (ORANGE, ""),
}


def shares(Llama: Callable[[Any], nn.Module], LlamaConfig: Callable[..., Any]) -> Flipbook:
    """Draw the multiplications of a block, counted, beside the seconds of the learner's block."""
    measured = functools.cache(lambda: measure.clocked(Llama, LlamaConfig))

    def draw(fig: Figure, model: str) -> str:
        found = measured()
        if style.is_narrow(fig):
            left = fig.add_axes((0.15, 0.55, 0.76, 0.27))
            right = fig.add_axes((0.15, 0.09, 0.76, 0.29))
        else:
            left, right = (
                fig.add_axes((0.06, 0.14, 0.42, 0.67)),
                fig.add_axes((0.57, 0.14, 0.42, 0.67)),
            )
        _counted(left, model)
        _measured(right, found)
        fig.legend(*_legend(), loc="upper left", ncols=1 if style.is_narrow(fig) else 3)
        fig.legends[0].set(gid="legend")
        first, last = min(found), max(found)
        share = 100 * found[last]["attention"] / found[last]["all"]
        parts = measure.multiplications(MODELS[model], last)
        fair = 100 * (1 - parts["SwiGLU"] / sum(parts.values()))
        far = measure.multiplications(MODELS[model], COUNTED[-1])
        end = 100 * (1 - far["SwiGLU"] / sum(far.values()))
        longer = found[last]["all"] / found[first]["all"]
        return (
            f"Attention's share of a block's multiplications in Llama {model}: {fair:.0f} % at "
            f"{last:,} tokens, {end:.0f} % at {COUNTED[-1]:,}. Your block, as wide as one of Llama "
            f"3.2 1B, spends {share:.0f} % of its time on attention at {last:,} tokens; they take "
            f"{longer:.0f} times as long as {first:,}."
        )

    return explore(
        draw,
        model=list(MODELS),
        start={"model": "3 8B"},
        play="model",
        labels={"model": "Llama"},
        size=(9.8, 4.0),
        narrow=(3.4, 5.6),
    )


def _counted(axes: Axes, model: str) -> None:
    """The shares by counting, as areas; from tick to tick the text is eight times as long."""
    rows = [measure.multiplications(MODELS[model], length) for length in COUNTED]
    places = list(range(len(COUNTED)))
    below = [0.0] * len(COUNTED)
    for part, (color, hatch) in LOOKS.items():
        above = [
            low + 100 * row[part] / sum(row.values()) for low, row in zip(below, rows, strict=True)
        ]
        area = axes.fill_between(places, below, above, facecolor="none", edgecolor=color)
        area.set(hatch=hatch, linewidth=1, gid=f"counted-{part}")
        axes.fill_between(places, below, above, color=color, alpha=0.3, linewidth=0)
        for place, low, high in zip(places, below, above, strict=True):
            (dot,) = axes.plot([place], [high], "o", color=color, markersize=3, clip_on=False)
            says(dot, f"{COUNTED[place]:,} tokens: {part} {high - low:.0f} %")
        below = above
    ticks = [0, 3, 6, 10]
    axes.set_xticks(ticks, [f"{COUNTED[tick]:,}" for tick in ticks])
    axes.set(xlim=(0, len(COUNTED) - 1), ylim=(0, 100))
    axes.set_xlabel("tokens, doubling at each dot", fontsize=10)
    axes.set_title("% of the multiplications, counted", fontsize=11)
    axes.tick_params(labelsize=9.5)
    axes.axvline(COUNTED.index(1024), color=INK, linewidth=1, linestyle="--")


def _measured(axes: Axes, found: dict[int, dict[str, float]]) -> None:
    """The seconds of the learner's block, as bars of 100 %."""
    for place, (length, taken) in enumerate(found.items()):
        below, rest = 0.0, taken["all"] - taken["attention"] - taken["SwiGLU"]
        for part, seconds in (
            ("SwiGLU", taken["SwiGLU"]),
            ("attention", taken["attention"]),
            ("norms and sums", max(rest, 0.0)),
        ):
            color, hatch = {"SwiGLU": (GREEN, "///"), "attention": (PINK, "")}.get(part, (GREY, ""))
            height = 100 * seconds / taken["all"]
            axes.bar([place], [height], 0.7, below, color=color, alpha=0.3)
            (bar,) = axes.bar([place], [height], 0.7, below, color="none", edgecolor=color)
            bar.set(hatch=hatch, linewidth=1, gid=f"{part}-{length}")
            says(bar, f"{length:,} tokens: {part} {height:.0f} % of {taken['all']:.2f} s")
            if part == "attention" and height > 12:
                text = f"{height:.0f} %"
                axes.text(place, below + height / 2, text, ha="center", va="center", fontsize=9.5)
            below += height
    names = [f"{length:,}\n{taken['all']:.2f} s" for length, taken in found.items()]
    axes.set_xticks(range(len(found)), names)
    axes.set(ylim=(0, 100))
    axes.set_title("% of the time, your block", fontsize=11)
    axes.tick_params(axis="x", length=0, labelsize=9.5)
    axes.tick_params(axis="y", labelsize=9.5)


def _legend() -> tuple[list, list[str]]:
    from matplotlib.patches import Patch

    patches = [Patch(facecolor="none", edgecolor=color, hatch=h) for color, h in LOOKS.values()]
    return patches, ["SwiGLU", "attention: matrices", "attention: scores and mixtures"]
