"""Lab 13, 13.1: what is tried on token_losses."""

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from checks.engine import Check, Inputs, Probe
from checks.long_context.made_up import TABLE, VOCABULARY, Fair, Reader
from checks.long_context.token_losses_wrong import MISTAKES

ABOUT = "(T - 1,), float32; entry i is about token i + 1"
PIECES = "in pieces of at most chunk tokens"
CACHES = "with one set of new caches from model.new_caches(1, T)"
WIDE = "Half-precision logits are computed with in float32"
UNLIKELY = "a very unlikely token has a large loss, not an infinite one"

FED = (
    "The pieces, one after the other, should be the text, with or without its last token: at most "
    "`chunk` tokens in each, none left out, none twice."
)


@torch.no_grad()
def reference(model: Any, ids: Tensor, chunk: int = 256) -> Tensor:
    """(1, T) → (T - 1,): token by token, in float64."""
    caches = model.new_caches(1, ids.shape[1])
    losses = []
    for i in range(ids.shape[1] - 1):
        row = model(ids[:, i : i + 1], caches)[0, 0].double().tolist()
        largest = max(row)
        total = sum(math.exp(z - largest) for z in row)
        losses.append(largest + math.log(total) - row[int(ids[0, i + 1])])
    return torch.tensor(losses, dtype=torch.float32)


def reader(inputs: Inputs, steepness: float = 2.0) -> Reader:
    """A model with random logits."""
    return Reader(inputs.randn(TABLE, TABLE, VOCABULARY) * steepness)


def text(inputs: Inputs, length: int) -> Tensor:
    """(1, length) ids."""
    return inputs.integers(1, length, high=VOCABULARY)


def read(*sizes: tuple[int, int]) -> Callable[[Any, Inputs], list]:
    """A probe's run: the losses of texts (length, chunk)."""
    return lambda answer, inputs: [
        answer(reader(inputs), text(inputs, length), chunk) for length, chunk in sizes
    ]


def equally_likely(answer: Any, inputs: Inputs) -> list:
    """The worked example."""
    return [answer(Fair(), torch.tensor([[3, 1, 0]]), chunk=2)]


def usual_chunk(answer: Any, inputs: Inputs) -> list:
    """Without a `chunk`, on a text of two pieces."""
    return [answer(reader(inputs), text(inputs, 300))]


def fed(answer: Any, inputs: Inputs) -> list[str]:
    """Which tokens are given to the model, in what pieces."""
    seen = []
    for length, chunk in ((11, 4), (9, 4), (5, 1), (6, 50), (300, 40)):
        model, ids = reader(inputs), text(inputs, length)
        answer(model, ids, chunk)
        tokens = [token for call in model.asked for token in call[2:-1]]
        whole = ids[0].tolist()
        right = tokens in (whole, whole[:-1])
        largest = max((call[1] for call in model.asked), default=0)
        # The reference reads token by token: that every piece is full is nobody's promise.
        pieces = "pieces" if largest <= chunk else f"a piece of {largest}"
        seen.append(f"{'the text' if right else 'other tokens'} in {pieces}")
    return seen


def remembers(answer: Any, inputs: Inputs) -> list[str]:
    """Which caches come with the calls."""
    model = reader(inputs)
    answer(model, text(inputs, 9), 4)
    first = sorted({call[-1] for call in model.asked})
    answer(model, text(inputs, 7), 3)
    second = sorted({call[-1] for call in model.asked} - set(first))
    return [*first, *second]


def unlikely(answer: Any, inputs: Inputs) -> list:
    """Logits with hundreds between them."""
    return [answer(reader(inputs, steepness=90.0), text(inputs, 12), 5)]


def in_half(answer: Any, inputs: Inputs) -> list:
    """A model in half precision."""
    found: list = []
    for dtype in (torch.bfloat16, torch.float16):
        model = Reader((inputs.randn(TABLE, TABLE, VOCABULARY) * 4).to(dtype))
        found.append(answer(model, text(inputs, 14), 6))
    return found


def gradients_off(answer: Any, inputs: Inputs) -> list[bool]:
    """Are gradients computed while it reads?"""
    model = reader(inputs)
    result = answer(model, text(inputs, 7), 3)
    return [any(model.gradients), bool(getattr(result, "requires_grad", False))]


token_losses = Check(
    exercise="13.1",
    name="token_losses",
    weight=2,
    reference=reference,
    technique=[
        Probe(
            "worked example: all of 4 tokens equally likely",
            equally_likely,
            promise="token_losses(Fair(), torch.tensor([[3, 1, 0]]), chunk=2)",
        ),
        Probe("one piece: each token's own loss", read((6, 50), (9, 8), (2, 5)), promise=ABOUT),
        Probe("what the model is given: the whole text, in pieces", fed, FED, promise=PIECES),
        Probe(
            "with caches, the same for all pieces of a text, new ones for the next text",
            remembers,
            "Every piece of a text should come with the same caches, made by model.new_caches(1, "
            "T), and another text with new ones.",
            promise=CACHES,
        ),
        Probe(
            "several pieces: none is missing at the seams",
            read((11, 4), (13, 6), (17, 5)),
            promise="so the result does not depend on chunk",
        ),
        Probe(
            "pieces of one token, and a text that the pieces fill exactly",
            read((7, 1), (9, 4), (8, 4), (5, 2)),
            promise="so the result does not depend on chunk",
        ),
        Probe("300 tokens, without a chunk", usual_chunk, promise="chunk: int = 256"),
        Probe("very unlikely tokens", unlikely, promise=UNLIKELY),
    ],
    ready=[
        Probe("a model in bfloat16, in float16", in_half, promise=WIDE),
        Probe(
            "no gradients are computed",
            gradients_off,
            "Gradients are computed while it reads: for a long text the memory that they take is "
            "many times the model's. `@torch.no_grad()` above the function turns them off.",
            promise="@torch.no_grad()",
        ),
    ],
    mistakes=MISTAKES,
    hints=(
        "The logits of which place speak about token i + 1, and where in them does its loss stand?",
        "Inputs are ids[:, :-1], targets ids[0, 1:]. Cut both into pieces, hand the pieces to the "
        "model with the same caches, and pick the target's number out of log_softmax.",
        "`log_p = model(x, caches)[0].float().log_softmax(-1)`, `-log_p.gather(1, y[:, None])[:, "
        "0]`, and torch.cat at the end.",
    ),
)
