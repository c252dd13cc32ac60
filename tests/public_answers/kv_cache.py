"""Lab 05: mistakes that somebody made in public, rewritten as answers to the exercises."""

import math
from dataclasses import dataclass

import torch
from torch import nn
from wrong_answers import Public

from solutions.my_llama import apply_rope, attention, causal_mask, merge_heads, split_heads


@dataclass
class _Slots:
    keys: torch.Tensor
    values: torch.Tensor
    length: int

    @classmethod
    def empty(cls, batch, n_kv_heads, max_len, head_dim, dtype=torch.float32, device=None):
        shape = (batch, n_kv_heads, max_len, head_dim)
        keys = torch.zeros(shape, dtype=dtype, device=device)
        return cls(keys, torch.zeros_like(keys), 0)

    def update(self, k, v):
        start, end = self.length, self.length + k.size(2)
        if end > self.keys.size(2):
            raise ValueError("the cache is full")
        self.keys[:, :, start:end] = k
        self.values[:, :, start:end] = v
        self.length = end
        return self.keys[:, :, :end], self.values[:, :, :end]


class default_dtype_cache(_Slots):
    @classmethod
    def empty(cls, batch, n_kv_heads, max_len, head_dim, dtype=torch.float32, device=None):
        shape = (batch, n_kv_heads, max_len, head_dim)
        return cls(torch.zeros(shape).to(device), torch.zeros(shape).to(device), 0)


class index_put_cache(_Slots):
    def update(self, k, v):
        pos = torch.arange(self.length, self.length + k.size(2), device=k.device)
        if self.length + k.size(2) > self.keys.size(2):
            raise ValueError("the cache is full")
        self.keys[:, :, pos] = k
        self.values[:, :, pos] = v
        self.length += k.size(2)
        return self.keys[:, :, : self.length], self.values[:, :, : self.length]


class no_bounds_cache(_Slots):
    def update(self, k, v):
        for t in range(k.size(2)):
            self.keys[:, :, self.length] = k[:, :, t]
            self.values[:, :, self.length] = v[:, :, t]
            self.length += 1
        return self.keys[:, :, : self.length], self.values[:, :, : self.length]


class new_ones_only_cache(_Slots):
    def update(self, k, v):
        if k.size(2) > self.keys.size(2):  # what is in the cache already is not counted
            raise ValueError("more than max_len positions")
        end = self.length + k.size(2)
        self.keys[:, :, self.length : end] = k
        self.values[:, :, self.length : end] = v
        self.length = end
        return self.keys[:, :, :end], self.values[:, :, :end]


class rotating_cache(_Slots):
    def update(self, k, v):
        room = self.keys.size(2)
        for t in range(k.size(2)):
            slot = (self.length + t) % room
            self.keys[:, :, slot], self.values[:, :, slot] = k[:, :, t], v[:, :, t]
        self.length += k.size(2)
        n = min(self.length, room)
        return self.keys[:, :, :n], self.values[:, :, :n]


class model_dtype_cache(_Slots):
    def update(self, k, v):
        if self.length == 0 and self.keys.dtype != k.dtype:
            self.keys, self.values = self.keys.to(k.dtype), self.values.to(v.dtype)
        return super().update(k, v)


class _Attention(nn.Module):
    def __init__(self, dim, n_heads):
        super().__init__()
        self.n_heads, self.d = n_heads, dim // n_heads
        self.wq = nn.Linear(dim, dim, bias=False)
        self.wk = nn.Linear(dim, dim, bias=False)
        self.wv = nn.Linear(dim, dim, bias=False)
        self.wo = nn.Linear(dim, dim, bias=False)

    def qkv(self, x, angles):
        b, t, _ = x.shape
        q, k, v = (
            w(x).view(b, t, self.n_heads, self.d).transpose(1, 2)
            for w in (self.wq, self.wk, self.wv)
        )
        return apply_rope(q, angles), apply_rope(k, angles), v

    def out(self, q, k, v, additive=None):
        scores = q @ k.transpose(2, 3) / math.sqrt(self.d)
        if additive is not None:
            scores = scores + additive
        y = scores.softmax(-1) @ v
        return self.wo(y.transpose(1, 2).flatten(2))


class square_mask(_Attention):
    def forward(self, x, angles, cache=None):
        q, k, v = self.qkv(x, angles)
        if cache is not None:
            k, v = cache.update(k, v)
        mask, t = None, x.shape[1]
        if t > 1:
            mask = torch.full((t, t), float("-inf"), device=x.device).triu(1)
        return self.out(q, k, v, mask)


