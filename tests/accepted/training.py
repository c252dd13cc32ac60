"""Lab 09: right answers, written differently."""

import contextlib
import copy
import io
import math
import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from solutions.my_llama import training as worked

Moments = dict[str, tuple[Tensor, Tensor]]

# The first optimizer of a process imports half of torch, which is no part of an answer's time.
torch.optim.AdamW([nn.Parameter(torch.zeros(1))]).step()

# 9.1


def loss_builtin(logits: Tensor, targets: Tensor) -> Tensor:
    """Torch's own, on (N, V) and (N,)."""
    return F.cross_entropy(logits.reshape(-1, logits.shape[-1]), targets.reshape(-1))


def loss_logsumexp(logits: Tensor, targets: Tensor) -> Tensor:
    """The logarithm of the sum of exponentials, minus the target's logit."""
    x = logits.float() if logits.dtype in (torch.float16, torch.bfloat16) else logits
    of_targets = x.gather(-1, targets.unsqueeze(-1)).squeeze(-1)
    return (torch.logsumexp(x, dim=-1) - of_targets).mean().to(logits.dtype)


def loss_maximum(logits: Tensor, targets: Tensor) -> Tensor:
    """By hand: subtract each row's maximum, then exp, sum, ln."""
    x = logits.reshape(-1, logits.shape[-1])
    x = x.double() - x.double().max(dim=1, keepdim=True).values
    log_p = x - x.exp().sum(dim=1, keepdim=True).log()
    return -log_p[torch.arange(len(x)), targets.reshape(-1)].mean().to(logits.dtype)


def loss_one_hot(logits: Tensor, targets: Tensor) -> Tensor:
    """A product with ones and zeros."""
    log_p = F.log_softmax(logits, dim=-1, dtype=torch.promote_types(logits.dtype, torch.float32))
    hot = F.one_hot(targets, logits.shape[-1])
    return -(log_p * hot).sum(-1).mean().type_as(logits)


def loss_loop(logits: Tensor, targets: Tensor) -> Tensor:
    """One token after the other."""
    rows = logits.flatten(0, -2).float() if logits.itemsize < 4 else logits.flatten(0, -2)
    each = [row.logsumexp(0) - row[t] for row, t in zip(rows, targets.flatten(), strict=True)]
    return torch.stack(each).mean().to(logits.dtype)


def loss_differences(logits: Tensor, targets: Tensor) -> Tensor:
    """How far each logit is above the target's; the logarithm of the sum of exponentials of it."""
    x = logits.double()
    return (x - x.gather(-1, targets[..., None])).logsumexp(-1).mean().to(logits.dtype)


def loss_moved(logits: Tensor, targets: Tensor) -> Tensor:
    """Torch's own, on (B, V, T)."""
    return F.cross_entropy(logits.movedim(-1, 1), targets)


# 9.2


def rate_clamped(step: int, warmup: int, total: int, peak: float, floor: float) -> float:
    """The share done is cut off at 1, so that the end needs no case of its own."""
    if step < warmup:
        return (step + 1) * (peak / warmup)
    done = min(1.0, (step - warmup) / max(1, total - warmup)) if step < total else 1.0
    return floor + 0.5 * (peak - floor) * (1.0 + math.cos(done * math.pi))


def rate_mixture(step: int, warmup: int, total: int, peak: float, floor: float) -> float:
    """Shares of peak and of floor that add up to 1."""
    if step < warmup:
        return peak / warmup * (step + 1)
    if step >= total:
        return float(floor)
    share = math.cos(math.pi / 2 * (step - warmup) / (total - warmup)) ** 2
    return share * peak + (1 - share) * floor


def rate_sine(step: int, warmup: int, total: int, peak: float, floor: float) -> float:
    """With a sine from the middle, computed by torch."""
    if warmup > step:
        return peak * (1 + step) / warmup
    if total <= step:
        return floor
    angle = torch.tensor(math.pi * ((step - warmup) / (total - warmup) - 0.5), dtype=torch.float64)
    return (peak + floor) / 2 - (peak - floor) / 2 * torch.sin(angle).item()


def rate_numpy(step: int, warmup: int, total: int, peak: float, floor: float) -> float:
    """With numpy's cosine, whose float64 is a float."""
    if step < warmup:
        return peak * (step + 1) / warmup
    if step >= total:
        return floor
    return floor + (peak - floor) * (1 + np.cos(np.pi * (step - warmup) / (total - warmup))) / 2


# 9.3


