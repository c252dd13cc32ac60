"""Lab 04: who may look at whom, how weights arise, how a query looks up, what heads get."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from plots.attention_flow import flow, two_heads
from plots.attention_sentence import sentence, your_sentence
from plots.cells import EMPTY, MASKED, NEW, REUSED, WASTED
from plots.flipbook import Flipbook, explore
from plots.matrix import matrix
from plots.measures.attention import leak_detector, timing
from plots.measures.attention_heads import entropy, slope
from plots.page import says
from plots.style import (
    BLUE,
    GREY,
    KEY,
    ORANGE,
    QUERY,
    VALUE,
    arrow,
    is_narrow,
    number,
    numbers,
    plane,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = [
    "flow",
    "heads",
    "leak_detector",
    "lookup",
    "masks",
    "scale",
    "sentence",
    "softmax_direction",
    "timing",
    "two_heads",
    "your_sentence",
]

Weights = Callable[..., Tensor]
Mask = Callable[[int, int], Tensor]

MOVED = 1e-3  # a change that is seen


def masks(causal_mask: Mask, n_keys: int = 6) -> Flipbook:
    """Show the mask of the last queries of six positions, beside torch's is_causal=True."""

    def draw(fig: Figure, queries: int) -> str:
        yours = np.atleast_2d(numbers(causal_mask(queries, n_keys))) != 0
        blank = torch.zeros(1, 1, queries, n_keys), torch.zeros(1, 1, n_keys, n_keys)
        identity = torch.eye(n_keys)[None, None]
        torchs = F.scaled_dot_product_attention(*blank, identity, is_causal=True)[0, 0] > 0
        said, narrow = [], is_narrow(fig)
        for place, (name, seen) in enumerate((("yours", yours), ("is_causal=True", torchs))):
            left = (0.13 if narrow else 0.09) + (0.46 if narrow else 0.48) * place
            low, high = (0.03, 0.72) if narrow else (0.02, 0.8)
            axes = fig.add_axes((left, low, 0.4, high))
            _draw_mask(axes, name, numbers(seen) != 0, n_keys)
            axes.set_title("yours" if place == 0 else "is_causal" if narrow else name)
            if place == 0:
                axes.set_ylabel("query at position")
            counts = (numbers(seen) != 0).sum(-1)
            said.append(f"{name}: " + ", ".join(f"{count}" for count in counts))
        fig.text(0.5, 0.995, "key at position", ha="center", va="top", fontsize=11)
        who = "The last position asks" if queries == 1 else f"The last {queries} positions ask"
        return (
            f"{who}, of {n_keys}. How many keys each sees: {'; '.join(said)}. Crosses are hidden; "
            "faint rows ask nothing now."
        )

    return explore(
        draw,
        queries=range(1, n_keys + 1),
        start={"queries": 2},
        play="queries",
        size=(8.4, 4.4),
        narrow=(3.5, 2.5),
    )


def _draw_mask(axes: Axes, name: str, seen: np.ndarray, n_keys: int) -> None:
    """A mask in the square of all positions: its rows are the last ones."""
    silent = max(n_keys - len(seen), 0)
    width = max(n_keys, seen.shape[1])
    states = np.full((silent + len(seen), width), EMPTY, dtype=object)
    states[silent:, : seen.shape[1]] = np.where(seen, NEW, MASKED)
    filled = (states == NEW).astype(float)

    def tell(row: int, column: int) -> str:
        what = {NEW: "is seen", MASKED: "is hidden", EMPTY: "is not asked for"}[states[row, column]]
        return f"query {row}, key {column} {what}"

    positions = range(len(states)), range(width)
    matrix(
        axes,
        filled,
        states,
        rows=positions[0],
        columns=positions[1],
        tell=tell,
        write=lambda _: "",
        gid=name,
    )


