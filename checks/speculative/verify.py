"""Lab 14, 14.5: what is tried on verify: certain targets exactly, all others by counting."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from checks.engine import Check, Inputs, Probe, Wrong, values
from checks.engine.compare import a_kind_of
from checks.engine.draws import counted, seeded
from checks.speculative.chance import look, luck_of
from checks.speculative.count_accepted import reference as count_accepted
from checks.speculative.pairs import certain, pair
from checks.speculative.verify_wrong import MISTAKES

AS_FROM_P = "Drafts drawn from q make tokens distributed exactly as from p."
KEEP = "Keep the accepted drafts, and add one token"
ADDED = "drawn from the residual at the first rejected place or, when all are accepted"
SOURCE = "the source of all luck"

APART = (  # what is guessed is accepted half of the time, and token 0 never guessed
    torch.tensor([0.5, 0.25, 0.25]),
    torch.tensor([0.0, 0.5, 0.5]),
)
TARGETS = torch.tensor([[0.4, 0.2, 0.2, 0.2], [0.1, 0.15, 0.15, 0.6], [0.25, 0.55, 0.1, 0.1]])
DRAFTS = torch.tensor([[0.0, 0.7, 0.2, 0.1], [0.3, 0.25, 0.3, 0.15]])


def reference(
    p: Tensor, q: Tensor, drafts: Tensor, generator: torch.Generator | None = None
) -> Tensor:
    """(m + 1,): the accepted drafts and one more token, in plain Python."""
    n = count_accepted(p, q, drafts, torch.rand(len(drafts), generator=generator))
    weights = p[n].tolist()
    if n < len(drafts):
        less = q[n].tolist()
        rest = [max(a - b, 0.0) for a, b in zip(weights, less, strict=True)]
        weights = rest if sum(rest) > 0 else weights
    height = float(torch.rand(1, generator=generator)) * sum(weights)
    token = 0
    while token < len(weights) - 1 and height >= weights[token]:
        height -= weights[token]
        token += 1
    return torch.cat([drafts[:n], torch.tensor([token])])


def tokens_of(answer: Any, p: Tensor, q: Tensor, drafts: Tensor, generator: Any) -> list[int]:
    """The tokens of one call; a sentence where it is no tensor (m + 1,)."""
    result = answer(p, q, drafts, generator) if generator is not None else answer(p, q, drafts)
    if not isinstance(result, Tensor) or result.dim() != 1:
        shape = f" of shape {tuple(result.shape)}" if isinstance(result, Tensor) else ""
        raise Wrong(f"it returned {a_kind_of(result)}{shape}, expected a tensor (m + 1,).")
    return [int(token) for token in result.tolist()]


def rounds(
    answer: Any, inputs: Inputs, p: Tensor, q: Tensor, count: int, drafts: Tensor | None = None
) -> list[list[int]]:
    """The tokens of so many calls, each with drafts drawn from q."""
    generator = seeded(inputs)
    if drafts is None:
        luck = torch.Generator().manual_seed(int(inputs.integers(1, high=2**31)))
        drafts = torch.multinomial(q, count, replacement=True, generator=luck).T  # (count, n)
    return [tokens_of(answer, p, q, one, generator) for one in drafts]


@counted
def alike(answer: Any, inputs: Inputs) -> list:
    """Three drafts, all places alike: what comes out has the target's shares."""
    p, q = APART
    tokens = rounds(answer, inputs, p.expand(4, -1), q.expand(3, -1), 220)
    return [look([token for one in tokens for token in one], p, q)]


@counted
def each_place(answer: Any, inputs: Inputs) -> list:
    """Two drafts, each place with its own distribution, and the free token with its own."""
    tokens = rounds(answer, inputs, TARGETS, DRAFTS, 260)
    free = torch.zeros(4)
    return [
        look([one[i] for one in tokens if len(one) > i], p, q)
        for i, (p, q) in enumerate(zip(TARGETS, (*DRAFTS, free), strict=True))
    ]


@counted
def looked_up(answer: Any, inputs: Inputs) -> list:
    """A draft that is certain of its guess: as from lookup_draft."""
    p, q = torch.tensor([0.2, 0.2, 0.6]), certain(2, size=3)
    tokens = rounds(answer, inputs, p.expand(2, -1), q, 120)
    return [look([one[0] for one in tokens], p, q[0])]


@counted
def kinds(answer: Any, inputs: Inputs) -> list:
    """Shape and dtype, whatever is drawn."""
    seen = []
    for n, size in ((3, 5), (1, 4), (4, 6)):
        p, q = pair(inputs, n + 1, size)
        drafts = torch.multinomial(q[:n], 1, generator=seeded(inputs))[:, 0]
        result = answer(p, q[:n], drafts, seeded(inputs))
        at_most = isinstance(result, Tensor) and result.dim() == 1 and 1 <= len(result) <= n + 1
        seen.append(result[:1] * 0 if at_most else result)
        seen.append(at_most)
    return seen


def sure(inputs: Inputs, wanted: list[int], guessed: list[int], size: int = 6) -> tuple:
    """A target that is certain of `wanted`, drafts `guessed`, and a draft model that is unsure."""
    _, q = pair(inputs, max(len(guessed), 1), size)
    return certain(*wanted, size=size), q[: len(guessed)], torch.tensor(guessed, dtype=torch.long)


