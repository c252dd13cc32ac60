"""Lab 01: what people write for count_pairs, merge_pair, train_bpe, encode_bpe and decode_bpe.

Sources are the public issues in which somebody really made the mistake.
"""

import itertools
import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterable
from typing import Any

import torch

from checks.engine import Mistake
from checks.input_block import reference as right

Pair = tuple[int, int]
Counts = Callable[[list[int]], dict[Pair, int]]
Merge = Callable[[list[int], Pair, int], list[int]]

LOOK = "`for pair in zip(ids, ids[1:])` sees every pair, in order, overlapping ones included."
BYTES = 'Begin with the bytes: `list(text.encode("utf-8"))`.'
STEP = "A while loop with its own index: step by 2 after a merge, by 1 otherwise."
ORDER = "Go through the merges, not through the text: `for i, pair in enumerate(merges): …`."
JOIN = "Join the bytes of all tokens first, decode once."


def counted(pairs: Callable[[list[int]], Iterable]) -> Counts:
    """Count what `pairs(ids)` yields."""
    return lambda ids: dict(Counter(pairs(ids)))


def count_disjoint(ids: list[int]) -> dict[Pair, int]:
    """Count a run of equal ids as the merge would: 7 7 7 once."""
    counts: dict[Pair, int] = {}
    last, free = None, False
    for pair in itertools.pairwise(ids):
        free = not free if pair == last else True
        last = pair
        counts[pair] = counts.get(pair, 0) + free
    return counts


COUNT_PAIRS = [
    Mistake(
        "packed",
        counted(lambda ids: (divmod(a * 1000 + b, 1000) for a, b in itertools.pairwise(ids))),
        "It packs a pair into one number, a · 1000 + b, and ids from 1000 on get mixed up.",
        "A tuple `(a, b)` is a good key of a dictionary.",
    ),
    Mistake(
        "without_overlap",
        count_disjoint,
        "In 7 7 7 it counts the pair 7 7 once. Neighbours: the first two, and the last two.",
        LOOK,
        "karpathy/minbpe#51",
    ),
    Mistake(
        "blocks_of_two",
        counted(lambda ids: zip(ids[::2], ids[1::2], strict=False)),
        "It cuts the list into blocks of two: every second pair is missing.",
        LOOK,
    ),
    Mistake(
        "any_order",
        counted(lambda ids: (tuple(sorted(p)) for p in itertools.pairwise(ids))),
        "(5, 6) and (6, 5) are counted as one pair. They are two.",
        "Use the pair as it stands: no `sorted`, no `min` and `max`.",
    ),
    Mistake(
        "backwards",
        counted(lambda ids: zip(ids[1:], ids, strict=False)),
        "The pairs are written backwards: the right neighbour first.",
        "(left, right), as in the text.",
    ),
    Mistake(
        "round_the_end",
        counted(lambda ids: zip(ids, ids[1:] + ids[:1], strict=True)),
        "The last id is paired with the first: the list is taken for a ring.",
        "A list of n ids has n − 1 pairs.",
    ),
    Mistake(
        "without_last",
        counted(lambda ids: itertools.pairwise(ids[:-1])),
        "The last pair is missing.",
        "A list of n ids has n − 1 pairs: `range(len(ids) - 1)`.",
    ),
    Mistake(
        "without_first",
        counted(lambda ids: itertools.pairwise(ids[1:])),
        "The first pair is missing.",
        LOOK,
    ),
    Mistake(
        "once_each",
        lambda ids: dict.fromkeys(itertools.pairwise(ids), 1),
        "Every pair has the count 1, however often it occurs.",
        "`counts[pair] = counts.get(pair, 0) + 1`",
    ),
    Mistake(
        "one_too_few",
        lambda ids: {p: n - 1 for p, n in right.count_pairs(ids).items()},
        "Every count is one too low: the first time counts 0.",
        "`counts[pair] = counts.get(pair, 0) + 1`",
    ),
    Mistake(
        "one_too_many",
        lambda ids: {p: n + 1 for p, n in right.count_pairs(ids).items()},
        "Every count is one too high: it begins with 1, and then adds 1.",
        "`counts.get(pair, 0) + 1`",
    ),
    Mistake(
        "two_apart",
        counted(lambda ids: zip(ids, ids[2:], strict=False)),
        "It pairs each id with the next but one.",
        "`zip(ids, ids[1:])`",
    ),
    Mistake(
        "all_pairs",
        counted(lambda ids: itertools.combinations(ids, 2)),
        "It counts all pairs at any distance. Neighbours only.",
        LOOK,
    ),
    Mistake(
        "single_ids",
        counted(lambda ids: ids),
        "It counts single ids, not pairs.",
        LOOK,
    ),
    Mistake(
        "frequent_only",
        lambda ids: {p: n for p, n in right.count_pairs(ids).items() if n > 1},
        "Pairs that occur once are missing.",
        "Every pair has its entry.",
    ),
    Mistake(
        "no_twins",
        counted(lambda ids: (p for p in itertools.pairwise(ids) if p[0] != p[1])),
        "Pairs of two equal ids are missing.",
        LOOK,
    ),
    Mistake(
        "bytes_only",
        counted(lambda ids: (p for p in itertools.pairwise(ids) if max(p) < 256)),
        "Pairs with ids from 256 on are missing: merged tokens merge again.",
        "No limit on the ids.",
    ),
    Mistake(
        "shares",
        lambda ids: {p: n / (len(ids) - 1) for p, n in right.count_pairs(ids).items()},
        "It returns shares of all pairs. Counts are wanted.",
        "Do not divide.",
    ),
    Mistake(
        "strings",
        counted(lambda ids: (f"{a} {b}" for a, b in itertools.pairwise(ids))),
        "The keys are strings. Pairs of ints are wanted: (5, 6).",
        "A tuple can be a key.",
    ),
    Mistake(
        "nested",
        lambda ids: {
            a: dict(Counter(b for x, b in itertools.pairwise(ids) if x == a)) for a in ids[:-1]
        },
        "It returns a dictionary of dictionaries. One, with pairs as keys, is wanted.",
        "`counts[(left, right)]`",
    ),
    Mistake(
        "list_of_counts",
        lambda ids: Counter(itertools.pairwise(ids)).most_common(),
        "It returns a list. A dictionary from pair to count is wanted.",
        "No `.most_common()`, no `.items()`.",
    ),
    Mistake(
        "distinct_only",
        counted(lambda ids: zip(dict.fromkeys(ids), list(dict.fromkeys(ids))[1:], strict=False)),
        "Ids that occur again were left out before counting.",
        LOOK,
    ),
    Mistake(
        "sorted_first",
        lambda ids: right.count_pairs(sorted(ids)),
        "The ids are sorted before they are paired.",
        LOOK,
    ),
]


