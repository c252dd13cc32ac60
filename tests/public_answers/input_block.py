"""Lab 01: mistakes that somebody made in public, rewritten as answers to the exercises."""

from collections import Counter, defaultdict
from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import nn
from wrong_answers import Public


def set_order(text):
    chars = list(set(text))
    return chars


def unwrap_or_zero(text, vocab):
    stoi = {}
    for i, ch in enumerate(vocab):
        stoi[ch] = i
    return [stoi.get(ch, 0) for ch in text]


def default_dict_stoi(text, vocab):
    stoi = defaultdict(int)
    stoi.update({ch: i for i, ch in enumerate(vocab)})
    return [stoi[ch] for ch in text]


def dropped_symbols(text, vocab):
    token_to_id = {token: i for i, token in enumerate(vocab)}
    return [token_to_id[ch] for ch in text if ch in token_to_id]


def padding_row(ids, table):
    embedding = nn.Embedding.from_pretrained(table, freeze=False, padding_idx=0)
    return F.embedding(ids, table, padding_idx=embedding.padding_idx)


def zeros_out_of_range(ids, table):
    known = (ids >= 0) & (ids < table.size(0))
    rows = F.embedding(ids.clamp(0, table.size(0) - 1), table)
    return rows * known.unsqueeze(-1).to(table.dtype)


def shifted_by_dataset_and_loss(data, starts, context):
    chunks = torch.stack([data[s : s + context + 2] for s in starts.tolist()])
    inputs, labels = chunks[:, :-1], chunks[:, 1:]
    return inputs[:, :-1], labels[:, 1:]


def copied_labels(data, starts, context):
    batch = torch.stack([data[i : i + context] for i in starts])
    return batch, batch.clone()


def float_batch(data, starts, context):
    x = [data[s : s + context].tolist() for s in starts]
    y = [data[s + 1 : s + 1 + context].tolist() for s in starts]
    return torch.tensor(x, dtype=torch.float32), torch.tensor(y, dtype=torch.float32)


def non_overlapping_counts(ids):
    counts, i = {}, 0
    while i < len(ids) - 1:
        pair = (ids[i], ids[i + 1])
        counts[pair] = counts.get(pair, 0) + 1
        i += 2 if pair == tuple(ids[i + 1 : i + 3]) else 1
    return counts


def last_batch_lost(ids):
    pairs, counts = list(pairwise(ids)), Counter()
    for start in range(0, len(pairs) - 3, 4):  # whole batches of four
        counts.update(pairs[start : start + 4])
    return dict(counts)


def vectorised_merge(ids, pair, new_id):
    row = torch.tensor(ids)
    if len(row) < 2:
        return row.tolist()
    hit = (row[:-1] == pair[0]) & (row[1:] == pair[1])
    row[:-1][hit] = new_id
    keep = torch.ones(len(row), dtype=torch.bool)
    keep[1:][hit] = False
    return row[keep].tolist()


def merge_in_place(ids, pair, new_id):
    i = 0
    while i < len(ids) - 1:
        if ids[i] == pair[0] and ids[i + 1] == pair[1]:
            ids[i] = new_id
            del ids[i + 1]
        i += 1
    return ids


def _merge(ids, pair, idx):
    out, i = [], 0
    while i < len(ids):
        if i < len(ids) - 1 and (ids[i], ids[i + 1]) == tuple(pair):
            out.append(idx)
            i += 2
        else:
            out.append(ids[i])
            i += 1
    return out


def once_counted_training(text, n_merges):
    """The next pairs of one count are taken together: several merges per count."""
    ids, merges = list(text.encode("utf-8")), []
    while len(merges) < n_merges:
        stats = Counter(pairwise(ids))
        if not stats:
            break
        for pair, _ in stats.most_common(2):
            if len(merges) == n_merges:
                break
            ids = _merge(ids, pair, 256 + len(merges))
            merges.append(pair)
    return merges


def stops_below_two(text, n_merges):
    ids, merges = list(text.encode("utf-8")), []
    for i in range(n_merges):
        stats = {}
        for pair in pairwise(ids):
            stats[pair] = stats.get(pair, 0) + 1
        if not stats:
            break
        best = max(stats, key=stats.get)
        if stats[best] < 2:
            print("no pair has frequency >= 2. Stopping")
            break
        ids = _merge(ids, best, 256 + i)
        merges.append(best)
    return merges


