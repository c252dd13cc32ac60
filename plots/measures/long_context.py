"""Lab 13: the loss at each place of a long text, and across a gap in its positions."""

from __future__ import annotations

import copy
import functools
import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from assets import shakespeare
from assets.shakespeare_llama import CONTEXT, VOCAB
from plots.flipbook import Flipbook, explore
from plots.measure import one_thread, short
from plots.page import says
from plots.show import counted
from plots.style import BLUE, GREEN, GREY, INK, ORANGE, PINK, is_narrow, number

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Function = Callable[..., Any]
Look = dict[str, Any]
Rules = Mapping[str, Callable[[Tensor, float], Tensor]]

WAITS = "This cell waits for the real model: the cell that loads it says why."
LEARNED = 0.9  # of the plays; the small model has never seen the rest
LENGTH, GROUP = 512, 64  # characters of a piece, and of a point in the picture
PIECES = 2 if short() else 12
HALF = 16 if short() else 192  # tokens before the gap, and after it
GAPS = [0, 16_000] if short() else [0, 2_000, 8_000, 10_000, 12_000, 14_000, 16_000, 40_000]
FEW = [0, 16_000] if short() else [0, 8_000, 16_000, 40_000]  # with several rules
LARGE_CONTEXT = 8192  # positions on which SmolLM2 was trained
LOOKS = [(BLUE, "-", "o"), (GREEN, "--", "s"), (ORANGE, "-.", "^"), (PINK, ":", "D")]
AS_TRAINED: Rules = {"as trained": lambda frequencies, base: frequencies}


def loaded(load_llama: Function, path: Path | None) -> tuple[nn.Module | None, Any]:
    """SmolLM2 and its tokenizer, or twice None where its file or load_llama is missing."""
    if path is None:
        print(WAITS)
        return None, None
    from assets import gguf, smollm2

    if short():
        torch.set_num_threads(1)  # other runs may be on the same cores
    try:
        model = load_llama(path)
    except NotImplementedError as error:
        print(f"✎ {error} is not written yet")
        return None, None
    return model.eval(), smollm2.tokenizer(gguf.read(path))


def unread(piece: int, length: int = LENGTH) -> Tensor:
    """A piece of the plays that the small model has never seen: (1, length + 1) ids."""
    text = shakespeare.text()
    text = "".join(letter for letter in text[int(LEARNED * len(text)) :] if letter in set(VOCAB))
    start = piece * (len(text) - length - 1) // max(PIECES, 1)
    return torch.tensor([[VOCAB.index(letter) for letter in text[start : start + length + 1]]])


def base_of(model: Any) -> tuple[int, float]:
    """Head size and RoPE's base."""
    return model.config.dim // model.config.n_heads, model.config.rope_base


