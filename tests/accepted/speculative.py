"""Lab 14: right answers, written in ways that have little in common."""

import itertools
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Generator, Tensor

from solutions.my_llama.sampling import apply_temperature
from solutions.my_llama.speculative import (
    count_accepted,
    expected_tokens,
    residual_distribution,
    rewind,
    verify,
)


def lookup_windows(ids: Tensor, n_draft: int, longest: int = 3) -> Tensor:
    """All windows of a length at once, with unfold."""
    for n in range(longest, 0, -1):
        if len(ids) <= n:
            continue
        windows = ids.unfold(0, n, 1)[:-1]  # (T - n, n), without the end itself
        hits = (windows == ids[-n:]).all(dim=1).nonzero()
        if len(hits):
            start = int(hits[-1]) + n
            return ids[start : start + n_draft]
    return ids.new_empty(0)


def lookup_strings(ids: Tensor, n_draft: int, longest: int = 3) -> Tensor:
    """As text: rfind does it."""
    text = "".join(chr(int(i) + 1) for i in ids)
    for n in reversed(range(1, longest + 1)):
        place = text[:-1].rfind(text[-n:]) if n < len(text) else -1
        if place >= 0:
            found = text[place + n : place + n + n_draft]
            return torch.tensor([ord(c) - 1 for c in found], dtype=ids.dtype, device=ids.device)
    return ids[len(ids) :]


def lookup_best_of_each_place(ids: Tensor, n_draft: int, longest: int = 3) -> Tensor:
    """How long an ending each place agrees with; the longest wins, the latest of equals."""
    seen, best, at = ids.tolist(), 0, 0
    for end in range(1, len(seen)):
        n = 0
        while n < min(longest, end) and seen[end - 1 - n] == seen[-1 - n]:
            n += 1
        if n >= best and n > 0:
            best, at = n, end
    return ids[at : at + n_draft] if best else ids[:0].clone()


def accept_distance(p: Tensor, q: Tensor) -> Tensor:
    """One minus half of the distance."""
    return (1 - (p.float() - q.float()).abs().sum(-1) / 2).to(p.dtype)


def accept_rejected(p: Tensor, q: Tensor) -> Tensor:
    """One minus what is rejected."""
    return 1 - F.relu(q.double() - p.double()).sum(dim=-1).to(p.dtype)


def accept_where(p: Tensor, q: Tensor) -> Tensor:
    """The guess's probability times how often it is accepted."""
    wide_p, wide_q = p.float(), q.float()
    ratio = torch.where(wide_q > 0, wide_p / wide_q.where(wide_q > 0, 1.0), 0.0)
    return torch.einsum("...v,...v->...", wide_q, ratio.clamp(max=1)).to(p.dtype)


def accept_stacked(p: Tensor, q: Tensor) -> Tensor:
    """The smaller of two in a stack."""
    return torch.stack([p, q]).float().amin(0).sum(-1).to(p.dtype)


def residual_divided(p: Tensor, q: Tensor) -> Tensor:
    """F.normalize, and p in rows that are empty."""
    rest = F.relu(p.float() - q.float())
    empty = rest.sum(-1, keepdim=True) == 0
    return torch.where(empty, p.float(), F.normalize(rest, p=1, dim=-1, eps=1e-20)).to(p.dtype)


def residual_from_the_shared(p: Tensor, q: Tensor) -> Tensor:
    """p minus what both have."""
    a, b = p.double(), q.double()
    rest = a - torch.minimum(a, b)
    total = rest.sum(-1, keepdim=True)
    return (torch.where(total == 0, a, rest) / torch.where(total == 0, 1.0, total)).to(p.dtype)


def residual_rows(p: Tensor, q: Tensor) -> Tensor:
    """Row by row."""
    rows = []
    for a, b in zip(p.flatten(0, -2) if p.dim() > 1 else p[None], q.reshape(-1, q.shape[-1])):  # noqa: B905
        rest = torch.maximum(a.float(), b.float()) - b.float()
        rows.append((rest / rest.sum()).to(p.dtype) if rest.any() else a)
    return torch.stack(rows).reshape(p.shape)


def count_loop(p: Tensor, q: Tensor, drafts: Tensor, luck: Tensor) -> int:
    """A loop that ends at the first rejected one."""
    n = 0
    for i, token in enumerate(drafts):
        if luck[i] >= p[i, token] / q[i, token]:
            break
        n += 1
    return n


def count_gather(p: Tensor, q: Tensor, drafts: Tensor, luck: Tensor) -> int:
    """gather, and the first False in a list."""
    column = drafts[:, None]
    ratio = p[: len(drafts)].gather(1, column) / q.gather(1, column)
    return [*(luck < ratio[:, 0]).tolist(), False].index(False)