def merge_all_at_once(ids: list[int], pair: Pair, new_id: int) -> list[int]:
    """Vectorised: every place where the pair stands, overlapping ones too; 5 5 5 becomes 9."""
    starts = [i for i in range(len(ids) - 1) if (ids[i], ids[i + 1]) == pair]
    dropped = {i + 1 for i in starts}
    return [new_id if i in starts else x for i, x in enumerate(ids) if i not in dropped]


def merge_from_the_right(ids: list[int], pair: Pair, new_id: int) -> list[int]:
    """Walk from right to left."""
    return right.merge_pair(ids[::-1], pair[::-1], new_id)[::-1]


def merge_overlapping(ids: list[int], pair: Pair, new_id: int) -> list[int]:
    """Step by 1 after a merge, and write the rest of the pair only where it starts none."""
    merged = [new_id if pair == (a, b) else a for a, b in itertools.pairwise(ids)]
    return merged + ids[-1:] if ids[-2:] != list(pair) else merged


def merge_first_only(ids: list[int], pair: Pair, new_id: int) -> list[int]:
    """Replace the first place only."""
    for i in range(len(ids) - 1):
        if (ids[i], ids[i + 1]) == pair:
            return [*ids[:i], new_id, *ids[i + 2 :]]
    return list(ids)


def merge_keeping_second(ids: list[int], pair: Pair, new_id: int) -> list[int]:
    """Write the new id for the first of the two and leave the second where it is."""
    pairs = itertools.zip_longest(ids, ids[1:])
    return [new_id if both == pair else both[0] for both in pairs]


def merge_in_blocks(ids: list[int], pair: Pair, new_id: int) -> list[int]:
    """Look at even places only."""
    blocks = [ids[i : i + 2] for i in range(0, len(ids), 2)]
    return [x for b in blocks for x in ([new_id] if b == list(pair) else b)]


def merge_strings(ids: list[int], pair: Pair, new_id: int) -> list[int]:
    """Replace in a text of numbers: "11 21" contains "1 2"."""
    text = " ".join(map(str, ids)).replace(f"{pair[0]} {pair[1]}", str(new_id))
    return [int(word) for word in text.split()]


def merge_in_place(ids: list[int], pair: Pair, new_id: int) -> list[int]:
    """Change the list that was handed over."""
    ids[:] = right.merge_pair(ids, pair, new_id)
    return ids


def merge_without_end(ids: list[int], pair: Pair, new_id: int) -> list[int]:
    """Loop up to the last but one id and forget the last."""
    merged, i = [], 0
    while i < len(ids) - 1:
        hit = (ids[i], ids[i + 1]) == pair
        merged.append(new_id if hit else ids[i])
        i += 2 if hit else 1
    return merged


def merge_but_last(ids: list[int], pair: Pair, new_id: int) -> list[int]:
    """Leave a pair at the very end alone."""
    return right.merge_pair(ids[:-1], pair, new_id) + ids[-1:]


def merge_any_order(ids: list[int], pair: Pair, new_id: int) -> list[int]:
    """Merge the pair in either order."""
    merged, i = [], 0
    while i < len(ids):
        hit = sorted(ids[i : i + 2]) == sorted(pair)
        merged.append(new_id if hit else ids[i])
        i += 2 if hit else 1
    return merged


def merge_where(test: Callable[[int, int, Pair], bool]) -> Merge:
    """Merge two neighbours when `test(left, right, pair)` says so."""

    def merge(ids: list[int], pair: Pair, new_id: int) -> list[int]:
        merged, i = [], 0
        while i < len(ids):
            hit = i + 1 < len(ids) and test(ids[i], ids[i + 1], pair)
            merged.append(new_id if hit else ids[i])
            i += 2 if hit else 1
        return merged

    return merge


