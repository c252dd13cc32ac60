"""Lab 10: right answers, written differently."""

import itertools
import math
from collections.abc import Collection, Iterator
from typing import Any

import numpy as np
import torch
from torch import Generator, Tensor, nn
from torch.nn import functional as F


def temperature_scatter(logits: Tensor, temperature: float) -> Tensor:
    """A new tensor of -inf, into which the largest is scattered; its logit becomes 0."""
    if temperature == 0:
        place = logits.argmax(-1, keepdim=True)
        return torch.full_like(logits, -torch.inf).scatter(-1, place, 0.0)
    return logits / temperature


def temperature_cumulative(logits: Tensor, temperature: float) -> Tensor:
    """The first place that equals the maximum, by a cumulative sum; a product with 1/T."""
    if temperature > 0:
        return logits * (1.0 / temperature)
    largest = logits == logits.amax(-1, keepdim=True)
    first = largest & (largest.cumsum(-1) == 1)
    return logits.masked_fill(~first, float("-inf"))


def temperature_one_hot(logits: Tensor, temperature: float) -> Tensor:
    """one_hot of the argmax as a mask; half precision goes through float32."""
    if not temperature:
        mask = F.one_hot(logits.argmax(-1), logits.shape[-1]).bool()
        return torch.where(mask, logits, torch.tensor(-torch.inf, dtype=logits.dtype))
    return (logits.float() / temperature).to(logits.dtype)


def temperature_max(logits: Tensor, temperature: float) -> Tensor:
    """The indices that max returns."""
    if temperature == 0:
        values, places = logits.max(dim=-1, keepdim=True)
        return torch.full_like(logits, -torch.inf).scatter_(-1, places, values)
    return torch.div(logits, temperature)


def temperature_mask_added(logits: Tensor, temperature: float) -> Tensor:
    """-inf is added to all but the first of the largest, found by a stable sort."""
    if temperature != 0:
        return logits / torch.tensor(temperature, dtype=logits.dtype, device=logits.device)
    ranks = torch.argsort(-logits, dim=-1, stable=True).argsort(-1)
    return logits + torch.zeros_like(logits).masked_fill(ranks > 0, -torch.inf)


def k_mask_added(logits: Tensor, k: int) -> Tensor:
    """The logarithm of a mask of ones and zeros is added."""
    places = logits.topk(min(k, logits.shape[-1])).indices
    return logits + torch.zeros_like(logits).scatter(-1, places, 1.0).log()


def k_smallest_removed(logits: Tensor, k: int) -> Tensor:
    """Not what stays is looked for, but what goes."""
    if k >= logits.shape[-1]:
        return logits
    smallest = logits.topk(logits.shape[-1] - k, largest=False).indices
    return logits.scatter(-1, smallest, -torch.inf)


def k_hugging_face(logits: Tensor, k: int) -> Tensor:
    """Hugging Face's way: mask what is below the k-th; all equals of the k-th stay."""
    k = min(k, logits.size(-1))
    mask = logits < torch.topk(logits, k)[0][..., -1, None]
    return logits.masked_fill(mask, -float("inf"))


def k_scatter(logits: Tensor, k: int) -> Tensor:
    """Exactly k: the values of topk, scattered into -inf."""
    values, places = logits.topk(min(k, logits.shape[-1]), dim=-1)
    return torch.full_like(logits, -torch.inf).scatter(-1, places, values)


def k_sort(logits: Tensor, k: int) -> Tensor:
    """By ranks: argsort twice."""
    ranks = logits.argsort(dim=-1, descending=True).argsort(dim=-1)
    return torch.where(ranks < k, logits, -torch.inf)


def k_count(logits: Tensor, k: int) -> Tensor:
    """How many are larger: fewer than k."""
    larger = (logits[..., None, :] > logits[..., :, None]).sum(-1)
    return logits.masked_fill(larger >= k, -torch.inf)


def k_rows(logits: Tensor, k: int) -> Tensor:
    """Row by row, with kthvalue."""
    rows, size = logits.reshape(-1, logits.shape[-1]), logits.shape[-1]
    kept = []
    for row in rows:
        kth = row.float().kthvalue(max(size - k, 0) + 1).values
        kept.append(torch.where(row.float() >= kth, row, -torch.inf))
    return torch.stack(kept).reshape(logits.shape)


def p_hugging_face(logits: Tensor, p: float) -> Tensor:
    """Hugging Face's way: ascending, remove what has at most 1 - p; one is always kept."""
    ordered, places = torch.sort(logits.float(), descending=False)
    remove = ordered.softmax(dim=-1).cumsum(dim=-1) <= (1 - p)
    remove[..., -1:] = False
    return logits.masked_fill(remove.scatter(-1, places, remove), -float("inf"))


