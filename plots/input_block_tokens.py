"""Lab 01: a tokenizer that grows: what it learned, and what one sentence becomes."""

from __future__ import annotations

import functools
import itertools
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from assets.shakespeare import is_complete, text
from plots.boxes import box_row, frame, visible
from plots.flipbook import Flipbook, explore
from plots.page import says
from plots.style import BLUE, GREEN, ORANGE, PINK, is_narrow, number

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Pair = tuple[int, int]
Merges = list[Pair]

SENTENCE = "My lord, the café is there."
HALF = len("My lord, the ")  # where a narrow screen begins a new line
TRAINED_ON, UNSEEN = 100_000, 10_000  # characters
N_MERGES = 256
STEPS = (0, 1, 2, 4, 8, 16, 32, 64, 128, 256)
LOOKS = {"text it was trained on": (BLUE, "-", "o"), "another play": (ORANGE, "--", "s")}


@functools.lru_cache(maxsize=2)
def learned(train_bpe: Callable[..., Merges]) -> tuple[Merges, float]:
    """Train on the beginning of the plays, once for each function; return merges and seconds."""
    start = time.perf_counter()
    merges = train_bpe(seen(), N_MERGES)
    return merges, time.perf_counter() - start


def tokens(
    train_bpe: Callable[..., Merges],
    encode_bpe: Callable[..., list[int]],
    decode_bpe: Callable[..., str],
) -> Flipbook:
    """One sentence as bytes, as characters and as tokens, and what each merge has brought."""

    @functools.cache
    def compression() -> dict[str, list[float]]:
        texts = (seen()[:UNSEEN], text()[-UNSEEN:])
        merges = learned(train_bpe)[0]
        return {
            name: [len(t) / len(encode_bpe(t, merges[:n])) for n in STEPS]
            for name, t in zip(LOOKS, texts, strict=True)
        }

    def draw(fig: Figure, merges: int) -> str:
        known, narrow = learned(train_bpe)[0][:merges], is_narrow(fig)
        ids = encode_bpe(SENTENCE, known)
        pieces = [decode_bpe([i], known) for i in ids]
        top = fig.add_axes((0.01, 0.6, 0.98, 0.39) if narrow else (0.1, 0.46, 0.89, 0.53))
        _sentence(top, ids, pieces, [len(bytes_of(i, known)) for i in ids], narrow)
        left = fig.add_axes((0.17, 0.37, 0.78, 0.18) if narrow else (0.1, 0.12, 0.36, 0.24))
        right = fig.add_axes((0.17, 0.09, 0.78, 0.18) if narrow else (0.59, 0.12, 0.39, 0.24))
        _curves(left, compression(), merges)
        gains = _gains(right, compression(), merges)
        for axes in (left, right):
            axes.set(xlim=(-6, N_MERGES + 6), xticks=range(0, N_MERGES + 1, 64))
            axes.set_xlabel("" if narrow and axes is left else "merges")
        trained, other = (values[STEPS.index(merges)] for values in compression().values())
        back = decode_bpe(ids, known)
        lost = "" if back == SENTENCE else f" But decoded again they read “{back}”."
        size = len(SENTENCE.encode())
        gain = (
            f" The last of them brought {gains[STEPS.index(merges) - 1]:.2g} each."
            if merges
            else ""
        )
        return (
            f"{merges} merges: {size} bytes, {len(SENTENCE)} characters, {len(ids)} tokens. "
            f"{number(trained)} characters per token on text it was trained on, {number(other)} on "
            f"another play.{gain}{lost}"
        )

    return explore(
        draw,
        merges=STEPS,
        start={"merges": 256},
        play="merges",
        size=(9.8, 4.8),
        narrow=(3.25, 5.8),
    )