MERGE_PAIR = [
    Mistake(
        "sixteen_bits",
        lambda ids, pair, new_id: [i % 65536 for i in right.merge_pair(ids, pair, new_id)],
        "The ids are squeezed into sixteen bits, and Llama 3 has 128,256 tokens.",
        "Plain Python ints have no limit.",
    ),
    Mistake(
        "id_0_is_false",
        lambda ids, pair, new_id: right.merge_pair(ids, pair, new_id or ids[0]),
        "A new id of 0 is taken for none.",
        "0 is an id as well: no `or`, no `if new_id`.",
    ),
    Mistake(
        "all_at_once",
        merge_all_at_once,
        "5 5 5 becomes a single 9: every overlapping place was merged at once, and an id is lost.",
        STEP,
        "karpathy/minbpe#38",
    ),
    Mistake(
        "from_the_right",
        merge_from_the_right,
        "It merges from right to left: 5 5 5 becomes 5 9. From the left it is 9 5.",
        STEP,
    ),
    Mistake(
        "overlapping",
        merge_overlapping,
        "After a merge it goes on one step further, so the second id of the pair comes again.",
        STEP,
    ),
    Mistake(
        "keeps_second",
        merge_keeping_second,
        "The new id stands for the first of the two, and the second is still there.",
        "Step over both: `i += 2`.",
    ),
    Mistake(
        "first_only",
        merge_first_only,
        "Only the first place is merged. All of them should be.",
        "Go on after a merge.",
    ),
    Mistake(
        "without_end",
        merge_without_end,
        "The last id is lost when it does not belong to a merged pair.",
        "Go on while `i < len(ids)`, and look at `ids[i + 1]` only if it exists.",
    ),
    Mistake(
        "pair_at_the_end",
        merge_but_last,
        "A pair at the very end is not merged.",
        "The last pair begins at `len(ids) - 2`.",
    ),
    Mistake(
        "any_order",
        merge_any_order,
        "It merges 2 1 as well as 1 2. The order belongs to the pair.",
        "Compare as a tuple: `(ids[i], ids[i + 1]) == pair`.",
    ),
    Mistake(
        "blocks_of_two",
        merge_in_blocks,
        "It looks at blocks of two only: a pair that begins at an odd place is not seen.",
        STEP,
    ),
    Mistake(
        "text_replacement",
        merge_strings,
        "It replaces in a string of digits: 11 21 contains 1 2 as text, not as ids.",
        "Compare ids, not their digits.",
    ),
    Mistake(
        "in_place",
        merge_in_place,
        "It changes the list that was handed over. The caller still needs it.",
        "Build a new list.",
    ),
    Mistake(
        "first_id_only",
        merge_where(lambda a, b, pair: a == pair[0]),
        "It compares only the first id of the pair and swallows whatever follows.",
        "Both: `(ids[i], ids[i + 1]) == pair`.",
    ),
    Mistake(
        "second_id_only",
        merge_where(lambda a, b, pair: b == pair[1]),
        "It compares only the second id of the pair and swallows whatever stands before.",
        "Both: `(ids[i], ids[i + 1]) == pair`.",
    ),
    Mistake(
        "both_in_pair",
        merge_where(lambda a, b, pair: a in pair and b in pair),
        "It merges any two ids that belong to the pair, such as 1 1.",
        "Compare as a tuple: `(ids[i], ids[i + 1]) == pair`.",
    ),
    Mistake(
        "id_256",
        lambda ids, pair, new_id: right.merge_pair(ids, pair, 256),
        "The new id is always 256.",
        "Write `new_id`.",
    ),
    Mistake(
        "largest_plus_one",
        lambda ids, pair, new_id: right.merge_pair(ids, pair, max(ids, default=0) + 1),
        "The new id is invented from the list; `new_id` is not used.",
        "Write `new_id`.",
    ),
    Mistake(
        "removed",
        lambda ids, pair, new_id: [i for i in right.merge_pair(ids, pair, new_id) if i != new_id],
        "The pairs are removed, and nothing stands for them.",
        "`merged.append(new_id)`",
    ),
    Mistake(
        "twice",
        lambda ids, pair, new_id: [
            x for i in right.merge_pair(ids, pair, new_id) for x in [i] * (1 + (i == new_id))
        ],
        "Both ids of the pair were replaced, each by the new one.",
        "One new id for two old ones.",
    ),
    Mistake(
        "unchanged",
        lambda ids, pair, new_id: list(ids),
        "Nothing is merged: the list comes back as it was.",
        "Is the comparison ever true? `ids[i : i + 2]` is a list, and `pair` a tuple.",
    ),
    Mistake(
        "tuple",
        lambda ids, pair, new_id: tuple(right.merge_pair(ids, pair, new_id)),
        "It returns a tuple. A list is wanted.",
        "`merged = []` and `.append`.",
    ),
    Mistake(
        "not_adjacent",
        merge_where(lambda a, b, pair: {a, b} & set(pair) == set(pair)),
        "It takes the pair as a set: 2 1 is merged, too, and 5 5 by a single 5.",
        "Compare as a tuple: `(ids[i], ids[i + 1]) == pair`.",
    ),
]


def training(
    start: Callable[[str], list[int]] = lambda text: list(text.encode()),
    count: Counts = right.count_pairs,
    choose: Callable[[dict[Pair, int]], Pair] = lambda counts: max(counts, key=counts.get),
    merge: Merge = right.merge_pair,
    first_id: int = 256,
    least: int = 1,
    extra: int = 0,
) -> Callable[..., list[Pair]]:
    """Build train_bpe with one of its steps exchanged."""

    def train_bpe(text: str, n_merges: int) -> list[Pair]:
        ids, merges = start(text), []
        for i in range(n_merges + extra):
            counts = count(ids)
            if not counts or max(counts.values()) < least:
                break
            pair = choose(counts)
            ids = merge(ids, pair, first_id + i)
            merges.append(pair)
        return merges

    return train_bpe


