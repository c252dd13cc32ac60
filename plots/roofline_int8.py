"""Lab 12: what rounding to int8 does to the weights of a matrix, and to what comes out of it."""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from plots.flipbook import Flipbook, explore
from plots.measures.linear_maps import nibbles_of, unpacked
from plots.page import says
from plots.style import BLUE, FAINT, GREEN, GREY, INK, ORANGE, PINK, is_narrow, number, numbers

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Function = Callable[..., Any]

ROWS, COLUMNS = 4, 48
LOOKS = ((BLUE, "o"), (ORANGE, "s"), (GREEN, "^"), (PINK, "D"))  # of the rows
TIMES = [1, 3, 10, 30, 100, 300]  # how many times as large row 0 is
MATRIX = "blk.0.ffn_gate.weight"
TOKENS, SHOWN = 8, 64  # inputs, and outputs of each that are drawn


def rounded(quantize_int8: Function) -> Flipbook:
    """Weights against what their int8 numbers stand for, and the error of each row."""
    generator = torch.Generator().manual_seed(3)
    drawn = torch.randn(ROWS, COLUMNS, generator=generator)

    def draw(fig: Figure, times: int) -> str:
        weight = drawn * torch.tensor([float(times), 1, 1, 1])[:, None]
        q, scale = quantize_int8(weight)
        back = q.double() * scale.double().reshape(-1, 1)
        one = weight.abs().max() / 127
        together = (weight / one).round() * one
        narrow = is_narrow(fig)
        left = fig.add_axes((0.2, 0.55, 0.75, 0.4) if narrow else (0.08, 0.18, 0.4, 0.74))
        right = fig.add_axes((0.2, 0.11, 0.75, 0.3) if narrow else (0.61, 0.18, 0.37, 0.74))
        errors, whole = [], []
        for row, (color, marker) in enumerate(LOOKS):
            size = float(weight[row].abs().mean())
            # Each row in units of its own, or the small ones could not be seen beside row 0.
            across, up = numbers(weight[row] / size), numbers(back[row] / size)
            gid = f"row-{row}"
            left.plot(
                across, up, marker, color=color, ms=4, mfc="none", label=f"row {row}", gid=gid
            )
            errors.append(100 * float((back[row] - weight[row]).abs().mean()) / size)
            whole.append(100 * float((together[row] - weight[row]).abs().mean()) / size)
        left.axline((0, 0), slope=1, color=GREY, lw=1, zorder=0)
        left.set(xlim=(-4, 4), ylim=(-4, 4), xlabel="weight (row's mean size: 1)")
        left.set(ylabel="number · scale")
        left.grid(alpha=FAINT)
        for row, (color, _) in enumerate(LOOKS):
            (bar,) = right.bar([row - 0.2], [max(errors[row], 0.05)], 0.36, color=color)
            bar.set(gid=f"error-{row}", alpha=0.8)
            says(bar, f"row {row}: off by {number(errors[row])} % of its mean size")
            (bar,) = right.bar([row + 0.2], [max(whole[row], 0.05)], 0.36, color="none", ls="--")
            bar.set(gid=f"one-{row}", edgecolor=INK)
            says(bar, f"row {row} with one scale for all: {number(whole[row])} %")
        right.set(yscale="log", ylim=(0.05, 400), ylabel="error, % of a weight")
        right.set_yticks([0.1, 1, 10, 100], ["0.1", "1", "10", "100"])
        right.minorticks_off()
        right.set_xticks(range(ROWS), [f"row {row}" for row in range(ROWS)])
        as_large = "as large as the others" if times == 1 else f"{times} times as large"
        return (
            f"Row 0 is {as_large}. With your scales it is off by {number(errors[0])} % of its mean "
            f"size and row 1 by {number(errors[1])} %. With one scale for all (dashed) row 1 "
            f"would be off by {number(whole[1])} %."
        )

    return explore(
        draw,
        times=TIMES,
        start={"times": 30},
        play="times",
        labels={"times": "row 0 is larger"},
        size=(8.4, 3.6),
        narrow=(3.5, 5.2),
    )


def outputs(quantize_int8: Function, int8_linear: Function, path: Path | None) -> Flipbook:
    """Outputs of a layer by the learner's int8_linear against the exact ones."""

    @functools.cache
    def layer() -> tuple[Tensor, Tensor, str]:
        generator = torch.Generator().manual_seed(5)
        if path is None:
            weight = torch.randn(256, 192, generator=generator) / 14
            name = "a made-up layer"
        else:
            from assets import smollm2

            weight = unpacked(*nibbles_of(smollm2.read(path).tensors[MATRIX]))
            name = "w_gate of SmolLM2's layer 0"
        return weight, torch.randn(TOKENS, weight.shape[1], generator=generator), name

    def draw(fig: Figure, token: int) -> str:
        weight, x, name = layer()
        exact = x[token] @ weight.T
        got = int8_linear(x[token], *quantize_int8(weight))
        axes = fig.add_axes(
            (0.24, 0.16, 0.72, 0.76) if is_narrow(fig) else (0.13, 0.14, 0.84, 0.82)
        )
        limit = 1.15 * float(exact[:SHOWN].abs().max())
        axes.axline((0, 0), slope=1, color=GREY, lw=1, zorder=0)
        look: dict[str, Any] = {"color": BLUE, "ms": 5, "mfc": "none", "gid": "outputs"}
        axes.plot(numbers(exact[:SHOWN]), numbers(got)[:SHOWN], "o", **look)
        axes.set(xlim=(-limit, limit), ylim=(-limit, limit), aspect="equal")
        axes.set(xlabel="exact output", ylabel="with int8 weights")
        axes.grid(alpha=FAINT)
        off = float((got.double() - exact.double()).abs().mean() / exact.abs().mean())
        return (
            f"{SHOWN} of the {len(exact):,} outputs of {name}, input {token}. On average they are "
            f"off by {number(100 * off)} % of their size."
        )

    return explore(draw, token=range(TOKENS), play="token", size=(4.6, 4.2), narrow=(3.5, 3.5))
