"""Lab 05: what people write for the attention layer that uses a cache.

Sources are the public issues in which somebody really made the mistake.
"""

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from checks.engine import Mistake
from checks.mistakes import cache_misuse
from checks.reference import kv_cache as right


class _Other(right.CachedAttention):
    """The layer with a mask as a matrix, so that single steps can go wrong.

    Quicker than the reference, because all the mistakes are tried on every wrong answer.
    """

    def split(self, x: Tensor) -> Tensor:
        return x.unflatten(-1, (self.n_heads, -1)).transpose(1, 2)

    def turn(self, q: Tensor, k: Tensor, v: Tensor, angles: Tensor) -> tuple:
        return _rope(q, angles), _rope(k, angles), v

    def merge(self, x: Tensor) -> Tensor:
        return x.transpose(1, 2).flatten(2)

    def attend(self, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        q, k, v = q.double(), k.double(), v.double()
        scores = self.score(q, k)  # (B, H, T, S)
        return self.weigh(scores, self.seen(scores)) @ v

    def seen(self, scores: Tensor) -> Tensor:
        return self.may_look(*scores.shape[-2:]).to(scores.device)

    def score(self, q: Tensor, k: Tensor) -> Tensor:
        return q @ k.transpose(-2, -1) / math.sqrt(q.shape[-1])

    def may_look(self, n_queries: int, n_keys: int) -> Tensor:
        return _causal(n_queries, n_keys)

    def weigh(self, scores: Tensor, may_look: Tensor) -> Tensor:
        return torch.softmax(scores.masked_fill(~may_look, -torch.inf), dim=-1)


def _causal(n_queries: int, n_keys: int, shift: int = 0) -> Tensor:
    past = n_keys - n_queries
    return torch.ones(n_queries, n_keys, dtype=torch.bool).tril(past + shift)


def _layer(**methods: Callable) -> type:
    """A CachedAttention in which some steps are replaced."""
    return type("CachedAttention", (_Other,), methods)


def _rope(x: Tensor, angles: Tensor) -> Tensor:
    pairs = torch.view_as_complex(x.double().unflatten(-1, (-1, 2)).contiguous())
    turned = pairs * torch.polar(torch.ones_like(angles, dtype=torch.double), angles.double())
    return torch.view_as_real(turned).flatten(-2).to(x.dtype)


def _rope_half(x: Tensor, angles: Tensor) -> Tensor:
    cos, sin, (a, b) = angles.cos(), angles.sin(), x.float().chunk(2, -1)
    return torch.cat([a * cos - b * sin, a * sin + b * cos], -1).to(x.dtype)


def _turn(change: Callable) -> type:
    return _layer(turn=lambda self, q, k, v, angles: change(q, k, v, angles))


def _remember(change: Callable) -> type:
    """The memory goes wrong where there is a cache; without one the layer is right."""

    def remember(self: Any, q: Tensor, k: Tensor, v: Tensor, cache: Any) -> tuple:
        return (k, v) if cache is None else change(q, k, v, cache)

    return _layer(remember=remember)


class _RotatesWhatItReads(_Other):
    """Caches plain keys and rotates all it reads by the new tokens' angles."""

    def forward(self, x: Tensor, angles: Tensor, cache: Any = None) -> Tensor:
        q, k, v = (self.split(y) for y in self.project(x))
        k, v = self.remember(q, k, v, cache)
        q, k = _rope(q, angles), _rope(k, angles)
        return self.out(self.merge(self.attend(q, k, v)).to(x.dtype))


class _RotatesAgain(_Other):
    """Rotates the cached keys, which are rotated already, once more by the last angle."""

    def forward(self, x: Tensor, angles: Tensor, cache: Any = None) -> Tensor:
        q, k, v = (self.split(y) for y in self.project(x))
        q, k, v = self.turn(q, k, v, angles)
        old = 0 if cache is None else cache.length
        k, v = self.remember(q, k, v, cache)
        k = torch.cat([_rope(k[:, :, :old], angles[-1:].expand(old, -1)), k[:, :, old:]], 2)
        return self.out(self.merge(self.attend(q, k, v)).to(x.dtype))


class _RotatesInCache(_Other):
    """Rotates the old keys in the cache itself, at every call."""

    def forward(self, x: Tensor, angles: Tensor, cache: Any = None) -> Tensor:
        if cache is not None and cache.length:
            old = cache.keys[:, :, : cache.length]
            old.copy_(_rope(old, angles[-1:].expand(cache.length, -1)))
        return super().forward(x, angles, cache)


class _OwnAngles(_Other):
    """Makes the angles itself, from position 0 on, in every call."""

    def forward(self, x: Tensor, angles: Tensor, cache: Any = None) -> Tensor:
        d = 2 * angles.shape[-1]
        frequencies = 10_000.0 ** -(torch.arange(0, d, 2) / d)
        return super().forward(x, torch.outer(torch.arange(x.shape[1]), frequencies), cache)


class _RotatesBeforeSplit(_Other):
    """Rotates the whole width, all heads as one vector."""

    def forward(self, x: Tensor, angles: Tensor, cache: Any = None) -> Tensor:
        q, k, v = self.project(x)
        wide = angles.repeat(1, self.n_heads).flip(-1)
        q, k = _rope(q, wide), _rope(k, wide)
        q, k, v = (self.split(y) for y in (q, k, v))
        k, v = self.remember(q, k, v, cache)
        return self.out(self.merge(self.attend(q, k, v)).to(x.dtype))


class _KeepsItself(_Other):
    """Remembers keys and values of its own when it is given no cache."""

    past: Any = None

    def remember(self, q: Tensor, k: Tensor, v: Tensor, cache: Any) -> tuple:
        if cache is not None:
            return cache.update(k, v)
        if self.past is not None and self.past[0].shape[0] == k.shape[0]:
            k, v = torch.cat([self.past[0], k], 2), torch.cat([self.past[1], v], 2)
        self.past = k, v
        return k, v


class _FirstCacheForGood(_Other):
    """Goes on using the first cache it was ever given."""

    first: Any = None

    def remember(self, q: Tensor, k: Tensor, v: Tensor, cache: Any) -> tuple:
        if cache is None:
            return k, v
        if self.first is None or self.first.keys.shape[0] != k.shape[0]:
            object.__setattr__(self, "first", cache)
        return self.first.update(k, v)


class _CacheWithoutACache(_Other):
    """Uses the last cache also when it is called without one."""

    last: Any = None

    def remember(self, q: Tensor, k: Tensor, v: Tensor, cache: Any) -> tuple:
        if cache is not None:
            object.__setattr__(self, "last", cache)
            return cache.update(k, v)
        if self.last is None or self.last.keys.shape[0] != k.shape[0]:
            return k, v
        n = self.last.length
        return (
            torch.cat([self.last.keys[:, :, :n], k], 2),
            torch.cat([self.last.values[:, :, :n], v], 2),
        )


class _MaskOnlyWithoutCache(_Other):
    """Leaves the mask out whenever a cache is given, for the prompt as well."""

    def forward(self, x: Tensor, angles: Tensor, cache: Any = None) -> Tensor:
        self.masked = cache is None
        return super().forward(x, angles, cache)

    def may_look(self, n_queries: int, n_keys: int) -> Tensor:
        seen = _causal(n_queries, n_keys)
        return seen if self.masked else torch.ones_like(seen)


def _static(mask_them: bool) -> type:
    """Attends over all slots of the cache, written or not; perhaps with the others masked."""

    class Static(_Other):
        def forward(self, x: Tensor, angles: Tensor, cache: Any = None) -> Tensor:
            q, k, v = (self.split(y) for y in self.project(x))
            q, k, v = self.turn(q, k, v, angles)
            if cache is None:
                return self.out(self.merge(self.attend(q, k, v)).to(x.dtype))
            start = cache.length
            cache.update(k, v)
            scores = self.score(q.double(), cache.keys.double())
            seen = torch.ones_like(scores, dtype=torch.bool).tril(start)
            if not mask_them:
                seen[..., cache.length :] = True
            heads = self.weigh(scores, seen) @ cache.values.double()
            return self.out(self.merge(heads).to(x.dtype))

    return Static


def _prompt_not_stored(q: Tensor, k: Tensor, v: Tensor, cache: Any) -> tuple:
    return cache.update(k, v) if k.shape[2] == 1 else (k, v)


def _chunk_starts_again(q: Tensor, k: Tensor, v: Tensor, cache: Any) -> tuple:
    if k.shape[2] > 1:
        cache.length = 0
    return cache.update(k, v)


def _first_for_all(self: Any, x: Tensor) -> Tensor:
    return self.wo(x)[:1].expand_as(x)


def _queries_cached(q: Tensor, k: Tensor, v: Tensor, cache: Any) -> tuple:
    return cache.update(q, v)


def _updated_twice(q: Tensor, k: Tensor, v: Tensor, cache: Any) -> tuple:
    return cache.update(k, v)[0], cache.update(k, v)[1]


def _split_by_view(self: Any, x: Tensor) -> Tensor:
    return x.reshape(x.shape[0], self.n_heads, x.shape[1], -1)


def _split_interleaved(self: Any, x: Tensor) -> Tensor:
    return x.unflatten(-1, (-1, self.n_heads)).permute(0, 3, 1, 2)


def _merge_by_view(self: Any, x: Tensor) -> Tensor:
    return x.reshape(x.shape[0], x.shape[2], -1)


def _initialised(change: Callable) -> type:
    class Changed(_Other):
        def __init__(self, dim: int, n_heads: int) -> None:
            super().__init__(dim, n_heads)
            change(self, dim)

    return Changed


def _with_bias(self: Any, dim: int) -> None:
    for name in ("wq", "wk", "wv", "wo"):
        setattr(self, name, nn.Linear(dim, dim))


def _rename(self: Any, dim: int) -> None:
    self.q_proj, self.k_proj, self.v_proj, self.o_proj = self.wq, self.wk, self.wv, self.wo
    del self.wq, self.wk, self.wv, self.wo


def _frozen(self: Any, dim: int) -> None:
    for parameter in self.parameters():
        parameter.requires_grad_(False)


def _no_output_map(self: Any, dim: int) -> None:
    del self.wo


def _fused(self: Any, dim: int) -> None:
    del self.wq, self.wk, self.wv
    self.wqkv = nn.Linear(dim, 3 * dim, bias=False)


def _without_gradient(self: Any, x: Tensor, angles: Tensor, cache: Any = None) -> Tensor:
    with torch.no_grad():
        return right.CachedAttention.forward(self, x, angles, cache)


def _detached_keys(self: Any, q: Tensor, k: Tensor, v: Tensor, cache: Any) -> tuple:
    k, v = k.detach(), v.detach()
    return (k, v) if cache is None else cache.update(k, v)


def _returns_pair(self: Any, x: Tensor, angles: Tensor, cache: Any = None) -> tuple:
    return right.CachedAttention.forward(self, x, angles, cache), cache


def _returns_double(self: Any, x: Tensor, angles: Tensor, cache: Any = None) -> Tensor:
    return right.CachedAttention.forward(self, x, angles, cache).double()


def _adds_residual(self: Any, x: Tensor, angles: Tensor, cache: Any = None) -> Tensor:
    return x + right.CachedAttention.forward(self, x, angles, cache)


def _changes_x(self: Any, x: Tensor, angles: Tensor, cache: Any = None) -> Tensor:
    result = right.CachedAttention.forward(self, x, angles, cache)
    with torch.no_grad():
        x.mul_(0)
    return result


class _MaskOnCpu(_Other):
    """The mask is made without a device and meets the scores wherever these are."""

    def seen(self, scores: Tensor) -> Tensor:
        return self.may_look(*scores.shape[-2:])


class _SmallNumber(right.CachedAttention):
    """Computes in the input's dtype and masks with a number that half precision does not have."""

    def attend(self, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        scores = q @ k.transpose(-2, -1) / math.sqrt(q.shape[-1])
        seen = _causal(*scores.shape[-2:]).to(q.device)
        return torch.softmax(scores.masked_fill(~seen, -1e9), dim=-1) @ v


def _top_left(self: Any, n_queries: int, n_keys: int) -> Tensor:
    return torch.ones(n_queries, n_keys, dtype=torch.bool).tril()


def _no_mask(self: Any, n_queries: int, n_keys: int) -> Tensor:
    return torch.ones(n_queries, n_keys, dtype=torch.bool)


def _no_mask_with_past(self: Any, n_queries: int, n_keys: int) -> Tensor:
    seen = _causal(n_queries, n_keys)
    return seen if n_queries == n_keys else torch.ones_like(seen)


def _square_mask(self: Any, n_queries: int, n_keys: int) -> Tensor:
    return _causal(n_queries, n_queries)


def _own_and_past(self: Any, n_queries: int, n_keys: int) -> Tensor:
    """Sees the past and itself, but not the earlier tokens of its own chunk."""
    past = n_keys - n_queries
    if past == 0:
        return _causal(n_queries, n_keys)
    seen = torch.zeros(n_queries, n_keys, dtype=torch.bool)
    seen[:, :past] = True
    return seen | (torch.eye(n_queries, n_keys).roll(past, 1) > 0)


def _not_itself(self: Any, n_queries: int, n_keys: int) -> Tensor:
    seen = _causal(n_queries, n_keys, -1)
    seen[0, 0] = True  # so that the very first row sees something
    return seen


def _window(size: int) -> Callable:
    def may_look(self: Any, n_queries: int, n_keys: int) -> Tensor:
        return _causal(n_queries, n_keys) & ~_causal(n_queries, n_keys, -size)

    return may_look


def _multiplied(self: Any, scores: Tensor, may_look: Tensor) -> Tensor:
    return torch.softmax(scores * may_look, dim=-1)


def _masked_after(self: Any, scores: Tensor, may_look: Tensor) -> Tensor:
    return torch.softmax(scores, dim=-1) * may_look


def _over_queries(self: Any, scores: Tensor, may_look: Tensor) -> Tensor:
    return torch.softmax(scores.masked_fill(~may_look, -torch.inf), dim=-2).nan_to_num()


def _no_softmax(self: Any, scores: Tensor, may_look: Tensor) -> Tensor:
    return scores * may_look


T_BY_S = (
    "The mask is T × S: `causal_mask(q.shape[2], k.shape[2])`. The queries are the last T of S."
)
TURN = "`q, k = apply_rope(q, angles), apply_rope(k, angles)`, before the cache and never again."
STORE = "`k, v = cache.update(k, v)`: what comes back are all keys and values so far."
PASSED = "Keep nothing on `self` but the weights and n_heads. The cache comes with the call."
HEADS_FIRST = "`split_heads` and `merge_heads` of lab 04."

ATTENTION = [
    Mistake(
        "forgets",
        _remember(cache_misuse.forgets),
        "It stores keys and values and then attends to the new ones only: a cache that is never "
        "read.",
        STORE,
        "Lightning-AI/litgpt#701",
    ),
    Mistake(
        "never_stored",
        _remember(cache_misuse.never_stored),
        "It reads the cache but never stores anything in it.",
        STORE,
    ),
    Mistake(
        "prompt_not_stored",
        _remember(_prompt_not_stored),
        "Several tokens at once are not stored, only single ones are: the prompt is forgotten.",
        STORE,
    ),
    Mistake(
        "chunk_starts_again",
        _remember(_chunk_starts_again),
        "Several tokens at once are taken for a new text: what was in the cache is overwritten.",
        "Store what comes, wherever the cache stands. A new text gets a new cache.",
    ),
    Mistake(
        "cache_ignored",
        _layer(remember=lambda self, q, k, v, cache: (k, v)),
        "The cache is not used at all.",
        STORE,
    ),
    Mistake(
        "length_stays",
        _remember(cache_misuse.length_stays),
        "It writes into the cache but leaves its `length` where it was.",
        STORE,
    ),
    Mistake(
        "updated_twice",
        _remember(_updated_twice),
        "It calls update twice, so every position stands in the cache twice.",
        "One call returns both: `k, v = cache.update(k, v)`.",
    ),
    Mistake(
        "reads_before_storing",
        _remember(cache_misuse.reads_before),
        "It attends to what was in the cache before: a token does not see itself.",
        STORE,
    ),
    Mistake(
        "swapped_in_update",
        _remember(lambda q, k, v, cache: cache.update(v, k)[::-1]),
        "It stores the values as keys and the keys as values.",
        STORE,
    ),
    Mistake(
        "swapped_on_return",
        _remember(lambda q, k, v, cache: cache.update(k, v)[::-1]),
        "What update returns is unpacked the wrong way round: keys first, then values.",
        STORE,
    ),
    Mistake(
        "queries_cached",
        _remember(_queries_cached),
        "It stores the queries where the keys belong. An old query is never needed again.",
        STORE,
    ),
    Mistake(
        "unrotated_keys_cached",
        _layer(
            turn=lambda self, q, k, v, angles: (_rope(q, angles), k, v),
            remember=lambda self, q, k, v, cache: (k, v) if cache is None else cache.update(k, v),
        ),
        "The keys are not rotated, only the queries.",
        TURN,
    ),
    Mistake(
        "rotates_what_it_reads",
        _RotatesWhatItReads,
        "Plain keys go into the cache, and whatever is read is rotated by the angles of the new "
        "tokens. Only the new tokens' angles are here: rotate before storing.",
        TURN,
        "NeuraLegion/shainet#110",
    ),
    Mistake(
        "rotates_again",
        _RotatesAgain,
        "The keys from the cache are rotated a second time.",
        TURN,
        "NeuraLegion/shainet#110",
    ),
    Mistake(
        "rotates_in_cache",
        _RotatesInCache,
        "The keys in the cache are rotated again at every call, in place.",
        TURN,
        "NeuraLegion/shainet#110",
    ),
    Mistake(
        "scales_in_cache",
        _remember(cache_misuse.scaled_in_cache),
        "It changes the keys that update returned in place (`/=`), and they are the cache's own "
        "memory.",
        "Make a new tensor: `k = k / …`.",
    ),
    Mistake(
        "first_angle_for_all",
        _turn(lambda q, k, v, a: (_rope(q, a[:1]), _rope(k, a[:1]), v)),
        "All tokens of a chunk are rotated by the first one's angle.",
        TURN,
    ),
    Mistake(
        "own_angles",
        _OwnAngles,
        "It makes its own angles, from position 0 in every call. With a cache the tokens in x "
        "stand further on; the angles given are theirs.",
        TURN,
        "RobertCsordas/moeut#6",
    ),
    Mistake(
        "no_rotation",
        _turn(lambda q, k, v, a: (q, k, v)),
        "The angles are not used: nothing is rotated.",
        TURN,
    ),
    Mistake(
        "queries_not_rotated",
        _turn(lambda q, k, v, a: (q, _rope(k, a), v)),
        "The queries are not rotated, only the keys.",
        TURN,
    ),
    Mistake(
        "values_rotated",
        _turn(lambda q, k, v, a: (_rope(q, a), _rope(k, a), _rope(v, a))),
        "The values are rotated too. RoPE is for queries and keys only.",
        TURN,
    ),
    Mistake(
        "rotated_twice",
        _turn(lambda q, k, v, a: (_rope(q, 2 * a), _rope(k, 2 * a), v)),
        "Queries and keys are rotated twice.",
        TURN,
    ),
    Mistake(
        "rotated_backwards",
        _turn(lambda q, k, v, a: (_rope(q, -a), _rope(k, -a), v)),
        "Queries and keys are rotated clockwise: the sign of the angle is wrong.",
        TURN,
    ),
    Mistake(
        "half_split_pairs",
        _turn(lambda q, k, v, a: (_rope_half(q, a), _rope_half(k, a), v)),
        "It rotates the pairs (i, i + d/2). Here neighbours are pairs: (2i, 2i + 1).",
        "Use your apply_rope, not apply_rope_half.",
        "jzhang38/TinyLlama#24",
    ),
    Mistake(
        "angles_across_heads",
        _RotatesBeforeSplit,
        "It rotates before the heads are split, so that the heads get other angles.",
        "Split first: each head has its own d/2 pairs.",
    ),
    Mistake(
        "no_mask",
        _layer(may_look=_no_mask),
        "There is no mask: every token sees the later ones of its chunk.",
        T_BY_S,
    ),
    Mistake(
        "no_mask_with_cache",
        _layer(may_look=_no_mask_with_past),
        "The mask is left out as soon as there is something in the cache. That is right for one "
        "token and wrong for a chunk.",
        T_BY_S,
        "mlx-node/mlx-node#24",
    ),
    Mistake(
        "mask_only_without_cache",
        _MaskOnlyWithoutCache,
        "Whenever there is a cache the mask is left out, for the prompt too: its tokens see the "
        "future.",
        T_BY_S,
        "mlx-node/mlx-node#24",
    ),
    Mistake(
        "mask_top_left",
        _layer(may_look=_top_left),
        "The mask begins at the top left: with a full cache the first new token sees one key only. "
        "`is_causal=True` does that.",
        T_BY_S,
        "pytorch/pytorch#108108",
    ),
    Mistake(
        "square_mask",
        _layer(may_look=_square_mask),
        "The mask is T × T, but there are S keys. It fits only while the cache is empty.",
        T_BY_S,
        "rasbt/LLMs-from-scratch#697",
    ),
    Mistake(
        "chunk_blind_to_itself",
        _layer(may_look=_own_and_past),
        "A token of a later chunk sees the cache and itself, but not its neighbours before it.",
        T_BY_S,
    ),
    Mistake(
        "not_itself",
        _layer(may_look=_not_itself),
        "A token does not see itself: the diagonal is masked.",
        T_BY_S,
    ),
    Mistake(
        "one_ahead",
        _layer(may_look=lambda self, t, s: _causal(t, s, 1)),
        "A token sees one position ahead of itself.",
        T_BY_S,
        "RVC-Boss/GPT-SoVITS#965",
    ),
    Mistake(
        "mask_upside_down",
        _layer(may_look=lambda self, t, s: ~_causal(t, s, -1)),
        "The mask is upside down: True is where a query may look.",
        T_BY_S,
    ),
    Mistake(
        "window_of_four",
        _layer(may_look=_window(4)),
        "Only the last four positions are seen.",
        T_BY_S,
    ),
    Mistake(
        "window_of_sixteen",
        _layer(may_look=_window(16)),
        "Only the last sixteen positions are seen. A text may be longer.",
        T_BY_S,
    ),
    Mistake(
        "mask_multiplied",
        _layer(weigh=_multiplied),
        "The scores are multiplied by 0 where they are masked, and e⁰ = 1 still counts.",
        "Fill them with -inf before the softmax.",
        "awslabs/gluonts#1401",
    ),
    Mistake(
        "masked_after_softmax",
        _layer(weigh=_masked_after),
        "The mask comes after the softmax: the weights of a row no longer sum to 1.",
        "Fill the scores with -inf before the softmax.",
        "huggingface/pytorch-image-models#2236",
    ),
    Mistake(
        "softmax_over_queries",
        _layer(weigh=_over_queries),
        "The softmax runs over the queries. It runs over the keys, the last dimension.",
        "`torch.softmax(scores, dim=-1)`",
        "FudanNLP/fastNLP#254",
    ),
    Mistake(
        "no_softmax",
        _layer(weigh=_no_softmax),
        "There is no softmax.",
        "`attention` of lab 04 has it.",
    ),
    Mistake(
        "not_scaled",
        _layer(score=lambda self, q, k: q @ k.transpose(-2, -1)),
        "The scores are not divided by √d.",
        "`attention` of lab 04 does it.",
    ),
    Mistake(
        "scaled_by_width",
        _layer(
            score=lambda self, q, k: q @ k.transpose(-2, -1) / math.sqrt(q.shape[-1] * self.n_heads)
        ),
        "The scores are divided by √dim, the whole width. It is √d, the size of a head.",
        "`q.shape[-1]` after splitting is d.",
        "omihub777/ViT-CIFAR#11",
    ),
    Mistake(
        "divided_by_d",
        _layer(score=lambda self, q, k: q @ k.transpose(-2, -1) / q.shape[-1]),
        "The scores are divided by d instead of √d.",
        "`math.sqrt(q.shape[-1])`",
    ),
    Mistake(
        "scaled_by_length",
        _layer(score=lambda self, q, k: q @ k.transpose(-2, -1) / math.sqrt(k.shape[-2])),
        "The scores are divided by the root of the number of keys.",
        "The divisor is √d; it does not depend on how long the sequence is.",
    ),
    Mistake(
        "view_without_transpose",
        _layer(split=_split_by_view),
        "The heads are cut by a view to (B, H, T, d), which mixes positions and heads.",
        HEADS_FIRST,
        "hyunwoongko/transformer#15",
    ),
    Mistake(
        "heads_interleaved",
        _layer(split=_split_interleaved),
        "Head h takes every H-th feature. It has d neighbouring ones.",
        HEADS_FIRST,
    ),
    Mistake(
        "merged_without_transpose",
        _layer(merge=_merge_by_view),
        "The heads are put together without bringing the positions back first.",
        HEADS_FIRST,
        "jsbaan/transformer-from-scratch#4",
    ),
    Mistake(
        "heads_ignored",
        _layer(
            split=lambda self, x: x[:, None],
            turn=lambda self, q, k, v, a: (
                _rope(q, a.repeat(1, self.n_heads)),
                _rope(k, a.repeat(1, self.n_heads)),
                v,
            ),
        ),
        "n_heads is not used: there is one head over the whole width.",
        HEADS_FIRST,
    ),
    Mistake(
        "same_map_for_q_and_k",
        _layer(project=lambda self, x: (self.wk(x), self.wk(x), self.wv(x))),
        "The queries are made by wk.",
        "`self.wq(x)`",
    ),
    Mistake(
        "q_and_k_swapped",
        _layer(project=lambda self, x: (self.wk(x), self.wq(x), self.wv(x))),
        "wq and wk have changed places.",
        "Queries by wq, keys by wk.",
    ),
    Mistake(
        "values_by_wk",
        _layer(project=lambda self, x: (self.wq(x), self.wk(x), self.wk(x))),
        "The values are made by wk.",
        "`self.wv(x)`",
    ),
    Mistake(
        "no_output_map",
        _layer(out=lambda self, x: x),
        "wo is not applied at the end.",
        "`return self.wo(…)`",
    ),
    Mistake(
        "first_sequence_for_all",
        _layer(out=_first_for_all),
        "All sequences of the batch get the result of the first one.",
        "Index no batch: the first dimension of every tensor stays B.",
    ),
    Mistake(
        "residual_inside",
        _layer(forward=_adds_residual),
        "x is added to the result. The residual belongs to the block around this layer.",
        "Return what wo gives.",
    ),
    Mistake(
        "with_bias",
        _initialised(_with_bias),
        "The linear maps have a bias. Llama's have none.",
        "`nn.Linear(dim, dim, bias=False)`",
    ),
    Mistake(
        "other_names",
        _initialised(_rename),
        "The maps are called q_proj, k_proj, v_proj, o_proj, as in Hugging Face's code.",
        "They are wq, wk, wv, wo here, as in Meta's.",
    ),
    Mistake(
        "no_wo",
        _initialised(_no_output_map),
        "There is no wo.",
        "`self.wo = nn.Linear(dim, dim, bias=False)`",
    ),
    Mistake(
        "fused_qkv",
        _initialised(_fused),
        "One wide map makes queries, keys and values. It works, but the weights of lab 04 and of "
        "Llama do not fit.",
        "Three maps: wq, wk, wv.",
    ),
    Mistake(
        "frozen",
        _initialised(_frozen),
        "The weights do not require a gradient: they would never learn.",
        "nn.Linear does it by itself; leave it so.",
    ),
    Mistake(
        "attends_to_unwritten",
        _static(mask_them=False),
        "It attends to all max_len slots of the cache, those not written yet included.",
        STORE,
        "huggingface/transformers#45940",
    ),
    Mistake(
        "unwritten_only_masked",
        _static(mask_them=True),
        "It multiplies all max_len slots and masks the unwritten ones. A weight of 0 times what "
        "happens to lie there is NaN when that is NaN, and it computes max_len scores each time.",
        STORE,
        "tenstorrent/tt-forge-onnx#422",
    ),
    Mistake(
        "keeps_state",
        _KeepsItself,
        "Called without a cache, it remembers the last call.",
        PASSED,
        "Lightning-AI/litgpt#1595",
    ),
    Mistake(
        "first_cache_for_good",
        _FirstCacheForGood,
        "It keeps the first cache it was given and ignores later ones.",
        PASSED,
        "casper-hansen/AutoAWQ#178",
    ),
    Mistake(
        "last_cache_lingers",
        _CacheWithoutACache,
        "After a call with a cache, a call without one still reads it.",
        PASSED,
        "Lightning-AI/litgpt#1596",
    ),
    Mistake(
        "no_gradient",
        _layer(forward=_without_gradient),
        "torch.no_grad() stands inside the layer. The one who generates switches gradients off, "
        "not the layer: it is trained too.",
        "Take it out of forward.",
    ),
    Mistake(
        "keys_detached",
        _layer(remember=_detached_keys),
        "Keys and values are detached also where there is no cache, so wk and wv do not learn.",
        "Detach nothing; `torch.no_grad()` belongs around the generation.",
    ),
    Mistake(
        "returns_cache_too",
        _layer(forward=_returns_pair),
        "It returns a pair (output, cache). The cache is changed in place; return the output.",
        "`return self.wo(…)`",
    ),
    Mistake(
        "returns_float64",
        _layer(forward=_returns_double),
        "The result is float64 whatever the input is.",
        "Return the input's dtype.",
    ),
    Mistake(
        "changes_x",
        _layer(forward=_changes_x),
        "It changes x in place.",
        "Make new tensors; the residual of the block still needs x.",
    ),
    Mistake(
        "mask_on_cpu",
        _MaskOnCpu,
        "The mask is made on the CPU and stays there.",
        "`causal_mask(…).to(x.device)`",
    ),
    Mistake(
        "minus_1e9_in_half",
        _SmallNumber,
        "Masked scores become -1e9, a number that float16 does not have.",
        "`-torch.inf`, or compute the scores in float32.",
    ),
]
