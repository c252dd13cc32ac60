"""Lab 13: a made-up model that remembers, for `token_losses`."""

import torch
from torch import Tensor, nn

VOCABULARY = 13
TABLE = 7  # the model has TABLE² different rows of logits

Known = tuple[int, int]  # what is known of the tokens so far
NOTHING: Known = (1, 1)


class OneCache:
    """Stands for the cache of one layer: what it knows of the tokens seen, and how many fit."""

    def __init__(self, batch: int, max_len: int) -> None:
        self.batch, self.max_len = batch, max_len
        self.length, self.known = 0, NOTHING


class Reader(nn.Module):
    """What it expects next depends on all tokens before and on their order.

    `asked` records every call: its shape, its tokens, and which caches came with it.
    """

    def __init__(self, table: Tensor) -> None:
        super().__init__()
        self.table = nn.Parameter(table)  # (TABLE, TABLE, V)
        self.asked: list[list] = []
        self.gradients: list[bool] = []
        self.made: list[list[OneCache]] = []

    def new_caches(self, batch: int, max_len: int) -> list[OneCache]:
        """Two layers' caches."""
        if batch != 1:
            raise ValueError(f"caches for a batch of {batch}: there is one text")
        self.made.append([OneCache(batch, max_len) for _ in range(2)])
        return self.made[-1]

    def forward(self, ids: Tensor, caches: list[OneCache] | None = None) -> Tensor:
        """ids: (1, T) → logits (1, T, V)."""
        if ids.dim() != 2 or len(ids) != 1:
            raise ValueError(f"the model wants ids of shape (1, T), and got {tuple(ids.shape)}")
        tokens = [int(token) for token in ids.flatten().tolist()]
        which = f"caches {self.made.index(caches) + 1}" if caches in self.made else "no caches"
        self.asked.append([*ids.shape, *tokens, which])
        self.gradients.append(torch.is_grad_enabled())
        known = caches[0].known if caches else NOTHING
        rows = []
        for token in tokens:
            known = (known[0] * 3 + token + 1) % 101, (known[1] * 5 + token + 1) % 97
            rows.append(self.table[known[0] % TABLE, known[1] % TABLE])
        for cache in caches or ():
            cache.length += len(tokens)
            cache.known = known
            if cache.length > cache.max_len:
                says = f"{cache.length} positions do not fit into a cache of {cache.max_len}"
                raise ValueError(says)
        return torch.stack(rows)[None] if rows else self.table.new_zeros(1, 0, VOCABULARY)


class Fair(nn.Module):
    """Thinks all of 4 tokens equally likely."""

    def new_caches(self, batch: int, max_len: int) -> list:
        """None are needed."""
        return []

    def forward(self, ids: Tensor, caches: list | None = None) -> Tensor:
        """ids: (1, T) → zeros (1, T, 4)."""
        return torch.zeros(*ids.shape, 4)
