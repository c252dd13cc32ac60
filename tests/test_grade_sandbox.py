"""The sandbox of the class grader: what gets out of a notebook's process. Nothing should."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from graded_notebooks import ROOT, run

from checks.engine import isolation
from checks.grade import house as houses
from checks.grade.house import House, Lodger, NoSandbox, strongest
from checks.grade.wire import Broken

pytestmark = [
    pytest.mark.skipif(sys.platform != "linux", reason="its means are Linux's own"),
    pytest.mark.ours,
]


@pytest.fixture(scope="module")
def house() -> Iterator[House]:
    try:
        with strongest() as found:
            yield found
    except NoSandbox as error:
        pytest.skip(str(error))


@pytest.fixture
def lodger(house: House) -> Iterator[Lodger]:
    with house.worker() as found:
        yield found


def define(lodger: Lodger, source: str, name: str = "f") -> Any:
    """Run a cell in the worker, and get what it calls so."""
    lodger.peer.ask("run", ("<cell>", source))
    (found,) = lodger.peer.ask("find", name)
    return found


ESCAPES = {
    "read the solutions": "open({root!r} + '/solutions/my_llama/rope.py').read()",
    "read the checks": "open({root!r} + '/checks/rope/rotation.py').read()",
    "import the checks": "from checks.rope import apply_rope",
    "import the checks' engine": "import checks.engine.check",
    "import the solutions": "import solutions.my_llama",
    "import the worked piece": "from my_llama import apply_rope",
    "find a reference in memory": "import gc\n"
    "[o for o in gc.get_objects() if type(o).__name__ == 'Check'][0]",
    "read the grader's memory": "open('/proc/{grader}/mem', 'rb').read(1)",
    "read the grader's environment": "open('/proc/{grader}/environ').read()",
    "read another's file": "open({secret!r}).read()",
    "list the course": "import os\nos.listdir({root!r} + '/checks')",
    "write outside": "open({outside!r}, 'w').write('x')",
    "write beside Python's libraries": "import os, torch\n"
    "open(os.path.dirname(torch.__file__) + '/x.py', 'w').write('x')",
    "make a device": "import os, stat\nos.mknod('/tmp/d', stat.S_IFBLK | 0o666, os.makedev(8, 0))",
    "connect by TCP": "import socket\nsocket.create_connection(('127.0.0.1', {port}), 2)",
    "send by UDP": "import socket\n"
    "socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b'x', ('127.0.0.1', 53))",
    "talk by a Unix socket": "import socket\nsocket.socket(socket.AF_UNIX).connect('/run/x')",
    "talk by an abstract socket": "import socket\nsocket.socket(socket.AF_UNIX).bind('\\0x')",
    "signal the grader": "import os\nos.kill({grader}, 9)",
    "signal the parent": "import os\nos.kill(os.getppid() or {grader}, 9)",
    "signal everybody": "import os\nos.kill(-1, 9)",
    "fork": "import os\nos.fork()",
    "start a program": "import subprocess\nsubprocess.run(['/bin/true'], check=True)",
    "start one by another name": "import os\nos.execv('/usr/bin/python3', ['python3'])",
    "watch another process": "import ctypes\nlibc = ctypes.CDLL(None, use_errno=True)\n"
    "if libc.ptrace(16, {grader}, 0, 0) != 0: raise OSError(ctypes.get_errno())",
    "leave its namespaces": "import ctypes\nlibc = ctypes.CDLL(None, use_errno=True)\n"
    "if libc.unshare(0x10000000) != 0: raise OSError(ctypes.get_errno())",
    "mount": "import ctypes\nlibc = ctypes.CDLL(None, use_errno=True)\n"
    "if libc.mount(b'none', b'/tmp', b'tmpfs', 0, b'') != 0: raise OSError(ctypes.get_errno())",
    "become root": "import os\nos.setuid(0) if os.getuid() else 1 / 0\n",
    "take 10 GB": "x = bytearray(10 * 2**30)",
    "take 10 GB by torch": "import torch\ntorch.ones(10 * 2**30 // 4)",
    "fill the disk": "import os\nfor i in range(100):\n"
    "    with open(f'/tmp/{{i}}', 'wb') as f: f.write(bytes(15 * 2**20))",
    "one huge file": "f = open('/tmp/x', 'wb')\nwhile True: f.write(bytes(2**20))",
    "many files": "import os\nfor i in range(100_000): open(f'/tmp/{{i}}', 'w').close()",
    "many open files": "kept = [open('/dev/null') for _ in range(1000)]",
    "many threads": "import threading, time\n"
    "for _ in range(1000): threading.Thread(target=time.sleep, args=(60,), daemon=True).start()",
}


@pytest.fixture(scope="module")
def listening() -> Iterator[int]:
    """A server of the grader's machine, which must hear of nobody."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0)
        yield server.getsockname()[1]
        with pytest.raises(OSError):
            server.accept()


