"""Two frozen Llamas with random weights, and what Hugging Face's LlamaForCausalLM does with them.

The numbers lie in llama_reference.npz, written by `python -m tests.make_llama_reference`. Names and
order of rows are this course's: wq and wk pair neighbouring features, as Meta's code does.
`compare` finds the first step and position at which another model goes its own way.
"""

import functools
import io
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

FILE = Path(__file__).with_suffix(".npz")
TOLERANCE = 1e-4  # float32 in another order of operations differs by less

# The arguments of LlamaConfig. Sizes are odd and all different, eps and base far from the defaults.
CONFIGS: dict[str, dict[str, Any]] = {
    "untied": {
        "dim": 36,
        "n_layers": 3,
        "n_heads": 6,
        "n_kv_heads": 2,
        "vocab_size": 61,
        "hidden_dim": 52,
        "max_seq_len": 32,
        "norm_eps": 0.02,
        "rope_base": 1000.0,
        "tie_embeddings": False,
    },
    "tied": {
        "dim": 20,
        "n_layers": 2,
        "n_heads": 5,
        "n_kv_heads": 1,
        "vocab_size": 43,
        "hidden_dim": 28,
        "max_seq_len": 16,
        "norm_eps": 1e-5,
        "rope_base": 500_000.0,
        "tie_embeddings": True,
    },
}


def steps(name: str) -> list[str]:
    """Name all that can be compared, in the order in which it is computed.

    Most are modules. "layers.0 first sum" is what enters ffn_norm, "layers.0 second sum" what the
    block returns.
    """
    parts = ("attention_norm", "attention", "first sum", "ffn_norm", "feed_forward", "second sum")
    blocks = [
        f"layers.{i} {part}" if part.endswith("sum") else f"layers.{i}.{part}"
        for i in range(CONFIGS[name]["n_layers"])
        for part in parts
    ]
    return ["tok_embeddings", *blocks, "norm", "logits"]


def weights(name: str) -> dict[str, Tensor]:
    """Return the weights by the names of the learner's Llama, float32; no output if it is tied."""
    prefix = f"{name}/weights/"
    return {
        key.removeprefix(prefix): torch.from_numpy(value).float()
        for key, value in _frozen().items()
        if key.startswith(prefix)
    }


def ids(name: str) -> Tensor:
    """Return the tokens that were read: (2, T) int64."""
    return torch.from_numpy(_frozen()[f"{name}/ids"]).long()


def expected(name: str) -> dict[str, Tensor]:
    """Return step → what Hugging Face's model had there: (2, T, dim), logits (2, T, V)."""
    return {
        step: torch.from_numpy(_frozen()[f"{name}/steps/{step}"].copy()) for step in steps(name)
    }


@functools.cache
def _frozen() -> dict[str, np.ndarray]:
    with np.load(io.BytesIO(FILE.read_bytes())) as file:
        return {key: file[key] for key in file.files}


@dataclass(frozen=True)
class Step:
    """One step of another model: how far it is from Hugging Face's at each position.

    far: (T,), the largest difference there; None when nothing was seen of this step.
    """

    name: str
    far: Tensor | None

    @property
    def departs(self) -> bool:
        """Tell whether this is more than rounding."""
        return self.far is not None and bool((self.far > TOLERANCE).any())

    @property
    def position(self) -> int:
        """The first position that differs."""
        return int((self.far > TOLERANCE).nonzero()[0]) if self.departs else -1


def compare(
    model: nn.Module, name: str, call: Callable[[Tensor], Tensor] | None = None
) -> list[Step]:
    """Compare a model that has the frozen weights with Hugging Face's, step by step.

    Hooks look at whatever modules of these names there are; what has none is left open. `call`
    runs the model on ids where calling it directly is not wanted.
    """
    right, seen = expected(name), observe(model, ids(name), call)
    return [Step(step, _far(seen.get(step), right[step])) for step in steps(name)]


def first_departure(found: list[Step]) -> str:
    """Say in one sentence where a model leaves the frozen one; "" if it does not.

    >>> first_departure([Step("norm", torch.zeros(3)), Step("logits", torch.tensor([0, 0, 0.5]))])
    'logits departs first, at position 2 (by 0.5)'
    """
    for place, step in enumerate(found):
        if step.departs:
            far = step.far[step.position]
            said = f"{step.name} departs first, at position {step.position} (by {far:.2g})"
            unseen = [before.name for before in found[:place] if before.far is None]
            missing = (
                f"; {' and '.join(unseen[-2:])} never ran as a module before" if unseen else ""
            )
            return said + missing
    return ""


def observe(
    model: nn.Module, tokens: Tensor, call: Callable[[Tensor], Tensor] | None = None
) -> dict[str, Tensor]:
    """Run a model and return what its modules gave: step → (B, T, …)."""
    seen: dict[str, Tensor] = {}

    def note(step: str, value: Any) -> None:
        if isinstance(value, Tensor) and step not in seen:  # the first call counts
            seen[step] = value.detach().clone()

    handles = []
    for name, module in model.named_modules():
        is_block = name.startswith("layers.") and name.count(".") == 1
        step = f"{name} second sum" if is_block else name
        handles.append(module.register_forward_hook(lambda m, x, y, step=step: note(step, y)))
        if name.endswith(".ffn_norm"):
            step = f"{name.removesuffix('.ffn_norm')} first sum"
            handles.append(
                module.register_forward_pre_hook(lambda m, x, step=step: note(step, x[0]))
            )
    try:
        with torch.no_grad():
            note("logits", (call or model)(tokens))
    finally:
        for handle in handles:
            handle.remove()
    return seen


def _far(got: Tensor | None, right: Tensor) -> Tensor | None:
    """The largest difference at each position: (2, T, …) twice → (T,)."""
    if got is None:
        return None
    if got.shape != right.shape:
        return torch.full(right.shape[1:2], torch.inf)
    far = (got.float() - right).abs().amax(dim=(0, 2))
    return far.nan_to_num(torch.inf, torch.inf)
