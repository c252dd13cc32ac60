"""Lab 01, 1.6: count_pairs, and what people write in place of its lines."""

from collections import Counter
from itertools import combinations, pairwise, product

from checks.engine import Mistake, mistakes_of
from checks.input_block.shared import Pair


def count_pairs(ids: list[int]) -> dict[Pair, int]:
    counts: dict[Pair, int] = {}
    #: `for pair in zip(ids, ids[1:])` sees every pair, in order, overlapping ones included.
    #! without_overlap: counts, last = {}, None
    for pair in pairwise(ids):
        #: `for pair in zip(ids, ids[1:])` sees every pair, in order, overlapping ones included.
        #! blocks_of_two: for pair in zip(ids[::2], ids[1::2]):
        #  It cuts the list into blocks of two: every second pair is missing.
        #! single_ids: for pair in ids:
        #  It counts single ids, not pairs.
        #! without_first: for pair in pairwise(ids[1:]):
        #  The first pair is missing.
        #! all_pairs: for pair in combinations(ids, 2):
        #! all_pairs: for pair in product(ids, ids):
        #  It counts all pairs at any distance. Neighbours only.
        #! distinct_only: for pair in pairwise(dict.fromkeys(ids)):
        #  Ids that occur again were left out before counting.
        #! sorted_first: for pair in pairwise(sorted(ids)):
        #  The ids are sorted before they are paired.
        #! with_itself: for pair in zip(ids[:-1], ids[:-1]):
        #! with_itself: for pair in zip(ids, ids):
        #  It pairs each id with itself.
        #! last_batch_missing: for pair in list(pairwise(ids))[: (len(ids) - 1) // 4 * 4]:
        #  It counts in batches, and the last, short batch is left out. [huggingface/tokenizers#179]
        #: `zip(ids, ids[1:])`
        #! two_apart: for pair in zip(ids, ids[2:]):
        #  It pairs each id with the next but one.
        #: A list of n ids has n − 1 pairs: `range(len(ids) - 1)`.
        #! without_last: for pair in pairwise(ids[:-1]):
        #  The last pair is missing.
        #! beyond_the_end: for pair in ((ids[i], ids[i + 1]) for i in range(len(ids))):
        #  It looks for a right neighbour of the last id, which has none.
        #! last_alone: for pair in (tuple(ids[i : i + 2]) for i in range(len(ids))):
        #  At the end the last id is counted alone, as a pair of one.
        #: A list of n ids has n − 1 pairs.
        #! round_the_end: for pair in pairwise(ids + ids[:1]):
        #  The last id is paired with the first: the list is taken for a ring.
        counts[pair] = counts.get(pair, 0) + 1
        #: `counts[pair] = counts.get(pair, 0) + 1`
        #! once_each: counts[pair] = 1
        #  Every pair has the count 1, however often it occurs.
        #! one_too_few: counts[pair] = counts.get(pair, -1) + 1
        #  Every count is one too low: the first time counts 0.
        #! never_counted: counts[pair] = counts.get(pair, 0)
        #  Every count is 0.
        #! missing_key: counts[pair] += 1
        #  A new pair has no count yet to which 1 could be added: KeyError.
        #: `counts.get(pair, 0) + 1`
        #! one_too_many: counts[pair] = counts.get(pair, 1) + 1
        #  Every count is one too high: it begins with 1, and then adds 1.
        #! falls: counts[pair] = counts.get(pair, 0) - 1
        #  The counts are negative: it takes 1 away each time.
        #: Use the pair as it stands: no `sorted`, no `min` and `max`.
        #! any_order: pair = tuple(sorted(pair)); …
        #  (5, 6) and (6, 5) are counted as one pair. They are two.
        #! both_orders: counts[pair[::-1]] = counts.get(pair[::-1], 0) + 1; …
        #  Every pair is counted in both orders.
        #: (left, right), as in the text.
        #! backwards: pair = pair[::-1]; …
        #  The pairs are written backwards: the right neighbour first.
        #: A tuple can be a key.
        #! strings: pair = f"{pair[0]} {pair[1]}"; …
        #! strings: pair = f"{pair[0]},{pair[1]}"; …
        #! strings: pair = str(pair); …
        #  The keys are strings. Pairs of ints are wanted: (5, 6).
        #! pair_as_list: pair = list(pair); …
        #  A list cannot be a key of a dictionary.
        #: A tuple `(a, b)` is a good key of a dictionary.
        #! packed: pair = divmod(pair[0] * 1000 + pair[1], 1000); …
        #  It packs a pair into one number, a · 1000 + b, and ids from 1000 on get mixed up.
        #!+ without_overlap: last = None if pair == last else pair; counts[pair] = counts.get(pair, 0) + (last is not None)
        #  In 7 7 7 it counts the pair 7 7 once. Neighbours: the first two, and the last two. [karpathy/minbpe#51]
        #! no_twins: counts |= {pair: counts.get(pair, 0) + 1} if pair[0] != pair[1] else {}
        #  Pairs of two equal ids are missing.
        #: No limit on the ids.
        #! bytes_only: counts |= {pair: counts.get(pair, 0) + 1} if max(pair) < 256 else {}
        #  Pairs with ids from 256 on are missing: merged tokens merge again.
        #: `return counts` stands below the loop, not in it.
        #! return_in_the_loop: …; return counts
        #  It returns after the first pair.
    return counts
    #!+ return_in_the_loop: pass
    #: Count the pairs: `counts[pair] = counts.get(pair, 0) + 1`.
    #! one_id_counted: return {pair: ids.count(pair[0]) for pair in counts}
    #  It counts how often the first id of the pair occurs, with or without the second.
    #: Every pair has its entry.
    #! frequent_only: return {pair: n for pair, n in counts.items() if n > 1}
    #  Pairs that occur once are missing.
    #! most_frequent_only: return max(counts, key=counts.get)
    #  It returns the most frequent pair alone. The counts of all pairs are wanted.
    #: Do not divide.
    #! shares: return {pair: n / (len(ids) - 1) for pair, n in counts.items()}
    #! shares: return {pair: n / len(ids) for pair, n in counts.items()}
    #  It returns shares. Counts are wanted.
    #: `counts[(left, right)]`
    #! nested: return {a: dict(Counter(b for x, b in pairwise(ids) if x == a)) for a in ids[:-1]}
    #  It returns a dictionary of dictionaries. One, with pairs as keys, is wanted.
    #: No `.most_common()`, no `.items()`.
    #! list_of_counts: return Counter(counts).most_common()
    #! list_of_counts: return list(counts.items())
    #! list_of_counts: return sorted(counts.items())
    #! list_of_counts: return list(counts.values())
    #  It returns a list. A dictionary from pair to count is wanted.
    #! pairs_without_counts: return list(counts)
    #! pairs_without_counts: return list(pairwise(ids))
    #  It returns the pairs without their counts.
    #! how_many: return len(counts)
    #! how_many: return sum(counts.values())
    #  It returns one number. Each pair has its own count.


MISTAKES: list[Mistake] = mistakes_of(count_pairs)
