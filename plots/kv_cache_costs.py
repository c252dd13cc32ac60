"""Lab 05: how many scores a cache saves, and how much memory it takes."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from plots.flipbook import Flipbook, explore
from plots.page import says
from plots.style import BLUE, FAINT, GREY, INK, PINK, is_narrow, number

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Counts = Callable[[int], tuple[int, int]]  # tokens → scores without a cache, and with one

LENGTHS = (3, 8, 32, 128, 512, 1024, 4096, 8192)
WAYS = (("without a cache", PINK, "-"), ("with a cache", BLUE, "--"))
POINTS = 16  # of a curve
DRAWN = 32  # rows of a square that are drawn one by one
THINNEST = 0.004  # of the square: a thinner row is drawn as a line, and says so


def cost(count_scores: Callable[[int, int, bool], int]) -> Flipbook:
    """Draw the last step's scores to scale, and those of the whole text on two axes."""

    @functools.cache
    def counts(n: int) -> tuple[int, int]:
        return count_scores(1, n, False), count_scores(1, n, True)

    def draw(fig: Figure, tokens: int) -> str:
        narrow = is_narrow(fig)
        if narrow:
            places = (0.03, 0.69, 0.44, 0.26), (0.17, 0.42, 0.79, 0.18), (0.17, 0.09, 0.79, 0.2)
        else:
            places = (0.01, 0.14, 0.27, 0.7), (0.37, 0.16, 0.26, 0.68), (0.72, 0.16, 0.26, 0.68)
        square, linear, log = (fig.add_axes(place) for place in places)
        last = [counts(tokens)[i] - counts(tokens - 1)[i] for i in (0, 1)]
        _square(square, tokens, last, narrow)
        at = sorted({max(1, round(tokens * i / POINTS)) for i in range(1, POINTS + 1)})
        _totals(linear, counts, at, tokens)
        linear.set(
            title="all steps, linear",
            xlabel=None if narrow else "tokens",
            xlim=(0, 1.04 * tokens),
            ylim=(0, None),
        )
        linear.set_xticks([0, tokens], ["0", f"{tokens:,}"])
        most = counts(tokens)[0]
        linear.set_yticks([0, most], ["0", _short(most)])
        _totals(log, counts, [1, *LENGTHS], tokens)
        log.loglog()
        log.set(title="all steps, logarithmic")
        log.set_xticks([2, 32, 512, 8192], ["2", "32", "512", "8192"])
        log.set_yticks([1, 1e3, 1e6, 1e9, 1e12], ["1", "1k", "1M", "1G", "1T"])
        log.set_xlabel("tokens, each tick × 16")
        log.minorticks_off()
        without, with_cache = counts(tokens)
        return (
            f"{tokens:,} tokens: {without:,} scores without a cache, {with_cache:,} with one, "
            f"{_times(without, with_cache)}. The last step alone: {last[0]:,} against {last[1]:,}, "
            f"a saving of {number(_saving(last), 3 if tokens > 1000 else 1)} %."
        )

    return explore(draw, tokens=LENGTHS, play="tokens", size=(10.2, 3.7), narrow=(3.5, 5.8))


def _square(axes: Axes, tokens: int, last: list[int], narrow: bool) -> None:
    """All scores of the last step as a square, and those that a cache leaves, to scale."""
    from matplotlib.colors import to_rgba
    from matplotlib.patches import Rectangle

    share = last[1] / last[0] if last[0] else 1.0
    whole = Rectangle((0, 0), 1, 1, fc=to_rgba(PINK, FAINT), ec=PINK, lw=1.5, gid="all")
    what = f"without a cache: {last[0]:,} scores in the step of token {tokens:,}"
    says(axes.add_artist(whole), what)
    for i in range(1, tokens if tokens <= DRAWN else 1):
        axes.plot([0, 1], [i / tokens] * 2, "-", color=PINK, linewidth=0.8)
    new = Rectangle((0, 0), 1, max(share, THINNEST), color=BLUE, gid="new")
    says(axes.add_artist(new), f"with a cache: {last[1]:,} scores, {share:.4g} of the square")
    axes.set(xlim=(-0.02, 1.02), ylim=(-0.02, 1.02), aspect="equal")
    axes.set_title("the last step alone", loc="left")
    thin = " (drawn thicker)" if share < THINNEST else ""
    text = f"{last[0]:,} scores,\nblue: {last[1]:,}{thin}"
    spot, look = ((1.08, 0.9), {"ha": "left"}) if narrow else ((0.5, -0.05), {"ha": "center"})
    if narrow:
        text = text.replace(" (", "\n(")
    axes.text(*spot, text, va="top", fontsize=10, gid="last", **look)
    axes.axis("off")


def _totals(axes: Axes, counts: Counts, at: list[int], tokens: int) -> None:
    """The scores of all steps, both ways, at the lengths `at`; dots at this page's length."""
    for way, (name, color, line) in enumerate(WAYS):
        total = [counts(n)[way] for n in at]
        gid = name.replace(" a ", "-")
        axes.plot(at, total, line, color=color, label=name, gid=gid)
        (dot,) = axes.plot([tokens], [counts(tokens)[way]], "o", color=color, clip_on=False)
        says(dot, f"{tokens:,} tokens {name}: {counts(tokens)[way]:,} scores")
    axes.legend(loc="upper left", fontsize=9.5, handlelength=1.6, borderaxespad=0.1)


def _saving(last: list[int]) -> float:
    """What the cache saves in a step, in percent."""
    return 100 * (1 - last[1] / last[0]) if last[0] else 0.0


