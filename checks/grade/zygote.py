"""The process that workers are forks of: it has imported torch, and is shut in before it runs them.

    python -I zygote.py SETTINGS        (JSON; a socket stands open under the number in `control`)

For each worker it is sent a socket, which the worker answers on, and tells the numbers of the
worker and of its keeper. It never runs what a learner wrote, and knows of the course only the few
modules that workers need.
"""

import contextlib
import importlib.abc
import importlib.machinery
import importlib.util
import json
import os
import signal
import socket
import sys
import tempfile
import traceback
from pathlib import Path

# What a worker needs of the course. No checks, no references, no solutions.
LOADED = (
    *("checks.engine.own_line", "checks.engine.plain", "checks.engine.pretended"),
    "checks.engine.not_a_number",
    *("checks.grading.fence", "checks.grade.filter", "checks.grade.sandbox"),
    *("checks.grade.wire", "checks.grade.errors", "checks.grade.luck", "checks.grade.tensors"),
    *(
        "checks.grade.files",
        "checks.grade.mirrors",
        "checks.grade.handles",
        "checks.grade.values",
        "checks.grade.peer",
    ),
    "checks.grade.worker",
)
PACKAGES = ("checks", "checks.engine", "checks.grading", "checks.grade")


class Chosen(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Imports the chosen modules from the course, and of their packages nothing else."""

    def __init__(self, course: Path) -> None:
        self._course = course

    def find_spec(self, name, path=None, target=None):
        """Find one of the chosen modules, or an empty package."""
        if name in PACKAGES:
            return importlib.machinery.ModuleSpec(name, self, is_package=True)
        if name in LOADED:
            file = self._course / (name.replace(".", "/") + ".py")
            return importlib.util.spec_from_file_location(name, file)
        return None

    def exec_module(self, module):
        """Leave a package empty."""


def main(settings: dict) -> None:
    """Get ready, say so, and fork workers until the grader is gone."""
    control = socket.socket(fileno=settings["control"])
    sys.path[:] = settings["paths"]
    finder = Chosen(Path(settings["course"]))
    sys.meta_path.insert(0, finder)
    try:
        warm_up()
        for name in LOADED:
            importlib.import_module(name)
        sys.meta_path.remove(finder)
        from checks.grade import sandbox

        sandbox.measure()
        hidden = [Path(settings["course"], part) for part in settings["hidden"]]
        visible = [*sandbox.python_s(), *sandbox.SYSTEM]
        sandbox.enter(settings["kind"], visible, hidden)
    except BaseException as error:
        says = f"{type(error).__name__}: {error}"
        control.sendall(json.dumps({"failed": says}).encode() + b"\n")
        return
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for keepers
    control.sendall(b'{"ready": true}\n')
    number = os.getpid()
    while True:
        said, handles, _, _ = socket.recv_fds(control, 1, 1)
        if not said:
            return
        number += 1
        fork(settings["kind"], control, handles[0], number)


def fork(kind: str, control: socket.socket, handle: int, number: int) -> None:
    """Fork one worker, which answers on the socket `handle`."""
    from checks.grade import sandbox

    told, tell = os.pipe()
    folder = None if kind == "namespaces" else a_folder()
    keeper = sandbox.child(kind, tell, folder)
    if keeper == 0:
        try:
            run(kind, handle, number, folder)
        finally:
            os._exit(1)
    os.close(tell)
    os.close(handle)
    with os.fdopen(told) as pipe:
        worker = pipe.readline().strip() or "0"
    facts = {"keeper": keeper, "worker": int(worker), "folder": folder and str(folder)}
    control.sendall(json.dumps(facts).encode() + b"\n")


def run(kind: str, handle: int, number: int, folder: Path | None) -> None:
    """Become a worker: shut in, with nothing open but its socket."""
    from checks.grade import sandbox
    from checks.grade.worker import work

    connection = handle if handle == 3 else os.dup2(handle, 3)
    try:
        nowhere = os.open(os.devnull, os.O_RDWR)
        for standard in range(3):
            os.dup2(nowhere, standard)
        os.closerange(4, 4096)
        os.environ.clear()
        os.environ.update(LANG="C.UTF-8", OMP_NUM_THREADS="1", LLAMA_LAB_GRADING="1")
        place = sandbox.shut_in(kind, number, folder)
        os.environ.update(HOME=str(place), TMPDIR=str(place))
        os.chdir(place)
        sys.argv = [""]
    except BaseException:
        # No message that could be read: the grader shows the end of it.
        os.write(connection, traceback.format_exc()[-1000:].encode())
        return
    work(socket.socket(fileno=connection), place)


def a_folder() -> Path:
    """A folder for a worker that gets none of its own: its keeper looks how much is in it."""
    folder = Path(tempfile.mkdtemp(prefix="llama-lab-worker-"))
    folder.chmod(0o777)
    return folder


def warm_up() -> None:
    """Import what a worker would import at its first call, gradient or device; it takes seconds."""
    import collections
    import copy
    import dataclasses
    import functools
    import io
    import itertools
    import math
    import random
    import re
    import typing

    import numpy
    import torch
    import torch.fx.experimental.symbolic_shapes
    import torch.nn.functional

    unused = (collections, copy, dataclasses, functools, itertools, math, random, re, typing)
    del unused
    torch.set_num_threads(1)
    numpy.random.seed(0)
    layer = torch.nn.Linear(2, 2)
    x = torch.ones(1, 2, requires_grad=True)
    torch.autograd.grad(layer(x).softmax(-1).sum(), [x, *layer.parameters()])
    torch.vmap(torch.sin)(x)
    torch.nn.Embedding(1, 1, device="meta")
    layer.half().bfloat16()
    torch.nn.functional.scaled_dot_product_attention(x[None], x[None], x[None])
    torch.save({"x": x.detach()}, file := io.BytesIO())
    torch.load(io.BytesIO(file.getvalue()), weights_only=True)
    with contextlib.suppress(ImportError):
        import tokenizers.decoders  # noqa: F401


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
    os._exit(0)  # to clean up torch would take seconds
