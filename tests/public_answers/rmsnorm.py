"""Lab 02: mistakes that people made in public, rewritten as answers to its exercises."""

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from wrong_answers import Public


# batch_norm
def eps_after_the_division(x: Tensor, eps: float = 1e-5) -> Tensor:
    wide = x.float()
    mean = wide.mean(dim=0, keepdim=True)
    deviation = torch.sqrt(wide.var(dim=0, keepdim=True, unbiased=False))
    return ((wide - mean) / deviation + eps).to(x.dtype)


def bessel_in_var(x: Tensor, eps: float = 1e-5) -> Tensor:
    wide = x.float()
    sigma = torch.sqrt(torch.var(wide, dim=0) + eps)
    return ((wide - torch.mean(wide, dim=0)) / sigma).to(x.dtype)


def whole_batch(x: Tensor, eps: float = 1e-5) -> Tensor:
    wide = x.float()
    mean, variance = torch.mean(wide), torch.var(wide, unbiased=False)
    return ((wide - mean) / torch.sqrt(variance + eps)).to(x.dtype)


def over_the_variance(x: Tensor, eps: float = 1e-5) -> Tensor:
    wide = x.float()
    mean = wide.mean(0)
    variance = ((wide - mean) ** 2).mean(0)
    return ((wide - mean) / (variance + eps)).to(x.dtype)


def divides_by_the_width(x: Tensor, eps: float = 1e-5) -> Tensor:
    wide = x.float()
    width = wide.shape[1]
    mean = wide.mean(0)
    variance = ((wide - mean) ** 2).sum(0) / width
    return ((wide - mean) / torch.sqrt(variance + eps)).to(x.dtype)


def normalises_the_sums(x: Tensor, eps: float = 1e-5) -> Tensor:
    wide = x.float()
    sums = wide.sum(dim=0)
    mean = wide.mean(dim=0)
    sigma = torch.sqrt((sums - mean) ** 2 / len(sums) + eps)
    return ((sums - mean) / sigma).expand_as(wide).to(x.dtype)


# layer_norm
def std_plus_eps(x: Tensor, weight: Tensor, bias: Tensor, eps: float = 1e-5) -> Tensor:
    wide = x.float()
    mean = wide.mean(-1, keepdim=True)
    std = wide.std(-1, keepdim=True)
    return (weight * (wide - mean) / (std + eps) + bias).to(x.dtype)


def population_std_plus_eps(x: Tensor, weight: Tensor, bias: Tensor, eps: float = 1e-5) -> Tensor:
    wide = x.float()
    variance, mean = torch.var_mean(wide, dim=-1, keepdim=True, correction=0)
    return ((wide - mean) / (variance.sqrt() + eps) * weight + bias).to(x.dtype)


def power_two_for_root(x: Tensor, weight: Tensor, bias: Tensor, eps: float = 1e-5) -> Tensor:
    wide = x.float()
    centred = wide - wide.mean(-1, keepdim=True)
    variance = (centred**2).mean(-1, keepdim=True)
    std = (variance + eps) ** 2
    return (centred / std * weight + bias).to(x.dtype)


def root_of_the_std(x: Tensor, weight: Tensor, bias: Tensor, eps: float = 1e-5) -> Tensor:
    wide = x.float()
    mean = wide.mean(-1, keepdim=True)
    std = wide.std(-1, keepdim=True, unbiased=False)
    return ((wide - mean) / torch.sqrt(std + eps) * weight + bias).to(x.dtype)


def bessel_in_layer_norm(x: Tensor, weight: Tensor, bias: Tensor, eps: float = 1e-5) -> Tensor:
    wide = x.float()
    mean = wide.mean(-1, keepdim=True)
    variance = wide.var(-1, keepdim=True)
    return ((wide - mean) / torch.sqrt(variance + eps) * weight + bias).to(x.dtype)


def all_but_the_first(x: Tensor, weight: Tensor, bias: Tensor, eps: float = 1e-5) -> Tensor:
    normed = F.layer_norm(x.float(), x.shape[1:] or x.shape, eps=eps)
    return (normed * weight.float() + bias.float()).to(x.dtype)


def last_two(x: Tensor, weight: Tensor, bias: Tensor, eps: float = 1e-5) -> Tensor:
    normed = F.layer_norm(x.float(), x.shape[-2:], eps=eps)
    return (normed * weight.float() + bias.float()).to(x.dtype)


