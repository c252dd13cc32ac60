"""What the labs that write a cache share: how one is read."""

from typing import Any

from torch import Tensor

from checks.engine.answer import Wrong


def both(found: Any) -> list[Tensor]:
    """The keys and the values that `update` returned, or a sentence."""
    pair = list(found) if isinstance(found, tuple | list) else []
    if len(pair) != 2 or not all(isinstance(part, Tensor) for part in pair):
        written = {"NoneType": "None", "Answer": "the cache"}.get(type(found).__name__)
        shown = written or f"a {type(found).__name__}"
        raise Wrong(f"update returned {shown}; expected two tensors, all keys and all values.")
    return [part.clone() for part in pair]


def length_of(cache: Any) -> Any:
    """Its length of now: a tensor, which it should not be, may be counted up in place."""
    return cache.length.clone() if isinstance(cache.length, Tensor) else cache.length
