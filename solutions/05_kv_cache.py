# %% [markdown]
# # 05 · The KV cache
#
# *75 minutes without 5.5, which may be skipped: 40 to read and try, 35 to write. With it it takes 85. The cells compute for about 20 seconds, most of them in 5.2 and 5.4.*
#
# A language model writes one token, appends it to the text, and then reads the text again to write the next one. All of it,
# from the first word. In this lab you make it remember what it has read. Its answers stay the same, up to rounding. What
# changes is the work behind each of them, and the memory that it takes.

# %% id="setup"
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

# %% id="imports"
import functools
from collections.abc import Callable
from dataclasses import dataclass

import torch
from my_llama import (
    MultiHeadAttention,
    apply_rope,
    attention,
    causal_mask,
    merge_heads,
    rope_angles,
    rope_frequencies,
    split_heads,
)
from torch import Tensor, nn
from torch.nn import functional as F

from checks import kv_cache as check
from plots import kv_cache as plot
from plots.measure import one_thread
from plots.show import show

# %% [markdown]
# House rules, as in every lab: inputs stay as they are; new tensors go on the inputs' device; half precision is computed in float32 and
# given back in its dtype; gradients flow.
#
# ## 5.0 The problem: everything again
#
# Your attention layer of lab 04 reads a text of three tokens. Then a fourth token is appended, and it reads all four. Lab 04 ended with it:
# rows that are computed already do not move when the text grows.

# %% id="three-then-four"
torch.manual_seed(0)
text, frequencies = torch.randn(1, 4, 64), rope_frequencies(16)


def read(layer: nn.Module, n: int) -> Tensor:
    """The output for the first n tokens of the text: (1, n, 64)."""
    return layer(text[:, :n], rope_angles(torch.arange(n), frequencies))


def change_of_each_row() -> list[float]:
    layer = MultiHeadAttention(64, 4)
    changes = (read(layer, 4)[:, :3] - read(layer, 3)).abs().amax(dim=(0, 2))
    return [round(change, 5) for change in changes.tolist()]


show("largest change in rows 0, 1 and 2", change_of_each_row)

# %% [markdown]
# A token sees itself and what stands before it, and nothing that comes later can reach it. So the first three rows
# are work done twice. In a stack of layers it is the same: what the second layer sees of the first three tokens
# has not changed either, so it computes the same again, and so does every layer above.
#
# Only the last row is new. Written out for the newest token *t*:
#
# $$o_t = \sum_{s \le t} \mathrm{softmax}_s\!\left(\frac{q_t \cdot k_s}{\sqrt d}\right) v_s$$
#
# $o_t$ is its output, $q_t$ its query, $k_s$ and $v_s$ are the keys and values of all tokens up to it, and *d* is the head size.
# Look which letters have the index *t*, and which ones run over *s*.
#
# In the picture one token is changed, but only for one of its three vectors at a time: its query, its key or its value. Your layer of
# lab 04 computes all eight outputs each time. A filled cell is an output that moved, and the number says how far.
#
# **Predict.** Token 4 of 8. How many outputs does its query move? And its key?

# %% id="plot-5-0"
plot.readers(MultiHeadAttention)

# %% [markdown]
# <details><summary>Answer</summary>
#
# Its query moves one output, its own. Its key moves five: its own and the four that come later. The value does the same.
# (The first token is a special case. It has only itself to look at, with weight 1 whatever its query says.)
#
# </details>
#
# This is the whole idea. A **key** and a **value** are read again by every token that comes later, and they never change: keep
# them. A **query** is read once, in its own step: nobody ever asks for it again, so there is nothing to keep. Hence *KV*
# cache, and not QKV cache.

# %% [markdown]
# ## 5.1 Slots
#
# Where to keep them? The obvious way is `torch.cat`: old keys and the new one. But it copies all the old keys for each
# new token, and for 1,000 tokens that makes 499,500 copies of a position. So take the memory once, with room for `max_len`
# positions, and fill it slot by slot. A number, `length`, says how many slots are written. The others may hold zeros, or whatever
# was in that memory before.
#
# The prompt arrives as many positions at once, later tokens one at a time. `update` must take both. In the shapes K is the number of heads
# that have keys and values: the H of lab 04. In lab 06 it becomes smaller.


