"""Lab 01, 1.1: what is tried on build_vocab."""

from checks.engine import Check, values
from checks.input_block.build_vocab_wrong import MISTAKES
from checks.input_block.shared import LETTERS, WIDE, draw_text

DISTINCT = "List the distinct characters of a text, sorted."


def reference(text: str) -> list[str]:
    """Collect the characters of the text, each once, sorted."""
    vocab: list[str] = []
    for character in text:
        if character not in vocab:
            vocab.append(character)
    vocab.sort()
    return vocab


build_vocab = Check(
    exercise="1.1",
    name="build_vocab",
    reference=reference,
    technique=[
        values(
            lambda inputs: ("hello",), title="worked example", promise='>>> build_vocab("hello")'
        ),
        values(
            lambda inputs: (draw_text(inputs, 60, LETTERS),),
            lambda inputs: (draw_text(inputs, 200, LETTERS),),
            title="values on 2 random texts",
            promise=DISTINCT,
        ),
        values(
            lambda inputs: (draw_text(inputs, 40, WIDE),),
            lambda inputs: ("e\u0301é",),
            lambda inputs: ("\uff5e😀\uff5e",),
            title="characters beyond ASCII stay as they are",
            promise=DISTINCT,
        ),
        values(
            lambda inputs: ("",),
            lambda inputs: ("x",),
            lambda inputs: ("\n \n",),
            lambda inputs: ("\ufeff\r\n\t",),
            lambda inputs: ("bBaA Aabb",),
            title="an empty text, one character, white space, capitals beside small letters",
            promise=DISTINCT,
        ),
    ],
    mistakes=MISTAKES,
    hints=(
        "Which Python type keeps everything once?",
        "A `set` of the text has each character once, in no particular order.",
        "`return sorted(set(text))`",
    ),
    only_numbers=True,  # a text cannot be changed in place either
)
