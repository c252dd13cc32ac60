"""Lab 04: who may look at whom, how weights arise, what heads find in a sentence, what leaks."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from plots.attention_sentence import sentence, your_sentence
from plots.cells import MASKED, NEW, REUSED, cells
from plots.flipbook import Flipbook, explore
from plots.measures.attention import leak_detector, timing
from plots.measures.attention_heads import entropy, slope
from plots.style import BLUE, GREEN, GREY, KEY, ORANGE, QUERY, arrow, number, numbers, plane

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = [
    "heads",
    "leak_detector",
    "lookup",
    "masks",
    "scale",
    "sentence",
    "softmax_direction",
    "timing",
    "your_sentence",
]

Weights = Callable[..., Tensor]
Mask = Callable[[int, int], Tensor]

MOVED = 1e-3  # a change that is seen


def masks(causal_mask: Mask, n_keys: int = 6) -> Flipbook:
    """Show the mask of the last queries of six positions, beside torch's is_causal=True."""

    def draw(fig: Figure, queries: int) -> str:
        yours = causal_mask(queries, n_keys)
        blank = torch.zeros(1, 1, queries, n_keys), torch.zeros(1, 1, n_keys, n_keys)
        identity = torch.eye(n_keys)[None, None]
        torchs = F.scaled_dot_product_attention(*blank, identity, is_causal=True)[0, 0] > 0
        said = []
        for place, (name, mask) in enumerate((("yours", yours), ("is_causal=True", torchs))):
            axes = fig.add_axes((0.1 + 0.47 * place, 0.05, 0.4, 0.75))
            seen = np.atleast_2d(numbers(mask)) != 0
            positions = [f"{n_keys - len(seen) + row}" for row in range(len(seen))]
            states = np.where(seen, NEW, MASKED)
            columns = range(seen.shape[1])
            cells(axes, seen, states, limit=2, rows=positions, columns=columns, gid=name)
            axes.xaxis.tick_top()
            axes.set(
                title=f"{name}\nkey at position", ylabel=None if place else "query at position"
            )
            counts = seen.sum(-1)
            said.append(f"{name}: " + ", ".join(f"{count}" for count in counts))
        who = "The last position asks" if queries == 1 else f"The last {queries} positions ask"
        return f"{who}, of {n_keys}. How many keys each sees: {'; '.join(said)}."

    return explore(draw, queries=range(1, n_keys + 1), start={"queries": 2}, play="queries")


def scale(attention_weights: Weights, n_keys: int = 12) -> Flipbook:
    """Show one query's weights for growing head size, with and without the division."""
    sizes = [2, 4, 8, 16, 32, 64, 128, 256, 512]

    @functools.cache
    def drawn(d: int) -> tuple[np.ndarray, np.ndarray, float]:
        """(64, S) weights with and without the scale, and the deviation of q·k."""
        generator = torch.Generator().manual_seed(3)
        q, k = (torch.randn(64, n, d, generator=generator) for n in (1, n_keys))
        yours = numbers(attention_weights(q, k)[:, 0])
        scores = (q @ k.mT)[:, 0]
        return yours, numbers(scores.softmax(-1)), float(scores.std())

    def draw(fig: Figure, d: int) -> str:
        yours, plain, deviation = drawn(d)
        left, right = fig.subplots(1, 2, width_ratios=(1.5, 1))
        fig.subplots_adjust(left=0.09, right=0.98, bottom=0.17, top=0.88, wspace=0.28)
        keys = np.arange(n_keys)
        left.bar(keys - 0.2, yours[0], 0.4, color=BLUE, label="yours", gid="yours")
        left.bar(keys + 0.2, plain[0], 0.4, fc="none", ec=ORANGE, hatch="///", label="softmax(q·k)")
        left.set(ylim=(0, 1.05), xticks=[], xlabel=f"{n_keys} keys", ylabel="weight")
        left.legend(loc="upper left", fontsize=10)
        for which, (color, line, name) in enumerate(
            ((BLUE, "-", "yours"), (ORANGE, "--", "softmax(q·k)"))
        ):
            mean = [entropy(drawn(size)[which]).mean() for size in sizes]
            right.semilogx(sizes, mean, line, color=color, base=2, gid=f"entropy {name}")
            right.plot([d], [mean[sizes.index(d)]], "o", color=color)
        right.axhline(math.log2(n_keys), color=GREY, linewidth=1, linestyle=":")
        right.set(xlabel="head size d", title="entropy in bits", ylim=(0, 3.9), xticks=sizes[::2])
        right.set_xticks(sizes[::2], [str(size) for size in sizes[::2]])
        right.minorticks_off()
        return (
            f"d = {d}: q·k has a standard deviation of {number(deviation, 1)}, and √d is "
            f"{number(math.sqrt(d), 1)}. Over 64 queries the largest of {n_keys} weights is "
            f"{number(yours.max(-1).mean())} in yours and {number(plain.max(-1).mean())} without "
            f"the division. w·(1 − w), what a score still moves, adds up to "
            f"{number(slope(yours))} over a row of yours and {number(slope(plain))} without it."
        )

    return explore(draw, d=sizes, start={"d": 128}, play="d", labels={"d": "head size d"})


