"""Lab 09, 9.5: what people write for the training loop."""

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from checks.engine import Mistake
from checks.reference import training as right
from checks.reference.training import Training, train_with


def loop(**methods: Callable) -> Callable[..., list[float]]:
    """`train` with methods of the loop replaced."""
    return train_with(type("Wrong", (Training,), methods))


def _settings(**changes: Any) -> Callable[..., list[float]]:
    def begin(self: Training) -> None:
        self.__dict__.update(changes)
        Training.begin(self)

    return loop(begin=begin)


def _loss_after(self: Training, step: int) -> float:
    inputs, targets = self.draw()
    self.zero()
    loss = self.loss(inputs, targets)
    loss.backward()
    self.clip()
    self.update(step)
    with torch.no_grad():
        return self.loss(inputs, targets).item()


def _share(self: Training, step: int) -> float:
    inputs, targets = self.draw()
    self.zero()
    loss = self.loss(inputs, targets)
    (loss / self.batch).backward()
    self.clip()
    self.update(step)
    return loss.item()


def _zero_late(self: Training, step: int) -> float:
    inputs, targets = self.draw()
    loss = self.loss(inputs, targets)
    loss.backward()
    self.clip()
    self.update(step)
    self.model.zero_grad()
    return loss.item()


def _zero_before_update(self: Training, step: int) -> float:
    inputs, targets = self.draw()
    loss = self.loss(inputs, targets)
    loss.backward()
    for p in self.parameters:
        p.grad = torch.zeros_like(p)
    self.update(step)
    return loss.item()


def _summed(self: Training, inputs: Tensor, targets: Tensor) -> Tensor:
    return Training.loss(self, inputs, targets) * targets.numel()


def _double_softmax(self: Training, inputs: Tensor, targets: Tensor) -> Tensor:
    p = self.model(inputs).softmax(-1)
    return nn.functional.cross_entropy(p.flatten(0, 1), targets.flatten())


def _unshifted(self: Training) -> tuple[Tensor, Tensor]:
    inputs, _ = Training.draw(self)
    return inputs, inputs


def _shifted_twice(self: Training, inputs: Tensor, targets: Tensor) -> Tensor:
    logits = self.model(inputs)[:, :-1]
    return nn.functional.cross_entropy(logits.flatten(0, 1), targets[:, 1:].flatten())


def _last_position(self: Training, inputs: Tensor, targets: Tensor) -> Tensor:
    return nn.functional.cross_entropy(self.model(inputs)[:, -1], targets[:, -1])


def _swapped(self: Training) -> tuple[Tensor, Tensor]:
    inputs, targets = Training.draw(self)
    return targets, inputs


def _pieces(self: Training, starts: Tensor) -> tuple[Tensor, Tensor]:
    return right.make_batch(self.data, starts, self.context)


def _always_the_same(self: Training) -> tuple[Tensor, Tensor]:
    if not hasattr(self, "once"):
        self.once = Training.draw(self)
    return self.once


def _from_the_front(self: Training) -> tuple[Tensor, Tensor]:
    room = len(self.data) - self.context
    return _pieces(self, (torch.arange(self.batch) + len(self.losses) * self.batch) % room)


def _one_start(self: Training) -> tuple[Tensor, Tensor]:
    start = torch.randint(len(self.data) - self.context, (1,), generator=self.generator)
    return _pieces(self, start.expand(self.batch))


def _never_the_last(self: Training) -> tuple[Tensor, Tensor]:
    room = max(1, len(self.data) - self.context - 1)
    return _pieces(self, torch.randint(room, (self.batch,), generator=self.generator))


def _global_random(self: Training) -> tuple[Tensor, Tensor]:
    return _pieces(self, torch.randint(len(self.data) - self.context, (self.batch,)))


def _seeds_globally(self: Training) -> None:
    torch.manual_seed(self.generator.initial_seed() if self.generator else 0)
    self.generator = None
    self.model.train()


def _own_generator(self: Training) -> None:
    self.generator = torch.Generator().manual_seed(0)
    self.model.train()


