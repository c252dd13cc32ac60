"""Lab 10: how texts repeat and how they babble at each setting, and who waits how long."""

from __future__ import annotations

import functools
import math
import re
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from assets import shakespeare
from assets.shakespeare_llama import CONTEXT, VOCAB
from plots.flipbook import Flipbook, explore
from plots.measure import one_thread, short
from plots.show import counted, once_written
from plots.style import BLUE, GREEN, INK, ORANGE, number

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Generate = Callable[..., Iterator[int]]

PROMPT = "ROMEO:\n"
BEGINNINGS = [PROMPT, "MIRANDA:\nMy lord, "]
HEATS = [0, 1, 2] if short() else [0, 0.5, 0.75, 1, 1.5, 2]
TEXTS = 2 if short() else 8  # at each setting
META = (0.6, {"p": 0.9})  # the defaults of Llama 3's own code
PIECE = 5  # characters of which it is asked whether they have occurred before
LEARNED = 0.9  # of the plays; the model has never seen the rest

LOOKS = (("no filter", BLUE, "o", "-"), ("p = 0.9", ORANGE, "s", "--"))
STAR = {"color": INK, "markersize": 11, "zorder": 5}

WORD = re.compile(r"[a-z]+(?:'[a-z]+)*")
SMALL = re.compile(r"(?<![A-Za-z'])[a-z]+(?:'[a-z]+)*")  # no capital: names are left out


@dataclass(frozen=True)
class Tally:
    """What several texts of one setting have in common, in per cent, with standard errors."""

    repeated: float
    repeated_error: float
    invented: float
    invented_error: float


def degeneration(generate: Generate, model: nn.Module) -> Flipbook:
    """How much of the text repeats itself, and how many words are invented, at each temperature."""

    @functools.cache
    def measured() -> dict[str, list[Tally]]:
        curves: dict[str, list[Tally]] = {"no filter": [], "p = 0.9": []}
        for name, heat in counted([(name, heat) for name in curves for heat in HEATS], "setting"):
            setting = {} if name == "no filter" else {"p": 0.9}
            curves[name].append(tally_of(generate, model, heat, setting))
        return curves | {"Meta": [tally_of(generate, model, *META)]}

    def draw(fig: Figure) -> str:
        curves = measured()
        repeats, invents, plane = (
            fig.add_axes((x, 0.17, 0.255, 0.72)) for x in (0.06, 0.395, 0.73)
        )
        _panel(repeats, curves, "repeated", human(), "repeats itself, %")
        _panel(invents, curves, "invented", unread(), "invented words, %")
        _plane(plane, curves)
        bare, cut, meta = curves["no filter"], curves["p = 0.9"][-1], curves["Meta"][0]
        return (
            f"At temperature {HEATS[0]:g} {number(bare[0].repeated, 0)} % of the text repeats "
            f"itself (Shakespeare, green: {number(human(), 0)} %). At {HEATS[-1]:g} "
            f"{_with_error(bare[-1])} % of the words are invented, with p = 0.9 {_with_error(cut)} "
            f"% (what the model has not read of Shakespeare has {number(unread(), 0)} % words that "
            f"are new to it). The star, Meta's 0.6 with p = 0.9: {number(meta.repeated, 0)} % and "
            f"{number(meta.invented, 0)} %. Bars: standard errors. On the right the same numbers, "
            "one against the other: from stammer, at the right, to babble, at the top."
        )

    return explore(draw, size=(10.4, 3.2))


def _with_error(tally: Tally) -> str:
    return f"{number(tally.invented, 0)} ± {number(tally.invented_error, 0)}"


def _panel(
    axes: Axes, curves: dict[str, list[Tally]], of: str, shakespeare_s: float, label: str
) -> None:
    for name, color, marker, dash in LOOKS:
        values = [getattr(tally, of) for tally in curves[name]]
        errors = [getattr(tally, f"{of}_error") for tally in curves[name]]
        below = [min(e, v) for e, v in zip(errors, values, strict=True)]
        look = {"color": color, "marker": marker, "linestyle": dash, "markersize": 5, "capsize": 2}
        drawn = axes.errorbar(HEATS, values, yerr=[below, errors], label=name, **look)
        drawn.lines[0].set_gid(f"{of}-{name}")
    star = [getattr(curves["Meta"][0], of)]
    axes.plot([META[0]], star, "*", gid=f"{of}-meta", **STAR)
    axes.axhline(shakespeare_s, color=GREEN, linestyle=":", gid=f"{of}-human")
    _root(axes.set_yscale, axes.set_yticks)
    axes.set(xlabel="temperature", title=label, ylim=(0, 80), xlim=(-0.1, 2.1))
    axes.title.set_fontsize(10)
    axes.tick_params(labelsize=10)
    if of == "repeated":
        axes.legend(fontsize=10, loc="upper right")
    else:
        axes.text(-0.05, 1.1 * shakespeare_s, "Shakespeare", va="bottom", fontsize=10)
        axes.annotate(
            "Meta's", (META[0], star[0]), (3, -12), textcoords="offset points", fontsize=10
        )


