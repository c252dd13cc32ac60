"""Lab 04: a detector for leaks of the future, and what attention costs."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from plots.cells import MASKED, NEW, WASTED
from plots.flipbook import Flipbook, explore
from plots.matrix import matrix
from plots.measure import medians, one_thread, short
from plots.show import once_written
from plots.style import BLUE, GREY, ORANGE, is_narrow, number, numbers

if TYPE_CHECKING:
    from matplotlib.figure import Figure

DIM, HEADS, VOCABULARY = 32, 2, 16
LENGTH, BATCH = 9, 16  # tokens of a text, texts of a step
STEPS = 20 if short() else 200
SMOOTH = 10  # steps that one point of a curve averages
NOTHING = 1e-5  # of the largest gradient: rounding
YOURS = "yours"
LEAKS = {
    YOURS: "",
    "no mask": "no mask",
    "one ahead": "mask off by one",
    "merge": "merge without transpose",
    "queries": "softmax over queries",
}


class Leaky(nn.Module):
    """Causal attention with one mistake; its only purpose is to be caught."""

    def __init__(self, leak: str) -> None:
        super().__init__()
        self.leak = leak
        self.wq, self.wk, self.wv, self.wo = (nn.Linear(DIM, DIM, bias=False) for _ in range(4))

    def forward(self, x: Tensor, angles: Tensor) -> Tensor:
        """x: (B, T, DIM), angles: (T, d/2) → (B, T, DIM)."""
        q, k, v = (w(x).unflatten(-1, (HEADS, -1)) for w in (self.wq, self.wk, self.wv))
        q, k, v = (y.transpose(1, 2) for y in (q, k, v))  # (B, H, T, d)
        q, k = _turned(q, angles), _turned(k, angles)
        diagonal = {"no mask": x.shape[1], "one ahead": 1}.get(self.leak, 0)
        hidden = torch.ones(x.shape[1], x.shape[1], dtype=torch.bool).triu(diagonal + 1)
        scores = (q @ k.mT / math.sqrt(q.shape[-1])).masked_fill(hidden, -1e9)
        out = scores.softmax(-2 if self.leak == "queries" else -1) @ v
        if self.leak != "merge":
            out = out.transpose(1, 2)
        return self.wo(out.reshape(x.shape))


def leak_detector(attention_module: Callable[[int, int], nn.Module]) -> Flipbook:
    """Show who sees whom by gradients, and what a module learns from text that has no pattern."""

    @functools.cache
    def tried(name: str) -> tuple[Tensor, list[float]]:
        with one_thread(), torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            module = attention_module(DIM, HEADS) if name == YOURS else Leaky(name)
            return who_sees_whom(module), train(module)

    def draw(fig: Figure, module: str) -> str:
        yours, (seen, curve) = tried(YOURS)[1], tried(module)
        narrow = is_narrow(fig)
        left = fig.add_axes((0.13, 0.51, 0.8, 0.38) if narrow else (0.05, 0.03, 0.42, 0.79))
        right = fig.add_axes((0.13, 0.09, 0.81, 0.31) if narrow else (0.57, 0.14, 0.4, 0.77))
        leaks = _draw_matrix(left, seen)
        right.plot(yours, color=BLUE, label="yours", gid="yours")
        if module != YOURS:
            right.plot(curve, "--", color=ORANGE, label=LEAKS[module], gid="other")
        right.axhline(math.log(VOCABULARY), color=GREY, linewidth=1, linestyle=":", gid="floor")
        guess = f"ln {VOCABULARY}: guessing"
        right.text(0.02 * STEPS, math.log(VOCABULARY) + 0.1, guess, fontsize=10, color=GREY)
        right.set(xlabel="training steps", ylabel="loss", ylim=(0, 3.2), xlim=(0, STEPS))
        right.legend(loc="center right", fontsize=10)
        whose = "Your module" if module == YOURS else f"With {LEAKS[module]} a module"
        pairs = LENGTH * (LENGTH - 1) // 2
        return (
            f"{whose} sees {leaks} of the {pairs} later tokens that it must not see. On random "
            f"tokens its loss goes to {number(curve[-1])}; guessing gives ln {VOCABULARY} = "
            f"{number(math.log(VOCABULARY))}. {_verdict(leaks, curve[-1])}"
        )

    return explore(
        draw, module=list(LEAKS), start={"module": YOURS}, size=(9.4, 4.3), narrow=(3.5, 5.2)
    )


def who_sees_whom(module: nn.Module) -> Tensor:
    """How much each output moves with each input: (T, T) sizes of gradients."""
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(1, LENGTH, DIM, generator=generator, requires_grad=True)
    probe = torch.randn(DIM, generator=generator)
    out = module(x, _angles()) @ probe  # (1, T)
    rows = [torch.autograd.grad(o, x, retain_graph=True)[0][0].norm(dim=-1) for o in out[0]]
    return torch.stack(rows)


def train(module: nn.Module) -> list[float]:
    """Train embedding → module → logits on random tokens, new ones in each step; the losses.

    The next token is drawn anew, so that nobody can know it: the loss stays at ln V, unless the
    module sees it.
    """
    embedding, logits = nn.Embedding(VOCABULARY, DIM), nn.Linear(DIM, VOCABULARY)
    parts = nn.ModuleList([module, embedding, logits])
    optimizer = torch.optim.AdamW(parts.parameters(), lr=0.01)
    generator, losses = torch.Generator().manual_seed(1), []
    for _ in range(STEPS):
        ids = torch.randint(VOCABULARY, (BATCH, LENGTH + 1), generator=generator)
        guess = logits(module(embedding(ids[:, :-1]), _angles()))  # (B, T, V)
        loss = F.cross_entropy(guess.flatten(0, 1), ids[:, 1:].flatten())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    smooth = [losses[max(0, i - SMOOTH + 1) : i + 1] for i in range(STEPS)]
    return [sum(few) / len(few) for few in smooth]


@once_written
def timing(attention: Callable[..., Tensor], causal_mask: Callable[[int, int], Tensor]) -> None:
    """Print how attention's time and its matrix of weights grow with the length of the text."""
    lengths = (64, 128) if short() else (256, 512, 1024, 2048)
    heads, d, before = 4, 64, 0.0
    print(f"{heads} heads of {d}      yours             fused    ratio    weights")
    for length in lengths:
        q, k, v = torch.randn(3, 1, heads, length, d).unbind()
        mask = causal_mask(length, length)
        yours, fused = medians(
            lambda q=q, k=k, v=v, mask=mask: attention(q, k, v, mask),
            lambda q=q, k=k, v=v: F.scaled_dot_product_attention(q, k, v, is_causal=True),
            rounds=5,
        )
        times = f"({yours / before:.1f}×)" if before else ""
        memory = 4 * heads * length**2 / 2**20
        print(
            f"{length:5} tokens {yours * 1e3:9.1f} ms {times:7}{fused * 1e3:7.1f} ms "
            f"{yours / fused:7.1f} {memory:7.0f} MiB"
        )
        before = yours


