"""Lab 09: right answers with the habits of well-known code bases."""

import copy
import io
import math
import os

import torch
import torch.nn.functional as F

from solutions.my_llama import (
    adamw_step,
    clip_grad_norm,
    cross_entropy,
    held_out_loss,
    learning_rate,
    make_batch,
)

# cross_entropy


def nanogpt_cross_entropy(logits, targets):
    """nanoGPT: flatten both, torch's function with ignore_index=-1."""
    wide = logits if logits.dtype == torch.float64 else logits.float()
    loss = F.cross_entropy(wide.view(-1, logits.size(-1)), targets.view(-1), ignore_index=-1)
    return loss.to(logits.dtype)


def hf_cross_entropy(logits, targets):
    """HF transformers: upcast to float32 whatever comes, CrossEntropyLoss, contiguous views."""
    dtype = logits.dtype
    logits = logits.float().contiguous().view(-1, logits.shape[-1])
    labels = targets.contiguous().view(-1).to(logits.device)
    return torch.nn.CrossEntropyLoss()(logits, labels).to(dtype)


def mlx_cross_entropy(logits, targets):
    """mlx: the score of the target, taken from the logsumexp, mean reduction."""
    wide = logits if logits.dtype == torch.float64 else logits.to(torch.float32)
    score = torch.take_along_dim(wide, targets.unsqueeze(-1), dim=-1).squeeze(-1)
    return (torch.logsumexp(wide, dim=-1) - score).mean().type(logits.dtype)


def megatron_cross_entropy(logits, targets):
    """Megatron: subtract the maximum, exponentials, log of their sum minus the predicted logit."""
    wide = logits if logits.dtype == torch.float64 else logits.float()
    wide = wide - torch.max(wide, dim=-1)[0].unsqueeze(dim=-1)
    flat = wide.reshape(-1, wide.size(-1))
    rows = torch.arange(flat.size(0), device=flat.device)
    predicted = flat[rows, targets.reshape(-1)]
    loss = torch.log(torch.exp(flat).sum(dim=-1)) - predicted
    return torch.mean(loss).to(logits.dtype)


# learning_rate


def nanogpt_learning_rate(step, warmup, total, peak, floor):
    """nanoGPT's get_lr: three cases, a coefficient from 1 to 0, an assert."""
    if step < warmup:
        return peak * (step + 1) / warmup
    if step >= total:
        return floor
    decay_ratio = (step - warmup) / (total - warmup)
    assert 0 <= decay_ratio <= 1
    coeff = 0.5 * (1.0 + math.cos(math.pi * decay_ratio))
    return floor + coeff * (peak - floor)


def hf_learning_rate(step, warmup, total, peak, floor):
    """HF's cosine_with_min_lr: a factor of the peak rate, max(1, ...) in the denominators."""
    if step < warmup:
        return peak * (float(step + 1) / float(max(1, warmup)))
    progress = min(1.0, float(step - warmup) / float(max(1, total - warmup)))
    if step >= total:
        progress = 1.0
    factor = 0.5 * (math.cos(math.pi * progress) + 1.0)
    rate = floor / peak
    return peak * max(0.0, factor * (1 - rate) + rate)


def megatron_learning_rate(step, warmup, total, peak, floor):
    """Megatron's OptimizerParamScheduler: the end first, then delta_lr times a coefficient."""
    if warmup > 0 and step < warmup:
        return peak * float(step + 1) / float(warmup)
    if step >= total:
        return floor
    num_steps_, decay_steps_ = step - warmup, total - warmup
    delta_lr = peak - floor
    coeff = 0.5 * (math.cos(math.pi * (float(num_steps_) / float(decay_steps_))) + 1.0)
    return floor + coeff * delta_lr


# clip_grad_norm


def torch_clip_grad_norm(grads, max_norm):
    """torch.nn.utils: the norm of the norms, 1e-6 in the quotient, clamped at 1, no branch."""
    norms = [torch.linalg.vector_norm(g.float()) for g in grads]
    total_norm = torch.linalg.vector_norm(torch.stack(norms))
    clip_coef = torch.clamp(max_norm / (total_norm + 1e-6), max=1.0)
    for g in grads:
        g.mul_(clip_coef.to(g.dtype))
    return total_norm.item()


