"""Lab 01, slow and obvious: one character, one pair, one byte after the other."""

from itertools import pairwise

import torch
from torch import Tensor

Pair = tuple[int, int]


def build_vocab(text: str) -> list[str]:
    """Collect the characters of the text, each once, sorted."""
    vocab: list[str] = []
    for character in text:
        if character not in vocab:
            vocab.append(character)
    vocab.sort()
    return vocab


def encode(text: str, vocab: list[str]) -> list[int]:
    """Replace each character by its place in the vocabulary."""
    ids = []
    for character in text:
        if character not in vocab:
            raise ValueError(f"the character {character!r} is not in the vocabulary")
        ids.append(vocab.index(character))
    return ids


def decode(ids: list[int], vocab: list[str]) -> str:
    """Replace each id by the character at that place."""
    text = ""
    for i in ids:
        text += vocab[i]
    return text


def embed(ids: Tensor, table: Tensor) -> Tensor:
    """Take one row of the table per id. ids: (...), table: (V, D) → (..., D)."""
    rows = [table[i] for i in ids.flatten().tolist()]
    return torch.stack(rows).reshape(*ids.shape, table.shape[1])


def make_batch(data: Tensor, starts: Tensor, context: int) -> tuple[Tensor, Tensor]:
    """Cut windows out of the data. data: (N,), starts: (B,) → two of (B, context)."""
    inputs = [data[s : s + context] for s in starts.tolist()]
    targets = [data[s + 1 : s + 1 + context] for s in starts.tolist()]
    return torch.stack(inputs), torch.stack(targets)


def count_pairs(ids: list[int]) -> dict[Pair, int]:
    """Count each pair of neighbours."""
    counts: dict[Pair, int] = {}
    for i in range(len(ids) - 1):
        pair = (ids[i], ids[i + 1])
        counts[pair] = counts.get(pair, 0) + 1
    return counts


def merge_pair(ids: list[int], pair: Pair, new_id: int) -> list[int]:
    """Walk from left to right; where the pair stands, write the new id and step over both."""
    merged, i = [], 0
    while i < len(ids):
        if tuple(ids[i : i + 2]) == tuple(pair):
            merged.append(new_id)
            i += 2
        else:
            merged.append(ids[i])
            i += 1
    return merged


def first_most_frequent(ids: list[int]) -> Pair:
    """Return the most frequent pair; of several, the one that occurs first."""
    counts = count_pairs(ids)
    most = max(counts.values())
    return next(pair for pair in pairwise(ids) if counts[pair] == most)


def train_bpe(text: str, n_merges: int) -> list[Pair]:
    """Merge the most frequent pair again and again."""
    ids, merges = list(text.encode("utf-8")), []
    while len(merges) < n_merges and len(ids) > 1:
        pair = first_most_frequent(ids)
        ids = merge_pair(ids, pair, 256 + len(merges))
        merges.append(pair)
    return merges


def encode_bpe(text: str, merges: list[Pair]) -> list[int]:
    """Apply every merge to the whole text, in the order in which they were learned."""
    ids = list(text.encode("utf-8"))
    for i, pair in enumerate(merges):
        ids = merge_pair(ids, pair, 256 + i)
    return ids


def token_bytes(merges: list[Pair]) -> list[bytes]:
    """Return the bytes of every token: of the 256 single ones, then of the merges."""
    tokens = [bytes([i]) for i in range(256)]
    for first, second in merges:
        tokens.append(tokens[first] + tokens[second])
    return tokens


def decode_bpe(ids: list[int], merges: list[Pair]) -> str:
    """Join the bytes of all tokens, and only then read them as UTF-8."""
    tokens = token_bytes(merges)
    return b"".join(tokens[i] for i in ids).decode("utf-8", errors="replace")
