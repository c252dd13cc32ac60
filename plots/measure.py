"""Timing two or more things so that they can be compared: in turns, in one thread, in one run."""

import contextlib
import ctypes
import os
import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import torch


def short() -> bool:
    """Tell whether a measurement should be quick: graded and tested labs want a run, no result."""
    return bool(os.environ.keys() & {"LLAMA_LAB_GRADING", "LLAMA_LAB_SHORT"})


@contextlib.contextmanager
def one_thread() -> Iterator[None]:
    """Compute in one thread. For small tensors, waiting for a second one takes longest."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def give_back() -> None:
    """Give back to Linux what was freed and lies in reserve; elsewhere nothing is done."""
    with contextlib.suppress(AttributeError, OSError, TypeError):
        ctypes.CDLL(None).malloc_trim(0)


def times_in_turns(*runs: Callable[[], Any], rounds: Iterable[Any]) -> list[list[float]]:
    """Return each run's times in seconds, one for each of the rounds; they take turns."""
    times: list[list[float]] = [[] for _ in runs]
    with one_thread():
        for _ in rounds:
            for run, taken in zip(runs, times, strict=True):
                start = time.perf_counter()
                run()
                taken.append(time.perf_counter() - start)
    return times


def medians(*runs: Callable[[], Any], rounds: int = 15) -> list[float]:
    """Return each run's median time in seconds; they take turns, after one round unmeasured."""
    times = times_in_turns(*runs, rounds=range(rounds + 1))
    return [sorted(taken[1:])[rounds // 2] for taken in times]
