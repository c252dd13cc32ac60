"""Lab 12, 12.5: quantize_int8, and what people write in place of its lines."""

import torch
from torch import Tensor

from checks.engine import Mistake, mistakes_of


def quantize_int8(weight: Tensor) -> tuple[Tensor, Tensor]:
    weight = weight.detach().float()
    #: `weight.float()`: float16 has too few digits for the scale.
    #! in_half_precision: weight = weight.detach()
    #  It computes in half precision, and so the scale is rounded, or not float32.
    largest = weight.abs().amax(dim=1)
    #: `weight.abs().amax(dim=1)`: one number for each row.
    #! one_scale: largest = weight.abs().max().expand(weight.shape[0])
    #! one_scale: largest = weight.abs().max()
    #! one_scale: largest = weight.abs().max(); largest = torch.where(largest > 0, largest, 127.0).expand(weight.shape[0])
    #  There is one scale for the whole matrix. Its largest row then takes the detail from all others. Each row has its own.
    #! signed_largest: largest = weight.amax(dim=1)
    #! signed_largest: largest = weight.max(dim=1).values
    #  The largest number is taken with its sign. Where a negative one is larger in size, the row runs out of int8. Take `abs()` first.
    #! each_column: largest = weight.abs().amax(dim=0)
    #! each_column: largest = weight.abs().amax(0)
    #  There is a scale for each column. An output is a row's sum, so a row's scale can wait until after the product; a column's cannot.
    #! span: largest = weight.amax(dim=1) - weight.amin(dim=1)
    #! span: largest = (weight.amax(dim=1) - weight.amin(dim=1)) / 2
    #  The step is made of the distance from the smallest to the largest: that is for formats with a minimum, as Q4_1 of lab 11.
    #! mean_size: largest = weight.abs().mean(dim=1)
    #  The scale is made of the mean magnitude, so larger numbers leave int8. Take the largest.
    #! spread: largest = 3 * weight.std(dim=1)
    #  The scale is made of the standard deviation. Take the largest magnitude.
    #! smallest: largest = weight.abs().amin(dim=1)
    #  The scale is made of the smallest magnitude.
    #! keeps_dim: largest = weight.abs().amax(dim=1, keepdim=True)
    #  The scales are (out, 1). Their shape should be (out,).
    #! length: largest = weight.norm(dim=1)
    #  The scale is made of the row's length. Take its largest magnitude.
    scale = largest / 127
    #: `weight.abs().amax(dim=1) / 127`
    #! steps_128: scale = largest / 128
    #! steps_128: scale = 2 * largest / 256
    #! steps_128: scale = largest / 128; weight = torch.minimum(weight, 127 * scale[..., None])
    #  It divides by 128. The largest becomes 128 then, which int8 does not have: it turns into -128, or is cut off.
    #! steps_255: scale = largest / 255
    #  It divides by 255. From 0 to the largest there are 127 steps; 255 is for unsigned bytes.
    #! steps_256: scale = largest / 256
    #  It divides by 256. From 0 to the largest there are 127 steps.
    #! steps_7: scale = largest / 7
    #  It divides by 7: that is for 4 bits. In 8 bits there are 127 steps.
    #! both_halves: scale = 2 * largest / 255
    #! both_halves: scale = 2 * largest / 255; weight = torch.minimum(weight, 127 * scale[..., None])
    #! both_halves: scale = 2 * largest / 254.5
    #! both_halves: scale = largest / 127.5
    #  The steps are 255 over the whole range, or 127.5 on each side. Whole numbers from -127 to 127 have 127 on each side.
    #! turned_round: scale = 127 / largest.clamp(min=1e-12)
    #  The scale is 127 over the largest, its inverse. A weight is number · scale.
    #! negative_scale: scale = largest / -127
    #  The scale is negative, and every number has the wrong sign. It is a size: above 0.
    #! largest_times_127: scale = largest * 127
    #  The largest is multiplied by 127. Divided by it, it is a step.
    #! no_scale: scale = torch.ones_like(largest)
    #  The scales are all 1: the weights are only rounded.
    safe = torch.where(scale == 0, 1.0, scale)
    #: `torch.where(scale == 0, 1.0, scale)`, or `scale.clamp(min=…)` with a number below all scales.
    #! zero_row: safe = scale
    #  A row of zeros has scale 0, and 0 / 0 is NaN. What NaN becomes in int8 is up to the machine. [apple/coremltools#2851, ROCm/aiter#4289]
    #! clamped_too_high: safe = scale = scale.clamp(min=1e-5)
    #! clamped_too_high: safe = scale = scale.clamp(min=1e-4)
    #! clamped_too_high: safe = scale = scale.clamp(min=1e-3)
    #! clamped_too_high: safe = scale = scale + 1e-5
    #! clamped_too_high: safe = scale = scale + 1e-6
    #  Against a division by zero something is added or clamped that is larger than small scales: tiny weights are lost.
    #! infinite_scale: safe = torch.where(scale == 0, torch.inf, scale); scale = safe
    #  The scale of a row of zeros is not finite.
    q = (weight / safe[..., None]).round()
    #: `(weight / scale[:, None]).round()`
    #! truncated: q = weight / safe[..., None]
    #! truncated: q = (weight / safe[..., None]).trunc()
    #  The numbers are cut off, not rounded: `.to(torch.int8)` drops what stands behind the point.
    #! floored: q = (weight / safe[..., None]).floor()
    #! floored: q = weight // safe[..., None]
    #  The numbers are rounded down. The nearest whole number is wanted.
    #! rounded_up: q = (weight / safe[..., None]).ceil()
    #  The numbers are rounded up. The nearest whole number is wanted.
    #! half_added: q = (weight / safe[..., None] + 0.5).trunc()
    #! half_added: q = (weight / safe[..., None] + 0.5).to(torch.int8)
    #  0.5 is added and the rest cut off: that rounds positive numbers, and negative ones the wrong way.
    #! multiplied: q = (weight * safe[..., None]).round()
    #  The weights are multiplied by the scale. Divided by it, the largest becomes 127.
    #! along_columns: q = (weight / safe).round() if weight.shape[0] == weight.shape[1] else (weight / safe[:, None]).round()
    #! along_columns: q = (weight / safe).round()
    #  `weight / scale` divides column by column: (out, in) and (out,) meet at the last dimension. It takes `scale[:, None]`.
    #!+ each_column: q = (weight / safe).round()
    #! scaled_back: q = (weight / safe[..., None]).round() * safe[..., None]
    #  The numbers are multiplied by the scale again: that is the weight back, not what is stored.
    q = q.to(torch.int8)
    #: `.round().to(torch.int8)`
    #! stays_float: pass
    #! stays_float: q = q.float()
    #  The numbers are not int8: four bytes each, and nothing is saved.
    #! int32: q = q.to(torch.int32)
    #! int32: q = q.int()
    #! int32: q = q.long()
    #! int32: q = q.to(torch.int16)
    #  The numbers are whole, but not int8: they take more than one byte.
    #! unsigned: q = q.to(torch.uint8)
    #  The numbers are uint8, which has no negative ones: -1 becomes 255.
    #! unsigned_shifted: q = (q + 128).to(torch.uint8)
    #  The numbers are shifted by 128 and unsigned. From -127 to 127 is asked for.
    #! clamped_at_zero: q = q.clamp(min=0)
    #  Negative numbers are cut off at 0.
    #! four_bits: q = q.clamp(-8, 7)
    #  The numbers are cut to 4 bits, -8 to 7.
    return q, scale
    #: `return q, scale`
    #! order_swapped: return scale, q
    #  The scales come first. The numbers come first, then the scales.
    #! numbers_only: return q
    #  The scales are not returned. Without them nobody can make weights of the numbers.
    #! inverse_returned: return q, 1 / safe
    #  The inverse of the scale is returned. A weight is number · scale.
    #! largest_returned: return q, largest
    #  It returns the largest magnitudes. The scale is that over 127.
    #! scale_column: return q, scale[:, None]
    #  The scales are (out, 1). Their shape should be (out,).
    #! half_scales: return q, scale.half()
    #! half_scales: return q, scale.bfloat16()
    #  The scales are in half precision. float32 is asked for; a tiny one would become 0.
    #! double_scales: return q, scale.double()
    #  The scales are float64. float32 is asked for.
    #! scales_on_the_cpu: return q, torch.tensor(scale.tolist())
    #  The scales are made on the CPU whatever the device of the weights is.
    #! no_return: (q, scale)
    #  The result is computed and then forgotten: there is no `return`.


MISTAKES: list[Mistake] = mistakes_of(quantize_int8)
