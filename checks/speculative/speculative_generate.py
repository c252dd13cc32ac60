"""Lab 14, 14.9: what is tried on speculative_generate: text, calls, and what its caches hold."""

from collections.abc import Callable, Collection, Iterator
from typing import Any

import torch
from torch import Tensor

from checks.engine import SAME_DEVICE, Check, Inputs, Probe
from checks.engine.devices import pretended_device
from checks.engine.draws import counted, seeded
from checks.speculative.chance import look, luck_of
from checks.speculative.made_up import (
    NOTHING,
    PERFECT,
    VOCABULARY,
    CountingModel,
    Guesses,
    SameAlways,
    Unlike,
    drawn,
    made_up,
    stream,
    written,
)
from checks.speculative.speculative_generate_wrong import MISTAKES
from checks.speculative.verify import reference as verify

AS_GENERATE = "As lab 10's generate, several tokens for each call of the model"
ONE_CALL = "One call of the model reads what its caches do not hold yet, and the drafts"
CUT = "then they are cut to the tokens that are kept"
ENDS = (
    "The text ends before a token in `stop`, wherever in a call it comes, and after n_new tokens."
)
STREAMS = "A call's tokens are yielded before the next call."
DRAFT = (
    "draft(text (T,), n, generator) → drafts (m,) and q (m, V), m from 0 to n, n at most n_draft"
)


@torch.no_grad()
def reference(
    model: Any,
    draft: Callable[..., tuple[Tensor, Tensor]],
    ids: Tensor,
    n_new: int,
    n_draft: int = 4,
    temperature: float = 1.0,
    stop: Collection[int] | None = None,
    generator: torch.Generator | None = None,
) -> Iterator[int]:
    """Yield up to n_new tokens after ids (1, T); the caches are asked what they hold."""
    caches = model.new_caches(1, ids.shape[1] + n_new + n_draft)
    text = ids[0]
    for _ in range(n_new):
        drafts, q = draft(text, n_draft, generator)
        held = caches[0].length if caches else 0
        logits = model(torch.cat([text[held:], drafts])[None], caches)[0, -len(drafts) - 1 :]
        if temperature == 0:
            p = torch.eye(logits.shape[-1])[logits.argmax(-1)]
        else:
            p = (logits.float() / temperature).softmax(-1)
        kept = verify(p, q, drafts, generator)
        text = torch.cat([text, kept])
        for cache in caches:
            cache.length = len(text) - 1
        for token in kept.tolist():
            if n_new == 0 or (stop is not None and token in stop):
                return
            yield token
            n_new -= 1
        if n_new == 0:
            return


def prompt(inputs: Inputs, length: int) -> Tensor:
    """Random ids: (1, length)."""
    return inputs.integers(1, length, high=VOCABULARY)


def worked(answer: Any, inputs: Inputs) -> list:
    """The worked example, and the same with a better draft."""

    def four(text: Tensor, n: int, generator: Any) -> tuple[Tensor, Tensor]:
        return torch.tensor([4])[:n], torch.eye(10)[[4]][:n]

    model, ids = CountingModel(), torch.tensor([[5, 3]])
    seen = [written(answer, model, four, ids, 3, temperature=0)]
    return [*seen, written(answer, model, Guesses(model, PERFECT), ids, 7, temperature=0)]


PLANS: tuple[tuple[tuple[int, ...], int, int, int], ...] = (  # plan, prompt, n_new, n_draft
    ((2, 0, 3, 1), 4, 17, 3),
    (PERFECT, 3, 20, 4),
    ((0,), 6, 5, 2),
    ((1, 5, 2), 2, 23, 5),
)


def texts(*cases: tuple[tuple[int, ...], int, int, int]) -> Callable[[Any, Inputs], list]:
    """The tokens at temperature 0, with drafts that are right so often."""

    def run(answer: Any, inputs: Inputs) -> list:
        seen = []
        for plan, length, n_new, n_draft in cases:
            model = made_up(inputs)
            args = model, Guesses(model, plan), prompt(inputs, length), n_new
            seen.append(written(answer, *args, n_draft=n_draft, temperature=0))
        return seen

    return run


