"""Lab 01: what people write for build_vocab, encode, decode, embed and make_batch.

Sources are the public issues in which somebody really made the mistake.
"""

import unicodedata
from collections import Counter
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from checks.engine import Mistake
from checks.input_block import reference as right

KEEP = "A character is whatever stands in the text: do not change it, do not leave any out."
USE_VOCAB = "Use the places in the `vocab` that was handed over."
VALUE_ERROR = "Test `if character not in …` and raise ValueError with the character in its message."
ERROR = "Let Python's own IndexError come."


def vocab_of(change: Callable[[str], Any]) -> Callable[..., Any]:
    """Build the vocabulary of a changed text."""
    return lambda text: sorted(set(change(text)))


BUILD_VOCAB = [
    Mistake(
        "not_sorted",
        lambda text: list(dict.fromkeys(text)),
        "The characters stand in the order in which they occur. They should be sorted.",
        "`sorted(…)`: so that the same characters always get the same ids.",
    ),
    Mistake(
        "order_of_a_set",
        lambda text: list(set(text)),
        "The characters stand in the order of a set, which is another one in each run of Python.",
        "`sorted(set(text))`",
        flaky=True,
    ),
    Mistake(
        "descending",
        lambda text: sorted(set(text), reverse=True),
        "The characters are sorted downwards.",
        "Plain `sorted` goes upwards.",
    ),
    Mistake(
        "by_frequency",
        lambda text: [character for character, _ in Counter(text).most_common()],
        "The characters are sorted by how frequent they are, not by themselves.",
        "`sorted(set(text))`",
    ),
    Mistake(
        "duplicates",
        lambda text: sorted(text),
        "A character that occurs twice in the text stands twice in the vocabulary.",
        "A `set` keeps each character once.",
    ),
    Mistake(
        "string_not_list",
        lambda text: "".join(sorted(set(text))),
        "It returns a string. A list of characters is wanted.",
        "`sorted` gives a list already.",
    ),
    Mistake(
        "dictionary",
        lambda text: {character: i for i, character in enumerate(sorted(set(text)))},
        "It returns a dictionary. A list is wanted: the place of a character is its id.",
        "`sorted(set(text))`",
    ),
    Mistake("lower_case", vocab_of(str.lower), "Capital letters are lost.", KEEP),
    Mistake("stripped", vocab_of(str.strip), "White space at the ends of the text is lost.", KEEP),
    Mistake(
        "no_white_space",
        vocab_of(lambda text: "".join(text.split())),
        "Blanks and line breaks are missing. They are characters like any other.",
        KEEP,
    ),
    Mistake(
        "no_line_breaks",
        vocab_of(lambda text: text.replace("\n", "")),
        "The line break is missing. It is a character like any other.",
        KEEP,
    ),
    Mistake(
        "letters_only",
        vocab_of(lambda text: [c for c in text if c.isalpha()]),
        "Only letters are there: blanks, digits and punctuation are missing.",
        KEEP,
    ),
    Mistake(
        "ascii_only",
        vocab_of(lambda text: text.encode("ascii", "ignore").decode()),
        "Characters beyond ASCII are missing.",
        KEEP,
    ),
    Mistake(
        "printable_only",
        vocab_of(lambda text: [c for c in text if c.isprintable()]),
        "Characters that do not print, such as the line break, are missing.",
        KEEP,
    ),
    Mistake(
        "words",
        vocab_of(str.split),
        "It collects words. Here the tokens are single characters.",
        "Going through a string gives its characters.",
    ),
    Mistake(
        "bytes",
        vocab_of(str.encode),
        "It collects bytes, which are numbers. Characters are wanted; bytes come later.",
        "`set(text)`, not `set(text.encode())`",
    ),
    Mistake(
        "bytes_as_characters",
        vocab_of(lambda text: text.encode().decode("latin-1")),
        "é has become two characters: its two bytes, each read as one.",
        "`set(text)` has the characters themselves.",
    ),
    Mistake(
        "normalised",
        vocab_of(lambda text: unicodedata.normalize("NFC", text)),
        "It rewrites the text (Unicode normalisation): e with an accent after it became é.",
        KEEP,
    ),
    Mistake(
        "case_ignored_in_order",
        lambda text: sorted(sorted(set(text)), key=str.lower),
        "Capital and small letters are sorted together. Plain order is by code point.",
        "`sorted` without a `key`.",
    ),
    Mistake(
        "unknown_token",
        lambda text: ["<unk>", *sorted(set(text))],
        'There is an entry "<unk>" that is no character of the text, and every id is one too high.',
        "Only the characters of the text.",
    ),
    Mistake(
        "frequent_only",
        lambda text: sorted(c for c, n in Counter(text).items() if n > 1),
        "Characters that occur only once are missing.",
        "Every character of the text belongs to it, however rare.",
    ),
    Mistake(
        "neighbours_only",
        lambda text: sorted(c for i, c in enumerate(text) if text[i - 1 : i] != c),
        "A character is left out only where it stands beside itself, so others are there twice.",
        "A `set` keeps each character once.",
    ),
]


