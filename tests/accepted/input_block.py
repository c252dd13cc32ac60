"""Lab 01: right answers, written differently."""

import collections
import functools
import heapq
import itertools

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

Pair = tuple[int, int]


def vocab_karpathy(text: str) -> list[str]:
    """Karpathy's char-rnn and nanoGPT: sorted(list(set(text)))."""
    return sorted(list(set(text)))  # noqa: C414


def vocab_insertion(text: str) -> list[str]:
    """Collect in the order of occurrence, sort in place."""
    chars: list[str] = []
    for c in text:
        if c not in chars:
            chars.append(c)
    chars.sort()
    return chars


def vocab_groups(text: str) -> list[str]:
    """Sort first, then one of each group of equals."""
    return [c for c, _ in itertools.groupby(sorted(text))]


def vocab_counter(text: str) -> list[str]:
    """The keys of a Counter, by code point."""
    return [chr(point) for point in sorted(collections.Counter(map(ord, text)))]


def encode_index(text: str, vocab: list[str]) -> list[int]:
    """list.index, whose own ValueError names the character (up to Python 3.13)."""
    out = []
    for c in text:
        try:
            out.append(vocab.index(c))
        except ValueError:
            raise ValueError(f"unknown: {c}") from None
    return out


def encode_dictionary(text: str, vocab: list[str]) -> list[int]:
    """nanoGPT's stoi, with the KeyError turned into the right error."""
    stoi = {ch: i for i, ch in enumerate(vocab)}
    try:
        return [stoi[c] for c in text]
    except KeyError as error:
        raise ValueError(f"no such character: {error}") from error


def encode_set_first(text: str, vocab: list[str]) -> list[int]:
    """Look for strangers first, and name them all."""
    strangers = set(text) - set(vocab)
    if strangers:
        raise ValueError("not in the vocabulary: " + " ".join(sorted(strangers)))
    return list(map(dict(zip(vocab, range(len(vocab)), strict=True)).__getitem__, text))


def encode_translate(text: str, vocab: list[str]) -> list[int]:
    """A table of code points."""
    table = np.full(0x110000, -1)
    table[[ord(c) for c in vocab]] = range(len(vocab))
    ids = table[[ord(c) for c in text]].tolist() if text else []
    if -1 in ids:
        raise ValueError(repr(text[ids.index(-1)]))
    return ids


class UnknownCharacter(ValueError):
    """An error of one's own, which is a ValueError."""


def encode_own_error(text: str, vocab: list[str]) -> list[int]:
    """Look for strangers first, and raise an error class of one's own that lists all of them."""
    if strangers := sorted(set(text) - set(vocab)):
        raise UnknownCharacter(", ".join(map(repr, strangers)))
    return list(map(vocab.index, text))


def decode_dictionary(ids: list[int], vocab: list[str]) -> str:
    """nanoGPT's itos."""
    itos = dict(enumerate(vocab))
    return "".join([itos[i] for i in ids])


def decode_plus(ids: list[int], vocab: list[str]) -> str:
    """Character added to character."""
    text = ""
    for i in ids:
        text = text + vocab[i]
    return text


def decode_map(ids: list[int], vocab: list[str]) -> str:
    """map and __getitem__."""
    return "".join(map(vocab.__getitem__, ids))


def embed_builtin(ids: Tensor, table: Tensor) -> Tensor:
    """Torch's own F.embedding."""
    return F.embedding(ids, table)


def embed_one_hot(ids: Tensor, table: Tensor) -> Tensor:
    """A product with rows of zeros and ones: what a lookup is."""
    return F.one_hot(ids.long(), table.shape[0]).to(table.dtype) @ table


def embed_index_select(ids: Tensor, table: Tensor) -> Tensor:
    """Flat, by index_select, and back to the shape."""
    return table.index_select(0, ids.reshape(-1)).reshape(ids.shape + table.shape[1:])


def embed_gather(ids: Tensor, table: Tensor) -> Tensor:
    """torch.gather along the rows."""
    flat = ids.long().reshape(-1, 1).expand(-1, table.size(1))
    return torch.gather(table, 0, flat).view(*ids.shape, table.size(1))


def embed_loop(ids: Tensor, table: Tensor) -> Tensor:
    """One row after the other, recursively over the dimensions."""
    if ids.dim() == 0:
        return table[int(ids)]
    return torch.stack([embed_loop(row, table) for row in ids])


