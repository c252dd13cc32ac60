"""Lab 06: what the probes draw, and how they look at half precision."""

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from checks.engine import Inputs, Probe, Wrong
from checks.engine.answer import Crash

Draw = Callable[[Inputs], tuple]

LEAK = (
    "A later token was changed, and an earlier one moved. A language model that sees the token "
    "it has to predict learns to copy, and nothing else."
)
HALF = (
    "In half precision the result is far off or has another dtype. Compute scores and softmax in "
    "float32 (`q.float()`) and go back to the input's dtype at the end."
)
ROOM = 0.05  # of the largest number: rounding in half precision on the way, and nothing worse


def causal(n_queries: int, n_keys: int) -> Tensor:
    """The mask of a chunk at the end of a text: (T, S) bool."""
    return torch.ones(n_queries, n_keys, dtype=torch.bool).tril(n_keys - n_queries)


def some_mask(inputs: Inputs, *shape: int) -> Tensor:
    """A mask without any order in which every query may look at one key at least."""
    mask = inputs.uniform(*shape) < 0.5
    return mask | (torch.arange(shape[-1]) == inputs.integers(*shape[:-1], 1, high=shape[-1]))


def qkv(
    inputs: Inputs, batch: int, n_heads: int, n_kv_heads: int, *, t: int, s: int, d: int
) -> tuple[Tensor, Tensor, Tensor]:
    """Queries (B, H, T, d), keys and values (B, K, S, d)."""
    k = inputs.randn(batch, n_kv_heads, s, d)
    return inputs.randn(batch, n_heads, t, d) * 1.3, k, inputs.randn(batch, n_kv_heads, s, d)


def huge(inputs: Inputs) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Scores from -30000 to 30000, the largest of them hidden, where a huge value stands."""
    q = torch.tensor([[1.0], [0.9], [0.5], [-1.0]]) * torch.tensor([200.0, 0, 0, 0])
    k = torch.tensor([-1.0, -0.6, -0.59, 0.2, 0.201, 1.0])[:, None] * torch.tensor([300.0, 0, 0, 0])
    mask = torch.ones(4, 6, dtype=torch.bool)
    mask[:, -1] = mask[0, 2:] = mask[3, :4] = False
    mask[3, 4] = True
    values = inputs.randn(1, 2, 6, 4)
    values[:, :, -1] = 1e9
    return q + inputs.randn(1, 4, 4, 4), k + inputs.randn(1, 2, 6, 4), values, mask


def steep(inputs: Inputs) -> tuple[Tensor, Tensor, Tensor]:
    """Two query heads on one kv head: scores up to 13, of which e^ is too large for float16."""
    key = inputs.randn(2, 1, 4, 6)
    unit = key / key.norm(dim=-1, keepdim=True)
    q = (unit * 6.0).repeat(1, 2, 1, 1)
    return q, unit * 13.0 * math.sqrt(6) / 6.0, inputs.randn(2, 1, 4, 6)


def heads_of(
    inputs: Inputs, n_heads: int, n_kv_heads: int, *, head_dim: int, dim: int
) -> tuple[Tensor, int, int]:
    """The weight of a projection (H·d, D), and the numbers of heads."""
    return inputs.randn(n_heads * head_dim, dim), n_heads, n_kv_heads


def numbered(n_heads: int, head_dim: int, dim: int) -> Tensor:
    """A weight whose entry says head, feature and column: 100·h + 10·i + column."""
    head, feature = torch.arange(n_heads)[:, None, None], torch.arange(head_dim)[:, None]
    return (100.0 * head + 10.0 * feature + torch.arange(dim)).reshape(n_heads * head_dim, dim)


def in_half(draw: Draw, title: str) -> Probe:
    """Compare float16 and bfloat16 with the same inputs in float32, with room for rounding."""

    def run(answer: Any, inputs: Inputs) -> list:
        seen: list = []
        for dtype in (torch.float16, torch.bfloat16):
            args = [v.to(dtype) if v.is_floating_point() else v for v in draw(inputs)]
            exact = answer(*(v.float() if v.is_floating_point() else v for v in args))
            got = believed(lambda args=args: answer(*args))
            if not isinstance(got, Tensor):
                return [got]
            seen += [got.flatten()[:0], near(got, exact)]
        return seen

    return Probe(title, run, fails=HALF)


def believed(call: Callable[[], Any]) -> Any:
    """Call, and say in our own words that a number does not fit into float16."""
    try:
        return call()
    except Crash as crash:
        if "overflow" in str(crash):
            raise Wrong(
                "a number on the way does not fit into float16, whose range ends at ±65504. Was "
                "a mask filled with something like -1e9?"
            ) from crash
        raise


def near(got: Tensor, exact: Tensor) -> bool:
    """Tell whether half precision gave the numbers of float32 up to its rounding."""
    far = (got.float() - exact).abs().max()
    return got.shape == exact.shape and bool(far <= ROOM * exact.abs().max())
