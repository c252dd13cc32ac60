"""Lab 11, 11.4: what people write for load_llama.

Sources are the public issues in which somebody really made the mistake.
"""

import contextlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from assets import gguf
from checks.engine import Mistake
from checks.reference import real_weights as right

SIZES = "`LlamaConfig(**file.config())`: everything from the file."
KIND = 'Ask each tensor: `if stored.kind == "Q4_1"`, otherwise `stored.plain()`.'
STRICT = "`model.load_state_dict(weights, assign=True)`: strict is the default."

Change = Callable[[str, Tensor], Tensor]


def sized(**config: Any) -> Callable[[Any], nn.Module]:
    """Sizes that do not come from the file."""
    return lambda path: right.build(path, **config)


def changed(change: Change) -> Callable[[Any], nn.Module]:
    """The right numbers, changed tensor by tensor: change(name in the file, numbers)."""
    return lambda path: right.build(
        path, numbers=lambda stored: change(stored.name, right.numbers(stored))
    )


def only(part: str, change: Callable[[Tensor], Tensor]) -> Callable[[Any], nn.Module]:
    """Only the tensors whose names contain `part` are changed."""
    return changed(lambda name, x: change(x) if part in name else x)


def renamed(rename: Callable[[str], str], strict: bool = True) -> Callable[[Any], nn.Module]:
    """Names that go elsewhere."""
    return lambda path: right.build(path, rename=rename, strict=strict)


def _swap(one: str, other: str) -> Callable[[Any], nn.Module]:
    def rename(name: str) -> str:
        name = right.rename_weight(name)
        return name.replace(one, "•").replace(other, one).replace("•", other)

    return renamed(rename)