# %%
# EXERCISE 5.1 · KVCache
@dataclass
class KVCache:
    """The keys and values of one layer: room for max_len positions, the first `length` written.

    >>> cache = KVCache.empty(batch=1, n_kv_heads=1, max_len=4, head_dim=2)
    >>> first = cache.update(torch.tensor([[[[1.0, 2.0]]]]), torch.tensor([[[[3.0, 4.0]]]]))
    >>> keys, values = cache.update(torch.tensor([[[[5.0, 6.0]]]]), torch.tensor([[[[7.0, 8.0]]]]))
    >>> keys   # of both positions
    tensor([[[[1., 2.],
              [5., 6.]]]])
    >>> cache.length
    2
    """

    keys: Tensor  # (B, K, max_len, d)
    values: Tensor  # (B, K, max_len, d)
    length: int  # positions written so far

    @classmethod
    def empty(
        cls,
        batch: int,
        n_kv_heads: int,
        max_len: int,
        head_dim: int,
        dtype: torch.dtype = torch.float32,
        device: torch.device | str | None = None,
    ) -> "KVCache":
        """Make a cache with nothing in it: two buffers (B, K, max_len, d), length 0."""
        ### BEGIN SOLUTION
        shape = (batch, n_kv_heads, max_len, head_dim)
        keys = torch.zeros(shape, dtype=dtype, device=device)
        values = torch.zeros(shape, dtype=dtype, device=device)
        return cls(keys, values, length=0)
        ### END SOLUTION

    def update(self, k: Tensor, v: Tensor) -> tuple[Tensor, Tensor]:
        """Store T new positions; return the keys and values of all positions so far.

        k, v: (B, K, T, d) → two of (B, K, length, d), in the cache's dtype. ValueError when there
        is no room for T more positions, and then the cache is unchanged.
        """
        ### BEGIN SOLUTION
        end, room = self.length + k.shape[2], self.keys.shape[2]
        if end > room:
            raise ValueError(f"{end} positions do not fit into a cache of {room}")
        self.keys[:, :, self.length : end] = k
        self.values[:, :, self.length : end] = v
        self.length = end
        return self.keys[:, :, :end], self.values[:, :, :end]
        ### END SOLUTION


# %%
check.KVCache(KVCache)

# %% [markdown]
# Here your cache has eight slots, and its keys are just numbers: 1 for the first position, 2 for the second.
# Outlined: what the last update wrote, and what it returned. The fifth update does not fit.

# %%
plot.slots(KVCache)

# %% [markdown]
# ## 5.2 Attention with a memory
#
# The layer gets only what is new, T tokens, and their T angles. It computes queries, keys and values for these alone.
# Then it puts the new keys and values into the cache and takes out all S. The T queries meet S keys: the scores are a
# rectangle, T × S. Your `causal_mask(n_queries, n_keys)` of lab 04 was made for that: its queries are the *last* T of the S positions.
#
# | | T | S | is called |
# |---|---|---|---|
# | without cache | all | all | training |
# | the prompt | all of it | the same | prefill |
# | one new token | 1 | all so far | decode |
# | a few new tokens | a few | all so far | a chunk |
#
# With T = 1 the mask hides nothing. With a chunk it is needed again. To leave it out as soon as there is a cache is a common
# mistake, and with one token at a time nobody notices.
#
# **Predict.** RoPE turns a key by its position, and the cache keeps the turned key. Four more tokens come. Must the old keys be
# turned on by four positions, too?


# %% id="turned-once"
def score(query_at: int, key_at: int) -> float:
    """The same query times the same key, each turned by the position given."""
    q, k = torch.randn(2, 1, 16, generator=torch.Generator().manual_seed(0))
    places = (torch.tensor([at]) for at in (query_at, key_at))
    q, k = (
        apply_rope(x, rope_angles(at, frequencies)) for x, at in zip((q, k), places, strict=True)
    )
    return round((q * k).sum().item(), 3)


