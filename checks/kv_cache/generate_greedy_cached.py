"""Lab 05, 5.4: what is tried on generate_greedy_cached."""

from collections.abc import Callable

import torch
from torch import Tensor

from checks.engine import Check
from checks.kv_cache.generate_greedy import likeliest
from checks.kv_cache.generate_greedy_cached_wrong import MISTAKES
from checks.kv_cache.generation import ready, technique


def reference(step: Callable[[Tensor], Tensor], ids: Tensor, n_new: int) -> Tensor:
    """ids: (1, T) → (1, T + n_new); step sees the prompt, then one new token at a time."""
    new = ids
    for _ in range(n_new):
        new = ids.new_tensor([[likeliest(step(new))]])
        ids = torch.cat([ids, new], dim=1)
    return ids


generate_greedy_cached = Check(
    exercise="5.4",
    name="generate_greedy_cached",
    reference=reference,
    technique=technique(
        cached=True,
        asked="the prompt first, then each new token by itself",
        ties="Of equal logits the first one counts.",
    ),
    ready=ready(cached=True),
    mistakes=MISTAKES,
    hints=(
        "step remembers everything it was given. What does it not know yet, at first and later?",
        "Keep two tensors: all ids so far, and the part that step has not seen. At first that is "
        "the prompt, afterwards the one token that was just chosen.",
        "`new = step(new)[:, -1:].argmax(-1)` and `ids = torch.cat([ids, new], dim=1)`, with "
        "`new = ids` before the loop.",
    ),
)