def p_meta(logits: Tensor, p: float) -> Tensor:
    """Meta's way: what the likelier ones have together is at most p; p = 1 apart."""
    if p >= 1:
        return logits.clone()
    probs = torch.softmax(logits.float(), dim=-1)
    probs_sort, places = torch.sort(probs, dim=-1, descending=True)
    mask = probs_sort.cumsum(-1) - probs_sort > p
    mask[..., 1:] |= p == 0
    return logits.masked_fill(torch.zeros_like(mask).scatter(-1, places, mask), -torch.inf)


def p_inverse(logits: Tensor, p: float) -> Tensor:
    """Shifted by one place to the right, and put back with the inverse permutation."""
    places = logits.argsort(-1, descending=True)
    probabilities = logits.double().softmax(-1).gather(-1, places)
    remove = probabilities.cumsum(-1) >= p
    remove = F.pad(remove[..., :-1], (1, 0), value=False) & (p < 1)
    return torch.where(remove.gather(-1, places.argsort(-1)), -torch.inf, logits)


def p_search(logits: Tensor, p: float) -> Tensor:
    """searchsorted finds how many are needed."""
    probabilities, places = logits.double().softmax(-1).sort(-1, descending=True)
    sums = probabilities.cumsum(-1).contiguous()
    target = torch.full((*sums.shape[:-1], 1), float(p), dtype=sums.dtype, device=sums.device)
    needed = torch.searchsorted(sums, target) + 1
    needed = needed if p < 1 else needed * 0 + logits.shape[-1]
    return torch.where(places.argsort(-1) < needed, logits, -torch.inf)


def p_loop(logits: Tensor, p: float) -> Tensor:
    """One token after the other, in Python."""
    out = torch.full_like(logits, -torch.inf)
    rows = logits.reshape(-1, logits.shape[-1])
    keep = torch.zeros_like(rows, dtype=torch.bool)
    for i, row in enumerate(rows.detach().double().softmax(-1)):
        mass = 0.0
        for token in row.argsort(descending=True).tolist():
            keep[i, token] = True
            mass += row[token].item()
            if mass >= p and p != 1:
                break
    return torch.where(keep.reshape(logits.shape), logits, out)


def p_pairs(logits: Tensor, p: float) -> Tensor:
    """No sorting: each token's likelier ones are added up, of equals those that come first."""
    shares = logits.double().softmax(-1)
    mine, other = shares[..., :, None], shares[..., None, :]
    place = torch.arange(logits.shape[-1], device=logits.device)
    ahead = (other > mine) | ((other == mine) & (place < place[:, None]))
    before = (other * ahead).sum(-1)
    return logits.masked_fill((before >= p) & (before > 0) & (p < 1), -torch.inf)


def p_tail(logits: Tensor, p: float) -> Tensor:
    """Sorted downwards, added up from the other end; the sorted logits are scattered back."""
    ordered, places = logits.sort(dim=-1, descending=True)
    tail = ordered.double().softmax(-1).flip(-1).cumsum(-1).flip(-1)
    keep = tail > 1 - p
    keep[..., 0] = True
    empty = torch.full_like(logits, -torch.inf)
    return empty.scatter(-1, places, ordered.masked_fill(~keep, -torch.inf))


def min_logits(logits: Tensor, p: float) -> Tensor:
    """In logits: the largest plus ln p."""
    if p == 0:
        return logits.clone()
    limit = logits.float().amax(-1, keepdim=True) + math.log(p)
    return torch.where(logits.float() < limit, -torch.inf, logits)


def min_hugging_face(logits: Tensor, p: float) -> Tensor:
    """Hugging Face's way: the scaled probability, and a mask."""
    probs = torch.softmax(logits.float(), dim=-1)
    top, _ = probs.max(dim=-1, keepdim=True)
    return logits.masked_fill(probs < p * top, -float("inf"))


def min_ratio(logits: Tensor, p: float) -> Tensor:
    """The ratio to the likeliest is e^difference: no sum is needed."""
    ratio = (logits.float() - logits.float().amax(-1, keepdim=True)).exp()
    return logits.masked_fill(~(ratio >= p), -torch.inf)


def min_log_softmax(logits: Tensor, p: float) -> Tensor:
    """Differences of log-probabilities; ln 0 is -inf by torch."""
    shares = logits.float().log_softmax(-1)
    least = shares.amax(-1, keepdim=True) + torch.tensor(p, dtype=torch.float64).log().item()
    return logits.masked_fill(shares < least, -torch.inf)


