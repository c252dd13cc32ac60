"""Lab 09, slow and obvious: number by number, in float64."""

import inspect
import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn


def cross_entropy(logits: Tensor, targets: Tensor) -> Tensor:
    """The mean over all tokens of −ln softmax(logits)[target]. (..., V), (...) → scalar."""
    rows = logits.double().flatten(0, -2)
    total = torch.zeros((), dtype=torch.float64, device=logits.device)
    for row, target in zip(rows, targets.flatten(), strict=True):
        above = row - row.max().detach()
        total = total + torch.exp(above).sum().log() - above[target]
    return (total / len(rows)).to(logits.dtype)


def learning_rate(step: int, warmup: int, total: int, peak: float, floor: float) -> float:
    """Up in a line to peak, down along half a cosine to floor."""
    if step < warmup:
        return peak * (step + 1) / warmup
    if step >= total:
        return floor
    share = (1 + math.cos(math.pi * (step - warmup) / (total - warmup))) / 2
    return share * peak + (1 - share) * floor


def clip_grad_norm(grads: list[Tensor], max_norm: float) -> float:
    """Scale all gradients by max_norm / norm, in place, if their common norm is larger."""
    squares = 0.0
    for grad in grads:
        squares += sum(number * number for number in grad.flatten().tolist())
    norm = math.sqrt(squares)
    if norm > max_norm:
        for grad in grads:
            grad.copy_(grad.double() * max_norm / norm)
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
    """Loshchilov and Hutter's algorithm 2, line by line, in place on param, m and v."""
    g, before = grad.double(), param.double()
    mean = betas[0] * m.double() + (1 - betas[0]) * g
    square = betas[1] * v.double() + (1 - betas[1]) * g * g
    unbiased, unbiased_square = mean / (1 - betas[0] ** step), square / (1 - betas[1] ** step)
    move = unbiased / (unbiased_square.sqrt() + eps)
    param.copy_(before - lr * move - lr * weight_decay * before)
    m.copy_(mean)
    v.copy_(square)


@torch.no_grad()
def quick_step(
    param: Tensor,
    grad: Tensor,
    m: Tensor,
    v: Tensor,
    step: int,
    lr: float,
    betas: tuple[float, float] = (0.9, 0.95),
    weight_decay: float = 0.1,
) -> None:
    """adamw_step in few operations: a check runs the loop a thousand times."""
    m.lerp_(grad, 1 - betas[0])
    v.lerp_(grad * grad, 1 - betas[1])
    size = (v / (1 - betas[1] ** step)).sqrt_().add_(1e-8)
    param.mul_(1 - lr * weight_decay).addcdiv_(m, size, value=-lr / (1 - betas[0] ** step))


@torch.no_grad()
def quick_clip(parameters: list[Tensor], max_norm: float) -> None:
    """clip_grad_norm in few operations."""
    norm = math.sqrt(sum(p.grad.square().sum().item() for p in parameters))
    if norm > max_norm:
        for p in parameters:
            p.grad.mul_(max_norm / norm)


def make_batch(data: Tensor, starts: Tensor, context: int) -> tuple[Tensor, Tensor]:
    """Inputs and targets, one step later: both (B, context)."""
    pieces = torch.stack([data[start : start + context + 1] for start in starts.tolist()])
    return pieces[:, :-1], pieces[:, 1:]


@torch.no_grad()
def held_out_loss(model: nn.Module, data: Tensor, context: int) -> float:
    """The mean loss over all of `data`, cut into pieces of `context` tokens; in eval mode."""
    was_training = model.training
    model.eval()
    pieces = (len(data) - 1) // context
    x = data[: pieces * context].reshape(pieces, context)
    y = data[1 : pieces * context + 1].reshape(pieces, context)
    loss = nn.functional.cross_entropy(model(x).flatten(0, 1), y.flatten()).item()
    model.train(was_training)
    return loss


