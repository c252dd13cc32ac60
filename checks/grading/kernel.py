"""nbval's kernel in a place of its own: watched, fenced, and with bounds for what it prints.

A dead kernel is noticed within a second or two, not at the time-out. What a cell prints is read
while it runs; of the first 8 MB everything is kept, and a cell that prints on and on is stopped.
"""

import contextlib
import os
import re
import signal
import sys
import time
from collections import deque
from pathlib import Path
from queue import Empty
from types import SimpleNamespace
from typing import Any

from checks.grading import reading
from checks.grading.place import NoPlace, Place, warm

TESTED = "0.11.0"  # the version of nbval whose insides these lines rely on
POLL = 1.0  # seconds between two looks at whether the kernel lives
NEEDED = (
    "await_reply",
    "get_message",
    "is_alive",
    "execute_cell_input",
    "stop",
    "_ensure_iopub_up",
)
KEPT = 8_000_000  # bytes of one cell's output that are kept
STOP = 100_000_000  # bytes after which the cell is stopped
AGAIN = 10_000_000  # and after which any later cell of that notebook is
MESSAGE = 2_000  # bytes that any message costs at least
GRACE = 10.0  # seconds that an interrupted cell has to stop
MEMORY = 0.75  # of the machine's, for a notebook and all that it starts

LAUNCHER = Path(__file__).with_name("launcher.py")

beside_next: list[Path | None] = [None]  # the notebook of the next kernel, as the plugin says
_ahead: list[tuple[str, Place, Any]] = []  # a kernel that nobody uses yet, by its name


def start_ahead() -> None:
    """Start the first notebook's kernel already now: it imports torch while pytest collects."""
    from nbval.kernel import CURRENT_ENV_KERNEL_NAME as kernel_name

    with contextlib.suppress(NoPlace, OSError, RuntimeError):  # said again where it is needed
        warm()
        place = Place()
        try:
            _ahead.append((kernel_name, place, _launch(kernel_name, place)))
        except BaseException:
            place.remove()
            raise


def end_ahead() -> None:
    """End what was started ahead and never used."""
    while _ahead:
        _, place, manager = _ahead.pop()
        _end(manager)
        place.remove()


class KernelDied(RuntimeError):
    """The kernel's process ended while a cell ran: os._exit(), a crash, or out of memory."""


def install() -> None:
    """Make nbval start watched kernels; `RuntimeError` says so when nbval has changed inside."""
    import nbformat
    import nbval
    from nbval import plugin

    kernel = getattr(plugin, "RunningKernel", None)
    if getattr(kernel, "watched", False):
        return
    missing = [name for name in NEEDED if not hasattr(kernel, name)]
    if missing:
        raise RuntimeError(
            f"nbval {nbval.__version__} is not the one this course grades with: its kernel has no "
            f"{missing[0]!r}. Try: pip install nbval=={TESTED}"
        )
    assert kernel is not None
    plugin.RunningKernel = _watched(kernel)
    read = lambda path, as_version: nbformat.from_dict(reading.read(Path(path)))  # noqa: E731
    plugin.nbformat = SimpleNamespace(read=read, from_dict=nbformat.from_dict)


