"""Lab 09: what the loop of 9.5 is made of, in few operations: a check runs it a thousand times.

The names are those that a learner's `train` calls.
"""

import math

import torch
from torch import Tensor, nn

from checks.training.learning_rate import reference as learning_rate

__all__ = [
    "adamw_step",
    "clip_grad_norm",
    "cross_entropy",
    "held_out_loss",
    "learning_rate",
    "make_batch",
]


def cross_entropy(logits: Tensor, targets: Tensor) -> Tensor:
    """The mean over all tokens of −ln p(target)."""
    return nn.functional.cross_entropy(logits.flatten(0, -2), targets.flatten())


@torch.no_grad()
def clip_grad_norm(grads: list[Tensor], max_norm: float) -> float:
    """Shorten the gradients, in place, so that their common norm is max_norm at most."""
    norm = math.sqrt(sum(grad.float().square().sum().item() for grad in grads))
    if norm > max_norm:
        for grad in grads:
            grad.mul_(max_norm / norm)
    return norm


@torch.no_grad()
def adamw_step(
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
    """One step of AdamW, in place. The first step is step 1."""
    m.lerp_(grad, 1 - betas[0])
    v.mul_(betas[1]).addcmul_(grad, grad, value=1 - betas[1])
    m_scale, v_scale = 1 - betas[0] ** step, 1 - betas[1] ** step
    param.mul_(1 - lr * weight_decay)
    param.addcdiv_(m, (v / v_scale).sqrt_().add_(eps), value=-lr / m_scale)


def make_batch(data: Tensor, starts: Tensor, context: int) -> tuple[Tensor, Tensor]:
    """Inputs and targets, one step later: both (B, context)."""
    positions = starts[:, None] + torch.arange(context)
    return data[positions], data[positions + 1]


@torch.no_grad()
def held_out_loss(model: nn.Module, data: Tensor, context: int) -> float:
    """The mean loss over all of `data`, cut into pieces of `context` tokens; in eval mode."""
    was_training = model.training
    model.eval()
    pieces = (len(data) - 1) // context
    inputs = data[: pieces * context].reshape(pieces, context)
    targets = data[1 : pieces * context + 1].reshape(pieces, context)
    loss = cross_entropy(model(inputs), targets).item()
    model.train(was_training)
    return loss
