"""Lab 07: right answers, written differently."""

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F


def swish_paper(x: Tensor, beta: float = 1.0) -> Tensor:
    """The paper's formula with torch.sigmoid, in x's own dtype."""
    return x * torch.sigmoid(beta * x)


def swish_silu(x: Tensor, beta: float = 1.0) -> Tensor:
    """By F.silu, with β = 0 by itself."""
    return x / 2 if beta == 0 else F.silu(beta * x) / beta


def swish_tanh(x: Tensor, beta: float = 1.0) -> Tensor:
    """The sigmoid by a tanh of half the argument, in float64."""
    wide = x.double()
    return (0.5 * wide * (1 + torch.tanh(beta * wide / 2))).to(x.dtype)


def swish_softplus(x: Tensor, beta: float = 1.0) -> Tensor:
    """The sigmoid as exp(-softplus(-z)), in float32."""
    wide = x.to(torch.promote_types(x.dtype, torch.float32))
    return (wide * torch.exp(-F.softplus(-beta * wide))).type_as(x)


def swish_two_sides(x: Tensor, beta: float = 1.0) -> Tensor:
    """Numerically safe by hand: exp only of what is not positive."""
    wide = x.double()
    z = beta * wide
    small = torch.exp(-torch.where(z >= 0, z, -z))
    gate = torch.where(z >= 0, 1 / (1 + small), small / (1 + small))
    return (wide * gate).to(x.dtype)


def swish_loop(x: Tensor, beta: float = 1.0) -> Tensor:
    """A loop over the numbers."""
    gates = [torch.special.expit(beta * number) for number in x.double().reshape(-1)]
    return (x.double() * torch.stack(gates).reshape(x.shape)).to(x.dtype)


def glu_paper(gate: Tensor, value: Tensor) -> Tensor:
    """The formula, in the inputs' own dtype."""
    return gate.sigmoid() * value


def glu_builtin(gate: Tensor, value: Tensor) -> Tensor:
    """F.glu, whose gate is the second half."""
    return F.glu(torch.cat((value, gate), dim=-1), dim=-1)


def glu_softplus(gate: Tensor, value: Tensor) -> Tensor:
    """A division: value / exp(softplus(-gate)), in float64."""
    return (value.double() * torch.exp(F.logsigmoid(gate.double()))).to(value.dtype)


def glu_einsum(gate: Tensor, value: Tensor) -> Tensor:
    """The product by einsum."""
    return torch.einsum("...f,...f->...f", torch.sigmoid(gate), value)


def glu_lerp(gate: Tensor, value: Tensor) -> Tensor:
    """The gate as a mixture of nothing and the value."""
    return torch.lerp(torch.zeros_like(value), value, torch.sigmoid(gate))


def swiglu_meta(x: Tensor, w_gate: Tensor, w_up: Tensor, w_down: Tensor) -> Tensor:
    """Meta's llama3 model.py, with F.linear and F.silu."""
    return F.linear(F.silu(F.linear(x, w_gate)) * F.linear(x, w_up), w_down)


def swiglu_matmul(x: Tensor, w_gate: Tensor, w_up: Tensor, w_down: Tensor) -> Tensor:
    """The formula with @, in the inputs' own dtype."""
    gate = x @ w_gate.T
    return (gate * torch.sigmoid(gate) * (x @ w_up.T)) @ w_down.T


def swiglu_fused(x: Tensor, w_gate: Tensor, w_up: Tensor, w_down: Tensor) -> Tensor:
    """vLLM's way: one matrix for gate and up, then silu-and-mul of the halves."""
    gate, up = F.linear(x, torch.cat((w_gate, w_up))).chunk(2, dim=-1)
    return F.linear(F.silu(gate) * up, w_down)


def swiglu_einsum(x: Tensor, w_gate: Tensor, w_up: Tensor, w_down: Tensor) -> Tensor:
    """Everything by einsum, in float64."""
    x_, g, u, d = (tensor.double() for tensor in (x, w_gate, w_up, w_down))
    gate, up = (torch.einsum("...d,fd->...f", x_, w) for w in (g, u))
    return torch.einsum("...f,...f,df->...d", F.silu(gate), up, d).to(x.dtype)


def swiglu_units(x: Tensor, w_gate: Tensor, w_up: Tensor, w_down: Tensor) -> Tensor:
    """A sum over hidden units, in float32 at least."""
    wide = x.to(torch.promote_types(x.dtype, torch.float32))
    out = 0
    for f in range(w_gate.shape[0]):
        gate, up = (wide * w_gate[f]).sum(-1), (wide * w_up[f]).sum(-1)
        out = out + (F.silu(gate) * up).unsqueeze(-1) * w_down[:, f]
    return out.to(x.dtype)


def swiglu_in_place(x: Tensor, w_gate: Tensor, w_up: Tensor, w_down: Tensor) -> Tensor:
    """In place on its own intermediate results only."""
    hidden = torch.nn.functional.silu(x.matmul(w_gate.t()), inplace=True)
    return (hidden * x.matmul(w_up.t())).matmul(w_down.t())


