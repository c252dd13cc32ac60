"""A sandbox for one process after the other, by Linux's own means; nothing has to be installed.

`namespaces`: a file system with nothing in it but Python and its libraries, read-only; no network,
no other processes, a small /tmp of one's own; an unprivileged user; Landlock and seccomp besides.
`landlock`: where namespaces may not be made, Landlock and seccomp alone.
`none`: limits only. Standard library only: it stands between a process that has imported torch and
what a learner wrote.
"""

import contextlib
import ctypes
import os
import resource
import signal
import sys
import tempfile
import time
from collections.abc import Iterable
from pathlib import Path

from checks.grade import filter as calls
from checks.grading import fence

KINDS = ("namespaces", "landlock")
COVERS = {
    "namespaces": (
        "reading anything but Python's libraries, writing outside of a small /tmp, network and "
        "Unix sockets, other processes, signals, starting programs, memory, files, time, output"
    ),
    "landlock": (
        "reading files outside of Python's libraries, writing outside of a small folder, network "
        "and Unix sockets, signals, starting programs, memory, time, output"
    ),
    "none": "memory, time and output only: it reads and writes what you may read and write",
}
LEFT = {
    "namespaces": "faults of the Linux kernel; for hostile code put a virtual machine around it",
    "landlock": (
        "seeing which processes there are; faults of the Linux kernel; for hostile code put a "
        "container or a virtual machine around it"
    ),
    "none": "everything else: grade only whom you trust, or in a container",
}

MEMORY = 2 * 2**30  # bytes beyond what importing torch takes
MOST_HELD, MOST_FILES = 64 * 2**20, 2000
ROOM = f"size={MOST_HELD},nr_inodes={MOST_FILES},mode=1777"  # of /tmp
LOOK = 0.02  # seconds between two looks into a folder that nothing else bounds
LARGEST_FILE, FILES, THREADS, SECONDS = 16 * 2**20, 64, 64, 300
FIRST_USER = 0x60000000  # users that nobody has, one for each process

NEW_MOUNTS, NEW_NAMES, NEW_IPC = 0x20000, 0x4000000, 0x8000000
NEW_USERS, NEW_PIDS, NEW_NETWORK = 0x10000000, 0x20000000, 0x40000000
READ_ONLY, NO_SUID, NO_DEVICES, NO_EXEC, REMOUNT, BIND, RECURSIVE = 1, 2, 4, 8, 32, 4096, 16384
PRIVATE, DETACH = 1 << 18, 2
DEATH_SIGNAL, DROP_BOUND = 1, 24
DEVICES = ("null", "zero", "random", "urandom")

_libc = ctypes.CDLL(None, use_errno=True)


def enter(kind: str, visible: Iterable[Path], hidden: Iterable[Path]) -> None:
    """Let this process and its children see no more than `visible`; once, before they begin."""
    if kind != "namespaces":
        return
    user, group = os.getuid(), os.getgid()
    own_users = 0 if user == 0 else NEW_USERS
    _check(_libc.unshare(own_users | NEW_MOUNTS | NEW_NAMES | NEW_IPC | NEW_NETWORK), "unshare")
    if own_users:
        Path("/proc/self/setgroups").write_text("deny")
        Path("/proc/self/uid_map").write_text(f"0 {user} 1")
        Path("/proc/self/gid_map").write_text(f"0 {group} 1")
    _mount("", "/", "", PRIVATE | RECURSIVE)
    base = Path(tempfile.mkdtemp(prefix="llama-lab-root-"))
    _mount("tmpfs", base, "tmpfs", NO_SUID | NO_DEVICES, "mode=755,size=1m")
    for path in _outermost(visible):
        _show(path, base)
    for path in hidden:
        if (place := base / path.relative_to("/")).is_dir():
            _mount("tmpfs", place, "tmpfs", READ_ONLY | NO_SUID | NO_DEVICES, "mode=755,size=4k")
    for folder in ("tmp", "old", "dev"):
        (base / folder).mkdir(exist_ok=True)
    for name in DEVICES:
        (base / "dev" / name).touch()
        _mount(f"/dev/{name}", base / "dev" / name, "", BIND)
    os.chdir(base)
    _check(_libc.syscall(_pivot_root(), b".", b"old"), "pivot_root")
    os.chdir("/")
    _check(_libc.umount2(b"/old", DETACH), "umount")
    os.rmdir("/old")
    _mount("", "/", "", REMOUNT | BIND | READ_ONLY | NO_SUID | NO_DEVICES)


def child(kind: str, tell: int, folder: Path | None) -> int:
    """Fork a process that is to be shut in. → 0 inside; outside the number of its keeper.

    The keeper writes the process's number into `tell`. It ends when the process does, and the
    process when the keeper does. folder: where it may write, unless it gets a small /tmp.
    """
    keeper = os.fork()
    if keeper:
        return keeper
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    _libc.prctl(DEATH_SIGNAL, signal.SIGKILL, 0, 0, 0)
    if kind == "namespaces":
        _check(_libc.unshare(NEW_PIDS), "unshare")
    inner = os.fork()
    if inner:
        os.write(tell, f"{inner}\n".encode())
        _wait_for(inner, folder)
    return 0


