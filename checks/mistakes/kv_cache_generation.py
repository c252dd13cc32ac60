"""Lab 05: what people write for greedy generation, with and without a cache.

Sources are the public issues in which somebody really made the mistake.
"""

import functools
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from checks.engine import Mistake


def _greedy(
    cached: bool,
    choose: Callable = lambda logits: logits[:, -1:].argmax(-1),
    feed: Callable | None = None,
    result: Callable = lambda ids, n_prompt: ids,
    calls: Callable = lambda n_new: n_new,
    before: Callable | None = None,
    stop: Callable | None = None,
) -> Callable:
    """A loop that goes wrong in one place. feed(ids, new, call) → what step is given next."""
    feed = feed or (lambda ids, new, call: new if cached else ids)

    def generate(step: Callable, ids: Tensor, n_new: int) -> Any:
        start, new = ids, ids
        if before:
            before(step, ids)
        for call in range(calls(n_new)):
            new = choose(step(feed(ids, new, call)))
            ids = torch.cat([ids, new.reshape(1, -1)], dim=1)
            if stop and stop(new, start):
                break
        return result(ids, start.shape[1])

    return generate


def _prefill_first(cached: bool) -> Callable:
    """The prompt goes in before the loop, even when nothing is to be generated."""

    def generate(step: Callable, ids: Tensor, n_new: int) -> Tensor:
        logits = step(ids)
        for call in range(n_new):
            new = logits[:, -1:].argmax(-1)
            ids = torch.cat([ids, new], dim=1)
            if call < n_new - 1:
                logits = step(new if cached else ids)
        return ids

    return generate


def _one_call_more(cached: bool) -> Callable:
    """Every new token is fed back, the last one as well."""

    def generate(step: Callable, ids: Tensor, n_new: int) -> Tensor:
        if n_new == 0:
            return ids
        logits = step(ids)
        for _ in range(n_new):
            new = logits[:, -1:].argmax(-1)
            ids = torch.cat([ids, new], dim=1)
            logits = step(new if cached else ids)
        return ids

    return generate


def _in_place(cached: bool) -> Callable:
    """Shifts the tokens in the prompt's own memory."""

    def generate(step: Callable, ids: Tensor, n_new: int) -> Tensor:
        result = _greedy(cached)(step, ids, n_new)
        if n_new:
            ids.copy_(result[:, -ids.shape[1] :])
        return result

    return generate


def _last_of_equals(logits: Tensor) -> Tensor:
    last = logits[:, -1:]
    return last.shape[-1] - 1 - last.flip(-1).argmax(-1)


def _sampled(logits: Tensor) -> Tensor:
    return torch.multinomial(logits[:, -1].softmax(-1), 1)


def _second(logits: Tensor) -> Tensor:
    return logits[:, -1:].topk(2, -1).indices[..., 1]


