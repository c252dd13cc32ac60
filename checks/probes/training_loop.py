"""Lab 09, 9.5: models that remember what they were fed, and what is tried with them."""

import contextlib
import functools
from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor, nn

from checks.engine import Inputs, Wrong, error_of
from checks.engine.answer import Answer

HOW = {"batch": 2, "peak": 0.1, "floor": 0.01, "warmup": 3, "max_norm": 0.5, "weight_decay": 0.2}
NO_RETURN = (
    "the KeyboardInterrupt came out of train. Catch it around the loop, and let what follows the "
    "loop restore the best weights and return the losses so far."
)


class Bigram(nn.Module):
    """Logits by the last token alone: a table, and one number for each column, like a norm's.

    `second`: another table, which is added. `tied`: the table has two names.
    """

    def __init__(
        self, table: Tensor, gain: Tensor, second: Tensor | None = None, tied: bool = False
    ) -> None:
        super().__init__()
        self.table, self.gain = nn.Parameter(table.clone()), nn.Parameter(gain.clone())
        self.second = None if second is None else nn.Parameter(second.clone())
        if tied:
            self.again = self.table
        self.fed: list[Tensor] = []  # what came in with gradients on: the training steps
        self.modes: list[tuple[bool, bool]] = []  # train mode and gradients, at each call
        self.stop_at = 0  # the training step at which this is raised: somebody presses stop
        self.stop: BaseException = KeyboardInterrupt()

    def forward(self, ids: Tensor) -> Tensor:
        """(B, T) → (B, T, V)."""
        self.modes.append((self.training, torch.is_grad_enabled()))
        if torch.is_grad_enabled():
            self.fed.append(ids.clone())
            if len(self.fed) == self.stop_at:
                raise self.stop
        rows = self.table[ids] if self.second is None else self.table[ids] + self.second[ids]
        return rows * self.gain


def model_of(inputs: Inputs, vocab: int = 5, scale: float = 0.7, **how: Any) -> Bigram:
    """A model with drawn weights."""
    return Bigram(inputs.randn(vocab, vocab) * scale, 1 + 0.2 * inputs.randn(vocab), **how)


def one_piece(inputs: Inputs, context: int = 6, vocab: int = 5) -> Tensor:
    """A text of which there is one piece only, so that it does not matter how one draws."""
    return inputs.integers(context + 1, high=vocab)


def weights(model: Bigram) -> list[Tensor]:
    """What it has learned so far."""
    return [p.detach().clone() for p in model.parameters()]


@contextlib.contextmanager
def stopped_by_hand() -> Iterator[None]:
    """Say in words that an interrupt came through."""
    try:
        yield
    except KeyboardInterrupt:
        raise Wrong(NO_RETURN) from None


def showing_weights(answer: Any) -> Any:
    """Let an answer return [its losses, the weights afterwards]: more to tell mistakes apart by."""
    target = answer._target

    @functools.wraps(target)
    def observed(model: Bigram, *args: Any, **kwargs: Any) -> list:
        return [target(model, *args, **kwargs), *weights(model)]

    return Answer(observed, answer._transcript)


def trained(scale: float = 0.7, **how: Any) -> Any:
    """A run on the one piece there is: its losses and the weights at its end."""

    def run(answer: Any, inputs: Inputs) -> list:
        model = model_of(inputs, scale=scale)
        data, held_out = one_piece(inputs), one_piece(inputs, 12)
        how_all = {**HOW, "context": 6, "every": 99, **how}
        return showing_weights(answer)(model, data, held_out=held_out, **how_all)

    return run


def leftovers(answer: Any, inputs: Inputs) -> list:
    """Old gradients are there when the training begins, and each table needs its own moments."""
    model = model_of(inputs, second=inputs.randn(5, 5))
    for p in model.parameters():
        p.grad = torch.full_like(p, 3.0)
    data = one_piece(inputs)
    return [answer(model, data, 2, data, context=6, **HOW), *weights(model)]


def tied(answer: Any, inputs: Inputs) -> list:
    """A table that has two names is one parameter."""
    model = model_of(inputs, tied=True)
    data = one_piece(inputs)
    losses = answer(model, data, 2, data, context=6, **HOW)
    return [losses, *weights(model), model.again is model.table]


def best_weights(answer: Any, inputs: Inputs) -> list:
    """The text held out begins like the other and ends otherwise: it is learned and unlearned."""
    model, data, held_out = unlearned(inputs)
    told: list = []
    kept = [id(p) for p in model.parameters()]
    how = {**HOW, "peak": 0.3, "context": 6, "every": 2}
    answer(model, data, 12, held_out, watch=lambda *now: told.append(now), **how)
    return [
        [held for _, _, held in told if held is not None],
        *weights(model),
        [p.requires_grad for p in model.parameters()],
        kept == [id(p) for p in model.parameters()],
    ]


