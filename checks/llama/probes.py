"""Lab 08: drawn weights, sizes and angles, and what is tried on DecoderBlock."""

import functools
import math
from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from checks.engine import Inputs, Wrong, agrees
from checks.engine.devices import PretendedDevice
from checks.llama.reference import KVCache, LlamaConfig, shapes_of_block

HALF = (
    "In half precision the result is far off or has another dtype. The norms, the softmax and the "
    "rotation compute in float32 by themselves; nothing else is to be converted."
)
LEAK = (
    "Two texts differ in their last token only, and their results differ before it: a token sees "
    "later ones. A model that sees what it has to predict learns to copy, and nothing else."
)
ROOM = 0.08  # of the whole: rounding in half precision on the way, and nothing worse
SHOWN = 3  # names in a sentence

Shapes = dict[str, tuple[int, ...]]


def sizes(**changes: Any) -> LlamaConfig:
    """Sizes of a small model: all different, K below H, eps and base far from the defaults."""
    return replace(LlamaConfig(), **changes)


def turns(start: int, length: int, head_dim: int = 4) -> Tensor:
    """RoPE angles of `length` positions from `start` on: (T, d/2); all pairs turn visibly."""
    frequencies = 8.0 ** -(torch.arange(0, head_dim, 2) / head_dim)
    return torch.outer(torch.arange(start, start + length), frequencies)


def drawn(inputs: Inputs, shapes: Shapes) -> dict[str, Tensor]:
    """Weights that let every part speak about as loudly as the others: the first draw of a probe.

    Every known mistake gets the same ones, so they are kept, and not to be changed in place.
    """
    return dict(_drawn(inputs.generator.initial_seed(), tuple(shapes.items())))


@functools.lru_cache(maxsize=64)
def _drawn(seed: int, shapes: tuple[tuple[str, tuple[int, ...]], ...]) -> dict[str, Tensor]:
    generator = torch.Generator().manual_seed(seed + 1)
    sizes = [math.prod(shape) for _, shape in shapes]
    parts = torch.randn(sum(sizes), generator=generator).split(sizes)
    state = {}
    for (name, shape), part in zip(shapes, parts, strict=True):
        if len(shape) == 1:  # of a norm: not ones, or nobody sees which norm was taken
            state[name] = 1 + 0.6 * part.sin()
        elif name.startswith("tok_embeddings"):
            state[name] = part.reshape(shape)
        else:
            state[name] = part.reshape(shape) * (1.5 / shape[-1] ** 0.5)
    return state


def fitted(module: Any, state: dict[str, Tensor]) -> Any:
    """Give a module the weights of a probe and return it, if they fit."""
    expect(module, {name: tuple(weight.shape) for name, weight in state.items()})
    # Not as a dict: the engine would copy it and compare it afterwards, and torch only reads it.
    module.load_state_dict(OrderedDict(state), strict=False)
    return module


def expect(module: Any, wanted: Shapes) -> dict[str, Tensor]:
    """Return a module's weights; raise a sentence if names or shapes differ or some are shared.

    Only a tied table may have a second name, output.weight.
    """
    found = dict(iter(module.named_parameters(remove_duplicate=False)))
    table, output = found.get("tok_embeddings.weight"), found.get("output.weight")
    if output is not None and "output.weight" not in wanted:
        if output is not table:
            same = (
                table is not None and table.shape == output.shape and bool((table == output).all())
            )
            kind = (
                "a copy of the table, which will not follow it in training" if same else "its own"
            )
            raise Wrong(f"with tie_embeddings, `output.weight` has to be the table; it is {kind}.")
        del found["output.weight"]
    sizes = {name: tuple(weight.shape) for name, weight in found.items()}
    faults = []
    if missing := [f"`{name}`" for name in wanted if name not in sizes]:
        faults.append(f"there is no {_listed(missing)}")
    if extra := [f"`{name}`" for name in sizes if name not in wanted]:
        faults.append(f"nobody expects {_listed(extra)}")
    other = [name for name in wanted if name in sizes and sizes[name] != wanted[name]]
    if other:
        faults.append(_listed([f"`{n}` is {sizes[n]}, expected {wanted[n]}" for n in other]))
    if faults:
        raise Wrong(f"its weights have other names or shapes: {'; '.join(faults)}.")
    names: dict[int, str] = {}
    for name, weight in found.items():
        if (first := names.setdefault(id(weight), name)) != name:
            raise Wrong(f"`{first}` and `{name}` are one and the same weight.")
    return found


