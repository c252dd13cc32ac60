"""Where results are written: tried before anybody is graded, replaced as a whole, never half."""

import contextlib
import os
import signal
import tempfile
import threading
from pathlib import Path
from typing import Any


def problem(path: Path, option: str) -> str:
    """Say why results cannot be written to `path`; "" when they can."""
    if path.suffix.lower() == ".ipynb":
        return f"{option} {path.name}: that is a notebook, which would be overwritten. Name a file."
    if path.is_dir():
        return f"{option} {path}: that is a folder. Name a file in it."
    if path.exists() and not path.is_file():
        return ""  # /dev/stdout, a pipe
    if not path.parent.is_dir():
        return f"{option} {path}: there is no folder {path.parent}. Make it first."
    try:
        with tempfile.NamedTemporaryFile(dir=path.parent, prefix=f".{path.name}-") as trial:
            trial.write(b" " * 4096)
    except OSError as error:
        return f"{option} {path}: {path.parent} cannot be written to ({error.strerror})."
    return ""


def write(path: Path, text: str) -> str:
    """Replace a file as a whole; return why that was not possible, or ""."""
    try:
        if path.exists() and not path.is_file():
            path.write_text(text, "utf-8")
            return ""
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}-")
        try:
            with os.fdopen(handle, "w", encoding="utf-8", errors="replace") as file:
                file.write(text)
            os.chmod(name, 0o666 & ~_umask())
            os.replace(name, path)
        finally:
            with contextlib.suppress(OSError):
                os.unlink(name)
    except OSError as error:
        return f"{path} could not be written ({error.strerror})"
    return ""


def end_by_interrupt() -> None:
    """Let SIGTERM end a grading as Ctrl-C does: kernels ended, folders gone, results written."""

    def stop(*_: Any) -> None:
        raise KeyboardInterrupt

    main = threading.current_thread() is threading.main_thread()
    if main and signal.getsignal(signal.SIGTERM) is signal.SIG_DFL:
        signal.signal(signal.SIGTERM, stop)


def _umask() -> int:
    mask = os.umask(0o022)
    os.umask(mask)
    return mask