show("query at 5, key at 2, distance 3           ", lambda: score(5, 2))
show("query at 9, key left alone at 2, distance 7", lambda: score(9, 2))
show("query at 9, key turned on to 6             ", lambda: score(9, 6))

# %% [markdown]
# <details><summary>Answer</summary>
#
# No. A key is turned once, by its own position, and that never changes. The new query is turned further, and the score depends on the
# difference of the two angles: the distance, now 7. Turn the old key as well, and the score is that of distance 3 again, as if
# the key had moved along with the query.
#
# </details>


# %%
# EXERCISE 5.2 · CachedAttention
class CachedAttention(nn.Module):
    """MultiHeadAttention that can go on where it stopped: what is in the cache is not computed again.

    Four linear maps without bias, wq, wk, wv and wo, each dim → dim. RoPE turns queries and keys, never
    values. Without a cache it is MultiHeadAttention, and it keeps nothing between two calls.

    >>> one, none = torch.eye(2), torch.zeros(2, 2)
    >>> layer = CachedAttention(dim=2, n_heads=1)   # all scores 0: the output is the mean so far
    >>> _ = layer.load_state_dict(
    ...     {"wq.weight": none, "wk.weight": none, "wv.weight": one, "wo.weight": one})
    >>> cache, still = KVCache.empty(1, 1, 8, 2), torch.zeros(1, 1)
    >>> layer(torch.tensor([[[2.0, 0.0]]]), still, cache).tolist()
    [[[2.0, 0.0]]]
    >>> layer(torch.tensor([[[0.0, 4.0]]]), still, cache).tolist()   # of (2, 0) and (0, 4)
    [[[1.0, 2.0]]]
    """

    def __init__(self, dim: int, n_heads: int) -> None:
        super().__init__()
        ### BEGIN SOLUTION
        self.n_heads = n_heads
        self.wq = nn.Linear(dim, dim, bias=False)
        self.wk = nn.Linear(dim, dim, bias=False)
        self.wv = nn.Linear(dim, dim, bias=False)
        self.wo = nn.Linear(dim, dim, bias=False)
        ### END SOLUTION

    def forward(self, x: Tensor, angles: Tensor, cache: KVCache | None = None) -> Tensor:
        """x: (B, T, dim), angles: (T, d/2), those of the T positions in x → (B, T, dim)."""
        ### BEGIN SOLUTION
        q, k, v = (split_heads(w(x), self.n_heads) for w in (self.wq, self.wk, self.wv))
        q, k = apply_rope(q, angles), apply_rope(k, angles)  # (B, H, T, d)
        if cache is not None:
            k, v = cache.update(k, v)  # (B, H, S, d)
        mask = causal_mask(q.shape[2], k.shape[2]).to(x.device)  # (T, S)
        return self.wo(merge_heads(attention(q, k, v, mask)))
        ### END SOLUTION


# %%
check.CachedAttention(CachedAttention)

# %% [markdown]
# Your layer reads a sentence word by word: on the left without a cache, on the right with yours. The queries and keys are those of
# a real head, SmolLM2's layer 13, head 8; the weights in the cells are what your layer makes of them. The picture
# watched your layer at work. *Computed*: it made this query, key, value or score in this step. *Read*: it used
# one that it had not computed. Each score is one square in the heap.
#
# Look at row "it", and at the hatched rows: on the left the same numbers come out again, step after step. And look at Q:
# on the right it is never read. That is why no cache keeps it.
#
# **Predict.** At step 8: how many scores on the left, how many on the right, and how many so far, all steps together? And if the
# first five words are a prompt, read at once: how many then?

# %%
plot.heatmaps(CachedAttention, KVCache)

# %% [markdown]
# <details><summary>Answer</summary>
#
# 64 and 8; so far 204 and 36. And the last rows are the same, which is the point: nothing was left out that mattered. A prompt
# of five is a square on both sides, 25 scores; after it come 36, 49 and 64 on the left and 6, 7 and 8 on the right: 174
# against 46.
#
# </details>
#
# Break it, to see what forgetting looks like: let your layer call `cache.update(k, v)` and ignore what it returns. Run the
# exercise's cell and the picture once more. The new token then sees only itself, and the picture says so. (Then mend it.)

