"""Lab 01: a text that is cut into words before its pairs are counted, beside Llama 3's tokens."""

from __future__ import annotations

import functools
from collections import Counter, defaultdict
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from plots.boxes import box_row, frame, visible
from plots.flipbook import Flipbook, explore
from plots.input_block_tokens import N_MERGES, Merges, Pair, bytes_of, color_of, learned, seen
from plots.style import GREY, is_narrow

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# What Llama 3's own tokenizer makes of a sentence, as Meta's test of it says
# (meta-llama/llama3, llama/test_tokenizer.py); each of the six pieces of the split is one token.
LLAMA_SENTENCE = "This is a test sentence."
LLAMA_PIECES = ("This", " is", " a", " test", " sentence", ".")
LLAMA_IDS = (2028, 374, 264, 1296, 11914, 13)

LONGEST = 4  # tokens that are shown of each tokenizer
Split = Callable[[str], list[str]]


@functools.lru_cache(maxsize=2)
def learned_by_word(
    count_pairs: Callable[..., Any], merge_pair: Callable[..., Any], split_words: Split
) -> Merges:
    """Learn merges that cross no cut: the pairs of each distinct word, as often as it occurs."""
    often = Counter(split_words(seen()))
    words = {word: list(word.encode()) for word in often}
    total: Counter[Pair] = Counter()
    where: dict[Pair, set[str]] = defaultdict(set)

    def count(word: str, sign: int) -> None:
        for pair, times in count_pairs(words[word]).items():
            total[pair] += sign * times * often[word]
            where[pair].add(word)

    for word in words:
        count(word, 1)
    merges: Merges = []
    while len(merges) < N_MERGES and max(total.values(), default=0) > 0:
        pair = max(total, key=total.__getitem__)
        for word in sorted(where.pop(pair)):
            count(word, -1)
            words[word] = merge_pair(words[word], pair, 256 + len(merges))
            count(word, 1)
        del total[pair]
        merges.append(pair)
    return merges


def beside_llama(
    count_pairs: Callable[..., Any],
    merge_pair: Callable[..., Any],
    train_bpe: Callable[..., Merges],
    encode_bpe: Callable[..., list[int]],
    split_words: Split,
) -> Flipbook:
    """One sentence in your tokens, without the split and with it, and in Llama 3's."""

    def draw(fig: Figure, merges: int) -> str:
        narrow = is_narrow(fig)
        plain = learned(train_bpe)[0][:merges]
        by_word = learned_by_word(count_pairs, merge_pair, split_words)[:merges]
        pieces = split_words(LLAMA_SENTENCE)
        whole = encode_bpe(LLAMA_SENTENCE, plain)
        cut = [token for piece in pieces for token in encode_bpe(piece, by_word)]
        top = fig.add_axes((0.02, 0.42, 0.96, 0.57) if narrow else (0.17, 0.42, 0.82, 0.57))
        rows = (
            ("the split", pieces, None, None),
            ("without it", *_tokens(whole, plain)),
            ("with it", *_tokens(cut, by_word)),
            ("Llama 3", list(LLAMA_PIECES), list(LLAMA_IDS), [color_of(i) for i in LLAMA_IDS]),
        )
        for place, (name, texts, ids, colors) in enumerate(rows):
            y = 1.5 * (3 - place)
            words = [f"{visible(t)}: token {i}" for t, i in zip(texts, ids or texts, strict=True)]
            look = {"colors": colors or [GREY] * len(texts), "words": words, "gid": name}
            below = [str(i) for i in ids] if ids and not narrow else None
            box_row(top, texts, y=y, label="" if narrow else name, below=below, **look)
            if narrow:
                top.text(0, y + 0.82, name, fontsize=9)
        frame(top, len(LLAMA_SENTENCE), (-0.4, 5.6))
        low = fig.add_axes((0.02, 0.01, 0.96, 0.36) if narrow else (0.17, 0.02, 0.82, 0.34))
        known = {"without it": plain, "with it": by_word}
        _longest(low, known, narrow)
        return (
            f"{merges} merges. The sentence has {len(whole)} tokens without the split, {len(cut)} "
            f"with it, and {len(LLAMA_IDS)} for Llama 3. Below, the longest tokens learned so far."
        )

    return explore(
        draw,
        merges=(0, 8, 32, 64, 128, 256),
        start={"merges": 256},
        play="merges",
        size=(9.8, 4.6),
        narrow=(3.25, 5.2),
    )


def _tokens(ids: list[int], merges: Merges) -> tuple[list[str], list[int], list[str | None]]:
    """What stands in each token's box, its id, and its colour: none for a single byte."""
    texts = [bytes_of(i, merges).decode(errors="replace") for i in ids]
    return texts, ids, [color_of(i) if i > 255 else None for i in ids]


def _longest(axes: Axes, known: dict[str, Merges], narrow: bool) -> None:
    """The longest tokens of each tokenizer, as boxes."""
    rows, room = 3 * len(known), 24 if narrow else 52  # units across
    for place, (name, merges) in enumerate(known.items()):
        found = [bytes_of(256 + i, merges).decode(errors="replace") for i in range(len(merges))]
        y = (rows - 3 * place - 2.2) / 2
        x = 0.0
        for word in sorted(found, key=len, reverse=True)[:LONGEST]:
            shown = visible(word)
            width = 0.9 * len(shown) + 0.8
            if x + width <= room:
                box_row(axes, [shown], y=y, left=x, widths=[width], gid=f"long-{name}")
            x += width + 0.6
        if narrow:
            axes.text(0, y + 0.82, f"longest, {name}", fontsize=9)
        else:
            axes.text(-0.4, y + 0.34, f"longest, {name}", ha="right", va="center", fontsize=10)
    frame(axes, room, (-0.2, rows / 2))
