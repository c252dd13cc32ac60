"""Lab 02, 2.4: the module RMSNorm, and what people write in place of its lines.

Sources are the public threads in which somebody really made the mistake.
"""

import torch
from torch import Tensor, nn

from checks.engine import Mistake, mistakes_of
from checks.rmsnorm.rms_norm_wrong import MISTAKES as OF_THE_FUNCTION
from checks.rmsnorm.rms_norm_wrong import rms_norm


class RMSNorm(nn.Module):
    def __init__(self, dim: int, eps: float = 1e-5) -> None:
        #: `eps: float = 1e-5` in `__init__`. torch.nn.RMSNorm has another default.
        #! wrong_default_eps: def __init__(self, dim, eps=1e-6):
        #  Without eps it takes another number than 1e-5.
        super().__init__()
        #: `super().__init__()` first: it makes the place where parameters are kept.
        #! no_super: pass
        #  `super().__init__()` is missing, so that no parameter can be kept.
        self.eps = eps
        #: `self.eps = eps`
        #! fixed_eps: self.eps = 1e-8
        #  The module keeps a number of its own; the argument eps is not used.
        #! small_fixed_eps: self.eps = 1e-6
        #  eps is 1e-6 whatever the argument says. Llama 3 uses 1e-5.
        #! learnt_eps: self.eps = nn.Parameter(torch.tensor(eps))
        #  eps is a parameter. It is a constant.
        #! eps_in_state_dict: self.register_buffer("eps", torch.tensor(eps))
        #  eps is a buffer, so that it is saved with the weights, and Llama's would not load.
        #: `self.eps = eps` in `__init__`: not on the class, and no global name.
        #! eps_shared: RMSNorm.eps = eps
        #  All modules share one eps, that of the module made last.
        self.weight = nn.Parameter(torch.ones(dim))
        #: `torch.ones(dim)`: at the start the layer only normalises.
        #! weight_zeros: self.weight = nn.Parameter(torch.zeros(dim))
        #  The weight starts at zeros, so that everything the layer sees becomes zero.
        #: `self.weight = nn.Parameter(torch.ones(dim))`
        #! weight_random: self.weight = nn.Parameter(torch.randn(dim))
        #  The weight starts random. It starts at ones.
        #! weight_full: self.weight = nn.Parameter(torch.full((dim,), 0.5))
        #! weight_full: self.weight = nn.Parameter(torch.full((dim,), dim**-0.5))
        #! weight_full: self.weight = nn.Parameter(torch.full((dim,), dim**0.5))
        #  The weight starts at another number than 1.
        #: `nn.Parameter(torch.ones(dim))` requires a gradient by itself.
        #! weight_frozen: self.weight = nn.Parameter(torch.ones(dim), requires_grad=False)
        #  The weight does not learn: requires_grad is False.
        #: Wrap it: `nn.Parameter(…)`.
        #! weight_no_parameter: self.weight = torch.ones(dim)
        #  The weight is a plain tensor: no optimizer finds it, and it is not saved.
        #: Make it an `nn.Parameter(…)`.
        #! weight_buffer: self.register_buffer("weight", torch.ones(dim))
        #  The weight is a buffer: it is saved, but no optimizer finds it.
        #: `torch.ones(dim)`
        #! one_weight: self.weight = nn.Parameter(torch.ones(1))
        #! one_weight: self.weight = nn.Parameter(torch.tensor(1.0))
        #  There is one weight for all features. Each feature has its own.
        #! weight_shape: self.weight = nn.Parameter(torch.ones(1, dim))
        #! weight_shape: self.weight = nn.Parameter(torch.ones(dim, dim))
        #! weight_shape: self.weight = nn.Parameter(torch.ones(64, dim))
        #! weight_shape: self.weight = nn.Parameter(torch.ones(64, dim))
        #  The weight has another shape than (dim,): one number for each feature, the same at every position.
        #: `self.weight = nn.Parameter(torch.ones(dim))`
        #! learnt_eps: …; self.eps = nn.Parameter(torch.tensor(eps))
        #! with_bias: …; self.bias = nn.Parameter(torch.zeros(dim))
        #! with_bias: …; self.bias = nn.Parameter(torch.zeros(dim))
        #! no_weight: pass

    def forward(self, x: Tensor) -> Tensor:
        #: `rms_norm(x, self.weight, self.eps)`
        #! no_forward: def call(self, x):
        #  There is no `forward`: a module is called through a method of that name.
        result = rms_norm(x, self.weight, self.eps)
        #!+ weight_shape: result = rms_norm(x, self.weight[0] if x.dim() < 2 else self.weight[: x.shape[-2]], self.eps)
        #!+ with_bias: result = rms_norm(x, self.weight, self.eps) + self.bias
        #  There is a bias. RMSNorm has none: that is part of what it saves.
        #!+ no_weight: result = rms_norm(x, x.new_ones(x.shape[-1]), self.eps)
        #  There is no weight: the module has nothing to learn.
        #: `rms_norm(x, self.weight, self.eps)`
        #! eps_forgotten: result = rms_norm(x, self.weight)
        #  The module's eps is not handed on: forward always uses the default.
        #! weight_forgotten: result = rms_norm(x, torch.ones_like(self.weight), self.eps)
        #! weight_forgotten: result = rms_norm(x, torch.ones(x.shape[-1]), self.eps)
        #  forward does not use self.weight. At the start nobody notices, since it is all ones.
        #! weight_twice: result = rms_norm(x, self.weight, self.eps) * self.weight
        #  The weight is multiplied twice: rms_norm has done it already.
        #! eps_and_weight_swapped: result = rms_norm(x, self.eps, self.weight)
        #  eps and weight have changed places: rms_norm takes (x, weight, eps).
        #! identity: result = x
        #! identity: result = x * self.weight
        #  forward does not normalise: x comes back, perhaps times the weight.
        #! residual: result = x + rms_norm(x, self.weight, self.eps)
        #  It adds x. The residual connection comes later, in the block.
        #: Hand over `self.weight` itself.
        #! weight_detached: result = rms_norm(x, self.weight.data, self.eps)
        #  forward uses the weight without its gradient (`.data` or `.detach()`).
        #: forward reads `self.eps` and leaves it alone.
        #! eps_grows: …; self.eps = self.eps * 2
        #  eps changes from call to call.
        #: Compute it anew in every call: nothing but the weight is kept.
        #! first_root_kept: self.root = vars(self).get("root", (x.square().mean(-1, keepdim=True) + self.eps).sqrt()); result = x / self.root * self.weight
        #  The root of the first input is kept and used for the next ones.
        #: RMSNorm does the same in training and in use.
        #! running_statistics: …; seen = x.detach().square().mean() if self.training else self.seen; self.seen = seen; result = result if self.training else x * (seen + self.eps).rsqrt() * self.weight
        #  In evaluation mode it uses what it saw in training. That is BatchNorm's way.
        #: Keep numbers as numbers; what must be a tensor gets `device=x.device` in forward.
        #! stays_on_cpu: result = rms_norm(x, self.weight * torch.ones(len(self.weight)), self.eps)
        #  A tensor of the module is no parameter and no buffer, so that it stays on the CPU.
        #: `return`
        #! no_return: return None
        #  forward computes and returns nothing.
        return result


