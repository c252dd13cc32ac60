"""Lab 05: who reads a query, a key, a value; the slots of a cache; what it saves and what it costs.

`CachedAttention` is seen from outside only. Its weights are set so that every output spells out
the attention weights of its own row: values are tags (position p is a 1 in place p), wo changes
nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from plots.cells import EMPTY, NEW, REUSED
from plots.flipbook import Flipbook, explore
from plots.kv_cache_costs import cost, memory
from plots.kv_cache_steps import heatmaps
from plots.matrix import matrix
from plots.measures.kv_cache import seconds_per_token
from plots.style import KEY, QUERY, VALUE, is_narrow, number, numbers

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
            narrow = is_narrow(fig)
            left, top = (0.21, 0.8) if narrow else (0.12, 0.86)
            fig.subplots_adjust(left=left, right=0.98, top=top, bottom=0.03, hspace=0.25)
            for row, (part, color) in enumerate(zip(PARTS, (QUERY, KEY, VALUE), strict=True)):
                other = x.clone()
                other[0, place, row * N : (row + 1) * N] += 1.5
                moved = numbers((layer(other, angles_at(0, N)) - before)[0].norm(dim=-1))
                states = [NEW if size > SAME else EMPTY for size in moved]
                axes = fig.add_subplot(3, 1, row + 1)

                def tell(_: int, at: int, part: str = part, moved: Any = moved) -> str:
                    how = number(moved[at]) if moved[at] > SAME else "not at all"
                    return f"“{WORDS[place]}” gets another {part}: output “{WORDS[at]}” moves {how}"

                columns = WORDS if row == 0 else None
                look: dict[str, Any] = {"color": color, "limit": 1.2, "gid": part}
                rows = [f"its {part}"]
                matrix(axes, moved, [states], rows=rows, columns=columns, tell=tell, **look)
                said.append((part, [i for i, state in enumerate(states) if state == NEW]))
                if row == 0:
                    axes.get_xticklabels()[place].set_fontweight("bold")
                    if narrow:
                        axes.tick_params(axis="x", rotation=60)
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

    return explore(
        draw,
        token=range(1, N + 1),
        start={"token": 4},
        play="token",
        size=(8.6, 3.3),
        narrow=(3.5, 2.3),
    )


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
        narrow = is_narrow(fig)
        left, top = (0.27, 0.9) if narrow else (0.19, 0.9)
        fig.subplots_adjust(left=left, right=0.99, top=top, bottom=0.02, hspace=0.2)
        for place, (name, row) in enumerate(zip(names, rows, strict=True)):
            axes = fig.add_subplot(4, 1, place + 1)
            shown = name.replace("returned ", "returned\n") if narrow else name
            _slots_row(axes, shown, numbers(row.flatten()), before and before[place % 2], place < 2)
            if place == 0:
                axes.set_xticks(range(8), [f"slot {i}" if i == 0 else str(i) for i in range(8)])
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

    return explore(
        draw,
        update=range(6),
        start={"update": 3},
        play="update",
        size=(8.0, 3.6),
        narrow=(3.5, 2.1),
    )


def _slots_row(axes: Axes, label: str, row: Any, before: Any, is_buffer: bool) -> None:
    """Eight cells; a value is the negative of its position, shown as that number."""
    shown = [abs(value) for value in row[:8]] + [0.0] * (8 - len(row[:8]))
    states = [
        EMPTY if not value else NEW if before is None or abs(before[i]) != value else REUSED
        for i, value in enumerate(shown)
    ]
    if not is_buffer:
        states = [NEW if i < len(row) else EMPTY for i in range(8)]
    name = label.replace("\n", " ")
    color = KEY if "keys" in name else VALUE

    def tell(_: int, slot: int) -> str:
        what = f"of position {shown[slot]:.0f}" if states[slot] != EMPTY else "nothing"
        new = ", written by this update" if is_buffer and states[slot] == NEW else ""
        return f"{name}, {'slot' if is_buffer else 'place'} {slot}: {what}{new}"

    look: dict[str, Any] = {"color": color, "limit": 16, "gid": name.replace(" ", "-")}
    write = "{:.0f}".format
    matrix(axes, shown, [states], rows=[label], tell=tell, write=write, **look)


def _listed(positions: Any) -> str:
    words = [str(position) for position in positions]
    return " ".join(words) if words else "nothing"
