"""Lab 09, 9.1 and 9.3: what people write for cross_entropy and clip_grad_norm.

Sources are the public issues in which somebody really made the mistake.
"""

import math
from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional as F

from checks.engine import Mistake, in_float32

Loss = Callable[[Tensor, Tensor], Tensor]

# 9.1 cross_entropy


def picked(log_p: Tensor, targets: Tensor) -> Tensor:
    """The entries of the targets: (..., V), (...) → (...)."""
    return log_p.gather(-1, targets[..., None]).squeeze(-1)


def nats(logits: Tensor, targets: Tensor) -> Tensor:
    """The loss of each token."""
    return -picked(torch.log_softmax(logits, -1), targets)


def _each(logits: Tensor, targets: Tensor) -> Tensor:
    return nats(logits, targets)


def _by_hand(logits: Tensor, targets: Tensor) -> Tensor:
    return -picked(logits.softmax(-1).log(), targets).mean()


def _exp(logits: Tensor, targets: Tensor) -> Tensor:
    return (logits.exp().sum(-1).log() - picked(logits, targets)).mean()


def _global_maximum(logits: Tensor, targets: Tensor) -> Tensor:
    shifted = logits - logits.max()
    return (shifted.exp().sum(-1).log() - picked(shifted, targets)).mean()


def _clamped(logits: Tensor, targets: Tensor) -> Tensor:
    return -picked(logits.softmax(-1), targets).clamp(min=1e-9).log().mean()


def _with_epsilon(logits: Tensor, targets: Tensor) -> Tensor:
    return -(picked(logits.softmax(-1), targets) + 1e-6).log().mean()


def _first_target(logits: Tensor, targets: Tensor) -> Tensor:
    return nats(logits.flatten(0, -2)[:1], targets.flatten()[:1]).mean()


def _last_token(logits: Tensor, targets: Tensor) -> Tensor:
    lost = nats(logits, targets)
    return lost[..., -1].mean() if lost.dim() else lost


def _shifted(logits: Tensor, targets: Tensor) -> Tensor:
    if targets.shape[-1] < 2:
        return nats(logits, targets).mean()
    return nats(logits[..., :-1, :], targets[..., 1:]).mean()


def _per_sentence(logits: Tensor, targets: Tensor) -> Tensor:
    lost = nats(logits, targets)
    return lost.sum(-1).mean() if lost.dim() else lost


def _three_dimensions(logits: Tensor, targets: Tensor) -> Tensor:
    B, T, V = logits.shape
    return nats(logits.reshape(B * T, V), targets.reshape(B * T)).mean()


def _wrong_dim(logits: Tensor, targets: Tensor) -> Tensor:
    return -picked(torch.log_softmax(logits, -2), targets).mean()


def _transposed(logits: Tensor, targets: Tensor) -> Tensor:
    V = logits.shape[-1]
    mixed = logits.mT.reshape(-1, V) if logits.dim() > 2 else logits
    return F.cross_entropy(mixed, targets.flatten())


def _all_classes(logits: Tensor, targets: Tensor) -> Tensor:
    hot = F.one_hot(targets, logits.shape[-1])
    return -(hot * torch.log_softmax(logits, -1)).mean()


def _base_two(logits: Tensor, targets: Tensor) -> Tensor:
    return nats(logits, targets).mean() / math.log(2)


def _binary(logits: Tensor, targets: Tensor) -> Tensor:
    hot = F.one_hot(targets, logits.shape[-1]).to(logits.dtype)
    return F.binary_cross_entropy_with_logits(logits, hot)


def _squared(logits: Tensor, targets: Tensor) -> Tensor:
    hot = F.one_hot(targets, logits.shape[-1])
    return (logits.softmax(-1) - hot).square().sum(-1).mean()


def _smoothed(logits: Tensor, targets: Tensor) -> Tensor:
    log_p = torch.log_softmax(logits, -1)
    return -(0.9 * picked(log_p, targets) + 0.1 * log_p.mean(-1)).mean()


def _ignores_zero(logits: Tensor, targets: Tensor) -> Tensor:
    lost = nats(logits, targets)[targets != 0]
    return lost.mean() if lost.numel() else logits.sum() * 0


def _on_cpu(logits: Tensor, targets: Tensor) -> Tensor:
    log_p = torch.log_softmax(logits.float() if logits.itemsize < 4 else logits, -1)
    lost = torch.zeros(targets.numel(), dtype=log_p.dtype)
    rows = zip(log_p.flatten(0, -2), targets.flatten().tolist(), strict=True)
    for place, (row, target) in enumerate(rows):
        lost[place] = -row[target]
    return lost.mean().to(logits.dtype)


