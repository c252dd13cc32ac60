"""14 · Speculative decoding (made from solutions/14_speculative.py by tools/build.py)."""

from collections.abc import Callable, Collection, Iterator
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from . import KVCache, Llama, apply_temperature


def lookup_draft(ids: Tensor, n_draft: int, longest: int = 3) -> Tensor:
    """Guess what comes next by looking up where the last tokens stood before.

    ids: (T,). The last n tokens, n = longest, longest - 1, …, 1, are looked for earlier in ids; the
    first n that is found counts, and of several places the latest. The guess is what followed there:
    at most n_draft tokens, fewer where ids ends, none when even the last token is new → (m,) int64.

    >>> lookup_draft(torch.tensor([7, 8, 9, 5, 7, 8]), n_draft=3)   # 7 8 stood before; then 9 5 7
    tensor([9, 5, 7])
    >>> lookup_draft(torch.tensor([1, 2, 1, 3, 1]), n_draft=3)   # 1 stood before, the latest at 2
    tensor([3, 1])
    >>> lookup_draft(torch.tensor([1, 2, 3]), n_draft=3)
    tensor([], dtype=torch.int64)
    """
    seen = ids.tolist()
    for n in range(min(longest, len(seen) - 1), 0, -1):
        for start in range(len(seen) - n - 1, -1, -1):  # the latest place first, without the end
            if seen[start : start + n] == seen[-n:]:
                return ids[start + n : start + n + n_draft]
    return ids[:0]


def accept_probability(p: Tensor, q: Tensor) -> Tensor:
    """How often a token drawn from q is accepted as one of p: the sum over tokens of min(p, q).

    p, q: (..., V), probabilities → (...). 1 when they are equal, 0 when they share no token.

    >>> p, q = torch.tensor([0.5, 0.3, 0.2]), torch.tensor([0.2, 0.6, 0.2])
    >>> accept_probability(p, q)   # 0.2 + 0.3 + 0.2
    tensor(0.7000)
    """
    return torch.minimum(p.float(), q.float()).sum(dim=-1).to(p.dtype)


def residual_distribution(p: Tensor, q: Tensor) -> Tensor:
    """What to draw from after a rejection: where p is larger than q, by how much, scaled to sum to 1.

    p, q: (..., V), probabilities → (..., V). A row of p and q that are equal gives p itself.

    >>> residual_distribution(torch.tensor([0.5, 0.3, 0.2]), torch.tensor([0.2, 0.6, 0.2]))
    tensor([1., 0., 0.])
    >>> residual_distribution(torch.tensor([0.5, 0.2, 0.3]), torch.tensor([0.2, 0.6, 0.2]))   # 3 : 1
    tensor([0.7500, 0.0000, 0.2500])
    """
    rest = (p.float() - q.float()).clamp(min=0)  # (..., V)
    total = rest.sum(dim=-1, keepdim=True)  # (..., 1), which is 1 - accept_probability
    scaled = rest / total.where(total > 0, 1.0)
    return torch.where(total > 0, scaled, p.float()).to(p.dtype)


def count_accepted(p: Tensor, q: Tensor, drafts: Tensor, luck: Tensor) -> int:
    """How many of the drafts are accepted: all before the first one that is not.

    p: (n, V) or more rows, q: (n, V): row i is what the target and the draft model thought of place
    i. drafts: (n,) ids, each drawn from its row of q; luck: (n,), from 0 to 1, 1 excluded. Draft i
    is accepted when luck[i] < p[i, draft] / q[i, draft]. n may be 0.

    >>> p = torch.tensor([[0.5, 0.3, 0.2], [0.5, 0.3, 0.2]])
    >>> q = torch.tensor([[0.2, 0.6, 0.2], [0.2, 0.6, 0.2]])
    >>> count_accepted(p, q, torch.tensor([0, 1]), torch.tensor([0.9, 0.4]))   # 2.5 and 0.5
    2
    >>> count_accepted(p, q, torch.tensor([1, 0]), torch.tensor([0.6, 0.0]))   # 0.5 is too little
    0
    """
    places = torch.arange(len(drafts), device=drafts.device)
    accepted = luck * q[places, drafts] < p[places, drafts]  # (n,)
    return int(accepted.long().cumprod(dim=0).sum())


