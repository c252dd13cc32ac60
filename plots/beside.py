"""Work done beside this process, in a fork that knows the learner's functions as they are now.

PyTorch's DataLoader forks in the same way, in notebooks too. Whatever goes wrong there costs only
time: what the fork did not bring is done here, where an error is the cell's own.
"""

from __future__ import annotations

import contextlib
import io
import multiprocessing
import os
import signal
import sys
import time
import warnings
from collections.abc import Callable
from typing import Any

from plots.page import DRAWING


def is_worth_it() -> bool:
    """Whether a fork is safe here and has a processor of its own.

    Not on a Mac, whose libraries do not survive a fork, nor once torch has started a GPU.
    """
    torch: Any = sys.modules.get("torch")
    gpu = torch is not None and torch.cuda.is_initialized()
    return sys.platform == "linux" and len(os.sched_getaffinity(0)) > 1 and not gpu


class Beside:
    """A fork that does some `work`, and is gone at the end of the block, however that comes.

    with Beside(lambda: draw(second_half)) as beside:
        first = draw(first_half)
        second = beside.result(patience=10.0) or draw(second_half)
    """

    def __init__(self, work: Callable[[], Any]) -> None:
        """Start it."""
        fork: Any = multiprocessing.get_context("fork")
        self._connection, theirs = fork.Pipe(duplex=False)
        self._process = fork.Process(target=_run, args=(work, theirs), daemon=True)
        # A lock that another thread held would never be opened in the fork.
        with DRAWING, warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # Python 3.12: threads are running
            self._process.start()
        theirs.close()

    def result(self, patience: float) -> Any:
        """What came out, or None: it failed, or was not ready after `patience` seconds.

        What the learner's functions printed there is printed here.
        """
        end = time.monotonic() + patience
        try:
            while not self._connection.poll(0.1):  # an interrupt is heard between two looks
                if time.monotonic() > end or not self._process.is_alive():
                    return None
            result, printed = self._connection.recv()
        except (EOFError, OSError):
            return None
        print(printed, end="")
        return result

    def __enter__(self) -> Beside:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.join()
        self._connection.close()


def _run(work: Callable[[], Any], connection: Any) -> None:
    """Do the work in the fork, and end without the farewells of a notebook's kernel."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # whoever forked it ends it
    if torch := sys.modules.get("torch"):
        torch.set_num_threads(1)  # OpenMP's threads do not come along
    printed = io.StringIO()
    try:
        with contextlib.redirect_stdout(printed), contextlib.redirect_stderr(printed):
            result = work()
        connection.send((result, printed.getvalue()))
    except BaseException:
        connection.close()
    os._exit(0)