def _permuted(to_half: bool, parts: tuple[str, ...]) -> Callable[[Any], nn.Module]:
    """The rows of wq and wk put into another order, head by head."""

    def load(path: Path | str) -> nn.Module:
        config = gguf.read(path).config()
        d = config["dim"] // config["n_heads"]

        def change(name: str, weight: Tensor) -> Tensor:
            if not any(part in name for part in parts):
                return weight
            heads = weight.unflatten(0, (-1, d))
            sizes = (d // 2, 2) if to_half else (2, d // 2)
            return heads.unflatten(1, sizes).transpose(1, 2).reshape(weight.shape)

        return changed(change)(path)

    return load


def _at_random(model: nn.Module) -> nn.Module:
    """Fill with random numbers what has none."""
    generator = torch.Generator().manual_seed(0)
    for name, weight in list(model.named_parameters()):
        if weight.is_meta:
            owner, _, last = name.rpartition(".")
            drawn = torch.randn(weight.shape, generator=generator)
            setattr(model.get_submodule(owner), last, nn.Parameter(drawn))
    return model


def _lenient(path: Path | str) -> nn.Module:
    def rename(name: str) -> str:
        with contextlib.suppress(ValueError):
            return right.rename_weight(name)
        return name

    return _at_random(right.build(path, rename=rename, strict=False))


def _shifted(path: Path | str) -> nn.Module:
    count = gguf.read(path).config()["n_layers"]

    def rename(name: str) -> str:
        parts = right.rename_weight(name).split(".")
        if parts[0] == "layers":
            parts[1] = str((int(parts[1]) + 1) % count)
        return ".".join(parts)

    return right.build(path, rename=rename)


def _backwards(path: Path | str) -> nn.Module:
    count = gguf.read(path).config()["n_layers"]

    def rename(name: str) -> str:
        parts = right.rename_weight(name).split(".")
        if parts[0] == "layers":
            parts[1] = str(count - 1 - int(parts[1]))
        return ".".join(parts)

    return right.build(path, rename=rename)


def _sorted_as_text(path: Path | str) -> nn.Module:
    """Layer 10 comes before layer 2 in alphabetical order."""
    count = gguf.read(path).config()["n_layers"]
    order = sorted(map(str, range(count)))

    def rename(name: str) -> str:
        parts = right.rename_weight(name).split(".")
        if parts[0] == "layers":
            parts[1] = str(order.index(parts[1]))
        return ".".join(parts)

    return right.build(path, rename=rename)


def _not_filled(path: Path | str) -> nn.Module:
    return right.Llama(gguf.read(path).config())


def _never_loaded(path: Path | str) -> nn.Module:
    return _at_random(right.Llama(gguf.read(path).config()))


def _random_output(path: Path | str) -> nn.Module:
    model = right.build(path)
    if model.config["tie_embeddings"]:
        model.config = model.config | {"tie_embeddings": False}
        torch.manual_seed(0)
        table = model.tok_embeddings.weight
        model.output = nn.Linear(table.shape[1], table.shape[0], bias=False)
    return model


def _copied_output(path: Path | str) -> nn.Module:
    model = right.build(path)
    if model.config["tie_embeddings"]:
        model.config = model.config | {"tie_embeddings": False}
        model.output = nn.Linear(1, 1, bias=False)
        model.output.weight = nn.Parameter(model.tok_embeddings.weight.detach().clone())
    return model


def _always_tied(path: Path | str) -> nn.Module:
    model = right.build(path)
    model.config = model.config | {"tie_embeddings": True}
    return model


def _all_q4_1(stored: gguf.Stored) -> Tensor:
    if len(stored.shape) == 1:
        return stored.plain()
    blocks = stored.blocks.reshape(-1, 20)  # fails for most of the other kinds
    return right.dequantize_q4_1(blocks).reshape(stored.shape)


def _by_name(stored: gguf.Stored) -> Tensor:
    """The table is Q8_0 and the norms are F32 in the one file that was looked at."""
    if "norm" in stored.name:
        return stored.blocks.clone().view(torch.float32).reshape(stored.shape)
    if stored.name in ("token_embd.weight", "output.weight"):
        return gguf.dequantize_q8_0(stored.blocks.reshape(-1, 34)).reshape(stored.shape)
    return right.dequantize_q4_1(stored.blocks.reshape(-1, 20)).reshape(stored.shape)


def _in_half(dtype: torch.dtype) -> Callable[[Any], nn.Module]:
    return lambda path: right.build(path).to(dtype)


class _OneForAll:
    """Keeps the first model, and hands it out for the second file, which is named by a text."""

    def __init__(self) -> None:
        self.model: nn.Module | None = None

    def __call__(self, path: Path | str) -> nn.Module:
        if self.model is None or not isinstance(path, str):
            self.model = right.build(path)
        return self.model


def _cached() -> Callable[[Any], nn.Module]:
    keep = _OneForAll()

    def load_llama(path: Path | str) -> nn.Module:
        return keep(path)

    return load_llama


def _state_dict(path: Path | str) -> dict[str, Tensor]:
    file = gguf.read(path)
    return {right.rename_weight(n): right.numbers(stored) for n, stored in file.tensors.items()}


def _with_tokenizer(path: Path | str) -> tuple[nn.Module, Any]:
    return right.build(path), gguf.read(path)


def _only_text(path: Path | str) -> nn.Module:
    return right.build(path.replace("\\", "/"))


def _only_path(path: Path | str) -> nn.Module:
    return right.build(path.with_suffix(".gguf"))


def _kv_heads(path: Path | str) -> nn.Module:
    model = right.build(path)
    heads, kv_heads = model.config["n_heads"], model.config["n_kv_heads"]
    order = torch.arange(heads).reshape(-1, kv_heads).T.flatten()  # tiled: head h reads h % K
    d = model.config["dim"] // heads
    rows = (order[:, None] * d + torch.arange(d)).flatten()
    for block in model.layers:
        part = block.attention
        part.wq.weight = nn.Parameter(part.wq.weight[rows].detach())
        part.wo.weight = nn.Parameter(part.wo.weight[:, rows].detach())
    return model


def _no_rotation(path: Path | str) -> nn.Module:
    model = right.build(path)
    model.config = model.config | {"rope_base": float("inf")}
    return model


def _device_left(path: Path | str) -> nn.Module:
    model = right.build(path)
    torch.set_default_device("meta")
    return model


def _gradients_off(path: Path | str) -> nn.Module:
    torch.set_grad_enabled(False)
    return right.build(path)


LOADING = [
    Mistake(
        "meta_for_everything",
        _device_left,
        '`torch.set_default_device("meta")` stays in force: from now on no new tensor of this '
        "notebook has any numbers.",
        '`with torch.device("meta"):` around the line that builds the model ends with its block.',
    ),
    Mistake(
        "gradients_left_off",
        _gradients_off,
        "`torch.set_grad_enabled(False)` stays in force: from now on nothing in this notebook can "
        "be trained.",
        "`with torch.no_grad():` ends with its block; here neither is needed.",
    ),
    Mistake(
        "never_loaded",
        _never_loaded,
        "The model is built and never filled: its weights are random.",
        "`model.load_state_dict(weights, assign=True)`",
    ),
    Mistake(
        "left_on_meta",
        _not_filled,
        "The model is still on the meta device: it has shapes and no numbers.",
        "`model.load_state_dict(weights, assign=True)`",
    ),
    Mistake(
        "not_strict",
        _lenient,
        "What does not fit is passed over: `strict=False`. A tensor too few or too many is an "
        "error, or a part of the model stays random and nobody knows.",
        STRICT,
        "pytorch/pytorch#141256, decoderesearch/SAELens#95",
    ),
    Mistake(
        "layers_off_by_one",
        _shifted,
        "Every layer got the weights of the one before it.",
        "`blk.N` becomes `layers.N`.",
    ),
    Mistake(
        "layers_backwards",
        _backwards,
        "The layers are in reverse order.",
        "`blk.N` becomes `layers.N`.",
    ),
    Mistake(
        "layers_sorted_as_text",
        _sorted_as_text,
        "The layers are sorted as words: layer 10 stands before layer 2.",
        "Use the number in the name.",
    ),
    Mistake(
        "gate_and_up_swapped",
        _swap("w_gate", "w_up"),
        "The weights of gate and up are swapped.",
        "Is `rename_weight` of 11.2 right, and is it used?",
        "ml-explore/mlx-lm#767",
    ),
    Mistake(
        "norms_swapped",
        _swap("attention_norm", "ffn_norm"),
        "The two norms of a block are swapped.",
        "Is `rename_weight` of 11.2 right, and is it used?",
    ),
    Mistake(
        "k_and_v_swapped",
        _swap("wk", "wv"),
        "The weights of keys and values are swapped.",
        "Is `rename_weight` of 11.2 right, and is it used?",
    ),
    Mistake(
        "q_and_o_swapped",
        _swap("wq", "wo"),
        "wq and wo are swapped.",
        "Is `rename_weight` of 11.2 right, and is it used?",
    ),
    Mistake(
        "permuted_to_half",
        _permuted(True, ("attn_q", "attn_k")),
        "The rows of wq and wk were brought into Hugging Face's order. In a GGUF file they lie as "
        "your apply_rope wants them, pair by pair.",
        "Leave the rows as they are.",
    ),
    Mistake(
        "permuted_again",
        _permuted(False, ("attn_q", "attn_k")),
        "The rows of wq and wk were permuted as from Hugging Face's order. Who wrote the GGUF file "
        "has done that already.",
        "Leave the rows as they are.",
    ),
    Mistake(
        "only_q_permuted",
        _permuted(False, ("attn_q",)),
        "The rows of wq were permuted, those of wk were not. Both lie in the file as your "
        "apply_rope wants them.",
        "Leave the rows as they are.",
    ),
    Mistake(
        "heads_tiled",
        _kv_heads,
        "Query heads read the kv heads in turns: 0, 1, 0, 1. Neighbours share one: 0, 0, 1, 1.",
        "`repeat_kv` of lab 06.",
        "ekzhang/jax-js#180, apple/axlearn#842",
    ),
    Mistake(
        "default_eps",
        sized(norm_eps=1e-5),
        "The norm's eps is 1e-5, whatever the file says.",
        SIZES,
    ),
    Mistake(
        "eps_1e_6",
        sized(norm_eps=1e-6),
        "The norm's eps is 1e-6, whatever the file says.",
        SIZES,
    ),
    Mistake(
        "llama_3_base",
        sized(rope_base=500_000.0),
        "RoPE's base is 500,000, as in Llama 3, whatever the file says.",
        SIZES,
    ),
    Mistake(
        "classic_base",
        sized(rope_base=10_000.0),
        "RoPE's base is 10,000, whatever the file says.",
        SIZES,
    ),
    Mistake(
        "smollm_base",
        sized(rope_base=100_000.0),
        "RoPE's base is 100,000, whatever the file says. So it is in SmolLM2's file only.",
        SIZES,
    ),
    Mistake(
        "default_eps_and_base",
        sized(norm_eps=1e-5, rope_base=500_000.0),
        "eps and RoPE's base are those of Llama 3, whatever the file says.",
        SIZES,
    ),
    Mistake(
        "no_positions",
        _no_rotation,
        "The model does not know positions: nothing is rotated.",
        SIZES,
    ),
    Mistake(
        "two_layers",
        sized(n_layers=2),
        "The model has two layers, whatever the file says.",
        SIZES,
    ),
    Mistake(
        "always_grouped",
        sized(n_kv_heads=2),
        "The model has two kv heads, whatever the file says.",
        SIZES,
    ),
    Mistake(
        "random_output",
        _random_output,
        "The output projection of a tied model is random. The file has no output.weight: the "
        "embedding table serves as both.",
        SIZES,
        "tinygrad/tinygrad#13796, meta-llama/llama-models#172, vllm-project/vllm#6758",
    ),
    Mistake(
        "copied_output",
        _copied_output,
        "The output projection of a tied model is a copy of the embedding table: 113 MB more for "
        "SmolLM2, and the two can drift apart.",
        SIZES,
        "rasbt/LLMs-from-scratch#822",
    ),
    Mistake(
        "always_tied",
        _always_tied,
        "The embedding table is taken for the output projection although the file has an "
        "output.weight of its own.",
        SIZES,
    ),
    Mistake(
        "all_as_q4_1",
        lambda path: right.build(path, numbers=_all_q4_1),
        "Every matrix is read as Q4_1. The embedding table, for one, is stored as Q8_0.",
        KIND,
    ),
    Mistake(
        "kinds_by_name",
        lambda path: right.build(path, numbers=_by_name),
        "How a tensor is stored is guessed from its name. Other files mix otherwise: the kind "
        "stands at each tensor.",
        KIND,
    ),
    Mistake(
        "matrices_transposed",
        changed(lambda name, x: x.T.reshape(x.shape) if x.dim() == 2 else x),
        "The matrices are filled column by column. A row of the weight is whole blocks, one after "
        "the other.",
        "`.reshape(stored.shape)`, without a transpose.",
    ),
    Mistake(
        "table_transposed",
        only("token_embd", lambda x: x.T.reshape(x.shape)),
        "The embedding table is filled column by column.",
        "`.reshape(stored.shape)`, without a transpose.",
    ),
    Mistake(
        "blocks_mixed",
        changed(
            lambda name, x: (
                x.reshape(-1, 2, 16).transpose(0, 1).reshape(x.shape) if x.dim() == 2 else x
            )
        ),
        "The halves of the blocks are mixed across blocks.",
        "Is `dequantize_q4_1` of 11.1 right, and is it used?",
    ),
    Mistake(
        "norm_weights_plus_one",
        only("norm", lambda x: x + 1),
        "1 is added to the norms' weights. So it is done for Gemma; Llama's are used as they are.",
        "Norms are stored as F32: `stored.plain()`.",
    ),
    Mistake(
        "norms_of_ones",
        only("norm", torch.ones_like),
        "The norms' weights stay ones.",
        "Norms are stored as F32: `stored.plain()`.",
    ),
    Mistake(
        "last_norm_of_ones",
        only("output_norm", torch.ones_like),
        "The last norm's weights stay ones.",
        "`output_norm.weight` becomes `norm.weight`.",
    ),
    Mistake(
        "table_scaled",
        only("token_embd", lambda x: x * x.shape[-1] ** 0.5),
        "The embeddings are multiplied by the root of the width. So it is done for "
        "Gemma, not here.",
        "`stored.plain()`, as it is.",
    ),
    Mistake(
        "q_scaled",
        changed(lambda name, x: x / 8**0.5 if "attn_q" in name else x),
        "1/sqrt(d) is put into wq although your attention divides by it already.",
        "Leave the weights as they are.",
    ),
    Mistake(
        "float16_weights",
        _in_half(torch.float16),
        "The weights are float16, or were: float32 is asked for, all the way.",
        "`dequantize_q4_1` gives float32.",
    ),
    Mistake(
        "bfloat16_weights",
        _in_half(torch.bfloat16),
        "The weights are bfloat16, or were: float32 is asked for, all the way.",
        "`dequantize_q4_1` gives float32.",
    ),
    Mistake(
        "float64_weights",
        _in_half(torch.float64),
        "The weights are float64; float32 is asked for.",
        "`dequantize_q4_1` gives float32.",
    ),
    Mistake(
        "first_model_kept",
        _cached(),
        "The second file gave the first one's model: something is kept between two calls.",
        "Nothing outside the function.",
    ),
    Mistake(
        "weights_only",
        _state_dict,
        "It returns the weights. A model is asked for.",
        "`return model`",
    ),
    Mistake(
        "model_and_file",
        _with_tokenizer,
        "It returns two things. Only the model is asked for.",
        "`return model`",
    ),
    Mistake(
        "path_as_text_only",
        _only_text,
        "It works for a path that is a text, and not for a Path.",
        "`gguf.read(path)` takes both.",
    ),
    Mistake(
        "path_as_path_only",
        _only_path,
        "It works for a Path, and not for a path that is a text.",
        "`gguf.read(path)` takes both.",
    ),
]
