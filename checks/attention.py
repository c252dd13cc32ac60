"""Lab 04: causal_mask, attention_weights, attention, the heads, MultiHeadAttention."""

import math

import torch

from checks.engine import Check, Probe, gradients, values
from checks.engine.attention_probes import HALF, LEAK, causal, in_half, some_mask
from checks.engine.devices import keeps_device
from checks.mistakes import attention as mistakes
from checks.mistakes import attention_heads as mistakes_of_heads
from checks.mistakes import attention_mask as mistakes_of_mask
from checks.mistakes import attention_module as mistakes_of_module
from checks.probes import attention as probes
from checks.reference import attention as reference

causal_mask = Check(
    exercise="4.1",
    name="causal_mask",
    reference=reference.causal_mask,
    technique=[
        values(lambda inputs: (2, 3), title="worked example"),
        values(
            lambda inputs: (4, 4),
            lambda inputs: (3, 7),
            lambda inputs: (1, 1),
            lambda inputs: (1, 6),
            lambda inputs: (6, 8),
            lambda inputs: (2, 150),
            title="as many queries as keys, fewer, a single one, 150 keys",
        ),
        Probe(
            "more queries than keys: ValueError",
            probes.too_many_queries,
            "With more queries than keys the first rows would see nothing. The docstring promises "
            "a ValueError.",
        ),
    ],
    mistakes=mistakes_of_mask.CAUSAL_MASK,
    hints=(
        "At which position does the first of the T queries stand, when the last stands at S - 1?",
        "Row t stands at position S - T + t. It may look at every key that does not come later.",
        "`torch.arange(n_keys) <= torch.arange(n_keys - n_queries, n_keys)[:, None]`",
    ),
)

attention_weights = Check(
    exercise="4.2",
    name="attention_weights",
    weight=2,
    reference=reference.attention_weights,
    technique=[
        values(
            lambda inputs: (
                torch.tensor([[2.0, 0, 0, 0]]),
                torch.tensor([[0.0, 0, 0, 0], [math.log(3), 0, 0, 0]]),
            ),
            title="worked example",
        ),
        values(
            lambda inputs: probes.qk(inputs, 2, t=3, s=4, d=5), title="values on a random input"
        ),
        values(
            lambda inputs: (*probes.qk(inputs, 2, t=3, s=4, d=5), some_mask(inputs, 3, 4)),
            title="values with a random mask",
        ),
        values(
            lambda inputs: probes.qk(inputs, 2, 3, t=4, s=5, d=4),
            lambda inputs: probes.qk(inputs, t=4, s=3, d=9, scale=0.7),
            lambda inputs: probes.qk(inputs, 2, t=6, s=6, d=5, scale=1.3),
            lambda inputs: probes.qk(inputs, 3, 2, t=1, s=5, d=6),
            title="four more sizes, no mask",
        ),
        values(
            lambda inputs: (*probes.qk(inputs, 2, 3, t=4, s=4, d=5), causal(4, 4)),
            lambda inputs: (*probes.qk(inputs, 2, 3, t=3, s=7, d=4), causal(3, 7)),
            lambda inputs: (
                *probes.qk(inputs, 2, 3, t=4, s=5, d=2),
                some_mask(inputs, 2, 1, 1, 5),
            ),
            lambda inputs: (
                *probes.qk(inputs, 2, 3, t=4, s=5, d=2),
                some_mask(inputs, 2, 1, 4, 5),
            ),
            title="masks: causal, of a chunk, one for each sentence",
        ),
        Probe(
            "rows sum to 1, and hidden keys get exactly 0",
            probes.hidden_is_zero,
            "A row of weights has to sum to 1, and the weight of a hidden key has to be exactly 0.",
        ),
        values(
            probes.huge,
            lambda inputs: probes.huge(inputs)[:2],
            title="scores of ±30000, the largest hidden",
        ),
        gradients(lambda inputs: (*probes.qk(inputs, 2, t=3, s=4, d=5), some_mask(inputs, 3, 4))),
        in_half(
            lambda inputs: probes.steep(inputs, 2, 4, 6), "float16 and bfloat16, scores up to 13"
        ),
        in_half(
            lambda inputs: (*probes.qk(inputs, 2, 3, t=3, s=5, d=4), causal(3, 5)),
            "float16 and bfloat16, with a mask",
        ),
        keeps_device(lambda inputs: (*probes.qk(inputs, 2, t=3, s=4, d=5), causal(3, 4))),
    ],
    mistakes=mistakes.WEIGHTS,
    hints=(
        "A query is compared with every key: which matrix product gives all T × S dot products?",
        "Scores q @ kᵀ / sqrt(d); -inf where the mask is False; softmax over the last dimension.",
        "`scores = q.float() @ k.float().transpose(-2, -1) / math.sqrt(q.shape[-1])`, then "
        "`scores.masked_fill(~mask, -torch.inf)` unless mask is None, then "
        "`torch.softmax(scores, dim=-1).to(q.dtype)`.",
    ),
)

