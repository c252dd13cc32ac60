"""Lab 09, 9.1: cross_entropy, and what people write in place of its lines.

Sources are the public issues in which somebody really made the mistake.
"""

import math

import torch
from torch import Tensor
from torch.nn import functional as F

from checks.engine import Mistake, mistakes_of


def cross_entropy(logits: Tensor, targets: Tensor) -> Tensor:
    z = logits.double() if logits.dtype == torch.float64 else logits.float()
    V, hot = logits.shape[-1], F.one_hot(targets, logits.shape[-1])
    #: `logits.float()` first, then log_softmax: a logarithm of 16 bits gives p off by a percent.
    #! half_log_p: z = logits
    #! half_log_p: …; z = torch.log_softmax(logits, dim=-1).float()
    #  In half precision the log-softmax is rounded to 16 bits, and its gradient, made of that, is off by several percent.
    #: Make a new tensor: `logits = logits - …`.
    #! logits_changed: logits -= logits.max(-1, keepdim=True).values; …
    #  It changes the caller's logits in place.
    #: `logits.float()` for half precision, and what comes in for the rest.
    #! float16_inside: z = logits.half().float()
    #! float16_inside: z = logits.bfloat16().float()
    #  It computes with 16 bits whatever comes in: three digits are left.
    log_p = torch.log_softmax(z, dim=-1)
    #: log_softmax wants the logits themselves.
    #! double_softmax: log_p = torch.log_softmax(z.softmax(-1), dim=-1)
    #  It takes the softmax of a softmax. However sure the model is, its probabilities are then at most e times apart, and the loss never comes near
    #  0. [ariecattan/SciCo#2]
    #: `torch.log_softmax(logits, dim=-1)` computes x − max − ln Σ exp(x − max), without ever taking exp of a large number or ln of 0.
    #! log_of_softmax: log_p = z.softmax(-1).log()
    #! log_of_softmax: return -(hot * z.softmax(-1).log()).sum(-1).mean().to(logits.dtype)
    #  For logits of 10000 the softmax rounds small probabilities to 0, and ln 0 is −inf.
    #! exp_overflows: log_p = z - z.exp().sum(-1, keepdim=True).log()
    #! exp_overflows: log_p = (z.exp() / z.exp().sum(-1, keepdim=True)).log()
    #  exp(500) is too large for float32: the sum is inf.
    #! one_maximum_for_all: above = z - z.max(); log_p = above - above.exp().sum(-1, keepdim=True).log()
    #  It subtracts the largest logit of all tokens. A token whose own logits are all far below it gets exp(…) = 0 everywhere, and ln 0. Each row
    #  needs its own maximum.
    #! log_sum_forgotten: log_p = z - z.max(-1, keepdim=True).values
    #! log_sum_forgotten: log_p = z - z.max(-1, keepdim=True).values.detach()
    #  It subtracts the maximum, and then forgets ln Σ exp of what is left: these are no logarithms of probabilities yet.
    #! log_of_the_sum_forgotten: log_p = z - z.exp().sum(-1, keepdim=True)
    #! log_of_the_sum_forgotten: above = z - z.max(-1, keepdim=True).values; log_p = above - above.exp().sum(-1, keepdim=True)
    #  It subtracts the sum of the exponentials; what is subtracted is the logarithm of that sum.
    #! no_exponential: log_p = z - z.sum(-1, keepdim=True).log()
    #! no_exponential: log_p = (z / z.sum(-1, keepdim=True)).log()
    #  The logits are added up as they are: there is no exp in it.
    #! sum_over_all_tokens: log_p = z - z.flatten().logsumexp(0)
    #  One softmax runs over all numbers of all tokens. Each token has probabilities of its own.
    #! clamped: log_p = z.softmax(-1).clamp(min=1e-9).log()
    #! clamped: log_p = z.softmax(-1).clamp(min=1e-12).log()
    #! clamped: log_p = z.softmax(-1).clamp(min=1e-10).log()
    #! clamped: log_p = z.softmax(-1).clamp(min=1e-8).log()
    #! clamped: log_p = z.softmax(-1).clamp(min=1e-7).log()
    #! clamped: log_p = z.softmax(-1).clamp(min=1e-6).log()
    #! clamped: log_p = z.softmax(-1).clamp(min=1e-5).log()
    #! clamped: log_p = torch.log_softmax(z, dim=-1).clamp(min=-100)
    #  Probabilities are cut off from below, so that a large loss cannot be seen and gives no gradient: the worst predictions teach nothing.
    #! epsilon_in_the_log: log_p = (z.softmax(-1) + 1e-6).log()
    #! epsilon_in_the_log: log_p = (z.softmax(-1) + 1e-12).log()
    #! epsilon_in_the_log: log_p = (z.softmax(-1) + 1e-10).log()
    #! epsilon_in_the_log: log_p = (z.softmax(-1) + 1e-9).log()
    #! epsilon_in_the_log: log_p = (z.softmax(-1) + 1e-8).log()
    #! epsilon_in_the_log: log_p = (z.softmax(-1) + 1e-7).log()
    #! epsilon_in_the_log: log_p = (z.softmax(-1) + 1e-5).log()
    #! epsilon_in_the_log: log_p = (z.softmax(-1) + 1e-4).log()
    #  ln(p + something) is never large (with 1e-6 it ends at 13.8): the worst predictions look better than they are.
    #! epsilon_in_the_sum: above = z - z.max(-1, keepdim=True).values; log_p = above - (above.exp().sum(-1, keepdim=True) + 1e-4).log()
    #! epsilon_in_the_sum: above = z - z.max(-1, keepdim=True).values.detach(); log_p = above - (above.exp().sum(-1, keepdim=True) + 1e-4).log()
    #! epsilon_in_the_sum: above = z - z.max(-1, keepdim=True).values.detach(); log_p = above - (above.exp().sum(-1, keepdim=True) + 1e-3).log()
    #  Something is added to the sum of the exponentials, which is never 0 after the maximum has been subtracted.
    #! logits_not_normalised: log_p = z
    #  It takes the target's logit itself, without the softmax: the loss falls without end when all logits grow.
    #! logarithm_of_the_logits: log_p = z.log()
    #  It takes the logarithm of the logits: there is no softmax.
    #! probability: log_p = z.softmax(-1)
    #  It is −p, without the logarithm. A token that gets 0.0001 is then hardly worse than one that gets 0.01.
    #! one_minus_probability: log_p = z.softmax(-1) - 1
    #  It is 1 − p, without the logarithm.
    #! sigmoid: log_p = F.logsigmoid(z)
    #! sigmoid: log_p = z.sigmoid().log()
    #  It takes a sigmoid of the target's logit. The softmax compares all V.
    #: Over the vocabulary: `dim=-1`.
    #! softmax_over_positions: log_p = torch.log_softmax(z, dim=-2)
    #! softmax_over_positions: log_p = torch.log_softmax(z, dim=1)
    #! softmax_over_positions: log_p = z.softmax(1).log()
    #! softmax_over_positions: log_p = z - z.logsumexp(1, keepdim=True)
    #  The softmax goes over the positions; probabilities are over the vocabulary, dimension −1.
    #! softmax_over_the_batch: log_p = torch.log_softmax(z, dim=0)
    #! softmax_over_the_batch: log_p = z.softmax(0).log()
    #  The softmax goes over the batch, dimension 0; probabilities are over the vocabulary, dimension −1.
    #! bits: log_p = torch.log_softmax(z, dim=-1) / math.log(2)
    #! bits: log_p = z.softmax(-1).log2()
    #  It is in bits, ln p / ln 2; wanted is the natural logarithm.
    #! common_logarithm: log_p = torch.log_softmax(z, dim=-1) / math.log(10)
    #! common_logarithm: log_p = z.softmax(-1).log10()
    #  It is the logarithm to the base 10; wanted is the natural one.
    #: The sum of the exponentials belongs to the graph: no `.detach()` on it.
    #! detached_normaliser: log_p = z - z.logsumexp(-1, keepdim=True).detach()
    #  The value is right and the gradient is not: the normaliser was detached, so all logits of targets are pushed up and none down.
    #: `torch.log_softmax(logits, dim=-1)` computes x − max − ln Σ exp(x − max), without ever taking exp of a large number or ln of 0.
    #! binary: return F.binary_cross_entropy_with_logits(z, hot.to(z.dtype)).to(logits.dtype)
    #! binary: return F.binary_cross_entropy_with_logits(z, hot.to(z.dtype), reduction="none").sum(-1).mean().to(logits.dtype)
    #  It asks V questions with yes or no, sigmoids, and not one with V answers.
    #! squared_error: return (z.softmax(-1) - hot).square().sum(-1).mean().to(logits.dtype)
    #! squared_error: return (z.softmax(-1) - hot).square().mean().to(logits.dtype)
    #  It is the squared error of the probabilities.
    picked = log_p.gather(-1, targets[..., None]).squeeze(-1)
    #: `log_p.gather(-1, targets[..., None])` takes from each row the entry of its target.
    #! mean_over_vocabulary: picked = log_p * hot
    #  It takes the mean over all V entries of each row, of which one is not zero: the loss is V times too small.
    #! largest_instead_of_target: picked = log_p.max(-1).values
    #  It takes the likeliest token instead of the target: the model becomes sure, of anything.
    #! all_instead_of_target: picked = log_p
    #! all_instead_of_target: picked = log_p.sum(-1)
    #  The targets are not used: all V numbers of a token count.
    #! targets_of_all_tokens: picked = log_p[..., targets]
    #  Each token is asked for the targets of all tokens. It has one of its own.
    #! viewed_instead_of_transposed: picked = log_p.reshape(len(z), V, -1).gather(1, targets[:, None])
    #  (B, T, V) is cut into (B, V, T) by a view or reshape, which mixes the numbers of different tokens. Only a transpose exchanges dimensions.
    #! first_of_the_row: picked = log_p[..., 0]
    #  It takes the first of the V numbers, whatever the target is.
    #! target_off_by_one: picked = log_p.gather(-1, (targets - 1).clamp(min=0)[..., None]).squeeze(-1)
    #! target_off_by_one: picked = log_p.roll(1, -1).gather(-1, targets[..., None]).squeeze(-1)
    #  It takes the entry before that of the target. Ids count from 0.
    #: F.cross_entropy takes (B, V, T) as it is, or (B · T, V) from `logits.flatten(0, 1)`.
    #! transposed_and_reshaped: picked = (log_p.mT if z.dim() > 2 else log_p).reshape(-1, V).gather(-1, targets.flatten()[:, None])
    #! transposed_and_reshaped: picked = log_p.transpose(1, -1).reshape(-1, V).gather(-1, targets.flatten()[:, None])
    #! transposed_and_reshaped: picked = (z.mT if z.dim() > 2 else z).reshape(-1, V).log_softmax(-1).gather(-1, targets.flatten()[:, None])
    #! transposed_and_reshaped: picked = z.transpose(1, -1).reshape(-1, V).log_softmax(-1).gather(-1, targets.flatten()[:, None])
    #! transposed_and_reshaped: picked = log_p.gather(-1, targets.mT[..., None] if targets.shape[0] == targets.shape[-1] else targets[..., None])
    #! transposed_and_reshaped: picked = log_p.flatten(0, -2).gather(-1, targets.mT.flatten()[:, None] if targets.dim() > 1 else targets[:, None])
    #  The logits were transposed to (B, V, T) and then cut into rows of V (or the targets to (T, B)): a row meets the targets of different tokens.
    #: Compare logits[:, t] with targets[:, t].
    #! shifted_again: picked = log_p[..., :-1, :].gather(-1, targets[..., 1:, None])
    #! shifted_again: some = targets.shape[-1] > 1; picked = log_p[..., :-1, :].gather(-1, targets[..., 1:, None]) if some else log_p.gather(-1, targets[..., None])
    #  The targets are shifted once more. make_batch has done that: targets[t] is what follows inputs[t]. So the model learns to predict the character
    #  after the next. [the class of huggingface/transformers#48745]
    #: `.mean()` over everything: every token counts the same.
    #! first_token_only: picked = log_p.flatten(0, -2)[0, targets.flatten()[0]]
    #  Only the first token of all counts.
    #! last_token_only: …; picked = picked[..., -1]
    #! last_token_only: …; picked = picked[:, -1]
    #! last_token_only: …; picked = picked[-1]
    #  Only the last token of each sentence counts.
    #! ignores_token_0: …; picked = picked[targets != 0] if (targets != 0).any() else 0 * z.sum()
    #! ignores_token_0: …; picked = picked * (targets != 0)
    #  Targets with the id 0 are left out. Here 0 is an ordinary token: the line break.
    #: `logits.flatten(0, -2)`, or gather, which does not mind.
    #! only_three_dimensions: B, T, V = logits.shape; picked = log_p.view(B * T, V).gather(-1, targets.view(B * T, 1))
    #! only_three_dimensions: picked = log_p[torch.arange(z.shape[0])[:, None], torch.arange(z.shape[1]), targets]
    #! only_three_dimensions: picked = log_p.gather(2, targets.unsqueeze(2))
    #  It works on (B, T, V) only. Any leading dimensions should do.
    #: The whole target counts: no smoothing.
    #! label_smoothing: …; picked = 0.9 * picked + 0.1 * log_p.mean(-1)
    #! label_smoothing: …; picked = 0.9 * picked + 0.1 / (V - 1) * (log_p.sum(-1) - picked)
    #  A tenth of the target is spread over all tokens (label smoothing): the loss cannot reach 0.
    loss = -picked
    #: `-log_p`: a loss is positive.
    #! sign: loss = picked
    #  The sign is missing: ln p is negative.
    #! focal: loss = -((1 - picked.exp()) ** 2) * picked
    #  Sure tokens count less, by (1 − p)² (a focal loss). Here every token counts the same.
    #! weighted_by_probability: loss = -picked * picked.exp()
    #! weighted_by_probability: return -(z.softmax(-1) * log_p).sum(-1).mean().to(logits.dtype)
    #  Each ln p is multiplied by p (as in the entropy). Only the target's ln p counts, once.
    mean = loss.mean()
    #: `.mean()` over everything: every token counts the same.
    #! not_averaged: mean = loss
    #! not_averaged: mean = loss[..., None]
    #  It returns the loss of each token; the mean over all of them is missing.
    #! sum: mean = loss.sum()
    #  It is the sum, not the mean: with a batch twice as large, loss and gradient are twice as large. [karpathy/nanoGPT#168]
    #! sum_over_the_sentence: mean = loss.sum(-1).mean() if loss.dim() else loss
    #! sum_over_the_sentence: mean = loss.sum() / len(logits)
    #! sum_over_the_sentence: mean = loss.sum(1).mean()
    #  It adds up the tokens of a sentence and takes the mean over the sentences.
    #! mean_over_the_sentence: mean = loss.mean(-1).sum()
    #  It takes the mean over the tokens of a sentence and adds up the sentences.
    #! mean_over_one_dimension: mean = loss.mean(0)
    #! mean_over_one_dimension: mean = loss[..., None].mean(0)
    #! mean_over_one_dimension: mean = loss.mean(-1)
    #! mean_over_one_dimension: mean = loss[..., None].mean(-1)
    #! mean_over_one_dimension: mean = loss.mean(1)
    #! mean_over_one_dimension: mean = loss.mean(dim=-1, keepdim=True)
    #! mean_over_one_dimension: mean = loss[..., None].mean(1)
    #  The mean runs over one dimension only, and several numbers come out.
    #! dimension_left: mean = loss.mean().unsqueeze(0)
    #  One number comes out, but with a dimension around it, (1,). A scalar has none.
    #! divided_by_the_vocabulary: mean = loss.sum() / V
    #! divided_by_the_vocabulary: mean = loss.mean() / V
    #  It divides by V, the number of characters, and not by the number of tokens.
    #! divided_by_one_too_many: mean = loss.sum() / (loss.numel() + 1)
    #  It divides by one token too many.
    #! divided_by_one_too_few: mean = loss.sum() / max(1, loss.numel() - 1)
    #! divided_by_one_too_few: mean = loss.sum() / (loss.numel() - 1)
    #  It divides by one token too few.
    #! divided_twice: mean = loss.mean() / loss.numel()
    #! divided_twice: mean = loss.mean() / len(logits)
    #  It takes the mean and divides by a number of tokens once more.
    #! largest_loss: mean = loss.max()
    #  It is the largest loss of a token, not the mean.
    #! median: mean = loss.median()
    #  It is the median of the losses, not their mean.
    #: First ln, then the mean.
    #! log_of_the_mean: mean = -loss.neg().exp().mean().log()
    #  It is the logarithm of the mean probability; wanted is the mean of the logarithms.
    #: Without `exp`: that comes afterwards, where somebody asks for it.
    #! reciprocal_perplexity: mean = loss.mean().exp()
    #! reciprocal_perplexity: mean = loss.exp().mean()
    #  It is the perplexity, exp of the loss.
    return mean.to(logits.dtype)
    #: `.to(logits.dtype)` at the end, and float32 in between for half precision only.
    #! always_float32: return mean.float()
    #  The result is float32, for float64 logits too.
    #! not_cast_back: return mean
    #  Half precision comes in and float32 comes out: the result goes back to the logits' dtype.
    #! always_float64: return mean.double()
    #  The result is float64 whatever the logits are.
    #: No `.item()` and no `torch.tensor(…)` on the way.
    #! detached: return torch.tensor(mean.item(), dtype=logits.dtype)
    #! detached: return mean.detach().to(logits.dtype)
    #! detached: return mean.detach().to(logits.dtype).requires_grad_()
    #  It returns a fresh tensor: the way back to the logits is cut, and nothing can learn.
    #! python_float: return mean.item()
    #  It returns a plain number, which has no gradient: `.item()` and `float(…)` cut the way back.
    #! no_return: mean.to(logits.dtype)
    #  The loss is computed and then forgotten: there is no `return`.
    #: `torch.zeros(…, device=logits.device)`, or do without a loop.
    #! not_on_the_device: return torch.zeros(loss.shape, dtype=loss.dtype).copy_(loss).mean().to(logits.dtype)
    #! not_on_the_device: return log_p.flatten(0, -2)[torch.arange(targets.numel()), targets.flatten()].neg().mean().to(logits.dtype) + 0 * torch.zeros(1).sum()
    #  A tensor made inside lies on the CPU, wherever the logits are.


MISTAKES: list[Mistake] = mistakes_of(cross_entropy)
