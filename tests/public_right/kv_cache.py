"""Lab 05: right answers with the habits of well-known code bases."""

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import nn

from solutions.my_llama import apply_rope


@dataclass
class MetaKVCache:
    """Meta's llama: zeros, slices at start_pos : start_pos + seqlen."""

    keys: torch.Tensor
    values: torch.Tensor
    length: int

    @classmethod
    def empty(cls, batch, n_kv_heads, max_len, head_dim, dtype=torch.float32, device=None):
        cache_k = torch.zeros((batch, n_kv_heads, max_len, head_dim)).to(device=device, dtype=dtype)
        cache_v = torch.zeros((batch, n_kv_heads, max_len, head_dim)).to(device=device, dtype=dtype)
        return cls(cache_k, cache_v, 0)

    def update(self, xk, xv):
        start_pos, seqlen = self.length, xk.shape[2]
        if start_pos + seqlen > self.keys.shape[2]:
            raise ValueError("max_seq_len exceeded")
        self.keys[:, :, start_pos : start_pos + seqlen] = xk
        self.values[:, :, start_pos : start_pos + seqlen] = xv
        self.length = start_pos + seqlen
        return self.keys[:, :, : start_pos + seqlen], self.values[:, :, : start_pos + seqlen]


@dataclass
class StaticKVCache:
    """HF transformers' StaticCache: index_copy_ along the positions, states cast to the cache's dtype."""

    keys: torch.Tensor
    values: torch.Tensor
    length: int = 0

    @classmethod
    def empty(cls, batch, n_kv_heads, max_len, head_dim, dtype=torch.float32, device=None):
        make = lambda: torch.zeros(batch, n_kv_heads, max_len, head_dim, dtype=dtype, device=device)  # noqa: E731
        return cls(make(), make())

    def get_seq_length(self):
        return self.length

    def update(self, key_states, value_states):
        new = key_states.shape[-2]
        if self.get_seq_length() + new > self.keys.shape[-2]:
            raise ValueError(f"the cache has max_cache_len={self.keys.shape[-2]}")
        cache_position = torch.arange(self.length, self.length + new, device=self.keys.device)
        self.keys.index_copy_(2, cache_position, key_states.to(self.keys.dtype))
        self.values.index_copy_(2, cache_position, value_states.to(self.values.dtype))
        self.length += new
        return self.keys.narrow(2, 0, self.length), self.values.narrow(2, 0, self.length)


@dataclass
class TuneKVCache:
    """torchtune and gpt-fast: memory taken with torch.empty, written by an index, copies handed out."""

    keys: torch.Tensor
    values: torch.Tensor
    length: int

    @classmethod
    def empty(cls, batch, n_kv_heads, max_len, head_dim, dtype=torch.float32, device=None):
        shape = (batch, n_kv_heads, max_len, head_dim)
        k_cache = torch.empty(shape, dtype=dtype, device=device)
        return cls(k_cache, torch.empty_like(k_cache), 0)

    @property
    def size(self):
        return self.length

    def update(self, k_val, v_val):
        _, _, seq_len, _ = k_val.shape
        if self.size + seq_len > self.keys.size(2):
            raise ValueError(
                f"cache of {self.keys.size(2)} positions, {self.size} + {seq_len} wanted"
            )
        input_pos = torch.arange(seq_len, device=self.keys.device) + self.size
        self.keys[:, :, input_pos] = k_val.to(self.keys.dtype)
        self.values[:, :, input_pos] = v_val.to(self.values.dtype)
        self.length = self.size + seq_len
        return self.keys[:, :, : self.size].clone(), self.values[:, :, : self.size].clone()


class MetaAttention(nn.Module):
    """Meta's llama: RoPE on complex numbers in float32, an additive mask only for several tokens, hstack."""

    def __init__(self, dim, n_heads):
        super().__init__()
        self.n_local_heads = n_heads
        self.head_dim = dim // n_heads
        self.wq = nn.Linear(dim, n_heads * self.head_dim, bias=False)
        self.wk = nn.Linear(dim, n_heads * self.head_dim, bias=False)
        self.wv = nn.Linear(dim, n_heads * self.head_dim, bias=False)
        self.wo = nn.Linear(n_heads * self.head_dim, dim, bias=False)

    @staticmethod
    def turn(x, freqs_cis):
        pairs = torch.view_as_complex(x.float().reshape(*x.shape[:-1], -1, 2))
        return torch.view_as_real(pairs * freqs_cis[:, None]).flatten(3).type_as(x)

    def forward(self, x, angles, cache=None):
        bsz, seqlen, _ = x.shape
        freqs_cis = torch.polar(torch.ones_like(angles.float()), angles.float())
        xq, xk, xv = self.wq(x), self.wk(x), self.wv(x)
        xq = self.turn(xq.view(bsz, seqlen, self.n_local_heads, self.head_dim), freqs_cis)
        xk = self.turn(xk.view(bsz, seqlen, self.n_local_heads, self.head_dim), freqs_cis)
        xv = xv.view(bsz, seqlen, self.n_local_heads, self.head_dim)
        xq, xk, xv = xq.transpose(1, 2), xk.transpose(1, 2), xv.transpose(1, 2)
        start_pos = 0
        if cache is not None:
            start_pos = cache.length
            xk, xv = cache.update(xk, xv)
        mask = None
        if seqlen > 1:
            mask = torch.full((seqlen, seqlen), float("-inf"), device=x.device)
            mask = torch.triu(mask, diagonal=1)
            mask = torch.hstack([torch.zeros((seqlen, start_pos), device=x.device), mask]).type_as(
                x
            )
        scores = torch.matmul(xq, xk.transpose(2, 3)) / math.sqrt(self.head_dim)
        if mask is not None:
            scores = scores + mask
        scores = F.softmax(scores.float(), dim=-1).type_as(xq)
        output = torch.matmul(scores, xv).transpose(1, 2).contiguous().view(bsz, seqlen, -1)
        return self.wo(output)


