"""Lab 01, 1.3: decode, and what people write in place of its lines."""

import itertools
import unicodedata

from checks.engine import Mistake, mistakes_of


def decode(ids: list[int], vocab: list[str]) -> str:
    characters = []
    for i in ids:
        #: Go through the ids from left to right.
        #! backwards: for i in reversed(ids):
        #  The text stands in reverse order.
        #: One character for each id.
        #! once_each: for i in dict.fromkeys(ids):
        #! once_each: for i in set(ids):
        #  An id that occurs again is left out.
        #! no_doubles: for i, _ in itertools.groupby(ids):
        #  Of two equal neighbours one is lost, so that hello becomes helo.
        #! without_last: for i in ids[:-1]:
        #  The last id is left out.
        #! without_first: for i in ids[1:]:
        #  The first id is left out.
        #: No condition on the id.
        #! without_id_0: for i in filter(None, ids):
        #  Id 0 is left out: `if i` is False for it. It is the first character's id.
        #: `for i in ids`: the ids themselves, not their places.
        #! ids_not_used: for i in range(len(ids)):
        #  It takes the places of the ids, 0, 1, 2, …, and not the ids.
        characters.append(vocab[i])
        #: `vocab[i]`: ids count from 0.
        #! from_one: characters.append(vocab[i - 1])
        #  Each id gives the character before its own.
        #! next: characters.append(vocab[(i + 1) % len(vocab)])
        #! next: characters.append(vocab[i + 1])
        #  Each id gives the character after its own.
        #: `vocab[i]`
        #! from_behind: characters.append(vocab[-i - 1])
        #! from_behind: characters.append(vocab[-i])
        #  It counts from the end of the vocabulary.
        #! code_points: characters.append(chr(i))
        #  It reads the ids as Unicode's numbers, with `chr`. They are places in `vocab`.
        #! looked_for: characters.append(vocab.index(i))
        #  `.index` goes from character to place. Here the place is known, and the character is wanted.
        #! numbers: characters.append(str(i))
        #  It writes the ids themselves as digits.
        #: Use the places in the `vocab` that was handed over.
        #! sorts_vocabulary: characters.append(sorted(vocab)[i])
        #  It sorts the vocabulary again. The ids are the places as they are.
        #: Let Python's own IndexError come.
        #! wraps: characters.append(vocab[i % len(vocab)])
        #  An id beyond the vocabulary begins again at its start.
        #! skips_unknown: characters += vocab[i : i + 1]
        #  An id beyond the vocabulary is left out in silence.
        #! question_mark: characters.append(dict(enumerate(vocab)).get(i, "?"))
        #! question_mark: characters.append(dict(enumerate(vocab)).get(i, "\ufffd"))
        #! question_mark: characters.append(dict(enumerate(vocab)).get(i, " "))
        #! question_mark: characters.append(dict(enumerate(vocab)).get(i, "<unk>"))
        #! question_mark: characters.append(vocab[min(i, len(vocab) - 1)])
        #  An id beyond the vocabulary becomes another character.
        #: One character for each id.
        #! only_the_last: characters = [vocab[i]]
        #  Each character overwrites the one before: the last one is left.
        #! without_white_space: characters.append(vocab[i] if not vocab[i].isspace() else "")
        #  Blanks and line breaks are lost.
        #: `return` stands below the loop, not in it.
        #! return_in_the_loop: …; return "".join(characters)
        #! return_in_the_loop: …; return "".join(characters)
        #  It returns after the first id.
    return "".join(characters)
    #!+ return_in_the_loop: pass
    #: Join them: `"".join(…)`.
    #! list: return characters
    #  It returns a list of characters. One string is wanted.
    #! list_as_text: return str(characters)
    #  `str(…)` of a list writes brackets, commas and quotation marks into the text.
    #: Join with the empty string: `"".join(…)`.
    #! blanks: return " ".join(characters)
    #! blanks: return "".join(character + " " for character in characters)
    #  There are blanks between the characters.
    #: One id at a time: `vocab[i] for i in ids`.
    #! list_for_an_index: return "".join(vocab[ids])
    #  A Python list takes one number in its brackets, not a list of them.
    #: `"".join(…)` wants strings: the characters, not the ids.
    #! ids_joined: return "".join(ids)
    #  It joins the ids, which are numbers.
    #: No `.strip()`: what was encoded must come back.
    #! stripped: return "".join(characters).strip()
    #  White space at the ends of the text is lost.
    #: No `.rstrip()`: what was encoded must come back.
    #! right_stripped: return "".join(characters).rstrip()
    #  White space at the end of the text is lost.
    #: One character for each id, and nothing else.
    #! line_end: return "".join([*characters, "\n"])
    #  There is a line break at the end that no id stands for.
    #: A Python string holds them all; nothing has to be converted.
    #! ascii_only: return "".join(characters).encode("ascii", "replace").decode()
    #  Characters beyond ASCII become question marks.
    #: A character is whatever stands in the text: do not change it, do not leave any out.
    #! normalised: return unicodedata.normalize("NFC", "".join(characters))
    #  It rewrites the text (Unicode normalisation).
    #: `return "".join(…)`
    #! no_return: "".join(characters)
    #  The text is joined and then forgotten: there is no `return`.


MISTAKES: list[Mistake] = mistakes_of(decode)
