"""Lab 03, exercises 3.5 to 3.8: what people write when they rotate whole vectors.

The rotation is written three times: with real and with complex numbers for pairs of neighbours
(2i, 2i + 1), and for pairs of halves (i, i + d/2). What can go wrong in all of them is listed once,
in `shared`. Sources are the public issues in which somebody really made the mistake.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from checks.engine import Mistake, in_float32
from checks.mistakes.rope import (
    CLOCKWISE,
    DETACHED,
    IN_HALF,
    IN_PLACE,
    MISSING_MINUS,
    NO_DETACH,
    OVERWRITTEN,
    OVERWRITTEN_HINT,
    PROMOTES,
    PROMOTES_HINT,
    UPCAST,
)
from checks.reference import rope as right

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
