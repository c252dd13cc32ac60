"""Lab 09: cross_entropy, learning_rate, clip_grad_norm, adamw_step, train."""

import torch

from checks.engine import Check, Probe, gradients, half_precision, values
from checks.engine.devices import keeps_device
from checks.mistakes import training as mistakes
from checks.mistakes import training_adamw as mistakes_of_adamw
from checks.mistakes import training_loop as mistakes_of_loop
from checks.mistakes import training_rate as mistakes_of_rate
from checks.probes import training_loop as loop
from checks.probes.training import (
    a_parameter,
    clipped_in_half,
    confident,
    gradients_of,
    in_place,
    rates,
    some_steps,
    state,
    tokens,
)
from checks.reference import training as reference

cross_entropy = Check(
    exercise="9.1",
    name="cross_entropy",
    reference=reference.cross_entropy,
    technique=[
        values(lambda inputs: (torch.zeros(1, 1, 4), torch.tensor([[2]])), title="worked example"),
        values(
            lambda inputs: tokens(inputs, 2, 5, vocab=7),
            lambda inputs: tokens(inputs, 3, 4, vocab=6),
            lambda inputs: tokens(inputs, 1, 6, vocab=3),
            lambda inputs: tokens(inputs, 4, 1, vocab=9),
            lambda inputs: tokens(inputs, 3, 3, vocab=3),
            title="(B, T, V) and (B, T): values on five random inputs",
        ),
        values(confident, title="sure and right: the loss is small"),
        values(
            lambda inputs: tokens(inputs, 5, vocab=4),
            lambda inputs: tokens(inputs, 2, 3, 2, vocab=5),
            title="(T, V) and (A, B, T, V) as well",
        ),
        values(
            lambda inputs: (torch.tensor([[[0.0, 1e4], [0.0, 1e4]]]), torch.tensor([[1, 0]])),
            lambda inputs: tokens(inputs, 2, 3, vocab=5, scale=1e4),
            title="logits of ±10000",
        ),
        values(
            lambda inputs: (inputs.randn(2, 3, 4) + 500, inputs.integers(2, 3, high=4)),
            lambda inputs: (inputs.randn(2, 3, 4) - 500, inputs.integers(2, 3, high=4)),
            title="all logits 500 larger, or smaller: the same loss",
        ),
        values(
            lambda inputs: (inputs.randn(2, 3, 4).double(), inputs.integers(2, 3, high=4)),
            title="float64 stays float64",
        ),
        gradients(
            lambda inputs: tokens(inputs, 2, 3, vocab=4),
            lambda inputs: tokens(inputs, 3, vocab=5),
        ),
        half_precision(lambda inputs: tokens(inputs, 2, 5, vocab=6)),
        keeps_device(lambda inputs: tokens(inputs, 2, 3, vocab=4)),
    ],
    mistakes=mistakes.LOSS,
    hints=(
        "Each token has V logits and one target. Which single number of its V does the loss need?",
        "Take log_softmax over the last dimension, not the log of a softmax. Pick the target's "
        "entry with `gather`, change the sign, take the mean.",
        "`return -torch.log_softmax(logits, -1).gather(-1, targets[..., None]).mean()`; for "
        "float16 first `logits.float()`, and `.to(logits.dtype)` at the end.",
    ),
)

learning_rate = Check(
    exercise="9.2",
    name="learning_rate",
    reference=reference.learning_rate,
    technique=[
        Probe("worked example", rates((range(8), 2, 6, 1.0, 0.0))),
        Probe(
            "every step of three schedules, and some beyond",
            rates(
                (range(17), 3, 13, 0.5, 0.1),
                (range(12), 5, 10, 2.0, 0.5),
                (range(9), 1, 6, 3e-3, 1e-4),
            ),
        ),
        Probe("no warm-up at all", rates((range(6), 0, 4, 1.0, 0.2), (range(3), 0, 0, 1.0, 0.2))),
        Probe(
            "warm-up to the end, and longer than there are steps",
            rates((range(7), 4, 4, 1.0, 0.2), (range(8), 6, 3, 1.0, 0.2)),
        ),
        Probe("peak = floor; floor 0", rates((range(7), 2, 5, 0.3, 0.3), (range(7), 2, 5, 0.3, 0))),
        Probe(
            "Llama 3 405B: 8,000 steps up, 1,200,000 in all",
            rates((range(0, 1_300_000, 99_991), 8000, 1_200_000, 8e-5, 8e-7)),
        ),
    ],
    mistakes=mistakes_of_rate.RATE,
    hints=(
        "There are three stretches: before warmup, up to total, and after. What is the rate at "
        "each of their ends?",
        "done = (step − warmup) / (total − warmup) goes from 0 to 1, and (1 + cos(π · done)) / 2 "
        "from 1 to 0: the share of the way from floor to peak.",
        "`return floor + (peak - floor) * (1 + math.cos(math.pi * done)) / 2`, after "
        "`if step < warmup: return peak * (step + 1) / warmup` and "
        "`if step >= total: return floor`.",
    ),
)

