"""Lab 10, 10.6: what is tried on generate: what it asks of a model, and what it hands out."""

from collections.abc import Callable, Collection, Iterator
from typing import Any

import torch
from torch import Tensor

from checks.engine import SAME_DEVICE, Check, Inputs, Probe
from checks.engine.devices import pretended_device
from checks.engine.draws import seeded
from checks.sampling.apply_temperature import reference as apply_temperature
from checks.sampling.generate_wrong import MISTAKES
from checks.sampling.made_up import (
    VOCABULARY,
    CountingModel,
    SameAlways,
    drawn,
    made_up,
    stream,
    written,
)
from checks.sampling.sample import look
from checks.sampling.sample import reference as sample
from checks.sampling.top_k import reference as top_k
from checks.sampling.top_p import reference as top_p

CALLS = (
    "What the model was given is not as it should be. It gets the prompt once and then each new "
    "token but the last by itself, (1, 1), with the same caches: n_new calls."
)
FEED = "first with the prompt, then with each new token but the last, by itself"
WRITE = "Write n_new tokens after ids (1, T)"
SETTINGS = "Temperature, then top_k and top_p where k and p are given, then sample."
STOP = "A token in `stop` ends the text and is not yielded."
AS_IT_COMES = "yield each, as an int, as soon as it is drawn"


def reference(
    model: Callable[..., Tensor],
    ids: Tensor,
    n_new: int,
    temperature: float = 1.0,
    k: int | None = None,
    p: float | None = None,
    stop: Collection[int] | None = None,
    generator: torch.Generator | None = None,
) -> Iterator[int]:
    """Yield up to n_new tokens after ids (1, T), each as soon as it is drawn."""
    caches: Any = model.new_caches(1, ids.shape[1] + n_new)
    for _ in range(n_new):
        with torch.no_grad():
            logits = model(ids, caches)[:, -1].float()
            logits = apply_temperature(logits, temperature)
            logits = logits if k is None else top_k(logits, k)
            logits = logits if p is None else top_p(logits, p)
            ids = sample(logits, generator)[:, None]
        if stop is not None and ids.item() in stop:
            return
        yield int(ids.item())


def prompt(inputs: Inputs, length: int) -> Tensor:
    """Random ids: (1, length)."""
    return inputs.integers(1, length, high=VOCABULARY)


def counting_up(answer: Any, inputs: Inputs) -> list:
    """The worked example."""
    return written(answer, CountingModel(), torch.tensor([[5, 3]]), 3, temperature=0)


def calls(answer: Any, inputs: Inputs) -> list:
    """What the model of the worked example is asked."""
    model = CountingModel()
    written(answer, model, torch.tensor([[5, 3]]), 3, temperature=0)
    return model.asked


PROMPTS: tuple[tuple[int, int, float, dict], ...] = (
    (3, 5, 3.0, {"temperature": 0}),
    (1, 4, 3.0, {"k": 1}),
    (6, 2, 3.0, {"temperature": 0.0, "k": 3, "p": 0.5}),
    (9, 1, 3.0, {"p": 0.0}),
    (2, 6, 0.01, {"temperature": 0.0}),
)


def tokens_of_prompts(answer: Any, inputs: Inputs) -> list:
    """Prompts of several lengths, the likeliest token each time."""
    return [
        written(answer, made_up(inputs, steepness), prompt(inputs, length), n_new, **settings)
        for length, n_new, steepness, settings in PROMPTS
    ]


def calls_of_prompts(answer: Any, inputs: Inputs) -> list:
    """What the model is asked, for prompts of several lengths, and how often."""
    seen = []
    for length, n_new, steepness, settings in PROMPTS:
        model, ids = made_up(inputs, steepness), prompt(inputs, length)
        drawn(answer, model, ids, n_new, **settings)
        kept = model.first is None or torch.equal(model.first, ids)
        seen += [model.asked, "prompt kept" if kept else "prompt changed"]
    return seen


def kinds(answer: Any, inputs: Inputs) -> list:
    """Of which type the tokens are."""
    tokens = stream(answer, made_up(inputs), prompt(inputs, 3), 3, temperature=0)
    return sorted({type(token).__name__ for token in tokens})


