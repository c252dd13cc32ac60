"""Lab 12: what a pass computes and reads, the roof, the two dots; the façade of the other pictures.

Every count is the learner's. The machine's own numbers were measured when `machine` ran.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from plots.flipbook import Flipbook, explore
from plots.measures.roofline import Machine, decoder_limits, machine
from plots.measures.roofline_speed import int8_speed, online
from plots.page import says
from plots.roofline_blocks import blocks
from plots.roofline_dots import H100, draw_roof, ridge_of, two_dots
from plots.roofline_int8 import outputs, rounded
from plots.style import BLUE, GREY, ORANGE, is_narrow, number

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = [
    "H100",
    "blocks",
    "decoders",
    "flops",
    "int8_speed",
    "machine",
    "online",
    "outputs",
    "roof",
    "rounded",
    "two_dots",
    "weights",
]

Count = Callable[..., float]

CONTEXTS = [1, 1024, 4096, 8192, 16_384, 32_768, 65_536, 131_072]
PROMPTS = [1, 4, 16, 64, 256, 512, 1024, 4096]
MODELS = {  # Llama 3.2 1B, Llama 3 8B and 70B (their config.json)
    "1B": {
        "dim": 2048,
        "n_layers": 16,
        "n_heads": 32,
        "hidden_dim": 8192,
        "tie_embeddings": True,
    },
    "8B": {"dim": 4096, "n_layers": 32, "n_heads": 32, "hidden_dim": 14_336},
    "70B": {"dim": 8192, "n_layers": 80, "n_heads": 64, "hidden_dim": 28_672},
}
CARD = 3.35e12  # bytes a second
SIZES = {4: "float32", 2: "bfloat16", 1: "int8", 0.625: "5 bits"}  # bytes of a weight


def decoders(decode_speed_limit: Count, LlamaConfig: Any, path: Path | None) -> None:
    """Print limit, measured speed and share for lab 11's decoders."""
    decoder_limits(decode_speed_limit, LlamaConfig, path)


def flops(forward_flops: Count, LlamaConfig: Any) -> Flipbook:
    """GFLOP of one token of Llama 3 8B against its context: the weights' part and the scores'."""
    config = LlamaConfig(**MODELS["8B"])
    rule = 2 * 8.030261248  # GFLOP: 2 for each parameter

    def draw(fig: Figure, context: int) -> str:
        narrow = is_narrow(fig)
        axes = fig.add_axes((0.17, 0.14, 0.79, 0.7) if narrow else (0.09, 0.16, 0.88, 0.74))
        weights = forward_flops(config, 1, 0) / 1e9
        totals = [forward_flops(config, 1, n - 1) / 1e9 for n in CONTEXTS]
        here = CONTEXTS.index(context)
        for place, (n, total) in enumerate(zip(CONTEXTS, totals, strict=True)):
            lit = 0.75 if place == here else 0.25
            low = min(weights, total)
            (bar,) = axes.bar([place], [low], 0.7, color=BLUE, alpha=lit, gid=f"weights-{n}")
            says(bar, f"{n:,} tokens: {number(low, 1)} GFLOP for the weights")
            rest = max(total - weights, 0.0)
            (bar,) = axes.bar(
                [place], [rest], 0.7, bottom=[low], color=ORANGE, alpha=lit, hatch="//"
            )
            bar.set(gid=f"scores-{n}", edgecolor=ORANGE)
            says(bar, f"{n:,} tokens: {number(rest, 1)} GFLOP for scores and values")
            if not narrow or place % 2:
                over = max(total, rule) + 1.5
                axes.text(place, over, number(total, 0), ha="center", va="bottom", fontsize=10)
        (line,) = axes.plot([-0.5, len(CONTEXTS) - 0.5], [rule, rule], "--", color=GREY, gid="rule")
        says(line, f"2 FLOPs for each parameter: {number(rule, 1)} GFLOP")
        labels = [_short(n) if place % 2 or not narrow else "" for place, n in enumerate(CONTEXTS)]
        axes.set_xticks(range(len(CONTEXTS)), labels)
        axes.set(xlabel="tokens it looks at", ylabel="GFLOP for one token", ylim=(0, 100))
        key = "blue: weights. Hatched: scores, values.", "Dashed: 2 FLOPs a parameter."
        size = 10 if narrow else 11
        axes.set_title(("\n" if narrow else " ").join(key), fontsize=size, loc="left")
        total, rest = totals[here], totals[here] - weights
        share = 100 * rest / total if total else 0.0
        return (
            f"Llama 3 8B, one token that looks at {context:,}: {number(total, 1)} GFLOP, of which "
            f"{number(rest, 1)} are scores and values ({number(share, 0)} %). The rule of thumb "
            f"says {number(rule, 1)}."
        )

    return explore(
        draw,
        context=CONTEXTS,
        start={"context": 8192},
        play="context",
        size=(8.4, 3.6),
        narrow=(3.5, 3.6),
    )


