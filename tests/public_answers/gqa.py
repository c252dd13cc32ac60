"""Lab 06: mistakes that somebody made in public, rewritten as answers to the exercises."""

import math

import torch
from torch import nn
from torch.nn import functional as F
from wrong_answers import Public

from solutions.my_llama import (
    apply_rope,
    attention,
    causal_mask,
    grouped_query_attention,
    merge_heads,
    repeat_kv,
    split_heads,
)


def tiled(x, n_rep):
    return torch.tile(x, (1, n_rep, 1, 1))


def positions_for_heads(x, n_rep):
    # dim 1 in (B, S, H, d) and dim 2 in (B, H, S, d): written for the other layout
    return x.repeat_interleave(n_rep, dim=2)


def broadcast_before_the_heads(x, n_rep):
    batch, heads, length, size = x.shape
    out = x.unsqueeze(1).expand(batch, n_rep, heads, length, size)
    return out.flatten(1, 2)


def divided_by_the_kv_heads(q, k, v, mask=None):
    batch, n_heads, length, _ = q.shape
    n_kv = k.shape[1]
    if mask is not None:
        mask = mask.expand(batch, n_heads, length, k.shape[2])
    heads = []
    for head_idx in range(n_heads):
        kv = min(head_idx // n_kv, n_kv - 1)
        m = None if mask is None else mask[:, head_idx]
        heads.append(attention(q[:, head_idx], k[:, kv], v[:, kv], m))
    return torch.stack(heads, dim=1)


def summed_over_the_group(q, k, v, mask=None):
    batch, n_heads, length, size = q.shape
    groups = n_heads // k.shape[1]
    q = q.reshape(batch, k.shape[1], groups, length, size).float() / math.sqrt(size)
    scores = torch.einsum("bhgnd,bhsd->bhns", q, k.float())
    if mask is not None:
        scores = scores.masked_fill(
            ~mask.expand(batch, n_heads, length, -1)[:, ::groups], -torch.inf
        )
    out = torch.einsum("bhns,bhsd->bhnd", scores.softmax(-1), v.float()).to(q.dtype)
    return out.repeat_interleave(groups, dim=1).to(v.dtype)


def groups_first(q, k, v, mask=None):
    batch, n_heads, length, size = q.shape
    n_kv = k.shape[1]
    q = q.view(batch, n_heads // n_kv, n_kv, length, size)  # "b (g h) n d -> b g h n d"
    if mask is not None:
        mask = mask.expand(batch, n_heads, length, k.shape[2]).reshape(
            batch, n_heads // n_kv, n_kv, length, k.shape[2]
        )
    return attention(q, k.unsqueeze(1), v.unsqueeze(1), mask).flatten(1, 2)


def not_repeated(q, k, v, mask=None):
    return F.scaled_dot_product_attention(q, k, v, attn_mask=mask)


def tiles_a_partial_group(q, k, v, mask=None):
    n_kv = k.shape[1]
    step = math.ceil(q.shape[1] / n_kv)
    out = attention(q, k.repeat(1, step, 1, 1), v.repeat(1, step, 1, 1), mask)
    return out


class _Layer(nn.Module):
    def __init__(self, dim, n_heads, n_kv_heads):
        super().__init__()
        if n_heads % n_kv_heads != 0:
            raise ValueError("n_heads must be divisible by n_kv_heads")
        self.n_heads, self.n_kv_heads, self.head_dim = n_heads, n_kv_heads, dim // n_heads
        self.wq = nn.Linear(dim, n_heads * self.head_dim, bias=False)
        self.wk = nn.Linear(dim, n_kv_heads * self.head_dim, bias=False)
        self.wv = nn.Linear(dim, n_kv_heads * self.head_dim, bias=False)
        self.wo = nn.Linear(n_heads * self.head_dim, dim, bias=False)

    def qkv(self, x, angles):
        q = apply_rope(split_heads(self.wq(x), self.n_heads), angles)
        k = apply_rope(split_heads(self.wk(x), self.n_kv_heads), angles)
        return q, k, split_heads(self.wv(x), self.n_kv_heads)

    def attend(self, x, q, k, v):
        mask = causal_mask(q.shape[2], k.shape[2]).to(x.device)
        return self.wo(merge_heads(grouped_query_attention(q, k, v, mask)))


class prefill_without_mask(_Layer):
    def forward(self, x, angles, cache=None):
        q, k, v = self.qkv(x, angles)
        mask = None
        if cache is None:
            mask = causal_mask(x.shape[1], x.shape[1]).to(x.device)
        else:
            k, v = cache.update(k, v)
        return self.wo(merge_heads(grouped_query_attention(q, k, v, mask)))


class tril_from_the_first_key(_Layer):
    def forward(self, x, angles, cache=None):
        q, k, v = self.qkv(x, angles)
        if cache is not None:
            k, v = cache.update(k, v)
        mask = None
        if x.shape[1] > 1:
            ones = torch.ones(q.shape[2], k.shape[2], dtype=torch.bool, device=x.device)
            mask = torch.tril(ones)
        return self.wo(merge_heads(grouped_query_attention(q, k, v, mask)))


class keys_into_the_values(_Layer):
    def forward(self, x, angles, cache=None):
        q, k, v = self.qkv(x, angles)
        if cache is not None:
            start, end = cache.length, cache.length + x.shape[1]
            k, v = cache.update(k, v)
            cache.values[:, :, start:end] = cache.keys[:, :, start:end]
        return self.attend(x, q, k, v)


class repeats_before_the_cache(_Layer):
    def forward(self, x, angles, cache=None):
        q, k, v = self.qkv(x, angles)
        n_rep = self.n_heads // self.n_kv_heads
        k, v = repeat_kv(k, n_rep), repeat_kv(v, n_rep)
        if cache is not None:
            k, v = cache.update(k, v)
        mask = causal_mask(q.shape[2], k.shape[2]).to(x.device)
        return self.wo(merge_heads(attention(q, k, v, mask)))


class groups_for_heads(_Layer):
    def __init__(self, dim, n_heads, n_kv_heads):
        super().__init__(dim, n_heads, n_heads // n_kv_heads)

    def forward(self, x, angles, cache=None):
        q, k, v = self.qkv(x, angles)
        if cache is not None:
            k, v = cache.update(k, v)
        return self.attend(x, q, k, v)


class truncates_the_quotient(nn.Module):
    def __init__(self, dim, n_heads, n_kv_heads):
        super().__init__()
        self.n_heads, self.n_kv_heads, self.head_dim = n_heads, n_kv_heads, dim // n_heads
        self.n_rep = int(n_heads / n_kv_heads)
        self.wq = nn.Linear(dim, n_heads * self.head_dim, bias=False)
        self.wk = nn.Linear(dim, n_kv_heads * self.head_dim, bias=False)
        self.wv = nn.Linear(dim, n_kv_heads * self.head_dim, bias=False)
        self.wo = nn.Linear(n_heads * self.head_dim, dim, bias=False)

    def forward(self, x, angles, cache=None):
        q = apply_rope(split_heads(self.wq(x), self.n_heads), angles)
        k = apply_rope(split_heads(self.wk(x), self.n_kv_heads), angles)
        v = split_heads(self.wv(x), self.n_kv_heads)
        if cache is not None:
            k, v = cache.update(k, v)
        mask = causal_mask(q.shape[2], k.shape[2]).to(x.device)
        k, v = repeat_kv(k, self.n_rep), repeat_kv(v, self.n_rep)
        return self.wo(merge_heads(attention(q, k, v, mask)))


class ignores_the_kv_heads(_Layer):
    def __init__(self, dim, n_heads, n_kv_heads):
        super().__init__(dim, n_heads, n_heads)

    def forward(self, x, angles, cache=None):
        q, k, v = self.qkv(x, angles)
        if cache is not None:
            k, v = cache.update(k, v)
        return self.attend(x, q, k, v)


class equal_chunks(_Layer):
    def forward(self, x, angles, cache=None):
        # all three in one product, cut into three equal pieces
        qkv = x @ torch.cat([self.wq.weight, self.wk.weight, self.wv.weight]).T
        q, k, v = qkv.chunk(3, dim=-1)
        q = apply_rope(split_heads(q, self.n_heads), angles)
        k = apply_rope(split_heads(k, self.n_kv_heads), angles)
        v = split_heads(v, self.n_kv_heads)
        if cache is not None:
            k, v = cache.update(k, v)
        return self.attend(x, q, k, v)


def groups_before_kv_heads(weight, n_heads, n_kv_heads):
    size = weight.shape[0] // n_heads
    out = torch.zeros(n_kv_heads * size, weight.shape[1], dtype=weight.dtype, device=weight.device)
    group = n_heads // n_kv_heads
    for h in range(n_kv_heads):
        for g in range(group):
            row = (g * n_kv_heads + h) * size
            out[h * size : (h + 1) * size] += weight[row : row + size] / group
    return out


def loads_all_heads(n_heads, n_kv_heads, head_dim, seq_len):
    ops = 2 * n_heads * head_dim * seq_len * 2
    load_kv_cache = seq_len * head_dim * n_heads * 2 * 2
    return ops / load_kv_cache


def width_times_heads(n_heads, n_kv_heads, head_dim, seq_len):
    hidden = n_heads * head_dim
    return (4 * n_heads * head_dim * seq_len) / (2 * n_heads * hidden * seq_len * 2)


def flops_doubled(n_heads, n_kv_heads, head_dim, seq_len):
    flops = 8 * n_heads * head_dim * seq_len
    return flops / (4 * n_kv_heads * head_dim * seq_len)


def groups_are_a_divisor(n_heads, n_kv_heads, head_dim, seq_len):
    kv_heads = n_heads // n_kv_heads
    return (4 * n_heads * head_dim * seq_len) / (2 * kv_heads * head_dim * seq_len * 2)


PUBLIC = {
    "repeat_kv": [
        Public(
            tiled, "ekzhang/jax-js#180", "the heads take turns: tile for repeat", named=("tiled",)
        ),
        Public(
            positions_for_heads,
            "PrimeIntellect-ai/prime-rl#2681",
            "repeats the positions, not the heads",
            named=("positions_repeated",),
        ),
        Public(
            broadcast_before_the_heads,
            "apple/axlearn#842",
            "the heads take turns: the copies stand before the heads",
            named=("tiled",),
        ),
    ],
    "grouped_query_attention": [
        Public(
            divided_by_the_kv_heads,
            "PSAL-POSTECH/ONNXim#34",
            "query head h reads kv head h // K, not h // n_rep",
            named=("wrong_group_size",),
        ),
        Public(
            summed_over_the_group,
            "fkodom/grouped-query-attention-pytorch#5",
            "the scores of a group's query heads are added up before the softmax",
            named=("summed_scores",),
        ),
        Public(
            groups_first,
            "nntile/nntile#347",
            "the kv heads take turns: the queries are cut into (n_rep, K), not (K, n_rep)",
            named=("tiled",),
        ),
        Public(
            not_repeated,
            "state-spaces/mamba#462",
            "keys and values are not shared out at all",
            named=("not_repeated",),
        ),
        Public(
            tiles_a_partial_group,
            "onnx/onnx#7274",
            "the kv heads take turns: tile for repeat_interleave",
            named=("tiled",),
        ),
    ],
    "GroupedQueryAttention": [
        Public(
            prefill_without_mask,
            "Mikyx-1/TinyLLM#17",
            "no mask when there is a cache, not even for a prompt",
            named=("no_mask_with_cache",),
        ),
        Public(
            tril_from_the_first_key,
            "hyprstream/hyprstream#1521",
            "with a cache the queries are taken for the first positions",
            named=("mask_top_left",),
        ),
        Public(
            keys_into_the_values,
            "snu-comparch/InfiniGen#5",
            "the keys are stored in the cache as values too",
            named=("keys_stored_as_values",),
        ),
        Public(
            repeats_before_the_cache,
            "FYYFU/HeadKV#3",
            "the heads are shared out before the cache, which gets H heads",
            named=("caches_expanded",),
        ),
        Public(
            groups_for_heads,
            "rasbt/LLMs-from-scratch#922",
            "n_kv_heads is taken for the number of query heads of a group",
            named=("group_size_for_kv_heads",),
        ),
        Public(
            truncates_the_quotient,
            "google-deepmind/gemma#668",
            "no ValueError when the heads do not divide",
            named=("no_value_error",),
        ),
        Public(
            ignores_the_kv_heads,
            "AI-Hypercomputer/maxtext#4442",
            "n_kv_heads is ignored: wk and wv make H heads",
            named=("kv_full_size",),
        ),
        Public(
            equal_chunks,
            "vllm-project/vllm#13687",
            "queries, keys and values are cut into three pieces of the same size",
            named=("three_equal_pieces",),
        ),
    ],
    "mean_pool_heads": [
        Public(
            groups_before_kv_heads,
            "nntile/nntile#347",
            "the heads of a group are not neighbours: every K-th",
            named=("every_kth_head",),
        ),
    ],
    "decode_intensity": [
        Public(
            loads_all_heads,
            "hahnyuan/LLM-Viewer#12",
            "the cache is read with H heads, not K",
            named=("always_one",),
        ),
        Public(
            width_times_heads,
            "jranaraki/vllm-fit#2",
            "the cache has the full width for each of H heads, and K is ignored",
            named=("width_for_each_head",),
        ),
        Public(
            flops_doubled,
            "SemiAnalysisAI/InferenceX-app#849",
            "the FLOPs are counted twice",
            named=("double",),
        ),
        Public(
            groups_are_a_divisor,
            "rasbt/LLMs-from-scratch#922",
            "n_kv_heads is taken for the number of query heads of a group",
            named=("group_size_for_kv_heads",),
        ),
    ],
}
