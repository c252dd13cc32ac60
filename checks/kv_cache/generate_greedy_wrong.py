"""Lab 05, 5.3: generate_greedy, and what people write in place of its lines.

Sources are the public issues in which somebody really made the mistake.
"""

# ruff: noqa: B007  (what only the wrong lines use)
import torch

from checks.engine import Mistake, mistakes_of


def generate_greedy(step, ids, n_new):
    prompt = ids
    #: Without a cache there is nothing to prefill.
    #! called_twice: …; step(ids)
    #  step is called once too often, before the loop.
    #: Call step inside the loop, which then runs no time at all.
    #! asks_for_nothing: …; _ = n_new or step(ids)
    #! asks_for_nothing: …; n_new = max(n_new, 1)
    #  step is called once even when n_new is 0.
    for call in range(n_new):
        #: The loop runs n_new times, with one call of step each.
        #! one_token_more: for call in range(n_new + 1):
        #  It appends n_new + 1 tokens.
        #! one_token_less: for call in range(n_new - 1):
        #  It appends n_new - 1 tokens.
        #! until_n_new_long: for call in range(n_new - ids.shape[1]):
        #  It stops when the whole sequence has n_new tokens. n_new are to be added.
        #! one_for_each_token: for call in range(n_new + ids.shape[1]):
        #! one_for_each_token: for call in range(ids.shape[1]):
        #  It appends a token for each token of the prompt too. n_new are to be added.
        #! returns_in_the_loop: if call := n_new:
        logits = step(ids)
        #: Without a cache step knows nothing: give it all of ids each time.
        #! only_new_token: logits = step(new if call else ids)
        #  From the second call on step gets the new token only. Without a cache it has forgotten the rest.
        #! last_token_only: logits = step(ids[:, -1:])
        #  step gets the last token only, from the start.
        #! padded_buffer: logits = step(torch.nn.functional.pad(ids, (0, n_new - call)))[:, : ids.shape[1]]
        #  step gets a buffer of the final length, filled up with zeros. It is to see what is there so far, `ids`.
        #! prompt_again: logits = step(prompt)
        #  step gets the prompt each time; the new tokens are not among what it sees.
        #! fixed_window: logits = step(ids[:, -8:])
        #! fixed_window: logits = step(ids[:, -1024:])
        #  step sees the last tokens only, as if there were a limit. There is none here.
        #! window_of_the_prompt: logits = step(ids[:, call:])
        #  The window has the prompt's length and moves: the first tokens are forgotten.
        #! last_left_out: logits = step(ids[:, :-1] if call and ids.shape[1] > 1 else ids)
        #! last_left_out: logits = step(ids[:, :-1])
        #  The newest token is left out of what step sees.
        #! new_tokens_only_seen: logits = step(ids[:, prompt.shape[1] :] if call else ids)
        #  step sees the new tokens without the prompt. Without a cache it has forgotten that.
        #: Keep the batch dimension of ids.
        #! no_batch_dimension: logits = step(ids[0])
        #! no_batch_dimension: logits = step(ids[0])[None]
        #! no_batch_dimension: logits = step(ids[0])
        #  step gets (T,) instead of (1, T).
        #: One call of step for each new token, and keep what it returned.
        #! two_calls_for_each_token: step(ids); …
        #  step is called twice for each new token.
        last = logits[:, -1:]
        #: `step(…)[:, -1:].argmax(-1)`: the last position, the largest of V.
        #! first_position: last = logits[:, :1]
        #  It takes the logits after the first token. The last row knows the next token.
        #! second_position: last = logits[:, 1:2]
        #  It takes the logits after the second token, counted from 0. The last row is -1.
        #! last_but_one: last = logits[:, -2:-1]
        #! last_but_one: last = logits[:, max(logits.shape[1] - 2, 0), None]
        #! last_but_one: last = logits[:, -2, None]
        #  It takes the last but one row of logits.
        #! last_two: last = logits[:, -2:]
        #  It takes the last two rows of logits, and appends a token for each.
        #! row_of_the_call: last = logits[:, call, None]
        #  It takes the row with the number of the call. The next token is in the last one.
        #! every_row_appended: last = logits
        #  It appends a token for every row of logits, as `[-1:]` without `[:, …]` does too. Only the last row is about the next token.
        #! all_but_first: last = logits[:, 1:]
        #  It takes all rows but the first. The last one alone is about the next token: `[:, -1:]`.
        #! all_but_last: last = logits[:, :-1]
        #  It takes all rows but the last. That one alone is about the next token: `[:, -1:]`.
        #! mean_over_positions: last = logits.mean(1, keepdim=True)
        #  It averages the logits over the positions, or adds them up. Only the last row is about the next token.
        #! rounded_logits: last = logits[:, -1:].half()
        #! rounded_logits: last = logits[:, -1:].round()
        #  The logits are rounded before the largest one is taken: two that are close become equal, and the first of them wins.
        #! last_of_the_vocabulary: last = logits[..., -1:]
        #  `[..., -1:]` takes the last token of the vocabulary, at every position. Positions are dimension 1.
        new = last.argmax(dim=-1)
        #!+ no_batch_dimension: new = last.argmax(dim=-1).reshape(1, -1)
        #: `step(…)[:, -1:].argmax(-1)`: the last position, the largest of V.
        #! argmax_over_positions: new = last.argmax(dim=1)
        #! argmax_over_positions: new = logits.argmax(1)[:, -1:]
        #! argmax_over_positions: new = logits.argmax(dim=1)
        #! argmax_over_positions: new = logits.argmax(dim=0)
        #  argmax runs over the positions (dim=1), or the batch (dim=0). It must run over the vocabulary, the last dimension.
        #! argmax_of_all: new = logits.argmax().reshape(1, 1) % logits.shape[-1]
        #! argmax_of_all: new = logits.argmax().reshape(1, 1)
        #  argmax looks at the logits of all positions together.
        #! token_without_its_dimension: new = last[:, 0].argmax(dim=-1)
        #! token_without_its_dimension: new = last.argmax()
        #! token_without_its_dimension: new = last.argmax(dim=-1, keepdim=True)
        #  The new token has another number of dimensions than ids, (1, T). `[:, -1]` takes the positions away and wants `keepdim=True`; `[:, -1:]`
        #  keeps them and does not. Either one makes (1, 1).
        #! logit_instead_of_its_place: new = last.max(dim=-1).values
        #! logit_instead_of_its_place: new = last.amax(dim=-1).long()
        #  It appends the largest logit itself. The token is its place: argmax.
        #! all_of_topk: new = last[:, 0].topk(2).indices
        #  It appends two tokens a call. Greedy takes the likeliest one.
        #! smallest: new = last.argmin(dim=-1)
        #  It takes the least likely token.
        #! second_best: new = last.topk(2, -1).indices[..., 1]
        #  It takes the second likeliest token.
        #! largest_size: new = last.abs().argmax(-1)
        #  It takes the logit that is largest in size, whatever its sign.
        #! samples: new = torch.multinomial(last[:, 0].softmax(-1), 1)
        #  It draws the token at random. Greedy takes the likeliest; sampling comes in lab 10.
        #: torch.argmax takes the first.
        #! last_of_equals: new = last.shape[-1] - 1 - last.flip(-1).argmax(-1)
        #  Of two equal logits it takes the later one.
        ids = torch.cat([ids, new], dim=1)
        #! window_of_the_prompt: ids = torch.cat([ids[:, 1:], new], dim=1)
        #: `torch.cat([ids, new], dim=1)`: ids is (1, T), the new token (1, 1).
        #! newest_first: ids = torch.cat([new, ids], dim=1)
        #  New tokens are put in front.
        #! cat_along_the_batch: ids = torch.cat([ids, new], dim=0)
        #  The new token is put below the others, as another sequence of the batch. It belongs behind them: dim=1.
        #! prompt_only: pass
        #  It returns the prompt: the new tokens are lost.
        #! only_the_last_stays: ids = torch.cat([prompt, new], dim=1)
        #  The new token is put behind the prompt each time, in place of the one before.
        #! only_new_kept: ids = new
        #  ids is replaced by the new token: what came before it is gone.
        #! appended_twice: ids = torch.cat([ids, new, new], dim=1)
        #  Each new token is appended twice.
        #! adds_the_token: ids = ids + new
        #  `+` adds the new token's number to all of ids. It is to stand behind them.
        #: torch.cat makes a new tensor.
        #! prompt_changed: ids[:, -1:] = new
        #  It changes ids, the caller's prompt, in place.
        #: The loop runs n_new times, with one call of step each.
        #! stops_at_zero: …; if not new.any(): break
        #! stops_at_zero: if not new.any(): break; …
        #  It stops at token 0. Here no token is special.
        #! stops_at_repetition: …; if (prompt == new).any(): break
        #  It stops as soon as a token of the prompt comes again.
        #! stops_at_two: …; if new.max() == 2: break
        #  It stops at token 2, which ends a text in Llama 2. Here no token is special.
        #! returns_in_the_loop: …; return ids
        #  It ends after one token: `return` stands inside the loop, or there is no loop.
    return ids
    #: Return (1, T + n_new): the prompt first.
    #! new_tokens_only: return ids[:, prompt.shape[1] :]
    #! new_tokens_only: return ids[:, -n_new:]
    #  It returns the new tokens without the prompt.
    #! last_token_returned: return new
    #! last_token_returned: return ids[:, -1:]
    #  It returns the last token only.
    #! last_token_cut_off: return ids[:, :-1]
    #  The last token is cut off at the end.
    #! first_token_cut_off: return ids[:, 1:]
    #  The first token of the prompt is cut off at the end.
    #! prompt_only: return prompt
    #! prompt_twice_in_it: return torch.cat([prompt, ids], dim=1)
    #  The prompt stands in the result twice.
    #! returns_none: pass
    #  It returns nothing: the last line is to be `return ids`.
    #: `torch.cat` keeps it a tensor.
    #! as_a_list: return ids[0].tolist()
    #! as_a_list: return ids.tolist()
    #  It returns a list. A tensor (1, T + n_new) is expected.
    #: Append along dim=1.
    #! batch_lost: return ids[0]
    #  The result has lost its batch dimension: (T + n_new,) instead of (1, T + n_new).
    #! transposed: return ids.T
    #  It returns (T + n_new, 1): the tokens stand below each other.
    #: argmax gives whole numbers; keep them.
    #! float_tokens: return ids.float()
    #  The tokens come back as floating point numbers.
    #! int32_tokens: return ids.int()
    #  The tokens come back as int32. Keep what argmax and ids have: int64.
    #: `torch.cat([ids, new], dim=1)`
    #! newest_first: return torch.cat([ids[:, prompt.shape[1] :].flip(1), prompt], 1)
    #: `device=ids.device`, or make nothing new.
    #! on_the_cpu: return torch.tensor(ids.tolist())
    #  The tokens are made anew on the CPU, wherever ids lie.
    #: torch.cat makes a new tensor.
    #! prompt_changed: _ = prompt.copy_(ids[:, -prompt.shape[1] :]) if n_new else None; …
    #: The loop runs n_new times, with one call of step each.
    #! last_token_fed_back: _ = step(ids) if n_new else None; …
    #! last_token_fed_back: _ = step(ids); …
    #  The last new token is fed to step as well, and nobody looks at the answer.


MISTAKES: list[Mistake] = mistakes_of(generate_greedy)
