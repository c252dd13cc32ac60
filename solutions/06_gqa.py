# %% [markdown]
# # 06 · Grouped-query attention
#
# *60 minutes: 30 to read and try, 30 to write. The cells compute for about 10 seconds.*
#
# A language model that writes keeps a key and a value for everything it has read, in every layer and every head. Lab 05 ended on what
# that costs. In this lab heads share: 32 ask, 8 answer. You write the sharing, a layer that does it, and the surgery that turns an older
# model into one that shares. And you find out why sharing was invented, which is not to save memory.

# %% id="setup"
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

# %% id="imports"
import torch
from my_llama import (
    KVCache,
    apply_rope,
    attention,
    causal_mask,
    kv_cache_bytes,
    merge_heads,
    rope_angles,
    rope_frequencies,
    split_heads,
)
from torch import Tensor, nn

from checks import gqa as check
from plots import gqa as plot
from plots.show import show

# %% [markdown]
# House rules, as in every lab: inputs stay as they are; new tensors go on the inputs' device; half precision is computed in float32 and
# given back in its dtype; gradients flow.
#
# ## 6.0 The problem: a card full of keys
#
# Multi-head attention (MHA) gives each of its H heads a query, a key and a value of its own: 8 heads, 8 keys, 8 values. Suppose Llama 3 8B
# were built that way, with 32 heads of everything. Its weights fit on a card of 80 GB (as in lab 05, that is about 80 GiB), and the rest
# of the card is for the caches of those who talk to it.
#
# **Predict.** Each conversation is 8,192 tokens long. How many of them fit beside the weights: about 15, 150, or 1,500?


