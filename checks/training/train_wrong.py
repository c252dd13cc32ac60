"""Lab 09, 9.5: the training loop, and what people write in place of its lines."""

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from checks.engine import Mistake, mistakes_of
from checks.training.parts import (
    adamw_step,
    clip_grad_norm,
    cross_entropy,
    held_out_loss,
    learning_rate,
    make_batch,
)


def train(
    model: nn.Module,
    data: Tensor,
    steps: int,
    held_out: Tensor,
    *,
    batch: int = 8,
    #! other_batch: batch: int = 32,
    #! other_batch: batch: int = 4,
    #! other_batch: batch: int = 64,
    #  The default of batch is not 8.
    context: int = 64,
    peak: float = 3e-3,
    #! other_defaults: peak: float = 1e-3,
    #  The default of peak is 1e-3; it should be 3e-3.
    floor: float = 1e-4,
    warmup: int = 100,
    max_norm: float = 1.0,
    weight_decay: float = 0.1,
    every: int = 100,
    generator: torch.Generator | None = None,
    watch: Callable[[int, float, float | None], None] | None = None,
) -> list[float]:
    parameters = list(model.parameters())
    #: `torch.randint(len(data) - context, (batch,), generator=generator)`, then make_batch.
    #! seeds_torch: …; torch.manual_seed(generator.initial_seed() if generator else 0); generator = None
    #! seeds_torch: …; torch.manual_seed(0); generator = None
    #  It sets torch's global seed: everything after the training becomes predictable.
    #! own_seed: …; generator = torch.Generator().manual_seed(0)
    #! own_seed: …; generator = torch.Generator().manual_seed(42)
    #! own_seed: …; generator = torch.Generator().manual_seed(1337)
    #! own_seed: …; generator = torch.Generator()
    #  It draws with a generator of its own, always with the same seed.
    #! own_seed_without_generator: …; generator = generator or torch.Generator().manual_seed(0)
    #! own_seed_without_generator: …; generator = generator or torch.Generator()
    #  Without a generator it takes one of its own with a fixed seed: all runs are equal.
    #! generator_seeded_again: …; generator and generator.manual_seed(0)
    #  It seeds the generator that it was given: another seed no longer changes what is drawn.
    #! batch_ignored: …; batch = 8
    #  A batch has 8 pieces whatever batch is.
    #! context_ignored: …; context = min(64, len(data) - 1)
    #! context_ignored: …; context = 64
    #  A piece has 64 tokens whatever context is.
    #! context_one_short: …; context = context - 1
    #  The pieces are one token too short.
    #! batch_and_context_swapped: …; batch, context = context, batch
    #  batch and context are swapped.
    #! learns_from_held_out: …; data = held_out
    #  It learns from the held-out text, which is there to measure on.
    #! texts_swapped: …; data, held_out = held_out, data
    #  It learns from the held-out text and measures on the other.
    #: `held_out_loss(model, held_out, context)`
    #! measured_on_the_training_text: …; held_out = data
    #  What is measured is the loss on the training text, not on the held-out one.
    #: `learning_rate(step, warmup, steps, peak, floor)`, with step = 0, 1, …
    #! peak_and_floor_swapped: …; peak, floor = floor, peak
    #  peak and floor are swapped.
    moments = [(torch.zeros_like(p), torch.zeros_like(p)) for p in parameters]
    #: `adamw_step(p, p.grad, m, v, step + 1, lr, …)`, each p with its own m and v for all steps.
    #! one_moment_for_both: moments = [(torch.zeros_like(p),) * 2 for p in parameters]
    #  m and v are the same tensor: `m = v = torch.zeros_like(p)` makes one.
    #! moments_begin_as_ones: moments = [(torch.ones_like(p), torch.ones_like(p)) for p in parameters]
    #! moments_begin_as_ones: moments = [(torch.zeros_like(p), torch.ones_like(p)) for p in parameters]
    #! moments_begin_as_ones: moments = [(torch.ones_like(p), torch.zeros_like(p)) for p in parameters]
    #  m and v begin as ones, or one of them does. They begin as zeros: what AdamW corrects is that.
    #! moments_begin_as_weights: moments = [(p.detach().clone(), torch.zeros_like(p)) for p in parameters]
    #! moments_begin_as_weights: moments = [(p.detach().clone(), p.detach().clone()) for p in parameters]
    #  m and v begin as copies of the weights; they begin as zeros.
    #! moments_by_shape: shapes = {p.shape: (torch.zeros_like(p), torch.zeros_like(p)) for p in parameters}; moments = [shapes[p.shape] for p in parameters]
    #  Parameters of the same shape share m and v: each needs its own.
    #! one_moment_for_all: moments = [(torch.zeros_like(parameters[0]),) * 2] * len(parameters)
    #  All parameters share one m and one v: each needs its own.
    #: `torch.zeros_like(p)` lies where p does.
    #! moments_on_the_cpu: moments = [(torch.zeros(p.shape), torch.zeros(p.shape)) for p in parameters]
    #  m and v are made on the CPU, wherever the model lies.
    #: `model.parameters()` gives each parameter once.
    #! shared_weights_twice: names = [p for _, p in model.named_parameters(remove_duplicate=False)]; zeros = {p: (torch.zeros_like(p), torch.zeros_like(p)) for p in names}; parameters, moments = names, [zeros[p] for p in names]
    #! shared_weights_twice: parameters = [p for _, p in model.named_parameters(remove_duplicate=False)]; moments = [(torch.zeros_like(p), torch.zeros_like(p)) for p in parameters]
    #  A table with two names, tied embeddings, is stepped twice. [rasbt/LLMs-from-scratch#822]
    losses = []
    #! adam_counts_parameters: losses, count = [], 0
    lowest, best = math.inf, None
    #: `lowest = math.inf`
    #! lowest_starts_too_low: lowest, best = 10.0, None
    #  The lowest loss so far starts at a number that a held-out loss can be above: then no weights are ever the best.
    #: `p.detach().clone()` when it is the best so far, `p.copy_(…)` at the end.
    #! begins_as_best: lowest, best = held_out_loss(model, held_out, context), [p.detach().clone() for p in parameters]
    #  It measures before the first step as well, so that the weights of the beginning can win.
    #! first_weights_when_stopped: lowest, best = math.inf, [p.detach().clone() for p in parameters]
    #  Stopped before anything was measured, it goes back to the weights of the beginning: what it had learned is lost.
    #! first_weights_kept: lowest, best = -math.inf, [p.detach().clone() for p in parameters]
    #  The model ends with the weights that it began with.
    model.train()
    #: `model.train()` before the loop.
    #! stays_in_eval_mode: pass
    #  `model.train()` is missing: a model that comes in eval mode stays in it, without dropout.
    #! eval_in_the_steps: model.eval()
    #  The steps run in eval mode, without dropout.
    try:
        for step in range(steps):
            #: `for step in range(steps):`
            #! one_step_short: for step in range(steps - 1):
            #! one_step_short: for step in range(1, steps):
            #  It makes one step too few.
            #! one_step_long: for step in range(steps + 1):
            #  It makes one step too many.
            #! counted_from_one: for step in range(1, steps + 1):
            #  step counts from 1 here, and is used as if it counted from 0.
            starts = torch.randint(len(data) - context, (batch,), generator=generator)
            #: `torch.randint(len(data) - context, (batch,), generator=generator)`, then make_batch.
            #! not_random: starts = (torch.arange(batch) + step * batch) % (len(data) - context)
            #! not_random: starts = (torch.arange(batch) + step) % (len(data) - context)
            #! not_random: starts = torch.arange(batch) % (len(data) - context)
            #! not_random: starts = (torch.arange(batch) * context + step * batch * context) % (len(data) - context)
            #  The pieces are taken in order, not at random.
            #! one_start_for_all: starts = torch.randint(len(data) - context, (1,), generator=generator).expand(batch)
            #  All pieces of a batch are the same one: draw `batch` starts.
            #! one_piece_a_step: starts = torch.randint(len(data) - context, (1,), generator=generator)
            #  A step has one piece only: draw `batch` starts.
            #! first_piece_only: starts = torch.zeros(batch, dtype=torch.long)
            #  It takes the first piece of the text only.
            #! last_piece_never: starts = torch.randint(max(1, len(data) - context - 1), (batch,), generator=generator)
            #! last_piece_never: starts = torch.randint(len(data) - context - 1, (batch,), generator=generator)
            #  The last piece of the text is never drawn: randint's upper end is not included, so it is len(data) − context.
            #! last_two_pieces_never: starts = torch.randint(len(data) - context - 2, (batch,), generator=generator)
            #  The last two pieces of the text are never drawn.
            #! first_piece_never: starts = torch.randint(1, len(data) - context, (batch,), generator=generator)
            #  The first piece of the text is never drawn: starts count from 0.
            #! starts_past_the_end: starts = torch.randint(len(data), (batch,), generator=generator)
            #! starts_past_the_end: starts = torch.randint(len(data) - context + 1, (batch,), generator=generator)
            #! starts_past_the_end: starts = torch.randint(len(data) - 1, (batch,), generator=generator)
            #! starts_past_the_end: starts = torch.randint(0, len(data) - batch, (batch,), generator=generator)
            #  A piece may start so late that it runs over the end of the text: the last one starts at len(data) − context − 1.
            #! sorted_pieces: starts = torch.randperm(len(data) - context, generator=generator)[:batch]
            #  The starts of a batch are all different (randperm), and there may be fewer than `batch`.
            #! tokens_from_anywhere: places = torch.randint(len(data) - 1, (batch, context), generator=generator)
            #! generator_ignored: starts = torch.randint(len(data) - context, (batch,))
            #  The generator is not used: two runs with the same seed differ.
            #! one_batch_for_ever: starts = starts if step else torch.randint(len(data) - context, (batch,), generator=generator)
            #  All steps see the same batch: draw inside the loop.
            inputs, targets = make_batch(data, starts, context)
            #: make_batch gives both; the targets are one step later.
            #! targets_not_shifted: inputs, targets = make_batch(data, starts, context); targets = inputs
            #! targets_not_shifted: inputs, targets = make_batch(data, starts, context); inputs = targets
            #  Inputs and targets are the same: the model learns to repeat what it reads. [the class of huggingface/transformers#48745]
            #: `inputs, targets = make_batch(…)`
            #! backwards_in_time: targets, inputs = make_batch(data, starts, context)
            #  Inputs and targets are swapped: the model learns to predict the token before.
            #: `torch.randint(len(data) - context, (batch,), generator=generator)`, then make_batch.
            #!+ tokens_from_anywhere: inputs, targets = data[places], data[places + 1]
            #  Each token comes from another place: a piece must be neighbouring tokens.
            #: make_batch gives both; the targets are one step later.
            #! targets_two_later: inputs, targets = inputs_and(data, starts, context, 2)
            #  The targets are two steps later: the model learns to predict the token after the next.
            #! one_token_longer: inputs, targets = make_batch(data, starts, context); inputs, targets = inputs[:, :-1], targets[:, :-1]
            #  The pieces that the model reads are one token too short.
            logits = model(inputs)
            #: `cross_entropy(model(inputs), targets)`
            #! double_softmax: logits = model(inputs).softmax(-1)
            #  The model's output goes through a softmax before cross_entropy, which does that itself. [ariecattan/SciCo#2]
            #! log_softmax_before: logits = model(inputs).argmax(-1)
            #  It takes the likeliest token before the loss: cross_entropy wants the logits.
            #: `model.train()` before the loop, and no `torch.no_grad()` around the steps.
            #! detached_logits: logits = model(inputs).detach().requires_grad_()
            #  The logits are cut off from the model: no gradient reaches its weights.
            loss = cross_entropy(logits, targets)
            #: `cross_entropy(model(inputs), targets)`
            #! summed_loss: loss = cross_entropy(logits, targets) * targets.numel()
            #! summed_loss: loss = cross_entropy(logits, targets) * batch
            #! summed_loss: loss = cross_entropy(logits, targets) * context
            #  The loss is the sum over the batch, not its mean. [karpathy/nanoGPT#168]
            #! uphill: loss = -cross_entropy(logits, targets)
            #  The sign of the loss is turned: it goes uphill.
            #: make_batch has shifted them already.
            #! targets_shifted_twice: loss = cross_entropy(logits[:, :-1], targets[:, 1:])
            #  The targets are shifted once more: the model learns to predict the token after the next. [the class of huggingface/transformers#48745]
            #: `cross_entropy(model(inputs), targets)`, all positions.
            #! last_position_only: loss = cross_entropy(logits[:, -1], targets[:, -1])
            #  Only the last position of each piece teaches anything: all other predictions are wasted.
            #! first_position_only: loss = cross_entropy(logits[:, 0], targets[:, 0])
            #  Only the first position of each piece teaches anything.
            #! first_piece_of_the_batch: loss = cross_entropy(logits[0], targets[0])
            #  Only the first piece of the batch teaches anything.
            #! targets_not_shifted: loss = cross_entropy(logits, inputs)
            #: `loss.backward()`
            #! loss_divided: …; loss = loss / batch
            #! loss_divided: …; loss = loss / targets.numel()
            #! loss_divided: …; loss = loss / context
            #! loss_divided: …; loss = loss / steps
            #  The loss is divided by the batch size before backward: it is a mean already. AdamW would not notice, but the gradients are then too
            #  short to be clipped.
            model.zero_grad()
            #: `model.zero_grad()` before `loss.backward()`.
            #! gradients_pile_up: pass
            #! gradients_pile_up: step or model.zero_grad()
            #  The gradients of earlier steps are never forgotten: backward adds to them.
            #! matrices_forget_only: [p.grad.zero_() for p in parameters if p.dim() > 1 and p.grad is not None]
            #  Only the matrices' gradients are forgotten.
            #! zeroed_now_and_then: step % every or model.zero_grad()
            #! zeroed_now_and_then: step % batch or model.zero_grad()
            #  The gradients are forgotten now and then only, and pile up in between.
            #: `model.zero_grad()` right before `loss.backward()`.
            #! gradients_forgotten_late: pass
            #: Forget the old gradients, backward, clip, AdamW: in this order, once a step.
            #! backward_twice: model.zero_grad(); loss.backward(retain_graph=True)
            #  `backward` is called twice: the gradients are doubled.
            loss.backward()
            #: Forget the old gradients, backward, clip, AdamW: in this order, once a step.
            #! gradients_forgotten_too_early: loss.backward(); model.zero_grad()
            #! gradients_forgotten_too_early: loss.backward(); model.zero_grad(set_to_none=False)
            #  The gradients are forgotten between backward and the step: nothing is learned.
            #! not_differentiated: pass
            #  `loss.backward()` is missing: there are no gradients.
            #: `loss.backward()`
            #! loss_divided: (loss / batch).backward()
            #! loss_divided: (loss / batch).backward(); loss = loss / batch
            #! loss_divided: (loss / targets.numel()).backward()
            #! summed_loss: (loss * targets.numel()).backward()
            #! summed_loss: (loss * batch).backward()
            clip_grad_norm([p.grad for p in parameters], max_norm)
            #: `clip_grad_norm([p.grad for p in model.parameters()], max_norm)` after backward.
            #! not_clipped: pass
            #  The gradients that AdamW gets are not clipped: clip after backward, before the step.
            #: `clip_grad_norm([p.grad for p in model.parameters()], max_norm)`
            #! clipped_one_by_one: [clip_grad_norm([p.grad], max_norm) for p in parameters]
            #  Each parameter's gradient is clipped by itself: hand over all of them at once.
            #! weights_clipped: clip_grad_norm([p.data for p in parameters], max_norm)
            #  It is the weights that are clipped; clip their gradients, `p.grad`.
            #! matrices_clipped: clip_grad_norm([p.grad for p in parameters if p.dim() > 1], max_norm)
            #  Only the matrices' gradients are clipped. All together are one vector.
            #! clipped_by_value: [p.grad.clamp_(-max_norm, max_norm) for p in parameters]
            #  Each number of the gradients is clipped by itself: clip_grad_norm is not called.
            #! gradients_forgotten_too_early: clip_grad_norm([p.grad for p in parameters], max_norm); model.zero_grad(set_to_none=False)
            #: Forget the old gradients, backward, clip, AdamW: in this order, once a step.
            #! constant_max_norm: clip_grad_norm([p.grad for p in parameters], 1.0)
            #  The gradients are clipped to 1 whatever max_norm is.
            lr = learning_rate(step, warmup, steps, peak, floor)
            #: `learning_rate(step, warmup, steps, peak, floor)`, with step = 0, 1, …
            #! constant_rate: lr = peak
            #  The learning rate is peak all the time: learning_rate is not called.
            #! constant_floor: lr = floor
            #  The learning rate is floor all the time: learning_rate is not called.
            #! no_warmup: lr = learning_rate(step, 0, steps, peak, floor)
            #  There is no warm-up. [karpathy/nanoGPT#443]
            #! constant_warmup: lr = learning_rate(step, 100, steps, peak, floor)
            #  The warm-up has 100 steps whatever warmup is.
            #! rate_from_step_1: lr = learning_rate(step + 1, warmup, steps, peak, floor)
            #  The learning rate is one step ahead: it counts from 0, unlike adamw_step.
            #! rate_one_behind: lr = learning_rate(max(0, step - 1), warmup, steps, peak, floor)
            #! rate_one_behind: lr = learning_rate(step - 1, warmup, steps, peak, floor)
            #  The learning rate is one step behind.
            #! rate_without_floor: lr = learning_rate(step, warmup, steps, peak, 0.0)
            #  The rate goes down to 0; floor is not used.
            #! rate_of_step_0: lr = learning_rate(0, warmup, steps, peak, floor)
            #  The rate is that of step 0 all the time: it must be asked for in every step.
            #! endless_schedule: lr = learning_rate(step, warmup, 10**6, peak, floor)
            #! endless_schedule: lr = learning_rate(step, warmup, len(data), peak, floor)
            #  The cosine has an end of its own; it should be down at the floor after `steps` steps.
            #! schedule_too_short: lr = learning_rate(step, warmup, steps - warmup, peak, floor)
            #! schedule_too_short: lr = learning_rate(step, warmup, steps - 1, peak, floor)
            #  The schedule ends too early: its total is `steps`, the warm-up included.
            #! schedule_too_long: lr = learning_rate(step, warmup, steps + warmup, peak, floor)
            #! schedule_too_long: lr = learning_rate(step, warmup, steps + 1, peak, floor)
            #  The schedule ends too late: its total is `steps`, the warm-up included.
            #! schedule_by_every: lr = learning_rate(step, warmup, every, peak, floor)
            #! schedule_by_every: lr = learning_rate(step, every, steps, peak, floor)
            #  `every` is no part of the schedule: that is warmup and steps.
            #! steps_and_warmup_swapped: lr = learning_rate(step, steps, warmup, peak, floor)
            #  steps and warmup are swapped.
            #! peak_and_floor_swapped: lr = learning_rate(step, warmup, steps, floor, peak)
            #! rate_counts_pieces: lr = learning_rate(step * batch, warmup, steps, peak, floor)
            #! rate_counts_pieces: lr = learning_rate(step * batch * context, warmup, steps, peak, floor)
            #  The learning rate counts pieces or tokens; it counts steps.
            for p, (m, v) in zip(parameters, moments, strict=True):
                #: `adamw_step(p, p.grad, m, v, step + 1, lr, …)`, each p with its own m and v for all steps.
                #! moments_made_anew: moments = [(torch.zeros_like(p), torch.zeros_like(p)) for p in parameters]; …
                #  m and v are zeros in every step: they remember nothing. Make them before the loop.
                #! last_parameter_only: for p, (m, v) in list(zip(parameters, moments, strict=True))[-1:]:
                #  Only the last parameter is trained.
                #! first_parameter_only: for p, (m, v) in list(zip(parameters, moments, strict=True))[:1]:
                #  Only the first parameter is trained: is there a `break`, or a `return`?
                #! vectors_not_trained: for p, (m, v) in [pair for pair in zip(parameters, moments, strict=True) if pair[0].dim() > 1]:
                #  Only matrices are trained. The norms' weights learn as well; they only do not decay.
                #! matrices_not_trained: for p, (m, v) in [pair for pair in zip(parameters, moments, strict=True) if pair[0].dim() == 1]:
                #  Only parameters with one dimension are trained.
                #! moments_made_anew_after_measuring: if step % every == 0: moments = [(torch.zeros_like(p), torch.zeros_like(p)) for p in parameters]; …
                #! moments_made_anew_after_measuring: if step % every == 0: moments = [(torch.zeros_like(p), torch.zeros_like(p)) for p in parameters]; …
                decay = weight_decay if p.dim() > 1 else 0.0
                #: `weight_decay if p.dim() > 1 else 0.0`
                #! norms_decay: decay = weight_decay
                #  What has one dimension decays as well, such as the norms' weights. These belong near 1; pulled towards 0 they make the residual's layers
                #  quieter and quieter.
                #  [ServiceNow/Fast-LLM#545]
                #! only_norms_decay: decay = 0.0 if p.dim() > 1 else weight_decay
                #  It is the wrong way round: the vectors decay and the matrices do not. [facebookresearch/BalancingGroups#6; workofart/ml-by-hand#88]
                #: `adamw_step(p, p.grad, m, v, step + 1, lr, …)`, each p with its own m and v for all steps.
                #! no_decay: decay = 0.0
                #  Nothing decays: weight_decay is not handed on.
                #! constant_decay: decay = 0.1 if p.dim() > 1 else 0.0
                #  The decay is 0.1 whatever weight_decay is.
                #! constant_decay_for_all: decay = 0.1
                #  Every parameter decays by adamw_step's default: weight_decay is not handed on.
                #! decay_times_rate: decay = lr * weight_decay if p.dim() > 1 else 0.0
                #  The decay is multiplied by lr here, and once more in adamw_step.
                adamw_step(p, p.grad, m, v, step + 1, lr, weight_decay=decay)
                #: `adamw_step(p, p.grad, m, v, step + 1, lr, …)`, each p with its own m and v for all steps.
                #! adam_from_step_0: adamw_step(p, p.grad, m, v, max(step, 1), lr, weight_decay=decay)
                #! adam_from_step_0: adamw_step(p, p.grad, m, v, step, lr, weight_decay=decay)
                #! adam_from_step_0: adamw_step(p, p.grad, m, v, step or 1e-9, lr, weight_decay=decay)
                #  adamw_step is one step behind: its steps count from 1.
                #! adam_one_ahead: adamw_step(p, p.grad, m, v, step + 2, lr, weight_decay=decay)
                #  adamw_step is one step ahead: its first step is 1.
                #! adam_always_step_1: adamw_step(p, p.grad, m, v, 1, lr, weight_decay=decay)
                #  adamw_step is told step 1 every time: it corrects as if m and v were still new.
                #! adam_told_steps: adamw_step(p, p.grad, m, v, steps, lr, weight_decay=decay)
                #  adamw_step is told `steps`, how many there are in all; it is the number of this step.
                #!+ moments_made_anew_after_measuring: adamw_step(p, p.grad, m, v, step % every + 1, lr, weight_decay=decay)
                #  m and v become zeros again after each measurement: they are made once, before the loop.
                #!+ adam_counts_parameters: count += 1; adamw_step(p, p.grad, m, v, count, lr, weight_decay=decay)
                #  adamw_step's step is counted once for each parameter: it counts steps.
                #! one_moment_for_both: adamw_step(p, p.grad, m, m, step + 1, lr, weight_decay=decay)
                #! stepped_twice: adamw_step(p, p.grad, m, v, step + 1, lr, weight_decay=decay); adamw_step(p, p.grad, m, v, step + 1, lr, weight_decay=decay)
                #  adamw_step is called twice in a step.
                #! constant_rate: adamw_step(p, p.grad, m, v, step + 1, peak, weight_decay=decay)
                #! decay_passed_as_betas: adamw_step(p, p.grad, m, v, step + 1, lr, decay)
                #  The decay is handed over in the place of betas: name it, `weight_decay=decay`.
                #! betas_of_the_paper: adamw_step(p, p.grad, m, v, step + 1, lr, betas=(0.9, 0.999), weight_decay=decay)
                #  β₂ is 0.999 there, torch's default; here it is 0.95, the default of adamw_step.
                #! no_decay: adamw_step(p, p.grad, m, v, step + 1, lr, weight_decay=0.0)
                #! constant_decay_for_all: adamw_step(p, p.grad, m, v, step + 1, lr)
                #! plain_gradient_descent: p.data.sub_(lr * (p.grad + decay * p.data))
                #! plain_gradient_descent: p.data.sub_(lr * p.grad)
                #  The parameters follow the gradient itself: adamw_step is not called.
                #! adam_on_a_copy: adamw_step(p.detach().clone(), p.grad, m, v, step + 1, lr, weight_decay=decay)
                #  adamw_step changes a copy of the parameter: the model stays as it was.
            losses.append(loss.item())
            #!+ gradients_forgotten_late: losses.append(loss.item()); model.zero_grad()
            #  The gradients are forgotten at the end of a step, so those that were there before the training count in its first step.
            #: `losses.append(loss.item())`
            #! tensors_returned: losses.append(loss)
            #  The losses are tensors. With their graphs they would fill the memory: `loss.item()`.
            #! rounded: losses.append(round(loss.item(), 2))
            #! rounded: losses.append(round(loss.item(), 3))
            #  The losses are rounded.
            #: `loss.item()` of the loss that was differentiated.
            #! loss_after_the_step: losses.append(cross_entropy(model(inputs), targets).item())
            #! loss_after_the_step:
            #| with torch.no_grad():
            #|     losses.append(cross_entropy(model(inputs), targets).item())
            #  The loss is computed again after the step: twice the work, for another number.
            #! mean_of_losses: losses.append((loss.item() + sum(losses)) / (len(losses) + 1))
            #! mean_of_losses: losses.append(0.9 * losses[-1] + 0.1 * loss.item() if losses else loss.item())
            #  The losses are smoothed; wanted is the loss of each step.
            #! loss_of_the_batch: losses.append(loss.item() * batch)
            #! loss_of_the_batch: losses.append(loss.item() / batch)
            #! loss_of_the_batch: losses.append(loss.item() * targets.numel())
            #! loss_of_the_batch: losses.append(loss.item() / targets.numel())
            #  The losses are multiplied or divided by the batch; they are means already.
            #! perplexities: losses.append(loss.exp().item())
            #  The perplexities are returned; wanted are the losses.
            measured = None
            #: `watch(step + 1, loss, measured)` after each step; measured is None where it was not due.
            #! watch_told_old_losses: measured = measured if step else None
            #  watch is told the last held-out loss again where nothing was measured; wanted is None.
            #! watch_told_zero: measured = 0.0
            #! watch_told_zero: measured = math.inf
            #! watch_told_zero: measured = math.nan
            #  watch is told a number where nothing was measured; wanted is None.
            if (step + 1) % every == 0 or step + 1 == steps:
                #: `if (step + 1) % every == 0 or step + 1 == steps:`
                #! measured_every_step: if True:
                #  The held-out loss is measured after every step; on a long text that takes longer than the steps.
                #! not_measured_at_the_end: if (step + 1) % every == 0:
                #  After the last step nothing is measured, so that the last weights can never be the best.
                #! measured_one_step_early: if step % every == 0 or step + 1 == steps:
                #  It measures after the steps 1, 1 + every, …: step counts from 0 in the loop.
                #! measured_early_and_not_at_the_end: if step % every == 0:
                #! measured_early_and_not_at_the_end: if step and step % every == 0:
                #  It measures one step early or late, since step counts from 0, and not after the last.
                #! measured_late: if step and step % every == 0 or step + 1 == steps:
                #  It measures after the steps every + 1, 2 · every + 1, …: step counts from 0 in the loop.
                #! measured_at_the_end_only: if step + 1 == steps:
                #  It is measured at the end only.
                #! and_instead_of_or: if (step + 1) % every == 0 and step + 1 == steps:
                #  It measures where both are true, a multiple of every and the last step: `or`.
                #! measured_otherwise: if (step + 1) % every or step + 1 == steps:
                #  It measures after all steps but the multiples of every: `== 0` is missing.
                #! never_measured: if False:
                #  Nothing is ever measured.
                measured = held_out_loss(model, held_out, context)
                #: `held_out_loss(model, held_out, context)`
                #! measured_on_the_training_text: measured = held_out_loss(model, data, context)
                #! measured_on_the_training_text: measured = cross_entropy(model(inputs), targets).item()
                #! measured_on_the_training_text: measured = loss.item()
                #: held_out_loss puts the mode back; or call `model.train()` at each step.
                #! eval_after_measuring: measured = held_out_loss(model, held_out, context); model.eval()
                #  After the first measurement the model stays in eval mode.
                #: `held_out_loss(model, held_out, context)`
                #! measured_with_another_context: measured = held_out_loss(model, held_out, batch)
                #! measured_with_another_context: measured = held_out_loss(model, held_out, len(held_out) - 1)
                #! measured_with_another_context: measured = held_out_loss(model, held_out, context - 1)
                #  The held-out text is cut into pieces of another length than context.
                if measured < lowest:
                    #: Copy the weights when the held-out loss is lower than ever; copy them back at the end.
                    #! latest_kept: if True:
                    #  What is kept are the weights of the last measurement, not of the best.
                    #: `if measured < lowest:`
                    #! worst_kept: if best is None or measured > lowest:
                    #  What is kept are the weights with the highest held-out loss.
                    #: Copy the weights when the held-out loss is lower than ever; copy them back at the end.
                    #! best_by_training_text: if losses[-1] < lowest:
                    #! best_by_training_text: if loss.item() == min(losses):
                    #! best_by_training_text: seen = held_out_loss(model, data, context); if seen < lowest:
                    #  The best weights are chosen by the text that is trained on. What counts is text the model has not seen.
                    #: `if measured < lowest: lowest = measured`: only a lower loss becomes the lowest.
                    #! compared_with_the_last: lowest, before = measured, lowest; if measured < before:
                    #  The held-out loss is compared with the last one, not with the lowest of all: `lowest` is overwritten by every measurement.
                    #! first_kept: if best is None:
                    #  What is kept are the weights of the first measurement.
                    #! compared_with_training: if measured < losses[-1]:
                    #  The held-out loss is compared with the training loss, not with the lowest so far.
                    lowest = measured
                    #: Copy the weights when the held-out loss is lower than ever; copy them back at the end.
                    #! latest_kept: pass
                    #!+ best_by_training_text: lowest = seen
                    #! best_by_training_text: lowest = losses[-1]
                    #!+ best_by_training_text: lowest = losses[-1]
                    #! lowest_of_training: lowest = loss.item()
                    #  What is remembered as the lowest is the training loss, not the held-out one.
                    best = [p.detach().clone() for p in parameters]
                    #: `p.detach().clone()` when it is the best so far, `p.copy_(…)` at the end.
                    #! last_weights: best = [p.detach() for p in parameters]
                    #! last_weights: best = list(model.state_dict().values())
                    #  The model ends with the last weights, not with the best ones. Did they come back? Were they copied? Was `measured < lowest`
                    #  ever true? `model.state_dict()` does not copy, and so goes on changing with the model.
                    #! matrices_kept: best = [p.detach().clone() if p.dim() > 1 else p for p in parameters]
                    #  Only the matrices of the best measurement come back.
            if watch:
                #: `if watch:`
                #! watch_must_be_there: if True:
                #  It calls watch even if that is None.
                #: `watch(step + 1, loss, measured)` after each step; measured is None where it was not due.
                #! watch_only_when_measured: if watch and measured is not None:
                #! watch_only_when_measured: if watch and (step + 1) % every == 0:
                #  watch is called only when something was measured; it wants to know of every step.
                #! watch_never_called: if False:
                #  watch is never called: no curve, no progress.
                watch(step + 1, losses[-1], measured)
                #: `watch(step + 1, loss, measured)` after each step; measured is None where it was not due.
                #! watch_counts_from_0: watch(step, losses[-1], measured)
                #  watch is told the step's index; wanted is the number of steps done, from 1 on.
                #! watch_told_a_tensor: watch(step + 1, loss, measured)
                #  watch is told a tensor as the step's loss; wanted is a float: `loss.item()`.
                #! watch_told_the_lowest: watch(step + 1, losses[-1], lowest)
                #! watch_told_the_lowest: watch(step + 1, losses[-1], None if lowest == math.inf else lowest)
                #! watch_told_the_lowest: watch(step + 1, losses[-1], None if measured is None else lowest)
                #  watch is told the lowest held-out loss so far; wanted is the one of this step, or None.
                #! watch_told_the_mean: watch(step + 1, sum(losses) / len(losses), measured)
                #  watch is told the mean of all losses so far, not the step's.
                #! watch_told_the_list: watch(step + 1, losses, measured)
                #  watch is told the list of all losses, not the step's.
                #! watch_told_in_another_order: watch(step + 1, measured, losses[-1])
                #  watch is told the held-out loss before the step's loss: the other way round.
                #! watch_told_the_rate: watch(step + 1, lr, measured)
                #  watch is told the learning rate in place of the loss.
                #! watch_told_the_total: watch(steps, losses[-1], measured)
                #  watch is told `steps`, how many there will be; wanted is how many are done.
                #! watch_told_the_first: watch(step + 1, losses[0], measured)
                #  watch is told the first step's loss.
                #! watch_told_nothing_measured: watch(step + 1, losses[-1], None)
                #  watch is never told a held-out loss.
    except KeyboardInterrupt:
        #: `except KeyboardInterrupt:`
        #! every_error_caught: except BaseException:
        #  Every error ends the training in silence, also a crash of the model: a bare `except:`, or a `return` in a `finally`.
        #: `try:` around the loop, `except KeyboardInterrupt: pass`, and the rest goes on below.
        #! other_errors_caught: except Exception:
        #  It catches another error than KeyboardInterrupt (which is no Exception): an interrupt comes out, and a crash of the model does not.
        #! interrupt_not_caught: except ZeroDivisionError:
        pass
        #: `try:` around the loop, `except KeyboardInterrupt: pass`, and the rest goes on below.
        #! interrupt_not_caught: raise
        #  A KeyboardInterrupt ends train with nothing returned and the best weights lost.
        #! interrupt_leaves_at_once: return losses
        #  An interrupt returns at once: the best weights do not come back, and the mode is left.
        #! interrupt_forgets_best: best = None
        #  After an interrupt the best weights do not come back.
        #! interrupt_forgets_losses: losses = []
        #  After an interrupt the losses so far are not returned.
        #! interrupt_returns_nothing: losses = None
        #! interrupt_returns_nothing: return None
        #  After an interrupt nothing is returned; wanted are the losses so far.
    if best:
        #: `if best:`, and without any measurement the model keeps the weights it has.
        #! no_best_yet: if True:
        #! no_best_yet: if len(best):
        #! no_best_yet: if best is None: model.load_state_dict(best); …
        #  Interrupted before anything was measured, there are no best weights, and it stops with an error: the model keeps the weights that it has.
        #: `try:` around the loop, `except KeyboardInterrupt: pass`, and the rest goes on below.
        #! interrupt_forgets_best: if best and len(losses) == steps:
        with torch.no_grad():
            for p, kept in zip(parameters, best, strict=True):
                p.copy_(kept)
                #: `p.detach().clone()` when it is the best so far, `p.copy_(…)` at the end.
                #! last_weights: pass
                #: `p.copy_(kept)` under `torch.no_grad()`, or `model.load_state_dict(best)`.
                #! parameters_replaced: name = next(n for n, q in model.named_parameters() if q is p); setattr(model, name, nn.Parameter(kept))
                #  The best weights come back as new parameters: an optimizer, or a tied table, still holds the old ones.
    model.eval()
    #: `model.eval()` at the end.
    #! left_in_train_mode: pass
    #  The model is left in train mode.
    #: `requires_grad` stays as it is.
    #! gradients_switched_off: model.eval().requires_grad_(False)
    #  The parameters do not require gradients any more: it cannot be trained further.
    return losses
    #: `return losses`
    #! last_loss_returned: return losses[-1] if losses else math.nan
    #  It returns the last loss only; wanted is the list of all.
    #! lowest_returned: return [lowest]
    #! lowest_returned: return lowest
    #  It returns the lowest held-out loss; wanted is the list of the steps' losses.
    #! mean_returned: return sum(losses) / len(losses)
    #  It returns the mean of the losses; wanted is the list of all.
    #! nothing_returned: pass
    #  It returns nothing; wanted is the list of the losses.
    #! losses_as_a_tensor: return torch.tensor(losses)
    #  It returns the losses as a tensor; wanted is a list of floats.


