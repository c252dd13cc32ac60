"""Lab 05: right answers, written differently."""

import functools
import math
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

# KVCache


@dataclass
class SliceCache:
    """Slices: Meta's way, with the heads before the positions."""

    keys: Tensor
    values: Tensor
    length: int

    @classmethod
    def empty(
        cls, batch, n_kv_heads, max_len, head_dim, dtype=torch.float32, device=None
    ) -> "SliceCache":
        shape = (batch, n_kv_heads, max_len, head_dim)
        zeros = functools.partial(torch.zeros, shape, dtype=dtype, device=device)
        return cls(zeros(), zeros(), 0)

    def update(self, k: Tensor, v: Tensor) -> tuple[Tensor, Tensor]:
        end = self.length + k.shape[2]
        if end > self.keys.shape[2]:
            raise ValueError(f"no room for {k.shape[2]} more positions")
        self.keys[:, :, self.length : end] = k
        self.values[:, :, self.length : end] = v
        self.length = end
        return self.keys[:, :, :end], self.values[:, :, :end]


@dataclass
class IndexCopyCache:
    """index_copy_ at the cache positions: Hugging Face's StaticCache. Memory not initialised."""

    keys: Tensor
    values: Tensor
    length: int = 0

    @staticmethod
    def empty(batch, n_kv_heads, max_len, head_dim, dtype=torch.float32, device=None):
        keys = torch.empty(batch, n_kv_heads, max_len, head_dim, dtype=dtype, device=device)
        return IndexCopyCache(keys, torch.empty_like(keys))

    def update(self, k: Tensor, v: Tensor) -> tuple[Tensor, Tensor]:
        n_new = k.size(-2)
        if n_new > self.keys.size(-2) - self.length:
            raise ValueError("full")
        position = torch.arange(self.length, self.length + n_new, device=self.keys.device)
        self.keys.index_copy_(2, position, k.to(self.keys.dtype))
        self.values.index_copy_(2, position, v.to(self.values.dtype))
        self.length += n_new
        return self.keys.narrow(2, 0, self.length), self.values.narrow(2, 0, self.length)


@dataclass
class FunctionalCache:
    """New buffers at every update, as one does it in JAX; nothing is written in place."""

    keys: Tensor
    values: Tensor
    length: int

    @classmethod
    def empty(cls, *sizes: int, dtype=torch.float32, device=None, **named: int):
        order = ("batch", "n_kv_heads", "max_len", "head_dim")
        sizes = (*sizes, *(named[name] for name in order[len(sizes) :]))
        return cls(
            torch.full(sizes, torch.nan, dtype=dtype, device=device),
            torch.full(sizes, torch.nan, dtype=dtype, device=device),
            0,
        )

    def update(self, k: Tensor, v: Tensor) -> tuple[Tensor, Tensor]:
        n, end, room = self.length, self.length + k.shape[2], self.keys.shape[2]
        if end > room:
            raise ValueError(f"{end} positions do not fit into {room}")

        def put(buffer: Tensor, new: Tensor) -> Tensor:
            return torch.cat([buffer[:, :, :n], new.to(buffer.dtype), buffer[:, :, end:]], dim=2)

        self.keys, self.values, self.length = put(self.keys, k), put(self.values, v), end
        return self.keys[:, :, :end].clone(), self.values[:, :, :end].clone()


class OneBlockCache:
    """Keys and values are two halves of one block of memory; a class without @dataclass."""

    def __init__(self, keys: Tensor, values: Tensor, length: int = 0) -> None:
        self.keys, self.values, self.length = keys, values, length

    @classmethod
    def empty(cls, batch, n_kv_heads, max_len, head_dim, dtype=torch.float32, device=None):
        block = torch.zeros(2, batch, n_kv_heads, max_len, head_dim, dtype=dtype, device=device)
        return cls(*block.unbind(0))

    def update(self, k: Tensor, v: Tensor) -> list[Tensor]:
        start, self_end = self.length, self.keys.shape[-2]
        if start + k.shape[-2] > self_end:
            raise ValueError("the cache is full")
        for buffer, new in ((self.keys, k), (self.values, v)):
            buffer.narrow(-2, start, new.shape[-2]).copy_(new)
        self.length = start + k.shape[-2]
        return [buffer[..., : self.length, :] for buffer in (self.keys, self.values)]


