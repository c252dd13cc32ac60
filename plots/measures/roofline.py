"""Lab 12: what this machine does in a second, and how near lab 11's decoders come to the limit."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from assets import smollm2
from plots.measure import one_thread, short
from plots.measures import decoders
from plots.measures.linear_maps import kernel_works
from plots.show import counted, once_written

DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}
MATRIX = 2**23 if short() else 2**27  # bytes of what is read: several times most caches
SMALLEST, LARGEST = 128, 1024  # rows of the square matrices that are multiplied
COLUMNS = 2048
SECONDS = 0.1 if short() else 0.8  # for each number that is measured
LEAST = 3  # runs, of which the fastest counts

PROMPT, PLACES, TURN = (8, 4, 2) if short() else (64, 60, 10)  # TURN: tokens until the next row's
PATIENCE = 25.0  # seconds for all rows together
SAMPLE = Path(smollm2.__file__).with_name("shakespeare_sample.txt")


@dataclass
class Machine:
    """What a processor does in a second, for each dtype: FLOPs, and bytes that it reads."""

    name: str
    peak: dict[str, float]
    bandwidth: dict[str, float]

    @property
    def best(self) -> tuple[float, float]:
        """The highest peak, and the fastest reading: nothing that runs here is above these."""
        return max(self.peak.values()), max(self.bandwidth.values())


def machine() -> Machine:
    """Measure this machine in one thread, print a table, and return its numbers.

    The peak: a product of square matrices, larger and larger while that is quick. The bandwidth: a
    matrix times a vector. The fastest run counts, since all else that goes on only slows it down.
    """
    peak, read = {}, {}
    with torch.inference_mode(), one_thread():
        for name in counted(DTYPES, "dtype", 0.5):
            peak[name] = peak_flops(DTYPES[name])
            read[name] = bandwidth(DTYPES[name])
    found = Machine("this machine", peak, read)
    print(table(found))
    return found


def table(found: Machine) -> str:
    """The numbers, and what they mean for a product and for a vector beside float32's."""
    first = next(iter(found.peak))
    lines = [
        "                a product,    a matrix times a vector,       the ridge,",
        "            GFLOP a second     GB a second  M weights    FLOPs a byte",
    ]
    for name, flops in found.peak.items():
        read = found.bandwidth[name]
        weights = read / DTYPES[name].itemsize
        lines.append(
            f"{name:10}{flops / 1e9:16.1f}{read / 1e9:16.1f}{weights / 1e6:11,.0f}"
            f"{flops / read:16.1f}"
        )
    quick = max(found.peak, key=found.peak.__getitem__)
    rate = {name: read / DTYPES[name].itemsize for name, read in found.bandwidth.items()}
    light = max(rate, key=rate.__getitem__)
    gains = found.peak[quick] / found.peak[first], rate[light] / rate[first]
    lines.append(
        f"Fastest here for a prompt: {quick} ({gains[0]:.1f} times {first}); "
        f"for a single token: {light} ({gains[1]:.1f} times)."
    )
    return "\n".join(lines)


def peak_flops(dtype: torch.dtype) -> float:
    """FLOPs a second of a product of square matrices."""
    size, best, begun = SMALLEST, 0.0, time.perf_counter()
    while True:
        a = torch.ones(size, size, dtype=dtype)
        seconds = fastest(lambda a=a: F.linear(a, a), SECONDS / 4)  # as a model does it
        best = max(best, 2 * size**3 / seconds)
        # The next one takes eight times as long, and at least once.
        spent = time.perf_counter() - begun
        if size >= LARGEST or spent + 8 * seconds > SECONDS:
            return best
        size *= 2


