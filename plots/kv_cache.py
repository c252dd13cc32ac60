"""Lab 05: who reads a query, a key, a value; the slots of a cache; what it saves and what it costs.

`CachedAttention` is seen from outside only. Its weights are set so that every output spells out
the attention weights of its own row: values are tags (position p is a 1 in place p), wo changes
nothing.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from plots.cells import EMPTY, MASKED, NEW, REUSED, WASTED, cell_key, cells
from plots.flipbook import Flipbook, explore
from plots.kv_cache_costs import cost, memory
from plots.measures.kv_cache import seconds_per_token
from plots.style import INK, KEY, PINK, QUERY, VALUE, number, numbers

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["cost", "heatmaps", "memory", "readers", "seconds_per_token", "slots"]

Layer = Callable[[int, int], nn.Module]  # dim, n_heads → attention with wq, wk, wv, wo

WORDS = ("If", "music", "be", "the", "food", "of", "love", "play")
N = len(WORDS)
PARTS = ("query", "key", "value")  # a token's vector is three parts of N numbers, one for each
SAME = 1e-4  # larger differences between two rows of attention weights are no rounding


def tagged_layer(attention: Layer) -> nn.Module:
    """One head of attention that returns its weights: output p is row p, in the first N places."""
    layer = attention(3 * N, 1)
    weights = {f"{name}.weight": torch.zeros(3 * N, 3 * N) for name in ("wq", "wk", "wv")}
    for place, weight in enumerate(weights.values()):
        weight[:N, place * N : (place + 1) * N] = torch.eye(N)
    layer.load_state_dict(weights | {"wo.weight": torch.eye(3 * N)})
    return layer


def tagged_words() -> Tensor:
    """The sentence: what a word asks, what it offers, and its tag, side by side. (1, N, 3·N)."""
    asks, offers = 1.4 * torch.randn(2, N, N, generator=torch.Generator().manual_seed(5))
    return torch.cat([asks, offers, torch.eye(N)], dim=-1)[None]


def angles_at(start: int, end: int) -> Tensor:
    """RoPE angles of the positions start … end - 1 for the one head: (T, 3·N/2)."""
    frequencies = 10_000.0 ** -(torch.arange(0, 3 * N, 2) / (3 * N))
    return torch.outer(torch.arange(start, end), frequencies)


def readers(MultiHeadAttention: Layer) -> Flipbook:
    """Change one token's query, key or value, and show which outputs move."""

    def draw(fig: Figure, token: int) -> str:
        place, said = token - 1, []
        with torch.no_grad():
            layer, x = tagged_layer(MultiHeadAttention), tagged_words()
            before = layer(x, angles_at(0, N))
            fig.subplots_adjust(left=0.2, right=0.98, top=0.84, bottom=0.06, hspace=0.3)
            for row, (part, color) in enumerate(zip(PARTS, (QUERY, KEY, VALUE), strict=True)):
                other = x.clone()
                other[0, place, row * N : (row + 1) * N] += 1.5
                moved = numbers((layer(other, angles_at(0, N)) - before)[0].norm(dim=-1))
                states = [NEW if size > SAME else EMPTY for size in moved]
                axes = fig.add_subplot(3, 1, row + 1)
                name = [f"its {part}"]
                cells(axes, moved, [states], color=color, write=True, digits=2, rows=name, gid=part)
                said.append((part, [i for i, state in enumerate(states) if state == NEW]))
                if row == 0:
                    axes.set_xticks(range(N), WORDS)
                    axes.xaxis.tick_top()
                    axes.get_xticklabels()[place].set_fontweight("bold")
        early = sorted({i for _, places in said for i in places if i < place})
        counts = ", ".join(f"its {part} moves {len(places)}" for part, places in said)
        still = (
            f"outputs of EARLIER tokens move too ({', '.join(WORDS[i] for i in early)}): "
            "this layer sees the future"
            if early
            else "no output before it moves"
            if place
            else "there is nothing before it"
        )
        return f"Token {token}, “{WORDS[place]}”, is changed. Of 8 outputs {counts}; {still}."

    return explore(draw, token=range(1, N + 1), start={"token": 4}, play="token", size=(6.4, 2.9))


UPDATES = ((1, 2, 3), (4,), (5,), (6, 7), (8, 9))  # positions stored by each update; room for 8


