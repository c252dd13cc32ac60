"""Lab 11, 11.5: a model that has learned its answers by heart, and a small tokenizer.

The model answers a prompt only if it is given that very prompt, and goes on only if it is given its
own answer, one token after the other. To anything else it says "?".
"""

import functools
from types import SimpleNamespace
from typing import Any

import torch
from torch import Tensor, nn

from checks.real_weights.chat_prompt_wrong import END

SPECIAL = ("<|endoftext|>", "<repo_name>", "<|other|>", "<|im_start|>", "<file_sep>", END)
WORDS = ("the", "Ġthe", "ing", "Ġdra", "gon", "Ġand", "Ġis", "ass", "istant", "user", "system")
# The logits of the likeliest token, of the second, of the least likely one; all others are 0.
SURE = (100.0, 50.0, -100.0)  # drawing gives the likeliest as well
UNSURE = (1.0, 0.98, -5.0)  # drawing gives something else


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
    """What a Llama looks like from outside: `model(ids, caches)` and `model.new_caches`.

    unsure: other tokens are nearly as likely as the likeliest.
    """

    def __init__(self, *answers: tuple[str, list[int]], unsure: bool = False) -> None:
        super().__init__()
        known = tokenizer()
        self.vocab = known.get_vocab_size()
        self.config = SimpleNamespace(vocab_size=self.vocab, max_seq_len=4096, n_layers=2)
        self.tok_embeddings = nn.Embedding(self.vocab, 2)
        self.texts = [(ids_of(prompt), answer) for prompt, answer in answers]
        self.lost = known.token_to_id("?")
        self.heights = UNSURE if unsure else SURE
        self.calls: list[int] = []  # how many tokens it was given
        self.read: list[int] = []  # all that it had before it in the last call
        self.ranks: list[int] = []  # of each token that was chosen: 0 is the likeliest
        self.with_gradients = False
        self._last = torch.zeros(0)  # the logits of the token that is to be chosen next

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
        answering = len(self.read) >= min(len(prompt) for prompt, _ in self.texts)
        if answering and seen[: len(self.read)] == self.read and len(seen) > len(self.read):
            chosen = self._last[seen[len(self.read)]]
            self.ranks.append(int((self._last > chosen).sum()))
        self.read = list(seen)
        start = len(seen) - len(new)
        likeliest = torch.tensor([self._next(seen, end + 1) for end in range(start, len(seen))])
        logits = torch.zeros(len(new), self.vocab)
        for i, height in enumerate(self.heights):
            logits[torch.arange(len(new)), (likeliest + i) % self.vocab] = height
        self._last = logits[-1]
        return logits[None]

    def _next(self, seen: list[int], end: int) -> int:
        """The likeliest token after the first `end` of those seen."""
        for prompt, answer in self.texts:
            place = end - len(prompt)
            if 0 <= place < len(answer) and seen[:end] == [*prompt, *answer[:place]]:
                return answer[place]
        return self.lost


def ids_of(text: str) -> list[int]:
    """Token ids of a text of the small vocabulary."""
    return list(_ids_of(text))


@functools.lru_cache(maxsize=256)
def _ids_of(text: str) -> tuple[int, ...]:
    return tuple(tokenizer().encode(text).ids)
