"""Lab 12: right answers with the habits of well-known code bases."""

import torch
import torch.nn.functional as F

from solutions.my_llama import count_parameters, kv_cache_bytes


def torchtitan_flops(config, n_new, n_past=0):
    """torchtitan since #280: no embedding in the parameters, a full rectangle for attention."""
    nparams = count_parameters(config)
    nparams_embedding = 0 if config.tie_embeddings else config.vocab_size * config.dim
    norms = (2 * config.n_layers + 1) * config.dim
    layers, h, q = config.n_layers, config.n_heads, config.dim // config.n_heads
    t = n_past + n_new
    per_token = 2 * (nparams - nparams_embedding - norms) + 4 * layers * h * q * t
    return n_new * per_token


def verl_flops(config, n_new, n_past=0):
    """verl's flops_counter, forward only: MLP, q, k, v and o by their sizes, lm_head."""
    hidden, layers = config.dim, config.n_layers
    head_dim = hidden // config.n_heads
    q_size, k_size = config.n_heads * head_dim, config.n_kv_heads * head_dim
    mlp_n = hidden * config.hidden_dim * 3
    attn_linear_n = hidden * (q_size + 2 * k_size + config.n_heads * head_dim)
    dense_n = (mlp_n + attn_linear_n) * layers + config.vocab_size * hidden
    seqlen_product = n_new * (n_past + n_new)
    return 2 * dense_n * n_new + 4 * seqlen_product * head_dim * config.n_heads * layers


def resident_is_not_read(config, bytes_per_weight=2.0):
    """ninfer-3090#50: what a token reads, and not what lies in memory."""
    resident = count_parameters(config) * bytes_per_weight
    never_moves = 0 if config.tie_embeddings else config.vocab_size * config.dim * bytes_per_weight
    return resident - never_moves


def llm_viewer_roof(intensity, peak_flops, bandwidth):
    """LLM-Viewer's roofline: the turning point, and a branch."""
    turning_point = peak_flops / bandwidth
    if turning_point > intensity:
        bound = "memory"
        performance = intensity * bandwidth
    else:
        bound = "compute"
        performance = peak_flops
    assert bound in ("memory", "compute")
    return performance


def llm_viewer_decode(
    config, batch, context, peak_flops, bandwidth, bytes_per_weight=2.0, bytes_per_value=2
):
    """A step's time from its sums, as analysers of models do."""
    head_dim = config.dim // config.n_heads
    load_kv = 2 * context * head_dim * config.n_kv_heads * batch * bytes_per_value
    ops, load = 0, 0.0
    for _ in range(config.n_layers):
        ops += 2 * batch * config.dim * (2 * config.dim + 2 * head_dim * config.n_kv_heads)
        ops += 2 * batch * 3 * config.dim * config.hidden_dim
        ops += 2 * context * head_dim * config.n_heads * batch * 2
        load += load_kv
    ops += 2 * batch * config.dim * config.vocab_size
    embedding = 0 if config.tie_embeddings else config.vocab_size * config.dim
    load += (count_parameters(config) - embedding) * bytes_per_weight
    return batch / max(ops / peak_flops, load / bandwidth)


def airunway_users(
    config, batch, context, peak_flops, bandwidth, bytes_per_weight=2.0, bytes_per_value=2
):
    """The speed of one user times the users."""
    d = config.dim // config.n_heads
    kv = kv_cache_bytes(config.n_layers, config.n_kv_heads, d, context, batch, bytes_per_value)
    read = resident_is_not_read(config, bytes_per_weight) + kv
    seconds = max(read / bandwidth, batch * torchtitan_flops(config, 1, context - 1) / peak_flops)
    one_user = 1.0 / seconds
    return one_user * batch


def gpt_fast_int8(weight):
    """gpt-fast and torchao: eps against zeros, clamp to the range."""
    eps = torch.finfo(torch.float32).tiny
    x = weight.float()
    min_val, max_val = torch.aminmax(x, dim=1)
    largest = torch.max(-torch.min(min_val, torch.zeros_like(min_val)), max_val)
    scales = torch.clamp(largest / 127, min=eps)
    quant = torch.clamp(torch.round(x / scales.unsqueeze(-1)), -127, 127).to(torch.int8)
    return quant, scales


def aiter_safe_scale(weight):
    """ROCm/aiter#4289's remedy: 1 as the divisor only, and the stored scale stays 0."""
    weight = weight.float()
    scale = weight.abs().amax(dim=-1) / 127.0
    safe_scale = torch.where(scale == 0, torch.ones_like(scale), scale)
    return torch.round(weight / safe_scale[:, None]).to(torch.int8), scale


def gpt_fast_linear(x, q, scale):
    """gpt-fast's WeightOnlyInt8Linear, with the sum in float32."""
    return (F.linear(x.float(), q.to(torch.float32)) * scale).to(x.dtype)


def comfy_linear(x, q, scale):
    """comfy-kitchen's fallback, scaled in float32 before it goes down."""
    w = q.float() * (scale if scale.numel() == 1 else scale.reshape(-1, 1)).float()
    return F.linear(x.float(), w, None).to(x.dtype)


def flash_attention_2(q, k, v, state=None, mask=None):
    """FlashAttention-2's loop body: alpha rescales acc and l."""
    qk = q.float() @ k.float().transpose(-1, -2) * q.shape[-1] ** -0.5
    if mask is not None:
        qk = qk.masked_fill(~mask, float("-inf"))
    if state is None:
        shape = qk.shape[:-1]
        m_i = torch.full(shape, float("-inf"), device=q.device)
        l_i = torch.zeros(shape, device=q.device)
        acc = torch.zeros(*shape, v.shape[-1], device=q.device)
    else:
        m_i, l_i, acc = state[0][..., 0], state[1][..., 0], state[2]
    m_ij = torch.maximum(m_i, qk.amax(-1))
    safe = torch.where(m_ij == float("-inf"), torch.zeros_like(m_ij), m_ij)
    p = torch.exp(qk - safe[..., None])
    alpha = torch.exp(m_i - safe)
    l_i = l_i * alpha + p.sum(-1)
    acc = acc * alpha[..., None] + p @ v.float()
    return m_ij[..., None], l_i[..., None], acc


def flashinfer_clamped(q, k, v, state=None, mask=None):
    """flashinfer#4401: the difference is clamped, so that NaN becomes -inf."""
    logits = q.float() @ k.float().mT / q.shape[-1] ** 0.5
    if mask is not None:
        logits = logits.masked_fill(~mask, -torch.inf)
    m = logits.amax(-1, keepdim=True)
    if state is not None:
        m = torch.maximum(m, state[0])

    def safe_exp(x):
        return torch.where(x.isnan(), torch.full_like(x, -torch.inf), x).exp()

    p = safe_exp(logits - m)
    d, o = p.sum(-1, keepdim=True), p @ v.float()
    if state is None:
        return m, d, o
    scale = safe_exp(state[0] - m)
    return m, state[1] * scale + d, state[2] * scale + o


RIGHT = {
    "forward_flops": [torchtitan_flops, verl_flops],
    "weight_bytes": [resident_is_not_read],
    "attainable_flops": [llm_viewer_roof],
    "decode_speed_limit": [llm_viewer_decode, airunway_users],
    "quantize_int8": [gpt_fast_int8, aiter_safe_scale],
    "int8_linear": [gpt_fast_linear, comfy_linear],
    "attend_block": [flash_attention_2, flashinfer_clamped],
}
