"""Lab 11: what a check looks at in a model that was loaded from a file."""

import functools
import signal
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from checks.engine import Inputs, Wrong, error_of
from checks.probes.real_weights import SMALLEST, TIED, UNTIED, Sizes, Tensors, a_file


def some_ids(inputs: Inputs, batch: int = 2, length: int = 5) -> Tensor:
    """Token ids of the small files' vocabulary: (B, T)."""
    return inputs.integers(batch, length, high=TIED["vocab_size"])


@functools.cache
def meta_is_ready() -> None:
    """Use the meta device once, before an answer does.

    The first use in a process imports a good part of torch, for seconds. The clock of the engine's
    time limit stands still for that: it must not cut an import in two.
    """
    left = signal.setitimer(signal.ITIMER_REAL, 0) if hasattr(signal, "setitimer") else (0.0, 0.0)
    torch.nn.Embedding(1, 1, device="meta")
    if left[0]:
        signal.setitimer(signal.ITIMER_REAL, *left)


def loaded(answer: Any, path: Path | str) -> Any:
    """Let the answer load a file; say so when it leaves torch in another state than before."""
    model = answer(path)
    if (device := torch.get_default_device().type) != "cpu":
        raise Wrong(
            f"after it every new tensor is on the device {device}, in the whole notebook. "
            '`with torch.device("meta"):` ends with its block.'
        )
    if (dtype := torch.get_default_dtype()) != torch.float32:
        raise Wrong(f"after it every new tensor is {dtype}, in the whole notebook.")
    if not torch.is_grad_enabled():
        raise Wrong("after it no gradients are computed any more, in the whole notebook.")
    return model


def smallest(answer: Any, inputs: Inputs) -> Tensor:
    """One layer, four tokens."""
    meta_is_ready()
    return loaded(answer, a_file(inputs, SMALLEST))(some_ids(inputs, 1, 4)).detach()


def logits(
    answer: Any, inputs: Inputs, sizes: Sizes, kinds: dict[str, str] | None = None
) -> Tensor:
    """What the loaded model makes of some ids."""
    return loaded(answer, a_file(inputs, sizes, kinds))(some_ids(inputs)).detach()


def other_kinds(answer: Any, inputs: Inputs) -> Tensor:
    """A file in which other tensors are stored in other ways: the kind stands at each tensor."""
    kinds = {
        "token_embd": "Q4_1",
        "blk.0.attn_v": "Q8_0",
        "blk.1.attn_output": "F32",
        "blk.1.ffn_down": "Q8_0",
        "blk.0.ffn_up": "F16",
        "output_norm": "F16",
    }
    return logits(answer, inputs, TIED, kinds)


def many_layers(answer: Any, inputs: Inputs) -> Tensor:
    """Eleven layers, so that one has a number of two digits, and MHA."""
    sizes = TIED | {"n_layers": 11, "n_kv_heads": 4, "hidden_dim": 32}
    return loaded(answer, a_file(inputs, sizes))(some_ids(inputs, 1, 3)).detach()


def parameters(answer: Any, inputs: Inputs) -> list:
    """The dtype and shape of every parameter, and whether it has numbers."""
    seen = []
    for sizes in (SMALLEST, UNTIED):
        model = loaded(answer, a_file(inputs, sizes))
        if meta := [name for name, weight in model.named_parameters() if weight.is_meta]:
            raise Wrong(f"`{meta[0]}` is still on the meta device: it was given no numbers.")
        state = dict(iter(model.named_parameters()))
        if sizes["tie_embeddings"]:
            state.pop("output.weight", None)  # a second name of the table, in some Llamas
        seen.append({name: [str(w.dtype), list(w.shape)] for name, w in sorted(state.items())})
    return seen


def still_tied(answer: Any, inputs: Inputs) -> list[Tensor]:
    """Change the embedding table of a tied model: its output projection is the same table."""
    model, ids = loaded(answer, a_file(inputs, SMALLEST)), some_ids(inputs)
    before = model(ids).detach()
    with torch.no_grad():
        dict(iter(model.named_parameters()))["tok_embeddings.weight"][7] += 1.0
    return [before, model(ids).detach()]


def two_files(answer: Any, inputs: Inputs) -> list[Tensor]:
    """Two files, one after the other, by a Path and by a text; then the first model again."""
    ids = some_ids(inputs)
    first = loaded(answer, a_file(inputs, SMALLEST))
    second = loaded(answer, str(a_file(inputs, SMALLEST | {"rope_base": 50.0})))
    return [model(ids).detach() for model in (first, second, first)]


def one_fewer(tensors: Tensors) -> Tensors:
    """Without one matrix of a layer."""
    return {name: value for name, value in tensors.items() if "ffn_up" not in name}


def no_last_norm(tensors: Tensors) -> Tensors:
    """Without the norm before the output projection."""
    return {name: value for name, value in tensors.items() if "output_norm" not in name}


def a_bias(tensors: Tensors) -> Tensors:
    """With a bias, as other families of models have it."""
    return tensors | {"blk.0.attn_q.bias": tensors["output_norm.weight"]}


def one_layer_more(tensors: Tensors) -> Tensors:
    """With a tensor of a layer that is not counted."""
    return tensors | {"blk.1.attn_norm.weight": tensors["output_norm.weight"]}


def refuses(answer: Any, inputs: Inputs) -> list[str]:
    """Files with a tensor too few, and with one that no Llama of this course has a place for."""
    seen = []
    for change in (one_fewer, no_last_norm, a_bias, one_layer_more):
        path = a_file(inputs, SMALLEST, change=change)
        seen.append(
            f"{change.__name__}: {'refused' if error_of(lambda p=path: answer(p)) else 'loaded'}"
        )
    return seen


def stays(answer: Any, inputs: Inputs) -> str:
    """Compare the file before and after its model was changed in place."""
    path = a_file(inputs, SMALLEST)
    before = path.read_bytes()
    model = loaded(answer, path)
    with torch.no_grad():
        for _, weight in model.named_parameters():
            weight += 1.0
    return "unchanged" if path.read_bytes() == before else "changed"