@dataclass
class LoopCache:
    """One position after the other; looks at the room first; returns detached copies."""

    keys: Tensor
    values: Tensor
    length: int

    @classmethod
    def empty(
        cls,
        batch: int,
        n_kv_heads: int,
        max_len: int,
        head_dim: int,
        dtype: Any = torch.float32,
        device: Any = None,
    ) -> "LoopCache":
        keys = torch.zeros((batch, n_kv_heads, max_len, head_dim), dtype=dtype).to(device)
        return cls(keys, keys.clone(), 0)

    @property
    def max_len(self) -> int:
        return self.keys.shape[2]

    def update(self, k: Tensor, v: Tensor) -> tuple[Tensor, Tensor]:
        if self.max_len - self.length < k.shape[2]:
            raise ValueError("full")
        for one_k, one_v in zip(k.detach().unbind(2), v.detach().unbind(2), strict=True):
            self.keys[:, :, self.length] = one_k
            self.values[:, :, self.length] = one_v
            self.length += 1
        return (
            torch.stack([self.keys[:, :, i] for i in range(self.length)], dim=2),
            torch.stack([self.values[:, :, i] for i in range(self.length)], dim=2),
        )


# CachedAttention


class Layer(nn.Module):
    """The weights, for the ways below."""

    def __init__(self, dim: int, n_heads: int) -> None:
        super().__init__()
        self.n_heads, self.head_dim = n_heads, dim // n_heads
        self.wq = nn.Linear(dim, dim, bias=False)
        self.wk = nn.Linear(dim, dim, bias=False)
        self.wv = nn.Linear(dim, dim, bias=False)
        self.wo = nn.Linear(dim, dim, bias=False)

    def heads(self, x: Tensor) -> Tensor:
        return x.unflatten(-1, (self.n_heads, self.head_dim)).transpose(1, 2)


def turned(x: Tensor, angles: Tensor) -> Tensor:
    cos, sin = angles.cos(), angles.sin()
    even, odd = x[..., 0::2].float(), x[..., 1::2].float()
    both = torch.stack([even * cos - odd * sin, even * sin + odd * cos], dim=-1)
    return both.flatten(-2).type_as(x)


class BuiltIn(Layer):
    """torch's F.scaled_dot_product_attention with a T × S mask."""

    def forward(self, x: Tensor, angles: Tensor, cache: Any = None) -> Tensor:
        q, k, v = self.heads(self.wq(x)), self.heads(self.wk(x)), self.heads(self.wv(x))
        q, k = turned(q, angles), turned(k, angles)
        if cache is not None:
            k, v = cache.update(k, v)
        T, S = q.shape[2], k.shape[2]
        mask = torch.ones(T, S, dtype=torch.bool, device=x.device).tril(S - T)
        out = F.scaled_dot_product_attention(q, k, v, attn_mask=mask)
        return self.wo(out.transpose(1, 2).flatten(2))


class BuiltInCausal(Layer):
    """is_causal where nothing is cached, no mask for one token, an additive mask otherwise."""

    def forward(self, x: Tensor, angles: Tensor, cache: Any = None) -> Tensor:
        q, k, v = (self.heads(w(x)) for w in (self.wq, self.wk, self.wv))
        q, k = turned(q, angles), turned(k, angles)
        start = 0 if cache is None else cache.length
        if cache is not None:
            k, v = cache.update(k, v)
        T, mask = x.shape[1], None
        if start and T > 1:
            future = torch.full((T, T), -torch.inf, dtype=x.dtype, device=x.device).triu(1)
            past = torch.zeros(T, start, dtype=x.dtype, device=x.device)
            mask = torch.cat([past, future], dim=1)
        out = F.scaled_dot_product_attention(q, k, v, mask, is_causal=start == 0)
        return self.wo(out.transpose(1, 2).reshape(x.shape))


