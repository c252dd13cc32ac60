"""Lab 10: texts at every setting, how they repeat and how they babble, and who waits how long."""

from __future__ import annotations

import functools
import re
import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from assets import shakespeare
from assets.shakespeare_llama import CONTEXT, VOCAB
from plots.flipbook import Flipbook, explore
from plots.measure import one_thread, short
from plots.show import once_written
from plots.style import BLUE, GREEN, INK, ORANGE, number

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Generate = Callable[..., Iterator[int]]

PROMPT = "ROMEO:\n"
BEGINNINGS = [PROMPT, "MIRANDA:\nMy lord, "]
FILTERS: dict[str, dict[str, Any]] = {"none": {}, "k = 5": {"k": 5}, "p = 0.9": {"p": 0.9}}
COLUMNS, ROWS = 52, 12  # of a page of text
SURPRISE = 0.02  # a character that the model had given less is marked


def regrow(generate: Generate, model: nn.Module) -> Flipbook:
    """Two texts that come out at each setting, with the same luck."""

    def draw(fig: Figure, temperature: float, filter: str) -> str:
        shown, marks, texts = "", [], []
        for beginning in BEGINNINGS:
            tokens = write(generate, model, beginning, temperature, 1, **FILTERS[filter])
            texts.append("".join(VOCAB[i] for i in tokens))
            odd = [x < SURPRISE for x in given(model, beginning, tokens)]
            shown += f"{beginning}{texts[-1]}\n\n"
            marks += [*[False] * len(beginning), *odd, False, False]
        axes = fig.add_axes((0.01, 0.01, 0.98, 0.98))
        letters(axes, shown, marks)
        words = [word for text in texts for word in words_of(text)]
        strange = sum(word not in vocabulary() for word in words)
        repeats = sum(map(repeated, texts)) / len(texts)
        return (
            f"Temperature {temperature:g}, filter: {filter}. {strange} of {len(words)} words are "
            f"none, {number(100 * repeats, 0)} % of the text repeats itself, and {sum(marks)} of "
            f"{sum(map(len, texts))} characters (underlined) had a probability below "
            f"{number(SURPRISE)}."
        )

    return explore(
        draw,
        temperature=[0, 0.5, 1, 1.5, 2],
        filter=list(FILTERS),
        start={"temperature": 1, "filter": "none"},
        play="temperature",
        size=(6.4, 2.8),
    )


HEATS = [0, 0.25, 0.5, 0.75, 1, 1.5, 2]


def degeneration(generate: Generate, model: nn.Module) -> Flipbook:
    """How much of the text repeats itself, and how many words are none, at each temperature."""

    @functools.cache
    def curves(filter: str) -> tuple[list[float], list[float]]:
        repeats, babble = [], []
        for heat in HEATS:
            texts = []
            for seed, beginning in enumerate(BEGINNINGS):
                tokens = write(generate, model, beginning, heat, seed, **FILTERS[filter])
                texts.append("".join(VOCAB[i] for i in tokens))
            repeats.append(100 * sum(map(repeated, texts)) / len(texts))
            words = [word for text in texts for word in words_of(text)]
            strange = sum(word not in vocabulary() for word in words)
            babble.append(100 * strange / max(len(words), 1))
        return repeats, babble

    def draw(fig: Figure, filter: str) -> str:
        axes = fig.add_axes((0.12, 0.19, 0.84, 0.66))
        repeats, babble = curves(filter)
        axes.plot(HEATS, repeats, "o-", color=BLUE, label="repeats itself", gid="repeats")
        axes.plot(HEATS, babble, "s--", color=ORANGE, label="words that are none", gid="babble")
        axes.axhline(human(), color=GREEN, linestyle=":", label="Shakespeare repeats himself")
        axes.set(xlabel="temperature", ylabel="per cent", ylim=(-2, 100), xlim=(-0.05, 2.05))
        axes.legend(ncols=3, loc="lower center", bbox_to_anchor=(0.48, 1.0), fontsize=9)
        cold, hot = repeats[0], babble[-1]
        middle = HEATS.index(0.75)
        return (
            f"Filter: {filter}. At temperature 0 {number(cold, 0)} % of the text repeats itself "
            f"(Shakespeare: {number(human(), 0)} %), at 2 {number(hot, 0)} % of the words are "
            f"none; at 0.75 it is {number(repeats[middle], 0)} % and {number(babble[middle], 0)} %."
        )

    return explore(draw, filter=["none", "p = 0.9"], size=(6.4, 3.0))


