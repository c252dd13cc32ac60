"""Lab 05, 5.2: what is tried on CachedAttention."""

import contextlib
import itertools
import math
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from checks.engine import (
    GRADIENTS_FLOW,
    HALF_PRECISION,
    SAME_DEVICE,
    Check,
    Crash,
    Inputs,
    Probe,
    Wrong,
    agrees,
    error_of,
)
from checks.engine.devices import pretended_device
from checks.kv_cache.cache import KVCache
from checks.kv_cache.cached_attention_wrong import MISTAKES

DIM, HEADS = 12, 3  # d = 4
LONG = 40  # positions of a text in which a limit that somebody built in shows
NAMES = ("wq", "wk", "wv", "wo")
FOUR_MAPS = "Four linear maps without bias, wq, wk, wv and wo, each dim → dim."
GOES_ON = "MultiHeadAttention that can go on where it stopped"
CHUNK = "With a chunk it is needed again"


def rotate(x: Tensor, angles: Tensor) -> Tensor:
    """RoPE. x: (B, H, T, d), angles: (T, d/2) → (B, H, T, d); pairs (2i, 2i+1)."""
    cos, sin = angles.to(x.dtype).cos(), angles.to(x.dtype).sin()
    even, odd = x[..., 0::2], x[..., 1::2]
    pairs = torch.stack([even * cos - odd * sin, even * sin + odd * cos], dim=-1)
    return pairs.flatten(-2)


class Reference(nn.Module):
    """Causal self-attention with a memory, one query after the other, in float64."""

    def __init__(self, dim: int, n_heads: int) -> None:
        super().__init__()
        self.n_heads = n_heads
        self.wq = nn.Linear(dim, dim, bias=False)
        self.wk = nn.Linear(dim, dim, bias=False)
        self.wv = nn.Linear(dim, dim, bias=False)
        self.wo = nn.Linear(dim, dim, bias=False)

    def forward(self, x: Tensor, angles: Tensor, cache: KVCache | None = None) -> Tensor:
        """x: (B, T, dim), angles: (T, d/2) of these T positions → (B, T, dim)."""
        # Head h has the columns h·d to (h+1)·d - 1.
        q, k, v = (
            torch.stack(w(x).chunk(self.n_heads, dim=-1), dim=1)
            for w in (self.wq, self.wk, self.wv)
        )
        q, k = (rotate(y.double(), angles).to(y.dtype) for y in (q, k))
        if cache is not None:
            k, v = cache.update(k, v)  # those of all S positions
        past = k.shape[2] - q.shape[2]
        rows = []
        for t in range(q.shape[2]):
            seen = past + t + 1  # a query looks at all before it, and at itself
            scores = (k[:, :, :seen].double() * q[:, :, t, None].double()).sum(-1)
            weights = torch.softmax(scores / math.sqrt(q.shape[-1]), dim=-1)  # (B, H, seen)
            rows.append((weights[..., None] * v[:, :, :seen].double()).sum(2))
        heads = torch.stack(rows, dim=2).to(x.dtype)  # (B, H, T, d)
        return self.wo(torch.cat(heads.unbind(1), dim=-1))


def linear_maps(module: Any) -> dict[str, Tensor]:
    """The layer's weights by name, or a sentence; whether there are biases is another row."""
    every = module.named_parameters(remove_duplicate=False)
    found = {name: weight for name, weight in every if not name.endswith(".bias")}
    if set(found) != {f"{name}.weight" for name in NAMES}:
        written = ", ".join(f"`{name}` {tuple(w.shape)}" for name, w in found.items()) or "none"
        right = ", ".join(f"`{name}.weight`" for name in NAMES)
        raise Wrong(f"its parameters are {written}; expected: {right}, each (dim, dim).")
    return {name: found[f"{name}.weight"] for name in NAMES}


def layer(answer: Any, inputs: Inputs, dim: int = DIM, heads: int = HEADS) -> Any:
    """A layer with drawn weights: large enough that the softmax is far from uniform."""
    weights = inputs.randn(len(NAMES), dim, dim) * (1.6 / dim**0.5)
    return loaded(answer(dim, heads), weights)


@torch.no_grad()
def loaded(module: Any, weights: Sequence[Tensor]) -> Any:
    """The layer with these weights; a bias, which it should not have, is switched off."""
    for parameter, weight in zip(linear_maps(module).values(), weights, strict=True):
        if parameter.shape != weight.shape:
            shape, right = tuple(parameter.shape), tuple(weight.shape)
            raise Wrong(f"a weight has the shape {shape}; each map is dim → dim, here {right}.")
        parameter.copy_(weight)
    for name, parameter in module.named_parameters():
        if name.endswith(".bias"):
            parameter.zero_()
    return module


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
    module, cache = loaded(answer(2, 1), (none, none, one, one)), memory(1, 4, 1, 2)
    still = torch.zeros(1, 1)
    rows = ([[[2.0, 0.0]]], [[[0.0, 4.0]]])
    return [module(torch.tensor(row), still, cache) for row in rows]