def _in_float(logits: Tensor, targets: Tensor) -> Tensor:
    return nats(logits.float(), targets).mean()


def _detached(logits: Tensor, targets: Tensor) -> Tensor:
    return torch.tensor(nats(logits, targets).mean().item(), dtype=logits.dtype)


def _detached_normaliser(logits: Tensor, targets: Tensor) -> Tensor:
    return (logits.logsumexp(-1).detach() - picked(logits, targets)).mean()


def _gradient_of_maximum(logits: Tensor, targets: Tensor) -> Tensor:
    shifted = logits - logits.max(-1, keepdim=True).values.detach()
    return ((shifted.exp().sum(-1) + 1e-4).log() - picked(shifted, targets)).mean()


LOG_SOFTMAX = (
    "`torch.log_softmax(logits, dim=-1)` computes x − max − ln Σ exp(x − max), without ever taking "
    "exp of a large number or ln of 0."
)
MEAN = "`.mean()` over everything: every token counts the same."
GATHER = "`log_p.gather(-1, targets[..., None])` takes from each row the entry of its target."


def loss(key: str, wrong: Loss, says: str, hint: str = "", source: str = "") -> Mistake:
    """A mistake that rounds as the reference does, so that nothing else is wrong with it."""
    return Mistake(key, in_float32(wrong), says, hint, source)


