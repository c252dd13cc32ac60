"""Lab 02: what people write for the module RMSNorm: a right one with one thing changed."""

import torch
from torch import Tensor, nn

from checks.engine import Mistake
from checks.mistakes.rmsnorm import RMS_NORM
from checks.reference import rmsnorm as right


class _WeightZeros(right.RMSNorm):
    def __init__(self, dim: int, eps: float = 1e-5) -> None:
        super().__init__(dim, eps)
        nn.init.zeros_(self.weight)


class _WeightRandom(right.RMSNorm):
    def __init__(self, dim: int, eps: float = 1e-5) -> None:
        super().__init__(dim, eps)
        nn.init.normal_(self.weight, generator=torch.Generator().manual_seed(0))


class _WeightFrozen(right.RMSNorm):
    def __init__(self, dim: int, eps: float = 1e-5) -> None:
        super().__init__(dim, eps)
        self.weight.requires_grad_(False)


class _WeightNoParameter(right.RMSNorm):
    def __init__(self, dim: int, eps: float = 1e-5) -> None:
        super().__init__(dim, eps)
        del self.weight
        self.weight = torch.ones(dim)


class _WeightBuffer(right.RMSNorm):
    def __init__(self, dim: int, eps: float = 1e-5) -> None:
        super().__init__(dim, eps)
        del self.weight
        self.register_buffer("weight", torch.ones(dim))


class _OneWeight(right.RMSNorm):
    def __init__(self, dim: int, eps: float = 1e-5) -> None:
        super().__init__(1, eps)


class _WithBias(right.RMSNorm):
    def __init__(self, dim: int, eps: float = 1e-5) -> None:
        super().__init__(dim, eps)
        self.bias = nn.Parameter(torch.zeros(dim))

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x) + self.bias


class _LearntEps(right.RMSNorm):
    def __init__(self, dim: int, eps: float = 1e-5) -> None:
        super().__init__(dim, eps)
        self.eps = nn.Parameter(torch.tensor(eps))


class _OtherName(right.RMSNorm):
    def __init__(self, dim: int, eps: float = 1e-5) -> None:
        super().__init__(dim, eps)
        self.gamma = self.weight
        del self.weight

    def forward(self, x: Tensor) -> Tensor:
        return right.rms_norm(x, self.gamma, self.eps)


class _EpsForgotten(right.RMSNorm):
    def forward(self, x: Tensor) -> Tensor:
        return right.rms_norm(x, self.weight)


class _WeightForgotten(right.RMSNorm):
    def forward(self, x: Tensor) -> Tensor:
        return right.rms_norm(x, torch.ones_like(self.weight), self.eps)


class _WeightDetached(right.RMSNorm):
    def forward(self, x: Tensor) -> Tensor:
        return right.rms_norm(x, self.weight.data, self.eps)


class _NoWeight(nn.Module):
    def __init__(self, dim: int, eps: float = 1e-5) -> None:
        super().__init__()
        self.dim, self.eps = dim, eps

    def forward(self, x: Tensor) -> Tensor:
        return right.rms_norm(x, torch.ones(self.dim, device=x.device), self.eps)


class _DefaultEps(right.RMSNorm):
    def __init__(self, dim: int, eps: float = 1e-6) -> None:
        super().__init__(dim, eps)


class _EpsInStateDict(right.RMSNorm):
    def __init__(self, dim: int, eps: float = 1e-5) -> None:
        super().__init__(dim, eps)
        del self.eps
        self.register_buffer("eps", torch.tensor(eps))


class _EpsGrows(right.RMSNorm):
    def forward(self, x: Tensor) -> Tensor:
        self.eps *= 2
        return right.rms_norm(x, self.weight, self.eps / 2)


class _EpsShared(right.RMSNorm):
    latest = 1e-5

    def __init__(self, dim: int, eps: float = 1e-5) -> None:
        super().__init__(dim, eps)
        type(self).latest = eps

    def forward(self, x: Tensor) -> Tensor:
        return right.rms_norm(x, self.weight, type(self).latest)


class _FirstRootKept(right.RMSNorm):
    root: Tensor | None = None

    def forward(self, x: Tensor) -> Tensor:
        if self.root is None:
            self.root = (x.double().square().mean(-1, keepdim=True) + self.eps).sqrt()
        return (x / self.root * self.weight).to(x.dtype)


class _RunningStatistics(right.RMSNorm):
    def forward(self, x: Tensor) -> Tensor:
        if self.training:
            self.mean_square = x.detach().double().square().mean()
            return super().forward(x)
        return (x * torch.rsqrt(self.mean_square + self.eps) * self.weight).to(x.dtype)