@pytest.mark.parametrize("what", ESCAPES)
def test_nothing_gets_out(lodger: Lodger, listening: int, tmp_path: Path, what: str) -> None:
    secret, outside = tmp_path / "secret", tmp_path / "outside"
    secret.write_text("42")
    for open_to_all in (secret, tmp_path):
        open_to_all.chmod(0o777)
    facts = {"root": str(ROOT), "grader": os.getpid(), "port": listening}
    facts |= {"secret": str(secret), "outside": str(outside)}
    with pytest.raises((Exception, KeyboardInterrupt)) as raised:
        lodger.peer.ask("run", ("<cell>", ESCAPES[what].format(**facts)))
    assert not isinstance(raised.value, SyntaxError | NameError | AttributeError)
    assert not outside.exists()


def test_it_is_an_unprivileged_user_with_nothing_in_sight(lodger: Lodger) -> None:
    source = """
import os, sys
def f():
    modules = [m for m in sys.modules if m.split(".")[0] in ("checks", "solutions", "my_llama")]
    return os.getuid(), sorted(modules), dict(os.environ), os.listdir("/tmp")
"""
    user, modules, environment, files = define(lodger, source)()
    assert os.getuid() != 0 or user != 0
    assert all(m.startswith("checks") for m in modules)
    assert not {m.removeprefix("checks.engine.") for m in modules} & {"check", "diagnosis", "probe"}
    assert environment.keys() <= {
        *("HOME", "TMPDIR", "LANG"),
        "OMP_NUM_THREADS",
        "LLAMA_LAB_GRADING",
    }
    assert set(files) <= {"files"}  # that probes wrote


def test_one_submission_leaves_nothing_for_the_next_one(house: House) -> None:
    poison = """
import builtins, sys, torch
torch.equal = lambda *a: True
builtins.print = None
sys.modules["json"] = None
open("/tmp/left", "w").write("x")
"""
    with house.worker() as first, contextlib.suppress(OSError):  # where it may make no file
        first.peer.ask("run", ("<cell>", poison))
    source = """
import builtins, os, sys, torch, json
f = lambda: (torch.equal(torch.zeros(1), torch.ones(1)), print is None, os.path.exists("/tmp/left"))
"""
    with house.worker() as second:
        assert define(second, source)() == (False, False, False)


def test_an_endless_loop_that_swallows_interrupts_is_ended(house: House) -> None:
    source = "def f():\n    while True:\n        try:\n            while True: pass\n        except BaseException: pass"
    with house.worker() as lodger:
        endless = define(lodger, source)
        begin = time.monotonic()
        with pytest.raises(isolation.Hangs), isolation.isolation(isolation.Output(), 0.5):
            endless()
        assert time.monotonic() - begin < 5
        pid = lodger.pid
    end = time.monotonic() + 5
    while Path(f"/proc/{pid}").exists() and time.monotonic() < end:
        time.sleep(0.05)
    assert not Path(f"/proc/{pid}").exists()


def test_endless_output_fills_nothing(lodger: Lodger) -> None:
    source = "import os\ndef f():\n    for _ in range(2000): print('x' * 1000)\n    os.write(1, bytes(10**6))"
    printed = isolation.Output()
    with isolation.isolation(printed, 20):
        define(lodger, source)()
    assert (len(printed.kept), printed.length) == (isolation.KEPT_OUTPUT, 2_002_000)


@pytest.mark.parametrize(
    ("source", "says"),
    [
        ("import torch\ndef f(): return torch.ones(2**28)", "more than"),  # 1 GB
        ("def f(): return ['x'] * 10**7", "entries"),
        ("def f():\n    x = []\n    for _ in range(500): x = [x]\n    return x", "nested"),
        ("def f(): return 'x' * 10**8", "characters"),
    ],
)
def test_what_is_too_large_does_not_arrive(lodger: Lodger, source: str, says: str) -> None:
    with pytest.raises((ValueError, MemoryError, RuntimeError), match=f"{says}|allocate|memory"):
        define(lodger, source)()


