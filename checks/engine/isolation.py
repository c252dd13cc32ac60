"""An answer runs alone: torch as it is when new, a time limit, its output kept.

Whatever it changes there is put back afterwards, so that neither the reference nor the learner's
next cell feels it.
"""

import contextlib
import gc
import io
import random
import signal
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy
import torch

TIME_LIMIT = 5.0  # processor seconds for all the calls of one probe
PATIENCE = 4  # times as many seconds may pass: on a busy machine, a right answer waits for its turn
KEPT_OUTPUT = 600  # characters of what the answer printed that the panel repeats


# By which the limit is measured: this process's time, or that of the one in which an answer runs.
clock: list[Callable[[], float]] = [time.process_time]


class Hangs(BaseException):
    """The time limit is over. No `Exception`, so that an `except` in the answer lets it pass."""


class Output(io.TextIOBase):
    """A standard output that counts everything and keeps the beginning."""

    def __init__(self) -> None:
        self.kept, self.length = "", 0
        self.buffer = io.BytesIO()  # for an answer that writes bytes; they are not shown

    def write(self, text: str) -> int:
        """Count `text`, and keep it while there is room."""
        self.kept += text[: KEPT_OUTPUT - len(self.kept)]
        self.length += len(text)
        return len(text)


@contextlib.contextmanager
def isolation(output: Output, seconds: float) -> Iterator[None]:
    """Run the block under torch's defaults, its output in `output`, for `seconds` at most."""
    with (
        _torch_as_new(),
        contextlib.redirect_stdout(output),
        contextlib.redirect_stderr(output),
        _time_limit(seconds),
    ):
        yield


@contextlib.contextmanager
def seeds_kept() -> Iterator[None]:
    """Put back, after the block, what the random generators were: once for a whole check."""
    seeds = random.getstate(), numpy.random.get_state()
    try:
        with torch.random.fork_rng(devices=[]):
            yield
    finally:
        random.setstate(seeds[0])
        numpy.random.set_state(seeds[1])


@contextlib.contextmanager
def garbage_kept() -> Iterator[None]:
    """Put garbage off during the block: among all that torch holds it takes long to look for."""
    was = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was:
            gc.enable()


@contextlib.contextmanager
def _torch_as_new() -> Iterator[None]:
    """Set torch's global modes to their defaults and the seeds to 0; put the modes back."""
    dtype, device = torch.get_default_dtype(), torch.get_default_device()
    threads, strict = torch.get_num_threads(), torch.are_deterministic_algorithms_enabled()
    torch.set_default_dtype(torch.float32)
    if device.type != "cpu":
        torch.set_default_device(None)
    torch.set_num_threads(1)  # for small tensors, waiting for a second thread takes longest
    try:
        with (
            torch.inference_mode(False),
            torch.enable_grad(),
            torch.autocast("cpu", enabled=False),
        ):
            # Initial weights are drawn alike at every run, for the answer as for a known mistake.
            torch.default_generator.manual_seed(0)
            random.seed(0)
            numpy.random.seed(0)
            yield
    finally:
        torch.set_default_dtype(dtype)
        if torch.get_default_device() != device:
            torch.set_default_device(None if device.type == "cpu" else device)
        torch.set_num_threads(threads)
        if torch.are_deterministic_algorithms_enabled() != strict:  # to set it takes seconds
            torch.use_deterministic_algorithms(strict)


@contextlib.contextmanager
def _time_limit(seconds: float) -> Iterator[None]:
    """Raise `Hangs` in this thread when the block takes longer, and again at its end.

    Signals reach sleeping and computing code alike, but only the main thread, and not on Windows:
    there the block runs without a limit and the learner interrupts the kernel.
    """
    main = threading.current_thread() is threading.main_thread()
    if not main or not hasattr(signal, "setitimer"):
        yield
        return
    over, used, latest = False, clock[0](), time.monotonic() + PATIENCE * seconds

    def stop(_: int, frame: Any) -> None:
        nonlocal over
        if not over and clock[0]() - used < 0.99 * seconds and time.monotonic() < latest:
            return
        over = True
        if not _is_importing(frame):
            raise Hangs

    before = signal.signal(signal.SIGALRM, stop)
    # Fires again and again: a bare `except` in the answer must not swallow the only shot, and
    # an import is waited for, since a module that is half loaded stays so for the next try.
    signal.setitimer(signal.ITIMER_REAL, seconds, seconds / 5)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    if over:
        raise Hangs  # the answer swallowed the first


def _is_importing(frame: Any) -> bool:
    """Tell whether a module is being loaded where the signal came."""
    while frame is not None:
        if frame.f_code.co_filename == "<frozen importlib._bootstrap>":
            return True
        frame = frame.f_back
    return False
