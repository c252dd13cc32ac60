"""Lab 09: plain edits of the worked answers, each a mistake in the spelling of a learner."""

from wrong_answers import Edit

LOG_P = "log_p = torch.log_softmax(logits.float() if logits.itemsize < 4 else logits, dim=-1)"
GATHER = "of_targets = log_p.gather(-1, targets[..., None])  # (..., 1)"
MEAN = "return -of_targets.mean().to(logits.dtype)"
WIDE = "logits.float() if logits.itemsize < 4 else logits"

UP = "return peak * (step + 1) / warmup"
WARM = "if step < warmup:"
OVER = "    if step >= total:\n        return floor\n"
DONE = "done = (step - warmup) / (total - warmup)"
COS = "return floor + (peak - floor) * (1 + math.cos(math.pi * done)) / 2"

NORM = "norm = math.sqrt(sum(grad.float().square().sum().item() for grad in grads))"
IF = "    if norm > max_norm:\n        for grad in grads:\n            grad.mul_(max_norm / norm)\n"
MUL = "grad.mul_(max_norm / norm)"

M = "m.lerp_(grad, 1 - betas[0])"
V = "v.mul_(betas[1]).addcmul_(grad, grad, value=1 - betas[1])"
SCALES = "m_scale, v_scale = 1 - betas[0] ** step, 1 - betas[1] ** step"
DECAY = "param.mul_(1 - lr * weight_decay)"
STEP = "param.addcdiv_(m, (v / v_scale).sqrt_().add_(eps), value=-lr / m_scale)"

MOMENTS = "moments = {p: (torch.zeros_like(p), torch.zeros_like(p)) for p in model.parameters()}"
STARTS = "starts = torch.randint(len(data) - context, (batch,), generator=generator)"
LOSS = "loss = cross_entropy(model(inputs), targets)"
ZERO = "            model.zero_grad()\n"
BACK = "            loss.backward()\n"
CLIP = "            clip_grad_norm([p.grad for p in moments], max_norm)\n"
LR = "lr = learning_rate(step, warmup, steps, peak, floor)"
WHICH = "decay = weight_decay if p.dim() > 1 else 0.0"
ADAMW = "adamw_step(p, p.grad, m, v, step + 1, lr, weight_decay=decay)"
APPEND = "losses.append(loss.item())"
WHEN = "if (step + 1) % every == 0 or step + 1 == steps:"
MEASURE = "measured = held_out_loss(model, held_out, context)"
BETTER = "if measured < lowest:"
KEEP = "lowest, best = measured, [p.detach().clone() for p in moments]"
WATCH = "watch(step + 1, losses[-1], measured)"
EXCEPT = "    except KeyboardInterrupt:\n        pass\n"
RESTORE = "for p, kept in zip(moments, best or moments, strict=True):"
COPY = "p.copy_(kept)"

PART = 'part = path.with_suffix(".part")'
STATE = (
    'state = {"weights": model.state_dict(), "moments": moments, "step": step, '
    '"about": about or {}}'
)
SAVE = "torch.save(state, part)"
REPLACE = "    part.replace(path)\n"

DEVICE = "device = next(model.parameters()).device"
LOAD = "state = torch.load(path, map_location=device, weights_only=True)"
FILL = 'model.load_state_dict(state["weights"])'
GIVE = 'return state["moments"], state["step"]'