def train_words(text: str, n_merges: int) -> list[Pair]:
    """Never merge across white space: words are counted each by itself."""
    words = [list(word.encode()) for word in re.findall(r"\s?\S+|\s", text)]
    merges: list[Pair] = []
    for i in range(n_merges):
        counts = sum((Counter(itertools.pairwise(w)) for w in words), Counter())
        if not counts:
            break
        merges.append(max(counts, key=counts.get))
        words = [right.merge_pair(w, merges[-1], 256 + i) for w in words]
    return merges


def train_oldest_tie(text: str, n_merges: int) -> list[Pair]:
    """Break ties by which pair was counted first, in any round: a dictionary that is kept."""
    ids, merges, age = list(text.encode()), [], {}
    for i in range(n_merges):
        counts = right.count_pairs(ids)
        if not counts:
            break
        for pair in counts:
            age.setdefault(pair, len(age))
        merges.append(max(counts, key=lambda p: (counts[p], -age[p])))
        ids = right.merge_pair(ids, merges[-1], 256 + i)
    return merges


def train_first_word(text: str, n_merges: int) -> list[Pair]:
    """Look at the first word only."""
    return right.train_bpe(text.partition(" ")[0], n_merges)


def tie(key: Callable[[Pair], Any]) -> Callable[[dict[Pair, int]], Pair]:
    """Choose by count, then by `key`."""
    return lambda counts: max(counts, key=lambda pair: (counts[pair], key(pair)))


def train_lines(text: str, n_merges: int) -> list[Pair]:
    """Count and merge within lines only."""
    lines, merges = [list(line.encode()) for line in text.splitlines(keepends=True)], []
    for new_id in range(256, 256 + n_merges):
        counts = Counter(pair for ids in lines for pair in itertools.pairwise(ids))
        if not counts:
            break
        merges.append(max(counts, key=counts.get))
        lines = [right.merge_pair(ids, merges[-1], new_id) for ids in lines]
    return merges


def train_by_first_half(text: str, n_merges: int) -> list[Pair]:
    """Break a tie by where the first token of the pair occurs, with or without the second."""
    ids, merges = list(text.encode()), []
    for new_id in range(256, 256 + n_merges):
        counts = right.count_pairs(ids)
        if not counts:
            break
        merges.append(max(counts, key=lambda p, c=counts, i=ids: (c[p], -i.index(p[0]))))
        ids = right.merge_pair(ids, merges[-1], new_id)
    return merges


