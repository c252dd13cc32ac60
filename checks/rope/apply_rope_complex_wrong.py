"""Lab 03, 3.6: apply_rope_complex, and what people write in place of its lines.

Whatever goes wrong in apply_rope can go wrong here too; below stands what is written in complex
numbers. Sources are the public issues in which somebody really made the mistake.
"""

import math

import torch
from torch import Tensor

from checks.engine import Mistake, mistakes_of
from checks.rope.rotation_wrong import HALF, OF_HALVES, rotation, with_partners


def apply_rope_complex(x: Tensor, angles: Tensor) -> Tensor:
    wide = x.float() if x.dtype in HALF else x
    #: Compute with `x.float()` and float32 angles, and round once, at the end: `.to(x.dtype)`.
    #! no_complex_bfloat16: wide = x
    #  There are no complex numbers of bfloat16: `torch.view_as_complex` wants float32.
    #! rounds_to_float16: wide = x.half().float()
    #! rounds_to_bfloat16: wide = x.bfloat16().float()
    #! detached: …; wide = wide.detach()
    numbers = wide.reshape(*x.shape[:-1], -1, 2)  # (..., T, d/2, 2)
    #! read_as_halves: numbers = torch.stack(wide.chunk(2, dim=-1), dim=-1)
    #! half_split: numbers = torch.stack(wide.chunk(2, dim=-1), dim=-1)
    #! swapped_on_the_way_in: numbers = wide.reshape(*x.shape[:-1], -1, 2).flip(-1).contiguous()
    #: `.reshape(*x.shape[:-1], -1, 2)`: the last dimension is one of size 2.
    #! two_in_front: numbers = wide.reshape(*x.shape[:-1], 2, -1)
    #! two_in_front: numbers = wide
    #  `torch.view_as_complex` wants a last dimension of size 2, the real and the imaginary part.
    pairs = torch.view_as_complex(numbers)
    #! reflection: pairs = torch.view_as_complex(numbers).conj()
    #: `torch.view_as_complex(…)` keeps both numbers of a pair.
    #! real_numbers_only: pairs = torch.view_as_complex(numbers).real
    #  Only the first numbers of the pairs are turned: the imaginary parts got lost.
    turns = torch.polar(torch.ones_like(angles), angles)
    #! clockwise: turns = torch.polar(torch.ones_like(angles), -angles)
    #! sin_cos_exchanged: turns = torch.complex(angles.sin(), angles.cos())
    #! small_angles: turns = torch.complex(torch.ones_like(angles), angles)
    #! angles_in_half: angles = angles.to(x.dtype).float() if x.dtype in HALF else angles; …
    #! angles_to_bfloat16: angles = angles.bfloat16().float(); …
    #! first_angle_for_all: angles = angles[:1]; …
    #! twice: angles = 2 * angles; …
    #! degrees: angles = angles * math.pi / 180; …
    #! along_heads: angles = angles[: x.shape[1], None] if x.ndim > 2 else angles; …
    #! along_heads: angles = angles[: x.shape[1], None] if x.ndim == 4 else angles; …
    #! angles_detached: angles = angles.detach(); …
    #: `torch.polar(torch.ones_like(angles), angles)`
    #! polar_arguments_exchanged: turns = torch.polar(angles, torch.ones_like(angles))
    #  `torch.polar(length, angle)`: the angles were given as lengths.
    #! real_exponent: turns = angles.exp()
    #  It multiplies by e^θ. The i in e^(iθ) is missing, so x grows instead of turning.
    #! length_zero: turns = torch.polar(torch.zeros_like(angles), angles)
    #  `torch.polar(length, angle)`: with the length 0 everything becomes 0.
    #! angle_as_length: turns = torch.polar(angles, angles)
    #  `torch.polar(length, angle)`: the angles were given as lengths as well.
    #! multiplies_angles: turns = angles
    #! imaginary_angle: turns = 1j * angles
    #  It multiplies by iθ. The e in e^(iθ) is missing.
    #! cosine_only: turns = angles.cos()
    #: `torch.ones_like(angles)` has the angles' device and dtype.
    #! ones_on_cpu: turns = torch.polar(torch.ones(angles.shape), angles)
    #  `torch.ones` makes float32 numbers on the CPU, whatever the angles are.
    turned = pairs * turns
    #! clockwise: turned = pairs / turns
    #! adds_sines: turned = pairs + turns
    #: No `.conj()`.
    #! conjugated_result: turned = (pairs * turns).conj().resolve_conj()
    #  The result is conjugated: every second number has the wrong sign.
    #: Multiply number by number: `pairs * turns`.
    #! matrix_product: turned = pairs @ turns.mT
    #  `@` is a matrix product. Each pair is multiplied by its own e^(iθ).
    real = torch.view_as_real(turned)
    #! swapped_components: real = torch.view_as_real(turned).flip(-1)
    #: `torch.view_as_real` gives both parts.
    #! real_part_twice: real = torch.stack((turned.real, turned.real), dim=-1)
    #  The real part stands in both places of each pair.
    #! imaginary_part_twice: real = torch.stack((turned.imag, turned.imag), dim=-1)
    #  The imaginary part stands in both places of each pair.
    #! magnitudes: real = torch.stack((turned.abs(), turned.abs()), dim=-1)
    #  It returns the pairs' lengths. Those are the same before and after.
    #! polar_parts: real = torch.stack((turned.abs(), turned.angle()), dim=-1)
    #  It returns length and angle of each pair. Its real and imaginary part are wanted.
    #! real_part_only: return turned.real.to(x.dtype)
    #  Only the real part comes back, (..., T, d/2).
    #: `torch.view_as_real(…).flatten(-2)`
    #! stays_complex: return turned
    #  It returns complex numbers. The result is real: (..., T, d).
    result = real.flatten(-2)
    #!+ half_split: result = torch.cat((turned.real, turned.imag), dim=-1)
    #! written_as_halves: result = torch.cat((turned.real, turned.imag), dim=-1)
    #! not_joined: result = real
    #: `.flatten(-2)` takes the last two, however many there are in front.
    #! four_axes_only: result = real.flatten(3)
    #  `flatten(3)` is right for four dimensions only.
    #! three_axes_only: result = real.flatten(2)
    #  `flatten(2)` is right for three dimensions only.
    #! two_axes_only: result = real.flatten(1)
    #  `flatten(1)` is right for two dimensions only.
    return result.to(x.dtype)
    #! promotes: return result
    #! float32: return result.float()
    #! float64: return result.double()


MISTAKES: list[Mistake] = [
    mistake
    for mistake in mistakes_of(rotation, with_partners, apply_rope_complex)
    if mistake.key not in OF_HALVES
    and mistake.key != "one_number_only"  # it is real_part_only here
]
