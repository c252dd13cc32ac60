"""Lab 10, 10.5: what is tried on sample: is what it draws distributed as it should be?

Thousands of draws are counted, and the counts compared with what the probabilities lead one to
expect (chi-square). A right sampler fails one of these comparisons once in a thousand million
times; the wrong ones here are beyond the bound by factors. Every way of drawing counts.
"""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from checks.engine import HALF_PRECISION, Check, Inputs, Probe, Wrong
from checks.engine.compare import a_kind_of
from checks.engine.draws import counted, seeded
from checks.sampling.sample_wrong import MISTAKES

DRAWS = 6_000
FEW = 1_000  # what is wrong by far is seen in so many, and saves the time for all of them
RIGHT = "as the softmax says"
MODEL = (2.0, 0.5, -1.0, 1.0, -0.5, 0.0)
REST = -torch.inf
SOFTMAX = "with the probabilities of the softmax"
EACH_ROW = "Draw one token for each row"
SOURCE = "the source of all luck"


def reference(logits: Tensor, generator: torch.Generator | None = None) -> Tensor:
    """(B, V) → (B,): one token for each row, by its probability."""
    edges = logits.double().softmax(-1).cumsum(-1)
    height = torch.empty_like(edges[:, :1]).uniform_(generator=generator)
    return (edges <= height * edges[:, -1:]).sum(-1)


def draw(answer: Any, logits: Tensor, generator: torch.Generator | None = None) -> Tensor:
    """One call. Which shape and dtype the tokens have is another row's question."""
    result = answer(logits, generator) if generator is not None else answer(logits)
    if isinstance(result, list | tuple | int | float):
        try:
            result = torch.tensor(result)
        except (TypeError, ValueError, RuntimeError):
            raise Wrong(f"it returned {a_kind_of(result)}, expected one token a row.") from None
    if not isinstance(result, Tensor):
        raise Wrong(f"it returned {a_kind_of(result)}, expected a tensor (B,).")
    if result.numel() != len(logits):
        raise Wrong(
            f"for {len(logits)} rows it returned shape {tuple(result.shape)}, expected "
            f"({len(logits)},): one token for each row."
        )
    whole = result.long().flatten()
    if not bool((whole == result.flatten()).all()):
        raise Wrong("it returned numbers with a fraction. Tokens are numbered from 0 to V - 1.")
    return whole


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
        "one minus the softmax": (1 - wide.softmax(-1)) / (size - 1),
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


def only(drawn: Tensor, tokens: Tensor) -> str:
    """Say whether the tokens are those that alone are possible."""
    return "the only one" if torch.equal(drawn, tokens) else "another one"


@counted
def worked_draw(answer: Any, inputs: Inputs) -> list:
    """The worked example, again and again: one token possible in each row."""
    rows = torch.tensor([[REST, 0.0, REST], [2.0, REST, REST]])
    tokens = torch.tensor([1, 0])
    again = draw(answer, rows.repeat(30, 1))
    return [only(draw(answer, rows), tokens), only(again, tokens.repeat(30))]


@counted
def shapes(answer: Any, inputs: Inputs) -> list:
    """Shape and dtype of some draws, whatever was drawn."""
    seen = []
    for logits in (inputs.randn(4, 7), inputs.randn(1, 9), inputs.randn(3, 3)):
        result = answer(logits, seeded(inputs))
        seen.append(result * 0 if isinstance(result, Tensor) else result)
    return seen


@counted
def certain(answer: Any, inputs: Inputs) -> list:
    """One token leads by a thousand, or is the only one; one row, and a single token."""
    order = inputs.uniform(5, 6).argsort(-1).float()
    alone = torch.full((9, 17), REST)  # in each row at another place: that tells much apart
    alone[torch.arange(9), inputs.uniform(17).argsort()[:9]] = -3.0
    cases = (order * 1000, order * -1000 - 1e4, order * 1000 + 1e4, alone, alone[:1])
    seen = [only(draw(answer, rows, seeded(inputs)), rows.argmax(-1)) for rows in cases]
    return [*seen, only(draw(answer, torch.zeros(3, 1)), torch.zeros(3, dtype=torch.long))]


@counted
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
    torch.default_generator.manual_seed(int(inputs.integers(1, high=2**31)))
    return [name, look_at(FEW, answer, logits, None)]


