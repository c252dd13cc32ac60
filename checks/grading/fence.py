"""A fence around one process and its children, by Landlock: they write only where they may.

Linux only, and only where the kernel has it (5.13; since 6.12 it also keeps signals inside). What
it does not cover: reading, memory, the network. Standard library only: it stands between fork and
exec.
"""

import ctypes
import os
import sys
from collections.abc import Iterable
from pathlib import Path

CREATE, ADD_RULE, RESTRICT_SELF = 444, 445, 446  # system calls, the same on every architecture
ASK_VERSION, PATH_BENEATH, NO_NEW_PRIVS = 1, 1, 38

EXECUTE, WRITE_FILE, READ_FILE, READ_DIR = 1 << 0, 1 << 1, 1 << 2, 1 << 3
REMOVE_DIR, REMOVE_FILE = 1 << 4, 1 << 5
MAKE = sum(
    1 << bit for bit in range(6, 13)
)  # characters, folders, files, sockets, fifos, blocks, links
REFER, TRUNCATE = 1 << 13, 1 << 14  # version 2, version 3
TCP = 1 << 0 | 1 << 1  # to bind and to connect, version 4
SCOPE_SOCKETS, SCOPE_SIGNAL = 1 << 0, 1 << 1  # abstract Unix sockets, signals: version 6

# Where everybody may write: no learner's work lies there, and torch and multiprocessing need them.
SHARED = ("/dev/shm",)
DEVICES = ("null", "zero", "full", "random", "urandom", "tty", "ptmx", "pts", "dri")


class _Ruleset(ctypes.Structure):
    _fields_ = [("files", ctypes.c_uint64), ("ports", ctypes.c_uint64), ("scoped", ctypes.c_uint64)]


class _Beneath(ctypes.Structure):
    _pack_ = 1
    _layout_ = "ms"
    _fields_ = [("allowed", ctypes.c_uint64), ("parent", ctypes.c_int32)]


def version() -> int:
    """The version of Landlock that this system has; 0 where there is none."""
    if sys.platform != "linux":
        return 0
    try:
        return max(0, _libc().syscall(CREATE, None, ctypes.c_size_t(0), ASK_VERSION))
    except (OSError, AttributeError):
        return 0


def restrict(
    writable: Iterable[Path],
    readable: Iterable[Path] | None = None,
) -> int:
    """Let this process write beneath `writable` only, for good; return the version, 0 for none.

    readable: where it may read, too, in place of everywhere; and then it may start no program.
    """
    abi = version()
    if not abi:
        return 0
    files = WRITE_FILE | REMOVE_DIR | REMOVE_FILE | MAKE
    files |= REFER * (abi >= 2) | TRUNCATE * (abi >= 3)
    reading = 0 if readable is None else EXECUTE | READ_FILE | READ_DIR
    ports = 0 if readable is None else TCP * (abi >= 4)
    scopes = SCOPE_SIGNAL | (0 if readable is None else SCOPE_SOCKETS)
    rules = _Ruleset(files | reading, ports, scopes * (abi >= 6))
    size = 24 if abi >= 6 else 16 if abi >= 4 else 8
    libc = _libc()
    ruleset = libc.syscall(CREATE, ctypes.byref(rules), ctypes.c_size_t(size), 0)
    if ruleset < 0:
        return 0
    try:
        for folder in (*writable, *(map(Path, SHARED) if readable is None else ())):
            _allow(libc, ruleset, folder, files | reading & ~EXECUTE)
        for path in readable or ():
            inside = READ_FILE | READ_DIR if path.is_dir() else READ_FILE
            _allow(libc, ruleset, path, inside)
        for device in (*DEVICES, *_graphics()) if readable is None else ():
            _allow(libc, ruleset, Path("/dev") / device, WRITE_FILE | TRUNCATE * (abi >= 3))
        if libc.prctl(NO_NEW_PRIVS, 1, 0, 0, 0) or libc.syscall(RESTRICT_SELF, ruleset, 0):
            return 0
    finally:
        os.close(ruleset)
    return abi


def _allow(libc: ctypes.CDLL, ruleset: int, path: Path, access: int) -> None:
    try:
        handle = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except OSError:
        return  # it is not there, so nobody writes there
    try:
        rule = _Beneath(access, handle)
        libc.syscall(ADD_RULE, ruleset, PATH_BENEATH, ctypes.byref(rule), 0)
    finally:
        os.close(handle)


def _graphics() -> list[str]:
    return [name for name in os.listdir("/dev") if name.startswith("nvidia")]


def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)
