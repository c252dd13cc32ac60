"""What cannot be sent by value stays where it is: functions, classes, modules, caches, iterators.

The other side gets a number and enough to look the part: a function with its name and signature, a
class that can be called, a module whose parameters are tensors that both sides have (`Mirror`).
"""

import inspect
import types
from collections.abc import Callable, Container, Iterator
from typing import Any

from torch import nn

from checks.grade.mirrors import Mirror, describe, mirrored
from checks.grade.wire import Broken

MOST = 20_000  # things that are kept for the other side
KINDS = {
    "by_place": inspect.Parameter.POSITIONAL_ONLY,
    "usual": inspect.Parameter.POSITIONAL_OR_KEYWORD,
    "places": inspect.Parameter.VAR_POSITIONAL,
    "by_name": inspect.Parameter.KEYWORD_ONLY,
    "names": inspect.Parameter.VAR_KEYWORD,
}
NAMES = {kind: name for name, kind in KINDS.items()}
SPECIAL = ("__len__", "__getitem__", "__contains__", "__iter__", "__call__")


class Default:
    """Stands for a default value of a parameter: only what it looks like is known."""

    def __init__(self, text: str) -> None:
        self._text = text

    def __repr__(self) -> str:
        return self._text


class RemoteObject:
    """An object of the other side's: its attributes are asked there."""

    def __init__(self, peer: Any, number: int) -> None:
        object.__setattr__(self, "_remote", (peer, number))

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        peer, number = object.__getattribute__(self, "_remote")
        return peer.ask("get", on=number, name=name)

    def __setattr__(self, name: str, value: Any) -> None:
        peer, number = object.__getattribute__(self, "_remote")
        peer.ask("set", value=value, on=number, name=name)


class RemoteIterator:
    """An iterator of the other side's, such as a generator that was begun there."""

    def __init__(self, peer: Any, number: int) -> None:
        self._remote = peer, number

    def __iter__(self) -> Iterator[Any]:
        return self

    def __next__(self) -> Any:
        peer, number = self._remote
        found = peer.ask("next", on=number)
        if not isinstance(found, tuple):
            raise StopIteration
        return found[0]


class RemoteClass(type):
    """The type of classes that stand for one of the other side's."""

    def __call__(cls, *args: Any, **kwargs: Any) -> Any:
        """Make an object of it, on the other side."""
        peer, number = vars(cls)["_class"]
        return peer.call(number, args, kwargs)

    def __getattr__(cls, name: str) -> Any:
        if name.startswith("__") or "_class" not in vars(cls):
            raise AttributeError(name)
        peer, number = vars(cls)["_class"]
        return peer.ask("get", on=number, name=name)


