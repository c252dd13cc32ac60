"""Lab 12: what int8_linear and attend_block cost and save on this machine."""

from __future__ import annotations

import gc
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from plots.measure import give_back, one_thread, short, times_in_turns
from plots.show import counted, once_written

State = tuple[Tensor, Tensor, Tensor]
Function = Callable[..., Any]

SHAPES = ((64, 48),) if short() else ((1536, 576), (14_336, 4096))  # w_gate of SmolLM2, Llama 3 8B
T, HEADS, HEAD_DIM = (256 if short() else 2048), 9, 64
QUERIES, KEYS = (64, 64) if short() else (128, 256)  # of a block
ROUNDS = 1 if short() else 4
RESET, STATUS = Path("/proc/self/clear_refs"), Path("/proc/self/status")


def in_turns(*runs: Callable[[], Any], rounds: int = ROUNDS) -> list[float]:
    """The shortest time of each in seconds; they take turns, after one round unmeasured."""
    times = times_in_turns(*runs, rounds=counted(range(rounds + 1), "Round"))
    return [min(taken[1:]) for taken in times]


@once_written
def int8_speed(quantize_int8: Function, int8_linear: Function) -> None:
    """Print how long one token's product takes with a float32 weight and with an int8 one."""
    print("one token times      float32              int8               int8 takes")
    with torch.inference_mode(), one_thread():
        for n_out, n_in in SHAPES:
            weight, x = torch.randn(n_out, n_in) / n_in**0.5, torch.randn(1, n_in)
            q, scale = quantize_int8(weight)
            plain, bytes_only = in_turns(
                lambda x=x, weight=weight: F.linear(x, weight),
                lambda x=x, q=q, scale=scale: int8_linear(x, q, scale),
                rounds=20 if not short() else 1,
            )
            sizes = f"{weight.nbytes / 1e6:7.1f} MB", f"{q.nbytes / 1e6:7.1f} MB"
            print(
                f"{n_out:6} × {n_in:5}  {sizes[0]} {1e3 * plain:7.2f} ms  {sizes[1]} "
                f"{1e3 * bytes_only:7.2f} ms  {bytes_only / plain:6.1f} times as long"
            )


def in_blocks(
    attend_block: Function, q: Tensor, k: Tensor, v: Tensor, queries: int = 0, keys: int = 0
) -> Tensor:
    """Causal attention by a learner's attend_block; blocks above the diagonal are skipped.

    q, k, v: (..., T, d) → (..., T, d). queries, keys: of a block.
    """
    queries, keys = queries or QUERIES, keys or KEYS
    length, parts = q.shape[-2], []
    for top in range(0, length, queries):
        end = min(top + queries, length)
        state = None
        for left in range(0, end, keys):
            right = min(left + keys, end)
            mask = None
            if right > top:  # the diagonal goes through this block
                rows, columns = torch.arange(top, end), torch.arange(left, right)
                mask = rows[:, None] >= columns
            block = slice(left, right)
            state = attend_block(
                q[..., top:end, :], k[..., block, :], v[..., block, :], state, mask
            )
        _, total, mixed = state
        parts.append(mixed / total)
    return torch.cat(parts, dim=-2)


@once_written
def online(attend_block: Function, attention: Function) -> None:
    """Print time and memory of attention at 2,048 tokens: lab 04's, in blocks, torch's own."""
    generator = torch.Generator().manual_seed(0)
    q, k, v = torch.randn(3, 1, HEADS, T, HEAD_DIM, generator=generator)
    mask = torch.ones(T, T, dtype=torch.bool).tril()
    ways: dict[str, Callable[[], Tensor]] = {
        "your attend_block, in blocks": lambda: in_blocks(attend_block, q, k, v),
        "your attention of lab 04": lambda: attention(q, k, v, mask),
        "torch's own": lambda: F.scaled_dot_product_attention(q, k, v, is_causal=True),
    }
    with torch.inference_mode(), one_thread():
        grown = [peak_growth(run) for run in ways.values()]  # the one that keeps least comes first
        right = ways["your attention of lab 04"]()
        off = (ways["your attend_block, in blocks"]() - right).abs().max().item()
        times = in_turns(*ways.values())
    print(f"{T:,} tokens, {HEADS} heads of {HEAD_DIM}, one thread, the fastest of {ROUNDS} rounds")
    print(f"{'':32}milliseconds   MB more at its peak")
    for name, seconds, size in zip(ways, times, grown, strict=True):
        more = f"{size / 1e6:14.0f}" if size is not None else f"{'–':>14}"
        print(f"{name:32}{1e3 * seconds:12.0f}{more}")
    print(f"In blocks: {times[1] / times[0]:.1f} times as fast as lab 04's", end="")
    if grown[0] and grown[1]:
        print(f", with {grown[1] / grown[0]:.1f} times less memory", end="")
    print(f"; the largest difference is {off:.0e}.")


def peak_growth(run: Callable[[], Any]) -> int | None:
    """By how many bytes this process grows, at its largest, while it runs; None where unknown."""
    gc.collect()
    give_back()  # what lies in reserve would not count when it is used again
    try:
        RESET.write_text("5", encoding="ascii")  # Linux forgets the largest size so far
        before = _status("VmRSS")
        run()
        return max(_status("VmHWM") - before, 1)
    except (AttributeError, OSError, TypeError, ValueError):
        return None


def _status(name: str) -> int:
    """A size of this process in bytes."""
    found = re.search(rf"{name}:\s+(\d+) kB", STATUS.read_text(encoding="ascii"))
    if found is None:
        raise ValueError(name)
    return 1024 * int(found[1])
