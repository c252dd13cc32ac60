"""Lab 06, 6.1: what is tried on repeat_kv."""

import torch
from torch import Tensor

from checks.engine import Check, gradients, keeps_device, values
from checks.gqa.repeat_kv_wrong import MISTAKES


def reference(x: Tensor, n_rep: int) -> Tensor:
    """(B, K, S, d) → (B, K·n_rep, S, d): each kv head n_rep times in a row."""
    heads = []
    for head in x.unbind(1):
        for _ in range(n_rep):
            heads.append(head)
    return torch.stack(heads, dim=1)


repeat_kv = Check(
    exercise="6.1",
    name="repeat_kv",
    reference=reference,
    technique=[
        values(
            lambda inputs: (torch.tensor([[[[1, 2]], [[3, 4]]]]), 2),
            title="worked example",
            promise="repeat_kv(x, 2).tolist()",
        ),
        values(
            lambda inputs: (inputs.randn(2, 3, 5, 4), 2),
            lambda inputs: (inputs.randn(1, 4, 3, 6), 3),
            lambda inputs: (inputs.randn(3, 2, 4, 3), 5),
            lambda inputs: (inputs.randn(4, 4, 4, 4), 4),
            title="shape and values on four random inputs",
            promise="n_rep times in a row",
        ),
        values(
            lambda inputs: (inputs.randn(2, 1, 3, 4), 6),
            lambda inputs: (inputs.randn(2, 5, 3, 4), 1),
            lambda inputs: (inputs.randn(3, 2, 1, 4), 3),
            title="one kv head; n_rep = 1; one position",
            promise="x: (B, K, S, d) → (B, K · n_rep, S, d)",
        ),
        values(
            lambda inputs: (inputs.randn(2, 2, 3, 4).half(), 2),
            lambda inputs: (inputs.randn(2, 2, 3, 4).double(), 2),
            lambda inputs: (inputs.integers(2, 2, 3, 4), 2),
            title="float16, float64 and integers stay what they are",
            promise="same dtype as x",
        ),
    ],
    ready=[
        gradients(lambda inputs: (inputs.randn(2, 3, 2, 4), 3)),
        keeps_device(lambda inputs: (inputs.randn(2, 3, 2, 4), 2)),
    ],
    mistakes=MISTAKES,
    hints=(
        "Query heads 0 to n_rep - 1 read kv head 0. Which kv head has to stand at places 0 to "
        "n_rep - 1?",
        "The heads are dimension 1, and each of them is repeated before the next one comes: 0, 0, "
        "1, 1 and not 0, 1, 0, 1.",
        "`return x.repeat_interleave(n_rep, dim=1)`",
    ),
)
