"""Lab 10: is what `sample` draws distributed as it should be? Whatever way it draws.

Thousands of draws are counted, and the counts compared with what the probabilities lead one to
expect (chi-square). A right sampler fails one of these comparisons once in a thousand million
times; the wrong ones here are beyond the bound by factors.
"""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from checks.engine import Inputs
from checks.probes.sampling import forget

DRAWS = 6_000
FEW = 1_000  # what is wrong by far is seen in so many, and saves the time for all of them
RIGHT = "as the softmax says"
MODEL = (2.0, 0.5, -1.0, 1.0, -0.5, 0.0)


def seeded(inputs: Inputs) -> torch.Generator:
    """A new generator with a seed of its own."""
    return torch.Generator().manual_seed(int(inputs.integers(1, high=2**31)))


def draw(answer: Any, logits: Tensor, generator: torch.Generator | None) -> Any:
    """One call; whatever is no (B,) of whole numbers comes back as it is, to be compared."""
    result = answer(logits, generator) if generator is not None else answer(logits)
    fits = (
        isinstance(result, Tensor)
        and result.shape == logits.shape[:1]
        and result.dtype == torch.long
    )
    if not fits:
        raise Misfit(result)
    return result


class Misfit(Exception):
    """Carries a result of another kind than (B,) int64."""


def judged(run: Callable[[Any, Inputs], list]) -> Callable[[Any, Inputs], list]:
    """Turn a misfit into a value that the engine can describe; forget the draws."""

    def judge(answer: Any, inputs: Inputs) -> list:
        try:
            seen = run(answer, inputs)
        except Misfit as misfit:
            (result,) = misfit.args
            seen = [result * 0] if isinstance(result, Tensor) else [result]
        forget(answer)
        return seen

    return judge


def chi_square(counts: Tensor, expected: Tensor) -> float:
    """Pearson's sum; what is expected less than ten times is counted together."""
    if counts[expected == 0].any():
        return float("inf")
    expected, order = expected.sort()
    together = int((expected.cumsum(0) < 10).sum().clamp(max=len(expected) - 1)) + 1
    counts = counts[order]
    counts = torch.cat([counts[:together].sum()[None], counts[together:]])
    expected = torch.cat([expected[:together].sum()[None], expected[together:]])
    return float(((counts - expected) ** 2 / expected.clamp(min=1e-9)).sum())


def bound(size: int) -> float:
    """What chi-square exceeds less than once in 10^9 times, for up to `size` tokens."""
    return 42.0 + 2.5 * size


def look(drawn: Tensor, logits: Tensor) -> str:
    """Say which distribution the draws have: the softmax of `logits` (V,), or another one."""
    size = len(logits)
    if drawn.min() < 0 or drawn.max() >= size:
        return f"tokens outside of 0 to {size - 1}"
    counts = torch.bincount(drawn, minlength=size).double()
    wide, alive = logits.double(), logits.isfinite()
    if counts[~alive].any():
        return "tokens that had been removed"
    shapes = {
        RIGHT: wide.softmax(-1),
        "uniform": alive.double() / alive.sum(),
        "the likeliest only": torch.nn.functional.one_hot(wide.argmax(), size).double(),
        "upside down": (-wide.where(alive, torch.inf)).softmax(-1),
        "softmax of the softmax": torch.where(alive, wide.softmax(-1), -torch.inf).softmax(-1),
        "too cold": (wide / 0.7).softmax(-1),
        "too hot": (wide * 0.7).softmax(-1),
        "squared": (2 * wide).softmax(-1),
    }
    for name, probabilities in shapes.items():
        if chi_square(counts, probabilities * len(drawn)) < bound(size):
            return name
    never = counts[wide.softmax(-1) * len(drawn) > 40] == 0
    return "another distribution, some tokens missing" if never.any() else "another distribution"


def look_at(count: int, answer: Any, logits: Tensor, generator: torch.Generator | None) -> str:
    """Look at so many draws from one row (V,), in one call."""
    return look(draw(answer, logits.expand(count, -1).clone(), generator), logits)


def worked_draw(answer: Any, inputs: Inputs) -> list:
    """The worked example: one token possible in each row."""
    rest = -torch.inf
    return [answer(torch.tensor([[rest, 0.0, rest], [2.0, rest, rest]]))]


def certain(answer: Any, inputs: Inputs) -> list:
    """One token leads by a thousand, or is the only one; one row, and a single token."""
    order = inputs.uniform(5, 6).argsort(-1).float()
    alone = torch.full((9, 17), -torch.inf)  # in each row at another place: that tells much apart
    alone[torch.arange(9), inputs.uniform(17).argsort()[:9]] = -3.0
    return [
        answer(order * 1000, seeded(inputs)),
        answer(order * -1000 - 1e4, seeded(inputs)),
        answer(order * 1000 + 1e4),
        answer(alone, seeded(inputs)),
        answer(alone[:1], seeded(inputs)),
        answer(torch.zeros(3, 1), seeded(inputs)),
    ]


