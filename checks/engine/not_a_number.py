"""Watches for NaNs that are turned into whole numbers.

It needs torch only, so that the class grader's workers, which have no checks, can load it as well.
"""

from typing import Any

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode


class NaNsMadeWhole(TorchFunctionMode):
    """Watches for a NaN that is turned into a whole number: what becomes of it is left open."""

    def __init__(self) -> None:
        super().__init__()
        self.seen = False

    def __torch_function__(
        self, func: Any, types: Any, args: tuple = (), kwargs: Any = None
    ) -> Any:
        """Look at what is converted, and do as told."""
        result = func(*args, **(kwargs or {}))
        made = isinstance(result, Tensor) and result.dtype == torch.int8
        given = args[0] if args else None
        if made and isinstance(given, Tensor) and given.dtype != torch.int8:
            self.seen |= bool(given.isnan().any())
        return result


def watching() -> list[NaNsMadeWhole]:
    """Those that watch now."""
    stack = torch.overrides._get_current_function_mode_stack()
    return [mode for mode in stack if isinstance(mode, NaNsMadeWhole)]
