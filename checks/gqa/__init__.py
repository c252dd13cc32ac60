"""Lab 06: repeat_kv, grouped_query_attention, the module, mean_pool_heads, decode_intensity."""

import torch

from checks.engine import Check, Inputs, Probe, gradients, half_precision, values
from checks.engine.attention_probes import HALF, LEAK, causal, in_half, some_mask
from checks.engine.devices import keeps_device
from checks.gqa import mistakes, reference
from checks.gqa import mistakes_attention as mistakes_of_attention
from checks.gqa import mistakes_module as mistakes_of_module
from checks.gqa import probes_module as module
from checks.gqa.probes import heads_of, huge, numbered, qkv, steep

UNEVEN = (
    "Groups of different sizes must be refused with a ValueError when the layer is made, and even "
    "groups must not."
)


def who_reads_whom(answer: object, inputs: Inputs) -> list:
    """Give kv head j the value j, everywhere: what comes back is the number of the head read."""
    seen = []
    for n_heads, n_kv_heads in ((6, 2), (6, 3), (4, 1), (3, 3)):
        q, k, _ = qkv(inputs, 1, n_heads, n_kv_heads, t=2, s=3, d=4)
        tags = torch.arange(float(n_kv_heads)).reshape(1, -1, 1, 1).expand(1, n_kv_heads, 3, 4)
        seen.append(answer(q, k, tags))
    return seen


repeat_kv = Check(
    exercise="6.1",
    name="repeat_kv",
    reference=reference.repeat_kv,
    technique=[
        values(lambda inputs: (torch.tensor([[[[1, 2]], [[3, 4]]]]), 2), title="worked example"),
        values(
            lambda inputs: (inputs.randn(2, 3, 5, 4), 2),
            lambda inputs: (inputs.randn(1, 4, 3, 6), 3),
            lambda inputs: (inputs.randn(3, 2, 4, 3), 5),
            lambda inputs: (inputs.randn(4, 4, 4, 4), 4),
            title="shape and values on four random inputs",
        ),
        values(
            lambda inputs: (inputs.randn(2, 1, 3, 4), 6),
            lambda inputs: (inputs.randn(2, 5, 3, 4), 1),
            lambda inputs: (inputs.randn(3, 2, 1, 4), 3),
            title="one kv head; n_rep = 1; one position",
        ),
        values(
            lambda inputs: (inputs.randn(2, 2, 3, 4).half(), 2),
            lambda inputs: (inputs.randn(2, 2, 3, 4).double(), 2),
            lambda inputs: (inputs.integers(2, 2, 3, 4), 2),
            title="float16, float64 and integers stay what they are",
        ),
    ],
    ready=[
        gradients(lambda inputs: (inputs.randn(2, 3, 2, 4), 3)),
        keeps_device(lambda inputs: (inputs.randn(2, 3, 2, 4), 2)),
    ],
    mistakes=mistakes.REPEAT,
    hints=(
        "Query heads 0 to n_rep - 1 read kv head 0. Which kv head has to stand at places 0 to "
        "n_rep - 1?",
        "The heads are dimension 1, and each of them is repeated before the next one comes: 0, 0, "
        "1, 1 and not 0, 1, 0, 1.",
        "`return x.repeat_interleave(n_rep, dim=1)`",
    ),
)

