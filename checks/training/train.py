"""Lab 09, 9.5: what is tried on train."""

import contextlib
from collections.abc import Callable

import torch
from torch import Tensor, nn

from checks.engine import SAME_DEVICE, Check, Probe
from checks.training import parts
from checks.training.train_runs import (
    all_pieces,
    best_weights,
    broken,
    defaults,
    draws,
    far_off,
    interrupted,
    leftovers,
    modes,
    on_a_device,
    pieces_drawn,
    pieces_measured,
    tied,
    trained,
    up_and_down,
    watched,
    without_generator,
)
from checks.training.train_wrong import MISTAKES

FAILS = "The losses that came back, or the weights that the model ends with, are not right."
BEST = "The model ends with the weights for which it was lowest"
STOPPED = "when a KeyboardInterrupt ends the training early: then the losses so far are returned"


def reference(
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
    moments = [(p, torch.zeros_like(p), torch.zeros_like(p)) for p in model.parameters()]
    losses: list[float] = []
    measurements: list[tuple[float, list[Tensor]]] = []
    model.train()
    with contextlib.suppress(KeyboardInterrupt):
        for step in range(steps):
            starts = torch.randint(len(data) - context, (batch,), generator=generator)
            inputs, targets = parts.make_batch(data, starts, context)
            model.zero_grad()
            loss = parts.cross_entropy(model(inputs), targets)
            loss.backward()
            parts.clip_grad_norm([p.grad for p, _, _ in moments], max_norm)
            lr = parts.learning_rate(step, warmup, steps, peak, floor)
            for p, m, v in moments:
                decay = weight_decay if p.dim() > 1 else 0.0
                parts.adamw_step(p, p.grad, m, v, step + 1, lr, weight_decay=decay)
            losses.append(loss.item())
            measured = None
            if (step + 1) % every == 0 or step + 1 == steps:
                measured = parts.held_out_loss(model, held_out, context)
                measurements.append((measured, [p.detach().clone() for p, _, _ in moments]))
            if watch:
                watch(step + 1, losses[-1], measured)
    if measurements:
        _, best = min(measurements, key=lambda measurement: measurement[0])
        for (p, _, _), kept in zip(moments, best, strict=True):
            p.data.copy_(kept)
    model.eval()
    return losses


train = Check(
    exercise="9.5",
    name="train",
    weight=3,
    reference=reference,
    technique=[
        Probe(
            "three steps: losses and weights",
            trained(steps=3),
            FAILS,
            promise="one AdamW step at the learning rate of this step",
        ),
        Probe(
            "warm-up, cosine, floor: eight steps",
            trained(steps=8, warmup=3, peak=0.4, floor=0.1),
            FAILS,
            promise="learning_rate counts from 0, adamw_step from 1",
        ),
        Probe(
            "a norm of 1e-7 at most",
            trained(steps=4, max_norm=1e-7, weight_decay=0.0),
            FAILS,
            promise="cut to max_norm",
        ),
        Probe(
            "no limit to the norm; a large weight decay",
            trained(steps=4, scale=6.0, max_norm=1e9, weight_decay=3.0),
            FAILS,
            promise="parameters with one dimension, the norms' weights, get none",
        ),
        Probe(
            "old gradients are still there at the start; two tables of one shape",
            leftovers,
            FAILS,
            promise="**Forget old gradients before the first `backward`**",
        ),
        Probe("one table under two names", tied, FAILS, promise="one of each per parameter"),
        Probe(
            "nothing given but text and steps: the defaults",
            defaults(reference),
            FAILS,
            promise="peak: float = 3e-3",
        ),
        Probe(
            "pieces of the text, from everywhere in it",
            pieces_drawn,
            "The model was not fed `batch` random pieces of `context` neighbouring tokens. Each "
            "row starts somewhere else, from 0 to len(data) − context − 1.",
            promise="`batch` random pieces of `context` tokens",
        ),
        Probe(
            "the loss of a step is the mean over all its pieces",
            all_pieces,
            "The loss of a step is not the mean over every token of every piece that the model "
            "was fed in it.",
            promise="`batch` random pieces of `context` tokens",
        ),
        Probe(
            "the held-out text is measured in pieces of context tokens",
            pieces_measured,
            "The held-out text did not come in pieces of `context` tokens: "
            "`held_out_loss(model, held_out, context)`.",
            promise="held_out_loss(model, held_out, context) is",
        ),
        Probe(
            "the generator decides what is drawn, and nothing else",
            draws,
            "With the same generator seed the same pieces should be drawn, with another seed "
            "others, and torch's global random state should stay as it was: "
            "`torch.randint(…, generator=generator)`.",
            promise="drawn with `generator` only",
        ),
        Probe(
            "without a generator each run draws anew",
            without_generator,
            "Two runs without a generator drew the same pieces. Is there a fixed seed?",
            promise="random pieces",
        ),
        Probe(
            "what watch is told, and what comes back",
            watched,
            "What watch was told (steps done, the step's loss, the held-out loss or None), the "
            "losses that came back, or the weights afterwards are not right.",
            promise="called after each step with the number of steps done",
        ),
        Probe(
            "the best held-out loss is above 100",
            far_off,
            FAILS,
            promise=BEST,
        ),
        Probe(
            "the best weights come back, not the last ones",
            best_weights,
            "The held-out losses, the weights that the model ends with, or its parameters "
            "themselves are not those of the best measurement.",
            promise=BEST,
        ),
        Probe(
            "a held-out loss that rises and falls, and is lowest at first",
            up_and_down,
            "The model does not end with the weights of its first measurement, where the held-out "
            "loss was lowest.",
            promise=BEST,
        ),
        Probe(
            "train mode in the steps, eval mode at the end",
            modes,
            "The model's mode is not right: `model.train()` before the steps, even if it came in "
            "eval mode, held_out_loss without gradients, and `model.eval()` at the end.",
            promise="A step, in train mode",
        ),
    ],
    ready=[
        Probe(
            "stopped in step 8, after two measurements",
            interrupted(8, 3, True),
            FAILS,
            promise=STOPPED,
        ),
        Probe("stopped in watch, after step 5", interrupted(5, 2, False), FAILS, promise=STOPPED),
        Probe(
            "stopped before anything was measured",
            interrupted(3, 5, True),
            FAILS,
            promise="**Interrupted before any measurement**, there are no best weights",
        ),
        Probe(
            "any other error comes out",
            broken,
            "The model raised a ValueError, and train swallowed it. Catch KeyboardInterrupt only, "
            "and let no `return` stand in a `finally`.",
            promise="Any other error comes out.",
        ),
        Probe(
            "works on the device of model and text",
            on_a_device,
            "A tensor made in train lies on the CPU whatever the device of the model is: "
            "`torch.zeros_like(p)` lies where p does.",
            promise=SAME_DEVICE,
        ),
    ],
    mistakes=MISTAKES,
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
