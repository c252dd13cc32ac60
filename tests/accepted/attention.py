"""Lab 04: right answers, written differently."""

import functools
import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

# 4.1 causal_mask


def mask_tril(n_queries: int, n_keys: int) -> Tensor:
    """A lower triangle with a shifted diagonal."""
    if n_queries > n_keys:
        raise ValueError("more queries than keys")
    return torch.tril(torch.ones(n_queries, n_keys, dtype=torch.bool), diagonal=n_keys - n_queries)


def mask_last_rows(n_queries: int, n_keys: int) -> Tensor:
    """The last T rows of the square."""
    if not n_queries <= n_keys:
        raise ValueError(f"{n_queries} > {n_keys}")
    return torch.ones(n_keys, n_keys).tril().bool()[n_keys - n_queries :]


def mask_not_triu(n_queries: int, n_keys: int) -> Tensor:
    """Meta's triu of what is hidden, with the past stacked in front, then inverted."""
    if n_keys - n_queries < 0:
        raise ValueError("the first queries would see nothing")
    hidden = torch.full((n_queries, n_queries), 1.0).triu(diagonal=1)
    past = torch.zeros(n_queries, n_keys - n_queries)
    return torch.hstack([past, hidden]) == 0


def mask_loops(n_queries: int, n_keys: int) -> Tensor:
    """Two Python loops."""
    if n_queries > n_keys:
        raise ValueError
    mask = torch.zeros((n_queries, n_keys), dtype=torch.bool)
    for i in range(n_queries):
        for j in range(n_keys - n_queries + i + 1):
            mask[i, j] = True
    return mask


def mask_cumulative(n_queries: int, n_keys: int) -> Tensor:
    """Index tricks: a running sum of an identity, counted from the other side."""
    if n_queries > n_keys:
        raise ValueError("T > S")
    return torch.eye(n_keys).flip(1).cumsum(1).flip(1)[-n_queries:] > 0.5


# 4.2 attention_weights


@functools.lru_cache
def mask_remembered(n_queries: int, n_keys: int) -> Tensor:
    """Make each size once, and hand out the same tensor again."""
    return mask_tril(n_queries, n_keys)


def weights_meta(q: Tensor, k: Tensor, mask: Tensor | None = None) -> Tensor:
    """Meta's llama3 model.py: an additive mask, softmax in float32."""
    scores = torch.matmul(q, k.transpose(-2, -1)) / math.sqrt(q.shape[-1])
    if mask is not None:
        bias = torch.zeros(mask.shape, device=q.device).masked_fill(~mask, float("-inf"))
        scores = scores + bias
    return F.softmax(scores.float(), dim=-1).type_as(q)


def weights_huggingface(q: Tensor, k: Tensor, mask: Tensor | None = None) -> Tensor:
    """Hugging Face's eager attention: the dtype's lowest number, softmax(dtype=float32)."""
    scores = torch.matmul(q, k.mT) * q.size(-1) ** -0.5
    if mask is not None:
        lowest = torch.finfo(q.dtype).min
        scores = scores + torch.where(mask, torch.zeros_like(scores), lowest)
    return nn.functional.softmax(scores, dim=-1, dtype=torch.float32).to(q.dtype)


def weights_einsum(q: Tensor, k: Tensor, mask: Tensor | None = None) -> Tensor:
    """Einsum, the scale on the queries, torch.where."""
    scores = torch.einsum("...td,...sd->...ts", q.float() / math.sqrt(q.shape[-1]), k.float())
    if mask is not None:
        scores = torch.where(mask, scores, torch.tensor(-torch.inf))
    return scores.softmax(-1).to(q.dtype)


def weights_by_hand(q: Tensor, k: Tensor, mask: Tensor | None = None) -> Tensor:
    """Softmax written out, with each row's maximum."""
    scores = q.float() @ k.float().transpose(-1, -2) * (1 / q.shape[-1] ** 0.5)
    if mask is not None:
        scores = scores.masked_fill(mask.logical_not(), -1e9)
    parts = torch.exp(scores - scores.max(dim=-1, keepdim=True)[0])
    return (parts / parts.sum(dim=-1, keepdim=True)).to(q.dtype)


