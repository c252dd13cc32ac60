"""Lab 05, 5.6: what is tried on kv_cache_bytes."""

from checks.engine import Check, Probe, values
from checks.kv_cache.kv_cache_bytes_wrong import MISTAKES
from checks.kv_cache.whole_numbers import int_type

BYTES = "The bytes of the keys and values of batch sequences of seq_len positions, in all layers."


def reference(
    n_layers: int,
    n_kv_heads: int,
    head_dim: int,
    seq_len: int,
    batch: int = 1,
    bytes_per_value: int = 2,
) -> int:
    """The bytes of the keys and values of every layer, head and position."""
    numbers = 0
    for _ in range(n_layers):
        for _ in ("keys", "values"):
            numbers += batch * n_kv_heads * seq_len * head_dim
    return numbers * bytes_per_value


def sizes(*cases: tuple[int, ...], title: str) -> Probe:
    """Compare several caches."""
    return values(*(lambda inputs, case=case: case for case in cases), title=title, promise=BYTES)


kv_cache_bytes = Check(
    exercise="5.6",
    name="kv_cache_bytes",
    reference=reference,
    technique=[
        values(lambda inputs: (2, 3, 4, 5), title="worked example", promise="seq_len=5)"),
        sizes(
            *((3, 5, 7, 11), (7, 1, 3, 2), (2, 4, 8, 16), (5, 2, 6, 9), (1, 3, 2, 7)),
            *((4, 7, 5, 3), (6, 2, 9, 4), (8, 5, 4, 13), (2, 9, 3, 6), (9, 8, 2, 5)),
            title="other sizes",
        ),
        sizes(
            *((3, 5, 7, 11, 13), (2, 3, 4, 5, 6), (7, 1, 3, 2, 5), (1, 2, 3, 4, 2)),
            *((5, 4, 3, 2, 7), (2, 6, 4, 9, 3), (4, 3, 8, 5, 11), (6, 5, 2, 7, 4), (3, 2, 2, 2, 9)),
            title="several sequences",
        ),
        sizes(
            *((3, 5, 7, 11, 13, 4), (7, 1, 3, 2, 5, 1), (2, 3, 4, 5, 1, 4), (2, 3, 4, 5, 2, 1)),
            *((5, 4, 3, 2, 7, 4), (2, 6, 4, 9, 1, 1), (4, 3, 8, 5, 11, 1), (6, 5, 2, 7, 4, 4)),
            title="4 bytes a value, or 1",
        ),
        Probe(
            "by name: batch and bytes_per_value",
            lambda answer, inputs: answer(
                n_layers=3, n_kv_heads=2, head_dim=5, seq_len=7, bytes_per_value=1, batch=11
            ),
            promise="batch: int = 1, bytes_per_value: int = 2",
        ),
        values(
            lambda inputs: (32, 8, 128, 8192),
            title="Llama 3 8B at its 8,192 positions",
            promise="One text of 8,192 tokens in Llama 3 8B",
        ),
    ],
    ready=[
        Probe(
            "a whole number, of type int",
            int_type((3, 5, 7, 11), (3, 5, 7, 11, 2, 1)),
            "It is not an int. Use `//` where you divide, so that whole numbers stay whole.",
            promise="-> int:",
        ),
    ],
    mistakes=MISTAKES,
    hints=(
        "How many numbers does one position leave behind in one layer?",
        "Keys and values: 2 · n_kv_heads · head_dim numbers, for each layer, position, sequence.",
        "`2 * n_layers * n_kv_heads * head_dim * seq_len * batch * bytes_per_value`",
    ),
    only_numbers=True,
)