class Meta(Layer):
    """Meta's llama3 model.py: complex rotation, heads after positions, softmax in float32."""

    def forward(self, x: Tensor, angles: Tensor, cache: Any = None) -> Tensor:
        bsz, seqlen, _ = x.shape
        xq, xk, xv = self.wq(x), self.wk(x), self.wv(x)
        xq = xq.view(bsz, seqlen, self.n_heads, self.head_dim)
        xk = xk.view(bsz, seqlen, self.n_heads, self.head_dim)
        xv = xv.view(bsz, seqlen, self.n_heads, self.head_dim).transpose(1, 2)
        cis = torch.polar(torch.ones_like(angles), angles)[None, :, None]  # (1, T, 1, d/2)
        xq, xk = (
            torch.view_as_real(torch.view_as_complex(y.float().unflatten(-1, (-1, 2))) * cis)
            .flatten(3)
            .type_as(y)
            .transpose(1, 2)
            for y in (xq, xk)
        )
        keys, values = (xk, xv) if cache is None else cache.update(xk, xv)
        scores = torch.matmul(xq, keys.transpose(2, 3)) / math.sqrt(self.head_dim)
        if seqlen > 1:
            mask = torch.full((seqlen, seqlen), float("-inf"), device=x.device)
            mask = torch.triu(mask, diagonal=1)
            past = torch.zeros((seqlen, keys.shape[2] - seqlen), device=x.device)
            scores = scores + torch.hstack([past, mask])
        scores = F.softmax(scores.float(), dim=-1).type_as(xq)
        output = torch.matmul(scores, values)
        return self.wo(output.transpose(1, 2).contiguous().view(bsz, seqlen, -1))


class Einsum(Layer):
    """einsum throughout; the mask from positions, which come from the cache's length."""

    def forward(self, x: Tensor, angles: Tensor, cache: Any = None) -> Tensor:
        start = cache.length if cache is not None else 0
        shape = (*x.shape[:2], self.n_heads, self.head_dim)
        q, k, v = (w(x).reshape(shape) for w in (self.wq, self.wk, self.wv))
        q, k = (turned(y.transpose(1, 2), angles) for y in (q, k))
        v = v.transpose(1, 2)
        if cache is not None:
            k, v = cache.update(k, v)
        scores = torch.einsum("bhtd,bhsd->bhts", q.float(), k.float()) * self.head_dim**-0.5
        query = torch.arange(start, start + x.shape[1], device=x.device)
        key = torch.arange(k.shape[2], device=x.device)
        scores = torch.where(key <= query[:, None], scores, -torch.inf)
        out = torch.einsum("bhts,bhsd->bthd", scores.softmax(-1), v.float())
        return self.wo(out.flatten(2).to(x.dtype))


class GPTJ(Layer):
    """Rotates as GPT-J does, x·cos + rotate_every_two(x)·sin; masks with the smallest number."""

    def forward(self, x: Tensor, angles: Tensor, cache: Any = None) -> Tensor:
        q, k, v = (self.heads(w(x)) for w in (self.wq, self.wk, self.wv))
        sin, cos = (
            f(angles).repeat_interleave(2, dim=-1).to(x.dtype) for f in (torch.sin, torch.cos)
        )
        q, k = (
            y * cos + torch.stack((-y[..., 1::2], y[..., ::2]), dim=-1).flatten(-2) * sin
            for y in (q, k)
        )
        if cache is not None:
            k, v = cache.update(k, v)
        scores = (q @ k.mT).float() / self.head_dim**0.5
        allowed = torch.ones_like(scores, dtype=torch.bool).tril(k.shape[2] - q.shape[2])
        scores = scores.masked_fill(allowed.logical_not(), torch.finfo(scores.dtype).min)
        return self.wo((scores.softmax(-1).to(v.dtype) @ v).transpose(1, 2).reshape(x.shape))


