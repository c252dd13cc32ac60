"""Lab 13: right answers, written differently."""

import math
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from solutions.my_llama import apply_rope, rope_angles

# token_losses


@torch.no_grad()
def losses_by_cross_entropy(model: Any, ids: Tensor, chunk: int = 256) -> Tensor:
    """torch's own cross_entropy, piece by piece."""
    caches = model.new_caches(1, ids.shape[1])
    found = []
    for start in range(0, ids.shape[1] - 1, chunk):
        end = min(start + chunk, ids.shape[1] - 1)
        logits = model(ids[:, start:end], caches)
        found.append(
            F.cross_entropy(logits[0].float(), ids[0, start + 1 : end + 1], reduction="none")
        )
    return torch.cat(found)


def losses_feeding_everything(model: Any, ids: Tensor, chunk: int = 256) -> Tensor:
    """The last token goes in, too; its logits are thrown away. logsumexp by hand."""
    losses = torch.empty(ids.shape[1] - 1)
    with torch.inference_mode():
        caches = model.new_caches(1, ids.shape[1])
        at = 0
        for piece in ids.split(chunk, dim=1):
            for row in model(piece, caches)[0].float():
                if at < len(losses):
                    losses[at] = row.logsumexp(0) - row[ids[0, at + 1]]
                at += 1
    return losses


@torch.no_grad()
def losses_carried(model: Any, ids: Tensor, chunk: int = 256) -> Tensor:
    """The last logits of a piece are kept for the first token of the next one."""
    caches, carried, found = model.new_caches(1, ids.shape[1]), None, []
    for piece in ids.split(chunk, dim=1):
        log_p = torch.log_softmax(model(piece, caches).squeeze(0).double(), -1)
        before = log_p[:-1] if carried is None else torch.cat([carried, log_p[:-1]])
        targets = piece[0, 1:] if carried is None else piece[0]
        found.append(-before[torch.arange(len(targets)), targets])
        carried = log_p[-1:]
    return torch.cat(found).float()


@torch.no_grad()
def losses_one_token_at_a_time(model: Any, ids: Tensor, chunk: int = 256) -> Tensor:
    """Token by token, whatever chunk is: no piece is larger."""
    caches, losses = model.new_caches(1, ids.size(1)), []
    for here, following in zip(ids[0, :-1], ids[0, 1:], strict=True):
        logits = model(here.view(1, 1), caches)[0, -1].float()
        losses.append(torch.logsumexp(logits - logits[following], dim=0))
    return torch.stack(losses)


# ntk_base


def ntk_from_frequency(base: float, factor: float, head_dim: int) -> float:
    """The slowest frequency, divided, and the base that has it."""
    exponent = -(head_dim - 2) / head_dim
    return (base**exponent / factor) ** (1 / exponent)


def ntk_by_logarithms(base: float, factor: float, head_dim: int) -> float:
    """Sums of logarithms."""
    pairs = head_dim / 2
    return math.exp(math.log(base) + math.log(factor) * pairs / (pairs - 1))


def ntk_in_torch(base: float, factor: float, head_dim: int) -> float:
    """float64 tensors, and an item at the end."""
    s, d = torch.tensor(factor, dtype=torch.float64), torch.tensor(head_dim)
    return float(base * s.pow(1 / (1 - 2 / d.double())))


def ntk_as_product(base: float, factor: float, head_dim: int) -> float:
    """factor once, and its small rest."""
    return base * factor * pow(factor, 2 / (head_dim - 2))


# llama3_scale_frequencies


def scale_by_where(
    frequencies: Tensor,
    factor: float = 8.0,
    low: float = 1.0,
    high: float = 4.0,
    original_context: int = 8192,
) -> Tensor:
    """Wavelengths and torch.where: transformers' way."""
    wide = frequencies.float()
    wavelen = 2 * math.pi / wide
    scaled = torch.where(wavelen > original_context / low, wide / factor, wide)
    smooth = (original_context / wavelen - low) / (high - low)
    between = (1 - smooth) * wide / factor + smooth * wide
    medium = (wavelen <= original_context / low) & (wavelen >= original_context / high)
    return torch.where(medium, between, scaled).to(frequencies.dtype)


def scale_by_loop(
    frequencies: Tensor,
    factor: float = 8.0,
    low: float = 1.0,
    high: float = 4.0,
    original_context: int = 8192,
) -> Tensor:
    """Pair by pair, with if and else: Meta's way."""
    kept = []
    for frequency in frequencies.float():
        wavelength = 2 * math.pi / frequency
        if wavelength < original_context / high:
            kept.append(frequency)
        elif wavelength > original_context / low:
            kept.append(frequency / factor)
        else:
            s = (original_context / wavelength - low) / (high - low)
            kept.append((1 - s) * frequency / factor + s * frequency)
    return torch.stack(kept).to(frequencies.dtype)


def scale_by_lerp(
    frequencies: Tensor,
    factor: float = 8.0,
    low: float = 1.0,
    high: float = 4.0,
    original_context: int = 8192,
) -> Tensor:
    """torch.lerp between the two, computed in float64."""
    theta = frequencies.double()
    turns = theta * original_context / math.tau
    share = torch.clamp((turns - low) / (high - low), min=0.0, max=1.0)
    return torch.lerp(theta / factor, theta, share).to(frequencies.dtype)