def _listed(words: list[str]) -> str:
    more = f" and {len(words) - SHOWN} more" if len(words) > SHOWN else ""
    return ", ".join(words[:SHOWN]) + more


def half(got: Any, exact: Tensor, dtype: torch.dtype | None = None) -> list:
    """What is compared in half precision: the dtype if it matters, and whether the numbers fit."""
    if not isinstance(got, Tensor):
        return [got]
    fits = got.shape == exact.shape
    fits = fits and bool((got.float() - exact).norm() <= ROOM * exact.norm())
    return [got.flatten()[:0] if dtype else torch.zeros(0), fits]


# 8.1


def block(answer: Any, inputs: Inputs, silent: Iterable[str] = (), **changes: Any) -> Any:
    """A block with drawn weights, some of them zero."""
    config = sizes(**changes)
    state = drawn(inputs, shapes_of_block(config))
    for name in silent:
        state[name] = torch.zeros_like(state[name])
    return fitted(answer(config), state)


def memory(batch: int = 2, max_len: int = 9, **options: Any) -> KVCache:
    """A cache for such a block."""
    return KVCache(batch, 2, max_len, 4, **options)


def feed(module: Any, x: Tensor, chunks: Iterable[int], cache: KVCache) -> list[Tensor]:
    """Give a block the sequence x chunk by chunk."""
    seen, start = [], 0
    for length in chunks:
        seen.append(module(x[:, start : start + length], turns(start, length), cache))
        start += length
    return seen


@torch.no_grad()
def worked_block(answer: Any, inputs: Inputs) -> Tensor:
    """Attention gives back what it is given, SwiGLU gives nothing: x + x / 5."""
    config = sizes(dim=2, n_heads=1, n_kv_heads=1, hidden_dim=3, norm_eps=0.0)
    state = {name: torch.zeros(shape) for name, shape in shapes_of_block(config).items()}
    for name in state:
        if "norm" in name:
            state[name] = torch.ones(2)
        elif "attention" in name:
            state[name] = torch.eye(2)
    module = fitted(answer(config), state)
    return module(torch.tensor([[[1.0, 7.0]]]), torch.zeros(1, 1))


def new_block(answer: Any, inputs: Inputs) -> list:
    """The weights of new blocks: norms are ones, all can learn, none is zero."""
    seen = []
    for config in (sizes(), sizes(dim=30, n_heads=5, n_kv_heads=5, hidden_dim=7)):
        module = answer(config)
        for name, weight in sorted(expect(module, shapes_of_block(config)).items()):
            is_one = bool((weight == 1).all()) if "norm" in name else bool((weight != 0).any())
            seen.append([weight.requires_grad, is_one])
    return seen


@torch.no_grad()
def silent_block(answer: Any, inputs: Inputs) -> list[Tensor]:
    """Both parts give zero: the block must hand on what it got, large or small."""
    silent = ("attention.wo.weight", "feed_forward.w_down.weight")
    module = block(answer, inputs, silent)
    x = inputs.randn(1, 3, 24)
    return [module(scale * x, turns(0, 3)) for scale in (1.0, 100.0)]


@torch.no_grad()
def attention_only(answer: Any, inputs: Inputs) -> Tensor:
    """SwiGLU gives zero."""
    return block(answer, inputs, ["feed_forward.w_down.weight"])(
        3 * inputs.randn(2, 3, 24), turns(0, 3)
    )


@torch.no_grad()
def feed_forward_only(answer: Any, inputs: Inputs) -> Tensor:
    """Attention gives zero."""
    return block(answer, inputs, ["attention.wo.weight"])(3 * inputs.randn(2, 3, 24), turns(0, 3))


@torch.no_grad()
def both_parts(answer: Any, inputs: Inputs) -> Tensor:
    """Both parts, at angles that no position has; two texts that differ in their last token."""
    module, x = block(answer, inputs), 1.5 * inputs.randn(2, 4, 24)
    x[1, :-1] = x[0, :-1]
    result = module(x, 3 * inputs.randn(4, 2))
    refuse_leaks(result, (2, 4, 24))
    return result


