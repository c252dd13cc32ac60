"""Lab 01, 1.7: merge_pair, and what people write in place of its lines."""

from checks.engine import Mistake, mistakes_of
from checks.input_block.shared import Pair


def merge_pair(ids: list[int], pair: Pair, new_id: int) -> list[int]:
    merged, i = [], 0
    #: A while loop, which asks for the length each time, and a new list.
    #! shrinks_on_the_way:
    #| merged = list(ids)
    #| for i in range(len(merged) - 1):
    #|     if (merged[i], merged[i + 1]) == pair:
    #|         merged[i : i + 2] = [new_id]
    #| return merged
    #  The list gets shorter on the way, and `range` was made for the long one.
    #: Begin at `i = 0`.
    #! first_id_lost: merged, i = [], 1
    #  It begins at the second id, and the first is lost.
    #: A while loop with its own index: step by 2 after a merge, by 1 otherwise.
    #! from_the_right: ids, pair = ids[::-1], pair[::-1]; …
    #  It merges from right to left: 5 5 5 becomes 5 9. From the left it is 9 5.
    while i < len(ids):
        #: Go on while `i < len(ids)`, and look at `ids[i + 1]` only if it exists.
        #! without_end: while i < len(ids) - 1:
        #  The last id is lost when it does not belong to a merged pair.
        #! never_entered: while i > len(ids):
        #  The loop is never entered, and nothing is written.
        #! last_twice: while i < len(ids) - 1:
        #! one_round_too_many: while i <= len(ids):
        #  It goes on behind the last id, where nothing is.
        hit = i + 1 < len(ids) and (ids[i], ids[i + 1]) == pair
        #! beyond_the_end: hit = (ids[i], ids[i + 1]) == pair
        #! beyond_the_end: hit = ids[i] == pair[0] and ids[i + 1] == pair[1]
        #  It looks at the right neighbour of the last id, which has none.
        #: The last pair begins at `len(ids) - 2`.
        #! pair_at_the_end: hit = i + 2 < len(ids) and (ids[i], ids[i + 1]) == pair
        #  A pair at the very end is not merged.
        #: Compare as a tuple: `(ids[i], ids[i + 1]) == pair`.
        #! any_order: hit = sorted(ids[i : i + 2]) == sorted(pair)
        #  It merges 2 1 as well as 1 2. The order belongs to the pair.
        #! not_adjacent: hit = i + 1 < len(ids) and {ids[i], ids[i + 1]} & set(pair) == set(pair)
        #  It takes the pair as a set: 2 1 is merged, too, and 5 5 by a single 5.
        #! both_in_pair: hit = i + 1 < len(ids) and ids[i] in pair and ids[i + 1] in pair
        #  It merges any two ids that belong to the pair, such as 1 1.
        #! either_id: hit = i + 1 < len(ids) and (ids[i] == pair[0] or ids[i + 1] == pair[1])
        #  One of the two ids is enough for it. Both have to be the pair's.
        #! pair_backwards: hit = i + 1 < len(ids) and (ids[i + 1], ids[i]) == pair
        #  It looks for the pair the wrong way round: for 2 1 instead of 1 2.
        #! all_but_the_pair: hit = i + 1 < len(ids) and (ids[i], ids[i + 1]) != pair
        #  It merges where the pair does not stand: `!=` in place of `==`.
        #! next_but_one: hit = i + 2 < len(ids) and (ids[i], ids[i + 2]) == pair
        #  It compares an id with the next but one.
        #: Both: `(ids[i], ids[i + 1]) == pair`.
        #! first_id_only: hit = i + 1 < len(ids) and ids[i] == pair[0]
        #! first_id_only: hit = ids[i] == pair[0]
        #  It compares only the first id of the pair and swallows whatever follows.
        #! second_id_only: hit = i + 1 < len(ids) and ids[i + 1] == pair[1]
        #  It compares only the second id of the pair and swallows whatever stands before.
        #: A while loop with its own index: step by 2 after a merge, by 1 otherwise.
        #! blocks_of_two: hit = i % 2 == 0 and tuple(ids[i : i + 2]) == pair
        #  It looks at blocks of two only: a pair that begins at an odd place is not seen.
        #! left_neighbour: hit = i > 0 and (ids[i - 1], ids[i]) == pair
        #! left_neighbour: hit = i + 1 < len(ids) and (ids[i], ids[i - 1]) == pair
        #  It looks at the id before, `ids[i - 1]`, which has been written already. The pair's second id is `ids[i + 1]`.
        #: Is `merged` returned? And is the comparison ever true? `ids[i : i + 2]` is a list, and `pair` a tuple.
        #! unchanged: hit = ids[i : i + 2] == pair
        #  Nothing is merged: the list comes back as it was.
        if hit:
            merged.append(new_id)
            #: Write `new_id`.
            #! id_256: merged.append(256)
            #  The new id is always 256.
            #! largest_plus_one: merged.append(max(ids) + 1)
            #  The new id is invented from the list; `new_id` is not used.
            #: `merged.append(new_id)`
            #! removed: pass
            #  The pairs are removed, and nothing stands for them.
            #! pair_itself: merged.append(pair)
            #  The pair itself stands in the list, as one element. The new id belongs there.
            #! pair_kept: merged.extend([*pair, new_id])
            #! pair_kept: merged.extend([new_id, *pair])
            #  The new id is put beside the pair, which stays. It replaces the pair.
            #: One new id for two old ones.
            #! twice: merged.extend([new_id, new_id])
            #  Both ids of the pair were replaced, each by the new one.
            #: 0 is an id as well: no `or`, no `if new_id`.
            #! id_0_is_false: merged.append(new_id or ids[i])
            #! id_0_is_false: merged.append(new_id or ids[0])
            #  A new id of 0 is taken for none.
            i += 2
            #: Step over both: `i += 2`.
            #! keeps_second: i += 1
            #  The new id stands for the first of the two, and the second is still there.
            #! too_far: i += 3
            #  After a merge it goes on three steps further, and the id behind the pair is lost.
            #: A while loop with its own index: step by 2 after a merge, by 1 otherwise.
            #! all_at_once: i += 2; while ids[i - 1 : i + 1] == list(pair): i += 1
            #  5 5 5 becomes a single 9: every overlapping place was merged at once, and an id is lost. [karpathy/minbpe#38]
            #! overlapping: i += 2 if i + 2 == len(ids) else 1
            #  After a merge it goes on one step further, so the second id of the pair comes again.
            #! overlapping_merges: i += 1 if tuple(ids[i + 1 : i + 3]) == pair else 2
            #  5 5 5 becomes 9 9: an id that has been merged is merged once more.
            #! next_not_tested: i += 2; merged.extend(ids[i : i + 1]); i += 1
            #! next_not_tested: i += 2; merged.append(ids[i]); i += 1
            #  After a merge the next id is written without a look at whether it begins the pair: an `else` is missing.
            #: Go on after a merge.
            #! first_only: …; return merged + ids[i:]
            #! first_only: i += 2; pair = None
            #  Only the first place is merged. All of them should be.
            #! rest_lost: …; break
            #  It stops after the first merge, and what follows is lost.
            #: `return merged` stands below the loop, not in it.
            #! return_in_the_loop: …; return merged
            #  It returns after the first step.
        else:
            merged.append(ids[i])
            #: `merged.append(ids[i])`
            #! kept_ids_lost: pass
            #  What is not merged is left out.
            #! place_for_id: merged.append(i)
            #  It writes the place i. The id that stands there is wanted: `ids[i]`.
            i += 1
            #!+ return_in_the_loop: …; return merged
            #: One step: the next id may begin a pair.
            #! skips_after_kept: i += 2
            #  After an id that stays, the next one is skipped and lost.
    return merged
    #!+ from_the_right: return merged[::-1]
    #!+ last_twice: return merged + ids[-1:]
    #  The last id is put behind at the end, whether it was merged or not.
    #!+ return_in_the_loop: pass
    #: Build a new list.
    #! in_place: ids[:] = merged; return ids
    #  It changes the list that was handed over. The caller still needs it. [karpathy/minbpe#46]
    #: `merged = []` and `.append`.
    #! tuple: return tuple(merged)
    #  It returns a tuple. A list is wanted.
    #: Plain Python ints have no limit.
    #! sixteen_bits: return [i % 65536 for i in merged]
    #  The ids are squeezed into sixteen bits, and Llama 3 has 128,256 tokens.
    #: Compare ids, not their digits.
    #! text_replacement: return [int(w) for w in " ".join(map(str, ids)).replace(f"{pair[0]} {pair[1]}", str(new_id)).split()]
    #  It replaces in a string of digits: 11 21 contains 1 2 as text, not as ids.
    #: Walk through places: `(ids[i], ids[i + 1]) == pair`.
    #! each_for_itself: return [new_id if i in pair else i for i in ids]
    #  It replaces each id that belongs to the pair, wherever it stands.
    #: Lists have no `replace`: walk through the ids and build a new list.
    #! list_has_no_replace: return ids.replace(pair, new_id)
    #  Strings have `.replace`, lists have not.
    #: `return merged`
    #! count_returned: return len(ids) - len(merged)
    #  It returns how many places were merged. The merged list is wanted.
    #! no_return: pass
    #  There is no `return`.


MISTAKES: list[Mistake] = mistakes_of(merge_pair)
