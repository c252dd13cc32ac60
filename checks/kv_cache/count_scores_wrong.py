"""Lab 05, 5.5: count_scores, and what people write in place of its lines."""

from checks.engine import Mistake, mistakes_of


def count_scores(n_prompt, n_new, cached):
    total = 0
    #: There are n_new calls; before call i there are n_prompt + i tokens.
    #! arguments_swapped: n_prompt, n_new = n_new, n_prompt; …
    #  n_prompt and n_new have changed places.
    #: The large number is the one without a cache.
    #! turned_round: cached = not cached; …
    #  cached and not cached have changed places.
    #: `total` begins at 0.
    #! starts_at_one: total = 1
    #  The sum begins at 1, so that it is one too large.
    #! prefill_always_counted: total = n_prompt**2 if cached and n_new == 0 else 0
    #  With n_new = 0 it counts the prompt. step is never called then.
    #! starts_with_the_prompt: total = n_prompt
    #  The sum begins with n_prompt. It is a sum over the calls, and begins at 0.
    for call in range(n_new):
        #: There are n_new calls; before call i there are n_prompt + i tokens.
        #! last_token_fed_back: for call in range(n_new + 1):
        #  It counts one call too many: the last new token is not fed back.
        #! one_call_short: for call in range(n_new - 1):
        #  It counts one call too few. The prompt is a call as well.
        #! prefill_not_counted: for call in range(1, n_new):
        #  The first call, the prompt's, is not counted.
        #! calls_for_the_prompt: for call in range(n_prompt + n_new):
        #  It counts a call for each token of the prompt too. The prompt goes in with the first call.
        #! calls_from_one: for call in range(1, n_new + 1):
        #! calls_of_the_prompt: for call in range(n_prompt):
        #  It counts n_prompt calls. step is called once for each new token: n_new times.
        n_keys = n_prompt + call
        #: There are n_new calls; before call i there are n_prompt + i tokens.
        #! without_prompt: n_keys = 1 + call
        #! without_prompt: n_keys = call
        #  The prompt's length is not used.
        #! position_counted_late: n_keys = n_prompt + call + 1
        #  Each call is counted with one token too many.
        #! calls_from_one: n_keys = n_prompt + call + 1 if call else n_prompt
        #  After the prompt it skips a length: call i has n_prompt + i keys, counted from 0.
        #! position_counted_early: n_keys = n_prompt + call - 1
        #  Each call is counted with one token too few.
        #! prompt_only: n_keys = n_prompt
        #  Every call is counted as long as the prompt. Each has one token more than the last.
        #! shrinks: n_keys = n_prompt - call
        #  The text gets shorter from call to call: it grows by one token each time.
        #! multiplied: n_keys = n_prompt * call
        #  It multiplies the prompt's length by the number of the call. Tokens are added.
        #! n_new_times_the_last: n_keys = n_prompt + n_new
        #! n_new_times_the_last: n_keys = n_prompt + n_new - 1
        #  It counts every call as long as the last. They grow.
        n_queries = n_keys
        #: Each call computes T × S scores: T queries (those of the call), S keys (all so far).
        #! prompt_queries: n_queries = n_prompt
        #  Without a cache it counts n_prompt queries in each call. The new tokens ask again too.
        #! keys_not_scores: n_queries = 1
        if cached and call > 0:
            #: With a cache T is 1 from the second call on.
            #! cached_ignored: if False:
            #  `cached` makes no difference: it always counts without a cache.
            #: Without a cache T is n_prompt + i.
            #! always_cached: if call > 0:
            #  `cached` is not used: it always counts with a cache.
            #: Only from the second call on T is 1.
            #! prefill_as_one_row: if cached:
            #  With a cache it counts one row for the prompt. The prefill has n_prompt queries.
            #! or_for_and: if cached or call > 0:
            #  `or` stands where `and` is meant: one query in every call with a cache, and in every later one without.
            #! prompt_again: if cached and call > 1:
            #  The second call is counted as if it brought the whole text again: T is 1 from there on.
            #! only_the_prefill: if cached and call <= 0:
            #  It is the wrong way round in the first call: that one brings the whole prompt, the later ones a single token.
            n_queries = 1
            #: The new query meets all S keys, once.
            #! two_queries: n_queries = 2
            #  With a cache it counts two queries a step. There is one: that of the new token.
            #! no_query: n_queries = 0
            #  With a cache it counts no query at all after the prompt. The new token has one.
            #! new_so_far: n_queries = call
            #! new_so_far: n_queries = call + 1
            #  With a cache it counts the queries of all new tokens so far. Old ones are not asked again.
        total += n_queries * n_keys
        #: Each call computes T × S scores: T queries (those of the call), S keys (all so far).
        #! triangle: total += n_keys * (n_keys + 1) // 2 if n_queries == n_keys else n_keys
        #  It counts the triangle below the diagonal. The masked scores are computed as well, and then thrown away.
        #! triangle_without_diagonal: total += n_keys * (n_keys - 1) // 2 if n_queries == n_keys else n_keys
        #! triangle_without_diagonal: total += n_keys * (n_keys - 1) // 2 if n_queries == n_keys else n_keys - 1
        #  It counts the triangle without the diagonal: a token meets itself, and the masked scores are computed as well.
        #! everything_halved: total += n_queries * n_keys // 2
        #  Everything is halved, as if for the mask: the masked scores are computed too, and one token alone has nothing masked.
        #! half_of_the_queries: total += (n_keys + 1) // 2 * n_keys if n_queries == n_keys else n_keys
        #! half_of_the_queries: total += n_keys // 2 * n_keys if n_queries == n_keys else n_keys
        #! half_of_the_queries: total += n_keys * n_keys // 2 if n_queries == n_keys else n_keys
        #  A full call is counted with half of its scores. All are computed, the masked ones too.
        #! prefill_token_by_token: total += n_keys * (n_keys + 1) // 2 if cached and not call else n_queries * n_keys
        #  It counts P · (P + 1) / 2 for the prompt: token by token, or without its masked scores. The prefill is one call: n_prompt × n_prompt.
        #! tokens_not_scores: total += n_queries
        #  It counts the tokens that go through the layer. Each of them meets all keys.
        #! keys_not_scores: total += n_keys
        #  It counts S alone, the keys, as if every call had a single query. Each of the T queries meets them all.
        #! added: total += n_queries + n_keys
        #  It adds T and S. Each of the T queries meets each of the S keys: T × S.
        #! one_per_step: total += n_queries * n_queries
        #  With a cache it counts one score a step. The new query meets all S keys.
        #! cached_ignored: total += n_keys * n_keys
        #! past_only: total += n_keys - 1 if cached and call else n_queries * n_keys
        #  With a cache the new query's score with its own key is missing.
        #! row_and_column: total += 2 * n_keys - 1 if cached and call else n_queries * n_keys
        #  With a cache it counts a new row and a new column. Old queries are not asked again.
        #! keys_and_values: total += 2 * n_queries * n_keys
        #  It counts everything twice. A score is one q·k.
        #! cubed: total += n_queries * n_keys * n_keys
        #  S is multiplied in twice. A score is one q·k: T × S.
        #: Sum over all n_new calls.
        #! last_call_only: total = n_queries * n_keys
        #  It counts the last call only.
        #! subtracted: total -= n_queries * n_keys
        #  It subtracts (`-=`), so that the number is negative.
        #! first_call_only: …; return total
        #  The `return` stands inside the loop: only the first call is counted.
        #! divided: total += n_queries / n_keys
        #! divided: total += n_queries // n_keys
        #  It divides T by S. Each of the T queries meets each of the S keys: T × S.
    return total
    #: Sum T × S over the calls.
    #! n_new_times_the_last: return n_new * (n_prompt + n_new) * (1 if cached else n_prompt + n_new)
    #! whole_square: return (n_prompt + n_new) ** 2
    #! whole_square: return (n_prompt + n_new - 1) ** 2
    #  It counts the square of the finished sequence: one pass over a text that is known.
    #! whole_square_or_row: return n_prompt + n_new if cached else (n_prompt + n_new) ** 2
    #! whole_square_or_row: return n_prompt + n_new - 1 if cached else (n_prompt + n_new - 1) ** 2
    #  It counts the last call only, as if the text were finished. Sum over all n_new calls.
    #: `//` divides whole numbers into whole numbers.
    #! returns_float: return float(total)
    #  The number is right, but it is a float: somewhere a `/` or a 2.0 has come in.
    #! returns_string: return f"{total:,}"
    #  It returns a text. A number is wanted.


MISTAKES: list[Mistake] = mistakes_of(count_scores)
