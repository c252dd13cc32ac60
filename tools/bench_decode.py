"""Tokens per second: the worked Llama and lab 11's decoders beside transformers and llama.cpp.

    python -m tools.bench_decode            the whole table: about twenty minutes
    python -m tools.bench_decode --rounds 2 --new 16 --prompts 32
    python -m tools.bench_decode --cpu      one thread's computing time: for a busy machine

All write greedily from the same file (SmolLM2-135M-Instruct, Q4_1), in one run, in turns: each
round every row reads the prompt and writes some tokens. A row's number is the median over all its
tokens after the first one of each round; the first one's time, with the prompt, stands beside it.
Where drafts make tokens come several at once, it is the mean over a round's tokens after the first.
"top-1": at how many of the places of a text the row would write the same as float32; for rows with
drafts, how many of the tokens that they wrote are float32's. Below the table: which row reads a
prompt fastest here, and which writes fastest. Ends with 1 when a goal is missed.
"""

from __future__ import annotations

import argparse
import copy
import importlib
import itertools
import os
import statistics
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from tools import bench_llama_cpp
from tools.bench_llama_cpp import CPU, ROOT, clock

ROUNDS, NEW, PROMPTS, PLACES = 5, 48, (32, 512), 300
TRANSFORMERS, PLAIN, LLAMA_CPP = "transformers", "worked Llama", "llama.cpp"
FAST = ("joined, float32", "joined, float16 weights", "the file's nibbles", "… and a shortlist")
BASE = f"{TRANSFORMERS} float32"
EXACT = f"{PLAIN} float32"
DRAFTED = "… and 4-bit drafts (lab 14)"
ASSISTED = (f"{TRANSFORMERS}, prompt lookup", f"{TRANSFORMERS}, bfloat16 drafts")
N_DRAFT = 12  # of a round, as in lab 14
DTYPES = ("float32", "bfloat16", "float16")
HEAD = (
    "prompt {prompt:4}                 tokens/s  × transformers  × transformers  × llama  "
    "first token,  top-1 of\n"
    "                                             float32      same dtype     .cpp  "
    "  prompt, ms {places:10}"
)


@dataclass
class Row:
    """One way to decode: write(ids, n) → n + 1 time stamps, of the start and of each token."""

    name: str
    write: Callable[[list[int], int], list[float]]
    choices: Callable[[list[int]], list[int]] | None  # what it would write after each place
    tokens: dict[int, list[float]] = field(default_factory=dict)  # prompt → seconds for each token
    first: dict[int, list[float]] = field(default_factory=dict)  # prompt → until the first token
    text: dict[tuple[int, int], list[int]] = field(default_factory=dict)  # prompt, n → tokens
    agreement: float = float("nan")
    failed: str = ""  # why there are no numbers

    def attempt(self, run: Callable[[], Any]) -> Any:
        """What run() returns; after an error None, and the row is out of the table."""
        try:
            return None if self.failed else run()
        except Exception as error:
            self.failed = " ".join(str(error).split()) or type(error).__name__
            return None

    def speed(self, prompt: int) -> float:
        """Tokens per second after that prompt."""
        return 1 / statistics.median(self.tokens[prompt])


def in_rounds(name: str, tokens: Callable[[list[int], int], list[int]]) -> Row:
    """A row whose tokens come several at once: each of them gets a round's mean.

    tokens(ids, n): the n tokens that follow ids, all written.
    """

    def write(ids: list[int], n: int) -> list[float]:
        start = clock()
        tokens(ids, 1)
        first, begin = clock() - start, clock()
        row.text[len(ids), n] = tokens(ids, n)
        each = max(clock() - begin - first, 0.0) / max(n - 1, 1)
        return [start, *(start + first + i * each for i in range(n))]

    row = Row(name, write, None)
    return row


# --- our own --------------------------------------------------------------------------------------


def own(name: str, model: Any) -> Row:
    """A row for what is called like Llama."""
    import torch

    def read(ids: list[int], caches: Any) -> int:
        return int(model(torch.tensor([ids]), caches)[0, -1].argmax())

    def write(ids: list[int], n: int) -> list[float]:
        with torch.inference_mode():
            written: list[int] = []
            stamps, new = [clock()], ids
            caches = model.new_caches(1, len(ids) + n)
            for _ in range(n):
                new = [read(new, caches)]
                stamps.append(clock())
                written.append(new[0])
        row.text[len(ids), n] = written
        return stamps

    def choices(ids: list[int]) -> list[int]:  # as it decodes: one by one
        with torch.inference_mode():
            caches = model.new_caches(1, len(ids))
            return [read([one], caches) for one in ids]

    row = Row(name, write, choices)
    return row