def encoded(otherwise: Callable[[str, list[str]], Any]) -> Callable[..., list]:
    """Encode known characters rightly, and put `otherwise(character, vocab)` for unknown ones."""

    def encode(text: str, vocab: list[str]) -> list:
        return [vocab.index(c) if c in vocab else otherwise(c, vocab) for c in text]

    return encode


def stop(error: type[Exception], *words: str) -> Any:
    """Raise an error from inside an expression."""
    raise error(*words)


def unknown_checked_first(text: str, vocab: list[str]) -> list[int]:
    """Look at the first character only."""
    if text and text[0] not in vocab:
        raise ValueError(text[0])
    return [vocab.index(c) for c in text if c in vocab]


ENCODE = [
    Mistake(
        "eight_bits",
        lambda text, vocab: [i % 256 for i in right.encode(text, vocab)],
        "The ids are squeezed into eight bits: the character at place 256 gets the id 0.",
        "Plain Python ints have no limit.",
    ),
    Mistake(
        "other_case",
        lambda text, vocab: right.encode(
            [c if c in vocab or c.lower() not in vocab else c.lower() for c in text], vocab
        ),
        "A capital that is not in the vocabulary gets the id of its small letter.",
        VALUE_ERROR,
    ),
    Mistake(
        "unknown_blanks_skipped",
        lambda text, vocab: right.encode([c for c in text if c in vocab or not c.isspace()], vocab),
        "Blanks and line breaks that are not in the vocabulary are left out without a word.",
        VALUE_ERROR,
    ),
    Mistake(
        "own_vocabulary",
        lambda text, vocab: encoded(lambda c, _: stop(ValueError, c))(text, sorted(set(text))),
        "It builds a vocabulary from the text itself: the same character has another id in each "
        "text, and none is unknown.",
        USE_VOCAB,
    ),
    Mistake(
        "sorts_vocabulary",
        lambda text, vocab: right.encode(text, sorted(vocab)),
        "It sorts the vocabulary again. The ids are the places as they are.",
        USE_VOCAB,
    ),
    Mistake(
        "code_points",
        lambda text, vocab: [ord(c) if c in vocab else stop(ValueError, c) for c in text],
        "It returns Unicode's numbers, `ord`, not places in the vocabulary.",
        USE_VOCAB,
    ),
    Mistake(
        "from_one",
        lambda text, vocab: [i + 1 for i in right.encode(text, vocab)],
        "The ids count from 1. The first character of the vocabulary has id 0.",
        "`enumerate(vocab)` counts from 0.",
    ),
    Mistake(
        "from_behind",
        lambda text, vocab: [i - len(vocab) for i in right.encode(text, vocab)],
        "The ids are negative, counted from the end of the vocabulary.",
        "`enumerate(vocab)` counts from 0.",
    ),
    Mistake(
        "minus_one",
        encoded(lambda c, vocab: -1),
        "An unknown character becomes −1, as with str.find. Later, row −1 is the last row of the "
        "table: a wrong vector, and no error.",
        VALUE_ERROR,
    ),
    Mistake(
        "zero",
        encoded(lambda c, vocab: 0),
        "An unknown character becomes 0, which is another character's id.",
        VALUE_ERROR,
    ),
    Mistake(
        "one_more",
        encoded(lambda c, vocab: len(vocab)),
        "An unknown character gets an id beyond the vocabulary, for which there is no vector.",
        VALUE_ERROR,
    ),
    Mistake(
        "none",
        encoded(lambda c, vocab: None),
        "An unknown character becomes None, as with dict.get.",
        VALUE_ERROR,
    ),
    Mistake(
        "skipped",
        lambda text, vocab: [vocab.index(c) for c in text if c in vocab],
        "An unknown character is left out in silence: the text has changed, and nobody knows.",
        VALUE_ERROR,
    ),
    Mistake(
        "only_first_tested",
        unknown_checked_first,
        "Only the text's first character is tested; unknown ones further on are left out.",
        "Test each character before you look it up.",
    ),
    Mistake(
        "grows",
        lambda text, vocab: right.encode(text, [*vocab, *sorted(set(text) - set(vocab))]),
        "An unknown character is added to the vocabulary, beyond the table's last row.",
        VALUE_ERROR,
    ),
    Mistake(
        "key_error",
        encoded(lambda c, vocab: stop(KeyError, c)),
        "An unknown character raises KeyError, where ValueError is asked for.",
        VALUE_ERROR,
    ),
    Mistake(
        "assertion",
        encoded(lambda c, vocab: stop(AssertionError, c)),
        "An unknown character raises AssertionError; `python -O` would leave the test out.",
        VALUE_ERROR,
    ),
    Mistake(
        "index_error",
        encoded(lambda c, vocab: stop(IndexError, c)),
        "An unknown character raises IndexError, where ValueError is asked for.",
        VALUE_ERROR,
    ),
    Mistake(
        "nameless_error",
        encoded(lambda c, vocab: stop(ValueError, "unknown symbol")),
        "The ValueError does not say which character was unknown.",
        'Put it into the message: `f"{character!r} is not in the vocabulary"`.',
    ),
    Mistake(
        "tensor",
        lambda text, vocab: torch.tensor(right.encode(text, vocab), dtype=torch.long),
        "It returns a tensor. A list of ints is wanted.",
        "Leave out `torch.tensor(…)`.",
    ),
    Mistake(
        "floats",
        lambda text, vocab: [float(i) for i in right.encode(text, vocab)],
        "The ids are floating-point numbers, which cannot look anything up.",
        "`vocab.index(character)` is an int.",
    ),
    Mistake(
        "strings",
        lambda text, vocab: [str(i) for i in right.encode(text, vocab)],
        "The ids are strings of digits, not ints.",
        "Leave out `str(…)`.",
    ),
    Mistake(
        "lower_case",
        lambda text, vocab: right.encode(text.lower(), vocab),
        "Capital letters are encoded as small ones.",
        KEEP,
    ),
    Mistake(
        "stripped",
        lambda text, vocab: right.encode(text.strip(), vocab),
        "White space at the ends of the text is lost.",
        KEEP,
    ),
    Mistake(
        "once_each",
        lambda text, vocab: right.encode("".join(dict.fromkeys(text)), vocab),
        "A character that occurs again is left out.",
        "One id for each character of the text.",
    ),
    Mistake(
        "backwards",
        lambda text, vocab: right.encode(text, vocab)[::-1],
        "The ids stand in reverse order.",
        "Go through the text from left to right.",
    ),
    Mistake(
        "one_hot",
        lambda text, vocab: [[int(v == c) for v in vocab] for c in text if right.encode(c, vocab)],
        "It returns a row of zeros and ones per character. The id alone is wanted.",
        "`vocab.index(character)`, or a dictionary of places.",
    ),
]

