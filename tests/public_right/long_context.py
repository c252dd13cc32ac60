"""Lab 13: right answers with the habits of well-known code bases."""

import math
from collections import deque

import torch
import torch.nn.functional as F

from solutions.my_llama import apply_rope, rope_angles


def transformers_losses(model, ids, chunk=256):
    """HF's perplexity guide, mended: logits shifted, -100 where nothing is asked."""
    caches = model.new_caches(1, ids.size(1))
    labels = torch.cat([ids[:, 1:], ids.new_full((1, 1), -100)], dim=1)
    nlls = []
    with torch.no_grad():
        for begin in range(0, ids.size(1), chunk):
            logits = model(ids[:, begin : begin + chunk], caches)
            part = labels[:, begin : begin + chunk]
            loss = F.cross_entropy(
                logits.float().transpose(1, 2), part, ignore_index=-100, reduction="none"
            )
            nlls.append(loss[part != -100])
    return torch.cat(nlls)


@torch.inference_mode()
def lm_eval_losses(model, ids, chunk=256):
    """lm-evaluation-harness: log_softmax, gather, sign at the end."""
    caches = model.new_caches(1, ids.shape[1])
    inp, cont = ids[:, :-1], ids[:, 1:]
    logits = [
        F.log_softmax(model(p, caches), dim=-1, dtype=torch.float32) for p in inp.split(chunk, 1)
    ]
    multi_logits = torch.cat(logits, dim=1)
    return -torch.gather(multi_logits, 2, cont.unsqueeze(-1)).squeeze(-1).squeeze(0)


def transformers_ntk(base, factor, head_dim):
    """HF's _compute_dynamic_ntk_parameters, at the length that is factor times the trained one."""
    max_position_embeddings = 2048
    seq_len = factor * max_position_embeddings
    scale = (1 * seq_len / max_position_embeddings) - (1 - 1)
    return base * scale ** (head_dim / (head_dim - 2))


def exllama_ntk(base, factor, head_dim):
    """exllama's calculate_rotary_embedding_base: alpha."""
    rotary_embedding_base = base
    rotary_embedding_base = rotary_embedding_base * factor ** (head_dim / (head_dim - 2))
    return rotary_embedding_base


def meta_apply_scaling(frequencies, factor=8.0, low=1.0, high=4.0, original_context=8192):
    """Meta's apply_scaling: a list, wavelengths, if, elif, else."""
    freqs = frequencies.float()
    low_freq_wavelen, high_freq_wavelen = original_context / low, original_context / high
    new_freqs = []
    for freq in freqs:
        wavelen = 2 * math.pi / freq
        if wavelen < high_freq_wavelen:
            new_freqs.append(freq)
        elif wavelen > low_freq_wavelen:
            new_freqs.append(freq / factor)
        else:
            assert low_freq_wavelen != high_freq_wavelen
            smooth = (original_context / wavelen - low) / (high - low)
            new_freqs.append((1 - smooth) * freq / factor + smooth * freq)
    return torch.stack(new_freqs).to(frequencies.dtype)


def lmdeploy_scaling(frequencies, factor=8.0, low=1.0, high=4.0, original_context=8192):
    """lmdeploy's kernel: alpha and beta computed beforehand."""
    inv_scaling_factor, inv_diff = 1 / factor, 1 / (high - low)
    alpha, beta = original_context / (2 * math.pi) * inv_diff, low * inv_diff
    inv_freq = frequencies.float()
    smooth = (alpha * inv_freq - beta).clamp(0.0, 1.0)
    return ((1 - smooth) * inv_freq * inv_scaling_factor + smooth * inv_freq).to(frequencies.dtype)


def llama_cpp_factors(frequencies, factor=8.0, low=1.0, high=4.0, original_context=8192):
    """llama.cpp's conversion: factors by which frequencies are divided, kept in a file."""
    rope_factors = []
    for freq in frequencies.float():
        wavelen = 2 * math.pi / freq
        if wavelen < original_context / high:
            rope_factors.append(torch.ones_like(freq))
        elif wavelen > original_context / low:
            rope_factors.append(torch.full_like(freq, factor))
        else:
            smooth = (original_context / wavelen - low) / (high - low)
            rope_factors.append(1 / ((1 - smooth) / factor + smooth))
    return (frequencies.float() / torch.stack(rope_factors)).to(frequencies.dtype)


def mistral_mask(n_queries, n_keys, window, n_sinks=0):
    """mistral-inference's first version: tril, triu with a diagonal, here with sinks."""
    if window < 1:
        raise ValueError("window")
    tensor = torch.full((n_keys, n_keys), fill_value=1)
    mask = torch.tril(tensor, diagonal=0)
    mask = torch.triu(mask, diagonal=-window + 1)
    mask[:, :n_sinks] = torch.tril(tensor)[:, :n_sinks]
    return mask[-n_queries:].bool()


