"""Lab 03: what people write for tables of positions, angles and rotations.

The rotation of whole vectors is written three times: with real and with complex numbers for pairs
of neighbours (2i, 2i + 1), and for pairs of halves (i, i + d/2). What can go wrong in all of them
is listed once, in `shared`. Sources are the public issues in which somebody really made it.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

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

# 3.5, 3.6 and 3.8: the rotation of whole vectors ------------------------------------------------

Rotation = Callable[[Tensor, Tensor], Tensor]  # (..., T, d), (T, d/2) → (..., T, d)
HALVES = (torch.float16, torch.bfloat16)


@dataclass(frozen=True)
class Layout:
    """Where the two numbers of a pair stand in a vector."""

    name: str
    split: Callable[[Tensor], tuple[Tensor, Tensor]]  # (..., d) → (..., d/2), (..., d/2)
    join: Callable[[Tensor, Tensor], Tensor]

    def rotation(
        self,
        formula: Callable[..., tuple[Tensor, Tensor]] | None = None,
        angles: Callable[[Tensor], Tensor] = lambda angles: angles,
    ) -> Rotation:
        """Make a rotation, from another formula for a, b, cos, sin, angle or with other angles."""
        formula = formula or turn

        def rotate(x: Tensor, given: Tensor) -> Tensor:
            angle = angles(given)
            if angle.dtype in HALVES:
                angle = angle.float()
            return self.join(*formula(*self.split(x), angle.cos(), angle.sin(), angle))

        return in_float32(rotate)


def turn(a: Tensor, b: Tensor, cos: Tensor, sin: Tensor, _: Tensor) -> tuple[Tensor, Tensor]:
    """Turn (a, b) as it should be."""
    return a * cos - b * sin, a * sin + b * cos


def neighbours_of(x: Tensor) -> tuple[Tensor, Tensor]:
    """[a0 b0 a1 b1 …] → [a0 a1 …], [b0 b1 …]."""
    return x[..., 0::2], x[..., 1::2]


def as_neighbours(a: Tensor, b: Tensor) -> Tensor:
    """[a0 a1 …], [b0 b1 …] → [a0 b0 a1 b1 …]."""
    return torch.stack((a, b), dim=-1).flatten(-2)


def halves_of(x: Tensor) -> tuple[Tensor, Tensor]:
    """[a0 a1 … b0 b1 …] → [a0 a1 …], [b0 b1 …]."""
    return x[..., : x.shape[-1] // 2], x[..., x.shape[-1] // 2 :]


def as_halves(a: Tensor, b: Tensor) -> Tensor:
    """[a0 a1 …], [b0 b1 …] → [a0 a1 … b0 b1 …]."""
    return torch.cat((a, b), dim=-1)


NEIGHBOURS = Layout("neighbours", neighbours_of, as_neighbours)
HALF = Layout("halves", halves_of, as_halves)
FIRST_WITH_LAST = Layout(
    "first with last",
    lambda x: (halves_of(x)[0], halves_of(x)[1].flip(-1)),
    lambda a, b: as_halves(a, b.flip(-1)),
)


def columns(angles: Tensor) -> Tensor:
    """The number of each pair: (T, d/2) → (d/2,)."""
    return torch.arange(angles.shape[-1], device=angles.device)


def own_angles(angles: Tensor) -> Tensor:
    """Angles of positions from 0 and base 10000, whatever was given."""
    positions = torch.arange(len(angles), dtype=angles.dtype, device=angles.device)
    return positions[:, None] * 10_000.0 ** (-columns(angles) / angles.shape[-1])


def first_row_zero(angles: Tensor) -> Tensor:
    """Angles whose first row is taken for position 0."""
    return torch.cat((torch.zeros_like(angles[:1]), angles[1:]))


def last_row_zero(angles: Tensor) -> Tensor:
    """Angles without the last position."""
    return torch.cat((angles[:-1], torch.zeros_like(angles[:1])))


def along_heads(rotate: Rotation) -> Rotation:
    """Give every head, instead of every position, an angle of its own."""

    def wrong(x: Tensor, angles: Tensor) -> Tensor:
        if x.ndim < 3:
            return rotate(x, angles)
        heads = x.shape[-3]
        if heads > len(angles):
            angles = angles.repeat(-(-heads // len(angles)), 1)
        return rotate(x.transpose(-2, -3), angles[:heads]).transpose(-2, -3)

    return wrong


def rows_mixed_up(rotate: Rotation) -> Rotation:
    """Flatten batch and positions, and repeat the angles in the wrong order."""

    def wrong(x: Tensor, angles: Tensor) -> Tensor:
        rows = x.reshape(-1, x.shape[-1])
        angles = angles.repeat_interleave(len(rows) // len(angles), dim=0)
        return rotate(rows, angles).reshape(x.shape)

    return wrong


def first_of_batch(rotate: Rotation) -> Rotation:
    """Rotate the first of the leading dimension only."""

    def wrong(x: Tensor, angles: Tensor) -> Tensor:
        if x.ndim < 3:
            return rotate(x, angles)
        return torch.cat((rotate(x[:1], angles), x[1:]))

    return wrong


def in_place(layout: Layout) -> Rotation:
    """Write the result into the input."""

    def wrong(x: Tensor, angles: Tensor) -> Tensor:
        result = layout.split(layout.rotation()(x.detach().clone(), angles.detach()))
        for part, new in zip(layout.split(x), result, strict=True):
            part.copy_(new)
        return x

    return wrong


def computes_in_half(layout: Layout, angles_too: bool) -> Rotation:
    """Round cos and sin, or the angles already, to the dtype of x."""

    def wrong(x: Tensor, angles: Tensor) -> Tensor:
        if angles_too:
            angles = angles.to(x.dtype)
        return layout.join(
            *turn(*layout.split(x), angles.cos().to(x.dtype), angles.sin().to(x.dtype), angles)
        )

    return wrong


def promoting(layout: Layout) -> Rotation:
    """Forget to go back to the input's dtype."""

    def wrong(x: Tensor, angles: Tensor) -> Tensor:
        return layout.rotation()(x if x.dtype == torch.float64 else x.float(), angles)

    return wrong