def as_it_comes(answer: Any, inputs: Inputs) -> list:
    """How many calls have been made when each token arrives."""
    model = made_up(inputs)
    return [len(model.asked) for _ in stream(answer, model, prompt(inputs, 4), 5, temperature=0)]


def gradients_off(answer: Any, inputs: Inputs) -> list:
    """Whether gradients are recorded inside, and still are outside, between two tokens."""
    model, outside = made_up(inputs), []
    for _ in stream(answer, model, prompt(inputs, 3), 3, temperature=0):
        outside.append(torch.is_grad_enabled())
    inside = "recorded inside" if any(model.gradients) else "off inside"
    return [inside, "on outside" if all(outside) else "switched off outside as well"]


def nothing_new(answer: Any, inputs: Inputs) -> list:
    """n_new = 0."""
    model = made_up(inputs)
    return [drawn(answer, model, prompt(inputs, 4), 0), len(model.asked)]


def stopped(*cases: tuple[list[int], int, Any]) -> Callable[[Any, Inputs], list]:
    """What is written of a text that counts up, and after how many calls."""

    def run(answer: Any, inputs: Inputs) -> list:
        seen: list = []
        for ids, n_new, stop in cases:
            model = CountingModel()
            tokens = written(answer, model, torch.tensor([ids]), n_new, 0, stop=stop)
            seen += [tokens, len(model.asked)]
        return seen

    return run


def again(answer: Any, inputs: Inputs) -> list:
    """The same call twice, and two texts in turns: each has caches of its own."""
    model = made_up(inputs)
    one, two = prompt(inputs, 3), prompt(inputs, 5)
    seen: list = [written(answer, model, one, 4, temperature=0) for _ in range(2)]
    both = zip(
        stream(answer, model, one, 4, temperature=0),
        stream(answer, model, two, 4, temperature=0),
        strict=False,
    )
    return [*seen, [int(token) for pair in both for token in pair]]


def long_text(answer: Any, inputs: Inputs) -> list:
    """A long prompt and many tokens."""
    model = made_up(inputs)
    return [written(answer, model, prompt(inputs, 40), 30, k=1), len(model.asked)]


def no_choice(answer: Any, inputs: Inputs) -> list:
    """Two tokens each where a setting leaves the likeliest of fifty only; six where none does.

    The likeliest leads by so little that without the setting it comes up twice in 2,500 tries.
    """
    best = int(inputs.integers(1, high=50))
    lead = torch.nn.functional.one_hot(torch.tensor(best), 50) * 0.01
    ids, generator, seen = torch.zeros(1, 2, dtype=torch.long), seeded(inputs), []
    for settings in (
        {"temperature": 0},
        {"k": 1},
        {"p": 0.0},
        {"p": 0.01},
        {"k": 40, "p": 0.01},
        {"temperature": 1e-5},
    ):
        tokens = drawn(answer, SameAlways(lead), ids, 2, **settings, generator=generator)
        seen.append({best} == set(tokens))
    hot = drawn(answer, SameAlways(lead * 3000), ids, 6, temperature=1e4, generator=generator)
    return [*seen, any(token != best for token in hot)]


FOUR = (-0.916, -1.204, -1.609, -2.303)  # 0.4, 0.3, 0.2, 0.1
CLOSE = (1.0, 0.95, 0.9, 0.85)  # 0.27, 0.26, 0.24, 0.23


def filtered(*cases: tuple[tuple[float, ...], dict[str, Any]]) -> Callable[[Any, Inputs], list]:
    """A probe's run: which tokens come up at all in 24 draws, the likeliest being 0.

    None that stays is rarer than 0.43, so that one is missed once in 360,000 times; and the same
    way of drawing from the same seed misses it always or never.
    """

    def run(answer: Any, inputs: Inputs) -> list:
        seen = []
        for row, settings in cases:
            order = inputs.uniform(len(row)).argsort()
            model, ids = SameAlways(torch.tensor(row)[order]), torch.zeros(1, 2, dtype=torch.long)
            tokens = drawn(answer, model, ids, 24, **settings, generator=seeded(inputs))
            seen.append(sorted({int(order[token]) for token in tokens}))
        return seen

    return run


