"""Lab 05: what the check of CachedAttention tries."""

from typing import Any

import torch
from torch import Tensor

from checks.engine import Inputs, agrees, error_of, expect_parameters, load
from checks.engine.answer import Crash
from checks.engine.devices import pretended_device
from checks.reference.kv_cache import KVCache

DIM, HEADS = 12, 3  # d = 4
LONG = 40  # positions of a text in which a limit that somebody built in shows
NAMES = ("wq", "wk", "wv", "wo")


def layer(answer: Any, inputs: Inputs, dim: int = DIM, heads: int = HEADS) -> Any:
    """A layer with drawn weights: large enough that the softmax is far from uniform."""
    weights = inputs.randn(len(NAMES), dim, dim) * (1.6 / dim**0.5)
    state = {f"{name}.weight": weight for name, weight in zip(NAMES, weights, strict=True)}
    return load(answer(dim, heads), state)


def turns(start: int, length: int, head_dim: int = DIM // HEADS) -> Tensor:
    """RoPE angles of `length` positions from `start` on: (T, d/2); all pairs turn visibly."""
    frequencies = 8.0 ** -(torch.arange(0, head_dim, 2) / head_dim)
    return torch.outer(torch.arange(start, start + length), frequencies)


def memory(batch: int = 2, max_len: int = 9, heads: int = HEADS, d: int = 4) -> KVCache:
    """A fresh cache of the reference's, whose unused slots hold zeros."""
    return KVCache.empty(batch, heads, max_len, d)


def feed(module: Any, x: Tensor, chunks: Any, cache: Any) -> list[Tensor]:
    """Give a layer the sequence x chunk by chunk."""
    seen, start = [], 0
    for length in chunks:
        seen.append(module(x[:, start : start + length], turns(start, length), cache=cache))
        start += length
    return seen


@torch.no_grad()
def running_mean(answer: Any, inputs: Inputs) -> list[Tensor]:
    """No scores, values as they are: each output is the mean so far. The worked example."""
    one, none = torch.eye(2), torch.zeros(2, 2)
    state = {"wq.weight": none, "wk.weight": none, "wv.weight": one, "wo.weight": one}
    module, cache = load(answer(2, 1), state), memory(1, 4, 1, 2)
    still = torch.zeros(1, 1)
    rows = ([[[2.0, 0.0]]], [[[0.0, 4.0]]])
    return [module(torch.tensor(row), still, cache) for row in rows]


@torch.no_grad()
def without_cache(answer: Any, inputs: Inputs) -> list[Tensor]:
    """Whole sequences: three heads of four, and a long one with two heads of six."""
    return [
        layer(answer, inputs)(inputs.randn(3, 3, DIM), turns(0, 3)),
        layer(answer, inputs, 12, 2)(inputs.randn(1, LONG, 12), turns(0, LONG, 6)),
    ]


@torch.no_grad()
def two_and_two(answer: Any, inputs: Inputs) -> list[Tensor]:
    """Two tokens, and two more: cheap, and most mistakes can be told by it."""
    return feed(layer(answer, inputs), inputs.randn(2, 4, DIM), (2, 2), memory())


def new_layer(answer: Any, inputs: Inputs) -> list:
    """The parameters of a new layer."""
    module = answer(6, 3)
    expect_parameters(module, {f"{name}.weight": torch.zeros(6, 6) for name in NAMES})
    return [parameter.requires_grad for _, parameter in module.named_parameters()]


@torch.no_grad()
def one_by_one(answer: Any, inputs: Inputs) -> list[Tensor]:
    """One token at a time."""
    return feed(layer(answer, inputs), inputs.randn(2, 3, DIM), [1] * 3, memory())


@torch.no_grad()
def random_chunks(answer: Any, inputs: Inputs) -> list[Tensor]:
    """Two chunkings of one long sequence, the second one drawn."""
    module, x = layer(answer, inputs), inputs.randn(1, LONG, DIM)
    seen = feed(module, x, (3, 2), memory(1))
    drawn = inputs.integers(2, low=1, high=4).tolist()
    return seen + feed(module, x, (*drawn, LONG - sum(drawn)), memory(1, LONG))


@torch.no_grad()
def chunk_is_causal(answer: Any, inputs: Inputs) -> bool:
    """Change the last token of a second chunk, and watch those before it."""
    module, x = layer(answer, inputs), inputs.randn(1, 7, DIM)
    other = x.clone()
    other[:, -1] += 2
    one, two = feed(module, torch.cat([x, other]), (3, 4), memory())[1]
    return agrees(two[:-1], one[:-1])


@torch.no_grad()
def given_angles(answer: Any, inputs: Inputs) -> list[Tensor]:
    """Angles that no position has, and a cache that somebody else has filled.

    One call, in which nearly every mistake shows: the cheapest probe to tell them by.
    """
    module, cache = layer(answer, inputs), memory()
    cache.update(inputs.randn(2, HEADS, 2, 4), inputs.randn(2, HEADS, 2, 4))
    return [module(inputs.randn(2, 3, DIM), inputs.randn(3, 2) * 3, cache)]


@torch.no_grad()
def how_it_stops(answer: Any, inputs: Inputs) -> list[str | None]:
    """The errors, if any, of single tokens, and of a chunk that comes later, in another cache."""
    module, x = layer(answer, inputs), inputs.randn(2, 7, DIM)
    return [
        error_of(lambda chunks=chunks: feed(module, x, chunks, memory()))
        for chunks in ([1, 1], (3, 4))
    ]


@torch.no_grad()
def cache_content(answer: Any, inputs: Inputs) -> list:
    """What stands in the cache after each chunk: rotated keys, values as they are."""
    module, cache, seen = layer(answer, inputs), memory(), []
    for start, length in ((0, 3), (3, 1), (4, 2)):
        module(inputs.randn(2, length, DIM), turns(start, length), cache)
        end = start + length
        seen += [cache.keys[:, :, :end].detach().clone(), cache.values[:, :, :end].detach().clone()]
        seen.append(cache.length)
    return seen


@torch.no_grad()
def poisoned_slots(answer: Any, inputs: Inputs) -> list[Tensor]:
    """A cache whose unused slots hold huge keys, and values that are no numbers."""
    module, cache = layer(answer, inputs), memory()
    cache.keys.fill_(1e9)
    cache.values.fill_(torch.nan)
    return feed(module, inputs.randn(2, 4, DIM), (1, 3), cache)


@torch.no_grad()
def two_sequences(answer: Any, inputs: Inputs) -> list[Tensor]:
    """Two sequences in turns, each with its cache, and calls without one in between."""
    module, first, second = layer(answer, inputs), memory(), memory(1)
    x, y = inputs.randn(2, 4, DIM), inputs.randn(1, 4, DIM)
    return [
        module(x[:, :3], turns(0, 3), first),
        module(y[:, :2], turns(0, 2), second),
        module(y, turns(0, 4)),
        module(x[:, 3:], turns(3, 1), first),
        module(y[:, :3], turns(0, 3), None),
    ]


def layer_gradients(answer: Any, inputs: Inputs) -> list[Tensor]:
    """Gradients without a cache: the input's and those of the four weights."""
    module, x = layer(answer, inputs), inputs.randn(2, 4, DIM).requires_grad_()
    result = module(x, turns(0, 4))
    if not isinstance(result, Tensor) or not result.requires_grad:
        return [torch.zeros(0)]
    weights = [parameter for _, parameter in module.named_parameters()]
    total = (result * inputs.randn(2, 4, DIM)).sum()
    return list(torch.autograd.grad(total, [x, *weights], materialize_grads=True))


@torch.no_grad()
def layer_in_half(answer: Any, inputs: Inputs) -> list:
    """The whole layer, its input and its cache in half precision."""
    module, x, seen = layer(answer, inputs), inputs.randn(2, 4, DIM), []
    exact = module(x, turns(0, 4))
    for dtype, chunks in ((torch.float16, (3, 1)), (torch.bfloat16, (4,))):
        cache = KVCache.empty(2, HEADS, 9, DIM // HEADS, dtype=dtype)
        try:
            got = feed(module.to(dtype), x.to(dtype), chunks, cache)[-1][:, -1]
        except Crash as crash:
            return [f"it stops with {type(crash.original).__name__}"]
        right = exact[:, -1]
        close = bool((got.float() - right).abs().max() < 0.1 * right.abs().max())
        seen += ["it runs", got[..., :0], close]
    return seen


@torch.no_grad()
def layer_keeps_device(answer: Any, inputs: Inputs) -> str:
    """The layer, its input and its cache lie on another device."""
    module, x, cache = layer(answer, inputs), inputs.randn(2, 5, DIM), memory()
    first, second = turns(0, 2), turns(2, 3)
    with pretended_device() as device:
        results = [module(x[:, :2], first, cache), module(x[:, 2:], second, cache)]
    stays = any(isinstance(out, Tensor) and not device.holds(out) for out in results)
    return "mixed devices" if device.mixed or stays else "one device"
