"""13 · Long context (made from solutions/13_long_context.py by tools/build.py)."""

import contextlib
import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from . import Llama, apply_rope, rope_angles


@torch.no_grad()
def token_losses(model: Llama, ids: Tensor, chunk: int = 256) -> Tensor:
    """How surprised the model is by each token, given all that stand before it: -ln p.

    ids: (1, T), T at least 2 → (T - 1,), float32; entry i is about token i + 1. The text goes through
    the model in pieces of at most `chunk` tokens, one after the other, with one set of new caches from
    model.new_caches(1, T); so the result does not depend on `chunk`. Half-precision logits are computed
    with in float32, and a very unlikely token has a large loss, not an infinite one.

    >>> class Fair:   # a model that thinks all of 4 tokens equally likely
    ...     def new_caches(self, batch, max_len):
    ...         return []
    ...     def __call__(self, ids, caches=None):
    ...         return torch.zeros(*ids.shape, 4)
    >>> token_losses(Fair(), torch.tensor([[3, 1, 0]]), chunk=2)   # ln 4, twice
    tensor([1.3863, 1.3863])
    """
    caches = model.new_caches(1, ids.shape[1])
    inputs, targets = ids[:, :-1], ids[0, 1:]
    losses = []
    for x, y in zip(inputs.split(chunk, dim=1), targets.split(chunk), strict=True):
        log_p = model(x, caches)[0].float().log_softmax(dim=-1)  # (t, V)
        losses.append(-log_p.gather(1, y[:, None])[:, 0])  # (t,)
    return torch.cat(losses)


@contextlib.contextmanager
def turned_by(model: Llama, frequencies: Tensor, gap: int = 0) -> Iterator[None]:
    """While this lasts, all blocks of the model turn queries and keys by these frequencies, (d/2,).

    gap: added to every position. What a cache holds keeps the angle with which it was stored.

    >>> with turned_by(small, rope_frequencies(24, 1e6)):   # another base, for this line only
    ...     logits = small(torch.tensor([[20, 53, 1]]))
    """

    def other_angles(block: Any, args: tuple, named: dict) -> tuple[tuple, dict]:
        call = dict(zip(("x", "angles", "cache"), args, strict=False)) | named
        x, cache = call["x"], call.get("cache")
        start = gap + (cache.length if cache is not None else 0)
        positions = torch.arange(start, start + x.shape[1], device=x.device)
        return (x, rope_angles(positions, frequencies.to(x.device)), cache), {}

    hooks = [b.register_forward_pre_hook(other_angles, with_kwargs=True) for b in model.layers]
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()


def ntk_base(base: float, factor: float, head_dim: int) -> float:
    """RoPE's base that makes the slowest pair `factor` times slower and leaves the fastest alone.

    base · factor^(d / (d - 2)), head_dim d at least 4. Pair i then turns factor^(2i / (d - 2)) times
    more slowly.

    >>> round(ntk_base(10_000.0, 8.0, 128))
    82685
    >>> old, new = rope_frequencies(8), rope_frequencies(8, ntk_base(10_000.0, 8.0, 8))
    >>> (old / new).round(decimals=3).tolist()   # 8^0, 8^(1/3), 8^(2/3), 8^1
    [1.0, 2.0, 4.0, 8.0]
    """
    return base * factor ** (head_dim / (head_dim - 2))


def llama3_scale_frequencies(
    frequencies: Tensor,
    factor: float = 8.0,
    low: float = 1.0,
    high: float = 4.0,
    original_context: int = 8192,
) -> Tensor:
    """Llama 3.1's rule: fast pairs stay, slow ones become `factor` times slower, between them a ramp.

    frequencies: (d/2,), radians per position → (d/2,), same dtype. A pair's wavelength is 2π / frequency.
    turns = original_context / wavelength. At least `high` turns: kept; at most `low`: divided by factor;
    else (1 - s) · frequency / factor + s · frequency, with s = (turns - low) / (high - low).

    >>> wavelengths = torch.tensor([1024.0, 4096.0, 16384.0])   # 8 turns, 2 turns, half a turn
    >>> scaled = llama3_scale_frequencies(2 * math.pi / wavelengths)
    >>> [round(w, 1) for w in (2 * math.pi / scaled).tolist()]   # s = 1/3: f · (2/3 · 1/8 + 1/3) = f · 5/12
    [1024.0, 9830.4, 131072.0]
    """
    theta = frequencies.float()
    turns = original_context * theta / (2 * math.pi)
    s = ((turns - low) / (high - low)).clamp(0, 1)  # 0: slow, 1: fast
    return ((1 - s) * theta / factor + s * theta).to(frequencies.dtype)


