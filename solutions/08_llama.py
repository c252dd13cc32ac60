# %% [markdown]
# # 08 · Llama
#
# *65 minutes without 8.3, which may be skipped: 38 to read and try, 27 to write. With it it takes 80. The cells run for about 20 seconds.*
#
# A norm, rotated queries and keys, grouped heads, a cache, a gate: you have written all the pieces. In this lab they become one model, in
# about fifty lines. Is it *the* model, the one that the rest of the world calls Llama? Numbers settle that: the same weights have to give
# the same logits as in Hugging Face's library, to within 0.0001.

# %% id="setup"
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

# %% id="imports"
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from my_llama import (
    GroupedQueryAttention,
    KVCache,
    RMSNorm,
    SwiGLU,
    generate_greedy_cached,
    rope_angles,
    rope_frequencies,
)
from torch import Tensor, nn

from checks import llama as check
from plots import llama as plot
from plots.show import show

# %% [markdown]
# House rules, as in every lab: inputs stay as they are; new tensors go on the inputs' device; half precision is computed in float32 and
# given back in its dtype; gradients flow.
#
# ## 8.0 The problem: 32 pairs in a row
#
# Llama 3 8B has 32 pairs of attention and SwiGLU. The simplest way to put them together is one after the other: what attention gives goes
# into SwiGLU, what SwiGLU gives goes into the next attention. Two ideas make that better. **Norm**: each part reads its input through an
# RMSNorm. **Sum**: what a part gives is added to its input and does not replace it.
#
# The cell tries all four combinations of your own layers, freshly made with random weights. The picture shows two sizes (root mean squares)
# over the number of pairs. On the left: how large is what comes out, if what goes in has size 1? On the right: a gradient of size 1 starts
# at the output; how large is it when it comes back to the input? It has to get there, or the first layers cannot learn.
#
# **Predict.** With 32 pairs, in how many of the four are both sizes between 1/100 and 100, the shaded band: in one, two or three?


# %% id="plot-8-0"
def in_a_row(norm: bool, add: bool) -> list[Tensor]:
    """The vectors at the start, and after each of 32 pairs of attention and SwiGLU."""
    torch.manual_seed(0)
    angles = rope_angles(torch.arange(8), rope_frequencies(8))
    stream = [torch.randn(1, 8, 64, requires_grad=True)]
    for _ in range(32):
        x = stream[-1]
        found = GroupedQueryAttention(64, 8, 2)(RMSNorm(64)(x) if norm else x, angles)
        x = x + found if add else found
        found = SwiGLU(64, 176)(RMSNorm(64)(x) if norm else x)
        stream.append(x + found if add else found)
    return stream


plot.depth(in_a_row)

# %% [markdown]
# <details><summary>Answer</summary>
#
# In one: only both ideas together.
#
# *Neither*: SwiGLU multiplies two numbers that both come from its input, so half the input gives about a quarter of the output. Small
# becomes smaller from pair to pair; after eight, float32 has no number for it.
#
# *Norm alone*: the output is saved, the gradient is not. On its way back every part makes it smaller and every norm makes it larger. No sum
# leads around them, and what does not quite cancel multiplies up 64 times: to hundreds or thousands. One tick of the upper axis is
# ×1,000, so that the growth looks gentle there; the bars below show it as it is.
#
# *Sum alone*: the stream grows. The larger it is, the more SwiGLU adds, and in the end it is no number any more. With 16 pairs all is still
# well, with 24 it can be in the millions.
#
# </details>
#
# A block of Llama is these two ideas.
#
# **Residual connections** (He and others, [1512.03385](https://arxiv.org/abs/1512.03385)). A part does not replace its input. What it found
# is *added* to it:
#
# $$x \leftarrow x + \mathrm{part}(x)$$
#
# So the vectors x run through the whole model, from the embedding to the output, and the parts read from them and write to them. That is
# called the **residual stream**. A gradient comes back the same way, through the sums, and nothing multiplies it.
#
# **Pre-norm.** A part reads the stream through an RMSNorm, so it sees numbers of one size however large the stream has become. The
# Transformer of 2017 normed after the sum, norm(x + part(x)): the stream itself. GPT-2 moved the norm to the front, and Llama does the same.
# Both sizes above would be about 1 in the old order, too. Its fault shows in training: Xiong and others
# ([2002.04745](https://arxiv.org/abs/2002.04745)) proved that the gradients of the last layers' weights are large at the start, so that a
# large learning rate breaks the training unless it begins very slowly.

