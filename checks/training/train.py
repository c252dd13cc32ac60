"""Lab 09, 9.5: what is tried on train."""

import contextlib
import functools
from collections.abc import Callable, Iterator
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from checks.engine import SAME_DEVICE, Check, Inputs, Probe, Wrong, error_of
from checks.engine.answer import Answer, Crash
from checks.engine.devices import pretended_device
from checks.training import parts
from checks.training.bigram import Bigram, circle, held_out_of, model_of, unlearned, weights
from checks.training.train_wrong import MISTAKES

HOW = {"batch": 2, "peak": 0.1, "floor": 0.01, "warmup": 3, "max_norm": 0.5, "weight_decay": 0.2}
FAILS = "The losses that came back, or the weights that the model ends with, are not right."
BEST = "The model ends with the weights for which it was lowest"
STOPPED = "when a KeyboardInterrupt ends the training early: then the losses so far are returned"
NO_RETURN = (
    "the KeyboardInterrupt came out of train. Catch it around the loop, and let what follows the "
    "loop restore the best weights and return the losses so far."
)


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


def seeded(seed: int = 3) -> torch.Generator:
    """A fresh generator."""
    return torch.Generator().manual_seed(seed)


@contextlib.contextmanager
def in_words() -> Iterator[None]:
    """Say in words that an interrupt came through, or that a gradient was not there."""
    try:
        yield
    except KeyboardInterrupt:
        raise Wrong(NO_RETURN) from None
    except Crash as crash:
        if isinstance(crash.original, AttributeError) and "'NoneType'" in str(crash.original):
            raise Wrong(
                "it stops, since something is None there: a gradient, before `loss.backward()` or "
                "after `zero_grad()`?"
            ) from crash
        raise


def showing_weights(answer: Any) -> Any:
    """Let an answer return [its losses, the weights afterwards]: more to tell mistakes apart by."""
    target = answer._target

    @functools.wraps(target)
    def observed(model: Bigram, *args: Any, **kwargs: Any) -> list:
        return [target(model, *args, **kwargs), *weights(model)]

    return Answer(observed, answer._transcript)


def trained(scale: float = 0.7, **how: Any) -> Callable[[Any, Inputs], list]:
    """A run on a text on which it does not matter what is drawn: its losses and the weights."""

    def run(answer: Any, inputs: Inputs) -> list:
        model = model_of(inputs, scale=scale)
        data, held_out = circle(inputs), held_out_of(inputs)
        how_all = {**HOW, "context": 6, "every": 99, "generator": seeded(), **how}
        with in_words():
            return showing_weights(answer)(model, data, held_out=held_out, **how_all)

    return run


def leftovers(answer: Any, inputs: Inputs) -> list:
    """Old gradients are there when the training begins, and each table needs its own moments."""
    model = model_of(inputs, second=inputs.randn(5, 5))
    for p in model.parameters():
        p.grad = torch.full_like(p, 3.0)
    data = circle(inputs)
    with in_words():
        losses = answer(model, data, 2, data, context=6, generator=seeded(), **HOW)
    return [losses, *weights(model)]


def tied(answer: Any, inputs: Inputs) -> list:
    """A table that has two names is one parameter."""
    model = model_of(inputs, tied=True)
    data = circle(inputs)
    with in_words():
        losses = answer(model, data, 2, data, context=6, generator=seeded(), **HOW)
    return [losses, *weights(model), model.again is model.table]


def best_weights(answer: Any, inputs: Inputs) -> list:
    """The text held out begins like the other and ends otherwise: it is learned and unlearned."""
    model, data, held_out = unlearned(inputs)
    told: list = []
    kept = [id(p) for p in model.parameters()]
    how = {**HOW, "peak": 0.3, "context": 6, "every": 2}
    with in_words():
        answer(model, data, 12, held_out, watch=lambda *now: told.append(now), **how)
    return [
        [held for _, _, held in told if held is not None],
        *weights(model),
        [p.requires_grad for p in model.parameters()],
        kept == [id(p) for p in model.parameters()],
    ]


def up_and_down(answer: Any, inputs: Inputs) -> list:
    """The held-out loss is lowest after step 2, high after 4, and lower again, but not as low."""
    script = {4: 5.0, 6: 2.5, 8: 4.0, 10: 2.0}
    model = model_of(inputs, script=script)
    data = circle(inputs, vocab=4)
    how = {**HOW, "peak": 0.02, "context": 6, "every": 2, "generator": seeded()}
    with in_words():
        answer(model, data, 10, held_out_of(inputs, vocab=4), **how)
    return weights(model)


def far_off(answer: Any, inputs: Inputs) -> list:
    """The held-out text is one step that the text does not have, and believed in less and less."""
    model, data, _ = unlearned(inputs)
    with torch.no_grad():
        model.table[:3, 4], model.table[3, 4] = -1.0, 400.0
    how = {**HOW, "peak": 0.3, "context": 6, "every": 2}
    with in_words():
        losses = answer(model, data, 4, torch.full((13,), 3), **how)
    return [losses, *weights(model)]


def watched(answer: Any, inputs: Inputs) -> list:
    """Everything that `watch` is told, and the losses returned."""
    model, data = model_of(inputs), circle(inputs)
    told: list = []
    how = {**HOW, "context": 6, "every": 3, "generator": seeded()}
    held_out = held_out_of(inputs, 3)

    def watch(step: int, loss: float, measured: float | None) -> None:
        for what, value in (("the step's loss", loss), ("the held-out loss", measured)):
            if isinstance(value, Tensor):
                raise Wrong(f"watch was told a tensor as {what}; wanted is a float (`.item()`).")
        told.append([step, loss, measured is None, 0.0 if measured is None else measured])

    try:
        with in_words():
            result = showing_weights(answer)(model, data, 5, held_out, watch=watch, **how)
    except Crash as crash:
        if isinstance(crash.original, Wrong):
            raise crash.original from None
        raise
    return [told, result]


