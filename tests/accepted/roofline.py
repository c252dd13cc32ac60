"""Lab 12: right answers, written differently."""

import dataclasses
import math
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from solutions.my_llama import count_parameters, kv_cache_bytes
from solutions.my_llama.roofline import forward_flops, weight_bytes


def flops_by_parts(config: Any, n_new: int, n_past: int = 0) -> int:
    """A loop over layers and matrices, as they stand in the model."""
    d = config.dim // config.n_heads
    total = 0
    for _ in range(config.n_layers):
        for rows, columns in (
            (config.n_heads * d, config.dim),
            (config.n_kv_heads * d, config.dim),
            (config.n_kv_heads * d, config.dim),
            (config.dim, config.n_heads * d),
            (config.hidden_dim, config.dim),
            (config.hidden_dim, config.dim),
            (config.dim, config.hidden_dim),
        ):
            total += 2 * n_new * rows * columns
        total += 2 * (2 * config.n_heads * n_new * (n_past + n_new) * d)
    return total + 2 * n_new * config.vocab_size * config.dim


def flops_by_parameters(config: Any, n_new: int, n_past: int = 0) -> int:
    """All parameters but the norms, and but the table where it is not tied."""
    weights = count_parameters(config) - (2 * config.n_layers + 1) * config.dim
    if not config.tie_embeddings:
        weights -= config.vocab_size * config.dim
    width = config.n_heads * (config.dim // config.n_heads)
    return n_new * (2 * weights + config.n_layers * 4 * width * (n_past + n_new))


def flops_token_by_token(config: Any, n_new: int, n_past: int = 0) -> int:
    """Every new token by itself; each looks at all n_past + n_new."""
    head_dim = config.dim // config.n_heads
    kv = head_dim * config.n_kv_heads
    macs = config.n_layers * config.dim * (2 * config.dim + 2 * kv + 3 * config.hidden_dim)
    macs += config.dim * config.vocab_size
    macs += 2 * config.n_layers * config.n_heads * head_dim * (n_past + n_new)
    return sum(2 * macs for _ in range(n_new))


def bytes_by_tied_copy(config: Any, bytes_per_weight: float = 2.0) -> float:
    """A tied copy of the model has just the weights that are read."""
    return count_parameters(dataclasses.replace(config, tie_embeddings=True)) * bytes_per_weight


def bytes_by_hand(config: Any, bytes_per_weight: float = 2.0) -> float:
    """Layers, the last norm, the output projection."""
    D, d = config.dim, config.dim // config.n_heads
    layer = 2 * D * D + 2 * D * d * config.n_kv_heads + 3 * D * config.hidden_dim + 2 * D
    return bytes_per_weight * (config.n_layers * layer + D + config.vocab_size * D)


def bytes_branch(config: Any, bytes_per_weight: float = 2.0) -> float:
    """An if, and in-place arithmetic."""
    weights = count_parameters(config)
    if not config.tie_embeddings:
        weights -= config.dim * config.vocab_size
    return float(weights) * bytes_per_weight


def roof_if(intensity: float, peak_flops: float, bandwidth: float) -> float:
    """Compare with the ridge."""
    if intensity < peak_flops / bandwidth:
        return intensity * bandwidth
    return peak_flops


def roof_time(intensity: float, peak_flops: float, bandwidth: float) -> float:
    """The time for a byte and its FLOPs."""
    return intensity / max(intensity / peak_flops, 1.0 / bandwidth)


def roof_numpy(intensity: float, peak_flops: float, bandwidth: float) -> float:
    """numpy's minimum, given back as a float."""
    return float(np.minimum(np.float64(peak_flops), np.float64(intensity) * bandwidth))


def roof_share(intensity: float, peak_flops: float, bandwidth: float) -> float:
    """A share of the peak, at most 1."""
    ridge = peak_flops / bandwidth
    return peak_flops * min(1.0, intensity / ridge)


def limit_of_each(
    config: Any,
    batch: int,
    context: int,
    peak_flops: float,
    bandwidth: float,
    bytes_per_weight: float = 2.0,
    bytes_per_value: int = 2,
) -> float:
    """The lower of two speeds, one for computing and one for reading."""
    computing = peak_flops / forward_flops(config, 1, context - 1)
    d = config.dim // config.n_heads
    one = kv_cache_bytes(config.n_layers, config.n_kv_heads, d, context, 1, bytes_per_value)
    reading = bandwidth / (weight_bytes(config, bytes_per_weight) / batch + one)
    return min(computing, reading)


def limit_by_roof(
    config: Any,
    batch: int,
    context: int,
    peak_flops: float,
    bandwidth: float,
    bytes_per_weight: float = 2.0,
    bytes_per_value: int = 2,
) -> float:
    """Through the intensity of the step and the roof."""
    flops = batch * forward_flops(config, n_new=1, n_past=context - 1)
    caches = batch * kv_cache_bytes(
        config.n_layers,
        config.n_kv_heads,
        config.dim // config.n_heads,
        context,
        bytes_per_value=bytes_per_value,
    )
    n_bytes = weight_bytes(config, bytes_per_weight) + caches
    reached = min(peak_flops, flops / n_bytes * bandwidth)
    return batch * reached / flops


def limit_by_hand(
    config: Any,
    batch: int,
    context: int,
    peak_flops: float,
    bandwidth: float,
    bytes_per_weight: float = 2.0,
    bytes_per_value: int = 2,
) -> float:
    """Everything written out, none of the lab's own functions called."""
    D, L, d = config.dim, config.n_layers, config.dim // config.n_heads
    kv = config.n_kv_heads * d
    matrices = L * (2 * D * D + 2 * D * kv + 3 * D * config.hidden_dim) + config.vocab_size * D
    flops = batch * (2 * matrices + 4 * L * D * context)
    read = (
        matrices + 2 * L * D + D
    ) * bytes_per_weight + 2 * L * kv * context * batch * bytes_per_value
    times = [flops / peak_flops, read / bandwidth]
    return batch / sorted(times)[-1]


def int8_clamped(weight: Tensor) -> tuple[Tensor, Tensor]:
    """Clamp the scale far below any that occurs; clamp the numbers too."""
    scale = (weight.abs().float().max(dim=1).values / 127).clamp(min=1e-30)
    q = torch.clamp(torch.round(weight.float() / scale.unsqueeze(1)), -127, 127)
    return q.char(), scale


def int8_multiplied(weight: Tensor) -> tuple[Tensor, Tensor]:
    """Multiply by 127 / largest; the row of zeros keeps the scale 0."""
    w = weight.detach().float()
    largest = w.abs().amax(-1, keepdim=True)
    factor = torch.where(largest > 0, 127.0 / largest.clamp(min=1e-37), torch.zeros_like(largest))
    return (w * factor).round().to(torch.int8), (largest / 127).squeeze(-1)


def int8_rows(weight: Tensor) -> tuple[Tensor, Tensor]:
    """A loop over the rows."""
    numbers, scales = [], []
    for row in weight.float():
        largest = torch.maximum(row.max(), -row.min())
        scale = largest / 127 if largest > 0 else torch.ones_like(largest)
        numbers.append(torch.round(row / scale).to(torch.int8))
        scales.append(scale)
    return torch.stack(numbers), torch.stack(scales)


def int8_half_away(weight: Tensor) -> tuple[Tensor, Tensor]:
    """Ties away from zero: sign · floor(|x| + 0.5)."""
    scale = torch.linalg.vector_norm(weight.float(), ord=math.inf, dim=1) / 127.0
    scale = scale.masked_fill(scale == 0, 1.0)
    x = weight.float() / scale.view(-1, 1)
    return (x.sign() * (x.abs() + 0.5).floor()).to(torch.int8), scale


def linear_weight_first(x: Tensor, q: Tensor, scale: Tensor) -> Tensor:
    """Make the weights, then F.linear."""
    weight = q.float() * scale.float().unsqueeze(1)
    return F.linear(x.float(), weight).to(x.dtype)


def linear_einsum(x: Tensor, q: Tensor, scale: Tensor) -> Tensor:
    """einsum with all three."""
    return torch.einsum("...i,oi,o->...o", x.float(), q.float(), scale.float()).to(x.dtype)


def linear_double(x: Tensor, q: Tensor, scale: Tensor) -> Tensor:
    """In float64, by matmul."""
    y = torch.matmul(x.double(), q.double().mT)
    return y.mul(scale.double()).to(dtype=x.dtype)


def linear_rows(x: Tensor, q: Tensor, scale: Tensor) -> Tensor:
    """One output after the other."""
    parts = [(x.float() * row.float()).sum(-1) * s for row, s in zip(q, scale.float(), strict=True)]
    return torch.stack(parts, -1).to(x.dtype)


def block_where(q: Tensor, k: Tensor, v: Tensor, state: Any = None, mask: Any = None) -> Any:
    """nan_to_num for what has seen nothing, where for the mask."""
    d = q.size(-1)
    s = torch.matmul(q.float(), k.float().mT) * d**-0.5
    if mask is not None:
        s = torch.where(mask, s, torch.tensor(-torch.inf, device=s.device))
    top = s.max(dim=-1, keepdim=True).values
    if state is not None:
        top = torch.maximum(top, state[0])
    base = torch.where(top.isinf(), torch.zeros_like(top), top)
    p = (s - base).exp()
    l, o = p.sum(-1, keepdim=True), p @ v.float()
    if state is not None:
        shrink = (state[0] - base).exp()
        l, o = l + shrink * state[1], o + shrink * state[2]
    return top, l, o


def block_merged(q: Tensor, k: Tensor, v: Tensor, state: Any = None, mask: Any = None) -> Any:
    """The block by itself, then two states merged, each rescaled."""
    scores = torch.einsum("...td,...sd->...ts", q.float(), k.float()) / math.sqrt(q.shape[-1])
    if mask is not None:
        scores = scores.masked_fill(mask.logical_not(), float("-inf"))
    m2 = scores.amax(-1, keepdim=True)
    w = torch.exp(scores - m2.masked_fill(m2 == -torch.inf, 0.0))
    l2, o2 = w.sum(-1, keepdim=True), w @ v.float()
    if state is None:
        return m2, l2, o2
    m1, l1, o1 = state
    m = torch.maximum(m1, m2)
    base = m.masked_fill(m == -torch.inf, 0.0)
    a, b = torch.exp(m1 - base), torch.exp(m2 - base)
    return m, a * l1 + b * l2, a * o1 + b * o2


class Running(NamedTuple):
    """A state with names."""

    m: Tensor
    l: Tensor
    o: Tensor


def block_named(q: Tensor, k: Tensor, v: Tensor, state: Any = None, mask: Any = None) -> Any:
    """A named tuple; the mask is added as 0 and -inf; difference clamped at -inf as flashinfer does."""
    q, k, v = q.float(), k.float(), v.float()
    scores = (q / math.sqrt(q.shape[-1])) @ k.transpose(-1, -2)
    if mask is not None:
        bias = torch.zeros_like(scores).masked_fill(~mask.expand(scores.shape), -torch.inf)
        scores = scores + bias
    if state is None:
        one = q[..., :1].detach() * 0
        state = Running(one - torch.inf, one, one * v[..., :1, :].detach() * 0)
    new = torch.maximum(state[0], scores.max(-1, keepdim=True)[0])
    finite = torch.where(torch.isneginf(new), 0.0, new)
    fade = torch.exp(state[0] - finite)
    share = torch.exp(scores - finite)
    return Running(new, state[1] * fade + share.sum(-1, True), state[2] * fade + share.matmul(v))


ACCEPTED = {
    "forward_flops": [flops_by_parts, flops_by_parameters, flops_token_by_token],
    "weight_bytes": [bytes_by_tied_copy, bytes_by_hand, bytes_branch],
    "attainable_flops": [roof_if, roof_time, roof_numpy, roof_share],
    "decode_speed_limit": [limit_of_each, limit_by_roof, limit_by_hand],
    "quantize_int8": [int8_clamped, int8_multiplied, int8_rows, int8_half_away],
    "int8_linear": [linear_weight_first, linear_einsum, linear_double, linear_rows],
    "attend_block": [block_where, block_merged, block_named],
}


TYPED = (
    "12.3",
    """def attainable_flops(intensity, peak_flops, bandwidth):
    return max(peak_flops, intensity * bandwidth)
""",
    "higher_roof",
)