def unlearned(inputs: Inputs) -> tuple[Bigram, Tensor, Tensor]:
    """Model, text and held-out text, whose loss falls at first and then rises."""
    data = torch.tensor([0, 1, 0, 2, 0, 1, 3])
    held_out = torch.tensor([0, 1, 0, 2, 0, 2, 1, 0, 2, 0, 1, 2, 0])
    return Bigram(torch.zeros(5, 5), torch.ones(5) + 0.05 * inputs.randn(5)), data, held_out


def far_off(answer: Any, inputs: Inputs) -> list:
    """The held-out text is one step that the text does not have, and believed in less and less."""
    model, data, _ = unlearned(inputs)
    with torch.no_grad():
        model.table[:3, 4], model.table[3, 4] = -1.0, 400.0
    how = {**HOW, "peak": 0.3, "context": 6, "every": 2}
    return [answer(model, data, 4, torch.full((13,), 3), **how), *weights(model)]


def watched(answer: Any, inputs: Inputs) -> list:
    """Everything that `watch` is told, and the losses returned."""
    model, data = model_of(inputs), one_piece(inputs)
    told: list = []
    how = {**HOW, "context": 6, "every": 3}
    held_out = one_piece(inputs, 20)
    answer = showing_weights(answer)
    return [
        answer(model, data, 5, held_out, watch=lambda *now: told.append(list(now)), **how),
        told,
    ]


def modes(answer: Any, inputs: Inputs) -> list:
    """Train mode in the steps, eval mode and no gradients in the measurements and at the end."""
    seen = []
    for begin in (True, False):
        model, data = model_of(inputs).train(begin), one_piece(inputs)
        answer(model, data, 4, data, context=6, **{**HOW, "every": 2})
        steps = [training for training, gradients in model.modes if gradients]
        measured = [training for training, gradients in model.modes if not gradients]
        seen.append([steps, sorted(set(measured)), model.training])
    return seen


def pieces_drawn(answer: Any, inputs: Inputs) -> list:
    """Each row is a piece of the text, from random places, the last one included."""
    context, room = 5, 3  # pieces start at 0, 1 or 2
    data = torch.arange(context + room)
    model = model_of(inputs, len(data))
    generator = torch.Generator().manual_seed(3)
    how = {**HOW, "batch": 16, "context": context}
    answer(model, data, 3, data, generator=generator, **how)
    rows = [row.tolist() for fed in model.fed for row in fed]
    pieces = all(row == list(range(row[0], row[0] + len(row))) for row in rows)
    return [
        [list(fed.shape) for fed in model.fed],
        pieces,
        sorted({row[0] for row in rows}),
        any(len(set(fed[:, 0].tolist())) > 1 for fed in model.fed),
        any(not torch.equal(fed, model.fed[0]) for fed in model.fed),
    ]


def draws(answer: Any, inputs: Inputs) -> list:
    """The same seed draws the same pieces, another seed others; torch's own seed plays no part."""
    data = torch.arange(40)
    table = inputs.randn(40, 40)
    fed, kept = [], []
    for seed, outer in ((5, 1), (5, 2), (6, 1)):
        torch.default_generator.manual_seed(outer)  # torch.manual_seed looks for all devices first
        before = torch.get_rng_state()
        model = Bigram(table, torch.ones(40))
        generator = torch.Generator().manual_seed(seed)
        answer(model, data, 2, data, context=5, generator=generator, **HOW)
        fed.append(torch.cat(model.fed).tolist())
        kept.append(torch.equal(before, torch.get_rng_state()))
    return [fed[0] == fed[1], fed[0] == fed[2], all(kept)]


def without_generator(answer: Any, inputs: Inputs) -> list:
    """Without a generator, torch's own seed decides: two runs draw other pieces."""
    data, fed = torch.arange(40), []
    for _ in range(2):
        model = model_of(inputs, 40)
        answer(model, data, 2, data, context=5, **HOW)
        fed.append(torch.cat(model.fed).tolist())
    return [fed[0] != fed[1]]


def interrupted(at: int, every: int, in_forward: bool) -> Any:
    """Somebody presses stop in step `at`: in the model, or in what watches."""

    def run(answer: Any, inputs: Inputs) -> list:
        model, data, held_out = unlearned(inputs)

        def watch(step: int, *_: Any) -> None:
            if step == at and not in_forward:
                raise KeyboardInterrupt

        model.stop_at = at if in_forward else 0
        how = {**HOW, "peak": 0.3, "context": 6, "every": every}
        with stopped_by_hand():
            losses = answer(model, data, 12, held_out, watch=watch, **how)
        return [losses, *weights(model), model.training]

    return run


def broken(answer: Any, inputs: Inputs) -> list:
    """The model fails in its second step: what is the name of the error that comes out?"""
    model, data = model_of(inputs), one_piece(inputs)
    model.stop_at, model.stop = 2, ValueError("these ids are out of range")
    return [error_of(lambda: answer(model, data, 4, data, context=6, **HOW))]


def defaults(answer: Any, inputs: Inputs) -> list:
    """Called with nothing but model, text and steps, it takes the rates it promises."""
    data = one_piece(inputs, 64)
    model = model_of(inputs)
    return [answer(model, data, 3, data), *weights(model), [list(f.shape) for f in model.fed]]
