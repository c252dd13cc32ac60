"""Lab 14: target and draft on top of each other, and what verify makes of them."""

from __future__ import annotations

import functools
from collections.abc import Callable
from statistics import NormalDist
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from assets.shakespeare_llama import VOCAB
from plots.boxes import visible
from plots.flipbook import Flipbook, explore
from plots.measure import one_thread, short
from plots.page import says
from plots.style import BLUE, GREEN, GREY, INK, ORANGE, is_narrow, number

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from plots.measures.speculative_letters import Letters

Function = Callable[..., Any]

READ = "ROMEO:\nO, th"
SHOWN = 8  # letters with bars
ORDERS = (1, 2, 3, 4)  # letters that the draft reads
COLORS = {"accepted": BLUE, "corrected": ORANGE, "free": GREEN}  # how a token came
ROUNDS = (30, 150) if short() else (30, 300, 3000)
SEED = 0


def overlap(
    accept_probability: Function, residual_distribution: Function, model: nn.Module, counts: Letters
) -> Flipbook:
    """p and q side by side, what they share, what is thrown away, and what is missing."""
    p = target_of(model)

    def draw(fig: Figure, reads: int) -> str:
        q = draft_of(counts, reads)
        alpha = float(accept_probability(p, q))
        residual = residual_distribution(p, q)
        narrow = is_narrow(fig)
        left, width = (0.15, 0.83) if narrow else (0.08, 0.9)
        above = fig.add_axes((left, 0.53, width, 0.37))
        below = fig.add_axes((left, 0.09, width, 0.24))
        shown = letters_of(p, q)
        for place, i in enumerate(shown):
            _pair(above, place, float(p[i]), float(q[i]), _name(i))
            share = float(residual[i]) if residual.shape == p.shape else float("nan")
            (bar,) = below.bar([place - 0.2], [share if share == share else 0], 0.38, color=ORANGE)
            bar.set(gid=f"residual-{place}", alpha=0.8)
            says(bar, f"{_name(i)}: residual {number(share)}")
        _letters(above, shown)
        _letters(below, shown)
        above.set(ylim=(0, 0.75))
        below.set(ylim=(0, 1.02), yticks=[0, 0.5, 1])
        above.set_title("p left, q right; solid: accepted", fontsize=10, loc="left")
        below.set_title("residual: drawn after a rejection", fontsize=10, loc="left")
        gauge = fig.add_axes((left, 0.965, width, 0.03))
        gauge.barh([0], [1], color=GREY, alpha=0.3)
        gauge.barh([0], [max(0.0, min(alpha, 1.0))], color=BLUE, gid="alpha")
        gauge.set(xlim=(0, 1), xticks=[], yticks=[])
        gauge.spines[:].set_visible(False)
        total = float(residual.sum()) if residual.shape == p.shape else float("nan")
        return (
            f"The draft model reads {reads} letter{'s' * (reads > 1)}. {number(100 * alpha, 0)} % "
            "of its guesses are accepted (the bar on top): the solid part. Hatched grey sticks out "
            "of q and is thrown away; hatched orange sticks out of p, is missing, and is what the "
            f"residual below is made of (its sum: {number(total)})."
        )

    return explore(
        draw,
        reads=ORDERS,
        start={"reads": 1},
        play="reads",
        labels={"reads": "draft reads … letters"},
        size=(6.4, 3.9),
        narrow=(3.3, 3.9),
    )


