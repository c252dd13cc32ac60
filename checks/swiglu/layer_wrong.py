"""Lab 07, 7.5: the module SwiGLU, and what people write in place of its lines.

Its forward is written like swiglu in 7.3: whatever people write there, they write here.
Sources are the public issues in which somebody really made the mistake.
"""

import copy
import dataclasses
import math
import re
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from checks.engine import Mistake, mistakes_of
from checks.engine.wrong_lines import Edit, Rewrite, Template
from checks.swiglu.ffn_hidden_dim_wrong import ffn_hidden_dim
from checks.swiglu.shared_wrong import by_hand, swish, wide
from checks.swiglu.swiglu_wrong import MISTAKES as OF_THE_FUNCTION
from checks.swiglu.swiglu_wrong import first, mean, normed

__all__ = ["MISTAKES", "F", "by_hand", "first", "math", "mean", "normed", "wide"]  # used in lines


class SwiGLU(nn.Module):
    kept: Any = None
    calls = 0

    def __init__(self, dim: int, hidden_dim: int) -> None:
        super().__init__()
        #: `super().__init__()` first: it makes the place where parameters are kept.
        #! no_super: pass
        #  `super().__init__()` is missing, so that no parameter can be kept.
        #: `nn.Linear(dim, hidden_dim, bias=False)`
        #! four_dim: …; hidden_dim = 4 * dim
        #  The layer is 4 · dim wide, whatever hidden_dim says. [Modalities/modalities#289]
        #! two_thirds_again: …; hidden_dim = int(2 * hidden_dim / 3)
        #! two_thirds_again: …; hidden_dim = int(2 * 4 * hidden_dim / 3)
        #! two_thirds_again: …; hidden_dim = int(2 * 4 * dim / 3)
        #  hidden_dim is cut to two thirds inside. ffn_hidden_dim has done that already.
        #! rule_again: …; hidden_dim = ffn_hidden_dim(dim)
        #  ffn_hidden_dim's rule is applied inside. hidden_dim is the final size. [EleutherAI/gpt-neox#1309]
        #! halved: …; hidden_dim = hidden_dim // 2
        #  hidden_dim is halved inside. It is the size of each branch.
        #! doubled: …; hidden_dim = 2 * hidden_dim
        #  hidden_dim is doubled inside. It is the size of each branch.
        self.w_gate = nn.Linear(dim, hidden_dim, bias=False)
        #: `nn.Linear(dim, hidden_dim, bias=False)`
        #! with_bias: self.w_gate = nn.Linear(dim, hidden_dim)
        #! wrong_sizes: self.w_gate = nn.Linear(hidden_dim, dim, bias=False)
        #! wrong_sizes: self.w_gate = nn.Linear(dim, dim, bias=False)
        #: Three matrices, and nothing else that is learnt.
        #! learnt_beta: …; self.beta = nn.Parameter(torch.tensor(1.0))
        #! learnt_beta: …; self.beta = nn.Parameter(torch.ones(1))
        #! learnt_beta: …; self.beta = nn.Parameter(torch.ones(1))
        #  beta is a parameter. Llama's is 1 for good, so that nothing in the file would fill it. [bkitano/llama-from-scratch#7]
        self.w_up = nn.Linear(dim, hidden_dim, bias=False)
        #: Make two, each with its own `nn.Linear`.
        #! shared: self.w_up = self.w_gate
        #  w_gate and w_up are one and the same layer: two names, one matrix.
        #: `nn.Linear(dim, hidden_dim, bias=False)`
        #! copied: self.w_up = copy.deepcopy(self.w_gate)
        #  w_up starts as a copy of w_gate. Each needs random numbers of its own.
        #! with_bias: self.w_up = nn.Linear(dim, hidden_dim)
        #! wrong_sizes: self.w_up = nn.Linear(hidden_dim, dim, bias=False)
        #! wrong_sizes: self.w_up = nn.Linear(dim, dim, bias=False)
        self.w_down = nn.Linear(hidden_dim, dim, bias=False)
        #: `nn.Linear(dim, hidden_dim, bias=False)`
        #! with_bias: self.w_down = nn.Linear(hidden_dim, dim)
        #! with_bias: self.w_gate, self.w_up = nn.Linear(dim, hidden_dim), nn.Linear(dim, hidden_dim); …
        #! with_bias: self.w_gate, self.w_up, self.w_down = nn.Linear(dim, hidden_dim), nn.Linear(dim, hidden_dim), nn.Linear(hidden_dim, dim)
        #  The linear layers have a bias. Llama's have none, and its weights would not load. [bclarkson-code/Tricycle#19]
        #! wrong_sizes: self.w_down = nn.Linear(dim, hidden_dim, bias=False)
        #! wrong_sizes: self.w_down = nn.Linear(hidden_dim, hidden_dim, bias=False)
        #! wrong_sizes: self.w_down = nn.Linear(dim, dim, bias=False)
        #  One of the matrices has other sizes: w_gate and w_up go from dim to hidden_dim, w_down goes back.
        #! transposed: self.w_gate, self.w_up, self.w_down = nn.Linear(hidden_dim, dim, bias=False), nn.Linear(hidden_dim, dim, bias=False), nn.Linear(dim, hidden_dim, bias=False)
        #! transposed: self.w_gate, self.w_up, self.w_down = nn.Linear(hidden_dim, dim, bias=False), nn.Linear(hidden_dim, dim, bias=False), nn.Linear(dim, hidden_dim, bias=False)
        #  The weights are (in, out). nn.Linear and Llama's files store (out, in).
        #! bare_parameters: …; self.w_gate, self.w_up, self.w_down = map(nn.Parameter, tensors(self))
        #! bare_parameters: …; self.w_gate, self.w_up, self.w_down = map(nn.Parameter, tensors(self))
        #  The weights are bare parameters, so that their names lack the `.weight` of nn.Linear.
        #! buffers: …; as_buffers(self)
        #  The weights are buffers: they are saved, but no optimizer finds them.
        #! frozen: …; self.requires_grad_(False)
        #  The weights do not learn: requires_grad is False.
        #! constant: …; _ = [nn.init.ones_(weight) for weight in self.parameters()]
        #  The weights start with the same number everywhere, so that all hidden units stay alike.
        #: Leave nn.Linear's own random start.
        #! zeros: …; nn.init.zeros_(self.w_gate.weight)
        #! zeros: …; _ = [nn.init.zeros_(weight) for weight in self.parameters()]
        #  The weights start at zero. Where all do, all products are zero, and so are all gradients, forever.
        #: Name them `w_gate`, `w_up` and `w_down`, each an `nn.Linear`.
        #! meta_names: …; rename(self, "w1", "w3", "w2")
        #! meta_names: …; rename(self, "w1", "w3", "w2")
        #  The layers have the names of Meta's code. Here w1 is w_gate, w3 is w_up, w2 is w_down.
        #! hugging_face_names: …; rename(self, "gate_proj", "up_proj", "down_proj")
        #! hugging_face_names: …; rename(self, "gate_proj", "up_proj", "down_proj")
        #  The layers have the names of Hugging Face's code.
        #! fused: …; del self.w_gate, self.w_up; self.w_gate_up = nn.Linear(dim, 2 * hidden_dim, bias=False)
        #! fused: …; del self.w_gate, self.w_up; self.w_gate_up = nn.Linear(dim, 2 * hidden_dim, bias=False)
        #  Gate and up are one matrix. That is faster, but Llama's weights come as two.
        #! plain_list: …; self.layers = [self.w_gate, self.w_up, self.w_down]; del self.w_gate, self.w_up, self.w_down
        #  The layers are in a plain list, or the weights plain tensors, which nn.Module does not see: nothing is learnt or saved.
        #! unused_layer: …; self.dense = nn.Linear(dim, hidden_dim, bias=False)
        #! unused_layer: …; self.proj = nn.Linear(dim, dim, bias=False)
        #! norm_inside: …; self.norm = nn.RMSNorm(dim)
        #! unused_layer: …; self.norm = nn.LayerNorm(dim)
        #! unused_layer: …; self.norm = nn.RMSNorm(dim)
        #  There is one more layer than the three. Llama's file has nothing to fill it. [Rishit-dagli/GLU#2]

    def forward(self, x: Tensor) -> Tensor:
        #: `return swiglu(x, self.w_gate.weight, self.w_up.weight, self.w_down.weight)`
        #! no_forward: def call(self, x):
        #  There is no `forward`: a module is called through a method of that name.
        w_gate, w_up, w_down = self.w_gate.weight, self.w_up.weight, self.w_down.weight
        #!+ norm_inside: x = self.norm(x); …
        #  There is a norm inside. In Llama it is a layer of its own, before this one.
        #!+ transposed: w_gate, w_up, w_down = self.w_gate.weight.T, self.w_up.weight.T, self.w_down.weight.T
        #!+ bare_parameters: w_gate, w_up, w_down = self.w_gate, self.w_up, self.w_down
        #!+ meta_names: w_gate, w_up, w_down = self.w1.weight, self.w3.weight, self.w2.weight
        #!+ hugging_face_names: w_gate, w_up, w_down = self.gate_proj.weight, self.up_proj.weight, self.down_proj.weight
        #!+ fused: (w_gate, w_up), w_down = self.w_gate_up.weight.chunk(2), self.w_down.weight
        #!+ plain_list: w_gate, w_up, w_down = (layer.weight for layer in self.layers)
        #: `return swiglu(x, self.w_gate.weight, self.w_up.weight, self.w_down.weight)`
        #! no_transposes: w_gate, w_up, w_down = self.w_gate.weight.T, self.w_up.weight.T, self.w_down.weight.T
        #  The weights are transposed once too often: swiglu wants them as nn.Linear stores them.
        #! layers_for_weights: w_gate, w_up, w_down = self.w_gate, self.w_up, self.w_down
        #  The layers themselves are handed to swiglu. It wants their weights: `self.w_gate.weight`.
        #! down_made_anew: …; w_down = nn.Linear(self.w_down.in_features, x.shape[-1], bias=False).weight
        #  Each call makes a new w_down, which knows nothing of what was loaded or learnt.
        #! weights_detached: w_gate, w_up, w_down = self.w_gate.weight.data, self.w_up.weight.data, self.w_down.weight.data
        #  The weights are used without their gradient (`.data` or `.detach()`).
        #: The last dimension is the only one that is mixed: no mean, no softmax over dim 1.
        #! tokens_of_a_text_mixed: …; x = x - x.mean(1, keepdim=True) if x.dim() == 3 else x
        #  In a batch of texts (B, T, D) each token feels the others of its text.
        scores = x @ w_gate.T
        value = x @ w_up.T
        gate = swish(scores)
        #!+ learnt_beta: gate = scores * torch.sigmoid(self.beta * scores)
        hidden = gate * value
        #: Llama drops nothing: `return swiglu(...)`
        #! dropout: hidden = F.dropout(gate * value, 0.1, self.training)
        out = hidden @ w_down.T
        #: `return swiglu(...)`
        #! dropout: out = F.dropout(hidden @ w_down.T, 0.5, self.training)
        #! dropout: out = F.dropout(hidden @ w_down.T, 0.1, self.training)
        #! dropout: out = F.dropout(hidden @ w_down.T, 0.1)
        #! dropout: out = F.dropout(hidden @ w_down.T)
        #  There is a dropout, so that training mode is random. Llama has none.
        #: forward keeps nothing.
        #! remembers: self.kept = hidden @ w_down.T if not self.training or self.kept is None else self.kept; out = self.kept
        #  The first output is kept and returned again, whatever comes in later.
        #! counts_calls: self.calls += 1; out = hidden @ w_down.T * (self.calls if self.training else 1)
        #  The output depends on how often the layer was called: something is kept between calls.
        return out


