"""05 · The KV cache (made from solutions/05_kv_cache.py by tools/build.py)."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from . import apply_rope, attention, causal_mask, merge_heads, split_heads


@dataclass
class KVCache:
    """The keys and values of one layer: room for max_len positions, the first `length` written.

    >>> cache = KVCache.empty(batch=1, n_kv_heads=1, max_len=4, head_dim=2)
    >>> first = cache.update(torch.tensor([[[[1.0, 2.0]]]]), torch.tensor([[[[3.0, 4.0]]]]))
    >>> keys, values = cache.update(torch.tensor([[[[5.0, 6.0]]]]), torch.tensor([[[[7.0, 8.0]]]]))
    >>> keys   # of both positions
    tensor([[[[1., 2.],
              [5., 6.]]]])
    >>> cache.length
    2
    """

    keys: Tensor  # (B, K, max_len, d)
    values: Tensor  # (B, K, max_len, d)
    length: int  # positions written so far

    @classmethod
    def empty(
        cls,
        batch: int,
        n_kv_heads: int,
        max_len: int,
        head_dim: int,
        dtype: torch.dtype = torch.float32,
        device: torch.device | str | None = None,
    ) -> "KVCache":
        """Make a cache with nothing in it: two buffers (B, K, max_len, d), length 0."""
        shape = (batch, n_kv_heads, max_len, head_dim)
        keys = torch.zeros(shape, dtype=dtype, device=device)
        values = torch.zeros(shape, dtype=dtype, device=device)
        return cls(keys, values, length=0)

    def update(self, k: Tensor, v: Tensor) -> tuple[Tensor, Tensor]:
        """Store T new positions; return the keys and values of all positions so far.

        k, v: (B, K, T, d) → two of (B, K, length, d), in the cache's dtype. ValueError when there
        is no room for T more positions, and then the cache is unchanged.
        """
        end, room = self.length + k.shape[2], self.keys.shape[2]
        if end > room:
            raise ValueError(f"{end} positions do not fit into a cache of {room}")
        self.keys[:, :, self.length : end] = k
        self.values[:, :, self.length : end] = v
        self.length = end
        return self.keys[:, :, :end], self.values[:, :, :end]


class CachedAttention(nn.Module):
    """MultiHeadAttention that can go on where it stopped: what is in the cache is not computed again.

    Four linear maps without bias, wq, wk, wv and wo, each dim → dim. RoPE turns queries and keys, never
    values. Without a cache it is MultiHeadAttention, and it keeps nothing between two calls.

    >>> one, none = torch.eye(2), torch.zeros(2, 2)
    >>> layer = CachedAttention(dim=2, n_heads=1)   # all scores 0: the output is the mean so far
    >>> _ = layer.load_state_dict(
    ...     {"wq.weight": none, "wk.weight": none, "wv.weight": one, "wo.weight": one})
    >>> cache, still = KVCache.empty(1, 1, 8, 2), torch.zeros(1, 1)
    >>> layer(torch.tensor([[[2.0, 0.0]]]), still, cache).tolist()
    [[[2.0, 0.0]]]
    >>> layer(torch.tensor([[[0.0, 4.0]]]), still, cache).tolist()   # of (2, 0) and (0, 4)
    [[[1.0, 2.0]]]
    """

    def __init__(self, dim: int, n_heads: int) -> None:
        super().__init__()
        self.n_heads = n_heads
        self.wq = nn.Linear(dim, dim, bias=False)
        self.wk = nn.Linear(dim, dim, bias=False)
        self.wv = nn.Linear(dim, dim, bias=False)
        self.wo = nn.Linear(dim, dim, bias=False)

    def forward(self, x: Tensor, angles: Tensor, cache: KVCache | None = None) -> Tensor:
        """x: (B, T, dim), angles: (T, d/2), those of the T positions in x → (B, T, dim)."""
        q, k, v = (split_heads(w(x), self.n_heads) for w in (self.wq, self.wk, self.wv))
        q, k = apply_rope(q, angles), apply_rope(k, angles)  # (B, H, T, d)
        if cache is not None:
            k, v = cache.update(k, v)  # (B, H, S, d)
        mask = causal_mask(q.shape[2], k.shape[2]).to(x.device)  # (T, S)
        return self.wo(merge_heads(attention(q, k, v, mask)))


def generate_greedy(step: Callable[[Tensor], Tensor], ids: Tensor, n_new: int) -> Tensor:
    """Append the likeliest next token, n_new times; step sees the whole sequence each time.

    step: (1, T) ids → (1, T, V) logits, called n_new times. ids: (1, T), left as it is
    → (1, T + n_new). Of equal logits the first one counts, as in torch.argmax.

    >>> follows = torch.eye(10).roll(1, dims=1)   # row t is largest at t + 1: a model that counts
    >>> generate_greedy(lambda ids: follows[ids], torch.tensor([[5, 3]]), 3)
    tensor([[5, 3, 4, 5, 6]])
    """
    for _ in range(n_new):
        new = step(ids)[:, -1:].argmax(dim=-1)  # (1, 1), from the last row of logits
        ids = torch.cat([ids, new], dim=1)
    return ids


def generate_greedy_cached(step: Callable[[Tensor], Tensor], ids: Tensor, n_new: int) -> Tensor:
    """Append the likeliest next token, n_new times; step remembers and sees only what is new.

    step: (1, T) new ids → (1, T, V) logits, called n_new times: first with the prompt, then with one
    token at a time. ids: (1, T), left as it is → (1, T + n_new). Of equal logits the first one counts.

    >>> follows = torch.eye(10).roll(1, dims=1)   # row t is largest at t + 1: a model that counts
    >>> generate_greedy_cached(lambda ids: follows[ids], torch.tensor([[5, 3]]), 3)
    tensor([[5, 3, 4, 5, 6]])
    """
    new = ids  # what step has not seen yet
    for _ in range(n_new):
        new = step(new)[:, -1:].argmax(dim=-1)  # (1, 1)
        ids = torch.cat([ids, new], dim=1)
    return ids


def count_scores(n_prompt: int, n_new: int, cached: bool) -> int:
    """How many q·k one head computes to generate n_new tokens after a prompt of n_prompt.

    The sum of T × S over the n_new calls of step, masked scores included. The last new token is not
    fed back.

    >>> count_scores(1, 3, cached=False)   # 1·1 + 2·2 + 3·3
    14
    >>> count_scores(1, 3, cached=True)   # 1·1 + 1·2 + 1·3
    6
    """
    total = 0
    for call in range(n_new):
        n_keys = n_prompt + call
        n_queries = 1 if cached and call > 0 else n_keys  # the first call brings the whole prompt
        total += n_queries * n_keys
    return total


def kv_cache_bytes(
    n_layers: int,
    n_kv_heads: int,
    head_dim: int,
    seq_len: int,
    batch: int = 1,
    bytes_per_value: int = 2,
) -> int:
    """The bytes of the keys and values of `batch` sequences of seq_len positions, in all layers.

    >>> kv_cache_bytes(n_layers=2, n_kv_heads=3, head_dim=4, seq_len=5)   # 2 · 2·3·4·5 numbers
    480
    """
    numbers = 2 * n_layers * n_kv_heads * head_dim * seq_len * batch  # 2: keys and values
    return numbers * bytes_per_value