LOSS = [
    loss(
        "double_softmax",
        lambda x, y: nats(x.softmax(-1), y).mean(),
        "It takes the softmax of a softmax. However sure the model is, its probabilities are then "
        "at most e times apart, and the loss never comes near 0.",
        "log_softmax wants the logits themselves.",
        "ariecattan/SciCo#2",
    ),
    loss(
        "log_of_softmax",
        _by_hand,
        "For logits of 10000 the softmax rounds small probabilities to 0, and ln 0 is −inf.",
        LOG_SOFTMAX,
    ),
    loss("exp_overflows", _exp, "exp(500) is too large for float32: the sum is inf.", LOG_SOFTMAX),
    loss(
        "one_maximum_for_all",
        _global_maximum,
        "It subtracts the largest logit of all tokens. A token whose own logits are all far below "
        "it gets exp(…) = 0 everywhere, and ln 0. Each row needs its own maximum.",
        "`logits.max(dim=-1, keepdim=True).values`; or log_softmax, which does all this.",
    ),
    loss(
        "clamped",
        _clamped,
        "Probabilities are cut off from below, so that a loss above 20 cannot be seen and gives no "
        "gradient: the worst predictions teach nothing.",
        LOG_SOFTMAX,
    ),
    loss(
        "epsilon_in_the_log",
        _with_epsilon,
        "ln(p + 1e-6) is never larger than 13.8: the worst predictions look better than they are.",
        LOG_SOFTMAX,
    ),
    loss(
        "not_averaged",
        _each,
        "It returns the loss of each token; the mean over all of them is missing.",
        MEAN,
    ),
    loss(
        "sum",
        lambda x, y: nats(x, y).sum(),
        "It is the sum, not the mean: with a batch twice as large, loss and gradient are twice as "
        "large.",
        MEAN,
        "karpathy/nanoGPT#168",
    ),
    loss(
        "sum_over_the_sentence",
        _per_sentence,
        "It adds up the tokens of a sentence and takes the mean over the sentences.",
        MEAN,
    ),
    loss(
        "mean_over_vocabulary",
        _all_classes,
        "It takes the mean over all V entries of each row, of which one is not zero: the loss is V "
        "times too small.",
        GATHER,
    ),
    loss("sign", lambda x, y: -nats(x, y).mean(), "The sign is missing: ln p is negative."),
    loss(
        "logits_not_normalised",
        lambda x, y: -picked(x, y).mean(),
        "It takes the target's logit itself, without the softmax: the loss falls without end when "
        "all logits grow.",
        LOG_SOFTMAX,
    ),
    loss(
        "probability",
        lambda x, y: -picked(x.softmax(-1), y).mean(),
        "It is −p, without the logarithm. A token that gets 0.0001 is then hardly worse than one "
        "that gets 0.01.",
        LOG_SOFTMAX,
    ),
    loss(
        "one_minus_probability",
        lambda x, y: (1 - picked(x.softmax(-1), y)).mean(),
        "It is 1 − p, without the logarithm.",
        LOG_SOFTMAX,
    ),
    loss(
        "log_of_the_mean",
        lambda x, y: -picked(x.softmax(-1), y).mean().log(),
        "It is the logarithm of the mean probability; wanted is the mean of the logarithms.",
        "First ln, then the mean.",
    ),
    loss(
        "softmax_over_positions",
        _wrong_dim,
        "The softmax goes over the positions; probabilities are over the vocabulary, dimension −1.",
        LOG_SOFTMAX,
    ),
    loss(
        "transposed_and_reshaped",
        _transposed,
        "The logits were transposed to (B, V, T) and then cut into rows of V: a row holds numbers "
        "of different tokens.",
        "F.cross_entropy takes (B, V, T) as it is, or (B · T, V) from `logits.flatten(0, 1)`.",
    ),
    loss(
        "shifted_again",
        _shifted,
        "The targets are shifted once more. make_batch has done that: targets[t] is what follows "
        "inputs[t]. So the model learns to predict the character after the next.",
        "Compare logits[:, t] with targets[:, t].",
        "the class of huggingface/transformers#48745",
    ),
    loss("first_token_only", _first_target, "Only the first token of all counts.", MEAN),
    loss("last_token_only", _last_token, "Only the last token of each sentence counts.", MEAN),
    loss(
        "only_three_dimensions",
        _three_dimensions,
        "It works on (B, T, V) only. Any leading dimensions should do.",
        "`logits.flatten(0, -2)`, or gather, which does not mind.",
    ),
    loss("bits", _base_two, "It is in bits, ln p / ln 2; wanted is the natural logarithm."),
    loss(
        "binary",
        _binary,
        "It asks V questions with yes or no, sigmoids, and not one with V answers.",
        LOG_SOFTMAX,
    ),
    loss("squared_error", _squared, "It is the squared error of the probabilities.", LOG_SOFTMAX),
    loss(
        "label_smoothing",
        _smoothed,
        "A tenth of the target is spread over all tokens (label smoothing): the loss cannot reach "
        "0.",
    ),
    loss(
        "ignores_token_0",
        _ignores_zero,
        "Targets with the id 0 are left out. Here 0 is an ordinary token: the line break.",
    ),
    Mistake(
        "not_on_the_device",
        _on_cpu,
        "A tensor made inside lies on the CPU, wherever the logits are.",
        "`torch.zeros(…, device=logits.device)`, or do without a loop.",
    ),
    Mistake(
        "always_float32",
        _in_float,
        "The result is float32 whatever the logits are.",
        "`.to(logits.dtype)` at the end, and float32 in between for half precision only.",
    ),
    loss(
        "detached",
        _detached,
        "It returns a fresh tensor: the way back to the logits is cut, and nothing can learn.",
        "No `.item()` and no `torch.tensor(…)` on the way.",
    ),
    loss(
        "detached_normaliser",
        _detached_normaliser,
        "The value is right and the gradient is not: the normaliser was detached, so all logits of "
        "targets are pushed up and none down.",
    ),
    loss(
        "epsilon_in_the_sum",
        _gradient_of_maximum,
        "Something is added to the sum of the exponentials, which is never 0 after the maximum has "
        "been subtracted.",
        LOG_SOFTMAX,
    ),
    loss(
        "reciprocal_perplexity",
        lambda x, y: nats(x, y).mean().exp(),
        "It is the perplexity, exp of the loss.",
    ),
    loss(
        "largest_instead_of_target",
        lambda x, y: -torch.log_softmax(x, -1).max(-1).values.mean(),
        "It takes the likeliest token instead of the target: the model becomes sure, of anything.",
        GATHER,
    ),
]


# 9.3 clip_grad_norm

Grads = list[Tensor]


def norm_of(grads: Grads) -> float:
    """The common norm, of numbers that may be half precision."""
    return math.sqrt(sum(grad.double().square().sum().item() for grad in grads))


def scaled(grads: Grads, factor: float) -> None:
    """Multiply in place."""
    for grad in grads:
        grad.copy_(grad.double() * factor)


def clip(
    norm: Callable[[Grads], float] = norm_of,
    factor: Callable[[float, float], float] = lambda norm, limit: min(1.0, limit / (norm or 1.0)),
    result: Callable[[Grads, float, float], object] = lambda grads, norm, limit: norm,
) -> Callable[[Grads, float], object]:
    """clip_grad_norm with another norm, another factor, or another result."""

    def wrong(grads: Grads, max_norm: float) -> object:
        length = norm(grads)
        scaled(grads, factor(length, max_norm))
        return result(grads, length, max_norm)

    return wrong