def torch_utils_called(grads, max_norm):
    """nanoGPT and lit-gpt: torch's own function does it."""
    params = []
    for g in grads:
        p = torch.nn.Parameter(torch.empty_like(g))
        p.grad = g
        params.append(p)
    return float(torch.nn.utils.clip_grad_norm_(params, max_norm))


def tf_global_norm(grads, max_norm):
    """TensorFlow's clip_by_global_norm: scale by max_norm / max(norm, max_norm)."""
    norm = sum(torch.sum(g.float() ** 2) for g in grads).sqrt().item()
    scale = max_norm * min(1.0 / norm if norm else math.inf, 1.0 / max_norm)
    for i in range(len(grads)):
        grads[i] *= scale
    return norm


def mlx_clip_grad_norm(grads, max_norm):
    """mlx.optimizers: the sum of squares reduced over the tree, 1e-6, the smaller of the two."""
    norm_squared = 0.0
    for g in grads:
        norm_squared = norm_squared + float((g.double() ** 2).sum())
    total_norm = norm_squared**0.5
    normalizer = min(max_norm / (total_norm + 1e-6), 1.0)
    for g in grads:
        g.copy_(g * normalizer)
    return total_norm


# adamw_step


@torch.no_grad()
def torch_adamw_step(param, grad, m, v, step, lr, betas=(0.9, 0.95), eps=1e-8, weight_decay=0.1):
    """torch.optim's single-tensor AdamW: decay first, the root of v over the root of bias 2."""
    beta1, beta2 = betas
    param.mul_(1 - lr * weight_decay)
    m.lerp_(grad, 1 - beta1)
    v.mul_(beta2).addcmul_(grad, grad.conj(), value=1 - beta2)
    bias_correction1 = 1 - beta1**step
    bias_correction2 = 1 - beta2**step
    step_size = lr / bias_correction1
    denom = (v.sqrt() / math.sqrt(bias_correction2)).add_(eps)
    param.addcdiv_(m, denom, value=-step_size)


@torch.no_grad()
def llmc_adamw_step(param, grad, m, v, step, lr, betas=(0.9, 0.95), eps=1e-8, weight_decay=0.1):
    """llm.c's adamw: m_hat, v_hat, and the decay in the same bracket, old weights."""
    beta1, beta2 = betas
    m.copy_(beta1 * m + (1.0 - beta1) * grad)
    v.copy_(beta2 * v + (1.0 - beta2) * grad * grad)
    m_hat = m / (1.0 - beta1**step)
    v_hat = v / (1.0 - beta2**step)
    param -= lr * (m_hat / (torch.sqrt(v_hat) + eps) + weight_decay * param)


@torch.no_grad()
def nanochat_adamw_step(param, grad, m, v, step, lr, betas=(0.9, 0.95), eps=1e-8, weight_decay=0.1):
    """nanochat's fused step: decay, two lerps, v over its bias and then the root."""
    param.mul_(1 - lr * weight_decay)
    m.lerp_(grad, 1 - betas[0])
    v.lerp_(grad.square(), 1 - betas[1])
    bias1 = 1 - betas[0] ** step
    bias2 = 1 - betas[1] ** step
    denom = (v / bias2).sqrt() + eps
    step_size = lr / bias1
    param.add_(m / denom, alpha=-step_size)


def data_adamw_step(param, grad, m, v, step, lr, betas=(0.9, 0.95), eps=1e-8, weight_decay=0.1):
    """Older code (minGPT's time, apex): .data instead of no_grad, add_ with a negative alpha."""
    p, g = param.data, grad.data
    m.mul_(betas[0]).add_(g, alpha=1 - betas[0])
    v.mul_(betas[1]).addcmul_(g, g, value=1 - betas[1])
    m_hat = m / (1 - betas[0] ** step)
    v_hat = v / (1 - betas[1] ** step)
    update = m_hat / (v_hat.sqrt() + eps) + weight_decay * p
    p.add_(update, alpha=-lr)


# train