def _own_if_none(self: Training) -> None:
    self.generator = self.generator or torch.Generator().manual_seed(0)
    self.model.train()


def _single_tokens(self: Training) -> tuple[Tensor, Tensor]:
    places = torch.randint(len(self.data) - 1, (self.batch, self.context), generator=self.generator)
    return self.data[places], self.data[places + 1]


def _one_rate(step_of: Callable[[Training, int], float]) -> Callable[..., list[float]]:
    return loop(rate=step_of)


def _fresh_moments(self: Training, step: int) -> None:
    self.moments = [(torch.zeros_like(p), torch.zeros_like(p)) for p in self.parameters]
    Training.update(self, step)


def _shared_moments(self: Training, step: int) -> None:
    for p, (m, _) in zip(self.parameters, self.moments, strict=True):
        right.quick_step(p, p.grad, m, m, step + 1, self.rate(step), weight_decay=self.decay(p))


def _step_always(count: Callable[[int], int]) -> Callable[..., list[float]]:
    def update(self: Training, step: int) -> None:
        for p, (m, v) in zip(self.parameters, self.moments, strict=True):
            how = {"weight_decay": self.decay(p)}
            right.quick_step(p, p.grad, m, v, count(step), self.rate(step), **how)

    return loop(update=update)


def _by_shape(self: Training, step: int) -> None:
    if not hasattr(self, "of_shape"):
        self.of_shape = {
            p.shape: (torch.zeros_like(p), torch.zeros_like(p)) for p in self.parameters
        }
    for p in self.parameters:
        how = {"weight_decay": self.decay(p)}
        right.quick_step(p, p.grad, *self.of_shape[p.shape], step + 1, self.rate(step), **how)


def _sgd(self: Training, step: int) -> None:
    with torch.no_grad():
        for p in self.parameters:
            p.sub_(self.rate(step) * (p.grad + self.decay(p) * p))


def _betas(self: Training, step: int) -> None:
    for p, (m, v) in zip(self.parameters, self.moments, strict=True):
        how = {"weight_decay": self.decay(p), "betas": (0.9, 0.999)}
        right.quick_step(p, p.grad, m, v, step + 1, self.rate(step), **how)


def _matrices_only(self: Training, step: int) -> None:
    for p, (m, v) in zip(self.parameters, self.moments, strict=True):
        if p.dim() > 1:
            how = {"weight_decay": self.decay(p)}
            right.quick_step(p, p.grad, m, v, step + 1, self.rate(step), **how)


def _both_names(self: Training, step: int) -> None:
    for p, (m, v) in zip(self.parameters, self.moments, strict=True):
        names = [n for n, q in self.model.named_parameters(remove_duplicate=False) if q is p]
        for _ in names:
            how = {"weight_decay": self.decay(p)}
            right.quick_step(p, p.grad, m, v, step + 1, self.rate(step), **how)


def _clip_each(self: Training) -> None:
    for p in self.parameters:
        right.quick_clip([p], self.max_norm)


def _last_measured(self: Training, step: int) -> float | None:
    now = Training.measure(self, step)
    if now is not None:
        self.best = self.copy()
    return now


def _highest(self: Training, step: int) -> float | None:
    if not self.due(step):
        return None
    now = right.held_out_loss(self.model, self.held_out, self.context)
    if self.best is None or now > self.lowest:
        self.lowest, self.best = now, self.copy()
    return now


def _best_by_training_loss(self: Training, step: int) -> float | None:
    if not self.due(step):
        return None
    now = right.held_out_loss(self.model, self.held_out, self.context)
    with torch.no_grad():
        inputs, targets = right.make_batch(self.data, torch.tensor([0]), self.context)
        seen = nn.functional.cross_entropy(self.model(inputs).flatten(0, 1), targets.flatten())
    if seen < self.lowest:
        self.lowest, self.best = seen.item(), self.copy()
    return now


def _measures_the_text(self: Training, step: int) -> float | None:
    self.held_out = self.data
    return Training.measure(self, step)