def modes(answer: Any, inputs: Inputs) -> list:
    """Train mode in the steps, eval mode and no gradients in the measurements and at the end."""
    seen = []
    for begin in (True, False):
        model, data = model_of(inputs).train(begin), circle(inputs)
        with in_words():
            how = {**HOW, "every": 2, "generator": seeded()}
            answer(model, data, 4, data, context=6, **how)
        steps = [training for training, gradients in model.modes if gradients]
        measured = [training for training, gradients in model.modes if not gradients]
        seen.append([steps, sorted(set(measured)), model.training])
    return seen


def pieces_drawn(answer: Any, inputs: Inputs) -> list:
    """Each row is a piece of the text, from random places, the first and the last one included."""
    context, room = 5, 3  # pieces start at 0, 1 or 2
    data = torch.arange(context + room)
    model = model_of(inputs, len(data))
    how = {**HOW, "batch": 16, "context": context}
    with in_words():
        answer(model, data, 3, data, generator=seeded(), **how)
    rows = [row.tolist() for fed in model.fed for row in fed]
    pieces = all(row == list(range(row[0], row[0] + len(row))) for row in rows)
    return [
        [list(fed.shape) for fed in model.fed],
        pieces,
        sorted({row[0] for row in rows}),
        any(len(set(fed[:, 0].tolist())) > 1 for fed in model.fed),
        any(not torch.equal(fed, model.fed[0]) for fed in model.fed),
    ]


def all_pieces(answer: Any, inputs: Inputs) -> list:
    """How far each step's loss is from the mean over every prediction that the model made in it."""
    data = torch.arange(40)  # the token after n is n + 1
    model = model_of(inputs, len(data))
    how = {**HOW, "batch": 3, "context": 5}
    with in_words():
        losses = answer(model, data, 3, data, generator=seeded(), **how)
    means = [
        F.cross_entropy(logits.flatten(0, 1), fed.flatten() + 1).item()
        for logits, fed in zip(model.predicted, model.fed, strict=True)
        if logits.dim() == 3
    ]
    return [
        [
            round(torch.as_tensor(loss).item() - mean, 4)
            for loss, mean in zip(losses, means, strict=False)
        ],
        len(losses),
    ]


def pieces_measured(answer: Any, inputs: Inputs) -> list:
    """How many tokens the pieces have in which the held-out loss is measured."""
    model, data = model_of(inputs), circle(inputs)
    with in_words():
        answer(model, data, 2, held_out_of(inputs, 3), context=6, generator=seeded(), **HOW)
    return [sorted(set(model.measured))]


def draws(answer: Any, inputs: Inputs) -> list:
    """The same seed draws the same pieces, another seed others; torch's own seed plays no part."""
    data = torch.arange(40)
    table = inputs.randn(40, 40)
    fed, kept = [], []
    for seed, outer in ((5, 1), (5, 2), (6, 1)):
        torch.default_generator.manual_seed(outer)  # torch.manual_seed looks for all devices first
        before = torch.get_rng_state()
        model = Bigram(table, torch.ones(40))
        with in_words():
            answer(model, data, 2, data, context=5, generator=seeded(seed), **HOW)
        fed.append(torch.cat(model.fed).tolist())
        kept.append(torch.equal(before, torch.get_rng_state()))
    return [fed[0] == fed[1], fed[0] == fed[2], all(kept)]


def without_generator(answer: Any, inputs: Inputs) -> list:
    """Without a generator, torch's own seed decides: two runs draw other pieces."""
    data, fed = torch.arange(40), []
    for _ in range(2):
        model = model_of(inputs, 40)
        with in_words():
            answer(model, data, 2, data, context=5, **HOW)
        fed.append(torch.cat(model.fed).tolist())
    return [fed[0] != fed[1]]


def interrupted(at: int, every: int, in_forward: bool) -> Callable[[Any, Inputs], list]:
    """Somebody presses stop in step `at`: in the model, or in what watches."""

    def run(answer: Any, inputs: Inputs) -> list:
        model, data, held_out = unlearned(inputs)

        def watch(step: int, *_: Any) -> None:
            if step == at and not in_forward:
                raise KeyboardInterrupt

        model.stop_at = at if in_forward else 0
        how = {**HOW, "peak": 0.3, "context": 6, "every": every}
        with in_words():
            losses = answer(model, data, 12, held_out, watch=watch, **how)
        return [losses, *weights(model), model.training]

    return run


def broken(answer: Any, inputs: Inputs) -> list:
    """The model fails in its second step: what is the name of the error that comes out?"""
    model, data = model_of(inputs), circle(inputs)
    model.stop_at, model.stop = 2, ValueError("these ids are out of range")
    return [error_of(lambda: answer(model, data, 4, data, context=6, **HOW))]


def defaults(answer: Any, inputs: Inputs) -> list:
    """Called with nothing but model, text and steps, it takes the rates it promises."""
    data = circle(inputs, 64)
    model = model_of(inputs)
    with in_words():
        losses = answer(model, data, 3, data)
    return [losses, *weights(model), [list(f.shape) for f in model.fed]]


def on_a_device(answer: Any, inputs: Inputs) -> str:
    """Model and texts lie on a pretended device; what is made for them has to lie there too."""
    model, data = model_of(inputs), circle(inputs)
    with in_words(), pretended_device() as device:
        answer(model, data, 2, data, context=6, generator=seeded(), **HOW)
    return "mixed devices" if device.mixed else "one device"


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
            defaults,
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