TWO_LINES = "First a cos − b sin, then a sin + b cos, each with the old a and b."
EACH_ROW = "Row t of the angles belongs to position t of x, in every batch and every head."
AS_GIVEN = "Use the angles as they are given: where the tokens stand is decided outside."


def shared(layout: Layout) -> list[Mistake]:
    """List what can go wrong in either layout."""
    make, rotate = layout.rotation, layout.rotation()
    return [
        Mistake(
            "identity",
            lambda x, angles: x.clone(),
            "It returns x as it came: no position is in it.",
            TWO_LINES,
            "a public judge of such exercises accepts it, comparing equal positions only",
        ),
        Mistake(
            "clockwise", make(angles=lambda t: -t), CLOCKWISE, "Is the minus in the second line?"
        ),
        Mistake(
            "missing_minus",
            make(lambda a, b, c, s, t: (a * c + b * s, a * s + b * c)),
            MISSING_MINUS.replace("x cos − y sin", "a cos − b sin"),
            TWO_LINES,
        ),
        Mistake(
            "minus_twice",
            make(lambda a, b, c, s, t: (a * c - b * s, a * s - b * c)),
            "Both lines have a minus. The second one adds: a sin + b cos.",
            TWO_LINES,
        ),
        Mistake(
            "reflection",
            make(lambda a, b, c, s, t: (a * c + b * s, a * s - b * c)),
            "This is a mirror image of each pair, not a rotation.",
            TWO_LINES,
        ),
        Mistake(
            "mirrored",
            make(lambda a, b, c, s, t: (b * s - a * c, a * s + b * c)),
            "The first number of each pair has the wrong sign: b sin − a cos.",
            TWO_LINES,
        ),
        Mistake(
            "swapped_components",
            make(lambda a, b, c, s, t: (a * s + b * c, a * c - b * s)),
            "The two new numbers of each pair have changed places.",
            TWO_LINES,
        ),
        Mistake(
            "sin_cos_exchanged",
            make(lambda a, b, c, s, t: (a * s - b * c, a * c + b * s)),
            "sin and cos have changed places: an angle of 0 should leave x as it is.",
            "cos 0 = 1 and sin 0 = 0.",
        ),
        Mistake(
            "overwritten",
            make(lambda a, b, c, s, t: (a * c - b * s, (a * c - b * s) * s + b * c)),
            OVERWRITTEN.replace("x was", "a was").replace("before y", "before b"),
            OVERWRITTEN_HINT.replace("the old x", "the old a"),
        ),
        Mistake(
            "no_partner",
            make(lambda a, b, c, s, t: (a * c - a * s, b * c + b * s)),
            "Each number is combined with itself: the partner of the pair is missing.",
            TWO_LINES,
        ),
        Mistake(
            "cosine_only",
            make(lambda a, b, c, s, t: (a * c, b * c)),
            "x is multiplied by cos and the sine part is missing: the pairs shrink.",
            TWO_LINES,
        ),
        Mistake(
            "cos_and_sin_apart",
            make(lambda a, b, c, s, t: (a * c, b * s)),
            "The first number of a pair is multiplied by cos, the second by sin: that squeezes.",
            TWO_LINES,
        ),
        Mistake(
            "adds_angles",
            make(lambda a, b, c, s, t: (a + t, b + t)),
            "The angles are added to x. That shifts it; a rotation keeps every pair's length.",
            TWO_LINES,
        ),
        Mistake(
            "adds_sines",
            make(lambda a, b, c, s, t: (a + s, b + c)),
            "Sines and cosines are added to x. That is the absolute way of exercise 3.1.",
            TWO_LINES,
        ),
        Mistake(
            "multiplies_angles",
            make(lambda a, b, c, s, t: (a * t, b * t)),
            "x is multiplied by the angles themselves: that stretches, it does not turn.",
            "A turn is a multiplication by cos θ + i sin θ.",
        ),
        Mistake(
            "small_angles",
            make(lambda a, b, c, s, t: (a - b * t, b + a * t)),
            "It uses the angle where sin belongs: right for tiny angles only, and x grows.",
            "`angles.sin()`, `angles.cos()`",
        ),
        Mistake(
            "adds_to_input",
            make(lambda a, b, c, s, t: (a + a * c - b * s, b + a * s + b * c)),
            "The rotated vector is added to x. It takes its place.",
            "Return the rotated pairs alone.",
        ),
        Mistake(
            "unit_length",
            in_float32(lambda x, angles: torch.nn.functional.normalize(rotate(x, angles), dim=-1)),
            "Every vector comes out with length 1. A rotation keeps the length.",
            "No norm is needed: cos² + sin² = 1.",
        ),
        Mistake(
            "first_angle_for_all",
            make(angles=lambda t: t[:1].expand_as(t)),
            "All positions are turned by the first position's angles.",
            EACH_ROW,
        ),
        Mistake(
            "last_angle_for_all",
            make(angles=lambda t: t[-1:].expand_as(t)),
            "All positions are turned by the last position's angles.",
            EACH_ROW,
        ),
        Mistake(
            "same_angle_for_all_pairs",
            make(angles=lambda t: t[:, :1].expand_as(t)),
            "All pairs are turned by the first pair's angle.",
            "Pair i has its own: `angles[:, i]`.",
        ),
        Mistake(
            "reversed_positions",
            make(angles=lambda t: t.flip(0)),
            "The positions run backwards.",
            EACH_ROW,
        ),
        Mistake(
            "reversed_pairs",
            make(angles=lambda t: t.flip(1)),
            "The pairs run backwards: the first pair gets the last angle.",
            "Pair i has the angle `angles[:, i]`.",
        ),
        Mistake(
            "late_by_one",
            make(angles=lambda t: t.roll(1, 0)),
            "Every position gets the angles of the one before it.",
            EACH_ROW,
        ),
        Mistake(
            "first_pair_only",
            make(angles=lambda t: t * (columns(t) == 0)),
            "Only the first pair is turned, the others are left as they are.",
            "All d/2 pairs turn, each by its own angle.",
        ),
        Mistake(
            "half_of_the_pairs",
            make(angles=lambda t: t * (columns(t) < (t.shape[-1] + 1) // 2)),
            "Only the first half of the pairs is turned. GPT-NeoX does that; Llama turns all.",
            "All d/2 pairs turn, each by its own angle.",
        ),
        Mistake(
            "first_position_skipped",
            make(angles=first_row_zero),
            "The first row is left alone, as if it stood at position 0. When one new token comes "
            "alone, it is that row.",
            AS_GIVEN,
        ),
        Mistake(
            "last_position_skipped",
            make(angles=last_row_zero),
            "The last position is not turned.",
            EACH_ROW,
        ),
        Mistake(
            "relative_to_the_first",
            make(angles=lambda t: t - t[:1]),
            "The first position's angles are subtracted, so that every sequence starts at 0.",
            AS_GIVEN,
        ),
        Mistake(
            "own_angles",
            make(angles=own_angles),
            "It makes angles of its own, counting from 0, and does not use `angles`.",
            AS_GIVEN,
            "RobertCsordas/moeut#6",
        ),
        Mistake(
            "twice",
            make(angles=lambda t: 2 * t),
            "It turns by twice the angle: is the rotation applied twice?",
            "Once. Keys in a cache are rotated already, too: lab 05.",
            "NeuraLegion/shainet#110",
        ),
        Mistake(
            "half_angles",
            make(angles=lambda t: t / 2),
            "It turns by half the angle.",
            AS_GIVEN,
        ),
        Mistake(
            "degrees",
            make(angles=lambda t: t * math.pi / 180),
            "The angles are taken for degrees. They are radians.",
            AS_GIVEN,
        ),
        Mistake(
            "modulo_pi",
            make(angles=lambda t: t % math.pi),
            "The angles are reduced modulo π: half a turn too little, every second time.",
            "sin and cos need no reduction.",
        ),
        Mistake(
            "rounded_angles",
            make(angles=lambda t: t.round()),
            "The angles were rounded to whole numbers: is there `.long()` or `.round()`?",
            AS_GIVEN,
        ),
        Mistake(
            "along_heads",
            along_heads(rotate),
            "It turns along the heads instead of the positions: each head gets an angle of its "
            "own, and all positions the same.",
            "Heads come before positions here, (B, H, T, d): positions are dimension -2.",
            "mlfoundations/open_lm#4, facebookresearch/xformers#841",
        ),
        Mistake(
            "rows_mixed_up",
            rows_mixed_up(rotate),
            "Flattened rows meet the wrong angles: neighbours share one, as if each position came "
            "several times in a row.",
            "Do not flatten: (T, d/2) broadcasts over (..., T, d/2).",
        ),
        Mistake(
            "first_of_batch_only",
            first_of_batch(rotate),
            "Only the first of the batch is turned.",
            EACH_ROW,
        ),
        Mistake(
            "computes_in_half",
            computes_in_half(layout, angles_too=False),
            IN_HALF,
            UPCAST,
            "KellerJordan/modded-nanogpt#39; Hugging Face's Llama rounds cos and sin as well",
        ),
        Mistake(
            "angles_in_half",
            computes_in_half(layout, angles_too=True),
            "The angles were rounded to x's dtype before cos and sin: in bfloat16 positions 256 "
            "and 257 become one.",
            UPCAST,
            "huggingface/transformers#29285, huggingface/transformers#25681",
        ),
        Mistake(
            "rounds_to_bfloat16",
            lambda x, angles: rotate(x.bfloat16(), angles).to(x.dtype),
            "x goes through bfloat16 whatever its dtype is: three digits are left.",
            UPCAST,
        ),
        Mistake(
            "angles_to_bfloat16",
            make(angles=lambda t: t.bfloat16()),
            "The angles go through bfloat16: three digits are left.",
            UPCAST,
            "EleutherAI/gpt-neox#1016",
        ),
        Mistake("promotes", promoting(layout), PROMOTES, PROMOTES_HINT),
        Mistake(
            "float64",
            lambda x, angles: layout.rotation()(x.double(), angles),
            "The result is float64 whatever x is.",
            "`.to(x.dtype)`",
        ),
        Mistake(
            "float32",
            lambda x, angles: layout.rotation()(x.float(), angles),
            "The result is float32 whatever x is.",
            "`.to(x.dtype)`",
        ),
        Mistake("detached", lambda x, angles: rotate(x.detach(), angles), DETACHED, NO_DETACH),
        Mistake(
            "angles_detached",
            lambda x, angles: rotate(x, angles.detach()),
            "The gradient with respect to the angles is cut off.",
            NO_DETACH,
        ),
        Mistake("in_place", in_place(layout), IN_PLACE, "Make a new tensor."),
        Mistake(
            "not_joined",
            in_float32(lambda x, angles: torch.stack(layout.split(rotate(x, angles)), dim=-1)),
            "The pairs are left side by side, (..., d/2, 2).",
            "`.flatten(-2)` makes (..., d) of it.",
        ),
        Mistake(
            "off_by_one_pairs",
            lambda x, angles: rotate(x.roll(1, -1), angles).roll(-1, -1),
            "The pairs begin one place too early: the last number is paired with the first half.",
            "Look at the places 0 and 1: with which does each move?",
        ),
        Mistake(
            "first_with_last",
            FIRST_WITH_LAST.rotation(),
            "Number i is paired with number d - 1 - i.",
            "Look at the places 0 and 1: with which does each move?",
        ),
    ]


def with_partner(partner: Callable[[Tensor], Tensor], spread: Callable[[Tensor], Tensor]):
    """Make `x * cos + partner(x) * sin`, cos and sin spread over d places."""

    def wrong(x: Tensor, angles: Tensor) -> Tensor:
        return x * spread(angles.cos()) + partner(x) * spread(angles.sin())

    return in_float32(wrong)


def rotate_half(x: Tensor) -> Tensor:
    """[a, b] in halves → [-b, a]."""
    a, b = halves_of(x)
    return as_halves(-b, a)


def rotate_neighbours(x: Tensor) -> Tensor:
    """[a0 b0 a1 b1 …] → [-b0 a0 -b1 a1 …]."""
    a, b = neighbours_of(x)
    return as_neighbours(-b, a)


def tiled(x: Tensor) -> Tensor:
    """[c0 c1] → [c0 c1 c0 c1]."""
    return as_halves(x, x)


def spread(x: Tensor) -> Tensor:
    """[c0 c1] → [c0 c0 c1 c1]."""
    return as_neighbours(x, x)


PAIRING = "Here pair i is (2i, 2i + 1): `x[..., 0::2]` and `x[..., 1::2]`."
HALF_PAIRING = "Here pair i is (i, i + d/2): `a, b = x.chunk(2, dim=-1)`."
ONE_LAYOUT = "Read and write in the same layout: "

APPLY_ROPE = [
    *shared(NEIGHBOURS),
    Mistake(
        "half_split",
        HALF.rotation(),
        "The pairs are (i, i + d/2), as in Hugging Face's code. Meta's weights, and this exercise, "
        "pair neighbours: (2i, 2i + 1).",
        PAIRING,
        "NeuraLegion/shainet#111, jzhang38/TinyLlama#24, rasbt/LLMs-from-scratch#746",
    ),
    Mistake(
        "written_as_halves",
        Layout("", neighbours_of, as_halves).rotation(),
        "The pairs are turned rightly, then all first numbers are put before all second ones.",
        ONE_LAYOUT + "`torch.stack((a, b), dim=-1).flatten(-2)` puts neighbours together again.",
    ),
    Mistake(
        "read_as_halves",
        Layout("", halves_of, as_neighbours).rotation(),
        "It reads the pairs as halves and writes them as neighbours: the numbers move house.",
        ONE_LAYOUT + PAIRING,
    ),
    Mistake(
        "angles_tiled",
        with_partner(rotate_neighbours, tiled),
        "The partners are neighbours, but cos and sin lie in halves, [c0 c1 c0 c1]: the two "
        "numbers of a pair are turned by different angles.",
        "`repeat_interleave(2, dim=-1)`: [c0 c0 c1 c1].",
        "xiangking/ark-nlp#49",
    ),
    Mistake(
        "partners_in_halves",
        with_partner(rotate_half, spread),
        "cos and sin lie in pairs, [c0 c0 c1 c1], but rotate_half takes the partner from the other "
        "half.",
        "The partner of place 2i is place 2i + 1.",
        "rasbt/LLMs-from-scratch#838",
    ),
]


def complex_pairs(change: Callable[[Tensor, Tensor], Tensor]) -> Rotation:
    """Make apply_rope_complex from a formula for the complex numbers and their angles."""

    def wrong(x: Tensor, angles: Tensor) -> Tensor:
        wide = x if x.dtype == torch.float64 else x.float()
        pairs = torch.view_as_complex(wide.reshape(*x.shape[:-1], -1, 2).contiguous())
        result = change(pairs, angles.to(wide.dtype))
        if result.is_complex():
            result = torch.view_as_real(result).flatten(-2)
        return result.to(x.dtype)

    return wrong


def cis(angles: Tensor) -> Tensor:
    """cos + i sin."""
    return torch.complex(angles.cos(), angles.sin())


def _stays_complex(x: Tensor, angles: Tensor) -> Tensor:
    wide = x if x.dtype == torch.float64 else x.float()
    a, b = neighbours_of(wide)
    return torch.complex(a, b) * cis(angles.to(wide.dtype))


APPLY_ROPE_COMPLEX = [
    *APPLY_ROPE,
    Mistake(
        "stays_complex",
        _stays_complex,
        "It returns complex numbers. The result is real: (..., T, d).",
        "`torch.view_as_real(…).flatten(-2)`",
    ),
    Mistake(
        "polar_arguments_exchanged",
        complex_pairs(lambda z, t: z * t * cis(torch.ones_like(t))),
        "`torch.polar(length, angle)`: the angles were given as lengths.",
        "`torch.polar(torch.ones_like(angles), angles)`",
    ),
    Mistake(
        "real_exponent",
        complex_pairs(lambda z, t: z * t.exp()),
        "It multiplies by e^θ. The i in e^(iθ) is missing, so x grows instead of turning.",
        "`torch.polar(torch.ones_like(angles), angles)`",
    ),
    Mistake(
        "conjugated_result",
        complex_pairs(lambda z, t: (z * cis(t)).conj().resolve_conj()),
        "The result is conjugated: every second number has the wrong sign.",
        "No `.conj()`.",
    ),
    Mistake(
        "real_part_twice",
        complex_pairs(lambda z, t: (z * cis(t)).real.repeat_interleave(2, dim=-1)),
        "The real part stands in both places of each pair.",
        "`torch.view_as_real` gives both parts.",
    ),
    Mistake(
        "magnitudes",
        complex_pairs(lambda z, t: (z * cis(t)).abs().repeat_interleave(2, dim=-1)),
        "It returns the pairs' lengths. Those are the same before and after.",
        "`torch.view_as_real` gives both parts.",
    ),
]

APPLY_ROPE_HALF = [
    *shared(HALF),
    Mistake(
        "neighbours",
        NEIGHBOURS.rotation(),
        "The pairs are neighbours, (2i, 2i + 1). That is exercise 3.5; here the layout is another.",
        HALF_PAIRING,
        "rasbt/LLMs-from-scratch#746",
    ),
    Mistake(
        "written_as_neighbours",
        Layout("", halves_of, as_neighbours).rotation(),
        "The pairs are turned rightly, then written side by side.",
        ONE_LAYOUT + "`torch.cat((a, b), dim=-1)`.",
    ),
    Mistake(
        "read_as_neighbours",
        Layout("", neighbours_of, as_halves).rotation(),
        "It reads the pairs as neighbours and writes them as halves. x is in halves already.",
        ONE_LAYOUT + HALF_PAIRING,
    ),
    Mistake(
        "permuted_twice",
        lambda x, angles: right.interleaved_to_half(
            NEIGHBOURS.rotation()(right.interleaved_to_half(x), angles)
        ),
        "interleaved_to_half is used on the way in and on the way out. On the way in, its inverse "
        "is needed; for d = 4 the two are the same, and nobody notices.",
        "Or without any permutation: " + HALF_PAIRING,
    ),
    Mistake(
        "permuted_on_the_way_in_only",
        lambda x, angles: NEIGHBOURS.rotation()(right.interleaved_to_half(x), angles),
        "x is permuted and rotated as neighbours; it was in halves already.",
        HALF_PAIRING,
    ),
    Mistake(
        "angles_in_pairs",
        with_partner(rotate_half, spread),
        "The partners are half a vector apart, but cos and sin lie in pairs, [c0 c0 c1 c1].",
        "`torch.cat((cos, cos), dim=-1)`: [c0 c1 c0 c1].",
        "huggingface/transformers#40462, xiangking/ark-nlp#49",
    ),
    Mistake(
        "partners_are_neighbours",
        with_partner(rotate_neighbours, tiled),
        "cos and sin lie in halves, [c0 c1 c0 c1], but the partner is taken from the next place.",
        "The partner of place i is place i + d/2.",
        "rasbt/LLMs-from-scratch#838",
    ),
]

# 3.7 interleaved_to_half ----------------------------------------------------------------------


def _across_vectors(x: Tensor) -> Tensor:
    return x.reshape(-1, 2).T.reshape(x.shape)


def _along_positions(x: Tensor) -> Tensor:
    if x.ndim < 2:
        return right.interleaved_to_half(x)
    rows = x.shape[-2]
    return x[..., [*range(0, rows, 2), *range(1, rows, 2)], :]


def _first_dimension(x: Tensor) -> Tensor:
    return torch.cat((x[0::2], x[1::2]))


def _half_to_interleaved(x: Tensor) -> Tensor:
    return as_neighbours(*halves_of(x))


def _written_back(x: Tensor) -> Tensor:
    return x.copy_(right.interleaved_to_half(x.detach()))


PLACES = "`torch.cat((x[..., 0::2], x[..., 1::2]), dim=-1)`"

INTERLEAVED_TO_HALF = [
    Mistake("identity", lambda x: x.clone(), "It returns x as it came.", PLACES),
    Mistake(
        "inverse",
        _half_to_interleaved,
        "This is the way back, from halves to neighbours. For d = 4 the two are the same.",
        PLACES,
    ),
    Mistake(
        "odd_places_first",
        lambda x: torch.cat((x[..., 1::2], x[..., 0::2]), dim=-1),
        "The second numbers of the pairs come first.",
        "The even places, a0 a1 …, come first.",
    ),
    Mistake(
        "halves_exchanged",
        lambda x: torch.cat(halves_of(x)[::-1], dim=-1),
        "The two halves have changed places; the pairs are still side by side.",
        PLACES,
    ),
    Mistake(
        "neighbours_exchanged",
        lambda x: as_neighbours(x[..., 1::2], x[..., 0::2]),
        "The two numbers of each pair have changed places.",
        PLACES,
    ),
    Mistake("reversed", lambda x: x.flip(-1), "The whole vector runs backwards.", PLACES),
    Mistake(
        "second_half_reversed",
        lambda x: torch.cat((x[..., 0::2], x[..., 1::2].flip(-1)), dim=-1),
        "The second half runs backwards.",
        PLACES,
    ),
    Mistake(
        "negated",
        lambda x: torch.cat((x[..., 0::2], -x[..., 1::2]), dim=-1),
        "The second half has the wrong sign. Nothing is rotated here, only moved.",
        PLACES,
    ),
    Mistake(
        "rotate_half",
        rotate_half,
        "This is Hugging Face's rotate_half, which exchanges the halves with a sign.",
        PLACES,
    ),
    Mistake(
        "even_places_only",
        lambda x: x[..., 0::2],
        "Only the first numbers of the pairs are left.",
        PLACES,
    ),
    Mistake(
        "even_places_twice",
        lambda x: torch.cat((x[..., 0::2], x[..., 0::2]), dim=-1),
        "The even places are there twice, the odd ones not at all.",
        PLACES,
    ),
    Mistake(
        "stacked",
        lambda x: torch.stack((x[..., 0::2], x[..., 1::2]), dim=-2),
        "The halves are stacked, (..., 2, d/2), not joined.",
        "`torch.cat`, or `.flatten(-2)`.",
    ),
    Mistake(
        "sorted",
        lambda x: x.sort(dim=-1).values,
        "The numbers were sorted by size. It is their places that matter.",
        PLACES,
    ),
    Mistake(
        "across_vectors",
        _across_vectors,
        "Numbers of different vectors get mixed: all vectors were flattened into one.",
        "Only the last dimension: `x[..., 0::2]`.",
    ),
    Mistake(
        "along_positions",
        _along_positions,
        "It sorts the positions, the last but one dimension.",
        "Only the last dimension: `x[..., 0::2]`.",
    ),
    Mistake(
        "first_dimension",
        _first_dimension,
        "It sorts the first dimension: `x[0::2]` takes every second row.",
        "Only the last dimension: `x[..., 0::2]`.",
    ),
    Mistake(
        "twice",
        lambda x: right.interleaved_to_half(right.interleaved_to_half(x)),
        "It is done twice.",
        PLACES,
    ),
    Mistake(
        "four_only",
        lambda x: torch.cat((x[..., [0, 2, 1, 3][: x.shape[-1]]], x[..., 4:]), dim=-1),
        "Only the first four places are sorted.",
        "Write it for any d.",
    ),
    Mistake(
        "float32",
        lambda x: right.interleaved_to_half(x).float(),
        "The result is float32 whatever x is.",
        "Nothing is computed here: the dtype stays by itself.",
    ),
    Mistake(
        "through_bfloat16",
        lambda x: right.interleaved_to_half(x).bfloat16().to(x.dtype),
        "The numbers were rounded on the way. Moving them changes no digit.",
        PLACES,
    ),
    Mistake(
        "detached",
        lambda x: right.interleaved_to_half(x.detach()),
        DETACHED,
        NO_DETACH,
    ),
    Mistake(
        "in_place",
        _written_back,
        IN_PLACE,
        "Make a new tensor with `torch.cat`.",
    ),
]
