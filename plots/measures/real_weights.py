"""Lab 11: what the file holds, what it takes to load it, and how fast the model writes."""

from __future__ import annotations

import gc
import math
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from plots.measure import short

if TYPE_CHECKING:
    from assets.gguf import File

WAITS = "This cell waits for the real model: the cell that loads it says why."
FASTER = 1.6e9  # bytes that the decoders of section 11.6 need beside the model


def opened(path: Path | None) -> File | None:
    """The file, if there is one."""
    from assets import gguf

    alone()
    return gguf.read(path) if path else None


def alone() -> None:
    """Let a graded run compute in one thread.

    Other runs may be on the same cores, and then two threads that wait for each other hundreds of
    times a token take thirty times as long as one.
    """
    if short():
        torch.set_num_threads(1)


def contents(path: Path | None) -> None:
    """Print what a file spends its bytes on."""
    file = opened(path)
    if file is None:
        print(WAITS)
        return
    kinds: dict[str, list[int]] = {}
    for stored in file.tensors.values():
        row = kinds.setdefault(stored.kind, [0, 0, 0])
        row[0] += 1
        row[1] += int(torch.tensor(stored.shape).prod())
        row[2] += stored.blocks.numel()
    size = file.path.stat().st_size
    print("kind   tensors       numbers           bytes   bits a number   such as")
    for kind, (count, n, n_bytes) in sorted(kinds.items(), key=lambda item: -item[1][2]):
        names = [name for name, stored in file.tensors.items() if stored.kind == kind]
        print(f"{kind:6}{count:8}{n:14,}{n_bytes:16,}{8 * n_bytes / n:16.1f}   {names[0]}")
    n = sum(row[1] for row in kinds.values())
    rest = size - sum(row[2] for row in kinds.values())
    print(f"facts, vocabulary, list of tensors{rest:10,}")
    print(f"{'all':6}{len(file.tensors):8}{n:14,}{size:16,}{8 * size / n:16.1f}")


def memory(Llama: Any, LlamaConfig: Any, path: Path | None) -> None:
    """Print how many bytes of numbers exist when a model is built and then copied into."""
    file = opened(path)
    if file is None:
        print(WAITS)
        return
    with torch.device("meta"):
        model = Llama(LlamaConfig(**file.config()))
    places = {id(weight): 4 * weight.numel() for weight in model.parameters()}
    built = sum(places.values()) / 1e6
    real = sum(4 * math.prod(stored.shape) for stored in file.tensors.values()) / 1e6
    print(f"the model as it is built, random numbers {built:8,.0f} MB")
    print(f"a dictionary of all real weights         {real:8,.0f} MB")
    print(f"at once, before and while they are copied{built + real:8,.0f} MB")


def loaded(
    load_llama: Callable[[Path], nn.Module], path: Path | None
) -> tuple[nn.Module | None, Any]:
    """Load the model with the learner's function; return it and the tokenizer, or (None, None).

    What it took is printed, or why there is no model.
    """
    from assets import gguf, smollm2

    if path is None:
        print("There is no model to load: the first cell of the lab says why.")
        return None, None
    alone()
    print("Loading takes some seconds …")
    before, start = _resident(), time.perf_counter()
    try:
        model = load_llama(path)
    except NotImplementedError as error:
        print(f"✎ {error} is not written yet")
        return None, None
    except (MemoryError, RuntimeError) as error:
        if isinstance(error, RuntimeError) and "alloc" not in str(error):
            raise
        print("The memory was not enough. Shut down other kernels, restart this one, try again;")
        print("or go on without the model: every exercise and its check works.")
        return None, None
    seconds = time.perf_counter() - start
    gc.collect()
    count = sum(weight.numel() for weight in {id(w): w for w in model.parameters()}.values())
    print(f"{count:,} weights, {4 * count / 1e6:,.0f} MB in float32")
    more = _resident() - before
    print(f"loaded in {seconds:.1f} s; this program has grown by {more / 1e6:,.0f} MB")
    return model, smollm2.tokenizer(gguf.read(path))


def _resident() -> int:
    """Bytes of memory that this process has now; 0 where it cannot be asked."""
    try:
        pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    except (OSError, ValueError, IndexError):
        return 0
    return pages * os.sysconf("SC_PAGE_SIZE")


def pieces(text: str, path: Path | None) -> None:
    """Print the tokens of a text: their bytes, each decoded by itself, and all up to there."""
    file = opened(path)
    if file is None:
        print(WAITS)
        return
    from assets import smollm2

    known = smollm2.tokenizer(file)
    ids = known.encode(text).ids
    print(f"{text!r}: {len(ids)} tokens")
    for i, token in enumerate(ids):
        alone, so_far = known.decode([token]), known.decode(ids[: i + 1])
        held = bytes_of(known.id_to_token(token)).hex(" ")
        print(f"{token:6}   bytes {held:9} alone {alone!r:6} all so far {so_far!r}")