class HFAttention(nn.Module):
    """HF transformers, sdpa: is_causal for a fresh prompt, no mask for one token, a bool mask for a chunk."""

    def __init__(self, dim, n_heads):
        super().__init__()
        self.num_heads, self.head_dim = n_heads, dim // n_heads
        for name in ("wq", "wk", "wv", "wo"):
            setattr(self, name, nn.Linear(dim, dim, bias=False))

    def forward(self, hidden_states, angles, cache=None):
        input_shape = hidden_states.shape[:-1]
        hidden_shape = (*input_shape, -1, self.head_dim)
        q = self.wq(hidden_states).view(hidden_shape).transpose(1, 2)
        k = self.wk(hidden_states).view(hidden_shape).transpose(1, 2)
        v = self.wv(hidden_states).view(hidden_shape).transpose(1, 2)
        q, k = apply_rope(q, angles), apply_rope(k, angles)
        if cache is not None:
            k, v = cache.update(k, v)
        n, s = q.shape[2], k.shape[2]
        mask = None
        if 1 < n < s:
            mask = torch.ones(n, s, dtype=torch.bool, device=q.device).tril(s - n)
        out = F.scaled_dot_product_attention(
            q, k, v, attn_mask=mask, is_causal=mask is None and n > 1
        )
        return self.wo(out.transpose(1, 2).reshape(*input_shape, -1).contiguous())


class GPTFastAttention(nn.Module):
    """gpt-fast and lit-gpt: rows of one big tril by input_pos; the buffer is no weight and not saved."""

    def __init__(self, dim, n_heads):
        super().__init__()
        self.n_head, self.head_dim = n_heads, dim // n_heads
        self.wq = nn.Linear(dim, dim, bias=False)
        self.wk = nn.Linear(dim, dim, bias=False)
        self.wv = nn.Linear(dim, dim, bias=False)
        self.wo = nn.Linear(dim, dim, bias=False)
        self.register_buffer(
            "causal_mask", torch.ones(512, 512, dtype=torch.bool).tril(), persistent=False
        )

    def forward(self, x, angles, cache=None):
        B, T, C = x.size()
        start = 0 if cache is None else cache.length
        input_pos = torch.arange(start, start + T, device=x.device)
        q = self.wq(x).view(B, T, self.n_head, self.head_dim).transpose(1, 2)
        k = self.wk(x).view(B, T, self.n_head, self.head_dim).transpose(1, 2)
        v = self.wv(x).view(B, T, self.n_head, self.head_dim).transpose(1, 2)
        q, k = map(lambda y: apply_rope(y, angles), (q, k))  # noqa: C417
        if cache is not None:
            k, v = cache.update(k, v)
        mask = self.causal_mask[None, None, input_pos, : k.size(2)]
        y = F.scaled_dot_product_attention(q, k, v, attn_mask=mask, dropout_p=0.0)
        return self.wo(y.transpose(1, 2).contiguous().view(B, T, C))


