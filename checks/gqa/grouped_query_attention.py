"""Lab 06, 6.2: what is tried on grouped_query_attention."""

import dataclasses
import math

import torch
from torch import Tensor

from checks.engine import (
    HALF_PRECISION,
    Check,
    Inputs,
    Probe,
    attention_probes,
    gradients,
    keeps_device,
    values,
)
from checks.engine.attention_probes import Draw, causal, some_mask
from checks.gqa.grouped_query_attention_wrong import MISTAKES
from checks.gqa.probes import huge, qkv, steep


def attention(q: Tensor, k: Tensor, v: Tensor, mask: Tensor) -> Tensor:
    """q: (B, n, T, d), k and v: (B, S, d), mask: (B, n, T, S) bool → (B, n, T, d); one kv head."""
    scores = (q[..., None, :] * k[:, None, None]).sum(-1) / math.sqrt(q.shape[-1])
    weights = torch.softmax(scores.where(mask, -torch.inf), dim=-1)  # (B, n, T, S)
    return (weights[..., None] * v[:, None, None]).sum(-2)


def reference(q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None = None) -> Tensor:
    """q: (B, H, T, d), k and v: (B, K, S, d), mask: to (B, H, T, S) → (B, H, T, d)."""
    (batch, n_heads, n_queries, _), (n_kv_heads, n_keys) = q.shape, k.shape[1:3]
    everything = torch.ones(n_queries, n_keys, dtype=torch.bool, device=q.device)
    may_look = everything if mask is None else mask
    may_look = may_look.expand(batch, n_heads, n_queries, n_keys)
    group = n_heads // n_kv_heads  # this many neighbouring query heads read one kv head
    outputs = []
    for head in range(n_kv_heads):
        readers = slice(head * group, (head + 1) * group)
        keys, values = k[:, head].double(), v[:, head].double()
        outputs.append(attention(q[:, readers].double(), keys, values, may_look[:, readers]))
    return torch.cat(outputs, dim=1).to(q.dtype)


def who_reads_whom(answer: object, inputs: Inputs) -> list:
    """Give kv head j the value j, everywhere: what comes back is the number of the head read."""
    seen = []
    for n_heads, n_kv_heads in ((6, 2), (6, 3), (4, 1), (3, 3)):
        q, k, _ = qkv(inputs, 1, n_heads, n_kv_heads, t=2, s=3, d=4)
        tags = torch.arange(float(n_kv_heads)).reshape(1, -1, 1, 1).expand(1, n_kv_heads, 3, 4)
        seen.append(answer(q, k, tags))
    return seen


def in_half(draw: Draw, title: str) -> Probe:
    """Half precision, which a house rule promises."""
    return dataclasses.replace(attention_probes.in_half(draw, title), promise=HALF_PRECISION)


grouped_query_attention = Check(
    exercise="6.2",
    name="grouped_query_attention",
    weight=2,
    reference=reference,
    technique=[
        values(
            lambda inputs: (
                torch.zeros(1, 4, 1, 2),
                torch.zeros(1, 2, 2, 2),
                torch.tensor([[[[1.0, 0], [3, 0]], [[10, 0], [30, 4]]]]),
            ),
            title="worked example",
            promise="grouped_query_attention(q, k, v).tolist()",
        ),
        Probe(
            "who reads whom: the values of kv head j are all j",
            who_reads_whom,
            "The values of kv head j were all j, so each output is the number of the kv head that "
            "was read. H / K neighbouring query heads share one.",
            promise="neighbouring query heads share a key/value head",
        ),
        values(
            lambda inputs: qkv(inputs, 2, 6, 3, t=5, s=7, d=4),
            title="values: 6 query heads, 3 kv heads, no mask",
            promise="neighbouring query heads share a key/value head",
        ),
        values(
            lambda inputs: qkv(inputs, 3, 6, 2, t=4, s=3, d=5),
            lambda inputs: qkv(inputs, 2, 5, 1, t=3, s=4, d=6),
            lambda inputs: qkv(inputs, 1, 4, 4, t=6, s=5, d=3),
            lambda inputs: qkv(inputs, 3, 4, 2, t=1, s=6, d=8),
            title="groups of three, MQA, MHA, a single query",
            promise="neighbouring query heads share a key/value head",
        ),
        values(
            lambda inputs: (*qkv(inputs, 2, 6, 3, t=5, s=5, d=4), causal(5, 5)),
            lambda inputs: (*qkv(inputs, 2, 6, 2, t=3, s=7, d=4), causal(3, 7)),
            lambda inputs: (*qkv(inputs, 2, 4, 2, t=4, s=6, d=5), some_mask(inputs, 4, 6)),
            title="masks (T, S): causal, of a chunk, without order",
            promise="mask: bool, broadcasts to (B, H, T, S)",
        ),
        values(
            lambda inputs: (*qkv(inputs, 3, 4, 2, t=2, s=5, d=4), some_mask(inputs, 3, 1, 1, 5)),
            lambda inputs: (*qkv(inputs, 2, 6, 2, t=3, s=5, d=4), some_mask(inputs, 2, 1, 3, 5)),
            lambda inputs: (*qkv(inputs, 2, 6, 3, t=3, s=4, d=2), some_mask(inputs, 2, 6, 3, 4)),
            title="masks of its own for each sentence, and for each head",
            promise="mask: bool, broadcasts to (B, H, T, S)",
        ),
        values(
            huge,
            lambda inputs: (*huge(inputs)[:2], inputs.randn(1, 2, 6, 4)),
            title="scores of ±30000, the largest hidden, with huge values there",
            promise="True where a query may look",
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
    mistakes=MISTAKES,
    hints=(
        "After repeat_kv there are as many keys and values as queries. What is left to do?",
        "n_rep is q.shape[1] // k.shape[1]. Repeat k and v, and call attention of lab 04. Without "
        "copies: reshape q to (B, K, n_rep · T, d), so that a group is one matrix of queries.",
        "`return attention(q, repeat_kv(k, n_rep), repeat_kv(v, n_rep), mask)`",
    ),
)
