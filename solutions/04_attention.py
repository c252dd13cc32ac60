# %% [markdown]
# # 04 · Attention
#
# *75 minutes without the parts that may be skipped (two of 4.2, and 4.8): 40 to read and try, 35 to write. With them it takes 95. The cells compute for about 20 seconds.*
#
# Lab 03 turned queries and keys by their positions. There you compared a few of them by hand, and each was the word's own vector.
# In attention every query meets every key, each made by a matrix that learns, and the future is hidden. It is the only place in Llama 3 where one token learns anything about another. You write all of it,
# from one query to the layer, and then you try to catch it cheating.

# %% id="setup"
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

# %% id="imports"
import math

import torch
from my_llama import apply_rope, rope_angles, rope_frequencies
from torch import Tensor, nn
from torch.nn import functional as F

from checks import attention as check
from plots import attention as plot
from plots.show import show

# %% [markdown]
# House rules, as in every lab: inputs stay as they are; new tensors go on the inputs' device; half precision is computed in float32 and
# given back in its dtype; gradients flow.
#
# ## 4.0 The problem: every token is alone
#
# A token's vector comes from a table. Norms change its size and rotations its direction, but each token by itself.
#
# **Predict.** The cell prints the vector of "bank" in two sentences. Are the numbers the same, similar, or different?

# %% id="the-problem"
sentences = ["after the flood the river left its bank", "after the loan the man left his bank"]
vocabulary = sorted(set(" ".join(sentences).split()))
table = torch.randn(len(vocabulary), 4, generator=torch.Generator().manual_seed(0))

for sentence in sentences:
    x = torch.stack([table[vocabulary.index(word)] for word in sentence.split()])  # (T, 4)
    print(f"{sentence:40}", x[-1].tolist()[:2])

# %% [markdown]
# <details><summary>Answer</summary>
#
# The same, to the last digit. The river and the loan stand in other rows of x, and nothing carries them over.
#
# </details>
#
# So a token must be able to ask the others. From its own vector each token makes three:
#
# - a **query** q: what am I looking for?
# - a **key** k: what do I have to offer?
# - a **value** v: what do I say, if I am chosen?
#
# The query is compared with every key by a dot product, which gives a **score**. The softmax turns the scores into **weights** (lab 03 called them shares), all
# positive and together 1. What comes back is the average of the values with these weights. Here "bank" asks, with
# vectors made by hand: its query looks for places, and "river" offers one.
#
# **Predict.** Whose value will be the largest part of the answer? And if "river" were not in the sentence?

# %% id="one-query-asks"
words = ["the", "river", "left", "its", "bank"]
query = torch.tensor([3.0, 0.0])  # of "bank": places, please, and no verbs
keys = torch.tensor([[0.0, 0.0], [2.0, 0.0], [0.0, 2.0], [0.0, 0.0], [1.0, 0.0]])
values = torch.tensor([[0.0, 0.0], [10.0, 0.0], [0.0, 10.0], [0.0, 0.0], [1.0, 1.0]])

scores = keys @ query / math.sqrt(2)  # one for each word; 4.2 says why the root
weights = scores.softmax(0)
answer = weights @ values
for word, score, weight in zip(words, scores.tolist(), weights.tolist(), strict=True):
    print(f"{word:6} score {score:5.2f}   weight {weight:.2f}")
print("what comes back:", [round(number, 2) for number in answer.tolist()])

# %% [markdown]
# <details><summary>Answer</summary>
#
# The river's: weight 0.86. What comes back is mostly *its* value, so the vector of "bank" now knows of the river. Without "river"
# the query would find only "bank" itself: in the other sentence the answer is another one, and that was missing.
#
# </details>
#
# That is attention, for one query. All queries at once, as rows of a matrix Q, with the keys in K and the values in V, are one line
# (Vaswani et al., [1706.03762](https://arxiv.org/abs/1706.03762), eq. 1):
#
# $$\mathrm{Attention}(Q, K, V) = \mathrm{softmax}\!\left(\frac{QK^T}{\sqrt{d}}\right)V$$
#
# Q has T rows, K and V have S, and d is the number of components of a query (the paper's d_k). You write it in three steps:
# who may look (4.1), how much (4.2), and what comes back (4.3).