TRAIN_BPE = [
    Mistake(
        "lines",
        train_lines,
        "It never merges across a line break. Here the text is one piece, line breaks included.",
        "All the bytes in one list.",
    ),
    Mistake(
        "tie_by_first_half",
        train_by_first_half,
        "In a tie it takes the pair whose first token occurs earliest, not the pair itself.",
        "`max(counts, key=counts.get)`: the keys came in the order in which the pairs occur.",
    ),
    Mistake(
        "tie_last",
        training(choose=lambda counts: max(reversed(list(counts)), key=counts.get)),
        "Of equally frequent pairs it takes the one that occurs last. The first one wins: `>=` in "
        "a loop, or a sort, may be the reason.",
        "`max(counts, key=counts.get)` keeps the first of equals.",
    ),
    Mistake(
        "tie_smallest",
        training(choose=tie(lambda pair: (-pair[0], -pair[1]))),
        "Of equally frequent pairs it takes the one with the smallest ids. The first in the text "
        "wins.",
        "`max(counts, key=counts.get)` keeps the first of equals.",
    ),
    Mistake(
        "tie_largest",
        training(choose=tie(lambda pair: pair)),
        "Of equally frequent pairs it takes that with the largest ids: `max` over (count, pair).",
        "`max(counts, key=counts.get)` keeps the first of equals.",
    ),
    Mistake(
        "tie_oldest",
        train_oldest_tie,
        "Of equally frequent pairs it takes the one that was seen in an earlier round: the "
        "dictionary was kept from round to round.",
        "Count afresh after each merge; what occurs first now wins.",
    ),
    Mistake(
        "characters",
        training(start=lambda text: [ord(c) for c in text]),
        "It begins with characters. It should begin with the bytes of UTF-8.",
        BYTES,
    ),
    Mistake(
        "utf_16",
        training(start=lambda text: list(text.encode("utf-16-le"))),
        "It begins with UTF-16, where each letter has two bytes.",
        BYTES,
    ),
    Mistake(
        "ascii_only",
        training(start=lambda text: list(text.encode("ascii", "ignore"))),
        "Characters beyond ASCII are dropped.",
        BYTES,
    ),
    Mistake(
        "one_too_high",
        training(first_id=257),
        "The first merge makes token 257. Bytes end at 255, so the first new id is 256.",
        "`256 + len(merges)` before the merge is noted.",
    ),
    Mistake(
        "id_255",
        training(first_id=255),
        "The first merge makes token 255, which is a byte already.",
        "`256 + len(merges)` before the merge is noted.",
    ),
    Mistake(
        "same_id",
        training(merge=lambda ids, pair, new_id: right.merge_pair(ids, pair, 256)),
        "Every merge makes token 256.",
        "Merge i makes token 256 + i.",
    ),
    Mistake(
        "count_without_overlap",
        training(count=count_disjoint),
        "In aaaaa it counts the pair aa twice. There are four pairs of neighbours.",
        "Count with `count_pairs`.",
        "karpathy/minbpe#51, #72",
    ),
    Mistake(
        "counted_once",
        lambda text, n_merges: [
            pair
            for pair, _ in Counter(itertools.pairwise(text.encode())).most_common(max(0, n_merges))
        ],
        "It takes the most frequent pairs of the bytes, counted once. After each merge the counts "
        "are others.",
        "Count again after every merge.",
    ),
    Mistake(
        "never_merged",
        training(merge=lambda ids, pair, new_id: ids),
        "The pair is noted, but the ids are not merged: the same pair comes again and again.",
        "`ids = merge_pair(ids, pair, 256 + i)`",
    ),
    Mistake(
        "frequent_only",
        training(least=2),
        "It stops when no pair occurs twice. The task says: when no pair is left.",
        "Stop when `counts` is empty.",
    ),
    Mistake(
        "rarest",
        training(choose=lambda counts: min(counts, key=counts.get)),
        "It merges the rarest pair.",
        "`max`, not `min`.",
    ),
    Mistake(
        "largest_pair",
        training(choose=max),
        "It merges the pair with the largest ids: `max(counts)` compares the keys.",
        "`max(counts, key=counts.get)`",
    ),
    Mistake(
        "first_pair",
        training(choose=lambda counts: next(iter(counts))),
        "It always merges the first pair of the text.",
        "The most frequent one: `max(counts, key=counts.get)`.",
    ),
    Mistake(
        "words",
        train_words,
        "It never merges across a blank. Real tokenizers do cut the text first; here the text "
        "is one piece.",
        "All the bytes in one list.",
    ),
    Mistake(
        "one_merge_more",
        training(extra=1),
        "There is one merge too many.",
        "`range(n_merges)`",
    ),
    Mistake(
        "one_merge_less",
        training(extra=-1),
        "The last merge is missing.",
        "`range(n_merges)`",
    ),
    Mistake(
        "vocabulary_size",
        training(extra=-256),
        "n_merges is taken for the size of the vocabulary, bytes included.",
        "n_merges counts the merges alone.",
    ),
    Mistake(
        "from_the_right",
        training(merge=merge_from_the_right),
        "It merges from right to left: aaa becomes a, aa.",
        "Use `merge_pair`.",
    ),
    Mistake(
        "all_at_once",
        training(merge=merge_all_at_once),
        "aaa becomes one token of two letters: overlapping places were merged at once.",
        "Use `merge_pair`.",
        "karpathy/minbpe#38",
    ),
    Mistake(
        "first_place_only",
        training(merge=merge_first_only),
        "Each merge happens at one place only.",
        "Use `merge_pair`.",
    ),
    Mistake(
        "any_order",
        training(count=COUNT_PAIRS[2].wrong, merge=merge_any_order),
        "th and ht are taken for the same pair.",
        "The order belongs to the pair.",
    ),
    Mistake(
        "lower_case",
        training(start=lambda text: list(text.lower().encode())),
        "Capital letters are read as small ones.",
        "All the bytes of the text, as they are.",
    ),
    Mistake(
        "normalised",
        training(start=lambda text: list(unicodedata.normalize("NFC", text).encode())),
        "It rewrites the text first (Unicode normalisation).",
        "All the bytes of the text, as they are.",
    ),
    Mistake(
        "lists",
        lambda text, n_merges: [list(pair) for pair in right.train_bpe(text, n_merges)],
        "The pairs are lists. Tuples are wanted, which can be keys of a dictionary.",
        "The keys of `counts` are tuples already.",
    ),
    Mistake(
        "last_byte_lost",
        training(start=lambda text: list(text.encode())[:-1]),
        "The last byte of the text is left out.",
        "All the bytes of the text.",
    ),
    Mistake(
        "first_word",
        train_first_word,
        "Only the beginning of the text is used, up to the first blank.",
        "All the bytes of the text.",
    ),
    Mistake(
        "dictionary",
        lambda text, n_merges: {p: 256 + i for i, p in enumerate(right.train_bpe(text, n_merges))},
        "It returns a dictionary. A list of pairs is wanted: the place tells the id.",
        "`merges.append(pair)`",
    ),
    Mistake(
        "with_counts",
        lambda text, n_merges: [
            (*p, 256 + i) for i, p in enumerate(right.train_bpe(text, n_merges))
        ],
        "Each merge has three numbers. A pair is wanted: the place tells the id.",
        "`merges.append(pair)`",
    ),
    Mistake(
        "ids_too",
        lambda text, n_merges: (
            merges := right.train_bpe(text, n_merges),
            right.encode_bpe(text, merges),
        ),
        "It returns the merges and the ids. The merges alone are wanted.",
        "`return merges`",
    ),
]


def encode_by_text_order(text: str, merges: list[Pair]) -> list[int]:
    """Merge the first pair of the text that any merge knows; again, until there is none."""
    ids, known = list(text.encode()), {pair: 256 + i for i, pair in enumerate(merges)}
    while True:
        places = (i for i, pair in enumerate(itertools.pairwise(ids)) if pair in known)
        i = next(places, None)
        if i is None:
            break
        ids = [*ids[:i], known[ids[i], ids[i + 1]], *ids[i + 2 :]]
    return ids


