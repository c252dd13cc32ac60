"""Lab 02, 2.3: rms_norm, and what people write in place of its lines.

Sources are the public threads in which somebody really made the mistake.
"""

import torch
from torch import Tensor

from checks.engine import Mistake, mistakes_of
from checks.rmsnorm.batch_norm_wrong import HALF


def rms_norm(x: Tensor, weight: Tensor, eps: float = 1e-5) -> Tensor:
    #: `def rms_norm(x, weight, eps)`, eps with its default.
    #! other_names:
    #| def rms_norm(*args):
    #|     x, weight, eps = (*args, 1e-5)[:3]
    #  Its parameters have other names than in the docstring, so that nobody can call it by name, as in `eps=1e-6`.
    #: `eps: float = 1e-5` in the signature. torch.nn.RMSNorm has another default.
    #! wrong_default_eps: def rms_norm(x, weight, eps=1e-6):
    #  Without eps it takes another number than 1e-5.
    wide, dim = x.float() if x.dtype in HALF else x, -1
    #: Compute with `x.float()` and return `.to(x.dtype)`, as Llama's code does.
    #! no_upcast: wide, dim = x, -1
    #! no_upcast: wide, dim = x, -1
    #  In float16 the squares overflow: 1000² is more than float16's largest number, 65504. [meta-llama/llama#1048]
    #: Use the name `eps`, as it comes.
    #! fixed_eps: …; eps = 1e-5
    #  eps is written into the formula as a number; the argument eps is not used.
    #! small_fixed_eps: …; eps = 1e-6
    #  eps is 1e-6 whatever the argument says. Llama 3 uses 1e-5.
    #! eps_of_the_dtype: …; eps = torch.finfo(x.dtype).eps
    #  eps is the dtype's own, whatever the argument says: torch's RMSNorm does that when it is given none.
    #! eps_has_a_floor: …; eps = max(eps, 1e-5)
    #  An eps smaller than 1e-5 is replaced by 1e-5.
    #: The signature has the default already: use `eps` as it comes.
    #! eps_or_default: …; eps = eps or 1e-5
    #  eps = 0 is taken for no eps at all, as in `eps or 1e-5`: 0 counts as false.
    #: `.reshape` does what `.view` cannot; with `dim=-1` neither is needed.
    #! needs_contiguous: …; wide.view(-1, x.shape[-1])
    #  It needs an x that lies in one piece in memory, and a transposed one does not.
    #: Only the last dimension, and kept: `dim=-1, keepdim=True`.
    #! columns_not_rows: …; dim = 0
    #  The mean runs over the first dimension. A token must not feel the other samples.
    #! over_tokens: …; dim = -2
    #  The mean runs over the tokens (dim=-2). It belongs over the features.
    #! dim_one: …; dim = 1
    #  It uses dim=1. With a batch (B, T, D) that is the tokens; the features are the last one.
    #! tokens_together: …; dim = (-2, -1)
    #  One root mean square for all tokens of a sequence: the future leaks into the past. [bkitano/llama-from-scratch#4]
    #! all_at_once: …; dim = tuple(range(x.ndim))
    #  One root mean square for the whole tensor. Each vector has its own.
    #! all_but_the_first: …; dim = tuple(range(1, x.ndim)) or 0
    #  The mean runs over all dimensions but the first: the vectors of a sentence see each other.
    #: Hand over the weight itself.
    #! weight_detached: …; weight = weight.detach()
    #  The weight is used without its gradient (`.data` or `.detach()`): it would never learn.
    #: Normalise x first, then multiply by `weight`.
    #! weight_inside: …; wide, weight = wide * weight, 1.0
    #  The weight is multiplied before the mean square is taken, so it is normalised away.
    squares = wide.square()
    #: Divide x itself by its root mean square.
    #! layer_norm: wide = wide - wide.mean(dim, keepdim=True); squares = wide.square()
    #  The mean is subtracted. That is LayerNorm; RMSNorm leaves re-centring out.
    #: The mean square is `x.square().mean(-1, keepdim=True)`, with nothing subtracted.
    #! standard_deviation: squares = (wide - wide.mean(dim, keepdim=True)).square()
    #  It divides by the standard deviation, which subtracts the mean inside.
    #: Square, then mean, then root.
    #! root_of_mean_absolute: squares = wide.abs()
    #  The sizes are averaged where the squares should be: it is the root of the mean size.
    #! fourth_power: squares = wide.pow(4)
    #  It takes the fourth power where the square belongs.
    #! doubled: squares = 2 * wide
    #  It doubles x where it should square it.
    #: Normalise x first, then multiply by `weight`.
    #! weight_twice: wide = wide * weight; squares = wide.square()
    #  The weight takes part in the mean square, and is multiplied once more at the end.
    mean_square = squares.mean(dim, keepdim=True)  # (..., 1)
    #: `.mean(-1, keepdim=True)`, not `.sum` and not `.norm`.
    #! sum_not_mean: mean_square = squares.sum(dim, keepdim=True)
    #  It sums the squares where their mean is wanted: the rows have length 1, not sqrt(D).
    #! scale_upside_down: mean_square = squares.sum(dim, keepdim=True) * x.shape[-1]
    #  The length is multiplied by √D where it should be divided: the rows get length 1/√D.
    #! one_less: mean_square = squares.sum(dim, keepdim=True) / (x.shape[-1] - 1)
    #  The squares are divided by D - 1. A mean divides by D.
    #! divided_by_rows: mean_square = squares.sum(dim, keepdim=True) / len(x)
    #  The squares are divided by len(x), the first size. D is the last one.
    #! largest: mean_square = squares.amax(dim, keepdim=True)
    #  It takes the largest square, not the mean of the squares.
    #! mean_then_square: mean_square = wide.mean(dim, keepdim=True).square()
    #  It squares the mean; the mean of the squares is wanted.
    #: The mean square is `x.square().mean(-1, keepdim=True)`, with nothing subtracted.
    #! sample_deviation: mean_square = wide.var(dim, keepdim=True)
    #  It divides by the standard deviation (x.var, divided by D - 1), which subtracts the mean.
    #: `mean(dim=-1, keepdim=True)` has shape (..., 1).
    #! no_keepdim: mean_square = squares.mean(dim)
    #  A mean has lost its dimension, so that it cannot broadcast over the row.
    #: Add eps before the root: no root that is squared again.
    #! nan_gradient: mean_square = squares.mean(dim, keepdim=True).sqrt() ** 2
    #  Backwards it gives NaN where all numbers are equal or zero: a root has no gradient at 0.
    #! eps_added_at_the_end: mean_square = squares.mean(dim, keepdim=True) - eps
    #: No `.detach()` and no `torch.no_grad()` here.
    #! statistics_detached: mean_square = squares.mean(dim, keepdim=True).detach()
    #  The statistics are cut off from the gradient. Backwards they are part of the formula.
    scale = torch.rsqrt(mean_square + eps)
    #: Scale x by 10: the right answer does not change, this one grows a hundredfold.
    #! divides_by_rsqrt: scale = torch.sqrt(mean_square + eps)
    #  It multiplies by the root where it should divide: `* sqrt(…)`, or `/ rsqrt(…)`, which is the same. [mosaicml/llm-foundry#371]
    #: With eps = 0.1 the two differ in the first digit; with 1e-5 in the third, and only where the numbers are small.
    #! eps_outside_root: scale = 1 / (mean_square.sqrt() + eps)
    #! eps_outside_root: scale = torch.rsqrt(mean_square) + eps
    #  eps is added after the root. It belongs inside: sqrt(… + eps). [EleutherAI/gpt-neox#1342, allenai/OLMo#281]
    #: `torch.rsqrt(…)` is one over the square root.
    #! no_root: scale = 1 / (mean_square + eps)
    #  It divides by the mean square. The root is missing: that is the R of RMS.
    #! root_twice: scale = torch.rsqrt(torch.sqrt(mean_square + eps))
    #! root_twice: scale = torch.rsqrt(torch.sqrt(mean_square) + eps)
    #  The root is taken twice.
    #! root_of_deviation: scale = torch.rsqrt(wide.std(dim, keepdim=True) + eps)
    #! root_of_deviation: scale = torch.rsqrt(wide.std(dim, keepdim=True, correction=0) + eps)
    #  It takes the root of the standard deviation, where the root of the mean square belongs.
    #! squared_not_rooted: scale = 1 / (mean_square + eps) ** 2
    #  It squares the mean square where the root belongs.
    #: Square, then mean, then root.
    #! mean_absolute: scale = 1 / (wide.abs().mean(dim, keepdim=True) + eps)
    #  It divides by the mean of the absolute values, not by the root of the mean square.
    #: `torch.rsqrt(mean_square + eps)`
    #! ignores_eps: scale = torch.rsqrt(mean_square)
    #  eps is not used: a row of zeros becomes 0 · inf, which is NaN.
    #! eps_squared: scale = torch.rsqrt(mean_square + eps**2)
    #  eps is squared under the root. It is added as it is.
    #! eps_subtracted: scale = torch.rsqrt(mean_square - eps)
    #  eps is subtracted under the root: where the mean square is small, that is no number.
    #! eps_multiplied: scale = torch.rsqrt(mean_square * eps)
    #  eps is multiplied, not added.
    #! eps_as_floor: scale = torch.rsqrt(mean_square.clamp_min(eps))
    #! eps_as_floor: scale = 1 / mean_square.sqrt().clamp_min(eps)
    #  eps is a lower bound here (`clamp`, `max`). The formula adds it.
    unit = wide * scale
    #: `x * rsqrt(…)`.
    #! scale_added: unit = wide + scale
    #  One over the root mean square is added. It is a factor.
    #!+ eps_added_at_the_end: unit = wide * scale + eps
    #  eps is added to the quotient. It belongs under the root.
    #: Make a new tensor: `x = x * …`, not `x *= …`.
    #! in_place: wide *= scale; unit = wide
    #! in_place: x.copy_(wide * scale); unit = x
    #  x itself is changed. `x.float()` is no copy when x is float32 already.
    #: Divide x itself by its root mean square.
    #! scale_only: unit = scale.expand(x.shape)
    #  x itself is missing: the result is one over the root mean square.
    result = unit * weight
    #: Multiply by `weight` at the end, as it is.
    #! no_weight: result = unit
    #  The weight is not used. While it is all ones, as at the start, nobody notices.
    #! one_plus_weight: result = unit * (1 + weight)
    #  It multiplies by 1 + weight. Gemma stores its weights that way; Llama's are the factor.
    #! weight_added: result = unit + weight
    #  The weight is added. It is a factor.
    #! divides_by_weight: result = unit / weight
    #  It divides by the weight. It is a factor.
    return result.to(x.dtype)
    #!+ no_upcast: return result
    #: Go back at the end: `.to(x.dtype)`.
    #! not_cast_back: return result.float()
    #  It returns float32 whatever comes in.
    #: Go back at the end, after the weight: `.to(x.dtype)`.
    #! weight_dtype_wins: return unit.to(x.dtype) * weight
    #! weight_dtype_wins: return result.to(weight.dtype)
    #  float32 ends before the weight is used, so that its dtype comes out. [huggingface/transformers#30236]
    #: Without `.squeeze()` the result has the shape of x.
    #! squeezed: return result.to(x.dtype).squeeze()
    #  Dimensions of size 1 are squeezed out of the result.
    #: No `torch.no_grad()`, `.detach()`, `.data` and no numpy on the way.
    #! no_gradient: return result.to(x.dtype).detach()
    #  The result is cut off from the gradient altogether: the model could not learn.


MISTAKES: list[Mistake] = mistakes_of(rms_norm)