class buffer_corner(_Attention):
    def __init__(self, dim, n_heads):
        super().__init__(dim, n_heads)
        self.register_buffer("mask", torch.triu(torch.ones(256, 256), 1).bool(), persistent=False)

    def forward(self, x, angles, cache=None):
        q, k, v = self.qkv(x, angles)
        if cache is not None:
            k, v = cache.update(k, v)
        hidden = self.mask[: x.shape[1], : k.shape[2]]
        return self.out(
            q, k, v, torch.zeros(hidden.shape, device=x.device).masked_fill(hidden, -torch.inf)
        )


class is_causal_flag(_Attention):
    def forward(self, x, angles, cache=None):
        q, k, v = self.qkv(x, angles)
        if cache is not None:
            k, v = cache.update(k, v)
        y = nn.functional.scaled_dot_product_attention(q, k, v, is_causal=x.shape[1] > 1)
        return self.wo(y.transpose(1, 2).flatten(2))


class causal_only_when_square(_Attention):
    def forward(self, x, angles, cache=None):
        q, k, v = self.qkv(x, angles)
        if cache is not None:
            k, v = cache.update(k, v)
        square = q.shape[2] == k.shape[2]
        y = nn.functional.scaled_dot_product_attention(q, k, v, is_causal=square)
        return self.wo(y.transpose(1, 2).flatten(2))


class float32_mask(_Attention):
    def forward(self, x, angles, cache=None):
        q, k, v = self.qkv(x, angles)
        if cache is not None:
            k, v = cache.update(k, v)
        t, s = q.shape[2], k.shape[2]
        mask = torch.full((t, t), float("-inf"), device=x.device).triu(1)
        mask = torch.cat([torch.zeros(t, s - t, device=x.device), mask], dim=1)
        return self.out(q, k, v, mask)  # float32, so the weights are, and v is not


class turned_again(_Attention):
    def forward(self, x, angles, cache=None):
        q, k, v = (split_heads(w(x), self.n_heads) for w in (self.wq, self.wk, self.wv))
        q, k = apply_rope(q, angles), apply_rope(k, angles)
        if cache is not None:
            old = cache.length
            k, v = cache.update(k, v)
            if old and len(angles) == 1:
                k = torch.cat([apply_rope(k[:, :, :old], angles), k[:, :, old:]], dim=2)
        mask = causal_mask(q.shape[2], k.shape[2]).to(x.device)
        return self.wo(merge_heads(attention(q, k, v, mask)))


class hidden_memory(_Attention):
    def __init__(self, dim, n_heads):
        super().__init__(dim, n_heads)
        self.k_cache = self.v_cache = None

    def forward(self, x, angles, cache=None):
        q, k, v = self.qkv(x, angles)
        if cache is not None:
            if self.k_cache is not None:
                k = torch.cat([self.k_cache, k], dim=2)
                v = torch.cat([self.v_cache, v], dim=2)
            self.k_cache, self.v_cache = k, v
        mask = causal_mask(q.shape[2], k.shape[2]).to(x.device)
        return self.wo(merge_heads(attention(q, k, v, mask)))


class single_token_path(_Attention):
    def forward(self, x, angles, cache=None):
        q, k, v = self.qkv(x, angles)
        if cache is not None and x.shape[1] == 1:
            k, v = cache.update(k.detach(), v.detach())
        mask = causal_mask(q.shape[2], k.shape[2]).to(x.device)
        return self.wo(merge_heads(attention(q, k, v, mask)))


class whole_static_buffer(_Attention):
    def forward(self, x, angles, cache=None):
        q, k, v = self.qkv(x, angles)
        if cache is None:
            return self.out(
                q, k, v, torch.full((x.shape[1],) * 2, -torch.inf, device=x.device).triu(1)
            )
        cache.update(k, v)
        k, v = cache.keys, cache.values  # static shapes for the compiler; zeros count as keys
        t, room = q.shape[2], k.shape[2]
        after = torch.arange(room) > torch.arange(room - t, room)[:, None]
        return self.out(q, k, v, torch.zeros(t, room).masked_fill(after, -torch.inf))


def row_zero(step, ids, n_new):
    for _ in range(n_new):
        logits = step(ids)
        ids = torch.cat([ids, logits[:, 0].argmax(-1, keepdim=True)], dim=-1)
    return ids