# %% [markdown]
# ## 4.1 Who may look at whom
#
# Llama writes from left to right. In training all positions of a text are computed at once, and each predicts the token
# after it. So no position may see what comes later, or it would read off the answer. A **causal mask** says so: a
# matrix with one row per query and one column per key, True where the query may look.
#
# Often there are fewer queries than keys. When a model writes, one new token asks, and all the earlier ones answer. The T
# queries are then the **last** T of the S positions.
#
# **Predict.** One query, five keys: T = 1, S = 5. How many keys may it see: 1, 4 or 5?


# %%
# EXERCISE 4.1 · causal_mask
def causal_mask(n_queries: int, n_keys: int) -> Tensor:
    """Say who may look at whom: True where a query may look at a key.

    The queries are the LAST T = n_queries of the S = n_keys positions; a query sees itself and
    everything before it. Returns (T, S), bool. ValueError when T > S: a row would see nothing.

    >>> causal_mask(2, 3)   # the queries stand at positions 1 and 2
    tensor([[ True,  True, False],
            [ True,  True,  True]])
    """
    ### BEGIN SOLUTION
    if n_queries > n_keys:
        raise ValueError(f"{n_queries} queries, but only {n_keys} positions: some see nothing")
    query = torch.arange(n_keys - n_queries, n_keys)  # (T,) positions
    key = torch.arange(n_keys)  # (S,) positions
    return key <= query[:, None]  # (T, S)
    ### END SOLUTION


# %%
check.causal_mask(causal_mask)

# %% [markdown]
# torch has a mask of its own, `is_causal=True`. Below, every score is 0 and the values are 0, 1, 2, 3, 4. So what comes back
# is the average of the positions that may be seen.

# %% id="measure-mask"
q, k = torch.zeros(1, 1, 4), torch.zeros(1, 5, 4)
v = torch.arange(5.0)[:, None].expand(1, 5, 4)
attend = F.scaled_dot_product_attention
show("is_causal=True", lambda: attend(q, k, v, is_causal=True)[0, 0, 0].item())
show("your mask     ", lambda: attend(q, k, v, attn_mask=causal_mask(1, 5))[0, 0, 0].item())

# %% [markdown]
# <details><summary>Answer</summary>
#
# All 5: the query is the last position, and nothing comes after it. Your mask averages 0 to 4, which is 2. torch's answer
# is 0. It takes the queries for the *first* positions, so a single new token sees key 0 only. For a square mask the two
# agree. That is why the mistake is found late: training goes well, and then the model repeats itself when it writes
# ([pytorch#108108](https://github.com/pytorch/pytorch/issues/108108)).
#
# </details>

# %%
plot.masks(causal_mask)

# %% [markdown]
# ## 4.2 How much: scores, scale, softmax
#
# $$w_{ts} = \frac{e^{z_{ts}}}{\sum_{s'} e^{z_{ts'}}}, \qquad z_{ts} = \frac{q_t \cdot k_s}{\sqrt d}$$
#
# q_t is the query at position t, k_s the key at position s, z_ts their score after the division, and w_ts the weight that query t
# gives to key s. The sum runs over the keys s′ of *one* query t. Why the √d? If the components of q and k are independent with mean 0
# and variance 1, then q·k is a sum of d such products, and its variance is d (section 3.2.1 of the paper, footnote 4).
#
# **Predict.** Llama 3's heads have d = 128. How large is a typical q·k of random vectors: 1, 11, or 128?

# %% id="measure-scale"
for d in (4, 64, 128, 1024):
    q, k = torch.randn(2, 10_000, d, generator=torch.Generator().manual_seed(d))
    deviation = (q * k).sum(-1).std().item()
    print(f"d = {d:4}: q·k is typically {deviation:5.2f}, sqrt(d) is {math.sqrt(d):5.2f}")

# %% [markdown]
# <details><summary>Answer</summary>
#
# About 11.3, the root of 128. And two scores that differ by 11 have weights that differ by a factor of e¹¹ ≈ 60,000.
#
# </details>
#
# A masked score becomes −∞ before the softmax, since e^(−∞) is exactly 0. Nothing less will do.
#
# **Predict.** Two scores are 2 and 1; a third one is hidden, by setting it to 0. What weight does the hidden key keep: none,
# 9 %, or 33 %?

