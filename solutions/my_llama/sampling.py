"""10 · Sampling (made from solutions/10_sampling.py by tools/build.py)."""

from collections.abc import Collection, Iterator

import torch
from torch import Tensor

from . import Llama


def apply_temperature(logits: Tensor, temperature: float) -> Tensor:
    """Divide logits by a temperature; 0 keeps only the largest, of equals the first.

    logits: (..., V) → (..., V), same dtype; at temperature 0 all others become -inf, and
    which number stays does not matter.

    >>> apply_temperature(torch.tensor([[1.0, 3.0, 2.0]]), 0.5)
    tensor([[2., 6., 4.]])
    >>> apply_temperature(torch.tensor([[1.0, 3.0, 2.0]]), 0)
    tensor([[-inf, 3., -inf]])
    """
    if temperature == 0:
        first = logits.argmax(dim=-1, keepdim=True)  # (..., 1)
        places = torch.arange(logits.shape[-1], device=logits.device)  # (V,)
        return torch.where(places == first, logits, -torch.inf)
    return logits / temperature


def top_k(logits: Tensor, k: int) -> Tensor:
    """Keep the k largest logits; all others become -inf.

    logits: (..., V), k at least 1; a k above V keeps all → (..., V) in the same order. What equals
    the k-th may stay too.

    >>> top_k(torch.tensor([[1.0, 4.0, 2.0, 3.0]]), 2)
    tensor([[-inf, 4., -inf, 3.]])
    """
    k = min(k, logits.shape[-1])
    kth = logits.topk(k).values[..., -1:]  # (..., 1): the smallest that stays
    return torch.where(logits < kth, -torch.inf, logits)


def top_p(logits: Tensor, p: float) -> Tensor:
    """Keep the smallest set of the likeliest tokens whose probabilities reach p; never none.

    logits: (..., V), p from 0 to 1; 1 keeps all of probability above 0 → (..., V) in the same
    order, the others -inf.

    >>> logits = torch.tensor([[0.09, 0.5, 0.41]]).log()
    >>> top_p(logits, 0.9).exp()   # 0.5 is not enough, 0.5 + 0.41 is
    tensor([[0.0000, 0.5000, 0.4100]])
    >>> top_p(logits, 0.0).exp()
    tensor([[0.0000, 0.5000, 0.0000]])
    """
    ascending, order = logits.float().softmax(dim=-1).sort(dim=-1)
    keep = ascending.cumsum(dim=-1) > 1 - p  # with all that are less likely: more than 1 - p
    keep[..., -1] = True
    keep = torch.zeros_like(keep).scatter(-1, order, keep)  # back to the tokens' own places
    return torch.where(keep, logits, -torch.inf)


def min_p(logits: Tensor, p: float) -> Tensor:
    """Keep the tokens that are at least p times as likely as the likeliest.

    logits: (..., V), p from 0 to 1 → (..., V) in the same order, the others -inf.

    >>> logits = torch.tensor([[0.5, 0.3, 0.04, 0.16]]).log()
    >>> min_p(logits, 0.2).exp()   # the threshold is 0.2 · 0.5
    tensor([[0.5000, 0.3000, 0.0000, 0.1600]])
    """
    probabilities = logits.float().softmax(dim=-1)
    keep = probabilities >= p * probabilities.amax(dim=-1, keepdim=True)
    return torch.where(keep, logits, -torch.inf)


def sample(logits: Tensor, generator: torch.Generator | None = None) -> Tensor:
    """Draw one token for each row, with the probabilities of the softmax.

    logits: (B, V) → (B,) int64. generator: the source of all luck; None is torch's own.

    >>> sample(torch.tensor([[-torch.inf, 0.0, -torch.inf], [2.0, -torch.inf, -torch.inf]]))
    tensor([1, 0])
    """
    probabilities = logits.float().softmax(dim=-1)
    return torch.multinomial(probabilities, 1, generator=generator).squeeze(-1)


@torch.no_grad()
def generate(
    model: Llama,
    ids: Tensor,
    n_new: int,
    temperature: float = 1.0,
    k: int | None = None,
    p: float | None = None,
    stop: Collection[int] | None = None,
    generator: torch.Generator | None = None,
) -> Iterator[int]:
    """Write n_new tokens after ids (1, T); yield each, as an int, as soon as it is drawn.

    Temperature, then top_k and top_p where k and p are given, then sample. A token in `stop` ends
    the text and is not yielded. n_new tokens take n_new calls of the model: first with the prompt,
    then with each new token but the last, by itself; with new caches for each call of generate.

    >>> class AddOne:   # a model that wants t + 1 after t
    ...     def new_caches(self, batch, max_len):
    ...         return []
    ...     def __call__(self, ids, caches):
    ...         return torch.eye(10)[ids + 1]
    >>> list(generate(AddOne(), torch.tensor([[5, 3]]), 3, temperature=0))
    [4, 5, 6]
    >>> list(generate(AddOne(), torch.tensor([[5, 3]]), 3, temperature=0, stop={6}))
    [4, 5]
    """
    caches = model.new_caches(1, ids.shape[1] + n_new)
    new = ids  # (1, T), later (1, 1)
    for _ in range(n_new):
        logits = model(new, caches)[:, -1].float()  # (1, V)
        logits = apply_temperature(logits, temperature)
        if k is not None:
            logits = top_k(logits, k)
        if p is not None:
            logits = top_p(logits, p)
        new = sample(logits, generator)[:, None]
        token = int(new.item())
        if stop is not None and token in stop:
            return
        yield token