def slots(KVCache: Any) -> Flipbook:
    """Store positions 1 to 9 in a cache of 8 slots, each as its own number; show what is where."""

    def draw(fig: Figure, update: int) -> str:
        cache = KVCache.empty(batch=1, n_kv_heads=1, max_len=8, head_dim=1)
        cache.keys.zero_(), cache.values.zero_()
        returned, refused, before = (torch.zeros(0), torch.zeros(0)), "", None
        for positions in UPDATES[:update]:
            before = numbers(cache.keys[0, 0, :, 0]), numbers(cache.values[0, 0, :, 0])
            new = torch.tensor(positions, dtype=torch.float32).reshape(1, 1, -1, 1)
            try:
                returned = cache.update(new, -new)
                returned = tuple(part.detach().clone() for part in returned)
            except ValueError as error:
                refused = f"Refused: {error}" if str(error) else "Refused with a ValueError"
        rows = [cache.keys, cache.values, *returned]
        names = ["keys", "values", "returned keys", "returned values"]
        fig.subplots_adjust(left=0.25, right=0.98, top=0.93, bottom=0.14, hspace=0.25)
        for place, (name, row) in enumerate(zip(names, rows, strict=True)):
            axes = fig.add_subplot(4, 1, place + 1)
            _slots_row(axes, name, numbers(row.flatten()), before and before[place % 2], place < 2)
        axes.set_xticks(range(8), range(8))
        axes.set_xlabel("slot", labelpad=0)
        asked = UPDATES[update - 1] if update else ()
        wanted = [p for positions in UPDATES[: min(update, 4)] for p in positions]
        got = [int(p) for p in numbers(returned[0].flatten())]
        verdict = "all so far" if got == wanted else f"expected {_listed(wanted)}"
        if not update:
            return "A new cache: 8 slots for keys, 8 for values, none written, length 0."
        if refused:
            return (
                f"Update 5 brings {_listed(asked)}. {refused.rstrip('.')}. length {cache.length}."
            )
        return (
            f"Update {update} brings {_listed(asked)}. Returned: {_listed(got)} ({verdict}). "
            f"length {cache.length}."
        )

    return explore(draw, update=range(6), start={"update": 3}, play="update", size=(6.4, 2.9))


def _slots_row(axes: Axes, name: str, row: Any, before: Any, is_buffer: bool) -> None:
    """Eight cells; a value is the negative of its position, shown as that number."""
    shown = [abs(value) for value in row[:8]] + [0.0] * (8 - len(row[:8]))
    states = [
        EMPTY if not value else NEW if before is None or abs(before[i]) != value else REUSED
        for i, value in enumerate(shown)
    ]
    if not is_buffer:
        states = [NEW if i < len(row) else EMPTY for i in range(8)]
    color = KEY if "keys" in name else VALUE
    gid = name.replace(" ", "-")
    cells(axes, shown, [states], limit=16, color=color, write=True, digits=0, rows=[name], gid=gid)


def _listed(positions: Any) -> str:
    words = [str(position) for position in positions]
    return " ".join(words) if words else "nothing"


@dataclass
class Steps:
    """What both ways compute while the sentence grows; index n is the step with n + 1 tokens."""

    squares: list[Tensor]  # without cache: (n + 1, N) attention weights, all rows again
    rows: list[Tensor]  # with cache: (N,) the new row
    stored: list[tuple[int, int]]  # the cache's length before and after
    without: list[int]  # scores so far
    cached: list[int]

    def off(self, n: int) -> float:
        """The largest difference between both ways in the newest row."""
        return float((self.squares[n][-1] - self.rows[n]).abs().nan_to_num(1.0).max())


def _steps(CachedAttention: Layer, KVCache: Any) -> Steps:
    """Let the layer read the sentence word by word, without a cache and with one."""
    steps = Steps([], [], [], [], [])
    with torch.no_grad():
        layer, x = tagged_layer(CachedAttention), tagged_words()
        cache = KVCache.empty(1, 1, N, 3 * N)
        for n in range(N):
            steps.squares.append(layer(x[:, : n + 1], angles_at(0, n + 1))[0, :, :N])
            before = int(cache.length)
            new = layer(x[:, n : n + 1], angles_at(n, n + 1), cache)
            steps.rows.append(new[0, -1, :N])
            steps.stored.append((before, int(cache.length)))
            steps.without.append(sum(steps.without[-1:]) + (n + 1) ** 2)
            steps.cached.append(sum(steps.cached[-1:]) + int(cache.length))
    return steps


# The places of the heatmaps, in fractions of the figure.
TALL = (5.6, 7.0)  # inches
LEFT, SIDE = 0.16, 0.33  # of the width; of the height
LOW = {"without": 0.557, "with": 0.104}
STRIP = SIDE * 1.1 / (N + 0.1)  # the height of one row of cells as large as the heatmap's


