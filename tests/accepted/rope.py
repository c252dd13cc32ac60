"""Lab 03: right answers, written differently."""

import math

import numpy as np
import torch
from torch import Tensor

# 3.1


def sinusoids_annotated(seq_len: int, dim: int, base: float = 10_000.0) -> Tensor:
    """The Annotated Transformer: exp and log, written into a table of zeros."""
    table = torch.zeros(seq_len, dim)
    position = torch.arange(0, seq_len).unsqueeze(1)
    div_term = torch.exp(torch.arange(0, dim, 2) * -(math.log(base) / dim))
    table[:, 0::2] = torch.sin(position * div_term)
    table[:, 1::2] = torch.cos(position * div_term)
    return table


def sinusoids_complex(seq_len: int, dim: int, base: float = 10_000.0) -> Tensor:
    """The imaginary and the real part of e^(i m θ)."""
    angles = torch.outer(torch.arange(seq_len).float(), base ** (-torch.arange(0, dim, 2) / dim))
    return torch.view_as_real(torch.polar(torch.ones_like(angles), angles)).flip(-1).flatten(1)


def sinusoids_phase(seq_len: int, dim: int, base: float = 10_000.0) -> Tensor:
    """A cosine is a sine a quarter turn ahead."""
    column = torch.arange(dim)
    angle = torch.arange(seq_len)[:, None] / base ** (2 * (column // 2) / dim)
    return torch.sin(angle + (column % 2) * math.pi / 2)


def sinusoids_numpy(seq_len: int, dim: int, base: float = 10_000.0) -> Tensor:
    """In numpy, in float64, as in the classic blog post."""
    table = np.zeros((seq_len, dim))
    for k in range(seq_len):
        for i in range(dim // 2):
            denominator = np.power(base, 2 * i / dim)
            table[k, 2 * i] = np.sin(k / denominator)
            table[k, 2 * i + 1] = np.cos(k / denominator)
    return torch.from_numpy(table).float()


def sinusoids_recurrence(seq_len: int, dim: int, base: float = 10_000.0) -> Tensor:
    """Each row is the row before, turned one step, in float64."""
    theta = torch.tensor([base ** (-2 * i / dim) for i in range(dim // 2)], dtype=torch.float64)
    step, row, rows = torch.exp(1j * theta), torch.ones(dim // 2, dtype=torch.complex128), []
    for _ in range(seq_len):
        rows.append(torch.stack((row.imag, row.real), dim=-1).flatten())
        row = row * step
    return torch.stack(rows).float()


# 3.2


def turn_matrix(v: Tensor, angle: Tensor) -> Tensor:
    """The matrix [[cos, -sin], [sin, cos]] times v, by einsum."""
    cos, sin = angle.float().cos(), angle.float().sin()
    matrix = torch.stack((torch.stack((cos, -sin), -1), torch.stack((sin, cos), -1)), -2)
    wide = torch.promote_types(v.dtype, torch.float32)
    return torch.einsum("...ij,...j->...i", matrix.to(wide), v.to(wide)).to(v.dtype)


def turn_complex(v: Tensor, angle: Tensor) -> Tensor:
    """Multiply by e^(i angle)."""
    wide = v.double() if v.dtype == torch.float64 else v.float()
    turned = torch.view_as_complex(wide.contiguous()) * torch.exp(1j * angle)
    return torch.view_as_real(turned).to(v.dtype)


def turn_polar(v: Tensor, angle: Tensor) -> Tensor:
    """Length and direction; the angle is added to the direction."""
    x, y = v.float()[..., 0], v.float()[..., 1]
    length, direction = torch.sqrt(x * x + y * y), torch.atan2(y, x) + angle
    return torch.stack((length * direction.cos(), length * direction.sin()), dim=-1).to(v.dtype)


def turn_perpendicular(v: Tensor, angle: Tensor) -> Tensor:
    """cos times v plus sin times the perpendicular vector."""
    across = torch.stack((-v[..., 1], v[..., 0]), dim=-1)
    angle = angle[..., None].float()
    return (angle.cos() * v + angle.sin() * across).to(v.dtype)


def turn_shears(v: Tensor, angle: Tensor) -> Tensor:
    """Three shears, in float64."""
    x, y = v.double().unbind(-1)
    angle = torch.remainder(angle.double() + math.pi, 2 * math.pi) - math.pi
    t, s = torch.tan(angle / 2), torch.sin(angle)
    x = x - t * y
    y = y + s * x
    return torch.stack((x - t * y, y), dim=-1).to(v.dtype)


# 3.3


def frequencies_meta(head_dim: int, base: float = 10_000.0) -> Tensor:
    """Meta's precompute_freqs_cis."""
    return 1.0 / (base ** (torch.arange(0, head_dim, 2)[: (head_dim // 2)].float() / head_dim))


def frequencies_exponential(head_dim: int, base: float = 10_000.0) -> Tensor:
    """exp of multiples of -log(base)."""
    return torch.exp(-math.log(base) * torch.arange(0, head_dim, 2) / head_dim)


def frequencies_logspace(head_dim: int, base: float = 10_000.0) -> Tensor:
    """Torch's own logspace."""
    return torch.logspace(0, -(head_dim - 2) / head_dim, head_dim // 2, base=base)


def frequencies_geometric(head_dim: int, base: float = 10_000.0) -> Tensor:
    """Each a constant factor smaller than the one before, in float64."""
    ratio, theta, found = base ** (-2 / head_dim), 1.0, []
    for _ in range(head_dim // 2):
        found.append(theta)
        theta *= ratio
    return torch.tensor(found)


def frequencies_pow(head_dim: int, base: float = 10_000.0) -> Tensor:
    """torch.pow in float64, then float32."""
    i = torch.arange(head_dim // 2, dtype=torch.float64)
    return torch.pow(torch.tensor(base, dtype=torch.float64), -2 * i / head_dim).to(torch.float32)


# 3.4


def angles_outer(positions: Tensor, frequencies: Tensor) -> Tensor:
    """torch.outer, as Meta does."""
    return torch.outer(positions, frequencies)


def angles_matmul(positions: Tensor, frequencies: Tensor) -> Tensor:
    """A matrix product of a column and a row, as Hugging Face does."""
    return positions.float().unsqueeze(1) @ frequencies.float().unsqueeze(0)


def angles_einsum(positions: Tensor, frequencies: Tensor) -> Tensor:
    """einsum."""
    return torch.einsum("t,f->tf", positions.to(frequencies.dtype), frequencies)


def angles_rows(positions: Tensor, frequencies: Tensor) -> Tensor:
    """A loop over positions."""
    return torch.stack([position * frequencies for position in positions])


def angles_columns(positions: Tensor, frequencies: Tensor) -> Tensor:
    """The transpose of frequencies times positions, in float64."""
    return (frequencies.double()[:, None] * positions.double()).T.float()


# 3.5 and 3.6: neighbours


def rope_meta(x: Tensor, angles: Tensor) -> Tensor:
    """Meta's llama3 model.py: complex numbers."""
    pairs = torch.view_as_complex(x.float().reshape(*x.shape[:-1], -1, 2))
    return (
        torch.view_as_real(pairs * torch.polar(torch.ones_like(angles), angles))
        .flatten(-2)
        .type_as(x)
    )


def rope_torchtune(x: Tensor, angles: Tensor) -> Tensor:
    """Torchtune's RotaryPositionalEmbeddings: reshape to (..., d/2, 2), stack, flatten."""
    shaped = x.float().reshape(*x.shape[:-1], -1, 2)
    cache = torch.stack([torch.cos(angles), torch.sin(angles)], dim=-1)
    out = torch.stack(
        [
            shaped[..., 0] * cache[..., 0] - shaped[..., 1] * cache[..., 1],
            shaped[..., 1] * cache[..., 0] + shaped[..., 0] * cache[..., 1],
        ],
        -1,
    )
    return out.flatten(-2).type_as(x)


def rope_elementwise(x: Tensor, angles: Tensor) -> Tensor:
    """RoFormer's equation 34: x · cos + (x with neighbours exchanged, every first negated) · sin."""
    wide = x.to(torch.promote_types(x.dtype, torch.float32))
    crossed = torch.stack((-wide[..., 1::2], wide[..., ::2]), dim=-1).reshape(wide.shape)
    cos, sin = (part.repeat_interleave(2, dim=-1) for part in (angles.cos(), angles.sin()))
    return (wide * cos + crossed * sin).to(x.dtype)


def rope_huggingface_permuted(x: Tensor, angles: Tensor) -> Tensor:
    """Hugging Face's rotate_half between two permutations."""
    shape = x.shape
    halves = x.float().unflatten(-1, (-1, 2)).transpose(-1, -2).reshape(shape)
    cos, sin = torch.cat((angles, angles), -1).cos(), torch.cat((angles, angles), -1).sin()
    a, b = halves.chunk(2, dim=-1)
    turned = halves * cos + torch.cat((-b, a), dim=-1) * sin
    return turned.unflatten(-1, (2, -1)).transpose(-1, -2).reshape(shape).to(x.dtype)


def rope_matrices(x: Tensor, angles: Tensor) -> Tensor:
    """A block-diagonal d × d matrix for each position, RoFormer's equation 15, and einsum."""
    places = 2 * torch.arange(angles.shape[1], device=x.device)
    cos, sin = angles.double().cos(), angles.double().sin()
    matrix = x.new_zeros((*angles.shape[:1], x.shape[-1], x.shape[-1]), dtype=torch.float64)
    matrix[:, places, places] = cos
    matrix[:, places, places + 1] = -sin
    matrix[:, places + 1, places] = sin
    matrix[:, places + 1, places + 1] = cos
    return torch.einsum("tij,...tj->...ti", matrix, x.double()).to(x.dtype)


def rope_polar(x: Tensor, angles: Tensor) -> Tensor:
    """Length and direction of each pair; the angle is added to the direction."""
    a, b = x.float().unflatten(-1, (-1, 2)).unbind(-1)
    length, direction = torch.hypot(a, b), torch.atan2(b, a) + angles
    pairs = torch.stack((length * direction.cos(), length * direction.sin()), dim=-1)
    return pairs.flatten(-2).to(x.dtype)


def rope_written_into(x: Tensor, angles: Tensor) -> Tensor:
    """Written into an empty result."""
    result, wide = torch.empty_like(x), x.float()
    cos, sin = angles.cos(), angles.sin()
    result[..., 0::2] = (wide[..., 0::2] * cos - wide[..., 1::2] * sin).to(x.dtype)
    result[..., 1::2] = (wide[..., 0::2] * sin + wide[..., 1::2] * cos).to(x.dtype)
    return result


def rope_pair_by_pair(x: Tensor, angles: Tensor) -> Tensor:
    """A loop over pairs."""
    columns = []
    for i in range(angles.shape[-1]):
        c, s = torch.cos(angles[:, i]), torch.sin(angles[:, i])
        a, b = x[..., 2 * i].float(), x[..., 2 * i + 1].float()
        columns += [a * c - b * s, a * s + b * c]
    return torch.stack(columns, dim=-1).to(x.dtype)


def rope_exponential(x: Tensor, angles: Tensor) -> Tensor:
    """torch.complex and exp(i·angle), in double precision."""
    z = torch.complex(x[..., 0::2].double(), x[..., 1::2].double()) * torch.exp(
        1j * angles.double()
    )
    return torch.stack((z.real, z.imag), dim=-1).reshape(x.shape).to(x.dtype)


# 3.7


def halves_unflatten(x: Tensor) -> Tensor:
    """A matrix of d/2 rows and two columns, transposed."""
    return x.unflatten(-1, (-1, 2)).transpose(-1, -2).flatten(-2)


def halves_index(x: Tensor) -> Tensor:
    """One index with all the places."""
    return x[..., torch.arange(x.shape[-1], device=x.device).reshape(-1, 2).T.flatten()]


def halves_matrix(x: Tensor) -> Tensor:
    """A permutation matrix."""
    d = x.shape[-1]
    places = [*range(0, d, 2), *range(1, d, 2)]
    return x @ torch.eye(d, dtype=x.dtype, device=x.device)[:, places]


def halves_select(x: Tensor) -> Tensor:
    """index_select."""
    d = x.size(-1)
    places = torch.tensor([(2 * j) % d + (2 * j) // d for j in range(d)], device=x.device)
    return torch.index_select(x, -1, places)


def halves_huggingface(x: Tensor) -> Tensor:
    """The view, transpose and reshape of Hugging Face's conversion script."""
    return x.reshape(*x.shape[:-1], x.shape[-1] // 2, 2).transpose(-2, -1).reshape(x.shape)


def halves_strided(x: Tensor) -> Tensor:
    """The odd places rolled behind the even ones, one by one."""
    return torch.stack(x.unbind(-1)[::2] + x.unbind(-1)[1::2], dim=-1)


# 3.8


def rope_half_huggingface(x: Tensor, angles: Tensor) -> Tensor:
    """Hugging Face's apply_rotary_pos_emb, in float32."""

    def rotate_half(x: Tensor) -> Tensor:
        x1, x2 = x[..., : x.shape[-1] // 2], x[..., x.shape[-1] // 2 :]
        return torch.cat((-x2, x1), dim=-1)

    emb = torch.cat((angles, angles), dim=-1)
    return ((x.float() * emb.cos()) + (rotate_half(x.float()) * emb.sin())).to(x.dtype)


def rope_half_complex(x: Tensor, angles: Tensor) -> Tensor:
    """One half is the real part, the other the imaginary part."""
    a, b = x.float().chunk(2, dim=-1)
    z = torch.complex(a, b) * torch.polar(torch.ones_like(angles), angles)
    return torch.cat((z.real, z.imag), dim=-1).to(x.dtype)


def rope_half_unpermuted(x: Tensor, angles: Tensor) -> Tensor:
    """Back to neighbours, turned as there, and to halves again."""
    neighbours = x.unflatten(-1, (2, -1)).transpose(-1, -2).flatten(-2)
    return halves_unflatten(rope_meta(neighbours, angles))


def rope_half_einsum(x: Tensor, angles: Tensor) -> Tensor:
    """A 2 × 2 matrix a pair, and einsum over the two halves."""
    cos, sin = angles.float().cos(), angles.float().sin()
    matrix = torch.stack((torch.stack((cos, -sin)), torch.stack((sin, cos))))  # (2, 2, T, d/2)
    halves = x.float().unflatten(-1, (2, -1))
    return torch.einsum("ijtp,...tjp->...tip", matrix, halves).flatten(-2).to(x.dtype)


def rope_half_rolled(x: Tensor, angles: Tensor) -> Tensor:
    """The partner by a roll of half a turn, its sign by a mask."""
    half, wide = x.shape[-1] // 2, x.float()
    sign = torch.ones(x.shape[-1], device=x.device)
    sign[:half] = -1
    both = angles.repeat(1, 2)
    return (wide * both.cos() + sign * wide.roll(half, dims=-1) * both.sin()).to(x.dtype)


def rope_half_positions(x: Tensor, angles: Tensor) -> Tensor:
    """A loop over positions."""
    rows = []
    for t, row in enumerate(angles):
        a, b = x[..., t, :].float().tensor_split(2, dim=-1)
        c, s = row.cos(), row.sin()
        rows.append(torch.cat([a * c - b * s, b * c + a * s], dim=-1))
    return torch.stack(rows, dim=-2).to(x.dtype)


NEIGHBOURS = [
    rope_meta,
    rope_torchtune,
    rope_elementwise,
    rope_huggingface_permuted,
    rope_matrices,
    rope_polar,
    rope_written_into,
    rope_pair_by_pair,
    rope_exponential,
]
ACCEPTED = {
    "sinusoidal_positions": [
        sinusoids_annotated,
        sinusoids_complex,
        sinusoids_phase,
        sinusoids_numpy,
        sinusoids_recurrence,
    ],
    "rotate_2d": [turn_matrix, turn_complex, turn_polar, turn_perpendicular, turn_shears],
    "rope_frequencies": [
        frequencies_meta,
        frequencies_exponential,
        frequencies_logspace,
        frequencies_geometric,
        frequencies_pow,
    ],
    "rope_angles": [angles_outer, angles_matmul, angles_einsum, angles_rows, angles_columns],
    "apply_rope": NEIGHBOURS,
    "apply_rope_complex": NEIGHBOURS,
    "interleaved_to_half": [
        halves_unflatten,
        halves_index,
        halves_matrix,
        halves_select,
        halves_huggingface,
        halves_strided,
    ],
    "apply_rope_half": [
        rope_half_huggingface,
        rope_half_complex,
        rope_half_unpermuted,
        rope_half_einsum,
        rope_half_rolled,
        rope_half_positions,
    ],
}

# What the browser test types into an exercise cell: exercise, source, key of the mistake.
TYPED = (
    "3.5",
    """def apply_rope(x, angles):
    a, b = x.float().chunk(2, dim=-1)
    cos, sin = angles.cos(), angles.sin()
    return torch.cat((a * cos - b * sin, a * sin + b * cos), dim=-1).to(x.dtype)
""",
    "half_split",
)