def new_layer(answer: Any, inputs: Inputs) -> list:
    """The weights of a new layer."""
    maps = linear_maps(answer(6, 3))
    for first, second in itertools.combinations(NAMES, 2):
        if maps[first] is maps[second]:
            raise Wrong(f"`{first}` and `{second}` are one and the same map.")
    return [[name, tuple(w.shape), w.requires_grad] for name, w in maps.items()]


def biases(answer: Any, inputs: Inputs) -> bool:
    """Is there a bias?"""
    return any(name.endswith("bias") for name, _ in answer(6, 3).named_parameters())


@torch.no_grad()
def without_cache(answer: Any, inputs: Inputs) -> list[Tensor]:
    """Whole sequences: three heads of four, and a long one with two heads of six."""
    return [
        layer(answer, inputs)(inputs.randn(2, 4, DIM), turns(0, 4)),
        layer(answer, inputs)(inputs.randn(3, 3, DIM), turns(0, 3)),
        layer(answer, inputs, 12, 2)(inputs.randn(1, LONG, 12), turns(0, LONG, 6)),
    ]


@torch.no_grad()
def two_and_two(answer: Any, inputs: Inputs) -> list[Tensor]:
    """Two tokens, and two more: cheap, and most mistakes can be told by it."""
    return feed(layer(answer, inputs), inputs.randn(2, 4, DIM), (2, 2), memory())


@torch.no_grad()
def one_by_one(answer: Any, inputs: Inputs) -> list[Tensor]:
    """One token at a time."""
    return feed(layer(answer, inputs), inputs.randn(2, 3, DIM), [1] * 3, memory())


@torch.no_grad()
def a_prompt(answer: Any, inputs: Inputs) -> list[Tensor]:
    """Several tokens into an empty cache, and nothing after them."""
    return feed(layer(answer, inputs), inputs.randn(2, 4, DIM), [4], memory())


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
def how_it_stops(answer: Any, inputs: Inputs) -> list[str]:
    """The errors, if any, of single tokens, a prompt, and a chunk that comes later."""
    module, x = layer(answer, inputs), inputs.randn(2, 7, DIM)
    return [
        error_of(lambda chunks=chunks: feed(module, x, chunks, memory())) or "no error"
        for chunks in ([1, 1], [4], (3, 4), (4, 1))
    ]


@torch.no_grad()
def cache_content(answer: Any, inputs: Inputs) -> list:
    """What lies in the cache after two chunks, even where the layer stops afterwards."""
    module, cache = layer(answer, inputs), memory()
    with contextlib.suppress(Crash):
        feed(module, inputs.randn(2, 5, DIM), (3, 2), cache)
    return [cache.length, cache.keys[:, :, :5].clone(), cache.values[:, :, :5].clone()]


def unwritten(*numbers: float) -> Callable[[Any, Inputs], list[Tensor]]:
    """A probe's run: the slots that are not written hold these numbers."""

    @torch.no_grad()
    def run(answer: Any, inputs: Inputs) -> list[Tensor]:
        module, seen = layer(answer, inputs), []
        for number in numbers:
            cache = memory()
            for buffer in (cache.keys, cache.values):
                buffer.fill_(number)
            seen += feed(module, inputs.randn(2, 4, DIM), (2, 1, 1), cache)
        return seen

    return run


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
    weights = list(linear_maps(module).values())
    total = (result * inputs.randn(2, 4, DIM)).sum()
    return list(torch.autograd.grad(total, [x, *weights], materialize_grads=True))


