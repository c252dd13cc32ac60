"""What labs 05 and 06 both see layers do wrong with their cache: q, k, v, cache → keys, values."""

import math
from typing import Any

import torch
from torch import Tensor


def forgets(q: Tensor, k: Tensor, v: Tensor, cache: Any) -> tuple:
    """Store, and attend to the new positions only."""
    cache.update(k, v)
    return k, v


def never_stored(q: Tensor, k: Tensor, v: Tensor, cache: Any) -> tuple:
    """Read the cache, and store nothing in it."""
    n = cache.length
    return torch.cat([cache.keys[:, :, :n], k], 2), torch.cat([cache.values[:, :, :n], v], 2)


def length_stays(q: Tensor, k: Tensor, v: Tensor, cache: Any) -> tuple:
    """Write, and leave the length as it was."""
    end = cache.length + k.shape[2]
    cache.keys[:, :, cache.length : end], cache.values[:, :, cache.length : end] = k, v
    return cache.keys[:, :, :end], cache.values[:, :, :end]


def scaled_in_cache(q: Tensor, k: Tensor, v: Tensor, cache: Any) -> tuple:
    """Scale the stored keys themselves, again at every call."""
    keys, values = cache.update(k, v)
    keys /= math.sqrt(q.shape[-1])
    return keys * math.sqrt(q.shape[-1]), values


def reads_before(q: Tensor, k: Tensor, v: Tensor, cache: Any) -> tuple:
    """Read before storing: the newest positions are missing."""
    old = cache.keys[:, :, : cache.length], cache.values[:, :, : cache.length]
    cache.update(k, v)
    return old if old[0].shape[2] else (k, v)