clip_grad_norm = Check(
    exercise="9.3",
    name="clip_grad_norm",
    reference=reference.clip_grad_norm,
    technique=[
        in_place(
            lambda inputs: ([torch.tensor([3.0]), torch.tensor([[0.0, 4.0]])], 1.0),
            title="worked example: what comes back, and the gradients afterwards",
        ),
        in_place(
            lambda inputs: (gradients_of(inputs, (2, 3), (4,), (1, 2, 3), norm=6.0), 2.0),
            lambda inputs: (gradients_of(inputs, (5,), (3, 3), norm=11.0), 0.3),
            lambda inputs: (gradients_of(inputs, (7, 2)), 1e-3),
            lambda inputs: (gradients_of(inputs, (3,), (2, 2), norm=0.6), 0.5),
            lambda inputs: (gradients_of(inputs, (2, 4), (3,), norm=2.6), 2.0),
            title="too long, by much or by little: several tensors of different shapes",
        ),
        in_place(
            lambda inputs: (gradients_of(inputs, (2, 3), (4,), norm=0.7), 1.0),
            lambda inputs: (gradients_of(inputs, (3, 2), (5,), norm=1.7), 2.0),
            lambda inputs: (gradients_of(inputs, (3,), (2, 2), norm=90.0), 100.0),
            title="short enough: nothing changes",
        ),
        in_place(
            lambda inputs: ([inputs.randn(), inputs.randn(2) * 30, inputs.randn(3) * 0.01], 0.5),
            lambda inputs: ([inputs.randn(2, 2) * 0.01, inputs.randn(2) * 3], 1.5),
            title="tensors of very different sizes keep their proportions",
        ),
        in_place(
            lambda inputs: ([torch.zeros(2), torch.zeros(3)], 1.0),
            lambda inputs: ([torch.zeros(2), torch.tensor([0.3, 0.4])], 0.5),
            lambda inputs: ([inputs.randn(2, 2).double() * 9], 1.0),
            title="gradients that are all zero; a norm of exactly max_norm; float64",
        ),
        Probe(
            "float16 and bfloat16, numbers of 300",
            clipped_in_half,
            fails="In half precision the norm or the gradients are wrong: the square of 300 does "
            "not fit into float16. Add up the squares in float32 (`grad.float()`).",
        ),
    ],
    mistakes=mistakes.CLIP,
    hints=(
        "All the gradients together are one long vector. What is its length, and what must it be "
        "multiplied by to have the length max_norm?",
        "The norm is the root of the sum of all squares, over all tensors. Only if it is larger "
        "than max_norm, every tensor is multiplied by the same max_norm / norm.",
        "`norm = math.sqrt(sum(g.float().square().sum().item() for g in grads))`, and in the loop "
        "`g.mul_(max_norm / norm)`, in place.",
    ),
)

adamw_step = Check(
    exercise="9.4",
    name="adamw_step",
    weight=2,
    reference=reference.adamw_step,
    technique=[
        in_place(
            lambda inputs: (
                *map(torch.tensor, ([1.0, -2.0], [0.5, -0.001], [0.0, 0.0], [0.0, 0.0])),
                *(1, 0.1, (0.9, 0.95), 1e-8, 0.0),
            ),
            title="worked example: param, grad, m and v after step 1, without decay",
            with_result=False,
        ),
        in_place(
            lambda inputs: (*state(inputs, 3, 4, fresh=True), 1, 0.1),
            lambda inputs: (*state(inputs, 5), 3, 0.2),
            lambda inputs: (*state(inputs, 2, 3, 2), 20, 0.05),
            title="all defaults: steps 1, 3 and 20",
            with_result=False,
        ),
        in_place(
            lambda inputs: (*state(inputs, 3, 3), 4, 0.1, (0.7, 0.8), 1e-8, 0.0),
            lambda inputs: (*state(inputs, 4), 2, 0.3, (0.3, 0.99), 1e-8, 0.0),
            title="other betas, without decay",
            with_result=False,
        ),
        in_place(
            lambda inputs: (*state(inputs, 3, 2), 2, 0.1, (0.9, 0.95), 0.1, 0.0),
            lambda inputs: (*state(inputs, 4), 5, 0.2, (0.6, 0.9), 0.5, 0.1),
            title="eps large enough to see",
            with_result=False,
        ),
        in_place(
            lambda inputs: (*state(inputs, 3, 3), 3, 0.2, (0.9, 0.95), 1e-8, 0.8),
            lambda inputs: (torch.ones(3), *[torch.zeros(3)] * 3, 1, 0.5, (0.9, 0.95), 1e-8, 0.5),
            title="a large weight decay, and one without any gradient",
            with_result=False,
        ),
        Probe("four steps with the same gradient", some_steps(False)),
        Probe("four steps with changing gradients", some_steps(True, betas=(0.8, 0.9), eps=0.01)),
        in_place(
            lambda inputs: (*(x.double() for x in state(inputs, 3)), 2, 0.1),
            title="float64",
            with_result=False,
        ),
        Probe(
            "a parameter that requires a gradient",
            a_parameter,
            "The parameter or the moments became part of a graph, or the parameter is no leaf any "
            "more. Change it in place, under `torch.no_grad()`.",
        ),
    ],
    mistakes=mistakes_of_adamw.ADAMW,
    hints=(
        "A step needs the mean, the mean of squares, their corrections, and the parameter. Which "
        "of these must survive to the next step?",
        "m and v are changed in place and stay uncorrected. Corrected are only the values in the "
        "step: m / (1 − β₁^step), v / (1 − β₂^step). The decay is lr · weight_decay of the "
        "parameter itself, outside of m and v.",
        "`m.lerp_(grad, 1 - b1)`, `v.mul_(b2).addcmul_(grad, grad, value=1 - b2)`, "
        "`param.mul_(1 - lr * weight_decay)`, "
        "`param.sub_(lr * m / (1 - b1**step) / ((v / (1 - b2**step)).sqrt() + eps))`",
    ),
)