def mean_of_everything(x: Tensor, weight: Tensor, bias: Tensor, eps: float = 1e-5) -> Tensor:
    wide = x.float()
    normed = (wide - torch.mean(wide)) / torch.sqrt(torch.var(wide) + eps)
    return (normed * weight + bias).to(x.dtype)


def eps_always_zero(x: Tensor, weight: Tensor, bias: Tensor, eps: float = 1e-5) -> Tensor:
    wide = x.float()
    eps = int(eps)
    mean = wide.mean(-1, keepdim=True)
    variance = wide.var(-1, keepdim=True, unbiased=False)
    return ((wide - mean) / (variance + eps).sqrt() * weight + bias).to(x.dtype)


def rows_summed_together(x: Tensor, weight: Tensor, bias: Tensor, eps: float = 1e-5) -> Tensor:
    wide = x.float()
    dim = wide.shape[-1]
    centred = wide - wide.sum(-1, keepdim=True) / dim
    variance = centred.square().sum() / dim
    return (centred * torch.rsqrt(variance + eps) * weight + bias).to(x.dtype)


# rms_norm
def divides_by_rsqrt(x: Tensor, weight: Tensor, eps: float = 1e-5) -> Tensor:
    wide = x.float()
    output = wide / torch.rsqrt(wide.pow(2).mean(-1, keepdim=True) + eps)
    return (output * weight).to(x.dtype)


def eps_beside_the_rms(x: Tensor, weight: Tensor, eps: float = 1e-5) -> Tensor:
    wide = x.float()
    norm = wide.norm(2, dim=-1, keepdim=True)
    rms = norm * wide.shape[-1] ** (-1.0 / 2)
    return (weight * (wide / (rms + eps))).to(x.dtype)


def root_of_the_rms(x: Tensor, weight: Tensor, eps: float = 1e-5) -> Tensor:
    wide = x.float()
    rms = torch.sqrt(torch.mean(wide * wide, dim=-1, keepdim=True))
    return (wide / torch.sqrt(rms + eps) * weight).to(x.dtype)


def mean_before_the_square(x: Tensor, weight: Tensor, eps: float = 1e-5) -> Tensor:
    wide = x.float()
    mean = wide.sum(-1, keepdim=True) / wide.shape[-1]
    return (wide / torch.sqrt(mean.pow(2) + eps) * weight).to(x.dtype)


def variance_by_torch_var(x: Tensor, weight: Tensor, eps: float = 1e-5) -> Tensor:
    wide = x.float()
    variance = torch.var(wide, dim=-1, unbiased=False, keepdim=True)
    return (wide * torch.rsqrt(variance + eps) * weight).to(x.dtype)


def frobenius_of_the_sequence(x: Tensor, weight: Tensor, eps: float = 1e-5) -> Tensor:
    wide = x.float()
    if wide.dim() < 2:
        return rows_frobenius(wide[None], weight)[0].to(x.dtype)
    return rows_frobenius(wide, weight).to(x.dtype)


def rows_frobenius(wide: Tensor, weight: Tensor) -> Tensor:
    size = torch.linalg.norm(wide, dim=(-2, -1), keepdim=True)
    size = size * (wide.shape[-2] * wide.shape[-1]) ** -0.5
    return wide / size * weight


def times_the_scale(x: Tensor, weight: Tensor, eps: float = 1e-5) -> Tensor:
    scale = x.shape[-1] ** -0.5
    return (F.normalize(x.float(), dim=-1, eps=eps) * scale * weight).to(x.dtype)


def over_dim_minus_two(x: Tensor, weight: Tensor, eps: float = 1e-5) -> Tensor:
    wide = x.float()
    dim = -2 if wide.dim() > 1 else -1
    return (wide * torch.rsqrt(wide.pow(2).mean(dim, keepdim=True) + eps) * weight).to(x.dtype)


def square_escapes_float(x: Tensor, weight: Tensor, eps: float = 1e-5) -> Tensor:
    return (weight * (x.float() * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + eps))).type_as(x)


def weight_promotes(x: Tensor, weight: Tensor, eps: float = 1e-5) -> Tensor:
    hidden = x.to(torch.float32)
    variance = hidden.pow(2).mean(-1, keepdim=True)
    hidden = hidden * torch.rsqrt(variance + eps)
    return weight * hidden.to(x.dtype)