# %% id="show-hidden"
for filling in (0.0, -torch.inf):
    weights = torch.tensor([2.0, 1.0, filling]).softmax(-1)
    print(f"hidden by {filling:4}:", [round(w, 3) for w in weights.tolist()])

# %% [markdown]
# <details><summary>Answer</summary>
#
# 9 %: e⁰ is 1, and 1 / (e² + e¹ + 1) = 0.09. The hidden key still speaks, quietly.
#
# </details>
#
# When the input is float16 or bfloat16, compute in float32 and go back at the end. bfloat16 keeps 8 bits of a number: near 11 its
# neighbours are 0.06 apart, so rounding moves a score by up to 0.03 and its weight by 3 %.


# %%
# EXERCISE 4.2 · attention_weights
def attention_weights(q: Tensor, k: Tensor, mask: Tensor | None = None) -> Tensor:
    """How much each query takes from each key: softmax of q·k / sqrt(d), over the keys.

    q: (..., T, d), k: (..., S, d), mask: bool, broadcasts to (..., T, S), True where a query may
    look → (..., T, S), same dtype as q; every row sums to 1, and a masked key gets exactly 0.

    >>> q = torch.tensor([[2.0, 0, 0, 0]])
    >>> k = torch.tensor([[0.0, 0, 0, 0], [math.log(3), 0, 0, 0]])
    >>> attention_weights(q, k)   # scores 0 and 2 ln 3, over sqrt(4): 0 and ln 3, so 1 : 3
    tensor([[0.2500, 0.7500]])
    """
    ### BEGIN SOLUTION
    scores = q.float() @ k.float().transpose(-2, -1) / math.sqrt(q.shape[-1])  # (..., T, S)
    if mask is not None:
        scores = scores.masked_fill(~mask, -torch.inf)
    return torch.softmax(scores, dim=-1).to(q.dtype)
    ### END SOLUTION


# %%
check.attention_weights(attention_weights)

# %% [markdown]
# Here is what the root is good for. The slider changes d; the vectors stay random. On the right stands the **entropy** of a row
# of weights, −Σ w log₂ w, in bits. It says between how many keys a query wavers: 0 bits is one key, 1 bit is two keys alike, and
# 3.6 bits are all twelve alike.

# %%
plot.scale(attention_weights)

# %% [markdown]
# Without the root the softmax hardens into a choice: one key takes everything, and the entropy falls towards 0. The last two
# numbers of the caption say why that is bad. A weight w changes with its score by w·(1 − w). At w = 1 that is 0: no gradient
# flows back, and the head cannot learn to look elsewhere.
#
# ### Which way does the softmax run?
#
# *You may skip this question and the next one.* They look at two mistakes that people make here.
#
# Along the keys, the last dimension. Along the queries the shape is the same, nothing crashes, and the mask still seems to
# hide the future. Change a word and watch.
#
# **Predict.** The last word is changed. With the softmax over the queries, do the rows above it move?

# %% id="plot-4-2-direction"
plot.softmax_direction(attention_weights, causal_mask)

# %% [markdown]
# <details><summary>Answer</summary>
#
# All four move. A column's sum contains the later queries, so each weight depends on the future, although the mask is
# right. And the rows do not sum to 1. It has been found in public code
# ([labmlai#146](https://github.com/labmlai/annotated_deep_learning_paper_implementations/issues/146)).
#
# </details>
#
# ### A row that sees nothing
#
# **Predict.** All keys of a row are hidden, each by −∞. What does the softmax make of this row: zeros, NaN, or equal weights?

# %% id="show-empty-row"
q, k, v = torch.randn(3, 1, 2, 4, generator=torch.Generator().manual_seed(0))
nothing = torch.tensor([[False, False], [True, True]])
show("yours                   ", lambda: attention_weights(q, k, nothing)[0, 0])
print("softmax of -inf:         ", torch.full((2,), -torch.inf).softmax(-1))
print("filled with -1e9 instead:", torch.full((2,), -1e9).softmax(-1))
print("torch's fused attention: ", attend(q, k, v, attn_mask=nothing)[0, 0])