def encode_in_one_pass(text: str, merges: list[Pair]) -> list[int]:
    """One walk through the text: each byte joins the token before it if some merge allows it."""
    known = {pair: 256 + i for i, pair in enumerate(merges)}
    ids: list[int] = []
    for byte in text.encode():
        if ids and (ids[-1], byte) in known:
            ids[-1] = known[ids[-1], byte]
        else:
            ids.append(byte)
    return ids


def encode_longest(text: str, merges: list[Pair]) -> list[int]:
    """Take the longest token that fits, from left to right."""
    tokens = {token: i for i, token in reversed(list(enumerate(right.token_bytes(merges))))}
    data, ids = text.encode(), []
    while data:
        size = next(n for n in range(len(data), 0, -1) if data[:n] in tokens)
        ids.append(tokens[data[:size]])
        data = data[size:]
    return ids


def encode_by_frequency(text: str, merges: list[Pair]) -> list[int]:
    """Merge whichever known pair is most frequent in this text."""
    ids, known = list(text.encode()), {pair: 256 + i for i, pair in enumerate(merges)}
    while counts := {p: n for p, n in right.count_pairs(ids).items() if p in known}:
        pair = max(counts, key=counts.get)
        ids = right.merge_pair(ids, pair, known[pair])
    return ids


def encoding(
    start: Callable[[str], list[int]] = lambda text: list(text.encode()),
    merge: Merge = right.merge_pair,
    first_id: int = 256,
    order: Callable[[list], Iterable] = lambda numbered: numbered,
) -> Callable[..., list[int]]:
    """Build encode_bpe with one of its steps exchanged."""

    def encode_bpe(text: str, merges: list[Pair]) -> list[int]:
        ids = start(text)
        for i, pair in order(list(enumerate(merges))):
            ids = merge(ids, pair, first_id + i)
        return ids

    return encode_bpe


def encode_until_missing(text: str, merges: list[Pair]) -> list[int]:
    """Stop at the first merge whose pair is not in the text."""
    ids = list(text.encode())
    for i, pair in enumerate(merges):
        if pair not in right.count_pairs(ids):
            break
        ids = right.merge_pair(ids, pair, 256 + i)
    return ids


def encode_words(text: str, merges: list[Pair]) -> list[int]:
    """Encode each word by itself, the blank before it included."""
    words = re.findall(r"\s?\S+|\s", text)
    return [i for word in words for i in right.encode_bpe(word, merges)]


def encode_and_empty(text: str, merges: list[Pair]) -> list[int]:
    """Take the merges out of the list that was handed over."""
    ids, i = list(text.encode()), 256
    while merges:
        ids = right.merge_pair(ids, merges.pop(0), i)
        i += 1
    return ids


