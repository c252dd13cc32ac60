"""Lab 01, 1.10: what is tried on decode_bpe."""

from typing import Any

from checks.engine import Check, Inputs, Probe, values
from checks.input_block.decode_bpe_wrong import MISTAKES
from checks.input_block.encode_bpe import draw_merges
from checks.input_block.encode_bpe import reference as encode_bpe
from checks.input_block.shared import WIDE_WORDS, WORDS, Pair, draw_words, error_or_result

JOINED = "Join the bytes of all tokens and read them as UTF-8"
INVALID = "invalid bytes become U+FFFD"


def reference(ids: list[int], merges: list[Pair]) -> str:
    """Join the bytes of all tokens, and only then read them as UTF-8."""
    tokens = [bytes([i]) for i in range(256)]
    for first, second in merges:
        tokens.append(tokens[first] + tokens[second])
    return b"".join(tokens[i] for i in ids).decode("utf-8", errors="replace")


def there_and_back(answer: Any, inputs: Inputs) -> list[str]:
    """Decode what was encoded with many merges: the text must come back."""
    texts = [draw_words(inputs, 15, words) for words in (WORDS, WIDE_WORDS, WORDS + WIDE_WORDS)]
    merges = draw_merges(inputs, 25, WORDS + WIDE_WORDS)
    return [answer(encode_bpe(text, merges), merges) for text in texts]


def beyond(answer: Any, inputs: Inputs) -> list:
    """Decode the first id that no merge has made."""
    return error_or_result(lambda: answer([97, 258, 98], [(97, 98), (256, 99)]))


decode_bpe = Check(
    exercise="1.10",
    name="decode_bpe",
    reference=reference,
    technique=[
        values(
            lambda inputs: ([257, 33], [(104, 105), (256, 256)]),
            title="worked example",
            promise=">>> decode_bpe([257, 33]",
        ),
        Probe("what was encoded comes back: 3 random texts", there_and_back, promise=JOINED),
        values(
            lambda inputs: ([195, 169, 97], []),
            lambda inputs: ([98, 226, 130, 172, 240, 159, 152, 128, 32], []),
            title="a character may be spread over several tokens",
            promise=JOINED,
        ),
        values(
            lambda inputs: ([256, 98, 226, 130, 172], [(195, 169)]),
            lambda inputs: ([240, 256, 128, 32], [(159, 152)]),
            lambda inputs: ([256, 240, 159], [(169, 195)]),
            title="merges of parts of characters",
            promise=JOINED,
        ),
        values(
            lambda inputs: ([97, 195, 98], []),
            lambda inputs: ([255, 254, 97], []),
            lambda inputs: ([0, 97, 255], [(98, 99)]),
            lambda inputs: ([128, 128, 65, 192], []),
            lambda inputs: ([99, 97, 240, 159, 152], []),
            title="invalid UTF-8 becomes U+FFFD, the replacement character",
            promise=INVALID,
        ),
        values(
            lambda inputs: ([], [(97, 98)]),
            lambda inputs: ([32, 10, 97, 10], []),
            lambda inputs: ([239, 187, 191, 0, 97, 13, 10, 0], []),
            lambda inputs: ([258], [(97, 97), (256, 97), (257, 256)]),
            title="nothing at all, white space, byte order mark, zero bytes, merges of merges",
            promise=JOINED,
        ),
        Probe(
            "an id that does not exist is an error",
            beyond,
            "Id 258 was decoded with two merges (256 and 257), without an error.",
            promise="An id that no merge has made is an error",
        ),
    ],
    mistakes=MISTAKES,
    hints=(
        "Token 257 is a pair of two tokens. What are their bytes?",
        "Make a list of the bytes of every token: 256 single ones, then for each merge the sum of "
        "its two. Join the bytes of all ids before you decode.",
        '`b"".join(tokens[i] for i in ids).decode("utf-8", errors="replace")`',
    ),
)
