"""Lab 10: what `generate` asks of a model, and what it hands out."""

from collections.abc import Callable
from typing import Any

import torch

from checks.engine import Inputs
from checks.engine.devices import pretended_device
from checks.probes.sampling_draws import look, seeded
from checks.probes.sampling_toy import VOCABULARY, Counting, Same, stream, toy


def counting_up(answer: Any, inputs: Inputs) -> list:
    """The worked example."""
    return list(stream(answer, Counting(), torch.tensor([[5, 3]]), 3, temperature=0))


def calls(answer: Any, inputs: Inputs) -> list:
    """What the model of the worked example is asked."""
    model = Counting()
    list(stream(answer, model, torch.tensor([[5, 3]]), 3, temperature=0))
    return model.asked


def what_is_asked(answer: Any, inputs: Inputs) -> list:
    """Prompts of several lengths, the likeliest token each time: tokens and calls."""
    seen = []
    for n_prompt, n_new, steepness, settings in (
        (3, 5, 3.0, {"temperature": 0}),
        (1, 4, 3.0, {"k": 1}),
        (6, 2, 3.0, {"temperature": 0.0, "k": 3, "p": 0.5}),
        (9, 1, 3.0, {"p": 0.0}),
        (2, 6, 0.01, {"temperature": 0.0}),
    ):
        model = toy(inputs, steepness)
        ids = inputs.integers(1, n_prompt, high=VOCABULARY)
        tokens = list(stream(answer, model, ids, n_new, **settings))
        kept = model.first is None or torch.equal(model.first, ids)
        kinds = sorted({type(token).__name__ for token in tokens})
        seen += [kinds, tokens, model.asked, "prompt kept" if kept else "prompt changed"]
    return seen


def as_it_comes(answer: Any, inputs: Inputs) -> list:
    """How many calls have been made when each token arrives."""
    model = toy(inputs)
    ids = inputs.integers(1, 4, high=VOCABULARY)
    return [len(model.asked) for _ in stream(answer, model, ids, 5, temperature=0)]


def gradients_off(answer: Any, inputs: Inputs) -> list:
    """Whether gradients are recorded inside, and still are outside, between two tokens."""
    model, outside = toy(inputs), []
    for _ in stream(answer, model, inputs.integers(1, 3, high=VOCABULARY), 3, temperature=0):
        outside.append(torch.is_grad_enabled())
    inside = "recorded inside" if any(model.gradients) else "off inside"
    return [inside, "on outside" if all(outside) else "switched off outside as well"]


def nothing_new(answer: Any, inputs: Inputs) -> list:
    """n_new = 0."""
    model = toy(inputs)
    tokens = list(stream(answer, model, inputs.integers(1, 4, high=VOCABULARY), 0))
    return [tokens, len(model.asked)]


def stops(answer: Any, inputs: Inputs) -> list:
    """Stop tokens in sets, lists and tuples; one that comes first; 0; one that ends the prompt."""
    seen: list = []
    for prompt, n_new, stop in (
        ([5, 3], 6, {7}),
        ([5, 3], 6, [9, 6]),
        ([5, 3], 4, (4,)),
        ([8], 5, {0}),
        ([7, 2], 3, {7}),
        ([1], 4, {5}),
        ([4, 7], 3, {7, 1}),
        ([1], 3, set()),
        ([6, 6], 8, None),
    ):
        model = Counting()
        tokens = list(stream(answer, model, torch.tensor([prompt]), n_new, 0, stop=stop))
        seen += [tokens, len(model.asked)]
    return seen


def again(answer: Any, inputs: Inputs) -> list:
    """The same call twice, and two texts in turns: each has caches of its own."""
    model = toy(inputs)
    one, two = (inputs.integers(1, n, high=VOCABULARY) for n in (3, 5))
    seen: list = [list(stream(answer, model, one, 4, temperature=0)) for _ in range(2)]
    both = zip(
        stream(answer, model, one, 4, temperature=0),
        stream(answer, model, two, 4, temperature=0),
        strict=True,
    )
    return [*seen, [token for pair in both for token in pair]]


