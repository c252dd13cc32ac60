"""Modules that both sides have: the same tree, whose parameters and buffers are shared tensors.

What a probe does to a module — load weights, `half()`, `eval()`, `zero_grad()` — it does to the
mirror; the next message carries the changes over. `forward` runs where the module was made.
"""

import types
import weakref
from collections.abc import Iterator
from typing import Any

import torch
from torch import nn

from checks.grade.wire import Broken

MOST = 2_000  # modules of one tree

_saved: dict[str, Any] = {}  # what was saved in place of modules, by the names of their classes


class Mirror(nn.Module):
    """Stands for a module of the other side's, or for a part of one."""

    def _forward(self, args: tuple, kwargs: dict) -> Any:
        peer, number = vars(self)["_remote"]
        root = vars(self)["_root"]() or self
        return peer.forward(number, vars(self)["_path"], root, args, kwargs)

    def __getattr__(self, name: str) -> Any:
        try:
            return super().__getattr__(name)
        except AttributeError:
            if name.startswith("__") or "_remote" not in vars(self):
                raise
            peer, number = vars(self)["_remote"]
            return peer.ask("get", on=number, name=name, path=vars(self)["_path"])

    def __deepcopy__(self, memo: Any) -> Any:
        """A copy of what it stands for, made there."""
        peer, number = vars(self)["_remote"]
        return peer.ask("copy", on=number, path=vars(self)["_path"])

    def __reduce_ex__(self, protocol: Any) -> tuple[Any, ...]:
        """Save it by the name of its class, which a checkpoint should not hold."""
        name = type(self).__name__
        if name not in _saved:
            _saved[name] = types.FunctionType(_no_module.__code__, globals(), name)
            _saved[name].__qualname__ = name
        return _saved[name], ()

    def __len__(self) -> int:
        return len(self._modules)

    def __iter__(self) -> Iterator[Any]:
        return iter(self._modules.values())

    def __getitem__(self, place: Any) -> Any:
        return list(self._modules.values())[place]

    def __bool__(self) -> bool:
        return True


def _no_module() -> Any:
    raise TypeError("a module was saved whole, of which nothing can be made here: use state_dict()")


def __getattr__(name: str) -> Any:
    """What stands in a file for a module of the other side's, found by the name of its class."""
    if name in _saved:
        return _saved[name]
    raise AttributeError(name)


def describe(module: nn.Module, tensors: Any) -> list[list[Any]]:
    """A tree of modules, each part by its path: kind, mode, parameters, buffers."""
    places: dict[int, str] = {}
    found = []
    for path, part in module.named_modules(remove_duplicate=False):
        if id(part) in places:
            found.append([path, places[id(part)]])
            continue
        places[id(part)] = path
        found.append([path, type(part).__name__, *state_of(part, tensors)])
    return found


def state_of(part: nn.Module, tensors: Any) -> list[Any]:
    """What may change in one module: its mode, and which tensors it has."""
    temporary = part._non_persistent_buffers_set

    def number(tensor: Any) -> int | None:
        return None if tensor is None else tensors.number_of(tensor, kept=True)

    return [
        part.training,
        [[k, number(v)] for k, v in part._parameters.items()],
        [[k, number(v), k in temporary] for k, v in part._buffers.items()],
    ]


def set_state(part: nn.Module, said: Any, tensors: Any) -> None:
    """Give a module this mode and these tensors."""
    training, parameters, buffers = said
    if part.training != bool(training):
        part.training = bool(training)
    for name, number in parameters:
        value = None if number is None else tensors.find(number)
        if value is not None and not isinstance(value, nn.Parameter):
            raise Broken("a parameter that is none")
        part._parameters[str(name)] = value
    for name, number, temporary in buffers:
        part._buffers[str(name)] = None if number is None else tensors.find(number)
        if temporary:
            part._non_persistent_buffers_set.add(str(name))


def mirrored(cls: type[Mirror], said: Any, peer: Any, number: int) -> Mirror:
    """A mirror of the tree that was described."""
    parts: dict[str, Mirror] = {}
    if not isinstance(said, list) or not 0 < len(said) <= MOST:
        raise Broken("a module that is none")
    for path, name, *state in said:
        if not state:
            part = parts[name]
        else:
            made = type(str(name), (Mirror,), {"forward": _part_forward})
            kind: type[Mirror] = made if path else cls
            part = object.__new__(kind)
            nn.Module.__init__(part)
            place = {"_remote": (peer, number), "_path": str(path)}
            vars(part).update(place)
            set_state(part, state, peer.tensors)
        parts[str(path)] = part
        vars(part).setdefault("_root", weakref.ref(parts[""]))
        if path:
            above, _, own = str(path).rpartition(".")
            parts[above]._modules[own] = part
    return parts[""]


def _part_forward(self: Mirror, *args: Any, **kwargs: Any) -> Any:
    return self._forward(args, kwargs)


class Modules:
    """The modules that both sides have, by number, ours and theirs."""

    def __init__(self, tensors: Any) -> None:
        self._tensors = tensors
        self._known: dict[tuple[bool, int], Any] = {}  # (theirs, number) → weak reference
        self._states: dict[tuple[bool, int], dict[str, Any]] = {}

    def forget(self) -> None:
        """Forget all: what comes is another exercise's."""
        self._known.clear()
        self._states.clear()

    def knows(self, number: int) -> bool:
        """Tell whether the other side has a mirror of ours with this number."""
        return (False, number) in self._known

    def add(self, number: int, module: nn.Module, theirs: bool = False) -> None:
        """Follow one more module."""
        self._known[theirs, number] = weakref.ref(module)
        self._states[theirs, number] = dict(self._state(module))

    def changes(self) -> list[list[Any]]:
        """What changed in any of them since the last message."""
        found = []
        for key, reference in list(self._known.items()):
            module = reference()
            if module is None:
                del self._known[key], self._states[key]
                continue
            known = self._states[key]
            for path, state in self._state(module):
                if known.get(path) != state:
                    known[path] = state
                    found.append([key[0], key[1], path, *state])
        return found

    def take(self, said: Any) -> None:
        """Change ours as the other side's were changed."""
        for theirs, number, path, *state in said:
            reference = self._known.get((not theirs, number))
            module = reference() if reference else None
            if module is not None:
                part = module.get_submodule(str(path)) if path else module
                set_state(part, state, self._tensors)
                self._states[not theirs, number][str(path)] = state_of(part, self._tensors)

    def _state(self, module: nn.Module) -> Iterator[tuple[str, Any]]:
        for path, part in module.named_modules():
            yield path, state_of(part, self._tensors)


def hooked(module: nn.Module) -> list[str]:
    """The paths of the parts of a module, itself left out, at which somebody wants to look."""
    parts = ((path, part) for path, part in module.named_modules() if path)
    return [path for path, part in parts if part._forward_hooks or part._forward_pre_hooks]


def call_hooks(part: nn.Module, before: bool, args: tuple, result: Any) -> None:
    """Show what went into a part, or came out of it, to those who want to look."""
    with torch.no_grad():
        if before:
            for hook in list(part._forward_pre_hooks.values()):
                hook(part, args)
        else:
            for hook in list(part._forward_hooks.values()):
                hook(part, args, result)