def _measures_in_train_mode(self: Training, step: int) -> float | None:
    now = Training.measure(self, step)
    if now is not None:
        self.model.eval()
    return now


def _every_step(self: Training, step: int) -> bool:
    return True


def _not_after_the_last(self: Training, step: int) -> bool:
    return (step + 1) % self.every == 0


def _one_early(self: Training, step: int) -> bool:
    return step % self.every == 0 or step + 1 == self.steps


def _end_only(self: Training, step: int) -> bool:
    return step + 1 == self.steps


def _learns_held_out(self: Training, step: int) -> float | None:
    if self.due(step):
        with torch.enable_grad():
            self.model.zero_grad()
    return Training.measure(self, step)


def _told_from_zero(self: Training, step: int, loss: float, measured: float | None) -> None:
    if self.watch:
        self.watch(step, loss, measured)


def _told_always(self: Training, step: int, loss: float, measured: float | None) -> None:
    self.last = measured if measured is not None else getattr(self, "last", None)
    if self.watch:
        self.watch(step + 1, loss, self.last)


def _told_when_measured(self: Training, step: int, loss: float, measured: float | None) -> None:
    if self.watch and measured is not None:
        self.watch(step + 1, loss, measured)


def _told_nothing(self: Training, step: int, loss: float, measured: float | None) -> None:
    pass


def _told_blindly(self: Training, step: int, loss: float, measured: float | None) -> None:
    self.watch(step + 1, loss, measured)


def _told_the_mean(self: Training, step: int, loss: float, measured: float | None) -> None:
    if self.watch:
        self.watch(step + 1, sum(self.losses) / len(self.losses), measured)


def _uncaught(self: Training) -> None:
    raise KeyboardInterrupt


def _forgets_best(self: Training) -> None:
    self.best = None


def _forgets_losses(self: Training) -> None:
    self.losses = []


def _swallows(self: Training) -> list[float]:
    self.begin()
    for step in range(self.steps):
        try:
            loss = self.one(step)
            self.losses.append(loss)
            self.tell(step, loss, self.measure(step))
        except KeyboardInterrupt:
            continue
    self.end()
    return self.losses


def _catches_all(self: Training) -> list[float]:
    self.begin()
    try:
        for step in range(self.steps):
            loss = self.one(step)
            self.losses.append(loss)
            self.tell(step, loss, self.measure(step))
    except BaseException:
        pass
    self.end()
    return self.losses


def _bounded(self: Training) -> None:
    self.lowest = 10.0
    self.model.train()


def _interrupt_leaves(self: Training) -> list[float]:
    self.begin()
    try:
        for step in range(self.steps):
            loss = self.one(step)
            self.losses.append(loss)
            self.tell(step, loss, self.measure(step))
    except KeyboardInterrupt:
        return self.losses
    self.end()
    return self.losses


def _new_parameters(self: Training) -> None:
    if self.best:
        for (name, _), kept in zip(list(self.model.named_parameters()), self.best, strict=True):
            setattr(self.model, name, nn.Parameter(kept))
    self.model.eval()


def _without_gradient(self: Training) -> None:
    Training.end(self)
    for p in self.parameters:
        p.requires_grad_(False)


def _nothing_kept(self: Training) -> None:
    self.model.eval()


def _result(change: Callable[[list[float]], Any]) -> Callable[..., Any]:
    def run(self: Training) -> Any:
        return change(Training.run(self))

    return loop(run=run)


