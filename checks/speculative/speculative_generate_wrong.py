"""Lab 14, 14.9: speculative_generate, and what people write in place of its lines."""

from collections.abc import Callable, Collection, Iterator
from typing import Any

import torch
from torch import Tensor

from checks.engine import Mistake, mistakes_of
from checks.speculative.rewind_wrong import rewind
from checks.speculative.verify_wrong import verify

Luck = torch.Generator | None


def apply_temperature(logits: Tensor, temperature: float) -> Tensor:
    """Lab 10's."""
    if temperature == 0:
        first = torch.nn.functional.one_hot(logits.argmax(-1), logits.shape[-1]).bool()
        return torch.where(first, logits, -torch.inf)
    return logits / temperature


def kept_caches(model: Any) -> Any:
    """The caches of the first call, for every other."""
    if not hasattr(model, "_kept"):
        object.__setattr__(model, "_kept", model.new_caches(1, 10_000))
    return model._kept


@torch.no_grad()
#: `@torch.no_grad()` above the function. It was given.
#! gradients_recorded: # nothing
#  Gradients are recorded: everything the model computes is kept in memory for a backward pass that never comes.
def speculative_generate(
    model: Any,
    draft: Callable[..., tuple[Tensor, Tensor]],
    ids: Tensor,
    n_new: int,
    n_draft: int = 4,
    temperature: float = 1.0,
    stop: Collection[int] | None = None,
    generator: Luck = None,
) -> Iterator[Any]:
    room = ids.shape[1] + n_new + n_draft
    #: `model.new_caches(1, ids.shape[1] + n_new)`, if no more drafts are asked for than tokens are left; else n_draft more.
    #! room_for_new_ones_only: room = n_new + n_draft
    #  The caches have room for the new tokens only, and the prompt is in them too.
    #! room_for_the_prompt_only: room = ids.shape[1] + n_draft
    #  The caches have room for the prompt and one round only.
    #! no_room_for_drafts: room = ids.shape[1] + n_new - 2
    #  The caches have no room for the last round's drafts: all drafts are read before it is known which stay.
    #: `generator=None` is torch's own. Seeds are set outside.
    #! reseeded_each_call: …; generator = generator and generator.manual_seed(generator.initial_seed())
    #  The generator is set back at the beginning: who asks twice gets the same text twice.
    #! prompt_handed_out: yield from ids[0].tolist(); …
    #  It hands out the prompt's tokens too. Only what is new is wanted.
    #! stops_at_the_prompt_s_end: …; if stop is not None and int(ids[0, -1]) in stop: return
    #  A stop token at the end of the prompt ends the text before it has begun. Only what is new can stop it.
    caches = model.new_caches(1, room)
    #: New caches for each call of speculative_generate.
    #! caches_kept_between_calls: caches = kept_caches(model)
    #  The caches of the last call are used again, so a second text begins with the memory of the first.
    text, new, left = ids[0], ids, n_new
    #: The prompt goes in with the first drafts.
    #! prompt_without_last: text, new, left = ids[0], ids[:, :-1], n_new
    #  The prompt's last token is lost: the model reads all but that one.
    #! no_prefill: text, new, left = ids[0], ids[:, -1:], n_new
    #  The model never sees the prompt, except for its last token.
    while left > 0:
        #: `while left > 0`, and no more drafts than `left - 1`.
        #! one_round: for _ in range(1 if left > 0 else 0):
        #  It ends after one round.
        #! a_round_for_each_token: for _ in range(n_new):
        #  It makes n_new rounds, each with several tokens: there are too many of them.
        #! a_round_too_many: while left >= 0:
        #  It makes one more round when all tokens are there.
        #! never_begins: while left < 0:
        #  The loop never begins: it runs while tokens are left.
        #! ends_one_early: while left > 1:
        #  It ends when one token is still to come.
        drafts, q = draft(text, min(n_draft, left - 1), generator)
        #! too_many_tokens: drafts, q = draft(text, n_draft, generator)
        #  A round may bring more tokens than are wanted, and they are all handed out: n_new is n_new. [sgl-project/sglang#31599]
        #: `draft(text, …, generator)`: the whole text so far, (T,).
        #! draft_reads_the_last_token: drafts, q = draft(text[-1:], min(n_draft, left - 1), generator)
        #  The draft is given the last token only. It needs the whole text.
        #! draft_reads_the_prompt: drafts, q = draft(ids[0], min(n_draft, left - 1), generator)
        #  The draft is given the prompt in each round, not the text so far.
        #! draft_reads_the_new: drafts, q = draft(new[0], min(n_draft, left - 1), generator)
        #  The draft is given what is new only. It needs the whole text.
        #! draft_without_the_last: drafts, q = draft(text[:-1] if len(text) > 1 else text, min(n_draft, left - 1), generator)
        #  The draft is given the text without its last token: its guesses are for a place that is taken.
        #! draft_with_a_batch: drafts, q = draft(text[None], min(n_draft, left - 1), generator)
        #  The draft is given (1, T). It wants the text as (T,).
        #! draft_without_the_generator: drafts, q = draft(text, min(n_draft, left - 1), None)
        #  The draft is not given the generator, so that a part of the luck comes from elsewhere.
        #! always_four: drafts, q = draft(text, min(4, left - 1), generator)
        #  It asks for four drafts whatever n_draft is.
        #! all_that_is_left: drafts, q = draft(text, left - 1, generator)
        #  It asks for as many drafts as tokens are left. n_draft is the most.
        #! default_of_other_drafts: drafts, q = draft(text, min(5 if n_draft == 4 else n_draft, left - 1), generator)
        #! default_of_other_drafts: drafts, q = draft(text, min(8 if n_draft == 4 else n_draft, left - 1), generator)
        #  With no n_draft given it asks for another number of drafts than 4.
        #! one_draft_more: drafts, q = draft(text, min(n_draft + 1, left - 1), generator)
        #  It asks for n_draft + 1 drafts.
        #! one_draft_less: drafts, q = draft(text, min(max(n_draft - 1, 0), left - 1), generator)
        #  It asks for n_draft - 1 drafts.
        #! never_guesses: drafts, q = draft(text, 0, generator)
        #  It asks for no drafts: one call for each token, as without them.
        #: `q` as the draft gave it.
        #! q_at_the_temperature: …; q = (q.clamp(min=1e-9).log() / (temperature or 1.0)).softmax(-1)
        #  The temperature is applied to q once more. The draft gives the probabilities that it drew from.
        logits = model(torch.cat([new, drafts[None]], dim=1), caches)[0, -len(drafts) - 1 :].float()
        #: `model(torch.cat([new, drafts[None]], dim=1), caches)[0, -len(drafts) - 1 :]`
        #! draft_s_rows: logits = model(torch.cat([new, drafts[None]], dim=1), caches)[0, -len(drafts) :].float(); logits = torch.cat([logits, logits[-1:]])[: len(drafts) + 1]
        #  The rows of logits are one place too late: row i of the last m is about what follows draft i. What stands before a draft speaks about it.
        #! first_rows: logits = model(torch.cat([new, drafts[None]], dim=1), caches)[0, : len(drafts) + 1].float()
        #  It reads the first m + 1 rows of logits. With the prompt in the call these are about the prompt; the last ones are wanted.
        #! whole_text_again: logits = model(torch.cat([text, drafts])[None], model.new_caches(1, 10_000))[0, -len(drafts) - 1 :].float()
        #! whole_text_again: logits = model(torch.cat([text, drafts])[None], None)[0, -len(drafts) - 1 :].float()
        #  It reads the whole text anew in each call. The text is right; what the caches are for is lost.
        #! text_on_top: logits = model(torch.cat([text, drafts])[None], caches)[0, -len(drafts) - 1 :].float()
        #  The whole text goes in each time, on top of what the caches hold: the model sees it twice.
        #! one_by_one:
        #| rows = [model(new, caches)[0, -1:]]
        #| rows += [model(token.view(1, 1), caches)[0] for token in drafts]
        #| logits = torch.cat(rows).float()
        #  The drafts go in one by one, a call for each: that costs what it costs without drafts. All go in together.
        #! drafts_not_read: logits = model(new, caches)[0, -1:].float(); drafts, q = drafts[:0], q[:0]
        #  The drafts are never read by the model: one call for each token.
        p = apply_temperature(logits, temperature).softmax(dim=-1)
        #: `apply_temperature(logits, temperature).softmax(dim=-1)`
        #! temperature_ignored: p = apply_temperature(logits, 1.0 if temperature else 0.0).softmax(dim=-1)
        #! temperature_ignored: p = logits.softmax(dim=-1)
        #  The temperature makes no difference.
        #! multiplied: p = (logits * temperature).softmax(dim=-1)
        #  It multiplies by the temperature. Use your apply_temperature.
        #! temperature_twice: p = apply_temperature(apply_temperature(logits, temperature), temperature).softmax(dim=-1)
        #  The temperature is applied twice.
        #! after_softmax: p = apply_temperature(logits.softmax(dim=-1), temperature or 1.0).softmax(dim=-1)
        #  The temperature comes after the softmax, and a second softmax after that.
        #! divides_by_zero: p = (logits / temperature).softmax(dim=-1)
        #  At temperature 0 it divides by zero. Use your apply_temperature.
        #! always_greedy: p = apply_temperature(logits, 0).softmax(dim=-1)
        #  The target is greedy whatever the temperature.
        #! default_greedy: p = apply_temperature(logits, 0.0 if temperature == 1.0 else temperature).softmax(dim=-1)
        #  With no temperature given it is greedy. The default is 1.0.
        #! default_of_another_heat: p = apply_temperature(logits, 2.0 if temperature == 1.0 else temperature).softmax(dim=-1)
        #! default_of_another_heat: p = apply_temperature(logits, 0.5 if temperature == 1.0 else temperature).softmax(dim=-1)
        #  With no temperature given it is not 1. The default is 1.0.
        #! softmax_over_places: p = apply_temperature(logits, temperature).softmax(dim=0)
        #  The softmax runs over the places (dim=0). The vocabulary is dim=-1.
        kept = verify(p, q, drafts, generator)
        #: `verify(p, q, drafts, generator)`
        #! without_the_generator: kept = verify(p, q, drafts)
        #  verify is not given the generator: with the same seed another text is written.
        #! only_accepted: kept = verify(p, q, drafts, generator); kept = kept[:-1] if len(kept) > 1 else kept
        #  The token that verify adds is thrown away, except where there is no other.
        #! only_one: kept = verify(p, q, drafts, generator)[:1]
        #  One token of each round is kept, and the others are thrown away.
        #! drafts_trusted: kept = torch.cat([drafts, p[-1:].argmax(-1)])
        #  All drafts are kept without being checked.
        #! from_p_after_a_rejection:
        #| n = len(verify(p, q, drafts, generator)) - 1
        #| kept = torch.cat([drafts[:n], torch.multinomial(p[n], 1, generator=generator)])
        #  After a rejection it draws from p. verify draws from the residual.
        #! token_equals_the_likeliest:
        #| n = int((p[: len(drafts)].argmax(-1) == drafts).long().cumprod(0).sum())
        #| kept = torch.cat([drafts[:n], torch.multinomial(p[n], 1, generator=generator)])
        #  It keeps a draft if it is the target's likeliest token: that is greedy, whatever the temperature. verify knows.
        text = torch.cat([text, kept])
        #: `text = torch.cat([text, kept])`
        #! text_of_the_last_token: text = torch.cat([text, kept[-1:]])
        #  Only the last kept token is added to the text. The accepted drafts belong to it.
        #! text_with_all_drafts: text = torch.cat([text, drafts, kept[-1:]])
        #  All drafts are added to the text, rejected ones too.
        rewind(caches, len(text) - 1)
        #: `rewind(caches, len(text) - 1)`: the last token of the text is not in the caches yet.
        #! never_rewound: pass
        #  The caches are not taken back: rejected drafts stay in them, and the model goes on reading them. [huggingface/transformers#30312]
        #! first_layer_only: rewind(caches[:1], len(text) - 1)
        #  Only the first layer's cache is taken back.
        #! one_too_many: rewind(caches, min(len(text), caches[0].length) if caches else 0)
        #  The caches are cut to len(text): one rejected draft stays in them. The last token of the text has not been read yet.
        #! one_too_few: rewind(caches, len(text) - 2)
        #  The caches are cut by one too many: an accepted token is forgotten, and not read again.
        #! always_to_the_round_s_start: rewind(caches, len(text) - len(kept))
        #  The caches are taken back to where the round began: accepted drafts are forgotten, too.
        #! only_the_drafts_forgotten: rewind(caches, caches[0].length - len(drafts) if caches else 0)
        #  All drafts are forgotten, also those that were accepted, and they are not read again.
        #! counts_rejected_only_without_prompt: rewind(caches, len(text) - len(ids[0]) if caches else 0)
        #  The prompt is left out when the length is counted.
        new, left = kept[None, -1:], left - len(kept)
        #: `kept[None, -1:]`, and `left - len(kept)`.
        #! all_kept_fed_again: new, left = kept[None], left - len(kept)
        #  All kept tokens are fed again. The accepted drafts are in the caches already; only the last token is new.
        #! first_kept_fed: new, left = kept[None, :1], left - len(kept)
        #  The first kept token is fed. It is the last that is not in the caches yet.
        #! prompt_every_round: new, left = ids, left - len(kept)
        #  The prompt is fed in each round.
        #! counts_rounds: new, left = kept[None, -1:], left - 1
        #  It counts one token for each round, and hands out more.
        #! counts_drafts: new, left = kept[None, -1:], left - len(drafts) - 1
        #  Rejected drafts are counted as written, so that the text ends too early.
        #! counts_accepted: new, left = kept[None, -1:], left - max(len(kept) - 1, 1)
        #  It counts the accepted drafts only. verify's own token counts too.
        #! no_batch_dimension: new, left = kept[-1:], left - len(kept)
        #  The new token goes in as (1,). The model wants (1, T).
        for token in kept.tolist():
            #: `for token in kept.tolist()`: each of them, and stop looked at before each.
            #! last_only: for token in kept.tolist()[-1:]:
            #  Only a round's last token is handed out.
            #! first_only: for token in kept.tolist()[:1]:
            #  Only a round's first token is handed out.
            #! accepted_only: for token in kept.tolist()[:-1]:
            #  Only the accepted drafts are handed out, without the token that verify adds.
            #! backwards: for token in reversed(kept.tolist()):
            #  A round's tokens are handed out backwards.
            #! drafts_handed_out: for token in [*drafts.tolist(), int(kept[-1])]:
            #  It hands out the drafts as they were guessed, the rejected ones too.
            if stop is not None and token in stop:
                #! stop_ignored: if False:
                #  It goes on after a stop token.
                #! stop_at_a_round_s_end_only: if stop is not None and token in stop and token == kept.tolist()[-1]:
                #  A stop token counts only at the end of a round. Among the drafts it is written, and the text runs on. [huggingface/transformers#47912]
                #! stop_skips_the_round: if stop is not None and set(kept.tolist()) & set(stop):
                #  A stop token anywhere in a round throws away what came before it in the round.
                #! one_stop_token: if stop is not None and token in list(stop)[:1]:
                #  Only the first of several stop tokens is looked at.
                #! stop_none: if token in stop:
                #  Without stop tokens, `stop` is None, and `in None` is an error.
                #! empty_stop: if not stop or token in stop:
                #  Without stop tokens it ends at once. Then no token is special.
                #! zero_is_no_stop_token: if stop is not None and token and token in stop:
                #  Token 0 does not stop the text. 0 is a token like the others.
                #! stop_after_the_accepted: if stop is not None and kept.tolist()[0] in stop:
                #  Only a round's first token is compared with the stop tokens.
                #: `return`, before the yield.
                return
                #! stop_token_given: yield token; return
                #  The stop token is handed out as well. It is a sign that the text is over, and no part of the text.
                #! stop_ends_the_round_only: break
                #  The stop token ends the round, and the next round goes on. The text is over: `return`.
                #! stop_token_skipped: continue
                #  The stop token is left out, but the text goes on. It ends there.
            yield token
            #: `yield token`, an int.
            #! tensors: yield torch.tensor(token)
            #  It hands out tensors. A token is an int.
            #! a_round_at_once: yield kept.tolist(); break
            #  It hands out a round's tokens as one list. Each is handed out by itself.
            #! lists: yield [token]
            #  It hands out lists with one token each. A token is an int.


