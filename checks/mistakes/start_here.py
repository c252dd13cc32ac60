"""Lab 00: what people write for mean_square.

Sources are the public issues in which somebody really made the mistake, here inside of a norm.
"""

import torch
from torch import Tensor

from checks.engine import Mistake, in_float32
from checks.reference import start_here as right

ORDER = "First square, then mean: `x.square().mean(dim=-1)`."
LAST = "`mean(dim=-1)`: the last dimension, however many there are before it."
DIVIDE = "`.mean(dim=-1)` divides by the right number by itself."
CENTRED = "Square x itself; nothing is subtracted first."
UPCAST = "Compute with `x.float()` and return `.to(x.dtype)`."


def _float(x: Tensor) -> Tensor:
    return x.float() if x.dtype in (torch.float16, torch.bfloat16) else x


def _running_sum(x: Tensor) -> Tensor:
    """Add up in the input's own dtype, where every partial sum is rounded."""
    total = torch.zeros_like(x[..., 0])
    for i in range(x.shape[-1]):
        total = total + x[..., i] * x[..., i] / x.shape[-1]
    return total


def _matrix_only(x: Tensor) -> Tensor:
    rows, columns = x.shape
    return torch.stack([_float(x)[i].square().sum() / columns for i in range(rows)]).to(x.dtype)


