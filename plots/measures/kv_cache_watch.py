"""Lab 05: what a learner's attention layer really computes in a call, seen from outside.

Each token's vector carries what a real head asks and offers for it (assets/smollm2_head.py), and a
tag, its position. The layer's weights hand the tags on: to the queries and keys in places of their
own, where they change no score, and to the values, so that an output spells out its attention
weights. Every product of two tensors is watched; the tags in it tell which scores were formed, with
whose keys, and which queries, keys and values were computed for it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

from assets.smollm2_head import head

WORDS, _Q, _K, _FREQUENCIES = head()
N, D = len(WORDS), _Q.shape[1]
# A token's vector: what it asks, what it offers, its tag. The layer has one head of this size.
ASKS, OFFERS, TAG = slice(0, D), slice(D, 2 * D), slice(2 * D, 2 * D + N)
DIM = 2 * D + N
# Where a key and a query carry their tags: one pair of dimensions, which RoPE turns by nothing.
KEY_TAG, QUERY_TAG = D, D + 2 * N
FAINT = 1e-3  # of the largest number: less is no tag

PRODUCTS = {"mm": (0, 1), "bmm": (0, 1), "mv": (0, 1), "addmm": (1, 2), "baddbmm": (1, 2)}
NAMES = {"wq": "queries", "wk": "keys", "wv": "values", "wo": "outputs"}


def tagged_words() -> Tensor:
    """The sentence, (1, N, DIM)."""
    return torch.cat([_Q, _K, torch.eye(N)], dim=-1)[None]


def tagged_layer(attention: Callable[[int, int], nn.Module]) -> nn.Module:
    """The learner's layer with one head, and the weights that hand on the vectors' parts."""
    layer = attention(DIM, 1)
    weights = {f"{name}.weight": torch.zeros(DIM, DIM) for name in ("wq", "wk", "wv")}
    wq, wk, wv = weights.values()
    # The layer divides by √DIM, and the real head by √D.
    wq[:D, ASKS] = (DIM / D) ** 0.5 * torch.eye(D)
    wk[:D, OFFERS] = torch.eye(D)
    wv[:N, TAG] = torch.eye(N)
    for position in range(N):
        wk[KEY_TAG + 2 * position, 2 * D + position] = 1.0
        wq[QUERY_TAG + 2 * position, 2 * D + position] = 1.0
    layer.load_state_dict(weights | {"wo.weight": torch.eye(DIM)})
    return layer


def angles_at(start: int, end: int) -> Tensor:
    """The real head's RoPE angles of the positions start … end - 1; 0 where it has none."""
    angles = torch.outer(torch.arange(start, end).float(), _FREQUENCIES)
    return torch.nn.functional.pad(angles, (0, DIM // 2 - angles.shape[-1]))


@dataclass
class Call:
    """What one call of the layer did."""

    start: int  # the first new position
    end: int  # the position after the last one
    weights: Tensor = field(default_factory=lambda: torch.zeros(0, N))  # (T, N), of the outputs
    scores: int = 0  # how many were formed
    pairs: set[tuple[int, int]] = field(default_factory=set)  # (query, key): whose
    computed: dict[str, set[int]] = field(default_factory=dict)  # "queries" …: positions
    used: dict[str, set[int]] = field(default_factory=dict)  # "keys", "values": of which positions
    unknown: int = 0  # keys without a tag: slots that were never written

    def read(self, part: str) -> set[int]:
        """Positions whose keys (or values) were used and not computed in this call."""
        return self.used.get(part, set()) - self.computed.get(part, set())


def watched(layer: nn.Module, start: int, end: int, begin: int, cache: Any = None) -> Call:
    """Let the layer read the positions begin … end - 1, of which those from `start` on are new."""
    call = Call(start, end)
    x = tagged_words()[:, begin:end]
    arguments = (x, angles_at(begin, end)) + (() if cache is None else (cache,))
    with torch.no_grad(), _Watch(layer, call):
        out = layer(*arguments)
    call.weights = out[0, :, :N].detach().float()
    call.computed["outputs"] = set(range(end - len(call.weights), end))
    return call


class _Watch(TorchDispatchMode):
    """Looks at every product while a layer runs."""

    def __init__(self, layer: nn.Module, call: Call) -> None:
        super().__init__()
        self.call = call
        self.parts = {
            getattr(layer, short).weight.untyped_storage().data_ptr(): name
            for short, name in NAMES.items()
            if hasattr(getattr(layer, short, None), "weight")
        }

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        name = func._schema.name.removeprefix("aten::")
        if name in PRODUCTS:
            self._product(*(args[place] for place in PRODUCTS[name]))
        elif name == "mul" and all(isinstance(x, Tensor) and x.dim() > 1 for x in args):
            self._by_hand(*args)
        elif name.startswith("_scaled_dot_product"):
            q, k, v = args[:3]
            self._scores(q.flatten(0, -3), k.flatten(0, -3))
            self._note(self.call.used, "values", _tags(v.flatten(0, -2), 0, 1))
        return func(*args, **(kwargs or {}))

    def _product(self, a: Tensor, b: Tensor) -> None:
        """a (…, m, k) times b (…, k, n): a linear map, scores, or a mixture of values."""
        b = b if b.dim() > 1 else b[:, None]
        for weight, rows in ((b, a), (a, b.mT)):
            part = self.parts.get(weight.untyped_storage().data_ptr())
            if part:
                if part != "outputs" and rows.shape[-1] == DIM:
                    self._note(self.call.computed, part, _tags(rows.flatten(0, -2), TAG.start, 1))
                return
        if a.shape[-1] == DIM:
            a, b = (x if x.dim() == 3 else x[None] for x in (a, b))
            self._scores(a, b.mT)
        elif b.shape[-1] == DIM:
            self._note(self.call.used, "values", _tags(b.flatten(0, -2), 0, 1))

    def _by_hand(self, a: Tensor, b: Tensor) -> None:
        """Number times number, to be added up: scores, or a mixture, written without products."""
        if a.shape[-1] == b.shape[-1] == DIM:
            a, b = a.flatten(0, -2), b.flatten(0, -2)
            for q, k in ((a, b), (b, a)):
                if None not in (*_tags(q, QUERY_TAG, 2), *_tags(k, KEY_TAG, 2)):
                    return self._scores(q[None], k[None])
        for weights, values in ((a, b), (b, a)):
            if weights.shape[-1] == 1 and values.shape[-1] == DIM and not values[..., N:].any():
                self._note(self.call.used, "values", _tags(values.flatten(0, -2), 0, 1))
        return None

    def _scores(self, q: Tensor, k: Tensor) -> None:
        """q (B, m, DIM) meets k (B, n, DIM); some write it the other way round."""
        for one, other in zip(q, k, strict=True):
            asks, offers = _tags(one, QUERY_TAG, 2), _tags(other, KEY_TAG, 2)
            if not any(p is not None for p in asks):
                asks, offers = _tags(other, QUERY_TAG, 2), _tags(one, KEY_TAG, 2)
            self.call.scores += len(asks) * len(offers)
            self.call.unknown += sum(p is None for p in offers)
            self._note(self.call.used, "keys", offers)
            self.call.pairs |= {(i, j) for i in asks for j in offers if None not in (i, j)}

    def _note(self, where: dict[str, set[int]], part: str, found: list[int | None]) -> None:
        where.setdefault(part, set()).update(p for p in found if p is not None)


def _tags(rows: Tensor, place: int, width: int) -> list[int | None]:
    """The positions that the tags of (R, DIM) rows tell; None where there is no tag, or several."""
    rows = rows.detach().float()
    largest = rows.abs().amax(-1).clamp(min=1e-9)
    sizes = rows[:, place : place + width * N].unflatten(-1, (N, width)).norm(dim=-1)
    best = sizes.topk(2)
    only = (best.values[:, 0] > FAINT * largest) & (best.values[:, 0] > 2 * best.values[:, 1])
    return [int(p) if one else None for one, p in zip(only, best.indices[:, 0], strict=True)]