def in_place(x: Tensor, weight: Tensor, eps: float = 1e-5) -> Tensor:
    dtype = x.dtype
    x = x.float()
    variance = x.pow(2).mean(dim=-1, keepdim=True)
    x.mul_(torch.rsqrt(variance + eps))
    return x.mul(weight).to(dtype)


def eps_taken_and_forgotten(x: Tensor, weight: Tensor, eps: float = 1e-5) -> Tensor:
    wide = x.float()
    variance = torch.mean(torch.square(wide), dim=-1, keepdim=True)
    return (wide * torch.rsqrt(variance + 1e-6) * weight).to(x.dtype)


def one_plus_weight(x: Tensor, weight: Tensor, eps: float = 1e-5) -> Tensor:
    wide = x.float()
    normed = wide * torch.rsqrt(wide.pow(2).mean(-1, keepdim=True) + eps)
    return (normed * (1.0 + weight.float())).type_as(x)


def root_of_std(x: Tensor, weight: Tensor, eps: float = 1e-5) -> Tensor:
    wide = x.float()
    return (wide / torch.sqrt(wide.std(-1, keepdim=True) + eps) * weight).to(x.dtype)


def last_axis_of_an_image(x: Tensor, weight: Tensor, eps: float = 1e-5) -> Tensor:
    wide = x.float()
    axis = 1 if wide.dim() > 2 else -1
    variance = wide.pow(2).mean(axis, keepdim=True)
    return (wide * torch.rsqrt(variance + eps) * weight).to(x.dtype)


# RMSNorm
def _rms(x: Tensor, weight: Tensor, eps: float) -> Tensor:
    wide = x.float()
    return (wide * torch.rsqrt(wide.pow(2).mean(-1, keepdim=True) + eps) * weight).to(x.dtype)


class WeightFromEmpty(nn.Module):
    def __init__(self, dim: int, eps: float = 1e-5) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(dim).uniform_(-1e4, 1e4))  # empty memory, made sure
        self.eps = eps

    def forward(self, x: Tensor) -> Tensor:
        return _rms(x, self.weight, self.eps)


class OnesForAOneCentredNorm(nn.Module):
    def __init__(self, dim: int, eps: float = 1e-5) -> None:
        super().__init__()
        self.eps = eps
        self.weight = nn.Parameter(torch.ones(dim))

    def forward(self, x: Tensor) -> Tensor:
        return _rms(x, 1.0 + self.weight, self.eps)


class ZerosForAPlainNorm(nn.Module):
    def __init__(self, dim: int, eps: float = 1e-5) -> None:
        super().__init__()
        self.eps = eps
        self.weight = nn.Parameter(torch.zeros(dim))

    def forward(self, x: Tensor) -> Tensor:
        return _rms(x, self.weight, self.eps)


class ZerosPlusOne(nn.Module):
    def __init__(self, dim: int, eps: float = 1e-5) -> None:
        super().__init__()
        self.eps = eps
        self.weight = nn.Parameter(torch.zeros(dim))

    def forward(self, x: Tensor) -> Tensor:
        return _rms(x, 1.0 + self.weight, self.eps)


class PlainTensor(nn.Module):
    def __init__(self, dim: int, eps: float = 1e-5) -> None:
        super().__init__()
        self.eps = eps
        self.weight = torch.ones(dim)

    def forward(self, x: Tensor) -> Tensor:
        return _rms(x, self.weight, self.eps)


class GammaUnderTheRootOfStd(nn.Module):
    def __init__(self, dim: int, eps: float = 1e-5) -> None:
        super().__init__()
        self.eps = eps
        self.gamma = nn.Parameter(torch.ones(dim))

    def forward(self, x: Tensor) -> Tensor:
        return _rms(x, self.gamma, self.eps)


class ScalePerPosition(nn.Module):
    def __init__(self, dim: int, eps: float = 1e-5) -> None:
        super().__init__()
        self.eps = eps
        self.weight = nn.Parameter(torch.ones(64, dim))

    def forward(self, x: Tensor) -> Tensor:
        if x.dim() < 2:
            return _rms(x, self.weight[0], self.eps)
        return _rms(x, self.weight[: x.shape[-2]], self.eps)