def last_one_dropped(step, ids, n_new):
    tokens = ids.clone()
    for _ in range(n_new):
        tokens = torch.cat([tokens, step(tokens)[:, -1].argmax(-1, keepdim=True)], dim=1)
    return tokens[:, : ids.size(1) + n_new - 1]


def flat_argmax(step, ids, n_new):
    out, context = ids, ids
    for _ in range(n_new):
        token = torch.argmax(step(context)[0, :])  # the prompt's rows are flattened, too
        context = token.view(1, 1)
        out = torch.cat([out, context], dim=1)
    return out


def prompt_twice(step, ids, n_new):
    step(ids)  # prefill
    out, todo = ids, ids
    for _ in range(n_new):
        todo = step(todo)[:, -1:].argmax(-1)
        out = torch.cat([out, todo], 1)
    return out


def last_prompt_token_twice(step, ids, n_new):
    step(ids)  # fills the cache; its logits are not used
    token, out = ids[:, -1:], ids
    for _ in range(n_new):
        token = step(token)[:, -1].argmax(-1, keepdim=True)
        out = torch.cat([out, token], 1)
    return out


def prompt_by_single_tokens(step, ids, n_new):
    tokens, pos = ids[0].tolist(), 0
    total = len(tokens) + n_new
    while len(tokens) < total:
        logits = step(ids.new_tensor([[tokens[pos]]]))
        pos += 1
        if pos == len(tokens):
            tokens.append(logits[0, -1].argmax().item())
    return ids.new_tensor([tokens])