class Handles:
    """What we keep for the other side, and what stands here for things of its."""

    def __init__(self, peer: Any) -> None:
        self._peer = peer
        self._kept: dict[int, Any] = {}
        self._numbers: dict[int, int] = {}  # id of a thing → its number
        self._told: set[int] = set()
        self._next = 1
        self._theirs: dict[int, Any] = {}

    def forget(self, ours: Container[int], theirs: Container[int]) -> None:
        """Forget all but these: what comes is another probe's."""
        for number in [n for n in self._kept if n not in ours]:
            self._numbers.pop(id(self._kept.pop(number)), None)
            self._told.discard(number)
        for number in [n for n in self._theirs if n not in theirs]:
            del self._theirs[number]

    def number_of(self, thing: Any) -> int:
        """The number under which we keep a thing."""
        number = self._numbers.get(id(thing))
        if number is None or self._kept.get(number) is not thing:
            if len(self._kept) >= MOST:
                raise Broken("too many things are kept")
            number, self._next = self._next, self._next + 1
            self._kept[number], self._numbers[id(thing)] = thing, number
        return number

    def own(self, number: Any) -> Any:
        """The thing of ours with this number; `Broken` when there is none."""
        if type(number) is not int or number not in self._kept:
            raise Broken("a thing that nobody knows")
        return self._kept[number]

    def theirs(self, thing: Any) -> int | None:
        """The number of what stands here for a thing of the other side's."""
        found = _remote_of(thing)
        return found[1] if found is not None and found[0] is self._peer else None

    def mirror(self, number: Any) -> Mirror:
        """The mirror of a module of the other side's."""
        found = self._theirs.get(number) if type(number) is int else None
        if not isinstance(found, Mirror):
            raise Broken("a module that nobody knows")
        return found

    def encode(self, thing: Any) -> Any:
        """A thing as JSON: one of theirs by its number, one of ours with what it looks like."""
        if (theirs := _remote_of(thing)) is not None and theirs[0] is self._peer:
            return {"r": theirs[1]}
        number = self.number_of(thing)
        if number in self._told and not isinstance(thing, nn.Module):
            return {"h": [number]}
        if number in self._told and self._peer.modules.knows(number):
            return {"h": [number]}
        self._told.add(number)
        return {"h": [number, *self._look(thing, number)]}

    def _look(self, thing: Any, number: int) -> list[Any]:
        name = str(getattr(thing, "__name__", type(thing).__name__))[:200]
        if inspect.isclass(thing):
            if issubclass(thing, nn.Module):
                return ["class", name, signature(thing), True, signature(thing.forward)]
            return ["class", name, signature(thing), False, None]
        if isinstance(thing, nn.Module):
            cls = self.number_of(type(thing)) if id(type(thing)) in self._numbers else None
            self._peer.modules.add(number, thing)
            said = describe(thing, self._peer.tensors)
            return ["module", type(thing).__name__, signature(type(thing).forward), cls, said]
        if isinstance(thing, Iterator):
            return ["iterator", type(thing).__name__]
        if isinstance(thing, types.FunctionType | types.MethodType | types.BuiltinFunctionType):
            return ["function", name, signature(thing)]
        special = [one for one in SPECIAL if hasattr(type(thing), one)]
        return ["object", type(thing).__name__, special]

    def decode(self, said: Any) -> Any:
        """What stands here for a thing of the other side's."""
        if not isinstance(said, list) or not said or type(said[0]) is not int:
            raise Broken("a thing that is none")
        number, *look = said
        if number in self._theirs and not look:
            return self._theirs[number]
        if not look or len(self._theirs) >= MOST:
            raise Broken("a thing that was never shown")
        kind, name, *rest = look
        makers: dict[Any, Callable[..., Any]] = {
            "function": self._function,
            "class": self._class,
            "module": self._module,
            "iterator": lambda number, name: RemoteIterator(self._peer, number),
            "object": self._object,
        }
        maker = makers.get(kind) if isinstance(kind, str) else None
        if maker is None or not isinstance(name, str):
            raise Broken("a thing of an unknown kind")
        found = self._theirs[number] = maker(number, name, *rest)
        return found

    def _function(self, number: int, name: str, said: Any) -> Any:
        peer = self._peer

        def remote(*args: Any, **kwargs: Any) -> Any:
            return peer.call(number, args, kwargs)

        remote.__name__ = remote.__qualname__ = name
        remote.__signature__ = _signature(said)  # type: ignore[attr-defined]
        remote.remote = peer, number  # type: ignore[attr-defined]
        remote.begin_probe = lambda: peer.forget(remote)  # type: ignore[attr-defined]
        return remote

    def _class(self, number: int, name: str, said: Any, module: Any, forward: Any) -> Any:
        inside: dict[str, Any] = {"_class": (self._peer, number), "__signature__": _signature(said)}
        if module:
            inside["forward"] = _forward(forward)
        inside["begin_probe"] = staticmethod(lambda: self._peer.forget(made))
        made = RemoteClass(name, (Mirror if module else object,), inside)
        return made

    def _module(self, number: int, name: str, forward: Any, cls: Any, said: Any) -> Any:
        known = self._theirs.get(cls) if type(cls) is int else None
        if known is None:
            known = type(name, (Mirror,), {"forward": _forward(forward)})
        found = mirrored(known, said, self._peer, number)
        self._peer.modules.add(number, found, theirs=True)
        return found

    def _object(self, number: int, name: str, special: Any) -> Any:
        inside = {one: _special(one) for one in special if one in SPECIAL}
        return type(name, (RemoteObject,), inside)(self._peer, number)


def signature(thing: Any) -> list[Any] | None:
    """The parameters of a callable: name, kind and what the default looks like."""
    try:
        found = inspect.signature(thing).parameters.values()
    except (TypeError, ValueError):
        return None
    return [
        [one.name, NAMES[one.kind], None if one.default is one.empty else repr(one.default)[:200]]
        for one in found
    ]


def _signature(said: Any) -> inspect.Signature | None:
    if not isinstance(said, list):
        return None
    try:
        return inspect.Signature(
            [
                inspect.Parameter(
                    name,
                    KINDS[kind],
                    default=inspect.Parameter.empty if text is None else Default(str(text)),
                )
                for name, kind, text in said
            ]
        )
    except (ValueError, TypeError, KeyError):
        raise Broken("a signature that is none") from None


def _forward(said: Any) -> Callable[..., Any]:
    def forward(self: Mirror, *args: Any, **kwargs: Any) -> Any:
        return self._forward(args, kwargs)

    if (found := _signature(said)) is not None:
        forward.__signature__ = found  # type: ignore[attr-defined]
    return forward


def _special(name: str) -> Callable[..., Any]:
    def special(self: RemoteObject, *args: Any, **kwargs: Any) -> Any:
        peer, number = object.__getattribute__(self, "_remote")
        if name == "__call__":
            return peer.call(number, args, kwargs)
        return peer.ask("special", value=list(args), on=number, name=name)

    return special


def _remote_of(thing: Any) -> Any:
    """(peer, number) of what stands for a thing of the other side's; None for all else."""
    if isinstance(thing, type):
        return vars(thing).get("_class")
    if isinstance(thing, RemoteObject):
        return object.__getattribute__(thing, "_remote")
    if isinstance(thing, RemoteIterator):
        return thing._remote
    if isinstance(thing, Mirror):
        return vars(thing).get("_remote")
    return getattr(thing, "remote", None) if isinstance(thing, types.FunctionType) else None
