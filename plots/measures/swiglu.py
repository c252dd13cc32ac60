"""Lab 07: units that die while a network learns, and three feed-forward layers in a race."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import torch
from torch import Tensor
from torch.nn import functional as F

from assets.shakespeare import text
from plots.flipbook import Flipbook, explore
from plots.measure import medians, one_thread, short
from plots.show import once_written
from plots.style import BLUE, GREEN, GREY, INK, ORANGE, number

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Layer = Callable[..., Tensor]  # a feed-forward layer: (x, *weights) → like x

# One small network for both: eight characters in, the next one out; a feed-forward layer between.
CHARACTERS, CONTEXT, EMBEDDING, WIDTH = 300_000, 8, 12, 48
CLASSIC, GATED = 4 * WIDTH, 8 * WIDTH // 3  # 192 and 128 units: 18,432 parameters either way
SEEDS, BATCH = 3, 128
RACE_STEPS, RACE_RATE = (100 if short() else 400), 0.01
DEAD_STEPS, DEAD_RATE = (50 if short() else 300), 0.03
HELD_OUT = 4096  # places in the text's last tenth on which everything is measured
WORST = 5.0  # a loss above it, and NaN, is drawn here
LOOKS = {"ReLU": (ORANGE, "--", "s"), "GELU": (BLUE, "-.", "^"), "SwiGLU": (GREEN, "-", "o")}


@functools.cache
def data() -> tuple[Tensor, Tensor, int]:
    """The text as numbers: the part to learn from, the part to measure on, how many characters."""
    corpus = text()[:CHARACTERS]
    vocab = {character: i for i, character in enumerate(sorted(set(corpus)))}
    ids = torch.tensor([vocab[character] for character in corpus])
    cut = len(ids) * 9 // 10
    return ids[:cut], ids[cut:], len(vocab)


def windows(ids: Tensor, count: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Random places: (count, CONTEXT) characters, and the one that follows: (count,)."""
    places = torch.randint(len(ids) - CONTEXT - 1, (count,), generator=generator)
    drawn = ids[places[:, None] + torch.arange(CONTEXT + 1)]
    return drawn[:, :-1], drawn[:, -1]


def matrix(rows: int, columns: int, generators: list[torch.Generator]) -> Tensor:
    """(seeds, rows, columns) random weights that keep the size of what they are applied to."""
    drawn = torch.stack([torch.randn(rows, columns, generator=g) for g in generators])
    return (drawn / math.sqrt(columns)).requires_grad_()


def normed(x: Tensor) -> Tensor:
    """RMSNorm without a weight."""
    return x * torch.rsqrt(x.square().mean(-1, keepdim=True) + 1e-5)


def relu_layer(x: Tensor, w_up: Tensor, w_down: Tensor) -> Tensor:
    """The classic layer. x: (..., D), (F, D), (D, F) → (..., D)."""
    return F.linear(F.relu(F.linear(x, w_up)), w_down)


def gelu_layer(x: Tensor, w_up: Tensor, w_down: Tensor) -> Tensor:
    """The classic layer of GPT-2. x: (..., D), (F, D), (D, F) → (..., D)."""
    return F.linear(F.gelu(F.linear(x, w_up)), w_down)


