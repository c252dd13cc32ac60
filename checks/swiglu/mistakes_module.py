"""Lab 07: what people write for the module SwiGLU.

Sources are the public issues in which somebody really made the mistake.
"""

import copy
from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from checks.engine import Mistake, in_float32
from checks.swiglu import reference as right
from checks.swiglu.mistakes_layer import SWIGLU


class Layer(right.SwiGLU):
    """The layer as it should be, but fast: sixty of its variants are tried one after the other."""

    feed_forward = staticmethod(
        in_float32(lambda x, g, u, d: (F.silu(x @ g.mT) * (x @ u.mT)) @ d.mT)
    )


def built(key: str, says: str, hint: str, change: Callable, source: str = "") -> Mistake:
    """A module whose constructor does something more at the end."""

    class Wrong(Layer):
        def __init__(self, dim: int, hidden_dim: int) -> None:
            super().__init__(dim, hidden_dim)
            change(self, dim, hidden_dim)

    return Mistake(key, Wrong, says, hint, source)


def in_module(mistake: Mistake) -> Mistake:
    """A module whose forward makes a mistake of swiglu."""
    made = type("Wrong", (Layer,), {"feed_forward": staticmethod(mistake.wrong)})
    return Mistake(mistake.key, made, mistake.says, mistake.hint, mistake.source)


def set_all(fill: Callable[[Tensor], Tensor]) -> Callable:
    """Fill all three weights."""
    return lambda layer, *_: [fill(weight) for weight in layer.parameters()]


def with_bias(layer: nn.Module, dim: int, hidden_dim: int) -> None:
    """Take nn.Linear's default."""
    layer.w_gate, layer.w_up = nn.Linear(dim, hidden_dim), nn.Linear(dim, hidden_dim)
    layer.w_down = nn.Linear(hidden_dim, dim)


def plain(layer: nn.Module, *_: int) -> None:
    """Turn the weights into bare parameters: `w_gate` in place of `w_gate.weight`."""
    for name in ("w_gate", "w_up", "w_down"):
        weight = getattr(layer, name).weight
        delattr(layer, name)
        setattr(layer, name, nn.Parameter(weight.detach()))


def renamed(*names: str) -> Callable:
    """Call the three linear layers otherwise."""

    def change(layer: nn.Module, *_: int) -> None:
        for old, new in zip(("w_gate", "w_up", "w_down"), names, strict=True):
            linear = getattr(layer, old)
            delattr(layer, old)
            setattr(layer, new, linear)

    return change


def resized(size: Callable[[int, int], int]) -> Callable:
    """Give the layer another hidden size."""
    return lambda layer, dim, hidden_dim: Layer.__init__(layer, dim, size(dim, hidden_dim))


def fused(layer: nn.Module, dim: int, hidden_dim: int) -> None:
    """Put gate and up into one matrix."""
    del layer.w_gate, layer.w_up
    layer.w_gate_up = nn.Linear(dim, 2 * hidden_dim, bias=False)


def buffers(layer: nn.Module, *_: int) -> None:
    """Store the weights as buffers."""
    for linear in (layer.w_gate, layer.w_up, layer.w_down):
        weight = linear.weight.detach()
        del linear.weight
        linear.register_buffer("weight", weight)


def swapped(layer: nn.Module, dim: int, hidden_dim: int) -> None:
    """Take (in, out) for the arguments of a matrix."""
    for name, shape in (("w_gate", (dim, hidden_dim)), ("w_up", (dim, hidden_dim))):
        getattr(layer, name).weight = nn.Parameter(torch.randn(*shape))
    layer.w_down.weight = nn.Parameter(torch.randn(hidden_dim, dim))


class _Mixes(Layer):
    """Takes dimension 1 of (B, T, D) for features."""

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x - x.mean(1, keepdim=True) if x.dim() == 3 else x)


class _Dropout(Layer):
    def forward(self, x: Tensor) -> Tensor:
        return F.dropout(super().forward(x), 0.5, self.training)


class _Remembers(Layer):
    def forward(self, x: Tensor) -> Tensor:
        if not self.training or not hasattr(self, "kept"):
            self.kept = super().forward(x)
        return self.kept


