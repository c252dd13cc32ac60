"""Lab 14, 14.1: what is tried on lookup_draft."""

import torch
from torch import Tensor

from checks.engine import Check, Inputs, keeps_device, values
from checks.speculative.lookup_draft_wrong import MISTAKES

FOLLOWED = "The guess is what followed there"
LATEST = "of several places the latest"
FIRST = "the first n that is found counts"
AT_MOST = "at most n_draft tokens, fewer where ids ends"


def reference(ids: Tensor, n_draft: int, longest: int = 3) -> Tensor:
    """(T,) → (m,): what followed the latest earlier place of the longest ending that has one."""
    text = ids.tolist()
    for n in range(longest, 0, -1):
        ending = text[len(text) - n :] if n <= len(text) else None
        places = [i for i in range(len(text) - n) if text[i : i + n] == ending]
        if places:
            return ids[places[-1] + n :][:n_draft]
    return ids[:0]


def text(*ids: int) -> Tensor:
    """A text of these ids: (T,)."""
    return torch.tensor(ids)


def repeated(inputs: Inputs, length: int, kinds: int) -> Tensor:
    """A text of few different tokens, so that much comes back: (length,)."""
    return inputs.integers(length, high=kinds) + 10


lookup_draft = Check(
    exercise="14.1",
    name="lookup_draft",
    reference=reference,
    technique=[
        values(
            lambda inputs: (text(7, 8, 9, 5, 7, 8), 3),
            lambda inputs: (text(1, 2, 1, 3, 1), 3),
            lambda inputs: (text(1, 2, 3), 3),
            title="worked examples",
            promise="lookup_draft(torch.tensor([7, 8, 9, 5, 7, 8]), n_draft=3)",
        ),
        values(
            lambda inputs: (repeated(inputs, 23, 3), 4),
            lambda inputs: (repeated(inputs, 40, 4), 5),
            lambda inputs: (repeated(inputs, 17, 2), 6),
            lambda inputs: (repeated(inputs, 31, 5), 3),
            title="four texts in which much comes back",
            promise=FOLLOWED,
        ),
        values(
            lambda inputs: (text(1, 2, 3, 40, 50, 9, 3, 60, 61, 8, 2, 3, 70, 71, 1, 2, 3), 2),
            lambda inputs: (text(5, 6, 30, 31, 6, 32, 33, 5, 6), 3),
            lambda inputs: (text(4, 4, 1, 20, 21, 22, 1, 23, 9, 1), 2),
            title="a longer ending counts before a shorter one",
            promise=FIRST,
        ),
        values(
            lambda inputs: (text(7, 8, 20, 21, 7, 8, 30, 31, 7, 8, 40, 41, 7, 8), 3),
            lambda inputs: (text(9, 20, 9, 30, 31, 9), 2),
            title="of several places the latest",
            promise=LATEST,
        ),
        values(
            lambda inputs: (text(1, 2, 3, 9, 8, 2, 3, 4, 7, 1, 2, 3), 3, 1),
            lambda inputs: (text(1, 2, 3, 4, 9, 2, 3, 4, 8, 7, 1, 2, 3, 4), 3, 4),
            lambda inputs: (text(1, 2, 3, 4, 9, 2, 3, 4, 8, 7, 1, 2, 3, 4), 3),
            lambda inputs: (text(1, 2, 3, 9, 3, 8, 1, 2, 3), 2, 2),
            title="longest = 1, 2, 3 and 4",
            promise="n = longest, longest - 1, …, 1",
        ),
        values(
            lambda inputs: (text(6, 5, 4), 4),
            lambda inputs: (text(1, 1, 2, 2, 3), 2),
            lambda inputs: (text(5), 3),
            title="the last token is new: no guess, (0,) int64",
            promise="none when even the last token is new",
        ),
        values(
            lambda inputs: (text(3, 3), 4),
            lambda inputs: (text(3, 3, 3, 3), 5),
            lambda inputs: (text(1, 2, 1, 2), 5),
            lambda inputs: (text(8, 1, 8), 9),
            title="repetition up to the end: fewer where ids ends",
            promise=AT_MOST,
        ),
        values(
            lambda inputs: (text(1, 2, 3, 4, 5, 6, 7, 1), 1),
            lambda inputs: (text(1, 2, 3, 4, 5, 6, 7, 1), 5),
            lambda inputs: (text(1, 2, 3, 4, 5, 6, 7, 1), 0),
            title="n_draft = 1, 5 and 0",
            promise="at most n_draft tokens",
        ),
    ],
    ready=[
        keeps_device(lambda inputs: (text(7, 8, 9, 5, 7, 8), 3)),
    ],
    mistakes=MISTAKES,
    hints=(
        "The last two tokens are 7 8. How do you find out whether 7 8 stood somewhere earlier, and "
        "what followed?",
        "Two loops: over the length of the ending, from longest down to 1, and over the places, "
        "the latest first. The place at the very end does not count. At the first hit return the "
        "tokens behind it.",
        "`for start in range(len(seen) - n - 1, -1, -1): if seen[start : start + n] == "
        "seen[-n:]: return ids[start + n : start + n + n_draft]`",
    ),
)
