"""Lab 10: models made up for `generate`, and how its stream is read."""

import itertools
from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor, nn

from checks.engine import Inputs, Wrong
from checks.engine.compare import a_kind_of

VOCABULARY = 29  # so many that two wrong rules rarely choose the same token
TABLE = 11  # the made-up model has TABLE² different rows of logits
MORE = 20  # tokens that are waited for beyond n_new


class ToyCache:
    """Stands for the cache of one layer: which tokens it has seen, and how many fit."""

    def __init__(self, number: int, max_len: int) -> None:
        self.number, self.max_len = number, max_len
        self.known: list[int] = []

    @property
    def length(self) -> int:
        """How many positions are written."""
        return len(self.known)


class Toy(nn.Module):
    """A made-up model: the next token depends on all tokens before it and on their order.

    `asked` records every call: shape and tokens, and which caches came with it.
    """

    def __init__(self, table: Tensor) -> None:
        super().__init__()
        self.table = nn.Parameter(table)  # (TABLE, TABLE, V), or (V,): the same always
        self.asked: list[list] = []
        self.gradients: list[bool] = []
        self.made = 0
        self.first: Tensor | None = None  # the very tensor that came first

    def new_caches(self, batch: int, max_len: int) -> list[ToyCache]:
        """Two layers' caches."""
        self.made += 1
        return [ToyCache(self.made, max_len) for _ in range(2)]

    def forward(self, ids: Tensor, caches: list[ToyCache] | None = None) -> Tensor:
        """ids: (1, T) → logits (1, T, V)."""
        tokens = [int(token) for token in ids.flatten().tolist()]
        self.first = ids if self.first is None else self.first
        which = f"caches {caches[0].number}" if caches else "no caches"
        self.asked.append([*ids.shape, *tokens, which])
        self.gradients.append(torch.is_grad_enabled())
        for cache in caches or ():
            if cache.length + len(tokens) > cache.max_len:
                raise ValueError(
                    f"{cache.length + len(tokens)} positions do not fit into a cache of "
                    f"{cache.max_len}"
                )
        known = list(caches[0].known) if caches else []
        for cache in caches or ():
            cache.known += tokens
        if self.table.dim() == 1:
            return self.table.expand(1, len(tokens), -1)
        rows = []
        for place, token in enumerate(tokens):
            known.append(token)
            loud = place % 3 == 1 and place < len(tokens) - 1  # the loudest row is not the last
            rows.append(self.row(known) * (4 if loud else 1))
        return torch.stack(rows)[None]

    def row(self, known: list[int]) -> Tensor:
        """The logits of what follows these tokens: (V,)."""
        a, b = 1, 1
        for token in known:
            a, b = (a * 3 + token + 1) % 101, (b * 7 + token + 1) % 101
        return self.table[a % TABLE, b % TABLE]


class Counting(Toy):
    """Makes t + 1 by far the likeliest token after t, round and round from 0 to 9."""

    def __init__(self) -> None:
        super().__init__(torch.eye(10).roll(1, dims=1) * 60 - 30)

    def row(self, known: list[int]) -> Tensor:
        """The logits of what follows these tokens: (10,)."""
        return self.table[known[-1] % 10]


def toy(inputs: Inputs, steepness: float = 3.0) -> Toy:
    """A model with random logits."""
    return Toy(inputs.randn(TABLE, TABLE, VOCABULARY) * steepness)


def stream(answer: Any, *args: Any, **settings: Any) -> Iterator[Any]:
    """Call `generate` and go through what it hands out; a sentence when it is no iterator."""
    transcript = vars(answer)["_transcript"]
    result = answer(*args, **settings)
    if isinstance(result, Tensor | list | tuple | str | int | float | dict | set | None):
        kind = "nothing" if result is None else a_kind_of(result)
        raise Wrong(
            f"it returned {kind}. Tokens are handed out one by one, each as soon as "
            "it is drawn: `yield token` inside the loop, and no return value."
        )
    try:
        yield from itertools.islice(result, args[2] + MORE)
    except NotImplementedError as error:
        if str(error).startswith("Exercise"):
            transcript.unwritten = str(error)
        raise
