"""06 · Grouped-query attention (made from solutions/06_gqa.py by tools/build.py)."""

from torch import Tensor, nn

from . import KVCache, apply_rope, attention, causal_mask, merge_heads, split_heads


def repeat_kv(x: Tensor, n_rep: int) -> Tensor:
    """Repeat each key/value head n_rep times in a row.

    x: (B, K, S, d) → (B, K · n_rep, S, d), same dtype as x.

    >>> x = torch.tensor([[[[1, 2]], [[3, 4]]]])   # two heads with one position
    >>> repeat_kv(x, 2).tolist()
    [[[[1, 2]], [[1, 2]], [[3, 4]], [[3, 4]]]]
    """
    return x.repeat_interleave(n_rep, dim=1)


def grouped_query_attention(q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None = None) -> Tensor:
    """Attention in which H / K neighbouring query heads share a key/value head (Ainslie 2023).

    q: (B, H, T, d), k and v: (B, K, S, d), mask: bool, broadcasts to (B, H, T, S), True where a
    query may look → (B, H, T, d), same dtype as q.

    >>> q, k = torch.zeros(1, 4, 1, 2), torch.zeros(1, 2, 2, 2)   # all keys are liked the same
    >>> v = torch.tensor([[[[1.0, 0], [3, 0]], [[10, 0], [30, 4]]]])
    >>> grouped_query_attention(q, k, v).tolist()   # each head's mean, for two query heads each
    [[[[2.0, 0.0]], [[2.0, 0.0]], [[20.0, 2.0]], [[20.0, 2.0]]]]
    """
    B, H, T, d = q.shape
    K, S = k.shape[1:3]
    queries = q.reshape(B, K, H // K * T, d)  # a group's queries, one under the other
    if mask is not None:
        mask = mask.expand(B, H, T, S).reshape(B, K, H // K * T, S)
    return attention(queries, k, v, mask).reshape(B, H, T, d)


class GroupedQueryAttention(nn.Module):
    """Causal self-attention with H query heads, K key/value heads, rotary positions and a cache.

    Four linear maps without bias: wq and wo dim → dim, wk and wv dim → K · d, with d = dim / H.
    ValueError unless n_heads % n_kv_heads == 0. K = H is MHA, K = 1 is MQA.

    >>> layer = GroupedQueryAttention(4, 2, 1)   # two query heads of size 2 on one kv head
    >>> for weight in layer.parameters():
    ...     _ = nn.init.eye_(weight)   # q = x, and k = v = the first two features of x
    >>> x = torch.tensor([[[4.0, 8, 0, 2], [0, 0, 0, 0]]])
    >>> layer(x, torch.zeros(2, 1)).tolist()   # both heads read the same; the second token averages
    [[[4.0, 8.0, 4.0, 8.0], [2.0, 4.0, 2.0, 4.0]]]
    """

    def __init__(self, dim: int, n_heads: int, n_kv_heads: int) -> None:
        super().__init__()
        if n_heads % n_kv_heads != 0:
            raise ValueError(f"{n_heads} query heads cannot share {n_kv_heads} kv heads evenly")
        self.n_heads, self.n_kv_heads = n_heads, n_kv_heads
        head_dim = dim // n_heads
        self.wq = nn.Linear(dim, n_heads * head_dim, bias=False)
        self.wk = nn.Linear(dim, n_kv_heads * head_dim, bias=False)
        self.wv = nn.Linear(dim, n_kv_heads * head_dim, bias=False)
        self.wo = nn.Linear(n_heads * head_dim, dim, bias=False)

    def forward(self, x: Tensor, angles: Tensor, cache: KVCache | None = None) -> Tensor:
        """x: (B, T, dim), angles: (T, d/2) of these T positions → (B, T, dim).

        With a cache the T positions follow those in it; it holds K heads.
        """
        q = apply_rope(split_heads(self.wq(x), self.n_heads), angles)  # (B, H, T, d)
        k = apply_rope(split_heads(self.wk(x), self.n_kv_heads), angles)  # (B, K, T, d)
        v = split_heads(self.wv(x), self.n_kv_heads)
        if cache is not None:
            k, v = cache.update(k, v)  # (B, K, S, d)
        mask = None  # a single query, the newest, may look at everything
        if q.shape[2] > 1:
            mask = causal_mask(q.shape[2], k.shape[2]).to(x.device)  # (T, S)
        return self.wo(merge_heads(grouped_query_attention(q, k, v, mask)))


def mean_pool_heads(weight: Tensor, n_heads: int, n_kv_heads: int) -> Tensor:
    """Replace each group of neighbouring heads in a key or value projection by their mean.

    weight: (H·d, D) → (K·d, D), same dtype.

    >>> weight = torch.arange(8.0).reshape(8, 1)   # heads (0, 1), (2, 3), (4, 5), (6, 7)
    >>> mean_pool_heads(weight, n_heads=4, n_kv_heads=2).flatten()
    tensor([1., 2., 5., 6.])
    """
    D = weight.shape[1]
    groups = weight.reshape(n_kv_heads, n_heads // n_kv_heads, -1, D)  # (K, H / K, d, D)
    return groups.mean(dim=1).reshape(-1, D)


def decode_intensity(n_heads: int, n_kv_heads: int, head_dim: int, seq_len: int) -> float:
    """FLOPs per byte of one decode step's attention: q·k and weights·v over the bytes of the cache.

    A multiplication and an addition count as two FLOPs; the cache holds 2-byte numbers.

    >>> decode_intensity(n_heads=4, n_kv_heads=2, head_dim=8, seq_len=10)   # 1280 over 640
    2.0
    """
    flops = 2 * 2 * n_heads * head_dim * seq_len  # q·k, weights·v
    bytes_read = 2 * 2 * n_kv_heads * head_dim * seq_len  # keys, values
    return flops / bytes_read
