"""A mistake with a memory of its own, in 3.1 and 3.3: the base is not among what it remembers."""

from collections.abc import Callable

from torch import Tensor


def remembered(function: Callable[..., Tensor]) -> Callable[..., Tensor]:
    """Make a cache that forgets the base: what was computed first is returned for good."""
    kept: dict[tuple, Tensor] = {}

    def wrong(*args: float) -> Tensor:
        sizes = args[:-1] if isinstance(args[-1], float) else args
        if sizes not in kept:
            kept[sizes] = function(*args)
        return kept[sizes].clone()

    return wrong