def race(swiglu: Layer) -> Flipbook:
    """Train the network with ReLU, GELU and SwiGLU layers of equal cost; show losses and spread."""

    @functools.cache
    def losses() -> dict[str, Tensor]:
        with one_thread():
            gated = _race(swiglu, (GATED, GATED))  # first: it may not be written yet
            classic = {"ReLU": relu_layer, "GELU": gelu_layer}
            return {name: _classic(layer) for name, layer in classic.items()} | {"SwiGLU": gated}

    def draw(fig: Figure, steps: int) -> str:
        left, right = fig.add_axes((0.09, 0.18, 0.53, 0.74)), fig.add_axes((0.73, 0.18, 0.25, 0.74))
        shown = RACE_MARKS.index(steps)
        said, spans = [], {}
        for place, (name, curves) in enumerate(losses().items()):
            color, line, marker = LOOKS[name]
            curves = curves.nan_to_num(WORST).clamp(max=WORST)
            for curve in curves.T.tolist():
                left.plot(RACE_MARKS, curve, line, color=color, linewidth=1)
            at = curves[shown].tolist()  # one for each seed
            right.plot([place] * SEEDS, at, marker, color=color, alpha=0.75, gid=name)
            middle, low, high = sum(at) / SEEDS, min(at), max(at)
            right.plot([place - 0.25, place + 0.25], [middle] * 2, "-", color=color, linewidth=2)
            left.plot([], [], line, color=color, label=name)
            said.append(f"{name} {number(middle)} ({number(low)} to {number(high)})")
            spans[name] = low, high
        left.axvline(steps, color=GREY, linewidth=1)
        left.set(
            xlabel="steps", ylabel="loss on unseen text", xlim=(0, RACE_STEPS), ylim=(1.9, 3.6)
        )
        left.legend(loc="upper right")
        middle = sum(sum(span) for span in spans.values()) / 6
        room = max(0.15, *(abs(end - middle) + 0.02 for span in spans.values() for end in span))
        right.set(xlim=(-0.6, 2.6), ylim=(middle - room, middle + room))
        right.set_title(f"after {steps} steps")
        right.set_xticks(range(3), list(spans), fontsize=9)
        return f"Loss after {steps} steps, mean (three seeds): {', '.join(said)}. {_verdict(spans)}"

    return explore(
        draw, steps=RACE_MARKS, start={"steps": RACE_STEPS}, play="steps", size=(7.2, 3.4)
    )


