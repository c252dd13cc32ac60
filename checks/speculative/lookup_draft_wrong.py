"""Lab 14, 14.1: lookup_draft, and what people write in place of its lines."""

import torch
from torch import Tensor

from checks.engine import Mistake, mistakes_of


def lookup_draft(ids: Tensor, n_draft: int, longest: int = 3) -> Tensor:
    seen = ids.tolist()
    #: `n` goes down from `longest` to 1.
    #! longest_is_three: longest = 3; …
    #  It looks for the last three tokens whatever longest is.
    #! from_the_prompt_s_beginning: seen = ids.tolist()[::-1]
    #  The text is turned round, so that its first tokens are looked for, not its last.
    for n in range(min(longest, len(seen) - 1), 0, -1):
        #: `for n in range(min(longest, len(seen) - 1), 0, -1)`: the longest ending first, down to one token.
        #! nothing_found: for n in range(min(longest, len(seen) - 1), 0):
        #! nothing_found: for n in range(min(longest, len(seen) - 1), 0, 1):
        #  It finds nothing, whatever the text. (A range that goes down without the step -1 is empty.)
        #! shortest_first: for n in range(1, min(longest, len(seen) - 1) + 1):
        #  It looks for the last token first, and longer endings never get a turn. A longer one says more.
        #! only_the_longest: for n in [longest]:
        #! only_the_longest: for n in [min(longest, len(seen) - 1)]:
        #  It looks for the longest ending only. When that is not found, a shorter one may be.
        #! never_one_token: for n in range(min(longest, len(seen) - 1), 1, -1):
        #  The last token by itself is never looked for: the range ends at 2.
        #! one_shorter: for n in range(min(longest, len(seen) - 1) - 1, 0, -1):
        #  The longest ending is left out: it begins with longest - 1.
        #! one_longer: for n in range(min(longest + 1, len(seen) - 1), 0, -1):
        #  It begins with longest + 1 tokens.
        for start in range(len(seen) - n - 1, -1, -1):
            #: `for start in range(len(seen) - n - 1, -1, -1)`: from the latest place to the first, without the end itself.
            #! earliest_place: for start in range(len(seen) - n):
            #  Of several places it takes the earliest. The latest is asked for: it is probably nearest to the matter.
            #! finds_itself: for start in range(len(seen) - n, -1, -1):
            #  It finds the ending at the end of the text, where it was taken from. Nothing follows there.
            #! without_overlap: for start in range(len(seen) - 2 * n, -1, -1):
            #  A place that overlaps with the ending is passed over. It counts: in 3 3 3 the ending 3 3 stands one place before, too.
            #! first_place_left_out: for start in range(len(seen) - n - 1, 0, -1):
            #  The very first place of the text is never looked at: the range ends at 1.
            #! latest_place_left_out: for start in range(len(seen) - n - 2, -1, -1):
            #  The latest place of all, one before the end, is never looked at.
            if seen[start : start + n] == seen[-n:]:
                #: `seen[start : start + n] == seen[-n:]`
                #! unlike: if seen[start : start + n] != seen[-n:]:
                #  It takes the places where something else stands.
                #! any_order: if sorted(seen[start : start + n]) == sorted(seen[-n:]):
                #! any_order: if set(seen[start : start + n]) == set(seen[-n:]):
                #  The tokens are compared without their order.
                #! first_tokens: if seen[start : start + n] == seen[:n]:
                #  It looks for the first tokens of the text. The last ones are what the guess continues.
                #! first_of_the_ending: if seen[start] == seen[-n]:
                #  It compares only the first token of the ending.
                return ids[start + n : start + n + n_draft]
                #: The guess begins behind the n tokens that were found: at `start + n`.
                #! with_the_found_tokens: return ids[start : start + n_draft]
                #! with_the_found_tokens: return ids[start : start + n + n_draft]
                #  The guess begins with the tokens that were found. They stand at the end of the text already.
                #! behind_the_first: return ids[start + 1 : start + 1 + n_draft]
                #  The guess begins one token behind the place, whatever n is. It begins behind all n tokens found.
                #! one_too_far: return ids[start + n + 1 : start + n + 1 + n_draft]
                #  The guess leaves out the first token that followed.
                #! last_token_first: return ids[start + n - 1 : start + n - 1 + n_draft]
                #  The guess begins with the last token of the text, which is there already.
                #: `ids[start + n : start + n + n_draft]`
                #! all_that_followed: return ids[start + n :]
                #  The guess is everything that followed. At most n_draft tokens are wanted.
                #! ends_too_early: return ids[start + n : start + n_draft]
                #  The slice ends at start + n_draft, so the guess is n tokens too short.
                #! one_token_less: return ids[start + n : start + n + n_draft - 1]
                #  The guess has n_draft - 1 tokens at most.
                #! one_token_more: return ids[start + n : start + n + n_draft + 1]
                #  The guess has n_draft + 1 tokens at most.
                #! one_token_only: return ids[start + n : start + n + min(1, n_draft)]
                #  The guess is one token, whatever n_draft is.
                #! longest_for_n_draft: return ids[start + n : start + n + longest]
                #  The guess is `longest` tokens long. That is the length of what is looked for.
                #! padded:
                #| found = seen[start + n : start + n + n_draft]
                #| return torch.tensor(found + [0] * (n_draft - len(found)), dtype=torch.long)
                #  The guess is filled up with zeros. Where ids ends, it is shorter.
                #! repeated_to_the_length:
                #| found = seen[start + n :]
                #| return torch.tensor((found * (n_draft + 1))[:n_draft], dtype=torch.long)
                #  The guess goes on from the beginning where ids ends. It is shorter there.
                #! whole_or_nothing:
                #| if start + n + n_draft <= len(seen): return ids[start + n : start + n + n_draft]
                #  A place is passed over when fewer than n_draft tokens follow. A short guess is a guess.
                #: `ids[…]` stays a tensor, where ids lies.
                #! a_list: return seen[start + n : start + n + n_draft]
                #  It returns a list. A tensor is wanted.
                #! with_a_batch: return ids[None, start + n : start + n + n_draft]
                #  The guess has the shape (1, m). (m,) is wanted.
                #! made_on_the_cpu: return torch.tensor(seen[start + n : start + n + n_draft], dtype=torch.long)
                #  The guess is made on the CPU whatever the device of ids is. A slice of ids lies where ids lies.
                #! floats: return ids[start + n : start + n + n_draft].float()
                #  It returns floating point numbers. Ids are int64.
    return ids[:0]
    #: `ids[:0]` is an empty guess.
    #! none_for_nothing: return None
    #  Where nothing is found it returns None. No guess is an empty tensor, (0,).
    #! floats_for_nothing: return torch.tensor([])
    #  Where nothing is found it returns `torch.tensor([])`, which is float32. Ids are int64.
    #! zeros_for_nothing: return torch.zeros(n_draft, dtype=torch.long)
    #  Where nothing is found it guesses zeros. No guess is an empty tensor, (0,).
    #! last_token_for_nothing: return ids[-1:].repeat(n_draft)
    #  Where nothing is found it repeats the last token. No guess is an empty tensor, (0,).
    #! the_end_for_nothing: return ids[-n_draft:] if n_draft else ids[:0]
    #  Where nothing is found it returns the end of the text. No guess is an empty tensor, (0,).


MISTAKES: list[Mistake] = mistakes_of(lookup_draft)
