"""Lab 08: where the time goes in the learner's model, and what it says before it has learned."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from plots.measure import one_thread, short
from plots.show import once_written

ROUNDS = 2 if short() else 5
# The proportions of Llama 3.2 1B: hidden_dim 4 · dim, a quarter of the heads for keys and values.
SIZES = {"dim": 256, "n_layers": 4, "n_heads": 8, "n_kv_heads": 2, "hidden_dim": 1024}
CONTEXTS = (128, 1024)


@once_written
def shares(Llama: Callable[[Any], nn.Module], LlamaConfig: Callable[..., Any]) -> None:
    """Print which share of the weights and of a forward pass's time each part has."""
    model = Llama(LlamaConfig(**SIZES, vocab_size=4096, max_seq_len=max(CONTEXTS)))
    parts = _parts(model)
    weights = {name: sum(_count(module) for module in group) for name, group in parts.items()}
    total = _count(model)
    with torch.no_grad(), one_thread():
        found = {length: _seconds(model, parts, length) for length in CONTEXTS}
    print(f"{total:,} weights; share of the weights, and of the time of one forward pass")
    print("".join(["part          weights", *(f"{n:7,} tokens" for n in CONTEXTS)]))
    for name in parts:
        times = "".join(f"{100 * found[n][name] / found[n]['all']:12.0f} %" for n in CONTEXTS)
        print(f"{name:12}{100 * weights[name] / total:7.0f} %{times}")
    ratio = found[CONTEXTS[1]]["all"] / found[CONTEXTS[0]]["all"]
    print(f"{CONTEXTS[1] // CONTEXTS[0]} times as many tokens take {ratio:.1f} times as long")


def _parts(model: nn.Module) -> dict[str, list[nn.Module]]:
    """The modules of each kind, by the names that the task gives."""
    ends = {
        "embedding": "tok_embeddings",
        "attention": ".attention",
        "SwiGLU": ".feed_forward",
        "norms": "norm",
        "output": "output",
    }
    return {
        part: [module for name, module in model.named_modules() if name.endswith(end)]
        for part, end in ends.items()
    }


def _count(module: nn.Module) -> int:
    return sum(weight.numel() for weight in module.parameters())


def _seconds(model: nn.Module, parts: dict[str, list[nn.Module]], length: int) -> dict[str, float]:
    """The time in each part and in all, the fastest of several rounds. output is timed alone."""
    ids = torch.arange(length)[None] % 4096
    spent: dict[nn.Module, float] = {}
    begun: dict[nn.Module, float] = {}

    def begin(module: nn.Module, given: Any) -> None:
        begun[module] = time.perf_counter()

    def end(module: nn.Module, given: Any, result: Any) -> None:
        spent[module] = time.perf_counter() - begun[module]

    modules = [module for group in parts.values() for module in group]
    hooks = [m.register_forward_pre_hook(begin) for m in modules]
    hooks += [m.register_forward_hook(end) for m in modules]
    rounds = []
    try:
        for _ in range(ROUNDS + 1):
            start = time.perf_counter()
            model(ids)
            taken = {"all": time.perf_counter() - start}
            rounds.append(taken | {p: sum(spent.get(m, 0) for m in g) for p, g in parts.items()})
    finally:
        for hook in hooks:
            hook.remove()
    best = min(rounds[1:], key=lambda taken: taken["all"])
    if not any(module in spent for module in parts["output"]):  # its weight was used without it
        known = sum(taken for part, taken in best.items() if part not in ("all", "output"))
        best["output"] = best["all"] - known
    return best


TEXT = """Shall I compare thee to a summer's day?
Thou art more lovely and more temperate:
Rough winds do shake the darling buds of May,
And summer's lease hath all too short a date."""  # Shakespeare, sonnet 18
SMALL = {"dim": 96, "n_layers": 3, "n_heads": 4, "n_kv_heads": 2, "hidden_dim": 256}
STARTS = {
    "untied": (False, None),
    "tied": (True, None),
    "tied, small table": (True, 0.02),
}  # tie_embeddings, spread of the table's entries


@once_written
def noise(
    Llama: Callable[[Any], nn.Module],
    LlamaConfig: Callable[..., Any],
    generate: Callable[[Callable[[Tensor], Tensor], Tensor, int], Tensor],
) -> None:
    """Print the loss of three new models on a text, and what they go on with."""
    vocab = sorted(set(TEXT))
    ids = torch.tensor([[vocab.index(character) for character in TEXT]])
    print(f"{len(vocab)} characters; the loss of not knowing: ln {len(vocab)} = ", end="")
    print(f"{math.log(len(vocab)):.2f}")
    for name, (tied, spread) in STARTS.items():
        with torch.no_grad(), torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            config = LlamaConfig(**SMALL, vocab_size=len(vocab), tie_embeddings=tied)
            model = Llama(config)
            if spread is not None:
                nn.init.normal_(model.tok_embeddings.weight, std=spread)
            loss = F.cross_entropy(model(ids)[0, :-1], ids[0, 1:]).item()
            caches = model.new_caches(1, 40)
            begun = ids[:, :11]  # "Shall I com"
            written = generate(lambda new: model(new, caches), begun, 24)[0]  # noqa: B023
        text = "".join(vocab[i] for i in written.tolist())
        print(f"{name:18} loss {loss:6.2f}   {text!r}")