def min_loop(logits: Tensor, p: float) -> Tensor:
    """One row after the other."""
    rows = logits.reshape(-1, logits.shape[-1])
    shares = [row.detach().double().softmax(-1) for row in rows]
    keep = torch.stack([share >= p * share.max() for share in shares])
    return torch.where(keep.reshape(logits.shape), logits, -torch.inf)


def sample_gumbel(logits: Tensor, generator: Generator | None = None) -> Tensor:
    """The Gumbel trick: noise and argmax."""
    u = torch.rand(logits.shape, generator=generator, device=logits.device).clamp(min=1e-20)
    return (logits.float() - torch.log(-torch.log(u))).argmax(dim=-1)


def sample_inverse(logits: Tensor, generator: Generator | None = None) -> Tensor:
    """The cumulative sum and one uniform number for each row."""
    edges = logits.double().softmax(-1).cumsum(-1)
    u = torch.empty_like(edges[:, :1]).uniform_(generator=generator)
    return torch.searchsorted(edges, u * edges[:, -1:], right=True).squeeze(-1)


def sample_race(logits: Tensor, generator: Generator | None = None) -> Tensor:
    """A race of exponential clocks: the first to ring."""
    clocks = torch.empty_like(logits, dtype=torch.float32).exponential_(generator=generator)
    return (logits.float().softmax(-1) / clocks).argmax(-1)


def sample_weights(logits: Tensor, generator: Generator | None = None) -> Tensor:
    """multinomial with weights that are not normalised, in float64."""
    wide = logits.double()
    weights = (wide - wide.amax(-1, keepdim=True)).exp()
    return torch.multinomial(weights, num_samples=1, generator=generator)[:, 0]


def sample_rows(logits: Tensor, generator: Generator | None = None) -> Tensor:
    """Meta's way, sorted first and gathered afterwards."""
    probs, places = logits.float().softmax(-1).sort(dim=-1, descending=True)
    drawn = torch.multinomial(probs, 1, generator=generator)
    return places.gather(-1, drawn).reshape(-1)


def sample_numpy(logits: Tensor, generator: Generator | None = None) -> Tensor:
    """numpy draws, with luck from torch's generator."""
    seed = int(torch.randint(2**31, (1,), generator=generator))
    luck = np.random.default_rng(seed).random((len(logits), 1))
    edges = logits.double().softmax(-1).cumsum(-1).numpy()
    return torch.from_numpy((edges <= luck * edges[:, -1:]).sum(-1).astype(np.int64))


def sample_logarithm_of_clocks(logits: Tensor, generator: Generator | None = None) -> Tensor:
    """The Gumbel trick with one logarithm: -log of an exponential number is Gumbel noise."""
    clocks = torch.empty_like(logits, dtype=torch.float32).exponential_(generator=generator)
    return (logits.float() - clocks.log()).argmax(dim=-1)


def _settings(logits: Tensor, temperature: float, k: int | None, p: float | None) -> Tensor:
    logits = temperature_max(logits, temperature)
    if k is not None:
        logits = k_hugging_face(logits, k)
    return logits if p is None else p_hugging_face(logits, p)


@torch.no_grad()
def generate_prefill_apart(
    model: Any,
    ids: Tensor,
    n_new: int,
    temperature: float = 1.0,
    k: int | None = None,
    p: float | None = None,
    stop: Collection[int] | None = None,
    generator: Generator | None = None,
) -> Iterator[int]:
    """The prefill before the loop, the next step at its end, caches just large enough."""
    if n_new < 1:
        return
    stop = set(stop or ())
    caches = model.new_caches(1, ids.shape[1] + n_new - 1)
    logits = model(ids, caches)
    for left in range(n_new, 0, -1):
        token = sample_weights(_settings(logits[:, -1], temperature, k, p), generator).item()
        if token in stop:
            return
        yield token
        if left > 1:
            logits = model(torch.tensor([[token]]).to(ids.device), caches)


def generate_greedy_apart(
    model: Any,
    ids: Tensor,
    n_new: int,
    temperature: float = 1.0,
    k: int | None = None,
    p: float | None = None,
    stop: Collection[int] | None = None,
    generator: Generator | None = None,
) -> Iterator[int]:
    """Meta's way: argmax at temperature 0; gradients switched off around each step only."""
    caches, fed = model.new_caches(batch=1, max_len=len(ids[0]) + n_new), ids
    for _ in range(n_new):
        with torch.inference_mode():
            logits = model(fed, caches=caches)[0, -1:]
            if temperature == 0:
                fed = logits.argmax(-1, keepdim=True)
            else:
                fed = sample_gumbel(_settings(logits, temperature, k, p), generator)[None]
        token = int(fed[0, 0])
        if stop and token in stop:
            break
        yield token


