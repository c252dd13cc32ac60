"""The worker: runs what a learner wrote and answers calls. It has no checks and no solutions.

It is loaded by sandboxed processes, which are forks of one that has imported torch. Whatever the
learner's code does to this process, it can only change what is answered.
"""

import contextlib
import importlib.abc
import importlib.machinery
import io
import linecache
import socket
import sys
import types
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import torch

from checks.grade.peer import Peer, warnings_noted
from checks.grade.wire import Wire

KEPT = 600  # characters of what is printed that are handed on
OWN = "this is the course's own, write yours"


class Printed(io.TextIOBase):
    """A standard output that counts everything and keeps the beginning."""

    def __init__(self) -> None:
        self.kept, self.length = "", 0
        self.buffer = io.BytesIO()

    def write(self, text: str) -> int:
        """Count `text`, and keep it while there is room."""
        self.kept += text[: KEPT - len(self.kept)]
        self.length += len(text)
        return len(text)

    def taken(self) -> list[Any]:
        """The beginning and the length, counted anew from here on."""
        found, self.kept, self.length = [self.kept, self.length], "", 0
        return found


class WorkerRules:
    """The worker's: the grader may ask for anything."""

    believes = True

    def __init__(self, folder: Path) -> None:
        self.roots = [folder / "files"]
        self.printed = Printed()

    def may_call(self, thing: Any) -> None:
        """It may."""

    may_run = may_call

    def may_get(self, thing: Any, name: str) -> None:
        """It may."""

    may_set = may_get

    def passes_on(self, error: BaseException) -> bool:
        """Whatever a learner's code raises."""
        return True

    def noticing(self, answer: dict[str, Any]) -> Any:
        """Warnings go along with the answer."""
        return warnings_noted(answer)

    def before_sending(self, message: dict[str, Any]) -> None:
        """What was printed goes along."""
        if self.printed.length:
            message["printed"] = self.printed.taken()

    def after_receiving(self, message: dict[str, Any]) -> None:
        """Nothing comes along."""


class Pieces(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Imports modules whose sources were sent: worked pieces of earlier labs, and a file reader."""

    def __init__(self, sources: Mapping[str, str], homes: Mapping[str, str]) -> None:
        self._sources, self._homes = sources, homes

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> Any:
        """Find a module among the sources."""
        if name not in self._sources:
            return None
        package = name in ("my_llama", "assets")
        return importlib.machinery.ModuleSpec(name, self, origin=name, is_package=package)

    def exec_module(self, module: types.ModuleType) -> None:
        """Run a module's source; a package finds its pieces when they are asked for."""
        name = module.__name__
        if name == "my_llama":
            module.__dict__["__getattr__"] = self._piece
        source, file = self._sources[name], f"<{name}>"
        _remember(file, source)
        exec(compile(source, file, "exec"), vars(module))

    def _piece(self, name: str) -> Any:
        if (home := self._homes.get(name)) is None:
            if name.startswith("__"):
                raise AttributeError(name)
            raise ImportError(f"cannot import {name!r} from my_llama: {OWN}")
        # Not by the lab's own name, which may be that of a piece as well: attention.
        return getattr(importlib.import_module(f"my_llama.lab_{home}"), name)


class Worker(Peer):
    """The worker's end: what the grader asks besides calls."""

    def __init__(self, connection: socket.socket, folder: Path, names: dict[str, Any]) -> None:
        super().__init__(Wire(connection), 1, WorkerRules(folder))
        self.names = names

    @property
    def printed(self) -> Printed:
        """What was printed since the last message."""
        return self._rules.printed

    def _on_provide(self, message: dict[str, Any], value: Any, answer: dict[str, Any]) -> None:
        sys.meta_path.insert(0, Pieces(value["sources"], value["homes"]))

    def _on_run(self, message: dict[str, Any], value: Any, answer: dict[str, Any]) -> None:
        file, source = value
        _remember(file, source)
        exec(compile(source, file, "exec"), self.names)

    def _on_load(self, message: dict[str, Any], value: Any, answer: dict[str, Any]) -> Any:
        return torch.load(value, map_location="cpu", weights_only=True)

    def _on_find(self, message: dict[str, Any], value: Any, answer: dict[str, Any]) -> Any:
        if value not in self.names:
            return None
        known = self.names.get("LlamaConfig")
        if isinstance(known, type):
            self.values.classes["LlamaConfig"] = known
        return (self.names[value],)


def work(connection: socket.socket, folder: Path, names: dict[str, Any] | None = None) -> None:
    """Answer one grader until it is gone. names: what is defined already, for tests."""
    if names is None:
        main = types.ModuleType("__main__")
        sys.modules["__main__"] = main
        names = vars(main)
    worker = Worker(connection, folder, names)
    sys.stdout = sys.stderr = worker.printed  # type: ignore[assignment]
    with contextlib.suppress(ConnectionError):
        worker.serve()


def _remember(file: str, source: str) -> None:
    linecache.cache[file] = len(source), None, source.splitlines(keepends=True), file


def names_in(module: types.ModuleType) -> Iterator[str]:
    """The public names of a module."""
    return (name for name in vars(module) if not name.startswith("_"))
