"""How large the residual stream of SmolLM2-135M-Instruct is: eight tokens, sixty sub-layers.

The numbers are made by tools/make_smollm2_stream.py (the model: Apache-2.0, see NOTICE).
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

FILE = Path(__file__).with_name("smollm2_stream.npz")


def stream() -> tuple[list[str], np.ndarray, np.ndarray]:
    """The words, the sizes of their vectors, and the sizes of what is added to them.

    The vectors' before sub-layer 0, 1, … and after the last: (61, T); what each adds: (60, T).
    """
    kept = np.load(FILE)
    return [str(word) for word in kept["words"]], kept["sizes"], kept["added"]