EDITS = {
    "cross_entropy": [
        Edit(
            "the softmax is over the tokens, dim 1",
            ("logits, dim=-1)", "logits, dim=1)"),
            named=("softmax_over_positions",),
        ),
        Edit(
            "the softmax is over the tokens, dim -2",
            ("logits, dim=-1)", "logits, dim=-2)"),
            named=("softmax_over_positions",),
        ),
        Edit(
            "the softmax is over the batch",
            ("logits, dim=-1)", "logits, dim=0)"),
            named=("softmax_over_the_batch",),
        ),
        Edit("half precision is not computed in float32", (WIDE, "logits"), named=("half_log_p",)),
        Edit(
            "half precision is made float32 only after the log-softmax",
            (LOG_P, "log_p = torch.log_softmax(logits, dim=-1).float()"),
            named=("half_log_p",),
        ),
        Edit(
            "returns float32 for half-precision logits",
            (".mean().to(logits.dtype)", ".mean()"),
            named=("not_cast_back",),
        ),
        Edit("the minus is left out", ("return -of_targets", "return of_targets"), named=("sign",)),
        Edit("the sum over the tokens instead of the mean", (".mean()", ".sum()"), named=("sum",)),
        Edit(
            "the sum divided by the batch only",
            (".mean()", ".sum().div(len(logits))"),
            named=("sum_over_the_sentence",),
        ),
        Edit(
            "the probability without its logarithm",
            ("torch.log_softmax(", "torch.softmax("),
            named=("probability",),
        ),
        Edit(
            "softmax and then log, inf for large logits",
            (LOG_P, f"log_p = torch.softmax({WIDE}, dim=-1).log()"),
            named=("log_of_softmax",),
        ),
        Edit(
            "log of softmax plus a tiny number, so a loss never exceeds 20",
            (LOG_P, f"log_p = torch.log(torch.softmax({WIDE}, dim=-1) + 1e-9)"),
            named=("clamped",),
        ),
        Edit(
            "log of a clamped softmax, so a loss never exceeds 18",
            (LOG_P, f"log_p = torch.softmax({WIDE}, dim=-1).clamp(min=1e-8).log()"),
            named=("clamped",),
        ),
        Edit(
            "exp without taking the maximum off first",
            (
                LOG_P,
                f"z = {WIDE}\n    log_p = z - z.exp().sum(-1, keepdim=True).log()",
            ),
            named=("exp_overflows",),
        ),
        Edit(
            "takes the maximum off and forgets the log of the sum",
            (LOG_P, f"z = {WIDE}\n    log_p = z - z.max(-1, keepdim=True).values"),
            named=("log_sum_forgotten",),
        ),
        Edit(
            "no softmax at all: the logits are taken for log probabilities",
            (LOG_P, f"log_p = {WIDE}"),
            named=("logits_not_normalised",),
        ),
        Edit(
            "softmax first, and the log-softmax of that",
            (LOG_P, f"log_p = torch.log_softmax(torch.softmax({WIDE}, dim=-1), dim=-1)"),
            named=("double_softmax",),
        ),
        Edit(
            "indexes with all targets at once, so each token gets every token's target",
            (GATHER, "of_targets = log_p[..., targets]"),
            named=("targets_of_all_tokens",),
        ),
        Edit(
            "a view to (B, V, T), where a transpose is needed, mixes the tokens",
            (
                GATHER,
                "log_p = log_p.view(len(logits), logits.size(-1), -1)\n"
                "    of_targets = log_p.gather(1, targets[:, None])",
            ),
            named=("viewed_instead_of_transposed",),
        ),
        Edit(
            "takes the largest log probability, whatever the target is",
            (GATHER, "of_targets = log_p.max(dim=-1).values"),
            named=("largest_instead_of_target",),
        ),
        Edit(
            "the mean over the V characters too, by a one-hot product",
            (
                GATHER,
                "of_targets = log_p * nn.functional.one_hot(targets, logits.size(-1))",
            ),
            named=("mean_over_vocabulary",),
        ),
        Edit(
            "not reduced: one number per token",
            (".mean()", ".squeeze(-1)"),
            named=("not_averaged",),
        ),
        Edit(
            "one number per position, the mean over dim 0 only",
            (".mean()", ".mean(dim=0)"),
            named=("mean_over_one_dimension",),
        ),
        Edit(
            "returns a Python float",
            (MEAN, "return -of_targets.mean().item()"),
            named=("python_float",),
        ),
        Edit(
            "a new tensor from .item(), without a gradient",
            (MEAN, "return torch.tensor(-of_targets.mean().item(), dtype=logits.dtype)"),
            named=("detached",),
        ),
        Edit(
            "in bits, with log 2",
            (MEAN, "return (-of_targets.mean() / math.log(2)).to(logits.dtype)"),
            named=("bits",),
        ),
        Edit(
            "the logarithm of the mean probability",
            (MEAN, "return -of_targets.exp().mean().log().to(logits.dtype)"),
            named=("log_of_the_mean",),
        ),
        Edit(
            "the perplexity, e to the loss",
            (MEAN, "return (-of_targets.mean()).exp().to(logits.dtype)"),
            named=("reciprocal_perplexity",),
        ),
        Edit(
            "changes the logits that it was given",
            (LOG_P, "logits -= logits.max(-1, keepdim=True).values\n    " + LOG_P),
            named=("logits_changed",),
        ),
    ],
    "learning_rate": [
        Edit(
            "counts the warm-up from 0, so the first step has rate 0",
            (UP, "return peak * step / warmup"),
            named=("nothing_at_step_0",),
        ),
        Edit(
            "the warm-up is one step too long",
            (WARM, "if step <= warmup:"),
            named=("warmup_too_far",),
        ),
        Edit(
            "the warm-up is divided by warmup + 1",
            ("/ warmup\n", "/ (warmup + 1)\n"),
            named=("warmup_one_longer",),
        ),
        Edit(
            "whole division in the warm-up",
            (UP, "return peak * ((step + 1) // warmup)"),
            named=("whole_division",),
        ),
        Edit(
            "whole division in the decay",
            ("(step - warmup) / ", "(step - warmup) // "),
            named=("whole_division_in_the_decay",),
        ),
        Edit(
            "the warm-up begins at floor",
            (UP, "return floor + (peak - floor) * (step + 1) / warmup"),
            named=("warmup_from_floor",),
        ),
        Edit(
            "the cosine begins at step 0, not after the warm-up",
            (DONE, "done = step / total"),
            named=("clock_without_warmup",),
        ),
        Edit(
            "the warm-up is not taken off in the numerator",
            (DONE, "done = step / (total - warmup)"),
            named=("clock_without_warmup",),
        ),
        Edit(
            "the warm-up is not taken off in the denominator",
            (DONE, "done = (step - warmup) / total"),
            named=("clock_too_slow",),
        ),
        Edit(
            "floor is reached one step early",
            (DONE, "done = (step - warmup) / (total - warmup - 1)"),
            named=("clock_one_short",),
        ),
        Edit(
            "the cosine counts from 1",
            (DONE, "done = (step + 1 - warmup) / (total - warmup)"),
            named=("clock_one_ahead",),
        ),
        Edit(
            "floor is added to the whole cosine of peak",
            ("(peak - floor)", "peak"),
            named=("floor_on_top",),
        ),
        Edit(
            "ends at 0, floor is not added",
            ("floor + (peak - floor)", "(peak - floor)"),
            named=("floor_not_added", "down_to_zero"),
        ),
        Edit(
            "a cosine down to 0, cut off at floor",
            (COS, "return max(floor, peak * (1 + math.cos(math.pi * done)) / 2)"),
            named=("floor_cut_off",),
        ),
        Edit("the half is left out", (" / 2", ""), named=("half_forgotten",)),
        Edit("pi is left out", ("math.pi * done", "done"), named=("pi_missing",)),
        Edit(
            "a quarter of a cosine",
            ("math.pi * done", "math.pi / 2 * done"),
            named=("cosine_ends_halfway",),
        ),
        Edit(
            "a whole period of the cosine",
            ("math.pi * done", "2 * math.pi * done"),
            named=("whole_cosine",),
        ),
        Edit(
            "rises from floor to peak",
            ("1 + math.cos", "1 - math.cos"),
            named=("wrong_end_of_the_cosine",),
        ),
        Edit(
            "a straight line down",
            ("(1 + math.cos(math.pi * done)) / 2", "(1 - done)"),
            named=("linear",),
        ),
        Edit("rises again after total", (OVER, ""), named=("up_again",)),
        Edit(
            "0 after total",
            (OVER, "    if step >= total:\n        return 0.0\n"),
            named=("zero_at_the_end",),
        ),
        Edit(
            "peak after total",
            (OVER, "    if step >= total:\n        return peak\n"),
            named=("peak_at_the_end",),
        ),
        Edit(
            "no floor at step = total, which fails where warm-up is all there is",
            ("step >= total", "step > total"),
            named=("no_room_crashes",),
        ),
        Edit(
            "returns a tensor",
            (COS, COS.replace("return ", "return torch.tensor(") + ")"),
            named=("tensor",),
        ),
        Edit(
            "the warm-up goes to floor",
            (UP, "return floor * (step + 1) / warmup"),
            named=("warmup_to_floor",),
        ),
        Edit(
            "total counts from the end of the warm-up",
            ("step >= total", "step >= total + warmup"),
            ("(total - warmup)", "total"),
            named=("warmup_on_top",),
        ),
    ],
    "clip_grad_norm": [
        Edit(
            "the root is left out",
            (
                "math.sqrt(sum(grad.float().square().sum().item() for grad in grads))",
                "sum(grad.float().square().sum().item() for grad in grads)",
            ),
            named=("squares_not_rooted",),
        ),
        Edit(
            "the sum of the tensors' norms",
            (NORM, "norm = sum(grad.float().norm().item() for grad in grads)"),
            named=("sum_of_norms",),
        ),
        Edit(
            "the largest of the tensors' norms",
            (NORM, "norm = max(grad.float().norm().item() for grad in grads)"),
            named=("largest_norm",),
        ),
        Edit(
            "the sum of absolute values",
            (NORM, "norm = sum(grad.float().abs().sum().item() for grad in grads)"),
            named=("absolute_values",),
        ),
        Edit(
            "the largest single number",
            (NORM, "norm = max(grad.float().abs().max().item() for grad in grads)"),
            named=("largest_number",),
        ),
        Edit(
            "the mean of the squares",
            (".square().sum()", ".square().mean()"),
            named=("mean_of_squares",),
        ),
        Edit(
            "each tensor is clipped by itself",
            (
                IF,
                "    for grad in grads:\n        if grad.norm() > max_norm:\n"
                "            grad.mul_(max_norm / grad.norm())\n",
            ),
            named=("each_tensor_by_itself",),
        ),
        Edit(
            "each tensor is scaled by its own norm",
            (MUL, "grad.mul_(max_norm / grad.norm())"),
            named=("scaled_by_own_norm",),
        ),
        Edit(
            "not in place: a new tensor in the loop's variable",
            (MUL, "grad = grad * (max_norm / norm)"),
            named=("not_in_place",),
        ),
        Edit(
            "not in place: mul without the underscore",
            (MUL, "grad.mul(max_norm / norm)"),
            named=("not_in_place",),
        ),
        Edit(
            "not in place: new tensors in a new list",
            (
                IF,
                "    if norm > max_norm:\n        grads = [grad * max_norm / norm for grad in grads]\n",
            ),
            named=("not_in_place",),
        ),
        Edit(
            "new tensors in the given list, the old ones unchanged",
            (
                IF,
                "    if norm > max_norm:\n        for i, grad in enumerate(grads):\n"
                "            grads[i] = grad * (max_norm / norm)\n",
            ),
            named=("not_in_place",),
        ),
        Edit(
            "the quotient is upside down",
            ("max_norm / norm", "norm / max_norm"),
            named=("upside_down",),
        ),
        Edit(
            "divides by the norm only, as if max_norm were 1",
            (MUL, "grad.div_(norm)"),
            named=("divided_by_norm",),
        ),
        Edit("divides by max_norm", (MUL, "grad.div_(max_norm)"), named=("divided_by_max_norm",)),
        Edit(
            "divides by the norm only, spelled /=",
            (MUL, "grad /= norm"),
            named=("divided_by_norm",),
        ),
        Edit(
            "short gradients are lengthened",
            (IF, "    for grad in grads:\n        grad.mul_(max_norm / norm)\n"),
            named=("always_scaled",),
        ),
        Edit(
            "short gradients are lengthened, with *=",
            (IF, "    for grad in grads:\n        grad *= max_norm / norm\n"),
            named=("always_scaled",),
        ),
        Edit(
            "only short gradients are changed",
            ("norm > max_norm", "norm < max_norm"),
            named=("condition_reversed",),
        ),
        Edit(
            "each number is clamped", (MUL, "grad.clamp_(-max_norm, max_norm)"), named=("by_value",)
        ),
        Edit(
            "the first tensor only, the return is in the loop",
            (MUL, MUL + "\n            return norm"),
            named=("first_tensor_only",),
        ),
        Edit(
            "returns the norm after clipping",
            ("return norm", "return min(norm, max_norm)"),
            named=("norm_at_most",),
        ),
        Edit("returns nothing", ("    return norm\n", ""), named=("nothing_returned",)),
        Edit(
            "returns a tensor",
            ("    return norm\n", "    return torch.tensor(norm)\n"),
            named=("tensor_returned",),
        ),
        Edit(
            "returns the gradients", ("return norm", "return grads"), named=("gradients_returned",)
        ),
        Edit(
            "returns the factor",
            ("return norm", "return max_norm / norm"),
            named=("factor_returned",),
        ),
        Edit(
            "half precision overflows in the squares",
            ("grad.float().square()", "grad.square()"),
            named=("halves_overflow",),
        ),
        Edit(
            "a whole number, //",
            ("max_norm / norm", "max_norm // norm"),
            named=("whole_division",),
        ),
        Edit(
            "the matrices only",
            ("for grad in grads))", "for grad in grads if grad.dim() > 1))"),
            named=("vectors_left_out",),
        ),
    ],
    "adamw_step": [
        Edit(
            "beta and 1 - beta are swapped in m",
            (M, "m.lerp_(grad, betas[0])"),
            named=("m_the_other_way_round",),
        ),
        Edit(
            "m adds the whole gradient",
            (M, "m.mul_(betas[0]).add_(grad)"),
            named=("momentum_adds_up",),
        ),
        Edit("v adds the whole square", (", value=1 - betas[1])", ")"), named=("squares_add_up",)),
        Edit(
            "beta 1 in v",
            (V, "v.mul_(betas[0]).addcmul_(grad, grad, value=1 - betas[0])"),
            named=("beta_1_in_v",),
        ),
        Edit(
            "the betas are swapped",
            (M, "m.lerp_(grad, 1 - betas[1])"),
            (V, "v.mul_(betas[0]).addcmul_(grad, grad, value=1 - betas[0])"),
            named=("betas_swapped",),
        ),
        Edit(
            "v of the gradient, not of its square",
            (V, "v.lerp_(grad, 1 - betas[1])"),
            named=("v_not_squared",),
        ),
        Edit(
            "v of the absolute gradient",
            (V, "v.lerp_(grad.abs(), 1 - betas[1])"),
            named=("v_of_sizes",),
        ),
        Edit(
            "v of m's square",
            (V, "v.mul_(betas[1]).addcmul_(m, m, value=1 - betas[1])"),
            named=("v_of_m",),
        ),
        Edit(
            "m is not changed in place",
            (M, "m = betas[0] * m + (1 - betas[0]) * grad"),
            named=("m_not_in_place",),
        ),
        Edit(
            "v is not changed in place",
            (V, "v = betas[1] * v + (1 - betas[1]) * grad**2"),
            named=("v_not_in_place",),
        ),
        Edit(
            "m and v are not changed in place",
            (M, "m = betas[0] * m + (1 - betas[0]) * grad"),
            (V, "v = betas[1] * v + (1 - betas[1]) * grad**2"),
            named=("moments_not_in_place",),
        ),
        Edit(
            "param is not changed in place",
            (DECAY, "param = param * (1 - lr * weight_decay)"),
            named=("param_not_in_place",),
        ),
        Edit(
            "only the decay is in place",
            (STEP, "param = param - lr * (m / m_scale) / ((v / v_scale).sqrt() + eps)"),
            named=("param_not_in_place",),
        ),
        Edit(
            "no correction of m", ("value=-lr / m_scale", "value=-lr"), named=("only_v_corrected",)
        ),
        Edit(
            "no correction of v", ("(v / v_scale).sqrt_()", "v.sqrt()"), named=("only_m_corrected",)
        ),
        Edit(
            "no corrections",
            ("value=-lr / m_scale", "value=-lr"),
            ("(v / v_scale).sqrt_()", "v.sqrt()"),
            named=("no_correction",),
        ),
        Edit(
            "the corrections do not know the step",
            (SCALES, "m_scale, v_scale = 1 - betas[0], 1 - betas[1]"),
            named=("corrected_as_at_step_1",),
        ),
        Edit(
            "times the step instead of to its power",
            (SCALES, "m_scale, v_scale = 1 - betas[0] * step, 1 - betas[1] * step"),
            named=("times_the_step",),
        ),
        Edit(
            "the corrections are one step ahead",
            (SCALES, "m_scale, v_scale = 1 - betas[0] ** (step + 1), 1 - betas[1] ** (step + 1)"),
            named=("corrected_with_step_plus_one",),
        ),
        Edit(
            "beta 1 corrects v too",
            ("1 - betas[1] ** step", "1 - betas[0] ** step"),
            named=("one_beta_for_both",),
        ),
        Edit(
            "the corrections are swapped",
            ("m_scale, v_scale =", "v_scale, m_scale ="),
            named=("corrections_swapped",),
        ),
        Edit(
            "the correction of v is outside of the root",
            ("(v / v_scale).sqrt_()", "(v.sqrt() / v_scale)"),
            named=("corrected_after_the_root",),
        ),
        Edit(
            "multiplies by the corrections",
            ("value=-lr / m_scale", "value=-lr * m_scale"),
            ("v / v_scale", "v * v_scale"),
            named=("multiplied_by_the_correction",),
        ),
        Edit(
            "the corrected m is kept",
            (
                STEP,
                "m.div_(m_scale)\n    param.addcdiv_(m, (v / v_scale).sqrt_().add_(eps), value=-lr)",
            ),
            named=("corrected_m_kept",),
        ),
        Edit(
            "the corrected v is kept",
            (STEP, "v /= v_scale\n    param.addcdiv_(m, v.sqrt().add_(eps), value=-lr / m_scale)"),
            named=("corrected_v_kept",),
        ),
        Edit(
            "the root overwrites v",
            ("(v / v_scale).sqrt_()", "v.sqrt_().div(math.sqrt(v_scale))"),
            named=("root_kept_in_v",),
        ),
        Edit(
            "decay in the gradient, before the means",
            (M, "grad = grad + weight_decay * param\n    " + M),
            (DECAY + "\n    ", ""),
            named=("decay_in_the_gradient",),
        ),
        Edit(
            "the decay is without the rate",
            (DECAY, "param.mul_(1 - weight_decay)"),
            named=("decay_without_lr",),
        ),
        Edit(
            "the weights grow", (DECAY, "param.mul_(1 + lr * weight_decay)"), named=("decay_adds",)
        ),
        Edit("no decay", (DECAY, "pass"), named=("no_decay",)),
        Edit(
            "decays after the step, the new weights",
            (DECAY + "\n    " + STEP, STEP + "\n    " + DECAY),
            named=("decay_after",),
        ),
        Edit(
            "decay divided by the root of v too",
            (
                STEP,
                "param.addcdiv_(m / m_scale + weight_decay * param, (v / v_scale).sqrt_().add_(eps), value=-lr)",
            ),
            (DECAY + "\n    ", ""),
            named=("decay_divided_by_root_v",),
        ),
        Edit(
            "epsilon is inside the root",
            (".sqrt_().add_(eps)", ".add_(eps).sqrt_()"),
            named=("eps_inside_the_root",),
        ),
        Edit("no epsilon", (".sqrt_().add_(eps)", ".sqrt_()"), named=("no_eps",)),
        Edit(
            "epsilon before the correction",
            ("(v / v_scale).sqrt_().add_(eps)", "(v.sqrt() + eps) / math.sqrt(v_scale)"),
            named=("eps_before_the_correction",),
        ),
        Edit("no root", ("(v / v_scale).sqrt_()", "(v / v_scale)"), named=("no_root",)),
        Edit("uphill", ("value=-lr", "value=lr"), named=("uphill",)),
        Edit(
            "steps by the gradient instead of m",
            ("addcdiv_(m,", "addcdiv_(grad,"),
            named=("gradient_instead_of_m",),
        ),
        Edit(
            "changes the gradient",
            (V, "v.mul_(betas[1]).add_(grad.mul_(grad), alpha=1 - betas[1])"),
            named=("gradient_squared_in_place",),
        ),
        Edit(
            "betas are fixed",
            (M, "m.lerp_(grad, 0.1)"),
            (V, "v.mul_(0.95).addcmul_(grad, grad, value=0.05)"),
            (SCALES, "m_scale, v_scale = 1 - 0.9**step, 1 - 0.95**step"),
            named=("constant_betas",),
        ),
        Edit(
            "the rate is used twice in the decay",
            (DECAY, "param.mul_(1 - lr * lr * weight_decay)"),
            named=("decay_times_lr_twice",),
        ),
        Edit(
            "without no_grad, so a parameter cannot be changed",
            ("@torch.no_grad()\n", ""),
            named=("graph_recorded",),
        ),
        Edit("epsilon is fixed", ("add_(eps)", "add_(1e-8)"), named=("constant_eps",)),
    ],
    "train": [
        Edit("gradients are never cleared", (ZERO, ""), named=("gradients_pile_up",)),
        Edit(
            "gradients are cleared after backward",
            (ZERO + BACK, BACK + ZERO),
            named=("gradients_forgotten_too_early",),
        ),
        Edit(
            "gradients are cleared at the end of a step, so what was there before counts",
            (ZERO, ""),
            (APPEND, APPEND + "\n            model.zero_grad()"),
            named=("gradients_forgotten_late",),
        ),
        Edit(
            "gradients are cleared once, before the loop",
            (ZERO, ""),
            ("    model.train()\n", "    model.train()\n    model.zero_grad()\n"),
            named=("gradients_pile_up",),
        ),
        Edit("no clipping", (CLIP, ""), named=("not_clipped",)),
        Edit(
            "clips before backward",
            (
                BACK + CLIP,
                CLIP.replace(
                    "[p.grad for p in moments]", "[p.grad for p in moments if p.grad is not None]"
                )
                + BACK,
            ),
            named=("not_clipped",),
        ),
        Edit(
            "clips after the steps",
            (CLIP, ""),
            (APPEND, "clip_grad_norm([p.grad for p in moments], max_norm)\n            " + APPEND),
            named=("not_clipped",),
        ),
        Edit(
            "clips each parameter by itself",
            (
                CLIP,
                "            for p in moments:\n                clip_grad_norm([p.grad], max_norm)\n",
            ),
            named=("clipped_one_by_one",),
        ),
        Edit(
            "clips the weights instead of the gradients",
            ("[p.grad for p in moments]", "[p.data for p in moments]"),
            named=("weights_clipped",),
        ),
        Edit(
            "max_norm is fixed at 1",
            ("moments], max_norm)", "moments], 1.0)"),
            named=("constant_max_norm",),
        ),
        Edit(
            "the rate is counted from 1",
            (LR, "lr = learning_rate(step + 1, warmup, steps, peak, floor)"),
            named=("rate_from_step_1",),
        ),
        Edit("the rate is always peak", (LR, "lr = peak"), named=("constant_rate",)),
        Edit(
            "peak and floor are swapped",
            (LR, "lr = learning_rate(step, warmup, steps, floor, peak)"),
            named=("peak_and_floor_swapped",),
        ),
        Edit(
            "the schedule ends a warm-up too early",
            (LR, "lr = learning_rate(step, warmup, steps - warmup, peak, floor)"),
            named=("schedule_too_short",),
        ),
        Edit(
            "steps and warmup are swapped",
            (LR, "lr = learning_rate(step, steps, warmup, peak, floor)"),
            named=("steps_and_warmup_swapped",),
        ),
        Edit(
            "the rate is that of the number of the batch's characters",
            (LR, "lr = learning_rate(step * batch, warmup, steps, peak, floor)"),
            named=("rate_counts_pieces",),
        ),
        Edit(
            "AdamW's step is counted from 0",
            ("v, step + 1, lr", "v, step, lr"),
            named=("adam_from_step_0",),
        ),
        Edit(
            "AdamW's step is always 1",
            ("v, step + 1, lr", "v, 1, lr"),
            named=("adam_always_step_1",),
        ),
        Edit(
            "the moments are made anew in each step",
            (
                "        for step in range(steps):\n",
                "        for step in range(steps):\n            " + MOMENTS + "\n",
            ),
            named=("moments_made_anew",),
        ),
        Edit(
            "m and v are one tensor",
            (MOMENTS, "moments = {p: (torch.zeros_like(p),) * 2 for p in model.parameters()}"),
            named=("one_moment_for_both",),
        ),
        Edit(
            "m and v begin as ones",
            (MOMENTS, MOMENTS.replace("zeros_like", "ones_like")),
            named=("moments_begin_as_ones",),
        ),
        Edit(
            "the last piece is never drawn",
            (
                STARTS,
                "starts = torch.randint(len(data) - context - 1, (batch,), generator=generator)",
            ),
            named=("last_piece_never",),
        ),
        Edit(
            "starts up to the end of the data",
            (STARTS, "starts = torch.randint(len(data), (batch,), generator=generator)"),
            named=("starts_past_the_end",),
        ),
        Edit(
            "one start too many",
            (
                STARTS,
                "starts = torch.randint(len(data) - context + 1, (batch,), generator=generator)",
            ),
            named=("starts_past_the_end",),
        ),
        Edit(
            "the first piece is never drawn",
            (
                STARTS,
                "starts = torch.randint(1, len(data) - context, (batch,), generator=generator)",
            ),
            named=("first_piece_never",),
        ),
        Edit(
            "the generator is not used",
            (", generator=generator)", ")"),
            named=("generator_ignored",),
        ),
        Edit("one piece a step", ("(batch,)", "(1,)"), named=("one_piece_a_step",)),
        Edit(
            "batch and context are swapped",
            (STARTS, "starts = torch.randint(len(data) - batch, (context,), generator=generator)"),
            ("make_batch(data, starts, context)", "make_batch(data, starts, batch)"),
            named=("batch_and_context_swapped",),
        ),
        Edit(
            "the same pieces in every step",
            (
                "        for step in range(steps):\n            " + STARTS,
                "        " + STARTS + "\n        for step in range(steps):",
            ),
            named=("one_batch_for_ever",),
        ),
        Edit(
            "learns from the held-out text",
            ("make_batch(data, starts", "make_batch(held_out, starts"),
            ("randint(len(data)", "randint(len(held_out)"),
            named=("learns_from_held_out",),
        ),
        Edit(
            "the targets are the inputs",
            (LOSS, "loss = cross_entropy(model(inputs), inputs)"),
            named=("targets_not_shifted",),
        ),
        Edit(
            "logits and targets are shifted once more",
            (LOSS, "loss = cross_entropy(model(inputs)[:, :-1], targets[:, 1:])"),
            named=("targets_shifted_twice",),
        ),
        Edit(
            "only the last token's loss",
            (LOSS, "loss = cross_entropy(model(inputs)[:, -1], targets[:, -1])"),
            named=("last_position_only",),
        ),
        Edit(
            "weight decay for all parameters",
            (WHICH, "decay = weight_decay"),
            named=("norms_decay",),
        ),
        Edit(
            "weight decay for the norms only",
            ("p.dim() > 1", "p.dim() == 1"),
            named=("only_norms_decay",),
        ),
        Edit(
            "no weight decay at all",
            (ADAMW, "adamw_step(p, p.grad, m, v, step + 1, lr, weight_decay=0.0)"),
            named=("no_decay",),
        ),
        Edit(
            "AdamW's own default decay for the matrices",
            (WHICH, "decay = 0.1 if p.dim() > 1 else 0.0"),
            named=("constant_decay",),
        ),
        Edit(
            "the decay is passed as betas",
            ("weight_decay=decay)", "decay)"),
            named=("decay_passed_as_betas",),
        ),
        Edit(
            "the losses are tensors with their graphs",
            (APPEND, "losses.append(loss)"),
            named=("tensors_returned",),
        ),
        Edit(
            "the losses are detached tensors",
            (APPEND, "losses.append(loss.detach())"),
            named=("tensors_returned",),
        ),
        Edit(
            "the lowest held-out loss is returned instead of the losses",
            ("return losses", "return [lowest]"),
            named=("lowest_returned",),
        ),
        Edit(
            "the loss after the step",
            (APPEND, "losses.append(cross_entropy(model(inputs), targets).item())"),
            named=("loss_after_the_step",),
        ),
        Edit(
            "measured before the first of every steps",
            (WHEN, "if step % every == 0 or step + 1 == steps:"),
            named=("measured_one_step_early",),
        ),
        Edit(
            "the last step is not measured",
            (WHEN, "if (step + 1) % every == 0:"),
            named=("not_measured_at_the_end",),
        ),
        Edit(
            "only the last step is measured",
            (WHEN, "if step + 1 == steps:"),
            named=("measured_at_the_end_only",),
        ),
        Edit("measured in every step", (WHEN, "if True:"), named=("measured_every_step",)),
        Edit(
            "the last step is missed by one",
            ("step + 1 == steps", "step == steps"),
            named=("not_measured_at_the_end",),
        ),
        Edit(
            "measured on the training text",
            (MEASURE, "measured = held_out_loss(model, data, context)"),
            named=("measured_on_the_training_text",),
        ),
        Edit(
            "measured on the batch",
            (MEASURE, "measured = cross_entropy(model(inputs), targets).item()"),
            named=("measured_on_the_training_text",),
        ),
        Edit(
            "the best weights are no copies: detach only",
            ("p.detach().clone()", "p.detach()"),
            named=("last_weights",),
        ),
        Edit(
            "the best weights are no copies: .data",
            ("p.detach().clone()", "p.data"),
            named=("last_weights",),
        ),
        Edit(
            "the best weights are no copies: state_dict",
            (KEEP, "lowest, best = measured, list(model.state_dict().values())"),
            named=("last_weights",),
        ),
        Edit(
            "the highest loss is kept",
            (BETTER, "if measured > lowest or lowest == math.inf:"),
            named=("worst_kept",),
        ),
        Edit("the last is kept", (BETTER, "if True:"), named=("latest_kept",)),
        Edit(
            "lowest is never updated",
            (KEEP, "best = [p.detach().clone() for p in moments]"),
            named=("latest_kept",),
        ),
        Edit(
            "lowest is updated even when it is not lower",
            (BETTER, "lowest, before = measured, lowest\n                if measured < before:"),
            named=("compared_with_the_last",),
        ),
        Edit(
            "best by the training loss",
            (BETTER, "if losses[-1] < lowest:"),
            (KEEP, KEEP.replace("= measured", "= losses[-1]")),
            named=("best_by_training_text",),
        ),
        Edit(
            "the weights stay the last ones",
            ("    with torch.no_grad():\n        " + RESTORE + "\n            " + COPY + "\n", ""),
            named=("last_weights",),
        ),
        Edit(
            "restores into a name, not into the parameter",
            (COPY, "p = kept"),
            named=("last_weights",),
        ),
        Edit(
            "fails when interrupted before a measurement",
            ("best or moments", "best"),
            named=("no_best_yet",),
        ),
        Edit("ends in training mode", ("    model.eval()\n", ""), named=("left_in_train_mode",)),
        Edit("never in training mode", ("    model.train()\n", ""), named=("stays_in_eval_mode",)),
        Edit(
            "ends in training mode, train twice",
            ("    model.eval()\n", "    model.train()\n"),
            named=("left_in_train_mode",),
        ),
        Edit(
            "an interrupt comes out",
            (EXCEPT, "    except ValueError:\n        pass\n"),
            named=("other_errors_caught",),
        ),
        Edit(
            "an interrupt comes out, Exception does not catch it",
            (EXCEPT, "    except Exception:\n        pass\n"),
            named=("other_errors_caught",),
        ),
        Edit(
            "all errors are swallowed",
            (EXCEPT, "    except BaseException:\n        pass\n"),
            named=("every_error_caught",),
        ),
        Edit(
            "all errors are swallowed, by a tuple",
            (EXCEPT, "    except (KeyboardInterrupt, Exception):\n        pass\n"),
            named=("every_error_caught",),
        ),
        Edit(
            "an interrupt returns at once, with the last weights",
            (EXCEPT, "    except KeyboardInterrupt:\n        return losses\n"),
            named=("interrupt_leaves_at_once",),
        ),
        Edit(
            "an interrupt is raised again",
            (EXCEPT, "    except KeyboardInterrupt:\n        raise\n"),
            named=("interrupt_not_caught",),
        ),
        Edit(
            "watch gets the step from 0",
            (WATCH, "watch(step, losses[-1], measured)"),
            named=("watch_counts_from_0",),
        ),
        Edit(
            "watch gets a tensor",
            (WATCH, "watch(step + 1, loss, measured)"),
            named=("watch_told_a_tensor",),
        ),
        Edit(
            "watch only where it was measured",
            ("            if watch:", "            if watch and measured is not None:"),
            named=("watch_only_when_measured",),
        ),
        Edit(
            "watch always gets a number, the lowest",
            (WATCH, "watch(step + 1, losses[-1], lowest)"),
            named=("watch_told_the_lowest",),
        ),
        Edit(
            "watch gets the last measurement again",
            ("            measured = None\n", ""),
            ("    model.train()\n", "    model.train()\n    measured = None\n"),
            named=("watch_told_old_losses",),
        ),
        Edit(
            "watch gets the mean of all losses",
            (WATCH, "watch(step + 1, sum(losses) / len(losses), measured)"),
            named=("watch_told_the_mean",),
        ),
        Edit(
            "watch is never called",
            ("            if watch:\n                " + WATCH + "\n", ""),
            named=("watch_never_called",),
        ),
        Edit(
            "one step too few", ("in range(steps)", "in range(1, steps)"), named=("one_step_short",)
        ),
        Edit(
            "the gradient is divided by the batch again",
            (BACK, "            (loss / batch).backward()\n            loss = loss / batch\n"),
            named=("loss_divided",),
        ),
        Edit(
            "only matrices are trained",
            (ADAMW, "if decay:\n                    " + ADAMW),
            named=("vectors_not_trained",),
        ),
    ],
    "save_checkpoint": [
        Edit(
            "the parameters, not the state_dict",
            ("model.state_dict()", "dict(model.named_parameters())"),
            named=("parameters_only",),
        ),
        Edit(
            "the parameters' tensors by name",
            ("model.state_dict()", "{n: p.detach().clone() for n, p in model.named_parameters()}"),
            named=("parameters_only",),
        ),
        Edit(
            "the weights without their names",
            ("model.state_dict()", "[p.data for p in model.parameters()]"),
            named=("weights_in_a_list",),
        ),
        Edit("the model itself", ("model.state_dict()", "model"), named=("whole_model",)),
        Edit("the brackets left out", ("state_dict()", "state_dict"), named=("method_saved",)),
        Edit(
            "the moments left out of the dict",
            ('"moments": moments', '"moments": {}'),
            named=("no_moments",),
        ),
        Edit(
            "the moments in the order of the parameters",
            ('"moments": moments', '"moments": [pair for _, pair in moments.items()]'),
            named=("moments_in_a_list",),
        ),
        Edit(
            "the moments numbered",
            ('"moments": moments', '"moments": {i: mv for i, mv in enumerate(moments.values())}'),
            named=("moments_by_number",),
        ),
        Edit(
            "the number of the next step, counted from 1",
            ('"step": step', '"step": step + 1'),
            named=("step_one_ahead",),
        ),
        Edit("the step as text", ('"step": step', '"step": f"{step}"'), named=("step_as_text",)),
        Edit(
            "None where nothing is said",
            ("about or {}", "about"),
            named=("about_is_none",),
        ),
        Edit(
            "the names that torch's tutorial has",
            ('"weights": model', '"model_state_dict": model'),
            ('"moments": moments', '"optimizer_state_dict": moments'),
            named=("other_names",),
        ),
        Edit(
            "written where it belongs",
            ("state, part)", "state, path)"),
            (REPLACE, ""),
            named=("written_over",),
        ),
        Edit(
            "the other file has the same name",
            (PART, "part = path"),
            named=("written_over",),
        ),
        Edit("the other file stays", (REPLACE, ""), named=("never_renamed",)),
        Edit(
            "the old file is deleted, then the new one written",
            (SAVE, "path.unlink(missing_ok=True)\n    " + SAVE),
            named=("deleted_first",),
        ),
        Edit(
            "the file gets torch's ending",
            ("part.replace(path)", 'part.replace(path.with_suffix(".pt"))'),
            named=("suffix_changed",),
        ),
        Edit(
            "saved in half precision",
            ("model.state_dict()", "{k: v.half() for k, v in model.state_dict().items()}"),
            named=("halves",),
        ),
        Edit(
            "eval mode before it is saved",
            (PART, "model.eval()\n    " + PART),
            named=("left_in_eval",),
        ),
    ],
    "load_checkpoint": [
        Edit("no map_location", ("map_location=device, ", ""), named=("device_as_in_the_file",)),
        Edit(
            "map_location for the GPU",
            (DEVICE, 'device = "cuda:0"'),
            named=("always_on_the_gpu",),
        ),
        Edit(
            "code is allowed",
            ("device, weights_only=True", "device, weights_only=False"),
            named=("runs_code",),
        ),
        Edit("not strict", ('["weights"])', '["weights"], strict=False)'), named=("not_strict",)),
        Edit("assigned", ('["weights"])', '["weights"], assign=True)'), named=("assigned",)),
        Edit("never put into the model", ("    " + FILL + "\n", ""), named=("not_loaded",)),
        Edit(
            "put into the dict that state_dict() returns",
            (FILL, 'model.state_dict().update(state["weights"])'),
            named=("not_loaded",),
        ),
        Edit(
            "copied parameter by parameter, which leaves buffers out",
            (
                FILL,
                "for name, p in model.named_parameters():\n"
                '        p.data.copy_(state["weights"][name])',
            ),
            named=("buffers_left",),
        ),
        Edit(
            "in eval mode afterwards", (FILL, FILL + "\n    model.eval()"), named=("left_in_eval",)
        ),
        Edit("no moments", ('state["moments"], ', "{}, "), named=("no_moments",)),
        Edit(
            "the step first",
            (GIVE, 'return state["step"], state["moments"]'),
            named=("order_swapped",),
        ),
        Edit("the step alone", ('state["moments"], ', ""), named=("returns_step_only",)),
        Edit("the moments alone", (', state["step"]', ""), named=("returns_moments_only",)),
        Edit("nothing comes back", ("    " + GIVE + "\n", ""), named=("returns_nothing",)),
        Edit(
            "the step after the one in the file",
            ('state["step"]', 'state["step"] + 1'),
            named=("one_step_ahead",),
        ),
        Edit("from step 0", (', state["step"]', ", 0"), named=("from_step_0",)),
        Edit(
            "a missing file is a new beginning",
            (DEVICE, "if not path.exists():\n        return {}, 0\n    " + DEVICE),
            named=("starts_anew",),
        ),
        Edit(
            "m and v swapped",
            (
                'state["moments"], ',
                '{name: (v, m) for name, (m, v) in state["moments"].items()}, ',
            ),
            named=("m_and_v_swapped",),
        ),
    ],
}

