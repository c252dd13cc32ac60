"""Lab 01: what is drawn and looked at in several of its exercises."""

from collections.abc import Callable
from typing import Any

from checks.engine import Crash, Inputs, Mistake, Probe, Wrong

Pair = tuple[int, int]

LETTERS = list("The quick brown fox\njumps over: 3 lazy dogs!")
WIDE = list("aé語ß😀𝄞 e\u0301\n\tZ~")  # two to four bytes each; é in both spellings
WORDS = ["the", "then", "there", "other", "thee", "her", "here", "three", "banana", "The", "café"]
WIDE_WORDS = ["ééé", "e\u0301t", "語語語", "😀😀", "ñandú", "—…", "été"]


def draw_text(inputs: Inputs, length: int, characters: list[str]) -> str:
    """Draw a text of `length` characters."""
    places = inputs.integers(length, high=len(characters)).tolist()
    return "".join(characters[place] for place in places)


def draw_vocab(inputs: Inputs, characters: list[str]) -> list[str]:
    """Draw a vocabulary in an order of its own: no sorting finds it again."""
    distinct = sorted(set(characters))
    return [distinct[i] for i in inputs.uniform(len(distinct)).argsort().tolist()]


def large_vocab(inputs: Inputs) -> list[str]:
    """Draw a vocabulary of 300 characters: more than eight bits can number."""
    return draw_vocab(inputs, [chr(i) for i in range(0x4E00, 0x4E00 + 300)])


def draw_ids(inputs: Inputs, length: int, low: int, high: int) -> list[int]:
    """Draw ids from `low` to `high` - 1."""
    return inputs.integers(length, low=low, high=high).tolist()


def draw_words(inputs: Inputs, count: int, words: list[str]) -> str:
    """Draw words, with blanks and line breaks between them."""
    places = inputs.integers(count, 2).tolist()
    return "".join(words[word % len(words)] + " \n"[gap % 5 == 0] for word, gap in places)


def draw_runs(inputs: Inputs, count: int) -> str:
    """Draw runs of equal letters, such as "aaabbbbba"."""
    return "".join("abc"[i % 3] * (1 + i // 3 % 6) for i in inputs.integers(count).tolist())


def ids_of(*draws: Any, title: str, promise: str) -> Probe:
    """Compare lists of ids; complain about ids that are no plain ints."""

    def plain_ints(ids: Any) -> Any:
        for i in ids if isinstance(ids, list) else ():
            if type(i) is not int:
                kind = type(i).__name__
                raise Wrong(f"the list contains a {kind}; ids are plain ints, for example 256.")
        return ids

    def run(answer: Any, inputs: Inputs) -> list:
        return [plain_ints(answer(*draw(inputs))) for draw in draws]

    return Probe(title, run, promise=promise)


def error_or_result(call: Callable[[], Any]) -> list:
    """Tell whether a call that should be an error is one, and what it returns otherwise."""
    try:
        return ["no error", call()]
    except Crash:
        return ["an error", None]


def as_in(mistakes: list[Mistake], key: str, *args: Any) -> Any:
    """What a known mistake of an earlier exercise returns."""
    return next(mistake for mistake in mistakes if mistake.key == key).answers[0](*args)