def lexicographic_ties(text, n_merges):
    ids, merges = list(text.encode("utf-8")), []
    for i in range(n_merges):
        stats = Counter(pairwise(ids))
        if not stats:
            break
        best = max(stats, key=lambda p: (stats[p], p))
        ids = _merge(ids, best, 256 + i)
        merges.append(best)
    return merges


def non_overlapping_training(text, n_merges):
    ids, merges = list(text.encode("utf-8")), []
    for i in range(n_merges):
        stats = non_overlapping_counts(ids)
        if not stats:
            break
        best = max(stats, key=stats.get)
        ids = _merge(ids, best, 256 + i)
        merges.append(best)
    return merges


def stale_heap(text, n_merges):
    """Pairs whose count has fallen are never looked at again."""
    ids, merges, dead = list(text.encode("utf-8")), [], set()
    before = Counter(pairwise(ids))
    for i in range(n_merges):
        live = {p: n for p, n in before.items() if p not in dead}
        if not live:
            break
        best = max(live, key=live.get)
        ids = _merge(ids, best, 256 + i)
        merges.append(best)
        after = Counter(pairwise(ids))
        dead |= {p for p in before if after[p] < before[p]}
        before = after
    return merges


def left_to_right(text, merges):
    rank = {pair: 256 + i for i, pair in enumerate(merges)}
    out = []
    for byte in text.encode("utf-8"):
        out.append(byte)
        while len(out) > 1 and (out[-2], out[-1]) in rank:
            second, first = out.pop(), out.pop()
            out.append(rank[first, second])
    return out


def any_mergeable_pair(text, merges):
    """Walks through and merges whatever can be merged, until nothing can."""
    ranks = {pair: i for i, pair in enumerate(merges)}
    tokens, again = list(text.encode("utf-8")), True
    while again and len(tokens) > 1:
        again, out, i = False, [], 0
        while i < len(tokens):
            if tuple(tokens[i : i + 2]) in ranks:
                out.append(256 + ranks[tokens[i], tokens[i + 1]])
                i, again = i + 2, True
            else:
                out.append(tokens[i])
                i += 1
        tokens = out
    return tokens


def longest_match(text, merges):
    pieces = {bytes([i]): i for i in range(256)}
    names = [bytes([i]) for i in range(256)]
    for first, second in merges:
        names.append(names[first] + names[second])
        pieces.setdefault(names[-1], len(names) - 1)
    data, out, start = text.encode("utf-8"), [], 0
    while start < len(data):
        end = len(data)
        while data[start:end] not in pieces:
            end -= 1
        out.append(pieces[data[start:end]])
        start = end
    return out


def glyphs_for_bytes(text, merges):
    ids = [ord(c) if ord(c) < 256 else c.encode("utf-8")[0] for c in text]
    for i, pair in enumerate(merges):
        ids = _merge(ids, pair, 256 + i)
    return ids


def _table(merges):
    vocab = {i: bytes([i]) for i in range(256)}
    for i, (a, b) in enumerate(merges):
        vocab[256 + i] = vocab[a] + vocab[b]
    return vocab


def strict_decode(ids, merges):
    vocab = _table(merges)
    return b"".join(vocab[i] for i in ids).decode("utf-8")


def token_by_token(ids, merges):
    vocab = _table(merges)
    text = ""
    for i in ids:
        text += vocab[i].decode("utf-8", errors="replace")
    return text


def real_characters(ids, merges):
    """Tokens are characters of their own: chr(i) in UTF-8, so 128 to 255 are two bytes."""
    vocab = {i: chr(i).encode("utf-8") for i in range(256)}
    for i, (a, b) in enumerate(merges):
        vocab[256 + i] = vocab[a] + vocab[b]
    return b"".join(vocab[i] for i in ids).decode("utf-8", errors="replace")


def finalize_ignores(ids, merges):
    vocab = _table(merges)
    raw = b"".join(vocab[i] for i in ids)
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        return raw.decode("utf-8", errors="ignore")


