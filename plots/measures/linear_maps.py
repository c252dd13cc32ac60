"""Lab 11: linear maps whose weights take 4, 2 or 5/8 bytes each, for `Decoder`."""

from __future__ import annotations

import functools
import time
from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from assets.gguf import Stored

GROUP = 32  # numbers in a Q4_1 block, which share a scale and a minimum
SHORT = 64  # tokens on a Shortlist
MANY = 256  # tokens of a prompt for which unpacking the weights may pay
ROWS = 4096  # of a large matrix at a time, so that what lies in between is small


class Full:
    """A linear map in float32."""

    def __init__(self, weight: Tensor) -> None:
        self.weight = weight

    def __call__(self, x: Tensor) -> Tensor:
        """x: (T, in) → (T, out), float32."""
        return F.linear(x, self.weight)

    def rows(self, ids: Tensor) -> Tensor:
        """The embeddings of some tokens, (T, out), float32."""
        return self.weight[ids]


class Half:
    """A linear map in float16: half the bytes to read."""

    def __init__(self, weight: Tensor) -> None:
        self.weight = weight.half()

    def __call__(self, x: Tensor) -> Tensor:
        """x: (T, in) → (T, out), float32."""
        if len(x) > 1:  # a prompt: a matrix of inputs is slow in float16
            parts = [F.linear(x, rows.float()) for rows in self.weight.split(ROWS)]
            return torch.cat(parts, dim=1)
        return F.linear(x.half(), self.weight).float()

    def rows(self, ids: Tensor) -> Tensor:
        """The embeddings of some tokens, (T, out), float32."""
        return self.weight[ids].float()


class FourBit:
    """A linear map whose weights are nibbles: weight = scale · nibble + minimum, in groups of 32.

    Computed by a kernel of torch's own use, which may be missing: see `kernel_works`. It is made
    for few inputs. Many are multiplied by the unpacked weights where that is faster: processors
    differ in how fast they compute in which dtype (lab 12).
    """

    def __init__(self, nibbles: Tensor, scales: Tensor) -> None:
        """nibbles: (out, in) uint8, scales: (out, in / 32, 2), each group's scale and minimum."""
        scale, minimum = scales.float().unbind(-1)
        # The kernel computes scale · (nibble − 8) + zero, with bfloat16 numbers only fast.
        pairs = torch.stack((scale, minimum + 8 * scale), dim=-1).transpose(0, 1)
        self.scales = pairs.bfloat16().contiguous()  # (in / 32, out, 2)
        pack = torch._convert_weight_to_int4pack_for_cpu
        self.packed = torch.cat([pack(rows.int(), 1) for rows in nibbles.split(ROWS)])
        # In the order that `unpacked` knows, two in a byte: the kernel's own differs by processor.
        self.stored = nibbles[:, ::2] | nibbles[:, 1::2] << 4, scales

    def __call__(self, x: Tensor) -> Tensor:
        """x: (T, in) → (T, out), bfloat16; many tokens at once in the dtype that is fastest."""
        dtype = fastest_for_many() if len(x) >= MANY else None
        return self.packed_product(x) if dtype is None else self.unpacked_product(x, dtype)

    def packed_product(self, x: Tensor) -> Tensor:
        """x: (T, in) → (T, out), bfloat16, by the kernel."""
        return torch._weight_int4pack_mm_for_cpu(x.bfloat16(), self.packed, GROUP, self.scales)

    def unpacked_product(self, x: Tensor, dtype: torch.dtype) -> Tensor:
        """x: (T, in) → (T, out), dtype, by the weights that the nibbles stand for."""
        pairs, scales = self.stored
        nibbles = torch.stack((pairs & 15, pairs >> 4), dim=-1).flatten(1)
        return F.linear(x.to(dtype), unpacked(nibbles, scales).to(dtype))


class Shortlist(Half):
    """An output table that is read in 4 bits; the 64 likeliest tokens are computed in float16.

    4 bits are too few to choose by: their logits are off by half a unit. But the right token is
    among the first ones, so its row is read again, and 63 others. The rest stay approximate.
    """

    def __init__(self, weight: Tensor) -> None:
        super().__init__(weight)
        self.rough = FourBit(*quantized(weight))

    def __call__(self, x: Tensor) -> Tensor:
        """x: (T, in) → (T, out), float32."""
        if len(x) > 1:
            return super().__call__(x)
        logits = self.rough(x).float()
        likeliest = logits.topk(min(SHORT, logits.shape[1])).indices[0]
        logits[0, likeliest] = torch.mv(self.rows(likeliest), x[0])
        return logits


