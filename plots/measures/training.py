"""Lab 09: losses to be beaten, steps in a minute, and contestants that train in turns.

The two races of the lab, with parts taken out and with GPT-2, stand in training_ablations.py and
training_race.py.
"""

from __future__ import annotations

import copy
import math
import statistics
import time
from collections.abc import Callable, Iterable
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from plots.measure import one_thread, short
from plots.measures.training_muon import Muon
from plots.note import note
from plots.show import show

SHORTER = 15 if short() else 1  # times
TURN = 0.2  # seconds that a contestant trains before it is the next one's turn
MARKS = 2 if short() else 6  # times that a contestant is measured
PLACES, STRETCH = (4 if short() else 32), 512  # of the held-out text: stretches, characters


def spread(text: Tensor, places: int = PLACES, stretch: int = STRETCH) -> Tensor:
    """Stretches from all over a text, one behind the other: (N,) → (places · stretch,).

    To measure on all of the text takes seconds, and its beginning alone is one play of two. Only
    one character in `stretch` stands behind another one than in the text.
    """
    if len(text) <= places * stretch:
        return text
    starts = torch.linspace(0, len(text) - stretch, places).long()
    return text[starts[:, None] + torch.arange(stretch)].flatten()


def milestones(
    cross_entropy: Callable[[Tensor, Tensor], Tensor], learn: Tensor, unseen: Tensor, size: int
) -> dict[str, float]:
    """Print the loss on unseen text of three models that only count: equal, by letter, by pair.

    Returns the losses by name: none as long as cross_entropy is not written.
    """
    ones = torch.ones(size)
    letters = torch.bincount(learn, minlength=size) + 0.1
    pairs = torch.bincount(learn[:-1] * size + learn[1:], minlength=size * size) + 0.1
    tables = {
        "every character alike": ones.log().expand(size, size),
        "how often each occurs": letters.log().expand(size, size),
        "which follows which": pairs.reshape(size, size).log(),
    }
    inputs, targets = unseen[None, :-1], unseen[None, 1:]
    losses: dict[str, float] = {}

    def measured() -> str:
        for name, table in tables.items():
            losses[name] = float(cross_entropy(table[inputs], targets))
        return "\n".join(f"  {loss:.2f}  {name}" for name, loss in losses.items())

    show("loss on unseen text", measured)
    return losses


def steps_in(
    seconds: float, train: Callable[..., list[float]], model: nn.Module, data: Tensor, **how: Any
) -> int:
    """How many steps of `train` this machine makes in so many seconds, tried on a copy.

    Seconds of the processor: where other programs run as well it takes longer, and learns as much.
    """
    marks = [time.process_time()]
    how["watch"] = lambda *_: marks.append(time.process_time())
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
        descent: bool = False,
        muon: float = 0.0,
    ) -> None:
        """muon: the layers' matrices go by Muon, at so many times the rate that `rate` says."""
        self.model, self.data, self.seconds, self.rate = model, data, seconds, rate
        self.batch, self.context, self.max_steps = batch, context, max_steps
        self.generator = torch.Generator().manual_seed(seed)
        own = list(model.parameters())
        if muon:
            inner = [
                p for n, p in model.named_parameters() if n.startswith("layers") and p.dim() == 2
            ]
            own = [p for p in own if all(p is not other for other in inner)]
        matrices, others = [p for p in own if p.dim() > 1], [p for p in own if p.dim() < 2]
        groups = [{"params": matrices, "weight_decay": 0.1}, {"params": others, "weight_decay": 0}]
        if descent:  # plain, and without decay, which is AdamW's
            optimizer: torch.optim.Optimizer = torch.optim.SGD(own, lr=0.0)
        else:
            optimizer = torch.optim.AdamW(groups, lr=0.0, betas=betas, foreach=True)
        self.optimizers = {optimizer: 1.0}  # each with the factor of its rate
        if muon:
            self.optimizers[Muon(inner, lr=0.0)] = muon
        self.clock, self.steps, self.lost = 0.0, 0, False
        self.times: list[float] = []
        self.curve: list[tuple[float, int, float]] = []  # clock, steps, loss on unseen text

    @property
    def over(self) -> bool:
        """Whether its time is over, or its steps are made, or it is lost: its loss is NaN."""
        return self.clock >= self.seconds or self.steps == self.max_steps or self.lost

    @property
    def done(self) -> float:
        """The share of its time, or of its steps, that is over."""
        if self.over:
            return 1.0
        return max(self.clock / self.seconds, self.steps / (self.max_steps or math.inf))

    def run(self, seconds: float) -> None:
        """Train for so long, on its own clock."""
        until = min(self.seconds, self.clock + seconds)
        while self.clock < until and not self.over:
            began = time.process_time()
            self.step()
            self.times.append(time.process_time() - began)
            self.clock += self.times[-1]

    def step(self) -> None:
        """One step of the optimizer."""
        room = len(self.data) - self.context
        starts = torch.randint(room, (self.batch, 1), generator=self.generator)
        pieces = self.data[starts + torch.arange(self.context + 1)]
        lr = self.rate(self.clock / self.seconds, self.steps)
        for optimizer, factor in self.optimizers.items():
            for group in optimizer.param_groups:
                group["lr"] = lr * factor
        logits = self.model(pieces[:, :-1])
        self.model.zero_grad()
        loss = F.cross_entropy(logits.flatten(0, 1), pieces[:, 1:].flatten())
        self.lost = not math.isfinite(loss.item())
        loss.backward()
        nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
        for optimizer in self.optimizers:
            optimizer.step()
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

    def look(self, unseen: Tensor, marks: int = MARKS) -> None:
        """Note the loss on unseen text if the next of `marks` equal parts of its time is over."""
        if self.over or self.clock >= self.seconds * (len(self.curve) + 1) / marks:
            self.curve.append((self.clock, self.steps, self.loss(unseen)))


def take_turns(contestants: Iterable[Contestant], each: Callable[[Contestant], None] | None = None):
    """Let all train to their ends, in turns, so that what slows the machine slows them alike."""
    going = list(contestants)
    while going:
        for contestant in going:
            contestant.run(TURN)
            if each:
                each(contestant)
        going = [contestant for contestant in going if not contestant.over]


def race(contestants: list[Contestant], unseen: Tensor) -> None:
    """Let all train in turns and look at each MARKS times; torch's random state stays."""
    state = torch.get_rng_state()
    with one_thread(), note(every=1.0) as tell:

        def each(contestant: Contestant) -> None:
            contestant.look(unseen)
            done = statistics.mean(contestant.done for contestant in contestants)
            tell(f"Training {len(contestants)} models: {done:.0%} …")

        take_turns(contestants, each)
    torch.set_rng_state(state)