train = Check(
    exercise="9.5",
    name="train",
    weight=3,
    reference=reference.train,
    technique=[
        Probe("three steps on a text with one piece: losses and weights", loop.trained(steps=3)),
        Probe(
            "warm-up, cosine, floor: eight steps",
            loop.trained(steps=8, warmup=3, peak=0.4, floor=0.1),
        ),
        Probe("a norm of 1e-7 at most", loop.trained(steps=4, max_norm=1e-7, weight_decay=0.0)),
        Probe(
            "no limit to the norm; a large weight decay",
            loop.trained(steps=4, scale=6.0, max_norm=1e9, weight_decay=3.0),
        ),
        Probe(
            "old gradients are still there at the start; two tables of one shape", loop.leftovers
        ),
        Probe("one table under two names", loop.tied),
        Probe("nothing given but text and steps: the defaults", loop.defaults),
        Probe(
            "pieces of the text, from everywhere in it",
            loop.pieces_drawn,
            "The model was not fed `batch` random pieces of `context` neighbouring tokens. Each "
            "row starts somewhere else, from 0 to len(data) − context − 1.",
        ),
        Probe(
            "the generator decides what is drawn, and nothing else",
            loop.draws,
            "With the same generator seed the same pieces should be drawn, with another seed "
            "others, and torch's global random state should stay as it was: "
            "`torch.randint(…, generator=generator)`.",
        ),
        Probe(
            "without a generator each run draws anew",
            loop.without_generator,
            "Two runs without a generator drew the same pieces. Is there a fixed seed?",
        ),
        Probe("what watch is told, and what comes back", loop.watched),
        Probe("the best held-out loss is above 100", loop.far_off),
        Probe("the best weights come back, not the last ones", loop.best_weights),
        Probe(
            "train mode in the steps, eval mode at the end",
            loop.modes,
            "The model's mode is not right: `model.train()` before the steps, even if it came in "
            "eval mode, held_out_loss without gradients, and `model.eval()` at the end.",
        ),
        Probe("stopped in step 8, after two measurements", loop.interrupted(8, 3, True)),
        Probe("stopped in watch, after step 5", loop.interrupted(5, 2, False)),
        Probe("stopped before anything was measured", loop.interrupted(3, 5, True)),
        Probe(
            "any other error comes out",
            loop.broken,
            "The model raised a ValueError, and train swallowed it. Catch KeyboardInterrupt only, "
            "and let no `return` stand in a `finally`.",
        ),
    ],
    mistakes=mistakes_of_loop.LOOP,
    hints=(
        "In which order: draw, predict, loss, forget the old gradients, new gradients, clip, rate, "
        "AdamW. Which of them need the number of the step, and does it begin at 0 or at 1?",
        "Each parameter needs its own m and v, made before the loop. The best weights must be "
        "copies (`p.detach().clone()`), or they go on changing. The `try` stands around the loop, "
        "and what restores the weights after it.",
        "`lr = learning_rate(step, warmup, steps, peak, floor)`, and for each p: "
        "`adamw_step(p, p.grad, m, v, step + 1, lr, "
        "weight_decay=weight_decay if p.dim() > 1 else 0.0)`",
    ),
)
