"""Lab 06: what the probes draw, and how they look at half precision."""

import math
from collections.abc import Callable

import torch
from torch import Tensor

from checks.engine import Inputs

Draw = Callable[[Inputs], tuple]


def qkv(
    inputs: Inputs, batch: int, n_heads: int, n_kv_heads: int, *, t: int, s: int, d: int
) -> tuple[Tensor, Tensor, Tensor]:
    """Queries (B, H, T, d), keys and values (B, K, S, d)."""
    k = inputs.randn(batch, n_kv_heads, s, d)
    return inputs.randn(batch, n_heads, t, d) * 1.3, k, inputs.randn(batch, n_kv_heads, s, d)


def huge(inputs: Inputs) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Scores from -30000 to 30000, the largest of them hidden, where a huge value stands.

    All numbers are whole and d is 4, so that float32 has every score exactly: else it errs by 0.002
    there, and the weights by 0.2 %.
    """
    q = torch.tensor([[1.0], [0.9], [0.5], [-1.0]]) * torch.tensor([200.0, 0, 0, 0])
    k = torch.tensor([-1.0, -0.6, -0.6, 0.2, 0.2, 1.0])[:, None] * torch.tensor([300.0, 0, 0, 0])
    mask = torch.ones(4, 6, dtype=torch.bool)
    mask[:, -1] = mask[0, 2:] = mask[3, :4] = False
    mask[3, 4] = True
    values = inputs.randn(1, 2, 6, 4)
    values[:, :, -1] = 1e9
    q, k = q.expand(1, 4, 4, 4).clone(), k.expand(1, 2, 6, 4).clone()
    q[..., 1:] = inputs.integers(1, 4, 4, 3, low=-1, high=2).float()
    k[..., 1:] = inputs.integers(1, 2, 6, 3, low=-1, high=2).float()
    return q, k, values, mask


def steep(inputs: Inputs) -> tuple[Tensor, Tensor, Tensor]:
    """Two query heads on one kv head: scores up to 13, of which e^ is too large for float16."""
    key = inputs.randn(2, 1, 4, 6)
    unit = key / key.norm(dim=-1, keepdim=True)
    q = (unit * 6.0).repeat(1, 2, 1, 1)
    return q, unit * 13.0 * math.sqrt(6) / 6.0, inputs.randn(2, 1, 4, 6)


def heads_of(
    inputs: Inputs, n_heads: int, n_kv_heads: int, *, head_dim: int, dim: int
) -> tuple[Tensor, int, int]:
    """The weight of a projection (H·d, D), and the numbers of heads."""
    return inputs.randn(n_heads * head_dim, dim), n_heads, n_kv_heads


def numbered(n_heads: int, head_dim: int, dim: int) -> Tensor:
    """A weight whose entry says head, feature and column: 100·h + 10·i + column."""
    head, feature = torch.arange(n_heads)[:, None, None], torch.arange(head_dim)[:, None]
    return (100.0 * head + 10.0 * feature + torch.arange(dim)).reshape(n_heads * head_dim, dim)
