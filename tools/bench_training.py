"""The lab's Llama beside the classic CPU recipe: held-out loss after 30, 60 and 180 seconds.

    python -m tools.bench_training            the whole table, half an hour
    python -m tools.bench_training --scale 0.1   a tenth of the time, to see that it runs

All contestants train on the first nine tenths of assets/shakespeare.py, in one process and one
thread, a fifth of a second each in turns, so that other work on the machine hits all alike. Each
one's clock counts its own training steps only, in processor time, which in one thread is the time
of a machine that does nothing else. Losses are means over the whole last tenth, in
pieces of 64 characters.

The recipe is the one for processors in nanoGPT's README: 4 layers, 4 heads, width 128, no biases,
learned positions, LayerNorm, GELU, tied embeddings; batches of 12 pieces of 64, AdamW with betas
0.9 and 0.99, 100 steps of warm-up to 1e-3, a cosine to 1e-4 at step 2000. It is written anew in
plots/measures/training_race.py.

The last rows ask how soon the lab's Llama has what the stretched recipe has after 180 seconds: with
AdamW, as in the lab, and with Muon for the matrices of its layers.
"""

from __future__ import annotations

import argparse
import statistics
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from assets import shakespeare
from plots.measures.training import Contestant, take_turns
from plots.measures.training_race import GPT, LLAMA
from solutions.my_llama import Llama, LlamaConfig, build_vocab, encode, learning_rate

SOON, SHORT, LONG = 30.0, 60.0, 180.0  # seconds
MUON = 7.0  # times AdamW's rate
Rate = Callable[[float, int], float]


@dataclass
class Row:
    """One line of the table: who, and its runs by the seconds after which they end."""

    name: str
    runs: dict[float, Contestant]
    changed: str


def by_time(peak: float) -> Rate:
    """Warm-up in the first twentieth of the time, then a cosine to a thirtieth at its end."""
    return lambda done, _: learning_rate(int(10_000 * done), 500, 10_000, peak, peak / 30)


def recipe_rate(stretched: bool) -> Rate:
    """The recipe's own rates: over 2,000 steps, or stretched over the time."""
    if stretched:
        return lambda done, _: learning_rate(int(10_000 * done), 500, 10_000, 1e-3, 1e-4)
    return lambda _, step: learning_rate(step, 100, 2000, 1e-3, 1e-4)


def rows(data: Tensor, vocab: int, options: argparse.Namespace) -> list[Row]:
    """All contestants, new."""
    scale, seed = options.scale, options.seed

    def llama() -> nn.Module:
        torch.manual_seed(seed)
        sizes: dict[str, Any] = LLAMA
        return Llama(LlamaConfig(**sizes, vocab_size=vocab, max_seq_len=512, rope_base=10_000.0))

    def gpt(small: bool) -> nn.Module:
        torch.manual_seed(seed)
        return GPT(vocab, *((96, 3, 4, 336) if small else (128, 4, 4, 512)))

    def runs(model: Callable[[], nn.Module], rate: Rate, **how: Any) -> dict[float, Contestant]:
        times = how.pop("times", options.times)
        return {
            seconds: Contestant(model(), data, seconds * scale, rate, seed=seed, **how)
            for seconds in times
        }

    recipe: dict[str, Any] = {"batch": 12, "betas": (0.9, 0.99)}
    soon = [SOON, *options.times]
    tuned = [
        Row(f"GPT-2, tuned: 3 × 96, rate {peak:g}", runs(lambda: gpt(True), by_time(peak)), "")
        for peak in options.rates
    ]
    for row in tuned:
        row.changed = "size, batch, rate, schedule as the Llama's"
    published = runs(
        lambda: gpt(False), recipe_rate(False), times=[max(options.times)], max_steps=2000, **recipe
    )
    return [
        Row("the recipe as published", published, ""),
        Row(
            "the recipe, stretched",
            runs(lambda: gpt(False), recipe_rate(True), **recipe),
            "its schedule ends with the time",
        ),
        *tuned,
        Row("the lab's Llama, rate 3e-3", runs(llama, by_time(3e-3), times=soon), "architecture"),
        Row(
            "the lab's Llama, Muon", runs(llama, by_time(3e-3), muon=MUON, times=soon), "optimizer"
        ),
    ]


def main() -> None:
    """Train all in turns, print the table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--scale", type=float, default=1.0, help="of the times")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--times", type=float, nargs="+", default=[SHORT, LONG], metavar="SECONDS")
    parser.add_argument("--rates", type=float, nargs="+", default=[2e-3, 3e-3, 5e-3])
    options = parser.parse_args()
    if not shakespeare.is_complete():
        raise SystemExit(shakespeare.MISSING)
    torch.set_num_threads(1)
    text = shakespeare.text()
    vocab = build_vocab(text)
    ids = torch.tensor(encode(text, vocab))
    cut = len(ids) * 9 // 10
    table = rows(ids[:cut], len(vocab), options)
    last = max(options.times)
    published = table[0].runs[last]
    early: list[float] = []

    def notice(contestant: Contestant) -> None:
        """The recipe as published is one run of 2,000 steps: look at it after 60 s as well."""
        if (
            contestant is published
            and not early
            and contestant.clock >= options.times[0] * options.scale
        ):
            early.append(contestant.loss(ids[cut:]))

    contestants = [run for row in table for run in row.runs.values()]
    budget = sum(run.seconds for run in contestants)
    print(f"{len(contestants)} runs, {budget / 60:.0f} minutes at most …", flush=True)
    take_turns(contestants, notice)

    times = [SOON, *options.times]
    heads = "".join(f"{seconds:9.0f} s" for seconds in times)
    print(f"{'held-out loss after':40}{heads}   parameters  ms/step")
    for row in table:
        losses = {seconds: run.loss(ids[cut:]) for seconds, run in row.runs.items()}
        if row is table[0] and early:
            losses.setdefault(options.times[0], early[0])
        shown = "".join(
            f"{losses[seconds]:11.3f}" if seconds in losses else " " * 11 for seconds in times
        )
        run = row.runs[last]
        size = sum(p.numel() for p in run.model.parameters())
        step = 1000 * statistics.median(run.times)
        print(f"{row.name:40}{shown}{size:13,}{step:9.1f}   {row.changed}")
    took, made = published.clock, published.steps
    print(f"The recipe made {made:,} of its 2,000 steps, in {took:.0f} s.")


if __name__ == "__main__":
    main()
