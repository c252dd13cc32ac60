"""The Llama that lab 09 trains for a minute: where its checkpoint lies, and who reads it.

    my_llama = trained.shakespeare(Llama, LlamaConfig)      # in the labs that let a model write
    my_llama.model, my_llama.vocab, my_llama.context

It is the learner's own, from `my_llama/shakespeare.pt`, or else the course's small one with a line
that says so. Kernels that grade, and the worked notebooks, always get the course's.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import torch
from torch import nn

from assets import shakespeare_llama
from checks.learner import pieces

FILE = "shakespeare.pt"


@dataclass(frozen=True)
class Trained:
    """A Llama that writes Shakespeare, character by character.

    vocab: its characters, in the order of their ids; context: how many it saw at once in its
    training; loss: on held-out text, nats a character; own: whether the learner trained it.
    """

    model: nn.Module
    vocab: list[str]
    context: int
    loss: float
    own: bool


class Unfit(Exception):
    """A checkpoint that cannot be used; the text says why."""


def checkpoint() -> Path:
    """Where lab 09 keeps its checkpoint: in `my_llama`, or a passing file where nothing is kept."""
    return (_passing() if pieces.uses_worked() else pieces.folder()) / FILE


def shakespeare(
    Llama: Callable[[Any], nn.Module], LlamaConfig: Callable[..., Any], own: bool = True
) -> Trained:
    """The Llama that the learner trained in lab 09, in eval mode; or the course's, with a notice.

    Llama, LlamaConfig: lab 08's, the learner's. own: False for the course's in any case.
    """
    path = None if pieces.uses_worked() else checkpoint()
    if own and path and path.exists():
        try:
            found = _read(path, Llama, LlamaConfig)
        except Unfit as unfit:
            print(
                f"{path.parent.name}/{path.name} cannot be used: {unfit}. The course's stands in."
            )
        else:
            print(f"Your own Llama, trained in lab 09: loss {found.loss:.2f} on held-out text.")
            return found
    elif own and path:
        print("You have no checkpoint of lab 09 yet, so a Llama that the course trained stands in.")
    course = shakespeare_llama
    model = _built(Llama, LlamaConfig, course.CONFIG, course.weights())
    return Trained(model, course.VOCAB, course.CONTEXT, course.HELD_OUT_LOSS, own=False)


def _read(
    path: Path, Llama: Callable[[Any], nn.Module], LlamaConfig: Callable[..., Any]
) -> Trained:
    """The learner's model, from a file as `save_checkpoint` writes it in lab 09."""
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
        about = state["about"]
        model = _built(Llama, LlamaConfig, about["config"], state["weights"])
        context, loss = int(about["context"]), float(about["loss"])
        found = Trained(model, list(about["vocab"]), context, loss, own=True)
    except Unfit:
        raise
    except Exception as error:  # whatever another program, or half a file, may bring
        says = f"{type(error).__name__}: {error}".partition("\n")[0]
        raise Unfit(says.rstrip(".")) from error
    if found.vocab != shakespeare_llama.VOCAB:
        raise Unfit("it was trained on another text, with other characters")
    return found


def _built(
    Llama: Callable[[Any], nn.Module],
    LlamaConfig: Callable[..., Any],
    sizes: dict[str, Any],
    weights: dict[str, torch.Tensor],
) -> nn.Module:
    """A Llama of these sizes with these weights, in eval mode."""
    model = Llama(LlamaConfig(**sizes))
    missing, unexpected = model.load_state_dict(weights, strict=False)
    # Tied, the table is the output as well, and a Llama may list it under one name or under both.
    either = {"output.weight"} if sizes.get("tie_embeddings") else set()
    wrong = sorted({*missing, *unexpected} - either)
    if wrong:
        raise Unfit(f"its weights are not those of your Llama: {', '.join(wrong[:3])}")
    return model.eval()


@cache
def _passing() -> Path:
    """A folder for this kernel alone."""
    folder = tempfile.TemporaryDirectory(prefix="llama-lab-")
    _kept.append(folder)  # it is removed when the kernel ends
    return Path(folder.name)


_kept: list[tempfile.TemporaryDirectory] = []
