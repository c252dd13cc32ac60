"""Lab 06, 6.5: what is tried on decode_intensity."""

from checks.engine import Check, values
from checks.gqa.decode_intensity_wrong import MISTAKES


def reference(n_heads: int, n_kv_heads: int, head_dim: int, seq_len: int) -> float:
    """FLOPs per byte of one decode step's attention, with a cache of 2-byte numbers."""
    flops = 0
    for _ in range(n_heads):
        flops += seq_len * 2 * head_dim  # q·k: a multiplication and an addition for each number
        flops += seq_len * 2 * head_dim  # weights·v
    bytes_read = 0
    for _ in ("keys", "values"):
        bytes_read += n_kv_heads * seq_len * head_dim * 2
    return flops / bytes_read


decode_intensity = Check(
    exercise="6.5",
    name="decode_intensity",
    only_numbers=True,
    reference=reference,
    technique=[
        values(
            lambda inputs: (4, 2, 8, 10),
            title="worked example",
            promise="decode_intensity(n_heads=4",
        ),
        values(
            lambda inputs: (6, 3, 5, 7),
            lambda inputs: (12, 3, 2, 9),
            lambda inputs: (15, 5, 7, 2),
            lambda inputs: (6, 1, 3, 11),
            lambda inputs: (5, 5, 2, 3),
            title="grouped, MQA and MHA, at odd sizes",
            promise="q·k and weights·v over the bytes of the cache",
        ),
        values(
            lambda inputs: (32, 32, 128, 8192),
            lambda inputs: (32, 8, 128, 8192),
            lambda inputs: (32, 8, 128, 1),
            lambda inputs: (64, 8, 128, 131072),
            title="Llama 3's sizes",
            promise="A multiplication and an addition count as two FLOPs",
        ),
    ],
    mistakes=MISTAKES,
    hints=(
        "For one new token, how many numbers of the cache are read, and what is done with each?",
        "q·k takes a multiplication and an addition for each of d numbers, S keys and H heads: "
        "2·H·d·S FLOPs, and weights·v as many. The cache has K heads of S keys and S values.",
        "`(4 * n_heads * head_dim * seq_len) / (4 * n_kv_heads * head_dim * seq_len)`",
    ),
)
