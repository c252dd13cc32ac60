"""Values as JSON: what is plain by value, tensors by their numbers, all else as a handle."""

import collections
import dataclasses
import keyword
import pathlib
import sys
import types
from collections.abc import Callable
from typing import Any

import numpy
import torch
from torch import Tensor

from checks.engine.plain import plain
from checks.grade.wire import DEEPEST, Broken, TooLarge

EXACT = 2**53  # beyond it an int is written as text
LONGEST = 4_000_000  # characters of a text, entries of a list
LONGEST_PATH = 1_000
ARRAYS = ("float64", "float32", "float16", "int64", "int32", "int16", "int8", "uint8", "bool")


class Values:
    """Turns values into JSON and back. `peer` knows tensors, handles, errors and generators."""

    def __init__(self, peer: Any) -> None:
        self._peer = peer
        self.containers: list[Any] | None = None  # those of the value being turned, in order
        self.classes: dict[str, type] = {}  # dataclasses by their name
        self.records: dict[tuple, Any] = {}  # named tuples by their names
        self._tokenizers: list[Any] = []  # that both sides have, the grader's and what is like them

    def encode(self, value: Any, depth: int = 0) -> Any:
        """A value as JSON; new tensors and handles go with the message."""
        if depth > DEEPEST:
            raise TooLarge("a value that is nested too deep")
        kind = type(value)
        if value is None or kind is bool:
            return value
        if kind is int:
            return value if -EXACT < value < EXACT else {"i": str(value)}
        if kind is float:
            return value
        if kind is str:
            inside = self._peer.files.name(value)
            return _short(value) if inside is None else {"text of p": inside}
        for encoder in (self._collection, self._of_torch, self._other):
            if (found := encoder(value, kind, depth)) is not None:
                return found
        return self._peer.handles.encode(value)

    def decode(self, said: Any, depth: int = 0) -> Any:
        """A value from JSON; `Broken` for what no value is written like."""
        if depth > DEEPEST:
            raise Broken("a value that is nested too deep")
        if said is None or type(said) in (bool, int, float, str):
            return said
        if isinstance(said, list):
            return self._list(said, depth)
        if not isinstance(said, dict) or len(said) != 1:
            raise Broken("a value that is none")
        ((key, body),) = said.items()
        decoder: Callable[[Any, int], Any] | None = _DECODERS.get(key)
        if decoder is None:
            raise Broken("a value of an unknown kind")
        return decoder(self, body, depth)  # type: ignore[call-arg, arg-type]

    def changed(self, containers: list[Any], before: list[Any]) -> list[list[Any]]:
        """Which lists and dicts are not what they were: their places and what is in them now."""
        found = []
        for place, (container, was) in enumerate(zip(containers, before, strict=True)):
            if self._shallow(container) != was:
                found.append([place, self.encode(container)])
        return found

    def shallow(self, containers: list[Any]) -> list[Any]:
        """What is in these lists and dicts, to be compared later."""
        return [self._shallow(container) for container in containers]

    def _shallow(self, container: Any) -> list[Any]:
        items = container.items() if isinstance(container, dict) else container
        return [_mark(item) for item in items]

    def _collection(self, value: Any, kind: type, depth: int) -> Any:
        if issubclass(kind, list):
            items = list(list.__iter__(value))
            self._note(value)
            return [self.encode(item, depth + 1) for item in _counted(items)]
        if issubclass(kind, tuple):
            items = [self.encode(one, depth + 1) for one in _counted(tuple.__iter__(value))]
            names = getattr(kind, "_fields", None)
            if isinstance(names, tuple):
                return {"nt": [kind.__name__, list(names), items]}
            return {"t": items}
        if issubclass(kind, dict):
            self._note(value)
            pairs = _counted(dict.items(value))
            both = [[self.encode(k, depth + 1), self.encode(v, depth + 1)] for k, v in pairs]
            return {"d": both}
        if issubclass(kind, set | frozenset):
            return {"s": [self.encode(item, depth + 1) for item in _counted(value)]}
        return None

    def _of_torch(self, value: Any, kind: type, depth: int) -> Any:
        if isinstance(value, Tensor):
            return {"T": self._peer.tensors.number_of(plain(value))}
        if kind is torch.dtype:
            return {"dtype": str(value)}
        if kind is torch.device:
            return {"device": str(value)}
        if isinstance(value, torch.Generator):
            return {"G": self._peer.luck.number_of(value)}
        return None

    def _other(self, value: Any, kind: type, depth: int) -> Any:
        if isinstance(value, bool | int | float | str):
            return self.encode(plain(value), depth + 1)
        if isinstance(value, complex):
            return {"c": [value.real, value.imag]}
        if isinstance(value, bytes | bytearray):
            return {"b": _short(value.decode("latin1"))}
        if isinstance(value, numpy.ndarray) and value.dtype.name in ARRAYS:
            return {"n": self.encode(torch.from_numpy(numpy.ascontiguousarray(value)), depth + 1)}
        if isinstance(value, numpy.generic) and value.dtype.name in ARRAYS:
            return {"ns": [value.dtype.name, value.item()]}
        if isinstance(value, pathlib.PurePath):
            inside = self._peer.files.name(value)
            return {"p": str(value)[:LONGEST_PATH]} if inside is None else {"own p": inside}
        if isinstance(value, BaseException):
            return {"e": self._peer.errors.encode(value)}
        if dataclasses.is_dataclass(value) and not isinstance(value, type) and _is_plain(value):
            pairs = [(one.name, getattr(value, one.name)) for one in dataclasses.fields(value)]
            return {"D": [kind.__name__, [[k, self.encode(v, depth + 1)] for k, v in pairs]]}
        if kind is types.SimpleNamespace:
            return {"N": [[k, self.encode(v, depth + 1)] for k, v in vars(value).items()]}
        if kind is range:
            return {"range": [value.start, value.stop, value.step]}
        if kind is slice:
            return {"slice": [value.start, value.stop, value.step]}
        if kind.__name__ == "Tokenizer" and kind is getattr(
            sys.modules.get("tokenizers"), "Tokenizer", None
        ):
            return self._tokenizer(value)
        return {"...": 0} if value is Ellipsis else None

    def _tokenizer(self, value: Any) -> Any:
        """One of the tokenizers library's, which understands nothing that only stands for one."""
        for place, known in enumerate(self._tokenizers):
            if known is value:
                return {"tokenizer": [place, ""]}
        if self._peer.believes:
            return None
        self._tokenizers.append(value)
        return {"tokenizer": [len(self._tokenizers) - 1, _short(value.to_str())]}

    def _note(self, container: Any) -> None:
        if self.containers is not None:
            self.containers.append(container)

    # The other way

    def _list(self, said: list, depth: int) -> list:
        found: list = []
        self._note(found)
        found += [self.decode(item, depth + 1) for item in said]
        return found

    def _tuple(self, said: Any, depth: int) -> tuple:
        return tuple(self.decode(item, depth + 1) for item in _listed(said))

    def _named_tuple(self, said: Any, depth: int) -> tuple:
        name, fields, items = _listed(said, 3)
        names = (_name(name), *map(_name, _listed(fields)))
        if names not in self.records:
            self.records[names] = collections.namedtuple(names[0], names[1:])  # type: ignore[misc]
        return self.records[names](*self._tuple(items, depth))

    def _dict(self, said: Any, depth: int) -> dict:
        found: dict = {}
        self._note(found)
        for pair in _listed(said):
            key, value = _listed(pair, 2)
            found[_hashable(self.decode(key, depth + 1))] = self.decode(value, depth + 1)
        return found

    def _set(self, said: Any, depth: int) -> set:
        return {_hashable(self.decode(item, depth + 1)) for item in _listed(said)}

    def _array(self, said: Any, depth: int) -> Any:
        found = self.decode(said, depth + 1)
        if not isinstance(found, Tensor) or found.is_meta:
            raise Broken("an array that is none")
        return found.detach().numpy().copy()

    def _scalar(self, said: Any, depth: int) -> Any:
        name, value = _listed(said, 2)
        if name not in ARRAYS or type(value) not in (bool, int, float):
            raise Broken("a number that is none")
        return numpy.dtype(name).type(value)

    def _dataclass(self, said: Any, depth: int) -> Any:
        name, pairs = _listed(said, 2)
        fields = {_name(key): self.decode(value, depth + 1) for key, value in map(_pair, pairs)}
        known = self.classes.get(name) if isinstance(name, str) else None
        if known is None or {one.name for one in dataclasses.fields(known)} != fields.keys():
            known = dataclasses.make_dataclass(_name(name), list(fields))
            self.classes[name] = known
        return known(**fields)

    def _tokenizer_of(self, said: Any, depth: int) -> Any:
        place, text = _listed(said, 2)
        if type(place) is int and 0 <= place < len(self._tokenizers):
            return self._tokenizers[place]
        if not self._peer.believes or place != len(self._tokenizers):
            raise Broken("a tokenizer that nobody knows")
        import tokenizers

        self._tokenizers.append(tokenizers.Tokenizer.from_str(text))
        return self._tokenizers[place]

    def _namespace(self, said: Any, depth: int) -> Any:
        pairs = map(_pair, _listed(said))
        return types.SimpleNamespace(
            **{_name(key): self.decode(value, depth + 1) for key, value in pairs}
        )


