"""Lab 01, 1.7: what is tried on merge_pair."""

from checks.engine import Check
from checks.input_block.merge_pair_wrong import MISTAKES
from checks.input_block.shared import Pair, draw_ids, ids_of

WHEREVER = "Replace the pair by the new id wherever it stands"


def reference(ids: list[int], pair: Pair, new_id: int) -> list[int]:
    """Walk from left to right; where the pair stands, write the new id and step over both."""
    merged, i = [], 0
    while i < len(ids):
        if tuple(ids[i : i + 2]) == tuple(pair):
            merged.append(new_id)
            i += 2
        else:
            merged.append(ids[i])
            i += 1
    return merged


merge_pair = Check(
    exercise="1.7",
    name="merge_pair",
    weight=2,
    reference=reference,
    technique=[
        ids_of(
            lambda inputs: ([1, 2, 3, 1, 2], (1, 2), 4),
            title="worked example",
            promise=">>> merge_pair([1, 2, 3, 1, 2], (1, 2), 4)",
        ),
        ids_of(
            lambda inputs: (draw_ids(inputs, 12, 0, 2), (0, 1), 256),
            lambda inputs: (draw_ids(inputs, 80, 254, 258), (256, 255), 300),
            lambda inputs: (draw_ids(inputs, 50, 0, 3), (2, 0), 17),
            lambda inputs: (draw_ids(inputs, 50, 70_000, 70_003), (70_002, 70_000), 128_255),
            title="values on 4 random lists, ids as large as Llama's",
            promise=WHEREVER,
        ),
        ids_of(
            lambda inputs: ([5, 5, 5], (5, 5), 9),
            lambda inputs: ([5, 5, 5, 5, 2, 5, 5, 5, 5, 5], (5, 5), 9),
            lambda inputs: ([1, 5, 5, 5, 1, 5], (5, 5), 256),
            title="left to right, without overlap: 5 5 5 becomes 9 5",
            promise="from left to right and without overlap",
        ),
        ids_of(
            lambda inputs: ([11, 21, 1, 2, 31, 23, 12, 1, 2], (1, 2), 312),
            lambda inputs: ([2, 1, 2, 2, 1, 1], (1, 2), 256),
            lambda inputs: ([1, 23, 11, 2, 1, 2], (1, 2), 256),
            lambda inputs: ([3, 1, 2, 3], (1, 2), 0),
            title="whole ids, in this order: 11 21 and 2 1 are not 1 2",
            promise=WHEREVER,
        ),
        ids_of(
            lambda inputs: ([], (1, 2), 256),
            lambda inputs: ([1], (1, 2), 256),
            lambda inputs: ([1, 2], (1, 2), 256),
            lambda inputs: ([3, 4, 3], (1, 2), 256),
            lambda inputs: ([0, 0, 1], (0, 1), 256),
            title="nothing to merge, nothing left, the pair at the very end",
            promise=WHEREVER,
        ),
    ],
    mistakes=MISTAKES,
    hints=(
        "After a pair is replaced, where does the search go on: one step further, or two?",
        "A `while` loop with its own index: step by 2 after a merge, by 1 otherwise.",
        "`if ids[i : i + 2] == list(pair): merged.append(new_id); i += 2`, else "
        "`merged.append(ids[i]); i += 1`",
    ),
)