def long_text(answer: Any, inputs: Inputs) -> list:
    """A long prompt and many tokens."""
    model = toy(inputs)
    tokens = list(stream(answer, model, inputs.integers(1, 40, high=VOCABULARY), 30, k=1))
    return [tokens, len(model.asked), model.made]


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
        tokens = stream(answer, Same(lead), ids, 2, **settings, generator=generator)
        seen.append([int(token) for token in tokens] == [best, best])
    tokens = stream(answer, Same(lead * 3000), ids, 6, temperature=1e4, generator=generator)
    return [*seen, any(int(token) != best for token in tokens)]


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
            model, ids = Same(torch.tensor(row)[order]), torch.zeros(1, 2, dtype=torch.long)
            tokens = stream(answer, model, ids, 24, **settings, generator=seeded(inputs))
            seen.append(sorted({int(order[int(token)]) for token in tokens}))
        return seen

    return run


one_filter = filtered(
    (CLOSE, {"k": 2}), (CLOSE, {"p": 0.4}), (CLOSE, {"p": 0.0}), (CLOSE[:2], {"k": 9})
)
several_filters = filtered(
    (FOUR, {"k": 2, "p": 0.5}),
    (CLOSE, {"k": 3, "p": 0.5}),
    ((3.0, 1.5, 1.2), {"temperature": 6.0, "p": 0.65}),
    ((1.0, 0.6, 0.2), {"temperature": 0.2, "p": 0.7}),
)


def temperatures(answer: Any, inputs: Inputs) -> list:
    """How often each token comes up, cold and hot."""
    seen = []
    for temperature, row in (
        (0.1, (0.1, 0.05, 0.0, -0.05)),
        (8.0, (8.0, 4.0, 0.0, -4.0)),
    ):
        model, ids = Same(torch.tensor(row)), torch.zeros(1, 1, dtype=torch.long)
        tokens = stream(answer, model, ids, 60, temperature=temperature, generator=seeded(inputs))
        drawn = torch.tensor([int(token) for token in tokens], dtype=torch.long)
        seen += [len(drawn), look(drawn, torch.tensor(row) / temperature)]
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
    tokens = stream(answer, Same(logits), ids, 300, generator=seeded(inputs))
    drawn = torch.tensor([int(token) for token in tokens], dtype=torch.long)
    tail = "the tail comes up" if (drawn > 177).any() else "the tail never comes up"
    return [len(drawn), look((drawn > 0).long(), torch.zeros(2)), tail]


def luck(answer: Any, inputs: Inputs) -> list:
    """The same seed writes the same text; the generator moves on; without one, torch's own."""
    model, seed = Same(torch.zeros(1000)), int(inputs.integers(1, high=2**30))

    def text(generator: torch.Generator | None) -> list[int]:
        ids = torch.zeros(1, 2, dtype=torch.long)
        return [int(token) for token in stream(answer, model, ids, 4, generator=generator)]

    first, second = (torch.Generator().manual_seed(seed) for _ in range(2))
    torch.manual_seed(1)
    texts = [text(first), text(first)]
    untouched = torch.equal(torch.get_rng_state(), torch.Generator().manual_seed(1).get_state())
    torch.manual_seed(2)
    repeated = text(second)
    torch.manual_seed(seed)
    global_one, global_two = text(None), text(None)
    torch.manual_seed(seed)
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
    model, ids = toy(inputs), inputs.integers(1, 3, high=VOCABULARY)
    held: list[bool] = []
    with pretended_device() as device:
        model.register_forward_pre_hook(lambda _, given: held.append(device.holds(given[0])))
        list(stream(answer, model, ids, 3, temperature=0))
    return ["on the prompt's device" if all(held) else "made on the CPU"]
