"""01 · Input block (made from solutions/01_input_block.py by tools/build.py)."""

from itertools import pairwise

import torch
from torch import Tensor


def build_vocab(text: str) -> list[str]:
    """List the distinct characters of a text, sorted.

    >>> build_vocab("hello")
    ['e', 'h', 'l', 'o']
    """
    return sorted(set(text))


def encode(text: str, vocab: list[str]) -> list[int]:
    """Replace each character by its place in the vocabulary, whatever order that has.

    Raises ValueError, with the character in its message, when one is not in the vocabulary.

    >>> encode("hello", ["e", "h", "l", "o"])
    [1, 0, 2, 2, 3]
    """
    places = {character: i for i, character in enumerate(vocab)}
    ids = []
    for character in text:
        if character not in places:
            raise ValueError(f"{character!r} is not in the vocabulary")
        ids.append(places[character])
    return ids


def decode(ids: list[int], vocab: list[str]) -> str:
    """Replace each id by the character at that place in the vocabulary, and join them.

    An id beyond the vocabulary is an error (IndexError or KeyError).

    >>> decode([1, 0, 2, 2, 3], ["e", "h", "l", "o"])
    'hello'
    """
    return "".join(vocab[i] for i in ids)


def embed(ids: Tensor, table: Tensor) -> Tensor:
    """Look up one row of the table for each id.

    ids: (B, T) or any other shape, whole numbers; table: (V, D) → (B, T, D), the table's dtype.

    An id beyond the table is an error, as torch raises it.

    >>> table = torch.tensor([[0.0, 1.0], [2.0, 3.0], [4.0, 5.0]])
    >>> embed(torch.tensor([[2, 0]]), table)
    tensor([[[4., 5.],
             [0., 1.]]])
    """
    return table[ids]  # (B, T, D)


def make_batch(data: Tensor, starts: Tensor, context: int) -> tuple[Tensor, Tensor]:
    """Cut windows out of the data; the targets are the inputs one step later.

    data: (N,), starts: (B,), each at most N - context - 1 → inputs and targets, both (B, context), the data's dtype.

    >>> make_batch(torch.tensor([10, 11, 12, 13, 14, 15]), torch.tensor([3, 0]), context=2)
    (tensor([[13, 14],
            [10, 11]]), tensor([[14, 15],
            [11, 12]]))
    """
    positions = starts[:, None] + torch.arange(context, device=starts.device)  # (B, context)
    return data[positions], data[positions + 1]


def count_pairs(ids: list[int]) -> dict[tuple[int, int], int]:
    """Count every pair of neighbours, also those that overlap: 7 7 7 holds (7, 7) twice.

    >>> count_pairs([5, 6, 5, 6, 6])
    {(5, 6): 2, (6, 5): 1, (6, 6): 1}
    """
    counts = {}
    for pair in pairwise(ids):
        counts[pair] = counts.get(pair, 0) + 1
    return counts


def merge_pair(ids: list[int], pair: tuple[int, int], new_id: int) -> list[int]:
    """Replace the pair by the new id wherever it stands, from left to right and without overlap.

    Returns a new list; `ids` stays as it is.

    >>> merge_pair([1, 2, 3, 1, 2], (1, 2), 4)
    [4, 3, 4]
    """
    merged, i = [], 0
    while i < len(ids):
        if i + 1 < len(ids) and (ids[i], ids[i + 1]) == pair:
            merged.append(new_id)
            i += 2
        else:
            merged.append(ids[i])
            i += 1
    return merged


def train_bpe(text: str, n_merges: int) -> list[tuple[int, int]]:
    """Learn merges from the UTF-8 bytes of a text: the most frequent pair, again and again.

    Merge i makes token 256 + i. A tie goes to the pair that occurs first in the text as it is by then.
    Stops early when no pair is left.

    >>> train_bpe("abcabc abd", 2)   # ab three times, then (256, c) twice
    [(97, 98), (256, 99)]
    """
    ids = list(text.encode("utf-8"))
    merges = []
    for i in range(n_merges):
        counts = count_pairs(ids)
        if not counts:
            break
        pair = max(counts, key=counts.get)
        ids = merge_pair(ids, pair, 256 + i)
        merges.append(pair)
    return merges


def encode_bpe(text: str, merges: list[tuple[int, int]]) -> list[int]:
    """Cut a text into tokens: its UTF-8 bytes, merged in the order in which the merges were learned.

    >>> encode_bpe("abc", [(98, 99), (97, 98)])   # b c was learned first
    [97, 256]
    """
    ids = list(text.encode("utf-8"))
    for i, pair in enumerate(merges):
        ids = merge_pair(ids, pair, 256 + i)
    return ids


def decode_bpe(ids: list[int], merges: list[tuple[int, int]]) -> str:
    """Join the bytes of all tokens and read them as UTF-8; invalid bytes become U+FFFD.

    An id that no merge has made is an error (IndexError or KeyError).

    >>> decode_bpe([257, 33], [(104, 105), (256, 256)])   # 256 is hi, 257 is hihi
    'hihi!'
    """
    tokens = [bytes([i]) for i in range(256)]
    for first, second in merges:
        tokens.append(tokens[first] + tokens[second])
    return b"".join(tokens[i] for i in ids).decode("utf-8", errors="replace")
