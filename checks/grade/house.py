"""The house that workers live in: starts the process that forks them, and ends each of them.

The strongest sandbox that works here is found by trying: a worker tries to look outside, to write,
to talk to somebody, and only where it cannot is the sandbox taken.
"""

import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from checks.engine import isolation, scratch
from checks.grade import filter as calls
from checks.grade.peer import Peer
from checks.grade.rules import GraderRules
from checks.grade.sandbox import KINDS
from checks.grade.wire import Wire

ROOT = Path(__file__).resolve().parents[2]
HIDDEN = ("checks", "solutions", "tests", "plots", "labs", "tools", ".git")
PATIENCE = 120.0  # seconds in which torch is imported, on a busy machine
ANSWERING = 1.5  # times as long takes what is answered in messages
SILENCE = 60.0  # seconds after which a worker that says nothing is taken for dead
NO_SANDBOX = (
    "no sandbox works here ({why}). Grade on a Linux that has user namespaces or Landlock, or, if "
    "you trust these notebooks as you trust your own code, with --no-sandbox"
)
# What must not be possible: each line gets away with something where it can be done.
ESCAPES = (
    "open({course!r} + '/checks/__init__.py').read()",
    "open('/etc/passwd').read()",
    "open({secret!r}).read()",
    "open({outside!r}, 'w').write('x')",
    "__import__('socket').socket()",
    "__import__('socket').socket(__import__('socket').AF_UNIX)",
    "__import__('os').fork()",
    "__import__('os').execv('/bin/true', ['true'])",
    "__import__('os').kill({grader}, 0)",
)


class NoSandbox(RuntimeError):
    """There is no sandbox that holds; says what to do."""


class Ended(RuntimeError):
    """A worker's process is gone: out of memory, os._exit(), a crash, or it was ended."""


class House:
    """A sandbox of one kind, in which workers are made."""

    def __init__(self, kind: str) -> None:
        """Start it; `NoSandbox` says why that was not possible."""
        self.kind = kind
        self._control, theirs = socket.socketpair()
        self._control.settimeout(PATIENCE)
        settings = {
            "kind": kind,
            "course": str(ROOT),
            "control": theirs.fileno(),
            "paths": [path for path in sys.path if path and not _is_ours(path)],
            "hidden": HIDDEN,
        }
        command = [sys.executable, "-I", str(Path(__file__).with_name("zygote.py"))]
        self._process = subprocess.Popen(
            [*command, json.dumps(settings)],
            pass_fds=[theirs.fileno()],
            env=_environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        theirs.close()
        said = self._line()
        if not said.get("ready"):
            self.close()
            raise NoSandbox(str(said.get("failed", "it did not start")))

    def __enter__(self) -> "House":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def worker(self) -> "Lodger":
        """Make a new worker, which knows of no other."""
        ours, theirs = socket.socketpair()
        with theirs:
            socket.send_fds(self._control, [b"w"], [theirs.fileno()])
            facts = self._line()
        if not facts.get("worker"):
            ours.close()
            raise NoSandbox("no worker could be started")
        return Lodger(ours, facts)

    def close(self) -> None:
        """End it, and with it all workers."""
        self._control.close()
        with contextlib.suppress(OSError):
            self._process.kill()
        self._process.wait()

    def _line(self) -> dict[str, Any]:
        line = b""
        with contextlib.suppress(OSError):
            while not line.endswith(b"\n"):
                if not (more := self._control.recv(1)):
                    break
                line += more
        try:
            return dict(json.loads(line))
        except ValueError:
            return {}


class Lodger:
    """One worker: `peer` asks it, `close` ends it."""

    def __init__(self, connection: socket.socket, facts: dict[str, Any]) -> None:
        connection.settimeout(SILENCE)
        self.pid, self._keeper = int(facts["worker"]), int(facts["keeper"])
        self._folder = facts["folder"]
        self.peer = Peer(Wire(connection), 2, GraderRules())
        self._connection = connection
        self._clock = ((~self.pid) << 3) | 2  # of the processor time that it has had

    def __enter__(self) -> "Lodger":
        self._before = isolation.clock[0], scratch.loaded[0]
        isolation.clock[0], scratch.loaded[0] = self.processor_time, self.loaded
        return self

    def __exit__(self, *_: object) -> None:
        isolation.clock[0], scratch.loaded[0] = self._before
        self.close()

    def loaded(self, path: Path) -> Any:
        """What stands in a file of torch's: read there, if it was written there."""
        if self.peer.files.is_theirs(path):
            return self.peer.ask("load", path)
        return self._before[1](path)

    def processor_time(self) -> float:
        """Seconds of a processor that this worker has had, but for what it takes to answer."""
        try:
            return time.clock_gettime(self._clock) / ANSWERING
        except OSError:  # it is gone
            return float("inf")

    def close(self) -> None:
        """End it for good, and all that it may have started."""
        self._connection.close()
        for number in (self.pid, self._keeper):
            with contextlib.suppress(OSError):
                os.kill(number, signal.SIGKILL)
        if self._folder:
            shutil.rmtree(self._folder, ignore_errors=True)


def strongest() -> House:
    """The strongest sandbox that holds here; `NoSandbox` when none does."""
    why = []
    for kind in KINDS:
        if not calls.known():
            why.append(f"{sys.platform} is not a Linux that it knows")
            break
        try:
            house = House(kind)
        except NoSandbox as error:
            why.append(f"{kind}: {error}")
            continue
        if not (gaps := escapes(house)):
            return house
        house.close()
        why.append(f"{kind}: {gaps[0]} was possible")
    raise NoSandbox(NO_SANDBOX.format(why="; ".join(why)))


def escapes(house: House) -> list[str]:
    """Try to get out; what was possible."""
    facts = {"course": str(ROOT), "outside": str(ROOT / ".escaped"), "grader": os.getpid()}
    found = []
    with tempfile.NamedTemporaryFile("w") as secret, house.worker() as lodger:
        os.chmod(secret.name, 0o644)
        facts["secret"] = secret.name
        for escape in ESCAPES:
            line = escape.format(**facts)
            try:
                lodger.peer.ask("run", ("<trial>", line))
            except OSError as error:
                if isinstance(error, ConnectionError):
                    raise NoSandbox("a worker ended when it should not") from error
            else:
                found.append(line)
    return found


def _environment() -> dict[str, str]:
    """Little: how many threads, and where libraries are; nothing of the grader's."""
    kept = {key: os.environ[key] for key in ("PATH", "LD_LIBRARY_PATH") if key in os.environ}
    return kept | {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1", "LANG": "C.UTF-8", "HOME": "/"}


def _is_ours(path: str) -> bool:
    """Tell whether a place for modules is the course's own."""
    place = Path(path).resolve()
    return any(place == ROOT / part or place == ROOT for part in ("", *HIDDEN, "solutions"))
