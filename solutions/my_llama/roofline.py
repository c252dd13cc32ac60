"""12 · The roofline (made from solutions/12_roofline.py by tools/build.py)."""

import math

import torch
from torch import Tensor

from . import LlamaConfig, count_parameters, kv_cache_bytes


def forward_flops(config: LlamaConfig, n_new: int, n_past: int = 0) -> int:
    """FLOPs of one pass over n_new tokens that follow the n_past tokens in the caches.

    Matrix products only, a multiplication and an addition being two FLOPs: every weight of a
    matrix for every new token, the output projection (tied or not) included; and in each layer, for
    each query head, q·k and weights·v over the whole n_new × (n_past + n_new) rectangle, masked
    scores included, as in lab 05's count_scores. Looking up an embedding costs none.

    >>> small = LlamaConfig(dim=4, n_layers=1, n_heads=2, n_kv_heads=1, vocab_size=5, hidden_dim=3)
    >>> forward_flops(small, n_new=1)   # 104 weights, twice, and 4 · 2 heads · 2 features · 1 · 1
    224
    >>> forward_flops(small, n_new=2, n_past=1)   # 2 · 2 · 104 + 4 · 2 · 2 · 2 · 3
    512
    """
    head_dim = config.dim // config.n_heads
    attention = 2 * config.dim * head_dim * (config.n_heads + config.n_kv_heads)
    feed_forward = 3 * config.dim * config.hidden_dim
    output = config.vocab_size * config.dim
    weights = config.n_layers * (attention + feed_forward) + output
    scores = n_new * (n_past + n_new)
    return 2 * n_new * weights + config.n_layers * 4 * config.n_heads * head_dim * scores


def weight_bytes(config: LlamaConfig, bytes_per_weight: float = 2.0) -> float:
    """Bytes of weights that one forward pass reads, however many tokens it is given.

    Every weight is read once, the norms' included; of an embedding table that is not also the
    output projection only the rows of the tokens at hand, which count as none.

    >>> small = {"dim": 4, "n_layers": 1, "n_heads": 2, "n_kv_heads": 1, "vocab_size": 5}
    >>> weight_bytes(LlamaConfig(**small, hidden_dim=3))   # 84 + 20 and three norms of 4, 2 bytes each
    232.0
    >>> weight_bytes(LlamaConfig(**small, hidden_dim=3, tie_embeddings=True), bytes_per_weight=0.625)
    72.5
    """
    looked_up = 0 if config.tie_embeddings else config.vocab_size * config.dim
    return (count_parameters(config) - looked_up) * bytes_per_weight


def attainable_flops(intensity: float, peak_flops: float, bandwidth: float) -> float:
    """FLOPs a second at an intensity (FLOPs per byte): the lower of the two roofs.

    peak_flops: FLOPs a second. bandwidth: bytes a second.

    >>> attainable_flops(2.0, peak_flops=100e9, bandwidth=20e9)   # waiting for memory
    40000000000.0
    >>> attainable_flops(8.0, peak_flops=100e9, bandwidth=20e9)   # beyond the ridge, 5 FLOPs a byte
    100000000000.0
    """
    return min(peak_flops, intensity * bandwidth)


def decode_speed_limit(
    config: LlamaConfig,
    batch: int,
    context: int,
    peak_flops: float,
    bandwidth: float,
    bytes_per_weight: float = 2.0,
    bytes_per_value: int = 2,
) -> float:
    """Tokens a second, of all `batch` texts together, that no program can exceed when decoding.

    One step gives each text one token. context: positions each token looks at, itself included.
    A step takes the longer of two times: all its FLOPs at peak_flops, or all its bytes at bandwidth.
    Weights are read once for all texts, a cache (lab 05's kv_cache_bytes) for each.

    >>> small = LlamaConfig(dim=4, n_layers=1, n_heads=2, n_kv_heads=1, vocab_size=5, hidden_dim=3)
    >>> decode_speed_limit(small, batch=1, context=3, peak_flops=1e9, bandwidth=1e3)   # 232 + 24 bytes
    3.90625
    >>> decode_speed_limit(small, batch=2, context=3, peak_flops=1e9, bandwidth=1e3)   # 232 + 48
    7.142857142857142
    >>> decode_speed_limit(small, batch=2, context=3, peak_flops=1e3, bandwidth=1e9)   # 512 FLOPs
    3.90625
    """
    head_dim = config.dim // config.n_heads
    flops = batch * forward_flops(config, 1, context - 1)
    caches = kv_cache_bytes(
        config.n_layers, config.n_kv_heads, head_dim, context, batch, bytes_per_value
    )
    n_bytes = weight_bytes(config, bytes_per_weight) + caches
    return batch / max(flops / peak_flops, n_bytes / bandwidth)


