"""Lab 10, 10.6: what people write for generate."""

from collections.abc import Callable, Collection, Iterator
from typing import Any

import torch
from torch import Generator, Tensor

from checks.engine import Mistake


def heat(logits: Tensor, temperature: float) -> Tensor:
    """apply_temperature for one row (1, V), quick: it runs thousands of times."""
    if temperature:
        return logits / temperature
    return torch.full_like(logits, -torch.inf).scatter(-1, logits.argmax(-1, keepdim=True), 0.0)


def pipeline(logits: Tensor, temperature: float, k: int | None, p: float | None) -> Tensor:
    """Temperature, then top-k, then top-p: the right order."""
    return by_p(by_k(heat(logits, temperature), k), p)


def by_k(logits: Tensor, k: int | None) -> Tensor:
    """top_k, where one is wanted."""
    if k is None or k >= logits.shape[-1]:
        return logits
    return logits.masked_fill(logits < logits.topk(k).values[:, -1:], -torch.inf)


def by_p(logits: Tensor, p: float | None) -> Tensor:
    """top_p, where one is wanted."""
    if p is None or p >= 1:
        return logits
    probabilities, order = logits.double().softmax(-1).sort(dim=-1, descending=True)
    gone = probabilities.cumsum(-1) - probabilities >= p
    gone[:, 0] = False
    return logits.masked_fill(torch.zeros_like(gone).scatter(-1, order, gone), -torch.inf)


def draw(logits: Tensor, generator: Generator | None) -> Tensor:
    """(1, V) → (1, 1): the first of exponential clocks that rings, quicker than multinomial."""
    clocks = torch.empty_like(logits).exponential_(generator=generator)
    return (logits.softmax(-1) / clocks).argmax(dim=-1, keepdim=True)


def newest(ids: Tensor, new: Tensor, i: int) -> Tensor:
    """What the model gets: the prompt, and then the token that was drawn last."""
    return new


def generating(
    *,
    caches: Callable[[Any, int, int], Any] = lambda model, n, more: model.new_caches(1, n + more),
    call: Callable[[Any, Tensor, Any], Tensor] = lambda model, new, caches: model(new, caches),
    feed: Callable[[Tensor, Tensor, int], Tensor] = newest,
    begin: Callable[[Any, Tensor, Any], None] | None = None,
    take: Callable[[Tensor], Tensor] = lambda logits: logits[:, -1],
    shape: Callable[..., Tensor] = pipeline,
    choose: Callable[[Tensor, Generator | None], Tensor] = draw,
    luck: Callable[[Generator | None, int], Generator | None] = lambda generator, i: generator,
    ends: Callable[[int, Collection[int]], bool] = lambda token, stop: token in stop,
    give: Callable[[Tensor], Any] = lambda new: int(new),
    give_stop: bool = False,
    steps: Callable[[int], int] = lambda n_new: n_new,
    last: Callable[[Any, Tensor, Any], None] | None = None,
) -> Callable[..., Iterator[Any]]:
    """A loop that goes wrong in one place; feed(all ids, newest, step) → what the model gets."""

    def wrong(
        model: Any,
        ids: Tensor,
        n_new: int,
        temperature: float = 1.0,
        k: int | None = None,
        p: float | None = None,
        stop: Collection[int] | None = None,
        generator: Generator | None = None,
    ) -> Iterator[Any]:
        store, new = caches(model, ids.shape[1], n_new), ids
        with torch.no_grad():
            if begin is not None:
                begin(model, ids, store)
        for i in range(steps(n_new)):
            with torch.no_grad():
                logits = take(call(model, feed(ids, new, i), store)).float()
                new = choose(shape(logits, temperature, k, p), luck(generator, i))
                if feed is not newest:
                    ids = torch.cat([ids, new], dim=1)
            over = stop is not None and ends(int(new), stop)
            if give_stop or not over:
                yield give(new)
            if over:
                return
        if last is not None:
            with torch.no_grad():
                last(model, new, store)

    return wrong


def collected(make: Callable[[list[int]], Any]) -> Callable[..., Any]:
    """All tokens first, and then something made of them."""

    def wrong(model: Any, ids: Tensor, n_new: int, *args: Any, **settings: Any) -> Any:
        return make(list(generating()(model, ids, n_new, *args, **settings)))

    return wrong