ORDER = "Forget the old gradients, backward, clip, AdamW: in this order, once a step."
RATE = "`learning_rate(step, warmup, steps, peak, floor)`, with step = 0, 1, …"
ADAM = "`adamw_step(p, p.grad, m, v, step + 1, lr, …)`, each p with its own m and v for all steps."
DRAW = "`torch.randint(len(data) - context, (batch,), generator=generator)`, then make_batch."
MEASURE = "`if (step + 1) % every == 0 or step + 1 == steps:`"
BEST = "Copy the weights when the held-out loss is lower than ever; copy them back at the end."
TELL = "`watch(step + 1, loss, measured)` after each step; measured is None where it was not due."
STOP = "`try:` around the loop, `except KeyboardInterrupt: pass`, and the rest goes on below."
LOOP = [
    Mistake(
        "gradients_pile_up",
        loop(zero=lambda self: None),
        "The gradients of earlier steps are never forgotten: backward adds to them.",
        "`model.zero_grad()` before `loss.backward()`.",
    ),
    Mistake(
        "gradients_forgotten_late",
        loop(one=_zero_late),
        "The gradients are forgotten at the end of a step, so those that were there before the "
        "training count in its first step.",
        "`model.zero_grad()` right before `loss.backward()`.",
    ),
    Mistake(
        "gradients_forgotten_too_early",
        loop(one=_zero_before_update),
        "The gradients are forgotten between backward and the step: nothing is learned.",
        ORDER,
    ),
    Mistake(
        "not_clipped",
        loop(clip=lambda self: None),
        "The gradients that AdamW gets are not clipped: clip after backward, before the step.",
        "`clip_grad_norm([p.grad for p in model.parameters()], max_norm)` after backward.",
    ),
    Mistake(
        "clipped_one_by_one",
        loop(clip=_clip_each),
        "Each parameter's gradient is clipped by itself: hand over all of them at once.",
        "`clip_grad_norm([p.grad for p in model.parameters()], max_norm)`",
    ),
    Mistake(
        "constant_max_norm",
        loop(clip=lambda self: right.quick_clip(self.parameters, 1.0)),
        "The gradients are clipped to 1 whatever max_norm is.",
        ORDER,
    ),
    Mistake(
        "constant_rate",
        _one_rate(lambda self, step: self.peak),
        "The learning rate is peak all the time: learning_rate is not called.",
        RATE,
    ),
    Mistake(
        "no_warmup",
        _one_rate(lambda self, s: right.learning_rate(s, 0, self.steps, self.peak, self.floor)),
        "There is no warm-up.",
        RATE,
        "karpathy/nanoGPT#443",
    ),
    Mistake(
        "rate_from_step_1",
        _one_rate(
            lambda self, s: right.learning_rate(
                s + 1, self.warmup, self.steps, self.peak, self.floor
            )
        ),
        "The learning rate is one step ahead: it counts from 0, unlike adamw_step.",
        RATE,
    ),
    Mistake(
        "rate_without_floor",
        _one_rate(lambda self, s: right.learning_rate(s, self.warmup, self.steps, self.peak, 0.0)),
        "The rate goes down to 0; floor is not used.",
        RATE,
    ),
    Mistake(
        "rate_of_step_0",
        _one_rate(
            lambda self, s: right.learning_rate(0, self.warmup, self.steps, self.peak, self.floor)
        ),
        "The rate is that of step 0 all the time: it must be asked for in every step.",
        RATE,
    ),
    Mistake(
        "endless_schedule",
        _one_rate(
            lambda self, s: right.learning_rate(s, self.warmup, 10**6, self.peak, self.floor)
        ),
        "The cosine has an end of its own; it should be down at the floor after `steps` steps.",
        RATE,
    ),
    Mistake(
        "adam_from_step_0",
        _step_always(lambda step: max(step, 1)),
        "adamw_step is one step behind: its steps count from 1.",
        ADAM,
    ),
    Mistake(
        "adam_always_step_1",
        _step_always(lambda step: 1),
        "adamw_step is told step 1 every time: it corrects as if m and v were still new.",
        ADAM,
    ),
    Mistake(
        "moments_made_anew",
        loop(update=_fresh_moments),
        "m and v are zeros in every step: they remember nothing. Make them before the loop.",
        ADAM,
    ),
    Mistake(
        "one_moment_for_both",
        loop(update=_shared_moments),
        "m and v are the same tensor: `m = v = torch.zeros_like(p)` makes one.",
        ADAM,
    ),
    Mistake(
        "moments_by_shape",
        loop(update=_by_shape),
        "Parameters of the same shape share m and v: each needs its own.",
        ADAM,
    ),
    Mistake(
        "plain_gradient_descent",
        loop(update=_sgd),
        "The parameters follow the gradient itself: adamw_step is not called.",
        ADAM,
    ),
    Mistake(
        "betas_of_the_paper",
        loop(update=_betas),
        "β₂ is 0.999 there, torch's default; here it is 0.95, the default of adamw_step.",
        ADAM,
    ),
    Mistake(
        "vectors_not_trained",
        loop(update=_matrices_only),
        "Only matrices are trained. The norms' weights learn as well; they only do not decay.",
        ADAM,
    ),
    Mistake(
        "shared_weights_twice",
        loop(update=_both_names),
        "A table with two names, tied embeddings, is stepped twice.",
        "`model.parameters()` gives each parameter once.",
        "rasbt/LLMs-from-scratch#822",
    ),
    Mistake(
        "norms_decay",
        loop(decay=lambda self, p: self.weight_decay),
        "The norms' weights decay as well. They belong near 1; pulled towards 0 they make the "
        "residual's layers quieter and quieter.",
        "`weight_decay if p.dim() > 1 else 0.0`",
        "ServiceNow/Fast-LLM#545",
    ),
    Mistake(
        "only_norms_decay",
        loop(decay=lambda self, p: 0.0 if p.dim() > 1 else self.weight_decay),
        "It is the wrong way round: the vectors decay and the matrices do not.",
        "`weight_decay if p.dim() > 1 else 0.0`",
        "facebookresearch/BalancingGroups#6; workofart/ml-by-hand#88",
    ),
    Mistake(
        "no_decay",
        loop(decay=lambda self, p: 0.0),
        "Nothing decays: weight_decay is not handed on.",
        ADAM,
    ),
    Mistake(
        "constant_decay",
        loop(decay=lambda self, p: 0.1 if p.dim() > 1 else 0.0),
        "The decay is 0.1 whatever weight_decay is.",
        ADAM,
    ),
    Mistake(
        "summed_loss",
        loop(loss=_summed),
        "The loss is the sum over the batch, not its mean.",
        "`cross_entropy(model(inputs), targets)`",
        "karpathy/nanoGPT#168",
    ),
    Mistake(
        "loss_divided",
        loop(one=_share),
        "The loss is divided by the batch size before backward: it is a mean already. AdamW would "
        "not notice, but the gradients are then too short to be clipped.",
        "`loss.backward()`",
    ),
    Mistake(
        "double_softmax",
        loop(loss=_double_softmax),
        "The model's output goes through a softmax before cross_entropy, which does that itself.",
        "`cross_entropy(model(inputs), targets)`",
        "ariecattan/SciCo#2",
    ),
    Mistake(
        "targets_not_shifted",
        loop(draw=_unshifted),
        "Inputs and targets are the same: the model learns to repeat what it reads.",
        "make_batch gives both; the targets are one step later.",
        "the class of huggingface/transformers#48745",
    ),
    Mistake(
        "targets_shifted_twice",
        loop(loss=_shifted_twice),
        "The targets are shifted once more: the model learns to predict the token after the next.",
        "make_batch has shifted them already.",
        "the class of huggingface/transformers#48745",
    ),
    Mistake(
        "last_position_only",
        loop(loss=_last_position),
        "Only the last position of each piece teaches anything: 63 of 64 predictions are wasted.",
        "`cross_entropy(model(inputs), targets)`, all positions.",
    ),
    Mistake(
        "backwards_in_time",
        loop(draw=_swapped),
        "Inputs and targets are swapped: the model learns to predict the token before.",
        "`inputs, targets = make_batch(…)`",
    ),
    Mistake(
        "one_batch_for_ever",
        loop(draw=_always_the_same),
        "All steps see the same batch: draw inside the loop.",
        DRAW,
    ),
    Mistake(
        "not_random",
        loop(draw=_from_the_front),
        "The pieces are taken in order, not at random.",
        DRAW,
    ),
    Mistake(
        "one_start_for_all",
        loop(draw=_one_start),
        "All pieces of a batch are the same one: draw `batch` starts.",
        DRAW,
    ),
    Mistake(
        "last_piece_never",
        loop(draw=_never_the_last),
        "The last piece of the text is never drawn: randint's upper end is not included, so it is "
        "len(data) − context.",
        DRAW,
    ),
    Mistake(
        "tokens_from_anywhere",
        loop(draw=_single_tokens),
        "Each token comes from another place: a piece must be neighbouring tokens.",
        DRAW,
    ),
    Mistake(
        "generator_ignored",
        loop(draw=_global_random),
        "The generator is not used: two runs with the same seed differ.",
        DRAW,
    ),
    Mistake(
        "seeds_torch",
        loop(begin=_seeds_globally),
        "It sets torch's global seed: everything after the training becomes predictable.",
        DRAW,
    ),
    Mistake(
        "own_seed",
        loop(begin=_own_generator),
        "It draws with a generator of its own, always with the same seed.",
        DRAW,
    ),
    Mistake(
        "own_seed_without_generator",
        loop(begin=_own_if_none),
        "Without a generator it takes one of its own with a fixed seed: all runs are equal.",
        "randint with `generator=None` uses torch's own.",
    ),
    Mistake(
        "batch_ignored",
        _settings(batch=8),
        "A batch has 8 pieces whatever batch is.",
        DRAW,
    ),
    Mistake(
        "one_step_short",
        loop(run=lambda self: _fewer(self)),
        "It makes one step too few.",
        "`for step in range(steps):`",
    ),
    Mistake(
        "stays_in_eval_mode",
        loop(begin=lambda self: None),
        "`model.train()` is missing: a model that comes in eval mode stays in it, without dropout.",
        "`model.train()` before the loop.",
    ),
    Mistake(
        "eval_after_measuring",
        loop(measure=_measures_in_train_mode),
        "After the first measurement the model stays in eval mode.",
        "held_out_loss puts the mode back; or call `model.train()` at each step.",
    ),
    Mistake(
        "left_in_train_mode",
        loop(end=lambda self: self.restore()),
        "The model is left in train mode.",
        "`model.eval()` at the end.",
    ),
    Mistake(
        "gradients_switched_off",
        loop(end=_without_gradient),
        "The parameters do not require gradients any more: it cannot be trained further.",
    ),
    Mistake(
        "last_weights",
        loop(end=_nothing_kept),
        "The model ends with the last weights, not with the best ones. Did they come back? Were "
        "they copied? `model.state_dict()` does not copy, and so goes on changing with the model.",
        "`p.detach().clone()` when it is the best so far, `p.copy_(…)` at the end.",
    ),
    Mistake(
        "latest_kept",
        loop(measure=_last_measured),
        "What is kept are the weights of the last measurement, not of the best.",
        BEST,
    ),
    Mistake(
        "worst_kept",
        loop(measure=_highest),
        "What is kept are the weights with the highest held-out loss.",
        "`if measured < lowest:`",
    ),
    Mistake(
        "lowest_starts_too_low",
        loop(begin=_bounded),
        "The lowest loss so far starts at a number that a held-out loss can be above: then no "
        "weights are ever the best.",
        "`lowest = math.inf`",
    ),
    Mistake(
        "best_by_training_text",
        loop(measure=_best_by_training_loss),
        "The best weights are chosen by the text that is trained on. What counts is text the model "
        "has not seen.",
        BEST,
    ),
    Mistake(
        "measured_on_the_training_text",
        loop(measure=_measures_the_text),
        "What is measured is the loss on the training text, not on the held-out one.",
        "`held_out_loss(model, held_out, context)`",
    ),
    Mistake(
        "parameters_replaced",
        loop(end=_new_parameters),
        "The best weights come back as new parameters: an optimizer, or a tied table, still holds "
        "the old ones.",
        "`p.copy_(kept)` under `torch.no_grad()`, or `model.load_state_dict(best)`.",
    ),
    Mistake(
        "measured_every_step",
        loop(due=_every_step),
        "The held-out loss is measured after every step, which takes longer than the step itself.",
        MEASURE,
    ),
    Mistake(
        "not_measured_at_the_end",
        loop(due=_not_after_the_last),
        "After the last step nothing is measured, so that the last weights can never be the best.",
        MEASURE,
    ),
    Mistake(
        "measured_one_step_early",
        loop(due=_one_early),
        "It measures after the steps 1, 1 + every, …: step counts from 0 in the loop.",
        MEASURE,
    ),
    Mistake(
        "measured_at_the_end_only",
        loop(due=_end_only),
        "It is measured at the end only.",
        MEASURE,
    ),
    Mistake(
        "watch_counts_from_0",
        loop(tell=_told_from_zero),
        "watch is told the step's index; wanted is the number of steps done, from 1 on.",
        TELL,
    ),
    Mistake(
        "watch_told_old_losses",
        loop(tell=_told_always),
        "watch is told the last held-out loss again where nothing was measured; wanted is None.",
        TELL,
    ),
    Mistake(
        "watch_only_when_measured",
        loop(tell=_told_when_measured),
        "watch is called only when something was measured; it wants to know of every step.",
        TELL,
    ),
    Mistake(
        "watch_never_called",
        loop(tell=_told_nothing),
        "watch is never called: no curve, no progress.",
        TELL,
    ),
    Mistake(
        "watch_must_be_there",
        loop(tell=_told_blindly),
        "It calls watch even if that is None.",
        "`if watch:`",
    ),
    Mistake(
        "watch_told_the_mean",
        loop(tell=_told_the_mean),
        "watch is told the mean of all losses so far, not the step's.",
        TELL,
    ),
    Mistake(
        "loss_after_the_step",
        loop(one=_loss_after),
        "The loss is computed again after the step: twice the work, for another number.",
        "`loss.item()` of the loss that was differentiated.",
    ),
    Mistake(
        "interrupt_not_caught",
        loop(interrupted=_uncaught),
        "A KeyboardInterrupt ends train with nothing returned and the best weights lost.",
        STOP,
    ),
    Mistake(
        "every_error_caught",
        loop(run=_catches_all),
        "Every error ends the training in silence, also a crash of the model: a bare `except:`, "
        "or a `return` in a `finally`.",
        "`except KeyboardInterrupt:`",
    ),
    Mistake(
        "interrupt_skips_a_step",
        loop(run=_swallows),
        "An interrupt only skips a step, and the training goes on: the `try` is inside the loop.",
        STOP,
    ),
    Mistake(
        "interrupt_leaves_at_once",
        loop(run=_interrupt_leaves),
        "An interrupt returns at once: the best weights do not come back, and the mode is left.",
        STOP,
    ),
    Mistake(
        "interrupt_forgets_best",
        loop(interrupted=_forgets_best),
        "After an interrupt the best weights do not come back.",
        STOP,
    ),
    Mistake(
        "interrupt_forgets_losses",
        loop(interrupted=_forgets_losses),
        "After an interrupt the losses so far are not returned.",
        STOP,
    ),
    Mistake(
        "last_loss_returned",
        _result(lambda losses: losses[-1] if losses else math.nan),
        "It returns the last loss only; wanted is the list of all.",
    ),
    Mistake(
        "nothing_returned",
        _result(lambda losses: None),
        "It returns nothing; wanted is the list of the losses.",
    ),
    Mistake(
        "tensors_returned",
        _result(lambda losses: [torch.tensor(loss) for loss in losses]),
        "The losses are tensors. With their graphs they would fill the memory: `loss.item()`.",
        "`losses.append(loss.item())`",
    ),
    Mistake(
        "other_defaults",
        loop(begin=lambda self: _other_defaults(self)),
        "The default of peak is 1e-3; it should be 3e-3.",
    ),
]


def _fewer(self: Training) -> list[float]:
    self.begin()
    try:
        for step in range(self.steps - 1):
            loss = self.one(step)
            self.losses.append(loss)
            self.tell(step, loss, self.measure(step))
    except KeyboardInterrupt:
        self.interrupted()
    self.end()
    return self.losses


def _other_defaults(self: Training) -> None:
    self.peak = 1e-3 if self.peak == 3e-3 else self.peak
    self.model.train()