def late(*args: Any, **settings: Any) -> Iterator[int]:
    """Hand out everything at the end."""
    yield from list(speculative_generate(*args, **settings))


def leaks(*args: Any, **settings: Any) -> Iterator[int]:
    """Switch gradients off around the yield."""
    with torch.no_grad():
        yield from speculative_generate.__wrapped__(*args, **settings)


def collected(make: Callable[[list[int]], Any]) -> Callable[..., Any]:
    """All tokens first, and then something made of them."""

    def wrong(*args: Any, **settings: Any) -> Any:
        return make(list(speculative_generate(*args, **settings)))

    return wrong


MISTAKES: list[Mistake] = [
    *mistakes_of(speculative_generate),
    Mistake(
        "returns_a_list",
        collected(lambda tokens: tokens),
        "It returns a list when all is done. The reader should see a round's tokens before the "
        "next call: `yield`.",
        "`yield` in place of `append` and `return`.",
    ),
    Mistake(
        "returns_a_tensor",
        collected(lambda tokens: torch.tensor([tokens])),
        "It returns a tensor when all is done. The reader should see a round's tokens before the "
        "next call: `yield`.",
        "`yield` in place of `torch.cat` and `return`.",
    ),
    Mistake(
        "all_at_the_end",
        late,
        "It yields, but only after everything has been computed: nobody sees the text grow.",
        "`yield` inside the loop that calls the model.",
    ),
    Mistake(
        "no_grad_leaks",
        leaks,
        "`with torch.no_grad():` around a yield: while the generator waits, gradients are switched "
        "off for everybody else.",
        "`@torch.no_grad()` above the function switches them back on at each yield.",
    ),
]
