"""Lab 08: where the time of a block goes, and what a model says before it has learned."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from plots.measure import one_thread, short
from plots.note import note
from plots.show import once_written

# One block of the width of Llama 3.2 1B; its vocabulary is small, since the output is not clocked.
REAL = {"dim": 2048, "n_layers": 1, "n_heads": 32, "n_kv_heads": 8, "hidden_dim": 8192}
LENGTHS = (32, 64) if short() else (128, 256, 512, 1024)
PARTS = {"attention": ".attention", "SwiGLU": ".feed_forward"}


def clocked(
    Llama: Callable[[Any], nn.Module], LlamaConfig: Callable[..., Any]
) -> dict[int, dict[str, float]]:
    """Length → the seconds that one block takes, "all", and those of its attention and SwiGLU."""
    sizes = REAL | ({"dim": 256, "hidden_dim": 1024} if short() else {})
    model = Llama(LlamaConfig(**sizes, vocab_size=64, max_seq_len=max(LENGTHS)))
    with torch.no_grad(), one_thread(), note() as tell:
        _seconds(model, LENGTHS[0])  # the first call is slow
        found = {}
        for length in LENGTHS:
            tell(f"Your block reads {length:,} tokens …")
            found[length] = _seconds(model, length)
    return found


def _seconds(model: nn.Module, length: int) -> dict[str, float]:
    ids = torch.arange(length)[None] % 64
    spent = dict.fromkeys(PARTS, 0.0)
    begun: dict[str, float] = {}

    def begin(part: str) -> None:
        begun[part] = time.perf_counter()

    def end(part: str) -> None:
        spent[part] += time.perf_counter() - begun[part]

    hooks = []
    for name, module in model.named_modules():
        for part in (part for part, ends in PARTS.items() if name.endswith(ends)):
            hooks.append(module.register_forward_pre_hook(lambda *_, p=part: begin(p)))
            hooks.append(module.register_forward_hook(lambda *_, p=part: end(p)))
    try:
        start = time.perf_counter()
        model(ids)
        return {"all": time.perf_counter() - start, **spent}
    finally:
        for hook in hooks:
            hook.remove()


def multiplications(sizes: dict[str, int], length: int) -> dict[str, float]:
    """Multiplications of a block for each token of a text: in SwiGLU, and in attention twice.

    Its matrices have the same work at every length, its scores and mixtures have more.

    >>> multiplications({"dim": 4096, "n_heads": 32, "n_kv_heads": 8, "hidden_dim": 14336}, 1024)
    {'SwiGLU': 176160768, 'matrices of attention': 41943040, 'scores and mixtures': 8388608}
    """
    head = sizes["dim"] // sizes["n_heads"]
    return {
        "SwiGLU": 3 * sizes["dim"] * sizes["hidden_dim"],
        "matrices of attention": 2 * sizes["dim"] * head * (sizes["n_heads"] + sizes["n_kv_heads"]),
        "scores and mixtures": 2 * length * sizes["dim"],
    }


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