def inputs_and(data: Tensor, starts: Tensor, context: int, later: int) -> tuple[Tensor, Tensor]:
    """Inputs, and targets `later` steps later (at the end of the text, the first tokens again)."""
    positions = starts[:, None] + torch.arange(context)
    return data[positions], data[(positions + later) % len(data)]


def skipping(caught: type[BaseException]) -> Callable[..., list[float]]:
    """The loop with its `try` inside: what is caught only skips a step."""

    def wrong(model: nn.Module, data: Tensor, steps: int, held_out: Tensor, **how: Any) -> list:
        how = DEFAULTS | how
        context, every, watch = how["context"], how["every"], how["watch"]
        moments = [(p, torch.zeros_like(p), torch.zeros_like(p)) for p in model.parameters()]
        losses, lowest, best = [], math.inf, None
        model.train()
        for step in range(steps):
            try:
                starts = torch.randint(
                    len(data) - context, (how["batch"],), generator=how["generator"]
                )
                inputs, targets = make_batch(data, starts, context)
                loss = cross_entropy(model(inputs), targets)
                model.zero_grad()
                loss.backward()
                clip_grad_norm([p.grad for p, _, _ in moments], how["max_norm"])
                lr = learning_rate(step, how["warmup"], steps, how["peak"], how["floor"])
                for p, m, v in moments:
                    decay = how["weight_decay"] * (p.dim() > 1)
                    adamw_step(p, p.grad, m, v, step + 1, lr, weight_decay=decay)
                losses.append(loss.item())
                measured = None
                if (step + 1) % every == 0 or step + 1 == steps:
                    measured = held_out_loss(model, held_out, context)
                    if measured < lowest:
                        lowest, best = measured, [p.detach().clone() for p, _, _ in moments]
                if watch:
                    watch(step + 1, losses[-1], measured)
            except caught:
                continue
        for (p, _, _), kept in zip(moments, best or (), strict=False):
            p.data.copy_(kept)
        model.eval()
        return losses

    return wrong


DEFAULTS: dict[str, Any] = {
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

MISTAKES: list[Mistake] = [
    *mistakes_of(train),
    Mistake(
        "interrupt_skips_a_step",
        skipping(KeyboardInterrupt),
        "An interrupt only skips a step, and the training goes on: the `try` is inside the loop.",
        "`try:` around the loop, `except KeyboardInterrupt: pass`, and the rest goes on below.",
        also=(skipping(BaseException),),
    ),
]
