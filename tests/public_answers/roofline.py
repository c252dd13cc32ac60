"""Lab 12: mistakes that somebody made in public, rewritten as answers to the exercises."""

import math

import torch
from wrong_answers import Public

from solutions.my_llama import count_parameters, kv_cache_bytes
from solutions.my_llama.roofline import forward_flops, weight_bytes


def kv_heads_overwrite(config, n_new, n_past=0):
    d = config.dim // config.n_heads
    heads = config.n_heads
    products = forward_flops(config, n_new, n_past)
    scores = 4 * config.n_layers * heads * d * n_new * (n_past + n_new)
    heads = config.n_kv_heads  # unpacked once more, from the values' shape
    return products - scores + 4 * config.n_layers * heads * d * n_new * (n_past + n_new)


def embedding_as_a_product(config, n_new, n_past=0):
    head = config.vocab_size * config.dim
    emd_and_lm_head = 2 * head
    d = config.dim // config.n_heads
    attn = config.dim * (2 * config.dim + 2 * config.n_kv_heads * d)
    dense = config.n_layers * (attn + 3 * config.dim * config.hidden_dim) + emd_and_lm_head
    return 2 * dense * n_new + 4 * n_new * (n_past + n_new) * config.dim * config.n_layers


def causal_is_half(config, n_new, n_past=0):
    d = config.dim // config.n_heads
    full = 4 * config.n_layers * config.n_heads * d * n_new * (n_past + n_new)
    return forward_flops(config, n_new, n_past) - full + full // 2


def one_contraction(config, n_new, n_past=0):
    d = config.dim // config.n_heads
    both = 4 * config.n_layers * config.n_heads * d * n_new * (n_past + n_new)
    return forward_flops(config, n_new, n_past) - both // 2


def gate_forgotten(config, n_new, n_past=0):
    mlp = 2 * n_new * config.n_layers * config.dim * config.hidden_dim
    return forward_flops(config, n_new, n_past) - mlp


def capacity_is_traffic(config, bytes_per_weight=2.0):
    return count_parameters(config) * bytes_per_weight


def nameplate_bits(config, bytes_per_weight=2.0):
    active_params = count_parameters(config)
    return float(active_params) * bytes_per_weight


def bandwidth_over_size(
    config, batch, context, peak_flops, bandwidth, bytes_per_weight=2.0, bytes_per_value=2
):
    return batch * bandwidth / weight_bytes(config, bytes_per_weight)


def cache_of_all_heads(
    config, batch, context, peak_flops, bandwidth, bytes_per_weight=2.0, bytes_per_value=2
):
    flops = batch * forward_flops(config, 1, context - 1)
    per_token = 2 * config.n_layers * config.dim * bytes_per_value
    n_bytes = weight_bytes(config, bytes_per_weight) + per_token * context * batch
    return batch / max(flops / peak_flops, n_bytes / bandwidth)


def one_stream_only(
    config, batch, context, peak_flops, bandwidth, bytes_per_weight=2.0, bytes_per_value=2
):
    d = config.dim // config.n_heads
    caches = kv_cache_bytes(config.n_layers, config.n_kv_heads, d, context, batch, bytes_per_value)
    read = weight_bytes(config, bytes_per_weight) + caches
    flops = batch * forward_flops(config, 1, context - 1)
    return 1 / max(read / bandwidth, flops / peak_flops)


def zero_channel(weight):
    val_max = weight.float().abs().amax(dim=1)
    scale = val_max / 127
    return (weight.float() / scale[:, None]).round().to(torch.int8), scale


def wrong_range(weight):
    """The range of int8 taken as -128 to 127, with 255 steps between."""
    largest = weight.float().abs().amax(dim=1).clamp(min=1e-30)
    scale = 2 * largest / 255
    return (weight.float() / scale[:, None]).round().clamp(-128, 127).to(torch.int8), scale


def per_channel_axis_zero(weight):
    scale = weight.float().abs().amax(dim=0).clamp(min=1e-30) / 127
    return (weight.float() / scale).round().to(torch.int8), scale


def overflow_before_the_rescale(x, q, scale):
    return (torch.mm(x, q.to(x.dtype).T) if x.dim() == 2 else x @ q.to(x.dtype).T) * scale.to(
        x.dtype
    )


def finite_sentinel(q, k, v, state=None, mask=None):
    inf = 5e4
    s = q.float() @ k.float().mT / math.sqrt(q.shape[-1])
    if mask is not None:
        s = s.masked_fill(~mask, -inf)
    if state is None:
        m = torch.full((*s.shape[:-1], 1), -inf)
        state = m, torch.zeros_like(m), torch.zeros(*s.shape[:-1], v.shape[-1])
    new = torch.maximum(state[0], s.amax(-1, keepdim=True))
    a, p = (state[0] - new).exp(), (s - new).exp()
    return new, state[1] * a + p.sum(-1, keepdim=True), state[2] * a + p @ v.float()


