"""What the answers that yield tokens share: how their stream is read."""

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from checks.engine.answer import Wrong
from checks.engine.compare import a_kind_of

MORE = 20  # tokens that are waited for beyond n_new


def number(token: Any) -> int:
    """A token's number, whatever it is wrapped in: of what type it is is another row's question."""
    inner = token
    while isinstance(inner, list | tuple) and len(inner) == 1:
        (inner,) = inner
    if isinstance(inner, Tensor) and inner.numel() == 1:
        inner = inner.item()
    if isinstance(inner, int | float) and inner == int(inner):
        return int(inner)
    raise Wrong(f"it handed out {a_kind_of(token)} where a token is expected, an int.")


@dataclass(frozen=True)
class Stream:
    """Reads the tokens of an answer that is called with n_new as its argument number `at`.

    says: completes "Tokens are handed out one by one", for an answer that hands out all at once.
    """

    at: int
    says: str

    def each(self, answer: Any, *args: Any, **settings: Any) -> Iterator[Any]:
        """Call it and go through what it hands out; a sentence when it is no iterator."""
        transcript = vars(answer)["_transcript"]
        result = answer(*args, **settings)
        if isinstance(result, Tensor | list | tuple | str | int | float | dict | set | None):
            kind = "nothing" if result is None else a_kind_of(result)
            raise Wrong(f"it returned {kind}. Tokens are handed out one by one{self.says}")
        try:
            yield from itertools.islice(result, args[self.at] + MORE)
        except NotImplementedError as error:
            if str(error).startswith("Exercise"):
                transcript.unwritten = str(error)
            raise

    def drawn(self, answer: Any, *args: Any, **settings: Any) -> list[int]:
        """The tokens of a text in which luck has a part."""
        return [number(token) for token in self.each(answer, *args, **settings)]

    def written(self, answer: Any, *args: Any, **settings: Any) -> list[int]:
        """The tokens of a text that has to be this one: they can be shown, and compared."""
        calls = vars(answer)["_transcript"].calls
        tokens: list[int] = []
        for token in self.each(answer, *args, **settings):
            tokens.append(number(token))
            calls[-1].result = tokens
        calls[-1].result = tokens
        return tokens
