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


Known = tuple[int, int, int]  # what is known of the tokens so far: two sums, and the last
NOTHING: Known = (1, 1, 0)


class ToyCache:
    """Stands for the cache of one layer: what it knows of the tokens seen, and how many fit."""

    def __init__(self, number: int, max_len: int) -> None:
        self.number, self.max_len = number, max_len
        self.length, self.known = 0, NOTHING


class Toy(nn.Module):
    """A made-up model: the next token depends on all tokens before it and on their order.

    `asked` records every call: shape and tokens, and which caches came with it.
    """

    def __init__(self, table: Tensor) -> None:
        super().__init__()
        self.table = nn.Parameter(table)  # (TABLE, TABLE, V)
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
        known = caches[0].known if caches else NOTHING
        rows = []
        for place, token in enumerate(tokens):
            known = (known[0] * 3 + token + 1) % 101, (known[1] * 7 + token + 1) % 101, token
            loud = place % 3 == 1 and place < len(tokens) - 1  # the loudest row is not the last
            rows.append(self.row(known) * (4 if loud else 1))
        for cache in caches or ():
            cache.length, cache.known = cache.length + len(tokens), known
        return torch.stack(rows)[None]

    def row(self, known: Known) -> Tensor:
        """The logits of what follows: (V,)."""
        return self.table[known[0] % TABLE, known[1] % TABLE]


class Same(nn.Module):
    """Gives the same logits always, and fast: for texts whose tokens are counted."""

    def __init__(self, logits: Tensor) -> None:
        super().__init__()
        self.logits = nn.Parameter(logits, requires_grad=False)  # (V,)
        self.used = 0

    def new_caches(self, batch: int, max_len: int) -> list[ToyCache]:
        """Two layers' caches, which count what they are given."""
        self.used = 0
        return [ToyCache(1, max_len) for _ in range(2)]

    def forward(self, ids: Tensor, caches: list[ToyCache] | None = None) -> Tensor:
        """ids: (1, T) → logits (1, T, V)."""
        self.used += ids.shape[1]
        if caches and self.used > caches[0].max_len:
            raise ValueError(f"{self.used} positions do not fit into {caches[0].max_len}")
        return self.logits.expand(1, ids.shape[1], -1)


class Counting(Toy):
    """Makes t + 1 by far the likeliest token after t, round and round from 0 to 9."""

    def __init__(self) -> None:
        super().__init__(torch.eye(10).roll(1, dims=1) * 60 - 30)

    def row(self, known: Known) -> Tensor:
        """The logits of what follows: (10,)."""
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