# %% [markdown]
# <details><summary>Answer</summary>
#
# NaN: it is 0/0. With −1e9 in place of −∞ the row pretends to see everything alike. What torch's own function returns depends on its
# version and on the path it takes: NaN in 2023 ([pytorch#103749](https://github.com/pytorch/pytorch/issues/103749)), zeros in the cell above,
# NaN again for somebody with torch 2.8 ([pytorch#163997](https://github.com/pytorch/pytorch/issues/163997)). A row that sees
# nothing has no right weights, so do not make one: that is why your `causal_mask` refuses T > S.
#
# </details>

# %% [markdown]
# ## 4.3 What comes back: attention
#
# Each query takes the average of the values, weighted by its row: a matrix product, (T, S) times (S, d).


# %%
# EXERCISE 4.3 · attention
def attention(q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None = None) -> Tensor:
    """Each query's average of the values, weighted by attention_weights.

    q: (..., T, d), k and v: (..., S, d), mask as in attention_weights → (..., T, d).

    >>> q = torch.tensor([[2.0, 0, 0, 0]])
    >>> k = torch.tensor([[0.0, 0, 0, 0], [math.log(3), 0, 0, 0]])
    >>> v = torch.tensor([[4.0, 0, 0, 0], [8.0, 4, 0, 0]])
    >>> attention(q, k, v).round(decimals=3)   # 1/4 of the first value, 3/4 of the second
    tensor([[7., 3., 0., 0.]])
    """
    ### BEGIN SOLUTION
    return attention_weights(q, k, mask) @ v  # (..., T, S) @ (..., S, d)
    ### END SOLUTION


# %%
check.attention(attention)

# %% [markdown]
# The whole way in one picture, for five words. Press Play: x, its queries, keys and values, the scores, your mask, your
# weights, your mixture. Each matrix has its shape beside its name. Follow one word, the outlined row.
#
# **Predict.** "left" stands third. How many of the five values are part of its new vector?

# %% id="plot-4-3-flow"
plot.flow(attention_weights, causal_mask, attention)

# %% [markdown]
# <details><summary>Answer</summary>
#
# Three: "the", "river" and itself. "bank" has the largest score of all, 3.53, and the mask hides it.
#
# </details>
#
# ### A dictionary that answers with a mixture
#
# Keys a to e, values 10 to 50. Python's `d["b"]` wants the exact key. Attention takes a query that points anywhere, of any length,
# and answers with a mixture.
#
# **Predict.** Set the length of the query to 0. What is the answer: 0, 10, or 30?

# %%
plot.lookup(attention)

# %% [markdown]
# <details><summary>Answer</summary>
#
# 30, the plain average: all scores are 0, so all weights are 1/5. A longer query is a more decided one: the blue arrow grows, the
# bars gather on the nearest key. At length 8 it is nearly Python's dictionary. The answer is where the bars would balance.
#
# </details>

# %% [markdown]
# ## 4.4 Many heads: split
#
# One softmax per token means one mixture per token. But "it" in "The cat sat down because it was tired" has two questions: *who* is
# it, and *why* are we told? The average of two answers is neither. So a layer has several **heads**, and each compares and averages by
# itself. Here are two heads of one layer of SmolLM2, the trained model that you run in lab 11. The weights are those of your functions.
#
# **Predict.** One head finds "cat" for "it". What does the other one find: "sat", "because" or "tired"?

# %% id="plot-4-4-two-heads"
plot.two_heads(attention_weights, causal_mask, apply_rope)

# %% [markdown]
# <details><summary>Answer</summary>
#
# "because", with weight 0.63. Two heads, two mixtures of the same six values (the mask hides "was" and "tired"); the layer keeps both. (We chose these two among the nine of
# the layer. Most of the others look at the first word here.)
#
# </details>
#
# To have H heads, cut the D features into H pieces of d = D / H (section 3.2.2 of the paper). The work is the same: H dot products
# of length d instead of one of length D.
#
# In memory the features of one token are neighbours. Attention wants (B, H, T, d): for each head, a table of positions.
#
# **Predict.** Two tokens with the features 0 1 2 3 and 4 5 6 7. `x.view(1, 2, 2, 2)` has the shape (B, H, T, d). What is its
# head 0?

# %% id="show-view"
x = torch.arange(8).view(1, 2, 4)
print("head 0 by view alone:", x.view(1, 2, 2, 2)[0, 0].tolist())

