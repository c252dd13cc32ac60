"""Lab 05: what every step computes, without a cache and with the learner's.

Two matrices of attention weights side by side, a row for each word that asks and a column for each
that is looked at. Beside each stand the queries, keys, values and outputs of all words: computed in
this step, computed again, read, or not there. Below it each score that was formed is one square.
Everything is taken from what the learner's layer did: plots/measures/kv_cache_watch.py looks on.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from plots.blame import blame
from plots.flipbook import Flipbook, explore
from plots.kv_cache_halves import NARROW, SAME, WIDE, half
from plots.measures.kv_cache_watch import DIM, WORDS, Call, N, tagged_layer, watched
from plots.style import number

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Layer = Callable[[int, int], nn.Module]  # dim, n_heads → attention with wq, wk, wv, wo

PROMPTS, CHUNKS = (1, 5), (1, 2)  # words read at once, first and later


@dataclass
class Step:
    """One step both ways, and the scores of all steps so far."""

    without: Call
    cached: Call
    heap_without: list[int]
    heap_cached: list[int]

    @property
    def off(self) -> float:
        """The largest difference between both ways in the new rows."""
        new = self.without.end - self.without.start
        ours, theirs = self.cached.weights[-new:], self.without.weights[-new:]
        if ours.shape != theirs.shape:
            return float("inf")
        return float((ours - theirs).abs().nan_to_num(1.0).max())


def schedule(prompt: int, chunk: int) -> list[tuple[int, int]]:
    """First and end positions of each step: the prompt at once, then chunks.

    >>> schedule(5, 2)
    [(0, 5), (5, 7), (7, 8)]
    """
    starts = [0, *range(prompt, N, chunk)]
    return list(zip(starts, [*starts[1:], N], strict=True))


def read_through(CachedAttention: Layer, KVCache: Any, prompt: int, chunk: int) -> list[Step]:
    """Let the learner's layer read the sentence step by step, without a cache and with one."""
    layer, steps = tagged_layer(CachedAttention), []
    cache = KVCache.empty(1, 1, 2 * N, DIM)
    heaps: tuple[list[int], list[int]] = ([], [])
    for start, end in schedule(prompt, chunk):
        whole = watched(layer, start, end, 0)
        part = watched(layer, start, end, start, cache)
        heaps[0].append(whole.scores)
        heaps[1].append(part.scores)
        steps.append(Step(whole, part, list(heaps[0]), list(heaps[1])))
    return steps


def heatmaps(CachedAttention: Layer, KVCache: Any) -> Flipbook:
    """Show what every step computes without a cache, and beside it with one."""

    @functools.cache
    def steps(prompt: int, chunk: int) -> list[Step] | str:
        try:
            return read_through(CachedAttention, KVCache, prompt, chunk)
        except NotImplementedError:
            raise
        except Exception as error:
            if (prompt, chunk) == (1, 1):
                raise
            return blame(error)  # of a layer that can do single words only

    def draw(fig: Figure, step: int, prompt: int, chunk: int) -> str:
        seen = steps(prompt, chunk)
        if isinstance(seen, str):
            fig.text(
                0.04, 0.9, f"Your layer stopped here:\n\n{seen}", va="top", fontsize=10, wrap=True
            )
            return f"A prompt of {prompt}, then {chunk} at a time: the layer stops with an error."
        at = seen[min(step, len(seen)) - 1]
        same = at.off < SAME
        half(fig, 0, "without a cache", at.without, at.heap_without, "")
        says = "the same" if same else "DIFFERENT"
        half(fig, 1, "with your cache", at.cached, at.heap_cached, says)
        return _caption(step, seen, at, same)

    return explore(
        draw,
        step=range(1, N + 1),
        prompt=PROMPTS,
        chunk=CHUNKS,
        start={"step": 5},
        play="step",
        size=WIDE,
        narrow=NARROW,
        labels={"prompt": "words in the prompt", "chunk": "words a step"},
    )


def _caption(step: int, seen: list[Step], at: Step, same: bool) -> str:
    start, end = at.without.start, at.without.end
    word = "”, “".join(WORDS[start:end])
    over = f"Read to the end in {len(seen)} steps. " if step > len(seen) else ""
    read = len(at.cached.read("keys") & at.cached.read("values"))
    again = len([p for p in at.cached.computed.get("keys", ()) if p < start])
    words = "word" if max(read, again) == 1 else "words"
    came = f"The keys and values of {read} earlier {words} are read from the cache."
    if again:
        came = f"The keys of {again} earlier {words} are computed again, in spite of the cache."
    elif start == 0:
        came = "Nothing is in the cache yet."
    elif not read:
        came = "No key and value of an earlier word is read from the cache."
    rows = "The last row is" if end - start == 1 else f"The last {end - start} rows are"
    verdict = "the same" if same else f"DIFFERENT, by up to {number(at.off)}"
    strange = at.cached.unknown
    empty = f" {strange} keys are of no word: slots never written, or no keys." if strange else ""
    return (
        f"{over}Step {min(step, len(seen))}, “{word}”: without a cache "
        f"{_scores(at.without.scores)}, "
        f"with it {at.cached.scores}; so far {sum(at.heap_without)} against "
        f"{sum(at.heap_cached)}. {came} {rows} {verdict}.{empty}{_leak(at.without)}"
    )


def _scores(count: int) -> str:
    return "1 score" if count == 1 else f"{count} scores"


def _leak(call: Call) -> str:
    """Whether a row of the whole square looks at what comes after it."""
    late = [r for r in range(len(call.weights)) if _later(call.weights[r], r) > SAME]
    return f" Row “{WORDS[late[0]]}” looks at a LATER word: the mask is missing." if late else ""


def _later(row: torch.Tensor, r: int) -> float:
    return float(row[r + 1 :].abs().max()) if r + 1 < N else 0.0