class _StaysOnCpu(right.RMSNorm):
    def __init__(self, dim: int, eps: float = 1e-5) -> None:
        super().__init__(dim, eps)
        self.ones = torch.ones(dim)

    def forward(self, x: Tensor) -> Tensor:
        return right.rms_norm(x, self.weight * self.ones, self.eps).to(x.dtype)


def _in_module(mistake: Mistake) -> Mistake:
    """Make a module whose forward makes a mistake of rms_norm."""

    class Wrong(right.RMSNorm):
        def forward(self, x: Tensor) -> Tensor:
            return mistake.wrong(x, self.weight, self.eps)

    return Mistake(mistake.key, Wrong, mistake.says, mistake.hint, mistake.source)


FUNCTION_ONLY = ("no_weight", "fixed_eps", "other_names", "wrong_default_eps")
CALL = "`rms_norm(x, self.weight, self.eps)`"
ONES = "`self.weight = nn.Parameter(torch.ones(dim))`"
MODULE = [
    Mistake(
        "weight_zeros",
        _WeightZeros,
        "The weight starts at zeros, so that everything the layer sees becomes zero.",
        "`torch.ones(dim)`: at the start the layer only normalises.",
    ),
    Mistake("weight_random", _WeightRandom, "The weight starts random. It starts at ones.", ONES),
    Mistake(
        "weight_frozen",
        _WeightFrozen,
        "The weight does not learn: requires_grad is False.",
        "`nn.Parameter(torch.ones(dim))` requires a gradient by itself.",
    ),
    Mistake(
        "weight_no_parameter",
        _WeightNoParameter,
        "The weight is a plain tensor: no optimizer finds it, and it is not saved.",
        "Wrap it: `nn.Parameter(…)`.",
    ),
    Mistake(
        "weight_buffer",
        _WeightBuffer,
        "The weight is a buffer: it is saved, but no optimizer finds it.",
        "Make it an `nn.Parameter(…)`.",
    ),
    Mistake(
        "one_weight",
        _OneWeight,
        "There is one weight for all features. Each feature has its own.",
        "`torch.ones(dim)`",
    ),
    Mistake(
        "with_bias",
        _WithBias,
        "There is a bias. RMSNorm has none: that is part of what it saves.",
        "Only `weight`.",
    ),
    Mistake("learnt_eps", _LearntEps, "eps is a parameter. It is a constant.", "`self.eps = eps`"),
    Mistake(
        "other_name",
        _OtherName,
        "The parameter is not called `weight`, so that Llama's weights would not load.",
        ONES,
    ),
    Mistake(
        "eps_forgotten",
        _EpsForgotten,
        "The module's eps is not handed on: forward always uses the default.",
        CALL,
    ),
    Mistake(
        "weight_forgotten",
        _WeightForgotten,
        "forward does not use self.weight. At the start nobody notices, since it is all ones.",
        CALL,
    ),
    Mistake(
        "weight_detached",
        _WeightDetached,
        "forward uses the weight without its gradient (`.data` or `.detach()`).",
        "Hand over `self.weight` itself.",
    ),
    Mistake(
        "no_weight",
        _NoWeight,
        "There is no weight: the module has nothing to learn.",
        ONES,
    ),
    Mistake(
        "wrong_default_eps",
        _DefaultEps,
        "Without eps it takes another number than 1e-5.",
        "`eps: float = 1e-5` in `__init__`. torch.nn.RMSNorm has another default.",
    ),
    Mistake(
        "eps_in_state_dict",
        _EpsInStateDict,
        "eps is a buffer, so that it is saved with the weights, and Llama's would not load.",
        "`self.eps = eps`",
    ),
    Mistake(
        "eps_grows",
        _EpsGrows,
        "eps changes from call to call.",
        "forward reads `self.eps` and leaves it alone.",
    ),
    Mistake(
        "eps_shared",
        _EpsShared,
        "All modules share one eps, that of the module made last.",
        "`self.eps = eps` in `__init__`: not on the class, and no global name.",
    ),
    Mistake(
        "first_root_kept",
        _FirstRootKept,
        "The root of the first input is kept and used for the next ones.",
        "Compute it anew in every call: nothing but the weight is kept.",
    ),
    Mistake(
        "running_statistics",
        _RunningStatistics,
        "In evaluation mode it uses what it saw in training. That is BatchNorm's way.",
        "RMSNorm does the same in training and in use.",
    ),
    Mistake(
        "stays_on_cpu",
        _StaysOnCpu,
        "A tensor of the module is no parameter and no buffer, so that it stays on the CPU.",
        "Keep numbers as numbers; what must be a tensor gets `device=x.device` in forward.",
    ),
    *(_in_module(m) for m in RMS_NORM if m.key not in FUNCTION_ONLY),
]