def verify(
    p: Tensor, q: Tensor, drafts: Tensor, generator: torch.Generator | None = None
) -> Tensor:
    """Keep the accepted drafts, and add one token: every call gives at least one, at most n + 1.

    p: (n + 1, V), the target's probabilities at the n drafts' places and at the one behind them; q:
    (n, V), those that the drafts (n,) were drawn from; n may be 0. The added token is drawn from the
    residual at the first rejected place or, when all are accepted, from the last row of p (or in any
    way that comes to the same). Drafts drawn from q make tokens distributed exactly as from p.
    generator: the source of all luck; None is torch's own → (m + 1,) int64, m drafts accepted.

    >>> p, q = torch.eye(4)[[2, 0, 3]], torch.eye(4)[[2, 1]]   # everybody is certain
    >>> verify(p, q, torch.tensor([2, 1]))   # 2 is what p wants; then p wants 0
    tensor([2, 0])
    >>> verify(p, p[:2], torch.tensor([2, 0]))   # both accepted, and 3 for free
    tensor([2, 0, 3])
    """
    luck = torch.rand(len(drafts), generator=generator, device=p.device)
    n = count_accepted(p, q, drafts, luck)
    last = p[n] if n == len(drafts) else residual_distribution(p[n], q[n])
    return torch.cat([drafts[:n], torch.multinomial(last, 1, generator=generator)])


def rewind(caches: list[KVCache], length: int) -> None:
    """Forget all positions from `length` on, in every layer. In place.

    ValueError where length is negative, or more than the positions that are there, which are as many
    in every layer. Then nothing is changed.

    >>> cache = KVCache.empty(batch=1, n_kv_heads=1, max_len=4, head_dim=2)
    >>> _ = cache.update(torch.ones(1, 1, 3, 2), torch.ones(1, 1, 3, 2))
    >>> rewind([cache], 1)
    >>> cache.length
    1
    """
    for cache in caches:
        if not 0 <= length <= cache.length:
            raise ValueError(f"cannot go back to {length}: {cache.length} positions are here")
    for cache in caches:
        cache.length = length


def expected_tokens(alpha: float, n_draft: int) -> float:
    """Tokens per call of the target, on average, when each draft is accepted with probability alpha.

    1 + alpha + … + alpha^n_draft; alpha from 0 to 1, both included, n_draft from 0.

    >>> expected_tokens(0.5, 2), expected_tokens(1.0, 4)
    (1.75, 5.0)
    """
    return float(sum(alpha**i for i in range(n_draft + 1)))


def speedup(alpha: float, n_draft: int, draft_cost: float, verify_cost: float = 1.0) -> float:
    """How many times faster than the target alone, whose token costs 1.

    expected_tokens over the cost of a round: draft_cost for each of the n_draft drafted tokens, and
    verify_cost once, for the target's call on n_draft + 1 tokens.

    >>> round(speedup(0.8, 4, draft_cost=0.1), 4)   # 3.3616 tokens for 4 · 0.1 + 1
    2.4011
    >>> round(speedup(0.3, 4, draft_cost=0.3), 2)   # a bad and slow draft makes it slower
    0.65
    """
    return expected_tokens(alpha, n_draft) / (n_draft * draft_cost + verify_cost)


class LookupDraft:
    """Guesses by lookup_draft. It is certain of each: q is 1 there."""

    def __init__(self, vocab_size: int, longest: int = 3) -> None:
        self.vocab_size, self.longest = vocab_size, longest

    def __call__(
        self, ids: Tensor, n: int, generator: torch.Generator | None = None
    ) -> tuple[Tensor, Tensor]:
        """ids: (T,) → drafts (m,), q (m, V), m at most n."""
        drafts = lookup_draft(ids, n, self.longest)
        return drafts, F.one_hot(drafts, self.vocab_size).float()


