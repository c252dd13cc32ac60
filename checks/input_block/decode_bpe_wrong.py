"""Lab 01, 1.10: decode_bpe, and what people write in place of its lines."""

import codecs
import itertools
import re

from checks.engine import Mistake, mistakes_of
from checks.input_block.shared import Pair


def decode_bpe(ids: list[int], merges: list[Pair]) -> str:
    tokens = [bytes([i]) for i in range(256)]
    #: `bytes([i])`: a list of one byte.
    #! bytes_of_zeros: tokens = [bytes(i) for i in range(256)]
    #  `bytes(i)` makes i zero bytes. The byte i is wanted.
    #: `range(256)`: bytes go from 0 to 255.
    #! byte_255_missing: tokens = [bytes([i]) for i in range(255)]
    #  Byte 255 is missing, so that all merged tokens are off by one.
    #! byte_256_invented: tokens = [bytes([i % 256]) for i in range(257)]
    #  There are 257 single tokens, so that all merged ones are off by one. Bytes end at 255.
    #! bytes_missing: tokens = []
    #  The 256 single bytes are missing: the list begins with the merges.
    for first, second in merges:
        #: Build the bytes in the order of the merges: both halves are there already.
        #! merges_backwards: for first, second in reversed(merges):
        #  It goes through the merges backwards. A merge stands on those before it.
        #: `for first, second in merges`: all of them.
        #! without_last_merge: for first, second in merges[:-1]:
        #  The last merge makes no token.
        #! without_first_merge: for first, second in merges[1:]:
        #  The first merge makes no token, so that all the others are off by one.
        tokens.append(tokens[first] + tokens[second])
        #: `tokens[first] + tokens[second]`
        #! halves_exchanged: tokens.append(tokens[second] + tokens[first])
        #  The two halves of each merge are joined in the wrong order.
        #! first_half_twice: tokens.append(tokens[first] + tokens[first])
        #  The first half stands there twice, and the second not at all.
        #! first_byte: tokens.append(tokens[first])
        #  Of each token only the first byte comes back.
        #! second_half_only: tokens.append(tokens[second])
        #  The first half of each merge is missing.
        #! halves_as_bytes: tokens.append(bytes([first, second]))
        #  The halves of a merge need not be bytes: they may be merged tokens themselves.
        #! halves_as_pair: tokens.append((tokens[first], tokens[second]))
        #  The two halves are kept as a pair. They are joined: bytes + bytes.
        #: Build the bytes in the order of the merges: both halves are there already.
        #! one_level: tokens.append(bytes(i for i in (first, second) if i < 256))
        #  A merge of merges is not taken apart to the end: its merged halves are lost.
    pieces = [tokens[i] for i in ids]
    #! halves_as_bytes: pieces = [bytes([i]) if i < 256 else bytes(merges[i - 256]) for i in ids]
    #: Their bytes are those of their two halves.
    #! bytes_only: pieces = [tokens[i] for i in ids if i < 256]
    #  Tokens from 256 on are left out.
    #: Token 256 is `merges[0]`.
    #! one_too_high: tokens.insert(256, b""); …
    #  Token 256 + i gives the merge before it: the first merge is taken for 257.
    #: No `if i`: 0 is false.
    #! without_id_0: pieces = [tokens[i] for i in ids if i]
    #  Token 0 is left out. It is a byte like any other.
    #: Go through the ids from left to right.
    #! backwards: pieces = [tokens[i] for i in reversed(ids)]
    #  The tokens stand in reverse order.
    #: The bytes of every id.
    #! no_doubles: pieces = [tokens[i] for i, _ in itertools.groupby(ids)]
    #  Of two equal neighbours one is lost.
    #! once_each: pieces = [tokens[i] for i in dict.fromkeys(ids)]
    #! once_each: pieces = [tokens[i] for i in set(ids)]
    #  A token that occurs again is left out.
    #! first_token_lost: pieces = [tokens[i] for i in ids[1:]]
    #  The first token is left out.
    #! last_token_lost: pieces = [tokens[i] for i in ids[:-1]]
    #  The last token is left out.
    #: Let Python's own error come.
    #! unknown_skipped: pieces = [tokens[i] for i in ids if i < len(tokens)]
    #  An id that no merge has made is left out in silence.
    #! unknown_replaced: pieces = [tokens[i] if i < len(tokens) else b"\xff" for i in ids]
    #  An id that no merge has made becomes U+FFFD. That is for invalid bytes only.
    #! unknown_as_question_mark: pieces = [tokens[i] if i < len(tokens) else b"?" for i in ids]
    #  An id that no merge has made becomes a question mark.
    #! wraps: pieces = [tokens[i % len(tokens)] for i in ids]
    #  An id that no merge has made begins again at token 0, without an error.
    data = b"".join(pieces)
    #: Join with nothing: `b"".join(…)`.
    #! blanks: data = b" ".join(pieces)
    #  There are blanks between the tokens.
    #: The tokens are bytes, so they are joined by bytes: `b"".join(…)`.
    #! joined_by_a_string: data = "".join(pieces)
    #  `"".join(…)` joins strings, and the tokens are bytes.
    #: `b"".join(tokens[i] for i in ids)`
    #! ids_as_bytes: data = bytes(ids)
    #  It takes the ids for bytes. Ids from 256 on are none.
    return data.decode("utf-8", errors="replace")
    #: Decode as "utf-8", not as "utf-8-sig".
    #! byte_order_mark: return data.decode("utf-8-sig", errors="replace")
    #  A byte order mark at the beginning is dropped.
    #: Join, decode, return; change nothing.
    #! line_ends: return data.decode("utf-8", errors="replace").replace("\r\n", "\n")
    #  It turns the line end 13 10 into 10. What was encoded must come back as it was.
    #: Join the bytes of all tokens first, decode once.
    #! token_by_token: return "".join(piece.decode("utf-8", errors="replace") for piece in pieces)
    #  Every token is decoded by itself. A character whose bytes lie in two tokens breaks. [exo-explore/exo#1691]
    #! token_by_token_ignored: return "".join(piece.decode("utf-8", errors="ignore") for piece in pieces)
    #  Every token is decoded by itself, and what is no whole character vanishes.
    #! token_by_token_strict: return "".join(piece.decode("utf-8") for piece in pieces)
    #  Every token is decoded by itself. A part of a character is no text, and an error.
    #! list: return [piece.decode("utf-8", errors="replace") for piece in pieces]
    #  It returns a list of pieces. One string is wanted.
    #: `errors="replace"`
    #! strict: return data.decode("utf-8")
    #  Invalid bytes are an error. They should become U+FFFD: an error would stop a chat in the middle of a word. [karpathy/minbpe#96]
    #! invalid_ignored: return data.decode("utf-8", errors="ignore")
    #  Invalid bytes vanish. They should become U+FFFD, so that one sees them. [Blaizzy/mlx-vlm#835]
    #! invalid_escaped: return data.decode("utf-8", errors="backslashreplace")
    #  Invalid bytes become escapes such as \xff. They should become U+FFFD.
    #! invalid_surrogates: return data.decode("utf-8", errors="surrogateescape")
    #  Invalid bytes become surrogates, which cannot even be printed.
    #! end_dropped: return codecs.getincrementaldecoder("utf-8")("replace").decode(data)
    #  A decoder that is fed in pieces waits for the rest of the last character. Half a character at the end must become U+FFFD too.
    #! question_marks: return data.decode("utf-8", errors="replace").replace("\ufffd", "?")
    #  Invalid bytes become question marks. They should become U+FFFD.
    #: `errors="replace"` does it as Unicode wants it.
    #! one_for_all: return re.sub("\ufffd+", "\ufffd", data.decode("utf-8", errors="replace"))
    #  Several invalid bytes in a row become one U+FFFD.
    #: Byte i is `bytes([i])`, and all of them are read as UTF-8: `.decode("utf-8", errors="replace")`.
    #! latin_1: return data.decode("latin-1")
    #  Every byte is read as one character, so é becomes Ã©. [karpathy/minbpe#96]
    #: The bytes are UTF-8: `.decode("utf-8", errors="replace")`.
    #! ascii: return data.decode("ascii", errors="replace")
    #  The bytes are read as ASCII: every character beyond it is lost.
    #! utf_16: return data.decode("utf-16", errors="replace")
    #  The bytes are read as UTF-16.
    #! bytes_returned: return data
    #  It returns bytes. A text is wanted.
    #! bytes_spelling: return str(data)
    #  `str(…)` of bytes spells them out: b'…'.
    #: No `.strip()`: what was encoded must come back.
    #! stripped: return data.decode("utf-8", errors="replace").strip()
    #  White space at the ends is lost.
    #: `return … .decode(…)`
    #! no_return: data.decode("utf-8", errors="replace")
    #  The text is decoded and then forgotten: there is no `return`.


def decode_bpe_by_dictionary(ids: list[int], merges: list[Pair]) -> str:
    """The other common way, as in minbpe."""
    tokens = {i: bytes([i]) for i in range(256)}
    for i, (first, second) in enumerate(merges):
        #: `for i, (first, second) in enumerate(merges)`: the place tells the id.
        #! as_a_dictionary: for (first, second), i in merges.items():
        #  Merges are a list here, not minbpe's dictionary.
        tokens[256 + i] = tokens[first] + tokens[second]
        #: Token 256 + i is that of `merges[i]`.
        #! one_too_high: tokens[257 + i] = tokens[first] + tokens[second]
        #! from_zero: tokens[i] = tokens[first] + tokens[second]
        #  Merge i takes the place of token i, which is a byte.
        #! id_255: tokens[255 + i] = tokens[first] + tokens[second]
        #  The first merge takes the place of token 255, which is a byte.
    return b"".join(tokens[i] for i in ids).decode("utf-8", errors="replace")


MISTAKES: list[Mistake] = mistakes_of(decode_bpe, decode_bpe_by_dictionary)