grouped_query_attention = Check(
    exercise="6.2",
    name="grouped_query_attention",
    weight=2,
    reference=reference.grouped_query_attention,
    technique=[
        values(
            lambda inputs: (
                torch.zeros(1, 4, 1, 2),
                torch.zeros(1, 2, 2, 2),
                torch.tensor([[[[1.0, 0], [3, 0]], [[10, 0], [30, 4]]]]),
            ),
            title="worked example",
        ),
        Probe(
            "who reads whom: the values of kv head j are all j",
            who_reads_whom,
            "The values of kv head j were all j, so each output is the number of the kv head that "
            "was read. H / K neighbouring query heads share one.",
        ),
        values(
            lambda inputs: qkv(inputs, 2, 6, 3, t=5, s=7, d=4),
            title="values: 6 query heads, 3 kv heads, no mask",
        ),
        values(
            lambda inputs: qkv(inputs, 3, 6, 2, t=4, s=3, d=5),
            lambda inputs: qkv(inputs, 2, 5, 1, t=3, s=4, d=6),
            lambda inputs: qkv(inputs, 1, 4, 4, t=6, s=5, d=3),
            lambda inputs: qkv(inputs, 3, 4, 2, t=1, s=6, d=8),
            title="groups of three, MQA, MHA, a single query",
        ),
        values(
            lambda inputs: (*qkv(inputs, 2, 6, 3, t=5, s=5, d=4), causal(5, 5)),
            lambda inputs: (*qkv(inputs, 2, 6, 2, t=3, s=7, d=4), causal(3, 7)),
            lambda inputs: (*qkv(inputs, 2, 4, 2, t=4, s=6, d=5), some_mask(inputs, 4, 6)),
            title="masks (T, S): causal, of a chunk, without order",
        ),
        values(
            lambda inputs: (*qkv(inputs, 3, 4, 2, t=2, s=5, d=4), some_mask(inputs, 3, 1, 1, 5)),
            lambda inputs: (*qkv(inputs, 2, 6, 2, t=3, s=5, d=4), some_mask(inputs, 2, 1, 3, 5)),
            lambda inputs: (*qkv(inputs, 2, 6, 3, t=3, s=4, d=2), some_mask(inputs, 2, 6, 3, 4)),
            title="masks of its own for each sentence, and for each head",
        ),
        values(
            huge,
            lambda inputs: (*huge(inputs)[:2], inputs.randn(1, 2, 6, 4)),
            title="scores of ±30000, the largest hidden, with huge values there",
        ),
    ],
    ready=[
        gradients(
            lambda inputs: (*qkv(inputs, 2, 4, 2, t=3, s=4, d=2), some_mask(inputs, 3, 4)),
        ),
        in_half(steep, "float16 and bfloat16, scores up to 13"),
        in_half(
            lambda inputs: (*qkv(inputs, 2, 4, 2, t=3, s=5, d=4), causal(3, 5)),
            "float16 and bfloat16, with a mask",
        ),
        keeps_device(lambda inputs: (*qkv(inputs, 2, 4, 2, t=3, s=4, d=2), causal(3, 4))),
    ],
    mistakes=mistakes_of_attention.ATTENTION,
    hints=(
        "After repeat_kv there are as many keys and values as queries. What is left to do?",
        "n_rep is q.shape[1] // k.shape[1]. Repeat k and v, and call attention of lab 04. Without "
        "copies: reshape q to (B, K, n_rep · T, d), so that a group is one matrix of queries.",
        "`return attention(q, repeat_kv(k, n_rep), repeat_kv(v, n_rep), mask)`",
    ),
)

GroupedQueryAttention = Check(
    exercise="6.3",
    name="GroupedQueryAttention",
    weight=3,
    reference=reference.GroupedQueryAttention,
    technique=[
        Probe("worked example: two query heads on one kv head", module.worked_layer),
        Probe("a new layer: wq, wk, wv, wo of these shapes, no bias", module.new_layer),
        Probe(
            "ValueError for 6 query heads and 4 kv heads; 3 and 1, 3 and 3 are fine",
            module.groups_of((6, 4), (3, 1), (3, 3)),
            UNEVEN,
        ),
        Probe(
            "ValueError whenever n_heads % n_kv_heads is not 0",
            module.groups_of((4, 3), (2, 4), (8, 6), (4, 2)),
            UNEVEN,
        ),
        Probe("six query heads, three kv heads, no cache", module.one_sequence),
        Probe("groups of other sizes, MQA, MHA", module.without_cache),
        Probe("the angles are those of the tokens in x", module.given_angles),
        Probe(
            "no token sees a later one, with a cache and without",
            module.future_changed,
            LEAK,
        ),
        Probe("one token at a time, with a cache", module.one_by_one),
        Probe("chunks of any size", module.random_chunks),
        Probe(
            "what goes into the cache: n_kv_heads heads, rotated keys, plain values",
            module.cache_content,
            "The cache does not hold what it should: the rotated keys and the plain values of the "
            "n_kv_heads heads, each position once.",
        ),
        Probe("slots that are not written yet hold NaN, or 1e9", module.poisoned_slots),
        Probe("the same text twice, without a cache", module.without_memory),
        Probe("two sequences in turns, each with its cache", module.two_sequences),
    ],
    ready=[
        Probe(
            "gradients reach the input and all four weights",
            module.layer_gradients,
            "A wrong gradient, or none, arrives at the input, wq, wk, wv or wo.",
        ),
        Probe("bfloat16 stays bfloat16", module.layer_dtype),
        Probe("float16 and bfloat16, cache included", module.layer_in_half, HALF, inexact=True),
        Probe(
            "works on the device of its input",
            module.layer_elsewhere,
            "A tensor made in the module stays on the CPU when x is on a GPU. The mask? "
            "`causal_mask(T, S).to(x.device)`",
        ),
    ],
    mistakes=mistakes_of_module.MODULE,
    hints=(
        "Compared with lab 05, which two of the four maps become smaller, and to what size?",
        "wk and wv give n_kv_heads · head_dim features and are split into n_kv_heads heads. These "
        "are rotated, stored and read back; only then grouped_query_attention.",
        "`k = apply_rope(split_heads(self.wk(x), self.n_kv_heads), angles)`, v without apply_rope, "
        "`k, v = cache.update(k, v)` if there is one, then grouped_query_attention with "
        "`causal_mask(q.shape[2], k.shape[2])`, merge_heads, wo.",
    ),
)