# %% [markdown]
# ## 5.3 Generate, the slow way
#
# Generation is a loop around a model. Here `step` is the model: it takes token ids, (1, T), and returns for each of them
# the logits of the token that comes next, (1, T, V). Logits are scores before the softmax, one for each of the V tokens of the
# vocabulary. *Greedy* means: always take the token with the largest logit. (Lab 10 draws at random instead.)
#
# Without a cache `step` knows only what it is given, so it is given everything, each time.


# %%
# EXERCISE 5.3 · generate_greedy
def generate_greedy(step: Callable[[Tensor], Tensor], ids: Tensor, n_new: int) -> Tensor:
    """Append the likeliest next token, n_new times; step sees the whole sequence each time.

    step: (1, T) ids → (1, T, V) logits, called n_new times. ids: (1, T), left as it is
    → (1, T + n_new). Of equal logits the first one counts, as in torch.argmax.

    >>> follows = torch.eye(10).roll(1, dims=1)   # row t is largest at t + 1: a model that counts
    >>> generate_greedy(lambda ids: follows[ids], torch.tensor([[5, 3]]), 3)
    tensor([[5, 3, 4, 5, 6]])
    """
    ### BEGIN SOLUTION
    for _ in range(n_new):
        new = step(ids)[:, -1:].argmax(dim=-1)  # (1, 1), from the last row of logits
        ids = torch.cat([ids, new], dim=1)
    return ids
    ### END SOLUTION


# %%
check.generate_greedy(generate_greedy)

# %% [markdown]
# Now a model to try it on: embedding, six layers, logits. A layer is a norm, your attention, another norm, and a small feed-forward network (its `silu` is a smooth ReLU, see lab 07). Its weights are
# random, so it writes nonsense, but the same nonsense each time. Each layer has a cache of its own. The new tokens'
# positions begin where the caches end.


# %% id="a-small-model"
class Stack(nn.Module):
    """A small language model with random weights."""

    def __init__(self, dim: int = 256, n_heads: int = 8, n_layers: int = 6, vocab: int = 128):
        super().__init__()
        torch.manual_seed(0)
        self.n_heads, self.head_dim = n_heads, dim // n_heads
        self.embedding = nn.Embedding(vocab, dim)
        self.attention = nn.ModuleList(CachedAttention(dim, n_heads) for _ in range(n_layers))
        self.wide = nn.ModuleList(nn.Linear(dim, 4 * dim) for _ in range(n_layers))
        self.narrow = nn.ModuleList(nn.Linear(4 * dim, dim) for _ in range(n_layers))
        self.output = nn.Linear(dim, vocab, bias=False)

    def new_caches(self, max_len: int) -> list[KVCache]:
        return [KVCache.empty(1, self.n_heads, max_len, self.head_dim) for _ in self.attention]

    def forward(self, ids: Tensor, caches: list[KVCache] | None = None) -> Tensor:
        start = caches[0].length if caches else 0
        positions = torch.arange(start, start + ids.shape[1])
        angles, x = rope_angles(positions, rope_frequencies(self.head_dim)), self.embedding(ids)
        for i, layer in enumerate(self.attention):
            x = x + layer(F.rms_norm(x, x.shape[-1:]), angles, caches[i] if caches else None)
            x = x + self.narrow[i](F.silu(self.wide[i](F.rms_norm(x, x.shape[-1:]))))
        return self.output(F.rms_norm(x, x.shape[-1:]))


# %% id="the-slow-way"
prompt = torch.tensor([[7, 42, 99, 3]])
with torch.no_grad(), one_thread():
    show("without a cache", lambda: generate_greedy(Stack(), prompt, 12).tolist()[0])

# %% [markdown]
# ## 5.4 Prefill and decode
#
# With caches `step` remembers, so tell it only what it does not know. At first that is the whole prompt, in one
# call: **prefill**. Afterwards it is a single token, the one just chosen: **decode**. The last new token is never fed
# back, since nobody asks what follows it.
#
# **Predict.** A prompt of 4 tokens, 12 new ones. How often is `step` called, and how many tokens has it seen in the end?


