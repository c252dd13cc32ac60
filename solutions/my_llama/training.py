"""09 · Training (made from solutions/09_training.py by tools/build.py)."""

import math
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor, nn

from . import make_batch


def cross_entropy(logits: Tensor, targets: Tensor) -> Tensor:
    """The mean over all tokens of −ln p(target), where p is the softmax of the logits.

    logits: (..., V), targets: (...) ids → a scalar of the logits' dtype. Exact for logits of 1e4;
    float16 and bfloat16 are computed in float32.

    >>> cross_entropy(torch.zeros(1, 1, 4), torch.tensor([[2]]))   # four equal logits: ln 4
    tensor(1.3863)
    >>> cross_entropy(torch.tensor([[[0.0, 10000.0], [0.0, 10000.0]]]), torch.tensor([[1, 0]]))
    tensor(5000.)
    """
    log_p = torch.log_softmax(logits.float() if logits.itemsize < 4 else logits, dim=-1)
    of_targets = log_p.gather(-1, targets[..., None])  # (..., 1)
    return -of_targets.mean().to(logits.dtype)


def learning_rate(step: int, warmup: int, total: int, peak: float, floor: float) -> float:
    """The learning rate of a step, counted from 0: up in a line, then down along a cosine.

    peak · (step + 1) / warmup while step < warmup; from there half a cosine from peak to floor,
    which is reached at step = total; floor afterwards.

    >>> [round(learning_rate(step, 2, 6, 1.0, 0.0), 3) for step in range(8)]
    [0.5, 1.0, 1.0, 0.854, 0.5, 0.146, 0.0, 0.0]
    """
    if step < warmup:
        return peak * (step + 1) / warmup
    if step >= total:
        return floor
    done = (step - warmup) / (total - warmup)  # 0 at the end of the warm-up, 1 at total
    return floor + (peak - floor) * (1 + math.cos(math.pi * done)) / 2


def clip_grad_norm(grads: list[Tensor], max_norm: float) -> float:
    """Shorten the gradients, in place, so that their common norm is max_norm at most.

    The norm is that of all the numbers of all the tensors together. Returns it as it was before.

    >>> grads = [torch.tensor([3.0]), torch.tensor([[0.0, 4.0]])]
    >>> clip_grad_norm(grads, max_norm=1.0)
    5.0
    >>> grads
    [tensor([0.6000]), tensor([[0.0000, 0.8000]])]
    """
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
    """One step of AdamW: changes param, m and v in place. The first step is step 1.

    m and v: running means of the gradient and of its square, like param, zeros before step 1.

    >>> param, grad = torch.tensor([1.0, -2.0]), torch.tensor([0.5, -0.001])
    >>> m, v = torch.zeros(2), torch.zeros(2)
    >>> adamw_step(param, grad, m, v, step=1, lr=0.1, weight_decay=0.0)
    >>> param   # the first step is lr long, however large the gradient is
    tensor([ 0.9000, -1.9000])
    """
    m.lerp_(grad, 1 - betas[0])  # m = β₁ m + (1 − β₁) g
    v.mul_(betas[1]).addcmul_(grad, grad, value=1 - betas[1])  # v = β₂ v + (1 − β₂) g²
    m_scale, v_scale = 1 - betas[0] ** step, 1 - betas[1] ** step  # what zeros at the start took
    param.mul_(1 - lr * weight_decay)
    param.addcdiv_(m, (v / v_scale).sqrt_().add_(eps), value=-lr / m_scale)


@torch.no_grad()
def held_out_loss(model: nn.Module, data: Tensor, context: int) -> float:
    """The mean loss over all of `data`, cut into pieces of `context` tokens; in eval mode."""
    was_training = model.training
    model.eval()
    pieces = (len(data) - 1) // context
    inputs = data[: pieces * context].reshape(pieces, context)
    targets = data[1 : pieces * context + 1].reshape(pieces, context)
    total = 0.0
    for x, y in zip(inputs.split(64), targets.split(64), strict=True):
        total += cross_entropy(model(x), y).item() * len(x)
    model.train(was_training)
    return total / pieces