def _short(count: int) -> str:
    """A count in a few letters.

    >>> _short(14), _short(4096), _short(183_000_000_000)
    ('14', '4.1k', '183G')
    """
    for size, letter in ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k")):
        if abs(count) >= size:
            return f"{count / size:.3g}{letter}" if count >= 1e5 else f"{count / size:.2g}{letter}"
    return str(count)


def _times(without: int, cached: int) -> str:
    ratio = without / cached if cached else float("inf")
    return f"{ratio:,.0f} times fewer" if ratio >= 10 else f"{number(ratio, 1)} times fewer"


@dataclass(frozen=True)
class Model:
    """What the size of a cache depends on, how many weights, and the context it was trained on."""

    n_layers: int
    n_kv_heads: int
    head_dim: int
    trained: int
    weights: int

    @property
    def gib(self) -> float:
        """The weights in bfloat16."""
        return 2 * self.weights / 2**30


MODELS = {
    "Llama 2 7B": Model(32, 32, 128, 4096, 6_738_415_616),
    "Llama 3 8B": Model(32, 8, 128, 8192, 8_030_261_248),
}
CARD = 80.0  # GiB: what an A100 or H100 of "80 GB" holds, to half a percent
CONTEXTS = (1024, 4096, 8192, 32768, 131072)
TALKS = (1, 4, 15, 32, 66)
NARROWEST = 0.3  # GiB: narrower blocks are drawn as one; on a narrow screen three times that
OVER = 9.0  # GiB beyond the card's edge, where what does not fit is drawn


def memory(kv_cache_bytes: Callable[..., int]) -> Flipbook:
    """Draw a card of 80 GB as a bar for each of two models: weights, then conversations."""

    def draw(fig: Figure, context: int, conversations: int) -> str:
        narrow, said = is_narrow(fig), []
        axes = fig.add_axes((0.02, 0.15, 0.95, 0.74) if narrow else (0.01, 0.17, 0.98, 0.75))
        for row, (name, model) in enumerate(MODELS.items()):
            shape = model.n_layers, model.n_kv_heads, model.head_dim
            one = kv_cache_bytes(*shape, context) / 2**30
            total = kv_cache_bytes(*shape, context, batch=conversations) / 2**30
            room = int((CARD - model.gib) // one) if one > 0 else conversations
            fit = min(conversations, room)
            least = NARROWEST * (3 if narrow else 1)
            _bar(axes, row, name, model, total / conversations, fit, conversations, least)
            if not narrow:
                axes.text(model.gib / 2, row, "weights", ha="center", va="center", fontsize=10)
            heading = f"{name}: {conversations} × {_gib(one)} = {_gib(total)}"
            heading += "" if narrow else " of cache"
            axes.text(0, row - 0.42, heading, fontsize=10, weight="bold", va="bottom")
            verdict = f"room for {room}" if fit == conversations else f"only {fit} fit"
            said.append(f"{name} {_gib(total)} ({verdict})")
        axes.set(xlim=(-0.5, CARD + OVER), ylim=(1.45, -0.75))
        axes.set_xticks([0, 20, 40, 60, 80], ["0", "20", "40", "60", "80 GiB"])
        axes.set_yticks([])
        axes.spines["left"].set_visible(False)
        texts = "One conversation" if conversations == 1 else f"{conversations} conversations"
        beyond = [name for name, m in MODELS.items() if context > m.trained]
        verb = "was" if len(beyond) == 1 else "were"
        note = f" (Longer than {', '.join(beyond)} {verb} trained for.)" if beyond else ""
        return (
            f"{texts} of {context:,} tokens: {', '.join(said)}. Grey: the weights, "
            f"{_gib(MODELS['Llama 3 8B'].gib)} in Llama 3 8B.{note}"
        )

    return explore(
        draw,
        context=CONTEXTS,
        conversations=TALKS,
        start={"context": 8192, "conversations": 15},
        play="conversations",
        labels={"context": "tokens in each"},
        size=(10.0, 3.3),
        narrow=(3.5, 3.3),
    )


def _bar(
    axes: Axes, row: int, name: str, model: Model, each: float, fit: int, asked: int, least: float
) -> None:
    """One card: the weights, the caches that fit, and beyond its edge the first that does not."""
    from matplotlib.colors import to_rgba
    from matplotlib.patches import Rectangle

    def block(left: float, width: float, what: str, gid: str, **look: Any) -> None:
        box = Rectangle((left, row - 0.36), width, 0.72, gid=f"{gid}-{name}", **look)
        says(axes.add_artist(box), what)

    block(0, CARD, "a card of 80 GB: what is empty is free", "card", fc="none", ec=INK, lw=2)
    weights = f"{name}: {model.weights:,} weights, {_gib(model.gib)}"
    block(0, model.gib, weights, "weights", fc=to_rgba(GREY, 0.45), ec=GREY)
    blue = {"fc": to_rgba(BLUE, 0.45), "ec": BLUE}
    if each >= least:
        for i in range(fit):
            block(model.gib + i * each, each, f"conversation {i + 1}: {_gib(each)}", "talk", **blue)
    elif fit:
        what = f"{fit} conversations of {_gib(each)} each"
        block(model.gib, fit * each, what, "talk", **blue)
    if fit < asked:
        left = model.gib + fit * each
        width = min(each, CARD + OVER - 0.5 - left)
        what = f"conversation {fit + 1} does not fit"
        block(left, width, what, "over", fc="none", ec=PINK, hatch="///")


def _gib(size: float) -> str:
    return f"{size:,.0f} GiB" if size >= 100 else f"{size:.3g} GiB"