# %% [markdown]
# ## 8.1 The block
#
# It is called a **decoder block** for a historical reason. The Transformer of 2017, made for translation, had two halves. Its encoder read
# the whole sentence, each word seeing all others. Its decoder wrote the translation, each word seeing only those before it. Llama is such
# a decoder alone, and so is GPT.
#
# With h for what lies between the two parts, a block computes
#
# $$h = x + \mathrm{attention}(\mathrm{norm}_1(x)), \qquad \mathrm{out} = h + \mathrm{SwiGLU}(\mathrm{norm}_2(h))$$
#
# Each norm has a weight of its own. The sizes come from a `LlamaConfig`, which is given: run the next cell and leave it as it is. It goes
# into your `my_llama` too.


# %%
# GIVEN · LlamaConfig
@dataclass
class LlamaConfig:
    """The sizes of a Llama; the defaults are those in the files of Llama 3 8B (its config.json).

    A head has d = dim / n_heads features. hidden_dim: F of SwiGLU, as it is: no rounding is to be
    done. max_seq_len: the longest text it was trained on; no weight depends on it. tie_embeddings:
    the output projection is the embedding table itself.

    >>> LlamaConfig(dim=96, n_heads=16).n_kv_heads
    8
    """

    dim: int = 4096
    n_layers: int = 32
    n_heads: int = 32
    n_kv_heads: int = 8
    vocab_size: int = 128_256
    hidden_dim: int = 14_336
    max_seq_len: int = 8192
    norm_eps: float = 1e-5
    rope_base: float = 500_000.0
    tie_embeddings: bool = False


# %% [markdown]
# **Predict.** Set the weights of both norms of a block to 0. What comes out of the block: zeros, x, or something in between?


# %%
# EXERCISE 8.1 · DecoderBlock
class DecoderBlock(nn.Module):
    """Attention, then SwiGLU: each reads a normed copy of the stream, and is added to the stream.

    Its parts are `attention_norm` (RMSNorm), `attention` (GroupedQueryAttention), `ffn_norm`
    (RMSNorm) and `feed_forward` (SwiGLU). Both norms start at ones and have config.norm_eps.

    >>> block = DecoderBlock(LlamaConfig(dim=2, n_heads=1, n_kv_heads=1, hidden_dim=3, norm_eps=0.0))
    >>> for weight in block.attention.parameters():
    ...     _ = nn.init.eye_(weight)   # attention gives back what it is given
    >>> _ = nn.init.zeros_(block.feed_forward.w_down.weight)   # SwiGLU gives nothing
    >>> block(torch.tensor([[[1.0, 7.0]]]), torch.zeros(1, 1)).detach()   # x + x / 5
    tensor([[[1.2000, 8.4000]]])
    """

    def __init__(self, config: LlamaConfig) -> None:
        super().__init__()
        ### BEGIN SOLUTION
        self.attention_norm = RMSNorm(config.dim, config.norm_eps)
        self.attention = GroupedQueryAttention(config.dim, config.n_heads, config.n_kv_heads)
        self.ffn_norm = RMSNorm(config.dim, config.norm_eps)
        self.feed_forward = SwiGLU(config.dim, config.hidden_dim)
        ### END SOLUTION

    def forward(self, x: Tensor, angles: Tensor, cache: KVCache | None = None) -> Tensor:
        """x: (B, T, dim), angles: (T, d/2) of these T positions → (B, T, dim).

        cache: hand it on to attention; None without one.
        """
        ### BEGIN SOLUTION
        x = x + self.attention(self.attention_norm(x), angles, cache)
        return x + self.feed_forward(self.ffn_norm(x))
        ### END SOLUTION