def embed_einsum(ids: Tensor, table: Tensor) -> Tensor:
    """One-hot by comparison, and einsum."""
    if (ids >= len(table)).any():
        raise IndexError("no such row")
    hot = ids[..., None] == torch.arange(len(table), device=ids.device)
    return torch.einsum("...v,vd->...d", hot.to(table.dtype), table)


def batch_nanogpt(data: Tensor, starts: Tensor, context: int) -> tuple[Tensor, Tensor]:
    """nanoGPT's get_batch: a stack of slices."""
    x = torch.stack([data[i : i + context] for i in starts])
    y = torch.stack([data[i + 1 : i + 1 + context] for i in starts])
    return x, y


def batch_window(data: Tensor, starts: Tensor, context: int) -> tuple[Tensor, Tensor]:
    """Windows of context + 1, cut twice."""
    window = data[starts.unsqueeze(1) + torch.arange(context + 1, device=starts.device)]
    return window[:, :-1], window[:, 1:]


def batch_unfold(data: Tensor, starts: Tensor, context: int) -> tuple[Tensor, Tensor]:
    """All windows as a view, then the chosen ones."""
    windows = data.unfold(0, context + 1, 1)[starts.long()]
    return windows[:, :context].contiguous(), windows[:, 1:].contiguous()


def batch_list(data: Tensor, starts: Tensor, context: int) -> list[Tensor]:
    """A comprehension over the shift, which gives a list of the two."""
    steps = torch.arange(context, device=data.device)
    return [torch.take(data, (starts[:, None] + steps + shift).long()) for shift in (0, 1)]


def batch_filled(data: Tensor, starts: Tensor, context: int) -> tuple[Tensor, Tensor]:
    """Two empty tensors, filled number by number."""
    x = torch.empty(len(starts), context, dtype=data.dtype, device=data.device)
    y = torch.empty_like(x)
    for b, start in enumerate(starts):
        for t in range(context):
            x[b, t], y[b, t] = data[start + t], data[start + t + 1]
    return x, y


def count_minbpe(ids: list[int]) -> dict[Pair, int]:
    """minbpe's get_stats."""
    counts: dict[Pair, int] = {}
    for pair in zip(ids, ids[1:]):  # noqa: B905, RUF007
        counts[pair] = counts.get(pair, 0) + 1
    return counts


def count_counter(ids: list[int]) -> collections.Counter:
    """A Counter, which is a dictionary."""
    return collections.Counter(itertools.pairwise(ids))


def count_default(ids: list[int]) -> dict[Pair, int]:
    """A defaultdict, over places."""
    counts: dict[Pair, int] = collections.defaultdict(int)
    for i in range(1, len(ids)):
        counts[ids[i - 1], ids[i]] += 1
    return counts


def count_numpy(ids: list[int]) -> dict[Pair, int]:
    """numpy.unique over the rows of pairs; another order of the keys."""
    if len(ids) < 2:
        return {}
    rows, numbers = np.unique(np.stack([ids[:-1], ids[1:]], 1), axis=0, return_counts=True)
    return {tuple(row): n for row, n in zip(rows.tolist(), numbers.tolist(), strict=True)}


def merge_minbpe(ids: list[int], pair: Pair, new_id: int) -> list[int]:
    """minbpe's merge."""
    newids, i = [], 0
    while i < len(ids):
        if ids[i] == pair[0] and i < len(ids) - 1 and ids[i + 1] == pair[1]:
            newids.append(new_id)
            i += 2
        else:
            newids.append(ids[i])
            i += 1
    return newids


def merge_look_back(ids: list[int], pair: Pair, new_id: int) -> list[int]:
    """One pass that looks back: the left half is already written."""
    first, second = pair
    out: list[int] = []
    for token in ids:
        if token == second and out and out[-1] == first:
            out[-1] = new_id
        else:
            out.append(token)
    return out


def merge_iterator(ids: list[int], pair: Pair, new_id: int) -> list[int]:
    """An iterator that is moved on by hand."""
    out, places = [], iter(range(len(ids)))
    for i in places:
        hit = tuple(ids[i : i + 2]) == pair
        out.append(new_id if hit else ids[i])
        if hit:
            next(places)
    return out


def merge_copy(ids: list[int], pair: Pair, new_id: int) -> list[int]:
    """A copy whose slices are replaced."""
    ids, i = list(ids), 0
    while i < len(ids) - 1:
        if ids[i : i + 2] == [*pair]:
            ids[i : i + 2] = [new_id]
        i += 1
    return ids