def bytes_of(token: str) -> bytes:
    """The bytes that a token of a byte-level vocabulary stands for; Ġ is a space, for one."""
    itself = [*range(33, 127), *range(161, 173), *range(174, 256)]  # the others are moved up
    others = (byte for byte in range(256) if byte not in itself)
    letters = {chr(byte): byte for byte in itself}
    letters |= {chr(256 + place): byte for place, byte in enumerate(others)}
    return bytes(letters[letter] for letter in token)


def template_of(file: File) -> tuple[str, Callable[[list[dict[str, str]]], str], bool]:
    """The file's chat template, what writes a prompt by it, and whether all of it is used.

    All of it where there is jinja2, which torch brings along. Elsewhere only what stands between
    the template's quotes: the default system prompt and the ending.
    """
    template = file.metadata["tokenizer.chat_template"]
    try:
        from jinja2.sandbox import ImmutableSandboxedEnvironment
    except ImportError:
        return template, _by_quotes(template), False
    made = ImmutableSandboxedEnvironment().from_string(template)
    return template, lambda talk: made.render(messages=talk, add_generation_prompt=True), True


def _by_quotes(template: str) -> Callable[[list[dict[str, str]]], str]:
    default = template.split("{{ '", 1)[1].split("' }}", 1)[0]

    def written(messages: list[dict[str, str]]) -> str:
        text = default if messages[0]["role"] != "system" else ""
        for message in messages:
            text += "<|im_start|>" + message["role"] + "\n" + message["content"] + "<|im_end|>\n"
        return text + template.rsplit("{{ '", 1)[1].split("' }}", 1)[0]

    return written


def speed(model: nn.Module | None, tokenizer: Any, n_new: int = 32) -> None:
    """Print how many tokens a second the model writes, and how many bytes it reads for that."""
    if model is None:
        print(WAITS)
        return
    n_new = 8 if short() else n_new
    ids = tokenizer.encode("The quick brown fox jumps over the lazy dog. " * 3).ids
    times: list[float] = []
    with torch.no_grad():
        caches, new = model.new_caches(1, len(ids) + n_new + 1), torch.tensor([ids])
        for _ in range(n_new + 1):
            start = time.perf_counter()
            new = model(new, caches)[:, -1:].argmax(-1)
            times.append(time.perf_counter() - start)
    median = sorted(times[1:])[n_new // 2]
    read = 4 * sum(weight.numel() for weight in model.parameters())
    print(f"the prompt, {len(ids)} tokens at once: {times[0] * 1e3:7.0f} ms")
    print(f"one new token: {median * 1e3:22.0f} ms, {1 / median:.1f} tokens a second")
    print(f"weights read for it: {read / 1e6:13,.0f} MB, {read / median / 1e9:.1f} GB a second")


def heads(
    model: nn.Module,
    ids: list[int],
    apply_rope: Callable[..., Tensor],
    weights: Callable[..., Tensor],
) -> list[Tensor]:
    """Return every layer's attention weights on a text, (H, T, T), by the learner's functions."""
    seen: list[Tensor] = []

    def look(layer: nn.Module, args: tuple, kwargs: dict) -> None:
        x, angles = [*args, *kwargs.values()][:2]
        d = 2 * angles.shape[-1]
        q, k = (part(x).unflatten(-1, (-1, d)).transpose(1, 2) for part in (layer.wq, layer.wk))
        q, k = apply_rope(q, angles), apply_rope(k, angles)
        k = k.repeat_interleave(q.shape[1] // k.shape[1], 1)
        mask = torch.ones(q.shape[2], q.shape[2], dtype=torch.bool).tril()
        seen.append(weights(q, k, mask)[0])

    hooks = [
        layer.attention.register_forward_pre_hook(look, with_kwargs=True) for layer in model.layers
    ]
    try:
        with torch.no_grad():
            model(torch.tensor([ids]))
    finally:
        for hook in hooks:
            hook.remove()
    return seen


def faster(path: Path | None, model: nn.Module | None) -> None:
    """Print what half precision, joined maps and 4-bit weights gain, and what they cost."""
    if path is None or model is None:
        print(WAITS)
        return
    from assets import smollm2
    from plots.measures.real_weights_faster import faster as compare

    free = smollm2.free_memory()
    if free is not None and free < FASTER:
        print(
            f"This comparison takes {FASTER / 1e9:.1f} GB more, and there are {free / 1e9:.1f} GB."
        )
        return
    compare(path, model)
