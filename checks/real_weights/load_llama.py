"""Lab 11, 11.4: what is tried on load_llama, with small files that the check writes itself."""

import functools
import re
import signal
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from assets import gguf
from checks.engine import Check, Crash, Inputs, Probe, Wrong, error_of
from checks.real_weights.load_llama_wrong import MISTAKES, rename_weight, weight_of
from checks.real_weights.small_files import SMALLEST, TIED, UNTIED, Sizes, Tensors, a_file
from checks.real_weights.small_llama import Llama, LlamaConfig

BUILD = "Build the Llama that a GGUF file describes, and give it the file's weights, in float32."
SIZES = "Sizes, eps and RoPE's base are the file's"
KINDS = "Q4_1 by your dequantize_q4_1, other kinds by the reader"
ONE_TABLE = "a tied table is one parameter"
STRICT = "A tensor too few or too many is an error"
AS_BEFORE = "torch's own settings stay as they are"
CONFIG = ("dim", "n_layers", "n_heads", "n_kv_heads", "vocab_size", "hidden_dim", "max_seq_len",
          "norm_eps", "rope_base")  # fmt: skip
NO_NUMBERS = (
    "something that your Llama computes in `__init__` is on the meta device and has no numbers. "
    "Compute it in forward."
)


def reference(path: Path | str) -> nn.Module:
    """Build the Llama that a file describes, then copy its weights, one after the other."""
    file = gguf.read(path)
    model = Llama(LlamaConfig(**file.config()))
    places = dict(model.named_parameters())
    for name, stored in file.tensors.items():
        places.pop(rename_weight(name)).data.copy_(weight_of(stored))
    if places:
        raise ValueError(f"nothing for {list(places)}")
    return model


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


def called(answer: Any, path: Path | str) -> tuple[Any, list]:
    """Let the answer load a file; torch's settings are put back, and returned as it left them."""
    meta_is_ready()
    try:
        model = answer(path)
    finally:
        device, dtype = torch.get_default_device().type, torch.get_default_dtype()
        left = [device, str(dtype), torch.is_grad_enabled()]
        torch.set_default_device(None)
        torch.set_default_dtype(torch.float32)
        torch.set_grad_enabled(True)
    return model, left


def loaded(answer: Any, path: Path | str, as_it_is: bool = False) -> Any:
    """Let the answer load a file; say what is wrong with the model before it is asked anything.

    It comes back in float32 whatever its dtype is, which one row asks for, unless `as_it_is`.
    """
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        try:
            model, _ = called(answer, path)
        except Crash as crash:
            if "in loading state_dict" not in str(crash.original):
                raise
            raise Wrong(unloaded(str(crash.original))) from crash
    module = vars(model)["_target"] if hasattr(model, "_target") else model
    if not isinstance(module, nn.Module):
        raise Wrong(f"it returned a {type(module).__name__}, expected the model, a Llama.")
    no_op = any("is a no-op" in str(warning.message) for warning in warned)
    if says := unfilled(module, no_op) or foreign(module, path):
        raise Wrong(says)
    return model if as_it_is else model.float()


def unloaded(says: str) -> str:
    """What load_state_dict says in many lines, in one: names in order, three of each kind."""
    missing, unexpected = (
        sorted(re.findall(r'"([^"]+)"', line))
        for kind in ("Missing", "Unexpected")
        for line in [next(iter(re.findall(rf"{kind} key.*", says)), "")]
    )
    sizes = sorted(re.findall(r"size mismatch for ([^:]+): .*?(\[.*?\]).*?(\[.*?\])", says))
    parts = [
        f"it finds no {named(missing)}" * bool(missing),
        f"the model has no {named(unexpected)}" * bool(unexpected),
        *(f"`{name}` is {mine} where the model has {place}" for name, mine, place in sizes[:1]),
    ]
    return f"load_state_dict stops: {', and '.join(part for part in parts if part)}."