# %%
check.DecoderBlock(DecoderBlock)


# %% id="norms-at-zero"
def norms_at_zero() -> float:
    config = LlamaConfig(dim=64, n_heads=8, n_kv_heads=2, hidden_dim=176)
    block, x = DecoderBlock(config), torch.randn(1, 8, 64)
    nn.init.zeros_(block.attention_norm.weight)
    nn.init.zeros_(block.ffn_norm.weight)
    angles = rope_angles(torch.arange(8), rope_frequencies(8))
    return (block(x, angles) - x).abs().max().item()


show("largest difference between output and input", norms_at_zero)

# %% [markdown]
# <details><summary>Answer</summary>
#
# x, exactly. The norms stand on the branches, not in the stream. Each part reads zeros, finds zero and adds zero.
#
# A block that gives zeros there has lost its stream: after `x = norm(x)` and `x = x + attention(x)` it is the normed vector that is called
# x. Such a model trains, and nothing says that it is wrong
# ([faster-trajectory-transformer#3](https://github.com/Howuhh/faster-trajectory-transformer/issues/3),
# [OLMo#680](https://github.com/allenai/OLMo/pull/680)).
#
# </details>
#
# And 32 of your blocks in a row? They are the black line, and should cover "norm and sum".


# %% id="plot-8-1"
def blocks_in_a_row() -> list[Tensor]:
    torch.manual_seed(0)
    config = LlamaConfig(dim=64, n_heads=8, n_kv_heads=2, hidden_dim=176)
    angles = rope_angles(torch.arange(8), rope_frequencies(8))
    stream = [torch.randn(1, 8, 64, requires_grad=True)]
    for _ in range(32):
        stream.append(DecoderBlock(config)(stream[-1], angles))
    return stream


plot.depth(in_a_row, blocks_in_a_row)

# %% [markdown]
# 32 blocks are 64 sums, and all of them together make the stream less than twice as large as it was: a new part adds little.

# %% [markdown]
# ## 8.2 The model
#
# What is left is the beginning, the end, and the bookkeeping between them:
#
# 1. `tok_embeddings`, an `nn.Embedding`: lab 01's table, one row for each token.
# 2. The angles of the T positions. All layers use the same, so they are made once. The first of the T tokens is at position 0 or, with
#    caches, follows those that are in them.
# 3. `layers`, n_layers blocks in an `nn.ModuleList`; in a plain list torch would not see their weights. Each block has a cache of its own:
#    another layer has other keys.
# 4. `norm`, once more: the stream has only been added to, and by now can have any size.
# 5. `output`, a linear map without bias from dim to V: one **logit** for each token of the vocabulary. No softmax; lab 09's loss and lab 10's sampling apply it
#    themselves. Norm and output together are the **output block**.
#
# Two rules for what you make on the way. Positions, frequencies and caches have to lie where the tokens or the weights lie:
# `device=ids.device`, or the weights' device. And the angles stay float32, in a bfloat16 model too: bfloat16 has no 1,001, only 1,000 and
# 1,004.
#
# Many small models do without weights for the last step. Row v of the table says what token v looks like at the entrance; the logit of v is
# the dot product of the stream with that same row. This is **weight tying** (Press and Wolf,
# [1608.05859](https://arxiv.org/abs/1608.05859)). Llama 3.2 1B is tied, Llama 3 8B is not. Tied means *one* matrix: a copy is equal at the
# start, and another matrix after one step of training.
#
# **Predict.** The caches hold 30 tokens already, and the model is called with the next two. What are their positions: 0 and 1, 29 and 30,
# 30 and 31, or 31 and 32?


