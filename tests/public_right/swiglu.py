"""Lab 07: right answers in the ways of public code."""

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn


# swish
def timm(x: Tensor, beta: float = 1.0) -> Tensor:
    """timm's swish: x.mul(x.sigmoid())."""
    return x.mul(x.mul(beta).sigmoid())


def silu_for_one(x: Tensor, beta: float = 1.0) -> Tensor:
    """Keras's and flax's silu where beta is 1, and the formula elsewhere."""
    if beta == 1.0:
        return F.silu(x)
    return x * F.sigmoid(beta * x)


class _MemoryEfficient(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, beta):
        ctx.save_for_backward(x)
        ctx.beta = beta
        return x * torch.sigmoid(beta * x)

    @staticmethod
    def backward(ctx, grad):
        (x,) = ctx.saved_tensors
        gate = torch.sigmoid(ctx.beta * x)
        return grad * (gate * (1 + ctx.beta * x * (1 - gate))), None


def efficientnet(x: Tensor, beta: float = 1.0) -> Tensor:
    """EfficientNet-PyTorch's MemoryEfficientSwish: an autograd.Function with its own backward."""
    return _MemoryEfficient.apply(x, beta)


def ds4(x: Tensor, beta: float = 1.0) -> Tensor:
    """ds4's and tiny-llm's stable sigmoid, by the sign: exp of what is never positive."""
    wide = x.float()
    z = torch.exp(-torch.abs(beta * wide))
    gate = torch.where(beta * wide >= 0, 1 / (1 + z), z / (1 + z))
    return (wide * gate).to(x.dtype)


# glu
def torchs_own(gate: Tensor, value: Tensor) -> Tensor:
    """torch's F.glu, whose second half is the gate."""
    return F.glu(torch.cat([value, gate], dim=-1), dim=-1)


def fairseq(gate: Tensor, value: Tensor) -> Tensor:
    """value * gate.sigmoid(), as in lucidrains' code."""
    return value * gate.sigmoid()


def modern_flax(gate: Tensor, value: Tensor) -> Tensor:
    """jax.nn.glu's way: split one tensor, multiply."""
    x1, x2 = torch.stack((value, gate)).unbind(0)
    return x1 * F.sigmoid(x2)


# swiglu
def meta(x: Tensor, w_gate: Tensor, w_up: Tensor, w_down: Tensor) -> Tensor:
    """Meta's llama: w2(F.silu(w1(x)) * w3(x))."""
    return F.linear(F.silu(F.linear(x, w_gate)) * F.linear(x, w_up), w_down)


def xformers_packed(x: Tensor, w_gate: Tensor, w_up: Tensor, w_down: Tensor) -> Tensor:
    """xformers' and vLLM's: one matrix w12, whose result is cut in two."""
    x12 = F.linear(x, torch.cat([w_gate, w_up], dim=0))
    x1, x2 = x12.chunk(2, dim=-1)
    return F.linear(F.silu(x1) * x2, w_down)


def mesh_transformer(x: Tensor, w_gate: Tensor, w_up: Tensor, w_down: Tensor) -> Tensor:
    """The JAX codes' einsums."""
    gate = torch.einsum("...d,fd->...f", x, w_gate)
    up = torch.einsum("...d,fd->...f", x, w_up)
    hidden = gate * torch.sigmoid(gate) * up
    return torch.einsum("...f,df->...d", hidden, w_down)


def llama2_c(x: Tensor, w_gate: Tensor, w_up: Tensor, w_down: Tensor) -> Tensor:
    """llama2.c's run: hb and hb2, silu, the product."""
    hb = torch.matmul(x, w_gate.t())
    hb2 = torch.matmul(x, w_up.t())
    hb = F.silu(hb) * hb2
    return torch.matmul(hb, w_down.t())