def _mark(value: Any) -> Any:
    """What tells whether an entry is still the same: its value if it is plain, else which it is."""
    if isinstance(value, tuple):
        return tuple(map(_mark, value))
    return (type(value), value) if type(value) in (int, float, str, bool) else id(value)


def _is_plain(value: Any) -> bool:
    """Tell whether a dataclass holds nothing but numbers and texts, as a config does."""
    kinds = (bool, int, float, str, type(None))
    return all(type(getattr(value, one.name)) in kinds for one in dataclasses.fields(value))


def _short(value: Any) -> Any:
    if isinstance(value, str) and len(value) > LONGEST:
        raise TooLarge(f"a text of more than {LONGEST:,} characters")
    return value


def _counted(items: Any) -> Any:
    found = list(items)
    if len(found) > LONGEST:
        raise TooLarge(f"a collection of more than {LONGEST:,} entries")
    return found


def _listed(said: Any, count: int | None = None) -> list:
    if not isinstance(said, list) or (count is not None and len(said) != count):
        raise Broken("a value that is none")
    return said


def _pair(said: Any) -> list:
    return _listed(said, 2)


def _name(said: Any) -> str:
    if not isinstance(said, str) or not said.isidentifier() or keyword.iskeyword(said):
        raise Broken("a name that is none")
    if said.startswith("__"):
        raise Broken("a name that is none")
    return said