def flex_mask(n_queries, n_keys, window, n_sinks=0):
    """FlexAttention: a mask_mod for each condition, and_masks, or_masks."""
    if window < 1:
        raise ValueError("window")
    offset = n_keys - n_queries

    def causal(q_idx, kv_idx):
        return q_idx + offset >= kv_idx

    def sliding(q_idx, kv_idx):
        return q_idx + offset - kv_idx < window

    def sink(q_idx, kv_idx):
        return kv_idx < n_sinks

    q, k = torch.meshgrid(torch.arange(n_queries), torch.arange(n_keys), indexing="ij")
    return causal(q, k) & (sliding(q, k) | sink(q, k))


class MLXRotating:
    """mlx-lm's RotatingKVCache: offset, _idx, keep; the index goes back to keep at the end."""

    def __init__(self, keys, values, length=0, n_sinks=0, frequencies=None):
        self.keys, self.values = keys, values
        self.offset, self.keep, self._idx = length, n_sinks, length
        self.max_size = keys.shape[2]
        self.frequencies = frequencies

    @property
    def length(self):
        return self.offset

    @property
    def n_sinks(self):
        return self.keep

    @classmethod
    def empty(
        cls,
        batch,
        n_kv_heads,
        window,
        head_dim,
        n_sinks=0,
        frequencies=None,
        dtype=torch.float32,
        device=None,
    ):
        shape = (batch, n_kv_heads, n_sinks + window, head_dim)
        keys = torch.zeros(shape, dtype=dtype, device=device)
        return cls(keys, torch.zeros_like(keys), 0, n_sinks, frequencies)

    def update(self, k, v):
        S = k.shape[2]
        if S > 1 and self.offset + S > self.max_size:
            raise ValueError("one at a time once it rotates")
        if self._idx == self.max_size:
            self._idx = self.keep
        self.keys[..., self._idx : self._idx + S, :] = k
        self.values[..., self._idx : self._idx + S, :] = v
        self.offset += S
        self._idx += S
        if self.offset < self.max_size:
            return self.keys[..., : self.offset, :], self.values[..., : self.offset, :]
        keys, dropped = self.keys, self.offset - self.max_size
        if self.frequencies is not None and dropped:
            turn = rope_angles(torch.tensor([dropped], device=keys.device), self.frequencies)
            keys = torch.cat(
                [apply_rope(keys[..., : self.keep, :], turn), keys[..., self.keep :, :]], dim=-2
            )
        return keys, self.values


class StreamingSinks:
    """transformers' first SinkCache: sink keys put in front of the last ones, re-rotated copies."""

    def __init__(self, keys, values, length=0, n_sinks=0, frequencies=None):
        self.keys, self.values, self.length = keys, values, length
        self.n_sinks, self.frequencies = n_sinks, frequencies
        self.order: deque = deque(maxlen=keys.shape[2] - n_sinks)

    @classmethod
    def empty(
        cls,
        batch,
        n_kv_heads,
        window,
        head_dim,
        n_sinks=0,
        frequencies=None,
        dtype=torch.float32,
        device=None,
    ):
        shape = (batch, n_kv_heads, n_sinks + window, head_dim)
        keys = torch.zeros(shape, dtype=dtype, device=device)
        return cls(keys, torch.zeros_like(keys), 0, n_sinks, frequencies)

    def update(self, k, v):
        room, T = self.keys.size(2), k.size(2)
        if T > 1 and self.length + T > room:
            raise ValueError("full")
        for t in range(T):
            slot = self.length
            if slot >= self.n_sinks:
                full = len(self.order) == self.order.maxlen
                slot = self.order[0] if full else slot
                self.order.append(slot)
            self.keys[:, :, slot], self.values[:, :, slot] = k[:, :, t], v[:, :, t]
            self.length += 1
        sinks = list(range(min(self.n_sinks, self.length)))
        keys = self.keys[:, :, sinks + list(self.order)]
        dropped = self.length - keys.size(2)
        if self.frequencies is not None and sinks and dropped:
            turned = apply_rope(keys[:, :, : len(sinks)], dropped * self.frequencies[None])
            keys = torch.cat([turned, keys[:, :, len(sinks) :]], dim=2)
        return keys, self.values[:, :, sinks + list(self.order)]


RIGHT = {
    "token_losses": [transformers_losses, lm_eval_losses],
    "ntk_base": [transformers_ntk, exllama_ntk],
    "llama3_scale_frequencies": [meta_apply_scaling, lmdeploy_scaling, llama_cpp_factors],
    "sliding_window_mask": [mistral_mask, flex_mask],
    "RollingKVCache": [MLXRotating, StreamingSinks],
}
