"""Lab 11, 11.5: a model that has learned its answers by heart, and a small tokenizer.

The model answers a prompt only if it is given that very prompt, and goes on only if it is given its
own answer, one token after the other. To anything else it says "?".
"""

import functools
from types import SimpleNamespace
from typing import Any

import torch
from torch import Tensor, nn

from checks.engine import Inputs, Wrong
from checks.reference.real_weights import chat_prompt

END = "<|im_end|>"
SPECIAL = ("<|endoftext|>", "<repo_name>", "<|other|>", "<|im_start|>", "<file_sep>", END)
WORDS = ("the", "Ġthe", "ing", "Ġdra", "gon", "Ġand", "Ġis", "ass", "istant", "user", "system")
MOST = 60  # pieces after which an answer is taken for endless
USER = [{"role": "user", "content": "Say it."}]

Messages = list[dict[str, str]]


@functools.cache
def tokenizer() -> Any:
    """Byte-pair encoding with a small vocabulary, read from metadata as from a file."""
    from tokenizers.pre_tokenizers import ByteLevel

    from assets import smollm2
    from assets.gguf import File

    tokens, merges = [*SPECIAL, *sorted(ByteLevel.alphabet())], []
    for word in WORDS:
        for end in range(2, len(word) + 1):
            if word[:end] not in tokens:
                tokens.append(word[:end])
                merges.append(f"{word[: end - 1]} {word[end - 1]}")
    metadata = {
        "tokenizer.ggml.tokens": tokens,
        "tokenizer.ggml.token_type": [3] * len(SPECIAL) + [1] * (len(tokens) - len(SPECIAL)),
        "tokenizer.ggml.merges": merges,
    }
    return smollm2.tokenizer(File(None, metadata, {}))


class Memory:
    """One layer's cache of the model below: the tokens themselves, and how many there are."""

    def __init__(self, room: int) -> None:
        self.room, self.ids, self.length = room, [], 0
        self.keys = self.values = torch.zeros(1, 1, room, 2)

    def update(self, new: list[int]) -> list[int]:
        """Store new tokens, return all."""
        if len(self.ids) + len(new) > self.room:
            raise ValueError(
                f"{len(self.ids) + len(new)} positions do not fit into a cache of {self.room}"
            )
        self.ids = [*self.ids, *new]
        self.length = len(self.ids)
        return self.ids


class Parrot(nn.Module):
    """What a Llama looks like from outside: `model(ids, caches)` and `model.new_caches`."""

    def __init__(self, *answers: tuple[str, list[int]]) -> None:
        super().__init__()
        known = tokenizer()
        self.vocab = known.get_vocab_size()
        self.config = SimpleNamespace(vocab_size=self.vocab, max_seq_len=4096, n_layers=2)
        self.tok_embeddings = nn.Embedding(self.vocab, 2)
        self.texts = [(ids_of(prompt), answer) for prompt, answer in answers]
        self.lost = known.token_to_id("?")
        self.blank = torch.zeros(1, self.vocab)  # the logits of a model that is lost
        self.blank[0, self.lost], self.blank[0, self.lost + 1] = 5.0, -5.0
        self.calls: list[int] = []  # how many tokens it was given
        self.read: list[int] = []  # all that it had before it in the last call
        self.with_gradients = False

    def new_caches(self, batch: int, max_len: int) -> list[Memory]:
        """Make an empty cache for each of two layers."""
        return [Memory(max_len) for _ in range(2 * batch)]

    def forward(self, ids: Tensor, caches: list[Memory] | None = None) -> Tensor:
        """ids: (1, T) → logits (1, T, V)."""
        if not isinstance(ids, Tensor) or ids.dim() != 2 or ids.is_floating_point():
            got = f"shape {tuple(ids.shape)}" if isinstance(ids, Tensor) else type(ids).__name__
            raise TypeError(f"the model takes token ids (B, T); it was given {got}")
        self.calls.append(ids.shape[1])
        self.with_gradients |= torch.is_grad_enabled()
        seen = new = ids[0].tolist()
        for cache in caches or []:
            seen = cache.update(new)
        self.read = list(seen)
        start = len(seen) - len(new)
        likeliest = [self._next(seen, end) for end in range(start + 1, len(seen) + 1)]
        logits = self.blank.repeat(len(new), 1) if len(new) > 1 else self.blank.clone()
        for row, token in enumerate(likeliest):
            if token != self.lost:
                logits[row, token] = 9.0
        return logits[None]

    def _next(self, seen: list[int], end: int) -> int:
        """The likeliest token after the first `end` of those seen."""
        for prompt, answer in self.texts:
            place = end - len(prompt)
            if 0 <= place < len(answer) and seen[:end] == [*prompt, *answer[:place]]:
                return answer[place]
        return self.lost


class Untouched(list):
    """A list that is handed over as it is, so that a change of it is seen."""


def ids_of(text: str) -> list[int]:
    """Token ids of a text of the small vocabulary."""
    return list(_ids_of(text))


@functools.lru_cache(maxsize=256)
def _ids_of(text: str) -> tuple[int, ...]:
    return tuple(tokenizer().encode(text).ids)


def pieces_of(answer: Any, *args: Any, **kwargs: Any) -> list[str]:
    """Everything that a chat gives, piece by piece; a sentence when that is not text."""
    pieces: list[str] = []
    for piece in answer(*args, **kwargs):
        if not isinstance(piece, str):
            raise Wrong(f"it gives a piece of the type {type(piece).__name__}; text is expected.")
        pieces.append(piece)
        if len(pieces) > MOST:
            raise Wrong(
                f"it had not stopped after {MOST} pieces, the first of them "
                f"{''.join(pieces[:6])!r}. Does it know the token {END} when it sees it?"
            )
    return pieces