class WritesItself(Layer):
    """Writes into the cache's buffers and moves its length, without calling update."""

    def forward(self, x: Tensor, angles: Tensor, cache: Any = None) -> Tensor:
        q, k, v = (self.heads(w(x)) for w in (self.wq, self.wk, self.wv))
        q, k = turned(q, angles), turned(k, angles)
        if cache is not None:
            end = cache.length + x.shape[1]
            cache.keys[:, :, cache.length : end] = k
            cache.values[:, :, cache.length : end] = v
            cache.length = end
            k, v = cache.keys[:, :, :end], cache.values[:, :, :end]
        scores = (q.float() @ k.float().transpose(2, 3)) / math.sqrt(q.size(-1))
        T, S = scores.shape[2:]
        hidden = torch.ones(T, S, dtype=torch.bool, device=x.device).triu(S - T + 1)
        weights = torch.softmax(scores.masked_fill(hidden, float("-inf")), dim=-1)
        return self.wo(torch.matmul(weights, v.float()).transpose(1, 2).flatten(2).to(x.dtype))


class TokenByToken(Layer):
    """A loop over tokens and heads: what a chunk means, written out. No mask at all."""

    def forward(self, x: Tensor, angles: Tensor, cache: Any = None) -> Tensor:
        d, rows, keys, values = self.head_dim, [], [], []
        for t in range(x.shape[1]):
            q, k, v = (self.heads(w(x[:, t : t + 1])) for w in (self.wq, self.wk, self.wv))
            q, k = turned(q, angles[t : t + 1]), turned(k, angles[t : t + 1])
            keys, values = [*keys, k], [*values, v]
            if cache is None:
                all_keys, all_values = torch.cat(keys, dim=2), torch.cat(values, dim=2)
            else:
                all_keys, all_values = cache.update(k, v)
            heads = []
            for h in range(self.n_heads):
                scores = (all_keys[:, h] * q[:, h]).float().sum(-1) / math.sqrt(d)  # (B, S)
                weights = scores.softmax(-1).to(x.dtype)
                heads.append((weights[..., None] * all_values[:, h]).sum(1))
            rows.append(torch.cat(heads, dim=-1))
        return self.wo(torch.stack(rows, dim=1))


# Generation


def greedy_cat(step, ids, n_new):
    """torch.cat, one token after the other."""
    for _ in range(n_new):
        ids = torch.cat([ids, step(ids)[:, -1].argmax(-1, keepdim=True)], dim=1)
    return ids


def greedy_list(step, ids, n_new):
    """A plain list of tokens."""
    tokens = ids[0].tolist()
    while len(tokens) < ids.shape[1] + n_new:
        logits = step(torch.tensor([tokens], device=ids.device))
        tokens.append(int(logits[0, -1].max(dim=0).indices))
    return torch.tensor([tokens], device=ids.device)


def greedy_room(step, ids, n_new):
    """Room for all tokens at once; the likeliest by probability."""
    n = ids.shape[1]
    out = torch.zeros(1, n + n_new, dtype=ids.dtype, device=ids.device)
    out[:, :n] = ids
    with torch.no_grad():
        for i in range(n, n + n_new):
            out[0, i] = torch.softmax(step(out[:, :i])[0, -1], dim=0).argmax()
    return out


def greedy_recursive(step, ids, n_new):
    """By recursion, with a stable sort."""
    if n_new == 0:
        return ids
    best = step(ids)[:, -1].sort(dim=-1, descending=True, stable=True).indices[:, :1]
    return greedy_recursive(step, torch.hstack((ids, best)), n_new - 1)


def cached_new(step, ids, n_new):
    """Two tensors: everything, and what step has not seen."""
    new = ids
    for _ in range(n_new):
        new = step(new)[:, -1:].argmax(-1)
        ids = torch.cat([ids, new], dim=1)
    return ids


def cached_prefill(step, ids, n_new):
    """Prefill and decode as two parts."""
    if n_new < 1:
        return ids.clone()
    parts = [ids, step(ids)[:, -1].argmax(dim=-1)[None]]
    for _ in range(n_new - 1):
        parts.append(step(parts[-1])[:, 0].argmax(dim=-1, keepdim=True))
    return torch.cat(parts, dim=-1)


def cached_seen(step, ids, n_new):
    """Counts how many tokens step has seen, and slices."""
    seen = 0
    for _ in range(n_new):
        logits = step(ids[:, seen:])
        seen = ids.shape[1]
        ids = torch.cat((ids, logits.argmax(-1)[:, -1:]), dim=1)
    return ids