DECODE = [
    Mistake(
        "list",
        lambda ids, vocab: [vocab[i] for i in ids],
        "It returns a list of characters. One string is wanted.",
        'Join them: `"".join(…)`.',
    ),
    Mistake(
        "blanks",
        lambda ids, vocab: " ".join(vocab[i] for i in ids),
        "There are blanks between the characters.",
        'Join with the empty string: `"".join(…)`.',
    ),
    Mistake(
        "code_points",
        lambda ids, vocab: "".join(chr(i) for i in ids),
        "It reads the ids as Unicode's numbers, with `chr`. They are places in `vocab`.",
        "`vocab[i]`",
    ),
    Mistake(
        "from_one",
        lambda ids, vocab: "".join(vocab[i - 1] for i in ids),
        "Each id gives the character before its own.",
        "`vocab[i]`: ids count from 0.",
    ),
    Mistake(
        "next",
        lambda ids, vocab: "".join(vocab[(i + 1) % len(vocab)] for i in ids),
        "Each id gives the character after its own.",
        "`vocab[i]`: ids count from 0.",
    ),
    Mistake(
        "from_behind",
        lambda ids, vocab: "".join(vocab[-i - 1] for i in ids),
        "It counts from the end of the vocabulary.",
        "`vocab[i]`",
    ),
    Mistake(
        "sorts_vocabulary",
        lambda ids, vocab: "".join(sorted(vocab)[i] for i in ids),
        "It sorts the vocabulary again. The ids are the places as they are.",
        USE_VOCAB,
    ),
    Mistake(
        "backwards",
        lambda ids, vocab: "".join(vocab[i] for i in reversed(ids)),
        "The text stands in reverse order.",
        "Go through the ids from left to right.",
    ),
    Mistake(
        "without_id_0",
        lambda ids, vocab: "".join(vocab[i] for i in ids if i),
        "Id 0 is left out: `if i` is False for it. It is the first character's id.",
        "No condition on the id.",
    ),
    Mistake(
        "once_each",
        lambda ids, vocab: "".join(vocab[i] for i in dict.fromkeys(ids)),
        "An id that occurs again is left out.",
        "One character for each id.",
    ),
    Mistake(
        "no_doubles",
        lambda ids, vocab: "".join(
            vocab[i] for place, i in enumerate(ids) if not place or ids[place - 1] != i
        ),
        "Of two equal neighbours one is lost, so that hello becomes helo.",
        "One character for each id.",
    ),
    Mistake(
        "stripped",
        lambda ids, vocab: "".join(vocab[i] for i in ids).strip(),
        "White space at the ends of the text is lost.",
        "No `.strip()`: what was encoded must come back.",
    ),
    Mistake(
        "right_stripped",
        lambda ids, vocab: "".join(vocab[i] for i in ids).rstrip(),
        "White space at the end of the text is lost.",
        "No `.rstrip()`: what was encoded must come back.",
    ),
    Mistake(
        "line_end",
        lambda ids, vocab: "".join([*(vocab[i] for i in ids), "\n"]),
        "There is a line break at the end that no id stands for.",
        "One character for each id, and nothing else.",
    ),
    Mistake(
        "without_white_space",
        lambda ids, vocab: "".join(vocab[i] for i in ids if not vocab[i].isspace()),
        "Blanks and line breaks are lost.",
        "One character for each id.",
    ),
    Mistake(
        "ascii_only",
        lambda ids, vocab: "".join(vocab[i] for i in ids).encode("ascii", "replace").decode(),
        "Characters beyond ASCII become question marks.",
        "A Python string holds them all; nothing has to be converted.",
    ),
    Mistake(
        "normalised",
        lambda ids, vocab: unicodedata.normalize("NFC", "".join(vocab[i] for i in ids)),
        "It rewrites the text (Unicode normalisation).",
        KEEP,
    ),
    Mistake(
        "wraps",
        lambda ids, vocab: "".join(vocab[i % len(vocab)] for i in ids),
        "An id beyond the vocabulary begins again at its start.",
        ERROR,
    ),
    Mistake(
        "skips_unknown",
        lambda ids, vocab: "".join(vocab[i] for i in ids if i < len(vocab)),
        "An id beyond the vocabulary is left out in silence.",
        ERROR,
    ),
    Mistake(
        "question_mark",
        lambda ids, vocab: "".join(dict(enumerate(vocab)).get(i, "?") for i in ids),
        "An id beyond the vocabulary becomes another character.",
        ERROR,
    ),
    Mistake(
        "numbers",
        lambda ids, vocab: "".join(map(str, ids)),
        "It writes the ids themselves as digits.",
        "`vocab[i]`",
    ),
]

