"""Lab 10: models made up for `generate`, and how its stream is read."""

import torch
from torch import Tensor, nn

from checks.engine import Inputs
from checks.engine.streams import Stream

VOCABULARY = 29  # so many that two wrong rules rarely choose the same token
TABLE = 11  # the made-up model has TABLE² different rows of logits


Known = tuple[int, int, int]  # what is known of the tokens so far: two sums, and the last
NOTHING: Known = (1, 1, 0)


class OneCache:
    """Stands for the cache of one layer: what it knows of the tokens seen, and how many fit."""

    def __init__(self, batch: int, max_len: int) -> None:
        self.batch, self.max_len = batch, max_len
        self.length, self.known = 0, NOTHING

    def take(self, ids: Tensor) -> None:
        """Make room for ids (1, T); raise ValueError where they do not fit."""
        if ids.dim() > 1 and len(ids) != self.batch:
            raise ValueError(f"caches for a batch of {self.batch} got ids of shape {ids.shape}")
        self.length += ids.shape[-1]
        if self.length > self.max_len:
            says = f"{self.length} positions do not fit into a cache of {self.max_len}"
            raise ValueError(says)


class MadeUpModel(nn.Module):
    """A made-up model: the next token depends on all tokens before it and on their order.

    `asked` records every call: shape and tokens, and which caches came with it.
    """

    def __init__(self, table: Tensor) -> None:
        super().__init__()
        self.table = nn.Parameter(table)  # (TABLE, TABLE, V)
        self.asked: list[list] = []
        self.gradients: list[bool] = []
        self.used: list[OneCache] = []  # the first of each set of caches that came
        self.first: Tensor | None = None  # the very tensor that came first

    def new_caches(self, batch: int, max_len: int) -> list[OneCache]:
        """Two layers' caches."""
        return [OneCache(batch, max_len) for _ in range(2)]

    def forward(self, ids: Tensor, caches: list[OneCache] | None = None) -> Tensor:
        """ids: (1, T) → logits (1, T, V)."""
        tokens = [int(token) for token in ids.flatten().tolist()]
        self.first = ids if self.first is None else self.first
        if caches and caches[0] not in self.used:
            self.used.append(caches[0])
        which = f"caches {self.used.index(caches[0]) + 1}" if caches else "no caches"
        self.asked.append([*ids.shape, *tokens, which])
        self.gradients.append(torch.is_grad_enabled())
        for cache in caches or ():
            cache.take(ids)
        known = caches[0].known if caches else NOTHING
        rows = []
        for place, token in enumerate(tokens):
            known = (known[0] * 3 + token + 1) % 101, (known[1] * 7 + token + 1) % 101, token
            loud = place % 3 == 1 and place < len(tokens) - 1  # the loudest row is not the last
            rows.append(self.row(known) * (4 if loud else 1))
        for cache in caches or ():
            cache.known = known
        return torch.stack(rows)[None]

    def row(self, known: Known) -> Tensor:
        """The logits of what follows: (V,)."""
        return self.table[known[0] % TABLE, known[1] % TABLE]


class SameAlways(nn.Module):
    """Gives the same logits always, and fast: for texts whose tokens are counted."""

    def __init__(self, logits: Tensor) -> None:
        super().__init__()
        self.logits = nn.Parameter(logits, requires_grad=False)  # (V,)
        self.read: list[int] = []  # the last token of each call

    def new_caches(self, batch: int, max_len: int) -> list[OneCache]:
        """One layer's cache, which counts what it is given."""
        return [OneCache(batch, max_len)]

    def forward(self, ids: Tensor, caches: list[OneCache] | None = None) -> Tensor:
        """ids: (1, T) → logits (1, T, V)."""
        self.read.append(int(ids.flatten()[-1]))
        for cache in caches or ():
            cache.take(ids)
        return self.logits.repeat(1, ids.shape[-1], 1)  # anew: they may be written into


class CountingModel(MadeUpModel):
    """Makes t + 1 by far the likeliest token after t, round and round from 0 to 9."""

    def __init__(self) -> None:
        super().__init__(torch.eye(10).roll(1, dims=1) * 60 - 30)

    def row(self, known: Known) -> Tensor:
        """The logits of what follows: (10,)."""
        return self.table[known[-1] % 10]


def made_up(inputs: Inputs, steepness: float = 3.0) -> MadeUpModel:
    """A model with random logits."""
    return MadeUpModel(inputs.randn(TABLE, TABLE, VOCABULARY) * steepness)


READS = Stream(
    at=2,
    says=", each as soon as it is drawn: `yield token` inside the loop, and no return value.",
)
stream, drawn, written = READS.each, READS.drawn, READS.written