# %%
# EXERCISE 5.4 · generate_greedy_cached
def generate_greedy_cached(step: Callable[[Tensor], Tensor], ids: Tensor, n_new: int) -> Tensor:
    """Append the likeliest next token, n_new times; step remembers and sees only what is new.

    step: (1, T) new ids → (1, T, V) logits, called n_new times: first with the prompt, then with one
    token at a time. ids: (1, T), left as it is → (1, T + n_new). Of equal logits the first one counts.

    >>> follows = torch.eye(10).roll(1, dims=1)   # row t is largest at t + 1: a model that counts
    >>> generate_greedy_cached(lambda ids: follows[ids], torch.tensor([[5, 3]]), 3)
    tensor([[5, 3, 4, 5, 6]])
    """
    ### BEGIN SOLUTION
    new = ids  # what step has not seen yet
    for _ in range(n_new):
        new = step(new)[:, -1:].argmax(dim=-1)  # (1, 1)
        ids = torch.cat([ids, new], dim=1)
    return ids
    ### END SOLUTION


# %%
check.generate_greedy_cached(generate_greedy_cached)


# %% id="calls"
def asked(generate: Callable) -> str:
    """How often a generation calls step, and how many tokens it hands over in all."""
    lengths = []

    def step(ids: Tensor) -> Tensor:
        lengths.append(ids.shape[1])
        return torch.zeros(1, ids.shape[1], 128)

    generate(step, prompt, 12)
    return f"{len(lengths)} calls, {sum(lengths)} tokens"


show("with caches    ", lambda: asked(generate_greedy_cached))
show("without a cache", lambda: asked(generate_greedy))

# %% [markdown]
# <details><summary>Answer</summary>
#
# 12 times, once for each new token. It has seen 4 + 11 = 15 tokens. Without the cache it is called 12 times as well, and sees 4 +
# 5 + … + 15 = 114.
#
# </details>
#
# Both ways, one model. Do they write the same, and how far apart are their logits?


# %% id="agreement"
def both_ways(n_new: int = 48) -> str:
    model = Stack()
    step = functools.partial(model, caches=model.new_caches(64))
    with torch.no_grad(), one_thread():
        slow = generate_greedy(model, prompt, n_new)
        fast = generate_greedy_cached(step, prompt, n_new)
        caches = model.new_caches(64)
        alone = torch.cat([model(token[None], caches) for token in slow[0].split(1)], dim=1)
        off = (alone - model(slow)).abs().max()
    same = int((slow == fast)[0, prompt.shape[1] :].sum())
    return f"{same} of {n_new} tokens agree, the logits to {float(off):.1e}"


show("with and without caches", both_ways)

# %% [markdown]
# The logits agree up to the rounding of float32: the same sums in another order. (Where two logits are that close, the two ways may
# choose differently, and both are right.)
#
# Now the clock. The same model, on your machine: milliseconds for one token, at each position of the text.
#
# **Predict.** From position 64 to position 512: does the time for one token grow hardly at all, about 3 times, or 8 times and more?
# Answer for both ways.

# %% id="plot-5-4"
plot.seconds_per_token(Stack)

# %% [markdown]
# <details><summary>Answer</summary>
#
# With the cache hardly at all. A single token costs six layers of small matrix products, wherever it stands; a score for each old
# token adds little.
#
# Without the cache 8 times or more. All 512 tokens go through all the layers again, which is 8 times the work, and the scores grow with
# the square. It was 14 times on one core of the machine this was written on, from 12 to 170 ms: scores, softmax and values took 0.8 of
# the 12 ms, and 100 of the 170. Where something else runs beside it the curve is a zigzag, and its ratio may be anything.
#
# </details>
#
# **Why not in training?** In training the whole text is known. One call computes all rows at once, every row is
# needed, since each predicts its next token, and nothing is computed twice. The cache is for texts that grow.

# %% [markdown]
# ## 5.5 Two thirds?
#
# *You may skip this section.* It counts what you have seen in 5.4, and the labs to come do not need it.
#
# Explanations of the cache often show the third token. Without a cache 3 × 3 = 9 scores, with it 1 × 3: a saving of two thirds.
# The arithmetic is right, for three tokens and one step.
#
# **Predict.** What does the cache save in the step for token 4,096: 66 % again, 90 %, or more than 99.9 %?
#
# Count them: the scores of one head for a whole generation. Each call computes its full rectangle, T queries times S keys. The
# masked ones are computed too, and then thrown away.


