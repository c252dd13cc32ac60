"""The state of the random generators: the same on both sides whenever one of them goes on."""

import base64
import random
from typing import Any

import numpy
import torch

from checks.grade.wire import Broken

MOST = 1_000  # generators of a probe's own


class Luck:
    """torch's, Python's and numpy's own generators, and those that are handed over."""

    def __init__(self) -> None:
        self._known: list[torch.Generator] = []
        self._states: dict[int, bytes] = {}
        self._all: dict[str, Any] = {"python": None, "numpy": None}

    def forget(self) -> None:
        """Forget the generators that were handed over."""
        self._known.clear()
        self._states = {key: state for key, state in self._states.items() if key < 0}

    def number_of(self, generator: torch.Generator) -> int:
        """The number of a generator that was handed over; they have the same ones on both sides."""
        for number, known in enumerate(self._known):
            if known is generator:
                return number
        if len(self._known) >= MOST:
            raise Broken("too many generators")
        self._known.append(generator)
        return len(self._known) - 1

    def find(self, number: Any) -> torch.Generator:
        """The generator of this number."""
        if type(number) is not int or not 0 <= number < len(self._known):
            raise Broken("a generator that nobody knows")
        return self._known[number]

    def changes(self) -> dict[str, Any]:
        """The states that are others than the other side knows."""
        found: dict[str, Any] = {}
        for number, generator in enumerate([torch.default_generator, *self._known], start=-1):
            state = bytes(generator.get_state().numpy())
            if self._states.get(number) != state:
                self._states[number] = state
                found.setdefault("torch", []).append([number, base64.b64encode(state).decode()])
        if self._all["python"] != (now := random.getstate()):
            self._all["python"] = found["python"] = now
        if self._all["numpy"] != (numpy_s := _numpy_s()):
            self._all["numpy"] = numpy_s
            name, keys, *rest = numpy.random.get_state(legacy=True)
            found["numpy"] = [name, numpy.asarray(keys).tolist(), *rest]
        return found

    def take(self, said: dict[str, Any]) -> None:
        """Set the states to those of the other side."""
        for number, text in said.get("torch", []):
            if number == len(self._known) and number < MOST:
                self._known.append(torch.Generator())
            generator = torch.default_generator if number == -1 else self.find(number)
            state = base64.b64decode(text)
            generator.set_state(torch.frombuffer(bytearray(state), dtype=torch.uint8))
            self._states[number] = state
        if "python" in said:
            version, numbers, gauss = said["python"]
            random.setstate((version, tuple(numbers), gauss))
            self._all["python"] = random.getstate()
        if "numpy" in said:
            name, keys, *rest = said["numpy"]
            numpy.random.set_state((name, numpy.array(keys, dtype=numpy.uint32), *rest))
            self._all["numpy"] = _numpy_s()


def _numpy_s() -> tuple:
    _, keys, *rest = numpy.random.get_state(legacy=True)
    return (numpy.asarray(keys).tobytes(), *rest)