def heatmaps(CachedAttention: Layer, KVCache: Any) -> Flipbook:
    """Show the scores of every step without a cache, and below them with one."""

    @functools.cache
    def steps() -> Steps:
        return _steps(CachedAttention, KVCache)

    def draw(fig: Figure, step: int) -> str:
        n, seen = step - 1, steps()
        same, (before, after) = seen.off(n) < SAME, seen.stored[n]
        square, row = torch.zeros(2, N, N)
        square[:step], row[n] = seen.squares[n], seen.rows[n]
        kept = [REUSED] * before + [NEW] * (after - before)
        _panel(fig, "without", square, _again(square, n), [WASTED] * n + [NEW], n)
        _panel(fig, "with", row, _one_row(n), kept, n)
        _counters(fig, "without", seen.without, n)
        _counters(fig, "with", seen.cached, n)
        word, color = ("the same", INK) if same else ("DIFFERENT", PINK)
        place = {"x": 0.65, "y": LOW["with"] + 0.08, "weight": "bold", "gid": "verdict"}
        fig.text(**place, s=f"last row:\n{word}", color=color)
        key = fig.add_axes((0.02, 0.09, 0.96, 0.001), frameon=False, xticks=[], yticks=[])
        labels = {REUSED: "read from the cache"}
        cell_key(key, NEW, WASTED, REUSED, MASKED, EMPTY, labels=labels)
        verdict = "the same" if same else f"DIFFERENT, by up to {number(seen.off(n))}"
        return (
            f"Step {step}, “{WORDS[n]}”: without a cache {step} × {step} = {_scores(step**2)}, "
            f"with it 1 × {step}. So far {seen.without[n]} against {seen.cached[n]}. The last row "
            f"is {verdict}.{_leak(square, n)}"
        )

    return explore(draw, step=range(1, N + 1), start={"step": 5}, play="step", size=TALL)


def _again(weights: Tensor, n: int) -> list[list[str]]:
    """States of the whole square: the last row is new, the others were computed before."""
    states = [[EMPTY] * N for _ in range(N)]
    for r in range(n + 1):
        for c in range(n + 1):
            leaks = c > r and float(weights[r, c]) > SAME
            states[r][c] = NEW if r == n or leaks else MASKED if c > r else WASTED
    return states


def _one_row(n: int) -> list[list[str]]:
    """States with a cache: one new row, and nothing else is computed."""
    return [[NEW if r == n and c <= n else EMPTY for c in range(N)] for r in range(N)]


def _leak(weights: Tensor, n: int) -> str:
    late = [WORDS[r] for r in range(n) if float(weights[r, r + 1 :].abs().max()) > SAME]
    return f" Row “{late[0]}” looks at a LATER token: the mask is missing." if late else ""


def _panel(
    fig: Figure, name: str, weights: Tensor, states: list[list[str]], strip: list[str], n: int
) -> None:
    """A heatmap with its newest row in numbers, and over it the keys and values as two rows."""
    low, width = LOW[name], SIDE * TALL[1] / TALL[0]
    axes = fig.add_axes((LEFT, low, width, SIDE))
    rows = [word if i == n or (i < n and name == "without") else "" for i, word in enumerate(WORDS)]
    cells(axes, weights, states, limit=1, rows=rows, gid=name)
    _merged(axes)
    for c, state in enumerate(states[n]):
        if state == NEW:
            text = number(weights[n, c])
            axes.text(c, n, text, ha="center", va="center", fontsize=8, gid=f"{name}-{n}-{c}")
    full = [*strip, *[EMPTY] * N][:N]
    for place, (label, color) in enumerate((("values", VALUE), ("keys", KEY))):
        axes = fig.add_axes((LEFT, low + SIDE + 0.004 + STRIP * place, width, STRIP))
        filled = [0.0 if state == EMPTY else 0.6 for state in full]
        cells(axes, filled, [full], limit=1, color=color, rows=[label], gid=f"{name}-{label}")
        _merged(axes)


def _scores(count: int) -> str:
    return "1 score" if count == 1 else f"{count} scores"


def _merged(axes: Axes) -> None:
    """Make all cells of one look a single path: a hundred small squares are slow to repaint."""
    from matplotlib.patches import PathPatch
    from matplotlib.path import Path

    for cell in list(axes.collections):
        if str(cell.get_gid()).rpartition("-")[2] in (EMPTY, MASKED, WASTED):
            path = Path.make_compound_path(*cell.get_paths())
            look = {"ec": cell.get_edgecolor()[0], "lw": cell.get_linewidth()[0]}
            axes.add_patch(PathPatch(path, fc="none", hatch=cell.get_hatch(), **look)).set_gid(
                cell.get_gid()
            )
            cell.remove()


def _counters(fig: Figure, name: str, counts: list[int], n: int) -> None:
    """The numbers beside a heatmap."""
    low, now = LOW[name], counts[n] - (counts[n - 1] if n else 0)
    fig.text(0.65, low + 0.355, f"{name} cache", weight="bold", fontsize=12)
    for line, text in enumerate((f"this step: {_scores(now)}", f"so far: {counts[n]}")):
        fig.text(0.65, low + 0.265 - 0.04 * line, text, gid=f"{name}-count-{line}")
