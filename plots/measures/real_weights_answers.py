"""Lab 11: is the model the one that transformers runs, and what does it take to break it?"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from plots.measure import short
from plots.measures.real_weights import WAITS
from plots.show import counted, once_written

REFERENCE = "real_weights_reference.json"
END = "<|im_end|>"
REQUESTS = ("Name three fruits.", "What is the capital of France?")
N_AFTER = 6 if short() else 14  # tokens that are shown after each of them
BY_CHAT = (0,) if short() else (0, 9, 6)  # conversations that chat answers: 7, 12, 51 tokens

Weights = dict[str, Tensor]


def reference() -> list[dict[str, Any]]:
    """Ten conversations: messages, ids of the prompt, the answer of transformers in ids."""
    import json

    import assets

    text = Path(assets.__file__).with_name(REFERENCE).read_text(encoding="utf-8")
    return json.loads(text)["conversations"]


@torch.no_grad()
def same_tokens(model: nn.Module, ids: list[int], answer: list[int]) -> list[bool]:
    """Whether the model's likeliest token is the answer's, at each of its places."""
    logits = model(torch.tensor([[*ids, *answer[:-1]]]))[0, len(ids) - 1 :]  # (n, V)
    return (logits.argmax(-1) == torch.tensor(answer)).tolist()


@once_written
def same_by_chat(
    chat: Callable[..., Iterator[str]], model: nn.Module | None, tokenizer: Any
) -> None:
    """Print what chat answers, token after token with caches, and whether transformers does."""
    if model is None:
        print(WAITS)
        return
    end = tokenizer.token_to_id(END)
    for talk in counted([reference()[i] for i in BY_CHAT], "answer"):
        answer = talk["answer"]
        answer = answer[: answer.index(end)] if end in answer else answer
        right = tokenizer.decode(answer)
        said = "".join(chat(model, tokenizer, talk["messages"], n_new=64))
        verdict = "transformers says the same" if said == right else f"NOT {right!r}"
        print(f"{len(answer)} tokens, {verdict}:\n  {said!r}")


@torch.no_grad()
def written(model: nn.Module, ids: list[int], n_new: int) -> list[int]:
    """The likeliest continuation, with caches: n_new ids."""
    caches, new, found = model.new_caches(1, len(ids) + n_new), ids, []
    for _ in range(n_new):
        new = [int(model(torch.tensor([new]), caches)[0, -1].argmax())]
        found += new
    return found


@torch.no_grad()
def next_tokens(
    model: nn.Module, ids: list[int], n_new: int, end: int
) -> list[tuple[list[int], list[float]]]:
    """The five likeliest tokens and their probabilities at each step, until `end`."""
    caches, new, found = model.new_caches(1, len(ids) + n_new), ids, []
    for _ in counted(range(n_new), "token"):
        shares, tokens = model(torch.tensor([new]), caches)[0, -1].softmax(-1).topk(5)
        found.append((tokens.tolist(), shares.tolist()))
        new = [int(tokens[0])]
        if new == [end]:
            break
    return found


@once_written
def with_and_without(
    chat_prompt: Callable[..., str], model: nn.Module | None, tokenizer: Any
) -> None:
    """Print how the model goes on after bare requests, and after the same ones in their form."""
    if model is None:
        print(WAITS)
        return
    for request in REQUESTS:
        print(repr(request))
        in_form = chat_prompt([{"role": "user", "content": request}])
        for name, text in (("bare", request), ("in its form", in_form)):
            ids = written(model, tokenizer.encode(text).ids, N_AFTER)
            print(f"  {name:12} {tokenizer.decode(ids, skip_special_tokens=False)!r}")


# What can be done to a model so that everything still fits.


def permuted_again(weights: Weights, d: int) -> Weights:
    """Reorder the rows of wq and wk, head by head, as it was done when the file was made."""

    def once_more(weight: Tensor) -> Tensor:
        return weight.unflatten(0, (-1, 2, d // 2)).transpose(1, 2).reshape(weight.shape)

    names = ("attention.wq.weight", "attention.wk.weight")
    return {n: once_more(w) if n.endswith(names) else w for n, w in weights.items()}


def swapped(weights: Weights, one: str, other: str) -> Weights:
    """Each layer's weights `one` and `other` in each other's place."""
    return {
        name.replace(one, "•").replace(other, one).replace("•", other): weight
        for name, weight in weights.items()
    }


CHANGES: dict[str, tuple[dict[str, Any], Callable[[Weights, int], Weights]]] = {
    "as it is": ({}, lambda w, d: w),
    "wq and wk permuted again": ({}, permuted_again),
    "base 500,000": ({"rope_base": 500_000.0}, lambda w, d: w),
    "eps 1e-6": ({"norm_eps": 1e-6}, lambda w, d: w),
    "norms swapped": ({}, lambda w, d: swapped(w, "attention_norm", "ffn_norm")),
    "wk and wv swapped": ({}, lambda w, d: swapped(w, "attention.wk", "attention.wv")),
}


def changed(
    Llama: Any, LlamaConfig: Any, model: nn.Module, config: dict[str, Any], change: str
) -> nn.Module:
    """Another Llama with the weights of `model`, which stays as it is. Nothing is copied.

    config: the arguments of LlamaConfig. A weight without a place of its shape is an error.
    """
    sizes, weights_of = CHANGES[change]
    numbers_at_once = any(True for _ in model.buffers())  # on meta they would stay empty
    with torch.device("cpu" if numbers_at_once else "meta"):
        other = Llama(LlamaConfig(**config | sizes))
    weights = weights_of(model.state_dict(), config["dim"] // config["n_heads"])
    other.load_state_dict(weights, assign=True)
    return other