def held(answer: Any, inputs: Inputs) -> list:
    """What the caches hold when the model is called: the text, as far as it goes, and no more."""
    seen: list = []
    for plan, length, n_new, n_draft in PLANS:
        model, ids = made_up(inputs), prompt(inputs, length)
        drawn(answer, model, Guesses(model, plan), ids, n_new, n_draft=n_draft, temperature=0)
        text = ids[0].tolist()
        text += model.go_on(text, n_new + n_draft)
        wrong = [i for i, (old, _) in enumerate(model.seen) if old != text[: len(old)]]
        says = f"other tokens at call {wrong[0] + 1}" if wrong else "the text"
        again = [i for i, (old, new) in enumerate(model.seen) if i and not old and len(new) > 1]
        seen.append("the text, but read anew" if again and not wrong else says)
    return seen


def calls(answer: Any, inputs: Inputs) -> list:
    """How often the model is called, and how much it reads of what it knows."""
    seen: list = []
    for plan, length, n_new, n_draft in PLANS:
        model, ids = made_up(inputs), prompt(inputs, length)
        drawn(answer, model, Guesses(model, plan), ids, n_new, n_draft=n_draft, temperature=0)
        needed = _calls_needed(plan, n_new, n_draft)
        few = "as many as it takes" if len(model.seen) <= needed + 1 else "more calls"
        fed = [len(new) for _, new in model.seen]
        most = max(fed[1:], default=0)  # the first has the prompt
        read = "drafts read" if most > 1 or needed == 1 else "no draft read"
        known = "no more" if most <= n_draft + 1 else "known ones again"
        seen.append([few if fed else "no call", read, known])
    return seen


def _calls_needed(plan: tuple[int, ...], n_new: int, n_draft: int) -> int:
    """Rounds until n_new tokens are there."""
    count = 0
    while n_new > 0:
        n_new -= min(max(plan[count % len(plan)], 0), n_draft) + 1
        count += 1
    return count


def drafts_asked(answer: Any, inputs: Inputs) -> list:
    """What a draft is given: the whole text so far, how many, and the generator."""
    seen: list = []
    for n_draft in (3, 5, None):
        model, ids = made_up(inputs), prompt(inputs, 5)
        guesses = Guesses(model, (1, 3, 0))
        settings = {} if n_draft is None else {"n_draft": n_draft}
        drawn(answer, model, guesses, ids, 20, **settings, temperature=0, generator=seeded(inputs))
        text = ids[0].tolist()
        text += model.go_on(text, 20)
        right = all(asked == text[: len(asked)] and len(asked) > 4 for asked, _ in guesses.asked)
        numbers = [n for _, n in guesses.asked]
        seen += [
            "the text so far" if right and guesses.asked else "another text",
            numbers[:2],
            [len(asked) for asked, _ in guesses.asked[:3]],
            "at most so many" if max(numbers, default=0) <= (n_draft or 4) else "too many",
            "with the generator" if all(guesses.generators) else "without the generator",
        ]
    return seen


def kinds(answer: Any, inputs: Inputs) -> list:
    """Of which type the tokens are."""
    model = made_up(inputs)
    tokens = stream(answer, model, Guesses(model, (1, 2)), prompt(inputs, 3), 5, temperature=0)
    return sorted({type(token).__name__ for token in tokens})


def as_it_comes(answer: Any, inputs: Inputs) -> list:
    """Whether tokens are handed out between the calls."""
    model = made_up(inputs)
    before, silent = 0, 0
    args = model, Guesses(model, (2, 0, 1)), prompt(inputs, 4), 12
    for _ in stream(answer, *args, n_draft=3, temperature=0):
        silent = max(silent, len(model.seen) - before)
        before = len(model.seen)
    return ["as they come" if silent <= 2 else "several calls without a token"]


def stopped(*cases: tuple[tuple[int, ...], list[int], int, Any]) -> Callable[[Any, Inputs], list]:
    """What is written of a text that counts up: plan, prompt, n_new, stop."""

    def run(answer: Any, inputs: Inputs) -> list:
        seen: list = []
        for plan, ids, n_new, stop in cases:
            model = CountingModel()
            args = model, Guesses(model, plan), torch.tensor([ids]), n_new
            seen.append(written(answer, *args, n_draft=3, temperature=0, stop=stop))
        return seen

    return run


def again(answer: Any, inputs: Inputs) -> list:
    """The same call twice."""
    model, ids = made_up(inputs), prompt(inputs, 4)
    return [
        written(answer, model, Guesses(model, (2, 1)), ids, 9, n_draft=3, temperature=0)
        for _ in range(2)
    ]


