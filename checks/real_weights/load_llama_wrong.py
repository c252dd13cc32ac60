"""Lab 11, 11.4: load_llama, and what people write in place of its lines."""

import contextlib
import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from assets import gguf
from checks.engine import Mistake, mistakes_of
from checks.real_weights.dequantize_q4_1_wrong import dequantize_q4_1
from checks.real_weights.rename_weight_wrong import (
    rename_weight,
    swapped,
)
from checks.real_weights.small_llama import Linear, Llama, LlamaConfig


def weight_of(stored: gguf.Stored) -> Tensor:
    """The weight that is stored, as the text of 11.4 gives it."""
    if stored.kind == "Q4_1":
        return dequantized(stored.blocks.numpy().tobytes()).reshape(stored.shape).clone()
    return stored.plain()


@functools.lru_cache(maxsize=512)
def dequantized(blocks: bytes) -> Tensor:
    """(n, 32) float32; kept, since every known mistake reads the same small files."""
    return dequantize_q4_1(torch.frombuffer(bytearray(blocks), dtype=torch.uint8).view(-1, 20))


def load_llama(path: Path | str) -> Llama:
    file = gguf.read(path)
    #: `gguf.read(path)` takes both.
    #! path_as_text_only: file = gguf.read(path.replace("\\", "/"))
    #! path_as_text_only: assert path.endswith(".gguf"); …
    #! path_as_text_only: file = gguf.read("" + path)
    #  It works for a path that is a text, and not for a Path.
    #! path_as_path_only: file = gguf.read(path.resolve())
    #  It works for a Path, and not for a path that is a text.
    #: `with torch.no_grad():` ends with its block; here neither is needed.
    #! gradients_left_off: torch.set_grad_enabled(False); …
    #  `torch.set_grad_enabled(False)` stays in force: from now on nothing in this notebook can be trained.
    #: `dequantize_q4_1` gives float32.
    #! dtype_left: torch.set_default_dtype(torch.float16); …
    #! dtype_left: torch.set_default_dtype(torch.bfloat16); …
    #! dtype_left: torch.set_default_dtype(torch.float64); …
    #  `torch.set_default_dtype` stays in force: from now on every new tensor of this notebook has another dtype.
    sizes = file.config()
    #: `LlamaConfig(**file.config())`: everything from the file.
    #! default_eps: …; sizes["norm_eps"] = 1e-5
    #  The norm's eps is 1e-5, whatever the file says. [huggingface/candle#565]
    #! eps_1e_6: …; sizes["norm_eps"] = 1e-6
    #  The norm's eps is 1e-6, whatever the file says.
    #! llama_3_base: …; sizes["rope_base"] = 500_000.0
    #  RoPE's base is 500,000, as in Llama 3, whatever the file says.
    #! classic_base: …; sizes["rope_base"] = 10_000.0
    #  RoPE's base is 10,000, whatever the file says.
    #! smollm_base: …; sizes["rope_base"] = 100_000.0
    #  RoPE's base is 100,000, whatever the file says. So it is in SmolLM2's file only.
    #! default_eps_and_base: …; sizes["norm_eps"], sizes["rope_base"] = 1e-5, 500_000.0
    #  eps and RoPE's base are those of Llama 3, whatever the file says.
    #! no_positions: …; sizes["rope_base"] = float("inf")
    #  The model does not know positions: nothing is rotated.
    #! default_max_seq_len: …; sizes["max_seq_len"] = 8192
    #! default_max_seq_len: …; sizes["max_seq_len"] = 2048
    #! default_max_seq_len: …; sizes["max_seq_len"] = 4096
    #  max_seq_len is not the file's. No weight depends on it, but whoever asks the model how long a text may be gets a wrong answer.
    #! default_eps_base_and_length: …; sizes |= {"norm_eps": 1e-5, "rope_base": 500_000.0, "max_seq_len": 8192}
    #  eps, RoPE's base and max_seq_len are those of Llama 3, whatever the file says.
    #! two_layers: …; sizes["n_layers"] = 2
    #  The model has two layers, whatever the file says.
    #! thirty_layers: …; sizes["n_layers"] = 30
    #  The model has 30 layers, whatever the file says.
    #! one_layer_less: …; sizes["n_layers"] -= 1
    #  The model has a layer less than the file says.
    #! one_layer_more: …; sizes["n_layers"] += 1
    #  The model has a layer more than the file says.
    #! always_grouped: …; sizes["n_kv_heads"] = 2
    #  The model has two kv heads, whatever the file says.
    #! kv_heads_as_heads: …; sizes["n_kv_heads"] = sizes["n_heads"]
    #  The model has as many kv heads as query heads, whatever the file says.
    #! heads_as_kv_heads: …; sizes["n_heads"] = sizes["n_kv_heads"]
    #  The model has only as many query heads as kv heads.
    #! hidden_dim_by_hand: …; sizes["hidden_dim"] = 4 * sizes["dim"]
    #! hidden_dim_by_hand: …; sizes["hidden_dim"] = 1536
    #! hidden_dim_by_hand: …; sizes["hidden_dim"] = int(8 * sizes["dim"] / 3)
    #  The feed-forward width is computed or written by hand. The file says how wide it is.
    #! vocabulary_by_hand: …; sizes["vocab_size"] = 49152
    #! vocabulary_by_hand: …; sizes["vocab_size"] = 128_256
    #  The vocabulary's size is written by hand. The file says how large it is.
    #! always_tied: …; sizes["tie_embeddings"] = True
    #! always_tied: …; sizes["tie_embeddings"] = True
    #  The embedding table is taken for the output projection although the file has an output.weight of its own.
    #: `LlamaConfig(**file.config())` says whether they are tied. A Llama that keeps the table twice: `weights["output.weight"] =
    #  weights["tok_embeddings.weight"]` before loading, and after it `model.output.weight = model.tok_embeddings.weight`.
    #! never_tied: …; sizes["tie_embeddings"] = False
    #  The model has a place `output.weight` and the file has nothing for it: its embeddings are tied. [tinygrad/tinygrad#13796]
    #! random_output: …; sizes["tie_embeddings"] = False
    #  The output projection of a tied model is random, or has no numbers at all. The file has no output.weight: the embedding table serves as both.
    #  [tinygrad/tinygrad#13796, meta-llama/llama-models#172, vllm-project/vllm#6758]
    #: After loading `model.output.weight = model.tok_embeddings.weight`: one parameter again.
    #! tied_as_two: …; sizes["tie_embeddings"] = False
    #  The table of a tied model became two parameters: assign=True puts a tensor of its own into each place. SmolLM2 would have 162,826,560 weights
    #  instead of 134,515,008, and the two can drift apart. [rasbt/LLMs-from-scratch#822]
    with torch.device("meta"):
        #: `with torch.device("meta"):` around the line that builds the model ends with its block.
        #! meta_for_everything: torch.set_default_device("meta"); if True:
        #  `torch.set_default_device("meta")` stays in force: from now on no new tensor of this notebook has any numbers.
        #: `model.load_state_dict(weights, assign=True)`
        #! never_loaded: if True:
        #  The model is built and never filled: its weights are random.
        #!+ random_output: if True:
        model = Llama(LlamaConfig(**sizes))
        #: `LlamaConfig(**file.config())`: everything from the file.
        #! config_by_hand: model = Llama(LlamaConfig(576, 30, 9, 3, 49152, 1536, 2048, 1e-5, 100_000.0, True))
        #! config_by_hand: model = Llama(LlamaConfig())
        #  The sizes are written by hand, or left at their defaults. The next file has others.
        #: `LlamaConfig(**file.config())`: the two stars make arguments of the dictionary.
        #! config_not_unpacked: model = Llama(LlamaConfig(sizes))
        #! config_not_unpacked: model = Llama(sizes)
        #! config_not_unpacked: model = Llama(**sizes)
        #! config_not_unpacked: model = Llama(LlamaConfig(*sizes))
        #  The dictionary of sizes is not made into a LlamaConfig.
        #: Compute it in forward: the meta device has shapes and no numbers.
        #! computed_in_init: model = WithTable(LlamaConfig(**sizes))
        #  Your Llama computes a tensor in `__init__`, and there it is on the meta device: it has no numbers, and the file has none for it.
    weights = {}
    for name, stored in file.tensors.items():
        ours = rename_weight(name)
        #: `{rename_weight(name): weight_of(stored) for name, stored in file.tensors.items()}`
        #! names_kept: ours = name
        #! names_kept: ours = name
        #  The weights keep the file's names. Your Llama's are others: `rename_weight` of 11.2.
        #: `model.load_state_dict(weights, assign=True)`: strict is the default.
        #! unknown_left_out:
        #| try:
        #|     ours = rename_weight(name)
        #| except ValueError:
        #|     continue
        #  A tensor for which the Llama has no place is left out, without a word. It is a part of the model that you do not have.
        #  [vllm-project/vllm#7268]
        #! unknown_left_out:
        #| if name == "rope_freqs.weight":
        #|     continue
        #| ours = rename_weight(name)
        #! unknown_left_out:
        #| if name.endswith("bias"):
        #|     continue
        #| ours = rename_weight(name)
        #! unknown_left_out:
        #| ours = rename_weight(name)
        #| if ours not in model.state_dict():
        #|     continue
        #! unknown_left_out:
        #| with contextlib.suppress(ValueError):
        #|     ours = rename_weight(name)
        #| if ours not in model.state_dict():
        #|     continue
        #! not_strict:
        #| with contextlib.suppress(ValueError):
        #|     ours = rename_weight(name)
        #  What does not fit is passed over: `strict=False`. A tensor too few or too many is an error, or a part of the model stays random and nobody
        #  knows. [pytorch/pytorch#141256, decoderesearch/SAELens#95]
        #: Is `rename_weight` of 11.2 right, and is it used?
        #! gate_and_up_swapped: …; ours = swapped(ours, "w_gate", "w_up")
        #  The weights of gate and up are swapped. [ml-explore/mlx-lm#767]
        #! norms_swapped: …; ours = swapped(ours, "attention_norm", "ffn_norm")
        #  The two norms of a block are swapped.
        #! k_and_v_swapped: …; ours = swapped(ours, "wk", "wv")
        #  The weights of keys and values are swapped.
        #! q_and_o_swapped: …; ours = swapped(ours, "wq", "wo")
        #  wq and wo are swapped.
        #: `blk.N` becomes `layers.N`.
        #! layers_off_by_one: …; ours = moved(ours, lambda i: (i + 1) % sizes["n_layers"])
        #  Every layer got the weights of the one before it.
        #! layers_the_other_way: …; ours = moved(ours, lambda i: (i - 1) % sizes["n_layers"])
        #  Every layer got the weights of the one after it.
        #! layers_backwards: …; ours = moved(ours, lambda i: sizes["n_layers"] - 1 - i)
        #  The layers are in reverse order.
        #: Use the number in the name.
        #! layers_sorted_as_text: …; ours = moved(ours, lambda i: sorted(map(str, range(sizes["n_layers"]))).index(str(i)))
        #  The layers are sorted as words: layer 10 stands before layer 2.
        weight = weight_of(stored)
        #: Ask each tensor: `if stored.kind == "Q4_1"`, otherwise `stored.plain()`.
        #! all_as_q4_1: weight = dequantize_q4_1(stored.blocks).reshape(stored.shape)
        #! all_as_q4_1: weight = stored.plain() if len(stored.shape) == 1 else dequantize_q4_1(stored.blocks.reshape(-1, 20)).reshape(stored.shape)
        #! all_as_q4_1: weight = stored.plain() if len(stored.shape) == 1 else dequantize_q4_1(stored.blocks).reshape(stored.shape)
        #  Every matrix is read as Q4_1. The embedding table, for one, is stored as Q8_0.
        #! kinds_by_name: weight = by_name(stored)
        #  How a tensor is stored is guessed from its name. Other files mix otherwise: the kind stands at each tensor.
        #: `weight_of(stored)`: `plain()` reads every kind but Q4_1, which is your dequantize_q4_1's.
        #! plain_for_everything: weight = stored.plain()
        #  `stored.plain()` is asked for every tensor. It does not know Q4_1.
        #: `dequantize_q4_1(stored.blocks).reshape(stored.shape)`: (n, 32) becomes the matrix.
        #! not_reshaped: weight = dequantize_q4_1(stored.blocks) if stored.kind == "Q4_1" else stored.plain()
        #  The blocks are left as (n, 32). The weight has a shape of its own.
        #! blocks_for_weights: weight = stored.blocks
        #! blocks_for_weights: weight = stored
        #  What lies in the file is handed over as it is. It is the recipe for a weight, not the weight.
        #: `.reshape(stored.shape)`, without a transpose.
        #! matrices_turned: …; weight = weight.T
        #  The matrices are transposed. The shape is (out, in) already, as torch wants it.
        #! matrices_transposed: …; weight = weight.T.reshape(weight.shape) if weight.dim() == 2 else weight
        #! matrices_transposed: …; weight = weight.reshape(stored.shape[::-1]).T
        #  The matrices are filled column by column. A row of the weight is whole blocks, one after the other.
        #! table_transposed: …; weight = weight.T.reshape(weight.shape) if "token_embd" in name else weight
        #! table_transposed: …; weight = weight.reshape(stored.shape[::-1]).T if "token_embd" in name else weight
        #  The embedding table is filled column by column.
        #! table_turned: …; weight = weight.T if "token_embd" in name else weight
        #  The embedding table is transposed. Its shape is (V, dim) already.
        #: Is `dequantize_q4_1` of 11.1 right, and is it used?
        #! blocks_mixed: …; weight = weight.reshape(-1, 2, 16).transpose(0, 1).reshape(weight.shape) if weight.dim() == 2 else weight
        #  The halves of the blocks are mixed across blocks.
        #! interleaved: …; weight = weight.reshape(-1, 2, 16).transpose(1, 2).reshape(weight.shape) if stored.kind == "Q4_1" else weight
        #  The two nibbles of a byte became neighbours.
        #: Norms are stored as F32: `stored.plain()`.
        #! norm_weights_plus_one: …; weight = weight + ("norm" in name)
        #  1 is added to the norms' weights. So it is done for Gemma; Llama's are used as they are.
        #! norm_weights_minus_one: …; weight = weight - 1.0 * ("norm" in name)
        #  1 is taken from the norms' weights. So it is done for Gemma's files; Llama's are used as they are. [vllm-project/vllm#31464]
        #! norms_of_ones: …; weight = torch.ones_like(weight) if "norm" in name else weight
        #  The norms' weights stay ones.
        #: `output_norm.weight` becomes `norm.weight`.
        #! last_norm_of_ones: …; weight = torch.ones_like(weight) if "output_norm" in name else weight
        #  The last norm's weights stay ones.
        #: `stored.plain()`, as it is.
        #! table_scaled: …; weight = weight * weight.shape[-1] ** 0.5 if "token_embd" in name else weight
        #  The embeddings are multiplied by the root of the width. So it is done for Gemma, not here.
        #: Leave the weights as they are.
        #! q_scaled: …; weight = weight / 8**0.5 if "attn_q" in name else weight
        #  1/sqrt(d) is put into wq although your attention divides by it already.
        #: Leave the rows as they are.
        #! permuted_to_half: …; weight = permuted(weight, sizes, True) if "attn_q" in name or "attn_k" in name else weight
        #  The rows of wq and wk were brought into Hugging Face's order. In a GGUF file they lie as your apply_rope wants them, pair by pair.
        #  [karpathy/llama2.c#286]
        #! permuted_again: …; weight = permuted(weight, sizes, False) if "attn_q" in name or "attn_k" in name else weight
        #  The rows of wq and wk were permuted as from Hugging Face's order. Who wrote the GGUF file has done that already.
        #! only_q_permuted: …; weight = permuted(weight, sizes, False) if "attn_q" in name else weight
        #! only_q_permuted: …; weight = permuted(weight, sizes, True) if "attn_q" in name else weight
        #  The rows of wq were permuted, those of wk were not. Both lie in the file as your apply_rope wants them.
        #: `dequantize_q4_1` gives float32.
        #! float16_weights: …; weight = weight.half()
        #! float16_weights: …; weight = weight.half().float()
        #! float16_weights: …; weight = weight.half() if weight.dim() == 2 else weight
        #  The weights are float16, or were: float32 is asked for, all the way.
        #! bfloat16_weights: …; weight = weight.bfloat16()
        #! bfloat16_weights: …; weight = weight.bfloat16().float()
        #  The weights are bfloat16, or were: float32 is asked for, all the way.
        #! float64_weights: …; weight = weight.double()
        #! float64_weights: …; weight = weight.double() if weight.dim() == 2 else weight
        #  The weights are float64; float32 is asked for.
        weights[ours] = weight
        #: `{rename_weight(name): weight_of(stored) for name, stored in file.tensors.items()}`
        #! last_tensor_only: weights = {ours: weight}
        #  Each tensor throws away the ones before it: only the last one is in the dictionary.
        #! name_and_weight_swapped: weights[weight] = ours
        #  Weights are the dictionary's keys and names its values. It is the other way round.
    model.load_state_dict(weights, assign=True)
    #: `model.load_state_dict(weights, assign=True)`: strict is the default.
    #!+ names_kept: model.load_state_dict(weights, assign=True, strict=False)
    #!+ not_strict: model.load_state_dict(weights, assign=True, strict=False)
    #! not_strict: model.load_state_dict(weights, assign=True, strict=False)
    #!+ random_output: model.load_state_dict(weights, strict=False)
    #! random_output: model.config.tie_embeddings = False; model.output = Linear(sizes["dim"], sizes["vocab_size"]).to("meta"); model.load_state_dict(weights, assign=True, strict=False)
    #! missing_filled_in: weights = {**model.to_empty(device="cpu").state_dict(), **weights}; …
    #  What the file lacks is filled in from the new model, where it is random. A tensor too few is an error.
    #! unexpected_dropped: places = model.state_dict(); weights = {n: w for n, w in weights.items() if n in places}; …
    #  What the model has no place for is left out. A tensor too many is an error.
    #! checked_by_hand_and_ignored:
    #| with contextlib.suppress(RuntimeError):
    #|     model.load_state_dict(weights, assign=True)
    #  The error that load_state_dict raises is caught and forgotten.
    #: `model.load_state_dict(weights, assign=True)`
    #! left_on_meta: pass
    #  The model is still on the meta device: it has shapes and no numbers.
    #! without_assign: model.load_state_dict(weights)
    #  The numbers are copied onto the meta device, where they have no place. `assign=True` puts your tensors into the model instead.
    #!+ never_loaded: pass
    #! emptied: …; empty(model)
    #  `to_empty` throws the numbers away: what lies in the memory now is nobody's. Before loading it may stand, not after.
    #  [huggingface/transformers#34234]
    #!+ tied_as_two: weights.setdefault("output.weight", weights["tok_embeddings.weight"]); …
    #!+ always_tied: weights.pop("output.weight", None); …
    #! copied_output: …; with_own_output(model)
    #  The output projection of a tied model is a copy of the embedding table: 113 MB more for SmolLM2, and the two can drift apart.
    #  [rasbt/LLMs-from-scratch#822]
    #: `repeat_kv` of lab 06.
    #! heads_tiled: …; tile_heads(model)
    #  Query heads read the kv heads in turns: 0, 1, 0, 1. Neighbours share one: 0, 0, 1, 1. [ekzhang/jax-js#180, apple/axlearn#842]
    #: `blk.N` becomes `layers.N`.
    #! layer_0_for_all: weights = {n: weights[moved(n, lambda i: 0)] for n in weights}; …
    #  All layers got the weights of layer 0.
    #! last_layer_for_all: weights = {n: weights[moved(n, lambda i: sizes["n_layers"] - 1)] for n in weights}; …
    #  All layers got the weights of the last one.
    return model
    #: `return model`
    #! returns_the_report: return model.load_state_dict(weights, assign=True)
    #  It returns what load_state_dict says, not the model.
    #! weights_only: return weights
    #  It returns the weights. A model is asked for.
    #! model_and_file: return model, file
    #  It returns two things. Only the model is asked for.
    #! file_only: return file
    #  It returns the file. A model is asked for.
    #! no_return: pass
    #  The model is loaded and then forgotten: there is no `return`.
    #: `dequantize_q4_1` gives float32.
    #! float16_weights: return model.half()
    #! bfloat16_weights: return model.bfloat16()
    #! float64_weights: return model.double()


