"""Lab 01: characters, embeddings and batches; its byte-pair encoding is in input_block_bpe."""

import torch

from checks.engine import Check, Probe, gradients, keeps_device, values
from checks.input_block import mistakes, reference
from checks.input_block.bpe import (
    count_pairs,
    decode_bpe,
    encode_bpe,
    merge_pair,
    train_bpe,
)
from checks.input_block.probes import (
    LETTERS,
    WIDE,
    draw_ids,
    draw_text,
    draw_vocab,
    ids_beyond,
    ids_of,
    large_vocab,
    one_step_later,
    rows_beyond,
    unknown_characters,
    windows,
)

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

LIMITS = "an id that does not exist is an error"


build_vocab = Check(
    exercise="1.1",
    name="build_vocab",
    reference=reference.build_vocab,
    technique=[
        values(lambda inputs: ("hello",), title="worked example"),
        values(
            lambda inputs: (draw_text(inputs, 60, LETTERS),),
            lambda inputs: (draw_text(inputs, 200, LETTERS),),
            title="values on 2 random texts",
        ),
        values(
            lambda inputs: (draw_text(inputs, 40, WIDE),),
            lambda inputs: ("e\u0301é",),
            lambda inputs: ("\uff5e😀\uff5e",),
            title="characters beyond ASCII stay as they are",
        ),
        values(
            lambda inputs: ("",),
            lambda inputs: ("x",),
            lambda inputs: ("\n \n",),
            lambda inputs: ("\ufeff\r\n\t",),
            lambda inputs: ("bBaA Aabb",),
            title="an empty text, one character, white space, capitals beside small letters",
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
    technique=[
        ids_of(lambda inputs: ("hello", ["e", "h", "l", "o"]), title="worked example"),
        ids_of(
            lambda inputs: (draw_text(inputs, 25, LETTERS), draw_vocab(inputs, LETTERS)),
            lambda inputs: (draw_text(inputs, 60, LETTERS[:8]), draw_vocab(inputs, LETTERS + WIDE)),
            lambda inputs: ("", ["a"]),
            lambda inputs: ("abcAC", list("cbACa")),
            lambda inputs: ("abcAC", list("aCAcb")),
            title="vocabularies in any order, and larger than the text",
        ),
        ids_of(
            lambda inputs: (draw_text(inputs, 25, WIDE), draw_vocab(inputs, WIDE)),
            lambda inputs: ("ée\u0301e", ["é", "e", "\u0301"]),
            lambda inputs: (draw_text(inputs, 400, vocab := large_vocab(inputs)), vocab),
            title="characters beyond ASCII, a vocabulary of 300",
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
    technique=[
        values(lambda inputs: ([1, 0, 2, 2, 3], ["e", "h", "l", "o"]), title="worked example"),
        values(
            lambda inputs: (draw_ids(inputs, 30, 20), draw_vocab(inputs, LETTERS)),
            lambda inputs: (draw_ids(inputs, 50, 5), draw_vocab(inputs, LETTERS)),
            title="vocabularies in any order",
        ),
        values(
            lambda inputs: (draw_ids(inputs, 30, 12), draw_vocab(inputs, WIDE)),
            lambda inputs: ([2, 2, 0, 0, 1], [" ", "x", "\n"]),
            lambda inputs: ([0, 1, 0, 1, 2], [" ", "x", "\n"]),
            lambda inputs: ([0, 1, 2], ["e", "\u0301", "é"]),
            lambda inputs: ([1, 0, 2], ["x", "\t", "\r"]),
            lambda inputs: ([], ["a", "b"]),
            lambda inputs: (draw_ids(inputs, 400, 300), large_vocab(inputs)),
            title="characters beyond ASCII, white space, nothing at all, a vocabulary of 300",
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
    technique=[
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
            lambda inputs: (inputs.integers(3, 4, high=5).T, inputs.randn(5, 5)),
            lambda inputs: (inputs.integers(9, high=70_000), torch.arange(70_000.0)[:, None]),
            title="any leading dimensions; int32 ids; transposed ids; V = D; 70,000 rows",
        ),
        values(
            lambda inputs: (inputs.integers(2, 5, high=7), inputs.randn(7, 3).half()),
            lambda inputs: (inputs.integers(2, 5, high=7), inputs.randn(7, 3).bfloat16()),
            lambda inputs: (inputs.integers(2, 5, high=7), inputs.randn(7, 3).double()),
            title="float16, bfloat16 and float64 tables",
        ),
        Probe(LIMITS, rows_beyond, "Id 5 was looked up in 5 rows (0 to 4), without an error."),
    ],
    ready=[
        gradients(
            lambda inputs: (torch.tensor([[1, 3, 1], [1, 0, 3]]), inputs.randn(5, 4)),
            lambda inputs: (torch.tensor([[2, 0, 1]]), inputs.randn(3, 2)),
            title="gradients: one per row used, summed where an id occurs again",
        ),
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
    technique=[
        windows(
            lambda inputs: (torch.tensor([10, 11, 12, 13, 14, 15]), torch.tensor([3, 0]), 2),
            title="worked example",
        ),
        windows(
            lambda inputs: (inputs.integers(50), torch.tensor([7, 31, 0, 7]), 5),
            lambda inputs: (inputs.integers(23), inputs.integers(6, high=15), 7),
            lambda inputs: (inputs.integers(9), torch.tensor([4]), 1),
            lambda inputs: (inputs.integers(40), inputs.integers(9, high=30), 3),
            lambda inputs: (inputs.integers(5000), torch.tensor([4990, 300, 2049, 129]), 6),
            title="shape, dtype and values on 5 random inputs",
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
    ],
    ready=[
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
