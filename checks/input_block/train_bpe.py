"""Lab 01, 1.8: what is tried on train_bpe."""

from itertools import pairwise

from checks.engine import Check, values
from checks.input_block.count_pairs import reference as count_pairs
from checks.input_block.merge_pair import reference as merge_pair
from checks.input_block.shared import WIDE_WORDS, WORDS, Pair, draw_runs, draw_words
from checks.input_block.train_bpe_wrong import MISTAKES

MOST_FREQUENT = "the most frequent pair, again and again"
BYTES = "Learn merges from the UTF-8 bytes of a text"


def reference(text: str, n_merges: int) -> list[Pair]:
    """Merge the most frequent pair again and again; of several, the one that occurs first."""
    ids, merges = list(text.encode("utf-8")), []
    while len(merges) < n_merges and len(ids) > 1:
        counts = count_pairs(ids)
        most = max(counts.values())
        pair = next(pair for pair in pairwise(ids) if counts[pair] == most)
        ids = merge_pair(ids, pair, 256 + len(merges))
        merges.append(pair)
    return merges


train_bpe = Check(
    exercise="1.8",
    name="train_bpe",
    weight=3,
    reference=reference,
    technique=[
        values(
            lambda inputs: ("abcabc abd", 2),
            title="worked example",
            promise='>>> train_bpe("abcabc abd", 2)',
        ),
        values(
            lambda inputs: (draw_words(inputs, 12, WORDS), 6),
            lambda inputs: (draw_words(inputs, 25, WORDS), 15),
            title="merges of 2 random texts",
            promise=MOST_FREQUENT,
        ),
        values(
            lambda inputs: ("ba ab", 1),
            lambda inputs: ("zyzy axax", 3),
            lambda inputs: ("xyabxy ab", 4),
            lambda inputs: ("cbacba dcbd", 6),
            lambda inputs: ("axbdbdacac", 1),
            title="a tie goes to the pair that occurs first in the text",
            promise="A tie goes to the pair that occurs first in the text",
        ),
        values(
            lambda inputs: ("aaabdaaabac", 3),
            lambda inputs: (draw_runs(inputs, 14), 8),
            lambda inputs: ("aaaaa bcbc bc", 3),
            lambda inputs: ("xaaaaaaa", 4),
            title="runs of equal letters",
            promise=MOST_FREQUENT,
        ),
        values(
            lambda inputs: ("b\na b\na\nab\na", 2),
            lambda inputs: ("a b a ba b", 2),
            title="the text is one piece: pairs with a line break or a blank count, too",
            promise=BYTES,
        ),
        values(
            lambda inputs: (draw_words(inputs, 12, WIDE_WORDS), 12),
            lambda inputs: ("éa éb èc", 2),
            lambda inputs: ("e\u0301e\u0301é", 2),
            title="bytes, not characters: é is two, 語 three, 😀 four",
            promise=BYTES,
        ),
        values(
            lambda inputs: ("abc", 10),
            lambda inputs: ("aaaa", 10),
            lambda inputs: ("", 5),
            lambda inputs: ("x", 5),
            lambda inputs: ("hello", 0),
            lambda inputs: ("  x\n\n", 4),
            title="stops early when no pair is left; no merges for 0",
            promise="Stops early when no pair is left.",
        ),
    ],
    mistakes=MISTAKES,
    only_numbers=True,
    hints=(
        "After a merge, are the old counts still true?",
        "Count, take the most frequent, merge it, note it; again. `max` keeps the first of equals, "
        "and a dictionary keeps the order in which its keys came.",
        "`counts = count_pairs(ids)`; `if not counts: break`; then "
        "`pair = max(counts, key=counts.get)`, `ids = merge_pair(ids, pair, 256 + i)`, "
        "`merges.append(pair)`",
    ),
)