class MLXAttention(nn.Module):
    """mlx-lm: an additive mask of -1e9 from positions, made from the cache's offset; one matmul order."""

    def __init__(self, dim, n_heads):
        super().__init__()
        self.n_heads = n_heads
        self.scale = (dim // n_heads) ** -0.5
        self.wq, self.wk, self.wv, self.wo = (nn.Linear(dim, dim, bias=False) for _ in range(4))

    def forward(self, x, angles, cache=None):
        B, L, D = x.shape
        offset = cache.length if cache is not None else 0
        queries, keys, values = (
            w(x).reshape(B, L, self.n_heads, -1).permute(0, 2, 1, 3)
            for w in (self.wq, self.wk, self.wv)
        )
        queries, keys = apply_rope(queries, angles), apply_rope(keys, angles)
        if cache is not None:
            keys, values = cache.update(keys, values)
        rinds = torch.arange(offset + L, device=x.device)
        linds = rinds[offset:]
        mask = ((linds[:, None] < rinds[None]) * -1e9).to(x.dtype)
        scores = (queries * self.scale) @ keys.permute(0, 1, 3, 2) + mask
        weights = scores.float().softmax(-1).to(scores.dtype)
        return self.wo((weights @ values).permute(0, 2, 1, 3).reshape(B, L, D))


@torch.no_grad()
def nanogpt_generate(step, idx, max_new_tokens):
    """nanoGPT: no_grad, logits of the last step, cat along dim 1."""
    for _ in range(max_new_tokens):
        logits = step(idx)
        logits = logits[:, -1, :]
        idx_next = torch.argmax(logits, dim=-1, keepdim=True)
        idx = torch.cat((idx, idx_next), dim=1)
    return idx


def gpt_fast_generate(step, prompt, max_new_tokens):
    """gpt-fast: the whole sequence is allocated first, and filled in place."""
    T = prompt.size(1)
    seq = torch.empty((1, T + max_new_tokens), dtype=prompt.dtype, device=prompt.device)
    seq[:, :T] = prompt
    for t in range(T, T + max_new_tokens):
        seq[:, t] = step(seq[:, :t])[:, -1].argmax(dim=-1)
    return seq


def llama2c_generate(step, ids, n_new):
    """llama2.c's sample.py with numpy habits: a Python list of ints, a tensor made for each call."""
    tokens = ids[0].tolist()
    while len(tokens) < ids.shape[1] + n_new:
        logits = step(torch.tensor([tokens], dtype=ids.dtype, device=ids.device))
        tokens.append(int(torch.argmax(logits[0, -1])))
    return torch.tensor([tokens], dtype=ids.dtype, device=ids.device)


@torch.inference_mode()
def meta_cached(step, ids, n_new):
    """Meta's llama: a buffer of the full length, windows from prev_pos to cur_pos, inference_mode."""
    prompt_len = ids.shape[1]
    tokens = torch.full((1, prompt_len + n_new), -1, dtype=torch.long, device=ids.device)
    tokens[:, :prompt_len] = ids
    prev_pos = 0
    for cur_pos in range(prompt_len, prompt_len + n_new):
        logits = step(tokens[:, prev_pos:cur_pos])
        tokens[:, cur_pos] = torch.argmax(logits[:, -1], dim=-1)
        prev_pos = cur_pos
    return tokens


def hf_cached(step, input_ids, max_new_tokens):
    """HF transformers' greedy search: past is None for the first call, next_tokens[:, None]."""
    past = None
    for _ in range(max_new_tokens):
        model_inputs = input_ids if past is None else input_ids[:, -1:]
        outputs = past = step(model_inputs)
        next_token_logits = outputs[:, -1, :].float()
        next_tokens = torch.argmax(next_token_logits, dim=-1)
        input_ids = torch.cat([input_ids, next_tokens[:, None]], dim=-1)
    return input_ids


def gpt_fast_cached(step, prompt, max_new_tokens):
    """gpt-fast: prefill and decode apart, new tokens in a list, one cat at the end."""
    if max_new_tokens == 0:
        return prompt.clone()
    cur_token = step(prompt)[:, -1].argmax(-1).view(1, -1).clone()
    new_tokens = [cur_token]
    for _ in range(max_new_tokens - 1):
        cur_token = step(cur_token)[:, -1].argmax(-1).view(1, -1)
        new_tokens.append(cur_token.clone())
    return torch.cat([prompt, *new_tokens], dim=-1)


def closed_count(n_prompt, n_new, cached):
    """A closed form, as in estimates on paper: sums of the first numbers and squares."""
    if n_new == 0:
        return 0

    def squares(n):
        return n * (n + 1) * (2 * n + 1) // 6

    last = n_prompt + n_new - 1
    if not cached:
        return squares(last) - squares(n_prompt - 1)
    return n_prompt**2 + (last * (last + 1) - n_prompt * (n_prompt + 1)) // 2


def pairs_count(n_prompt, n_new, cached):
    """xformers' profiler: (queries, keys) of each call in a list, products summed."""
    calls = []
    seen = 0
    for i in range(n_new):
        total = n_prompt + i
        new = total - seen if cached else total
        calls.append((new, total))
        seen = total
    return sum(m * n for m, n in calls)


def vllm_bytes(n_layers, n_kv_heads, head_dim, seq_len, batch=1, bytes_per_value=2):
    """vLLM's cache config: a key block, a value block, layers, bytes."""
    key_cache_block = seq_len * n_kv_heads * head_dim
    value_cache_block = key_cache_block
    total = n_layers * (key_cache_block + value_cache_block)
    return bytes_per_value * total * batch


def prod_bytes(n_layers, n_kv_heads, head_dim, seq_len, batch=1, bytes_per_value=2):
    """gpt-fast's _get_model_size habit: a shape and math.prod."""
    cache_shape = (batch, n_kv_heads, seq_len, head_dim)
    return sum(math.prod(cache_shape) * bytes_per_value * 2 for _ in range(n_layers))


RIGHT = {
    "KVCache": [MetaKVCache, StaticKVCache, TuneKVCache],
    "CachedAttention": [MetaAttention, HFAttention, GPTFastAttention, MLXAttention],
    "generate_greedy": [nanogpt_generate, gpt_fast_generate, llama2c_generate],
    "generate_greedy_cached": [meta_cached, hf_cached, gpt_fast_cached],
    "count_scores": [closed_count, pairs_count],
    "kv_cache_bytes": [vllm_bytes, prod_bytes],
}