mean_pool_heads = Check(
    exercise="6.4",
    name="mean_pool_heads",
    reference=reference.mean_pool_heads,
    technique=[
        values(lambda inputs: (torch.arange(8.0).reshape(8, 1), 4, 2), title="worked example"),
        values(
            lambda inputs: heads_of(inputs, 6, 3, head_dim=4, dim=5),
            lambda inputs: heads_of(inputs, 8, 2, head_dim=3, dim=7),
            lambda inputs: heads_of(inputs, 9, 3, head_dim=2, dim=18),
            title="shape and values: three sizes",
        ),
        values(
            lambda inputs: heads_of(inputs, 5, 1, head_dim=4, dim=6),
            lambda inputs: heads_of(inputs, 4, 4, head_dim=2, dim=3),
            lambda inputs: heads_of(inputs, 6, 2, head_dim=1, dim=4),
            title="one group (MQA), a group for each head (MHA), heads of size 1",
        ),
        values(
            lambda inputs: (numbered(6, 4, 3), 6, 2),
            title="feature i of a head is averaged with feature i of the others",
        ),
    ],
    ready=[
        gradients(lambda inputs: heads_of(inputs, 4, 2, head_dim=2, dim=3)),
        half_precision(
            lambda inputs: heads_of(inputs, 6, 2, head_dim=3, dim=4),
            title="float16 and bfloat16 stay what they are",
        ),
        keeps_device(lambda inputs: heads_of(inputs, 4, 2, head_dim=2, dim=3)),
    ],
    mistakes=mistakes.POOL,
    hints=(
        "Row r of the weight makes feature r % d of head r // d. Which rows have to be averaged?",
        "Take the rows apart into (K, H // K, d, D): groups, heads of a group, features. The heads "
        "of a group are dimension 1.",
        "`weight.reshape(n_kv_heads, n_heads // n_kv_heads, -1, D).mean(dim=1).reshape(-1, D)`",
    ),
)

decode_intensity = Check(
    exercise="6.5",
    name="decode_intensity",
    only_numbers=True,
    reference=reference.decode_intensity,
    technique=[
        values(lambda inputs: (4, 2, 8, 10), title="worked example"),
        values(
            lambda inputs: (6, 3, 5, 7),
            lambda inputs: (12, 3, 2, 9),
            lambda inputs: (15, 5, 7, 2),
            lambda inputs: (6, 1, 3, 11),
            lambda inputs: (5, 5, 2, 3),
            title="grouped, MQA and MHA, at odd sizes",
        ),
        values(
            lambda inputs: (32, 32, 128, 8192),
            lambda inputs: (32, 8, 128, 8192),
            lambda inputs: (32, 8, 128, 1),
            lambda inputs: (64, 8, 128, 131072),
            title="Llama 3's sizes",
        ),
    ],
    mistakes=mistakes.INTENSITY,
    hints=(
        "For one new token, how many numbers of the cache are read, and what is done with each?",
        "q·k takes a multiplication and an addition for each of d numbers, S keys and H heads: "
        "2·H·d·S FLOPs, and weights·v as many. The cache has K heads of S keys and S values.",
        "`(4 * n_heads * head_dim * seq_len) / (4 * n_kv_heads * head_dim * seq_len)`",
    ),
)
