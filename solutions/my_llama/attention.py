"""04 · Attention (made from solutions/04_attention.py by tools/build.py)."""

import math

import torch
from torch import Tensor, nn

from . import apply_rope


def causal_mask(n_queries: int, n_keys: int) -> Tensor:
    """Say who may look at whom: True where a query may look at a key.

    The queries are the LAST T = n_queries of the S = n_keys positions; a query sees itself and
    everything before it. Returns (T, S), bool. ValueError when T > S: a row would see nothing.

    >>> causal_mask(2, 3)   # the queries stand at positions 1 and 2
    tensor([[ True,  True, False],
            [ True,  True,  True]])
    """
    if n_queries > n_keys:
        raise ValueError(f"{n_queries} queries, but only {n_keys} positions: some see nothing")
    query = torch.arange(n_keys - n_queries, n_keys)  # (T,) positions
    key = torch.arange(n_keys)  # (S,) positions
    return key <= query[:, None]  # (T, S)


def attention_weights(q: Tensor, k: Tensor, mask: Tensor | None = None) -> Tensor:
    """How much each query takes from each key: softmax of q·k / sqrt(d), over the keys.

    q: (..., T, d), k: (..., S, d), mask: bool, broadcasts to (..., T, S), True where a query may
    look → (..., T, S), same dtype as q; every row sums to 1, and a masked key gets exactly 0.

    >>> q = torch.tensor([[2.0, 0, 0, 0]])
    >>> k = torch.tensor([[0.0, 0, 0, 0], [math.log(3), 0, 0, 0]])
    >>> attention_weights(q, k)   # scores 0 and 2 ln 3, over sqrt(4): 0 and ln 3, so 1 : 3
    tensor([[0.2500, 0.7500]])
    """
    scores = q.float() @ k.float().transpose(-2, -1) / math.sqrt(q.shape[-1])  # (..., T, S)
    if mask is not None:
        scores = scores.masked_fill(~mask, -torch.inf)
    return torch.softmax(scores, dim=-1).to(q.dtype)


def attention(q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None = None) -> Tensor:
    """Each query's average of the values, weighted by attention_weights.

    q: (..., T, d), k and v: (..., S, d), mask as in attention_weights → (..., T, d).

    >>> q = torch.tensor([[2.0, 0, 0, 0]])
    >>> k = torch.tensor([[0.0, 0, 0, 0], [math.log(3), 0, 0, 0]])
    >>> v = torch.tensor([[4.0, 0, 0, 0], [8.0, 4, 0, 0]])
    >>> attention(q, k, v).round(decimals=3)   # 1/4 of the first value, 3/4 of the second
    tensor([[7., 3., 0., 0.]])
    """
    return attention_weights(q, k, mask) @ v  # (..., T, S) @ (..., S, d)


def split_heads(x: Tensor, n_heads: int) -> Tensor:
    """Cut the features of every position into heads, and bring the heads before the positions.

    x: (B, T, H·d) → (B, H, T, d); head 0 has the first d features, head 1 the next d, …

    >>> x = torch.tensor([[[0, 1, 2, 3], [4, 5, 6, 7]]])   # two positions, four features
    >>> split_heads(x, 2)
    tensor([[[[0, 1],
              [4, 5]],
    <BLANKLINE>
             [[2, 3],
              [6, 7]]]])
    """
    B, T, D = x.shape
    x = x.reshape(B, T, n_heads, D // n_heads)  # (B, T, H, d)
    return x.transpose(1, 2)  # (B, H, T, d)


def merge_heads(x: Tensor) -> Tensor:
    """Put the heads of every position side by side again: split_heads backwards.

    x: (B, H, T, d) → (B, T, H·d).

    >>> x = torch.tensor([[[[0, 1], [4, 5]], [[2, 3], [6, 7]]]])   # two heads, two positions
    >>> merge_heads(x)
    tensor([[[0, 1, 2, 3],
             [4, 5, 6, 7]]])
    """
    B, H, T, d = x.shape
    x = x.transpose(1, 2)  # (B, T, H, d)
    return x.reshape(B, T, H * d)


class MultiHeadAttention(nn.Module):
    """Causal self-attention with H heads and rotary positions.

    Four linear maps without bias, wq, wk, wv and wo, each dim → dim. Queries and keys are rotated
    by their positions in every head; values never are.

    >>> layer = MultiHeadAttention(4, 2)   # dim 4, 2 heads of 2
    >>> for weight in layer.parameters():
    ...     _ = nn.init.eye_(weight)   # q = k = v = x
    >>> x = torch.tensor([[[4.0, 8, 0, 2], [0, 0, 0, 0]]])
    >>> layer(x, torch.zeros(2, 1)).tolist()   # the second query is 0: it likes all keys the same
    [[[4.0, 8.0, 0.0, 2.0], [2.0, 4.0, 0.0, 1.0]]]
    """

    def __init__(self, dim: int, n_heads: int) -> None:
        super().__init__()
        self.n_heads = n_heads
        self.wq = nn.Linear(dim, dim, bias=False)
        self.wk = nn.Linear(dim, dim, bias=False)
        self.wv = nn.Linear(dim, dim, bias=False)
        self.wo = nn.Linear(dim, dim, bias=False)

    def forward(self, x: Tensor, angles: Tensor) -> Tensor:
        """x: (B, T, dim), angles: (T, d/2) → (B, T, dim)."""
        q, k, v = (split_heads(w(x), self.n_heads) for w in (self.wq, self.wk, self.wv))
        q, k = apply_rope(q, angles), apply_rope(k, angles)  # (B, H, T, d)
        mask = causal_mask(x.shape[1], x.shape[1]).to(x.device)  # (T, T)
        return self.wo(merge_heads(attention(q, k, v, mask)))
