"""Lab 02: right answers in the ways of public code."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn


# batch_norm
def dive_into_deep_learning(x: Tensor, eps: float = 1e-5) -> Tensor:
    """Dive into Deep Learning's batch_norm: assert, mean, squares, torch.sqrt."""
    assert len(x.shape) == 2
    X = x.to(torch.float32)
    mean = X.mean(dim=0)
    var = ((X - mean) ** 2).mean(dim=0)
    return ((X - mean) / torch.sqrt(var + eps)).to(x.dtype)


def cs231n(x: Tensor, eps: float = 1e-5) -> Tensor:
    """CS231n's step by step: 1/N times the sum, sqrtvar, ivar."""
    N, _ = x.shape
    wide = x.float()
    mu = 1.0 / N * torch.sum(wide, dim=0)
    xmu = wide - mu
    var = 1.0 / N * torch.sum(xmu**2, dim=0)
    ivar = 1.0 / torch.sqrt(var + eps)
    return (xmu * ivar).type_as(x)


def torchs_own(x: Tensor, eps: float = 1e-5) -> Tensor:
    """torch's F.batch_norm in training without running averages; it refuses one sample, so that is done by hand."""
    if x.shape[0] == 1:
        return x - x
    return F.batch_norm(x.float(), None, None, training=True, eps=eps).to(x.dtype)


def var_mean(x: Tensor, eps: float = 1e-5) -> Tensor:
    """PyTorch's decompositions: var_mean with correction=0, then rsqrt."""
    computation = x.to(torch.float32)
    var, mean = torch.var_mean(computation, dim=0, correction=0, keepdim=True)
    return ((computation - mean) * torch.rsqrt(var + eps)).to(x.dtype)


# layer_norm
def nanogpt(x: Tensor, weight: Tensor, bias: Tensor, eps: float = 1e-5) -> Tensor:
    """nanoGPT's LayerNorm: F.layer_norm with weight and bias; all in float32."""
    return F.layer_norm(x.float(), weight.shape, weight.float(), bias.float(), eps).to(x.dtype)


def annotated_transformer(x: Tensor, weight: Tensor, bias: Tensor, eps: float = 1e-5) -> Tensor:
    """hyunwoongko's transformer, as it was put right: var(unbiased=False) and torch.sqrt."""
    h = x.float()
    mean = h.mean(-1, keepdim=True)
    var = h.var(-1, unbiased=False, keepdim=True)
    out = (h - mean) / torch.sqrt(var + eps)
    return (weight * out + bias).to(x.dtype)


def convnext(x: Tensor, weight: Tensor, bias: Tensor, eps: float = 1e-5) -> Tensor:
    """ConvNeXt's LayerNorm, with u and s."""
    input_dtype = x.dtype
    x = x.float()
    u = x.mean(-1, keepdim=True)
    s = (x - u).pow(2).mean(-1, keepdim=True)
    x = (x - u) / torch.sqrt(s + eps)
    return (weight.float() * x + bias.float()).to(dtype=input_dtype)


def llm_c(x: Tensor, weight: Tensor, bias: Tensor, eps: float = 1e-5) -> Tensor:
    """llm.c's layernorm.py: sum / C, xshift, rstd = var ** -0.5."""
    C = x.size(-1)
    wide = x.float()
    mean = wide.sum(-1, keepdim=True) / C
    xshift = wide - mean
    var = (xshift**2).sum(-1, keepdim=True) / C
    rstd = (var + eps) ** -0.5
    return (xshift * rstd * weight + bias).to(x.dtype)


def flax(x: Tensor, weight: Tensor, bias: Tensor, eps: float = 1e-5) -> Tensor:
    """Flax's fast variance: E[x²] - E[x]², at least 0, in float32."""
    wide = x.float()
    mean = wide.mean(-1, keepdim=True)
    mean2 = (wide * wide).mean(-1, keepdim=True)
    var = torch.clamp(mean2 - mean * mean, min=0.0)
    mul = torch.rsqrt(var + eps) * weight
    return ((wide - mean) * mul + bias).to(x.dtype)


# rms_norm
def meta(x: Tensor, weight: Tensor, eps: float = 1e-5) -> Tensor:
    """Meta's llama: type_as before the weight; and after it, since x's dtype is promised."""
    wide = x.float()
    output = (wide * torch.rsqrt(wide.pow(2).mean(-1, keepdim=True) + eps)).type_as(x)
    return (output * weight).type_as(x)