def _watched(base: type) -> type:
    class WatchedKernel(base):  # type: ignore[misc, valid-type]
        """Remembers the last reply, and looks after each second of silence whether it lives."""

        watched = True

        def __init__(self, kernel_name: str, cwd: str | None = None, startup_timeout: float = 60):
            """Start it in a place of its own; `cwd` is where the notebook lies."""
            notebook, beside_next[0] = beside_next[0], None
            self.reply: dict[str, Any] = {}
            self.stopped = ""  # why a cell was stopped, other than by its time
            self._kept: deque[dict[str, Any]] = deque()
            self._cell, self._bytes, self._flooded = "", 0, False
            if _ahead and _ahead[0][0] == kernel_name:
                _, self.place, self.km = _ahead.pop()
            else:
                warm()
                self.place = Place()
            try:
                if not hasattr(self, "km"):
                    self.km = _launch(kernel_name, self.place)
                self.kc = self.km.client()
                self.kc.start_channels()
                self.place.bring(notebook)  # meanwhile the kernel imports what is not the course's
                self.kc.wait_for_ready(timeout=startup_timeout)
                self._ensure_iopub_up()
            except BaseException:
                self.stop()
                raise
            # The key to this kernel: no other notebook that runs now should find it.
            with contextlib.suppress(OSError):
                os.unlink(self.km.connection_file)

        def execute_cell_input(self, cell_input: str, allow_stdin: bool | None = None) -> str:
            """Send a cell's source; return the id of the request."""
            self.stopped, self._bytes = "", 0
            self._kept.clear()
            self._cell = super().execute_cell_input(cell_input, allow_stdin)
            return self._cell

        def await_reply(self, msg_id: str, timeout: float | None = None) -> None:
            """Wait for the reply to one request, reading outputs; `Empty` after `timeout`."""
            self.reply = {}
            end = time.monotonic() + timeout if timeout is not None else float("inf")
            looked = time.monotonic()
            while True:
                if message := self._next_reply(min(POLL, max(0.0, end - time.monotonic()))):
                    if message["parent_header"].get("msg_id") == msg_id:
                        self.reply = message["content"]
                        if self.reply["status"] == "aborted":
                            raise RuntimeError("the kernel refused to run this cell")
                        return
                    continue
                if time.monotonic() >= end:
                    raise Empty
                if time.monotonic() - looked >= POLL:
                    looked = time.monotonic()
                    self._look_after()
                if self.stopped and end > time.monotonic() + GRACE:
                    end = time.monotonic() + GRACE

        def get_message(self, stream: str, timeout: float | None = None) -> dict[str, Any]:
            """Get a message; of the outputs, first those that were read while the cell ran."""
            if stream != "iopub":
                return self.kc.get_shell_msg(timeout=timeout)
            end = time.monotonic() + (timeout if timeout is not None else float("inf"))
            while not self._kept:
                left = min(POLL, end - time.monotonic())
                try:
                    self._keep(self.kc.get_iopub_msg(timeout=max(0.0, left)))
                except Empty:
                    if time.monotonic() >= end or not self.is_alive():
                        raise
            return self._kept.popleft()

        def evaluate(self, expression: str, timeout: float = 60.0) -> str | None:
            """Evaluate an expression among the notebook's names, unseen; None when it fails."""
            self.stopped, self._bytes, asked = "", 0, {"answer": expression}
            message = self.kc.execute(
                "", silent=True, store_history=False, allow_stdin=False, user_expressions=asked
            )
            self._cell = message
            self.await_reply(message, timeout=timeout)
            answer = self.reply.get("user_expressions", {}).get("answer", {})
            return answer.get("data", {}).get("text/plain")

        def await_stop(self, msg_id: str, seconds: float = GRACE) -> bool:
            """Interrupt what runs and wait until it has ended; False when it does not."""
            self.interrupt()
            try:
                self.await_reply(msg_id, timeout=seconds)
            except Empty:
                return False
            return True

        @property
        def asked(self) -> str:
            """The id of the newest request."""
            return self._cell

        def stop(self) -> None:
            """End the kernel and everything that the notebook started, and take its place away."""
            try:
                if hasattr(self, "kc"):
                    self.kc.stop_channels()
                if hasattr(self, "km"):
                    _end(self.km)
                    del self.km
            finally:
                self.place.remove()

        def _next_reply(self, seconds: float) -> dict[str, Any] | None:
            """Read what comes within `seconds`; return a reply if it was one."""
            import zmq

            shell, outputs = self.kc.shell_channel.socket, self.kc.iopub_channel.socket
            poller = zmq.Poller()
            poller.register(shell, zmq.POLLIN)
            poller.register(outputs, zmq.POLLIN)
            ready = dict(poller.poll(int(seconds * 1000)))
            try:
                if outputs in ready:
                    self._keep(self.kc.get_iopub_msg(timeout=0))
                if shell in ready:
                    return self.kc.get_shell_msg(timeout=0)
            except Empty:
                pass
            return None

        def _keep(self, message: dict[str, Any]) -> None:
            """Put an output aside; stop the cell when there is no end to them."""
            self._bytes += MESSAGE + _size(message["content"])
            status = message["msg_type"] in ("status", "error")
            asked = not self._cell or message["parent_header"].get("msg_id") == self._cell
            if asked and (status or self._bytes <= KEPT):
                self._kept.append(message)
            if self._bytes > (AGAIN if self._flooded else STOP) and not self.stopped:
                self._flooded = True
                limit = f"{STOP // 1_000_000} MB"
                self.stopped = f"it printed more than {limit}: is there a loop that never ends?"
                self.interrupt()

        def _look_after(self) -> None:
            if not self.is_alive():
                raise KernelDied
            if not self.stopped and _memory_of(self.km) > MEMORY:
                self.stopped = "it took nearly all of the machine's memory"
                _end(self.km)
                raise KernelDied

    return WatchedKernel