def nanogpt_train(
    model, data, steps, held_out, *, batch=8, context=64, peak=3e-3, floor=1e-4, warmup=100,
    max_norm=1.0, weight_decay=0.1, every=100, generator=None, watch=None,
):  # fmt: skip
    """nanoGPT: torch's AdamW with two groups, torch's clipping, stacked slices, set_to_none."""
    params = [p for p in model.parameters() if p.requires_grad]
    groups = [
        {"params": [p for p in params if p.dim() >= 2], "weight_decay": weight_decay},
        {"params": [p for p in params if p.dim() < 2], "weight_decay": 0.0},
    ]
    optimizer = torch.optim.AdamW(groups, lr=peak, betas=(0.9, 0.95))
    losses, best_val_loss, checkpoint = [], 1e9, None
    model.train()
    optimizer.zero_grad(set_to_none=True)
    try:
        for iter_num in range(steps):
            lr = learning_rate(iter_num, warmup, steps, peak, floor)
            for group in optimizer.param_groups:
                group["lr"] = lr
            ix = torch.randint(len(data) - context, (batch,), generator=generator)
            x = torch.stack([data[i : i + context] for i in ix])
            y = torch.stack([data[i + 1 : i + 1 + context] for i in ix])
            loss = cross_entropy(model(x), y)
            loss.backward()
            torch.nn.utils.clip_grad_norm_(params, max_norm)
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)
            losses.append(loss.item())
            val_loss = None
            if (iter_num + 1) % every == 0 or iter_num == steps - 1:
                val_loss = held_out_loss(model, held_out, context)
                if val_loss < best_val_loss:
                    best_val_loss = val_loss
                    checkpoint = copy.deepcopy(model.state_dict())
            if watch is not None:
                watch(iter_num + 1, losses[-1], val_loss)
    except KeyboardInterrupt:
        pass
    if checkpoint is not None:
        model.load_state_dict(checkpoint)
    model.eval()
    return losses


def hf_trainer_train(
    model, data, steps, held_out, *, batch=8, context=64, peak=3e-3, floor=1e-4, warmup=100,
    max_norm=1.0, weight_decay=0.1, every=100, generator=None, watch=None,
):  # fmt: skip
    """HF's Trainer: training_step switches the mode each time, decay by name of the module."""
    norms = {
        id(p)
        for module in model.modules()
        if "norm" in type(module).__name__.lower()
        for p in module.parameters(recurse=False)
    }
    state = {p: (torch.zeros_like(p), torch.zeros_like(p)) for p in model.parameters()}
    history, best_metric, best = [], None, None
    try:
        for global_step in range(1, steps + 1):
            model.train()
            model.zero_grad()
            starts = torch.randint(0, len(data) - context, (batch,), generator=generator)
            inputs, labels = make_batch(data, starts, context)
            loss = cross_entropy(model(inputs), labels)
            loss.backward()
            clip_grad_norm([p.grad for p in state], max_norm)
            lr = learning_rate(global_step - 1, warmup, steps, peak, floor)
            for p, (m, v) in state.items():
                wd = 0.0 if id(p) in norms or p.ndim < 2 else weight_decay
                adamw_step(p, p.grad, m, v, global_step, lr, weight_decay=wd)
            history.append(float(loss.detach()))
            metric = None
            if global_step % every == 0 or global_step == steps:
                metric = held_out_loss(model, held_out, context)
                if best_metric is None or metric < best_metric:
                    best_metric = metric
                    best = {k: t.detach().cpu().clone() for k, t in model.state_dict().items()}
            if watch:
                watch(global_step, history[-1], metric)
    except KeyboardInterrupt:
        print("interrupted")
    finally:
        if best is not None:
            model.load_state_dict(best)
        model.eval()
    return history