MEAN_SQUARE = [
    Mistake(
        "mean_then_square",
        in_float32(lambda x: x.mean(-1) ** 2),
        "It takes the mean first and squares that. Positive and negative numbers cancel out.",
        ORDER,
    ),
    Mistake(
        "mean_absolute_then_square",
        in_float32(lambda x: x.abs().mean(-1) ** 2),
        "It squares the mean of the absolute values. Large numbers must count more than that.",
        ORDER,
    ),
    Mistake(
        "sum_not_mean",
        in_float32(lambda x: x.square().sum(-1)),
        "It adds the squares up. The mean divides that by D, how many they are.",
        "`.mean(dim=-1)`, not `.sum(dim=-1)`.",
    ),
    Mistake(
        "root_mean_square",
        in_float32(lambda x: x.square().mean(-1).sqrt()),
        "It takes the root as well. That is the root mean square; here the root is left out.",
        "Without `.sqrt()`. The root comes in lab 02.",
    ),
    Mistake(
        "length",
        in_float32(lambda x: x.norm(dim=-1)),
        "It is the length of the vector: the root of the sum of the squares.",
        "The mean, not the sum, and no root.",
    ),
    Mistake(
        "no_square",
        in_float32(lambda x: x.mean(-1)),
        "It is the mean of x. The squares are missing.",
        ORDER,
    ),
    Mistake(
        "twice",
        in_float32(lambda x: (2 * x).mean(-1)),
        "It takes x times 2 in place of x to the power of 2.",
        "`x ** 2`, `x * x` or `x.square()`.",
    ),
    Mistake(
        "caret",
        lambda x: (x ^ 2).mean(-1),
        "In Python `^` is no power: it compares bits, and numbers with a point have none to offer.",
        "`x ** 2`, `x * x` or `x.square()`.",
    ),
    Mistake(
        "squared_twice",
        in_float32(lambda x: x.square().mean(-1).square()),
        "It squares twice: the numbers, and their mean again.",
        "Once, before the mean.",
    ),
    Mistake(
        "fourth_power",
        in_float32(lambda x: x.pow(4).mean(-1)),
        "It takes the fourth power of the numbers.",
        "`x.square()`, once.",
    ),
    Mistake(
        "cubes",
        in_float32(lambda x: x.pow(3).mean(-1)),
        "It takes the third power of the numbers.",
        "`x ** 2`",
    ),
    Mistake(
        "mean_absolute",
        in_float32(lambda x: x.abs().mean(-1)),
        "It is the mean of the absolute values. The squares are missing.",
        ORDER,
    ),
    Mistake(
        "halved",
        in_float32(lambda x: x.square().mean(-1) / 2),
        "It is half of the mean square.",
        "No factor ½: that belongs to the loss of a regression.",
    ),
    Mistake(
        "positive_only",
        in_float32(lambda x: x.clamp_min(0).square().mean(-1)),
        "Negative numbers do not count. Their squares are positive and do.",
        "`x.square()` of all of x.",
    ),
    Mistake(
        "sample_variance",
        in_float32(lambda x: x.var(-1)),
        "It is the variance: the mean is subtracted first, and it is divided by D - 1.",
        CENTRED,
        "harvardnlp/annotated-transformer#119",
    ),
    Mistake(
        "variance",
        in_float32(lambda x: x.var(-1, correction=0)),
        "It is the variance: the mean is subtracted before squaring.",
        CENTRED,
    ),
    Mistake(
        "standard_deviation",
        in_float32(lambda x: x.std(-1)),
        "It is the standard deviation: the mean is subtracted, and there is a root.",
        CENTRED,
    ),
    Mistake(
        "one_less",
        in_float32(lambda x: x.square().sum(-1) / (x.shape[-1] - 1)),
        "It divides by D - 1. A mean divides by D.",
        DIVIDE,
    ),
    Mistake(
        "divided_by_rows",
        in_float32(lambda x: x.square().sum(-1) / len(x)),
        "It divides by len(x), the first size. D is the last one.",
        "`x.shape[-1]`, or `.mean(dim=-1)`.",
    ),
    Mistake(
        "divided_by_all",
        in_float32(lambda x: x.square().sum(-1) / x.numel()),
        "It divides by the number of all numbers. Each vector has D of them.",
        "`x.shape[-1]`, or `.mean(dim=-1)`.",
    ),
    Mistake(
        "divided_by_two",
        in_float32(lambda x: x.square().sum(-1) / 2),
        "It divides by 2, whatever D is. That fits the example in the docstring only.",
        DIVIDE,
    ),
    Mistake(
        "no_mean",
        in_float32(lambda x: x.square()),
        "It squares, and there it stops: D numbers a vector, where one is wanted.",
        "`.mean(dim=-1)` after the square.",
    ),
    Mistake(
        "largest",
        in_float32(lambda x: x.square().amax(-1)),
        "It is the largest square, not their mean.",
        ORDER,
    ),
    Mistake(
        "median",
        in_float32(lambda x: x.square().median(-1).values),
        "It is the median of the squares, not their mean.",
        ORDER,
    ),
    Mistake(
        "all_at_once",
        in_float32(lambda x: x.square().mean()),
        "One mean for all the vectors together. Each vector has its own.",
        LAST,
    ),
    Mistake(
        "first_vector_only",
        in_float32(lambda x: x[0].square().mean(-1)),
        "It takes the first vector only.",
        LAST,
    ),
    Mistake(
        "first_dimension",
        in_float32(lambda x: x.square().mean(0)),
        "The mean runs over the first dimension: down the columns, from vector to vector.",
        LAST,
    ),
    Mistake(
        "dim_one",
        in_float32(lambda x: x.square().mean(1)),
        "It uses dim=1. With two dimensions that is the last one; with three or one it is not.",
        LAST,
    ),
    Mistake(
        "over_tokens",
        in_float32(lambda x: x.square().mean(-2)),
        "The mean runs over dim=-2, the last but one.",
        LAST,
    ),
    Mistake(
        "tokens_together",
        in_float32(lambda x: x.square().mean((-2, -1))),
        "The last two dimensions share one mean, so that the vectors see each other.",
        LAST,
        "bkitano/llama-from-scratch#4",
    ),
    Mistake(
        "all_but_first",
        in_float32(lambda x: x.square().flatten(1).mean(1)),
        "One mean for each x[i], everything in it together. Each vector has its own.",
        LAST,
    ),
    Mistake(
        "dimension_kept",
        in_float32(lambda x: x.square().mean(-1, keepdim=True)),
        "With keepdim=True the last dimension stays, of size 1. Here it goes: (..., D) → (...).",
        "Leave `keepdim` out. Lab 02 will want it.",
    ),
    Mistake(
        "squeezed",
        in_float32(lambda x: x.square().mean(-1, keepdim=True).squeeze()),
        "squeeze() takes away every dimension of size 1, such as that of a batch of one.",
        "`.mean(dim=-1)` without `keepdim`, or `.squeeze(-1)`.",
    ),
    Mistake(
        "flattened",
        in_float32(lambda x: x.square().mean(-1).flatten()),
        "The leading dimensions are flattened into one.",
        "(..., D) → (...): they stay as they are.",
    ),
    Mistake(
        "all_pairs",
        in_float32(lambda x: x @ x.transpose(-2, -1) / x.shape[-1]),
        "It multiplies every vector with every other one. Wanted is each with itself.",
        "`(x * x).mean(dim=-1)`: number by number, not `@`.",
    ),
    Mistake(
        "one_vector_only",
        in_float32(lambda x: torch.dot(x, x) / len(x)),
        "torch.dot takes single vectors. x may have any number of dimensions in front.",
        "`(x * x).mean(dim=-1)`",
    ),
    Mistake(
        "matrix_only",
        _matrix_only,
        "It wants exactly two dimensions. x may have any number of them in front of the last.",
        "`(x * x).mean(dim=-1)`",
    ),
    Mistake(
        "plus_eps",
        in_float32(lambda x: x.square().mean(-1) + 1e-5),
        "A small constant is added. That comes in lab 02; here zeros give 0.",
        "Without eps.",
    ),
    Mistake(
        "in_place",
        lambda x: x.square_().mean(-1),
        "`square_()`, `*=` and the like overwrite the caller's x.",
        "Make a new tensor: `x * x`, or `x.square()` without the underscore.",
    ),
    Mistake(
        "float_in_place",
        lambda x: x.float().square_().mean(-1).to(x.dtype),
        "It overwrites the caller's x: where that is float32 already, `.float()` makes no copy.",
        "Make a new tensor: `x.float().square()`, without the underscore.",
    ),
    Mistake(
        "detached",
        lambda x: right.mean_square(x.detach()),
        "The result is cut off from the gradient: `.detach()`, `.data` or `torch.no_grad()`.",
        "Leave it out. The norm of lab 02 learns through this mean.",
    ),
    Mistake(
        "no_upcast",
        lambda x: x.square().mean(-1),
        "In float16 the squares overflow: 300² is more than float16's largest number, 65504.",
        UPCAST,
        "meta-llama/llama#1048",
    ),
    Mistake(
        "sum_in_half",
        _running_sum,
        "It adds up in half precision, where a sum stops growing: in bfloat16 256 + 1 is 256.",
        UPCAST,
    ),
    Mistake(
        "sum_overflows",
        lambda x: x.square().sum(-1) / x.shape[-1],
        "In float16 the sum of the squares overflows, though their mean would fit.",
        UPCAST,
    ),
    Mistake(
        "not_cast_back",
        lambda x: _float(x).square().mean(-1),
        "It returns float32 where half precision came in.",
        "Go back at the end: `.to(x.dtype)`.",
    ),
    Mistake(
        "always_float32",
        lambda x: x.float().square().mean(-1),
        "It returns float32 whatever comes in.",
        "Go back at the end: `.to(x.dtype)`.",
    ),
    Mistake(
        "always_float64",
        lambda x: x.double().square().mean(-1),
        "It returns float64 whatever comes in.",
        "Go back at the end: `.to(x.dtype)`.",
    ),
]
