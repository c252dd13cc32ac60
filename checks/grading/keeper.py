"""Stands between the grader and one notebook's kernel: starts it, and leaves nothing of it behind.

    python keeper.py FOLDER COMMAND …

The kernel's parent is this process, not the grader. When the kernel ends, when the grader asks
(SIGTERM) or when the grader itself is gone, every process that the notebook started is ended, also
those that detached themselves. FOLDER is where the notebook may write. Standard library only, so
that it costs 20 ms.
"""

import contextlib
import ctypes
import os
import resource
import shutil
import signal
import sys
import threading
import time
from pathlib import Path

PATIENCE = 5.0  # seconds in which children of children are looked for and ended
DEATH_SIGNAL, SUBREAPER = 1, 36  # what prctl is asked for
LARGEST_FILE = 2**31  # bytes: no lab writes half as much
HELPERS = 1024  # processes and threads besides those that its user has already


def main(folder: Path, command: list[str]) -> int:
    """Run `command` inside its fence until it ends; return its exit code."""
    grader = os.getppid()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # meant for the kernel, which is in our group
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    with contextlib.suppress(Exception):
        _prctl(SUBREAPER, 1)  # what detaches itself becomes a child of ours
    kernel = os.fork()
    if kernel == 0:
        _become(folder, command)
    threading.Thread(target=_watch, args=(grader,), daemon=True).start()
    try:
        while True:
            ended, status = os.wait()
            if ended == kernel:
                return os.waitstatus_to_exitcode(status) & 0xFF
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        end_children(kernel)
        if os.getppid() != grader:  # nobody else is left to do it
            shutil.rmtree(folder, ignore_errors=True)


def end_children(first: int) -> None:
    """End the kernel and everything that descends from it, also what it started meanwhile."""
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        children = _children() or {first}
        for child in children:
            with contextlib.suppress(OSError):
                os.kill(child, signal.SIGKILL)
        try:
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass
        except ChildProcessError:
            return  # there is none left
        time.sleep(0.01)


def _become(folder: Path, command: list[str]) -> None:
    """Turn this process into the kernel: fenced, and the first to go when memory is short."""
    try:
        from fence import restrict

        signal.signal(signal.SIGINT, signal.default_int_handler)
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        os.environ["JPY_PARENT_PID"] = str(os.getppid())  # the kernel ends when we do
        with contextlib.suppress(Exception):
            _prctl(DEATH_SIGNAL, signal.SIGKILL)
        with contextlib.suppress(OSError):
            Path("/proc/self/oom_score_adj").write_text("1000")
        _limit()
        restrict([folder])
        os.execvp(command[0], command)
    except BaseException as error:
        print(f"the kernel could not be started: {error}", file=sys.stderr)
    os._exit(127)


def _limit() -> None:
    """No crash leaves its memory on the disk, no file fills it, no process multiplies for ever."""
    limits = [(resource.RLIMIT_CORE, 0), (resource.RLIMIT_FSIZE, LARGEST_FILE)]
    if running := _tasks_of(os.getuid()):
        limits.append((resource.RLIMIT_NPROC, running + HELPERS))
    for kind, most in limits:
        hard = resource.getrlimit(kind)[1]
        most = most if hard == resource.RLIM_INFINITY else min(most, hard)
        with contextlib.suppress(OSError, ValueError):
            resource.setrlimit(kind, (most, most))


def _tasks_of(user: int) -> int:
    """How many threads a user's processes have; 0 where /proc does not tell."""
    count = 0
    with contextlib.suppress(OSError):
        for entry in os.scandir("/proc"):
            with contextlib.suppress(OSError):
                if entry.name.isdigit() and entry.stat().st_uid == user:
                    count += len(os.listdir(f"/proc/{entry.name}/task"))
    return count


def _children() -> set[int]:
    """Our own children, by /proc; none where there is no /proc."""
    mine, found = str(os.getpid()), set()
    with contextlib.suppress(OSError):
        for name in os.listdir("/proc"):
            if name.isdigit():
                with contextlib.suppress(OSError):
                    # 12 (name (with anything)) S 1 …: the parent stands second behind the name.
                    fields = Path(f"/proc/{name}/stat").read_bytes().rpartition(b")")[2].split()
                    if fields[1].decode() == mine:
                        found.add(int(name))
    return found


def _watch(grader: int) -> None:
    """Look whether the grader is still there.

    Linux could tell, but it tells of the end of the thread that started us, not of the process.
    """
    while os.getppid() == grader:
        time.sleep(1.0)
    os.kill(os.getpid(), signal.SIGTERM)


def _prctl(option: int, value: int) -> None:
    ctypes.CDLL(None).prctl(option, value, 0, 0, 0)


if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parent))  # -I leaves it out
    sys.exit(main(Path(sys.argv[1]), sys.argv[2:]))
