"""Lab 11: the same Llama, decoded faster. `Decoder` does what `Llama` does, in fewer steps.

A token takes as long as its weights take to be read, and every operation on the way costs some
microseconds, however small. So a Decoder stores the weights in fewer bytes (`Full`, `Half`,
`FourBit`), joins the matrices that read the same input, and computes all angles beforehand. What is
small stays in float32: the residual stream, the norms, attention and its cache.

    fused(config, weights)    four bytes a weight, exactly the plain model
    halved(decoder)           two bytes a weight
    four_bit(file)            5/8 of a byte: the nibbles of a Q4_1 file, as they are
    shortlisted(decoder)      and 5/8 of a byte for the output table, too, except for 64 tokens
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from assets.gguf import File
from plots.measures.linear_maps import (
    FourBit,
    Full,
    Half,
    Shortlist,
    kernel_works,
    nibbles_of,
    unpacked,
)

NAMES = {  # a layer's matrices here and in the file
    "attention.wq": "attn_q",
    "attention.wk": "attn_k",
    "attention.wv": "attn_v",
    "attention.wo": "attn_output",
    "feed_forward.w_gate": "ffn_gate",
    "feed_forward.w_up": "ffn_up",
    "feed_forward.w_down": "ffn_down",
}
JOINED = (  # those that read the same input
    ("attention.wq", "attention.wk", "attention.wv"),
    ("attention.wo",),
    ("feed_forward.w_gate", "feed_forward.w_up"),
    ("feed_forward.w_down",),
)
NORMS = {"attention_norm": "attn_norm", "ffn_norm": "ffn_norm"}
Linear = Callable[[Tensor], Tensor]  # (T, in) → (T, out)


def unpacked_weights(file: File) -> dict[str, Tensor]:
    """All numbers of a file in float32, by the names that Llama's state_dict has."""
    weights = {
        "tok_embeddings.weight": file.tensors["token_embd.weight"].plain(),
        "norm.weight": file.tensors["output_norm.weight"].plain(),
    }
    if "output.weight" in file.tensors:
        weights["output.weight"] = file.tensors["output.weight"].plain()
    for i in range(file.config()["n_layers"]):
        for here, there in NORMS.items():
            stored = file.tensors[f"blk.{i}.{there}.weight"]
            weights[f"layers.{i}.{here}.weight"] = stored.plain()
        for here, there in NAMES.items():
            stored = file.tensors[f"blk.{i}.{there}.weight"]
            weights[f"layers.{i}.{here}.weight"] = unpacked(*nibbles_of(stored))
    return weights


@dataclass
class Cache:
    """What a Decoder knows of the positions so far, of all layers at once."""

    past: Tensor  # (layers, 2K, max_len, d): the keys' heads, then the values'
    turns: Tensor  # (max_len, (H + 2K) · d/2) complex: how each pair turns at each position
    length: int = 0


