"""Lab 11: blocks of Q4_1, and GGUF files that a check writes itself."""

import functools
import json
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from checks.engine import Inputs, scratch

TYPE_NUMBERS = {"F32": 0, "F16": 1, "Q4_1": 3, "Q8_0": 8}
ALIGNMENT = 32

Sizes = dict[str, Any]
Tensors = dict[str, tuple[str, tuple[int, ...], Tensor]]  # name → kind, shape, bytes
TIED: Sizes = {
    "dim": 32,
    "n_layers": 2,
    "n_heads": 4,
    "n_kv_heads": 2,
    "vocab_size": 11,
    "hidden_dim": 64,
    "norm_eps": 0.05,
    "rope_base": 300.0,
    "tie_embeddings": True,
}
SMALLEST = TIED | {"n_layers": 1, "hidden_dim": 32, "rope_base": 6.0}
UNTIED = TIED | {"tie_embeddings": False, "n_heads": 8, "norm_eps": 0.3, "rope_base": 20.0}


def block_of(scale: float, minimum: float, low: list[int], high: list[int]) -> Tensor:
    """One block of Q4_1: (1, 20) uint8. low: the first 16 nibbles, high: the other 16."""
    nibbles = [a + 16 * b for a, b in zip(low, high, strict=True)]
    return torch.tensor([[*struct.pack("<ee", scale, minimum), *nibbles]], dtype=torch.uint8)


def q4_1(inputs: Inputs, n: int, size: float = 1.0) -> Tensor:
    """Blocks with random scales, minima and nibbles: (n, 20) uint8."""
    scale = inputs.uniform(n, 1, low=0.02, high=0.2) * size
    minimum = inputs.uniform(n, 1, low=-1.6, high=-0.1) * size
    head = torch.cat([scale, minimum], dim=1).half().view(torch.uint8)  # (n, 4)
    return torch.cat([head, inputs.integers(n, 16, high=256).to(torch.uint8)], dim=1)


def q8_0(inputs: Inputs, n: int, size: float = 1.0) -> Tensor:
    """Blocks of 32 signed bytes with a scale: (n, 34) uint8."""
    scale = (inputs.uniform(n, 1, low=0.004, high=0.012) * size).half().view(torch.uint8)
    return torch.cat([scale, inputs.integers(n, 32, high=256).to(torch.uint8)], dim=1)


