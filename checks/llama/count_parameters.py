"""Lab 08, 8.3: what is tried on count_parameters."""

import math
from typing import Any

from checks.engine import Check, Inputs, Probe, values
from checks.engine.llama_config import sizes
from checks.llama.count_parameters_wrong import MISTAKES
from checks.llama.weights import shapes_of_model

NUMBERS = "How many numbers a Llama of these sizes learns, without building it."
LLAMA_3 = {
    "vocab_size": 128_256,
    "max_seq_len": 8192,
    "norm_eps": 1e-5,
    "rope_base": 500_000.0,
    "n_kv_heads": 8,
}


def reference(config: Any) -> int:
    """One weight after the other."""
    return sum(math.prod(shape) for shape in shapes_of_model(config).values())


def kind(answer: Any, inputs: Inputs) -> list[str]:
    """Whether it counts in whole numbers."""
    return [type(answer(sizes())).__name__]


count_parameters = Check(
    exercise="8.3",
    name="count_parameters",
    only_numbers=True,
    reference=reference,
    technique=[
        values(
            lambda inputs: (
                sizes(dim=2, n_layers=1, n_heads=1, n_kv_heads=1, vocab_size=3, hidden_dim=4),
            ),
            title="worked example",
            promise="# 16 + 24 + 2·2 + 2·6 + 2",
        ),
        # What one row says of a mistake tells it from others: with one kv head for each query
        # head, without blocks, without hidden units, tied.
        values(
            *(
                lambda inputs, L=L, D=D: (
                    sizes(dim=D, n_layers=L, n_heads=3, n_kv_heads=3, vocab_size=101),
                )
                for L, D in ((1, 18), (1, 24), (2, 18), (3, 24), (4, 18), (5, 24), (6, 18), (7, 12))
            ),
            title="small models, as many kv heads as query heads",
            promise=NUMBERS,
        ),
        values(
            *(
                lambda inputs, V=V: (sizes(n_layers=0, vocab_size=V),)
                for V in (3, 5, 7, 11, 13, 17, 19, 23)
            ),
            title="no blocks: the tables and the last norm",
            promise=NUMBERS,
        ),
        values(
            *(
                lambda inputs, L=L, D=D: (
                    sizes(dim=D, n_layers=L, n_heads=3, n_kv_heads=1, hidden_dim=0),
                )
                for L, D in ((1, 18), (2, 24), (3, 18), (4, 24), (5, 18), (6, 24), (7, 18), (8, 24))
            ),
            title="no hidden units: attention, norms and tables",
            promise=NUMBERS,
        ),
        values(
            *(
                lambda inputs, L=L, F=F: (
                    sizes(dim=30, n_heads=5, n_kv_heads=1, hidden_dim=F, n_layers=L),
                )
                for L, F in ((1, 7), (1, 9), (2, 7), (3, 9), (4, 7), (5, 9), (6, 7), (7, 11))
            ),
            lambda inputs: (sizes(),),
            title="small models, fewer kv heads",
            promise="d is dim / n_heads, the features of a head",
        ),
        values(
            *(
                lambda inputs, L=L, V=V: (
                    sizes(tie_embeddings=True, n_layers=L, n_kv_heads=6, vocab_size=V),
                )
                for L, V in ((1, 3), (1, 5), (2, 7), (2, 11), (3, 13), (5, 17), (7, 19), (9, 23))
            ),
            lambda inputs: (sizes(tie_embeddings=True, n_layers=5),),
            title="small models, tied",
            promise="A tied table counts once.",
        ),
        values(
            lambda inputs: (
                sizes(**LLAMA_3, dim=4096, n_layers=32, n_heads=32, hidden_dim=14_336),
            ),
            title="Llama 3 8B: 8,030,261,248",
            promise="8030261248",
        ),
        values(
            lambda inputs: (
                sizes(
                    **LLAMA_3,
                    dim=2048,
                    n_layers=16,
                    n_heads=32,
                    hidden_dim=8192,
                    tie_embeddings=True,
                ),
            ),
            lambda inputs: (
                sizes(**LLAMA_3, dim=8192, n_layers=80, n_heads=64, hidden_dim=28_672),
            ),
            lambda inputs: (
                sizes(**LLAMA_3, dim=16_384, n_layers=126, n_heads=128, hidden_dim=53_248),
            ),
            title="Llama 3.2 1B (tied), Llama 3 70B and 405B",
            promise=NUMBERS,
        ),
        Probe(
            "an int",
            kind,
            "Parameters are whole: an int is wanted. Is there a `/` for a `//`?",
            promise="def count_parameters(config: LlamaConfig) -> int:",
        ),
    ],
    mistakes=MISTAKES,
    hints=(
        "Go through your own DecoderBlock: which matrices does it make, and of which sizes?",
        "A block: wq and wo are dim × dim, wk and wv (K·d) × dim, three matrices of hidden_dim × "
        "dim, two norms of dim. Then the tables, V × dim each, and the last norm.",
        "`config.n_layers * block + tables * config.vocab_size * config.dim + config.dim`, tables "
        "1 if tied, else 2.",
    ),
)