def lower_triangle_only(n_prompt, n_new, cached):
    if not cached:
        return sum((n_prompt + i) * (n_prompt + i + 1) // 2 for i in range(n_new))
    decode = sum(n_prompt + i for i in range(1, n_new))
    return (n_prompt * (n_prompt + 1) // 2 if n_new else 0) + decode


def halved_for_the_mask(n_prompt, n_new, cached):
    lengths = range(n_prompt, n_prompt + n_new)
    if cached:
        return sum((n if i else n * n) // 2 for i, n in enumerate(lengths))
    return sum(n * n // 2 for n in lengths)


def prefix_ignored(n_prompt, n_new, cached):
    chunks = [n_prompt] + [1] * (n_new - 1) if cached else range(n_prompt, n_prompt + n_new)
    return sum(c * c for c in chunks) if n_new else 0


def heads_ignored(n_layers, n_kv_heads, head_dim, seq_len, batch=1, bytes_per_value=2):
    return 2 * n_layers * head_dim * seq_len * batch * bytes_per_value


def layers_ignored(n_layers, n_kv_heads, head_dim, seq_len, batch=1, bytes_per_value=2):
    page = 2 * n_kv_heads * head_dim * bytes_per_value  # one sentinel name for all layers
    return page * seq_len * batch


def four_bytes_over_eight_bits(n_layers, n_kv_heads, head_dim, seq_len, batch=1, bytes_per_value=2):
    return 2 * n_layers * n_kv_heads * head_dim * seq_len * batch * 4 // 8


def width_per_head(n_layers, n_kv_heads, head_dim, seq_len, batch=1, bytes_per_value=2):
    hidden_size = n_kv_heads * head_dim
    return 2 * n_layers * n_kv_heads * hidden_size * seq_len * batch * bytes_per_value


PUBLIC = {
    "KVCache": [
        Public(
            default_dtype_cache,
            "meta-pytorch/torchtune#398",
            "the buffers are float32 whatever dtype is asked for",
            named=("ignores_dtype",),
        ),
        Public(
            index_put_cache,
            "meta-pytorch/torchtune#1349",
            "writes by an index tensor, which refuses keys of another dtype than the cache's",
            named=("index_put_dtype",),
        ),
        Public(
            no_bounds_cache,
            "1bit-MONSTER/1bit-MONSTER#693",
            "writes without looking whether they fit: IndexError in the middle, with the cache changed",
            named=("overflow_index_error", "overflow_writes"),
        ),
        Public(
            new_ones_only_cache,
            "huggingface/candle#3035",
            "looks whether the new positions alone fit, without those that are there",
            named=("looks_for_one",),
        ),
        Public(
            rotating_cache,
            "ml-explore/mlx-examples#1000",
            "a full cache rotates: new positions overwrite the oldest, returned out of order",
            named=("overflow_drops_oldest",),
        ),
        Public(
            model_dtype_cache,
            "apple/axlearn#1071",
            "the cache takes over the dtype of the keys instead of keeping its own",
            named=("follows_input_dtype",),
        ),
    ],
    "CachedAttention": [
        Public(
            square_mask,
            "meta-llama/llama#899",
            "adds a T × T mask to T × S scores: a chunk breaks",
            named=("square_mask",),
        ),
        Public(
            buffer_corner,
            "rasbt/LLMs-from-scratch#697",
            "cuts the mask out of a buffer's top left corner, whatever the position",
            named=("mask_top_left",),
        ),
        Public(
            is_causal_flag,
            "pytorch/pytorch#108108",
            "is_causal lines up top left when there are more keys than queries",
            named=("mask_top_left",),
        ),
        Public(
            causal_only_when_square,
            "mlx-node/mlx-node#24",
            "masks only when there are as many keys as queries: a cached chunk sees its future",
            named=("no_mask_with_cache",),
        ),
        Public(
            float32_mask,
            "huggingface/candle#3743",
            "the additive mask is float32 whatever x is: with float16 the weights no longer fit the values",
            named=("two_dtypes_meet",),
        ),
        Public(
            turned_again,
            "NeuraLegion/shainet#110",
            "old keys, turned already, are turned again in every decode step",
            named=("rotates_again",),
        ),
        Public(
            hidden_memory,
            "Lightning-AI/litgpt#1596",
            "keeps keys and values in the layer: the next text sees the last one's",
            named=("memory_in_the_layer",),
        ),
        Public(
            single_token_path,
            "TinyTorch, module 14 (gitea.computersurge.dev, commit 3b21687f)",
            "takes several tokens for training: only single ones reach the cache",
            named=("prompt_not_stored",),
        ),
        Public(
            whole_static_buffer,
            "tenstorrent/tt-forge-onnx#422",
            "attends to the whole buffer, slots that nobody wrote too",
            named=("attends_to_unwritten",),
        ),
    ],
    "generate_greedy": [
        Public(
            row_zero,
            "vllm-project/tpu-inference#125",
            "reads the logits of row 0 instead of the last row",
            named=("first_position",),
        ),
        Public(
            last_one_dropped,
            "EleutherAI/gpt-neox#627",
            "the last new token is cut off",
            named=("last_token_cut_off",),
        ),
    ],
    "generate_greedy_cached": [
        Public(
            flat_argmax,
            "huggingface/transformers#2259",
            "argmax over all rows of the prompt at once",
            named=("argmax_of_all",),
        ),
        Public(
            prompt_twice,
            "ml-explore/mlx-lm#1039",
            "the prompt is handed over twice: once to fill the cache, once more in the loop",
            named=("prompt_twice",),
        ),
        Public(
            last_prompt_token_twice,
            "google/gemma.cpp#665",
            "the prompt's last token is handed over twice",
            named=("last_prompt_token_twice",),
        ),
        Public(
            prompt_by_single_tokens,
            "hkproj/pytorch-llama#14",
            "the prompt is handed over token by token, not in one call",
            named=("prompt_token_by_token",),
        ),
    ],
    "count_scores": [
        Public(
            lower_triangle_only,
            "vllm-project/vllm#34150",
            "leaves the masked scores out",
            named=("triangle",),
        ),
        Public(
            halved_for_the_mask,
            "modular/modular#5557",
            "halves everything for the causal mask, decode too",
            named=("everything_halved",),
        ),
        Public(
            prefix_ignored,
            "sgl-project/sglang#34298",
            "counts new tokens against new tokens only, without those in the cache",
            named=("one_per_step",),
        ),
    ],
    "kv_cache_bytes": [
        Public(
            heads_ignored,
            "KolosalAI/model-memory-calculator#2",
            "the number of key/value heads is not used",
            named=("one_head",),
        ),
        Public(
            layers_ignored,
            "mudler/vllm.cpp#357",
            "one layer for all: the factor n_layers is missing",
            named=("one_layer",),
        ),
        Public(
            four_bytes_over_eight_bits,
            "jranaraki/vllm-fit#2",
            "4 / 8 instead of the bytes of a value: half a byte each",
            named=("half_a_byte",),
        ),
        Public(
            width_per_head,
            "jranaraki/vllm-fit#14",
            "the number of heads is counted twice, since the width has it already",
            named=("heads_twice",),
        ),
    ],
}