def changed_settings(change: Callable[[dict[str, Any]], dict[str, Any]]) -> Callable[..., Any]:
    """Right, with other settings than were asked for."""

    def wrong(
        model: Any,
        ids: Tensor,
        n_new: int,
        temperature: float = 1.0,
        k: int | None = None,
        p: float | None = None,
        stop: Collection[int] | None = None,
        generator: Generator | None = None,
    ) -> Iterator[int]:
        asked = {"temperature": temperature, "k": k, "p": p, "stop": stop, "generator": generator}
        yield from generating()(model, ids, n_new, **change(asked))

    return wrong


def _asks_the_prompt(
    model: Any,
    ids: Tensor,
    n_new: int,
    temperature: float = 1.0,
    k: int | None = None,
    p: float | None = None,
    stop: Collection[int] | None = None,
    generator: Generator | None = None,
) -> Iterator[int]:
    """`while token not in stop`, with the prompt's last token to begin with."""
    if stop is None or int(ids[0, -1]) not in stop:
        yield from generating()(model, ids, n_new, temperature, k, p, stop, generator)


def _late(model: Any, ids: Tensor, n_new: int, *args: Any, **settings: Any) -> Iterator[int]:
    yield from list(generating()(model, ids, n_new, *args, **settings))


def _one_behind(model: Any, ids: Tensor, n_new: int, *args: Any, **settings: Any) -> Iterator[int]:
    waiting = None
    for token in generating()(model, ids, n_new, *args, **settings):
        if waiting is not None:
            yield waiting
        waiting = token
    if waiting is not None:
        yield waiting


def _with_prompt(model: Any, ids: Tensor, n_new: int, *args: Any, **settings: Any) -> Iterator:
    yield from ids[0].tolist()
    yield from generating()(model, ids, n_new, *args, **settings)


def _with_gradients(
    model: Any,
    ids: Tensor,
    n_new: int,
    temperature: float = 1.0,
    k: int | None = None,
    p: float | None = None,
    stop: Collection[int] | None = None,
    generator: Generator | None = None,
) -> Iterator[int]:
    caches = model.new_caches(1, ids.shape[1] + n_new)
    for _ in range(n_new):
        logits = model(ids, caches)[:, -1].float()
        ids = draw(pipeline(logits, temperature, k, p), generator)
        if stop is not None and int(ids) in stop:
            return
        yield int(ids)


def _leaks(model: Any, ids: Tensor, n_new: int, *args: Any, **settings: Any) -> Iterator[int]:
    with torch.no_grad():
        yield from generating()(model, ids, n_new, *args, **settings)


def _eager(model: Any, ids: Tensor, n_new: int, *args: Any, **settings: Any) -> Iterator[int]:
    """Prefill before the loop, whatever n_new is."""
    if n_new == 0:
        with torch.no_grad():
            model(ids, model.new_caches(1, ids.shape[1]))
    yield from generating()(model, ids, n_new, *args, **settings)


def _in_place(model: Any, ids: Tensor, n_new: int, *args: Any, **settings: Any) -> Iterator[int]:
    for token in generating()(model, ids, n_new, *args, **settings):
        yield token
        ids[0, 0] = token


def _shared(model: Any, n: int, more: int) -> Any:
    if not hasattr(model, "_kept"):
        object.__setattr__(model, "_kept", model.new_caches(1, 10_000))
    return model._kept


def _all_but_last(model: Any, ids: Tensor, store: Any) -> None:
    if ids.shape[1] > 1:
        model(ids[:, :-1], store)


def _token_by_token(model: Any, ids: Tensor, store: Any) -> None:
    for i in range(ids.shape[1] - 1):
        model(ids[:, i : i + 1], store)


def _reseeded(generator: Generator | None, i: int) -> Generator | None:
    return generator and generator.manual_seed(generator.initial_seed())


def _restarted(generator: Generator | None, i: int) -> Generator | None:
    if generator is not None and i == 0:
        generator.manual_seed(generator.initial_seed())
    return generator


