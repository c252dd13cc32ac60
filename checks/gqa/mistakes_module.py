"""Lab 06, 6.3: what people write for GroupedQueryAttention.

Sources are the public issues in which somebody really made the mistake.
"""

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from checks.engine import Mistake
from checks.gqa import cache_misuse
from checks.gqa import reference as right
from checks.gqa.mistakes_attention import exact, fill, plain, scores_of, shared, softmax, tiled


class Layer(right.GroupedQueryAttention):
    """The right layer with quicker steps."""

    def split(self, x: Tensor, n_heads: int) -> Tensor:
        """(B, T, H·d) → (B, H, T, d)."""
        return x.unflatten(-1, (n_heads, -1)).transpose(1, 2)

    def attend(self, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        """In one piece."""
        mask = self.mask(q.shape[2], k.shape[2]).to(q.device)
        return exact(q, k, v, mask)

    def merge(self, x: Tensor) -> Tensor:
        """(B, H, T, d) → (B, T, H·d)."""
        return x.transpose(1, 2).flatten(2)


def module(key: str, says: str, hint: str, source: str = "", **steps: Callable) -> Mistake:
    """A layer that does one or more of its steps wrong: `step(layer, ...)` replaces the method."""
    return Mistake(key, type("Wrong", (Layer,), steps), says, hint, source)


def built(key: str, says: str, hint: str, change: Callable[[Any, int, int, int], None]) -> Mistake:
    """A layer whose constructor does something more at the end, or takes something away."""

    class Wrong(Layer):
        def __init__(self, dim: int, n_heads: int, n_kv_heads: int) -> None:
            super().__init__(dim, n_heads, n_kv_heads)
            change(self, dim, n_heads, n_kv_heads)

    return Mistake(key, Wrong, says, hint)


def stored(key: str, says: str, store: Callable[..., tuple], source: str = "") -> Mistake:
    """Right without a cache; with one, store(q, k, v, cache) gives keys and values."""

    def remember(layer: Layer, q: Tensor, k: Tensor, v: Tensor, cache: Any) -> tuple:
        return (k, v) if cache is None else store(q, k, v, cache)

    return module(key, says, STORE, source, remember=remember)


def turned(key: str, says: str, turn: Callable[..., tuple], source: str = "") -> Mistake:
    """turn(q, k, v, angles) in place of the right rotation."""
    steps = {"turn": lambda layer, q, k, v, angles: turn(q, k, v, angles)}
    return module(key, says, ROTATE, source, **steps)


def masked(key: str, says: str, mask: Callable[[int, int], Tensor], source: str = "") -> Mistake:
    """mask(T, S) in place of the causal one."""
    return module(key, says, MASK, source, mask=lambda layer, t, s: mask(t, s))


def attending(
    key: str, says: str, attend: Callable[..., Tensor], hint: str, source: str = ""
) -> Mistake:
    """attend(q, k, v, mask) in place of the right one."""

    def wrong(layer: Layer, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        mask = layer.mask(q.shape[2], k.shape[2]).to(q.device)
        return attend(q.float(), k.float(), v.float(), mask).to(q.dtype)

    return module(key, says, hint, source, attend=wrong)


def causal(n_queries: int, n_keys: int, shift: int = 0) -> Tensor:
    """The queries are the last T of S; `shift` more may be seen."""
    return torch.ones(n_queries, n_keys, dtype=torch.bool).tril(n_keys - n_queries + shift)


rope = right.rotate


def half_split(x: Tensor, angles: Tensor) -> Tensor:
    """RoPE on the pairs (i, i + d/2), as Hugging Face lays them out."""
    cos, sin, (a, b) = angles.cos(), angles.sin(), x.float().chunk(2, -1)
    return torch.cat([a * cos - b * sin, a * sin + b * cos], -1).to(x.dtype)


# How it is built


def _full_size(layer: Layer, dim: int, n_heads: int, n_kv_heads: int) -> None:
    layer.wk, layer.wv = (nn.Linear(dim, dim, bias=False) for _ in range(2))
    narrow = layer.split
    layer.split = lambda x, n: narrow(x, n_heads)


def _wv_full_size(layer: Layer, dim: int, n_heads: int, n_kv_heads: int) -> None:
    layer.wv = nn.Linear(dim, dim, bias=False)
    d = dim // n_heads
    layer.project = lambda x: (layer.wq(x), layer.wk(x), layer.wv(x)[..., : n_kv_heads * d])


def _by_group(layer: Layer, dim: int, n_heads: int, n_kv_heads: int) -> None:
    """As many kv heads as a group has queries: H / K."""
    layer.n_kv_heads = n_heads // n_kv_heads
    narrow = dim // n_heads * layer.n_kv_heads
    layer.wk, layer.wv = (nn.Linear(dim, narrow, bias=False) for _ in range(2))


def _one_head(layer: Layer, dim: int, n_heads: int, n_kv_heads: int) -> None:
    layer.n_kv_heads = 1
    layer.wk, layer.wv = (nn.Linear(dim, dim // n_heads, bias=False) for _ in range(2))


def _narrow_queries(layer: Layer, dim: int, n_heads: int, n_kv_heads: int) -> None:
    narrow = dim // n_heads * n_kv_heads
    layer.wq = nn.Linear(dim, narrow, bias=False)
    layer.wo = nn.Linear(narrow, dim, bias=False)
    layer.n_heads = n_kv_heads


def _wk_upside_down(layer: Layer, dim: int, n_heads: int, n_kv_heads: int) -> None:
    narrow = dim // n_heads * n_kv_heads
    layer.wk, layer.wv = (nn.Linear(narrow, dim, bias=False) for _ in range(2))
    layer.project = lambda x: (layer.wq(x), x @ layer.wk.weight, x @ layer.wv.weight)


def _biases(layer: Layer, dim: int, n_heads: int, n_kv_heads: int) -> None:
    for name in ("wq", "wk", "wv", "wo"):
        old = getattr(layer, name)
        setattr(layer, name, nn.Linear(old.in_features, old.out_features))


def _without_wo(layer: Layer, dim: int, n_heads: int, n_kv_heads: int) -> None:
    del layer.wo
    layer.out = lambda x: x


def _fused(layer: Layer, dim: int, n_heads: int, n_kv_heads: int) -> None:
    narrow = layer.wk.out_features
    del layer.wk, layer.wv
    layer.wkv = nn.Linear(dim, 2 * narrow, bias=False)
    layer.project = lambda x: (layer.wq(x), *layer.wkv(x).chunk(2, -1))


def _renamed(layer: Layer, dim: int, n_heads: int, n_kv_heads: int) -> None:
    for name in "qkvo":
        setattr(layer, f"{name}_proj", getattr(layer, f"w{name}"))
        delattr(layer, f"w{name}")
    layer.project = lambda x: (layer.q_proj(x), layer.k_proj(x), layer.v_proj(x))
    layer.out = lambda x: layer.o_proj(x)


def _frozen(layer: Layer, dim: int, n_heads: int, n_kv_heads: int) -> None:
    layer.requires_grad_(False)


def _zeros(layer: Layer, dim: int, n_heads: int, n_kv_heads: int) -> None:
    for weight in layer.parameters():
        nn.init.zeros_(weight)


def _tied(layer: Layer, dim: int, n_heads: int, n_kv_heads: int) -> None:
    layer.wv = layer.wk


# What it refuses


def refuses(key: str, says: str, check: Callable[[int, int, int], Any], hint: str = "") -> Mistake:
    """check(dim, H, K) in place of the right one; groups may then be uneven."""
    return module(
        key,
        says,
        hint or "`if n_heads % n_kv_heads != 0: raise ValueError(…)`, at the top of __init__.",
        check=lambda layer, *sizes: check(*sizes),
    )


def _raise(error: type[Exception], when: bool) -> None:
    if when:
        raise error("n_heads has to be a multiple of n_kv_heads")


class _Rounds(Layer):
    """Takes the next smaller number of kv heads that fits."""

    def __init__(self, dim: int, n_heads: int, n_kv_heads: int) -> None:
        while n_heads % n_kv_heads:
            n_kv_heads -= 1
        super().__init__(dim, n_heads, n_kv_heads)


# The cache


class _CachesExpanded(Layer):
    """Repeats keys and values before they are stored: right, and as large as with MHA."""

    def remember(self, q: Tensor, k: Tensor, v: Tensor, cache: Any) -> tuple:
        k, v = shared(k, self.n_heads), shared(v, self.n_heads)
        return (k, v) if cache is None else cache.update(k, v)


class _RotatesWhatItReads(Layer):
    """Caches plain keys and rotates all it reads by the new tokens' angles."""

    def forward(self, x: Tensor, angles: Tensor, cache: Any = None) -> Tensor:
        q, k, v = self.project(x)
        q = self.split(q, self.n_heads)
        k, v = self.split(k, self.n_kv_heads), self.split(v, self.n_kv_heads)
        k, v = self.remember(q, k, v, cache)
        if k.shape[2] == len(angles):
            k = rope(k, angles)
        else:
            k = rope(k, angles[-1:].expand(k.shape[2], -1))
        return self.out(self.merge(self.attend(rope(q, angles), k, v)).to(x.dtype))


class _RotatesAgain(Layer):
    """Rotates the cached keys, which are rotated already, once more by the last angle."""

    def forward(self, x: Tensor, angles: Tensor, cache: Any = None) -> Tensor:
        old = 0 if cache is None else cache.length
        self.again = old, angles[-1:].expand(old, -1)
        return super().forward(x, angles, cache)

    def attend(self, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        old, angles = self.again
        k = torch.cat([rope(k[:, :, :old], angles), k[:, :, old:]], 2)
        return super().attend(q, k, v)


class _KeepsItself(Layer):
    """Remembers keys and values of its own when it is given no cache."""

    past: Any = None

    def remember(self, q: Tensor, k: Tensor, v: Tensor, cache: Any) -> tuple:
        if cache is not None:
            return cache.update(k, v)
        if self.past is not None and self.past[0].shape[0] == k.shape[0]:
            k, v = torch.cat([self.past[0], k], 2), torch.cat([self.past[1], v], 2)
        self.past = k.detach(), v.detach()
        return k, v


class _FirstCacheForGood(Layer):
    """Goes on using the first cache it was ever given."""

    first: Any = None

    def remember(self, q: Tensor, k: Tensor, v: Tensor, cache: Any) -> tuple:
        if cache is None:
            return k, v
        if self.first is None or self.first.keys.shape[0] != k.shape[0]:
            self.first = cache
        return self.first.update(k, v)


class _WholeBuffer(Layer):
    """Attends over all slots of the cache, written or not."""

    def remember(self, q: Tensor, k: Tensor, v: Tensor, cache: Any) -> tuple:
        if cache is None:
            return k, v
        cache.update(k, v)
        self.seen = cache.length
        return cache.keys, cache.values

    def mask(self, n_queries: int, n_keys: int) -> Tensor:
        seen = getattr(self, "seen", None)
        if seen is None or n_queries == n_keys:
            return causal(n_queries, n_keys)
        mask = causal(n_queries, seen)
        return torch.cat([mask, torch.zeros(n_queries, n_keys - seen, dtype=torch.bool)], 1)

    def forward(self, x: Tensor, angles: Tensor, cache: Any = None) -> Tensor:
        self.seen = None
        return super().forward(x, angles, cache)


# Heads and attention


def _one_group_of_queries(q: Tensor, k: Tensor, v: Tensor, mask: Tensor) -> Tensor:
    mean = q.unflatten(1, (k.shape[1], -1)).mean(2)
    return plain(shared(mean, q.shape[1]), shared(k, q.shape[1]), shared(v, q.shape[1]), mask)


def _other_order(q: Tensor, k: Tensor, v: Tensor, mask: Tensor) -> Tensor:
    out = exact(q, k, v, mask)
    return out.unflatten(1, (k.shape[1], -1)).transpose(1, 2).flatten(1, 2)


def _scaled_by(root: Callable[[Tensor, Tensor], float]) -> Callable[..., Tensor]:
    def attend(q: Tensor, k: Tensor, v: Tensor, mask: Tensor) -> Tensor:
        return exact(q * math.sqrt(q.shape[-1]) / root(q, k), k, v, mask)

    return attend


def _weighed(weigh: Callable[[Tensor, Tensor], Tensor]) -> Callable[..., Tensor]:
    def attend(q: Tensor, k: Tensor, v: Tensor, mask: Tensor) -> Tensor:
        scores = scores_of(q, shared(k, q.shape[1]))
        return weigh(scores, mask) @ shared(v, q.shape[1])

    return attend


class _BillionInHalf(Layer):
    def attend(self, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        scores = scores_of(q, shared(k, q.shape[1]))
        mask = self.mask(q.shape[2], k.shape[2]).to(q.device)
        return softmax(fill(scores, mask, -1e9)) @ shared(v, q.shape[1])


class _MaskOnCpu(Layer):
    def attend(self, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        return exact(q, k, v, self.mask(q.shape[2], k.shape[2]))


class _OwnAngles(Layer):
    """Makes the angles itself, from position 0 on, in every call."""

    def forward(self, x: Tensor, angles: Tensor, cache: Any = None) -> Tensor:
        d = 2 * angles.shape[-1]
        frequencies = 10_000.0 ** -(torch.arange(0, d, 2) / d)
        own = torch.outer(torch.arange(x.shape[1]), frequencies)
        return super().forward(x, own.to(x.device), cache)


class _Float32(Layer):
    def forward(self, x: Tensor, angles: Tensor, cache: Any = None) -> Tensor:
        return super().forward(x, angles, cache).float()


class _Residual(Layer):
    def forward(self, x: Tensor, angles: Tensor, cache: Any = None) -> Tensor:
        return x + super().forward(x, angles, cache)


class _ReturnsBoth(Layer):
    def forward(self, x: Tensor, angles: Tensor, cache: Any = None) -> tuple:
        return super().forward(x, angles, cache), cache


class _LastOnly(Layer):
    def forward(self, x: Tensor, angles: Tensor, cache: Any = None) -> Tensor:
        return super().forward(x, angles, cache)[:, -1:]


class _InputDetached(Layer):
    def forward(self, x: Tensor, angles: Tensor, cache: Any = None) -> Tensor:
        return super().forward(x.detach(), angles, cache)


class _NoGradient(Layer):
    def forward(self, x: Tensor, angles: Tensor, cache: Any = None) -> Tensor:
        with torch.no_grad():
            return super().forward(x, angles, cache)


class _ChangesInput(Layer):
    def forward(self, x: Tensor, angles: Tensor, cache: Any = None) -> Tensor:
        result = super().forward(x, angles, cache)
        with torch.no_grad():
            x.mul_(0)
        return result


def _view(x: Tensor, n_heads: int) -> Tensor:
    return x.reshape(x.shape[0], n_heads, x.shape[1], -1)


def _kv_view(layer: Layer, x: Tensor, n_heads: int) -> Tensor:
    is_query = x.shape[-1] == layer.wq.out_features and n_heads == layer.n_heads
    return Layer.split(layer, x, n_heads) if is_query else _view(x, n_heads)


SIZES = (
    "`nn.Linear(dim, n_kv_heads * head_dim, bias=False)` for wk and wv, head_dim = dim // n_heads."
)
SPLIT = "`split_heads(self.wk(x), self.n_kv_heads)` of lab 04."
STORE = "`k, v = cache.update(k, v)`, with the n_kv_heads heads; repeat them afterwards."
ROTATE = "`q, k = apply_rope(q, angles), apply_rope(k, angles)`, before the cache and never again."
MASK = "The mask is T × S: `causal_mask(q.shape[2], k.shape[2])`. The queries are the last T of S."
SHARE = "`grouped_query_attention(q, k, v, mask)` of 6.2."
OUT = "`return self.wo(merge_heads(…))`"
KEEP = "Keep nothing on `self` but the weights and the numbers of heads."
MODULE = [
    built(
        "kv_full_size",
        "wk and wv are as large as with MHA: dim × dim. They make n_kv_heads heads only.",
        SIZES,
        _full_size,
    ),
    built("wv_full_size", "wv is as large as with MHA; wk is right.", SIZES, _wv_full_size),
    built(
        "group_size_for_kv_heads",
        "It makes H / K kv heads. n_kv_heads is their number; H / K is how many queries share one.",
        SIZES,
        _by_group,
    ),
    built("always_one_kv_head", "There is one kv head whatever n_kv_heads is.", SIZES, _one_head),
    built(
        "queries_narrow_too",
        "There are only n_kv_heads query heads. Queries are never shared: wq stays dim × dim.",
        SIZES,
        _narrow_queries,
    ),
    built(
        "kv_weights_upside_down",
        "wk and wv are transposed: nn.Linear(in, out) takes dim first.",
        SIZES,
        _wk_upside_down,
    ),
    built("with_bias", "The linear maps have biases. Llama's have none.", SIZES, _biases),
    built("without_wo", "There is no wo: nothing mixes what the heads found.", OUT, _without_wo),
    built(
        "one_map_for_keys_and_values",
        "One map makes keys and values together. Here Llama's names are wanted: wk, wv.",
        SIZES,
        _fused,
    ),
    built(
        "other_names",
        "The maps have Hugging Face's names (q_proj, …). Here they are Meta's.",
        "wq, wk, wv, wo.",
        _renamed,
    ),
    built("wk_shared_with_wv", "wk and wv are one and the same map.", SIZES, _tied),
    built(
        "frozen",
        "The weights do not learn: requires_grad is False.",
        "nn.Linear's weights require gradients by themselves.",
        _frozen,
    ),
    built(
        "starts_at_zero",
        "All weights start at zero: the output is 0 and so is every gradient, for ever.",
        "nn.Linear initialises itself.",
        _zeros,
    ),
    refuses(
        "no_value_error",
        "Six query heads and four kv heads are accepted: some queries have no kv head to share.",
        lambda dim, H, K: None,
    ),
    refuses(
        "assertion",
        "Uneven groups stop an `assert`. The task promises a ValueError (and asserts can be "
        "switched off).",
        lambda dim, H, K: _raise(AssertionError, H % K != 0),
    ),
    refuses(
        "value_error_upside_down",
        "It asks whether n_kv_heads is a multiple of n_heads: only MHA passes.",
        lambda dim, H, K: _raise(ValueError, K % H != 0),
    ),
    refuses(
        "value_error_for_mqa",
        "It refuses a single kv head. That is MQA, and allowed.",
        lambda dim, H, K: _raise(ValueError, H % K != 0 or K == 1),
    ),
    refuses(
        "value_error_for_mha",
        "It refuses as many kv heads as query heads. That is MHA, and allowed.",
        lambda dim, H, K: _raise(ValueError, H % K != 0 or K == H),
    ),
    refuses(
        "value_error_by_dim",
        "It asks whether dim is a multiple of n_kv_heads. The query heads have to be.",
        lambda dim, H, K: _raise(ValueError, dim % K != 0),
    ),
    refuses(
        "only_too_many",
        "It refuses more kv heads than query heads only. Six and four do not fit either.",
        lambda dim, H, K: _raise(ValueError, K > H),
    ),
    Mistake(
        "rounds_down",
        _Rounds,
        "It quietly takes another number of kv heads where the groups do not come out even.",
        "Raise the ValueError: whoever asked for four wants to know.",
    ),
    attending(
        "tiled",
        "Query head h reads kv head h % K: 0, 1, 0, 1. Neighbours share one: 0, 0, 1, 1.",
        lambda q, k, v, mask: plain(q, tiled(k, q.shape[1]), tiled(v, q.shape[1]), mask),
        SHARE,
        "ekzhang/jax-js#180, jxiw/M1#4",
    ),
    attending(
        "first_kv_head",
        "All query heads read kv head 0.",
        lambda q, k, v, mask: exact(q, k[:, :1], v[:, :1], mask),
        SHARE,
    ),
    attending(
        "mean_query",
        "The queries of a group are averaged: all its heads give the same.",
        _one_group_of_queries,
        SHARE,
    ),
    attending(
        "merged_in_another_order",
        "The heads come back in another order: first the first of each group, then the second …",
        _other_order,
        SHARE,
    ),
    attending(
        "scaled_by_model",
        "The scores are divided by sqrt(dim). A head's dot product has d = dim / H terms.",
        _scaled_by(lambda q, k: math.sqrt(q.shape[1] * q.shape[-1])),
        SHARE,
        "omihub777/ViT-CIFAR#11",
    ),
    attending(
        "scaled_by_kv_heads",
        "The scores are divided by sqrt(K·d), the width of the keys, or by sqrt(dim / …). A "
        "dot product has d terms.",
        _scaled_by(lambda q, k: math.sqrt(k.shape[1] * q.shape[-1])),
        SHARE,
    ),
    attending(
        "scaled_by_group",
        "The scores are divided by sqrt(dim // n_kv_heads). A head has d = dim // n_heads "
        "features.",
        _scaled_by(lambda q, k: math.sqrt(q.shape[1] // k.shape[1] * q.shape[-1])),
        SHARE,
    ),
    attending(
        "no_scale",
        "The scores are not divided by sqrt(d).",
        _scaled_by(lambda q, k: 1.0),
        SHARE,
    ),
    attending(
        "scaled_by_d",
        "The scores are divided by d (or by sqrt(d) twice).",
        _scaled_by(lambda q, k: float(q.shape[-1])),
        SHARE,
    ),
    attending(
        "softmax_over_queries",
        "The softmax runs over the queries.",
        _weighed(lambda s, m: softmax(fill(s, m), -2).nan_to_num()),
        SHARE,
    ),
    attending("no_softmax", "There is no softmax.", _weighed(lambda s, m: s * m), SHARE),
    attending(
        "mask_multiplied",
        "A masked score becomes 0, and e^0 is 1: masked keys keep their weight.",
        _weighed(lambda s, m: softmax(fill(s, m, 0.0))),
        SHARE,
        "awslabs/gluonts#1401",
    ),
    attending(
        "mask_after_softmax",
        "The mask comes after the softmax: the rows no longer sum to 1.",
        _weighed(lambda s, m: softmax(s) * m),
        SHARE,
    ),
    Mistake(
        "billion_in_half",
        _BillionInHalf,
        "-1e9 does not fit into float16, whose lowest number is -65504.",
        SHARE,
    ),
    module(
        "view_without_transpose",
        "split reshapes straight to (B, H, T, d): the features of a head come from other "
        "positions, later ones too.",
        SPLIT,
        "hyunwoongko/transformer#15, reczoo/FuxiCTR#30",
        split=lambda layer, x, n: _view(x, n),
    ),
    module(
        "kv_view_without_transpose",
        "The queries are split well, but keys and values are reshaped straight to (B, K, T, d), "
        "which mixes positions and heads.",
        SPLIT,
        split=_kv_view,
    ),
    module(
        "every_hth_feature",
        "Head h gets the features h, h + H, … It gets d neighbouring ones.",
        SPLIT,
        split=lambda layer, x, n: x.unflatten(-1, (-1, n)).permute(0, 3, 1, 2),
    ),
    module(
        "merge_without_transpose",
        "The heads are merged without transposing: a position gets features of other positions, "
        "later ones too.",
        "Use merge_heads.",
        "jsbaan/transformer-from-scratch#4",
        merge=lambda layer, x: x.reshape(x.shape[0], x.shape[2], -1),
    ),
    module(
        "forgets_wo",
        "wo is not used: the heads stay side by side, unmixed.",
        OUT,
        out=lambda layer, x: x,
    ),
    module(
        "wk_for_values",
        "The values are made by wk; wv is not used.",
        "`self.wv(x)`",
        project=lambda layer, x: (layer.wq(x), layer.wk(x), layer.wk(x)),
    ),
    module(
        "wv_for_keys",
        "The keys are made by wv; wk is not used.",
        "`self.wk(x)`",
        project=lambda layer, x: (layer.wq(x), layer.wv(x), layer.wv(x)),
    ),
    module(
        "keys_and_values_swapped",
        "wk makes the values and wv the keys.",
        "Keys are compared, values are averaged.",
        project=lambda layer, x: (layer.wq(x), layer.wv(x), layer.wk(x)),
    ),
    turned(
        "no_rope",
        "Nothing is rotated: the layer does not know where a token stands.",
        lambda q, k, v, a: (q, k, v),
    ),
    turned(
        "rope_on_queries_only",
        "Only the queries are rotated.",
        lambda q, k, v, a: (rope(q, a), k, v),
    ),
    turned(
        "rope_on_keys_only",
        "Only the keys are rotated.",
        lambda q, k, v, a: (q, rope(k, a), v),
    ),
    turned(
        "rope_on_values",
        "The values are rotated as well. What a token says does not depend on where it stands.",
        lambda q, k, v, a: (rope(q, a), rope(k, a), rope(v, a)),
    ),
    turned(
        "rope_on_first_kv_head",
        "Only the first kv head is rotated. Every head needs positions.",
        lambda q, k, v, a: (rope(q, a), torch.cat([rope(k[:, :1], a), k[:, 1:]], 1), v),
    ),
    turned(
        "rope_twice",
        "Queries and keys are rotated twice.",
        lambda q, k, v, a: (rope(q, 2 * a), rope(k, 2 * a), v),
    ),
    turned(
        "rope_backwards",
        "It rotates by minus the angle.",
        lambda q, k, v, a: (rope(q, -a), rope(k, -a), v),
    ),
    turned(
        "rope_half_split",
        "It rotates the pairs (i, i + d/2), as Hugging Face does. Here the pairs are (2i, 2i + 1).",
        lambda q, k, v, a: (half_split(q, a), half_split(k, a), v),
        "rasbt/LLMs-from-scratch#747",
    ),
    Mistake(
        "own_angles",
        _OwnAngles,
        "It makes its own angles, from position 0 in every call. With a cache the tokens in x "
        "stand further on; the angles given are theirs.",
        ROTATE,
        "RobertCsordas/moeut#6",
    ),
    masked(
        "not_causal",
        "There is no mask: every token sees the ones it has to predict.",
        lambda t, s: torch.ones(t, s, dtype=torch.bool),
        "huggingface/transformers#48745",
    ),
    masked(
        "no_mask_with_cache",
        "The mask is left out as soon as there is something in the cache. That is right for one "
        "token and wrong for a chunk.",
        lambda t, s: causal(t, s) if t == s else torch.ones(t, s, dtype=torch.bool),
        "mlx-node/mlx-node#24",
    ),
    masked(
        "mask_top_left",
        "The mask begins at the top left: with a full cache the first new token sees one key only. "
        "`is_causal=True` does that.",
        lambda t, s: torch.ones(t, s, dtype=torch.bool).tril(),
        "pytorch/pytorch#108108",
    ),
    masked(
        "sees_one_ahead",
        "A token sees one position ahead of itself.",
        lambda t, s: causal(t, s, 1),
        "RVC-Boss/GPT-SoVITS#965",
    ),
    masked(
        "does_not_see_itself",
        "A token does not see itself, and the first one sees nothing: NaN.",
        lambda t, s: causal(t, s, -1),
        "trymirai/lalamo#273",
    ),
    masked(
        "inverted_mask",
        "The mask is inverted: a token sees only what comes after it.",
        lambda t, s: ~causal(t, s),
    ),
    masked(
        "window_of_sixteen",
        "Only the last sixteen positions are seen. A text may be longer.",
        lambda t, s: causal(t, s) & ~causal(t, s, -16),
    ),
    Mistake(
        "caches_expanded",
        _CachesExpanded,
        "Keys and values are repeated before they are stored. All numbers are right, and the "
        "cache is as large as with MHA: the whole point is lost.",
        STORE,
        "common in code with GQA and a cache",
    ),
    stored(
        "forgets",
        "It stores keys and values and then attends to the new ones only.",
        cache_misuse.forgets,
        "Lightning-AI/litgpt#701",
    ),
    stored(
        "never_stored",
        "It reads the cache but never stores anything in it.",
        cache_misuse.never_stored,
    ),
    module(
        "cache_ignored",
        "The cache is not used at all.",
        STORE,
        remember=lambda layer, q, k, v, cache: (k, v),
    ),
    stored(
        "reads_before_storing",
        "It attends to what was in the cache before: a token does not see itself.",
        cache_misuse.reads_before,
    ),
    stored(
        "length_stays",
        "It writes into the cache but leaves its `length` where it was.",
        cache_misuse.length_stays,
    ),
    stored(
        "updated_twice",
        "It calls update twice, so every position stands in the cache twice.",
        lambda q, k, v, cache: (cache.update(k, v)[0], cache.update(k, v)[1]),
    ),
    stored(
        "swapped_in_update",
        "It stores the values as keys and the keys as values.",
        lambda q, k, v, cache: cache.update(v, k)[::-1],
    ),
    stored(
        "swapped_on_return",
        "What update returns is unpacked the wrong way round: keys first, then values.",
        lambda q, k, v, cache: cache.update(k, v)[::-1],
    ),
    stored(
        "scales_in_cache",
        "It changes the keys that update returned in place (`/=`), and they are the cache's own "
        "memory.",
        cache_misuse.scaled_in_cache,
    ),
    Mistake(
        "rotates_what_it_reads",
        _RotatesWhatItReads,
        "Plain keys go into the cache, and whatever is read is rotated by the angles of the new "
        "tokens. Rotate before storing.",
        ROTATE,
        "NeuraLegion/shainet#110",
    ),
    Mistake(
        "rotates_again",
        _RotatesAgain,
        "The keys from the cache are rotated a second time.",
        ROTATE,
        "NeuraLegion/shainet#110",
    ),
    Mistake(
        "attends_to_unwritten",
        _WholeBuffer,
        "It multiplies all slots of the cache and masks those not written yet. A weight of 0 times "
        "what happens to lie there is NaN when that is NaN.",
        "Use what `update` returns.",
        "huggingface/transformers#45940",
    ),
    Mistake(
        "keeps_state",
        _KeepsItself,
        "Called without a cache, it remembers the last call.",
        KEEP,
        "Lightning-AI/litgpt#1595",
    ),
    Mistake(
        "first_cache_for_good",
        _FirstCacheForGood,
        "It keeps the first cache it was given and ignores later ones.",
        KEEP,
        "casper-hansen/AutoAWQ#178",
    ),
    Mistake(
        "mask_on_cpu",
        _MaskOnCpu,
        "The mask lies on the CPU whatever the device of x is.",
        "`causal_mask(T, S).to(x.device)`",
    ),
    Mistake("returns_both", _ReturnsBoth, "It returns two things. One is wanted.", OUT),
    Mistake(
        "last_position_only",
        _LastOnly,
        "Only the last position comes back. All T are wanted.",
        OUT,
    ),
    Mistake(
        "adds_residual",
        _Residual,
        "It adds x. The residual connection comes later, in the block.",
        OUT,
    ),
    Mistake("float32_result", _Float32, "The result is float32 whatever x is.", OUT),
    Mistake("input_detached", _InputDetached, "x is cut off from the gradient.", "No `.detach()`."),
    Mistake("no_gradient", _NoGradient, "It computes without gradients.", "No `torch.no_grad()`."),
    Mistake("input_changed", _ChangesInput, "It changes x in place.", "`x = x * …`, not `x *= …`."),
]
