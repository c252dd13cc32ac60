"""Lab 02: what people write for batch_norm, layer_norm and rms_norm.

Sources are the public issues in which somebody really made the mistake.
"""

import inspect
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from checks.engine import Mistake, in_float32
from checks.reference import rmsnorm as right

FP16 = "In float16 the squares overflow: 1000² is more than float16's largest number, 65504."
UPCAST = "Compute with `x.float()` and return `.to(x.dtype)`, as Llama's code does."
RSQRT = "It divides by torch.rsqrt(…). rsqrt is already one over the root: multiply by it."
OUTSIDE = "eps is added after the root. It belongs inside: sqrt(… + eps)."
SEEN = "With eps = 0.1 the two differ in the first digit; with 1e-5 nobody sees it."
FIXED = "eps is written into the formula as a number; the argument eps is not used."
DETACHED = "The statistics are cut off from the gradient. Backwards they are part of the formula."
CAST = "It returns float32 whatever comes in."
BACK = "Go back at the end: `.to(x.dtype)`."
KEEP = "A mean has lost its dimension, so that it cannot broadcast over the row."
KEEPDIM = "`mean(dim=-1, keepdim=True)` has shape (..., 1)."
NAN = "Backwards it gives NaN where all numbers are equal or zero: a root has no gradient at 0."
NO_ROOT = "Add eps before the root: no root that is squared again."
IN_PLACE = "x itself is changed. `x.float()` is no copy when x is float32 already."
NEW_TENSOR = "Make a new tensor: `x = x - …`, not `x -= …`."
ATTACH = "No `.detach()` and no `torch.no_grad()` here."


def mean(x: Tensor, dim: int = -1) -> Tensor:
    """Mean with its dimension kept."""
    return x.mean(dim, keepdim=True)


def var(x: Tensor, dim: int = -1, correction: int = 0) -> Tensor:
    """Variance with its dimension kept; correction 1 divides by one less."""
    return x.var(dim, keepdim=True, correction=correction)


def _root_first(x: Tensor, dim: int = -1) -> Tensor:
    """Mean square by way of its root, which has no gradient at zero."""
    return mean(x * x, dim).sqrt() ** 2


def _batch_norm_in_place(x: Tensor, eps: float = 1e-5) -> Tensor:
    x -= x.mean(0)
    return x / (x.square().mean(0) + eps).sqrt()


def _layer_norm_in_place(x: Tensor, weight: Tensor, bias: Tensor, eps: float = 1e-5) -> Tensor:
    x -= mean(x)
    return x / (mean(x * x) + eps).sqrt() * weight + bias


def _rms_norm_in_place(x: Tensor, weight: Tensor, eps: float = 1e-5) -> Tensor:
    x /= (mean(x * x) + eps).sqrt()
    return x * weight


def _arguments(exact: Callable[..., Tensor]) -> Callable[[tuple, dict], dict[str, Any]]:
    """Return what pairs the arguments of a call with their names."""
    signature = inspect.signature(exact)
    return lambda args, kwargs: dict(signature.bind(*args, **kwargs).arguments)