PUBLIC = {
    "build_vocab": [
        Public(
            set_order,
            "karpathy/minGPT#21",
            "the characters come in the set's order, not sorted",
            named=("order_of_a_set",),
        ),
    ],
    "encode": [
        Public(
            unwrap_or_zero,
            "warpfront/hipfire#203",
            "unknown characters become 0 in silence",
            named=("zero",),
        ),
        Public(
            default_dict_stoi,
            "pytorch/text#183",
            "unknown characters become 0 in silence: a dictionary with a default",
            named=("zero",),
        ),
        Public(
            dropped_symbols,
            "warpfront/hipfire#203",
            "unknown characters are skipped in silence",
            named=("skipped",),
        ),
    ],
    "embed": [
        Public(
            padding_row,
            "ibalazevic/TuckER#17",
            "row 0 gets no gradient: padding_idx=0",
            named=("padding_row",),
        ),
        Public(
            zeros_out_of_range,
            "tensorflow/tensorflow#13642",
            "an id beyond the table becomes a row of zeros",
            named=("zeros_beyond",),
        ),
    ],
    "make_batch": [
        Public(
            shifted_by_dataset_and_loss,
            "wdndev/tiny-llm-zh#10",
            "the targets are two steps later: shifted twice",
            named=("shifted_twice",),
        ),
        Public(
            copied_labels,
            "songlab-cal/tape#32",
            "the targets are not shifted: they are the inputs",
            named=("not_shifted",),
        ),
        Public(
            float_batch,
            "ShusenTang/Dive-into-DL-PyTorch#160",
            "the result is float32, whatever the data has",
            named=("float",),
        ),
    ],
    "count_pairs": [
        Public(
            non_overlapping_counts,
            "karpathy/minbpe#72",
            "an id that was counted in a pair is used up: no overlap between equal pairs",
            named=("without_overlap",),
        ),
        Public(
            last_batch_lost,
            "huggingface/tokenizers#179",
            "counts in batches, and the last, short batch is left out",
            named=("last_batch_missing",),
        ),
    ],
    "merge_pair": [
        Public(
            vectorised_merge,
            "karpathy/minbpe#38",
            "overlapping places are all replaced: aaa becomes one token",
            named=("all_at_once",),
        ),
        Public(
            merge_in_place,
            "karpathy/minbpe#46",
            "works in the list that it was given",
            named=("in_place",),
        ),
    ],
    "train_bpe": [
        Public(
            once_counted_training,
            "karpathy/minbpe#69",
            "takes the two most frequent pairs of one count",
            named=("two_per_count",),
        ),
        Public(
            stops_below_two,
            "rsennrich/subword-nmt#63",
            "stops when the most frequent pair occurs only once",
            named=("frequent_only",),
        ),
        Public(
            lexicographic_ties,
            "karpathy/minbpe#90",
            "a tie goes to the pair with the larger ids",
            named=("tie_largest",),
        ),
        Public(
            non_overlapping_training,
            "karpathy/minbpe#51",
            "counts without overlap, so aaaa counts (a, a) twice only",
            named=("count_without_overlap",),
        ),
        Public(
            stale_heap,
            "umran666/UniqToken#8",
            "pairs whose count has fallen once are never looked at again",
            named=("stale_counts",),
        ),
    ],
    "encode_bpe": [
        Public(
            left_to_right,
            "ztxz16/fastllm#715",
            "merges from left to right, each new byte with what stands before it, not in the learned order",
            named=("text_order",),
        ),
        Public(
            any_mergeable_pair,
            "rasbt/LLMs-from-scratch#558",
            "walks from left to right and merges whatever pair is known, not in the learned order",
            named=("text_order",),
        ),
        Public(
            longest_match,
            "paiml/aprender#3677",
            "takes the longest token that fits, without the merges' order",
            named=("longest_match",),
        ),
        Public(
            glyphs_for_bytes,
            "paiml/aprender#3677",
            "takes é's code point for a byte, not its two UTF-8 bytes",
            named=("characters",),
        ),
    ],
    "decode_bpe": [
        Public(strict_decode, "karpathy/minbpe#96", "broken bytes are an error", named=("strict",)),
        Public(
            token_by_token,
            "exo-explore/exo#1691",
            "each token is decoded by itself",
            named=("token_by_token",),
        ),
        Public(
            real_characters,
            "karpathy/minbpe#96",
            "a byte from 128 on is taken for the character with that number",
            named=("latin_1",),
        ),
        Public(
            finalize_ignores,
            "Blaizzy/mlx-vlm#835",
            "broken bytes are dropped in silence",
            named=("invalid_ignored",),
        ),
    ],
}
