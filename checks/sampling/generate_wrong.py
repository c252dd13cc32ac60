"""Lab 10, 10.6: generate, and what people write in place of its lines."""

import itertools
from collections.abc import Callable, Collection, Iterator
from typing import Any

import torch
from torch import Tensor

from checks.engine import Mistake, mistakes_of
from checks.sampling.apply_temperature_wrong import apply_temperature
from checks.sampling.min_p_wrong import min_p
from checks.sampling.sample_wrong import sample
from checks.sampling.top_k_wrong import top_k
from checks.sampling.top_p_wrong import from_the_top as top_p

Luck = torch.Generator | None


def kept_caches(model: Any) -> Any:
    """The caches of the first call, for every other."""
    if not hasattr(model, "_kept"):
        object.__setattr__(model, "_kept", model.new_caches(1, 10_000))
    return model._kept


@torch.no_grad()
#: `@torch.no_grad()` above the function. It was given.
#! gradients_recorded: # nothing
#  Gradients are recorded: everything the model computes, in every step, is kept in memory for a backward pass that never comes.
def generate(
    model: Any,
    ids: Tensor,
    n_new: int,
    temperature: float = 1.0,
    k: int | None = None,
    p: float | None = None,
    stop: Collection[int] | None = None,
    generator: Luck = None,
) -> Iterator[Any]:
    room = ids.shape[1] + n_new
    #: `model.new_caches(1, ids.shape[1] + n_new)`, at the beginning of each call.
    #! room_for_new_ones_only: room = n_new
    #  The caches have room for the new tokens only, and the prompt is in them too.
    #! room_for_the_prompt_only: room = ids.shape[1]
    #  The caches have room for the prompt only.
    #! cache_too_short_by_one: room = ids.shape[1] + n_new - 2
    #  The caches are too short by one. Prompt and new tokens have to fit, all but the last, which is never fed back.
    #! room_counts_rows: room = ids.shape[0] + n_new
    #  The room counts the texts, ids.shape[0], which is 1. Positions are ids.shape[1].
    #! room_for_a_hundred: room = 64
    #! room_for_a_hundred: room = 32
    #  The caches have a fixed size, and a longer text does not fit.
    #! room_minus: room = ids.shape[1] - n_new
    #  It subtracts n_new. Prompt and new tokens have to fit together.
    #: `for _ in range(n_new)`
    #! n_new_with_prompt: …; n_new = n_new - ids.shape[1]
    #  n_new counts the new tokens only. Here the prompt's are subtracted from it.
    #! at_least_one: room = ids.shape[1] + max(n_new, 1); n_new = max(n_new, 1)
    #  With n_new = 0 it hands out a token.
    #: Call the model inside the loop, which then runs no time at all.
    #! asks_for_nothing: …; _ = n_new or model(ids, model.new_caches(1, room))
    #  The model is asked even when n_new is 0.
    #: Seeds are set outside. The generator moves on by itself.
    #! reseeded_each_call: …; generator = generator and generator.manual_seed(generator.initial_seed())
    #  The generator is set back at the beginning: who asks twice gets the same text twice.
    #: `generator=None` is torch's own; hand None on.
    #! seed_of_its_own: …; generator = generator or torch.Generator().manual_seed(0)
    #: `if stop is not None and token in stop: return`, before the yield.
    #! stops_at_the_prompt_s_end: …; if stop is not None and int(ids[0, -1]) in stop: return
    #  A stop token at the end of the prompt ends the text before it has begun. Only what is drawn can stop it.
    #: `yield token.item()`, or `int(token)`.
    #! prompt_handed_out: yield from ids[0].tolist(); …
    #  It hands out the prompt's tokens too. Only what is new is wanted.
    caches = model.new_caches(1, room)
    #: `model.new_caches(1, ids.shape[1] + n_new)`, at the beginning of each call.
    #! caches_kept_between_calls: caches = kept_caches(model)
    #  The caches of the last call are used again, so a second text begins with the memory of the first. [Lightning-AI/litgpt#1596,
    #  casper-hansen/AutoAWQ#178]
    #! arguments_swapped: caches = model.new_caches(room, 1)
    #  The arguments of new_caches are swapped: the batch comes first, 1, then the room.
    #! batch_of_the_caches: caches = model.new_caches(2, room)
    #! batch_of_the_caches: caches = model.new_caches(ids.shape[1], room)
    #  The caches are made for another batch than that of ids, which is 1.
    #! room_forgotten: caches = model.new_caches(1)
    #  new_caches wants two numbers: the batch, 1, and the room, T + n_new.
    new = ids
    #: The prompt goes in once; then only the token that was drawn last, (1, 1).
    #! prefilled_twice: …; model(ids, caches)
    #  The prompt goes through the model twice, and is in the caches twice.
    #! prefill_without_last: _ = ids.shape[1] > 1 and model(ids[:, :-1], caches); new = ids[:, -1:]
    #  The prompt goes in without its last token, and that one separately: a call too many. The logits of the whole prompt already say what comes
    #  next.
    #! prompt_token_by_token:
    #| for t in range(ids.shape[1] - 1): model(ids[:, t : t + 1], caches)
    #| new = ids[:, -1:]
    #  The prompt goes in token by token. It is known, so it can go in at once: that is prefill.
    #! no_prefill: new = ids[:, -1:]
    #  The model never sees the prompt, except for its last token.
    #! prompt_without_last: new = ids[:, :-1]
    #  The prompt's last token is lost: the model reads all but that one.
    #! prompt_without_first: new = ids[:, 1:]
    #  The prompt's first token is lost: the model reads all but that one.
    #: The logits of the prefill already hold the first new token.
    #! last_prompt_token_twice: model(ids, caches); new = ids[:, -1:]
    #  After the prompt its last token is fed once more.
    for i in range(n_new):  # noqa: B007  (wrong lines use it)
        #: `for _ in range(n_new)`
        #! one_token_more: for i in range(n_new + 1):
        #  It hands out n_new + 1 tokens.
        #! one_token_less: for i in range(n_new - 1):
        #  It hands out n_new - 1 tokens.
        #! without_end: for i in itertools.count():
        #  It goes on without end. n_new says how many tokens are wanted.
        logits = model(new, caches)
        #: The prompt goes in once; then only the token that was drawn last, (1, 1).
        #! whole_text_again: ids = torch.cat([ids, new], dim=1) if i else ids; logits = model(ids, caches)
        #! whole_text_again:
        #| if i: ids = torch.cat([ids, new], dim=1)
        #| else: caches = model.new_caches(1, 10_000)
        #| logits = model(ids, caches)
        #  With the caches it feeds the whole text again in each step: the model sees every token again and again, at later and later positions.
        #! prompt_every_step: logits = model(ids, caches)
        #! prompt_every_step: logits = model(ids, caches if i else kept_caches(model))
        #  The prompt is fed in each step, and the token that was drawn never: the model does not read what it has written.
        #: `model.new_caches(1, ids.shape[1] + n_new)`, at the beginning of each call. The prompt goes in once; then only the token that was drawn
        #  last, (1, 1).
        #! no_caches: ids = torch.cat([ids, new], dim=1) if i else ids; logits = model(ids)
        #  The model is called without caches, and the whole text each time. The tokens are right; the work grows with the square of the length.
        #! prompt_without_caches: logits = model(ids)
        #  The prompt is fed in each step, without caches, and the token that was drawn never.
        #: `model(new, caches)`
        #! caches_not_used: logits = model(new)
        #  Only the new token is fed, but without the caches: the model has forgotten all that came before.
        #: `model.new_caches(1, ids.shape[1] + n_new)`, at the beginning of each call.
        #! new_caches_each_step: logits = model(new, model.new_caches(1, 100))
        #  It makes new caches in each step: the model has forgotten all that came before.
        #: The prompt goes in once; then only the token that was drawn last, (1, 1).
        #! two_at_a_time: ids = torch.cat([ids, new], dim=1) if i else ids; logits = model(ids[:, -2:] if i else ids, caches)
        #! two_at_a_time:
        #| if i: ids = torch.cat([ids, new], dim=1)
        #| else: caches = model.new_caches(1, 10_000)
        #| logits = model(ids[:, -2:] if i else ids, caches)
        #  It feeds the last two tokens each time; the caches know the first of them already.
        #: `model(…)[:, -1]`: the logits after the last token.
        #! mean_of_positions: …; logits = logits.mean(1, keepdim=True)
        #  It averages the logits over the positions.
        logits = logits[:, -1].float()
        #: `model(…)[:, -1]`: the logits after the last token.
        #! first_position: logits = logits[:, 0].float()
        #  It reads the logits after the first token of what was fed.
        #! last_but_one: logits = logits[:, max(logits.shape[1] - 2, 0)].float()
        #! last_but_one: logits = logits[:, -2].float()
        #  It reads the last but one row of logits.
        #! last_row: logits = logits[-1].float()
        #  `[-1]` takes the last text of the batch and keeps all positions. `[:, -1]` takes the last position.
        #! last_place_of_the_vocabulary: logits = logits[..., -1].float()
        #  `[..., -1]` takes the last token of the vocabulary at each position. `[:, -1]` takes the last position.
        #! all_positions: logits = logits.float()
        #  It takes the logits of all positions. Those after the last token say what comes next.
        logits = apply_temperature(logits, temperature)
        #: Temperature, then top-k, then top-p, each if it is wanted, and then sample.
        #! temperature_ignored: logits = apply_temperature(logits, 1.0 if temperature else 0.0)
        #  The temperature makes no difference, except at 0.
        #! temperature_ignored_always: pass
        #  The temperature makes no difference at all.
        #! temperature_twice: logits = apply_temperature(logits, temperature); …
        #  The temperature is applied twice.
        #! multiplied: logits = logits * temperature
        #  It multiplies by the temperature. Use your apply_temperature.
        #! divides_by_zero: logits = logits / temperature
        #  At temperature 0 it divides by zero. Use your apply_temperature.
        #! zero_is_one: logits = apply_temperature(logits, temperature or 1.0)
        #  Temperature 0 counts as 1: `temperature or 1.0`, `if temperature:`. 0 is greedy.
        #! zero_is_small: logits = apply_temperature(logits, max(temperature, 0.05))
        #! zero_is_small: logits = apply_temperature(logits, max(temperature, 0.1))
        #! zero_is_small: logits = apply_temperature(logits, max(temperature, 0.01))
        #  Temperature 0 counts as 0.05. Where two logits are close, luck decides; 0 is greedy.
        #: `temperature: float = 1.0`
        #! default_temperature: logits = apply_temperature(logits, 0.8 if temperature == 1.0 else temperature)
        #  With no temperature given it takes one below 1. The default is 1.0.
        #! default_greedy: logits = apply_temperature(logits, 0.0 if temperature == 1.0 else temperature)
        #  With no temperature given it is greedy, as at 0. The default is 1.0.
        #! default_hot: logits = apply_temperature(logits, 2.0 if temperature == 1.0 else temperature)
        #  With no temperature given it takes one above 1. The default is 1.0.
        #! default_negative: logits = apply_temperature(logits, -1.0 if temperature == 1.0 else temperature)
        #  With no temperature given it takes a negative one, and the unlikely become likely. The default is 1.0.
        #: Temperature, then top-k, then top-p, each if it is wanted, and then sample.
        #! never_above_one: logits = apply_temperature(logits, min(temperature, 1.0))
        #  Temperatures above 1 count as 1.
        #! temperature_last: pass
        #  The filters come before the temperature, so that p is measured on other probabilities than the ones that are drawn from.
        #! top_p_before_temperature: if p is not None: logits = top_p(logits, p); …
        #  top_p comes before the temperature, and is measured on other probabilities than the ones that are drawn from.
        if k is not None:
            #! top_p_before_top_k: if p is not None: logits = top_p(logits, p); …
            #  top_p comes before top_k. After top_k the shares are larger, and p is reached earlier.
            #! k_and_p_or_nothing: if k is not None and p is not None:
            #  A filter works only if the other one is given too.
            #! k_ignored_with_p: if k is not None and p is None:
            #  Where p is given, k is ignored. Both may be wanted. [openai/gpt-2#187]
            #! k_ignored: if False:
            #  k makes no difference.
            #! filters_on_probabilities: logits = logits.softmax(-1); …
            #  The softmax is taken before the filters and again in sample. All of them want logits.
            #: `k: int | None = None`
            #! default_k: k = 50 if k is None else k; …
            #  With no k given it takes 50. The default is None, all tokens.
            #: `p: float | None = None`
            #! default_p: p = 0.9 if p is None else p; …
            #  With no p given it takes 0.9. The default is None, all tokens.
            #: `if k is not None: …`
            #! k_is_none_turned_round: if k is None:
            #  The question is turned round: top_k runs where no k is given.
            #! filters_always: if True:
            #  top_k runs even where no k is given.
            logits = top_k(logits, k)
            #: `logits = top_k(logits, k)`
            #! top_k_gets_p: logits = top_k(logits, p)
            #  top_k is given p. Its number is k.
            #! k_ignored: top_k(logits, k)
            #! k_less_one: logits = top_k(logits, k - 1)
            #  top_k is given k - 1. k tokens should stay.
            #! k_more_one: logits = top_k(logits, k + 1)
            #  top_k is given k + 1. k tokens should stay.
        if p is not None:
            #!+ top_p_before_temperature: if False:
            #!+ top_p_before_top_k: if False:
            #!+ k_and_p_or_nothing: if k is not None and p is not None:
            #: Temperature, then top-k, then top-p, each if it is wanted, and then sample.
            #! k_or_p: if p is not None and k is None:
            #  When k is given, p is ignored. Both may be wanted.
            #! p_ignored: if False:
            #  p makes no difference.
            #: `if p is not None:`
            #! p_zero_is_none: if p:
            #  p = 0 counts as no p at all: `if p:`. It means the likeliest token only.
            #! p_only_with_k: if p is not None and k is not None:
            #  p works only where k is given too. `if p is not None:`, apart.
            #! p_is_none_turned_round: if p is None:
            #  The question is turned round: top_p runs where no p is given.
            logits = top_p(logits, p)
            #: `logits = top_p(logits, p)`
            #! min_p_for_top_p: logits = min_p(logits, p)
            #  It filters with min_p. Here p is top_p's.
            #! one_minus_p: logits = top_p(logits, 1 - p)
            #  top_p is given 1 - p.
            #! p_ignored: top_p(logits, p)
            #! top_p_gets_k: logits = top_p(logits, k)
            #  top_p is given k. Its number is p.
        new = sample(logits, generator)[:, None]
        #!+ temperature_last: logits = apply_temperature(logits, temperature); …
        #: Temperature, then top-k, then top-p, each if it is wanted, and then sample.
        #! always_greedy: new = logits.argmax(-1, keepdim=True)
        #  It takes the likeliest token each time, whatever the temperature. Call sample.
        #! always_the_least_likely: new = logits.argmin(-1, keepdim=True)
        #  It takes the least likely token each time. Call sample.
        #: `sample(logits, generator)`
        #! generator_ignored: new = sample(logits)[:, None]
        #  The generator is ignored: with the same seed another text is written.
        #! generator_for_the_first_only: new = sample(logits, None if i else generator)[:, None]
        #  The generator is used for the first token only.
        #: Seeds are set outside. The generator moves on by itself.
        #! reseeded_each_step: generator = generator and generator.manual_seed(generator.initial_seed()); …
        #  The generator is set back in each step: every token is drawn with the same luck.
        #: `generator=None` is torch's own; hand None on.
        #! seed_of_its_own: new = sample(logits, generator or torch.Generator().manual_seed(i))[:, None]
        #  Without a generator it makes one with a fixed seed: the same text each time.
        #! sets_the_global_seed: torch.manual_seed(0); …
        #  It calls torch.manual_seed: everybody else's random numbers are reset, and the text repeats one piece of luck.
        #: `token[:, None]`, or `torch.tensor([[token]])`.
        #! no_batch_dimension: new = sample(logits, generator)
        #  The new token goes in as (1,). The model wants (1, 1): a batch of one, one position.
        #: torch.cat makes a new tensor; better, keep the newest token only.
        #! prompt_changed: …; ids[0, 0] = int(new)
        #  It writes into ids, the caller's prompt.
        #: `torch.tensor([[token]], device=ids.device)`, or keep the tensor that sample gives.
        #! token_on_the_cpu: …; new = torch.tensor([[int(new)]])
        #  The new token is made on the CPU whatever the prompt's device is.
        token = int(new.item())
        #: Draw once, and use that token for both: `token = int(new.item())`.
        #! drawn_twice: token = int(sample(logits, generator).item())
        #  Each token is drawn twice: one is handed out, and the model reads the other.
        #! place_for_token: token = i
        #  It hands out the number of the step.
        if stop is not None and token in stop:
            #: `if stop is not None and token in stop: return`, before the yield.
            #! stop_ignored: if False:
            #  It goes on after a stop token.
            #! only_one_stop_token: if stop is not None and token in list(stop)[:1]:
            #! only_one_stop_token: if stop is not None and token == list(stop)[0]:
            #  Only the first of several stop tokens is looked at. Llama 3 has two: the end of a text and the end of a turn.
            #! last_stop_token_only: if stop is not None and token in list(stop)[-1:]:
            #! last_stop_token_only: if stop is not None and token == max(stop, default=None):
            #  Only one of several stop tokens is looked at. Llama 3 has two: the end of a text and the end of a turn.
            #! tensor_in_a_set: if stop is not None and new in stop:
            #  It looks for a tensor in the set. A tensor equals no int there, so that nothing stops the text.
            #! zero_is_no_stop_token: if stop is not None and token and token in stop:
            #  Token 0 does not stop the text. 0 is a token like the others.
            #! stops_at_zero: if token in ({0} if stop is None else stop):
            #  Without stop tokens it stops at token 0.
            #! stop_none: if token in stop:
            #  Without stop tokens, `stop` is None, and `in None` is an error.
            #! stops_at_others: if stop is not None and token not in stop:
            #  It stops at every token that is no stop token: `in`, not `not in`.
            #! empty_stop: if not stop or token in stop:
            #! empty_stop: if stop is None or token in stop:
            #  Without stop tokens it ends at once. Then no token is special.
            #! stop_by_place: if stop is not None and i in stop:
            #  It compares the number of the step with the stop tokens.
            return
            #! stop_token_given: yield token; return
            #  The stop token is handed out as well. It is a sign that the text is over, and no part of the text.
            #! stop_token_skipped: continue
            #  The stop token is left out, but the text goes on. It ends there.
            #! stop_iteration: raise StopIteration
            #  StopIteration inside a generator function becomes a RuntimeError. `return` ends it.
        yield token
        #: `yield token.item()`, or `int(token)`.
        #! tensors: yield new
        #  It hands out tensors. A token of a single text is an int.
        #! lists: yield new[0].tolist()
        #  It hands out lists with one token each. A token of a single text is an int.
        #! floats: yield float(token)
        #  It hands out floating point numbers.
        #! text_handed_out: yield str(token)
        #  It hands out text. A token is an int; decoding comes later.
        #! growing_list: so_far = [*so_far, token] if i else [token]; yield so_far
        #! growing_list: ids = torch.cat([ids, new], dim=1); yield ids
        #! growing_list: ids = torch.cat([ids, new], dim=1); yield ids[0].tolist()
        #  It hands out all tokens so far, each time. Only the newest one is wanted.
        #: n_new calls in all: prefill, and one for each token but the last.
        #! last_token_fed_back: …; _ = i == n_new - 1 and model(new, caches)
        #  The last token is fed back as well, and nobody looks at the answer: one call too many.
        #: `return` ends the function, `yield` only waits.
        #! first_token_only: yield token; return
        #  It ends after the first token.


