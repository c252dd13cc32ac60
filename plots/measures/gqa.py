"""Lab 06: what a decode step costs with fewer kv heads, measured and by arithmetic."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from plots import style
from plots.flipbook import Flipbook, explore
from plots.measure import short, times_in_turns
from plots.page import says
from plots.show import once_written
from plots.style import BLUE, GREEN, GREY, ORANGE, number

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Function = Callable[..., Tensor]
Layer = Callable[[int, int, int], nn.Module]  # dim, n_heads, n_kv_heads

ROUNDS = 4 if short() else 8


def fastest(*runs: Callable[[], Any]) -> list[float]:
    """Return each run's shortest time in seconds; they take turns in one thread.

    The shortest, since it is compared with what the memory allows: all else that the machine does
    in the meantime only adds to it.
    """
    return [min(taken) for taken in times_in_turns(*runs, rounds=range(ROUNDS))]


@once_written
def decode_step(
    grouped_query_attention: Function,
    repeat_kv: Function,
    heads: int = 32,
    head_dim: int = 64,
    seq_len: int = 2048,
) -> None:
    """Print how long the attention of one new token takes, with heads repeated and as written."""

    def repeated(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        n_rep = q.shape[1] // k.shape[1]
        k, v = repeat_kv(k, n_rep), repeat_kv(v, n_rep)
        return torch.softmax(q @ k.transpose(-2, -1) / q.shape[-1] ** 0.5, dim=-1) @ v

    q = torch.randn(1, heads, 1, head_dim)
    print(f"one new token, {heads} query heads of {head_dim}, {seq_len:,} tokens in the cache")
    print("kv heads    cache   with repeat_kv    yours    repeat_kv / yours")
    counts = [heads, heads // 4, heads // 16, 1]
    stored = [torch.randn(2, 1, count, seq_len, head_dim) for count in counts]
    runs: list[Callable[[], Any]] = []
    for k, v in stored:
        runs += [
            functools.partial(repeated, q, k, v),
            functools.partial(grouped_query_attention, q, k, v),
        ]
    with torch.no_grad():
        times = fastest(*runs)
    for count, kv, slow, quick in zip(counts, stored, times[::2], times[1::2], strict=True):
        size = kv.numel() * kv.element_size() / 2**20
        ms = f"{slow * 1e3:12.2f} ms{quick * 1e3:9.2f} ms"
        print(f"{count:8}{size:7.0f} MiB{ms}{slow / quick:14.1f}")


DIM, HEADS = 1024, 16  # of the layer that is timed
CONTEXTS = [256, 2048, 4096]
BATCHES = [1, 2, 4]
MOST = 8192  # positions in all caches of a batch together
NUMBERS = 2**24  # that are added up to see how long reading takes: 64 MiB
KINDS = {HEADS: (BLUE, "-", "o"), 4: (ORANGE, "--", "s"), 1: (GREEN, "-.", "^")}
GHOST = 0.7  # opacity of the lines of batch 1, behind those of a larger one


def numbers_read(batch: int, context: float, kv_heads: int) -> float:
    """Numbers that one decode step reads for each of its texts (Shazeer's n/d + 1/b, times 4·d²).

    His formula leaves constants out. With them, for a layer of four square weights: the weights
    are read once for the whole batch, the cache of n keys and n values for each text.
    """
    share = kv_heads / HEADS
    weights, cache = (2 + 2 * share) * DIM**2, 2 * context * DIM * share
    return weights / batch + cache


def bandwidth(GroupedQueryAttention: Layer, KVCache: Any) -> Flipbook:
    """Draw the milliseconds that reading alone takes, and on it those of the learner's layer."""

    @functools.cache
    def seconds() -> tuple[float, dict[tuple[int, int, int], float]]:
        """What reading a number takes, and (batch, context, kv heads) → one text's decode step."""
        much, runs = torch.ones(NUMBERS), {}
        for batch, context in ((b, n) for b in BATCHES for n in CONTEXTS if b * n <= MOST):
            for kv_heads in KINDS:
                layer = GroupedQueryAttention(DIM, HEADS, kv_heads)
                cache = _filled(KVCache, batch, kv_heads, context)
                runs[batch, context, kv_heads] = functools.partial(_step, layer, cache)
        with torch.no_grad():
            one, *times = fastest(much.sum, *runs.values())
        texts = (batch for batch, _, _ in runs)
        shared = [taken / batch for taken, batch in zip(times, texts, strict=True)]
        return one / NUMBERS, dict(zip(runs, shared, strict=True))

    def draw(fig: Figure, batch: int) -> str:
        one, times = seconds()
        narrow = style.is_narrow(fig)
        axes = fig.add_axes((0.15, 0.14, 0.8, 0.56) if narrow else (0.08, 0.14, 0.66, 0.8))
        ends = [0, CONTEXTS[-1]]
        for kv_heads, (color, line, marker) in KINDS.items():
            name = {HEADS: f"{HEADS} kv heads (MHA)", 1: "1 kv head (MQA)"}.get(
                kv_heads, f"{kv_heads} kv heads"
            )
            for texts in {1, batch}:
                curve = [1e3 * one * numbers_read(texts, n, kv_heads) for n in ends]
                look: dict[str, Any] = {"color": color, "ls": line, "lw": 1.8}
                if texts != batch:
                    look |= {"lw": 1.0, "alpha": GHOST}
                gid = f"{'curve' if texts == batch else 'ghost'}-{kv_heads}"
                (drawn,) = axes.plot(ends, curve, gid=gid, **look)
                read = f"{number(curve[0])} ms to read the weights, at batch {texts}"
                says(drawn, f"{name}: {read}; with {ends[1]:,} tokens {number(curve[1])} ms")
            taken = {n: 1e3 * t for (b, n, k), t in times.items() if (b, k) == (batch, kv_heads)}
            look = {"color": color, "label": name, "gid": f"time-{kv_heads}"}
            axes.plot(
                list(taken), list(taken.values()), marker, markersize=7, clip_on=False, **look
            )
            for n, ms in taken.items():
                (mark,) = axes.plot([n], [ms], marker, markersize=7, color=color, clip_on=False)
                says(mark, f"your layer, {name}, {n:,} tokens: {number(ms)} ms a token")
        weights = 1e3 * one * numbers_read(batch, 0, HEADS)
        _bracket(axes, weights, batch)
        most = max(1e3 * max(times.values()), 1e3 * one * numbers_read(1, ends[1], HEADS))
        axes.set(xlabel="tokens in the cache", ylabel="milliseconds a token")
        axes.set(
            xlim=((-0.42 if narrow else -0.16) * ends[1], 1.02 * ends[1]), ylim=(0, 1.08 * most)
        )
        axes.set_xticks([0, 1024, 2048, 3072, 4096] if not narrow else [0, 2048, 4096])
        axes.grid(axis="y")
        corner = {"loc": "lower left", "bbox_to_anchor": (-0.05, 1.0)}
        if not narrow:
            corner = {"loc": "upper left", "bbox_to_anchor": (1.0, 1.02)}
        heading = "lines: to be read\nmarks: your layer" + "\nthin: batch 1" * (batch > 1)
        axes.legend(title=heading, fontsize=10, alignment="left", **corner)
        n = max(n for b, n, _ in times if b == batch)
        full, single = 1e3 * times[batch, n, HEADS], 1e3 * times[batch, n, 1]
        shared = f", shared by {batch} texts" if batch > 1 else ""
        return (
            f"Batch {batch}. Each line begins at the time that the layer's weights take: with "
            f"{HEADS} kv heads {number(weights)} ms a token{shared}. It rises by the cache. "
            f"With {n:,} tokens your layer takes {number(full)} ms a token with {HEADS} kv heads "
            f"and {number(single)} ms with 1."
        )

    return explore(
        draw, batch=BATCHES, start={"batch": 1}, play="batch", size=(9.6, 4.4), narrow=(3.5, 5.0)
    )


def _bracket(axes: Axes, weights: float, batch: int) -> None:
    """Mark, where the lines begin, how much of the time the weights take."""
    left = -0.03 * CONTEXTS[-1]
    axes.annotate("", (left, 0), (left, weights), arrowprops={"arrowstyle": "<->", "color": GREY})
    words = "weights" if batch == 1 else f"weights\n÷ {batch}"
    axes.text(1.5 * left, 0, words, fontsize=10, ha="right", va="bottom", gid="weights")


def _filled(KVCache: Any, batch: int, kv_heads: int, context: int) -> Any:
    cache = KVCache.empty(batch, kv_heads, context + 1, DIM // HEADS)
    cache.update(*torch.randn(2, batch, kv_heads, context, DIM // HEADS))
    return cache


def _step(layer: nn.Module, cache: Any) -> None:
    """One token more; afterwards the cache is as long as before."""
    length = cache.length
    layer(torch.randn(cache.keys.shape[0], 1, DIM), torch.zeros(1, DIM // HEADS // 2), cache)
    cache.length = length


# FLOP/s in bfloat16 and bytes/s of memory, from the makers' data sheets.
MACHINES = {"A100 80 GB": (312e12, 2.039e12), "H100 SXM": (989e12, 3.35e12)}


def intensity(decode_intensity: Callable[..., float]) -> Flipbook:
    """How long one decode step waits for memory, and how long it computes."""

    def draw(fig: Figure, kv_heads: int, context: int) -> str:
        narrow = style.is_narrow(fig)
        axes = fig.add_axes((0.04, 0.21, 0.88, 0.76) if narrow else (0.13, 0.2, 0.84, 0.77))
        ratio = decode_intensity(32, kv_heads, 128, context)
        busy = {}
        for place, (name, (flops, read)) in enumerate(MACHINES.items()):
            busy[name] = min(ratio * read / flops, 1.0)
            share = f"{100 * busy[name]:.1f} %"
            (bar,) = axes.barh([place], [1], 0.5, color=ORANGE, edgecolor=ORANGE, hatch="//")
            bar.set_alpha(0.3)
            says(bar, f"{name}: waits for memory {100 - 100 * busy[name]:.1f} % of the time")
            (bar,) = axes.barh([place], [busy[name]], 0.5, color=BLUE)
            bar.set_gid(f"busy-{place}")
            says(bar, f"{name}: computes {share} of the time")
            text = f"computing {share}, waiting for memory the rest of the time"
            if narrow:
                text = f"{name}: computing {share}"
            axes.text(0, place + 0.29, text, va="bottom", fontsize=10)
        axes.set_yticks(range(len(MACHINES)), [] if narrow else list(MACHINES))
        axes.set(xlim=(0, 1), xlabel="share of the time", ylim=(-0.4, len(MACHINES) - 0.4))
        axes.set_xticks([0, 0.25, 0.5, 0.75, 1], ["0", "25 %", "50 %", "75 %", "100 %"])
        plural = "s" * (kv_heads > 1)
        return (
            f"32 query heads, {kv_heads} kv head{plural}, {context:,} tokens: {number(ratio, 1)} "
            f"FLOPs for each byte read. An H100 could do {989e12 / 3.35e12:.0f} in that time; it "
            f"computes for {100 * busy['H100 SXM']:.1f} % of it."
        )

    return explore(
        draw,
        kv_heads=[32, 16, 8, 4, 2, 1],
        context=[1024, 8192, 131_072],
        start={"kv_heads": 8, "context": 8192},
        labels={"kv_heads": "kv heads"},
        size=(9.0, 2.7),
        narrow=(3.5, 2.6),
    )