APART = torch.tensor([0.5, 0.25, 0.25]), torch.tensor([0.0, 0.5, 0.5])
STEEP = torch.tensor([0.8, 0.1, 0.1]), torch.tensor([0.1, 0.3, 0.6])
FOND = torch.tensor([0.5, 0.3, 0.2]), torch.tensor([0.9, 0.05, 0.05])  # of the likeliest


def shares(
    pair: tuple[Tensor, Tensor], n_new: int, temperature: float | None = None
) -> Callable[[Any, Inputs], list]:
    """How often each token comes up, with a draft model that is not like the target at all."""

    @counted
    def run(answer: Any, inputs: Inputs) -> list:
        (p, q), heat = pair, 1.0 if temperature is None else temperature
        settings = {} if temperature is None else {"temperature": temperature}
        ids, generator = torch.zeros(1, 2, dtype=torch.long), seeded(inputs)
        args = SameAlways(p.log() * heat), Unlike(q), ids, n_new
        tokens = drawn(answer, *args, n_draft=3, **settings, generator=generator)
        return [look(tokens, p, q)]

    return run


def both(*runs: Callable[[Any, Inputs], list]) -> Callable[[Any, Inputs], list]:
    """What several runs see, one after the other."""
    return lambda answer, inputs: [seen for run in runs for seen in run(answer, inputs)]


@counted
def luck(answer: Any, inputs: Inputs) -> list:
    """The same seed writes the same text; the generator moves on; torch's own is left alone."""
    model, q = SameAlways(torch.zeros(200)), torch.full((200,), 1 / 200)
    seed, calls_, states = int(inputs.integers(1, high=2**30)), [], []
    for start, noise in ((seed, 1), (seed, 2), (seed + 1, 3)):
        generator = torch.Generator().manual_seed(start)
        torch.default_generator.manual_seed(noise)
        for _ in range(2):
            ids = torch.zeros(1, 2, dtype=torch.long)
            calls_.append(drawn(answer, model, Unlike(q), ids, 8, generator=generator))
        untouched = torch.Generator().manual_seed(noise).get_state()
        states.append(torch.equal(torch.get_rng_state(), untouched))
    used = "torch's own generator untouched" if all(states) else "torch's own generator was used"
    return [*luck_of(calls_), used]


def gradients_off(answer: Any, inputs: Inputs) -> list:
    """Whether gradients are recorded inside, and still are outside, between two tokens."""
    model, outside = made_up(inputs), []
    args = model, Guesses(model, (1,)), prompt(inputs, 3), 5
    for _ in stream(answer, *args, temperature=0):
        outside.append(torch.is_grad_enabled())
    inside = "recorded inside" if any(model.gradients) else "off inside"
    return [inside, "on outside" if all(outside) else "switched off outside as well"]


def nothing_new(answer: Any, inputs: Inputs) -> list:
    """n_new = 0: no token."""
    model = made_up(inputs)
    return [drawn(answer, model, Guesses(model, PERFECT), prompt(inputs, 4), 0)]


def elsewhere(answer: Any, inputs: Inputs) -> list:
    """On a GPU: does what the model is given lie where the prompt lies?"""
    model, ids = made_up(inputs), prompt(inputs, 3)
    held_: list[bool] = []
    with pretended_device() as device:
        model.register_forward_pre_hook(lambda _, given: held_.append(device.holds(given[0])))
        drawn(answer, model, Guesses(model, (1, 0)), ids, 4, temperature=0)
    return ["on the prompt's device" if all(held_) else "made on the CPU"]