class ReturnsTheWeightsDtype(nn.Module):
    def __init__(self, dim: int, eps: float = 1e-5) -> None:
        super().__init__()
        self.variance_epsilon = eps
        self.weight = nn.Parameter(torch.ones(dim))

    def forward(self, x: Tensor) -> Tensor:
        hidden = x.to(torch.float32)
        variance = hidden.pow(2).mean(-1, keepdim=True)
        hidden = hidden * torch.rsqrt(variance + self.variance_epsilon)
        return self.weight * hidden.to(x.dtype)


class EpsOfTheDtype(nn.Module):
    def __init__(self, dim: int, eps: float = 1e-5) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(dim))

    def forward(self, x: Tensor) -> Tensor:
        return F.rms_norm(x.float(), x.shape[-1:], self.weight.float()).to(x.dtype)


class EpsNotPassed(nn.Module):
    def __init__(self, dim: int, eps: float = 1e-5) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(dim))

    def forward(self, x: Tensor) -> Tensor:
        return _rms(x, self.weight, 1e-6)


class LengthOne(nn.Module):
    def __init__(self, dim: int, eps: float = 1e-5) -> None:
        super().__init__()
        self.eps = eps
        self.scale = 1 / math.sqrt(dim)
        self.weight = nn.Parameter(torch.ones(dim))

    def forward(self, x: Tensor) -> Tensor:
        return _rms(x, self.weight * self.scale, self.eps)


