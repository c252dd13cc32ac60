"""Timing two or more things so that they can be compared: in turns, in one thread, in one run."""

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch


def short() -> bool:
    """Tell whether a measurement should be quick: graded and tested labs want a run, no result."""
    return bool(os.environ.keys() & {"LLAMA_LAB_GRADING", "LLAMA_LAB_SHORT"})


@contextmanager
def one_thread() -> Iterator[None]:
    """Compute in one thread. For small tensors, waiting for a second one takes longest."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def medians(*runs: Callable[[], Any], rounds: int = 15) -> list[float]:
    """Return each run's median time in seconds; they take turns, after one round unmeasured."""
    times: list[list[float]] = [[] for _ in runs]
    with one_thread():
        for _ in range(rounds + 1):
            for run, taken in zip(runs, times, strict=True):
                start = time.perf_counter()
                run()
                taken.append(time.perf_counter() - start)
    return [sorted(taken[1:])[rounds // 2] for taken in times]