def by_position(
    token_losses: Function,
    model: nn.Module,
    turned_by: Function | None = None,
    rope_frequencies: Function | None = None,
    rules: Rules = AS_TRAINED,
) -> Flipbook:
    """The small model's mean loss at each place of texts longer than those of its training."""

    @functools.cache
    def measured() -> dict[str, list[float]]:
        curves = {}
        with one_thread():
            for name, rule in counted(rules.items(), "rule"):
                if turned_by is None or rope_frequencies is None:
                    losses = [token_losses(model, unread(i)) for i in range(PIECES)]
                else:
                    d, base = base_of(model)
                    with turned_by(model, rule(rope_frequencies(d, base), base)):
                        losses = [token_losses(model, unread(i)) for i in range(PIECES)]
                mean = torch.stack([loss.flatten().float() for loss in losses]).mean(0)
                curves[name] = [float(part.mean()) for part in mean.split(GROUP)]
        return curves

    def draw(fig: Figure, up_to: int) -> str:
        curves = measured()
        axes = _axes(fig, len(curves))
        ends = []
        for (name, losses), (color, dash, mark) in zip(curves.items(), LOOKS, strict=False):
            places = [GROUP * (i + 1) for i in range(len(losses))]
            look: Look = {"color": color, "linestyle": dash, "marker": mark, "markersize": 5}
            axes.plot(places, losses, label=name, gid=f"loss-{name}", **look)
            here = losses[min(up_to // GROUP, len(losses)) - 1]
            (dot,) = axes.plot([up_to], [here], "o", color=color, markersize=11, alpha=0.4)
            says(dot, f"{name}, characters {up_to - GROUP + 1} to {up_to}: {number(here)}")
            ends.append((name, here))
        _limits(axes, CONTEXT, f"trained on {CONTEXT}", math.log(len(VOCAB)))
        axes.set(ylim=(1, 4.5), xlim=(30, LENGTH + 20), ylabel="loss, nats a character")
        axes.set(xlabel="characters read", xticks=[64, 128, 256, 384, 512])
        if len(curves) > 1:
            _legend(fig, axes)
        told = ", ".join(f"{name} {number(value)}" for name, value in ends)
        return (
            f"Characters {up_to - GROUP + 1} to {up_to} of {PIECES} passages: mean loss {told}. "
            f"Guessing among {len(VOCAB)} costs {number(math.log(len(VOCAB)))} (dotted)."
        )

    stops = range(GROUP, LENGTH + 1, GROUP)
    return explore(
        draw, up_to=stops, start={"up_to": LENGTH}, play="up_to", labels={"up_to": "characters"},
        size=(8.6, 3.2), narrow=(3.4, 3.6),
    )  # fmt: skip


class GoesOn:
    """A model that has read a text already: its new caches are copies of those that are filled."""

    def __init__(self, model: Any, ids: Tensor, more: int) -> None:
        self.model = model
        self.filled = model.new_caches(1, ids.shape[1] + more)
        with torch.no_grad():
            model(ids, self.filled)

    def new_caches(self, batch: int, max_len: int) -> list:
        """Caches with room for what comes, in which the text stands."""
        return copy.deepcopy(self.filled)

    def __call__(self, ids: Tensor, caches: list | None = None) -> Tensor:
        """ids: (1, T) → logits (1, T, V)."""
        return self.model(ids, caches)


def gap(
    token_losses: Function,
    turned_by: Function,
    rope_frequencies: Function,
    model: nn.Module | None,
    tokenizer: Any,
    rules: Rules = AS_TRAINED,
) -> Flipbook | None:
    """SmolLM2's loss on the second half of a text whose positions are moved away by a gap."""
    if model is None:
        print(WAITS)
        return None
    gaps = GAPS if len(rules) == 1 else FEW

    @functools.cache
    def measured() -> dict[str, list[float]]:
        ids = torch.tensor([tokenizer.encode(passage()).ids[: 2 * HALF]])
        d, base = base_of(model)
        curves: dict[str, list[float]] = {name: [] for name in rules}
        told = {}
        for name, away in counted([(name, away) for name in rules for away in gaps], "point"):
            turn = rules[name](rope_frequencies(d, base), base)
            if name not in told:
                with turned_by(model, turn):
                    told[name] = GoesOn(model, ids[:, :HALF], HALF)
            with turned_by(model, turn, away):
                losses = token_losses(told[name], ids[:, HALF:], HALF)
            curves[name].append(float(losses.float().mean()))
        return curves

    def draw(fig: Figure, gap: int) -> str:
        curves = measured()
        axes = _axes(fig, len(curves))
        ends = []
        for (name, losses), (color, dash, mark) in zip(curves.items(), LOOKS, strict=False):
            look: Look = {"color": color, "linestyle": dash, "marker": mark, "markersize": 5}
            thousands = [away / 1000 for away in gaps]
            axes.plot(thousands, losses, label=name, gid=f"loss-{name}", **look)
            here = losses[gaps.index(gap)]
            (dot,) = axes.plot([gap / 1000], [here], "o", color=color, markersize=11, alpha=0.4)
            says(dot, f"{name}, a gap of {gap:,}: {number(here)}")
            ends.append((name, here))
        _limits(axes, LARGE_CONTEXT / 1000, "trained on 8,192", None)
        axes.set(ylim=(3, 8), xlim=(-1, 42), xlabel="gap, thousands of positions")
        axes.set_ylabel("loss, nats a token")
        if len(curves) > 1:
            _legend(fig, axes)
        told = ", ".join(f"{name} {number(value)}" for name, value in ends)
        return (
            f"A gap of {gap:,} before the second half of {2 * HALF} tokens: mean loss there {told}."
        )

    return explore(
        draw, gap=gaps, start={"gap": gaps[-1]}, play="gap", size=(8.6, 3.2), narrow=(3.4, 3.6)
    )


def passage() -> str:
    """The beginning of the sample of plays, the same on every machine."""
    return shakespeare.SAMPLE.read_text(encoding="utf-8")[:4000]


def _limits(axes: Axes, trained: float, name: str, guessing: float | None) -> None:
    axes.axvline(trained, color=INK, linestyle="--", linewidth=1, gid="trained")
    top = axes.get_xaxis_transform()
    axes.text(trained, 1.0, f" {name}", transform=top, va="top", fontsize=10)
    if guessing:
        axes.axhline(guessing, color=GREY, linestyle=":", linewidth=1.5, gid="guessing")
        axes.text(LENGTH, guessing + 0.05, "guessing", ha="right", va="bottom", fontsize=10)


def _axes(fig: Figure, curves: int) -> Axes:
    """Room for a legend where there are several curves: beside them, or below on a narrow page."""
    if is_narrow(fig):
        return fig.add_axes((0.18, 0.15, 0.78, 0.8) if curves == 1 else (0.18, 0.35, 0.78, 0.62))
    return fig.add_axes((0.08, 0.16, 0.9 if curves == 1 else 0.7, 0.8))


def _legend(fig: Figure, axes: Axes) -> None:
    if is_narrow(fig):
        axes.legend(fontsize=9, loc="upper center", bbox_to_anchor=(0.44, -0.2), ncols=2)
    else:
        axes.legend(fontsize=10, loc="center left", bbox_to_anchor=(1.01, 0.5), handlelength=2.8)