def _hashable(value: Any) -> Any:
    try:
        hash(value)
    except TypeError:
        raise Broken("a key that is none") from None
    return value


def _dtype(values: Values, said: Any, depth: int) -> torch.dtype:
    found = getattr(torch, str(said).removeprefix("torch."), None)
    if not isinstance(found, torch.dtype):
        raise Broken("a dtype that is none")
    return found


def _device(values: Values, said: Any, depth: int) -> torch.device:
    try:
        return torch.device(str(said))
    except RuntimeError:
        raise Broken("a device that is none") from None


def _whole(values: Values, said: Any, depth: int) -> int:
    text = str(said)
    if len(text) > 4000 or not text.lstrip("-").isdecimal():
        raise Broken("a number that is none")
    return int(text)


def _numbers(said: Any, kinds: tuple) -> list:
    found = _listed(said)
    if not all(type(one) in kinds for one in found):
        raise Broken("a number that is none")
    return found


_DECODERS: dict[str, Any] = {
    "i": _whole,
    "t": Values._tuple,
    "nt": Values._named_tuple,
    "d": Values._dict,
    "s": Values._set,
    "n": Values._array,
    "ns": Values._scalar,
    "D": Values._dataclass,
    "N": Values._namespace,
    "tokenizer": Values._tokenizer_of,
    "c": lambda values, said, depth: complex(*_numbers(said, (int, float))),
    "b": lambda values, said, depth: str(said).encode("latin1", "replace"),
    "range": lambda values, said, depth: range(*_numbers(said, (int,))),
    "slice": lambda values, said, depth: slice(*_numbers(said, (int, type(None)))),
    "...": lambda values, said, depth: ...,
    "dtype": _dtype,
    "device": _device,
    "T": lambda values, said, depth: values._peer.tensors.find(said),
    "G": lambda values, said, depth: values._peer.luck.find(said),
    "p": lambda values, said, depth: pathlib.Path(str(said)[:LONGEST_PATH]),
    "own p": lambda values, said, depth: values._peer.files.path(said),
    "text of p": lambda values, said, depth: str(values._peer.files.path(said)),
    "e": lambda values, said, depth: values._peer.errors.decode(said),
    "h": lambda values, said, depth: values._peer.handles.decode(said),
    "r": lambda values, said, depth: values._peer.handles.own(said),
}