EMBED = [
    Mistake(
        "sixteen_bits",
        lambda ids, table: table[ids.to(torch.int16).long()],
        "The ids are squeezed into int16, which ends at 32,767.",
        "Leave the ids as they are.",
    ),
    Mistake(
        "one_up",
        lambda ids, table: table.roll(-1, 0)[ids],
        "Each id gets the row after its own.",
        "Ids count from 0, as rows do.",
    ),
    Mistake(
        "one_down",
        lambda ids, table: table.roll(1, 0)[ids],
        "Each id gets the row before its own: `ids - 1`. For id 0 that is the last row.",
        "Ids count from 0, as rows do.",
    ),
    Mistake(
        "detached",
        lambda ids, table: table.detach()[ids],
        "The rows are cut off from the table: no gradient reaches it, and it never learns.",
        "No `.detach()`, `.data`, `.numpy()`, and no `torch.tensor(…)` around the rows.",
    ),
    Mistake(
        "gradient_mean",
        lambda ids, table: F.embedding(ids, table, scale_grad_by_freq=True),
        "An id that occurs twice gets the mean of its gradients. Backwards, they add up.",
        "Plain indexing adds them up; no `scale_grad_by_freq`.",
    ),
    Mistake(
        "padding_row",
        lambda ids, table: F.embedding(ids, table, padding_idx=0),
        "Row 0 gets no gradient: it is treated as padding. It belongs to a character.",
        "No `padding_idx`.",
    ),
    Mistake(
        "renormalised",
        lambda ids, table: F.embedding(ids, table.detach().clone(), max_norm=1.0),
        "Rows longer than 1 are shortened, and the table is cut off.",
        "No `max_norm`.",
    ),
    Mistake(
        "unit_rows",
        lambda ids, table: F.normalize(table, dim=-1)[ids],
        "The vectors have been brought to length 1. The rows are wanted as they are.",
        "`table[ids]`",
    ),
    Mistake(
        "scaled",
        lambda ids, table: table[ids] * table.shape[1] ** 0.5,
        "The vectors are multiplied by √D, as in the first Transformer (1706.03762). Llama "
        "does not do that.",
        "`table[ids]`",
    ),
    Mistake(
        "float64",
        lambda ids, table: table[ids].double(),
        "The result is float64 whatever the table is.",
        "Keep the table's dtype.",
    ),
    Mistake(
        "float32",
        lambda ids, table: table[ids].float(),
        "The result is float32 whatever the table is.",
        "Keep the table's dtype: nothing is computed here, so nothing is rounded.",
    ),
    Mistake(
        "flat",
        lambda ids, table: table[ids.flatten()],
        "The rows come as one long list: the shape of `ids` is lost.",
        "Index with `ids` as it is, or give the shape back with `.reshape(*ids.shape, -1)`.",
    ),
    Mistake(
        "positions_first",
        lambda ids, table: table[ids].transpose(0, -2),
        "Batch and position are exchanged: it returns (T, B, D).",
        "(B, T) in, (B, T, D) out.",
    ),
    Mistake(
        "features_first",
        lambda ids, table: table[ids].movedim(-1, 0),
        "The features stand first. They belong to the end: (B, T, D).",
        "`table.T[:, ids]` gives (D, B, T); `table[ids]` gives (B, T, D).",
    ),
    Mistake(
        "mean_over_positions",
        lambda ids, table: table[ids].mean(-2),
        "The vectors of a sentence are averaged. Each position keeps its own.",
        "No `.mean`, and no EmbeddingBag.",
    ),
    Mistake(
        "same_row",
        lambda ids, table: table[ids.flatten()[0]].expand(*ids.shape, -1),
        "Every position gets the vector of the first id.",
        "`table[ids]`",
    ),
    Mistake(
        "row_of_the_position",
        lambda ids, table: table[
            (torch.arange(ids.shape[-1], device=ids.device) % len(table)).expand(ids.shape)
        ],
        "Every position gets the row with its own number: the ids are not used.",
        "`table[ids]`",
    ),
    Mistake(
        "sorted_ids",
        lambda ids, table: table[ids.sort().values],
        "The ids of each sequence are sorted first, so the order of the text is lost.",
        "`table[ids]`",
    ),
    Mistake(
        "wraps",
        lambda ids, table: table[ids % len(table)],
        "An id beyond the table begins again at row 0, without an error.",
        "An id that does not exist is a mistake elsewhere: let torch's IndexError show it.",
    ),
    Mistake(
        "clamped",
        lambda ids, table: table[ids.clamp(max=len(table) - 1)],
        "An id beyond the table gets the last row, without an error.",
        "An id that does not exist is a mistake elsewhere: let torch's IndexError show it.",
    ),
    Mistake(
        "eight_bits",
        lambda ids, table: table[ids.to(torch.int8).long()],
        "The ids are squeezed into int8, which ends at 127.",
        "Leave the ids as they are.",
    ),
    Mistake(
        "one_hot",
        lambda ids, table: F.one_hot(ids.long(), len(table)).to(table.dtype),
        "It returns rows of zeros and ones. Multiplied by the table they would be the vectors.",
        "`F.one_hot(ids, V).to(table.dtype) @ table`, or at once `table[ids]`.",
    ),
    Mistake(
        "plus_position",
        lambda ids, table: (
            table[ids] + torch.arange(ids.shape[-1], device=ids.device)[:, None].to(table.dtype)
        ),
        "Something that depends on the position is added. Position is the matter of lab 03.",
        "`table[ids]`",
    ),
]