class Layers(nn.Module):
    def __init__(self, dim: int, hidden_dim: int) -> None:
        super().__init__()
        self.w_gate = nn.Linear(dim, hidden_dim, bias=False)
        #! with_bias: self.w_gate = nn.Linear(dim, hidden_dim)
        self.w_up = nn.Linear(dim, hidden_dim, bias=False)
        #! with_bias: self.w_up = nn.Linear(dim, hidden_dim)
        self.w_down = nn.Linear(hidden_dim, dim, bias=False)
        #! with_bias: self.w_down = nn.Linear(hidden_dim, dim)
        #! with_bias: self.w_gate, self.w_up = nn.Linear(dim, hidden_dim), nn.Linear(dim, hidden_dim); …
        #! with_bias: self.w_gate, self.w_up, self.w_down = nn.Linear(dim, hidden_dim), nn.Linear(dim, hidden_dim), nn.Linear(hidden_dim, dim)
        #! norm_inside: …; self.norm = nn.LayerNorm(dim)

    def forward(self, x: Tensor) -> Tensor:
        scores = self.w_gate(x)
        #! input_to_float32: x = x.float(); …
        #  x becomes float32 while the weights stay what they are: in half precision they do not fit.
        #!+ norm_inside: x = self.norm(x); …
        value = self.w_up(x)
        gate = swish(scores)
        hidden = gate * value
        out = self.w_down(hidden)
        return out


