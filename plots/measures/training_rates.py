"""Lab 09: the loss over the learning rate, by the number of layers, with norms and without."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from plots.flipbook import Flipbook, explore
from plots.measures.training import SHORTER, Contestant, race
from plots.measures.training_ablations import changed
from plots.page import says
from plots.style import BLUE, GREY, ORANGE, is_narrow, number

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

RATES = [1e-3, 3e-3, 1e-2, 3e-2, 1e-1]
STEPS = {2: 120, 12: 60, 32: 30}  # by the number of layers
SMALL = {"dim": 32, "n_heads": 2, "n_kv_heads": 1, "hidden_dim": 64}
HOW = {"batch": 4, "context": 32}
LOOKS = {"whole": (BLUE, "o-"), "no norm": (ORANGE, "s--")}
BROKEN = 4.16  # the loss of all characters alike: who ends above it has learned nothing
TOP = 4.4


def rates(
    Llama: type[nn.Module],
    LlamaConfig: Callable[..., Any],
    learning_rate: Callable[..., float],
    learn: Tensor,
    unseen: Tensor,
    size: int,
) -> Flipbook:
    """Train Llamas of 2, 12 and 32 layers at five rates each, whole and without norms."""

    def contestant(depth: int, part: str, peak: float) -> Contestant:
        torch.manual_seed(0)
        config = LlamaConfig(
            **SMALL, n_layers=depth, vocab_size=size, max_seq_len=64, rope_base=10_000.0
        )
        total = max(4, STEPS[depth] // SHORTER)

        def rate(_: float, step: int) -> float:
            return learning_rate(step, total // 5, total, peak, peak / 30)

        model = changed(Llama(config), part)
        return Contestant(model, learn, math.inf, rate, max_steps=total, **HOW)

    @functools.cache
    def ends() -> dict[int, dict[str, list[float]]]:
        """By layers and part, the loss at each rate."""
        learning_rate(0, 1, 2, 1.0, 0.0)  # it may not be written yet
        state = torch.get_rng_state()
        runs = {
            depth: {part: [contestant(depth, part, peak) for peak in RATES] for part in LOOKS}
            for depth in STEPS
        }
        torch.set_rng_state(state)
        race([run for by in runs.values() for row in by.values() for run in row], unseen)
        return {
            depth: {part: [run.curve[-1][2] for run in row] for part, row in by.items()}
            for depth, by in runs.items()
        }

    def draw(fig: Figure) -> str:
        if is_narrow(fig):
            panels = fig.subplots(3, 1)
            fig.subplots_adjust(left=0.2, right=0.97, bottom=0.08, top=0.95, hspace=0.55)
        else:
            panels = fig.subplots(1, 3, sharey=True)
            fig.subplots_adjust(left=0.075, right=0.985, bottom=0.16, top=0.9, wspace=0.1)
        found = ends()
        low = min(end for by in found.values() for row in by.values() for end in row if end == end)
        for axes, depth in zip(panels, found, strict=True):
            _draw(axes, found[depth])
            axes.set(ylim=(low - 0.1, TOP), title=f"{depth} layers, {STEPS[depth]} steps")
        for axes in panels if is_narrow(fig) else panels[:1]:
            axes.set_ylabel("loss on unseen text")
        panels[0].legend(loc="upper left", bbox_to_anchor=(0.05, 0.85), fontsize=9)
        return "; ".join(_said(depth, found[depth]) for depth in found) + "."

    return explore(draw, size=(10.0, 3.6), narrow=(3.1, 7.2))


def _draw(axes: Axes, found: dict[str, list[float]]) -> None:
    """One curve a part; who broke stands at the upper edge, with an arrow head."""
    for part in LOOKS:
        color, line = LOOKS[part]
        shown = [min(end, TOP - 0.05) if end == end else TOP - 0.05 for end in found[part]]
        axes.plot(RATES, shown, line, color=color, label=part, gid=f"rates {part}")
        for rate, end, y in zip(RATES, found[part], shown, strict=True):
            if broken := not end < BROKEN:
                axes.plot([rate], [y], "^", color=color, markersize=9, clip_on=False)
            dot = axes.scatter([rate], [y], s=90, color="none", edgecolor="none")
            says(dot, [f"{part}, rate {rate:g}: {'broken' if broken else number(end)}"])
    axes.axhline(BROKEN, color=GREY, linewidth=0.8, linestyle=":")
    axes.set(xscale="log", xlabel="learning rate (log)")
    axes.set_xticks([1e-3, 1e-2, 1e-1], ["0.001", "0.01", "0.1"])
    axes.minorticks_off()


def _said(depth: int, found: dict[str, list[float]]) -> str:
    words = []
    for part in LOOKS:
        good = [(end, rate) for end, rate in zip(found[part], RATES, strict=True) if end < BROKEN]
        best = f"{number(min(good)[0])} at rate {min(good)[1]:g}" if good else "nothing learned"
        broken = [f"{r:g}" for r, end in zip(RATES, found[part], strict=True) if not end < BROKEN]
        where = "every rate" if len(broken) == len(RATES) else ", ".join(broken)
        words.append(f"{part} broken at {where}" if not good else f"{part} {best}")
        words[-1] += f", broken at {where}" if good and broken else ""
    return f"{depth} layers: " + "; ".join(words)