class ModelDraft:
    """A second model guesses, with caches of its own; it reads only what is new to it."""

    def __init__(self, model: Any, max_len: int, temperature: float = 1.0) -> None:
        self.model, self.temperature = model, temperature
        self.caches = model.new_caches(1, max_len)
        self.read: list[int] = []  # the tokens that are in the caches

    @torch.no_grad()
    def __call__(
        self, ids: Tensor, n: int, generator: torch.Generator | None = None
    ) -> tuple[Tensor, Tensor]:
        """ids: (T,) → drafts (n,), q (n, V): drawn one after the other."""
        text, same = ids.tolist(), 0
        while same < min(len(self.read), len(text) - 1) and self.read[same] == text[same]:
            same += 1
        # Lab 11's decoder has one cache for all layers; rewind only needs its `length`.
        rewind(self.caches if isinstance(self.caches, list) else [self.caches], same)
        rows = [torch.zeros(0, self.model.config.vocab_size)]
        self.read, new = text[:same], text[same:]
        for _ in range(n):
            # A prompt goes in at once, a few tokens one by one: lab 11's kernel likes that.
            for part in [new] if len(new) > 4 else [[token] for token in new]:
                logits = self.model(torch.tensor([part]), self.caches)[:, -1].float()  # (1, V)
            self.read += new
            rows.append(apply_temperature(logits, self.temperature).softmax(dim=-1))
            new = [int(torch.multinomial(rows[-1][0], 1, generator=generator))]
            text = [*text, *new]
        return torch.tensor(text[len(ids) :], dtype=torch.long), torch.cat(rows)


Draft = Callable[[Tensor, int, torch.Generator | None], tuple[Tensor, Tensor]]


@torch.no_grad()
def speculative_generate(
    model: Llama,
    draft: Draft,
    ids: Tensor,
    n_new: int,
    n_draft: int = 4,
    temperature: float = 1.0,
    stop: Collection[int] | None = None,
    generator: torch.Generator | None = None,
) -> Iterator[int]:
    """As lab 10's generate, several tokens for each call of the model; yields ints, one by one.

    ids: (1, T). draft(text (T,), n, generator) → drafts (m,) and q (m, V), m from 0 to n, n at most n_draft:
    guesses for what follows the text so far, and the probabilities they were drawn from, at this
    temperature. One call of the model reads what its caches do not hold yet, and the drafts; then
    they are cut to the tokens that are kept. A call's tokens are yielded before the next call. The
    text ends before a token in `stop`, wherever in a call it comes, and after n_new tokens.

    >>> class AddOne:   # a model that wants t + 1 after t
    ...     def new_caches(self, batch, max_len):
    ...         return []
    ...     def __call__(self, ids, caches):
    ...         return torch.eye(10)[ids + 1]
    >>> def four(text, n, generator):   # guesses 4, always
    ...     return torch.tensor([4])[:n], torch.eye(10)[[4]][:n]
    >>> list(speculative_generate(AddOne(), four, torch.tensor([[5, 3]]), 3, temperature=0))
    [4, 5, 6]
    """
    caches = model.new_caches(1, ids.shape[1] + n_new)
    text, new, left = ids[0], ids, n_new  # new: what the model has not read yet
    while left > 0:
        drafts, q = draft(text, min(n_draft, left - 1), generator)
        logits = model(torch.cat([new, drafts[None]], dim=1), caches)[0, -len(drafts) - 1 :].float()
        p = apply_temperature(logits, temperature).softmax(dim=-1)  # (m + 1, V)
        kept = verify(p, q, drafts, generator)
        text = torch.cat([text, kept])
        rewind(caches, len(text) - 1)
        new, left = kept[None, -1:], left - len(kept)
        for token in kept.tolist():
            if stop is not None and token in stop:
                return
            yield token
