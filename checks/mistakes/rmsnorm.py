"""Lab 02: what people write for batch_norm, layer_norm, rms_norm and RMSNorm.

Sources are the public issues in which somebody really made the mistake.
"""

import torch
from torch import Tensor, nn
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
ATTACH = "No `.detach()` and no `torch.no_grad()` here."


def mean(x: Tensor, dim: int = -1) -> Tensor:
    """Mean with its dimension kept."""
    return x.mean(dim, keepdim=True)


def var(x: Tensor, dim: int = -1, correction: int = 0) -> Tensor:
    """Variance with its dimension kept; correction 1 divides by one less."""
    return x.var(dim, keepdim=True, correction=correction)


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
]


class _WeightZeros(right.RMSNorm):
    def __init__(self, dim: int, eps: float = 1e-5) -> None:
        super().__init__(dim, eps)
        nn.init.zeros_(self.weight)


class _WeightRandom(right.RMSNorm):
    def __init__(self, dim: int, eps: float = 1e-5) -> None:
        super().__init__(dim, eps)
        nn.init.normal_(self.weight, generator=torch.Generator().manual_seed(0))


class _WeightFrozen(right.RMSNorm):
    def __init__(self, dim: int, eps: float = 1e-5) -> None:
        super().__init__(dim, eps)
        self.weight.requires_grad_(False)


class _WeightNoParameter(right.RMSNorm):
    def __init__(self, dim: int, eps: float = 1e-5) -> None:
        super().__init__(dim, eps)
        del self.weight
        self.weight = torch.ones(dim)


class _WeightBuffer(right.RMSNorm):
    def __init__(self, dim: int, eps: float = 1e-5) -> None:
        super().__init__(dim, eps)
        del self.weight
        self.register_buffer("weight", torch.ones(dim))


class _OneWeight(right.RMSNorm):
    def __init__(self, dim: int, eps: float = 1e-5) -> None:
        super().__init__(1, eps)


class _WithBias(right.RMSNorm):
    def __init__(self, dim: int, eps: float = 1e-5) -> None:
        super().__init__(dim, eps)
        self.bias = nn.Parameter(torch.zeros(dim))

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x) + self.bias


class _LearntEps(right.RMSNorm):
    def __init__(self, dim: int, eps: float = 1e-5) -> None:
        super().__init__(dim, eps)
        self.eps = nn.Parameter(torch.tensor(eps))


class _OtherName(right.RMSNorm):
    def __init__(self, dim: int, eps: float = 1e-5) -> None:
        super().__init__(dim, eps)
        self.gamma = self.weight
        del self.weight

    def forward(self, x: Tensor) -> Tensor:
        return right.rms_norm(x, self.gamma, self.eps)


class _EpsForgotten(right.RMSNorm):
    def forward(self, x: Tensor) -> Tensor:
        return right.rms_norm(x, self.weight)


class _WeightForgotten(right.RMSNorm):
    def forward(self, x: Tensor) -> Tensor:
        return right.rms_norm(x, torch.ones_like(self.weight), self.eps)


class _WeightDetached(right.RMSNorm):
    def forward(self, x: Tensor) -> Tensor:
        return right.rms_norm(x, self.weight.data, self.eps)


def _in_module(mistake: Mistake) -> Mistake:
    """Make a module whose forward makes a mistake of rms_norm."""

    class Wrong(right.RMSNorm):
        def forward(self, x: Tensor) -> Tensor:
            return mistake.wrong(x, self.weight, self.eps)

    return Mistake(mistake.key, Wrong, mistake.says, mistake.hint, mistake.source)


CALL = "`rms_norm(x, self.weight, self.eps)`"
ONES = "`self.weight = nn.Parameter(torch.ones(dim))`"
MODULE = [
    Mistake(
        "weight_zeros",
        _WeightZeros,
        "The weight starts at zeros, so that everything the layer sees becomes zero.",
        "`torch.ones(dim)`: at the start the layer only normalises.",
    ),
    Mistake("weight_random", _WeightRandom, "The weight starts random. It starts at ones.", ONES),
    Mistake(
        "weight_frozen",
        _WeightFrozen,
        "The weight does not learn: requires_grad is False.",
        "`nn.Parameter(torch.ones(dim))` requires a gradient by itself.",
    ),
    Mistake(
        "weight_no_parameter",
        _WeightNoParameter,
        "The weight is a plain tensor: no optimizer finds it, and it is not saved.",
        "Wrap it: `nn.Parameter(…)`.",
    ),
    Mistake(
        "weight_buffer",
        _WeightBuffer,
        "The weight is a buffer: it is saved, but no optimizer finds it.",
        "Make it an `nn.Parameter(…)`.",
    ),
    Mistake(
        "one_weight",
        _OneWeight,
        "There is one weight for all features. Each feature has its own.",
        "`torch.ones(dim)`",
    ),
    Mistake(
        "with_bias",
        _WithBias,
        "There is a bias. RMSNorm has none: that is part of what it saves.",
        "Only `weight`.",
    ),
    Mistake("learnt_eps", _LearntEps, "eps is a parameter. It is a constant.", "`self.eps = eps`"),
    Mistake(
        "other_name",
        _OtherName,
        "The parameter is not called `weight`, so that Llama's weights would not load.",
        ONES,
    ),
    Mistake(
        "eps_forgotten",
        _EpsForgotten,
        "The module's eps is not handed on: forward always uses the default.",
        CALL,
    ),
    Mistake(
        "weight_forgotten",
        _WeightForgotten,
        "forward does not use self.weight. At the start nobody notices, since it is all ones.",
        CALL,
    ),
    Mistake(
        "weight_detached",
        _WeightDetached,
        "forward uses the weight without its gradient (`.data` or `.detach()`).",
        "Hand over `self.weight` itself.",
    ),
    *(_in_module(m) for m in RMS_NORM if m.key not in ("no_weight", "fixed_eps")),
]