def named(names: list[str]) -> str:
    """The first three names, and how many more there are."""
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    return ", ".join(f"`{name}`" for name in names[:3]) + more


def unfilled(model: nn.Module, no_op: bool) -> str:
    """Say which weights have no numbers."""
    weights = dict(model.named_parameters())
    meta = [name for name, weight in weights.items() if weight.is_meta]
    if meta and no_op:
        return (
            "its weights are still on the meta device. torch warned of it: without `assign=True` "
            "load_state_dict copies numbers, and there they have no place."
        )
    if meta and len(meta) == len(weights):
        return "all its weights are still on the meta device: it was given no numbers."
    if meta:
        return f"{named(meta)} is still on the meta device: it was given no numbers."
    kept = [*model.buffers(), *(v for part in model.modules() for v in vars(part).values())]
    return NO_NUMBERS if any(isinstance(v, Tensor) and v.is_meta for v in kept) else ""


def foreign(model: nn.Module, path: Path | str) -> str:
    """Say when none of the matrices, or the second table of a tied model, is the file's."""
    weights = dict(model.named_parameters(remove_duplicate=False))
    file = numbers_in(Path(path))
    matrices = [name for name, weight in file.items() if weight.dim() == 2 and name in weights]
    if matrices and not any(alike(weights[name], file[name]) for name in matrices):
        new = all(bool((weight == 1).all()) for name, weight in weights.items() if "norm" in name)
        return "none of its matrices has the file's numbers, and the norms' weights are " + (
            "ones, as in a new model." if new else "others, too."
        )
    second = weights.get("output.weight")
    if "output.weight" in file or second is None or alike(second, weights["tok_embeddings.weight"]):
        return ""
    return (
        "`output.weight` holds other numbers than the embedding table. In this file one table "
        "serves as both."
    )


@functools.lru_cache(maxsize=64)
def numbers_in(path: Path) -> dict[str, Tensor]:
    """Name in the model → numbers of one small file."""
    file = gguf.read(path)
    return {rename_weight(name): weight_of(stored) for name, stored in file.tensors.items()}


def alike(one: Tensor, other: Tensor) -> bool:
    """Tell whether two tensors hold the same numbers, in whatever order and dtype."""
    if one.numel() != other.numel():
        return False
    a, b = (x.detach().float().flatten().sort().values for x in (one, other))
    return torch.allclose(a, b, rtol=0.02, atol=0.02)


def logits(
    answer: Any, inputs: Inputs, sizes: Sizes, kinds: dict[str, str] | None = None, **ids: int
) -> Tensor:
    """What the loaded model makes of some ids."""
    return loaded(answer, a_file(inputs, sizes, kinds))(some_ids(inputs, **ids)).detach()


def config(answer: Any, inputs: Inputs) -> dict[str, Any]:
    """The sizes in the model's config."""
    model = loaded(answer, a_file(inputs, UNTIED))
    said = model.config
    return {name: said[name] if isinstance(said, dict) else getattr(said, name) for name in CONFIG}


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
    return logits(answer, inputs, sizes, batch=1, length=3)


def parameters(answer: Any, inputs: Inputs) -> list:
    """The dtype and shape of every parameter."""
    seen = []
    for sizes in (SMALLEST, UNTIED):
        model = loaded(answer, a_file(inputs, sizes), as_it_is=True)
        state = dict(iter(model.named_parameters()))
        if sizes["tie_embeddings"] and "output.weight" in state:
            raise Wrong(
                "the table of a tied model is there twice, as `tok_embeddings.weight` and as "
                "`output.weight`, two parameters: so SmolLM2 has 162,826,560 weights for "
                "134,515,008. Tie them after loading."
            )
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
    path = str(a_file(inputs, SMALLEST | {"rope_base": 50.0}))
    try:
        second = loaded(answer, path)
    except Crash as crash:
        if not isinstance(crash.original, AttributeError | TypeError):
            raise
        raise Wrong("it stops when the path is a text: `path: Path | str`.") from crash
    return [model(ids).detach() for model in (first, second, first)]


