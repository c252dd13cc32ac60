"""Lab 04: right answers in the habits of well-known code bases."""

import math

import torch
from torch import nn
from torch.nn import functional as F


def meta_mask(n_queries, n_keys):
    """Meta's llama: a triangle of -inf for the new positions, zeros for the cached ones before."""
    if n_queries > n_keys:
        raise ValueError("more queries than positions")
    start_pos = n_keys - n_queries
    mask = torch.full((n_queries, n_queries), float("-inf"))
    mask = torch.triu(mask, diagonal=1)
    mask = torch.hstack([torch.zeros((n_queries, start_pos)), mask])
    return mask == 0


def hf_mask(n_queries, n_keys):
    """Hugging Face: cache_position against the positions of the keys."""
    if n_queries > n_keys:
        raise ValueError(f"query length {n_queries} is larger than key length {n_keys}")
    cache_position = torch.arange(n_keys - n_queries, n_keys)
    return torch.arange(n_keys) <= cache_position.reshape(-1, 1)


def nanogpt_mask(n_queries, n_keys):
    """nanoGPT: one square triangle, cut out."""
    if n_queries > n_keys:
        raise ValueError("Cannot attend: block is too small")
    bias = torch.tril(torch.ones(n_keys, n_keys)).view(1, 1, n_keys, n_keys)
    return bias[0, 0, n_keys - n_queries : n_keys, :n_keys] != 0


def gpt_fast_mask(n_queries, n_keys):
    """gpt-fast: a bool triangle, indexed by input_pos."""
    if n_queries > n_keys:
        raise ValueError("more queries than keys")
    input_pos = torch.arange(n_keys)[n_keys - n_queries :]
    return torch.tril(torch.ones(n_keys, n_keys, dtype=torch.bool))[input_pos]


def mlx_mask(n_queries, n_keys):
    """mlx: an offset, linds and rinds."""
    offset = n_keys - n_queries
    if offset < 0:
        raise ValueError("negative offset")
    rinds = torch.arange(offset + n_queries)
    linds = torch.arange(offset, offset + n_queries) if offset else rinds
    return linds[:, None] >= rinds[None]


def flash_mask(n_queries, n_keys):
    """flash-attn's tests: tril with diagonal = seqlen_k - seqlen_q."""
    if n_queries > n_keys:
        raise ValueError("seqlen_q > seqlen_k")
    ones = torch.ones(n_queries, n_keys, dtype=torch.bool)
    return ones.tril(diagonal=n_keys - n_queries)


def hf_weights(q, k, mask=None):
    """Hugging Face's eager way: scaling, an additive mask of finfo.min, softmax with dtype."""
    scaling = q.shape[-1] ** -0.5
    attn_weights = torch.matmul(q.float(), k.float().transpose(-2, -1)) * scaling
    if mask is not None:
        min_dtype = torch.finfo(attn_weights.dtype).min
        additive = torch.zeros(mask.shape, dtype=attn_weights.dtype, device=mask.device)
        attn_weights = attn_weights + additive.masked_fill(~mask, min_dtype)
    return F.softmax(attn_weights, dim=-1, dtype=torch.float32).to(q.dtype)


def meta_weights(q, k, mask=None):
    """Meta's llama: scores, an added mask of -inf, softmax of scores.float(), type_as."""
    scores = torch.matmul(q.float(), k.float().transpose(-2, -1)) / math.sqrt(q.shape[-1])
    if mask is not None:
        minus = torch.zeros_like(mask, dtype=torch.float32).masked_fill(~mask, float("-inf"))
        scores = scores + minus
    return F.softmax(scores.float(), dim=-1).type_as(q)


def nanogpt_weights(q, k, mask=None):
    """nanoGPT: multiplies by the reciprocal of the root, masked_fill(mask == 0)."""
    att = (q.float() @ k.float().transpose(-2, -1)) * (1.0 / math.sqrt(k.size(-1)))
    if mask is not None:
        att = att.masked_fill(mask == 0, float("-inf"))
    return F.softmax(att, dim=-1).to(q.dtype)


def annotated_weights(q, k, mask=None):
    """The Annotated Transformer: -1e9 in place of -inf; exp(-1e9) is 0 too."""
    d_k = q.size(-1)
    scores = torch.matmul(q.float(), k.float().transpose(-2, -1)) / math.sqrt(d_k)
    if mask is not None:
        scores = scores.masked_fill(mask == 0, -1e9)
    return scores.softmax(dim=-1).to(q.dtype)