# %%
# EXERCISE 5.5 · count_scores
def count_scores(n_prompt: int, n_new: int, cached: bool) -> int:
    """How many q·k one head computes to generate n_new tokens after a prompt of n_prompt.

    The sum of T × S over the n_new calls of step, masked scores included. The last new token is not
    fed back.

    >>> count_scores(1, 3, cached=False)   # 1·1 + 2·2 + 3·3
    14
    >>> count_scores(1, 3, cached=True)   # 1·1 + 1·2 + 1·3
    6
    """
    ### BEGIN SOLUTION
    total = 0
    for call in range(n_new):
        n_keys = n_prompt + call
        n_queries = 1 if cached and call > 0 else n_keys  # the first call brings the whole prompt
        total += n_queries * n_keys
    return total
    ### END SOLUTION


# %%
check.count_scores(count_scores)

# %%
plot.cost(count_scores)

# %% [markdown]
# <details><summary>Answer</summary>
#
# More than 99.9 %. The step for token *n* needs n scores instead of n², so the cache saves the share 1 − 1/n: 66.7 % at n = 3, and
# 99.976 % at n = 4,096. Over a whole generation n(n + 1)(2n + 1)/6 scores become n(n + 1)/2, so there are (2n + 1)/3 times fewer:
# 2.3 times at n = 3, and 2,731 times at n = 4,096.
#
# </details>
#
# In the picture the square is the last step, drawn to scale: all scores, and in blue those of the new token. The next panel has all steps on
# a linear axis, the last one the same on a logarithmic axis, where a third power is only a steeper line.
#
# Scores are not seconds. Your clock showed a smaller factor, since there is more to a token than its scores. And there is a price
# that this count does not show: each step has to *read* the whole cache from memory. Shazeer
# ([1911.02150](https://arxiv.org/abs/1911.02150)) worked out in 2019 that incremental decoding waits for this reading, not for the
# arithmetic. How much is there to read?

# %% [markdown]
# ## 5.6 What it eats
#
# Each position leaves one key and one value, in each layer and each key/value head. Llama 3 8B has 32 layers and 8 key/value heads
# of size 128 (its 32 query heads share them; how, is lab 06), and stores bfloat16, two bytes a number.
#
# **Predict.** One text of 8,192 tokens in Llama 3 8B: does its cache take about 16 MB, 128 MB, or 1 GB?


# %%
# EXERCISE 5.6 · kv_cache_bytes
def kv_cache_bytes(
    n_layers: int,
    n_kv_heads: int,
    head_dim: int,
    seq_len: int,
    batch: int = 1,
    bytes_per_value: int = 2,
) -> int:
    """The bytes of the keys and values of `batch` sequences of seq_len positions, in all layers.

    >>> kv_cache_bytes(n_layers=2, n_kv_heads=3, head_dim=4, seq_len=5)   # 2 · 2·3·4·5 numbers
    480
    """
    ### BEGIN SOLUTION
    numbers = 2 * n_layers * n_kv_heads * head_dim * seq_len * batch  # 2: keys and values
    return numbers * bytes_per_value
    ### END SOLUTION


# %%
check.kv_cache_bytes(kv_cache_bytes)

# %% id="llama-3-8b"
show("one token, bytes", lambda: f"{kv_cache_bytes(32, 8, 128, 1):,}")
show("8,192 tokens, GiB", lambda: kv_cache_bytes(32, 8, 128, 8192) / 2**30)

# %% [markdown]
# <details><summary>Answer</summary>
#
# 1 GiB: 131,072 bytes (128 KiB) for every token, times 8,192.
#
# </details>
#
# And that is one text. A server works on many conversations at once, all with the same weights, and each with a cache of its own.
# Each bar below is a card sold as 80 GB: the weights, then a block for each conversation. (It holds nearly 80 GiB, 86 billion bytes:
# an A100 reports 81,920 MiB, an H100 81,559: [modal-client#2797](https://github.com/modal-labs/modal-client/pull/2797).)
#
# **Predict.** From how many conversations of 8,192 tokens on do the caches of Llama 3 8B take more memory than its weights: about 2, 15 or
# 200?

