"""Lab 09: the lab's Llama, a GPT-2 of its size, and the classic recipe, for equal time."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from plots.flipbook import Flipbook, explore
from plots.measures.training import SHORTER, Contestant, race
from plots.page import says
from plots.style import BLUE, GREEN, ORANGE, is_narrow, number

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SECONDS = 10.0 / SHORTER
CONTEXT = 64
LLAMA = {"dim": 96, "n_layers": 3, "n_heads": 4, "n_kv_heads": 2, "hidden_dim": 256}
LOOKS = {  # what lies between two neighbours: tuning, then architecture
    "the recipe": (GREEN, "^"),
    "GPT-2, tuned": (ORANGE, "s"),
    "your Llama": (BLUE, "o"),
}


class GPTBlock(nn.Module):
    """A block of GPT-2: LayerNorm, attention, LayerNorm, two matrices with GELU; no biases."""

    def __init__(self, dim: int, n_heads: int, hidden_dim: int) -> None:
        super().__init__()
        self.n_heads = n_heads
        self.first, self.second = nn.LayerNorm(dim, bias=False), nn.LayerNorm(dim, bias=False)
        self.qkv, self.out = nn.Linear(dim, 3 * dim, False), nn.Linear(dim, dim, False)
        self.up, self.down = nn.Linear(dim, hidden_dim, False), nn.Linear(hidden_dim, dim, False)

    def forward(self, x: Tensor) -> Tensor:
        """(B, T, dim) → (B, T, dim)."""
        heads = self.qkv(self.first(x)).unflatten(-1, (3, self.n_heads, -1))  # (B, T, 3, H, d)
        q, k, v = heads.permute(2, 0, 3, 1, 4)
        mixed = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        x = x + self.out(mixed.transpose(1, 2).flatten(2))
        return x + self.down(F.gelu(self.up(self.second(x))))


class GPT(nn.Module):
    """GPT-2 in small: learned positions, embeddings that are the output projection as well."""

    def __init__(self, vocab: int, dim: int, n_layers: int, n_heads: int, hidden: int) -> None:
        super().__init__()
        self.tokens, self.positions = nn.Embedding(vocab, dim), nn.Embedding(CONTEXT, dim)
        self.blocks = nn.Sequential(*(GPTBlock(dim, n_heads, hidden) for _ in range(n_layers)))
        self.norm = nn.LayerNorm(dim, bias=False)
        for name, p in self.named_parameters():
            if p.dim() > 1:  # GPT-2's way: smaller where a block adds to the residual
                ends = name.endswith(("out.weight", "down.weight"))
                nn.init.normal_(p, std=0.02 / math.sqrt(2 * n_layers) if ends else 0.02)

    def forward(self, ids: Tensor) -> Tensor:
        """(B, T) → logits (B, T, V)."""
        x = self.tokens(ids) + self.positions.weight[: ids.shape[1]]
        return F.linear(self.norm(self.blocks(x)), self.tokens.weight)


def contestants(
    Llama: type[nn.Module],
    LlamaConfig: Callable[..., Any],
    learning_rate: Callable[..., float],
    learn: Tensor,
    size: int,
    seed: int = 0,
) -> dict[str, Contestant]:
    """The three of them, new, each with a schedule that ends with the time."""

    def rate(peak: float, floor: float) -> Callable[[float, int], float]:
        return lambda done, _: learning_rate(int(10_000 * done), 500, 10_000, peak, floor)

    torch.manual_seed(seed)
    classic = GPT(size, 128, 4, 4, 512)
    tuned = GPT(size, 96, 3, 4, 336)
    llama = Llama(LlamaConfig(**LLAMA, vocab_size=size, max_seq_len=512, rope_base=10_000.0))
    recipe = {"batch": 12, "betas": (0.9, 0.99)}
    return {
        "the recipe": Contestant(classic, learn, SECONDS, rate(1e-3, 1e-4), seed=seed, **recipe),
        "GPT-2, tuned": Contestant(tuned, learn, SECONDS, rate(3e-3, 1e-4), seed=seed),
        "your Llama": Contestant(llama, learn, SECONDS, rate(3e-3, 1e-4), seed=seed),
    }


def against_gpt(
    Llama: type[nn.Module],
    LlamaConfig: Callable[..., Any],
    learning_rate: Callable[..., float],
    learn: Tensor,
    unseen: Tensor,
    size: int,
) -> Flipbook:
    """Train the three in turns, for equal time, and draw their losses on unseen text."""

    @functools.cache
    def runs() -> dict[str, Contestant]:
        learning_rate(0, 1, 2, 1.0, 0.0)  # it may not be written yet
        state = torch.get_rng_state()
        found = contestants(Llama, LlamaConfig, learning_rate, learn, size)
        torch.set_rng_state(state)
        race(list(found.values()), unseen)
        return found

    def draw(fig: Figure, against: str) -> str:
        narrow = is_narrow(fig)
        axes = fig.add_axes((0.2, 0.16, 0.76, 0.8) if narrow else (0.07, 0.16, 0.91, 0.8))
        for name, run in runs().items():
            color, marker = LOOKS[name]
            x = [mark[0] if against == "seconds" else mark[1] for mark in run.curve]
            y = [mark[2] for mark in run.curve]
            axes.plot(x, y, f"{marker}-", color=color, markersize=5, label=name, gid=name)
            dots = axes.scatter(x, y, s=90, color="none", edgecolor="none")
            steps = [f"{name}, {mark[0]:.0f} s, step {mark[1]:,}: " for mark in run.curve]
            says(dots, [words + number(end) for words, end in zip(steps, y, strict=True)])
        axes.set(xlabel=against, ylabel="loss on unseen text")
        axes.legend(loc="upper right", fontsize=9)
        return f"{number(SECONDS, 0)} s each, one start: {_said(runs(), against)}."

    return explore(draw, against=["seconds", "steps"], size=(9.6, 3.6), narrow=(3.1, 3.6))


def _said(runs: dict[str, Contestant], against: str) -> str:
    """The ends, or the losses where the slowest of them ended."""
    if against == "seconds":
        return "; ".join(
            f"{name} {number(run.curve[-1][2])} after {run.steps:,} steps"
            for name, run in runs.items()
        )
    fewest = min(run.steps for run in runs.values())
    losses = "; ".join(
        f"{name} {number(_loss_at(run.curve, fewest))}" for name, run in runs.items()
    )
    return f"at step {fewest:,}, where the slowest one ends, {losses}"


def _loss_at(curve: list[tuple[float, int, float]], step: int) -> float:
    """The loss after so many steps, on a line between two marks."""
    before = max((mark for mark in curve if mark[1] <= step), default=curve[0])
    after = min((mark for mark in curve if mark[1] >= step), default=curve[-1])
    if after[1] == before[1]:
        return before[2]
    share = (step - before[1]) / (after[1] - before[1])
    return before[2] + share * (after[2] - before[2])