def scale(attention_weights: Weights, n_keys: int = 12) -> Flipbook:
    """Show one query's weights for growing head size, with and without the division."""
    sizes = [2, 4, 8, 16, 32, 64, 128, 256, 512]
    looks = {"yours": (BLUE, "-"), "without ÷ √d": (ORANGE, "--")}

    @functools.cache
    def drawn(d: int) -> tuple[np.ndarray, np.ndarray, float]:
        """(64, S) weights with and without the scale, and the deviation of q·k."""
        generator = torch.Generator().manual_seed(3)
        q, k = (torch.randn(64, n, d, generator=generator) for n in (1, n_keys))
        yours = numbers(attention_weights(q, k)[:, 0])
        scores = (q @ k.mT)[:, 0]
        return yours, numbers(scores.softmax(-1)), float(scores.std())

    def draw(fig: Figure, d: int) -> str:
        *both, deviation = drawn(d)
        yours, plain = both
        if is_narrow(fig):
            grid = fig.add_gridspec(4, 1, hspace=0.75, left=0.18, right=0.98, bottom=0.1, top=0.96)
            spots = [grid[0], grid[1], grid[2:]]
        else:
            grid = fig.add_gridspec(2, 2, hspace=0.5, wspace=0.2)
            fig.subplots_adjust(left=0.07, right=0.99, bottom=0.14, top=0.91)
            spots = [grid[0, 0], grid[1, 0], grid[:, 1]]
        right = fig.add_subplot(spots[2])
        for place, (name, (color, line)) in enumerate(looks.items()):
            left = fig.add_subplot(spots[place])
            look: dict[str, Any] = {"color": color, "alpha": 0.75} if place == 0 else {"fc": "none"}
            hatch = {} if place == 0 else {"ec": color, "hatch": "///"}
            bars = left.bar(range(n_keys), both[place][0], 0.8, gid=name, **look, **hatch)
            for key, (bar, weight) in enumerate(zip(bars, both[place][0], strict=True)):
                says(bar, f"key {key}: weight {number(weight, 3)}, {name}")
            left.set(ylim=(0, 1.02), xticks=[], ylabel="weight", yticks=[0, 0.5, 1])
            left.set_title(name, loc="left", fontsize=11, pad=3)
            mean = [entropy(drawn(size)[place]).mean() for size in sizes]
            right.semilogx(sizes, mean, line, color=color, base=2, gid=f"entropy {name}")
            (dot,) = right.plot([d], [mean[sizes.index(d)]], "o", color=color)
            says(dot, f"d = {d}: {number(mean[sizes.index(d)])} bits, {name}")
        left.set_xlabel(f"one query, {n_keys} keys")
        most = math.log2(n_keys)
        right.axhline(most, color=GREY, linewidth=1, linestyle=":")
        right.text(2, most + 0.08, f"all {n_keys} alike: {number(most, 1)} bits", fontsize=10)
        right.set(xlabel="head size d (doubling)", title="entropy, bits", ylim=(0, 4.1))
        right.set_xticks(sizes[::2], [str(size) for size in sizes[::2]])
        right.minorticks_off()
        return (
            f"d = {d}: q·k has a standard deviation of {number(deviation, 1)}, and √d is "
            f"{number(math.sqrt(d), 1)}. Over 64 queries the largest of {n_keys} weights is "
            f"{number(yours.max(-1).mean())} in yours and {number(plain.max(-1).mean())} without "
            f"the division. w·(1 − w), what a score still moves, adds up to "
            f"{number(slope(yours))} over a row of yours and {number(slope(plain))} without it."
        )

    return explore(
        draw,
        d=sizes,
        start={"d": 128},
        play="d",
        labels={"d": "head size d"},
        size=(9.4, 4.0),
        narrow=(3.5, 5.6),
    )


LEFT = ["the", "river", "left", "its", "bank"]


