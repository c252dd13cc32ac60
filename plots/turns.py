"""One thread for each widget: what it is asked is done one after the other, and can be stopped.

JupyterLab hands a widget's messages to several threads of the kernel: a text may arrive in one
while the button's click runs in another, and "Interrupt" reaches only the main one. Colab's kernel
has a single thread: while a click is answered no second click is heard. So a click only asks; the
work is done here, and looks at `stopped()` between its pieces.
"""

from __future__ import annotations

import signal
import sys
import threading
import time
import traceback
import weakref
from collections import deque
from collections.abc import Callable
from typing import Any

Stopped = Callable[[], bool]  # whether the work should end now
Work = Callable[[Stopped], None]

SETTLE = 0.15  # seconds from a click to its work: the text it is about may come by another thread
ALL: weakref.WeakSet[Turns] = weakref.WeakSet()


class Job:
    """One thing to do, not before `due`, and the flag that ends it."""

    def __init__(self, work: Work, due: float) -> None:
        self.work, self.due, self.stop = work, due, threading.Event()

    def run(self) -> None:
        """Wait until it is due and do it; an error is printed, and the next job is not harmed."""
        self.stop.wait(max(0.0, self.due - time.monotonic()))
        if self.stop.is_set():
            return
        try:
            self.work(self.stop.is_set)
        except Exception:
            traceback.print_exc()


class Turns:
    """The queue of one widget. Its thread starts with the first job and ends with the last."""

    def __init__(self) -> None:
        self._waiting: deque[Job] = deque()
        self._now: Job | None = None
        self._has_thread = False
        self._changed = threading.Condition(threading.RLock())
        ALL.add(self)

    @property
    def busy(self) -> bool:
        """Whether something is being done or waits that nobody has stopped."""
        with self._changed:
            running = self._now is not None and not self._now.stop.is_set()
            return running or bool(self._waiting)

    def ask(self, work: Work, after: float = 0.0) -> None:
        """Do `work(stopped)` when everything asked before is done, and `after` seconds from now."""
        with self._changed:
            self._waiting.append(Job(work, time.monotonic() + after))
            if not self._has_thread:
                self._has_thread = True
                threading.Thread(target=self._work, daemon=True, name="llama-turns").start()

    def ask_once(self, work: Work, after: float = 0.0) -> None:
        """The same, in place of what waits: a picture need not be drawn for every old click."""
        with self._changed:
            self._waiting.clear()
            self.ask(work, after)

    def instead(self, work: Work, after: float = 0.0) -> None:
        """The same, in place of what waits and of what is being done."""
        with self._changed:
            self.stop()
            self.ask(work, after)

    def stop(self) -> None:
        """Tell what is being done to end, and forget what waits."""
        with self._changed:
            self._waiting.clear()
            if self._now is not None:
                self._now.stop.set()

    def wait(self, seconds: float = 60.0) -> None:
        """Wait until everything is done, for tests; TimeoutError when it takes longer."""
        with self._changed:
            if not self._changed.wait_for(lambda: not self._has_thread, seconds):
                raise TimeoutError(f"The widget is still at work after {seconds:g} s.")

    def _work(self) -> None:
        while True:
            with self._changed:
                self._now = self._waiting.popleft() if self._waiting else None
                if self._now is None:
                    self._has_thread = False
                    self._changed.notify_all()
                    return
            self._now.run()


def on_enter(box: Any, press: Callable[[], None]) -> None:
    """Call `press` when Enter is pressed in a text box of ipywidgets 7.7.1 or 8.

    The message is sent before the text itself; so press, and read the box SETTLE seconds later.
    """

    def heard(_: Any, content: dict[str, Any], __: Any) -> None:
        if content.get("event") == "submit":
            press()

    box.on_msg(heard)


def listen_to_interrupts() -> None:
    """Let "Kernel → Interrupt" stop the widgets' work too. Call it in the main thread, in a cell.

    While a cell runs, the interrupt belongs to the cell. Afterwards ipykernel ignores it: its hook
    puts back the handler that it found before the cell, and that one is exchanged here.
    """
    ipython = sys.modules.get("IPython")
    kernel = getattr(ipython.get_ipython() if ipython else None, "kernel", None)
    if hasattr(kernel, "saved_sigint_handler"):
        before = kernel.saved_sigint_handler
        if before in (signal.SIG_IGN, _stop_all):  # somebody else's handler stays
            kernel.saved_sigint_handler = _stop_all


def _stop_all(*_: Any) -> None:
    for turns in list(ALL):
        turns.stop()