def weights_logsumexp(q: Tensor, k: Tensor, mask: Tensor | None = None) -> Tensor:
    """exp(score - logsumexp), in float64, the mask through its logarithm."""
    scores = (q.double()[..., :, None, :] * k.double()[..., None, :, :]).sum(-1)
    scores = scores / q.shape[-1] ** 0.5
    if mask is not None:
        scores = scores + mask.double().log()
    return (scores - scores.logsumexp(-1, keepdim=True)).exp().to(q.dtype)


def weights_builtin(q: Tensor, k: Tensor, mask: Tensor | None = None) -> Tensor:
    """Torch's own attention, with the identity for values: what comes back are the weights."""
    identity = torch.eye(k.shape[-2], dtype=q.dtype, device=q.device)
    identity = identity.expand(*k.shape[:-1], k.shape[-2])
    return F.scaled_dot_product_attention(q, k, identity, attn_mask=mask)


# 4.3 attention


def attention_builtin(q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None = None) -> Tensor:
    """Torch's own scaled_dot_product_attention."""
    return F.scaled_dot_product_attention(q, k, v, attn_mask=mask)


def attention_meta(q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None = None) -> Tensor:
    """Meta's way: weights, then matmul."""
    return torch.matmul(weights_meta(q, k, mask), v)


def attention_huggingface(q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None = None) -> Tensor:
    """Hugging Face's eager way."""
    return torch.matmul(weights_huggingface(q, k, mask), v)


def attention_online(q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None = None) -> Tensor:
    """One key after the other with a running maximum and sum, as FlashAttention does it."""
    query, scale = q.float(), q.shape[-1] ** -0.5
    highest = torch.full_like(query[..., :1], -1e30)
    total, out = torch.zeros_like(highest), torch.zeros_like(query)
    for s in range(k.shape[-2]):
        score = (query * k[..., s : s + 1, :].float()).sum(-1, keepdim=True) * scale  # (..., T, 1)
        if mask is not None:
            score = score.masked_fill(~mask[..., s : s + 1], -torch.inf)
        new = torch.maximum(highest, score)
        part, shrink = (score - new).exp(), (highest - new).exp()
        total = total * shrink + part
        out = out * shrink + part * v[..., s : s + 1, :].float()
        highest = new
    return (out / total).to(q.dtype)


def attention_einsum(q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None = None) -> Tensor:
    """Einsum throughout, in float32."""
    weights = weights_einsum(q.float(), k.float(), mask)
    return torch.einsum("...ts,...sd->...td", weights, v.float()).to(v.dtype)


def attention_late_division(q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None = None) -> Tensor:
    """The division by the row's sum after the values are added up."""
    scores = q.float() @ k.float().mT / math.sqrt(k.shape[-1])
    if mask is not None:
        scores = scores.masked_fill(~mask, torch.finfo(torch.float32).min)
    parts = (scores - scores.amax(-1, keepdim=True)).exp()
    return (parts @ v.float() / parts.sum(-1, keepdim=True)).to(q.dtype)


# 4.4 split_heads and 4.5 merge_heads


def attention_rows(q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None = None) -> Tensor:
    """One query after the other."""
    rows = []
    for t in range(q.shape[-2]):
        seen = mask if mask is None or mask.shape[-2] == 1 else mask[..., t : t + 1, :]
        rows.append(weights_by_hand(q[..., t : t + 1, :], k, seen) @ v)
    return torch.cat(rows, dim=-2)


def split_unflatten(x: Tensor, n_heads: int) -> Tensor:
    """Unflatten and movedim."""
    return x.unflatten(-1, (n_heads, -1)).movedim(2, 1)


def split_chunks(x: Tensor, n_heads: int) -> Tensor:
    """Chunks of features, stacked."""
    return torch.stack(x.chunk(n_heads, dim=-1), dim=1)