@counted
def different_rows(answer: Any, inputs: Inputs) -> list:
    """Three kinds of rows in turn: each has its own distribution."""
    kinds = inputs.randn(3, 5) * torch.tensor([[0.5], [1.0], [1.5]])
    drawn = draw(answer, kinds.repeat(DRAWS // 3, 1), seeded(inputs))
    return [look(drawn[i::3], kinds[i]) for i in range(3)]


@counted
def one_by_one(answer: Any, inputs: Inputs) -> list:
    """A single row, again and again, with one generator: nearly flat, so that few calls tell."""
    logits = torch.tensor(MODEL)[inputs.uniform(6).argsort()][None] / 3
    generator = seeded(inputs)
    drawn = torch.cat([draw(answer, logits, generator) for _ in range(60)])
    return [look(drawn, logits[0])]


@counted
def removed(answer: Any, inputs: Inputs) -> list:
    """Half of the tokens are at -inf; they are never drawn, and the rest keep their shares."""
    logits = inputs.randn(12)
    logits[inputs.uniform(12).argsort()[:6]] = REST
    return [look(draw(answer, logits.expand(DRAWS, -1).clone(), seeded(inputs)), logits)]


def many_tokens(dtype: torch.dtype) -> Callable[[Any, Inputs], list]:
    """400 tokens, nearly alike: nearly every one must come up."""

    @counted
    def run(answer: Any, inputs: Inputs) -> list:
        logits = torch.linspace(0.8, 1.2, 400)[inputs.uniform(400).argsort()].to(dtype)
        drawn = draw(answer, logits.expand(1500, -1).clone(), seeded(inputs))
        eighths = logits.double().softmax(-1).reshape(8, 50).sum(-1).log()
        shares = look((drawn // 50).clamp(-1, 8), eighths)
        found = len(drawn.unique())
        missing = "many never drawn" if found > 150 else "most never drawn"
        return [shares, "all" if found > 371 else missing]  # 391 are to be expected, give or take 3

    return run


@counted
def generators(answer: Any, inputs: Inputs) -> list:
    """The same seed draws the same; another seed, and the next call, something else."""
    logits, seed = inputs.randn(40, 30), int(inputs.integers(1, high=2**30))
    calls, states = [], []
    for start, noise in ((seed, 1), (seed, 2), (seed + 1, 3)):
        generator = torch.Generator().manual_seed(start)
        torch.default_generator.manual_seed(noise)
        calls += [draw(answer, logits, generator), draw(answer, logits, generator)]
        untouched = torch.Generator().manual_seed(noise).get_state()
        states.append(torch.equal(torch.get_rng_state(), untouched))
    used = "torch's own generator untouched" if all(states) else "torch's own generator was used"
    return [*_luck_of(calls), used]


@counted
def no_generator(answer: Any, inputs: Inputs) -> list:
    """Without a generator torch's own is used: its seed decides, and two calls differ."""
    logits, seed = inputs.randn(40, 30), int(inputs.integers(1, high=2**30))
    calls = []
    for start in (seed, seed, seed + 1):
        torch.default_generator.manual_seed(start)
        calls += [draw(answer, logits), draw(answer, logits)]
    return _luck_of(calls)


def _luck_of(calls: list[Tensor]) -> list[str]:
    """Two calls each with a seed, the same seed again, another one."""
    first, second, again, _, other, _ = calls
    return [
        "same seed, same tokens" if torch.equal(first, again) else "same seed, other tokens",
        "next call, same tokens" if torch.equal(first, second) else "next call, other tokens",
        "other seed, same tokens" if torch.equal(first, other) else "other seed, other tokens",
    ]


MANY = (
    "Of 400 tokens, nearly equally likely, many were never drawn, or some too often. Are they all "
    "there, and is the sum in float32?"
)

sample = Check(
    exercise="10.5",
    name="sample",
    weight=2,
    reference=reference,
    technique=[
        Probe(
            "worked example: one token possible in each row",
            worked_draw,
            "In the first row only token 1 is possible and in the second only token 0: the others "
            "are at -inf. Another one was drawn.",
            promise="sample(torch.tensor([[-torch.inf, 0.0, -torch.inf]",
        ),
        Probe("shape and dtype: (B,) int64", shapes, promise="logits: (B, V) → (B,) int64"),
        Probe(
            "one token leads by a thousand, or is alone",
            certain,
            "One token of each row leads by a thousand, or is the only one. Another one was drawn.",
            promise=SOFTMAX,
        ),
        Probe(
            "8,000 draws from one distribution, in three calls",
            many_rows,
            "The tokens do not come up as often as the softmax says (chi-square of the counts).",
            promise=SOFTMAX,
        ),
        Probe(
            "rows with different logits",
            different_rows,
            "With different rows in one batch the tokens do not come up as often as each row's "
            "softmax says.",
            promise=EACH_ROW,
        ),
        Probe(
            "60 calls with a single row",
            one_by_one,
            "Called again and again with one row, the tokens do not come up as often as the "
            "softmax says.",
            promise=SOFTMAX,
        ),
        Probe(
            "tokens at -inf are never drawn",
            removed,
            "Some logits were -inf. Such a token must never be drawn, and the others must keep "
            "their shares.",
            promise=SOFTMAX,
        ),
        Probe(
            "400 tokens, nearly equally likely",
            many_tokens(torch.float32),
            MANY,
            promise=SOFTMAX,
        ),
        Probe(
            "the generator: same seed, same tokens; it moves on",
            generators,
            "The same seed must draw the same tokens, whatever torch's own generator does; another "
            "seed, and the next call with the same generator, other ones.",
            promise=SOURCE,
        ),
        Probe(
            "without a generator: torch's own",
            no_generator,
            "Without a generator, torch.manual_seed decides: the same seed, the same tokens; two "
            "calls after it, different ones.",
            promise="None is torch's own",
        ),
    ],
    ready=[
        Probe(
            "400 tokens, nearly equally likely, in bfloat16",
            many_tokens(torch.bfloat16),
            MANY,
            promise=HALF_PRECISION,
        ),
        # No device row: numbers are drawn where the generator lies, the caller's choice.
    ],
    mistakes=MISTAKES,
    hints=(
        "What turns logits into probabilities, and which function of torch draws by probabilities?",
        "softmax over the vocabulary in float32, then torch.multinomial with one draw for each "
        "row, which takes the generator. It returns (B, 1).",
        "`torch.multinomial(logits.float().softmax(-1), 1, generator=generator).squeeze(-1)`",
    ),
)