def own_rows(file: Any) -> list[Row]:
    """The worked Llama in three dtypes, and the decoders of lab 11."""
    import torch

    from plots.measures import decoders

    sys.path.insert(0, str(ROOT / "solutions"))
    pieces = importlib.import_module("my_llama")
    config = pieces.LlamaConfig(**file.config())
    weights = decoders.unpacked_weights(file)
    with torch.device("meta"):
        model = pieces.Llama(config)
    model.load_state_dict(weights, assign=True)
    model.eval().requires_grad_(False)
    rows = []
    for dtype in DTYPES:
        same = model if dtype == "float32" else copy.deepcopy(model).to(getattr(torch, dtype))
        rows.append(own(f"{PLAIN} {dtype}", same))
    exact = decoders.fused(config, weights)
    quick = decoders.four_bit(file)
    fast = [exact, decoders.halved(exact), quick, decoders.shortlisted(quick)]

    def drafted(ids: list[int], n: int) -> list[int]:
        draft = pieces.ModelDraft(quick, len(ids) + n + N_DRAFT, 0)
        return list(pieces.speculative_generate(model, draft, torch.tensor([ids]), n, N_DRAFT, 0))

    rows += [own(name, one) for name, one in zip(FAST, fast, strict=True)]
    return [*rows, in_rounds(DRAFTED, drafted)]


# --- transformers ---------------------------------------------------------------------------------


def transformers_rows(path: Path) -> list[Row]:
    """`generate` of transformers, on the same file, in three dtypes, and in float32 with drafts."""
    import torch
    from transformers import AutoModelForCausalLM, StoppingCriteria, StoppingCriteriaList
    from transformers.utils.logging import disable_progress_bar

    class Stamp(StoppingCriteria):
        """Notes when each token is there; stops nothing."""

        def __init__(self) -> None:
            self.stamps = [clock()]

        def __call__(self, input_ids: Any, scores: Any, **_: Any) -> Any:
            self.stamps.append(clock())
            return torch.zeros(len(input_ids), dtype=torch.bool)

    disable_progress_bar()
    loaded = AutoModelForCausalLM.from_pretrained(
        path.parent, gguf_file=path.name, dtype=torch.float32
    ).eval()
    loaded.generation_config.eos_token_id = None  # write on, whatever comes

    models = {
        dtype: loaded if dtype == "float32" else copy.deepcopy(loaded).to(getattr(torch, dtype))
        for dtype in DTYPES
    }

    def generated(model: Any, ids: list[int], n: int, **way: Any) -> list[int]:
        prompt = torch.tensor([ids])
        given = {"attention_mask": torch.ones_like(prompt), "pad_token_id": 0}
        new = model.generate(prompt, max_new_tokens=n, do_sample=False, **given, **way)
        return new[0, len(ids) :].tolist()

    def row(dtype: str) -> Row:
        model = models[dtype]

        def write(ids: list[int], n: int) -> list[float]:
            stamp = Stamp()
            generated(model, ids, n, stopping_criteria=StoppingCriteriaList([stamp]))
            return stamp.stamps

        def choices(ids: list[int]) -> list[int]:
            with torch.inference_mode():
                return model(torch.tensor([ids])).logits[0].argmax(-1).tolist()

        return Row(f"{TRANSFORMERS} {dtype}", write, choices)

    models["bfloat16"].generation_config.num_assistant_tokens = N_DRAFT
    ways = {"prompt_lookup_num_tokens": N_DRAFT}, {"assistant_model": models["bfloat16"]}
    return [row(dtype) for dtype in DTYPES] + [
        in_rounds(name, partial(generated, loaded, **way))
        for name, way in zip(ASSISTED, ways, strict=True)
    ]


# --- the run --------------------------------------------------------------------------------------


def measure(rows: list[Row], text: list[int], prompts: list[int], rounds: int, new: int) -> None:
    """Let every row write after every prompt, in turns."""
    for prompt in prompts:
        for turn in range(rounds + 1):
            for row in rows:
                begin, many = text[:prompt], new if turn else 4
                stamps = row.attempt(partial(row.write, begin, many))
                if stamps is None or turn == 0:  # the first turn is cold, and not measured
                    continue
                took = [b - a for a, b in itertools.pairwise(stamps)]
                row.first.setdefault(prompt, []).append(took[0])
                row.tokens.setdefault(prompt, []).extend(took[1:])
            print(f"\rprompt {prompt}: round {turn} of {rounds}", end="", file=sys.stderr)
        print(file=sys.stderr)


def agree(rows: list[Row], ids: list[int]) -> None:
    """Compare what each row would write after each of ids with float32's choice."""
    exact = next(row for row in rows if row.name == EXACT)
    wanted = exact.choices(ids) if exact.choices else []
    for row in rows:
        if row.choices is None:  # what it wrote is compared, and not what it would have written
            pairs = [
                pair
                for place, text in exact.text.items()
                for pair in zip(text, row.text.get(place, []), strict=False)
            ]
            row.agreement = statistics.mean(a == b for a, b in pairs) if pairs else float("nan")
            continue
        chosen = row.attempt(partial(row.choices, ids))
        if chosen is not None:
            row.agreement = sum(a == b for a, b in zip(chosen, wanted, strict=True)) / len(ids)


