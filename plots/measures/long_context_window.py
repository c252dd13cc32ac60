"""Lab 13: a window by a mask and by a ring, for ever, and with sinks."""

from __future__ import annotations

import functools
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from plots.flipbook import Flipbook, explore
from plots.measure import one_thread, short
from plots.measures.long_context import WAITS, base_of, passage, unread
from plots.page import says
from plots.show import counted, once_written
from plots.style import BLUE, GREEN, GREY, ORANGE, is_narrow, number

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Function = Callable[..., Any]

WINDOW, SINKS = 32, 4  # of the small model
COMPARED = 40 if short() else 160  # tokens by the mask and by the ring
FOR_EVER = 200 if short() else 10_000  # characters
LARGE_WINDOW = 16 if short() else 64
LARGE_TEXT = 48 if short() else 384  # tokens
SMALL_TEXT = 128 if short() else 400  # characters
SMALL_PIECES = 1 if short() else 4


def turned(x: Tensor, angles: Tensor) -> Tensor:
    """Turn pairs of neighbours, as `apply_rope` does: x (..., T, d), angles (T, d/2)."""
    cos, sin = angles.cos(), angles.sin()
    a, b = x[..., 0::2], x[..., 1::2]
    return torch.stack((a * cos - b * sin, a * sin + b * cos), dim=-1).flatten(-2)


@torch.no_grad()
def masked_logits(model: Any, ids: Tensor, mask: Tensor, frequencies: Tensor) -> Tensor:
    """What a Llama says under another mask: ids (1, T), mask (T, T) → (1, T, V).

    Its own parts and weights are used, by the names that lab 08 gave them; only attention, which
    makes its mask itself, is computed here.
    """
    angles = torch.arange(ids.shape[1])[:, None] * frequencies
    d, x = 2 * len(frequencies), model.tok_embeddings(ids)
    for block in model.layers:
        part, y = block.attention, block.attention_norm(x)
        q, k, v = (w(y).unflatten(-1, (-1, d)).transpose(1, 2) for w in (part.wq, part.wk, part.wv))
        q, k = turned(q, angles), turned(k, angles)
        found = F.scaled_dot_product_attention(q, k, v, attn_mask=mask, enable_gqa=True)
        x = x + part.wo(found.transpose(1, 2).flatten(2))
        x = x + block.feed_forward(block.ffn_norm(x))
    output = getattr(model, "output", None)
    table = model.tok_embeddings if output is None else output
    return F.linear(model.norm(x), table.weight)


@torch.no_grad()
def rolled_logits(model: Any, ids: Tensor, caches: list) -> Tensor:
    """What a Llama says when it reads token by token with caches: (1, T) → (1, T, V)."""
    return torch.cat([model(ids[:, i : i + 1], caches) for i in range(ids.shape[1])], dim=1)


