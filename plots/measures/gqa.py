"""Lab 06: what a decode step costs with fewer kv heads, and what training repairs after pooling."""

from __future__ import annotations

import functools
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from plots.flipbook import Flipbook, explore
from plots.measure import one_thread, short
from plots.show import once_written
from plots.style import BLUE, GREEN, GREY, ORANGE, number

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Function = Callable[..., Tensor]
Layer = Callable[[int, int, int], nn.Module]  # dim, n_heads, n_kv_heads

ROUNDS = 4 if short() else 12


def fastest(*runs: Callable[[], Any]) -> list[float]:
    """Return each run's shortest time in seconds; they take turns in one thread.

    The shortest, since it is compared with what the memory allows: all else that the machine does
    in the meantime only adds to it.
    """
    times: list[list[float]] = [[] for _ in runs]
    with one_thread():
        for _ in range(ROUNDS):
            for run, taken in zip(runs, times, strict=True):
                start = time.perf_counter()
                run()
                taken.append(time.perf_counter() - start)
    return [min(taken) for taken in times]


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
CONTEXTS = [128, 512, 2048, 8192]
BATCHES = [1, 2, 4]
MOST = 16_384  # positions in all caches of a batch together
NUMBERS = 2**24  # that are added up to see how long reading takes: 64 MiB
KINDS = {HEADS: (BLUE, "-", "o"), 4: (ORANGE, "--", "s"), 1: (GREEN, "-.", "^")}


def numbers_read(batch: int, context: float, kv_heads: int) -> float:
    """Numbers read from memory for each multiplication by a weight: Shazeer's n/d + 1/b.

    His formula leaves constants out. With them, for a layer of four square weights: the weights
    are read once for the whole batch, the cache of n keys and n values for each text.
    """
    share = kv_heads / HEADS
    weights, cache = (2 + 2 * share) * DIM**2, 2 * context * DIM * share
    return (weights + batch * cache) / (batch * 4 * DIM**2)


def bandwidth(GroupedQueryAttention: Layer, KVCache: Any) -> Flipbook:
    """Draw how many numbers a decode step reads, and on it how long the learner's layer takes."""

    @functools.cache
    def seconds() -> tuple[float, dict[tuple[int, int, int], float]]:
        """What reading a number takes, and (batch, context, kv heads) → one decode step."""
        much, runs = torch.ones(NUMBERS), {}
        for batch, context in ((b, n) for b in BATCHES for n in CONTEXTS if b * n <= MOST):
            for kv_heads in KINDS:
                layer = GroupedQueryAttention(DIM, HEADS, kv_heads)
                cache = _filled(KVCache, batch, kv_heads, context)
                runs[batch, context, kv_heads] = functools.partial(_step, layer, cache)
        with torch.no_grad():
            one, *times = fastest(much.sum, *runs.values())
        return one / NUMBERS, dict(zip(runs, times, strict=True))

    def draw(fig: Figure, batch: int) -> str:
        one, times = seconds()
        axes = fig.add_axes((0.11, 0.18, 0.61, 0.76))
        line = [2 ** (i / 2) for i in range(10, 29)]
        last = {}
        for kv_heads, (color, style, marker) in KINDS.items():
            curve = [numbers_read(batch, n, kv_heads) for n in line]
            axes.loglog(line, curve, style, color=color, linewidth=1.5, gid=f"curve-{kv_heads}")
            taken = {n: t for (b, n, k), t in times.items() if (b, k) == (batch, kv_heads)}
            shown = [t / one / (batch * 4 * DIM**2) for t in taken.values()]
            name = {HEADS: f"{HEADS} (MHA)", 1: "1 (MQA)"}.get(kv_heads, str(kv_heads))
            look = {"color": color, "label": name, "gid": f"time-{kv_heads}"}
            axes.plot(list(taken), shown, marker, **look)
            n, last[kv_heads] = list(taken.items())[-1]
        axes.set(xlabel="tokens in the cache, n", ylabel="numbers read / multiplication")
        axes.set(xlim=(24, 20_000), ylim=(0.06, 40))
        axes.grid(which="major")
        axes.legend(loc="upper left", bbox_to_anchor=(1.0, 1.0), title="kv heads")
        full, single = last[HEADS], last[1]
        return (
            f"Lines: the numbers to be read. Marks: your layer's time, measured in the time that "
            f"reading one number takes here. Batch {batch}, {n:,} tokens: {number(full * 1e3)} ms "
            f"a step with {HEADS} kv heads, {number(single * 1e3)} ms with 1."
        )

    return explore(draw, batch=BATCHES, start={"batch": 1}, size=(7.2, 3.2))


