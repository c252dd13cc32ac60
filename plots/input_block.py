"""Lab 01: windows of text, vectors of characters, and a tokenizer that grows merge by merge."""

from __future__ import annotations

import functools
import itertools
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from assets.shakespeare import is_complete, text
from plots.boxes import box_row, visible
from plots.flipbook import Flipbook, explore
from plots.measure import medians
from plots.measures.input_block import embeddings
from plots.show import once_written
from plots.style import BLUE, GREEN, GREY, INK, ORANGE, PINK, number

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["embeddings", "learned", "merging", "speed", "tokens", "training", "windows"]

Pair = tuple[int, int]
Merges = list[Pair]

LINE = "First Citizen: Speak, speak."
SENTENCE = "My lord, the café is there."
ABRACADABRA = "abracadabra abracadabra"
TRAINED_ON, UNSEEN, SHORT = 100_000, 10_000, 2_000  # characters
N_MERGES = 256


def windows(make_batch: Callable[..., Any], context: int = 8) -> Flipbook:
    """Cut one window out of a line and show which target stands under which input."""
    data = torch.tensor([ord(c) for c in LINE])

    def draw(fig: Figure, position: int) -> str:
        inputs, targets = make_batch(data, torch.tensor([position]), context)
        rows = {"inputs": _letters(inputs), "targets": _letters(targets)}
        axes = fig.add_axes((0.09, 0.04, 0.9, 0.92))
        colors = [BLUE if position <= i < position + context else None for i in range(len(LINE))]
        box_row(axes, LINE, y=2.2, label="data", colors=colors)
        for (name, letters), y, color in zip(rows.items(), (0.9, 0), (BLUE, ORANGE), strict=True):
            box_row(axes, letters, y=y, label=name, left=position, colors=[color] * len(letters))
        _frame(axes, len(LINE), (-0.1, 3.1))
        for place in range(min(map(len, rows.values()))):
            axes.annotate(
                "",
                (position + place + 0.5, 0.72),
                (position + place + 0.5, 0.9),
                arrowprops={"arrowstyle": "-|>", "color": GREY, "shrinkA": 0, "shrinkB": 0},
            )
        said, after = rows["targets"][3:4], rows["inputs"][:4]
        next_one = LINE[position + 4]
        return (
            f"Fourth target: after {_quoted(after)} stands {_quoted(said)}, and in the text "
            f"comes {_quoted(next_one)}. One window is {context} exercises of this kind."
        )

    return explore(draw, position=range(len(LINE) - context), play="position", size=(7.2, 2.2))


def merging(count_pairs: Callable[..., Any], merge_pair: Callable[..., Any]) -> Flipbook:
    """Merge the most frequent pair of a short text, one step after the other."""

    def draw(fig: Figure, merges: int) -> str:
        ids, names = list(ABRACADABRA.encode()), {i: chr(i) for i in range(256)}
        for new in range(256, 256 + merges):
            counts = count_pairs(ids)
            pair = max(counts, key=counts.get)
            names[new] = names[pair[0]] + names[pair[1]]
            ids = merge_pair(ids, pair, new)
        counts = count_pairs(ids)
        top = fig.add_axes((0.02, 0.66, 0.96, 0.3))
        box_row(
            top,
            [names.get(i, "?") for i in ids],
            y=0,
            colors=[None if i < 256 else _color(i) for i in ids],
            below=[str(i) for i in ids],
        )
        _frame(top, len(ABRACADABRA), (-0.7, 0.9))
        best = sorted(counts, key=counts.get, reverse=True)[:5]
        low = fig.add_axes((0.35, 0.12, 0.55, 0.46))
        for place, pair in enumerate(best):
            color = BLUE if place == 0 else GREY
            low.barh([place], [counts[pair]], 0.7, color=color, alpha=0.6, gid=f"count-{place}")
        shown = [f"{visible(names[a])} + {visible(names[b])}" for a, b in best]
        low.set_yticks(range(len(best)), shown)
        low.set(xlim=(0, 4.3), ylim=(4.6, -0.6), xlabel="how often", xticks=range(5))
        low.tick_params(length=0)
        state = f"After {merges} merges: {len(ids)} tokens for {len(ABRACADABRA)} characters."
        if not best:
            return f"{state} No pair is left."
        a, b = best[0]
        return (
            f"{state} The most frequent pair is now {_quoted(names[a])} + {_quoted(names[b])} "
            f"({counts[best[0]]} of {len(ids) - 1} pairs); it becomes token {256 + merges}."
        )

    return explore(draw, merges=range(9), start={"merges": 2}, play="merges", size=(7.2, 3.2))


@functools.lru_cache(maxsize=2)
def learned(train_bpe: Callable[..., Merges]) -> tuple[Merges, float]:
    """Train on the beginning of the plays, once for each function; return merges and seconds."""
    start = time.perf_counter()
    merges = train_bpe(_seen(), N_MERGES)
    return merges, time.perf_counter() - start


@once_written
def training(train_bpe: Callable[..., Merges]) -> None:
    """Print how long the training takes, and some of the tokens that it found."""
    merges, seconds = learned(train_bpe)
    print(f"{len(merges)} merges learned from {len(_seen()):,} characters in {seconds:.1f} s")
    found = [repr(_bytes(256 + i, merges).decode(errors="replace")) for i in range(len(merges))]
    print("the first ten:   ", "  ".join(found[:10]))
    print("the last ten:    ", "  ".join(found[-10:]))
    print("the longest five:", "  ".join(sorted(found, key=len)[-5:]))


