"""Lab 09, 9.5: the runs of train that are tried, and what is looked at in each."""

import contextlib
import functools
import inspect
from collections.abc import Callable, Iterator
from copy import copy
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from checks.engine import Inputs, Wrong, error_of
from checks.engine.answer import Answer, Crash
from checks.engine.devices import pretended_device
from checks.training.bigram import Bigram, circle, held_out_of, model_of, unlearned, weights

HOW = {"batch": 2, "peak": 0.1, "floor": 0.01, "warmup": 3, "max_norm": 0.5, "weight_decay": 0.2}
NO_RETURN = (
    "the KeyboardInterrupt came out of train. Catch it around the loop, and let what follows the "
    "loop restore the best weights and return the losses so far."
)


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
    """The text held out begins like the other and ends otherwise: it is learned and unlearned.

    In a second run the best measurement is the third of five, and no training loss is as high.
    """
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
        *scripted(answer, inputs, {2: 9.0, 4: 8.0, 6: 4.0, 8: 6.0, 10: 7.0}),
    ]


def up_and_down(answer: Any, inputs: Inputs) -> list:
    """The held-out loss is lowest after step 2, high after 4, and lower again, but not as low."""
    return scripted(answer, inputs, {4: 5.0, 6: 2.5, 8: 4.0, 10: 2.0})


def scripted(answer: Any, inputs: Inputs, script: dict[int, float]) -> list:
    """The weights after ten steps whose held-out losses are made higher by a script."""
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
        # A list of all losses would grow with the next step.
        told.append([step, copy(loss), measured is None, 0.0 if measured is None else measured])

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


def defaults(right: Callable[..., Any]) -> Callable[[Any, Inputs], list]:
    """A run with nothing given but model, texts and steps; the defaults are those of `right`."""

    def run(answer: Any, inputs: Inputs) -> list:
        data = circle(inputs, 64)
        model = model_of(inputs)
        with in_words():
            losses = answer(model, data, 3, data)
        promised, taken = (numbers_given(f) for f in (right, vars(answer)["_target"]))
        for name in promised:
            if taken.get(name, promised[name]) != promised[name]:
                raise Wrong(
                    f"without `{name}` it takes {taken[name]:g}. In the stub the default is "
                    f"{promised[name]:g}."
                )
        return [losses, *weights(model), [list(f.shape) for f in model.fed]]

    return run


def numbers_given(target: Any) -> dict[str, float]:
    """Name → default of each parameter that has a number for one.

    Three steps show no difference between a warm-up of 100 and one of 101.
    """
    found = {}
    with contextlib.suppress(TypeError, ValueError):
        for name, parameter in inspect.signature(target).parameters.items():
            with contextlib.suppress(ValueError):
                # A default of the class grader's other side is known by its looks.
                found[name] = float(repr(parameter.default))
    return found


def on_a_device(answer: Any, inputs: Inputs) -> str:
    """Model and texts lie on a pretended device; what is made for them has to lie there too."""
    model, data = model_of(inputs), circle(inputs)
    with in_words(), pretended_device() as device:
        answer(model, data, 2, data, context=6, generator=seeded(), **HOW)
    return "mixed devices" if device.mixed else "one device"