PAIRS = {
    "cross_entropy": [
        Edit(
            "the sum, and without the minus",
            ("return -of_targets.mean()", "return of_targets.sum()"),
            named=("sum", "sign"),
        ),
        Edit(
            "dim 1, and the sum",
            ("logits, dim=-1)", "logits, dim=1)"),
            (".mean()", ".sum()"),
            named=("softmax_over_positions", "sum"),
        ),
    ],
    "learning_rate": [
        Edit(
            "step 0 has rate 0, and it rises again after total",
            (UP, "return peak * step / warmup"),
            (OVER, ""),
            named=("nothing_at_step_0", "up_again"),
        ),
        Edit(
            "peak instead of peak - floor, and no half",
            ("(peak - floor)", "peak"),
            (" / 2", ""),
            named=("floor_on_top", "half_forgotten"),
        ),
        Edit(
            "step 0 has rate 0, and the decay does not take the warm-up off",
            (UP, "return peak * step / warmup"),
            (DONE, "done = step / total"),
            named=("nothing_at_step_0", "clock_without_warmup"),
        ),
    ],
    "clip_grad_norm": [
        Edit(
            "short gradients are lengthened, and nothing is returned",
            (IF, "    for grad in grads:\n        grad.mul_(max_norm / norm)\n"),
            ("    return norm\n", ""),
            named=("always_scaled", "nothing_returned"),
        ),
        Edit(
            "the sum of the norms, and it returns the norm after clipping",
            (NORM, "norm = sum(grad.float().norm().item() for grad in grads)"),
            ("return norm", "return min(norm, max_norm)"),
            named=("sum_of_norms", "norm_at_most"),
        ),
    ],
    "adamw_step": [
        Edit(
            "no correction of v, and the decay is without the rate",
            ("(v / v_scale).sqrt_()", "v.sqrt()"),
            (DECAY, "param.mul_(1 - weight_decay)"),
            named=("only_m_corrected", "decay_without_lr"),
        ),
        Edit(
            "epsilon inside the root, and decay in the gradient",
            (".sqrt_().add_(eps)", ".add_(eps).sqrt_()"),
            (M, "grad = grad + weight_decay * param\n    " + M),
            (DECAY + "\n    ", ""),
            named=("eps_inside_the_root", "decay_in_the_gradient"),
        ),
        Edit(
            "v of the gradient itself, and no corrections",
            (V, "v.lerp_(grad.abs(), 1 - betas[1])"),
            (SCALES, "m_scale, v_scale = 1, 1"),
            named=("v_of_sizes", "no_correction"),
        ),
        Edit(
            "uphill, and the weights grow",
            ("value=-lr", "value=lr"),
            (DECAY, "param.mul_(1 + lr * weight_decay)"),
            named=("uphill", "decay_adds"),
        ),
    ],
    "train": [
        Edit(
            "gradients are never cleared, and the best weights are no copies",
            (ZERO, ""),
            ("p.detach().clone()", "p.detach()"),
            named=("gradients_pile_up", "last_weights"),
        ),
        Edit(
            "decay for all, and it ends in training mode",
            (WHICH, "decay = weight_decay"),
            ("    model.eval()\n", ""),
            named=("norms_decay", "left_in_train_mode"),
        ),
        Edit(
            "no clipping, and the rate is counted from 1",
            (CLIP, ""),
            (LR, "lr = learning_rate(step + 1, warmup, steps, peak, floor)"),
            named=("not_clipped", "rate_from_step_1"),
        ),
        Edit(
            "the last piece is never drawn, and the last step is not measured",
            ("len(data) - context,", "len(data) - context - 1,"),
            (WHEN, "if (step + 1) % every == 0:"),
            named=("last_piece_never", "not_measured_at_the_end"),
        ),
        Edit(
            "watch counts from 0, and losses are tensors",
            (WATCH, "watch(step, losses[-1], measured)"),
            (APPEND, "losses.append(loss)"),
            named=("watch_counts_from_0", "tensors_returned"),
        ),
    ],
    "save_checkpoint": [
        Edit(
            "no moments, and the parameters only",
            ('"moments": moments', '"moments": {}'),
            ("model.state_dict()", "dict(model.named_parameters())"),
            named=("no_moments", "parameters_only"),
        ),
        Edit(
            "one step ahead, and written over the old file",
            ('"step": step', '"step": step + 1'),
            (PART, "part = path"),
            named=("step_one_ahead", "written_over"),
        ),
    ],
    "load_checkpoint": [
        Edit(
            "not strict, and from step 0",
            ('["weights"])', '["weights"], strict=False)'),
            (', state["step"]', ", 0"),
            named=("not_strict", "from_step_0"),
        ),
        Edit(
            "no map_location, and the moments lost",
            ("map_location=device, ", ""),
            ('state["moments"], ', "{}, "),
            named=("device_as_in_the_file", "no_moments"),
        ),
    ],
}