PUBLIC = {
    "batch_norm": [
        Public(
            eps_after_the_division,
            "Batchnorm1d output different with my implementation, discuss.pytorch.org",
            "eps is added to the quotient, not to the variance",
            named=("eps_added_at_the_end",),
        ),
        Public(
            bessel_in_var,
            "Output of BatchNorm1d in PyTorch does not match output of manually normalizing input dimensions, discuss.pytorch.org",
            "the variance with N - 1",
            named=("sample_variance",),
        ),
        Public(
            whole_batch,
            "parasdahal/deepnet#11",
            "one mean and one variance for the whole batch",
            named=("all_at_once",),
        ),
        Public(
            over_the_variance,
            "mbadry1/DeepLearning.ai-Summary#183",
            "divides by the variance, not by its root",
            named=("divides_by_variance",),
        ),
        Public(
            divides_by_the_width,
            "RubixML/ML#423",
            "the variance is divided by the number of features, not of samples",
            named=("divided_by_width",),
        ),
        Public(
            normalises_the_sums,
            "Batch normalization, geeksmental.com",
            "normalises the columns' sums, so that all samples come out alike",
            named=("sums_normalised",),
        ),
    ],
    "layer_norm": [
        Public(
            std_plus_eps,
            "harvardnlp/annotated-transformer#119",
            "std with D - 1, and eps after the root",
            named=("std_plus_eps",),
        ),
        Public(
            population_std_plus_eps,
            "tracel-ai/burn#2185",
            "eps stands after the root",
            named=("eps_outside_root",),
        ),
        Public(
            power_two_for_root,
            "131250208/TPlinker-joint-extraction#37",
            "** 2 where the root should be",
            named=("squared_not_rooted",),
        ),
        Public(
            root_of_the_std,
            "hyunwoongko/transformer#7",
            "the root is taken twice: of the deviation",
            named=("root_twice",),
        ),
        Public(
            bessel_in_layer_norm,
            "What is the prefactor of nn.LayerNorm, discuss.pytorch.org",
            "the variance with D - 1",
            named=("sample_variance",),
        ),
        Public(
            all_but_the_first,
            "Qualcomm-AI-research/geometric-algebra-transformer#8",
            "mean and variance run over all dimensions but the first",
            named=("all_but_the_first",),
        ),
        Public(
            last_two,
            "reczoo/FuxiCTR#23",
            "mean and variance run over the last two dimensions",
            named=("tokens_together",),
        ),
        Public(
            mean_of_everything,
            "Layernorm doesn't result in std=0 per data point, discuss.pytorch.org",
            "one mean and one variance for the whole tensor, and that with N - 1",
            named=("all_at_once",),
        ),
        Public(
            eps_always_zero,
            "VeriSilicon/TIM-VX#589",
            "eps is always 0, so that equal numbers give NaN",
            named=("ignores_eps",),
        ),
        Public(
            rows_summed_together,
            "flagos-ai/FlagGems#59",
            "the sum of squares runs over all rows together",
            named=("rows_summed_together",),
        ),
    ],
    "rms_norm": [
        Public(
            divides_by_rsqrt,
            "mosaicml/llm-foundry#371",
            "divides by one over the root",
            named=("divides_by_rsqrt",),
        ),
        Public(
            eps_beside_the_rms,
            "allenai/OLMo#281",
            "eps stands after the root",
            named=("eps_outside_root",),
        ),
        Public(
            root_of_the_rms,
            "pytorch/pytorch#139274",
            "the root is taken twice",
            named=("root_twice",),
        ),
        Public(
            mean_before_the_square,
            "onnx/onnx#6443",
            "the square of the mean, not the mean of the squares",
            named=("mean_then_square",),
        ),
        Public(
            variance_by_torch_var,
            "huggingface/pytorch-image-models#2380",
            "the variance where the mean square should be",
            named=("standard_deviation",),
        ),
        Public(
            frobenius_of_the_sequence,
            "bkitano/llama-from-scratch#4",
            "one mean square for all tokens of a sequence, and no eps",
            named=("tokens_together",),
        ),
        Public(
            times_the_scale,
            "kyegomez/zeta#180",
            "multiplies by 1/√D where it should by √D: the vectors get length 1/√D",
            named=("scale_upside_down",),
        ),
        Public(
            over_dim_minus_two,
            "kyegomez/zeta#180",
            "the mean of the squares runs over the tokens",
            named=("over_tokens",),
        ),
        Public(
            square_escapes_float,
            "jingyaogong/minimind#301",
            "squares in x's dtype, not in float32",
            named=("no_upcast",),
        ),
        Public(
            weight_promotes,
            "huggingface/transformers#30236",
            "the weight's dtype decides what comes out",
            named=("weight_dtype_wins",),
        ),
        Public(
            in_place,
            "GeeeekExplorer/nano-vllm#170",
            "a float32 input is changed in place",
            named=("in_place",),
        ),
        Public(
            eps_taken_and_forgotten,
            "keras-team/keras-hub#1472",
            "eps is a number of its own, not the argument",
            named=("small_fixed_eps",),
        ),
        Public(
            one_plus_weight,
            "huggingface/transformers#40796",
            "the scale is 1 + weight",
            named=("one_plus_weight",),
        ),
        Public(
            root_of_std,
            "stanford-cs336/assignment1-basics#93",
            "the root of the deviation where the root mean square should be",
            named=("root_of_deviation",),
        ),
        Public(
            last_axis_of_an_image,
            "huggingface/diffusers#11387",
            "the mean of the squares runs over dimension 1",
            named=("dim_one",),
        ),
    ],
    "RMSNorm": [
        Public(
            WeightFromEmpty,
            "flagos-ai/FlagPerf#683",
            "the weight starts from empty memory, not at ones",
            named=("weight_random",),
        ),
        Public(
            OnesForAOneCentredNorm,
            "huggingface/transformers#40796",
            "the scale is 1 + weight: doubled at the start",
            named=("one_plus_weight",),
        ),
        Public(
            ZerosForAPlainNorm,
            "huggingface/transformers#40449",
            "the weight starts at zeros",
            named=("weight_zeros",),
        ),
        Public(
            ZerosPlusOne,
            "huggingface/transformers#40449",
            "Gemma's way: the weight starts at zeros and 1 + weight is the scale",
            named=("one_plus_weight",),
        ),
        Public(
            PlainTensor,
            "sgl-project/sglang#12813",
            "the weight is a plain tensor, which neither learns nor moves with the module",
            named=("weight_no_parameter",),
        ),
        Public(
            GammaUnderTheRootOfStd,
            "stanford-cs336/assignment1-basics#93",
            "the weight is called gamma",
            named=("other_name",),
        ),
        Public(
            ScalePerPosition,
            "bkitano/llama-from-scratch#4",
            "a weight for each position, (T, D)",
            named=("weight_shape",),
        ),
        Public(
            ReturnsTheWeightsDtype,
            "huggingface/transformers#25421",
            "returns the weight's dtype",
            named=("weight_dtype_wins",),
        ),
        Public(
            EpsOfTheDtype,
            "pytorch/pytorch#155527",
            "eps is the dtype's own, not the argument",
            named=("eps_of_the_dtype",),
        ),
        Public(
            EpsNotPassed,
            "huggingface/transformers#38025",
            "eps is a number of its own, not the argument",
            named=("small_fixed_eps",),
        ),
        Public(
            LengthOne,
            "microsoft/TRELLIS#314",
            "the vectors get length 1: 1/√D is in the weight",
            named=("sum_not_mean",),
        ),
    ],
}