class Decoder:
    """A Llama for one sequence: decoder(ids (1, T), caches) → logits (1, T, V)."""

    def __init__(
        self,
        config: Any,
        norms: Mapping[str, Tensor],
        join: Callable[..., Linear],
        output: Full | Half,
    ) -> None:
        """config: as LlamaConfig. norms: the RMSNorms' weights. join("layers.0.attention.wq", …):
        those maps as one, their results side by side. output: the table, which embeds as well,
        unless norms has "tok_embeddings.weight".
        """
        self.config, self.output = config, output
        self.embed = Full(norms["tok_embeddings.weight"]).rows if _untied(norms) else output.rows
        self.zero = torch.zeros(config.dim)
        self.norm = norms["norm.weight"]
        self.layers = []
        for i in range(config.n_layers):
            wqkv, wo, w_gate_up, w_down = (
                join(*(f"layers.{i}.{name}" for name in names)) for names in JOINED
            )
            attention_norm, ffn_norm = (norms[f"layers.{i}.{name}.weight"] for name in NORMS)
            self.layers.append((attention_norm, wqkv, wo, ffn_norm, w_gate_up, w_down))

    def new_caches(self, batch: int, max_len: int) -> Cache:
        """Make room for max_len positions, and compute how everything turns at each of them."""
        if batch != 1:
            raise ValueError(f"a Decoder decodes one sequence at a time, not {batch}")
        c, d = self.config, self.config.dim // self.config.n_heads
        frequencies = c.rope_base ** (-torch.arange(0, d, 2) / d)
        angles = torch.arange(max_len)[:, None] * frequencies  # (max_len, d/2)
        turn, still = torch.polar(torch.ones(2, *angles.shape), torch.stack((angles, 0 * angles)))
        queries = turn.repeat(1, c.n_heads) / math.sqrt(d)  # attention's scale with them
        turns = torch.cat((queries, turn.repeat(1, c.n_kv_heads), still.repeat(1, c.n_kv_heads)), 1)
        return Cache(torch.zeros(c.n_layers, 2 * c.n_kv_heads, max_len, d), turns)

    @torch.inference_mode()
    def __call__(self, ids: Tensor, caches: Cache) -> Tensor:
        """ids: (1, T), which follow those in the cache → logits (1, T, V)."""
        c, T, start = self.config, ids.shape[1], caches.length
        end = caches.length = start + T
        H, K = c.n_heads, c.n_kv_heads
        turn, past = caches.turns[start:end], caches.past[:, :, :end]
        slots = caches.past[:, :, start:end].unbind()  # (2K, T, d) for each layer
        keys, values = past[:, :K].unbind(), past[:, K:].unbind()  # (K, S, d)

        x = self.embed(ids[0]).clone()  # (T, dim)
        for layer, slot, k, v in zip(self.layers, slots, keys, values, strict=True):
            attention_norm, wqkv, wo, ffn_norm, w_gate_up, w_down = layer
            turned = wqkv(self.rms_norm(x, attention_norm)).float().view(torch.complex64) * turn
            heads = turned.view(torch.float32).view(T, H + 2 * K, -1).transpose(0, 1)
            slot.copy_(heads[H:])
            x.add_(wo(_attend(heads[:H], k, v)))
            gate, up = w_gate_up(self.rms_norm(x, ffn_norm)).chunk(2, dim=1)
            x.add_(w_down(F.silu(gate).mul_(up)))
        return self.output(self.rms_norm(x, self.norm))[None]

    def matrices(self) -> dict[str, Tensor]:
        """The layers' matrices by their names in Llama's state_dict: rows of the joined ones.

        And the embedding table, where it is the output table. Not for FourBit.
        """
        c, found = self.config, {}
        d = c.dim // c.n_heads
        sizes = {"attention.wk": c.n_kv_heads * d, "attention.wv": c.n_kv_heads * d}
        for i, (_, wqkv, wo, _, w_gate_up, w_down) in enumerate(self.layers):
            for names, linear in zip(JOINED, (wqkv, wo, w_gate_up, w_down), strict=True):
                rows = [sizes.get(name, linear.weight.shape[0] // len(names)) for name in names]
                rows[0] = linear.weight.shape[0] - sum(rows[1:])
                for name, part in zip(names, linear.weight.split(rows), strict=True):
                    found[f"layers.{i}.{name}.weight"] = part
        if self.embed == self.output.rows:
            found["tok_embeddings.weight"] = self.output.weight
        return found

    def rms_norm(self, x: Tensor, weight: Tensor) -> Tensor:
        """x: (T, dim) → (T, dim); for one token in two operations instead of seven."""
        if len(x) > 1:
            return F.rms_norm(x, weight.shape, weight, self.config.norm_eps)
        flat = x.view(-1)
        mean_square = flat.dot(flat).item() / self.config.dim
        scale = 1 / math.sqrt(mean_square + self.config.norm_eps)
        return torch.addcmul(self.zero, x, weight, value=scale)  # 0 + scale · x · weight


def _attend(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    """q: (H, T, d), scaled already; k, v: (K, S, d) → (T, H · d). The queries are the last T."""
    (H, T, d), (K, S, _) = q.shape, k.shape
    if T == 1:  # a group's queries, one under the other; nobody is to be masked
        weights = torch.softmax(torch.bmm(q.view(K, H // K, d), k.transpose(1, 2)), dim=-1)
        return torch.bmm(weights, v).view(1, H * d)
    mask = torch.ones(T, S, dtype=torch.bool).tril(S - T)
    mixed = F.scaled_dot_product_attention(
        q[None], k[None], v[None], attn_mask=mask, scale=1.0, enable_gqa=True
    )
    return mixed[0].transpose(0, 1).reshape(T, H * d)


def fused(config: Any, weights: Mapping[str, Tensor]) -> Decoder:
    """Decode with a Llama's state_dict, its matrices joined, in float32."""

    def join(*names: str) -> Linear:
        parts = [weights[f"{name}.weight"] for name in names]
        return Full(torch.cat(parts) if len(parts) > 1 else parts[0])

    norms = {name: weight for name, weight in weights.items() if weight.dim() == 1}
    if config.tie_embeddings:
        return Decoder(config, norms, join, Full(weights["tok_embeddings.weight"]))
    norms["tok_embeddings.weight"] = weights["tok_embeddings.weight"]
    return Decoder(config, norms, join, Full(weights["output.weight"]))


def halved(decoder: Decoder) -> Decoder:
    """The same decoder with its matrices in float16: the weights need not be joined once more."""
    half = _with_output(decoder, Half(decoder.output.weight))
    half.layers = [
        (norm, Half(wqkv.weight), Half(wo.weight), ffn_norm, Half(w_in.weight), Half(w_out.weight))
        for norm, wqkv, wo, ffn_norm, w_in, w_out in decoder.layers
    ]
    return half


def four_bit(
    file: File, table: Half | None = None, decode: Callable[[Tensor], Tensor] | None = None
) -> Decoder:
    """Decode with the nibbles of a Q4_1 file, unchanged; float16 where torch lacks the kernel.

    table: its output table, where one is in memory already. decode: a `dequantize_q4_1` whose
    weights tell the nibbles, instead of the file's own.
    """
    config = SimpleNamespace(**file.config())
    works = kernel_works()

    def join(*names: str) -> Linear:
        stored = [file.tensors[_in_file(name)] for name in names]
        taken = [nibbles_of(one, decode) for one in stored]
        nibbles, scales = (torch.cat(parts) for parts in zip(*taken, strict=True))
        return FourBit(nibbles, scales) if works else Half(unpacked(nibbles, scales))

    # Copies: else the whole file would stay in memory, whose nibbles are packed by now.
    norms = {"norm.weight": file.tensors["output_norm.weight"].plain().clone()}
    for i in range(config.n_layers):
        for here, there in NORMS.items():
            norm = file.tensors[f"blk.{i}.{there}.weight"].plain()
            norms[f"layers.{i}.{here}.weight"] = norm.clone()
    if not config.tie_embeddings:
        norms["tok_embeddings.weight"] = file.tensors["token_embd.weight"].plain()
    name = "token_embd.weight" if config.tie_embeddings else "output.weight"
    return Decoder(config, norms, join, table or Half(file.tensors[name].plain()))


def shortlisted(decoder: Decoder) -> Decoder:
    """The same decoder with a Shortlist; unchanged where torch's kernel does not take its table."""
    if not kernel_works() or decoder.config.vocab_size % 16:  # the kernel's own condition
        return decoder
    return _with_output(decoder, Shortlist(decoder.output.weight))


def _with_output(decoder: Decoder, output: Full | Half) -> Decoder:
    """A decoder that shares all but its output table, which embeds as well if the old one did."""
    other = copy.copy(decoder)
    if decoder.embed == decoder.output.rows:
        other.embed = output.rows
    other.output = output
    return other


def _in_file(name: str) -> str:
    """The file's name of a layer's matrix: layers.3.attention.wq → blk.3.attn_q.weight."""
    _, place, matrix = name.split(".", 2)
    return f"blk.{place}.{NAMES[matrix]}.weight"


def _untied(norms: Mapping[str, Tensor]) -> bool:
    return "tok_embeddings.weight" in norms