def one_behind(model: Any, ids: Tensor, n_new: int, *args: Any, **settings: Any) -> Iterator[int]:
    """Hand out each token when the next is there."""
    waiting = None
    for token in generate(model, ids, n_new, *args, **settings):
        if waiting is not None:
            yield waiting
        waiting = token
    if waiting is not None:
        yield waiting


def late(model: Any, ids: Tensor, n_new: int, *args: Any, **settings: Any) -> Iterator[int]:
    """Hand out everything at the end."""
    yield from list(generate(model, ids, n_new, *args, **settings))


def leaks(model: Any, ids: Tensor, n_new: int, *args: Any, **settings: Any) -> Iterator[int]:
    """Switch gradients off around the yield."""
    with torch.no_grad():
        yield from generate.__wrapped__(model, ids, n_new, *args, **settings)


def collected(make: Callable[[list[int]], Any]) -> Callable[..., Any]:
    """All tokens first, and then something made of them."""

    def wrong(model: Any, ids: Tensor, n_new: int, *args: Any, **settings: Any) -> Any:
        return make(list(generate(model, ids, n_new, *args, **settings)))

    return wrong


MISTAKES: list[Mistake] = [
    *mistakes_of(generate),
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
        late,
        "It yields, but only after everything has been computed: nobody sees the text grow.",
        "`yield` inside the loop that calls the model.",
    ),
    Mistake(
        "one_behind",
        one_behind,
        "Each token is handed out one step late.",
        "`yield` before the next call of the model.",
    ),
    Mistake(
        "no_grad_leaks",
        leaks,
        "`with torch.no_grad():` around a yield: while the generator waits, gradients are switched "
        "off for everybody else.",
        "`@torch.no_grad()` above the function switches them back on at each yield.",
    ),
]
