"""Lab 05, 5.3: what is tried on generate_greedy."""

from collections.abc import Callable

import torch
from torch import Tensor

from checks.engine import Check
from checks.kv_cache.generate_greedy_wrong import MISTAKES
from checks.kv_cache.generation import ready, technique


def likeliest(logits: Tensor) -> int:
    """The token with the largest logit after the last position; the first of equals."""
    row = logits[0, -1].tolist()
    return row.index(max(row))


def reference(step: Callable[[Tensor], Tensor], ids: Tensor, n_new: int) -> Tensor:
    """ids: (1, T) → (1, T + n_new); step sees the whole sequence every time."""
    for _ in range(n_new):
        ids = torch.cat([ids, ids.new_tensor([[likeliest(step(ids))]])], dim=1)
    return ids


generate_greedy = Check(
    exercise="5.3",
    name="generate_greedy",
    reference=reference,
    technique=technique(
        cached=False,
        asked="the whole sequence each time",
        ties="Of equal logits the first one counts, as in torch.argmax.",
    ),
    ready=ready(cached=False),
    mistakes=MISTAKES,
    hints=(
        "step returns a row of logits for every position. Which row knows the next token?",
        "n_new times: ask step about all of ids, take the largest logit of the last row, append it "
        "with torch.cat.",
        "`ids = torch.cat([ids, step(ids)[:, -1:].argmax(-1)], dim=1)`",
    ),
)
