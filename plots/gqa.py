"""Lab 06: who reads whom, what the cache then costs, what pooling loses, what the memory allows.

Head indices are pushed through the learner's functions: the lines of a fan are what came out.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import torch
from torch import Tensor
from torch.nn import functional as F

from plots.flipbook import Flipbook, explore
from plots.measures.gqa import bandwidth, decode_step, intensity
from plots.page import says
from plots.style import GREEN, GREY, INK, KEY, ORANGE, QUERY, VALUE, is_narrow, number

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = [
    "bandwidth",
    "decode_step",
    "fan",
    "intensity",
    "memory",
    "moves",
    "pooled",
]

Function = Callable[..., Tensor]

HEADS = 8  # query heads of the small pictures
SEQ_LEN = 8192  # Llama 3's own context, in tokens
HEAD_DIM = 128
LLAMA = {
    "Llama 3 8B": (32, 32),
    "Llama 3 70B": (64, 80),
}  # query heads, layers; both have 8 kv heads
NAMES = {HEADS: "multi-head attention", 1: "multi-query attention"}
MOVED = 1e-4  # smaller changes are rounding


def fan(repeat_kv: Function) -> Flipbook:
    """Push the numbers of the kv heads through `repeat_kv`; draw which query head gets which."""

    def draw(fig: Figure, kv_heads: int) -> str:
        reads = _heads_read(repeat_kv, HEADS, kv_heads)
        narrow = is_narrow(fig)
        axes = fig.add_axes((0.01, 0.02, 0.98, 0.86) if narrow else (0.12, 0.02, 0.87, 0.96))
        lines = list(enumerate(reads[:HEADS]))
        _fan(axes, HEADS, kv_heads, lines, gid="fan")
        asks = [f"query head {h} reads kv head {read}" for h, read in lines]
        readers = [[h for h, read in lines if read == j] for j in range(kv_heads)]
        told = [f"kv head {j} is read by {_listed(hs, 'q')}" for j, hs in enumerate(readers)]
        _boxes(axes, HEADS, 1.0, "q", QUERY, tell=asks)
        _boxes(axes, kv_heads, 0.0, "k", KEY, HEADS, tell=told)
        _boxes(axes, kv_heads, -0.17, "v", VALUE, HEADS, tell=told)
        if narrow:
            fig.text(0.5, 0.99, "query heads q, key/value heads k, v", ha="center", va="top")
        else:
            axes.text(-0.75, 1.0, "query\nheads", ha="right", va="center")
            axes.text(-0.75, -0.085, "key/value\nheads", ha="right", va="center")
        axes.set(xlim=(-0.7, HEADS - 0.3), ylim=(-0.32, 1.15))
        axes.axis("off")
        name = NAMES.get(kv_heads, f"groups of {HEADS // kv_heads}")
        return f"{HEADS} query heads, {_kv(kv_heads)}: {name}. {_reading(reads, kv_heads)}"

    return explore(
        draw,
        kv_heads=[8, 4, 2, 1],
        start={"kv_heads": 4},
        play="kv_heads",
        labels={"kv_heads": "kv heads"},
        size=(8.4, 3.2),
        narrow=(3.5, 2.7),
    )


def memory(repeat_kv: Function, kv_cache_bytes: Callable[..., int]) -> Flipbook:
    """The same fan at Llama 3's sizes, and beside it the cache of one text of 8,192 tokens."""

    def draw(fig: Figure, model: str, kv_heads: int) -> str:
        heads, layers = LLAMA[model]
        reads = _heads_read(repeat_kv, heads, kv_heads)
        places = (0.01, 0.03, 0.47, 0.85), (0.6, 0.18, 0.33, 0.7)
        if is_narrow(fig):
            places = (0.02, 0.61, 0.96, 0.33), (0.25, 0.11, 0.66, 0.41)
        left, right = (fig.add_axes(place) for place in places)
        _fan(left, heads, kv_heads, list(enumerate(reads[:heads])), gid="fan", linewidth=0.9)
        left.plot(range(heads), [1] * heads, "s", color=QUERY, markersize=3)
        spots = [_place(j, kv_heads, heads) for j in range(kv_heads)]
        for j, spot in enumerate(spots):
            (square,) = left.plot([spot], [0], "s", color=KEY, markersize=5)
            readers = [h for h, read in enumerate(reads[:heads]) if read == j]
            says(square, f"kv head {j} is read by {_listed(readers, 'q')}")
        left.set(
            xlim=(-1, heads), ylim=(-0.08, 1.08), title=f"{heads} query heads, {_kv(kv_heads)}"
        )
        left.axis("off")

        choices = [heads >> i for i in range(heads.bit_length())]  # MHA … MQA
        sizes = [kv_cache_bytes(layers, k, HEAD_DIM, SEQ_LEN) / 2**30 for k in choices]
        for place, (choice, size) in enumerate(zip(choices, sizes, strict=True)):
            (bar,) = right.barh([place], [size], 0.7, color=ORANGE, edgecolor=ORANGE)
            bar.set(alpha=0.75 if choice == kv_heads else 0.2, gid=f"cache-{choice}")
            says(bar, f"{_kv(choice)}: {size:.3g} GiB for 8,192 tokens")
            bold = "bold" if choice == kv_heads else "normal"
            beside = size + 0.02 * sizes[0]
            right.text(beside, place, f"{size:.3g}", va="center", fontsize=10, fontweight=bold)
        right.set_yticks(range(len(choices)), [_label(choice, heads) for choice in choices])
        right.invert_yaxis()
        right.set(xlabel="GiB of cache for 8,192 tokens", title=model, xlim=(0, 1.15 * sizes[0]))
        here = kv_cache_bytes(layers, kv_heads, HEAD_DIM, 1) / 1024
        full = kv_cache_bytes(layers, heads, HEAD_DIM, 1) / 1024
        said = f"{model} with {_kv(kv_heads)} keeps {here:,.0f} KiB for each token"
        if kv_heads != heads:
            said += f"; with one for each of its {heads} query heads it would be {full:,.0f} KiB"
        own = " This is how it was built." if kv_heads == 8 else ""
        return f"{said}.{own} {_crossed(reads)}"

    return explore(
        draw,
        model=list(LLAMA),
        kv_heads=[32, 16, 8, 4, 2, 1],
        start={"kv_heads": 8},
        labels={"kv_heads": "kv heads"},
        size=(8.4, 3.8),
        narrow=(3.5, 4.8),
    )


