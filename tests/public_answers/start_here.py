"""Lab 00: mistakes that people made in public, rewritten as answers to its exercise."""

import torch
from torch import Tensor
from wrong_answers import Public


def no_mean(x: Tensor) -> Tensor:
    squares = x.float() ** 2
    return squares.sum(-1).to(x.dtype)


def root_as_well(x: Tensor) -> Tensor:
    return torch.sqrt((x.float() ** 2).mean(-1)).to(x.dtype)


def square_forgotten(x: Tensor) -> Tensor:
    difference = x.float()
    return difference.mean(-1).to(x.dtype)


def half_overflows(x: Tensor) -> Tensor:
    return x.pow(2).mean(-1)


def squares_before_float(x: Tensor) -> Tensor:
    wide = x.pow(2).to(torch.float32)
    return wide.mean(-1).to(x.dtype)


def comes_out_wide(x: Tensor) -> Tensor:
    return x.to(torch.float32).pow(2).mean(-1)


def over_the_samples(x: Tensor) -> Tensor:
    total = (x.float() ** 2).sum(-1)
    return (total / x.shape[0]).to(x.dtype)


def squared_mean(x: Tensor) -> Tensor:
    mean = x.float().sum(-1) / x.shape[-1]
    return torch.pow(mean, 2).to(x.dtype)


def centred_first(x: Tensor) -> Tensor:
    return torch.var(x.float(), dim=-1, correction=0).to(x.dtype)


def times_two(x: Tensor) -> Tensor:
    return (2 * (x.float() ** 2).mean(-1)).to(x.dtype)


PUBLIC = {
    "mean_square": [
        Public(
            no_mean,
            "odlgroup/odl#1114",
            "the sum of the squares, without the mean",
            named=("sum_not_mean",),
        ),
        Public(
            root_as_well,
            "fastai/fastbook#492",
            "takes the root as well",
            named=("root_mean_square",),
        ),
        Public(
            square_forgotten,
            "fastai/fastbook#327",
            "nothing is squared: the plain mean",
            named=("no_square",),
        ),
        Public(
            half_overflows,
            "pytorch/pytorch#134106",
            "squares in x's own dtype, which overflows in float16",
            named=("no_upcast",),
        ),
        Public(
            squares_before_float,
            "jingyaogong/minimind#301",
            "squares in x's own dtype, and goes to float32 too late",
            named=("no_upcast",),
        ),
        Public(
            comes_out_wide,
            "pytorch/executorch#18786",
            "returns float32 whatever came in",
            named=("always_float32",),
        ),
        Public(
            over_the_samples,
            "RubixML/ML#423",
            "divides by the number of rows, not by D",
            named=("divided_by_rows",),
        ),
        Public(
            squared_mean,
            "onnx/onnx#6443",
            "the square of the mean, not the mean of the squares",
            named=("mean_then_square",),
        ),
        Public(
            centred_first,
            "huggingface/transformers#14772",
            "the variance: the mean is subtracted first",
            named=("variance",),
        ),
        Public(
            times_two,
            "ShusenTang/Dive-into-DL-PyTorch#97",
            "twice the mean square",
            named=("doubled",),
        ),
    ]
}