def weights(weight_bytes: Count, count_parameters: Count, LlamaConfig: Any) -> Flipbook:
    """Gigabytes that one token reads, for three Llamas; what lies there unread is hatched."""

    def draw(fig: Figure, bytes_per_weight: float) -> str:
        narrow = is_narrow(fig)
        axes = fig.add_axes((0.14, 0.2, 0.8, 0.76) if narrow else (0.07, 0.2, 0.9, 0.76))
        told = []
        for place, (name, sizes) in enumerate(MODELS.items()):
            config = LlamaConfig(**sizes)
            whole = 2 * count_parameters(config)  # bytes of its file
            read = weight_bytes(config, bytes_per_weight)
            stored = count_parameters(config) * bytes_per_weight
            (bar,) = axes.barh([place], [read / whole], 0.5, color=BLUE, alpha=0.7)
            bar.set_gid(f"read-{name}")
            says(bar, f"Llama 3 {name}: {number(read / 1e9)} GB are read for a token")
            rest = max(stored - read, 0.0)
            (bar,) = axes.barh([place], [rest / whole], 0.5, left=[read / whole], color="none")
            bar.set(gid=f"unread-{name}", edgecolor=GREY, linewidth=0.8, hatch="////")
            says(bar, f"Llama 3 {name}: {number(rest / 1e9)} GB lie there and are not read")
            speed = CARD / read if read > 0 else float("nan")
            text = f"{number(read / 1e9, 1)} GB, {speed:,.0f} tokens a second"
            axes.text(0.01, place - 0.29, text, va="bottom", fontsize=10)
            told.append(f"{name} reads {number(read / 1e9)} GB")
        axes.set_yticks(range(len(MODELS)), list(MODELS))
        axes.set(xlim=(0, 2.05), ylim=(2.4, -0.7), xlabel="of its size in bfloat16")
        axes.set_xticks([0, 0.5, 1, 1.5, 2], ["0", "50 %", "100 %", "150 %", "200 %"])
        return (
            f"{SIZES[bytes_per_weight]}, {bytes_per_weight:g} bytes a weight. For a token "
            f"{', '.join(told)}. The speeds are what a card can do at most that reads 3,350 GB a "
            "second."
        )

    return explore(
        draw,
        bytes_per_weight=list(SIZES),
        start={"bytes_per_weight": 2},
        labels={"bytes_per_weight": "bytes a weight"},
        size=(8.4, 3.0),
        narrow=(3.5, 3.0),
    )


def roof(
    attainable_flops: Count,
    forward_flops: Count,
    weight_bytes: Count,
    LlamaConfig: Any,
    machine: Machine,
) -> Flipbook:
    """The roof, and on it a pass of Llama 3 8B over T tokens: from one token to a long prompt."""
    config = LlamaConfig(**MODELS["8B"])
    places = {"this machine": machine.best, "H100": H100}

    def draw(fig: Figure, tokens: int, computer: str) -> str:
        peak, read = places[computer]
        axes = fig.add_axes(
            (0.19, 0.15, 0.76, 0.78) if is_narrow(fig) else (0.09, 0.16, 0.88, 0.78)
        )
        draw_roof(axes, attainable_flops, peak, read)
        n_bytes = weight_bytes(config, 2.0)
        trail = [forward_flops(config, n) / n_bytes for n in PROMPTS]
        heights = [attainable_flops(intensity, peak, read) for intensity in trail]
        axes.plot(trail, np.array(heights) / 1e9, "o", color=BLUE, ms=4, alpha=0.5, gid="trail")
        here = PROMPTS.index(tokens)
        (dot,) = axes.plot([trail[here]], [heights[here] / 1e9], "o", color=BLUE, ms=11, gid="pass")
        share = heights[here] / peak
        says(dot, f"a pass over {tokens} tokens: {number(trail[here], 1)} FLOPs a byte")
        seconds = forward_flops(config, tokens) / heights[here]
        waits = "it waits for memory" if trail[here] < peak / read else "it computes all the time"
        s = "s" * (tokens > 1)
        return (
            f"{computer.capitalize() if computer != 'H100' else 'An H100'}, ridge at "
            f"{number(ridge_of(peak, read), 0)} FLOPs a byte. A pass over {tokens:,} token{s}: "
            f"{number(trail[here], 1)} FLOPs a byte, {number(100 * share, 1)} % of the peak, "
            f"{_time(seconds)} at best; {waits}."
        )

    return explore(
        draw,
        computer=list(places),
        tokens=PROMPTS,
        start={"computer": "H100", "tokens": 1},
        play="tokens",
        size=(7.6, 3.8),
        narrow=(3.5, 3.6),
    )


def _time(seconds: float) -> str:
    return f"{number(1e3 * seconds, 1)} ms" if seconds < 1 else f"{number(seconds, 1)} s"


def _short(count: int) -> str:
    return f"{count // 1024}k" if count >= 1024 else str(count)
