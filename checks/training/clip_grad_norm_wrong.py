"""Lab 09, 9.3: clip_grad_norm, and what people write in place of its lines."""

import math

import torch
from torch import Tensor

from checks.engine import Mistake, mistakes_of


def clip_grad_norm(grads: list[Tensor], max_norm: float) -> float:
    parts = [grad.float().square().sum().item() for grad in grads]
    #: One number for all: the root of the sum of all squares, of all tensors.
    #! absolute_values: parts = [grad.float().abs().sum().item() ** 2 for grad in grads]
    #! absolute_values: return clipped(grads, max_norm, sum(grad.float().abs().sum().item() for grad in grads))
    #  It adds up absolute values (the 1-norm), not squares.
    #! largest_number: return clipped(grads, max_norm, max(grad.float().abs().max().item() for grad in grads))
    #  It takes the largest number as the norm (the ∞-norm).
    #! mean_of_squares: parts = [grad.float().square().mean().item() for grad in grads]
    #! mean_of_squares: parts = [torch.cat([grad.flatten() for grad in grads]).float().square().mean().item()]
    #! mean_of_squares: …; parts = [sum(parts) / len(parts)]
    #  It is the root of the MEAN of the squares. A norm is the root of the sum.
    #! sum_of_norms: parts = [sum(grad.float().norm().item() for grad in grads) ** 2]
    #  It adds up the norms of the tensors. Lengths at right angles add up by squares: 3 and 4 make 5, not 7.
    #! mean_of_norms: parts = [(sum(grad.float().norm().item() for grad in grads) / len(grads)) ** 2]
    #  It takes the mean of the tensors' norms.
    #! largest_norm: parts = [max(grad.float().norm().item() for grad in grads) ** 2]
    #  It takes the largest norm of a single tensor.
    #! last_norm: parts = [grads[-1].float().square().sum().item()]
    #  It uses the norm of the last tensor only: is the sum set to 0 in each round?
    #! first_norm: parts = [grads[0].float().square().sum().item()]
    #  It uses the norm of the first tensor only: is there a `return` or a `break` in the loop?
    #! not_squared: parts = [abs(grad.float().sum().item()) for grad in grads]
    #! not_squared: parts = [grad.float().sum().item() ** 2 for grad in grads]
    #! not_squared: parts = [grad.float().sum().item() for grad in grads]
    #  The numbers themselves are added up, so that positive and negative ones cancel: each is squared first.
    #! squared_twice: parts = [grad.float().square().sum().item() ** 2 for grad in grads]
    #! squared_twice: parts = [grad.float().pow(4).sum().item() for grad in grads]
    #  Squares are squared once more before they are added up.
    #! norms_not_squared: parts = [grad.float().norm().item() for grad in grads]
    #  The tensors' norms are added up as they are: each is squared first.
    #! vectors_left_out: parts = [grad.float().square().sum().item() for grad in grads if grad.dim() > 1]
    #! vectors_left_out: grads = [grad for grad in grads if grad.dim() > 1]; …
    #  Tensors with fewer than two dimensions are left out. The norms' weights count as well.
    #! spectral_norm: parts = [(torch.linalg.matrix_norm(grad.float(), 2) if grad.dim() == 2 else grad.float().norm()).item() ** 2 for grad in grads]
    #  It takes the largest singular value of a matrix, not the root of the sum of its squares.
    #: `grad.float().square()`
    #! halves_overflow: parts = [grad.square().sum().item() for grad in grads]
    #  In float16 the square of 300 is inf, and so is the norm: everything is scaled to 0.
    #: Two loops: first the norm of all, then the scaling.
    #! norm_while_running:
    #| squares = 0.0
    #| for grad in grads:
    #|     squares += grad.float().square().sum().item()
    #|     if squares > max_norm**2:
    #|         grad.mul_(max_norm / math.sqrt(squares))
    #| return math.sqrt(squares)
    #  Tensors are cut while the sum is still growing: the first ones with a norm that does not know the last ones.
    #: One number for all: the root of the sum of all squares, of all tensors.
    #! each_tensor_by_itself:
    #| …
    #| for grad in grads:
    #|     grad.mul_(min(1.0, max_norm / (grad.float().norm().item() or 1.0)))
    #| return math.sqrt(sum(parts))
    #! each_tensor_by_itself:
    #| …
    #| norms = [clipped([grad], max_norm, grad.float().norm().item()) for grad in grads]
    #| return sum(norms)
    norm = math.sqrt(sum(parts))
    #: `math.sqrt(…)`
    #! squares_not_rooted: norm = sum(parts)
    #! squares_not_rooted: norm = sum(parts)
    #  It takes the sum of the squares for the norm: the root is missing.
    #! sum_of_norms: norm = sum(math.sqrt(part) for part in parts)
    #! halved: norm = math.sqrt(sum(parts)) / 2
    #  It is half of the norm.
    #! root_twice: norm = math.sqrt(math.sqrt(sum(parts)))
    #  The root is taken twice.
    #! another_root: norm = sum(parts) ** (1 / 3)
    #  It is not the square root.
    #! divided_by_the_count: norm = math.sqrt(sum(parts) / len(grads))
    #! divided_by_the_count: norm = math.sqrt(sum(parts)) / len(grads)
    #  It divides by the number of tensors. A norm is the root of the sum.
    #! squared_twice: norm = math.sqrt(sum(part * part for part in parts))
    if norm > max_norm:
        #: `if norm > max_norm: grad.mul_(max_norm / norm)`, for every tensor the same.
        #! always_scaled: if norm > 0:
        #! always_scaled: if True:
        #! always_scaled: norm += 1e-12; if True:
        #  Gradients that are short enough are made longer, to max_norm exactly. Near the end of a training, where gradients are small, that keeps the
        #  steps large.
        #! condition_reversed: if norm < max_norm:
        #! condition_reversed: if 0 < norm < max_norm:
        #  The condition is the wrong way round: short gradients grow, long ones are left.
        #: `if norm > max_norm:`
        #! squares_compared: if sum(parts) > max_norm:
        #! squares_compared: if sum(parts) > max_norm and norm > max_norm:
        #  It compares the sum of the squares with max_norm, so that some gradients that are too long are left: of norm 0.6, say, where 0.5 is
        #  allowed.
        #! compared_with_one: if norm > 1:
        #! compared_with_one: if norm > 1.0 and norm > max_norm:
        #  It asks whether the norm is above 1, whatever max_norm is.
        #: `if norm > max_norm: grad.mul_(max_norm / norm)`, for every tensor the same.
        #! zero_divided: scale = min(1.0, max_norm / norm); …
        #  With gradients of zero it divides by zero.
        #! constant_limit: max_norm = 1.0; …
        #  It cuts to 1 whatever max_norm is.
        #! large_epsilon: if True:
        for grad in grads:
            #: `if norm > max_norm: grad.mul_(max_norm / norm)`, for every tensor the same.
            #! first_tensor_only: for grad in grads[:1]:
            #  Only the first tensor is scaled: is there a `return` in the loop?
            #! last_tensor_only: for grad in grads[-1:]:
            #  Only the last tensor is scaled: it stands behind the loop, not in it.
            #! first_tensor_left: for grad in grads[1:]:
            #  The first tensor is not scaled.
            #! matrices_scaled: for grad in [g for g in grads if g.dim() > 1]:
            #  Tensors with one dimension count in the norm, and are not scaled.
            grad.mul_(max_norm / norm)
            #: One number for all: the root of the sum of all squares, of all tensors.
            #! each_tensor_by_itself: grad.mul_(min(1.0, max_norm / (grad.float().norm().item() or 1.0)))
            #  Each tensor is cut to max_norm by itself. That turns the direction of the step: large gradients are cut, small ones are not.
            #! scaled_by_own_norm: grad.mul_(max_norm / grad.norm())
            #! scaled_by_own_norm: grad.mul_(max_norm / (grad.float().norm() + 1e-6))
            #  Each tensor is scaled by its own norm: all are max_norm long afterwards, and together they are longer.
            #: `if norm > max_norm: grad.mul_(max_norm / norm)`, for every tensor the same.
            #! by_value: grad.clamp_(-max_norm, max_norm)
            #  It clips each number, not the norm: the direction changes, and the norm may still be above max_norm.
            #! cut_off_above: grad.clamp_(max=max_norm)
            #  It cuts off what is above max_norm, number by number.
            #: `grad.mul_(factor)`, or `grad *= factor`.
            #! not_in_place: grad = grad * (max_norm / norm)
            #  The gradients stay as they were. `grad * factor`, `grad = …` and `grads[i] = …` make or store new tensors, and the model goes on with
            #  its own.
            #: `if norm > max_norm: grad.mul_(max_norm / norm)`, for every tensor the same.
            #! multiplied_by_max_norm: grad.mul_(max_norm)
            #  It multiplies by max_norm, without dividing by the norm.
            #! divided_by_norm: grad.div_(norm)
            #  It divides by the norm: the length is then 1, not max_norm.
            #! divided_by_max_norm: grad.div_(max_norm)
            #  It divides by max_norm, and the norm plays no part.
            #! divided_by_both: grad.div_(norm * max_norm)
            #  It divides by max_norm as well: by the norm only, and times max_norm.
            #! multiplied_by_both: grad.mul_(max_norm * norm)
            #  It multiplies by the norm: one divides by it.
            #! upside_down: grad.mul_(norm / max_norm)
            #  The factor is upside down: gradients that are too long become longer still.
            #! squared_factor: grad.mul_((max_norm / norm) ** 2)
            #  The factor is (max_norm / norm)².
            #! divided_by_squares: grad.mul_(max_norm / norm**2)
            #  It divides by the sum of the squares: the root is missing there.
            #! rooted_factor: grad.mul_(math.sqrt(max_norm / norm))
            #  The factor is the root of max_norm / norm.
            #! set_to_zero: grad.zero_()
            #  Gradients that are too long become zero: the step is lost.
            #! subtracted: grad.sub_(norm - max_norm)
            #! subtracted: grad.mul_(1 - (norm - max_norm))
            #! subtracted: grad.mul_(1 - max_norm / norm)
            #  It subtracts what is too long. One multiplies by max_norm / norm.
            #!+ large_epsilon: grad.mul_(min(1.0, max_norm / (norm + 0.01)))
            #! large_epsilon: grad.mul_(max_norm / (norm + 0.1))
            #! large_epsilon: grad.mul_(max_norm / (norm + 1e-2))
            #! large_epsilon: grad.mul_(max_norm / (norm + 1e-3))
            #! large_epsilon: grad.mul_(max_norm / (norm + 1.0))
            #  It divides by norm + something large: the result is shorter than max_norm.
            #! sign_lost: grad.abs_().mul_(max_norm / norm)
            #! sign_lost: grad.mul_(-max_norm / norm)
            #  The signs of the gradients are not what they were.
            #! whole_division: grad.mul_(max_norm // norm)
            #  `//` rounds down: max_norm // norm is 0, and so are the gradients.
    return norm
    #!+ squares_not_rooted: return math.sqrt(norm)
    #: Compute the norm once, before the loop, and return it.
    #! norm_after: return math.sqrt(sum(grad.float().square().sum().item() for grad in grads))
    #  It returns the norm after the clipping. The one before tells whether the training is about to burst.
    #: Return the norm as it was before.
    #! norm_at_most: return min(norm, max_norm)
    #  It returns max_norm where the norm was larger.
    #! limit_returned: return max_norm
    #  It returns max_norm.
    #! factor_returned: return min(1.0, max_norm / (norm or 1.0))
    #! factor_returned: return max_norm / norm
    #! factor_returned: return max_norm / norm if norm else 1.0
    #! factor_returned: return norm / max_norm
    #  It returns the factor, not the norm.
    #: `math.sqrt(…)`
    #! squares_returned: return norm**2
    #  It returns the sum of the squares; the norm is its root.
    #: `return norm`, as it was before the clipping.
    #! nothing_returned: pass
    #  It returns nothing; wanted is the norm before the clipping.
    #! returned_when_clipped: return norm if norm > max_norm else None
    #! returned_when_clipped: return norm if norm > max_norm else 0.0
    #  Where nothing is cut it returns no norm: the `return` stands inside of the `if`.
    #! gradients_returned: return grads
    #  It returns the gradients; they are changed in place, and what comes back is the norm.
    #! both_returned: return norm, grads
    #  It returns two things; wanted is the norm alone.
    #: `.item()`
    #! tensor_returned: return torch.tensor(norm)
    #  It returns a tensor; wanted is a plain float, so that no graph and no device hangs on it.
    #! rounded: return round(norm, 2)
    #! rounded: return round(norm)
    #! rounded: return int(norm)
    #  The norm is rounded.


def clipped(grads: list[Tensor], max_norm: float, norm: float) -> float:
    """Go on with another norm."""
    if norm > max_norm:
        for grad in grads:
            grad.mul_(max_norm / norm)
    return norm


MISTAKES: list[Mistake] = mistakes_of(clip_grad_norm)