def softmax_direction(attention_weights: Weights, causal_mask: Mask) -> Flipbook:
    """Change one token and show which rows move, with softmax over keys and over queries."""
    generator = torch.Generator().manual_seed(5)
    q, k = torch.randn(2, 5, 8, generator=generator) * 1.3
    other_q, other_k = torch.randn(2, 5, 8, generator=generator) * 1.3

    def wrong(q: Tensor, k: Tensor, mask: Tensor) -> Tensor:
        scores = (q @ k.mT / math.sqrt(q.shape[-1])).masked_fill(~mask, -torch.inf)
        return scores.softmax(-2)

    def draw(fig: Figure, token: int) -> str:
        mask = causal_mask(5, 5)
        changed_q, changed_k = q.clone(), k.clone()
        changed_q[token], changed_k[token] = other_q[token], other_k[token]
        said = []
        for place, (name, weigh) in enumerate(
            (("yours", attention_weights), ("softmax over queries", wrong))
        ):
            axes = fig.add_axes((0.05 + 0.49 * place, 0.03, 0.4, 0.75))
            before, after = numbers(weigh(q, k, mask)), numbers(weigh(changed_q, changed_k, mask))
            moved = abs(after - before) > MOVED
            states = np.where(numbers(mask) == 0, MASKED, np.where(moved, NEW, REUSED))
            states[(after > MOVED) & (states == MASKED)] = NEW
            rows = [str(row) for row in range(5)]
            cells(axes, after, states, limit=1, write=True, digits=2, rows=rows, gid=name)
            for row, total in enumerate(after.sum(-1)):
                axes.text(4.7, row, f"= {number(total)}", va="center", fontsize=10)
            axes.set(title=name, ylabel="query" if place == 0 else None)
            early = [row for row in range(token) if moved[row].any()]
            said.append(
                f"{name}: rows sum to {number(after.sum(-1).min())} … {number(after.sum(-1).max())}"
                f", and {len(early)} of the {token} earlier rows move"
            )
        return f"Token {token} was changed. {'; '.join(said)}. Outlined cells moved."

    return explore(draw, token=range(1, 5), start={"token": 4}, labels={"token": "changed token"})


LOOKUP = {"a": (0, 10), "b": (72, 20), "c": (144, 30), "d": (216, 40), "e": (288, 50)}


def lookup(attention: Weights) -> Flipbook:
    """Ask a small dictionary with a query that may point anywhere, and show what comes back."""
    angles = torch.tensor([math.radians(angle) for angle, _ in LOOKUP.values()])
    stored = torch.tensor([float(value) for _, value in LOOKUP.values()])
    k = F.pad(torch.stack([angles.cos(), angles.sin()], -1), (0, 3))  # (5, 5), in the plane
    values = F.pad(stored[:, None], (0, 4))

    def draw(fig: Figure, direction: int, length: float) -> str:
        turn = math.radians(direction)
        q = torch.tensor([[math.cos(turn), math.sin(turn), 0.0, 0.0, 0.0]]) * length
        weights = numbers(attention(q, k, torch.eye(5)))[0]
        answer = float(numbers(attention(q, k, values))[0, 0])
        left, right = fig.add_axes((0.01, 0.04, 0.38, 0.92)), fig.add_axes((0.5, 0.17, 0.48, 0.7))
        plane(left, 1.75)
        for name, tip in zip(LOOKUP, k[:, :2], strict=True):
            arrow(left, tip, KEY, name, linestyle="--")
        arrow(left, q[0, :2] * 1.4 / (length or 1), QUERY, "query" if length else "")
        right.bar(range(5), weights, color=GREEN, alpha=0.6, gid="weights")
        for place, weight in enumerate(weights):
            right.text(place, weight + 0.02, number(weight), ha="center", fontsize=10)
        names = [f"{name}: {value}" for name, (_, value) in LOOKUP.items()]
        right.set_xticks(range(5), names)
        right.set(ylim=(0, 1.1), ylabel="weight", title=f"answer {number(answer, 1)}")
        best = list(LOOKUP)[int(weights.argmax())]
        spread = "All keys weigh the same" if np.ptp(weights) < MOVED else f"Key {best} gets most"
        points = f"points to {direction}°" if length else "points nowhere"
        return (
            f"A query of length {length:g} {points}. {spread}, "
            f"{number(weights.max())}; the answer is {number(answer, 1)}."
        )

    return explore(
        draw,
        direction=range(0, 360, 24),
        length=[0.0, 3.0, 8.0, 30.0],
        start={"direction": 48, "length": 8.0},
        play="direction",
    )


def heads(split_heads: Callable[..., Tensor], merge_heads: Callable[..., Tensor]) -> Flipbook:
    """Show which numbers of (T, D) one head gets, and whether merging puts them back."""
    x = torch.arange(4.0)[:, None] + torch.arange(6.0) / 10  # 2.5 is position 2, feature 5

    def draw(fig: Figure, head: int) -> str:
        parts = split_heads(x[None], 3)
        back, mine = merge_heads(parts)[0], parts[0, head]
        taken = torch.isin(x, mine.contiguous())
        left, right = fig.add_axes((0.09, 0.02, 0.5, 0.8)), fig.add_axes((0.7, 0.02, 0.24, 0.8))
        states = np.where(numbers(taken) != 0, NEW, REUSED)
        rows = [f"token {t}" for t in range(4)]
        cells(left, x, states, limit=6, write=True, rows=rows, columns=range(6), gid="all")
        left.xaxis.tick_top()
        left.set_title("feature")
        cells(right, mine, limit=6, write=True, rows=range(len(mine)), gid="head")
        right.set_title(f"head {head}")
        tokens, features = (sorted(set(index.tolist())) for index in taken.nonzero().unbind(1))
        home = int((back == x).sum()) if back.shape == x.shape else 0
        return (
            f"Head {head} gets features {_listed(features)} of tokens {_listed(tokens)}. After "
            f"merge_heads {home} of the 24 numbers are where they were. (2.5: token 2, feature 5.)"
        )

    return explore(draw, head=range(3), start={"head": 1}, play="head")


def _listed(items: list[int]) -> str:
    return ", ".join(map(str, items)) or "none"
