"""Lab 05: how many scores a cache saves, and how much memory it takes."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from plots.flipbook import Flipbook, explore
from plots.style import BLUE, GREEN, GREY, INK, ORANGE, PINK, number

if TYPE_CHECKING:
    from matplotlib.figure import Figure

LENGTHS = (3, 8, 32, 128, 512, 1024, 4096, 8192)


def cost(count_scores: Callable[[int, int, bool], int]) -> Flipbook:
    """Draw the scores of a whole generation against its length, and what the last step saves."""

    @functools.cache
    def counts(n: int) -> tuple[int, int]:
        return count_scores(1, n, False), count_scores(1, n, True)

    def draw(fig: Figure, tokens: int) -> str:
        fig.subplots_adjust(left=0.11, right=0.97, bottom=0.2, top=0.88, wspace=0.28)
        left, right = fig.subplots(1, 2)
        lengths = [1, *LENGTHS]
        for cached, name, line in ((0, "without cache", "-"), (1, "with cache", "--")):
            color = BLUE if cached else PINK
            total = [counts(n)[cached] for n in lengths]
            left.loglog(lengths, total, line, color=color, label=name, gid=name.replace(" ", "-"))
            left.plot([tokens], [counts(tokens)[cached]], "o", color=color)
        left.set(xlabel="tokens", title="scores so far, one head")
        left.legend(loc="upper left")
        last = [counts(tokens)[i] - counts(tokens - 1)[i] for i in (0, 1)]
        saved = [_saving(counts, n) for n in LENGTHS]
        right.semilogx(LENGTHS, saved, "-", color=INK, gid="saving")
        right.plot([tokens], [_saving(counts, tokens)], "o", color=INK)
        right.set(xlabel="tokens", ylim=(0, 105), title="saved in the last step, %")
        for axes in (left, right):
            axes.set_xticks([3, 32, 512, 8192], ["3", "32", "512", "8192"])
            axes.minorticks_off()
        without, with_cache = counts(tokens)
        return (
            f"{tokens:,} tokens: {without:,} scores without a cache, {with_cache:,} with one, "
            f"{_times(without, with_cache)}. The last step alone: {last[0]:,} against {last[1]:,}, "
            f"a saving of {number(_saving(counts, tokens), 3 if tokens > 1000 else 1)} %."
        )

    return explore(draw, tokens=LENGTHS, play="tokens")


def _saving(counts: Callable[[int], tuple[int, int]], n: int) -> float:
    """What the cache saves in the step for token n, in percent."""
    without, cached = (counts(n)[i] - counts(n - 1)[i] for i in (0, 1))
    return 100 * (1 - cached / without) if without else 0.0


def _times(without: int, cached: int) -> str:
    ratio = without / cached if cached else float("inf")
    return f"{ratio:,.0f} times fewer" if ratio >= 10 else f"{number(ratio, 1)} times fewer"


@dataclass(frozen=True)
class Model:
    """What the size of a cache depends on, and how many positions the model was trained on."""

    n_layers: int
    n_kv_heads: int
    head_dim: int
    trained: int
    line: str
    color: str


MODELS = {
    "Llama 2 7B": Model(32, 32, 128, 4096, ":", GREEN),
    "Llama 3 70B": Model(80, 8, 128, 8192, "--", ORANGE),
    "Llama 3 8B": Model(32, 8, 128, 8192, "-", BLUE),
}
CONTEXTS = (1024, 4096, 8192, 32768, 131072)
WEIGHTS_8B = 2 * 8_030_261_248 / 2**30  # GiB in bfloat16


def memory(kv_cache_bytes: Callable[..., int]) -> Flipbook:
    """Draw the cache's size against context for three models, beside the weights of one of them."""

    def draw(fig: Figure, context: int, batch: int) -> str:
        axes = fig.add_axes((0.13, 0.2, 0.57, 0.74))
        said = []
        for name, m in MODELS.items():
            sizes = [
                kv_cache_bytes(m.n_layers, m.n_kv_heads, m.head_dim, n, batch=batch) / 2**30
                for n in CONTEXTS
            ]
            axes.loglog(CONTEXTS, sizes, m.line, color=m.color, label=name, gid=name)
            at = sizes[CONTEXTS.index(context)]
            axes.plot([context], [at], "o", color=m.color)
            said.append(f"{name} {_gib(at)}")
        axes.axhline(WEIGHTS_8B, color=GREY, linewidth=1.2, linestyle="-.", label="weights of 8B")
        axes.set(xlabel="positions", ylabel="GiB", ylim=(0.05, 20_000))
        axes.set_xticks(CONTEXTS, ["1k", "4k", "8k", "32k", "128k"])
        axes.minorticks_off()
        axes.legend(loc="center left", bbox_to_anchor=(1.0, 0.5), fontsize=10)
        sequences = "one sequence" if batch == 1 else f"{batch} sequences"
        beyond = [name for name, m in MODELS.items() if context > m.trained]
        verb = "was" if len(beyond) == 1 else "were"
        note = f" (Longer than {', '.join(beyond)} {verb} trained for.)" if beyond else ""
        return (
            f"{sequences.capitalize()} of {context:,} positions: {', '.join(said)}. The weights of "
            f"Llama 3 8B take {_gib(WEIGHTS_8B)}.{note}"
        )

    return explore(draw, context=CONTEXTS, batch=[1, 16, 64], start={"context": 8192, "batch": 16})


def _gib(size: float) -> str:
    return f"{size:,.0f} GiB" if size >= 100 else f"{size:.3g} GiB"
