"""Lab 03: mistakes that people made in public, rewritten as answers to its exercises."""

import math

import torch
from torch import Tensor
from wrong_answers import Public


# sinusoidal_positions
def exponent_of_each_column(seq_len: int, dim: int, base: float = 10_000.0) -> Tensor:
    pe = torch.tensor(
        [[pos / base ** (2.0 * i / dim) for i in range(dim)] for pos in range(seq_len)]
    )
    pe[:, 0::2] = torch.sin(pe[:, 0::2])
    pe[:, 1::2] = torch.cos(pe[:, 1::2])
    return pe


def loop_in_steps_of_two_and_doubled(seq_len: int, dim: int, base: float = 10_000.0) -> Tensor:
    pe = torch.zeros(seq_len, dim)
    for pos in range(seq_len):
        for i in range(0, dim, 2):
            pe[pos, i] = math.sin(pos / base ** (2 * i / dim))
            pe[pos, i + 1] = math.cos(pos / base ** (2 * (i + 1) / dim))
    return pe


def cosines_one_step_further(seq_len: int, dim: int, base: float = 10_000.0) -> Tensor:
    pos = torch.arange(seq_len).unsqueeze(1)
    table = torch.zeros(seq_len, dim)
    table[:, 0::2] = torch.sin(
        pos / torch.pow(base, torch.arange(0, dim, 2, dtype=torch.float32) / dim)
    )
    table[:, 1::2] = torch.cos(
        pos / torch.pow(base, torch.arange(1, dim, 2, dtype=torch.float32) / dim)
    )
    return table


def base_in_the_exponent(seq_len: int, dim: int, base: float = 10_000.0) -> Tensor:
    exponents = torch.arange(0, dim, 2).float() / dim
    exponents = exponents ** (1 / base)
    angles = torch.arange(seq_len)[:, None] * exponents
    return torch.stack((angles.sin(), angles.cos()), dim=-1).flatten(1)