def scale_by_a_multiplier(
    frequencies: Tensor,
    factor: float = 8.0,
    low: float = 1.0,
    high: float = 4.0,
    original_context: int = 8192,
) -> Tensor:
    """One multiplier for each pair."""
    turns = frequencies.float() * original_context / (2 * torch.pi)
    s = torch.minimum(
        torch.maximum((turns - low) / (high - low), torch.zeros_like(turns)),
        torch.ones_like(turns),
    )
    return (frequencies.float() * (1 / factor + s * (1 - 1 / factor))).to(frequencies.dtype)


# sliding_window_mask


def window_by_tril(n_queries: int, n_keys: int, window: int, n_sinks: int = 0) -> Tensor:
    """Triangles: below one diagonal, not below another, sinks written in."""
    if window <= 0:
        raise ValueError("empty window")
    square = torch.ones(n_keys, n_keys, dtype=torch.bool)
    band = square.tril() & square.triu(1 - window)
    band[:, :n_sinks] = True
    return (band & square.tril())[n_keys - n_queries :]


def window_by_distance(n_queries: int, n_keys: int, window: int, n_sinks: int = 0) -> Tensor:
    """The distance of each pair."""
    if not window >= 1:
        raise ValueError(f"window={window}")
    position = torch.arange(n_keys)
    distance = position[-n_queries:, None] - position[None, :]
    mask = (distance >= 0) & (distance < window)
    mask |= (distance >= 0) & (position < n_sinks)[None, :]
    return mask


def window_by_lists(n_queries: int, n_keys: int, window: int, n_sinks: int = 0) -> Tensor:
    """Row by row, as slices."""
    if window < 1:
        raise ValueError("window")
    mask = torch.zeros(n_queries, n_keys, dtype=torch.bool)
    for row in range(n_queries):
        at = n_keys - n_queries + row
        mask[row, max(0, at - window + 1) : at + 1] = True
        mask[row, : min(n_sinks, at + 1)] = True
    return mask


def window_by_exclusion(n_queries: int, n_keys: int, window: int, n_sinks: int = 0) -> Tensor:
    """What is hidden, turned round."""
    if window < 1:
        raise ValueError("window")
    q = torch.arange(n_queries).unsqueeze(1) + n_keys - n_queries
    k = torch.arange(n_keys).unsqueeze(0)
    return ~((k > q) | ((q - k >= window) & (k >= n_sinks)))


# RollingKVCache


@dataclass
class RemainderRing:
    """One slot after the other, in a loop; the slot by a remainder."""

    keys: Tensor
    values: Tensor
    length: int
    n_sinks: int = 0
    frequencies: Tensor | None = None

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
        return cls(
            torch.empty(shape, dtype=dtype, device=device),
            torch.empty(shape, dtype=dtype, device=device),
            0,
            n_sinks,
            frequencies,
        )

    def update(self, k, v):
        room = self.keys.shape[2]
        if k.shape[2] > 1 and self.length + k.shape[2] > room:
            raise ValueError("full")
        for i in range(k.shape[2]):
            at = self.length
            if at >= self.n_sinks:
                at = (at - self.n_sinks) % (room - self.n_sinks) + self.n_sinks
            self.keys[:, :, at] = k[:, :, i]
            self.values[:, :, at] = v[:, :, i]
            self.length += 1
        n = min(self.length, room)
        keys = self.keys[:, :, :n].clone()
        if self.frequencies is not None and self.length > room:
            moved = torch.full((self.n_sinks,), self.length - room, device=keys.device)
            angles = rope_angles(moved, self.frequencies)
            keys[:, :, : self.n_sinks] = apply_rope(keys[:, :, : self.n_sinks], angles)
        return keys, self.values[:, :, :n].clone()


@dataclass
class ShiftedCache:
    """Moves the window forward by a slot, so that the order is always that of the text."""

    keys: Tensor
    values: Tensor
    length: int
    n_sinks: int = 0
    frequencies: Tensor | None = None

    @staticmethod
    def empty(
        batch,
        n_kv_heads,
        window,
        head_dim,
        n_sinks=0,
        frequencies=None,
        dtype=torch.float32,
        device=None,
    ):
        keys = torch.zeros(
            batch, n_kv_heads, n_sinks + window, head_dim, dtype=dtype, device=device
        )
        return ShiftedCache(keys, torch.zeros_like(keys), 0, n_sinks, frequencies)

    def update(self, k, v):
        s, room, T = self.n_sinks, self.keys.size(2), k.size(2)
        if self.length + T <= room:
            self.keys[:, :, self.length : self.length + T] = k
            self.values[:, :, self.length : self.length + T] = v
        elif T == 1:
            for buffer, new in ((self.keys, k), (self.values, v)):
                buffer[:, :, s:-1] = buffer[:, :, s + 1 :].clone()
                buffer[:, :, -1:] = new
        else:
            raise ValueError(f"no room for {T}")
        self.length += T
        keys, values = (b[:, :, : self.length] for b in (self.keys, self.values))
        if self.frequencies is not None and s and self.length > room:
            angles = (self.length - room) * self.frequencies
            keys = torch.cat([apply_rope(keys[:, :, :s], angles[None]), keys[:, :, s:]], dim=2)
        return keys, values


