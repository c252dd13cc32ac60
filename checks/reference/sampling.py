"""Lab 10, slow and obvious: one row of logits after the other, in float64."""

import functools
from collections.abc import Callable, Collection, Iterator, Sequence
from typing import Any

import torch
from torch import Tensor


def apply_temperature(logits: Tensor, temperature: float) -> Tensor:
    """(..., V) → (..., V): logits / temperature; 0 keeps the first of the largest only."""
    if temperature != 0:
        return (logits.double() / temperature).to(logits.dtype)
    return filtered(logits, lambda row: [i == row.index(max(row)) for i in range(len(row))])


def top_k(logits: Tensor, k: int) -> Tensor:
    """(..., V) → (..., V): the k largest stay, and whatever equals the k-th."""

    def largest(row: list[float]) -> list[bool]:
        kth = sorted(row, reverse=True)[min(k, len(row)) - 1]
        return [x >= kth for x in row]

    return filtered(logits, largest)


def top_p(logits: Tensor, p: float) -> Tensor:
    """(..., V) → (..., V): the smallest set of the likeliest whose mass reaches p stays."""

    return filtered(logits, lambda row: nucleus(tuple(row), p))


@functools.lru_cache(maxsize=64)  # a text may be drawn from one row, a hundred times
def nucleus(row: tuple[float, ...], p: float) -> list[bool]:
    """Which tokens of a row stay."""
    probabilities, mass = softmax(row), 0.0
    keep = [False] * len(row)
    for token in sorted(range(len(row)), key=lambda i: (-row[i], i)):
        keep[token] = True
        mass += probabilities[token]
        if mass >= p and p < 1:
            break
    return keep


def min_p(logits: Tensor, p: float) -> Tensor:
    """(..., V) → (..., V): those stay that are at least p times as likely as the likeliest."""

    def likely(row: list[float]) -> list[bool]:
        probabilities = softmax(row)
        return [x >= p * max(probabilities) for x in probabilities]

    return filtered(logits, likely)


def sample(logits: Tensor, generator: torch.Generator | None = None) -> Tensor:
    """(B, V) → (B,): one token for each row, by its probability."""
    edges = logits.double().softmax(-1).cumsum(-1)
    height = torch.rand(len(logits), 1, generator=generator, dtype=torch.float64)
    return (edges <= height * edges[:, -1:]).sum(-1)


def generate(
    model: Callable[..., Tensor],
    ids: Tensor,
    n_new: int,
    temperature: float = 1.0,
    k: int | None = None,
    p: float | None = None,
    stop: Collection[int] | None = None,
    generator: torch.Generator | None = None,
) -> Iterator[int]:
    """Yield up to n_new tokens after ids (1, T), each as soon as it is drawn."""
    caches: Any = model.new_caches(1, ids.shape[1] + n_new)
    for _ in range(n_new):
        with torch.no_grad():
            logits = model(ids, caches)[:, -1].float()
            logits = apply_temperature(logits, temperature)
            logits = logits if k is None else top_k(logits, k)
            logits = logits if p is None else top_p(logits, p)
            ids = sample(logits, generator)[:, None]
        if stop is not None and ids.item() in stop:
            return
        yield int(ids.item())


def filtered(logits: Tensor, choose: Callable[[list[float]], list[bool]]) -> Tensor:
    """(..., V) → (..., V): what `choose` does not keep of a row becomes -inf."""
    rows = logits.detach().double().reshape(-1, logits.shape[-1])
    keep = torch.tensor([choose(row.tolist()) for row in rows]).reshape(logits.shape)
    return torch.where(keep.to(logits.device), logits, -torch.inf)


def softmax(row: Sequence[float]) -> list[float]:
    """e^x over the sum of all of them."""
    return torch.tensor(row, dtype=torch.float64).softmax(-1).tolist()
