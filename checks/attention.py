"""Lab 04: causal_mask, attention_weights, attention, split_heads, merge_heads, MultiHeadAttention."""

from checks.engine import Check, values
from checks.mistakes import attention as mistakes
from checks.reference import attention as reference

causal_mask = Check(
    exercise="4.1",
    name="causal_mask",
    reference=reference.causal_mask,
    probes=[values(lambda inputs: (2, 3), lambda inputs: (4, 4), lambda inputs: (1, 5))],
    mistakes=mistakes.CAUSAL_MASK,
    hints=(),
)
attention_weights = Check(
    exercise="4.2",
    name="attention_weights",
    points=2,
    reference=reference.attention_weights,
    probes=[values(lambda inputs: (inputs.randn(2, 3, 5, 8), inputs.randn(2, 3, 7, 8)))],
    mistakes=mistakes.WEIGHTS,
    hints=(),
)
attention = Check(
    exercise="4.3",
    name="attention",
    reference=reference.attention,
    probes=[values(lambda inputs: tuple(inputs.randn(2, 3, 5, 8) for _ in range(3)))],
    mistakes=mistakes.ATTENTION,
    hints=(),
)
split_heads = Check(
    exercise="4.4",
    name="split_heads",
    reference=reference.split_heads,
    probes=[values(lambda inputs: (inputs.randn(2, 5, 12), 3))],
    mistakes=mistakes.SPLIT,
    hints=(),
)
merge_heads = Check(
    exercise="4.5",
    name="merge_heads",
    reference=reference.merge_heads,
    probes=[values(lambda inputs: (inputs.randn(2, 3, 5, 4),))],
    mistakes=mistakes.MERGE,
    hints=(),
)
MultiHeadAttention = Check(
    exercise="4.6",
    name="MultiHeadAttention",
    points=3,
    reference=reference.MultiHeadAttention,
    probes=[],
    mistakes=mistakes.MODULE,
    hints=(),
)