def rings(
    RollingKVCache: Any, model: Any, window: int, n_sinks: int, frequencies: Tensor | None
) -> list:
    """A cache for each layer."""
    c = model.config
    sizes = (1, c.n_kv_heads, window, c.dim // c.n_heads, n_sinks)
    return [RollingKVCache.empty(*sizes, frequencies) for _ in range(c.n_layers)]


@once_written
def same_as_mask(
    RollingKVCache: Any,
    sliding_window_mask: Function,
    model: nn.Module,
    turned_by: Function,
    rope_frequencies: Function,
) -> None:
    """Print how far the logits by the ring are from those by the mask."""
    frequencies, ids = rope_frequencies(*base_of(model)), unread(0)[:, :COMPARED]
    with one_thread():
        for window, n_sinks in ((WINDOW, 0), (WINDOW, SINKS), (7, 2)):
            mask = sliding_window_mask(COMPARED, COMPARED, window, n_sinks)
            by_mask = masked_logits(model, ids, mask, frequencies)
            with turned_by(model, frequencies):
                caches = rings(RollingKVCache, model, window, n_sinks, None)
                by_ring = rolled_logits(model, ids, caches)
            off = float((by_mask - by_ring).abs().max())
            verdict = "the same" if off < 1e-4 else "NOT the same"
            print(
                f"window {window:2}, {n_sinks} sinks, {COMPARED} characters: {verdict}, largest "
                f"difference of two logits {off:.0e}"
            )


@once_written
def for_ever(
    RollingKVCache: Any, model: nn.Module, turned_by: Function, rope_frequencies: Function
) -> None:
    """Print loss, bytes and time of a text that is far longer than any of the training."""
    frequencies, ids = rope_frequencies(*base_of(model)), unread(0, FOR_EVER)
    stops = {FOR_EVER // 100, FOR_EVER // 10, FOR_EVER // 2, FOR_EVER}
    losses, begun, last = [], time.perf_counter(), 0
    print("characters   loss since   bytes of the caches   a cache that grows   ms a character")
    with one_thread(), turned_by(model, frequencies), torch.no_grad():
        caches = rings(RollingKVCache, model, WINDOW, SINKS, frequencies)
        for i in counted(range(FOR_EVER), "character", 2.0):
            row = model(ids[:, i : i + 1], caches)[0, 0].float().log_softmax(-1)
            losses.append(-float(row[ids[0, i + 1]]))
            if i + 1 in stops:
                took = (time.perf_counter() - begun) / (i + 1 - last)
                kept = sum(t.nbytes for cache in caches for t in (cache.keys, cache.values))
                grows = kept * (i + 1) // caches[0].keys.shape[2]
                mean = sum(losses[last:]) / (i + 1 - last)
                print(f"{i + 1:10,}{mean:13.2f}{kept:22,}{grows:21,}{1000 * took:17.2f}")
                begun, last = time.perf_counter(), i + 1


def sinks(
    sliding_window_mask: Function,
    RollingKVCache: Any,
    rope_frequencies: Function,
    small: nn.Module,
    turned_by: Function,
    large: nn.Module | None,
    tokenizer: Any,
) -> Flipbook:
    """Bars: the loss with everything in sight, with a window, with sinks, for each model."""

    @functools.cache
    def measured(which: str) -> dict[str, float]:
        if which == "SmolLM2":
            assert large is not None
            ids = torch.tensor([tokenizer.encode(passage()).ids[: LARGE_TEXT + 1]])
            return _by_mask(large, [ids], LARGE_WINDOW)
        pieces = [unread(i, SMALL_TEXT) for i in range(SMALL_PIECES)]
        with one_thread():
            found = _by_mask(small, pieces, WINDOW)
            frequencies = rope_frequencies(*base_of(small))
            found[f"{SINKS} sinks, turned along"] = _mean(
                [_by_ring(ids, frequencies) for ids in counted(pieces, "piece")], 2 * WINDOW
            )
        return found

    def _by_mask(model: Any, texts: list[Tensor], window: int) -> dict[str, float]:
        frequencies, T = rope_frequencies(*base_of(model)), texts[0].shape[1] - 1
        masks = {
            "everything": (T, 0),
            f"window of {window}": (window, 0),
            f"{SINKS} sinks and the window": (window, SINKS),
        }
        found = {}
        for name, (reach, n_sinks) in counted(masks.items(), "mask"):
            mask = sliding_window_mask(T, T, reach, n_sinks)
            losses = [
                _losses(masked_logits(model, ids[:, :-1], mask, frequencies), ids) for ids in texts
            ]
            found[name] = _mean(losses, 2 * window)
        return found

    def _by_ring(ids: Tensor, frequencies: Tensor) -> Tensor:
        with turned_by(small, frequencies):
            caches = rings(RollingKVCache, small, WINDOW, SINKS, frequencies)
            return _losses(rolled_logits(small, ids[:, :-1], caches), ids)

    def draw(fig: Figure, model: str) -> str:
        bars = measured(model)
        narrow = is_narrow(fig)
        axes = fig.add_axes((0.05, 0.17, 0.9, 0.82) if narrow else (0.3, 0.17, 0.66, 0.8))
        colors = [GREY, BLUE, ORANGE, GREEN]
        hatches = ["", "", "///", "..."]
        for place, (name, value) in enumerate(bars.items()):
            (bar,) = axes.barh([-place], [value], 0.5, facecolor="none", linewidth=1.6)
            bar.set(edgecolor=colors[place], hatch=hatches[place], gid=f"bar-{place}")
            says(bar, f"{name}: {number(value)}")
            axes.text(value + 0.06, -place, number(value), va="center", fontsize=11)
            if narrow:
                axes.text(0, -place + 0.29, name, va="bottom", fontsize=10)
        if narrow:
            axes.set_yticks([])
        else:
            axes.set_yticks([-i for i in range(len(bars))], list(bars))
        unit = "token" if model == "SmolLM2" else "character"
        axes.set(xlim=(0, 6), ylim=(-len(bars) + 0.3, 0.75), xlabel=f"loss, nats a {unit}")
        axes.tick_params(axis="y", length=0)
        told = "; ".join(f"{name}: {number(value)}" for name, value in bars.items())
        return f"{model}, mean loss once the window is full. {told}."

    if large is None:
        print(WAITS)
    return explore(draw, model=["SmolLM2", "small Llama"] if large is not None else ["small Llama"],
                   size=(7.4, 2.8), narrow=(3.4, 3.2))  # fmt: skip


def _losses(logits: Tensor, ids: Tensor) -> Tensor:
    """-ln p of each next token: logits (1, T, V), ids (1, T + 1) → (T,)."""
    return F.cross_entropy(logits[0].float(), ids[0, 1:], reduction="none")


def _mean(losses: list[Tensor], start: int) -> float:
    """The mean from a place on."""
    return float(torch.stack(losses)[:, start:].mean())
