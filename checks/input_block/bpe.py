"""Lab 01, its second half: byte-pair encoding."""

from typing import Any

from checks.engine import Check, Inputs, Probe, values
from checks.engine.answer import Crash
from checks.input_block import mistakes_bpe as mistakes
from checks.input_block import reference
from checks.input_block.probes import ids_of

Merges = list[tuple[int, int]]

WORDS = ["the", "then", "there", "other", "thee", "her", "here", "three", "banana", "The", "café"]
ALPHABET = "abcdefghijklmnopqrstuvwxyz"
WIDE = ["ééé", "e\u0301t", "語語語", "😀😀", "ñandú", "—…", "été"]


def draw_ids(inputs: Inputs, length: int, low: int, high: int) -> list[int]:
    """Draw ids from `low` to `high` - 1."""
    return inputs.integers(length, low=low, high=high).tolist()


def draw_words(inputs: Inputs, count: int, words: list[str]) -> str:
    """Draw words, with blanks and line breaks between them."""
    places = inputs.integers(count, 2).tolist()
    return "".join(words[word % len(words)] + " \n"[gap % 5 == 0] for word, gap in places)


def draw_runs(inputs: Inputs, count: int) -> str:
    """Draw runs of equal letters, such as "aaabbbbba"."""
    return "".join("abc"[i % 3] * (1 + i // 3 % 6) for i in inputs.integers(count).tolist())


def draw_merges(inputs: Inputs, n_merges: int, words: list[str] = WORDS) -> Merges:
    """Learn merges from a text of their own."""
    return reference.train_bpe(draw_words(inputs, 30, words), n_merges)


def beyond(answer: Any, inputs: Inputs) -> list:
    """Decode the first id that no merge has made."""
    try:
        return ["no error", answer([97, 258, 98], [(97, 98), (256, 99)])]
    except Crash:
        return ["an error", None]


def there_and_back(answer: Any, inputs: Inputs) -> list[str]:
    """Decode what was encoded with many merges: the text must come back."""
    texts = [draw_words(inputs, 15, words) for words in (WORDS, WIDE, WORDS + WIDE)]
    merges = draw_merges(inputs, 25, WORDS + WIDE)
    return [answer(reference.encode_bpe(text, merges), merges) for text in texts]


count_pairs = Check(
    exercise="1.6",
    name="count_pairs",
    reference=reference.count_pairs,
    technique=[
        values(lambda inputs: ([5, 6, 5, 6, 6],), title="worked example"),
        values(
            lambda inputs: (draw_ids(inputs, 12, 0, 3),),
            lambda inputs: (draw_ids(inputs, 90, 250, 262),),
            lambda inputs: (draw_ids(inputs, 40, 0, 500),),
            lambda inputs: (draw_ids(inputs, 300, 0, 128_256),),
            title="values on 4 random lists, ids as large as Llama's",
        ),
        values(
            lambda inputs: ([7, 7, 7],),
            lambda inputs: ([7] * 6 + [8, 8],),
            lambda inputs: ([7] * 100,),
            title="pairs may overlap: 7 7 7 holds two",
        ),
        values(
            lambda inputs: ([],),
            lambda inputs: ([4],),
            lambda inputs: ([0, 0],),
            title="an empty list, one id, two ids",
        ),
    ],
    mistakes=mistakes.COUNT_PAIRS,
    hints=(
        "How many neighbouring pairs has a list of five ids?",
        "`zip(ids, ids[1:])` walks through all of them; a dictionary counts.",
        "`for pair in zip(ids, ids[1:]): counts[pair] = counts.get(pair, 0) + 1`",
    ),
)

merge_pair = Check(
    exercise="1.7",
    name="merge_pair",
    weight=2,
    reference=reference.merge_pair,
    technique=[
        ids_of(lambda inputs: ([1, 2, 3, 1, 2], (1, 2), 4), title="worked example"),
        ids_of(
            lambda inputs: (draw_ids(inputs, 12, 0, 2), (0, 1), 256),
            lambda inputs: (draw_ids(inputs, 80, 254, 258), (256, 255), 300),
            lambda inputs: (draw_ids(inputs, 50, 0, 3), (2, 0), 17),
            lambda inputs: (draw_ids(inputs, 50, 70_000, 70_003), (70_002, 70_000), 128_255),
            title="values on 4 random lists, ids as large as Llama's",
        ),
        ids_of(
            lambda inputs: ([5, 5, 5], (5, 5), 9),
            lambda inputs: ([5, 5, 5, 5, 2, 5, 5, 5, 5, 5], (5, 5), 9),
            lambda inputs: ([1, 5, 5, 5, 1, 5], (5, 5), 256),
            title="left to right, without overlap: 5 5 5 becomes 9 5",
        ),
        ids_of(
            lambda inputs: ([11, 21, 1, 2, 31, 23, 12, 1, 2], (1, 2), 312),
            lambda inputs: ([2, 1, 2, 2, 1, 1], (1, 2), 256),
            lambda inputs: ([1, 23, 11, 2, 1, 2], (1, 2), 256),
            lambda inputs: ([3, 1, 2, 3], (1, 2), 0),
            title="whole ids, in this order: 11 21 and 2 1 are not 1 2",
        ),
        ids_of(
            lambda inputs: ([], (1, 2), 256),
            lambda inputs: ([1], (1, 2), 256),
            lambda inputs: ([1, 2], (1, 2), 256),
            lambda inputs: ([3, 4, 3], (1, 2), 256),
            lambda inputs: ([0, 0, 1], (0, 1), 256),
            title="nothing to merge, nothing left, the pair at the very end",
        ),
    ],
    mistakes=mistakes.MERGE_PAIR,
    hints=(
        "After a pair is replaced, where does the search go on: one step further, or two?",
        "A `while` loop with its own index: step by 2 after a merge, by 1 otherwise.",
        "`if ids[i : i + 2] == list(pair): merged.append(new_id); i += 2`, else "
        "`merged.append(ids[i]); i += 1`",
    ),
)

train_bpe = Check(
    exercise="1.8",
    name="train_bpe",
    weight=3,
    reference=reference.train_bpe,
    technique=[
        values(lambda inputs: ("abcabc abd", 2), title="worked example"),
        values(
            lambda inputs: (draw_words(inputs, 12, WORDS), 6),
            lambda inputs: (draw_words(inputs, 25, WORDS), 15),
            title="merges of 2 random texts",
        ),
        values(
            lambda inputs: ("ba ab", 1),
            lambda inputs: ("zyzy axax", 3),
            lambda inputs: ("xyabxy ab", 4),
            lambda inputs: ("cbacba dcbd", 6),
            lambda inputs: ("axbdbdacac", 1),
            title="a tie goes to the pair that occurs first in the text",
        ),
        values(
            lambda inputs: ("aaabdaaabac", 3),
            lambda inputs: (draw_runs(inputs, 14), 8),
            lambda inputs: ("aaaaa bcbc bc", 3),
            lambda inputs: ("xaaaaaaa", 4),
            title="runs of equal letters",
        ),
        values(
            lambda inputs: ("b\na b\na\nab\na", 2),
            lambda inputs: ("a b a ba b", 2),
            title="the text is one piece: pairs with a line break or a blank count, too",
        ),
        values(
            lambda inputs: (draw_words(inputs, 12, WIDE), 12),
            lambda inputs: ("éa éb èc", 2),
            lambda inputs: ("e\u0301e\u0301é", 2),
            title="bytes, not characters: é is two, 語 three, 😀 four",
        ),
        values(
            lambda inputs: ("abc", 10),
            lambda inputs: ("aaaa", 10),
            lambda inputs: ("", 5),
            lambda inputs: ("x", 5),
            lambda inputs: ("hello", 0),
            lambda inputs: ("  x\n\n", 4),
            title="stops early when no pair is left; no merges for 0",
        ),
    ],
    mistakes=mistakes.TRAIN_BPE,
    hints=(
        "After a merge, are the old counts still true?",
        "Count, take the most frequent, merge it, note it; again. `max` keeps the first of equals, "
        "and a dictionary keeps the order in which its keys came.",
        "`counts = count_pairs(ids)`; `if not counts: break`; then "
        "`pair = max(counts, key=counts.get)`, `ids = merge_pair(ids, pair, 256 + i)`, "
        "`merges.append(pair)`",
    ),
)

encode_bpe = Check(
    exercise="1.9",
    name="encode_bpe",
    weight=2,
    reference=reference.encode_bpe,
    technique=[
        ids_of(lambda inputs: ("abc", [(98, 99), (97, 98)]), title="worked example"),
        ids_of(
            lambda inputs: (draw_words(inputs, 4, WORDS), draw_merges(inputs, 12)),
            lambda inputs: (draw_words(inputs, 20, WORDS), draw_merges(inputs, 30)),
            lambda inputs: ("there and there", [(116, 104), (256, 101)]),
            lambda inputs: ("there and there", [(114, 101), (101, 256)]),
            lambda inputs: ("a\nb a\nb" * 12, [(10, 98), (97, 256), (257, 32)]),
            lambda inputs: ("ab" * 70, [(98, 97)]),
            lambda inputs: (ALPHABET, [(97, 98), *((256 + i, 99 + i) for i in range(24))]),
            title="values on 2 random texts; the same text with two tokenizers",
        ),
        ids_of(
            lambda inputs: ("abcd", [(97, 98), (98, 99), (99, 100)]),
            lambda inputs: ("abcde", [(98, 99), (256, 100), (97, 98), (100, 101)]),
            lambda inputs: ("xabcabcd", [(99, 100), (97, 98), (257, 99), (258, 256)]),
            lambda inputs: ("xabcx", [(97, 98), (98, 99), (97, 257)]),
            lambda inputs: ("abab ab", [(98, 97), (97, 98)]),
            title="the merge learned first wins, wherever it stands in the text",
        ),
        ids_of(
            lambda inputs: ("aaaaa", [(97, 97), (256, 256)]),
            lambda inputs: (draw_runs(inputs, 12), [(97, 97), (98, 98), (256, 97), (257, 257)]),
            title="runs of equal letters",
        ),
        ids_of(
            lambda inputs: (draw_words(inputs, 8, WIDE), draw_merges(inputs, 20, WIDE)),
            lambda inputs: ("é語😀", [(169, 232), (195, 169)]),
            lambda inputs: ("e\u0301é", [(101, 204)]),
            title="bytes, not characters",
        ),
        ids_of(
            lambda inputs: ("", [(97, 98)]),
            lambda inputs: ("b", [(97, 98)]),
            lambda inputs: ("hello", []),
            lambda inputs: ("xyz xab", [(104, 105), (97, 98)]),
            lambda inputs: ("a\r\n\ufeff\0ab\n", [(13, 10)]),
            title="an empty text, one letter, no merges, merges that do not occur",
        ),
    ],
    mistakes=mistakes.ENCODE_BPE,
    hints=(
        "Two merges want the same letter. Which one was learned first?",
        "Begin with the bytes. Then go through the merges, not through the text: each one is "
        "applied to everything before the next one has its turn.",
        "`for i, pair in enumerate(merges): ids = merge_pair(ids, pair, 256 + i)`",
    ),
)

decode_bpe = Check(
    exercise="1.10",
    name="decode_bpe",
    reference=reference.decode_bpe,
    technique=[
        values(
            lambda inputs: ([257, 33], [(104, 105), (256, 256)]),
            title="worked example",
        ),
        Probe("what was encoded comes back: 3 random texts", there_and_back),
        values(
            lambda inputs: ([195, 169, 97], []),
            lambda inputs: ([256, 98, 226, 130, 172], [(195, 169)]),
            lambda inputs: ([240, 256, 128, 32], [(159, 152)]),
            title="a character may be spread over several tokens",
        ),
        values(
            lambda inputs: ([97, 195, 98], []),
            lambda inputs: ([255, 254, 97], []),
            lambda inputs: ([256, 240, 159], [(169, 195)]),
            lambda inputs: ([128, 128, 65, 192], []),
            title="invalid UTF-8 becomes U+FFFD, the replacement character",
        ),
        values(
            lambda inputs: ([], [(97, 98)]),
            lambda inputs: ([32, 10, 97, 10], []),
            lambda inputs: ([239, 187, 191, 0, 97, 13, 10, 0], []),
            lambda inputs: ([258], [(97, 97), (256, 97), (257, 256)]),
            title="nothing at all, white space, byte order mark, zero bytes, merges of merges",
        ),
        Probe(
            "an id that does not exist is an error",
            beyond,
            "Id 258 was decoded with two merges (256 and 257), without an error.",
        ),
    ],
    mistakes=mistakes.DECODE_BPE,
    hints=(
        "Token 257 is a pair of two tokens. What are their bytes?",
        "Make a list of the bytes of every token: 256 single ones, then for each merge the sum of "
        "its two. Join the bytes of all ids before you decode.",
        '`b"".join(tokens[i] for i in ids).decode("utf-8", errors="replace")`',
    ),
)