@counted
def generators(answer: Any, inputs: Inputs) -> list:
    """The same seed gives the same tokens; another seed, and the next call, other ones."""
    p, q = torch.full((31, 50), 0.02), torch.full((30, 50), 0.02)
    p[0], q[0] = p[0].roll(25) * 0.01, q[0]  # the first draft is nearly always rejected
    p[0, :25] = (1 - float(p[0, 25:].sum())) / 25
    drafts = torch.full((30,), 40)
    seed, calls, states = int(inputs.integers(1, high=2**30)), [], []
    for start, noise in ((seed, 1), (seed, 2), (seed + 1, 3)):
        generator = torch.Generator().manual_seed(start)
        torch.default_generator.manual_seed(noise)
        calls += [_several(answer, p, q, drafts, generator) for _ in range(2)]
        untouched = torch.Generator().manual_seed(noise).get_state()
        states.append(torch.equal(torch.get_rng_state(), untouched))
    used = "torch's own generator untouched" if all(states) else "torch's own generator was used"
    return [*luck_of(calls), used]


@counted
def no_generator(answer: Any, inputs: Inputs) -> list:
    """Without a generator torch's own is used: its seed decides, and two calls differ."""
    p, q = torch.full((2, 400), 1 / 400), certain(7, size=400)
    seed, calls = int(inputs.integers(1, high=2**30)), []
    for start in (seed, seed, seed + 1):
        torch.default_generator.manual_seed(start)
        calls += [_several(answer, p, q, torch.tensor([7]), None) for _ in range(2)]
    return luck_of(calls)


def _several(answer: Any, p: Tensor, q: Tensor, drafts: Tensor, generator: Any) -> list[int]:
    """Six calls, one after the other."""
    return [token for _ in range(6) for token in tokens_of(answer, p, q, drafts, generator)]


def exactly(*cases: Callable[[Inputs], tuple], title: str, promise: str) -> Probe:
    """Compare where luck has no part: the target is certain."""
    return values(*cases, title=title, promise=promise)


verify = Check(
    exercise="14.5",
    name="verify",
    weight=2,
    reference=reference,
    technique=[
        exactly(
            lambda inputs: (certain(2, 0, 3, size=4), certain(2, 1, size=4), torch.tensor([2, 1])),
            lambda inputs: (certain(2, 0, 3, size=4), certain(2, 0, size=4), torch.tensor([2, 0])),
            title="worked examples",
            promise="verify(p, q, torch.tensor([2, 1]))",
        ),
        Probe("shape and dtype: (m + 1,) int64", kinds, promise="(m + 1,) int64"),
        exactly(
            lambda inputs: sure(inputs, [3, 1, 4, 2], [3, 1, 4]),
            lambda inputs: sure(inputs, [5, 0], [5]),
            lambda inputs: sure(inputs, [2, 2, 1, 0, 4, 3], [2, 2, 1, 0, 4]),
            title="a certain target, all drafts accepted: one token is free",
            promise=ADDED,
        ),
        exactly(
            lambda inputs: sure(inputs, [3, 1, 4, 2], [3, 5, 4]),
            lambda inputs: sure(inputs, [4, 2, 0, 1], [1, 2, 0]),
            lambda inputs: sure(inputs, [2, 5, 1, 0, 4, 3], [2, 5, 1, 0, 2]),
            lambda inputs: sure(inputs, [1, 3, 5], [0, 2]),
            title="a certain target, a draft rejected: it is corrected",
            promise=ADDED,
        ),
        exactly(
            lambda inputs: sure(inputs, [4], []),
            title="no draft: one token",
            promise="n may be 0",
        ),
        Probe(
            "220 rounds, all places alike: p's shares come out",
            alike,
            "With drafts drawn from q the tokens do not come out as often as p says (chi-square of "
            "the counts).",
            promise=AS_FROM_P,
        ),
        Probe(
            "260 rounds, each place with a distribution of its own",
            each_place,
            "At some place the tokens do not come out as often as its row of p says (chi-square of "
            "the counts).",
            promise=AS_FROM_P,
        ),
        Probe(
            "a draft that is certain, as lookup_draft is",
            looked_up,
            "The draft is certain of its guess, q is 1 there, and the target is not. The tokens do "
            "not come out as often as p says.",
            promise=AS_FROM_P,
        ),
        Probe(
            "the generator: same seed, same tokens; it moves on",
            generators,
            "The same seed must give the same tokens, whatever torch's own generator does; another "
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
    mistakes=MISTAKES,
    hints=(
        "How many drafts are kept, and from which row does the next token come: that of the first "
        "rejected draft, or the one behind the last draft?",
        "Luck from torch.rand with the generator, one number for each draft; count_accepted; then "
        "one draw: from residual_distribution at the first rejected place, from p's last row when "
        "there is none.",
        "`n = count_accepted(p, q, drafts, luck)`, `last = p[n] if n == len(drafts) else "
        "residual_distribution(p[n], q[n])`, `torch.cat([drafts[:n], torch.multinomial(last, 1, "
        "generator=generator)])`",
    ),
)
