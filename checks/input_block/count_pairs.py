"""Lab 01, 1.6: what is tried on count_pairs."""

from checks.engine import Check, values
from checks.input_block.count_pairs_wrong import MISTAKES
from checks.input_block.shared import Pair, draw_ids

EVERY = "Count every pair of neighbours"


def reference(ids: list[int]) -> dict[Pair, int]:
    """Count each pair of neighbours."""
    counts: dict[Pair, int] = {}
    for i in range(len(ids) - 1):
        pair = (ids[i], ids[i + 1])
        counts[pair] = counts.get(pair, 0) + 1
    return counts


count_pairs = Check(
    exercise="1.6",
    name="count_pairs",
    reference=reference,
    technique=[
        values(
            lambda inputs: ([5, 6, 5, 6, 6],),
            title="worked example",
            promise=">>> count_pairs([5, 6, 5, 6, 6])",
        ),
        values(
            lambda inputs: (draw_ids(inputs, 12, 0, 3),),
            lambda inputs: (draw_ids(inputs, 60, 250, 262),),
            lambda inputs: (draw_ids(inputs, 40, 0, 500),),
            lambda inputs: (draw_ids(inputs, 50, 0, 128_256),),
            title="values on 4 random lists, ids as large as Llama's",
            promise=EVERY,
        ),
        values(
            lambda inputs: ([7, 7, 7],),
            lambda inputs: ([7] * 6 + [8, 8],),
            lambda inputs: ([7] * 100,),
            title="pairs may overlap: 7 7 7 holds two",
            promise="also those that overlap: 7 7 7 holds (7, 7) twice",
        ),
        values(
            lambda inputs: ([],),
            lambda inputs: ([4],),
            lambda inputs: ([0, 0],),
            title="an empty list, one id, two ids",
            promise=EVERY,
        ),
    ],
    mistakes=MISTAKES,
    hints=(
        "How many neighbouring pairs has a list of five ids?",
        "`zip(ids, ids[1:])` walks through all of them; a dictionary counts.",
        "`for pair in zip(ids, ids[1:]): counts[pair] = counts.get(pair, 0) + 1`",
    ),
)
