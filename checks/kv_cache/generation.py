"""Lab 05: what the checks of both ways to generate try."""

import contextlib
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from checks.engine import Crash, Inputs, Probe, keeps_device

VOCABULARY = 29  # so many that two wrong rules rarely choose the same token
TABLE = 11  # the made-up model has TABLE² different rows of logits
LENGTHS = ((3, 5), (1, 4), (6, 2), (9, 1))  # of a prompt, and of what follows
APPEND = "Append the likeliest next token, n_new times"


class ToyModel:
    """A made-up model to generate with: the next token depends on all tokens and their order.

    With `cached` it remembers what it was given and expects only what is new. `asked` records
    every call: shape, dtype and tokens.
    """

    def __init__(self, inputs: Inputs, cached: bool, ties: bool = False) -> None:
        self.cached, self.ties = cached, ties
        self.table = inputs.randn(TABLE, TABLE, VOCABULARY)
        self.known = (1, 1)  # two digests of all tokens so far
        self.asked: list = []

    def __call__(self, ids: Tensor) -> Tensor:
        """ids: (1, T) → logits (1, T, V)."""
        tokens = ids.flatten().tolist()
        self.asked.append([str(ids.dtype), *ids.shape, *tokens])
        if not self.cached:
            self.known = (1, 1)
        rows = []
        for token in tokens:
            new = int(token) % VOCABULARY + 1
            self.known = (self.known[0] * 3 + new) % 101, (self.known[1] * 7 + new) % 101
            rows.append(self.table[self.known[0] % TABLE, self.known[1] % TABLE])
        logits = torch.stack(rows) if rows else self.table[0, :0]
        logits[1::3] *= 3  # the loudest row is not the last one
        if self.ties:
            logits[:, 4::3] = logits.max(-1, keepdim=True).values
        return logits.reshape(*ids.shape, VOCABULARY)


class Counts:
    """A model that makes t + by the likeliest token after t, round and round from 0 to 9.

    But t + by + 7 is nearly as likely, and rounding to half precision makes the two alike.
    """

    def __init__(self, by: int = 1) -> None:
        self.by, self.asked = by, []
        self.follows = torch.eye(10).roll(by, dims=1) + 0.9999 * torch.eye(10).roll(by + 7, dims=1)

    def __call__(self, ids: Tensor) -> Tensor:
        """ids: (1, T) → logits (1, T, 10)."""
        self.asked.append(list(ids.shape))
        return self.follows[ids.long() % 10]


def counting_up(answer: Any, inputs: Inputs) -> Tensor:
    """The worked example."""
    return answer(Counts(), torch.tensor([[5, 3]]), 3)


def generation(cached: bool, ties: bool = False) -> Callable[[Any, Inputs], list[Tensor]]:
    """A probe's run: the tokens, after prompts of several lengths."""

    def run(answer: Any, inputs: Inputs) -> list[Tensor]:
        seen = []
        for n_prompt, n_new in LENGTHS:
            torch.default_generator.manual_seed(n_prompt)  # so that sampling can be re-enacted
            ids = inputs.integers(1, n_prompt, high=VOCABULARY)
            seen.append(answer(ToyModel(inputs, cached, ties), ids, n_new))
        return seen

    return run


def questions(cached: bool) -> Callable[[Any, Inputs], list]:
    """A probe's run: what `step` is asked."""

    def run(answer: Any, inputs: Inputs) -> list:
        seen: list = []
        for n_prompt, n_new in LENGTHS:
            torch.default_generator.manual_seed(n_prompt)
            model = ToyModel(inputs, cached)
            ids = inputs.integers(1, n_prompt, high=VOCABULARY)
            with contextlib.suppress(Crash):  # what was asked before it stops is to be seen
                answer(model, ids, n_new)
            seen.append(model.asked)
        return seen

    return run


def no_new_token(cached: bool) -> Callable[[Any, Inputs], Tensor]:
    """A probe's run: n_new = 0."""
    return lambda answer, inputs: answer(
        ToyModel(inputs, cached), inputs.integers(1, 4, high=VOCABULARY), 0
    )


def no_call(cached: bool) -> Callable[[Any, Inputs], list]:
    """A probe's run: what step is asked for n_new = 0."""

    def run(answer: Any, inputs: Inputs) -> list:
        model, ids = ToyModel(inputs, cached), inputs.integers(1, 4, high=VOCABULARY)
        with contextlib.suppress(Crash):
            answer(model, ids, 0)
        return model.asked

    return run


def long_run(cached: bool) -> Callable[[Any, Inputs], list]:
    """A probe's run: a long prompt, and many new tokens: all there are, one of them for ever."""

    def run(answer: Any, inputs: Inputs) -> list:
        torch.default_generator.manual_seed(0)
        model, counts, stutters = ToyModel(inputs, cached), Counts(), Counts(by=0)
        return [
            answer(model, inputs.integers(1, 2, high=VOCABULARY), 11),
            answer(counts, torch.tensor([[7]]), 11),
            answer(stutters, torch.tensor([[4]]), 6),
            answer(counts, torch.zeros(1, 1500, dtype=torch.long), 2),
            counts.asked,
        ]

    return run


def technique(cached: bool, asked: str, ties: str) -> list[Probe]:
    """The probes of both loops; they differ in what `step` should be asked."""
    return [
        Probe(
            "worked example: a model that counts up",
            counting_up,
            promise="torch.tensor([[5, 3]]), 3)",
        ),
        Probe("the tokens, for prompts of several lengths", generation(cached), promise=APPEND),
        Probe(
            f"what step is asked: {asked}",
            questions(cached),
            f"What `step` is given is not as it should be. It gets {asked}: (1, T) whole numbers, "
            "n_new calls in all.",
            promise="called n_new times",
        ),
        Probe("longer runs; no token is special", long_run(cached), promise=APPEND),
        Probe(
            "a tie goes to the first of the largest",
            generation(cached, ties=True),
            "Two logits were equal, and the later one was taken. torch.argmax takes the first.",
            promise=ties,
        ),
    ]


def ready(cached: bool) -> list[Probe]:
    """What a real model needs besides."""
    return [
        Probe(
            "n_new = 0: the prompt comes back", no_new_token(cached), promise="called n_new times"
        ),
        Probe(
            "n_new = 0: step is not called",
            no_call(cached),
            "With n_new = 0 there is nothing to compute: step is not called.",
            promise="called n_new times",
        ),
        keeps_device(lambda inputs: (Counts(), inputs.integers(1, 4, high=10), 3)),
    ]