def common(exact: Callable[..., Tensor]) -> list[Mistake]:
    """Make the mistakes that have nothing to do with the formula."""
    given = _arguments(exact)

    def no_gradient(*args: Any, **kwargs: Any) -> Tensor:
        with torch.no_grad():
            return exact(*args, **kwargs)

    def wrong_default_eps(*args: Any, **kwargs: Any) -> Tensor:
        return exact(**{"eps": 1e-6, **given(args, kwargs)})

    def eps_has_a_floor(*args: Any, **kwargs: Any) -> Tensor:
        call = given(args, kwargs)
        return exact(**{**call, "eps": max(call.get("eps", 0), 1e-5)})

    names = ", ".join(inspect.signature(exact).parameters)
    return [
        Mistake(
            "other_names",
            lambda *args: exact(*args),
            "Its parameters have other names than in the docstring, so that nobody can call it by "
            "name, as in `eps=1e-6`.",
            f"`def {exact.__name__}({names})`, eps with its default.",
        ),
        Mistake(
            "wrong_default_eps",
            wrong_default_eps,
            "Without eps it takes another number than 1e-5.",
            "`eps: float = 1e-5` in the signature. torch.nn.RMSNorm has another default.",
        ),
        Mistake(
            "eps_has_a_floor",
            eps_has_a_floor,
            "An eps smaller than 1e-5 is replaced by 1e-5.",
            "Use `eps` as it comes.",
        ),
        Mistake(
            "squeezed",
            lambda *args, **kwargs: exact(*args, **kwargs).squeeze(),
            "Dimensions of size 1 are squeezed out of the result.",
            "Without `.squeeze()` the result has the shape of x.",
        ),
        Mistake(
            "no_gradient",
            no_gradient,
            "The result is cut off from the gradient altogether: the model could not learn.",
            "No `torch.no_grad()`, `.detach()`, `.data` and no numpy on the way.",
        ),
    ]


def common_to_rows(exact: Callable[..., Tensor]) -> list[Mistake]:
    """Make more of them, for the norms of rows; torch's own batch norm refuses eps = 0."""
    given = _arguments(exact)

    def eps_or_default(*args: Any, **kwargs: Any) -> Tensor:
        call = given(args, kwargs)
        return exact(**{**call, "eps": call.get("eps") or 1e-5})

    def needs_contiguous(*args: Any, **kwargs: Any) -> Tensor:
        call = given(args, kwargs)
        shape = call["x"].shape
        return exact(**{**call, "x": call["x"].view(-1, shape[-1])}).view(shape)

    return [
        *common(exact),
        Mistake(
            "eps_or_default",
            eps_or_default,
            "eps = 0 is taken for no eps at all, as in `eps or 1e-5`: 0 counts as false.",
            "The signature has the default already: use `eps` as it comes.",
        ),
        Mistake(
            "needs_contiguous",
            needs_contiguous,
            "It needs an x that lies in one piece in memory, and a transposed one does not.",
            "`.reshape` does what `.view` cannot; with `dim=-1` neither is needed.",
        ),
    ]


