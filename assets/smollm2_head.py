"""What real heads ask and offer for the tokens of a sentence: heads of SmolLM2-135M-Instruct.

The numbers are made by tools/make_smollm2_head.py (the model: Apache-2.0, see NOTICE). Queries and
keys are kept as they are before RoPE; attention weights are the softmax of q·k / √64 after both
have been turned by the frequencies.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

FILE = Path(__file__).with_name("smollm2_head.npz")
FILE_OF_HEADS = Path(__file__).with_name("smollm2_heads.npz")


@dataclass(frozen=True)
class Head:
    """One head's queries and keys for a sentence, (T, 64) each, and where it is in the model."""

    words: list[str]
    q: Tensor
    k: Tensor
    frequencies: Tensor  # (32,)
    layer: int
    number: int


def head() -> tuple[list[str], Tensor, Tensor, Tensor]:
    """Layer 13, head 8: the words, their queries and keys, (T, 64) each, RoPE's frequencies."""
    kept = np.load(FILE)
    q, k, frequencies = (
        torch.from_numpy(kept[name].astype(np.float32)) for name in ("q", "k", "frequencies")
    )
    return [str(word) for word in kept["words"]], q, k, frequencies


@functools.cache
def heads() -> dict[str, Head]:
    """Some heads by what they look for: "same word", "word before", …, "who", "why"."""
    kept = np.load(FILE_OF_HEADS)
    found = {}
    for name in map(str, kept["names"]):
        q, k, frequencies = (
            torch.from_numpy(kept[key].astype(np.float32))
            for key in (f"{name} q", f"{name} k", "frequencies")
        )
        layer, number = kept[f"{name} place"].tolist()
        words = [str(word) for word in kept[f"{name} words"]]
        found[name] = Head(words, q, k, frequencies, layer, number)
    return found