def in_module(mistake: Mistake) -> Mistake:
    """A module whose forward makes a mistake of rms_norm, in each of its spellings."""

    def wrong(i: int) -> type[nn.Module]:
        class Wrong(RMSNorm):
            def forward(self, x: Tensor) -> Tensor:
                return mistake.answers[i](x, self.weight, self.eps)

        return Wrong

    first, *also = map(wrong, range(1 + len(mistake.also)))
    return Mistake(mistake.key, first, mistake.says, mistake.hint, mistake.source, also=tuple(also))


def called(name: str) -> type[nn.Module]:
    """The right module, whose weight has another name."""

    class Wrong(nn.Module):
        def __init__(self, dim: int, eps: float = 1e-5) -> None:
            super().__init__()
            self.eps = eps
            setattr(self, name, nn.Parameter(torch.ones(dim)))

        def forward(self, x: Tensor) -> Tensor:
            return rms_norm(x, getattr(self, name), self.eps)

    return Wrong


OTHER_NAME = Mistake(
    "other_name",
    called("gamma"),
    "The parameter is not called `weight`, so that Llama's weights would not load.",
    "`self.weight = nn.Parameter(torch.ones(dim))`",
    also=tuple(map(called, ("scale", "g", "gain", "w", "weights", "alpha"))),
)
OF_THE_MODULE = [*mistakes_of(RMSNorm), OTHER_NAME]
FUNCTION_ONLY = {"other_names", *(mistake.key for mistake in OF_THE_MODULE)}
MISTAKES: list[Mistake] = [
    *OF_THE_MODULE,
    *(in_module(mistake) for mistake in OF_THE_FUNCTION if mistake.key not in FUNCTION_ONLY),
]