def count_takewhile(p: Tensor, q: Tensor, drafts: Tensor, luck: Tensor) -> int:
    """itertools in plain Python."""
    rows = zip(p.tolist(), q.tolist(), drafts.tolist(), luck.tolist(), strict=False)
    good = (u * b[token] < a[token] for a, b, token, u in rows)
    return sum(1 for _ in itertools.takewhile(bool, good))


def count_logarithms(p: Tensor, q: Tensor, drafts: Tensor, luck: Tensor) -> int:
    """Logarithms on both sides, and the first rejected place."""
    i = torch.arange(len(drafts), device=p.device)
    rejected = luck.log() >= p[i, drafts].log() - q[i, drafts].log()
    return int(rejected.nonzero()[0]) if rejected.any() else len(drafts)


def verify_own_draws(p: Tensor, q: Tensor, drafts: Tensor, generator: Generator | None = None):
    """The target draws at every place; a draft is accepted if it is what the target drew."""
    wanted = torch.multinomial(p, 1, generator=generator)[:, 0]
    n = int((wanted[:-1] == drafts).long().cumprod(0).sum())
    return wanted[: n + 1]


def verify_loop(p: Tensor, q: Tensor, drafts: Tensor, generator: Generator | None = None):
    """Draft by draft, as in the papers."""
    kept = []
    for i, token in enumerate(drafts.tolist()):
        if torch.rand(1, generator=generator) >= min(1.0, float(p[i, token] / q[i, token])):
            rest = (p[i] - q[i]).clamp(min=0)
            rest = rest if rest.sum() > 0 else p[i]
            kept.append(int(torch.multinomial(rest, 1, generator=generator)))
            return torch.tensor(kept)
        kept.append(token)
    return torch.tensor([*kept, int(torch.multinomial(p[-1], 1, generator=generator))])


def verify_padded(p: Tensor, q: Tensor, drafts: Tensor, generator: Generator | None = None):
    """A row of zeros behind q: then the free token is a residual too."""
    n = count_accepted(p, q, drafts, torch.rand(drafts.shape, generator=generator))
    padded = torch.cat([q, torch.zeros_like(p[:1])])
    rest = residual_distribution(p, padded)[n]
    height = torch.rand(1, generator=generator) * rest.sum()
    token = torch.searchsorted(rest.cumsum(0), height, right=True).clamp(max=len(rest) - 1)
    return torch.cat([drafts[:n], token])


def rewind_map(caches: list[Any], length: int) -> None:
    """All at once, after one look."""
    here = min(cache.length for cache in caches)
    if length < 0 or length > here:
        raise ValueError("no such length")
    for cache in caches:
        setattr(cache, "length", length)  # noqa: B010


def rewind_cleared(caches: list[Any], length: int) -> None:
    """And what is forgotten is set to zero."""
    for cache in caches:
        if length not in range(cache.length + 1):
            raise ValueError(f"{length} is not from 0 to {cache.length}")
        cache.keys[:, :, length:] = 0
        cache.values[:, :, length:] = 0
        cache.length = length


def rewind_subtracted(caches: list[Any], length: int) -> None:
    """So many are forgotten, in every layer."""
    too_many = caches[0].length - length
    if too_many < 0 or length < 0:
        raise ValueError
    for layer in range(len(caches)):
        caches[layer].length -= too_many


def tokens_closed(alpha: float, n_draft: int) -> float:
    """The geometric series, and its limit."""
    return n_draft + 1.0 if alpha == 1 else (1 - alpha ** (n_draft + 1)) / (1 - alpha)


def tokens_horner(alpha: float, n_draft: int) -> float:
    """1 + alpha (1 + alpha (…))."""
    total = 1.0
    for _ in range(n_draft):
        total = 1 + alpha * total
    return total


def tokens_tensor(alpha: float, n_draft: int) -> float:
    """A tensor of powers."""
    return torch.full((n_draft,), alpha, dtype=torch.float64).cumprod(0).sum().item() + 1


def tokens_by_ends(alpha: float, n_draft: int) -> float:
    """The mean over where the first rejection is."""
    ends = sum((i + 1) * alpha**i * (1 - alpha) for i in range(n_draft))
    return ends + (n_draft + 1) * alpha**n_draft


def speedup_steps(alpha: float, n_draft: int, draft_cost: float, verify_cost: float = 1.0) -> float:
    """One thing after the other."""
    cost = sum([draft_cost] * n_draft, verify_cost)
    return tokens_horner(alpha, n_draft) / cost


def speedup_time(alpha: float, n_draft: int, draft_cost: float, verify_cost: float = 1.0) -> float:
    """One over the time for a token."""
    time = (verify_cost + draft_cost * n_draft) / expected_tokens(alpha, n_draft)
    return 1 / time


def speedup_numpy(alpha: float, n_draft: int, draft_cost: float, verify_cost: float = 1.0) -> float:
    """numpy's polynomials."""
    tokens = float(np.polyval(np.ones(n_draft + 1), alpha))
    return tokens / float(np.dot([n_draft, 1], [draft_cost, verify_cost]))


