"""Lab 09: losses to be beaten, steps in a minute, and a race of models that lack something."""

from __future__ import annotations

import copy
import functools
import statistics
import time
from collections.abc import Callable, Iterable
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from plots.flipbook import Flipbook, explore, person_is_present
from plots.measure import one_thread, short
from plots.style import BLUE, GREEN, GREY, INK, ORANGE, PINK, number

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SHORTER = 15 if short() else 1  # times
TURN = 0.2  # seconds that a contestant trains before it is the next one's turn
SLICE = 16_384  # held-out characters on which contestants are compared
SEEDS = 3


def milestones(
    cross_entropy: Callable[[Tensor, Tensor], Tensor], learn: Tensor, held_out: Tensor, size: int
) -> dict[str, float]:
    """The loss on unseen text of three models that only count: equal, by letter, by pair."""
    ones = torch.ones(size)
    letters = torch.bincount(learn, minlength=size) + 0.1
    pairs = torch.bincount(learn[:-1] * size + learn[1:], minlength=size * size) + 0.1
    tables = {
        "every character alike": ones.log().expand(size, size),
        "how often each occurs": letters.log().expand(size, size),
        "which follows which": pairs.reshape(size, size).log(),
    }
    inputs, targets = held_out[None, :-1], held_out[None, 1:]
    return {name: float(cross_entropy(table[inputs], targets)) for name, table in tables.items()}


def steps_in(
    seconds: float, train: Callable[..., list[float]], model: nn.Module, data: Tensor, **how: Any
) -> int:
    """How many steps of `train` this machine makes in so many seconds, tried on a copy."""
    marks = [time.perf_counter()]
    how["watch"] = lambda *_: marks.append(time.perf_counter())
    train(copy.deepcopy(model), data, 15, data[:200], **how)
    took = [after - before for before, after in pairwise(marks[3:])]
    return max(20, int(seconds / SHORTER / statistics.median(took)))


class Contestant:
    """A model in training that can be stopped and resumed; its clock counts its own time only.

    It is the processor's time: in one thread, the time it takes on a machine without other work.
    The learning rate follows the clock: the schedule's steps are milliseconds, so that it is down
    at the floor when the time is over, on a fast machine as on a slow one.
    """

    def __init__(
        self,
        model: nn.Module,
        data: Tensor,
        seconds: float,
        rate: Callable[[float, int], float],
        *,
        batch: int = 8,
        context: int = 64,
        seed: int = 0,
        betas: tuple[float, float] = (0.9, 0.95),
        max_steps: int | None = None,
    ) -> None:
        self.model, self.data, self.seconds, self.rate = model, data, seconds, rate
        self.batch, self.context, self.max_steps = batch, context, max_steps
        self.generator = torch.Generator().manual_seed(seed)
        matrices = [p for p in model.parameters() if p.dim() > 1]
        others = [p for p in model.parameters() if p.dim() < 2]
        groups = [{"params": matrices, "weight_decay": 0.1}, {"params": others, "weight_decay": 0}]
        self.optimizer = torch.optim.AdamW(groups, lr=0.0, betas=betas, foreach=True)
        self.clock, self.steps, self.next_mark = 0.0, 0, 0.0
        self.times: list[float] = []

    @property
    def over(self) -> bool:
        """Whether its time is over, or its steps are made."""
        return self.clock >= self.seconds or self.steps == self.max_steps

    def run(self, seconds: float) -> None:
        """Train for so long, on its own clock."""
        until = min(self.seconds, self.clock + seconds)
        while self.clock < until and not self.over:
            began = time.process_time()
            self.step()
            self.times.append(time.process_time() - began)
            self.clock += self.times[-1]

    def step(self) -> None:
        """One step of AdamW."""
        room = len(self.data) - self.context
        starts = torch.randint(room, (self.batch, 1), generator=self.generator)
        pieces = self.data[starts + torch.arange(self.context + 1)]
        lr = self.rate(self.clock / self.seconds, self.steps)
        for group in self.optimizer.param_groups:
            group["lr"] = lr
        logits = self.model(pieces[:, :-1])
        self.optimizer.zero_grad()
        F.cross_entropy(logits.flatten(0, 1), pieces[:, 1:].flatten()).backward()
        nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
        self.optimizer.step()
        self.steps += 1

    @torch.no_grad()
    def loss(self, held_out: Tensor) -> float:
        """The mean loss on a text, all of it, in pieces."""
        self.model.eval()
        pieces = (len(held_out) - 1) // self.context
        x = held_out[: pieces * self.context].view(pieces, -1)
        y = held_out[1 : pieces * self.context + 1].view(pieces, -1)
        total = 0.0
        for some, wanted in zip(x.split(64), y.split(64), strict=True):
            logits = self.model(some).flatten(0, 1)
            total += F.cross_entropy(logits, wanted.flatten(), reduction="sum").item()
        self.model.train()
        return total / y.numel()