@torch.no_grad()
def layer_in_half(answer: Any, inputs: Inputs) -> list[str]:
    """In a word: how the whole layer does, its input and its cache in half precision."""
    module, x = layer(answer, inputs), inputs.randn(2, 4, DIM)
    exact = module(x, turns(0, 4))
    seen = []
    for dtype, chunks in ((torch.float16, (3, 1)), (torch.bfloat16, (4,))):
        cache = KVCache.empty(2, HEADS, 9, DIM // HEADS, dtype=dtype)
        try:
            got = feed(module.to(dtype), x.to(dtype), chunks, cache)[-1]
        except Crash as crash:
            raise Wrong(f"in half precision it stops: {stops(crash)}.") from crash
        seen.append(verdict(got, exact[:, -got.shape[1] :] if got.dim() == 3 else exact, dtype))
    return seen


def stops(crash: Crash) -> str:
    """Why a layer stops in half precision, in a word."""
    says = str(crash)
    if "overflow" in says:
        return "it fills in a number that float16 does not have, such as -1e9"
    meet = "same dtype" in says or "scalar type" in says or "type of self" in says
    return "two dtypes meet" if meet else f"it stops with {type(crash.original).__name__}"


def verdict(got: Tensor, exact: Tensor, dtype: torch.dtype) -> str:
    """Right, or what is wrong with a result in half precision."""
    if got.dtype != dtype or got.shape != exact.shape:
        return f"{got.dtype}, {tuple(got.shape)}"
    if got.isnan().any():
        return "not a number"
    near = bool((got.float() - exact).abs().max() < 0.1 * exact.abs().max())
    return "right" if near else "far off"


@torch.no_grad()
def layer_keeps_device(answer: Any, inputs: Inputs) -> str:
    """The layer, its input and its cache lie on another device."""
    module, x, cache = layer(answer, inputs), inputs.randn(2, 5, DIM), memory()
    first, second = turns(0, 2), turns(2, 3)
    with pretended_device() as device:
        results = [module(x[:, :2], first, cache), module(x[:, 2:], second, cache)]
    stays = any(isinstance(out, Tensor) and not device.holds(out) for out in results)
    return "mixed devices" if device.mixed or stays else "one device"


CachedAttention = Check(
    exercise="5.2",
    name="CachedAttention",
    weight=3,
    reference=Reference,
    technique=[
        Probe(
            "worked example: a running mean", running_mean, promise="the output is the mean so far"
        ),
        Probe(
            "a new layer: wq, wk, wv, wo",
            new_layer,
            "A weight of the new layer does not learn: its requires_grad is False.",
            promise=FOUR_MAPS,
        ),
        Probe(
            "its maps have no bias",
            biases,
            "There is a bias. The maps have none: `bias=False`.",
            promise="without bias",
        ),
        Probe(
            "without a cache: two sizes of heads",
            without_cache,
            promise="Without a cache it is MultiHeadAttention",
        ),
        Probe("one token at a time", one_by_one, promise=GOES_ON),
        Probe("a prompt into an empty cache", a_prompt, promise=GOES_ON),
        Probe("two tokens, and two more", two_and_two, promise=GOES_ON),
        Probe("chunks of any size", random_chunks, promise=GOES_ON),
        Probe(
            "no token sees a later one, in a later chunk either",
            chunk_is_causal,
            "The last token of a chunk was changed, and an earlier one in the same chunk moved. "
            "With a cache the mask is still needed, for chunks of two tokens and more.",
            promise=CHUNK,
        ),
        Probe(
            "the given angles, the given cache",
            given_angles,
            promise="angles: (T, d/2), those of the T positions in x",
        ),
        Probe(
            "it does not stop, whatever the chunks",
            how_it_stops,
            "The layer stops with an error where the cache holds more positions than x. Which of "
            "your tensors are T long, and which S?",
            promise="The T queries meet S keys: the scores are a rectangle, T × S.",
        ),
        Probe(
            "the cache afterwards: rotated keys, plain values, written once",
            cache_content,
            "The cache does not hold what it should. Each position is written once: its rotated "
            "key and its value as it is.",
            promise="the cache keeps the turned key",
        ),
        Probe(
            "slots that are not written yet hold 1e9",
            unwritten(1e9),
            promise="puts the new keys and values into the cache and takes out all S",
        ),
        Probe(
            "two sequences in turns, with and without cache",
            two_sequences,
            promise="it keeps nothing between two calls",
        ),
    ],
    ready=[
        Probe(
            "slots that are not written yet hold NaN",
            unwritten(math.nan),
            promise="puts the new keys and values into the cache and takes out all S",
        ),
        Probe(
            "gradients flow without a cache",
            layer_gradients,
            "Without a cache the layer is trained like any other. A wrong gradient, or none, "
            "arrives at the input or at a weight.",
            promise=GRADIENTS_FLOW,
        ),
        Probe(
            "float16 and bfloat16, cache included",
            layer_in_half,
            "In half precision the layer stops, or the result is far off or not a number. Compute "
            "scores and softmax in float32.",
            inexact=True,
            promise=HALF_PRECISION,
        ),
        Probe(
            "works on the device of its inputs",
            layer_keeps_device,
            "A tensor made inside forward lies on the CPU whatever the device of x is. Is it the "
            "mask? `.to(x.device)`",
            promise=SAME_DEVICE,
        ),
    ],
    mistakes=MISTAKES,
    hints=(
        "The new tokens' queries look at which keys? And which of these does the layer have to "
        "compute?",
        "Compute q, k and v of x only, and rotate q and k by the given angles. If there is a "
        "cache, store k and v in it and go on with all it has. The mask is T × S, not T × T.",
        "`k, v = cache.update(k, v)`, then `causal_mask(q.shape[2], k.shape[2])`; all else is "
        "MultiHeadAttention.",
    ),
)