def hidden_meta(dim: int, multiple_of: int = 256, multiplier: float | None = None) -> int:
    """Meta's llama3 model.py."""
    hidden_dim = int(2 * (4 * dim) / 3)
    if multiplier is not None:
        hidden_dim = int(multiplier * hidden_dim)
    return multiple_of * ((hidden_dim + multiple_of - 1) // multiple_of)


def hidden_hugging_face(dim: int, multiple_of: int = 256, multiplier: float | None = None) -> int:
    """Hugging Face's compute_intermediate_size, with a multiplier of 1 for none."""
    factor = multiplier or 1
    return multiple_of * ((int(factor * int(8 * dim / 3)) + multiple_of - 1) // multiple_of)


def hidden_ceil(dim: int, multiple_of: int = 256, multiplier: float | None = None) -> int:
    """math.floor and math.ceil."""
    hidden = math.floor(8 * dim / 3)
    hidden = hidden if multiplier is None else math.floor(hidden * multiplier)
    return math.ceil(hidden / multiple_of) * multiple_of


def hidden_negative(dim: int, multiple_of: int = 256, multiplier: float | None = None) -> int:
    """Whole numbers, and the trick with two minus signs."""
    hidden = 8 * dim // 3
    if multiplier:
        hidden = int(hidden * multiplier)
    return -(-hidden // multiple_of) * multiple_of


def hidden_remainder(dim: int, multiple_of: int = 256, multiplier: float | None = None) -> int:
    """By the remainder."""
    hidden = int(4 * dim * 2 / 3)
    if multiplier is not None:
        hidden = int(multiplier * hidden)
    return hidden + (-hidden) % multiple_of


class ModuleMeta(nn.Module):
    """Meta's FeedForward."""

    def __init__(self, dim: int, hidden_dim: int) -> None:
        super().__init__()
        self.w_gate = nn.Linear(dim, hidden_dim, bias=False)
        self.w_down = nn.Linear(hidden_dim, dim, bias=False)
        self.w_up = nn.Linear(dim, hidden_dim, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        return self.w_down(F.silu(self.w_gate(x)) * self.w_up(x))


class ModuleHuggingFace(nn.Module):
    """Hugging Face's LlamaMLP, with its activation as a module."""

    def __init__(self, hidden_size: int, intermediate_size: int) -> None:
        super().__init__()
        self.hidden_size, self.intermediate_size = hidden_size, intermediate_size
        self.w_gate = nn.Linear(hidden_size, intermediate_size, bias=False)
        self.w_up = nn.Linear(hidden_size, intermediate_size, bias=False)
        self.w_down = nn.Linear(intermediate_size, hidden_size, bias=False)
        self.act_fn = nn.SiLU()

    def forward(self, x: Tensor) -> Tensor:
        return self.w_down(self.act_fn(self.w_gate(x)) * self.w_up(x))


class ModuleFunction(nn.Module):
    """The function of 7.3 with the three weights; another start of its own."""

    def __init__(self, dim: int, hidden_dim: int) -> None:
        super().__init__()
        for name, size in (("w_gate", (dim, hidden_dim)), ("w_up", (dim, hidden_dim))):
            setattr(self, name, nn.Linear(*size, bias=False))
        self.w_down = nn.Linear(hidden_dim, dim, bias=False)
        for linear in (self.w_gate, self.w_up):
            nn.init.trunc_normal_(linear.weight, std=0.02)
        nn.init.zeros_(self.w_down.weight)

    def forward(self, x: Tensor) -> Tensor:
        return swiglu_matmul(x, self.w_gate.weight, self.w_up.weight, self.w_down.weight)


class ModuleFused(nn.Module):
    """One product for both branches, from two weights."""

    def __init__(self, dim: int, hidden_dim: int) -> None:
        super().__init__()
        self.w_gate = nn.Linear(dim, hidden_dim, False)
        self.w_up = nn.Linear(dim, hidden_dim, False)
        self.w_down = nn.Linear(hidden_dim, dim, False)

    def forward(self, x: Tensor) -> Tensor:
        return swiglu_fused(x, self.w_gate.weight, self.w_up.weight, self.w_down.weight)


class Weight(nn.Module):
    """A matrix without nn.Linear."""

    def __init__(self, rows: int, columns: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(rows, columns) / columns**0.5)


class ModuleOwnWeights(nn.Module):
    """Matrices of its own making, with the same names and shapes."""

    def __init__(self, dim: int, hidden_dim: int) -> None:
        super().__init__()
        self.w_gate, self.w_up = Weight(hidden_dim, dim), Weight(hidden_dim, dim)
        self.w_down = Weight(dim, hidden_dim)

    def forward(self, x: Tensor) -> Tensor:
        return swiglu_units(x, self.w_gate.weight, self.w_up.weight, self.w_down.weight)


ACCEPTED = {
    "swish": [
        swish_paper,
        swish_silu,
        swish_tanh,
        swish_softplus,
        swish_two_sides,
        swish_loop,
    ],
    "glu": [glu_paper, glu_builtin, glu_softplus, glu_einsum, glu_lerp],
    "swiglu": [
        swiglu_meta,
        swiglu_matmul,
        swiglu_fused,
        swiglu_einsum,
        swiglu_units,
        swiglu_in_place,
    ],
    "ffn_hidden_dim": [
        hidden_meta,
        hidden_hugging_face,
        hidden_ceil,
        hidden_negative,
        hidden_remainder,
    ],
    "SwiGLU": [ModuleMeta, ModuleHuggingFace, ModuleFunction, ModuleFused, ModuleOwnWeights],
}

# What the browser test types into an exercise cell: exercise, source, key of the mistake.
TYPED = (
    "7.3",
    """def swiglu(x, w_gate, w_up, w_down):
    gate, up = x @ w_gate.T, x @ w_up.T
    return torch.nn.functional.silu(gate * up) @ w_down.T
""",
    "bracket",
)
