"""Lab 06, 6.3: what is tried on GroupedQueryAttention."""

from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor

from checks.engine import Crash, Inputs, Wrong, agrees, expect_parameters, load
from checks.engine.attention_probes import ROOM, believed

HEADS, KV_HEADS, HEAD_DIM = 6, 3, 4  # of most layers here: groups of two
DIM = HEADS * HEAD_DIM
LONG = 30  # positions of a text in which a limit that somebody built in shows
NAMES = ("wq", "wk", "wv", "wo")
BIASES = {f"{name}.bias" for name in NAMES}


def rotate(x: Tensor, angles: Tensor) -> Tensor:
    """RoPE. x: (B, H, T, d), angles: (T, d/2) → (B, H, T, d); pairs (2i, 2i+1)."""
    cos, sin = angles.double().cos(), angles.double().sin()
    even, odd = x.double()[..., 0::2], x.double()[..., 1::2]
    pairs = torch.stack([even * cos - odd * sin, even * sin + odd * cos], dim=-1)
    return pairs.flatten(-2).to(x.dtype)


class KVCache:
    """The cache of lab 05, as tolerant as it can be: it takes any number of heads."""

    def __init__(
        self,
        batch: int,
        n_kv_heads: int,
        max_len: int,
        head_dim: int,
        dtype: torch.dtype = torch.float32,
    ) -> None:
        self.keys = torch.zeros(batch, n_kv_heads, max_len, head_dim, dtype=dtype)
        self.values = torch.zeros_like(self.keys)
        self.length = 0

    def update(self, k: Tensor, v: Tensor) -> tuple[Tensor, Tensor]:
        """k, v: (B, K, T, d), stored → all so far, keys and values, each (B, K, length, d)."""
        end = self.length + k.shape[2]
        if end > self.keys.shape[2]:
            raise ValueError(f"{end} positions > {self.keys.shape[2]}")
        if times := (k.shape[1] - 1) // self.keys.shape[1]:  # more heads than it was made for
            heads = torch.arange(k.shape[1]) // (times + 1)
            self.keys, self.values = self.keys[:, heads], self.values[:, heads]
        self.keys[:, :, self.length : end] = k
        self.values[:, :, self.length : end] = v
        self.length = end
        return self.keys[:, :, :end], self.values[:, :, :end]


def loaded(module: Any, state: dict[str, Tensor]) -> Any:
    """A layer with these weights; a bias, which has a row of its own, is switched off."""
    biases = {
        name: torch.zeros_like(value) for name, value in module.named_parameters() if name in BIASES
    }
    return load(module, state | biases)


def shapes(heads: int, kv_heads: int, d: int) -> dict[str, tuple[int, int]]:
    """The shapes of the four weights."""
    dim, narrow = heads * d, kv_heads * d
    return dict(zip(NAMES, ((dim, dim), (narrow, dim), (narrow, dim), (dim, dim)), strict=True))


def layer(
    answer: Any, inputs: Inputs, heads: int = HEADS, kv_heads: int = KV_HEADS, d: int = HEAD_DIM
) -> Any:
    """A layer with drawn weights: large enough that the softmax is far from uniform."""
    state = {
        f"{name}.weight": inputs.randn(*shape) * (1.6 / (heads * d) ** 0.5)
        for name, shape in shapes(heads, kv_heads, d).items()
    }
    return loaded(answer(heads * d, heads, kv_heads), state)


def turns(start: int, length: int, head_dim: int = HEAD_DIM) -> Tensor:
    """RoPE angles of `length` positions from `start` on: (T, d/2); all pairs turn visibly."""
    frequencies = 8.0 ** -(torch.arange(0, head_dim, 2) / head_dim)
    return torch.outer(torch.arange(start, start + length), frequencies)


def memory(batch: int = 2, kv_heads: int = KV_HEADS, max_len: int = 9, **options: Any) -> KVCache:
    """A cache with room for nine positions or more, whose unused slots hold zeros."""
    return KVCache(batch, kv_heads, max_len, HEAD_DIM, **options)


