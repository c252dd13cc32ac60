"""Lab 13: mistakes that somebody made in public, rewritten as answers to the exercises."""

import math
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from wrong_answers import Public

from solutions.my_llama import apply_rope, rope_angles


@torch.no_grad()
def strided_labels(model: Any, ids, chunk=256):
    """The windows begin after one another, and the model shifts inside each."""
    caches, nlls = model.new_caches(1, ids.size(1)), []
    for begin_loc in range(0, ids.size(1), chunk):
        input_ids = ids[:, begin_loc : begin_loc + chunk]
        target_ids = input_ids.clone()
        logits = model(input_ids, caches).float()
        shift_logits, shift_labels = logits[0, :-1], target_ids[0, 1:]
        nlls.append(F.cross_entropy(shift_logits, shift_labels, reduction="none"))
    return torch.cat(nlls)


@torch.no_grad()
def average_of_windows(model: Any, ids, chunk=256):
    caches, nlls = model.new_caches(1, ids.size(1)), []
    for x, y in zip(ids[:, :-1].split(chunk, 1), ids[0, 1:].split(chunk), strict=True):
        nlls.append(F.cross_entropy(model(x, caches)[0].float(), y))
    return torch.stack(nlls)


@torch.no_grad()
def short_last_window(model: Any, ids, chunk=256):
    """The loop goes over whole windows: what is left at the end is not read."""
    caches, nlls = model.new_caches(1, ids.size(1)), []
    n = ids.size(1) - 1
    for i in range(0, max(n - n % chunk, min(n, chunk)), chunk):
        y = ids[0, 1 + i : 1 + i + chunk][: n - i]
        logits = model(ids[:, i : i + len(y)], caches)[0].float()
        nlls.append(-logits.log_softmax(-1)[torch.arange(len(y)), y])
    return torch.cat(nlls)


def never_read(frequencies, factor=8.0, low=1.0, high=4.0, original_context=8192):
    """The setting is parsed, and nobody looks at it."""
    settings = {"factor": factor, "low": low, "high": high, "context": original_context}
    assert settings
    return frequencies.clone()


def computed_and_dropped(frequencies, factor=8.0, low=1.0, high=4.0, original_context=8192):
    inv_freq_llama = frequencies.float()
    wavelen = 2 * math.pi / inv_freq_llama
    smooth = ((original_context / wavelen - low) / (high - low)).clamp(0, 1)
    inv_freq_llama = (1 - smooth) * inv_freq_llama / factor + smooth * inv_freq_llama
    return frequencies


def smooth_in_wavelengths(frequencies, factor=8.0, low=1.0, high=4.0, original_context=8192):
    """The ramp in the wavelength, and frequencies taken for periods."""
    periods = 1 / frequencies.float()
    wavelens = 2 * math.pi * periods
    low_wavelen, high_wavelen = original_context / low, original_context / high
    smooth = ((wavelens - high_wavelen) / (low_wavelen - high_wavelen)).clamp(0, 1)
    periods = periods * ((1 - smooth) + smooth * factor)
    return (1 / periods).to(frequencies.dtype)


def one_value_too_many(n_queries, n_keys, window, n_sinks=0):
    if window < 1:
        raise ValueError("window")
    rinds = torch.arange(n_keys)
    linds = torch.arange(n_keys - n_queries, n_keys)[:, None]
    mask = linds >= rinds
    return mask & ((linds <= rinds + window) | (rinds < n_sinks))


def both_directions(n_queries, n_keys, window, n_sinks=0):
    """window_size=(w, w): backward and forward."""
    if window < 1:
        raise ValueError("window")
    q = torch.arange(n_keys - n_queries, n_keys)[:, None]
    k = torch.arange(n_keys)
    return ((q - k).abs() < window) | ((k < n_sinks) & (k <= q))


def window_never_passed(n_queries, n_keys, window, n_sinks=0):
    """The window reaches one path only: here is the other, plain causal."""
    if window < 1:
        raise ValueError("window")
    return torch.ones(n_queries, n_keys, dtype=torch.bool).tril(n_keys - n_queries)


@dataclass
class _Cache:
    keys: Any
    values: Any
    length: int
    n_sinks: int = 0
    frequencies: Any = None

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
        zeros = (torch.zeros(shape, dtype=dtype, device=device) for _ in range(2))
        return cls(*zeros, 0, n_sinks, frequencies)

    def _sinks(self, keys, dropped):
        if self.frequencies is None or not dropped or not self.n_sinks:
            return keys
        turn = rope_angles(torch.tensor([dropped], device=keys.device), self.frequencies)
        n = self.n_sinks
        return torch.cat([apply_rope(keys[:, :, :n], turn), keys[:, :, n:]], dim=2)


