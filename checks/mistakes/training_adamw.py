"""Lab 09, 9.4: what people write for adamw_step."""

import functools
import inspect
import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from checks.engine import Mistake
from checks.reference import training as right


class Step:
    """AdamW in five parts, in float64, so that a mistake can replace one of them."""

    def __init__(self, **given: Any) -> None:
        self.__dict__.update(given)  # param, grad, m, v, step, lr, betas, eps, weight_decay

    def run(self) -> None:
        """One step, in place."""
        param, m, v = self.param.double(), self.m.double(), self.v.double()
        g = self.gradient(self.grad.double(), param)
        mean, square = self.mean(m, g), self.square(v, g)
        after = self.move(param, self.direction(mean, square, g))
        self.param.copy_(after)
        self.m.copy_(mean)
        self.v.copy_(square)

    def gradient(self, g: Tensor, param: Tensor) -> Tensor:
        """What m and v are fed with."""
        return g

    def mean(self, m: Tensor, g: Tensor) -> Tensor:
        """The new m."""
        return self.betas[0] * m + (1 - self.betas[0]) * g

    def square(self, v: Tensor, g: Tensor) -> Tensor:
        """The new v."""
        return self.betas[1] * v + (1 - self.betas[1]) * g * g

    def corrected(self, mean: Tensor, square: Tensor) -> tuple[Tensor, Tensor]:
        """m and v without their bias towards zero."""
        return mean / (1 - self.betas[0] ** self.step), square / (1 - self.betas[1] ** self.step)

    def direction(self, mean: Tensor, square: Tensor, g: Tensor) -> Tensor:
        """Where to go: numbers of about ±1."""
        mean, square = self.corrected(mean, square)
        return mean / (square.sqrt() + self.eps)

    def move(self, param: Tensor, direction: Tensor) -> Tensor:
        """The new parameter."""
        return param - self.lr * direction - self.lr * self.weight_decay * param


SIGNATURE = inspect.signature(right.adamw_step)


def with_parts(**parts: Callable) -> Callable[..., None]:
    """adamw_step with parts replaced."""
    kind = type("Wrong", (Step,), parts)

    @torch.no_grad()
    def wrong(*args: Any, **kwargs: Any) -> None:
        given = SIGNATURE.bind(*args, **kwargs)
        given.apply_defaults()
        kind(**given.arguments).run()

    return wrong


def with_settings(change: Callable[[dict], dict]) -> Callable[..., None]:
    """The right step, with other settings than it was given."""

    def wrong(*args: Any, **kwargs: Any) -> None:
        given = SIGNATURE.bind(*args, **kwargs)
        missing = {
            n: p.default for n, p in SIGNATURE.parameters.items() if p.default is not p.empty
        }
        whole = missing | given.arguments
        right.adamw_step(**(whole | change(whole)))

    return wrong


def with_defaults(**defaults: Any) -> Callable[..., None]:
    """The right step, with other default values."""
    return functools.partial(right.adamw_step, **defaults)


def _bare_partial(**defaults: Any) -> Callable[..., None]:
    def wrong(*args: Any, **kwargs: Any) -> None:
        given = SIGNATURE.bind(*args, **kwargs).arguments
        right.adamw_step(**(defaults | given))

    return wrong


def forgetting(*names: str) -> Callable[..., None]:
    """The right step, of which the new values of some tensors are lost."""

    @torch.no_grad()
    def wrong(*args: Any, **kwargs: Any) -> None:
        given = SIGNATURE.bind(*args, **kwargs)
        for name in names:
            given.arguments[name] = given.arguments[name].clone()
        right.adamw_step(*given.args, **given.kwargs)

    return wrong


def _keeps_corrected(which: int) -> Callable[..., None]:
    def run(self: Step) -> None:
        param, m, v = self.param.double(), self.m.double(), self.v.double()
        g = self.grad.double()
        state = [self.mean(m, g), self.square(v, g)]
        after = self.move(param, self.direction(*state, g))
        state[which] = self.corrected(*state)[which]
        for tensor, value in zip((self.param, self.m, self.v), (after, *state), strict=True):
            tensor.copy_(value)

    return with_parts(run=run)


def _changes_gradient(self: Step) -> None:
    self.grad.add_(self.param, alpha=self.weight_decay)
    self.weight_decay = 0.0
    Step.run(self)