def take_turns(contestants: Iterable[Contestant], each: Callable[[float], None] | None = None):
    """Let all train to their ends, in turns, so that what slows the machine slows them alike."""
    going = list(contestants)
    while going:
        for contestant in going:
            contestant.run(TURN)
            if each:
                each(contestant)
        going = [contestant for contestant in going if not contestant.over]


# Ablations: a small model, whole, and with one part taken out.

SMALL = {"dim": 64, "n_layers": 2, "n_heads": 4, "n_kv_heads": 2, "hidden_dim": 176}
ABLATION_SECONDS = 4.0 / SHORTER
RATE, WARMUP = 4e-3, 0.06  # peak; share of the time that the warm-up takes
LOOKS = {
    "whole": (BLUE, "o"),
    "no warm-up": (GREY, "v"),
    "ReLU": (ORANGE, "s"),
    "no norm": (PINK, "D"),
    "no RoPE": (GREEN, "^"),
}


class TwoMatrices(nn.Module):
    """A feed-forward layer with ReLU, of as many parameters as SwiGLU."""

    def __init__(self, dim: int, hidden_dim: int) -> None:
        super().__init__()
        self.w_up = nn.Linear(dim, hidden_dim * 3 // 2, bias=False)
        self.w_down = nn.Linear(hidden_dim * 3 // 2, dim, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """(..., dim) → (..., dim)."""
        return self.w_down(F.relu(self.w_up(x)))


def without(model: nn.Module, part: str) -> nn.Module:
    """Take one part out of a Llama."""
    for layer in model.layers:
        if part == "no norm":
            layer.attention_norm, layer.ffn_norm = nn.Identity(), nn.Identity()
        if part == "no RoPE":
            layer.register_forward_pre_hook(_no_angles, with_kwargs=True)
        if part == "ReLU":
            layer.feed_forward = TwoMatrices(SMALL["dim"], SMALL["hidden_dim"])
    if part == "no norm":
        model.norm = nn.Identity()
    return model


def _no_angles(layer: nn.Module, args: tuple, kwargs: dict) -> tuple[tuple, dict]:
    """Every position looks like position 0."""
    if "angles" in kwargs:
        return args, kwargs | {"angles": torch.zeros_like(kwargs["angles"])}
    return (args[0], torch.zeros_like(args[1]), *args[2:]), kwargs


def ablations(
    Llama: type[nn.Module],
    LlamaConfig: Callable[..., Any],
    learning_rate: Callable[..., float],
    learn: Tensor,
    held_out: Tensor,
    size: int,
) -> Flipbook:
    """Train a small Llama whole and with one part missing, for equal time, from three starts."""

    def contestant(part: str, seed: int) -> Contestant:
        torch.manual_seed(seed)
        config = LlamaConfig(**SMALL, vocab_size=size, max_seq_len=64, rope_base=10_000.0)
        warm = 0 if part == "no warm-up" else int(1000 * WARMUP)

        def rate(done: float, _: int) -> float:
            return learning_rate(int(1000 * done), warm, 1000, RATE, RATE / 30)

        model = without(Llama(config), part)
        return Contestant(model, learn, ABLATION_SECONDS, rate, seed=seed)

    @functools.cache
    def losses() -> dict[str, list[tuple[float, int]]]:
        learning_rate(0, 1, 2, 1.0, 0.0)  # it may not be written yet
        state = torch.get_rng_state()
        runs = {part: [contestant(part, seed) for seed in range(SEEDS)] for part in LOOKS}
        flat = [run for row in runs.values() for run in row]
        with one_thread(), _Note(len(flat) * ABLATION_SECONDS) as note:
            take_turns(flat, lambda run: note.tell(sum(r.clock for r in flat)))
            found = {
                p: [(r.loss(held_out[:SLICE]), r.steps) for r in row] for p, row in runs.items()
            }
        torch.set_rng_state(state)
        return found

    def draw(fig: Figure, shown: str) -> str:
        axes = fig.add_axes((0.14, 0.2, 0.83, 0.72))
        found = losses()
        said = []
        for place, (part, (color, marker)) in enumerate(reversed(LOOKS.items())):
            ends = [min(loss, 9.0) for loss, _ in found[part]]
            strong = 1.0 if shown in (part, "whole") or part == "whole" else 0.3
            axes.plot(ends, [place] * SEEDS, marker, color=color, alpha=strong, gid=part)
            axes.plot([min(ends), max(ends)], [place] * 2, "-", color=color, alpha=strong)
            middle = sum(ends) / SEEDS
            axes.plot([middle] * 2, [place - 0.3, place + 0.3], "-", color=INK, alpha=strong)
            if part in ("whole", shown):
                steps = statistics.median(steps for _, steps in found[part])
                spread = f"{number(min(ends))} to {number(max(ends))}"
                said.insert(0, f"{part} {number(middle)} ({spread}) after {steps:,} steps")
        axes.set_yticks(range(len(LOOKS)), list(reversed(LOOKS)))
        axes.set(ylim=(-0.6, len(LOOKS) - 0.4), xlabel="loss on unseen text")
        axes.grid(axis="x")
        verdict = "" if shown == "whole" else f" {_verdict(found, shown)}"
        return (
            f"{number(ABLATION_SECONDS, 1)} s each, three starts, mean (spread): "
            f"{'; '.join(said)}.{verdict}"
        )

    return explore(draw, shown=list(LOOKS), start={"shown": "no RoPE"}, labels={"shown": "compare"})


def _verdict(found: dict[str, list[tuple[float, int]]], part: str) -> str:
    """Say whether the three starts of one and of the other overlap."""
    whole, other = ([loss for loss, _ in found[name]] for name in ("whole", part))
    if min(other) > max(whole):
        return f"Every start with {part} is worse than every whole one."
    if max(other) < min(whole):
        return f"Every start with {part} is better than every whole one."
    return "The starts overlap: three of them do not tell the two apart."


class _Note:
    """A note of how long it still takes, for a person; it goes away at the end."""

    def __init__(self, total: float) -> None:
        self.total, self.handle, self.due = total, None, 0.0

    def __enter__(self) -> _Note:
        return self

    def tell(self, done: float) -> None:
        if not person_is_present() or time.monotonic() < self.due:
            return
        from IPython.display import display

        self.due = time.monotonic() + 1.0
        note = {"text/plain": f"Training: {done:.0f} of {self.total:.0f} s …"}
        if self.handle:
            self.handle.update(note, raw=True)
        else:
            self.handle = display(note, raw=True, display_id=True)

    def __exit__(self, *_: object) -> None:
        if self.handle:
            self.handle.update({"text/plain": ""}, raw=True)
