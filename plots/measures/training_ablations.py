"""Lab 09: a small Llama, whole and with one part of it or of its recipe taken out."""

from __future__ import annotations

import functools
import statistics
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from plots.flipbook import Flipbook, explore
from plots.measures.training import SHORTER, Contestant, race
from plots.page import says
from plots.style import BLUE, FAINT, GREY, INK, ORANGE, is_narrow, number

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

SEEDS = 3
SECONDS = 4.0 / SHORTER
SMALL = {"dim": 64, "n_layers": 2, "n_heads": 4, "n_kv_heads": 2, "hidden_dim": 176}
RATE, WARMUP = 4e-3, 0.06  # peak; share of the time that the warm-up takes
DESCENT = 3.0  # peak of plain descent, the best of those tried: 0.1, 0.3, 1, 3, 10, 30
MUON = 5.0  # times RATE, for the layers' matrices
TAKEN_OUT = ["no RoPE", "no warm-up", "constant rate", "plain descent"]
PUT_IN = ["QK-norm", "Muon"]
PARTS = ["whole", *TAKEN_OUT, *PUT_IN]
Curve = list[tuple[float, int, float]]  # seconds, steps, loss on unseen text


class NormedHeads(nn.Module):
    """A projection whose heads are normed, each by itself. RoPE may follow: it keeps lengths."""

    def __init__(self, projection: nn.Module, head_dim: int) -> None:
        super().__init__()
        self.projection, self.scale = projection, nn.Parameter(torch.ones(head_dim))

    def forward(self, x: Tensor) -> Tensor:
        """(..., dim) → (..., heads · head_dim)."""
        heads = self.projection(x).unflatten(-1, (-1, len(self.scale)))
        return F.rms_norm(heads, self.scale.shape, self.scale, 1e-5).flatten(-2)


def changed(model: nn.Module, part: str) -> nn.Module:
    """Take one part out of a Llama, or put one in."""
    for layer in model.layers:
        if part == "no norm":
            layer.attention_norm, layer.ffn_norm = nn.Identity(), nn.Identity()
        if part == "no RoPE":
            layer.register_forward_pre_hook(_no_angles, with_kwargs=True)
        if part == "QK-norm":
            head_dim = SMALL["dim"] // SMALL["n_heads"]
            layer.attention.wq = NormedHeads(layer.attention.wq, head_dim)
            layer.attention.wk = NormedHeads(layer.attention.wk, head_dim)
    if part == "no norm":
        model.norm = nn.Identity()
    return model


def _no_angles(layer: nn.Module, args: tuple, kwargs: dict) -> tuple[tuple, dict]:
    """Every position looks like position 0."""
    if "angles" in kwargs:
        return args, kwargs | {"angles": torch.zeros_like(kwargs["angles"])}
    return (args[0], torch.zeros_like(args[1]), *args[2:]), kwargs


def rate_of(part: str, learning_rate: Callable[..., float]) -> Callable[[float, int], float]:
    """The learning rate of a contestant, from the share of its time that is over."""
    peak = DESCENT if part == "plain descent" else RATE
    warm = 0 if part == "no warm-up" else int(1000 * WARMUP)
    floor = peak if part == "constant rate" else peak / 30
    return lambda done, _: learning_rate(int(1000 * done), warm, 1000, peak, floor)


def ablations(
    Llama: type[nn.Module],
    LlamaConfig: Callable[..., Any],
    learning_rate: Callable[..., float],
    learn: Tensor,
    unseen: Tensor,
    size: int,
) -> Flipbook:
    """Train a small Llama whole and with one part changed, for equal time, from three starts."""

    def contestant(part: str, seed: int) -> Contestant:
        torch.manual_seed(seed)
        config = LlamaConfig(**SMALL, vocab_size=size, max_seq_len=64, rope_base=10_000.0)
        model, rate = changed(Llama(config), part), rate_of(part, learning_rate)
        how = {"descent": part == "plain descent", "muon": MUON if part == "Muon" else 0.0}
        return Contestant(model, learn, SECONDS, rate, seed=seed, **how)

    @functools.cache
    def curves() -> dict[str, list[Curve]]:
        learning_rate(0, 1, 2, 1.0, 0.0)  # it may not be written yet
        state = torch.get_rng_state()
        runs = {part: [contestant(part, seed) for seed in range(SEEDS)] for part in PARTS}
        torch.set_rng_state(state)
        race([run for row in runs.values() for run in row], unseen)
        return {part: [run.curve for run in row] for part, row in runs.items()}

    def draw(fig: Figure, compare: str, against: str) -> str:
        if is_narrow(fig):
            left, right = fig.subplots(2, 1)
            fig.subplots_adjust(left=0.36, right=0.92, bottom=0.1, top=0.98, hspace=0.35)
        else:
            left, right = fig.subplots(1, 2, width_ratios=(3, 2))
            fig.subplots_adjust(left=0.07, right=0.98, bottom=0.16, top=0.96, wspace=0.42)
        found = curves()
        _draw_curves(left, found, compare, against)
        _draw_ends(right, found, compare)
        said = [_said(part, found[part]) for part in dict.fromkeys(("whole", compare))]
        verdict = "" if compare == "whole" else f" {_verdict(found, compare)}"
        return f"{number(SECONDS, 1)} s each, mean of three starts: {'; '.join(said)}.{verdict}"

    return explore(
        draw,
        compare=PARTS,
        against=["seconds", "steps"],
        start={"compare": "no RoPE", "against": "seconds"},
        size=(9.6, 3.6),
        narrow=(3.1, 5.4),
    )


