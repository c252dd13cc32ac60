"""Lab 01: windows of text, vectors of characters, and a tokenizer that grows merge by merge."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from assets.shakespeare import text
from plots.boxes import box_row, frame, visible
from plots.flipbook import Flipbook, explore
from plots.input_block_split import beside_llama
from plots.input_block_tokens import Merges, Pair, bytes_of, color_of, learned, seen, tokens
from plots.measure import medians
from plots.measures.input_block import embeddings
from plots.page import says
from plots.show import once_written
from plots.style import BLUE, GREY, INK, ORANGE, is_narrow

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = [
    "beside_llama",
    "embeddings",
    "learned",
    "merging",
    "speed",
    "tokens",
    "training",
    "windows",
]

LINE = "First Citizen: Speak, speak."
STRETCH = 14  # of its characters, on a narrow screen
ABRACADABRA = "abracadabra abracadabra"
MOST_MERGES = 8  # after which two tokens are left
SHORT = 2_000  # characters


def windows(make_batch: Callable[..., Any], context: int = 8) -> Flipbook:
    """Cut one window out of a line and show which question each of its positions asks."""
    data = torch.tensor([ord(c) for c in LINE])

    def draw(fig: Figure, position: int) -> str:
        narrow = is_narrow(fig)
        inputs, targets = (_letters(x) for x in make_batch(data, torch.tensor([position]), context))
        start = min(max(position - 3, 0), len(LINE) - STRETCH) if narrow else 0
        shown = LINE[start : start + STRETCH] if narrow else LINE
        box = (0.19, 0.7, 0.8, 0.28) if narrow else (0.09, 0.62, 0.9, 0.37)
        top = fig.add_axes(box)
        places = range(start, start + len(shown))
        colors = [BLUE if position <= i < position + context else None for i in places]
        box_row(top, shown, y=2.2, label="data", colors=colors)
        for (name, letters), y, color in zip(
            {"inputs": inputs, "targets": targets}.items(), (0.95, 0), (BLUE, ORANGE), strict=True
        ):
            look = {"label": name, "colors": [color] * len(letters)}
            box_row(top, letters, y=y, left=position - start, **look)
        frame(top, len(shown), (-0.1, 3.1))
        low = fig.add_axes((0.02, 0.01, 0.96, 0.6) if narrow else (0.09, 0.02, 0.9, 0.5))
        _questions(low, inputs, targets, LINE[position + 1 :], narrow)
        after, said, next_one = inputs[:4], targets[3:4], LINE[position + 4]
        return (
            f"Fourth target: after {_quoted(after)} stands {_quoted(said)}, and in the text "
            f"comes {_quoted(next_one)}. One window is {context} exercises, a line each."
        )

    return explore(
        draw,
        position=range(len(LINE) - context),
        play="position",
        size=(9.8, 4.3),
        narrow=(3.25, 5.0),
    )


def _questions(axes: Axes, inputs: list[str], targets: list[str], text: str, narrow: bool) -> None:
    """A line for each position: what the model sees, the target, and how the text goes on."""
    many = min(len(inputs), len(targets), len(text))
    target, truth = (9.2, 12.2) if narrow else (10, 15)
    for place in range(many):
        y = many - 1 - place
        seen = "".join(inputs[: place + 1])
        box_row(axes, [seen], y=y, colors=[BLUE], gid=f"seen-{place}")
        axes.text(target - 0.5, y + 0.34, "→", ha="center", va="center")
        said = [f"after {_quoted(seen)} the target is {_quoted(targets[place])}"]
        box_row(
            axes,
            targets[place],
            y=y,
            left=target,
            colors=[ORANGE],
            words=said,
            gid=f"asked-{place}",
        )
        box_row(axes, text[place], y=y, left=truth, gid=f"true-{place}")
        if targets[place] != text[place]:
            between = (target + 1 + truth) / 2
            axes.text(between, y + 0.34, "≠", ha="center", va="center", fontweight="bold")
    for x, heading in ((0, "seen"), (target, "target"), (truth, "the text")):
        axes.text(x, many + 0.15, heading, fontsize=10)
    frame(axes, 15.4 if narrow else len(LINE), (-0.1, many + 0.7))


def merging(count_pairs: Callable[..., Any], merge_pair: Callable[..., Any]) -> Flipbook:
    """Merge the most frequent pair of a short text, one step after the other."""

    def draw(fig: Figure, merges: int) -> str:
        narrow = is_narrow(fig)
        rows, names = [list(ABRACADABRA.encode())], {i: chr(i) for i in range(256)}
        for new in range(256, 256 + merges):
            counts = count_pairs(rows[-1])
            pair = max(counts, key=counts.get)
            names[new] = names[pair[0]] + names[pair[1]]
            rows.append(merge_pair(rows[-1], pair, new))
        ids, counts = rows[-1], count_pairs(rows[-1])
        best = sorted(counts, key=counts.get, reverse=True)[:5]
        left = fig.add_axes((0.02, 0.44, 0.96, 0.55) if narrow else (0.01, 0.02, 0.66, 0.96))
        for place, row in enumerate(rows):
            pieces = [names.get(i, "?") for i in row]
            colors = [None if i < 256 else color_of(i) for i in row]
            words = [f"{visible(piece)}: token {i}" for piece, i in zip(pieces, row, strict=True)]
            box_row(left, pieces, y=-place, colors=colors, words=words, gid=f"box-{place}")
            count = f"{len(row)}" if narrow else f"{len(row)} tokens"
            left.text(len(ABRACADABRA) + 0.3, 0.34 - place, count, va="center", fontsize=10)
        if best:
            _mark_pairs(left, ids, best[0], names, -merges)
        frame(left, len(ABRACADABRA) + (1.8 if narrow else 4.2), (-MOST_MERGES - 0.3, 0.85))
        low = fig.add_axes((0.04, 0.11, 0.92, 0.28) if narrow else (0.78, 0.14, 0.2, 0.72))
        for place, pair in enumerate(best):
            color = BLUE if place == 0 else GREY
            (bar,) = low.barh([place], [counts[pair]], 0.7, color=color, alpha=0.6)
            bar.set_gid(f"count-{place}")
            says(
                bar, f"{visible(names[pair[0]])} + {visible(names[pair[1]])}: {counts[pair]} times"
            )
        shown = [f"{visible(names[a])} + {visible(names[b])}" for a, b in best]
        low.set_yticks(range(len(best)), [""] * len(best) if narrow else shown)
        for place, label in enumerate(shown if narrow else []):  # long words do not fit beside it
            low.text(0.08, place, label, va="center", fontsize=10)
        low.set(xlim=(0, 4.3), ylim=(4.6, -0.6), xlabel="how often", xticks=range(5))
        low.tick_params(length=0)
        state = f"After {merges} merges: {len(ids)} tokens for {len(ABRACADABRA)} characters."
        if not best:
            return f"{state} No pair is left."
        a, b = best[0]
        return (
            f"{state} The most frequent pair is now {_quoted(names[a])} + {_quoted(names[b])} "
            f"({counts[best[0]]} of {len(ids) - 1} pairs, underlined); it becomes token "
            f"{256 + merges}."
        )

    return explore(
        draw,
        merges=range(MOST_MERGES + 1),
        start={"merges": 4},
        play="merges",
        size=(9.8, 3.9),
        narrow=(3.25, 5.0),
    )


def _mark_pairs(axes: Axes, ids: list[int], pair: Pair, names: dict[int, str], y: float) -> None:
    """Underline every place at which the pair stands."""
    x = 0
    for here, after in itertools.pairwise(ids):
        width = len(names.get(here, "?"))
        if (here, after) == pair:
            end = x + width + len(names.get(after, "?"))
            axes.plot(
                [x + 0.12, end - 0.12], [y - 0.12] * 2, "-", color=INK, linewidth=2.4, gid="next"
            )
        x += width


@once_written
def training(train_bpe: Callable[..., Merges]) -> None:
    """Print how long the training takes, and some of the tokens that it found."""
    merges, seconds = learned(train_bpe)
    print(f"{len(merges)} merges learned from {len(seen()):,} characters in {seconds:.1f} s")
    found = [repr(bytes_of(256 + i, merges).decode(errors="replace")) for i in range(len(merges))]
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


def _letters(codes: Tensor) -> list[str]:
    """The window's characters; what is none of the line's becomes a question mark."""
    return [chr(c) if chr(c) in LINE else "?" for c in codes.flatten().tolist()]


def _quoted(letters: Any) -> str:
    return f"“{visible(''.join(letters))}”"