def refuse_leaks(result: Any, shape: tuple[int, ...]) -> None:
    """Raise a sentence when the results of two texts that differ at the end differ before it."""
    if not isinstance(result, Tensor) or result.shape != shape:
        return
    if not agrees(result[1, :-1], result[0, :-1]):
        raise Wrong(LEAK)


@torch.no_grad()
def other_blocks(answer: Any, inputs: Inputs) -> list[Tensor]:
    """Other numbers of heads, other sizes, another eps with numbers so small that it is seen."""
    changes = {"dim": 24, "n_heads": 4, "n_kv_heads": 1, "hidden_dim": 31, "norm_eps": 0.5}
    one = block(answer, inputs, **changes).eval()  # in use, not in training: the same
    other = block(answer, inputs, norm_eps=1e-6)
    x, y = inputs.randn(3, 2, 24), 1e-3 * inputs.randn(1, 3, 24)
    return [one(x, turns(0, 2, 6)), other(y, turns(0, 3))]


@torch.no_grad()
def in_chunks(answer: Any, inputs: Inputs) -> list[Tensor]:
    """One token at a time, and chunks of other sizes; then what stands in the cache.

    The slots that are not written yet hold huge keys, and values that are no numbers.
    """
    module, x = block(answer, inputs), inputs.randn(2, 6, 24)
    cache, other = memory(), memory()
    for fresh in (cache, other):
        fresh.keys.fill_(1e9)
        fresh.values.fill_(torch.nan)
    seen = feed(module, x[:, :2], (1, 1), cache) + feed(module, x, (2, 4), other)
    kept = [part[:, :, :2].detach().clone() for part in (cache.keys, cache.values)]
    return [*seen, *kept, torch.tensor([cache.length, other.length])]


@torch.no_grad()
def two_texts(answer: Any, inputs: Inputs) -> list[Tensor]:
    """Two texts in turns, each with its cache, and one without."""
    module, first, second = block(answer, inputs), memory(), memory()
    x, y = inputs.randn(2, 4, 24), inputs.randn(2, 2, 24)
    return [
        module(x[:, :3], turns(0, 3), cache=first),
        module(y, turns(0, 2), cache=second),
        module(x[:, 3:], turns(3, 1), cache=first),
        module(x, turns(0, 4)),
    ]


def block_gradients(answer: Any, inputs: Inputs) -> Tensor:
    """The gradients, one after the other, of the input and of all nine weights."""
    module, x = block(answer, inputs), inputs.randn(2, 3, 24).requires_grad_()
    result = module(x, turns(0, 3))
    weights = [weight for _, weight in sorted(module.named_parameters())]
    learns = [weight.requires_grad for weight in weights]
    if not isinstance(result, Tensor) or not result.requires_grad or not all(learns):
        return torch.zeros(0)
    total = (result * inputs.randn(2, 3, 24)).sum()
    found = torch.autograd.grad(total, [x, *weights], materialize_grads=True)
    return torch.cat([gradient.flatten() for gradient in found])


@torch.no_grad()
def block_in_half(answer: Any, inputs: Inputs) -> list:
    """Block, input and cache in half precision, far from the start.

    The keys in the cache show how far they were turned.
    """
    module, x, angles = block(answer, inputs), inputs.randn(2, 3, 24), turns(1000, 3)
    cache, seen = memory(), []
    exact = module(x, angles, cache)
    for dtype in (torch.float16, torch.bfloat16):
        other = memory(dtype=dtype)
        seen += half(module.to(dtype)(x.to(dtype), angles, other), exact, dtype)
        seen += half(other.keys.float(), cache.keys)
    return seen


def block_elsewhere(answer: Any, inputs: Inputs) -> str:
    """Move a block and its input to another device."""
    x, angles, device = inputs.randn(2, 3, 24), turns(0, 3), PretendedDevice()
    with device:
        module = answer(sizes())
    fitted(module, drawn(inputs, shapes_of_block(sizes())))
    device.take([*module.parameters(), *module.buffers()])
    with device:
        out = module(x, angles)
    stays = isinstance(out, Tensor) and not device.holds(out)
    return "mixed devices" if device.mixed or stays else "one device"