def feed(module: Any, x: Tensor, chunks: Iterable[int], cache: KVCache) -> list[Tensor]:
    """Give a layer the sequence x chunk by chunk."""
    seen, start = [], 0
    for length in chunks:
        seen.append(module(x[:, start : start + length], turns(start, length), cache=cache))
        start += length
    return seen


def worked_layer(answer: Any, inputs: Inputs) -> Tensor:
    """Identity weights and a second token that is zero: it averages what it sees."""
    wide, narrow = torch.eye(4), torch.eye(2, 4)
    state = dict(zip(NAMES, (wide, narrow, narrow, wide), strict=True))
    module = loaded(answer(4, 2, 1), {f"{name}.weight": weight for name, weight in state.items()})
    return module(torch.tensor([[[4.0, 8, 0, 2], [0, 0, 0, 0]]]), torch.zeros(2, 1))


def new_layer(answer: Any, inputs: Inputs) -> list:
    """The parameters of a new layer, and whether they can learn."""
    module = answer(24, 6, 2)
    expected = shapes(6, 2, 4).items()
    if any(name in BIASES for name, _ in module.named_parameters()):
        raise Wrong("there are maps with a bias. All four are `nn.Linear(…, bias=False)`.")
    expect_parameters(module, {f"{name}.weight": torch.zeros(shape) for name, shape in expected})
    if frozen := [name for name, w in module.named_parameters() if not w.requires_grad]:
        raise Wrong(f"`{frozen[0]}` has requires_grad=False, so that it never learns.")
    return sorted(name for name, w in module.named_parameters() if bool((w != 0).any()))


def groups_of(*sizes: tuple[int, int]) -> Callable[[Any, Inputs], list[str]]:
    """Make layers with these numbers of query and kv heads, some of which do not come out even."""

    def made(answer: Any, heads: int, kv_heads: int) -> str:
        try:
            layer = answer(2 * heads, heads, kv_heads)
        except Crash as crash:
            return type(crash.original).__name__
        wk = [tuple(w.shape) for name, w in layer.named_parameters() if name == "wk.weight"]
        return f"wk {wk}"

    return lambda answer, inputs: [made(answer, *pair) for pair in sizes]


def one_sequence(answer: Any, inputs: Inputs) -> Tensor:
    """A batch of two short texts, without a cache."""
    return layer(answer, inputs)(inputs.randn(2, 4, DIM), turns(0, 4))


def without_cache(answer: Any, inputs: Inputs) -> list[Tensor]:
    """Whole sequences, by layers of several sizes."""
    seen = []
    for batch, length, heads, kv_heads, d in ((1, 4, 6, 2, 2), (3, 2, 4, 1, 6), (2, 3, 3, 3, 4)):
        module = layer(answer, inputs, heads, kv_heads, d)
        seen.append(module(inputs.randn(batch, length, heads * d), turns(0, length, d)))
    return seen


def future_changed(answer: Any, inputs: Inputs) -> list[bool]:
    """Change the last token of a whole sequence and of a second chunk; watch those before it."""
    module, x = layer(answer, inputs), inputs.randn(1, 5, DIM)
    other = x.clone()
    other[:, -1] += 2
    both = torch.cat([x, other])
    whole, after = module(both, turns(0, 5)), feed(module, both, (2, 3), memory())[1]
    return [
        verdict
        for one, two in (whole, after)
        for verdict in (agrees(two[:-1], one[:-1]), agrees(two, one))
    ]


def given_angles(answer: Any, inputs: Inputs) -> list[Tensor]:
    """Angles that no position has, and a cache that somebody else began."""
    module, cache = layer(answer, inputs), memory()
    past = (2, KV_HEADS, 2, HEAD_DIM)
    cache.update(inputs.randn(*past), inputs.randn(*past))
    x, angles = inputs.randn(2, 3, DIM), inputs.randn(3, 2) * 3
    return [module(x, angles, cache), module(x, angles)]


def one_by_one(answer: Any, inputs: Inputs) -> list[Tensor]:
    """One token at a time."""
    return feed(layer(answer, inputs), inputs.randn(2, 4, DIM), [1] * 4, memory())


