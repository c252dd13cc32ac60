"""Lab 03, 3.5, 3.6 and 3.8: two right answers, and what people write in place of their lines.

Which numbers make a pair is told by `apart`, `together` and `spread`: in this module neighbours,
(2i, 2i + 1), in apply_rope_half_wrong.py halves, (i, i + d/2). What is a mistake in one of the
two layouts only has its key in OF_NEIGHBOURS or OF_HALVES. Sources are the public issues in which
somebody really made the mistake.
"""

import math

import torch
from torch import Tensor

HALF = (torch.float16, torch.bfloat16)
OF_NEIGHBOURS = {
    *("half_split", "written_as_halves", "read_as_halves", "angles_tiled", "partners_in_halves"),
    *("partners_written_as_halves", "stacked_along_dim_one", "three_axes_only"),
}
OF_HALVES = {
    *("neighbours", "written_as_neighbours", "read_as_neighbours", "permuted_twice"),
    *("permuted_on_the_way_in_only", "angles_in_pairs", "partners_are_neighbours"),
    *("pieces_of_two", "split_along_the_positions", "joined_along_the_positions"),
    *("partners_written_as_neighbours", "joined_along_dim_one"),
}


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


apart, together = neighbours_of, as_neighbours


def rotation(x: Tensor, angles: Tensor) -> Tensor:
    wide = x.float() if x.dtype in HALF else x
    #: Compute with `x.float()` and float32 angles, and round once, at the end: `.to(x.dtype)`.
    #! rounds_to_bfloat16: wide = x.bfloat16().float()
    #! rounds_to_bfloat16: wide = x.bfloat16().float()
    #  x goes through bfloat16 whatever its dtype is: three digits are left.
    #! rounds_to_float16: wide = x.half().float()
    #  x goes through float16 whatever its dtype is: three digits are left.
    #: First a cos − b sin, then a sin + b cos, each with the old a and b.
    #! identity: return x.clone()
    #  It returns x as it came: no position is in it.
    #: No `.detach()`, `.data`, `.item()` and no `torch.no_grad()` here.
    #! detached: …; wide = wide.detach()
    #! detached: …; wide, angles = wide.detach(), angles.detach()
    #  The gradient is cut off on the way.
    #: Do not flatten: (T, d/2) broadcasts over (..., T, d/2).
    #! rows_mixed_up: …; angles = angles.repeat_interleave(x[..., 0].numel() // len(angles), dim=0).reshape(*x.shape[:-1], -1)
    #  Flattened rows meet the wrong angles: neighbours share one, as if each position came several times in a row.
    a, b = apart(wide)
    #: Read and write in the same layout. Here pair i is (2i, 2i + 1): `x[..., 0::2]` and `x[..., 1::2]`.
    #! read_as_halves: a, b = halves_of(wide)
    #  It reads the pairs as halves and writes them as neighbours: the numbers move house.
    #: Read and write in the same layout. Here pair i is (i, i + d/2): `a, b = x.chunk(2, dim=-1)`.
    #! read_as_neighbours: a, b = neighbours_of(wide)
    #  It reads the pairs as neighbours and writes them as halves. x is in halves already.
    #: Here pair i is (2i, 2i + 1): `x[..., 0::2]` and `x[..., 1::2]`.
    #! half_split: a, b = halves_of(wide)
    #: Or without any permutation: Here pair i is (i, i + d/2): `a, b = x.chunk(2, dim=-1)`.
    #! permuted_twice: a, b = neighbours_of(as_halves(*neighbours_of(wide)))
    #  interleaved_to_half is used on the way in and on the way out. On the way in, its inverse is needed; for d = 4 the two are the same, and nobody
    #  notices.
    #: Here pair i is (i, i + d/2): `a, b = x.chunk(2, dim=-1)`.
    #! neighbours: a, b = neighbours_of(wide)
    #! permuted_on_the_way_in_only: a, b = neighbours_of(as_halves(*neighbours_of(wide)))
    #! pieces_of_two: a, b = wide.split(2, dim=-1)
    #  `split(2)` makes pieces of two numbers; `chunk(2)` makes two pieces.
    #! split_along_the_positions: a, b = wide.chunk(2, dim=-2)
    #  It cuts the sequence in two, not the vectors.
    #: The numbers of a pair stand in one vector, in the last dimension: `x[..., ` and not `x[`.
    #! slices_the_positions: a, b = wide[0::2], wide[1::2]
    #! slices_the_positions: a, b = wide.chunk(2)
    #  It takes every second vector, or half of the vectors, where half of the numbers of each is meant.
    #: First the first numbers of all pairs, then the second ones.
    #! swapped_on_the_way_in: b, a = apart(wide)
    #  The two numbers of every pair have changed places on the way in: a is the first one.
    #! first_numbers_twice: a, b = apart(wide)[0], apart(wide)[0]
    #  The first number of each pair stands in both places, a and b.
    #! second_numbers_twice: a, b = apart(wide)[1], apart(wide)[1]
    #  The second number of each pair stands in both places, a and b.
    #: Look at the places 0 and 1: with which does each move?
    #! first_with_last: a, b = halves_of(wide)[0], halves_of(wide)[1].flip(-1)
    #  Number i is paired with number d - 1 - i.
    cos = angles.cos()
    #: Compute with `x.float()` and float32 angles, and round once, at the end: `.to(x.dtype)`.
    #! computes_in_half: cos = angles.cos().to(x.dtype)
    #  It computes in half precision: cos and sin, or the products, were rounded on the way. [KellerJordan/modded-nanogpt#39, vllm-project/vllm#863;
    #  Hugging Face's Llama rounds cos and sin as well]
    #! angles_in_half: angles = angles.to(x.dtype).float() if x.dtype in HALF else angles; …
    #  The angles were rounded to x's dtype before cos and sin: in bfloat16 positions 256 and 257 become one. [huggingface/transformers#29285,
    #  huggingface/transformers#25681]
    #! angles_to_bfloat16: angles = angles.bfloat16().float(); …
    #  The angles go through bfloat16: three digits are left. [EleutherAI/gpt-neox#1016]
    #: Is the minus in the second line?
    #! clockwise: angles = -angles; …
    #  It turns the wrong way: clockwise. A positive angle turns anticlockwise. [karpathy/nanochat#489]
    #: Row t of the angles belongs to position t of x, in every batch and every head.
    #! first_angle_for_all: angles = angles[:1]; …
    #  All positions are turned by the first position's angles.
    #! last_angle_for_all: angles = angles[-1:]; …
    #  All positions are turned by the last position's angles.
    #! reversed_positions: angles = angles.flip(0); …
    #  The positions run backwards.
    #! late_by_one: angles = angles.roll(1, 0); …
    #  Every position gets the angles of the one before it.
    #! early_by_one: angles = angles.roll(-1, 0); …
    #  Every position gets the angles of the one after it.
    #! last_position_skipped: angles = torch.cat((angles[:-1], torch.zeros_like(angles[:1]))); …
    #  The last position is not turned.
    #! positions_by_the_first_axis: angles = angles[: x.shape[0]]; …
    #  It takes as many rows of the angles as the first dimension is long. That is the batch; the positions are dimension -2.
    #  [labmlai/annotated_deep_learning_paper_implementations#244]
    #! positions_by_the_second_axis: angles = angles[: x.shape[1]]; …
    #  It takes as many rows of the angles as dimension 1 is long. The positions are dimension -2.
    #: (T, d/2) broadcasts over (..., T, d/2) by itself.
    #! axis_in_between: angles = angles[:, None, :]; …
    #  The angles get an axis in between, (T, 1, d/2), as if heads came behind the positions. Here they come before them.
    #! axis_behind: angles = angles[..., None]; …
    #  The angles get an axis behind, (T, d/2, 1).
    #! angles_transposed: angles = angles.T; …
    #  Rows and columns of the angles are exchanged.
    #: Heads come before positions here, (B, H, T, d): positions are dimension -2.
    #! along_heads: angles = angles.repeat(-(-x.shape[-3] // len(angles)), 1)[: x.shape[-3], None] if x.ndim > 2 else angles; …
    #! along_heads: angles = angles[: x.shape[1], None] if x.ndim > 2 else angles; …
    #! along_heads: angles = angles[: x.shape[1], None] if x.ndim == 4 else angles; …
    #! along_heads: angles = angles[: x.shape[-3], None] if x.ndim > 3 else angles; …
    #  It turns along the heads instead of the positions: each head gets an angle of its own, and all positions the same. [mlfoundations/open_lm#4,
    #  facebookresearch/xformers#841]
    #! sequence_on_axis_1:
    #| if x.ndim > 2:
    #|     assert angles.shape == (x.shape[1], x.shape[-1] // 2)
    #|     angles = angles.view(*[n if i in (1, x.ndim - 1) else 1 for i, n in enumerate((*x.shape[:-1], x.shape[-1] // 2))])
    #| …
    #  Dimension 1 is taken for the positions, as in Meta's reshape_for_broadcast, which gets (B, T, H, d). [tensorgi/TPA#4]
    #: Pair i has its own: `angles[:, i]`.
    #! same_angle_for_all_pairs: angles = angles[:, :1]; …
    #  All pairs are turned by the first pair's angle.
    #: Pair i has the angle `angles[:, i]`.
    #! reversed_pairs: angles = angles.flip(1); …
    #  The pairs run backwards: the first pair gets the last angle.
    #: All d/2 pairs turn, each by its own angle.
    #! first_pair_only: angles = angles * (torch.arange(angles.shape[-1], device=angles.device) == 0); …
    #  Only the first pair is turned, the others are left as they are.
    #! half_of_the_pairs: angles = angles * (torch.arange(angles.shape[-1], device=angles.device) < (angles.shape[-1] + 1) // 2); …
    #  Only the first half of the pairs is turned. GPT-NeoX does that; Llama turns all.
    #: Use the angles as they are given: where the tokens stand is decided outside.
    #! first_position_skipped: angles = torch.cat((torch.zeros_like(angles[:1]), angles[1:])); …
    #  The first row is left alone, as if it stood at position 0. When one new token comes alone, it is that row.
    #! relative_to_the_first: angles = angles - angles[:1]; …
    #  The first position's angles are subtracted, so that every sequence starts at 0.
    #! own_angles: angles = torch.arange(len(angles), dtype=angles.dtype, device=angles.device)[:, None] * 10_000.0 ** (-torch.arange(angles.shape[-1], device=angles.device) / angles.shape[-1]); …
    #! own_angles: angles = torch.arange(x.shape[-2])[:, None] * 10_000.0 ** (-torch.arange(0, x.shape[-1], 2) / x.shape[-1]); …
    #  It makes angles of its own, counting from 0, and does not use `angles`. [RobertCsordas/moeut#6]
    #! half_angles: angles = angles / 2; …
    #  It turns by half the angle.
    #! degrees: angles = angles * math.pi / 180; …
    #  The angles are taken for degrees. They are radians.
    #! to_degrees: angles = angles * 180 / math.pi; …
    #  The angles are turned into degrees. cos and sin take radians, as they are given.
    #! rounded_angles: angles = angles.round(); …
    #! rounded_angles: angles = angles.long(); …
    #  The angles were rounded to whole numbers: is there `.long()` or `.round()`?
    #! times_position: angles = angles * torch.arange(len(angles), device=angles.device)[:, None]; …
    #  The angles are multiplied by the position once more. They are m·θ already.
    #: sin and cos need no reduction.
    #! modulo_pi: angles = angles % math.pi; …
    #  The angles are reduced modulo π: half a turn too little, every second time.
    #! modulo_360: angles = angles % 360; …
    #  The angles are reduced modulo 360, as if they were degrees. A whole turn is 2π radians.
    #: Once. Keys in a cache are rotated already, too: lab 05.
    #! twice: angles = 2 * angles; …
    #  It turns by twice the angle: is the rotation applied twice? [NeuraLegion/shainet#110]
    #: No `.detach()`, `.data`, `.item()` and no `torch.no_grad()` here.
    #! angles_detached: angles = angles.detach(); …
    #  The gradient with respect to the angles is cut off.
    #: cos 0 = 1 and sin 0 = 0.
    #! sine_twice: cos = angles.sin()
    #  Where the cosine belongs stands the sine as well.
    sin = angles.sin()
    #: Compute with `x.float()` and float32 angles, and round once, at the end: `.to(x.dtype)`.
    #! computes_in_half: sin = angles.sin().to(x.dtype)
    #! angles_in_half: …; a, b, cos, sin = a.to(x.dtype), b.to(x.dtype), angles.to(x.dtype).cos(), angles.to(x.dtype).sin()
    #! sines_in_bfloat16: …; cos, sin = cos.bfloat16(), sin.bfloat16()
    #! sines_in_bfloat16: …; a, b, cos, sin = a.to(x.dtype), b.to(x.dtype), cos.bfloat16(), sin.bfloat16()
    #  cos and sin are kept in bfloat16 whatever x is: three digits are left. [KellerJordan/modded-nanogpt#39]
    #: Is the minus in the second line?
    #! clockwise: sin = -angles.sin()
    #: cos 0 = 1 and sin 0 = 0.
    #! sin_cos_exchanged: cos, sin = angles.sin(), angles.cos()
    #  sin and cos have changed places: an angle of 0 should leave x as it is.
    #! cosine_twice: sin = angles.cos()
    #  Where the sine belongs stands the cosine as well.
    #: `angles.sin()`, `angles.cos()`
    #! small_angles: cos, sin = torch.ones_like(angles), angles
    #  It uses the angle where sin belongs: right for tiny angles only, and x grows.
    #! angles_themselves: cos = sin = angles
    #  It multiplies by the angles themselves. Their cosines and sines are wanted.
    #: The length is the root of a² + b², and is multiplied with cos and with sin.
    #! squared_length: …; a, b = a * torch.hypot(a, b), b * torch.hypot(a, b)
    #  The length is squared: the root in sqrt(a² + b²) is missing.
    #! wrong_quadrant: …; a, b = a * torch.sign(a), b * torch.sign(a)
    #  atan(b / a) does not know whether a is negative: half of the plane is turned over.
    #! pairs_of_length_one: …; a, b = a / torch.hypot(a, b), b / torch.hypot(a, b)
    #  Every pair comes out with length 1. A rotation keeps the length.
    first = a * cos - b * sin
    #: First a cos − b sin, then a sin + b cos, each with the old a and b.
    #! missing_minus: first = a * cos + b * sin
    #  Both lines add: the minus of a cos − b sin is missing.
    #! mirrored: first = b * sin - a * cos
    #  The first number of each pair has the wrong sign: b sin − a cos.
    #! sin_cos_exchanged_in_the_first_line: first = a * sin - b * cos
    #  In the first line sin and cos have changed places: a cos − b sin.
    #! divides_in_the_first_line: first = a / cos - b * sin
    #! divides_in_the_first_line: first = a * cos - b / sin
    #  In the first line it divides where it multiplies: a cos − b sin.
    #! adds_in_the_first_line: first = a + cos - b * sin
    #! adds_in_the_first_line: first = a * cos - (b + sin)
    #  In the first line it adds where it multiplies: a cos − b sin.
    #! a_for_b_in_the_first_line: first = a * cos - a * sin
    #  The first line uses a twice: b is missing in it.
    #! b_for_a_in_the_first_line: first = b * cos - b * sin
    #  The first line uses b twice: a is missing in it.
    #! a_and_b_exchanged_in_the_first_line: first = b * cos - a * sin
    #  In the first line a and b have changed places: a cos − b sin.
    #! cosine_twice_in_the_first_line: first = a * cos - b * cos
    #  The first line has the cosine twice: a cos − b sin.
    #! sine_twice_in_the_first_line: first = a * sin - b * sin
    #  The first line has the sine twice: a cos − b sin.
    #! no_sine_in_the_first_line: first = a * cos
    #  The first line has no sine: a cos − b sin.
    #! no_cosine_in_the_first_line: first = a - b * sin
    #  The first line has no cosine: a cos − b sin.
    #! first_number_left: first = a
    #  The first number of each pair is left as it was: only the second is turned.
    second = a * sin + b * cos
    #: Is the minus in the second line?
    #! clockwise: first, second = a * cos + b * sin, b * cos - a * sin
    #: First a cos − b sin, then a sin + b cos, each with the old a and b.
    #! minus_twice: second = a * sin - b * cos
    #  Both lines have a minus. The second one adds: a sin + b cos.
    #! minus_twice_exchanged: second = b * cos - a * sin
    #  Both lines have a minus: b cos − a sin. The second one adds: a sin + b cos.
    #! reflection: first, second = a * cos + b * sin, a * sin - b * cos
    #  This is a mirror image of each pair, not a rotation.
    #! sin_cos_exchanged_in_the_second_line: second = a * cos + b * sin
    #  In the second line sin and cos have changed places: a sin + b cos.
    #! divides_in_the_second_line: second = a / sin + b * cos
    #! divides_in_the_second_line: second = a * sin + b / cos
    #  In the second line it divides where it multiplies: a sin + b cos.
    #! adds_in_the_second_line: second = a + sin + b * cos
    #! adds_in_the_second_line: second = a * sin + b + cos
    #  In the second line it adds where it multiplies: a sin + b cos.
    #! a_for_b_in_the_second_line: second = a * sin + a * cos
    #  The second line uses a twice: b is missing in it.
    #! b_for_a_in_the_second_line: second = b * sin + b * cos
    #  The second line uses b twice: a is missing in it.
    #! cosine_twice_in_the_second_line: second = a * cos + b * cos
    #  The second line has the cosine twice: a sin + b cos.
    #! sine_twice_in_the_second_line: second = a * sin + b * sin
    #  The second line has the sine twice: a sin + b cos.
    #! no_sine_in_the_second_line: second = b * cos
    #  The second line has no sine: a sin + b cos.
    #! no_cosine_in_the_second_line: second = a * sin + b
    #  The second line has no cosine: a sin + b cos.
    #! second_half_left: second = b
    #  The second number of each pair is left as it was: only the first is turned.
    #! no_partner: first, second = a * cos - a * sin, b * cos + b * sin
    #! no_partner: first, second = a * cos + a * sin, b * cos - b * sin
    #! no_partner: first, second = a * cos + a * sin, b * cos + b * sin
    #  Each number is combined with itself: the partner of the pair is missing. [jingyaogong/minimind#532]
    #! cosine_only: first, second = a * cos, b * cos
    #  x is multiplied by cos and the sine part is missing: the pairs shrink.
    #! sine_only: first, second = -b * sin, a * sin
    #  The sine part is there and x · cos is missing.
    #! cos_and_sin_apart: first, second = a * cos, b * sin
    #  The first number of a pair is multiplied by cos, the second by sin: that squeezes.
    #! adds_angles: first, second = a + angles, b + angles
    #  The angles are added to x. That shifts it; a rotation keeps every pair's length.
    #! adds_sines: first, second = a + sin, b + cos
    #! adds_sines: first, second = a + cos, b + sin
    #  Sines and cosines are added to x. That is the absolute way of exercise 3.1.
    #: A turn is a multiplication by cos θ + i sin θ.
    #! multiplies_angles: first, second = a * angles, b * angles
    #  x is multiplied by the angles themselves: that stretches, it does not turn.
    #: The length is the root of a² + b², and is multiplied with cos and with sin.
    #! length_on_the_cosine_only: …; second = second / torch.hypot(a, b)
    #  The length is multiplied with the cosine only, not with the sine. [makesmatheasy/makesmatheasy#552]
    #: Keep the old a: compute both new numbers first, then put them together.
    #! overwritten: second = first * sin + b * cos
    #  The second line uses the first line's result: a was overwritten before b was computed.
    #! b_overwritten: …; first = a * cos - second * sin
    #  The first line uses the second line's result: b was overwritten before a was computed.
    #: Return the rotated pairs alone.
    #! adds_to_input: …; first, second = a + first, b + second
    #  The rotated vector is added to x. It takes its place.
    result = together(first, second)
    #!+ first_with_last: result = as_halves(first, second.flip(-1))
    #: Look at the places 0 and 1: with which does each move?
    #! off_by_one_pairs: a, b = apart(wide.roll(1, -1)); result = together(a * cos - b * sin, a * sin + b * cos).roll(-1, -1)
    #  The pairs begin one place too early: the last number is paired with the first half.
    #: Read and write in the same layout: `torch.stack((a, b), dim=-1).flatten(-2)` puts neighbours together again.
    #! written_as_halves: result = as_halves(first, second)
    #  The pairs are turned rightly, then all first numbers are put before all second ones.
    #!+ half_split: result = as_halves(first, second)
    #  The pairs are (i, i + d/2), as in Hugging Face's code. Meta's weights, and this exercise, pair neighbours: (2i, 2i + 1).
    #  [NeuraLegion/shainet#111, jzhang38/TinyLlama#24, rasbt/LLMs-from-scratch#746]
    #: Read and write in the same layout: `torch.cat((a, b), dim=-1)`.
    #! written_as_neighbours: result = as_neighbours(first, second)
    #  The pairs are turned rightly, then written side by side.
    #!+ neighbours: result = as_neighbours(first, second)
    #  The pairs are neighbours, (2i, 2i + 1). That is exercise 3.5; here the layout is another. [rasbt/LLMs-from-scratch#746]
    #!+ permuted_on_the_way_in_only: result = as_neighbours(first, second)
    #  x is permuted and rotated as neighbours; it was in halves already.
    #: First a cos − b sin, then a sin + b cos, each with the old a and b.
    #! swapped_components: result = together(second, first)
    #  The two new numbers of each pair have changed places.
    #: `.flatten(-2)` makes (..., d) of it.
    #! not_joined: result = torch.stack((first, second), dim=-1)
    #! not_joined: result = torch.stack((first, second), dim=-2)
    #  The pairs are left side by side, (..., d/2, 2).
    #! stacked_along_dim_one: result = torch.stack((first, second), dim=1).flatten(-2)
    #  The two new numbers are stacked along dim=1. They stand side by side in the last dimension.
    #! joined_along_dim_one: result = torch.cat((first, second), dim=1)
    #  The halves are joined along dim=1. With more than two dimensions that is not the last.
    #! three_axes_only: result = torch.stack((first, second), dim=-1).flatten(2)
    #  `flatten(2)` is right for three dimensions only.
    #! stacked_in_front: result = torch.stack((first, second))
    #  The two new numbers of the pairs are stacked along a new first dimension.
    #! flattened: result = together(first, second).flatten()
    #  Everything is flattened into one long row. The result has the shape of x.
    #! one_number_only: result = first
    #  Only the first numbers of the pairs come back. The result has the shape of x.
    #: `torch.cat((…, …), dim=-1)`
    #! joined_along_the_positions: result = torch.cat((first, second), dim=-2)
    #  The halves are joined along the positions, one below the other.
    #: No norm is needed: cos² + sin² = 1.
    #! unit_length: …; result = torch.nn.functional.normalize(result, dim=-1)
    #  Every vector comes out with length 1. A rotation keeps the length.
    #: Row t of the angles belongs to position t of x, in every batch and every head.
    #! first_of_batch_only: …; result = torch.cat((result[:1], wide[1:])) if x.ndim > 2 else result
    #  Only the first of the batch is turned.
    #: `torch.empty_like(x)` and `device=x.device` lie where x lies.
    #! on_cpu: …; result = torch.zeros(x.shape, dtype=result.dtype).copy_(result)
    #  The result is put into a tensor made on the CPU.
    #: Make a new tensor.
    #! in_place: …; return x.copy_(result)
    #! in_place: …; x.data.copy_(result); return x
    #! in_place: …; return x.copy_(result.detach())
    #! in_place: …; x[..., 0::2] = apart(result)[0]; return x.copy_(result)
    #  It writes the result into its input, and the caller may still need that.
    return result.to(x.dtype)
    #!+ rounds_to_bfloat16: return result.bfloat16().to(x.dtype)
    #! rounds_to_bfloat16: return result.bfloat16().to(x.dtype)
    #: Computing in float32 is right. Go back at the end: `.to(x.dtype)`.
    #! promotes: return result
    #  The input is half precision, and the result is float32.
    #: `.to(x.dtype)`
    #! float64: return result.double()
    #  The result is float64 whatever x is.
    #! float32: return result.float()
    #  The result is float32 whatever x is.
    #! no_return: result.to(x.dtype)
    #  The result is computed and then forgotten: there is no `return`.


