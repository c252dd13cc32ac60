"""Lab 02, 2.1: batch_norm, and what people write in place of its lines.

Sources are the public threads in which somebody really made the mistake.
"""

import torch
from torch import Tensor

from checks.engine import Mistake, mistakes_of

HALF = (torch.float16, torch.bfloat16)


def root_first(x: Tensor, dim: int) -> Tensor:
    """Mean square by way of its root, which has no gradient at zero."""
    return x.square().mean(dim).sqrt() ** 2


def batch_norm(x: Tensor, eps: float = 1e-5) -> Tensor:
    #: `def batch_norm(x, eps)`, eps with its default.
    #! other_names:
    #| def batch_norm(*args):
    #|     x, eps = (*args, 1e-5)[:2]
    #  Its parameters have other names than in the docstring, so that nobody can call it by name, as in `eps=1e-6`.
    #: `eps: float = 1e-5` in the signature. torch.nn.RMSNorm has another default.
    #! wrong_default_eps: def batch_norm(x, eps=1e-6):
    #! wrong_default_eps: def batch_norm(x, eps=1.0):
    #  Without eps it takes another number than 1e-5.
    wide = x.float() if x.dtype in HALF else x
    #: Compute with `x.float()` and return `.to(x.dtype)`, as Llama's code does.
    #! no_upcast: wide = x
    #  In float16 the squares overflow: 1000² is more than float16's largest number, 65504. [meta-llama/llama#1048]
    #: Use `eps`, as it comes.
    #! fixed_eps: …; eps = 1e-5
    #  eps is written into the formula as a number; the argument eps is not used.
    #! eps_has_a_floor: …; eps = max(eps, 1e-5)
    #  An eps smaller than 1e-5 is replaced by 1e-5.
    mean = wide.mean(dim=0)
    #: The mean has to run over the samples: `dim=0`.
    #! rows_not_columns: mean = wide.mean(-1, keepdim=True)
    #! row_means: mean = wide.mean(1, keepdim=True)
    #  The mean is that of each row; the variance is that of the columns. Both belong to the columns.
    #! row_means_on_columns: mean = wide.mean(-1)
    #  The means are those of the rows, (N,), and stand against the columns, (N, D).
    #: Give `mean` and `var` the dimension: `dim=0`.
    #! all_at_once: mean = wide.mean()
    #! one_mean: mean = wide.mean()
    #  One mean for the whole matrix. Each column has its own.
    #! median: mean = wide.median(0).values
    #  It subtracts the median of each column, not its mean.
    #! running_mean: mean = wide.cumsum(0) / torch.arange(1, len(x) + 1, device=x.device)[:, None]
    #  Each sample loses the mean of the samples up to it. One mean serves the whole column.
    #! sums_normalised: wide = wide.sum(0) + 0 * wide; mean = wide.mean(0)
    #! sum_subtracted: mean = wide.sum(0)
    #  The sum is subtracted, not the mean.
    #! half_the_batch: mean = wide[: len(x) // 2 or 1].mean(0)
    #  Only a part of the samples makes the mean.
    #: No `.detach()` and no `torch.no_grad()` here.
    #! statistics_detached: mean = wide.mean(0).detach()
    #! mean_detached: mean = wide.mean(0).detach()
    #  The mean is cut off from the gradient. Backwards it is part of the formula.
    centred = wide - mean
    #! sums_normalised: sums = wide.sum(0) - mean; return (sums / torch.sqrt(sums**2 / x.shape[1] + eps)).expand_as(wide).to(x.dtype)
    #: Make a new tensor: `x = x - …`, not `x -= …`.
    #! in_place: wide -= mean; centred = wide
    #  x itself is changed. `x.float()` is no copy when x is float32 already.
    #: Subtract `x.mean(dim=0)` before dividing.
    #! mean_added: centred = wide + mean
    #  The mean is added. It has to be subtracted.
    #! sign_turned: centred = mean - wide
    #  It subtracts x from the mean: all signs are turned.
    #! divided_by_mean: centred = wide / mean
    #  It divides by the mean. The mean is subtracted.
    variance = centred.square().mean(dim=0)
    #!+ rows_not_columns: variance = centred.square().mean(-1, keepdim=True)
    #  It normalises each row. BatchNorm normalises each column: one feature, many samples.
    #!+ all_at_once: variance = centred.square().mean()
    #  One mean and one variance for the whole matrix. Each column needs its own.
    #!+ sums_normalised: variance = centred.square().mean(0)
    #  It normalises the sums of the columns: all samples come out alike. x itself is normalised.
    #: Give `mean` and `var` the dimension: `dim=0`.
    #! one_variance: variance = wide.var(correction=0)
    #! one_variance: variance = centred.square().mean()
    #  One variance for the whole matrix. Each column has its own.
    #! row_variance: variance = wide.var(-1, keepdim=True, correction=0)
    #  The variance is that of each row; the mean is that of the columns. Both belong to the columns.
    #: Use `x.var(dim=0, correction=0)`: the population variance, as the paper does.
    #! sample_variance: variance = wide.var(0)
    #  The variance is divided by N - 1. torch.var does that unless told otherwise. [harvardnlp/annotated-transformer#119]
    #! divided_by_width: variance = centred.square().sum(0) / x.shape[1]
    #  The sum of the squares is divided by D, the number of features. There are N samples.
    #! divided_by_all: variance = centred.square().sum(0) / x.numel()
    #  The sum of the squares is divided by how many numbers there are in all. There are N in a column.
    #: The variance is the mean of the squared distances from the mean.
    #! sum_not_mean: variance = centred.square().sum(0)
    #  The squares are summed; the variance is their mean.
    #! root_of_mean_absolute: variance = centred.abs().mean(0)
    #  The sizes are averaged where their squares should be.
    #! mean_absolute_deviation: variance = centred.abs().mean(0) ** 2
    #  It divides by the mean of the sizes, not by the root of the mean of their squares.
    #! mean_then_square: variance = centred.mean(0).square()
    #  The mean is taken before the square: that is 0. First square, then mean.
    #! fourth_power: variance = centred.pow(4).mean(0)
    #  It takes the fourth power where the square belongs.
    #: The variance is the mean square of what is left after centring.
    #! second_moment: variance = wide.square().mean(0)
    #  It divides by the root of the mean square of x, not of x minus its mean.
    #! root_mean_square: variance = wide.square().mean(0)
    #: Subtract the mean first: `(x - x.mean(0)).square().mean(0)`.
    #! moments_cancel: variance = (wide.square().mean(0) - wide.mean(0) ** 2 + eps).abs() - eps
    #  The variance is the mean of the squares minus the square of the mean. Far from zero these are two large numbers, and float32 has no digits for
    #  their difference.
    #: Add eps before the root: no root that is squared again.
    #! nan_gradient: variance = root_first(centred, 0)
    #  Backwards it gives NaN where all numbers are equal or zero: a root has no gradient at 0.
    #: No `.detach()` and no `torch.no_grad()` here.
    #! variance_detached: variance = centred.detach().square().mean(0)
    #  The variance is cut off from the gradient. Backwards it is part of the formula.
    deviation = torch.sqrt(variance + eps)
    #!+ statistics_detached: deviation = torch.sqrt(variance + eps).detach()
    #  The statistics are cut off from the gradient. Backwards they are part of the formula.
    #: Write `torch.sqrt(x.var(dim=0, correction=0) + eps)`.
    #! std_plus_eps: deviation = wide.std(0) + eps
    #  It divides by x.std() + eps: std() divides by N - 1, and eps belongs under the root. [harvardnlp/annotated-transformer#119]
    #: With eps = 0.1 the two differ in the first digit; with 1e-5 in the third, and only where the numbers are small.
    #! eps_outside_root: deviation = variance.sqrt() + eps
    #! eps_outside_root: deviation = wide.std(0, correction=0) + eps
    #  eps is added after the root. It belongs inside: sqrt(… + eps). [EleutherAI/gpt-neox#1342]
    #: Add eps to the variance, under the root.
    #! ignores_eps: deviation = variance.sqrt()
    #  eps is not used: a column that is constant divides 0 by 0.
    #! eps_squared: deviation = torch.sqrt(variance + eps**2)
    #  eps is squared under the root. It is added as it is.
    #! eps_subtracted: deviation = torch.sqrt(variance - eps)
    #  eps is subtracted under the root: where the variance is small, that is no number.
    #! eps_as_floor: deviation = variance.clamp_min(eps).sqrt()
    #! eps_as_floor: deviation = variance.sqrt().clamp_min(eps)
    #  eps is a lower bound here (`clamp`, `max`). The formula adds it.
    #! eps_twice: deviation = torch.sqrt(variance + eps) + eps
    #  eps is added twice, under the root and after it.
    #! eps_added_at_the_end: deviation = variance.sqrt()
    #: Divide by `torch.sqrt(variance + eps)`.
    #! divides_by_variance: deviation = variance + eps
    #  It divides by the variance. The root is missing.
    #! root_twice: deviation = (variance + eps).sqrt().sqrt()
    #! root_twice: deviation = (wide.std(0, correction=0) + eps).sqrt()
    #  The root is taken twice: of the deviation.
    #! squared_not_rooted: deviation = (variance + eps) ** 2
    #  It squares the variance where the root belongs.
    #: Either `/ torch.sqrt(…)` or `* torch.rsqrt(…)`.
    #! divides_by_rsqrt: deviation = torch.rsqrt(variance + eps)
    #  It multiplies by the deviation where it should divide: `* sqrt(…)`, or `/ rsqrt(…)`, which is the same. [mosaicml/llm-foundry#371]
    #: The variance is the mean of the squared distances from the mean.
    #! range_not_variance: deviation = wide.amax(0) - wide.amin(0) + eps
    #  It divides by the range, largest minus smallest, not by the standard deviation.
    result = centred / deviation
    #: `centred * rsqrt(…)` or `centred / sqrt(…)`.
    #! scale_added: result = centred + 1 / deviation
    #  One over the deviation is added. It is a factor.
    #!+ eps_added_at_the_end: result = centred / deviation + eps
    #  eps is added to the quotient. It belongs under the root.
    #!+ root_mean_square: result = wide / deviation
    #  It divides each column by its root mean square. BatchNorm re-centres first.
    #: Subtract `x.mean(dim=0)` before dividing.
    #! not_centred: result = wide / deviation
    #  The mean is not subtracted: the columns have variance 1, but not mean 0.
    #! centred_late: result = wide / deviation - mean
    #  The mean is subtracted after the division. First subtract, then divide.
    #: Divide by the root of the variance plus eps.
    #! only_centred: result = centred
    #  The columns have mean 0, but their variance is not 1: the division is missing.
    return result.to(x.dtype)
    #: Go back at the end: `.to(x.dtype)`.
    #! not_cast_back: return result.float()
    #  It returns float32 whatever comes in.
    #: The result has the shape of x, (N, D).
    #! transposed_back: return result.to(x.dtype).T
    #  The result is (D, N): a transpose is left over.
    #! squeezed: return result.to(x.dtype).squeeze()
    #  Dimensions of size 1 are squeezed out of the result.
    #: No `torch.no_grad()`, `.detach()`, `.data` and no numpy on the way.
    #! no_gradient: return result.to(x.dtype).detach()
    #  The result is cut off from the gradient altogether: the model could not learn.


MISTAKES: list[Mistake] = mistakes_of(batch_norm)