def _sentence(
    axes: Axes, ids: list[int], pieces: list[str], sizes: list[int], narrow: bool
) -> None:
    """The sentence as rows of boxes, above each other: bytes, characters, tokens."""
    shares = [1 / len(c.encode()) for c in SENTENCE for _ in c.encode()]
    ends = [0, *itertools.accumulate(sizes)]
    spans = [sum(shares[a:b]) for a, b in itertools.pairwise(ends)]
    colors = [None if i < 256 else color_of(i) for i in ids]
    words = [f"{visible(piece)}: token {i}" for piece, i in zip(pieces, ids, strict=True)]
    if not narrow:
        box_row(axes, map(str, SENTENCE.encode()), y=2.5, label="bytes", widths=shares, fontsize=9)
        box_row(axes, SENTENCE, y=1.45, label="characters")
        look = {"widths": spans, "colors": colors, "words": words, "below": [str(i) for i in ids]}
        box_row(axes, pieces, y=0.4, label="tokens", **look)
        frame(axes, len(SENTENCE), (-0.35, 3.3))
        return
    for place, (begin, end) in enumerate(((0, HALF), (HALF, len(SENTENCE)))):
        y = 2.5 - 2.5 * place
        box_row(axes, SENTENCE[begin:end], y=y + 1.0, gid=f"characters-{place}")
        x = 0.0
        for piece, width, color, said in zip(pieces, spans, colors, words, strict=True):
            a, b = max(x, begin), min(x + width, end)
            if a < b:  # what stands in this line of it
                whole = piece if b - a > width / 2 else ""
                look = {"widths": [b - a], "colors": [color], "words": [said], "gid": "tokens"}
                box_row(axes, [whole], y=y, left=a - begin, **look)
            x += width
    frame(axes, len(SENTENCE) - HALF, (-0.3, 4.4))


def _curves(axes: Axes, curves: dict[str, list[float]], merges: int) -> None:
    """Characters per token against the number of merges."""
    for name, values in curves.items():
        color, line, mark = LOOKS[name]
        axes.plot(STEPS, values, line, color=color, label=name, gid=name)
        for n, value in zip(STEPS, values, strict=True):
            size = 9 if n == merges else 4
            (dot,) = axes.plot([n], [value], mark, color=color, markersize=size)
            says(dot, f"{n} merges, {name}: {number(value)} characters per token")
    axes.set(ylim=(0.85, 2.5), yticks=[1, 1.5, 2], title="characters per token")
    axes.legend(loc="upper left", fontsize=9, borderaxespad=0, labelspacing=0.2)


def _gains(axes: Axes, curves: dict[str, list[float]], merges: int) -> list[float]:
    """What one merge brings, in characters per token: the area of a step is what it has brought."""
    from matplotlib.patches import Rectangle

    values = next(iter(curves.values()))
    gains = []
    for (a, b), (low, high) in zip(
        itertools.pairwise(STEPS), itertools.pairwise(values), strict=True
    ):
        gains.append((high - low) / (b - a))
        done = b <= merges
        step = Rectangle((a, 0), b - a, max(gains[-1], 0), linewidth=1, edgecolor=BLUE)
        step.set(facecolor=BLUE if done else "none", alpha=0.6 if done else 1, gid=f"gain-{b}")
        says(step, f"merges {a + 1} to {b}: {gains[-1]:.2g} characters per token each")
        axes.add_patch(step)
    axes.set(ylim=(0, 0.034), yticks=[0, 0.01, 0.02, 0.03], title="what one merge brings")
    return gains


def seen() -> str:
    """The text for training; of the built-in sample, all but its end."""
    return text()[:TRAINED_ON] if is_complete() else text()[: -2 * UNSEEN]


def bytes_of(token: int, merges: Merges) -> bytes:
    """What a token stands for, by the merges alone."""
    if token < 256:
        return bytes([token])
    first, second = merges[token - 256]
    return bytes_of(first, merges) + bytes_of(second, merges)


def color_of(token: int) -> str:
    """One of four colours, so that neighbours can be told apart."""
    return (BLUE, ORANGE, GREEN, PINK)[token % 4]