BATCH_NORM = [
    Mistake(
        "rows_not_columns",
        in_float32(lambda x, eps=1e-5: (x - mean(x)) / (var(x) + eps).sqrt()),
        "It normalises each row. BatchNorm normalises each column: one feature, many samples.",
        "The mean has to run over the samples: `dim=0`.",
    ),
    Mistake(
        "sample_variance",
        in_float32(lambda x, eps=1e-5: (x - x.mean(0)) / (x.var(0) + eps).sqrt()),
        "The variance is divided by N - 1. torch.var does that unless told otherwise.",
        "Use `x.var(dim=0, correction=0)`: the population variance, as the paper does.",
        "harvardnlp/annotated-transformer#119",
    ),
    Mistake(
        "std_plus_eps",
        in_float32(lambda x, eps=1e-5: (x - x.mean(0)) / (x.std(0) + eps)),
        "It divides by x.std() + eps: std() divides by N - 1, and eps belongs under the root.",
        "Write `torch.sqrt(x.var(dim=0, correction=0) + eps)`.",
        "harvardnlp/annotated-transformer#119",
    ),
    Mistake(
        "eps_outside_root",
        in_float32(lambda x, eps=1e-5: (x - x.mean(0)) / (x.std(0, correction=0) + eps)),
        OUTSIDE,
        SEEN,
        "EleutherAI/gpt-neox#1342",
    ),
    Mistake(
        "all_at_once",
        in_float32(lambda x, eps=1e-5: (x - x.mean()) / (x.var(correction=0) + eps).sqrt()),
        "One mean and one variance for the whole matrix. Each column needs its own.",
        "Give `mean` and `var` the dimension: `dim=0`.",
    ),
    Mistake(
        "not_centred",
        in_float32(lambda x, eps=1e-5: x / (x.var(0, correction=0) + eps).sqrt()),
        "The mean is not subtracted: the columns have variance 1, but not mean 0.",
        "Subtract `x.mean(dim=0)` before dividing.",
    ),
    Mistake(
        "root_mean_square",
        in_float32(lambda x, eps=1e-5: x / (x.square().mean(0) + eps).sqrt()),
        "It divides each column by its root mean square. BatchNorm re-centres first.",
        "Subtract the mean, then divide by the root of the variance.",
    ),
    Mistake(
        "second_moment",
        in_float32(lambda x, eps=1e-5: (x - x.mean(0)) / (x.square().mean(0) + eps).sqrt()),
        "It divides by the root of the mean square of x, not of x minus its mean.",
        "The variance is the mean square of what is left after centring.",
    ),
    Mistake(
        "divides_by_variance",
        in_float32(lambda x, eps=1e-5: (x - x.mean(0)) / (x.var(0, correction=0) + eps)),
        "It divides by the variance. The root is missing.",
        "Divide by `torch.sqrt(variance + eps)`.",
    ),
    Mistake(
        "divides_by_rsqrt",
        in_float32(lambda x, eps=1e-5: (x - x.mean(0)) / (x.var(0, correction=0) + eps).rsqrt()),
        RSQRT,
        "Either `/ torch.sqrt(…)` or `* torch.rsqrt(…)`.",
        "mosaicml/llm-foundry#371",
    ),
    Mistake(
        "only_centred",
        in_float32(lambda x, eps=1e-5: x - x.mean(0)),
        "The columns have mean 0, but their variance is not 1: the division is missing.",
        "Divide by the root of the variance plus eps.",
    ),
    Mistake(
        "ignores_eps",
        in_float32(lambda x, eps=1e-5: (x - x.mean(0)) / x.std(0, correction=0)),
        "eps is not used: a column that is constant divides 0 by 0.",
        "Add eps to the variance, under the root.",
    ),
    Mistake("fixed_eps", lambda x, eps=1e-5: right.batch_norm(x, 1e-5), FIXED, "Use `eps`."),
    Mistake(
        "no_upcast",
        lambda x, eps=1e-5: (x - x.mean(0)) / (x.var(0, correction=0) + eps).sqrt(),
        FP16,
        UPCAST,
        "meta-llama/llama#1048",
    ),
    Mistake("not_cast_back", lambda x, eps=1e-5: right.batch_norm(x.float(), eps), CAST, BACK),
    Mistake(
        "statistics_detached",
        in_float32(
            lambda x, eps=1e-5: (
                (x - x.mean(0).detach()) / (x.var(0, correction=0) + eps).sqrt().detach()
            )
        ),
        DETACHED,
        ATTACH,
    ),
    Mistake(
        "range_not_variance",
        in_float32(lambda x, eps=1e-5: (x - x.mean(0)) / (x.amax(0) - x.amin(0) + eps)),
        "It divides by the range, largest minus smallest, not by the standard deviation.",
        "The variance is the mean of the squared distances from the mean.",
    ),
    Mistake(
        "moments_cancel",
        in_float32(
            lambda x, eps=1e-5: (
                (x - x.mean(0)) / ((x * x).mean(0) - x.mean(0) ** 2 + eps).abs().sqrt()
            )
        ),
        "The variance is the mean of the squares minus the square of the mean. Far from zero these "
        "are two large numbers, and float32 has no digits for their difference.",
        "Subtract the mean first: `(x - x.mean(0)).square().mean(0)`.",
    ),
    Mistake(
        "nan_gradient",
        in_float32(
            lambda x, eps=1e-5: (x - x.mean(0)) / (_root_first((x - x.mean(0)), 0) + eps).sqrt()
        ),
        NAN,
        NO_ROOT,
    ),
    Mistake("in_place", in_float32(_batch_norm_in_place), IN_PLACE, NEW_TENSOR),
    Mistake(
        "transposed_back",
        lambda *args, **kwargs: right.batch_norm(*args, **kwargs).T,
        "The result is (D, N): a transpose is left over.",
        "The result has the shape of x, (N, D).",
    ),
    *common(right.batch_norm),
]