def merge_characters(ids: list[int], pair: Pair, new_id: int) -> list[int]:
    """One character per id, so that str.replace does it."""
    text = "".join(map(chr, ids))
    return [ord(c) for c in text.replace(chr(pair[0]) + chr(pair[1]), chr(new_id))]


def merge_digits(ids: list[int], pair: Pair, new_id: int) -> list[int]:
    """Replace in a text of numbers, each with blanks of its own on both sides."""
    text = " " + "  ".join(map(str, ids)) + " "
    text = text.replace(f" {pair[0]}  {pair[1]} ", f" {new_id} ")
    return [int(number) for number in text.split()]


def merge_recursive(ids: list[int], pair: Pair, new_id: int) -> list[int]:
    """The head, and the merged rest."""
    if len(ids) < 2:
        return ids[:]
    if (ids[0], ids[1]) == pair:
        return [new_id, *merge_recursive(ids[2:], pair, new_id)]
    return [ids[0], *merge_recursive(ids[1:], pair, new_id)]


def train_minbpe(text: str, n_merges: int) -> list[Pair]:
    """minbpe's BasicTokenizer, with the early stop."""
    ids, merges = list(text.encode("utf-8")), {}
    for i in range(n_merges):
        stats = count_minbpe(ids)
        if not stats:
            break
        pair = max(stats, key=stats.get)
        ids = merge_minbpe(ids, pair, 256 + i)
        merges[pair] = 256 + i
    return list(merges)


def train_counter(text: str, n_merges: int) -> list[Pair]:
    """Counter.most_common(1), which also keeps the first of equals."""
    ids, merges = [*bytes(text, "utf-8")], []
    while len(merges) < n_merges and len(ids) >= 2:
        ((pair, _),) = collections.Counter(itertools.pairwise(ids)).most_common(1)
        ids = merge_look_back(ids, pair, 256 + len(merges))
        merges.append(pair)
    return merges


def train_sorted(text: str, n_merges: int) -> list[Pair]:
    """Ties broken openly, by the place of the first occurrence."""
    ids, merges = list(text.encode()), []
    for new_id in range(256, 256 + n_merges):
        pairs = list(itertools.pairwise(ids))
        if not pairs:
            return merges
        counts = count_numpy(ids)
        best = sorted(counts, key=lambda pair: (-counts[pair], pairs.index(pair)))[0]
        ids, merges = merge_copy(ids, best, new_id), [*merges, best]
    return merges


def train_loop(text: str, n_merges: int) -> list[Pair]:
    """The maximum by hand, with a strict comparison."""
    data = list(text.encode("utf8"))
    learned: list[Pair] = []
    while len(learned) < n_merges:
        best, most = None, 0
        for pair, count in count_default(data).items():
            if count > most:
                best, most = pair, count
        if best is None:
            break
        data = merge_minbpe(data, best, 256 + len(learned))
        learned.append(best)
    return learned


def train_recursive(text: str, n_merges: int) -> list[Pair]:
    """Recursion over the merges that are left."""

    def go(ids: list[int], i: int) -> list[Pair]:
        if i == n_merges or len(ids) < 2:
            return []
        counts = count_counter(ids)
        pair = max(counts, key=counts.__getitem__)
        return [pair, *go(merge_minbpe(ids, pair, 256 + i), i + 1)]

    return go(list(text.encode()), 0)


def encode_in_order(text: str, merges: list[Pair]) -> list[int]:
    """functools.reduce over the merges."""
    return functools.reduce(
        lambda ids, merge: merge_look_back(ids, merge[1], 256 + merge[0]),
        enumerate(merges),
        list(text.encode("utf-8")),
    )


def encode_minbpe(text: str, merges: list[Pair]) -> list[int]:
    """minbpe's encode: again and again the pair with the lowest rank."""
    rank = {pair: 256 + i for i, pair in enumerate(merges)}
    ids = list(text.encode("utf-8"))
    while len(ids) >= 2:
        pair = min(count_minbpe(ids), key=lambda p: rank.get(p, float("inf")))
        if pair not in rank:
            break
        ids = merge_minbpe(ids, pair, rank[pair])
    return ids


def encode_tiktoken(text: str, merges: list[Pair]) -> list[int]:
    """tiktoken's way: one place at a time, the lowest rank, leftmost first."""
    rank = {pair: i for i, pair in enumerate(merges)}
    ids = [*text.encode()]
    while True:
        found = [(rank[p], i) for i, p in enumerate(itertools.pairwise(ids)) if p in rank]
        if not found:
            return ids
        lowest, i = min(found)
        ids[i : i + 2] = [256 + lowest]