def _tracked(
    param: Tensor,
    grad: Tensor,
    m: Tensor,
    v: Tensor,
    step: int,
    lr: float,
    betas: tuple[float, float] = (0.9, 0.95),
    eps: float = 1e-8,
    weight_decay: float = 0.1,
) -> None:
    m.mul_(betas[0]).add_(grad, alpha=1 - betas[0])
    v.mul_(betas[1]).addcmul_(grad, grad, value=1 - betas[1])
    move = m / (1 - betas[0] ** step) / ((v / (1 - betas[1] ** step)).sqrt() + eps)
    param -= lr * move + lr * weight_decay * param


def _into_data(*args: Any, **kwargs: Any) -> None:
    given = SIGNATURE.bind(*args, **kwargs)
    given.apply_defaults()
    mine = dict(given.arguments)
    mine["param"] = mine["param"].detach().clone()
    right.adamw_step(**mine)
    given.arguments["param"].requires_grad_(False)
    given.arguments["param"].copy_(mine["param"])


def _old_moments(self: Step, mean: Tensor, square: Tensor, g: Tensor) -> Tensor:
    mean, square = self.corrected(self.m.double(), self.v.double())
    return mean / (square.sqrt() + self.eps)


def _nesterov(self: Step, mean: Tensor, square: Tensor, g: Tensor) -> Tensor:
    ahead = self.betas[0] * mean + (1 - self.betas[0]) * g
    mean, square = self.corrected(ahead, square)
    return mean / (square.sqrt() + self.eps)


def _shifted_correction(shift: int) -> Callable[..., Any]:
    def corrected(self: Step, mean: Tensor, square: Tensor) -> tuple[Tensor, Tensor]:
        first, second = (1 - beta ** (self.step + shift) for beta in self.betas)
        return mean / first if first else mean, square / second if second else square

    return with_parts(corrected=corrected)


def _divides_by_zero(self: Step, mean: Tensor, square: Tensor) -> tuple[Tensor, Tensor]:
    step = self.step - 1
    return mean / (1 - self.betas[0] ** step), square / (1 - self.betas[1] ** step)