def test_a_lying_object_comes_as_what_it_is(lodger: Lodger) -> None:
    source = """
import torch
class Yes(torch.Tensor):
    @classmethod
    def __torch_function__(cls, func, types, args=(), kwargs=None): return True
class Any3(int):
    def __eq__(self, other): return True
def f(): return torch.zeros(2).as_subclass(Yes), Any3(4), [Any3(5)]
"""
    tensor, number, (listed,) = define(lodger, source)()
    assert type(tensor) is torch.Tensor and tensor.tolist() == [0, 0]
    assert (type(number), number, type(listed), listed) == (int, 4, int, 5)


def test_nothing_of_a_pickle_is_ever_read() -> None:
    """No module on either side of the connection can unpickle anything.

    But what an answer saved, a worker reads where it lies, and so does a process that makes workers.
    """
    words = ("pickle", "torch.load", "allow_pickle=True", "marshal", "shelve", "eval(")
    for path in (ROOT / "checks/grade").glob("*.py"):
        code = path.read_text().replace("unpickled", "").replace("unpickle", "")
        if path.name in ("worker.py", "zygote.py"):
            code = code.replace("torch.load(", "")
        assert [word for word in words if f"import {word}" in code or f"{word}(" in code] == []


@pytest.mark.parametrize(
    "attack",
    [
        b"\xff" * 64,
        b"\x00\x00\x00\x02\x00\x00\x00\x00[]",
        b"\x00\x00\x00\x02\x00\x00\x00\x00{}",
        b"",
    ],
)
def test_what_is_no_message_ends_the_conversation(house: House, attack: bytes) -> None:
    """The worker writes into its socket past everything that should write there."""
    source = f"import os\ndef f(): os.write(3, {attack!r}); os._exit(0)"
    with house.worker() as lodger, pytest.raises((Broken, OSError)):
        define(lodger, source)()


def test_what_a_worker_may_ask_of_the_grader_s_things(lodger: Lodger) -> None:
    """A model that is handed over answers to a model's names, and to nothing that leads out of it."""
    from checks.training.bigram import Bigram

    source = """
def f(model, name):
    return repr(getattr(model, name))[:50]
def g(model):
    model.fed = []
"""
    model = Bigram(torch.zeros(2, 2), torch.ones(2))
    read = define(lodger, source)
    assert read(model, "modes").startswith("[")
    for name in ("_load_from_state_dict", "register_forward_hook", "compile", "apply"):
        with pytest.raises(AttributeError):
            lodger.peer.handles.encode(model)
            from checks.grade.rules import GraderRules

            GraderRules().may_get(model, name)
    define(lodger, source, "g")(model)
    model.fed.append(torch.zeros(1))
    assert len(model.fed) == 1  # what is told of stays the grader's


def test_no_sandbox_no_grading(
    monkeypatch: pytest.MonkeyPatch, capsys: Any, tmp_path: Path
) -> None:
    from checks.grade.__main__ import main

    def none(kind: str) -> House:
        raise NoSandbox("it may not be used")

    monkeypatch.setattr(houses, "House", none)
    (tmp_path / "ada").mkdir()
    (tmp_path / "ada/03_rope.ipynb").write_text("{}")
    assert main([str(tmp_path), "--out", str(tmp_path / "out")]) == 2
    said = capsys.readouterr().out
    assert "no sandbox works here" in said and "--no-sandbox" in said


def test_a_worker_ends_with_its_grader() -> None:
    """The grader is killed: its workers and what they are forks of are gone within seconds."""
    code = """
import sys, time
from checks.grade.house import House
house = House("none")
lodger = house.worker()
print(house._process.pid, lodger.pid, flush=True)
time.sleep(600)
"""
    process = subprocess.Popen(
        [sys.executable, "-c", code], cwd=ROOT, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    numbers = [int(n) for n in process.stdout.readline().split()]
    process.send_signal(signal.SIGKILL)
    process.wait()
    end = time.monotonic() + 30
    while any(_lives(n) for n in numbers) and time.monotonic() < end:
        time.sleep(0.1)
    assert [n for n in numbers if _lives(n)] == []


def _lives(number: int) -> bool:
    try:
        return Path(f"/proc/{number}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_the_grader_s_main_module_needs_no_torch_to_say_how_it_is_used() -> None:
    done = run([sys.executable, "-m", "checks.grade", "--help"], ROOT)
    assert done.returncode == 0 and "--no-sandbox" in done.stdout