def lucidrains_weights(q, k, mask=None):
    """lucidrains: q is scaled first, einsum, -finfo.max, the largest score subtracted."""
    out_dtype = q.dtype
    q = q.float() * q.shape[-1] ** -0.5
    sim = torch.einsum("...id,...jd->...ij", q, k.float())
    if mask is not None:
        sim = sim.masked_fill(~mask, -torch.finfo(sim.dtype).max)
    sim = sim - sim.amax(dim=-1, keepdim=True).detach()
    return sim.softmax(dim=-1).to(out_dtype)


def by_hand_weights(q, k, mask=None):
    """torch's documentation of scaled_dot_product_attention: an attn_bias filled in place."""
    scale = 1 / math.sqrt(q.size(-1))
    attn_bias = torch.zeros(q.size(-2), k.size(-2), dtype=torch.float32, device=q.device)
    if mask is not None:
        attn_bias = attn_bias.expand(mask.shape[:-2] + attn_bias.shape).clone()
        attn_bias.masked_fill_(mask.logical_not(), float("-inf"))
    attn_weight = q.float() @ k.float().transpose(-2, -1) * scale
    attn_weight = attn_weight + attn_bias
    return torch.softmax(attn_weight, dim=-1).to(q.dtype)


def fused_attention(q, k, v, mask=None):
    """nanoGPT with flash, litgpt: torch's fused function, with attn_mask."""
    return F.scaled_dot_product_attention(q, k, v, attn_mask=mask, dropout_p=0.0)


def hf_attention(q, k, v, mask=None):
    """Hugging Face's eager_attention_forward: weights in q's dtype, dropout of 0, matmul."""
    attn_weights = F.dropout(hf_weights(q, k, mask), p=0.0, training=False)
    return torch.matmul(attn_weights, v)


def einsum_attention(q, k, v, mask=None):
    """lucidrains: einsum over i and j."""
    return torch.einsum("...ij,...jd->...id", lucidrains_weights(q, k, mask), v)


def meta_attention(q, k, v, mask=None):
    """Meta's llama: matmul of scores and values."""
    return torch.matmul(meta_weights(q, k, mask), v)


def online_attention(q, k, v, mask=None, block=2):
    """FlashAttention's way, in plain torch: blocks of keys, a running maximum and sum."""
    if mask is None:
        mask = torch.ones(q.shape[-2], k.shape[-2], dtype=torch.bool, device=q.device)
    scores = (q.float() / math.sqrt(q.shape[-1])) @ k.float().mT
    scores = torch.where(mask, scores, -torch.inf)
    top = torch.full_like(scores[..., :1], -1e30)
    total = torch.zeros_like(top)
    out = torch.zeros(*scores.shape[:-1], v.shape[-1], device=q.device)
    for i in range(0, k.shape[-2], block):
        part = scores[..., i : i + block]
        new_top = torch.maximum(top, part.amax(-1, keepdim=True))
        p = torch.exp(part - new_top)
        shrink = torch.exp(top - new_top)
        total = total * shrink + p.sum(-1, keepdim=True)
        out = out * shrink + p @ v[..., i : i + block, :].float()
        top = new_top
    return (out / total).to(q.dtype)


