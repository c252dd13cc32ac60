"""Lab 09, 9.6 and 9.7: a small model, its checkpoints, and what is found in a file."""

import os
import re
import shutil
import zipfile
from pathlib import Path
from typing import Any
from unittest import mock

import torch
from torch import Tensor, nn

from checks.engine import Inputs, Wrong, scratch

NAME = "llama.ckpt"
Moments = dict[str, tuple[Tensor, Tensor]]


class Small(nn.Module):
    """A table with two names, one number for each column, a frozen matrix in bfloat16, a buffer."""

    seen: Tensor

    def __init__(self, inputs: Inputs, width: int = 3) -> None:
        super().__init__()
        self.table = nn.Parameter(inputs.randn(4, width))
        self.scale = nn.Parameter(inputs.randn(width))
        self.again = self.table
        self.frozen = nn.Parameter(inputs.randn(2, 2).bfloat16(), requires_grad=False)
        self.register_buffer("seen", inputs.randn(width))


def moments_of(inputs: Inputs, model: nn.Module) -> Moments:
    """Drawn means of the gradient and of its square, by the parameters' names."""
    return {
        name: (inputs.randn(*p.shape), inputs.randn(*p.shape).square())
        for name, p in model.named_parameters()
    }


def a_path() -> Path:
    """A place for a file, in a folder that is emptied: a new one for each takes longest."""
    folder = scratch.folder("checkpoints")
    for old in folder.iterdir():
        shutil.rmtree(old) if old.is_dir() else old.unlink()
    return folder / NAME


def write(path: Path, model: nn.Module, moments: Moments, step: int, about: Any = None) -> None:
    """A checkpoint as 9.6 wants it."""
    state = {"weights": model.state_dict(), "moments": moments, "step": step, "about": about or {}}
    torch.save(state, path)


def write_as_on_a_gpu(path: Path, model: nn.Module, moments: Moments, step: int) -> None:
    """The same, and every tensor in it says that it lay on the first GPU."""
    with mock.patch("torch.serialization.location_tag", return_value="cuda:0"):
        write(path, model, moments, step)


class Code:
    """Something that runs a harmless call when it is read without weights_only."""

    def __reduce__(self) -> tuple:
        return os.getpid, ()


class Breaks:
    """Something that cannot be written: the program stops in the middle of the file."""

    def __reduce__(self) -> tuple:
        raise RuntimeError("no space left on the disk")


def found_in(path: Path) -> dict:
    """What stands in a file; `Wrong` says why that cannot be told."""
    if not path.exists():
        others = sorted(other.name for other in path.parent.iterdir())
        there = f", but {', '.join(others)}" if others else ""
        raise Wrong(f"there is no file at `path`, which ended in {path.name}{there}.")
    if not zipfile.is_zipfile(path):
        raise Wrong("what stands at `path` is no file of `torch.save`.")
    try:
        found = scratch.loaded[0](path)
    except Exception as error:
        object_ = re.search(r"GLOBAL (\S+)", str(error))
        name = f" `{object_[1].rpartition('.')[2]}`" if object_ else ""
        raise Wrong(
            f"`torch.load(path, weights_only=True)` refuses the file: there is an object{name} in "
            "it. It takes tensors, numbers, strings, lists and dicts, no other objects."
        ) from error
    if not isinstance(found, dict):
        raise Wrong(f"the file holds a {type(found).__name__}; wanted is a dict.")
    if missing := [name for name in ("weights", "moments", "step", "about") if name not in found]:
        has = ", ".join(f'"{name}"' for name in found) or "nothing"
        raise Wrong(f'the dict in the file has no "{missing[0]}"; it has {has}.')
    return found


def plain_state(model: nn.Module) -> dict[str, Tensor]:
    """A model's weights and buffers, as they are now."""
    return {name: value.detach().clone() for name, value in model.state_dict().items()}


def plain_moments(moments: Any) -> Any:
    """(m, v) by name, as lists: a pair may be a tuple or a list."""
    if not isinstance(moments, dict):
        return moments
    return {name: _plain_pair(pair) for name, pair in moments.items()}


def _plain_pair(pair: Any) -> Any:
    if not isinstance(pair, tuple | list):
        return pair
    return [value.detach().clone() if isinstance(value, Tensor) else value for value in pair]