RACE_MARKS = [RACE_STEPS * part // 20 for part in (0, 1, 2, 4, 6, 8, 12, 16, 20)]


def _verdict(spans: dict[str, tuple[float, float]]) -> str:
    """Say whether the seeds of SwiGLU overlap with those of the others."""
    low, high = spans["SwiGLU"]
    for name in ("GELU", "ReLU"):
        if high >= spans[name][0] and low <= spans[name][1]:
            return f"SwiGLU and {name} overlap: three seeds do not tell them apart."
    best = min(spans, key=lambda name: spans[name][1])
    return f"No seed of another layer comes as low as the worst of {best}."


@functools.cache
def _classic(layer: Layer) -> Tensor:
    """The race of a layer that is not the learner's: once is enough."""
    return _race(layer, (CLASSIC,))


def _race(layer: Layer, inner: tuple[int, ...], blocks: int = 2) -> Tensor:
    """Train three seeds side by side. → (marks, seeds) losses on the same unseen places."""
    learn, measure, size = data()
    seeds = [torch.Generator().manual_seed(seed) for seed in range(SEEDS)]
    embedding = torch.stack([torch.randn(size, EMBEDDING, generator=g) for g in seeds])
    embedding.requires_grad_()
    first, last = matrix(WIDTH, CONTEXT * EMBEDDING, seeds), matrix(size, WIDTH, seeds)
    layers = [
        [*(matrix(rows, WIDTH, seeds) for rows in inner), matrix(WIDTH, inner[0], seeds)]
        for _ in range(blocks)
    ]
    weights = [embedding, first, last, *(weight for ws in layers for weight in ws)]
    optimizer = torch.optim.AdamW(weights, lr=RACE_RATE, betas=(0.9, 0.95), weight_decay=0.01)
    which = torch.arange(SEEDS)[:, None, None]

    def logits(x: Tensor) -> Tensor:  # (seeds, N, CONTEXT) → (seeds, N, size)
        h = embedding[which, x].flatten(2) @ first.mT
        for ws in layers:
            rows = zip(
                normed(h), *ws, strict=True
            )  # each seed by itself: the layer is the learner's
            h = h + torch.stack([layer(*of_one_seed) for of_one_seed in rows])
        return normed(h) @ last.mT

    unseen, following = windows(measure, HELD_OUT, torch.Generator().manual_seed(99))
    seen = []
    for step in range(RACE_STEPS + 1):
        if step in RACE_MARKS:
            with torch.no_grad():
                guess = logits(unseen.expand(SEEDS, -1, -1))
                seen.append(torch.stack([F.cross_entropy(g, following) for g in guess]))
        drawn = [windows(learn, BATCH, g) for g in seeds]
        x, y = (torch.stack(part) for part in zip(*drawn, strict=True))
        optimizer.zero_grad()
        (SEEDS * F.cross_entropy(logits(x).flatten(0, 1), y.flatten())).backward()
        optimizer.param_groups[0]["lr"] = RACE_RATE * (1 - step / RACE_STEPS)
        optimizer.step()
    return torch.stack(seen)


FIRES, SILENT, DEAD = "fires on some text", "fires never, but still learns", "dead: no gradient"
DEAD_MARKS = [DEAD_STEPS * part // 10 for part in (0, 2, 3, 4, 5, 6, 8, 10)]
NORMS = ["without norm", "with RMSNorm"]


def dead_units(swish: Layer | None = None, swiglu: Layer | None = None) -> Flipbook:
    """Count, while a network learns, the units that never fire and those without any gradient."""
    panels = {"ReLU": None}
    if swish and swiglu:
        panels |= {"Swish": swish, "SwiGLU": swiglu}

    @functools.cache
    def counted(norm: str) -> dict[str, list[tuple[Tensor, Tensor, float]]]:
        with one_thread():
            runs = reversed(panels.items())  # the learner's first: they may not be written yet
            found = {name: _counts(name, own, norm == NORMS[1]) for name, own in runs}
            return {name: found[name] for name in panels}

    def draw(fig: Figure, norm: str, steps: int) -> str:
        said = []
        fig.subplots_adjust(left=0.02, right=0.98, bottom=0.12, top=0.86, wspace=0.08)
        for place, (name, states) in enumerate(counted(norm).items()):
            fires, learns, loss = states[DEAD_MARKS.index(steps)]
            axes = fig.add_subplot(1, len(panels), place + 1)
            groups = {FIRES: fires & learns, SILENT: ~fires & learns, DEAD: ~learns}
            _dots(axes, name, groups)
            counts = {state: int(members.sum()) for state, members in groups.items()}
            axes.set_title(f"{name}: {counts[DEAD]} of {len(fires)} dead")
            silent = f", {counts[SILENT]} silent but learning" if counts[SILENT] else ""
            said.append(f"{name} {counts[DEAD]} of {len(fires)} dead{silent} (loss {number(loss)})")
        handles, labels = fig.axes[0].get_legend_handles_labels()
        kept = [i for i, label in enumerate(labels) if len(panels) > 1 or label != SILENT]
        look = {"loc": "lower center", "ncols": 3, "fontsize": 9, "handletextpad": 0.2}
        fig.legend([handles[i] for i in kept], [labels[i] for i in kept], **look)
        return f"After {steps} steps {norm}: {'; '.join(said)}."

    return explore(
        draw,
        norm=NORMS,
        steps=DEAD_MARKS,
        start={"norm": NORMS[0], "steps": DEAD_STEPS},
        play="steps",
        size=(7.2, 3.0) if len(panels) > 1 else (4.6, 3.2),
    )


def _dots(axes: Axes, name: str, groups: dict[str, Tensor], columns: int = 16) -> None:
    """One mark for each unit, in rows of sixteen."""
    looks = {
        FIRES: {"marker": "o", "color": GREEN},
        SILENT: {"marker": "o", "color": ORANGE, "fillstyle": "none"},
        DEAD: {"marker": "x", "color": INK, "alpha": 0.6},
    }
    for state, members in groups.items():
        units = members.nonzero().flatten()
        x, y = (units % columns).tolist(), (units // columns).tolist()
        axes.plot(
            x, y, linestyle="", markersize=5, label=state, gid=f"{name}-{state}", **looks[state]
        )
    axes.set(xlim=(-0.7, columns - 0.3), ylim=(12 - 0.3, -0.7))
    axes.axis("off")


@functools.lru_cache(maxsize=8)
def _counts(name: str, own: Layer | None, with_norm: bool) -> list[tuple[Tensor, Tensor, float]]:
    """What `_units` finds; the ReLU network of the lab's beginning is not trained again."""
    return list(_units(name, own, with_norm))


def _units(name: str, own: Layer | None, with_norm: bool) -> Iterator[tuple[Tensor, Tensor, float]]:
    """Train one network. At each mark: which units fire on any text, which get a gradient, loss."""
    learn, measure, size = data()
    generator = torch.Generator().manual_seed(0)
    embedding = torch.randn(size, EMBEDDING, generator=generator).requires_grad_()
    units = GATED if name == "SwiGLU" else CLASSIC
    shapes = [(WIDTH, CONTEXT * EMBEDDING), (size, WIDTH), (units, WIDTH), (WIDTH, units)]
    shapes += [(units, WIDTH)] if name == "SwiGLU" else []
    first, last, inner, down, *up = (
        matrix(*shape, [generator])[0].detach().requires_grad_() for shape in shapes
    )
    optimizer = torch.optim.AdamW([embedding, first, last, inner, down, *up], lr=DEAD_RATE)
    keep = normed if with_norm else (lambda x: x)

    def forward(x: Tensor) -> tuple[Tensor, Tensor]:  # → what reaches the units, and the logits
        h = embedding[x].flatten(1) @ first.T
        into = keep(h)
        bend = own or F.relu
        out = bend(into, inner, *up, down) if up else bend(into @ inner.T) @ down.T
        return into @ inner.T, keep(h + out) @ last.T

    unseen, following = windows(measure, HELD_OUT, torch.Generator().manual_seed(99))
    for step in range(DEAD_STEPS + 1):
        if step in DEAD_MARKS:
            optimizer.zero_grad()
            gates, guess = forward(unseen)
            loss = F.cross_entropy(guess, following)
            loss.backward()
            gradient = torch.zeros(units, 1) if inner.grad is None else inner.grad
            yield (gates > 0).any(0), (gradient != 0).any(1), loss.item()
        x, y = windows(learn, BATCH, generator)
        optimizer.zero_grad()
        F.cross_entropy(forward(x)[1], y).backward()
        optimizer.step()


@once_written
def timing(swiglu: Layer, dim: int = 384, tokens: int = 256) -> None:
    """Print how long a classic and a gated layer of equally many parameters take, in one run."""
    shapes = {"ReLU": [(4 * dim, dim), (dim, 4 * dim)]}
    shapes["SwiGLU"] = [(8 * dim // 3, dim), (8 * dim // 3, dim), (dim, 8 * dim // 3)]
    x = torch.randn(tokens, dim)
    weights = {name: [torch.randn(s) / dim for s in of] for name, of in shapes.items()}
    relu, gated = medians(
        lambda: relu_layer(x, *weights["ReLU"]), lambda: swiglu(x, *weights["SwiGLU"])
    )
    print(f"{tokens} tokens of {dim} numbers    parameters        time    SwiGLU / ReLU")
    for name, seconds, ratio in (
        ("ReLU", relu, ""),
        ("SwiGLU, yours", gated, f"{gated / relu:.2f}"),
    ):
        count = sum(weight.numel() for weight in weights[name.split(",")[0]])
        print(f"{name:26}{count:12,}{seconds * 1e3:9.2f} ms{ratio:>17}")