def without(part: str) -> Callable[[Tensors], Tensors]:
    """A file without the tensors whose names contain `part`."""
    return lambda tensors: {name: value for name, value in tensors.items() if part not in name}


def with_one_more(name: str) -> Callable[[Tensors], Tensors]:
    """A file with a tensor that no Llama of this course has a place for."""
    return lambda tensors: tensors | {name: tensors["output_norm.weight"]}


CHANGES = {
    "a file without `blk.0.ffn_up.weight`": without("ffn_up"),
    "one without `output_norm.weight`": without("output_norm"),
    "one with `blk.0.attn_q.bias`": with_one_more("blk.0.attn_q.bias"),
    "one with `rope_freqs.weight`": with_one_more("rope_freqs.weight"),
    "one with a layer more than it says": with_one_more("blk.1.attn_norm.weight"),
}


def refuses(answer: Any, inputs: Inputs) -> str:
    """Files with a tensor too few, and with one that no Llama of this course has a place for."""
    loaded(answer, a_file(inputs, SMALLEST))  # a whole one is loaded, at least
    found = []
    for says, change in CHANGES.items():
        path = a_file(inputs, SMALLEST, change=change)
        if error_of(lambda path=path: called(answer, path)) is None:
            found.append(says)
    if found:
        raise Wrong(
            f"it loaded {', '.join(found)}, without an error. Then some weights stay what they "
            "were, or are never used, and nobody notices."
        )
    return "refused"


def settings(answer: Any, inputs: Inputs) -> list:
    """torch's default device and dtype, and whether gradients are on, after a file was loaded."""
    return called(answer, a_file(inputs, SMALLEST))[1]


load_llama = Check(
    exercise="11.4",
    name="load_llama",
    weight=3,
    reference=reference,
    technique=[
        Probe(
            "the smallest file: one layer, tied embeddings",
            lambda answer, inputs: logits(answer, inputs, SMALLEST, batch=1, length=4),
            promise=BUILD,
        ),
        Probe(
            "a small file: two layers, grouped heads, tied embeddings",
            lambda answer, inputs: logits(answer, inputs, TIED),
            promise=BUILD,
        ),
        Probe(
            "a file with an output projection, another eps and base",
            lambda answer, inputs: logits(answer, inputs, UNTIED),
            promise=SIZES,
        ),
        Probe("its config says what the file says", config, promise=SIZES),
        Probe("every parameter: its shape, float32, none twice", parameters, promise=BUILD),
        Probe(
            "tensors stored in other ways: Q8_0, F16, F32, Q4_1",
            other_kinds,
            promise=KINDS,
        ),
        Probe("eleven layers", many_layers, promise=SIZES),
        Probe(
            "the output projection of a tied model is its embedding table",
            still_tied,
            "The embedding table was changed, and the logits did not follow as they should: the "
            "output projection of a tied model is the same table, not a copy.",
            promise=ONE_TABLE,
        ),
        Probe("two files, one after the other", two_files, promise="path: Path | str"),
        Probe("a tensor too few, or one too many", refuses, promise=STRICT),
    ],
    ready=[
        Probe(
            "torch's settings afterwards",
            settings,
            "After it torch makes new tensors on another device or in another dtype, or computes "
            "no gradients, in the whole notebook.",
            promise=AS_BEFORE,
        ),
    ],
    mistakes=MISTAKES,
    only_numbers=True,  # and a path, which nothing changes in place either
    hints=(
        "Where do the sizes come from, where the names, and where the numbers?",
        '`LlamaConfig(**file.config())` makes the sizes. Under `torch.device("meta")` the model is '
        "built without numbers; load_state_dict with `assign=True` puts yours in their places.",
        "`weights = {rename_weight(name): weight_of(stored) for name, stored in "
        "file.tensors.items()}`, then `model.load_state_dict(weights, assign=True)`.",
    ),
)