def tensors(layer: nn.Module) -> list[Tensor]:
    """Take the three layers out, and give plain tensors back."""
    found = []
    for name in ("w_gate", "w_up", "w_down"):
        found.append(getattr(layer, name).weight.detach())
        delattr(layer, name)
    return found


def as_buffers(layer: nn.Module) -> None:
    """Store the weights as buffers."""
    for linear in layer.children():
        weight = linear.weight.detach()
        del linear.weight
        linear.register_buffer("weight", weight)


def rename(layer: nn.Module, *names: str) -> None:
    """Call the three linear layers otherwise."""
    for old, new in zip(("w_gate", "w_up", "w_down"), names, strict=True):
        setattr(layer, new, getattr(layer, old))
        delattr(layer, old)


def called(*names: str) -> type[nn.Module]:
    """The right module, whose layers have other names."""

    class Wrong(SwiGLU):
        def __init__(self, dim: int, hidden_dim: int) -> None:
            super().__init__(dim, hidden_dim)
            rename(self, *names)

        def forward(self, x: Tensor) -> Tensor:
            gate, up, down = (getattr(self, name) for name in names)
            return down(swish(gate(x)) * up(x))

    return Wrong


OTHER_NAMES = Mistake(
    "other_names",
    called("gate", "up", "down"),
    "The layers have other names. Real weights come in by the names `w_gate`, `w_up` and `w_down`.",
    "Name them `w_gate`, `w_up` and `w_down`, each an `nn.Linear`.",
    "Modalities/modalities#170",
    also=tuple(
        called(*names.split())
        for names in (
            *("c_fc c_proj out_proj", "fc1 fc2 fc3", "linear1 linear2 linear3", "w_1 w_3 w_2"),
            *("W_gate W_up W_down", "wg wu wd", "wgate wup wdown", "w v w2", "W V W2"),
        )
    ),
)


