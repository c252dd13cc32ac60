"""Lab 11, 11.1: what is tried on dequantize_q4_1."""

import struct

import torch
from torch import Tensor

from checks.engine import Check, values
from checks.real_weights.dequantize_q4_1_wrong import MISTAKES
from checks.real_weights.small_files import block_of, q4_1

FORMULA = "scale · nibble + minimum"
SHAPES = "(n, 20) uint8, left as they are → (n, 32) float32"


def reference(blocks: Tensor) -> Tensor:
    """Turn blocks of 20 bytes into 32 numbers each, nibble after nibble."""
    rows = []
    for block in blocks.tolist():
        scale, minimum = struct.unpack("<ee", bytes(block[:4]))
        numbers = [minimum + scale * (byte % 16) for byte in block[4:]]
        numbers += [minimum + scale * (byte // 16) for byte in block[4:]]
        rows.append(numbers)
    return torch.tensor(rows, dtype=torch.float64).reshape(-1, 32).float()


dequantize_q4_1 = Check(
    exercise="11.1",
    name="dequantize_q4_1",
    weight=2,
    reference=reference,
    technique=[
        values(
            lambda inputs: (block_of(0.5, -2.0, [0, 1, *[4] * 14], [15, *[8] * 15]),),
            title="worked example",
            promise="[0xF0, 0x81] + 14 * [0x84]",
        ),
        # Two rows that part the mistakes: where a nibble goes, and what becomes of it.
        values(
            lambda inputs: (block_of(1.0, 0.0, list(range(16)), [0] * 16),),
            lambda inputs: (block_of(1.0, 0.0, [0] * 16, list(range(15, -1, -1))),),
            title="scale 1, minimum 0: each nibble in its place",
            promise="the low nibbles are 0, 1, 4 …, the high ones 15, 8, 8 …",
        ),
        values(
            lambda inputs: (block_of(-0.25, 3.0, [7] * 16, [7] * 16),),
            lambda inputs: (block_of(0.0, -1.5, [9] * 16, [9] * 16),),
            lambda inputs: (block_of(2.0**-20, 2.0**-18, [3] * 16, [3] * 16),),
            lambda inputs: (block_of(900.0, -6000.0, [11] * 16, [11] * 16),),
            lambda inputs: (
                torch.cat([block_of(0.5 * i, i, [i] * 16, [i] * 16) for i in range(9)]),
            ),
            title="all nibbles of a block alike: negative, zero, tiny and large scales",
            promise=FORMULA,
        ),
        values(
            lambda inputs: (q4_1(inputs, 1),),
            lambda inputs: (q4_1(inputs, 32),),
            title="shape, dtype and values: 1 and 32 random blocks",
            promise=SHAPES,
        ),
        values(
            lambda inputs: (q4_1(inputs, 7),),
            title="shape, dtype and values: 7 random blocks",
            promise=SHAPES,
        ),
    ],
    mistakes=MISTAKES,
    hints=(
        "Which of the 20 bytes are the two float16 numbers, and how many nibbles are in the rest?",
        "`blocks[:, :4].view(torch.float16)` is (n, 2): scale and minimum. Of the other 16 bytes "
        "the low halves, `& 15`, are numbers 0 to 15, and the high halves, `>> 4`, are 16 to 31.",
        "`torch.cat([blocks[:, 4:] & 15, blocks[:, 4:] >> 4], dim=1) * scale + minimum`, where "
        "`scale, minimum = blocks[:, :4].view(torch.float16).float().split(1, dim=1)`",
    ),
)