def softmax_direction(attention_weights: Weights, causal_mask: Mask) -> Flipbook:
    """Change one token and show which rows move, with softmax over keys and over queries."""
    generator = torch.Generator().manual_seed(5)
    q, k = torch.randn(2, 5, 8, generator=generator) * 1.3
    other_q, other_k = torch.randn(2, 5, 8, generator=generator) * 1.3

    def wrong(q: Tensor, k: Tensor, mask: Tensor) -> Tensor:
        scores = (q @ k.mT / math.sqrt(q.shape[-1])).masked_fill(~mask, -torch.inf)
        return scores.softmax(-2)

    def draw(fig: Figure, changed: str) -> str:
        token, mask = LEFT.index(changed), causal_mask(5, 5)
        changed_q, changed_k = q.clone(), k.clone()
        changed_q[token], changed_k[token] = other_q[token], other_k[token]
        said = []
        ways = (("yours", attention_weights), ("softmax over queries", wrong))
        for place, (name, weigh) in enumerate(ways):
            axes = fig.add_axes((0.075 + 0.5 * place, 0.02, 0.35, 0.78))
            before, after = numbers(weigh(q, k, mask)), numbers(weigh(changed_q, changed_k, mask))
            moved = abs(after - before) > MOVED
            states = np.where(numbers(mask) == 0, MASKED, np.where(moved, NEW, REUSED))
            states[(after > MOVED) & (states == MASKED)] = NEW

            def tell(row: int, column: int, old: Any = before, new: Any = after) -> str:
                now = number(new[row, column])
                change = f"{number(old[row, column])} before, {now} now"
                same = abs(new[row, column] - old[row, column]) <= MOVED
                return f"“{LEFT[row]}” → “{LEFT[column]}”: {now if same else change}"

            matrix(axes, after, states, rows=LEFT, columns=LEFT, tell=tell, gid=name)
            axes.get_yticklabels()[token].set_fontweight("bold")
            axes.get_xticklabels()[token].set_fontweight("bold")
            axes.text(5.0, -0.85, "sum", ha="center", va="bottom", fontsize=10)
            for row, total in enumerate(after.sum(-1)):
                early = row < token and moved[row].any()
                axes.text(5.0, row, number(total), ha="center", va="center", fontsize=10)
                axes.text(5.45, row, "◀" if early else "", va="center", fontsize=10)
            axes.set_title(name, loc="left")
            early = [row for row in range(token) if moved[row].any()]
            said.append(
                f"{name}: rows sum to {number(after.sum(-1).min())} … {number(after.sum(-1).max())}"
                f", and {len(early)} of the {token} earlier rows move"
            )
        said.append("outlined cells moved, and ◀ marks earlier rows that did")
        return f"“{changed}” was changed. {'; '.join(said)}."

    return explore(
        draw,
        changed=LEFT[1:],
        start={"changed": "bank"},
        labels={"changed": "changed word"},
        size=(7.2, 3.1),
    )


LOOKUP = {"a": (0, 10), "b": (72, 20), "c": (144, 30), "d": (216, 40), "e": (288, 50)}
KEY_LENGTH = 3.0
LENGTHS = [0.0, 1.0, 3.0, 8.0]  # of the query


def lookup(attention: Weights) -> Flipbook:
    """Ask a small dictionary with a query that may point anywhere, and show what comes back."""
    angles = torch.tensor([math.radians(angle) for angle, _ in LOOKUP.values()])
    stored = [float(value) for _, value in LOOKUP.values()]
    keys = KEY_LENGTH * torch.stack([angles.cos(), angles.sin()], -1)
    k = F.pad(keys, (0, 3))  # (5, 5), in the plane
    values = F.pad(torch.tensor(stored)[:, None], (0, 4))

    def draw(fig: Figure, direction: int, length: float) -> str:
        turn = math.radians(direction)
        q = torch.tensor([[math.cos(turn), math.sin(turn), 0.0, 0.0, 0.0]]) * length
        weights = numbers(attention(q, k, torch.eye(5)))[0]
        answer = float(numbers(attention(q, k, values))[0, 0])
        below = is_narrow(fig)
        left = fig.add_axes((0.12, 0.47, 0.76, 0.53) if below else (0.01, 0.02, 0.46, 0.96))
        right = fig.add_axes((0.18, 0.11, 0.8, 0.27) if below else (0.58, 0.17, 0.4, 0.62))
        plane(left, 8.9)
        scores = numbers(q @ k.mT)[0] / math.sqrt(5)
        for i, name in enumerate(LOOKUP):
            line = arrow(left, keys[i], KEY, linestyle="--", gid=f"key-{name}")
            _name(left, keys[i], name)
            says(line, f"key {name}: its score is {number(scores[i])}, its weight {weights[i]:.3f}")
        ask = arrow(left, q[0, :2], QUERY, gid="query")
        if length:
            _name(left, q[0, :2], "q")
        says(ask, f"the query: length {length:g}, {direction}°")
        shown = right.bar(stored, weights, 6, color=VALUE, alpha=0.6, gid="weights")
        for name, bar, weight in zip(LOOKUP, shown, weights, strict=True):
            says(bar, f"{name}: weight {weight:.3f} on the value {LOOKUP[name][1]}")
            text = f"{number(weight)}"
            right.text(bar.get_x() + 3, weight + 0.02, text, ha="center", va="bottom", fontsize=10)
        right.plot([answer], [0], "^", color=BLUE, markersize=13, clip_on=False, zorder=5)
        line = right.axvline(answer, color=BLUE, linestyle=":", linewidth=1.5, gid="answer")
        says(line, f"the answer, {number(answer, 1)}: where the bars would balance")
        spot = (min(max(answer, 14), 46), 1.2)
        right.text(*spot, f"answer {number(answer, 1)}", ha="center", weight="bold")
        names = [f"{name}\n{value}" for name, (_, value) in LOOKUP.items()]
        right.set_xticks(stored, names)
        right.set(ylim=(0, 1.08), xlim=(4, 56), ylabel="weight", yticks=[0, 0.5, 1])
        best = list(LOOKUP)[int(weights.argmax())]
        spread = "All keys weigh the same" if np.ptp(weights) < MOVED else f"Key {best} gets most"
        points = f"points to {direction}°" if length else "points nowhere"
        return (
            f"A query of length {length:g} {points}. {spread}, "
            f"{number(weights.max())}; the answer is {number(answer, 1)}, where the bars balance."
        )

    return explore(
        draw,
        length=LENGTHS,
        direction=range(9, 360, 45),
        start={"direction": 54, "length": 3.0},
        play="length",
        labels={"length": "length of the query"},
        size=(9.2, 4.2),
        narrow=(3.5, 5.0),
    )


