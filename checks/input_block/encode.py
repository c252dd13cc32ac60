"""Lab 01, 1.2: what is tried on encode."""

from typing import Any

from checks.engine import Check, Crash, Inputs, Probe
from checks.input_block.encode_wrong import MISTAKES
from checks.input_block.shared import LETTERS, WIDE, draw_text, draw_vocab, ids_of, large_vocab

PLACES = "Replace each character by its place in the vocabulary, whatever order that has."


def reference(text: str, vocab: list[str]) -> list[int]:
    """Replace each character by its place in the vocabulary."""
    ids = []
    for character in text:
        if character not in vocab:
            raise ValueError(f"the character {character!r} is not in the vocabulary")
        ids.append(vocab.index(character))
    return ids


def unknown_characters(answer: Any, inputs: Inputs) -> list:
    """Encode texts with one character too many; look at the exception and what it names."""
    seen = []
    texts = (
        ("%", "%"),
        ("caféc", "é"),
        ("abcab😀", "😀"),
        ("abYcZa", "YZ"),
        ("aBc", "B"),
        ("a3", "3"),
        ("a b", ""),  # a message has blanks of its own
        ("ab\n", "\n"),
    )
    for text, strangers in texts:
        try:
            got = answer(text, list("acfbex"))
            seen.append(["no error", got if isinstance(got, list) else type(got).__name__])
        except Crash as crash:
            error, says = crash.original, str(crash.original)
            named = not strangers or any(s in says or repr(s)[1:-1] in says for s in strangers)
            kind = "ValueError" if isinstance(error, ValueError) else type(error).__name__
            seen.append(
                [f"{kind} that {'names' if named else 'does not name'} the character", None]
            )
    return seen


encode = Check(
    exercise="1.2",
    name="encode",
    reference=reference,
    technique=[
        ids_of(
            lambda inputs: ("hello", ["e", "h", "l", "o"]),
            title="worked example",
            promise='>>> encode("hello"',
        ),
        ids_of(
            lambda inputs: (draw_text(inputs, 25, LETTERS), draw_vocab(inputs, LETTERS)),
            lambda inputs: (draw_text(inputs, 60, LETTERS[:8]), draw_vocab(inputs, LETTERS + WIDE)),
            lambda inputs: ("", ["a"]),
            lambda inputs: ("abcAC", list("cbACa")),
            lambda inputs: ("abcAC", list("aCAcb")),
            title="vocabularies in any order, and larger than the text",
            promise=PLACES,
        ),
        ids_of(
            lambda inputs: (draw_text(inputs, 25, WIDE), draw_vocab(inputs, WIDE)),
            lambda inputs: ("ée\u0301e", ["é", "e", "\u0301"]),
            lambda inputs: (draw_text(inputs, 400, vocab := large_vocab(inputs)), vocab),
            title="characters beyond ASCII, a vocabulary of 300",
            promise=PLACES,
        ),
        Probe(
            "a character outside the vocabulary: ValueError that names it",
            unknown_characters,
            "The text had a character that is not in the vocabulary. That has to raise a "
            "ValueError whose message contains the character.",
            promise="Raises ValueError, with the character in its message",
        ),
    ],
    mistakes=MISTAKES,
    hints=(
        "The id of a character is its place in `vocab`. What if it has none?",
        "A dictionary from character to place finds it at once; test with `in` before you look up.",
        "`places = {character: i for i, character in enumerate(vocab)}`; then for each character "
        'raise ValueError(f"{character!r} is not in the vocabulary") or append its place.',
    ),
)
