"""Lab 01, 1.1: build_vocab, and what people write in place of its lines."""

import string
import unicodedata
from collections import Counter

from checks.engine import Mistake, mistakes_of


def build_vocab(text: str) -> list[str]:
    characters = set(text)
    #: A `set` keeps each character once.
    #! duplicates: characters = text
    #  A character that occurs twice in the text stands twice in the vocabulary.
    #! neighbours_only: characters = [c for i, c in enumerate(text) if text[i - 1 : i] != c]
    #  A character is left out only where it stands beside itself, so others are there twice.
    #: Every character of the text belongs to it, however rare.
    #! frequent_only: characters = [c for c, n in Counter(text).items() if n > 1]
    #  Characters that occur only once are missing.
    #: A character is whatever stands in the text: do not change it, do not leave any out.
    #! lower_case: characters = set(text.lower())
    #  Capital letters are lost.
    #! upper_case: characters = set(text.upper())
    #  Small letters are lost.
    #! stripped: characters = set(text.strip())
    #  White space at the ends of the text is lost.
    #! no_white_space: characters = set("".join(text.split()))
    #! no_white_space: characters = set(text) - {" ", "\n"}
    #  Blanks and line breaks are missing. They are characters like any other.
    #! no_line_breaks: characters = set(text.replace("\n", ""))
    #  The line break is missing. It is a character like any other.
    #! no_blanks: characters = set(text.replace(" ", ""))
    #  The blank is missing. It is a character like any other.
    #! letters_only: characters = {c for c in text if c.isalpha()}
    #  Only letters are there: blanks, digits and punctuation are missing.
    #! ascii_only: characters = set(text.encode("ascii", "ignore").decode())
    #  Characters beyond ASCII are missing.
    #! below_256: characters = {c for c in text if ord(c) < 256}
    #  Characters with a code above 255 are missing.
    #! printable_only: characters = {c for c in text if c.isprintable()}
    #  Characters that do not print, such as the line break, are missing.
    #! normalised: characters = set(unicodedata.normalize("NFC", text))
    #  It rewrites the text (Unicode normalisation): e with an accent after it became é.
    #: Going through a string gives its characters.
    #! words: characters = set(text.split())
    #! words: characters = set(text.split(" "))
    #  It collects words. Here the tokens are single characters.
    #: `set(text)`: of the text that was handed over.
    #! fixed_alphabet: characters = set(string.printable)
    #! fixed_alphabet: characters = set(map(chr, range(128)))
    #! fixed_alphabet: characters = set(map(chr, range(256)))
    #! fixed_alphabet: characters = set(string.ascii_letters)
    #  It is an alphabet made beforehand. Only what occurs in the text belongs to it.
    #: `set(text)`, not `set(text.encode())`
    #! bytes: characters = set(text.encode())
    #  It collects bytes, which are numbers. Characters are wanted; bytes come later.
    #: `set(text)` has the characters themselves.
    #! bytes_as_characters: characters = set(text.encode().decode("latin-1"))
    #  é has become two characters: its two bytes, each read as one.
    #! code_points: characters = set(map(ord, text))
    #  It collects Unicode's numbers, `ord`. The characters themselves are wanted.
    return sorted(characters)
    #: `sorted(…)`: so that the same characters always get the same ids.
    #! not_sorted: return list(dict.fromkeys(text))
    #! not_sorted: return [c for c in dict.fromkeys(text) if c in characters]
    #  The characters stand in the order in which they occur. They should be sorted.
    #! the_text_itself: return list(text)
    #  It is the text, character by character: none is left out that comes again, and nothing is sorted.
    #: Plain `sorted` goes upwards.
    #! descending: return sorted(characters, reverse=True)
    #  The characters are sorted downwards.
    #: `sorted` gives a list already.
    #! string_not_list: return "".join(sorted(characters))
    #  It returns a string. A list of characters is wanted.
    #! set_not_list: return characters
    #  It returns a set, which has no order and no places. A sorted list is wanted.
    #! tuple_not_list: return tuple(sorted(characters))
    #  It returns a tuple. A list is wanted.
    #: `return sorted(characters)`
    #! returns_none: return list(characters).sort()
    #  It returns None: `.sort()` sorts in place and gives nothing back, and `sorted(…)` alone on its line is forgotten.
    #: `sorted(set(text))`
    #! dictionary: return {character: i for i, character in enumerate(sorted(characters))}
    #! dictionary: return dict(enumerate(sorted(characters)))
    #! dictionary: return Counter(text)
    #  It returns a dictionary. A list is wanted: the place of a character is its id.
    #! numbered: return list(enumerate(sorted(characters)))
    #  It returns pairs of a number and a character. The characters alone are wanted: their places are the numbers.
    #: `sorted` without a `key`.
    #! case_ignored_in_order: return sorted(sorted(characters), key=str.lower)
    #  Capital and small letters are sorted together. Plain order is by code point.
    #: Only the characters of the text.
    #! unknown_token: return ["<unk>", *sorted(characters)]
    #! unknown_token: return [*sorted(characters), "<unk>"]
    #  There is an entry "<unk>" that is no character of the text; at the front it moves every id by one.


# The order of a set of strings is another one in each run of Python.
MISTAKES: list[Mistake] = [
    *mistakes_of(build_vocab),
    Mistake(
        "order_of_a_set",
        lambda text: list(set(text)),
        "The characters stand in the order of a set, which is another one in each run of Python.",
        "`sorted(set(text))`",
        "karpathy/minGPT#21",
        flaky=True,
    ),
    Mistake(
        "by_frequency",
        lambda text: [character for character, _ in Counter(text).most_common()],
        "The characters are sorted by how frequent they are, not by themselves.",
        "`sorted(set(text))`",
        flaky=True,
        also=(lambda text: sorted(set(text), key=text.count),),
    ),
]