# %%
# EXERCISE 8.2 · Llama
class Llama(nn.Module):
    """Token ids to logits: embedding, n_layers blocks, a last norm, the output projection.

    Its parts are `tok_embeddings`, `layers`, `norm` and, unless config.tie_embeddings, `output`.
    Its state_dict holds their weights and nothing else. `config` is what it was made with: later
    labs ask for it.

    >>> small = {"dim": 2, "n_heads": 1, "n_kv_heads": 1, "hidden_dim": 2, "norm_eps": 0.0}
    >>> model = Llama(LlamaConfig(**small, n_layers=1, vocab_size=3, tie_embeddings=True))
    >>> for weight in model.layers.parameters():
    ...     _ = nn.init.zeros_(weight)   # a block that adds nothing
    >>> model.tok_embeddings.weight.data = torch.tensor([[1.0, 7], [0, 5], [5, -5]])
    >>> model(torch.tensor([[0]])).detach()   # (1, 7) / 5 times each row of the table
    tensor([[[10.,  7., -6.]]])
    """

    def __init__(self, config: LlamaConfig) -> None:
        super().__init__()
        ### BEGIN SOLUTION raise NotImplementedError("Exercise 8.2: Llama.__init__")
        self.config = config
        self.tok_embeddings = nn.Embedding(config.vocab_size, config.dim)
        self.layers = nn.ModuleList(DecoderBlock(config) for _ in range(config.n_layers))
        self.norm = RMSNorm(config.dim, config.norm_eps)
        if not config.tie_embeddings:
            self.output = nn.Linear(config.dim, config.vocab_size, bias=False)
        ### END SOLUTION

    def forward(self, ids: Tensor, caches: list[KVCache] | None = None) -> Tensor:
        """ids: (B, T) → logits (B, T, V).

        With caches, one for each layer, the T positions follow those in them.
        """
        ### BEGIN SOLUTION raise NotImplementedError("Exercise 8.2: Llama.forward")
        config = self.config
        start = caches[0].length if caches else 0
        positions = torch.arange(start, start + ids.shape[1], device=ids.device)
        frequencies = rope_frequencies(config.dim // config.n_heads, config.rope_base)
        angles = rope_angles(positions, frequencies.to(ids.device))  # (T, d/2)

        x = self.tok_embeddings(ids)  # (B, T, dim)
        for layer, cache in zip(self.layers, caches or [None] * config.n_layers, strict=True):
            x = layer(x, angles, cache)
        table = self.tok_embeddings if config.tie_embeddings else self.output
        return F.linear(self.norm(x), table.weight)  # (B, T, V)
        ### END SOLUTION

    def new_caches(self, batch: int, max_len: int) -> list[KVCache]:
        """Make an empty cache for each layer, in the dtype and on the device of the weights.

        >>> small = {"dim": 4, "n_layers": 2, "n_heads": 2, "n_kv_heads": 1, "hidden_dim": 3}
        >>> model = Llama(LlamaConfig(**small, vocab_size=3))
        >>> [tuple(cache.keys.shape) for cache in model.new_caches(batch=1, max_len=4)]
        [(1, 1, 4, 2), (1, 1, 4, 2)]
        """
        ### BEGIN SOLUTION raise NotImplementedError("Exercise 8.2: Llama.new_caches")
        config, weight = self.config, self.tok_embeddings.weight
        sizes = (batch, config.n_kv_heads, max_len, config.dim // config.n_heads)
        return [KVCache.empty(*sizes, weight.dtype, weight.device) for _ in self.layers]
        ### END SOLUTION


# %%
check.Llama(Llama)


# %% id="where-they-stand"
def lengths() -> list[int]:
    small = {"dim": 16, "n_layers": 2, "n_heads": 2, "n_kv_heads": 1, "hidden_dim": 24}
    model = Llama(LlamaConfig(**small, vocab_size=50))
    caches = model.new_caches(batch=1, max_len=40)
    model(torch.arange(30)[None], caches)
    seen = [caches[0].length]
    for layer in model.layers:  # asked again whenever a block begins
        layer.register_forward_pre_hook(lambda *_: seen.append(caches[0].length))
    model(torch.tensor([[30, 31]]), caches)
    return seen


show("caches[0].length before the call, as block 0 begins, as block 1 begins", lengths)

# %% [markdown]
# <details><summary>Answer</summary>
#
# 30 and 31: the cache holds positions 0 to 29, and its `length` is the first position that is free. All caches are equally long, so you can
# ask any of them, but *before* the loop: the first block's `update` moves it, and block 1 would put the two tokens at 32 and 33.
#
# </details>
#
# What you have built, as one picture, with data in it. Your `Llama` gets the weights of a small model that has learned to write like
# Shakespeare (lab 09 is about how), and reads "Art thou Ro". A row is a letter, a column one of its 96 numbers. Blue is the stream, orange
# what is beside it: the copy that a part reads, or what the part found. The bars are what the model would write next if the stream went to
# the output from there (nostalgebraist called that the *logit lens* in 2020).
#
# **Predict.** After "Ro" comes m, as in Romeo. For that the last position must learn that an R stands before its o. Which part tells it: an attention or a SwiGLU? Press play and watch the bars.

# %%
plot.architecture(Llama, LlamaConfig)

# %% [markdown]
# <details><summary>Answer</summary>
#
# An attention: only there do positions meet, so only there can the o learn of the R. At the table the model repeats the o it has just read. Up to the last block it guesses u, as
# in "thou". The last attention makes that an m, with 32 %; SwiGLU makes it 85 %. The stream was not replaced once: everything was added.
#
# </details>
#
# Compare the boxes with the map in [lab 00](00_start_here.ipynb). All of them are now code of yours, except the last, which chooses a token.
#
# ### Is it Llama?
#
# Two rows of the check were called "the logits of Hugging Face's Llama". Two small models with random weights lie in `assets/`, with the
# logits that `LlamaForCausalLM` gives for them. Yours are the same, or the check would have failed and said where, since the output of
# every module is stored too. So whenever a model "does not work", ask it which part departs first. The picture asks your model. If you like,
# it puts a fault in first.
#
# It starts with a frequent fault ([shainet#111](https://github.com/NeuraLegion/shainet/pull/111),
# [LLMs-from-scratch#747](https://github.com/rasbt/LLMs-from-scratch/pull/747)). Hugging Face stores wq and wk for the other layout of RoPE
# (lab 03, 3.7). Your pairs are neighbours, a₀ b₀ a₁ b₁; there all a come first, a₀ a₁ b₀ b₁: the same rows in another order. Whoever reorders them has to count heads correctly. For models with grouped
# keys llama.cpp did not, and TinyLlama talked gibberish there ([llama.cpp#3364](https://github.com/ggml-org/llama.cpp/pull/3364)).
#
# **Predict.** Somebody loads Hugging Face's rows into your model as they are. Which positions get wrong logits: every one, every one but the
# first, or only those far back in the text, since small angles hardly turn?

# %% id="plot-8-2-departures"
plot.departures(Llama, LlamaConfig)

# %% [markdown]
# <details><summary>Answer</summary>
#
# Every one but the first. The token at position 0 has nothing to choose from: it sees one key, itself, with weight 1, whatever the query
# says. So no fault in wq, wk or RoPE can show there, and a test of the first token alone finds nothing. In this small model every later
# position departs at once. In a real model most pairs turn slowly, so the first words can look right before the text goes astray: in
# shainet one or two tokens, elsewhere twenty or more ([llama2.c#286](https://github.com/karpathy/llama2.c/pull/286)).
#
# </details>
#
# Read the other faults in the same way: a wrong `norm_eps` shows in the first norm, a wrong `rope_base` in the first attention and at
# position 1, one changed number in the module that holds it. What departs first has the fault; all that follows inherits it. The dashed
# line is 0.0001: what is left of it is rounding. Look at the sizes, too: with the wrong `norm_eps` the logits are off by 0.12, which a
# greedy answer may hide; with the rows in the wrong order by 7.5, as much as the numbers themselves.

# %% [markdown]
# ### The stream
#
# Below, one line of Shakespeare goes through your `Llama`, with three sets of weights: new ones, new ones with a table of small numbers, and
# the trained ones. The line is the size of the stream after every sum; each block has two points, after attention and after SwiGLU. The
# bars are the sizes of what was added. Size is the root mean square, as in 8.0.
#
# **Predict.** Look at "trained". When the stream leaves the last block, is it about as large as at the beginning, about three times, or more
# than ten times as large?

# %% id="plot-8-2-stream"
plot.stream(Llama, LlamaConfig)

# %% [markdown]
# <details><summary>Answer</summary>
#
# More than ten times: from 0.12 to 4.7 at position 3. Nothing makes it smaller except a part that writes the opposite of what is there. That
# is why the last norm is needed, and why the parts need theirs: without them the last block would read numbers nearly twenty times as
# large as those that the first one reads.
#
# </details>
#
# With new weights and a table of size 1, the parts add little beside the embedding: after twelve blocks, the token that went in is
# still more than half of what comes out, at nearly every position. With a small table the very first sum drowns it. Keep that in mind for 8.4.
#
# And the caches? One text, whole and in pieces; the difference should be rounding only.


# %% id="pieces-or-whole"
def pieces_or_whole() -> float:
    torch.manual_seed(0)
    sizes = {"dim": 64, "n_layers": 4, "n_heads": 8, "n_kv_heads": 2, "hidden_dim": 176}
    model = Llama(LlamaConfig(**sizes, vocab_size=100))
    ids = torch.randint(100, (1, 20))
    caches = model.new_caches(batch=1, max_len=20)
    pieces = [model(piece, caches) for piece in ids.split([13, 1, 1, 5], dim=1)]
    return (torch.cat(pieces, dim=1) - model(ids)).abs().max().item()


show("largest difference between pieces and whole", lambda: f"{pieces_or_whole():.0e}")

# %% [markdown]
# ## 8.3 How many parameters?
#
# *You may skip this section.* Later labs count with `count_parameters`; where yours is missing, they take the course's.
#
# "8B" is a name. The number follows from the sizes alone, without building anything: go through your own `__init__`, matrix by matrix. d is
# dim / n_heads, the features of a head.
#
# | part | weights | how often |
# |---|---|---|
# | wq, wo | dim × dim each | in every block |
# | wk, wv | ? | in every block |
# | w_gate, w_up, w_down | ? | in every block |
# | norms | ? | two in every block, and one |
# | tables | vocab_size × dim | once or twice |
#
# **Predict.** A tiny model, stories15M, has 15 million parameters, is 288 wide and knows 32,000 tokens. Which share of its parameters is the
# table: about 6 %, 30 %, or 60 %?


# %%
# EXERCISE 8.3 · count_parameters
def count_parameters(config: LlamaConfig) -> int:
    """How many numbers a Llama of these sizes learns, without building it.

    A tied table counts once. RoPE learns nothing.

    >>> small = {"dim": 2, "n_layers": 1, "n_heads": 1, "n_kv_heads": 1, "hidden_dim": 4}
    >>> count_parameters(LlamaConfig(**small, vocab_size=3))   # 16 + 24 + 2·2 + 2·6 + 2
    58
    >>> count_parameters(LlamaConfig())   # Llama 3 8B
    8030261248
    """
    ### BEGIN SOLUTION
    head_dim = config.dim // config.n_heads
    attention = 2 * config.dim * head_dim * (config.n_heads + config.n_kv_heads)
    feed_forward = 3 * config.dim * config.hidden_dim
    block = attention + feed_forward + 2 * config.dim
    tables = 1 if config.tie_embeddings else 2
    return config.n_layers * block + tables * config.vocab_size * config.dim + config.dim
    ### END SOLUTION


# %%
check.count_parameters(count_parameters)

# %%
plot.sizes(count_parameters, LlamaConfig)

# %% [markdown]
# <details><summary>Answer</summary>
#
# 61 %. The table grows with dim, the blocks with the square of dim, and a large model has more of them. At 405 billion the two tables have
# 1 % together. That is why small models are tied and large ones need not be: in Llama 3.2 1B a second table would be 263 million numbers
# more, a fifth of the model.
#
# </details>
#
# From 8B on attention stays at about 17 % of the weights. SwiGLU grows from 70 to 81 %, as the tables shrink from 13 to 1 %. Is that also
# where the time goes? Every weight of a block multiplies once for each token. Attention does more: every token meets every other, so its
# scores and mixtures grow with the length of the text.
#
# The next cell makes one block of yours as wide as in Llama 3.2 1B (61 million weights) and clocks its parts, for 5 to 20 seconds. Beside it
# the multiplications are counted, for texts up to the 131,072 tokens of Llama 3.1.
#
# **Predict.** In a block of Llama 3 8B and at 1,024 tokens, which share of the multiplications is attention: about 20 %, 50 % or 80 %? And
# which share of the time does yours take?

# %% id="plot-8-3-time"
plot.shares(Llama, LlamaConfig)

# %% [markdown]
# <details><summary>Answer</summary>
#
# About 20 % of the multiplications: 22 %. SwiGLU is most of the work up to 16,384 tokens; at 131,072 attention is 86 %.
#
# Of the time it takes more: 36 to 41 % at 1,024 tokens in three runs when this lab was written, where 23 % of the multiplications are
# attention's (a block of 1B). Scores and softmax go to memory and back, and each number there is used only once or twice. (Kernels such as FlashAttention keep the scores out of memory, but compute them all the same.)
#
# </details>

# %% [markdown]
# ## 8.4 It says nothing
#
# The model is complete. Let it write: `generate_greedy_cached` of lab 05 wants a step, which is given only the new tokens. Your model with its caches is such a step.


# %% id="write"
def go_on(text: str, n_new: int) -> str:
    torch.manual_seed(0)
    vocab = sorted(set("Shall I compare thee to a summer's day?"))
    sizes = {"dim": 96, "n_layers": 3, "n_heads": 4, "n_kv_heads": 2, "hidden_dim": 256}
    model = Llama(LlamaConfig(**sizes, vocab_size=len(vocab)))
    caches = model.new_caches(batch=1, max_len=len(text) + n_new)
    ids = torch.tensor([[vocab.index(character) for character in text]])
    with torch.no_grad():
        written = generate_greedy_cached(lambda new: model(new, caches), ids, n_new)
    return "".join(vocab[i] for i in written[0].tolist())


show("it writes", lambda: repr(go_on("Shall I com", 24)))

# %% [markdown]
# Noise. How far is that from a good model? Below, three new models read the beginning of a sonnet with 35 different characters, and go on
# from "Shall I com": one untied, one tied, and one tied whose table has small numbers. The **loss** is the mean of −ln p, where p is the
# probability that the model gave to the character that really came next.
#
# **Predict.** Whoever knows nothing gives every character 1/35, and so has a loss of ln 35 = 3.56. A new model knows nothing, either. What is
# the loss of the second one: about 3.6, about 7, or more than 50?

# %% id="measure-noise"
plot.noise(Llama, LlamaConfig, generate_greedy_cached)

# %% [markdown]
# <details><summary>Answer</summary>
#
# More than 50. The untied model has no opinion: its loss is ln V and a little, since its random logits are not quite equal. The tied model
# has one, and is sure of it: the next character is the one that it has just read. Its stream is still mostly the row of the table that came
# in (you saw it in the stream), and the product of a row with itself is far larger than with any other row: the sum of 96 squares. So it is
# certain, and nearly always wrong. That is worse than knowing nothing.
#
# </details>
#
# `nn.Embedding` starts with numbers of size 1. Hugging Face's `LlamaConfig` has 0.02 (`initializer_range`) for all matrices. The third model
# has a table of size 0.02, and is back at ln V, where a model that knows nothing belongs. Leave your class as it is; lab 09 trains an untied
# model. Remember it for the first line of a training run: **a loss that starts far above ln V is a mistake in the model, not a lack of
# training.**

# %% [markdown]
# ## 8.5 Where it lives in Llama 3
#
# | | Llama 3.2 1B | Llama 3 8B | Llama 3 70B | Llama 3.1 405B |
# |---|---|---|---|---|
# | dim | 2,048 | 4,096 | 8,192 | 16,384 |
# | n_layers | 16 | 32 | 80 | 126 |
# | n_heads, n_kv_heads | 32, 8 | 32, 8 | 64, 8 | 128, 8 |
# | hidden_dim | 8,192 | 14,336 | 28,672 | 53,248 |
# | vocab_size | 128,256 | 128,256 | 128,256 | 128,256 |
# | tie_embeddings | yes | no | no | no |
# | parameters | 1,235,814,400 | 8,030,261,248 | 70,553,706,496 | 405,853,388,800 |
#
# Your class builds each of them. These are all the differences, apart from the longest text and, in the columns 3.2 and 3.1, scaled RoPE
# frequencies (lab 13; without them the logits are not theirs). The sizes are from [2407.21783](https://arxiv.org/abs/2407.21783), table 3,
# with the hidden sizes that the weights have (lab 07); those of 1B are from its own config.
#
# The same parts in three places:
#
# | yours, and Meta's | Hugging Face's |
# |---|---|
# | `tok_embeddings` | `model.embed_tokens` |
# | `layers[i].attention_norm` | `model.layers[i].input_layernorm` |
# | `layers[i].attention` (`wq`, `wk`, `wv`, `wo`) | `model.layers[i].self_attn` (`q_proj`, `k_proj`, `v_proj`, `o_proj`) |
# | `layers[i].ffn_norm` | `model.layers[i].post_attention_layernorm`: the name tells where it stands, it is a pre-norm all the same |
# | `layers[i].feed_forward` (`w_gate`, `w_up`, `w_down`; Meta: `w1`, `w3`, `w2`) | `model.layers[i].mlp` (`gate_proj`, `up_proj`, `down_proj`) |
# | `norm`, `output` | `model.norm`, `lm_head` |
#
# Meta's [model.py](https://github.com/meta-llama/llama3/blob/main/llama/model.py) has about 300 lines, with the parts of labs 02 to 07 and
# with code for several GPUs; yours has 50 on top of those parts. Meta keeps the cache inside the attention module, so one model can read only
# one batch of texts at a time, and `forward` takes start_pos as an argument.

# %% [markdown]
# ## What you built
#
# `DecoderBlock`, `Llama` and `count_parameters`: the model, complete, and the same as everyone else's to within 0.0001. Three questions to think about:
#
# 1. You multiply the embedding table of an untied model by 1,000 and leave everything else. What happens to the logits?
# 2. Two blocks of a trained model trade places. Why is that less of a disaster than in a network without residual connections?
# 3. A block of Llama 3 8B has 218,112,000 parameters. How many blocks would a model of one trillion have, at the same width?
#
# <details><summary>Answers</summary>
#
# 1. The first attention adds what it added before (up to eps), to a stream a thousand times as long. From there on every norm sees almost
# only the embedding. The logits are those of a model without blocks. 2. In deep models a block adds little to what is there (not in the
# three blocks above); to the next block the stream looks much as it did. Veit and others
# ([1605.06431](https://arxiv.org/abs/1605.06431)) found that residual networks for images survive the loss or the swap of a block, and that
# networks without residuals do not. 3. About 4,580. Real models become wider, too: 405B has 126 blocks of 3.2 billion.
#
# </details>
#
# Your model is Llama, and it says "mmmmm", or noise. 8 billion numbers are in their places, and all of them are random. The architecture is
# complete. What is missing is a loss that tells how wrong it is, a gradient that tells each number where to go, and an optimizer that goes
# there. The next lab, **09 · Training**, starts near ln V, and one minute later the model writes something that looks like Shakespeare.

# %% id="save"
from checks import pieces

pieces.save(check)

# %% id="grade"
from checks import colab

colab.grade()