ENCODE_BPE = [
    Mistake(
        "lines",
        lambda text, merges: [
            i for line in text.splitlines(keepends=True) for i in right.encode_bpe(line, merges)
        ],
        "It encodes each line by itself, so that no merge crosses a line break.",
        "All the bytes in one list.",
    ),
    Mistake(
        "text_order",
        encode_by_text_order,
        "It merges what comes first in the text. What was learned first has to be merged first.",
        ORDER,
        "karpathy/minbpe#87",
    ),
    Mistake(
        "one_pass",
        encode_in_one_pass,
        "It walks through the text once and lets each byte join the token before it. What was "
        "learned first has to be merged first, everywhere.",
        ORDER,
    ),
    Mistake(
        "longest_match",
        encode_longest,
        "It takes the longest token that fits, from left to right. That is another tokenizer "
        "(WordPiece does so); BPE repeats its merges.",
        ORDER,
    ),
    Mistake(
        "most_frequent_first",
        encode_by_frequency,
        "It merges the pair that is most frequent in this text. Counting was for training.",
        ORDER,
    ),
    Mistake(
        "last_learned_first",
        encoding(order=lambda numbered: reversed(numbered)),
        "It applies the merges in reverse order: the last one learned comes first.",
        ORDER,
    ),
    Mistake(
        "sorted_merges",
        encoding(order=lambda numbered: sorted(numbered, key=lambda item: item[1])),
        "It sorts the merges by their ids. Their order is the order in which they were learned.",
        ORDER,
    ),
    Mistake(
        "learns_again",
        lambda text, merges: right.encode_bpe(text, right.train_bpe(text, len(merges))),
        "It learns new merges from this text, instead of applying those handed over.",
        ORDER,
    ),
    Mistake(
        "characters",
        encoding(start=lambda text: [ord(c) for c in text]),
        "It begins with characters. It should begin with the bytes of UTF-8.",
        BYTES,
    ),
    Mistake(
        "ascii_only",
        encoding(start=lambda text: list(text.encode("ascii", "ignore"))),
        "Characters beyond ASCII are dropped. With bytes nothing is unknown.",
        BYTES,
    ),
    Mistake(
        "lower_case",
        encoding(start=lambda text: list(text.lower().encode())),
        "Capital letters are read as small ones.",
        "All the bytes of the text, as they are.",
    ),
    Mistake(
        "normalised",
        encoding(start=lambda text: list(unicodedata.normalize("NFC", text).encode())),
        "It rewrites the text first (Unicode normalisation), so it will not come back as it was.",
        "All the bytes of the text, as they are.",
    ),
    Mistake(
        "one_too_high",
        encoding(first_id=257),
        "The first merge makes token 257. It is 256.",
        "`256 + i` with `enumerate(merges)`.",
    ),
    Mistake(
        "from_zero",
        encoding(first_id=0),
        "Merge i makes token i, which is a byte. The new ids begin at 256.",
        "`256 + i` with `enumerate(merges)`.",
    ),
    Mistake(
        "first_place_only",
        encoding(merge=merge_first_only),
        "Each merge happens at one place only.",
        "Use `merge_pair`.",
    ),
    Mistake(
        "from_the_right",
        encoding(merge=merge_from_the_right),
        "It merges from right to left: aaa becomes a, aa.",
        "Use `merge_pair`.",
    ),
    Mistake(
        "all_at_once",
        encoding(merge=merge_all_at_once),
        "aaa becomes one token of two letters: overlapping places were merged at once.",
        "Use `merge_pair`.",
        "karpathy/minbpe#38",
    ),
    Mistake(
        "any_order",
        encoding(merge=merge_any_order),
        "It merges ba where the merge says ab.",
        "The order belongs to the pair.",
    ),
    Mistake(
        "missing_merge_stops",
        encode_until_missing,
        "It stops at the first merge that does not occur in the text. Later ones may.",
        "`continue`, not `break`; or simply merge: without the pair nothing happens.",
    ),
    Mistake(
        "words",
        encode_words,
        "It encodes each word by itself, so that no merge crosses a blank.",
        "All the bytes in one list.",
    ),
    Mistake(
        "without_last_merge",
        encoding(order=lambda numbered: numbered[:-1]),
        "The last merge is not applied.",
        ORDER,
    ),
    Mistake(
        "without_first_merge",
        encoding(order=lambda numbered: numbered[1:]),
        "The first merge is not applied.",
        ORDER,
    ),
    Mistake(
        "bytes_merged_only",
        encoding(order=lambda numbered: (item for item in numbered if max(item[1]) < 256)),
        "Only merges of two bytes are applied; merged tokens merge again.",
        ORDER,
    ),
    Mistake(
        "begin_token",
        lambda text, merges: [256 + len(merges), *right.encode_bpe(text, merges)],
        "It puts a token for the beginning in front. That belongs to the prompt, not to encode: "
        "done in two places it comes twice.",
        "The tokens of the text alone.",
        "abetlen/llama-cpp-python#1501",
    ),
    Mistake(
        "merges_used_up",
        encode_and_empty,
        "It takes the merges out of the list that was handed over: the next text has none.",
        "Go through the list with `for`.",
    ),
    Mistake(
        "no_merges",
        lambda text, merges: list(text.encode()),
        "The bytes come back as they are: no merge was applied.",
        "`ids = merge_pair(ids, pair, 256 + i)`: is the result kept?",
    ),
    Mistake(
        "tensor",
        lambda text, merges: torch.tensor(right.encode_bpe(text, merges), dtype=torch.long),
        "It returns a tensor. A list of ints is wanted.",
        "Leave out `torch.tensor(…)`.",
    ),
    Mistake(
        "stripped",
        lambda text, merges: right.encode_bpe(text.rstrip(), merges),
        "White space at the end of the text is lost.",
        "All the bytes of the text.",
    ),
]


def decoding(
    read: Callable[[bytes], Any] = lambda data: data.decode("utf-8", errors="replace"),
    tokens: Callable[[list[Pair]], list[bytes]] = right.token_bytes,
) -> Callable[..., Any]:
    """Build decode_bpe with another last step, or other tokens."""

    def decode_bpe(ids: list[int], merges: list[Pair]) -> Any:
        table = tokens(merges)
        return read(b"".join(table[i] for i in ids))

    return decode_bpe


def tokens_backwards(merges: list[Pair]) -> list[bytes]:
    """Join the two halves of each merge in the wrong order."""
    tokens = [bytes([i]) for i in range(256)]
    for first, second in merges:
        tokens.append(tokens[second] + tokens[first])
    return tokens


def tokens_one_level(merges: list[Pair]) -> list[bytes]:
    """Write the pair's bytes only where both are bytes."""
    tokens = [bytes([i]) for i in range(256)]
    for pair in merges:
        tokens.append(bytes(i for i in pair if i < 256))
    return tokens


def decode_each(errors: str) -> Callable[..., str]:
    """Decode every token by itself."""
    return lambda ids, merges: "".join(
        right.token_bytes(merges)[i].decode("utf-8", errors=errors) for i in ids
    )


def leading(tokens: list[bytes]) -> list[bytes]:
    """Keep the first byte of each token."""
    return [token[:1] for token in tokens]