def clip_torch(grads: list[Tensor], max_norm: float) -> float:
    """Torch's own clip_grad_norm_, on stand-ins for parameters."""
    owners = [nn.Parameter(torch.zeros_like(grad)) for grad in grads]
    for owner, grad in zip(owners, grads, strict=True):
        owner.grad = grad
    return nn.utils.clip_grad_norm_(owners, max_norm).item()


def clip_vector(grads: list[Tensor], max_norm: float) -> float:
    """All gradients as one long vector."""
    norm = torch.cat([grad.float().flatten() for grad in grads]).norm().item()
    for grad in grads:
        grad *= min(1.0, max_norm / (norm + 1e-6))
    return norm


def clip_norm_of_norms(grads: list[Tensor], max_norm: float) -> float:
    """The norm of the tensors' norms."""
    norm = torch.stack([torch.linalg.vector_norm(grad.double()) for grad in grads]).norm().item()
    if norm > max_norm:
        torch._foreach_mul_(grads, max_norm / norm)
    return norm


def clip_copied(grads: list[Tensor], max_norm: float) -> float:
    """Copies into the tensors, element by element added up."""
    norm = sum(float(x) ** 2 for grad in grads for x in grad.flatten()) ** 0.5
    scale = max_norm / max(norm, max_norm)
    for grad in grads:
        grad.copy_(grad * scale)
    return norm


def clip_numpy(grads: list[Tensor], max_norm: float) -> float:
    """With numpy's root, whose float64 is a float."""
    norm = np.sqrt(sum(grad.double().square().sum().item() for grad in grads))
    if norm > max_norm:
        for grad in grads:
            grad.div_(norm / max_norm)
    return norm


def clip_data(grads: list[Tensor], max_norm: float) -> float:
    """Other numbers put into the same tensors."""
    norm = math.hypot(*(x for grad in grads for x in grad.double().flatten().tolist()))
    for grad in grads:
        grad.data = (grad.double() * (max_norm / max(norm, max_norm))).to(grad.dtype)
    return norm


# 9.4