def shut_in(kind: str, number: int, folder: Path | None) -> Path:
    """Give up all rights, in the process itself, for good; return the folder it may write to.

    number: another one for each process; folder: the one to write to where none can be mounted.
    """
    os.setsid()
    if kind == "namespaces":
        _check(_libc.unshare(NEW_MOUNTS), "unshare")
        _mount("tmpfs", "/tmp", "tmpfs", NO_SUID | NO_DEVICES | NO_EXEC, ROOM)
        folder = Path("/tmp")
    assert folder is not None
    _limit(kind)
    if kind == "namespaces" and fence.version():
        fence.restrict([folder])
    if kind == "landlock" and not fence.restrict([folder], _readable):
        raise OSError("this system has no Landlock")
    if os.getuid() == 0 and kind != "none":
        _become_nobody(number)
    _libc.prctl(DEATH_SIGNAL, signal.SIGKILL, 0, 0, 0)
    if kind != "none":
        calls.install(os.getpid())
    return folder


def virtual_size() -> int:
    """The bytes of address space of this process, in which a limit is counted."""
    with contextlib.suppress(OSError):
        pages = int(Path("/proc/self/statm").read_text().split()[0])
        return pages * resource.getpagesize()
    return 8 * 2**30


# Of the process that has imported torch: see `measure`.
_size, _tasks, _own_users = 8 * 2**30, 0, False
_readable: list[Path] = []


def measure() -> None:
    """Look how large this process is, before /proc goes."""
    global _size, _tasks, _own_users, _readable
    _size, _own_users = virtual_size(), os.getuid() != 0
    _readable = [*python_s(), *SYSTEM, Path("/dev/null"), Path("/dev/urandom")]
    with contextlib.suppress(OSError):
        mine = os.getuid()
        for entry in os.scandir("/proc"):
            with contextlib.suppress(OSError):
                if entry.name.isdigit() and entry.stat().st_uid == mine:
                    _tasks += len(os.listdir(f"/proc/{entry.name}/task"))


def _wait_for(inner: int, folder: Path | None) -> None:
    """Wait for its end; end it when there is more in its folder than a small /tmp would hold."""
    with contextlib.suppress(OSError):
        while folder and os.waitpid(inner, os.WNOHANG) == (0, 0):
            time.sleep(LOOK)
            if _is_full(folder):
                os.kill(inner, signal.SIGKILL)
                break
        os.waitpid(inner, 0)
    os._exit(0)


def _is_full(folder: Path) -> bool:
    held = count = 0
    for place, _, files in os.walk(folder):
        for name in files:
            with contextlib.suppress(OSError):
                held += os.lstat(os.path.join(place, name)).st_size
            count += 1
            if held > MOST_HELD or count > MOST_FILES:
                return True
    return False


def _limit(kind: str) -> None:
    threads = THREADS if kind == "namespaces" or os.getuid() == 0 else _tasks + THREADS
    for which, most in (
        (resource.RLIMIT_AS, _size + MEMORY),
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_FSIZE, LARGEST_FILE),
        (resource.RLIMIT_NOFILE, FILES),
        (resource.RLIMIT_NPROC, threads),
        (resource.RLIMIT_CPU, SECONDS),
        (resource.RLIMIT_MEMLOCK, 0),
        (resource.RLIMIT_MSGQUEUE, 0),
    ):
        hard = resource.getrlimit(which)[1]
        most = most if hard == resource.RLIM_INFINITY else min(most, hard)
        resource.setrlimit(which, (most, most))


def _become_nobody(number: int) -> None:
    """Give up root: become a user of one's own, or, where users are our own, lose all rights."""
    for bound in range(64):
        _libc.prctl(DROP_BOUND, bound, 0, 0, 0)
    if not _own_users:
        user = FIRST_USER + number % 0x0FFFFFFF
        os.setgroups([])
        os.setresgid(user, user, user)
        os.setresuid(user, user, user)
    header, nothing = (ctypes.c_uint32 * 2)(0x20080522, 0), (ctypes.c_uint32 * 6)()
    _check(_libc.capset(ctypes.byref(header), ctypes.byref(nothing)), "capset")


SYSTEM = tuple(Path(p) for p in ("/usr/lib", "/usr/lib64", "/lib", "/lib64", "/etc/ld.so.cache"))


def python_s() -> list[Path]:
    """The folders of Python and of all that can be imported."""
    found = [Path(sys.prefix), Path(sys.base_prefix), Path(sys.exec_prefix)]
    found += [Path(p) for p in sys.path if p and Path(p).is_dir()]
    return [path.resolve() for path in found if path.exists()] + [p for p in found if p.exists()]


def _outermost(paths: Iterable[Path]) -> list[Path]:
    every = sorted({path for path in paths if path.exists() and str(path) != "/"}, key=str)
    return [p for p in every if not any(o != p and p.is_relative_to(o) for o in every)]


def _show(path: Path, base: Path) -> None:
    """Let a path be seen, read-only, where it is."""
    place = base / path.relative_to("/")
    place.parent.mkdir(parents=True, exist_ok=True)
    if path.is_symlink():
        place.symlink_to(os.readlink(path))
        return
    if path.is_dir():
        place.mkdir(exist_ok=True)
    else:
        place.touch()
    _mount(path, place, "", BIND | RECURSIVE)
    had = os.statvfs(path).f_flag
    kept = had & (NO_DEVICES | NO_EXEC | 1024 | 2048) | (1 << 21 if had & 4096 else 0)
    _mount("", place, "", REMOUNT | BIND | READ_ONLY | NO_SUID | NO_DEVICES | kept)


def _mount(source: object, target: object, kind: str, flags: int, options: str = "") -> None:
    given = [str(one).encode() for one in (source, target, kind)]
    found = _libc.mount(*given, ctypes.c_ulong(flags), options.encode())
    _check(found, f"mount {target}")


def _check(result: int, what: str) -> None:
    if result != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")


def _pivot_root() -> int:
    return 155 if os.uname().machine == "x86_64" else 41
