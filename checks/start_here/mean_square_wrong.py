"""Lab 00, 0.1: mean_square, and what people write in place of its lines.

Sources are the public issues in which somebody really made the mistake, here inside of a norm.
"""

import torch
from torch import Tensor

from checks.engine import Mistake, mistakes_of

HALF = (torch.float16, torch.bfloat16)


def mean_square(x: Tensor) -> Tensor:
    wide = x.float() if x.dtype in HALF else x
    #: Compute with `x.float()` and return `.to(x.dtype)`.
    #! no_upcast: wide = x
    #  In float16 the squares overflow: 300² is more than float16's largest number, 65504. [meta-llama/llama#1048]
    #! narrow_on_the_way: wide = x.half()
    #! narrow_on_the_way: wide = x.bfloat16()
    #  It computes in 16 bits whatever comes in: three digits are left, and float16 ends at 65504.
    #: Leave it out. The norm of lab 02 learns through this mean.
    #! detached: wide = x.detach().double()
    #  The result is cut off from the gradient: `.detach()`, `.data` or `torch.no_grad()`.
    #: `.mean(dim=-1)` without `keepdim`: the last dimension, however many there are before it.
    #! first_vector_only: …; wide = wide[0]
    #  It takes the first vector only.
    squares = wide.square()
    #: First square, then mean: `x.square().mean(dim=-1)`.
    #! no_square: squares = wide
    #  It is the mean of x. The squares are missing.
    #! mean_absolute: squares = wide.abs()
    #  It is the mean of the absolute values. The squares are missing.
    #: `x ** 2`, `x * x` or `x.square()`.
    #! doubled: squares = 2 * wide.square()
    #  It is twice the mean square. [ShusenTang/Dive-into-DL-PyTorch#97]
    #! twice: squares = 2 * wide
    #  It takes x times 2 in place of x to the power of 2.
    #! caret: squares = wide ^ 2
    #! caret: squares = x ^ 2
    #  In Python `^` is no power: it compares bits, and numbers with a point have none to offer.
    #! fourth_power: squares = wide.pow(4)
    #  It takes the fourth power of the numbers.
    #! cubes: squares = wide.pow(3)
    #  It takes the third power of the numbers.
    #: `x.square()` of all of x.
    #! positive_only: squares = wide.clamp_min(0).square()
    #  Negative numbers do not count. Their squares are positive and do.
    #: `(x * x).mean(dim=-1)`: number by number, not `@`.
    #! all_pairs: return (wide @ wide.transpose(-2, -1) / x.shape[-1]).to(x.dtype)
    #  It multiplies every vector with every other one. Wanted is each with itself.
    #! one_vector_only: return (torch.dot(wide, wide) / len(x)).to(x.dtype)
    #  torch.dot takes single vectors. x may have any number of dimensions in front.
    #! matrix_only: rows, columns = x.shape; …
    #  It wants exactly two dimensions. x may have any number of them in front of the last.
    #: Make a new tensor: `x * x`, or `x.square()` without the underscore.
    #! in_place: squares = x.square_()
    #  `square_()`, `*=` and the like overwrite the caller's x.
    #! float_in_place: squares = x.float().square_()
    #  It overwrites the caller's x: where that is float32 already, `.float()` makes no copy.
    mean = squares.mean(dim=-1)
    #: First square, then mean: `x.square().mean(dim=-1)`.
    #! mean_then_square: mean = wide.mean(-1) ** 2
    #  It takes the mean first and squares that. Positive and negative numbers cancel out.
    #! mean_absolute_then_square: mean = wide.abs().mean(-1) ** 2
    #  It squares the mean of the absolute values. Large numbers must count more than that.
    #! largest: mean = squares.amax(-1)
    #  It is the largest square, not their mean.
    #! median: mean = squares.median(-1).values
    #  It is the median of the squares, not their mean.
    #: `.mean(dim=-1)` divides by the right number by itself.
    #! sum_not_mean: mean = squares.sum(-1)
    #  It adds the squares up. The mean divides that by D, how many they are.
    #! one_less: mean = squares.sum(-1) / (x.shape[-1] - 1)
    #  It divides by D - 1. A mean divides by D.
    #! divided_by_two: mean = squares.sum(-1) / 2
    #  It divides by 2, whatever D is. That fits the example in the docstring only.
    #: `x.shape[-1]`, or `.mean(dim=-1)`.
    #! divided_by_rows: mean = squares.sum(-1) / len(x)
    #  It divides by len(x), the first size. D is the last one.
    #! divided_by_all: mean = squares.sum(-1) / x.numel()
    #  It divides by the number of all numbers. Each vector has D of them.
    #: Without `.sqrt()`, and the mean, not the sum. The root comes in lab 02.
    #! root_mean_square: mean = squares.mean(-1).sqrt()
    #  It takes the root as well. That is the root mean square; here the root is left out.
    #! length: mean = wide.norm(dim=-1)
    #  It is the length of the vector: the root of the sum of the squares.
    #: Once, before the mean.
    #! squared_twice: mean = squares.mean(-1).square()
    #  It squares twice: the numbers, and their mean again.
    #: No factor ½: that belongs to the loss of a regression.
    #! halved: mean = squares.mean(-1) / 2
    #  It is half of the mean square.
    #: Square x itself; nothing is subtracted first.
    #! sample_variance: mean = wide.var(-1)
    #  It is the variance: the mean is subtracted first, and it is divided by D - 1. [harvardnlp/annotated-transformer#119]
    #! variance: mean = wide.var(-1, correction=0)
    #  It is the variance: the mean is subtracted before squaring.
    #! standard_deviation: mean = wide.std(-1)
    #  It is the standard deviation: the mean is subtracted, and there is a root.
    #: `mean(dim=-1)`: the last dimension, however many there are before it.
    #! no_mean: mean = squares
    #  It squares, and there it stops: D numbers a vector, where one is wanted.
    #! all_at_once: mean = squares.mean()
    #  One mean for all the vectors together. Each vector has its own.
    #! first_dimension: mean = squares.mean(0)
    #  The mean runs over the first dimension: down the columns, from vector to vector.
    #! dim_one: mean = squares.mean(1)
    #  It uses dim=1. With two dimensions that is the last one; with three or one it is not.
    #! over_tokens: mean = squares.mean(-2)
    #  The mean runs over dim=-2, the last but one.
    #! tokens_together: mean = squares.mean((-2, -1))
    #  The last two dimensions share one mean, so that the vectors see each other. [bkitano/llama-from-scratch#4]
    #! all_but_first: mean = squares.flatten(1).mean(1)
    #  One mean for each x[i], everything in it together. Each vector has its own.
    #: `.mean(dim=-1)` without `keepdim`. Lab 02 will want it.
    #! dimension_kept: …; mean = mean.unsqueeze(-1)
    #  With keepdim=True the last dimension stays, of size 1. Here it goes: (..., D) → (...).
    #! squeezed: mean = squares.mean(-1, keepdim=True).squeeze()
    #  squeeze() takes away every dimension of size 1, such as that of a batch of one.
    #: (..., D) → (...): they stay as they are.
    #! flattened: mean = squares.mean(-1).flatten()
    #  The leading dimensions are flattened into one.
    #: Without eps.
    #! plus_eps: mean = squares.mean(-1) + 1e-5
    #  A small constant is added. That comes in lab 02; here zeros give 0.
    #: Compute with `x.float()` and return `.to(x.dtype)`.
    #! sum_overflows: mean = x.square().sum(-1) / x.shape[-1]
    #  In float16 the sum of the squares overflows, though their mean would fit.
    #! sum_in_half: mean = running_sum(x)
    #  It adds up in half precision, where a sum stops growing: in bfloat16 256 + 1 is 256.
    return mean.to(x.dtype)
    #: Go back at the end: `.to(x.dtype)`.
    #! not_cast_back: return mean
    #  It returns float32 where half precision came in.
    #! no_return: mean.to(x.dtype)
    #  The result is computed and then forgotten: there is no `return`.
    #! item_taken: return mean.item() if mean.numel() == 1 else mean.tolist()
    #! item_taken: return mean.item()
    #  `.item()` and `.tolist()` give plain numbers, which know no shape, device or gradient.
    #! always_float32: return mean.float()
    #  It returns float32 whatever comes in.
    #! always_float16: return mean.half()
    #  It returns float16 whatever comes in.
    #! always_float64: return mean.double()
    #  It returns float64 whatever comes in.


def running_sum(x: Tensor) -> Tensor:
    """Add up in the input's own dtype, where every partial sum is rounded."""
    total = torch.zeros_like(x[..., 0])
    for i in range(x.shape[-1]):
        total = total + x[..., i] * x[..., i] / x.shape[-1]
    return total


MISTAKES: list[Mistake] = mistakes_of(mean_square)