@once_written
def speed(
    encode: Callable[..., list[int]],
    encode_bpe: Callable[..., list[int]],
    train_bpe: Callable[..., Merges],
) -> None:
    """Print how fast both ways of encoding are, on the same text, in turns."""
    piece = text()[-SHORT:]
    vocab, merges = sorted(set(piece)), learned(train_bpe)[0]
    one, many = medians(lambda: encode(piece, vocab), lambda: encode_bpe(piece, merges), rounds=5)
    long, short = len(encode(piece, vocab)), len(encode_bpe(piece, merges))
    print(f"{SHORT:,} characters       encode    encode_bpe     ratio")
    print(f"{'milliseconds':20}{one * 1e3:9.2f}{many * 1e3:14.2f}{many / one:10.0f}")
    print(f"{'tokens':20}{long:9,}{short:14,}{short / long:10.2f}")
    print(f"{'T × T':20}{long**2:9,}{short**2:14,}{(short / long) ** 2:10.2f}")


def tokens(
    train_bpe: Callable[..., Merges],
    encode_bpe: Callable[..., list[int]],
    decode_bpe: Callable[..., str],
) -> Flipbook:
    """One sentence as bytes, as characters and as tokens, while the merges grow in number."""
    steps = [0, *(2**i for i in range(9))]

    @functools.cache
    def compression() -> dict[str, list[float]]:
        texts = {"text it was trained on": _seen()[:UNSEEN], "another play": text()[-UNSEEN:]}
        merges = learned(train_bpe)[0]
        return {
            name: [len(t) / len(encode_bpe(t, merges[:n])) for n in steps]
            for name, t in texts.items()
        }

    def draw(fig: Figure, merges: int) -> str:
        known = learned(train_bpe)[0][:merges]
        ids = encode_bpe(SENTENCE, known)
        data = list(SENTENCE.encode())
        top = fig.add_axes((0.115, 0.46, 0.875, 0.52))
        shares = [1 / len(c.encode()) for c in SENTENCE for _ in c.encode()]
        box_row(top, map(str, data), y=2.6, label="bytes", widths=shares, fontsize=7)
        box_row(top, SENTENCE, y=1.5, label="characters")
        sizes = [len(_bytes(i, known)) for i in ids]
        ends = [sum(sizes[:n]) for n in range(len(sizes) + 1)]
        spans = [sum(shares[a:b]) for a, b in itertools.pairwise(ends)]
        pieces = [decode_bpe([i], known) for i in ids]
        colors = [None if i < 256 else _color(i) for i in ids]
        below = [str(i) for i in ids]
        box_row(top, pieces, y=0.4, label="tokens", widths=spans, colors=colors, below=below)
        _frame(top, len(SENTENCE), (-0.35, 3.5))
        _curves(fig.add_axes((0.115, 0.13, 0.56, 0.27)), steps, compression(), merges)
        seen, other = (values[steps.index(merges)] for values in compression().values())
        back = decode_bpe(ids, known)
        lost = "" if back == SENTENCE else f" But decoded again they read “{back}”."
        return (
            f"{merges} merges: {len(data)} bytes, {len(SENTENCE)} characters, {len(ids)} tokens. "
            f"{number(seen)} characters per token on text it was trained on, {number(other)} on "
            f"another play.{lost}"
        )

    return explore(draw, merges=steps, start={"merges": 256}, play="merges", size=(7.2, 4.4))


def _curves(axes: Axes, steps: list[int], curves: dict[str, list[float]], merges: int) -> None:
    """Characters per token against the number of merges, on a scale of doublings."""
    for (name, values), style in zip(curves.items(), ("o-", "s--"), strict=True):
        color = BLUE if style == "o-" else ORANGE
        axes.plot(values, style, color=color, markersize=4, label=name, gid=name)
        axes.plot(
            [steps.index(merges)], [values[steps.index(merges)]], "o", color=INK, mfc="none", ms=11
        )
    axes.set_xticks(range(len(steps)), steps)
    axes.set(xlabel="merges", ylim=(0.85, 2.3))
    axes.set_ylabel("characters\nper token")
    axes.legend(loc="center left", bbox_to_anchor=(1.01, 0.6), fontsize=10)


def _seen() -> str:
    """The text for training; of the built-in sample, all but its end."""
    return text()[:TRAINED_ON] if is_complete() else text()[: -2 * UNSEEN]


def _bytes(token: int, merges: Merges) -> bytes:
    """What a token stands for, by the merges alone."""
    if token < 256:
        return bytes([token])
    first, second = merges[token - 256]
    return _bytes(first, merges) + _bytes(second, merges)


def _letters(codes: Tensor) -> list[str]:
    """The window's characters; what is none of the line's becomes a question mark."""
    return [chr(c) if chr(c) in LINE else "?" for c in codes.flatten().tolist()]


def _color(token: int) -> str:
    return (BLUE, ORANGE, GREEN, PINK)[token % 4]


def _quoted(letters: Any) -> str:
    return f"“{visible(''.join(letters))}”"


def _frame(axes: Axes, width: float, heights: tuple[float, float]) -> None:
    axes.set(xlim=(-0.1, width + 0.1), ylim=heights, xticks=[], yticks=[])
    axes.spines[:].set_visible(False)