speculative_generate = Check(
    exercise="14.9",
    name="speculative_generate",
    weight=3,
    reference=reference,
    technique=[
        Probe(
            "worked example: a model that counts up",
            worked,
            promise="list(speculative_generate(AddOne(), four, torch.tensor([[5, 3]]), 3",
        ),
        Probe("each token is an int", kinds, "It hands out no ints.", promise=AS_GENERATE),
        Probe(
            "the text, with drafts that are right now and then",
            texts(*PLANS),
            promise=AS_GENERATE,
        ),
        Probe(
            "what the caches hold at each call: the text, nothing else",
            held,
            "At some call of the model its caches did not hold the text so far: leftovers of "
            "rejected drafts, or too little, or everything is read anew.",
            promise=CUT,
        ),
        Probe(
            "one call a round: the last token and the drafts",
            calls,
            "The model was called more often than it takes, or without the drafts, or with tokens "
            "that its caches hold already.",
            promise=ONE_CALL,
        ),
        Probe(
            "what the draft is given: the text (T,), n, the generator",
            drafts_asked,
            "The draft should be given the whole text so far, (T,), at most n_draft for n (4 by "
            "default), and the generator.",
            promise=DRAFT,
        ),
        Probe(
            "a draft that guesses nothing, and one that is always wrong",
            texts((NOTHING, 4, 6, 3), ((0,), 3, 7, 4), ((-1, 2, -1, 0), 5, 11, 3)),
            promise="m from 0 to n",
        ),
        Probe(
            "a prompt of one token; n_draft 1 and 9; n_new 1",
            texts((PERFECT, 1, 6, 3), ((1, 0), 1, 5, 1), ((4, 9, 2), 3, 21, 9), (PERFECT, 2, 1, 4)),
            promise=AS_GENERATE,
        ),
        Probe(
            "n_new smaller than what a round brings",
            texts((PERFECT, 3, 3, 8), (PERFECT, 2, 7, 4), ((5, 1), 4, 8, 5), (PERFECT, 4, 2, 2)),
            promise=ENDS,
        ),
        Probe(
            "stop tokens among the drafts: the text ends before them",
            stopped(
                (PERFECT, [5, 3], 8, {5}),
                (PERFECT, [5, 3], 8, [4]),
                (PERFECT, [5, 3], 9, {6, 9}),
                (PERFECT, [1], 9, (7,)),
                (PERFECT, [7, 8], 6, {0}),
            ),
            "A token in `stop` ends the text, wherever in a call it comes: it is not handed out, "
            "and what follows it is not either.",
            promise=ENDS,
        ),
        Probe(
            "stop tokens that are corrected or free; in the prompt; none",
            stopped(
                ((0,), [5, 3], 8, {6}),
                (PERFECT, [2], 8, {6}),
                ((1, 0), [4, 7], 6, {7, 1}),
                ((2,), [1], 5, set()),
                ((1,), [6, 6], 8, None),
            ),
            "A token in `stop` ends the text before it, however it came. Those of the prompt stop "
            "nothing, and without `stop` no token is special.",
            promise=ENDS,
        ),
        Probe(
            "the same call twice",
            again,
            promise=AS_GENERATE,
        ),
        Probe(
            "tokens are handed out between the calls",
            as_it_comes,
            "Several calls of the model went by without a token. Yield a call's tokens before the "
            "next call.",
            promise=STREAMS,
        ),
        Probe(
            "drawn: the target's shares, with a draft unlike it",
            both(shares(APART, 300), shares(STEEP, 150)),
            "With a draft model that is not like the target, the tokens do not come up as often as "
            "the target's softmax says (temperature 1, the default).",
            promise=AS_GENERATE,
        ),
        Probe(
            "drawn at temperature 8 and 0.25",
            both(shares(FOND, 130, 8.0), shares(STEEP, 150, 0.25)),
            "At another temperature the tokens do not come up as often as they should.",
            promise="at this temperature",
        ),
        Probe(
            "the generator: same seed, same text; it moves on",
            luck,
            "The same seed must write the same text, and the next call another one. With a "
            "generator of one's own, torch's is left alone.",
            promise=AS_GENERATE,
        ),
    ],
    ready=[
        Probe("n_new = 0: no token", nothing_new, promise="after n_new tokens"),
        Probe(
            "no gradients inside; outside they stay on",
            gradients_off,
            "Inside, gradients should be off; between two tokens, in the caller's loop, on again. "
            "`@torch.no_grad()` above the function does both.",
            promise="@torch.no_grad()",
        ),
        Probe(
            "new tokens lie on the device of the prompt",
            elsewhere,
            "A token was made on the CPU whatever the device of ids is. Give it "
            "`device=ids.device`.",
            promise=SAME_DEVICE,
        ),
    ],
    mistakes=MISTAKES,
    hints=(
        "After a round, which tokens of the text are in the caches, and which one is not yet?",
        "While tokens are wanted: drafts after the text; one call with what is new and the drafts; "
        "the last m + 1 rows of logits, temperature, softmax, verify; rewind to len(text) - 1; "
        "what is new is then the last kept token; yield the kept ones, with an eye on stop.",
        "`logits = model(torch.cat([new, drafts[None]], dim=1), caches)[0, -len(drafts) - 1 :]`, "
        "`kept = verify(p, q, drafts, generator)`, `text = torch.cat([text, kept])`, "
        "`rewind(caches, len(text) - 1)`, `new = kept[None, -1:]`",
    ),
)
