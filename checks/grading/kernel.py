"""nbval's kernel, watched: a dead one is noticed within a second or two, not at the time-out."""

import time
from queue import Empty
from typing import Any

TESTED = "0.11.0"  # the version of nbval whose insides these lines rely on
POLL = 1.0  # seconds between two looks at whether the kernel lives
NEEDED = ("await_reply", "get_message", "is_alive", "execute_cell_input")


class KernelDied(RuntimeError):
    """The kernel's process ended while a cell ran: os._exit(), a crash, or out of memory."""


def install() -> None:
    """Make nbval start watched kernels; `RuntimeError` says so when nbval has changed inside."""
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
    plugin.RunningKernel = _watched(kernel)


def _watched(base: type) -> type:
    class WatchedKernel(base):  # type: ignore[misc, valid-type]
        """Remembers the last reply, and looks after each second of silence whether it lives."""

        watched = True
        reply: dict[str, Any] = {}

        def await_reply(self, msg_id: str, timeout: float | None = None) -> None:
            """Wait for the reply to one request; `Empty` after `timeout` seconds."""
            self.reply = {}
            end = time.monotonic() + timeout if timeout is not None else float("inf")
            while True:
                patience = min(POLL, max(0.05, end - time.monotonic()))
                try:
                    message = self.get_message("shell", timeout=patience)
                except Empty:
                    if not self.is_alive():
                        raise KernelDied from None
                    if time.monotonic() >= end:
                        raise
                    continue
                if message["parent_header"].get("msg_id") == msg_id:
                    self.reply = message["content"]
                    if self.reply["status"] == "aborted":
                        raise RuntimeError("the kernel refused to run this cell")
                    return

        def evaluate(self, expression: str, timeout: float = 30.0) -> str | None:
            """Evaluate an expression among the notebook's names, unseen; None when it fails."""
            asked = {"answer": expression}
            message = self.kc.execute(
                "", silent=True, store_history=False, allow_stdin=False, user_expressions=asked
            )
            self.await_reply(message, timeout=timeout)
            answer = self.reply.get("user_expressions", {}).get("answer", {})
            return answer.get("data", {}).get("text/plain")

    return WatchedKernel
