"""Lab 11: what each step towards a fast decoder gains on this machine, and what it costs."""

from __future__ import annotations

import copy
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import torch
from torch import Tensor, nn

from assets import smollm2
from assets.gguf import File
from plots.measure import give_back, short
from plots.measures import decoders
from plots.show import counted

PROMPT, PLACES, TURN = (8, 4, 2) if short() else (32, 100, 10)  # TURN: tokens until the next row's
FEWEST = 50  # places, on a machine where all of them would take too long
PATIENCE = 20.0  # seconds for them, of all rows together
READS = (
    3 if short() else 12
)  # times that a long row of numbers is read, of which the fastest counts
SAMPLE = Path(smollm2.__file__).with_name("shakespeare_sample.txt")


@dataclass
class Row:
    """One way to decode, how long it took for each token, and what it would have written there."""

    name: str
    model: Callable[[Tensor, Any], Tensor]  # (ids, caches) → logits
    n_bytes: float  # of weights, read for each token
    caches: Any = None
    seconds: list[float] = field(default_factory=list)
    choices: list[int] = field(default_factory=list)
    instead_of: int = -1  # the row, counted from this one, that this is one step away from

    def read(self, ids: Tensor) -> None:
        """Take in ids (1, T), and note the time and the likeliest next token."""
        start = time.perf_counter()
        choice = int(self.model(ids, self.caches)[0, -1].argmax())
        self.seconds.append(time.perf_counter() - start)
        self.choices.append(choice)

    @property
    def median(self) -> float:
        """Seconds for a token."""
        return sorted(self.seconds)[len(self.seconds) // 2]


def faster(path: Path, model: nn.Module | None = None) -> None:
    """Print tokens per second and agreement, step by step, from float32 to the file's nibbles.

    path: the GGUF file. model: the learner's Llama with the file's weights; without one the table
    begins with the joined matrices. Every row reads the same text, token by token, and says at each
    place what it would have written; the first row's choices are what the others are held against.
    """
    give_back()
    file = smollm2.read(path)
    ids = smollm2.tokenizer(file).encode(SAMPLE.read_text(encoding="utf-8")).ids
    rows = steps(file, model)
    del file
    give_back()  # all rows are in memory at once: 2 GB are soon full
    with torch.inference_mode():
        measure(rows, torch.tensor([ids[: PROMPT + PLACES]]))
    print(table(rows))
    read = bandwidth(
        next(r.model for r in rows if isinstance(r.model, decoders.Decoder)).output.weight
    )
    print(f"Adding up float32 numbers, this machine reads {read / 1e9:.1f} GB a second.")
    if not decoders.kernel_works():
        print("This torch has no 4-bit kernel; the last rows compute with float16 instead.")


def steps(file: File, model: nn.Module | None = None) -> list[Row]:
    """The rows of the table, most of them with one thing that the one before has not."""
    config = SimpleNamespace(**file.config())
    weights = decoders.unpacked_weights(file) if model is None else model.state_dict()
    layers = sum(w.numel() for name, w in weights.items() if name.startswith("layers."))
    table = weights.get("output.weight", weights["tok_embeddings.weight"]).numel()
    packed = 5 / 8 if decoders.kernel_works() else 2  # bytes for a number
    joined = "joined matrices, angles known"
    exact = decoders.fused(config, weights)
    del weights  # on a full machine the copies below take their place
    rows = [Row(f"{joined}, float32", exact, 4 * (layers + table))]
    if model is not None:
        rows.insert(0, Row("your Llama, float32", model, 4 * (layers + table)))
    halved = decoders.halved(exact)
    rows.append(Row("… with float16 weights", halved, 2 * (layers + table)))
    four_bit = decoders.four_bit(file, table=halved.output)
    shortlisted = decoders.shortlisted(four_bit)
    rows.append(Row("… the layers left in 4 bits", four_bit, packed * layers + 2 * table))
    rows.append(Row("… and a 4-bit shortlist of tokens", shortlisted, packed * (layers + table)))
    if model is not None:  # another way to read half as much, so it is held against the first row
        # A copy: the learner's own stays as it is. The memo puts float16 where float32 would go,
        # the matrices of two rows above where they are the same: memory is short on small machines.
        there = halved.matrices()
        memo: dict[int, Any] = {}
        for name, weight in model.named_parameters():
            half = there.get(name)
            if half is None or half.shape != weight.shape:
                half = weight.detach().half()
            memo[id(weight)] = nn.Parameter(half, False)
        halves = copy.deepcopy(model, memo).half()
        name, first = "your Llama, all in float16", -len(rows)
        rows.append(Row(name, halves, 2 * (layers + table), instead_of=first))
    return rows


def bandwidth(numbers: Tensor) -> float:
    """Bytes that this machine reads in a second, when it only adds numbers up."""
    seconds = []
    for _ in range(READS):
        start = time.perf_counter()
        numbers.sum()
        seconds.append(time.perf_counter() - start)
    return numbers.nbytes / min(seconds)


def measure(rows: list[Row], ids: Tensor) -> None:
    """Let the rows read ids (1, T) in turns: the prompt at once, then some tokens, one by one."""
    for row in rows:
        row.caches = row.model.new_caches(1, ids.shape[1])
        row.model(ids[:, :PROMPT], row.caches)
    begun, last = time.perf_counter(), ids.shape[1]
    for start in counted(range(PROMPT, last, TURN), "turn"):
        spent = time.perf_counter() - begun
        if start - PROMPT >= FEWEST and spent > PATIENCE:
            break
        for row in rows:
            for at in range(start, min(start + TURN, last)):
                row.read(ids[:, at : at + 1])


def table(rows: list[Row]) -> str:
    """What was measured. Gain: against the first row, and against what the row goes out from."""
    first, places = rows[0], len(rows[0].choices)
    lines = [
        f"{'':42}tokens    gain over      weights   GB a   the same",
        f"{'':42}a second  1st   before   read    second   choice",
    ]
    for at, row in enumerate(rows):
        same = sum(a == b for a, b in zip(row.choices, first.choices, strict=True))
        before = rows[max(at + row.instead_of, 0)]
        lines.append(
            f"{row.name:42}{1 / row.median:7.1f}{first.median / row.median:6.1f}×"
            f"{before.median / row.median:6.1f}×{row.n_bytes / 1e6:7.0f} MB"
            f"{row.n_bytes / row.median / 1e9:7.1f}{same:6} of {places}"
        )
    threads = torch.get_num_threads()
    lines.append(f"Medians of {places} tokens, in turns, {threads} thread{'s' * (threads > 1)}.")
    return "\n".join(lines)
