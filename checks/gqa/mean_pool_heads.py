"""Lab 06, 6.4: what is tried on mean_pool_heads."""

import torch
from torch import Tensor

from checks.engine import Check, gradients, half_precision, keeps_device, values
from checks.gqa.mean_pool_heads_wrong import MISTAKES
from checks.gqa.probes import heads_of, numbered


def reference(weight: Tensor, n_heads: int, n_kv_heads: int) -> Tensor:
    """(H·d, D) → (K·d, D): row i of kv head j is the mean of row i of its query heads' rows."""
    head_dim, group = weight.shape[0] // n_heads, n_heads // n_kv_heads
    rows = []
    for j in range(n_kv_heads):
        for i in range(head_dim):
            total = torch.zeros_like(weight[0], dtype=torch.float64)
            for h in range(j * group, (j + 1) * group):
                total = total + weight[h * head_dim + i].double()
            rows.append(total / group)
    return torch.stack(rows).to(weight.dtype)


mean_pool_heads = Check(
    exercise="6.4",
    name="mean_pool_heads",
    reference=reference,
    technique=[
        values(
            lambda inputs: (torch.arange(8.0).reshape(8, 1), 4, 2),
            title="worked example",
            promise="mean_pool_heads(weight, n_heads=4, n_kv_heads=2)",
        ),
        values(
            lambda inputs: heads_of(inputs, 6, 3, head_dim=4, dim=5),
            lambda inputs: heads_of(inputs, 8, 2, head_dim=3, dim=7),
            lambda inputs: heads_of(inputs, 9, 3, head_dim=2, dim=18),
            title="shape and values: three sizes",
            promise="weight: (H·d, D) → (K·d, D)",
        ),
        values(
            lambda inputs: heads_of(inputs, 5, 1, head_dim=4, dim=6),
            lambda inputs: heads_of(inputs, 4, 4, head_dim=2, dim=3),
            lambda inputs: heads_of(inputs, 6, 2, head_dim=1, dim=4),
            title="one group (MQA), a group for each head (MHA), heads of size 1",
            promise="Replace each group of neighbouring heads",
        ),
        values(
            lambda inputs: (numbered(6, 4, 3), 6, 2),
            title="feature i of a head is averaged with feature i of the others",
            promise="Replace each group of neighbouring heads",
        ),
    ],
    ready=[
        gradients(lambda inputs: heads_of(inputs, 4, 2, head_dim=2, dim=3)),
        half_precision(
            lambda inputs: heads_of(inputs, 6, 2, head_dim=3, dim=4),
            title="float16 and bfloat16 stay what they are",
            promise="same dtype",
        ),
        half_precision(
            lambda inputs: (inputs.uniform(512, 2, low=0.5, high=0.9), 512, 1),
            title="one group of 512 heads in float16 and bfloat16",
        ),
        keeps_device(lambda inputs: heads_of(inputs, 4, 2, head_dim=2, dim=3)),
    ],
    mistakes=MISTAKES,
    hints=(
        "Row r of the weight makes feature r % d of head r // d. Which rows have to be averaged?",
        "Take the rows apart into (K, H // K, d, D): groups, heads of a group, features. The heads "
        "of a group are dimension 1.",
        "`weight.reshape(n_kv_heads, n_heads // n_kv_heads, -1, D).mean(dim=1).reshape(-1, D)`",
    ),
)
