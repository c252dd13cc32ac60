"""Models that speak, token by token: what each says of its tokens, and what it might have said."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, Protocol

import torch
from torch import Tensor

from plots.measure import one_thread

Message = dict[str, str]  # "role": "user" or "assistant", "content": the text
Generate = Callable[..., Iterator[int]]

RUNNERS_UP = 3  # tokens that are named beside the one that was drawn
N_NEW = 256  # tokens of an answer
N_LETTERS = 240  # of a text that goes on
BROKEN = "\N{REPLACEMENT CHARACTER}"  # what a part of a character is shown as


class CannotSpeak(Exception):
    """A model cannot be used now; the text says why, and what to do."""


@dataclass(frozen=True)
class Piece:
    """Some whole characters of an answer: one token, or several that make them together.

    share: the model's own probability of it, at temperature 1 and before any filter; others: the
    likeliest tokens beside it, with theirs.
    """

    text: str
    share: float
    others: list[tuple[str, float]] = field(default_factory=list)
    tokens: int = 1


class Voice(Protocol):
    """What can be talked to."""

    def answer(self, messages: list[Message], setting: Setting) -> Iterator[Piece]:
        """What it says after a conversation that ends with the user's turn."""


@dataclass(frozen=True)
class Setting:
    """How a token is chosen; temperature 0 takes the likeliest, p = 1 cuts nothing off.

    It begins as in the example on SmolLM2's model card: 0.2 and 0.9.
    """

    temperature: float = 0.2
    p: float = 0.9
    seed: int | None = None


class Overheard:
    """A model as `generate` sees it, which keeps the logits it gave last."""

    def __init__(self, model: Any) -> None:
        self._model = model
        self.logits: Tensor = torch.zeros(1)  # (V,) of the last position

    def __call__(self, *args: Any, **kwargs: Any) -> Tensor:
        """What the model answers."""
        logits = self._model(*args, **kwargs)
        self.logits = logits[0, -1].detach().float()
        return logits

    def __getattr__(self, name: str) -> Any:
        return getattr(self._model, name)


def pieces(
    generate: Generate,
    model: Any,
    ids: list[int],
    n_new: int,
    decode: Callable[[list[int]], str],
    setting: Setting,
    stop: set[int] | None = None,
) -> Iterator[Piece]:
    """What `generate` writes after ids, in whole characters, each as soon as it is there."""
    heard, generator = Overheard(model), torch.Generator()
    generator.manual_seed(setting.seed) if setting.seed is not None else generator.seed()
    p = None if setting.p >= 1 else setting.p
    written: list[int] = []
    shown, share, first = 0, 1.0, 0
    stream = generate(
        heard,
        torch.tensor([ids]),
        n_new,
        temperature=setting.temperature,
        p=p,
        stop=stop,
        generator=generator,
    )
    for token in stream:
        told = heard.logits.softmax(-1)
        share *= float(told[token])
        written.append(int(token))
        text = decode(written)
        if text.endswith(BROKEN):
            continue
        best = told.topk(min(RUNNERS_UP + 1, len(told)))
        likely = zip(best.indices.tolist(), best.values.tolist(), strict=True)
        others = [(decode([i]), float(x)) for i, x in likely if i != token]
        yield Piece(text[shown:], share, others[:RUNNERS_UP], len(written) - first)
        shown, share, first = len(text), 1.0, len(written)


@dataclass(frozen=True)
class Chatting:
    """A model that has learned to answer: it reads the conversation in its form."""

    generate: Generate
    model: Any
    tokenizer: Any
    chat_prompt: Callable[[list[Message]], str]
    end: int  # the token that ends an answer

    def answer(self, messages: list[Message], setting: Setting) -> Iterator[Piece]:
        """The next turn of a conversation."""
        ids = self.tokenizer.encode(self.chat_prompt(messages)).ids
        yield from pieces(
            self.generate, self.model, ids, N_NEW, self.tokenizer.decode, setting, {self.end}
        )


@dataclass(frozen=True)
class GoingOn:
    """A model that has only learned to go on with a text, character by character.

    context: how many characters it saw at once in its training. A longer text is written in
    stretches, each after the last half of that.
    """

    generate: Generate
    model: Any
    vocab: list[str]
    context: int

    def answer(self, messages: list[Message], setting: Setting) -> Iterator[Piece]:
        """How the text goes on; what is read of it is its end."""
        parts = [("\n" * (m["role"] == "user")) + m["content"] for m in messages]
        text = "".join(parts).removeprefix("\n")
        strange = sorted({letter for letter in text if letter not in self.vocab})
        if strange:
            known = "".join(self.vocab).strip()
            raise CannotSpeak(f"It does not know {' '.join(strange)}. It reads: {known}")
        left, half = N_LETTERS, self.context // 2
        with one_thread():
            while left > 0:
                ids = [self.vocab.index(letter) for letter in text[-half:]]
                room = min(left, self.context - len(ids))
                for piece in pieces(self.generate, self.model, ids, room, self.text_of, setting):
                    text += piece.text
                    yield piece
                left -= room

    def text_of(self, ids: list[int]) -> str:
        """Ids as text."""
        return "".join(self.vocab[i] for i in ids)