# ffn_hidden_dim
def meta_hidden(dim: int, multiple_of: int = 256, multiplier: float | None = None) -> int:
    """Meta's llama, word by word: 4 * dim first, then two thirds."""
    hidden_dim = 4 * dim
    hidden_dim = int(2 * hidden_dim / 3)
    if multiplier is not None:
        hidden_dim = int(multiplier * hidden_dim)
    return multiple_of * ((hidden_dim + multiple_of - 1) // multiple_of)


def lit_llama(dim: int, multiple_of: int = 256, multiplier: float | None = None) -> int:
    """lit-llama's find_multiple: n if it divides, else n + k - (n % k)."""
    n_hidden = int(2 * 4 * dim / 3)
    if multiplier is not None:
        n_hidden = int(multiplier * n_hidden)
    if n_hidden % multiple_of == 0:
        return n_hidden
    return n_hidden + multiple_of - (n_hidden % multiple_of)


def first_lit_llama(dim: int, multiple_of: int = 256, multiplier: float | None = None) -> int:
    """The first lit-llama's ((n - 1) // N) * N + N."""
    n_hidden = int(2 * (4 * dim) / 3)
    n_hidden = int((1 if multiplier is None else multiplier) * n_hidden)
    return ((n_hidden - 1) // multiple_of) * multiple_of + multiple_of


def convert_llama(dim: int, multiple_of: int = 256, multiplier: float | None = None) -> int:
    """Hugging Face's convert_llama_weights_to_hf.compute_intermediate_size, with 1 for no factor."""
    factor = 1 if multiplier is None else multiplier
    return multiple_of * ((int(factor * int(8 * dim / 3)) + multiple_of - 1) // multiple_of)


def ceil_of_the_quotient(dim: int, multiple_of: int = 256, multiplier: float | None = None) -> int:
    """OLMo's and others' math.ceil(n / k) * k, and two thirds by //."""
    hidden = 8 * dim // 3
    if multiplier is not None:
        hidden = int(hidden * multiplier)
    return math.ceil(hidden / multiple_of) * multiple_of


# SwiGLU
class Meta(nn.Module):
    """Meta's llama, with the lab's names: the gate, then down, then up."""

    def __init__(self, dim: int, hidden_dim: int) -> None:
        super().__init__()
        self.w_gate = nn.Linear(dim, hidden_dim, bias=False)
        self.w_down = nn.Linear(hidden_dim, dim, bias=False)
        self.w_up = nn.Linear(dim, hidden_dim, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        return self.w_down(F.silu(self.w_gate(x)) * self.w_up(x))


class HuggingFace(nn.Module):
    """Hugging Face's LlamaMLP: hidden_size and intermediate_size kept, the activation a module."""

    def __init__(self, dim: int, hidden_dim: int) -> None:
        super().__init__()
        self.hidden_size = dim
        self.intermediate_size = hidden_dim
        self.w_gate = nn.Linear(self.hidden_size, self.intermediate_size, bias=False)
        self.w_up = nn.Linear(self.hidden_size, self.intermediate_size, bias=False)
        self.w_down = nn.Linear(self.intermediate_size, self.hidden_size, bias=False)
        self.act_fn = nn.SiLU()

    def forward(self, x: Tensor) -> Tensor:
        return self.w_down(self.act_fn(self.w_gate(x)) * self.w_up(x))


class Torchtune(nn.Module):
    """torchtune's FeedForward: h = activation(w1(x)), then h = h * w3(x), then w2."""

    def __init__(self, dim: int, hidden_dim: int) -> None:
        super().__init__()
        self.w_gate = nn.Linear(dim, hidden_dim, bias=False)
        self.w_up = nn.Linear(dim, hidden_dim, bias=False)
        self.w_down = nn.Linear(hidden_dim, dim, bias=False)
        self.activation = nn.SiLU()

    def forward(self, x: Tensor) -> Tensor:
        h = self.activation(self.w_gate(x))
        if self.w_up is not None:
            h = h * self.w_up(x)
        return self.w_down(h)


class Torchtitan(nn.Module):
    """torchtitan's and nanoGPT's: the weights drawn by trunc_normal_ with a small std."""

    def __init__(self, dim: int, hidden_dim: int) -> None:
        super().__init__()
        self.w_gate = nn.Linear(dim, hidden_dim, bias=False)
        self.w_up = nn.Linear(dim, hidden_dim, bias=False)
        self.w_down = nn.Linear(hidden_dim, dim, bias=False)
        nn.init.trunc_normal_(self.w_gate.weight, mean=0.0, std=0.02)
        for linear in (self.w_up, self.w_down):
            nn.init.trunc_normal_(linear.weight, mean=0.0, std=0.02 / math.sqrt(2 * 32))

    def forward(self, x: Tensor) -> Tensor:
        return self.w_down(F.silu(self.w_gate(x)) * self.w_up(x))


class Xformers(nn.Module):
    """xformers' packed forward over three layers: one product, unbind."""

    def __init__(self, dim: int, hidden_dim: int) -> None:
        super().__init__()
        self.w_gate = nn.Linear(dim, hidden_dim, bias=False)
        self.w_up = nn.Linear(dim, hidden_dim, bias=False)
        self.w_down = nn.Linear(hidden_dim, dim, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        w1w2 = torch.stack([self.w_gate.weight, self.w_up.weight])
        x1, x2 = F.linear(x, w1w2.flatten(0, 1)).unflatten(-1, (2, -1)).unbind(-2)
        return F.linear(F.silu(x1) * x2, self.w_down.weight)


RIGHT = {
    "swish": [timm, silu_for_one, efficientnet, ds4],
    "glu": [torchs_own, fairseq, modern_flax],
    "swiglu": [meta, xformers_packed, mesh_transformer, llama2_c],
    "ffn_hidden_dim": [
        meta_hidden,
        lit_llama,
        first_lit_llama,
        convert_llama,
        ceil_of_the_quotient,
    ],
    "SwiGLU": [Meta, HuggingFace, Torchtune, Torchtitan, Xformers],
}