def _shared_mistakes(cached: bool) -> list[Mistake]:
    """Mistakes of both loops."""
    take = "`step(…)[:, -1:].argmax(-1)`: the last position, the largest of V."
    loop = "The loop runs n_new times, with one call of step each."
    make = functools.partial(_greedy, cached)
    return [
        Mistake(
            "first_position",
            make(choose=lambda logits: logits[:, :1].argmax(-1)),
            "It takes the logits after the first token. The last row knows the next token.",
            take,
        ),
        Mistake(
            "last_but_one",
            make(choose=lambda logits: logits[:, max(logits.shape[1] - 2, 0), None].argmax(-1)),
            "It takes the last but one row of logits.",
            take,
        ),
        Mistake(
            "mean_over_positions",
            make(choose=lambda logits: logits.mean(1, keepdim=True).argmax(-1)),
            "It averages the logits over the positions. Only the last row is about the next token.",
            take,
        ),
        Mistake(
            "argmax_over_positions",
            make(choose=lambda logits: logits.argmax(1)[:, -1:]),
            "argmax runs over the positions (dim=1). It must run over the vocabulary.",
            take,
        ),
        Mistake(
            "rounded_logits",
            make(choose=lambda logits: logits[:, -1:].half().argmax(-1)),
            "The logits are rounded before the largest one is taken: two that are close become "
            "equal, and the first of them wins.",
            take,
        ),
        Mistake(
            "argmax_of_all",
            make(choose=lambda logits: logits.argmax().reshape(1, 1) % logits.shape[-1]),
            "argmax looks at the logits of all positions together.",
            take,
        ),
        Mistake(
            "smallest",
            make(choose=lambda logits: logits[:, -1:].argmin(-1)),
            "It takes the least likely token.",
            take,
        ),
        Mistake(
            "second_best",
            make(choose=_second),
            "It takes the second likeliest token.",
            take,
        ),
        Mistake(
            "largest_size",
            make(choose=lambda logits: logits[:, -1:].abs().argmax(-1)),
            "It takes the logit that is largest in size, whatever its sign.",
            take,
        ),
        Mistake(
            "samples",
            make(choose=_sampled),
            "It draws the token at random. Greedy takes the likeliest; sampling comes in lab 10.",
            take,
        ),
        Mistake(
            "last_of_equals",
            make(choose=_last_of_equals),
            "Of two equal logits it takes the later one.",
            "torch.argmax takes the first.",
        ),
        Mistake(
            "one_token_more",
            make(calls=lambda n: n + 1),
            "It appends n_new + 1 tokens.",
            loop,
        ),
        Mistake(
            "one_token_less",
            make(calls=lambda n: max(n - 1, 0)),
            "It appends n_new - 1 tokens.",
            loop,
        ),
        Mistake(
            "until_n_new_long",
            _until_long(cached),
            "It stops when the whole sequence has n_new tokens. n_new are to be added.",
            loop,
        ),
        Mistake(
            "new_tokens_only",
            make(result=lambda ids, n_prompt: ids[:, n_prompt:]),
            "It returns the new tokens without the prompt.",
            "Return (1, T + n_new): the prompt first.",
        ),
        Mistake(
            "prompt_only",
            make(result=lambda ids, n_prompt: ids[:, :n_prompt]),
            "It returns the prompt: the new tokens are lost.",
            "`ids = torch.cat([ids, new], dim=1)`",
        ),
        Mistake(
            "as_a_list",
            make(result=lambda ids, n_prompt: ids[0].tolist()),
            "It returns a list. A tensor (1, T + n_new) is expected.",
            "`torch.cat` keeps it a tensor.",
        ),
        Mistake(
            "batch_lost",
            make(result=lambda ids, n_prompt: ids[0]),
            "The result has lost its batch dimension: (T + n_new,) instead of (1, T + n_new).",
            "Append along dim=1.",
        ),
        Mistake(
            "float_tokens",
            make(result=lambda ids, n_prompt: ids.float()),
            "The tokens come back as floating point numbers.",
            "argmax gives whole numbers; keep them.",
        ),
        Mistake(
            "newest_first",
            make(result=lambda ids, n: torch.cat([ids[:, n:].flip(1), ids[:, :n]], 1)),
            "New tokens are put in front.",
            "`torch.cat([ids, new], dim=1)`",
        ),
        Mistake(
            "prompt_changed",
            _in_place(cached),
            "It changes ids, the caller's prompt, in place.",
            "torch.cat makes a new tensor.",
        ),
        Mistake(
            "stops_at_zero",
            make(stop=lambda new, start: not new.any()),
            "It stops at token 0. Here no token is special.",
            loop,
        ),
        Mistake(
            "stops_at_repetition",
            make(stop=lambda new, start: bool((start == new).any())),
            "It stops as soon as a token of the prompt comes again.",
            loop,
        ),
        Mistake(
            "asks_for_nothing",
            _prefill_first(cached),
            "step is called once even when n_new is 0.",
            "Call step inside the loop, which then runs no time at all.",
        ),
        Mistake(
            "last_token_fed_back",
            _one_call_more(cached),
            "The last new token is fed to step as well, and nobody looks at the answer.",
            loop,
        ),
    ]


def _until_long(cached: bool) -> Callable:
    def generate(step: Callable, ids: Tensor, n_new: int) -> Tensor:
        return _greedy(cached)(step, ids, max(n_new - ids.shape[1], 0))

    return generate


WHOLE = "Without a cache step knows nothing: give it all of ids each time."
ONLY_NEW = "Give step the prompt once, and then only the token that was chosen last."