# %% [markdown]
# <details><summary>Answer</summary>
#
# `[[0, 1], [2, 3]]`: both rows are of token 0. `view` cuts in the order of memory. The shape is right, there is no error, and the
# heads mix up tokens ([FuxiCTR#30](https://github.com/reczoo/FuxiCTR/issues/30)).
#
# </details>


# %%
# EXERCISE 4.4 · split_heads
def split_heads(x: Tensor, n_heads: int) -> Tensor:
    """Cut the features of every position into heads, and bring the heads before the positions.

    x: (B, T, H·d) → (B, H, T, d); head 0 has the first d features, head 1 the next d, …

    >>> x = torch.tensor([[[0, 1, 2, 3], [4, 5, 6, 7]]])   # two positions, four features
    >>> split_heads(x, 2)
    tensor([[[[0, 1],
              [4, 5]],
    <BLANKLINE>
             [[2, 3],
              [6, 7]]]])
    """
    ### BEGIN SOLUTION
    B, T, D = x.shape
    x = x.reshape(B, T, n_heads, D // n_heads)  # (B, T, H, d)
    return x.transpose(1, 2)  # (B, H, T, d)
    ### END SOLUTION


# %%
check.split_heads(split_heads)

# %% [markdown]
# ## 4.5 And merge
#
# Backwards: the heads of a position side by side again.


# %%
# EXERCISE 4.5 · merge_heads
def merge_heads(x: Tensor) -> Tensor:
    """Put the heads of every position side by side again: split_heads backwards.

    x: (B, H, T, d) → (B, T, H·d).

    >>> x = torch.tensor([[[[0, 1], [4, 5]], [[2, 3], [6, 7]]]])   # two heads, two positions
    >>> merge_heads(x)
    tensor([[[0, 1, 2, 3],
             [4, 5, 6, 7]]])
    """
    ### BEGIN SOLUTION
    B, H, T, d = x.shape
    x = x.transpose(1, 2)  # (B, T, H, d)
    return x.reshape(B, T, H * d)
    ### END SOLUTION


# %%
check.merge_heads(merge_heads)

# %%
plot.heads(split_heads, merge_heads)

# %% [markdown]
# Outlined on the left is what your `split_heads` gave to the head: whole columns. With `view` alone they would be whole rows. On
# the right everything is back in its place.

# %% [markdown]
# ## 4.6 The layer
#
# Four matrices make it a layer. $W_q$, $W_k$ and $W_v$ make the queries, keys and values of all heads at once. $W_o$ mixes what the heads
# found: without it, head 3 could never tell anything to the features of head 5.
#
# $$\mathrm{MultiHead}(x) = \mathrm{Concat}(\mathrm{head}_1, \dots, \mathrm{head}_H)\,W_o, \qquad
# \mathrm{head}_h = \mathrm{Attention}(Q_h, K_h, V_h)$$
#
# Q_h, K_h and V_h are the h-th pieces, d columns each, of $xW_q$, $xW_k$ and $xW_v$; Concat puts the heads side by side again. (`nn.Linear`
# keeps each matrix transposed, and computes the same product.)
#
# And here lab 03 comes in. A score is a dot product, wherever the two tokens stand. So queries and keys are rotated by their
# positions, in every head, after the split. Values are not: *where* a token stands decides who listens to it, not what it says.


# %%
# EXERCISE 4.6 · MultiHeadAttention
class MultiHeadAttention(nn.Module):
    """Causal self-attention with H heads and rotary positions.

    Four linear maps without bias, wq, wk, wv and wo, each dim → dim. Queries and keys are rotated
    by their positions in every head; values never are.

    >>> layer = MultiHeadAttention(4, 2)   # dim 4, 2 heads of 2
    >>> for weight in layer.parameters():
    ...     _ = nn.init.eye_(weight)   # q = k = v = x
    >>> x = torch.tensor([[[4.0, 8, 0, 2], [0, 0, 0, 0]]])
    >>> layer(x, torch.zeros(2, 1)).tolist()   # the second query is 0: it likes all keys the same
    [[[4.0, 8.0, 0.0, 2.0], [2.0, 4.0, 0.0, 1.0]]]
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

    def forward(self, x: Tensor, angles: Tensor) -> Tensor:
        """x: (B, T, dim), angles: (T, d/2) → (B, T, dim)."""
        ### BEGIN SOLUTION
        q, k, v = (split_heads(w(x), self.n_heads) for w in (self.wq, self.wk, self.wv))
        q, k = apply_rope(q, angles), apply_rope(k, angles)  # (B, H, T, d)
        mask = causal_mask(x.shape[1], x.shape[1]).to(x.device)  # (T, T)
        return self.wo(merge_heads(attention(q, k, v, mask)))
        ### END SOLUTION


# %%
check.MultiHeadAttention(MultiHeadAttention)

# %% [markdown]
# **Predict.** How many parameters has the layer for D = 64 with 4 heads, and how many with 8: the same, or twice as many?


# %% id="show-parameters"
def parameters(n_heads: int) -> int:
    return sum(weight.numel() for weight in MultiHeadAttention(64, n_heads).parameters())


show("4 heads", lambda: parameters(4))
show("8 heads", lambda: parameters(8))

# %% [markdown]
# <details><summary>Answer</summary>
#
# The same, 4 · 64² = 16,384. Heads do not add parameters; they cut the same features into more pieces.
#
# </details>

# %% [markdown]
# ## 4.7 Look: what heads find
#
# Here are four heads twice: made by hand, so that you know what to expect, and trained. The trained ones are those of SmolLM2, the
# model of lab 11, which has 270 heads; we picked the four that do what the handmade ones do. All weights come from your functions. "word before" and "what came next" work together:
# the first fetches each word's predecessor, the second asks "what followed the last time I was here?". Olsson et al. call
# them induction heads ([2209.11895](https://arxiv.org/abs/2209.11895)) and give evidence that much of what a model learns from its
# prompt comes from them.
#
# **Predict.** The sentence is "the dog bit the man and then the dog". In the head "what came next", which word does the last "dog" look
# at: the first "dog", "bit", or "the"?

# %% id="plot-4-7"
plot.sentence(attention_weights, causal_mask, apply_rope)

# %% [markdown]
# <details><summary>Answer</summary>
#
# At "bit", in both: the last time there was a dog, "bit" came next. A word that comes for the first time finds nothing to repeat.
# The head made by hand then spreads its weight, up to 2.6 bits. The trained one puts 97 % or more on the first word: a place to park. It parks at the repeated "the" as well, and acts only
# at the last "dog".
#
# </details>
#
# Two things to try. Take the mask away: each "the" now looks at whatever follows any "the", ahead as well as back. Then put it back,
# choose "near words", and take the division by √d away: each word wavered between its neighbours, and now it looks at itself. The numbers
# on the right are the entropies, row by row.
#
# Type a sentence of your own, with words that repeat:

# %% id="plot-4-7-yours"
plot.your_sentence(attention_weights, causal_mask, apply_rope)

# %% [markdown]
# ## 4.8 The leak detector
#
# *You may skip this section.* It is for the day on which you doubt somebody's mask.
#
# Does the layer really see nothing of the future? There are two ways to find out, and you should keep both for life.
#
# - **Gradients.** ∂(output t) / ∂(input s) must be 0 for every s > t. One backward pass per row draws the whole matrix.
# - **Random tokens.** Train on text that has no pattern at all, and watch the **loss**: −ln p, where p is the probability that the model
#   gave to the token that came. Sure and right is 0; who guesses among V tokens has p = 1/V and the loss ln V. Here
#   nobody can know the next token, so the loss must stay at ln V. If it falls, the model has seen the answer. A public refactoring once
#   removed the mask, and was found out like this ([transformers#48745](https://github.com/huggingface/transformers/issues/48745)).
#
# Your layer is trained for 200 steps on random texts of 16 different tokens, beside four layers that leak. On the left is who
# sees whom (orange: what must not be seen), on the right the loss.
#
# **Predict.** With the softmax over the queries, and a right mask: does the loss stay at ln 16 = 2.77?

# %% id="plot-4-8"
plot.leak_detector(MultiHeadAttention)

# %% [markdown]
# <details><summary>Answer</summary>
#
# No: choose "queries" above the picture. It falls slowly, to about 2.6 in 200 steps: the future is only in the normalisation, and training
# finds it all the same. The mask that is off by one leaks a single diagonal, and that is as bad as no mask: the one token too many
# is the answer.
#
# </details>

# %% [markdown]
# ## 4.9 Measure: what it costs
#
# Every query meets every key: T² scores per head.
#
# **Predict.** A text becomes twice as long. How much more does attention compute: 2, 4 or 8 times as much? In brackets the cell prints how
# your time grew.

# %% id="measure-timing"
plot.timing(attention, causal_mask)

# %% [markdown]
# <details><summary>Answer</summary>
#
# 4 times: there are 4 times as many scores. Short texts grow by less, since every call has a fixed cost. Long ones may grow by more, even by 8:
# the weights no longer fit into the processor's cache, and it waits for memory. The column "weights" is the matrix that your function
# builds. torch's fused function never builds it. It walks over the keys in blocks and keeps a running maximum and sum, as FlashAttention
# does ([2205.14135](https://arxiv.org/abs/2205.14135)): the same result, less traffic.
#
# </details>

# %% [markdown]
# ## 4.10 Where it lives in Llama 3
#
# | | Llama 3 8B |
# |---|---|
# | layers with attention | 32 |
# | width D | 4,096 |
# | query heads H, of size d | 32 of 128, so 1,024 query heads in the model |
# | 1/√d | 0.0884 |
# | $W_q$, $W_o$ | 4,096 × 4,096, 16.8 million numbers each |
# | $W_k$, $W_v$ | 1,024 × 4,096: eight key and value heads that are shared (lab 06) |
# | bias | none |
# | RoPE base | 500,000 |
# | softmax | in float32, while the rest is bfloat16 |
# | weights for 8,192 tokens | 8,192² · 32 = 2.1 billion per layer, 4.3 GB in bfloat16 if they were all stored |
#
# Llama 3 adds one thing to the mask: several documents are packed into one training text, and a token does not see the other
# documents ([2407.21783](https://arxiv.org/abs/2407.21783), section 3.2). Your `attention` can do that: it takes any mask.

# %% [markdown]
# ## What you built
#
# `causal_mask`, `attention_weights`, `attention`, `split_heads`, `merge_heads` and `MultiHeadAttention`: attention of the original
# paper with Llama's rotary positions. Three questions to think about:
#
# 1. Take a layer without mask and without RoPE, and shuffle the tokens of the input. What happens to the output?
# 2. The first token sees only itself. What are its weights, whatever its query is? And what if a head has nothing to look for
#    in a text, where can its weight go?
# 3. All keys of a head become twice as long. What changes, and which single number of the formula would undo it?
#
# <details><summary>Answers</summary>
#
# 1. It is shuffled the same way, and otherwise unchanged: that is the bag of vectors. 2. A single 1. Weights must sum to 1, so a
# head cannot say "nothing"; trained models park their weight on the first token, an *attention sink*
# ([2309.17453](https://arxiv.org/abs/2309.17453)): you saw it in 4.7. 3. All scores double, and the weights get more decided, as with half
# the temperature (lab 10); 2√d in place of √d undoes it.
#
# </details>
#
# ### The next problem
#
# Now let the model write. Each new token needs one row of attention over all earlier ones. The simplest way is to run the layer on the
# whole text again. But look at what your layer does to the first six tokens when four more are added:


# %% id="the-next-problem"
def past_is_settled() -> bool:
    layer, x = MultiHeadAttention(32, 4), torch.randn(1, 10, 32)
    angles = rope_angles(torch.arange(10), rope_frequencies(8))
    return torch.allclose(layer(x[:, :6], angles[:6]), layer(x, angles)[:, :6], atol=1e-5)


show("the first six rows stay the same", past_is_settled)
print(f"scores for 1000 tokens, all again at each step: {sum(t * t for t in range(1, 1001)):,}")
print(f"scores for 1000 tokens, one new row at a time:  {sum(range(1, 1001)):,}")

# %% [markdown]
# Nothing changes, because of the mask. Everything about the past is computed again, and thrown away again: for 1,000 tokens 667
# times as many scores as are needed. What would have to be kept? That is **05 · The KV cache**.

# %% id="save"
from checks import pieces

pieces.save(check)

# %% id="grade"
from checks import colab

colab.grade()