def hugging_face(x: Tensor, weight: Tensor, eps: float = 1e-5) -> Tensor:
    """Hugging Face's first LlamaRMSNorm: `variance`, and the weight inside the cast."""
    input_dtype = x.dtype
    hidden_states = x.to(torch.float32)
    variance = hidden_states.pow(2).mean(-1, keepdim=True)
    hidden_states = hidden_states * torch.rsqrt(variance + eps)
    return (weight * hidden_states).to(input_dtype)


def torchtune(x: Tensor, weight: Tensor, eps: float = 1e-5) -> Tensor:
    """Today's torchtune: torch's F.rms_norm in float32."""
    return F.rms_norm(x.float(), normalized_shape=weight.shape, weight=weight.float(), eps=eps).to(
        x.dtype
    )


def lit_gpt(x: Tensor, weight: Tensor, eps: float = 1e-5) -> Tensor:
    """lit-gpt's RMSNorm: torch.mean(x * x, dim=…)."""
    dtype = x.dtype
    x = x.float()
    norm_x = torch.mean(x * x, dim=-1, keepdim=True)
    x_normed = x * torch.rsqrt(norm_x + eps)
    return (x_normed * weight.float()).to(dtype=dtype)


def mistral_sqrt(x: Tensor, weight: Tensor, eps: float = 1e-5) -> Tensor:
    """TorchLeet's: divides by torch.sqrt(… + eps)."""
    wide = x.float()
    norm = torch.sqrt(wide.pow(2).mean(dim=-1, keepdim=True) + eps)
    return ((wide / norm) * weight).to(x.dtype)


def llama2_c(x: Tensor, weight: Tensor, eps: float = 1e-5) -> Tensor:
    """llama2.c's rmsnorm: ss += x²; ss /= size; ss += eps; ss = 1/sqrt(ss)."""
    size = x.shape[-1]
    wide = x.float()
    ss = (wide * wide).sum(-1, keepdim=True)
    ss = ss / size
    ss = ss + eps
    ss = 1.0 / torch.sqrt(ss)
    return (weight.float() * (ss * wide)).to(x.dtype)


# RMSNorm
class Meta(nn.Module):
    """Meta's llama: `_norm`, type_as."""

    def __init__(self, dim: int, eps: float = 1e-5) -> None:
        super().__init__()
        self.eps = eps
        self.weight = nn.Parameter(torch.ones(dim))

    def _norm(self, x: Tensor) -> Tensor:
        return x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + self.eps)

    def forward(self, x: Tensor) -> Tensor:
        output = self._norm(x.float()).type_as(x)
        return (output * self.weight).type_as(x)


class HuggingFace(nn.Module):
    """Hugging Face's: variance_epsilon, extra_repr; the weight is inside the cast."""

    def __init__(self, dim: int, eps: float = 1e-5) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(dim))
        self.variance_epsilon = eps

    def forward(self, x: Tensor) -> Tensor:
        input_dtype = x.dtype
        hidden_states = x.to(torch.float32)
        variance = hidden_states.pow(2).mean(-1, keepdim=True)
        hidden_states = hidden_states * torch.rsqrt(variance + self.variance_epsilon)
        return (self.weight * hidden_states).to(input_dtype)

    def extra_repr(self) -> str:
        return f"{tuple(self.weight.shape)}, eps={self.variance_epsilon}"


class Torchtitan(nn.Module):
    """torchtitan's: torch.empty and reset_parameters with nn.init.ones_."""

    def __init__(self, dim: int, eps: float = 1e-5) -> None:
        super().__init__()
        self.eps = eps
        self.weight = nn.Parameter(torch.empty(dim))
        self.reset_parameters()

    def forward(self, x: Tensor) -> Tensor:
        wide = x.float()
        return (
            wide * torch.rsqrt((wide * wide).mean(-1, keepdim=True) + self.eps) * self.weight
        ).to(x.dtype)

    def reset_parameters(self) -> None:
        nn.init.ones_(self.weight)


class TorchsOwn(nn.RMSNorm):
    """torch's nn.RMSNorm with another name, in float32."""

    def __init__(self, dim: int, eps: float = 1e-5) -> None:
        super().__init__(dim, eps=eps)

    def forward(self, x: Tensor) -> Tensor:
        return F.rms_norm(x.float(), self.normalized_shape, self.weight.float(), self.eps).to(
            x.dtype
        )


RIGHT = {
    "batch_norm": [dive_into_deep_learning, cs231n, torchs_own, var_mean],
    "layer_norm": [nanogpt, annotated_transformer, convnext, llm_c, flax],
    "rms_norm": [meta, hugging_face, torchtune, lit_gpt, mistral_sqrt, llama2_c],
    "RMSNorm": [Meta, HuggingFace, Torchtitan, TorchsOwn],
}
