"""Lab 09, 9.4: adamw_step, and what people write in place of its lines."""

import math

import torch
from torch import Tensor

from checks.engine import Mistake, mistakes_of


@torch.no_grad()
#: `@torch.no_grad()` above the function, or `with torch.no_grad():` in it.
#! graph_recorded: # nothing
#  Torch records the step, as if one wanted its gradient. A parameter cannot be changed so.
def adamw_step(
    param: Tensor,
    grad: Tensor,
    m: Tensor,
    v: Tensor,
    step: int,
    lr: float,
    betas: tuple[float, float] = (0.9, 0.95),
    #! betas_of_the_paper: betas: tuple[float, float] = (0.9, 0.999),
    #  The default of β₂ is 0.999, as in Adam's paper; here it is 0.95, as Llama's.
    eps: float = 1e-8,
    #! other_default_eps: eps: float = 1e-5,
    #! other_default_eps: eps: float = 1e-3,
    #! other_default_eps: eps: float = 1e-6,
    #  The default of eps is not 1e-8.
    weight_decay: float = 0.1,
    #! other_default_decay: weight_decay: float = 0.01,
    #  The default of weight_decay is 0.01, as in torch; here it is 0.1, as Llama's.
    #! no_default_decay: weight_decay: float = 0.0,
    #  The default of weight_decay is 0, as in Adam; here it is 0.1, as Llama's.
) -> None:
    b1, b2 = betas
    #: m = β₁ m + (1 − β₁) g, in place: `m.lerp_(grad, 1 - betas[0])`.
    #! betas_swapped: b2, b1 = betas
    #  β₁ and β₂ are swapped. betas[0] belongs to m.
    #! constant_betas: b1, b2 = 0.9, 0.95
    #! constant_betas: b1, b2 = 0.9, 0.999
    #  The betas are 0.9 and 0.95 whatever they are given.
    #: `mul_`, `add_`, `lerp_`, `addcdiv_`: with an underscore, in place.
    #! nothing_in_place: …; param, m, v = param.clone(), m.clone(), v.clone()
    #  Nothing that was handed over has changed: `param = …`, `m = …`, `v = …` make new tensors.
    #: m = β₁ m + (1 − β₁) g, in place: `m.lerp_(grad, 1 - betas[0])`.
    #! moments_not_in_place: …; m, v = m.clone(), v.clone()
    #  m and v are unchanged for the next step: `m = …` and `v = …` make new tensors.
    #: `param.sub_(…)`, `param -= …` or `param.copy_(…)`.
    #! param_not_in_place: …; param = param.clone()
    #  The parameter itself is unchanged: `param = param - …` makes a new tensor.
    #: Decoupled: `param.mul_(1 - lr * weight_decay)`, and the gradient is left alone.
    #! decay_in_the_gradient: …; grad = grad + weight_decay * param; weight_decay = 0.0
    #  The decay is added to the gradient (L2). There Adam divides it by √v: weights with large gradients hardly decay. The W in AdamW stands for
    #  taking it out of there.
    #! decay_in_both: …; grad = grad + weight_decay * param
    #  The decay is added to the gradient and taken off the parameter as well.
    #! gradient_changed: …; grad.add_(param, alpha=weight_decay); weight_decay = 0.0
    #  The decay is added to the gradient (L2), and the gradient itself is changed by it.
    #: The gradient is only read: `grad * grad`, not `grad.mul_(grad)`.
    #! gradient_used_up: …; given = grad; grad = grad.clone(); given.zero_()
    #! gradient_used_up: …; given = grad; grad = grad.clone(); given.mul_(1 - b1)
    #! gradient_used_up: …; given = grad; grad = grad.clone(); given.mul_(1 - b2)
    #  The gradient itself is changed in place: who called has not finished with it.
    #: m / (1 − β₁^step) and v / (1 − β₂^step), with step 1 at the first call.
    #! fresh_moments: …; m.zero_(), v.zero_()
    #  m and v are set to zero at each call: they remember nothing.
    m.mul_(b1).add_(grad, alpha=1 - b1)
    #: m = β₁ m + (1 − β₁) g, in place: `m.lerp_(grad, 1 - betas[0])`.
    #! momentum_adds_up: m.mul_(b1).add_(grad)
    #  (1 − β₁) is missing: m is ten times too large.
    #! m_forgets: m.copy_((1 - b1) * grad)
    #! m_forgets: m.copy_(grad)
    #  The old m is forgotten: m is made of this gradient alone.
    #! m_never_fades: m.add_(grad, alpha=1 - b1)
    #  The old m is not multiplied by β₁: it never fades.
    #! m_the_other_way_round: m.mul_(1 - b1).add_(grad, alpha=b1)
    #  β₁ and 1 − β₁ are swapped: m forgets at once.
    #! b1_for_both: m.mul_(b1).add_(grad, alpha=b1)
    #  The gradient is multiplied by β₁ as well: 1 − β₁ belongs there.
    #! m_with_a_plus: m.mul_(b1).add_(grad, alpha=1 + b1)
    #! m_with_a_plus: m.lerp_(grad, 1 + b1)
    #  It is 1 + β₁ there. The two factors make one: β₁ and 1 − β₁.
    #! m_subtracts: m.mul_(b1).sub_(grad, alpha=1 - b1)
    #  The gradient is subtracted from m.
    #! m_of_squares: m.mul_(b1).addcmul_(grad, grad, value=1 - b1)
    #  m averages g²; it should average the gradient itself.
    #! betas_swapped: m.mul_(b2).add_(grad, alpha=1 - b2)
    #! beta_2_in_m: m.mul_(b2).add_(grad, alpha=1 - b2)
    #! beta_2_in_m: m.mul_(b1).add_(grad, alpha=1 - b2)
    #  m is averaged with β₂, which belongs to v.
    #! m_not_in_place: m = b1 * m + (1 - b1) * grad
    #  m is unchanged for the next step: `m = …` makes a new tensor.
    #! m_not_updated: pass
    #  m stays as it was: this gradient is not added to it.
    #! corrections_before: m.div_(1 - b1**step).mul_(b1).add_(grad, alpha=1 - b1)
    #  m is corrected before it is updated.
    v.mul_(b2).addcmul_(grad, grad, value=1 - b2)
    #: v = β₂ v + (1 − β₂) g²: `v.mul_(betas[1]).addcmul_(grad, grad, value=1 - betas[1])`.
    #! v_not_squared: v.mul_(b2).add_(grad, alpha=1 - b2)
    #  v averages the gradient; it should average its square. The root of a negative number is NaN.
    #! v_of_sizes: v.mul_(b2).add_(grad.abs(), alpha=1 - b2)
    #  v averages |g|; it should average g².
    #! v_of_m: v.mul_(b2).addcmul_(m, m, value=1 - b2)
    #  v averages m²; it should average g².
    #! v_of_m_times_g: v.mul_(b2).addcmul_(grad, m, value=1 - b2)
    #  v averages g · m; it should average g².
    #! v_of_deviations: v.mul_(b2).add_((grad - m) ** 2, alpha=1 - b2)
    #  v averages (g − m)², as AdaBelief does.
    #! v_never_falls: v.copy_(torch.maximum(v, b2 * v + (1 - b2) * grad * grad))
    #  v never becomes smaller, as in AMSGrad.
    #! v_of_the_mean: v.mul_(b2).add_(grad.square().mean(), alpha=1 - b2)
    #! v_of_the_mean: v.mul_(b2).add_(grad.square().sum(), alpha=1 - b2)
    #  v averages one number of the whole gradient. Each weight has its own.
    #! squares_add_up: v.mul_(b2).addcmul_(grad, grad)
    #  (1 − β₂) is missing: v is twenty times too large.
    #! gradient_squared_in_place: v.mul_(b2).add_(grad.mul_(grad), alpha=1 - b2)
    #! gradient_squared_in_place: grad.square_().mul_(1 - b2); v.mul_(b2).add_(grad)
    #  The gradient itself is squared in place.
    #! v_forgets: v.copy_((1 - b2) * grad * grad)
    #! v_forgets: v.copy_(grad * grad)
    #  The old v is forgotten: v is made of this gradient alone.
    #! v_never_fades: v.addcmul_(grad, grad, value=1 - b2)
    #! v_never_fades: v.addcmul_(grad, grad)
    #  The old v is not multiplied by β₂: it never fades (as in AdaGrad).
    #! v_the_other_way_round: v.mul_(1 - b2).addcmul_(grad, grad, value=b2)
    #  β₂ and 1 − β₂ are swapped: v forgets at once.
    #! b2_for_both: v.mul_(b2).addcmul_(grad, grad, value=b2)
    #  The square is multiplied by β₂ as well: 1 − β₂ belongs there.
    #! v_with_a_plus: v.mul_(b2).addcmul_(grad, grad, value=1 + b2)
    #  It is 1 + β₂ there. The two factors make one: β₂ and 1 − β₂.
    #! v_subtracts: v.mul_(b2).addcmul_(grad, grad, value=b2 - 1)
    #  The square is subtracted from v.
    #! factor_squared_too: v.mul_(b2).add_(((1 - b2) * grad) ** 2)
    #  (1 − β₂) is squared together with g: only g is.
    #! beta_1_in_v: v.mul_(b1).addcmul_(grad, grad, value=1 - b1)
    #! beta_1_in_v: v.mul_(b2).addcmul_(grad, grad, value=1 - b1)
    #! beta_1_in_v: v.mul_(b1).addcmul_(grad, grad, value=1 - b2)
    #  v is averaged with β₁, which belongs to m.
    #!+ betas_swapped: v.mul_(b1).addcmul_(grad, grad, value=1 - b1)
    #! v_not_in_place: v = b2 * v + (1 - b2) * grad * grad
    #  v is unchanged for the next step: `v = …` makes a new tensor.
    #! v_not_updated: pass
    #  v stays as it was: this gradient is not added to it.
    #! cubes: v.mul_(b2).add_(grad.abs() ** 3, alpha=1 - b2)
    #! cubes: v.mul_(b2).add_(grad**3, alpha=1 - b2)
    #  v averages another power than the square.
    m_scale, v_scale = 1 - b1**step, 1 - b2**step
    #: m / (1 − β₁^step) and v / (1 − β₂^step), with step 1 at the first call.
    #! one_beta_for_both: m_scale = v_scale = 1 - b1**step
    #  Both corrections take β₁; v needs its own, 1 − β₂^step.
    #! beta_2_for_both: m_scale = v_scale = 1 - b2**step
    #  Both corrections take β₂; m needs its own, 1 − β₁^step.
    #! corrections_swapped: v_scale, m_scale = 1 - b1**step, 1 - b2**step
    #  The corrections are swapped: β₁ belongs to m and β₂ to v.
    #! no_correction: m_scale, v_scale = 1, 1
    #  The bias correction is missing: m and v start as zeros, and √v is closer to its goal than m, so that the first steps have a wrong length.
    #! only_m_corrected: m_scale, v_scale = 1 - b1**step, 1
    #  v is not corrected: the first steps are 4.5 times too long.
    #! only_v_corrected: m_scale, v_scale = 1, 1 - b2**step
    #  m is not corrected: the first steps are a tenth as long as they should be.
    #! corrected_with_step_plus_one: m_scale, v_scale = 1 - b1 ** (step + 1), 1 - b2 ** (step + 1)
    #  The correction uses step + 1, as if step counted from 0. It counts from 1.
    #! corrected_with_step_minus_one: m_scale, v_scale = 1 - b1 ** (step - 1) or 1, 1 - b2 ** (step - 1) or 1
    #  The correction uses step − 1. Steps count from 1 here: β^step.
    #! divided_by_zero: m_scale, v_scale = 1 - b1 ** (step - 1), 1 - b2 ** (step - 1)
    #  The correction uses step − 1: at step 1 it divides by 1 − β⁰ = 0.
    #! times_the_step: m_scale, v_scale = 1 - b1 * step, 1 - b2 * step
    #! times_the_step: m_scale, v_scale = (1 - b1) * step, (1 - b2) * step
    #! times_the_step: m_scale, v_scale = 1 - b1 * step, 1 - b2**step
    #! times_the_step: m_scale, v_scale = 1 - b1**step, 1 - b2 * step
    #  It multiplies β by the step. The correction needs a power of β: `betas[0] ** step`.
    #! corrected_by_a_product: m_scale, v_scale = 1 - b1 / step, 1 - b2 / step
    #  It divides β by the step. The correction needs a power of β: `betas[0] ** step`.
    #! corrected_as_at_step_1: m_scale, v_scale = 1 - b1, 1 - b2
    #  It divides by 1 − β at every step, which is right at step 1 only: `betas[0] ** step`.
    #! power_of_the_rest: m_scale, v_scale = (1 - b1) ** step, (1 - b2) ** step
    #  The power is taken of 1 − β; it is 1 − β^step.
    #! without_the_one: m_scale, v_scale = b1**step, b2**step
    #! without_the_one: m_scale, v_scale = 1 + b1**step, 1 + b2**step
    #! without_the_one: m_scale, v_scale = b1**step - 1, b2**step - 1
    #! without_the_one: m_scale, v_scale = 1 + b1**step, 1 - b2**step
    #! without_the_one: m_scale, v_scale = 1 - b1**step, 1 + b2**step
    #  It divides by β^step, by 1 + β^step or by β^step − 1; wanted is 1 − β^step.
    #! step_to_the_beta: m_scale, v_scale = 1 - step**b1, 1 - step**b2
    #! step_to_the_beta: m_scale, v_scale = 1 - step**b1 or 1, 1 - step**b2 or 1
    #  Basis and exponent are swapped: it is β to the power of step.
    #! multiplied_by_the_correction: m_scale, v_scale = 1 / (1 - b1**step), 1 / (1 - b2**step)
    #  It multiplies where it should divide: m and v become even smaller.
    #! m_multiplied: m_scale, v_scale = 1 / (1 - b1**step), 1 - b2**step
    #  m is multiplied by its correction; it should be divided by it.
    #! v_multiplied: m_scale, v_scale = 1 - b1**step, 1 / (1 - b2**step)
    #  v is multiplied by its correction; it should be divided by it.
    m_hat = m / m_scale
    #: `m_hat = m / (1 - betas[0] ** step)`, and m stays.
    #! corrected_m_kept: m_hat = m.div_(m_scale)
    #  m is overwritten by its corrected value, so that the next step corrects it again.
    #! corrected_both_kept: m_hat = m.div_(m_scale)
    #! corrected_twice: m_hat = m / m_scale / m_scale
    #  The correction is made twice.
    #: param − lr · m̂ / (√v̂ + eps): the root first, then eps.
    #! gradient_instead_of_m: m_hat = grad
    #! gradient_instead_of_m: m_hat = grad / m_scale
    #  It goes along the gradient of this step, not along m (that is RMSprop).
    #! sign_only: m_hat = m.sign() * (v / v_scale).sqrt().add(eps)
    #  It takes only the sign of m. That is Adam at its first step, but not later.
    #! looks_ahead: m_hat = (b1 * m + (1 - b1) * grad) / m_scale
    #! looks_ahead: m_hat = b1 * m / (1 - b1 ** (step + 1)) + (1 - b1) * grad / m_scale
    #  It mixes the gradient into m once more (Nesterov's way, NAdam).
    v_hat = v / v_scale
    #: `v_hat = v / (1 - betas[1] ** step)`, and v stays.
    #! corrected_v_kept: v_hat = v.div_(v_scale)
    #  v is overwritten by its corrected value, so that the next step corrects it again.
    #!+ corrected_both_kept: v_hat = v.div_(v_scale)
    #  m and v are overwritten by their corrected values, so that the next step corrects them again.
    #! root_kept_in_v: …; v.sqrt_()
    #! root_kept_in_v: …; v.sqrt_().add_(eps)
    #! root_kept_in_v: …; v.div_(v_scale).sqrt_()
    #! root_kept_in_v: …; v.div_(v_scale).sqrt_().add_(eps)
    #  The root is taken in place (`v.sqrt_()`), so that v itself is no mean of squares any more.
    #: param − lr · m̂ / (√v̂ + eps): the root first, then eps.
    #! v_for_the_whole_tensor: v_hat = (v / v_scale).mean()
    #! v_for_the_whole_tensor: v_hat = (v / v_scale).sum()
    #! v_for_the_whole_tensor: v_hat = (v / v_scale).mean(-1, keepdim=True)
    #  All numbers of the tensor share one v. Each has its own: that is what Adam is about.
    #: First update m and v, then step.
    #! moments_of_the_last_step: m_hat = (m - (1 - b1) * grad) / b1 / m_scale; v_hat = (v - (1 - b2) * grad * grad) / b2 / v_scale
    #  The step uses m and v as they were before this gradient.
    #: param − lr · m̂ / (√v̂ + eps): the root first, then eps.
    #! gradient_instead_of_v: v_hat = grad * grad
    #  It divides by the size of this gradient, not by √v.
    size = v_hat.sqrt() + eps
    #: m / (1 − β₁^step) and v / (1 − β₂^step), with step 1 at the first call.
    #! corrected_after_the_root: size = v.sqrt() / v_scale + eps
    #  The root is taken first and then divided by the correction: √v / (1 − β₂^step). v itself must be corrected, √(v / (1 − β₂^step)).
    #: param − lr · m̂ / (√v̂ + eps): the root first, then eps.
    #! eps_inside_the_root: size = (v_hat + eps).sqrt()
    #! eps_inside_the_root: size = (v_hat + eps).sqrt() + eps
    #! eps_inside_the_root: size = (v_hat + eps**2).sqrt()
    #  eps stands inside the root: √(v̂ + eps). With eps = 1e-8 that is like 1e-4 outside, far above the gradients of a large model.
    #! eps_before_the_correction: size = (v.sqrt() + eps) / v_scale**0.5
    #! eps_before_the_correction: size = ((v + eps) / v_scale).sqrt()
    #  eps is added to √v before the correction, so that it is larger in the first steps.
    #! no_eps: size = v_hat.sqrt()
    #  eps is missing: a weight without a gradient becomes 0 / 0.
    #! constant_eps: size = v_hat.sqrt() + 1e-8
    #  eps is 1e-8 whatever it is given.
    #! eps_for_the_smallest_only: size = v_hat.sqrt().clamp(min=eps)
    #  eps is a lower bound there (`clamp`); it should be added.
    #! eps_subtracted: size = v_hat.sqrt() - eps
    #  eps is subtracted; it is added.
    #! eps_multiplied: size = v_hat.sqrt() * eps
    #  √v is multiplied by eps; eps is added.
    #! no_root: size = v_hat + eps
    #  The root of v is missing: small gradients then take huge steps.
    #! squared_again: size = v_hat.square() + eps
    #! squared_again: size = v_hat.sqrt().sqrt() + eps
    #  v is squared once more, or the root is taken twice.
    #! v_ignored: size = 1.0
    #! v_ignored: size = 1.0 + eps
    #  It does not divide by √v: that is plain momentum, whose steps are as uneven as the gradients.
    #! multiplied_by_the_root: size = 1 / (v_hat.sqrt() + eps)
    #  It multiplies by √v where it should divide.
    #! eps_with_the_mean: size = v_hat.sqrt(); m_hat = m_hat + eps
    #  eps is added to m, above the line; it belongs below, to √v.
    move = lr * m_hat / size
    #: param − lr · m̂ / (√v̂ + eps): the root first, then eps.
    #! uphill: move = -lr * m_hat / size
    #  It goes uphill: the sign of the step is wrong.
    #! no_lr: move = m_hat / size
    #  The step is not multiplied by lr.
    #! lr_twice: move = lr * lr * m_hat / size
    #  The step is multiplied by lr twice.
    #! divided_by_lr: move = m_hat / size / lr
    #  The step is divided by lr.
    #! rate_with_the_step: move = lr / step * m_hat / size
    #! rate_with_the_step: move = lr * step * m_hat / size
    #! rate_with_the_step: move = lr / math.sqrt(step) * m_hat / size
    #  lr is changed by the step. `train` decides on the rate; here it is taken as it is.
    decay = lr * weight_decay * param
    #: Decoupled: `param.mul_(1 - lr * weight_decay)`, and the gradient is left alone.
    #! no_decay: decay = 0
    #  The weights do not decay.
    #! decay_without_lr: decay = weight_decay * param
    #  The decay is not multiplied by lr: a tenth of every weight is gone after one step.
    #! decay_times_lr_twice: decay = lr * lr * weight_decay * param
    #  The decay is multiplied by lr twice.
    #! decay_by_lr_only: decay = lr * param
    #  The decay is lr alone: weight_decay is not used.
    #! decay_adds: decay = -lr * weight_decay * param
    #  The decay has the wrong sign: weights grow.
    #! decay_adds_without_lr: decay = -weight_decay * param
    #  The decay has the wrong sign, so that weights grow, and it is not multiplied by lr.
    #! decay_by_size: decay = lr * weight_decay * param.sign()
    #  All weights lose the same amount (the sign of the weight: L1), not the same share.
    #! decay_by_squares: decay = lr * weight_decay * param * param
    #! decay_by_squares: decay = lr * weight_decay * param * param.abs()
    #  The decay goes with the square of the weight: every weight should lose the same share.
    #! decay_by_the_norm: decay = lr * weight_decay * param.norm()
    #! decay_by_the_norm: decay = lr * weight_decay * param.square().sum()
    #! decay_by_the_norm: decay = lr * weight_decay * param.mean()
    #  The decay is one number of the whole tensor: every weight should lose a share of itself.
    #! constant_shrinking: decay = lr * weight_decay
    #  The same number is taken off every weight: param is missing in the decay.
    #! decay_halved: decay = lr * weight_decay / 2 * param
    #  The decay is halved.
    #! decay_doubled: decay = 2 * lr * weight_decay * param
    #  The decay is doubled.
    #! decay_for_matrices_only: decay = lr * weight_decay * param * (param.dim() > 1)
    #  Vectors do not decay. adamw_step does what it is told; who decays is decided in `train`.
    #! keeps_the_share_only: decay = (1 - lr * weight_decay) * param
    #  It takes off what should be kept: (1 − lr · weight_decay) of the weight stays.
    #! weights_times_decay: decay = param - weight_decay * param
    #! weights_times_decay: decay = param - lr * weight_decay * param
    #  The weight is multiplied by the decay itself; it is multiplied by 1 − lr · weight_decay.
    #! decay_of_the_gradient: decay = lr * weight_decay * grad
    #  It is the gradient that decays, not the weight.
    #! decay_divided_by_root_v: decay = lr * weight_decay * param / size
    #  The decay is divided by √v as well, as in Adam with L2: it stands outside of the quotient.
    #! decay_with_the_corrections: decay = lr * weight_decay * param / m_scale
    #! decay_with_the_corrections: decay = lr * weight_decay * param * v_scale**0.5 / m_scale
    #  The decay takes the corrected rate: it is lr · weight_decay, without corrections.
    #: First `param.mul_(1 - lr * weight_decay)`, then the step.
    #! decay_after: decay = lr * weight_decay * (param - move)
    #  What decays is the parameter after the step; it should be the one before.
    param.sub_(move + decay)
    #: `param.sub_(…)`, `param -= …` or `param.copy_(…)`.
    #! param_not_in_place: param.sub_(decay); param = param - move
    #  The parameter itself is unchanged: `param = param - …` makes a new tensor.
    #! only_the_move: param.copy_(-move - decay)
    #! only_the_move: param.copy_(move)
    #! only_the_move: param.copy_(move + decay)
    #  The parameter becomes the step itself: the step is taken off it.
    #: param − lr · m̂ / (√v̂ + eps): the root first, then eps.
    #! step_twice: param.sub_(move + decay).sub_(move)
    #  The step is made twice.
    #: `torch.no_grad()` is enough; `requires_grad` stays as it is.
    #! gradient_switched_off: param.requires_grad_(False).sub_(move + decay)
    #  After the step the parameter requires no gradient any more: it will not learn again.


MISTAKES: list[Mistake] = mistakes_of(adamw_step)