def batch_of(change: Callable[..., tuple[Tensor, Tensor]]) -> Callable[..., Any]:
    """Build a wrong make_batch from data, starts, context and the positions of the windows."""

    def make_batch(data: Tensor, starts: Tensor, context: int) -> Any:
        positions = starts.long()[:, None] + torch.arange(context, device=starts.device)
        return change(data, positions, starts)

    return make_batch


MAKE_BATCH = [
    Mistake(
        "eight_bits",
        lambda data, starts, context: right.make_batch(data, starts % 256, context),
        "The starts are squeezed into eight bits: what lies beyond place 255 is never read.",
        "Leave the starts as they are, or make them `long`.",
    ),
    Mistake(
        "not_shifted",
        batch_of(lambda data, at, starts: (data[at], data[at])),
        "Inputs and targets are the same: the model would learn to copy, with a loss near 0.",
        "The targets are one step later: `data[positions + 1]`.",
        "huggingface/transformers#48745",
    ),
    Mistake(
        "shifted_twice",
        batch_of(lambda data, at, starts: (data[at], data[(at + 2) % len(data)])),
        "The targets are two steps later: the model would learn to skip a token.",
        "One step: `data[positions + 1]`. And no second shift in the loss.",
    ),
    Mistake(
        "shifted_back",
        batch_of(lambda data, at, starts: (data[at], data[at - 1])),
        "The targets are one step earlier: the model would learn what it has just read.",
        "Plus one, not minus one.",
    ),
    Mistake(
        "swapped",
        batch_of(lambda data, at, starts: (data[at + 1], data[at])),
        "Inputs and targets are exchanged.",
        "`return inputs, targets`; the targets are later.",
    ),
    Mistake(
        "rolled",
        batch_of(lambda data, at, starts: (data[at], data[at].roll(-1, 1))),
        "The last target of each row is the row's own first input: torch.roll goes round.",
        "Take the last target from the data: windows of context + 1, or positions + 1.",
    ),
    Mistake(
        "last_ignored",
        batch_of(lambda data, at, starts: (data[at], F.pad(data[at][:, 1:], (0, 1), value=0))),
        "The last target of each row is filled with 0 instead of the data's next token.",
        "Take the last target from the data: windows of context + 1, or positions + 1.",
    ),
    Mistake(
        "last_repeated",
        batch_of(
            lambda data, at, starts: (data[at], torch.cat([data[at][:, 1:], data[at][:, -1:]], 1))
        ),
        "The last target of each row repeats its last input.",
        "Take the last target from the data: windows of context + 1, or positions + 1.",
    ),
    Mistake(
        "end_of_data",
        batch_of(lambda data, at, starts: (data[at], data[(at + 1).clamp(max=len(data) - 2)])),
        "The last number of the data is never a target.",
        "A window may begin at N − context − 1: its last target is `data[N - 1]`.",
    ),
    Mistake(
        "short_targets",
        batch_of(lambda data, at, starts: (data[at], data[at][:, 1:])),
        "The targets are one shorter than the inputs. Each input has a target.",
        "Take context + 1 numbers, then the first and the last `context` of them.",
    ),
    Mistake(
        "both_short",
        batch_of(lambda data, at, starts: (data[at][:, :-1], data[at][:, 1:])),
        "The windows have context − 1 numbers.",
        "Take context + 1 numbers, then the first and the last `context` of them.",
    ),
    Mistake(
        "long_inputs",
        batch_of(
            lambda data, at, starts: (torch.cat([data[at], data[at[:, -1:] + 1]], 1), data[at + 1])
        ),
        "The inputs have context + 1 numbers: the last target is among them.",
        "Leave the last one out: `window[:, :-1]`.",
    ),
    Mistake(
        "last_target_only",
        batch_of(lambda data, at, starts: (data[at], data[at[:, -1] + 1])),
        "There is one target per window. A model predicts at every position at once.",
        "Targets have the shape (B, context), too.",
    ),
    Mistake(
        "whole_blocks",
        batch_of(
            lambda data, at, starts: tuple(
                data[(at - starts[:, None] + starts[:, None] * at.shape[1] + step) % len(data)]
                for step in (0, 1)
            )
        ),
        "`starts` is taken as the number of a block: each is multiplied by context.",
        "A start is a position in the data.",
    ),
    Mistake(
        "starts_ignored",
        batch_of(
            lambda data, at, starts: (data[at - at[:, :1]], data[(at - at[:, :1] + 1) % len(data)])
        ),
        "Every window begins at 0: `starts` is not used.",
        "`starts[:, None] + torch.arange(context)`",
    ),
    Mistake(
        "first_start_only",
        batch_of(
            lambda data, at, starts: (data[at[:1].expand_as(at)], data[at[:1].expand_as(at) + 1])
        ),
        "Every row is the window of the first start.",
        "`starts[:, None]` has one row per start.",
    ),
    Mistake(
        "one_late",
        batch_of(lambda data, at, starts: (data[at + 1], data[(at + 2) % len(data)])),
        "Every window begins one step late.",
        "The first input is `data[start]` itself.",
    ),
    Mistake(
        "sorted_starts",
        batch_of(lambda data, at, starts: (data[at.sort(0).values], data[at.sort(0).values + 1])),
        "The rows are sorted by where they begin, and no longer belong to `starts`.",
        "Row i is the window of `starts[i]`.",
    ),
    Mistake(
        "transposed",
        batch_of(lambda data, at, starts: (data[at].T, data[at + 1].T)),
        "It returns (context, B). Rows are windows: (B, context).",
        "`starts[:, None] + torch.arange(context)`, not `starts + torch.arange(context)[:, None]`.",
    ),
    Mistake(
        "flat",
        batch_of(lambda data, at, starts: (data[at].flatten(), data[at + 1].flatten())),
        "The windows are glued together into one long row.",
        "`torch.stack`, not `torch.cat`.",
    ),
    Mistake(
        "long",
        batch_of(lambda data, at, starts: (data[at].long(), data[at + 1].long())),
        "The result is int64 whatever the data is.",
        "Keep the data's dtype.",
    ),
    Mistake(
        "float",
        batch_of(lambda data, at, starts: (data[at].float(), data[at + 1].float())),
        "The ids have become floating-point numbers, which cannot look anything up.",
        "Keep the data's dtype; `torch.zeros(B, context)` would be float.",
    ),
    Mistake(
        "stacked",
        batch_of(lambda data, at, starts: torch.stack([data[at], data[at + 1]])),
        "It returns one tensor of (2, B, context). Two tensors are wanted.",
        "`return inputs, targets`",
    ),
    Mistake(
        "positions",
        batch_of(lambda data, at, starts: (at, at + 1)),
        "It returns the positions themselves, not the data that stands there.",
        "`data[positions]`",
    ),
    Mistake(
        "arange_on_cpu",
        lambda data, starts, context: (
            data[starts.long()[:, None] + torch.arange(context)],
            data[starts.long()[:, None] + torch.arange(context) + 1],
        ),
        "torch.arange makes its numbers on the CPU; on a GPU they do not fit to `starts`.",
        "`torch.arange(context, device=starts.device)`",
    ),
]