@dataclass
class NewestFirst:
    """New buffers at each step, newest first once full, as one does it in JAX; and a list back."""

    keys: Tensor
    values: Tensor
    length: int = 0
    n_sinks: int = 0
    frequencies: Tensor | None = None

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
        nothing = torch.full(
            (batch, n_kv_heads, window + n_sinks, head_dim), torch.nan, dtype=dtype, device=device
        )
        return cls(nothing, nothing.clone(), 0, n_sinks, frequencies)

    def _sorted(self, buffer: Tensor) -> Tensor:
        room, window = buffer.shape[2], buffer.shape[2] - self.n_sinks
        if self.length <= room:
            return buffer[:, :, : self.length]
        newest = (self.length - 1 - self.n_sinks) % window
        order = [self.n_sinks + (newest - i) % window for i in range(window)]
        return buffer[:, :, [*order, *range(self.n_sinks)]]

    def update(self, k, v):
        room, end = self.keys.shape[2], self.length + k.shape[2]
        if end > room and k.shape[2] != 1:
            raise ValueError("one at a time")
        at = self.length
        if end > room:
            at = self.n_sinks + (at - self.n_sinks) % (room - self.n_sinks)

        def put(buffer: Tensor, new: Tensor) -> Tensor:
            new = new.to(buffer.dtype)
            return torch.cat([buffer[:, :, :at], new, buffer[:, :, at + new.shape[2] :]], 2)

        self.keys, self.values, self.length = put(self.keys, k), put(self.values, v), end
        keys, values = self._sorted(self.keys), self._sorted(self.values)
        dropped = end - keys.shape[2]
        if self.frequencies is not None and self.n_sinks and dropped > 0:
            split = keys.shape[2] - self.n_sinks
            turn = rope_angles(torch.tensor([dropped], device=keys.device), self.frequencies)
            keys = torch.cat([keys[:, :, :split], apply_rope(keys[:, :, split:], turn)], 2)
        return [keys, values]


class TwoParts:
    """No dataclass: sinks and ring are views into one block, the write head is a number of its own."""

    def __init__(self, keys, values, length=0, n_sinks=0, frequencies=None):
        self.keys, self.values = keys, values
        self.length, self.n_sinks, self.frequencies = length, n_sinks, frequencies
        self.head = 0

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
        block = torch.zeros(
            2, batch, n_kv_heads, n_sinks + window, head_dim, dtype=dtype, device=device
        )
        return cls(block[0], block[1], 0, n_sinks, frequencies)

    @property
    def window(self) -> int:
        return self.keys.shape[2] - self.n_sinks

    def update(self, k, v):
        T, room = k.shape[-2], self.window + self.n_sinks
        if T > 1 and self.length + T > room:
            raise ValueError("chunks are only for a cache with room")
        if self.length + T <= room:
            self.keys.narrow(2, self.length, T).copy_(k)
            self.values.narrow(2, self.length, T).copy_(v)
        else:
            self.keys[:, :, self.n_sinks + self.head] = k[:, :, 0]
            self.values[:, :, self.n_sinks + self.head] = v[:, :, 0]
            self.head = (self.head + 1) % self.window
        self.length = self.length + T
        kept = min(room, self.length)
        keys, values = self.keys.narrow(2, 0, kept), self.values.narrow(2, 0, kept)
        if self.frequencies is None or self.length <= room or self.n_sinks == 0:
            return keys, values
        sinks, ring = keys.split([self.n_sinks, self.window], dim=2)
        turn = ((self.length - room) * self.frequencies)[None]
        return torch.cat([apply_rope(sinks, turn), ring], dim=2), values


ACCEPTED = {
    "token_losses": [
        losses_by_cross_entropy,
        losses_feeding_everything,
        losses_carried,
        losses_one_token_at_a_time,
    ],
    "ntk_base": [ntk_from_frequency, ntk_by_logarithms, ntk_in_torch, ntk_as_product],
    "llama3_scale_frequencies": [
        scale_by_where,
        scale_by_loop,
        scale_by_lerp,
        scale_by_a_multiplier,
    ],
    "sliding_window_mask": [
        window_by_tril,
        window_by_distance,
        window_by_lists,
        window_by_exclusion,
    ],
    "RollingKVCache": [RemainderRing, ShiftedCache, NewestFirst, TwoParts],
}

# What the browser test types into an exercise cell: exercise, source, key of the mistake.
TYPED = (
    "13.4",
    """def sliding_window_mask(n_queries, n_keys, window, n_sinks=0):
    if window < 1:
        raise ValueError(f"window {window}")
    query = torch.arange(n_keys - n_queries, n_keys)[:, None]
    key = torch.arange(n_keys)
    return (key <= query) & ((key >= query - window) | (key < n_sinks))
""",
    "window_one_too_long",
)
