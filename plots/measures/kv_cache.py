"""Lab 05: milliseconds for each new token, with and without the cache, on this machine."""

from __future__ import annotations

import functools
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from plots.flipbook import Flipbook, explore
from plots.measure import one_thread, short
from plots.page import says
from plots.style import BLUE, PINK, is_narrow

if TYPE_CHECKING:
    from matplotlib.figure import Figure

LENGTH = 64 if short() else 512
EVERY = 16  # positions from one measurement without a cache to the next


@dataclass
class Timings:
    """Seconds for the token at each measured position, both ways."""

    positions: list[int]
    without: list[float]
    cached: list[float]


def measure(model: Any, length: int = LENGTH, every: int = EVERY) -> Timings:
    """Time model(ids) over whole sequences, and model(ids, caches) over one token at a time.

    The cached way is timed at every token, and each group of `every` gives its median; the other
    way takes longer and is timed twice at the end of each group.
    """
    ids = torch.zeros(1, length, dtype=torch.long)
    caches, taken = model.new_caches(length), Timings([], [], [])
    with torch.no_grad(), one_thread():
        model(ids[:, :every])  # unmeasured: the first call finds everything cold
        for end in range(every, length + 1, every):
            alone = [
                _seconds(lambda i=i: model(ids[:, i : i + 1], caches))
                for i in range(end - every, end)
            ]
            taken.positions.append(end)
            taken.cached.append(sorted(alone)[every // 2])
            whole = [_seconds(lambda end=end: model(ids[:, :end])) for _ in range(2)]
            taken.without.append(min(whole))  # the quieter moment of the machine
    return taken


def seconds_per_token(make_model: Callable[[], Any]) -> Flipbook:
    """Measure a model that `make_model()` builds, and draw milliseconds against position."""

    @functools.cache
    def timings() -> Timings:
        return measure(make_model())

    def draw(fig: Figure, position: int) -> str:
        taken = timings()
        axes = fig.add_axes((0.22, 0.15, 0.75, 0.8) if is_narrow(fig) else (0.08, 0.15, 0.9, 0.82))
        curves = (
            ("without cache", taken.without, PINK, "-"),
            ("with cache", taken.cached, BLUE, "--"),
        )
        at = taken.positions.index(position)
        for name, seconds, color, line in curves:
            shown = [1000 * value for value in seconds]
            axes.plot(taken.positions, shown, line, color=color, label=name, gid=name)
            (dot,) = axes.plot([position], [shown[at]], "o", color=color, clip_on=False)
            says(dot, f"token {position} {name}: {_ms(seconds[at])}")
        axes.set(xlabel="position of the token", ylabel="milliseconds", ylim=(0, None))
        axes.legend(loc="upper left", borderaxespad=0)
        slow, fast = taken.without[at], taken.cached[at]
        first = taken.positions.index(stops[0])
        grown = [seconds[at] / seconds[first] for seconds in (taken.without, taken.cached)]
        sums = [sum(seconds) * EVERY for seconds in (taken.without, taken.cached)]
        return (
            f"Token {position}: {_ms(slow)} without a cache, {grown[0]:.1f} times token "
            f"{stops[0]}; {_ms(fast)} with it, {grown[1]:.1f} times. All {taken.positions[-1]} "
            f"tokens: about {sums[0]:.1f} s against {sums[1]:.1f} s."
        )

    step = max(LENGTH // 8, EVERY)
    stops = range(step, LENGTH + 1, step)
    return explore(
        draw, position=stops, start={"position": stops[-1]}, size=(8.6, 4.0), narrow=(3.5, 3.4)
    )


def _seconds(run: Callable[[], Tensor]) -> float:
    start = time.perf_counter()
    run()
    return time.perf_counter() - start


def _ms(seconds: float) -> str:
    return f"{1000 * seconds:.1f} ms"
