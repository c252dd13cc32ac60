"""Lab 06: right answers in the habits of well-known code bases."""

import math

import torch
from torch import nn
from torch.nn import functional as F

from solutions.my_llama import apply_rope


def meta_repeat(x, n_rep):
    """Meta's llama and Hugging Face: None, expand, reshape; x itself when there is one copy."""
    batch, n_kv_heads, slen, head_dim = x.shape
    if n_rep == 1:
        return x
    x = x[:, :, None, :, :].expand(batch, n_kv_heads, n_rep, slen, head_dim)
    return x.reshape(batch, n_kv_heads * n_rep, slen, head_dim)


def litgpt_repeat(x, n_rep):
    """litgpt, gpt-fast: repeat_interleave over the heads."""
    return torch.repeat_interleave(x, n_rep, dim=1)


def torchtune_repeat(x, n_rep):
    """torchtune: unsqueeze, expand, flatten."""
    b, n_kv, s, d = x.shape
    return x.unsqueeze(2).expand(b, n_kv, n_rep, s, d).flatten(1, 2)


def megatron_repeat(x, n_rep):
    """One list of heads, stacked: for a model that is cut over several cards."""
    return torch.stack([x[:, h // n_rep] for h in range(x.shape[1] * n_rep)], dim=1)


def index_repeat(x, n_rep):
    """A table from query head to kv head."""
    kv_head = torch.arange(x.size(1), device=x.device).repeat_interleave(n_rep)
    return x.index_select(1, kv_head)


def hf_gqa(q, k, v, mask=None):
    """Hugging Face's eager way: repeat_kv, an added mask, softmax in float32."""
    groups = q.shape[1] // k.shape[1]
    key_states, value_states = meta_repeat(k, groups), meta_repeat(v, groups)
    weights = torch.matmul(q.float(), key_states.float().transpose(2, 3)) * q.shape[-1] ** -0.5
    if mask is not None:
        additive = torch.zeros(mask.shape, device=q.device)
        weights = weights + additive.masked_fill(~mask, torch.finfo(torch.float32).min)
    weights = F.softmax(weights, dim=-1, dtype=torch.float32).to(q.dtype)
    return torch.matmul(weights, value_states)


def enable_gqa(q, k, v, mask=None):
    """torch's own: enable_gqa=True."""
    return F.scaled_dot_product_attention(q, k, v, attn_mask=mask, enable_gqa=True)


def litgpt_gqa(q, k, v, mask=None):
    """litgpt: repeat unless all heads have their own or there is only one, then the fused call."""
    n_head, n_query_groups = q.size(1), k.size(1)
    if n_query_groups != n_head:
        q_per_kv = n_head // n_query_groups
        k, v = k.repeat_interleave(q_per_kv, dim=1), v.repeat_interleave(q_per_kv, dim=1)
    return F.scaled_dot_product_attention(
        q, k, v, attn_mask=mask, dropout_p=0.0, scale=1.0 / math.sqrt(q.size(-1))
    )


def gemma_gqa(q, k, v, mask=None):
    """Gemma in jax: queries as (B, T, K, G, d), einsum over groups, the mask where it is True."""
    batch, n_heads, length, size = q.shape
    n_kv = k.shape[1]
    scaled = q.float().reshape(batch, n_kv, n_heads // n_kv, length, size) * size**-0.5
    logits = torch.einsum("bkgtd,bksd->bkgts", scaled, k.float())
    if mask is not None:
        mask = torch.broadcast_to(mask, (batch, n_heads, length, k.shape[2])).reshape(logits.shape)
        logits = torch.where(mask, logits, torch.tensor(-2.3819763e38, device=q.device))
    probs = torch.softmax(logits, dim=-1).to(k.dtype)
    encoded = torch.einsum("bkgts,bksd->bkgtd", probs, v)
    return encoded.reshape(batch, n_heads, length, size)


def mlx_gqa(q, k, v, mask=None):
    """mlx: unflatten the queries, one more dimension for keys and values, flatten back."""
    n_repeats = q.shape[1] // k.shape[1]
    q = q.unflatten(1, (k.shape[1], n_repeats)).float() * q.shape[-1] ** -0.5
    scores = q @ k.float().unsqueeze(2).transpose(-1, -2)
    if mask is not None:
        if mask.dim() >= 3:
            if mask.shape[-3] == 1:
                mask = mask.unsqueeze(-3)
            else:
                mask = mask.unflatten(-3, (k.shape[1], n_repeats))
        scores = torch.where(mask, scores, torch.finfo(scores.dtype).min)
    weights = torch.softmax(scores, dim=-1)
    return (weights.to(v.dtype) @ v.unsqueeze(2)).flatten(1, 2)


class _Maps(nn.Module):
    def __init__(self, dim, n_heads, n_kv_heads):
        super().__init__()
        if n_heads % n_kv_heads != 0:
            raise ValueError("num_heads must be divisible by num_kv_heads")
        self.n_heads, self.n_kv_heads = n_heads, n_kv_heads
        self.head_dim = dim // n_heads
        self.n_rep = n_heads // n_kv_heads
        self.wq = nn.Linear(dim, n_heads * self.head_dim, bias=False)
        self.wk = nn.Linear(dim, n_kv_heads * self.head_dim, bias=False)
        self.wv = nn.Linear(dim, n_kv_heads * self.head_dim, bias=False)
        self.wo = nn.Linear(n_heads * self.head_dim, dim, bias=False)


class MetaLayer(_Maps):
    """Meta's llama: the cache before repeat_kv, zeros for the cached keys beside the triangle."""

    def forward(self, x, angles, cache=None):
        bsz, seqlen, _ = x.shape
        xq = self.wq(x).view(bsz, seqlen, self.n_heads, self.head_dim)
        xk = self.wk(x).view(bsz, seqlen, self.n_kv_heads, self.head_dim)
        xv = self.wv(x).view(bsz, seqlen, self.n_kv_heads, self.head_dim)
        freqs_cis = torch.polar(torch.ones_like(angles.float()), angles.float())
        xq, xk = self.rotate(xq, freqs_cis), self.rotate(xk, freqs_cis)
        xq, keys, values = xq.transpose(1, 2), xk.transpose(1, 2), xv.transpose(1, 2)
        start_pos = 0
        if cache is not None:
            start_pos = cache.length
            keys, values = cache.update(keys, values)
        keys, values = meta_repeat(keys, self.n_rep), meta_repeat(values, self.n_rep)
        scores = torch.matmul(xq, keys.transpose(2, 3).to(xq.dtype)) / math.sqrt(self.head_dim)
        if seqlen > 1:
            mask = torch.full((seqlen, seqlen), float("-inf"), device=x.device)
            mask = torch.triu(mask, diagonal=1)
            zeros = torch.zeros((seqlen, start_pos), device=x.device)
            scores = scores + torch.hstack([zeros, mask]).type_as(xq)
        scores = F.softmax(scores.float(), dim=-1).type_as(xq)
        output = torch.matmul(scores, values.to(xq.dtype))
        return self.wo(output.transpose(1, 2).contiguous().view(bsz, seqlen, -1))

    @staticmethod
    def rotate(x, freqs_cis):
        x_ = torch.view_as_complex(x.float().reshape(*x.shape[:-1], -1, 2))
        return torch.view_as_real(x_ * freqs_cis[None, :, None, :]).flatten(3).type_as(x)


class HFLayer(_Maps):
    """Hugging Face: past_key_value.update, cache_position, the fused call with a mask."""

    def forward(self, x, angles, cache=None):
        input_shape = x.shape[:-1]
        hidden_shape = (*input_shape, -1, self.head_dim)
        query_states = self.wq(x).view(hidden_shape).transpose(1, 2)
        key_states = self.wk(x).view(hidden_shape).transpose(1, 2)
        value_states = self.wv(x).view(hidden_shape).transpose(1, 2)
        query_states = apply_rope(query_states, angles)
        key_states = apply_rope(key_states, angles)
        past_seen_tokens = cache.length if cache is not None else 0
        if cache is not None:
            key_states, value_states = cache.update(key_states, value_states)
        key_states = meta_repeat(key_states, self.n_rep).to(x.dtype)
        value_states = meta_repeat(value_states, self.n_rep).to(x.dtype)
        cache_position = torch.arange(
            past_seen_tokens, past_seen_tokens + input_shape[1], device=x.device
        )
        kv = torch.arange(key_states.shape[2], device=x.device)
        mask = (kv <= cache_position.reshape(-1, 1))[None, None]
        out = F.scaled_dot_product_attention(query_states, key_states, value_states, mask)
        return self.wo(out.transpose(1, 2).contiguous().reshape(*input_shape, -1).contiguous())


class LitGPTLayer(_Maps):
    """litgpt: the mask only with a cache, is_causal without; one kv head stays one."""

    def forward(self, x, angles, cache=None):
        B, T, _ = x.size()
        q = self.wq(x).view(B, T, self.n_heads, self.head_dim).transpose(1, 2)
        k = self.wk(x).view(B, T, self.n_kv_heads, self.head_dim).transpose(1, 2)
        v = self.wv(x).view(B, T, self.n_kv_heads, self.head_dim).transpose(1, 2)
        q, k = apply_rope(q, angles), apply_rope(k, angles)
        mask = None
        if cache is not None:
            start = cache.length
            k, v = cache.update(k, v)
            triangle = torch.ones((k.size(2), k.size(2)), device=x.device, dtype=torch.bool).tril_()
            mask = triangle[start : start + T].view(1, 1, T, -1)
        if self.n_kv_heads != self.n_heads:
            k = k.repeat_interleave(self.n_rep, dim=1)
            v = v.repeat_interleave(self.n_rep, dim=1)
        y = F.scaled_dot_product_attention(
            q, k.to(q.dtype), v.to(q.dtype), attn_mask=mask, dropout_p=0.0, is_causal=mask is None
        )
        return self.wo(y.transpose(1, 2).reshape(B, T, self.head_dim * self.n_heads))


class BufferLayer(_Maps):
    """gpt-fast and nanoGPT: a registered triangle of the longest text, indexed by input_pos."""

    def __init__(self, dim, n_heads, n_kv_heads):
        super().__init__(dim, n_heads, n_kv_heads)
        triangle = torch.tril(torch.ones(512, 512, dtype=torch.bool))
        self.register_buffer("causal_mask", triangle, persistent=False)

    def forward(self, x, angles, cache=None):
        seqlen = x.shape[1]
        kv_size = self.n_kv_heads * self.head_dim
        weight = torch.cat([self.wq.weight, self.wk.weight, self.wv.weight])
        sizes = [self.n_heads * self.head_dim, kv_size, kv_size]
        q, k, v = F.linear(x, weight).split(sizes, dim=-1)
        q = apply_rope(q.unflatten(-1, (self.n_heads, -1)).transpose(1, 2), angles)
        k = apply_rope(k.unflatten(-1, (self.n_kv_heads, -1)).transpose(1, 2), angles)
        v = v.unflatten(-1, (self.n_kv_heads, -1)).transpose(1, 2)
        start = 0
        if cache is not None:
            start = cache.length
            k, v = cache.update(k, v)
        mask = self.causal_mask[start : start + seqlen, : k.shape[2]]
        return self.wo(mlx_gqa(q, k, v.to(q.dtype), mask).transpose(1, 2).flatten(2))


def chunked_pool(weight, n_heads, n_kv_heads):
    """As in the threads about converting Llama 2: chunks of rows, a stack, its mean."""
    heads = weight.chunk(n_heads, dim=0)
    size = n_heads // n_kv_heads
    new = [torch.stack(heads[i : i + size]).mean(dim=0) for i in range(0, n_heads, size)]
    return torch.cat(new, dim=0).to(weight.dtype)


def megatron_pool(weight, n_heads, n_kv_heads):
    """Megatron's converters: view(groups, -1, head size, hidden), mean over dim 1."""
    hidden_size = weight.size(-1)
    hs = weight.size(0) // n_heads
    return torch.mean(weight.reshape([n_kv_heads, -1, hs, hidden_size]), dim=1).view(
        [-1, hidden_size]
    )


def float_pool(weight, n_heads, n_kv_heads):
    """Sums in float32 and rounds once."""
    groups = weight.detach() if not weight.requires_grad else weight
    groups = groups.float().unflatten(0, (n_kv_heads, n_heads // n_kv_heads, -1))
    return (groups.sum(1) / (n_heads // n_kv_heads)).flatten(0, 1).to(weight.dtype)


def heads_over_kv_heads(n_heads, n_kv_heads, head_dim, seq_len):
    """What is left when everything cancels."""
    return n_heads / n_kv_heads


def roofline(n_heads, n_kv_heads, head_dim, seq_len):
    """LLM-Viewer: OPs of the two products, load_kv_cache in bytes."""
    qk_matmul_ops = seq_len * head_dim * n_heads * 2
    sv_matmul_ops = head_dim * seq_len * n_heads * 2
    load_kv_cache = seq_len * head_dim * n_kv_heads * 2 * 2
    return (qk_matmul_ops + sv_matmul_ops) / load_kv_cache


RIGHT = {
    "repeat_kv": [meta_repeat, litgpt_repeat, torchtune_repeat, megatron_repeat, index_repeat],
    "grouped_query_attention": [hf_gqa, enable_gqa, litgpt_gqa, gemma_gqa, mlx_gqa],
    "GroupedQueryAttention": [MetaLayer, HFLayer, LitGPTLayer, BufferLayer],
    "mean_pool_heads": [chunked_pool, megatron_pool, float_pool],
    "decode_intensity": [heads_over_kv_heads, roofline],
}
