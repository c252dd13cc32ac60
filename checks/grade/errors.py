"""Exceptions as plain values: their class by its name, their text, and the line they came from."""

import builtins
import sys
from typing import Any

from checks.engine.own_line import own_line
from checks.grade.wire import Broken

LONGEST = 20_000  # characters of a text: load_state_dict names each weight that is missing
FOUND_IN = ("torch", "numpy", "json", "re")  # libraries whose exceptions are known on both sides


class Interrupted(KeyboardInterrupt):
    """A KeyboardInterrupt that an answer raised: nobody pressed a key here."""


class Errors:
    """Exceptions of one connection; one that comes back is the very one that was sent."""

    def __init__(self) -> None:
        self._sent: list[BaseException] = []

    def forget(self) -> None:
        """Forget all: what comes is another exercise's."""
        self._sent.clear()

    def encode(self, error: BaseException, home: str = "") -> dict[str, Any]:
        """Describe an exception."""
        line, number, shapes, owner, raised = own_line(error, home)
        found = [line[:LONGEST], number, shapes[:LONGEST], owner[:100], raised]
        if (origin := getattr(error, "origin", None)) is not None:
            return {"origin": origin, "found": found}
        self._sent.append(error)
        kinds = [kind for kind in type(error).__mro__ if issubclass(kind, BaseException)]
        return {
            "kinds": [[kind.__module__, kind.__name__] for kind in kinds],
            "args": [_written(one) if _is_simple(one) else None for one in error.args][:8],
            "simple": len(error.args) <= 8 and all(map(_is_simple, error.args)),
            "text": _text(error)[:LONGEST],
            "found": found,
            "sent": len(self._sent) - 1,
        }

    def decode(self, said: Any) -> BaseException:
        """The exception that was described, or the one of ours that came back."""
        if not isinstance(said, dict):
            raise Broken("an exception that is none")
        origin = said.get("origin")
        if origin is None:
            error = _made(said)
            error.origin = int(said["sent"])  # type: ignore[attr-defined]
        elif type(origin) is int and 0 <= origin < len(self._sent):
            error = self._sent[origin]
        else:
            raise Broken("an exception that nobody sent")
        line, number, shapes, owner, raised = said["found"]
        found = str(line), int(number), str(shapes), str(owner), bool(raised)
        error.found = found  # type: ignore[attr-defined]
        return error


def _made(said: dict[str, Any]) -> BaseException:
    kinds, text = said["kinds"], str(said["text"])
    base, exact = _class_of(kinds)
    if exact and said.get("simple"):
        try:
            return base(*map(_read, said["args"]))
        except Exception:  # it wants other arguments than it keeps
            exact = False
    if exact and base.__str__ in (BaseException.__str__, Exception.__str__):
        return base(text)
    kind = type(str(kinds[0][1]), (base,), {"__str__": lambda self: text, "__init__": _take_none})
    return kind()


def _take_none(self: BaseException) -> None:
    """Stand in for an `__init__` that wants what we do not have."""


def _class_of(kinds: Any) -> tuple[type[BaseException], bool]:
    """The first of these classes that we have, and whether it is the very first."""
    for place, (module, name) in enumerate(kinds):
        top = str(module).split(".")[0]
        home = builtins if module == "builtins" else sys.modules.get(str(module))
        if home is builtins or top in FOUND_IN:
            found = getattr(home, str(name), None)
            if isinstance(found, type) and issubclass(found, BaseException):
                if issubclass(found, KeyboardInterrupt):
                    return Interrupted, False
                return found, place == 0
    return Exception, False


def _is_simple(value: Any, depth: int = 0) -> bool:
    """Tell whether an argument of an exception can be sent: a number, a text, a pair of them."""
    if type(value) is tuple:
        return depth < 3 and len(value) <= 8 and all(_is_simple(one, depth + 1) for one in value)
    return (
        value is None
        or type(value) in (bool, int, float)
        or (type(value) in (str, bytes) and len(value) <= LONGEST)
    )


def _written(value: Any) -> Any:
    if type(value) is bytes:
        return {"b": value.decode("latin1")}
    return {"t": [_written(one) for one in value]} if type(value) is tuple else value


def _read(said: Any) -> Any:
    if isinstance(said, dict) and "b" in said:
        return said["b"].encode("latin1")
    return tuple(map(_read, said["t"])) if isinstance(said, dict) else said


def _text(error: BaseException) -> str:
    try:
        return str(error)
    except Exception:
        return ""
