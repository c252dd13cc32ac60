"""Lab 02: right answers, written differently."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F


def batch_norm_builtin(x: Tensor, eps: float = 1e-5) -> Tensor:
    """Torch's own F.batch_norm, in training mode and without affine parameters."""
    return F.batch_norm(x.float(), None, None, training=True, eps=eps).to(x.dtype)


def batch_norm_var_mean(x: Tensor, eps: float = 1e-5) -> Tensor:
    """torch.var_mean, and a division."""
    variance, mean = torch.var_mean(x.float(), dim=0, correction=0)
    return ((x.float() - mean) / torch.sqrt(variance + eps)).type_as(x)


def batch_norm_moments(x: Tensor, eps: float = 1e-5) -> Tensor:
    """The variance as mean of squares minus square of the mean, in float64."""
    wide = x.double()
    mean = wide.sum(0) / x.shape[0]
    variance = (wide * wide).sum(0) / x.shape[0] - mean * mean
    return ((wide - mean) * (variance.clamp_min(0) + eps) ** -0.5).to(x.dtype)


def batch_norm_columns(x: Tensor, eps: float = 1e-5) -> Tensor:
    """A loop over columns."""
    columns = []
    for k in range(x.size(1)):
        column = x[:, k].to(torch.float32)
        centred = column - column.mean()
        columns.append(centred / (centred.pow(2).mean() + eps).sqrt())
    return torch.stack(columns, 1).to(x.dtype)


def batch_norm_transposed(x: Tensor, eps: float = 1e-5) -> Tensor:
    """LayerNorm of the transpose."""
    return F.layer_norm(x.float().T, (x.shape[0],), eps=eps).T.to(x.dtype)


def batch_norm_layer(x: Tensor, eps: float = 1e-5) -> Tensor:
    """Torch's own layer, without weights, straight in half precision."""
    return nn.BatchNorm1d(x.shape[1], eps=eps, affine=False, track_running_stats=False)(x)


def layer_norm_builtin(x: Tensor, weight: Tensor, bias: Tensor, eps: float = 1e-5) -> Tensor:
    """Torch's own F.layer_norm."""
    return F.layer_norm(x, x.shape[-1:], weight, bias, eps)


def layer_norm_var(x: Tensor, weight: Tensor, bias: Tensor, eps: float = 1e-5) -> Tensor:
    """The formula with var(unbiased=False); rounds to x.dtype before weight and bias."""
    wide = x.float()
    variance = wide.var(-1, unbiased=False, keepdim=True)
    unit = (wide - wide.mean(-1, keepdim=True)) / (variance + eps) ** 0.5
    return unit.to(x.dtype) * weight + bias


def layer_norm_einsum(x: Tensor, weight: Tensor, bias: Tensor, eps: float = 1e-5) -> Tensor:
    """Means by einsum, scale and shift by addcmul."""
    wide, size = x.float(), x.shape[-1]
    centred = wide - torch.einsum("...d->...", wide)[..., None] / size
    variance = torch.einsum("...d,...d->...", centred, centred) / size
    unit = centred * (variance[..., None] + eps).rsqrt()
    return torch.addcmul(bias.float(), unit, weight.float()).to(x.dtype)


def layer_norm_rows(x: Tensor, weight: Tensor, bias: Tensor, eps: float = 1e-5) -> Tensor:
    """A loop over rows, in float64."""
    rows = []
    for row in x.reshape(-1, x.shape[-1]).double():
        centred = row - row.mean()
        rows.append(centred / (centred.square().mean() + eps).sqrt())
    return (torch.stack(rows).view(x.shape) * weight + bias).to(x.dtype)


def layer_norm_half_affine(x: Tensor, weight: Tensor, bias: Tensor, eps: float = 1e-5) -> Tensor:
    """Hugging Face's order: weight and bias after going back to x.dtype."""
    variance, mean = torch.var_mean(x.float(), -1, correction=0, keepdim=True)
    return weight * ((x.float() - mean) * torch.rsqrt(variance + eps)).to(x.dtype) + bias


def layer_norm_fused(x: Tensor, weight: Tensor, bias: Tensor, eps: float = 1e-5) -> Tensor:
    """One multiplication and one addition for each number: x · a + b."""
    variance, mean = torch.var_mean(x.float(), -1, correction=0, keepdim=True)
    factor = weight * torch.rsqrt(variance + eps)
    return (x.float() * factor + (bias - mean * factor)).to(x.dtype)


def layer_norm_group(x: Tensor, weight: Tensor, bias: Tensor, eps: float = 1e-5) -> Tensor:
    """F.group_norm with one group."""
    rows = x.reshape(-1, x.shape[-1]).float()
    return F.group_norm(rows, 1, weight.float(), bias.float(), eps).reshape(x.shape).to(x.dtype)


def rms_norm_meta(x: Tensor, weight: Tensor, eps: float = 1e-5) -> Tensor:
    """Meta's llama3 model.py: normalise in float32, go back, then the weight."""
    wide = x.float()
    return (wide * torch.rsqrt(wide.pow(2).mean(-1, keepdim=True) + eps)).type_as(x) * weight