@functools.cache
def fastest_for_many() -> torch.dtype | None:
    """The dtype in which this machine multiplies many inputs fastest; None: by the kernel."""
    luck = torch.Generator().manual_seed(0)  # of its own: who decodes keeps theirs
    one = FourBit(*quantized(torch.randn(1536, 576, generator=luck)))
    x = torch.randn(MANY, 576, generator=luck)
    ways: dict[torch.dtype | None, Callable[[], Tensor]] = {None: lambda: one.packed_product(x)}
    for dtype in (torch.float32, torch.bfloat16):
        ways[dtype] = functools.partial(one.unpacked_product, x, dtype)
    return min(ways, key=lambda way: _seconds(ways[way]))


def _seconds(run: Callable[[], Tensor]) -> float:
    """The fastest of three runs, after one that is not counted."""
    run()
    taken = []
    for _ in range(3):
        begin = time.perf_counter()
        run()
        taken.append(time.perf_counter() - begin)
    return min(taken)


def kernel_works() -> bool:
    """Whether this torch has the 4-bit kernel, and it does what FourBit expects of it."""
    nibbles = torch.arange(64 * 64).reshape(64, 64).remainder(16).to(torch.uint8)
    scales = torch.tensor([0.5, -2.0]).repeat(64, 2, 1)
    scales[:, 1] = torch.tensor([0.25, 1.0])
    x = torch.arange(64.0)[None] / 64
    try:
        got = FourBit(nibbles, scales)(x)
    except (AttributeError, RuntimeError, NotImplementedError):
        return False
    return torch.allclose(got.float(), F.linear(x, unpacked(nibbles, scales)), atol=0.5)


def nibbles_of(
    stored: Stored, decode: Callable[[Tensor], Tensor] | None = None
) -> tuple[Tensor, Tensor]:
    """Take the blocks of a Q4_1 tensor apart: (out, in) nibbles and (out, in / 32, 2) scales.

    A block: float16 scale, float16 minimum, 16 bytes; their low halves are the numbers 0 to 15, the
    high halves 16 to 31. decode: (n, 20) → (n, 32) weights, such as the learner's; the nibbles are
    then those on whose rungs these weights lie.
    """
    rows = stored.shape[0]
    scales = stored.blocks[:, :4].contiguous().view(torch.float16)
    halves = stored.blocks[:, 4:]
    nibbles = torch.cat((halves & 15, halves >> 4), dim=1)  # (n, 32)
    if decode is not None:
        scale, minimum = scales.float().split(1, dim=1)
        rungs = (decode(stored.blocks).float() - minimum) / scale
        nibbles = rungs.nan_to_num(0).round().clamp(0, 15).to(torch.uint8)
    return nibbles.reshape(rows, -1), scales.reshape(rows, -1, 2)


def unpacked(nibbles: Tensor, scales: Tensor) -> Tensor:
    """The weights that nibbles and scales stand for, (out, in), float32."""
    scale, minimum = scales.float().unsqueeze(2).unbind(-1)  # (out, in / 32, 1)
    return torch.addcmul(minimum, scale, nibbles.unflatten(1, (-1, GROUP)).float()).flatten(1)


def quantized(weight: Tensor) -> tuple[Tensor, Tensor]:
    """Round weights to 16 rungs between each group's least and greatest: nibbles and scales.

    weight: (out, in) → (out, in) uint8, (out, in / 32, 2).
    """
    parts = []
    for rows in weight.split(ROWS):
        groups = rows.float().unflatten(1, (-1, GROUP))
        low, high = groups.aminmax(dim=2, keepdim=True)
        scale = ((high - low) / 15).clamp(min=1e-12)
        nibbles = ((groups - low) / scale).round().to(torch.uint8)
        parts.append((nibbles.flatten(1), torch.cat((scale, low), dim=2)))
    nibbles, scales = (torch.cat(part) for part in zip(*parts, strict=True))
    return nibbles, scales
