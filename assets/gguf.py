"""A small reader of GGUF files, the format of llama.cpp: `read(path)`.

Such a file begins with key-value pairs and a table of tensors; the numbers follow, one tensor after
the other. Nothing of them is read before it is needed: they are mapped into memory.
"""

from __future__ import annotations

import math
import mmap
import struct
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

# How many numbers a block holds, and in how many bytes.
KINDS = {0: ("F32", 1, 4), 1: ("F16", 1, 2), 3: ("Q4_1", 32, 20), 8: ("Q8_0", 32, 34)}
# The types of metadata: struct's letters; 8 is text, 9 a list.
TYPES = dict(zip((0, 1, 2, 3, 4, 5, 6, 7, 10, 11, 12), "BbHhIif?QqdB", strict=False))


class DamagedFile(ValueError):
    """A file is no GGUF file, is cut off, or contradicts itself."""


@dataclass(frozen=True)
class Stored:
    """One tensor as it lies in the file.

    kind: "F32", "F16", "Q8_0" or "Q4_1". shape: as torch has it, (out, in). blocks: (n, bytes of a
    block) uint8, a view of the file; a row of the tensor is whole blocks, one after the other.
    """

    name: str
    kind: str
    shape: tuple[int, ...]
    blocks: Tensor

    def plain(self) -> Tensor:
        """The numbers, float32, of every kind but Q4_1, which is the learner's exercise."""
        if self.kind not in PLAIN:
            raise ValueError(f"{self.name} is stored as {self.kind}, not as plain numbers.")
        return PLAIN[self.kind](self.blocks).reshape(self.shape)


@dataclass(frozen=True)
class File:
    """A GGUF file: what its maker wrote about it, and its tensors by their names."""

    path: Path
    metadata: dict[str, Any]
    tensors: dict[str, Stored]

    def config(self) -> dict[str, Any]:
        """The arguments of LlamaConfig, all from the file."""
        said = self.metadata
        table = "token_embd.weight"
        return {
            "dim": said["llama.embedding_length"],
            "n_layers": said["llama.block_count"],
            "n_heads": said["llama.attention.head_count"],
            "n_kv_heads": said["llama.attention.head_count_kv"],
            "vocab_size": self.tensors[table].shape[0],
            "hidden_dim": said["llama.feed_forward_length"],
            "max_seq_len": said["llama.context_length"],
            "norm_eps": said["llama.attention.layer_norm_rms_epsilon"],
            "rope_base": said["llama.rope.freq_base"],
            "tie_embeddings": "output.weight" not in self.tensors,
        }


def read(path: Path | str) -> File:
    """Open a GGUF file. DamagedFile when it is none, or not whole.

    The tensors stay in the file until they are used: reading takes milliseconds.
    """
    path = Path(path)
    size = path.stat().st_size
    if size < 24:
        raise DamagedFile(f"{path.name} has {size} bytes, too few for a GGUF file.")
    with path.open("rb") as file:  # a private copy: whoever writes into it changes no file
        data = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_COPY)
    if data[:4] != b"GGUF":
        raise DamagedFile(f"{path.name} does not begin with the letters GGUF.")
    try:
        return _read(path, data)
    except (struct.error, IndexError, UnicodeDecodeError, OverflowError, MemoryError) as error:
        raise DamagedFile(f"{path.name} ends or breaks off inside its table.") from error


def _read(path: Path, data: mmap.mmap) -> File:
    header = _Reader(data, at=4)
    version, n_tensors, n_pairs = header.number("I"), header.number("Q"), header.number("Q")
    if version not in (2, 3):
        raise DamagedFile(f"{path.name} is GGUF version {version}; 2 and 3 are known.")
    metadata = {}
    for _ in range(n_pairs):
        name = header.text()
        metadata[name] = header.value(header.number("I"))
    table = []
    for _ in range(n_tensors):
        name = header.text()
        sizes = [header.number("Q") for _ in range(header.number("I"))]
        table.append((name, sizes[::-1], header.number("I"), header.number("Q")))
    align = metadata.get("general.alignment", 32)
    start = -(-header.at // align) * align  # the numbers begin at a multiple of it
    whole = torch.frombuffer(data, dtype=torch.uint8)
    tensors = {}
    for name, shape, kind, offset in table:
        if kind not in KINDS:
            raise DamagedFile(f"{name} is stored as GGML type {kind}, which this reader lacks.")
        title, numbers, n_bytes = KINDS[kind]
        rows = math.prod(shape) // numbers
        begin, end = start + offset, start + offset + rows * n_bytes
        if math.prod(shape) % numbers or end > len(data):
            raise DamagedFile(
                f"{path.name} is cut off: {name} ends at byte {end:,}, the file at {len(data):,}."
            )
        blocks = whole[begin:end].view(rows, n_bytes)
        tensors[name] = Stored(name, title, tuple(shape), blocks)
    return File(path, metadata, tensors)


class _Reader:
    """Reads one thing after the other."""

    def __init__(self, data: mmap.mmap, at: int) -> None:
        self.data, self.at = data, at

    def number(self, letter: str) -> Any:
        (value,) = struct.unpack_from(f"<{letter}", self.data, self.at)
        self.at += struct.calcsize(f"<{letter}")
        return value

    def text(self) -> str:
        length = self.number("Q")
        if self.at + length > len(self.data):
            raise IndexError("a text that is longer than the file")
        self.at += length
        return self.data[self.at - length : self.at].decode("utf-8")

    def value(self, kind: int) -> Any:
        if kind == 8:
            return self.text()
        if kind != 9:
            return self.number(TYPES[kind] if kind in TYPES else _unknown(kind))
        kind, length = self.number("I"), self.number("Q")
        if length > len(self.data):
            raise IndexError("a list that is longer than the file")
        return [self.value(kind) for _ in range(length)]


def _unknown(kind: int) -> str:
    raise DamagedFile(f"there is metadata of the type {kind}, which does not exist.")


def _float32(blocks: Tensor) -> Tensor:
    return blocks.clone().view(torch.float32)  # cloned, so that the numbers lie in memory


def _float16(blocks: Tensor) -> Tensor:
    return blocks.clone().view(torch.float16).float()


def dequantize_q8_0(blocks: Tensor) -> Tensor:
    """Blocks of 32 numbers in 34 bytes: a float16 scale and 32 signed bytes.

    blocks: (n, 34) uint8 → (n, 32) float32.
    """
    scale = blocks[:, :2].clone().view(torch.float16).float()  # (n, 1)
    return blocks[:, 2:].view(torch.int8) * scale


PLAIN: dict[str, Callable[[Tensor], Tensor]] = {
    "F32": _float32,
    "F16": _float16,
    "Q8_0": dequantize_q8_0,
}