def _name(axes: Axes, tip: Tensor, name: str) -> None:
    """The name of an arrow, beyond its tip."""
    x, y = (12 * part / float(tip.norm()) for part in tip.tolist())
    look = {"ha": "center", "va": "center", "fontweight": "bold"}
    axes.annotate(name, tip.tolist(), (x, y), textcoords="offset points", **look)


def heads(split_heads: Callable[..., Tensor], merge_heads: Callable[..., Tensor]) -> Flipbook:
    """Show which numbers of (T, D) one head gets, and whether merging puts them back."""
    x = torch.arange(4.0)[:, None] + torch.arange(6.0) / 10  # 2.5 is position 2, feature 5
    words = ["the", "river", "left", "its"]

    def draw(fig: Figure, head: int) -> str:
        parts = split_heads(x[None], 3)
        back, mine = merge_heads(parts)[0], parts[0, head]
        taken = numbers(torch.isin(x, mine.contiguous())) != 0
        merged = numbers(back) if back.shape == x.shape else np.full(x.shape, np.nan)
        home = merged == numbers(x)
        panels = (
            ("x", x, np.where(taken, NEW, REUSED), 6),
            (f"head {head}", mine, np.full(mine.shape, NEW), mine.shape[-1]),
            ("merged", merged, np.where(home, REUSED, WASTED), 6),
        )
        narrow = is_narrow(fig)
        for place, (name, shown, states, width) in enumerate(panels):
            axes = fig.add_axes(_panel(place, width, narrow))

            def tell(row: int, column: int, shown: Any = shown, name: str = name) -> str:
                at = float(np.nan_to_num(float(shown[row, column])))
                token, feature = divmod(round(10 * at), 10)
                what = f"token {token} (“{words[token]}”), feature {feature}" if token < 4 else "?"
                return f"{name}, row {row}, column {column}: {what}"

            matrix(
                axes,
                shown,
                states,
                rows=words if width == 6 and len(shown) == 4 else range(len(shown)),
                columns=range(shown.shape[-1]),
                tell=tell,
                write=lambda value: number(value, 1) if value == value else "",
                limit=6,
                gid=("all", "head", "merged")[place],
            )
            axes.set_title(name)
        where = np.argwhere(taken)
        tokens, features = (sorted(set(column.tolist())) for column in where.T)
        return (
            f"Head {head} gets features {_listed(features)} of tokens {_listed(tokens)}. After "
            f"merge_heads {int(home.sum())} of the 24 numbers are where they were; hatched ones "
            "are not. (2.5: token 2, feature 5.)"
        )

    return explore(
        draw, head=range(3), start={"head": 1}, play="head", size=(9.8, 2.9), narrow=(3.5, 5.2)
    )


def _panel(place: int, width: int, narrow: bool) -> tuple[float, float, float, float]:
    """Where x, a head, and what is merged again stand: in a row, or one under the other."""
    if narrow:
        return (0.16, (0.68, 0.35, 0.01)[place], 0.82, 0.235)
    return ((0.06, 0.44, 0.65)[place], 0.02, (0.33, 0.14, 0.33)[place], 0.76)


def _listed(items: list[int]) -> str:
    return ", ".join(map(str, items)) or "none"