def _plane(axes: Axes, curves: dict[str, list[Tally]]) -> None:
    """Each setting as a point: how much repeats itself, how many words are invented."""
    for name, color, marker, dash in LOOKS:
        across = [tally.repeated for tally in curves[name]]
        up = [tally.invented for tally in curves[name]]
        axes.plot(across, up, color=color, marker=marker, linestyle=dash, markersize=5, gid=name)
        for heat, x, y in zip(HEATS, across, up, strict=True):
            if name == "no filter" and heat in (0, 1, 2):
                axes.annotate(f"{heat:g}", (x, y), (5, 4), textcoords="offset points", fontsize=10)
    axes.plot([curves["Meta"][0].repeated], [curves["Meta"][0].invented], "*", **STAR)
    look = {"color": GREEN, "marker": "D", "markersize": 8, "linestyle": "none"}
    axes.plot([human()], [unread()], gid="Shakespeare", **look)
    axes.annotate(
        "Shakespeare", (human(), unread()), (9, -4), textcoords="offset points", fontsize=10
    )
    _root(axes.set_xscale, axes.set_xticks)
    _root(axes.set_yscale, axes.set_yticks)
    axes.set(xlim=(0, 50), ylim=(0, 80), xlabel="repeats itself, %", title="invented words, %")
    axes.title.set_fontsize(10)
    axes.tick_params(labelsize=10)


def _root(scale: Callable[..., Any], ticks: Callable[..., Any]) -> None:
    """An axis by square roots: 1 % and 60 % are both to be read; its ticks say so."""
    scale("function", functions=(lambda y: abs(y) ** 0.5, lambda y: y**2))
    ticks([0, 1, 5, 10, 20, 40, 80])


def tally_of(generate: Generate, model: nn.Module, heat: float, setting: dict[str, Any]) -> Tally:
    """Write texts at one setting, and count them together; at temperature 0 there is no luck."""
    count = len(BEGINNINGS) if heat == 0 else TEXTS
    texts = []
    for seed in range(count):
        beginning = BEGINNINGS[seed % len(BEGINNINGS)]
        tokens = write(generate, model, beginning, heat, seed, **setting)
        texts.append("".join(VOCAB[i] for i in tokens))
    shares = torch.tensor([repeated(text) for text in texts], dtype=torch.float64)
    words = [word for text in texts for word in words_of(text)]
    strange = sum(word not in learned() for word in words)
    # Laplace's share for the error, so that none of a few words is not taken for never.
    near = (strange + 1) / (len(words) + 2)
    return Tally(
        100 * float(shares.mean()),
        100 * float(shares.std()) / math.sqrt(count),
        100 * strange / max(len(words), 1),
        100 * math.sqrt(near * (1 - near) / max(len(words), 1)),
    )


@once_written
def waiting(generate: Generate, generate_greedy: Callable[..., Tensor], model: nn.Module) -> None:
    """Print when the first token of a text is there, when the last, and when without a cache."""
    ids, length = ids_of(PROMPT), CONTEXT - len(PROMPT)
    rounds, firsts, lasts, uncached = 1 if short() else 5, [], [], []
    with one_thread():
        for seed in counted(range(rounds + 1), "round"):
            generator = torch.Generator().manual_seed(seed)
            start, arrivals = time.perf_counter(), []
            for _ in generate(model, ids, length, generator=generator):
                arrivals.append(time.perf_counter() - start)
            firsts.append(arrivals[0])
            lasts.append(arrivals[-1])
            start = time.perf_counter()
            with torch.no_grad():
                generate_greedy(model, ids, length)
            uncached.append(time.perf_counter() - start)
    first, last, slow = (sorted(x)[len(x) // 2] * 1e3 for x in (firsts, lasts, uncached))
    print(f"the first of {length} letters is there after {first:6.1f} ms, {first / last:.0%}")
    print(f"the last                          after {last:6.1f} ms")
    print(
        f"the last, without a cache         after {slow:6.1f} ms, {slow / last:.1f} times as long"
    )


def write(
    generate: Generate,
    model: nn.Module,
    beginning: str,
    temperature: float,
    seed: int,
    **setting: Any,
) -> list[int]:
    """Write on after a beginning, as far as the model can see: the new tokens."""
    generator, room = torch.Generator().manual_seed(seed), CONTEXT - len(beginning)
    settings = {"temperature": temperature, "generator": generator, **setting}
    with one_thread():
        return [int(token) for token in generate(model, ids_of(beginning), room, **settings)]


def ids_of(text: str) -> Tensor:
    """(1, T)."""
    return torch.tensor([[VOCAB.index(letter) for letter in text]])


def words_of(text: str) -> list[str]:
    """The words without a capital; the last one may be cut off and is left out.

    >>> words_of("I'll not, Romeo, stay. I'm lov'd, i'faith, tru")
    ['not', 'stay', "lov'd", "i'faith"]
    """
    return SMALL.findall(text)[:-1]


def repeated(text: str, size: int = PIECE) -> float:
    """The share of pieces of `size` characters that have occurred before in the text.

    >>> repeated("abcabc", size=3)   # abc, bca, cab, and abc again
    0.25
    """
    pieces = [text[i : i + size] for i in range(len(text) - size + 1)]
    return 1 - len(set(pieces)) / max(len(pieces), 1)


@functools.cache
def learned() -> frozenset[str]:
    """The words of that part of the plays from which the model has learned, in small letters."""
    text = shakespeare.text()
    return frozenset(WORD.findall(text[: int(LEARNED * len(text))].lower()))


@functools.cache
def unread() -> float:
    """How many of Shakespeare's own words in the other part are not among these, in per cent."""
    text = shakespeare.text()
    words = words_of(text[int(LEARNED * len(text)) :])
    return 100 * sum(word not in learned() for word in words) / len(words)


@functools.cache
def human() -> float:
    """How much of Shakespeare's own pieces of a text's length repeats itself, in per cent."""
    text, length = shakespeare.text(), CONTEXT - len(PROMPT)
    pieces = [text[i : i + length] for i in range(len(text) - 200 * length, len(text), length)]
    return 100 * sum(map(repeated, pieces)) / len(pieces)