def _each_by_itself(grads: Grads, max_norm: float) -> float:
    before = norm_of(grads)
    for grad in grads:
        clip()([grad], max_norm)
    return before


def _by_value(grads: Grads, max_norm: float) -> float:
    before = norm_of(grads)
    for grad in grads:
        grad.clamp_(-max_norm, max_norm)
    return before


def _new_list(grads: Grads, max_norm: float) -> float:
    before = norm_of(grads)
    if before > max_norm:
        grads = [grad * (max_norm / before) for grad in grads]
    return before


def _returned(grads: Grads, max_norm: float) -> Grads:
    clip()(grads, max_norm)
    return grads


def _while_running(grads: Grads, max_norm: float) -> float:
    squares = 0.0
    for grad in grads:
        squares += grad.double().square().sum().item()
        scaled([grad], min(1.0, max_norm / (math.sqrt(squares) or 1.0)))
    return math.sqrt(squares)


def _half(grads: Grads) -> float:
    return math.sqrt(sum(grad.square().sum().item() for grad in grads))


def _first_only(grads: Grads, max_norm: float) -> float:
    before = norm_of(grads)
    clip(norm=lambda _: before)(grads[:1], max_norm)
    return before


def _matrices(grads: Grads) -> Grads:
    return [grad for grad in grads if grad.dim() > 1]


def _without_vectors(grads: Grads, max_norm: float) -> float:
    return clip()(_matrices(grads), max_norm)


def _divided_by_count(grads: Grads) -> float:
    return norm_of(grads) / math.sqrt(sum(grad.numel() for grad in grads) or 1)


