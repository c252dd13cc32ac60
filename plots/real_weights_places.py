"""Lab 11: which weights find a place, and that a place which fits is not yet the right one."""

from __future__ import annotations

import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from plots.cells import cells
from plots.flipbook import Flipbook, explore
from plots.measure import short
from plots.measures.real_weights import opened
from plots.measures.real_weights_answers import CHANGES, changed, reference, same_tokens, written
from plots.real_weights_live import waiting
from plots.real_weights_text import LINE, boxes
from plots.style import BLUE, ORANGE

if TYPE_CHECKING:
    from matplotlib.figure import Figure

PARTS = (
    "attention_norm",
    "attention.wq",
    "attention.wk",
    "attention.wv",
    "attention.wo",
    "ffn_norm",
    "feed_forward.w_gate",
    "feed_forward.w_up",
    "feed_forward.w_down",
)
OUTSIDE = ("tok_embeddings", "norm", "output")
ASKED = 1  # the conversation that a broken model is asked: its answer is longer than 64 tokens
N_OWN = 5 if short() else 16  # tokens of a broken model's own answer


def places(
    rename_weight: Callable[[str], str], Llama: Any, LlamaConfig: Any, path: Path | None
) -> Flipbook:
    """The places of the learner's Llama: filled, filled by another shape, empty."""
    file = opened(path)
    if file is None:
        return waiting()

    def draw(fig: Figure) -> str:
        theirs = {_renamed(rename_weight, name): t.shape for name, t in file.tensors.items()}
        with torch.device("meta"):
            model = Llama(LlamaConfig(**file.config()))
        mine = {name: tuple(weight.shape) for name, weight in model.state_dict().items()}
        if file.config()["tie_embeddings"]:
            mine.pop("output.weight", None)

        def state(name: str) -> str:
            if name not in theirs:
                return "empty"
            return "new" if theirs[name] == mine[name] else "wasted"

        n_layers = file.config()["n_layers"]
        layers = [[state(f"layers.{i}.{p}.weight") for i in range(n_layers)] for p in PARTS]
        outside = [name for name in OUTSIDE if f"{name}.weight" in mine]
        axes = fig.add_axes((0.21, 0.2, 0.58, 0.75))
        marks = [str(i) if i % 5 == 0 or i == n_layers - 1 else "" for i in range(n_layers)]
        full = [[1.0] * n_layers] * len(PARTS)
        cells(axes, full, layers, rows=PARTS, columns=marks, gid="layers")
        axes.set_xlabel("layer")
        beside = fig.add_axes((0.81, 0.45, 0.02, 0.2))
        states = [[state(f"{name}.weight")] for name in outside]
        cells(beside, [[1.0]] * len(outside), states, rows=outside, gid="outside")
        beside.yaxis.tick_right()
        for panel in (axes, beside):
            panel.tick_params(labelsize=9)
        fit = sum(mine.get(name) == shape for name, shape in theirs.items())
        empty = len(mine.keys() - theirs.keys())
        return (
            f"{fit} of {len(file.tensors)} tensors have a place of their shape in your Llama; "
            f"{empty} of its {len(mine)} places stay empty."
        )

    return explore(draw, size=(7.2, 2.0))


def _renamed(rename_weight: Callable[[str], str], name: str) -> str:
    try:
        return rename_weight(name)
    except ValueError:
        return f"no place for {name}"


def broken(Llama: Any, LlamaConfig: Any, model: Any, tokenizer: Any, path: Path | None) -> Flipbook:
    """One answer of transformers, and at which of its tokens a changed model agrees."""
    file = opened(path)
    if file is None or model is None:
        return waiting()
    talk = reference()[ASKED]
    ids, answer = talk["ids"], talk["answer"]
    tokens = [tokenizer.decode([i], skip_special_tokens=False) for i in answer]

    def draw(fig: Figure, change: str) -> str:
        other = changed(Llama, LlamaConfig, model, file.config(), change)  # or an error
        same = same_tokens(other, ids, answer)
        part = [*same, False].index(False)  # up to here it writes the same
        own = answer[:part][:N_OWN]
        if len(own) < N_OWN:
            own = own + written(other, [*ids, *own], N_OWN - len(own))
        text = tokenizer.decode(own, skip_special_tokens=False).replace("\n", "⏎")
        looks = [(BLUE, "-", 0.18) if yes else (ORANGE, "--", 0.0) for yes in same]
        lines = boxes(fig.add_axes((0.01, 0.01, 0.98, 0.98)), tokens, looks, wrapped=False)
        below = 0.96 - lines * LINE / fig.get_figheight()
        fig.text(0.02, below, "its own answer, where nobody feeds it the right one:", va="top")
        fig.text(0.02, below - 0.1, textwrap.fill(text, 88), va="top", gid="own", fontsize=10)
        return (
            f"{change}: all shapes fit, and there is no error. {sum(same)} of {len(same)} tokens "
            f"are those of transformers (blue, solid). Its own answer begins: {text[:40]}…"
        )

    start = list(CHANGES)[1]
    return explore(draw, change=list(CHANGES), start={"change": start}, size=(7.2, 2.5))
