"""Lab 01, 1.3: what is tried on decode."""

from checks.engine import Check, Probe, values
from checks.input_block.decode_wrong import MISTAKES
from checks.input_block.shared import (
    LETTERS,
    WIDE,
    draw_ids,
    draw_vocab,
    error_or_result,
    large_vocab,
)

CHARACTERS = "Replace each id by the character at that place in the vocabulary"


def reference(ids: list[int], vocab: list[str]) -> str:
    """Replace each id by the character at that place."""
    text = ""
    for i in ids:
        text += vocab[i]
    return text


decode = Check(
    exercise="1.3",
    name="decode",
    reference=reference,
    technique=[
        values(
            lambda inputs: ([1, 0, 2, 2, 3], ["e", "h", "l", "o"]),
            title="worked example",
            promise=">>> decode([1, 0, 2, 2, 3]",
        ),
        values(
            lambda inputs: (draw_ids(inputs, 30, 0, 20), draw_vocab(inputs, LETTERS)),
            lambda inputs: (draw_ids(inputs, 50, 0, 5), draw_vocab(inputs, LETTERS)),
            title="vocabularies in any order",
            promise=CHARACTERS,
        ),
        values(
            lambda inputs: (draw_ids(inputs, 30, 0, 12), draw_vocab(inputs, WIDE)),
            lambda inputs: ([2, 2, 0, 0, 1], [" ", "x", "\n"]),
            lambda inputs: ([0, 1, 0, 1, 2], [" ", "x", "\n"]),
            lambda inputs: ([0, 1, 2], ["e", "\u0301", "é"]),
            lambda inputs: ([1, 0, 2], ["x", "\t", "\r"]),
            lambda inputs: ([], ["a", "b"]),
            lambda inputs: (draw_ids(inputs, 400, 0, 300), large_vocab(inputs)),
            title="characters beyond ASCII, white space, nothing at all, a vocabulary of 300",
            promise=CHARACTERS,
        ),
        Probe(
            "an id that does not exist is an error",
            lambda answer, inputs: error_or_result(lambda: answer([0, 3, 1], ["a", "b", "c"])),
            "Id 3 was decoded with 3 characters (0, 1, 2), without an error.",
            promise="An id beyond the vocabulary is an error",
        ),
    ],
    mistakes=MISTAKES,
    hints=(
        "encode went from character to place. Which direction does `vocab[i]` go?",
        "One character per id, joined without anything between them.",
        '`return "".join(vocab[i] for i in ids)`',
    ),
)
