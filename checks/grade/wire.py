"""Frames between the grader and a worker: JSON, and the raw bytes of tensors. Nothing is unpickled.

Both sides load this module. It knows no checks; it needs the standard library and torch.
"""

import contextlib
import json
import socket
import struct
from typing import Any

import torch
from torch import Tensor

LARGEST = 64 * 1024 * 1024  # bytes of one frame
DEEPEST = 60  # levels of a nested value
MOST_NUMBERS = 16 * 1024 * 1024  # of one tensor
HEAD = struct.Struct(">II")
DTYPES = {
    str(dtype).removeprefix("torch."): dtype
    for dtype in (
        *(torch.float32, torch.float64, torch.float16, torch.bfloat16),
        *(torch.int64, torch.int32, torch.int16, torch.int8, torch.uint8, torch.bool),
        *(torch.uint16, torch.uint32, torch.uint64),
        *(torch.complex64, torch.complex128),
    )
}


class Broken(ConnectionError):
    """The other side is gone, or says something that is no message."""


class TooLarge(ValueError):
    """What should be sent is larger than a frame may be."""


class Wire:
    """One end of a connection, which sends and receives whole frames."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection

    def send(self, message: dict[str, Any], blobs: list[bytes]) -> None:
        """Send one message and the bytes that it speaks of."""
        head = json.dumps(message, separators=(",", ":")).encode()
        size = sum(map(len, blobs))
        if len(head) + size > LARGEST:
            raise TooLarge(f"a value of more than {LARGEST // 2**20} MB")
        try:
            self._connection.sendall(b"".join((HEAD.pack(len(head), size), head, *blobs)))
        except OSError as error:
            raise Broken("the other side is gone") from error

    def receive(self) -> tuple[dict[str, Any], memoryview]:
        """Wait for one message; return it and the bytes that came with it."""
        n_head, n_blob = HEAD.unpack(self._exactly(HEAD.size))
        if n_head + n_blob > LARGEST:
            raise Broken(f"no message: {self._rest(n_head, n_blob)}")
        head, blob = self._exactly(n_head), self._exactly(n_blob)
        try:
            message = json.loads(bytes(head))
        except (ValueError, RecursionError) as error:
            raise Broken("a message that cannot be read") from error
        if not isinstance(message, dict):
            raise Broken("a message that is none")
        return message, blob

    def close(self) -> None:
        """End the connection."""
        self._connection.close()

    def _rest(self, *read: int) -> str:
        """What came instead of a message: a process that could not begin says why."""
        with contextlib.suppress(OSError):
            rest = HEAD.pack(*read) + self._connection.recv(1000)
            return " ".join(rest.decode("utf-8", "replace").split()[-30:])
        return ""

    def _exactly(self, size: int) -> memoryview:
        buffer = memoryview(bytearray(size))
        done = 0
        while done < size:
            try:
                got = self._connection.recv_into(buffer[done:])
            except OSError as error:
                raise Broken("the other side is gone") from error
            if not got:
                raise Broken("the other side is gone")
            done += got
        return buffer


def content(tensor: Tensor) -> bytes:
    """The numbers of an ordinary tensor as bytes, in the order of its indices."""
    plain = tensor.detach()
    if plain.is_complex() or plain.is_neg():
        plain = plain.resolve_conj().resolve_neg()
    if plain.dtype == torch.bfloat16:  # numpy has no such thing
        plain = plain.view(torch.int16)
    return plain.numpy().tobytes()


def layout(tensor: Tensor) -> dict[str, Any]:
    """Dtype, shape and, where it is not the usual one, the order in memory."""
    found: dict[str, Any] = {
        "dtype": str(tensor.dtype).removeprefix("torch."),
        "shape": list(tensor.shape),
    }
    if tensor.is_meta:
        found["meta"] = True
    elif not tensor.is_contiguous() and _is_dense(tensor):
        found["stride"] = list(tensor.stride())
    return found


def tensor_from(facts: dict[str, Any], blob: memoryview) -> Tensor:
    """A new tensor with this layout and these numbers; `Broken` when they do not fit."""
    dtype, shape = DTYPES.get(facts.get("dtype", "")), facts.get("shape", [])
    sizes = isinstance(shape, list) and all(type(n) is int and n >= 0 for n in shape)
    if dtype is None or not sizes or "shape" not in facts or len(shape) > 32:
        raise Broken("a tensor that is none")
    count = 1
    for size in shape:
        count *= size
    if facts.get("meta"):
        return torch.empty(shape, dtype=dtype, device="meta")
    if count > MOST_NUMBERS or count * dtype.itemsize != len(blob):
        raise Broken("a tensor whose numbers do not fit its shape")
    if not count:
        return torch.empty(shape, dtype=dtype)
    # A clone, since a view of something else may not be changed in place everywhere.
    flat = torch.frombuffer(bytearray(blob), dtype=dtype).reshape(shape).clone()
    stride = facts.get("stride")
    if not stride:
        return flat
    if sorted(_strides_of(shape, stride)) != sorted(_dense(shape, stride)):
        raise Broken("a tensor with impossible strides")
    return torch.empty_strided(shape, stride, dtype=dtype).copy_(flat)


def _is_dense(tensor: Tensor) -> bool:
    """Tell whether a tensor's numbers lie side by side, in whatever order."""
    shape, stride = list(tensor.shape), list(tensor.stride())
    return sorted(_strides_of(shape, stride)) == sorted(_dense(shape, stride))


def _strides_of(shape: list[int], stride: Any) -> list[int]:
    if not isinstance(stride, list) or len(stride) != len(shape):
        return []
    return [s for n, s in zip(shape, stride, strict=True) if n != 1]


def _dense(shape: list[int], stride: Any) -> list[int]:
    """The strides that these sizes have when nothing lies between them."""
    pairs = sorted((s, n) for n, s in zip(shape, stride, strict=False) if n != 1)
    found, room = [], 1
    for _, size in pairs:
        found.append(room)
        room *= size
    return found