def spread(x: Tensor) -> Tensor:
    """Give both numbers of a pair the same: (..., d/2) → (..., d)."""
    return together(x, x)


def with_partners(x: Tensor, angles: Tensor) -> Tensor:
    wide = x.float() if x.dtype in HALF else x
    cos = spread(angles.cos())
    #! clockwise: angles = -angles; …
    #! angles_in_half: angles = angles.to(x.dtype).float() if x.dtype in HALF else angles; …
    #! first_angle_for_all: angles = angles[:1]; …
    #: `repeat_interleave(2, dim=-1)`: [c0 c0 c1 c1].
    #! angles_tiled: cos = as_halves(angles.cos(), angles.cos())
    #: `torch.cat((cos, cos), dim=-1)`: [c0 c1 c0 c1].
    #! angles_in_pairs: cos = as_neighbours(angles.cos(), angles.cos())
    sin = spread(angles.sin())
    #!+ angles_tiled: sin = as_halves(angles.sin(), angles.sin())
    #  The partners are neighbours, but cos and sin lie in halves, [c0 c1 c0 c1]: the two numbers of a pair are turned by different angles.
    #  [xiangking/ark-nlp#49, huggingface/transformers#47328]
    #!+ angles_in_pairs: sin = as_neighbours(angles.sin(), angles.sin())
    #  The partners are half a vector apart, but cos and sin lie in pairs, [c0 c0 c1 c1]. [huggingface/transformers#40462, xiangking/ark-nlp#49]
    #! computes_in_half: …; cos, sin = cos.to(x.dtype), sin.to(x.dtype)
    #! sin_cos_exchanged: cos, sin = sin, cos
    a, b = apart(wide)
    partner = together(-b, a)
    #! clockwise: partner = together(b, -a)
    #! missing_minus: partner = together(b, a)
    #! no_partner: partner = together(a, -b)
    #! no_partner: partner = together(-a, b)
    #! no_partner: partner = wide
    #: The partner of place 2i is place 2i + 1.
    #! partners_in_halves: partner = as_halves(-halves_of(wide)[1], halves_of(wide)[0])
    #  cos and sin lie in pairs, [c0 c0 c1 c1], but rotate_half takes the partner from the other half. [rasbt/LLMs-from-scratch#838,
    #  raiyanyahya/how-to-train-your-gpt#6]
    #: The partner of place i is place i + d/2.
    #! partners_are_neighbours: partner = as_neighbours(-neighbours_of(wide)[1], neighbours_of(wide)[0])
    #  cos and sin lie in halves, [c0 c1 c0 c1], but the partner is taken from the next place. [rasbt/LLMs-from-scratch#838, jingyaogong/minimind#532]
    #: The partner of a number stands at the place of the other one of its pair.
    #! partners_written_as_halves: partner = as_halves(-b, a)
    #  The partners are read from neighbours and written as halves: they stand at other places.
    #! partners_written_as_neighbours: partner = as_neighbours(-b, a)
    #  The partners are read from halves and written as neighbours: they stand at other places.
    result = wide * cos + partner * sin
    #! clockwise: result = wide * cos - partner * sin
    #! sin_cos_exchanged: result = wide * sin + partner * cos
    return result.to(x.dtype)
    #! promotes: return result
    #! float32: return result.float()