def nanogpt_split(x, n_heads):
    """nanoGPT: view and transpose."""
    B, T, C = x.size()
    return x.view(B, T, n_heads, C // n_heads).transpose(1, 2)


def hf_split(x, n_heads):
    """Hugging Face: hidden_shape with -1, view, transpose."""
    input_shape = x.shape[:-1]
    hidden_shape = (*input_shape, -1, x.shape[-1] // n_heads)
    return x.view(hidden_shape).transpose(1, 2)


def bert_split(x, n_heads):
    """BERT's transpose_for_scores: permute."""
    new_shape = (*x.size()[:-1], n_heads, x.size(-1) // n_heads)
    return x.reshape(new_shape).permute(0, 2, 1, 3)


def chunked_split(x, n_heads):
    """A head at a time, as in the first chapters of from-scratch books, then stacked."""
    return torch.stack(x.chunk(n_heads, dim=-1), dim=1)


def unflatten_split(x, n_heads):
    """torchtune and newer torch code: unflatten, transpose, contiguous."""
    return x.unflatten(-1, (n_heads, -1)).transpose(1, 2).contiguous()


def nanogpt_merge(x):
    """nanoGPT: transpose, contiguous, view."""
    B, nh, T, hs = x.size()
    return x.transpose(1, 2).contiguous().view(B, T, nh * hs)


def meta_merge(x):
    """Meta's llama: transpose, contiguous, view with -1."""
    bsz, _, seqlen, _ = x.shape
    return x.transpose(1, 2).contiguous().view(bsz, seqlen, -1)


def concat_merge(x):
    """The paper's Concat, word for word."""
    return torch.cat(x.unbind(dim=1), dim=-1)


def einops_merge(x):
    """'b h n d -> b n (h d)', without einops."""
    return x.permute(0, 2, 1, 3).flatten(start_dim=2)


class MetaLayer(nn.Module):
    """Meta's llama: (B, T, H, d), complex rotation, an added mask, type_as."""

    def __init__(self, dim, n_heads):
        super().__init__()
        self.n_local_heads = n_heads
        self.head_dim = dim // n_heads
        self.wq = nn.Linear(dim, n_heads * self.head_dim, bias=False)
        self.wk = nn.Linear(dim, n_heads * self.head_dim, bias=False)
        self.wv = nn.Linear(dim, n_heads * self.head_dim, bias=False)
        self.wo = nn.Linear(n_heads * self.head_dim, dim, bias=False)

    @staticmethod
    def rotate(x, freqs_cis):
        x_ = torch.view_as_complex(x.float().reshape(*x.shape[:-1], -1, 2))
        out = torch.view_as_real(x_ * freqs_cis[None, :, None, :]).flatten(3)
        return out.type_as(x)

    def forward(self, x, angles):
        bsz, seqlen, _ = x.shape
        xq, xk, xv = self.wq(x), self.wk(x), self.wv(x)
        xq = xq.view(bsz, seqlen, self.n_local_heads, self.head_dim)
        xk = xk.view(bsz, seqlen, self.n_local_heads, self.head_dim)
        xv = xv.view(bsz, seqlen, self.n_local_heads, self.head_dim)
        freqs_cis = torch.polar(torch.ones_like(angles.float()), angles.float())
        xq, xk = self.rotate(xq, freqs_cis), self.rotate(xk, freqs_cis)
        xq, keys, values = xq.transpose(1, 2), xk.transpose(1, 2), xv.transpose(1, 2)
        scores = torch.matmul(xq, keys.transpose(2, 3)) / math.sqrt(self.head_dim)
        if seqlen > 1:
            mask = torch.full((seqlen, seqlen), float("-inf"), device=x.device)
            scores = scores + torch.triu(mask, diagonal=1).type_as(scores)
        scores = F.softmax(scores.float(), dim=-1).type_as(xq)
        output = torch.matmul(scores, values)
        return self.wo(output.transpose(1, 2).contiguous().view(bsz, seqlen, -1))


class HFLayer(nn.Module):
    """Hugging Face: head_dim and scaling as attributes, cos and sin repeated, finfo.min."""

    def __init__(self, dim, n_heads):
        super().__init__()
        self.head_dim = dim // n_heads
        self.scaling = self.head_dim**-0.5
        self.wq = nn.Linear(dim, n_heads * self.head_dim, bias=False)
        self.wk = nn.Linear(dim, n_heads * self.head_dim, bias=False)
        self.wv = nn.Linear(dim, n_heads * self.head_dim, bias=False)
        self.wo = nn.Linear(n_heads * self.head_dim, dim, bias=False)

    @staticmethod
    def rotate_pairs(x):
        x1, x2 = x[..., ::2], x[..., 1::2]
        return torch.stack((-x2, x1), dim=-1).flatten(-2)

    def forward(self, x, angles):
        input_shape = x.shape[:-1]
        hidden_shape = (*input_shape, -1, self.head_dim)
        query_states = self.wq(x).view(hidden_shape).transpose(1, 2)
        key_states = self.wk(x).view(hidden_shape).transpose(1, 2)
        value_states = self.wv(x).view(hidden_shape).transpose(1, 2)
        cos = angles.cos().repeat_interleave(2, dim=-1)[None, None].to(x.dtype)
        sin = angles.sin().repeat_interleave(2, dim=-1)[None, None].to(x.dtype)
        query_states = query_states * cos + self.rotate_pairs(query_states) * sin
        key_states = key_states * cos + self.rotate_pairs(key_states) * sin
        weights = torch.matmul(query_states, key_states.transpose(2, 3)) * self.scaling
        length = input_shape[1]
        minimum = torch.finfo(weights.dtype).min
        mask = torch.full((length, length), minimum, dtype=weights.dtype, device=x.device).triu(1)
        weights = F.softmax(weights + mask, dim=-1, dtype=torch.float32).to(x.dtype)
        out = torch.matmul(weights, value_states).transpose(1, 2).contiguous()
        return self.wo(out.reshape(*input_shape, -1).contiguous())


class NanoGPTLayer(nn.Module):
    """nanoGPT: a registered triangle for the longest text, an assert, dropouts of 0."""

    def __init__(self, dim, n_heads, block_size=256):
        super().__init__()
        assert dim % n_heads == 0
        self.wq = nn.Linear(dim, dim, bias=False)
        self.wk = nn.Linear(dim, dim, bias=False)
        self.wv = nn.Linear(dim, dim, bias=False)
        self.wo = nn.Linear(dim, dim, bias=False)
        self.attn_dropout = nn.Dropout(0.0)
        self.n_head, self.n_embd = n_heads, dim
        triangle = torch.tril(torch.ones(block_size, block_size))
        self.register_buffer("bias", triangle.view(1, 1, block_size, block_size))

    def forward(self, x, angles):
        from solutions.my_llama import apply_rope

        B, T, C = x.size()
        k = self.wk(x).view(B, T, self.n_head, C // self.n_head).transpose(1, 2)
        q = self.wq(x).view(B, T, self.n_head, C // self.n_head).transpose(1, 2)
        v = self.wv(x).view(B, T, self.n_head, C // self.n_head).transpose(1, 2)
        q, k = apply_rope(q, angles), apply_rope(k, angles)
        att = (q @ k.transpose(-2, -1)) * (1.0 / math.sqrt(k.size(-1)))
        att = att.masked_fill(self.bias[:, :, :T, :T] == 0, float("-inf"))
        att = self.attn_dropout(F.softmax(att, dim=-1))
        y = (att @ v).transpose(1, 2).contiguous().view(B, T, C)
        return self.wo(y)


class FusedLayer(nn.Module):
    """litgpt and torchtune: is_causal of torch's fused function, no mask at all."""

    def __init__(self, dim, n_heads):
        super().__init__()
        if dim % n_heads != 0:
            raise ValueError("embed_dim must be divisible by num_heads")
        self.num_heads, self.head_dim = n_heads, dim // n_heads
        self.wq = nn.Linear(dim, dim, bias=False)
        self.wk = nn.Linear(dim, dim, bias=False)
        self.wv = nn.Linear(dim, dim, bias=False)
        self.wo = nn.Linear(dim, dim, bias=False)

    def forward(self, x, angles):
        b, s_x, _ = x.shape
        q = self.wq(x).view(b, s_x, self.num_heads, self.head_dim)
        k = self.wk(x).view(b, s_x, self.num_heads, self.head_dim)
        v = self.wv(x).view(b, s_x, self.num_heads, self.head_dim)
        q, k = self.rope(q, angles), self.rope(k, angles)
        q, k, v = q.transpose(1, 2), k.transpose(1, 2), v.transpose(1, 2)
        y = F.scaled_dot_product_attention(q, k, v, dropout_p=0.0, is_causal=True)
        return self.wo(y.transpose(1, 2).contiguous().view(b, s_x, -1))

    @staticmethod
    def rope(x, angles):
        xshaped = x.float().reshape(*x.shape[:-1], -1, 2)
        cos, sin = angles.cos()[None, :, None], angles.sin()[None, :, None]
        x_out = torch.stack(
            [
                xshaped[..., 0] * cos - xshaped[..., 1] * sin,
                xshaped[..., 1] * cos + xshaped[..., 0] * sin,
            ],
            -1,
        )
        return x_out.flatten(3).type_as(x)


RIGHT = {
    "causal_mask": [meta_mask, hf_mask, nanogpt_mask, gpt_fast_mask, mlx_mask, flash_mask],
    "attention_weights": [
        hf_weights,
        meta_weights,
        nanogpt_weights,
        annotated_weights,
        lucidrains_weights,
        by_hand_weights,
    ],
    "attention": [
        fused_attention,
        hf_attention,
        einsum_attention,
        meta_attention,
        online_attention,
    ],
    "split_heads": [nanogpt_split, hf_split, bert_split, chunked_split, unflatten_split],
    "merge_heads": [nanogpt_merge, meta_merge, concat_merge, einops_merge],
    "MultiHeadAttention": [MetaLayer, HFLayer, NanoGPTLayer, FusedLayer],
}
