"""Lab 01, 1.9: what is tried on encode_bpe."""

from checks.engine import Check, Inputs
from checks.input_block.encode_bpe_wrong import MISTAKES
from checks.input_block.merge_pair import reference as merge_pair
from checks.input_block.shared import WIDE_WORDS, WORDS, Pair, draw_runs, draw_words, ids_of
from checks.input_block.train_bpe import reference as train_bpe

ALPHABET = "abcdefghijklmnopqrstuvwxyz"
BYTES = "its UTF-8 bytes"
IN_ORDER = "merged in the order in which the merges were learned"


def reference(text: str, merges: list[Pair]) -> list[int]:
    """Apply every merge to the whole text, in the order in which they were learned."""
    ids = list(text.encode("utf-8"))
    for i, pair in enumerate(merges):
        ids = merge_pair(ids, pair, 256 + i)
    return ids


def draw_merges(inputs: Inputs, n_merges: int, words: list[str] = WORDS) -> list[Pair]:
    """Learn merges from a text of their own."""
    return train_bpe(draw_words(inputs, 30, words), n_merges)


encode_bpe = Check(
    exercise="1.9",
    name="encode_bpe",
    weight=2,
    reference=reference,
    technique=[
        ids_of(
            lambda inputs: ("abc", [(98, 99), (97, 98)]),
            title="worked example",
            promise='>>> encode_bpe("abc"',
        ),
        ids_of(
            lambda inputs: (draw_words(inputs, 4, WORDS), draw_merges(inputs, 12)),
            lambda inputs: (draw_words(inputs, 20, WORDS), draw_merges(inputs, 30)),
            lambda inputs: ("there and there", [(116, 104), (256, 101)]),
            lambda inputs: ("there and there", [(114, 101), (101, 256)]),
            lambda inputs: ("a\nb a\nb" * 12, [(10, 98), (97, 256), (257, 32)]),
            lambda inputs: ("ab" * 70, [(98, 97)]),
            lambda inputs: (ALPHABET, [(97, 98), *((256 + i, 99 + i) for i in range(24))]),
            title="values on 2 random texts; the same text with two tokenizers",
            promise=IN_ORDER,
        ),
        ids_of(
            lambda inputs: ("abcd", [(97, 98), (98, 99), (99, 100)]),
            lambda inputs: ("abcde", [(98, 99), (256, 100), (97, 98), (100, 101)]),
            lambda inputs: ("xabcabcd", [(99, 100), (97, 98), (257, 99), (258, 256)]),
            lambda inputs: ("xabcx", [(97, 98), (98, 99), (97, 257)]),
            lambda inputs: ("abab ab", [(98, 97), (97, 98)]),
            title="the merge learned first wins, wherever it stands in the text",
            promise=IN_ORDER,
        ),
        ids_of(
            lambda inputs: ("aaaaa", [(97, 97), (256, 256)]),
            lambda inputs: (draw_runs(inputs, 12), [(97, 97), (98, 98), (256, 97), (257, 257)]),
            title="runs of equal letters",
            promise=IN_ORDER,
        ),
        ids_of(
            lambda inputs: (draw_words(inputs, 8, WIDE_WORDS), draw_merges(inputs, 20, WIDE_WORDS)),
            lambda inputs: ("é語😀", [(169, 232), (195, 169)]),
            lambda inputs: ("e\u0301é", [(101, 204)]),
            title="bytes, not characters",
            promise=BYTES,
        ),
        ids_of(
            lambda inputs: ("", [(97, 98)]),
            lambda inputs: ("b", [(97, 98)]),
            lambda inputs: ("hello", []),
            lambda inputs: ("xyz xab", [(104, 105), (97, 98)]),
            lambda inputs: ("a\r\n\ufeff\0ab\n", [(13, 10)]),
            title="an empty text, one letter, no merges, merges that do not occur",
            promise=BYTES,
        ),
    ],
    mistakes=MISTAKES,
    hints=(
        "Two merges want the same letter. Which one was learned first?",
        "Begin with the bytes. Then go through the merges, not through the text: each one is "
        "applied to everything before the next one has its turn.",
        "`for i, pair in enumerate(merges): ids = merge_pair(ids, pair, 256 + i)`",
    ),
)