def temperatures(answer: Any, inputs: Inputs) -> list:
    """How often each token comes up, cold and hot."""
    seen = []
    for temperature, row in (
        (0.1, (0.1, 0.05, 0.0, -0.05)),
        (8.0, (8.0, 4.0, 0.0, -4.0)),
    ):
        model, ids = SameAlways(torch.tensor(row)), torch.zeros(1, 1, dtype=torch.long)
        tokens = drawn(answer, model, ids, 60, temperature=temperature, generator=seeded(inputs))
        seen.append(look(torch.tensor(tokens, dtype=torch.long), torch.tensor(row) / temperature))
    return seen


def no_settings(answer: Any, inputs: Inputs) -> list:
    """Nothing asked for: temperature 1 and no filter.

    Token 0 has half of the probability, 200 others share the rest; the least likely of these, 4.7 %
    of everything, come up as well: 300 draws miss them once in two million times. Any temperature
    or filter moves one or the other.
    """
    others = torch.linspace(0.2, -0.2, 200)
    logits = torch.cat([others.logsumexp(0)[None], others])
    ids = torch.zeros(1, 1, dtype=torch.long)
    tokens = torch.tensor(
        drawn(answer, SameAlways(logits), ids, 300, generator=seeded(inputs)), dtype=torch.long
    )
    tail = "the tail comes up" if (tokens > 177).any() else "the tail never comes up"
    return [look((tokens > 0).long(), torch.zeros(2)), tail]


def reads_what_it_wrote(answer: Any, inputs: Inputs) -> list:
    """With luck: what is handed out, and what the model reads next."""
    model, ids = SameAlways(torch.zeros(1000)), torch.zeros(1, 2, dtype=torch.long)
    tokens = drawn(answer, model, ids, 8, generator=seeded(inputs))
    same = tokens[:-1] == model.read[1 : len(tokens)]
    return ["the model reads what was handed out" if same else "the model reads other tokens"]


def luck(answer: Any, inputs: Inputs) -> list:
    """The same seed writes the same text; the generator moves on; without one, torch's own."""
    model, seed = SameAlways(torch.zeros(1000)), int(inputs.integers(1, high=2**30))

    def text(generator: torch.Generator | None) -> list[int]:
        return drawn(answer, model, torch.zeros(1, 2, dtype=torch.long), 4, generator=generator)

    first, second = (torch.Generator().manual_seed(seed) for _ in range(2))
    torch.default_generator.manual_seed(1)
    texts = [text(first), text(first)]
    untouched = torch.equal(torch.get_rng_state(), torch.Generator().manual_seed(1).get_state())
    torch.default_generator.manual_seed(2)
    repeated = text(second)
    torch.default_generator.manual_seed(seed)
    global_one, global_two = text(None), text(None)
    torch.default_generator.manual_seed(seed)
    return [
        "same seed, same beginning" if texts[0][:1] == repeated[:1] else "another beginning",
        "same seed, same text" if texts[0] == repeated else "same seed, another text",
        "then the same text" if texts[0] == texts[1] else "then another text",
        "own generator only" if untouched else "torch's own generator was used",
        "global seed, same text" if text(None) == global_one else "global seed, another text",
        "then the same text" if global_two == global_one else "then another text",
    ]


def elsewhere(answer: Any, inputs: Inputs) -> list:
    """On a GPU: does what the model is given lie where the prompt lies?"""
    model, ids = made_up(inputs), prompt(inputs, 3)
    held: list[bool] = []
    with pretended_device() as device:
        model.register_forward_pre_hook(lambda _, given: held.append(device.holds(given[0])))
        drawn(answer, model, ids, 3, temperature=0)
    return ["on the prompt's device" if all(held) else "made on the CPU"]


