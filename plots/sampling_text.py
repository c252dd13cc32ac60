"""Lab 10: a text that grows anew at every setting, under the bars of its first letter."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from assets.shakespeare_llama import VOCAB
from plots.flipbook import Flipbook, explore
from plots.measures.sampling import PROMPT, ids_of, learned, repeated, words_of, write
from plots.sampling_bars import asked, by_size, few, kept_and_removed, probabilities, said, token
from plots.style import INK, ORANGE, is_narrow, number

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

READ = "O, th"
COLUMNS, NARROW_COLUMNS = 56, 36  # of a page of text
ROWS, NARROW_ROWS = 9, 12
POINTS = 10.5  # the size of its letters
LETTER = 0.602 * POINTS / 72  # inches, the width of one
SURPRISE = 0.02  # a letter that the model had given less is marked
SEED = 1


def regrow(
    generate: Callable[..., Iterator[int]],
    apply_temperature: Callable[..., Tensor],
    top_k: Callable[..., Tensor],
    top_p: Callable[..., Tensor],
    model: nn.Module,
) -> Flipbook:
    """The bars of the next letter, and the text that comes out, with the same luck everywhere."""
    ask = asked(model)

    @functools.cache
    def written(temperature: float, k: int, p: float) -> list[int]:
        return write(generate, model, PROMPT + READ, temperature, SEED, k=k, p=p)

    def draw(fig: Figure, temperature: float, k: int, p: float) -> str:
        logits = apply_temperature(ask(READ)[None], temperature)[0]
        left = top_p(top_k(logits[None], k), p)
        narrow = is_narrow(fig)
        bars = fig.add_axes((0.17, 0.63, 0.82, 0.33) if narrow else (0.065, 0.13, 0.34, 0.78))
        # The model's own order: at temperature 0 all but one are −∞, and ties have no order.
        kept_and_removed(bars, logits, left, order=by_size(ask(READ)))
        if narrow:
            bars.set_yticks([0, 0.05, 0.25, 1], ["0", ".05", ".25", "1"])
            bars.set_ylabel("root scale")
        bars.text(1, 1, f"next after {said(READ)}", ha="right", va="top", transform=bars.transAxes)
        share = probabilities(left, logits)
        tokens = written(temperature, k, p)
        text = "".join(VOCAB[i] for i in tokens)
        odd = [x < SURPRISE for x in given(model, PROMPT + READ, tokens)]
        page = fig.add_axes((0.01, 0.0, 0.98, 0.55) if narrow else (0.45, 0.02, 0.54, 0.93))
        marked = [False] * len(PROMPT + READ) + odd
        size = (NARROW_COLUMNS, NARROW_ROWS) if narrow else (COLUMNS, ROWS)
        letters(page, rows_of(PROMPT + READ + text, marked, size[0]), size[1])
        words = words_of(text)
        strange = sum(word not in learned() for word in words)
        best = by_size(logits)[0]
        return (
            f"Temperature {temperature:g}, k = {k}, p = {p:g}: {int((share > 0).sum())} "
            f"letters can come next, {token(best)} with {number(share[best])}. In the text "
            f"{strange} of {len(words)} words are invented, {number(100 * repeated(text), 0)} % "
            f"repeats itself, and {sum(odd)} of {len(text)} letters (underlined) had a probability "
            f"below {number(SURPRISE)}."
        )

    return explore(
        draw,
        temperature=few([0, 0.6, 1, 1.5, 2], 1),
        k=few([3, 64], 64),
        p=few([0.9, 1.0], 1.0),
        start={"temperature": 1, "k": 64, "p": 1.0},
        play="temperature",
        labels={"k": "k (64: all)", "p": "p (1: all)"},
        size=(10.2, 3.1),
        narrow=(3.3, 4.6),
    )


def given(model: nn.Module, beginning: str, tokens: list[int]) -> list[float]:
    """The probability that the model gives each token after those before it."""
    ids = torch.cat([ids_of(beginning), torch.tensor([tokens], dtype=torch.long)], dim=1)
    with torch.no_grad():
        told = model(ids)[0].float().softmax(-1)
    return [float(told[len(beginning) - 1 + i, token]) for i, token in enumerate(tokens)]


def letters(axes: Axes, rows: list[list[tuple[str, bool]]], room: int) -> None:
    """Print rows of a text, `room` at most; marked letters have a line under them."""
    width = axes.get_position().width * axes.figure.get_figwidth()
    for y, row in enumerate(rows[:room]):
        at = 0
        for marked, group in itertools.groupby(row, key=lambda letter: letter[1]):
            run = "".join(letter for letter, _ in group)
            x, at = at * LETTER, at + len(run)
            shown = run.replace(" ", "\N{NO-BREAK SPACE}")
            look = {"family": "monospace", "fontsize": POINTS, "va": "baseline", "clip_on": True}
            axes.text(x, y, shown, color=INK, gid=f"line-{y}", **look)
            if marked:
                ends = [x + 0.008, at * LETTER - 0.008]
                under = {"color": ORANGE, "linewidth": 2, "linestyle": "-", "gid": f"marked-{y}"}
                axes.plot(ends, [y + 0.18, y + 0.18], solid_capstyle="butt", **under)
    axes.set(xlim=(0, width), ylim=(room - 0.5, -0.8), xticks=[], yticks=[])
    axes.spines[:].set_visible(False)


def rows_of(text: str, marked: list[bool], columns: int) -> list[list[tuple[str, bool]]]:
    """The letters with their marks, in rows: a row ends at a line break or before a long word."""
    rows: list[list[tuple[str, bool]]] = []
    left = list(zip(text, marked, strict=True))
    while left:
        line = "".join(letter for letter, _ in left).partition("\n")[0]
        end = len(line)
        if end > columns:
            end = line.rfind(" ", 0, columns + 1)
            end = columns if end < 0 else end
        rows.append(left[:end])
        left = left[end:]
        if left and left[0][0] in " \n":
            left = left[1:]
    return rows
