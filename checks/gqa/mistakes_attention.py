"""Lab 06, 6.2: what people write for grouped_query_attention.

Sources are the public issues in which somebody really made the mistake.
"""

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from checks.engine import Mistake, in_float32

INF = torch.inf
Mask = Tensor | None


def plain(q: Tensor, k: Tensor, v: Tensor, mask: Mask = None) -> Tensor:
    """Attention of H heads with H heads, in float32 at least."""
    return softmax(fill(scores_of(q, k), mask)) @ v


def scores_of(q: Tensor, k: Tensor) -> Tensor:
    """(..., T, S): q·k / sqrt(d)."""
    return q @ k.transpose(-2, -1) / math.sqrt(q.shape[-1])


def fill(scores: Tensor, mask: Mask, value: float = -INF) -> Tensor:
    """Put `value` where the mask is False."""
    return scores if mask is None else scores.masked_fill(~mask, value)


def softmax(scores: Tensor, dim: int = -1) -> Tensor:
    """Over the keys, if nothing else is said."""
    return torch.softmax(scores, dim)


def shared(x: Tensor, n_heads: int) -> Tensor:
    """Each kv head H / K times in a row."""
    return x.repeat_interleave(n_heads // x.shape[1], dim=1)


def tiled(x: Tensor, n_heads: int) -> Tensor:
    """All kv heads, H / K times."""
    return x.repeat(1, n_heads // x.shape[1], 1, 1)


def reads(keys: Callable = shared, values: Callable = shared) -> Callable[..., Tensor]:
    """Right attention, with keys and values brought to H heads in another way."""
    return in_float32(
        lambda q, k, v, mask=None: plain(q, keys(k, q.shape[1]), values(v, q.shape[1]), mask)
    )


def weighs(weigh: Callable[[Tensor, Mask], Tensor]) -> Callable[..., Tensor]:
    """Right heads and scores, then weights = weigh(scores, mask)."""
    return in_float32(
        lambda q, k, v, mask=None: (
            weigh(scores_of(q, shared(k, q.shape[1])), mask) @ shared(v, q.shape[1])
        )
    )


def scaled(scale: Callable[[Tensor, Tensor], float]) -> Callable[..., Tensor]:
    """Scores multiplied by another scale(q, k)."""

    def attend(q: Tensor, k: Tensor, v: Tensor, mask: Mask = None) -> Tensor:
        scores = q @ shared(k, q.shape[1]).transpose(-2, -1) * scale(q, k)
        return softmax(fill(scores, mask)) @ shared(v, q.shape[1])

    return in_float32(attend)


exact = reads()  # right


def finished(finish: Callable[[Tensor, int], Any]) -> Callable[..., Any]:
    """Right attention, then finish(result (B, H, T, d), K)."""
    return lambda q, k, v, mask=None: finish(exact(q, k, v, mask), k.shape[1])


def _group_as_one(scores: Tensor, n_kv_heads: int) -> Tensor:
    """One softmax for all queries of a group: (B, H, T, S) → the same."""
    groups = scores.unflatten(1, (n_kv_heads, -1)).transpose(2, 3).flatten(3)
    weights = softmax(groups).unflatten(3, (-1, scores.shape[-1])).transpose(2, 3)
    return weights.flatten(1, 2)


def _one_softmax(q: Tensor, k: Tensor, v: Tensor, mask: Mask = None) -> Tensor:
    scores = fill(scores_of(q, shared(k, q.shape[1])), mask)
    return _group_as_one(scores, k.shape[1]) @ shared(v, q.shape[1])


def _mean_query(q: Tensor, k: Tensor, v: Tensor, mask: Mask = None) -> Tensor:
    mean = q.unflatten(1, (k.shape[1], -1)).mean(2)
    return plain(shared(mean, q.shape[1]), shared(k, q.shape[1]), shared(v, q.shape[1]), mask)


def _first_query(q: Tensor, k: Tensor, v: Tensor, mask: Mask = None) -> Tensor:
    first = q.unflatten(1, (k.shape[1], -1))[:, :, 0]
    return plain(shared(first, q.shape[1]), shared(k, q.shape[1]), shared(v, q.shape[1]), mask)


def _summed_scores(q: Tensor, k: Tensor, v: Tensor, mask: Mask = None) -> Tensor:
    scores = scores_of(q, shared(k, q.shape[1])).unflatten(1, (k.shape[1], -1)).sum(2)
    return softmax(fill(shared(scores, q.shape[1]), mask)) @ shared(v, q.shape[1])


def _mask_for_first(scores: Tensor, mask: Mask) -> Tensor:
    """The mask counts for the first head only."""
    if mask is None:
        return softmax(scores)
    mask = mask.expand(scores.shape).clone()
    mask[:, 1:] = True
    return softmax(fill(scores, mask))


def _one_mask_for_all_heads(scores: Tensor, mask: Mask) -> Tensor:
    if mask is None:
        return softmax(scores)
    return softmax(fill(scores, mask.expand(scores.shape)[:, :1]))


def _one_mask_for_all_sentences(scores: Tensor, mask: Mask) -> Tensor:
    if mask is None:
        return softmax(scores)
    return softmax(fill(scores, mask.expand(scores.shape)[:1]))


def _multiplied(scores: Tensor, mask: Mask) -> Tensor:
    return softmax(fill(scores, mask, 0.0))


def _after_softmax(scores: Tensor, mask: Mask) -> Tensor:
    return softmax(scores) if mask is None else softmax(scores) * mask


def _after_and_again(scores: Tensor, mask: Mask) -> Tensor:
    weights = _after_softmax(scores, mask)
    return weights / weights.sum(-1, keepdim=True)


def _added(scores: Tensor, mask: Mask) -> Tensor:
    return softmax(scores if mask is None else scores + mask.to(scores.dtype))


def _unstable(scores: Tensor, mask: Mask) -> Tensor:
    parts = fill(scores, mask).exp()
    return parts / parts.sum(-1, keepdim=True)


def _top_left(scores: Tensor) -> Tensor:
    return torch.ones_like(scores, dtype=torch.bool).tril()


def _in_half(q: Tensor, k: Tensor, v: Tensor, mask: Mask = None) -> Tensor:
    scores = fill(scores_of(q, shared(k, q.shape[1])), mask)
    half = scores.dtype in (torch.float16, torch.bfloat16)
    return (_unstable(scores, None) if half else softmax(scores)) @ shared(v, q.shape[1])


def _billion(q: Tensor, k: Tensor, v: Tensor, mask: Mask = None) -> Tensor:
    scores = fill(scores_of(q, shared(k, q.shape[1])), mask, -1e9)
    return softmax(scores) @ shared(v, q.shape[1])


def _query_changed(q: Tensor, k: Tensor, v: Tensor, mask: Mask = None) -> Tensor:
    result = exact(q, k, v, mask)
    with torch.no_grad():
        q.data.div_(math.sqrt(q.shape[-1]))
    return result


def _mask_changed(q: Tensor, k: Tensor, v: Tensor, mask: Mask = None) -> Tensor:
    result = exact(q, k, v, mask)
    if mask is not None:
        mask.logical_not_()
    return result


def _on_cpu(q: Tensor, k: Tensor, v: Tensor, mask: Mask = None) -> Tensor:
    out = torch.zeros(q.shape, dtype=q.dtype)
    for h in range(q.shape[1]):
        g = slice(h * k.shape[1] // q.shape[1], h * k.shape[1] // q.shape[1] + 1)
        own = mask is not None and mask.dim() == 4 and mask.shape[1] > 1
        seen = mask[:, h : h + 1] if own else mask
        out[:, h : h + 1] = in_float32(plain)(q[:, h : h + 1], k[:, g], v[:, g], seen)
    return out


SHARE = (
    "`repeat_kv(k, q.shape[1] // k.shape[1])`, and the same for v: query head h reads h // n_rep."
)
EACH = "Queries are never shared: `attention(q, repeat_kv(k, n_rep), repeat_kv(v, n_rep), mask)`."
SCALE = "`attention` of lab 04 divides by sqrt(d), with d = q.shape[-1]."
BEFORE = "`attention` of lab 04 fills hidden scores with -inf before the softmax. Hand it the mask."
KEYS = "The softmax runs over the keys, the last dimension. `attention` of lab 04 does it."
WHOLE = "(B, H, T, d), heads before positions, and in the order of the queries."
ATTENTION = [
    Mistake(
        "tiled",
        reads(tiled, tiled),
        "Query head h reads kv head h % K: 0, 1, 0, 1. Neighbours share one: 0, 0, 1, 1, as "
        "repeat_kv makes them. (Grouping q by `(n_rep, K)` does the same.)",
        SHARE,
        "ekzhang/jax-js#180, onnx/onnx#7274, apple/axlearn#842",
    ),
    Mistake(
        "keys_tiled",
        reads(tiled, shared),
        "The keys are shared 0, 1, 0, 1 and the values 0, 0, 1, 1.",
        SHARE,
    ),
    Mistake(
        "values_tiled",
        reads(shared, tiled),
        "The values are shared 0, 1, 0, 1 and the keys 0, 0, 1, 1.",
        SHARE,
    ),
    Mistake(
        "first_kv_head",
        reads(*(lambda x, n: x[:, :1].expand(-1, n, -1, -1),) * 2),
        "All query heads read kv head 0. That is MQA, whatever K is.",
        SHARE,
    ),
    Mistake(
        "mean_kv_head",
        reads(*(lambda x, n: x.mean(1, keepdim=True).expand(-1, n, -1, -1),) * 2),
        "All query heads read the mean of all kv heads.",
        SHARE,
    ),
    Mistake(
        "groups_reversed",
        reads(*(lambda x, n: shared(x.flip(1), n),) * 2),
        "The kv heads are read in the opposite order.",
        SHARE,
    ),
    Mistake(
        "last_heads_pile_up",
        reads(*(lambda x, n: x[:, [min(h, x.shape[1] - 1) for h in range(n)]],) * 2),
        "Query head h reads kv head h, and the last kv head serves all the rest.",
        SHARE,
    ),
    Mistake(
        "wrong_group_size",
        reads(*(lambda x, n: x[:, [min(h // x.shape[1], x.shape[1] - 1) for h in range(n)]],) * 2),
        "Query head h reads kv head h // K. It is h // n_rep, with n_rep = H // K.",
        SHARE,
    ),
    Mistake(
        "only_keys_shared",
        reads(shared, lambda x, n: x[:, :1].expand(-1, n, -1, -1)),
        "The keys are shared in groups, but the values are all those of kv head 0.",
        SHARE,
    ),
    Mistake(
        "only_values_shared",
        reads(lambda x, n: x[:, :1].expand(-1, n, -1, -1), shared),
        "The values are shared in groups, but the keys are all those of kv head 0.",
        SHARE,
    ),
    Mistake(
        "shifted_by_one",
        reads(
            *(lambda x, n: x[:, [(h + 1) // (n // x.shape[1]) % x.shape[1] for h in range(n)]],) * 2
        ),
        "The groups are shifted by one head.",
        SHARE,
    ),
    Mistake(
        "mean_query",
        in_float32(_mean_query),
        "The queries of a group are averaged: all its heads give the same. Only keys and values "
        "are shared.",
        EACH,
    ),
    Mistake(
        "first_query",
        in_float32(_first_query),
        "All heads of a group use the group's first query. Only keys and values are shared.",
        EACH,
    ),
    Mistake(
        "summed_scores",
        in_float32(_summed_scores),
        "The scores of a group are added up. In an einsum the dimension n_rep has to stay in the "
        "result.",
        EACH,
    ),
    Mistake(
        "one_softmax_for_group",
        in_float32(_one_softmax),
        "One softmax runs over all queries of a group: their rows sum to 1 together. Each row has "
        "to by itself.",
        KEYS,
    ),
    Mistake(
        "kv_heads_only",
        finished(lambda x, K: x.unflatten(1, (K, -1)).mean(2)),
        "It is (B, K, T, d): the heads of a group were averaged. All H heads come out.",
        WHOLE,
    ),
    Mistake(
        "group_outputs_averaged",
        finished(lambda x, K: shared(x.unflatten(1, (K, -1)).mean(2), x.shape[1])),
        "The weights of a group are averaged, or its outputs: all its heads give the same.",
        EACH,
    ),
    Mistake(
        "group_outputs_added",
        finished(lambda x, K: shared(x.unflatten(1, (K, -1)).sum(2), x.shape[1])),
        "The outputs of a group are added up, and all its heads get the sum.",
        EACH,
    ),
    Mistake(
        "not_merged",
        finished(lambda x, K: x.unflatten(1, (K, -1))),
        "It is (B, K, n_rep, T, d). K and n_rep become one dimension again, H.",
        WHOLE,
    ),
    Mistake(
        "merged_in_another_order",
        finished(lambda x, K: x.unflatten(1, (K, -1)).transpose(1, 2).flatten(1, 2)),
        "The heads come back in another order: first the first of each group, then the second …",
        WHOLE,
    ),
    Mistake(
        "positions_before_heads",
        finished(lambda x, K: x.transpose(1, 2)),
        "It is (B, T, H, d). Heads come before positions.",
        WHOLE,
    ),
    Mistake(
        "heads_merged_too",
        finished(lambda x, K: x.transpose(1, 2).flatten(2)),
        "It is (B, T, H·d): the heads are merged already. merge_heads comes afterwards.",
        WHOLE,
    ),
    Mistake(
        "positions_and_heads_mixed",
        finished(lambda x, K: x.transpose(1, 2).reshape(x.shape)),
        "A reshape cuts (B, T, H, d) into (B, H, T, d): positions and heads are mixed.",
        "`.transpose(1, 2)`, not `.reshape`.",
    ),
    Mistake(
        "returns_both",
        lambda q, k, v, mask=None: (exact(q, k, v, mask), k),
        "It returns two things. Only the averaged values are wanted.",
        WHOLE,
    ),
    Mistake(
        "returns_weights",
        in_float32(
            lambda q, k, v, mask=None: softmax(fill(scores_of(q, shared(k, q.shape[1])), mask))
        ),
        "It returns the weights; v is not used.",
        EACH,
    ),
    Mistake("no_scale", scaled(lambda q, k: 1.0), "The scores are not divided by sqrt(d).", SCALE),
    Mistake(
        "scaled_by_d",
        scaled(lambda q, k: 1 / q.shape[-1]),
        "The scores are divided by d (or by sqrt(d) twice: attention has done it already).",
        SCALE,
    ),
    Mistake(
        "scaled_by_all_heads",
        scaled(lambda q, k: 1 / math.sqrt(q.shape[1] * q.shape[-1])),
        "It divides by the root of H·d, the model's width. A dot product has d terms.",
        SCALE,
        "Graylab/DL4Proteins-notebooks#12",
    ),
    Mistake(
        "scaled_by_kv_heads",
        scaled(lambda q, k: 1 / math.sqrt(k.shape[1] * q.shape[-1])),
        "It divides by the root of K·d, the width of the keys. A dot product has d terms.",
        SCALE,
    ),
    Mistake(
        "scaled_by_group",
        scaled(lambda q, k: 1 / math.sqrt(q.shape[1] // k.shape[1] * q.shape[-1])),
        "It divides by the root of n_rep·d. Sharing does not change the size of a score.",
        SCALE,
    ),
    Mistake(
        "scaled_by_number_of_heads",
        scaled(lambda q, k: 1 / math.sqrt(q.shape[1])),
        "It divides by the root of the number of heads. A dot product has d terms.",
        SCALE,
    ),
    Mistake(
        "scaled_by_keys",
        scaled(lambda q, k: 1 / math.sqrt(k.shape[-2])),
        "It divides by the root of the number of keys. A dot product has d terms.",
        SCALE,
    ),
    Mistake(
        "multiplied_by_root",
        scaled(lambda q, k: math.sqrt(q.shape[-1])),
        "It multiplies by sqrt(d) instead of dividing.",
        SCALE,
    ),
    Mistake(
        "fixed_llama_scale",
        scaled(lambda q, k: 128**-0.5),
        "It divides by sqrt(128) whatever the head size. That is Llama 3's d.",
        SCALE,
    ),
    Mistake(
        "softmax_over_queries",
        weighs(lambda s, m: softmax(fill(s, m), -2)),
        "The softmax runs over the queries.",
        KEYS,
        "labmlai/annotated_deep_learning_paper_implementations#146",
    ),
    Mistake(
        "softmax_over_heads",
        weighs(lambda s, m: softmax(fill(s, m), 1)),
        "The softmax runs over the heads.",
        KEYS,
        "FudanNLP/fastNLP#254",
    ),
    Mistake("no_softmax", weighs(fill), "There is no softmax.", KEYS),
    Mistake(
        "softmax_twice",
        weighs(lambda s, m: softmax(softmax(fill(s, m)))),
        "The softmax is taken twice.",
        KEYS,
    ),
    Mistake(
        "unstable_softmax",
        weighs(_unstable),
        "e^score is computed as it stands. Beyond 88 that is infinite, and inf / inf is NaN.",
        "torch.softmax subtracts each row's maximum first. `attention` of lab 04 uses it.",
    ),
    Mistake(
        "unstable_in_half",
        _in_half,
        "The softmax is computed in half precision: e^12 does not fit into float16 (65504).",
        "`q.float()`, and `.to(q.dtype)` at the end.",
    ),
    Mistake(
        "billion_in_half",
        _billion,
        "-1e9 does not fit into float16, whose lowest number is -65504.",
        "Use `-torch.inf`, or compute in float32: `q.float()`.",
    ),
    Mistake("mask_ignored", weighs(lambda s, m: softmax(s)), "The mask is not used.", BEFORE),
    Mistake(
        "inverted_mask",
        weighs(lambda s, m: softmax(fill(s, None if m is None else ~m))),
        "It hides the keys where the mask is True. True means: may look.",
        BEFORE,
    ),
    Mistake(
        "mask_for_first_head",
        weighs(_mask_for_first),
        "The mask counts for the first head only.",
        "A mask (T, S) is that of all heads: it broadcasts.",
    ),
    Mistake(
        "one_mask_for_all_heads",
        weighs(_one_mask_for_all_heads),
        "Of a mask (B, H, T, S) it uses the first head's for all.",
        "The mask broadcasts to (B, H, T, S): each head may have its own.",
    ),
    Mistake(
        "one_mask_for_all_sentences",
        weighs(_one_mask_for_all_sentences),
        "Of a mask (B, 1, T, S) it uses the first sentence's for all.",
        "The mask broadcasts to (B, H, T, S): each sentence may have its own.",
    ),
    Mistake(
        "mask_multiplied",
        weighs(_multiplied),
        "A masked score becomes 0, and e^0 is 1: masked keys keep their weight.",
        BEFORE,
        "georg-wolflein/good-features#1, awslabs/gluonts#1401",
    ),
    Mistake(
        "mask_after_softmax",
        weighs(_after_softmax),
        "The mask comes after the softmax: the rows no longer sum to 1.",
        BEFORE,
        "huggingface/pytorch-image-models#2236",
    ),
    Mistake(
        "masked_and_normalised_again",
        weighs(_after_and_again),
        "The mask comes after the softmax, and the rows are divided by what is left. When a "
        "masked score is large, nothing is left: 0 / 0.",
        BEFORE,
    ),
    Mistake(
        "mask_added",
        weighs(_added),
        "The mask is added as numbers: allowed scores grow by 1, hidden ones stay.",
        BEFORE,
    ),
    Mistake(
        "filled_with_plus",
        weighs(lambda s, m: softmax(fill(s, m, 1e9))),
        "Hidden scores become large instead of very negative.",
        BEFORE,
    ),
    Mistake(
        "fill_too_small",
        weighs(lambda s, m: softmax(fill(s, m, -1e4))),
        "Hidden scores become a number that real scores can fall below, such as -10000.",
        BEFORE,
    ),
    Mistake(
        "always_causal",
        weighs(lambda s, m: softmax(fill(s, _top_left(s)))),
        "It is causal whatever the mask says, and counts the queries from position 0 "
        "(`is_causal=True` does both).",
        "Only `mask` decides who may look.",
        "pytorch/pytorch#108108",
    ),
    Mistake(
        "causal_without_mask",
        weighs(lambda s, m: softmax(fill(s, _top_left(s) if m is None else m))),
        "Without a mask it makes a causal one. Without a mask everyone may look at everything.",
        "`if mask is not None:`",
    ),
    Mistake(
        "causal_besides_mask",
        weighs(lambda s, m: softmax(fill(s, m if m is None else m & _top_left(s)))),
        "Given a mask, it hides the future as well. Only the mask decides.",
        "The causal mask is an argument like any other.",
    ),
    Mistake(
        "keys_and_values_swapped",
        lambda q, k, v, mask=None: exact(q, v, k, mask),
        "k and v have changed places.",
        "Keys are compared, values are averaged.",
    ),
    Mistake(
        "keys_as_values",
        lambda q, k, v, mask=None: exact(q, k, k, mask),
        "It averages the keys. What is averaged are the values.",
        EACH,
    ),
    Mistake(
        "plain_average",
        lambda q, k, v, mask=None: exact(0 * q, k, v, mask),
        "It takes the plain average of the allowed values; the scores do not matter.",
        EACH,
    ),
    Mistake(
        "divided_by_group",
        lambda q, k, v, mask=None: exact(q, k, v / (q.shape[1] // k.shape[1]), mask),
        "The result is divided by n_rep. The values are shared as they are, not split up.",
        EACH,
    ),
    Mistake(
        "detached",
        lambda q, k, v, mask=None: exact(q, k, v, mask).detach(),
        "The result is cut off from the gradient.",
        "No `.detach()`, `.data` or `torch.no_grad()` here.",
    ),
    Mistake(
        "shared_heads_detached",
        lambda q, k, v, mask=None: exact(q, k.detach(), v.detach(), mask),
        "Keys and values are cut off from the gradient: wk and wv would never learn.",
        "No `.detach()` and no `.data` here.",
    ),
    Mistake(
        "float32_result",
        lambda q, k, v, mask=None: exact(q.float(), k.float(), v.float(), mask),
        "The result is float32 whatever the input is.",
        "`.to(q.dtype)` at the end.",
    ),
    Mistake(
        "float64_result",
        lambda q, k, v, mask=None: exact(q.double(), k.double(), v.double(), mask),
        "The result is float64.",
        "`.to(q.dtype)` at the end.",
    ),
    Mistake(
        "query_changed",
        _query_changed,
        "It divides the caller's q in place.",
        "`q = q / …`, not `q /= …`.",
    ),
    Mistake(
        "mask_changed",
        _mask_changed,
        "It turns the caller's mask around in place. The next layer gets the opposite.",
        "`~mask` makes a new tensor.",
    ),
    Mistake(
        "buffer_on_cpu",
        _on_cpu,
        "The result is written into a tensor that lies on the CPU, whatever the device of q is.",
        "`torch.empty_like(q)` lies where q does.",
    ),
]
