"""07 · SwiGLU (made from solutions/07_swiglu.py by tools/build.py)."""

import torch
from torch import Tensor, nn


def swish(x: Tensor, beta: float = 1.0) -> Tensor:
    """Let each number through as far as it opens its own gate (Ramachandran et al. 2017).

    x: any shape → the same shape and dtype, right far from zero as well, and so is its gradient.
    beta says how steep the gate is.

    With beta = ln 3 = 1.0986, the gate is 1/4 at x = -1, and 3/4 at x = 1:
    >>> swish(torch.tensor([-1.0, 0.0, 1.0]), beta=1.0986)
    tensor([-0.2500,  0.0000,  0.7500])
    """
    return x * torch.sigmoid(beta * x)


def glu(gate: Tensor, value: Tensor) -> Tensor:
    """Let a share sigmoid(gate) of each value pass (Dauphin et al. 2016).

    gate and value: (..., F) → (..., F), same dtype.

    A gate of 0 is half open; one of ln 3 = 1.0986 lets 3/4 pass:
    >>> glu(torch.tensor([0.0, 1.0986]), torch.tensor([4.0, 4.0]))
    tensor([2.0000, 3.0000])
    """
    return torch.sigmoid(gate) * value


def swiglu(x: Tensor, w_gate: Tensor, w_up: Tensor, w_down: Tensor) -> Tensor:
    """The feed-forward layer of Llama (Shazeer 2020, eq. 6): gates and values, and back to D.

    x: (..., D), w_gate and w_up: (F, D), w_down: (D, F) → (..., D), same dtype as x; each token by
    itself.

    Two hidden units with gates 20 (so wide open that 20 comes out) and 0, and with values 6 and 15:
    >>> x = torch.tensor([1.0, 2.0])
    >>> w_gate = torch.tensor([[20.0, 0.0], [0.0, 0.0]])
    >>> w_up = torch.tensor([[0.0, 3.0], [5.0, 5.0]])
    >>> w_down = torch.tensor([[0.1, 1.0], [0.0, 1.0]])
    >>> swiglu(x, w_gate, w_up, w_down)   # the hidden units are 20 · 6 and 0 · 15
    tensor([12.,  0.])
    """
    gate = swish(x @ w_gate.T)  # (..., F)
    value = x @ w_up.T  # (..., F)
    return (gate * value) @ w_down.T  # (..., D)


def ffn_hidden_dim(dim: int, multiple_of: int = 256, multiplier: float | None = None) -> int:
    """The hidden size of Llama's feed-forward layer.

    int(2 · 4 · dim / 3); with a multiplier, int(multiplier · that); then up to a multiple.

    >>> ffn_hidden_dim(4, multiple_of=4)   # 32 / 3 is cut to 10, and then up to 12
    12
    >>> ffn_hidden_dim(4096, multiple_of=1024, multiplier=1.3)   # 10922, 14198, 14 · 1024
    14336
    """
    hidden = int(2 * 4 * dim / 3)
    if multiplier is not None:
        hidden = int(multiplier * hidden)
    return multiple_of * ((hidden + multiple_of - 1) // multiple_of)


class SwiGLU(nn.Module):
    """swiglu with weights of its own: `w_gate`, `w_up` and `w_down`, each an nn.Linear without bias.

    dim: D, hidden_dim: F, the final size. The weights are (F, D), (F, D) and (D, F); w_gate and w_up
    start at random, each by itself.

    >>> layer = SwiGLU(dim=4, hidden_dim=12)
    >>> [tuple(weight.shape) for weight in layer.parameters()]
    [(12, 4), (12, 4), (4, 12)]
    """

    def __init__(self, dim: int, hidden_dim: int) -> None:
        super().__init__()
        self.w_gate = nn.Linear(dim, hidden_dim, bias=False)
        self.w_up = nn.Linear(dim, hidden_dim, bias=False)
        self.w_down = nn.Linear(hidden_dim, dim, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """Each token by itself. x: (..., dim) → (..., dim), same dtype."""
        return swiglu(x, self.w_gate.weight, self.w_up.weight, self.w_down.weight)
