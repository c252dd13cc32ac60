"""Lab 01: what is drawn and what is looked at."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from checks.engine import Inputs, Probe, Wrong
from checks.engine.answer import Crash

LETTERS = list("The quick brown fox\njumps over: 3 lazy dogs!")
WIDE = list("aé語ß😀𝄞 e\u0301\n\tZ~")  # two to four bytes each; é in both spellings


def plain_ints(answer: Any, *args: Any) -> list[int]:
    """Return the ids of a call; complain about ids that are no plain ints."""
    ids = answer(*args)
    for i in ids if isinstance(ids, list) else ():
        if type(i) is not int:
            kind = type(i).__name__
            raise Wrong(f"the list contains a {kind}; ids are plain ints, for example 256.")
    return ids


def ids_of(*draws: Any, title: str) -> Probe:
    """Compare lists of ids."""
    return Probe(title, lambda answer, inputs: [plain_ints(answer, *d(inputs)) for d in draws])


def large_vocab(inputs: Inputs) -> list[str]:
    """Draw a vocabulary of 300 characters: more than eight bits can number."""
    return draw_vocab(inputs, [chr(i) for i in range(0x4E00, 0x4E00 + 300)])


def draw_text(inputs: Inputs, length: int, characters: list[str]) -> str:
    """Draw a text of `length` characters."""
    places = inputs.integers(length, high=len(characters)).tolist()
    return "".join(characters[place] for place in places)


def draw_vocab(inputs: Inputs, characters: list[str]) -> list[str]:
    """Draw a vocabulary in an order of its own: no sorting finds it again."""
    distinct = sorted(set(characters))
    return [distinct[i] for i in inputs.uniform(len(distinct)).argsort().tolist()]


def draw_ids(inputs: Inputs, length: int, high: int) -> list[int]:
    """Draw ids below `high`."""
    return inputs.integers(length, high=high).tolist()


def unknown_characters(answer: Any, inputs: Inputs) -> list:
    """Encode texts with one character too many; look at the exception and what it names."""
    seen = []
    texts = (
        ("%", "%"),
        ("caféc", "é"),
        ("abcab😀", "😀"),
        ("abYcZa", "YZ"),
        ("aBc", "B"),
        ("a3", "3"),
    )
    for text, strangers in (*texts, ("a b", " "), ("ab\n", "\n")):
        try:
            seen.append(["no error", answer(text, list("acfbex"))])
        except Crash as crash:
            error, says = crash.original, str(crash.original)
            named = any(s in says or repr(s)[1:-1] in says for s in strangers)
            kind = "ValueError" if isinstance(error, ValueError) else type(error).__name__
            seen.append(
                [f"{kind} that {'names' if named else 'does not name'} the character", None]
            )
    return seen


def error_or_result(call: Callable[[], Any]) -> list:
    """Tell whether a call that should be an error is one, and what it returns otherwise."""
    try:
        return ["no error", call()]
    except Crash:
        return ["an error", None]


def ids_beyond(answer: Any, inputs: Inputs) -> list:
    """Decode an id that is just beyond the vocabulary."""
    return error_or_result(lambda: answer([0, 3, 1], ["a", "b", "c"]))


def rows_beyond(answer: Any, inputs: Inputs) -> list:
    """Look up an id that is just beyond the table."""
    return error_or_result(lambda: answer(torch.tensor([[0, 5]]), inputs.randn(5, 3)))


def windows(*draws: Any, title: str) -> Probe:
    """Compare inputs and targets of several batches; a list of the two does as well as a tuple."""

    def run(answer: Any, inputs: Inputs) -> list:
        seen = []
        for draw in draws:
            batch = answer(*draw(inputs))
            seen.append(tuple(batch) if isinstance(batch, list) else batch)
        return seen

    return Probe(title, run)


def one_step_later(answer: Any, inputs: Inputs) -> list[bool]:
    """Look at how inputs and targets overlap, and at the very last target."""
    data = torch.arange(40) ** 2
    result = answer(data, torch.tensor([30, 0, 17]), 9)
    if not isinstance(result, tuple | list) or len(result) != 2:
        raise Wrong("make_batch returns two things: `return inputs, targets`.")
    given, targets = result
    if not isinstance(given, Tensor) or not isinstance(targets, Tensor):
        raise Wrong("make_batch returns two tensors: `return inputs, targets`.")
    if given.shape != (3, 9) or targets.shape != (3, 9):
        shapes = f"{tuple(given.shape)} and {tuple(targets.shape)}"
        raise Wrong(f"inputs and targets have the shapes {shapes}; expected (3, 9) for both.")
    overlap = targets[:, :-1].equal(given[:, 1:])
    return [overlap, targets[0, -1].item() == 39**2, given[1, 0].item() == 0]
