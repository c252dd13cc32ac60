"""Lab 09: Muon, for a row of the ablations: a step for matrices that is long in all directions."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor

QUINTIC = (3.4445, -4.7750, 2.0315)  # of the odd polynomial that takes 0.1 to 1 near 1, repeated
DECAY = 0.1
MOMENTUM = 0.95


class Muon(torch.optim.Optimizer):
    """Momentum, then the nearest matrix of equal singular values, as the step (Jordan and others
    2024, kellerjordan.github.io/posts/muon).

    params: matrices of the layers; tables and norms stay with AdamW.
    """

    def __init__(self, params: Iterable[Tensor], lr: float) -> None:
        super().__init__(params, {"lr": lr})

    @torch.no_grad()
    def step(self) -> None:  # type: ignore[override]
        """One step, with Nesterov's look ahead; wide and tall matrices move alike."""
        for group in self.param_groups:
            for p in group["params"]:
                m = self.state[p].setdefault("m", torch.zeros_like(p))
                m.lerp_(p.grad, 1 - MOMENTUM)
                step = levelled(p.grad.lerp(m, MOMENTUM))
                tall = max(1.0, p.shape[0] / p.shape[1]) ** 0.5
                p.mul_(1 - group["lr"] * DECAY).add_(step, alpha=-group["lr"] * tall)


def levelled(matrix: Tensor, rounds: int = 5) -> Tensor:
    """All singular values pushed towards 1, by a polynomial of the matrix: (n, m) → (n, m).

    >>> values = torch.linalg.svdvals(levelled(torch.diag(torch.tensor([1.0, 0.5, 0.1]))))
    >>> bool(values.max() < 1.3 and values.min() > 0.6)
    True
    """
    a, b, c = QUINTIC
    x = matrix / (matrix.norm() + 1e-7)
    turned = x.shape[0] > x.shape[1]
    x = x.T if turned else x
    for _ in range(rounds):
        square = x @ x.T
        x = a * x + (b * square + c * square @ square) @ x
    return x.T if turned else x