def _p_before_k(logits: Tensor, t: float, k: int | None, p: float | None) -> Tensor:
    return by_k(by_p(heat(logits, t), p), k)


def _filters_first(logits: Tensor, t: float, k: int | None, p: float | None) -> Tensor:
    return heat(by_p(by_k(logits, k), p), t)


def _p_first(logits: Tensor, t: float, k: int | None, p: float | None) -> Tensor:
    return by_k(heat(by_p(logits, p), t), k)


def _either(logits: Tensor, t: float, k: int | None, p: float | None) -> Tensor:
    hot = heat(logits, t)
    return by_k(hot, k) if k is not None else by_p(hot, p)


def _both_or_none(logits: Tensor, t: float, k: int | None, p: float | None) -> Tensor:
    hot = heat(logits, t)
    return hot if k is None or p is None else by_p(by_k(hot, k), p)


def _probabilities(logits: Tensor, t: float, k: int | None, p: float | None) -> Tensor:
    return by_p(by_k(heat(logits, t).softmax(-1), k), p)


def _twice(logits: Tensor, t: float, k: int | None, p: float | None) -> Tensor:
    return heat(pipeline(logits, t, k, p), t)


def _divides(logits: Tensor, t: float, k: int | None, p: float | None) -> Tensor:
    return by_p(by_k(logits / t, k), p)