def _draw_matrix(axes: Any, seen: Tensor) -> int:
    """Draw who sees whom, what must not be seen in orange; how many that are."""
    sizes = numbers(seen)
    limit = float(seen.nan_to_num(0).max())
    states = [
        [WASTED if s != s else NEW if s > NOTHING * limit else MASKED for s in row] for row in sizes
    ]
    leaks = sum(states[t][s] != MASKED for t in range(len(sizes)) for s in range(t + 1, len(sizes)))
    faintest = 0.25 * limit  # of a leak: it is to be seen, however small
    shown = [
        [-max(s, faintest) if j > t else s for j, s in enumerate(row)]
        for t, row in enumerate(sizes)
    ]

    def tell(t: int, s: int) -> str:
        if states[t][s] == MASKED:
            return f"output {t} does not move with input {s}"
        must = ", which it must not see" if s > t else ""
        share = 100 * sizes[t][s] / limit
        return f"output {t} moves with input {s}{must}: {share:.0f} % of the largest gradient"

    look: dict[str, Any] = {"limit": 0.5 * limit, "gid": "seen", "write": lambda _: ""}
    names = range(len(sizes))
    matrix(axes, shown, states, rows=names, columns=names, tell=tell, **look)
    axes.set(ylabel="output", title="input")
    return leaks


def _verdict(leaks: int, loss: float) -> str:
    if leaks and loss < 0.98 * math.log(VOCABULARY):
        return "The future leaks, and training uses it."
    return "The future leaks." if leaks else "Nothing leaks."


def _angles() -> Tensor:
    """(T, d/2): the angle of each position and pair, with base 100."""
    d = DIM // HEADS
    return torch.arange(LENGTH)[:, None] * 100.0 ** (-torch.arange(0, d, 2) / d)


def _turned(x: Tensor, angles: Tensor) -> Tensor:
    """RoPE: (..., T, d), (T, d/2) → (..., T, d)."""
    even, odd, cos, sin = x[..., 0::2], x[..., 1::2], angles.cos(), angles.sin()
    return torch.stack([even * cos - odd * sin, even * sin + odd * cos], -1).flatten(-2)