class _Running(Layer):
    def forward(self, x: Tensor) -> Tensor:
        self.calls = getattr(self, "calls", 0) + 1
        return super().forward(x) * (self.calls if self.training else 1)


LINEAR = "`nn.Linear(dim, hidden_dim, bias=False)`"
NAMES = "Name them `w_gate`, `w_up` and `w_down`, each an `nn.Linear`."
MODULE = [
    built(
        "with_bias",
        "The linear layers have a bias. Llama's have none, and its weights would not load.",
        LINEAR,
        with_bias,
    ),
    built(
        "learnt_beta",
        "beta is a parameter. Llama's is 1 for good, so that nothing in the file would fill it.",
        "Three matrices, and nothing else that is learnt.",
        lambda layer, *_: setattr(layer, "beta", nn.Parameter(torch.ones(1))),
        "bkitano/llama-from-scratch#7",
    ),
    built(
        "meta_names",
        "The layers have the names of Meta's code. Here w1 is w_gate, w3 is w_up, w2 is w_down.",
        NAMES,
        renamed("w1", "w3", "w2"),
    ),
    built(
        "hugging_face_names",
        "The layers have the names of Hugging Face's code.",
        NAMES,
        renamed("gate_proj", "up_proj", "down_proj"),
    ),
    built(
        "bare_parameters",
        "The weights are bare parameters, so that their names lack the `.weight` of nn.Linear.",
        LINEAR,
        plain,
    ),
    built(
        "fused",
        "Gate and up are one matrix. That is faster, but Llama's weights come as two.",
        NAMES,
        fused,
    ),
    built(
        "shared",
        "w_gate and w_up are one and the same layer: two names, one matrix.",
        "Make two, each with its own `nn.Linear`.",
        lambda layer, *_: setattr(layer, "w_up", layer.w_gate),
    ),
    built(
        "copied",
        "w_up starts as a copy of w_gate. Each needs random numbers of its own.",
        LINEAR,
        lambda layer, *_: setattr(layer, "w_up", copy.deepcopy(layer.w_gate)),
    ),
    built(
        "buffers",
        "The weights are buffers: they are saved, but no optimizer finds them.",
        LINEAR,
        buffers,
    ),
    built(
        "frozen",
        "The weights do not learn: requires_grad is False.",
        LINEAR,
        set_all(lambda weight: weight.requires_grad_(False)),
    ),
    built(
        "zeros",
        "The weights start at zero. Then all products are zero, and so are all gradients, forever.",
        "Leave nn.Linear's own random start.",
        set_all(nn.init.zeros_),
    ),
    built(
        "transposed",
        "The weights are (in, out). nn.Linear and Llama's files store (out, in).",
        LINEAR,
        swapped,
    ),
    built(
        "four_dim",
        "The layer is 4 · dim wide, whatever hidden_dim says.",
        LINEAR,
        resized(lambda dim, hidden_dim: 4 * dim),
    ),
    built(
        "two_thirds_again",
        "hidden_dim is cut to two thirds inside. ffn_hidden_dim has done that already.",
        LINEAR,
        resized(lambda dim, hidden_dim: 2 * hidden_dim // 3),
    ),
    built(
        "rule_again",
        "ffn_hidden_dim is applied inside. hidden_dim is the final size.",
        LINEAR,
        resized(lambda dim, hidden_dim: right.ffn_hidden_dim(dim)),
    ),
    Mistake(
        "tokens_of_a_text_mixed",
        _Mixes,
        "In a batch of texts (B, T, D) each token feels the others of its text.",
        "The last dimension is the only one that is mixed: no mean, no softmax over dim 1.",
    ),
    Mistake(
        "dropout",
        _Dropout,
        "There is a dropout, so that training mode is random. Llama has none.",
        "`return swiglu(...)`",
    ),
    Mistake(
        "remembers",
        _Remembers,
        "The first output is kept and returned again, whatever comes in later.",
        "forward keeps nothing.",
    ),
    Mistake(
        "counts_calls",
        _Running,
        "The output depends on how often the layer was called: something is kept between calls.",
        "forward keeps nothing.",
    ),
    *(in_module(mistake) for mistake in SWIGLU),
]