def random_chunks(answer: Any, inputs: Inputs) -> list[Tensor]:
    """A short text in two chunks; a long one in three, two of them drawn, with MQA."""
    drawn = inputs.integers(2, low=1, high=5).tolist()
    module, x = layer(answer, inputs), inputs.randn(1, LONG, DIM)
    seen = feed(module, x, (3, 2), memory(1))
    single = layer(answer, inputs, kv_heads=1)
    chunks = (*drawn, LONG - sum(drawn))
    return seen + feed(single, x, chunks, memory(1, kv_heads=1, max_len=LONG))


def cache_content(answer: Any, inputs: Inputs) -> list:
    """What stands in the cache after each chunk, and how many heads it has there."""
    module, cache, seen = layer(answer, inputs), memory(), []
    for start, length in ((0, 3), (3, 2)):
        module(inputs.randn(2, length, DIM), turns(start, length), cache)
        heads = cache.keys.shape[1]
        if heads != KV_HEADS:
            raise Wrong(
                f"it puts keys of {heads} heads into the cache. With {HEADS} query heads and "
                f"{KV_HEADS} kv heads only {KV_HEADS} belong there: the smaller cache is all that "
                "grouped queries are for."
            )
        end = start + length
        seen += [cache.keys[:, :, :end].detach().clone(), cache.values[:, :, :end].detach().clone()]
        seen.append(cache.length)
    return seen


def poisoned_slots(answer: Any, inputs: Inputs) -> list[Tensor]:
    """A cache whose unused slots hold huge keys and values that are no numbers."""
    module, cache = layer(answer, inputs), memory()
    cache.keys.fill_(1e9)
    cache.values.fill_(torch.nan)
    return feed(module, inputs.randn(2, 4, DIM), (2, 2), cache)


def without_memory(answer: Any, inputs: Inputs) -> list[Tensor]:
    """The same text twice without a cache."""
    module, x = layer(answer, inputs), inputs.randn(2, 3, DIM)
    return [module(x, turns(0, 3)), module(x, turns(0, 3), None)]


def two_sequences(answer: Any, inputs: Inputs) -> list[Tensor]:
    """Two sequences in turns, each with its cache, and one without at the end."""
    module, first, second = layer(answer, inputs), memory(), memory()
    x, y = inputs.randn(2, 4, DIM), inputs.randn(2, 2, DIM)
    return [
        module(x[:, :3], turns(0, 3), first),
        module(y, turns(0, 2), second),
        module(x[:, 3:], turns(3, 1), first),
        module(x, turns(0, 4)),
    ]


def layer_dtype(answer: Any, inputs: Inputs) -> Tensor:
    """What comes back from a layer in bfloat16; its numbers are looked at afterwards."""
    module = layer(answer, inputs).to(torch.bfloat16)
    return module(inputs.randn(1, 2, DIM).bfloat16(), turns(0, 2))[..., :0]


def layer_gradients(answer: Any, inputs: Inputs) -> list[Tensor]:
    """The gradients of the input and of the four weights."""
    module, x = layer(answer, inputs), inputs.randn(2, 3, DIM).requires_grad_()
    result = module(x, turns(0, 3))
    if not isinstance(result, Tensor) or not result.requires_grad:
        return [torch.zeros(0)]
    weights = [getattr(module, name).weight for name in NAMES]
    if not all(weight.requires_grad for weight in weights):
        return [torch.zeros(0)]
    total = (result * inputs.randn(2, 3, DIM)).sum()
    return list(torch.autograd.grad(total, [x, *weights], materialize_grads=True))


def layer_in_half(answer: Any, inputs: Inputs) -> list:
    """The whole layer, its input and its cache in half precision."""
    module, x, seen = layer(answer, inputs), inputs.randn(2, 3, DIM), []
    exact = module(x, turns(0, 3))
    for dtype in (torch.float16, torch.bfloat16):
        args = module.to(dtype), x.to(dtype), (2, 1), memory(dtype=dtype)
        got = believed(lambda args=args: feed(*args))
        if not all(isinstance(part, Tensor) for part in got):
            return got
        got = torch.cat(got, dim=1)
        far = (got.float() - exact).abs().max()
        seen += [got.flatten()[:0], bool(far <= 2 * ROOM * exact.abs().max())]
    return seen