def moves(grouped_query_attention: Function) -> Flipbook:
    """Change one query head or kv head at a time, and draw which outputs move."""
    generator = torch.Generator().manual_seed(0)
    queries, keys, values = torch.randn(3, 1, HEADS, 3, 4, generator=generator)

    def draw(fig: Figure, kv_heads: int) -> str:
        k, v = keys[:, :kv_heads], values[:, :kv_heads]
        before = grouped_query_attention(queries, k, v)

        def moved(q: Tensor, k: Tensor, v: Tensor) -> list[int]:
            change = (grouped_query_attention(q, k, v) - before).abs().amax((0, 2, 3))
            return [head for head, size in enumerate(change.tolist()) if size > MOVED]

        by_query = [moved(_bumped(queries, head), k, v) for head in range(HEADS)]
        by_kv = [moved(queries, k, _bumped(v, head)) for head in range(kv_heads)]
        panels = (("queries", by_query, QUERY, "q"), ("key/value heads", by_kv, VALUE, "kv"))
        fig.subplots_adjust(left=0.03, right=0.99, top=0.87, bottom=0.02, wspace=0.1)
        for place, (name, outputs, color, letter) in enumerate(panels):
            axes = fig.add_subplot(1, 2, place + 1)
            lines = [(out, source) for source, outs in enumerate(outputs) for out in outs]
            _fan(axes, HEADS, len(outputs), lines, gid=letter, color=color)
            said = [f"{letter}{i} moves {_listed(outs)}" for i, outs in enumerate(outputs)]
            _boxes(axes, HEADS, 1.0, "o", INK)
            _boxes(axes, len(outputs), 0.0, letter, color, HEADS, tell=said)
            axes.set(xlim=(-0.6, HEADS - 0.4), ylim=(-0.15, 1.15), title=f"{name} → outputs")
            axes.axis("off")
        own = all(outs == [head] for head, outs in enumerate(by_query))
        asks = "Each query moves its own output only." if own else "Queries move others' outputs."
        return (
            f"Output heads o0 to o{HEADS - 1}, {_kv(kv_heads)}. {asks} kv head 0 moves "
            f"{_listed(by_kv[0])}."
        )

    return explore(
        draw,
        kv_heads=[8, 4, 2, 1],
        start={"kv_heads": 2},
        play="kv_heads",
        labels={"kv_heads": "kv heads"},
        size=(7.2, 2.8),
    )