# %%
plot.memory(kv_cache_bytes)

# %% [markdown]
# <details><summary>Answer</summary>
#
# From 15 on: the weights take 14.96 GiB in bfloat16. Beside them an A100 has room for 65, an H100 for 64. Llama 2 7B is about as large and leaves
# room for 16: it keeps a key and a value for each of its 32 heads, four times as much for each token. That difference is the next lab.
#
# </details>

# %% [markdown]
# ## 5.7 Where it lives in Llama 3
#
# | | Llama 2 7B | Llama 3 8B | Llama 3 70B |
# |---|---|---|---|
# | layers | 32 | 32 | 80 |
# | query heads | 32 | 32 | 64 |
# | key/value heads K | 32 | 8 | 8 |
# | head size d | 128 | 128 | 128 |
# | trained context | 4,096 | 8,192 | 8,192 |
# | cache for one token | 512 KiB | 128 KiB | 320 KiB |
# | cache at the trained context | 2 GiB | 1 GiB | 2.5 GiB |
#
# Meta's [model.py](https://github.com/meta-llama/llama3/blob/main/llama/model.py) keeps two buffers in every attention layer, `cache_k` and
# `cache_v`, (max_batch_size, max_seq_len, K, d), positions before heads, and writes new keys at `start_pos : start_pos + seqlen`:
# your slots, hidden inside the layer. Yours come with the call, so two texts cannot get into each other's memory. A hidden cache that is not
# cleared, or cleared incompletely, between two prompts is a public bug
# ([litgpt#1596](https://github.com/Lightning-AI/litgpt/pull/1596), [AutoAWQ#178](https://github.com/casper-hansen/AutoAWQ/issues/178)).
#
# **Whose idea?** Nobody's paper. Translation programs had it within months of the transformer: Tensor2Tensor released "fast
# decoding" by October 2017 ([#70](https://github.com/tensorflow/tensor2tensor/issues/70)), Sockeye cached keys and values in November
# ([#226](https://github.com/awslabs/sockeye/pull/226)). Shazeer's paper of 2019 analyses what was common practice by then.
# PagedAttention ([2309.06180](https://arxiv.org/abs/2309.06180)) is about where the slots of many texts lie: in pages, as in an operating
# system, so that no `max_len` has to be set aside for each.

# %% [markdown]
# ## What you built
#
# `KVCache`, `CachedAttention`, `generate_greedy` and `generate_greedy_cached`, `count_scores` and `kv_cache_bytes`. Three questions to
# think about:
#
# 1. In a prompt of 1,000 tokens somebody corrects the third one. How much of the cache can be kept?
# 2. `Stack.forward` asks for `caches[0].length` before its loop. What would happen if it asked inside, before each layer?
# 3. Greedy decoding takes the first of two equal logits. Why may a model with a cache, and the same one without, still give
#    two different texts?
#
# <details><summary>Answers</summary>
#
# 1. The first two positions. In the first layer the keys of the later tokens would still be right, since a key there depends on its own
# token alone. In all layers above, they have seen the third token through attention. (Servers use this: conversations with the same
# beginning share that part of the cache.) 2. The first layer's `update` moves `caches[0].length`, so all later layers would turn
# their queries and keys T positions too far. While all chunks have one size nobody notices, since only distances count. With chunks of
# different sizes the gaps differ, and it goes wrong. 3. Sums in another order are rounded
# differently, by about one part in a million. Where two logits are closer than that, the choice is a matter of luck, and from the
# first different token on the texts part.
#
# </details>
#
# The cache has turned a problem of time into one of memory. Keys and values take 2 · L · K · d numbers for each token, and one of these factors looks as if it
# could be smaller: K, the number of key/value heads. Do 32 query heads need 32 keys? The next lab, **06 · Grouped-query attention**,
# finds out how few will do.

# %% id="save"
from checks import pieces

pieces.save(check)

# %% id="grade"
from checks import colab

colab.grade()
