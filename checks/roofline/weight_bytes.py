"""Lab 12, 12.2: what is tried on weight_bytes."""

from typing import Any

from checks.engine import Check, Probe, values
from checks.engine.llama_config import sizes
from checks.roofline.sizes import head_dim, llama_3, llama_3_8b, worked
from checks.roofline.weight_bytes_wrong import MISTAKES

ONCE = "Every weight is read once"
LOOKED_UP = "an embedding table that is not also the output projection"
BYTES = "bytes_per_weight: float = 2.0"


def reference(config: Any, bytes_per_weight: float = 2.0) -> float:
    """One weight after the other, as they are read."""
    dim, narrow = config.dim, config.n_kv_heads * head_dim(config)
    numbers = 0
    for _ in range(config.n_layers):
        numbers += 2 * dim  # the norms
        numbers += dim * dim + dim * narrow + dim * narrow + dim * dim
        numbers += 3 * dim * config.hidden_dim
    numbers += dim  # the last norm
    numbers += config.vocab_size * dim  # the output projection, be it the embedding table or not
    return numbers * bytes_per_weight


def models(*cases: tuple, title: str, promise: str, **changes: Any) -> Probe:
    """Compare several models: (changes of the sizes, bytes of a weight if given)."""
    return values(
        *(lambda inputs, case=case: (sizes(**(changes | case[0])), *case[1:]) for case in cases),
        title=title,
        promise=promise,
    )


weight_bytes = Check(
    exercise="12.2",
    name="weight_bytes",
    only_numbers=True,
    reference=reference,
    technique=[
        values(
            lambda inputs: (worked(),),
            lambda inputs: (worked(tie_embeddings=True), 0.625),
            title="worked example",
            promise="weight_bytes(LlamaConfig(**small, hidden_dim=3))",
        ),
        models(
            *(({"vocab_size": V, "dim": D},) for V, D in ((3, 6), (5, 12), (7, 18), (31, 6))),
            n_layers=0,
            title="no layers: a table and the last norm",
            promise=LOOKED_UP,
        ),
        models(
            *(({"vocab_size": V, "dim": D},) for V, D in ((3, 6), (5, 12), (7, 18), (31, 6))),
            n_layers=0,
            tie_embeddings=True,
            title="no layers, tied",
            promise=ONCE,
        ),
        models(
            *(({"n_layers": L, "n_kv_heads": K},) for L, K in ((1, 1), (2, 2), (3, 3), (5, 6))),
            title="small models of two tables",
            promise=ONCE,
        ),
        models(
            *(({"n_layers": L, "hidden_dim": F},) for L, F in ((1, 5), (2, 0), (3, 7), (5, 11))),
            tie_embeddings=True,
            title="small models, tied",
            promise=ONCE,
        ),
        models(
            *(({"n_layers": L}, size) for L, size in ((1, 4), (2, 1), (3, 0.5625), (1, 0.625))),
            title="4 bytes a weight, or 1, or less",
            promise=BYTES,
        ),
        Probe(
            "by name: bytes_per_weight",
            lambda answer, inputs: answer(config=sizes(), bytes_per_weight=3),
            promise=BYTES,
        ),
        values(
            lambda inputs: (llama_3_8b(),),
            lambda inputs: (llama_3(2048, 16, 32, 8192, tie_embeddings=True),),
            lambda inputs: (llama_3(8192, 80, 64, 28_672), 0.625),
            title="Llama 3 8B, 3.2 1B, which is tied, and 70B",
            promise=ONCE,
        ),
    ],
    mistakes=MISTAKES,
    hints=(
        "Lab 08's count_parameters counts every weight. Which of them does a pass not read?",
        "An untied embedding table gives a few rows only: take its vocab_size · dim weights away. "
        "A tied table is read whole, since it is the output projection.",
        "`(count_parameters(config) - table) * bytes_per_weight`, where table is 0 if "
        "`config.tie_embeddings`, else `config.vocab_size * config.dim`.",
    ),
)