generate = Check(
    exercise="10.6",
    name="generate",
    weight=3,
    reference=reference,
    technique=[
        Probe(
            "worked example: a model that counts up",
            counting_up,
            promise="list(generate(AddOne(), torch.tensor([[5, 3]]), 3, temperature=0))",
        ),
        Probe(
            "what the model is asked: the prompt, then one new token at a time",
            calls,
            CALLS,
            promise=FEED,
        ),
        Probe("each token is an int", kinds, "It hands out no ints.", promise=AS_IT_COMES),
        Probe(
            "the tokens, for prompts of five lengths",
            tokens_of_prompts,
            promise=WRITE,
        ),
        Probe("the calls, for prompts of five lengths", calls_of_prompts, CALLS, promise=FEED),
        Probe(
            "streams: each token comes after one call more",
            as_it_comes,
            "The first token should come after one call of the model, the second after two. Yield "
            "each token as soon as it is drawn.",
            promise=AS_IT_COMES,
        ),
        Probe(
            "stop tokens: the text ends before them",
            stopped(
                ([5, 3], 6, {7}),
                ([5, 3], 6, [9, 6]),
                ([5, 3], 6, [6, 9]),
                ([5, 3], 4, (4,)),
                ([8], 5, {0}),
                ([7, 2], 3, {7}),
                ([1], 4, {5}),
                ([4, 7], 3, {7, 1}),
            ),
            "A token in `stop` ends the text: it is not handed out, and the model is not asked "
            "again.",
            promise=STOP,
        ),
        Probe(
            "without stop tokens, and with none in the set, no token is special",
            stopped(([1], 3, set()), ([6, 6], 8, None)),
            "Without `stop`, and with an empty one, no token is special.",
            promise="stop: Collection[int] | None = None",
        ),
        Probe(
            "the same text twice, and two texts in turns",
            again,
            promise="with new caches for each call of generate",
        ),
        Probe("a long prompt, many tokens", long_text, promise=WRITE),
        Probe(
            "settings that leave no choice, and one that leaves every choice",
            no_choice,
            "k = 1, p = 0, p = 0.01, k = 40 with p = 0.01, temperature 0 and 0.00001 leave the "
            "likeliest of fifty tokens only; at temperature 10,000 any of them may come.",
            promise=SETTINGS,
        ),
        Probe(
            "the model reads the token that was handed out",
            reads_what_it_wrote,
            "With luck, the model reads other tokens than those that were handed out. Draw once, "
            "and use that token for both.",
            promise=FEED,
        ),
        Probe(
            "the generator: same seed, same text; it moves on",
            luck,
            "The same seed must write the same text, and the next call another one. With a "
            "generator of one's own, torch's is left alone.",
            promise="each call takes numbers from the generator, and it moves on",
        ),
        Probe(
            "temperature 0.1 and 8",
            temperatures,
            "The tokens do not come up as often as they should at this temperature.",
            promise=SETTINGS,
        ),
        Probe(
            "no settings: temperature 1, no filter",
            no_settings,
            "With nothing but model, ids and n_new (and a generator) the tokens do not come up as "
            "the softmax says. The defaults are temperature 1, no k and no p.",
            promise="temperature: float = 1.0",
        ),
        Probe(
            "k alone, p alone, p = 0, k above V",
            filtered(
                (CLOSE, {"k": 2}), (CLOSE, {"p": 0.4}), (CLOSE, {"p": 0.0}), (CLOSE[:2], {"k": 9})
            ),
            "Tokens come up that the filter should have removed, or some are missing (0 is the "
            "likeliest of the tokens, 1 the next).",
            promise=SETTINGS,
        ),
        Probe(
            "several settings: temperature, then k, then p",
            filtered(
                (FOUR, {"k": 2, "p": 0.5}),
                (CLOSE, {"k": 3, "p": 0.5}),
                (CLOSE, {"k": 2, "p": 0.9}),
                ((3.0, 1.5, 1.2), {"temperature": 6.0, "p": 0.65}),
                ((1.0, 0.6, 0.2), {"temperature": 0.2, "p": 0.7}),
            ),
            "With several settings other tokens come up than should (0 is the likeliest, 1 the "
            "next). The order is temperature, top-k, top-p.",
            promise=SETTINGS,
        ),
    ],
    ready=[
        Probe("n_new = 0: no token, no call", nothing_new, promise="n_new calls"),
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
        "Which logits of the model's answer speak about the next token, and what must the model be "
        "given in the next step, when its caches know the rest?",
        "Caches for T + n_new positions. n_new times: call the model with what is new, take the "
        "last row of logits, temperature, top_k and top_p if wanted, sample; return at a stop "
        "token, yield the token, and feed it in the next step.",
        "`logits = model(new, caches)[:, -1].float()`, …, `new = sample(logits, "
        "generator)[:, None]`, `token = new.item()`, `if stop is not None and token in stop: "
        "return`, `yield token`. Before the loop `new = ids`.",
    ),
)