class Training:
    """The loop, each step of it a method, so that a mistake can replace one of them."""

    def __init__(self, **arguments: Any) -> None:
        self.__dict__.update(arguments)  # those of `train`: model, data, steps, …
        self.parameters = list(self.model.parameters())
        self.moments = [(torch.zeros_like(p), torch.zeros_like(p)) for p in self.parameters]
        self.losses: list[float] = []
        self.lowest, self.best = math.inf, None

    def run(self) -> list[float]:
        """All steps, or as many as there are until an interrupt."""
        self.begin()
        try:
            for step in range(self.steps):
                loss = self.one(step)
                self.losses.append(loss)
                self.tell(step, loss, self.measure(step))
        except KeyboardInterrupt:
            self.interrupted()
        self.end()
        return self.losses

    def begin(self) -> None:
        """Before the first step."""
        self.model.train()

    def one(self, step: int) -> float:
        """One step; → its loss."""
        inputs, targets = self.draw()
        self.zero()
        loss = self.loss(inputs, targets)
        loss.backward()
        self.clip()
        self.update(step)
        return loss.item()

    def draw(self) -> tuple[Tensor, Tensor]:
        """Inputs and targets of a step."""
        starts = torch.randint(
            len(self.data) - self.context, (self.batch,), generator=self.generator
        )
        return make_batch(self.data, starts, self.context)

    def zero(self) -> None:
        """No gradients of earlier steps."""
        self.model.zero_grad()

    def loss(self, inputs: Tensor, targets: Tensor) -> Tensor:
        """The mean loss of a batch."""
        return nn.functional.cross_entropy(self.model(inputs).flatten(0, 1), targets.flatten())

    def clip(self) -> None:
        """The gradients, at most max_norm long together."""
        quick_clip(self.parameters, self.max_norm)

    def rate(self, step: int) -> float:
        """The learning rate of a step, counted from 0."""
        return learning_rate(step, self.warmup, self.steps, self.peak, self.floor)

    def decay(self, p: Tensor) -> float:
        """The weight decay of a parameter."""
        return self.weight_decay if p.dim() > 1 else 0.0

    def update(self, step: int) -> None:
        """AdamW on every parameter."""
        for p, (m, v) in zip(self.parameters, self.moments, strict=True):
            quick_step(p, p.grad, m, v, step + 1, self.rate(step), weight_decay=self.decay(p))

    def due(self, step: int) -> bool:
        """Whether the held-out loss is measured after this step."""
        return (step + 1) % self.every == 0 or step + 1 == self.steps

    def measure(self, step: int) -> float | None:
        """The held-out loss, where it is due; the best weights are remembered."""
        if not self.due(step):
            return None
        now = held_out_loss(self.model, self.held_out, self.context)
        if now < self.lowest:
            self.lowest, self.best = now, self.copy()
        return now

    def copy(self) -> list[Tensor]:
        """The weights as they are now."""
        return [p.detach().clone() for p in self.parameters]

    def tell(self, step: int, loss: float, measured: float | None) -> None:
        """Let `watch` know."""
        if self.watch:
            self.watch(step + 1, loss, measured)

    def interrupted(self) -> None:
        """What an interrupt does, besides ending the loop."""

    def restore(self) -> None:
        """The best weights come back."""
        with torch.no_grad():
            for p, kept in zip(self.parameters, self.best or self.parameters, strict=True):
                p.copy_(kept)

    def end(self) -> None:
        """After the last step."""
        self.restore()
        self.model.eval()


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
    """Train the model on `data`, (N,) ids; return the loss of each step."""
    return Training(**locals()).run()


def train_with(kind: type[Training]) -> Callable[..., list[float]]:
    """`train` by another loop: one that a mistake has changed."""
    signature = inspect.signature(train)

    def run(*args: Any, **kwargs: Any) -> list[float]:
        given = signature.bind(*args, **kwargs)
        given.apply_defaults()
        return kind(**given.arguments).run()

    return run