attention = Check(
    exercise="4.3",
    name="attention",
    reference=reference.attention,
    technique=[
        values(
            lambda inputs: (
                torch.tensor([[2.0, 0, 0, 0]]),
                torch.tensor([[0.0, 0, 0, 0], [math.log(3), 0, 0, 0]]),
                torch.tensor([[4.0, 0, 0, 0], [8.0, 4, 0, 0]]),
            ),
            title="worked example",
        ),
        values(
            lambda inputs: probes.qkv(inputs, 2, t=3, s=4, d=5), title="values on a random input"
        ),
        values(
            lambda inputs: (*probes.qkv(inputs, 2, t=3, s=4, d=5), some_mask(inputs, 3, 4)),
            title="values with a random mask",
        ),
        values(
            lambda inputs: probes.qkv(inputs, 2, 3, t=4, s=5, d=4),
            lambda inputs: probes.qkv(inputs, t=4, s=3, d=9),
            lambda inputs: probes.qkv(inputs, 2, t=6, s=6, d=5),
            lambda inputs: probes.qkv(inputs, 3, 2, t=1, s=5, d=6),
            title="four more sizes, no mask",
        ),
        values(
            lambda inputs: (*probes.qkv(inputs, 2, 3, t=4, s=4, d=5), causal(4, 4)),
            lambda inputs: (*probes.qkv(inputs, 2, 3, t=3, s=7, d=4), causal(3, 7)),
            lambda inputs: (
                *probes.qkv(inputs, 2, 3, t=4, s=5, d=2),
                some_mask(inputs, 2, 1, 4, 5),
            ),
            title="masks: causal, of a chunk, one for each sentence",
        ),
        Probe(
            "huge values that are hidden, values that are positions, equal values",
            probes.values_of_hidden,
            "The averages are wrong. Hidden values must not count at all, and when all values are "
            "equal their average is that value.",
        ),
        values(
            lambda inputs: (*probes.huge(inputs)[:2], inputs.randn(6, 4), probes.huge(inputs)[2]),
            title="scores of ±30000, the largest hidden",
        ),
        gradients(lambda inputs: (*probes.qkv(inputs, 2, t=3, s=4, d=5), some_mask(inputs, 3, 4))),
        in_half(
            lambda inputs: (*probes.steep(inputs, 2, 4, 6), inputs.randn(2, 4, 6)),
            "float16 and bfloat16, scores up to 13",
        ),
        in_half(
            lambda inputs: (*probes.qkv(inputs, 2, 3, t=3, s=5, d=4), causal(3, 5)),
            "float16 and bfloat16, with a mask",
        ),
        keeps_device(lambda inputs: (*probes.qkv(inputs, 2, t=3, s=4, d=5), causal(3, 4))),
    ],
    mistakes=mistakes.ATTENTION,
    hints=(
        "The weights of a row sum to 1. What does a row of weights make of the rows of v?",
        "A weighted average is a matrix product: (…, T, S) @ (…, S, d).",
        "`return attention_weights(q, k, mask) @ v`",
    ),
)

split_heads = Check(
    exercise="4.4",
    name="split_heads",
    reference=reference.split_heads,
    technique=[
        values(lambda inputs: (torch.arange(8).reshape(1, 2, 4), 2), title="worked example"),
        values(
            lambda inputs: (inputs.randn(2, 5, 12), 3),
            lambda inputs: (inputs.randn(3, 4, 8), 4),
            lambda inputs: (inputs.randn(1, 7, 6), 6),
            lambda inputs: (inputs.randn(2, 3, 10), 1),
            lambda inputs: (inputs.randn(4, 1, 6), 2),
            lambda inputs: (inputs.randn(3, 3, 9), 3),
            lambda inputs: (inputs.randn(2, 5, 12), 3),
            lambda inputs: (inputs.randn(1, 2, 12), 2),
            title="shape and values on eight random inputs",
        ),
        values(
            lambda inputs: (inputs.randn(2, 3, 4).half(), 2),
            lambda inputs: (inputs.integers(2, 3, 6), 3),
            title="float16 and integers stay what they are",
        ),
        gradients(lambda inputs: (inputs.randn(2, 3, 6), 3)),
    ],
    mistakes=mistakes_of_heads.SPLIT,
    hints=(
        "In memory the D features of one position are neighbours. Which of them belong to head 0?",
        "Cut the last dimension into two, H and d; then let H and T change places.",
        "`x.reshape(B, T, n_heads, D // n_heads).transpose(1, 2)`",
    ),
)

