"""Lab 12, 12.4: what is tried on decode_speed_limit."""

from typing import Any

from checks.engine import Check, Probe, values
from checks.engine.llama_config import sizes
from checks.roofline.decode_speed_limit_wrong import MISTAKES
from checks.roofline.sizes import (
    H100,
    cache_bytes,
    count_bytes,
    count_flops,
    llama_3,
    llama_3_8b,
    worked,
)

ONCE = "Weights are read once for all texts"
EACH = "a cache (lab 05's kv_cache_bytes) for each"
SLOWER = "A step takes the longer of two times"
BYTES = "bytes_per_weight: float = 2.0, bytes_per_value: int = 2"
FAST = 1e15  # of FLOPs or bytes a second: so many that the other half is the slower one


def reference(
    config: Any,
    batch: int,
    context: int,
    peak_flops: float,
    bandwidth: float,
    bytes_per_weight: float = 2.0,
    bytes_per_value: int = 2,
) -> float:
    """The tokens of a step over its seconds, text after text."""
    flops, n_bytes = 0.0, count_bytes(config, bytes_per_weight)
    for _ in range(batch):
        flops += count_flops(config, 1, context - 1)
        n_bytes += cache_bytes(config, context, 1, bytes_per_value)
    return batch / max(flops / peak_flops, n_bytes / bandwidth)


def steps(*cases: tuple, machine: tuple[float, float], title: str, promise: str) -> Probe:
    """Compare several steps: (batch, context, changes of the sizes, and bytes if given)."""
    return values(
        *(
            lambda inputs, case=case: (sizes(**case[2]), *case[:2], *machine, *case[3:])
            for case in cases
        ),
        title=title,
        promise=promise,
    )


decode_speed_limit = Check(
    exercise="12.4",
    name="decode_speed_limit",
    only_numbers=True,
    reference=reference,
    technique=[
        values(
            lambda inputs: (worked(), 1, 3, 1e9, 1e3),
            lambda inputs: (worked(), 2, 3, 1e9, 1e3),
            lambda inputs: (worked(), 2, 3, 1e3, 1e9),
            title="worked example",
            promise="decode_speed_limit(small, batch=1, context=3",
        ),
        steps(
            *((1, 1, {}), (1, 9, {"n_layers": 3}), (1, 50, {"n_kv_heads": 1})),
            *((1, 7, {"n_kv_heads": 6}), (1, 300, {"dim": 36, "n_layers": 1})),
            machine=(FAST, 1e4),
            title="one text, memory slow",
            promise=SLOWER,
        ),
        steps(
            *((1, 9, {"tie_embeddings": True}), (1, 4, {"tie_embeddings": True, "n_layers": 1})),
            machine=(FAST, 1e4),
            title="one text, memory slow, tied",
            promise=SLOWER,
        ),
        steps(
            *((2, 1, {}), (7, 9, {"n_layers": 3}), (30, 11, {}), (5, 200, {"n_kv_heads": 1})),
            machine=(FAST, 1e4),
            title="several texts, memory slow",
            promise=ONCE,
        ),
        steps(
            *((1, 1, {}), (1, 9, {"n_layers": 3}), (1, 40, {"n_kv_heads": 1})),
            machine=(1e4, FAST),
            title="one text, computing slow",
            promise=SLOWER,
        ),
        steps(
            *((2, 1, {}), (7, 9, {"n_layers": 3}), (30, 11, {"tie_embeddings": True})),
            machine=(1e4, FAST),
            title="several texts, computing slow",
            promise=SLOWER,
        ),
        steps(
            *((1, 9, {}, 4.0, 2), (3, 9, {}, 0.625, 2), (2, 5, {"tie_embeddings": True}, 1.0, 2)),
            machine=(FAST, 1e4),
            title="weights of 4 bytes, or 1, or less",
            promise=BYTES,
        ),
        steps(
            *((1, 90, {}, 2.0, 4), (3, 70, {}, 2.0, 1), (2, 50, {}, 0.625, 4)),
            machine=(FAST, 1e4),
            title="caches of 4 bytes a number, or 1",
            promise=BYTES,
        ),
        Probe(
            "by name: bytes_per_weight and bytes_per_value",
            lambda answer, inputs: answer(
                sizes(), 3, 8, bandwidth=1e4, peak_flops=FAST, bytes_per_value=4, bytes_per_weight=1
            ),
            promise=BYTES,
        ),
        values(
            *(
                lambda inputs, batch=batch, context=context: (llama_3_8b(), batch, context, *H100)
                for batch, context in ((1, 8192), (64, 8192), (512, 8192), (64, 512), (512, 512))
            ),
            lambda inputs: (llama_3(8192, 80, 64, 28_672), 16, 4096, *H100),
            title="Llama 3 8B and 70B on an H100",
            promise=EACH,
        ),
    ],
    mistakes=MISTAKES,
    hints=(
        "What has to be read for one step of the whole batch, and what has to be computed?",
        "FLOPs: batch · forward_flops of one token after context - 1 others. Bytes: weight_bytes, "
        "and kv_cache_bytes of the batch. The step takes the longer of the two times.",
        "`return batch / max(flops / peak_flops, n_bytes / bandwidth)`",
    ),
)