def encode_heap(text: str, merges: list[Pair]) -> list[int]:
    """A heap of pairs in a linked list, as fast tokenizers do."""
    rank = {pair: i for i, pair in enumerate(merges)}
    ids: list[int | None] = list(text.encode())
    after, before = [*range(1, len(ids)), None], [None, *range(len(ids) - 1)]
    heap = [(rank[p], i, p) for i, p in enumerate(itertools.pairwise(ids)) if p in rank]
    heapq.heapify(heap)

    def push(i: int | None) -> None:
        if i is not None and after[i] is not None and (p := (ids[i], ids[after[i]])) in rank:
            heapq.heappush(heap, (rank[p], i, p))

    while heap:
        lowest, i, pair = heapq.heappop(heap)
        j = after[i]
        if j is None or (ids[i], ids[j]) != pair:
            continue
        ids[i], ids[j], after[i] = 256 + lowest, None, after[j]
        after[j] = None
        if after[i] is not None:
            before[after[i]] = i
        push(before[i])
        push(i)
    return [token for token in ids if token is not None]


def decode_minbpe(ids: list[int], merges: list[Pair]) -> str:
    """minbpe's vocabulary of bytes."""
    vocab = {idx: bytes([idx]) for idx in range(256)}
    for idx, (p0, p1) in enumerate(merges, start=256):
        vocab[idx] = vocab[p0] + vocab[p1]
    return b"".join(vocab[idx] for idx in ids).decode("utf-8", errors="replace")


def decode_recursive(ids: list[int], merges: list[Pair]) -> str:
    """Take each token apart until only bytes are left."""

    def parts(i: int) -> bytes:
        if i < 256:
            return bytes((i,))
        left, right = merges[i - 256]
        return parts(left) + parts(right)

    return str(b"".join(map(parts, ids)), "utf-8", "replace")


def decode_stack(ids: list[int], merges: list[Pair]) -> str:
    """A stack instead of recursion, and a bytearray."""
    out, stack = bytearray(), list(reversed(ids))
    while stack:
        i = stack.pop()
        if i < 256:
            out.append(i)
        else:
            stack.extend(reversed(merges[i - 256]))
    return out.decode(errors="replace")


def decode_unmerge(ids: list[int], merges: list[Pair]) -> str:
    """Undo the merges, the last one first."""
    if any(i >= 256 + len(merges) for i in ids):
        raise KeyError("no such token")
    for i in reversed(range(len(merges))):
        ids = [x for token in ids for x in (merges[i] if token == 256 + i else (token,))]
    return bytes(ids).decode("utf-8", "replace")


class EmbeddingModule:
    """nn.Embedding with the table as its weight."""

    __name__ = "nn.Embedding"

    def __call__(self, ids: Tensor, table: Tensor) -> Tensor:
        layer = nn.Embedding(*table.shape, _weight=table.detach())
        return torch.func.functional_call(layer, {"weight": table}, (ids,))


ACCEPTED = {
    "build_vocab": [vocab_karpathy, vocab_insertion, vocab_groups, vocab_counter],
    "encode": [
        encode_index,
        encode_dictionary,
        encode_set_first,
        encode_translate,
        encode_own_error,
    ],
    "decode": [decode_dictionary, decode_plus, decode_map],
    "embed": [
        embed_builtin,
        embed_one_hot,
        embed_index_select,
        embed_gather,
        embed_loop,
        embed_einsum,
        EmbeddingModule(),
    ],
    "make_batch": [batch_nanogpt, batch_window, batch_unfold, batch_list, batch_filled],
    "count_pairs": [count_minbpe, count_counter, count_default, count_numpy],
    "merge_pair": [
        merge_minbpe,
        merge_look_back,
        merge_iterator,
        merge_copy,
        merge_characters,
        merge_recursive,
        merge_digits,
    ],
    "train_bpe": [train_minbpe, train_counter, train_sorted, train_loop, train_recursive],
    "encode_bpe": [encode_in_order, encode_minbpe, encode_tiktoken, encode_heap],
    "decode_bpe": [decode_minbpe, decode_recursive, decode_stack, decode_unmerge],
}

# What the browser test types into an exercise cell: exercise, source, key of the mistake.
TYPED = (
    "1.5",
    """def make_batch(data, starts, context):
    positions = starts[:, None] + torch.arange(context, device=starts.device)
    return data[positions], data[positions]
""",
    "not_shifted",
)