def _look(part: str, compare: str) -> tuple[str, str, float]:
    """Colour, marker and opacity: the whole model and the one compared stand out."""
    if part == "whole":
        return BLUE, "o", 1.0
    return (ORANGE, "s", 1.0) if part == compare else (GREY, ".", 2 * FAINT)


def _draw_curves(axes: Axes, found: dict[str, list[Curve]], compare: str, against: str) -> None:
    """Mean and spread over the starts, at each mark."""
    column = 0 if against == "seconds" else 1
    for part, row in found.items():
        color, marker, alpha = _look(part, compare)
        marks = list(zip(*row, strict=False))  # of each mark, that of all starts
        x = [sum(mark[column] for mark in each) / len(each) for each in marks]
        losses = [[mark[2] for mark in each] for each in marks]
        y = [sum(each) / len(each) for each in losses]
        axes.plot(x, y, f"{marker}-", color=color, alpha=alpha, markersize=4, linewidth=1.3)
        axes.lines[-1].set(gid=f"curve {part}", label=part)
        if alpha == 1:
            low, high = [min(each) for each in losses], [max(each) for each in losses]
            axes.fill_between(x, low, high, color=color, alpha=FAINT, linewidth=0)
    top = max(mark[2] for part in ("whole", compare) for run in found[part] for mark in run)
    low = min(mark[2] for row in found.values() for run in row for mark in run)
    axes.set(xlabel=against, ylabel="loss on unseen text", ylim=(low - 0.1, top + 0.1))
    shown = [line for line in axes.lines if line.get_label() in ("whole", compare)]
    axes.legend(handles=shown, loc="upper right", fontsize=9)


def _draw_ends(axes: Axes, found: dict[str, list[Curve]], compare: str) -> None:
    """Where the starts of each ended."""
    for place, part in enumerate(reversed(found)):
        ends = [curve[-1][2] for curve in found[part]]
        color, marker, alpha = _look(part, compare)
        axes.plot(ends, [place] * len(ends), marker, color=color, alpha=alpha, gid=part)
        dots = axes.scatter(ends, [place] * len(ends), s=90, color="none", edgecolor="none")
        says(dots, [f"{part}, start {i}: {number(end)}" for i, end in enumerate(ends, start=1)])
        middle = sum(ends) / len(ends)
        axes.plot([middle] * 2, [place - 0.3, place + 0.3], "-", color=INK, alpha=alpha)
    axes.set_yticks(range(len(found)), list(reversed(found)))
    axes.set(ylim=(-0.6, len(found) - 0.4), xlabel="at the end")
    axes.grid(axis="x")


def _said(part: str, row: list[Curve]) -> str:
    ends, steps = [curve[-1][2] for curve in row], [curve[-1][1] for curve in row]
    spread = f"{number(min(ends))} to {number(max(ends))}"
    middle = number(sum(ends) / len(ends))
    return f"{part} {middle} ({spread}) after {statistics.median(steps):,} steps"


def _verdict(found: dict[str, list[Curve]], part: str) -> str:
    """Say whether the three starts of one and of the other overlap."""
    whole, other = ([curve[-1][2] for curve in found[name]] for name in ("whole", part))
    if min(other) > max(whole):
        return f"Every start with {part} is worse than every whole one."
    if max(other) < min(whole):
        return f"Every start with {part} is better than every whole one."
    return "The starts overlap: three of them do not tell the two apart."
