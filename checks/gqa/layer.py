"""Lab 06, 6.3: what is tried on GroupedQueryAttention."""

import torch
from torch import Tensor, nn

from checks.engine import GRADIENTS_FLOW, HALF_PRECISION, Check, Probe, module_keeps_device
from checks.engine.attention_probes import HALF, LEAK
from checks.gqa import layer_probes
from checks.gqa.grouped_query_attention import reference as grouped_query_attention
from checks.gqa.layer_probes import KVCache, rotate
from checks.gqa.layer_wrong import MISTAKES

UNEVEN = (
    "Groups of different sizes must be refused with a ValueError when the layer is made, and even "
    "groups must not."
)
ANGLES = "angles: (T, d/2) of these T positions"
WHAT = "Causal self-attention with H query heads, K key/value heads"
CACHE = "it holds K heads"


class GroupedQueryAttention(nn.Module):
    """Causal self-attention with H query heads and K key/value heads."""

    def __init__(self, dim: int, n_heads: int, n_kv_heads: int) -> None:
        super().__init__()
        if n_heads % n_kv_heads != 0:
            raise ValueError(f"{n_heads} query heads cannot share {n_kv_heads} kv heads evenly")
        self.n_heads, self.n_kv_heads = n_heads, n_kv_heads
        head_dim = dim // n_heads
        self.wq = nn.Linear(dim, n_heads * head_dim, bias=False)
        self.wk = nn.Linear(dim, n_kv_heads * head_dim, bias=False)
        self.wv = nn.Linear(dim, n_kv_heads * head_dim, bias=False)
        self.wo = nn.Linear(n_heads * head_dim, dim, bias=False)

    def forward(self, x: Tensor, angles: Tensor, cache: KVCache | None = None) -> Tensor:
        """x: (B, T, dim), angles: (T, d/2) of these T positions → (B, T, dim)."""
        q = torch.stack(self.wq(x).chunk(self.n_heads, dim=-1), dim=1)  # (B, H, T, d)
        k = torch.stack(self.wk(x).chunk(self.n_kv_heads, dim=-1), dim=1)  # (B, K, T, d)
        v = torch.stack(self.wv(x).chunk(self.n_kv_heads, dim=-1), dim=1)
        q, k = rotate(q, angles), rotate(k, angles)
        if cache is not None:
            k, v = cache.update(k, v)  # (B, K, S, d)
        n_queries, n_keys = q.shape[2], k.shape[2]
        mask = torch.ones(n_queries, n_keys, dtype=torch.bool).tril(n_keys - n_queries)
        out = grouped_query_attention(q, k, v, mask.to(x.device))
        return self.wo(torch.cat(out.unbind(1), dim=-1)).to(x.dtype)


layer = Check(
    exercise="6.3",
    name="GroupedQueryAttention",
    weight=3,
    reference=GroupedQueryAttention,
    technique=[
        Probe(
            "worked example: two query heads on one kv head",
            layer_probes.worked_layer,
            promise="GroupedQueryAttention(4, 2, 1)",
        ),
        Probe(
            "a new layer: wq, wk, wv, wo of these shapes, no bias",
            layer_probes.new_layer,
            promise="Four linear maps without bias: wq and wo dim → dim, wk and wv dim → K · d",
        ),
        Probe(
            "ValueError for 6 query heads and 4 kv heads; 3 and 1, 3 and 3 are fine",
            layer_probes.groups_of((6, 4), (3, 1), (3, 3)),
            UNEVEN,
            promise="ValueError unless n_heads % n_kv_heads == 0",
        ),
        Probe(
            "ValueError whenever n_heads % n_kv_heads is not 0",
            layer_probes.groups_of((4, 3), (2, 4), (8, 6), (4, 2)),
            UNEVEN,
            promise="ValueError unless n_heads % n_kv_heads == 0",
        ),
        Probe(
            "six query heads, three kv heads, no cache",
            layer_probes.one_sequence,
            promise=WHAT,
        ),
        Probe(
            "groups of other sizes, MQA, MHA",
            layer_probes.without_cache,
            promise="K = H is MHA, K = 1 is MQA",
        ),
        Probe("the angles are those of the tokens in x", layer_probes.given_angles, promise=ANGLES),
        Probe(
            "no token sees a later one, with a cache and without",
            layer_probes.future_changed,
            LEAK,
            promise="Causal self-attention",
        ),
        Probe(
            "one token at a time, with a cache",
            layer_probes.one_by_one,
            promise=WHAT,
        ),
        Probe(
            "chunks of any size",
            layer_probes.random_chunks,
            promise=WHAT,
        ),
        Probe(
            "what goes into the cache: n_kv_heads heads, rotated keys, plain values",
            layer_probes.cache_content,
            "The cache does not hold what it should: the rotated keys and the plain values of the "
            "n_kv_heads heads, each position once.",
            promise=CACHE,
        ),
        Probe(
            "slots that are not written yet hold NaN, or 1e9",
            layer_probes.poisoned_slots,
            promise="With a cache the T positions follow those in it",
        ),
        Probe(
            "the same text twice, without a cache",
            layer_probes.without_memory,
            promise=WHAT,
        ),
        Probe(
            "two sequences in turns, each with its cache",
            layer_probes.two_sequences,
            promise=WHAT,
        ),
    ],
    ready=[
        Probe(
            "gradients reach the input and all four weights",
            layer_probes.layer_gradients,
            "A wrong gradient, or none, arrives at the input, wq, wk, wv or wo.",
            promise=GRADIENTS_FLOW,
        ),
        Probe("bfloat16 stays bfloat16", layer_probes.layer_dtype, promise=HALF_PRECISION),
        Probe(
            "float16 and bfloat16, cache included",
            layer_probes.layer_in_half,
            HALF,
            inexact=True,
            promise=HALF_PRECISION,
        ),
        module_keeps_device(
            layer_probes.layer,
            lambda inputs: (inputs.randn(2, 3, layer_probes.DIM), layer_probes.turns(0, 3)),
            "A tensor made in the module stays on the CPU when x is on a GPU. The mask? "
            "`causal_mask(T, S).to(x.device)`",
        ),
    ],
    mistakes=MISTAKES,
    hints=(
        "Compared with lab 05, which two of the four maps become smaller, and to what size?",
        "wk and wv give n_kv_heads · head_dim features and are split into n_kv_heads heads. These "
        "are rotated, stored and read back; only then grouped_query_attention.",
        "`k = apply_rope(split_heads(self.wk(x), self.n_kv_heads), angles)`, v without apply_rope, "
        "`k, v = cache.update(k, v)` if there is one, then grouped_query_attention with "
        "`causal_mask(q.shape[2], k.shape[2])`, merge_heads, wo.",
    ),
)