def rms_norm_huggingface(x: Tensor, weight: Tensor, eps: float = 1e-5) -> Tensor:
    """Hugging Face's LlamaRMSNorm: weight times the rounded unit vector."""
    wide = x.to(torch.float32)
    variance = wide.pow(2).mean(-1, keepdim=True)
    return weight * (wide * torch.rsqrt(variance + eps)).to(x.dtype)


def rms_norm_division(x: Tensor, weight: Tensor, eps: float = 1e-5) -> Tensor:
    """A division by the root, which a course's snapshot test once rejected."""
    wide = x.float()
    return (wide / torch.sqrt((wide * wide).mean(-1, keepdim=True) + eps) * weight).to(x.dtype)


def rms_norm_builtin(x: Tensor, weight: Tensor, eps: float = 1e-5) -> Tensor:
    """Torch's own F.rms_norm."""
    return F.rms_norm(x.float(), x.shape[-1:], weight.float(), eps).to(x.dtype)


def rms_norm_length(x: Tensor, weight: Tensor, eps: float = 1e-5) -> Tensor:
    """By the vector's length: the mean square is length² / D."""
    wide = x.float()
    length = torch.linalg.vector_norm(wide, dim=-1, keepdim=True)
    return (wide * (length**2 / x.shape[-1] + eps) ** -0.5 * weight).to(x.dtype)


def rms_norm_einsum(x: Tensor, weight: Tensor, eps: float = 1e-5) -> Tensor:
    """The sum of squares by einsum, the weight by another."""
    wide = x.double()
    scale = (torch.einsum("...i,...i->...", wide, wide) / wide.size(-1) + eps).rsqrt()
    return torch.einsum("...i,...,i->...i", wide, scale, weight.double()).to(x.dtype)


def rms_norm_as_it_is(x: Tensor, weight: Tensor, eps: float = 1e-5) -> Tensor:
    """F.rms_norm, which computes in float32 by itself."""
    return F.rms_norm(x, weight.shape, weight, eps)


class ModuleMeta(nn.Module):
    """Meta's class, with a method of its own for the norm."""

    def __init__(self, dim: int, eps: float = 1e-5) -> None:
        super().__init__()
        self.eps = eps
        self.weight = nn.Parameter(torch.ones(dim))

    def _norm(self, x: Tensor) -> Tensor:
        return x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + self.eps)

    def forward(self, x: Tensor) -> Tensor:
        return self._norm(x.float()).type_as(x) * self.weight


class ModuleHuggingFace(nn.Module):
    """Hugging Face's class: other attribute names, the weight made in place."""

    def __init__(self, hidden_size: int, eps: float = 1e-5) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(hidden_size))
        self.variance_epsilon = eps
        nn.init.ones_(self.weight)

    def forward(self, hidden_states: Tensor) -> Tensor:
        return rms_norm_huggingface(hidden_states, self.weight, self.variance_epsilon)


class ModuleBuiltin(nn.RMSNorm):
    """torch.nn.RMSNorm, computed in float32."""

    def __init__(self, dim: int, eps: float = 1e-5) -> None:
        super().__init__(dim, eps=eps)

    def forward(self, x: Tensor) -> Tensor:
        return F.rms_norm(x.float(), self.normalized_shape, self.weight.float(), self.eps).to(
            x.dtype
        )


class ModuleParameterList(nn.Module):
    """register_parameter, and the formula written out."""

    def __init__(self, dim: int, eps: float = 1e-5) -> None:
        super().__init__()
        self.register_parameter("weight", nn.Parameter(torch.full((dim,), 1.0)))
        self.dim, self.epsilon = dim, eps

    def forward(self, x: Tensor) -> Tensor:
        root = (x.double().square().sum(-1, keepdim=True) / self.dim + self.epsilon).sqrt()
        return (x / root * self.weight).to(x.dtype)


class ModuleSubclass(nn.RMSNorm):
    """torch.nn.RMSNorm with Llama's eps."""

    def __init__(self, dim: int, eps: float = 1e-5) -> None:
        super().__init__(dim, eps)


ACCEPTED = {
    "batch_norm": [
        batch_norm_builtin,
        batch_norm_var_mean,
        batch_norm_moments,
        batch_norm_columns,
        batch_norm_transposed,
        batch_norm_layer,
    ],
    "layer_norm": [
        layer_norm_builtin,
        layer_norm_var,
        layer_norm_einsum,
        layer_norm_rows,
        layer_norm_half_affine,
        layer_norm_fused,
        layer_norm_group,
    ],
    "rms_norm": [
        rms_norm_meta,
        rms_norm_huggingface,
        rms_norm_division,
        rms_norm_builtin,
        rms_norm_length,
        rms_norm_einsum,
        rms_norm_as_it_is,
    ],
    "RMSNorm": [ModuleMeta, ModuleHuggingFace, ModuleBuiltin, ModuleParameterList, ModuleSubclass],
}

# What the browser test types into an exercise cell: exercise, source, key of the mistake.
TYPED = (
    "2.3",
    """def rms_norm(x, weight, eps=1e-5):
    wide = x.float()
    root = wide.square().mean(dim=-1, keepdim=True).sqrt()
    return (wide / (root + eps) * weight).to(x.dtype)
""",
    "eps_outside_root",
)
