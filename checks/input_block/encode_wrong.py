"""Lab 01, 1.2: encode, and what people write in place of its lines."""

import torch

from checks.engine import Mistake, mistakes_of


def encode(text: str, vocab: list[str]) -> list[int]:
    places = {character: i for i, character in enumerate(vocab)}
    #: Use the places in the `vocab` that was handed over.
    #! own_vocabulary: places = {character: i for i, character in enumerate(sorted(set(text)))}
    #  It builds a vocabulary from the text itself: the same character has another id in each text, and none is unknown.
    #! sorts_vocabulary: places = {character: i for i, character in enumerate(sorted(vocab))}
    #  It sorts the vocabulary again. The ids are the places as they are.
    #: `enumerate(vocab)` counts from 0.
    #! from_one: places = {character: i for i, character in enumerate(vocab, 1)}
    #  The ids count from 1. The first character of the vocabulary has id 0.
    #! from_behind: places = {character: i - len(vocab) for i, character in enumerate(vocab)}
    #  The ids are negative, counted from the end of the vocabulary.
    #: `{character: i for i, character in enumerate(vocab)}`: the character is the key.
    #! dictionary_turned_round: places = dict(enumerate(vocab))
    #  The dictionary goes from places to characters, so that no character is found in it.
    #: Test `if character not in …` and raise ValueError with the character in its message.
    #! grows: places = {character: i for i, character in enumerate([*vocab, *sorted(set(text) - set(vocab))])}
    #  An unknown character is added to the vocabulary, beyond the table's last row.
    ids = []
    for character in text:
        #: A character is whatever stands in the text: do not change it, do not leave any out.
        #! lower_case: for character in text.lower():
        #  Capital letters are encoded as small ones.
        #! stripped: for character in text.strip():
        #  White space at the ends of the text is lost.
        #! words: for character in text.split():
        #  It goes through words. Each character has its own id.
        #! bytes: for character in text.encode():
        #  It goes through bytes, which are numbers. The vocabulary has characters.
        #: Go through the text from left to right.
        #! backwards: for character in reversed(text):
        #  The ids stand in reverse order.
        #: Go through the text, and look up its characters in the vocabulary.
        #! through_the_vocabulary: for character in vocab:
        #  It goes through the vocabulary. The text is not read.
        if character not in places:
            #: Test each character before you look it up.
            #! whole_text_tested: if text not in places:
            #  It looks for the whole text in the vocabulary, whose entries are characters.
            raise ValueError(f"{character!r} is not in the vocabulary")
            #!+ whole_text_tested: raise ValueError(f"{text!r} is not in the vocabulary")
            #: Test `if character not in …` and raise ValueError with the character in its message.
            #! minus_one: ids.append(-1); continue
            #  An unknown character becomes −1, as with str.find. Later, row −1 is the last row of the table: a wrong vector, and no error.
            #! zero: ids.append(0); continue
            #  An unknown character becomes 0, which is another character's id. [pytorch/text#183]
            #! one_more: ids.append(len(vocab)); continue
            #  An unknown character gets an id beyond the vocabulary, for which there is no vector.
            #! none: ids.append(None); continue
            #  An unknown character becomes None, as with dict.get.
            #! unknown_token: ids.append("<unk>"); continue
            #  An unknown character becomes a word such as "<unk>" among the ids.
            #! skipped: continue
            #  An unknown character is left out in silence: the text has changed, and nobody knows. [warpfront/hipfire#203]
            #! stops: break
            #  It stops at the first unknown character, without an error: the rest of the text is lost.
            #! gives_nothing: return []
            #! gives_nothing: return None
            #  For a text with an unknown character it returns nothing at all, without an error.
            #! other_case:
            #| if character.lower() not in places:
            #|     raise ValueError(character)
            #| character = character.lower()
            #  A capital that is not in the vocabulary gets the id of its small letter.
            #! unknown_blanks_skipped:
            #| if not character.isspace():
            #|     raise ValueError(character)
            #| continue
            #  Blanks and line breaks that are not in the vocabulary are left out without a word.
            #! key_error: pass
            #  An unknown character raises KeyError, where ValueError is asked for.
            #! assertion: raise AssertionError(character)
            #! assertion: raise AssertionError
            #  An unknown character raises AssertionError; `python -O` would leave the test out.
            #! index_error: raise IndexError(character)
            #  An unknown character raises IndexError, where ValueError is asked for.
            #! plain_exception: raise Exception(character)
            #  An unknown character raises a bare Exception, where ValueError is asked for.
            #! returned_error: return ValueError(character)
            #  The error is returned and not raised.
            #! grows: vocab.append(character); places[character] = len(places)
            #: Put it into the message: `f"{character!r} is not in the vocabulary"`.
            #! nameless_error: raise ValueError("unknown symbol")
            #  The ValueError does not say which character was unknown.
            #: Test each character before you look it up.
            #! only_first_tested:
            #| if not ids:
            #|     raise ValueError(character)
            #| continue
            #  Only the text's first character is tested; unknown ones further on are left out.
        ids.append(places[character])
        #: Plain Python ints have no limit.
        #! eight_bits: ids.append(places[character] % 256)
        #  The ids are squeezed into eight bits: the character at place 256 gets the id 0.
        #: Use the places in the `vocab` that was handed over.
        #! code_points: ids.append(ord(character))
        #  It returns Unicode's numbers, `ord`, not places in the vocabulary.
        #! place_in_the_text: ids.append(text.index(character))
        #! place_in_the_text: ids.append(len(ids))
        #  It takes the place of the character in the text. Its place in the vocabulary is wanted.
        #: A list is asked by number only: `vocab.index(character)`, or a dictionary of places.
        #! vocabulary_asked_by_character: ids.append(vocab[character])
        #  `vocab[…]` wants a number. Here a character is known, and its number is wanted.
        #! list_has_no_find: ids.append(vocab.find(character))
        #  Strings have `.find`, lists have not: vocab is a list.
        #: `vocab.index(character)` is an int.
        #! floats: ids.append(float(places[character]))
        #  The ids are floating-point numbers, which cannot look anything up.
        #: Leave out `str(…)`.
        #! strings: ids.append(str(places[character]))
        #  The ids are strings of digits, not ints.
        #: Append the id, not the character.
        #! characters: ids.append(character)
        #  It returns the characters themselves. Their places in the vocabulary are wanted.
        #: `return ids` stands below the loop, not in it.
        #! return_in_the_loop: …; return ids
        #  It returns after the first character.
        #: One id for each character of the text.
        #! only_the_last: ids = [places[character]]
        #  Each character overwrites the one before: the last one is left.
        #! no_doubles: ids += [places[character]] * (ids[-1:] != [places[character]])
        #  Of two equal neighbours one is lost.
    return ids
    #!+ return_in_the_loop: pass
    #: Leave out `torch.tensor(…)`.
    #! tensor: return torch.tensor(ids)
    #! tensor: return torch.tensor(ids, dtype=torch.long)
    #  It returns a tensor. A list of ints is wanted.
    #: `vocab.index(character)`, or a dictionary of places.
    #! one_hot: return [[int(i == place) for place in range(len(vocab))] for i in ids]
    #  It returns a row of zeros and ones per character. The id alone is wanted.
    #: Return the list of ids.
    #! one_string: return " ".join(map(str, ids))
    #! one_string: return "".join(map(str, ids))
    #  It returns one string of digits. A list of ints is wanted.


# The order of a set of strings is another one in each run of Python.
MISTAKES: list[Mistake] = [
    *mistakes_of(encode),
    Mistake(
        "once_each",
        lambda text, vocab: encode("".join(dict.fromkeys(text)), vocab),
        "A character that occurs again is left out.",
        "One id for each character of the text.",
        flaky=True,
        also=(lambda text, vocab: encode("".join(set(text)), vocab),),
    ),
]
