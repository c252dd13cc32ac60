"""Lab 05: what the checks of both ways to generate try."""

from typing import Any

import torch
from torch import Tensor

from checks.engine import Inputs, Probe

VOCABULARY = 29  # so many that two wrong rules rarely choose the same token
TABLE = 11  # the made-up model has TABLE² different rows of logits


class ToyModel:
    """A made-up model to generate with: the next token depends on all tokens and their order.

    With `cached` it remembers what it was given and expects only what is new. `asked` records
    every call: shape, dtype and tokens.
    """

    def __init__(self, inputs: Inputs, cached: bool, ties: bool = False) -> None:
        self.cached, self.ties = cached, ties
        self.table = inputs.randn(TABLE, TABLE, VOCABULARY)
        self.known: list[int] = []
        self.asked: list = []

    def __call__(self, ids: Tensor) -> Tensor:
        """ids: (1, T) → logits (1, T, V)."""
        tokens = ids.flatten().tolist()
        self.asked.append([str(ids.dtype), *ids.shape, *tokens])
        if not self.cached:
            self.known = []
        rows = []
        for token in tokens:
            self.known.append(int(token) % VOCABULARY)
            rows.append(self.table[self._digest(3), self._digest(7)])
        logits = torch.stack(rows) if rows else self.table[0, :0]
        logits[1::3] *= 3  # the loudest row is not the last one
        if self.ties:
            logits[:, 4::3] = logits.max(-1, keepdim=True).values
        return logits[None]

    def _digest(self, factor: int) -> int:
        number = 1
        for token in self.known:
            number = (number * factor + token + 1) % 101
        return number % TABLE


def generation(cached: bool, ties: bool = False) -> Any:
    """A probe's run: prompts of several lengths, the result and what `step` was asked."""

    def run(answer: Any, inputs: Inputs) -> list:
        seen = []
        for n_prompt, n_new in ((3, 5), (1, 4), (6, 2), (9, 1)):
            torch.manual_seed(n_prompt)  # so that sampling can be re-enacted
            model = ToyModel(inputs, cached, ties)
            ids = inputs.integers(1, n_prompt, high=VOCABULARY)
            seen += [answer(model, ids, n_new), model.asked]
        return seen

    return run


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


def no_new_token(cached: bool) -> Any:
    """A probe's run: n_new = 0."""

    def run(answer: Any, inputs: Inputs) -> list:
        model = ToyModel(inputs, cached)
        return [answer(model, inputs.integers(1, 4, high=VOCABULARY), 0), len(model.asked)]

    return run


def long_run(cached: bool) -> Any:
    """A probe's run: a long prompt, and many new tokens: all there are, one of them for ever."""

    def run(answer: Any, inputs: Inputs) -> list:
        torch.manual_seed(0)
        model, counts, stutters = ToyModel(inputs, cached), Counts(), Counts(by=0)
        return [
            answer(model, inputs.integers(1, 2, high=VOCABULARY), 15),
            len(model.asked),
            answer(counts, torch.tensor([[7]]), 12),
            answer(stutters, torch.tensor([[4]]), 6),
            answer(counts, torch.zeros(1, 1500, dtype=torch.long), 2),
            counts.asked,
        ]

    return run


def generation_probes(cached: bool) -> list[Probe]:
    """The probes of both loops; they differ in what `step` should be asked."""
    calls = (
        "the prompt first, then each new token by itself"
        if cached
        else "the whole sequence each time"
    )
    return [
        Probe("worked example: a model that counts up", counting_up),
        Probe(
            f"the tokens, and what step is asked: {calls}",
            generation(cached),
            f"The tokens, or what `step` was given, are not as they should be. It gets {calls}: "
            "(1, T) whole numbers, n_new calls in all.",
        ),
        Probe(
            "a tie goes to the first of the largest",
            generation(cached, ties=True),
            "Two logits were equal, and the later one was taken. torch.argmax takes the first.",
        ),
        Probe(
            "n_new = 0: the prompt as it was, and no call of step",
            no_new_token(cached),
            "With n_new = 0 there is nothing to compute: the prompt comes back, step is not "
            "called.",
        ),
        Probe("longer runs; no token is special", long_run(cached)),
    ]