def functional_train(
    model, data, steps, held_out, *, batch=8, context=64, peak=3e-3, floor=1e-4, warmup=100,
    max_norm=1.0, weight_decay=0.1, every=100, generator=None, watch=None,
):  # fmt: skip
    """The habit of JAX and mlx code: gradients from torch.autograd.grad, no .grad at all."""
    params = list(model.parameters())
    ms = [torch.zeros_like(p) for p in params]
    vs = [torch.zeros_like(p) for p in params]
    losses, best_loss = [], float("inf")
    best = [p.detach().clone() for p in params]
    model.train()
    try:
        step = 0
        while step < steps:
            starts = torch.randint(len(data) - context, size=(batch,), generator=generator)
            x, y = make_batch(data, starts, context)
            loss = cross_entropy(model(x), y)
            grads = list(torch.autograd.grad(loss, params))
            clip_grad_norm(grads, max_norm)
            lr = learning_rate(step, warmup, steps, peak, floor)
            step += 1
            for p, g, m, v in zip(params, grads, ms, vs, strict=True):
                adamw_step(p, g, m, v, step, lr, weight_decay=weight_decay * (p.ndim > 1))
            losses.append(loss.item())
            val = (
                held_out_loss(model, held_out, context)
                if step % every == 0 or step == steps
                else None
            )
            if val is not None and val < best_loss:
                best_loss, best = val, [p.detach().clone() for p in params]
            if watch is not None:
                watch(step, loss.item(), val)
    except KeyboardInterrupt:
        if best_loss == float("inf"):
            best = [p.detach().clone() for p in params]
    for p, b in zip(params, best, strict=True):
        p.data.copy_(b)
    model.eval()
    return losses


# save_checkpoint


def nanogpt_save_checkpoint(path, model, moments, step, about=None):
    """nanoGPT: one dict, one torch.save, straight to its place."""
    checkpoint = {
        "weights": model.state_dict(),
        "moments": moments,
        "step": step,
        "about": about or {},
    }
    torch.save(checkpoint, path)


def lightning_save_checkpoint(path, model, moments, step, about=None):
    """Lightning's first atomic save: a file that ends in .part, then os.replace."""
    part = f"{path}.part"
    dump = {"step": step, "weights": model.state_dict(), "moments": moments, "about": about or {}}
    torch.save(dump, part)
    os.replace(part, path)


def fsspec_save_checkpoint(path, model, moments, step, about=None):
    """Lightning since 2.0: everything into memory, then the bytes to the file."""
    buffer = io.BytesIO()
    state = {k: v.cpu() for k, v in model.state_dict().items()}
    about = {} if about is None else about
    torch.save({"weights": state, "moments": moments, "step": step, "about": about}, buffer)
    with open(path, "wb") as f:
        f.write(buffer.getvalue())


# load_checkpoint


def nanogpt_load_checkpoint(path, model):
    """nanoGPT: map_location, load_state_dict, two names for what is read."""
    device = next(model.parameters()).device
    checkpoint = torch.load(path, map_location=device)
    state_dict = checkpoint["weights"]
    model.load_state_dict(state_dict)
    iter_num = checkpoint["step"]
    return checkpoint["moments"], iter_num


def torchtune_load_checkpoint(path, model):
    """torchtune: to the CPU with mmap and weights_only; what is read is checked."""
    state = torch.load(str(path), map_location="cpu", mmap=True, weights_only=True)
    missing, unexpected = model.load_state_dict(state["weights"], strict=True)
    assert not missing
    assert not unexpected
    device = next(model.parameters()).device
    moments = {k: tuple(t.to(device) for t in pair) for k, pair in state["moments"].items()}
    return moments, state["step"]


RIGHT = {
    "cross_entropy": [
        nanogpt_cross_entropy,
        hf_cross_entropy,
        mlx_cross_entropy,
        megatron_cross_entropy,
    ],
    "learning_rate": [nanogpt_learning_rate, hf_learning_rate, megatron_learning_rate],
    "clip_grad_norm": [
        torch_clip_grad_norm,
        torch_utils_called,
        tf_global_norm,
        mlx_clip_grad_norm,
    ],
    "adamw_step": [torch_adamw_step, llmc_adamw_step, nanochat_adamw_step, data_adamw_step],
    "train": [nanogpt_train, hf_trainer_train, functional_train],
    "save_checkpoint": [
        nanogpt_save_checkpoint,
        lightning_save_checkpoint,
        fsspec_save_checkpoint,
    ],
    "load_checkpoint": [nanogpt_load_checkpoint, torchtune_load_checkpoint],
}