def draws(verify: Function, model: nn.Module, counts: Letters) -> Flipbook:
    """How often each letter comes out of so many rounds with one draft, beside p."""
    p = target_of(model)
    rows = p.expand(2, -1).contiguous()

    @functools.cache
    def tally(rounds: int, reads: int) -> Tensor:
        q = draft_of(counts, reads)
        luck = torch.Generator().manual_seed(SEED)
        guesses = torch.multinomial(q, rounds, replacement=True, generator=luck)
        with one_thread():
            out = [int(verify(rows, q[None], one[None], luck)[0]) for one in guesses]
        return torch.bincount(torch.tensor(out).clamp(0, len(p) - 1), minlength=len(p))

    def draw(fig: Figure, rounds: int, reads: int) -> str:
        counted, q = tally(rounds, reads), draft_of(counts, reads)
        narrow = is_narrow(fig)
        axes = fig.add_axes((0.17, 0.1, 0.82, 0.86) if narrow else (0.08, 0.1, 0.91, 0.86))
        shown = letters_of(p, q)
        for place, i in enumerate(shown):
            wanted, share = float(p[i]), float(counted[i]) / rounds
            solid = axes.bar([place], [wanted], 0.8, color=BLUE, alpha=0.45)[0]
            says(solid, f"{_name(i)}: p {number(wanted)}, q {number(float(q[i]))}")
            luck = 2 * (wanted * (1 - wanted) / rounds) ** 0.5  # two standard errors
            ends = [max(wanted - luck, 0), wanted + luck]
            axes.plot([place, place], ends, color=ORANGE, linestyle="-", gid=f"luck-{place}")
            (bar,) = axes.bar([place], [share], 0.8, fill=False, edgecolor=INK, linewidth=1.4)
            bar.set_gid(f"drawn-{place}")
            axes.plot([place], [float(q[i])], "_", color=GREY, markersize=14, gid=f"q-{place}")
        _letters(axes, shown)
        axes.set(ylim=(0, 0.75))
        off = [
            abs(float(counted[i]) / rounds - float(p[i]))
            / max((float(p[i]) * (1 - float(p[i])) / rounds) ** 0.5, 1e-9)
            for i in shown
        ]
        far = max(range(len(shown)), key=lambda i: off[i])
        return (
            f"{rounds:,} rounds. Solid: p; outlined: what came out; grey strokes: q, from which "
            f"the drafts were drawn. Furthest from p is {_name(shown[far])}, by "
            f"{number(off[far], 1)} standard errors; luck alone keeps the furthest of {len(shown)} "
            f"within {number(within(len(shown)), 1)} in 95 of 100 cases."
        )

    return explore(
        draw,
        rounds=ROUNDS,
        reads=(1, 4),
        start={"rounds": ROUNDS[1], "reads": 1},
        play="rounds",
        labels={"reads": "draft reads … letters"},
        size=(6.4, 3.0),
        narrow=(3.3, 3.0),
    )


def target_of(model: nn.Module) -> Tensor:
    """The small Llama's probabilities after READ: (V,)."""
    ids = torch.tensor([[VOCAB.index(letter) for letter in READ]])
    with torch.no_grad():
        return model(ids)[0, -1].float().softmax(-1)


def draft_of(counts: Letters, reads: int) -> Tensor:
    """What follows the last letters of READ, by counts: (V,)."""
    return counts.with_(order=reads).shares([VOCAB.index(letter) for letter in READ])


def letters_of(p: Tensor, q: Tensor) -> list[int]:
    """The letters that matter most in one of the two, by p."""
    most = torch.maximum(p, q).topk(SHOWN).indices
    return sorted(most.tolist(), key=lambda i: -float(p[i]))


def within(bars: int) -> float:
    """Standard errors within which the furthest of so many bars stays in 95 of 100 cases."""
    return NormalDist().inv_cdf((1 + 0.95 ** (1 / bars)) / 2)


def _name(token: int) -> str:
    return visible(VOCAB[token])


def _pair(axes: Axes, place: int, p: float, q: float, name: str) -> None:
    """Two bars: what both have is solid, the rest of each is hatched."""
    shared = min(p, q)
    for x, size, color in ((place - 0.2, p, ORANGE), (place + 0.2, q, GREY)):
        (solid,) = axes.bar([x], [shared], 0.38, color=BLUE, alpha=0.75)
        says(solid, f"{name}: both have {number(shared)}")
        if size > shared:
            look = {"fill": False, "edgecolor": color, "hatch": "////", "linewidth": 1.0}
            (rest,) = axes.bar([x], [size - shared], 0.38, bottom=shared, **look)
            rest.set_gid(f"{'missing' if color == ORANGE else 'thrown-away'}-{place}")
            what = "missing" if color == ORANGE else "thrown away"
            says(rest, f"{name}: {number(size - shared)} {what}")


def _letters(axes: Axes, shown: list[int]) -> None:
    axes.set_xticks(range(len(shown)), [_name(i) for i in shown], family="monospace", fontsize=10)
    axes.set(xlim=(-0.6, len(shown) - 0.4))
    axes.tick_params(axis="x", length=0)