merge_heads = Check(
    exercise="4.5",
    name="merge_heads",
    reference=reference.merge_heads,
    technique=[
        values(
            lambda inputs: (torch.tensor([[[[0, 1], [4, 5]], [[2, 3], [6, 7]]]]),),
            title="worked example",
        ),
        values(
            lambda inputs: (inputs.randn(2, 3, 5, 4),),
            lambda inputs: (inputs.randn(3, 4, 2, 6),),
            lambda inputs: (inputs.randn(1, 5, 7, 2),),
            lambda inputs: (inputs.randn(2, 1, 3, 4),),
            lambda inputs: (inputs.randn(4, 2, 1, 6),),
            lambda inputs: (inputs.randn(3, 3, 3, 3),),
            title="shape and values on six random inputs",
        ),
        values(
            lambda inputs: (inputs.randn(2, 5, 3, 4).transpose(1, 2),),
            lambda inputs: (inputs.randn(2, 3, 4, 5).transpose(2, 3),),
            title="what split_heads returns: transposed, not contiguous",
        ),
        values(
            lambda inputs: (inputs.randn(2, 3, 5, 4).half(),),
            lambda inputs: (inputs.integers(2, 3, 5, 4),),
            title="float16 and integers stay what they are",
        ),
        gradients(lambda inputs: (inputs.randn(2, 3, 4, 2),)),
    ],
    mistakes=mistakes_of_heads.MERGE,
    hints=(
        "Which two dimensions have to be neighbours before they can become one?",
        "Let H and T change places, (B, T, H, d); then the last two become one.",
        "`x.transpose(1, 2).reshape(B, T, H * d)`; `.view` would need `.contiguous()` first.",
    ),
)

MultiHeadAttention = Check(
    exercise="4.6",
    name="MultiHeadAttention",
    weight=3,
    reference=reference.MultiHeadAttention,
    technique=[
        Probe("a new module: wq, wk, wv, wo, without bias", probes.new_module),
        Probe("worked example: identity weights", probes.worked_module),
        Probe("values with loaded weights", probes.small_module),
        Probe("four more sizes", probes.loaded_module),
        Probe(
            "the future is hidden: change a token, the earlier ones stay",
            probes.future_changed,
            LEAK,
        ),
        Probe("the sentences of a batch stay apart", probes.sentences_apart, probes.TOGETHER),
        Probe(
            "only distances count: move the sentence, nothing changes",
            probes.shifted_positions,
            "When all positions grow by the same number, the output must stay; when the distances "
            "change, it must not. Are both queries and keys rotated, and nothing else?",
        ),
        Probe("several calls of different lengths", probes.several_calls),
        Probe("a second layer beside it, and eval mode", probes.two_layers),
        Probe("twenty tokens", probes.long_text),
        Probe("inputs 300 times larger, scores of ±100000", probes.large_inputs),
        Probe(
            "gradients reach the input and all four weights",
            probes.module_gradients,
            "No gradient, or a wrong one, arrives at the input, wq, wk, wv or wo.",
        ),
        Probe("float16 and bfloat16", probes.module_in_half, HALF),
        Probe("bfloat16, far into a text: angles of 1000", probes.far_in_half, probes.FAR),
        Probe(
            "works on the device of its input",
            probes.module_elsewhere,
            "A tensor made in the module stays on the CPU when x is on a GPU. The mask? "
            "`causal_mask(T, T).to(x.device)`",
        ),
    ],
    mistakes=mistakes_of_module.MODULE,
    hints=(
        "Which of the three, queries, keys and values, need heads? Which need positions?",
        "Project, split, rotate q and k, attend with the causal mask, merge, wo.",
        "`q = apply_rope(split_heads(self.wq(x), self.n_heads), angles)`, k likewise, v without "
        "apply_rope; `return self.wo(merge_heads(attention(q, k, v, mask)))`.",
    ),
)
