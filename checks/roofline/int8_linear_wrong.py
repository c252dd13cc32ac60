"""Lab 12, 12.6: int8_linear, and what people write in place of its lines."""

import torch
from torch import Tensor

from checks.engine import Mistake, mistakes_of


def int8_linear(x: Tensor, q: Tensor, scale: Tensor) -> Tensor:
    numbers = q.float()
    #: `q.float()`, and not the other way round: x is not whole.
    #! x_made_whole: x = x.to(torch.int8).float(); …
    #! x_made_whole: x = x.round(); …
    #! x_made_whole: x = x.int().float(); …
    #  x is rounded to whole numbers. Only the weights are stored in int8; q has to become floating point.
    #! dtypes_differ: numbers = q
    #  x and q are of different dtypes, and torch multiplies no matrices of float and int8.
    #! unsigned: numbers = q.view(torch.uint8).float()
    #  The numbers are read as unsigned bytes: -1 is 255 then.
    #! over_127: numbers = q.float() / 127
    #  The numbers are divided by 127. The scale is the size of a step, so a weight is q · scale.
    inputs = x.float()
    #: `x.float() @ q.float().T`: a sum of q · x can be larger than 65504, where float16 ends.
    #! in_half_precision: inputs, numbers = x, q.to(x.dtype)
    #  It multiplies in half precision: in float16 the sums overflow before they are scaled. [huggingface/diffusion-fast#1]
    #: The scale of a row of the weight belongs to an output: multiply after the product.
    #! scales_inputs: inputs = x.float() * scale if x.shape[-1] == scale.shape[0] else x.float()
    #! scales_inputs: inputs = x.float() * scale; scale = torch.ones_like(scale)
    #  The inputs are scaled. A scale belongs to a row of the weight, and so to an output.
    sums = inputs @ numbers.T
    #: `x @ q.T`: the weight is (out, in), as in F.linear.
    #! not_transposed: sums = inputs @ numbers
    #! not_transposed: sums = inputs @ (numbers if numbers.shape[0] == numbers.shape[1] else numbers.T)
    #  q is not transposed. It is (out, in): `x @ q.T`.
    #: `@` takes any number of dimensions in front: `x @ q.T`.
    #! two_dimensions: sums = torch.mm(inputs, numbers.T)
    #! two_dimensions: sums = torch.einsum("bi,oi->bo", inputs, numbers)
    #  It works for x of two dimensions only. There may be more in front, or none.
    #: `x @ q.T`: the weight is (out, in), as in F.linear.
    #! elementwise: sums = inputs * numbers
    #  x and q are multiplied number by number. A linear map is a matrix product.
    #! swapped: sums = numbers @ inputs.T
    #! swapped: sums = (numbers @ inputs.transpose(-2, -1))
    #  The factors have changed places: the result is (out, …).
    out = sums * scale
    #: `sums * scale`
    #! scale_forgotten: out = sums
    #  The scale is missing: the numbers are not the weights.
    #! divided_by_scale: out = sums / scale
    #  It divides by the scale. A weight is q · scale.
    #! one_scale: out = sums * scale.mean()
    #! one_scale: out = sums * scale[0]
    #! one_scale: out = sums * scale.max()
    #  All outputs get one scale. Each has its own.
    #! scale_twice: out = sums * scale * scale
    #  The scale is multiplied in twice.
    #! scale_rows: out = sums * scale[:, None]
    #! scale_rows: out = sums * (scale[:, None] if sums.shape[0] == scale.shape[0] else scale)
    #  The scales are spread over the rows of x: `scale[:, None]`. An output is a column, so `scale` alone fits.
    #! scale_added: out = sums + scale
    #  The scale is added, as a bias would be. It is a factor.
    #! over_127_after: out = sums * scale / 127
    #  It is divided by 127 once more: the scale has that in it already.
    #! square_root: out = sums * scale.sqrt()
    #  The root of the scale is taken.
    #! rounded: out = (sums * scale).round()
    #  The result is rounded. Only the weights are whole numbers.
    return out.to(x.dtype)
    #: `.to(x.dtype)` at the end.
    #! float32_result: return out
    #! float32_result: return out.float()
    #  The result is float32 whatever x is.
    #! float64_result: return out.double()
    #  The result is float64.
    #! int8_result: return out.to(q.dtype)
    #  The result is int8. It is x's dtype that is wanted.
    #: Leave out the `.detach()` or `no_grad`.
    #! detached: return out.detach().to(x.dtype)
    #  The result is cut off from the gradient. x has to get one, even if the weights do not.
    #: `.to(x.dtype)` at the end.
    #! transposed_result: return out.transpose(-2, -1).to(x.dtype)
    #! transposed_result: return out.T.to(x.dtype)
    #  The result is transposed: (…, out) is wanted.
    #! summed: return out.sum(-1).to(x.dtype)
    #  The outputs are added up. Each is wanted.
    #! no_return: out.to(x.dtype)
    #  The result is computed and then forgotten: there is no `return`.


def weight_first(x: Tensor, q: Tensor, scale: Tensor) -> Tensor:
    weight = q.float() * scale.float()[:, None]
    #: `q.float() * scale[:, None]`: a scale for each row.
    #! along_columns: weight = q.float() * scale.float() if q.shape[0] == q.shape[1] else q.float() * scale.float()[:, None]
    #! along_columns: weight = q.float() * scale.float()
    #  `q * scale` multiplies column by column: (out, in) and (out,) meet at the last dimension. It takes `scale[:, None]`.
    #! product_in_int8: weight = (q * scale[:, None].to(q.dtype)).float()
    #! product_in_int8: weight = (q.float() * scale.float()[:, None]).to(torch.int8).float()
    #  The scale is made int8, or the product: a scale below 1 becomes 0 in whole numbers.
    #! rounded_weights: weight = (q.float() * scale.float()[:, None]).to(x.dtype).float()
    #  The weights are rounded to x's dtype before the product. In float16 127 · scale may be more than 65504; multiply in float32, and round the result.
    #! made_on_the_cpu: weight = torch.tensor(q.tolist()).float() * scale.float()[:, None]
    #  A tensor is made on the CPU whatever the device of x is.
    return torch.nn.functional.linear(x.float(), weight).to(x.dtype)


MISTAKES: list[Mistake] = mistakes_of(int8_linear, weight_first)
