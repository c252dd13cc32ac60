"""Lab 01, 1.4: what is tried on embed."""

from typing import Any

import torch
from torch import Tensor

from checks.engine import Check, Inputs, Probe, gradients, keeps_device, values
from checks.input_block.embed_wrong import MISTAKES
from checks.input_block.shared import error_or_result

ROWS = "Look up one row of the table for each id."
ANY_SHAPE = "ids: (B, T) or any other shape"


def reference(ids: Tensor, table: Tensor) -> Tensor:
    """Take one row of the table per id. ids: (...), table: (V, D) → (..., D)."""
    rows = [table[i] for i in ids.flatten().tolist()]
    return torch.stack(rows).reshape(*ids.shape, table.shape[1])


def rows_beyond(answer: Any, inputs: Inputs) -> list:
    """Look up an id that is just beyond the table."""
    return error_or_result(lambda: answer(torch.tensor([[0, 5]]), inputs.randn(5, 3)))


embed = Check(
    exercise="1.4",
    name="embed",
    reference=reference,
    technique=[
        values(
            lambda inputs: (
                torch.tensor([[2, 0]]),
                torch.tensor([[0.0, 1.0], [2.0, 3.0], [4.0, 5.0]]),
            ),
            title="worked example",
            promise=">>> embed(torch.tensor([[2, 0]]), table)",
        ),
        values(
            lambda inputs: (inputs.integers(2, 5, high=7), inputs.randn(7, 3)),
            lambda inputs: (inputs.integers(4, 3, high=11), 4 * inputs.randn(11, 6)),
            lambda inputs: (inputs.integers(3, 4, low=120, high=300), inputs.randn(300, 2)),
            promise=ROWS,
        ),
        values(
            lambda inputs: (inputs.integers(6, high=5), inputs.randn(5, 4)),
            lambda inputs: (inputs.integers(2, 3, 4, high=5), inputs.randn(5, 2)),
            lambda inputs: (inputs.integers(3, 1, high=9), inputs.randn(9, 5)),
            lambda inputs: (inputs.integers(3, 4, high=5).T, inputs.randn(5, 5)),
            lambda inputs: (inputs.integers(9, high=70_000), torch.arange(70_000.0)[:, None]),
            title="any leading dimensions; transposed ids; V = D; sizes of 1; 70,000 rows",
            promise=ANY_SHAPE,
        ),
        values(
            lambda inputs: (inputs.integers(2, 5, high=7), inputs.randn(7, 3).half()),
            lambda inputs: (inputs.integers(2, 5, high=7), inputs.randn(7, 3).bfloat16()),
            lambda inputs: (inputs.integers(2, 5, high=7), inputs.randn(7, 3).double()),
            title="float16, bfloat16 and float64 tables",
            promise="the table's dtype",
        ),
        Probe(
            "an id that does not exist is an error",
            rows_beyond,
            "Id 5 was looked up in 5 rows (0 to 4), without an error.",
            promise="An id beyond the table is an error",
        ),
    ],
    ready=[
        gradients(
            lambda inputs: (torch.tensor([[1, 3, 1], [1, 0, 3]]), inputs.randn(5, 4)),
            lambda inputs: (torch.tensor([[2, 0, 1]]), inputs.randn(3, 2)),
            title="gradients: one per row used, summed where an id occurs again",
        ),
        keeps_device(lambda inputs: (inputs.integers(2, 5, high=7), inputs.randn(7, 3))),
    ],
    mistakes=MISTAKES,
    hints=(
        "What does `table[2]` give? And `table[torch.tensor([2, 0])]`?",
        "A tensor may be indexed with a tensor of ints of any shape; that shape comes back.",
        "`return table[ids]`",
    ),
)