@torch.no_grad()
def adamw_paper(
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
    """Line by line as in the paper, with `[:]` to write in place."""
    m[:] = betas[0] * m + (1 - betas[0]) * grad
    v[:] = betas[1] * v + (1 - betas[1]) * grad**2
    m_hat, v_hat = m / (1 - betas[0] ** step), v / (1 - betas[1] ** step)
    param[:] = param - lr * (m_hat / (v_hat.sqrt() + eps) + weight_decay * param)


def adamw_torch(
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
    """Torch's own optimizer, whose state is filled in."""
    owner = nn.Parameter(param.detach())
    owner.grad = grad.clone()
    how = {"lr": lr, "betas": betas, "eps": eps, "weight_decay": weight_decay}
    optimizer = torch.optim.AdamW([owner], foreach=False, **how)
    optimizer.state[owner] = {"step": torch.tensor(step - 1.0), "exp_avg": m, "exp_avg_sq": v}
    optimizer.step()


def adamw_scaled_rate(
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
    """Both corrections in the rate and in eps, as in section 2 of Adam's paper."""
    with torch.no_grad():
        param *= 1 - lr * weight_decay
        m += (1 - betas[0]) * (grad - m)
        v += (1 - betas[1]) * (grad * grad - v)
        root = math.sqrt(1 - betas[1] ** step)
        param -= lr * root / (1 - betas[0] ** step) * m / (v.sqrt() + eps * root)


def adamw_numpy(
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
    """On numpy's views of the same memory."""
    p, g, mean, square = (x.detach().numpy() for x in (param, grad, m, v))
    mean[...] = betas[0] * mean + (1 - betas[0]) * g
    square[...] = betas[1] * square + (1 - betas[1]) * g * g
    root = np.sqrt(square / (1 - betas[1] ** step))
    p[...] = p - lr * (mean / (1 - betas[0] ** step) / (root + eps) + weight_decay * p)


# 9.5


def train_torch(
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
    """Torch's AdamW with two groups, its clipping, its loss; a deep copy of the state."""
    decays = [p for p in model.parameters() if p.dim() >= 2]
    others = [p for p in model.parameters() if p.dim() < 2]
    groups = [{"params": decays, "weight_decay": weight_decay}]
    groups += [{"params": others, "weight_decay": 0.0}]
    optimizer = torch.optim.AdamW(groups, betas=(0.9, 0.95))
    losses: list[float] = []
    best, kept = float("inf"), copy.deepcopy(model.state_dict())
    measured_once = False
    try:
        for step in range(1, steps + 1):
            model.train()
            for group in optimizer.param_groups:
                group["lr"] = worked.learning_rate(step - 1, warmup, steps, peak, floor)
            where = torch.randint(0, len(data) - context, (batch,), generator=generator)
            x = torch.stack([data[i : i + context] for i in where])
            y = torch.stack([data[i + 1 : i + 1 + context] for i in where])
            logits = model(x)
            loss = F.cross_entropy(logits.view(-1, logits.shape[-1]), y.view(-1))
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            nn.utils.clip_grad_norm_(model.parameters(), max_norm)
            optimizer.step()
            losses.append(loss.item())
            now = None
            if step % every == 0 or step == steps:
                now = worked.held_out_loss(model, held_out, context)
                if now < best:
                    best, kept, measured_once = now, copy.deepcopy(model.state_dict()), True
            if watch is not None:
                watch(step, loss.item(), now)
    except KeyboardInterrupt:
        print(f"stopped after {len(losses)} steps")
    if measured_once:
        model.load_state_dict(kept)
    model.eval()
    return losses


def train_finally(model: nn.Module, data: Tensor, steps: int, held_out: Tensor, **how: Any) -> list:
    """A generator of steps, and the best weights written back piece by piece."""
    how = DEFAULTS | how
    params = list(model.parameters())
    m, v = [torch.zeros_like(p) for p in params], [torch.zeros_like(p) for p in params]
    losses, measured = [], {}

    def one(step: int) -> float:
        starts = torch.randint(
            len(data) - how["context"], (how["batch"],), generator=how["generator"]
        )
        windows = data.unfold(0, how["context"] + 1, 1)[starts]
        loss = worked.cross_entropy(model(windows[:, :-1]), windows[:, 1:])
        grads = list(torch.autograd.grad(loss, params))
        worked.clip_grad_norm(grads, how["max_norm"])
        rate = worked.learning_rate(step, how["warmup"], steps, how["peak"], how["floor"])
        for p, g, a, b in zip(params, grads, m, v, strict=True):
            decay = how["weight_decay"] * (p.ndim > 1)
            worked.adamw_step(p, g, a, b, step + 1, rate, weight_decay=decay)
        return loss.detach().item()

    model.train()
    try:
        for step in range(steps):
            losses.append(one(step))
            now = None
            if not (step + 1) % how["every"] or step == steps - 1:
                now = worked.held_out_loss(model, held_out, how["context"])
                if not measured or now < min(measured):
                    measured[now] = nn.utils.parameters_to_vector(params).detach().clone()
            if how["watch"]:
                how["watch"](step + 1, losses[-1], now)
    except KeyboardInterrupt:
        losses = losses[:]
    finally:
        model.train(False)
        if measured:
            with torch.no_grad():
                whole = measured[min(measured)]
                for p, part in zip(params, whole.split([p.numel() for p in params]), strict=True):
                    p.copy_(part.view_as(p))
    return losses


DEFAULTS = {
    "batch": 8,
    "context": 64,
    "peak": 3e-3,
    "floor": 1e-4,
    "warmup": 100,
    "max_norm": 1.0,
    "weight_decay": 0.1,
    "every": 100,
    "generator": None,
    "watch": None,
}


def train_suppressed(
    model: nn.Module, data: Tensor, steps: int, held_out: Tensor, **how: Any
) -> list:
    """Interrupts suppressed, starts drawn as fractions, the best weights as saved bytes."""
    how = DEFAULTS | how
    room = len(data) - how["context"]
    state = {n: [torch.zeros_like(p) for _ in "mv"] for n, p in model.named_parameters()}
    losses, best = [], (math.inf, b"")
    with contextlib.suppress(KeyboardInterrupt):
        for step in range(steps):
            model.train()
            starts = (torch.rand(how["batch"], generator=how["generator"]) * room).long()
            pieces = data[starts[:, None] + torch.arange(how["context"] + 1)]
            for p in model.parameters():
                p.grad = None
            loss = worked.cross_entropy(model(pieces[:, :-1]), pieces[:, 1:])
            loss.backward()
            worked.clip_grad_norm([p.grad for p in model.parameters()], how["max_norm"])
            lr = worked.learning_rate(step, how["warmup"], steps, how["peak"], how["floor"])
            for name, p in model.named_parameters():
                decay = how["weight_decay"] if p.ndim >= 2 else 0
                worked.adamw_step(p, p.grad, *state[name], step + 1, lr, weight_decay=decay)
            losses += [loss.item()]
            now = None
            if step % how["every"] == how["every"] - 1 or step == steps - 1:
                now = worked.held_out_loss(model, held_out, how["context"])
                if now < best[0]:
                    torch.save(model.state_dict(), file := io.BytesIO())
                    best = now, file.getvalue()
            _ = how["watch"] and how["watch"](step + 1, losses[-1], now)
    if best[1]:
        model.load_state_dict(torch.load(io.BytesIO(best[1])))
    return model.eval() and losses


def train_worked(model: nn.Module, data: Tensor, steps: int, held_out: Tensor, **how: Any) -> list:
    """The worked solution itself."""
    return worked.train(model, data, steps, held_out, **how)


# 9.6


def save_replaced(
    path: Path, model: nn.Module, moments: Moments, step: int, about: dict | None = None
) -> None:
    """A temporary file with a name of its own in the same folder, removed where writing fails."""
    handle, name = tempfile.mkstemp(dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            state = {"weights": model.state_dict(), "moments": moments, "step": step}
            torch.save({**state, "about": {} if about is None else about}, file)
        os.replace(name, path)
    except BaseException:
        os.unlink(name)
        raise


def save_bytes(
    path: Path, model: nn.Module, moments: Moments, step: int, about: dict | None = None
) -> None:
    """All bytes are made before the file is opened."""
    file = io.BytesIO()
    weights = {name: value.clone() for name, value in model.state_dict().items()}
    pairs = {name: [m, v] for name, (m, v) in moments.items()}
    torch.save({"step": step, "about": about or {}, "weights": weights, "moments": pairs}, file)
    path.write_bytes(file.getvalue())


def save_with_more(
    path: Path, model: nn.Module, moments: Moments, step: int, about: dict | None = None
) -> None:
    """One entry more than asked for; the name as a string."""
    state = {"weights": model.state_dict(), "moments": moments, "step": step, "version": 1}
    state["about"] = about or {}
    torch.save(state, f"{path}.tmp")
    Path(f"{path}.tmp").rename(path)


# 9.7


def load_by_name(path: Path, model: nn.Module) -> tuple[Moments, int]:
    """Copies tensor by tensor, and compares the names itself."""
    state = torch.load(path, map_location="cpu", weights_only=True)
    own = model.state_dict()
    if own.keys() != state["weights"].keys():
        raise KeyError(f"other weights: {own.keys() ^ state['weights'].keys()}")
    with torch.no_grad():
        for name, value in state["weights"].items():
            own[name].copy_(value)
    device = next(model.parameters()).device
    moments = {name: (m.to(device), v.to(device)) for name, (m, v) in state["moments"].items()}
    return moments, state["step"]


def load_bytes(path: Path, model: nn.Module) -> list:
    """From the file's bytes; a list comes back."""
    place = {p.device for p in model.parameters()}.pop()
    state = torch.load(io.BytesIO(path.read_bytes()), place, weights_only=True)
    model.load_state_dict(state["weights"], strict=True)
    return [state["moments"], state["step"]]


def load_worked(path: Path, model: nn.Module) -> tuple[Moments, int]:
    """The worked solution itself."""
    return worked.load_checkpoint(path, model)


ACCEPTED = {
    "cross_entropy": [
        loss_builtin,
        loss_logsumexp,
        loss_maximum,
        loss_one_hot,
        loss_loop,
        loss_differences,
        loss_moved,
    ],
    "learning_rate": [rate_clamped, rate_mixture, rate_sine, rate_numpy],
    "clip_grad_norm": [
        clip_torch,
        clip_vector,
        clip_norm_of_norms,
        clip_copied,
        clip_numpy,
        clip_data,
    ],
    "adamw_step": [adamw_paper, adamw_torch, adamw_scaled_rate, adamw_numpy],
    "train": [train_torch, train_finally, train_suppressed, train_worked],
    "save_checkpoint": [save_replaced, save_bytes, save_with_more],
    "load_checkpoint": [load_by_name, load_bytes, load_worked],
}

# What the browser test types into an exercise cell: exercise, source, key of the mistake.
TYPED = (
    "9.2",
    """def learning_rate(step, warmup, total, peak, floor):
    if step < warmup:
        return peak * step / warmup
    if step >= total:
        return floor
    done = (step - warmup) / (total - warmup)
    return floor + (peak - floor) * (1 + math.cos(math.pi * done)) / 2
""",
    "nothing_at_step_0",
)
