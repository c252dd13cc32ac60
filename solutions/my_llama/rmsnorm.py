"""02 · RMSNorm (made from solutions/02_rmsnorm.py by tools/build.py)."""

import torch
from torch import Tensor, nn


def batch_norm(x: Tensor, eps: float = 1e-5) -> Tensor:
    """Bring each column to mean 0 and variance 1 (population variance), without learnt scale.

    x: (N, D), one row per sample → (N, D). Computed in float32, returned in x's dtype. Columns may
    lie far from zero, around 10,000: mean(x²) − mean(x)² loses its digits there.

    The means are 2 and 20, the deviations 1 and 10:
    >>> batch_norm(torch.tensor([[1.0, 10.0], [3.0, 30.0]]), eps=1e-9)
    tensor([[-1., -1.],
            [ 1.,  1.]])
    """
    wide = x.float()
    centred = wide - wide.mean(dim=0)
    variance = centred.square().mean(dim=0)  # (D,)
    return (centred * torch.rsqrt(variance + eps)).to(x.dtype)


def layer_norm(x: Tensor, weight: Tensor, bias: Tensor, eps: float = 1e-5) -> Tensor:
    """Bring each vector to mean 0 and variance 1, then scale and shift it (Ba et al. 2016).

    x: (..., D), weight and bias: (D,) → (..., D). Computed in float32, returned in x's dtype.

    >>> layer_norm(torch.tensor([[1.0, 3.0]]), torch.ones(2), torch.zeros(2), eps=0.0)
    tensor([[-1.,  1.]])
    """
    wide = x.float()
    centred = wide - wide.mean(dim=-1, keepdim=True)
    variance = centred.square().mean(dim=-1, keepdim=True)  # (..., 1)
    return (centred * torch.rsqrt(variance + eps) * weight + bias).to(x.dtype)


def rms_norm(x: Tensor, weight: Tensor, eps: float = 1e-5) -> Tensor:
    """Divide each vector by its root mean square, then scale it (Zhang and Sennrich 2019).

    x: (..., D), weight: (D,) → (..., D). Computed in float32, returned in x's dtype.

    >>> rms_norm(torch.tensor([[1.0, 7.0]]), torch.ones(2), eps=0.0)   # mean square 25, root 5
    tensor([[0.2000, 1.4000]])
    """
    wide = x.float()
    mean_square = wide.square().mean(dim=-1, keepdim=True)  # (..., 1)
    return (wide * torch.rsqrt(mean_square + eps) * weight).to(x.dtype)


class RMSNorm(nn.Module):
    """rms_norm with a weight of its own, which starts at ones.

    dim: D, the size of the vectors; weight: (D,), all that its state_dict holds. The result is in
    the dtype of x.

    >>> RMSNorm(2, eps=0.0)(torch.tensor([1.0, 7.0])).detach()
    tensor([0.2000, 1.4000])
    """

    def __init__(self, dim: int, eps: float = 1e-5) -> None:
        super().__init__()
        self.eps = eps
        self.weight = nn.Parameter(torch.ones(dim))

    def forward(self, x: Tensor) -> Tensor:
        """Normalise and scale. x: (..., dim) → (..., dim)."""
        return rms_norm(x, self.weight, self.eps)
