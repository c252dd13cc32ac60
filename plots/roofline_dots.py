"""Lab 12: the roof as a picture, and one decode step on it, taken apart into weights and caches."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from plots.flipbook import Flipbook, explore
from plots.measures.roofline import Machine
from plots.page import says
from plots.style import BLUE, FAINT, GREY, INK, ORANGE, is_narrow, number

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Count = Callable[..., float]

H100 = (989e12, 3.35e12)  # FLOP/s in bfloat16 without sparsity, bytes/s (the maker's data sheet)
BATCHES = [1, 4, 16, 64, 256, 512]
SHOWN = [1, 4, 16, 512]
CONTEXTS = [512, 8192, 131_072]
INTENSITIES = (0.25, 8192.0)  # the ends of the axis, FLOPs a byte


def ridge_of(peak: float, read: float) -> float:
    """FLOPs a byte where the two roofs meet."""
    return peak / read


def draw_roof(axes: Axes, attainable_flops: Count, peak: float, read: float) -> None:
    """The learner's roof on logarithmic axes, and the ridge."""
    at = np.geomspace(*INTENSITIES, 61)
    roof = np.array([attainable_flops(float(x), peak, read) for x in at]) / 1e9
    (line,) = axes.plot(at, roof, "-", color=INK, gid="roof")
    says(line, "the roof: what can be reached at each intensity")
    ridge = ridge_of(peak, read)
    axes.axvline(ridge, color=GREY, ls=":", lw=1, gid="ridge")
    low = attainable_flops(INTENSITIES[0], peak, read) / 1e9
    bottom = min(low, peak / 1e9 * 1e-3) if low > 0 else peak / 1e9 * 1e-3
    axes.set(xscale="log", yscale="log", xlim=INTENSITIES, ylim=(bottom / 3, 4 * peak / 1e9))
    axes.set(xlabel="FLOPs a byte", ylabel="GFLOP a second")
    axes.text(ridge, bottom / 2.4, " ridge", fontsize=10, va="bottom")
    axes.set_xticks([1, 10, 100, 1000], ["1", "10", "100", "1,000"])
    axes.grid(alpha=FAINT)


def two_dots(
    attainable_flops: Count,
    forward_flops: Count,
    weight_bytes: Count,
    decode_speed_limit: Count,
    decode_intensity: Count,
    LlamaConfig: Any,
    machine: Machine,
) -> Flipbook:
    """One decode step of Llama 3 8B: a dot for its weights, one for its caches, and the limit."""
    config = LlamaConfig()  # its defaults are Llama 3 8B's
    d = config.dim // config.n_heads
    places = {"H100": H100, "this machine": machine.best}

    def draw(fig: Figure, computer: str, context: int, batch: int) -> str:
        peak, read = places[computer]
        narrow = is_narrow(fig)
        top = fig.add_axes((0.2, 0.55, 0.75, 0.42) if narrow else (0.08, 0.16, 0.5, 0.79))
        low = fig.add_axes((0.2, 0.1, 0.75, 0.3) if narrow else (0.67, 0.16, 0.31, 0.79))
        draw_roof(top, attainable_flops, peak, read)
        parts = _parts(config, d, batch, context, forward_flops, weight_bytes)
        seconds = {}
        for name, (work, n_bytes, color, marker) in parts.items():
            at = work / n_bytes
            if name == "caches":
                at = decode_intensity(config.n_heads, config.n_kv_heads, d, context)
            height = attainable_flops(at, peak, read)
            seconds[name] = work / height if height else float("nan")
            (dot,) = top.plot([at], [height / 1e9], marker, color=color, ms=11, gid=f"dot-{name}")
            says(dot, f"{name}: {number(at, 1)} FLOPs a byte, {number(height / peak * 100, 1)} %")
            over = {"xytext": (-9, 6), "ha": "right"} if name == "weights" else {"xytext": (9, -9)}
            look = {"textcoords": "offset points", "va": "center"} | over
            top.annotate(name, (at, height / 1e9), **look)
        limits = [decode_speed_limit(config, b, context, peak, read) for b in BATCHES]
        each = [limit / b for limit, b in zip(limits, BATCHES, strict=True)]
        for values, color, look, name in (
            (limits, BLUE, "o-", "all"),
            (each, ORANGE, "s--", "each"),
        ):
            low.plot(BATCHES, values, look, color=color, ms=4, lw=1.5, gid=f"speed-{name}")
            there = values[BATCHES.index(batch)]
            (mark,) = low.plot([batch], [there], look[0], color=color, ms=9, gid=f"here-{name}")
            words = "all texts together" if name == "all" else "each text"
            says(mark, f"{words}: at most {there:,.0f} tokens a second")
            look = {"xytext": (8, -4), "ha": "left"} if name == "all" else {"xytext": (-8, -5)}
            look = {"ha": "right", "va": "top", "color": INK} | look
            low.annotate(name, (BATCHES[2], values[2]), textcoords="offset points", **look)
        low.set(xscale="log", yscale="log", xlabel="texts at once", ylabel="tokens a second")
        low.set_xticks([1, 16, 512], ["1", "16", "512"])
        low.minorticks_off()
        low.grid(alpha=FAINT)
        limit = limits[BATCHES.index(batch)]
        s = "s" * (batch > 1)
        longer = max(seconds, key=lambda name: seconds[name])
        return (
            f"{'An H100' if computer == 'H100' else 'This machine'}, {batch} text{s} of "
            f"{context:,} tokens. A step takes at least {_ms(seconds['weights'])} for the weights "
            f"and {_ms(seconds['caches'])} for the caches: the {longer} take longer. At most "
            f"{_tokens(limit)} tokens a second for all, {_tokens(limit / batch)} for each."
        )

    return explore(
        draw,
        computer=list(places),
        context=CONTEXTS,
        batch=SHOWN,
        start={"computer": "H100", "context": 8192, "batch": 1},
        play="batch",
        size=(9.2, 3.8),
        narrow=(3.5, 5.2),
    )


def _parts(
    config: Any, d: int, batch: int, context: int, forward_flops: Count, weight_bytes: Count
) -> dict[str, tuple[float, float, str, str]]:
    """What a step computes and reads for its weights and for its caches: FLOPs, bytes, look."""
    whole = batch * forward_flops(config, 1, context - 1)
    nothing_before = forward_flops(config, 1, 0)
    a_score = forward_flops(config, 1, 1) - nothing_before  # of each further position
    scores = batch * context * a_score
    caches = batch * 2 * config.n_layers * config.n_kv_heads * d * context * 2
    return {
        "weights": (whole - scores, weight_bytes(config, 2.0), BLUE, "o"),
        "caches": (scores, caches, ORANGE, "s"),
    }


def _ms(seconds: float) -> str:
    return f"{number(1e3 * seconds, 1)} ms" if seconds < 1 else f"{number(seconds, 1)} s"


def _tokens(speed: float) -> str:
    return f"{speed:,.0f}" if speed >= 10 else number(speed)
