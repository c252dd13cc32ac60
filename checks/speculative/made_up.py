"""Lab 14: caches, models and drafts made up for `rewind` and `speculative_generate`."""

import torch
from torch import Tensor, nn

from checks.engine import Inputs
from checks.engine.streams import Stream

VOCABULARY = 29  # so many that two wrong rules rarely choose the same token
TABLE = 11  # the made-up model has TABLE² different rows of logits


class Layer:
    """The cache of one layer, as lab 05 makes it: buffers, and how many positions count."""

    def __init__(self, batch: int, max_len: int, n_kv_heads: int = 1, head_dim: int = 1) -> None:
        shape = (batch, n_kv_heads, max_len, head_dim)
        self.keys, self.values = torch.zeros(shape), torch.zeros(shape)
        self.length = 0

    def update(self, k: Tensor, v: Tensor) -> tuple[Tensor, Tensor]:
        """Write new positions; all so far. ValueError where they do not fit."""
        end, room = self.length + k.shape[2], self.keys.shape[2]
        if end > room:
            raise ValueError(f"{end} positions do not fit into a cache of {room}")
        self.keys[:, :, self.length : end] = k
        self.values[:, :, self.length : end] = v
        self.length = end
        return self.keys[:, :, :end].clone(), self.values[:, :, :end].clone()


class MadeUpModel(nn.Module):
    """A made-up model: the next token depends on all tokens that its caches hold, in order.

    What it holds it reads out of the caches, so that leftovers of rejected drafts change what it
    says. `seen` has for each call the tokens that the caches held, and those that were new.
    """

    def __init__(self, table: Tensor) -> None:
        super().__init__()
        self.table = nn.Parameter(table)  # (TABLE, TABLE, V)
        self.seen: list[tuple[list[int], list[int]]] = []
        self.gradients: list[bool] = []

    def new_caches(self, batch: int, max_len: int) -> list[Layer]:
        """Two layers' caches."""
        return [Layer(batch, max_len) for _ in range(2)]

    def forward(self, ids: Tensor, caches: list[Layer] | None = None) -> Tensor:
        """ids: (1, T) → logits (1, T, V)."""
        new = [int(token) for token in ids.flatten().tolist()]
        if ids.dim() != 2 or len(ids) != 1:
            raise ValueError(f"the model wants ids (1, T), not {tuple(ids.shape)}")
        numbers = ids[:, None, :, None].float()
        held = [cache.update(numbers, numbers)[0].flatten().tolist() for cache in caches or ()]
        texts = [[int(x) for x in text] for text in held] or [new, new]
        self.seen.append((texts[0][: len(texts[0]) - len(new)], new))
        self.gradients.append(torch.is_grad_enabled())
        ends = range(len(new) - 1, -1, -1)
        rows = [self.row(*(text[: len(text) - back] for text in texts)) for back in ends]
        return torch.stack(rows)[None]

    def row(self, first: list[int], second: list[int]) -> Tensor:
        """The logits after a text, as the first layer holds it, and the second: (V,)."""
        one, other = 1, 1
        for token in first:
            one = (one * 3 + token + 1) % 101
        for token in second:
            other = (other * 7 + token + 1) % 103
        return self.table[one % TABLE, other % TABLE]

    def next(self, text: list[int]) -> int:
        """The likeliest token after a text."""
        return int(self.row(text, text).argmax())

    def go_on(self, text: list[int], n: int) -> list[int]:
        """The next n tokens, the likeliest each time."""
        text = list(text)
        for _ in range(n):
            text.append(self.next(text))
        return text[len(text) - n :]


class CountingModel(MadeUpModel):
    """Makes t + 1 by far the likeliest token after t, round and round from 0 to 9."""

    def __init__(self) -> None:
        super().__init__(torch.eye(10).roll(1, dims=1) * 60 - 30)

    def row(self, first: list[int], second: list[int]) -> Tensor:
        """The logits of what follows: (10,)."""
        return self.table[first[-1] % 10]


class SameAlways(nn.Module):
    """Gives the same logits always, and fast: for texts whose tokens are counted."""

    def __init__(self, logits: Tensor) -> None:
        super().__init__()
        self.logits = nn.Parameter(logits, requires_grad=False)  # (V,)

    def new_caches(self, batch: int, max_len: int) -> list[Layer]:
        """One layer's cache."""
        return [Layer(batch, max_len)]

    def forward(self, ids: Tensor, caches: list[Layer] | None = None) -> Tensor:
        """ids: (1, T) → logits (1, T, V)."""
        for cache in caches or ():
            cache.update(*[torch.zeros(1, 1, ids.shape[1], 1)] * 2)
        return self.logits.repeat(1, ids.shape[1], 1)


class Guesses:
    """A draft whose guesses are right so often, and then wrong: plan[round] right ones.

    It may be given more text than is right, and continues that. `asked` has the text and n.
    """

    def __init__(self, model: MadeUpModel, plan: tuple[int, ...], soft: bool = True) -> None:
        self.model, self.plan, self.soft = model, plan, soft
        self.asked: list[tuple[list[int], int]] = []
        self.generators: list[bool] = []

    def __call__(
        self, ids: Tensor, n: int, generator: torch.Generator | None = None
    ) -> tuple[Tensor, Tensor]:
        """ids: (T,) → drafts (m,), q (m, V)."""
        if ids.dim() != 1:
            raise ValueError(f"a draft wants the text as (T,), not {tuple(ids.shape)}")
        text = [int(token) for token in ids.tolist()]
        right = self.plan[len(self.asked) % len(self.plan)]
        self.asked.append((text, n))
        self.generators.append(isinstance(generator, torch.Generator))
        size = self.model.table.shape[-1]
        drafts = self.model.go_on(text, n) if right >= 0 else []
        drafts = [t if i < right else (t + 1) % size for i, t in enumerate(drafts)]
        tokens = torch.tensor(drafts, dtype=torch.long, device=ids.device)
        q = torch.eye(size, device=ids.device)[tokens]
        return tokens, q * 0.6 + 0.4 / size if self.soft else q


NOTHING = (-1,)  # a plan: no guess at all
PERFECT = (99,)


class Unlike:
    """A draft that draws each token from the same q, with the generator."""

    def __init__(self, q: Tensor) -> None:
        self.q = q

    def __call__(
        self, ids: Tensor, n: int, generator: torch.Generator | None = None
    ) -> tuple[Tensor, Tensor]:
        """ids: (T,) → drafts (n,), q (n, V)."""
        q = self.q.expand(n, -1)
        if n == 0:
            return ids[:0], q
        return torch.multinomial(q, 1, generator=generator)[:, 0], q


def made_up(inputs: Inputs, steepness: float = 3.0) -> MadeUpModel:
    """A model with random logits."""
    return MadeUpModel(inputs.randn(TABLE, TABLE, VOCABULARY) * steepness)


READS = Stream(
    at=3,
    says=": `yield token`, and no return value.",
)
stream, drawn, written = READS.each, READS.drawn, READS.written
