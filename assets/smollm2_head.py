"""What one real head asks and offers for eight tokens: SmolLM2-135M-Instruct, layer 13, head 8.

The numbers are made by tools/make_smollm2_head.py (the model: Apache-2.0, see NOTICE).
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from torch import Tensor

FILE = Path(__file__).with_name("smollm2_head.npz")


def head() -> tuple[list[str], Tensor, Tensor, Tensor]:
    """The words, their queries and keys before RoPE, (T, 64) each, and RoPE's frequencies, (32,).

    Attention weights are the softmax of q·k / √64 after both have been turned.
    """
    kept = np.load(FILE)
    q, k, frequencies = (
        torch.from_numpy(kept[name].astype(np.float32)) for name in ("q", "k", "frequencies")
    )
    return [str(word) for word in kept["words"]], q, k, frequencies