def train(
    model: nn.Module,
    data: Tensor,
    steps: int,
    held_out: Tensor,
    *,
    batch: int = 8,
    context: int = 64,
    peak: float = 3e-3,
    floor: float = 1e-4,
    warmup: int = 100,
    max_norm: float = 1.0,
    weight_decay: float = 0.1,
    every: int = 100,
    generator: torch.Generator | None = None,
    watch: Callable[[int, float, float | None], None] | None = None,
) -> list[float]:
    """Train the model on `data`, (N,) ids; return the loss of each step.

    A step, in train mode: `batch` random pieces of `context` tokens (drawn with `generator` only),
    the loss, its gradients, cut to max_norm, one AdamW step at the learning rate of this step.
    Weight decay is for matrices; parameters with one dimension, the norms' weights, get none.

    After every `every` steps and after the last, held_out_loss(model, held_out, context) is
    measured. The model ends with the weights for which it was lowest, in eval mode, also when a
    KeyboardInterrupt ends the training early: then the losses so far are returned. Any other
    error comes out.

    watch: called after each step with the number of steps done, the step's loss, and the held-out
    loss, or None where it was not measured.
    """
    moments = {p: (torch.zeros_like(p), torch.zeros_like(p)) for p in model.parameters()}
    losses: list[float] = []
    lowest, best = math.inf, None
    model.train()
    try:
        for step in range(steps):
            starts = torch.randint(len(data) - context, (batch,), generator=generator)
            inputs, targets = make_batch(data, starts, context)
            loss = cross_entropy(model(inputs), targets)
            model.zero_grad()
            loss.backward()
            clip_grad_norm([p.grad for p in moments], max_norm)
            lr = learning_rate(step, warmup, steps, peak, floor)
            for p, (m, v) in moments.items():
                decay = weight_decay if p.dim() > 1 else 0.0
                adamw_step(p, p.grad, m, v, step + 1, lr, weight_decay=decay)
            losses.append(loss.item())

            measured = None
            if (step + 1) % every == 0 or step + 1 == steps:
                measured = held_out_loss(model, held_out, context)
                if measured < lowest:
                    lowest, best = measured, [p.detach().clone() for p in moments]
            if watch:
                watch(step + 1, losses[-1], measured)
    except KeyboardInterrupt:
        pass
    with torch.no_grad():
        for p, kept in zip(moments, best or moments, strict=True):
            p.copy_(kept)
    model.eval()
    return losses


def save_checkpoint(
    path: Path,
    model: nn.Module,
    moments: dict[str, tuple[Tensor, Tensor]],
    step: int,
    about: dict | None = None,
) -> None:
    """Write to one file what a training needs to go on: a dict that weights_only=True can read.

    "weights": the model's state_dict; "moments": (m, v) of each parameter, by its name; "step":
    the number of steps done; "about": plain values, such as the model's sizes, or {}. The model
    stays as it is. If writing fails, the error comes out, and a file that was there before is
    still whole.

    >>> import tempfile
    >>> model, path = nn.Linear(2, 1, bias=False), Path(tempfile.mkdtemp(), "tiny.pt")
    >>> save_checkpoint(path, model, {}, step=7)
    >>> sorted(torch.load(path, weights_only=True))
    ['about', 'moments', 'step', 'weights']
    """
    part = path.with_suffix(".part")
    state = {"weights": model.state_dict(), "moments": moments, "step": step, "about": about or {}}
    torch.save(state, part)
    part.replace(path)


def load_checkpoint(path: Path, model: nn.Module) -> tuple[dict[str, tuple[Tensor, Tensor]], int]:
    """Put a checkpoint's weights into the model and return its moments and its step.

    The weights are copied in place: its parameters stay the same tensors, and its mode stays. The
    moments lie where the model lies, wherever the file was written. It reads data only, never code
    (weights_only=True). Weights that do not fit the model are an error, and so is a missing file.

    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp(), "tiny.pt")
    >>> state = {"weights": {"weight": torch.tensor([[1.0, 2.0]])}, "moments": {}, "step": 7, "about": {}}
    >>> torch.save(state, path)
    >>> model = nn.Linear(2, 1, bias=False)
    >>> load_checkpoint(path, model)
    ({}, 7)
    >>> model.weight.data
    tensor([[1., 2.]])
    """
    device = next(model.parameters()).device
    state = torch.load(path, map_location=device, weights_only=True)
    model.load_state_dict(state["weights"])
    return state["moments"], state["step"]