def table(rows: list[Row], prompts: list[int], places: int) -> str:
    """What was measured, and its ratios."""
    by_name, lines = {row.name: row for row in rows if not row.failed}, []
    for prompt in prompts:
        base = by_name[BASE].speed(prompt) if BASE in by_name else float("nan")
        lines.append(HEAD.format(prompt=prompt, places=places))
        for row in rows:
            if row.failed:
                lines.append(f"{row.name:28}  failed: {row.failed}")
                continue
            speed, dtype = row.speed(prompt), row.name.rpartition(" ")[2]
            peer = by_name.get(f"{TRANSFORMERS} {dtype}") if row.name.startswith(PLAIN) else None
            cpp = by_name.get(LLAMA_CPP)
            lines.append(
                f"{row.name:28}{speed:9.1f}{speed / base:15.2f}×"
                + (f"{speed / peer.speed(prompt):15.2f}×" if peer else f"{'–':>16}")
                + (f"{speed / cpp.speed(prompt):8.2f}×" if cpp else f"{'–':>9}")
                + f"{1e3 * statistics.median(row.first[prompt]):14.0f}{row.agreement:12.1%}"
            )
        done = list(by_name.values())
        reads = min(done, key=lambda row: statistics.median(row.first[prompt]))
        writes = max(done, key=lambda row: row.speed(prompt))
        lines += [f"fastest here: {reads.name} reads the prompt, {writes.name} writes", ""]
    return "\n".join(lines)


def goals(rows: list[Row], prompts: list[int]) -> list[tuple[bool, str]]:
    """What the course promises, and whether it holds here."""
    by_name = {row.name: row for row in rows if not row.failed}
    fast = [by_name[name] for name in FAST if name in by_name]
    if not fast or not {BASE, EXACT} <= set(by_name):
        return [(False, "the rows that the goals compare have failed")]
    said = []
    for prompt in prompts:
        base, best = by_name[BASE].speed(prompt), max(row.speed(prompt) for row in fast)
        plain = by_name[EXACT].speed(prompt)
        ratios = [("worked Llama, float32, over transformers float32", plain / base, 1.0)]
        ratios.append(("the lab's fastest over transformers float32", best / base, 5.0))
        if DRAFTED in by_name:
            ratio = by_name[DRAFTED].speed(prompt) / plain
            ratios.append(("the exact text with 4-bit drafts over without", ratio, 1.5))
        if LLAMA_CPP in by_name:
            cpp = by_name[LLAMA_CPP].speed(prompt)
            ratios.append(("the lab's fastest over llama.cpp", best / cpp, 0.9))
        for what, ratio, goal in ratios:
            said.append((ratio >= goal, f"prompt {prompt}: {what}: {ratio:.2f} (goal {goal})"))
    return said


def main() -> int:
    """Measure, print, and say which goals are met."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--new", type=int, default=NEW, help="tokens to write each round")
    parser.add_argument("--prompts", type=int, nargs="+", default=list(PROMPTS))
    parser.add_argument("--places", type=int, default=PLACES, help="of the text, for top-1")
    parser.add_argument("--threads", type=int, help="of torch and llama.cpp; default: torch's")
    parser.add_argument(
        "--cpu", action="store_true", help="one thread's computing time: for a busy machine"
    )
    options = parser.parse_args()
    if options.cpu:
        os.environ[CPU], options.threads = "1", 1

    import torch

    from assets import smollm2

    if options.threads:
        torch.set_num_threads(options.threads)
    threads = torch.get_num_threads()
    path = smollm2.path()
    file = smollm2.read(path)
    words = (ROOT / "assets" / "shakespeare_sample.txt").read_text(encoding="utf-8")
    text = smollm2.tokenizer(file).encode(words).ids
    rows = transformers_rows(path) + own_rows(file)
    missing = ""
    try:
        if find_spec("llama_cpp") is None:
            raise RuntimeError(bench_llama_cpp.why_not())
        rows.append(Row(LLAMA_CPP, *bench_llama_cpp.started(path, threads)))
    except (RuntimeError, OSError) as error:
        missing = str(error)
    measure(rows, text, options.prompts, options.rounds, options.new)
    agree(rows, text[: options.places])

    print(table(rows, options.prompts, options.places))
    print(
        f"{options.rounds} rounds of {options.new} tokens, in turns; {threads} threads, "
        f"{'computing time, ' * options.cpu}{os.cpu_count()} CPUs, "
        f"load {os.getloadavg()[0]:.1f}; torch {torch.__version__}"
    )
    if missing:
        print(f"No llama.cpp in the table: {missing}")
    met = goals(rows, options.prompts)
    for holds, what in met:
        print("✓" if holds else "✗", what)
    return 0 if all(holds for holds, _ in met) else 1


if __name__ == "__main__":
    sys.exit(main())