def _filled(KVCache: Any, batch: int, kv_heads: int, context: int) -> Any:
    cache = KVCache.empty(batch, kv_heads, context + 1, DIM // HEADS)
    cache.update(*torch.randn(2, batch, kv_heads, context, DIM // HEADS))
    return cache


def _step(layer: nn.Module, cache: Any) -> None:
    """One token more; afterwards the cache is as long as before."""
    length = cache.length
    layer(torch.randn(cache.keys.shape[0], 1, DIM), torch.zeros(1, DIM // HEADS // 2), cache)
    cache.length = length


STEPS = 45 if short() else 150
EVERY = 15
SMALL, SMALL_HEADS = 64, 8


def uptraining(GroupedQueryAttention: Layer, mean_pool_heads: Function) -> Flipbook:
    """Train a layer with fewer kv heads to do what the full one does, from two beginnings."""
    angles = torch.outer(torch.arange(16.0), 10.0 ** -(torch.arange(4.0) / 4))
    looks = {"pooled": (GREEN, "o-"), "new random kv heads": (GREY, "x:")}

    @functools.cache
    def curves(kv_heads: int) -> dict[str, list[float]]:
        with one_thread(), torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            teacher = GroupedQueryAttention(SMALL, SMALL_HEADS, SMALL_HEADS)
            state = {name: 2 * weight.detach() for name, weight in teacher.named_parameters()}
            for name in ("wk.weight", "wv.weight"):
                heads = state[name].unflatten(0, (SMALL_HEADS, -1))
                state[name] = (0.7 * heads + 0.7 * heads[:1]).flatten(0, 1)  # half alike
            teacher.load_state_dict(state)
            found = {}
            for name in looks:
                student = GroupedQueryAttention(SMALL, SMALL_HEADS, kv_heads)
                begin = dict(state)
                for part in ("wk.weight", "wv.weight"):
                    begin[part] = (
                        mean_pool_heads(state[part], SMALL_HEADS, kv_heads)
                        if name == "pooled"
                        else 2 * dict(student.named_parameters())[part].detach()
                    )
                student.load_state_dict(begin)
                found[name] = _train(student, teacher, angles)
            return found

    def draw(fig: Figure, kv_heads: int) -> str:
        axes = fig.add_axes((0.11, 0.18, 0.86, 0.68))
        steps = range(0, STEPS + 1, EVERY)
        for name, errors in curves(kv_heads).items():
            color, look = looks[name]
            axes.plot(steps, errors, look, color=color, label=name, gid=name)
        axes.set(xlabel="training steps", ylabel="distance to MHA", ylim=(0, 1.5))
        axes.legend(ncols=2, loc="lower left", bbox_to_anchor=(0, 1.0))
        pooled, new = curves(kv_heads).values()
        return (
            f"{SMALL_HEADS} heads become {kv_heads}. Pooled, the layer starts {number(pooled[0])} "
            f"away from the full one and is {number(pooled[-1])} away after {STEPS} steps; with "
            f"new kv heads {number(new[0])} and {number(new[-1])}."
        )

    return explore(draw, kv_heads=[4, 2, 1], start={"kv_heads": 2}, size=(6.4, 2.9))


def _train(student: nn.Module, teacher: nn.Module, angles: Tensor) -> list[float]:
    """Let the student imitate the teacher; the distances on the way, every EVERY steps."""
    optimizer = torch.optim.Adam(student.parameters(), lr=3e-3)
    generator, errors = torch.Generator().manual_seed(1), []
    for step in range(STEPS + 1):
        x = torch.randn(16, len(angles), SMALL, generator=generator)
        with torch.no_grad():
            wanted = teacher(x, angles)
        error = F.mse_loss(student(x, angles), wanted) / wanted.square().mean()
        if step % EVERY == 0:
            errors.append(float(error.detach().sqrt()))
        optimizer.zero_grad()
        error.backward()
        optimizer.step()
    return errors


# FLOP/s in bfloat16 and bytes/s of memory, from the makers' data sheets.
MACHINES = {"A100 80 GB": (312e12, 2.039e12), "H100 SXM": (989e12, 3.35e12)}


def intensity(decode_intensity: Callable[..., float]) -> Flipbook:
    """How long one decode step waits for memory, and how long it computes."""

    def draw(fig: Figure, kv_heads: int, context: int) -> str:
        axes = fig.add_axes((0.16, 0.26, 0.8, 0.7))
        ratio = decode_intensity(32, kv_heads, 128, context)
        busy = {}
        for place, (name, (flops, read)) in enumerate(MACHINES.items()):
            busy[name] = min(ratio * read / flops, 1.0)
            (bar,) = axes.barh([place], [1], 0.6, color=ORANGE, edgecolor=ORANGE, hatch="//")
            bar.set_alpha(0.3)
            (bar,) = axes.barh([place], [busy[name]], 0.6, color=BLUE)
            bar.set_gid(f"busy-{place}")
            says = f" computing {100 * busy[name]:.1f} %, waiting for memory the rest of the time"
            axes.text(busy[name] + 0.01, place, says, va="center", fontsize=10)
        axes.set_yticks(range(len(MACHINES)), list(MACHINES))
        axes.set(xlim=(0, 1), xlabel="share of the time", ylim=(-0.6, len(MACHINES) - 0.4))
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
        size=(7.2, 2.3),
    )
