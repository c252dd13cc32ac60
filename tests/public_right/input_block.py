"""Lab 01: right answers with the habits of well-known code bases."""

from collections import Counter, defaultdict, deque

import torch
import torch.nn.functional as F
from torch import nn


def nanogpt_vocab(text):
    """nanoGPT's data/shakespeare_char/prepare.py: a list of the set, sorted."""
    chars = sorted(list(set(text)))  # noqa: C414
    return chars


def char_rnn_vocab(text):
    """char-rnn: a table of what has been seen, its keys sorted in place."""
    unordered = {}
    for char in text:
        if char not in unordered:
            unordered[char] = True
    ordered = [char for char in unordered]  # noqa: C416
    ordered.sort()
    return ordered


def d2l_vocab(text):
    """d2l: counts first, then the keys of the counter."""
    return sorted(Counter(text).keys())


def nanogpt_encode(text, vocab):
    """nanoGPT: stoi and a list comprehension; the promised ValueError around it."""
    stoi = {ch: i for i, ch in enumerate(vocab)}
    try:
        return [stoi[c] for c in text]
    except KeyError as error:
        raise ValueError(f"unknown character: {error}") from error


def transformers_encode(text, vocab):
    """HF transformers: convert_tokens_to_ids, with None for what is unknown, then a complaint."""
    encoder = dict(zip(vocab, range(len(vocab)), strict=True))
    ids = [encoder.get(token) for token in list(text)]
    if None in ids:
        raise ValueError(
            f"Token {text[ids.index(None)]} is not in the vocabulary and there is no unk_token."
        )
    return ids


def makemore_encode(text, vocab):
    """A learner's shortest way: the list's own search and its own error."""
    for ch in text:
        if vocab.count(ch) == 0:
            raise ValueError("can't encode " + ch)
    return list(map(vocab.index, text))


def nanogpt_decode(ids, vocab):
    """nanoGPT: itos, a dictionary."""
    itos = {i: ch for i, ch in enumerate(vocab)}  # noqa: C416
    return "".join([itos[i] for i in ids])


def char_rnn_decode(ids, vocab):
    """char-rnn's sample.lua: writes letter by letter."""
    out = ""
    for i in ids:
        out = out + vocab[i]
    return out


def functional_decode(ids, vocab):
    """minGPT's demos: a map over the list's own lookup."""
    return "".join(map(vocab.__getitem__, ids))


def meta_embed(ids, table):
    """Meta's llama: tok_embeddings is a module; here with the table for its weight."""
    return F.embedding(ids, table)


def module_embed(ids, table):
    """lit-gpt: nn.Embedding, whose weight is replaced, so that the gradient still reaches the table."""
    wte = nn.Embedding(table.size(0), table.size(1), device="meta", dtype=table.dtype)
    return torch.func.functional_call(wte, {"weight": table}, (ids,))


def bert_embed(ids, table):
    """google-research/bert with use_one_hot_embeddings: one-hot rows times the table."""
    flat = ids.reshape(-1)
    one_hot = F.one_hot(flat.long(), num_classes=table.shape[0]).to(table.dtype)
    return (one_hot @ table).reshape(*ids.shape, table.shape[1])


def mlx_embed(ids, table):
    """mlx and tinygrad: flatten, pick rows, shape back."""
    return table.index_select(0, ids.flatten()).view(ids.shape + table.shape[-1:])


def nanogpt_batch(data, starts, context):
    """nanoGPT's get_batch: stacks of slices."""
    x = torch.stack([data[i : i + context] for i in starts])
    y = torch.stack([data[i + 1 : i + 1 + context] for i in starts])
    return x, y


def llama2_c_batch(data, starts, context):
    """llama2.c's tinystories.py: chunks one longer than the context, cut at both ends."""
    chunks = []
    for start in starts.tolist():
        chunks.append(data[start : start + context + 1])
    chunk = torch.stack(chunks)
    return chunk[:, :-1], chunk[:, 1:]


def unfold_batch(data, starts, context):
    """torchtitan-like: all windows as a view, then those that are wanted."""
    windows = data.unfold(0, context + 1, 1)[starts]
    return windows[:, :context].contiguous(), windows[:, 1:].contiguous()


