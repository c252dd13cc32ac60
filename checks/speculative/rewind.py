"""Lab 14, 14.6: what is tried on rewind, with caches like those of lab 05."""

from collections.abc import Callable
from typing import Any

from torch import Tensor

from checks.engine import Check, Inputs, Probe, error_of
from checks.speculative.made_up import Layer
from checks.speculative.rewind_wrong import MISTAKES

FORGET = "Forget all positions from `length` on, in every layer. In place."
ERROR = "ValueError where length is negative, or more than the positions that are there"
UPDATE = "The next `update` writes over them."


def reference(caches: list[Any], length: int) -> None:
    """Set every layer's length, where there are that many positions."""
    for cache in caches:
        if length < 0 or length > cache.length:
            raise ValueError(f"{length} of {cache.length} positions")
    for cache in caches:
        cache.length = length


def filled(inputs: Inputs, n_layers: int, positions: int, room: int) -> list[Layer]:
    """Caches that have read some positions, each layer other ones."""
    caches = [Layer(1, room, n_kv_heads=2, head_dim=3) for _ in range(n_layers)]
    for cache in caches:
        cache.update(inputs.randn(1, 2, positions, 3), inputs.randn(1, 2, positions, 3))
    return caches


def lengths(*cases: tuple[int, int, int, int]) -> Callable[[Any, Inputs], list]:
    """The layers' lengths after a rewind: (layers, positions, room, length)."""

    def run(answer: Any, inputs: Inputs) -> list:
        seen = []
        for n_layers, positions, room, length in cases:
            caches = filled(inputs, n_layers, positions, room)
            answer(caches, length)
            seen.append([_whole(cache.length) for cache in caches])
        return seen

    return run


def _whole(length: Any) -> Any:
    """A length as an int, where it is one."""
    return int(length) if isinstance(length, Tensor) and length.numel() == 1 else length


def goes_on(answer: Any, inputs: Inputs) -> list:
    """After a rewind: what is kept and what comes new, as much as there is room for."""
    seen: list = []
    for n_layers, positions, room, length, more in (
        (2, 6, 8, 4, 3),
        (3, 5, 5, 1, 4),
        (1, 3, 7, 0, 7),
    ):
        caches = filled(inputs, n_layers, positions, room)
        answer(caches, length)
        for cache in caches:
            new = inputs.randn(2, 1, 2, more, 3)
            seen += list(cache.update(*new))
    return seen


def kept(answer: Any, inputs: Inputs) -> list:
    """What is kept is not touched."""
    caches = filled(inputs, 3, 6, 9)
    answer(caches, 4)
    return [part[:, :, :4] for cache in caches for part in (cache.keys, cache.values)]


def refused(*cases: tuple[int, int]) -> Callable[[Any, Inputs], list]:
    """Which error is raised: (positions, length)."""

    def run(answer: Any, inputs: Inputs) -> list:
        return [
            error_of(lambda n=n, length=length: answer(filled(inputs, 2, n, 8), length)) or "none"
            for n, length in cases
        ]

    return run


def unchanged(answer: Any, inputs: Inputs) -> list:
    """A refused rewind leaves the lengths as they are."""
    seen = []
    for length in (7, -1):
        caches = filled(inputs, 3, 5, 9)
        error_of(lambda caches=caches, length=length: answer(caches, length))
        seen.append([_whole(cache.length) for cache in caches])
    return seen


rewind = Check(
    exercise="14.6",
    name="rewind",
    reference=reference,
    technique=[
        Probe(
            "worked example: three positions, back to one",
            lengths((1, 3, 4, 1)),
            promise="rewind([cache], 1)",
        ),
        Probe(
            "every layer, several lengths",
            lengths((3, 6, 9, 4), (2, 5, 8, 2), (4, 7, 7, 6), (30, 3, 5, 1)),
            "Some layer has another length than it should have.",
            promise=FORGET,
        ),
        Probe(
            "back to 0, and to where it stands",
            lengths((2, 5, 8, 0), (3, 4, 6, 4), (1, 7, 7, 7)),
            "Some layer has another length than it should have.",
            promise=FORGET,
        ),
        Probe(
            "what is kept stays as it is",
            kept,
            "The keys and values before `length` were changed.",
            promise=FORGET,
        ),
        Probe(
            "then new positions come, up to the full room",
            goes_on,
            "After the rewind, an update should return what was kept and then what is new; and "
            "there should be room for as many positions as before.",
            promise=UPDATE,
        ),
        Probe(
            "more than is there: ValueError",
            refused((5, 6), (3, 8), (2, 100)),
            "It should raise ValueError.",
            promise=ERROR,
        ),
        Probe(
            "negative: ValueError",
            refused((5, -1), (3, -3)),
            "It should raise ValueError.",
            promise=ERROR,
        ),
        Probe(
            "a refused rewind changes no length",
            unchanged,
            "After the ValueError some layer has another length.",
            promise=ERROR,
        ),
    ],
    mistakes=MISTAKES,
    hints=(
        "What does a KVCache of lab 05 have to forget in order to write over position 4 next?",
        "Its `length` is all that counts. Set it in each layer, after looking whether it is from 0 "
        "to what is there.",
        "`for cache in caches: if not 0 <= length <= cache.length: raise ValueError(…)`, then "
        "`cache.length = length`",
    ),
)