GREEDY = [
    *_shared_mistakes(cached=False),
    Mistake(
        "only_new_token",
        _greedy(True),
        "From the second call on step gets the new token only. Without a cache it has forgotten "
        "the rest.",
        WHOLE,
    ),
    Mistake(
        "last_token_only",
        _greedy(False, feed=lambda ids, new, call: ids[:, -1:]),
        "step gets the last token only, from the start.",
        WHOLE,
    ),
    Mistake(
        "prompt_again",
        _greedy(False, feed=lambda ids, new, call: ids[:, : ids.shape[1] - call]),
        "step gets the prompt each time; the new tokens are not among what it sees.",
        WHOLE,
    ),
    Mistake(
        "fixed_window",
        _greedy(False, feed=lambda ids, new, call: ids[:, -8:]),
        "step sees the last 8 tokens only. There is no limit here.",
        WHOLE,
    ),
    Mistake(
        "window_of_the_prompt",
        _greedy(False, feed=lambda ids, new, call: ids[:, call:]),
        "The window has the prompt's length and moves: the first tokens are forgotten.",
        WHOLE,
    ),
    Mistake(
        "last_left_out",
        _greedy(
            False, feed=lambda ids, new, call: ids[:, :-1] if call and ids.shape[1] > 1 else ids
        ),
        "The newest token is left out of what step sees.",
        WHOLE,
    ),
    Mistake(
        "no_batch_dimension",
        _greedy(
            False,
            feed=lambda ids, new, call: ids[0],
        ),
        "step gets (T,) instead of (1, T).",
        "Keep the batch dimension of ids.",
    ),
    Mistake(
        "called_twice",
        _greedy(False, before=lambda step, ids: step(ids)),
        "step is called once too often, before the loop.",
        "Without a cache there is nothing to prefill.",
    ),
]


def _prefill_all_but_last(step: Callable, ids: Tensor, n_new: int) -> Tensor:
    if n_new and ids.shape[1] > 1:
        step(ids[:, :-1])
    return _greedy(True, feed=lambda ids, new, call: ids[:, -1:])(step, ids, n_new)


def _prompt_token_by_token(step: Callable, ids: Tensor, n_new: int) -> Tensor:
    if n_new == 0:
        return ids
    for token in ids[0, :-1]:
        step(token.reshape(1, 1))
    return _greedy(True, feed=lambda ids, new, call: ids[:, -1:])(step, ids, n_new)


def _last_prompt_token_twice(step: Callable, ids: Tensor, n_new: int) -> Tensor:
    if n_new == 0:
        return ids
    step(ids)
    return _greedy(True, feed=lambda ids, new, call: ids[:, -1:])(step, ids, n_new)


GREEDY_CACHED = [
    *_shared_mistakes(cached=True),
    Mistake(
        "recomputes",
        _greedy(False),
        "It gives step the whole sequence each time. A step that remembers then sees every token "
        "again and again, at later and later positions.",
        ONLY_NEW,
    ),
    Mistake(
        "no_prefill",
        _greedy(True, feed=lambda ids, new, call: ids[:, -1:]),
        "step never sees the prompt, except for its last token.",
        ONLY_NEW,
        "Lightning-AI/litgpt#701",
    ),
    Mistake(
        "last_prompt_token_twice",
        _last_prompt_token_twice,
        "After the prompt it feeds the prompt's last token once more.",
        "The logits of the prefill already hold the first new token.",
    ),
    Mistake(
        "prefill_all_but_last",
        _prefill_all_but_last,
        "The prompt goes in without its last token, and that one separately: a call too many.",
        "step's answer to the whole prompt already holds the first new token.",
    ),
    Mistake(
        "prompt_token_by_token",
        _prompt_token_by_token,
        "The prompt goes in token by token. It is known, so it can go in at once: that is prefill.",
        ONLY_NEW,
    ),
    Mistake(
        "two_at_a_time",
        _greedy(True, feed=lambda ids, new, call: ids[:, -2:] if call else ids),
        "It feeds the last two tokens each time. step knows the first of them already.",
        ONLY_NEW,
    ),
    Mistake(
        "all_new_tokens",
        _greedy(True, feed=lambda ids, new, call: ids[:, -call:] if call else ids),
        "It feeds all the new tokens each time. step knows all of them but one.",
        ONLY_NEW,
    ),
    Mistake(
        "no_batch_dimension",
        _greedy(True, feed=lambda ids, new, call: new[0]),
        "step gets (T,) instead of (1, T).",
        "`argmax(-1)` of logits[:, -1:] keeps the shape (1, 1).",
    ),
]