def said(answer: Any, text: str, messages: Messages, n_new: int | None = 20) -> list[str]:
    """What is answered to `messages`, where `text` has been learned, and the prompt as read."""
    prompt = chat_prompt(messages)
    model = Parrot((prompt, ids_of(text + END) + ids_of(" and more" + END)))
    room = {} if n_new is None else {"n_new": n_new}
    pieces = pieces_of(answer, model, tokenizer(), messages, **room)
    ids, rest = ids_of(prompt), model.read[len(ids_of(prompt)) :]
    asked = model.read[: len(ids)] if rest == ids_of(text + END)[: len(rest)] else model.read
    return ["".join(pieces), tokenizer().decode(asked, skip_special_tokens=False)]


def worked(answer: Any, inputs: Inputs) -> list[str]:
    """One question, one answer."""
    return said(answer, "The dragon is here.", USER)


def conversations(answer: Any, inputs: Inputs) -> list[list[str]]:
    """A system prompt; nine messages; spaces and empty lines at the edges of an answer."""
    system = {"role": "system", "content": "Be short."}
    turns = [{"role": ("user", "assistant")[i % 2], "content": f"{i}!"} for i in range(9)]
    return [
        said(answer, "Yes.", [system, *USER]),
        said(answer, "Now the thing.", turns),
        said(answer, "  two\n\n  lines,\n", USER, None),
        said(answer, "", USER),
    ]


def many_bytes(answer: Any, inputs: Inputs) -> list:
    """Characters of two, three and four bytes, each byte a token of its own."""
    text = "né 東京 🐉🔥 ½."
    model = Parrot((chat_prompt(USER), ids_of(text + END)))
    pieces = pieces_of(answer, model, tokenizer(), USER, 40)
    broken = [piece for piece in pieces if "\N{REPLACEMENT CHARACTER}" in piece]
    return ["".join(pieces), f"{len(broken)} pieces with broken characters"]


def cut_off(answer: Any, inputs: Inputs) -> list[str]:
    """Answers that n_new ends: after a word, after one token, within a character."""
    prompt, seen = chat_prompt(USER), []
    for text, n_new in (("the dragon and the", 3), ("gone", 1), ("né", 2), ("a🐉", 4)):
        model = Parrot((prompt, ids_of(text + END)))
        seen.append("".join(pieces_of(answer, model, tokenizer(), USER, n_new)))
    return seen


def other_tokens(answer: Any, inputs: Inputs) -> list[str]:
    """Special tokens within an answer, which does not end there."""
    return [
        said(answer, "One<|endoftext|> two<|other|> three", USER)[0],
        said(answer, "One.<|im_start|> user? assistant\n\nNo.", USER)[0],
    ]


def streamed(answer: Any, inputs: Inputs) -> str:
    """Look at how many tokens the model has been asked for when the first piece comes."""
    text = "the dragon is here and the dragon is gone and the dragon sings."
    model = Parrot((chat_prompt(USER), ids_of(text + END)))
    pieces, asked = [], 0
    for piece in answer(model, tokenizer(), USER, 40):
        asked = asked or (len(model.calls) if piece else 0)
        pieces += [piece] if piece else []
        if len(pieces) > MOST:
            break
    if asked > len(model.calls) // 2:
        raise Wrong(
            f"the first piece came after {asked} of {len(model.calls)} tokens. `yield` each one as "
            "soon as it is there."
        )
    return "streamed" if len(pieces) > 4 else f"in {len(pieces)} pieces"


def cached(answer: Any, inputs: Inputs) -> list:
    """How many tokens the model was given, call by call, and whether it computed gradients."""
    model = Parrot((chat_prompt(USER), ids_of("the dragon and the dragon" + END)))
    pieces_of(answer, model, tokenizer(), USER, 20)
    later, n_prompt = model.calls[1:], len(ids_of(chat_prompt(USER)))
    if any(count > n_prompt // 2 for count in later):
        raise Wrong(
            f"after the prompt it gave the model {max(later)} tokens at once, where one was new. "
            "What has been read is in the caches: `model(new, caches)`."
        )
    return [max(later, default=0), "with gradients" if model.with_gradients else "without"]


def used_up(answer: Any, inputs: Inputs) -> bool:
    """Whether the model is asked no more often than there are tokens wanted."""
    model = Parrot((chat_prompt(USER), ids_of("the dragon and the dragon is gone" + END)))
    pieces_of(answer, model, tokenizer(), USER, 5)
    return len(model.calls) <= 6  # one more, to fill the cache, does no harm


def one_after_the_other(answer: Any, inputs: Inputs) -> list[str]:
    """Two conversations with one model, and the first one again."""
    other = [{"role": "user", "content": "And you?"}]
    model = Parrot(
        (chat_prompt(USER), ids_of("The first" + END)), (chat_prompt(other), ids_of("I am" + END))
    )
    return ["".join(pieces_of(answer, model, tokenizer(), m, 9)) for m in (USER, other, USER)]


def surroundings_kept(answer: Any, inputs: Inputs) -> list:
    """Whether gradients are on between two pieces, and the messages left as they are."""
    model = Parrot((chat_prompt(USER), ids_of("the dragon" + END)))
    messages = Untouched({**message} for message in USER)
    enabled = [torch.is_grad_enabled() for _ in answer(model, tokenizer(), messages, 20)]
    torch.set_grad_enabled(True)
    return [all(enabled), [sorted(message.items()) for message in messages]]
