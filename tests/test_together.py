"""What two mistakes would show together."""

from typing import Any

import pytest
import torch

from checks.engine.together import unlikeness

RIGHT = torch.arange(1.0, 7.0)
NEGATED, LAST_ZERO = RIGHT * torch.tensor([-1.0, *[1.0] * 5]), RIGHT * (RIGHT < 6)
DICTIONARY = {(1, 2): 3, (2, 2): 1, (2, 3): 4}


@pytest.mark.parametrize(
    ("mine", "right", "one", "other"),
    [
        (NEGATED * (RIGHT < 6), RIGHT, NEGATED, LAST_ZERO),  # place by place
        ((RIGHT + 9).flip(0), RIGHT, RIGHT + 9, RIGHT.flip(0)),  # other numbers elsewhere
        ((RIGHT + 9).view(3, 2).T, RIGHT.view(3, 2), RIGHT + 9, RIGHT.view(3, 2).T),
        (3 * RIGHT + 1, 2 * RIGHT, 2 * RIGHT + 1, 3 * RIGHT),  # added
        (RIGHT * 12, RIGHT * 2, RIGHT * 6, RIGHT * 4),  # multiplied
        ({(1, 2): 3}, DICTIONARY, {(1, 2): 3, (2, 3): 4}, {(1, 2): 3, (2, 2): 1}),
        (["b", "A"], ["a", "b"], ["A", "b"], ["b", "a"]),
        ([RIGHT + 1, 7], [RIGHT, 5], [RIGHT + 1, 5], [RIGHT, 7]),
    ],
)
def test_what_two_show_together_is_foreseen(mine: Any, right: Any, one: Any, other: Any) -> None:
    elsewhere = RIGHT.new_full((6,), 50.0)
    far = unlikeness(mine, right, [one, other, elsewhere])
    assert far.shape == (3, 3)
    assert far[0, 1] == far[1, 0] == 0
    assert far[0, 2] > 0 and far[1, 2] > 0


@pytest.mark.parametrize("nothing", [None, [], "", {}, float("nan"), [None, torch.zeros(0)]])
def test_results_without_numbers_are_told_apart_or_not_but_never_fail(nothing: Any) -> None:
    for one in (nothing, RIGHT, 10**400, "é"):
        assert unlikeness(nothing, RIGHT, [one, nothing]).shape == (2, 2)
        assert unlikeness(RIGHT, nothing, [one, nothing]).shape == (2, 2)
        assert unlikeness(nothing, nothing, [one]).shape == (1, 1)
