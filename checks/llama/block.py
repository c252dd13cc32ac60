"""Lab 08, 8.1: what is tried on DecoderBlock."""

from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor

from checks.engine import (
    GRADIENTS_FLOW,
    HALF_PRECISION,
    Check,
    Inputs,
    Probe,
    Wrong,
    module_keeps_device,
)
from checks.engine.llama_config import sizes
from checks.llama.block_wrong import MISTAKES
from checks.llama.parts import DecoderBlock, KVCache
from checks.llama.weights import (
    drawn,
    fault,
    fitted,
    gradients,
    half,
    made,
    refuse_dropout,
    refuse_leaks,
    shapes_of_block,
)

FORMULA = "h = x + \\mathrm{attention}(\\mathrm{norm}_1(x))"
STREAM = "each reads a normed copy of the stream, and is added to the stream"
PARTS = "Its parts are attention_norm (RMSNorm), attention (GroupedQueryAttention)"
CACHE = "cache: hand it on to attention"


def turns(start: int, length: int, head_dim: int = 4) -> Tensor:
    """RoPE angles of `length` positions from `start` on: (T, d/2); all pairs turn visibly."""
    frequencies = 8.0 ** -(torch.arange(0, head_dim, 2) / head_dim)
    return torch.outer(torch.arange(start, start + length), frequencies)


def block_of(answer: Any, inputs: Inputs, silent: Iterable[str] = (), **changes: Any) -> Any:
    """A block with drawn weights, some of them zero."""
    config = sizes(**changes)
    state = drawn(inputs, shapes_of_block(config))
    for name in silent:
        state[name] = torch.zeros_like(state[name])
    return fitted(answer, config, state)


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
    module = fitted(answer, config, state)
    return module(torch.tensor([[[1.0, 7.0]]]), torch.zeros(1, 1))


def new_block(*parts: str) -> Callable[[Any, Inputs], bool]:
    """Some parts of new blocks: norms are ones, all can learn, each block has its own."""

    def run(answer: Any, inputs: Inputs) -> bool:
        config, other = sizes(), sizes(dim=30, n_heads=5, n_kv_heads=5, hidden_dim=7)
        found = []
        for each in (config, config, other):
            new = made(answer, each)
            if says := fault(new, shapes_of_block(each), each, parts):
                raise Wrong(says)
            found.append(dict(iter(new.named_parameters())))
        for name in (name for name in found[0] if name.partition(".")[0] in parts):
            weight = found[0][name]
            if not weight.requires_grad:
                raise Wrong(f"`{name}` cannot learn: its requires_grad is False.")
            if weight.ndim == 1 and not (weight == 1).all():
                raise Wrong(f"`{name}` does not start at ones.")
            if weight is found[1][name]:
                raise Wrong(f"two blocks have one and the same `{name}`.")
        return True

    return run


@torch.no_grad()
def silent_block(answer: Any, inputs: Inputs) -> list[Tensor]:
    """Both parts give zero: the block must hand on what it got, large or small."""
    silent = ("attention.wo.weight", "feed_forward.w_down.weight")
    module = block_of(answer, inputs, silent)
    x = inputs.randn(1, 3, 24)
    return [module(scale * x, turns(0, 3)) for scale in (1.0, 100.0)]


@torch.no_grad()
def attention_only(answer: Any, inputs: Inputs) -> Tensor:
    """SwiGLU gives zero."""
    module = block_of(answer, inputs, ["feed_forward.w_down.weight"])
    return module(3 * inputs.randn(2, 3, 24), turns(0, 3))


@torch.no_grad()
def feed_forward_only(answer: Any, inputs: Inputs) -> Tensor:
    """Attention gives zero."""
    module = block_of(answer, inputs, ["attention.wo.weight"])
    return module(3 * inputs.randn(2, 3, 24), turns(0, 3))


@torch.no_grad()
def both_parts(answer: Any, inputs: Inputs) -> Tensor:
    """Both parts, at angles that no position has; two texts that differ in their last token."""
    module, x = block_of(answer, inputs), 1.5 * inputs.randn(2, 4, 24)
    x[1, :-1] = x[0, :-1]
    result = module(x, 3 * inputs.randn(4, 2))
    refuse_leaks(result, (2, 4, 24))
    return result


def in_training(answer: Any, inputs: Inputs) -> Tensor:
    """A module in training gives what it gives in use."""
    x, angles = inputs.randn(2, 3, 24), turns(0, 3)
    return refuse_dropout(block_of(answer, inputs), x, angles)(x, angles)


@torch.no_grad()
def other_blocks(answer: Any, inputs: Inputs) -> list[Tensor]:
    """Other numbers of heads, other sizes, another eps with numbers so small that it is seen."""
    changes = {"dim": 24, "n_heads": 4, "n_kv_heads": 1, "hidden_dim": 31, "norm_eps": 0.5}
    one = block_of(answer, inputs, **changes)
    other = block_of(answer, inputs, norm_eps=1e-6)
    x, y = inputs.randn(3, 2, 24), 1e-3 * inputs.randn(1, 3, 24)
    return [one(x, turns(0, 2, 6)), other(y, turns(0, 3))]


