"""Lab 03, 3.2: rotate_2d, and what people write in place of its lines.

Sources are the public issues in which somebody really made the mistake.
"""

import math

import torch
from torch import Tensor

from checks.engine import Mistake, mistakes_of

HALVES = (torch.float16, torch.bfloat16)


def rotate_2d(v: Tensor, angle: Tensor) -> Tensor:
    wide = v.float() if v.dtype in HALVES else v
    #: Compute with `v.float()` and float32 angles, and round once, at the end: `.to(v.dtype)`.
    #! computes_in_half: wide, angle = v, angle.to(v.dtype)
    #  It computes in half precision: cos and sin, or the products, were rounded on the way.
    #! rounds_to_bfloat16: wide = v.bfloat16().float()
    #  v goes through bfloat16 whatever its dtype is: three digits are left.
    #! rounds_to_float16: wide = v.half().float()
    #  v goes through float16 whatever its dtype is: three digits are left.
    #: No `.detach()`, `.data`, `.item()` and no `torch.no_grad()` here.
    #! detached_vector: wide = v.detach().float() if v.dtype in HALVES else v.detach()
    #! detached_vector: …; wide, angle = wide.detach(), angle.detach()
    #  The gradient is cut off on the way.
    #: The minus belongs to the first line: x cos − y sin, then x sin + y cos.
    #! identity: return v.clone()
    #  It returns v as it came.
    x = wide[..., 0]
    #: x and y are in the last dimension: `v[..., 0]` and `v[..., 1]`, or `v.unbind(-1)`.
    #! first_axis: x = wide[0]
    #  x and y are taken from the first dimension: they are two vectors, not the two numbers of one.
    y = wide[..., 1]
    #!+ first_axis: y = wide[1]
    #: First x, then y: `x, y = v.unbind(-1)`.
    #! swapped_on_the_way_in: …; x, y = y, x
    #  x and y have changed places on the way in: v[..., 0] is x.
    #! x_for_y: y = wide[..., 0]
    #  y is x again: v[..., 0] stands in all four places. [blurymind/1dollar_gesture_recogniser#5]
    cos = angle.cos()
    #: Compute with `v.float()` and float32 angles, and round once, at the end: `.to(v.dtype)`.
    #! computes_in_half: cos = angle.cos().to(v.dtype)
    #: `angle.cos()` and `angle.sin()` take radians.
    #! degrees: angle = angle * math.pi / 180; …
    #  The angle is taken for degrees. It is in radians.
    #! to_degrees: angle = angle * 180 / math.pi; …
    #  The angle is turned into degrees. sin and cos take radians, and it is in radians already.
    #: Use `angle` as it is.
    #! half_angle: angle = angle / 2; …
    #  It turns by half the angle.
    #: Use `angle` as it is, once.
    #! double_angle: angle = 2 * angle; …
    #  It turns by twice the angle: is the rotation applied twice?
    #: The minus belongs to the first line: x cos − y sin, then x sin + y cos.
    #! clockwise: angle = -angle; …
    #  It turns the wrong way: clockwise. A positive angle turns anticlockwise. [rustgd/cgmath#109]
    #: `angle` has one number for each vector: no indexing, broadcasting does it.
    #! one_angle_for_all: angle = angle.flatten()[0]; …
    #  All vectors are turned by the first angle.
    #! item: angle = torch.tensor(angle.item(), device=v.device); …
    #! item: math.cos(angle); …
    #  `.item()`, `float()` and `math.cos` take a single number. There is an angle for each vector.
    #! angle_gets_an_axis: angle = angle[..., None]; …
    #  The angle gets an axis too many: x and y have lost their last one already.
    #: No `.detach()`, `.data`, `.item()` and no `torch.no_grad()` here.
    #! detached_angle: angle = angle.detach(); …
    #  The gradient with respect to the angle is cut off.
    #: `angle.sin()`, `angle.cos()`
    #! sine_twice: cos = angle.sin()
    #  Where the cosine belongs stands the sine as well.
    sin = angle.sin()
    #! computes_in_half: sin = angle.sin().to(v.dtype)
    #: The minus belongs to the first line: x cos − y sin, then x sin + y cos.
    #! clockwise: sin = -angle.sin()
    #: cos 0 = 1 and sin 0 = 0.
    #! sin_cos_exchanged: cos, sin = angle.sin(), angle.cos()
    #  sin and cos have changed places: an angle of 0 should leave v as it is.
    #! cosine_twice: sin = angle.cos()
    #  Where the sine belongs stands the cosine as well.
    #: `angle.sin()`, `angle.cos()`
    #! small_angle: cos, sin = torch.ones_like(angle), angle
    #  It uses the angle where sin belongs: right for tiny angles only, and v grows.
    #! angles_themselves: cos = sin = angle
    #  It multiplies by the angle itself. Its cosine and sine are wanted.
    #: Multiply by the length of v, or leave the division out.
    #! unit_length: …; x, y = x / torch.hypot(x, y), y / torch.hypot(x, y)
    #  The result has length 1 whatever v's length was. A rotation keeps the length.
    #: `torch.hypot(x, y)`
    #! squared_length: …; x, y = x * torch.hypot(x, y), y * torch.hypot(x, y)
    #  The length is squared: the root in sqrt(x² + y²) is missing.
    #: `torch.atan2(y, x)` knows all four quadrants.
    #! wrong_quadrant: …; x, y = x * torch.sign(x), y * torch.sign(x)
    #  atan(y / x) does not know whether x is negative: the left half of the plane is turned over.
    first = x * cos - y * sin
    #: The minus belongs to the first line: x cos − y sin, then x sin + y cos.
    #! missing_minus: first = x * cos + y * sin
    #  Both lines add: the minus of x cos − y sin is missing.
    #! mirrored: first = y * sin - x * cos
    #  The first line has the wrong sign: y sin − x cos.
    #! sin_cos_exchanged_in_the_first_line: first = x * sin - y * cos
    #  In the first line sin and cos have changed places: x cos − y sin.
    #! divides_in_the_first_line: first = x / cos - y * sin
    #! divides_in_the_first_line: first = x * cos - y / sin
    #  In the first line it divides where it multiplies: x cos − y sin.
    #! adds_in_the_first_line: first = x + cos - y * sin
    #! adds_in_the_first_line: first = x * cos - (y + sin)
    #  In the first line it adds where it multiplies: x cos − y sin.
    #! x_for_y_in_the_first_line: first = x * cos - x * sin
    #  The first line uses x twice: y is missing in it.
    #! y_for_x_in_the_first_line: first = y * cos - y * sin
    #  The first line uses y twice: x is missing in it.
    #! x_and_y_exchanged_in_the_first_line: first = y * cos - x * sin
    #  In the first line x and y have changed places: x cos − y sin.
    #! cosine_twice_in_the_first_line: first = x * cos - y * cos
    #  The first line has the cosine twice: x cos − y sin.
    #! sine_twice_in_the_first_line: first = x * sin - y * sin
    #  The first line has the sine twice: x cos − y sin.
    second = x * sin + y * cos
    #: The minus belongs to the first line: x cos − y sin, then x sin + y cos.
    #! clockwise: first, second = x * cos + y * sin, y * cos - x * sin
    #! reflection: first, second = x * cos + y * sin, x * sin - y * cos
    #  This is a mirror image, not a rotation: the minus stands in the second line.
    #! minus_twice: second = x * sin - y * cos
    #  Both lines have a minus. The second one adds: x sin + y cos.
    #! minus_twice_exchanged: second = y * cos - x * sin
    #  Both lines have a minus: y cos − x sin. The second one adds: x sin + y cos.
    #! sin_cos_exchanged_in_the_second_line: second = x * cos + y * sin
    #  In the second line sin and cos have changed places: x sin + y cos.
    #! divides_in_the_second_line: second = x / sin + y * cos
    #! divides_in_the_second_line: second = x * sin + y / cos
    #  In the second line it divides where it multiplies: x sin + y cos.
    #! adds_in_the_second_line: second = x + sin + y * cos
    #! adds_in_the_second_line: second = x * sin + y + cos
    #  In the second line it adds where it multiplies: x sin + y cos.
    #! x_for_y_in_the_second_line: second = x * sin + x * cos
    #  The second line uses x twice: y is missing in it.
    #! y_for_x_in_the_second_line: second = y * sin + y * cos
    #  The second line uses y twice: x is missing in it.
    #! cosine_twice_in_the_second_line: second = x * cos + y * cos
    #  The second line has the cosine twice: x sin + y cos.
    #! sine_twice_in_the_second_line: second = x * sin + y * sin
    #  The second line has the sine twice: x sin + y cos.
    #! no_partner: first, second = x * cos - x * sin, y * cos + y * sin
    #! no_partner: first, second = x * cos + x * sin, y * cos - y * sin
    #  Each number is combined with itself: x does not meet y.
    #! scales: first, second = x * cos, y * sin
    #  x is multiplied by cos and y by sin. That squeezes v; each new component needs both.
    #! cosine_only: first, second = x * cos, y * cos
    #  v is multiplied by cos and the sine part is missing: v shrinks.
    #! adds_circle: first, second = x + cos, y + sin
    #  (cos, sin) is added to v. That shifts v instead of turning it.
    #: Think of v as length and direction: only the direction changes.
    #! adds_angle: first, second = x + angle, y + angle
    #  The angle is added to both components. That shifts v instead of turning it.
    #: Keep the old x: compute both new numbers first, then put them together.
    #! overwritten: second = first * sin + y * cos
    #  The second line uses the first line's result: x was overwritten before y was computed. [DaVikingCode/Citrus-Engine#108]
    #! y_overwritten: …; first = x * cos - second * sin
    #  The first line uses the second line's result: y was overwritten before x was computed.
    #: The length is the root of x² + y², and is multiplied with cos and with sin.
    #! length_on_the_cosine_only: …; second = second / torch.hypot(x, y)
    #  The length is multiplied with the cosine only, not with the sine.
    turned = torch.stack((first, second), dim=-1)
    #: First x cos − y sin, then x sin + y cos.
    #! swapped_components: turned = torch.stack((second, first), dim=-1)
    #  The two new components have changed places.
    #: `torch.stack((…, …), dim=-1)`
    #! stacked_in_front: turned = torch.stack((first, second))
    #  The two components are stacked along the first dimension.
    #! stacked_before_the_last: turned = torch.stack((first, second), dim=-2)
    #  The two components are stacked before the last dimension. They are the last one.
    #! stacked_second: turned = torch.stack((first, second), dim=1)
    #  The two components are stacked along dim=1. With one vector or many dimensions that is not the last.
    #! concatenated: turned = torch.cat((first, second), dim=-1)
    #  `torch.cat` makes no new dimension: all x come first and all y behind them.
    #! one_component: turned = first
    #  Only the new x comes back. The result has both components: (..., 2).
    #: Make a new tensor with `torch.stack`.
    #! in_place: …; v.copy_(turned); return v
    #! in_place: …; v.data.copy_(turned); return v
    #! in_place: …; v.copy_(turned.detach()); return v
    #! in_place: …; v[..., 0], v[..., 1] = first, second; return v
    #  It writes the result into its input, and the caller may still need that.
    return turned.to(v.dtype)
    #: Computing in float32 is right. Go back at the end: `.to(v.dtype)`.
    #! promotes: return turned
    #! promotes: return turned.float()
    #  The input is half precision, and the result is float32.
    #: `.to(v.dtype)`
    #! float64: return turned.double()
    #  The result is float64 whatever v is.
    #! no_return: turned.to(v.dtype)
    #  The result is computed and then forgotten: there is no `return`.


MISTAKES: list[Mistake] = mistakes_of(rotate_2d)