# %% id="how-many-fit"
def conversations(n_kv_heads: int) -> int:
    weights = 8_030_261_248 + 2 * 32 * 4096 * 128 * (n_kv_heads - 8)  # wk and wv grow with K
    return int((80 * 2**30 - 2 * weights) // kv_cache_bytes(32, n_kv_heads, 128, 8192))


show("with 32 key/value heads", lambda: conversations(32))
show("with 8", lambda: conversations(8))
show("with 1", lambda: conversations(1))

# %% [markdown]
# <details><summary>Answer</summary>
#
# 15. With the 8 key/value heads that Llama 3 8B really has there is room for 65, and with a single one for 523.
#
# </details>
#
# The cache has 2 · L · K · d numbers for each token: L layers, K key/value heads, d numbers in each. The queries are not in it. So nothing
# forces K to be as large as H, the number of query heads. In 2019 Shazeer ([1911.02150](https://arxiv.org/abs/1911.02150)) set K = 1: every head
# asks its own question, and all read the same key and value. This is **multi-query attention** (MQA); with 32 heads the cache shrinks to 1/32. In 2023
# Ainslie and others ([2305.13245](https://arxiv.org/abs/2305.13245)) went half the way back: **grouped-query attention** (GQA) has K groups of H / K query
# heads, each group with a key and a value of its own. MHA and MQA are its two ends, K = H and K = 1.

# %% [markdown]
# ## 6.1 Sharing, the simple way
#
# Attention from lab 04 wants as many key heads as query heads. So give it copies: each kv head is repeated n_rep = H / K times. With 4 query
# heads and 2 kv heads, head 0 and head 1, two orders are possible: 0, 0, 1, 1 or 0, 1, 0, 1.
#
# A model trained from scratch can live with either. Llama's weights were trained with neighbours together: 0, 0, 1, 1.
#
# **Predict.** Llama 3 8B has 32 query heads and 8 kv heads. Somebody repeats them in turns instead, 0 to 7 and again 0 to 7, and all the shapes are
# right. How many of the 32 query heads still find their own kv head: 16, 8, 4, or none?


# %%
# EXERCISE 6.1 · repeat_kv
def repeat_kv(x: Tensor, n_rep: int) -> Tensor:
    """Repeat each key/value head n_rep times in a row.

    x: (B, K, S, d) → (B, K · n_rep, S, d), same dtype as x.

    >>> x = torch.tensor([[[[1, 2]], [[3, 4]]]])   # two heads with one position
    >>> repeat_kv(x, 2).tolist()
    [[[[1, 2]], [[1, 2]], [[3, 4]], [[3, 4]]]]
    """
    ### BEGIN SOLUTION
    return x.repeat_interleave(n_rep, dim=1)
    ### END SOLUTION


# %%
check.repeat_kv(repeat_kv)


# %% id="own-kv-head"
def at_home(heads: Tensor) -> str:
    """How many of Llama 3 8B's query heads get the kv head that they were trained with."""
    return f"{sum(int(heads[0, h, 0, 0]) == h // 4 for h in range(32))} of 32"


kv = torch.arange(8.0).reshape(1, 8, 1, 1)  # each kv head is its own number
show("yours       ", lambda: at_home(repeat_kv(kv, 4)))
show("taking turns", lambda: at_home(torch.cat([kv] * 4, dim=1)))

# %% [markdown]
# <details><summary>Answer</summary>
#
# 4: heads 0, 10, 21 and 31, by chance. The other 28 ask a stranger, and a real model writes noise. The right rule: query
# head h reads kv head h // n_rep. Torch has both orders, `repeat_interleave` and `repeat`, and people have mixed them up in public
# ([axlearn#842](https://github.com/apple/axlearn/issues/842), [onnx#7274](https://github.com/onnx/onnx/issues/7274)).
#
# </details>
#
# Here your function gets heads that consist of their own number. The lines show what came out: which key and value each query head
# received. Eight kv heads are MHA, one is MQA, 4 and 2 are GQA with groups of two and of four. If lines cross, heads were repeated in turns.

# %%
plot.fan(repeat_kv)

# %% [markdown]
# The same at the size of Llama 3, and beside it the cache:

# %% id="plot-6-1-llama"
plot.memory(repeat_kv, kv_cache_bytes)

# %% [markdown]
# Halving K halves the cache. But look at the steps: from 32 to 8 kv heads saves 3 GiB, from 8 to 1 less than one more.

# %% [markdown]
# ## 6.2 Attention with groups
#
# Write it with your `repeat_kv` first: two lines. It passes the check. Afterwards you measure it, and may want to write it again.
#
# In symbols, with g(h) = ⌊h / n_rep⌋ for the kv head of query head h:
#
# $$\mathrm{output}_h = \mathrm{softmax}\left(\frac{Q_h K_{g(h)}^\top}{\sqrt d}\right) V_{g(h)}$$
#
# Q_h are the queries of head h (T × d), K and V the keys and values of its group (S × d), and d is the size of a head. Every head keeps its own
# softmax.


# %%
# EXERCISE 6.2 · grouped_query_attention
def grouped_query_attention(q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None = None) -> Tensor:
    """Attention in which H / K neighbouring query heads share a key/value head (Ainslie 2023).

    q: (B, H, T, d), k and v: (B, K, S, d), mask: bool, broadcasts to (B, H, T, S), True where a
    query may look → (B, H, T, d), same dtype as q.

    >>> q, k = torch.zeros(1, 4, 1, 2), torch.zeros(1, 2, 2, 2)   # all keys are liked the same
    >>> v = torch.tensor([[[[1.0, 0], [3, 0]], [[10, 0], [30, 4]]]])
    >>> grouped_query_attention(q, k, v).tolist()   # each head's mean, for two query heads each
    [[[[2.0, 0.0]], [[2.0, 0.0]], [[20.0, 2.0]], [[20.0, 2.0]]]]
    """
    ### BEGIN SOLUTION
    B, H, T, d = q.shape
    K, S = k.shape[1:3]
    queries = q.reshape(B, K, H // K * T, d)  # a group's queries, one under the other
    if mask is not None:
        mask = mask.expand(B, H, T, S).reshape(B, K, H // K * T, S)
    return attention(queries, k, v, mask).reshape(B, H, T, d)
    ### END SOLUTION


# %%
check.grouped_query_attention(grouped_query_attention)

# %% [markdown]
# The fan again, found in another way. The picture changes one query head after another, then one kv head after another, and draws
# a line to every output that moves.
#
# **Predict.** With 2 kv heads: how many outputs does one query head move, and how many one kv head?

# %%
plot.moves(grouped_query_attention)

# %% [markdown]
# <details><summary>Answer</summary>
#
# One, and four. Heads that share keys and values are not equal: each still asks its own question.
#
# </details>
#
# ### What it costs to repeat
#
# One new token, 2,048 in the cache. The next cell times its attention in two ways: with keys and values
# repeated by your `repeat_kv`, and by your `grouped_query_attention` as it stands.
#
# **Predict.** From 32 kv heads to 8 the cache becomes four times smaller. Does the step with `repeat_kv` become about four times faster, or
# does it not get faster?

# %% id="measure-decode-step"
plot.decode_step(grouped_query_attention, repeat_kv)

# %% [markdown]
# <details><summary>Answer</summary>
#
# It does not get faster. The small cache is read and copied into a large one, and the large one is read again: as much reading
# as with 32 heads, and the writing on top.
#
# </details>
#
# If the two columns of times are about equal, your own function repeats as well. Move the queries instead. The n_rep query heads of a
# group all meet the same S keys, so they can stand under one another as one matrix:
#
# `q.reshape(B, K, n_rep * T, d)`
#
# Then there are as many heads of queries as of keys, and `attention` does the rest, without a copy. It gives (B, K, n_rep · T, d): reshape that back to (B, H, T, d). The mask goes
# the same way: `expand` it to (B, H, T, S), then reshape it as q. Try it in the cell of exercise 6.2; the check takes both, and the lab goes on with yours.

# %% [markdown]
# ## 6.3 The layer
#
# The layer of lab 05 gets one number more, n_kv_heads. wk and wv become narrower: they make K heads, K · d features. wq and wo stay as they were.
#
# **Predict.** What goes into the cache: the keys before they are shared out to the query heads, or after? And before RoPE, or after?


# %%
# EXERCISE 6.3 · GroupedQueryAttention
class GroupedQueryAttention(nn.Module):
    """Causal self-attention with H query heads, K key/value heads, rotary positions and a cache.

    Four linear maps without bias: wq and wo dim → dim, wk and wv dim → K · d, with d = dim / H.
    ValueError unless n_heads % n_kv_heads == 0. K = H is MHA, K = 1 is MQA.

    >>> layer = GroupedQueryAttention(4, 2, 1)   # two query heads of size 2 on one kv head
    >>> for weight in layer.parameters():
    ...     _ = nn.init.eye_(weight)   # q = x, and k = v = the first two features of x
    >>> x = torch.tensor([[[4.0, 8, 0, 2], [0, 0, 0, 0]]])
    >>> layer(x, torch.zeros(2, 1)).tolist()   # both heads read the same; the second token averages
    [[[4.0, 8.0, 4.0, 8.0], [2.0, 4.0, 2.0, 4.0]]]
    """

    def __init__(self, dim: int, n_heads: int, n_kv_heads: int) -> None:
        super().__init__()
        ### BEGIN SOLUTION
        if n_heads % n_kv_heads != 0:
            raise ValueError(f"{n_heads} query heads cannot share {n_kv_heads} kv heads evenly")
        self.n_heads, self.n_kv_heads = n_heads, n_kv_heads
        head_dim = dim // n_heads
        self.wq = nn.Linear(dim, n_heads * head_dim, bias=False)
        self.wk = nn.Linear(dim, n_kv_heads * head_dim, bias=False)
        self.wv = nn.Linear(dim, n_kv_heads * head_dim, bias=False)
        self.wo = nn.Linear(n_heads * head_dim, dim, bias=False)
        ### END SOLUTION

    def forward(self, x: Tensor, angles: Tensor, cache: KVCache | None = None) -> Tensor:
        """x: (B, T, dim), angles: (T, d/2) of these T positions → (B, T, dim).

        With a cache the T positions follow those in it; it holds K heads.
        """
        ### BEGIN SOLUTION
        q = apply_rope(split_heads(self.wq(x), self.n_heads), angles)  # (B, H, T, d)
        k = apply_rope(split_heads(self.wk(x), self.n_kv_heads), angles)  # (B, K, T, d)
        v = split_heads(self.wv(x), self.n_kv_heads)
        if cache is not None:
            k, v = cache.update(k, v)  # (B, K, S, d)
        mask = None  # a single query, the newest, may look at everything
        if q.shape[2] > 1:
            mask = causal_mask(q.shape[2], k.shape[2]).to(x.device)  # (T, S)
        return self.wo(merge_heads(grouped_query_attention(q, k, v, mask)))
        ### END SOLUTION


# %%
check.GroupedQueryAttention(GroupedQueryAttention)

# %% [markdown]
# <details><summary>Answer</summary>
#
# Before: otherwise the cache is as large as with MHA, and nothing is saved. The numbers would still be right, so
# only someone who looks into the cache notices. And after RoPE, as in lab 05: a key is turned once, by its own position.
#
# </details>
#
# A text of six tokens, one by one, in three layers of the same width:

# %% id="three-layers"
angles = rope_angles(torch.arange(6), rope_frequencies(8))


def numbers(n_kv_heads: int) -> str:
    layer = GroupedQueryAttention(64, 8, n_kv_heads)
    cache = KVCache.empty(1, n_kv_heads, 6, 8)
    for i in range(6):
        layer(torch.randn(1, 1, 64), angles[i : i + 1], cache)
    weights = sum(weight.numel() for weight in layer.parameters())
    return f"{weights:6,} weights, {2 * cache.keys.numel():4} numbers in the cache"


show("MHA, 8 kv heads", lambda: numbers(8))
show("GQA, 2 kv heads", lambda: numbers(2))
show("MQA, 1 kv head ", lambda: numbers(1))

# %% [markdown]
# There are fewer weights as well: Llama 3 8B has 0.8 billion fewer than it would have with 32 kv heads.

# %% [markdown]
# ## 6.4 From an old model to a new one
#
# Nobody wants to train a large model again because its cache is too big. Ainslie and others operate on a finished MHA model:
# wq and wo stay, and the H / K key heads of each group become one, **their mean**. The same for the values. `nn.Linear` keeps its weight as (out, in), so
# head h of wk is the rows h · d to (h + 1) · d − 1.


# %%
# EXERCISE 6.4 · mean_pool_heads
def mean_pool_heads(weight: Tensor, n_heads: int, n_kv_heads: int) -> Tensor:
    """Replace each group of neighbouring heads in a key or value projection by their mean.

    weight: (H·d, D) → (K·d, D), same dtype.

    >>> weight = torch.arange(8.0).reshape(8, 1)   # heads (0, 1), (2, 3), (4, 5), (6, 7)
    >>> mean_pool_heads(weight, n_heads=4, n_kv_heads=2).flatten()
    tensor([1., 2., 5., 6.])
    """
    ### BEGIN SOLUTION
    D = weight.shape[1]
    groups = weight.reshape(n_kv_heads, n_heads // n_kv_heads, -1, D)  # (K, H / K, d, D)
    return groups.mean(dim=1).reshape(-1, D)
    ### END SOLUTION


# %%
check.mean_pool_heads(mean_pool_heads)

# %% [markdown]
# There are three ways to get one head out of a group: its mean, its first head, or a new random one. How much is lost? That depends on how much the heads of a group have in common. Below is a made-up layer with 16 heads: the slider sets which share of
# each head's weights is common to all. (A real model has no such slider.)
#
# **Predict.** Half alike (50 %), and 16 kv heads become 4. By how much does the output change, compared with its size: 5 %, 25 %, or more than 50 %?

# %%
plot.pooled(mean_pool_heads)

# %% [markdown]
# <details><summary>Answer</summary>
#
# More than 50 %: 78 %. The mean is the best of the three ways at every point, and new heads are the worst. The paper finds the same order after
# further training (figure 4). But the mean alone does not make a good model.
#
# </details>
#
# So the authors train the pooled model a little more, with 5 % of the compute of its original training (*uptraining*). What
# then remains is what fewer kv heads cannot say. For whole models, two papers have measured it.
#
# T5-XXL, uptrained with 5 % ([2305.13245](https://arxiv.org/abs/2305.13245), table 1; seconds a sample, mean score over seven tasks):
#
# | | kv heads | seconds | score |
# |---|---|---|---|
# | MHA | 64 | 1.51 | 47.2 |
# | GQA | 8 | 0.28 | 47.1 |
# | MQA | 1 | 0.24 | 46.6 |
#
# "Quality close to MHA", says the paper, and here it is: 0.1 points lost, and 5.4 times faster. But that is no law. DeepSeek-V2
# ([2405.04434](https://arxiv.org/abs/2405.04434), table 8) trained three models of 7 billion weights from scratch. On MMLU, a set of exam questions, they
# answer 45.2 % (MHA), 41.2 % (GQA with 8 groups) and 37.9 % (MQA). Who can afford the cache may want MHA back.

# %% [markdown]
# ## 6.5 Why it was invented: memory is slow
#
# A processor computes much faster than it fetches numbers. An H100 does 989 · 10¹² operations a second (bfloat16) and reads 3.35 · 10¹²
# bytes: 295 operations in the time of one byte. Who does less with each byte waits.
#
# The attention of one new token, in one layer: each of H query heads takes a dot product with S keys, and then averages S values. That is twice 2·H·d·S
# floating-point operations, or FLOPs (a multiplication and an addition for each number). It must read K heads of S keys and S values, two bytes for each number.
#
# **Predict.** A text of 131,072 tokens instead of 8,192 is 16 times as long. What happens to the FLOPs per byte: 16 times more, the same, or
# 16 times fewer?


# %%
# EXERCISE 6.5 · decode_intensity
def decode_intensity(n_heads: int, n_kv_heads: int, head_dim: int, seq_len: int) -> float:
    """FLOPs per byte of one decode step's attention: q·k and weights·v over the bytes of the cache.

    A multiplication and an addition count as two FLOPs; the cache holds 2-byte numbers.

    >>> decode_intensity(n_heads=4, n_kv_heads=2, head_dim=8, seq_len=10)   # 1280 over 640
    2.0
    """
    ### BEGIN SOLUTION
    flops = 2 * 2 * n_heads * head_dim * seq_len  # q·k, weights·v
    bytes_read = 2 * 2 * n_kv_heads * head_dim * seq_len  # keys, values
    return flops / bytes_read
    ### END SOLUTION


# %%
check.decode_intensity(decode_intensity)

# %%
plot.intensity(decode_intensity)

# %% [markdown]
# <details><summary>Answer</summary>
#
# Nothing. d and S are in both and cancel: what is left is H / K. With MHA each byte read is used for one FLOP, in Llama 3 8B for four.
#
# </details>
#
# A larger batch does not help either, since every text has its own cache. It helps with the weights, which are read once for all texts.
# Shazeer put both into one formula. For a layer of width d (our D, not the head size) that writes n tokens for b texts, the ratio of numbers
# read to operations is
#
# $$\Theta\left(\frac nd + \frac 1b\right)$$
#
# (section 2.4.1; Θ leaves constants out). 1/b are the weights, n/d is the cache. With one key/value head for h query heads the cache's part becomes h times
# smaller (section 3.1). His translation model then wrote a token in 3.8 µs of decoder time instead of 46 (table 2).
#
# Below, a line is the time that reading alone takes on your machine: numbers to be read, times what reading one number takes. The marks are your layer. Both
# are milliseconds for one new token.
#
# **Predict.** With batch 4 instead of 1: does a line begin lower, or does it rise less steeply?

# %% id="plot-6-5-bandwidth"
plot.bandwidth(GroupedQueryAttention, KVCache)

# %% [markdown]
# <details><summary>Answer</summary>
#
# It begins lower: four texts share one reading of the weights. It rises as steeply as before, since every text has its own cache. Only fewer kv heads make
# it flatter. (Thin lines: batch 1.)
#
# </details>
#
# A mark above its line: other things take time as well. A mark below it: the processor had some of the numbers at hand from the call before. So compare how steeply
# they rise, not how high they lie. If yours for 4 kv heads and for 1 rise as steeply as those for 16, your
# `grouped_query_attention` repeats keys and values.

# %% [markdown]
# ## 6.6 Where it lives in Llama 3
#
# | | Llama 3 8B | Llama 3 70B |
# |---|---|---|
# | layers | 32 | 80 |
# | query heads H | 32 | 64 |
# | key/value heads K | 8 | 8 |
# | head size d | 128 | 128 |
# | wq and wo | 4,096 × 4,096 | 8,192 × 8,192 |
# | wk and wv | 1,024 × 4,096 | 1,024 × 8,192 |
# | cache for one token | 128 KiB; with MHA 512 KiB | 320 KiB; with MHA 2,560 KiB |
# | FLOPs per byte in a decode step's attention | 4 | 8 |
#
# Why 8? The authors of Llama 3 name the effect, faster decoding and a smaller cache, and not the reason for the number ([2407.21783](https://arxiv.org/abs/2407.21783),
# section 3.2). Llama 2 ([2307.09288](https://arxiv.org/abs/2307.09288), appendix A.2.1), which has GQA in its larger models only, ran its comparison on 8 cards: with MQA they
# copied the single kv head to all of them, and the cache was as large as with 8. One kv head for each card is a good guess, and only a guess.
#
# Meta's [model.py](https://github.com/meta-llama/llama3/blob/main/llama/model.py) has a `repeat_kv` like yours and calls it after the cache.
#
# **Beyond sharing.** DeepSeek-V2 ([2405.04434](https://arxiv.org/abs/2405.04434), section 2.1) keeps one short vector per token and layer, 512 numbers, from which the keys
# and values of all 128 heads are made again: *multi-head latent attention*, MLA. A key that RoPE has turned cannot be made from it by one fixed matrix, so 64 numbers with RoPE are kept beside it.
#
# | numbers in the cache, per token and layer, d = 128 | formula | 32 heads | 128 heads |
# |---|---|---|---|
# | MHA | 2 · H · d | 8,192 | 32,768 |
# | GQA, 8 kv heads | 2 · K · d | 2,048 | 2,048 |
# | MQA | 2 · d | 256 | 256 |
# | MLA | 512 + 64 | | 576, as much as GQA with 2.25 kv heads |

# %% [markdown]
# ## What you built
#
# `repeat_kv`, `grouped_query_attention`, `GroupedQueryAttention`, `mean_pool_heads` and `decode_intensity`. The layer is Llama 3's attention, complete:
# rotary, causal, grouped, with a cache. Three questions to think about:
#
# 1. While a prompt is read, all T queries look at the same keys at once. How many FLOPs per byte is that, and does GQA make the reading of a prompt faster?
# 2. Why share keys and values, and not queries? What would K query heads and H key/value heads save?
# 3. You pool a model in which all heads of a group have equal keys and opposite values, v and −v. What does the new layer give?
#
# <details><summary>Answers</summary>
#
# 1. T times as many, T · H / K: for T = 1,000 and Llama 3 8B 4,000, far above the 295 of the card. Arithmetic limits the reading of a prompt, and GQA does not change the
# arithmetic of the scores. 2. Nothing in the cache: the queries of earlier tokens are not kept, their keys and values are. 3. Zero: the mean of v and −v. No wq can bring it back;
# training has to.
#
# </details>
#
# Attention is done. It lets tokens exchange what they know, by weighted averages. But an average makes nothing new: between two attention layers something has to work on each
# token by itself. This other half of the block holds most of the model's weights, 70 % in Llama 3 8B. The next lab, **07 · SwiGLU**, builds it.

# %% id="save"
from checks import pieces

pieces.save(check)

# %% id="grade"
from checks import colab

colab.grade()