def quantize_int8(weight: Tensor) -> tuple[Tensor, Tensor]:
    """Round each row to whole numbers from -127 to 127, in steps of a scale of its own.

    weight: (out, in) → (out, in) int8, and the scales (out,) float32: a row's largest magnitude over
    127. The nearest whole number counts. A row of zeros becomes zeros, with no NaN on the way; its
    scale is any finite number.

    >>> q, scale = quantize_int8(torch.tensor([[1.27, -0.64, 0.003], [0.0, 0.0, 254.0]]))
    >>> q.tolist(), [round(s, 4) for s in scale.tolist()]
    ([[127, -64, 0], [0, 0, 127]], [0.01, 2.0])
    """
    scale = weight.float().abs().amax(dim=1) / 127  # (out,)
    scale = torch.where(scale == 0, 1.0, scale)
    return (weight.float() / scale[:, None]).round().to(torch.int8), scale


def int8_linear(x: Tensor, q: Tensor, scale: Tensor) -> Tensor:
    """F.linear with an int8 weight whose rows have scales.

    x: (..., in), q: (out, in), scale: (out,) → (..., out), x's dtype.

    >>> q, scale = torch.tensor([[127, -64], [0, 10]], dtype=torch.int8), torch.tensor([0.01, 2.0])
    >>> int8_linear(torch.tensor([[1.0, 0.5]]), q, scale)   # (127 - 32) · 0.01, 5 · 2
    tensor([[ 0.9500, 10.0000]])
    """
    sums = x.float() @ q.float().T  # (..., out)
    return (sums * scale).to(x.dtype)


State = tuple[Tensor, Tensor, Tensor]


def attend_block(
    q: Tensor, k: Tensor, v: Tensor, state: State | None = None, mask: Tensor | None = None
) -> State:
    """Take one more block of keys and values into attention, without the scores of the others.

    q: (..., T, d), k and v: (..., S, d), mask: bool, broadcasts to (..., T, S), True where a query
    may look. The state (m, l, o) is what is known of the blocks so far, for each query: the largest
    score m (..., T, 1), the sum l (..., T, 1) of exp(score - m), and the sum o (..., T, d) of
    exp(score - m) · v; float32. A score is q·k / sqrt(d), as in lab 04. None: no block yet. A query
    that has seen no key keeps m = -inf, l = 0 and o = 0.

    After the last block, o / l is attention(q, k, v) over all of them.

    >>> q, one = torch.tensor([[2.0, 0, 0, 0]]), torch.tensor([[1.0, 0, 0, 0]])
    >>> first = attend_block(q, math.log(3) * one, 8 * one)   # score ln 3
    >>> m, l, o = attend_block(q, 0 * one, 4 * one, first)   # score 0: exp(0 - ln 3) = 1/3
    >>> round(m.item(), 4), round(l.item(), 4), round(o[0, 0].item(), 4), (o / l)[0, 0].item()
    (1.0986, 1.3333, 9.3333, 7.0)
    """
    scores = q.float() @ k.float().transpose(-2, -1) / math.sqrt(q.shape[-1])  # (..., T, S)
    if mask is not None:
        scores = scores.masked_fill(~mask, -torch.inf)
    if state is None:
        m = scores.new_full((*scores.shape[:-1], 1), -torch.inf)
        state = m, torch.zeros_like(m), m.new_zeros((*m.shape[:-1], v.shape[-1]))
    m, l, o = state
    new_m = torch.maximum(m, scores.amax(dim=-1, keepdim=True))
    still = torch.where(new_m == -torch.inf, 0.0, new_m)  # nothing seen yet: exp(-inf - 0) is 0
    old = torch.exp(m - still)  # how much the old sums shrink
    weights = torch.exp(scores - still)
    new_l = l * old + weights.sum(dim=-1, keepdim=True)
    return new_m, new_l, o * old + weights @ v.float()
