"""Lab 01: characters, embeddings and batches; its byte-pair encoding is in input_block_bpe."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from checks.engine import Check, Inputs, Probe, Wrong, gradients, keeps_device, values
from checks.engine.answer import Crash
from checks.input_block_bpe import (
    count_pairs,
    decode_bpe,
    encode_bpe,
    merge_pair,
    train_bpe,
)
from checks.mistakes import input_block as mistakes
from checks.reference import input_block as reference

__all__ = [
    "build_vocab",
    "count_pairs",
    "decode",
    "decode_bpe",
    "embed",
    "encode",
    "encode_bpe",
    "make_batch",
    "merge_pair",
    "train_bpe",
]

LETTERS = list("The quick brown fox\njumps over: 3 lazy dogs!")
WIDE = list("aé語ß😀𝄞 e\u0301\n\tZ~")  # two to four bytes each; é in both spellings
LIMITS = "an id that does not exist is an error"


def draw_text(inputs: Inputs, length: int, characters: list[str]) -> str:
    """Draw a text of `length` characters."""
    places = inputs.integers(length, high=len(characters)).tolist()
    return "".join(characters[place] for place in places)


def draw_vocab(inputs: Inputs, characters: list[str]) -> list[str]:
    """Draw a vocabulary in an order of its own: no sorting finds it again."""
    distinct = sorted(set(characters))
    return [distinct[i] for i in inputs.uniform(len(distinct)).argsort().tolist()]


def draw_ids(inputs: Inputs, length: int, high: int) -> list[int]:
    """Draw ids below `high`."""
    return inputs.integers(length, high=high).tolist()


def unknown_characters(answer: Any, inputs: Inputs) -> list:
    """Encode texts with one character too many; look at the exception and what it names."""
    seen = []
    for text, strangers in (("%", "%"), ("caféc", "é"), ("abcab😀", "😀"), ("abYcZa", "YZ")):
        try:
            seen.append(["no error", answer(text, list("acfbex"))])
        except Crash as crash:
            named = any(stranger in str(crash.original) for stranger in strangers)
            names = "names" if named else "does not name"
            seen.append([f"{type(crash.original).__name__} that {names} the character", None])
    return seen


def error_or_result(call: Callable[[], Any]) -> list:
    """Tell whether a call that should be an error is one, and what it returns otherwise."""
    try:
        return ["no error", call()]
    except Crash:
        return ["an error", None]


def ids_beyond(answer: Any, inputs: Inputs) -> list:
    """Decode an id that is just beyond the vocabulary."""
    return error_or_result(lambda: answer([0, 3, 1], ["a", "b", "c"]))


def rows_beyond(answer: Any, inputs: Inputs) -> list:
    """Look up an id that is just beyond the table."""
    return error_or_result(lambda: answer(torch.tensor([[0, 5]]), inputs.randn(5, 3)))


def windows(*draws: Any, title: str) -> Probe:
    """Compare inputs and targets of several batches; a list of the two does as well as a tuple."""

    def run(answer: Any, inputs: Inputs) -> list:
        seen = []
        for draw in draws:
            batch = answer(*draw(inputs))
            seen.append(tuple(batch) if isinstance(batch, list) else batch)
        return seen

    return Probe(title, run)


def one_step_later(answer: Any, inputs: Inputs) -> list[bool]:
    """Look at how inputs and targets overlap, and at the very last target."""
    data = torch.arange(40) ** 2
    result = answer(data, torch.tensor([30, 0, 17]), 9)
    if not isinstance(result, tuple | list) or len(result) != 2:
        raise Wrong("make_batch returns two things: `return inputs, targets`.")
    given, targets = result
    if not isinstance(given, Tensor) or not isinstance(targets, Tensor):
        raise Wrong("make_batch returns two tensors: `return inputs, targets`.")
    if given.shape != (3, 9) or targets.shape != (3, 9):
        shapes = f"{tuple(given.shape)} and {tuple(targets.shape)}"
        raise Wrong(f"inputs and targets have the shapes {shapes}; expected (3, 9) for both.")
    overlap = targets[:, :-1].equal(given[:, 1:])
    return [overlap, targets[0, -1].item() == 39**2, given[1, 0].item() == 0]


build_vocab = Check(
    exercise="1.1",
    name="build_vocab",
    reference=reference.build_vocab,
    probes=[
        values(lambda inputs: ("hello",), title="worked example"),
        values(
            lambda inputs: (draw_text(inputs, 60, LETTERS),),
            lambda inputs: (draw_text(inputs, 200, LETTERS),),
            title="values on 2 random texts",
        ),
        values(
            lambda inputs: (draw_text(inputs, 40, WIDE),),
            lambda inputs: ("e\u0301é",),
            title="characters beyond ASCII stay as they are",
        ),
        values(
            lambda inputs: ("",),
            lambda inputs: ("x",),
            lambda inputs: ("\n \n",),
            title="an empty text, one character, white space",
        ),
    ],
    mistakes=mistakes.BUILD_VOCAB,
    hints=(
        "Which Python type keeps everything once?",
        "A `set` of the text has each character once, in no particular order.",
        "`return sorted(set(text))`",
    ),
)

encode = Check(
    exercise="1.2",
    name="encode",
    reference=reference.encode,
    probes=[
        values(lambda inputs: ("hello", ["e", "h", "l", "o"]), title="worked example"),
        values(
            lambda inputs: (draw_text(inputs, 25, LETTERS), draw_vocab(inputs, LETTERS)),
            lambda inputs: (draw_text(inputs, 60, LETTERS[:8]), draw_vocab(inputs, LETTERS + WIDE)),
            lambda inputs: ("", ["a"]),
            title="vocabularies in any order, and larger than the text",
        ),
        values(
            lambda inputs: (draw_text(inputs, 25, WIDE), draw_vocab(inputs, WIDE)),
            title="characters beyond ASCII",
        ),
        Probe(
            "a character outside the vocabulary: ValueError that names it",
            unknown_characters,
            "The text had a character that is not in the vocabulary. That has to raise a "
            "ValueError whose message contains the character.",
        ),
    ],
    mistakes=mistakes.ENCODE,
    hints=(
        "The id of a character is its place in `vocab`. What if it has none?",
        "A dictionary from character to place finds it at once; test with `in` before you look up.",
        "`places = {character: i for i, character in enumerate(vocab)}`; then for each character "
        'raise ValueError(f"{character!r} is not in the vocabulary") or append its place.',
    ),
)

decode = Check(
    exercise="1.3",
    name="decode",
    reference=reference.decode,
    probes=[
        values(lambda inputs: ([1, 0, 2, 2, 3], ["e", "h", "l", "o"]), title="worked example"),
        values(
            lambda inputs: (draw_ids(inputs, 30, 20), draw_vocab(inputs, LETTERS)),
            lambda inputs: (draw_ids(inputs, 50, 5), draw_vocab(inputs, LETTERS)),
            title="vocabularies in any order",
        ),
        values(
            lambda inputs: (draw_ids(inputs, 30, 12), draw_vocab(inputs, WIDE)),
            lambda inputs: ([2, 2, 0, 0, 1], [" ", "x", "\n"]),
            lambda inputs: ([0, 1, 2], ["e", "\u0301", "é"]),
            lambda inputs: ([], ["a", "b"]),
            title="characters beyond ASCII, white space, nothing at all",
        ),
        Probe(
            LIMITS, ids_beyond, "Id 3 was decoded with 3 characters (0, 1, 2), without an error."
        ),
    ],
    mistakes=mistakes.DECODE,
    hints=(
        "encode went from character to place. Which direction does `vocab[i]` go?",
        "One character per id, joined without anything between them.",
        '`return "".join(vocab[i] for i in ids)`',
    ),
)

embed = Check(
    exercise="1.4",
    name="embed",
    reference=reference.embed,
    probes=[
        values(
            lambda inputs: (
                torch.tensor([[2, 0]]),
                torch.tensor([[0.0, 1.0], [2.0, 3.0], [4.0, 5.0]]),
            ),
            title="worked example",
        ),
        values(
            lambda inputs: (inputs.integers(2, 5, high=7), inputs.randn(7, 3)),
            lambda inputs: (inputs.integers(4, 3, high=11), 4 * inputs.randn(11, 6)),
            lambda inputs: (inputs.integers(3, 4, low=120, high=300), inputs.randn(300, 2)),
            title="shape, dtype and values on {n} random inputs",
        ),
        values(
            lambda inputs: (inputs.integers(6, high=5), inputs.randn(5, 4)),
            lambda inputs: (inputs.integers(2, 3, 4, high=5), inputs.randn(5, 2)),
            lambda inputs: (inputs.integers(3, 2, high=9).int(), inputs.randn(9, 5)),
            title="any leading dimensions; int32 ids",
        ),
        gradients(
            lambda inputs: (torch.tensor([[1, 3, 1], [1, 0, 3]]), inputs.randn(5, 4)),
            title="gradients: one per row used, summed where an id occurs again",
        ),
        values(
            lambda inputs: (inputs.integers(2, 5, high=7), inputs.randn(7, 3).half()),
            lambda inputs: (inputs.integers(2, 5, high=7), inputs.randn(7, 3).bfloat16()),
            lambda inputs: (inputs.integers(2, 5, high=7), inputs.randn(7, 3).double()),
            title="float16, bfloat16 and float64 tables",
        ),
        Probe(LIMITS, rows_beyond, "Id 5 was looked up in 5 rows (0 to 4), without an error."),
        keeps_device(lambda inputs: (inputs.integers(2, 5, high=7), inputs.randn(7, 3))),
    ],
    mistakes=mistakes.EMBED,
    hints=(
        "What does `table[2]` give? And `table[torch.tensor([2, 0])]`?",
        "A tensor may be indexed with a tensor of ints of any shape; that shape comes back.",
        "`return table[ids]`",
    ),
)

make_batch = Check(
    exercise="1.5",
    name="make_batch",
    reference=reference.make_batch,
    probes=[
        windows(
            lambda inputs: (torch.tensor([10, 11, 12, 13, 14, 15]), torch.tensor([3, 0]), 2),
            title="worked example",
        ),
        windows(
            lambda inputs: (inputs.integers(50), torch.tensor([7, 31, 0, 7]), 5),
            lambda inputs: (inputs.integers(23), inputs.integers(6, high=15), 7),
            lambda inputs: (inputs.integers(9), torch.tensor([4]), 1),
            title="shape, dtype and values on 3 random inputs",
        ),
        Probe(
            "targets are one step later, up to the last number of the data",
            one_step_later,
            "Each target must be the data's number one step after its input: "
            "`targets[:, :-1]` equals `inputs[:, 1:]`, and the last one comes from the data, too.",
        ),
        windows(
            lambda inputs: (inputs.integers(30).int(), torch.tensor([25, 2]), 4),
            lambda inputs: (inputs.integers(30).to(torch.uint8), torch.tensor([0, 3, 11]), 4),
            lambda inputs: (inputs.integers(30), torch.tensor([5, 2], dtype=torch.int32), 4),
            title="int32 and uint8 data keep their dtype; int32 starts",
        ),
        keeps_device(lambda inputs: (inputs.integers(50), torch.tensor([7, 31, 0]), 5)),
    ],
    mistakes=mistakes.MAKE_BATCH,
    hints=(
        "Which positions of the data does the window from 7 on cover, and which do its targets?",
        "`starts[:, None] + torch.arange(context)` is (B, context): all positions of all windows.",
        "`positions = starts[:, None] + torch.arange(context, device=starts.device)`, then "
        "`return data[positions], data[positions + 1]`",
    ),
)