class RetainedRowsAreTheOffset(_Cache):
    def update(self, k, v):
        room, offset = self.keys.shape[2], self.length
        if k.shape[2] > 1 and offset + k.shape[2] > room:
            raise ValueError("full")
        n = self.n_sinks
        if offset + k.shape[2] > room:
            self.keys = torch.cat([self.keys[:, :, :n], self.keys[:, :, n + 1 :], k], 2)
            self.values = torch.cat([self.values[:, :, :n], self.values[:, :, n + 1 :], v], 2)
            self.length = self.keys.shape[2]
        else:
            self.keys[:, :, offset : offset + k.shape[2]] = k
            self.values[:, :, offset : offset + k.shape[2]] = v
            self.length += k.shape[2]
        keys = self.keys[:, :, : self.length]
        return self._sinks(keys, self.length - keys.shape[2]), self.values[:, :, : self.length]


class PastModuloWindow(_Cache):
    """The slot is past_length % window, whatever is in the cache."""

    def update(self, k, v):
        room, n = self.keys.shape[2], self.n_sinks
        T, end = k.shape[2], self.length + k.shape[2]
        if T > 1 and end > room:
            raise ValueError("full")
        at = self.length if end <= room else n + self.length % (room - n)
        self.keys[:, :, at : at + T], self.values[:, :, at : at + T] = k, v
        self.length = end
        kept = min(end, room)
        return self._sinks(self.keys[:, :, :kept], end - kept), self.values[:, :, :kept]


class NeverEvicts(_Cache):
    def update(self, k, v):
        room, end = self.keys.shape[2], self.length + k.shape[2]
        if k.shape[2] > 1 and end > room:
            raise ValueError("full")
        self.all_k = k if not self.length else torch.cat([self.all_k, k], 2)
        self.all_v = v if not self.length else torch.cat([self.all_v, v], 2)
        self.length = end
        return self.all_k, self.all_v


class CutBeforeTheChunk(_Cache):
    """A chunk on top of a full window is taken, and the oldest are cut before it has looked."""

    def update(self, k, v):
        room, n = self.keys.shape[2], self.n_sinks
        for i in range(k.shape[2]):
            at = self.length if self.length < room else n + (self.length - n) % (room - n)
            self.keys[:, :, at], self.values[:, :, at] = k[:, :, i], v[:, :, i]
            self.length += 1
        kept = min(self.length, room)
        return self._sinks(self.keys[:, :, :kept], self.length - kept), self.values[:, :, :kept]


PUBLIC = {
    "token_losses": [
        Public(
            strided_labels,
            "huggingface/transformers#30975",
            "the windows are cut first and shifted inside: a label is missing at every seam",
            named=("seams_fed_but_not_counted", "seams_missing"),
        ),
        Public(
            average_of_windows,
            "huggingface/transformers#34138",
            "averages each window, so that windows count alike and not tokens",
            named=("mean_of_the_piece",),
        ),
        Public(
            short_last_window,
            "huggingface/transformers#7938",
            "the last window, which is shorter, is left out of account",
            named=("last_piece_dropped",),
        ),
    ],
    "llama3_scale_frequencies": [
        Public(
            never_read,
            "lablup/mlxcel#1355",
            "rope_scaling is parsed and never read",
            named=("not_returned",),
        ),
        Public(
            computed_and_dropped,
            "felafax/felafax#59",
            "the plain frequencies are used, whatever the rule says",
            named=("not_returned",),
        ),
        Public(
            smooth_in_wavelengths,
            "ml-explore/mlx-examples#907",
            "the ramp is in the wavelength, on periods",
            named=("ramp_in_the_wavelength", "wavelengths_mixed"),
        ),
    ],
    "sliding_window_mask": [
        Public(
            one_value_too_many,
            "ml-explore/mlx-lm#390",
            "the window holds one position too many",
            named=("window_one_too_long",),
        ),
        Public(
            both_directions,
            "huggingface/transformers#39408",
            "the window reaches backward and forward",
            named=("both_sides",),
        ),
        Public(
            window_never_passed,
            "unslothai/unsloth#8253",
            "the window is not handed on: plain causal attention",
            named=("no_window",),
        ),
    ],
    "RollingKVCache": [
        Public(
            RetainedRowsAreTheOffset,
            "rajveer43/VeloxQuant-MLX#389",
            "the offset is set to the rows that are retained",
            named=("length_is_rows_kept",),
        ),
        Public(
            PastModuloWindow,
            "huggingface/transformers#47708",
            "the slot is the past length modulo the window",
            named=("sinks_not_subtracted",),
        ),
        Public(
            NeverEvicts,
            "rajveer43/VeloxQuant-MLX#274",
            "nothing is ever evicted",
            named=("grows",),
        ),
        Public(
            CutBeforeTheChunk,
            "ollama/ollama#15591",
            "a chunk is taken by a full window, whose oldest keys its first queries still need",
            named=("nothing_is_refused",),
        ),
    ],
}
