"""Lab 02: the residual stream, which sub-layers add to, and a norm before or after each sum."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from assets.smollm2_stream import stream as real_stream
from plots.flipbook import Flipbook, explore
from plots.measures.rmsnorm import SEEDS, at_rates
from plots.page import says
from plots.style import BLUE, FAINT, GREEN, GREY, INK, ORANGE, is_narrow, number

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Norm = Callable[..., Tensor]

EVERY = 4  # sub-layers from one page to the next, in the real model, and twice that in the other
DEPTH, WIDTH, TOKENS = 64, 64, 16  # of the made-up stack: as many sub-layers as Llama 3 8B has
PRE, POST, NONE = "pre-norm", "post-norm", "no norm"
LOOKS = {PRE: (GREEN, "-", "o"), POST: (ORANGE, "--", "s"), NONE: (GREY, ":", "x")}
ABOVE = str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹")
TOP, HIGHEST = 10.0, 1.1  # sizes and losses beyond them leave the picture


def stream() -> Flipbook:
    """Show how large the vectors of a real model are, from sub-layer to sub-layer."""
    words, sizes, added = real_stream()
    depth = len(added)

    def draw(fig: Figure, sub_layers: int) -> str:
        narrow = is_narrow(fig)
        left = fig.add_axes((0.17, 0.56, 0.8, 0.36) if narrow else (0.055, 0.16, 0.56, 0.74))
        right = fig.add_axes((0.19, 0.11, 0.78, 0.3) if narrow else (0.7, 0.16, 0.29, 0.74))
        seen = range(sub_layers + 1)
        for token, word in enumerate(words[1:], start=1):
            (line,) = left.plot(
                seen,
                sizes[seen, token],
                color=BLUE,
                linewidth=1.3,
                linestyle="-",
                gid=f"size-{token}",
            )
            says(
                line, f"“{word}” after {sub_layers} sub-layers: {number(sizes[sub_layers, token])}"
            )
        middle = sizes[:, 1:].mean(1)
        pushed = left.bar(
            range(sub_layers),
            added[:sub_layers, 1:].mean(1),
            0.8,
            color=ORANGE,
            alpha=0.7,
            gid="added",
        )
        left.set(
            xlim=(-1, depth + 1),
            ylim=(0, 40),
            xlabel="" if narrow else "sub-layers passed",
            ylabel="size",
        )
        left.set_title("seven words, and what is added", fontsize=11 if narrow else 12)
        key = {"loc": "upper left", "fontsize": 9, "borderaxespad": 0.1}
        left.legend(
            [left.lines[0], pushed], ["each word's vector", "what one sub-layer adds"], **key
        )
        first = sizes[: sub_layers + 1, 0]
        (line,) = right.plot(seen, first, color=INK, gid="size-0")
        says(line, f"“{words[0]}” after {sub_layers} sub-layers: {number(first[-1], 0)}")
        right.set(
            xlim=(-1, depth + 1),
            ylim=(0, 1040),
            xlabel="sub-layers passed",
            yticks=[0, 250, 500, 750, 1000],
        )
        right.set_title(f"the first word, “{words[0]}”", fontsize=11 if narrow else 12)
        return (
            f"After {sub_layers} of {depth} sub-layers the seven words have size "
            f"{number(middle[sub_layers])} on average, from {number(middle[0])} at the start; the "
            f"first word has {number(first[-1], 1)}. Both scales are linear; the right one is 26 "
            "times longer."
        )

    steps = range(0, depth + 1, EVERY)
    return explore(
        draw,
        sub_layers=steps,
        start={"sub_layers": steps[-1]},
        play="sub_layers",
        labels={"sub_layers": "sub-layers"},
        size=(9.8, 3.6),
        narrow=(3.25, 4.4),
    )


def before_or_after(rms_norm: Norm) -> Flipbook:
    """Put the norm before each sub-layer or after each sum: what becomes of the stream."""

    @functools.cache
    def streams() -> dict[str, tuple[list[float], list[float]]]:
        return {kind: run(kind, rms_norm) for kind in LOOKS}

    @functools.cache
    def losses() -> dict[str, dict[float, list[float]]]:
        return {kind: at_rates(rms_norm, after=kind == POST) for kind in (PRE, POST)}

    def draw(fig: Figure, sub_layers: int) -> str:
        narrow, said = is_narrow(fig), []
        wide = [(0.05 + 0.335 * i, 0.16, 0.265, 0.73) for i in range(3)]
        stacked = [(0.19, 0.745, 0.78, 0.2), (0.19, 0.425, 0.78, 0.2), (0.19, 0.09, 0.78, 0.2)]
        size, share, loss = (fig.add_axes(box) for box in (stacked if narrow else wide))
        for kind, (sizes, shares) in streams().items():
            color, line, _ = LOOKS[kind]
            shown = sizes[: sub_layers + 1]
            kept = [value for value in shown if value <= TOP]
            (drawn,) = size.plot(kept, line, color=color, label=kind, gid=f"size-{kind}")
            says(drawn, f"{kind}: size {large(shown[-1])} after {sub_layers} sub-layers")
            if len(kept) < len(shown):
                size.plot([len(kept) - 0.6], [TOP], "^", color=color, markersize=8, clip_on=False)
                size.text(
                    len(kept) + 1.5, TOP, large(shown[-1]), color=color, fontsize=10, va="top"
                )
            if kind != NONE:
                (drawn,) = share.plot(
                    shares[: sub_layers + 1], line, color=color, label=kind, gid=f"share-{kind}"
                )
                says(drawn, f"{kind}: {percent(shares[sub_layers])} after {sub_layers} sub-layers")
                said.append(f"{number(shown[-1])} and {percent(shares[sub_layers])} with {kind}")
        size.set(title="size of the stream", xlim=(-1, DEPTH + 1), ylim=(0, TOP), yticks=[0, 5, 10])
        share.set(title="the token's own vector in it", xlim=(-1, DEPTH + 1), ylim=(0, 1.05))
        share.set_yticks([0, 0.5, 1], ["0", "50 %", "100 %"])
        for axes in (size, share):
            axes.set_xticks(range(0, DEPTH + 1, 16))
            axes.set_xlabel("" if narrow and axes is size else "sub-layers passed")
        share.legend(loc="upper right", fontsize=9)
        bars(loss, losses())
        loss.set_title("loss after training")
        best = {kind: sorted(at[max(at)])[SEEDS // 2] for kind, at in losses().items()}
        return (
            f"{sub_layers} of {DEPTH} sub-layers. Size of the stream, and how much of it is still "
            f"the token's own vector: {'; '.join(said)}. At the largest learning rate the loss "
            f"ends at {number(best[PRE])} with pre-norm and {number(best[POST])} with post-norm; "
            "who knows nothing has 1."
        )

    steps = range(0, DEPTH + 1, 2 * EVERY)
    return explore(
        draw,
        sub_layers=steps,
        start={"sub_layers": steps[-1]},
        play="sub_layers",
        labels={"sub_layers": "sub-layers"},
        size=(9.8, 3.5),
        narrow=(3.25, 5.3),
    )


def run(kind: str, rms_norm: Norm) -> tuple[list[float], list[float]]:
    """Send vectors through random sub-layers; the stream's size, and the share of the first vector.

    A sub-layer is down(relu(up(x))), drawn so that what comes out is as large as what goes in.
    """
    generator, ones = torch.Generator().manual_seed(0), torch.ones(WIDTH)

    def drawn(rows: int, columns: int, gain: float) -> Tensor:
        return gain * torch.randn(rows, columns, generator=generator) / math.sqrt(rows)

    x = torch.randn(2, TOKENS // 2, WIDTH, generator=generator)
    x = x / x.square().mean(-1, keepdim=True).sqrt()
    sizes, own = [1.0], torch.ones(2, TOKENS // 2)  # own: how large the first vector still is in x
    shares = [1.0]
    for _ in range(DEPTH):
        up, down = drawn(WIDTH, 4 * WIDTH, math.sqrt(2)), drawn(4 * WIDTH, WIDTH, 1.0)
        went_in = rms_norm(x, ones) if kind == PRE else x
        x = x + torch.relu(went_in @ up) @ down
        if kind == POST:
            normed = rms_norm(x, ones)
            own = own * normed.norm(dim=-1) / x.norm(dim=-1)
            x = normed
        size = x.square().mean(-1).sqrt()
        sizes.append(float(size.mean()))
        shares.append(float((own / size).mean()))
    return sizes, shares


def bars(axes: Axes, losses: dict[str, dict[float, list[float]]]) -> None:
    """A bar for each way and learning rate: the middle of three seeds, and dots for all three."""
    for shift, (kind, rates) in zip((-0.2, 0.2), losses.items(), strict=True):
        color, line, mark = LOOKS[kind]
        for place, (rate, seeds) in enumerate(rates.items()):
            shown = [min(value, HIGHEST) for value in sorted(seeds)]
            x = place + shift
            (bar,) = axes.bar([x], shown[1:2], 0.36, color=color, alpha=2 * FAINT, linestyle=line)
            bar.set(edgecolor=color, gid=f"loss-{kind}-{place}")
            axes.plot([x] * SEEDS, shown, mark, color=color, markersize=4, clip_on=False)
            axes.text(x, 1.2, number(sorted(seeds)[1]), ha="center", fontsize=9)
            told = ", ".join(number(value) for value in sorted(seeds))
            says(bar, f"{kind}, learning rate {rate:g}: {told}")
    axes.axhline(1, color=INK, linewidth=0.8, linestyle=":")
    rates = next(iter(losses.values()))
    axes.set_xticks(range(len(rates)), [f"{rate:g}" for rate in rates])
    axes.set(ylim=(0, 1.35), xlim=(-0.5, len(rates) - 0.5), yticks=[0, 0.5, 1])
    axes.set_xlabel("learning rate")


def large(value: float) -> str:
    """A size, short enough to stand beside an arrow."""
    if not math.isfinite(value):
        return "not a number"
    if value < 1000:
        return number(value)
    digit, _, exponent = f"{value:.0e}".partition("e+")
    return f"{digit} · 10{str(int(exponent)).translate(ABOVE)}"


def percent(share: float) -> str:
    """A share as the reader expects it: 0.13 is 13 %."""
    if not math.isfinite(share):
        return "nothing to measure"
    return f"{100 * share:.0f} %" if share > 0.005 else "less than 1 %"