def _launch(kernel_name: str, place: Place) -> Any:
    """Start a kernel in its place, behind a keeper where the system has processes like that."""
    from jupyter_client.manager import KernelManager
    from nbval.kernel import NbvalKernelspecManager

    manager = KernelManager(
        kernel_name=kernel_name,
        kernel_spec_manager=NbvalKernelspecManager(),
        # Colab's ipykernel, 6.17, writes into it once more, which the fence allows only there.
        connection_file=str(place.folder / "kernel.json"),
    )
    assert manager.kernel_spec is not None
    command = manager.kernel_spec.argv
    if "ipykernel_launcher" in command:
        where = command.index("ipykernel_launcher")
        command[where - 1 : where + 1] = [str(LAUNCHER)]  # for `-m ipykernel_launcher`
        # IPython 7, Colab's, knows no PYTHONSAFEPATH: a torch.py beside a notebook would count.
        command.append("--InteractiveShellApp.ignore_cwd=True")
    if hasattr(os, "fork"):
        keeper = Path(__file__).with_name("keeper.py")
        if re.fullmatch(r"python[\d.]*", command[0]):  # the one that runs now, as Jupyter has it
            command[0] = sys.executable
        command[:0] = [sys.executable, "-I", "-S", str(keeper), str(place.folder)]
    with open(os.devnull, "w") as nowhere:
        manager.start_kernel(
            cwd=str(place.work), env=place.environment(), stdout=nowhere, stderr=nowhere
        )
    return manager


def _end(manager: Any) -> None:
    """Let the keeper end all that belongs to a notebook; what is left then ends by force."""
    process = getattr(manager.provisioner, "process", None)
    if process is not None and hasattr(os, "fork"):
        with contextlib.suppress(OSError):
            process.send_signal(signal.SIGTERM)
        end = time.monotonic() + GRACE
        while process.poll() is None and time.monotonic() < end:
            time.sleep(0.01)
    with contextlib.suppress(Exception):
        manager.shutdown_kernel(now=True)


def _memory_of(manager: Any) -> float:
    """Which part of the machine's memory a kernel and its children hold; 0 when nobody can tell."""
    try:
        import psutil

        keeper = psutil.Process(manager.provisioner.process.pid)
        held = 0
        for process in (keeper, *keeper.children(recursive=True)):
            with contextlib.suppress(psutil.Error):
                held += process.memory_info().rss
        return float(held / psutil.virtual_memory().total)
    except Exception:
        return 0.0


def _size(content: Any) -> int:
    if isinstance(content, str):
        return len(content)
    if isinstance(content, dict):
        return sum(map(_size, content.values()))
    return sum(map(_size, content)) if isinstance(content, list) else 0