def moved(name: str, change: Callable[[int], int]) -> str:
    """A weight of one layer in another layer's place."""
    parts = name.split(".")
    if parts[0] == "layers":
        parts[1] = str(change(int(parts[1])))
    return ".".join(parts)


def permuted(weight: Tensor, sizes: dict[str, Any], to_half: bool) -> Tensor:
    """The rows of wq or wk in another order, head by head."""
    d = sizes["dim"] // sizes["n_heads"]
    pairs = (d // 2, 2) if to_half else (2, d // 2)
    return weight.unflatten(0, (-1, *pairs)).transpose(1, 2).reshape(weight.shape)


def by_name(stored: gguf.Stored) -> Tensor:
    """The table is Q8_0 and the norms are F32 in the one file that was looked at."""
    if "norm" in stored.name:
        return stored.blocks.clone().view(torch.float32).reshape(stored.shape)
    if stored.name in ("token_embd.weight", "output.weight"):
        return gguf.dequantize_q8_0(stored.blocks.reshape(-1, 34)).reshape(stored.shape)
    return dequantize_q4_1(stored.blocks.reshape(-1, 20)).reshape(stored.shape)


def with_own_output(model: Llama) -> None:
    """Give a tied model a copy of its table."""
    if model.config.tie_embeddings:
        model.config.tie_embeddings = False
        table = model.tok_embeddings.weight.detach().clone()
        model.output = Linear(*table.shape[::-1])
        model.output.weight = nn.Parameter(table)


def empty(model: Llama) -> None:
    """Do what `to_empty` does; new memory now and then holds the old numbers, this one never."""
    model.to_empty(device="cpu")
    with torch.no_grad():
        for weight in model.parameters():
            weight.fill_(-7e7)


def tile_heads(model: Llama) -> None:
    """Let head h read kv head h % K."""
    heads, kv_heads = model.config.n_heads, model.config.n_kv_heads
    order = torch.arange(heads).reshape(-1, kv_heads).T.flatten()
    d = model.config.dim // heads
    rows = (order[:, None] * d + torch.arange(d)).flatten()
    for block in model.layers:
        part = block.attention
        part.wq.weight = nn.Parameter(part.wq.weight[rows].detach())
        part.wo.weight = nn.Parameter(part.wo.weight[:, rows].detach())


class WithTable(Llama):
    """A Llama that computes its angles when it is built."""

    def __init__(self, config: LlamaConfig) -> None:
        super().__init__(config)
        self.register_buffer("angles", torch.arange(config.dim), persistent=False)


class OneForAll:
    """Keeps the first model, and hands it out for the second file, which is named by a text."""

    def __init__(self) -> None:
        self.model: nn.Module | None = None

    def __call__(self, path: Path | str) -> nn.Module:
        """Load a file, unless it is the second one."""
        if self.model is None or not isinstance(path, str):
            self.model = load_llama(path)
        return self.model


keep = OneForAll()


def first_model_kept(path: Path | str) -> nn.Module:
    """Load a file, or what was loaded before."""
    return keep(path)


MISTAKES: list[Mistake] = [
    *mistakes_of(load_llama),
    Mistake(
        "first_model_kept",
        first_model_kept,
        "The second file gave the first one's model: something is kept between two calls.",
        "Nothing outside the function.",
    ),
]