def sliding_window_mask(n_queries: int, n_keys: int, window: int, n_sinks: int = 0) -> Tensor:
    """Say who may look at whom when a query sees only the last `window` positions, itself included.

    As in causal_mask the queries are the LAST T = n_queries of the S = n_keys positions. The first
    n_sinks positions are seen as well, by all who come after them and by themselves; never the future.
    Returns (T, S), bool. ValueError unless window is at least 1.

    >>> sliding_window_mask(2, 5, window=2, n_sinks=1)   # the queries stand at 3 and 4
    tensor([[ True, False,  True,  True, False],
            [ True, False, False,  True,  True]])
    """
    if window < 1:
        raise ValueError(f"window is {window}: a query has to see at least itself")
    query = torch.arange(n_keys - n_queries, n_keys)[:, None]  # (T, 1)
    key = torch.arange(n_keys)  # (S,)
    near, sink = key > query - window, key < n_sinks
    return (key <= query) & (near | sink)


@dataclass
class RollingKVCache:
    """A cache that never grows: the first n_sinks positions, and the last `window` of the others.

    `length` counts all positions that ever came in, so that Llama goes on counting. Positions come one
    at a time; several at once are taken as long as they and all before them fit.

    With `frequencies` the sinks follow the window: as soon as positions have been dropped, the keys of
    the sinks that update returns are turned on by that many positions, so that no distance becomes
    larger than n_sinks + window - 1. The stored keys stay as they are.

    >>> cache = RollingKVCache.empty(batch=1, n_kv_heads=1, window=2, head_dim=2, n_sinks=1)
    >>> for i in range(5):   # positions that are their own number
    ...     keys, values = cache.update(torch.full((1, 1, 1, 2), float(i)), torch.zeros(1, 1, 1, 2))
    >>> sorted(keys[0, 0, :, 0].tolist()), cache.length   # 0 is a sink, 3 and 4 are the window
    ([0.0, 3.0, 4.0], 5)
    """

    keys: Tensor  # (B, K, n_sinks + window, d)
    values: Tensor  # (B, K, n_sinks + window, d)
    length: int
    n_sinks: int = 0
    frequencies: Tensor | None = None  # (d/2,)

    @classmethod
    def empty(
        cls,
        batch: int,
        n_kv_heads: int,
        window: int,
        head_dim: int,
        n_sinks: int = 0,
        frequencies: Tensor | None = None,
        dtype: torch.dtype = torch.float32,
        device: torch.device | str | None = None,
    ) -> "RollingKVCache":
        """Make a cache with nothing in it: two buffers (B, K, n_sinks + window, d), length 0."""
        shape = (batch, n_kv_heads, n_sinks + window, head_dim)
        keys = torch.zeros(shape, dtype=dtype, device=device)
        values = torch.zeros(shape, dtype=dtype, device=device)
        return cls(keys, values, 0, n_sinks, frequencies)

    def update(self, k: Tensor, v: Tensor) -> tuple[Tensor, Tensor]:
        """Store T new positions; return the keys and values that are kept.

        k, v: (B, K, T, d) → two of (B, K, min(length, n_sinks + window), d), in the cache's dtype: in the
        order of the text until a position is dropped, then in any order, the same for keys and values.
        ValueError when T > 1 and they do not all fit, and then the cache is unchanged.
        """
        room, T = self.keys.shape[2], k.shape[2]
        window, end = room - self.n_sinks, self.length + T
        if T > 1 and end > room:
            raise ValueError(f"{T} at once do not fit: {self.length} of {room} slots are taken")
        ring = self.n_sinks + (self.length - self.n_sinks) % window  # the oldest, once it is full
        at = self.length if end <= room else ring
        self.keys[:, :, at : at + T] = k
        self.values[:, :, at : at + T] = v
        self.length = end
        kept = min(end, room)
        keys, values = self.keys[:, :, :kept], self.values[:, :, :kept]
        dropped = end - kept
        if self.frequencies is not None and dropped:
            turn = rope_angles(torch.tensor([dropped], device=keys.device), self.frequencies)
            sinks, others = keys[:, :, : self.n_sinks], keys[:, :, self.n_sinks :]
            keys = torch.cat([apply_rope(sinks, turn), others], dim=2)
        return keys, values
