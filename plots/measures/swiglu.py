"""Lab 07: three feed-forward layers in a race, of what they learn and of what they take."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from typing import TYPE_CHECKING

import torch
from torch import Tensor
from torch.nn import functional as F

from assets.shakespeare import text
from plots import style
from plots.flipbook import Flipbook, explore
from plots.measure import medians, one_thread, short
from plots.note import note
from plots.page import says
from plots.show import once_written
from plots.style import BLUE, GREEN, GREY, ORANGE, number

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Layer = Callable[..., Tensor]  # a feed-forward layer: (x, *weights) → like x

# One small network: eight characters in, the next one out; a feed-forward layer between.
CHARACTERS, CONTEXT, EMBEDDING, WIDTH = 300_000, 8, 12, 48
CLASSIC, GATED = 4 * WIDTH, 8 * WIDTH // 3  # 192 and 128 units: 18,432 parameters either way
SEEDS, BATCH = 3, 128
RACE_STEPS, RACE_RATE = (100 if short() else 400), 0.01
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
        with one_thread(), note() as tell:
            tell(f"Training SwiGLU, {SEEDS} seeds, the first of three races …")
            gated = _race(swiglu, (GATED, GATED))  # first: it may not be written yet
            found = {}
            for name, layer in {"ReLU": relu_layer, "GELU": gelu_layer}.items():
                tell(f"Training {name}, {SEEDS} seeds …")
                found[name] = _classic(layer)
            return found | {"SwiGLU": gated}

    def draw(fig: Figure, steps: int) -> str:
        if style.is_narrow(fig):
            left, right = (
                fig.add_axes((0.16, 0.54, 0.8, 0.41)),
                fig.add_axes((0.16, 0.06, 0.8, 0.3)),
            )
        else:
            left, right = (
                fig.add_axes((0.05, 0.14, 0.57, 0.76)),
                fig.add_axes((0.69, 0.14, 0.3, 0.76)),
            )
        shown = RACE_MARKS.index(steps)
        said, spans = [], {}
        for place, (name, curves) in enumerate(losses().items()):
            color, line, marker = LOOKS[name]
            curves = curves.nan_to_num(WORST).clamp(max=WORST)
            for curve in curves.T.tolist():
                left.plot(RACE_MARKS, curve, line, color=color, linewidth=1)
            at = curves[shown].tolist()  # one for each seed
            middle, low, high = sum(at) / SEEDS, min(at), max(at)
            (dots,) = right.plot([place] * SEEDS, at, marker, color=color, alpha=0.75, gid=name)
            says(dots, f"{name} after {steps} steps: {', '.join(number(loss) for loss in at)}")
            right.plot([place - 0.25, place + 0.25], [middle] * 2, "-", color=color, linewidth=2)
            left.plot([], [], line, color=color, label=name)
            said.append(f"{name} {number(middle)} ({number(low)} to {number(high)})")
            spans[name] = low, high
        left.axvline(steps, color=GREY, linewidth=1)
        left.set(xlabel="steps")
        left.set_title("loss on unseen text", fontsize=11)
        left.set(xlim=(0, RACE_STEPS), ylim=(1.9, 3.6))
        left.legend(loc="upper right")
        middle = sum(sum(span) for span in spans.values()) / 6
        room = max(0.15, *(abs(end - middle) + 0.02 for span in spans.values() for end in span))
        right.set(xlim=(-0.6, 2.6), ylim=(middle - room, middle + room))
        right.set_title(f"after {steps} steps, three seeds", fontsize=11)
        right.set_xticks(range(3), list(spans))
        return f"Loss after {steps} steps, mean (three seeds): {', '.join(said)}. {_verdict(spans)}"

    return explore(
        draw,
        steps=RACE_MARKS,
        start={"steps": RACE_STEPS},
        play="steps",
        size=(9.8, 3.9),
        narrow=(3.4, 5.4),
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