def pooled(mean_pool_heads: Function, heads: int = 16, head_dim: int = 8) -> Flipbook:
    """How far a layer with pooled heads is from the one it was made of, as kv heads get fewer."""
    dim, counts = 64, [heads >> i for i in range(heads.bit_length())]
    ways = {
        "their mean (yours)": (GREEN, "o-", mean_pool_heads),
        "the first of them": (ORANGE, "s--", _first_heads),
        "new random ones": (GREY, "x:", _random_heads),
    }

    def errors(pool: Function, alike: float) -> list[float]:
        generator = torch.Generator().manual_seed(1)
        x = torch.randn(1, 32, dim, generator=generator)
        drawn = torch.randn(3, heads + 1, head_dim, dim, generator=generator) / dim**0.5
        common, own = drawn[:, :1], drawn[:, 1:]
        wq, wk, wv = (alike**0.5 * common + (1 - alike) ** 0.5 * own).flatten(1, 2)
        wq = 2 * wq  # queries that have made up their minds

        def attend(k: Tensor, v: Tensor, count: int) -> Tensor:
            q, k, v = (_split(x @ w.T, n) for w, n in ((wq, heads), (k, count), (v, count)))
            k, v = (y.repeat_interleave(heads // count, 1) for y in (k, v))
            return F.scaled_dot_product_attention(q, k, v, is_causal=True)

        full = attend(wk, wv, heads)
        found = [attend(pool(wk, heads, count), pool(wv, heads, count), count) for count in counts]
        return [float((out - full).norm() / full.norm()) for out in found]

    def draw(fig: Figure, alike: int) -> str:
        narrow, at = is_narrow(fig), {}
        axes = fig.add_axes((0.19, 0.13, 0.77, 0.55) if narrow else (0.08, 0.15, 0.64, 0.81))
        for name, (color, look, pool) in ways.items():
            at[name] = errors(pool, alike / 100)
            axes.plot(range(len(counts)), at[name], look, color=color, label=name, gid=name)
            for place, size in enumerate(at[name]):
                (mark,) = axes.plot([place], [size], look[0], color=color, clip_on=False)
                says(mark, f"{heads} heads to {counts[place]}, {name}: {number(size)}")
        axes.set_xticks(range(len(counts)), counts)
        axes.set(xlabel=f"kv heads left of {heads}", ylabel="change of the output", ylim=(0, 1.8))
        axes.grid(axis="y")
        corner = {"loc": "lower left", "bbox_to_anchor": (-0.05, 1.0)}
        if not narrow:
            corner = {"loc": "upper left", "bbox_to_anchor": (1.0, 1.0)}
        axes.legend(title="a group becomes", alignment="left", **corner)
        mean, first, new = (errors[2] for errors in at.values())
        return (
            f"Heads that are {alike} % alike. {heads} kv heads become {counts[2]}: the output "
            f"changes by {number(mean)} of its size with the mean of each group, by "
            f"{number(first)} with its first head, by {number(new)} with new heads."
        )

    return explore(
        draw,
        alike=[0, 25, 50, 75, 90, 100],
        start={"alike": 50},
        size=(9.0, 3.9),
        narrow=(3.5, 4.3),
    )


def _kv(count: int) -> str:
    return "1 kv head" if count == 1 else f"{count} kv heads"


def _heads_read(repeat_kv: Function, heads: int, kv_heads: int) -> list[int]:
    """Which kv head stands at each place after `repeat_kv`: its own answer, head by head."""
    numbers = torch.arange(float(kv_heads)).reshape(1, -1, 1, 1).expand(1, kv_heads, 3, 2)
    return [round(value) for value in repeat_kv(numbers, heads // kv_heads)[0, :, 0, 0].tolist()]


def _place(head: int, count: int, width: int) -> float:
    """Where head `head` of `count` stands under `width` others."""
    return (head + 0.5) * width / count - 0.5


def _fan(
    axes: Axes,
    top: int,
    bottom: int,
    lines: list[tuple[int, int]],
    *,
    gid: str,
    color: str = INK,
    linewidth: float = 1.6,
) -> None:
    """One line for each (head above, head below)."""
    from matplotlib.collections import LineCollection

    spans = [[(above, 0.93), (_place(below, bottom, top), 0.07)] for above, below in lines]
    axes.add_collection(LineCollection(spans, colors=color, linewidths=linewidth, gid=gid))


def _boxes(
    axes: Axes,
    count: int,
    y: float,
    letter: str,
    color: str,
    width: int | None = None,
    tell: list[str] | None = None,
) -> None:
    """A row of named boxes at height `y`, and what each of them says."""
    narrow = is_narrow(axes.figure)
    look = {"ha": "center", "va": "center", "fontsize": 9.5 if narrow else 11}
    for head in range(count):
        box = {"boxstyle": "round,pad=0.25", "facecolor": "none", "edgecolor": color}
        x = _place(head, count, width or count)
        text = axes.text(x, y, f"{letter}{head}", bbox=box, **look)
        if tell and head < len(tell):
            says(text, tell[head])


def _label(kv_heads: int, heads: int) -> str:
    return {heads: f"MHA {heads}", 1: "MQA 1"}.get(kv_heads, str(kv_heads))


def _reading(reads: list[int], kv_heads: int) -> str:
    """Say in words who reads what, and what is wrong with it."""
    if len(reads) != HEADS:
        return f"But repeat_kv gives {len(reads)} heads, where {HEADS} queries wait."
    if len(set(reads)) < kv_heads:
        return f"Only {len(set(reads))} of the kv heads are read at all."
    first = [head for head, read in enumerate(reads) if read == 0]
    return f"kv head 0 is read by {_listed(first, 'q')}. {_crossed(reads)}"


def _crossed(reads: list[int]) -> str:
    crossings = sum(a > b for i, a in enumerate(reads) for b in reads[i + 1 :])
    return "No lines cross." if crossings == 0 else f"The lines cross {crossings} times."


def _listed(heads: list[int], letter: str = "o") -> str:
    if heads and heads == list(range(heads[0], heads[-1] + 1)) and len(heads) > 2:
        return f"{letter}{heads[0]} to {letter}{heads[-1]}"
    return " and ".join(f"{letter}{head}" for head in heads) or "nothing"


def _bumped(x: Tensor, head: int) -> Tensor:
    x = x.clone()
    x[:, head] += torch.tensor([1.0, -2.0, 3.0, 0.5])
    return x


def _split(x: Tensor, heads: int) -> Tensor:
    return x.unflatten(-1, (heads, -1)).transpose(1, 2)


def _first_heads(weight: Tensor, heads: int, count: int) -> Tensor:
    return weight.unflatten(0, (count, heads // count, -1))[:, 0].flatten(0, 1)


def _random_heads(weight: Tensor, heads: int, count: int) -> Tensor:
    rows = len(weight) // heads * count
    generator = torch.Generator().manual_seed(2)
    return weight.std() * torch.randn(rows, weight.shape[1], generator=generator)
