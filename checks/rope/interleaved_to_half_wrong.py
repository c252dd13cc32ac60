"""Lab 03, 3.7: interleaved_to_half, and what people write in place of its lines.

Sources are the public issues in which somebody really made the mistake.
"""

import torch
from torch import Tensor

from checks.engine import Mistake, mistakes_of


def interleaved_to_half(x: Tensor) -> Tensor:
    first = x[..., 0::2]
    #: `torch.cat((x[..., 0::2], x[..., 1::2]), dim=-1)`
    #! identity: return x.clone()
    #  It returns x as it came. [naklecha/llama3-from-scratch#20]
    #! reversed: return x.flip(-1)
    #  The whole vector runs backwards.
    #! odd_places_twice: first = x[..., 1::2]
    #  The odd places are there twice, the even ones not at all.
    #! first_half: first = x[..., : x.shape[-1] // 2]
    #  In front stands the first half as it is. The first numbers of all pairs belong there.
    #! stays_in_halves: return torch.stack(x.chunk(2, dim=-1), dim=-2)
    #  x was cut in the middle and stacked, (..., 2, d/2). The even places come first.
    #! inverse: return torch.stack(x.chunk(2, dim=-1), dim=-1).flatten(-2)
    #  This is the way back, from halves to neighbours. For d = 4 the two are the same. [meta-pytorch/gpt-fast#190]
    #: Nothing is rotated here, only moved: `torch.cat((x[..., 0::2], x[..., 1::2]), dim=-1)`
    #! rotate_half: return torch.cat((-x[..., x.shape[-1] // 2 :], x[..., : x.shape[-1] // 2]), dim=-1)
    #  This is Hugging Face's rotate_half, which exchanges the halves with a sign.
    #: Only the last dimension: `x[..., 0::2]`.
    #! first_dimension: return torch.cat((x[0::2], x[1::2]))
    #  It sorts the first dimension: `x[0::2]` takes every second row.
    #! along_positions: return torch.cat((x[..., 0::2, :], x[..., 1::2, :]), dim=-2) if x.ndim > 1 else torch.cat((x[0::2], x[1::2]))
    #! along_positions: return torch.cat((x[..., 0::2, :], x[..., 1::2, :]), dim=-2)
    #  It sorts the positions, the last but one dimension.
    #! across_vectors: return x.reshape(-1, 2).T.reshape(x.shape)
    #  Numbers of different vectors get mixed: all vectors were flattened into one.
    #! whole_transposed: return x.reshape(*x.shape[:-1], -1, 2).transpose(0, -1).reshape(x.shape)
    #! whole_transposed: return x.reshape(*x.shape[:-1], -1, 2).mT.T.reshape(x.shape)
    #! whole_transposed: return x.reshape(*x.shape[:-1], -1, 2).permute(*range(x.ndim, -1, -1)).reshape(x.shape)
    #  The dimensions in front were transposed as well. Only the pairs' own two change places: (..., d/2, 2) → (..., 2, d/2).
    #! head_by_head: return x.unflatten(-1, (2 if x.shape[-1] % 4 == 0 else 1, -1, 2)).mT.reshape(x.shape)
    #  The vector is taken for several heads, and each of them is sorted by itself. Here the last dimension is one head. [ggml-org/llama.cpp#2376]
    #: Write it for any d.
    #! four_only: return torch.cat((x[..., [0, 2, 1, 3][: x.shape[-1]]], x[..., 4:]), dim=-1)
    #  Only the first four places are sorted.
    #: `x[..., 0::2]`, however many dimensions there are in front.
    #! four_axes_only: first = x[:, :, :, 0::2]
    #  It is written for four dimensions. There may be any number of them in front of the last.
    #! two_axes_only: first = x[:, 0::2]
    #  It takes dimension 1 for the last one. There may be any number of them in front.
    #: It is their places that matter: `torch.cat((x[..., 0::2], x[..., 1::2]), dim=-1)`
    #! sorted: return x.sort(dim=-1).values
    #  The numbers were sorted by size. It is their places that matter.
    second = x[..., 1::2]
    #: `torch.cat((x[..., 0::2], x[..., 1::2]), dim=-1)`
    #! even_places_twice: second = x[..., 0::2]
    #  The even places are there twice, the odd ones not at all.
    #! second_half: second = x[..., x.shape[-1] // 2 :]
    #  Behind stands the second half as it is. The second numbers of all pairs belong there.
    #! second_half_reversed: second = x[..., 1::2].flip(-1)
    #  The second half runs backwards.
    #! first_half_reversed: …; first = first.flip(-1)
    #  The first half runs backwards.
    #! negated: second = -x[..., 1::2]
    #  The second half has the wrong sign. Nothing is rotated here, only moved.
    #! halves_exchanged: first, second = x[..., x.shape[-1] // 2 :], x[..., : x.shape[-1] // 2]
    #  The two halves have changed places; the pairs are still side by side.
    #! every_second_from_two: second = x[..., 2::2]
    #  The second numbers begin at place 1: `x[..., 1::2]`.
    moved = torch.cat((first, second), dim=-1)
    #: The even places, a0 a1 …, come first.
    #! odd_places_first: moved = torch.cat((second, first), dim=-1)
    #  The second numbers of the pairs come first.
    #: Nothing is rotated here, only moved: `torch.cat((x[..., 0::2], x[..., 1::2]), dim=-1)`
    #! quarter_turn: moved = torch.cat((-second, first), dim=-1)
    #  The second numbers stand in front, with a minus: that is a quarter turn of every pair, as in rotate_half. [NVIDIA-NeMo/Speech#6923]
    #! turned_back: moved = torch.cat((second, -first), dim=-1)
    #  The second numbers stand in front, and the first ones got a minus: a quarter turn back.
    #: `torch.cat((x[..., 0::2], x[..., 1::2]), dim=-1)`
    #! neighbours_exchanged: moved = torch.stack((second, first), dim=-1).flatten(-2)
    #  The two numbers of each pair have changed places.
    #! identity: moved = torch.stack((first, second), dim=-1).flatten(-2)
    #! even_places_only: moved = first
    #  Only the first numbers of the pairs are left.
    #! odd_places_only: moved = second
    #  Only the second numbers of the pairs are left.
    #: `torch.cat`, or `.flatten(-2)`.
    #! stacked: moved = torch.stack((first, second), dim=-2)
    #  The halves are stacked, (..., 2, d/2), not joined.
    #! not_joined: moved = torch.stack((first, second), dim=-1)
    #  The pairs are left as an axis of their own, (..., d/2, 2), as they were.
    #! stacked_in_front: moved = torch.stack((first, second))
    #  The halves are stacked along a new first dimension. They are joined along the last one.
    #: `dim=-1` joins them in the last dimension.
    #! joined_along_the_first_axis: moved = torch.cat((first, second))
    #  The halves are joined along the first dimension, one below the other.
    #! joined_along_the_positions: moved = torch.cat((first, second), dim=-2)
    #  The halves are joined along the last but one dimension, the positions.
    #! joined_along_dim_one: moved = torch.cat((first, second), dim=1)
    #  The halves are joined along dim=1. With three dimensions or one that is not the last.
    #! added: moved = first + second
    #  The first and the second numbers are added up. They are put one after the other.
    #: `torch.cat((x[..., 0::2], x[..., 1::2]), dim=-1)`
    #! twice: …; moved = torch.cat((moved[..., 0::2], moved[..., 1::2]), dim=-1)
    #  It is done twice.
    #! through_bfloat16: …; moved = moved.bfloat16().to(x.dtype)
    #! through_bfloat16: …; moved = moved.half().to(x.dtype)
    #  The numbers were rounded on the way. Moving them changes no digit.
    #: No `.detach()`, `.data`, `.item()` and no `torch.no_grad()` here.
    #! detached: …; moved = moved.detach()
    #  The gradient is cut off on the way.
    #: Make a new tensor with `torch.cat`.
    #! in_place: …; return x.copy_(moved)
    #! in_place: …; x.data.copy_(moved); return x
    #! in_place: …; return x.copy_(moved.detach())
    #  It writes the result into its input, and the caller may still need that.
    #: `torch.empty_like(x)` lies where x lies.
    #! on_cpu: …; moved = torch.zeros(x.shape, dtype=x.dtype).copy_(moved)
    #  The result is put into a tensor made on the CPU.
    return moved
    #: Nothing is computed here: the dtype stays by itself.
    #! float32: return moved.float()
    #  The result is float32 whatever x is.
    #! float64: return moved.double()
    #  The result is float64 whatever x is.
    #: Put the value behind the word `return`.
    #! no_return: pass
    #  The result is computed and then forgotten: there is no `return`.


MISTAKES: list[Mistake] = mistakes_of(interleaved_to_half)
