"""Lab 06: right answers, written differently."""

import math
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

# 6.1


def repeat_meta(x: Tensor, n_rep: int) -> Tensor:
    """Meta's repeat_kv, in this course's layout: expand, then reshape."""
    B, K, S, d = x.shape
    if n_rep == 1:
        return x
    return x[:, :, None, :, :].expand(B, K, n_rep, S, d).reshape(B, K * n_rep, S, d)


def repeat_index(x: Tensor, n_rep: int) -> Tensor:
    """Head h takes kv head h // n_rep, by an index."""
    return x[:, torch.arange(x.shape[1] * n_rep) // n_rep]


def repeat_stack(x: Tensor, n_rep: int) -> Tensor:
    """A stack of n_rep equal tensors, flattened."""
    return torch.stack([x] * n_rep, dim=2).flatten(1, 2)


def repeat_tile(x: Tensor, n_rep: int) -> Tensor:
    """`repeat` along the positions, which a reshape then turns into heads."""
    B, K, S, d = x.shape
    return x.repeat(1, 1, n_rep, 1).reshape(B, K * n_rep, S, d)


def repeat_loop(x: Tensor, n_rep: int) -> Tensor:
    """A loop over heads, and torch.cat."""
    return torch.cat([x[:, h : h + 1] for h in range(x.shape[1]) for _ in range(n_rep)], dim=1)


def repeat_einsum(x: Tensor, n_rep: int) -> Tensor:
    """An outer product with ones."""
    ones = torch.ones(n_rep, dtype=x.dtype, device=x.device)
    return torch.einsum("bksd,n->bknsd", x, ones).flatten(1, 2)


# 6.2


def gqa_repeat(q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None = None) -> Tensor:
    """Hugging Face's eager way: repeat, scores, softmax in float32."""
    n_rep = q.shape[1] // k.shape[1]
    k, v = repeat_meta(k, n_rep), repeat_meta(v, n_rep)
    scores = torch.matmul(q.float(), k.float().transpose(2, 3)) / math.sqrt(q.shape[-1])
    if mask is not None:
        scores = scores.masked_fill(~mask, float("-inf"))
    return torch.matmul(F.softmax(scores, dim=-1, dtype=torch.float32).to(q.dtype), v)


def gqa_builtin(q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None = None) -> Tensor:
    """Torch's own, with enable_gqa."""
    return F.scaled_dot_product_attention(q, k, v, attn_mask=mask, enable_gqa=True)


def gqa_einsum(q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None = None) -> Tensor:
    """Einsum over (K, n_rep), nothing repeated."""
    B, H, T, d = q.shape
    K, S = k.shape[1], k.shape[2]
    grouped = q.view(B, K, H // K, T, d).float()
    scores = torch.einsum("bkntd,bksd->bknts", grouped, k.float()) * d**-0.5
    if mask is not None:
        allowed = mask.expand(B, H, T, S).reshape(B, K, H // K, T, S)
        scores = torch.where(allowed, scores, -torch.inf)
    weights = scores.softmax(-1)
    return torch.einsum("bknts,bksd->bkntd", weights, v.float()).flatten(1, 2).to(q.dtype)


def gqa_tall(q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None = None) -> Tensor:
    """The queries of a group as one tall matrix."""
    B, H, T, d = q.shape
    K, S = k.shape[1:3]
    scores = q.reshape(B, K, -1, d).float() @ k.float().mT / math.sqrt(d)
    if mask is not None:
        hidden = ~mask.expand(B, H, T, S).reshape(B, K, -1, S)
        scores = scores.masked_fill(hidden, -torch.inf)
    return (torch.softmax(scores, -1) @ v.float()).reshape(B, H, T, d).to(q.dtype)


def gqa_heads(q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None = None) -> Tensor:
    """One query head after the other, in float64, with logsumexp."""
    out = torch.empty_like(q)
    for h in range(q.shape[1]):
        g = h * k.shape[1] // q.shape[1]
        scores = q[:, h].double() @ k[:, g].double().transpose(1, 2) / q.shape[-1] ** 0.5
        if mask is not None:
            own = mask.expand(q.shape[0], q.shape[1], *scores.shape[1:])[:, h]
            scores = scores.masked_fill(~own, -torch.inf)
        weights = (scores - scores.logsumexp(-1, keepdim=True)).exp()
        out[:, h] = (weights @ v[:, g].double()).to(q.dtype)
    return out


def gqa_broadcast(q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None = None) -> Tensor:
    """unflatten, and one kv head broadcast over its group."""
    K = k.shape[1]
    groups = q.unflatten(1, (K, -1)).float()
    scores = groups @ k.float()[:, :, None].transpose(-1, -2) * groups.shape[-1] ** -0.5
    if mask is not None:
        full = mask.broadcast_to(q.shape[0], q.shape[1], *scores.shape[-2:])
        scores = scores + torch.zeros_like(scores).masked_fill(
            ~full.unflatten(1, (K, -1)), -torch.inf
        )
    return (scores.softmax(dim=-1) @ v.float()[:, :, None]).flatten(1, 2).type_as(q)


# 6.3


def rotate(x: Tensor, angles: Tensor) -> Tensor:
    """RoPE by complex numbers; (..., T, d), neighbours are pairs."""
    pairs = torch.view_as_complex(x.float().unflatten(-1, (-1, 2)).contiguous())
    turn = torch.polar(torch.ones_like(angles), angles)
    return torch.view_as_real(pairs * turn).flatten(-2).type_as(x)


def rotate_real(x: Tensor, angles: Tensor) -> Tensor:
    """RoPE by sines and cosines."""
    cos, sin = angles.cos().to(x.dtype), angles.sin().to(x.dtype)
    even, odd = x[..., ::2], x[..., 1::2]
    return torch.stack((even * cos - odd * sin, even * sin + odd * cos), -1).flatten(-2)


class _Layer(nn.Module):
    """The four maps."""

    def __init__(self, dim: int, n_heads: int, n_kv_heads: int) -> None:
        super().__init__()
        if n_heads % n_kv_heads:
            raise ValueError("n_heads has to be a multiple of n_kv_heads")
        self.n_heads, self.n_kv_heads, self.head_dim = n_heads, n_kv_heads, dim // n_heads
        self.wq = nn.Linear(dim, n_heads * self.head_dim, bias=False)
        self.wk = nn.Linear(dim, n_kv_heads * self.head_dim, bias=False)
        self.wv = nn.Linear(dim, n_kv_heads * self.head_dim, bias=False)
        self.wo = nn.Linear(n_heads * self.head_dim, dim, bias=False)


class LayerMeta(_Layer):
    """Meta's llama3: heads last but one until after RoPE, an additive mask when T > 1."""

    def forward(self, x: Tensor, angles: Tensor, cache: Any = None) -> Tensor:
        B, T, _ = x.shape
        xq, xk, xv = self.wq(x), self.wk(x), self.wv(x)
        xq = xq.view(B, T, self.n_heads, self.head_dim)
        xk = xk.view(B, T, self.n_kv_heads, self.head_dim)
        xv = xv.view(B, T, self.n_kv_heads, self.head_dim).transpose(1, 2)
        xq, xk = rotate(xq.transpose(1, 2), angles), rotate(xk.transpose(1, 2), angles)
        past = 0
        if cache is not None:
            past = cache.length
            xk, xv = cache.update(xk, xv)
        keys, values = (repeat_meta(y, self.n_heads // self.n_kv_heads) for y in (xk, xv))
        scores = torch.matmul(xq, keys.transpose(2, 3)) / math.sqrt(self.head_dim)
        if T > 1:
            mask = torch.full((T, T), float("-inf"), device=x.device)
            mask = torch.hstack([torch.zeros((T, past), device=x.device), torch.triu(mask, 1)])
            scores = scores + mask.type_as(xq)
        weights = F.softmax(scores.float(), dim=-1).type_as(xq)
        return self.wo(torch.matmul(weights, values).transpose(1, 2).contiguous().view(B, T, -1))


class LayerBuiltin(_Layer):
    """F.scaled_dot_product_attention with enable_gqa; no mask for a single token."""

    def forward(self, x: Tensor, angles: Tensor, cache: Any = None) -> Tensor:
        q = self.wq(x).unflatten(-1, (self.n_heads, -1)).transpose(1, 2)
        k = self.wk(x).unflatten(-1, (self.n_kv_heads, -1)).transpose(1, 2)
        v = self.wv(x).unflatten(-1, (self.n_kv_heads, -1)).transpose(1, 2)
        q, k = rotate_real(q, angles), rotate_real(k, angles)
        if cache is not None:
            k, v = cache.update(k, v)
        T, S = q.shape[2], k.shape[2]
        mask = None
        if T > 1:
            mask = torch.ones(T, S, dtype=torch.bool, device=x.device).tril(S - T)
        out = F.scaled_dot_product_attention(q, k, v, attn_mask=mask, enable_gqa=True)
        return self.wo(out.transpose(1, 2).flatten(2))


class LayerWritesItself(_Layer):
    """Writes into the cache's buffers by itself, and attends by einsum."""

    def forward(self, x: Tensor, angles: Tensor, cache: Any = None) -> Tensor:
        B, T, _ = x.shape
        q = rotate_real(self.wq(x).reshape(B, T, -1, self.head_dim).transpose(1, 2), angles)
        k = rotate_real(self.wk(x).reshape(B, T, -1, self.head_dim).transpose(1, 2), angles)
        v = self.wv(x).reshape(B, T, -1, self.head_dim).transpose(1, 2)
        start = 0
        if cache is not None:
            start, end = cache.length, cache.length + T
            cache.keys[:, :, start:end], cache.values[:, :, start:end] = k, v
            cache.length = end
            k, v = cache.keys[:, :, :end], cache.values[:, :, :end]
        position = torch.arange(start, start + T, device=x.device)
        mask = torch.arange(k.shape[2], device=x.device) <= position[:, None]
        out = gqa_einsum(q, k, v, mask)
        return self.wo(out.permute(0, 2, 1, 3).reshape(B, T, -1))


class LayerTall(_Layer):
    """The queries of a group as one tall matrix; each map is called once a head."""

    def forward(self, x: Tensor, angles: Tensor, cache: Any = None) -> Tensor:
        def heads(linear: nn.Linear, count: int) -> Tensor:
            return torch.stack([F.linear(x, w) for w in linear.weight.chunk(count)], dim=1)

        q = rotate(heads(self.wq, self.n_heads), angles)
        k, v = rotate(heads(self.wk, self.n_kv_heads), angles), heads(self.wv, self.n_kv_heads)
        if cache is not None:
            k, v = cache.update(k, v)
        mask = torch.ones(q.shape[2], k.shape[2], dtype=torch.bool, device=x.device)
        out = gqa_tall(q, k, v, mask.tril(k.shape[2] - q.shape[2]))
        return self.wo(torch.cat(out.unbind(1), dim=-1))


# 6.4


def pool_view(weight: Tensor, n_heads: int, n_kv_heads: int) -> Tensor:
    """A view in three dimensions, in float32."""
    group = n_heads // n_kv_heads
    heads = weight.float().view(n_kv_heads, group, weight.shape[0] // n_heads * weight.shape[1])
    return heads.mean(1).view(-1, weight.shape[1]).to(weight.dtype)


def pool_sums(weight: Tensor, n_heads: int, n_kv_heads: int) -> Tensor:
    """A loop over groups: the sum of the heads by their number."""
    heads = weight.chunk(n_heads)
    group = n_heads // n_kv_heads
    return torch.cat([sum(heads[i : i + group]) / group for i in range(0, n_heads, group)])


def pool_matrix(weight: Tensor, n_heads: int, n_kv_heads: int) -> Tensor:
    """A product with a block matrix."""
    group = n_heads // n_kv_heads
    head_dim = weight.shape[0] // n_heads
    eye = torch.eye(n_kv_heads, dtype=weight.dtype, device=weight.device)
    mix = eye.repeat_interleave(group, 1) / group  # (K, H)
    return torch.einsum("kh,hid->kid", mix, weight.unflatten(0, (n_heads, head_dim))).flatten(0, 1)


def pool_average(weight: Tensor, n_heads: int, n_kv_heads: int) -> Tensor:
    """F.avg_pool1d over the heads."""
    heads = weight.reshape(n_heads, -1).T.float()  # (d · D, H)
    return (
        F.avg_pool1d(heads, n_heads // n_kv_heads).T.reshape(-1, weight.shape[1]).to(weight.dtype)
    )


# 6.5


def intensity_short(n_heads: int, n_kv_heads: int, head_dim: int, seq_len: int) -> float:
    """What is left of it."""
    return n_heads / n_kv_heads


def intensity_group(n_heads: int, n_kv_heads: int, head_dim: int, seq_len: int) -> int:
    """The size of a group, a whole number."""
    return n_heads // n_kv_heads


def intensity_parts(n_heads: int, n_kv_heads: int, head_dim: int, seq_len: int) -> float:
    """Scores and averages apart."""
    scores = seq_len * n_heads * (2 * head_dim)
    averages = n_heads * head_dim * (2 * seq_len)
    numbers = 2 * n_kv_heads * head_dim * seq_len
    return (scores + averages) / (2.0 * numbers)


ACCEPTED = {
    "repeat_kv": [
        repeat_meta,
        repeat_index,
        repeat_stack,
        repeat_tile,
        repeat_loop,
        repeat_einsum,
    ],
    "grouped_query_attention": [
        gqa_repeat,
        gqa_builtin,
        gqa_einsum,
        gqa_tall,
        gqa_heads,
        gqa_broadcast,
    ],
    "GroupedQueryAttention": [LayerMeta, LayerBuiltin, LayerWritesItself, LayerTall],
    "mean_pool_heads": [pool_view, pool_sums, pool_matrix, pool_average],
    "decode_intensity": [intensity_short, intensity_group, intensity_parts],
}

# What the browser test types into an exercise cell: exercise, source, key of the mistake.
TYPED = (
    "6.1",
    """def repeat_kv(x, n_rep):
    return x.repeat(1, n_rep, 1, 1)
""",
    "tiled",
)