@torch.no_grad()
def in_chunks(answer: Any, inputs: Inputs) -> list[Tensor]:
    """One token at a time, and chunks of other sizes; then what stands in the cache.

    The slots that are not written yet hold huge keys, and values that are no numbers.
    """
    module, x = block_of(answer, inputs), inputs.randn(2, 6, 24)
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
    module, first, second = block_of(answer, inputs), memory(), memory()
    x, y = inputs.randn(2, 4, 24), inputs.randn(2, 2, 24)
    return [
        module(x[:, :3], turns(0, 3), cache=first),
        module(y, turns(0, 2), cache=second),
        module(x[:, 3:], turns(3, 1), cache=first),
        module(x, turns(0, 4)),
    ]


def block_gradients(answer: Any, inputs: Inputs) -> Tensor:
    """The gradients of the input and of all nine weights."""
    module, x = block_of(answer, inputs), inputs.randn(2, 3, 24)
    module = refuse_dropout(module, x, turns(0, 3))
    x.requires_grad_()
    return gradients(module(x, turns(0, 3)), module, inputs.randn(2, 3, 24), x)


@torch.no_grad()
def block_in_half(answer: Any, inputs: Inputs) -> list:
    """Block, input and cache in half precision, far from the start.

    The keys in the cache show how far they were turned.
    """
    module, x, angles = block_of(answer, inputs), inputs.randn(2, 3, 24), turns(1000, 3)
    cache, seen = memory(), []
    exact = module(x, angles, cache)
    for dtype in (torch.float16, torch.bfloat16):
        other = memory(dtype=dtype)
        seen += half(module.to(dtype)(x.to(dtype), angles, other), exact, dtype)
        seen += half(other.keys.float(), cache.keys)
    module.float()  # its parts may be another block's, too
    return seen


block = Check(
    exercise="8.1",
    name="DecoderBlock",
    weight=2,
    reference=DecoderBlock,
    technique=[
        Probe(
            "a new block: two norms of ones",
            new_block("attention_norm", "ffn_norm"),
            promise="Both norms start at ones and have config.norm_eps",
        ),
        Probe(
            "a new block: attention, with n_heads and n_kv_heads",
            new_block("attention"),
            promise=PARTS,
        ),
        Probe("a new block: SwiGLU, with hidden_dim", new_block("feed_forward"), promise=PARTS),
        Probe("worked example: x + x / 5", worked_block, promise="# x + x / 5"),
        Probe(
            "both parts silent: what comes in goes out",
            silent_block,
            "wo and w_down were zero, so attention and SwiGLU add nothing, and the block must hand "
            "on its input untouched. What else happens to the stream?",
            promise=STREAM,
        ),
        Probe("attention alone speaks", attention_only, promise=STREAM),
        Probe("SwiGLU alone speaks", feed_forward_only, promise=STREAM),
        Probe(
            "both speak, at the angles given; no token sees a later one",
            both_parts,
            promise="angles: (T, d/2) of these T positions",
        ),
        Probe("in training as in use", in_training, promise=FORMULA),
        Probe(
            "other heads, sizes and eps",
            other_blocks,
            promise="The sizes come from a LlamaConfig",
        ),
        Probe("in chunks, with a cache whose free slots hold NaN or 1e9", in_chunks, promise=CACHE),
        Probe("two texts in turns, each with its cache", two_texts, promise=CACHE),
    ],
    ready=[
        Probe(
            "gradients reach the input and all nine weights",
            block_gradients,
            "A wrong gradient, or none, arrives at the input or at one of the weights.",
            promise=GRADIENTS_FLOW,
        ),
        Probe(
            "float16 and bfloat16 at position 1,000, with a cache",
            block_in_half,
            "In half precision the result is far off or has another dtype. The norms, the softmax "
            "and the rotation compute in float32 by themselves; nothing else is to be converted.",
            inexact=True,
            promise=HALF_PRECISION,
        ),
        module_keeps_device(
            block_of,
            lambda inputs: (inputs.randn(2, 3, 24), turns(0, 3)),
            "A tensor made in the block stays on the CPU when x is on a GPU. Give it "
            "`device=x.device`.",
        ),
    ],
    mistakes=MISTAKES,
    hints=(
        "The stream x runs through the block. Who reads from it, through what, and what happens "
        "with what they found?",
        "Attention reads norm(x), and what it found is added to x itself. Then SwiGLU reads the "
        "other norm of that sum, and is added to it. The cache goes to attention.",
        "`x = x + self.attention(self.attention_norm(x), angles, cache)`, then "
        "`return x + self.feed_forward(self.ffn_norm(x))`",
    ),
)
