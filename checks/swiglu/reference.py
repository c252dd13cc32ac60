"""Lab 07, slow and obvious: the formulas as they are written, in float64, one unit at a time."""

import torch
from torch import Tensor, nn


def sigmoid(x: Tensor) -> Tensor:
    """1 / (1 + e^-x), in float64."""
    return 1 / (1 + torch.exp(-x.double()))


def swish(x: Tensor, beta: float = 1.0) -> Tensor:
    """x · sigmoid(beta · x). x: (...) → (...)."""
    return (x.double() * sigmoid(beta * x.double())).to(x.dtype)


def glu(gate: Tensor, value: Tensor) -> Tensor:
    """sigmoid(gate) · value. Both (..., F) → (..., F)."""
    return (sigmoid(gate) * value.double()).to(gate.dtype)


def swiglu(x: Tensor, w_gate: Tensor, w_up: Tensor, w_down: Tensor) -> Tensor:
    """One hidden unit after the other. x: (..., D), (F, D), (F, D), (D, F) → (..., D)."""
    wide = x.double()
    out = torch.zeros_like(wide)
    for gate, up, down in zip(
        w_gate.double(), w_up.double(), w_down.double().unbind(1), strict=True
    ):
        score = (wide * gate).sum(-1)  # (...)
        hidden = score * sigmoid(score) * (wide * up).sum(-1)  # (...)
        out = out + hidden[..., None] * down
    return out.to(x.dtype)


def ffn_hidden_dim(dim: int, multiple_of: int = 256, multiplier: float | None = None) -> int:
    """Count up from Llama's size to the next multiple."""
    hidden = int(2 * 4 * dim / 3)
    if multiplier is not None:
        hidden = int(multiplier * hidden)
    while hidden % multiple_of != 0:
        hidden += 1
    return hidden


class SwiGLU(nn.Module):
    """swiglu with weights of its own."""

    def __init__(self, dim: int, hidden_dim: int) -> None:
        super().__init__()
        self.w_gate = nn.Linear(dim, hidden_dim, bias=False)
        self.w_up = nn.Linear(dim, hidden_dim, bias=False)
        self.w_down = nn.Linear(hidden_dim, dim, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """x: (..., dim) → (..., dim)."""
        return self.feed_forward(x, self.w_gate.weight, self.w_up.weight, self.w_down.weight)

    feed_forward = staticmethod(swiglu)
