"""Lab 03, exercises 3.1 to 3.4: what people write for tables, plane rotations and angles.

The rotation of whole vectors, 3.5 to 3.8, is in `rope_rotation.py`. Sources are the public issues
in which somebody really made the mistake.
"""

import math
from collections.abc import Callable

import torch
from torch import Tensor

from checks.engine import Mistake, in_float32
from checks.reference import rope as right


def powers(dim: int, base: float, shift: float = 0.0, step: float = 2.0) -> Tensor:
    """base^(-(step · i + shift) / dim) for the pairs i: (dim/2,) float32."""
    i = torch.arange(dim // 2, dtype=torch.float64)
    return (float(base) ** (-(step * i + shift) / dim)).float()


def linear_to(dim: int, base: float) -> Tensor:
    """Powers of the base that reach 1/base exactly at the last pair: (dim/2,) float32."""
    i = torch.arange(dim // 2, dtype=torch.float64)
    return (float(base) ** (-i / max(dim // 2 - 1, 1))).float()


# 3.1 sinusoidal_positions ---------------------------------------------------------------------


def waves(positions: Tensor, frequencies: Tensor) -> Tensor:
    """Sine in the even, cosine in the odd columns. (T,), (D/2,) → (T, D) float32."""
    angle = positions.double()[:, None] * frequencies.double()
    return torch.stack((angle.sin(), angle.cos()), dim=-1).flatten(1).float()


def table(frequencies: Callable[[int, float], Tensor], first: int = 0) -> Callable[..., Tensor]:
    """Make a table from other frequencies, or with another first position."""

    def wrong(seq_len: int, dim: int, base: float = 10_000.0) -> Tensor:
        return waves(torch.arange(first, first + seq_len), frequencies(dim, base))

    return wrong


def changed(change: Callable[[Tensor], Tensor]) -> Callable[..., Tensor]:
    """Make the right table, and spoil it."""

    def wrong(seq_len: int, dim: int, base: float = 10_000.0) -> Tensor:
        return change(right.sinusoidal_positions(seq_len, dim, base))

    return wrong


def _each_column_its_own(seq_len: int, dim: int, base: float = 10_000.0) -> Tensor:
    columns = torch.arange(dim)
    angle = torch.arange(seq_len)[:, None] * float(base) ** (-columns.double() / dim)
    return torch.where(columns % 2 == 0, angle.sin(), angle.cos()).float()


def _table_in_half(seq_len: int, dim: int, base: float = 10_000.0) -> Tensor:
    positions = torch.arange(seq_len, dtype=torch.bfloat16)[:, None]
    angle = (positions * powers(dim, base).bfloat16()).float()
    return torch.stack((angle.sin(), angle.cos()), dim=-1).flatten(1)


def _table_of_angles(seq_len: int, dim: int, base: float = 10_000.0) -> Tensor:
    angle = torch.arange(seq_len)[:, None] * powers(dim, base)
    return angle.repeat_interleave(2, dim=1)


def remembered(function: Callable[..., Tensor]) -> Callable[..., Tensor]:
    """Make a cache that forgets the base: what was computed first is returned for good."""
    kept: dict[tuple, Tensor] = {}

    def wrong(*args: float) -> Tensor:
        sizes = args[:-1] if isinstance(args[-1], float) else args
        if sizes not in kept or len(kept) > 64:
            kept.clear()
            kept[sizes] = function(*args)
        return kept[sizes].clone()

    return wrong


SIGN = "The exponent's sign is wrong: the later pairs turn faster and faster instead of slower."
SIGN_HINT = "`base ** (-2 * i / d)`: pair 0 has frequency 1, all others less."
EXPONENT = "i counts the pairs, 0 to d/2 - 1, and the exponent is -2i/d."
IGNORES_BASE = "The base is written in as 10000; the argument `base` is not used."
LLAMA_BASE = "Llama 3 calls it with 500000: use the name `base`."

SINUSOIDAL = [
    Mistake(
        "halves",
        changed(lambda t: torch.cat((t[:, 0::2], t[:, 1::2]), dim=1)),
        "All sines stand in the left half and all cosines in the right half.",
        "They alternate: `table[:, 0::2]` are the sines, `table[:, 1::2]` the cosines.",
        "tensorflow/tensor2tensor, layers/common_attention.py",
    ),
    Mistake(
        "sin_cos_exchanged",
        changed(lambda t: torch.stack((t[:, 1::2], t[:, 0::2]), dim=-1).flatten(1)),
        "Sine and cosine have changed places: the cosines stand in the even columns.",
        "Sine in columns 0, 2, 4, …; cosine in columns 1, 3, 5, …",
    ),
    Mistake(
        "no_cosine",
        changed(lambda t: t[:, 0::2].repeat_interleave(2, dim=1)),
        "Both columns of a pair hold the sine.",
        "The odd columns take the cosine of the same angle.",
    ),
    Mistake(
        "odd_columns_empty",
        changed(lambda t: t * torch.tensor([1.0, 0.0]).repeat(t.shape[1] // 2)),
        "The odd columns are zero: the cosines were never written, or not there.",
        "`table[:, 1::2] = angle.cos()`",
    ),
    Mistake(
        "sign",
        table(lambda d, base: 1 / powers(d, base)),
        SIGN,
        SIGN_HINT,
        "labmlai/annotated_deep_learning_paper_implementations#313",
    ),
    Mistake(
        "half_exponent",
        table(lambda d, base: powers(d, base, step=1)),
        "The exponent is -i/d where -2i/d is wanted: the frequencies stop at 1/sqrt(base).",
        EXPONENT,
    ),
    Mistake(
        "double_exponent",
        table(lambda d, base: powers(d, base, step=4)),
        "The exponent is -4i/d: the 2 counts twice, or it is divided by d/2.",
        "`torch.arange(0, d, 2)` is 2i already. Divide by d.",
    ),
    Mistake(
        "one_based_pairs",
        table(lambda d, base: powers(d, base, shift=2)),
        "The pairs are counted from 1. The first pair's frequency has to be exactly 1.",
        EXPONENT,
        "stanford-cs336/assignment1-basics#4",
    ),
    Mistake(
        "one_based_positions",
        table(powers, first=1),
        "The positions are counted from 1. Row 0 should be sin 0 = 0 and cos 0 = 1.",
        "`torch.arange(seq_len)`",
    ),
    Mistake(
        "each_column_its_own",
        _each_column_its_own,
        "Each column has a frequency of its own. Sine and cosine of a pair share one.",
        "Columns 2i and 2i + 1 both use base^(-2i/D).",
    ),
    Mistake(
        "last_is_one_over_base",
        table(linear_to),
        "The frequencies run down to 1/base exactly: they are divided by D/2 - 1.",
        "tensor2tensor's code does that; the formula of the paper says -2i/D.",
        "tensorflow/tensor2tensor, layers/common_attention.py",
    ),
    Mistake(
        "ignores_base",
        table(lambda d, base: powers(d, 10_000.0)),
        IGNORES_BASE,
        "Use the name `base`.",
    ),
    Mistake(
        "natural_exponent",
        table(lambda d, base: powers(d, math.e)),
        "The powers are those of e, as if the base were 2.718.",
        "`exp(-2i/d · log(base))` is the same as `base ** (-2i/d)`: is the logarithm there?",
    ),
    Mistake(
        "multiplied_not_powered",
        table(lambda d, base: 1 / (1 + float(base) * torch.arange(0, d, 2) / d)),
        "The base is multiplied by 2i/d. It is raised to that power.",
        "`base ** (…)`",
    ),
    Mistake(
        "degrees",
        table(lambda d, base: powers(d, base) * math.pi / 180),
        "The angles are taken for degrees. sin and cos count in radians.",
        "No conversion is needed.",
    ),
    Mistake(
        "reversed_positions",
        changed(lambda t: t.flip(0)),
        "The positions run backwards.",
        "Row 0 belongs to position 0.",
    ),
    Mistake(
        "reversed_pairs",
        table(lambda d, base: powers(d, base).flip(0)),
        "The pairs run backwards: the slowest stands first.",
        "Pair 0 has frequency 1.",
    ),
    Mistake(
        "angles_only",
        _table_of_angles,
        "It returns the angles; their sine and cosine are missing.",
        "`angle.sin()` into the even columns, `angle.cos()` into the odd ones.",
    ),
    Mistake(
        "in_half",
        _table_in_half,
        "The angles were computed in bfloat16, where positions 256 and 257 are the same number.",
        "Compute in float32.",
        "huggingface/transformers#29285",
    ),
    Mistake(
        "table_transposed",
        changed(lambda t: t.T),
        "Rows and columns are exchanged: each row should be one position.",
        "`positions[:, None] * frequencies` has one row a position.",
    ),
    Mistake(
        "swapped_arguments",
        lambda seq_len, dim, base=10_000.0: right.sinusoidal_positions(dim, seq_len, base),
        "seq_len and dim have changed places.",
        "The table has seq_len rows and dim columns.",
    ),
    Mistake(
        "batch_dimension",
        changed(lambda t: t[None]),
        "It returns (1, T, D). Broadcasting adds the batch dimension when it is needed.",
        "Return (T, D).",
    ),
    Mistake(
        "one_row_short",
        changed(lambda t: t[:-1]),
        "The last position is missing.",
        "`torch.arange(seq_len)` has seq_len numbers already.",
    ),
    Mistake(
        "float64",
        changed(lambda t: t.double()),
        "The table is float64, and adding it would make the whole model float64.",
        "`.float()` at the end, or `torch.arange(…, dtype=torch.float32)` at the beginning.",
    ),
    Mistake(
        "remembers",
        remembered(right.sinusoidal_positions),
        "It returns an earlier call's table although the base is another one.",
        "A cache has to know all arguments, or there is none.",
    ),
    Mistake(
        "zeros",
        changed(torch.zeros_like),
        "The table is all zeros.",
        "Fill it, or return what you filled.",
    ),
]

# 3.2 rotate_2d --------------------------------------------------------------------------------


def plane(formula: Callable[..., tuple[Tensor, Tensor]]) -> Callable[[Tensor, Tensor], Tensor]:
    """Make rotate_2d from a formula for x, y, cos, sin; the angle comes last."""

    def wrong(v: Tensor, angle: Tensor) -> Tensor:
        (x, y), angle = v.unbind(-1), angle.float() if angle.dtype != torch.float64 else angle
        return torch.stack(formula(x, y, angle.cos(), angle.sin(), angle), dim=-1)

    return in_float32(wrong)


def _plane_in_half(v: Tensor, angle: Tensor) -> Tensor:
    (x, y), cos, sin = v.unbind(-1), angle.to(v.dtype).cos(), angle.to(v.dtype).sin()
    return torch.stack((x * cos - y * sin, x * sin + y * cos), dim=-1)


def _plane_in_place(v: Tensor, angle: Tensor) -> Tensor:
    v.copy_(right.rotate_2d(v.detach(), angle.detach()))
    return v


CLOCKWISE = "It turns the wrong way: clockwise. A positive angle turns anticlockwise."
CLOCKWISE_HINT = "The minus belongs to the first line: x cos − y sin, then x sin + y cos."
OVERWRITTEN = (
    "The second line uses the first line's result: x was overwritten before y was computed."
)
OVERWRITTEN_HINT = "Keep the old x: compute both new numbers first, then put them together."
MISSING_MINUS = "Both lines add: the minus of x cos − y sin is missing."
IN_HALF = "It computes in half precision: cos and sin, or the products, were rounded on the way."
UPCAST = "Compute with `x.float()` and float32 angles, and round once, at the end: `.to(x.dtype)`."
DETACHED = "The gradient is cut off on the way."
NO_DETACH = "No `.detach()`, `.data`, `.item()` and no `torch.no_grad()` here."
IN_PLACE = "It writes the result into its input, and the caller may still need that."
PROMOTES = "The input is half precision, and the result is float32."
PROMOTES_HINT = "Computing in float32 is right. Go back at the end: `.to(x.dtype)`."

PLANE = [
    Mistake(
        "clockwise",
        plane(lambda x, y, c, s, a: (x * c + y * s, y * c - x * s)),
        CLOCKWISE,
        CLOCKWISE_HINT,
    ),
    Mistake("identity", lambda v, angle: v.clone(), "It returns v as it came.", CLOCKWISE_HINT),
    Mistake(
        "degrees",
        plane(lambda x, y, c, s, a: plane_turn(x, y, a * math.pi / 180)),
        "The angle is taken for degrees. It is in radians.",
        "`angle.cos()` and `angle.sin()` take radians.",
    ),
    Mistake(
        "missing_minus",
        plane(lambda x, y, c, s, a: (x * c + y * s, x * s + y * c)),
        MISSING_MINUS,
        CLOCKWISE_HINT,
    ),
    Mistake(
        "minus_twice",
        plane(lambda x, y, c, s, a: (x * c - y * s, x * s - y * c)),
        "Both lines have a minus. The second one adds: x sin + y cos.",
        CLOCKWISE_HINT,
    ),
    Mistake(
        "reflection",
        plane(lambda x, y, c, s, a: (x * c + y * s, x * s - y * c)),
        "This is a mirror image, not a rotation: the minus stands in the second line.",
        CLOCKWISE_HINT,
    ),
    Mistake(
        "overwritten",
        plane(lambda x, y, c, s, a: (x * c - y * s, (x * c - y * s) * s + y * c)),
        OVERWRITTEN,
        OVERWRITTEN_HINT,
    ),
    Mistake(
        "swapped_components",
        plane(lambda x, y, c, s, a: (x * s + y * c, x * c - y * s)),
        "The two new components have changed places.",
        "First x cos − y sin, then x sin + y cos.",
    ),
    Mistake(
        "sin_cos_exchanged",
        plane(lambda x, y, c, s, a: (x * s - y * c, x * c + y * s)),
        "sin and cos have changed places: an angle of 0 should leave v as it is.",
        "cos 0 = 1 and sin 0 = 0.",
    ),
    Mistake(
        "scales",
        plane(lambda x, y, c, s, a: (x * c, y * s)),
        "x is multiplied by cos and y by sin. That squeezes v; each new component needs both.",
        CLOCKWISE_HINT,
    ),
    Mistake(
        "adds_angle",
        plane(lambda x, y, c, s, a: (x + a, y + a)),
        "The angle is added to both components. That shifts v instead of turning it.",
        "Think of v as length and direction: only the direction changes.",
    ),
    Mistake(
        "adds_circle",
        plane(lambda x, y, c, s, a: (x + c, y + s)),
        "(cos, sin) is added to v. That shifts v instead of turning it.",
        CLOCKWISE_HINT,
    ),
    Mistake(
        "small_angle",
        plane(lambda x, y, c, s, a: (x - y * a, y + x * a)),
        "It uses the angle where sin belongs: right for tiny angles only, and v grows.",
        "`angle.sin()`, `angle.cos()`",
    ),
    Mistake(
        "wrong_quadrant",
        plane(lambda x, y, c, s, a: plane_polar(x, y, torch.atan(y / x) + a)),
        "atan(y / x) does not know whether x is negative: the left half of the plane is turned "
        "over.",
        "`torch.atan2(y, x)` knows all four quadrants.",
    ),
    Mistake(
        "unit_length",
        plane(
            lambda x, y, c, s, a: (
                (x * c - y * s) / torch.hypot(x, y),
                (x * s + y * c) / torch.hypot(x, y),
            )
        ),
        "The result has length 1 whatever v's length was. A rotation keeps the length.",
        "Multiply by the length of v, or leave the division out.",
    ),
    Mistake(
        "squared_length",
        plane(lambda x, y, c, s, a: plane_polar(x, y, torch.atan2(y, x) + a, power=2)),
        "The length is squared: the root in sqrt(x² + y²) is missing.",
        "`torch.hypot(x, y)`",
    ),
    Mistake(
        "half_angle",
        plane(lambda x, y, c, s, a: plane_turn(x, y, a / 2)),
        "It turns by half the angle.",
        "Use `angle` as it is.",
    ),
    Mistake(
        "double_angle",
        plane(lambda x, y, c, s, a: plane_turn(x, y, 2 * a)),
        "It turns by twice the angle: is the rotation applied twice?",
        "Use `angle` as it is, once.",
    ),
    Mistake(
        "one_angle_for_all",
        plane(lambda x, y, c, s, a: plane_turn(x, y, a.flatten()[0])),
        "All vectors are turned by the first angle.",
        "`angle` has one number for each vector: no indexing, broadcasting does it.",
    ),
    Mistake(
        "stacked_in_front",
        lambda v, angle: right.rotate_2d(v, angle).movedim(-1, 0),
        "The two components are stacked along the first dimension.",
        "`torch.stack((…, …), dim=-1)`",
    ),
    Mistake("computes_in_half", _plane_in_half, IN_HALF, UPCAST.replace("x.", "v.")),
    Mistake(
        "promotes",
        lambda v, angle: right.rotate_2d(v.float() if v.dtype != torch.float64 else v, angle),
        PROMOTES,
        PROMOTES_HINT.replace("x.", "v."),
    ),
    Mistake(
        "float64",
        lambda v, angle: right.rotate_2d(v.double(), angle),
        "The result is float64 whatever v is.",
        "`.to(v.dtype)`",
    ),
    Mistake(
        "detached_vector",
        lambda v, angle: right.rotate_2d(v.detach(), angle),
        DETACHED,
        NO_DETACH,
    ),
    Mistake(
        "detached_angle",
        lambda v, angle: right.rotate_2d(v, angle.detach()),
        "The gradient with respect to the angle is cut off.",
        NO_DETACH,
    ),
    Mistake("in_place", _plane_in_place, IN_PLACE, "Make a new tensor with `torch.stack`."),
]


def plane_turn(x: Tensor, y: Tensor, angle: Tensor) -> tuple[Tensor, Tensor]:
    """Turn (x, y) by an angle, as it should be."""
    return x * angle.cos() - y * angle.sin(), x * angle.sin() + y * angle.cos()


def plane_polar(x: Tensor, y: Tensor, direction: Tensor, power: int = 1) -> tuple[Tensor, Tensor]:
    """Point a vector of the length of (x, y) in a direction."""
    length = torch.hypot(x, y) ** power
    return length * direction.cos(), length * direction.sin()


# 3.3 rope_frequencies -------------------------------------------------------------------------


def spectrum(formula: Callable[[int, float], Tensor]) -> Callable[..., Tensor]:
    """Make rope_frequencies from a formula for head_dim and base."""
    return lambda head_dim, base=10_000.0: formula(head_dim, base)


FREQUENCIES = [
    Mistake(
        "sign",
        spectrum(lambda d, base: 1 / powers(d, base)),
        SIGN,
        SIGN_HINT,
        "labmlai/annotated_deep_learning_paper_implementations#313",
    ),
    Mistake(
        "half_exponent",
        spectrum(lambda d, base: powers(d, base, step=1)),
        "The exponent is -i/d where -2i/d is wanted: the slowest pair is far too fast.",
        EXPONENT,
    ),
    Mistake(
        "double_exponent",
        spectrum(lambda d, base: powers(d, base, step=4)),
        "The exponent is -4i/d: the 2 counts twice, or it is divided by d/2.",
        "`torch.arange(0, d, 2)` is 2i already. Divide by d.",
    ),
    Mistake(
        "one_based_pairs",
        spectrum(lambda d, base: powers(d, base, shift=2)),
        "The pairs are counted from 1. The first frequency has to be exactly 1.",
        EXPONENT,
        "stanford-cs336/assignment1-basics#4",
    ),
    Mistake(
        "odd_exponents",
        spectrum(lambda d, base: powers(d, base, shift=1)),
        "The exponents are -(2i + 1)/d. The first frequency has to be exactly 1.",
        "`torch.arange(0, d, 2)` starts at 0.",
    ),
    Mistake(
        "last_is_one_over_base",
        spectrum(linear_to),
        "The frequencies run down to 1/base exactly: the exponent is divided by d/2 - 1.",
        "The last exponent is -(d - 2)/d, not -1.",
    ),
    Mistake(
        "ignores_base",
        spectrum(lambda d, base: powers(d, 10_000.0)),
        IGNORES_BASE,
        LLAMA_BASE,
    ),
    Mistake(
        "llama_base_only",
        spectrum(lambda d, base: powers(d, 500_000.0)),
        "The base is written in as 500000; the argument `base` is not used.",
        "Use the name `base`.",
    ),
    Mistake(
        "natural_exponent",
        spectrum(lambda d, base: powers(d, math.e)),
        "The powers are those of e, as if the base were 2.718.",
        "`exp(-2i/d · log(base))` is the same as `base ** (-2i/d)`: is the logarithm there?",
    ),
    Mistake(
        "log10",
        spectrum(lambda d, base: powers(d, 10 ** (math.log10(base) / math.log(10)))),
        "exp and log10 do not belong together.",
        "`math.log(base)` with `exp`, or `base ** (…)`.",
    ),
    Mistake(
        "integer_division",
        spectrum(lambda d, base: torch.ones(d // 2)),
        "All frequencies are 1: was 2i/d divided as whole numbers, with `//`?",
        "`/`, not `//`.",
    ),
    Mistake(
        "linear",
        spectrum(lambda d, base: 1 - torch.arange(0, d, 2) / d),
        "The frequencies fall in equal steps. They fall by equal factors.",
        "`base ** (…)`",
    ),
    Mistake(
        "one_over_multiple",
        spectrum(lambda d, base: 1 / (1 + float(base) * torch.arange(0, d, 2) / d)),
        "The base is multiplied by 2i/d. It is raised to that power.",
        "`base ** (…)`",
    ),
    Mistake(
        "wavelengths",
        spectrum(lambda d, base: 2 * math.pi / powers(d, base)),
        "These are the wavelengths 2π/θ, how many positions a full turn takes.",
        "The frequency is the angle of one step, in radians.",
    ),
    Mistake(
        "turns",
        spectrum(lambda d, base: powers(d, base) / (2 * math.pi)),
        "These are turns per position. The angle of one step, in radians, is wanted.",
        "Leave the 2π out: the first frequency is 1 radian.",
    ),
    Mistake(
        "reversed",
        spectrum(lambda d, base: powers(d, base).flip(0)),
        "The frequencies are in the wrong order: the fastest, 1, comes first.",
        EXPONENT,
    ),
    Mistake(
        "one_per_dimension",
        spectrum(lambda d, base: (float(base) ** (-torch.arange(d).double() / d)).float()),
        "There are d frequencies. A pair of dimensions shares one: d/2.",
        "`torch.arange(0, d, 2)`",
    ),
    Mistake(
        "repeated_in_pairs",
        spectrum(lambda d, base: powers(d, base).repeat_interleave(2)),
        "Each frequency is there twice. One for each pair is enough.",
        "Return (d/2,).",
    ),
    Mistake(
        "repeated_halves",
        spectrum(lambda d, base: powers(d, base).repeat(2)),
        "All frequencies are there twice, one half after the other.",
        "Return (d/2,): Hugging Face's `cat((freqs, freqs))` comes later, in its layout.",
    ),
    Mistake(
        "one_too_few",
        spectrum(lambda d, base: powers(d, base)[:-1]),
        "The last frequency is missing.",
        "d/2 numbers: i from 0 to d/2 - 1.",
    ),
    Mistake(
        "as_a_row",
        spectrum(lambda d, base: powers(d, base)[None]),
        "The shape is (1, d/2).",
        "Return (d/2,): broadcasting adds dimensions in front by itself.",
    ),
    Mistake(
        "in_half",
        spectrum(lambda d, base: powers(d, base).bfloat16().float()),
        "The frequencies went through bfloat16, which has three digits.",
        "Compute in float32; position 8192 multiplies every error by 8192.",
        "EleutherAI/gpt-neox#1016",
    ),
    Mistake(
        "returns_half",
        spectrum(lambda d, base: powers(d, base).bfloat16()),
        "The frequencies are bfloat16, which has three digits.",
        "Return float32.",
        "EleutherAI/gpt-neox#1016",
    ),
    Mistake(
        "float64",
        spectrum(lambda d, base: powers(d, base).double()),
        "The frequencies are float64.",
        "`.float()`",
    ),
    Mistake(
        "swapped_arguments",
        lambda head_dim, base=10_000.0: (
            float(head_dim) ** (-2 * torch.arange(int(base) // 2) / base)
        ),
        "head_dim and base have changed places.",
        "The base is raised to the power -2i/head_dim.",
    ),
    Mistake(
        "remembers",
        remembered(right.rope_frequencies),
        "It returns an earlier call's frequencies although the base is another one.",
        "A cache has to know all arguments, or there is none.",
    ),
    Mistake(
        "scaled_like_3_1",
        spectrum(lambda d, base: torch.where(powers(d, base) < 0.01, 1 / 8, 1) * powers(d, base)),
        "The slow frequencies are divided by 8. Llama 3.1 does that; it has its place in lab 13.",
        "Here: `base ** (-2 * i / d)` and nothing else.",
    ),
]

# 3.4 rope_angles ------------------------------------------------------------------------------


def outer(
    positions: Callable[[Tensor], Tensor] = lambda p: p,
    frequencies: Callable[[Tensor], Tensor] = lambda f: f,
) -> Callable[[Tensor, Tensor], Tensor]:
    """Make the product of positions and frequencies, one of them changed before."""

    def wrong(p: Tensor, f: Tensor) -> Tensor:
        return (positions(p)[:, None].to(f.dtype) * frequencies(f)).to(f.dtype)

    return wrong


ANGLES = [
    Mistake(
        "positions_from_zero",
        outer(lambda p: torch.arange(len(p), device=p.device)),
        "It counts positions from 0 whatever `positions` says. A token that is generated later "
        "stands at position 100, and comes alone.",
        "Use the numbers in `positions`, not their count.",
        "RobertCsordas/moeut#6",
    ),
    Mistake(
        "relative_to_the_first",
        outer(lambda p: p - p[:1]),
        "The first position is subtracted, so that every sequence starts at 0.",
        "Use `positions` as they are.",
    ),
    Mistake(
        "one_based",
        outer(lambda p: p + 1),
        "Every position is one too many. Position 0 has angle 0.",
        "Use `positions` as they are.",
    ),
    Mistake(
        "reversed_positions",
        outer(lambda p: p.flip(0)),
        "The positions run backwards.",
        "Row t belongs to positions[t].",
    ),
    Mistake(
        "sorted_positions",
        outer(lambda p: p.sort().values),
        "The positions were sorted. Row t belongs to positions[t], in whatever order they come.",
        "Leave the order as it is.",
    ),
    Mistake(
        "reversed_frequencies",
        outer(frequencies=lambda f: f.flip(0)),
        "The frequencies run backwards.",
        "Column i belongs to frequencies[i].",
    ),
    Mistake(
        "first_frequency_only",
        outer(frequencies=lambda f: f[:1].expand(len(f))),
        "Every pair gets the first frequency: all hands of the clock would turn alike.",
        "Column i belongs to frequencies[i].",
    ),
    Mistake(
        "adds",
        lambda p, f: p[:, None] + f,
        "Positions and frequencies are added. They are multiplied.",
        "θ radians a step, m steps: m·θ.",
    ),
    Mistake(
        "divides",
        outer(frequencies=lambda f: 1 / f),
        "The positions are divided by the frequencies.",
        "θ radians a step, m steps: m·θ.",
    ),
    Mistake(
        "negative",
        outer(lambda p: -p),
        "The angles are negative.",
        "m·θ, without a sign: the direction of the turn is settled in rotate_2d.",
    ),
    Mistake(
        "angles_transposed",
        lambda p, f: f[:, None] * p,
        "Rows and columns are exchanged: there is a row for each frequency.",
        "`positions[:, None] * frequencies` has a row for each position.",
    ),
    Mistake(
        "repeated_halves",
        lambda p, f: torch.cat((p[:, None] * f, p[:, None] * f), dim=-1),
        "Every angle is there twice, one half after the other: (T, d).",
        "Return (T, d/2); Hugging Face's layout comes in exercise 3.8.",
    ),
    Mistake(
        "repeated_in_pairs",
        lambda p, f: (p[:, None] * f).repeat_interleave(2, dim=-1),
        "Every angle is there twice, side by side: (T, d).",
        "Return (T, d/2): one angle for each pair.",
    ),
    Mistake(
        "batch_dimension",
        lambda p, f: (p[:, None] * f)[None],
        "There is a dimension too many in front.",
        "Return (T, d/2).",
    ),
    Mistake(
        "in_bfloat16",
        outer(lambda p: p.bfloat16(), lambda f: f.bfloat16()),
        "The angles were computed in bfloat16, where positions 256 and 257 are the same number.",
        "Compute in float32.",
        "huggingface/transformers#29285",
    ),
    Mistake(
        "positions_in_bfloat16",
        outer(lambda p: p.bfloat16().float()),
        "The positions went through bfloat16, where 256 and 257 are the same number.",
        "Compute in float32.",
        "EleutherAI/gpt-neox#1016",
    ),
    Mistake(
        "in_float16",
        outer(lambda p: p.half(), lambda f: f.half()),
        "The angles were computed in float16: position 2049 does not exist there.",
        "Compute in float32.",
        "vllm-project/vllm#863",
    ),
    Mistake(
        "positions_in_float16",
        outer(lambda p: p.half().float()),
        "The positions went through float16: 2049 does not exist there, and 65520 is infinite.",
        "Compute in float32.",
    ),
    Mistake(
        "returns_half",
        lambda p, f: (p[:, None] * f).bfloat16(),
        "The angles are returned in bfloat16, which has three digits.",
        "Return float32.",
        "huggingface/transformers#25681",
    ),
    Mistake(
        "float64",
        lambda p, f: p[:, None].double() * f,
        "The angles are float64.",
        "`.float()`",
    ),
    Mistake(
        "whole_numbers",
        lambda p, f: (p[:, None].to(f.dtype) * f).floor(),
        "The angles were cut to whole numbers.",
        "Is there an integer dtype, `//` or `.long()` on the way?",
    ),
    Mistake(
        "wrapped",
        lambda p, f: (p[:, None] * f) % (2 * math.pi),
        "The angles are reduced to one turn. sin and cos do that by themselves.",
        "Return m·θ as it is.",
    ),
    Mistake(
        "clamped",
        outer(lambda p: p.clamp_max(8191)),
        "Positions above a limit are cut off: from there on all tokens stand in one place.",
        "Use `positions` as they are.",
    ),
    Mistake(
        "degrees",
        outer(frequencies=lambda f: f * 180 / math.pi),
        "The angles are in degrees.",
        "Radians: m·θ, without a factor.",
    ),
    Mistake(
        "turns_to_radians",
        outer(frequencies=lambda f: f * 2 * math.pi),
        "There is a factor 2π. The frequencies are radians per position already.",
        "m·θ, without a factor.",
    ),
    Mistake(
        "cosine",
        lambda p, f: (p[:, None] * f).cos(),
        "It returns the cosines. apply_rope wants the angles themselves.",
        "Return m·θ.",
    ),
    Mistake(
        "detached",
        lambda p, f: p[:, None] * f.detach(),
        DETACHED,
        NO_DETACH,
    ),
]