def bandwidth(dtype: torch.dtype) -> float:
    """Bytes a second of a matrix times a vector, in the quicker of torch's two ways."""
    matrix = torch.ones(MATRIX // dtype.itemsize // COLUMNS, COLUMNS, dtype=dtype)
    vector = torch.ones(COLUMNS, dtype=dtype)
    ways = (lambda: matrix @ vector), (lambda: F.linear(vector[None], matrix))
    return matrix.nbytes / min(fastest(way, SECONDS / 2) for way in ways)


def fastest(run: Callable[[], Any], patience: float) -> float:
    """The shortest of several runs in seconds; at least one, and as many as patience allows."""
    times: list[float] = []
    begun = time.perf_counter()
    while not times or (
        time.perf_counter() - begun + times[-1] < patience and len(times) < 20 * LEAST
    ):
        start = time.perf_counter()
        run()
        times.append(time.perf_counter() - start)
    return min(times)


@dataclass
class Row:
    """One decoder, what its limit is, and how long it took for each token."""

    name: str
    model: Callable[[Tensor, Any], Tensor]
    layers: float  # bytes of a weight in the layers
    table: float  # and in the output table
    caches: Any = None
    seconds: list[float] = field(default_factory=list)

    @property
    def tokens(self) -> float:
        """Tokens a second; the median, since a limit is for the long run."""
        return 1 / sorted(self.seconds)[len(self.seconds) // 2]


@once_written
def decoder_limits(
    decode_speed_limit: Callable[..., float], LlamaConfig: Any, path: Path | None
) -> None:
    """Print the limit, the measured speed and its share for lab 11's decoders, in one run.

    path: the model's file; without it nothing is measured. All rows read the same text in turns, in
    one thread, and between them a long matrix of float32 is read, which gives the bandwidth.
    """
    if path is None:
        print("There is no model to measure: the line above says why.")
        return
    file = smollm2.read(path)
    config = LlamaConfig(**file.config())
    rows = three(file)
    ids = smollm2.tokenizer(file).encode(SAMPLE.read_text(encoding="utf-8")).ids
    with torch.inference_mode(), one_thread():
        read = measured(rows, torch.tensor([ids[: PROMPT + PLACES]]))
    print(limits_table(rows, config, decode_speed_limit, read))


def three(file: Any) -> list[Row]:
    """Lab 11's decoders: float32, float16, and the file's nibbles with a shortlist of tokens."""
    config = decoders.SimpleNamespace(**file.config())
    packed = 5 / 8 if kernel_works() else 2
    exact = decoders.fused(config, decoders.unpacked_weights(file))
    rows = [Row("float32", exact, 4, 4), Row("float16 weights", decoders.halved(exact), 2, 2)]
    name = "4 bits and a shortlist" if packed < 1 else "4 bits (no kernel: float16)"
    rows.append(Row(name, decoders.shortlisted(decoders.four_bit(file)), packed, packed))
    return rows


def measured(rows: list[Row], ids: Tensor) -> float:
    """Let the rows read ids (1, T) in turns; return the bytes a second of a plain reading."""
    for row in rows:
        row.caches = row.model.new_caches(1, ids.shape[1])  # type: ignore[attr-defined]
        row.model(ids[:, :PROMPT], row.caches)
    matrix, vector = torch.ones(MATRIX // 4 // COLUMNS, COLUMNS), torch.ones(COLUMNS)
    readings, begun, last = [], time.perf_counter(), ids.shape[1]
    for start in counted(range(PROMPT, last, TURN), "turn"):
        if time.perf_counter() - begun > PATIENCE and all(row.seconds for row in rows):
            break
        for row in rows:
            for at in range(start, min(start + TURN, last)):
                began = time.perf_counter()
                row.model(ids[:, at : at + 1], row.caches).argmax()
                row.seconds.append(time.perf_counter() - began)
        for _ in range(LEAST):
            began = time.perf_counter()
            matrix @ vector
            readings.append(time.perf_counter() - began)
    return matrix.nbytes / sorted(readings)[len(readings) // 2]


def limits_table(
    rows: list[Row], config: Any, decode_speed_limit: Callable[..., float], read: float
) -> str:
    """Limit, measured, share: for each row, at the middle of the text that was read."""
    context = PROMPT + PLACES // 2
    lines = [
        f"{'':28}bytes a     limit  measured    share of",
        f"{'':28} weight   (tokens a second)   the limit",
    ]
    for row in rows:
        # No FLOPs here can be too many: reading is slower, as the two dots have shown.
        limit = decode_speed_limit(config, 1, context, float("inf"), read, row.layers, 4)
        lines.append(
            f"{row.name:28}{row.layers:7g}{limit:10.1f}{row.tokens:10.1f}"
            f"{100 * row.tokens / limit:10.0f} %"
        )
    lines.append(
        f"Medians of {len(rows[0].seconds)} tokens, {context} in the cache, one thread; a matrix "
        f"of {MATRIX / 1e6:.0f} MB is read at {read / 1e9:.1f} GB a second."
    )
    return "\n".join(lines)
