"""Lab 02, 2.2: layer_norm, and what people write in place of its lines.

Sources are the public threads in which somebody really made the mistake.
"""

import torch
from torch import Tensor

from checks.engine import Mistake, mistakes_of
from checks.rmsnorm.batch_norm_wrong import HALF


def layer_norm(x: Tensor, weight: Tensor, bias: Tensor, eps: float = 1e-5) -> Tensor:
    #: `def layer_norm(x, weight, bias, eps)`, eps with its default.
    #! other_names:
    #| def layer_norm(*args):
    #|     x, weight, bias, eps = (*args, 1e-5)[:4]
    #  Its parameters have other names than in the docstring, so that nobody can call it by name, as in `eps=1e-6`.
    #: `eps: float = 1e-5` in the signature. torch.nn.RMSNorm has another default.
    #! wrong_default_eps: def layer_norm(x, weight, bias, eps=1e-6):
    #  Without eps it takes another number than 1e-5.
    wide, dim = x.float() if x.dtype in HALF else x, -1
    #: Compute with `x.float()` and return `.to(x.dtype)`, as Llama's code does.
    #! no_upcast: wide, dim = x, -1
    #! no_upcast: wide, dim = x, -1
    #  In float16 the squares overflow: 1000² is more than float16's largest number, 65504. [meta-llama/llama#1048]
    #: Use the name `eps`, as it comes.
    #! fixed_eps: …; eps = 1e-5
    #! fixed_eps: …; eps = 1e-6
    #  eps is written into the formula as a number; the argument eps is not used.
    #! eps_has_a_floor: …; eps = max(eps, 1e-5)
    #  An eps smaller than 1e-5 is replaced by 1e-5.
    #: The signature has the default already: use `eps` as it comes.
    #! eps_or_default: …; eps = eps or 1e-5
    #  eps = 0 is taken for no eps at all, as in `eps or 1e-5`: 0 counts as false.
    #: `.reshape` does what `.view` cannot; with `dim=-1` neither is needed.
    #! needs_contiguous: …; wide.view(-1, x.shape[-1])
    #  It needs an x that lies in one piece in memory, and a transposed one does not.
    #: Mean and variance run over the last dimension: `dim=-1`.
    #! columns_not_rows: …; dim = 0
    #  It normalises over the first dimension, the samples. That is BatchNorm.
    #! over_tokens: …; dim = -2
    #  Mean and variance run over the tokens (dim=-2). They belong over the features.
    #! dim_one: …; dim = 1
    #  It uses dim=1. With a batch (B, T, D) that is the tokens; the features are the last one.
    #! tokens_together: …; dim = (-2, -1)
    #  Mean and variance run over tokens and features together: tokens see each other. [bkitano/llama-from-scratch#4]
    #! all_at_once: …; dim = tuple(range(x.ndim))
    #  One mean and one variance for the whole tensor. Each vector has its own.
    #! all_but_the_first: …; dim = tuple(range(1, x.ndim)) or 0
    #  Mean and variance run over all dimensions but the first: the vectors of a sentence see each other.
    #: No `.detach()` and no `torch.no_grad()` here.
    #! learnt_detached: …; weight, bias = weight.detach(), bias.detach()
    #  weight and bias are used without their gradient (`.data` or `.detach()`): they would never learn.
    mean = wide.mean(dim, keepdim=True)
    #! statistics_detached: mean = wide.mean(dim, keepdim=True).detach()
    #! mean_detached: mean = wide.mean(dim, keepdim=True).detach()
    #  The mean is cut off from the gradient. Backwards it is part of the formula.
    #: `mean(dim=-1, keepdim=True)` has shape (..., 1).
    #! no_keepdim: mean = wide.mean(dim)
    #! no_keepdim: mean = wide.mean(dim)
    #! one_mean: mean = wide.mean()
    #  One mean for the whole tensor. Each vector has its own.
    #! mean_over_another_dimension: mean = wide.mean(1 if x.ndim > 1 else 0, keepdim=True)
    #! mean_over_another_dimension: mean = wide.mean(0, keepdim=True)
    #! mean_over_another_dimension: mean = wide.mean(1, keepdim=True)
    #  The mean runs over another dimension than the last; the variance is right.
    #! median: mean = wide.median(dim, keepdim=True).values
    #  It subtracts the median, not the mean.
    centred = wide - mean
    #: Make a new tensor: `x = x - …`, not `x -= …`.
    #! in_place: wide -= mean; centred = wide
    #  x itself is changed. `x.float()` is no copy when x is float32 already.
    #: Subtract `x.mean(-1, keepdim=True)` first.
    #! weight_twice: centred = (wide - mean) * weight
    #! mean_added: centred = wide + mean
    #  The mean is added. It has to be subtracted.
    #! sign_turned: centred = mean - wide
    #  It subtracts x from the mean: all signs are turned.
    #! rms_norm: centred = wide
    #  This is RMSNorm with a bias: no mean is subtracted. That comes in the next exercise.
    variance = centred.square().mean(dim, keepdim=True)
    #!+ no_upcast: variance = wide.var(dim, keepdim=True, correction=0)
    #!+ no_keepdim: variance = wide.var(dim, correction=0)
    #  A mean has lost its dimension, so that it cannot broadcast over the row.
    #: `mean(dim=-1, keepdim=True)` has shape (..., 1).
    #! no_keepdim: variance = wide.var(dim, correction=0)
    #! no_keepdim: variance = wide.var(dim)
    #: Use `x.var(-1, keepdim=True, correction=0)`.
    #! sample_variance: variance = wide.var(dim, keepdim=True)
    #  The variance is divided by D - 1. torch.var does that unless told otherwise. [harvardnlp/annotated-transformer#119]
    #: The variance is the mean square of what is left after centring.
    #! second_moment: variance = wide.square().mean(dim, keepdim=True)
    #  It divides by the root of the mean square of x, not of x minus its mean.
    #! one_variance: variance = wide.var(correction=0)
    #! one_variance: variance = centred.square().mean()
    #  One variance for the whole tensor. Each vector has its own.
    #! variance_over_another_dimension: variance = centred.square().mean(0, keepdim=True)
    #! variance_over_another_dimension: variance = centred.square().mean(1, keepdim=True)
    #! variance_over_another_dimension: variance = centred.square().mean(-2, keepdim=True)
    #  The variance runs over another dimension than the last; the mean is right.
    #! sum_not_mean: variance = centred.square().sum(dim, keepdim=True)
    #  The squares are summed; the variance is their mean.
    #! rows_summed_together: variance = centred.square().sum() / x.shape[-1]
    #  The squares of all vectors are summed together and divided by D.
    #! root_of_mean_absolute: variance = centred.abs().mean(dim, keepdim=True)
    #  The sizes are averaged where their squares should be.
    #! mean_absolute_deviation: variance = centred.abs().mean(dim, keepdim=True) ** 2
    #  It divides by the mean of the sizes, not by the root of the mean of their squares.
    #! mean_then_square: variance = centred.mean(dim, keepdim=True).square()
    #  The mean is taken before the square: that is 0. First square, then mean.
    #: Subtract the mean first, then square.
    #! moments_cancel: variance = wide.square().mean(dim, keepdim=True) + mean**2
    #  It adds the square of the mean where it should be subtracted.
    #: Add eps before the root: no root that is squared again.
    #! nan_gradient: variance = centred.square().mean(dim, keepdim=True).sqrt() ** 2
    #  Backwards it gives NaN where all numbers are equal or zero: a root has no gradient at 0.
    #: Normalise x first, then multiply by `weight`.
    #! weight_twice: variance = (centred * weight).square().mean(dim, keepdim=True)
    #  The weight takes part in the variance, and is multiplied once more at the end.
    #: No `.detach()` and no `torch.no_grad()` here.
    #! variance_detached: variance = centred.detach().square().mean(dim, keepdim=True)
    #  The variance is cut off from the gradient. Backwards it is part of the formula.
    deviation = torch.sqrt(variance + eps)
    #!+ statistics_detached: deviation = torch.sqrt(variance + eps).detach()
    #  The statistics are cut off from the gradient. Backwards they are part of the formula.
    #: At D = 4 that is 15 % off, at D = 768 nothing shows. Use `var(-1, correction=0)`.
    #! std_plus_eps: deviation = wide.std(dim, keepdim=True) + eps
    #  It divides by x.std() + eps. std() divides by D - 1, and eps belongs under the root. [harvardnlp/annotated-transformer#119]
    #: With eps = 0.1 the two differ in the first digit; with 1e-5 in the third, and only where the numbers are small.
    #! eps_outside_root: deviation = variance.sqrt() + eps
    #! eps_outside_root: deviation = wide.std(dim, correction=0, keepdim=True) + eps
    #  eps is added after the root. It belongs inside: sqrt(… + eps). [EleutherAI/gpt-neox#1342]
    #: Add eps to the variance, under the root.
    #! ignores_eps: deviation = variance.sqrt()
    #  eps is not used: a row of equal numbers divides 0 by 0.
    #! eps_squared: deviation = torch.sqrt(variance + eps**2)
    #  eps is squared under the root. It is added as it is.
    #! eps_subtracted: deviation = torch.sqrt(variance - eps)
    #  eps is subtracted under the root: where the variance is small, that is no number.
    #! eps_as_floor: deviation = variance.clamp_min(eps).sqrt()
    #! eps_as_floor: deviation = variance.sqrt().clamp_min(eps)
    #  eps is a lower bound here (`clamp`, `max`). The formula adds it.
    #! eps_added_at_the_end: deviation = variance.sqrt()
    #: Divide by `torch.sqrt(variance + eps)`.
    #! divides_by_variance: deviation = variance + eps
    #  It divides by the variance. The root is missing.
    #! root_twice: deviation = (variance + eps).sqrt().sqrt()
    #! root_twice: deviation = (variance.sqrt() + eps).sqrt()
    #! root_twice: deviation = (wide.std(dim, keepdim=True) + eps).sqrt()
    #  The root is taken twice: of the deviation.
    #! squared_not_rooted: deviation = (variance + eps) ** 2
    #  It squares the variance where the root belongs.
    #: Either `/ torch.sqrt(…)` or `* torch.rsqrt(…)`.
    #! divides_by_rsqrt: deviation = torch.rsqrt(variance + eps)
    #  It multiplies by the deviation where it should divide: `* sqrt(…)`, or `/ rsqrt(…)`, which is the same. [mosaicml/llm-foundry#371]
    unit = centred / deviation
    #: `centred * rsqrt(…)` or `centred / sqrt(…)`.
    #! scale_added: unit = centred + 1 / deviation
    #  One over the deviation is added. It is a factor.
    #!+ eps_added_at_the_end: unit = centred / deviation + eps
    #  eps is added to the quotient. It belongs under the root.
    #: Subtract `x.mean(-1, keepdim=True)` first.
    #! not_centred: unit = wide / deviation
    #  The mean is not subtracted.
    #! only_centred: unit = centred
    #  The mean is subtracted, but nothing is divided: the variance is not 1.
    result = unit * weight + bias
    #: `… * weight + bias`
    #! no_bias: result = unit * weight
    #  The bias is not added.
    #! no_weight: result = unit + bias
    #  The weight is not used.
    #! no_weight_no_bias: result = unit
    #  Neither weight nor bias is used.
    #! bias_subtracted: result = unit * weight - bias
    #  The bias is subtracted. It is added.
    #! weight_added: result = unit + weight + bias
    #  The weight is added. It is a factor.
    #! divides_by_weight: result = unit / weight + bias
    #  It divides by the weight. It is a factor.
    #! one_plus_weight: result = unit * (1 + weight) + bias
    #  It multiplies by 1 + weight. Gemma stores its weights that way; here they are the factor.
    #: First `* weight`, then `+ bias`.
    #! bias_before_weight: result = (unit + bias) * weight
    #  The bias is added before the weight is multiplied, so it is scaled as well.
    #: The signature is (x, weight, bias): `* weight + bias`.
    #! swapped_weight_bias: result = unit * bias + weight
    #  weight and bias have changed places.
    return result.to(x.dtype)
    #!+ no_upcast: return result
    #: Go back at the end: `.to(x.dtype)`.
    #! not_cast_back: return result.float()
    #  It returns float32 whatever comes in.
    #: Go back at the end, after weight and bias: `.to(x.dtype)`.
    #! weight_dtype_wins: return unit.to(x.dtype) * weight + bias
    #! weight_dtype_wins: return result.to(weight.dtype)
    #  float32 ends before weight and bias are used, so that theirs is the dtype that comes out. [huggingface/transformers#30236]
    #: Without `.squeeze()` the result has the shape of x.
    #! squeezed: return result.to(x.dtype).squeeze()
    #  Dimensions of size 1 are squeezed out of the result.
    #: No `torch.no_grad()`, `.detach()`, `.data` and no numpy on the way.
    #! no_gradient: return result.to(x.dtype).detach()
    #  The result is cut off from the gradient altogether: the model could not learn.


MISTAKES: list[Mistake] = mistakes_of(layer_norm)