class _Tokens:
    """An iterator with a method for each step."""

    def __init__(self, model: nn.Module, ids: Tensor, left: int, settings: tuple) -> None:
        self.model, self.fed, self.left, self.settings = model, ids, left, settings
        self.caches: Any = None

    def __iter__(self) -> "_Tokens":
        return self

    @torch.no_grad()
    def __next__(self) -> int:
        temperature, k, p, stop, generator = self.settings
        if self.left == 0:
            raise StopIteration
        if self.caches is None:
            self.caches = self.model.new_caches(1, 4096)
        self.left -= 1
        logits = _settings(self.model(self.fed, self.caches)[:, -1], temperature, k, p)
        self.fed = sample_inverse(logits, generator).unsqueeze(1)
        if stop is not None and self.fed.item() in stop:
            self.left = 0
            raise StopIteration
        return self.fed.item()


def generate_iterator(
    model: Any,
    ids: Tensor,
    n_new: int,
    temperature: float = 1.0,
    k: int | None = None,
    p: float | None = None,
    stop: Collection[int] | None = None,
    generator: Generator | None = None,
) -> Iterator[int]:
    """A class with __next__ in place of yield; caches as long as the model can see."""
    return _Tokens(model, ids, n_new, (temperature, k, p, stop, generator))


def generate_endless(
    model: Any,
    ids: Tensor,
    n_new: int,
    temperature: float = 1.0,
    k: int | None = None,
    p: float | None = None,
    stop: Collection[int] | None = None,
    generator: Generator | None = None,
) -> Iterator[int]:
    """No yield of its own: an endless stream, cut by itertools."""

    def endless() -> Iterator[int]:
        fed, caches = ids, model.new_caches(1, ids.shape[1] + n_new)
        while True:
            with torch.no_grad():
                logits = model(fed, caches)[:, -1]
                fed = sample_weights(_settings(logits, temperature, k, p), generator)[None]
            yield fed.item()

    return itertools.takewhile(
        lambda token: not (stop and token in stop), itertools.islice(endless(), n_new)
    )


def generate_step_apart(
    model: Any,
    ids: Tensor,
    n_new: int,
    temperature: float = 1.0,
    k: int | None = None,
    p: float | None = None,
    stop: Collection[int] | None = None,
    generator: Generator | None = None,
) -> Iterator[int]:
    """Caches are made at once; what is not asked for is a filter that keeps everything."""
    caches = model.new_caches(batch=len(ids), max_len=ids.size(1) + n_new + 8)
    k, p = (10**9 if k is None else k), (1.0 if p is None else p)

    @torch.inference_mode()
    def step(fed: Tensor) -> int:
        return sample_rows(
            _settings(model(fed, caches)[0, -1:], temperature, k, p), generator
        ).item()

    def stream() -> Iterator[int]:
        fed = ids.clone()
        for _ in range(n_new):
            token = step(fed)
            if token in (stop or ()):
                break
            yield token
            fed = torch.full((1, 1), token, device=ids.device)

    return stream()


ACCEPTED = {
    "apply_temperature": [
        temperature_scatter,
        temperature_cumulative,
        temperature_one_hot,
        temperature_max,
        temperature_mask_added,
    ],
    "top_k": [
        k_hugging_face,
        k_scatter,
        k_sort,
        k_count,
        k_rows,
        k_mask_added,
        k_smallest_removed,
    ],
    "top_p": [p_hugging_face, p_meta, p_inverse, p_search, p_loop, p_pairs, p_tail],
    "min_p": [min_logits, min_hugging_face, min_ratio, min_log_softmax, min_loop],
    "sample": [
        sample_gumbel,
        sample_inverse,
        sample_race,
        sample_weights,
        sample_rows,
        sample_numpy,
        sample_logarithm_of_clocks,
    ],
    "generate": [
        generate_prefill_apart,
        generate_greedy_apart,
        generate_iterator,
        generate_endless,
        generate_step_apart,
    ],
}

# What the browser test types into an exercise cell: exercise, source, key of the mistake.
TYPED = (
    "10.3",
    """def top_p(logits, p):
    values, order = logits.float().softmax(-1).sort(-1, descending=True)
    keep = values.cumsum(-1) <= p
    keep = torch.zeros_like(keep).scatter(-1, order, keep)
    return torch.where(keep, logits, -torch.inf)
""",
    "drops_it_and_may_be_empty",
)