def d2l_batch(data, starts, context):
    """d2l: a helper that cuts from a position on, called at j and at j + 1."""

    def cut(pos):
        return data[pos : pos + context]

    X, Y = [], []
    for j in starts:
        X.append(cut(int(j)))
        Y.append(cut(int(j) + 1))
    return torch.stack(X, dim=0), torch.stack(Y, dim=0)


def minbpe_stats(ids):
    """minbpe's get_stats."""
    counts = {}
    for pair in zip(ids, ids[1:]):  # noqa: B905, RUF007
        counts[pair] = counts.get(pair, 0) + 1
    return counts


def course_stats(ids):
    """The Hugging Face course: a defaultdict and places."""
    pair_freqs = defaultdict(int)
    if len(ids) == 1:
        return pair_freqs
    for i in range(len(ids) - 1):
        pair = (ids[i], ids[i + 1])
        pair_freqs[pair] += 1
    return pair_freqs


def scratch_stats(ids):
    """LLMs-from-scratch: a Counter of a zip."""
    return Counter(zip(ids, ids[1:]))  # noqa: B905, RUF007


def minbpe_merge(ids, pair, new_id):
    """minbpe's merge."""
    newids = []
    i = 0
    while i < len(ids):
        if ids[i] == pair[0] and i < len(ids) - 1 and ids[i + 1] == pair[1]:
            newids.append(new_id)
            i += 2
        else:
            newids.append(ids[i])
            i += 1
    return newids


def scratch_merge(ids, pair, new_id):
    """LLMs-from-scratch's replace_pair: a deque."""
    dq, replaced = deque(ids), []
    while dq:
        current = dq.popleft()
        if dq and (current, dq[0]) == pair:
            replaced.append(new_id)
            dq.popleft()
        else:
            replaced.append(current)
    return replaced


def course_merge(ids, pair, new_id):
    """The Hugging Face course's merge_pair: slices around the place, which stays."""
    a, b = pair
    split, i = list(ids), 0
    while i < len(split) - 1:
        if split[i] == a and split[i + 1] == b:
            split = split[:i] + [new_id] + split[i + 2 :]  # noqa: RUF005
        i += 1
    return split


def gpt2_merge(ids, pair, new_id):
    """GPT-2's encoder.py: jumps to the next first half."""
    first, second = pair
    word, new_word, i = tuple(ids), [], 0
    while i < len(word):
        try:
            j = word.index(first, i)
            new_word.extend(word[i:j])
            i = j
        except ValueError:
            new_word.extend(word[i:])
            break
        if word[i] == first and i < len(word) - 1 and word[i + 1] == second:
            new_word.append(new_id)
            i += 2
        else:
            new_word.append(word[i])
            i += 1
    return new_word


def minbpe_train(text, n_merges):
    """minbpe's BasicTokenizer.train; it would fail without a pair, so the promised stop is there."""
    ids = list(text.encode("utf-8"))
    merges = {}
    for i in range(n_merges):
        stats = minbpe_stats(ids)
        if len(stats) == 0:
            break
        pair = max(stats, key=stats.get)
        idx = 256 + i
        ids = minbpe_merge(ids, pair, idx)
        merges[pair] = idx
    return list(merges)


def scratch_train(text, n_merges):
    """LLMs-from-scratch: find_freq_pair gives None when there is none."""

    def find_freq_pair(token_ids):
        pairs = Counter(zip(token_ids, token_ids[1:]))  # noqa: B905, RUF007
        if not pairs:
            return None
        return max(pairs.items(), key=lambda x: x[1])[0]

    token_ids, bpe_merges = list(bytearray(text, "utf-8")), []
    for new_id in range(256, 256 + n_merges):
        pair_id = find_freq_pair(token_ids)
        if pair_id is None:
            break
        token_ids = scratch_merge(token_ids, pair_id, new_id)
        bpe_merges.append(pair_id)
    return bpe_merges


def subword_nmt_train(text, n_merges):
    """subword-nmt: the best of a sort that keeps the order of equals."""
    ids, merges = [*text.encode()], []
    while len(merges) < n_merges:
        stats = course_stats(ids)
        if not stats:
            break
        most_frequent = sorted(stats.items(), key=lambda x: x[1], reverse=True)[0][0]
        ids = course_merge(ids, most_frequent, 256 + len(merges))
        merges.append(most_frequent)
    return merges