def split_transposed(x: Tensor, n_heads: int) -> Tensor:
    """The other way round: features first, cut them, and back."""
    B, T, D = x.shape
    return x.transpose(1, 2).reshape(B, n_heads, D // n_heads, T).transpose(2, 3)


def split_permute(x: Tensor, n_heads: int) -> Tensor:
    """View, permute and a copy, as in nanoGPT's fused form."""
    B, T, _ = x.size()
    return x.view(B, T, n_heads, -1).permute(0, 2, 1, 3).contiguous()


def split_gather(x: Tensor, n_heads: int) -> Tensor:
    """Index tricks."""
    d = x.shape[-1] // n_heads
    features = torch.arange(n_heads)[:, None] * d + torch.arange(d)  # (H, d)
    return x[:, :, features].swapaxes(1, 2)


def merge_flatten(x: Tensor) -> Tensor:
    """Transpose and flatten."""
    return x.transpose(1, 2).flatten(2)


def merge_contiguous(x: Tensor) -> Tensor:
    """nanoGPT's contiguous().view()."""
    B, H, T, d = x.size()
    return x.transpose(1, 2).contiguous().view(B, T, H * d)


def merge_cat(x: Tensor) -> Tensor:
    """Heads unbound and concatenated."""
    return torch.cat(x.unbind(dim=1), dim=-1)


def merge_einsum(x: Tensor) -> Tensor:
    """Einsum as a permutation."""
    return torch.einsum("bhtd->bthd", x).reshape(x.shape[0], x.shape[2], -1)


def merge_positions(x: Tensor) -> Tensor:
    """A loop over positions."""
    return torch.stack([x[:, :, t].reshape(len(x), -1) for t in range(x.shape[2])], dim=1)


# 4.6 MultiHeadAttention


def rotate_stack(x: Tensor, angles: Tensor) -> Tensor:
    """RoPE by stacking pairs."""
    cos, sin = angles.cos(), angles.sin()
    a, b = x[..., ::2].float(), x[..., 1::2].float()
    return torch.stack((a * cos - b * sin, a * sin + b * cos), -1).flatten(-2).type_as(x)


def rotate_complex(x: Tensor, angles: Tensor) -> Tensor:
    """RoPE as Meta writes it, by complex numbers."""
    pairs = torch.view_as_complex(x.float().unflatten(-1, (-1, 2)).contiguous())
    turned = pairs * torch.polar(torch.ones_like(angles), angles)
    return torch.view_as_real(turned).flatten(-2).type_as(x)


class FourLinears(nn.Module):
    """Four linear maps, so named by Meta."""

    def __init__(self, dim: int, n_heads: int) -> None:
        super().__init__()
        self.n_heads, self.head_dim = n_heads, dim // n_heads
        self.wq = nn.Linear(dim, dim, bias=False)
        self.wk = nn.Linear(dim, dim, bias=False)
        self.wv = nn.Linear(dim, dim, bias=False)
        self.wo = nn.Linear(dim, dim, bias=False)


class ModuleMeta(FourLinears):
    """Meta's llama3 model.py: RoPE on (B, T, H, d), an additive mask made by full and triu."""

    def forward(self, x: Tensor, angles: Tensor) -> Tensor:
        bsz, seqlen, _ = x.shape
        xq, xk, xv = self.wq(x), self.wk(x), self.wv(x)
        xq = xq.view(bsz, seqlen, self.n_heads, self.head_dim)
        xk = xk.view(bsz, seqlen, self.n_heads, self.head_dim)
        xv = xv.view(bsz, seqlen, self.n_heads, self.head_dim)
        xq = rotate_complex(xq, angles[:, None, :])
        xk = rotate_complex(xk, angles[:, None, :])
        xq, xk, xv = (y.transpose(1, 2) for y in (xq, xk, xv))
        scores = torch.matmul(xq, xk.transpose(2, 3)) / math.sqrt(self.head_dim)
        mask = torch.full((seqlen, seqlen), float("-inf"), device=x.device)
        scores = scores + torch.triu(mask, diagonal=1).type_as(xq)
        scores = F.softmax(scores.float(), dim=-1).type_as(xq)
        output = torch.matmul(scores, xv).transpose(1, 2).contiguous().view(bsz, seqlen, -1)
        return self.wo(output)


class ModuleBuiltin(FourLinears):
    """scaled_dot_product_attention(is_causal=True): right here, since T is S."""

    def forward(self, x: Tensor, angles: Tensor) -> Tensor:
        q, k, v = (
            w(x).unflatten(-1, (self.n_heads, -1)).transpose(1, 2)
            for w in (self.wq, self.wk, self.wv)
        )
        q, k = rotate_stack(q, angles), rotate_stack(k, angles)
        out = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        return self.wo(out.transpose(1, 2).flatten(2))


class ModuleHeadLoop(FourLinears):
    """One head after the other, by slices of the weights; the outputs are summed through wo."""

    def forward(self, x: Tensor, angles: Tensor) -> Tensor:
        d, total = self.head_dim, 0
        for head in range(self.n_heads):
            rows = slice(head * d, (head + 1) * d)
            q = rotate_stack(x @ self.wq.weight[rows].T, angles)
            k = rotate_stack(x @ self.wk.weight[rows].T, angles)
            scores = (q @ k.mT).float() / math.sqrt(d)
            hidden = torch.ones_like(scores, dtype=torch.bool).triu(1)
            weights = scores.masked_fill(hidden, -torch.inf).softmax(-1).to(x.dtype)
            total = total + weights @ (x @ self.wv.weight[rows].T) @ self.wo.weight[:, rows].T
        return total


class ModuleEinsum(FourLinears):
    """Einsum; rotates before splitting, with the angles repeated once for each head."""

    def forward(self, x: Tensor, angles: Tensor) -> Tensor:
        wide = angles.repeat(1, self.n_heads)
        q, k = rotate_stack(self.wq(x), wide), rotate_stack(self.wk(x), wide)
        q, k, v = (y.unflatten(2, (self.n_heads, self.head_dim)) for y in (q, k, self.wv(x)))
        scores = torch.einsum("bthd,bshd->bhts", q.float(), k.float()) * self.head_dim**-0.5
        position = torch.arange(x.shape[1], device=x.device)
        scores = torch.where(position[:, None] >= position, scores, -torch.inf)
        out = torch.einsum("bhts,bshd->bthd", scores.softmax(-1).to(v.dtype), v)
        return self.wo(out.flatten(2))


class ModuleBuffer(FourLinears):
    """A long mask kept as a buffer that is not saved, cut to size in forward."""

    def __init__(self, dim: int, n_heads: int) -> None:
        super().__init__(dim, n_heads)
        mask = torch.ones(64, 64, dtype=torch.bool).tril()
        self.register_buffer("mask", mask, persistent=False)

    def forward(self, x: Tensor, angles: Tensor) -> Tensor:
        length = x.shape[1]
        q, k, v = (split_chunks(w(x), self.n_heads) for w in (self.wq, self.wk, self.wv))
        q, k = rotate_complex(q, angles), rotate_complex(k, angles)
        weights = weights_by_hand(q, k, self.mask[:length, :length])
        return self.wo(merge_cat(weights @ v))


ACCEPTED = {
    "causal_mask": [
        mask_tril,
        mask_last_rows,
        mask_not_triu,
        mask_loops,
        mask_cumulative,
        mask_remembered,
    ],
    "attention_weights": [
        weights_meta,
        weights_huggingface,
        weights_einsum,
        weights_by_hand,
        weights_logsumexp,
        weights_builtin,
    ],
    "attention": [
        attention_builtin,
        attention_meta,
        attention_huggingface,
        attention_online,
        attention_einsum,
        attention_late_division,
        attention_rows,
    ],
    "split_heads": [split_unflatten, split_chunks, split_transposed, split_permute, split_gather],
    "merge_heads": [merge_flatten, merge_contiguous, merge_cat, merge_einsum, merge_positions],
    "MultiHeadAttention": [ModuleMeta, ModuleBuiltin, ModuleHeadLoop, ModuleEinsum, ModuleBuffer],
}

# What the browser test types into an exercise cell: exercise, source, key of the mistake.
TYPED = (
    "4.2",
    """def attention_weights(q, k, mask=None):
    scores = q.float() @ k.float().transpose(-2, -1) / math.sqrt(q.shape[-1])
    weights = torch.softmax(scores, dim=-1)
    if mask is not None:
        weights = weights * mask
    return weights.to(q.dtype)
""",
    "mask_after_softmax",
)