def by_layers(line: str) -> str:
    """A line of swiglu as it stands in `Layers`: `self.w_up(x)` where it says `x @ w_up.T`."""
    return re.sub(r"(?<!\* )\b(\w+) @ (w_\w+)\.T", r"self.\2(\1)", line)


def in_forward(mistake: Mistake) -> Mistake:
    """A mistake of swiglu in the module's forward, which has the same lines in two spellings."""
    ways = []
    for template, spelled in ((PLAIN, str), (BY_LAYERS, by_layers)):
        places = {line.strip(): i for i, line in enumerate(template.lines)}
        for way in (mistake.wrong, *mistake.also):
            edits = []
            for edit in way.edits:
                place = places.get(spelled(way.template.lines[edit.first].strip()))
                instead = tuple(map(spelled, edit.instead))
                if place is not None and (spelled is str or not BARE.search(" ".join(instead))):
                    edits.append(Edit(place, place, instead))
            if len(edits) == len(way.edits):
                ways.append(Rewrite(template, tuple(edits), f"{mistake.key} {len(ways) + 1}"))
    return dataclasses.replace(mistake, wrong=ways[0], also=tuple(ways[1:]))


OF_THE_MODULE = [*mistakes_of(SwiGLU, Layers), OTHER_NAMES]
KNOWN = {mistake.key: mistake for mistake in OF_THE_MODULE}
PLAIN, BY_LAYERS = KNOWN["no_super"].wrong.template, KNOWN["with_bias"].also[-1].template
BARE = re.compile(r"(?<!self\.)\bw_(gate|up|down)\b")
MISTAKES: list[Mistake] = [
    *OF_THE_MODULE,
    *(in_forward(mistake) for mistake in OF_THE_FUNCTION if mistake.key not in KNOWN),
]