LAST = "`model(…)[:, -1]`: the logits after the last token."
NEW = "The prompt goes in once; then only the token that was drawn last, (1, 1)."
ROOM = "`model.new_caches(1, ids.shape[1] + n_new)`, at the beginning of each call."
ORDER = "Temperature, then top-k, then top-p, each if it is wanted, and then sample."
INT = "`yield token.item()`, or `int(token)`."
STOP = "`if stop is not None and token in stop: return`, before the yield."
GENERATE = [
    Mistake(
        "whole_text_again",
        generating(feed=lambda ids, new, i: ids),
        "With the caches it feeds the whole text again in each step: the model sees every token "
        "again and again, at later and later positions.",
        NEW,
    ),
    Mistake(
        "no_caches",
        generating(call=lambda model, new, caches: model(new), feed=lambda ids, new, i: ids),
        "The model is called without caches, and the whole text each time. The tokens are right; "
        "the work grows with the square of the length.",
        ROOM + " " + NEW,
    ),
    Mistake(
        "caches_not_used",
        generating(call=lambda model, new, caches: model(new)),
        "Only the new token is fed, but without the caches: the model has forgotten all that came "
        "before.",
        "`model(new, caches)`",
    ),
    Mistake(
        "new_caches_each_step",
        generating(
            caches=lambda model, n, more: None,
            call=lambda model, new, caches: model(new, model.new_caches(1, 100)),
        ),
        "It makes new caches in each step: the model has forgotten all that came before.",
        ROOM,
    ),
    Mistake(
        "caches_kept_between_calls",
        generating(caches=_shared),
        "The caches of the last call are used again, so a second text begins with the memory of "
        "the first.",
        ROOM,
        "Lightning-AI/litgpt#1595, casper-hansen/AutoAWQ#178",
    ),
    Mistake(
        "room_for_new_ones_only",
        generating(caches=lambda model, n, more: model.new_caches(1, more)),
        "The caches have room for the new tokens only, and the prompt is in them too.",
        ROOM,
    ),
    Mistake(
        "room_for_the_prompt_only",
        generating(caches=lambda model, n, more: model.new_caches(1, n)),
        "The caches have room for the prompt only.",
        ROOM,
    ),
    Mistake(
        "cache_too_short_by_one",
        generating(caches=lambda model, n, more: model.new_caches(1, n + more - 2)),
        "The caches are too short by one. Prompt and new tokens have to fit, all but the last, "
        "which is never fed back.",
        ROOM,
    ),
    Mistake(
        "room_for_a_hundred",
        generating(caches=lambda model, n, more: model.new_caches(1, 64)),
        "The caches have a fixed size, and a longer text does not fit.",
        ROOM,
    ),
    Mistake(
        "prefilled_twice",
        generating(begin=lambda model, ids, store: model(ids, store)),
        "The prompt goes through the model twice, and is in the caches twice.",
        NEW,
    ),
    Mistake(
        "prefill_without_last",
        generating(begin=_all_but_last, feed=lambda ids, new, i: ids[:, -1:]),
        "The prompt goes in without its last token, and that one separately: a call too many. The "
        "logits of the whole prompt already say what comes next.",
        NEW,
    ),
    Mistake(
        "prompt_token_by_token",
        generating(begin=_token_by_token, feed=lambda ids, new, i: ids[:, -1:]),
        "The prompt goes in token by token. It is known, so it can go in at once: that is prefill.",
        NEW,
    ),
    Mistake(
        "last_prompt_token_twice",
        generating(
            begin=lambda model, ids, store: model(ids, store),
            feed=lambda ids, new, i: ids[:, -1:],
        ),
        "After the prompt its last token is fed once more.",
        "The logits of the prefill already hold the first new token.",
    ),
    Mistake(
        "no_prefill",
        generating(feed=lambda ids, new, i: ids[:, -1:]),
        "The model never sees the prompt, except for its last token.",
        NEW,
    ),
    Mistake(
        "two_at_a_time",
        generating(
            caches=lambda model, n, more: model.new_caches(1, n + 2 * more),
            feed=lambda ids, new, i: ids[:, -2:] if i else ids,
        ),
        "It feeds the last two tokens each time; the caches know the first of them already.",
        NEW,
    ),
    Mistake(
        "no_batch_dimension",
        generating(feed=lambda ids, new, i: new if i == 0 else new[0]),
        "The new token goes in as (1,). The model wants (1, 1): a batch of one, one position.",
        "`token[:, None]`, or `torch.tensor([[token]])`.",
    ),
    Mistake(
        "last_token_fed_back",
        generating(last=lambda model, new, store: model(new, store)),
        "The last token is fed back as well, and nobody looks at the answer: one call too many.",
        "n_new calls in all: prefill, and one for each token but the last.",
    ),
    Mistake(
        "first_position",
        generating(take=lambda logits: logits[:, 0]),
        "It reads the logits after the first token of what was fed.",
        LAST,
    ),
    Mistake(
        "last_but_one",
        generating(take=lambda logits: logits[:, max(logits.shape[1] - 2, 0)]),
        "It reads the last but one row of logits.",
        LAST,
    ),
    Mistake(
        "mean_of_positions",
        generating(take=lambda logits: logits.mean(1)),
        "It averages the logits over the positions.",
        LAST,
    ),
    Mistake(
        "always_greedy",
        generating(choose=lambda logits, generator: logits.argmax(-1, keepdim=True)),
        "It takes the likeliest token each time, whatever the temperature. Call sample.",
        ORDER,
    ),
    Mistake(
        "temperature_ignored",
        generating(shape=lambda logits, t, k, p: pipeline(logits, 1.0 if t else 0.0, k, p)),
        "The temperature makes no difference, except at 0.",
        ORDER,
    ),
    Mistake(
        "temperature_twice",
        generating(shape=_twice),
        "The temperature is applied twice.",
        ORDER,
    ),
    Mistake(
        "divides_by_zero",
        generating(shape=_divides),
        "At temperature 0 it divides by zero. Use your apply_temperature.",
        ORDER,
    ),
    Mistake(
        "zero_is_one",
        changed_settings(lambda asked: asked | {"temperature": asked["temperature"] or 1.0}),
        "Temperature 0 counts as 1: `temperature or 1.0`, `if temperature:`. 0 is greedy.",
        ORDER,
    ),
    Mistake(
        "zero_is_small",
        changed_settings(lambda asked: asked | {"temperature": max(asked["temperature"], 0.05)}),
        "Temperature 0 counts as 0.05. Where two logits are close, luck decides; 0 is greedy.",
        ORDER,
    ),
    Mistake(
        "default_temperature",
        changed_settings(
            lambda asked: (
                asked
                | {"temperature": 0.8 if asked["temperature"] == 1.0 else asked["temperature"]}
            )
        ),
        "With no temperature given it takes one below 1. The default is 1.0.",
        "`temperature: float = 1.0`",
    ),
    Mistake(
        "default_k",
        changed_settings(lambda asked: asked | {"k": 50 if asked["k"] is None else asked["k"]}),
        "With no k given it takes 50. The default is None, all tokens.",
        "`k: int | None = None`",
    ),
    Mistake(
        "default_p",
        changed_settings(lambda asked: asked | {"p": 0.9 if asked["p"] is None else asked["p"]}),
        "With no p given it takes 0.9. The default is None, all tokens.",
        "`p: float | None = None`",
    ),
    Mistake(
        "never_above_one",
        changed_settings(lambda asked: asked | {"temperature": min(asked["temperature"], 1.0)}),
        "Temperatures above 1 count as 1.",
        ORDER,
    ),
    Mistake(
        "temperature_last",
        generating(shape=_filters_first),
        "The filters come before the temperature, so that p is measured on other probabilities "
        "than the ones that are drawn from.",
        ORDER,
    ),
    Mistake(
        "top_p_before_temperature",
        generating(shape=_p_first),
        "top_p comes before the temperature, and is measured on other probabilities than the ones "
        "that are drawn from.",
        ORDER,
    ),
    Mistake(
        "top_p_before_top_k",
        generating(shape=_p_before_k),
        "top_p comes before top_k. After top_k the shares are larger, and p is reached earlier.",
        ORDER,
    ),
    Mistake(
        "k_or_p",
        generating(shape=_either),
        "When k is given, p is ignored. Both may be wanted.",
        ORDER,
    ),
    Mistake(
        "k_and_p_or_nothing",
        generating(shape=_both_or_none),
        "A filter works only if the other one is given too.",
        "`if k is not None: …` and `if p is not None: …`, apart.",
    ),
    Mistake(
        "k_ignored",
        changed_settings(lambda asked: asked | {"k": None}),
        "k makes no difference.",
        ORDER,
    ),
    Mistake(
        "p_ignored",
        changed_settings(lambda asked: asked | {"p": None}),
        "p makes no difference.",
        ORDER,
    ),
    Mistake(
        "p_zero_is_none",
        changed_settings(lambda asked: asked | {"p": asked["p"] or None}),
        "p = 0 counts as no p at all: `if p:`. It means the likeliest token only.",
        "`if p is not None:`",
    ),
    Mistake(
        "filters_on_probabilities",
        generating(shape=_probabilities),
        "The softmax is taken before the filters and again in sample. All of them want logits.",
        ORDER,
    ),
    Mistake(
        "generator_ignored",
        changed_settings(lambda asked: asked | {"generator": None}),
        "The generator is ignored: with the same seed another text is written.",
        "`sample(logits, generator)`",
    ),
    Mistake(
        "generator_for_the_first_only",
        generating(luck=lambda generator, i: generator if i == 0 else None),
        "The generator is used for the first token only.",
        "`sample(logits, generator)`",
    ),
    Mistake(
        "reseeded_each_step",
        generating(luck=_reseeded),
        "The generator is set back in each step: every token is drawn with the same luck.",
        "Seeds are set outside. The generator moves on by itself.",
    ),
    Mistake(
        "reseeded_each_call",
        generating(luck=_restarted),
        "The generator is set back at the beginning: who asks twice gets the same text twice.",
        "Seeds are set outside. The generator moves on by itself.",
    ),
    Mistake(
        "seed_of_its_own",
        generating(luck=lambda generator, i: generator or Generator().manual_seed(i)),
        "Without a generator it makes one with a fixed seed: the same text each time.",
        "`generator=None` is torch's own; hand None on.",
    ),
    Mistake(
        "stop_token_given",
        generating(give_stop=True),
        "The stop token is handed out as well. It is a sign that the text is over, and no part of "
        "the text.",
        STOP,
    ),
    Mistake(
        "stop_ignored",
        changed_settings(lambda asked: asked | {"stop": None}),
        "It goes on after a stop token.",
        STOP,
    ),
    Mistake(
        "only_one_stop_token",
        generating(ends=lambda token, stop: token in list(stop)[:1]),
        "Only the first of several stop tokens is looked at. Llama 3 has two: the end of a text "
        "and the end of a turn.",
        STOP,
    ),
    Mistake(
        "zero_is_no_stop_token",
        generating(ends=lambda token, stop: bool(token) and token in stop),
        "Token 0 does not stop the text. 0 is a token like the others.",
        STOP,
    ),
    Mistake(
        "stops_at_zero",
        changed_settings(
            lambda asked: asked | {"stop": {0} if asked["stop"] is None else asked["stop"]}
        ),
        "Without stop tokens it stops at token 0.",
        STOP,
    ),
    Mistake(
        "stops_at_the_prompt_s_end",
        _asks_the_prompt,
        "A stop token at the end of the prompt ends the text before it has begun. Only what is "
        "drawn can stop it.",
        STOP,
    ),
    Mistake(
        "prompt_handed_out",
        _with_prompt,
        "It hands out the prompt's tokens too. Only what is new is wanted.",
        INT,
    ),
    Mistake(
        "one_token_more",
        generating(steps=lambda n_new: n_new + 1),
        "It hands out n_new + 1 tokens.",
        "`for _ in range(n_new)`",
    ),
    Mistake(
        "one_token_less",
        generating(steps=lambda n_new: n_new - 1),
        "It hands out n_new - 1 tokens.",
        "`for _ in range(n_new)`",
    ),
    Mistake(
        "at_least_one",
        generating(steps=lambda n_new: max(n_new, 1)),
        "With n_new = 0 it hands out a token.",
        "`for _ in range(n_new)`",
    ),
    Mistake(
        "asks_for_nothing",
        _eager,
        "The model is asked even when n_new is 0.",
        "Call the model inside the loop, which then runs no time at all.",
    ),
    Mistake(
        "tensors",
        generating(give=lambda new: new[0, 0]),
        "It hands out tensors. A token of a single text is an int.",
        INT,
    ),
    Mistake(
        "lists",
        generating(give=lambda new: new[0].tolist()),
        "It hands out lists with one token each. A token of a single text is an int.",
        INT,
    ),
    Mistake(
        "floats",
        generating(give=lambda new: float(new)),
        "It hands out floating point numbers.",
        INT,
    ),
    Mistake(
        "returns_a_list",
        collected(lambda tokens: tokens),
        "It returns a list when all is done. The reader should see each token as soon as it is "
        "drawn: `yield`.",
        "`yield` in place of `append` and `return`.",
    ),
    Mistake(
        "returns_a_tensor",
        collected(lambda tokens: torch.tensor([tokens])),
        "It returns a tensor when all is done. The reader should see each token as soon as it is "
        "drawn: `yield`.",
        "`yield` in place of `torch.cat` and `return`.",
    ),
    Mistake(
        "prints",
        collected(lambda tokens: print(tokens, end=" ")),
        "It prints the tokens and returns nothing. A token belongs to the caller.",
        "`yield` in place of `print`.",
    ),
    Mistake(
        "all_at_the_end",
        _late,
        "It yields, but only after everything has been computed: nobody sees the text grow.",
        "`yield` inside the loop that calls the model.",
    ),
    Mistake(
        "one_behind",
        _one_behind,
        "Each token is handed out one step late.",
        "`yield` before the next call of the model.",
    ),
    Mistake(
        "gradients_recorded",
        _with_gradients,
        "Gradients are recorded: everything the model computes, in every step, is kept in memory "
        "for a backward pass that never comes.",
        "`@torch.no_grad()` above the function. It was given.",
    ),
    Mistake(
        "no_grad_leaks",
        _leaks,
        "`with torch.no_grad():` around a yield: while the generator waits, gradients are switched "
        "off for everybody else.",
        "`@torch.no_grad()` above the function switches them back on at each yield.",
    ),
    Mistake(
        "prompt_changed",
        _in_place,
        "It writes into ids, the caller's prompt.",
        "torch.cat makes a new tensor; better, keep the newest token only.",
    ),
    Mistake(
        "token_on_the_cpu",
        generating(feed=lambda ids, new, i: torch.tensor([[int(new)]]) if i else new),
        "The new token is made on the CPU whatever the prompt's device is.",
        "`torch.tensor([[token]], device=ids.device)`, or keep the tensor that sample gives.",
    ),
]
