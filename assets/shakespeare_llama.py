"""A small Llama that has learned to write like Shakespeare: `CONFIG`, `VOCAB`, `weights()`.

`python -m tools.make_shakespeare_llama` has trained it on the first nine tenths of
assets/shakespeare.py, character by character. Its weights are stored as float16.
"""

import json
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

FILE = Path(__file__).with_suffix(".npz")

_about: dict[str, Any] = json.loads(Path(__file__).with_suffix(".json").read_text("utf-8"))
CONFIG: dict[str, Any] = _about["config"]  # what LlamaConfig takes
VOCAB: list[str] = list(_about["vocab"])  # the characters, in the order of their ids
STEPS: int = _about["steps"]  # of training
CONTEXT: int = _about["context"]  # characters it saw at once
HELD_OUT_LOSS: float = _about["held_out_loss"]  # on the last tenth of the text, nats a character


def weights() -> dict[str, Tensor]:
    """Read the weights, float32, by the names of the course's `Llama`."""
    import numpy as np

    with np.load(FILE) as stored:
        return {name: torch.from_numpy(stored[name]).float() for name in stored.files}
