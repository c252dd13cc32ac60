"""Lab 11, slow and obvious: one nibble, one name and one message after the other.

The Llama here computes in float64, with the names of the course's modules, and shares no code with
what the learner wrote.
"""

import functools
import math
import struct
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from assets import gguf

DEFAULT = "You are a helpful AI assistant named SmolLM, trained by Hugging Face"
END = "<|im_end|>"
NAMES = {
    "attn_norm": "attention_norm",
    "attn_q": "attention.wq",
    "attn_k": "attention.wk",
    "attn_v": "attention.wv",
    "attn_output": "attention.wo",
    "ffn_norm": "ffn_norm",
    "ffn_gate": "feed_forward.w_gate",
    "ffn_up": "feed_forward.w_up",
    "ffn_down": "feed_forward.w_down",
}
OUTSIDE = {"token_embd": "tok_embeddings", "output_norm": "norm", "output": "output"}


def dequantize_q4_1(blocks: Tensor) -> Tensor:
    """Turn blocks of 20 bytes into 32 numbers each."""
    rows = []
    for block in blocks.tolist():
        scale, minimum = struct.unpack("<ee", bytes(block[:4]))
        numbers = [minimum + scale * (byte % 16) for byte in block[4:]]
        numbers += [minimum + scale * (byte // 16) for byte in block[4:]]
        rows.append(numbers)
    return torch.tensor(rows, dtype=torch.float64).reshape(-1, 32).float()


def rename_weight(gguf_name: str) -> str:
    """Translate a tensor's name in the file to its name in the course's Llama."""
    for theirs, ours in OUTSIDE.items():
        if gguf_name == f"{theirs}.weight":
            return f"{ours}.weight"
    parts = gguf_name.split(".")
    if len(parts) == 4 and parts[0] == "blk" and parts[1].isdigit() and parts[3] == "weight":
        for theirs, ours in NAMES.items():
            if parts[2] == theirs:
                return f"layers.{parts[1]}.{ours}.weight"
    raise ValueError(f"the course's Llama has no place for {gguf_name!r}")


def chat_prompt(messages: list[dict[str, str]]) -> str:
    """Write a conversation in ChatML, up to where the assistant's answer begins."""
    text = ""
    for i, message in enumerate(messages):
        if i == 0 and message["role"] != "system":
            text += "<|im_start|>system\n" + DEFAULT + END + "\n"
        text += "<|im_start|>" + message["role"] + "\n" + message["content"] + END + "\n"
    return text + "<|im_start|>assistant\n"


class _Weight(nn.Module):
    """A linear map, a table or a norm: what all of them have."""

    def __init__(self, *shape: int) -> None:
        super().__init__()
        self.register_parameter("weight", nn.Parameter(torch.empty(shape, device="meta")))


class _Attention(nn.Module):
    def __init__(self, dim: int, narrow: int) -> None:
        super().__init__()
        self.wq, self.wo = _Weight(dim, dim), _Weight(dim, dim)
        self.wk, self.wv = _Weight(narrow, dim), _Weight(narrow, dim)


class _FeedForward(nn.Module):
    def __init__(self, dim: int, hidden: int) -> None:
        super().__init__()
        self.w_gate, self.w_up = _Weight(hidden, dim), _Weight(hidden, dim)
        self.w_down = _Weight(dim, hidden)


class _Block(nn.Module):
    def __init__(self, config: dict[str, Any]) -> None:
        super().__init__()
        dim = config["dim"]
        self.attention_norm, self.ffn_norm = _Weight(dim), _Weight(dim)
        self.attention = _Attention(dim, dim // config["n_heads"] * config["n_kv_heads"])
        self.feed_forward = _FeedForward(dim, config["hidden_dim"])


class Llama(nn.Module):
    """A Llama in float64, without a cache; new, it has no numbers yet."""

    def __init__(self, config: dict[str, Any]) -> None:
        super().__init__()
        self.config = config
        self.tok_embeddings = _Weight(config["vocab_size"], config["dim"])
        self.layers = nn.ModuleList(_Block(config) for _ in range(config["n_layers"]))
        self.norm = _Weight(config["dim"])
        if not config["tie_embeddings"]:
            self.output = _Weight(config["vocab_size"], config["dim"])

    def fill(self, weights: dict[str, Tensor], strict: bool = True) -> None:
        """Do what `load_state_dict(weights, strict=strict, assign=True)` does, in less time."""
        places = {f"{name}.weight": m for name, m in self.named_modules() if type(m) is _Weight}
        if strict and (differ := places.keys() ^ weights.keys()):
            raise RuntimeError(f"missing or unexpected: {sorted(differ)}")
        for name in places.keys() & weights.keys():
            if places[name].weight.shape != weights[name].shape:
                raise RuntimeError(f"size mismatch for {name}")
            places[name].register_parameter("weight", nn.Parameter(weights[name]))

    def forward(self, ids: Tensor) -> Tensor:
        """ids: (B, T) → logits (B, T, V) float32."""
        x = self.tok_embeddings.weight.double()[ids]
        for block in self.layers:
            x = x + self._attend(block.attention, self._normed(x, block.attention_norm))
            y, part = self._normed(x, block.ffn_norm), block.feed_forward
            gate = y @ part.w_gate.weight.double().T
            up = y @ part.w_up.weight.double().T
            x = x + (gate / (1 + torch.exp(-gate)) * up) @ part.w_down.weight.double().T
        table = self.tok_embeddings if self.config["tie_embeddings"] else self.output
        return (self._normed(x, self.norm) @ table.weight.double().T).float()

    def _normed(self, x: Tensor, norm: _Weight) -> Tensor:
        root = (x.square().mean(-1, keepdim=True) + self.config["norm_eps"]).sqrt()
        return x / root * norm.weight.double()

    def _attend(self, part: _Attention, x: Tensor) -> Tensor:
        heads, kv_heads = self.config["n_heads"], self.config["n_kv_heads"]
        q, k, v = (x @ w.weight.double().T for w in (part.wq, part.wk, part.wv))
        q = self._rotated(q.unflatten(-1, (heads, -1)).transpose(1, 2))
        k = self._rotated(k.unflatten(-1, (kv_heads, -1)).transpose(1, 2))
        v = v.unflatten(-1, (kv_heads, -1)).transpose(1, 2)
        k, v = (y.repeat_interleave(heads // kv_heads, 1) for y in (k, v))
        scores = q @ k.transpose(-2, -1) / math.sqrt(q.shape[-1])
        hidden = torch.ones(scores.shape[-2:], dtype=torch.bool).triu(1)
        mixed = scores.masked_fill(hidden, -torch.inf).softmax(-1) @ v
        return mixed.transpose(1, 2).flatten(2) @ part.wo.weight.double().T

    def _rotated(self, x: Tensor) -> Tensor:
        d = x.shape[-1]
        pairs = torch.arange(0, d, 2, dtype=torch.float64)
        turn = torch.arange(x.shape[-2])[:, None] * self.config["rope_base"] ** (-pairs / d)
        turned = torch.view_as_complex(x.unflatten(-1, (-1, 2)).contiguous())
        return torch.view_as_real(turned * torch.exp(1j * turn)).flatten(-2)


def numbers(stored: gguf.Stored) -> Tensor:
    """The numbers of one tensor of a file, all rows of blocks at once."""
    if stored.kind != "Q4_1":
        return stored.plain()
    return _of_bytes(stored.blocks.numpy().tobytes()).reshape(stored.shape).clone()


@functools.lru_cache(maxsize=512)
def _of_bytes(blocks: bytes) -> Tensor:
    """(n, 32) float32; kept, since every known mistake reads the same small files."""
    rows = torch.frombuffer(bytearray(blocks), dtype=torch.uint8).view(-1, 20)
    head = rows[:, :4].clone().view(torch.float16).float()
    nibbles = torch.cat([rows[:, 4:] % 16, rows[:, 4:] // 16], dim=1)
    return head[:, :1] * nibbles + head[:, 1:]


def build(
    path: Path | str,
    *,
    rename: Callable[[str], str] = rename_weight,
    numbers: Callable[[gguf.Stored], Tensor] = numbers,
    strict: bool = True,
    **changed: Any,
) -> Llama:
    """Load a Llama from a file; the parts can be replaced by wrong ones, the sizes changed."""
    file = gguf.read(path)
    model = Llama(file.config() | changed)
    weights = {rename(name): numbers(stored) for name, stored in file.tensors.items()}
    model.fill(weights, strict=strict)
    return model


def load_llama(path: Path | str) -> nn.Module:
    """Build the Llama that a GGUF file describes, with the numbers in it."""
    return build(path)


def chat(
    model: Any, tokenizer: Any, messages: list[dict[str, str]], n_new: int = 256
) -> Iterator[str]:
    """Answer a conversation, piece by piece: the likeliest token each time, until END."""
    prompt = tokenizer.encode(chat_prompt(messages)).ids
    caches = model.new_caches(1, len(prompt) + n_new)
    new, answer, shown = prompt, [], ""
    for _ in range(n_new):
        with torch.no_grad():
            logits = model(torch.tensor([new]), caches)
        token = int(logits[0, -1].argmax())
        if token == tokenizer.token_to_id(END):
            return
        answer.append(token)
        text = tokenizer.decode(answer)
        if not text.endswith("\N{REPLACEMENT CHARACTER}"):
            yield text[len(shown) :]
            shown = text
        new = [token]