def minbpe_encode(text, merges):
    """minbpe: the pair of the lowest rank, until none is known."""
    ranks = {pair: 256 + i for i, pair in enumerate(merges)}
    ids = list(text.encode("utf-8"))
    while len(ids) >= 2:
        stats = minbpe_stats(ids)
        pair = min(stats, key=lambda p: ranks.get(p, float("inf")))
        if pair not in ranks:
            break
        ids = minbpe_merge(ids, pair, ranks[pair])
    return ids


def tiktoken_encode(text, merges):
    """tiktoken's educational bpe_encode: one place at a time, the leftmost of the lowest rank."""
    ranks = {pair: 256 + i for i, pair in enumerate(merges)}
    parts = list(text.encode("utf-8"))
    while True:
        min_idx, min_rank = None, None
        for i, pair in enumerate(zip(parts[:-1], parts[1:])):  # noqa: B905, RUF007
            rank = ranks.get(pair)
            if rank is not None and (min_rank is None or rank < min_rank):
                min_idx, min_rank = i, rank
        if min_rank is None:
            break
        parts = parts[:min_idx] + [min_rank] + parts[min_idx + 2 :]  # noqa: RUF005
    return parts


def gpt2_encode(text, merges):
    """GPT-2's encoder.py: bpe_ranks, get_pairs and word.index."""
    bpe_ranks = dict(zip(merges, range(len(merges)), strict=True))
    word = list(text.encode("utf-8"))
    pairs = set(zip(word[:-1], word[1:]))  # noqa: B905, RUF007
    while pairs:
        bigram = min(pairs, key=lambda pair: bpe_ranks.get(pair, float("inf")))
        if bigram not in bpe_ranks:
            break
        word = gpt2_merge(word, bigram, 256 + bpe_ranks[bigram])
        pairs = set(zip(word[:-1], word[1:]))  # noqa: B905, RUF007
    return word


def minbpe_decode(ids, merges):
    """minbpe: a dictionary of bytes, filled by the merges."""
    vocab = {idx: bytes([idx]) for idx in range(256)}
    for idx, (p0, p1) in enumerate(merges, 256):
        vocab[idx] = vocab[p0] + vocab[p1]
    text_bytes = b"".join(vocab[idx] for idx in ids)
    return text_bytes.decode("utf-8", errors="replace")


def recursive_decode(ids, merges):
    """A learner's way, as in sentencepiece's tree of pieces: each token opens into its halves."""

    def leaves(token):
        if token < 256:
            return [token]
        left, right = merges[token - 256]
        return leaves(left) + leaves(right)

    return bytes(byte for token in ids for byte in leaves(token)).decode(errors="replace")


def buffered_decode(ids, merges):
    """mlx-lm's streaming detokenizer: a buffer of bytes, read at the end."""
    pieces, buffer = [bytes((i,)) for i in range(256)], bytearray()
    pieces += [None] * len(merges)
    for n, (a, b) in enumerate(merges):
        pieces[256 + n] = pieces[a] + pieces[b]
    for token in ids:
        buffer.extend(pieces[token])
    return str(buffer, "utf-8", "replace")


RIGHT = {
    "build_vocab": [nanogpt_vocab, char_rnn_vocab, d2l_vocab],
    "encode": [nanogpt_encode, transformers_encode, makemore_encode],
    "decode": [nanogpt_decode, char_rnn_decode, functional_decode],
    "embed": [meta_embed, module_embed, bert_embed, mlx_embed],
    "make_batch": [nanogpt_batch, llama2_c_batch, unfold_batch, d2l_batch],
    "count_pairs": [minbpe_stats, course_stats, scratch_stats],
    "merge_pair": [minbpe_merge, scratch_merge, course_merge, gpt2_merge],
    "train_bpe": [minbpe_train, scratch_train, subword_nmt_train],
    "encode_bpe": [minbpe_encode, tiktoken_encode, gpt2_encode],
    "decode_bpe": [minbpe_decode, recursive_decode, buffered_decode],
}
