"""Lab 09: a training that is stopped and goes on from its checkpoint, beside one that is not."""

from __future__ import annotations

import functools
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from plots.flipbook import Flipbook, explore
from plots.measure import one_thread
from plots.page import says
from plots.style import BLUE, GREY, INK, ORANGE, is_narrow, number

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

STOP, TOTAL = 40, 80  # steps
SMALL = {"dim": 64, "n_layers": 1, "n_heads": 4, "n_kv_heads": 2, "hidden_dim": 176}
FINDS = ["all of it", "no m and v", "step 0"]
Run = Callable[[nn.Module, dict, int, int], list[float]]


def resumed(
    save_checkpoint: Callable[..., None],
    load_checkpoint: Callable[..., Any],
    part_of_a_run: Run,
    Llama: type[nn.Module],
    LlamaConfig: Callable[..., Any],
    size: int,
) -> Flipbook:
    """Draw the losses of a run, and of one that goes on from a file: from all of it, or a part.

    part_of_a_run(model, moments, first, last): trains from step `first` to `last` - 1, in place,
    and returns the losses; with the number of the step as the seed of its batch.
    """

    def new(seed: int) -> nn.Module:
        config = LlamaConfig(**SMALL, vocab_size=size, max_seq_len=64, rope_base=10_000.0)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            return Llama(config)

    @functools.cache
    def unbroken() -> tuple[list[float], bytes]:
        """The losses of all steps, and the checkpoint that was written in between."""
        with tempfile.TemporaryDirectory() as folder, one_thread():
            path = Path(folder, "stopped.pt")
            model, moments = new(0), {}
            losses = part_of_a_run(model, moments, 0, STOP)
            save_checkpoint(path, model, moments, STOP)
            return losses + part_of_a_run(model, moments, STOP, TOTAL), path.read_bytes()

    @functools.cache
    def goes_on(finds: str) -> tuple[int, list[float]]:
        """The step that a new process begins with, and its losses."""
        with tempfile.TemporaryDirectory() as folder, one_thread():
            path, model = Path(folder, "stopped.pt"), new(1)
            path.write_bytes(unbroken()[1])
            moments, step = load_checkpoint(path, model)
            moments = {} if finds == "no m and v" else moments
            step = 0 if finds == "step 0" else step
            return step, part_of_a_run(model, moments, step, TOTAL)

    def draw(fig: Figure, finds: str) -> str:
        losses, (first, again) = unbroken()[0], goes_on(finds)
        if is_narrow(fig):
            left, right = fig.subplots(2, 1)
            fig.subplots_adjust(left=0.18, right=0.97, bottom=0.1, top=0.95, hspace=0.4)
        else:
            left, right = fig.subplots(1, 2)
            fig.subplots_adjust(left=0.07, right=0.98, bottom=0.16, top=0.9, wspace=0.22)
        _curves(left, losses, first, again)
        apart = [b - a for a, b in zip(losses[first:], again, strict=False)]
        _apart(right, first, apart)
        return _said(finds, first, apart)

    return explore(
        draw,
        finds=FINDS,
        start={"finds": FINDS[0]},
        labels={"finds": "the new process finds"},
        size=(9.6, 3.4),
        narrow=(3.1, 5.0),
    )


def _curves(axes: Axes, losses: list[float], first: int, again: list[float]) -> None:
    """The losses of both runs, over the number of the step."""
    axes.plot(range(1, TOTAL + 1), losses, "-", color=GREY, linewidth=3, alpha=0.6, gid="unbroken")
    axes.lines[-1].set_label("never stopped")
    x = range(first + 1, first + 1 + len(again))
    axes.plot(x, again, "-", color=BLUE, linewidth=1.2, label="from the file", gid="again")
    axes.axvline(STOP, color=INK, linewidth=0.8, linestyle=":")
    axes.annotate("stopped", (STOP, 4.4), (4, 0), textcoords="offset points", fontsize=9, va="top")
    if first != STOP:
        axes.axvline(first, color=ORANGE, linewidth=2, gid="begins")
        axes.annotate(f"begins at {first}", (first, 3.9), (4, 0), textcoords="offset points")
        axes.texts[-1].set(fontsize=9)
    axes.set(xlim=(0, TOTAL), ylim=(2.1, 4.5), xlabel="step", ylabel="loss of the batch")
    axes.legend(loc="upper right", fontsize=9, bbox_to_anchor=(1, 0.86))


def _apart(axes: Axes, first: int, apart: list[float]) -> None:
    """How much higher the loss is than in the run that was never stopped, at the same batch."""
    x = [first + 1 + i for i in range(len(apart))]
    axes.axhline(0, color=GREY, linewidth=0.8)
    axes.vlines(x, 0, apart, color=ORANGE, linewidth=1.5)
    axes.plot(x, apart, "o", color=ORANGE, markersize=3, gid="apart")
    dots = axes.scatter(x, apart, s=60, color="none", edgecolor="none")
    says(dots, [f"step {i}: {number(d, 3)} higher" for i, d in zip(x, apart, strict=True)])
    axes.axvline(STOP, color=INK, linewidth=0.8, linestyle=":")
    reach = max(0.1, 1.1 * max(map(abs, apart), default=0.0))
    axes.set(xlim=(0, TOTAL), ylim=(-reach, reach), xlabel="step")
    axes.set_title("difference from never stopped")


def _said(finds: str, first: int, apart: list[float]) -> str:
    largest = max(map(abs, apart), default=0.0)
    if first != STOP:
        return (
            f"It begins at step {first} of {TOTAL} again, with weights that have learned: it warms "
            "up anew, on batches that it has seen."
        )
    if largest < 1e-4:
        return f"It finds {finds}: every one of the {len(apart)} losses after the stop is the same."
    return (
        f"It finds {finds}: in the 20 steps after the stop the loss is "
        f"{number(sum(apart[:20]) / 20, 3)} higher on average, {number(largest, 3)} at most; in "
        f"the last 20 steps {number(sum(apart[-20:]) / 20, 3)}."
    )