def stored(inputs: Inputs, kind: str, shape: tuple[int, ...]) -> Tensor:
    """Random numbers of one kind, as bytes."""
    count = int(torch.tensor(shape).prod())
    if kind == "Q4_1":
        return q4_1(inputs, count // 32, 1.2 / shape[-1] ** 0.5)
    if kind == "Q8_0":
        return q8_0(inputs, count // 32)
    values = inputs.uniform(count, low=0.4, high=1.6)
    if len(shape) > 1:  # around 0, and small: a rounding must not grow from layer to layer
        values = 2 * (values - 1) / shape[-1] ** 0.5
    return (values if kind == "F32" else values.half()).view(torch.uint8)


def tensors_of(inputs: Inputs, sizes: Sizes, kinds: dict[str, str]) -> Tensors:
    """Name → kind, shape, bytes of every tensor; norms are F32, the tables Q8_0, all else Q4_1."""
    dim, hidden, vocab = sizes["dim"], sizes["hidden_dim"], sizes["vocab_size"]
    narrow = dim // sizes["n_heads"] * sizes["n_kv_heads"]
    shapes: dict[str, tuple[int, ...]] = {"token_embd": (vocab, dim)}
    for i in range(sizes["n_layers"]):
        shapes |= {
            f"blk.{i}.attn_norm": (dim,),
            f"blk.{i}.ffn_down": (dim, hidden),
            f"blk.{i}.ffn_gate": (hidden, dim),
            f"blk.{i}.ffn_up": (hidden, dim),
            f"blk.{i}.ffn_norm": (dim,),
            f"blk.{i}.attn_k": (narrow, dim),
            f"blk.{i}.attn_output": (dim, dim),
            f"blk.{i}.attn_q": (dim, dim),
            f"blk.{i}.attn_v": (narrow, dim),
        }
    shapes["output_norm"] = (dim,)
    if not sizes["tie_embeddings"]:
        shapes["output"] = (vocab, dim)
    found = {}
    for name, shape in shapes.items():
        kind = "F32" if len(shape) == 1 else "Q8_0" if shape[0] == vocab else "Q4_1"
        kind = kinds.get(name, kind)
        found[f"{name}.weight"] = (kind, shape, stored(inputs, kind, shape))
    return found


def metadata_of(sizes: Sizes) -> dict[str, Any]:
    """The key-value pairs from which the sizes are read."""
    head_dim = sizes["dim"] // sizes["n_heads"]
    return {
        "general.architecture": "llama",
        "llama.block_count": sizes["n_layers"],
        "llama.context_length": 64,
        "llama.embedding_length": sizes["dim"],
        "llama.feed_forward_length": sizes["hidden_dim"],
        "llama.attention.head_count": sizes["n_heads"],
        "llama.attention.head_count_kv": sizes["n_kv_heads"],
        "llama.rope.freq_base": float(sizes["rope_base"]),
        "llama.attention.layer_norm_rms_epsilon": float(sizes["norm_eps"]),
        "llama.vocab_size": sizes["vocab_size"],
        "llama.rope.dimension_count": head_dim,
    }


def content_of(metadata: dict[str, Any], tensors: Tensors) -> bytes:
    """The bytes of a GGUF file, version 3: texts, whole numbers and float32 as metadata."""
    head = [b"GGUF", struct.pack("<IQQ", 3, len(tensors), len(metadata))]
    for key, value in metadata.items():
        head.append(_text(key))
        if isinstance(value, str):
            head.append(struct.pack("<I", 8) + _text(value))
        else:
            is_float = isinstance(value, float)
            head.append(struct.pack("<If" if is_float else "<II", 6 if is_float else 4, value))
    body = b""
    for name, (kind, shape, numbers) in tensors.items():
        sizes = struct.pack(f"<I{len(shape)}Q", len(shape), *shape[::-1])
        head.append(_text(name) + sizes + struct.pack("<IQ", TYPE_NUMBERS[kind], len(body)))
        body += _padded(numbers.numpy().tobytes())
    return _padded(b"".join(head)) + body


def _text(text: str) -> bytes:
    return struct.pack("<Q", len(text.encode())) + text.encode()


def _padded(data: bytes) -> bytes:
    return data + bytes(-len(data) % ALIGNMENT)


Change = Callable[[Tensors], Tensors]


@functools.lru_cache(maxsize=64)
def _content(seed: str, sizes: str, kinds: str, change: Change | None) -> bytes:
    """The bytes of one file; a check asks for the same ones again and again."""
    tensors = tensors_of(Inputs(seed), json.loads(sizes), json.loads(kinds))
    return content_of(metadata_of(json.loads(sizes)), change(tensors) if change else tensors)


def a_file(
    inputs: Inputs,
    sizes: Sizes,
    kinds: dict[str, str] | None = None,
    change: Change | None = None,
) -> Path:
    """Write a small Llama with random weights into a file, unless it lies there untouched."""
    seed = str(inputs.integers(1, high=10**9).item())
    path = scratch.folder("weights") / f"{seed}.gguf"
    content = _content(seed, json.dumps(sizes), json.dumps(kinds or {}), change)
    if _written.get(path) != (content, _stamp(path)):
        path.write_bytes(content)
        _written[path] = content, _stamp(path)
    return path


_written: dict[Path, tuple[bytes, tuple[int, int] | None]] = {}


def _stamp(path: Path) -> tuple[int, int] | None:
    """When a file was last written to, and how long it is."""
    try:
        state = path.stat()
    except FileNotFoundError:
        return None
    return state.st_mtime_ns, state.st_size