ONE_NORM = "One number for all: the root of the sum of all squares, of all tensors."
FACTOR = "`if norm > max_norm: grad.mul_(max_norm / norm)`, for every tensor the same."
CLIP = [
    Mistake(
        "always_scaled",
        clip(factor=lambda norm, limit: limit / (norm or 1.0)),
        "Gradients that are short enough are made longer, to max_norm exactly. Near the end of a "
        "training, where gradients are small, that keeps the steps large.",
        FACTOR,
    ),
    Mistake(
        "zero_divided",
        clip(factor=lambda norm, limit: min(1.0, limit / norm)),
        "With gradients of zero it divides by zero.",
        FACTOR,
    ),
    Mistake(
        "each_tensor_by_itself",
        _each_by_itself,
        "Each tensor is cut to max_norm by itself. That turns the direction of the step: large "
        "gradients are cut, small ones are not.",
        ONE_NORM,
    ),
    Mistake(
        "by_value",
        _by_value,
        "It clips each number, not the norm: the direction changes, and the norm may still be "
        "above max_norm.",
        FACTOR,
    ),
    Mistake(
        "norm_after",
        clip(result=lambda grads, norm, limit: norm_of(grads)),
        "It returns the norm after the clipping. The one before tells whether the training is "
        "about to burst.",
        "Compute the norm once, before the loop, and return it.",
    ),
    Mistake(
        "norm_at_most",
        clip(result=lambda grads, norm, limit: min(norm, limit * (1 - 1e-12))),
        "It returns max_norm where the norm was larger.",
        "Return the norm as it was before.",
    ),
    Mistake(
        "factor_returned",
        clip(result=lambda grads, norm, limit: min(1.0, limit / (norm or 1.0))),
        "It returns the factor, not the norm.",
    ),
    Mistake(
        "squares_returned",
        clip(result=lambda grads, norm, limit: norm**2),
        "It returns the sum of the squares; the norm is its root.",
        "`math.sqrt(…)`",
    ),
    Mistake(
        "nothing_returned",
        clip(result=lambda grads, norm, limit: None),
        "It returns nothing; wanted is the norm before the clipping.",
    ),
    Mistake(
        "gradients_returned",
        _returned,
        "It returns the gradients; they are changed in place, and what comes back is the norm.",
    ),
    Mistake(
        "tensor_returned",
        clip(result=lambda grads, norm, limit: torch.tensor(norm)),
        "It returns a tensor; wanted is a plain float, so that no graph and no device hangs on it.",
        "`.item()`",
    ),
    Mistake(
        "not_in_place",
        _new_list,
        "The gradients stay as they were. `grad * factor`, `grad = …` and `grads[i] = …` make or "
        "store new tensors, and the model goes on with its own.",
        "`grad.mul_(factor)`, or `grad *= factor`.",
    ),
    Mistake(
        "squares_not_rooted",
        clip(norm=lambda grads: norm_of(grads) ** 2),
        "It compares the sum of the squares with max_norm: the root is missing.",
        "`math.sqrt(…)`",
    ),
    Mistake(
        "squares_compared",
        lambda grads, max_norm: (
            clip()(grads, max_norm) if norm_of(grads) ** 2 > max_norm else norm_of(grads)
        ),
        "It compares the sum of the squares with max_norm, so that some gradients that are too "
        "long are left: of norm 0.6, say, where 0.5 is allowed.",
        "`if norm > max_norm:`",
    ),
    Mistake(
        "sum_of_norms",
        clip(norm=lambda grads: sum(norm_of([grad]) for grad in grads)),
        "It adds up the norms of the tensors. Lengths at right angles add up by squares: 3 and 4 "
        "make 5, not 7.",
        ONE_NORM,
    ),
    Mistake(
        "largest_norm",
        clip(norm=lambda grads: max(norm_of([grad]) for grad in grads)),
        "It takes the largest norm of a single tensor.",
        ONE_NORM,
    ),
    Mistake(
        "last_norm",
        clip(norm=lambda grads: norm_of(grads[-1:])),
        "It uses the norm of the last tensor only: is the sum set to 0 in each round?",
        ONE_NORM,
    ),
    Mistake(
        "absolute_values",
        clip(norm=lambda grads: sum(grad.double().abs().sum().item() for grad in grads)),
        "It adds up absolute values (the 1-norm), not squares.",
        ONE_NORM,
    ),
    Mistake(
        "largest_number",
        clip(norm=lambda grads: max(grad.double().abs().max().item() for grad in grads)),
        "It takes the largest number as the norm (the ∞-norm).",
        ONE_NORM,
    ),
    Mistake(
        "mean_of_squares",
        clip(norm=_divided_by_count),
        "It is the root of the MEAN of the squares. A norm is the root of the sum.",
        ONE_NORM,
    ),
    Mistake(
        "norm_while_running",
        _while_running,
        "Tensors are cut while the sum is still growing: the first ones with a norm that does not "
        "know the last ones.",
        "Two loops: first the norm of all, then the scaling.",
    ),
    Mistake(
        "multiplied_by_max_norm",
        clip(factor=lambda norm, limit: limit if norm > limit else 1.0),
        "It multiplies by max_norm, without dividing by the norm.",
        FACTOR,
    ),
    Mistake(
        "divided_by_norm",
        clip(factor=lambda norm, limit: 1 / norm if norm > limit else 1.0),
        "It divides by the norm: the length is then 1, not max_norm.",
        FACTOR,
    ),
    Mistake(
        "upside_down",
        clip(factor=lambda norm, limit: norm / limit if norm > limit else 1.0),
        "The factor is upside down: gradients that are too long become longer still.",
        FACTOR,
    ),
    Mistake(
        "squared_factor",
        clip(factor=lambda norm, limit: (limit / norm) ** 2 if norm > limit else 1.0),
        "The factor is (max_norm / norm)².",
        FACTOR,
    ),
    Mistake(
        "set_to_zero",
        clip(factor=lambda norm, limit: 0.0 if norm > limit else 1.0),
        "Gradients that are too long become zero: the step is lost.",
        FACTOR,
    ),
    Mistake(
        "condition_reversed",
        clip(factor=lambda norm, limit: limit / norm if 0 < norm < limit else 1.0),
        "The condition is the wrong way round: short gradients grow, long ones are left.",
        FACTOR,
    ),
    Mistake(
        "large_epsilon",
        clip(factor=lambda norm, limit: min(1.0, limit / (norm + 0.01))),
        "It divides by norm + something large: the result is shorter than max_norm.",
        FACTOR,
    ),
    Mistake(
        "constant_limit",
        clip(factor=lambda norm, limit: min(1.0, 1.0 / (norm or 1.0))),
        "It cuts to 1 whatever max_norm is.",
        FACTOR,
    ),
    Mistake(
        "first_tensor_only",
        _first_only,
        "Only the first tensor is scaled: is there a `return` in the loop?",
        FACTOR,
    ),
    Mistake(
        "vectors_left_out",
        _without_vectors,
        "Tensors with fewer than two dimensions are left out. The norms' weights count as well.",
        ONE_NORM,
    ),
    Mistake(
        "halves_overflow",
        clip(norm=_half),
        "In float16 the square of 300 is inf, and so is the norm: everything is scaled to 0.",
        "`grad.float().square()`",
    ),
]