MEAN = "m = β₁ m + (1 − β₁) g, in place: `m.lerp_(grad, 1 - betas[0])`."
SQUARE = "v = β₂ v + (1 − β₂) g²: `v.mul_(betas[1]).addcmul_(grad, grad, value=1 - betas[1])`."
CORRECTION = "m / (1 − β₁^step) and v / (1 − β₂^step), with step 1 at the first call."
MOVE = "param − lr · m̂ / (√v̂ + eps): the root first, then eps."
DECAY = "Decoupled: `param.mul_(1 - lr * weight_decay)`, and the gradient is left alone."
ADAMW = [
    Mistake(
        "decay_in_the_gradient",
        with_parts(
            gradient=lambda self, g, param: g + self.weight_decay * param,
            move=lambda self, param, direction: param - self.lr * direction,
        ),
        "The decay is added to the gradient (L2). There Adam divides it by √v: weights with large "
        "gradients hardly decay. The W in AdamW stands for taking it out of there.",
        DECAY,
    ),
    Mistake(
        "gradient_changed",
        with_parts(run=_changes_gradient),
        "The decay is added to the gradient (L2), and the gradient itself is changed by it.",
        DECAY,
    ),
    Mistake(
        "no_decay",
        with_parts(move=lambda self, param, direction: param - self.lr * direction),
        "The weights do not decay.",
        DECAY,
    ),
    Mistake(
        "decay_without_lr",
        with_parts(
            move=lambda self, param, direction: (
                param * (1 - self.weight_decay) - self.lr * direction
            )
        ),
        "The decay is not multiplied by lr: a tenth of every weight is gone after one step.",
        DECAY,
    ),
    Mistake(
        "decay_adds",
        with_parts(
            move=lambda self, param, direction: (
                param * (1 + self.lr * self.weight_decay) - self.lr * direction
            )
        ),
        "The decay has the wrong sign: weights grow.",
        DECAY,
    ),
    Mistake(
        "decay_after",
        with_parts(
            move=lambda self, param, direction: (
                (param - self.lr * direction) * (1 - self.lr * self.weight_decay)
            )
        ),
        "What decays is the parameter after the step; it should be the one before.",
        "First `param.mul_(1 - lr * weight_decay)`, then the step.",
    ),
    Mistake(
        "decay_by_size",
        with_parts(
            move=lambda self, param, direction: (
                param - self.lr * direction - self.lr * self.weight_decay * param.sign()
            )
        ),
        "All weights lose the same amount (the sign of the weight: L1), not the same share.",
        DECAY,
    ),
    Mistake(
        "decay_halved",
        with_parts(
            move=lambda self, param, direction: (
                param * (1 - self.lr * self.weight_decay / 2) - self.lr * direction
            )
        ),
        "The decay is halved.",
        DECAY,
    ),
    Mistake(
        "decay_for_matrices_only",
        with_parts(
            move=lambda self, param, direction: (
                param
                - self.lr * direction
                - self.lr * self.weight_decay * (self.param.dim() > 1) * param
            )
        ),
        "Vectors do not decay. adamw_step does what it is told; who decays is decided in `train`.",
        DECAY,
    ),
    Mistake(
        "one_beta_for_both",
        with_parts(
            corrected=lambda self, mean, square: (
                mean / (1 - self.betas[0] ** self.step),
                square / (1 - self.betas[0] ** self.step),
            )
        ),
        "Both corrections take β₁; v needs its own, 1 − β₂^step.",
        CORRECTION,
    ),
    Mistake(
        "corrected_after_the_root",
        with_parts(
            direction=lambda self, mean, square, g: (
                self.corrected(mean, square)[0]
                / (square.sqrt() / (1 - self.betas[1] ** self.step) + self.eps)
            )
        ),
        "The root is taken first and then divided by the correction: √v / (1 − β₂^step). v itself "
        "must be corrected, √(v / (1 − β₂^step)).",
        CORRECTION,
    ),
    Mistake(
        "no_correction",
        with_parts(corrected=lambda self, mean, square: (mean, square)),
        "The bias correction is missing: m and v start as zeros, and √v is closer to its goal than "
        "m, so that the first steps have a wrong length.",
        CORRECTION,
    ),
    Mistake(
        "only_m_corrected",
        with_parts(
            corrected=lambda self, mean, square: (mean / (1 - self.betas[0] ** self.step), square)
        ),
        "v is not corrected: the first steps are 4.5 times too long.",
        CORRECTION,
    ),
    Mistake(
        "only_v_corrected",
        with_parts(
            corrected=lambda self, mean, square: (mean, square / (1 - self.betas[1] ** self.step))
        ),
        "m is not corrected: the first steps are a tenth as long as they should be.",
        CORRECTION,
    ),
    Mistake(
        "corrected_with_step_plus_one",
        _shifted_correction(1),
        "The correction uses step + 1, as if step counted from 0. It counts from 1.",
        CORRECTION,
    ),
    Mistake(
        "corrected_with_step_minus_one",
        _shifted_correction(-1),
        "The correction uses step − 1. Steps count from 1 here: β^step.",
        CORRECTION,
    ),
    Mistake(
        "divided_by_zero",
        with_parts(corrected=_divides_by_zero),
        "The correction uses step − 1: at step 1 it divides by 1 − β⁰ = 0.",
        CORRECTION,
    ),
    Mistake(
        "corrected_by_a_product",
        with_parts(
            corrected=lambda self, mean, square: (
                mean / (1 - self.betas[0] * (1 if self.step == 1 else 1 / self.step)),
                square / (1 - self.betas[1] * (1 if self.step == 1 else 1 / self.step)),
            )
        ),
        "The correction needs a power of β, not a quotient: `betas[0] ** step`.",
        CORRECTION,
    ),
    Mistake(
        "corrected_as_at_step_1",
        with_parts(
            corrected=lambda self, mean, square: (
                mean / (1 - self.betas[0]),
                square / (1 - self.betas[1]),
            )
        ),
        "It divides by 1 − β at every step, which is right at step 1 only: `betas[0] ** step`.",
        CORRECTION,
    ),
    Mistake(
        "multiplied_by_the_correction",
        with_parts(
            corrected=lambda self, mean, square: (
                mean * (1 - self.betas[0] ** self.step),
                square * (1 - self.betas[1] ** self.step),
            )
        ),
        "It multiplies where it should divide: m and v become even smaller.",
        CORRECTION,
    ),
    Mistake(
        "corrected_m_kept",
        _keeps_corrected(0),
        "m is overwritten by its corrected value, so that the next step corrects it again.",
        "`m_hat = m / (1 - betas[0] ** step)`, and m stays.",
    ),
    Mistake(
        "corrected_v_kept",
        _keeps_corrected(1),
        "v is overwritten by its corrected value, so that the next step corrects it again.",
        "`v_hat = v / (1 - betas[1] ** step)`, and v stays.",
    ),
    Mistake(
        "eps_inside_the_root",
        with_parts(
            direction=lambda self, mean, square, g: (
                self.corrected(mean, square)[0]
                / (self.corrected(mean, square)[1] + self.eps).sqrt()
            )
        ),
        "eps stands inside the root: √(v̂ + eps). With eps = 1e-8 that is like 1e-4 outside, far "
        "above the gradients of a large model.",
        MOVE,
    ),
    Mistake(
        "eps_before_the_correction",
        with_parts(
            direction=lambda self, mean, square, g: (
                self.corrected(mean, square)[0]
                * math.sqrt(1 - self.betas[1] ** self.step)
                / (square.sqrt() + self.eps)
            )
        ),
        "eps is added to √v before the correction, so that it is larger in the first steps.",
        MOVE,
    ),
    Mistake(
        "no_eps",
        with_parts(
            direction=lambda self, mean, square, g: (
                self.corrected(mean, square)[0] / self.corrected(mean, square)[1].sqrt()
            )
        ),
        "eps is missing: a weight without a gradient becomes 0 / 0.",
        MOVE,
    ),
    Mistake(
        "constant_eps",
        with_settings(lambda given: {"eps": 1e-8}),
        "eps is 1e-8 whatever it is given.",
        MOVE,
    ),
    Mistake(
        "eps_for_the_smallest_only",
        with_parts(
            direction=lambda self, mean, square, g: (
                self.corrected(mean, square)[0]
                / self.corrected(mean, square)[1].sqrt().clamp(min=self.eps)
            )
        ),
        "eps is a lower bound there (`clamp`); it should be added.",
        MOVE,
    ),
    Mistake(
        "no_root",
        with_parts(
            direction=lambda self, mean, square, g: (
                self.corrected(mean, square)[0] / (self.corrected(mean, square)[1] + self.eps)
            )
        ),
        "The root of v is missing: small gradients then take huge steps.",
        MOVE,
    ),
    Mistake(
        "v_not_squared",
        with_parts(
            square=lambda self, v, g: self.betas[1] * v + (1 - self.betas[1]) * g,
            direction=lambda self, mean, square, g: (
                self.corrected(mean, square)[0]
                / (self.corrected(mean, square)[1].sqrt() + self.eps)
            ),
        ),
        "v averages the gradient; it should average its square. The root of a negative number is "
        "NaN.",
        SQUARE,
    ),
    Mistake(
        "v_of_sizes",
        with_parts(
            square=lambda self, v, g: self.betas[1] * v + (1 - self.betas[1]) * g.abs(),
        ),
        "v averages |g|; it should average g².",
        SQUARE,
    ),
    Mistake(
        "v_of_m",
        with_parts(
            square=lambda self, v, g: (
                self.betas[1] * v + (1 - self.betas[1]) * self.mean(self.m.double(), g) ** 2
            ),
        ),
        "v averages m²; it should average g².",
        SQUARE,
    ),
    Mistake(
        "v_of_deviations",
        with_parts(
            square=lambda self, v, g: (
                self.betas[1] * v + (1 - self.betas[1]) * (g - self.mean(self.m.double(), g)) ** 2
            ),
        ),
        "v averages (g − m)², as AdaBelief does.",
        SQUARE,
    ),
    Mistake(
        "v_never_falls",
        with_parts(square=lambda self, v, g: torch.maximum(v, Step.square(self, v, g))),
        "v never becomes smaller, as in AMSGrad.",
        SQUARE,
    ),
    Mistake(
        "v_for_the_whole_tensor",
        with_parts(
            direction=lambda self, mean, square, g: (
                self.corrected(mean, square)[0]
                / (self.corrected(mean, square)[1].mean().sqrt() + self.eps)
            )
        ),
        "All numbers of the tensor share one v. Each has its own: that is what Adam is about.",
        MOVE,
    ),
    Mistake(
        "momentum_adds_up",
        with_parts(mean=lambda self, m, g: self.betas[0] * m + g),
        "(1 − β₁) is missing: m is ten times too large.",
        MEAN,
    ),
    Mistake(
        "squares_add_up",
        with_parts(square=lambda self, v, g: self.betas[1] * v + g * g),
        "(1 − β₂) is missing: v is twenty times too large.",
        SQUARE,
    ),
    Mistake(
        "m_the_other_way_round",
        with_parts(mean=lambda self, m, g: (1 - self.betas[0]) * m + self.betas[0] * g),
        "β₁ and 1 − β₁ are swapped: m forgets at once.",
        MEAN,
    ),
    Mistake(
        "v_the_other_way_round",
        with_parts(square=lambda self, v, g: (1 - self.betas[1]) * v + self.betas[1] * g * g),
        "β₂ and 1 − β₂ are swapped: v forgets at once.",
        SQUARE,
    ),
    Mistake(
        "betas_swapped",
        with_settings(lambda given: {"betas": given["betas"][::-1]}),
        "β₁ and β₂ are swapped. betas[0] belongs to m.",
        MEAN,
    ),
    Mistake(
        "constant_betas",
        with_settings(lambda given: {"betas": (0.9, 0.95)}),
        "The betas are 0.9 and 0.95 whatever they are given.",
        MEAN,
    ),
    Mistake(
        "betas_of_the_paper",
        _bare_partial(betas=(0.9, 0.999)),
        "The default of β₂ is 0.999, as in Adam's paper; here it is 0.95, as Llama's.",
    ),
    Mistake(
        "other_default_decay",
        _bare_partial(weight_decay=0.01),
        "The default of weight_decay is 0.01, as in torch; here it is 0.1, as Llama's.",
    ),
    Mistake(
        "uphill",
        with_parts(
            move=lambda self, param, direction: (
                param + self.lr * direction - self.lr * self.weight_decay * param
            )
        ),
        "It goes uphill: the sign of the step is wrong.",
        MOVE,
    ),
    Mistake(
        "no_lr",
        with_parts(
            move=lambda self, param, direction: (
                param - direction - self.lr * self.weight_decay * param
            )
        ),
        "The step is not multiplied by lr.",
        MOVE,
    ),
    Mistake(
        "gradient_instead_of_m",
        with_parts(
            direction=lambda self, mean, square, g: (
                g / (self.corrected(mean, square)[1].sqrt() + self.eps)
            )
        ),
        "It goes along the gradient of this step, not along m (that is RMSprop).",
        MOVE,
    ),
    Mistake(
        "v_ignored",
        with_parts(direction=lambda self, mean, square, g: self.corrected(mean, square)[0]),
        "It does not divide by √v: that is plain momentum, whose steps are as uneven as the "
        "gradients.",
        MOVE,
    ),
    Mistake(
        "sign_only",
        with_parts(direction=lambda self, mean, square, g: mean.sign()),
        "It takes only the sign of m. That is Adam at its first step, but not later.",
        MOVE,
    ),
    Mistake(
        "moments_of_the_last_step",
        with_parts(direction=_old_moments),
        "The step uses m and v as they were before this gradient.",
        "First update m and v, then step.",
    ),
    Mistake(
        "looks_ahead",
        with_parts(direction=_nesterov),
        "It mixes the gradient into m once more (Nesterov's way, NAdam).",
        MOVE,
    ),
    Mistake(
        "param_not_in_place",
        forgetting("param"),
        "The parameter itself is unchanged: `param = param - …` makes a new tensor.",
        "`param.sub_(…)`, `param -= …` or `param.copy_(…)`.",
    ),
    Mistake(
        "m_not_in_place",
        forgetting("m"),
        "m is unchanged for the next step: `m = …` makes a new tensor.",
        MEAN,
    ),
    Mistake(
        "v_not_in_place",
        forgetting("v"),
        "v is unchanged for the next step: `v = …` makes a new tensor.",
        SQUARE,
    ),
    Mistake(
        "moments_not_in_place",
        forgetting("m", "v"),
        "m and v are unchanged for the next step: `m = …` and `v = …` make new tensors.",
        MEAN,
    ),
    Mistake(
        "nothing_in_place",
        forgetting("param", "m", "v"),
        "Nothing that was handed over has changed: `param = …`, `m = …`, `v = …` make new tensors.",
        "`mul_`, `add_`, `lerp_`, `addcdiv_`: with an underscore, in place.",
    ),
    Mistake(
        "graph_recorded",
        _tracked,
        "Torch records the step, as if one wanted its gradient. A parameter cannot be changed so.",
        "`@torch.no_grad()` above the function, or `with torch.no_grad():` in it.",
    ),
    Mistake(
        "gradient_switched_off",
        torch.no_grad()(_into_data),
        "After the step the parameter requires no gradient any more: it will not learn again.",
        "`torch.no_grad()` is enough; `requires_grad` stays as it is.",
    ),
]