@judged
def many_rows(answer: Any, inputs: Inputs) -> list:
    """Rows with the same logits: a few, then 6,000, then a few without a generator.

    What is wrong in one of these is not looked at in the next.
    """
    logits = torch.tensor(MODEL)[inputs.uniform(6).argsort()]
    generator = seeded(inputs)
    name = look_at(FEW, answer, logits, generator)
    if name == RIGHT:
        name = look_at(DRAWS, answer, logits, generator)
    if name != RIGHT:
        return [name]
    torch.manual_seed(int(inputs.integers(1, high=2**31)))
    return [name, look_at(FEW, answer, logits, None)]


@judged
def different_rows(answer: Any, inputs: Inputs) -> list:
    """Three kinds of rows in turn: each has its own distribution."""
    kinds = inputs.randn(3, 5) * torch.tensor([[0.5], [1.0], [1.5]])
    drawn = draw(answer, kinds.repeat(DRAWS // 3, 1), seeded(inputs))
    return [look(drawn[i::3], kinds[i]) for i in range(3)]


@judged
def one_by_one(answer: Any, inputs: Inputs) -> list:
    """A single row, again and again, with one generator: nearly flat, so that few calls tell."""
    logits = torch.tensor(MODEL)[inputs.uniform(6).argsort()][None] / 3
    generator = seeded(inputs)
    drawn = torch.cat([draw(answer, logits, generator) for _ in range(60)])
    return [look(drawn, logits[0])]


@judged
def removed(answer: Any, inputs: Inputs) -> list:
    """Half of the tokens are at -inf; they are never drawn, and the rest keep their shares."""
    logits = inputs.randn(12)
    logits[inputs.uniform(12).argsort()[:6]] = -torch.inf
    return [look(draw(answer, logits.expand(DRAWS, -1).clone(), seeded(inputs)), logits)]


@judged
def many_tokens(answer: Any, inputs: Inputs) -> list:
    """400 tokens, nearly alike, in bfloat16: nearly every one must come up."""
    logits = torch.linspace(0.8, 1.2, 400)[inputs.uniform(400).argsort()].bfloat16()
    drawn = draw(answer, logits.expand(1500, -1).clone(), seeded(inputs))
    eighths = logits.double().softmax(-1).reshape(8, 50).sum(-1).log()
    shares = look((drawn // 50).clamp(-1, 8), eighths)
    found = len(drawn.unique())
    missing = "many never drawn" if found > 150 else "most never drawn"
    return [shares, "all" if found > 371 else missing]  # 391 are to be expected, give or take 3


@judged
def generators(answer: Any, inputs: Inputs) -> list:
    """The same seed draws the same; another seed, and the next call, something else."""
    logits, seed = inputs.randn(40, 30), int(inputs.integers(1, high=2**30))
    calls, states = [], []
    for start, noise in ((seed, 1), (seed, 2), (seed + 1, 3)):
        generator = torch.Generator().manual_seed(start)
        torch.manual_seed(noise)
        calls += [draw(answer, logits, generator), draw(answer, logits, generator)]
        states.append(torch.equal(torch.get_rng_state(), _state(noise)))
    first, second, again, _, other, _ = calls
    return [
        "same seed, same tokens" if torch.equal(first, again) else "same seed, other tokens",
        "next call, same tokens" if torch.equal(first, second) else "next call, other tokens",
        "other seed, same tokens" if torch.equal(first, other) else "other seed, other tokens",
        "torch's own generator untouched" if all(states) else "torch's own generator was used",
    ]


@judged
def no_generator(answer: Any, inputs: Inputs) -> list:
    """Without a generator torch's own is used: its seed decides, and two calls differ."""
    logits, seed = inputs.randn(40, 30), int(inputs.integers(1, high=2**30))
    calls = []
    for start in (seed, seed, seed + 1):
        torch.manual_seed(start)
        calls += [draw(answer, logits, None), draw(answer, logits, None)]
    first, second, again, _, other, _ = calls
    return [
        "same seed, same tokens" if torch.equal(first, again) else "same seed, other tokens",
        "next call, same tokens" if torch.equal(first, second) else "next call, other tokens",
        "other seed, same tokens" if torch.equal(first, other) else "other seed, other tokens",
    ]


def _state(seed: int) -> Tensor:
    return torch.Generator().manual_seed(seed).get_state()
