"""Lab 12, 12.1: what is tried on forward_flops."""

from typing import Any

from checks.engine import Check, Inputs, Probe, values
from checks.engine.llama_config import sizes
from checks.roofline.forward_flops_wrong import MISTAKES
from checks.roofline.sizes import head_dim, llama_3, llama_3_8b, worked

MATRICES = "every weight of a matrix for every new token"
TABLE = "the output projection (tied or not) included"
SCORES = "q·k and weights·v over the whole n_new × (n_past + n_new) rectangle"


def reference(config: Any, n_new: int, n_past: int = 0) -> int:
    """One matrix after the other, one head after the other."""
    dim, d = config.dim, head_dim(config)
    narrow = config.n_kv_heads * d
    flops = 0
    for _ in range(config.n_layers):
        for n_in, n_out in ((dim, dim), (dim, narrow), (dim, narrow), (dim, dim)):
            flops += 2 * n_new * n_in * n_out  # wq, wk, wv, wo
        flops += 3 * 2 * n_new * dim * config.hidden_dim  # w_gate, w_up, w_down
        for _ in range(config.n_heads):
            flops += 2 * n_new * (n_past + n_new) * d  # q·k
            flops += 2 * n_new * (n_past + n_new) * d  # weights·v
    return flops + 2 * n_new * dim * config.vocab_size


def kinds(answer: Any, inputs: Inputs) -> list[str]:
    """Whether it counts in whole numbers."""
    return [type(answer(sizes(), 3)).__name__, type(answer(sizes(), 1, 4)).__name__]


def runs(*cases: tuple, title: str, promise: str, **changes: Any) -> Probe:
    """Compare several passes: (n_new, n_past, changes of the sizes)."""
    return values(
        *(
            lambda inputs, case=case: (sizes(**(changes | case[2])), case[0], case[1])
            for case in cases
        ),
        title=title,
        promise=promise,
    )


forward_flops = Check(
    exercise="12.1",
    name="forward_flops",
    only_numbers=True,
    reference=reference,
    technique=[
        values(
            lambda inputs: (worked(), 1),
            lambda inputs: (worked(), 2, 1),
            title="worked example",
            promise="forward_flops(small, n_new=1)",
        ),
        runs(
            *((1, 0, {"vocab_size": 7}), (1, 0, {"vocab_size": 13}), (3, 0, {"vocab_size": 5})),
            *((5, 9, {"vocab_size": 17}), (2, 4, {"vocab_size": 7, "tie_embeddings": True})),
            n_layers=0,
            title="no layers: the output projection alone",
            promise=TABLE,
        ),
        runs(
            *((1, 0, {"n_kv_heads": 6}), (2, 0, {"n_kv_heads": 6, "n_layers": 3})),
            *((3, 5, {"n_kv_heads": 3, "dim": 30}), (1, 7, {"n_kv_heads": 1, "n_layers": 5})),
            hidden_dim=0,
            title="no hidden units: attention and the output projection",
            promise=MATRICES,
        ),
        runs(
            *((1, 0, {}), (1, 0, {"hidden_dim": 7, "n_layers": 3}), (1, 0, {"vocab_size": 23})),
            title="one token, nothing before it",
            promise=MATRICES,
        ),
        runs(
            *((1, 1, {}), (1, 6, {"n_layers": 3}), (1, 13, {"dim": 36, "n_kv_heads": 3})),
            title="one token after others: decoding",
            promise=SCORES,
        ),
        runs(
            *((2, 0, {}), (5, 0, {"n_layers": 3}), (7, 0, {"dim": 36, "n_kv_heads": 3})),
            title="several tokens, nothing before them: a prompt",
            promise=SCORES,
        ),
        runs(
            *((2, 3, {}), (3, 8, {"n_layers": 1}), (9, 4, {"tie_embeddings": True})),
            title="several tokens after others",
            promise=SCORES,
        ),
        values(
            lambda inputs: (llama_3_8b(), 1, 8191),
            lambda inputs: (llama_3_8b(), 8192),
            lambda inputs: (llama_3(8192, 80, 64, 28_672), 1, 99),
            lambda inputs: (llama_3(2048, 16, 32, 8192, tie_embeddings=True), 512),
            title="Llama 3 8B, 70B, and 3.2 1B, which is tied",
            promise=TABLE,
        ),
    ],
    ready=[
        Probe(
            "a whole number, of type int",
            kinds,
            "It is not an int. Use `//` where you divide, so that whole numbers stay whole.",
            promise="def forward_flops(config: LlamaConfig, n_new: int, n_past: int = 0) -> int:",
        ),
    ],
    mistakes=MISTAKES,
    hints=(
        "Which matrices does a new token go through, and what does each of its query heads do with "
        "the keys and values?",
        "Two FLOPs for each weight of wq, wk, wv, wo, the three of SwiGLU and the output "
        "projection, for each new token. Then 4 · n_heads · d for each score, in each layer.",
        "`2 * n_new * weights + n_layers * 4 * n_heads * d * n_new * (n_past + n_new)`, where "
        "`weights = n_layers * (2 * D * D + 2 * D * n_kv_heads * d + 3 * D * F) + V * D`.",
    ),
)