LAYER_NORM = [
    Mistake(
        "std_plus_eps",
        in_float32(
            lambda x, weight, bias, eps=1e-5: (
                weight * (x - mean(x)) / (x.std(-1, keepdim=True) + eps) + bias
            )
        ),
        "It divides by x.std() + eps. std() divides by D - 1, and eps belongs under the root.",
        "At D = 4 that is 15 % off, at D = 768 nothing shows. Use `var(-1, correction=0)`.",
        "harvardnlp/annotated-transformer#119",
    ),
    Mistake(
        "sample_variance",
        in_float32(
            lambda x, weight, bias, eps=1e-5: (
                (x - mean(x)) / (var(x, correction=1) + eps).sqrt() * weight + bias
            )
        ),
        "The variance is divided by D - 1. torch.var does that unless told otherwise.",
        "Use `x.var(-1, keepdim=True, correction=0)`.",
        "harvardnlp/annotated-transformer#119",
    ),
    Mistake(
        "eps_outside_root",
        in_float32(
            lambda x, weight, bias, eps=1e-5: (x - mean(x)) / (var(x).sqrt() + eps) * weight + bias
        ),
        OUTSIDE,
        SEEN,
        "EleutherAI/gpt-neox#1342",
    ),
    Mistake(
        "columns_not_rows",
        in_float32(
            lambda x, weight, bias, eps=1e-5: (
                (x - mean(x, 0)) / (var(x, 0) + eps).sqrt() * weight + bias
            )
        ),
        "It normalises over the first dimension, the samples. That is BatchNorm.",
        "Mean and variance run over the last dimension: `dim=-1`.",
    ),
    Mistake(
        "tokens_together",
        in_float32(
            lambda x, weight, bias, eps=1e-5: F.layer_norm(x, x.shape[-2:], eps=eps) * weight + bias
        ),
        "Mean and variance run over tokens and features together: tokens see each other.",
        "Only the last dimension: `dim=-1`.",
        "bkitano/llama-from-scratch#4",
    ),
    Mistake(
        "no_bias",
        in_float32(
            lambda x, weight, bias, eps=1e-5: F.layer_norm(x, x.shape[-1:], weight, eps=eps)
        ),
        "The bias is not added.",
        "`… * weight + bias`",
    ),
    Mistake(
        "no_weight",
        in_float32(lambda x, weight, bias, eps=1e-5: F.layer_norm(x, x.shape[-1:], eps=eps) + bias),
        "The weight is not used.",
        "`… * weight + bias`",
    ),
    Mistake(
        "no_weight_no_bias",
        in_float32(lambda x, weight, bias, eps=1e-5: F.layer_norm(x, x.shape[-1:], eps=eps)),
        "Neither weight nor bias is used.",
        "`… * weight + bias`",
    ),
    Mistake(
        "bias_before_weight",
        in_float32(
            lambda x, weight, bias, eps=1e-5: (
                (F.layer_norm(x, x.shape[-1:], eps=eps) + bias) * weight
            )
        ),
        "The bias is added before the weight is multiplied, so it is scaled as well.",
        "First `* weight`, then `+ bias`.",
    ),
    Mistake(
        "swapped_weight_bias",
        lambda x, weight, bias, eps=1e-5: right.layer_norm(x, bias, weight, eps),
        "weight and bias have changed places.",
        "The signature is (x, weight, bias): `* weight + bias`.",
    ),
    Mistake(
        "not_centred",
        in_float32(lambda x, weight, bias, eps=1e-5: x / (var(x) + eps).sqrt() * weight + bias),
        "The mean is not subtracted.",
        "Subtract `x.mean(-1, keepdim=True)` first.",
    ),
    Mistake(
        "rms_norm",
        in_float32(
            lambda x, weight, bias, eps=1e-5: x / (mean(x * x) + eps).sqrt() * weight + bias
        ),
        "This is RMSNorm with a bias: no mean is subtracted. That comes in the next exercise.",
        "LayerNorm re-centres first: `x - x.mean(-1, keepdim=True)`.",
    ),
    Mistake(
        "second_moment",
        in_float32(
            lambda x, weight, bias, eps=1e-5: (
                (x - mean(x)) / (mean(x * x) + eps).sqrt() * weight + bias
            )
        ),
        "It divides by the root of the mean square of x, not of x minus its mean.",
        "The variance is the mean square of what is left after centring.",
    ),
    Mistake(
        "divides_by_variance",
        in_float32(
            lambda x, weight, bias, eps=1e-5: (x - mean(x)) / (var(x) + eps) * weight + bias
        ),
        "It divides by the variance. The root is missing.",
        "Divide by `torch.sqrt(variance + eps)`.",
    ),
    Mistake(
        "divides_by_rsqrt",
        in_float32(
            lambda x, weight, bias, eps=1e-5: (x - mean(x)) / (var(x) + eps).rsqrt() * weight + bias
        ),
        RSQRT,
        "Either `/ torch.sqrt(…)` or `* torch.rsqrt(…)`.",
        "mosaicml/llm-foundry#371",
    ),
    Mistake(
        "fixed_eps",
        lambda x, weight, bias, eps=1e-5: right.layer_norm(x, weight, bias, 1e-5),
        FIXED,
        "Use the name `eps`.",
    ),
    Mistake(
        "ignores_eps",
        in_float32(lambda x, weight, bias, eps=1e-5: (x - mean(x)) / var(x).sqrt() * weight + bias),
        "eps is not used: a row of equal numbers divides 0 by 0.",
        "Add eps to the variance, under the root.",
    ),
    Mistake(
        "no_upcast",
        lambda x, weight, bias, eps=1e-5: (x - mean(x)) / (var(x) + eps).sqrt() * weight + bias,
        FP16,
        UPCAST,
        "meta-llama/llama#1048",
    ),
    Mistake(
        "not_cast_back",
        lambda x, weight, bias, eps=1e-5: right.layer_norm(x.float(), weight, bias, eps),
        CAST,
        BACK,
    ),
    Mistake(
        "no_keepdim",
        in_float32(lambda x, weight, bias, eps=1e-5: (x - x.mean(-1)) / (x.var(-1) + eps).sqrt()),
        KEEP,
        KEEPDIM,
    ),
    Mistake(
        "over_tokens",
        in_float32(
            lambda x, weight, bias, eps=1e-5: (
                (x - mean(x, -2)) / (var(x, -2) + eps).sqrt() * weight + bias
            )
        ),
        "Mean and variance run over the tokens (dim=-2). They belong over the features.",
        "`dim=-1`",
    ),
    Mistake(
        "dim_one",
        in_float32(
            lambda x, weight, bias, eps=1e-5: (
                (x - mean(x, 1)) / (var(x, 1) + eps).sqrt() * weight + bias
            )
        ),
        "It uses dim=1. With a batch (B, T, D) that is the tokens; the features are the last one.",
        "`dim=-1`",
    ),
    Mistake(
        "statistics_detached",
        in_float32(
            lambda x, weight, bias, eps=1e-5: (
                (x - mean(x).detach()) / (var(x) + eps).sqrt().detach() * weight + bias
            )
        ),
        DETACHED,
        ATTACH,
    ),
    Mistake(
        "nan_gradient",
        in_float32(
            lambda x, weight, bias, eps=1e-5: (
                (x - mean(x)) / (_root_first(x - mean(x)) + eps).sqrt() * weight + bias
            )
        ),
        NAN,
        NO_ROOT,
    ),
    Mistake("in_place", in_float32(_layer_norm_in_place), IN_PLACE, NEW_TENSOR),
    *common_to_rows(right.layer_norm),
]

