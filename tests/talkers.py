"""Models that talk without a model: quick, endless, broken."""

import itertools
import time
from collections.abc import Iterator
from typing import Any

from plots.real_weights_voices import Piece, Setting


class Echo:
    """Says what it was told, in three pieces, and how it was to be said."""

    def answer(self, messages: list[dict[str, str]], setting: Setting) -> Iterator[Piece]:
        yield Piece("You said ", 0.9)
        yield Piece(messages[-1]["content"], 0.25, [("<i>", 0.2), (" no", 0.1)])
        yield Piece(f", message {len(messages)}, at {setting.temperature:g}.", 1.0, tokens=3)


class Endless:
    """Counts without end, a piece every few milliseconds."""

    def __init__(self, pause: float = 0.005) -> None:
        self.pause = pause

    def answer(self, messages: list[dict[str, str]], setting: Setting) -> Iterator[Piece]:
        for n in itertools.count():
            time.sleep(self.pause)
            yield Piece(f"{messages[-1]['content']}-{n} ", 0.5)


class Failing:
    """Gives up after some pieces."""

    def __init__(self, error: Exception, said: tuple[str, ...] = ()) -> None:
        self.error, self.said = error, said

    def answer(self, messages: list[dict[str, str]], setting: Any) -> Iterator[Piece]:
        yield from (Piece(text, 0.5) for text in self.said)
        raise self.error