def generate_asks_the_cache(
    model, draft, ids, n_new, n_draft=4, temperature=1.0, stop=None, generator=None
) -> Iterator[int]:
    """What the caches hold says what is new; too many tokens are cut at the end."""

    def stream():
        caches = model.new_caches(1, ids.shape[1] + n_new + n_draft + 1)
        text = ids[0]
        while True:
            with torch.no_grad():
                drafts, q = draft(text, n_draft, generator)
                start = caches[0].length
                fed = torch.cat([text, drafts])[None, start:]
                logits = model(fed, caches)[0][fed.shape[1] - len(drafts) - 1 :]
                p = torch.softmax(apply_temperature(logits.float(), temperature), -1)
                text = torch.cat([text, verify(p, q, drafts, generator)])
                kept = text[start + fed.shape[1] - len(drafts) :]
                rewind(caches, len(text) - 1)
            yield from kept.tolist()

    ended = set() if stop is None else set(stop)
    return itertools.islice(itertools.takewhile(lambda t: t not in ended, stream()), n_new)


@torch.no_grad()
def generate_prefill_apart(
    model, draft, ids, n_new, n_draft=4, temperature=1.0, stop=None, generator=None
) -> Iterator[int]:
    """The prompt without its last token goes in first; tokens are kept in a list."""
    caches = model.new_caches(batch=1, max_len=ids.size(1) + n_new + n_draft)
    if n_new and ids.size(1) > 1:
        model(ids[:, :-1], caches)
    tokens, written = ids[0].tolist(), 0
    while written < n_new:
        want = min(n_draft, n_new - written - 1)
        drafts, q = draft(torch.tensor(tokens, device=ids.device), want, generator)
        fed = torch.cat([torch.tensor(tokens[-1:], device=ids.device), drafts]).unsqueeze(0)
        p = apply_temperature(model(fed, caches)[0].float(), temperature).softmax(-1)
        for token in verify(p, q, drafts, generator).tolist():
            if token in (stop or ()):
                return
            yield token
            tokens.append(token)
            written += 1
        rewind(caches, len(tokens) - 1)


class _Rounds:
    """An iterator with a queue of a round's tokens."""

    def __init__(self, model, draft, ids, n_new, n_draft, temperature, stop, generator) -> None:
        self.model, self.draft, self.text, self.left = model, draft, ids[0].clone(), n_new
        self.n_draft, self.temperature, self.stop = n_draft, temperature, stop
        self.generator, self.queue, self.new = generator, [], ids
        self.caches = None

    def __iter__(self):
        return self

    @torch.inference_mode()
    def _round(self) -> None:
        if self.caches is None:
            self.caches = self.model.new_caches(1, 4096)
        drafts, q = self.draft(self.text, self.n_draft, self.generator)
        m = drafts.numel()
        logits = self.model(torch.hstack([self.new, drafts.unsqueeze(0)]), self.caches)[0]
        p = apply_temperature(logits[-(m + 1) :].float(), self.temperature).softmax(-1)
        kept = verify(p, q, drafts, self.generator)
        for cache in self.caches:
            cache.length -= m + 1 - len(kept)
        self.text = torch.cat([self.text, kept])
        self.new, self.queue = kept[-1:].view(1, 1), kept.tolist()

    def __next__(self) -> int:
        if self.left == 0:
            raise StopIteration
        if not self.queue:
            self._round()
        token = self.queue.pop(0)
        self.left -= 1
        if self.stop is not None and token in self.stop:
            self.left = 0
            raise StopIteration
        return token


def generate_iterator(
    model, draft, ids, n_new, n_draft=4, temperature=1.0, stop=None, generator=None
) -> Iterator[int]:
    """A class with __next__."""
    return _Rounds(model, draft, ids, n_new, n_draft, temperature, stop, generator)


ACCEPTED = {
    "lookup_draft": [lookup_windows, lookup_strings, lookup_best_of_each_place],
    "accept_probability": [accept_distance, accept_rejected, accept_where, accept_stacked],
    "residual_distribution": [residual_divided, residual_from_the_shared, residual_rows],
    "count_accepted": [count_loop, count_gather, count_takewhile, count_logarithms],
    "verify": [verify_own_draws, verify_loop, verify_padded],
    "rewind": [rewind_map, rewind_cleared, rewind_subtracted],
    "expected_tokens": [tokens_closed, tokens_horner, tokens_tensor, tokens_by_ends],
    "speedup": [speedup_steps, speedup_time, speedup_numpy],
    "speculative_generate": [generate_asks_the_cache, generate_prefill_apart, generate_iterator],
}

# What the browser test types into an exercise cell: exercise, source, key of the mistake.
TYPED = (
    "14.3",
    """def residual_distribution(p, q):
    rest = (p - q).clamp(min=0)
    return rest / rest.sum(-1, keepdim=True)
""",
    "zero_over_zero",
)