def cached_generator(step, ids, n_new):
    """A generator that yields tokens, collected in a list."""

    def tokens():
        x = ids
        for _ in range(n_new):
            token = step(x)[0, -1].argmax().item()
            yield token
            x = torch.tensor([[token]], device=ids.device)

    return torch.tensor([[*ids[0].tolist(), *tokens()]], device=ids.device)


# Counting


def scores_loop(n_prompt: int, n_new: int, cached: bool) -> int:
    """A loop over the calls."""
    total, seen = 0, 0
    for i in range(n_new):
        n_keys = n_prompt + i
        total += (n_keys - seen) * n_keys
        seen = n_keys if cached else 0
    return total


def scores_sum(n_prompt: int, n_new: int, cached: bool) -> int:
    """One sum for each case."""
    lengths = range(n_prompt, n_prompt + n_new)
    if not cached:
        return sum(n * n for n in lengths)
    return sum(lengths[1:]) + n_prompt**2 if n_new else 0


def scores_closed(n_prompt: int, n_new: int, cached: bool) -> int:
    """Closed formulas: sums of whole numbers and of squares."""
    if n_new == 0:
        return 0
    last = n_prompt + n_new - 1
    if cached:
        return n_prompt**2 + (last * (last + 1) - n_prompt * (n_prompt + 1)) // 2
    squares = [n * (n + 1) * (2 * n + 1) // 6 for n in (last, n_prompt - 1)]
    return squares[0] - squares[1]


def scores_simulated(n_prompt: int, n_new: int, cached: bool) -> int:
    """Generates with a step that counts what it is asked."""
    total = known = 0

    def step(ids: Tensor) -> Tensor:
        nonlocal total, known
        known = known * cached + ids.shape[1]
        total += ids.shape[1] * known
        return torch.zeros(1, 1, 1)

    prompt = torch.zeros(1, n_prompt, dtype=torch.long)
    (cached_new if cached else greedy_cat)(step, prompt, n_new)
    return total


def bytes_product(n_layers, n_kv_heads, head_dim, seq_len, batch=1, bytes_per_value=2):
    """The product."""
    return 2 * n_layers * batch * n_kv_heads * seq_len * head_dim * bytes_per_value


def bytes_per_token(n_layers, n_kv_heads, head_dim, seq_len, batch=1, bytes_per_value=2):
    """First for one token, then for all."""
    per_token = n_layers * (n_kv_heads * head_dim + n_kv_heads * head_dim) * bytes_per_value
    return per_token * seq_len * batch


def bytes_of_a_tensor(n_layers, n_kv_heads, head_dim, seq_len, batch=1, bytes_per_value=2):
    """Asks torch: the bytes of a tensor on the meta device."""
    dtype = {1: torch.int8, 2: torch.bfloat16, 4: torch.float32}[bytes_per_value]
    shape = (n_layers, 2, batch, n_kv_heads, seq_len, head_dim)
    return torch.empty(shape, dtype=dtype, device="meta").nbytes


def bytes_prod(n_layers, n_kv_heads, head_dim, seq_len, batch=1, bytes_per_value=2):
    """math.prod of everything."""
    return math.prod((2, n_layers, n_kv_heads, head_dim, seq_len, batch, bytes_per_value))


ACCEPTED = {
    "KVCache": [SliceCache, IndexCopyCache, FunctionalCache, OneBlockCache, LoopCache],
    "CachedAttention": [
        BuiltIn,
        BuiltInCausal,
        Meta,
        Einsum,
        GPTJ,
        WritesItself,
        TokenByToken,
    ],
    "generate_greedy": [greedy_cat, greedy_list, greedy_room, greedy_recursive],
    "generate_greedy_cached": [cached_new, cached_prefill, cached_seen, cached_generator],
    "count_scores": [scores_loop, scores_sum, scores_closed, scores_simulated],
    "kv_cache_bytes": [bytes_product, bytes_per_token, bytes_of_a_tensor, bytes_prod],
}

# What the browser test types into an exercise cell: exercise, source, key of the mistake.
TYPED = (
    "5.6",
    """def kv_cache_bytes(n_layers, n_kv_heads, head_dim, seq_len, batch=1, bytes_per_value=2):
    return n_layers * n_kv_heads * head_dim * seq_len * batch * bytes_per_value
""",
    "keys_only",
)
