"""Lab 12: attention block by block: the scores light up, one query's sums grow and shrink.

The values that attend_block averages are ones and zeros that tell the blocks apart, so that each
place of o is what one block has in it: the picture shows the learner's own state.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from plots.cells import EMPTY, MASKED, NEW
from plots.flipbook import Flipbook, explore
from plots.matrix import matrix
from plots.page import says
from plots.style import BLUE, GREEN, INK, ORANGE, PINK, is_narrow, number, numbers

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

State = tuple[Tensor, Tensor, Tensor]
Function = Callable[..., Any]

N, BLOCK = 12, 3  # tokens, and keys of a block
BLOCKS = N // BLOCK
QUERIES = [5, 8, 11]
LOOKS = ((BLUE, ""), (ORANGE, "//"), (GREEN, "xx"), (PINK, ".."))  # of the blocks


def blocks(attend_block: Function) -> Flipbook:
    """The T × S square, block by block, and m, l and o of one query after each of them."""
    q, k = _queries_and_keys()
    mask = torch.ones(N, N, dtype=torch.bool).tril()
    own = torch.eye(N)  # a value for each key: which weight it has
    parts = torch.eye(BLOCKS).repeat_interleave(BLOCK, dim=0)  # a value for each block

    @functools.cache
    def states() -> list[tuple[State, Tensor]]:
        """After each block the state of all queries, and the weight of every key (N, N)."""
        state, keys, seen = None, None, []
        for block in range(BLOCKS):
            cut = slice(block * BLOCK, (block + 1) * BLOCK)
            state = attend_block(q, k[cut], _wide(parts[cut]), state, mask[:, cut])
            keys = attend_block(q, k[cut], _wide(own[cut]), keys, mask[:, cut])
            _, l, o = keys
            seen.append((tuple(state), (o / l)[:, :N]))
        return seen

    def draw(fig: Figure, query: int, taken: int) -> str:
        narrow = is_narrow(fig)
        left = fig.add_axes((0.1, 0.5, 0.86, 0.44) if narrow else (0.04, 0.06, 0.42, 0.84))
        right = fig.add_axes((0.13, 0.09, 0.83, 0.33) if narrow else (0.56, 0.16, 0.43, 0.72))
        done = states()[:taken]
        _square(left, done[-1][1], taken, query)
        rows = [_row(state, query) for state, _ in done]
        most = max(float(_row(state, query)[1]) for state, _ in states())
        _sums(right, rows, most)
        m, total, mixed = rows[-1]
        before = rows[-2] if taken > 1 else None
        said = f"Query {query} after block {taken - 1}: m = {number(m)}, l = {number(total)}."
        if before is not None:
            raised = m > before[0] + 1e-6
            factor = mixed[0] / before[2][0] if before[2][0] else float("nan")
            said += (
                f" The block raised m from {number(before[0])}, so the old parts became "
                f"{number(factor)} times as large."
                if raised
                else " The block did not raise m."
                + (" The old parts stay as they were." if abs(factor - 1) < 1e-3 else "")
            )
        return said

    return explore(
        draw,
        query=QUERIES,
        taken=range(1, BLOCKS + 1),
        start={"query": 11, "taken": 3},
        play="taken",
        labels={"taken": "blocks taken in"},
        size=(8.8, 3.9),
        narrow=(3.5, 5.6),
    )


def _queries_and_keys() -> tuple[Tensor, Tensor]:
    """Queries (N, 4) and keys (N, 4) whose scores are as wanted: some blocks raise the largest."""
    wanted = torch.tensor([0.6, 0.1, 0.9, 0.2, 0.7, 0.4, 1.3, 2.2, 0.8, 1.9, 0.3, 1.6])
    generator = torch.Generator().manual_seed(1)
    k = torch.randn(N, N, generator=generator) * 0.15
    k[:, 0] = wanted * math.sqrt(N)
    q = torch.randn(N, N, generator=generator) * 0.15
    q[:, 0] = 1.0
    return q, k


def _wide(values: Tensor) -> Tensor:
    """Values as wide as the queries, since a lab's attention has one head size: (S, n) → (S, N)."""
    return torch.nn.functional.pad(values, (0, N - values.shape[1]))


def _row(state: State, query: int) -> tuple[float, float, np.ndarray]:
    """m, l and o of one query; o has a place for each block."""
    m, l, o = state
    mixed = numbers(o.reshape(N, -1)[query, :BLOCKS])
    return float(m.reshape(N, -1)[query, 0]), float(l.reshape(N, -1)[query, 0]), mixed


def _square(axes: Axes, weights: Tensor, taken: int, query: int) -> None:
    """The square of scores; what has not come yet is an outline, the future a cross."""
    states = np.full((N, N), NEW, dtype=object)
    states[:, taken * BLOCK :] = EMPTY
    states[np.triu_indices(N, 1)] = MASKED
    states[:, taken * BLOCK :] = EMPTY

    def tell(row: int, column: int) -> str:
        if column >= taken * BLOCK:
            return f"query {row}, key {column}: not taken in yet"
        if column > row:
            return f"query {row}, key {column}: hidden, it is in the future"
        return f"query {row}, key {column}: {number(float(weights[row, column]))} of the weight"

    shown = torch.where(torch.isfinite(weights), weights, 0.0)
    matrix(axes, shown, states, tell=tell, write=lambda value: "", limit=0.6, gid="scores")
    edge = [-0.5, taken * BLOCK - 0.5]
    axes.plot(
        [*edge, *edge[::-1], edge[0]],
        [query - 0.5] * 2 + [query + 0.5] * 2 + [query - 0.5],
        color=INK,
        lw=1.6,
        gid="query",
    )
    axes.set_title("keys →   (rows: queries)", fontsize=11)


def _sums(axes: Axes, rows: list[tuple[float, float, np.ndarray]], most: float) -> None:
    """A row for each block taken in: what each block has in o, l as an outline, and m."""
    for place, (m, total, mixed) in enumerate(rows):
        left = 0.0
        for block, size in enumerate(mixed):
            if not size:
                continue
            color, hatch = LOOKS[block]
            (bar,) = axes.barh([place], [size], 0.36, left=[left], color=color, alpha=0.55)
            bar.set(hatch=hatch, edgecolor=color, gid=f"part-{place}-{block}")
            says(bar, f"after block {place}: block {block} has {number(float(size))} in o")
            left += float(size)
        (outline,) = axes.barh([place], [total], 0.5, color="none", edgecolor=INK, lw=1.4)
        outline.set_gid(f"l-{place}")
        says(outline, f"after block {place}: l = {number(total)}")
        axes.text(0, place - 0.27, f"m = {number(m)}", va="bottom", fontsize=10)
    axes.set_yticks(range(BLOCKS), [str(block) for block in range(BLOCKS)])
    limit = most if math.isfinite(most) and most > 0 else 1.0
    axes.set(xlim=(0, 1.15 * limit), ylim=(BLOCKS - 0.45, -0.85))
    axes.set(xlabel="sums of exp(score − m)", ylabel="after block")
    axes.set_title("o by blocks; outline: l", fontsize=11, loc="left")
