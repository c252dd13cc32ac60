"""Lab 03: right answers in the ways of public code."""

import math

import torch
from torch import Tensor


# sinusoidal_positions
def annotated_transformer(seq_len: int, dim: int, base: float = 10_000.0) -> Tensor:
    """The Annotated Transformer: zeros, exp of a log for the frequencies, filled column by column."""
    pe = torch.zeros(seq_len, dim)
    position = torch.arange(0, seq_len).unsqueeze(1)
    div_term = torch.exp(torch.arange(0, dim, 2) * -(math.log(base) / dim))
    pe[:, 0::2] = torch.sin(position * div_term)
    pe[:, 1::2] = torch.cos(position * div_term)
    return pe


def dive_into_deep_learning(seq_len: int, dim: int, base: float = 10_000.0) -> Tensor:
    """Dive into Deep Learning: positions divided by a power of the base."""
    table = torch.zeros((seq_len, dim))
    X = torch.arange(seq_len, dtype=torch.float32).reshape(-1, 1) / torch.pow(
        base, torch.arange(0, dim, 2, dtype=torch.float32) / dim
    )
    table[:, 0::2] = torch.sin(X)
    table[:, 1::2] = torch.cos(X)
    return table


def attention_is_all_you_need_pytorch(seq_len: int, dim: int, base: float = 10_000.0) -> Tensor:
    """jadore801120's: an angle for each position and column in Python's floats, hid_j // 2."""

    def angle_vector(position: int) -> list[float]:
        return [position / base ** (2 * (hid_j // 2) / dim) for hid_j in range(dim)]

    table = torch.tensor([angle_vector(pos_i) for pos_i in range(seq_len)], dtype=torch.float64)
    table = table.reshape(seq_len, dim)
    table[:, 0::2] = table[:, 0::2].sin()
    table[:, 1::2] = table[:, 1::2].cos()
    return table.float()


def loop_over_pairs(seq_len: int, dim: int, base: float = 10_000.0) -> Tensor:
    """SamLynnEvans' loop, with the exponent mended."""
    pe = torch.empty(seq_len, dim)
    for pos in range(seq_len):
        for i in range(0, dim, 2):
            pe[pos, i] = math.sin(pos / (base ** (i / dim)))
            pe[pos, i + 1] = math.cos(pos / (base ** (i / dim)))
    return pe


# rotate_2d
def by_a_matrix(v: Tensor, angle: Tensor) -> Tensor:
    """A textbook's matrix and einsum."""
    c, s = torch.cos(angle.float()), torch.sin(angle.float())
    rows = torch.stack((c, -s), dim=-1), torch.stack((s, c), dim=-1)
    matrix = torch.stack(rows, dim=-2)
    return torch.einsum("...ij,...j->...i", matrix, v.float()).type_as(v)


def by_a_complex_number(v: Tensor, angle: Tensor) -> Tensor:
    """As a complex number, times e^(iα)."""
    z = torch.view_as_complex(v.float().contiguous())
    return torch.view_as_real(z * torch.exp(1j * angle.float())).to(v.dtype)


def by_the_direction(v: Tensor, angle: Tensor) -> Tensor:
    """Polar: the angle is added to the direction."""
    wide = v.to(torch.float64)
    length, direction = wide.norm(dim=-1), torch.atan2(wide[..., 1], wide[..., 0])
    direction = direction + angle.double()
    return torch.stack((length * direction.cos(), length * direction.sin()), -1).to(v.dtype)


# rope_frequencies
def metas(head_dim: int, base: float = 10_000.0) -> Tensor:
    """Meta's precompute_freqs_cis, first line."""
    dim, theta = head_dim, base
    return 1.0 / (theta ** (torch.arange(0, dim, 2)[: (dim // 2)].float() / dim))


def hugging_faces(head_dim: int, base: float = 10_000.0) -> Tensor:
    """Hugging Face's _compute_default_rope_parameters: int64, then float."""
    steps = torch.arange(0, head_dim, 2, dtype=torch.int64).to(dtype=torch.float)
    return 1.0 / (base ** (steps / head_dim))


def llama2_c(head_dim: int, base: float = 10_000.0) -> Tensor:
    """llama2.c's loop: powf of each pair."""
    freqs = []
    for i in range(0, head_dim, 2):
        freqs.append(1.0 / pow(base, i / float(head_dim)))
    return torch.tensor(freqs, dtype=torch.float32)


def mlx(head_dim: int, base: float = 10_000.0) -> Tensor:
    """mlx's: exp of minus the log of the base, i over half the size."""
    half = head_dim // 2
    return torch.exp(-torch.arange(half, dtype=torch.float32) * (math.log(base) / half))


# rope_angles
def metas_outer(positions: Tensor, frequencies: Tensor) -> Tensor:
    """Meta's: an outer product, float() at the end."""
    return torch.outer(positions, frequencies).float()


def torchtunes_einsum(positions: Tensor, frequencies: Tensor) -> Tensor:
    """torchtune's: positions in the frequencies' dtype, einsum."""
    seq_idx = positions.to(dtype=frequencies.dtype, device=frequencies.device)
    return torch.einsum("i, j -> ij", seq_idx, frequencies).float()


def hugging_faces_matmul(positions: Tensor, frequencies: Tensor) -> Tensor:
    """Hugging Face's: a batch axis, a matrix product, transposed."""
    inv_freq_expanded = frequencies[None, :, None].float()
    position_ids_expanded = positions[None, None, :].float()
    freqs = (inv_freq_expanded @ position_ids_expanded).transpose(1, 2)
    return freqs[0]


# apply_rope
def metas_apply_rotary_emb(x: Tensor, angles: Tensor) -> Tensor:
    """Meta's apply_rotary_emb: complex numbers, type_as at the end."""
    x_ = torch.view_as_complex(x.float().reshape(*x.shape[:-1], -1, 2))
    freqs_cis = torch.polar(torch.ones_like(angles), angles)
    ndim = x_.ndim
    assert ndim > 1
    shape = [d if i >= ndim - 2 else 1 for i, d in enumerate(x_.shape)]
    return torch.view_as_real(x_ * freqs_cis.view(*shape)).flatten(-2).type_as(x)


def gpt_j(x: Tensor, angles: Tensor) -> Tensor:
    """GPT-J's rotate_every_two, sine and cosine repeated for each pair."""
    sin, cos = (
        torch.repeat_interleave(t, 2, dim=-1) for t in (torch.sin(angles), torch.cos(angles))
    )
    wide = x.to(torch.float32)
    x1, x2 = wide[..., ::2], wide[..., 1::2]
    rotated = torch.stack((-x2, x1), dim=-1).flatten(-2)
    return ((wide * cos) + (rotated * sin)).to(x.dtype)


def torchtunes(x: Tensor, angles: Tensor) -> Tensor:
    """torchtune's: a cache of (cos, sin), x as (..., d/2, 2), type_as."""
    rope_cache = torch.stack([torch.cos(angles), torch.sin(angles)], dim=-1)
    xshaped = x.float().reshape(*x.shape[:-1], -1, 2)
    x_out = torch.stack(
        [
            xshaped[..., 0] * rope_cache[..., 0] - xshaped[..., 1] * rope_cache[..., 1],
            xshaped[..., 1] * rope_cache[..., 0] + xshaped[..., 0] * rope_cache[..., 1],
        ],
        -1,
    )
    return x_out.flatten(-2).type_as(x)


def mlx_traditional(x: Tensor, angles: Tensor) -> Tensor:
    """mlx's RoPE with traditional=True: an empty output, filled in steps of two."""
    cos, sin = torch.cos(angles), torch.sin(angles)
    x1, x2 = x[..., ::2].float(), x[..., 1::2].float()
    out = torch.empty_like(x)
    out[..., ::2] = x1 * cos - x2 * sin
    out[..., 1::2] = x1 * sin + x2 * cos
    return out


def llama2_c_python(x: Tensor, angles: Tensor) -> Tensor:
    """llama2.c's model.py: reshape to pairs, unbind, stack, flatten, type_as."""
    freqs_cos, freqs_sin = torch.cos(angles), torch.sin(angles)
    x_r, x_i = x.float().reshape((*x.shape[:-1], -1, 2)).unbind(-1)
    out_r = x_r * freqs_cos - x_i * freqs_sin
    out_i = x_r * freqs_sin + x_i * freqs_cos
    return torch.stack([out_r, out_i], dim=-1).flatten(-2).type_as(x)


# apply_rope_complex
def metas_in_one_line(x: Tensor, angles: Tensor) -> Tensor:
    """Meta's, with broadcasting from the right."""
    x_ = torch.view_as_complex(x.float().reshape(*x.shape[:-1], -1, 2))
    freqs_cis = torch.polar(torch.ones_like(angles), angles)  # complex64
    return torch.view_as_real(x_ * freqs_cis).flatten(x.ndim - 1).type_as(x)


def with_exp(x: Tensor, angles: Tensor) -> Tensor:
    """torch.exp of an imaginary number in place of polar."""
    z = torch.complex(x[..., 0::2].float(), x[..., 1::2].float())
    z = z * torch.exp(1j * angles)
    return torch.stack((z.real, z.imag), dim=-1).reshape(x.shape).to(x.dtype)


def deepseeks(x: Tensor, angles: Tensor) -> Tensor:
    """DeepSeek's: dtype remembered first, view, unsqueezed for the axes in front."""
    dtype = x.dtype
    z = torch.view_as_complex(x.float().contiguous().view(*x.shape[:-1], -1, 2))
    freqs_cis = torch.polar(torch.ones_like(angles), angles)
    freqs_cis = freqs_cis.view(*([1] * (z.ndim - 2)), z.size(-2), z.size(-1))
    return torch.view_as_real(z * freqs_cis).flatten(-2).to(dtype)


# interleaved_to_half
def convert_llama_weights(x: Tensor) -> Tensor:
    """permute of Hugging Face's conversion: (d/2, 2), transposed, back to d."""
    return x.reshape(*x.shape[:-1], x.shape[-1] // 2, 2).transpose(-1, -2).reshape(x.shape)


def viewed_and_transposed(x: Tensor) -> Tensor:
    """The same by view, which always works to take the last axis apart."""
    return x.view(*x.shape[:-1], -1, 2).transpose(-1, -2).flatten(-2)


def by_index(x: Tensor) -> Tensor:
    """A list of places, as converters for GGUF have it."""
    d = x.shape[-1]
    order = torch.tensor([*range(0, d, 2), *range(1, d, 2)], dtype=torch.long, device=x.device)
    return x.index_select(-1, order)


# apply_rope_half
def hugging_faces_rotate_half(x: Tensor, angles: Tensor) -> Tensor:
    """Hugging Face's apply_rotary_pos_emb: emb twice, rotate_half, in float32 as promised."""

    def rotate_half(x: Tensor) -> Tensor:
        x1 = x[..., : x.shape[-1] // 2]
        x2 = x[..., x.shape[-1] // 2 :]
        return torch.cat((-x2, x1), dim=-1)

    emb = torch.cat((angles, angles), dim=-1)
    cos, sin = emb.cos(), emb.sin()
    wide = x.float()
    return ((wide * cos) + (rotate_half(wide) * sin)).to(dtype=x.dtype)


def nano_vllm(x: Tensor, angles: Tensor) -> Tensor:
    """nano-vllm's: chunk, two products, cat."""
    cos, sin = angles.cos(), angles.sin()
    x1, x2 = torch.chunk(x.to(torch.float32), 2, dim=-1)
    y1 = x1 * cos - x2 * sin
    y2 = x2 * cos + x1 * sin
    return torch.cat((y1, y2), dim=-1).to(x.dtype)


def lit_gpt(x: Tensor, angles: Tensor) -> Tensor:
    """lit-gpt's apply_rope: repeat(1, 2), x1 and x2 sliced, roped."""
    idx_theta = angles.repeat(1, 2)
    cos, sin = torch.cos(idx_theta), torch.sin(idx_theta)
    head_size = x.size(-1)
    x1 = x[..., : head_size // 2]
    x2 = x[..., head_size // 2 :]
    rotated = torch.cat((-x2, x1), dim=-1)
    roped = (x.float() * cos) + (rotated.float() * sin)
    return roped.to(dtype=x.dtype)


def mlx_not_traditional(x: Tensor, angles: Tensor) -> Tensor:
    """mlx's RoPE with traditional=False: an output like x, its halves filled."""
    half = x.shape[-1] // 2
    cos, sin = angles.cos(), angles.sin()
    x1, x2 = x[..., :half].float(), x[..., half:].float()
    out = torch.zeros_like(x)
    out[..., :half] = x1 * cos - x2 * sin
    out[..., half:] = x1 * sin + x2 * cos
    return out


RIGHT = {
    "sinusoidal_positions": [
        annotated_transformer,
        dive_into_deep_learning,
        attention_is_all_you_need_pytorch,
        loop_over_pairs,
    ],
    "rotate_2d": [by_a_matrix, by_a_complex_number, by_the_direction],
    "rope_frequencies": [metas, hugging_faces, llama2_c, mlx],
    "rope_angles": [metas_outer, torchtunes_einsum, hugging_faces_matmul],
    "apply_rope": [metas_apply_rotary_emb, gpt_j, torchtunes, mlx_traditional, llama2_c_python],
    "apply_rope_complex": [metas_in_one_line, with_exp, deepseeks],
    "interleaved_to_half": [convert_llama_weights, viewed_and_transposed, by_index],
    "apply_rope_half": [hugging_faces_rotate_half, nano_vllm, lit_gpt, mlx_not_traditional],
}