def row_max_zero(q, k, v, state=None, mask=None):
    s = q.float() @ k.float().mT / math.sqrt(q.shape[-1])
    if mask is not None:
        s = s.masked_fill(~mask, -torch.inf)
    cur = s.amax(-1, keepdim=True)
    if state is not None:
        cur = torch.maximum(cur, state[0])
    cur = torch.where(cur == -torch.inf, 0.0, cur)
    p = (s - cur).exp()
    l, o = p.sum(-1, keepdim=True), p @ v.float()
    if state is not None:
        a = (state[0] - cur).exp()
        l, o = l + a * state[1], o + a * state[2]
    return cur, l, o


def nan_of_empty_rows(q, k, v, state=None, mask=None):
    s = q.float() @ k.float().mT / math.sqrt(q.shape[-1])
    if mask is not None:
        s = s.masked_fill(~mask, -torch.inf)
    if state is None:
        m = s.new_full((*s.shape[:-1], 1), -torch.inf)
        state = m, torch.zeros_like(m), m.new_zeros((*m.shape[:-1], v.shape[-1]))
    m, l, o = state
    new = torch.maximum(m, s.amax(-1, keepdim=True))
    alpha, p = torch.exp(m - new), torch.exp(s - new)
    return new, l * alpha + p.sum(-1, keepdim=True), o * alpha + p @ v.float()


def divided_by_d(q, k, v, state=None, mask=None):
    s = (q.float() @ k.float().mT) / q.shape[-1]
    if mask is not None:
        s = s.masked_fill(~mask, -torch.inf)
    last = s.new_full((*s.shape[:-1], 1), -torch.inf) if state is None else state[0]
    top = torch.maximum(last, s.amax(-1, keepdim=True))
    base = torch.where(top == -torch.inf, 0.0, top)
    numer = torch.exp(s - base)
    l, o = numer.sum(-1, keepdim=True), numer @ v.float()
    if state is not None:
        fade = torch.exp(last - base)
        l, o = l + state[1] * fade, o + state[2] * fade
    return top, l, o


PUBLIC = {
    "forward_flops": [
        Public(
            kv_heads_overwrite,
            "facebookresearch/xformers#1404",
            "kv heads for q·k",
            ("kv_heads_for_scores",),
        ),
        Public(
            embedding_as_a_product,
            "ByteDance-Seed/VeOmni#703",
            "embedding counted",
            ("table_twice",),
        ),
        Public(
            causal_is_half,
            "AI-Hypercomputer/maxtext#1972",
            "half the scores",
            ("causal_half", "one_product"),
        ),
        Public(one_contraction, "pytorch/torchtitan#4366", "one of two products", ("one_product",)),
        Public(
            gate_forgotten,
            "allenai/open-instruct#1096",
            "two matrices in SwiGLU",
            ("two_matrices",),
        ),
    ],
    "weight_bytes": [
        Public(
            capacity_is_traffic, "ashalliants/ninfer-3090#50", "resident, not read", ("table_read",)
        ),
        Public(nameplate_bits, "Pushkinist/rMLX#403", "all parameters", ("table_read",)),
    ],
    "decode_speed_limit": [
        Public(
            bandwidth_over_size,
            "ai-runway/airunway#139",
            "bandwidth over size",
            ("bandwidth_over_size",),
        ),
        Public(
            cache_of_all_heads,
            "hahnyuan/LLM-Viewer#12",
            "a cache of all heads",
            ("cache_of_query_heads",),
        ),
        Public(one_stream_only, "ai-runway/airunway#139", "one user's speed", ("for_one_user",)),
    ],
    "quantize_int8": [
        Public(zero_channel, "apple/coremltools#2853", "0 / 0 in a row of zeros", ("zero_row",)),
        Public(wrong_range, "microsoft/onnxruntime#10170", "-128 to 127", ("both_halves",)),
        Public(
            per_channel_axis_zero,
            "microsoft/onnxruntime#13038",
            "the other axis",
            ("each_column", "along_columns"),
        ),
    ],
    "int8_linear": [
        Public(
            overflow_before_the_rescale,
            "huggingface/diffusion-fast#1",
            "float16 overflows",
            ("in_half_precision",),
        ),
    ],
    "attend_block": [
        Public(
            finite_sentinel,
            "flashinfer-ai/flashinfer#4267",
            "-5e4 for -inf",
            ("m_starts_low", "large_negative"),
        ),
        Public(
            row_max_zero,
            "Dao-AILab/flash-attention#2082",
            "0 for an empty row's m",
            ("zero_for_m", "empty_row_is_zero"),
        ),
        Public(
            nan_of_empty_rows,
            "flashinfer-ai/flashinfer#4401",
            "-inf minus -inf",
            ("infinity_minus_infinity",),
        ),
        Public(
            divided_by_d,
            "rwtarpit/assignment2-systems: autograd.py",
            "scores over d",
            ("divided_by_d",),
        ),
    ],
}
