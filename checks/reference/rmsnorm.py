"""Lab 02, slow and obvious: one row or column after the other, in float64."""

import torch
from torch import Tensor, nn


def batch_norm(x: Tensor, eps: float = 1e-5) -> Tensor:
    """Normalise each column. x: (N, D) → (N, D)."""
    columns = []
    for column in x.double().unbind(1):
        centred = column - column.sum() / len(column)
        columns.append(centred / ((centred * centred).sum() / len(column) + eps).sqrt())
    return torch.stack(columns, dim=1).to(x.dtype)


def layer_norm(x: Tensor, weight: Tensor, bias: Tensor, eps: float = 1e-5) -> Tensor:
    """Normalise each row, then scale and shift. x: (..., D), weight, bias: (D,) → (..., D)."""
    rows = []
    for row in x.double().reshape(-1, x.shape[-1]).unbind(0):
        centred = row - row.sum() / len(row)
        unit = centred / ((centred * centred).sum() / len(row) + eps).sqrt()
        rows.append(unit * weight.double() + bias.double())
    return torch.stack(rows).reshape(x.shape).to(x.dtype)


def rms_norm(x: Tensor, weight: Tensor, eps: float = 1e-5) -> Tensor:
    """Divide each row by its root mean square, then scale. x: (..., D), weight: (D,) → (..., D)."""
    rows = []
    for row in x.double().reshape(-1, x.shape[-1]).unbind(0):
        rows.append(row / ((row * row).sum() / len(row) + eps).sqrt() * weight.double())
    return torch.stack(rows).reshape(x.shape).to(x.dtype)


class RMSNorm(nn.Module):
    """rms_norm with a weight of its own."""

    def __init__(self, dim: int, eps: float = 1e-5) -> None:
        super().__init__()
        self.eps = eps
        self.weight = nn.Parameter(torch.ones(dim))

    def forward(self, x: Tensor) -> Tensor:
        """x: (..., dim) → (..., dim)."""
        return rms_norm(x, self.weight, self.eps)