def floor_of_log_over_dim(seq_len: int, dim: int, base: float = 10_000.0) -> Tensor:
    half = dim // 2
    div_term = torch.exp(torch.arange(0, half).float() * (-math.log(base) / dim // 2))
    angles = torch.arange(seq_len).float()[:, None] * div_term
    pe = torch.zeros(seq_len, dim)
    pe[:, 0::2], pe[:, 1::2] = angles.sin(), angles.cos()
    return pe


def sines_then_cosines(seq_len: int, dim: int, base: float = 10_000.0) -> Tensor:
    scaled_time = torch.arange(seq_len).float()[:, None] * base ** (-torch.arange(0, dim, 2) / dim)
    return torch.cat([torch.sin(scaled_time), torch.cos(scaled_time)], 1)


def whole_number_division(seq_len: int, dim: int, base: float = 10_000.0) -> Tensor:
    rates = [base ** ((i - i % 2) // dim) for i in range(dim)]
    angles = torch.arange(seq_len)[:, None] / torch.tensor(rates)
    angles[:, 0::2], angles[:, 1::2] = angles[:, 0::2].sin(), angles[:, 1::2].cos()
    return angles


# rotate_2d
def x_overwritten(v: Tensor, angle: Tensor) -> Tensor:
    x, y = v[..., 0].float(), v[..., 1].float()
    ca, sa = torch.cos(angle), torch.sin(angle)
    x = x * ca - y * sa
    y = x * sa + y * ca
    return torch.stack([x, y], dim=-1).to(v.dtype)


def rows_for_columns(v: Tensor, angle: Tensor) -> Tensor:
    cos, sin = angle.float().cos(), angle.float().sin()
    first_column = torch.stack((cos, -sin), dim=-1)
    second_column = torch.stack((sin, cos), dim=-1)
    matrix = torch.stack((first_column, second_column), dim=-1)
    return (matrix @ v.float()[..., None]).squeeze(-1).to(v.dtype)


def x_for_y(v: Tensor, angle: Tensor) -> Tensor:
    x = v[..., 0].float()
    c, s = torch.cos(angle.float()), torch.sin(angle.float())
    return torch.stack((x * c - x * s, x * s + x * c), dim=-1).to(v.dtype)


def minus_twice(v: Tensor, angle: Tensor) -> Tensor:
    x, y = v.float().unbind(-1)
    c, s = angle.float().cos(), angle.float().sin()
    return torch.stack((x * c - y * s, x * s - y * c), dim=-1).to(v.dtype)


# rope_frequencies
def i_minus_one(head_dim: int, base: float = 10_000.0) -> Tensor:
    return torch.tensor([base ** (-2.0 * (i - 1) / head_dim) for i in range(head_dim // 2)])


def half_range_over_whole_dim(head_dim: int, base: float = 10_000.0) -> Tensor:
    return 1.0 / (base ** (torch.arange(0, head_dim // 2) / head_dim))


def compute_dtype(head_dim: int, base: float = 10_000.0) -> Tensor:
    exponents = 2.0 / head_dim * torch.arange(head_dim // 2, dtype=torch.float32).to(torch.bfloat16)
    return (1.0 / base**exponents).float()


def quantized_before_the_phase(head_dim: int, base: float = 10_000.0) -> Tensor:
    inv_freq = 1.0 / base ** (torch.arange(0, head_dim, 2).float() / head_dim)
    return inv_freq.to(torch.bfloat16).to(torch.float32)


def theta_of_llama_2(head_dim: int, base: float = 10_000.0) -> Tensor:
    theta = 10000
    return 1.0 / theta ** (torch.arange(0, head_dim, 2).float() / head_dim)


# rope_angles
def positions_in_bfloat16(positions: Tensor, frequencies: Tensor) -> Tensor:
    inv_freq = frequencies.bfloat16()
    t = positions.type_as(inv_freq)
    return torch.outer(t, inv_freq).float()


def no_offset(positions: Tensor, frequencies: Tensor) -> Tensor:
    seq_length = positions.shape[0]
    return torch.outer(torch.arange(seq_length).float(), frequencies)


def whole_window_at_the_first(positions: Tensor, frequencies: Tensor) -> Tensor:
    start = positions[0]
    return (start * frequencies).expand(len(positions), -1)


def doubled_for_rotate_half(positions: Tensor, frequencies: Tensor) -> Tensor:
    freqs = torch.einsum("i,j->ij", positions.float(), frequencies)
    return torch.cat((freqs, freqs), dim=-1)


# apply_rope
def neighbours_doubled_halves_turned(x: Tensor, angles: Tensor) -> Tensor:
    emb = angles.repeat_interleave(2, dim=-1)
    half = x.shape[-1] // 2
    x1, x2 = x[..., :half].float(), x[..., half:].float()
    rotated = torch.cat([-x2, x1], dim=-1)
    return (x.float() * emb.cos() + rotated * emb.sin()).to(x.dtype)


def halves_doubled_neighbours_turned(x: Tensor, angles: Tensor) -> Tensor:
    emb = torch.cat((angles, angles), dim=-1)
    x1, x2 = x.float().reshape(*x.shape[:-1], -1, 2).unbind(dim=-1)
    rotated = torch.stack((-x2, x1), dim=-1).reshape(x.shape)
    return (x.float() * emb.cos() + rotated * emb.sin()).to(x.dtype)


def rotate_half_of_neox(x: Tensor, angles: Tensor) -> Tensor:
    emb = torch.cat((angles, angles), dim=-1)
    x1, x2 = x[..., : x.shape[-1] // 2], x[..., x.shape[-1] // 2 :]
    rotated = torch.cat((-x2, x1), dim=x1.ndim - 1)
    return (x.float() * emb.cos() + rotated.float() * emb.sin()).to(x.dtype)


def transposed_rotation(x: Tensor, angles: Tensor) -> Tensor:
    cos, sin = angles.cos(), angles.sin()
    x1, x2 = x.float()[..., 0::2], x.float()[..., 1::2]
    y1 = x1 * cos + x2 * sin
    y2 = x1 * (-sin) + x2 * cos
    return torch.stack((y1, y2), dim=-1).flatten(-2).to(x.dtype)


def turns_the_heads(x: Tensor, angles: Tensor) -> Tensor:
    seq_len = x.shape[1] if x.dim() > 2 else x.shape[0]
    cos, sin = angles[:seq_len].cos(), angles[:seq_len].sin()
    if x.dim() > 2:
        cos, sin = cos[:, None, :], sin[:, None, :]
    a, b = x.float()[..., 0::2], x.float()[..., 1::2]
    return torch.stack((a * cos - b * sin, a * sin + b * cos), dim=-1).flatten(-2).to(x.dtype)


def tables_in_bfloat16(x: Tensor, angles: Tensor) -> Tensor:
    cos_cached, sin_cached = angles.cos().bfloat16(), angles.sin().bfloat16()
    x1, x2 = x[..., 0::2], x[..., 1::2]
    y = torch.stack((x1 * cos_cached - x2 * sin_cached, x1 * sin_cached + x2 * cos_cached), dim=-1)
    return y.flatten(-2).type_as(x)


def comes_back_as_float32(x: Tensor, angles: Tensor) -> Tensor:
    cos = angles.cos().repeat_interleave(2, dim=-1)
    sin = angles.sin().repeat_interleave(2, dim=-1)
    rotated = torch.stack((-x[..., 1::2], x[..., 0::2]), dim=-1).reshape(x.shape)
    return x * cos + rotated * sin


def in_the_dtype_of_the_query(x: Tensor, angles: Tensor) -> Tensor:
    cos, sin = angles.cos().to(x.dtype), angles.sin().to(x.dtype)
    a, b = x[..., ::2], x[..., 1::2]
    return torch.stack((a * cos - b * sin, b * cos + a * sin), dim=-1).flatten(-2)


def minus_without_a_swap(x: Tensor, angles: Tensor) -> Tensor:
    cos = angles.cos().repeat_interleave(2, dim=-1)
    sin = angles.sin().repeat_interleave(2, dim=-1)
    swapped = x.float().clone()
    swapped[..., 1::2] *= -1  # the sign, but nothing changes places
    return (x.float() * cos + swapped * sin).to(x.dtype)


# apply_rope_complex
def sequence_on_axis_1(x: Tensor, angles: Tensor) -> Tensor:
    x_ = torch.view_as_complex(x.float().reshape(*x.shape[:-1], -1, 2))
    freqs_cis = torch.polar(torch.ones_like(angles), angles)
    ndim = x_.ndim
    if ndim > 2:
        assert freqs_cis.shape == (x_.shape[1], x_.shape[-1])
        freqs_cis = freqs_cis.view(
            *[n if i in (1, ndim - 1) else 1 for i, n in enumerate(x_.shape)]
        )
    return torch.view_as_real(x_ * freqs_cis).flatten(-2).type_as(x)


def halves_as_complex(x: Tensor, angles: Tensor) -> Tensor:
    half = x.shape[-1] // 2
    z = torch.complex(x[..., :half].float(), x[..., half:].float())
    z = z * torch.polar(torch.ones_like(angles), angles)
    return torch.cat((z.real, z.imag), dim=-1).type_as(x)


def radius_only_on_the_cosine(x: Tensor, angles: Tensor) -> Tensor:
    a, b = x.float()[..., 0::2], x.float()[..., 1::2]
    r, phi = torch.hypot(a, b), torch.atan2(b, a)
    z = torch.complex(r * torch.cos(phi + angles), torch.sin(phi + angles))
    return torch.view_as_real(z).flatten(-2).to(x.dtype)


def complex_comes_back_as_float32(x: Tensor, angles: Tensor) -> Tensor:
    z = torch.view_as_complex(x.float().reshape(*x.shape[:-1], -1, 2))
    return torch.view_as_real(z * torch.exp(1j * angles)).flatten(-2)


# interleaved_to_half
def permute_the_other_way(x: Tensor) -> Tensor:
    d = x.shape[-1]
    return x.reshape(*x.shape[:-1], 2, d // 2).transpose(-1, -2).reshape(x.shape)


def left_as_they_are(x: Tensor) -> Tensor:
    return x.clone()


def with_rotate_half_at_once(x: Tensor) -> Tensor:
    x1, x2 = x[..., ::2], x[..., 1::2]
    return torch.cat((-x2, x1), dim=-1)


def sorted_head_by_head(x: Tensor) -> Tensor:
    n_heads = 2 if x.shape[-1] % 4 == 0 else 1
    heads = x.reshape(*x.shape[:-1], n_heads, -1, 2)
    return heads.transpose(-1, -2).reshape(x.shape)


# apply_rope_half
def neighbours_as_in_llama_cpp(x: Tensor, angles: Tensor) -> Tensor:
    cos, sin = torch.cos(angles), torch.sin(angles)
    even, odd = x[..., ::2].float(), x[..., 1::2].float()
    out = torch.empty(x.shape, dtype=torch.float32, device=x.device)
    out[..., ::2] = even * cos - odd * sin
    out[..., 1::2] = even * sin + odd * cos
    return out.to(x.dtype)


def adjacent_frequencies(x: Tensor, angles: Tensor) -> Tensor:
    emb = torch.repeat_interleave(angles, 2, dim=-1)
    x1, x2 = x.float().chunk(2, dim=-1)
    return (x.float() * emb.cos() + torch.cat((-x2, x1), dim=-1) * emb.sin()).to(x.dtype)


def sequence_before_the_heads(x: Tensor, angles: Tensor) -> Tensor:
    cos = torch.cat((angles, angles), dim=-1).cos()
    sin = torch.cat((angles, angles), dim=-1).sin()
    if x.dim() == 4:
        cos, sin = cos[: x.shape[1], None, :], sin[: x.shape[1], None, :]
    x1, x2 = x.float().chunk(2, dim=-1)
    return (x.float() * cos + torch.cat((-x2, x1), dim=-1) * sin).to(x.dtype)


def rows_of_the_batch(x: Tensor, angles: Tensor) -> Tensor:
    cos, sin = angles[: x.shape[0]].cos(), angles[: x.shape[0]].sin()
    half = x.shape[-1] // 2
    x1, x2 = x[..., :half].float(), x[..., half:].float()
    return torch.cat((x1 * cos - x2 * sin, x2 * cos + x1 * sin), dim=-1).to(x.dtype)


def odd_numbers_negated(x: Tensor, angles: Tensor) -> Tensor:
    emb = torch.cat((angles, angles), dim=-1)
    rotated = torch.stack((-x[..., 1::2], x[..., ::2]), dim=-1).flatten(-2)
    return (x.float() * emb.cos() + rotated.float() * emb.sin()).to(x.dtype)


PUBLIC = {
    "sinusoidal_positions": [
        Public(
            exponent_of_each_column,
            "Kyubyong/transformer#38",
            "every column has an exponent of its own, 2i/d with i counting columns instead of pairs",
            named=("columns_for_pairs",),
        ),
        Public(
            loop_in_steps_of_two_and_doubled,
            "SamLynnEvans/Transformer#25",
            "i already goes in steps of two and is doubled again, and the cosine has another exponent than its sine",
            named=("columns_for_pairs",),
        ),
        Public(
            cosines_one_step_further,
            "maxjcohen/transformer#62",
            "the cosines' exponents are those of the odd columns, (2i + 1)/d, not their sine's",
            named=("each_column_its_own",),
        ),
        Public(
            base_in_the_exponent,
            "ivanvovk/WaveGrad#12",
            "base and exponent are swapped: the exponents to the power of 1/base",
            named=("base_and_exponent_swapped",),
        ),
        Public(
            floor_of_log_over_dim,
            "zju3dv/LoFTR#41",
            "// binds from the left: log(base)/dim is divided by 2 and rounded down to a whole number",
            named=("floor_of_the_log",),
        ),
        Public(
            sines_then_cosines,
            "tensorops/TransformerX#115",
            "all sines, then all cosines",
            named=("halves",),
        ),
        Public(
            whole_number_division,
            "Kyubyong/transformer#81",
            "whole-number division makes all exponents 0: every pair has frequency 1",
            named=("integer_division",),
        ),
    ],
    "rotate_2d": [
        Public(
            x_overwritten,
            "DaVikingCode/Citrus-Engine#108",
            "the new x is used to compute the new y",
            named=("overwritten",),
        ),
        Public(
            rows_for_columns,
            "rustgd/cgmath#109",
            "the matrix is filled by columns as if by rows: turns clockwise",
            named=("clockwise",),
        ),
        Public(
            x_for_y,
            "blurymind/1dollar_gesture_recogniser#5",
            "x stands in all four places, y in none",
            named=("x_for_y",),
        ),
        Public(
            minus_twice,
            "angelsolaorbaiceta/Mechanics#1",
            "the second sign is a minus too",
            named=("minus_twice",),
        ),
    ],
    "rope_frequencies": [
        Public(
            i_minus_one,
            "bkitano/llama-from-scratch#8",
            "the paper's i - 1 with an i that starts at 0: the first exponent is +2/d",
            named=("one_pair_too_early",),
        ),
        Public(
            half_range_over_whole_dim,
            "rasbt/LLMs-from-scratch#410",
            "the exponents are i/d instead of 2i/d",
            named=("half_exponent",),
        ),
        Public(
            compute_dtype,
            "keras-team/keras-hub#1497",
            "the exponents are rounded to bfloat16",
            named=("exponents_in_half",),
        ),
        Public(
            quantized_before_the_phase,
            "sgl-project/sglang-jax#1472",
            "the frequencies are rounded to bfloat16",
            named=("in_half",),
        ),
        Public(
            theta_of_llama_2,
            "lyogavin/airllm#369",
            "10000 whatever base is",
            named=("ignores_base",),
        ),
    ],
    "rope_angles": [
        Public(
            positions_in_bfloat16,
            "nkalyanv99/UNI-D2#6",
            "positions and frequencies are rounded to bfloat16",
            named=("in_bfloat16",),
        ),
        Public(
            no_offset,
            "Blaizzy/mlx-vlm#1983",
            "positions are counted from 0, the given ones ignored",
            named=("positions_from_zero",),
        ),
        Public(
            whole_window_at_the_first,
            "jundot/omlx#2363",
            "all of them get the first one's position",
            named=("first_position_for_all",),
        ),
        Public(
            doubled_for_rotate_half,
            "NVIDIA-NeMo/Speech#6923",
            "every angle twice, (T, d)",
            named=("repeated_halves",),
        ),
    ],
    "apply_rope": [
        Public(
            neighbours_doubled_halves_turned,
            "raiyanyahya/how-to-train-your-gpt#6",
            "the angles belong to neighbours, the swap to halves: no rotation at all",
            named=("partners_in_halves",),
        ),
        Public(
            halves_doubled_neighbours_turned,
            "huggingface/transformers#47328",
            "the angles belong to halves, the swap to neighbours: no rotation at all",
            named=("angles_tiled",),
        ),
        Public(
            rotate_half_of_neox,
            "EleutherAI/gpt-neox#834",
            "pairs (i, i + d/2)",
            named=("half_split",),
        ),
        Public(
            transposed_rotation,
            "karpathy/nanochat#489",
            "turns the other way",
            named=("clockwise",),
        ),
        Public(
            turns_the_heads,
            "Om-Alve/smolGPT#22",
            "axis 1 is taken for the sequence: every head is turned by the angle of its number",
            named=("along_heads",),
        ),
        Public(
            tables_in_bfloat16,
            "KellerJordan/modded-nanogpt#39",
            "sine and cosine are rounded to bfloat16",
            named=("computes_in_half", "sines_in_bfloat16"),
        ),
        Public(
            comes_back_as_float32,
            "huggingface/pytorch-image-models#2794",
            "a bfloat16 x comes back as float32",
            named=("promotes",),
        ),
        Public(
            in_the_dtype_of_the_query,
            "vllm-project/vllm#863",
            "computed in x's dtype, not in float32",
            named=("computes_in_half",),
        ),
        Public(
            minus_without_a_swap,
            "jingyaogong/minimind#532",
            "every second number gets a minus, but the two of a pair do not change places",
            named=("no_partner",),
        ),
    ],
    "apply_rope_complex": [
        Public(
            sequence_on_axis_1,
            "tensorgi/TPA#4",
            "axis 1 is taken for the sequence, which is on axis -2",
            named=("sequence_on_axis_1",),
        ),
        Public(
            halves_as_complex,
            "GeeeekExplorer/nano-vllm#64",
            "pairs (i, i + d/2)",
            named=("half_split",),
        ),
        Public(
            radius_only_on_the_cosine,
            "makesmatheasy/makesmatheasy#552",
            "the length is multiplied with the cosine only, not with the sine",
            named=("length_on_the_cosine_only",),
        ),
        Public(
            complex_comes_back_as_float32,
            "huggingface/transformers#24262",
            "a float16 x comes back as float32",
            named=("float32",),
        ),
    ],
    "interleaved_to_half": [
        Public(
            permute_the_other_way,
            "meta-pytorch/gpt-fast#190",
            "the way back: from halves to neighbours",
            named=("inverse",),
        ),
        Public(
            left_as_they_are,
            "naklecha/llama3-from-scratch#20",
            "nothing is moved",
            named=("identity",),
        ),
        Public(
            with_rotate_half_at_once,
            "NVIDIA-NeMo/Speech#6923",
            "the second numbers in front, with a minus: a rotation by 90 degrees",
            named=("quarter_turn",),
        ),
        Public(
            sorted_head_by_head,
            "ggml-org/llama.cpp#2376",
            "the vector is taken for several heads, each sorted by itself",
            named=("head_by_head",),
        ),
    ],
    "apply_rope_half": [
        Public(
            neighbours_as_in_llama_cpp,
            "jzhang38/TinyLlama#24",
            "pairs of neighbours, not (i, i + d/2)",
            named=("neighbours",),
        ),
        Public(
            adjacent_frequencies,
            "raiyanyahya/how-to-train-your-gpt#7",
            "the angles belong to neighbours, the swap to halves: no rotation at all",
            named=("angles_in_pairs",),
        ),
        Public(
            sequence_before_the_heads,
            "rasbt/LLMs-from-scratch#411",
            "axis 1 is taken for the sequence: every head is turned by the angle of its number",
            named=("along_heads",),
        ),
        Public(
            rows_of_the_batch,
            "labmlai/annotated_deep_learning_paper_implementations#244",
            "as many positions are taken as the first axis is long",
            named=("positions_by_the_first_axis",),
        ),
        Public(
            odd_numbers_negated,
            "jingyaogong/minimind#532",
            "the swap is that of neighbours, the angles belong to halves",
            named=("partners_are_neighbours",),
        ),
    ],
}