DECODE_BPE = [
    Mistake(
        "byte_order_mark",
        lambda ids, merges: right.decode_bpe(ids, merges).removeprefix("\ufeff"),
        "A byte order mark at the beginning is dropped.",
        'Decode as "utf-8", not as "utf-8-sig".',
    ),
    Mistake(
        "line_ends",
        lambda ids, merges: right.decode_bpe(ids, merges).replace("\r\n", "\n"),
        "It turns the line end 13 10 into 10. What was encoded must come back as it was.",
        "Join, decode, return; change nothing.",
    ),
    Mistake(
        "without_id_0",
        lambda ids, merges: right.decode_bpe([i for i in ids if i], merges),
        "Token 0 is left out. It is a byte like any other.",
        "No `if i`: 0 is false.",
    ),
    Mistake(
        "token_by_token",
        decode_each("replace"),
        "Every token is decoded by itself. A character whose bytes lie in two tokens breaks.",
        JOIN,
    ),
    Mistake(
        "token_by_token_ignored",
        decode_each("ignore"),
        "Every token is decoded by itself, and what is no whole character vanishes.",
        JOIN,
    ),
    Mistake(
        "invalid_ignored",
        decoding(lambda data: data.decode("utf-8", errors="ignore")),
        "Invalid bytes vanish. They should become U+FFFD, so that one sees them.",
        '`errors="replace"`',
    ),
    Mistake(
        "invalid_escaped",
        decoding(lambda data: data.decode("utf-8", errors="backslashreplace")),
        "Invalid bytes become escapes such as \\xff. They should become U+FFFD.",
        '`errors="replace"`',
    ),
    Mistake(
        "invalid_surrogates",
        decoding(lambda data: data.decode("utf-8", errors="surrogateescape")),
        "Invalid bytes become surrogates, which cannot even be printed.",
        '`errors="replace"`',
    ),
    Mistake(
        "question_marks",
        decoding(lambda data: data.decode("utf-8", errors="replace").replace("\ufffd", "?")),
        "Invalid bytes become question marks. They should become U+FFFD.",
        '`errors="replace"`',
    ),
    Mistake(
        "one_for_all",
        decoding(lambda data: re.sub("\ufffd+", "\ufffd", data.decode("utf-8", errors="replace"))),
        "Several invalid bytes in a row become one U+FFFD.",
        '`errors="replace"` does it as Unicode wants it.',
    ),
    Mistake(
        "latin_1",
        decoding(lambda data: data.decode("latin-1")),
        "Every byte is read as one character, so é becomes Ã©.",
        'The bytes are UTF-8: `.decode("utf-8", errors="replace")`.',
    ),
    Mistake(
        "ascii",
        decoding(lambda data: data.decode("ascii", errors="replace")),
        "The bytes are read as ASCII: every character beyond it is lost.",
        'The bytes are UTF-8: `.decode("utf-8", errors="replace")`.',
    ),
    Mistake(
        "halves_exchanged",
        decoding(tokens=tokens_backwards),
        "The two halves of each merge are joined in the wrong order.",
        "`tokens[first] + tokens[second]`",
    ),
    Mistake(
        "one_level",
        decoding(tokens=tokens_one_level),
        "A merge of merges is not taken apart to the end: its merged halves are lost.",
        "Build the bytes in the order of the merges: both halves are there already.",
    ),
    Mistake(
        "first_byte",
        decoding(tokens=lambda merges: leading(right.token_bytes(merges))),
        "Of each token only the first byte comes back.",
        "The bytes of both halves: `tokens[first] + tokens[second]`.",
    ),
    Mistake(
        "bytes_only",
        lambda ids, merges: bytes(i for i in ids if i < 256).decode("utf-8", errors="replace"),
        "Tokens from 256 on are left out.",
        "Their bytes are those of their two halves.",
    ),
    Mistake(
        "one_too_high",
        decoding(
            tokens=lambda merges: [
                *right.token_bytes(merges)[:256],
                b"",
                *right.token_bytes(merges)[256:],
            ]
        ),
        "Token 256 + i gives the merge before it: the first merge is taken for 257.",
        "Token 256 is `merges[0]`.",
    ),
    Mistake(
        "blanks",
        lambda ids, merges: b" ".join(right.token_bytes(merges)[i] for i in ids).decode(
            "utf-8", errors="replace"
        ),
        "There are blanks between the tokens.",
        'Join with nothing: `b"".join(…)`.',
    ),
    Mistake(
        "backwards",
        lambda ids, merges: right.decode_bpe(ids[::-1], merges),
        "The tokens stand in reverse order.",
        "Go through the ids from left to right.",
    ),
    Mistake(
        "stripped",
        lambda ids, merges: right.decode_bpe(ids, merges).strip(),
        "White space at the ends is lost.",
        "No `.strip()`: what was encoded must come back.",
    ),
    Mistake(
        "unknown_skipped",
        lambda ids, merges: right.decode_bpe([i for i in ids if i < 256 + len(merges)], merges),
        "An id that no merge has made is left out in silence.",
        "Let Python's own error come.",
    ),
    Mistake(
        "unknown_replaced",
        lambda ids, merges: "".join(
            right.decode_bpe(list(group), merges) if known else "\ufffd" * len(list(group))
            for known, group in itertools.groupby(ids, lambda i: i < 256 + len(merges))
        ),
        "An id that no merge has made becomes U+FFFD. That is for invalid bytes only.",
        "Let Python's own error come.",
    ),
    Mistake(
        "no_doubles",
        lambda ids, merges: right.decode_bpe([i for i, _ in itertools.groupby(ids)], merges),
        "Of two equal neighbours one is lost.",
        "The bytes of every id.",
    ),
    Mistake(
        "list",
        lambda ids, merges: [
            right.token_bytes(merges)[i].decode("utf-8", errors="replace") for i in ids
        ],
        "It returns a list of pieces. One string is wanted.",
        JOIN,
    ),
]