RMS_NORM = [
    Mistake(
        "divides_by_rsqrt",
        in_float32(lambda x, weight, eps=1e-5: x / torch.rsqrt(mean(x * x) + eps) * weight),
        RSQRT,
        "Scale x by 10: the right answer does not change, this one grows a hundredfold.",
        "mosaicml/llm-foundry#371",
    ),
    Mistake(
        "eps_outside_root",
        in_float32(lambda x, weight, eps=1e-5: x / (mean(x * x).sqrt() + eps) * weight),
        OUTSIDE,
        SEEN,
        "EleutherAI/gpt-neox#1342, allenai/OLMo#281",
    ),
    Mistake(
        "tokens_together",
        in_float32(
            lambda x, weight, eps=1e-5: (
                x * torch.rsqrt((x * x).mean((-2, -1), keepdim=True) + eps) * weight
            )
        ),
        "One root mean square for all tokens of a sequence: the future leaks into the past.",
        "Only the last dimension: `dim=-1`.",
        "bkitano/llama-from-scratch#4",
    ),
    Mistake(
        "columns_not_rows",
        in_float32(lambda x, weight, eps=1e-5: x * torch.rsqrt(mean(x * x, 0) + eps) * weight),
        "The mean runs over the first dimension. A token must not feel the other samples.",
        "`dim=-1, keepdim=True`",
    ),
    Mistake(
        "no_upcast",
        lambda x, weight, eps=1e-5: x * torch.rsqrt(mean(x * x) + eps) * weight,
        FP16,
        UPCAST,
        "meta-llama/llama#1048",
    ),
    Mistake(
        "layer_norm",
        in_float32(lambda x, weight, eps=1e-5: (x - mean(x)) * (var(x) + eps).rsqrt() * weight),
        "The mean is subtracted. That is LayerNorm; RMSNorm leaves re-centring out.",
        "Divide x itself by its root mean square.",
    ),
    Mistake(
        "standard_deviation",
        in_float32(lambda x, weight, eps=1e-5: x / (var(x) + eps).sqrt() * weight),
        "It divides by the standard deviation, which subtracts the mean inside.",
        "The mean square is `x.square().mean(-1, keepdim=True)`, with nothing subtracted.",
    ),
    Mistake(
        "sum_not_mean",
        in_float32(
            lambda x, weight, eps=1e-5: (
                x * torch.rsqrt((x * x).sum(-1, keepdim=True) + eps) * weight
            )
        ),
        "It sums the squares where their mean is wanted: the rows have length 1, not sqrt(D).",
        "`.mean(-1, keepdim=True)`, not `.sum` and not `.norm`.",
    ),
    Mistake(
        "no_root",
        in_float32(lambda x, weight, eps=1e-5: x / (mean(x * x) + eps) * weight),
        "It divides by the mean square. The root is missing: that is the R of RMS.",
        "`torch.rsqrt(…)` is one over the square root.",
    ),
    Mistake(
        "mean_absolute",
        in_float32(lambda x, weight, eps=1e-5: x / (mean(x.abs()) + eps) * weight),
        "It divides by the mean of the absolute values, not by the root of the mean square.",
        "Square, then mean, then root.",
    ),
    Mistake(
        "mean_then_square",
        in_float32(lambda x, weight, eps=1e-5: x * torch.rsqrt(mean(x) ** 2 + eps) * weight),
        "It squares the mean; the mean of the squares is wanted.",
        "`x.square().mean(…)`, in this order.",
    ),
    Mistake(
        "no_weight",
        in_float32(lambda x, weight, eps=1e-5: x * torch.rsqrt(mean(x * x) + eps)),
        "The weight is not used. While it is all ones, as at the start, nobody notices.",
        "Multiply by `weight` at the end.",
    ),
    Mistake(
        "one_plus_weight",
        in_float32(lambda x, weight, eps=1e-5: x * torch.rsqrt(mean(x * x) + eps) * (1 + weight)),
        "It multiplies by 1 + weight. Gemma stores its weights that way; Llama's are the factor.",
        "Multiply by `weight` as it is.",
    ),
    Mistake(
        "weight_inside",
        in_float32(
            lambda x, weight, eps=1e-5: x * weight * torch.rsqrt(mean((x * weight) ** 2) + eps)
        ),
        "The weight is multiplied before the mean square is taken, so it is normalised away.",
        "Normalise x first, then multiply by `weight`.",
    ),
    Mistake(
        "ignores_eps",
        in_float32(lambda x, weight, eps=1e-5: x * torch.rsqrt(mean(x * x)) * weight),
        "eps is not used: a row of zeros becomes 0 · inf, which is NaN.",
        "`torch.rsqrt(mean_square + eps)`",
    ),
    Mistake(
        "fixed_eps",
        lambda x, weight, eps=1e-5: right.rms_norm(x, weight, 1e-5),
        FIXED,
        "Use the name `eps`.",
    ),
    Mistake(
        "small_fixed_eps",
        lambda x, weight, eps=1e-5: right.rms_norm(x, weight, 1e-6),
        "eps is 1e-6 whatever the argument says. Llama 3 uses 1e-5.",
        "Use the name `eps`.",
    ),
    Mistake(
        "eps_as_floor",
        in_float32(
            lambda x, weight, eps=1e-5: x * torch.rsqrt(mean(x * x).clamp_min(eps)) * weight
        ),
        "eps is a lower bound here (`clamp`, `max`). The formula adds it.",
        "`mean_square + eps`",
    ),
    Mistake(
        "not_cast_back",
        lambda x, weight, eps=1e-5: right.rms_norm(x.float(), weight, eps),
        CAST,
        BACK,
    ),
    Mistake(
        "no_keepdim",
        in_float32(lambda x, weight, eps=1e-5: x * torch.rsqrt((x * x).mean(-1) + eps) * weight),
        KEEP,
        KEEPDIM,
    ),
    Mistake(
        "over_tokens",
        in_float32(lambda x, weight, eps=1e-5: x * torch.rsqrt(mean(x * x, -2) + eps) * weight),
        "The mean runs over the tokens (dim=-2). It belongs over the features.",
        "`dim=-1`",
    ),
    Mistake(
        "dim_one",
        in_float32(lambda x, weight, eps=1e-5: x * torch.rsqrt(mean(x * x, 1) + eps) * weight),
        "It uses dim=1. With a batch (B, T, D) that is the tokens; the features are the last one.",
        "`dim=-1`",
    ),
    Mistake(
        "sample_deviation",
        in_float32(lambda x, weight, eps=1e-5: x / (var(x, correction=1) + eps).sqrt() * weight),
        "It divides by the standard deviation (x.var, divided by D - 1), which subtracts the mean.",
        "The mean square is `x.square().mean(-1, keepdim=True)`, with nothing subtracted.",
    ),
    Mistake(
        "statistics_detached",
        in_float32(
            lambda x, weight, eps=1e-5: x * torch.rsqrt(mean(x * x) + eps).detach() * weight
        ),
        DETACHED,
        ATTACH,
    ),
    Mistake(
        "nan_gradient",
        in_float32(lambda x, weight, eps=1e-5: x / (_root_first(x) + eps).sqrt() * weight),
        NAN,
        NO_ROOT,
    ),
    Mistake("in_place", in_float32(_rms_norm_in_place), IN_PLACE, NEW_TENSOR),
    *common_to_rows(right.rms_norm),
]
