"""Lab 01, 1.8: train_bpe, and what people write in place of its lines."""

import re
import unicodedata
from collections import Counter
from collections.abc import Callable
from itertools import pairwise

from checks.engine import Mistake, mistakes_of
from checks.input_block.count_pairs_wrong import MISTAKES as COUNTING
from checks.input_block.count_pairs_wrong import count_pairs
from checks.input_block.merge_pair_wrong import MISTAKES as MERGING
from checks.input_block.merge_pair_wrong import merge_pair
from checks.input_block.shared import Pair, as_in


def train_bpe(text: str, n_merges: int) -> list[Pair]:
    ids = list(text.encode("utf-8"))
    #: Begin with the bytes: `list(text.encode("utf-8"))`.
    #! characters: ids = [ord(c) for c in text]
    #! characters: ids = list(text.encode("latin-1"))
    #  It begins with characters. It should begin with the bytes of UTF-8.
    #! characters_as_strings: ids = list(text)
    #  It begins with the characters themselves, so that the pairs are pairs of strings. Begin with bytes, which are numbers.
    #! utf_16: ids = list(text.encode("utf-16"))
    #  It begins with UTF-16, where each letter has two bytes.
    #! ascii_only: ids = list(text.encode("ascii", "ignore"))
    #  Characters beyond ASCII are dropped.
    #! ascii_error: ids = list(text.encode("ascii"))
    #  ASCII knows no é. It should begin with the bytes of UTF-8.
    #! question_marks: ids = list(text.encode("ascii", "replace"))
    #  Characters beyond ASCII become question marks.
    #: All the bytes of the text, as they are.
    #! lower_case: ids = list(text.lower().encode())
    #  Capital letters are read as small ones.
    #! normalised: ids = list(unicodedata.normalize("NFC", text).encode())
    #  It rewrites the text first (Unicode normalisation).
    #! blanks_removed: ids = list(text.replace(" ", "").encode())
    #  The blanks are taken out before counting.
    #! stripped: ids = list(text.strip().encode())
    #  White space at the ends of the text is lost.
    #: All the bytes of the text.
    #! last_byte_lost: ids = list(text.encode())[:-1]
    #  The last byte of the text is left out.
    #! first_word: ids = list(text.partition(" ")[0].encode())
    #  Only the beginning of the text is used, up to the first blank.
    merges = []
    #: Count afresh after each merge; what occurs first now wins.
    #! counts_added_up: merges, total = [], Counter()
    #! tie_oldest: merges, age = [], {}
    #! stale_counts: merges, before, dead = [], {}, set()
    for i in range(n_merges):
        #: `range(n_merges)`
        #! one_merge_more: for i in range(n_merges + 1):
        #  There is one merge too many.
        #! one_merge_less: for i in range(n_merges - 1):
        #! one_merge_less: for i in range(1, n_merges):
        #  The last merge is missing.
        #: n_merges counts the merges alone.
        #! vocabulary_size: for i in range(n_merges - 256):
        #  n_merges is taken for the size of the vocabulary, bytes included.
        counts = count_pairs(ids)
        #: Count with `count_pairs`.
        #! count_without_overlap: counts = as_in(COUNTING, "without_overlap", ids)
        #  In aaaaa it counts the pair aa twice. There are four pairs of neighbours. [karpathy/minbpe#51, #72]
        #! single_ids: counts = Counter(ids)
        #  It counts single ids, not pairs.
        #!+ counts_added_up: total.update(count_pairs(ids)); counts = total
        #  The counts of all rounds are added up. After each merge they begin anew.
        #: The order belongs to the pair.
        #! any_order: counts = as_in(COUNTING, "any_order", ids)
        #  th and ht are taken for the same pair.
        #: Count again after every merge.
        #! two_per_count: counts = old = (i % 2 and {p: n for p, n in old.items() if p != pair}) or count_pairs(ids)
        #  Two pairs are taken from one count. After each merge the counts are others. [karpathy/minbpe#69]
        #!+ stale_counts:
        #| now = count_pairs(ids)
        #| dead |= {p for p in before if now.get(p, 0) < before[p]}
        #| before, counts = now, {p: n for p, n in now.items() if p not in dead}
        #  A pair whose count has fallen once is never looked at again. [umran666/UniqToken#8]
        if not counts:
            #: `if not counts: break`
            #! does_not_stop: if False:
            #! does_not_stop: if False:
            #  It goes on when no pair is left. [karpathy/minbpe#114]
            #! stops_at_once: if counts:
            #  It stops as long as there are pairs: `not` is missing.
            #: Stop when `counts` is empty.
            #! frequent_only: if not counts or max(counts.values()) < 2:
            #! frequent_only: if max(counts.values()) < 2:
            #  It stops when no pair occurs twice. The task says: when no pair is left. [rsennrich/subword-nmt#63]
            #! one_kind_left: if len(counts) < 2:
            #  It stops when only one kind of pair is left. That one is merged, too.
            break
            #! empty_when_over: return []
            #  When no pair is left it returns nothing, and not the merges learned so far.
            #! none_when_over: return None
            #  When no pair is left it returns None, and not the merges learned so far.
            #! error_when_over: raise ValueError("no pair is left")
            #  When no pair is left it raises an error. It should stop, and return the merges learned so far.
        pair = max(counts, key=counts.get)
        #!+ does_not_stop: pair = Counter(counts).most_common(1)[0][0]
        #: `max(counts, key=counts.get)` keeps the first of equals.
        #! tie_last: pair = max(reversed(list(counts)), key=counts.get)
        #  Of equally frequent pairs it takes the one that occurs last. The first one wins: `>=` in a loop, or a sort, may be the reason.
        #! tie_smallest: pair = min(counts, key=lambda p: (-counts[p], p))
        #  Of equally frequent pairs it takes the one with the smallest ids. The first in the text wins.
        #! tie_largest: pair = max(counts, key=lambda p: (counts[p], p))
        #  Of equally frequent pairs it takes that with the largest ids: `max` over (count, pair). [karpathy/minbpe#90]
        #!+ tie_oldest: age |= {p: len(age) + n for n, p in enumerate(q for q in counts if q not in age)}; pair = max(counts, key=lambda p: (counts[p], -age[p]))
        #  Of equally frequent pairs it takes the one that was seen in an earlier round: the dictionary was kept from round to round.
        #: `max(counts, key=counts.get)`: the keys came in the order in which the pairs occur.
        #! tie_by_first_half: pair = max(counts, key=lambda p: (counts[p], -ids.index(p[0])))
        #  In a tie it takes the pair whose first token occurs earliest, not the pair itself.
        #: `max`, not `min`.
        #! rarest: pair = min(counts, key=counts.get)
        #  It merges the rarest pair.
        #: `max(counts, key=counts.get)`
        #! largest_pair: pair = max(counts)
        #  It merges the pair with the largest ids: `max(counts)` compares the keys.
        #! count_for_the_pair: pair = max(counts.values())
        #  It takes the largest count. The pair that has it is wanted.
        #! pair_with_its_count: pair = max(counts.items(), key=lambda item: item[1])
        #  It takes the pair together with its count, so that the merge never finds it.
        #: The most frequent one: `max(counts, key=counts.get)`.
        #! first_pair: pair = next(iter(counts))
        #  It always merges the first pair of the text.
        new_id = 256 + i
        #: `256 + len(merges)` before the merge is noted.
        #! one_too_high: new_id = 257 + i
        #  The first merge makes token 257. Bytes end at 255, so the first new id is 256.
        #! id_255: new_id = 255 + i
        #  The first merge makes token 255, which is a byte already.
        #: Merge i makes token 256 + i.
        #! same_id: new_id = 256
        #  Every merge makes token 256.
        #! from_zero: new_id = i
        #  Merge i makes token i, which is a byte. The new ids begin at 256.
        #! id_from_the_largest: new_id = max(ids) + 1
        #  The new id is one more than the largest in the text, which is mostly a byte already.
        #! id_from_the_distinct: new_id = len(set(ids)) + i
        #  The new ids follow the number of different ids in the text, and meet those of bytes.
        #! downwards: new_id = 256 - i
        #  The new ids go downwards, into the bytes.
        ids = merge_pair(ids, pair, new_id)
        #!+ any_order: ids = as_in(MERGING, "any_order", ids, pair, new_id)
        #: `ids = merge_pair(ids, pair, 256 + i)`, and `counts = count_pairs(ids)` in the loop.
        #! never_merged: merge_pair(ids, pair, new_id)
        #  The same pair comes again and again: the ids are not merged, or the counts are not taken anew.
        #! text_merged: ids = merge_pair(list(text.encode()), pair, new_id)
        #  Each merge begins with the bytes of the text: the ones before it are lost.
        #: Use `merge_pair`.
        #! from_the_right: ids = as_in(MERGING, "from_the_right", ids, pair, new_id)
        #  It merges from right to left: aaa becomes a, aa.
        #! all_at_once: ids = as_in(MERGING, "all_at_once", ids, pair, new_id)
        #  aaa becomes one token of two letters: overlapping places were merged at once. [karpathy/minbpe#38]
        #! first_place_only: ids = as_in(MERGING, "first_only", ids, pair, new_id)
        #  Each merge happens at one place only.
        #! keeps_second: ids = as_in(MERGING, "keeps_second", ids, pair, new_id)
        #  The second token of a merged pair is still there.
        merges.append(pair)
        #: `merges.append(pair)`
        #! with_ids: merges.append((pair, new_id))
        #  Each merge is listed with its new id. The pair alone is wanted: the place tells the id.
        #! with_counts: merges.append((*pair, new_id))
        #  Each merge has three numbers. A pair is wanted: the place tells the id.
        #! pair_and_count: merges.append((pair, counts[pair]))
        #  Each merge is listed with its count. The pair alone is wanted.
        #! ids_only: merges.append(new_id)
        #  It lists the new ids. The pairs are wanted: the place tells the id.
        #! flat: merges.extend(pair)
        #  The pairs lie flat in one list of numbers: `extend` where `append` is meant.
        #! backwards: merges.insert(0, pair)
        #  The merges come out backwards: the one learned last stands first.
        #: The keys of `counts` are tuples already.
        #! lists: merges.append(list(pair))
        #  The pairs are lists. Tuples are wanted, which can be keys of a dictionary.
        #: `return merges` stands below the loop, not in it.
        #! return_in_the_loop: …; return merges
        #  It returns after the first merge.
    return merges
    #!+ return_in_the_loop: pass
    #: `return merges`
    #! ids_too: return merges, ids
    #! ids_too: return ids, merges
    #! ids_too: return ids, {pair: 256 + i for i, pair in enumerate(merges)}
    #  It returns the merges and the ids. The merges alone are wanted.
    #! ids_returned: return ids
    #  It returns the encoded text. The merges are wanted.
    #: The order in which they were learned: no `sorted`.
    #! sorted_merges: return sorted(merges)
    #  The merges come out sorted. Their order is the order in which they were learned.
    #: `merges.append(pair)`
    #! dictionary: return {pair: 256 + i for i, pair in enumerate(merges)}
    #! dictionary: return {256 + i: pair for i, pair in enumerate(merges)}
    #  It returns a dictionary. A list of pairs is wanted: the place tells the id.
    #: Count again after every merge.
    #! counted_once: return [pair for pair, _ in Counter(pairwise(text.encode())).most_common(max(0, n_merges))]
    #  It takes the most frequent pairs of the bytes, counted once. After each merge the counts are others.


def within(cut: Callable[[str], list[str]]) -> Callable[..., list[Pair]]:
    """Cut the text into pieces first, and count and merge within each of them only."""

    def train_bpe(text: str, n_merges: int) -> list[Pair]:
        pieces, merges = [list(piece.encode()) for piece in cut(text)], []
        for new_id in range(256, 256 + n_merges):
            counts = Counter(pair for ids in pieces for pair in pairwise(ids))
            if not counts:
                break
            merges.append(max(counts, key=counts.get))
            pieces = [merge_pair(ids, merges[-1], new_id) for ids in pieces]
        return merges

    return train_bpe


MISTAKES: list[Mistake] = [
    *mistakes_of(train_bpe),
    Mistake(
        "lines",
        within(lambda text: text.splitlines(keepends=True)),
        "It never merges across a line break. Here the text is one piece, line breaks included.",
        "All the bytes in one list.",
        also=(within(str.splitlines),),
    ),
    Mistake(
        "words",
        within(lambda text: re.findall(r"\s?\S+|\s", text)),
        "It never merges across a blank. Real tokenizers do cut the text first; here the text "
        "is one piece.",
        "All the bytes in one list.",
        also=(within(str.split),),
    ),
]