@once_written
def waiting(generate: Generate, model: nn.Module) -> None:
    """Print when the first token of a text is there, and when the last."""
    ids, length = ids_of(PROMPT), CONTEXT - len(PROMPT)
    rounds, firsts, lasts = 1 if short() else 5, [], []
    with one_thread():
        for seed in range(rounds + 1):
            generator = torch.Generator().manual_seed(seed)
            start, arrivals = time.perf_counter(), []
            for _ in generate(model, ids, length, generator=generator):
                arrivals.append(time.perf_counter() - start)
            firsts.append(arrivals[0])
            lasts.append(arrivals[-1])
    first, last = sorted(firsts)[len(firsts) // 2], sorted(lasts)[len(lasts) // 2]
    print(f"the first of {length} tokens is there after {first * 1e3:6.1f} ms")
    print(f"the last                         after {last * 1e3:6.1f} ms")
    print(f"who waits for the whole text waits {last / first:.0f} times as long")


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


def given(model: nn.Module, beginning: str, tokens: list[int]) -> list[float]:
    """The probability that the model gives each token after those before it."""
    ids = torch.cat([ids_of(beginning), torch.tensor([tokens], dtype=torch.long)], dim=1)
    with torch.no_grad():
        told = model(ids)[0].float().softmax(-1)
    return [float(told[len(beginning) - 1 + i, token]) for i, token in enumerate(tokens)]


def words_of(text: str) -> list[str]:
    """The words of a text in small letters; the last one may be cut off and is left out.

    >>> words_of("I'll not, Romeo, sta")
    ["i'll", 'not', 'romeo']
    """
    return re.findall(r"[a-z']+", text.lower())[:-1]


def repeated(text: str, size: int = 5) -> float:
    """The share of pieces of `size` characters that have occurred before in the text.

    >>> repeated("abcabc", size=3)   # abc, bca, cab, and abc again
    0.25
    """
    pieces = [text[i : i + size] for i in range(len(text) - size + 1)]
    return 1 - len(set(pieces)) / max(len(pieces), 1)


@functools.cache
def vocabulary() -> frozenset[str]:
    """The words of the plays."""
    return frozenset(re.findall(r"[a-z']+", shakespeare.text().lower()))


@functools.cache
def human() -> float:
    """How much of Shakespeare's own pieces of this length repeats itself, in per cent."""
    text, length = shakespeare.text(), CONTEXT - len(PROMPT)
    pieces = [text[i : i + length] for i in range(len(text) - 200 * length, len(text), length)]
    return 100 * sum(map(repeated, pieces)) / len(pieces)


def letters(axes: Axes, text: str, marked: list[bool]) -> None:
    """Print a text with its line breaks; marked letters in orange, underlined."""
    rows: list[list[tuple[str, bool]]] = []
    left = list(zip(text, marked, strict=True))
    while left:
        line = "".join(letter for letter, _ in left).partition("\n")[0]
        end = len(line)
        if end > COLUMNS:
            end = line.rfind(" ", 0, COLUMNS + 1)
            end = COLUMNS if end < 0 else end
        rows.append(left[:end])
        left = left[end:]
        if left and left[0][0] in " \n":
            left = left[1:]
    blank = "\N{NO-BREAK SPACE}"
    look = {"family": "monospace", "fontsize": 10.5, "va": "top", "clip_on": True}
    for place, row in enumerate(rows[:ROWS]):
        plain = "".join(blank if mark or c == " " else c for c, mark in row)
        odd = "".join(c if mark and c != " " else blank for c, mark in row).rstrip(blank)
        under = "".join("_" if mark else blank for _, mark in row).rstrip(blank)
        axes.text(0, -place, plain, color=INK, gid=f"line-{place}", **look)
        if odd.strip(blank):
            axes.text(0, -place, odd, color=ORANGE, **look)
        if under:
            axes.text(0, -place - 0.12, under, color=ORANGE, gid=f"marked-{place}", **look)
    axes.set(xlim=(0, 1), ylim=(0.2 - ROWS, 0.3), xticks=[], yticks=[])
    axes.spines[:].set_visible(False)
